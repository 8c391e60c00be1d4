"""The metrics of a server in the format of Prometheus: its own counts, and what the databases hold.

Several processes of one server count in files of one directory, as the client library of Prometheus does it. The
process that started them adds the files up. What the databases hold is read by the process that is asked.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pathbook.ledger.store.views.lag import CHECKPOINTS_NAME, Lag
from pathbook.services.metrics import Metrics
from pathbook.services.operations.readiness import Readiness
from pathbook.services.translate.statuses import LIMITS

CALL_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the durations of calls."""

APPEND_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Bounds of the durations of appends. One to a disk takes some milliseconds."""

GROUP_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Bounds of the events of an append."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types; each would double the series

LIMIT_NAMES: Final = frozenset(limit.name for limit in LIMITS)


class PrometheusMetrics(Metrics):
    """Counts in this process, or in files of the directory that `counting` was given.

    Attributes:
        registry: of the counts.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._calls = Counter(
            "pathbook_calls", "Calls, by method and status code.", ("method", "code"), registry=registry
        )
        self._call_seconds = Histogram(
            "pathbook_call_seconds", "How long calls took. A subscription is a call, too.", ("method",),
            buckets=CALL_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._refusals = Counter(
            "pathbook_refusals", "Calls and entries of batches that were refused or failed, by reason.",
            ("reason",), registry=registry,
        )  # fmt: skip
        self._limits = Counter(
            "pathbook_limits_hit", "Calls that met a limit against abuse, by limit.", ("limit",), registry=registry
        )  # fmt: skip
        self._append_seconds = Histogram(
            "pathbook_append_seconds", "How long a turn of a writer took, until its events were on disk.",
            buckets=APPEND_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._append_events = Histogram(
            "pathbook_append_events", "How many events were appended together (group commit).",
            buckets=GROUP_BUCKETS, registry=registry,
        )  # fmt: skip
        self._verifies = Counter(
            "pathbook_verifies", "Questions about printed codes, by what came of them: ANSWERED, or a reason.",
            ("verdict",), registry=registry,
        )  # fmt: skip
        self._streams = Gauge(
            "pathbook_open_streams", "Streams that are open now.",
            multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self._known: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        for name in LIMIT_NAMES:
            self._limits.labels(name)  # an alert needs the zero before the first hit

    def call(self, method: str, code: str, seconds: float) -> None:
        """Count a call."""
        known = self._known.get((method, code))
        if known is None:  # to look for the labels takes longer than to count
            name = method.rpartition(".")[2]
            known = self._known[method, code] = (
                self._calls.labels(name, code),
                self._call_seconds.labels(name),
            )
        known[0].inc()
        known[1].observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a reason, as a refusal or as a limit."""
        (self._limits if reason in LIMIT_NAMES else self._refusals).labels(reason).inc()

    def committed(self, events: int, seconds: float) -> None:
        """Count a turn of a writer."""
        self._append_seconds.observe(seconds)
        self._append_events.observe(events)

    def verified(self, verdict: str) -> None:
        """Count a question about a code."""
        self._verifies.labels(verdict).inc()

    def streams(self, change: int) -> None:
        """Count a stream that begins or ends."""
        self._streams.inc(change)


class _Databases(Collector):
    """What the databases held when they were last looked at, and whether the server is ready."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def collect(self) -> Iterable[Metric]:
        """Yield the figures. If the databases cannot be read, those that come from them are left out."""
        progress = self._readiness.progress
        yield GaugeMetricFamily(
            "pathbook_ready", "Whether the server may get calls.", float(not self._readiness.problem)
        )
        yield GaugeMetricFamily(
            "pathbook_database_up", "Whether the databases can be read.", float(progress is not None)
        )
        lag_events = GaugeMetricFamily(
            "pathbook_lag_events",
            "Events that a projection lacks, in the book in which it lacks most.",
            labels=["projection"],
        )
        lag_seconds = GaugeMetricFamily(
            "pathbook_lag_seconds",
            "Seconds since the first event that a projection lacks was recorded, in the book where it is the longest.",
            labels=["projection"],
        )
        age = GaugeMetricFamily(
            "pathbook_checkpoint_age_seconds",
            "Seconds since the first event was recorded that no signed checkpoint covers; 0 if all are covered.",
        )
        books = GaugeMetricFamily("pathbook_books", "Books that have an event.")
        events = GaugeMetricFamily("pathbook_log_events", "Events of all books.")
        if progress is not None:
            books.add_metric([], progress.books)
            events.add_metric([], progress.events)
            for name, lag in progress.lags.items():
                lag_events.add_metric([name], lag.events)
                lag_seconds.add_metric([name], _seconds(lag))
            if CHECKPOINTS_NAME in progress.lags:
                age.add_metric([], _seconds(progress.lags[CHECKPOINTS_NAME]))
        yield from (books, events, lag_events, lag_seconds, age)


class _Processes(Collector):
    """The processes of a server: how many are up, and how often one was started again."""

    def __init__(self, states: Callable[[], tuple[int, int]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """Yield the figures."""
        up, restarts = self._states()
        yield GaugeMetricFamily("pathbook_processes_up", "Processes of this server that are ready.", up)
        yield CounterMetricFamily(
            "pathbook_process_restarts",
            "Processes of this server that ended and were started again.",
            restarts,
        )


def page(metrics: PrometheusMetrics | None, readiness: Readiness) -> Callable[[], bytes]:
    """Return what writes the page of a server that is one process. Without ``metrics``, it has only the databases."""
    shown = CollectorRegistry()
    shown.register(_Databases(readiness))

    def write() -> bytes:
        return (generate_latest(metrics.registry) if metrics is not None else b"") + generate_latest(shown)

    return write


def page_of_processes(
    directory: str, readiness: Readiness, states: Callable[[], tuple[int, int]]
) -> Callable[[], bytes]:
    """Return what writes the page of a server of several processes, which count in a directory.

    ``states`` returns how many of them are ready, and how often one was started again.
    """
    shown = CollectorRegistry()
    multiprocess.MultiProcessCollector(shown, directory)  # type: ignore[no-untyped-call]  # it has no types
    shown.register(_Databases(readiness))
    shown.register(_Processes(states))
    return lambda: generate_latest(shown)


def forget_process(pid: int, directory: str) -> None:
    """Forget what is only true while a process lives, such as its open streams. What it counted stays."""
    multiprocess.mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]  # it has no types


def _seconds(lag: Lag) -> float:
    """Return for how long the first event waits that a projection lacks."""
    if not lag.events:
        return 0.0
    return float("nan") if lag.since is None else max(0.0, time.time() - lag.since / 1_000_000)
