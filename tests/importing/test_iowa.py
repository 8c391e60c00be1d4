"""One day of Iowa's real sales of spirits is imported, with sums exact to the cent."""

import contextlib
import csv
import datetime
import io
import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.paths_pb2 import PathStepKind
from pathbook.verify.proof import Now, check_proof
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Policy, Verdict
from tests.books import PATIENCE
from tests.endurance.comparing import sealed_head
from tests.importing.sheets import Amount, Summary, open_book, parse_summary

TABLE: Final = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "iowa-liquor-2012-01-31.csv"

TESTS: Final = 4
"""How many tests here need the table, which is not part of the project."""


class Day(NamedTuple):
    """The first rows of the day, and what they add up to."""

    rows: int
    accepted: int
    rejected: int
    bottles: int
    cost: int
    retail: int
    vendors: int
    stores: int


BEGINNING: Final = Day(1_500, 1_496, 4, 11_474, 9_267_065, 13_918_865, 42, 193)
"""What is imported each time."""

WHOLE: Final = Day(9_510, 9_503, 7, 81_107, 69_237_162, 103_995_109, 54, 224)
"""What the heavy tests import, too."""

BOTTLES: Final = 1_000
"""How many bottles are proven."""

pytestmark = pytest.mark.skipif(
    not TABLE.exists(),
    reason=f"../shared/data/{TABLE.name} is not there: {TESTS} tests of its figures did not run.",
)


@pytest.fixture(
    scope="module",
    params=[BEGINNING, pytest.param(WHOLE, marks=pytest.mark.heavy)],
    ids=["beginning", "whole"],
)
def day(request: pytest.FixtureRequest) -> Day:
    """How much of the day is imported."""
    assert isinstance(request.param, Day)
    return request.param


def first_rows(count: int, directory: Path) -> Path:
    """Write so many rows of the day to a table in a directory, and return it."""
    path = directory / TABLE.name
    with (
        TABLE.open(newline="", encoding="utf-8") as rows,
        path.open("w", newline="", encoding="utf-8") as first,
    ):
        csv.writer(first).writerows(islice(csv.reader(rows), 1 + count))
    return path


@pytest.fixture(scope="module")
def table(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the table."""
    return first_rows(day.rows, tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def target(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all tests of this module, which depend on their order."""
    assert day.rows
    with running(Settings(data=tmp_path_factory.mktemp("iowa"), listen="127.0.0.1:0", seals=True)) as port:
        open_book(f"127.0.0.1:{port}", "book")
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def first(target: str, table: Path) -> Summary:
    """The summary of the first import of the table."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run(arguments(target, table)) == 0
    return parse_summary(out.getvalue())


def arguments(target: str, table: Path) -> list[str]:
    """Return the arguments of the command that imports the table."""
    return ["import", str(table), "--recipe", "iowa", "--server", target, "--output", "json"]


def test_the_figures_are_those_of_the_table(first: Summary, target: str, day: Day) -> None:
    """Of the day, 9,503 of 9,510 rows are recorded as 19,006 transfers of 81,107 bottles, and both sums are exact."""
    assert (first.accepted, first.duplicate, first.rejected) == (day.accepted, 0, day.rejected)
    assert {each.reason for each in first.rejections} == {"CELL_EMPTY: state_bottle_cost is empty."}
    assert (first.transfers, first.units) == (2 * day.accepted, day.bottles)
    assert first.amounts == {
        "cost": {"USD": Amount(day.cost, f"{day.cost // 100}.{day.cost % 100:02}")},
        "retail": {"USD": Amount(day.retail, f"{day.retail // 100}.{day.retail % 100:02}")},
    }
    with Client(target, book="book") as client:
        client.position = client.get_head().position
        parties = list(client.list_parties())
        assert [sum(party.kind == kind for party in parties) for kind in (1, 2, 3)] == [
            day.vendors,
            1,
            day.stores,
        ]
        assert sum(batch.size for batch in client.list_batches()) == day.bottles


def test_a_repeat_of_the_import_has_only_duplicates(
    first: Summary, target: str, table: Path, day: Day, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second import adds no event and prints the same sums."""
    with Client(target, book="book") as client:
        head = sealed_head(client)
        assert run(arguments(target, table)) == 0
        again = parse_summary(capsys.readouterr().out)
        assert client.get_head().position == head
    assert (again.accepted, again.duplicate, again.rejected) == (0, day.accepted, day.rejected)
    assert (again.transfers, again.units, again.amounts) == (first.transfers, first.units, first.amounts)


def test_the_path_of_any_bottle_shows_two_hops(
    first: Summary, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten random bottles, found by their codes, went from vendor to state to store, at both prices."""
    assert first.accepted
    monkeypatch.setenv("PATHBOOK_CONFIG", str(tmp_path))  # where the keys of logs are remembered
    chance = random.Random(2012)
    with Client(target, book="book") as client:
        client.position = client.get_head().position
        batches = list(client.list_batches())
        for batch in chance.choices(batches, weights=[batch.size for batch in batches], k=10):
            number = chance.randrange(batch.size)
            (codes,) = client.list_codes(batch.batch, number, number)
            path = client.get_path(codes.serials[0])
            made, *hops = path.steps
            assert made.kind == PathStepKind.PATH_STEP_KIND_COMMISSIONED
            assert [(hop.giver, hop.receiver) for hop in hops] == [
                (batch.brand, "state-of-iowa"),
                ("state-of-iowa", path.run.owner),
            ]
            assert path.run.owner.startswith("store-")
            assert hops[1].terms.unit_price == batch.suggested_price
            assert 0 < hops[0].terms.unit_price.amount_minor < hops[1].terms.unit_price.amount_minor
            assert run(["verify", codes.serials[0], "--server", target]) == 0


@pytest.mark.heavy
def test_a_thousand_bottles_are_proven_and_an_auditor_finds_no_difference(
    first: Summary, target: str
) -> None:
    """The proofs of a thousand random bottles hold, and so does the whole log."""
    assert first.accepted
    chance, limits = random.Random(31), Policy()
    today = datetime.datetime.now(datetime.UTC).date()
    with Client(target, book="book") as client:
        head, until = sealed_head(client), time.monotonic() + PATIENCE
        while client.get_checkpoint().size < head:
            assert time.monotonic() < until, "the seal is not signed"
            time.sleep(0.1)
        trust = Trust((VerifierKey.parse(client.get_log_key()),))
        batches = list(client.list_batches())
        found: Counter[Verdict] = Counter()
        for batch in chance.choices(batches, weights=[batch.size for batch in batches], k=BOTTLES):
            number = chance.randrange(batch.size)
            proof = client.get_unit_proof((batch.batch, number))
            report, path = check_proof(proof, None, trust, Now(time.time_ns() // 1_000, today), limits)
            found[report.verdict] += 1
            assert path is not None
            assert len(path.steps) == 3
    assert found == {Verdict.VERIFIED: BOTTLES}
    assert run(["audit", "replay", "--server", target, "--book", "book"]) == 0
