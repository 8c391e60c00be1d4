"""The phases of reports: what they add to a follower, and how long their questions take over many transfers."""

import datetime
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pathbook.bench import checks, moves, names
from pathbook.bench.bench import BOOK, GTIN, Bench, days_ago, register
from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import BRAND, TIERS, Move, agents, parties
from pathbook.bench.plan import MOST_ENTRIES, USUAL_UNITS
from pathbook.bench.recording import RECORD_MANY
from pathbook.client import Client, FailureReason, Range, RefusedError, insight_filter, select
from pathbook.client.options import BATCHES_AHEAD
from pathbook.v1.transfers_pb2 import RecordTransfersEntry, RecordTransfersRequest, SellUnitsRequest

REPORTED: Final = "bench-reports"
"""The name of the book that the questions are about. The other one has transfers of shapes that no market has."""

CONSUMER: Final = "buyer"
"""The pseudonym of the consumer to whom half of all pieces are sold at last."""

REPORTS_TIMEOUT_S: Final = 1_800.0
"""How long the reports may take to reach the head. They come after the views."""

REPORTS_POLL_INTERVAL_S: Final = 0.2
"""How often the bench asks for their positions."""

SHELF_DAYS: Final = 400
"""In how many days the units expire."""


def follow(bench: Bench, turn: int) -> None:
    """Follow the beginning of the book again as it grows, with no report and with all, and compare what is kept.

    They take turns to be first.
    """
    count = min(bench.plan.followed, bench.head)
    at_once = bench.inside.follow(BOOK, count, count, with_reports=True)[1]
    both = [(names.FOLLOWED, False), (names.REPORTED, True)]
    for name, with_reports in both[:: -1 if turn % 2 else 1]:
        seconds, kept = bench.inside.follow(BOOK, count, MOST_ENTRIES, with_reports=with_reports)
        for what, fingerprint in kept.items():
            if fingerprint != at_once[what]:
                raise MismatchError(
                    name, f"{what} of {count} events differ from those of a follower that took them at once"
                )
        bench.figures.add(name, "events", count, sum(seconds), seconds)
    views, seconds_apart, kept = bench.inside.follow_apart(BOOK, count, MOST_ENTRIES)
    if kept != at_once:
        raise MismatchError(
            names.REPORTED_APART,
            f"what is kept of {count} events differs if another process builds the reports",
        )
    bench.figures.add(names.FOLLOWED_APART, "events", count, views)
    bench.figures.add(names.REPORTED_APART, "events", count, seconds_apart)


class Reported:
    """A book of its own with many transfers and sales of one product, and what a naive model counts of them."""

    def __init__(self, bench: Bench) -> None:
        """Open the book. ``client`` asks it."""
        self._bench = bench
        self.client = Client(bench.server.address, book=REPORTED)
        self.model = Model([*parties(), CONSUMER])
        self.received: Counter[str] = Counter()
        self.gave: Counter[str] = Counter()
        self.sold_through: Counter[str] = Counter()
        self.head = 0

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def record(self) -> None:
        """Record the transfers, batch by batch, and wait until all reports have them."""
        plan = self._bench.plan
        register(self.client)
        for number in range(1, plan.report_batches + 1):
            self._batch(plan.reported // plan.report_batches)
            self._bench.progress(names.REPORT_BOOK)(number, plan.report_batches)
        self._wait()

    def _batch(self, count: int) -> None:
        bench, number = self._bench, self.model.next_batch
        goods = moves.draw(bench.random, number, moves.Shape(USUAL_UNITS), count * 6 // 7)
        expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(SHELF_DAYS)
        made = self.client.commission_batch(
            GTIN, brand=BRAND, lot=f"L{number}", size=goods.size, made_on=days_ago(30), expires_on=expires
        )
        self.model.commission(number, goods.size)
        last = {move.ranges: move for move in goods.moves}
        sold = list(last.values())[::2]
        sales = [Move(move.receiver, CONSUMER, move.ranges, move.price_minor) for move in sold]
        requests = [
            *moves.batched(REPORTED, goods.moves, MOST_ENTRIES, bench.random),
            *(_sales(part, number, at) for at, part in enumerate(moves.parts(sales, MOST_ENTRIES))),
        ]
        result = bench.load.stream(bench.server.address, RECORD_MANY, requests, BATCHES_AHEAD)
        receipts = checks.receipts_of_batches(names.REPORT_BOOK, result.answers)
        recorded = [*goods.moves, *sales]
        before = made.receipt.position
        self.head = checks.recorded(names.REPORT_BOOK, self.model, recorded, receipts, before)
        self.client.position = self.head
        bench.wait_for_views(self.client)  # writes wait for views that are far behind
        ways: dict[tuple[Range, ...], list[str]] = {}
        for move in recorded:
            self.received[move.receiver] += USUAL_UNITS
            self.gave[move.giver] += USUAL_UNITS
            way = ways.setdefault(move.ranges, [])
            way.append(move.giver)
            if move.receiver == CONSUMER:
                self.sold_through.update(dict.fromkeys(way, USUAL_UNITS))

    def moved(self, party: str | None) -> int:
        """Return how many units were given and received, by a party or by all. A unit counts once for each hop."""
        return self.gave[party] + self.received[party] if party else self.gave.total()

    def stock_of_party(self, party: str) -> int:
        """Return how many units a party has."""
        return sum(self.model.stock(party).values())

    def stock_of_batch(self, batch: int) -> int:
        """Return how many units of a batch were not sold."""
        return sum(self.model.stock(party).get(batch, 0) for party in parties())

    def stock_of_both(self, party: str, batch: int) -> int:
        """Return how many units of a batch a party has."""
        return self.model.stock(party).get(batch, 0)

    def depths(self) -> dict[int, int]:
        """Return how many units went through so many hands, without the consumer's."""
        found: Counter[int] = Counter()
        for batch in range(1, self.model.next_batch):
            found.update(self.model.depths(batch, CONSUMER))
        return dict(found)

    def _wait(self) -> None:
        """Wait until all reports have all events."""
        until = time.monotonic() + REPORTS_TIMEOUT_S
        while not all(self._is_level(question) for question in QUESTIONS):
            self._bench.reports.require_running()
            if time.monotonic() > until:
                raise MismatchError(
                    names.REPORT_BOOK, f"the reports lack events after {REPORTS_TIMEOUT_S:.0f} s"
                )
            time.sleep(REPORTS_POLL_INTERVAL_S)

    def _is_level(self, question: "Question") -> bool:
        try:
            return question.ask(self.client, agents(TIERS)[0], 1).position == self.head
        except RefusedError as refused:
            if refused.reason != FailureReason.REPORT_BUILDING:
                raise
            return False


def _sales(sales: Sequence[Move], batch: int, part: int) -> bytes:
    entries = [
        RecordTransfersEntry(
            sale=SellUnitsRequest(
                request_id=f"sale {batch} {part} {number}",
                seller=move.giver,
                consumer=move.receiver,
                units=select(ranges=move.ranges),
                unit_price=moves.paid(move.price_minor),
            )
        )
        for number, move in enumerate(sales)
    ]
    return RecordTransfersRequest(book=REPORTED, entries=entries).SerializeToString()


class Answered(NamedTuple):
    """What an answer says that a model knows, too, and the position up to which it counts events."""

    found: object
    position: int


class Question(NamedTuple):
    """A question about a party and a batch, and what the model says of the same."""

    name: str
    ask: Callable[[Client, str, int], Answered]
    expected: Callable[[Reported, str, int], object]


def _ladder_of_product(client: Client, _party: str, _batch: int) -> Answered:
    answer = client.get_ladder(GTIN, at_least_position=0)
    return Answered(sum(rung.units for rung in answer.rungs), answer.as_of_position)


def _ladder_of_party(client: Client, party: str, _batch: int) -> Answered:
    answer = client.get_ladder(only=insight_filter(party=party), at_least_position=0)
    return Answered(sum(rung.units for rung in answer.rungs), answer.as_of_position)


def _sell_through(client: Client, party: str, _batch: int) -> Answered:
    answer = client.get_sell_through(party, at_least_position=0)
    return Answered(answer.sell_through.sold, answer.as_of_position)


def _stuck_of_party(client: Client, party: str, _batch: int) -> Answered:
    answer = client.get_stuck_stock(only=insight_filter(party=party), at_least_position=0)
    return Answered(sum(tier.units for tier in answer.tiers), answer.as_of_position)


def _stuck_of_batch(client: Client, _party: str, batch: int) -> Answered:
    answer = client.get_stuck_stock(only=insight_filter(batch=batch), at_least_position=0)
    return Answered(sum(tier.units for tier in answer.tiers), answer.as_of_position)


def _shape(client: Client, _party: str, _batch: int) -> Answered:
    answer = client.get_shape(BRAND, at_least_position=0)
    depths = {depth.depth: depth.stock + depth.sold for depth in answer.shape.depths}
    return Answered(depths, answer.as_of_position)


def _findings(client: Client, _party: str, _batch: int) -> Answered:
    answer = client.get_findings(at_least_position=0)
    return Answered(dict(answer.rules), answer.as_of_position)


def _domino(client: Client, party: str, batch: int) -> Answered:
    answer = client.get_domino(party, only=insight_filter(batch=batch), at_least_position=0)
    own = next(stake.units for stake in answer.domino.stakes if stake.party == party)
    return Answered(own, answer.as_of_position)


def _scorecard(client: Client, party: str, _batch: int) -> Answered:
    answer = client.get_scorecard(party, at_least_position=0)
    facts = answer.scorecard.facts
    return Answered(
        (facts["received"].units, facts["gave"].units + facts["sold"].units), answer.as_of_position
    )


QUESTIONS: Final = (
    Question("ladder of a product", _ladder_of_product, lambda of, *_: of.moved(None)),
    Question("ladder of a party", _ladder_of_party, lambda of, party, _: of.moved(party)),
    Question("sell-through of a party", _sell_through, lambda of, party, _: of.sold_through[party]),
    Question("stock of a party", _stuck_of_party, lambda of, party, _: of.stock_of_party(party)),
    Question("stock of a batch", _stuck_of_batch, lambda of, _, batch: of.stock_of_batch(batch)),
    Question("shape of a chain", _shape, lambda of, *_: of.depths()),
    Question("findings of a book", _findings, lambda *_: {}),
    Question("domino of a party in a batch", _domino, lambda of, *about: of.stock_of_both(*about)),
    Question("scorecard of a party", _scorecard, lambda of, party, _: (of.received[party], of.gave[party])),
)
"""All questions. No finding is expected, because the market of the bench is honest."""


def ask(bench: Bench, reported: Reported) -> None:
    """Ask each question about random parties and batches, and compare the answers with the model."""
    for question in QUESTIONS:
        name, waits = names.question(question.name), []
        for _ in range(bench.plan.questions):
            party, batch = bench.random.choice(parties()), bench.random.randint(1, bench.plan.report_batches)
            began = time.perf_counter()
            answered = question.ask(reported.client, party, batch)
            waits.append(time.perf_counter() - began)
            expected = question.expected(reported, party, batch)
            if answered != (expected, reported.head):
                raise MismatchError(
                    name,
                    f"about {party} and batch {batch}, {answered.found} was found as of {answered.position},"
                    f" in the model {expected} as of {reported.head}",
                )
        bench.figures.add(name, "answers", len(waits), sum(waits), waits)
