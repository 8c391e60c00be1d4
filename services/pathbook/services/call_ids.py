"""The id of a call: what its caller named it, or a random one. Each log line of the call has it, and its trailer."""

import re
import secrets
from collections.abc import Iterable
from typing import Final

CALL_ID_KEY: Final = "x-request-id"
"""The key of the id in the metadata of a call, and in its trailer."""

TRACE_KEY: Final = "traceparent"
"""The key of a trace in the metadata of a call (W3C Trace Context)."""

_CALL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TRACE: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)

ID_BYTES: Final = 8


def call_id(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the id of a call from its metadata: a well-formed `x-request-id`, else the id of its trace.

    A caller that names neither gets a random id. What is not well-formed is not used, because ids are logged.
    """
    given = {key: value for key, value in metadata or () if key in (CALL_ID_KEY, TRACE_KEY)}
    named, trace = given.get(CALL_ID_KEY), given.get(TRACE_KEY)
    if isinstance(named, str) and _CALL_ID.fullmatch(named):
        return named
    if isinstance(trace, str) and (found := _TRACE.fullmatch(trace)):
        return found[1]
    return secrets.token_hex(ID_BYTES)
