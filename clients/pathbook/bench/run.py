"""A whole bench, in order: writes in turns with their floors, then reads, then the phases that restart the server."""

import contextlib
import tempfile
from pathlib import Path

from pathbook.bench import (
    asking,
    checks,
    endurance,
    guarded,
    hostile,
    names,
    proving,
    reading,
    rebuilding,
    recording,
    reporting,
    sealing,
)
from pathbook.bench.bench import Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.plan import IN_FLIGHT
from pathbook.client import RefusedError


def run(bench: Bench) -> None:
    """Measure everything, and check each phase against the model.

    Raises:
        MismatchError: the result of a phase differs from the model, or the server refused a valid request.
        pathbook.client.UnreachableError: the server no longer answers.
        OSError: a process could not be started, or has ended.
    """
    try:
        bench.start()
        _measure_beside_floors(bench)
        _measure_reads(bench)
        for turn in range(bench.plan.rebuilds):
            bench.begin_phase(names.REBUILD, turn, bench.plan.rebuilds)
            rebuilding.rebuild(bench)
        for turn in range(bench.plan.shape_rounds):
            bench.begin_phase("transfers of several shapes", turn, bench.plan.shape_rounds)
            recording.shapes(bench)
        bench.begin_phase(names.ONWARD, 0, 1)
        endurance.scattered(bench)
        bench.begin_phase(names.LONG_LIFE, 0, 1)
        endurance.long_life(bench)
        hostile.mix(bench)
        _measure_guarded(bench)
        bench.memory |= {name: process.memory() for name, process in bench.processes.items()}
        _measure_proofs(bench)
        _measure_reports(bench)
        bench.begin_phase("end", 0, 1)
    except RefusedError as error:
        raise MismatchError(bench.phase, f"the server refused what the model allows: {error}") from error


def _measure_beside_floors(bench: Bench) -> None:
    """Measure in turns: a floor, the phase above it, the next floor, and so on."""
    rounds = bench.plan.rounds
    for turn in range(rounds):
        for in_flight, count in zip(IN_FLIGHT, bench.plan.calls, strict=True):
            bench.begin_phase(names.call(in_flight), turn, rounds)
            recording.calls(bench, in_flight, count)
        bench.begin_phase(names.RECORD, turn, rounds)
        recording.usual_beside_floors(bench)
        bench.begin_phase(names.READ, turn, rounds)
        reading.read(bench)
        checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)
    reading.replay(bench)


def _measure_guarded(bench: Bench) -> None:
    """Measure what TLS, tokens and limits cost."""
    with tempfile.TemporaryDirectory(dir=bench.books.parent) as directory:
        server = guarded.Guarded(bench, Path(directory))
        for turn in range(bench.plan.guarded_rounds):
            bench.begin_phase(names.GUARDED, turn, bench.plan.guarded_rounds)
            guarded.beside_open(bench, server, turn)
        server.stop(bench)
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)


def _measure_proofs(bench: Bench) -> None:
    """Measure what seals and signatures cost."""
    bench.begin_phase(names.FIRST_SEAL, 0, 1)
    sealing.first_seal(bench)
    rounds = bench.plan.seal_rounds
    for turn in range(rounds):
        bench.begin_phase(names.SEALED, turn, rounds)
        sealing.beside_seals(bench)
    keys = proving.Keys(bench)
    for turn in range(rounds):
        bench.begin_phase(names.SIGNED, turn, rounds)
        proving.record_signed(bench, keys)
    bench.begin_phase(names.PROOF, 0, 1)
    proving.prove(bench, keys)
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)


def _measure_reports(bench: Bench) -> None:
    """Measure what reports cost a follower, and how long their questions take over a book of many transfers."""
    bench.follower.stop()
    rounds = bench.plan.follow_rounds
    for turn in range(rounds):
        bench.begin_phase(names.REPORTED, turn, rounds)
        reporting.follow(bench, turn)
    bench.start_follower(seals=False)
    bench.begin_phase(names.REPORT_BOOK, 0, 1)
    with contextlib.closing(reporting.Reported(bench)) as reported:
        reported.record()
        reporting.ask(bench, reported)


def _measure_reads(bench: Bench) -> None:
    """Measure subscriptions, verifications and paths in turns; then measure the size of the store."""
    rounds = bench.plan.rounds
    for turn in range(rounds):
        bench.begin_phase(names.FOLLOW, turn, rounds)
        reading.follow(bench)
        bench.begin_phase(names.VERIFY, turn, rounds)
        asking.verify(bench)
        bench.begin_phase(names.PATH_CALLS, turn, rounds)
        asking.path_calls(bench)
        bench.begin_phase(names.PATH, turn, rounds)
        asking.paths(bench)
    checks.stock(bench.model, bench.client, bench.head, bench.phase_of_batch)
    bench.events, (bench.log_bytes, bench.views_bytes) = bench.head, bench.inside.sizes()
