"""When a call is repeated, and after which pause."""

import time
from typing import Final

import grpc

from pathbook.client.errors import RefusedError, client_error

RETRY_FIRST_DELAY_S: Final = 0.05
"""The pause before the first retry. Each further pause is twice as long."""

RETRY_MAX_DELAY_S: Final = 1.0
"""The longest pause between two retries."""


class RetryPolicy:
    """Decides whether to retry after an error, and waits before the retry."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        """Start again after an answer: the time for retries counts from the next failure."""
        self._until: float | None = None
        self._pause = RETRY_FIRST_DELAY_S

    def wait(self, error: grpc.RpcError) -> None:
        """Sleep before a retry if a retry may help; raise as ``pause`` if not."""
        time.sleep(self.pause(error))

    def pause(self, error: grpc.RpcError) -> float:
        """Return the seconds to wait before a retry if a retry may help; raise the client's exception if not.

        A server that answers says how long to wait (google.rpc.RetryInfo), if a retry helps. If the time for retries
        ends before that, there is no retry.

        Raises:
            RefusedError: The server refused the call.
            UnreachableError: No server answered in the time for retries, or not before the deadline.
        """
        failed = client_error(error, self._target)
        now = time.monotonic()
        self._until = now + self._seconds if self._until is None else self._until
        asked = failed.retry_delay if isinstance(failed, RefusedError) else 0.0
        is_limit = failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED and isinstance(failed, RefusedError)
        may_pass = failed.code is grpc.StatusCode.UNAVAILABLE or is_limit
        if not may_pass or asked is None or now + asked >= self._until:
            raise failed from None
        pause, self._pause = max(self._pause, asked), min(2 * self._pause, RETRY_MAX_DELAY_S)
        return pause
