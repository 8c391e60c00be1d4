"""Compares a book with the tables it was imported from; any difference ends the bench."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client
from pathbook.importing.cells import slug_of
from pathbook.v1.batches_pb2 import Batch
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import PathStep, PathStepKind
from tests.bench.decade.processes import PATHBOOK
from tests.bench.decade.recorded import STATE, Replayed, Stock, item_of, replay, stock
from tests.bench.decade.requests import Requests
from tests.bench.decade.sums import Sums

UNREADABLE: Final = {
    "CELL_EMPTY",
    "QUANTITY_ZERO",
    "ITEM_MALFORMED",
    "PRICE_MALFORMED",
    "PRICE_NEGATIVE",
    "PRICE_OUT_OF_BOUNDS",
}
"""The reasons for which a line is unreadable."""

UNFULFILLED: Final = {"STOCK_TOO_SMALL", "PARTY_UNKNOWN", "PRODUCT_UNKNOWN", "OCCURRED_BEFORE_MADE"}
"""The reasons to refuse a return of bottles that a store does not have.

The last one occurs if the store has only bottles of a later batch.
"""


class Amount(msgspec.Struct, frozen=True):
    """A sum of money in the importer's output."""

    amount_minor: int


class Rejection(msgspec.Struct, frozen=True):
    """A line that was rejected."""

    source: str
    row: int


class Printed(msgspec.Struct, frozen=True):
    """The summary that the importer prints."""

    tables: int
    accepted: int
    duplicate: int
    rejected: int
    reasons: dict[str, int]
    rejections: list[Rejection]
    transfers: int
    units: int
    amounts: dict[str, dict[str, Amount]]


def same(what: str, found: object, expected: object) -> None:
    """Stop if a figure differs from the expected one."""
    if found != expected:
        raise AssertionError(f"{what}: the book says {found}, the tables {expected}")


def same_counts(
    what: str, found: Mapping[tuple[str, str], int], expected: Mapping[tuple[str, str], int]
) -> None:
    """Stop if counts differ from the expected ones, and name the first few."""
    wrong = [key for key in found.keys() | expected.keys() if found.get(key, 0) != expected.get(key, 0)]
    if wrong:
        few = ", ".join(f"{key}: {found.get(key, 0)} not {expected.get(key, 0)}" for key in sorted(wrong)[:5])
        raise AssertionError(f"{what}: {len(wrong)} differ: {few}")


def check_summary(path: Path, sums: Sums, *, interrupted: bool) -> Printed:
    """Compare the importer's summary with the tables, to the cent and for each reason of rejection.

    A resumed import decides again the returns that were refused before the interruption. Later lines may be recorded
    by then, and may fulfil such a return. The expected sums then count it as fulfilled.
    """
    printed = msgspec.json.decode(path.read_bytes(), type=Printed)
    if interrupted and len(printed.rejections) == printed.rejected:  # only if all of them are listed
        rejected = {(line.source, line.row) for line in printed.rejections}
        sums.fulfil([line for line in sums.rejected() if line not in rejected])
    lines, unreadable, unfulfilled = sums.counts()
    accepted = sums.accepted()
    same("tables", printed.tables, len(sums.sources))
    same("lines that stand", printed.accepted + printed.duplicate, accepted.lines)
    same("lines rejected", printed.rejected, lines - accepted.lines)
    same("unreadable", sum(printed.reasons.get(name, 0) for name in UNREADABLE), unreadable)
    same("returns without stock", sum(printed.reasons.get(name, 0) for name in UNFULFILLED), unfulfilled)
    same("other reasons", printed.reasons.keys() - UNREADABLE - UNFULFILLED, set())
    same("transfers and returns", printed.transfers, 2 * accepted.lines)
    same("bottles", printed.units, accepted.bottles)
    same("cost", printed.amounts["cost"]["USD"].amount_minor, accepted.cost)
    same("retail", printed.amounts["retail"]["USD"].amount_minor, accepted.retail)
    return printed


def check_stock(client: Client, sums: Sums) -> Stock:
    """Compare the stock of each party in the views with the tables, and return it."""
    owned, made = stock(client)
    stores = {(party, item): units for (party, item), units in owned.items() if party.startswith("store-")}
    brands = {(party, item): units for (party, item), units in owned.items() if (party, item) in made}
    same("bottles that the state keeps", sum(n for (party, _), n in owned.items() if party == STATE), 0)
    same("owners", len(owned), len(stores) + len(brands))
    same_counts("stock of stores", stores, {(f"store-{s}", item): n for (s, item), n in sums.stock().items()})
    same_counts("stock of vendors", brands, _of_brands(sums.given_back()))
    net = {key: made[key] - owned.get(key, 0) for key in made}
    same_counts("bottles that left vendors", net, _of_brands(sums.bought()))
    return owned


def check_stream(client: Client, sums: Sums, owned: Stock) -> Replayed:
    """Replay the stream of events, and compare it with the tables and with the stock in the views."""
    replayed = replay(client)
    sold, back = sums.accepted("bottles > 0"), sums.accepted("bottles < 0")
    same("transfers", replayed.transfers, 2 * sold.lines)
    same("returns", replayed.returns, 2 * back.lines)
    same("bottles made", replayed.made.total(), sold.bottles)
    same("bottles returned", replayed.returned, -back.bottles)
    same("cost", replayed.sold["cost"], sold.cost)
    same("retail", replayed.sold["retail"], sold.retail)
    same_counts("stock in the stream", replayed.stock, owned)
    requests = Requests(sums)
    same("requests that are recorded twice", requests.twice(replayed.requests), [])
    same("requests of lines that do not stand", requests.missing(), [])
    same("requests of no line, or of a rejected one", requests.unexpected(), 0)
    return replayed


def _of_brands(counts: Mapping[tuple[str, str], int]) -> Stock:
    """Return counts by vendor name as counts by party id."""
    found: Stock = Counter()
    for (vendor, item), units in counts.items():
        found[slug_of(vendor), item] += units
    return found


class Verified(msgspec.Struct, frozen=True):
    """The milliseconds that each query of a path and each command took."""

    paths: list[float]
    commands: list[float]


def verify_bottles(
    client: Client, target: str, sums: Sums, chance: random.Random, *, paths: int, commands: int
) -> Verified:
    """Draw bottles, and compare each hop of their paths with the line that sold them.

    For the first few, also run the command `pathbook verify`, as a buyer does.
    """
    batches = list(client.list_batches())
    drawn = chance.choices(batches, weights=[batch.size for batch in batches], k=paths)
    verified, requests = Verified([], []), Requests(sums)
    for count, batch in enumerate(drawn):
        number = chance.randrange(batch.size)
        (codes,) = client.list_codes(batch.batch, number, number)
        begin = time.perf_counter()
        path = client.get_path(codes.serials[0])
        verified.paths.append((time.perf_counter() - begin) * 1_000)
        owner = batch.brand
        for step in path.steps[1:]:
            owner = _check_step(step, batch, owner, requests)
        same("who has a bottle", path.run.owner, owner)
        if count < commands:
            verified.commands.append(_verify(codes.serials[0], target))
    return verified


def _check_step(step: PathStep, batch: Batch, owner: str, requests: Requests) -> str:
    """Compare a step of a path with its line in the tables, and return the owner after the step."""
    line, movement = requests.line(Event.FromString(step.event).request)
    onward = step.kind == PathStepKind.PATH_STEP_KIND_TRANSFERRED
    sides = {"cost": (slug_of(line.vendor), STATE), "retail": (STATE, f"store-{line.store}")}[movement]
    same("whether a line sells", line.bottles > 0, onward)
    same("giver and receiver", (step.giver, step.receiver), sides if onward else sides[::-1])
    same("who had the bottle", step.giver, owner)
    same("its item", item_of(batch.gtin), line.item)
    same("its day", step.occurred_at.ToJsonString()[:10], line.date)
    if onward:
        same(
            "its price", step.terms.unit_price.amount_minor, line.cost if movement == "cost" else line.retail
        )
    return step.receiver


def _verify(serial: str, target: str) -> float:
    begin = time.perf_counter()
    command = [*PATHBOOK, "verify", serial, "--server", target, "--book", "decade"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{serial} is not verified: {done.stdout}{done.stderr}")
    return (time.perf_counter() - begin) * 1_000
