"""Writes stories to a log and views, and returns the paths of their units as a server answers with them."""

import datetime
from typing import Final

from pathbook.ledger.codec import encode
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.commands import Command, DeclareError
from pathbook.ledger.events import DeclarableEvent, Event
from pathbook.ledger.queries import Path
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.rules.answerable import Declarable
from pathbook.ledger.serials import BookKey, print_serial
from pathbook.ledger.values import Unit
from pathbook.services.translate import answers
from pathbook.v1.corrections_pb2 import Correction
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Check, Number, Policy, Report
from tests.queries.written import WrittenStory, open_queries

KEY = BookKey(b"a key that only these tests have")
TODAY = datetime.date(2026, 6, 1)

MASKS = """
brand acme
agent ann
agent ben
shop cat
authorize ann tier 1 by acme
authorize ben tier 2 by ann
product mask 30000 CNY of acme
batch L1 of mask size 10 made 2025-12-01 expires 2026-06-30 by acme
"""
"""A beginning of positions 2 to 9, after the opening of the book. The stories begin on 2026-01-01 at noon."""

BEGUN: Final = 1 + len(MASKS.split("\n")[1:-1])
"""The last position of the beginning, at which the batch was commissioned."""


class Written(WrittenStory):
    """A story whose events can be declared errors, and whose paths can be asked for."""

    def ask(self, command: Command) -> Event | Refusal:
        """Decide a command. What a declaration names is loaded first, as the writer loads it."""
        if isinstance(command, DeclareError) and 0 < command.position <= len(self.events):
            event = self.events[command.position - 1]
            leaf = self.recorded[command.position - 1].leaf
            known = Declarable(event, leaf) if isinstance(event, DeclarableEvent) else None
            self.state.declarables.setdefault(command.position, known)
        return super().ask(command)


def path_of(story: WrittenStory, number: int, batch: int = 1, *, corrections: bool = True) -> GetPathResponse:
    """Return the path of a unit as an honest server answers with it."""
    with open_queries(story.entries) as queries:
        found = queries.path("book", Unit(batch, number), 0, corrections=corrections)
    assert isinstance(found, Path), found
    return answers.path(found, print_serial(KEY, "book", batch, number), map(answers.step, found.steps), "")


def masks(text: str, number: int = 0) -> GetPathResponse:
    """Return the path of a unit of batch 1 after the beginning of the masks and more lines."""
    return path_of(Written(MASKS + text), number)


def check(path: GetPathResponse, policy: Policy | None = None, today: datetime.date = TODAY) -> Report:
    """Check a path as if its own code had been scanned."""
    code = read_code(path.serial)
    assert isinstance(code, PrintedCode)
    return check_path(path, code, today, policy or Policy())


def found(report: Report, number: Number) -> Check:
    """Return one check of a report."""
    (only,) = (each for each in report.checks if each.number is number)
    return only


def stored(event: Event, path: GetPathResponse) -> bytes:
    """Return an event as a lying operator would store it after the last step of a path."""
    moment = path.steps[-1].recorded_at.ToMicroseconds()
    request, digest = bytes(REQUEST_BYTES), bytes(DIGEST_BYTES)
    _, data = encode(event, recorded_at=moment, occurred_at=moment, request=request, request_digest=digest)
    return data


def with_event(path: GetPathResponse, event: Event) -> GetPathResponse:
    """Return a path with one more event, which no book would have recorded."""
    position = path.as_of_position + 1
    longer = GetPathResponse()
    longer.CopyFrom(path)
    longer.as_of_position = position
    moment = path.steps[-1].recorded_at
    longer.steps.append(PathStep(position=position, event=stored(event, path), recorded_at=moment))
    return longer


def with_correction(path: GetPathResponse, event: Event, position: int = 0) -> GetPathResponse:
    """Return a path that shows an event as the last correction of its batch."""
    corrected = GetPathResponse()
    corrected.CopyFrom(path)
    position = position or path.as_of_position + 1
    corrected.batch_correction.CopyFrom(Correction(position=position, event=stored(event, path)))
    corrected.batch.corrected_position = position
    return corrected
