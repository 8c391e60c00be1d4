"""Random steps that move no title: cases, recalls, authorizations, and corrections."""

import datetime
from collections.abc import Callable

from pathbook.ledger import commands, events
from pathbook.ledger.steps import StepKind
from pathbook.ledger.values import PartyKind, Selection, UnitRange
from tests.rules.goods import Goods
from tests.rules.naive import CONFIRMED, GONE, SOLD, STOCK, Act, Alarm, Key, midnight
from tests.rules.naive_authority import Grant, consumer
from tests.rules.stage import CASES, HOLDERS, PARTIES, PAST, PRICES, PRODUCTS, TODAY, Dice
from tests.scenario import DAY

DAYS = tuple(
    datetime.date(2025, 11, 1) + datetime.timedelta(days=days) for days in (20, 30, 45, 60, 61, 62, 200)
)
ENDS = (None, None, TODAY + 40 * DAY, TODAY + 10 * DAY, TODAY - DAY, TODAY - 10 * DAY)


class Registers(Goods):
    """Both books, and all steps."""

    favored: tuple[Callable[[Dice], None], ...] = ()
    """The steps that the story takes more often."""

    def pack(self, dice: Dice) -> None:
        """Pack units, and perhaps a case, in a case."""
        said, at = self.when(dice)
        units, party = self.some(dice, by="custodian")
        sscc, inner = dice.one_of(CASES), dice.one_of(("", "", *CASES))
        cases = (inner,) if inner in self.outer and inner not in units.cases else ()
        units = Selection(units.ranges, (*units.cases, *cases), units.quantities)
        keys = self.resolve(units, party, custodian=party)
        inside = set().union(*(self.contents(name) for name in units.cases if name in self.outer))
        expected = isinstance(keys, set) and sscc not in self.outer and at <= self.story.now
        pieces = [self.pieces[key] for key in sorted(keys)] if isinstance(keys, set) else []
        for piece in pieces:
            expected = expected and piece.custodian == party and piece.state is STOCK
        loose = keys - inside if isinstance(keys, set) else set()
        expected = expected and len({piece.owner for piece in pieces}) == 1 and self.exist(loose | inside, at)
        expected = expected and all(not self.pieces[key].case for key in loose)
        command = commands.PackCase(
            request_id=self.story.request(), occurred_at=said, party=party, sscc=sscc, units=units
        )
        if self.ask(command, expected=expected, units=keys) is not None:
            self.outer[sscc], self.packers[sscc] = "", party
            for name in units.cases:
                self.outer[name] = sscc
            for key in loose:
                self.pieces[key].case = sscc

    def unpack(self, dice: Dice) -> None:
        """Unpack a case."""
        packed = sorted(self.outer)
        sscc = dice.one_of(packed if dice.usually() and packed else CASES)
        inside = self.contents(sscc) if sscc in self.outer else set()
        party = self.pieces[min(inside)].custodian if dice.usually() and inside else dice.one_of(HOLDERS)
        expected = self.outer.get(sscc) == "" and (bool(inside) or self.packers[sscc] == party)
        for piece in [self.pieces[key] for key in inside]:
            expected = expected and piece.custodian == party and not piece.offer
        command = commands.UnpackCase(request_id=self.story.request(), party=party, sscc=sscc)
        if self.ask(command, expected=expected) is not None:
            self.unpack_case(sscc)

    def recall(self, dice: Dice) -> None:
        """Recall a batch, or units of it."""
        said, at = self.when(dice)
        batch = dice.one_of(sorted(self.lots))
        lot = self.lots[batch]
        brand = lot.brand if dice.usually() else dice.one_of(PARTIES)
        first = dice.one_of(range(lot.size))
        last = first + dice.one_of(range(4))
        ranges = (UnitRange(batch, first, last),) if dice.usually() else ()
        keys = {key for key in self.pieces if key[0] == batch and (not ranges or first <= key[1] <= last)}
        expected = brand == lot.brand and (not ranges or last < lot.size)
        expected = expected and lot.exists_at(at) and at <= self.story.now
        command = commands.RecallUnits(
            request_id=self.story.request(), occurred_at=said, brand=brand, batch=batch, ranges=ranges
        )
        if self.ask(command, expected=expected) is not None:
            self.alarms[self.position] = Alarm(brand, keys, at)

    def lift(self, dice: Dice) -> None:
        """Lift a recall."""
        said, at = self.when(dice)
        place = self.pick(dice, lambda place: self.alarms[place].until is None, self.alarms)
        alarm = self.alarms.get(place)
        brand = alarm.brand if alarm is not None and dice.usually() else dice.one_of(PARTIES)
        expected = alarm is not None and alarm.brand == brand and alarm.until is None and at >= alarm.since
        command = commands.LiftRecall(
            request_id=self.story.request(), occurred_at=said, brand=brand, recall=place
        )
        if self.ask(command, expected=expected and at <= self.story.now) is not None and alarm is not None:
            alarm.until = at

    def authorize(self, dice: Dice) -> None:
        """Authorize a party."""
        agents = [name for name in PARTIES if self.kinds[name] is not PartyKind.BRAND]
        holders = sorted({grant.party for grant in self.grants.values()})
        uplines = ["acme", "bolt", *holders, *holders, *holders]
        upline = dice.one_of(uplines if dice.usually() else PARTIES)
        party, tier = dice.one_of(agents if dice.usually() else PARTIES), dice.one_of(range(1, 7))
        below = max((grant.tier for grant in self.held(upline)), default=0) + 1
        tier = below if dice.usually() else tier if dice.usually() else dice.one_of((0, 101, 100))
        theirs = [goods for goods in PRODUCTS if self.authorized(upline, goods, self.story.now)]
        among = theirs if dice.usually() else PRODUCTS
        products = frozenset(product for product in among if dice.next_byte() % 2)
        said, until = (0 if dice.usually() else dice.one_of((*PAST, TODAY + 5 * DAY))), dice.one_of(ENDS)
        now = self.story.now
        since = said or now
        expected = upline != party and self.kinds[party] is not PartyKind.BRAND and 1 <= tier <= 100
        expected = expected and (until is None or until > since)
        expected = expected and all(self.may_pass_on(upline, tier, products, at) for at in (since, now))
        expected = expected and not self.outlives(upline, until, products, since)
        command = commands.AuthorizeParty(
            request_id=self.story.request(),
            upline=upline,
            party=party,
            tier=tier,
            products=tuple(sorted(products)),
            valid_from=said,
            valid_until=until,
        )
        if self.ask(command, expected=expected) is not None:
            self.grants[self.position] = Grant(upline, party, tier, products, since, until)
            self.compare_authority()

    def revoke(self, dice: Dice) -> None:
        """Revoke an authorization."""
        place = self.pick(dice, lambda place: self.grants[place].revoked is None, self.grants)
        grant = self.grants.get(place)
        upline = grant.upline if grant is not None and dice.usually() else dice.one_of(PARTIES)
        said = 0 if dice.usually() else dice.one_of((*PAST, TODAY + 5 * DAY))
        since = said or max(self.story.now, grant.since if grant is not None else 0)
        expected = grant is not None and grant.upline == upline and grant.revoked is None
        expected = expected and grant is not None and since >= grant.since
        expected = expected and grant is not None and (grant.until is None or since < grant.until)
        command = commands.RevokeAuthorization(
            request_id=self.story.request(), upline=upline, authorization=place, revoked_from=said
        )
        if self.ask(command, expected=expected) is not None and grant is not None:
            grant.revoked = since
            self.compare_authority()

    def declare(self, dice: Dice) -> None:
        """Declare that an event was an error."""
        position = self.pick(dice, lambda place: not self.acts[place].declared, self.acts)
        act = self.acts.get(position)
        party = act.actor if act is not None and dice.usually() else dice.one_of(HOLDERS)
        expected = (
            act is not None and act.actor == party and not act.declared and self.undoable(position, act)
        )
        command = commands.DeclareError(request_id=self.story.request(), party=party, position=position)
        event = self.ask(command, expected=expected)
        if event is None or act is None:
            return
        assert isinstance(event, events.ErrorDeclared)
        act.declared = True
        if act.kind == "asked":
            deal = self.deals[act.deal]
            deal.reversal_by, deal.asked = "", 0
        for key in act.keys:
            piece = self.pieces[key]
            if act.kind == "deliver":
                piece.custodian = act.actor
            elif act.kind == "confirm":
                piece.state, piece.confirmed = SOLD, 0
            elif key in act.confirmed:
                piece.state = CONFIRMED
            else:
                piece.state = SOLD if consumer(piece.owner) else STOCK
        self.touched(act.keys, StepKind.ERROR_DECLARED)
        for key in act.keys:
            self.mark(key, position, position, self.position)
            self.mark(key, self.position, self.position, self.position)

    def undoable(self, position: int, act: Act) -> bool:
        """Tell whether nothing was built upon an act."""
        if act.kind == "asked":
            deal = self.deals[act.deal]
            return deal.in_force and deal.asked == position
        pieces = [self.pieces[key] for key in act.keys]
        if act.kind == "confirm":
            return all(piece.state is CONFIRMED and piece.confirmed == position for piece in pieces)
        if act.kind == "deliver":
            return all(piece.last == position for piece in pieces) and self.whole(act.keys)
        return all(piece.state in GONE for piece in pieces) and self.fits_back(act.keys)

    def fits_back(self, keys: set[Key]) -> bool:
        """Tell whether units that were written off can lie again in the cases that they had lain in."""
        for sscc in self.cases_of(keys):
            inside = self.contents(sscc) | {k for k in keys if self.cases_of({k}) == {sscc}}
            pieces = [self.pieces[key] for key in inside]
            if len({(piece.owner, piece.custodian, piece.offer) for piece in pieces}) > 1:
                return False
        return True

    def correct_product(self, dice: Dice) -> None:
        """Correct a product."""
        product = dice.one_of(PRODUCTS)
        brand = self.brands[product] if dice.usually() else dice.one_of(PARTIES)
        name, price = dice.one_of(("", "one", "two")), dice.one_of((None, *PRICES))
        old = self.names[product]
        new = (name or old[0], price or old[1])
        command = commands.CorrectProduct(
            request_id=self.story.request(), brand=brand, product=product, name=name, suggested_price=price
        )
        if self.ask(command, expected=brand == self.brands[product] and new != old) is not None:
            self.names[product] = new

    def correct_batch(self, dice: Dice) -> None:
        """Correct a batch."""
        batch = dice.one_of(sorted(self.lots))
        lot = self.lots[batch]
        brand = lot.brand if dice.usually() else dice.one_of(PARTIES)
        made_on, expires_on = dice.one_of((None, None, *DAYS)), dice.one_of((None, *DAYS))
        never, price = dice.next_byte() % 4 == 1, dice.one_of((None, *PRICES))
        new = (made_on or lot.made_on, None if never else expires_on or lot.expires_on, price or lot.price)
        expected = brand == lot.brand and new != (lot.made_on, lot.expires_on, lot.price)
        expected = expected and midnight(new[0]) - DAY * 14 // 24 <= self.story.now
        expected = expected and (new[1] is None or new[1] >= new[0])
        command = commands.CorrectBatch(
            request_id=self.story.request(),
            brand=brand,
            batch=batch,
            made_on=made_on,
            expires_on=expires_on,
            never_expires=never,
            suggested_price=price,
        )
        if self.ask(command, expected=expected) is not None:
            lot.made_on, lot.expires_on, lot.price = new

    def correct_party(self, dice: Dice) -> None:
        """Correct the kind of a party."""
        party, kind = dice.one_of(PARTIES), dice.one_of(tuple(PartyKind))
        old = self.kinds[party]
        expected = old is not kind and PartyKind.BRAND not in (old, kind)
        command = commands.CorrectParty(request_id=self.story.request(), party=party, kind=kind)
        if self.ask(command, expected=expected) is not None:
            self.kinds[party] = kind

    def step(self, dice: Dice) -> None:
        """Take a random step, and compare both books after it."""
        if not self.favored:
            self.favored = dice.one_of(self.favorites())
        steps = self.steps()
        favored = [step for step in steps if step in self.favored]
        dice.one_of([*steps, *favored, *favored, *favored])(dice)
        self.compare_books()

    def favorites(self) -> tuple[tuple[Callable[[Dice], None], ...], ...]:
        """Return groups of steps that belong together. A story favors one of them."""
        return (
            (self.record, self.reverse, self.give_back, self.deliver, self.declare),
            (self.authorize, self.authorize, self.revoke, self.record, self.offer),
            (self.sell, self.confirm, self.give_back, self.deliver, self.declare),
            (self.offer, self.accept, self.attest, self.reverse),
            (self.pack, self.unpack, self.write_off, self.declare, self.record, self.give_back),
            (self.recall, self.lift, self.correct_batch, self.record, self.sell),
        )

    def steps(self) -> list[Callable[[Dice], None]]:
        """Return the steps that may do something now, the frequent ones several times."""
        found = [self.record, self.record, self.offer, self.sell, self.deliver, self.pack, self.authorize]
        found += [self.recall, self.correct_product, self.correct_batch, self.correct_party]
        if any(deal.open for deal in self.deals.values()):
            found += [self.accept, self.accept, self.release]
        if self.deals:
            found += [self.reverse, self.reverse, self.give_back, self.attest]
        if any(piece.state is SOLD for piece in self.pieces.values()):
            found += [self.confirm]
        if self.outer:
            found += [self.unpack, self.deliver, self.write_off]
        if self.alarms:
            found += [self.lift]
        if self.grants:
            found += [self.revoke, self.authorize]
        if self.acts:
            found += [self.declare, self.declare]
        return [*found, self.write_off]
