"""How much a bench measures: enough for reliable figures, or only enough to run every phase and check."""

from typing import Final

import msgspec

IN_FLIGHT: Final = (1, 32, 256)
"""How many calls are open at once: as by a person, by a service, and by a busy service."""

ENTRIES: Final = (1, 10, 500)
"""How many transfers a batch holds."""

UNITS: Final = (1, 10, 100, 10_000)
"""How many units a transfer moves."""

MOST_ENTRIES: Final = ENTRIES[-1]
"""How many transfers a batch holds by default."""

USUAL_UNITS: Final = 10
"""How many units a transfer moves by default."""

COMMITS: Final = 100
"""How many rows a round writes to the bare database with one row a commit."""

SUBSCRIBERS: Final = 20
"""How many subscribers read the book at once."""


class Plan(msgspec.Struct, frozen=True):
    """How often the phases run, and how much each does.

    Attributes:
        rounds: how often each phase takes its turn; a figure is the median of its rounds.
        calls: how many calls a round makes for each number of IN_FLIGHT.
        transfers: how many transfers a round records in batches of MOST_ENTRIES.
        floor_rows: how many rows the bare database writes before a round's transfers, and again after them.
        shape_rounds: how often transfers of each shape take their turn.
        shape_transfers: how many transfers a round records for each number of ENTRIES.
        verified: how many units a round verifies.
        paths: how many paths a round queries.
        rebuilds: how often the views are rebuilt.
        runs: how many runs of one unit the scattered transfers are drawn from.
        run_batches: over how many batches these runs are spread.
        onward: how many scattered transfers there are, and as many first hops beside them.
        hops: how many hops one unit makes.
        mix_rounds: how often a small write and a small read are measured beside hostile callers.
        mix_calls: how many of each a round makes.
        pieces: how many runs of one unit a hostile transfer moves.
        seal_rounds: how often transfers are recorded without seals and with them.
        seal_in_order: how many transfers a round records in order. The last seal waits for a quiet second, so many.
        seal_transfers: how many a round records scattered.
        guarded_rounds: how often transfers are recorded at an open server and at one with TLS, tokens and limits.
        guarded_transfers: how many transfers a round records at each in batches.
        guarded_calls: how many in single calls.
        proofs: how often a proof is made, and verified.
        followed: how many events are followed again, without reports and with them.
        follow_rounds: how often.
        reported: how many transfers and sales the book has that reports are asked about.
        report_batches: of how many batches their units are.
        questions: how often each question is asked.
    """

    rounds: int
    calls: tuple[int, int, int]
    transfers: int
    floor_rows: int
    shape_rounds: int
    shape_transfers: tuple[int, int, int]
    verified: int
    paths: int
    rebuilds: int
    runs: int
    run_batches: int
    onward: int
    hops: int
    mix_rounds: int
    mix_calls: int
    pieces: int
    seal_rounds: int
    seal_in_order: int
    seal_transfers: int
    guarded_rounds: int
    guarded_transfers: int
    guarded_calls: int
    proofs: int
    followed: int
    follow_rounds: int
    reported: int
    report_batches: int
    questions: int

    @property
    def scattered(self) -> int:
        """How many of the scattered runs are moved onward, each once."""
        return self.onward + 2 * self.seal_rounds * self.seal_transfers


FULL: Final = Plan(
    rounds=7,
    calls=(200, 1_000, 1_500),
    transfers=7_500,
    floor_rows=20_000,
    shape_rounds=3,
    shape_transfers=(300, 2_000, 5_000),
    verified=100,
    paths=400,
    rebuilds=3,
    runs=1_000_000,
    run_batches=100,
    onward=20_000,
    hops=10_000,
    mix_rounds=3,
    mix_calls=150,
    pieces=8_000,
    seal_rounds=3,
    seal_in_order=100_000,
    seal_transfers=20_000,
    guarded_rounds=7,
    guarded_transfers=7_500,
    guarded_calls=1_000,
    proofs=200,
    followed=20_000,
    follow_rounds=3,
    reported=1_000_000,
    report_batches=100,
    questions=100,
)
"""Takes some minutes: the figures can be compared with those of another machine."""

QUICK: Final = Plan(
    rounds=2,
    calls=(30, 100, 300),
    transfers=1_000,
    floor_rows=2_000,
    shape_rounds=1,
    shape_transfers=(20, 100, 500),
    verified=10,
    paths=50,
    rebuilds=1,
    runs=4_000,
    run_batches=4,
    onward=500,
    hops=1_000,
    mix_rounds=1,
    mix_calls=20,
    pieces=2_000,
    seal_rounds=1,
    seal_in_order=500,
    seal_transfers=500,
    guarded_rounds=2,
    guarded_transfers=1_000,
    guarded_calls=100,
    proofs=10,
    followed=1_000,
    follow_rounds=1,
    reported=1_400,
    report_batches=2,
    questions=5,
)
"""Takes some seconds: it runs every phase and every check, but the figures show only the order of magnitude."""
