"""Figures are medians of rounds, and ratios are taken round by round."""

from pathbook.bench.figures import Figures


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One round that something else disturbed does not move it."""
    figures = Figures()
    for seconds in (1.0, 2.0, 100.0):
        figures.add("record", "events", 100, seconds, [seconds / 2, seconds], views_seconds=2 * seconds)
    figure = figures["record"]
    assert (figure.rate, figure.views_rate) == (50.0, 25.0)
    assert (figure.wait(0), figure.wait(50), figure.wait(99)) == (0.5, 2.0, 100.0)
    assert figure.medians() == [0.75, 1.5, 75.0]


def test_what_nobody_waited_for_has_no_waits() -> None:
    """A phase without single answers says so, and one that wrote nothing has no views to wait for."""
    figures = Figures()
    figures.add("read", "events", 100, 1.0)
    assert (figures["read"].wait(50), figures["read"].views_rate) == (None, None)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that becomes slower between the rounds changes both sides, and not what is between them."""
    figures = Figures()
    for slower in (1.0, 2.0, 4.0):
        figures.add("floor", "rows", 1_000, slower)
        figures.add("record", "events", 100, slower)
    assert figures.beside("record", "floor") == (0.1, 0.1, 0.1)


def test_phases_of_different_rounds_are_put_beside_a_median() -> None:
    """What took another number of turns is held against the other's median."""
    figures = Figures()
    for seconds in (1.0, 2.0, 4.0):
        figures.add("record", "events", 100, seconds)
    figures.add("rebuild", "events", 100, 0.5)
    assert figures.beside("rebuild", "record") == (4.0, 4.0, 4.0)
