"""A bench as people read it: the phases, each aim beside what came of it, and what else there is to know."""

import os
import statistics
from typing import Final

from pathbook.bench.bench import Bench
from pathbook.bench.figures import Figure
from pathbook.bench.targets import Judged, judged
from pathbook.cli import output

PHASES: Final = ("phase", "a second", "least", "most", "in views", "p50 ms", "p99 ms")
AIMS: Final = ("beside its floor", "found", "least", "most", "target", "")

WHOLE: Final = 100
"""From here on a number is printed without decimals; below with three figures."""

MEMORY: Final = {"VmRSS": "in the end", "VmHWM": "at the most"}
"""What Linux calls the memory of a process, and what it is called here."""


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
    a_transfer = ", ".join(
        f"{name} {seconds / used.events * 1e6:.0f} us" for name, seconds in processors.items()
    )
    memory = {
        f"memory of the {process}": ", ".join(
            f"{told[name] / 1e6:.0f} MB {when}" for name, when in MEMORY.items() if name in told
        )
        for process, told in bench.memory.items()
    }
    return [
        ("store", f"{bench.inside.kind}, in {place}"),
        ("machine", f"{os.cpu_count()} cores, wanted by {bench.load_before:.1f} others before it began"),
        ("CPU a transfer", f"{a_transfer}; the load takes {used.load / used.seconds:.0%} of a core"),
        *memory.items(),
        ("server's start", f"{start:.1f} s until it answers, with {bench.events:,} events and more"),
        ("checked", f"{bench.head:,} events, held against a model of who owns which unit"),
    ]


def number(value: float | None) -> str:
    """Return a number as people read it, nothing for none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= WHOLE else f"{value:.3g}"


def _milliseconds(seconds: float | None) -> str:
    return number(None if seconds is None else seconds * 1_000)
