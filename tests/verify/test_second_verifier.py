"""The second verifier, in JavaScript and of WebCrypto alone, agrees with the first on good and on changed proofs."""

import base64
import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import pytest

from pathbook.ledger import events
from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.ledger.values import Unit
from pathbook.v1 import events_pb2
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Verdict
from tests.examples import examples
from tests.proofs.prover import Ledger
from tests.scenario import NOON
from tests.verify import signed_attacks
from tests.verify.attacking import (
    ATTACKS,
    FILE,
    HONEST,
    NOTE,
    NOW,
    STORY,
    TRUST,
    Attempt,
    ask,
    printed,
    with_recorded,
)
from tests.verify.attacks import MODULES
from tests.verify.signed_story import SigningStory, begun
from tests.verify.test_proofs import STORIES
from tests.verify.written_paths import MASKS

NODE: Final = shutil.which("node")
VERIFIER: Final = Path(__file__).resolve().parents[2] / "clients" / "web" / "verify.mjs"
JUDGE: Final = Path(__file__).with_name("judge.mjs")
MOST_BYTES: Final = 12 * 1024
"""How large the verifier is at most as a web site sends it, compressed with Brotli. ARCHITECTURE.md says why."""

LONGEST_LINE: Final = 170
"""The most columns of a line of the verifier, which people should be able to read."""

FLIPS: Final = examples(100, 500)
"""How many bits are flipped for both verifiers. Python alone flips all of them."""

TRIED: Final = examples(150, 2_000)
"""How many proofs of an attack both verifiers judge at most. Python alone judges all of them."""

FLIPPED: Final = "each bit of a signature flipped, and a bit of each byte of its statement, by the operator"

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
            "signatures": attempt.signatures,
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


def some(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return attempts from all parts of an attack, at most TRIED of them."""
    found = list(attempts)
    return found[:: 1 + len(found) // TRIED]


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
@pytest.mark.parametrize("must_sign", [pytest.param(False, marks=pytest.mark.heavy), True])
@pytest.mark.parametrize("name", STORIES)
def test_both_agree_on_every_unit_of_a_book_whose_parties_sign(name: str, must_sign: bool) -> None:
    """Each kind of statement is compared with its event by both, and both count signatures alike."""
    book = Ledger(SigningStory(MASKS + STORIES[name], must_sign=must_sign)).append_seal()
    moment = book.recorded[-1].recorded_at
    attempts = [
        Attempt(printed(book.prove(*unit, parties)), Unit(*unit), later=moment - NOON, signatures=count)
        for unit in book.units
        for parties in (None, ("", "acme"))
        for count in (0, 1, 2)
    ]
    found = judged(attempts)
    assert found == [word(attempt) for attempt in attempts]
    assert Verdict.VERIFIED.word in found


@needs_node
def test_both_count_the_signatures_of_each_hop() -> None:
    """Single and filed statements, offers that were accepted, reports of both sides, quantities and sales."""
    attempts = [
        Attempt(printed(signed_attacks.HONEST.prove(*unit)), Unit(*unit), signatures=count)
        for unit in signed_attacks.HONEST.units
        for count in (0, 1, 2)
    ]
    assert judged(attempts) == [word(attempt) for attempt in attempts]


@needs_node
@pytest.mark.parametrize("name", [name for name in ATTACKS if "bit" not in name and not name.endswith(RULES)])
def test_both_agree_on_every_attack(name: str) -> None:
    """A changed proof has the same verdict."""
    assert MODULES
    attempts = some(ATTACKS[name]())
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
    attempts = [Attempt(FILE), Attempt(signed_attacks.FILE)]
    for number in range(FLIPS):
        file = (FILE, signed_attacks.FILE)[number % 2]
        place, bit = chosen.randrange(len(file)), chosen.randrange(8)
        attempts.append(Attempt(file[:place] + bytes([file[place] ^ 1 << bit]) + file[place + 1 :]))
    attempts += some(ATTACKS[FLIPPED]())
    assert judged(attempts) == [word(attempt) for attempt in attempts]


@needs_node
def test_a_signed_hop_is_not_undone_by_the_word_of_the_operator() -> None:
    """Who demands signatures demands them of a return, too, unless the receiver had not signed what is returned."""
    found = []
    accepted = "offer 1:0 acme > ann at 15000 as o\naccept o by ann"
    for hop, is_signed in (
        (accepted, True),
        (accepted, False),
        ("record 1:0 acme > ann at 15000", False),
    ):
        story = begun()
        story.tell(hop)
        if not is_signed:
            story.silence("ann")
        story.tell("return 1:0 by ann")
        file = printed(Ledger(story).append_seal().prove())
        found.append(judged([Attempt(file, signatures=count) for count in (0, 1)]))
    assert found == [
        ["verified", "verified"],
        ["verified", "verified, against policy"],
        ["verified", "verified"],
    ]


HOPS: Final = {
    "both": "offer 1:0 acme > ann at 15000 as h\naccept h by ann",
    "giver": "record 1:0 acme > ann at 15000 as h",
    "report": "record 1:0 acme > ann at 15000 ref d as h\nrecord 1:0 acme > ann at 15000 ref d reported by ann",
}
UNDOINGS: Final = {
    "returned": "return 1:0 by ann",
    "reversed as ann asked": "reverse h by ann\nreverse h by acme",
    "reversed as acme asked": "reverse h by acme\nreverse h by ann",
    "kept, and an error corrected": "write off 1:0 by ann as damaged as w\ndeclare w an error by ann",
    "sold, and returned": "sell 1:0 ann > wei at 29900\nreturn 1:0 by consumer:wei",
}


@needs_node
@pytest.mark.parametrize("silent", ["", "ann", "acme"])
def test_both_agree_on_what_undid_a_hop(silent: str) -> None:
    """Returned, reversed and corrected hops, each with the signatures of both, or without those of one of them."""
    attempts = []
    for hop, undoing in itertools.product(HOPS.values(), UNDOINGS.values()):
        story = begun()
        story.tell(hop)
        if silent:
            story.silence(silent)
        story.tell(undoing)
        file = printed(Ledger(story).append_seal().prove())
        attempts += [Attempt(file, signatures=count) for count in (0, 1, 2)]
    expected = [word(attempt) for attempt in attempts]
    assert judged(attempts) == expected
    assert {Verdict.VERIFIED.word, Verdict.AGAINST_POLICY.word} == set(expected)


@needs_node
def test_both_agree_on_a_revocation_without_a_time() -> None:
    """It ends an authorization at once, or when it would begin, and at no other time."""
    attempts = []
    for begins in ("", " from 2026-05-01"):
        story = begun()
        story.tell(
            f"authorize cat tier 1 by acme{begins} as g\nrevoke g by acme\nrecord 1:0 acme > cat at 15000"
        )
        item = story.recorded[story.names["g"]]
        assert isinstance(item.event, events.AuthorizationRevoked)
        for later in (0, -1, 1, 86_400_000_000):
            end = msgspec.structs.replace(item.event, revoked_from=item.event.revoked_from + later)
            changed = with_recorded(Ledger(story), msgspec.structs.replace(item, event=end))
            attempts.append(Attempt(printed(changed.append_seal().prove())))
    expected = [word(attempt) for attempt in attempts]
    assert judged(attempts) == expected
    assert expected == [Verdict.VERIFIED.word, *[Verdict.PATH_CONTRADICTED.word] * 3] * 2


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


@needs_node
@pytest.mark.skipif(
    subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="the network cannot be taken away here",
)
def test_both_verify_a_file_without_any_network(tmp_path: Path) -> None:
    """The file is all that they need: a process without a network device says that it is verified."""
    path, (key, *_) = tmp_path / "unit.tlog-proof", keys_of(TRUST)
    path.write_bytes(FILE)
    first = "from pathbook.cli.main import main; main()"
    for command in (
        [str(NODE), str(VERIFIER), str(path), key, "unit=1:0", "today=2026-01-01"],
        [sys.executable, "-c", first, "verify", "--proof", str(path), "--key", key, "--today", "2026-01-01"],
    ):
        ran = subprocess.run(
            ["unshare", "-rn", *command], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.returncode, "verified" in ran.stdout) == (0, True), ran


@needs_node
def test_the_second_verifier_is_small_and_depends_on_nothing() -> None:
    """It fits a page of a web site, and imports nothing but a module of Node on the command line."""
    assert NODE is not None
    compress = (
        "process.stdout.write(`${require('zlib').brotliCompressSync(require('fs').readFileSync(0)).length}`)"
    )
    ran = subprocess.run(
        [NODE, "-e", compress], input=VERIFIER.read_bytes(), capture_output=True, timeout=60, check=True
    )
    assert int(ran.stdout) <= MOST_BYTES
    lines = VERIFIER.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("import ")] == []
    assert max(map(len, lines)) <= LONGEST_LINE
