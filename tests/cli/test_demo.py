"""The demo prints its story and its answers to the letter."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import TODAY, pathbook

PRINTED = Path(__file__).with_name("demo.txt")
"""The output of the demo on the day of the tests."""

SEALED_AT = re.compile(r"(?<=of )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= \(UTC\); cosigned)|(?<=until: )\S+")
"""The time of the seal, as both verifiers print it. It is the only text that differs each time."""

WIDEST = 100
"""The most columns of the demo."""


def expected(*, lacking: str = "") -> str:
    """Return what the demo prints, with the second verifier or with what it lacks for that."""
    told = PRINTED.read_text("utf-8")
    if not lacking:
        return told
    answers = told[: told.index("The server is stopped.")]
    return f"{answers}A second verifier was not tried, because {lacking} is not here.\n"


def as_printed(text: str) -> str:
    """Return an output of the demo as the file has it."""
    return SEALED_AT.sub("2026-03-01 12:00:00", text)


def test_the_demo_prints_this_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo prints the text of the file beside this test, exits with 0, and removes its directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = pathbook("demo", "--today", TODAY)
    assert (ran.code, ran.err) == (0, "")
    assert as_printed(ran.out) == expected(lacking="" if shutil.which("node") else "Node.js")
    assert list(tmp_path.iterdir()) == []


def test_a_demo_without_node_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of the box is verified by one program then, and that is no failure."""
    monkeypatch.setenv("PATH", "")
    ran = pathbook("demo", "--today", TODAY)
    assert (ran.code, as_printed(ran.out)) == (0, expected(lacking="Node.js"))


def test_the_demo_fits_a_terminal() -> None:
    """No line of the demo is wider than a terminal of 100 columns."""
    assert max(map(len, PRINTED.read_text().splitlines())) <= WIDEST


def test_the_demo_is_told_from_today(tmp_path: Path) -> None:
    """Without --today the story ends today. An empty --data directory stays, and is refused the next time."""
    assert pathbook("demo", "--data", str(tmp_path)).code == 0
    ran = pathbook("stock", "agent-5", "--data", str(tmp_path), "--output", "jsonl")
    assert [json.loads(line)["owned"] for line in ran.out.splitlines()] == ["20", "19"]
    assert pathbook("demo", "--data", str(tmp_path)).code == 2


def test_a_script_reads_only_the_answers() -> None:
    """As JSON lines, stdout has only the four answers, and stderr has the story."""
    ran = pathbook("demo", "--today", TODAY, "--output", "jsonl")
    verified, *_, path = (json.loads(line) for line in ran.out.splitlines())
    assert (ran.code, verified["verdict"]) == (0, "verified")
    assert (path["run"]["owner"], path["run"]["custodian"]) == ("agent-5", "mask-brand")
    assert ran.err.startswith("The story of a box of masks\n")
