"""Reads the contents of a book in two ways: stock from its views, and sums from a replay of its events."""

from collections import Counter
from typing import Final

import msgspec

from pathbook.client import Client
from pathbook.v1.events_pb2 import Event, Terms

STATE: Final = "state-of-iowa"
"""The party that buys from all vendors and sells to all stores."""

Stock = Counter[tuple[str, str]]
"""Bottles by (party, item number), without entries of zero bottles."""


class Replayed(msgspec.Struct):
    """Sums over the events of a book; `size` is that of the events in bytes.

    `requests` has the hash of the request of each transfer and return, in their order and without anything between.

    `sold` has the sums that the state and the stores paid. `returned` counts bottles that came back to vendors.
    """

    requests: bytearray = msgspec.field(default_factory=bytearray)
    events: int = 0
    size: int = 0
    transfers: int = 0
    returns: int = 0
    batches: int = 0
    made: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    sold: Counter[str] = msgspec.field(default_factory=Counter)
    returned: int = 0
    stock: Stock = msgspec.field(default_factory=Counter)
    items: dict[int, str] = msgspec.field(default_factory=dict)

    def add(self, data: bytes) -> None:
        """Add the next event."""
        event = Event.FromString(data)
        self.events += 1
        self.size += len(data)
        match event.WhichOneof("kind"):
            case "batch_commissioned":
                made = event.batch_commissioned
                self.items[made.batch] = item_of(made.gtin)
                self.made[made.brand, item_of(made.gtin)] += made.size
                self.stock[made.brand, item_of(made.gtin)] += made.size
                self.batches += 1
            case "transfer_recorded":
                self.requests += event.request
                terms = event.transfer_recorded.terms
                movement = "retail" if terms.giver == STATE else "cost"
                units = self._move(terms, terms.giver, terms.receiver)
                self.sold[movement] += units * terms.unit_price.amount_minor
                self.transfers += 1
            case "units_returned":
                self.requests += event.request
                movement = "cost" if event.units_returned.owner == STATE else "retail"
                self.returns += 1
                for line in event.units_returned.lines:
                    units = self._move(line.terms, line.terms.receiver, line.terms.giver)
                    self.returned += units if movement == "cost" else 0
            case _:
                pass  # registrations show in the transfers

    def _move(self, terms: Terms, giver: str, receiver: str) -> int:
        count = 0
        for part in terms.ranges:
            units, item = part.last - part.first + 1, self.items[part.batch]
            self.stock[giver, item] -= units
            self.stock[receiver, item] += units
            count += units
        return count


def replay(client: Client) -> Replayed:
    """Read the events of a book and add them up."""
    replayed = Replayed()
    for batch in client.read():
        for data in batch.events:
            replayed.add(data)
    replayed.stock = Counter({key: units for key, units in replayed.stock.items() if units})
    return replayed


def stock(client: Client) -> tuple[Stock, Stock]:
    """Return the stock of each party in the views, and the bottles made of each brand's items."""
    owned: Stock = Counter()
    made: Stock = Counter()
    for party in client.list_parties():
        for line in client.list_stock(party.party):
            assert line.owned == line.in_custody, line
            owned[party.party, item_of(line.batch.gtin)] += line.owned
    for batch in client.list_batches():
        made[batch.brand, item_of(batch.gtin)] += batch.size
    return owned, made


def item_of(gtin: str) -> str:
    """Return the item number in a 14-digit GTIN for restricted circulation."""
    return str(int(gtin[2:8]))
