"""The spans of calls, for whatever traces them. None are made unless an operator asks for it."""

import contextlib
from collections.abc import Callable, Iterable
from typing import TypeAlias

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]
"""The metadata of a call."""

Ended: TypeAlias = Callable[[int], object]
"""A function that is told the status code with which a call ends."""


class Spans:
    """Makes none. `pathbook.services.operations.tracing` has those of OpenTelemetry."""

    def call(
        self,
        method: str,  # noqa: ARG002 - used by the spans that are made
        metadata: Metadata,  # noqa: ARG002 - as above
        call_id: str,  # noqa: ARG002 - as above
    ) -> contextlib.AbstractContextManager[Ended]:
        """Surround a call with a span. What the block yields must be told the status code of the call."""
        return _NONE


def _ignore(_code: int) -> None:
    pass


_NONE = contextlib.nullcontext[Ended](_ignore)
