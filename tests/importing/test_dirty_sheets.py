"""Fifty dirty variants of one sheet: each row is accepted, a duplicate or rejected, and nothing ends in a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.cli.main import run
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.importing.dirty import RECIPE, VARIANTS
from tests.importing.sheets import open_book, parse_summary


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all variants. Each has a book of its own."""
    with running(Settings(data=tmp_path_factory.mktemp("dirty"), listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"


def test_there_are_fifty_variants() -> None:
    """The proof of the importer names how many variants it has."""
    assert len(VARIANTS) >= 50


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_data_line_is_accepted_duplicate_or_rejected(
    variant: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The counts of a variant add up to its data lines, at the first import and at the second.

    The second import finds only duplicates and the rows that were rejected before.
    """
    dirty, book = VARIANTS[variant], f"v{list(VARIANTS).index(variant)}"
    text = RECIPE
    for old, new in dirty.recipe:
        assert old in text
        text = text.replace(old, new, 1)
    recipe, table = tmp_path / "sheet.toml", tmp_path / f"sheet{dirty.suffix}"
    recipe.write_text(text, "utf-8")
    table.write_bytes(dirty.content)
    open_book(target, book)
    arguments = ["import", str(table), "--recipe", str(recipe), "--server", target, "--book", book]
    for again in (False, True):
        code = run([*arguments, "--output", "json"])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert printed.out, printed.err
        summary = parse_summary(printed.out)
        assert summary.accepted + summary.duplicate + summary.rejected == dirty.lines
        assert summary.lines["data"] == dirty.lines
        assert summary.rejected == dirty.rejected, summary.reasons
        assert code == (1 if summary.rejected == dirty.lines else 0)
        assert (summary.duplicate if not again else summary.accepted) == 0
