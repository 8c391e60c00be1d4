"""An export has all events of a book, goes on where it was, and is never half of a file."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import pytest
from pyarrow import parquet

from pathbook.cli.main import run
from pathbook.exporting.exporter import export
from pathbook.exporting.manifest import MANIFEST, Export, ExportError, hash_of
from pathbook.exporting.parquet_files import SCHEMAS
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.reports.flat import FLAT_TABLES, rows_of
from tests.books import PATIENCE
from tests.cli.conftest import pathbook
from tests.exporting.flows import append, served
from tests.projections.synthetic import SyntheticBook

SYNTHETIC: Final = SyntheticBook(3, 500)
ROWS: Final = {
    table: [
        row._asdict()
        for recorded, (_, data) in zip(SYNTHETIC.recorded, SYNTHETIC.entries, strict=True)
        for row in rows_of("book", recorded, data)
        if type(row) is kind
    ]
    for table, kind in FLAT_TABLES.items()
}
"""The rows of each table."""

HEAD: Final = len(SYNTHETIC.entries)


def rows_in(path: Path, table: str) -> list[dict[str, object]]:
    """Return all rows of a table of an export."""
    target = Export(path)
    return [
        row
        for file in target.files(target.read(), table)
        for row in parquet.ParquetFile(file).read().to_pylist()
    ]


def require_whole(path: Path) -> None:
    """Require that an export has exactly the book, and no file beside it."""
    target = Export(path)
    manifest = target.read()
    target.require_hashes(manifest)
    assert manifest.through == HEAD
    assert manifest.root == root_of([leaf_hash(data) for _, data in SYNTHETIC.entries]).hex()
    for table, rows in ROWS.items():
        assert rows_in(path, table) == rows, table
        assert manifest.rows(table) == len(rows)
        named = {file.name for file in target.files(manifest, table)}
        assert {file.name for file in (path / table).iterdir()} == named


def test_an_export_has_every_event_and_every_row(place: Path, tmp_path: Path) -> None:
    """The bytes are those of the log, and the rows those of the flat tables, with the types that are documented."""
    with served(place) as client:
        append(place, SYNTHETIC.entries)
        found = export(client, tmp_path / "x", events_per_file=100)
    assert (found.before, found.through, found.checkpoint) == (0, HEAD, 0)
    require_whole(tmp_path / "x")
    for table, schema in SCHEMAS.items():
        for file in (tmp_path / "x" / table).iterdir():
            assert parquet.read_schema(file).equals(schema)


def test_a_later_export_adds_only_what_is_new(tmp_path: Path) -> None:
    """Files that are there stay as they are. Together they have what one export at the end has."""
    place, cut, target = tmp_path, HEAD // 2, tmp_path / "x"
    with served(place) as client:
        append(place, SYNTHETIC.entries[:cut])
        export(client, target, events_per_file=70)
        before = {path: hash_of(path) for path in target.rglob("*.parquet")}
        append(place, SYNTHETIC.entries[cut:], cut)
        found = export(client, target, events_per_file=90)
        assert (found.before, found.through) == (cut, HEAD)
        again = export(client, target)
    assert (again.before, again.through) == (HEAD, HEAD)
    assert {path: hash_of(path) for path in before} == before
    require_whole(target)


def test_an_export_that_is_killed_goes_on(tmp_path: Path) -> None:
    """Kill -9 at any time leaves an export of some whole ranges. The command run again ends with the whole book."""
    target, chance, killed = tmp_path / "x", Random(7), 0
    with served(tmp_path) as client:
        append(tmp_path, SYNTHETIC.entries)
        line = [
            sys.executable, "-m", "pathbook", "export", "--to", str(target), "--events-per-file", "2",
            "--server", client.target,
        ]  # fmt: skip
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
            begun = time.monotonic()
            files = chance.randrange(1, 200)
            while process.poll() is None and time.monotonic() < begun + PATIENCE:
                if len(list(target.rglob("*.parquet"))) >= files:
                    break
                time.sleep(0.001)
            process.kill()
            if process.wait() == 0:
                break
            killed += 1
            if (target / MANIFEST).exists():
                Export(target).read()  # whole, as far as it goes
            if killed == 6:
                assert run([*line[3:]]) == 0
                break
    assert killed, "no command was killed"
    require_whole(target)


def test_what_a_killed_export_left_is_removed(tmp_path: Path) -> None:
    """Files that the manifest does not name do not count, and the next export removes them."""
    target = tmp_path / "x"
    (target / "move").mkdir(parents=True)
    for name in ("000000000001.new", "000000000001-000000000009.parquet"):
        (target / "move" / name).write_bytes(b"half")
    with served(tmp_path) as client:
        append(tmp_path, SYNTHETIC.entries)
        export(client, target, events_per_file=50)
    require_whole(target)


def test_an_export_is_of_one_history(tmp_path: Path) -> None:
    """Another book, an older one and one with another last event are refused, and nothing is added."""
    other, target = SyntheticBook(4, 500), tmp_path / "x"
    with served(tmp_path / "one") as client:
        append(tmp_path / "one", SYNTHETIC.entries)
        export(client, target)
        with pytest.raises(ExportError, match="is an export of the book") as found:
            export(client, make_other(tmp_path / "y", target))
        assert found.value.reason == "EXPORT_OF_OTHER_BOOK"
    before = (target / MANIFEST).read_bytes()
    for name, entries in (("two", SYNTHETIC.entries[:-9]), ("three", other.entries)):
        with served(tmp_path / name) as client:
            append(tmp_path / name, entries)
            with pytest.raises(ExportError) as found:
                export(client, target)
        assert found.value.reason == "EXPORT_OF_OTHER_HISTORY"
    assert (target / MANIFEST).read_bytes() == before


def make_other(path: Path, target: Path) -> Path:
    """Return an export of a book with another origin."""
    path.mkdir()
    manifest = json.loads((target / MANIFEST).read_bytes())
    (path / MANIFEST).write_text(json.dumps(manifest | {"origin": "elsewhere/book"}), "utf-8")
    return path


def test_a_damaged_export_is_named(tmp_path: Path) -> None:
    """A file that is missing, cut or edited, and a manifest that does not hold together, are told by name."""
    target = tmp_path / "x"
    with served(tmp_path) as client:
        append(tmp_path, SYNTHETIC.entries)
        export(client, target, events_per_file=100)
    manifest = Export(target).read()
    edited = Export(target).files(manifest, "move")[1]
    data = bytearray(edited.read_bytes())
    data[len(data) // 2] ^= 1
    edited.write_bytes(data)
    with pytest.raises(ExportError, match=f"{edited.name} is not the file"):
        Export(target).require_hashes(manifest)
    edited.write_bytes(data[:-1])
    with pytest.raises(ExportError, match=f"{edited.name} is missing, or has another size"):
        Export(target).read()
    text = json.loads((target / MANIFEST).read_bytes())
    for change, reason in (
        ({"root": hashlib.sha256().hexdigest()}, "EXPORT_DAMAGED"),
        ({"through": "many"}, "EXPORT_DAMAGED"),
        ({"format": "pathbook.export@v2"}, "EXPORT_NEWER"),
    ):
        (target / MANIFEST).write_text(json.dumps(text | change), "utf-8")
        with pytest.raises(ExportError) as found:
            Export(target).read()
        assert found.value.reason == reason
    with pytest.raises(ExportError) as found:
        Export(tmp_path / "nowhere").read()
    assert found.value.reason == "EXPORT_MISSING"


def test_two_commands_do_not_export_to_one_directory(tmp_path: Path) -> None:
    """The second is refused by name while the first is at work."""
    target = tmp_path / "x"
    with served(tmp_path) as client:
        append(tmp_path, SYNTHETIC.entries)
        with Export(target).locked(), pytest.raises(ExportError) as found:
            export(client, target)
    assert found.value.reason == "EXPORT_BUSY"


def test_the_tree_of_an_export_is_that_of_the_checkpoint(demo: Path, tmp_path: Path) -> None:
    """The manifest has the newest checkpoint, of all events or fewer, whose root the exported events have."""
    target = tmp_path / "x"
    ran = pathbook("export", "--to", str(target), "--data", str(demo), "--output", "json")
    assert (ran.code, ran.err) == (0, "")
    found, manifest = ran.json(), Export(target).read()
    assert found["checkpoint"] == int(manifest.checkpoint.splitlines()[1]) > 0
    assert manifest.checkpoint.startswith(f"{manifest.origin}\n")


def test_events_that_are_not_those_of_the_checkpoint_are_told(closed_demo: Path, tmp_path: Path) -> None:
    """If the tree over what was exported has another root than the log signed, the export is refused by name."""
    data, target = shutil.copytree(closed_demo, tmp_path / "demo"), tmp_path / "x"
    line = ["export", "--to", str(target), "--data", str(data)]
    assert pathbook(*line).code == 0
    manifest = Export(target).read()
    edited = manifest.frontier
    edited.nodes[0] = bytes(32)
    nodes = [node.hex() for node in edited.nodes]
    Export(target).write(msgspec.structs.replace(manifest, nodes=nodes, root=edited.root().hex()))
    ran = pathbook(*line)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("pathbook: ROOT_DIFFERS: The events are not those that the checkpoint of ")
