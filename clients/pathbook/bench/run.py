"""A whole bench, in order: what has a floor in turns with it, then what reads, then what needs the server restarted."""

from pathbook.bench import asking, checks, names, reading, rebuilding, recording
from pathbook.bench.bench import Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.plan import IN_FLIGHT
from pathbook.client import RefusedError


def run(bench: Bench) -> None:
    """Measure everything, and check each phase against the model.

    Raises:
        MismatchError: a phase came to something else than the model says, or the server refused what was right.
        pathbook.client.UnreachableError: the server went away.
        OSError: a process could not be started.
    """
    try:
        bench.start()
        _side_by_side(bench)
        _as_it_lies(bench)
        for turn in range(bench.plan.rebuilds):
            bench.doing(names.REBUILD, turn, bench.plan.rebuilds)
            rebuilding.rebuild(bench)
        for turn in range(bench.plan.shape_rounds):
            bench.doing("transfers of several shapes", turn, bench.plan.shape_rounds)
            recording.shapes(bench)
        bench.doing("end", 0, 1)
        bench.memory = {name: process.memory() for name, process in bench.processes.items()}
    except RefusedError as error:
        raise MismatchError(bench.phase, f"the server refused what the model allows: {error}") from error


def _side_by_side(bench: Bench) -> None:
    """Take turns: a floor, what stands upon it, the next floor ..."""
    rounds = bench.plan.rounds
    for turn in range(rounds):
        for in_flight, count in zip(IN_FLIGHT, bench.plan.calls, strict=True):
            bench.doing(names.call(in_flight), turn, rounds)
            recording.calls(bench, in_flight, count)
        bench.doing(names.RECORD, turn, rounds)
        recording.usual_beside_floors(bench)
        bench.doing(names.READ, turn, rounds)
        reading.read(bench)
        checks.stock(bench.model, bench.client, bench.head, bench.recorded_by)
    reading.replay(bench)


def _as_it_lies(bench: Bench) -> None:
    """Take turns of what only asks, and of those who follow; then see what all of it takes."""
    rounds = bench.plan.rounds
    for turn in range(rounds):
        bench.doing(names.FOLLOW, turn, rounds)
        reading.follow(bench)
        bench.doing(names.VERIFY, turn, rounds)
        asking.verify(bench)
        bench.doing(names.PATH, turn, rounds)
        asking.paths(bench)
    checks.stock(bench.model, bench.client, bench.head, bench.recorded_by)
    bench.events, (bench.log_bytes, bench.views_bytes) = bench.head, bench.inside.sizes()
