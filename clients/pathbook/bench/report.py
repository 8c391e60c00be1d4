"""A bench as one object for scripts; the command line draws its tables of the same."""

import os
import platform
import statistics

from pathbook.bench.bench import Bench
from pathbook.bench.figures import Figure
from pathbook.bench.targets import Judged, judged


def as_object(bench: Bench, place: str) -> dict[str, object]:
    """Return all that was measured: rates a second, seconds, bytes. What nobody tells is null."""
    used = bench.usage
    return {
        "where": {
            "store": bench.inside.kind,
            "place": place,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_before": bench.load_before,
        },
        "phases": [_phase(figure) for figure in bench.figures],
        "targets": [_aim(aim) for aim in judged(bench)],
        "bytes_per_event": {
            "log": bench.log_bytes / bench.events,
            "views": bench.views_bytes / bench.events,
        },
        "memory_bytes": {
            name: {"now": told.get("VmRSS"), "most": told.get("VmHWM")} for name, told in bench.memory.items()
        },
        "server_start_seconds": statistics.median(bench.start_seconds),
        "recording": {
            "cpu_seconds_per_event": {
                name: seconds / used.events for name, seconds in {**used.others, "load": used.load}.items()
            },
            "load_share_of_a_core": used.load / used.seconds,
        },
        "events_checked": bench.head,
        "took_seconds": bench.took,
    }


def _phase(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "counted": figure.counted,
        "per_second": figure.rate,
        "views_per_second": figure.views_rate,
        "p50_seconds": figure.wait(50),
        "p99_seconds": figure.wait(99),
        "rounds": figure.rates,
    }


def _aim(aim: Judged) -> dict[str, object]:
    return {
        "name": aim.name,
        "unit": aim.unit.strip(),
        "found": aim.found.median,
        "least": aim.found.least,
        "most": aim.found.most,
        "target": aim.target,
        "at_least": aim.at_least,
        "met": aim.met,
    }
