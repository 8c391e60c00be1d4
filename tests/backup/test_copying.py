"""The copy of an SQLite log is of one moment, and ends while writers go on."""

from pathlib import Path

import pytest

from pathbook.ledger.store.database import copying
from pathbook.ledger.store.database.engine import open_engine, open_read_only, reading
from pathbook.ledger.store.log.audit import heads
from pathbook.ledger.store.log.stream import Stream

WRITES = 200
"""How often the writer writes at most. A copy that begins again after each write takes all of them."""


def test_a_copy_does_not_begin_again_when_a_writer_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit after each copied page is not in the copy, and does not keep it from ending."""
    monkeypatch.setattr(copying, "PAGES_PER_STEP", 1)
    source = tmp_path / "events.sqlite"
    log = open_engine(source, purpose="events")
    stream = Stream(log)
    stream.append("masks", 0, [("topic", bytes(1_000))] * 30)
    done: list[tuple[int, int]] = []

    def write(pages: int, of_all: int) -> None:
        done.append((pages, of_all))
        if len(done) <= WRITES:
            stream.append("masks", 29 + len(done), [("topic", b"later")])

    copying.copy_database(source, tmp_path / "copy.sqlite", write)
    assert done == [(page, done[0][1]) for page in range(1, len(done) + 1)]
    assert len(done) < WRITES
    assert stream.head("masks") == 30 + len(done)
    copy = open_read_only(tmp_path / "copy.sqlite", immutable=True)
    with reading(copy) as connection:
        assert heads(connection) == {"masks": 30}
    copy.dispose()
    log.dispose()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sqlite", "events.sqlite"]


def test_a_source_that_is_missing_is_not_created(tmp_path: Path) -> None:
    """A copy of nothing is an error that names the file, and makes no file."""
    with pytest.raises(OSError, match="nowhere"):
        copying.copy_database(tmp_path / "nowhere", tmp_path / "copy", lambda *_: None)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_with_signs_of_a_url_in_its_name_is_copied_and_read(tmp_path: Path) -> None:
    """A question mark, a percent sign, a hash and a blank in a path are no parts of a URL."""
    place = tmp_path / "100% of? this #1 büro"
    place.mkdir()
    log = open_engine(place / "events.sqlite", purpose="events")
    Stream(log).append("masks", 0, [("topic", b"x")])
    copying.copy_database(place / "events.sqlite", place / "copy", lambda *_: None)
    copy = open_read_only(place / "copy", immutable=True)
    with reading(copy) as connection:
        assert heads(connection) == {"masks": 1}
    copy.dispose()
    log.dispose()
