"""What a witness cosigned is kept before it is said, through races, kills, damage and a clock that goes back."""

import contextlib
import http.client
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import parse_note
from pathbook.ledger.proofs.submission import SIZE_TYPE
from pathbook.witness.key_file import WitnessKey, make_witness_key
from pathbook.witness.state import State, StateError
from tests.services.forking import PipedFork
from tests.witness.logs import (
    FORK,
    KEY,
    LOG,
    NOON,
    Clock,
    Reply,
    Served,
    time_of,
    witness,
)


def test_submissions_at_once_roll_nothing_back(served: Served) -> None:
    """Of all submissions from one old size, one is cosigned. The sizes of cosigned checkpoints only grow."""
    old = 0
    for turn in range(6):
        sizes = [old + 1 + number for number in range(8)]
        gate = threading.Barrier(len(sizes))

        def submit(size: int, old: int = old, gate: threading.Barrier = gate) -> Reply:
            body = LOG.submission(old, size)
            gate.wait()
            return served.post(body)

        with ThreadPoolExecutor(len(sizes)) as threads:
            replies = dict(zip(sizes, threads.map(submit, sizes), strict=True))
        (won,) = [size for size, reply in replies.items() if reply.status == 200]
        assert {reply.text for reply in replies.values() if reply.status != 200} == {f"{won}\n"}, turn
        old = won


def test_what_was_cosigned_is_remembered_after_a_restart(tmp_path: Path) -> None:
    """A witness begins where it ended, and its times never go back, even if its clock does."""
    clock = Clock()
    with witness(tmp_path / "state", [LOG.key], clock=clock) as served:
        served.add(LOG, 0, 5)
    clock.now = NOON - 1_000
    with witness(tmp_path / "state", [LOG.key], clock=clock) as served:
        assert served.add(FORK, 0, 7) == Reply(409, SIZE_TYPE, "5\n")
        assert served.add(FORK, 5, 5).status == 409
        assert time_of(LOG, 5, served.add(LOG, 5, 5)) == NOON
        assert time_of(LOG, 8, served.add(LOG, 5, 8)) == NOON
        clock.now = NOON + 7
        assert time_of(LOG, 8, served.add(LOG, 8, 8)) == NOON + 7
        clock.now = NOON
        assert time_of(LOG, 8, served.add(LOG, 8, 8)) == NOON + 7


def test_a_state_is_of_one_witness_and_one_process(tmp_path: Path) -> None:
    """A second process, another key, and a damaged file are refused by name."""
    path = tmp_path / "state"
    with witness(path, [LOG.key]) as served:
        served.add(LOG, 0, 5)
        with pytest.raises(StateError) as error:
            State(path, KEY.verifier, [])
        assert error.value.reason == "STATE_IN_USE"
    (file,) = path.glob("*.checkpoint")
    with pytest.raises(StateError) as error:
        State(path, WitnessKey(KEY.verifier.name, b"\2" * 32).verifier, [LOG.key.name])
    assert error.value.reason == "STATE_DAMAGED"
    text = file.read_text()
    for changed in ("", text[:-9], text.replace("\n5\n", "\n4\n"), str(LOG.note(5))):
        file.write_text(changed)
        with pytest.raises(StateError) as error:
            State(path, KEY.verifier, [LOG.key.name])
        assert error.value.reason == "STATE_DAMAGED"
    file.write_text(text)
    State(path, KEY.verifier, [LOG.key.name]).close()


def test_a_state_that_cannot_be_kept_is_no_cosignature(tmp_path: Path) -> None:
    """If the disk fails, the answer is 500 without a cosignature, and the latest checkpoint stays."""
    path = tmp_path / "state"
    with witness(path, [LOG.key]) as served:
        assert served.add(LOG, 0, 3).status == 200
        (file,) = path.glob("*.checkpoint")
        (path / f"{file.name}.new").mkdir()  # in the way of the next file
        reply = served.add(LOG, 3, 5)
        assert (reply.status, "\u2014" in reply.text) == (500, False)
        assert len(served.told) == 1
        (path / f"{file.name}.new").rmdir()
        assert served.add(LOG, 4, 5) == Reply(409, SIZE_TYPE, "3\n")


KILLED = """\
import os, signal, sys
from pathlib import Path
from pathbook.witness.state import State
from pathbook.witness.witness import Witness, logs_of
from pathbook.witness.server import serving
from tests.witness.logs import KEY, Clock, Log

class Killed(State):
    def keep(self, checkpoint, note):
        if sys.argv[2] == "after":
            super().keep(checkpoint, note)
        if checkpoint.size == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        super().keep(checkpoint, note)

known = logs_of([Log().key])
state = Killed(Path(sys.argv[1]), KEY.verifier, known)
with serving("127.0.0.1:0", Witness(KEY, known, state, Clock(), print).add_checkpoint, print) as address:
    print(address, flush=True)
    signal.pause()
"""
"""A witness that is killed before it keeps a checkpoint of size 5, or after that and before it answers."""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_between_keeping_and_answering_contradicts_nothing(tmp_path: Path, moment: str) -> None:
    """No cosignature leaves a witness that is killed there, and the next one knows what was kept."""
    with PipedFork(str(tmp_path / "state"), moment, program=KILLED) as process:
        served = Served(process.stdout.readline().strip(), Clock(), [])
        assert served.add(LOG, 0, 3).status == 200
        with pytest.raises((OSError, ConnectionError)):
            served.add(LOG, 3, 5)
        assert process.wait(20) == -signal.SIGKILL
    with witness(tmp_path / "state", [LOG.key]) as served:
        if moment == "after":
            assert served.add(FORK, 3, 5) == Reply(409, SIZE_TYPE, "5\n")
            assert served.add(FORK, 5, 5).status == 409
            assert served.add(LOG, 3, 5) == Reply(409, SIZE_TYPE, "5\n")
            assert served.add(LOG, 5, 5).status == 200
        else:
            assert served.add(FORK, 3, 5).status == 422
            assert served.add(LOG, 3, 5).status == 200


def test_a_witness_that_is_killed_at_random_moments_is_one_witness(tmp_path: Path) -> None:
    """All cosignatures that left it, over many kills of the command, are of one history, with times that grow."""
    key, logs = tmp_path / "w.key", tmp_path / "logs"
    made = make_witness_key(key, "witness.example/w2")
    logs.write_text(f"log {LOG.key}\nquorum none\n")
    line = ("witness", "serve", "--listen", "127.0.0.1:0", "--key", str(key), "--logs", str(logs))
    given_out: list[tuple[int, int]] = []
    old, forked = 0, list[int]()
    for turn in range(8):
        with PipedFork(*line, "--state", str(tmp_path / "state")) as process:
            address = process.stdout.readline().split()[-1]
            timer = threading.Timer(0.02 + 0.011 * turn, process.kill)
            timer.start()
            served = Served(address, Clock(), [])
            with contextlib.suppress(OSError, http.client.HTTPException):
                while True:
                    reply = served.add(LOG, old, old + 3)
                    if reply.status == 409:
                        old = int(reply.text)
                        reply = served.add(LOG, old, old + 3)
                    assert reply.status == 200
                    given_out.append((old + 3, time_of(LOG, old + 3, reply, made)))
                    old += 3
                    forked.append(served.add(FORK, old, old).status)
            timer.join()
    assert set(forked) == {409}
    assert given_out == sorted(given_out)
    assert [time for _, time in given_out] == sorted(time for _, time in given_out)
    assert len(given_out) > 8
    assert len({size for size, _ in given_out}) == len(given_out)
    (file,) = (tmp_path / "state").glob("*.checkpoint")
    note = parse_note(file.read_bytes())
    assert Checkpoint.parse(note.text) == LOG.checkpoint(Checkpoint.parse(note.text).size)
    assert Checkpoint.parse(note.text).size >= given_out[-1][0]
