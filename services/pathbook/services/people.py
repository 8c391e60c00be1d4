"""PeopleService: what is known of the people behind parties, its erasure, and the authority of sellers."""

from collections.abc import Iterable
from typing import Final

import msgspec

from pathbook.ledger.book.previews import Previews
from pathbook.ledger.codec.requests import time_or_none
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.rules.text import refuse_text
from pathbook.ledger.store.log.people import People
from pathbook.ledger.values import AuthorizationStatus, is_consumer, is_owner
from pathbook.services.callers import CALLER
from pathbook.services.gateway import Gateway
from pathbook.services.rates import Rates
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.services.translate.values import timestamp_or_none
from pathbook.v1 import people_pb2, people_pb2_grpc

MAX_HANDLES: Final = 20
"""The most handles of a party: an account on each of some platforms, phone numbers, shops."""


class Description(msgspec.Struct, frozen=True):
    """What is known of a party. It is sealed as JSON."""

    name: str = ""
    contact: str = ""


class PeopleService(people_pb2_grpc.PeopleServiceServicer):
    """Each method reads or writes the directory of people. The book alone says who is authorized."""

    def __init__(self, gateway: Gateway, people: People, previews: Previews, rates: Rates) -> None:
        self._gateway, self._people, self._previews, self._rates = gateway, people, previews, rates

    async def DescribeParty(
        self, request: people_pb2.DescribePartyRequest, _context: object
    ) -> people_pb2.DescribePartyResponse:
        """Keep what is known of a party."""
        book = requests.book_name(request.book)
        for field, text in (
            ("name", request.name),
            ("contact", request.contact),
            *(("handle", handle) for handle in request.handles),
        ):
            if (refusal := refuse_text(field, text)) is not None:
                raise RefusedCallError(refusal)
        handles = _named(request.handles)
        details = msgspec.json.encode(Description(request.name, request.contact))
        await self._require_party(book, request.party)
        await self._gateway.run(self._people.describe, book, request.party, details, handles)
        return people_pb2.DescribePartyResponse()

    async def GetDescription(
        self, request: people_pb2.GetDescriptionRequest, _context: object
    ) -> people_pb2.GetDescriptionResponse:
        """Return what is known of a party."""
        book = requests.book_name(request.book)
        await self._require_party(book, request.party)
        kept = await self._gateway.run(self._people.details, book, request.party)
        found = msgspec.json.decode(kept, type=Description) if kept else Description()
        return people_pb2.GetDescriptionResponse(name=found.name, contact=found.contact)

    async def ErasePerson(
        self, request: people_pb2.ErasePersonRequest, _context: object
    ) -> people_pb2.ErasePersonResponse:
        """Erase what is known of a person."""
        book = requests.book_name(request.book)
        if not (is_owner(request.party) and is_consumer(request.party)):
            await self._require_party(book, request.party)
        erased = await self._gateway.run(self._people.erase, book, request.party)
        return people_pb2.ErasePersonResponse(
            key_erased=erased.key, handles=erased.handles, notes=erased.notes
        )

    async def CheckSeller(
        self, request: people_pb2.CheckSellerRequest, _context: object
    ) -> people_pb2.CheckSellerResponse:
        """Tell whether a seller is authorized. A caller that asks for many handles that no party has gets no answer."""
        caller = CALLER.get()
        self._rates.require_question(caller)
        book, gtin = requests.book_name(request.book), requests.gtin(request.gtin)
        (handle,) = _named([request.handle])
        await self._gateway.head(book)  # it must be there
        parties = await self._gateway.run(self._people.parties_with, book, handle)
        at = time_or_none(request, "at")
        for party in parties:
            try:
                found = await self._gateway.ask(0, self._previews.seller_authority, book, party, gtin, at)
            except RefusedCallError as refused:
                if refused.refusal.reason is not Reason.PRODUCT_UNKNOWN:
                    raise
                break  # the public is not told which products there are
            if found.status is AuthorizationStatus.AUTHORIZED:
                return people_pb2.CheckSellerResponse(
                    authorized=True,
                    tier=found.tier,
                    valid_from=timestamp_or_none(found.valid_from),
                    valid_until=timestamp_or_none(found.valid_until),
                )
        self._rates.missed(caller)  # also of a handle that is there, which would else tell it apart
        return people_pb2.CheckSellerResponse()

    async def _require_party(self, book: str, party: str) -> None:
        """Refuse what is not a party of a book. A party that was just registered counts."""
        head = await self._gateway.head(book)
        await self._gateway.ask(head, self._gateway.queries.party, book, party)


def _named(handles: Iterable[str]) -> list[str]:
    """Return handles, none of them empty. Raises RefusedCallError."""
    found = list(handles)
    if len(found) > MAX_HANDLES:
        raise RefusedCallError(refuse(Reason.TOO_MANY_HANDLES, count=len(found), limit=MAX_HANDLES))
    if not all(map(str.strip, found)):
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="handle"))
    return found
