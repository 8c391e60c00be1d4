"""The result of a bench as tables: the phases, the ratios beside their targets, and facts of the run."""

import os
import statistics
from typing import Final

from pathbook.bench.bench import Bench
from pathbook.bench.figures import Figure
from pathbook.bench.targets import Judged, judged
from pathbook.cli import output
from pathbook.ledger import compiled

PHASES: Final = ("phase", "a second", "least", "most", "in views", "p50 ms", "p99 ms")
AIMS: Final = ("beside its floor", "found", "least", "most", "target", "")

WHOLE: Final = 100
"""A number from here on is printed without decimals, a smaller one with three digits."""

MEMORY: Final = {"VmRSS": "at the end", "VmHWM": "at most"}
"""The names of Linux for the memory of a process, and ours."""


def text(bench: Bench, place: str) -> str:
    """Return all of a bench as text."""
    phases = output.table(PHASES, [_phase(figure) for figure in bench.figures], set(range(1, len(PHASES))))
    aims = output.table(AIMS, [_aim(aim) for aim in judged(bench)], set(range(1, len(AIMS) - 1)))
    return f"{phases}\n\n{aims}\n\n{output.fields(_facts(bench, place))}"


def _phase(figure: Figure) -> list[str]:
    return [
        figure.name,
        number(figure.rate),
        number(min(figure.rates)),
        number(max(figure.rates)),
        number(figure.views_rate),
        _milliseconds(figure.wait(50)),
        _milliseconds(figure.wait(99)),
    ]


def _aim(aim: Judged) -> list[str]:
    target = "" if aim.target is None else f"{'>=' if aim.at_least else '<='} {number(aim.target)}"
    met = {None: "", True: "met", False: "not met"}[aim.met]
    return [aim.name, *(f"{number(value)}{aim.unit}" for value in aim.found), target, met]


def _facts(bench: Bench, place: str) -> list[tuple[str, str]]:
    used, start = bench.usage, statistics.median(bench.start_seconds)
    processors = {**used.others, "load": used.load}
    per_transfer = ", ".join(
        f"{name} {seconds / used.events * 1e6:.0f} us" for name, seconds in processors.items()
    )
    memory = {
        f"memory of the {process}": ", ".join(
            f"{found[name] / 1e6:.0f} MB {when}" for name, when in MEMORY.items() if name in found
        )
        for process, found in bench.memory.items()
    }
    return [
        ("store", f"{bench.inside.kind}, in {place}"),
        ("ledger", {"compiled": "compiled rooms", "pure": "pure Python"}[compiled.kind()]),
        ("machine", f"{os.cpu_count()} cores, load average {bench.load_before:.1f} before the start"),
        ("CPU a transfer", f"{per_transfer}; the load takes {used.load / used.seconds:.0%} of a core"),
        *memory.items(),
        ("server start", f"{start:.1f} s until the first answer, with {bench.events:,} events or more"),
        ("checked", f"{bench.head:,} events, compared with a model of who owns which unit"),
    ]


def number(value: float | None) -> str:
    """Return a number with separators, an empty text for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= WHOLE else f"{value:.3g}"


def _milliseconds(seconds: float | None) -> str:
    return number(None if seconds is None else seconds * 1_000)
