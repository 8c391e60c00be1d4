"""On a terminal that is too narrow a table is stacked, with every cell. A pipe gets the same lines as ever."""

import fcntl
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest

from pathbook.cli import output, printing
from tests.cli.conftest import TODAY, pathbook, signing
from tests.services.forking import PATIENCE_S, loader

CODE = "000020000021N0TH6Y7Y"
"""The code of the demo's box that was sold."""


def on_terminal(columns: int, *arguments: str, **environment: str) -> str:
    """Run the command line on a terminal of so many columns, and return what it shows."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = loader().fork(arguments, {**kept, "TERM": "xterm", **environment}, [theirs] * 3)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(terminal, 65_536):
            shown += part
    except OSError:  # the other end of a terminal is gone
        pass
    os.close(terminal)
    assert process.wait(PATIENCE_S) == 0, shown
    return shown.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Return a text without styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with a product whose name is long and Chinese."""
    data = tmp_path_factory.mktemp("narrow") / "book"
    assert pathbook("demo", "--data", str(data), "--today", TODAY).code == 0
    made = ("--brand", "mask-brand", "--name", "面膜" * 40, "--price", "1 CNY")
    signed = signing(data, "mask-brand")
    assert pathbook("--data", str(data), "product", "register", "06901234500028", *made, *signed).code == 0
    return data


@pytest.mark.parametrize("columns", [40, pytest.param(60, marks=pytest.mark.heavy), 80])
@pytest.mark.parametrize(
    "verb",
    [
        ["product", "list"],
        ["stock", "agent-5", "--today", TODAY],
        ["transfer", "list", "agent-2"],
        ["path", "1:0"],
        ["path", "1:90"],
        ["ladder", "1"],
        ["batch", "show", "1"],
        ["party", "show", "agent-1"],
        ["verify", CODE, "--today", TODAY],
    ],
)
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(
    named: Path, verb: list[str], columns: int
) -> None:
    """Each answer fits the terminal, and has every word of the wide answer."""
    shown = plain(on_terminal(columns, "--data", str(named), *verb))
    assert max(map(printing.width, shown.splitlines())) <= columns
    wide = pathbook("--data", str(named), *verb).out
    together = re.sub(r"\s", "", shown)
    assert all(word in together for word in wide.split())


def test_a_wide_terminal_shows_what_a_pipe_gets(named: Path) -> None:
    """Where the table fits, only the titles in bold tell a terminal from a file. NO_COLOR leaves out even that."""
    verb = ["--data", str(named), "transfer", "list", "agent-2"]
    piped = pathbook(*verb).out
    shown = on_terminal(200, *verb)
    assert (plain(shown), "\x1b[1m" in shown) == (piped, True)
    assert on_terminal(200, *verb, NO_COLOR="1") == piped
    assert max(map(len, piped.splitlines())) > 80


def test_a_pipe_is_not_wrapped_whatever_columns_says(named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gets one line for each row, in every environment."""
    verb = ("--data", str(named), "product", "list")
    before = pathbook(*verb).out
    monkeypatch.setenv("COLUMNS", "40")
    assert pathbook(*verb).out == before
    assert "面膜" * 40 in before


@pytest.mark.parametrize("text", ["a" * 99, "面" * 60, "a " * 60, "e\u0301" * 80, "面 a " * 30, "", "面"])
@pytest.mark.parametrize("columns", [20, 39, 40])
def test_a_wrapped_text_is_whole(text: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapping breaks at blanks or between characters, loses none, and fits."""
    monkeypatch.setattr(printing, "columns", lambda: columns)
    lines = output.wrapped(text, 5).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(printing.width(line) <= columns - (0 if number else 5) for number, line in enumerate(lines))
