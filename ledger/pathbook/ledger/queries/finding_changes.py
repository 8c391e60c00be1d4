"""What events changed in findings, in order and from any place on: what a subscriber is told.

A change is of an event: it depends on the events up to that one, and on nothing else. So places stay what they are when
reports are rebuilt, and a report that is behind tells later, but never out of order.
"""

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.queries import registered
from pathbook.ledger.queries.insights import refuse_rule
from pathbook.ledger.queries.report_parts import AUTHORIZATIONS_MAX, unknown
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.findings import FINDINGS, FindingChangeRow, FindingRow, FindingRule
from pathbook.ledger.reports.suspicions import OUT_OF_REGION, Finding, findings_in_turn, shared_keys
from pathbook.ledger.reports.ties import KEYS, KeyRow, TradeRow
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot

CHANGES_MAX: Final = 500
"""The most changes that are read at once. With explanations and sentences they take some 500 KB."""


class FindingPlace(NamedTuple):
    """A place among the changes of findings: all of the events up to ``position`` were told.

    If ``number`` is not 0, of the event at ``position`` only so many changes were.
    """

    position: int = 0
    number: int = 0


class ChangeKind(enum.IntEnum):
    """What an event did to a finding. The numbers are those of the contract."""

    FOUND = 1
    CHANGED = 2
    WITHDRAWN = 3


class FindingChange(msgspec.Struct, frozen=True):
    """What an event did to a finding.

    Attributes:
        kind: what it did.
        finding: the finding after the event, or before it if it is taken back.
        units_before: how many units it had before.
        place: the place after this change. Its ``position`` is that of the event.
        recorded_at: when the event was recorded, in microseconds since 1970 UTC.
    """

    kind: ChangeKind
    finding: Finding
    units_before: int
    place: FindingPlace
    recorded_at: int


class FindingChanges(msgspec.Struct, frozen=True):
    """Changes of findings in order.

    Attributes:
        changes: those that are wanted.
        place: the place after them, and after those that are not wanted.
        reached: the position that the reports have reached.
        more: whether there are more changes up to there. They may be of the event at which these end.
    """

    changes: list[FindingChange]
    place: FindingPlace
    reached: int
    more: bool


class _Raw(NamedTuple):
    """A change without its place: the event, what it did, and to which finding."""

    position: int
    kind: ChangeKind
    finding: Finding
    units_before: int


def ask_finding_changes(
    views: ViewSnapshot,
    stream: Stream,
    *,
    after: FindingPlace,
    wanted: Wanted,
    rule: str,
) -> FindingChanges | Refusal:
    """Return changes of findings after a place, as far as the reports are, also while they are being built.

    BATCH_UNKNOWN, PRODUCT_UNKNOWN, PARTY_UNKNOWN, FINDING_RULE_UNKNOWN, FINDING_RULE_NOT_TOLD, REPORT_TOO_LARGE.

    Args:
        views: the views.
        stream: the log.
        after: the place.
        wanted: of which batches, product, brand and party.
        rule: the name of the rule, "" for all.
    """
    if rule == OUT_OF_REGION.name:
        return refuse(Reason.FINDING_RULE_NOT_TOLD, rule=rule)
    if (refused := refuse_rule(rule) or unknown(views, wanted)) is not None:
        return refused
    reached = min(views.report_so_far(report).position for report in (FINDINGS, KEYS))
    found = _read(views, stream, after, reached)
    if isinstance(found, Refusal):
        return found
    told = found[:CHANGES_MAX]
    times = registered.RecordedTimes(stream, views.book)
    times.load(raw.position for raw in told)
    changes = _placed(told, after, times)
    more = len(found) > len(told)
    place = max(after, FindingPlace(reached))
    if more:
        place = changes[-1].place
    elif changes:  # they may be the last ones of an event of which some were told before
        place = FindingPlace(reached)
    return FindingChanges(_chosen(views, changes, wanted, rule), place, reached, more)


def _read(views: ViewSnapshot, stream: Stream, after: FindingPlace, reached: int) -> list[_Raw] | Refusal:
    """Return more than CHANGES_MAX changes after a place, or all if there are fewer.

    An event that registers a key changes no row of FINDINGS, so each event has changes of one kind.
    """
    limit, rows, raws = CHANGES_MAX + 1, list[FindingChangeRow](), list[_Raw]()
    if after.position > reached:
        return []  # the reports are being built again, and come back there
    if after.number:
        at = after.position
        rows = views.finding_changes(at, at, after.number, limit)
        raws = [] if rows else _of_keys(views, stream, at, at)[after.number :]
    first, missing = after.position + 1, limit - len(rows) - len(raws)
    if missing > 0 and first <= reached:
        later = views.finding_changes(first, reached, 0, missing)
        last = reached if len(later) < missing else later[-1].changed_at
        rows += later
        raws += _of_keys(views, stream, first, last)
    made = _of_rows(views, stream, rows)
    if isinstance(made, Refusal):
        return made
    return sorted([*made, *raws], key=lambda raw: raw.position)


def _of_rows(views: ViewSnapshot, stream: Stream, rows: list[FindingChangeRow]) -> list[_Raw] | Refusal:
    bought = {
        party
        for row in rows
        if row.finding.rule == FindingRule.BOUGHT_BACK
        for party in (row.finding.party, row.finding.other_party)
    }
    given = views.authorizations_of(sorted(bought), AUTHORIZATIONS_MAX + 1) if bought else []
    if len(given) > AUTHORIZATIONS_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=AUTHORIZATIONS_MAX, what="authorizations")
    times = registered.RecordedTimes(stream, views.book)
    times.load(max(row.finding.position, row.finding.other) for row in rows)
    authorizations = [registered.authorization(row) for row in given]
    made = findings_in_turn([_shown(row) for row in rows], authorizations, times)
    return [
        _Raw(row.changed_at, _kind(row), finding, row.units_before)
        for row, finding in zip(rows, made, strict=True)
    ]


def _kind(row: FindingChangeRow) -> ChangeKind:
    if not row.units_before:
        return ChangeKind.FOUND
    return ChangeKind.CHANGED if row.finding.units else ChangeKind.WITHDRAWN


def _shown(row: FindingChangeRow) -> FindingRow:
    return row.finding if row.finding.units else row.finding._replace(units=row.units_before)


def _of_keys(views: ViewSnapshot, stream: Stream, first: int, last: int) -> list[_Raw]:
    """Return the findings of keys that some events registered, and that another party had registered before."""
    keys: list[KeyRow] = []
    for key in views.keys_registered(first, last):
        keys += views.registrations_of(key)
    times = registered.RecordedTimes(stream, views.book)
    times.load(row.position for row in keys)
    found = [each for each in shared_keys(keys, (), times) if first <= each.positions[-1] <= last]
    if not found:
        return []
    trades = [
        TradeRow(*sides, 0, 0, views.units_traded(*sides))
        for sides in {(each.party, each.other_party) for each in found}
    ]
    named = {each.id for each in found}
    made = [each for each in shared_keys(keys, trades, times) if each.id in named]
    return [_Raw(each.positions[-1], ChangeKind.FOUND, each, 0) for each in made]


def _placed(
    raws: Iterable[_Raw], after: FindingPlace, times: registered.RecordedTimes
) -> list[FindingChange]:
    """Return changes with their places, of which the first ones go on with those of an event that were told in part."""
    changes: list[FindingChange] = []
    position, number = after
    for raw in raws:
        number = number + 1 if raw.position == position else 1
        position = raw.position
        place = FindingPlace(position, number)
        changes.append(FindingChange(raw.kind, raw.finding, raw.units_before, place, times[position]))
    return changes


def _chosen(
    views: ViewSnapshot, changes: list[FindingChange], wanted: Wanted, rule: str
) -> list[FindingChange]:
    """Return the changes of findings of a rule, and of the batches and party that are wanted."""
    batches = {}
    if wanted.product or wanted.brand:
        batches = registered.batches(views, {change.finding.batch for change in changes})

    def is_wanted(finding: Finding) -> bool:
        if rule not in ("", finding.rule):
            return False
        if wanted.party not in ("", finding.party, finding.other_party):
            return False
        if wanted.batch not in (0, finding.batch):
            return False
        if not (wanted.product or wanted.brand):
            return True
        batch = batches.get(finding.batch)
        if batch is None:  # of several batches
            return False
        return wanted.product in ("", batch.product) and wanted.brand in ("", batch.brand)

    return [change for change in changes if is_wanted(change.finding)]
