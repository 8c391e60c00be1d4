"""Sells a batch of ten million units in pallets, cases and single boxes, and prints the cost.

Run it with ``python -m tests.bench.ten_million``. It compares every outcome with a naive array of owners. At the end
it also compares the owner of every unit. Only then it prints figures.
"""

import array
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, select
from stdnum import ean

from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.commands import Command, PackCase, RecordTransfer, RegisterParty
from pathbook.ledger.queries import Queries
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.store.database.engine import open_engine, reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.tables import RUN
from pathbook.ledger.values import PartyKind, Price, Selection, Unit, UnitRange
from tests.books import BEGINNING, ask, open_books

SIZE = 10_000_000
CASE = 48
PALLET = 100 * CASE
PALLETS = 20
AGENTS = 20
TRANSFERS = 10_000
CHUNK = 500
SEED = 20_260_101


def sscc(number: int) -> str:
    """Return the SSCC with a serial number."""
    body = f"1{number:016d}"
    return body + ean.calc_check_digit(body)


def packing() -> list[Command]:
    """Return the commands that pack the first units in cases, and the cases on pallets."""
    commands: list[Command] = []
    for pallet in range(PALLETS):
        begin = pallet * PALLET
        firsts = range(begin, begin + PALLET, CASE)
        ssccs = [sscc(1_000 * (pallet + 1) + index) for index in range(len(firsts))]
        for first, name in zip(firsts, ssccs, strict=True):
            units = Selection((UnitRange(1, first, first + CASE - 1),))
            commands.append(PackCase(request_id=f"case {name}", party="acme", sscc=name, units=units))
        name = sscc(pallet)
        units = Selection(cases=tuple(ssccs))
        commands.append(PackCase(request_id=f"pallet {name}", party="acme", sscc=name, units=units))
    return commands


class Model:
    """The owner of each unit, as one number for each unit."""

    def __init__(self) -> None:
        """Begin with all units owned by the brand."""
        self.parties = ["acme", *(f"agent{number}" for number in range(AGENTS))]
        self.owner = array.array("B", bytes(SIZE))
        self.random = random.Random(SEED)

    def draw(self, name: str) -> tuple[RecordTransfer, bool]:
        """Return a random transfer and whether the book must accept it; move its units if so."""
        kind = self.random.choice(("pallet", "case", "box", "box"))
        if kind == "pallet" and self.random.random() < 0.2:
            number = self.random.randrange(PALLETS)
            first, last = number * PALLET, (number + 1) * PALLET - 1
            units = Selection(cases=(sscc(number),))
        else:
            length = {"pallet": PALLET, "case": CASE, "box": 1}[kind]
            first = self.random.randrange(0, SIZE - length)
            last = first + length - 1
            units = Selection((UnitRange(1, first, last),))
        owned = self.owner[first : last + 1]
        giver = owned[0] if self.random.random() < 0.95 else self.random.randrange(AGENTS + 1)
        receiver = self.random.randrange(AGENTS + 1)
        packed = first < PALLETS * PALLET and not units.cases
        accepted = giver != receiver and owned.count(giver) == len(owned) and not packed
        if accepted:
            self.owner[first : last + 1] = array.array("B", [receiver]) * len(owned)
        command = RecordTransfer(
            request_id=name,
            giver=self.parties[giver],
            receiver=self.parties[receiver],
            units=units,
            unit_price=Price(self.random.randrange(10_000, 30_000), "CNY"),
        )
        return command, accepted


def compare(outcomes: list[Outcome], expected: list[bool]) -> None:
    """Stop if the book decided otherwise than the model."""
    for outcome, accepted in zip(outcomes, expected, strict=True):
        assert isinstance(outcome, Answer) is accepted, outcome


def main() -> None:
    """Run the bench, compare the book with the model, and print the figures."""
    with tempfile.TemporaryDirectory() as name, open_books(Path(name), reports=REPORTS) as opened:
        model = Model()
        begin = time.perf_counter()
        ask(opened, *BEGINNING)
        commissioned = time.perf_counter() - begin
        agents = [
            RegisterParty(request_id=party, party=party, kind=PartyKind.AGENT) for party in model.parties[1:]
        ]
        compare(ask(opened, *agents), [True] * AGENTS)
        packed = packing()
        compare(ask(opened, *packed), [True] * len(packed))
        drawn = [model.draw(f"t{number}") for number in range(TRANSFERS)]
        begin = time.perf_counter()
        for index in range(0, TRANSFERS, CHUNK):
            chunk = drawn[index : index + CHUNK]
            compare(ask(opened, *(command for command, _ in chunk)), [accepted for _, accepted in chunk])
        seconds = time.perf_counter() - begin
        events = open_engine(Path(name) / "events.sqlite", purpose="events")
        views = open_engine(Path(name) / "views.sqlite", purpose="views")
        stream = Stream(events)
        head = stream.head("masks")
        queries = Queries(stream, views)
        follower = Follower(stream, views)
        follower.catch_up("masks")
        follower.close()
        assert head == len(packed) + AGENTS + len(BEGINNING) + sum(accepted for _, accepted in drawn)
        runs = check_owners(views, model)
        times, hops = paths(queries, model)
        events.dispose()
        views.dispose()
        accepted = sum(accepted for _, accepted in drawn)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"batch of {SIZE:,} units and the four events before it: {commissioned * 1000:.1f} ms")
        print(
            f"{accepted:,} of {TRANSFERS:,} transfers accepted, as the model: {TRANSFERS / seconds:,.0f} a second"
        )
        print(f"runs at the end: {runs:,}; every unit's owner agrees with the model")
        print(
            f"path: p50 {statistics.median(times) * 1e6:,.0f} us, p99 {times[int(len(times) * 0.99)] * 1e6:,.0f} us"
        )
        print(f"      longest of {len(times):,} paths: {hops} steps")
        print(f"peak memory of the process, model included: {peak:,.0f} MB")


def check_owners(views: Engine, model: Model) -> int:
    """Compare the owner of every unit with the model, and return the number of runs."""
    statement = (
        select(RUN.c.first, RUN.c.last, RUN.c.owner).where(RUN.c.valid_to.is_(None)).order_by(RUN.c.first)
    )
    with reading(views) as connection:
        rows = connection.execute(statement).all()
    following = 0
    for first, last, owner in rows:
        assert first == following
        following = last + 1
        owned = model.owner[first : last + 1]
        assert owned.count(model.parties.index(owner)) == len(owned)
    assert following == SIZE
    return len(rows)


def paths(queries: Queries, model: Model) -> tuple[list[float], int]:
    """Query the paths of random units, half of them from pallets; return the sorted seconds and the most steps."""
    times, most = [], 0
    for index in range(2_000):
        limit = PALLETS * PALLET if index % 2 else SIZE
        unit = Unit(1, model.random.randrange(limit))
        begin = time.perf_counter()
        path = queries.path("masks", unit)
        times.append(time.perf_counter() - begin)
        assert not isinstance(path, Refusal), path
        assert path.run.owner == model.parties[model.owner[unit.number]]
        most = max(most, len(path.steps))
    return sorted(times), most


if __name__ == "__main__":
    main()
