"""Corrections over gRPC: errors, products, batches, parties, references, reports of receivers, and extra units."""

import datetime
from collections.abc import Callable

import grpc
import pytest
from grpc import StatusCode
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from pathbook.client import Client, Entry, price, select
from pathbook.v1 import corrections_pb2, corrections_pb2_grpc
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import (
    PATH_STEP_KIND_ATTESTED,
    PATH_STEP_KIND_COMMISSIONED,
    PATH_STEP_KIND_ERROR_DECLARED,
    PATH_STEP_KIND_OFFERED,
    PATH_STEP_KIND_TRANSFERRED,
    PATH_STEP_KIND_WRITTEN_OFF,
)
from pathbook.v1.transfers_pb2 import DiscrepancyClaim, RecordTransferRequest, SellUnitsRequest
from pathbook.v1.values_pb2 import (
    ATTESTATION_RECORDED,
    ATTESTATION_REPORTED_BY_BOTH,
    DELIVERY_LATER,
    DISCREPANCY_KIND_SHORT,
    PARTY_KIND_AGENT,
    PARTY_KIND_BRAND,
    PARTY_KIND_SHOP,
    UNIT_STATE_IN_STOCK,
    UNIT_STATE_LOST,
    UNIT_STATE_OFFERED,
    UNIT_STATE_SOLD,
    UnitRange,
)
from tests.services.masks import EXPIRES_ON, MADE_ON, MASK, SIZE, begin, boxes, refused, yuan

INVALID, MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
EXISTS, FORBIDDEN, STATE = (
    StatusCode.ALREADY_EXISTS,
    StatusCode.PERMISSION_DENIED,
    StatusCode.FAILED_PRECONDITION,
)


def moved(client: Client, first: int, last: int, reference: str = "", reported_by: str = "") -> int:
    """Record that boxes went from acme to ann, and return the position of the event."""
    return client.record_transfer(
        giver="acme",
        receiver="ann",
        units=boxes(first, last),
        unit_price=yuan(150),
        reference=reference,
        reported_by=reported_by,
    ).receipt.position


def lost(client: Client, number: int) -> int:
    """Write off a box of ann, and return the position of the event."""
    units = boxes(number, number)
    return client.write_off_units(party="ann", units=units, state=UNIT_STATE_LOST).receipt.position


def test_an_error_is_undone_and_stays_on_record(client: Client) -> None:
    """The box is in stock again. Only the full path shows the error and its declaration, which the error lists."""
    begin(client)
    moved(client, 0, 9)
    mistake = lost(client, 0)
    declared = client.declare_error(mistake, party="ann", note="found").receipt.position
    path = client.get_path((1, 0))
    assert path.run.state == UNIT_STATE_IN_STOCK
    assert [step.kind for step in path.steps] == [PATH_STEP_KIND_COMMISSIONED, PATH_STEP_KIND_TRANSFERRED]
    full = client.get_path((1, 0), corrections=True)
    *_, written_off, error = full.steps
    assert (written_off.kind, written_off.corrected) == (PATH_STEP_KIND_WRITTEN_OFF, True)
    assert (error.kind, error.corrected, error.declared_position) == (
        PATH_STEP_KIND_ERROR_DECLARED,
        True,
        mistake,
    )
    (correction,) = client.corrections(position=mistake)
    assert correction.position == declared
    assert correction.note.text == error.note.text == "found"
    assert Event.FromString(correction.event).error_declared.party == "ann"
    assert list(client.corrections(position=declared)) == []


def test_a_confirmation_of_a_consumer_is_declared_an_error(client: Client) -> None:
    """The consumer, named with its prefix, takes its confirmation back and confirms again."""
    begin(client)
    client.sell_units(seller="acme", consumer="c-1", units=boxes(0, 0), unit_price=yuan(300))
    wrong = client.confirm_purchase(consumer="c-1", units=boxes(0, 0), price_paid=yuan(30)).receipt.position
    client.declare_error(wrong, party="consumer:c-1")
    assert client.get_path((1, 0)).run.state == UNIT_STATE_SOLD
    client.confirm_purchase(consumer="c-1", units=boxes(0, 0), price_paid=yuan(300))
    assert client.get_path((1, 0)).steps[-1].price_paid.amount_minor == 30_000


def test_a_product_is_corrected_and_its_batches_keep_their_prices(client: Client) -> None:
    """What is named changes, the rest stays, and the corrections are listed page by page, oldest first."""
    begin(client)
    assert client.get_product(MASK).corrected_position == 0
    positions = [
        client.correct_product(MASK, brand="acme", name=name).receipt.position for name in ("a", "b", "c")
    ]
    last = client.correct_product(MASK, brand="acme", suggested_price=yuan(280)).receipt.position
    product = client.get_product(MASK)
    assert (product.name, product.suggested_price.amount_minor) == ("c", 28_000)
    assert product.corrected_position == last
    assert next(client.list_products()).corrected_position == last
    assert client.get_batch(1).suggested_price.amount_minor == 30_000
    found = list(client.corrections(gtin=MASK.lstrip("0"), page_size=3))
    assert [each.position for each in found] == [*positions, last]


def test_a_batch_is_corrected_and_its_paths_carry_the_correction(client: Client) -> None:
    """A path has the last correction of its batch, and none before the first."""
    begin(client)
    assert not client.get_path((1, 0)).HasField("batch_correction")
    made_on = MADE_ON + datetime.timedelta(days=1)
    client.correct_batch(1, brand="acme", made_on=made_on, suggested_price=yuan(290))
    last = client.correct_batch(1, brand="acme", never_expires=True).receipt.position
    moved(client, 0, 0)
    path = client.get_path((1, 0))
    assert (path.batch.made_on, path.batch.expires_on) == (made_on.isoformat(), "")
    assert (path.batch.suggested_price.amount_minor, path.batch.corrected_position) == (29_000, last)
    assert path.batch_correction.position == last
    corrected = Event.FromString(path.batch_correction.event).batch_corrected
    assert (corrected.made_on, corrected.expires_on) == (made_on.isoformat(), "")
    assert [step.kind for step in path.steps] == [PATH_STEP_KIND_COMMISSIONED, PATH_STEP_KIND_TRANSFERRED]
    assert client.get_path((1, 1)).batch_correction.position == last
    assert len(list(client.corrections(batch=1))) == 2


def test_the_operator_corrects_the_kind_of_a_party(client: Client) -> None:
    """An agent that is a shop is shown as one, with the place of the correction."""
    begin(client)
    corrected = client.correct_party("ann", PARTY_KIND_SHOP).receipt.position
    party = client.get_party("ann")
    assert (party.kind, party.corrected_position) == (PARTY_KIND_SHOP, corrected)
    (correction,) = client.corrections(party="ann")
    assert Event.FromString(correction.event).party_corrected.kind == PARTY_KIND_SHOP


def test_a_repeated_correction_is_recorded_once(client: Client) -> None:
    """A retry under the same request id gets the first answer."""
    begin(client)
    first, again = (
        client.correct_product(MASK, brand="acme", name="x", request_id="correct it").receipt for _ in "12"
    )
    assert (first.position, first.duplicate, again.duplicate) == (again.position, False, True)


Ask = Callable[[Client], object]


@pytest.mark.parametrize(
    ("reason", "code", "ask"),
    [
        ("EVENT_NOT_DECLARABLE", MISSING, lambda c: c.declare_error(1, party="ann")),
        ("EVENT_NOT_DECLARABLE", MISSING, lambda c: c.declare_error(0, party="ann")),
        ("EVENT_NOT_DECLARABLE", MISSING, lambda c: c.declare_error(2**63 - 1, party="ann")),
        ("POSITION_NEGATIVE", INVALID, lambda c: c.declare_error(-1, party="ann")),
        ("NOT_THE_ACTOR", FORBIDDEN, lambda c: c.declare_error(lost(c, 0), party="acme")),
        ("TEXT_TOO_LONG", INVALID, lambda c: c.declare_error(lost(c, 1), party="ann", note="x" * 201)),
        ("NOTHING_TO_CORRECT", INVALID, lambda c: c.correct_product(MASK, brand="acme")),
        ("NOT_THE_BRAND", FORBIDDEN, lambda c: c.correct_product(MASK, brand="rival", name="x")),
        ("NOT_A_BRAND", FORBIDDEN, lambda c: c.correct_product(MASK, brand="ann", name="x")),
        ("PRODUCT_UNKNOWN", MISSING, lambda c: c.correct_product("96385074", brand="acme", name="x")),
        ("GTIN_CHECK_DIGIT", INVALID, lambda c: c.correct_product("96385075", brand="acme", name="x")),
        ("BATCH_UNKNOWN", MISSING, lambda c: c.correct_batch(2, brand="acme", never_expires=True)),
        ("NOTHING_TO_CORRECT", INVALID, lambda c: c.correct_batch(1, brand="acme", expires_on=EXPIRES_ON)),
        (
            "EXPIRES_BEFORE_MADE",
            INVALID,
            lambda c: c.correct_batch(1, brand="acme", expires_on=datetime.date(2001, 1, 1)),
        ),
        (
            "OCCURRED_IN_FUTURE",
            INVALID,
            lambda c: c.correct_batch(1, brand="acme", made_on=datetime.date(2900, 1, 1)),
        ),
        ("PARTY_UNKNOWN", MISSING, lambda c: c.correct_party("nobody", PARTY_KIND_SHOP)),
        ("BRAND_IS_FIXED", INVALID, lambda c: c.correct_party("acme", PARTY_KIND_SHOP)),
        ("BRAND_IS_FIXED", INVALID, lambda c: c.correct_party("ann", PARTY_KIND_BRAND)),
        ("NOTHING_TO_CORRECT", INVALID, lambda c: c.correct_party("ann", PARTY_KIND_AGENT)),
        ("VALUE_MISSING", INVALID, lambda c: list(c.corrections())),
        ("VALUE_MISSING", INVALID, lambda c: list(c.corrections(gtin=""))),
        ("GTIN_CHECK_DIGIT", INVALID, lambda c: list(c.corrections(gtin="96385075"))),
        ("PRODUCT_UNKNOWN", MISSING, lambda c: list(c.corrections(gtin="96385074"))),
        ("BATCH_UNKNOWN", MISSING, lambda c: list(c.corrections(batch=0))),
        ("PARTY_UNKNOWN", MISSING, lambda c: list(c.corrections(party=""))),
        ("POSITION_NEGATIVE", INVALID, lambda c: list(c.corrections(position=-1))),
        ("POSITION_BEYOND_HEAD", StatusCode.OUT_OF_RANGE, lambda c: list(c.corrections(position=99))),
        ("PAGE_SIZE_NEGATIVE", INVALID, lambda c: list(c.corrections(batch=1, page_size=-1))),
    ],
)
def test_a_wrong_correction_is_refused_by_name(
    client: Client, reason: str, code: StatusCode, ask: Ask
) -> None:
    """Each refusal has its reason and status, and writes nothing more."""
    begin(client)
    client.register_party("rival", PARTY_KIND_BRAND)
    moved(client, 0, 9)
    with refused(reason, code):
        ask(client)
    assert client.get_head().position == client.position


def test_an_error_is_declared_once_and_before_something_is_built_upon_it(client: Client) -> None:
    """A second declaration is refused, and so is one of a delivery whose units moved on."""
    begin(client)
    moved(client, 0, 9)
    mistake = lost(client, 0)
    client.declare_error(mistake, party="ann")
    with refused("ERROR_ALREADY_DECLARED", STATE):
        client.declare_error(mistake, party="ann")
    delivered = client.deliver_units(custodian="ann", receiver="bob", units=boxes(1, 2)).receipt.position
    client.deliver_units(custodian="bob", receiver="corner", units=boxes(1, 1))
    with refused("EVENT_BUILT_UPON", STATE):
        client.declare_error(delivered, party="ann")


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
        giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150), reference="note 1"
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
        giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150)
    ).receipt.position
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


def test_a_recall_says_from_when_it_no_longer_holds(client: Client) -> None:
    """A recall that is lifted at its own time never held."""
    begin(client)
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    recall = client.recall_units(1, brand="acme", occurred_at=since).receipt.position
    assert not client.get_batch(1).recalls[0].HasField("lifted_at")
    with refused("LIFTED_BEFORE_RECALL"):
        client.lift_recall(recall, brand="acme", occurred_at=since - datetime.timedelta(seconds=1))
    client.lift_recall(recall, brand="acme", occurred_at=since)
    (lifted,) = client.get_batch(1).recalls
    assert lifted.lifted_at == lifted.occurred_at
    moved(client, 0, 0)


def test_the_client_takes_one_subject(client: Client) -> None:
    """Two subjects of corrections are an error of the caller."""
    with pytest.raises(TypeError, match="one subject"):
        list(client.corrections(batch=1, party="ann"))


def test_a_token_of_another_list_is_refused(client: Client) -> None:
    """A page token that this method did not make is refused."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel:
        stub = corrections_pb2_grpc.CorrectionServiceStub(channel)
        request = corrections_pb2.ListCorrectionsRequest(book=client.book, batch=1, page_token="WyJhIl0=")
        with pytest.raises(grpc.RpcError) as error:
            stub.ListCorrections(request)
    assert error.value.code() is INVALID


def test_the_service_is_reflected(client: Client) -> None:
    """Reflection names the service of corrections."""
    with grpc.insecure_channel(client.target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([asked]))
    assert "pathbook.v1.CorrectionService" in {each.name for each in answer.list_services_response.service}


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
