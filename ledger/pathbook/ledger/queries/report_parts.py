"""Reads the rows of reports that a question wants: as they are now, or as they were as of an earlier position."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.report import ColumnKind, Report, SumRow
from pathbook.ledger.reports.story import told
from pathbook.ledger.reports.sums import fold_together
from pathbook.ledger.reports.wanted import Wanted, added_up, chosen, is_in_region, not_kept
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.report_rows import ReportRows
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import is_consumer

ROWS_MAX: Final = 100_000
"""The most rows of one report that are read for one answer. They take a second or two, and 50 MB."""

SUMMED_ROWS_MAX: Final = 1_000_000
"""The most rows of one report that the database counts and adds up for one answer. They take it a second or two."""

AS_OF_EVENTS_MAX: Final = 50_000
"""The most events that are folded in memory for one answer as of an earlier position. They take some seconds."""

BATCHES_MAX: Final = 5_000
"""The most batches of which the events are looked up for an answer as of an earlier position."""

AUTHORIZATIONS_MAX: Final = 100_000
"""The most authorizations that are read for one answer."""

READ_AT_ONCE: Final = 500
"""How many events are read at once. After each, others may compute."""

Answer = TypeVar("Answer")


class Insight(msgspec.Struct, Generic[Answer], frozen=True):
    """An answer of reports, with the position up to which it counts events."""

    found: Answer
    position: int


class Asked(msgspec.Struct, frozen=True):
    """What a question wants of reports, and as of when.

    Attributes:
        wanted: which rows.
        as_of: the position up to which events count, 0 for as far as the reports are.
        known_at: only events that were recorded by then count, in microseconds since 1970 UTC. None for all.
        now: the time at which it is asked. That of the answer is the time of ``as_of``, or else ``known_at``, if set.
    """

    wanted: Wanted
    as_of: int = 0
    known_at: int | None = None
    now: int = 0


class Part(NamedTuple):
    """Rows of a report that a question takes: those wanted, added up by some columns, or by all if there are none.

    ``with_count`` puts after the sums how many rows were added up.
    """

    report: Report
    wanted: Wanted
    columns: tuple[str, ...] = ()
    with_count: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns by which the rows are added up."""
        return self.columns or tuple(column.name for column in self.report.key)


class Found(NamedTuple):
    """The rows of each part, the position up to which they count events, and the time of the answer."""

    rows: list[list[SumRow]]
    position: int
    at: int


class Source(Protocol):
    """Where rows are read from: tables or events.

    Attributes:
        position: up to which the rows count events.
        at: the time of the answer.
        is_folded: whether the rows are those of events, all in memory, and not in tables.
    """

    position: int
    at: int
    is_folded: bool

    def rows(self, part: Part) -> list[SumRow] | Refusal:
        """Return the rows of a part. REPORT_TOO_LARGE."""


def read_parts(
    views: ViewSnapshot, stream: Stream, asked: Asked, parts: Sequence[Part], pause: Pause
) -> Found | Refusal:
    """Return the rows of the parts. Refusals and errors are those of `open_parts`."""
    source = open_parts(views, stream, asked, parts, pause)
    if isinstance(source, Refusal):
        return source
    rows = all_rows(source, parts)
    return rows if isinstance(rows, Refusal) else Found(rows, source.position, source.at)


def all_rows(source: Source, parts: Sequence[Part]) -> list[list[SumRow]] | Refusal:
    """Return the rows of each part, or the first refusal. REPORT_TOO_LARGE."""
    rows: list[list[SumRow]] = []
    for part in parts:
        found = source.rows(part)
        if isinstance(found, Refusal):
            return found
        rows.append(found)
    return rows


def open_parts(
    views: ViewSnapshot, stream: Stream, asked: Asked, parts: Sequence[Part], pause: Pause
) -> Source | Refusal:
    """Return where the parts can be read from, and narrower ones of the same reports.

    The rows come from the tables of the reports, unless the question is as of a position before these. Then the same
    ``fold`` makes them in memory, from the events of the batches that are wanted, or of the whole book.

    BATCH_UNKNOWN, PRODUCT_UNKNOWN, PARTY_UNKNOWN, FILTER_NOT_KEPT, REPORT_TOO_LARGE, AS_OF_TOO_FAR.

    Raises:
        ReportBuildingError: one of the reports is being built.
    """
    refused = unknown(views, asked.wanted) or next(filter(None, map(_not_kept, parts)), None)
    if refused is not None:
        return refused
    reports = {part.report: views.report(part.report) for part in parts}
    reached = min(report.position for report in reports.values())
    as_of = asked.as_of or reached
    if asked.known_at is not None:
        as_of = min(as_of, known_by(stream, views.book, asked.known_at, as_of))
    if as_of < reached:
        return _folded(views, stream, asked, parts, as_of, pause)
    return _Tables(reports, reached, _time(stream, views.book, asked, reached))


class _Tables:
    """Reads rows from the tables of reports."""

    is_folded = False

    def __init__(self, reports: Mapping[Report, ReportRows], position: int, at: int) -> None:
        self._reports, self.position, self.at = reports, position, at

    def rows(self, part: Part) -> list[SumRow] | Refusal:
        """Have the database choose the rows of a part, and add them up."""
        report = self._reports[part.report]
        if part.with_count and report.count(part.wanted, SUMMED_ROWS_MAX + 1) > SUMMED_ROWS_MAX:
            return _too_large(part, SUMMED_ROWS_MAX)
        found = report.wanted(part.wanted, part.names, ROWS_MAX + 1, with_count=part.with_count)
        return _bounded(part, found)


class _Events:
    """Chooses rows from those that the fold of events made."""

    is_folded = True

    def __init__(
        self,
        views: ViewSnapshot,
        folded: Mapping[Report, list[SumRow]],
        position: int,
        at: int,
        is_in_wanted_region: Callable[[str], bool],
    ) -> None:
        self._views, self._folded, self._is_in_wanted_region = views, folded, is_in_wanted_region
        self.position, self.at = position, at

    def rows(self, part: Part) -> list[SumRow] | Refusal:
        """Choose the rows of a part, as the database does, and add them up."""
        batches = wanted_batches(self._views, part.wanted)
        if isinstance(batches, Refusal):
            return batches
        kept = chosen(
            part.report,
            self._folded[part.report],
            part.wanted,
            is_wanted_batch=_membership(batches),
            is_in_wanted_region=self._is_in_wanted_region,
        )
        return _bounded(part, added_up(part.report, kept, part.names, with_count=part.with_count))


def _time(stream: Stream, book: str, asked: Asked, position: int) -> int:
    """Return the time of an answer: it stays the same while the book grows, if the question says as of when it is."""
    if asked.as_of and position:
        recorded_at = recorded_by(stream, book, min(asked.as_of, position))
        return recorded_at if asked.known_at is None else min(recorded_at, asked.known_at)
    return asked.now if asked.known_at is None else min(asked.known_at, asked.now)


def known_by(stream: Stream, book: str, time: int, last: int) -> int:
    """Return the last position up to ``last`` that was recorded by a time, 0 if none was."""
    low, high = 0, last
    while low < high:  # what is recorded never goes back in time
        middle = (low + high + 1) // 2
        if recorded_by(stream, book, middle) <= time:
            low = middle
        else:
            high = middle - 1
    return low


def recorded_by(stream: Stream, book: str, position: int) -> int:
    """Return when the event at a position was recorded, in microseconds since 1970 UTC. All before it were by then."""
    (entry,) = stream.at(book, [position])
    return read_event(book, entry).recorded_at


def _folded(
    views: ViewSnapshot, stream: Stream, asked: Asked, parts: Sequence[Part], as_of: int, pause: Pause
) -> Source | Refusal:
    of_parts: list[set[int] | None] = []
    for part in parts:
        batches = wanted_batches(views, part.wanted)
        if isinstance(batches, Refusal):
            return batches
        of_parts.append(batches if _has_batches(part) else None)
    positions: Sequence[int] = range(1, as_of + 1)
    named = [batches for batches in of_parts if batches is not None]
    if len(named) == len(parts):
        found = set[int]()
        for batch in set[int]().union(*named):
            found |= views.story_positions(batch, as_of)
        positions = sorted(found)
    if len(positions) > AS_OF_EVENTS_MAX:
        return refuse(Reason.AS_OF_TOO_FAR, position=as_of, limit=AS_OF_EVENTS_MAX)
    reports = list(dict.fromkeys(part.report for part in parts))
    folded = fold_together(reports, told(_events(stream, views.book, positions, pause)))
    is_in_wanted_region = _in_region(views, asked.wanted.region, as_of)
    if isinstance(is_in_wanted_region, Refusal):
        return is_in_wanted_region
    made: dict[Report, list[SumRow]] = {}
    for report, rows in folded.items():
        if isinstance(rows, Exception):
            raise rows
        made[report] = rows
    at = _time(stream, views.book, asked, max(as_of, asked.as_of))
    return _Events(views, made, as_of, at, is_in_wanted_region)


def _membership(batches: set[int] | None) -> Callable[[int], bool]:
    return (lambda _: True) if batches is None else batches.__contains__


def _events(stream: Stream, book: str, positions: Sequence[int], pause: Pause) -> Iterator[RecordedEvent]:
    for begin in range(0, len(positions), READ_AT_ONCE):
        pause()
        for entry in stream.at(book, positions[begin : begin + READ_AT_ONCE]):
            yield read_event(book, entry)


def _has_batches(part: Part) -> bool:
    return any(column.kind is ColumnKind.BATCH for column in part.report.key)


def wanted_batches(views: ViewSnapshot, wanted: Wanted) -> set[int] | Refusal | None:
    """Return the batches that are wanted, or None for all. REPORT_TOO_LARGE."""
    if wanted.batch:
        found = views.batch(wanted.batch)
        assert found is not None, wanted
        is_wanted = wanted.product in ("", found.product) and wanted.brand in ("", found.brand)
        return {wanted.batch} if is_wanted else set()
    if not wanted.of_batches:
        return None
    numbers = views.numbers_of_batches(wanted.product, wanted.brand, BATCHES_MAX + 1)
    if len(numbers) > BATCHES_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=BATCHES_MAX, what="batches")
    return set(numbers)


def _in_region(views: ViewSnapshot, region: str, through: int) -> Callable[[str], bool] | Refusal:
    """Return what tells whether a party was ever authorized for a region."""
    if not region:
        return lambda _: True
    given = views.all_authorizations(views.position, AUTHORIZATIONS_MAX + 1)
    if len(given) > AUTHORIZATIONS_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=AUTHORIZATIONS_MAX, what="authorizations")
    parties = {row.party for row in given if row.position <= through and is_in_region(row.region, region)}
    return parties.__contains__


def unknown(views: ViewSnapshot, wanted: Wanted) -> Refusal | None:
    """Refuse what a question names and the book does not have. BATCH_UNKNOWN, PRODUCT_UNKNOWN, PARTY_UNKNOWN."""
    if wanted.batch and views.batch(wanted.batch) is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=wanted.batch)
    if wanted.product and views.product(wanted.product) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=wanted.product)
    for party in (wanted.brand, wanted.party):
        if party and not is_consumer(party) and views.party(party) is None:
            return refuse(Reason.PARTY_UNKNOWN, party=party)
    return None


def _not_kept(part: Part) -> Refusal | None:
    name = not_kept(part.report, part.wanted)
    return None if name is None else refuse(Reason.FILTER_NOT_KEPT, report=part.report.name, filter=name)


def _bounded(part: Part, rows: list[SumRow]) -> list[SumRow] | Refusal:
    return _too_large(part, ROWS_MAX) if len(rows) > ROWS_MAX else rows


def _too_large(part: Part, limit: int) -> Refusal:
    what = f"rows of the report {part.report.name}"
    return refuse(Reason.REPORT_TOO_LARGE, limit=limit, what=what)
