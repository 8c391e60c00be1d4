"""Rolling back events in memory restores the earlier state, run by run."""

from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import Command, RecordTransfer, ReturnUnits, SellUnits
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve, roll_back
from pathbook.ledger.run import Change
from pathbook.ledger.runs import Partition
from pathbook.ledger.values import Price, Quantity, Selection, UnitRange
from tests.scenario import MASK, NOON, Story

BEGINNING = f"""
    brand acme
    agent ann
    agent ben
    product mask 30000 CNY of acme
    batch L1 of {MASK} size 30 made 2025-12-01 by acme
    batch L2 of {MASK} size 20 made 2025-12-02 by acme
"""
PRICE = Price(100, "CNY")
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
    """Draw units, as ranges or as a quantity, seldom more than there are."""
    if draw(st.booleans()):
        return Selection(quantities=(draw(quantities),))
    ranges = []
    for batch in draw(st.sets(st.sampled_from((1, 2)), min_size=1)):
        first = draw(st.integers(0, 18))
        ranges.append(UnitRange(batch, first, first + draw(st.integers(0, 6))))
    return Selection(tuple(ranges))


@st.composite
def movements(draw: st.DrawFn) -> list[Command]:
    """Draw the transfers, sales and returns of a batch of requests."""
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
    """Return all fields of a state in a form that can be compared, without what was only found from the others."""
    names = [
        name for name in dir(state) if not name.startswith(("_", "authority"))
    ]  # a compiled one has no `vars`
    fields = {name: field for name in names if not callable(field := getattr(state, name))}
    fields["partitions"] = {number: stock(partition) for number, partition in state.partitions.items()}
    return fields


def stock(partition: Partition) -> tuple[object, ...]:
    """Return the runs of a partition, and the stock of each party by its index."""
    return partition.runs, {party: list(partition.in_stock(party)) for party in (*PARTIES, "consumer:wei")}


def apply(state: State, command: Command) -> tuple[RecordedEvent, list[Change]] | None:
    """Decide a command and apply its event; return None if it is refused."""
    event = decide(state, command, NOON + 1)
    if isinstance(event, Refusal):
        return None
    _, data = encode(
        event,
        recorded_at=NOON + 1,
        occurred_at=NOON + 1,
        request=request_of(command.actor, command.request_id),
        request_digest=digest(command),
    )
    recorded = decode(state.position + 1, data)
    return recorded, evolve(state, recorded)


def after(commands: list[Command]) -> State:
    """Return the state after commands."""
    state = Story(BEGINNING).state
    for command in commands:
        apply(state, command)
    return state


@given(before=movements(), tried=movements())
def test_rolling_back_movements_restores_the_state(before: list[Command], tried: list[Command]) -> None:
    """The state equals one that never had the movements, and the next commands are decided alike."""
    state, earlier = after(before), after(before)
    applied = [made for command in tried if (made := apply(state, command)) is not None]
    for recorded, changes in reversed(applied):
        roll_back(state, recorded, changes, earlier.recorded_at)
    assert everything(state) == everything(earlier)
    for command in tried:
        again, expected = apply(state, command), apply(earlier, command)
        assert again == expected
