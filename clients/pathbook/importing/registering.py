"""Registering the parties, authorizations, products and batches of a plan in the book, with many calls at a time.

A request id consists of the source and a hash of the request, so a repeated request changes nothing. A party,
product or lot may already be in the book, from another table or from a person. If it is the same, it is used as
it is.
"""

import datetime
import hashlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec

from pathbook.client import Client, RefusedError
from pathbook.importing.cells import CellError, Fault
from pathbook.importing.plan import Grant, Lot, Plan
from pathbook.importing.recipe import Kind
from pathbook.v1 import parties_pb2, refusals_pb2, values_pb2

CALLS_AT_ONCE: Final = 64
"""How many calls are in flight at once. The server commits waiting calls as one group. 16 calls take a fifth longer."""

HASH_DIGITS: Final = 32
"""The hexadecimal digits of the hash in a request id: 128 bits."""

LATEST: Final = datetime.date.max
"""A day that stands for the beginning of an authorization that was not given yet. It is later than any other."""

_KINDS: Final = {
    "brand": values_pb2.PARTY_KIND_BRAND,
    "agent": values_pb2.PARTY_KIND_AGENT,
    "shop": values_pb2.PARTY_KIND_SHOP,
}
_ABOUT_THE_BOOK: Final = ("BOOK_MALFORMED", "BOOK_UNKNOWN")

Item = TypeVar("Item")


class Registered(msgspec.Struct, frozen=True):
    """The numbers of a plan's batches in the book, and the refusals by party, authorization, product and batch.

    Rows that name a refused party, product or batch are rejected. A refused authorization rejects no row, because
    the book records the transfers of an unauthorized party, and marks them.
    """

    batches: dict[Lot, int] = msgspec.field(default_factory=dict)
    refused_parties: dict[str, str] = msgspec.field(default_factory=dict)
    refused_grants: dict[Grant, str] = msgspec.field(default_factory=dict)
    refused_products: dict[str, str] = msgspec.field(default_factory=dict)
    refused_batches: dict[Lot, str] = msgspec.field(default_factory=dict)


class Registrar:
    """Registers plans in one book. `progress` is called with the number of things of a plan that are done, and of all.

    Parties, authorizations and products that were registered for one plan are skipped in the next. A lot is
    requested for each plan.
    """

    def __init__(self, client: Client, progress: Callable[[int, int | None], None]) -> None:
        self._client = client
        self._progress = progress
        self._done = self._of = 0
        self._parties: dict[str, Kind] = {}
        self._grants: dict[Grant, datetime.date] = {}
        self._products: dict[str, str] = {}
        self._given: dict[str, list[parties_pb2.Authorization]] = {}

    def register(self, plan: Plan) -> Registered:
        """Register everything. Uplines come before their agents.

        Raises:
            RefusedError: the book as a whole was refused.
            UnreachableError: the server did not answer. Registering again is safe.
        """
        self._plan, self._registered = plan, Registered()
        parties = [party for party, kind in plan.parties.items() if self._parties.get(party) != kind]
        grants = [grant for grant, since in plan.grants.items() if self._grants.get(grant, LATEST) > since]
        products = [
            gtin for gtin, product in plan.products.items() if self._products.get(gtin) != product.brand
        ]
        returned = plan.named_lots.keys() - plan.batches.keys()
        self._done = 0
        self._of = len(parties) + len(grants) + len(products) + len(plan.batches) + len(returned)
        with ThreadPoolExecutor(CALLS_AT_ONCE, "import") as pool:
            self._each(pool, self._party, parties)
            for tier in sorted({tier for _, _, tier in grants}):
                self._each(pool, self._authorize, [grant for grant in grants if grant[2] == tier])
            self._each(pool, self._product, products)
            if returned or any(batch.size == 0 for batch in plan.batches.values()):
                self._client.position = max(self._client.position, self._client.get_head().position)
            self._each(pool, self._batch, plan.batches)
            self._each(pool, self._returned_lot, returned)
        return self._registered

    def _each(self, pool: ThreadPoolExecutor, call: Callable[[Item], None], items: Collection[Item]) -> None:
        for _ in pool.map(call, items):
            self._done += 1
            self._progress(self._done, self._of)

    def _party(self, party: str) -> None:
        kind = self._plan.parties[party]
        number = _KINDS[kind]
        try:
            self._client.register_party(party, number, request_id=self._request_id("party", party, number))
        except RefusedError as error:
            if not self._has_party(party, number, error):
                self._registered.refused_parties[party] = _sentence(error)
                return
        self._parties[party] = kind

    def _has_party(self, party: str, kind: values_pb2.PartyKind.ValueType, error: RefusedError) -> bool:
        """Tell whether a party was refused because the book already has it, with the same kind.

        If the book has it, its authorizations are kept for later.
        """
        if error.reason != "PARTY_EXISTS":
            return False
        found = self._client.get_party(party, at_least_position=int(error.metadata["position"]))
        self._given[party] = list(found.authorizations)
        return found.kind == kind

    def _authorize(self, grant: Grant) -> None:
        upline, party, tier = grant
        since = midnight(self._plan.grants[grant])
        try:
            if not any(_covers(given, grant, since) for given in self._given.get(party, ())):
                request_id = self._request_id("authorization", upline, party, tier, since)
                self._client.authorize_party(
                    party, upline=upline, tier=tier, valid_from=since, request_id=request_id
                )
        except RefusedError as error:
            self._registered.refused_grants[grant] = _sentence(error)
            return
        self._grants[grant] = self._plan.grants[grant]

    def _product(self, gtin: str) -> None:
        product = self._plan.products[gtin]
        request_id = self._request_id("product", gtin, product.brand, product.name, product.suggested_price)
        try:
            self._client.register_product(
                gtin,
                brand=product.brand,
                name=product.name,
                suggested_price=msgspec.structs.astuple(product.suggested_price),
                request_id=request_id,
            )
        except RefusedError as error:
            if not self._has_product(product.brand, gtin, error):
                self._registered.refused_products[gtin] = _sentence(error)
                return
        self._products[gtin] = product.brand

    def _has_product(self, brand: str, gtin: str, error: RefusedError) -> bool:
        """Tell whether a product was refused because the book already has it, with the same brand."""
        if error.reason != "PRODUCT_EXISTS":
            return False
        found = self._client.get_product(gtin, at_least_position=int(error.metadata["position"]))
        return found.brand == brand

    def _batch(self, lot: Lot) -> None:
        try:
            if self._plan.batches[lot].size == 0:
                self._known_batch(lot)
                return
            self._registered.batches[lot] = self._commissioned(lot)
        except RefusedError as error:
            if error.reason == "BATCH_EXISTS":
                self._known_batch(lot, self._client.get_head().position)
            else:
                self._registered.refused_batches[lot] = _sentence(error)

    def _known_batch(self, lot: Lot, at_least_position: int | None = None) -> None:
        """Take a lot that the book has. Its rows are refused if they say another day of expiry than the book."""
        gtin, number = lot
        found = self._client.get_batch(gtin=gtin, lot=number, at_least_position=at_least_position)
        said = self._plan.expiry(lot)
        if said is not None and found.expires_on != said.isoformat():
            rule = f"{found.expires_on or 'no day'} in the book, and on {said} in the table"
            self._registered.refused_batches[lot] = str(
                CellError(Fault.LOT_CONTRADICTS, text=number, rule=rule)
            )
        else:
            self._registered.batches[lot] = found.batch

    def _returned_lot(self, lot: Lot) -> None:
        try:
            self._known_batch(lot)
        except RefusedError as error:
            self._registered.refused_batches[lot] = _sentence(error)

    def _commissioned(self, lot: Lot) -> int:
        (gtin, number), batch = lot, self._plan.batches[lot]
        answer = self._client.commission_batch(
            gtin,
            brand=batch.brand,
            lot=number,
            size=batch.size,
            made_on=batch.made_on,
            expires_on=batch.expires_on,
            suggested_price=msgspec.structs.astuple(batch.suggested_price),
            request_id=self._request_id("batch", gtin, number, *msgspec.structs.astuple(batch)),
        )
        return answer.batch

    def _request_id(self, thing: str, *content: object) -> str:
        digest = hashlib.sha256(repr(content).encode()).hexdigest()[:HASH_DIGITS]
        return f"{self._plan.source.name}:{thing}:{digest}"


def midnight(date: datetime.date) -> datetime.datetime:
    """Return the first moment of a day, in UTC."""
    return datetime.datetime.combine(date, datetime.time.min, datetime.UTC)


def _covers(given: parties_pb2.Authorization, grant: Grant, since: datetime.datetime) -> bool:
    """Tell whether an authorization in the book already gives what a plan needs."""
    upline, _, tier = grant
    return (
        (given.upline, given.tier) == (upline, tier)
        and given.valid_from.ToDatetime(datetime.UTC) <= since
        and not given.gtins
        and not given.HasField("valid_until")
        and not given.HasField("revoked_from")
    )


def _sentence(error: RefusedError) -> str:
    """Return a refusal of one thing as text. Raise it if it is about the book or the call as a whole."""
    named = f"REFUSAL_REASON_{error.reason}" in refusals_pb2.RefusalReason.DESCRIPTOR.values_by_name
    if not named or error.reason in _ABOUT_THE_BOOK:
        raise error
    return str(error)
