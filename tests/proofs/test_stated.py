"""An event is compared with what its statement asks: an honest one is the same, and each change of it is found."""

import datetime
from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import commands, events
from pathbook.ledger.codec.commands import command_of
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.commands import Command, CommissionBatch, LapseTransfer, OpenBook, Seal
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.proofs.stated import NOTHING, Known, Precision, acting, difference
from pathbook.ledger.ranges import union
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.units import packed_units
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    Delivery,
    PartyKind,
    Price,
    Quantity,
    Ranges,
    Selection,
    UnitRange,
    UnitState,
)
from tests.projections.synthetic import SyntheticBook
from tests.scenario import BALM, MASK, Story
from tests.verify.signed_story import bound, statement_of

KeyCommand = RegisterKey | RevokeKey | FileStatements
"""Commands about keys have their own signatures, and no statement."""

SEEDS: Final = st.integers(0, 10_000)
LENGTH: Final = 80

ADDED: Final = {
    "authorities", "code_key", "unpacked", "lines", "declared", "confirmed",
    "discrepancies", "note_commitment", "revoked_from", "terms", "valid_from", "suggested_price",
}  # fmt: skip
"""Fields that only the server adds, or that the test changes otherwise, or that a command may leave to the book."""

LEFT_TO_THE_BOOK: Final = {
    ("batch", events.BatchCommissioned),
    ("giver", events.TransferDeclined),
    ("ranges", events.TransferDeclined),
    ("receiver", events.TransferWithdrawn),
    ("ranges", events.TransferWithdrawn),
    ("party", events.AuthorizationRevoked),
    ("batch", events.RecallLifted),
    ("name", events.ProductCorrected),
    ("made_on", events.BatchCorrected),
    ("expires_on", events.BatchCorrected),
}
"""Fields of some events that their commands do not have, or may leave out."""


class KnownState(Known):
    """What a state knows, copied before an event is applied to it."""

    def __init__(self, state: State) -> None:
        self._made = {number: batch.commissioned for number, batch in state.batches.items() if batch}
        self._terms = {position: item.terms for position, item in state.transfers.items() if item}
        self._cases = {sscc: packed_units(state, case) for sscc, case in state.cases.items() if case}

    def product(self, batch: int) -> str | None:
        """Return the GTIN of a batch."""
        return self._made[batch].product

    def size(self, batch: int) -> int | None:
        """Return the size of a batch."""
        return self._made[batch].size

    def contents(self, sscc: str) -> Ranges | None:
        """Return the units in a case."""
        return self._cases.get(sscc)

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms of a transfer."""
        return self._terms.get(transfer)


class AskedBook(SyntheticBook):
    """A synthetic book that keeps what was asked for each event, and what was known before it."""

    def __init__(self, seed: int, length: int = LENGTH) -> None:
        self.asked: list[tuple[RecordedEvent, Command, Known]] = []
        super().__init__(seed, length)

    def ask(self, command: Command) -> None:
        """Decide a command, which moves units by count now and then."""
        known, before = KnownState(self.state), len(self.recorded)
        units = getattr(command, "units", None)
        if isinstance(units, Selection) and units.ranges and Random(len(self.asked)).random() < 0.2:
            part = units.ranges[0]
            counted = Selection(
                units.ranges[1:], units.cases, (Quantity(min(2, part.count), batch=part.batch),)
            )
            command = msgspec.structs.replace(command, units=counted)
        command = bound(self.state, command)
        super().ask(command)
        for item in self.recorded[before:]:
            self.asked.append((msgspec.structs.replace(item, occurred_at=item.recorded_at), command, known))


def is_own(command: Command) -> bool:
    """Tell whether no party asks a command, or no statement does."""
    return isinstance(command, OpenBook | LapseTransfer | Seal | commands.ConfirmPurchase | KeyCommand)


@given(seed=SEEDS)
def test_an_event_is_what_was_asked(seed: int) -> None:
    """No event of a book by the rules differs from its command, with and without knowing the others."""
    for recorded, command, known in AskedBook(seed).asked:
        if is_own(command):
            continue
        found = difference(recorded, command, known)
        assert found.difference == "", (command, recorded.event)
        alone = difference(recorded, command)
        units = getattr(command, "units", Selection())
        if not isinstance(recorded.event, events.TransferAttested):
            assert alone.difference == "", (command, recorded.event)
            assert (alone.precision is Precision.BY_CASE) is (
                bool(units.cases) and not isinstance(command, commands.PackCase)
            )
        if not units.quantities and not isinstance(command, commands.AcceptTransfer):
            assert found.precision is Precision.EXACT


@given(seed=SEEDS)
def test_the_party_that_acts_is_known_from_the_event(seed: int) -> None:
    """It is the actor of the command. None acts when an offer lapses, or a seal is made."""
    for recorded, command, _ in AskedBook(seed).asked:
        expected = None if isinstance(command, LapseTransfer | Seal | KeyCommand) else command.actor
        assert acting(recorded.event) == expected, command


@given(seed=SEEDS)
def test_a_statement_is_read_as_it_was_asked(seed: int) -> None:
    """The request in a statement leads to the command again."""
    for recorded, command, _ in AskedBook(seed).asked:
        if is_own(command):
            continue
        statement = read_statement(statement_of(command, "a1", recorded.recorded_at))
        code_key = command.code_key if isinstance(command, CommissionBatch) else b""
        assert command_of(statement.request, code_key=code_key) == command


def others(value: object) -> Iterator[object]:
    """Yield other values of a field."""
    if isinstance(value, Delivery | PartyKind | UnitState):
        yield from (other for other in type(value) if other is not value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield f"{value}0"
    elif isinstance(value, Price):
        yield msgspec.structs.replace(value, amount_minor=value.amount_minor + 1)
        yield msgspec.structs.replace(value, currency_code="EUR")
    elif isinstance(value, datetime.date):
        yield value + datetime.timedelta(days=1)
    elif isinstance(value, tuple) and value and isinstance(value[0], UnitRange):
        yield value[1:]
        yield (*value[:-1], msgspec.structs.replace(value[-1], last=value[-1].last + 1))
    elif isinstance(value, tuple) and value and isinstance(value[0], str):
        yield value[1:]


def changed(event: Event) -> Iterator[tuple[str, Event]]:
    """Yield an event with each of its fields changed, and each field of its terms."""
    for name in event.__struct_fields__:
        if name in ADDED or (name, type(event)) in LEFT_TO_THE_BOOK:
            continue
        for value in others(getattr(event, name)):
            yield name, msgspec.structs.replace(event, **{name: value})
    if isinstance(event, events.TransferRecorded | events.TransferOffered | events.UnitsSold):
        for name in event.terms.__struct_fields__:
            for value in others(getattr(event.terms, name)) if name not in ADDED else ():
                terms = msgspec.structs.replace(event.terms, **{name: value})
                yield name, msgspec.structs.replace(event, terms=terms)


@given(seed=SEEDS)
def test_each_change_of_an_event_is_found(seed: int) -> None:
    """A field that a command decides cannot have another value, nor can a request or a time."""
    for recorded, command, known in AskedBook(seed, 40).asked:
        if is_own(command):
            continue
        for name, event in changed(recorded.event):
            if name == "ranges" and getattr(command, "units", Selection()).cases:
                continue
            other = msgspec.structs.replace(recorded, event=event)
            assert difference(other, command, known).difference, (name, command, event)
        for later in ({"request": bytes(16)}, {"occurred_at": recorded.occurred_at + 1}):
            assert difference(msgspec.structs.replace(recorded, **later), command, known).difference


@given(seed=SEEDS)
def test_no_event_is_what_another_command_asks(seed: int) -> None:
    """An event is compared with the commands of all others, as if they had its request id."""
    asked = AskedBook(seed, 40).asked
    for recorded, command, known in asked[:: max(1, len(asked) // 12)]:
        for _, other, _ in asked:
            if is_own(other) or other.actor != command.actor or is_own(command):
                continue
            same = msgspec.structs.replace(other, request_id=command.request_id)
            if same == command:
                continue
            if not difference(recorded, same, known).difference:
                assert type(same) is type(command)
                assert _may_leave_to_the_book(command) or _may_leave_to_the_book(same), (command, same)


def _may_leave_to_the_book(command: Command) -> bool:
    units = getattr(command, "units", Selection())
    claims = getattr(command, "discrepancies", ())
    price = getattr(command, "suggested_price", 0)
    return bool(units.quantities or units.cases) or any(claim.count for claim in claims) or price is None


OFFER: Final = """
brand acme
agent ann
product mask 30000 CNY of acme
product balm 30000 CNY of acme
batch L1 of mask size 20 made 2025-12-01 by acme
batch L2 of balm size 20 made 2025-12-01 by acme
record 5 of 1, 3 of mask, 4 of balm acme > ann at 100
"""


class OfGoods(Known):
    """Knows the products of some batches."""

    def __init__(self, products: dict[int, str]) -> None:
        self._products = products

    def product(self, batch: int) -> str | None:
        """Return a GTIN."""
        return self._products.get(batch)


@pytest.mark.parametrize(
    "known", [NOTHING, OfGoods({1: MASK}), OfGoods({2: BALM}), OfGoods({1: MASK, 2: BALM})]
)
@pytest.mark.parametrize(
    ("ranges", "wrong"),
    [
        ((UnitRange(1, 0, 7), UnitRange(2, 0, 3)), ""),
        ((UnitRange(1, 10, 17), UnitRange(2, 9, 12)), ""),
        ((UnitRange(1, 0, 6), UnitRange(2, 0, 3)), "always"),
        ((UnitRange(1, 0, 8), UnitRange(2, 0, 3)), "always"),
        ((UnitRange(1, 0, 3), UnitRange(2, 0, 7)), "always"),
        ((UnitRange(1, 0, 8), UnitRange(2, 0, 2)), "if batch 1 is known"),
        ((UnitRange(1, 0, 6), UnitRange(2, 0, 4)), "if batch 2 is known"),
    ],
)
def test_quantities_are_compared_by_count(known: Known, ranges: Ranges, wrong: str) -> None:
    """Of each batch and of each known product there are as many units, and no more of any."""
    story = Story(OFFER)
    command, _ = story.commands[-1]
    recorded = story.recorded[-1]
    assert isinstance(recorded.event, events.TransferRecorded)
    terms = msgspec.structs.replace(recorded.event.terms, ranges=ranges)
    other = msgspec.structs.replace(recorded, event=events.TransferRecorded(terms))
    found = difference(other, command, known)
    is_found = wrong == "always" or any(
        known.product(batch) and wrong == f"if batch {batch} is known" for batch in (1, 2)
    )
    assert bool(found.difference) is is_found
    assert found.difference or found.precision is Precision.BY_COUNT


@pytest.mark.parametrize("extra", [(), (UnitRange(1, 12, 12),)])
def test_units_beside_a_case_are_named(extra: Ranges) -> None:
    """A range is compared exactly, and what lay in a case only if that is known."""
    sscc = "106141411234567897"
    story = Story(OFFER + f"pack {sscc} with 1:10-11 by acme\nrecord 1:15, case {sscc} acme > ann at 100")
    command, _ = story.commands[-1]
    recorded = story.recorded[-1]
    assert isinstance(recorded.event, events.TransferRecorded)
    terms = msgspec.structs.replace(
        recorded.event.terms, ranges=union((*recorded.event.terms.ranges, *extra))
    )
    other = msgspec.structs.replace(recorded, event=events.TransferRecorded(terms))
    assert difference(other, command) == ("", Precision.BY_CASE)

    class Contents(Known):
        def contents(self, sscc: str) -> Ranges | None:
            return (UnitRange(1, 10, 11),) if sscc else None

    assert bool(difference(other, command, Contents()).difference) is bool(extra)
    without = msgspec.structs.replace(terms, ranges=(UnitRange(1, 10, 11),))
    gone = msgspec.structs.replace(recorded, event=events.TransferRecorded(without))
    assert difference(gone, command).difference


def test_a_recall_of_a_batch_is_never_one_of_no_units() -> None:
    """A recall without ranges asks for all units, whether the size of the batch is known or not."""
    story = Story(OFFER + "recall batch 1 by acme")
    command, _ = story.commands[-1]
    recorded = story.recorded[-1]
    assert not difference(recorded, command).difference
    for known in (NOTHING, KnownState(story.state)):
        for ranges in ((), (UnitRange(1, 1, 19),), (UnitRange(1, 0, 1), UnitRange(1, 3, 19))):
            other = msgspec.structs.replace(recorded.event, ranges=ranges)
            found = difference(msgspec.structs.replace(recorded, event=other), command, known)
            assert found.difference == "it states another set of units"
