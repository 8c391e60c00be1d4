"""The verbs of the reports: how far each is, and a rebuild of one alone."""

import shutil
from pathlib import Path

import pytest

from pathbook.ledger.reports.all_reports import REPORTS
from tests.cli.conftest import pathbook


@pytest.fixture
def data(closed_demo: Path, tmp_path: Path) -> str:
    """A directory of its own with the book of the demo."""
    return str(shutil.copytree(closed_demo, tmp_path / "books"))


def test_a_report_is_rebuilt_alone_and_its_position_is_shown(data: str) -> None:
    """The ladder has the same rungs after its rebuild, and the verbs show the position of views and reports."""
    before = pathbook("ladder", "1", "--data", data).out
    ran = pathbook("views", "rebuild", "--only", "ladder", "--data", data)
    assert (ran.code, ran.out.startswith("The report ladder in ")) == (0, True)
    assert pathbook("ladder", "1", "--data", data).out == before
    found = pathbook("views", "show", "--data", data, "--output", "json").json()["views"]
    assert isinstance(found, list)
    assert [view["views"] for view in found] == ["views", *sorted(report.name for report in REPORTS)]
    assert all(view["position"] == view["head"] and view["state"] == "level" for view in found)
    table = pathbook("views", "show", "--data", data).out.splitlines()
    assert table[0].split() == ["views", "version", "book", "position", "head", "state"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "lader"], "There is no report 'lader'. The reports are: ladder, paid, "),
        (["--only", "ladder", "--accept-lost-events"], "--accept-lost-events rebuilds all views"),
    ],
)
def test_a_rebuild_names_a_report(data: str, arguments: list[str], words: str) -> None:
    """A report that does not exist, or one beside a rebuild of all views, is a usage error."""
    ran = pathbook("views", "rebuild", *arguments, "--data", data)
    assert (ran.code, words in ran.err) == (2, True)
