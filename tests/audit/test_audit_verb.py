"""`pathbook audit replay` over a server, over books that it opens itself, and over a published directory."""

import contextlib
import json
import time
from pathlib import Path
from typing import Final

import pytest
from nacl.signing import SigningKey

from pathbook.client import Client
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import sign_note
from pathbook.services.clock import now
from pathbook.services.storage import Storage
from tests.cli.conftest import Ran, pathbook
from tests.proofs.prover import log_key
from tests.services.masks import BOOK, begin, moved, opened

PATIENCE_S: Final = 20.0
"""How long a test waits for the checkpoint that follows a seal."""

ORIGIN: Final = "pathbook/masks"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The directory of the books."""
    return tmp_path / "data"


def seal(data: Path) -> None:
    """Seal a book that no server has open, and sign the checkpoint whose last leaf is the seal."""
    with contextlib.closing(Storage(data, now, seals=True)) as storage:
        head, until = storage.stream.head(BOOK), time.monotonic() + PATIENCE_S
        while (newest := storage.checkpoints.newest(BOOK)) is None or newest.size <= head:
            assert time.monotonic() < until, "no checkpoint was signed"
            time.sleep(0.05)


@pytest.fixture
def sealed(data: Path) -> Path:
    """The directory of a book with some hops, which is sealed."""
    with opened(data) as client:
        begin(client)
        for number in range(300):
            moved(client, number, number)
    seal(data)
    return data


def audited(*arguments: str | Path) -> Ran:
    """Run the verb."""
    return pathbook("audit", "replay", *map(str, arguments))


def test_a_server_is_audited_with_what_was_remembered(sealed: Path, tmp_path: Path) -> None:
    """Signed checkpoints of before must be of the same history, and the key must be the one that the caller trusts."""
    with opened(sealed) as client:
        (kept := tmp_path / "kept").write_text(client.get_checkpoint().note)
        moved(client, 400, 400)
    seal(sealed)
    with opened(sealed) as client:
        check_server(client, kept)


def check_server(client: Client, kept: Path) -> None:
    """Audit a server whose book has two seals. ``kept`` is the checkpoint of the first."""
    place, key = ["--server", client.target, "--book", BOOK], client.get_log_key()
    ran = audited(*place, "--checkpoint", kept, "--key", key)
    assert (ran.code, ran.err) == (0, "")
    assert "a key that you trust" in ran.out
    assert ran.out.splitlines()[-1] == "NO DIFFERENCE: all that the events lead to is what the book says."
    found = json.loads(audited(*place, "--checkpoint", kept, "--output", "json").out)
    assert (found["difference"], found["origin"]) == (None, ORIGIN)
    assert int(found["seals"]) >= 2
    assert int(found["sealed_up_to"]) < int(found["events"])
    assert [each["trusted"] for each in found["checkpoints"]] == [False, False]
    other = SigningKey(bytes(range(32)))
    ran = audited(*place, "--key", str(log_key(other, ORIGIN)))
    assert (ran.code, "another key than the one you trust" in ran.err) == (4, True)
    note = sign_note(
        str(Checkpoint(ORIGIN, 5, bytes(32))), log_key(other, ORIGIN), lambda it: other.sign(it).signature
    )
    kept.write_text(str(note))
    ran = audited(*place, "--checkpoint", kept)
    assert (ran.code, "COULD_NOT_AUDIT" in ran.err) == (4, True)


def test_a_published_log_is_audited_without_a_server(sealed: Path, tmp_path: Path) -> None:
    """The entries are compared with the hashes that were published, and what lacks entries cannot be audited."""
    public = tmp_path / "public"
    with opened(sealed) as client:
        key = client.get_log_key()
        place = ["--server", client.target, "--book", BOOK, "--to", str(public)]
        assert pathbook("publish", *place).code == 0
        ran = audited("--published", public)
        assert (ran.code, "publish --entries" in ran.err) == (4, True)
        assert pathbook("publish", *place, "--entries").code == 0
    ran = audited("--published", public, "--key", key)
    assert (ran.code, ran.err) == (0, "")
    assert "a key that you trust" in ran.out
    assert "its own word" in audited("--published", public).out
    ran = audited("--published", public, "--key", str(log_key(SigningKey(bytes(range(32))), ORIGIN)))
    assert (ran.code, "COULD_NOT_AUDIT" in ran.err) == (4, True)
    bundle = public / "tile" / "entries" / "000"
    entries = bytearray(bundle.read_bytes())
    place_of_name = entries.index(b"acme")
    entries[place_of_name] ^= 1
    bundle.write_bytes(entries)
    ran = audited("--published", public, "--output", "json")
    assert ran.code == 1
    assert json.loads(ran.out)["difference"] == {
        "position": "2", "rule": "leaf", "found": "the entry is not the one whose hash was published",
    }  # fmt: skip
    assert audited("--published", public).out.startswith("DIFFERENCE at position 2, leaf: ")
    bundle.write_bytes(entries[:-1])
    assert audited("--published", public).code == 1
    (public / "checkpoint").write_text("pathbook/masks")
    assert audited("--published", public).code == 4
    assert audited("--published", sealed).code == 4
    assert audited("--published", tmp_path / "missing").code == 4


def test_books_are_audited_where_they_are(data: Path) -> None:
    """Without a server, the command opens the books itself. A book without a checkpoint has that said."""
    with opened(data) as client:
        begin(client)
    ran = audited("--data", data, "--book", BOOK)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["book", "events", "root", "seals", "checkpoint"]
    assert "no signature says that these are all events" in lines[4]
    assert ran.out.splitlines()[-1].startswith("NO DIFFERENCE")
    assert audited("--data", data, "--book", "other").code == 1
