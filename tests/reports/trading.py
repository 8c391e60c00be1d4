"""The trade of a simulated market: agents in tiers who buy, pass on, return and sell. All chance comes from a seed.

They are honest, and do what real chains do and no rule should mind: offers are declined, short or withdrawn, goods are
returned, reversed, written off and delivered late.
"""

import datetime
from collections import defaultdict
from random import Random
from typing import Final, NamedTuple

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.run import Run
from pathbook.ledger.values import (
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Selection,
    UnitRange,
    UnitState,
)
from tests.scenario import CODE_KEY, DAY, MASK, NOON, opening

BRAND: Final = "brand"
REGIONS: Final = ("CN-GD", "CN-SH", "CN-SC", "CN-ZJ")
SUGGESTED: Final = 30_000
SHARES: Final = (2, 4, 8, 14, 22, 26, 24)
"""How many of 100 agents are in each tier."""

SHELF_DAYS: Final = (30, 900)
"""For how many days units of a batch are good. Those of every other batch expire while the market runs."""


class Lot(NamedTuple):
    """Units that an agent holds: what each owner so far paid, in order, and the day from which they may move on."""

    part: UnitRange
    paid: tuple[tuple[str, int], ...]
    ready: int

    def price(self) -> int:
        """Return what the owner paid for one unit."""
        return self.paid[-1][1]


class Market:
    """A market after some days: ``recorded`` has its events."""

    def __init__(self, seed: int, agents: int, days: int, batches: int, size: int) -> None:
        """Let so many agents trade so many batches for some days."""
        self.random = Random(seed)
        self.state = State("market")
        self.recorded: list[RecordedEvent] = []
        self.asked = 0
        self.day, self.now = 0, NOON
        self.tiers: dict[str, int] = {BRAND: 0}
        self.below: defaultdict[str, list[str]] = defaultdict(list)
        self.region: dict[str, str] = {}
        self.authorizations: dict[str, int] = {}
        self.stock: defaultdict[str, list[Lot]] = defaultdict(list)
        self.expires: dict[int, int] = {}
        self.stopped: set[str] = set()
        self.consumers = 0
        self._open(agents)
        every = max(1, days * 2 // 3 // batches)
        for _ in range(days):
            if self.day % every == 0 and len(self.expires) < batches:
                self.make(size)
            self.live_a_day()

    # what every step needs

    def ask(self, command: Command) -> RecordedEvent:
        """Record what a command leads to. A market knows what may be asked."""
        outcome = decide(self.state, command, self.now)
        assert not isinstance(outcome, Refusal), (command, outcome)
        position = self.state.position + 1
        at = command.occurred_at or self.now
        recorded = RecordedEvent(position, self.now, at, b"", b"", outcome, position.to_bytes(32, "big"))
        evolve(self.state, recorded)
        self.recorded.append(recorded)
        return recorded

    def request(self) -> str:
        """Return a request id that was not used."""
        self.asked += 1
        return f"r{self.asked}"

    def claimed(self) -> int:
        """Return a claimed time of the last hours. Units move on two days later at the earliest."""
        return self.now - self.random.randrange(1, DAY // 2)

    def fresh(self, lot: Lot) -> bool:
        """Tell whether the units of a lot will not expire soon."""
        return self.day + 5 < self.expires[lot.part.batch]

    def holders(self) -> list[str]:
        """Return the agents that have lots that may move, in order."""
        return [
            agent
            for agent in self.tiers
            if agent != BRAND and agent not in self.stopped and any(map(self.movable, self.stock[agent]))
        ]

    def movable(self, lot: Lot) -> bool:
        """Tell whether the owner of a lot may pass it on today."""
        return lot.ready <= self.day and self.fresh(lot)

    def take(self, owner: str, most: int, *, least: int = 1) -> Lot | None:
        """Take a lot of some units out of the stock of an owner, or a part of one."""
        found = [lot for lot in self.stock[owner] if self.movable(lot) and lot.part.count >= least]
        if not found:
            return None
        lot = self.random.choice(found)
        self.stock[owner].remove(lot)
        batch, first, last = lot.part.batch, lot.part.first, lot.part.last
        if lot.part.count > most:
            self.stock[owner].append(lot._replace(part=UnitRange(batch, first + most, last)))
            last = first + most - 1
        return lot._replace(part=UnitRange(batch, first, last))

    def put(self, owner: str, lot: Lot, price: int) -> None:
        """Put a lot that was bought into the stock of its buyer."""
        self.stock[owner].append(Lot(lot.part, (*lot.paid, (owner, price)), self.day + 2))

    def price_for(self, tier: int) -> int:
        """Return what an honest agent of a tier pays: more than the tier above, less than the suggested price."""
        return 12_000 + 2_000 * tier + self.random.randrange(500)

    def consumer(self) -> str:
        """Return the pseudonym of a new consumer."""
        self.consumers += 1
        return f"c-{self.consumers}"

    # setting up

    def _open(self, agents: int) -> None:
        self.ask(opening("market"))
        self.ask(commands.RegisterParty(request_id=self.request(), party=BRAND, kind=PartyKind.BRAND))
        self.ask(
            commands.RegisterProduct(
                request_id=self.request(),
                brand=BRAND,
                product=MASK,
                name="mask",
                suggested_price=Price(SUGGESTED, "CNY"),
            )
        )
        uplines = [BRAND]
        for tier, share in enumerate(SHARES, 1):
            names = [f"a{tier}-{number}" for number in range(max(2, agents * share // 100))]
            for number, name in enumerate(names):
                upline = uplines[number % len(uplines)]
                region = REGIONS[number % len(REGIONS)] if tier == 1 else self.region[upline]
                self.region[name], self.tiers[name] = region, tier
                self.below[upline].append(name)
                self.ask(commands.RegisterParty(request_id=self.request(), party=name, kind=PartyKind.AGENT))
                given = self.ask(
                    commands.AuthorizeParty(
                        request_id=self.request(), upline=upline, party=name, tier=tier, region=region
                    )
                )
                self.authorizations[name] = given.position
            uplines = names

    def make(self, size: int) -> None:
        """Let the brand make a batch."""
        number = len(self.expires) + 1
        today = datetime.date(2026, 1, 1) + datetime.timedelta(self.day)
        good = SHELF_DAYS[number % 2]
        self.ask(
            commands.CommissionBatch(
                request_id=self.request(),
                brand=BRAND,
                product=MASK,
                lot=f"L{number}",
                size=size,
                made_on=today,
                expires_on=today + datetime.timedelta(good),
                code_key=CODE_KEY,
            )
        )
        self.expires[number] = self.day + good
        self.stock[BRAND].append(Lot(UnitRange(number, 0, size - 1), ((BRAND, 0),), self.day + 1))

    # a day

    def live_a_day(self) -> None:
        """Let every agent that can move do something, and go on to the next day."""
        for agent in self.below[BRAND]:
            if (lot := self.take(BRAND, self.random.randrange(400, 1_200))) is not None:
                self.pass_on(BRAND, agent, lot)
        for agent in self.holders():
            roll = self.random.random()
            if roll < 0.05:
                self.give_back(agent)
            elif roll < 0.07:
                self.lose(agent)
            elif self.below[agent] and roll < 0.8:
                most = self.random.randrange(20, 400)
                receiver = self.random.choice(self.below[agent])
                if receiver not in self.stopped and (lot := self.take(agent, most)) is not None:
                    self.pass_on(agent, receiver, lot)
            else:
                self.sell(agent)
        self.day += 1
        self.now += DAY

    def record(
        self, giver: str, receiver: str, lot: Lot, price: int, *, at: int = 0, later: bool = False
    ) -> int:
        """Record a transfer, and return its position."""
        return self.ask(
            commands.RecordTransfer(
                request_id=self.request(),
                occurred_at=at or self.claimed(),
                giver=giver,
                receiver=receiver,
                units=Selection((lot.part,)),
                unit_price=Price(price, "CNY"),
                delivery=Delivery.LATER if later else Delivery.WITH_TITLE,
            )
        ).position

    def offer(self, giver: str, receiver: str, lot: Lot, price: int) -> int:
        """Offer a lot, and return the position of the offer."""
        return self.ask(
            commands.OfferTransfer(
                request_id=self.request(),
                giver=giver,
                receiver=receiver,
                units=Selection((lot.part,)),
                unit_price=Price(price, "CNY"),
            )
        ).position

    def pass_on(self, giver: str, receiver: str, lot: Lot) -> None:
        """Give a lot to an agent below, in one of the ways in which it may go."""
        price, roll = self.price_for(self.tiers[receiver]), self.random.random()
        if roll < 0.5:
            transfer = self.record(giver, receiver, lot, price, later=roll < 0.2 and giver == BRAND)
            if roll > 0.47:
                self.reverse(transfer, giver, receiver)
                self.stock[giver].append(lot)
                return
            if roll < 0.1 and giver == BRAND:  # cloud stock that is delivered after all
                self.deliver(lot, BRAND, receiver)
            self.put(receiver, lot, price)
            return
        offered = self.offer(giver, receiver, lot, price)
        if roll < 0.55:
            self.ask(commands.DeclineTransfer(request_id=self.request(), receiver=receiver, transfer=offered))
            self.stock[giver].append(lot)
        elif roll < 0.58:
            self.ask(commands.WithdrawTransfer(request_id=self.request(), giver=giver, transfer=offered))
            self.stock[giver].append(lot)
        else:
            self.accept(offered, giver, receiver, lot, price)

    def accept(self, offered: int, giver: str, receiver: str, lot: Lot, price: int) -> None:
        """Accept an offer. Now and then some units are missing."""
        claims: tuple[commands.DiscrepancyClaim, ...] = ()
        taken, batch = lot, lot.part.batch
        if lot.part.count > 10 and self.random.random() < 0.1:
            short = UnitRange(batch, lot.part.last - 1, lot.part.last)
            claims = (commands.DiscrepancyClaim(DiscrepancyKind.SHORT, (short,)),)
            taken = lot._replace(part=UnitRange(batch, lot.part.first, lot.part.last - 2))
            self.stock[giver].append(lot._replace(part=short))
        self.ask(
            commands.AcceptTransfer(
                request_id=self.request(),
                occurred_at=self.now,
                receiver=receiver,
                transfer=offered,
                discrepancies=claims,
            )
        )
        self.put(receiver, taken, price)

    def reverse(self, transfer: int, *sides: str) -> None:
        """Let both sides agree to reverse a transfer."""
        for side in sides:
            self.ask(commands.ReverseTransfer(request_id=self.request(), party=side, transfer=transfer))

    def deliver(self, lot: Lot, custodian: str, receiver: str) -> int:
        """Move the goods of a lot, and return the position of the delivery."""
        return self.ask(
            commands.DeliverUnits(
                request_id=self.request(),
                custodian=custodian,
                receiver=receiver,
                units=Selection((lot.part,)),
            )
        ).position

    def give_back(self, agent: str) -> None:
        """Return some units to the giver."""
        if (lot := self.take(agent, 20)) is None:
            return
        self.ask(commands.ReturnUnits(request_id=self.request(), owner=agent, units=Selection((lot.part,))))
        giver = lot.paid[-2][0]
        self.stock[giver].append(Lot(lot.part, lot.paid[:-1], self.day + 2))

    def lose(self, agent: str) -> None:
        """Write a few units off."""
        found = [lot for lot in self.stock[agent] if self.movable(lot)]
        clouds = {run.custodian for lot in found for run in self.runs(lot)} - {agent}
        if not clouds and (lot := self.take(agent, 3)) is not None:
            self.ask(
                commands.WriteOffUnits(
                    request_id=self.request(),
                    party=agent,
                    units=Selection((lot.part,)),
                    state=UnitState.DAMAGED,
                )
            )

    def runs(self, lot: Lot) -> list[Run]:
        """Return the runs of a lot."""
        return self.state.partitions[lot.part.batch].overlapping(lot.part.first, lot.part.last)

    def sell(self, agent: str) -> None:
        """Sell some units to consumers, who confirm now and then, and seldom return what they bought."""
        if (lot := self.take(agent, self.random.randrange(1, 60))) is None:
            return
        price = self.random.randrange(28_000, SUGGESTED + 1)
        buyer = self.consumer()
        self.sale(agent, buyer, lot, price)
        roll = self.random.random()
        if roll < 0.3:
            self.confirm(buyer, lot, price)
        elif roll < 0.33:
            self.return_from(buyer, lot)
            self.stock[agent].append(lot._replace(ready=self.day + 2))

    def sale(self, seller: str, buyer: str, lot: Lot, price: int, *, at: int = 0) -> int:
        """Sell a lot to a consumer, and return the position of the sale."""
        return self.ask(
            commands.SellUnits(
                request_id=self.request(),
                occurred_at=at or self.claimed(),
                seller=seller,
                consumer=buyer,
                units=Selection((lot.part,)),
                unit_price=Price(price, "CNY"),
            )
        ).position

    def confirm(self, buyer: str, lot: Lot, price: int) -> int:
        """Confirm a purchase, and return the position."""
        return self.ask(
            commands.ConfirmPurchase(
                request_id=self.request(),
                consumer=buyer,
                units=Selection((lot.part,)),
                price_paid=Price(price, "CNY"),
            )
        ).position

    def return_from(self, buyer: str, lot: Lot) -> int:
        """Let a consumer return what it bought, and return the position."""
        return self.ask(
            commands.ReturnUnits(
                request_id=self.request(), owner=f"consumer:{buyer}", units=Selection((lot.part,))
            )
        ).position
