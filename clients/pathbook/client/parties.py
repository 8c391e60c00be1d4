"""Calls about parties and their authorizations."""

import datetime
import functools
from collections.abc import Iterable, Iterator
from operator import index

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import timestamp
from pathbook.ledger.values import PartyKind
from pathbook.v1 import parties_pb2, parties_pb2_grpc, values_pb2


class Parties(Caller):
    """The PartyService of a book."""

    @functools.cached_property
    def _parties(self) -> parties_pb2_grpc.PartyServiceStub:
        return parties_pb2_grpc.PartyServiceStub(self._channel)

    def register_party(
        self, party: str, kind: PartyKind | values_pb2.PartyKind.ValueType, *, request_id: str = ""
    ) -> parties_pb2.RegisterPartyResponse:
        """Register a brand, an agent or a shop.

        Args:
            party: The id you choose: 1 to 64 letters, digits, dots, dashes or underscores. Use no personal data.
            kind: ``PartyKind.BRAND``, ``PartyKind.AGENT`` or ``PartyKind.SHOP``.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, ``receipt.recorded_at`` and ``receipt.duplicate``.

        Raises:
            RefusedError: PARTY_MALFORMED, PARTY_LOOKS_PERSONAL, PARTY_KIND_MISSING, VALUE_MISSING (an
                unknown kind), PARTY_EXISTS; or a reason of every write (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.register_party("acme", PartyKind.BRAND).receipt.position
            2
            >>> for agent in ("ann", "bob"):
            ...     response = client.register_party(agent, PartyKind.AGENT)
        """
        request = parties_pb2.RegisterPartyRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            party=party,
            kind=values_pb2.PartyKind.ValueType(index(kind)),
        )
        return self._write(self._parties.RegisterParty, request)

    def authorize_party(
        self,
        party: str,
        *,
        upline: str,
        tier: int,
        gtins: Iterable[str] = (),
        region: str = "",
        valid_from: datetime.datetime | None = None,
        valid_until: datetime.datetime | None = None,
        request_id: str = "",
    ) -> parties_pb2.AuthorizePartyResponse:
        """Authorize a party to sell for its upline, at a tier.

        An authorization is on record and reported. It never stops a transfer.

        Args:
            party: Id of the agent or shop that is authorized.
            upline: Id of the party that authorizes: a brand, or an agent that is authorized itself.
            tier: The tier given, 1 to 100, or at most the ``max_tier`` of the book; it must be above the upline's
                tier. A brand is tier 0.
            gtins: GTINs of 8, 12, 13 or 14 digits of at most 1,000 products. Empty means every product.
            region: Where the party may sell, in words, at most 200 characters. "" means anywhere.
            valid_from: When it begins, a timezone-aware datetime. None means the moment it is recorded.
            valid_until: When it ends, a timezone-aware datetime. None means that it has no end.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response whose ``receipt.position`` is the id of the authorization.

        Raises:
            RefusedError: PARTY_UNKNOWN, SELF_AUTHORIZATION, BRAND_NEEDS_NO_AUTHORIZATION, UPLINE_NOT_AUTHORIZED,
                TIER_OUT_OF_BOUNDS, TIER_NOT_BELOW_UPLINE, TOO_MANY_PRODUCTS, GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN,
                VALIDITY_REVERSED, VALIDITY_BEYOND_UPLINE; or a reason of every write, time and text (see
                ``Client``).
            UnreachableError: No answer came in time.
            ValueError: A datetime has no time zone.

        Example:
            >>> given = client.authorize_party("ann", upline="acme", tier=1, gtins=["4006381333931"])
            >>> client.get_party("ann").authorizations[0].position == given.receipt.position
            True
        """
        request = parties_pb2.AuthorizePartyRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            upline=upline,
            party=party,
            tier=tier,
            gtins=gtins,
            region=region,
            valid_from=timestamp(valid_from),
            valid_until=timestamp(valid_until),
        )
        return self._write(self._parties.AuthorizeParty, request)

    def revoke_authorization(
        self,
        authorization: int,
        *,
        upline: str,
        revoked_from: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> parties_pb2.RevokeAuthorizationResponse:
        """End an authorization from a time on, as the upline that gave it.

        Args:
            authorization: Position at which the authorization was given.
            upline: Id of the party that gave it.
            revoked_from: When it ends, a timezone-aware datetime: not before it begins, and before it would end. None
                means the moment it is recorded, or the moment it would begin if that is later.
            answered_leaf: Leaf hash of the authorization as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: AUTHORIZATION_UNKNOWN, NOT_THE_UPLINE, AUTHORIZATION_ALREADY_REVOKED,
                REVOKED_OUTSIDE_VALIDITY; or a reason of every write and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> response = client.revoke_authorization(given.receipt.position, upline="acme")
            >>> client.get_party("ann").authorizations[0].revoked_from == response.receipt.recorded_at
            True
        """
        request = parties_pb2.RevokeAuthorizationRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            upline=upline,
            authorization=authorization,
            answered_leaf=answered_leaf,
            revoked_from=timestamp(revoked_from),
        )
        return self._write(self._parties.RevokeAuthorization, request)

    def get_party(self, party: str, *, at_least_position: int | None = None) -> parties_pb2.Party:
        """Return a party with its authorizations.

        Args:
            party: Id of the party.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A Party with ``party``, ``kind``, ``position``, ``corrected_position`` (0: never) and ``authorizations``,
            oldest first.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> PartyKind(client.get_party("ann").kind)
            <PartyKind.AGENT: 2>
        """

        def page(token: str) -> parties_pb2.GetPartyResponse:
            request = parties_pb2.GetPartyRequest(
                book=self.book,
                party=party,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._parties.GetParty, request)

        def join(whole: parties_pb2.GetPartyResponse, other: parties_pb2.GetPartyResponse) -> None:
            whole.party.authorizations.extend(other.party.authorizations)
            whole.party.ClearField("authorizations_left_out")

        whole = self._whole(page, join)
        return whole.party

    def list_parties(
        self, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[parties_pb2.Party]:
        """Yield all parties in the order of their ids.

        Args:
            page_size: Parties fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Party, as ``get_party`` returns it. Of very many authorizations, it has the first ones, and
            ``authorizations_left_out`` is set.

        Raises:
            RefusedError: A reason of every list and read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [party.party for party in client.list_parties()]
            ['acme', 'ann', 'bob']
        """

        def page(token: str) -> parties_pb2.ListPartiesResponse:
            request = parties_pb2.ListPartiesRequest(
                book=self.book,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._parties.ListParties, request)

        for response in self._pages(page):
            yield from response.parties
