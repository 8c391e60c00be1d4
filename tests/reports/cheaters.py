"""Cheaters of each kind for the simulated market. Each leaves a trace that one rule should find, and no other."""

from collections.abc import Callable
from typing import Final, NamedTuple

from pathbook.ledger import commands, events
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.key_commands import RegisterKey
from pathbook.ledger.values import PartyKind, UnitRange
from tests.reports.trading import BRAND, SUGGESTED, Lot, Market
from tests.scenario import DAY

UNITS: Final = 10
"""How many units a cheat is about."""


class Planted(NamedTuple):
    """A cheat: the rule that should find it, and the positions or parties that the finding should name."""

    rule: str
    positions: tuple[int, ...] = ()
    parties: tuple[str, ...] = ()


class Cheaters:
    """Plants cheats in a market, on units that no one else moves afterwards."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.planted: list[Planted] = []

    def plant(self, times: int) -> None:
        """Plant each kind so many times. The market goes on for a day between two of them."""
        for _ in range(times):
            for cheat in CHEATS:
                cheat(self)
                self.market.live_a_day()

    def _lot(
        self, *, line: int = 0, fits: Callable[[str, Lot], bool] = lambda _agent, _lot: True
    ) -> tuple[str, Lot]:
        """Return an agent with a lot that may move and fits, and with a line of at least so many agents below it."""
        market = self.market
        agents = [agent for agent in market.holders() if self._depth(agent) >= line]
        market.random.shuffle(agents)
        for agent in agents:
            if (lot := market.take(agent, UNITS, least=UNITS)) is not None:
                if fits(agent, lot):
                    return agent, lot
                market.stock[agent].append(lot)
        raise AssertionError("the market has no such lot: let it run longer")

    def _has_goods(self, agent: str, lot: Lot) -> bool:
        return all(run.custodian == agent for run in self.market.runs(lot))

    def _depth(self, agent: str) -> int:
        below = [name for name in self.market.below[agent] if name not in self.market.stopped]
        return 1 + max(map(self._depth, below)) if below else 0

    def _below(self, agent: str) -> str:
        """Return the agent below another one that has the deepest line."""
        return max(self.market.below[agent], key=self._depth)

    def found(self, rule: str, *positions: int, parties: tuple[str, ...] = ()) -> None:
        """Say what should be found."""
        self.planted.append(Planted(rule, tuple(sorted(positions)), parties))

    def round_trip(self) -> None:
        """Units go down two tiers, and come back to the first agent from the last one."""
        market = self.market
        first, lot = self._lot(line=2)
        second = self._below(first)
        third = self._below(second)
        price = lot.price()
        gave = market.record(first, second, lot, price + 100, at=market.now)
        market.record(second, third, lot, price + 200, at=market.now)
        self.found("round-trip", gave, market.record(third, first, lot, price + 300, at=market.now))

    def self_dealing(self) -> None:
        """An upline sells to an agent that it authorized, and buys back."""
        market = self.market
        upline, lot = self._lot(line=1)
        agent, price = self._below(upline), lot.price()
        gave = market.record(upline, agent, lot, price + 100, at=market.now)
        self.found("self-dealing", gave, market.record(agent, upline, lot, price + 200, at=market.now))

    def after_expiry(self) -> None:
        """An agent sells units two days after they expired."""
        market = self.market
        for agent in market.tiers:
            for lot in market.stock[agent]:
                late = market.expires[lot.part.batch] + 2 < market.day
                if late and agent != BRAND and agent not in market.stopped:
                    market.stock[agent].remove(lot)
                    sale = market.sale(agent, market.consumer(), lot, 29_000, at=market.now)
                    self.found("after-expiry", sale)
                    return
        raise AssertionError("nothing has expired yet: let the market run longer")

    def during_recall(self) -> None:
        """A brand recalls units, and their owner then records a sale as of the day before."""
        market = self.market
        agent, lot = self._lot()
        recall = market.ask(
            commands.RecallUnits(
                request_id=market.request(), brand=BRAND, batch=lot.part.batch, ranges=(lot.part,)
            )
        ).position
        sale = market.sale(agent, market.consumer(), lot, 29_000, at=market.now - DAY // 2)
        self.found("during-recall", recall, sale)

    def after_authorization(self) -> None:
        """An agent at the end of a line sells after its authorization was revoked."""
        market = self.market
        agent, lot = self._lot(fits=lambda agent, _: self._depth(agent) == 0)
        upline = next(name for name, below in market.below.items() if agent in below)
        market.ask(
            commands.RevokeAuthorization(
                request_id=market.request(),
                upline=upline,
                authorization=market.authorizations[agent],
            )
        )
        market.stopped.add(agent)
        market.below[upline].remove(agent)
        sale = market.sale(agent, market.consumer(), lot, 29_000, at=market.now)
        self.found("after-authorization", sale)

    def unauthorized(self) -> None:
        """An agent gives units to a party that no one authorized."""
        market = self.market
        agent, lot = self._lot()
        stranger = f"stranger-{len(self.planted)}"
        market.ask(commands.RegisterParty(request_id=market.request(), party=stranger, kind=PartyKind.AGENT))
        self.found("unauthorized", market.record(agent, stranger, lot, lot.price() + 100))

    def above_suggested(self) -> None:
        """An agent sells above the suggested price."""
        agent, lot = self._lot()
        sale = self.market.sale(agent, self.market.consumer(), lot, SUGGESTED + 5_000)
        self.found("above-suggested", sale)

    def below_cost(self) -> None:
        """An agent sells for less than it paid, as one does that is paid otherwise."""
        agent, lot = self._lot()
        bought = self._bought(lot)
        sale = self.market.sale(agent, self.market.consumer(), lot, lot.price() - 2_000)
        self.found("below-cost", bought, sale)

    def _bought(self, lot: Lot) -> int:
        """Return the position of the event by which the units of a lot came."""
        hop = self.market.runs(lot)[0].last_hop
        assert hop is not None, lot
        accepted = (
            each.position
            for each in self.market.recorded
            if isinstance(each.event, events.TransferAccepted) and each.event.transfer == hop.transfer
        )
        return next(accepted, hop.transfer)

    def confirmed_other_price(self) -> None:
        """A seller records less than its consumer paid."""
        market, buyer = self.market, self.market.consumer()
        agent, lot = self._lot()
        sale = market.sale(agent, buyer, lot, 28_000)
        self.found("confirmed-other-price", sale, market.confirm(buyer, lot, 35_000))

    def confirmed_again(self) -> None:
        """What a consumer confirmed and returned is sold as new."""
        market, one, two = self.market, self.market.consumer(), self.market.consumer()
        agent, lot = self._lot()
        market.sale(agent, one, lot, 29_000)
        market.confirm(one, lot, 29_000)
        back = market.return_from(one, lot)
        market.sale(agent, two, lot, 29_000)
        self.found("confirmed-again", back, market.confirm(two, lot, 29_000))

    def refused_but_there(self) -> None:
        """An agent declines an offer on record, and takes the goods all the same."""
        market = self.market
        giver, lot = self._lot(line=1, fits=self._has_goods)
        receiver = self._below(giver)
        offered = market.offer(giver, receiver, lot, market.price_for(market.tiers[receiver]))
        declined = market.ask(
            commands.DeclineTransfer(request_id=market.request(), receiver=receiver, transfer=offered)
        ).position
        self.found("refused-but-there", declined, market.deliver(lot, giver, receiver))

    def times_contradict(self) -> None:
        """An agent claims to have passed units on before they came to it."""
        market = self.market
        giver, lot = self._lot(line=1)
        bought, receiver = self._bought(lot), self._below(giver)
        came = market.recorded[bought - 1].occurred_at
        gave = market.record(
            giver, receiver, lot, market.price_for(market.tiers[receiver]), at=came - DAY // 4
        )
        self.found("times-contradict", bought, gave)

    def reported_twice(self) -> None:
        """One hand-over is recorded twice, each time with other units."""
        market = self.market
        giver, lot = self._lot(line=1)
        receiver, at = self._below(giver), market.claimed()
        price, (batch, first, last) = (
            market.price_for(market.tiers[receiver]),
            (
                lot.part.batch,
                lot.part.first,
                lot.part.last,
            ),
        )
        one = lot._replace(part=UnitRange(batch, first, first + UNITS // 2 - 1))
        two = lot._replace(part=UnitRange(batch, first + UNITS // 2, last))
        positions = [market.record(giver, receiver, half, price, at=at) for half in (one, two)]
        self.found("reported-twice", *positions)

    def out_of_region(self) -> None:
        """An agent supplies one of the next tier in another region."""
        market = self.market
        known = {planted.parties for planted in self.planted}

        def foreign(giver: str) -> list[str]:
            """Return the agents of the next tier in other regions that may still trade, and did not with this one."""
            below = [name for name, tier in market.tiers.items() if tier == market.tiers[giver] + 1]
            return [
                name
                for name in below
                if market.region[name] != market.region[giver]
                and name not in market.stopped
                and (giver, name) not in known
            ]

        giver, lot = self._lot(fits=lambda giver, _: bool(foreign(giver)))
        receiver = foreign(giver)[0]
        market.record(giver, receiver, lot, market.price_for(market.tiers[receiver]))
        self.found("out-of-region", parties=(giver, receiver))

    def shared_keys(self, times: int) -> None:
        """Pairs of agents register one recovery key. A party with a key has to sign, so this comes last."""
        keys = {OPERATOR: bytes([1] * 32)}
        self._register(OPERATOR, keys, b"")
        agents = sorted(set(self.market.tiers) - {BRAND})
        for number in range(times):
            shared = bytes([2, number] * 16)
            pair = agents[2 * number : 2 * number + 2]
            for party in pair:
                self._endorsed(self._upline(party), keys)
            self.found("shared-key", *[self._register(party, keys, shared) for party in pair])

    def _upline(self, party: str) -> str:
        """Return who endorses keys of a party."""
        return next((name for name, below in self.market.below.items() if party in below), OPERATOR)

    def _endorsed(self, party: str, keys: dict[str, bytes]) -> None:
        """Let a party have a key, and all parties above it."""
        if party not in keys:
            self._endorsed(self._upline(party), keys)
            self._register(party, keys, b"")

    def _register(self, party: str, keys: dict[str, bytes], recovery: bytes) -> int:
        endorser = self._upline(party)
        keys.setdefault(party, len(keys).to_bytes(32, "big"))
        return self.market.ask(
            RegisterKey(
                request_id=self.market.request(),
                party=party,
                key=keys[party],
                recovery_key=recovery,
                endorser=endorser,
                endorser_key=keys[endorser],
                possession=bytes(64),
                endorsement=bytes(64),
            )
        ).position


CHEATS: Final[tuple[Callable[[Cheaters], None], ...]] = (
    Cheaters.round_trip,
    Cheaters.self_dealing,
    Cheaters.after_expiry,
    Cheaters.during_recall,
    Cheaters.after_authorization,
    Cheaters.unauthorized,
    Cheaters.above_suggested,
    Cheaters.below_cost,
    Cheaters.confirmed_other_price,
    Cheaters.confirmed_again,
    Cheaters.refused_but_there,
    Cheaters.times_contradict,
    Cheaters.reported_twice,
    Cheaters.out_of_region,
)
"""What cheaters do, but for sharing keys."""
