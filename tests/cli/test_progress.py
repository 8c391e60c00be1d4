"""Long work is told of on stderr, short work is not."""

import pytest

from pathbook.cli import progress
from pathbook.cli.progress import Progress


def test_work_that_is_soon_over_is_not_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Within the first two seconds nothing is printed."""
    with Progress() as told:
        told.of("rows")(1, 2)
    assert capsys.readouterr() == ("", "")


def test_off_a_terminal_a_line_is_told_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody watches there are lines, some seconds apart, on stderr."""
    monkeypatch.setattr(progress, "FIRST_DRAW_DELAY_S", 0.0)
    with Progress() as told:
        told.of("rows read")(1, None)
        told.of("rows read")(2, None)
        monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    with Progress() as told:
        told.of("rows recorded")(3, 10)
        told.of("rows recorded")(4, 10)
    assert capsys.readouterr() == ("", "rows read: 1\nrows recorded: 3 of 10\nrows recorded: 4 of 10\n")


def test_on_a_terminal_a_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody watches there is one bar at a time, for the work that is done now, and none is left behind."""
    monkeypatch.setattr(progress, "FIRST_DRAW_DELAY_S", 0.0)
    monkeypatch.setattr(progress, "DRAW_INTERVAL_S", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as told:
        told.of("rows read")(1, None)
        told.of("rows recorded")(3, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "rows recorded" in err
    assert "3/10" in err
