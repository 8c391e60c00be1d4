"""Calls about parties and their authorisations."""

import datetime
import functools
from collections.abc import Iterable, Iterator

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import timestamp
from pathbook.v1 import parties_pb2, parties_pb2_grpc
from pathbook.v1.values_pb2 import PartyKind


class Parties(Caller):
    """The PartyService of a book."""

    @functools.cached_property
    def _parties(self) -> parties_pb2_grpc.PartyServiceStub:
        return parties_pb2_grpc.PartyServiceStub(self._channel)

    def register_party(
        self, party: str, kind: PartyKind.ValueType, *, request_id: str = ""
    ) -> parties_pb2.RegisterPartyResponse:
        """Register a brand, an agent or a shop."""
        request = parties_pb2.RegisterPartyRequest(
            book=self.book, request_id=request_id_or_new(request_id), party=party, kind=kind
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
        """Let a party sell for its upline; no GTINs means every product, no times from now on without end."""
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
        request_id: str = "",
    ) -> parties_pb2.RevokeAuthorizationResponse:
        """End the authorisation given at a position, from a time on, or from now."""
        request = parties_pb2.RevokeAuthorizationRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            upline=upline,
            authorization=authorization,
            revoked_from=timestamp(revoked_from),
        )
        return self._write(self._parties.RevokeAuthorization, request)

    def get_party(self, party: str, *, at_least_position: int | None = None) -> parties_pb2.Party:
        """Return a party with its authorisations."""
        request = parties_pb2.GetPartyRequest(
            book=self.book, party=party, at_least_position=self._known(at_least_position)
        )
        return self._ask(self._parties.GetParty, request).party

    def list_parties(
        self, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[parties_pb2.Party]:
        """Yield the parties in the order of their ids, read page by page."""

        def page(token: str) -> parties_pb2.ListPartiesResponse:
            request = parties_pb2.ListPartiesRequest(
                book=self.book,
                page_size=page_size,
                page_token=token,
                at_least_position=self._known(at_least_position),
            )
            return self._ask(self._parties.ListParties, request)

        for answer in self._pages(page):
            yield from answer.parties
