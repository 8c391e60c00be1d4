"""The beginning of a random book, and the choices that its replay allows next."""

import datetime
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from pathbook.client import Client, select
from pathbook.v1 import transfers_pb2, values_pb2
from tests.contract.parts import IN_STOCK, Range, Unit, each, is_consumer
from tests.contract.replay import Replay


def check_digit(digits: str) -> str:
    """Append the check digit of a GTIN or an SSCC."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def sscc(number: int) -> str:
    """Return the SSCC of a number."""
    return check_digit(f"0{4006381:07}{number:09}")


GTINS: Final = [check_digit(f"0690123450{n:03}") for n in range(3)]
PRICES: Final = [
    (100, "CNY", 1),
    (200, "CNY", 2),
    (125, "CNY", 100),
    (250, "CNY", 200),
    (99, "USD", 1),
    (7, "CNY", 3),
    (0, "CNY", 1),
    (100, "CNY", 40),
]
BRANDS, AGENTS, SHOPS = ("acme", "bolt"), ("ann", "bob", "cat"), ("shop-1", "shop-2")
PARTIES: Final = (*BRANDS, *AGENTS, *SHOPS, "grey")
CONSUMERS: Final = ("c-1", "c-2", "c-3")


class Choices:
    """A book that is filled at random, and what could happen in it next, as its replay says."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.replay = Replay()
        self.start = datetime.datetime.now(datetime.UTC)
        self.refused: Counter[str] = Counter()
        self.reports: list[dict[str, Any]] = []
        self.numbers = itertools.count(1)
        self.incarnation = ""

    def catch_up(self) -> None:
        """Apply the events that the replay does not know yet."""
        for batch in self.client.read(self.replay.position, incarnation=self.incarnation):
            assert batch.first_position == self.replay.position + 1
            self.incarnation = batch.incarnation
            for data in batch.events:
                self.replay.apply(data)

    def begin(self) -> None:
        """Register what the story needs."""
        client = self.client
        client.open_book()
        for party in BRANDS:
            client.register_party(party, values_pb2.PARTY_KIND_BRAND)
        for party in (*AGENTS, "grey"):
            client.register_party(party, values_pb2.PARTY_KIND_AGENT)
        for party in SHOPS:
            client.register_party(party, values_pb2.PARTY_KIND_SHOP)
        for gtin, brand, suggested in zip(GTINS, ("acme", "acme", "bolt"), PRICES, strict=False):
            client.register_product(gtin, brand=brand, name=f"product {gtin}", suggested_price=suggested)
        past = self.start - datetime.timedelta(days=40)
        for upline, party, tier, gtins in (
            ("acme", "ann", 1, []),
            ("bolt", "ann", 2, []),
            ("ann", "bob", 2, [GTINS[0]]),
            ("bolt", "cat", 1, []),
            ("bob", "shop-1", 4, [GTINS[0]]),
            ("cat", "shop-2", 3, []),
        ):
            client.authorize_party(party, upline=upline, tier=tier, gtins=gtins, valid_from=past)
        self.catch_up()
        for gtin in (*GTINS, GTINS[0]):
            self.commission(gtin)

    def commission(self, gtin: str) -> None:
        """Commission a batch."""
        made_on = self.start.date() - datetime.timedelta(days=30 - len(self.replay.batches))
        self.client.commission_batch(
            gtin,
            brand=self.replay.products[gtin].brand,
            lot=f"L{next(self.numbers)}",
            size=60,
            made_on=made_on,
            expires_on=self.random.choice(
                [None, made_on + datetime.timedelta(days=self.random.choice([300, 400]))]
            ),
            suggested_price=self.random.choice([None, *PRICES]),
        )
        self.catch_up()

    def settle(self) -> None:
        """Wait until every offer whose deadline is near has lapsed."""
        soon = self.start.timestamp() + 3600
        while any(
            t.status == values_pb2.TRANSFER_STATUS_OFFERED and 0 < t.deadline.seconds < soon
            for (t, *_) in self.replay.transfers.values()
        ):
            time.sleep(0.05)
            self.catch_up()

    # Choices.

    def when(self) -> datetime.datetime | None:
        """Choose a time to claim."""
        if self.random.random() < 0.5:
            return None
        return self.start - datetime.timedelta(hours=self.random.randint(1, 200))

    def price(self) -> tuple[int, str, int]:
        """Choose a price."""
        return self.random.choice(PRICES)

    def pick(self, wanted: Callable[[Unit], bool], *, most: int = 3) -> list[Range]:
        """Choose some ranges of units, near each other more often than not."""
        runs: list[list[Unit]] = []
        for unit in self.replay.units.values():
            if not wanted(unit):
                continue
            if runs and runs[-1][-1].batch == unit.batch and runs[-1][-1].number + 1 == unit.number:
                runs[-1].append(unit)
            else:
                runs.append([unit])
        chosen = self.random.sample(runs, min(len(runs), self.random.randint(1, most)))
        ranges = []
        for run in chosen:
            length = self.random.randint(1, min(len(run), 9))
            first = self.random.randint(0, len(run) - length)
            ranges.append((run[0].batch, run[first].number, run[first + length - 1].number))
        return ranges

    def free(self, party: str) -> Callable[[Unit], bool]:
        """Tell which units a party may give away."""
        recalled = {
            key for r in self.replay.recalls.values() if not r.lifted_position for key in each(r.ranges)
        }
        return lambda unit: (
            unit.owner == party
            and unit.state == IN_STOCK
            and not unit.case
            and (unit.batch, unit.number) not in recalled
        )

    def giver(self) -> str:
        """Choose a party that owns something."""
        owners = sorted({unit.owner for unit in self.replay.units.values() if unit.state == IN_STOCK})
        return self.random.choice([owner for owner in owners if not is_consumer(owner)])

    def other(self, party: str) -> str:
        """Choose another party."""
        return self.random.choice(
            [p for p in PARTIES if p != party and (p not in BRANDS or self.random.random() < 0.2)]
        )

    def delivery(self) -> values_pb2.Delivery.ValueType:
        """Choose whether goods move."""
        return self.random.choice(
            [
                values_pb2.DELIVERY_UNSPECIFIED,
                values_pb2.DELIVERY_WITH_TITLE,
                values_pb2.DELIVERY_LATER,
            ]
        )

    def some_units(self, giver: str) -> values_pb2.Selection:
        """Choose units of a giver, by range, by case, by count or by code."""
        way = self.random.random()
        cases = [c.sscc for c in self.replay.cases.values() if not c.outer and self.owner_of(c.sscc) == giver]
        if cases and way < 0.4:
            return select(cases=[self.random.choice(cases)], ranges=self.pick(self.free(giver), most=1))
        if way < 0.5:
            return select(quantities=[(self.random.randint(1, 6), self.random.choice(GTINS))])
        ranges = self.pick(self.free(giver))
        if ranges and way < 0.6:
            codes = [s for item in self.client.list_codes(*ranges[0]) for s in item.serials]
            return select(codes=codes)
        return select(ranges=ranges)

    def owner_of(self, sscc: str) -> str:
        """Return the owner of the contents of a case."""
        case = self.replay.cases[sscc]
        for key in each(case.ranges):
            return self.replay.units[key].owner
        return self.owner_of(case.cases[0]) if case.cases else ""

    def transfer_of(self, wanted: Callable[[transfers_pb2.Transfer], bool]) -> transfers_pb2.Transfer | None:
        """Choose a recent transfer."""
        found = [t for ts in self.replay.transfers.values() for t in ts if wanted(t)]
        return self.random.choice(found[-12:]) if found else None

    def open_offer(self) -> transfers_pb2.Transfer | None:
        """Choose an open offer."""
        return self.transfer_of(lambda t: t.status == values_pb2.TRANSFER_STATUS_OFFERED)
