"""A program of an older version of the views, in a process of its own: eight callers write to the book of masks.

It says "ready" once they write, stops when its input ends, and then says how many writes were accepted and refused.
"""

import sys
import threading
from pathlib import Path
from typing import Final

import msgspec

from pathbook.ledger.book import Answer
from pathbook.ledger.commands import CommissionBatch
from pathbook.services.storage import Storage
from tests.books import BEGINNING, positions, record
from tests.scenario import NOON

CALLERS: Final = 8

VERSION: Final = "0001"
"""The version of its views. The test that runs it has the present one."""


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(place: Path, database: str, version: str) -> None:
    """Write until the input ends."""
    storage = Storage(place, lambda: NOON, database=database, views_version=version, allow_event_loss=True)
    book, stop = storage.books, threading.Event()
    if not storage.stream.books():
        *before, batch = BEGINNING
        assert isinstance(batch, CommissionBatch)
        commands = [*before, msgspec.structs.replace(batch, code_key=storage.keys.for_new_batch())]
        positions(book.submit("masks", commands).result(60))
    outcomes: list[object] = []

    def call(caller: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            name = f"{version}-{place.stat().st_ino}-{caller}-{count}-{storage.stream.head('masks')}"
            outcomes.extend(book.submit("masks", [record(name)]).result(60))

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    say("ready")
    sys.stdin.read()
    stop.set()
    for caller in callers:
        caller.join()
    accepted = sum(isinstance(outcome, Answer) for outcome in outcomes)
    storage.close()
    say(f"{accepted} {len(outcomes) - accepted}")


PROGRAM: Final = """
import sys
from pathlib import Path
from tests.services.old_program import main
main(Path(sys.argv[1]), *sys.argv[2:])
"""
"""Runs `main` with its arguments."""
