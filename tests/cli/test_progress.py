"""Long work shows its progress on stderr, short work does not."""

import pytest

from pathbook.cli import progress
from pathbook.cli.progress import Progress


def test_short_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed within the first two seconds."""
    with Progress() as shown:
        shown.of("rows")(1, 2)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_lines_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If stderr is not a terminal, it gets lines, some seconds apart."""
    monkeypatch.setattr(progress, "FIRST_DRAW_DELAY_S", 0.0)
    with Progress() as shown:
        shown.of("rows read")(1, None)
        shown.of("rows read")(2, None)
        monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    with Progress() as shown:
        shown.of("rows recorded")(3, 10)
        shown.of("rows recorded")(4, 10)
    assert capsys.readouterr() == ("", "rows read: 1\nrows recorded: 3 of 10\nrows recorded: 4 of 10\n")


def test_on_a_terminal_a_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal shows one bar at a time, for the current work, and none is left at the end."""
    monkeypatch.setattr(progress, "FIRST_DRAW_DELAY_S", 0.0)
    monkeypatch.setattr(progress, "DRAW_INTERVAL_S", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as shown:
        shown.of("rows read")(1, None)
        shown.of("rows recorded")(3, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "rows recorded" in err
    assert "3/10" in err
