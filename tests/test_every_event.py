"""One book with every kind of event: written, read back, replayed by the verifier, and printed."""

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest
from click.testing import CliRunner
from google.protobuf.descriptor import FieldDescriptor

from pathbook.cli.main import pathbook
from pathbook.client import Client, PartyKey, price
from pathbook.ledger import commands
from pathbook.ledger.codec import TERMS, decode
from pathbook.ledger.codec.table import EVENTS
from pathbook.ledger.commands import Command
from pathbook.ledger.events import Event, RecordedEvent, RunEvent, Sealed
from pathbook.ledger.values import CONSUMER_PREFIX, WRITER_PREFIX
from pathbook.v1 import events_pb2, values_pb2
from pathbook.v1.transfers_pb2 import DiscrepancyClaim, RecordTransferRequest
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.replay import replay
from pathbook.verify.verdicts import Policy, Report, Verdict
from tests.services.masks import BOOK, CASE, MASK, TODAY, begin, boxes, opened, yuan

LAPSE_TIMEOUT_S: Final = 20.0
"""How long the writer may take to end an offer after its deadline; it checks every second."""

UNITS: Final = 20
"""The number of units that the events move: 0 to 19 of batch 1."""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A client of a book that has every kind of event, and the directory of the book."""
    data = tmp_path_factory.mktemp("book")
    with opened(data) as client:
        cause_every_event(client)
        yield client, data


def cause_every_event(client: Client) -> None:
    """Send commands that cause each kind of event at least once."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    given = client.authorize_party("bob", upline="ann", tier=2).receipt.position
    client.revoke_authorization(given, upline="ann")
    deadline = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    lapsing = offer(client, 15, 15, deadline)
    client.accept_transfer(
        offer(client, 0, 4),
        receiver="ann",
        discrepancies=[
            DiscrepancyClaim(
                kind=values_pb2.DISCREPANCY_KIND_SHORT,
                ranges=[values_pb2.UnitRange(batch=1, first=4, last=4)],
            )
        ],
    )
    client.decline_transfer(offer(client, 5, 6), receiver="ann")
    client.withdraw_transfer(offer(client, 5, 6), giver="acme")
    reversed_ = record(client, 7, values_pb2.DELIVERY_WITH_TITLE)
    client.reverse_transfer(reversed_, party="ann")
    client.reverse_transfer(reversed_, party="acme")
    record(client, 9, values_pb2.DELIVERY_LATER)
    client.deliver_units(custodian="acme", receiver="ann", units=boxes(9, 9))
    client.sell_units(seller="ann", consumer="c-1", units=boxes(0, 1), unit_price=yuan(300))
    client.confirm_purchase(consumer="c-1", units=boxes(0, 1), price_paid=yuan(300))
    client.return_units(owner="consumer:c-1", units=boxes(1, 1))
    client.write_off_units(party="acme", units=boxes(10, 10), state=values_pb2.UNIT_STATE_LOST)
    client.pack_case(CASE, party="acme", units=boxes(11, 12))
    client.unpack_case(CASE, party="acme")
    recall = client.recall_units(1, brand="acme", ranges=[(1, 13, 14)]).receipt.position
    client.lift_recall(recall, brand="acme")
    cause_every_correction(client)
    cause_every_event_of_keys(client)
    until = time.monotonic() + LAPSE_TIMEOUT_S
    while client.get_transfer(lapsing)[0].status != values_pb2.TRANSFER_STATUS_LAPSED:
        assert time.monotonic() < until
        time.sleep(0.1)


def cause_every_correction(client: Client) -> None:
    """Send commands that attest a transfer, declare an error of each kind, and correct master data."""
    client.register_party("zoe", values_pb2.PARTY_KIND_AGENT)
    units, price = boxes(16, 18), yuan(150)
    moved = client.record_transfer(
        giver="acme", receiver="ann", units=units, unit_price=price, reference="note 1"
    ).receipt.position
    client.record_transfer(
        giver="acme", receiver="ann", units=units, unit_price=price, reference="note 1", reported_by="ann"
    )
    lost = client.write_off_units(party="ann", units=boxes(16, 16), state=values_pb2.UNIT_STATE_LOST)
    client.declare_error(lost.receipt.position, party="ann")
    delivered = client.deliver_units(custodian="ann", receiver="bob", units=boxes(17, 17))
    client.declare_error(delivered.receipt.position, party="ann")
    asked = client.reverse_transfer(moved, party="ann")
    client.declare_error(asked.receipt.position, party="ann")
    client.sell_units(seller="ann", consumer="c-2", units=boxes(18, 18), unit_price=yuan(300))
    confirmed = client.confirm_purchase(consumer="c-2", units=boxes(18, 18), price_paid=yuan(30))
    client.declare_error(confirmed.receipt.position, party="consumer:c-2")
    client.correct_product(MASK, brand="acme", name="Mask, box of 40")
    client.correct_batch(1, brand="acme", never_expires=True)
    client.correct_party("zoe", values_pb2.PARTY_KIND_SHOP)


def cause_every_event_of_keys(client: Client) -> None:
    """Register and revoke keys, and sign a transfer alone and another one with others."""
    operator, brand, old = (PartyKey("pathbook/masks", party) for party in ("", "acme", "acme"))
    for key in (operator, old):
        client.register_key(key, endorser=operator)
    client.revoke_key(old.key, party="acme", revoker=old)
    client.register_key(brand, endorser=operator)  # a party that has a key is given no other one
    acme = client.with_options(signer=brand)
    record(acme, 8, values_pb2.DELIVERY_WITH_TITLE)
    entry = RecordTransferRequest(
        giver="acme", receiver="ann", units=boxes(19, 19), unit_price=price((15_000, "CNY"))
    )
    (results,) = acme.record_transfers([[entry]])
    assert results[0].HasField("receipt"), results


def offer(client: Client, first: int, last: int, deadline: datetime.datetime | None = None) -> int:
    """Offer boxes to ann, and return the offer's position."""
    price = yuan(150)
    return client.offer_transfer(
        giver="acme", receiver="ann", units=boxes(first, last), unit_price=price, deadline=deadline
    ).receipt.position


def record(client: Client, box: int, delivery: values_pb2.Delivery.ValueType) -> int:
    """Record that ann took a box, and return the transfer's position."""
    price = yuan(150)
    return client.record_transfer(
        giver="acme", receiver="ann", units=boxes(box, box), unit_price=price, delivery=delivery
    ).receipt.position


def recorded(client: Client) -> list[RecordedEvent]:
    """Return the events of the book, read from its stream."""
    return [
        decode(position, data, strict=True)
        for batch in client.read()
        for position, data in enumerate(batch.events, batch.first_position)
    ]


def test_every_kind_of_event_is_written_and_read(book: tuple[Client, Path]) -> None:
    """The book has each kind of event that a caller can cause. Each is decoded strictly from its stored bytes."""
    client, _ = book
    assert {type(each.event) for each in recorded(client)} == set(get_args(Event)) - {Sealed}


def test_every_kind_of_event_that_changes_a_unit_is_replayed(book: tuple[Client, Path]) -> None:
    """The verifier replays each kind that changes a run, and verifies the path of an honest server."""
    client, _ = book
    replayed: set[type[RunEvent]] = set()
    for number in range(UNITS):
        (serial,) = next(client.list_codes(1, number, number)).serials
        path = client.get_path(serial, corrections=True)
        replayed |= {type(step.event) for step in replay(path)}
        code = read_code(serial)
        assert not isinstance(code, Report)
        assert check_path(path, code, TODAY, Policy()).verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY)
    assert replayed == set(get_args(RunEvent))


def test_every_kind_of_event_is_printed(book: tuple[Client, Path]) -> None:
    """The command line prints each kind by its name in the contract."""
    client, _ = book
    result = CliRunner().invoke(pathbook, ["--server", client.target, "--book", BOOK, "events", "read"])
    assert result.exit_code == 0, result.output
    assert {line.split()[3] for line in result.output.splitlines()} == set(EVENTS) - {"sealed"}


def test_every_kind_of_event_has_each_field_of_its_message() -> None:
    """The table of fields names each field of each message, and each struct has as many fields."""
    kinds = events_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
    contract = {kind.name: kind.message_type for kind in kinds}
    assert set(contract) == set(EVENTS)
    for name, shape in [*EVENTS.items(), ("terms", TERMS)]:
        message = contract.get(name, events_pb2.Terms.DESCRIPTOR)
        assert message is not None
        assert {field.name for field in shape.fields} == {_name_of(field) for field in message.fields}
        assert len(shape.fields) == len(msgspec.structs.fields(shape.struct))


def _name_of(field: FieldDescriptor) -> str:
    """Return the name of a field, or of the group of which a message has one."""
    group = field.containing_oneof
    return field.name if group is None or group.name.startswith("_") else group.name


@pytest.mark.parametrize("kind", get_args(Command))
def test_every_command_names_its_actor(kind: type[Command]) -> None:
    """The actor is the party or consumer in the command's acting role, or the operator, or the writer."""
    filled: Any = {
        field.name: "zoe" if field.type is str else None
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    actor = kind(**filled).actor
    others = {
        commands.OpenBook: "",
        commands.RegisterParty: "",
        commands.CorrectParty: "",
        commands.LapseTransfer: WRITER_PREFIX,
        commands.Seal: WRITER_PREFIX,
        commands.ConfirmPurchase: f"{CONSUMER_PREFIX}zoe",
    }
    assert actor == others.get(kind, "zoe")
