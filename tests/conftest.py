"""Fixtures and settings for all tests: a place for books on each kind of database, and the profile of Hypothesis."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import structlog
from hypothesis import HealthCheck, settings

from pathbook.client import party_keys
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.store.database import notify
from pathbook.services.backup import age
from tests.books import DATABASE_FILE, prepare_views, prepared_database
from tests.examples import MANY, examples
from tests.postgres import drop_database, new_database

MEMORY: Final = Path("/dev/shm")
"""A directory whose files Linux keeps in memory."""

ENOUGH_BYTES: Final = 2 << 30
"""The bytes that must be free there, many times what the tests write; a container may have only 64 MiB."""

MAX_WORKERS: Final = 4
"""The most test processes, because each starts a PostgreSQL and servers of its own."""

DIFFER: Final = frozenset(
    {"backup", "contract", "endurance", "queries", "store"}
    | {
        f"test_{name}.py"
        for name in ("damaged_events", "damaged_views", "dead_databases", "group", "writers")
    }
)
"""The directories and modules of tests about code that differs by the kind of database."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the files of tests in memory if there is room, because they would wait for a disk hundreds of times.

    The log is flushed in the same way, and a killed process loses as much as on a disk. Heavy tests need a disk.
    """
    has_heavy = config.option.markexpr != "not heavy"
    if has_heavy:
        os.environ[MANY] = "1"
    # How long an example takes depends on the load of the machine, and says nothing about correctness.
    settings.register_profile(
        "pathbook",
        deadline=None,
        max_examples=examples(25, 100),
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("pathbook")
    # Tests start hundreds of processes, and each would compile the program again: that takes a second.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    chosen = "TMPDIR" in os.environ or has_heavy
    if not chosen and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
    # A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave most tests on PostgreSQL to the heavy ones if their code does not differ by the kind of database.

    They cost a third of the processors' time, and find little that the tests of the store do not. Of each module, the
    first such test stays, because it meets the tables and the statements of what the module is about.
    """
    begun = set[Path]()
    for item in items:
        if _is_on_postgresql(item):
            if item.path in begun and DIFFER.isdisjoint(item.path.parts):
                item.add_marker(pytest.mark.heavy)
            begun.add(item.path)


def _is_on_postgresql(item: pytest.Item) -> bool:
    """Tell whether a test is that on PostgreSQL of two. One that is about PostgreSQL names it itself."""
    is_chosen = any("place" in mark.args[0] for mark in item.iter_markers("parametrize"))
    found = (
        isinstance(item, pytest.Function) and hasattr(item, "callspec") and item.callspec.params.get("place")
    )
    return found == "postgresql" and not is_chosen


def pytest_collection_finish() -> None:
    """Let the garbage collector run rarely and pass over what was collected, because tests serve in this process.

    It would go through all of the tests and modules again and again, and a server collects as rarely.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the default number of test processes: one more than processors, as tests wait, up to a limit."""
    return min((os.cpu_count() or 1) + 1, MAX_WORKERS)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory that holds books, or names the database that holds them; each test runs on both, some in heavy runs.

    The views have all tables, which spares a test a quarter of a second. With the mark `empty_database` they have none.
    """
    is_empty = request.node.get_closest_marker("empty_database") is not None
    if request.param == "sqlite":
        if not is_empty:
            prepare_views(tmp_path)
        yield tmp_path
        return
    url = new_database() if is_empty else prepared_database()
    (tmp_path / DATABASE_FILE).write_text(url, "utf-8")
    yield tmp_path
    drop_database(url)


@pytest.fixture(autouse=True, scope="session")
def cheap_passphrases() -> Iterator[None]:
    """Passphrases of new files are derived with little work, except in processes that tests start.

    What is written with the usual work is read in tests of the formats, and by those processes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(age, "WORK_LOG2", 10)
        patch.setattr(party_keys, "PASSES", 1)
        patch.setattr(party_keys, "MEMORY_KIB", 64)
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_listeners() -> Iterator[None]:
    """Listeners of PostgreSQL end soon, because tests open and close hundreds of books."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notify, "LISTEN_INTERVAL_S", 0.02)
        yield


@pytest.fixture(autouse=True)
def reset_log() -> Iterator[None]:
    """Reset the configuration of the log after each test, because its stream is closed by then."""
    yield
    structlog.reset_defaults()
