"""A book in which a small request can touch much, and requests to it near every limit."""

import functools
from typing import Final

from hypothesis import strategies as st

from pathbook.ledger import commands, events
from pathbook.ledger.commands import Command
from pathbook.ledger.events import Event
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.state import State
from pathbook.ledger.values import (
    MAX_DISCREPANCIES,
    MAX_EXTRA_ALLOWED,
    MAX_QUANTITIES,
    MAX_RANGES,
    Delivery,
    DiscrepancyKind,
    Price,
    Quantity,
    Selection,
    UnitRange,
    UnitState,
)
from tests.scenario import MASK, Story

YUAN: Final = Price(1, "CNY")

PIECES, PACKED, RECALLED, BROUGHT, BOUGHT, OFFERED, FIRST_SMALL = 1, 2, 3, 4, 5, 6, 7
"""The batches of the hostile book."""

SIZES: Final = (6_000, 4_000, 4_000, 2_000, 2_000, 8_000)
"""How many units they have. The last unit of the first is sold, so a request that moves all of it is refused late."""

SMALL: Final = 120
"""How many small batches of the same product there are."""

CASES_IN_PALLET: Final = 25
PALLETS: Final = 12
UNITS_IN_CASE: Final = 4


def sscc(number: int) -> str:
    """Return the SSCC of a number."""
    digits = f"10614141{number:09d}"
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def singles(batch: int, first: int, count: int, step: int = 2) -> tuple[UnitRange, ...]:
    """Return ranges of one unit each."""
    return tuple(UnitRange(batch, number, number) for number in range(first, first + count * step, step))


def moved(story: Story, giver: str, receiver: str, units: Selection) -> commands.RecordTransfer:
    """Return the command that records a transfer."""
    return commands.RecordTransfer(
        request_id=story.request(), giver=giver, receiver=receiver, units=units, unit_price=YUAN
    )


def done(story: Story, command: Command) -> Event:
    """Have a command accepted, and return its event."""
    outcome = story.ask(command)
    assert not isinstance(outcome, Refusal), outcome
    return outcome


@functools.cache
def hostile_book() -> Story:
    """Return a book in which a small request can touch much."""
    story = Story("brand acme\nagent ann\nagent ben\nproduct mask 300 CNY of acme")
    for lot, size in enumerate((*SIZES, *[6] * SMALL), 1):
        story.tell(
            f"batch L{lot} of mask size {size} made 2025-12-01 expires 2026-{1 + lot % 12:02}-01 by acme"
        )
    cut(story, PIECES, 3_000)
    cut(story, OFFERED, 3_999)
    last = Selection((UnitRange(PIECES, SIZES[0] - 1, SIZES[0] - 1),))
    sold_last = commands.SellUnits(
        request_id=story.request(), seller="acme", consumer="xin", units=last, unit_price=YUAN
    )
    done(story, sold_last)
    for pallet in range(PALLETS):
        numbers = range(pallet * CASES_IN_PALLET, (pallet + 1) * CASES_IN_PALLET)
        for number in numbers:
            first = number * (UNITS_IN_CASE + 1)
            loose = Selection((UnitRange(PACKED, first, first + UNITS_IN_CASE - 1),))
            done(
                story,
                commands.PackCase(request_id=story.request(), party="acme", sscc=sscc(number), units=loose),
            )
        cases = Selection(cases=tuple(sscc(number) for number in numbers))
        done(
            story,
            commands.PackCase(request_id=story.request(), party="acme", sscc=sscc(900 + pallet), units=cases),
        )
    for number in range(40):
        ranges = singles(RECALLED, 1_000 + number, 40, step=50)
        done(
            story,
            commands.RecallUnits(request_id=story.request(), brand="acme", batch=RECALLED, ranges=ranges),
        )
    for number in range(150):
        ranges = (UnitRange(BROUGHT, number * 3, number * 3 + 1),)
        done(story, moved(story, "acme", "ann", Selection(ranges)))
        sold = commands.SellUnits(
            request_id=story.request(),
            seller="acme",
            consumer="wei",
            units=Selection((UnitRange(BOUGHT, number * 3, number * 3 + 1),)),
            unit_price=YUAN,
        )
        done(story, sold)
    offered = commands.OfferTransfer(
        request_id=story.request(),
        giver="acme",
        receiver="ann",
        units=Selection(singles(OFFERED, 0, 3_900)),
        unit_price=YUAN,
        delivery=Delivery.LATER,
        extra_allowed=MAX_EXTRA_ALLOWED,
    )
    done(story, offered)
    story.names["offer"] = story.state.position
    return story


def cut(story: Story, batch: int, pieces: int) -> None:
    """Cut a batch into runs of one unit."""
    for giver, receiver in (("acme", "ben"), ("ben", "acme")):
        done(story, moved(story, giver, receiver, Selection(singles(batch, 0, pieces))))


def touched(state: State, command: Command, event: Event | Refusal) -> int:
    """Count everything that a command could touch: what it names, and all that lies in the batches it leads to."""
    units = getattr(command, "units", None) or Selection()
    named = len(units.ranges) + len(units.cases) + len(units.quantities)
    parts = [*units.ranges, *getattr(command, "extra", ())]
    for claim in getattr(command, "discrepancies", ()):
        parts += claim.ranges
    if isinstance(command, commands.AcceptTransfer) and (offer := state.transfers.get(command.transfer)):
        parts += offer.terms.ranges
    whole = {quantity.batch for quantity in units.quantities if quantity.batch}
    if any(quantity.product for quantity in units.quantities):
        whole = set(state.batches)
    pending = [*units.cases]
    for part in parts:
        batch = state.batches.get(part.batch)
        for first, last, name in batch.packed if batch else ():
            if first <= part.last and part.first <= last:
                case = state.cases[name]
                assert case is not None, name
                pending.append(case.outer or name)
    cases = 0
    while pending:
        cases += 1
        inner = state.cases.get(pending.pop())
        if inner is not None:
            parts += inner.ranges
            pending += inner.cases
    runs = sum(
        state.partitions[part.batch].count(part.first, part.last)
        for part in parts
        if part.batch in state.partitions and 0 <= part.first <= part.last
    )
    lines = len(event.lines) * 30 if isinstance(event, events.UnitsReturned) else 0
    total = named + cases + len(parts) + runs + lines
    for number in whole | {part.batch for part in parts}:
        batch = state.batches.get(number)
        if batch is not None:
            total += len(batch.recalls) + sum(len(recall.ranges) for recall in batch.recalls.values())
    for number in whole:
        batch = state.batches.get(number)
        if batch is not None:
            total += 1 + len(state.partitions[number].runs) + len(batch.packed)
    return total


def at_most(limit: int) -> st.SearchStrategy[int]:
    """Return numbers up to a limit, often the limit itself."""
    return st.one_of(st.just(limit), st.integers(0, limit))


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """Return units of the hostile book, often as many as a request may name."""
    ranges: list[UnitRange] = []
    for batch in draw(
        st.sets(st.sampled_from([PIECES, PACKED, RECALLED, BROUGHT, BOUGHT]), min_size=1, max_size=2)
    ):
        size = SIZES[batch - 1]
        step = draw(st.sampled_from([1, 2, 5, 50, 4_000]))
        first = draw(st.sampled_from([0, 1, 500]))
        count = min(draw(at_most(MAX_RANGES)), (size - first) // step) or 1
        if step == 4_000:  # all of it in one range
            ranges.append(UnitRange(batch, first, size - 1))
        else:
            ranges += [UnitRange(batch, first + n * step, first + n * step) for n in range(count)]
    cases = [sscc(900 + number) for number in range(draw(at_most(PALLETS)) or 1)]
    if draw(st.integers(0, 7)) == 7:
        cases = [sscc(number) for number in range(25)]  # they lie in a pallet, so they cannot be named
    wanted = st.builds(
        lambda count, batch: Quantity(count, batch=batch) if batch else Quantity(count, product=MASK),
        st.sampled_from([1, 2, 7, 29, 60, 1_000, 10_000]),
        st.sampled_from([0, PIECES, PACKED, RECALLED, BROUGHT, BOUGHT]),
    )
    quantities = draw(
        st.one_of(st.lists(wanted, min_size=1, max_size=5), wanted.map(lambda one: [one] * MAX_QUANTITIES))
    )
    chosen = draw(st.sampled_from(["ranges", "cases", "quantities", "all"]))
    return Selection(
        tuple(ranges) if chosen in ("ranges", "all") else (),
        tuple(cases) if chosen in ("cases", "all") else (),
        tuple(quantities) if chosen in ("quantities", "all") else (),
    )


@st.composite
def requests(draw: st.DrawFn) -> Command:
    """Return a request to the hostile book."""
    units = draw(selections())
    kind = draw(
        st.sampled_from(["record", "sell", "return", "deliver", "write off", "pack", "confirm", "accept"])
    )
    owner = draw(st.sampled_from(["acme", "acme", "ann", "consumer:wei"]))
    party = owner if owner != "consumer:wei" else "acme"
    match kind:
        case "record":
            command: Command = commands.RecordTransfer(
                request_id="x", giver=party, receiver="ben", units=units, unit_price=YUAN
            )
        case "sell":
            command = commands.SellUnits(
                request_id="x", seller=party, consumer="xin", units=units, unit_price=YUAN
            )
        case "return":
            command = commands.ReturnUnits(request_id="x", owner=owner, units=units)
        case "deliver":
            command = commands.DeliverUnits(request_id="x", custodian=party, receiver=owner, units=units)
        case "write off":
            command = commands.WriteOffUnits(request_id="x", party=owner, units=units, state=UnitState.LOST)
        case "pack":
            command = commands.PackCase(request_id="x", party=party, sscc=sscc(999), units=units)
        case "confirm":
            command = commands.ConfirmPurchase(request_id="x", consumer="wei", units=units, price_paid=YUAN)
        case _:
            count = draw(at_most(MAX_DISCREPANCIES))
            each = draw(st.sampled_from([1, 50, 190]))
            claims = tuple(
                commands.DiscrepancyClaim(DiscrepancyKind.SHORT, singles(OFFERED, n * each * 2, each))
                for n in range(count)
            )
            last = (
                (commands.DiscrepancyClaim(DiscrepancyKind.SHORT, count=7),)
                if count < MAX_DISCREPANCIES
                else ()
            )
            command = commands.AcceptTransfer(
                request_id="x",
                receiver="ann",
                transfer=hostile_book().names["offer"],
                discrepancies=claims + last,
                extra=units.ranges,
            )
    return command
