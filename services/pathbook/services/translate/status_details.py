"""The details of a failed call as bytes: a google.rpc.Status with an ErrorInfo, and when to retry."""

import datetime
from functools import lru_cache
from typing import Final

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

DOMAIN: Final = "pathbook"
"""The domain of every ErrorInfo. Domain and reason together are unique among all APIs."""

DETAILS_KEPT_MAX: Final = 128
"""How many details of failures that may be retried are kept. Who is refused by a limit, or while views are rebuilt,
calls again, and gets the same ones."""


def details(
    code: StatusCode, reason: str, message: str, facts: tuple[tuple[str, str], ...], retry_delay: float
) -> bytes:
    """Return the serialized google.rpc.Status of a failed call. A ``retry_delay`` (seconds) of 0 is not told."""
    detail = Any()
    detail.Pack(ErrorInfo(reason=reason, domain=DOMAIN, metadata=dict(facts)))
    told = [detail]
    if retry_delay:
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(datetime.timedelta(seconds=retry_delay))
        told.append(Any())
        told[-1].Pack(retry)
    status: bytes = Status(code=code.value[0], message=message, details=told).SerializeToString()
    return status


kept_details: Final = lru_cache(DETAILS_KEPT_MAX)(details)
"""Returns the same as `details`, and keeps it."""
