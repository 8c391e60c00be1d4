"""Begins what operators asked for: counts, spans, and the port. What they did not ask for is not even loaded.

The client library of Prometheus takes a tenth of a second to load, and so does that of OpenTelemetry.
"""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from pathbook.services.callers import is_loopback
from pathbook.services.metrics import Metrics
from pathbook.services.operations.readiness import Readiness
from pathbook.services.spans import Spans

if TYPE_CHECKING:  # imported when a port is opened
    from pathbook.services.operations.http_server import OperationsServer

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Names the directory of several processes that count to the client library, which reads it when it is imported."""

TRACING_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
"""How the variables begin that name a collector of spans."""

ALIVE_TIMEOUT_S: Final = 2.0
"""How long an event loop may take for a sign of life. A slice of a bulk read takes some milliseconds."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def counting(directory: str = "") -> Metrics:
    """Return metrics that are counted in this process. With a directory, several processes count in it together.

    Call it with a directory before anything else of the client library, and once in a process.
    """
    if directory:
        os.environ[DIRECTORY_VARIABLE] = directory
    from pathbook.services.operations.prometheus import PrometheusMetrics  # noqa: PLC0415 - it reads the variable

    return PrometheusMetrics()


def tracing() -> Spans:
    """Return the spans of calls: those of OpenTelemetry, if it is installed and the environment names a collector."""
    if not any(name.startswith(TRACING_PREFIX) for name in os.environ):
        return Spans()
    try:
        from pathbook.services.operations.tracing import spans_to_collector  # noqa: PLC0415 - an extra has it
    except ModuleNotFoundError as error:
        _LOG.warning("calls are not traced", missing=error.name, command="pip install 'pathbook[otel]'")
        return Spans()
    return spans_to_collector()


def open_port(
    listen: str, metrics: Metrics, readiness: Readiness, alive: Callable[[], str], ready: Callable[[], str]
) -> "OperationsServer":
    """Answer operators on HOST:PORT for a server that is one process. Raises OSError as `OperationsServer`."""
    from pathbook.services.operations import prometheus  # noqa: PLC0415 - it is loaded only if it is asked for
    from pathbook.services.operations.http_server import OperationsServer  # noqa: PLC0415 - as above

    counted = metrics if isinstance(metrics, prometheus.PrometheusMetrics) else None
    return _opened(OperationsServer(listen, alive, ready, prometheus.page(counted, readiness)))


def open_port_of_processes(
    listen: str,
    directory: str,
    readiness: Readiness,
    alive: Callable[[], str],
    states: Callable[[], tuple[int, int]],
) -> "OperationsServer":
    """Answer operators on HOST:PORT for a server of several processes, which count in a directory.

    ``states`` returns how many workers are ready, and how often a process was started again. Raises OSError as above.
    """
    from pathbook.services.operations import prometheus  # noqa: PLC0415 - as above
    from pathbook.services.operations.http_server import OperationsServer  # noqa: PLC0415 - as above

    def ready() -> str:
        return readiness.problem if states()[0] else "no worker is ready"

    page = prometheus.page_of_processes(directory, readiness, states)
    return _opened(OperationsServer(listen, alive, ready, page))


def forget_process(pid: int, directory: str) -> None:
    """Forget what was only true while a process lived, such as its open streams."""
    from pathbook.services.operations import prometheus  # noqa: PLC0415 - as above

    prometheus.forget_process(pid, directory)


def sign_of_life(loop: asyncio.AbstractEventLoop) -> Callable[[], str]:
    """Return what asks an event loop for a sign of life, from another thread: "", or why there is none."""

    def alive() -> str:
        try:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(ALIVE_TIMEOUT_S)
        except TimeoutError:
            return f"the event loop has not answered for {ALIVE_TIMEOUT_S:.0f} s"
        return ""

    return alive


def _opened(port: "OperationsServer") -> "OperationsServer":
    _LOG.info("answering operators", address=port.address)
    if not is_loopback(port.address):
        _LOG.warning("any caller that reaches this address can read metrics and health", address=port.address)
    return port
