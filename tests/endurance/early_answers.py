"""The command line with a mutant of a server, which answers before its events are committed."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from pathbook.cli.main import main
from pathbook.ledger.book import writer
from pathbook.ledger.book.submissions import Answer, Submission
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.store.log.stream import Stream, Turn

COMMAND: Final = (sys.executable, "-m", "tests.endurance.early_answers")

COMMIT_S: Final = 0.1
"""How long each commit takes, so that a kill meets some of them."""

_decided: list[tuple[Submission, list[Answer | Refusal]]] = []
_answered: dict[Submission, bool] = {}
_decide, _turn, _add = writer.Book._decide, Stream.turn, Submission.add


def decide(self: writer.Book, submission: Submission, *arguments: Any) -> list[Answer | Refusal]:  # noqa: ANN401 - they are passed on
    """Decide, and remember what was decided."""
    outcomes = _decide(self, submission, *arguments)
    _decided.append((submission, outcomes))
    return outcomes


@contextlib.contextmanager
def turn(self: Stream, book: str) -> Iterator[Turn]:
    """Take a turn, and answer before it commits."""
    with _turn(self, book) as taken:
        yield taken
        while _decided:
            submission, outcomes = _decided.pop()
            _answered[submission] = _add(submission, outcomes)
        time.sleep(COMMIT_S)


def add(self: Submission, decided: list[Answer | Refusal]) -> bool:
    """Tell whether all was answered, which is so already."""
    return _answered.pop(self) if self in _answered else _add(self, decided)


if __name__ in {"__main__", "__mp_main__"}:  # the second is its name in a process that a server starts
    writer.Book._decide, Stream.turn, Submission.add = decide, turn, add  # type: ignore[method-assign,assignment] # the mutant
if __name__ == "__main__":
    main()
