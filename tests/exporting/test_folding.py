"""What workers fold, put together as a cluster does it, has the fingerprint that an auditor and the server compute."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from pathbook.audit.auditor import Auditor
from pathbook.audit.differences import DifferenceError
from pathbook.audit.fingerprints import book_fingerprint, joined_fingerprint
from pathbook.cluster.folding import (
    FACTS_POSITION,
    FOLDED,
    NO_BATCH,
    READ_COLUMNS,
    SPREAD,
    fold,
    present_runs,
    spread,
    unpacking,
)
from pathbook.cluster.registers import KINDS, facts_of, registers_of, stored
from pathbook.exporting.parquet_files import SCHEMAS, TableFile
from pathbook.ledger.codec import decode, leaf_hash
from pathbook.ledger.events import PartyRegistered, TransferAccepted
from pathbook.ledger.hops import chain
from pathbook.ledger.reports.flat import EventRow, rows_of
from tests.audit.honest_book import BOOK, LOG
from tests.audit.sealed_books import SealedBook

SEALED: Final = [SealedBook(seed, 700) for seed in (6, 27)]
LOGS: Final = [LOG, *([data for _, data in book.entries] for book in SEALED)]

Edit = Callable[[list[EventRow]], None]


def written(path: Path, log: Sequence[bytes], edit: Edit | None = None) -> list[Path]:
    """Write the events of a log as two files of an export, and return them."""
    rows = [
        row
        for position, data in enumerate(log, 1)
        for row in rows_of("book", decode(position, data), data)
        if isinstance(row, EventRow)
    ]
    if edit is not None:
        edit(rows)
    files = []
    for number, part in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        file = TableFile("event", path / f"{number}.parquet")
        for row in part:
            file.add(row)
        file.close()
        files.append(file.path)
    return files


def batches_of(files: Sequence[Path]) -> list["pyarrow.RecordBatch"]:
    """Return the events of files in small batches, as Spark hands them to workers."""
    opened = (parquet.ParquetFile(file) for file in files)
    return [batch for file in opened for batch in file.iter_batches(batch_size=50, columns=[*READ_COLUMNS])]


def grouped(tables: Sequence["pyarrow.RecordBatch"]) -> list["pyarrow.Table"]:
    """Return the rows of each batch, in another order, as a shuffle leaves them."""
    groups: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
    for table in tables:
        for row in table.to_pylist():
            groups[row["batch"]].append(row)
    for rows in groups.values():
        Random(1).shuffle(rows)
    return [pyarrow.Table.from_pylist(rows, SPREAD) for rows in groups.values()]


def folded(files: Sequence[Path]) -> tuple[bytes, list[dict[str, object]]]:
    """Fold a book as a cluster does. Return its fingerprint, and the rows of the workers."""
    found = [row for table in unpacking(batches_of(files)) for row in table.to_pylist()]
    book = registers_of(stored(files, KINDS), [(row["position"], row["data"]) for row in found])
    facts = [
        (number, FACTS_POSITION, msgspec.msgpack.encode(facts_of(book, number)), "")
        for number in book.state.partitions
    ]
    sent = pyarrow.RecordBatch.from_pylist(
        [dict(zip(SPREAD.names, row, strict=True)) for row in facts], SPREAD
    )
    rows = [row for table in grouped([*spread(batches_of(files)), sent]) for row in fold(table).to_pylist()]
    fingerprints = {row["batch"]: row["fingerprint"] for row in rows}
    return joined_fingerprint(
        book, ((number, fingerprints[number]) for number in book.state.partitions)
    ), rows


@pytest.mark.parametrize("log", LOGS, ids=["honest", "6", "27"])
def test_the_fold_by_batches_is_that_of_an_auditor(log: Sequence[bytes], tmp_path: Path) -> None:
    """Batches that are folded apart, with registers, recalls and cases, have the fingerprint of the whole book."""
    auditor = Auditor()
    for data in log:
        auditor.take(data)
    found, rows = folded(written(tmp_path, log))
    assert found == book_fingerprint(auditor.book)
    assert {row["problem"] for row in rows} == {""}


def test_the_books_have_cases_that_an_acceptance_unpacks() -> None:
    """Otherwise the tests before would say nothing of them."""
    accepted = [each.event for each in SEALED[0].recorded if isinstance(each.event, TransferAccepted)]
    assert any(event.unpacked for event in accepted)


def test_runs_have_owner_custodian_head_and_path(tmp_path: Path) -> None:
    """The runs of each batch are those of the rules' own state, each with its hops, oldest first."""
    files = written(tmp_path, LOGS[1])
    found = [
        row for table in grouped(list(spread(batches_of(files)))) for row in present_runs(table).to_pylist()
    ]
    expected = [
        {
            "batch": number, "first": run.first, "last": run.last, "owner": run.owner, "custodian": run.custodian,
            "state": run.state.name.lower(), "transfer": run.transfer, "position": run.position, "head": run.head,
            "path": [hop.transfer for hop in reversed(list(chain(run.last_hop)))],
        }
        for number, partition in SEALED[0].state.partitions.items()
        for run in partition.runs
    ]  # fmt: skip
    assert sorted(found, key=lambda row: (row["batch"], row["first"])) == expected
    assert max(len(row["path"]) for row in found) > 2


def flipped(rows: list[EventRow]) -> None:
    """Change a byte of an event."""
    data = bytearray(rows[40].bytes)
    data[-1] ^= 1
    rows[40] = rows[40]._replace(bytes=bytes(data))


def cut(rows: list[EventRow]) -> None:
    """Put in bytes that are no event, with their right hash."""
    rows[40] = rows[40]._replace(bytes=b"no", leaf=leaf_hash(b"no"))


def disguised(rows: list[EventRow]) -> None:
    """Call an event by another kind, so that the driver would not fold it."""
    rows[40] = rows[40]._replace(kind="sealed")


def dropped(rows: list[EventRow]) -> None:
    """Take the commissioning of a batch away."""
    del rows[next(number for number, row in enumerate(rows) if row.kind == "batch_commissioned")]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (flipped, "its bytes do not have the hash that was exported"),
        (cut, "malformed"),
        (disguised, "it is exported as the kind 'sealed', which it is not"),
        (dropped, "was never made"),
    ],
)
def test_an_edited_export_is_a_problem(edit: Edit, told: str, tmp_path: Path) -> None:
    """The worker that meets what is wrong tells its position. No fingerprint is made of it."""
    files = written(tmp_path, LOGS[1], edit)
    problems: list[dict[str, object]] = []
    for table in grouped(list(spread(batches_of(files)))):
        problems += [row for row in fold(table).to_pylist() if told in str(row["problem"])]
    assert len(problems) == 1 or edit is dropped
    assert {row["fingerprint"] for row in problems} == {b""}
    if edit is not dropped:
        assert [(row["batch"], row["position"]) for row in problems] == [(NO_BATCH, 41)]


def test_registers_that_do_not_follow_are_a_difference() -> None:
    """An authorization of a party that was never registered has its position named."""
    pairs = zip(BOOK, LOG, strict=True)
    known = [(each.position, data) for each, data in pairs if not isinstance(each.event, PartyRegistered)]
    with pytest.raises(DifferenceError, match="it does not follow from the events before"):
        registers_of(known, ())


def test_an_empty_batch_of_rows_is_one() -> None:
    """Spark may hand a worker nothing, and gets the right columns back."""
    nothing = pyarrow.RecordBatch.from_pylist([], SCHEMAS["event"]).select([*READ_COLUMNS])
    (found,) = spread([nothing])
    assert (found.schema, found.num_rows) == (SPREAD, 0)
    assert FOLDED.names[0] == "batch"
