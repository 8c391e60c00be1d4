"""What is undone goes back exactly where it had been moved from, and nowhere if it had not moved."""

import pytest

from tests.scenario import Story

CLOUD = """
brand acme
agent a1
agent a2
agent house
product mask 30000 CNY of acme
batch L1 of mask size 20 made 2025-12-01 by acme
record 1:0 acme > a1 at 150 later as first
"""


def test_goods_that_never_moved_do_not_move_when_a_sale_on_paper_is_undone() -> None:
    """Cloud stock that was sold back on paper, and whose second sale is reversed, still lies with the brand."""
    Story(CLOUD).tell("""
    record 1:0 a1 > acme at 150 later as second
    reverse second by a1
    reverse second by acme
    who owns 1:0                         -> a1
    who has 1:0                          -> acme
    deliver 1:0 acme > a1                -> ok
    who has 1:0                          -> a1
    """)


def test_a_return_on_paper_moves_no_goods() -> None:
    """Cloud stock that was sold back on paper and returned still lies with the brand."""
    Story(CLOUD).tell("""
    record 1:0 a1 > acme at 150 later
    return 1:0 by acme
    who owns 1:0                         -> a1
    who has 1:0                          -> acme
    """)


def test_goods_that_lay_with_the_receiver_already_stay_there() -> None:
    """A transfer with its goods moves nothing if the receiver has them, so undoing it moves nothing either."""
    Story(CLOUD).tell("""
    record 1:0 a1 > acme at 150 as second
    reverse second by a1
    reverse second by acme
    who owns 1:0                         -> a1
    who has 1:0                          -> acme
    """)


@pytest.mark.parametrize("undo", ["return 1:0 by a2", "reverse last by a2\nreverse last by a1"])
def test_goods_go_back_to_the_warehouse_that_they_came_from(undo: str) -> None:
    """A transfer that took goods straight from a third party gives them back there."""
    Story(CLOUD).tell(f"""
    deliver 1:0 acme > house
    record 1:0 a1 > a2 at 180 as last
    who has 1:0                          -> a2
    {undo}
    who owns 1:0                         -> a1
    who has 1:0                          -> house
    """)


@pytest.mark.parametrize("undo", ["return 1:0 by a2", "reverse last by a2\nreverse last by a1"])
def test_goods_that_went_on_are_not_called_back(undo: str) -> None:
    """Goods that were delivered on after the transfer stay where they are, and only title goes back."""
    Story(CLOUD).tell(f"""
    record 1:0 a1 > a2 at 180 as last
    deliver 1:0 a2 > house
    {undo}
    who owns 1:0                         -> a1
    who has 1:0                          -> house
    """)


def test_consigned_goods_stay_when_their_later_sale_is_undone() -> None:
    """Goods that were delivered before their title moved did not move with it."""
    Story(CLOUD).tell("""
    deliver 1:5 acme > a1
    record 1:5 acme > a1 at 150 as sold
    reverse sold by acme
    reverse sold by a1
    who owns 1:5                         -> acme
    who has 1:5                          -> a1
    """)


def test_a_consumers_return_goes_back_to_where_the_goods_were_sent_from() -> None:
    """A sale that sent goods from the brand's warehouse gives them back there, and one on paper moves nothing."""
    Story(CLOUD).tell("""
    sell 1:0 a1 > wei at 300
    who has 1:0                          -> consumer:wei
    return 1:0 by consumer:wei
    who owns 1:0                         -> a1
    who has 1:0                          -> acme
    sell 1:0 a1 > wei at 300 later
    return 1:0 by consumer:wei
    who has 1:0                          -> acme
    """)


def test_several_transfers_are_undone_one_after_the_other() -> None:
    """Each undoing gives the goods back where its own transfer took them."""
    Story(CLOUD).tell("""
    record 1:0 a1 > a2 at 180
    record 1:0 a2 > house at 200
    return 1:0 by house
    who has 1:0                          -> a2
    return 1:0 by a2
    who has 1:0                          -> acme
    return 1:0 by a1
    who owns 1:0                         -> acme
    who has 1:0                          -> acme
    """)
