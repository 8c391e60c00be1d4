"""Runs all checks of books, in order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.stream import is_of_database
from pathbook.services.checking import books, databases, files
from pathbook.services.checking.findings import Check, Finding, Progress, State, fault, noted
from pathbook.services.checking.place import Place

FIRST: Final[Check] = databases.log_format
"""What must be well before anything else can be asked of the log."""

CHECKS: Final[tuple[Check, ...]] = (
    files.modes,
    files.write_ahead_logs,
    databases.postgresql,
    databases.log_pages,
    databases.views_pages,
    databases.views_format,
    books.keys,
    books.events,
    books.views,
    books.other_views,
    books.reports,
    books.views_content,
    databases.clock,
)
"""All other checks, in the order of their findings."""


LOG_CHECKS: Final[tuple[Check, ...]] = (databases.log_pages, books.events)
"""What an auditor asks of a stopped store: every byte of the log, and every checkpoint that was signed of it."""


def check(
    data: Path, database: str, progress: Progress, *, replays: bool = True, only_log: bool = False
) -> Iterator[Finding]:
    """Check the books of a directory, or of a database if one is named. Nothing is changed, and servers may run.

    Args:
        data: the directory of the books and their keys.
        database: the URL of a PostgreSQL, "" for books in files.
        progress: is told what is done.
        replays: whether to replay all events, and compare the views with that.
        only_log: whether to do only LOG_CHECKS.

    Raises:
        OSError: a file cannot be read.
    """
    with Place(data, database, replays=replays) as place:
        first = list(_run(FIRST, place, progress))
        yield from first
        whole = all(finding.state is State.OK for finding in first)
        for each in LOG_CHECKS if only_log else CHECKS:
            if whole or each is files.modes:
                yield from _run(each, place, progress)


def _run(one: Check, place: Place, progress: Progress) -> Iterator[Finding]:
    """Run a check. A database that fails it is a finding of its own."""
    try:
        yield from one(place, progress)
    except EventDamagedError:
        what = "not done, because an event is damaged"
        yield noted(one.__name__.replace("_", " "), what, "See the fault of its book.")
    except Exception as error:
        if not is_of_database(error):
            raise
        cause = str(error).partition("\n")[0]
        of_views = (isinstance(error, DatabaseDamagedError) and not error.is_log) or one in (
            databases.views_pages,
            databases.views_format,
            books.reports,
            books.views_content,
        )
        subject = one.__name__.replace("_", " ")
        yield fault(
            subject, f"could not be checked: {cause}", databases.REBUILD if of_views else databases.RESTORE
        )
