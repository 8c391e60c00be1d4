"""A naive model of who owns which unit: one byte for each unit, so that there is little that can be wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import sub
from random import Random
from typing import Final

from pathbook.bench.moves import Move
from pathbook.v1.events_pb2 import Event

_INCREMENT: Final = bytes(range(1, 256)) + b"\xff"
"""A table for ``translate`` that adds one to each byte, up to 255."""


class MismatchError(Exception):
    """The result of a phase differs from the model, so the figures of the bench are worth nothing."""

    def __init__(self, phase: str, difference: str) -> None:
        super().__init__(f"{phase}: {difference}")
        self.phase = phase


class Model:
    """The owner of every unit, and how many hops it has made."""

    def __init__(self, parties: Sequence[str]) -> None:
        """Take the parties. The first one owns all new batches."""
        self.parties = parties
        self._numbers = {party: number for number, party in enumerate(parties)}
        self._owners: dict[int, bytearray] = {}
        self._hops: dict[int, bytearray] = {}

    @property
    def next_batch(self) -> int:
        """The number of the next batch."""
        return len(self._owners) + 1

    def commission(self, batch: int, size: int) -> None:
        """Make a batch of this many units."""
        self._owners[batch], self._hops[batch] = bytearray(size), bytearray(size)

    def move(self, move: Move) -> None:
        """Move title. Raises ValueError if the giver does not own all of the units."""
        giver, receiver = self._numbers[move.giver], self._numbers[move.receiver]
        for batch, first, last in move.ranges:
            owners, hops, units = self._owners[batch], self._hops[batch], slice(first, last + 1)
            if owners[units].count(giver) != last - first + 1:
                raise ValueError(f"{move.giver} does not own all of {batch}:{first}-{last}")
            owners[units] = bytes([receiver]) * (last - first + 1)
            hops[units] = hops[units].translate(_INCREMENT)

    def apply(self, event: Event) -> None:
        """Apply an event of the bench's book. Raises ValueError for an event that the bench does not cause."""
        match event.WhichOneof("kind"):
            case "batch_commissioned":
                self.commission(event.batch_commissioned.batch, event.batch_commissioned.size)
            case "transfer_recorded":
                terms = event.transfer_recorded.terms
                ranges = tuple((part.batch, part.first, part.last) for part in terms.ranges)
                self.move(Move(terms.giver, terms.receiver, ranges, terms.unit_price.amount_minor))
            case "book_opened" | "party_registered" | "party_authorized" | "product_registered":
                pass
            case other:
                raise ValueError(f"the bench causes no event of kind {other}")

    def stock(self, party: str) -> dict[int, int]:
        """Return how many units a party owns, by batch. Batches of which it owns none are left out."""
        number = self._numbers[party]
        owned = {batch: owners.count(number) for batch, owners in self._owners.items()}
        return {batch: units for batch, units in owned.items() if units}

    def owner(self, batch: int, unit: int) -> str:
        """Return the owner of a unit."""
        return self.parties[self._owners[batch][unit]]

    def hops(self, batch: int, unit: int) -> int:
        """Return how many hops a unit has made."""
        return self._hops[batch][unit]

    def depths(self, batch: int, buyer: str) -> dict[int, int]:
        """Return how many units of a batch made so many hops, by their number. Those to a buyer do not count."""
        owners, hops = self._owners[batch], self._hops[batch]
        bought = owners.translate(bytes(number == self._numbers[buyer] for number in range(256)))
        return dict(Counter(map(sub, hops, bought)))

    def draw(self, random: Random) -> tuple[int, int]:
        """Return (batch, number) of a random unit. All batches are equally likely."""
        batch = random.randint(1, len(self._owners))
        return batch, random.randrange(len(self._owners[batch]))

    def units(self, hops: int) -> Iterator[tuple[int, int]]:
        """Yield (batch, number) of each unit that has made this many hops."""
        for batch, hops_of_units in self._hops.items():
            unit = hops_of_units.find(hops)
            while unit >= 0:
                yield batch, unit
                unit = hops_of_units.find(hops, unit + 1)
