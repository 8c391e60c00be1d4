"""Corrections over gRPC: declarations of errors, and corrections of products, batches, parties and recalls."""

import datetime
from collections.abc import Callable

import grpc
import pytest
from grpc import StatusCode
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from pathbook.client import Client
from pathbook.v1 import corrections_pb2, corrections_pb2_grpc
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import (
    PATH_STEP_KIND_COMMISSIONED,
    PATH_STEP_KIND_ERROR_DECLARED,
    PATH_STEP_KIND_TRANSFERRED,
    PATH_STEP_KIND_WRITTEN_OFF,
)
from pathbook.v1.values_pb2 import (
    PARTY_KIND_AGENT,
    PARTY_KIND_BRAND,
    PARTY_KIND_SHOP,
    UNIT_STATE_IN_STOCK,
    UNIT_STATE_LOST,
    UNIT_STATE_SOLD,
)
from tests.services.masks import EXPIRES_ON, MADE_ON, MASK, begin, boxes, moved, refused, yuan

INVALID, MISSING = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
EXISTS, FORBIDDEN, STATE = (
    StatusCode.ALREADY_EXISTS,
    StatusCode.PERMISSION_DENIED,
    StatusCode.FAILED_PRECONDITION,
)


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


def test_a_request_of_a_reversal_is_taken_back_until_the_other_side_agrees(client: Client) -> None:
    """The side that asked takes its request back and asks again. After both agreed, it is no error any more."""
    begin(client)
    transfer = moved(client, 0, 9)
    asked = client.reverse_transfer(transfer, party="ann").receipt.position
    client.declare_error(asked, party="ann")
    assert client.get_transfer(transfer)[0].reversal_asked_by == ""
    assert not client.reverse_transfer(transfer, party="acme").reversed
    again = client.position
    assert client.reverse_transfer(transfer, party="ann").reversed
    with refused("EVENT_BUILT_UPON", STATE):
        client.declare_error(again, party="acme")


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
