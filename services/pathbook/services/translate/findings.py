"""Messages for findings, for what is said of them, and for what events change in them; and the cursors of changes."""

import re
from typing import Final, NamedTuple

from pathbook.ledger.queries.finding_changes import FindingChange, FindingPlace
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.reports.explaining import Explanation
from pathbook.ledger.reports.findings import FINDINGS
from pathbook.ledger.reports.suspicions import Finding
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.services.translate.values import timestamp
from pathbook.v1 import findings_pb2, insights_pb2

POSITIONS_MAX: Final = 100
"""The most positions of one entry."""

_NUMBER: Final = r"(0|[1-9][0-9]{0,17})"
_CURSOR: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}\.{_NUMBER}\.([0-9a-f]{{16}}))?")
"""A position; and perhaps how many changes of its event were told, the version of FINDINGS, and the incarnation."""


class Cursor(NamedTuple):
    """A place among the changes of findings, and the incarnation of the book, "" if it is not said."""

    place: FindingPlace
    incarnation: str


def print_cursor(place: FindingPlace, incarnation: str) -> str:
    """Return the text of a place in an incarnation."""
    return f"{place.position}.{place.number}.{FINDINGS.version}.{incarnation}"


def parse_cursor(text: str) -> Cursor:
    """Return the place in a text. An empty one is the place before the first event.

    Another version of FINDINGS may order the changes of an event differently. Then its changes are told again from the
    first one on, because none may be left out.

    Raises:
        RefusedCallError: it is no cursor.
    """
    if not text:
        return Cursor(FindingPlace(), "")
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise RefusedCallError(refuse(Reason.FINDING_CURSOR_MALFORMED, cursor=text))
    position, number = int(found[1]), int(found[2] or 0)
    if number and int(found[3]) != FINDINGS.version:
        position, number = position - 1, 0
    return Cursor(FindingPlace(position, number), found[4] or "")


def finding(found: Finding, said: Explanation | None, *, shows_caller: bool) -> insights_pb2.Finding:
    """Return the message for a finding, with what is said of it."""
    made = insights_pb2.Finding(first_seen=timestamp(found.first_seen))
    for name in ("id", "rule", "version", "sentence", "party", "other_party", "batch", "units"):
        setattr(made, name, getattr(found, name))
    made.positions.extend(found.positions[:POSITIONS_MAX])
    if said is not None:
        made.explanation.CopyFrom(explanation(said, shows_caller=shows_caller))
    return made


def explanation(found: Explanation, *, shows_caller: bool) -> insights_pb2.Explanation:
    """Return the message for what is said of a finding. ``shows_caller`` says whether it has the id of the token."""
    return insights_pb2.Explanation(
        finding=found.finding,
        text=found.text or "",
        withdrawn=found.withdrawn,
        text_erased=found.text is None,
        role=found.role.value,
        party=found.party,
        caller=found.caller if shows_caller else "",
        at=timestamp(found.at),
        units=found.units,
        number=found.number,
    )


def change(
    found: FindingChange, said: Explanation | None, incarnation: str, *, shows_caller: bool
) -> findings_pb2.FindingChange:
    """Return the message for what an event did to a finding."""
    return findings_pb2.FindingChange(
        kind=findings_pb2.FindingChangeKind.ValueType(found.kind),
        finding=finding(found.finding, said, shows_caller=shows_caller),
        units_before=found.units_before,
        position=found.place.position,
        recorded_at=timestamp(found.recorded_at),
        cursor=print_cursor(found.place, incarnation),
    )
