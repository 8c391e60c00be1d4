"""What is drawn may happen, and what comes of it otherwise than the model says is found."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.bench import checks, moves
from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import SCATTERED_RANGES, TIERS, Move, Shape, draw, parties
from pathbook.v1.events_pb2 import Event
from pathbook.v1.transfers_pb2 import RecordTransfersResponse, RecordTransfersResult
from pathbook.v1.values_pb2 import Receipt

PHASE = "a phase"
BEGUN = 3
"""How many events there are before what is recorded."""

UNITS = st.sampled_from([1, 10, 100, 1_000])


def begun(seed: int, shape: Shape, transfers: int, hops: int = TIERS) -> tuple[Model, list[Move]]:
    """Return a model that has a batch, and what is to happen to it."""
    goods = draw(Random(seed), 1, shape, transfers, hops)
    model = Model(parties())
    model.commission(goods.batch, goods.size)
    return model, goods.moves


def receipts(count: int) -> list[Receipt]:
    """Return the receipts of so many transfers."""
    return [Receipt(position=BEGUN + number) for number in range(1, count + 1)]


def events(made: list[Move], size: int) -> list[bytes]:
    """Return the bytes of the events that a book would hold."""
    batch, *transfers = Event(), *(Event() for _ in made)
    batch.batch_commissioned.batch, batch.batch_commissioned.size = 1, size
    for event, move in zip(transfers, made, strict=True):
        terms = event.transfer_recorded.terms
        terms.giver, terms.receiver = move.giver, move.receiver
        for number, first, last in move.ranges:
            terms.ranges.add(batch=number, first=first, last=last)
    return [event.SerializeToString() for event in (batch, *transfers)]


@given(st.integers(0, 99), UNITS, st.booleans(), st.integers(1, 60), st.integers(1, TIERS))
def test_what_is_drawn_may_happen(seed: int, units: int, scattered: bool, count: int, hops: int) -> None:
    """As many transfers as asked for, each of as many units in as many ranges, and the model allows them in order."""
    model, made = begun(seed, Shape(units, scattered), count, hops)
    assert len(made) == count
    for move in made:
        assert sum(last - first + 1 for _, first, last in move.ranges) == units
        assert len(move.ranges) == (min(units, SCATTERED_RANGES) if scattered else 1)
        model.move(move)


@given(st.integers(0, 99), UNITS)
def test_with_one_hop_the_order_does_not_matter(seed: int, units: int) -> None:
    """What is sent in calls at the same time may be recorded in any order."""
    model, made = begun(seed, Shape(units), 20, hops=1)
    for move in reversed(made):
        model.move(move)


def test_every_unit_is_somebodys() -> None:
    """Stock adds up to the batch, and a unit's owner and hops are those of the last transfer of it."""
    model, made = begun(1, Shape(10), 50)
    for move in made:
        model.move(move)
    owned = sum(sum(model.stock(party).values()) for party in parties())
    (batch, first, _), receiver = made[-1].ranges[0], made[-1].receiver
    assert owned == 10 * sum(move.giver == moves.BRAND for move in made)
    assert (model.owner(batch, first), model.hops(batch, first)) == (receiver, TIERS)
    assert (batch, first) in list(model.units(TIERS))


def test_a_gap_a_duplicate_and_a_refusal_are_found() -> None:
    """Receipts that are not those of new transfers, one after the other, name the phase."""
    _, made = begun(1, Shape(10), 5)
    gap, twice = receipts(5), receipts(5)
    gap[-1].position += 1
    twice[2].duplicate = True
    for wrong in (gap, twice, receipts(4), receipts(6), receipts(5)[::-1]):
        model, _ = begun(1, Shape(10), 5)
        with pytest.raises(MismatchError, match=f"^{PHASE}: "):
            checks.recorded(PHASE, model, made, wrong, BEGUN)
    refused = RecordTransfersResult()
    refused.refusal.message = "Nobody has these units."
    answer = RecordTransfersResponse(results=[refused]).SerializeToString()
    with pytest.raises(MismatchError, match="Nobody has these units"):
        checks.receipts_of_batches(PHASE, [answer])


def test_a_transfer_recorded_that_cannot_be_is_found() -> None:
    """A book that takes what the giver does not own is wrong, whatever it answers."""
    model, made = begun(1, Shape(10), 5)
    model.move(made[0])
    with pytest.raises(MismatchError, match="does not own all"):
        checks.recorded(PHASE, model, made, receipts(5), BEGUN)


def test_events_that_say_something_else_are_found() -> None:
    """One event less, one of somebody else, and one that nobody asked for are found when they are replayed."""
    model, made = begun(1, Shape(10), 30)
    for move in made:
        model.move(move)
    size = sum(10 for move in made if move.giver == moves.BRAND)
    right = events(made, size)
    checks.stream(PHASE, model, right, len(right))
    other = next(party for party in parties()[1:] if party not in (made[-1].giver, made[-1].receiver))
    elsewhere = events([*made[:-1], made[-1]._replace(receiver=other)], size)
    sold = Event()
    sold.units_sold.terms.giver = moves.BRAND
    for wrong in (right[:-1], elsewhere, [*right[:-1], sold.SerializeToString()]):
        with pytest.raises(MismatchError, match=f"^{PHASE}: "):
            checks.stream(PHASE, model, wrong, len(right))
