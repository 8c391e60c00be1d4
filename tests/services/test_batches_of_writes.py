"""Batches of writes on one call: single or all-or-nothing, unreadable entries, and malformed messages."""

import gc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status.rpc_status import from_call

from pathbook.client import Client, select
from pathbook.client.bulk import as_entry
from pathbook.services.access.control import Admission
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.refusals_pb2 import (
    REFUSAL_REASON_NO_UNITS,
    REFUSAL_REASON_OTHER_ENTRY_REFUSED,
    REFUSAL_REASON_PARTY_UNKNOWN,
    REFUSAL_REASON_VALUE_MISSING,
)
from pathbook.v1.transfers_pb2 import (
    RECORD_TRANSFERS_MODE_ALL_OR_NOTHING,
    RECORD_TRANSFERS_MODE_EACH,
    RecordTransferRequest,
    RecordTransfersEntry,
    RecordTransfersRequest,
    RecordTransfersResponse,
    RecordTransfersResult,
    ReturnUnitsRequest,
    SellUnitsRequest,
)
from pathbook.v1.transfers_pb2_grpc import TransferServiceStub
from pathbook.v1.values_pb2 import Price, Selection
from tests.services.masks import BEGUN, BOOK, begin, boxes, refused

KEPT_MAX: Final = 30
"""So many batches of a call are never under way at once."""

NO_MESSAGE: Final = b"\x0a\xff"
"""A string whose stated length goes beyond the message."""


def write(request_id: str, units: Selection, receiver: str = "ann") -> RecordTransferRequest:
    """Return a transfer from acme."""
    return RecordTransferRequest(
        request_id=request_id,
        giver="acme",
        receiver=receiver,
        units=units,
        unit_price=Price(amount_minor=15_000, currency_code="CNY"),
    )


def summarize(results: Sequence[RecordTransfersResult]) -> list[int]:
    """Return the position of each recorded entry, and the negated reason of each refused one."""
    return [item.receipt.position if item.HasField("receipt") else -item.refusal.reason for item in results]


def test_a_batch_may_be_all_or_nothing(client: Client) -> None:
    """The refused entry gives its reason, the others name that entry, and the corrected batch is recorded."""
    begin(client)
    batch = [write("a", boxes(0, 9)), write("b", boxes(10, 19), "zoe"), write("c", boxes(20, 29))]
    (results,) = client.record_transfers([batch], all_or_nothing=True)
    assert summarize(results) == [
        -REFUSAL_REASON_OTHER_ENTRY_REFUSED,
        -REFUSAL_REASON_PARTY_UNKNOWN,
        -REFUSAL_REASON_OTHER_ENTRY_REFUSED,
    ]
    assert dict(results[0].refusal.metadata) == {"entry": "2"}
    assert results[2].refusal.message.startswith("Not recorded, because entry 2 of its batch was refused.")
    assert client.get_head().position == BEGUN
    batch[1].receiver = "bob"
    (results,) = client.record_transfers([batch], all_or_nothing=True)
    assert summarize(results) == [8, 9, 10]
    (results,) = client.record_transfers([[*batch, write("d", boxes(0, 0))]], all_or_nothing=True)
    assert [item.receipt.duplicate for item in results] == [True, True, True, False]
    assert summarize(results)[:3] == [8, 9, 10]
    assert client.get_head().position == 10


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_an_unreadable_entry_is_refused_in_its_place(client: Client, all_or_nothing: bool) -> None:
    """An entry without a write, without units or without a price does not end the call."""
    begin(client)
    without_price = RecordTransferRequest(giver="acme", receiver="ann", units=boxes(0, 0))
    entries = [
        as_entry(write("a", boxes(0, 9))),
        RecordTransfersEntry(),
        as_entry(SellUnitsRequest(seller="acme", consumer="eve")),
        as_entry(without_price),
        as_entry(ReturnUnitsRequest(owner="acme", units=select())),
    ]
    mode = RECORD_TRANSFERS_MODE_ALL_OR_NOTHING if all_or_nothing else RECORD_TRANSFERS_MODE_EACH
    request = RecordTransfersRequest(book=BOOK, entries=entries, mode=mode)
    (response,) = record(client, [request])
    missing = -REFUSAL_REASON_VALUE_MISSING
    first = -REFUSAL_REASON_OTHER_ENTRY_REFUSED if all_or_nothing else BEGUN + 1
    assert summarize(response.results) == [first, missing, missing, missing, -REFUSAL_REASON_NO_UNITS]
    fields = [item.refusal.metadata["field"] for item in response.results[1:4]]
    assert fields == ["entry", "units", "unit_price"]


@pytest.mark.parametrize("demands_tokens", [False, True])
def test_a_server_keeps_no_batch_that_it_has_answered(tmp_path: Path, demands_tokens: bool) -> None:
    """An import sends thousands of batches on one call. The server has those in memory that wait for an answer."""
    settings = Settings(data=tmp_path / "books", listen="127.0.0.1:0", demands_tokens=demands_tokens)
    with running(settings) as port:
        token = (settings.data / OPERATOR_TOKEN_FILE).read_text("ascii").strip() if demands_tokens else ""
        with Client(f"127.0.0.1:{port}", book=BOOK, token=token, retry_seconds=0) as client:
            begin(client)
            batches = ([write(f"{number}", boxes(number, number))] for number in range(3 * KEPT_MAX))
            for number, _ in enumerate(client.record_transfers(batches), 1):
                if number % KEPT_MAX == 0:
                    assert sum(type(each) is Admission for each in gc.get_objects()) < KEPT_MAX


def record(client: Client, requests: Iterable[RecordTransfersRequest]) -> list[RecordTransfersResponse]:
    """Send batches without the client's own code."""
    with grpc.insecure_channel(client.target) as channel:
        return list(TransferServiceStub(channel).RecordTransfers(iter(requests)))


def test_a_mode_of_a_later_version_is_refused(client: Client) -> None:
    """The server refuses a batch whose mode it does not know."""
    begin(client)
    with pytest.raises(grpc.RpcError, match="mode is missing"):
        record(client, [RecordTransfersRequest(book=BOOK, mode=99)])  # type: ignore[arg-type] # a later client may send it


def reason(error: grpc.RpcError) -> str:
    """Return the status code and the reason of a failed call."""
    assert isinstance(error, grpc.Call)
    status = from_call(error)
    assert status is not None
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return f"{error.code().name} {info.reason}"


@pytest.mark.parametrize(
    "method", ["TransferService/RecordTransfer", "PathService/GetPath", "BatchService/CommissionBatch"]
)
def test_a_malformed_message_is_refused_by_name(client: Client, method: str) -> None:
    """A request that is no protobuf message is refused as an invalid argument."""
    with grpc.insecure_channel(client.target) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/pathbook.v1.{method}")
        with pytest.raises(grpc.RpcError) as error:
            call(NO_MESSAGE)
    assert reason(error.value) == "INVALID_ARGUMENT MESSAGE_MALFORMED"


def test_a_malformed_message_of_a_streaming_call_is_refused(client: Client) -> None:
    """A malformed request is refused in the same way if the answer is a stream."""
    with grpc.insecure_channel(client.target) as channel:
        call: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
            "/pathbook.v1.EventService/Read"
        )
        with pytest.raises(grpc.RpcError) as error:
            list(call(NO_MESSAGE))
    assert reason(error.value) == "INVALID_ARGUMENT MESSAGE_MALFORMED"


def test_a_malformed_message_ends_a_call_after_the_earlier_answers(client: Client) -> None:
    """The batches before a malformed message are recorded and answered, and then the call ends."""
    begin(client)
    good = RecordTransfersRequest(book=BOOK, entries=[as_entry(write("a", boxes(0, 9)))])
    sent = iter([good.SerializeToString(), NO_MESSAGE])
    with grpc.insecure_channel(client.target) as channel:
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            "/pathbook.v1.TransferService/RecordTransfers"
        )
        answers = iter(call(sent))
        assert summarize(RecordTransfersResponse.FromString(next(answers)).results) == [BEGUN + 1]
        with pytest.raises(grpc.RpcError) as error:
            next(answers)
    assert reason(error.value) == "INVALID_ARGUMENT MESSAGE_MALFORMED"
    assert client.get_head().position == BEGUN + 1


def test_a_batch_with_too_many_ranges_is_refused_as_a_whole(client: Client) -> None:
    """The limit counts the ranges of all entries together, and none of the entries is recorded."""
    begin(client)
    many = [write(str(number), select(ranges=[(1, number, number)] * 101)) for number in range(100)]
    with refused("TOO_MANY_RANGES"):
        list(client.record_transfers([many]))
    assert client.get_head().position == BEGUN
