"""Calls about the people behind parties: what they are called, its erasure, and the authority of sellers."""

import datetime
import functools
from collections.abc import Iterable

from pathbook.client.calls import Caller
from pathbook.client.values import timestamp
from pathbook.v1 import people_pb2, people_pb2_grpc


class People(Caller):
    """The PeopleService: the directory of people, which lies beside the book and never in it."""

    @functools.cached_property
    def _people(self) -> people_pb2_grpc.PeopleServiceStub:
        return people_pb2_grpc.PeopleServiceStub(self._channel)

    def describe_party(
        self, party: str, *, name: str = "", contact: str = "", handles: Iterable[str] = ()
    ) -> None:
        """Say what a party is called, how it is reached, and under which public handles it sells.

        It takes the place of all that was said before. It is sealed with a key of the party, and stands in no event.

        Args:
            party: Id of the party.
            name: What it is called, in at most 200 characters. "" removes it.
            contact: How it is reached, in at most 200 characters. "" removes it.
            handles: Public names under which it offers goods, such as the id of an account, a phone number or the
                address of a shop: at most 20, each of at most 200 characters.

        Raises:
            RefusedError: PARTY_UNKNOWN, TEXT_TOO_LONG, TEXT_MALFORMED, TOO_MANY_HANDLES, VALUE_MISSING (an empty
                handle); or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.describe_party("ann", name="Ann Li", handles=["wechat ann-masks"])
            >>> client.get_description("ann").name
            'Ann Li'
        """
        request = people_pb2.DescribePartyRequest(
            book=self.book, party=party, name=name, contact=contact, handles=handles
        )
        self._call(self._people.DescribeParty, request)

    def get_description(self, party: str) -> people_pb2.GetDescriptionResponse:
        """Return what a party is called, and how it is reached. Handles are kept as hashes, and are not returned.

        Args:
            party: Id of the party.

        Returns:
            A response with ``name`` and ``contact``, "" if they are not known, or were erased.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_description("acme").contact
            ''
        """
        request = people_pb2.GetDescriptionRequest(book=self.book, party=party)
        return self._call(self._people.GetDescription, request)

    def erase_person(self, party: str) -> people_pb2.ErasePersonResponse:
        """Erase what is known of a person: its key, description, handles, and the texts of its notes.

        Events, paths and proofs stay as they are. It cannot be undone.

        Args:
            party: Id of a party, or "consumer:" and a pseudonym.

        Returns:
            A response with ``key_erased``, and the numbers of ``handles`` and ``notes``.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.describe_party("ann", handles=["wechat ann-masks", "+86 555 0100"])
            >>> client.erase_person("ann").handles
            2
        """
        request = people_pb2.ErasePersonRequest(book=self.book, party=party)
        return self._call(self._people.ErasePerson, request)

    def check_seller(
        self, handle: str, gtin: str, *, at: datetime.datetime | None = None
    ) -> people_pb2.CheckSellerResponse:
        """Ask whether who offers a product under a public handle is authorized to sell it. No token is needed.

        Args:
            handle: The handle, exactly as the seller gives it.
            gtin: The product.
            at: For which time, a timezone-aware datetime. None means now.

        Returns:
            A response with ``authorized``, and if it is, ``tier``, and from when until when the whole line from the
            brand down to the seller holds: ``valid_from`` and ``valid_until``. It names no party. A handle that no
            party has, and a product that is not there, are not authorized.

        Raises:
            RefusedError: GTIN_CHECK_DIGIT, VALUE_MISSING (no handle), CODES_LIMITED (too many unknown
                handles); or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.check_seller("+86 555 0199", "04006381333931").authorized
            False
        """
        request = people_pb2.CheckSellerRequest(book=self.book, handle=handle, gtin=gtin, at=timestamp(at))
        return self._call(self._people.CheckSeller, request)
