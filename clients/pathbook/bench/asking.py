"""The phases that ask about single units: a buyer's verification, and the path in the queries room."""

import datetime
import time
from typing import Final

from pathbook.bench import names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import TIERS
from pathbook.ledger.codes import PrintedCode
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Policy, Verdict

POLICY: Final = Policy()
"""What a buyer asks who asks nothing particular."""


def verify(bench: Bench) -> None:
    """Verify the codes of units drawn from all there are, as `pathbook verify` does."""
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
        wanted = (Verdict.VERIFIED, bench.model.owner(batch, unit), bench.model.hops(batch, unit))
        if found != wanted:
            raise MismatchError(names.VERIFY, f"unit {batch}:{unit} is {found}, by the model {wanted}")
    bench.figures.add(names.VERIFY, "units", len(waits), sum(waits), waits)


def paths(bench: Bench) -> None:
    """Ask the queries, with no call between, for the paths of units that went through every tier."""
    deep = list(bench.model.units(TIERS))
    units = bench.random.sample(deep, min(bench.plan.paths, len(deep)))
    found = bench.inside.paths(BOOK, units)
    for (batch, unit), (_, owner, hops) in zip(units, found, strict=True):
        if (owner, hops) != (bench.model.owner(batch, unit), TIERS):
            raise MismatchError(
                names.PATH, f"unit {batch}:{unit} is {owner}'s after {hops} hops by the views"
            )
    waits = [seconds for seconds, _, _ in found]
    bench.figures.add(names.PATH, "paths", len(waits), sum(waits), waits)
