"""Calls that correct what was recorded by mistake: errors, products, batches and parties."""

# clients/generate_client.py wrote this from corrections.py of the client: change that file.

import datetime
import functools
from collections.abc import AsyncIterator
from operator import index

from pathbook.client.aio.calls import AsyncCaller, request_id_or_new
from pathbook.client.values import Price, iso_date, price
from pathbook.ledger.values import PartyKind
from pathbook.v1 import corrections_pb2, corrections_pb2_grpc, values_pb2


class Corrections(AsyncCaller):
    """The CorrectionService of a book."""

    @functools.cached_property
    def _corrections(self) -> "corrections_pb2_grpc.CorrectionServiceAsyncStub":
        return corrections_pb2_grpc.CorrectionServiceStub(self._channel)

    async def declare_error(
        self, position: int, *, party: str, note: str = "", answered_leaf: bytes = b"", request_id: str = ""
    ) -> corrections_pb2.DeclareErrorResponse:
        """Declare that an event was an error, as the side that acted; all is again as it was before the event.

        It works for write-offs, confirmations of purchases, deliveries, and requests of a reversal, until something
        was built upon them. Both events stay on record.

        Args:
            position: Position of the event that was an error.
            party: Id of the party that acted in it, or "consumer:" and a pseudonym.
            note: Why, in at most 200 characters. "" means no note. It may be erased later.
            answered_leaf: Leaf hash of the event as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: EVENT_NOT_DECLARABLE, NOT_THE_ACTOR, ERROR_ALREADY_DECLARED, EVENT_BUILT_UPON,
                UNITS_IN_CASE, POSITION_NEGATIVE; or a reason of every write and text (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> units = select(ranges=[(1, 210, 210)])
            >>> lost = await client.write_off_units(party="bob", units=units, state=UnitState.LOST)
            >>> response = await client.declare_error(lost.receipt.position, party="bob", note="found again")
            >>> UnitState((await client.get_path((1, 210))).run.state)
            <UnitState.IN_STOCK: 1>
        """
        request = corrections_pb2.DeclareErrorRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            party=party,
            position=position,
            answered_leaf=answered_leaf,
            note=note,
        )
        return await self._write(self._corrections.DeclareError, request)

    async def correct_product(
        self,
        gtin: str,
        *,
        brand: str,
        name: str = "",
        suggested_price: Price | None = None,
        request_id: str = "",
    ) -> corrections_pb2.CorrectProductResponse:
        """Correct the name or the suggested price of a product; its batches keep their prices.

        Args:
            gtin: GTIN of the product: 8, 12, 13 or 14 digits.
            brand: Id of the brand that the product belongs to.
            name: The right name, 1 to 200 characters. "" means that it stays.
            suggested_price: The right price suggested to consumers for one unit: (28000, "CNY") is 280.00 yuan (see
                ``price``). None means that it stays.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN, NOT_THE_BRAND,
                NOTHING_TO_CORRECT; or a reason of every write, price and text (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> response = await client.correct_product("4006381333931", brand="acme", name="Mask, box of 40")
            >>> (await client.get_product("4006381333931")).name
            'Mask, box of 40'
        """
        request = corrections_pb2.CorrectProductRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            gtin=gtin,
            name=name,
            suggested_price=price(suggested_price),
        )
        return await self._write(self._corrections.CorrectProduct, request)

    async def correct_batch(
        self,
        batch: int,
        *,
        brand: str,
        made_on: datetime.date | None = None,
        expires_on: datetime.date | None = None,
        never_expires: bool = False,
        suggested_price: Price | None = None,
        request_id: str = "",
    ) -> corrections_pb2.CorrectBatchResponse:
        """Correct the dates or the suggested price of a batch; its lot and its size stay, because labels show them.

        Args:
            batch: Number of the batch.
            brand: Id of the brand that made it.
            made_on: The right day of making, not in the future. None means that it stays.
            expires_on: The right last day of shelf life. None means that it stays.
            never_expires: True means that the units never expire, whatever ``expires_on`` says.
            suggested_price: The right price suggested to consumers for one unit: (28000, "CNY") is 280.00 yuan (see
                ``price``). None means that it stays.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, BATCH_UNKNOWN, NOT_THE_BRAND, OCCURRED_IN_FUTURE (a day of
                making to come), EXPIRES_BEFORE_MADE, NOTHING_TO_CORRECT; or a reason of every write and price (see
                ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> response = await client.correct_batch(1, brand="acme", expires_on=datetime.date(2099, 12, 31))
            >>> batch = await client.get_batch(1)
            >>> batch.expires_on, batch.corrected_position == response.receipt.position
            ('2099-12-31', True)
        """
        request = corrections_pb2.CorrectBatchRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            batch=batch,
            made_on=iso_date(made_on),
            expires_on=iso_date(expires_on),
            never_expires=never_expires,
            suggested_price=price(suggested_price),
        )
        return await self._write(self._corrections.CorrectBatch, request)

    async def correct_party(
        self, party: str, kind: PartyKind | values_pb2.PartyKind.ValueType, *, request_id: str = ""
    ) -> corrections_pb2.CorrectPartyResponse:
        """Correct the kind of a party, as the operator; a brand stays a brand.

        Args:
            party: Id of the party.
            kind: The right kind, ``PartyKind.AGENT`` or ``PartyKind.SHOP``.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN, PARTY_KIND_MISSING, VALUE_MISSING (an unknown kind), BRAND_IS_FIXED,
                NOTHING_TO_CORRECT; or a reason of every write (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> response = await client.correct_party("bob", PartyKind.SHOP)
            >>> PartyKind((await client.get_party("bob")).kind) is PartyKind.SHOP
            True
        """
        request = corrections_pb2.CorrectPartyRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            party=party,
            kind=values_pb2.PartyKind.ValueType(index(kind)),
        )
        return await self._write(self._corrections.CorrectParty, request)

    async def corrections(
        self,
        *,
        position: int | None = None,
        gtin: str | None = None,
        batch: int | None = None,
        party: str | None = None,
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> AsyncIterator[corrections_pb2.Correction]:
        """Yield the corrections of an event, a product, a batch or a party, oldest first.

        Args:
            position: Position of an event that may have been declared an error. Name it, or one of the next three.
            gtin: GTIN of a product: 8, 12, 13 or 14 digits.
            batch: Number of a batch.
            party: Id of a party.
            page_size: Corrections fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Correction with ``position``, ``event``, the stored bytes of an ``events_pb2.Event``, and ``note``.

        Raises:
            RefusedError: VALUE_MISSING (no subject, or no GTIN), GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN, BATCH_UNKNOWN,
                PARTY_UNKNOWN; or a reason of every list and read (see ``AsyncClient``).
            UnreachableError: No answer came in time.
            TypeError: More than one subject is named.

        Example:
            >>> async for correction in client.corrections(gtin="4006381333931"):
            ...     print(decode(correction.event, correction.position).event.name)
            Mask, box of 40
        """
        if sum(subject is not None for subject in (position, gtin, batch, party)) > 1:
            raise TypeError("corrections() takes one subject: a position, a GTIN, a batch or a party")

        async def page(token: str) -> corrections_pb2.ListCorrectionsResponse:
            request = corrections_pb2.ListCorrectionsRequest(
                book=self.book,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            if position is not None:
                request.position = position
            if gtin is not None:
                request.gtin = gtin
            if batch is not None:
                request.batch = batch
            if party is not None:
                request.party = party
            return await self._call(self._corrections.ListCorrections, request)

        async for response in self._pages(page):
            for item in response.corrections:
                yield item
