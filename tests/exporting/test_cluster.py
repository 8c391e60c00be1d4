"""A book is folded on a real cluster of Apache Spark, also while a worker is killed, and is what the live views say."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pathbook.client import Client
from pathbook.exporting.exporter import export
from pathbook.exporting.querying import ask, opened
from pathbook.exporting.statements import REPORTS, report
from tests.exporting.flows import append, served
from tests.exporting.many_moves import entries
from tests.exporting.spark import Cluster, cluster, environment, needs_spark

pytestmark = [pytest.mark.heavy, needs_spark]

MOVES: Final = 60_000
BATCHES: Final = 48
PATIENCE_S: Final = 600.0

ASKING: Final = """
import json, sys
from pathlib import Path
from pathbook.cluster.replaying import make_tables, runs_of, session
from pathbook.exporting.statements import REPORTS, report
spark, path = session(sys.argv[1]), Path(sys.argv[2])
make_tables(spark, path)
found = {name: [list(row) for row in spark.sql(report(name)).collect()] for name in REPORTS}
runs = runs_of(spark, path).where("batch = 7").orderBy("first").collect()
found["runs"] = [[*row[:3], row.owner, row.custodian, row.head.hex(), row.path] for row in runs]
spark.stop()
print(json.dumps(found, default=int))
"""
"""Asks both reports of a cluster, and the runs of one batch. Its decimals are whole numbers."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server whose views have the whole book."""
    place = tmp_path_factory.mktemp("books")
    with served(place, follows=True) as client:
        log = list(entries(MOVES, BATCHES))
        for begin in range(0, len(log), 5_000):
            append(place, log[begin : begin + 5_000], begin)
        client.position = len(log)
        until = time.monotonic() + PATIENCE_S
        while client.get_head().views_position < len(log):
            assert time.monotonic() < until
            time.sleep(0.1)
        yield client


@pytest.fixture(scope="module")
def exported(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the book in several files."""
    target = tmp_path_factory.mktemp("export")
    export(client, target, events_per_file=10_000)
    return target


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with two workers."""
    with cluster(tmp_path_factory.mktemp("spark")) as found:
        yield found


def folding(spark: Cluster, exported: Path, target: str) -> "subprocess.Popen[str]":
    """Begin to fold an export on the cluster, and to compare it with a server."""
    line = ["audit", "replay", str(exported), "--spark", spark.master, "--server", target, "--output", "json"]
    return subprocess.Popen(
        [sys.executable, "-m", "pathbook", *line],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def test_the_sql_of_the_project_is_the_same_on_spark(spark: Cluster, exported: Path) -> None:
    """Both reports have the rows that DuckDB has, and a batch has its runs with owners, heads and paths."""
    ran = subprocess.run(
        [sys.executable, "-c", ASKING, spark.master, str(exported)],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environment(),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    with opened(exported) as connection:
        for name in REPORTS:
            rows = [list(row) for row in ask(connection, report(name)).rows]
            assert found[name] == rows != []
    assert len(found["runs"]) == MOVES // (5 * BATCHES)
    for number, (batch, first, last, owner, custodian, head, path) in enumerate(found["runs"]):
        assert (batch, first, last) == (7, 10 * number, 10 * number + 9)
        assert (owner, custodian, len(path), len(head)) == ("agent-5", "agent-5", 5, 64)


def test_a_fold_survives_a_worker_that_is_killed(spark: Cluster, exported: Path, client: Client) -> None:
    """A worker is killed while its tasks run. The other one ends the fold, with the fingerprint of the live views."""
    before = {name: spark.tasks(name) for name in ("one", "two")}
    process = folding(spark, exported, client.target)
    try:
        until = time.monotonic() + PATIENCE_S
        while not (running := [name for name in before if spark.tasks(name) > before[name] + 1]):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        spark.kill(running[0])
        assert process.poll() is None, "the fold had ended before the worker was killed"
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    found, shown = json.loads(out), client.get_fingerprint()
    assert found["fingerprint"] == shown.fingerprint.hex()
    assert (found["events"], found["views_compared_at"]) == (str(shown.position), str(shown.position))
    assert found["batches"] == str(BATCHES)
