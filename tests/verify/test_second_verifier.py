"""The second verifier, in JavaScript and of WebCrypto alone, agrees with the first on good and on changed proofs."""

import base64
import json
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.ledger.values import Unit
from pathbook.v1 import events_pb2
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Verdict
from tests.proofs.prover import Ledger
from tests.verify.attacking import ATTACKS, FILE, HONEST, NOTE, NOW, STORY, Attempt, ask, printed
from tests.verify.attacks import MODULES
from tests.verify.test_proofs import STORIES
from tests.verify.written_paths import MASKS

NODE: Final = shutil.which("node")
VERIFIER: Final = Path(__file__).resolve().parents[2] / "clients" / "web" / "verify.mjs"
JUDGE: Final = Path(__file__).with_name("judge.mjs")
MOST_BYTES: Final = 16 * 1024
"""How large the verifier is at most. Compressed, as a web site sends it, it has some 6 KB."""

FLIPS: Final = 1_500
"""How many bits are flipped for both verifiers. Python alone flips all of them."""

RULES: Final = ("an authority that no chain gives", "a path that no book would have recorded")
"""Attacks by the operator that break rules of a book, of which the second verifier follows only the owner."""

needs_node = pytest.mark.skipif(NODE is None, reason="node is not there: the second verifier was not tried.")


def keys_of(trust: Trust) -> list[str]:
    """Return the keys of logs and of witnesses that a caller trusts."""
    return [str(key) for key in (*trust.logs, *trust.policy.witnesses.values())]


def judged(attempts: Iterable[Attempt]) -> list[str]:
    """Return the verdicts of the second verifier."""
    lines = []
    for attempt in attempts:
        needed = next((group.needed for group in attempt.trust.policy.groups.values()), 0)
        age = attempt.trust.max_age
        options = {
            "unit": f"{attempt.unit.batch}:{attempt.unit.number}",
            "quorum": needed,
            "now": (NOW.moment + attempt.later) // 1_000,
            "today": NOW.today.isoformat(),
            **({} if age is None else {"maxAge": age // 3_600_000_000}),
        }
        file = base64.b64encode(attempt.data).decode()
        lines.append(json.dumps({"file": file, "keys": keys_of(attempt.trust), "options": options}))
    assert NODE is not None
    ran = subprocess.run(
        [NODE, str(JUDGE), str(VERIFIER)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = ran.stdout.splitlines()
    assert len(found) == len(lines)
    return found


def word(attempt: Attempt) -> str:
    """Return the verdict of the first verifier. A proof whose unit is another one is refuted."""
    return ask(attempt).verdict.word


@needs_node
@pytest.mark.parametrize("name", STORIES)
def test_both_agree_on_every_unit_of_an_honest_book(name: str) -> None:
    """Good proofs have the same verdict, with and without the chains of parties."""
    book = Ledger(MASKS + STORIES[name]).append_seal()
    attempts = [
        Attempt(printed(book.prove(*unit, parties)), Unit(*unit), later=2 * 86_400_000_000)
        for unit in book.units
        for parties in (None, ())
    ]
    assert judged(attempts) == [word(attempt) for attempt in attempts]


@needs_node
@pytest.mark.parametrize("name", [name for name in ATTACKS if "bit" not in name and not name.endswith(RULES)])
def test_both_agree_on_every_attack(name: str) -> None:
    """A changed proof has the same verdict."""
    assert MODULES
    attempts = list(ATTACKS[name]())
    expected = [word(attempt) for attempt in attempts]
    found = judged(attempts)
    assert [
        (place, first, second)
        for place, (first, second) in enumerate(zip(expected, found, strict=True))
        if first != second
    ] == []


@needs_node
def test_both_agree_on_flipped_bits() -> None:
    """Some bits of a proof are flipped for both."""
    chosen = random.Random(1)
    attempts = [Attempt(FILE)]
    for _ in range(FLIPS):
        place, bit = chosen.randrange(len(FILE)), chosen.randrange(8)
        attempts.append(Attempt(FILE[:place] + bytes([FILE[place] ^ 1 << bit]) + FILE[place + 1 :]))
    assert judged(attempts) == [word(attempt) for attempt in attempts]


@needs_node
def test_both_could_not_check_a_newer_event() -> None:
    """A kind of event that neither knows is no contradiction."""
    changed = Ledger(STORY)
    position, data = changed.units[1, 0][1]
    newer = events_pb2.Event.FromString(data)
    newer.ClearField("transfer_recorded")
    changed.units[1, 0][1] = StoredEvent(position, newer.SerializeToString() + b"\x9a\x06\x00")  # field 99
    attempts = [Attempt(printed(changed.append_seal().prove())), Attempt(printed(changed.prove(note=NOTE)))]
    assert judged(attempts) == ["could not check", "proof refuted"] == [word(attempt) for attempt in attempts]


@needs_node
def test_the_second_verifier_is_a_program(tmp_path: Path) -> None:
    """On the command line it prints its verdict, and its exit code is that of the verb."""
    path = str(tmp_path / "unit.tlog-proof")
    Path(path).write_bytes(printed(HONEST.prove()))
    assert NODE is not None
    command = [NODE, str(VERIFIER), path, *keys_of(Attempt(FILE).trust), "unit=1:0", "today=2026-01-01"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.split("\n")[0]) == (0, "verdict: verified"), ran
    refuted = subprocess.run([*command, "unit=1:1"], capture_output=True, text=True, timeout=60, check=False)
    assert (refuted.returncode, refuted.stdout.split("\n")[0]) == (1, "verdict: proof refuted"), refuted
    untrusted = subprocess.run(
        [NODE, str(VERIFIER), path], capture_output=True, text=True, timeout=60, check=False
    )
    assert untrusted.returncode == 4
    assert Verdict.COULD_NOT_CHECK.word in untrusted.stdout


def test_the_second_verifier_is_small_and_depends_on_nothing() -> None:
    """It fits a page of a web site, and imports nothing but a module of Node on the command line."""
    text = VERIFIER.read_text("utf-8")
    assert len(text.encode()) <= MOST_BYTES
    assert [line for line in text.splitlines() if line.startswith("import ")] == []
