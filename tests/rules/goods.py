"""Random steps of consumers, and of goods: sales, confirmations, returns, deliveries, write-offs."""

from pathbook.ledger import commands, events
from pathbook.ledger.steps import StepKind
from pathbook.ledger.values import Delivery, PartyKind
from tests.rules.naive import CONFIRMED, GONE, SOLD, STOCK, Act, Deal, Key, Shortage
from tests.rules.naive_authority import consumer
from tests.rules.stage import CONSUMERS, HOLDERS, PARTIES, PRICES, REFERENCES, Dice, keys_of
from tests.rules.transfers import BOTH, Transfers


class Goods(Transfers):
    """Both books, and the steps that move units."""

    def sell(self, dice: Dice) -> None:
        """Sell units to a consumer."""
        said, at = self.when(dice)
        units, seller = self.some(dice)
        buyer, delivery, price = (
            dice.one_of(CONSUMERS[:1] * 3 + CONSUMERS),
            dice.one_of(BOTH),
            dice.one_of(PRICES),
        )
        reference = dice.one_of(REFERENCES)
        keys = self.resolve(units, seller, onward=at)
        expected = isinstance(keys, set) and seller in PARTIES and self.free(keys, seller, at)
        expected = expected and not self.by_reference(seller, buyer, reference) and at <= self.story.now
        command = commands.SellUnits(
            request_id=self.story.request(),
            occurred_at=said,
            seller=seller,
            consumer=buyer.removeprefix("consumer:"),
            units=units,
            unit_price=price,
            delivery=delivery,
            reference=reference,
        )
        event = self.ask(command, expected=expected, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.UnitsSold)
            self.compare_terms(event.terms, keys, at)
            deal = Deal(seller, buyer, keys, price, delivery is Delivery.WITH_TITLE, reference)
            self.move(self.position, deal, SOLD, at)
            self.touched(keys, StepKind.SOLD, self.position)

    def confirm(self, dice: Dice) -> None:
        """Confirm a purchase."""
        said, at = self.when(dice)
        units, actor = self.some(dice, SOLD)
        buyer = actor if consumer(actor) else CONSUMERS[0]
        keys = self.resolve(units, buyer, confirming=True)
        expected = isinstance(keys, set) and self.exist(keys, at) and at <= self.story.now
        for piece in [self.pieces[key] for key in keys] if isinstance(keys, set) else []:
            expected = expected and (piece.owner, piece.state) == (buyer, SOLD)
        command = commands.ConfirmPurchase(
            request_id=self.story.request(),
            occurred_at=said,
            consumer=buyer.removeprefix("consumer:"),
            units=units,
            price_paid=dice.one_of(PRICES),
        )
        event = self.ask(command, expected=expected, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.PurchaseConfirmed)
            self.same("confirmed units", keys_of(event.ranges), sorted(keys))
            self.acts[self.position] = Act("confirm", buyer, keys)
            for key in keys:
                self.pieces[key].state, self.pieces[key].confirmed = CONFIRMED, self.position
            self.touched(keys, StepKind.CONFIRMED)

    def give_back(self, dice: Dice) -> None:
        """Return units."""
        said, at = self.when(dice)
        units, owner = self.some(dice, STOCK, SOLD, CONFIRMED, come=True)
        keys = self.resolve(units, owner)
        expected = isinstance(keys, set) and self.exist(keys, at) and at <= self.story.now
        for piece in [self.pieces[key] for key in keys] if isinstance(keys, set) else []:
            expected = expected and piece.owner == owner and bool(piece.hops)
            expected = expected and piece.state in (STOCK, SOLD, CONFIRMED)
        expected = expected and isinstance(keys, set) and self.whole(keys) and not self.tears(keys)
        command = commands.ReturnUnits(
            request_id=self.story.request(), occurred_at=said, owner=owner, units=units
        )
        event = self.ask(command, expected=expected, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.UnitsReturned)
            deals = sorted({self.pieces[key].hops[-1].deal for key in keys})
            lines = [(d, sorted(k for k in keys if self.pieces[k].hops[-1].deal == d)) for d in deals]
            found = [(line.transfer, keys_of(line.terms.ranges)) for line in event.lines]
            self.same("returned units", found, lines)
            self.undo(keys)
            self.touched(keys, StepKind.RETURNED)

    def deliver(self, dice: Dice) -> None:
        """Deliver goods, without the title."""
        said, at = self.when(dice)
        units, custodian = self.some(dice, STOCK, SOLD, CONFIRMED, by="custodian")
        named = sorted(self.named(units.ranges) or ())
        owner = self.pieces[named[0]].owner if named else dice.one_of(HOLDERS)
        receiver = owner if dice.usually() else dice.one_of(HOLDERS)
        if receiver == custodian:
            receiver = dice.one_of(HOLDERS)
        sound = None if self.kinds.get(receiver) is PartyKind.BRAND else at
        keys = self.resolve(units, receiver, custodian=custodian, sound=sound)
        expected = (
            isinstance(keys, set) and custodian != receiver and self.whole(keys) and self.exist(keys, at)
        )
        for piece in [self.pieces[key] for key in keys] if isinstance(keys, set) else []:
            expected = expected and piece.custodian == custodian and piece.state in (STOCK, SOLD, CONFIRMED)
            expected = expected and (not consumer(receiver) or piece.owner == receiver)
        if isinstance(keys, set) and self.kinds.get(receiver) is not PartyKind.BRAND:
            expected = expected and not self.recalled(keys, at)
        command = commands.DeliverUnits(
            request_id=self.story.request(),
            occurred_at=said,
            custodian=custodian,
            receiver=receiver,
            units=units,
        )
        event = self.ask(command, expected=expected and at <= self.story.now, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.UnitsDelivered)
            self.same("delivered units", keys_of(event.ranges), sorted(keys))
            self.acts[self.position] = Act("deliver", custodian, keys)
            for key in keys:
                self.pieces[key].custodian = receiver
            self.touched(keys, StepKind.DELIVERED)

    def write_off(self, dice: Dice) -> None:
        """Write units off."""
        said, at = self.when(dice)
        units, party = self.some(dice, STOCK, SOLD, CONFIRMED, by="custodian")
        state = dice.one_of(GONE)
        keys: set[Key] | Shortage | None = self.resolve(units, party, custodian=party)
        expected = isinstance(keys, set) and self.exist(keys, at) and at <= self.story.now
        theirs = (STOCK, SOLD, CONFIRMED) if consumer(party) else (STOCK,)
        for piece in [self.pieces[key] for key in keys] if isinstance(keys, set) else []:
            expected = expected and piece.custodian == party and piece.state in theirs
        command = commands.WriteOffUnits(
            request_id=self.story.request(), occurred_at=said, party=party, units=units, state=state
        )
        event = self.ask(command, expected=expected, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.UnitsWrittenOff)
            self.same("units written off", keys_of(event.ranges), sorted(keys))
            confirmed = {key for key in keys if self.pieces[key].state is CONFIRMED}
            self.same("confirmed ones", keys_of(event.confirmed), sorted(confirmed))
            self.acts[self.position] = Act("write off", party, keys, confirmed=confirmed)
            for key in keys:
                self.pieces[key].state = state
            self.touched(keys, StepKind.WRITTEN_OFF)
