"""InsightService: what happened to many units, answered from the reports."""

import datetime
from collections.abc import Callable, Sequence
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from google.protobuf.message import Message
from msgspec.structs import replace

from pathbook.ledger.codec.requests import date_or_none, time_or_none
from pathbook.ledger.queries import Asked, Insight, insights
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.ladders import KeptLadders, report_of
from pathbook.ledger.queries.verifications import ask_verifications
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.domino import Domino
from pathbook.ledger.reports.mark_ups import Ladder
from pathbook.ledger.reports.registered import day_number
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.scorecard import Scorecard
from pathbook.ledger.reports.sell_through import SellThrough
from pathbook.ledger.reports.shape import IndicatorRule
from pathbook.ledger.reports.verified import OftenRule, Verified
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.store.log.explanations import Explanations
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.log.verifications import Verifications
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.services import clock
from pathbook.services.access.callers import current_caller
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.findings import POSITIONS_MAX, finding
from pathbook.services.translate.pages import page_limit
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.services.translate.structs import fill
from pathbook.v1 import insights_pb2, insights_pb2_grpc

DAYS_MAX: Final = 4_000
"""The most days of a sell-through, some eleven years. They take 120 KB."""

LIMIT: Final = 100
"""How many entries an answer has at most, unless the request says how many. Their most is that of a page."""

WINDOW_DAYS: Final = 30
EXPIRING_DAYS: Final = 90

_Params = ParamSpec("_Params")
_Found = TypeVar("_Found")
_Made = TypeVar("_Made", bound=Message)


class _Request(Protocol):
    """A request of this service."""

    book: str
    at_least_position: int

    @property
    def filter(self) -> insights_pb2.InsightFilter:
        """What it is about."""


class InsightService(insights_pb2_grpc.InsightServiceServicer):
    """Each method translates its request to a question, asks the reports, and translates the answer to a message."""

    def __init__(
        self,
        gateway: Gateway,
        explanations: Explanations,
        verifications: Verifications,
        now: Callable[[], int] = clock.now,
    ) -> None:
        self._gateway, self._now = gateway, now
        self._explanations, self._verifications = explanations, verifications
        self._ladders = KeptLadders()

    async def GetLadder(
        self, request: insights_pb2.GetLadderRequest, _context: object
    ) -> insights_pb2.GetLadderResponse:
        """Return what each tier paid."""

        def message(found: Ladder, position: int) -> insights_pb2.GetLadderResponse:
            return fill(insights_pb2.GetLadderResponse(as_of_position=position), found)

        asked = self._asked(request)
        return await self._answer(request, asked, (report_of(asked.wanted),), message, self._ladders.ask)

    async def GetSellThrough(
        self, request: insights_pb2.GetSellThroughRequest, _context: object
    ) -> insights_pb2.GetSellThroughResponse:
        """Return the sell-through of a party."""

        def message(found: SellThrough, position: int) -> insights_pb2.GetSellThroughResponse:
            line = fill(insights_pb2.SellThrough(), replace(found, days=found.days[-DAYS_MAX:]))
            return insights_pb2.GetSellThroughResponse(sell_through=line, as_of_position=position)

        return await self._answer(
            request,
            self._of_party(request),
            insights.SELL_THROUGH_OF,
            message,
            insights.ask_sell_through,
            today=date_or_none(request.today, "today"),
            window_days=_positive(request.window_days, WINDOW_DAYS),
        )

    async def GetStuckStock(
        self, request: insights_pb2.GetStuckStockRequest, _context: object
    ) -> insights_pb2.GetStuckStockResponse:
        """Return what parties hold."""

        def message(found: insights.StuckStock, position: int) -> insights_pb2.GetStuckStockResponse:
            return fill(insights_pb2.GetStuckStockResponse(as_of_position=position), found)

        return await self._answer(
            request,
            self._asked(request),
            insights.STUCK_OF,
            message,
            insights.ask_stuck,
            today=date_or_none(request.today, "today"),
            expiring_days=_positive(request.expiring_days, EXPIRING_DAYS),
            limit=page_limit(request.limit, LIMIT),
        )

    async def GetShape(
        self, request: insights_pb2.GetShapeRequest, _context: object
    ) -> insights_pb2.GetShapeResponse:
        """Return the shape of the chain below a party."""

        def message(found: insights.ShapeOfChain, position: int) -> insights_pb2.GetShapeResponse:
            return fill(insights_pb2.GetShapeResponse(as_of_position=position), found)

        usual = IndicatorRule()
        return await self._answer(
            request,
            self._of_party(request),
            insights.SHAPE_OF,
            message,
            insights.ask_shape,
            within_days=_positive(request.within_days, WINDOW_DAYS),
            rule=IndicatorRule(
                _positive(request.participants_min, usual.participants_min),
                _positive(request.levels_min, usual.levels_min),
            ),
        )

    async def GetFindings(
        self, request: insights_pb2.GetFindingsRequest, _context: object
    ) -> insights_pb2.GetFindingsResponse:
        """Return what looks wrong, the latest first."""
        book, shows_caller = requests.book_name(request.book), current_caller().sees_everything
        explained = (
            await self._gateway.run(self._explanations.explained, book) if request.unexplained else set()
        )

        def message(found: insights.Findings, position: int) -> insights_pb2.GetFindingsResponse:
            made = insights_pb2.GetFindingsResponse(
                rules=found.rules, left_out=found.left_out, as_of_position=position
            )
            said = self._explanations.in_force(book, [each.id for each in found.findings])
            made.findings.extend(
                finding(each, said.get(each.id), shows_caller=shows_caller) for each in found.findings
            )
            return made

        return await self._answer(
            request,
            self._asked(request),
            insights.FINDINGS_OF,
            message,
            insights.ask_findings,
            rule=request.rule,
            limit=page_limit(request.limit, LIMIT),
            without=explained,
        )

    async def GetDomino(
        self, request: insights_pb2.GetDominoRequest, _context: object
    ) -> insights_pb2.GetDominoResponse:
        """Return what hangs on a party."""
        limit = page_limit(request.limit, LIMIT)

        def message(found: Domino, position: int) -> insights_pb2.GetDominoResponse:
            stakes = [
                replace(each, transfers=each.transfers[-POSITIONS_MAX:]) for each in found.stakes[:limit]
            ]
            shown = replace(found, stakes=tuple(stakes), offers=found.offers[:limit])
            return insights_pb2.GetDominoResponse(
                domino=fill(insights_pb2.Domino(), shown),
                stakes_left_out=len(found.stakes) - len(shown.stakes),
                offers_left_out=len(found.offers) - len(shown.offers),
                as_of_position=position,
            )

        return await self._answer(
            request, self._of_party(request), insights.DOMINO_OF, message, insights.ask_domino
        )

    async def GetScorecard(
        self, request: insights_pb2.GetScorecardRequest, _context: object
    ) -> insights_pb2.GetScorecardResponse:
        """Return facts about a party."""

        def message(found: Scorecard, position: int) -> insights_pb2.GetScorecardResponse:
            line = replace(found.sell_through, days=())
            card = fill(insights_pb2.Scorecard(), replace(found, sell_through=line))
            return insights_pb2.GetScorecardResponse(scorecard=card, as_of_position=position)

        return await self._answer(
            request,
            self._of_party(request),
            insights.SCORECARD_OF,
            message,
            insights.ask_scorecard,
            today=date_or_none(request.today, "today"),
            window_days=_positive(request.window_days, WINDOW_DAYS),
        )

    async def GetVerifications(
        self, request: insights_pb2.GetVerificationsRequest, _context: object
    ) -> insights_pb2.GetVerificationsResponse:
        """Return how often printed codes were verified."""

        def message(found: Verified, _position: int) -> insights_pb2.GetVerificationsResponse:
            return fill(insights_pb2.GetVerificationsResponse(), replace(found, days=found.days[-DAYS_MAX:]))

        usual = OftenRule()
        return await self._answer(
            request,
            self._asked(request),
            (),
            message,
            ask_verifications,
            number=request.number if request.HasField("number") else None,
            rule=OftenRule(
                _positive(request.times_min, usual.times_min),
                _positive(request.times_median, usual.times_median),
            ),
            limit=page_limit(request.limit, LIMIT),
            verifications=self._verifications,
        )

    async def _answer(
        self,
        request: _Request,
        asked: Asked,
        reports: Sequence[Report],
        message: Callable[[_Found, int], _Made],
        question: Callable[
            Concatenate[ViewSnapshot, Stream, Asked, Pause, _Params], Insight[_Found] | Refusal
        ],
        *args: _Params.args,
        **kwargs: _Params.kwargs,
    ) -> _Made:
        """Return the message for the answer to a question. It is made on a thread that reads: it may be long."""
        book, queries = requests.book_name(request.book), self._gateway.queries
        at_least = max(requests.position(request.at_least_position, "at_least_position"), asked.as_of)

        def ask(pause: Pause) -> Insight[_Made] | Refusal:
            found = queries.insight(book, question, asked, pause, *args, **kwargs)
            if isinstance(found, Refusal):
                return found
            return Insight(message(found.found, found.position), found.position)

        is_long = bool(asked.as_of) or asked.known_at is not None
        found = await self._gateway.ask_reports(reports, at_least, book, ask, is_long=is_long)
        return found.found

    def _asked(self, request: _Request) -> Asked:
        """Return what a request asks for. Raises CallFailedError and RefusedRequestError."""
        only = request.filter
        first_day, last_day = (
            _day(date_or_none(text, f"filter.{name}"))
            for name, text in (("first_day", only.first_day), ("last_day", only.last_day))
        )
        wanted = Wanted(
            batch=only.batch,
            product=requests.gtin(only.gtin) if only.gtin else "",
            brand=only.brand,
            party=only.party,
            region=only.region,
            tier=only.tier if only.HasField("tier") else None,
            first_day=first_day,
            last_day=last_day,
        )
        as_of = requests.position(only.as_of_position, "filter.as_of_position")
        return Asked(wanted, as_of, time_or_none(only, "known_at"), self._now())

    def _of_party(self, request: _Request) -> Asked:
        """Return what a request asks about the party that its filter names. Raises as `_asked`."""
        asked = self._asked(request)
        if not asked.wanted.party:
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="filter.party"))
        return asked


def _day(day: datetime.date | None) -> int | None:
    return None if day is None else day_number(day)


def _positive(number: int, usual: int) -> int:
    """Return a number of days or parties, or the usual one for 0. Raises CallFailedError if it is below 0."""
    if number < 0:
        raise RefusedCallError(refuse(Reason.QUANTITY_NOT_POSITIVE, count=number))
    return number or usual
