"""The writer's state in memory: loaded on demand, updated from other writers, evicted when long unused."""

import contextlib
import datetime
from pathlib import Path

import msgspec
import pytest

from pathbook.ledger.book import Answer, memory
from pathbook.ledger.commands import (
    AuthorizeParty,
    CommissionBatch,
    DeclareError,
    RecordTransfer,
    RegisterParty,
    WriteOffUnits,
)
from pathbook.ledger.events import TransferRecorded
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import AuthorizationStatus, PartyKind, Quantity, Selection, UnitRange, UnitState
from tests.books import BEGINNING, ask, open_books, positions, record, update_views
from tests.scenario import CODE_KEY, MASK


@pytest.mark.parametrize("products", [(), (MASK,)])
def test_authorization_statuses_are_known_after_a_cold_start(place: Path, products: tuple[str, ...]) -> None:
    """Authorizations for all products, and for named ones, are loaded with the parties of a transfer."""
    agents = [RegisterParty(request_id=name, party=name, kind=PartyKind.AGENT) for name in ("ben", "cat")]
    given = [
        AuthorizeParty(request_id=f"to {name}", upline=upline, party=name, tier=tier, products=products)
        for upline, name, tier in (("acme", "ann", 1), ("ann", "ben", 2))
    ]
    with open_books(place) as opened:
        stocked = positions(ask(opened, *BEGINNING, *agents, *given, record("stock", 9)))
    update_views(place, stocked[-1])  # so the next writer loads only the state that the command needs
    onward = msgspec.structs.replace(record("on"), giver="ann", receiver="ben")
    beyond = msgspec.structs.replace(record("off"), giver="ben", receiver="cat")
    for command, expected in (
        (onward, (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.AUTHORIZED)),
        (beyond, (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.NEVER_AUTHORIZED)),
    ):
        with open_books(place) as opened:
            (answer,) = ask(opened, command)
            assert isinstance(answer, Answer)
            assert isinstance(answer.recorded.event, TransferRecorded)
            terms = answer.recorded.event.terms
            (authority,) = terms.authorities
            assert (authority.giver_authorization, authority.receiver_authorization) == expected


@pytest.mark.parametrize("restart", [False, True])
def test_a_quantity_of_a_product_is_taken_from_batches_gained_since(place: Path, restart: bool) -> None:
    """A quantity also takes units of a batch that another writer added and that is not loaded."""
    bob = RegisterParty(request_id="bob", party="bob", kind=PartyKind.AGENT)
    second = CommissionBatch(
        request_id="L2",
        brand="acme",
        product=MASK,
        lot="L2",
        size=50,
        made_on=datetime.date(2025, 12, 2),
        code_key=CODE_KEY,
    )

    def onward(name: str, count: int) -> RecordTransfer:
        units = Selection(quantities=(Quantity(count, product=MASK),))
        return msgspec.structs.replace(record(name), giver="ann", receiver="bob", units=units)

    from_second = msgspec.structs.replace(record("y"), units=Selection((UnitRange(2, 0, 49),)))
    with contextlib.ExitStack() as stack:
        one, two = stack.enter_context(open_books(place)), stack.enter_context(open_books(place))
        positions(ask(one, *BEGINNING, bob, record("x", 10), onward("a", 4)))
        (refused,) = ask(one, onward("b", 7))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.STOCK_TOO_SMALL
        positions(ask(two, second, from_second))
        if restart:
            stack.close()
            one = stack.enter_context(open_books(place))
        assert positions(ask(one, onward("b", 7), onward("c", 49))) == [11, 12]
        (refused,) = ask(one, onward("d", 1))
        assert isinstance(refused, Refusal)


def test_a_lot_stays_taken_after_its_batch_is_evicted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory keeps few batches and few lots, and an evicted lot cannot be commissioned again."""
    monkeypatch.setattr(memory, "LOADED_RUNS_MAX", 3)
    monkeypatch.setattr(memory, "LOADED_LOTS_MAX", 3)
    monkeypatch.setattr(memory, "EVICTION_INTERVAL_GROUPS", 1)

    def batch(request_id: str, lot: str) -> CommissionBatch:
        day = datetime.date(2025, 12, 2)
        return CommissionBatch(
            request_id=request_id, brand="acme", product=MASK, lot=lot, size=5, made_on=day, code_key=CODE_KEY
        )

    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING))
        for number in range(10):
            positions(ask(opened, batch(f"c{number}", f"lot-{number}")))
        state = opened._books["masks"]._memory.state
        assert len(state.batches) <= 6  # the last one is evicted after its answer
        assert len(state.lots) <= 6
        (refused,) = ask(opened, batch("again", "lot-1"))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.BATCH_EXISTS


def test_a_quantity_takes_units_whose_write_off_was_declared_an_error(place: Path) -> None:
    """A party owns units of a batch again, although the views show that it had lost them all."""
    everything = Selection((UnitRange(1, 0, 9_999_999),))
    lost = WriteOffUnits(request_id="lost", party="acme", units=everything, state=UnitState.LOST)
    quantity = Selection(quantities=(Quantity(3, product=MASK),))
    with open_books(place) as opened:
        (written_off,) = positions(ask(opened, *BEGINNING, lost))[-1:]
    update_views(place, written_off)
    with open_books(place, follow=False) as opened:
        assert isinstance(ask(opened, msgspec.structs.replace(record("a"), units=quantity))[0], Refusal)
        positions(ask(opened, DeclareError(request_id="b", party="acme", position=written_off)))
        positions(ask(opened, msgspec.structs.replace(record("c"), units=quantity)))
