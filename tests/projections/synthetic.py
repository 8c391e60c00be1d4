"""Small random books with every kind of event; commands that the rules refuse are left out."""

import datetime
from random import Random

from pathbook.ledger import commands, events
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import Command
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.rules.answerable import Declarable
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.run import Run
from pathbook.ledger.steps import actor_of
from pathbook.ledger.values import (
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Selection,
    UnitRange,
    UnitState,
)
from tests.projections.synthetic_keys import SigningKeys
from tests.scenario import BALM, CODE_KEY, DAY, MASK, NOON, opening

PARTIES = ("acme", "ann", "ben", "cat")
SIZES = (8, 40, 1_000_000)
CASES = ("106141412345678908", "106141412345678915", "106141412345678922")
GONE = (UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED)

Entries = list[tuple[str, bytes]]


class SyntheticBook:
    """A book of random events: ``entries`` is its log, ``recorded`` its decoded events, ``state`` the final state."""

    def __init__(self, seed: int, length: int) -> None:
        """Open the book with parties, products and batches, then give ``length`` random commands."""
        random = self.random = Random(seed)
        self.state = State("book")
        self.entries: Entries = []
        self.recorded: list[RecordedEvent] = []
        self.now = NOON
        self.keys = SigningKeys(seed, self.state, PARTIES)
        self.ask(opening("book"))
        for party in PARTIES:
            kind = PartyKind.BRAND if party == "acme" else PartyKind.AGENT
            self.ask(commands.RegisterParty(request_id=f"party {party}", party=party, kind=kind))
        for product, price in ((MASK, 300), (BALM, 90)):
            self.ask(
                commands.RegisterProduct(
                    request_id=product,
                    brand="acme",
                    product=product,
                    name=product,
                    suggested_price=Price(price, "CNY"),
                )
            )
        for size in SIZES:
            self.ask(self.commission(size))
        for number in range(length):
            self.now += random.randrange(DAY)
            self.ask(self.random_command(f"{random.randrange(10**6)} {number}"))
            if (about_keys := self.keys.command(f"key {number}")) is not None:
                self.ask(about_keys)

    def ask(self, command: Command) -> None:
        """Decide a command, which a party with a key signs, and append the event that it causes."""
        signed = self.keys.signed(command, self.now)
        event = decide(self.state, signed or command, self.now)
        if isinstance(event, Refusal):
            return
        earlier = self.random.randrange(2)
        entry = encode(
            event,
            recorded_at=self.now,
            occurred_at=self.now if signed else self.now - earlier,  # a statement says when
            request=request_of(command.actor, command.request_id),
            request_digest=digest(signed.command if signed else command),
            signed=Signed(signed.statement, signed.signature) if signed else None,
        )
        recorded = decode(self.state.position + 1, entry[1])
        evolve(self.state, recorded)
        if isinstance(event, events.DeclarableEvent):
            self.state.declarables[recorded.position] = Declarable(event, recorded.leaf)
        self.entries.append(entry)
        self.recorded.append(recorded)

    def commission(self, size: int) -> Command:
        """Return the command that commissions a batch."""
        number = self.state.last_batch
        return commands.CommissionBatch(
            request_id=f"batch {number}",
            brand="acme",
            product=(MASK, BALM)[number % 2],
            lot=f"L{number}",
            size=size,
            made_on=datetime.date(2025, 12, 1),
            expires_on=self.random.choice([None, datetime.date(2027, 1, 1 + number % 28)]),
            suggested_price=self.random.choice([None, Price(280, "USD")]),
            code_key=CODE_KEY,
        )

    def random_command(self, request_id: str) -> Command:
        """Return a random command, usually one on a few units of a run, which the rules may refuse."""
        random, batch = self.random, self.random.choice(list(self.state.partitions))
        if random.random() < 0.08:
            return self.register(request_id, batch)
        run = random.choice(self.state.partitions[batch].runs)
        parts = [self.part(batch, run)]
        if random.random() < 0.2:
            other = random.choice(list(self.state.partitions))
            alike = [found for found in self.state.partitions[other].runs if found.owner == run.owner]
            parts += [self.part(other, found) for found in alike[:1]]
        cases = [name for name, case in self.state.cases.items() if case is not None]
        if cases and random.random() < 0.1:
            return self.move(request_id, run, Selection(cases=(random.choice(cases),)))
        return self.move(request_id, run, Selection(tuple(parts)))

    def part(self, batch: int, run: Run) -> UnitRange:
        """Choose a range near the beginning of a run, so that later ranges overlap with it."""
        first = self.random.randint(run.first, min(run.last, run.first + 6))
        return UnitRange(batch, first, self.random.randint(first, min(run.last, first + 6)))

    def move(self, request_id: str, run: Run, units: Selection) -> Command:
        """Return a random command on units in the state of a run."""
        random, receiver = self.random, self.random.choice(PARTIES)
        if run.state is UnitState.OFFERED and random.random() < 0.9:
            return self.answer(request_id, run, units)
        if run.last_hop is not None and random.random() < 0.35:
            came = self.state.transfers[run.last_hop.transfer]
            assert came is not None, run
            side = came.terms.giver if came.reversal_asked_by == came.terms.receiver else came.terms.receiver
            return commands.ReverseTransfer(request_id=request_id, party=side, transfer=run.last_hop.transfer)
        if run.state in (UnitState.SOLD, UnitState.CONFIRMED) or random.random() < 0.1:
            if random.random() < 0.5:
                return commands.ReturnUnits(request_id=request_id, owner=run.owner, units=units)
            consumer, price = run.owner.removeprefix("consumer:"), self.price()
            return commands.ConfirmPurchase(
                request_id=request_id, consumer=consumer, units=units, price_paid=price
            )
        sell = commands.SellUnits(
            request_id=request_id,
            seller=run.owner,
            consumer="wei",
            units=units,
            unit_price=self.price(),
            delivery=random.choice(list(Delivery)),
        )
        deliver = commands.DeliverUnits(
            request_id=request_id, custodian=run.custodian, receiver=receiver, units=units
        )
        gone = commands.WriteOffUnits(
            request_id=request_id, party=run.custodian, units=units, state=random.choice(GONE)
        )
        sscc = random.choice(CASES)
        pack = commands.PackCase(request_id=request_id, party=run.custodian, sscc=sscc, units=units)
        unpack = commands.UnpackCase(request_id=request_id, party=run.custodian, sscc=sscc)
        onward = self.onward(request_id, run.owner, receiver, units)
        return random.choice([onward, onward, onward, onward, sell, deliver, gone, pack, pack, unpack])

    def onward(self, request_id: str, giver: str, receiver: str, units: Selection) -> Command:
        """Return the command that offers or records a transfer."""
        price, delivery = self.price(), self.random.choice(list(Delivery))
        if self.random.random() < 0.1 and (attestation := self.attestation(request_id)) is not None:
            return attestation
        if self.random.random() < 0.5:
            return commands.RecordTransfer(
                request_id=request_id,
                giver=giver,
                receiver=receiver,
                units=units,
                unit_price=price,
                delivery=delivery,
                reference=self.random.choice(["", f"note {self.random.randrange(100)}"]),
            )
        return commands.OfferTransfer(
            request_id=request_id,
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=delivery,
            deadline=self.random.choice([None, self.now + DAY]),
        )

    def attestation(self, request_id: str) -> Command | None:
        """Return the command by which a receiver reports one of the transfers with a reference."""
        named = [position for position in self.state.references.values() if position is not None]
        if not named:
            return None
        transfer = self.state.transfers[self.random.choice(named)]
        assert transfer is not None
        terms = transfer.terms
        return commands.RecordTransfer(
            request_id=request_id,
            giver=terms.giver,
            receiver=terms.receiver,
            units=Selection(terms.ranges),
            unit_price=terms.unit_price,
            delivery=terms.delivery,
            reference=terms.reference,
            reported_by=terms.receiver,
        )

    def answer(self, request_id: str, run: Run, units: Selection) -> Command:
        """Return an answer to the offer that reserves a run."""
        offer = self.state.transfers[run.transfer]
        assert offer is not None, run
        random = self.random
        match random.randrange(7):
            case 0:
                return commands.DeclineTransfer(
                    request_id=request_id, receiver=offer.terms.receiver, transfer=run.transfer
                )
            case 1:
                return commands.WithdrawTransfer(
                    request_id=request_id, giver=offer.terms.giver, transfer=run.transfer
                )
            case 2:
                self.now += 2 * DAY
                return commands.LapseTransfer(request_id=request_id, transfer=run.transfer)
            case 3 | 4:
                claim = random.choice(
                    [
                        commands.DiscrepancyClaim(DiscrepancyKind.SHORT, units.ranges),
                        commands.DiscrepancyClaim(DiscrepancyKind.DAMAGED, (), 1),
                    ]
                )
                return commands.AcceptTransfer(
                    request_id=request_id,
                    receiver=offer.terms.receiver,
                    transfer=run.transfer,
                    discrepancies=(claim,),
                )
            case _:
                return commands.AcceptTransfer(
                    request_id=request_id, receiver=offer.terms.receiver, transfer=run.transfer
                )

    def register(self, request_id: str, batch: int) -> Command:
        """Return a random command that moves no units."""
        random, party = self.random, self.random.choice(PARTIES)
        given = [name for name, holder in self.state.authorizations.items() if holder is not None]
        recalled = [name for name, holder in self.state.recalls.items() if holder is not None]
        match random.randrange(10):
            case 6 if (mistake := self.mistake()) is not None:
                return mistake
            case 7:
                return commands.CorrectProduct(
                    request_id=request_id,
                    brand="acme",
                    product=random.choice([MASK, BALM]),
                    name=f"name {random.randrange(1_000)}",
                )
            case 8:
                return commands.CorrectBatch(
                    request_id=request_id,
                    brand="acme",
                    batch=batch,
                    suggested_price=Price(random.randrange(1_000), "CNY"),
                )
            case 9:
                kind = random.choice((PartyKind.AGENT, PartyKind.SHOP))
                return commands.CorrectParty(request_id=request_id, party=party, kind=kind)
            case 0:
                return self.commission(random.randint(1, 50))
            case 5:
                return self.seal()
            case 1:
                return commands.AuthorizeParty(
                    request_id=request_id, upline="acme", party=party, tier=random.randint(1, 5)
                )
            case 2 if given:
                return commands.RevokeAuthorization(
                    request_id=request_id, upline="acme", authorization=random.choice(given)
                )
            case 3 if recalled:
                return commands.LiftRecall(
                    request_id=request_id, brand="acme", recall=random.choice(recalled)
                )
            case 4:
                return commands.RecallUnits(
                    request_id=request_id,
                    brand="acme",
                    batch=batch,
                    ranges=(UnitRange(batch, 0, random.randrange(3)),),
                )
            case _:
                return commands.RegisterParty(
                    request_id=request_id, party=f"shop{random.randrange(100)}", kind=PartyKind.SHOP
                )

    def seal(self) -> Command:
        """Return the command that seals one of the last positions, with a root that no tree has."""
        covers = max(1, self.state.position - self.random.randrange(3))
        return commands.Seal(
            request_id=f"~seal/{covers}",
            covers=covers,
            covers_recorded_at=self.recorded[covers - 1].recorded_at,
            batches=self.state.last_batch,
            parties=len(PARTIES),
            root=self.random.randbytes(32),
        )

    def mistake(self) -> Command | None:
        """Return the command that declares one of the last such events an error, or one that is declared already."""
        known = [(position, found) for position, found in self.state.declarables.items() if found is not None]
        if not known:
            return None
        position, found = self.random.choice(known[-3:])
        return commands.DeclareError(
            request_id=f"mistake {self.now}", party=actor_of(found.event), position=position
        )

    def price(self) -> Price:
        """Choose a price."""
        amount_minor, per_units = self.random.choice(
            [(0, 1), (150, 1), (180, 1), (300, 2), (210, 1), (300, 1), (100, 7)]
        )
        return Price(amount_minor, self.random.choice(["CNY", "CNY", "USD"]), per_units)
