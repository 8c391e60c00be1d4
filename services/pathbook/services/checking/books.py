"""The books: all their events, their keys, and their views."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.serials import KeyRing
from pathbook.ledger.store.database.engine import Database, reading
from pathbook.ledger.store.log.audit import BookAudit, audit, heads
from pathbook.ledger.store.log.code_key import CodeKeysInUse
from pathbook.ledger.store.views.fingerprint import report_fingerprint, views_fingerprint
from pathbook.ledger.store.views.looking import is_last_of, report_positions, views_positions, views_version
from pathbook.ledger.store.views.replacement import readable_positions
from pathbook.services.checking.checkpoints import compared, last_signed, signed_of
from pathbook.services.checking.databases import REBUILD, RESTORE
from pathbook.services.checking.findings import Finding, Progress, fault, noted, ok
from pathbook.services.checking.place import Place
from pathbook.services.key_file import KEY_FILE, UnusableKeyError, keys_of, read_keys
from pathbook.services.replaying import replay_events, scratch_views

BUILDS = "A running server or `pathbook views follow` builds it. Nothing waits for it but its own answers."
FORGET = f"{REBUILD} --accept-lost-events"
OTHER = "A server or follower that starts with built views removes older ones, if no process has them open."
AGAIN = "Check again when no server writes to it, or once a follower has caught up."


class LookedAt(NamedTuple):
    """How far the views or a report are in a book whose last position is ``head``."""

    name: str
    version: str
    book: str
    position: int
    head: int
    state: str


def looked_at(place: Place) -> list[LookedAt]:
    """Return how far the views and each report are in each book, without a look at events or rows."""
    if place.log is None or place.views is None:
        return []
    with reading(place.log) as connection:
        found = heads(connection)
    version = views_version(place.views)
    lines = [
        LookedAt("views", version, book, position, found.get(book, 0), _how_far(position, found.get(book, 0)))
        for book, position in views_positions(place.views).items()
    ]
    known = {report.name: report.version for report in REPORTS}
    for at in report_positions(place.views):
        head = found.get(at.book, 0)
        state = _how_far(at.position, head)
        if known.get(at.report) != at.version:
            state = "of another version of Pathbook"
        elif at.position < at.through:
            state = f"being built, of use at {at.through}"
        lines.append(LookedAt(at.report, str(at.version), at.book, at.position, head, state))
    return lines


def _how_far(position: int, head: int) -> str:
    return "level" if position >= head else f"{head - position} events behind"


def events(place: Place, progress: Progress) -> Iterator[Finding]:
    """Read every event of every book, and compare them with every checkpoint that was signed of them."""
    assert place.log is not None
    with reading(place.log) as connection:
        found = heads(connection)
        if not found:
            yield noted("books", "there is none yet", "pathbook book open NAME")
        report, total, before = progress("events checked"), sum(found.values()), 0
        last, problems = last_signed(place)
        yield from problems
        for book, head in found.items():
            so_far = before

            def done(at: int, _: int, so_far: int = so_far) -> None:
                report(so_far + at, total)

            signed = signed_of(place.log, book, last)
            audited = audit(connection, book, head, done, signed.keys())
            yield from _of_book(audited)
            yield from compared(place, book, head, signed, audited.roots, audited.sealed)
            before += head


def _of_book(found: BookAudit) -> Iterator[Finding]:
    subject = f"book {found.book}"
    for first, last in found.gaps:
        yield fault(subject, f"positions {first} to {last} are missing", RESTORE)
    for position, problem in found.broken:
        yield fault(subject, f"position {position}: {problem}", RESTORE)
    if found.newer_at is not None:
        what = f"position {found.newer_at} is newer than this program"
        yield noted(subject, what, "Update this program. It checked the rest only as bytes.")
    if not found.faults:
        yield ok(
            subject,
            f"{found.events} events, no gap, incarnation {found.incarnation},"
            f" hash of the log {found.log_sha256[:16]}",
        )


def views(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Compare how far the views are with the log, and whether they are of this log."""
    assert place.log is not None
    if place.views is None:
        return
    with reading(place.log) as connection:
        found = heads(connection)
    for book, position in views_positions(place.views).items():
        head, subject = found.get(book, 0), f"views of {book}"
        if position > head:
            what = f"they have {position} events, and the log has {head}"
            yield fault(
                subject, what, f"If the log is an old copy: {RESTORE} If these events are lost: {FORGET}"
            )
        elif not is_last_of(place.log, place.views, book, position):
            what = f"their last event, at position {position}, is not the log's"
            yield fault(subject, what, f"If the log is right: {REBUILD}")
        elif position < head:
            what = f"{head - position} events behind the log"
            yield noted(subject, what, "A running server or `pathbook views follow` projects them.")
        else:
            yield ok(subject, f"at position {position}, the head")


def other_views(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look at the views of other versions. Those that know more than the log are the last copy of what it lost."""
    assert place.log is not None
    if place.views is None and place.database:
        return
    with reading(place.log) as connection:
        heads_found = heads(connection)
    with place.other_views() as others:
        for name, engine in others:
            reached = dict(readable_positions(engine))
            lost = {book: at for book, at in reached.items() if at > heads_found.get(book, 0)}
            for book, position in lost.items():
                what = f"they have {position} events of {book}, and the log has {heads_found.get(book, 0)}"
                yield fault(
                    name, what, f"If the log is an old copy: {RESTORE} If these events are lost: {FORGET}"
                )
            if not lost:
                behind = sum(max(0, head - reached.get(book, 0)) for book, head in heads_found.items())
                what = f"views of another version of Pathbook, {behind} events behind the log"
                yield noted(name, what, OTHER)


def reports(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Compare how far each report is with the views. A report that is behind stops nothing."""
    if place.views is None:
        return
    versions = {report.name: report.version for report in REPORTS}
    reached = views_positions(place.views)
    for at in report_positions(place.views):
        subject, of_views = f"report {at.report} of {at.book}", reached.get(at.book, 0)
        if versions.get(at.report) != at.version:
            to_do = "It is of another version of Pathbook. A start of a follower removes it if it is older."
            yield noted(subject, f"version {at.version}, at position {at.position}", to_do)
        elif at.position < at.through:
            what = f"version {at.version} is being built, {at.position} of {at.through}"
            yield noted(subject, what, BUILDS)
        elif at.position < of_views:
            what = f"version {at.version}, {of_views - at.position} events behind the views"
            yield noted(subject, what, BUILDS)
        else:
            yield ok(subject, f"version {at.version}, at position {at.position}, that of the views")


def views_content(place: Place, progress: Progress) -> Iterator[Finding]:
    """Replay all events, and compare the views with what they should be. They have no hashes of their own."""
    if place.log is None or place.views is None or not place.replays:
        return
    before = views_positions(place.views)
    with (
        tempfile.TemporaryDirectory(prefix="pathbook-check-") as scratch,
        scratch_views(Path(scratch)) as made,
    ):
        try:
            reached = replay_events(place.log, made, progress("events replayed"))
        except (
            AssertionError,
            LookupError,
        ) as error:  # what no writer records: the log was changed behind its back
            what = f"they cannot be replayed, because they contradict each other ({error!r})"
            yield fault("events", what, RESTORE)
            return
        for book in before:
            found, wanted = (views_fingerprint(views, book) for views in (place.views, made))
            if views_positions(place.views).get(book) != reached.get(book):
                yield noted(f"views of {book}", "not compared with a replay: they are not at the head", AGAIN)
            elif found != wanted:
                yield fault(f"views of {book}", "they are not what the events make of them", REBUILD)
            else:
                yield ok(f"views of {book}", "as a replay of the events makes them")
        yield from _reports_content(place.views, made)


def _reports_content(views: Database, made: Database) -> Iterator[Finding]:
    wanted = {(at.report, at.version, at.book): at.position for at in report_positions(made)}
    found = {(at.report, at.version, at.book): at.position for at in report_positions(views)}
    for report in REPORTS:
        for (name, version, book), position in wanted.items():
            if (name, version) != (report.name, report.version):
                continue
            subject = f"report {name} of {book}"
            if found.get((name, version, book)) != position:
                yield noted(subject, "not compared with a replay: it is not at the head", AGAIN)
            elif report_fingerprint(views, book, report) != report_fingerprint(made, book, report):
                yield fault(subject, "it is not what the events make of it", f"{REBUILD} --only {name}")
            else:
                yield ok(subject, "as a replay of the events makes it")


def keys(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Compare the keys in the file with those in use."""
    assert place.log is not None
    in_use = [name.hex() for name in CodeKeysInUse(place.log).known()]
    try:
        ring: KeyRing = read_keys(keys_of(place.data))
    except UnusableKeyError as error:
        to_do = "Restore it from a backup: without it no code can be read, and no server starts."
        yield fault(KEY_FILE, error.problem, to_do)
        return
    held = [name.hex() for name in ring.fingerprints]
    if held[: len(in_use)] == in_use:
        count = "1 key" if len(held) == 1 else f"{len(held)} keys"
        yield ok(KEY_FILE, f"{count}, {len(in_use)} in use: {' '.join(held)}")
        return
    lacking = [name for name in in_use if name not in held]
    what = (
        f"lacks key {' '.join(lacking)}" if lacking else "has the keys in another order than they were used"
    )
    yield fault(
        KEY_FILE, what, "Restore the file from a backup, or copy it from another server of these books."
    )
