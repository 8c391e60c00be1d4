"""A watch over a book: it looks again and again, replays what is new, and ends at the first difference."""

import time
from collections.abc import Callable
from typing import Final

from pathbook.audit.differences import Difference, DifferenceError, LaterError
from pathbook.audit.replaying import Audited, Replay
from pathbook.audit.sources import Source
from pathbook.audit.state_directory import StateDirectory
from pathbook.audit.watch_metrics import WatchMetrics
from pathbook.client import RefusedError, UnreachableError
from pathbook.verify.trust import Trust

LONGEST_PAUSE_S: Final = 60.0
"""The longest pause while a server is away. Each pause is twice as long as the one before."""


def keep_evidence(state: StateDirectory, source: Source, difference: Difference) -> str:
    """Keep what was found with the signed checkpoints before and after it. Return the file. Raises OSError."""
    after = "" if source.note is None else source.note.decode("utf-8", "replace")
    text = f"position {difference.position}, {difference.rule}: {difference.found}\n\n{state.note}\n{after}"
    return str(state.keep_evidence(difference.rule.value, text))


class Watch:
    """Looks at one book. What it saw is in a directory, so consistency is demanded over restarts, too."""

    def __init__(
        self,
        replay: Replay,
        state: StateDirectory,
        trust: Trust,
        metrics: WatchMetrics,
        cosign: Callable[[Source], int] | None,
        told: Callable[[str], None],
    ) -> None:
        """Watch with a replay that keeps its state in the directory.

        Args:
            replay: goes on from look to look.
            state: the directory.
            trust: as in `Replay.run`.
            metrics: are kept up to date.
            cosign: cosigns the newest checkpoint after each look, and returns its size. None cosigns nothing.
            told: is called with a sentence for the operator, when something changed.
        """
        self._replay, self._state, self._trust, self._metrics = replay, state, trust, metrics
        self._cosign, self._told = cosign, told
        self._said = ""

    def run(self, open_source: Callable[[], Source], interval: float, wait: Callable[[float], bool]) -> None:
        """Look at the book every ``interval`` seconds until ``wait``, which gets the seconds to wait, returns true.

        A server that is away is asked again after a pause, which grows up to LONGEST_PAUSE_S or the interval.

        Raises:
            DifferenceError: a difference. Its evidence is kept.
            UncheckableError: nothing is known of whether the book holds, and waiting does not help.
            StoppedError, StateError, RefusedError, OSError: as `Replay.run`.
        """
        pause = 1.0
        while True:
            try:
                self._look(open_source())
            except (UnreachableError, LaterError, RefusedError) as error:
                if isinstance(error, RefusedError) and not error.may_retry:
                    raise
                self._metrics.up.set(0 if isinstance(error, UnreachableError) else 1)
                self._metrics.looks.labels("later").inc()
                self._tell(f"Not looked: {error}")
                if wait(pause):
                    return
                pause = min(2 * pause, max(LONGEST_PAUSE_S, interval))
                continue
            pause = 1.0
            if wait(interval):
                return

    def _look(self, source: Source) -> None:
        try:
            audited = self._replay.run(source, (), self._trust)
        except DifferenceError as error:
            self._metrics.difference.set(1)
            self._metrics.looks.labels("difference").inc()
            place = keep_evidence(self._state, source, error.difference)
            self._told(f"DIFFERENCE: {error}. The evidence is in {place}.")
            raise
        cosigned = 0
        if self._cosign is not None and source.note is not None:
            cosigned = self._cosign(source)
        self._count(audited, cosigned)
        size = audited.checkpoints[0].size if audited.checkpoints else 0
        more = f", cosigned up to {cosigned}" if cosigned else ""
        self._tell(f"No difference: {audited.replayed.events} events, checkpoint of {size}{more}.")

    def _count(self, audited: Audited, cosigned: int) -> None:
        metrics, replayed = self._metrics, audited.replayed
        metrics.up.set(1)
        metrics.replayed.set(replayed.events)
        metrics.sealed.set(replayed.covers)
        metrics.compared.set(audited.compared_at)
        metrics.recorded.set(replayed.recorded_at / 1_000_000)
        metrics.looked.set(time.time())
        metrics.looks.labels("consistent").inc()
        if audited.checkpoints:
            metrics.checkpoint.set(audited.checkpoints[0].size)
        if cosigned:
            metrics.cosigned.set(cosigned)

    def _tell(self, sentence: str) -> None:
        """Tell a sentence, unless it was the last one."""
        if sentence != self._said:
            self._said = sentence
            self._told(sentence)
