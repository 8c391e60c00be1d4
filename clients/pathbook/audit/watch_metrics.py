"""The state of a watch as metrics that Prometheus reads from a port of this machine."""

import contextlib
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

LOOPBACK: Final = "127.0.0.1"
"""Where the metrics are served: only this machine can read them."""


class WatchMetrics:
    """What is known of one book. Times are in seconds since 1970 UTC."""

    def __init__(self) -> None:
        self._collectors = CollectorRegistry()
        self.up = self._gauge("up", "Whether the server answered the last look: 1 or 0.")
        self.difference = self._gauge(
            "difference", "Whether a difference was found: 1 or 0. Then the watch ends."
        )
        self.replayed = self._gauge("replayed_events", "How many events were replayed.")
        self.checkpoint = self._gauge("checkpoint_events", "How many events the newest checkpoint is of.")
        self.sealed = self._gauge("sealed_position", "The position up to which the book is sealed.")
        self.compared = self._gauge(
            "compared_position", "The position at which the views were compared last."
        )
        self.cosigned = self._gauge(
            "cosigned_events", "How many events the last checkpoint is of that was cosigned."
        )
        self.recorded = self._gauge("recorded_time_seconds", "When the last replayed event was recorded.")
        self.looked = self._gauge(
            "look_time_seconds", "When the book was looked at last without a difference."
        )
        self.looks = Counter(
            "pathbook_audit_looks",
            "How often the book was looked at.",
            ["outcome"],
            registry=self._collectors,
        )

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"pathbook_audit_{name}", what, registry=self._collectors)

    def value(self, name: str, labels: dict[str, str]) -> float | None:
        """Return the value of a metric by its name without the prefix, None if it has none yet."""
        return self._collectors.get_sample_value(f"pathbook_audit_{name}", labels)

    @contextlib.contextmanager
    def served(self, port: int) -> Iterator[int]:
        """Serve the metrics while the caller does something else. Yield the port, which is chosen for 0.

        Raises:
            OSError: the port is in use.
        """
        server, thread = start_http_server(port, LOOPBACK, self._collectors)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
