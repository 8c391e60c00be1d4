"""Which rows of a report a question wants: by batch, product, brand, party, region, tier and day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, cast

import msgspec

from pathbook.ledger.reports.adding import Adding, Key
from pathbook.ledger.reports.report import ColumnKind, Report, SumRow


class Wanted(msgspec.Struct, frozen=True):
    """The rows that a question wants. What is empty, 0 or None wants all.

    A row is of a party, or of a region, if any of its parties is. Days count from 1970-01-01 UTC, both are included,
    and are those on which parties claim that events happened.

    The last two are no filters that a caller names, but narrow what is read: to the rows whose first party is one of
    some, such as the owners of holdings, and to those whose second party is a given one, and not the first, too.
    """

    batch: int = 0
    product: str = ""
    brand: str = ""
    party: str = ""
    region: str = ""
    tier: int | None = None
    first_day: int | None = None
    last_day: int | None = None
    first_parties: tuple[str, ...] = ()
    second_party: str = ""

    @property
    def of_batches(self) -> bool:
        """Whether it wants the rows of some batches alone."""
        return bool(self.batch or self.product or self.brand)

    def names(self) -> list[str]:
        """Return the names of the filters that are set, in the order of the fields."""
        return [
            name
            for name in self.__struct_fields__
            if getattr(self, name) not in ("", None, ()) and self._has(name)
        ]

    def _has(self, name: str) -> bool:
        return name != "batch" or self.batch != 0


NEEDED: Final = {
    "batch": ColumnKind.BATCH,
    "product": ColumnKind.BATCH,
    "brand": ColumnKind.BATCH,
    "party": ColumnKind.PARTY,
    "region": ColumnKind.PARTY,
    "tier": ColumnKind.TIER,
    "first_day": ColumnKind.DAY,
    "last_day": ColumnKind.DAY,
    "first_parties": ColumnKind.PARTY,
    "second_party": ColumnKind.PARTY,
}
"""The kind of column that a filter looks at."""


def not_kept(report: Report, wanted: Wanted) -> str | None:
    """Return the first filter for which a report has no column, or None if it has all."""
    kinds = {column.kind for column in report.key}
    return next((name for name in wanted.names() if NEEDED[name] not in kinds), None)


def places(report: Report, kind: ColumnKind) -> list[int]:
    """Return the places of the columns of a kind in the rows of a report."""
    return [place for place, column in enumerate(report.key) if column.kind is kind]


def is_in_region(region: str, named: str) -> bool:
    """Tell whether a region is the named one, or lies in it: CN-GD lies in CN."""
    return region == named or region.startswith(f"{named}-")


def chosen(
    report: Report,
    rows: Iterable[SumRow],
    wanted: Wanted,
    *,
    is_wanted_batch: Callable[[int], bool],
    is_in_wanted_region: Callable[[str], bool],
) -> Iterator[SumRow]:
    """Yield the rows that a question wants, as the database chooses them.

    Args:
        report: the report.
        rows: its rows.
        wanted: which of them.
        is_wanted_batch: tells whether a batch is of the product and brand that are wanted.
        is_in_wanted_region: tells whether a party was ever authorized for the region that is wanted.
    """
    batches, parties = places(report, ColumnKind.BATCH), places(report, ColumnKind.PARTY)
    tiers, days = places(report, ColumnKind.TIER), places(report, ColumnKind.DAY)
    for row in rows:
        key = cast("Key", row)
        if wanted.of_batches and not is_wanted_batch(int(key[batches[0]])):
            continue
        if wanted.party and wanted.party not in [key[place] for place in parties]:
            continue
        if wanted.region and not any(is_in_wanted_region(str(key[place])) for place in parties):
            continue
        if wanted.tier is not None and key[tiers[0]] != wanted.tier:
            continue
        if wanted.first_day is not None and int(key[days[0]]) < wanted.first_day:
            continue
        if wanted.last_day is not None and int(key[days[0]]) > wanted.last_day:
            continue
        if wanted.first_parties and key[parties[0]] not in wanted.first_parties:
            continue
        if wanted.second_party and not key[parties[1]] == wanted.second_party != key[parties[0]]:
            continue
        yield row


def added_up(
    report: Report, rows: Iterable[SumRow], columns: Sequence[str], *, with_count: bool = False
) -> list[SumRow]:
    """Return rows with some of the columns of a report, and what all rows that agree in these have together.

    If asked for, the number of these rows comes last.
    """
    names = [column.name for column in report.key]
    kept, adding = [names.index(name) for name in columns], Adding(len(report.sums) + with_count)
    counted = [1] if with_count else []
    for row in rows:
        values = cast("Key", row)
        adding.add(tuple(values[place] for place in kept), *map(int, values[len(names) :]), *counted)
    return list(adding.rows())
