"""The client waits before a retry for as long as the server asks, and not at all if that is too long."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from pathbook.client import Client, RefusedError
from pathbook.services.translate.statuses import Failure, failed
from pathbook.v1 import events_pb2

METHOD = "GetHead"


class Away:
    """A server whose database is away for the first calls. It keeps when it was called."""

    def __init__(self) -> None:
        self.failures = [Failure.STORE_UNAVAILABLE, Failure.STORE_UNAVAILABLE]
        self.called_at: list[float] = []
        self.target = ""

    def answer(
        self,
        _request: events_pb2.GetHeadRequest,
        context: grpc.ServicerContext,
    ) -> events_pb2.GetHeadResponse:
        """Fail, or answer."""
        self.called_at.append(time.monotonic())
        if self.failures:
            failure = failed(self.failures.pop(0))
            context.set_trailing_metadata(failure.trailer())
            context.abort(failure.code, failure.message)
        return events_pb2.GetHeadResponse(position=7)


@pytest.fixture
def away() -> Iterator[Away]:
    """A server that answers one method."""
    answering = Away()
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(
        answering.answer,
        events_pb2.GetHeadRequest.FromString,
        events_pb2.GetHeadResponse.SerializeToString,
    )
    service = events_pb2.DESCRIPTOR.services_by_name["EventService"].full_name
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {METHOD: handler})])
    answering.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield answering
    server.stop(None)


def test_a_retry_comes_after_the_pause_that_the_server_asks_for(away: Away) -> None:
    """Each of two failures asks for 0.2 seconds, more than the client's own first pauses."""
    with Client(away.target, book="masks", retry_seconds=30) as client:
        assert client.get_head().position == 7
    first, second, third = away.called_at
    assert min(second - first, third - second) >= 0.2


def test_there_is_no_retry_if_the_server_asks_for_too_long_a_pause(away: Away) -> None:
    """A read-only database asks for five seconds. A client with less time says at once what is wrong."""
    away.failures = [Failure.STORE_READ_ONLY]
    with (
        Client(away.target, book="masks", retry_seconds=4.5) as client,
        pytest.raises(RefusedError) as refused,
    ):
        client.get_head()
    assert refused.value.reason == "STORE_READ_ONLY"
    assert len(away.called_at) == 1
