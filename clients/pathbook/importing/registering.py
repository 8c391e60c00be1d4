"""Registering the parties, authorizations, products and batches of a plan in the book, in bulk.

A request id consists of the source and a hash of the request, so a repeated request changes nothing. A party,
product or lot may already be in the book, from another table or from a person. If it is the same, it is used as
it is.
"""

import datetime
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import grpc
import msgspec

from pathbook.client import Client, RefusedError, Registration, Signer
from pathbook.client.values import price, timestamp
from pathbook.importing.cells import CellError, Fault
from pathbook.importing.plan import Grant, Lot, Plan
from pathbook.importing.recipe import Kind
from pathbook.ledger.command_fields import OPERATOR
from pathbook.v1 import parties_pb2, values_pb2
from pathbook.v1.batches_pb2 import CommissionBatchRequest, RegisterProductRequest
from pathbook.v1.parties_pb2 import AuthorizePartyRequest, RegisterPartyRequest
from pathbook.v1.refusals_pb2 import RefusalReason
from pathbook.v1.registrations_pb2 import RegisterResult
from pathbook.v1.transfers_pb2 import RefusedEntry

ENTRIES_A_BATCH: Final = 500
"""How many registrations go in one message. With so many, the cost of the message itself is negligible."""

CALLS_AT_ONCE: Final = 64
"""How many look-ups are in flight at once."""

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
    requested for each plan. A `signer` signs what its party registers: as a brand its products and lots, as an upline
    its authorizations.
    """

    def __init__(
        self, client: Client, progress: Callable[[int, int | None], None], signer: Signer | None = None
    ) -> None:
        self._client = client
        self._signing, self._signer = client.with_options(signer=signer), signer
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
        made = [lot for lot, batch in plan.batches.items() if batch.size]
        known = [lot for lot, batch in plan.batches.items() if not batch.size]
        returned = plan.named_lots.keys() - plan.batches.keys()
        self._done = 0
        self._of = len(parties) + len(grants) + len(products) + len(plan.batches) + len(returned)
        self._register_parties(parties)
        self._authorize(sorted(grants, key=lambda grant: grant[2]))
        self._register_products(products)
        if known or returned:
            self._client.position = max(self._client.position, self._client.get_head().position)
        self._commission(made)
        self._look_up(self._known_batch, [*known, *returned])
        return self._registered

    def _register_parties(self, parties: Sequence[str]) -> None:
        existing = []
        for party, result in self._results(parties, self._party, lambda _: OPERATOR):
            if result.HasField("receipt"):
                self._parties[party] = self._plan.parties[party]
            elif result.refusal.reason == RefusalReason.REFUSAL_REASON_PARTY_EXISTS:
                existing.append((party, result.refusal))
            else:
                self._registered.refused_parties[party] = _sentence(result.refusal)
        self._look_up_existing(self._known_party, existing)

    def _party(self, party: str) -> Registration:
        kind = _KINDS[self._plan.parties[party]]
        return RegisterPartyRequest(request_id=self._request_id("party", party, kind), party=party, kind=kind)

    def _known_party(self, found: tuple[str, RefusedEntry]) -> None:
        """Take a party that the book has, if it has the same kind. Its authorizations are kept for later."""
        party, refusal = found
        known = self._client.get_party(party, at_least_position=int(refusal.metadata["position"]))
        self._given[party] = list(known.authorizations)
        if known.kind == _KINDS[self._plan.parties[party]]:
            self._parties[party] = self._plan.parties[party]
        else:
            self._registered.refused_parties[party] = _sentence(refusal)

    def _authorize(self, grants: Sequence[Grant]) -> None:
        """Authorize parties for which the book has no authorization that covers what they need."""
        missing = []
        for grant in grants:
            since = midnight(self._plan.grants[grant])
            if any(_covers(given, grant, since) for given in self._given.get(grant[1], ())):
                self._take_grant(grant)
                self._count()
            else:
                missing.append(grant)
        for grant, result in self._results(missing, self._grant, lambda grant: grant[0]):
            if result.HasField("receipt"):
                self._take_grant(grant)
            else:
                self._registered.refused_grants[grant] = _sentence(result.refusal)

    def _take_grant(self, grant: Grant) -> None:
        self._grants[grant] = self._plan.grants[grant]

    def _grant(self, grant: Grant) -> Registration:
        upline, party, tier = grant
        since = midnight(self._plan.grants[grant])
        return AuthorizePartyRequest(
            request_id=self._request_id("authorization", upline, party, tier, since),
            upline=upline,
            party=party,
            tier=tier,
            valid_from=timestamp(since),
        )

    def _register_products(self, gtins: Sequence[str]) -> None:
        existing = []
        for gtin, result in self._results(gtins, self._product, lambda gtin: self._plan.products[gtin].brand):
            if result.HasField("receipt"):
                self._products[gtin] = self._plan.products[gtin].brand
            elif result.refusal.reason == RefusalReason.REFUSAL_REASON_PRODUCT_EXISTS:
                existing.append((gtin, result.refusal))
            else:
                self._registered.refused_products[gtin] = _sentence(result.refusal)
        self._look_up_existing(self._known_product, existing)

    def _product(self, gtin: str) -> Registration:
        product = self._plan.products[gtin]
        return RegisterProductRequest(
            request_id=self._request_id(
                "product", gtin, product.brand, product.name, product.suggested_price
            ),
            brand=product.brand,
            gtin=gtin,
            name=product.name,
            suggested_price=price(msgspec.structs.astuple(product.suggested_price)),
        )

    def _known_product(self, found: tuple[str, RefusedEntry]) -> None:
        """Take a product that the book has, if it has the same brand."""
        gtin, refusal = found
        known = self._client.get_product(gtin, at_least_position=int(refusal.metadata["position"]))
        if known.brand == self._plan.products[gtin].brand:
            self._products[gtin] = known.brand
        else:
            self._registered.refused_products[gtin] = _sentence(refusal)

    def _commission(self, lots: Sequence[Lot]) -> None:
        existing = []
        for lot, result in self._results(lots, self._batch, lambda lot: self._plan.batches[lot].brand):
            if result.HasField("receipt"):
                self._registered.batches[lot] = result.batch
            elif result.refusal.reason == RefusalReason.REFUSAL_REASON_BATCH_EXISTS:
                existing.append(lot)
            else:
                self._registered.refused_batches[lot] = _sentence(result.refusal)
        if existing:
            self._client.position = max(self._client.position, self._client.get_head().position)
        self._look_up_existing(self._known_batch, existing)

    def _batch(self, lot: Lot) -> Registration:
        (gtin, number), batch = lot, self._plan.batches[lot]
        return CommissionBatchRequest(
            request_id=self._request_id("batch", gtin, number, *msgspec.structs.astuple(batch)),
            brand=batch.brand,
            gtin=gtin,
            lot=number,
            size=batch.size,
            made_on=batch.made_on.isoformat(),
            expires_on=batch.expires_on.isoformat() if batch.expires_on else "",
            suggested_price=price(msgspec.structs.astuple(batch.suggested_price)),
        )

    def _known_batch(self, lot: Lot) -> None:
        """Take a lot that the book has. Its rows are refused if they say another day of expiry than the book."""
        gtin, number = lot
        try:
            found = self._client.get_batch(gtin=gtin, lot=number)
        except RefusedError as error:
            self._registered.refused_batches[lot] = _of_one(error)
            return
        said = self._plan.expiry(lot)
        if said is not None and found.expires_on != said.isoformat():
            rule = f"{found.expires_on or 'no day'} in the book, and on {said} in the table"
            self._registered.refused_batches[lot] = str(
                CellError(Fault.LOT_CONTRADICTS, text=number, rule=rule)
            )
        else:
            self._registered.batches[lot] = found.batch

    def _results(
        self,
        items: Sequence[Item],
        registration: Callable[[Item], Registration],
        actor: Callable[[Item], str],
    ) -> Iterator[tuple[Item, RegisterResult]]:
        """Register items in their order, and yield each with its result. Those of the signer's party are signed."""
        signer = None if self._signer is None else self._signer.party
        for signs, alike in itertools.groupby(items, lambda item: actor(item) == signer):
            run = list(alike)
            groups = [run[first : first + ENTRIES_A_BATCH] for first in range(0, len(run), ENTRIES_A_BATCH)]
            client = self._signing if signs else self._client
            answers = client.register([registration(item) for item in group] for group in groups)
            for group, results in zip(groups, answers, strict=True):
                for item, result in zip(group, results, strict=True):
                    _require_own(result)
                    yield item, result
                    self._count()

    def _look_up_existing(self, look_up: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Look up things that could not be registered, because the book has them already. That is more to do."""
        self._of += len(items)
        self._look_up(look_up, items)

    def _look_up(self, look_up: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Look up things that the book has, with many calls at a time."""
        if items:
            with ThreadPoolExecutor(CALLS_AT_ONCE, "import") as pool:
                for _ in pool.map(look_up, items):
                    self._count()

    def _count(self) -> None:
        self._done += 1
        self._progress(self._done, self._of)

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


def _require_own(result: RegisterResult) -> None:
    """Raise RefusedError if a registration was refused because of the book, and not because of what it says."""
    if result.HasField("refusal"):
        refusal = result.refusal
        name = _name(refusal)
        if name in _ABOUT_THE_BOOK:
            raise RefusedError(name, refusal.message, refusal.metadata, grpc.StatusCode.NOT_FOUND)


def _name(refusal: RefusedEntry) -> str:
    return RefusalReason.Name(refusal.reason).removeprefix("REFUSAL_REASON_")


def _sentence(refusal: RefusedEntry) -> str:
    """Return the refusal of one thing as text."""
    return f"{_name(refusal)}: {refusal.message}"


def _of_one(error: RefusedError) -> str:
    """Return the refusal of one look-up as text. Raise it if it is about the book or the call as a whole."""
    named = f"REFUSAL_REASON_{error.reason}" in RefusalReason.DESCRIPTOR.values_by_name
    if not named or error.reason in _ABOUT_THE_BOOK:
        raise error
    return str(error)
