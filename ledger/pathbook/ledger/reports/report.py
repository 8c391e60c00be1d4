"""What a report is: its name and version, the sums that it keeps, and how events change them."""

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from pathbook.ledger.reports.story import ToldEvent

SumRow: TypeAlias = tuple[object, ...]
"""The columns of a key, and then how much is added to each sum of the row with that key."""


class ColumnKind(enum.Enum):
    """What a column of a key holds: a text, a number of up to 64 bits, or one below 2^31, which takes less space.

    The others have a meaning, by which questions filter rows: the number of a batch, the id of a party or consumer,
    a tier, and a day, in days since 1970-01-01 UTC.
    """

    TEXT = "text"
    NUMBER = "number"
    SMALL = "small"
    BATCH = "batch"
    PARTY = "party"
    TIER = "tier"
    DAY = "day"


class Column(NamedTuple):
    """A column of the key of a report's rows."""

    name: str
    kind: ColumnKind


class ReportIndex(NamedTuple):
    """Columns by which rows are also looked up, beside the first ones of the key. The book is among them.

    If it comes first, the rows of a book can be read in the order of the others. If it comes last, SQLite does not take
    the index for a way to read all rows of a book.
    If ``differ`` names two columns, only the rows in which they differ are looked up, and the others cost nothing.
    """

    columns: tuple[str, ...]
    differ: tuple[str, str] | None = None


class Fold(NamedTuple):
    """A fold of events that has begun: it takes one event after the other, and returns what all of them add.

    ``add`` asks an event for its changes and stories at once, because they go on with the next event. ``rows`` returns
    each key once, without those to which the events add nothing.
    """

    add: Callable[[ToldEvent], None]
    rows: Callable[[], Iterable[SumRow]]


class Report(msgspec.Struct, frozen=True):
    """A report: sums by a key, which events add to and subtract from. A row whose sums are all 0 is removed.

    A follower builds it from the first event on, and then updates it, beside the views and never ahead of them. So an
    answer may join the rows of a report with the registers. Its rows must not depend on how the events are cut into
    groups: what ``folded`` returns for a sequence is the sum of what it returns for the parts of the sequence.

    Attributes:
        name: its name.
        version: is raised with each change of the key, the sums or ``fold``. The new version is then built beside the
            old one, from the first event on.
        key: the columns of the key. The book is not among them.
        sums: the names of the sums.
        fold: begins to fold a sequence of events. What it returns then is pure.
        needs_stories: whether the fold looks at changes and stories. Without it, events come without them, which costs
            less, and a second process may fold them for a rebuild.
        indexes: the table gets them when it is made, so a change of them raises the version, too.
    """

    name: str
    version: int
    key: tuple[Column, ...]
    sums: tuple[str, ...]
    fold: Callable[[], Fold]
    needs_stories: bool = False
    indexes: tuple[ReportIndex, ...] = ()

    @property
    def title(self) -> str:
        """The name with the version. Versions of a report are kept apart by it."""
        return f"{self.name}_{self.version}"

    def folded(self, events_told: Iterable[ToldEvent]) -> Iterable[SumRow]:
        """Return what a sequence of events adds to the sums, with each key once."""
        fold = self.fold()
        for told in events_told:
            fold.add(told)
        return fold.rows()
