"""Random steps of transfers: recorded, attested, offered, answered, reversed."""

from collections import Counter
from collections.abc import Iterable

from pathbook.ledger import commands, events
from pathbook.ledger.steps import StepKind
from pathbook.ledger.values import (
    Delivery,
    DiscrepancyKind,
    Price,
    Quantity,
    Selection,
    TransferStatus,
)
from tests.rules.naive import OFFERED, SOLD, STOCK, Act, Deal, Key
from tests.rules.naive_authority import consumer
from tests.rules.stage import (
    HOLDERS,
    PARTIES,
    PRICES,
    RECEIVERS,
    REFERENCES,
    Dice,
    Stage,
    keys_of,
    ranges_of,
)

BOTH = tuple(Delivery)


class Transfers(Stage):
    """Both books, and the steps of transfers."""

    def by_reference(self, giver: str, receiver: str, reference: str) -> int:
        """Return the open or agreed deal that a reference names, or 0."""
        for position, deal in self.deals.items():
            sides = deal.giver, deal.receiver, deal.reference
            if reference and sides == (giver, receiver, reference) and deal.in_force:
                return position
        return 0

    def record(self, dice: Dice) -> None:
        """Record a transfer in one step."""
        said, at = self.when(dice)
        units, giver = self.some(dice)
        receiver, delivery, price = dice.one_of(RECEIVERS), dice.one_of(BOTH), dice.one_of(PRICES)
        reference = dice.one_of(REFERENCES)
        keys = self.resolve(units, giver, onward=at)
        expected = isinstance(keys, set) and giver in PARTIES and self.free(keys, giver, at)
        expected = expected and giver != receiver and not self.by_reference(giver, receiver, reference)
        command = commands.RecordTransfer(
            request_id=self.story.request(),
            occurred_at=said,
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=delivery,
            reference=reference,
        )
        event = self.ask(command, expected=expected and at <= self.story.now, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.TransferRecorded)
            self.compare_terms(event.terms, keys, at)
            deal = Deal(giver, receiver, keys, price, delivery is Delivery.WITH_TITLE, reference)
            self.move(self.position, deal, STOCK, at)
            self.touched(keys, StepKind.TRANSFERRED, self.position)

    def attest(self, dice: Dice) -> None:
        """Let the receiver report a transfer with the same reference, on equal or other terms."""
        said, at = self.when(dice)
        position = self.pick(dice, lambda place: self.deals[place].reference != "", self.deals)
        deal = self.deals.get(position) or Deal("acme", "ann", set(), PRICES[0], reference="N3")
        receiver = deal.receiver if dice.usually() else dice.one_of(HOLDERS)
        price = deal.price if dice.usually() else dice.one_of(PRICES)
        price = (
            Price(price.amount_minor * 3, price.currency_code, price.per_units * 3)
            if dice.next_byte() % 2
            else price
        )
        with_goods = deal.with_goods if dice.usually() else dice.one_of((True, False))
        units = self.told(dice, deal.keys)
        known = self.by_reference(deal.giver, receiver, deal.reference)
        first = self.deals.get(known)
        expected = (
            receiver in PARTIES
            and receiver != deal.giver
            and first is not None
            and not (first.open or first.attested)
            and (price.each, price.currency_code) == (first.price.each, first.price.currency_code)
            and with_goods is first.with_goods
            and self.tells(units, first.keys)
            and self.exist(first.keys, at)
            and at <= self.story.now
        )
        command = commands.RecordTransfer(
            request_id=self.story.request(),
            occurred_at=said,
            giver=deal.giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=Delivery.WITH_TITLE if with_goods else Delivery.LATER,
            reference=deal.reference,
            reported_by=receiver,
        )
        if receiver == deal.giver:
            return  # then its giver reports, and this is another step
        event = self.ask(command, expected=expected)
        if event is not None and first is not None:
            assert isinstance(event, events.TransferAttested)
            self.same("attested units", keys_of(event.ranges), sorted(first.keys))
            first.attested = self.position
            self.touched(first.keys, StepKind.ATTESTED, known)

    def told(self, dice: Dice, keys: set[Key]) -> Selection:
        """Return what a receiver says of units: their numbers, quantities of them, or something wrong."""
        batches = sorted({batch for batch, _ in keys})
        named, quantities = set(keys), []
        if batches and dice.next_byte() % 2:
            counted = {batch for batch in batches if dice.usually()}
            named = {key for key in keys if key[0] not in counted}
            for batch in sorted(counted):
                count = sum(key[0] == batch for key in keys)
                exact = dice.usually()
                count += 0 if dice.usually() else dice.one_of((1, -1))
                quantities.append(
                    Quantity(count, batch=batch)
                    if exact
                    else Quantity(count, product=self.lots[batch].product)
                )
            if not dice.usually():
                quantities.append(Quantity(0, batch=batches[0]))
        if not dice.usually():
            named ^= {dice.one_of(sorted(self.pieces))}
        return Selection(ranges_of(named), (), tuple(quantities))

    def tells(self, units: Selection, keys: set[Key]) -> bool:
        """Tell whether a selection can name exactly these units, each quantity any of them."""
        named = self.named(units.ranges)
        if named is None or not named <= keys or any(wanted.count < 1 for wanted in units.quantities):
            return False
        left = Counter(batch for batch, _ in keys - named)
        left.subtract({wanted.batch: wanted.count for wanted in units.quantities if wanted.batch})
        goods: Counter[str] = Counter()
        for batch, count in left.items():
            if count < 0:
                return False
            goods[self.lots[batch].product] += count
        for wanted in units.quantities:
            goods[wanted.product] -= 0 if wanted.batch else wanted.count
        return not any(goods.values()) and bool(units.ranges or units.quantities)

    def offer(self, dice: Dice) -> None:
        """Offer units."""
        said, at = self.when(dice)
        units, giver = self.some(dice)
        receiver, delivery, price = dice.one_of(RECEIVERS), dice.one_of(BOTH), dice.one_of(PRICES)
        reference = dice.one_of(REFERENCES)
        keys = self.resolve(units, giver, onward=at)
        expected = isinstance(keys, set) and giver in PARTIES and self.free(keys, giver, at)
        expected = expected and giver != receiver and not self.by_reference(giver, receiver, reference)
        command = commands.OfferTransfer(
            request_id=self.story.request(),
            occurred_at=said,
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=delivery,
            reference=reference,
            extra_allowed=(allowed := dice.one_of((0, 1, 2, 3))),
        )
        event = self.ask(command, expected=expected and at <= self.story.now, units=keys)
        if event is not None and isinstance(keys, set):
            assert isinstance(event, events.TransferOffered)
            self.same("how many extra units are allowed", event.terms.extra_allowed, allowed)
            self.compare_terms(event.terms, keys, at)
            with_goods = delivery is Delivery.WITH_TITLE
            deal = Deal(giver, receiver, keys, price, with_goods, reference, open=True)
            deal.status, deal.allowed = TransferStatus.OFFERED, allowed
            self.deals[self.position] = deal
            for key in keys:
                self.pieces[key].state, self.pieces[key].offer = OFFERED, self.position
            self.touched(keys, StepKind.OFFERED)

    def side(self, dice: Dice, position: int, *, giver: bool) -> str:
        """Choose the party that answers, usually the one that may."""
        deal = self.deals.get(position)
        if deal is None or not dice.usually():
            return dice.one_of(PARTIES)
        return deal.giver if giver else deal.receiver

    def accept(self, dice: Dice) -> None:
        """Accept an offer without some units, and with some that were not offered."""
        said, at = self.when(dice)
        position = self.pick(dice, lambda place: self.deals[place].open, self.deals)
        receiver = self.side(dice, position, giver=False)
        deal = self.deals.get(position)
        left = set(deal.keys) if deal is not None else set()
        claims, kept, right = [], list[set[Key]](), True
        for _ in range(dice.one_of((0, 0, 1, 2, 3))):
            kind = dice.one_of(tuple(DiscrepancyKind))
            if dice.usually():
                count = dice.one_of((1, 2, 1, 3, 0))
                part = set(sorted(left)[len(left) - count :]) if 0 < count <= len(left) else None
                claims.append(commands.DiscrepancyClaim(kind, (), count))
            else:
                chosen = {
                    dice.one_of(sorted((left if dice.usually() else set()) or self.pieces)) for _ in "ab"
                }
                part = chosen if chosen <= left else None
                claims.append(commands.DiscrepancyClaim(kind, ranges_of(chosen)))
            right = right and part is not None
            left -= part or set()
            kept.append(part or set())
        if dice.next_byte() % 8 == 1:  # all that was offered is wrong
            left = set(deal.keys) if deal is not None else set()
            kept, claims = (
                [set(left)],
                [commands.DiscrepancyClaim(DiscrepancyKind.WRONG_ITEM, ranges_of(left))],
            )
            right, left = bool(left), set()
        extra = self.more(dice, deal) if dice.next_byte() % 3 == 1 or not left else set()
        expected = (
            deal is not None and deal.open and deal.receiver == receiver and right and at <= self.story.now
        )
        expected = expected and not self.recalled(left, at) and self.exist(left, at) and bool(left or extra)
        expected = expected and deal is not None and (not extra or self.free(extra, deal.giver, at))
        expected = expected and deal is not None and len(extra) <= deal.allowed
        expected = expected and deal is not None and self.products_of(extra) <= self.products_of(deal.keys)
        command = commands.AcceptTransfer(
            request_id=self.story.request(),
            occurred_at=said,
            receiver=receiver,
            transfer=position,
            discrepancies=tuple(claims),
            extra=ranges_of(extra),
        )
        event = self.ask(command, expected=expected)
        if event is not None and deal is not None:
            assert isinstance(event, events.TransferAccepted)
            self.compare_terms(event.terms, left | extra, at)
            told = [(item.kind, keys_of(item.ranges)) for item in event.discrepancies]
            self.same(
                "what was kept", told, [(c.kind, sorted(part)) for c, part in zip(claims, kept, strict=True)]
            )
            self.same("what was not offered", keys_of(event.extra), sorted(extra))
            back = set().union(*kept)
            self.open_cases(back, left)
            for key in back:
                self.pieces[key].state, self.pieces[key].offer = STOCK, 0
            deal.keys, deal.open, deal.attested = left | extra, False, self.position
            deal.status = TransferStatus.ACCEPTED_IN_PART if back else TransferStatus.ACCEPTED
            self.move(position, deal, STOCK, at)
            self.touched(left | extra, StepKind.TRANSFERRED, position)
            self.touched(back, StepKind.RELEASED)

    def products_of(self, keys: Iterable[Key]) -> set[str]:
        """Return the products of units."""
        return {self.lots[batch].product for batch, _ in keys if batch in self.lots}

    def more(self, dice: Dice, deal: Deal | None) -> set[Key]:
        """Choose units of a giver that it did not offer, or any others."""
        giver = deal.giver if deal is not None else "acme"
        mine = [k for k, piece in sorted(self.pieces.items()) if (piece.owner, piece.state) == (giver, STOCK)]
        from_ = mine if dice.usually() and mine else sorted(self.pieces)
        return {dice.one_of(from_) for _ in range(dice.one_of((1, 2, 3)))}

    def release(self, dice: Dice) -> None:
        """Withdraw or decline an offer."""
        withdraw = dice.one_of((True, False))
        position = self.pick(dice, lambda place: self.deals[place].open, self.deals)
        party = self.side(dice, position, giver=withdraw)
        deal = self.deals.get(position)
        expected = deal is not None and deal.open and party == (deal.giver if withdraw else deal.receiver)
        request = self.story.request()
        command: commands.Command = (
            commands.WithdrawTransfer(request_id=request, giver=party, transfer=position)
            if withdraw
            else commands.DeclineTransfer(request_id=request, receiver=party, transfer=position)
        )
        if self.ask(command, expected=expected) is not None and deal is not None:
            deal.open = deal.in_force = False
            deal.status = TransferStatus.WITHDRAWN if withdraw else TransferStatus.DECLINED
            for key in deal.keys:
                self.pieces[key].state, self.pieces[key].offer = STOCK, 0
            self.touched(deal.keys, StepKind.RELEASED)

    def reverse(self, dice: Dice) -> None:
        """Ask for the reversal of a transfer, or agree to it."""
        position = self.pick(
            dice, lambda p: self.stands(p) and not consumer(self.deals[p].receiver), self.deals
        )
        deal = self.deals.get(position)
        asked = deal.reversal_by if deal is not None else ""
        giver = dice.one_of((True, False)) if not asked else deal is not None and asked != deal.giver
        party = self.side(dice, position, giver=giver)
        expected = (
            deal is not None
            and self.stands(position)
            and not consumer(deal.receiver)
            and party in (deal.giver, deal.receiver)
            and asked != party
            and self.whole(deal.keys)
            and not self.tears(deal.keys)
        )
        command = commands.ReverseTransfer(request_id=self.story.request(), party=party, transfer=position)
        event = self.ask(command, expected=expected)
        if event is not None and deal is not None:
            if asked:
                deal.in_force, deal.status = False, TransferStatus.REVERSED
                began = {key: self.pieces[key].hops[-1].began for key in deal.keys}
                self.undo(deal.keys)
                self.touched(deal.keys, StepKind.REVERSED, position)
                for key, first in began.items():
                    self.unmake(key, first)
            else:
                deal.reversal_by, deal.asked = party, self.position
                self.acts[self.position] = Act("asked", party, deal=position)

    def unmake(self, key: Key, first: int) -> None:
        """Mark a reversed hop and all that followed, except deliveries of goods that did not come back."""
        piece = self.pieces[key]
        had = [trace.custodian for trace in piece.past if trace.position < first][-1]
        for trace in piece.past:
            if piece.custodian == had or trace.kind is not StepKind.DELIVERED:
                self.mark(key, max(first, trace.position), trace.position, self.position)

    def stands(self, position: int) -> bool:
        """Tell whether a transfer is agreed, and all its units are still where it brought them."""
        deal = self.deals[position]
        pieces = [self.pieces[key] for key in deal.keys]
        return (
            deal.in_force
            and not deal.open
            and all(
                piece.hops and piece.hops[-1].deal == position and piece.state in (STOCK, SOLD)
                for piece in pieces
            )
        )
