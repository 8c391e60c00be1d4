"""A book that lives: calls of all kinds, at random, that are mostly accepted."""

import datetime
from typing import Any, Final

from pathbook.client import RefusedError, price, select, timestamp
from pathbook.v1 import events_pb2, transfers_pb2, values_pb2
from tests.contract.choices import AGENTS, CONSUMERS, GTINS, PRICES, SHOPS, Choices, sscc
from tests.contract.parts import CONFIRMED, IN_STOCK, OFFERED, SOLD, WRITTEN_OFF, each

ACTORS: Final = {
    "units_written_off": "party",
    "purchase_confirmed": "consumer",
    "units_delivered": "custodian",
    "reversal_asked": "party",
}
KINDS: Final = {field.name for field in events_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields} - {
    "sealed",
    "key_registered",
    "key_revoked",
    "statements_filed",
}
"""All kinds of events that calls cause without keys. The server seals by itself. What is sealed and signed is compared
by the verifiers of other tests."""

CALLS_PER_EVENT: Final = 20
"""How many calls there may be for each event, so that a life ends in which a kind of event never happens."""

WEIGHTS: Final = {
    "offer": 14,
    "accept": 9,
    "decline": 2,
    "withdraw": 2,
    "record": 14,
    "attest": 5,
    "reverse": 7,
    "deliver": 8,
    "sell": 8,
    "confirm": 5,
    "give_back": 7,
    "write_off": 5,
    "declare": 6,
    "correct": 3,
    "pack": 7,
    "unpack": 2,
    "recall": 3,
    "lift": 3,
    "authorize": 3,
    "revoke": 1,
    "bulk": 2,
}


class Life(Choices):
    """A book that is filled by all kinds of calls."""

    def live(self, events: int) -> None:
        """Let things happen until the book has so many events, and events of all kinds."""
        for _ in range(events * CALLS_PER_EVENT):
            if self.replay.position >= events and set(self.replay.kinds) == KINDS:
                break
            (call,) = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
            try:
                getattr(self, call)()
            except RefusedError as error:
                self.refused[error.reason] += 1
            self.catch_up()
        else:
            raise AssertionError(f"these never happened: {KINDS - set(self.replay.kinds)}")
        self.settle()

    # Calls.

    def offer(self) -> None:
        """Offer units."""
        giver = self.giver()
        now = datetime.datetime.now(datetime.UTC)
        self.client.offer_transfer(
            giver=giver,
            receiver=self.other(giver),
            units=self.some_units(giver),
            unit_price=self.price(),
            delivery=self.delivery(),
            deadline=self.random.choice(
                [None, now + datetime.timedelta(seconds=0.3), now + datetime.timedelta(days=2)]
            ),
            reference=self.random.choice(["", f"note {next(self.numbers)}"]),
            extra_allowed=100,
            occurred_at=self.when(),
        )

    def accept(self) -> None:
        """Accept an offer, often in part."""
        if (offer := self.open_offer()) is None:
            return
        claims = []
        if self.random.random() < 0.5:
            units = sorted(each(offer.ranges))
            gone = self.random.sample(units, self.random.randint(0, len(units) - 1))
            for kind, part in (
                (values_pb2.DISCREPANCY_KIND_SHORT, gone[::2]),
                (values_pb2.DISCREPANCY_KIND_DAMAGED, gone[1::2]),
            ):
                if part:
                    ranges = [values_pb2.UnitRange(batch=b, first=n, last=n) for b, n in part]
                    claims.append(transfers_pb2.DiscrepancyClaim(kind=kind, ranges=ranges))
        extra = self.pick(self.free(offer.giver)) if self.random.random() < 0.4 else []
        self.client.accept_transfer(
            offer.transfer,
            receiver=offer.receiver,
            discrepancies=claims,
            extra=extra,
            occurred_at=self.when(),
        )

    def decline(self) -> None:
        """Decline an offer."""
        if offer := self.open_offer():
            note = self.random.choice(["", "too late"])
            self.client.decline_transfer(offer.transfer, receiver=offer.receiver, note=note)

    def withdraw(self) -> None:
        """Withdraw an offer."""
        if offer := self.open_offer():
            self.client.withdraw_transfer(offer.transfer, giver=offer.giver, occurred_at=self.when())

    def record(self) -> None:
        """Record a transfer, perhaps under a reference."""
        giver = self.giver()
        report: dict[str, Any] = {
            "giver": giver,
            "receiver": self.other(giver),
            "units": self.some_units(giver),
            "unit_price": self.price(),
            "delivery": self.delivery(),
            "reference": self.random.choice(["", f"paper {next(self.numbers)}"]),
            "occurred_at": self.when(),
        }
        response = self.client.record_transfer(**report)
        if report["reference"]:
            report["units"] = values_pb2.Selection(ranges=response.ranges)
            self.reports.append(report)

    def attest(self) -> None:
        """Report a transfer as its receiver, too."""
        if self.reports:
            report = self.reports.pop(self.random.randrange(len(self.reports)))
            self.client.record_transfer(**report, reported_by=report["receiver"])

    def reverse(self) -> None:
        """Ask to reverse a transfer, or agree."""

        def reversible(transfer: transfers_pb2.Transfer) -> bool:
            keys = [
                k
                for k in [*each(transfer.ranges), *each(transfer.extra)]
                if k not in {d for x in transfer.discrepancies for d in each(x.ranges)}
            ]
            units = [self.replay.units[key] for key in keys]
            return (
                transfer.kind == transfers_pb2.TRANSFER_KIND_TRANSFER
                and transfer.status
                in (values_pb2.TRANSFER_STATUS_ACCEPTED, values_pb2.TRANSFER_STATUS_ACCEPTED_IN_PART)
                and all(
                    u.hops and u.hops[-1].transfer == transfer.transfer and u.state == IN_STOCK for u in units
                )
            )

        if transfer := self.transfer_of(reversible):
            party = self.random.choice([transfer.giver, transfer.receiver])
            if transfer.reversal_asked_by:
                party = (
                    transfer.giver if transfer.reversal_asked_by == transfer.receiver else transfer.receiver
                )
            note = self.random.choice(["", "a mistake"])
            response = self.client.reverse_transfer(transfer.transfer, party=party, note=note)
            if not response.reversed and self.random.random() < 0.4:
                other = transfer.giver if party == transfer.receiver else transfer.receiver
                self.client.reverse_transfer(transfer.transfer, party=other, occurred_at=self.when())

    def deliver(self) -> None:
        """Deliver goods, mostly to their owner."""
        apart = [
            u for u in self.replay.units.values() if u.custodian != u.owner and u.state not in WRITTEN_OFF
        ]
        if not apart:
            return
        unit = self.random.choice(apart)
        receiver = unit.owner
        if self.random.random() < 0.3:
            receiver = self.other(unit.custodian)
        self.client.deliver_units(
            custodian=unit.custodian,
            receiver=receiver,
            units=select(
                ranges=self.pick(
                    lambda u: (
                        (u.owner, u.custodian) == (unit.owner, unit.custodian)
                        and not u.case
                        and u.state not in WRITTEN_OFF
                    )
                )
            ),
            occurred_at=self.when(),
        )

    def sell(self) -> None:
        """Sell to a consumer."""
        seller = self.giver()
        self.client.sell_units(
            seller=seller,
            consumer=self.random.choice(CONSUMERS),
            units=self.some_units(seller),
            unit_price=self.price(),
            delivery=self.delivery(),
            reference=self.random.choice(["", f"slip {next(self.numbers)}"]),
            occurred_at=self.when(),
        )

    def confirm(self) -> None:
        """Confirm a purchase."""
        consumer = self.random.choice(CONSUMERS)
        units = self.pick(lambda u: u.owner == f"consumer:{consumer}" and u.state == SOLD)
        self.client.confirm_purchase(
            consumer=consumer, units=select(ranges=units), price_paid=self.price(), occurred_at=self.when()
        )

    def give_back(self) -> None:
        """Return units."""
        owners = sorted(
            {u.owner for u in self.replay.units.values() if u.hops and u.state not in (*WRITTEN_OFF, OFFERED)}
        )
        if owners:
            owner = self.random.choice(owners)
            units = self.pick(
                lambda u: (
                    bool(u.hops)
                    and u.owner == owner
                    and not u.case
                    and u.state not in (*WRITTEN_OFF, OFFERED)
                ),
                most=5,
            )
            self.client.return_units(
                owner=owner,
                units=select(ranges=units),
                note=self.random.choice(["", "broken"]),
                occurred_at=self.when(),
            )

    def write_off(self) -> None:
        """Write units off."""
        states = self.random.choice(
            [(CONFIRMED,), (SOLD, CONFIRMED), (IN_STOCK,), (IN_STOCK, SOLD, CONFIRMED)]
        )
        holders = sorted({u.custodian for u in self.replay.units.values() if u.state in states})
        if not holders:
            return
        holder = self.random.choice(holders)
        units = self.pick(lambda u: u.custodian == holder and u.state in states and u.number % 3 == 0)
        response = self.client.write_off_units(
            party=holder,
            units=select(ranges=units),
            state=self.random.choice(WRITTEN_OFF),
            note=self.random.choice(["", "rain"]),
            occurred_at=self.when(),
        )
        if self.random.random() < 0.4:
            self.client.declare_error(response.receipt.position, party=holder)

    def declare(self) -> None:
        """Declare that a recent event was an error."""
        candidates = []
        for position, (event, _) in self.replay.events.items():
            kind = event.WhichOneof("kind")
            if position in self.replay.declared or kind not in ACTORS:
                continue
            actor = getattr(getattr(event, kind), ACTORS[kind])
            candidates.append((position, actor))
        if candidates:
            position, actor = self.random.choice(candidates[-15:])
            self.client.declare_error(
                position, party=actor, note=self.random.choice(["", "a typing mistake"])
            )

    def correct(self) -> None:
        """Correct master data."""
        what = self.random.choice(["product", "batch", "party"])
        if what == "product":
            gtin = self.random.choice(GTINS)
            self.client.correct_product(
                gtin,
                brand=self.replay.products[gtin].brand,
                name=self.random.choice(["", f"name {next(self.numbers)}"]),
                suggested_price=self.random.choice([None, *PRICES]),
            )
        elif what == "batch":
            batch = self.random.choice(list(self.replay.batches.values()))
            made_on = datetime.date.fromisoformat(batch.made_on)
            self.client.correct_batch(
                batch.batch,
                brand=batch.brand,
                made_on=self.random.choice([None, made_on - datetime.timedelta(days=1)]),
                never_expires=bool(batch.expires_on) and self.random.random() < 0.3,
                suggested_price=self.random.choice([None, *PRICES]),
            )
        else:
            party = self.random.choice([*AGENTS, *SHOPS])
            kind = self.random.choice([values_pb2.PARTY_KIND_AGENT, values_pb2.PARTY_KIND_SHOP])
            self.client.correct_party(party, kind)

    def pack(self) -> None:
        """Pack a case, or a pallet of cases."""
        owner = self.giver()
        loose = self.free(owner)
        units = self.pick(lambda u: loose(u) and u.custodian == owner)
        inner = [c.sscc for c in self.replay.cases.values() if not c.outer and self.owner_of(c.sscc) == owner]
        cases = self.random.sample(inner, min(len(inner), self.random.randint(0, 2)))
        self.client.pack_case(sscc(next(self.numbers)), party=owner, units=select(ranges=units, cases=cases))

    def unpack(self) -> None:
        """Unpack a case."""
        cases = sorted(self.replay.cases)
        if cases:
            case = self.random.choice(cases)
            party = self.owner_of(case)
            self.client.unpack_case(case, party=party)

    def recall(self) -> None:
        """Recall units."""
        batch = self.random.choice(list(self.replay.batches.values()))
        first = self.random.randint(0, 59)
        ranges = [(batch.batch, first, min(59, first + 7))]
        self.client.recall_units(
            batch.batch,
            brand=batch.brand,
            ranges=[] if self.random.random() < 0.1 else ranges,
            note=self.random.choice(["", "sharp"]),
            occurred_at=self.when(),
        )

    def lift(self) -> None:
        """Lift a recall."""
        recalls = [r for r in self.replay.recalls.values() if not r.lifted_position]
        if recalls:
            recall = self.random.choice(recalls)
            brand = self.replay.batches[recall.ranges[0].batch].brand
            self.client.lift_recall(
                recall.position, brand=brand, occurred_at=self.random.choice([None, self.when()])
            )

    def authorize(self) -> None:
        """Authorize a party."""
        upline, party = self.random.choice(
            [("acme", "bob"), ("bolt", "bob"), ("ann", "shop-1"), ("acme", "cat"), ("cat", "ann")]
        )
        self.client.authorize_party(
            party,
            upline=upline,
            tier=self.random.randint(1, 6),
            gtins=self.random.sample(GTINS, self.random.randint(0, 2)),
            region=self.random.choice(["", "north"]),
            valid_from=self.when(),
            valid_until=self.random.choice([None, self.start + datetime.timedelta(days=3)]),
        )

    def revoke(self) -> None:
        """Revoke an authorization."""
        given = self.random.choice(list(self.replay.authorizations.values()))
        self.client.revoke_authorization(given.position, upline=given.upline)

    def bulk(self) -> None:
        """Record several transfers, sales and returns in one stream."""
        entries: list[Any] = []
        for _ in range(4):
            giver = self.giver()
            units = select(ranges=self.pick(self.free(giver)))
            if self.random.random() < 0.5:
                entries.append(
                    transfers_pb2.RecordTransferRequest(
                        giver=giver,
                        receiver=self.other(giver),
                        units=units,
                        unit_price=price(self.price()),
                        occurred_at=timestamp(self.when()),
                    )
                )
            else:
                entries.append(
                    transfers_pb2.SellUnitsRequest(
                        seller=giver,
                        consumer=self.random.choice(CONSUMERS),
                        units=units,
                        unit_price=price(self.price()),
                    )
                )
        for results in self.client.record_transfers([entries]):
            for result in results:
                self.refused["in bulk"] += result.WhichOneof("result") == "refusal"
