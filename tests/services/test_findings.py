"""Findings over gRPC: they are explained, and subscribers are told of them from any place on."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from grpc import StatusCode

from pathbook.client import Client
from pathbook.ledger.queries import finding_changes
from pathbook.ledger.reports.findings import FINDINGS
from pathbook.services import findings as finding_service
from pathbook.services.clock import now
from pathbook.services.storage import rebuild_views
from pathbook.v1 import findings_pb2 as findings
from pathbook.v1.insights_pb2 import Finding
from tests.books import DATABASE_FILE
from tests.services.masks import begin, boxes, opened_place, refused, yuan

FOUND: Final = findings.FINDING_CHANGE_KIND_FOUND
WITHDRAWN: Final = findings.FINDING_CHANGE_KIND_WITHDRAWN


def dear(client: Client, first: int) -> int:
    """Let ann pay more than is suggested for five boxes, and return the position."""
    return client.record_transfer(
        giver="acme", receiver="ann", units=boxes(first, first + 4), unit_price=yuan(310)
    ).receipt.position


def above(client: Client) -> list[Finding]:
    """Return the findings of prices above the suggested one, the latest first."""
    return list(client.get_findings(rule="above-suggested").findings)


def changes(client: Client, cursor: str, count: int) -> list[findings.FindingChange]:
    """Return the next changes of these findings after a cursor, and wait until there are so many."""
    stream = client.subscribe_findings(cursor, rule="above-suggested")

    def told() -> Iterator[findings.FindingChange]:
        for response in stream:
            assert response.changes, "the stream is alive, and nothing more comes"
            yield from response.changes

    with contextlib.closing(stream):  # type: ignore[type-var] # a generator, as each iterator of the client
        return list(itertools.islice(told(), count))


def test_an_explanation_stays_with_its_finding(place: Path) -> None:
    """It is shown with the finding, hides it on request, can be replaced and taken back, and outlives a rebuild."""
    with opened_place(place) as client:
        begin(client)
        client.authorize_party("ann", upline="acme", tier=1)
        positions = [dear(client, first) for first in (0, 10)]
        second, first = above(client)
        assert [list(each.positions) for each in (first, second)] == [[position] for position in positions]
        kept = client.explain_finding(first.id, "agreed with ann")
        assert (kept.role, kept.units, kept.number, kept.withdrawn) == ("operator", 5, 1, False)
        assert client.explain_finding(first.id, "agreed with ann") == kept
        assert [each.explanation for each in above(client)] == [type(kept)(), kept]
        found = client.get_findings(unexplained=True)
        assert [each.id for each in found.findings] == [second.id]
        assert dict(found.rules) == {"above-suggested": 1}

        client.explain_finding(first.id, "agreed with ann in May")
        client.explain_finding(second.id, "typing mistake")
        back = client.explain_finding(second.id, "it was none", withdraw=True)
        assert client.explain_finding(second.id, withdraw=True) == back
        assert [each.explanation.text for each in above(client)] == ["", "agreed with ann in May"]
        told = [(each.text, each.withdrawn, each.number) for each in client.list_explanations(page_size=1)]
        assert told == [
            ("it was none", True, 4),
            ("typing mistake", False, 3),
            ("agreed with ann in May", False, 2),
            ("agreed with ann", False, 1),
        ]
        assert [each.number for each in client.list_explanations(first.id)] == [2, 1]
        before = above(client)

    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    rebuild_views(place / "books", database, now, lambda _done, _total: None, only=FINDINGS.name)
    with opened_place(place) as client:
        assert above(client) == before


def test_only_what_is_there_is_explained(client: Client) -> None:
    """A finding that a reversal took back, one that never was, and a text without words are refused."""
    begin(client)
    position = dear(client, 0)
    (found,) = above(client)
    for finding in ("", "nonsense", found.id.replace("ann", "bob"), found.id.replace(".1.", ".7.")):
        with refused("FINDING_UNKNOWN", StatusCode.NOT_FOUND):
            client.explain_finding(finding, "a reason")
    with refused("FINDING_NOT_EXPLAINED", StatusCode.FAILED_PRECONDITION):
        client.explain_finding(found.id, withdraw=True)
    for text, reason in ((" ", "VALUE_MISSING"), ("a" * 201, "TEXT_TOO_LONG"), ("a\0b", "TEXT_MALFORMED")):
        with refused(reason):
            client.explain_finding(found.id, text)
    client.explain_finding(found.id, "a reason")
    for party in ("acme", "ann"):
        client.reverse_transfer(position, party=party)
    assert above(client) == []
    with refused("FINDING_UNKNOWN", StatusCode.NOT_FOUND):
        client.explain_finding(found.id, "another reason")
    assert client.explain_finding(found.id, withdraw=True).withdrawn  # it can still be taken back


def test_subscribers_go_on_after_any_change(place: Path) -> None:
    """Changes come as events do: from the first one, after each cursor, after a position, and over restarts."""
    with opened_place(place) as client:
        begin(client)
        positions = [dear(client, 0), dear(client, 10)]
        first, second = changes(client, "", 2)
        assert [(each.kind, each.position, each.finding.units) for each in (first, second)] == [
            (FOUND, position, 5) for position in positions
        ]
        assert changes(client, first.cursor, 1) == [second]
        assert changes(client, str(positions[0]), 1) == [second]
        stream = client.subscribe_findings(second.cursor, rule="above-suggested")
        for party in ("acme", "ann"):
            client.reverse_transfer(positions[0], party=party)
        back = next(change for response in stream for change in response.changes)
        assert (back.kind, back.finding.id, back.units_before) == (WITHDRAWN, first.finding.id, 5)
        assert back.position == client.position
        client.correct_batch(1, brand="acme", suggested_price=yuan(400))
        last = next(change for response in stream for change in response.changes)
        assert (last.kind, last.finding.id) == (WITHDRAWN, second.finding.id)
    with opened_place(place) as client:
        assert changes(client, "", 4) == [first, second, back, last]
        assert changes(client, back.cursor, 1) == [last]
        with refused("POSITION_BEYOND_HEAD", StatusCode.OUT_OF_RANGE):
            changes(client, "99", 1)
        for cursor in ("x", "-1", "1.2", "1.2.3.nothex", "01", "1" * 30):
            with refused("FINDING_CURSOR_MALFORMED"):
                changes(client, cursor, 1)


def test_a_cursor_of_another_version_of_the_report_leaves_nothing_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an event it begins again at its first change. At the end of one it goes on as ever."""
    begin(client)
    dear(client, 0)
    (first,) = changes(client, "", 1)
    position, number, version, incarnation = first.cursor.split(".")
    assert (int(position), number, int(version)) == (
        first.position,
        "2",
        FINDINGS.version,
    )  # ann was not authorized, either
    older = f"{position}.{number}.{FINDINGS.version - 1}.{incarnation}"
    assert changes(client, older, 1) == [first]
    whole = f"{position}.0.{FINDINGS.version - 1}.{incarnation}"
    monkeypatch.setattr(finding_service, "ALIVE_INTERVAL_S", 0.1)
    alive = next(client.subscribe_findings(whole))
    assert (list(alive.changes), alive.position) == ([], client.position)
    monkeypatch.setattr(finding_changes, "CHANGES_MAX", 1)  # then the event is told in parts, without a pause
    assert list(next(client.subscribe_findings(rule="above-suggested")).changes) == [first]
