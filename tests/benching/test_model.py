"""Drawn transfers are possible, and the bench detects each difference between a book and the model."""

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
"""How many events precede the recorded ones."""

UNITS = st.sampled_from([1, 10, 100, 1_000])


def drawn_model(seed: int, shape: Shape, transfers: int, hops: int = TIERS) -> tuple[Model, list[Move]]:
    """Return a model with one batch, and the drawn transfers of it."""
    goods = draw(Random(seed), 1, shape, transfers, hops)
    model = Model(parties())
    model.commission(goods.batch, goods.size)
    return model, goods.moves


def receipts(count: int) -> list[Receipt]:
    """Return the receipts of ``count`` transfers."""
    return [Receipt(position=BEGUN + number) for number in range(1, count + 1)]


def events(drawn: list[Move], size: int) -> list[bytes]:
    """Return the bytes of the events that a correct book has."""
    batch, *transfers = Event(), *(Event() for _ in drawn)
    batch.batch_commissioned.batch, batch.batch_commissioned.size = 1, size
    for event, move in zip(transfers, drawn, strict=True):
        terms = event.transfer_recorded.terms
        terms.giver, terms.receiver = move.giver, move.receiver
        for number, first, last in move.ranges:
            terms.ranges.add(batch=number, first=first, last=last)
    return [event.SerializeToString() for event in (batch, *transfers)]


@given(st.integers(0, 99), UNITS, st.booleans(), st.integers(1, 60), st.integers(1, TIERS))
def test_drawn_transfers_are_possible(seed: int, units: int, scattered: bool, count: int, hops: int) -> None:
    """As many transfers as requested are drawn, with their units and ranges, and the model allows them in order."""
    model, drawn = drawn_model(seed, Shape(units, scattered), count, hops)
    assert len(drawn) == count
    for move in drawn:
        assert sum(last - first + 1 for _, first, last in move.ranges) == units
        assert len(move.ranges) == (min(units, SCATTERED_RANGES) if scattered else 1)
        model.move(move)


@given(st.integers(0, 99), UNITS)
def test_with_one_hop_the_order_does_not_matter(seed: int, units: int) -> None:
    """Transfers of one hop may be recorded in any order, so calls may send them at the same time."""
    model, drawn = drawn_model(seed, Shape(units), 20, hops=1)
    for move in reversed(drawn):
        model.move(move)


def test_every_unit_has_an_owner() -> None:
    """The stock adds up, and a unit has the owner and the hops of its last transfer."""
    model, drawn = drawn_model(1, Shape(10), 50)
    for move in drawn:
        model.move(move)
    owned = sum(sum(model.stock(party).values()) for party in parties())
    (batch, first, _), receiver = drawn[-1].ranges[0], drawn[-1].receiver
    assert owned == 10 * sum(move.giver == moves.BRAND for move in drawn)
    assert (model.owner(batch, first), model.hops(batch, first)) == (receiver, TIERS)
    assert (batch, first) in list(model.units(TIERS))


def test_a_gap_a_duplicate_and_a_refusal_are_detected() -> None:
    """Receipts that are not those of new, consecutive transfers are an error that names the phase."""
    _, drawn = drawn_model(1, Shape(10), 5)
    gap, twice = receipts(5), receipts(5)
    gap[-1].position += 1
    twice[2].duplicate = True
    for wrong in (gap, twice, receipts(4), receipts(6), receipts(5)[::-1]):
        model, _ = drawn_model(1, Shape(10), 5)
        with pytest.raises(MismatchError, match=f"^{PHASE}: "):
            checks.recorded(PHASE, model, drawn, wrong, BEGUN)
    refused = RecordTransfersResult()
    refused.refusal.message = "No party has these units."
    answer = RecordTransfersResponse(results=[refused]).SerializeToString()
    with pytest.raises(MismatchError, match="No party has these units"):
        checks.receipts_of_batches(PHASE, [answer])


def test_an_impossible_recorded_transfer_is_detected() -> None:
    """A book that records a transfer of units that the giver does not own is wrong, whatever it answers."""
    model, drawn = drawn_model(1, Shape(10), 5)
    model.move(drawn[0])
    with pytest.raises(MismatchError, match="does not own all"):
        checks.recorded(PHASE, model, drawn, receipts(5), BEGUN)


def test_wrong_events_are_detected() -> None:
    """A replay detects a missing event, one with another receiver, and one that no caller requested."""
    model, drawn = drawn_model(1, Shape(10), 30)
    for move in drawn:
        model.move(move)
    size = sum(10 for move in drawn if move.giver == moves.BRAND)
    right = events(drawn, size)
    checks.stream(PHASE, model, right, len(right))
    other = next(party for party in parties()[1:] if party not in (drawn[-1].giver, drawn[-1].receiver))
    elsewhere = events([*drawn[:-1], drawn[-1]._replace(receiver=other)], size)
    sold = Event()
    sold.units_sold.terms.giver = moves.BRAND
    for wrong in (right[:-1], elsewhere, [*right[:-1], sold.SerializeToString()]):
        with pytest.raises(MismatchError, match=f"^{PHASE}: "):
            checks.stream(PHASE, model, wrong, len(right))
