"""Printed dumps of PostgreSQL are read back to the byte, whatever the texts and bytes in them are."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.store.log.dumped import DamagedDumpError, Rows, load_dump, parse_dump
from pathbook.services.backup import postgres_programs
from pathbook.services.backup.errors import BackupError
from tests.backup.places import Place
from tests.postgres import cluster, driver_url

TEXTS = ["", "plain", "tab\there", "line\nbreak", "back\\slash \\N \\. \\x00", "ünï 面膜", "\b\f\r\v", "\\"]


def test_rows_are_read_back_as_postgresql_prints_them(tmp_path: Path) -> None:
    """What COPY prints for awkward texts and all bytes is read into the same values."""
    copy = b'COPY pathbook_events.note (book, "position", salt, text) FROM stdin;\n'
    with psycopg.connect(driver_url(cluster().format(name="postgres"))) as connection:
        connection.execute(b"CREATE TEMP TABLE note (book text, position bigint, salt bytea, text text)")
        for number, text in enumerate(TEXTS, 1):
            connection.execute(
                b"INSERT INTO note VALUES (%s, %s, %s, %s)", (text, number, bytes(range(256)), text)
            )
        with connection.cursor().copy(b"COPY note TO STDOUT") as printed:
            lines = [line + b"\n" for data in printed for line in bytes(data).splitlines()]
    counts = load_dump([copy, *lines, b"\\.\n"], tmp_path / "read.sqlite", lambda _: None)
    assert counts == {"note": len(TEXTS)}
    with sqlite3.connect(tmp_path / "read.sqlite") as read:
        rows = read.execute("SELECT book, text, salt FROM note ORDER BY position").fetchall()
    assert rows == [(text, text, bytes(range(256))) for text in TEXTS]


@given(st.integers(0, 6))
def test_a_dump_that_breaks_off_is_damaged(kept: int) -> None:
    """A dump without the end of its rows is never taken for a whole one."""
    lines = [b"SET x = 0;\n", b"CREATE SCHEMA s;\n", b"COPY s.t (a) FROM stdin;\n", b"1\n", b"2\n", b"\\.\n"]

    def read() -> list[bytes | list[bytes]]:
        return [list(part.lines) if isinstance(part, Rows) else part for part in parse_dump(lines[:kept])]

    if 3 <= kept <= 5:
        with pytest.raises(DamagedDumpError):
            read()
    else:
        assert (
            read()
            == [[], [], [b"CREATE SCHEMA s;\n"], [b"CREATE SCHEMA s;\n", [b"1\n", b"2\n"]]][
                {0: 0, 1: 1, 2: 2, 6: 3}[kept]
            ]
        )


def test_a_missing_program_is_named_with_its_version(
    books: Place, to: Path, monkeypatch: pytest.MonkeyPatch, kind: str, tmp_path: Path
) -> None:
    """Without pg_dump the message says which version is needed, and how to install it."""
    if kind == "sqlite":
        pytest.skip("files need no program")
    monkeypatch.setattr(postgres_programs, "DEBIAN_PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = books.pathbook("backup", str(to), "--without-keys")
    assert (ran.code, ran.out) == (4, "")
    assert "PROGRAM_MISSING: pg_dump of PostgreSQL 1" in ran.err
    assert "apt-get install postgresql-client-1" in ran.err
    assert not to.exists()


def test_an_old_program_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest program that is not older than the server is taken."""
    for version in (14, 16, 17):
        program = tmp_path / str(version) / "bin" / "pg_dump"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.3 (Debian)'\n")
        program.chmod(0o755)
    monkeypatch.setattr(postgres_programs, "DEBIAN_PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert postgres_programs.find_program("pg_dump", 15).parts[-3] == "16"
    assert postgres_programs.find_program("pg_dump", 17).parts[-3] == "17"
    with pytest.raises(BackupError, match="pg_dump of PostgreSQL 18 or later"):
        postgres_programs.find_program("pg_dump", 18)


def test_a_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    """The password goes to pg_dump in its environment, which other users do not see."""
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" > "$0.arguments"; echo "$PGPASSWORD" > "$0.password"\n')
    program.chmod(0o755)
    postgres_programs.dump(program, "host=h", "secret", "s", tmp_path / "out", lambda _: None)
    assert "secret" not in (tmp_path / "pg_dump.arguments").read_text()
    assert (tmp_path / "pg_dump.password").read_text() == "secret\n"
    program.write_text("#!/bin/sh\necho 'no such host' >&2; exit 3\n")
    with pytest.raises(BackupError, match=r"pg_dump failed \(3\): no such host"):
        postgres_programs.dump(program, "host=h", "", "s", tmp_path / "out", lambda _: None)
