"""What is recorded: goods that go down tiers of agents, drawn at random, and written as requests beforehand."""

import uuid
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from pathbook.client import Range, money, select
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersEntry, RecordTransfersRequest

BRAND: Final = "brand"
"""Whose goods they are."""

TIERS: Final = 5
"""How many tiers of agents there are below the brand: a path has as many hops at the most."""

AGENTS_OF_A_TIER: Final = 4
"""How many agents a tier has, any of which may be the next hand."""

SCATTERED_RANGES: Final = 10
"""How many ranges a scattered transfer names, where it moves so many units."""

CURRENCY: Final = "CNY"
FIRST_PRICE_MINOR: Final = 15_000
"""What the first tier pays for a unit; each further one pays PRICE_STEP_MINOR more."""

PRICE_STEP_MINOR: Final = 3_000


class Shape(NamedTuple):
    """How many units a transfer moves, and whether they lie in one range or in several."""

    units: int
    scattered: bool = False


class Move(NamedTuple):
    """A transfer to be recorded: units of one batch, from one owner to another."""

    giver: str
    receiver: str
    ranges: tuple[Range, ...]
    price_minor: int


class Goods(NamedTuple):
    """A batch to be commissioned, by the number it will have, and what then happens to its units, in order."""

    batch: int
    size: int
    moves: list[Move]


def agents(tier: int) -> list[str]:
    """Return the agents of a tier, 1 .. TIERS."""
    return [f"agent-{tier}-{number}" for number in range(1, AGENTS_OF_A_TIER + 1)]


def parties() -> list[str]:
    """Return everybody, the brand first."""
    return [BRAND, *(agent for tier in range(1, TIERS + 1) for agent in agents(tier))]


def draw(random: Random, batch: int, shape: Shape, transfers: int, hops: int = TIERS) -> Goods:
    """Return goods in pieces of a shape; each goes down 1 .. ``hops`` tiers, so many transfers in all.

    All pieces make their first hop, in an order drawn for it, then those that go on their second, and so on.
    With one hop no transfer rests on another, and they may be recorded in any order.
    """
    depths: list[int] = []
    left = transfers
    while left:
        depths.append(min(left, random.randint(1, hops)))
        left -= depths[-1]
    holders = [BRAND] * len(depths)
    moves: list[Move] = []
    for tier in range(1, hops + 1):
        going = [piece for piece, depth in enumerate(depths) if depth >= tier]
        random.shuffle(going)
        for piece in going:
            giver, holders[piece] = holders[piece], random.choice(agents(tier))
            ranges = _ranges(batch, shape, piece, len(depths))
            price_minor = FIRST_PRICE_MINOR + (tier - 1) * PRICE_STEP_MINOR
            moves.append(Move(giver, holders[piece], ranges, price_minor))
    return Goods(batch, shape.units * len(depths), moves)


def _ranges(batch: int, shape: Shape, piece: int, pieces: int) -> tuple[Range, ...]:
    """Return the units of a piece: side by side, or one part in each of several stretches of the batch."""
    parts = min(shape.units, SCATTERED_RANGES) if shape.scattered else 1
    length = shape.units // parts
    firsts = [(part * pieces + piece) * length for part in range(parts)]
    return tuple((batch, first, first + length - 1) for first in firsts)


def single(book: str, moves: Sequence[Move], random: Random) -> list[bytes]:
    """Return a request for each move."""
    return [_request(move, random, book).SerializeToString() for move in moves]


def batched(book: str, moves: Sequence[Move], entries: int, random: Random) -> list[bytes]:
    """Return requests for batches of so many moves."""
    return [
        RecordTransfersRequest(
            book=book, entries=[RecordTransfersEntry(transfer=_request(move, random)) for move in part]
        ).SerializeToString()
        for part in _parts(moves, entries)
    ]


def _parts(moves: Sequence[Move], entries: int) -> Iterator[Sequence[Move]]:
    for begin in range(0, len(moves), entries):
        yield moves[begin : begin + entries]


def _request(move: Move, random: Random, book: str = "") -> RecordTransferRequest:
    return RecordTransferRequest(
        book=book,
        request_id=str(uuid.UUID(int=random.getrandbits(128), version=4)),  # as long as the client's own
        giver=move.giver,
        receiver=move.receiver,
        units=select(ranges=move.ranges),
        unit_price=money((move.price_minor, CURRENCY)),
    )
