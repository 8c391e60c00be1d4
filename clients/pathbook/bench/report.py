"""A bench as one JSON object for scripts. The command line prints tables of the same figures."""

import os
import platform
import statistics

from pathbook.bench.bench import Bench
from pathbook.bench.figures import Figure
from pathbook.bench.targets import Judged, judged
from pathbook.ledger import compiled


def as_object(bench: Bench, place: str) -> dict[str, object]:
    """Return all figures: rates a second, seconds, bytes. Null stands for a figure that the system does not report."""
    used = bench.usage
    return {
        "where": {
            "store": bench.inside.kind,
            "place": place,
            "python": platform.python_version(),
            "ledger": compiled.kind(),
            "cores": os.cpu_count(),
            "load_before": bench.load_before,
        },
        "phases": [_phase(figure) for figure in bench.figures],
        "targets": [_target(target) for target in judged(bench)],
        "bytes_per_event": {
            "log": bench.log_bytes / bench.events,
            "views": bench.views_bytes / bench.events,
        },
        "memory_bytes": {
            name: {"now": sizes.get("VmRSS"), "most": sizes.get("VmHWM")}
            for name, sizes in bench.memory.items()
        },
        "server_start_seconds": statistics.median(bench.start_seconds),
        "recording": {
            "cpu_seconds_per_event": {
                name: seconds / used.events for name, seconds in {**used.others, "load": used.load}.items()
            },
            "load_share_of_a_core": used.load / used.seconds,
        },
        "events_checked": bench.head,
        "took_seconds": bench.phase_seconds,
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


def _target(judged_target: Judged) -> dict[str, object]:
    return {
        "name": judged_target.name,
        "unit": judged_target.unit.strip(),
        "found": judged_target.found.median,
        "least": judged_target.found.least,
        "most": judged_target.found.most,
        "target": judged_target.target,
        "at_least": judged_target.at_least,
        "met": judged_target.met,
    }
