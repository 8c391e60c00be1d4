"""Folds an exported book on a cluster, up to its fingerprint. It needs pyspark."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pyarrow
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from pathbook.audit.differences import DifferenceError, Rule
from pathbook.audit.fingerprints import joined_fingerprint
from pathbook.cluster.folding import (
    FACTS_POSITION,
    FOLDED,
    NO_BATCH,
    READ_COLUMNS,
    RUNS,
    SPREAD,
    UNPACKING,
    fold,
    present_runs,
    spread,
    unpacking,
)
from pathbook.cluster.registers import KINDS, facts_of, registers_of, stored
from pathbook.exporting.manifest import Export, Manifest
from pathbook.exporting.statements import NEWEST_TABLES, newest_table
from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.events import CasePacked, TransferAccepted
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import Frontier
from pathbook.ledger.reports.flat import FLAT_TABLES

APPLICATION: Final = "pathbook"
"""The name of the application, as Spark shows it."""

_ACCEPTED: Final = FIELD_OF[TransferAccepted]
_PACKED: Final = FIELD_OF[CasePacked]


class Folded(NamedTuple):
    """What an exported book leads to.

    Attributes:
        origin: of the book, as the export says.
        events: how many.
        root: of the tree over them, as computed.
        checkpoint: the size of the signed checkpoint that the export names and that has its root, 0 without one.
        fingerprint: of the views, as of the last event.
        batches: how many.
        runs: how many they have.
        parties: how many, without the operator.
    """

    origin: str
    events: int
    root: bytes
    checkpoint: int
    fingerprint: bytes
    batches: int
    runs: int
    parties: int


def session(master: str) -> "SparkSession":
    """Return a session on a cluster, which must be stopped. What Spark reads from its own files and environment counts.

    Workers must read the export under the same path. They run the Python that PYSPARK_PYTHON names, or else one with
    the path of this one. It must have the same Pathbook with the extra.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(APPLICATION).master(master)
    for option in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(option, "false")
    return builder.config("spark.log.level", "ERROR").getOrCreate()


def replay(spark: "SparkSession", path: Path) -> Folded:
    """Fold an exported book on a cluster. Only the stored bytes of its events are believed.

    The tree over them is computed, and compared with the manifest and its checkpoint, whose signature is not checked.
    That events follow the rules is not checked: an audit that replays them does that.

    Raises:
        DifferenceError: the export is not of one history, or its events cannot be applied.
        pathbook.audit.differences.UncheckableError: an event is newer than this program.
        pathbook.exporting.manifest.ExportError: the export is missing or damaged.
        OSError: a file cannot be read.
    """
    export = Export(path.absolute())
    manifest = export.read()
    files = export.files(manifest, "event")
    root, checkpoint = _root(manifest, files)
    events = _events(spark, files)
    book = registers_of(stored(files, KINDS), _unpacking(events, files))
    numbers = sorted(book.state.partitions)
    facts = pyarrow.table(
        [
            numbers,
            [FACTS_POSITION] * len(numbers),
            [msgspec.msgpack.encode(facts_of(book, number)) for number in numbers],
            [""] * len(numbers),
        ],
        SPREAD,
    )
    touched = events.mapInArrow(spread, from_arrow_schema(SPREAD)).union(spark.createDataFrame(facts))
    folded = touched.groupBy("batch").applyInArrow(fold, from_arrow_schema(FOLDED)).toArrow()
    _require_no_problem(folded)
    found = dict(zip(folded["batch"].to_pylist(), folded["fingerprint"].to_pylist(), strict=True))
    fingerprint = joined_fingerprint(book, ((number, found[number]) for number in numbers))
    return Folded(
        manifest.origin, manifest.through, root, checkpoint, fingerprint,
        len(numbers), sum(folded["runs"].to_pylist()), len(book.state.parties),
    )  # fmt: skip


def runs_of(spark: "SparkSession", path: Path) -> "DataFrame":
    """Return all runs of an exported book: batch, units, owner, custodian, state, head and path.

    Raises:
        pathbook.exporting.manifest.ExportError: the export is missing or damaged.
    """
    export = Export(path.absolute())
    events = _events(spark, export.files(export.read(), "event"))
    touched = events.mapInArrow(spread, from_arrow_schema(SPREAD))
    return touched.groupBy("batch").applyInArrow(present_runs, from_arrow_schema(RUNS))


def make_tables(spark: "SparkSession", path: Path) -> None:
    """Give a session the tables of an export by name, for SQL: as `pathbook sql` has them.

    Raises:
        pathbook.exporting.manifest.ExportError: the export is missing or damaged.
    """
    export = Export(path.absolute())
    manifest = export.read()
    for table in FLAT_TABLES:
        spark.read.parquet(*_addresses(export.files(manifest, table))).createOrReplaceTempView(table)
    for table in NEWEST_TABLES:
        spark.sql(newest_table(table)).createOrReplaceTempView(table)


def _addresses(files: list[Path]) -> list[str]:
    return [file.as_uri() for file in files]


def _events(spark: "SparkSession", files: list[Path]) -> "DataFrame":
    return spark.read.parquet(*_addresses(files)).select(*READ_COLUMNS)


def _unpacking(events: "DataFrame", files: list[Path]) -> list[tuple[int, bytes]]:
    """Return the acceptances that unpack cases. Without a case there is none, and none is looked for."""
    if next(stored(files, [_PACKED]), None) is None:
        return []
    accepted = events.where(events.kind == _ACCEPTED)
    found = accepted.mapInArrow(unpacking, from_arrow_schema(UNPACKING)).toArrow().to_pylist()
    return sorted((row["position"], row["data"]) for row in found)


def _root(manifest: Manifest, files: list[Path]) -> tuple[bytes, int]:
    """Compute the tree over the leaves of all events. The workers compare the leaves with the bytes."""
    expected = _checkpoint(manifest)
    tree, compared = Frontier(), 0
    for position, leaf in _leaves(files):
        if position != tree.size + 1:
            raise DifferenceError(
                tree.size + 1, Rule.POSITION, f"the export has position {position} in its place"
            )
        tree.append(leaf)
        if expected is not None and expected.size == position:
            if tree.root() != expected.root:
                found = f"the events do not have the root of the checkpoint of {position} events"
                raise DifferenceError(position, Rule.CHECKPOINT_ROOT, found)
            compared = position
    root = tree.root()
    if tree.size != manifest.through or root.hex() != manifest.root:
        raise DifferenceError(tree.size, Rule.LEAF, "the events do not have the root that the manifest names")
    if expected is not None and not compared:
        found = f"the checkpoint of the export is of {expected.size} events, but there are {tree.size}"
        raise DifferenceError(tree.size + 1, Rule.CHECKPOINT_SIZE, found)
    return root, compared


def _checkpoint(manifest: Manifest) -> Checkpoint | None:
    if not manifest.checkpoint:
        return None
    try:
        return Checkpoint.parse(parse_note(manifest.checkpoint.encode()).text)
    except MalformedTextError as error:
        raise DifferenceError(1, Rule.CHECKPOINT_ROOT, f"the checkpoint is malformed: {error}") from None


def _leaves(files: list[Path]) -> Iterator[tuple[int, bytes]]:
    for file in files:
        for table in parquet.ParquetFile(file).iter_batches(columns=["position", "leaf"]):
            yield from zip(
                table.column("position").to_pylist(), table.column("leaf").to_pylist(), strict=True
            )


def _require_no_problem(folded: "pyarrow.Table") -> None:
    columns = (folded.column(name).to_pylist() for name in ("position", "batch", "problem"))
    for position, batch, problem in sorted(zip(*columns, strict=True)):
        if problem:
            raise DifferenceError(position, Rule.FORM if batch == NO_BATCH else Rule.MOVEMENT, problem)
