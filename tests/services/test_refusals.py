"""Every bad input is refused by name, and writes nothing."""

import datetime
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError, select
from pathbook.ledger.serials import parse_book_key, print_serial
from pathbook.services.key_file import KEY_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.translate.pages import AfterName, print_token
from pathbook.v1 import events_pb2, events_pb2_grpc, paths_pb2, paths_pb2_grpc
from pathbook.v1.transfers_pb2 import DiscrepancyClaim, RecordTransferRequest
from pathbook.v1.values_pb2 import (
    DISCREPANCY_KIND_UNSPECIFIED,
    PARTY_KIND_AGENT,
    UNIT_STATE_UNSPECIFIED,
    Selection,
)
from tests.services.masks import BEGUN, BOOK, CASE, MADE_ON, MASK, SIZE, begin, boxes, refused, yuan

LONG = "x" * 5_000
FUTURE = datetime.datetime(2900, 1, 1, tzinfo=datetime.UTC)
PAST = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)

INVALID, MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
EXISTS, FORBIDDEN, STATE = (
    StatusCode.ALREADY_EXISTS,
    StatusCode.PERMISSION_DENIED,
    StatusCode.FAILED_PRECONDITION,
)

Ask = Callable[[Client], object]

BOOKS = itertools.count(1)


def give(
    units: Selection, price: tuple[int, str] = (15_000, "CNY"), giver: str = "acme", receiver: str = "ann"
) -> Ask:
    """Return a call that records a transfer."""
    return lambda client: client.record_transfer(
        giver=giver, receiver=receiver, units=units, unit_price=price
    )


def code_of(client: Client, number: int) -> str:
    """Return the serial printed on a box."""
    return next(client.list_codes(1, number, number)).serials[0]


def mistyped(code: str) -> str:
    """Return a code with one wrong character."""
    return code[:-2] + ("0" if code[-2] != "0" else "1") + code[-1]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all tests of bad input share; each test uses a book of its own."""
    with running(Settings(data=tmp_path_factory.mktemp("data"), listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def fresh_client(shared: str) -> Iterator[Client]:
    """A client of a new book."""
    with Client(shared, book=f"masks-{next(BOOKS)}", retry_seconds=0) as client:
        yield client


def of_another_book(client: Client) -> str:
    """Return the code of the same box in another book of the same server."""
    with Client(client.target, book="another") as another:
        begin(another)
        return code_of(another, 0)


@pytest.mark.parametrize(
    ("reason", "code", "ask"),
    [
        pytest.param(
            "GTIN_CHECK_DIGIT",
            INVALID,
            lambda c: c.register_product("4006381333932", brand="acme", name="x", suggested_price=yuan(1)),
            id="wrong check digit of a product",
        ),
        pytest.param(
            "SSCC_CHECK_DIGIT",
            INVALID,
            lambda c: c.pack_case(CASE[:-1] + "0", party="acme", units=boxes(0, 1)),
            id="wrong check digit of a case",
        ),
        pytest.param(
            "CODE_CHECK_CHARACTER",
            INVALID,
            lambda c: c.get_path(mistyped(code_of(c, 0))),
            id="mistyped code",
        ),
        pytest.param("CODE_MALFORMED", INVALID, lambda c: c.get_path("no code"), id="no code at all"),
        pytest.param("CODE_MALFORMED", INVALID, lambda c: c.get_path(LONG), id="code of 5,000 characters"),
        pytest.param(
            "CODE_OTHER_BOOK", MISSING, lambda c: c.get_path(of_another_book(c)), id="code of another book"
        ),
        pytest.param(
            "CODE_OTHER_BOOK",
            MISSING,
            lambda c: give(select(codes=[of_another_book(c)]))(c),
            id="units by a code of another book",
        ),
        pytest.param(
            "CODE_CONTRADICTS",
            INVALID,
            lambda c: c.get_path(f"(01){MASK}(10)L2(21){code_of(c, 0)}"),
            id="code on the label of another lot",
        ),
        pytest.param("UNITS_NOT_OWNED", STATE, give(boxes(0, 0), giver="bob"), id="units not owned"),
        pytest.param("UNITS_RESERVED", STATE, give(boxes(10, 10)), id="reserved units"),
        pytest.param(
            "RANGES_OVERLAP",
            INVALID,
            give(select(ranges=[(1, 0, 5), (1, 5, 9)])),
            id="overlapping ranges in one request",
        ),
        pytest.param(
            "RANGES_OVERLAP",
            INVALID,
            lambda c: give(select(ranges=[(1, 0, 5)], codes=[code_of(c, 5)]))(c),
            id="a code within a range",
        ),
        pytest.param("RANGE_BEYOND_BATCH", INVALID, give(boxes(999, 1_000)), id="range beyond the batch"),
        pytest.param("RANGE_REVERSED", INVALID, give(boxes(9, 0)), id="reversed range"),
        pytest.param("BATCH_UNKNOWN", MISSING, give(boxes(0, 0, batch=7)), id="unknown batch"),
        pytest.param("NO_UNITS", INVALID, give(Selection()), id="no units"),
        pytest.param("QUANTITY_NOT_POSITIVE", INVALID, give(select(quantities=[(0, MASK)])), id="zero units"),
        pytest.param("STOCK_TOO_SMALL", STATE, give(select(quantities=[(1_001, MASK)])), id="too many"),
        pytest.param(
            "TOO_MANY_RANGES", INVALID, give(select(ranges=[(1, 0, 0)] * 10_001)), id="too many ranges"
        ),
        pytest.param("PRICE_NEGATIVE", INVALID, give(boxes(0, 0), (-1, "CNY")), id="negative price"),
        pytest.param("CURRENCY_UNKNOWN", INVALID, give(boxes(0, 0), (1, "ABC")), id="unknown currency"),
        pytest.param("CURRENCY_UNKNOWN", INVALID, give(boxes(0, 0), (1, LONG)), id="long currency"),
        pytest.param("SELF_TRANSFER", INVALID, give(boxes(0, 0), receiver="acme"), id="self-transfer"),
        pytest.param("PARTY_UNKNOWN", MISSING, give(boxes(0, 0), receiver="zoe"), id="unknown receiver"),
        pytest.param("PARTY_UNKNOWN", MISSING, give(boxes(0, 0), receiver=LONG), id="long receiver"),
        pytest.param("UNITS_SOLD", STATE, give(boxes(20, 20), giver="corner"), id="transfer after sale"),
        pytest.param(
            "TRANSFER_ANSWERED",
            STATE,
            lambda c: [c.accept_transfer(BEGUN + 1, receiver="ann") for _ in range(2)],
            id="double accept",
        ),
        pytest.param(
            "NOT_THE_RECEIVER",
            FORBIDDEN,
            lambda c: c.accept_transfer(BEGUN + 1, receiver="bob"),
            id="accept by another",
        ),
        pytest.param(
            "REQUEST_ID_REUSED",
            EXISTS,
            lambda c: c.register_party("zoe", PARTY_KIND_AGENT, request_id="ann"),
            id="stale request id with another body",
        ),
        pytest.param(
            "REQUEST_ID_MALFORMED",
            INVALID,
            lambda c: c.register_party("zoe", PARTY_KIND_AGENT, request_id=LONG),
            id="request id of 5,000 characters",
        ),
        pytest.param(
            "PARTY_MALFORMED", INVALID, lambda c: c.register_party(LONG, PARTY_KIND_AGENT), id="long party"
        ),
        pytest.param(
            "TEXT_TOO_LONG",
            INVALID,
            lambda c: c.register_product("4012345678901", brand="acme", name=LONG, suggested_price=yuan(1)),
            id="name of 5,000 characters",
        ),
        pytest.param(
            "TEXT_TOO_LONG",
            INVALID,
            lambda c: c.authorize_party("ann", upline="acme", tier=1, region=LONG),
            id="region of 5,000 characters",
        ),
        pytest.param(
            "TEXT_TOO_LONG",
            INVALID,
            lambda c: c.decline_transfer(BEGUN + 1, receiver="ann", note=LONG),
            id="note of 5,000 characters",
        ),
        pytest.param(
            "TEXT_TOO_LONG",
            INVALID,
            lambda c: c.recall_units(1, brand="acme", note=LONG),
            id="recall's note of 5,000 characters",
        ),
        pytest.param(
            "LOT_MALFORMED",
            INVALID,
            lambda c: c.commission_batch(MASK, brand="acme", lot=LONG, size=1, made_on=MADE_ON),
            id="lot of 5,000 characters",
        ),
        pytest.param(
            "OCCURRED_IN_FUTURE",
            INVALID,
            lambda c: c.unpack_case(CASE, party="acme", occurred_at=FUTURE),
            id="occurred in the future",
        ),
        pytest.param(
            "OCCURRED_BEFORE_MADE",
            INVALID,
            lambda c: c.write_off_units(party="acme", units=boxes(0, 0), state=7, occurred_at=PAST),
            id="occurred before the batch was made",
        ),
        pytest.param(
            "VALUE_MISSING",
            INVALID,
            lambda c: c.write_off_units(party="acme", units=boxes(0, 0), state=UNIT_STATE_UNSPECIFIED),
            id="write-off without a state",
        ),
        pytest.param(
            "VALUE_MISSING",
            INVALID,
            lambda c: c.accept_transfer(
                BEGUN + 1,
                receiver="ann",
                discrepancies=[DiscrepancyClaim(kind=DISCREPANCY_KIND_UNSPECIFIED, count=1)],
            ),
            id="discrepancy without a kind",
        ),
        pytest.param(
            "PARTY_KIND_MISSING", INVALID, lambda c: c.register_party("zoe", 0), id="party without a kind"
        ),
        pytest.param(
            "PARTY_EXISTS", EXISTS, lambda c: c.register_party("ann", PARTY_KIND_AGENT), id="party known"
        ),
        pytest.param("PARTY_UNKNOWN", MISSING, lambda c: c.get_party("zoe"), id="unknown party read"),
        pytest.param(
            "PARTY_UNKNOWN", MISSING, lambda c: list(c.list_stock("zoe")), id="stock of an unknown party"
        ),
        pytest.param("PRODUCT_UNKNOWN", MISSING, lambda c: c.get_product("4012345678901"), id="no product"),
        pytest.param("GTIN_CHECK_DIGIT", INVALID, lambda c: c.get_product("1"), id="no GTIN"),
        pytest.param("BATCH_UNKNOWN", MISSING, lambda c: c.get_batch(7), id="no batch"),
        pytest.param("BATCH_UNKNOWN", MISSING, lambda c: c.get_ladder(7), id="ladder of no batch"),
        pytest.param("CASE_UNKNOWN", MISSING, lambda c: c.get_case(CASE), id="no case"),
        pytest.param("TRANSFER_UNKNOWN", MISSING, lambda c: c.get_transfer(1), id="no transfer"),
        pytest.param("RANGE_BEYOND_BATCH", INVALID, lambda c: c.get_path((1, 1_000)), id="no such unit"),
        pytest.param(
            "RANGE_BEYOND_BATCH", INVALID, lambda c: list(c.list_codes(1, 0, 1_000)), id="codes of no unit"
        ),
        pytest.param("RANGE_REVERSED", INVALID, lambda c: list(c.list_codes(1, 9, 0)), id="codes backwards"),
        pytest.param(
            "POSITION_BEYOND_HEAD", StatusCode.OUT_OF_RANGE, lambda c: list(c.read(99)), id="too far"
        ),
        pytest.param("POSITION_NEGATIVE", INVALID, lambda c: list(c.read(-1)), id="before the beginning"),
        pytest.param(
            "POSITION_NEGATIVE",
            INVALID,
            lambda c: c.get_path((1, 0), at_least_position=-1),
            id="less than none",
        ),
        pytest.param(
            "POSITION_BEYOND_HEAD",
            StatusCode.OUT_OF_RANGE,
            lambda c: c.get_party("ann", at_least_position=10**12),
            id="a position of the far future",
        ),
        pytest.param(
            "PAGE_SIZE_NEGATIVE", INVALID, lambda c: list(c.list_parties(page_size=-1)), id="negative page"
        ),
    ],
)
def test_bad_input_is_refused_by_name(fresh_client: Client, reason: str, code: StatusCode, ask: Ask) -> None:
    """The refusal has its reason and its status code, and the book does not change."""
    begin(fresh_client)
    fresh_client.offer_transfer(giver="acme", receiver="ann", units=boxes(10, 19), unit_price=yuan(150))
    give(boxes(20, 20), receiver="corner")(fresh_client)
    fresh_client.sell_units(seller="corner", consumer="eve", units=boxes(20, 20), unit_price=yuan(300))
    head = fresh_client.get_head().position
    with refused(reason, code):
        ask(fresh_client)
    accepted_before = reason == "TRANSFER_ANSWERED"
    assert fresh_client.get_head().position == head + accepted_before


@pytest.mark.parametrize(
    ("book", "reason", "code"),
    [("", "BOOK_MALFORMED", INVALID), (LONG, "BOOK_MALFORMED", INVALID), ("other", "BOOK_UNKNOWN", MISSING)],
)
def test_every_call_names_an_existing_book(target: str, book: str, reason: str, code: StatusCode) -> None:
    """Each call that reads, writes or subscribes is refused if its book is malformed or unknown."""
    asks: list[Ask] = [
        lambda c: c.get_party("ann"),
        lambda c: list(c.list_parties()),
        lambda c: c.get_product(MASK),
        lambda c: list(c.list_products()),
        lambda c: c.get_batch(1),
        lambda c: list(c.list_batches()),
        lambda c: list(c.list_codes(1, 0, 0)),
        lambda c: c.get_case(CASE),
        lambda c: c.get_transfer(1),
        lambda c: list(c.list_transfers("ann")),
        lambda c: c.get_path((1, 0)),
        lambda c: c.get_ladder(1),
        lambda c: list(c.list_stock("ann")),
        lambda c: c.get_head(),
        lambda c: list(c.read()),
        lambda c: next(c.subscribe()),
        lambda c: c.register_party("ann", PARTY_KIND_AGENT),
        lambda c: c.unpack_case(CASE, party="ann"),
        give(boxes(0, 0)),
    ]
    with Client(target, book=book) as client:
        for ask in asks:
            with refused(reason, code):
                ask(client)


@pytest.mark.parametrize(("batch", "number"), [(1, SIZE), (9, 0)])
def test_a_code_of_a_missing_unit_is_unknown(client: Client, data: Path, batch: int, number: int) -> None:
    """A valid code of a unit that the book does not have is refused as unknown, not as false."""
    begin(client)
    key = parse_book_key((data / KEY_FILE).read_text())
    code = print_serial(key, BOOK, batch, number)
    with refused("CODE_UNKNOWN", MISSING):
        client.get_path(code)
    with refused("CODE_UNKNOWN", MISSING):
        give(select(codes=[code]))(client)


@pytest.mark.parametrize("token", ["x", "W10", print_token(AfterName("ann"))])
def test_a_page_token_of_another_list_is_refused(client: Client, token: str) -> None:
    """A token that the list did not issue is an invalid argument, not an error of the server."""
    begin(client)
    request = paths_pb2.ListStockRequest(book=BOOK, party="acme", page_token=token)
    with grpc.insecure_channel(client.target) as channel, pytest.raises(grpc.RpcError) as error:
        paths_pb2_grpc.PathServiceStub(channel).ListStock(request)
    assert isinstance(error.value, grpc.Call)
    assert error.value.code() is INVALID


def test_a_path_needs_a_subject(client: Client) -> None:
    """A request without a subject is refused, and the refusal names the field."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel:
        stub = paths_pb2_grpc.PathServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="subject is missing"):
            stub.GetPath(paths_pb2.GetPathRequest(book=BOOK))


def test_a_batch_of_too_many_writes_is_refused_as_a_whole(client: Client) -> None:
    """The batches before it are answered, and no entry of the batch is recorded."""
    begin(client)
    write = RecordTransferRequest(giver="acme", receiver="ann")
    results = client.record_transfers([[write], [RecordTransferRequest() for _ in range(1_001)]])
    assert len(next(results)) == 1
    with refused("TOO_MANY_ENTRIES"):
        next(results)
    assert client.get_head().position == BEGUN


def test_a_message_over_the_size_limit_writes_nothing(client: Client) -> None:
    """A message above 4 MiB is refused before it is read."""
    begin(client)
    with pytest.raises(RefusedError) as error:
        client.register_product("4012345678901", brand="acme", name="x" * 2**22, suggested_price=yuan(1))
    assert error.value.code is StatusCode.RESOURCE_EXHAUSTED
    assert client.get_head().position == BEGUN


def test_a_negative_limit_is_refused(client: Client) -> None:
    """A negative limit is refused; a limit is a number of events, or 0 for all."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel, pytest.raises(grpc.RpcError, match="limit of -1"):
        list(events_pb2_grpc.EventServiceStub(channel).Read(events_pb2.ReadRequest(book=BOOK, limit=-1)))
