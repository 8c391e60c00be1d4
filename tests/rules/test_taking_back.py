"""What is taken back has never been: the state is as it was, run by run."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import Command, RecordTransfer, ReturnUnits, SellUnits, digest
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve, roll_back
from pathbook.ledger.runs import Change, Partition
from pathbook.ledger.values import Money, Quantity, Selection, UnitRange
from tests.scenario import MASK, NOON, Story

BEGINNING = f"""
    brand acme
    agent ann
    agent ben
    product mask 30000 CNY of acme
    batch L1 of {MASK} size 30 made 2025-12-01 by acme
    batch L2 of {MASK} size 20 made 2025-12-02 by acme
"""
PRICE = Money(100, "CNY")
PARTIES = ("acme", "ann", "ben")


parties = st.sampled_from(PARTIES)
counts = st.integers(1, 12)
quantities = st.one_of(
    st.builds(Quantity, counts, batch=st.sampled_from((1, 2))),
    st.builds(Quantity, counts, product=st.just(MASK)),
)
request_ids = st.integers(0, 10**9).map(lambda drawn: f"m{drawn}")


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """Some units, by ranges or as a quantity; seldom more than there are."""
    if draw(st.booleans()):
        return Selection(quantities=(draw(quantities),))
    ranges = []
    for batch in draw(st.sets(st.sampled_from((1, 2)), min_size=1)):
        first = draw(st.integers(0, 18))
        ranges.append(UnitRange(batch, first, first + draw(st.integers(0, 6))))
    return Selection(tuple(ranges))


@st.composite
def movements(draw: st.DrawFn) -> list[Command]:
    """Transfers, sales and returns, as a batch of requests may hold them."""
    movement: st.SearchStrategy[Command] = st.one_of(
        st.builds(
            RecordTransfer,
            request_id=request_ids,
            giver=parties,
            receiver=parties,
            units=selections(),
            unit_price=st.just(PRICE),
        ),
        st.builds(
            SellUnits,
            request_id=request_ids,
            seller=parties,
            consumer=st.just("wei"),
            units=selections(),
            unit_price=st.just(PRICE),
        ),
        st.builds(ReturnUnits, request_id=request_ids, owner=parties, units=selections()),
    )
    return draw(st.lists(movement, min_size=1, max_size=8))


def everything(state: State) -> dict[str, object]:
    """Return all that a state holds, so that two can be compared."""
    held = dict(vars(state))
    held["partitions"] = {number: stock(partition) for number, partition in state.partitions.items()}
    return held


def stock(partition: Partition) -> tuple[object, ...]:
    """Return the runs of a partition, and what its index says of each party's stock."""
    return partition.runs, {party: list(partition.in_stock(party)) for party in (*PARTIES, "consumer:wei")}


def fold(state: State, command: Command) -> tuple[RecordedEvent, list[Change]] | None:
    """Decide a command and fold what it causes; nothing where it is refused."""
    event = decide(state, command, NOON + 1)
    if isinstance(event, Refusal):
        return None
    _, data = encode(
        event,
        recorded_at=NOON + 1,
        occurred_at=NOON + 1,
        request_id=command.request_id,
        request_digest=digest(command),
    )
    recorded = decode(state.position + 1, data)
    return recorded, evolve(state, recorded)


@given(before=movements(), tried=movements())
def test_a_state_from_which_movements_are_taken_back_is_as_it_was(
    before: list[Command], tried: list[Command]
) -> None:
    """Nothing tells it from one that never knew of them, also not to what is decided next."""
    state = Story(BEGINNING).state
    for command in before:
        fold(state, command)
    as_it_was = copy.deepcopy(state)
    folded = [made for command in tried if (made := fold(state, command)) is not None]
    for recorded, changes in reversed(folded):
        roll_back(state, recorded, changes, as_it_was.recorded_at)
    assert everything(state) == everything(as_it_was)
    for command in tried:
        again, expected = fold(state, command), fold(as_it_was, command)
        assert again == expected
