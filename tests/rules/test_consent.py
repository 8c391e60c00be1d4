"""Title leaves an owner only by the owner's word: its own command names the units, or allows their number."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import commands, events
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import Price, Ranges, Selection, UnitRange
from tests.scenario import Story

SIZE: Final = 12
BOOK: Final = f"""
brand acme
agent ann
agent ben
product mask 30000 CNY of acme
batch L1 of mask size {SIZE} made 2025-12-01 by acme
record 1:3-6 acme > ann at 1
record 1:7-8 acme > ben at 1
"""
PARTIES: Final = st.sampled_from(["acme", "ann", "ben"])
PARTS: Final = st.builds(
    lambda first, count: (UnitRange(1, first, min(first + count, SIZE - 1)),),
    st.integers(0, SIZE - 1),
    st.integers(0, 3),
)
PRICE: Final = Price(1, "CNY")
OFFERS: Final = st.builds(
    lambda giver, receiver, part, allowed: commands.OfferTransfer(
        request_id="",
        giver=giver,
        receiver=receiver,
        units=Selection(part),
        unit_price=PRICE,
        extra_allowed=allowed,
    ),
    PARTIES,
    PARTIES,
    PARTS,
    st.sampled_from([0, 1, 2]),
)
ANSWERS: Final = st.builds(
    lambda back, receiver, extra: (back, receiver, extra), st.integers(1, 4), PARTIES, st.just(()) | PARTS
)
ASKED: Final = st.lists(OFFERS | ANSWERS, min_size=4, max_size=20)


def numbers(ranges: Ranges) -> set[int]:
    """Return the units of ranges of the only batch."""
    return {number for part in ranges for number in range(part.first, part.last + 1)}


def owners(story: Story) -> dict[int, str]:
    """Return the owner of each unit. There is one for each, whatever happened."""
    found: dict[int, str] = {}
    for run in story.state.partitions[1].runs:
        for number in range(run.first, run.last + 1):
            assert number not in found
            found[number] = run.owner
    assert sorted(found) == list(range(SIZE))
    return found


@given(ASKED)
def test_no_unit_leaves_its_owner_without_the_owners_word(
    asked: list[commands.OfferTransfer | tuple[int, str, Ranges]],
) -> None:
    """What an acceptance moves was named by the giver's offer, but for as many units as that offer allows."""
    story = Story(BOOK)
    offers: dict[int, commands.OfferTransfer] = {}
    for item in asked:
        command: Command
        if isinstance(item, commands.OfferTransfer):
            command = commands.OfferTransfer(
                request_id=story.request(),
                giver=item.giver,
                receiver=item.receiver,
                units=item.units,
                unit_price=item.unit_price,
                extra_allowed=item.extra_allowed,
            )
        else:
            back, receiver, extra = item
            command = commands.AcceptTransfer(
                request_id=story.request(),
                receiver=receiver,
                transfer=[0, *offers][-min(back, len(offers) + 1)],
                extra=extra,
            )
        before = owners(story)
        outcome = story.ask(command)
        moved = {number for number, owner in owners(story).items() if owner != before[number]}
        if isinstance(outcome, Refusal) or isinstance(command, commands.OfferTransfer):
            assert not moved
        else:
            assert isinstance(command, commands.AcceptTransfer)
            offer = offers[command.transfer]
            unnamed = moved - numbers(offer.units.ranges)
            assert {before[number] for number in moved} <= {offer.giver}
            assert len(unnamed) <= offer.extra_allowed
        if isinstance(outcome, events.TransferOffered):
            assert isinstance(command, commands.OfferTransfer)
            offers[story.state.position] = command


def test_extra_units_are_of_a_product_that_was_offered() -> None:
    """Who allows two more masks does not give away two of a dearer product, which would go at the price of masks."""
    story = Story(BOOK)
    story.tell("""
    product balm 10000000 CNY of acme
    batch G1 of balm size 5 made 2025-12-01 by acme
    batch L2 of mask size 5 made 2025-12-01 by acme
    offer 1:0 acme > ann at 1 allowing 2 as o
    accept o by ann with 2:0-1 -> EXTRA_OTHER_PRODUCT
    accept o by ann with 3:0-1
    """)


def test_a_giver_may_allow_any_units_of_its_own() -> None:
    """It allows their number, and the receiver says which ones it found."""
    story = Story(BOOK)
    story.tell("""
    offer 1:3 ann > ben at 1 allowing 2 as o
    accept o by ben with 1:4-6 -> EXTRA_NOT_ALLOWED
    accept o by ben with 1:9   -> UNITS_NOT_OWNED
    accept o by ben with 1:5-6
    who owns 1:4               -> ann
    who owns 1:5               -> ben
    """)
