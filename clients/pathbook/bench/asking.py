"""The phases that read single units: a buyer's verification over gRPC, and the query of a path inside the store."""

import datetime
import time
from typing import Final

from pathbook.bench import names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.echo import METHOD
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import TIERS
from pathbook.bench.plan import IN_FLIGHT
from pathbook.ledger.codes import PrintedCode
from pathbook.v1.paths_pb2 import GetPathRequest, GetPathResponse
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Policy, Verdict

GET_PATH: Final = "/pathbook.v1.PathService/GetPath"

POLICY: Final = Policy()
"""The policy of a buyer who gives no options."""


def verify(bench: Bench) -> None:
    """Verify the codes of random units, as `pathbook verify` does."""
    today = datetime.datetime.now(datetime.UTC).date()
    units = [bench.model.draw(bench.random) for _ in range(bench.plan.verified)]
    codes = [next(bench.client.list_codes(batch, unit, unit)).serials[0] for batch, unit in units]
    waits = []
    for (batch, unit), code in zip(units, codes, strict=True):
        began = time.perf_counter()
        read = read_code(code)
        assert isinstance(read, PrintedCode), read
        path = bench.client.get_path(code, corrections=True)
        report = check_path(path, read, today, POLICY)
        waits.append(time.perf_counter() - began)
        found = (report.verdict, path.run.owner, len(path.steps) - 1)
        expected = (Verdict.VERIFIED, bench.model.owner(batch, unit), bench.model.hops(batch, unit))
        if found != expected:
            raise MismatchError(
                names.VERIFY,
                f"verdict, owner and hops of unit {batch}:{unit} are {found}, in the model {expected}",
            )
    bench.figures.add(names.VERIFY, "units", len(waits), sum(waits), waits)


def path_calls(bench: Bench) -> None:
    """Ask for the paths of printed codes, with many calls at once, after as many bare calls with the same bytes."""
    in_flight, name = IN_FLIGHT[1], names.PATH_CALLS
    units = [bench.model.draw(bench.random) for _ in range(bench.plan.verified)]
    codes = [next(bench.client.list_codes(batch, unit, unit)).serials[0] for batch, unit in units]
    calls = bench.plan.calls[1]
    asked = [bench.random.randrange(len(units)) for _ in range(calls)]
    requests = [GetPathRequest(book=BOOK, code=codes[number]).SerializeToString() for number in asked]
    bare = bench.load.calls(bench.echo.address, METHOD, requests, in_flight)
    bench.figures.add(names.PATH_ECHO, "calls", calls, bare.seconds, bare.waits)
    result = bench.load.calls(bench.server.address, GET_PATH, requests, in_flight)
    for number, answer in zip(asked, result.answers, strict=True):
        owner, expected = GetPathResponse.FromString(answer).run.owner, bench.model.owner(*units[number])
        if owner != expected:
            raise MismatchError(name, f"unit {units[number]} belongs to {owner}, in the model to {expected}")
    bench.figures.add(name, "calls", calls, result.seconds, result.waits)


def paths(bench: Bench) -> None:
    """Query the paths of units that went through every tier, inside the store without a call."""
    deep = list(bench.model.units(TIERS))
    units = bench.random.sample(deep, min(bench.plan.paths, len(deep)))
    found = bench.inside.paths(BOOK, units)
    for (batch, unit), (_, owner, hops) in zip(units, found, strict=True):
        if (owner, hops) != (bench.model.owner(batch, unit), TIERS):
            raise MismatchError(
                names.PATH,
                f"in the views, unit {batch}:{unit} belongs to {owner} after {hops} hops, unlike in the model",
            )
    waits = [seconds for seconds, _, _ in found]
    bench.figures.add(names.PATH, "paths", len(waits), sum(waits), waits)
