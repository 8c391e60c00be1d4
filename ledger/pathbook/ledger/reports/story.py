"""The story of a batch: its runs with all their hops and the terms of each, as events lead to them, for reports."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from pathbook.ledger import events, hops, runs
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.hops import Hop
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.reports import marks
from pathbook.ledger.reports.agreed_hops import AgreedHop, agreed_hop
from pathbook.ledger.reports.marks import BatchMarks
from pathbook.ledger.reports.registered import day_number
from pathbook.ledger.run import NO_HEAD, Change, Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import is_consumer

SHORT_PAST: Final = 64
"""A past of so many hops is walked whole, each time. Real units have ten hops. Of longer ones, milestones are kept."""


class Past(NamedTuple):
    """What reports ask of the hops up to one of them.

    ``hops`` is their number. ``entered`` has the day on which the units came to each party in whose line they are, in
    the order of the line. Units that come again to a party that had them leave the lines of all that got them after
    it. ``sold_on`` is the day of their last sale, if any.
    """

    hops: int
    entered: dict[str, int]
    sold_on: int | None


class BatchStory:
    """The runs of one batch as of a position, with all hops by which their units came and that are still in force.

    It is made of the events of the batch alone, from its commissioning on, its corrections and recalls among them. So
    it can be made again from the log at any position, and no report depends on what the views keep.
    """

    __slots__ = ("_agreed", "_milestones", "batch", "commissioned", "made_day", "marks", "partition")

    def __init__(self, commissioned: events.BatchCommissioned, recorded: RecordedEvent) -> None:
        """Begin with the event that commissioned the batch."""
        self.batch = commissioned.batch
        self.commissioned = commissioned
        self.made_day = day_number(commissioned.made_on)
        whole = runs.commissioned(commissioned, recorded.position, recorded.leaf).runs
        # No report looks at heads. Without them, neither is their hash computed nor do they take memory.
        self.partition = Partition(self.batch, [replace(run, head=NO_HEAD) for run in whole])
        self.marks = BatchMarks(commissioned)
        self._agreed: dict[int, AgreedHop] = {}
        self._milestones: dict[Hop, Past] = {}

    @property
    def size(self) -> int:
        """How much it keeps: its runs, and the hops that were ever agreed."""
        return len(self.partition.runs) + len(self._agreed)

    def agree(self, hop: AgreedHop) -> None:
        """Note what an event agreed that moves title onward, before its hops are looked for."""
        self._agreed[hop.transfer] = hop
        if hop.is_claimed:
            self.marks.hand_over(hop)

    def agreed(self) -> Iterator[AgreedHop]:
        """Yield all hops of the batch that were not reversed, also those of units that were returned."""
        return (hop for transfer, hop in self._agreed.items() if transfer not in self.marks.reversed)

    def agreed_by(self, transfer: int) -> AgreedHop:
        """Return the hop that a transfer or a sale led to, also if it was reversed."""
        return self._agreed[transfer]

    def hops(self, run: Run) -> Iterator[AgreedHop]:
        """Yield the hops by which the units of a run of this batch came, newest first."""
        agreed = self._agreed
        return (agreed[hop.transfer] for hop in hops.chain(run.last_hop))

    def past(self, last: Hop | None) -> Past:
        """Return the past up to a hop of this batch. None stands for no hop.

        From a milestone on, hops are not walked again. So what an event costs does not grow with the hops before it.
        Equal hops have one past. Milestones of hops that are undone are of no use, and do no harm.
        """
        walked: list[Hop] = []
        known: Past | None = None
        while last is not None:
            if self._milestones and (known := self._milestones.get(last)) is not None:
                break
            walked.append(last)
            last = hops.before(last)
        count, found, sold_on = known or (0, {self.commissioned.brand: self.made_day}, None)
        entered = dict(found)
        for hop in reversed(walked):
            agreed = self._agreed[hop.transfer]
            receiver = agreed.receiver
            if is_consumer(receiver):
                sold_on = agreed.day
            elif receiver not in entered:
                entered[receiver] = agreed.day
            else:
                while next(reversed(entered)) != receiver:
                    entered.popitem()
        past = Past(count + len(walked), entered, sold_on)
        if len(walked) >= max(
            SHORT_PAST, len(entered)
        ):  # so that a milestone is no larger than the hops to it
            self._milestones[walked[0]] = past._replace(entered=dict(entered))
        return past

    def last_hop(self, run: Run) -> AgreedHop | None:
        """Return the hop by which the units of a run came to its owner. None if it is the brand that made them."""
        return None if run.last_hop is None else self._agreed[run.last_hop.transfer]


class MovedHop(NamedTuple):
    """A hop that an event added to units, or took from them: the last hop of ``run``. Taken ``units`` are negative."""

    story: BatchStory
    run: Run
    hop: AgreedHop
    units: int


class ToldEvent(NamedTuple):
    """An event with what it changed: its changes of runs, and the stories of their batches as they are after it.

    ``moved`` are the hops that it added to runs, or took from them. A story goes on with later events. So what is asked
    of it must be asked before the next event is told.
    """

    recorded: RecordedEvent
    changes: list[Change]
    stories: Mapping[int, BatchStory]
    moved: list[MovedHop]


def tell(stories: dict[int, BatchStory], recorded: RecordedEvent) -> ToldEvent:
    """Apply the next event to the stories of its batches. A batch that is commissioned begins a story.

    Batches without a story are skipped, unless the event commissions them. The caller first adds those that it needs.
    """
    event = recorded.event
    match event:
        case events.BatchCommissioned():
            story = stories[event.batch] = BatchStory(event, recorded)
            return ToldEvent(recorded, [Change(event.batch, None, story.partition.runs[0], ())], stories, [])
        case events.TransferRecorded() | events.UnitsSold():
            _agree(stories, recorded, recorded.position, event.terms)
        case events.TransferAccepted():
            _agree(stories, recorded, event.transfer, event.terms)
        case _:
            pass  # no other event adds a hop
    partitions = {
        part.batch: known.partition
        for part in changed_ranges(event)
        if (known := stories.get(part.batch)) is not None
    }
    changes = runs.apply(partitions, recorded)
    if marks.is_noted(event):
        marks.note(lambda batch: None if (of := stories.get(batch)) is None else of.marks, recorded, changes)
    return ToldEvent(recorded, changes, stories, _moved(stories, changes))


def _agree(stories: Mapping[int, BatchStory], recorded: RecordedEvent, transfer: int, terms: Terms) -> None:
    for batch, units in marks.counts(terms.ranges).items():
        if (story := stories.get(batch)) is not None:
            story.agree(agreed_hop(recorded, transfer, terms, batch, units))


def _moved(stories: Mapping[int, BatchStory], changes: Iterable[Change]) -> list[MovedHop]:
    """Return the hops that changes added to runs, or took from them."""
    found: list[MovedHop] = []
    for change in changes:
        before, run = change.before, change.changed
        if before is None or before.last_hop is run.last_hop:
            continue
        story, units, hop = stories[change.batch], run.last - run.first + 1, run.last_hop
        if hop is None or hop.earlier is not before.last_hop:
            run, units, hop = before, -units, before.last_hop
        assert hop is not None, change
        found.append(MovedHop(story, run, story.agreed_by(hop.transfer), units))
    return found


def told(
    recorded: Iterable[RecordedEvent], stories: dict[int, BatchStory] | None = None
) -> Iterator[ToldEvent]:
    """Tell a sequence of events, which begins with the first event of each batch whose story is not given."""
    known: dict[int, BatchStory] = {} if stories is None else stories
    return (tell(known, each) for each in recorded)


def untold(recorded: Iterable[RecordedEvent]) -> Iterator[ToldEvent]:
    """Yield events without changes and stories, for reports that do not look at them."""
    return (ToldEvent(each, [], {}, []) for each in recorded)


def batches_told(event: Event) -> set[int]:
    """Return the batches whose stories an event goes on with: it changes units, or is a recall or correction."""
    match event:
        case events.UnitsRecalled() | events.RecallLifted() | events.BatchCorrected():
            return {event.batch}
        case _:
            return {part.batch for part in changed_ranges(event)}
