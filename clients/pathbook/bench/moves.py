"""The transfers that are recorded: random goods go down tiers of agents. Their requests are serialized beforehand."""

import uuid
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from pathbook.bench.plan import USUAL_UNITS
from pathbook.client import Range, price, select
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersEntry, RecordTransfersRequest
from pathbook.v1.values_pb2 import Price

BRAND: Final = "brand"
"""The brand that makes all goods."""

TIERS: Final = 5
"""How many tiers of agents there are below the brand. A path has at most this many hops."""

AGENTS_OF_A_TIER: Final = 4
"""How many agents a tier has. Any of them may be the next receiver."""

SCATTERED_RANGES: Final = 5
"""How many ranges a scattered transfer names, if it moves at least this many units. The largest batches of the bench
name no more ranges than one request may."""

CURRENCY: Final = "CNY"
FIRST_PRICE_MINOR: Final = 15_000
"""The price that the first tier pays for a unit. Each further tier pays PRICE_STEP_MINOR more."""

PRICE_STEP_MINOR: Final = 3_000


class Shape(NamedTuple):
    """How many units a transfer moves, and whether they lie in one range or in several."""

    units: int
    scattered: bool = False


class Move(NamedTuple):
    """A transfer to record: units of one batch, from one owner to another."""

    giver: str
    receiver: str
    ranges: tuple[Range, ...]
    price_minor: int


class Goods(NamedTuple):
    """A batch to commission, with the number it will get, and the moves of its units in order."""

    batch: int
    size: int
    moves: list[Move]


def agents(tier: int) -> list[str]:
    """Return the agents of a tier, 1 .. TIERS."""
    return [f"agent-{tier}-{number}" for number in range(1, AGENTS_OF_A_TIER + 1)]


def parties() -> list[str]:
    """Return all parties, the brand first."""
    return [BRAND, *(agent for tier in range(1, TIERS + 1) for agent in agents(tier))]


def draw(random: Random, batch: int, shape: Shape, transfers: int, hops: int = TIERS) -> Goods:
    """Return random goods with this many transfers in all.

    The goods are pieces of one shape, and each piece goes down 1 to ``hops`` tiers. All pieces make their first hop,
    in random order. Then the pieces that go further make their second hop, and so on. With one hop, no transfer
    depends on another, and they may be recorded in any order.
    """
    depths: list[int] = []
    remaining = transfers
    while remaining:
        depths.append(min(remaining, random.randint(1, hops)))
        remaining -= depths[-1]
    holders = [BRAND] * len(depths)
    moves: list[Move] = []
    for tier in range(1, hops + 1):
        moving = [piece for piece, depth in enumerate(depths) if depth >= tier]
        random.shuffle(moving)
        for piece in moving:
            giver, holders[piece] = holders[piece], random.choice(agents(tier))
            ranges = _ranges(batch, shape, piece, len(depths))
            price_minor = FIRST_PRICE_MINOR + (tier - 1) * PRICE_STEP_MINOR
            moves.append(Move(giver, holders[piece], ranges, price_minor))
    return Goods(batch, shape.units * len(depths), moves)


def in_order(random: Random, batch: int, transfers: int) -> Goods:
    """Return goods that the brand sells from their first unit to their last."""
    goods = draw(random, batch, Shape(USUAL_UNITS), transfers, hops=1)
    return goods._replace(moves=sorted(goods.moves, key=lambda move: move.ranges))


def _ranges(batch: int, shape: Shape, piece: int, pieces: int) -> tuple[Range, ...]:
    """Return the units of a piece: in one range, or in one range of each of several sections of the batch."""
    parts = min(shape.units, SCATTERED_RANGES) if shape.scattered else 1
    length = shape.units // parts
    firsts = [(part * pieces + piece) * length for part in range(parts)]
    return tuple((batch, first, first + length - 1) for first in firsts)


def single(book: str, moves: Sequence[Move], random: Random) -> list[bytes]:
    """Return a request for each move."""
    return [_request(move, random, book).SerializeToString() for move in moves]


def batched(book: str, moves: Sequence[Move], at_once: int, random: Random) -> list[bytes]:
    """Return requests for batches of ``at_once`` moves each."""
    return [
        RecordTransfersRequest(
            book=book, entries=[RecordTransfersEntry(transfer=request) for request in entries(part, random)]
        ).SerializeToString()
        for part in parts(moves, at_once)
    ]


def parts(moves: Sequence[Move], at_once: int) -> Iterator[Sequence[Move]]:
    """Yield the moves, so many at once."""
    for begin in range(0, len(moves), at_once):
        yield moves[begin : begin + at_once]


def entries(moves: Sequence[Move], random: Random) -> list[RecordTransferRequest]:
    """Return a request for each move, as a batch has them."""
    return [_request(move, random) for move in moves]


def paid(minor: int) -> Price | None:
    """Return the price of a unit, in minor units of CURRENCY."""
    return price((minor, CURRENCY))


def _request(move: Move, random: Random, book: str = "") -> RecordTransferRequest:
    return RecordTransferRequest(
        book=book,
        request_id=str(
            uuid.UUID(int=random.getrandbits(128), version=4)
        ),  # as long as the ids that the client makes
        giver=move.giver,
        receiver=move.receiver,
        units=select(ranges=move.ranges),
        unit_price=paid(move.price_minor),
    )
