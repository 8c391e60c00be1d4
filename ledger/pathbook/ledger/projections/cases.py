"""Rows of packed cases and their contents. Unpacking a case removes its rows."""

from typing import NamedTuple

from pathbook.ledger.events import CasePacked


class CaseRow(NamedTuple):
    """A packed case by its SSCC. ``outer`` is the case in which it was packed later, or None."""

    sscc: str
    outer: str | None
    party: str
    position: int


class CaseRangeRow(NamedTuple):
    """A range of units that is packed loose in a case."""

    batch: int
    first: int
    last: int
    sscc: str


class CaseOuter(NamedTuple):
    """A change of a row: the case was packed in an outer case."""

    sscc: str
    outer: str


class CaseUnpacking(NamedTuple):
    """A removal of rows: the case was unpacked, and its contents move on their own again."""

    sscc: str


CaseStep = CaseRow | CaseRangeRow | CaseOuter | CaseUnpacking
"""A change of the rows of cases. The order matters: an SSCC may be packed, unpacked and packed again."""


def packed(event: CasePacked, position: int) -> list[CaseStep]:
    """Return the changes when a case is packed with units and cases."""
    return [
        CaseRow(event.sscc, None, event.party, position),
        *(CaseRangeRow(part.batch, part.first, part.last, event.sscc) for part in event.ranges),
        *(CaseOuter(sscc, event.sscc) for sscc in event.cases),
    ]


def unpacked(*ssccs: str) -> list[CaseUnpacking]:
    """Return the changes when cases are unpacked."""
    return [CaseUnpacking(sscc) for sscc in ssccs]
