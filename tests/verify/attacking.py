"""What an attack on a proof is, the honest book that all attacks begin with, and what came of an attack."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger import events
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.unit_proof import StoredEvent, UnitProof
from pathbook.ledger.values import Price, Unit
from pathbook.verify.proof import Now, check_proof
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Policy, Report, Verdict
from tests.proofs import prover
from tests.proofs.prover import Ledger, policy_text
from tests.scenario import DAY, NOON

STORY: Final = """
brand acme
agent ann
agent ben
authorize ann tier 1 by acme
authorize ben tier 2 by ann as given
product mask 30000 CNY of acme
batch L1 of mask size 5 made 2025-12-01 expires 2026-12-31 by acme
batch L2 of mask size 3 made 2025-12-01 by acme
record 1:0-1 acme > ann at 15000
offer 1:0 ann > ben at 18000 as o
accept o by ben
recall batch 1 units 1:3 by acme as r
correct batch 1 expires 2026-06-30 by acme
revoke given by ann
record 1:0 ben > ann at 17000
"""
"""Unit 0 of batch 1 came to ben, who was revoked, and went back to ann. Unit 3 is recalled."""

NOW: Final = Now(NOON + 3_600_000_000, datetime.date(2026, 1, 1))
TRUST: Final = Trust(policy=parse_policy(policy_text().encode()), max_age=DAY)
ZERO: Final = Unit(1, 0)


class Attempt(NamedTuple):
    """A file, and what the caller asks of it: the unit that is meant, whom it trusts, and how many signatures it wants.

    ``cause`` is why the file may show the same facts, and ``later`` how much later it is.
    """

    data: bytes
    unit: Unit = ZERO
    trust: Trust = TRUST
    cause: str = ""
    later: int = 0
    signatures: int = 0


class Row(NamedTuple):
    """What came of an attack. ``unchanged`` are the attempts that show the same facts, by their causes."""

    name: str
    tried: int
    accepted: int
    unchanged: Counter[str]
    verdicts: Counter[str]


Attack = Callable[[], Iterator[Attempt]]

ATTACKS: Final[dict[str, Attack]] = {}
"""All attacks, by their names in the table."""


def attack(name: str) -> Callable[[Attack], Attack]:
    """Add an attack to the table."""

    def add(made: Attack) -> Attack:
        ATTACKS[name] = made
        return made

    return add


def honest() -> Ledger:
    """Return the honest book, sealed."""
    return Ledger(STORY).append_seal()


def printed(proof: UnitProof) -> bytes:
    """Return a proof as a file."""
    return str(proof).encode()


HONEST: Final = honest()
GENUINE: Final = HONEST.prove()
FILE: Final = printed(GENUINE)
NOTE: Final = HONEST.checkpoint()


def ask(attempt: Attempt) -> Report:
    """Ask the verifier about the unit that is meant."""
    code = PrintedCode("", None, None, attempt.unit.batch, attempt.unit.number)
    now = Now(NOW.moment + attempt.later, NOW.today)
    policy = Policy(min_signatures=attempt.signatures)
    return check_proof(attempt.data, code, attempt.trust, now, policy)[0]


def run(name: str, step: int = 1) -> Row:
    """Run every attempt of an attack, or one of so many."""
    facts, tried, accepted = ask(Attempt(FILE)), 0, 0
    unchanged, verdicts = Counter[str](), Counter[str]()
    for attempt in islice(ATTACKS[name](), None, None, step):
        if attempt == Attempt(FILE):
            continue  # nothing was changed, such as by a splice of equal hops
        tried += 1
        report = ask(attempt)
        verdicts[report.verdict.word] += 1
        if report == facts and attempt.cause:
            unchanged[attempt.cause] += 1
        elif report.verdict is Verdict.VERIFIED:
            accepted += 1
    return Row(name, tried, accepted, unchanged, verdicts)


def under_the_genuine_note(changed: Ledger) -> bytes:
    """Return the proof of a changed book, all of it computed again, under the checkpoint that the honest book has."""
    return printed(changed.append_seal().prove(note=NOTE))


def under_the_log_key(changed: Ledger) -> bytes:
    """Return the proof of a changed book that its operator sealed and signed, and that witnesses cosigned."""
    return printed(changed.append_seal().prove())


def with_event(changed: Ledger, position: int, event: Event) -> Ledger:
    """Replace an event wherever it is in the lists. What it rests on stays."""
    return with_recorded(changed, msgspec.structs.replace(changed.recorded[position - 1], event=event))


def with_recorded(changed: Ledger, recorded: RecordedEvent) -> Ledger:
    """Replace an event and all that was recorded of it, wherever it is in the lists."""
    position, data = recorded.position, prover.bytes_of(recorded.event, recorded)
    changed.log[position - 1] = data
    for chains in (changed.units, changed.batches, changed.parties):
        for chain in chains.values():
            for place, item in enumerate(chain):
                if item.position == position:
                    chain[place] = StoredEvent(position, data)
    return changed


def repriced(position: int, amount: int) -> Ledger:
    """Return the book with another price in the terms of an event."""
    changed = Ledger(STORY)
    event = changed.recorded[position - 1].event
    assert isinstance(event, events.TitleEvent | events.TransferOffered)
    terms = msgspec.structs.replace(event.terms, unit_price=Price(amount, "CNY"))
    return with_event(changed, position, msgspec.structs.replace(event, terms=terms))
