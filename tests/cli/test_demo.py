"""The story that a newcomer sees first, to the letter."""

import json
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import TODAY, pathbook

TOLD = Path(__file__).with_name("demo.txt")
"""What the demo prints when it is played on the tests' day."""

WIDEST = 100
"""Columns that the demo may take."""


def test_the_demo_prints_this_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo ends well, prints what stands in the file beside this test, and removes its directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = pathbook("demo", "--today", TODAY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == TOLD.read_text()
    assert list(tmp_path.iterdir()) == []


def test_the_demo_fits_a_terminal() -> None:
    """No line of the demo is wider than a terminal of 100 columns."""
    assert max(map(len, TOLD.read_text().splitlines())) <= WIDEST


def test_the_demo_is_played_on_the_day_it_is_seen(tmp_path: Path) -> None:
    """Without a day given it is played today, in an empty directory that stays, and may not be played again."""
    assert pathbook("demo", "--data", str(tmp_path)).code == 0
    ran = pathbook("stock", "agent-5", "--data", str(tmp_path), "--output", "jsonl")
    assert [json.loads(line)["owned"] for line in ran.out.splitlines()] == ["20", "19"]
    assert pathbook("demo", "--data", str(tmp_path)).code == 2


def test_a_script_reads_the_answers_alone() -> None:
    """With JSON lines asked for, stdout holds the four answers, and the story is told on stderr."""
    ran = pathbook("demo", "--today", TODAY, "--output", "jsonl")
    verified, *_, path = (json.loads(line) for line in ran.out.splitlines())
    assert (ran.code, verified["verdict"]) == (0, "verified")
    assert (path["run"]["owner"], path["run"]["custodian"]) == ("agent-5", "mask-brand")
    assert ran.err.startswith("The story of a box of masks\n")
