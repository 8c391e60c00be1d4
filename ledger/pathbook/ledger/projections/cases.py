"""Rows of packed cases: what was packed where, gone when it is unpacked."""

from typing import NamedTuple

from pathbook.ledger.events import CasePacked


class CaseRow(NamedTuple):
    """A packed case by its SSCC; ``outer`` is the case it was packed in since, None for none."""

    sscc: str
    outer: str | None
    party: str
    position: int


class CaseRangeRow(NamedTuple):
    """Units packed loose in a case."""

    batch: int
    first: int
    last: int
    sscc: str


class CaseOuter(NamedTuple):
    """In which case a case was packed."""

    sscc: str
    outer: str


class CaseUnpacking(NamedTuple):
    """That a case is no more: what was in it moves on its own again."""

    sscc: str


CaseStep = CaseRow | CaseRangeRow | CaseOuter | CaseUnpacking
"""An SSCC may be packed, unpacked and packed again, so these rows have to be taken in order."""


def packed(event: CasePacked, position: int) -> list[CaseStep]:
    """A case holds units and cases."""
    return [
        CaseRow(event.sscc, None, event.party, position),
        *(CaseRangeRow(part.batch, part.first, part.last, event.sscc) for part in event.ranges),
        *(CaseOuter(sscc, event.sscc) for sscc in event.cases),
    ]


def unpacked(*ssccs: str) -> list[CaseUnpacking]:
    """Cases hold nothing any more."""
    return [CaseUnpacking(sscc) for sscc in ssccs]
