"""Who owns which unit, kept as naively as can be: one byte a unit, and nothing cleverer to go wrong."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from pathbook.bench.moves import Move
from pathbook.v1.events_pb2 import Event

_ONE_MORE: Final = bytes(range(1, 256)) + b"\xff"


class MismatchError(Exception):
    """What a phase came to is not what the model says; then no figure of the bench is worth anything."""

    def __init__(self, phase: str, found: str) -> None:
        super().__init__(f"{phase}: {found}")
        self.phase = phase


class Model:
    """The owner of every unit, and how many hops it has made."""

    def __init__(self, parties: Sequence[str]) -> None:
        """Know everybody, of whom the first owns whatever is made."""
        self.parties = parties
        self._numbers = {party: number for number, party in enumerate(parties)}
        self._owners: dict[int, bytearray] = {}
        self._hops: dict[int, bytearray] = {}

    @property
    def next_batch(self) -> int:
        """The number that the next batch gets."""
        return len(self._owners) + 1

    def commission(self, batch: int, size: int) -> None:
        """Make a batch of so many units."""
        self._owners[batch], self._hops[batch] = bytearray(size), bytearray(size)

    def move(self, move: Move) -> None:
        """Move title. Raises ValueError where the giver does not own all of the units."""
        giver, receiver = self._numbers[move.giver], self._numbers[move.receiver]
        for batch, first, last in move.ranges:
            owners, hops, units = self._owners[batch], self._hops[batch], slice(first, last + 1)
            if owners[units].count(giver) != last - first + 1:
                raise ValueError(f"{move.giver} does not own all of {batch}:{first}-{last}")
            owners[units] = bytes([receiver]) * (last - first + 1)
            hops[units] = hops[units].translate(_ONE_MORE)

    def happened(self, event: Event) -> None:
        """Do what an event of a bench's book says. Raises ValueError for one that none of them can hold."""
        match event.WhichOneof("kind"):
            case "batch_commissioned":
                self.commission(event.batch_commissioned.batch, event.batch_commissioned.size)
            case "transfer_recorded":
                terms = event.transfer_recorded.terms
                ranges = tuple((part.batch, part.first, part.last) for part in terms.ranges)
                self.move(Move(terms.giver, terms.receiver, ranges, terms.unit_price.amount_minor))
            case "party_registered" | "party_authorized" | "product_registered":
                pass
            case other:
                raise ValueError(f"nobody asked for an event of kind {other}")

    def stock(self, party: str) -> dict[int, int]:
        """Return how many units of each batch a party owns, without batches of which it owns none."""
        number = self._numbers[party]
        owned = {batch: owners.count(number) for batch, owners in self._owners.items()}
        return {batch: units for batch, units in owned.items() if units}

    def owner(self, batch: int, unit: int) -> str:
        """Return who owns a unit."""
        return self.parties[self._owners[batch][unit]]

    def hops(self, batch: int, unit: int) -> int:
        """Return how many hops a unit has made."""
        return self._hops[batch][unit]

    def draw(self, random: Random) -> tuple[int, int]:
        """Return (batch, number) of any unit; each batch is as likely as another."""
        batch = random.randint(1, len(self._owners))
        return batch, random.randrange(len(self._owners[batch]))

    def units(self, hops: int) -> Iterator[tuple[int, int]]:
        """Yield (batch, number) of each unit that has made so many hops."""
        for batch, made in self._hops.items():
            found = made.find(hops)
            while found >= 0:
                yield batch, found
                found = made.find(hops, found + 1)
