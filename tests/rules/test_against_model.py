"""The rules on runs agree, unit by unit, with a naive model that has no runs."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pathbook.ledger import commands
from pathbook.ledger.events import TransferOffered, TransferRecorded, UnitsSold
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import Delivery, DiscrepancyKind, Price, Selection, UnitRange, UnitState
from tests.rules.naive import GONE, OFFERED, SOLD, STOCK, Deal, Naive, Piece
from tests.scenario import MASK, Story

PARTIES = ("acme", "ann", "ben", "cat")
SIZES = {1: 8, 2: 4}
CASES = ("106141412345678908", "106141412345678915", "106141412345678922")
PRICE = Price(100, "CNY")


Item = TypeVar("Item")


class Dice(bytes):
    """All choices of one step in a single draw, because each draw takes Hypothesis half a millisecond.

    Each choice uses one byte. The least byte, 0, stands for the first and most likely choice.
    """

    used = 0

    def next_byte(self) -> int:
        """Return the next byte."""
        self.used += 1
        return self[self.used - 1]

    def usually(self) -> bool:
        """Return True four times out of five."""
        return self.next_byte() < 0.8 * 256

    def one_of(self, items: Sequence[Item]) -> Item:
        """Choose one of at most 256 items."""
        return items[self.next_byte() % len(items)]


parties = st.sampled_from(PARTIES)
deliveries = st.sampled_from(Delivery)
throws = st.binary(min_size=13, max_size=13).map(Dice)


class Model(Naive, RuleBasedStateMachine):
    """Gives the same random commands to the rules and to the naive model."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        Naive.__init__(self)
        RuleBasedStateMachine.__init__(self)
        self.story = Story(book="masks")

    @initialize()
    def begin(self) -> None:
        """Register the parties and commission two batches."""
        self.story.tell("brand acme\nagent ann\nagent ben\nshop cat\nproduct mask 30000 CNY of acme")
        for batch, size in SIZES.items():
            self.story.tell(f"batch L{batch} of {MASK} size {size} made 2025-12-01 by acme")
            self.pieces |= {(batch, number): Piece() for number in range(size)}

    def some(self, dice: Dice, *states: UnitState, by_custodian: bool = False) -> tuple[list[UnitRange], str]:
        """Choose units and the acting party: usually the party has the units, so that many commands are accepted."""
        likely = [key for key in sorted(self.pieces) if self.pieces[key].state in (states or (STOCK,))]
        key = dice.one_of(likely if dice.usually() and likely else sorted(self.pieces))
        piece = self.pieces[key]
        keys = {key}
        if dice.usually() and piece.case:
            keys = self.contents(self.outermost(piece.case)) or keys
        elif dice.usually():
            alike = [k for k, other in self.pieces.items() if k[0] == key[0] and other == piece]
            keys |= set(alike[: dice.one_of(range(1, 9))])
        if not dice.usually():
            keys.add(dice.one_of(sorted(self.pieces)))
        named = [UnitRange(batch, number, number) for batch, number in sorted(keys)]
        if not dice.usually():
            batch, first = dice.one_of([1, 2]), dice.one_of(range(10))
            named.append(UnitRange(batch, first, first + dice.one_of(range(3))))
        actor = piece.custodian if by_custodian else piece.owner
        return named, actor if dice.usually() else dice.one_of(PARTIES)

    def ask(self, command: commands.Command, *, expected: bool) -> bool:
        """Give a command to the rules, and check whether it is accepted as expected."""
        outcome = self.story.ask(command)
        assert isinstance(outcome, Refusal) is not expected, (command, outcome)
        return expected

    @rule(dice=throws, receiver=parties, delivery=deliveries)
    def record(self, dice: Dice, receiver: str, delivery: Delivery) -> None:
        """Record a transfer in one step."""
        chosen, giver = self.some(dice)
        keys = self.named(chosen)
        command = commands.RecordTransfer(
            request_id=self.story.request(),
            giver=giver,
            receiver=receiver,
            units=Selection(tuple(chosen)),
            unit_price=PRICE,
            delivery=delivery,
        )
        if self.ask(command, expected=giver != receiver and self.free(keys, giver)) and keys:
            assert isinstance(self.story.events[-1], TransferRecorded)
            deal = Deal(giver, receiver, keys, delivery is Delivery.WITH_TITLE)
            self.move(deal, self.story.state.position, STOCK)

    @rule(dice=throws, receiver=parties)
    def offer(self, dice: Dice, receiver: str) -> None:
        """Offer units."""
        chosen, giver = self.some(dice)
        keys = self.named(chosen)
        command = commands.OfferTransfer(
            request_id=self.story.request(),
            giver=giver,
            receiver=receiver,
            units=Selection(tuple(chosen)),
            unit_price=PRICE,
        )
        if self.ask(command, expected=giver != receiver and self.free(keys, giver)) and keys:
            assert isinstance(self.story.events[-1], TransferOffered)
            self.deals[self.story.state.position] = Deal(giver, receiver, keys, with_goods=True, open=True)
            for key in keys:
                self.pieces[key].state = OFFERED

    def pick(self, dice: Dice, *, pending: bool) -> int:
        """Choose a transfer, usually one that can be answered or reversed, or a position without a transfer."""
        likely = [position for position, deal in self.deals.items() if deal.in_force and deal.open is pending]
        return dice.one_of(likely if dice.usually() and likely else [*self.deals, 1])

    def side(self, dice: Dice, position: int, *, giver: bool) -> str:
        """Choose the party that answers, usually the one that may."""
        deal = self.deals.get(position)
        if deal is None or not dice.usually():
            return dice.one_of(PARTIES)
        return deal.giver if giver else deal.receiver

    @rule(dice=throws, short=st.sampled_from([0, 0, 1, 2, 3]))
    def accept(self, dice: Dice, short: int) -> None:
        """Accept an offer without its last few units."""
        position = self.pick(dice, pending=True)
        receiver = self.side(dice, position, giver=False)
        deal = self.deals.get(position)
        expected = deal is not None and deal.open and deal.receiver == receiver and short < len(deal.keys)
        claims = (commands.DiscrepancyClaim(DiscrepancyKind.SHORT, (), short),) if short else ()
        command = commands.AcceptTransfer(
            request_id=self.story.request(), receiver=receiver, transfer=position, discrepancies=claims
        )
        if self.ask(command, expected=expected) and deal is not None:
            kept = sorted(deal.keys)[len(deal.keys) - short :]
            self.open_cases(set(kept), deal.keys - set(kept))
            for key in kept:
                self.pieces[key].state = STOCK
            deal.keys, deal.open = deal.keys - set(kept), False
            self.move(deal, position, STOCK)

    @rule(dice=throws, withdraw=st.booleans())
    def release(self, dice: Dice, *, withdraw: bool) -> None:
        """Withdraw or decline an offer."""
        position = self.pick(dice, pending=True)
        party = self.side(dice, position, giver=withdraw)
        deal = self.deals.get(position)
        expected = deal is not None and deal.open and party == (deal.giver if withdraw else deal.receiver)
        request = self.story.request()
        command: commands.Command = (
            commands.WithdrawTransfer(request_id=request, giver=party, transfer=position)
            if withdraw
            else commands.DeclineTransfer(request_id=request, receiver=party, transfer=position)
        )
        if self.ask(command, expected=expected) and deal is not None:
            deal.open = deal.in_force = False
            for key in deal.keys:
                self.pieces[key].state = STOCK

    @rule(dice=throws, giver=st.booleans())
    def reverse(self, dice: Dice, *, giver: bool) -> None:
        """Ask for the reversal of a transfer, or agree to it."""
        position = self.pick(dice, pending=False)
        party = self.side(dice, position, giver=giver)
        deal = self.deals.get(position)
        expected = (
            deal is not None
            and not deal.open
            and deal.in_force
            and not deal.receiver.startswith("consumer:")
            and party in (deal.giver, deal.receiver)
            and deal.reversal_by != party
            and all(self.pieces[key].chain[-1:] == [position] for key in deal.keys)
            and self.free(deal.keys, deal.receiver)
        )
        command = commands.ReverseTransfer(request_id=self.story.request(), party=party, transfer=position)
        if self.ask(command, expected=expected) and deal is not None:
            if deal.reversal_by:
                deal.in_force = False
                self.move_back(deal, deal.keys)
            else:
                deal.reversal_by = party

    @rule(dice=throws, delivery=deliveries)
    def sell(self, dice: Dice, delivery: Delivery) -> None:
        """Sell units to a consumer."""
        chosen, seller = self.some(dice)
        keys = self.named(chosen)
        command = commands.SellUnits(
            request_id=self.story.request(),
            seller=seller,
            consumer="wei",
            units=Selection(tuple(chosen)),
            unit_price=PRICE,
            delivery=delivery,
        )
        if self.ask(command, expected=self.free(keys, seller)) and keys:
            assert isinstance(self.story.events[-1], UnitsSold)
            deal = Deal(seller, "consumer:wei", keys, delivery is Delivery.WITH_TITLE)
            self.move(deal, self.story.state.position, SOLD)

    @rule(dice=throws)
    def return_units(self, dice: Dice) -> None:
        """Return units."""
        chosen, owner = self.some(dice, STOCK, SOLD)
        keys = self.named(chosen)
        expected = keys is not None and self.whole(keys)
        for piece in [self.pieces[key] for key in keys or ()]:
            expected = (
                expected and piece.owner == owner and piece.state in (STOCK, SOLD) and bool(piece.chain)
            )
        command = commands.ReturnUnits(
            request_id=self.story.request(), owner=owner, units=Selection(tuple(chosen))
        )
        if self.ask(command, expected=expected) and keys:
            for key in keys:
                self.move_back(self.deals[self.pieces[key].chain[-1]], {key})

    @rule(dice=throws, receiver=parties)
    def deliver(self, dice: Dice, receiver: str) -> None:
        """Deliver goods."""
        chosen, custodian = self.some(dice, STOCK, SOLD, by_custodian=True)
        keys = self.named(chosen)
        expected = keys is not None and custodian != receiver and self.whole(keys)
        for piece in [self.pieces[key] for key in keys or ()]:
            expected = expected and piece.custodian == custodian and piece.state in (STOCK, SOLD)
        command = commands.DeliverUnits(
            request_id=self.story.request(),
            custodian=custodian,
            receiver=receiver,
            units=Selection(tuple(chosen)),
        )
        if self.ask(command, expected=expected):
            for key in keys or ():
                self.pieces[key].custodian = receiver

    @rule(dice=throws, state=st.sampled_from(GONE))
    def write_off(self, dice: Dice, state: UnitState) -> None:
        """Write units off."""
        chosen, party = self.some(dice, by_custodian=True)
        keys = self.named(chosen)
        expected = keys is not None
        for piece in [self.pieces[key] for key in keys or ()]:
            theirs = (STOCK, SOLD) if party.startswith("consumer:") else (STOCK,)
            expected = expected and piece.custodian == party and piece.state in theirs
        command = commands.WriteOffUnits(
            request_id=self.story.request(), party=party, units=Selection(tuple(chosen)), state=state
        )
        if self.ask(command, expected=expected):
            for key in keys or ():
                self.pieces[key].state = state

    @rule(dice=throws, sscc=st.sampled_from(CASES), inner=st.sampled_from([*CASES, ""]))
    def pack(self, dice: Dice, sscc: str, inner: str) -> None:
        """Pack units, and perhaps a case, in a case."""
        chosen, party = self.some(dice, by_custodian=True)
        keys = self.named(chosen)
        expected = keys is not None and sscc not in self.outer
        expected = expected and all(not self.pieces[key].case for key in keys or ())
        inside = set()
        if inner:
            expected = expected and self.outer.get(inner) == "" and bool(self.contents(inner))
            inside = self.contents(inner) if inner in self.outer else set()
        for piece in [self.pieces[key] for key in (keys or set()) | inside]:
            expected = expected and piece.custodian == party and piece.state is STOCK
        expected = expected and len({self.pieces[key].owner for key in (keys or set()) | inside}) == 1
        units = Selection(tuple(chosen), (inner,) if inner else ())
        command = commands.PackCase(request_id=self.story.request(), party=party, sscc=sscc, units=units)
        if self.ask(command, expected=expected):
            self.outer[sscc], self.packers[sscc] = "", party
            if inner:
                self.outer[inner] = sscc
            for key in keys or ():
                self.pieces[key].case = sscc

    @rule(dice=throws)
    def unpack(self, dice: Dice) -> None:
        """Unpack a case."""
        packed = sorted(self.outer)
        sscc = dice.one_of(packed if dice.usually() and packed else CASES)
        inside = sorted(self.contents(sscc)) if sscc in self.outer else []
        party = self.pieces[inside[0]].custodian if dice.usually() and inside else dice.one_of(PARTIES)
        expected = self.outer.get(sscc) == ""
        if expected and not self.contents(sscc):
            expected = self.packers[sscc] == party
        for piece in [self.pieces[key] for key in self.contents(sscc)] if expected else []:
            expected = expected and piece.custodian == party and piece.state is not OFFERED
        command = commands.UnpackCase(request_id=self.story.request(), party=party, sscc=sscc)
        if self.ask(command, expected=expected):
            self.unpack_case(sscc)

    @invariant()
    def the_runs_agree_with_the_naive_model(self) -> None:
        """Each unit lies in exactly one run, with the same state as in the naive model."""
        for batch, partition in self.story.state.partitions.items():
            numbers_seen = []
            for run in partition.runs:
                for number in range(run.first, run.last + 1):
                    numbers_seen.append(number)
                    piece = self.pieces[batch, number]
                    assert (run.owner, run.custodian, run.state) == (
                        piece.owner,
                        piece.custodian,
                        piece.state,
                    )
                    assert list(run.chain) == piece.chain
            assert numbers_seen == list(range(SIZES[batch]))

    @invariant()
    def the_stock_index_is_complete(self) -> None:
        """The index finds exactly the runs that an owner is free to move."""
        for partition in self.story.state.partitions.values():
            for owner in PARTIES:
                expected = [run for run in partition.runs if run.owner == owner and run.state is STOCK]
                assert list(partition.in_stock(owner)) == expected


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=300, stateful_step_count=50)
