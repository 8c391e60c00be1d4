"""`pathbook audit replay` over a server, over books that it opens itself, and over a published directory."""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from grpc import StatusCode
from nacl.signing import SigningKey

from pathbook.audit import sources
from pathbook.client import Client
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosign, cosigned_at
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note, sign_note
from pathbook.services.clock import now
from pathbook.services.log_key import LOG_KEY_FILE, read_log_key
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Storage
from pathbook.witness.key_file import WitnessKey, read_witness_key
from tests.cli.conftest import Ran, pathbook
from tests.proofs.prover import log_key
from tests.services.masks import BOOK, begin, boxes, moved, opened, refused, yuan

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


@pytest.fixture(scope="module")
def sealed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a book with some hops, which is sealed. It is copied, and never opened again."""
    data = tmp_path_factory.mktemp("sealed") / "data"
    with opened(data) as client:
        begin(client)
        for number in range(300):
            moved(client, number, number)
    seal(data)
    return data


@pytest.fixture
def sealed(sealed_once: Path, data: Path) -> Path:
    """The directory of a book with some hops, which is sealed."""
    return Path(shutil.copytree(sealed_once, data))


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


@contextlib.contextmanager
def knowing(data: Path, *cosigners: VerifierKey) -> Iterator[Client]:
    """Serve a directory with the keys of some who may cosign, and yield a client."""
    settings = Settings(data=data, listen="127.0.0.1:0", cosigners=cosigners)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        yield client


def test_an_auditor_cosigns_what_it_replayed(sealed: Path, tmp_path: Path) -> None:
    """The server keeps the cosignature, which counts for a policy as that of a witness. Nothing is cosigned twice."""
    key = tmp_path / "auditor.key"
    public = VerifierKey.parse(
        pathbook("witness", "key", "--to", str(key), "--name", "auditor.example").out.strip()
    )
    state = ["--state", str(tmp_path / "state"), "--cosign", str(key)]
    with knowing(sealed, public) as client:
        log, place = client.get_log_key(), ["--server", client.target, "--book", BOOK]
        ran = audited(*place, *state, "--key", log)
        assert ran.code == 0, ran
        assert "given to the server" in ran.out
        assert "the same at position" in ran.out
        note = client.get_checkpoint().note
        assert cosigned_at(parse_note(note.encode()), public) is not None
        (policy := tmp_path / "policy").write_text(f"log {log}\nwitness auditor {public}\nquorum auditor\n")
        found = json.loads(audited(*place, *state, "--policy", policy, "--output", "json").out)
        assert found["checkpoints"][0]["witnesses"] == ["auditor"]
        assert int(found["begun_after"]) == int(found["events"])
        assert found["given_to_server"] is True
        assert client.get_checkpoint().note == note, "the first cosignature of a key stays"
        check_refused_cosignatures(client, note, key)
        client.record_transfer(
            giver="acme", receiver="ann", units=boxes(900, 900), unit_price=yuan(150), request_id="more"
        )
    seal(sealed)
    with knowing(sealed) as client:
        place = ["--server", client.target, "--book", BOOK]
        ran = audited(*place, *state, "--key", log, "--cosigned", tmp_path / "cosigned")
        assert (ran.code, "WITNESS_UNKNOWN" in ran.err, "auditor.example" in ran.err) == (1, True, True)
        assert cosigned_at(parse_note((tmp_path / "cosigned").read_bytes()), public) is not None, (
            "kept all the same"
        )


def check_refused_cosignatures(client: Client, note: str, key: Path) -> None:
    """Only a valid line of a known key is taken, for a checkpoint that was signed."""
    size, auditor = client.get_checkpoint().size, read_witness_key(key)
    other = WitnessKey("auditor.example", bytes(32))
    parsed = parse_note(note.encode())
    for line, reason, code in (
        (str(cosign(parsed, other.verifier, 5, other.sign)), "WITNESS_UNKNOWN", StatusCode.PERMISSION_DENIED),
        (
            str(cosign(SignedNote("x\n1\nAA==\n", ()), auditor.verifier, 5, auditor.sign)),
            "COSIGNATURE_FALSE",
            StatusCode.INVALID_ARGUMENT,
        ),
        ("", "COSIGNATURE_MALFORMED", StatusCode.INVALID_ARGUMENT),
        ("- a b", "COSIGNATURE_MALFORMED", StatusCode.INVALID_ARGUMENT),
        (
            f"{parsed.signatures[0]}\n{parsed.signatures[0]}",
            "COSIGNATURE_MALFORMED",
            StatusCode.INVALID_ARGUMENT,
        ),
        ("\u2014 a " + "A" * 5_000, "COSIGNATURE_MALFORMED", StatusCode.INVALID_ARGUMENT),
        (str(parsed.signatures[0]), "WITNESS_UNKNOWN", StatusCode.PERMISSION_DENIED),
    ):
        with refused(reason, code):
            client.add_cosignature(size, line)
    true = str(cosign(parsed, auditor.verifier, 5, auditor.sign))
    with refused("CHECKPOINT_MISSING", StatusCode.NOT_FOUND):
        client.add_cosignature(size - 1, true)
    assert client.get_checkpoint().note == note
    assert client.add_cosignature(size, true) == "auditor.example"
    assert client.get_checkpoint().note == note, "nor does a second one replace it"


def test_a_directory_is_cosigned_into_a_file_or_to_standard_output(sealed: Path, tmp_path: Path) -> None:
    """The cosigned checkpoint is the published one with one line more. An edited log is not cosigned."""
    public, key = tmp_path / "public", tmp_path / "auditor.key"
    pathbook("witness", "key", "--to", str(key), "--name", "auditor.example")
    verifier = read_witness_key(key).verifier
    with opened(sealed) as client:
        log = client.get_log_key()
        assert (
            pathbook(
                "publish", "--server", client.target, "--book", BOOK, "--to", str(public), "--entries"
            ).code
            == 0
        )
    state = ["--state", str(tmp_path / "state"), "--cosign", str(key), "--key", log]
    ran = audited("--published", public, *state)
    assert ran.code == 0, ran
    shown = ran.out[ran.out.index(ORIGIN, ran.out.index("NO DIFFERENCE")) :]
    assert cosigned_at(parse_note(shown.encode()), verifier) is not None
    assert audited("--published", public, *state, "--cosigned", tmp_path / "note").code == 0
    written = (tmp_path / "note").read_text("utf-8")
    assert cosigned_at(parse_note(written.encode()), verifier) is not None
    published = (public / "checkpoint").read_text("utf-8")
    assert shown.startswith(published)
    assert written.startswith(published)
    size = int(published.split("\n")[1])
    root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    signer = read_log_key(sealed / LOG_KEY_FILE)
    forked = sign_note(f"{ORIGIN}\n{size}\n{root}\n", signer.verifier(ORIGIN), signer.sign)
    (public / "checkpoint").write_text(str(forked), "utf-8")
    assert audited("--published", public, *state).code == 1
    ran = audited("--published", public, "--state", tmp_path / "other", *state[2:])
    assert (ran.code, "checkpoint-root" in ran.out) == (1, True)


def test_an_interrupted_audit_goes_on(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it with 130 between two events, and the next one begins where it ended, with the same result."""
    public, state = tmp_path / "public", tmp_path / "state"
    with opened(sealed) as client:
        place = ["--server", client.target, "--book", BOOK, "--to", str(public), "--entries"]
        assert pathbook("publish", *place).code == 0
    whole = json.loads(audited("--published", public, "--output", "json").out)
    of_directory = sources.of_directory

    def interrupted(path: Path) -> sources.Source:
        source = of_directory(path)

        def events(after: int, through: int) -> Iterator[sources.Stored]:
            for number, stored in enumerate(source.events(after, through)):
                if number == 100:
                    os.kill(os.getpid(), signal.SIGINT)
                yield stored

        return source._replace(events=events)

    with monkeypatch.context() as patched:
        patched.setattr(sources, "of_directory", interrupted)
        ran = audited("--published", public, "--state", state)
        assert (ran.code, ran.out) == (130, ""), ran
    found = json.loads(audited("--published", public, "--state", state, "--output", "json").out)
    assert found.pop("begun_after") == "101"
    assert whole.pop("begun_after") == "0"
    assert found == whole


def test_what_cosigning_needs_is_said(sealed: Path, tmp_path: Path) -> None:
    """A key without a state or a trusted log, and a state of another book, are refused before anything is signed."""
    key = tmp_path / "auditor.key"
    pathbook("witness", "key", "--to", str(key), "--name", "auditor.example")
    with opened(sealed) as client:
        place, log = ["--server", client.target, "--book", BOOK], client.get_log_key()
        needs: tuple[tuple[list[str | Path], str], ...] = (
            (["--cosign", key], "--cosign needs --state DIR"),
            (["--cosign", key, "--state", tmp_path / "s"], "--cosign needs a key of the log"),
            (["--cosigned", tmp_path / "note"], "Give --cosign, too"),
        )
        for more, part in needs:
            ran = audited(*place, *more)
            assert (ran.code, part in ran.err) == (2, True), ran
        key.write_text("x")
        ran = audited(*place, "--cosign", key, "--state", tmp_path / "s", "--key", log)
        assert (ran.code, "WITNESS_KEY_UNUSABLE" in ran.err) == (4, True)
        assert audited(*place, "--state", tmp_path / "s").code == 0
        with Client(client.target, book="other", retry_seconds=0) as other:
            other.open_book()
        ran = audited("--server", client.target, "--book", "other", "--state", tmp_path / "s")
        assert (ran.code, "AUDIT_STATE_OF_OTHER_BOOK" in ran.err) == (4, True)
