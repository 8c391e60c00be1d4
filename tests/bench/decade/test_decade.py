"""The bench of a decade's sales, with few of them."""

import pytest

from tests.bench.decade import __main__ as decade


@pytest.mark.heavy
def test_twenty_thousand_lines_survive_two_kills(capsys: pytest.CaptureFixture[str]) -> None:
    """Killed twice and resumed, the book is as the tables say; the figures are printed, not judged."""
    decade.main(["--lines", "20000", "--lines-a-table", "5000"])
    assert "Everything in the book is as the tables say." in capsys.readouterr().out
