"""Other people's clients, which know only the .proto files, get the same answers as the Python client."""

import base64
import datetime
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pathbook.client import Client, select
from pathbook.v1 import (
    batches_pb2,
    books_pb2,
    corrections_pb2,
    events_pb2,
    parties_pb2,
    parties_pb2_grpc,
    paths_pb2,
    servers_pb2,
    transfers_pb2,
)
from pathbook.v1.transfers_pb2 import TRANSFER_SIDE_GIVER, TRANSFER_SIDE_RECEIVER
from pathbook.v1.values_pb2 import TRANSFER_STATUS_DECLINED
from tests.services.masks import BOOK, MASK, begin, boxes, moved, opened, yuan

HERE: Final = Path(__file__).parent
CONTRACT: Final = HERE.parents[1] / "proto"
BUF: Final = Path(sys.executable).parent / "buf"
PROGRAMS: Final = ("node", "npm")
UNREACHABLE: Final = re.compile(r"\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED)\b")
SLOW: Final = 300.0
"""Seconds that a program of others may take on a busy machine before the test fails."""


class Asked(NamedTuple):
    """A call: its service, its method, the fields of its request, and the name of the list in its answer, or ""."""

    service: str
    method: str
    request: dict[str, object]
    list: str = ""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a book with offers, references, sales, returns, recalls and corrections."""
    with opened(tmp_path_factory.mktemp("books")) as client:
        begin(client)
        client.authorize_party("ann", upline="acme", tier=1, request_id="may")
        client.authorize_party("bob", upline="ann", tier=2)
        for number in range(12):
            moved(client, number * 10, number * 10 + 9, reference=f"DN {number % 5}" if number < 5 else "")
        moved(client, 0, 9, reference="DN 0", reported_by="ann")
        deadline = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
        offers = [
            client.offer_transfer(
                giver="ann",
                receiver="bob",
                units=boxes(first, first),
                unit_price=yuan(180),
                deadline=deadline,
            ).receipt.position
            for first in range(0, 50, 7)
        ]
        client.accept_transfer(offers[0], receiver="bob")
        client.decline_transfer(offers[1], receiver="bob", note="too dear")
        client.sell_units(
            seller="bob",
            consumer="c-1",
            units=select(quantities=[(1, 1)]),
            unit_price=yuan(280),
            request_id="till 1",
        )
        client.recall_units(1, brand="acme", ranges=[(1, 900, 909)], note="sharp")
        client.correct_product(MASK, brand="acme", name="Mask")
        yield client


def asked() -> list[Asked]:
    """Return a call of each list, and of the lookups beside them."""
    book: dict[str, object] = {"book": BOOK}
    of_ann: dict[str, object] = {**book, "party": "ann"}
    return [
        Asked("PathService", "ListHolders", {**book, "batch": 1, "page_size": 3}, "holders"),
        Asked("PathService", "ListHolders", {**book, "gtin": MASK, "lot": "L1", "page_size": 1,
              "ranges": [{"first": 2, "last": 11}, {"batch": 1, "first": 50, "last": 50}]}, "holders"),
        Asked("PathService", "ListStock", {**of_ann, "page_size": 2}, "stock"),
        Asked("TransferService", "ListOffers", {**book, "party": "bob", "page_size": 2,
              "side": "TRANSFER_SIDE_RECEIVER"}, "offers"),
        Asked("TransferService", "ListOffers", {**of_ann, "side": "TRANSFER_SIDE_GIVER",
              "status": "TRANSFER_STATUS_DECLINED"}, "offers"),
        Asked("TransferService", "ListOffers", {**of_ann, "include_ended": True, "page_size": 3}, "offers"),
        Asked("TransferService", "ListTransfers", {**of_ann, "page_size": 5}, "transfers"),
        Asked("TransferService", "ListTransfers", {**of_ann, "page_size": 2, "counterparty": "acme",
              "receiver_tier": 1, "gtin": MASK, "occurred_from": {"seconds": 1}}, "transfers"),
        Asked("TransferService", "ListTransfersByReference", {**book, "reference": "DN 0"}, "transfers"),
        Asked("PartyService", "ListParties", {**book, "page_size": 3}, "parties"),
        Asked("BatchService", "ListBatches", {**book, "page_size": 1}, "batches"),
        Asked("BatchService", "ListProducts", {**book}, "products"),
        Asked("BookService", "ListBooks", {}, "books"),
        Asked("CorrectionService", "ListCorrections", {**book, "gtin": MASK}, "corrections"),
        Asked("EventService", "GetEventByRequest", {**book, "party": "bob", "request_id": "till 1"}),
        Asked("ServerService", "GetVersion", {}),
    ]  # fmt: skip


def answers(client: Client) -> list[Sequence[Message]]:
    """Return the answers of the Python client to the same calls."""
    return [
        list(client.list_holders(1)),
        list(client.list_holders((MASK, "L1"), ranges=[(0, 2, 11), (1, 50, 50)])),
        list(client.list_stock("ann")),
        list(client.list_offers("bob", side=TRANSFER_SIDE_RECEIVER)),
        list(client.list_offers("ann", side=TRANSFER_SIDE_GIVER, status=TRANSFER_STATUS_DECLINED)),
        list(client.list_offers("ann", include_ended=True)),
        list(client.list_transfers("ann")),
        list(client.list_transfers("ann", counterparty="acme", receiver_tier=1)),
        list(client.list_transfers_by_reference("DN 0")),
        list(client.list_parties()),
        list(client.list_batches()),
        list(client.list_products()),
        list(client.list_books()),
        list(client.corrections(gtin=MASK)),
        [client.get_event_by_request("till 1", party="bob")],
        [client.get_version()],
    ]


RESPONSES: Final[dict[str, type[Message]]] = {
    "ListHolders": paths_pb2.ListHoldersResponse,
    "ListStock": paths_pb2.ListStockResponse,
    "ListOffers": transfers_pb2.ListOffersResponse,
    "ListTransfers": transfers_pb2.ListTransfersResponse,
    "ListTransfersByReference": transfers_pb2.ListTransfersByReferenceResponse,
    "ListParties": parties_pb2.ListPartiesResponse,
    "ListBatches": batches_pb2.ListBatchesResponse,
    "ListProducts": batches_pb2.ListProductsResponse,
    "ListBooks": books_pb2.ListBooksResponse,
    "ListCorrections": corrections_pb2.ListCorrectionsResponse,
    "GetEventByRequest": events_pb2.GetEventByRequestResponse,
    "GetVersion": servers_pb2.GetVersionResponse,
}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the client in JavaScript, and the packages that it needs."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"There is no {program}: install Node.js to test with a client in JavaScript.")
    place = tmp_path_factory.mktemp("stranger")
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(HERE / name, place)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=SLOW)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("npm reaches no registry: connect to the network to test with a client in JavaScript.")
    assert done.returncode == 0, done.stderr
    return place


def call_as_stranger(stranger: Path, target: str, calls: Sequence[Asked]) -> list[dict[str, object]]:
    """Have the client in JavaScript make calls, and return what it got for each."""
    done = subprocess.run(
        ["node", "client.js", str(CONTRACT), target],
        cwd=stranger,
        input=json.dumps([call._asdict() for call in calls]),
        capture_output=True,
        text=True,
        check=False,
        timeout=SLOW,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def plain(message: Message) -> dict[str, object]:
    """Return a message as JavaScript sees it: with all fields by name, and numbers of 64 bits as text."""
    found: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        numbers = {} if field.enum_type is None else {v.number: v.name for v in field.enum_type.values}
        is_long = field.cpp_type == FieldDescriptor.CPPTYPE_INT64
        if field.is_repeated:
            found[field.name] = [plain_value(item, numbers, is_long=is_long) for item in value]
        elif field.message_type is not None and not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = plain_value(value, numbers, is_long=is_long)
    return found


def plain_value(value: object, numbers: dict[int, str], *, is_long: bool) -> object:
    """Return the value of a field as JavaScript sees it. ``numbers`` has the names of an enum."""
    match value:
        case Message():
            return plain(value)
        case bytes():
            return base64.b64encode(value).decode()
        case int() if numbers:
            return numbers[value]
        case _:
            return str(value) if is_long else value


def test_a_client_in_javascript_pages_through_every_list(stranger: Path, client: Client) -> None:
    """With grpc-js and the .proto files alone, each list gives what the Python client gives, page by page."""
    calls, expected = asked(), answers(client)
    for call, found, messages in zip(
        calls, call_as_stranger(stranger, client.target, calls), expected, strict=True
    ):
        if not call.list:
            assert [found["response"]] == [plain(message) for message in messages], call
            continue
        assert found.get("items") == [plain(message) for message in messages], (call, found)
        assert messages, call
        if size := call.request.get("page_size"):
            sizes = found["sizes"]
            assert isinstance(sizes, list)
            assert len(sizes) == -(-len(messages) // int(str(size))), call


def test_a_client_in_javascript_is_refused_by_name(stranger: Path, client: Client) -> None:
    """A token of another list, an unknown party and a reversed interval end the call with a sentence for people."""
    book = {"book": BOOK}
    with grpc.insecure_channel(client.target) as channel:
        parties = parties_pb2_grpc.PartyServiceStub(channel)
        token = parties.ListParties(parties_pb2.ListPartiesRequest(book=BOOK, page_size=1)).next_page_token
    calls = [
        Asked("PartyService", "ListParties", {"book": "other", "page_token": token}, "parties"),
        Asked("TransferService", "ListOffers", {**book, "party": "zoe"}, "offers"),
        Asked("EventService", "GetEventByRequest", {**book, "party": "ann", "request_id": "till 1"}),
    ]
    found = call_as_stranger(stranger, client.target, calls)
    assert [answer["code"] for answer in found] == ["INVALID_ARGUMENT", "NOT_FOUND", "NOT_FOUND"]
    assert str(found[0]["details"]).startswith("This page_token is not from this list.")
    assert str(found[2]["details"]).startswith("ann recorded nothing under request id till 1.")


@pytest.mark.parametrize("schema", [[], ["--schema", str(CONTRACT)]], ids=["reflection", "proto"])
def test_buf_curl_calls_every_list(client: Client, schema: list[str]) -> None:
    """With server reflection, or with the .proto files, `buf curl` gets the first page of each list."""
    for call, messages in zip(asked(), answers(client), strict=True):
        if schema == [] and call.method not in ("ListHolders", "GetVersion", "ListOffers"):
            continue  # each call asks for all files again
        url = f"http://{client.target}/pathbook.v1.{call.service}/{call.method}"
        request = {key: value for key, value in call.request.items() if key != "page_size"}
        if "occurred_from" in request:
            request["occurred_from"] = "1970-01-01T00:00:01Z"
        command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *schema]
        done = subprocess.run(
            [*command, "--data", json.dumps(request), url],
            capture_output=True,
            text=True,
            check=False,
            timeout=SLOW,
        )
        assert done.returncode == 0, done.stderr
        response = json_format.Parse(done.stdout, RESPONSES[call.method]())
        found = list(getattr(response, call.list)) if call.list else [response]
        assert found == list(messages), call
