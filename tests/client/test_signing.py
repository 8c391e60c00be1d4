"""A client with a signer: each write is filed as it was signed, and answered as it would be without."""

import datetime
from collections.abc import Sequence
from typing import Final

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from pathbook.client import AsyncClient, Client, PartyKey, PartyKind, RefusedError, UnitState, select
from pathbook.client.statements import KINDS
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.notes import note_commitment
from pathbook.ledger.proofs.statements import (
    STATEMENT,
    batch_text,
    is_batch_signed,
    is_statement_signed,
    pre_authentication_encoding,
)
from pathbook.ledger.serials import BookKey, print_serial
from pathbook.v1 import batches_pb2, events_pb2, parties_pb2, transfers_pb2, values_pb2
from tests.client.event_loop import in_event_loop
from tests.client.relay import relayed
from tests.services.masks import BOOK, MADE_ON, MASK, begin, boxes, refused, yuan

ORIGIN: Final = "pathbook/masks"
PARTIES: Final = ("", "acme", "ann", "bob")
OTHER: Final = "04006381333948"
CASE: Final = "340123450000000017"


@pytest.fixture
def keys(client: Client) -> dict[str, PartyKey]:
    """The keys of the operator, of a brand and of two agents, registered in a book of masks."""
    begin(client)
    made = {party: PartyKey(ORIGIN, party) for party in PARTIES}
    for key in made.values():  # no agent here has an authorization, so the operator endorses all
        client.register_key(key, endorser=made[""])
    return made


class Signed:
    """Clients that sign for parties, and the events of what they ask."""

    def __init__(self, client: Client, keys: dict[str, PartyKey]) -> None:
        self.client = client
        self.keys = keys
        self.kinds: set[str] = set()

    def by(self, party: str) -> Client:
        """Return a client whose writes a party signs."""
        return self.client.with_options(signer=self.keys[party])

    def event(self, position: int) -> events_pb2.Event:
        """Return an event."""
        (batch,) = self.client.read(position - 1, limit=1)
        return events_pb2.Event.FromString(batch.events[0])

    def check(self, party: str, position: int) -> Message:
        """Check that an event rests on a statement of a party, and return the request that was signed."""
        event = self.event(position)
        statement = read_statement(event.statement)
        assert (statement.origin, statement.party, statement.key) == (ORIGIN, party, self.keys[party].key)
        assert is_statement_signed(self.keys[party].key, event.signature, event.statement)
        age = datetime.datetime.now(datetime.UTC).timestamp() - statement.signed_at / 1e6
        assert 0 <= age < 60
        self.kinds.add(statement.kind)
        return statement.request


@pytest.fixture
def signed(client: Client, keys: dict[str, PartyKey]) -> Signed:
    """A book in which parties sign."""
    return Signed(client, keys)


def test_each_write_that_can_be_signed_is_signed_and_answered_as_before(signed: Signed) -> None:
    """A story in which each kind of statement occurs once: answers have the type and the content of unsigned ones."""
    operator, acme, ann = signed.by(""), signed.by("acme"), signed.by("ann")

    def done(party: str, answer: Message) -> int:
        receipt: values_pb2.Receipt = answer.receipt  # type: ignore[attr-defined] # each answer has one
        signed.check(party, receipt.position)
        assert not receipt.duplicate
        return receipt.position

    done("", operator.register_party("dan", PartyKind.AGENT))
    authorized = done("acme", acme.authorize_party("dan", upline="acme", tier=1))
    done("acme", acme.revoke_authorization(authorized, upline="acme"))
    product = acme.register_product(OTHER, brand="acme", name="Other mask", suggested_price=yuan(300))
    assert (type(product), product.gtin) == (batches_pb2.RegisterProductResponse, OTHER)
    done("acme", product)
    batch = acme.commission_batch(OTHER, brand="acme", lot="X", size=10, made_on=MADE_ON)
    assert (type(batch), batch.batch) == (batches_pb2.CommissionBatchResponse, 2)
    done("acme", batch)
    offers = [
        done(
            "acme", acme.offer_transfer(giver="acme", receiver="ann", units=boxes(n, n), unit_price=yuan(150))
        )
        for n in range(3)
    ]
    accepted = ann.accept_transfer(offers[0], receiver="ann")
    assert [(part.batch, part.first, part.last) for part in accepted.ranges] == [(1, 0, 0)]
    done("ann", accepted)
    done("ann", ann.decline_transfer(offers[1], receiver="ann", note="too dear"))
    done("acme", acme.withdraw_transfer(offers[2], giver="acme"))
    moved = acme.record_transfer(giver="acme", receiver="ann", units=boxes(10, 29), unit_price=yuan(150))
    assert (type(moved), moved.ranges[0].last) == (transfers_pb2.RecordTransferResponse, 29)
    recorded = done("acme", moved)
    acme.record_transfer(
        giver="acme",
        receiver="ann",
        units=boxes(40, 49),
        unit_price=yuan(150),
        delivery=values_pb2.DELIVERY_LATER,
    )
    done("acme", acme.deliver_units(custodian="acme", receiver="ann", units=boxes(40, 49)))
    asked = ann.reverse_transfer(recorded, party="ann", note="wrong")
    agreed = acme.reverse_transfer(recorded, party="acme")
    assert (asked.reversed, agreed.reversed) == (False, True)
    done("ann", asked)
    done("acme", agreed)
    sold = ann.sell_units(seller="ann", consumer="c-7", units=boxes(40, 41), unit_price=yuan(300))
    done("ann", sold)
    confirmed = ann.confirm_purchase(consumer="c-7", units=boxes(40, 41), price_paid=yuan(300))
    assert not signed.event(confirmed.receipt.position).statement
    done("ann", ann.return_units(owner="ann", units=boxes(42, 42), note="torn"))
    lost = ann.write_off_units(party="ann", units=boxes(43, 43), state=UnitState.LOST, note="gone")
    done("ann", ann.declare_error(done("ann", lost), party="ann", note="it was found"))
    done("acme", acme.pack_case(CASE, party="acme", units=boxes(500, 509)))
    done("acme", acme.unpack_case(CASE, party="acme"))
    recall = done("acme", acme.recall_units(1, brand="acme", ranges=[(1, 900, 909)], note="torn straps"))
    done("acme", acme.lift_recall(recall, brand="acme"))
    done("acme", acme.correct_product(OTHER, brand="acme", name="Other mask, box of 50"))
    done("acme", acme.correct_batch(2, brand="acme", made_on=MADE_ON - datetime.timedelta(1)))
    done("", operator.correct_party("dan", PartyKind.SHOP))
    assert signed.kinds == set(KINDS.values())


def test_a_retry_of_a_signed_write_is_a_duplicate(signed: Signed) -> None:
    """The same request id and content are recorded once, with another signature, and without one."""
    sheet = {"giver": "acme", "receiver": "ann", "unit_price": yuan(150), "request_id": "note 7"}
    sent = signed.by("acme").record_transfer(units=boxes(0, 9), **sheet)  # type: ignore[arg-type] # they fit
    for second in (signed.client, signed.by("acme")):
        again = second.record_transfer(units=boxes(0, 9), **sheet)  # type: ignore[arg-type] # as above
        assert (again.receipt.position, again.receipt.duplicate) == (sent.receipt.position, True)


def test_an_answer_binds_the_event_that_the_client_read(signed: Signed) -> None:
    """The client reads the event as it signs, and computes its leaf hash. Another one is refused."""
    ann, acme = signed.by("ann"), signed.by("acme")
    first, second = (
        acme.offer_transfer(
            giver="acme", receiver="ann", units=boxes(n, n), unit_price=yuan(150)
        ).receipt.position
        for n in (0, 1)
    )
    seen = signed.client.get_event(first)
    with refused("ANSWERED_EVENT_DIFFERS", StatusCode.FAILED_PRECONDITION):
        ann.accept_transfer(second, receiver="ann", answered_leaf=seen.leaf)
    ann.accept_transfer(first, receiver="ann", answered_leaf=seen.leaf)
    accepted = ann.accept_transfer(second, receiver="ann").receipt.position
    request = signed.check("ann", accepted)
    assert isinstance(request, transfers_pb2.AcceptTransferRequest)
    assert request.answered_leaf == signed.client.get_event(second).leaf
    asked = signed.check("ann", ann.reverse_transfer(second, party="ann").receipt.position)
    assert isinstance(asked, transfers_pb2.ReverseTransferRequest)
    assert asked.answered_leaf == signed.client.get_event(second, is_agreement=True).leaf
    with refused("TRANSFER_UNKNOWN", StatusCode.NOT_FOUND):
        ann.accept_transfer(9999, receiver="ann")


def test_a_note_is_committed_to_and_lies_beside_the_statement(signed: Signed) -> None:
    """The event has the commitment that was signed, and no byte of the note. The note is read as before."""
    recall = signed.by("acme").recall_units(1, brand="acme", note="torn straps")
    event = signed.event(recall.receipt.position)
    request = signed.check("acme", recall.receipt.position)
    assert isinstance(request, batches_pb2.RecallUnitsRequest)
    assert b"torn" not in event.SerializeToString()
    (found,) = signed.client.get_batch(1).recalls
    assert found.note.text == "torn straps"
    assert request.note_commitment == event.units_recalled.note_commitment
    assert request.note_commitment == note_commitment(found.note.salt, "torn straps")


class Remembering:
    """A signer that keeps what it signs: someone else's, not a class of this program."""

    def __init__(self, key: PartyKey) -> None:
        self.origin, self.party, self.key = key.origin, key.party, key.key
        self.messages: list[bytes] = []
        self._sign = key.sign

    def sign(self, message: bytes) -> bytes:
        """Sign and remember."""
        self.messages.append(message)
        return self._sign(message)


def test_codes_become_units_before_they_are_signed(signed: Signed) -> None:
    """No code stands in a statement, in a selection, in a discrepancy or beside an offer."""
    client = signed.client
    codes = next(client.list_codes(1, 0, 9)).serials
    acme, ann = signed.by("acme"), signed.by("ann")
    both = select(ranges=[(1, 5, 5)], codes=codes[:2])
    offer = acme.offer_transfer(
        giver="acme", receiver="ann", units=both, unit_price=yuan(150), extra_allowed=1
    )
    request = signed.check("acme", offer.receipt.position)
    assert isinstance(request, transfers_pb2.OfferTransferRequest)
    assert (list(request.units.codes), request.extra_allowed) == ([], 1)
    assert [(part.first, part.last) for part in request.units.ranges] == [(5, 5), (0, 0), (1, 1)]
    claim = transfers_pb2.DiscrepancyClaim(kind=values_pb2.DISCREPANCY_KIND_SHORT, codes=[codes[1]])
    accepted = ann.accept_transfer(
        offer.receipt.position, receiver="ann", discrepancies=[claim], extra_codes=[codes[7]]
    )
    taken = signed.check("ann", accepted.receipt.position)
    assert isinstance(taken, transfers_pb2.AcceptTransferRequest)
    assert (taken.discrepancies[0].ranges[0].first, taken.extra[0].first) == (1, 7)
    assert not taken.discrepancies[0].codes
    assert not taken.extra_codes
    assert [(part.first, part.last) for part in accepted.ranges] == [(0, 0), (5, 5), (7, 7)]
    assert claim.codes == [codes[1]], "what the caller gave is as it was"


def test_a_code_that_the_book_did_not_print_is_not_signed(signed: Signed) -> None:
    """Codes of another key, mistyped ones and other texts are refused as without a signer, and nothing is signed."""
    code = next(signed.client.list_codes(1, 0, 0)).serials[0]
    signer = Remembering(signed.keys["acme"])
    client = signed.client.with_options(signer=signer)
    wrong = code[:13] + ("0" if code[13] != "0" else "1") + code[14:]
    counterfeit = print_serial(BookKey(bytes(32)), BOOK, 1, 0)
    for text in (counterfeit, wrong, "no code"):
        reasons = []
        for caller in (signed.client, client):
            with pytest.raises(RefusedError) as refused_:
                caller.write_off_units(party="acme", units=select(codes=[text]), state=UnitState.LOST)
            reasons.append((refused_.value.reason, refused_.value.message, refused_.value.code))
        assert reasons[0] == reasons[1]
    assert signer.messages == []
    sold = client.sell_units(seller="acme", consumer="c-1", units=select(codes=[code]), unit_price=yuan(1))
    assert (sold.ranges[0].first, len(signer.messages)) == (0, 1)


def test_a_signer_of_ones_own_signs_what_the_contract_says(signed: Signed) -> None:
    """It gets the pre-authentication encoding of the statement that the event keeps, once."""
    signer = Remembering(signed.keys["acme"])
    answer = signed.client.with_options(signer=signer).correct_product(MASK, brand="acme", name="Mask")
    event = signed.event(answer.receipt.position)
    assert signer.messages == [pre_authentication_encoding(STATEMENT, event.statement)]


def test_a_signer_signs_for_its_own_party_and_book_only(signed: Signed) -> None:
    """The server refuses what another party would do by it, and what was signed for another book."""
    ann = signed.by("ann")
    with refused("STATEMENT_OF_OTHER_PARTY"):
        ann.record_transfer(giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(1))
    with refused("CONSUMER_HAS_NO_KEY"):
        ann.write_off_units(party="consumer:c-1", units=boxes(0, 0), state=UnitState.LOST)
    elsewhere = signed.client.with_options(signer=PartyKey("other/masks", "ann"))
    with refused("STATEMENT_OF_OTHER_BOOK"):
        elsewhere.write_off_units(party="ann", units=boxes(0, 0), state=UnitState.LOST)
    unregistered = signed.client.with_options(signer=PartyKey(ORIGIN, "ann"))
    with refused("KEY_UNKNOWN", StatusCode.NOT_FOUND):
        unregistered.write_off_units(party="ann", units=boxes(0, 0), state=UnitState.LOST)


def sale(number: int) -> transfers_pb2.SellUnitsRequest:
    """Return a sale of a box of acme's."""
    return transfers_pb2.SellUnitsRequest(
        book="ignored",
        request_id=f"sale {number}",
        seller="acme",
        consumer="c-1",
        units=boxes(number, number),
        unit_price=values_pb2.Price(amount_minor=1, currency_code="CNY"),
    )


def test_a_batch_is_signed_once(signed: Signed) -> None:
    """One signature for each batch. Each event names its place in it, and the results are those of unsigned writes."""
    signer = Remembering(signed.keys["acme"])
    client = signed.client.with_options(signer=signer)
    first, second = client.record_transfers([[sale(n) for n in range(50)], [sale(50), sale(0), sale(2_000)]])
    assert len(signer.messages) == 2
    assert [result.receipt.position for result in first] == list(range(13, 63))
    assert {type(result) for result in [*first, *second]} == {transfers_pb2.RecordTransfersResult}
    assert [part.first for part in first[7].ranges] == [7]
    assert [result.WhichOneof("result") for result in second] == ["receipt", "receipt", "refusal"]
    assert (second[1].receipt.duplicate, second[1].receipt.position) == (True, 13)
    filed = signed.event(12)
    text = filed.statements_filed
    assert is_batch_signed(ORIGIN, "acme", signer.key, 50, text.root, text.signature)
    assert (
        pre_authentication_encoding(
            "application/vnd.pathbook.statements.v1+text",
            batch_text(ORIGIN, "acme", signer.key, 50, text.root),
        )
        == signer.messages[0]
    )
    event = signed.event(20)
    assert (event.filed_position, event.filed_index, event.signature) == (12, 7, b"")
    assert read_statement(event.statement).request == transfers_pb2.SellUnitsRequest(
        request_id="sale 7", seller="acme", consumer="c-1", units=boxes(7, 7), unit_price=sale(7).unit_price
    )
    assert client.position == 64


def test_registrations_are_signed_once(signed: Signed) -> None:
    """A product and its batch of units get their numbers, as without a signature."""
    batch: Sequence[batches_pb2.RegisterProductRequest | batches_pb2.CommissionBatchRequest] = [
        batches_pb2.RegisterProductRequest(
            brand="acme",
            gtin=OTHER,
            name="Other",
            suggested_price=values_pb2.Price(amount_minor=1, currency_code="CNY"),
        ),
        batches_pb2.CommissionBatchRequest(
            brand="acme", gtin=OTHER, lot="X", size=5, made_on=MADE_ON.isoformat()
        ),
    ]
    (results,) = signed.by("acme").register([batch])
    assert [(item.gtin, item.batch) for item in results] == [(OTHER, 0), ("", 2)]
    assert signed.event(results[1].receipt.position).filed_index == 1
    party = parties_pb2.RegisterPartyRequest(party="eve", kind=values_pb2.PARTY_KIND_SHOP)
    (results,) = signed.by("").register([[party]])
    assert signed.event(results[0].receipt.position).filed_position == results[0].receipt.position - 1


def test_what_a_signed_batch_cannot_do_is_said(signed: Signed) -> None:
    """All or nothing, and notes, are for unsigned batches or single writes. Nothing is sent."""
    acme, before = signed.by("acme"), signed.client.get_head().position
    with pytest.raises(ValueError, match="leave all_or_nothing out"):
        next(acme.record_transfers([[sale(0)]], all_or_nothing=True))
    returned = transfers_pb2.ReturnUnitsRequest(owner="acme", units=boxes(0, 0), note="torn")
    with pytest.raises(ValueError, match="A request with a note is signed alone"):
        next(acme.record_transfers([[returned]]))
    assert signed.client.get_head().position == before


def test_a_broken_stream_sends_the_same_signatures_again(signed: Signed) -> None:
    """Batches without results are sent as they were signed, so nothing is signed or recorded twice."""
    signer = Remembering(signed.keys["acme"])
    with relayed(signed.client.target) as relay:
        client = Client(relay.target, book=BOOK, retry_seconds=30, signer=signer)
        batches = ([sale(10 * batch + n) for n in range(10)] for batch in range(8))
        found = []
        for number, results in enumerate(client.record_transfers(batches)):
            found += [result.receipt.position for result in results]
            if number in (1, 4):
                relay.cut()
        client.close()
    assert len(signer.messages) == 8
    assert len(set(found)) == 80
    assert signed.client.get_head().position == 11 + 8 + 80
    assert [call for call, _ in relay.calls].count("/pathbook.v1.StatementService/FileStatements") > 1


@in_event_loop
async def test_the_asyncio_client_signs_the_same(client: Client) -> None:
    """One write and one batch, signed on a thread, are recorded as by the other client."""
    begin(client)
    operator, acme = PartyKey(ORIGIN, ""), PartyKey(ORIGIN, "acme")
    signer = Remembering(acme)
    async with AsyncClient(client.target, book=BOOK, signer=signer) as book:
        await book.register_key(operator, endorser=operator)
        await book.register_key(acme, endorser=operator)
        code = next(client.list_codes(1, 3, 3)).serials[0]
        sold = await book.sell_units(
            seller="acme", consumer="c-1", units=select(codes=[code]), unit_price=yuan(1)
        )
        assert sold.ranges[0].first == 3
        results = [
            result
            async for batch in book.record_transfers([[sale(0), sale(1)], [sale(2)]])
            for result in batch
        ]
        assert [result.receipt.duplicate for result in results] == [False] * 3
        with refused("STATEMENT_OF_OTHER_PARTY"):
            await book.register_party("eve", PartyKind.SHOP)
    assert len(signer.messages) == 4


def test_a_signed_book_takes_no_unsigned_request_of_a_party(client: Client) -> None:
    """The operator and consumers need not sign, parties must."""
    client.open_book(signed=True)
    assert client.get_book().policy.signed
    client.register_party("acme", PartyKind.BRAND)

    def product(caller: Client) -> None:
        caller.register_product(MASK, brand="acme", name="Mask", suggested_price=yuan(300))

    with refused("STATEMENT_REQUIRED", StatusCode.PERMISSION_DENIED):
        product(client)
    operator, acme = PartyKey(ORIGIN, ""), PartyKey(ORIGIN, "acme")
    client.register_key(operator, endorser=operator)
    client.register_key(acme, endorser=operator)
    product(client.with_options(signer=acme))
