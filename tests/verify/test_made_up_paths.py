"""A server that makes up events is refuted or believed, but never ends the verifier in a traceback."""

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.cli import path_table
from pathbook.ledger import codec, events
from pathbook.ledger.events import Event, Standing, Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, DiscrepancyKind, Price, UnitRange, UnitState
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from pathbook.v1.values_pb2 import Attestation
from pathbook.v1.values_pb2 import UnitState as UnitStateNumber
from pathbook.verify.replay import ContradictionError, ReplayedStep, replay
from pathbook.verify.verdicts import Policy, Verdict
from tests.verify.written_paths import check, masks, with_event

SIDES = st.sampled_from(["acme", "ann", "ben", "consumer:wei"])
OTHER_SIDES = st.sampled_from(["ann", "ben", "acme", "consumer:wei"])
POSITIONS = st.integers(8, 16)
RANGES = st.sampled_from(
    [
        (UnitRange(1, 0, 0),),
        (UnitRange(1, 0, 9),),
        (UnitRange(1, 5, 5),),
        (),
        (UnitRange(1, 0, 0), UnitRange(1, 5, 5)),
        (UnitRange(2, 0, 0),),
    ]
)
PRICES = st.sampled_from([Price(15_000, "CNY"), Price(18_000, "CNY")])
STATUSES = st.sampled_from(AuthorizationStatus)
STANDINGS = st.lists(
    st.builds(
        Standing, st.sampled_from([(), (1,), (2,)]), st.none(), st.just(1), STATUSES, st.none() | STATUSES
    ),
    max_size=2,
).map(tuple)
TERMS = st.builds(
    Terms,
    SIDES,
    OTHER_SIDES,
    RANGES,
    PRICES,
    st.sampled_from(Delivery),
    STANDINGS,
    st.sampled_from(["", "n-1"]),
)
DELIVERED = st.builds(events.UnitsDelivered, SIDES, OTHER_SIDES, RANGES)
CONFIRMED = st.builds(events.PurchaseConfirmed, SIDES, RANGES, PRICES)
LOST = st.builds(events.UnitsWrittenOff, SIDES, RANGES, st.sampled_from(UnitState), st.just(""), RANGES)
ASKED = st.builds(events.ReversalAsked, POSITIONS, SIDES, st.just(""))
DISCREPANCIES = st.lists(
    st.builds(events.Discrepancy, st.just(DiscrepancyKind.SHORT), RANGES), max_size=2
).map(tuple)
LINES = st.lists(st.builds(events.ReturnLine, POSITIONS, TERMS), max_size=2).map(tuple)
MADE_UP: st.SearchStrategy[Event] = st.one_of(
    st.builds(events.TransferOffered, TERMS, st.none()),
    st.builds(events.TransferRecorded, TERMS),
    st.builds(events.TransferAccepted, POSITIONS, TERMS, DISCREPANCIES, st.just(()), RANGES),
    st.builds(events.TransferDeclined, POSITIONS, SIDES, OTHER_SIDES, RANGES, st.just("")),
    st.builds(events.TransferReversed, POSITIONS, TERMS, SIDES),
    st.builds(events.TransferAttested, POSITIONS, SIDES, RANGES),
    st.builds(events.UnitsSold, TERMS),
    st.builds(events.UnitsReturned, SIDES, LINES, st.just("")),
    DELIVERED,
    CONFIRMED,
    LOST,
    st.builds(events.ErrorDeclared, POSITIONS, SIDES, st.just(""), DELIVERED | CONFIRMED | LOST | ASKED),
)


@functools.cache
def commissioned() -> GetPathResponse:
    """Return the path of a unit that never moved, which callers do not change."""
    return masks("")


def appended(path: GetPathResponse, event: Event) -> GetPathResponse | None:
    """Return a path with a made-up event, or None if the event is refuted."""
    longer = with_event(path, event)
    try:
        replay(longer)
    except ContradictionError:
        return None
    return longer


@given(st.lists(MADE_UP, min_size=4, max_size=30), st.sampled_from(["", "ann"]))
@settings(max_examples=150)
def test_a_made_up_past_is_judged(made_up: list[Event], seller: str) -> None:
    """An operator that makes up a whole past gets a verdict, whether or not its claims fit."""
    path = commissioned()
    for event in made_up:
        path = appended(path, event) or path
    steps = replay(path)
    if len(steps) > 1:
        assert check(path).verdict is Verdict.PATH_CONTRADICTED  # because its claims are missing
    shown = GetPathResponse()
    shown.CopyFrom(path)
    del shown.steps[1:]
    shown.steps.extend(claimed(step, path.steps[index].event) for index, step in enumerate(steps[1:], 1))
    end = steps[-1].after
    shown.run.owner, shown.run.custodian, shown.run.head = end.owner, end.custodian, end.head
    shown.run.position, shown.run.state = end.position, UnitStateNumber.ValueType(end.state)
    policy = Policy(seller=seller, unsold=True, require_authorized=True)
    report = check(shown, policy)
    assert report.verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY, Verdict.PRICE_CONTRADICTED), report
    assert path_table.draw(shown, corrections=True)


def claimed(step: ReplayedStep, data: bytes) -> PathStep:
    """Return a step with the claims that fit its event."""
    moved = step.movement
    shown = PathStep(
        position=step.recorded.position,
        kind=PathStepKind.ValueType(moved.kind),
        corrected=step.corrected,
        giver=moved.giver,
        receiver=moved.receiver,
        state=UnitStateNumber.ValueType(step.after.state),
        attestation=Attestation.ValueType(step.attestation),
        event=data,
        head=step.after.head,
        owner=step.after.owner,
        custodian=step.after.custodian,
        out_of_order_position=step.out_of_order,
        declared_position=moved.declared,
    )
    shown.recorded_at.FromMicroseconds(step.recorded.recorded_at)
    shown.occurred_at.FromMicroseconds(step.recorded.occurred_at)
    if moved.terms is not None:
        codec.TERMS.write(shown.terms, moved.terms)
    if moved.price_paid is not None:
        shown.price_paid.amount_minor = moved.price_paid.amount_minor
        shown.price_paid.currency_code = moved.price_paid.currency_code
    return shown
