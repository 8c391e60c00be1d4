"""Figures are medians over rounds, and ratios are computed for each round."""

from pathbook.bench.figures import Figures


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One disturbed round does not change the figure."""
    figures = Figures()
    for seconds in (1.0, 2.0, 100.0):
        figures.add("record", "events", 100, seconds, [seconds / 2, seconds], views_seconds=2 * seconds)
    figure = figures["record"]
    assert (figure.rate, figure.views_rate) == (50.0, 25.0)
    assert (figure.wait(0), figure.wait(50), figure.wait(99)) == (0.5, 2.0, 100.0)
    assert figure.medians() == [0.75, 1.5, 75.0]


def test_a_phase_without_single_answers_has_no_waits() -> None:
    """A phase without single answers has no waits, and one without writes has no rate for the views."""
    figures = Figures()
    figures.add("read", "events", 100, 1.0)
    assert (figures["read"].wait(50), figures["read"].views_rate) == (None, None)


def test_a_ratio_is_computed_for_each_round() -> None:
    """A machine that becomes slower between the rounds changes both rates, but not their ratio."""
    figures = Figures()
    for slower in (1.0, 2.0, 4.0):
        figures.add("floor", "rows", 1_000, slower)
        figures.add("record", "events", 100, slower)
    assert figures.beside("record", "floor") == (0.1, 0.1, 0.1)


def test_phases_with_different_rounds_are_compared_with_a_median() -> None:
    """A phase with another number of rounds is compared with the median of the other phase."""
    figures = Figures()
    for seconds in (1.0, 2.0, 4.0):
        figures.add("record", "events", 100, seconds)
    figures.add("rebuild", "events", 100, 0.5)
    assert figures.beside("rebuild", "record") == (4.0, 4.0, 4.0)
