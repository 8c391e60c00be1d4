"""Compares a book that lived through kills with its answers, its sheets, its backup, and with rebuilt views."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pathbook.client import Client
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Sealed, TransferRecorded
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from tests.books import DATABASE_FILE, PATIENCE, engine
from tests.endurance.publications import contradictions
from tests.endurance.sheets import BOOK, SHEET_ROWS, run_verb, write_sheet
from tests.postgres import drop_database, new_database
from tests.store.follower_process import rows_of

if TYPE_CHECKING:
    from tests.endurance.kills import Life


def compare(life: Life) -> None:
    """Compare the book with the answers and the sheets, and the views with views rebuilt."""
    tally = life.tally
    with life.client() as client:
        head = sealed_head(client)
        compare_answers(life, client)
        for number in {0, tally.sheets - 1} if tally.sheets else ():
            compare_sheet(life, number)
        again = client.get_head().position
        tally.events = again
        tally.lost += again - head  # an import that was whole records nothing when it is repeated
        until = time.monotonic() + PATIENCE
        while client.get_head().views_position < again:
            assert time.monotonic() < until, "the views do not reach the head"
            time.sleep(0.1)
        compare_publications(life, again)
    life.stop()
    tally.views_differ = differ_from_rebuilt(life.place)


def sealed_head(client: Client) -> int:
    """Return the position of the last event once it seals all before it but other seals. None follows it then."""
    until = time.monotonic() + PATIENCE
    while True:
        head = client.get_head().position
        (batch,) = client.read(head - 1, limit=1)
        last = decode(head, batch.events[0]).event
        if isinstance(last, Sealed):
            newer = client.read(last.covers, limit=head - last.covers)
            events = [decode(head, data).event for batch in newer for data in batch.events]
            if all(isinstance(event, Sealed) for event in events):
                return head
        assert time.monotonic() < until, "the book is not sealed"
        time.sleep(0.1)


def compare_publications(life: Life, head: int) -> None:
    """Publish to the end, and count the checkpoints that contradict the events."""
    publications, until = life.publications, time.monotonic() + PATIENCE
    while head not in publications.seen:
        assert time.monotonic() < until, "the last seal is not published"
        publications.publish()
    with life.client() as client:
        events = (event for batch in client.read() for event in batch.events)
        life.tally.contradicted = contradictions(publications.seen, events)
    life.tally.checkpoints = len(publications.seen)


def compare_answers(life: Life, client: Client) -> None:
    """Count the answered requests that the book lacks, and those that it has twice."""
    found: dict[bytes, int] = {}
    imported = 0
    for batch in client.read():
        for position, data in enumerate(batch.events, batch.first_position):
            recorded = decode(position, data)
            life.tally.doubled += recorded.request in found
            found[recorded.request] = position
            imported += recorded.request not in life.answers and isinstance(recorded.event, TransferRecorded)
    life.tally.answered = len(life.answers)
    life.tally.lost += sum(found.get(request) != place for request, place in life.answers.items())
    # each row of a sheet is a transfer to the store, and one to the state before it; all sheets were finished
    expected = 2 * SHEET_ROWS * life.tally.sheets
    life.tally.lost += max(0, expected - imported)
    life.tally.doubled += max(0, imported - expected)


def compare_sheet(life: Life, number: int) -> None:
    """Import a sheet again: all of its rows must be duplicates."""
    sheet = write_sheet(life._sheets, number)
    options = ("--recipe", "iowa", "--server", life.target, "--book", BOOK, "--output", "json")
    summary = msgspec.json.decode(run_verb("import", str(sheet), *options))
    assert (summary["duplicate"], summary["accepted"], summary["rejected"]) == (SHEET_ROWS, 0, 0), summary


def differ_from_rebuilt(place: Path) -> bool:
    """Tell whether the views of a place, which no process has open, differ from views rebuilt."""
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    follower = Follower(stream, views)
    try:
        follower.reports.allow(BOOK, follower.position(BOOK))
        follower.reports.catch_up(BOOK)  # a killed follower may leave them behind the views
        before = rows_of(views)
        follower.rebuild()
        return rows_of(views) != before
    finally:
        follower.close()
        stream.close()
        events.dispose()
        views.dispose()


def compare_backup(life: Life, backup: Path, place: Path) -> None:
    """Restore a backup to another place, and compare its events with the first of the book, and its views."""
    place.mkdir(mode=0o700)
    options = ["--data", str(place / "books")]
    url = new_database() if (life.place / DATABASE_FILE).exists() else ""
    if url:
        options += ["--database", url]
        (place / DATABASE_FILE).write_text(url, "utf-8")
    printed = run_verb("restore", str(backup), "--without-keys", *options)
    assert "differ" not in printed, printed  # it compares the views with those of the backup
    at = place if url else place / "books"
    found, original = (all_events(each) for each in (at, life.place))
    assert found == original[: life.tally.backed_up], "the restored events are not the first of the book"
    assert not differ_from_rebuilt(at)
    if url:
        drop_database(url)


def all_events(place: Path) -> list[bytes]:
    """Return the bytes of all events in a place, which no process has open."""
    events = engine(place, "events")
    stream = Stream(events)
    try:
        return [entry.data for entry in stream.read(BOOK, 0, 10**9)]
    finally:
        stream.close()
        events.dispose()
