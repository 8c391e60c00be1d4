"""The files of an open database: nothing more is written once one of them was removed, replaced or cut."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from pathbook.ledger.store.database.engine import open_bulk_engine, open_engine, reading, writing
from pathbook.ledger.store.database.open_files import FileChangedError, files_of
from pathbook.ledger.store.log.stream import Stream


def watched(path: Path) -> Engine:
    """Open a log with an event, and watch its files."""
    engine = open_engine(path, purpose="events")
    Stream(engine).append("book", 0, [("t", b"1")])
    files = files_of(engine)
    assert files is not None
    files.watch(engine)
    with reading(engine):  # a connection that the pool keeps
        pass
    return engine


def replace(path: Path) -> None:
    """Replace a file by a copy of itself."""
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("events.sqlite", Path.unlink, "was removed or moved away"),
    ("events.sqlite", lambda path: path.rename(path.with_name("moved")), "was removed or moved away"),
    ("events.sqlite", replace, "was replaced by another file"),
    ("events.sqlite", lambda path: os.truncate(path, 100), r"was cut from \d+ to 100 bytes"),
    ("events.sqlite-wal", Path.unlink, "was removed or moved away"),
    ("events.sqlite-wal", replace, "was replaced by another file"),
    ("events.sqlite-wal", lambda path: os.truncate(path, 0), r"was cut from \d+ to 0 bytes"),
    ("", lambda path: path.rename(path.with_name("elsewhere")), "was removed or moved away"),
]


@pytest.mark.parametrize(("name", "damage", "problem"), DAMAGES)
def test_nothing_is_written_to_a_file_that_is_gone(
    tmp_path: Path, name: str, damage: Callable[[Path], object], problem: str
) -> None:
    """A transaction that would write fails by name, all later ones too, and a new connection is refused."""
    directory = tmp_path / "data"
    directory.mkdir()
    engine = watched(directory / "events.sqlite")
    with capture_logs() as logs:
        damage(directory / name)
        for _ in range(2):
            with pytest.raises(FileChangedError, match=problem), writing(engine):
                pass
        with engine.connect(), pytest.raises(FileChangedError, match=problem):
            engine.connect()
    assert [line["log_level"] for line in logs] == ["error"]
    if directory.exists() and name == "events.sqlite" and "replaced" not in problem and "cut" not in problem:
        assert not (directory / name).exists()  # no new file takes its place
    engine.dispose()


def test_what_is_lost_during_a_transaction_is_not_acknowledged(tmp_path: Path) -> None:
    """A file that is removed between the begin of a transaction and its end makes the transaction fail."""
    engine = watched(tmp_path / "events.sqlite")
    with pytest.raises(FileChangedError), writing(engine):
        (tmp_path / "events.sqlite").unlink()
    engine.dispose()


def test_a_file_that_came_back_stays_refused(tmp_path: Path) -> None:
    """After a loss was noticed, the process writes no more, even if the file is back in its place."""
    engine = watched(tmp_path / "events.sqlite")
    path, away = tmp_path / "events.sqlite", tmp_path / "away"
    path.rename(away)
    files = files_of(engine)
    assert files is not None
    assert files.look() is not None
    away.rename(path)
    with pytest.raises(FileChangedError), writing(engine):
        pass
    files.close()
    engine.dispose()
    again = watched(tmp_path / "other.sqlite")
    with writing(again):
        pass
    again.dispose()


def test_other_connections_and_engines_may_come_and_go(tmp_path: Path) -> None:
    """Other engines write, make checkpoints and close, and the files of this one are unchanged."""
    engine = watched(tmp_path / "events.sqlite")
    files = files_of(engine)
    assert files is not None
    for number in range(1, 4):
        other = open_engine(tmp_path / "events.sqlite", purpose="events")
        stream = Stream(other)
        stream.append("book", number, [("t", bytes(10_000))])
        stream.close()
        other.dispose()
        assert files.look() is None
        assert Stream(engine).head("book") == number + 1
    files.close()
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == ["events.sqlite"]


def test_a_bulk_engine_shares_what_is_known_of_the_files(tmp_path: Path) -> None:
    """An engine for bulk writes refuses a file that the engine it belongs to has lost."""
    engine = open_engine(tmp_path / "views.sqlite", purpose="views")
    with reading(engine):
        pass
    files = files_of(engine)
    assert files is not None
    files.watch(engine)
    bulk = open_bulk_engine(engine)
    (tmp_path / "views.sqlite").unlink()
    with pytest.raises(FileChangedError, match="The views are rebuilt"), writing(bulk):
        pass
    engine.dispose()


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
@pytest.mark.parametrize("name", ["events.sqlite", "a ? # % ü.sqlite"])
def test_new_files_are_for_their_owner_only(tmp_path: Path, umask: int, name: str) -> None:
    """Whatever the umask is, only the owner may read the file and those that SQLite puts beside it."""
    before = os.umask(umask)
    try:
        engine = watched(tmp_path / name)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {name: 0o600, f"{name}-wal": 0o600, f"{name}-shm": 0o600}
    engine.dispose()


def test_a_file_of_the_operator_keeps_its_mode(tmp_path: Path) -> None:
    """The mode of a file that is there already is the operator's choice, and stays."""
    path = tmp_path / "events.sqlite"
    path.touch()
    path.chmod(0o640)
    engine = watched(path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o640}
    engine.dispose()
