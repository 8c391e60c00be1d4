"""Pipes, devices, bombs, changing files and hostile recipes are named, and nothing hangs."""

import gzip
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from pathbook.importing import files, plan
from pathbook.importing.files import TableError
from pathbook.importing.loading import MAX_RECIPE_BYTES, RecipeError, load_recipe, parse_recipe
from pathbook.importing.recipe import Recipe
from pathbook.importing.shipped import RECIPES
from pathbook.importing.tables import Lines, Row, read_rows, stem_of
from tests.importing.sheets import RUM, sold, write

IOWA: Final = (RECIPES / "iowa.toml").read_text("utf-8")


@pytest.mark.parametrize(
    "kind", ["pipe", "socket", "device", "link to a device", "broken link", "unreadable"]
)
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path,
    kind: str,
    target: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipe or a device may never end, so it is a usage error that names it."""
    monkeypatch.chdir(tmp_path)
    path = Path("x.csv")
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        case "device":
            path = Path("/dev/zero")
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "broken link":
            path.symlink_to("nothing")
        case _:
            path.write_bytes(b"")
    assert run(["import", str(path), "--recipe", "iowa", "--server", target]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_directory_may_be_named_as_a_table(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory stands for the tables in it, whatever its name is."""
    directory = tmp_path / "x.csv"
    directory.mkdir()
    assert run(["import", str(directory), "--recipe", "iowa", "--server", target]) == 2
    assert "has no table" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sheet.xlsx", "sheet.XLS", "sheet.ods"])
def test_a_workbook_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    """The error says how to get a table out of a workbook."""
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(TableError, match="Save each of its sheets as CSV UTF-8"):
        next(read_rows(tmp_path / name, load_recipe("iowa")))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed file that becomes far larger than any table does is refused, and not unpacked to its end."""
    monkeypatch.setattr(files, "FREE_INFLATION", 100_000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a.csv", []).read_bytes() + b"0" * 50_000_000))
    with pytest.raises(TableError, match="becomes more than 200 times as large"):
        list(read_rows(path, load_recipe("iowa")))


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_packed_file_that_ends_too_soon_is_refused(tmp_path: Path, cut: int) -> None:
    """Part of a packed file is an error that names it, and never a shorter table."""
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a.csv", [sold(RUM, 1)] * 50).read_bytes())[:-cut])
    with pytest.raises(TableError, match=r"cut\.csv\.gz cannot be read"):
        list(read_rows(path, load_recipe("iowa")))


def test_a_packed_table_has_the_name_of_the_table(tmp_path: Path) -> None:
    """Both suffixes are left out of the name of a source."""
    assert [stem_of(tmp_path / name) for name in ("a.csv.gz", "a.b.csv", "A.CSV.GZ", "x.parquet")] == [
        "a", "a.b", "A", "x"
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["grows", "vanishes", "is replaced"])
def test_a_table_that_changes_is_refused(
    tmp_path: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, change: str,
) -> None:  # fmt: skip
    """A table that is not the same in the second pass records nothing on the word of the first."""
    table = write(tmp_path / "table.csv", [sold(RUM, 1)] * 3)

    def then_change(path: Path, recipe: Recipe, stamp: files.Stamp, lines: Lines) -> Iterator[Row]:
        yield from read_rows(path, recipe, stamp, lines)
        match change:
            case "grows":
                with table.open("a") as file:
                    file.write(",".join(sold(RUM, 1)) + "\n")
            case "vanishes":
                table.unlink()
            case _:
                table.rename(tmp_path / "other")
                write(table, [sold(RUM, 2)] * 3)

    monkeypatch.setattr(plan, "read_rows", then_change)
    assert run(["import", str(table), "--recipe", "iowa", "--server", target, "--book", "spirits"]) == 2
    named = "No such file" if change == "vanishes" else "changed during the import. Import it again."
    assert named in " ".join(capsys.readouterr().err.split())
    assert not list(client.list_transfers("state-of-iowa"))


def test_rows_that_are_added_while_a_table_is_read_are_left_alone(tmp_path: Path) -> None:
    """A table that grows for ever is read to the size that it had, and then named."""
    table = write(tmp_path / "table.csv", [sold(RUM, 1)] * 3)
    rows = read_rows(table, load_recipe("iowa"))
    first = next(rows)
    with table.open("a") as file:
        file.write("more\n" * 1_000)
    assert first.number == 1
    found: list[int] = []
    with pytest.raises(TableError, match="changed during the import"):
        found.extend(row.number for row in rows)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        *[pytest.param(f'encoding = "{name}"', "is no encoding of text", id=name) for name in
          ("zlib_codec", "rot13", "hex", "idna", "punycode", "undefined", "utf-9", "unicode_escape", "\\u0000", "",
           "..", "x" * 5_000)],
        pytest.param('id = ""', "id is empty", id="an empty id"),
        pytest.param('id = ["a", ""]', "id is empty", id="an empty column of an id"),
        pytest.param("id = 3", "id", id="an id that is a number"),
        pytest.param("serial = []", "serial", id="a serial that is a list"),
        pytest.param("x = " + "[" * 100_000, "nested too deeply", id="brackets"),
        pytest.param("x = " + "9" * 10_000, "Exceeds the limit", id="an endless number"),
        pytest.param("\x00", "", id="a NUL"),
    ],
)  # fmt: skip
def test_a_hostile_recipe_is_refused(line: str, named: str) -> None:
    """The error of a hostile recipe names the recipe and the key, in a few words."""
    with pytest.raises(RecipeError) as raised:
        parse_recipe(f"{line}\n{IOWA}".encode(), "mine")
    assert str(raised.value).startswith("Recipe mine: ")
    assert named in str(raised.value)


@pytest.mark.parametrize(
    "date_format",
    [
        "%Y(%Y",
        "%Q",
        "%",
        "%Y-%m-%d" * 1_250,
        "%Y%m%d%Y",
        "%Y-%m-%d\\u0000",
        "%d.%m.",
        "",
        "%j",
    ],
)
def test_a_date_format_that_is_none_is_refused(date_format: str) -> None:
    """A format that Python cannot read or that lacks a part of a day is an error that names the key."""
    with pytest.raises(RecipeError, match=r"date\.format"):
        parse_recipe(IOWA.replace("%Y-%m-%d", date_format).encode(), "mine")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00" * (MAX_RECIPE_BYTES + 2), IOWA.encode("utf-16")])
def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    """A recipe in another encoding, or far too large, is an error that names it."""
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"mine\.toml"):
        load_recipe(str(path))


def test_a_recipe_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    """A recipe is a file, so nothing waits for a pipe."""
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match=r"pipe\.toml"):
        load_recipe(str(tmp_path / "pipe.toml"))
