"""What of a book a party or a brand may see: its own things, and what belongs to its products.

What it may not see is answered as what is not there. So each refusal here is the one that the book itself would say.
"""

from collections.abc import MutableSequence, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from pathbook.ledger.queries import Path
from pathbook.ledger.refusals import Reason
from pathbook.ledger.steps import StepKind
from pathbook.ledger.values import Unit, UnitRange, gtin14
from pathbook.services.access.callers import Caller
from pathbook.services.access.masking import refuse_to_move
from pathbook.services.access.narrowing import Narrowing
from pathbook.services.access.products import InsightRequest, Products, hide_consumer_prices, unknown
from pathbook.services.access.table import Grant
from pathbook.services.gateway import Gateway
from pathbook.services.translate.pages import MAX_PAGE_SIZE
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.v1 import batches_pb2 as batches
from pathbook.v1 import corrections_pb2 as corrections
from pathbook.v1 import events_pb2 as events
from pathbook.v1 import findings_pb2 as findings
from pathbook.v1 import insights_pb2 as insights
from pathbook.v1 import keys_pb2 as keys
from pathbook.v1 import paths_pb2 as paths
from pathbook.v1 import people_pb2 as people
from pathbook.v1 import proofs_pb2 as proofs
from pathbook.v1 import transfers_pb2 as transfers

RESOLVED_MAX_RANGES: Final = 100
"""How many ranges a party may resolve at once if it names numbers or cases, because each is looked up."""

NOT_THERE: Final = (Reason.BATCH_UNKNOWN, Reason.RANGE_BEYOND_BATCH)
"""The refusals of a unit that is not there. The second one would tell the size of the batch."""

Entry = TypeVar("Entry")


class Sight:
    """Asks the views what belongs to whom. Each method raises CallFailedError as its refusal, and as `Gateway.ask`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._products = gateway, Products(gateway)

    async def require(self, caller: Caller, grant: Grant, request: Message) -> None:
        """Refuse a request about what is not the caller's, as far as the request itself tells that."""
        party = caller.party
        match request:
            case paths.GetPathRequest() | proofs.GetUnitProofRequest():
                await self._require_unit(caller, grant, request)
            case transfers.ConfirmPurchaseRequest():
                units = request.units
                if units.ranges or units.cases or units.quantities:
                    raise failed(Failure.CODE_NEEDED)
            case keys.ListKeysRequest():
                if request.party and not await self._gateway.ask(
                    request.at_least_position,
                    self._gateway.queries.is_in_line,
                    request.book,
                    request.party,
                    party,
                ):
                    raise unknown(Reason.PARTY_UNKNOWN, party=request.party)
            case paths.ListStockRequest() | transfers.ListTransfersRequest() | transfers.ListOffersRequest():
                if grant is not Grant.PRODUCTS and request.party != party:
                    raise unknown(Reason.PARTY_UNKNOWN, party=request.party)
            case transfers.ListTransfersByReferenceRequest():
                if grant is not Grant.PRODUCTS and party not in (request.giver, request.receiver):
                    raise failed(Failure.NOT_ITSELF, party=party, actor=request.giver or request.receiver)
            case paths.ListHoldersRequest():
                await self._require_product(caller, request)
            case _ if isinstance(request, InsightRequest):
                await self._products.require_insight(caller, grant, request)
            case findings.ExplainFindingRequest() | findings.ListExplanationsRequest():
                await self._products.require_finding(caller, request)
            case findings.SubscribeFindingsRequest():
                await self._products.require_subscription(caller, request)
            case events.ReadRequest():
                await self._require_event(caller, request)
            case people.DescribePartyRequest() | people.GetDescriptionRequest():
                if request.party != party:
                    raise unknown(Reason.PARTY_UNKNOWN, party=request.party)
            case batches.ListCodesRequest():
                await self._products.require_batch(
                    caller, request.book, request.range.batch, request.at_least_position
                )
            case corrections.ListCorrectionsRequest():
                await self._require_corrected(caller, request)
            case _:
                pass  # what it asks is judged by its answer

    async def require_sold(self, caller: Caller, request: transfers.ReturnUnitsRequest) -> None:
        """Refuse a return in the name of a consumer, unless all its units are named by codes, and the caller sold them.

        A consumer has no token, and the shop that takes goods back has them in its hands.
        """
        units = request.units
        if units.ranges or units.cases or units.quantities:
            raise failed(Failure.CODE_NEEDED)
        if (count := len(units.codes)) > RESOLVED_MAX_RANGES:
            raise unknown(Reason.TOO_MANY_RANGES, count=count, limit=RESOLVED_MAX_RANGES)
        for part in await self._gateway.ranges(request.book, units.codes):
            path = await self._path(request.book, Unit(part.batch, part.first), 0)
            sold = [step for step in path.steps if step.movement.kind is StepKind.SOLD and not step.corrected]
            if not sold or sold[-1].owner != request.owner or sold[-1].movement.giver != caller.party:
                raise RefusedCallError(refuse_to_move(Reason.UNITS_NOT_OWNED, caller.party))

    async def _require_event(self, caller: Caller, request: events.ReadRequest) -> None:
        """Refuse to read a single event that is not the caller's. In a stream it gets the hash of such a one."""
        if request.limit != 1 or request.after_position < 0:
            return
        position = request.after_position + 1
        found = await self._gateway.run(self._gateway.event, request.book, position)
        if found is None or not await Narrowing(self._gateway, caller, request.book).is_of_caller(
            found.event
        ):
            what = "To read an event that is not its own"
            raise failed(Failure.ROLE_NOT_ALLOWED, what=what, role=caller.role.value)

    async def show(self, caller: Caller, grant: Grant, request: Message, answer: Message) -> None:
        """Remove from an answer what is not the caller's. Refuse it if nothing is left of one thing."""
        book = str(getattr(request, "book", ""))
        is_brand = grant is Grant.PRODUCTS
        match request, answer:
            case batches.GetBatchRequest(), batches.GetBatchResponse():
                found = answer.batch
                if is_brand and found.brand == caller.party:
                    return
                if not await self._has_stock(caller, book, found.batch):
                    named = request.batch or f"{request.lot} of {gtin14(request.gtin)}"
                    raise unknown(Reason.BATCH_UNKNOWN, batch=named)
            case batches.GetCaseRequest(), batches.GetCaseResponse():
                if not await self._has_case(caller, request, answer, is_brand=is_brand):
                    raise unknown(Reason.CASE_UNKNOWN, sscc=request.sscc)
            case transfers.ResolveUnitsRequest(), transfers.ResolveUnitsResponse():
                if request.units.ranges or request.units.cases:
                    await self._require_owned(caller, book, answer)
            case transfers.GetTransferRequest(), transfers.GetTransferResponse():
                await self._keep_transfers(caller, book, answer.transfers, is_brand=is_brand)
                if not answer.transfers:
                    raise unknown(Reason.TRANSFER_UNKNOWN, transfer=request.transfer)
            case transfers.ListTransfersRequest(), transfers.ListTransfersResponse():
                await self._require_some(caller, request, bool(answer.transfers))
            case transfers.ListOffersRequest(), transfers.ListOffersResponse():
                await self._require_some(caller, request, bool(answer.offers))
            case paths.ListStockRequest(), paths.ListStockResponse():
                await self._require_some(caller, request, bool(answer.stock))
            case _, insights.GetStuckStockResponse() if not is_brand:
                hide_consumer_prices(answer)
            case _:
                pass

    async def as_of(self, caller: Caller, book: str, unit: Unit, as_of: int, at_least: int) -> int:
        """Return the position as of which a caller may see the path of a unit by its number, 0 for now.

        It is the one asked for, but not after the step by which the caller's party last gave the unit away.
        """
        if caller.sees_everything or await self._products.is_brand_of(caller, book, unit.batch, at_least):
            return as_of
        until = _had_until(await self._path(book, unit, at_least), caller.party)
        if until is None:
            raise unknown(Reason.BATCH_UNKNOWN, batch=unit.batch)
        return min(as_of or until, until or as_of)

    async def _require_unit(
        self, caller: Caller, grant: Grant, request: paths.GetPathRequest | proofs.GetUnitProofRequest
    ) -> None:
        """Refuse a path or a proof by the number of a unit that is not the caller's. A path is cut later: `as_of`."""
        if request.WhichOneof("subject") != "unit":
            return
        if grant is Grant.CODE:
            raise failed(Failure.CODE_NEEDED)
        unit = Unit(request.unit.batch, request.unit.number)
        if isinstance(request, proofs.GetUnitProofRequest) and await self.as_of(
            caller, request.book, unit, 0, 0
        ):
            raise unknown(Reason.BATCH_UNKNOWN, batch=unit.batch)

    async def _path(self, book: str, unit: Unit, at_least: int) -> Path:
        try:
            return await self._gateway.ask(
                at_least, self._gateway.queries.path, book, unit, 0, corrections=True
            )
        except RefusedCallError as refused:
            if refused.refusal.reason not in NOT_THERE:
                raise
        raise unknown(Reason.BATCH_UNKNOWN, batch=unit.batch)

    async def _require_product(self, caller: Caller, request: paths.ListHoldersRequest) -> None:
        if request.batch:
            await self._products.require_batch(caller, request.book, request.batch, request.at_least_position)
        else:
            await self._products.require_brand(caller, request.book, request.gtin, request.at_least_position)

    async def _require_corrected(self, caller: Caller, request: corrections.ListCorrectionsRequest) -> None:
        match request.WhichOneof("subject"):
            case "batch":
                await self._products.require_batch(
                    caller, request.book, request.batch, request.at_least_position
                )
            case "gtin":
                await self._products.require_brand(
                    caller, request.book, request.gtin, request.at_least_position
                )
            case "party":
                if request.party != caller.party:
                    raise unknown(Reason.PARTY_UNKNOWN, party=request.party)
            case _:
                what = "To list the corrections of a position"
                raise failed(Failure.ROLE_NOT_ALLOWED, what=what, role=caller.role.value)

    async def _require_some(
        self,
        caller: Caller,
        request: paths.ListStockRequest | transfers.ListTransfersRequest | transfers.ListOffersRequest,
        is_some: bool,  # noqa: FBT001 - the one fact
    ) -> None:
        """Refuse a party of another line if a page about it has nothing that the caller may see."""
        if not is_some and not await self._gateway.ask(
            request.at_least_position,
            self._gateway.queries.is_shown,
            request.book,
            request.party,
            caller.party,
        ):
            raise unknown(Reason.PARTY_UNKNOWN, party=request.party)

    async def _require_owned(self, caller: Caller, book: str, answer: transfers.ResolveUnitsResponse) -> None:
        """Refuse units that were named by number or case, unless the caller's party owns all of them."""
        if (count := len(answer.ranges)) > RESOLVED_MAX_RANGES:
            raise unknown(Reason.TOO_MANY_RANGES, count=count, limit=RESOLVED_MAX_RANGES)
        holders = self._gateway.queries.holders
        for part in answer.ranges:
            first: int | None = part.first
            while first is not None:
                rest = (UnitRange(part.batch, first, part.last),)
                held = await self._gateway.ask(0, holders, book, part.batch, rest, 0, MAX_PAGE_SIZE)
                if any(holder.owner != caller.party for holder in held.items):
                    raise RefusedCallError(refuse_to_move(Reason.UNITS_NOT_OWNED, caller.party))
                first = held.after

    async def _has_stock(self, caller: Caller, book: str, batch: int) -> bool:
        return await self._gateway.ask(0, self._gateway.queries.has_stock, book, caller.party, batch)

    async def _has_case(
        self,
        caller: Caller,
        request: batches.GetCaseRequest,
        answer: batches.GetCaseResponse,
        *,
        is_brand: bool,
    ) -> bool:
        """Return whether the caller's party owns or has the units of a case, or packed it if it has none."""
        queries = self._gateway.queries
        if not answer.ranges:
            case = await self._gateway.ask(0, queries.case, request.book, request.sscc)
            if not case.ranges:
                return case.row.party == caller.party
            first = case.ranges[0]
        else:
            first = UnitRange(answer.ranges[0].batch, answer.ranges[0].first, answer.ranges[0].last)
        if is_brand and await self._products.is_brand_of(caller, request.book, first.batch):
            return True
        one = (UnitRange(first.batch, first.first, first.first),)
        held = await self._gateway.ask(0, queries.holders, request.book, first.batch, one, 0, 1)
        return any(caller.party in (holder.owner, holder.custodian) for holder in held.items)

    async def _keep_transfers(
        self,
        caller: Caller,
        book: str,
        entries: MutableSequence[transfers.Transfer],
        *,
        is_brand: bool,
    ) -> None:
        """Keep the transfers of which the caller's party is a side, or that moved only its own products."""
        kept: list[bool] = []
        for entry in entries:
            is_its = caller.party in (entry.giver, entry.receiver)
            if is_brand and not is_its:
                moved = {part.batch for part in (*entry.ranges, *entry.extra)}
                is_its = bool(moved) and all(
                    [await self._products.is_brand_of(caller, book, batch) for batch in moved]
                )
            kept.append(is_its)
        _keep(entries, kept)


def _had_until(path: Path, party: str) -> int | None:
    """Return the position at which a party last gave a unit away, 0 if it has it, None if it never had it.

    It has a unit while it is its owner or its custodian.
    """
    until: int | None = None
    had = False
    for step in path.steps:
        has = party in (step.owner, step.custodian)
        if had and not has:
            until = step.position
        had = has
    return 0 if had else until


def _keep(entries: MutableSequence[Entry], kept: Sequence[bool]) -> None:
    """Remove the entries of an answer that are not kept."""
    for index in range(len(kept) - 1, -1, -1):
        if not kept[index]:
            del entries[index]
