"""The demo prints its story and its answers to the letter."""

import json
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import TODAY, pathbook

PRINTED = Path(__file__).with_name("demo.txt")
"""The output of the demo on the day of the tests."""

WIDEST = 100
"""The most columns of the demo."""


def test_the_demo_prints_this_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo prints the text of the file beside this test, exits with 0, and removes its directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = pathbook("demo", "--today", TODAY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == PRINTED.read_text()
    assert list(tmp_path.iterdir()) == []


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
