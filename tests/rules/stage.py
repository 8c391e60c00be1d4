"""The stage of the test against the naive model: how random commands are chosen, asked, and compared."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from pathbook.ledger import commands, events
from pathbook.ledger.events import Event
from pathbook.ledger.hops import chain
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.ladder import CONSUMER_TIER, NO_TIER, LadderChanges
from pathbook.ledger.rules.authority import authorization_status
from pathbook.ledger.steps import StepKind
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    Price,
    Quantity,
    Ranges,
    Selection,
    UnitRange,
    UnitState,
)
from tests.rules.naive import GONE, OFFERED, STOCK, Key, Lot, Naive, Piece, Shortage, Trace
from tests.rules.naive_authority import consumer
from tests.scenario import BALM, DAY, MASK, NOON, Story

BOOK: Final = "masks"
SOAP: Final = "05901234123457"
PARTIES: Final = ("acme", "bolt", "ann", "ben", "cat", "dan")
CONSUMERS: Final = ("consumer:wei", "consumer:xin")
HOLDERS: Final = (*PARTIES, *CONSUMERS)
PRODUCTS: Final = (MASK, BALM, SOAP)
CASES: Final = ("106141412345678908", "106141412345678915", "106141412345678922")
PRICES: Final = (Price(100, "CNY"), Price(150, "CNY"), Price(100, "USD"), Price(300, "CNY", 3))
RECEIVERS: Final = ("ann", "ben", "ann", "ben", "cat", "dan", "acme", "bolt")
REFERENCES: Final = ("", "", "", "N1", "N2")
TODAY: Final = NOON - DAY // 2
PAST: Final = tuple(TODAY - days * DAY for days in (1, 2, 3, 12, 20, 33, 60))
"""Claimed times. Before the last of them no batch was made."""

BEGINNING: Final = """
brand acme
brand bolt
agent ann
agent ben
shop cat
agent dan
product mask 300 CNY of acme
product balm 200 CNY of acme
product 05901234123457 100 CNY of bolt
batch L1 of mask size 5 made 2025-12-01 expires 2025-12-31 by acme
batch L2 of mask size 8 made 2025-12-10 expires 2026-06-01 by acme
batch L3 of mask size 3 made 2025-11-20 expires 2026-06-01 by acme
batch L4 of balm size 4 made 2025-11-20 by acme
batch L5 of 05901234123457 size 5 made 2025-11-20 by bolt
"""
"""Two brands with three products. One batch is expired, and two expire on the same day."""

Item = TypeVar("Item")


class Dice(bytes):
    """All choices of one step, one byte each. The least byte, 0, stands for the first and most likely choice."""

    used = 0

    def next_byte(self) -> int:
        """Return the next byte, or 0 after the last one."""
        self.used += 1
        return self[self.used - 1] if self.used <= len(self) else 0

    def usually(self) -> bool:
        """Return True four times out of five."""
        return self.next_byte() < 0.8 * 256

    def one_of(self, items: Sequence[Item]) -> Item:
        """Choose one of at most 256 items."""
        return items[self.next_byte() % len(items)]


class DifferenceError(AssertionError):
    """The rules and the naive model differ."""


def keys_of(ranges: Iterable[UnitRange]) -> list[Key]:
    """Return the units of ranges, in their order."""
    return [(part.batch, number) for part in ranges for number in range(part.first, part.last + 1)]


def ranges_of(keys: Iterable[Key]) -> Ranges:
    """Return units as ranges of one unit each."""
    return tuple(UnitRange(batch, number, number) for batch, number in sorted(keys))


class Stage(Naive):
    """Both books, the rules' and the naive one, with what every step needs: choosing, asking and comparing."""

    def __init__(self) -> None:
        """Begin both books with the same parties, products and batches."""
        super().__init__()
        self.story = Story(book=BOOK)
        self.asked = self.accepted = self.compared = 0
        self.ladder = LadderChanges()
        self.story.tell(BEGINNING)
        for position, event in enumerate(self.story.events, 1):
            match event:
                case events.BookOpened():
                    pass
                case events.PartyRegistered(party, kind):
                    self.kinds[party] = kind
                case events.ProductRegistered(product, brand, name, price):
                    self.brands[product], self.names[product] = brand, (name, price)
                case events.BatchCommissioned(batch, product, brand, _, size, made_on, expires_on, price):
                    self.lots[batch] = Lot(product, brand, size, made_on, expires_on, price)
                    head = next(self.story.state.partitions[batch].in_stock(brand)).head
                    for number in range(size):
                        piece = self.pieces[batch, number] = Piece(brand, brand, head, position)
                        at = self.story.recorded[position - 1].occurred_at
                        made = Trace(position, StepKind.COMMISSIONED, at, 0, brand, brand, STOCK, head)
                        piece.past.append(made)
                case events.BookOpened():
                    pass  # a story opens its book itself
                case _:
                    raise AssertionError(event)

    @property
    def position(self) -> int:
        """The position of the last event."""
        return self.story.state.position

    def same(self, what: str, found: object, expected: object) -> None:
        """Compare what the rules say with what the naive model says."""
        self.compared += 1
        if found != expected:
            raise DifferenceError(f"{what}: the rules say {found}, the naive model {expected}")

    def ask(
        self, command: commands.Command, *, expected: bool, units: set[Key] | Shortage | None = None
    ) -> Event | None:
        """Give a command to the rules. Return its event, or None if it is refused, which must be as expected."""
        self.asked += 1
        outcome = self.story.ask(command)
        if isinstance(outcome, Refusal):
            self.same(f"{command}: {outcome.reason.name} ({outcome})", False, expected)
            if outcome.reason is Reason.STOCK_TOO_SMALL:
                facts = {name: fact for name, fact in outcome.facts if name != "what"}
                self.same("the facts", facts, units.facts if isinstance(units, Shortage) else units)
            return None
        self.same(str(command), True, expected)
        self.accepted += 1
        self.ladder.add(outcome)
        return outcome

    def touched(self, keys: Iterable[Key], kind: StepKind, deal: int = 0) -> None:
        """Add the last event to the past of units."""
        self.touch(keys, kind, self.story.recorded[-1], deal)

    def when(self, dice: Dice) -> tuple[int, int]:
        """Choose a claimed time: what the command says, and what it means."""
        said = 0 if dice.usually() else dice.one_of((*PAST, NOON + DAY))
        return said, said or NOON

    def some(
        self, dice: Dice, *states: UnitState, by: str = "owner", come: bool = False
    ) -> tuple[Selection, str]:
        """Choose units and who acts: usually a party that has them, so that many commands are accepted.

        With ``come``, they are usually units that came by a transfer or sale.
        """
        likely = [
            key
            for key, piece in sorted(self.pieces.items())
            if piece.state in (states or (STOCK,)) and (piece.hops or not come)
        ]
        if dice.next_byte() % 2:
            likely = [key for key in likely if self.pieces[key].hops] or likely
        key = dice.one_of(likely if dice.usually() and likely else sorted(self.pieces))
        piece = self.pieces[key]
        actor = piece.owner if by == "owner" else piece.custodian
        actor = actor if dice.usually() else dice.one_of(HOLDERS)
        keys = {key}
        if dice.usually() and piece.case:
            outermost = self.outermost(piece.case)
            if dice.next_byte() % 3 == 0:
                return Selection(cases=(outermost,)), actor
            keys = self.contents(outermost) or keys
        elif dice.usually():
            mine = (piece.owner, piece.custodian, piece.state, piece.case)
            alike = [k for k, p in self.pieces.items() if (p.owner, p.custodian, p.state, p.case) == mine]
            start = alike.index(key) if dice.usually() else 0
            keys |= set(alike[start : start + dice.one_of(range(1, 9))])
        quantities: tuple[Quantity, ...] = ()
        if dice.next_byte() % 4 == 3:
            quantities = (self.quantity(dice, key), *([] if dice.usually() else [self.quantity(dice, key)]))
            keys = set() if dice.usually() else keys
        if not dice.usually():
            keys.add(dice.one_of(sorted(self.pieces)))
        named = ranges_of(keys)
        if dice.next_byte() % 16 == 15:
            first = dice.one_of(range(10))
            named = (*named, UnitRange(dice.one_of([1, 2, 9]), first, first + dice.one_of(range(3))))
        return Selection(named, (), quantities), actor

    def quantity(self, dice: Dice, key: Key) -> Quantity:
        """Choose a quantity of the batch of a unit, or of its product."""
        count = dice.one_of((1, 2, 3, 4, 6, 9, 0))
        if dice.usually():
            return Quantity(count, product=self.lots[key[0]].product)
        return Quantity(count, batch=key[0])

    def compare_terms(self, terms: Terms, keys: set[Key], at: int) -> None:
        """Compare the units of a hop, and the tier and authorization status of both sides for each product."""
        self.same("units", keys_of(terms.ranges), sorted(keys))
        listed = [batch for item in terms.authorities for batch in item.batches]
        batches = sorted({batch for batch, _ in keys})
        self.same("batches", sorted(listed), batches if len(terms.authorities) > 1 else [])
        for batch in batches:
            item, product = terms.authority(batch), self.lots[batch].product
            giver = item.giver_authorization, item.giver_tier
            receiver = item.receiver_authorization, item.receiver_tier
            self.same(f"{terms.giver} for {product}", giver, self.status(terms.giver, product, at))
            self.same(f"{terms.receiver} for {product}", receiver, self.status(terms.receiver, product, at))

    def compare_authority(self) -> None:
        """Compare the authorization status and the tier of each party for each product at several times."""
        for at in (*PAST, NOON, NOON + 8 * DAY, NOON + 20 * DAY):
            for party in PARTIES:
                for product, brand in self.brands.items():
                    found = authorization_status(self.story.state, party, product, brand, at)
                    self.same(f"{party} for {product} at {at}", found, self.status(party, product, at))

    def compare_books(self) -> None:
        """Compare each unit, run, stock index, case and price."""
        for batch, partition in self.story.state.partitions.items():
            numbers: list[int] = []
            heads: list[tuple[object, ...]] = []
            for run in partition.runs:
                told = (run.owner, run.custodian, run.state, run.head, run.position, run.transfer)
                past = [(hop.transfer, hop.moved_from) for hop in chain(run.last_hop)][::-1]
                heads.append((run.head, run.owner, run.custodian, run.state, past))
                for number in range(run.first, run.last + 1):
                    numbers.append(number)
                    piece = self.pieces[batch, number]
                    last = piece.offer or (piece.hops[-1].deal if piece.hops else 0)
                    known = (piece.owner, piece.custodian, piece.state, piece.head, piece.last, last)
                    self.same(f"unit {batch}:{number}", told, known)
                    hops = [(hop.deal, hop.moved_from) for hop in piece.hops]
                    self.same(f"the hops of {batch}:{number}", past, hops)
            self.same(f"the units of batch {batch}", numbers, list(range(self.lots[batch].size)))
            for run, one, two in zip(partition.runs, heads, heads[1:], strict=False):
                self.same(
                    f"whether the run after {batch}:{run.last} could be joined to it", one == two, False
                )
            for owner in HOLDERS:
                held = [r for r in partition.runs if r.owner == owner and r.state not in (OFFERED, *GONE)]
                self.same(f"the stock of {owner}", list(partition.in_stock(owner)), held)
        self.compare_cases()
        self.compare_prices()

    def compare_cases(self) -> None:
        """Compare what is packed, and that each case lies in one place and has one owner."""
        packed = {sscc: case.outer for sscc, case in self.story.state.cases.items() if case is not None}
        self.same("the cases", packed, self.outer)
        for sscc in self.outer:
            inside = [self.pieces[key] for key in sorted(self.contents(sscc))]
            sides = {(piece.owner, piece.custodian, piece.offer) for piece in inside}
            self.same(f"whether case {sscc} has several owners or places: {sides}", len(sides) > 1, False)

    def compare_prices(self) -> None:
        """Compare the price ladders with what was paid for each unit in the hops that are in force."""
        paid: Counter[tuple[int, int, str, int, int]] = Counter()
        for (batch, _), piece in self.pieces.items():
            for hop in piece.hops:
                unset = CONSUMER_TIER if consumer(self.deals[hop.deal].receiver) else NO_TIER
                tier = unset if hop.tier is None else hop.tier
                paid[batch, tier, hop.price.currency_code, hop.price.amount_minor, hop.price.per_units] += 1
        self.same("the ladder", {key: count for key, count in self.ladder.sums.items() if count}, dict(paid))

    def pick(self, dice: Dice, fits: Callable[[int], bool], known: Iterable[int]) -> int:
        """Choose a position, usually one that fits."""
        known = list(known)
        likely = [position for position in known if fits(position)]
        return dice.one_of(likely if dice.usually() and likely else [*known, 1])
