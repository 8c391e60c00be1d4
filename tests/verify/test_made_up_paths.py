"""A server that makes up events is refuted or believed, but never ends the verifier in a traceback."""

import contextlib
import functools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.cli import path_table
from pathbook.ledger import codec, events
from pathbook.ledger.events import Event
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, Price, UnitRange, UnitState
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from pathbook.v1.values_pb2 import Attestation
from pathbook.v1.values_pb2 import UnitState as UnitStateNumber
from pathbook.verify.replay import ContradictionError, ReplayedStep, replay
from pathbook.verify.verdicts import Policy, Verdict
from tests.examples import examples
from tests.verify.written_paths import check, masks, with_event

PRICE = Price(15_000, "CNY")
STATUSES = st.sampled_from(AuthorizationStatus)
AUTHORITIES = st.lists(
    st.builds(
        Authority, st.sampled_from([(), (1,), (2,)]), st.none(), st.just(1), STATUSES, st.none() | STATUSES
    ),
    max_size=2,
).map(tuple)
STATES = st.sampled_from([UnitState.LOST, UnitState.LOST, UnitState.DAMAGED, UnitState.SOLD])
DELIVERIES = st.sampled_from(Delivery)


def some_event(draw: st.DrawFn, steps: tuple[ReplayedStep, ...]) -> Event:
    """Draw an event that often fits the end of a path: who owns and has the unit, and which events it may name."""
    end = steps[-1].after
    likely = [end.owner, end.owner, end.custodian, "ann", "ben", "consumer:wei"]
    side = draw(st.sampled_from(likely))
    receiver = draw(st.sampled_from(["acme", "ann", "ben", "consumer:wei"]))
    ranges = draw(
        st.sampled_from([(UnitRange(1, 0, 0),)] * 4 + [(UnitRange(1, 0, 9),), (UnitRange(1, 5, 5),)])
    )
    extra = draw(st.sampled_from([(), ranges]))
    last_hops = [] if end.last_hop is None else [end.last_hop.transfer]
    positions = [step.recorded.position for step in steps]
    named = draw(st.sampled_from([end.transfer, *last_hops, *positions[-2:], 99]))
    step = next((step for step in steps if step.recorded.position == named), steps[-1])
    known = getattr(step.event, "terms", None)
    authorities = draw(AUTHORITIES)
    terms = Terms(side, receiver, ranges, PRICE, draw(DELIVERIES), authorities, "")
    if isinstance(known, Terms) and draw(st.booleans()):
        terms = msgspec.structs.replace(known, ranges=ranges, authorities=authorities)
    declared = step.event if isinstance(step.event, events.DeclarableEvent) else None
    candidates: list[Event] = [
        events.TransferOffered(terms, None),
        events.TransferRecorded(terms),
        events.TransferAccepted(named, terms, (), (), extra),
        events.TransferDeclined(named, terms.giver, terms.receiver, ranges, b""),
        events.TransferReversed(named, terms, side),
        events.TransferAttested(named, receiver, ranges),
        events.UnitsSold(terms),
        events.UnitsReturned(side, (events.ReturnLine(named, terms),), b""),
        events.UnitsReturned(side, (events.ReturnLine(named, terms),) * 2, b""),
        events.UnitsDelivered(side, receiver, ranges),
        events.PurchaseConfirmed(side, ranges, PRICE),
        events.UnitsWrittenOff(side, ranges, draw(STATES), b"", extra),
    ]
    if declared is not None:
        candidates += [events.ErrorDeclared(named, side, b"", declared)] * 4
    return draw(st.sampled_from(candidates))


@st.composite
def made_up(draw: st.DrawFn) -> GetPathResponse:
    """Draw a path of which every event but the first was made up, without the claims that belong to it."""
    path = commissioned()
    for _ in range(25):
        longer = with_event(path, some_event(draw, replay(path)))
        with contextlib.suppress(ContradictionError):
            replay(longer)
            path = longer
    return path


@functools.cache
def commissioned() -> GetPathResponse:
    """Return the path of a unit that never moved, which callers do not change."""
    return masks("")


@given(made_up(), st.sampled_from(["", "ann"]))
@settings(max_examples=examples(25, 60))
def test_a_made_up_past_is_judged(path: GetPathResponse, seller: str) -> None:
    """An operator that makes up a whole past gets a verdict, whether or not its claims fit."""
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
