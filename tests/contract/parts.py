"""What a replay keeps of units, chains and cases, and how it reads prices and ranges."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.v1 import events_pb2, paths_pb2, values_pb2

IN_STOCK, OFFERED = values_pb2.UNIT_STATE_IN_STOCK, values_pb2.UNIT_STATE_OFFERED
SOLD, CONFIRMED = values_pb2.UNIT_STATE_SOLD, values_pb2.UNIT_STATE_CONFIRMED
WRITTEN_OFF: Final = (
    values_pb2.UNIT_STATE_LOST,
    values_pb2.UNIT_STATE_DAMAGED,
    values_pb2.UNIT_STATE_DESTROYED,
    values_pb2.UNIT_STATE_DEFACED,
)
RECORDED, BOTH = values_pb2.ATTESTATION_RECORDED, values_pb2.ATTESTATION_REPORTED_BY_BOTH

NO_PAST: Final = hashlib.sha256(b"").digest()

Range = tuple[int, int, int]


def is_consumer(party: str) -> bool:
    """Tell whether a side of a transfer is a consumer."""
    return party.startswith("consumer:")


def stated(price: values_pb2.Price) -> values_pb2.Price:
    """Return a price as answers state it."""
    return values_pb2.Price(
        amount_minor=price.amount_minor, currency_code=price.currency_code, per_units=price.per_units or 1
    )


def one_price(price: values_pb2.Price) -> Fraction:
    """Return the exact price of one unit."""
    return Fraction(price.amount_minor, price.per_units or 1)


def each(ranges: Iterable[values_pb2.UnitRange]) -> Iterator[tuple[int, int]]:
    """Yield each unit of some ranges, as batch and number."""
    for item in ranges:
        for number in range(item.first, item.last + 1):
            yield item.batch, number


def count(ranges: Iterable[values_pb2.UnitRange]) -> int:
    """Return the number of units of some ranges."""
    return sum(1 for _ in each(ranges))


def authority_of(terms: events_pb2.Terms, batch: int) -> events_pb2.Authority:
    """Return the authority of the units of a batch."""
    return next(a for a in terms.authorities if not a.batches or batch in a.batches)


@dataclasses.dataclass
class Chain:
    """A hash over events, and the position of the last one."""

    head: bytes = NO_PAST
    position: int = 0

    def extend(self, position: int, data: bytes) -> None:
        """Add an event."""
        leaf = hashlib.sha256(b"\x00" + data).digest()
        self.head = hashlib.sha256(b"\x01" + self.head + leaf + position.to_bytes(8, "big")).digest()
        self.position = position


@dataclasses.dataclass
class Hop:
    """One movement of title that was not undone."""

    transfer: int
    terms: events_pb2.Terms
    step: paths_pb2.PathStep
    moved_from: str = ""
    custodian_before: str = ""


@dataclasses.dataclass
class Unit:
    """All that the replay knows of one unit."""

    batch: int
    number: int
    owner: str
    custodian: str
    state: values_pb2.UnitState.ValueType = IN_STOCK
    hops: list[Hop] = dataclasses.field(default_factory=list)
    chain: Chain = dataclasses.field(default_factory=Chain)
    offer: int = 0
    case: str = ""
    steps: list[paths_pb2.PathStep] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Case:
    """A packed case."""

    sscc: str
    position: int
    ranges: list[values_pb2.UnitRange]
    cases: list[str]
    outer: str = ""


def instant(stamp: Timestamp) -> tuple[int, int]:
    """Return a time that can be compared."""
    return stamp.seconds, stamp.nanos
