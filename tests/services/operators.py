"""Asks the port for operators, and reads the metrics as Prometheus reads them."""

import http.client
import time
from collections.abc import Callable
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.books import PATIENCE

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""The values of all samples, by name and labels."""

ANSWER_TIMEOUT_S: Final = 20.0


def ask(address: str, page: str, method: str = "GET") -> tuple[int, str]:
    """Return the status and the text of a page."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request(method, page)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def figures(text: str) -> Figures:
    """Return the samples of a page of metrics."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(address: str, name: str, **labels: str) -> float | None:
    """Return the value of a metric now; None if it has no such sample."""
    status, text = ask(address, "/metrics")
    assert status == 200, text
    return figures(text).get((name, tuple(sorted(labels.items()))))


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail if that takes too long."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
