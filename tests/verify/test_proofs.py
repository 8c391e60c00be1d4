"""Proofs of honest books are verified, and a report says what they prove, who vouches for it, and what is not known."""

import datetime
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest

from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.ledger.serials import print_serial
from pathbook.v1 import events_pb2
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.guards import Guard
from pathbook.verify.proof import Now, check_proof
from pathbook.verify.proven_path import as_message
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Number, Policy, Report, Result, Verdict
from tests.proofs.prover import OTHER_LOG, Ledger, log_key, policy_text
from tests.scenario import DAY, NOON
from tests.verify.attacking import FILE, GENUINE, HONEST, NOW, STORY, TRUST, printed
from tests.verify.written_paths import KEY, MASKS, found

STORIES: Final = {
    "nothing moved yet": "",
    "transfers and a sale": """
        record 1:0-4 acme > ann at 15000
        offer 1:0 ann > ben at 18000 as o
        accept o by ben
        record 1:0 ben > cat at 21000
        sell 1:0 cat > wei at 29900
        confirm 1:0 by wei at 29900
    """,
    "a return and a reversal": """
        record 1:0-9 acme > ann at 15000 as a
        record 1:5-9 ann > ben at 15000
        return 1:5-9 by ben
        reverse a by ann
        reverse a by acme
    """,
    "recalls, of which one was lifted": """
        recall batch 1 units 1:2-3 by acme as r
        lift r by acme
        recall batch 1 units 1:9 by acme
        correct batch 1 expires 2026-12-31 by acme
    """,
    "an authorization that ended": """
        record 1:0-9 acme > ann at 15000
        authorize cat tier 3 by ben as c
        today is 2026-01-02
        record 1:0-9 ann > ben at 15000 on 2026-01-01
        revoke c by ben from 2026-01-02
        record 1:0-3 ben > cat at 16000 on 2026-01-01
        record 1:4-9 ben > cat at 16000
        correct party cat to agent
    """,
    "losses and declarations": """
        record 1:0-9 acme > ann at 15000
        write off 1:0-4 by ann as lost as w
        declare w an error by ann
        write off 1:3 by ann as damaged
    """,
    "several batches and products": """
        product balm 20000 CNY of acme
        batch B1 of balm size 3 made 2025-12-01 by acme
        batch L2 of mask size 6 made 2025-12-01 by acme
        authorize cat tier 1 by acme for balm
        record 1:0-1, 2:0-1, 3:1-2 acme > ann at 15000
        record 1:0, 2:0 ann > cat at 15000
        sell 2:0 cat > wei at 29900
    """,
}


def check(
    data: bytes, code: PrintedCode | None = None, trust: Trust = TRUST, policy: Policy | None = None
) -> Report:
    """Check a proof file a day after the stories begin."""
    now = Now(NOON + 2 * DAY, datetime.date(2026, 1, 3))
    return check_proof(
        data, code, Trust(trust.keys, trust.policy), now, policy or Policy(allow_recalled=True)
    )[0]


@pytest.mark.parametrize("name", STORIES)
def test_the_proof_of_every_unit_of_an_honest_book_is_verified(name: str) -> None:
    """With all chains, without any, and with the code on the label, nothing contradicts."""
    book = Ledger(MASKS + STORIES[name]).append_seal()
    for batch, number in book.units:
        code = read_code(print_serial(KEY, "book", batch, number))
        assert isinstance(code, PrintedCode)
        for parties in (None, ()):
            report = check(printed(book.prove(batch, number, parties)), code)
            written_off = "written off" in found(report, Number.RECALL).detail
            assert report.verdict is (Verdict.AGAINST_POLICY if written_off else Verdict.VERIFIED), report
            assert found(report, Number.PROOFS).result is Result.OK


def test_a_verified_proof_says_until_when_the_path_is_complete() -> None:
    """The sentence of the verdict has the position and the time that the seal covers."""
    report = check(FILE)
    assert report.sentence == (
        "the path holds. It is sealed, and complete up to position 16 of 2026-01-01 12:00:00 (UTC)."
    )
    assert found(report, Number.PROOFS).detail == (
        "sealed in masks.example/book at size 17, covers position 16 of 2026-01-01 12:00:00 (UTC);"
        " cosigned by 2 witnesses: w1, w2"
    )


def test_a_proof_that_no_known_key_vouches_for_is_not_verified() -> None:
    """Anyone can make a file that agrees with itself. The report says so, and shows the key to compare."""
    report = check(FILE, trust=Trust())
    assert report.verdict is Verdict.COULD_NOT_CHECK
    assert "no key of its log is trusted" in report.sentence
    assert found(report, Number.PROOFS).result is Result.NOT_CHECKED
    assert found(report, Number.PROOFS).detail.endswith(
        f"the key of the log is the file's own word, {log_key()}"
    )


def test_a_key_without_a_policy_is_enough_and_no_witness_is_said() -> None:
    """A caller who knows the key of the log need not know witnesses."""
    report = check(FILE, trust=Trust(keys=(log_key(),)))
    assert report.verdict is Verdict.VERIFIED
    assert found(report, Number.PROOFS).detail.endswith("cosigned by no known witness")


def test_a_proof_of_a_log_that_the_caller_does_not_name_could_not_be_checked() -> None:
    """Another log is no contradiction, but nothing is known of it."""
    report = check(FILE, trust=Trust(keys=(log_key(origin="other.example/book"),)))
    assert report.verdict is Verdict.COULD_NOT_CHECK
    assert found(report, Number.PROOFS).detail == "you trust no log masks.example/book"


def test_a_changed_key_of_a_log_is_refuted() -> None:
    """A caller who knows another key of that log is told so."""
    report = check(FILE, trust=Trust(keys=(log_key(OTHER_LOG),)))
    assert report.verdict is Verdict.PROOF_REFUTED
    assert "another key than the one you trust" in found(report, Number.PROOFS).detail


@pytest.mark.parametrize(("names", "kept"), [(("w1", "w2"), True), (("w1",), False), ((), False)])
def test_a_policy_demands_its_witnesses(names: tuple[str, ...], kept: bool) -> None:
    """Without the quorum, the path is verified, but not as the policy of the caller demands."""
    report = check(printed(HONEST.prove(note=HONEST.checkpoint(witnesses=names))))
    assert report.verdict is (Verdict.VERIFIED if kept else Verdict.AGAINST_POLICY)
    assert kept or "demands more witnesses" in found(report, Number.PROOFS).detail


def test_a_seal_that_is_too_old_is_against_the_policy_of_the_caller() -> None:
    """The age counts from the time of the covered position."""
    trust = Trust(policy=TRUST.policy, max_age=DAY)
    report, _ = check_proof(FILE, None, trust, Now(NOON + DAY, NOW.today), Policy())
    assert report.verdict is Verdict.VERIFIED
    report, _ = check_proof(FILE, None, trust, Now(NOON + DAY + 1, NOW.today), Policy())
    assert report.verdict is Verdict.AGAINST_POLICY
    assert "older than you allow: 1 day" in found(report, Number.PROOFS).detail


def test_a_code_of_another_unit_is_refuted() -> None:
    """A genuine proof of another unit proves nothing of this one."""
    code = read_code(print_serial(KEY, "book", 1, 1))
    assert isinstance(code, PrintedCode)
    report = check(FILE, code)
    assert report.verdict is Verdict.PROOF_REFUTED
    assert (
        "the proof is of unit 0 of batch 1, but the code names unit 1" in found(report, Number.PROOFS).detail
    )


@pytest.mark.parametrize("chain", [(), HONEST.parties["acme"], [StoredEvent(1, b"no event")]])
def test_a_batch_without_its_commissioning_is_refuted(chain: Sequence[StoredEvent]) -> None:
    """The size of the custody tree stands in the first event of the batch, so there is no root without it."""
    report = check(printed(msgspec.structs.replace(GENUINE, batch_events=tuple(chain))))
    assert report.verdict is Verdict.PROOF_REFUTED
    assert found(report, Number.PROOFS).detail == "the first event of the batch does not make it"


def test_an_event_that_this_program_does_not_know_is_not_refuted() -> None:
    """What a newer book sealed could not be checked. What a stranger changed is refuted, whatever it looks like."""
    changed, newer = Ledger(STORY), events_pb2.Event.FromString(HONEST.units[1, 0][1].data)
    newer.ClearField("transfer_recorded")
    position = changed.units[1, 0][1].position
    changed.units[1, 0][1] = StoredEvent(position, newer.SerializeToString() + b"\x9a\x06\x00")  # field 99
    assert check(printed(changed.append_seal().prove())).verdict is Verdict.COULD_NOT_CHECK
    assert check(printed(changed.prove(note=HONEST.checkpoint()))).verdict is Verdict.PROOF_REFUTED


def test_a_recalled_unit_cannot_hide_its_recall() -> None:
    """The recall is in the chain of the batch, from which nothing can be left out."""
    report = check(printed(HONEST.prove(1, 3)), policy=Policy())
    assert report.verdict is Verdict.AGAINST_POLICY
    assert found(report, Number.RECALL).detail == "recalled at position 13"


def test_a_party_whose_chain_is_left_out_is_named() -> None:
    """What is not proved of an authority is the word of the book, which a caller may refuse."""
    without = printed(HONEST.prove(parties=("acme", "ann")))
    checked = found(check(without), Number.AUTHORIZED)
    assert checked.result is Result.NOTED
    assert "leaves out the chain of ben" in checked.detail
    assert check(without, policy=Policy(require_authorized=True)).verdict is Verdict.AGAINST_POLICY


@pytest.mark.parametrize("name", STORIES)
def test_a_proven_path_is_shown_as_a_server_shows_it(name: str) -> None:
    """The message of a proven path makes no claim that its events do not lead to."""
    book = Ledger(MASKS + STORIES[name]).append_seal()
    for batch, number in book.units:
        _, path = check_proof(printed(book.prove(batch, number)), None, TRUST, NOW, Policy())
        assert path is not None
        message = as_message(path)
        message.serial = print_serial(KEY, "book", batch, number)
        code = read_code(message.serial)
        assert isinstance(code, PrintedCode)
        report = check_path(message, code, NOW.today, Policy())
        assert report.verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY), report
        assert message.product.name in ("mask", "balm")


BLOCKED: Final = """
import socket, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"grpc", "sqlalchemy", "eventsourcing", "psycopg"} or name == "pathbook.services":
            raise ImportError(name)

def no_socket(*arguments, **options):
    raise OSError("there is no network")

sys.meta_path.insert(0, Blocker())
socket.socket.__init__ = no_socket
from pathbook.cli.main import main
main()
"""


def in_a_bare_process(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Verify in a process that can import neither gRPC nor a database, and open no socket."""
    command = [sys.executable, "-c", BLOCKED, "verify", *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def test_a_proof_is_verified_without_network_and_database(tmp_path: Path) -> None:
    """The verb needs neither gRPC nor a database, and open no socket."""
    (tmp_path / "unit.tlog-proof").write_bytes(FILE)
    (tmp_path / "policy").write_text(policy_text())
    given = ("--proof", "unit.tlog-proof", "--today", "2026-01-02")
    ran = in_a_bare_process(tmp_path, *given, "--policy", "policy")
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert ran.stdout.endswith("complete up to position 16 of 2026-01-01 12:00:00 (UTC).\n")
    assert in_a_bare_process(tmp_path, *given, "--key", str(log_key())).returncode == 0
    assert in_a_bare_process(tmp_path, *given).returncode == 4
    assert in_a_bare_process(tmp_path, *given, "--key", str(log_key(OTHER_LOG))).returncode == 1
    (tmp_path / "unit.tlog-proof").write_bytes(FILE.replace(b"unit 1 0", b"unit 1 1"))
    assert in_a_bare_process(tmp_path, *given, "--policy", "policy").returncode == 1


def test_the_policy_of_the_attacks_is_read_as_it_is_written() -> None:
    """The policy names one log and two witnesses, both of which must have cosigned."""
    policy = parse_policy(policy_text().encode())
    assert policy.logs == (log_key(),)
    assert len(policy.witnesses) == 2
    assert STORY.startswith("\nbrand acme")


def test_the_numbers_of_the_guards_are_those_of_the_document() -> None:
    """ARCHITECTURE.md explains each guard under its number."""
    text = (Path(__file__).resolve().parents[2] / "ARCHITECTURE.md").read_text("utf-8")
    explained = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| .+ \|$", text, re.MULTILINE)
    assert [(int(number), name) for number, name in explained] == [
        (guard.value, guard.name) for guard in Guard
    ]
