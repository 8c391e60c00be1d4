"""How many events a second an auditor replays on one core: without signatures, with one for each, and with filed ones.

What keeping its state costs and going on from it, and the fingerprint of its book, are printed, too.

`python -m tests.bench.audited EVENTS` prints them. Each event is a transfer of ten units from one of twenty agents to
the next. The time is that of the process, so other work on the machine does not count.
"""

import sys
import time
from typing import Final

import msgspec

from pathbook.audit.auditor import Auditor
from pathbook.audit.fingerprints import book_fingerprint
from pathbook.audit.kept import KeptAuditor
from pathbook.ledger.commands import Command, RecordTransfer
from pathbook.ledger.values import MAX_STATEMENTS, Price, Selection, UnitRange
from tests.proofs.prover import stored
from tests.verify.signed_story import SignedStory

AGENTS: Final = 20
UNITS: Final = 10


def begun(*, signed: bool) -> SignedStory:
    """Return a book of a brand and agents, who all have keys if they sign."""
    story = SignedStory()
    if signed:
        story.register("", "op", "", "op")
    for name in ("acme", *(f"a{number}" for number in range(AGENTS))):
        story.tell(f"{'brand' if name == 'acme' else 'agent'} {name}")
        if signed:
            story.register(name, f"key of {name}", "", "op")
    story.tell("product mask 30000 CNY of acme\nbatch L1 of mask size 200000 made 2025-12-01 by acme")
    for number in range(AGENTS):
        first = number * 10_000
        story.tell(f"record 1:{first}-{first + 9_999} acme > a{number} at 15000")
    return story


def transfers(count: int) -> list[Command]:
    """Return the commands of transfers, each agent giving its units to the next one, a few at a time."""
    return [
        RecordTransfer(
            request_id=f"t{number}",
            giver=f"a{(agent := number % AGENTS)}",
            receiver=f"a{(agent + 1) % AGENTS}",
            units=Selection(
                (UnitRange(1, first := agent * 10_000 + number // AGENTS * UNITS, first + UNITS - 1),)
            ),
            unit_price=Price(15_000 + number, "CNY"),
        )
        for number in range(count)
    ]


def log_of(kind: str, count: int) -> list[bytes]:
    """Return the stored events of a book."""
    story = begun(signed=kind != "no signatures")
    commands = transfers(count)
    if kind == "filed 1,000 at once":
        for agent in range(AGENTS):
            own = [command for command in commands if command.actor == f"a{agent}"]
            for start in range(0, len(own), MAX_STATEMENTS):
                story.file(f"a{agent}", own[start : start + MAX_STATEMENTS])
    else:
        for command in commands:
            story.ask(command)
    return [stored(item).data for item in story.recorded]


def main() -> None:
    """Print what was measured."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    for kind in ("no signatures", "one signature an event", "filed 1,000 at once"):
        log = log_of(kind, count)
        auditor, start = Auditor(), time.process_time()
        for data in log:
            auditor.take(data)
        found = auditor.finish()
        took = time.process_time() - start
        print(f"{kind}: {found.events} events, {found.events / took:,.0f} events/s/core")
        start = time.process_time()
        data = msgspec.msgpack.encode(auditor.kept())
        kept = time.process_time()
        again = Auditor.restored(msgspec.msgpack.decode(data, type=KeptAuditor))
        restored = time.process_time()
        book_fingerprint(again.book)
        runs = sum(len(found.runs) for found in again.book.state.partitions.values())
        print(
            f"  kept in {kept - start:.2f} s as {len(data) / found.events:,.0f} bytes an event, restored in"
            f" {restored - kept:.2f} s; the fingerprint takes"
            f" {(time.process_time() - restored) / runs * 1e6:.1f} microseconds a run, of {runs}"
        )


if __name__ == "__main__":
    main()
