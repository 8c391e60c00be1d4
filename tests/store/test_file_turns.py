"""Bulk writers of one SQLite file take turns, so that its write-ahead log does not grow for ever."""

import fcntl
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from pathbook.ledger.store.database import engine as engines
from pathbook.ledger.store.database import file_turns
from pathbook.ledger.store.database.engine import open_bulk_engine, open_engine, writing

COPIED_PAGES = 1_000
"""After how many pages the write-ahead log is copied to the file."""

SECONDS = 3.0
PAGE_BYTES = 4_096


SPAWN = multiprocessing.get_context("spawn")


def write(path: Path, seed: int, copied_pages: int) -> None:
    """Write to a file for some seconds, without a pause."""
    engines.BULK_WAL_PAGES = copied_pages
    engine = open_engine(path, purpose="views")
    bulk, chance, until = open_bulk_engine(engine), random.Random(seed), time.monotonic() + SECONDS
    while time.monotonic() < until:
        filled = [(chance.randrange(200_000), bytes(400)) for _ in range(300)]
        with writing(bulk) as connection:
            connection.exec_driver_sql("INSERT OR REPLACE INTO filled VALUES (?, ?)", filled)
    engine.dispose()


def test_the_write_ahead_log_of_two_processes_begins_again(tmp_path: Path) -> None:
    """Two writers that never pause leave a log no longer than what is copied at once, and the last transactions."""
    path = tmp_path / "file.sqlite"
    engine = open_engine(path, purpose="views")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE filled (number INTEGER PRIMARY KEY, filling BLOB)")

    writers = [SPAWN.Process(target=write, args=(path, seed, COPIED_PAGES)) for seed in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert (tmp_path / "file.sqlite-wal").stat().st_size < 3 * COPIED_PAGES * PAGE_BYTES
    engine.dispose()


def test_a_writer_goes_on_without_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped in its turn keeps no other from writing."""
    monkeypatch.setattr(file_turns, "TURN_TIMEOUT_S", 0.05)
    engine = open_engine(tmp_path / "file.sqlite", purpose="views")
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    with writing(open_bulk_engine(engine)) as connection:
        connection.exec_driver_sql("CREATE TABLE filled (number INTEGER PRIMARY KEY)")
    os.close(directory)
    engine.dispose()
