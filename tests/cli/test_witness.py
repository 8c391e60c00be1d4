"""The verbs of a witness, and a server that asks one, as their operators run them."""

import contextlib
import json
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from pathbook.client import Client
from pathbook.ledger.proofs.cosignature import cosigned_at
from pathbook.ledger.proofs.signed_note import COSIGNATURE, VerifierKey, parse_note
from pathbook.services.log_key import LOG_KEY_FILE, read_log_key
from pathbook.v1.values_pb2 import PARTY_KIND_SHOP
from tests.cli.conftest import pathbook
from tests.witness.logs import Clock, Log, Served


@contextlib.contextmanager
def running(*line: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a verb in a process of its own. Yield it, and the last word of its first line on stdout."""
    with subprocess.Popen(
        [sys.executable, "-m", "pathbook", *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, text(process.stdout).readline().split()[-1]
        finally:
            process.terminate()
            assert process.wait(30) == 0


def text(stream: IO[str] | None) -> IO[str]:
    """Return a stream that is there."""
    assert stream is not None
    return stream


def test_a_key_is_made_and_its_public_key_printed(tmp_path: Path) -> None:
    """The public key is all that is printed. There is never a second key in a file."""
    made = pathbook("witness", "key", "--to", str(tmp_path / "a"), "--name", "w.example/1")
    assert made.code == 0
    key = VerifierKey.parse(made.out.strip())
    assert (key.name, key.type) == ("w.example/1", COSIGNATURE)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    again = pathbook(
        "witness", "key", "--to", str(tmp_path / "a"), "--name", "w.example/1", "--output", "json"
    )
    assert json.loads(again.err)["error"]["reason"] == "FILE_EXISTS"
    other = pathbook(
        "witness", "key", "--to", str(tmp_path / "b"), "--name", "w.example/1", "--output", "json"
    )
    assert VerifierKey.parse(str(other.json()["key"])) != key
    refused = pathbook("witness", "key", "--to", str(tmp_path / "c"), "--name", "two words")
    assert (refused.code, "--name" in refused.err, (tmp_path / "c").exists()) == (2, True, False)


def test_what_a_witness_cannot_run_with_is_named(tmp_path: Path) -> None:
    """No logs, a malformed file, a damaged key, a state in use, and a taken address each have a sentence."""
    log, key, logs, state = Log(), tmp_path / "key", tmp_path / "logs", tmp_path / "state"
    pathbook("witness", "key", "--to", str(key), "--name", "w")
    line = ["witness", "serve", "--key", str(key), "--logs", str(logs), "--state", str(state)]
    assert pathbook(*line).code == 4
    for written, said in (("quorum none\n", "names no log"), ("log x\n", "Line 1")):
        logs.write_text(written)
        ran = pathbook(*line)
        assert (ran.code, said in ran.err) == (2, True), ran
    logs.write_text(f"log {log.key}\nquorum none\n")
    with running(*line, "--listen", "127.0.0.1:0") as (process, address):
        second = pathbook(*line, "--listen", "127.0.0.1:0")
        assert "STATE_IN_USE" in second.err
        taken = pathbook(*line[:-1], str(tmp_path / "other"), "--listen", address)
        assert (taken.code, f"Cannot listen on {address}" in taken.err) == (4, True)
        served = Served(address, Clock(), [])
        assert served.add(log, 0, 5).status == 200
        assert served.add(Log("tale"), 5, 5).status == 409
        assert f"The log {log.key.name} signed two histories" in text(process.stderr).readline()
    assert pathbook(*line[:-1], str(state), "--listen", "127.0.0.1:x").code == 2
    pathbook("witness", "key", "--to", str(tmp_path / "key2"), "--name", "w")
    other = pathbook(*line[:3], str(tmp_path / "key2"), *line[4:], "--listen", "127.0.0.1:0")
    assert "STATE_DAMAGED" in other.err
    key.write_text("x")
    assert "WITNESS_KEY_UNUSABLE" in pathbook(*line).err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_asks_the_witness_that_it_is_told_of(demo: Path, tmp_path: Path, workers: str) -> None:
    """`serve --witnesses FILE` has what is signed beside it cosigned, and gives it out, with one process or more."""
    data = shutil.copytree(demo, tmp_path / "books")
    books = ("--data", str(data), "--listen", "127.0.0.1:0", "--workers", workers)
    log = read_log_key(data / LOG_KEY_FILE).verifier("pathbook/book")
    key = VerifierKey.parse(
        pathbook("witness", "key", "--to", str(tmp_path / "key"), "--name", "w").out.strip()
    )
    (tmp_path / "logs").write_text(f"log {log}\nquorum none\n")
    paths = (
        "--key",
        str(tmp_path / "key"),
        "--logs",
        str(tmp_path / "logs"),
        "--state",
        str(tmp_path / "state"),
    )
    (tmp_path / "witnesses").write_text("quorum none\n")
    refused = pathbook("serve", *books, "--witnesses", str(tmp_path / "witnesses"))
    assert (refused.code, "names no witness" in refused.err) == (2, True)
    with running("witness", "serve", *paths, "--listen", "127.0.0.1:0") as (_, at):
        (tmp_path / "witnesses").write_text(f"witness w {key} http://{at}\nquorum w\n")
        with (
            running("serve", "--open", *books, "--witnesses", str(tmp_path / "witnesses")) as (_, address),
            Client(address, book="book", retry_seconds=5) as client,
        ):
            client.register_party("shop-9", PARTY_KIND_SHOP)  # the server seals and signs soon after
            due = time.monotonic() + 20
            while cosigned_at(parse_note(client.get_checkpoint().note.encode()), key) is None:
                assert time.monotonic() < due
                time.sleep(0.05)
