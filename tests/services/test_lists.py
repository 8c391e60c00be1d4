"""Lists over the wire: what a batch chose, requests by their ids, hostile pages, and lists beside a busy writer."""

import datetime
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import grpc
import pytest
from grpc import StatusCode

from pathbook.client import Client, Entry, price, select
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import (
    servers_pb2,
    transfers_pb2,
    values_pb2,
)
from pathbook.v1.transfers_pb2 import (
    RecordTransferRequest,
    RecordTransfersResult,
    ReturnUnitsRequest,
    SellUnitsRequest,
)
from pathbook.v1.transfers_pb2_grpc import TransferServiceStub
from tests.services.masks import BOOK, MADE_ON, MASK, SIZE, begin, boxes, moved, refused, yuan

MISSING: Final = StatusCode.NOT_FOUND
LIMIT_BYTES: Final = 4 * 1024 * 1024
"""The largest message that gRPC receives by default."""


def some(count: int) -> values_pb2.Selection:
    """Select a number of masks of any batch."""
    return select(quantities=[(count, MASK)])


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_the_results_of_a_batch_have_the_units_that_quantities_chose(
    client: Client, all_or_nothing: bool
) -> None:
    """Transfers, sales and returns have the same ranges as the calls for one of them; duplicates have them again."""
    begin(client)
    paid = price(yuan(150))
    entries: list[Entry] = [
        RecordTransferRequest(giver="acme", receiver="ann", units=some(10), unit_price=paid, request_id="t"),
        SellUnitsRequest(seller="ann", consumer="c-1", units=some(3), unit_price=paid, request_id="s"),
        ReturnUnitsRequest(owner="consumer:c-1", units=some(2), request_id="r"),
        RecordTransferRequest(
            giver="acme", receiver="bob", units=boxes(20, 24), unit_price=paid, reference="DN 1", request_id="d"
        ),
        RecordTransferRequest(
            giver="acme", receiver="bob", units=boxes(20, 24), unit_price=paid, reference="DN 1",
            reported_by="bob", request_id="d",
        ),
    ]  # fmt: skip
    expected = [[(0, 9)], [(0, 2)], [(0, 1)], [(20, 24)], [(20, 24)]]
    results: Sequence[RecordTransfersResult] = ()
    for duplicate in (False, True):
        (results,) = client.record_transfers([entries], all_or_nothing=all_or_nothing)
        assert [[(r.first, r.last) for r in result.ranges] for result in results] == expected
        assert {result.receipt.duplicate for result in results} == {duplicate}
        assert not any(result.ranges_left_out for result in results)
    one = client.sell_units(seller="ann", consumer="c-1", units=some(3), unit_price=yuan(150), request_id="s")
    assert (one.receipt, list(one.ranges)) == (results[1].receipt, list(results[1].ranges))


def test_a_refused_entry_has_no_units(client: Client) -> None:
    """Neither the refused entry of an all-or-nothing batch nor the others name any units."""
    begin(client)
    good = RecordTransferRequest(giver="acme", receiver="ann", units=some(1), unit_price=price(yuan(1)))
    bad = RecordTransferRequest(giver="acme", receiver="zoe", units=some(1), unit_price=price(yuan(1)))
    (results,) = client.record_transfers([[good, bad]], all_or_nothing=True)
    assert [list(result.ranges) for result in results] == [[], []]


def test_many_scattered_units_fit_into_one_message(client: Client) -> None:
    """A page of offers of 4,000 ranges each ends early, and stays below 4 MB."""
    begin(client, size=8_000)
    odd = select(ranges=[(1, number, number) for number in range(1, 8_000, 2)])
    client.record_transfer(giver="acme", receiver="ann", units=odd, unit_price=yuan(1))
    offers = [
        client.offer_transfer(
            giver="ann", receiver="bob", units=select(quantities=[(4_000, 1)]), unit_price=yuan(1)
        )
    ]
    client.decline_transfer(offers[0].receipt.position, receiver="bob")
    for _ in range(6):
        offer = client.offer_transfer(giver="ann", receiver="bob", units=odd, unit_price=yuan(1))
        assert len(offer.ranges) == 4_000
        client.withdraw_transfer(offer.receipt.position, giver="ann")
    found = list(client.list_offers("ann", include_ended=True))
    assert [len(offer.ranges) for offer in found] == [4_000] * 7
    sizes = []
    with grpc.insecure_channel(client.target) as channel:
        request = transfers_pb2.ListOffersRequest(book=BOOK, party="ann", include_ended=True)
        while True:
            page = TransferServiceStub(channel).ListOffers(request)
            sizes.append(len(page.offers))
            assert page.ByteSize() < LIMIT_BYTES
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    assert sizes == [5, 2]
    held = list(client.list_holders(1))
    assert [(each.range.first, each.units, each.owner) for each in held] == [
        (number, 1, "ann" if number % 2 else "acme") for number in range(8_000)
    ]


def test_a_request_is_found_by_its_id_and_its_party(client: Client) -> None:
    """The party that acted finds what it recorded; another party, and another id, find nothing."""
    begin(client)
    sale = client.sell_units(
        seller="acme", consumer="c-1", units=boxes(0, 0), unit_price=yuan(300), request_id="till 1"
    )
    confirmed = client.confirm_purchase(
        consumer="c-1", units=some(1), price_paid=yuan(300), request_id="till 1"
    )
    found = client.get_event_by_request("till 1", party="acme")
    assert (found.receipt.position, found.receipt.recorded_at) == (
        sale.receipt.position,
        sale.receipt.recorded_at,
    )
    assert found.receipt.duplicate
    (batch,) = client.read(sale.receipt.position - 1, limit=1)
    assert found.event == batch.events[0]
    assert [(part.first, part.last) for part in confirmed.ranges] == [(0, 0)]
    own = client.get_event_by_request("till 1", party="consumer:c-1")
    assert own.receipt.position == confirmed.receipt.position
    assert client.get_event_by_request("ann").receipt.position == 3  # by the operator
    for party, request_id in (
        ("ann", "till 1"),
        ("acme", "till 2"),
        ("consumer:c-2", "till 1"),
        ("", "till 1"),
    ):
        with refused("REQUEST_UNKNOWN", MISSING):
            client.get_event_by_request(request_id, party=party)
    for party in ("zoe", "~", "a\0", "consumer:a b"):
        with refused("PARTY_UNKNOWN", MISSING):
            client.get_event_by_request("till 1", party=party)
    for request_id in ("", "~1", "x" * 129):
        with refused("REQUEST_ID_MALFORMED"):
            client.get_event_by_request(request_id, party="acme")


LISTS: Final[dict[str, Callable[[Client], Iterator[object]]]] = {
    "transfers": lambda client: client.list_transfers("ann", page_size=-1),
    "references": lambda client: client.list_transfers_by_reference("DN 1", page_size=-1),
    "offers": lambda client: client.list_offers("ann", page_size=-1),
    "holders": lambda client: client.list_holders(1, page_size=-1),
}

WRONG: Final[list[tuple[str, StatusCode, Callable[[Client], Iterator[object]]]]] = [
    *(("PAGE_SIZE_NEGATIVE", StatusCode.INVALID_ARGUMENT, ask) for ask in LISTS.values()),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_offers("zoe")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_offers("consumer:c-1")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_offers("a\0")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_transfers("zoe")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_transfers("consumer:a\0")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_transfers("ann", counterparty="zoe")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_transfers_by_reference("DN 1", giver="zoe")),
    ("PARTY_UNKNOWN", MISSING, lambda c: c.list_transfers_by_reference("DN 1", receiver="a\0")),
    ("REFERENCE_MALFORMED", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers_by_reference(" x")),
    ("REFERENCE_MALFORMED", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers("ann", reference="\0")),
    ("VALUE_MISSING", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers_by_reference("")),
    ("VALUE_MISSING", StatusCode.INVALID_ARGUMENT, lambda c: c.list_offers("ann", side=9)),  # type: ignore[arg-type] # no such side
    ("VALUE_MISSING", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers("ann", kind=9)),  # type: ignore[arg-type] # no such kind
    ("BATCH_UNKNOWN", MISSING, lambda c: c.list_transfers("ann", batch=2**62)),
    ("BATCH_UNKNOWN", MISSING, lambda c: c.list_transfers("ann", batch=-1)),
    ("PRODUCT_UNKNOWN", MISSING, lambda c: c.list_transfers("ann", gtin="6901234567892")),
    ("GTIN_CHECK_DIGIT", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers("ann", gtin="1")),
    ("TIER_OUT_OF_BOUNDS", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers("ann", receiver_tier=-1)),
    ("TIER_OUT_OF_BOUNDS", StatusCode.INVALID_ARGUMENT, lambda c: c.list_transfers("ann", receiver_tier=101)),
    ("BATCH_UNKNOWN", MISSING, lambda c: c.list_holders(2)),
    ("BATCH_UNKNOWN", MISSING, lambda c: c.list_holders((MASK, "L\0"))),
    ("VALUE_MISSING", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(0)),
    ("RANGE_REVERSED", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(1, 5, 4)])),
    ("RANGE_REVERSED", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(1, -1, 4)])),
    ("RANGE_BEYOND_BATCH", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(1, 0, SIZE)])),
    ("RANGE_BEYOND_BATCH", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(2, 0, 0)])),
    ("RANGES_OVERLAP", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(1, 0, 5), (1, 5, 6)])),
    ("TOO_MANY_RANGES", StatusCode.INVALID_ARGUMENT, lambda c: c.list_holders(1, ranges=[(1, 0, 0)] * 4_001)),
]  # fmt: skip


def test_hostile_arguments_are_refused_by_name(client: Client) -> None:
    """A list names what is wrong with its arguments, and the limits are exact."""
    begin(client)
    for reason, code, ask in WRONG:
        with refused(reason, code):
            list(ask(client))
    assert list(client.list_transfers("ann", receiver_tier=100, page_size=2**31 - 1)) == []
    assert [held.units for held in client.list_holders(1, ranges=[(1, SIZE - 1, SIZE - 1)])] == [1]
    many = [(1, number, number) for number in range(0, SIZE, 2)]
    assert len(list(client.list_holders(1, ranges=many))) == SIZE // 2


def test_an_interval_does_not_have_its_end(client: Client) -> None:
    """A list begins at its first moment and ends before its last, and a reversed interval is refused by name."""
    begin(client)
    day = datetime.datetime.combine(MADE_ON, datetime.time(12), datetime.UTC) + datetime.timedelta(days=3)
    hour = datetime.timedelta(hours=1)
    at = [
        client.record_transfer(
            giver="acme", receiver="ann", units=boxes(n, n), unit_price=yuan(1), occurred_at=day + n * hour
        ).receipt
        for n in (2, 0, 1)
    ]

    def listed(**interval: datetime.datetime) -> list[int]:
        found = client.list_transfers(
            "ann",
            occurred_from=interval.get("occurred_from"),
            occurred_before=interval.get("occurred_before"),
            recorded_from=interval.get("recorded_from"),
            recorded_before=interval.get("recorded_before"),
        )
        return [transfer.transfer for transfer in found]

    late, early, middle = (receipt.position for receipt in at)
    recorded = [receipt.recorded_at.ToDatetime(datetime.UTC) for receipt in at]
    assert listed(occurred_from=day + hour) == [middle, late]
    assert listed(occurred_from=day, occurred_before=day + 2 * hour) == [middle, early]
    assert listed(occurred_from=day, occurred_before=day) == []
    assert listed(recorded_from=recorded[1]) == [middle, early]
    assert listed(recorded_before=recorded[1]) == [late]
    assert listed(recorded_from=recorded[0], recorded_before=recorded[2]) == [early, late]
    for interval in (
        {"occurred_from": day + hour, "occurred_before": day},
        {"recorded_from": day + hour, "recorded_before": day},
    ):
        with refused("INTERVAL_REVERSED"):
            listed(**interval)


def test_no_item_is_lost_or_doubled_while_the_book_grows(client: Client) -> None:
    """What was there before the first page is listed once, however much is recorded between the pages."""
    begin(client, size=100_000)
    before = [moved(client, number, number) for number in range(60)]
    done = threading.Event()

    def write() -> None:
        number = 100
        while not done.is_set():
            entries = [
                RecordTransferRequest(
                    giver="acme",
                    receiver="ann",
                    units=boxes(number + n, number + n),
                    unit_price=price(yuan(1)),
                )
                for n in range(20)
            ]
            list(writer.record_transfers([entries]))
            number += 20

    with Client(client.target, book=BOOK) as writer:
        busy = threading.Thread(target=write)
        busy.start()
        try:
            for size in (1, 7):
                found = [each.transfer for each in client.list_transfers("ann", page_size=size)]
                assert sorted(found, reverse=True) == found
                assert len(set(found)) == len(found)
                assert set(before) <= set(found)
                held = list(client.list_holders(1, ranges=[(1, 0, 59)], page_size=size))
                assert [each.owner for each in held] == ["ann"]
        finally:
            done.set()
            busy.join()


def test_a_server_tells_versions_and_nothing_of_its_machine(tmp_path: Path) -> None:
    """A server without a book tells its version, and names no path, host or key."""
    with (
        running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book="none") as c,
    ):
        found = c.get_version()
    assert [field.name for field, _ in found.ListFields()] == [
        *("version", "proto_package", "log_format", "views_version", "python_version", "grpc_version")
    ]
    assert found.proto_package == servers_pb2.DESCRIPTOR.package
    assert not any(character in str(found) for character in "/\\@")
