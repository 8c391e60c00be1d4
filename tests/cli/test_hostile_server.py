"""Whatever a server answers, nothing that a terminal would obey reaches it, and nothing is taken for a bug."""

import json
import unicodedata
from pathlib import Path

import pytest

from tests.cli import hostile_server
from tests.cli.conftest import Ran, pathbook
from tests.cli.verbs import line_of, uses, verbs

VERBS = [
    line_of(path, command)
    for path, command in verbs()
    if {"server", "data"} <= uses(command) and path != ("import",)
    if path[0] != "keys" or path[1] == "list"
] + [["insight", "findings", "--follow", "--after", "0"]]
"""A command line for each verb that asks a server. The other verbs of keys need a key file first."""


def check_safe(ran: Ran) -> None:
    """Expect text without anything that a terminal obeys or hides. Line breaks are between lines of our own."""
    for symbol in ran.out + ran.err:
        assert symbol == "\n" or symbol.isprintable() or unicodedata.category(symbol) == "Zs", hex(
            ord(symbol)
        )
        assert symbol not in "\u3164\u202e\u200b"
    assert "\nnew line" not in ran.out + ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("refuses", [True, False])
def test_no_text_of_a_server_controls_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refuses: bool
) -> None:
    """Each verb escapes the text of a refusal and of an answer, in a table and in JSON."""
    monkeypatch.chdir(tmp_path)  # an auditor keeps its state there
    seen = ""
    with hostile_server.serving(refuses=refuses) as server:
        for line in VERBS:
            for form in ("table", "jsonl", "json"):
                ran = pathbook("--server", server, *line, "--output", form)
                check_safe(ran)
                seen += ran.out + ran.err
                is_checked = line[0] in (
                    "publish",
                    "audit",
                    "export",
                )  # what has no valid signature is not published, audited or exported
                assert ran.code in ((1, 4) if refuses or is_checked else (0, 1)), (line, ran)
                goes_on = line[:2] in (["events", "follow"], ["audit", "watch"]) or "--follow" in line
                if form == "json" and not goes_on:
                    json.loads(ran.out or ran.err)
    assert all(name in seen for name in hostile_server.READABLE)


def test_json_has_the_same_value_as_the_answer() -> None:
    """A script reads from JSON exactly what the server sent."""
    with hostile_server.serving(refuses=False) as server:
        (product,) = pathbook("--server", server, "product", "list", "--output", "jsonl").out.splitlines()
    assert json.loads(product)["name"] == hostile_server.HOSTILE
    assert "\\u202e" in product


def test_a_date_that_does_not_exist_is_no_bug() -> None:
    """A malformed date of a server is shown as such, beside all else."""
    with hostile_server.serving(refuses=False, text="2026-02-30") as server:
        ran = pathbook("--server", server, "stock", "agent-1")
    assert (ran.code, ran.err) == (0, "")
    assert "not a date" in ran.out


def test_a_time_that_does_not_exist_is_no_bug() -> None:
    """A time beyond the year 9999 is named in a table. It has no JSON form, which is said, with exit code 4."""
    with hostile_server.serving(refuses=False, number=10**15) as server:
        assert "not a date" in pathbook("--server", server, "book", "list").out
        ran = pathbook("--server", server, "book", "list", "--output", "json")
    assert (ran.code, ran.out) == (4, "")
    assert json.loads(ran.err)["error"]["reason"] == "ANSWER_MALFORMED"


def test_an_event_that_cannot_be_read_is_no_bug() -> None:
    """Bytes that are no event are named, with exit code 4."""
    with hostile_server.serving(refuses=False, event=b"\xff") as server:
        for verb in (["events", "read"], ["correction", "list", "--party", "x"]):
            ran = pathbook("--server", server, *verb)
            assert (ran.code, ran.err.split(": ")[1]) == (4, "ANSWER_MALFORMED"), ran
