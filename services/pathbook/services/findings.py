"""FindingService: what is said of findings, and the stream of what events change in them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from pathbook.ledger.queries import Asked, Insight, insights
from pathbook.ledger.queries.finding_changes import FindingChanges, FindingPlace
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.explaining import ExplainedBy, Explanation, explain
from pathbook.ledger.reports.findings import FINDINGS
from pathbook.ledger.reports.suspicions import Finding, batch_of
from pathbook.ledger.reports.ties import KEYS
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.rules.text import refuse_text
from pathbook.ledger.store.log.explanations import Explanations
from pathbook.ledger.store.views.report_follower import ReportFollower
from pathbook.services import clock
from pathbook.services.access.callers import current_caller
from pathbook.services.drain import Drain
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.findings import change, explanation, parse_cursor, print_cursor
from pathbook.services.translate.pages import AfterNumber, Paging, cut
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import findings_pb2, findings_pb2_grpc, insights_pb2

ALIVE_INTERVAL_S: Final = 15.0
"""After how long without changes a subscriber gets a response without any."""

GATHER_TIMEOUT_S: Final = 0.05
"""How long a subscriber waits before it waits for the next event. Changes in quick succession are sent together."""


class _Told(NamedTuple):
    """Changes, and what is said of their findings now."""

    changes: FindingChanges
    said: Mapping[str, Explanation]


class FindingService(findings_pb2_grpc.FindingServiceServicer):
    """Keeps explanations, and tells subscribers of changes. Subscribers of a book share one task that waits."""

    def __init__(
        self,
        gateway: Gateway,
        drain: Drain,
        explanations: Explanations,
        reports: ReportFollower,
        now: Callable[[], int] = clock.now,
    ) -> None:
        self._gateway, self._drain, self._explanations = gateway, drain, explanations
        self._reports, self._now = reports, now
        self._reached: dict[str, int] = {}
        self._updates: dict[str, asyncio.Task[None]] = {}

    async def ExplainFinding(
        self, request: findings_pb2.ExplainFindingRequest, _context: object
    ) -> findings_pb2.ExplainFindingResponse:
        """Keep what is said of a finding, or that it is taken back."""
        book, caller = requests.book_name(request.book), current_caller()
        if (refusal := refuse_text("text", request.text)) is not None:
            raise RefusedCallError(refusal)
        if not request.withdraw and not request.text.strip():
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="text"))
        at_least = requests.position(request.at_least_position, "at_least_position")
        await self._gateway.head(book)  # it must be there
        if batch_of(request.finding) is None:
            raise RefusedCallError(refuse(Reason.FINDING_UNKNOWN, finding=request.finding))
        units = 0 if request.withdraw else (await self._finding(book, request.finding, at_least)).units
        step = Explanation(
            finding=request.finding,
            withdrawn=request.withdraw,
            text=request.text,
            role=ExplainedBy(caller.role.value),
            party=caller.party,
            caller=caller.token or caller.known_by.value,
            at=self._now(),
            units=units,
        )
        kept = await self._gateway.run(
            self._explanations.add, book, request.finding, partial(explain, step=step)
        )
        if isinstance(kept, Refusal):
            raise RefusedCallError(kept)
        return findings_pb2.ExplainFindingResponse(explanation=self._shown(kept))

    async def ListExplanations(
        self, request: findings_pb2.ListExplanationsRequest, _context: object
    ) -> findings_pb2.ListExplanationsResponse:
        """List what was said of findings, the newest first."""
        book, page = requests.book_name(request.book), Paging(request, AfterNumber)
        await self._gateway.head(book)  # it must be there
        found = await self._gateway.run(
            self._explanations.page, book, request.finding, page.after.number, page.limit + 1
        )
        rows = cut(found, page.limit)
        entries, token = page.page(rows.rows, rows.after(_by_number), self._shown, _by_number)
        return findings_pb2.ListExplanationsResponse(explanations=entries, next_page_token=token)

    async def SubscribeFindings(
        self, request: findings_pb2.SubscribeFindingsRequest, _context: object
    ) -> AsyncIterator[findings_pb2.SubscribeFindingsResponse]:
        """Stream what events change in findings after a place, then what new events change."""
        book, cursor = requests.book_name(request.book), parse_cursor(request.cursor)
        wanted = Wanted(
            batch=request.batch,
            product=requests.gtin(request.gtin) if request.gtin else "",
            brand=request.brand,
            party=request.party,
        )
        place, head = cursor.place, await self._gateway.head(book)
        await self._gateway.require_history(book, cursor.incarnation, place.position)
        requests.within(book, place.position, head)
        while True:
            self._drain.check()
            found, said = await self._changes(book, place, wanted, request.rule)
            place, self._reached[book] = found.place, found.reached
            if found.changes:
                await self._gateway.small_reads_first()
                yield await self._response(book, found, said)
            if not found.more and not await self._drain.unless_begun(self._goes_on(book, place.position)):
                yield await self._response(book, FindingChanges([], place, found.reached, more=False), {})

    async def _response(
        self, book: str, found: FindingChanges, said: Mapping[str, Explanation]
    ) -> findings_pb2.SubscribeFindingsResponse:
        incarnation, shows_caller = await self._gateway.incarnation(book), current_caller().sees_everything
        return findings_pb2.SubscribeFindingsResponse(
            changes=[
                change(each, said.get(each.finding.id), incarnation, shows_caller=shows_caller)
                for each in found.changes
            ],
            next_cursor=print_cursor(found.place, incarnation),
            position=found.place.position,
        )

    async def _changes(self, book: str, after: FindingPlace, wanted: Wanted, rule: str) -> _Told:
        """Return the next changes after a place. They are read in a slice, because they may be many."""
        queries, explanations = self._gateway.queries, self._explanations

        def ask(_pause: Pause) -> Insight[_Told] | Refusal:
            found = queries.finding_changes(book, after, wanted, rule)
            if isinstance(found, Refusal):
                return found
            said = explanations.in_force(book, [each.finding.id for each in found.changes])
            return Insight(_Told(found, said), found.reached)

        return (await self._gateway.ask_reports((FINDINGS, KEYS), 0, book, ask, is_long=False)).found

    async def _goes_on(self, book: str, position: int) -> bool:
        """Return whether the reports go beyond a position in ALIVE_INTERVAL_S, as soon as they do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALIVE_INTERVAL_S):
                while self._reached.get(book, 0) <= position:
                    if book not in self._updates:
                        self._updates[book] = asyncio.create_task(self._update(book))
                        self._updates[book].add_done_callback(_retrieve_error)
                    await asyncio.shield(self._updates[book])
                return True
        return False

    async def _update(self, book: str) -> None:
        """Wait for the reports to go on from where they are known to be."""
        known = self._reached.get(book, 0)
        try:
            await asyncio.sleep(GATHER_TIMEOUT_S)
            reached = known
            for report in (FINDINGS, KEYS):
                waiting = await self._gateway.run(self._reports.reached, report, book, known + 1)
                reached = await asyncio.wrap_future(waiting)
            self._reached[book] = max(reached, self._reached.get(book, 0))
        finally:
            del self._updates[book]  # not in a callback: see EventBatches

    async def _finding(self, book: str, finding: str, at_least: int) -> Finding:
        queries = self._gateway.queries

        def ask(pause: Pause) -> Insight[Finding] | Refusal:
            return queries.insight(book, insights.ask_finding, Asked(Wanted()), pause, finding=finding)

        found = await self._gateway.ask_reports(insights.FINDINGS_OF, at_least, book, ask, is_long=False)
        return found.found

    @staticmethod
    def _shown(kept: Explanation) -> insights_pb2.Explanation:
        return explanation(kept, shows_caller=current_caller().sees_everything)


def _by_number(last: Explanation) -> AfterNumber:
    return AfterNumber(last.number)


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Let a task fail although no subscriber waits for it any more. Python would print its traceback."""
    if not task.cancelled():
        task.exception()
