"""The bench runs every phase, checks its result, and prints the rates beside their targets."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from pathbook.bench import bench, names, plan
from pathbook.bench.model import Model
from pathbook.bench.moves import Move, Shape
from pathbook.bench.plan import IN_FLIGHT, Plan
from pathbook.bench.recording import SHAPES
from pathbook.bench.reporting import QUESTIONS
from pathbook.bench.sealing import SEALING_FOLLOWER
from tests.cli.conftest import Ran, pathbook
from tests.postgres import cluster, drop_database, new_database

BRIEF = Plan(
    rounds=1,
    calls=(10, 40, 260),
    transfers=500,
    floor_rows=1_000,
    shape_rounds=1,
    shape_transfers=(5, 20, 500),
    verified=2,
    paths=10,
    rebuilds=1,
    runs=400,
    run_batches=2,
    onward=100,
    hops=200,
    mix_rounds=1,
    mix_calls=5,
    pieces=400,
    seal_rounds=1,
    seal_in_order=40,
    seal_transfers=40,
    guarded_rounds=1,
    guarded_transfers=500,
    guarded_calls=40,
    proofs=2,
    followed=300,
    follow_rounds=1,
    reported=280,
    report_batches=2,
    questions=2,
)
"""The smallest plan with every phase, which is enough after the quick bench has tested several rounds."""

PATIENCE = 60.0
"""How long (seconds) a bench may take to start or to stop."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the bench."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def ran(place: Path) -> Ran:
    """A quick bench of a disk, as JSON. The environment names a PostgreSQL, which `--in` overrides."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATHBOOK_DATABASE", "postgresql+psycopg://stranger@127.0.0.1:1/books")
        environment.setattr(plan, "QUICK", BRIEF)
        return pathbook("bench", "--quick", "--in", str(place), "--output", "json")


def listed(found: object) -> dict[str, dict[str, object]]:
    """Return a list of named objects by their names."""
    assert isinstance(found, list)
    return {item["name"]: item for item in found}


def test_every_phase_is_measured(ran: Ran, place: Path) -> None:
    """Every phase has a rate, every phase of single calls has its times, and nothing is left on the disk."""
    assert ran.code == 0, ran.err
    phases = listed(ran.json()["phases"])
    singly = {
        names.VERIFY,
        names.PATH_CALLS,
        names.PATH_ECHO,
        names.FIRST_HOP,
        names.ONWARD,
        names.LONG_LIFE,
        names.PATH,
        names.FOLLOW,
        names.RECORD,
        names.RECORD_AGAIN,
        names.commits("SQLite"),
        names.UNSEALED,
        names.UNSEALED_SCATTERED,
        names.SEALED,
        names.SEALED_SCATTERED,
        names.SIGNED,
        names.OPEN,
        names.OPEN_CALLS,
        names.GUARDED,
        names.GUARDED_CALLS,
        names.proof("made"),
        names.proof("verified"),
        names.FOLLOWED,
        names.REPORTED,
        *(names.question(question.name) for question in QUESTIONS),
    }
    singly |= {name(count) for count in IN_FLIGHT for name in (names.echo, names.call)}
    for small in (names.SMALL_WRITE, names.SMALL_READ):
        singly |= {names.quiet(small), *(names.beside_hostile(small, what) for what in ("writes", "reads"))}
    singly |= {names.shape(*shape) for shape in SHAPES} | {names.floor("SQLite", "executemany")}
    at_once = {names.READ, names.REBUILD, names.FIRST_SEAL, names.FEW_UNITS, names.MANY_UNITS}
    at_once |= {names.FOLLOWED_APART, names.REPORTED_APART}
    assert phases.keys() == singly | at_once
    for name, phase in phases.items():
        assert float(str(phase["per_second"])) > 0, name
        assert (phase["p99_seconds"] is not None) is (name in singly), name
    assert list(place.iterdir()) == []


def test_targets_are_judged(ran: Ran) -> None:
    """Each target is listed with the rate that was measured, and with whether the rate meets it."""
    targets = listed(ran.json()["targets"])
    aimed = {name: (item["target"], item["at_least"]) for name, item in targets.items() if item["target"]}
    assert aimed == {
        f"{names.RECORD} / {names.floor('SQLite', 'executemany')}": (0.08, True),
        f"{names.shape(500, Shape(10_000))} / {names.shape(500, Shape(10))}": (0.8, True),
        f"{names.READ} / {names.echo(1)}": (300.0, True),
        f"{names.REBUILD} / {names.RECORD_AGAIN}": (2.0, True),
        f"{names.shape(500, Shape(10, scattered=True))} / {names.shape(500, Shape(10))}": (0.7, True),
        f"{names.call(256)} / {names.echo(256)}": (0.5, True),
        f"{names.PATH_CALLS} / {names.PATH_ECHO}": (0.3, True),
        f"{names.ONWARD} / {names.FIRST_HOP}": (1 / 3, True),
        f"{names.LONG_LIFE} / {names.FIRST_HOP}": (1 / 3, True),
        f"{names.beside_hostile(names.SMALL_WRITE, 'writes')}, p99": (200.0, False),
        f"{names.beside_hostile(names.SMALL_WRITE, 'reads')}, p99": (200.0, False),
        f"{names.PATH}, p50": (120.0, False),
        f"{names.SEALED} / {names.UNSEALED}": (0.75, True),
        f"{names.SEALED_SCATTERED} / {names.UNSEALED_SCATTERED}": (0.5, True),
        f"{names.SIGNED} / {names.UNSEALED}": (0.5, True),
        f"{names.MANY_UNITS} / {names.FEW_UNITS}": (0.8, True),
        f"{names.REPORTED_APART} / {names.FOLLOWED}": (0.6, True),
        **{f"{names.question(question.name)}, p99": (50.0, False) for question in QUESTIONS},
        f"{names.GUARDED} / {names.OPEN}": (0.9, True),
        names.FIRST_SEAL: (10.0, False),
        f"memory of the {SEALING_FOLLOWER}": (300.0, False),
        names.proof("without the chains of parties"): (7_000.0, False),
        names.proof("whole"): (12_000.0, False),
        f"{names.proof('made')}, p50": (2.0, False),
        f"{names.proof('verified')}, p50": (3.0, False),
        "an event in the log": (200.0, False),
        "an event in log and views": (500.0, False),
    }
    for item in targets.values():
        found, target = float(str(item["found"])), item["target"]
        met = None if target is None else (found >= float(str(target))) is item["at_least"]
        assert item["met"] is met, item


@pytest.mark.heavy
def test_a_bench_of_postgresql_prints_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench of PostgreSQL prints phases, targets and facts, with a floor for each way to write. It leaves nothing."""
    monkeypatch.setattr(plan, "QUICK", BRIEF)
    server = cluster().format(name="postgres")
    ran = pathbook("bench", "--quick", "--database", server)
    assert ran.code == 0, ran.err
    phases, targets, facts = ran.out.strip().split("\n\n")
    for name in (names.READ, names.floor("PostgreSQL", "executemany"), names.floor("PostgreSQL", "arrays")):
        assert f"\n{name}  " in phases
    assert f"{names.RECORD} / {names.echo(1)}  " in targets
    assert "pathbook_bench_" in facts.splitlines()[0]
    with psycopg.connect(server.replace("+psycopg", "")) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pathbook_bench%'")
        assert left.fetchall() == []


def test_books_of_the_user_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench refuses a directory or a server of books, and a server where it cannot create a database."""
    for place in (["--data", str(tmp_path)], ["--server", "127.0.0.1:1"], ["--database", "sqlite:///books"]):
        ran = pathbook("bench", "--quick", *place)
        assert (ran.code, ran.out) == (2, "")
    nowhere = "postgresql+psycopg://stranger:secret@127.0.0.1:1/books"
    ran = pathbook("bench", "--quick", "--database", nowhere)
    assert (ran.code, ran.out) == (4, "")
    assert "a role that may create databases" in ran.err
    assert "secret" not in ran.err
    monkeypatch.setenv("PATHBOOK_DATABASE", nowhere)
    assert pathbook("bench", "--quick") == ran


class Forgetful(Model):
    """A model that misses the fifth transfer."""

    moves = 0

    def move(self, move: Move) -> None:
        """Move title, except once."""
        self.moves += 1
        if self.moves != 5:
            super().move(move)


def test_a_difference_from_the_model_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the book and the model differ in one transfer, the phase is named, and no rate is printed."""
    monkeypatch.setattr(bench, "Model", Forgetful)
    monkeypatch.setattr(plan, "QUICK", BRIEF)
    ran = pathbook("bench", "--quick", "--in", str(tmp_path), "--output", "json")
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert (ran.code, ran.out) == (1, "")
    assert (error["reason"], error["metadata"]) == ("MISMATCH", {"phase": names.call(1)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.heavy  # Python may swallow the signal within a callback, once in some twenty runs
def test_a_bench_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """A bench that is stopped in the middle leaves neither processes nor files."""
    command = [
        sys.executable,
        "-c",
        "from pathbook.cli.main import main; main()",
        "bench",
        "--in",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    _wait_until_it_serves(tmp_path)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, b"")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def _wait_until_it_serves(place: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not any(log.read_text() for log in place.glob("*/server.log")):
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.heavy)])
def test_writes_to_several_books_are_measured(kind: str, tmp_path: Path) -> None:
    """One book, several at one server and several at a server each are written and checked, and nothing is left."""
    url = new_database() if kind == "postgresql" else ""
    with pytest.MonkeyPatch.context() as environment:
        environment.setattr(plan, "QUICK", BRIEF)
        line = ["bench", "--quick", "--books", "2", "--output", "json"]
        ran = pathbook(*line, *(["--database", url] if url else ["--in", str(tmp_path)]))
    assert ran.code == 0, ran.err
    found = ran.json()["spreads"]
    assert isinstance(found, list)
    assert [(each["servers"], each["books"], each["transfers"]) for each in found] == [
        (1, 1, BRIEF.transfers),
        (1, 2, 2 * BRIEF.transfers),
        (2, 2, 2 * BRIEF.transfers),
    ]
    assert all(each["per_second"] == each["transfers"] / each["seconds"] > 0 for each in found)
    assert list(tmp_path.iterdir()) == []
    if url:
        drop_database(url)
