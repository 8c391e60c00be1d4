"""References over gRPC, reports of receivers, extra units, and what the steps of a path say of both sides."""

import datetime
from collections.abc import Callable

import pytest
from grpc import StatusCode

from pathbook.client import Client, Entry, price, select
from pathbook.v1.paths_pb2 import (
    PATH_STEP_KIND_ATTESTED,
    PATH_STEP_KIND_COMMISSIONED,
    PATH_STEP_KIND_OFFERED,
    PATH_STEP_KIND_TRANSFERRED,
)
from pathbook.v1.transfers_pb2 import DiscrepancyClaim, RecordTransferRequest, SellUnitsRequest
from pathbook.v1.values_pb2 import (
    ATTESTATION_RECORDED,
    ATTESTATION_REPORTED_BY_BOTH,
    DELIVERY_LATER,
    DISCREPANCY_KIND_SHORT,
    UNIT_STATE_OFFERED,
    UnitRange,
)
from tests.services.masks import SIZE, begin, boxes, moved, refused, yuan

INVALID, MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
EXISTS, FORBIDDEN, STATE = (
    StatusCode.ALREADY_EXISTS,
    StatusCode.PERMISSION_DENIED,
    StatusCode.FAILED_PRECONDITION,
)


Ask = Callable[[Client], object]


def test_both_sides_report_a_transfer_that_is_recorded_once(client: Client) -> None:
    """The report of the receiver moves nothing. It answers with the units, and the hop is attested by both."""
    begin(client)
    position = moved(client, 0, 9, "note 1")
    assert client.get_path((1, 0)).steps[-1].attestation == ATTESTATION_RECORDED
    report = client.record_transfer(
        giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150), reference="note 1",
        reported_by="ann",
    )  # fmt: skip
    assert list(report.ranges) == [UnitRange(batch=1, first=0, last=9)]
    (transfer,) = client.get_transfer(position)
    assert (transfer.reference, transfer.attestation) == ("note 1", ATTESTATION_REPORTED_BY_BOTH)
    assert next(client.list_transfers("ann")).reference == "note 1"
    path = client.get_path((1, 0))
    assert [step.kind for step in path.steps] == [PATH_STEP_KIND_COMMISSIONED, PATH_STEP_KIND_TRANSFERRED]
    hop = path.steps[-1]
    assert (hop.attestation, hop.owner, hop.custodian) == (ATTESTATION_REPORTED_BY_BOTH, "ann", "ann")
    full = client.get_path((1, 0), corrections=True)
    assert full.steps[-1].kind == PATH_STEP_KIND_ATTESTED
    assert next(client.list_stock("ann")).owned == 10


def test_an_open_offer_is_shown_after_a_report_of_the_transfer_before_it(client: Client) -> None:
    """The report of a receiver does not answer the offer that it has made since."""
    begin(client)
    moved(client, 0, 9, "note 1")
    client.offer_transfer(giver="ann", receiver="bob", units=boxes(0, 9), unit_price=yuan(180))
    moved(client, 0, 9, "note 1", reported_by="ann")
    path = client.get_path((1, 0))
    assert (path.steps[-1].kind, path.run.state) == (PATH_STEP_KIND_OFFERED, UNIT_STATE_OFFERED)


@pytest.mark.parametrize(
    ("reason", "code", "ask"),
    [
        ("REFERENCE_MALFORMED", INVALID, lambda c: moved(c, 10, 19, " note")),
        ("REFERENCE_MALFORMED", INVALID, lambda c: moved(c, 10, 19, "x" * 65)),
        ("REFERENCE_USED", EXISTS, lambda c: moved(c, 10, 19, "note 1")),
        ("REPORTER_NOT_A_SIDE", FORBIDDEN, lambda c: moved(c, 0, 9, "note 1", "bob")),
        ("VALUE_MISSING", INVALID, lambda c: moved(c, 0, 9, "", "ann")),
        ("TRANSFER_NOT_REPORTED", STATE, lambda c: moved(c, 0, 9, "note 2", "ann")),
        ("REFERENCE_CONTRADICTS", STATE, lambda c: moved(c, 0, 8, "note 1", "ann")),
        (
            "REFERENCE_USED",
            EXISTS,
            lambda c: c.offer_transfer(
                giver="acme", receiver="ann", units=boxes(10, 19), unit_price=yuan(1), reference="note 1"
            ),
        ),
    ],
)
def test_a_wrong_reference_is_refused_by_name(
    client: Client, reason: str, code: StatusCode, ask: Ask
) -> None:
    """A reference names one transfer of two sides, and a report must have equal terms."""
    begin(client)
    moved(client, 0, 9, "note 1")
    with refused(reason, code):
        ask(client)


def test_many_writes_carry_references_and_reports(client: Client) -> None:
    """A batch of writes records a transfer, the same report of its receiver, and a sale with its receipt's number."""
    begin(client)

    def note(reported_by: str = "") -> RecordTransferRequest:
        return RecordTransferRequest(
            giver="acme", receiver="ann", units=boxes(0, 9), unit_price=price(yuan(150)), reference="note 1",
            reported_by=reported_by,
        )  # fmt: skip

    entries: list[Entry] = [
        note(),
        note("ann"),
        note("ann"),
        SellUnitsRequest(
            seller="ann", consumer="c", units=boxes(0, 0), unit_price=price(yuan(300)), reference="receipt 7"
        ),
    ]
    ((first, report, again, sale),) = client.record_transfers([entries])
    assert client.get_transfer(first.receipt.position)[0].attestation == ATTESTATION_REPORTED_BY_BOTH
    assert report.receipt.position == first.receipt.position + 1
    assert again.refusal.message.startswith("ann accepted or reported")
    assert client.get_transfer(sale.receipt.position)[0].reference == "receipt 7"


def test_extra_units_are_accepted_with_an_offer(client: Client) -> None:
    """Units that were not offered come by range and by code, one offered is short, and the transfer shows all."""
    begin(client)
    (code,) = next(client.list_codes(1, 20, 20)).serials
    offer = client.offer_transfer(
        giver="acme",
        receiver="ann",
        units=boxes(0, 9),
        unit_price=yuan(150),
        reference="note 1",
        extra_allowed=3,
    ).receipt.position
    accepted = client.accept_transfer(
        offer,
        receiver="ann",
        discrepancies=[DiscrepancyClaim(kind=DISCREPANCY_KIND_SHORT, count=1)],
        extra=[(1, 10, 11)],
        extra_codes=[code],
    )
    assert list(accepted.ranges) == [
        UnitRange(batch=1, first=0, last=8),
        UnitRange(batch=1, first=10, last=11),
        UnitRange(batch=1, first=20, last=20),
    ]
    (transfer,) = client.get_transfer(offer)
    assert list(transfer.extra) == [
        UnitRange(batch=1, first=10, last=11),
        UnitRange(batch=1, first=20, last=20),
    ]
    assert (transfer.units, transfer.accepted_units) == (10, 12)
    assert (transfer.reference, transfer.attestation) == ("note 1", ATTESTATION_REPORTED_BY_BOTH)
    assert client.get_path((1, 20)).steps[-1].attestation == ATTESTATION_REPORTED_BY_BOTH


def test_extra_units_that_the_giver_does_not_own_are_refused(client: Client) -> None:
    """Extra units are checked as if they were offered, and count among the ranges that a request names."""
    begin(client)
    moved(client, 50, 50)
    offer = client.offer_transfer(
        giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150), extra_allowed=1
    ).receipt.position
    with refused("EXTRA_NOT_ALLOWED", FORBIDDEN):
        client.accept_transfer(offer, receiver="ann", extra=[(1, 50, 51)])
    with refused("UNITS_NOT_OWNED", STATE):
        client.accept_transfer(offer, receiver="ann", extra=[(1, 50, 50)])
    with refused("RANGE_BEYOND_BATCH"):
        client.accept_transfer(offer, receiver="ann", extra=[(1, SIZE, SIZE)])
    with refused("TOO_MANY_RANGES"):
        client.accept_transfer(offer, receiver="ann", extra=[(1, 10, 10)] * 2_001, extra_codes=["x"] * 2_000)
    with refused("CODE_MALFORMED"):
        client.accept_transfer(offer, receiver="ann", extra_codes=["x"])


def test_a_path_says_where_the_goods_are_and_which_times_contradict(client: Client) -> None:
    """Each step has its owner and custodian. A step that claims an earlier time names the later one."""
    begin(client)
    now = datetime.datetime.now(datetime.UTC)
    later = client.record_transfer(
        giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(150), delivery=DELIVERY_LATER,
        occurred_at=now - datetime.timedelta(days=1),
    ).receipt.position  # fmt: skip
    client.record_transfer(
        giver="ann", receiver="bob", units=boxes(0, 0), unit_price=yuan(180),
        occurred_at=now - datetime.timedelta(days=2),
    )  # fmt: skip
    first, second, third = client.get_path((1, 0)).steps
    assert (first.owner, first.custodian, first.out_of_order_position) == ("acme", "acme", 0)
    assert (second.owner, second.custodian, second.out_of_order_position) == ("ann", "acme", 0)
    assert (third.owner, third.custodian, third.out_of_order_position) == ("bob", "bob", later)


def test_a_quantity_may_be_attested_by_its_ranges(client: Client) -> None:
    """The receiver may name the units in another way than the giver, as long as they are the same."""
    begin(client)
    units = select(quantities=[(5, 1)])
    client.record_transfer(
        giver="acme", receiver="ann", units=units, unit_price=yuan(150), reference="note 1"
    )
    moved(client, 0, 4, "note 1", reported_by="ann")
    with refused("TRANSFER_ALREADY_ATTESTED", STATE):
        moved(client, 0, 4, "note 1", reported_by="ann")
