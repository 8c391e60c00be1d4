"""The databases: their formats, their pages, PostgreSQL's settings, and the rights of its user."""

import importlib.metadata
from collections.abc import Iterator

from pathbook.ledger.store.database.engine import Purpose, reading
from pathbook.ledger.store.database.format import format_of
from pathbook.ledger.store.database.health import missing_rights, page_faults, unsafe_settings
from pathbook.ledger.store.database.places import VIEWS_VERSION
from pathbook.ledger.store.log.audit import has_events
from pathbook.ledger.store.log.clock_looks import ClockLooks
from pathbook.ledger.store.log.stream import FORMAT, Stream
from pathbook.ledger.store.views.looking import views_version
from pathbook.services.checking.findings import Finding, Progress, fault, noted, ok
from pathbook.services.checking.place import Place
from pathbook.services.clock import MachineClock
from pathbook.services.clock_check import state_of
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE

RESTORE = "Stop all servers. Keep these files aside, and restore your latest backup: pathbook restore FROM."
REBUILD = "pathbook views rebuild"


def log_format(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look at the versions of the program and of the log. Another format ends the check: nothing else can be read."""
    program = importlib.metadata.version("pathbook")
    yield ok("program", f"Pathbook {program}")
    if place.log is None:
        yield fault("log", f"{EVENTS_FILE} is missing, and other files of the books are there", RESTORE)
        return
    with reading(place.log) as connection:
        found = format_of(connection) if has_events(connection) else 0
    if not found:
        yield fault("log", "it has no table of events", RESTORE)
        return
    if found == FORMAT:
        yield ok("log", f"format {found}")
    else:
        to_do = "Use the version of Pathbook that wrote it."
        yield fault("log", f"format {found}, and this program reads format {FORMAT}", to_do)


def views_format(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look at the version of the views."""
    found = views_version(place.views) if place.views is not None else ""
    if not found:
        yield noted("views", "there are none", f"The next start rebuilds them, or: {REBUILD}")
    elif found == VIEWS_VERSION:
        yield ok("views", f"version {found}")
    else:
        to_do = f"The place has the name of another version. With all servers stopped: {REBUILD}"
        yield noted("views", f"version {found}, and this program has {VIEWS_VERSION}", to_do)


def log_pages(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Check the pages of the log's file."""
    if place.log is not None and not place.database:
        faults = page_faults(place.log)
        yield (
            fault(EVENTS_FILE, f"damaged: {faults[0]}", RESTORE)
            if faults
            else ok(EVENTS_FILE, "pages are whole")
        )


def views_pages(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Check the pages of the views' file."""
    if place.views is not None and not place.database:
        faults = page_faults(place.views)
        yield (
            fault(VIEWS_FILE, f"damaged: {faults[0]}", REBUILD)
            if faults
            else ok(VIEWS_FILE, "pages are whole")
        )


def postgresql(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look at the settings of a PostgreSQL server, and at the rights of the user."""
    if not place.database or place.log is None or place.views is None:
        return
    if unsafe := unsafe_settings(place.log):
        found = f"{', '.join(unsafe)}: it may lose acknowledged events"
        yield fault("PostgreSQL", found, "Turn these settings on.")
    else:
        yield ok("PostgreSQL", "fsync, synchronous_commit and full_page_writes are on")
    purposes: tuple[Purpose, ...] = ("events", "views")
    missing = [
        right
        for engine, purpose in zip((place.log, place.views), purposes, strict=True)
        for right in missing_rights(engine, purpose)
    ]
    if missing:
        yield fault(
            "rights", f"the user lacks {', '.join(missing)}", "Grant them, or use the owner of the tables."
        )
    else:
        yield ok("rights", "the user may read and write all tables")


def clock(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Ask whether a server here would believe the clock of this machine."""
    assert place.log is not None
    state = state_of(ClockLooks(place.log), Stream(place.log), MachineClock())
    confirm = "Set the clock, or, if it is right: pathbook clock confirm"
    if not state.believed:
        yield fault("clock", "the clock of this machine is not believed, so nothing is written", confirm)
        return
    for book, last_event in state.ahead.items():
        if last_event > state.accepted_until:
            yield fault(f"book {book}", "its last event lies ahead of the clock", "See: pathbook clock show")
    yield ok("clock", "the clock of this machine is believed")
