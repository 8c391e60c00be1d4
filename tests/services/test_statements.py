"""Statements are recorded as they were signed, alone and in batches, and what was not signed so is refused."""

from pathlib import Path
from typing import Final

import grpc
import pytest

from pathbook.client import Client
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.key_events import Signed, StatementsFiled
from pathbook.ledger.notes import note_commitment
from pathbook.ledger.proofs.statements import is_batch_signed, is_statement_signed
from pathbook.services.translate import receipts
from pathbook.v1.batches_pb2 import CommissionBatchRequest, RegisterProductRequest
from pathbook.v1.books_pb2 import OpenBookRequest
from pathbook.v1.books_pb2_grpc import BookServiceStub
from pathbook.v1.events_pb2 import Policy
from pathbook.v1.parties_pb2 import RegisterPartyRequest
from pathbook.v1.refusals_pb2 import (
    REFUSAL_REASON_PARTY_UNKNOWN,
    REFUSAL_REASON_STATEMENT_MALFORMED,
    REFUSAL_REASON_VALUE_MISSING,
)
from pathbook.v1.transfers_pb2 import (
    DeclineTransferRequest,
    OfferTransferRequest,
    ReverseTransferRequest,
)
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND
from tests.services.masks import BOOK, MADE_ON, MASK, begin, opened, refused
from tests.services.signing import (
    ACME,
    ANN,
    OPERATOR,
    ORIGIN,
    Filer,
    Signer,
    handed_over,
    head,
    positions,
    recorded,
    refusing,
)

OTHER_MASK: Final = "04006381333948"
SALT: Final = bytes(range(16))
DAY: Final = 86_400


def test_a_statement_is_recorded_as_it_was_signed(client: Client, filer: Filer) -> None:
    """The event keeps the bytes of the statement and the signature, and does what the request asks."""
    before = head(client)
    filing = ACME.filing(ACME.statement(handed_over(0, 9)))
    answer = filer.statements.FileStatement(filing)
    assert answer.receipt.position == before + 1
    assert [(item.batch, item.first, item.last) for item in answer.ranges] == [(1, 0, 9)]
    (event,) = recorded(client, before)
    assert event.signed == Signed(filing.statement, filing.signature)
    assert is_statement_signed(ACME.public, filing.signature, filing.statement)
    with refused("PARTY_SIGNS", grpc.StatusCode.PERMISSION_DENIED):
        client.record_transfer(
            giver="acme", receiver="ann", units=handed_over(10).units, unit_price=(15_000, "CNY")
        )


def test_a_batch_has_one_signature(client: Client, filer: Filer) -> None:
    """Each event of a batch names its place in the one event that has the root, the leaf hashes and the signature."""
    before, count = head(client), 500
    statements = [ACME.statement(handed_over(number)) for number in range(count)]
    batch = ACME.batch(statements)
    (answer,) = filer.file_all(batch)
    assert positions(answer.results) == list(range(before + 2, before + 2 + count))
    first, *others = recorded(client, before)
    filed = first.event
    assert isinstance(filed, StatementsFiled)
    assert (filed.party, filed.key, filed.signature) == ("acme", ACME.public, batch.signature)
    assert filed.leaf_hashes == b"".join(map(leaf_hash, statements))
    assert is_batch_signed(ORIGIN, "acme", ACME.public, count, filed.root, filed.signature)
    assert [event.signed for event in others] == [
        Signed(statement, filed=before + 1, index=index) for index, statement in enumerate(statements)
    ]


def test_a_batch_is_sent_again_after_the_stream_broke(data: Path) -> None:
    """What was recorded before is answered as a duplicate, and the rest refers to the signature filed before."""
    statements = [ACME.statement(handed_over(number)) for number in range(20)]
    batches = [ACME.batch(statements[:10]), ACME.batch(statements[10:])]
    with opened(data) as client:
        begin(client)
        with grpc.insecure_channel(client.target) as channel:
            filer = Filer(channel)
            filer.register(OPERATOR, ACME)
            filer.file_all(batches[0])
            before = head(client)
    with opened(data) as client, grpc.insecure_channel(client.target) as channel:
        again, rest = Filer(channel).file_all(*batches)
        assert [item.answer.receipt.duplicate for item in again.results] == [True] * 10
        assert positions(again.results) == list(range(before - 9, before + 1))
        assert positions(rest.results) == list(range(before + 2, before + 12))
        (last,) = Filer(channel).file_all(ACME.batch(statements[5:]))
        assert all(item.answer.receipt.duplicate for item in last.results)
        assert head(client) == before + 12, "only the signature of the last batch is new"


def test_a_statement_counts_once(client: Client, filer: Filer) -> None:
    """The same statement again, alone or in a batch, and the same request unsigned, are answered as duplicates."""
    request = handed_over(0, 9)
    statement = ACME.statement(request)
    first = filer.statements.FileStatement(ACME.filing(statement))
    before = head(client)
    again = filer.statements.FileStatement(ACME.filing(statement))
    later = filer.file(ACME, request)
    plain = client.record_transfer(
        giver="acme", receiver="ann", units=request.units, unit_price=(15_000, "CNY"), request_id="box 0"
    )
    for answer in (again, later, plain):
        assert (answer.receipt.position, answer.receipt.duplicate) == (first.receipt.position, True)
    assert head(client) == before
    (batch,) = filer.file_all(ACME.batch([statement, statement]))
    assert [item.answer.receipt.duplicate for item in batch.results] == [True, True]


def test_a_strangers_key_is_told_nothing_of_a_request(client: Client, filer: Filer) -> None:
    """Whether a request was recorded, and with which content, is told to keys of its party only."""
    request, stranger = handed_over(0, 9), Signer("acme", "stranger")
    filer.file(ACME, request)
    for asked in (request, handed_over(0, 8, request_id=request.request_id), handed_over(20)):
        with refusing("KEY_UNKNOWN"):
            filer.file(stranger, asked)


def test_a_note_is_sent_beside_its_statement(client: Client, filer: Filer) -> None:
    """A statement commits to its note, which is kept as any note is. Without it, or with another one, it is refused."""
    offered = filer.file(
        ACME,
        OfferTransferRequest(
            request_id="offer",
            giver="acme",
            receiver="ann",
            units=handed_over(0, 9).units,
            unit_price=handed_over(0).unit_price,
        ),
    ).receipt.position
    note = "two boxes were wet"
    declined = DeclineTransferRequest(
        request_id="no",
        receiver="ann",
        transfer=offered,
        answered_leaf=client.get_event(offered).leaf,
        note_commitment=note_commitment(SALT, note),
    )
    statement = ANN.statement(declined)
    for wrong, salt in (("", b""), ("others", SALT), (note, SALT[::-1]), (note, b"short"), ("", SALT)):
        with refusing("STATEMENT_MALFORMED"):
            filer.statements.FileStatement(ANN.filing(statement, wrong, salt))
    (answer,) = filer.file_all(ANN.batch([statement]))
    assert positions(answer.results) == [-REFUSAL_REASON_STATEMENT_MALFORMED]
    with refusing("STATEMENT_MALFORMED"):
        filer.statements.FileStatement(ANN.filing(ANN.statement(handed_over(0)), note, SALT))
    declined.note = note
    with refusing("STATEMENT_MALFORMED"):
        filer.statements.FileStatement(ANN.filing(ANN.statement(declined), note, SALT))
    before = head(client)
    answered = filer.statements.FileStatement(ANN.filing(statement, note, SALT))
    assert answered.receipt.position == before + 1
    (event,) = recorded(client, before)
    assert event.note_commitment == note_commitment(SALT, note)
    (transfer,) = client.get_transfer(offered, at_least_position=answered.receipt.position)
    shown = transfer.note
    assert (shown.text, shown.salt) == (note, SALT)
    again = filer.statements.FileStatement(ANN.filing(statement, note, SALT))
    assert again.receipt.duplicate


def test_each_statement_of_a_batch_is_refused_in_its_place(client: Client, filer: Filer) -> None:
    """One that cannot be read and one that the book refuses do not keep the others from being recorded."""
    before = head(client)
    without_units, stranger = handed_over(1), handed_over(2)
    without_units.ClearField("units")
    stranger.receiver = "zoe"
    requests = [handed_over(0), without_units, stranger, handed_over(3)]
    (answer,) = filer.file_all(ACME.batch([ACME.statement(request) for request in requests]))
    assert positions(answer.results) == [
        before + 2,
        -REFUSAL_REASON_VALUE_MISSING,
        -REFUSAL_REASON_PARTY_UNKNOWN,
        before + 3,
    ]


def test_a_refused_signature_refuses_its_batch(client: Client, filer: Filer) -> None:
    """The batches before one whose key was revoked are answered, and then the call ends with the reason."""
    second, third = Signer("acme", "second"), Signer("acme", "third")
    filer.keys.RegisterKey(ACME.endorsing(second, replaced_key=ACME.public))
    filer.keys.RegisterKey(second.endorsing(third, replaced_key=second.public))
    good = third.batch([third.statement(handed_over(0))])
    before = head(client)
    answers = iter(
        filer.statements.FileStatements(iter([good, second.batch([second.statement(handed_over(1))])]))
    )
    assert positions(next(answers).results) == [before + 2]
    with refusing("KEY_REVOKED"):
        next(answers)
    with refusing("KEY_REVOKED"):
        filer.file(second, handed_over(1))
    assert head(client) == before + 2


def test_every_kind_of_answer_is_given(client: Client, filer: Filer) -> None:
    """A statement is answered as its request: with the GTIN, the number of the batch, the units, or the reversal."""
    product = RegisterProductRequest(
        request_id="p",
        brand="acme",
        gtin=OTHER_MASK.lstrip("0"),
        name="Mask",
        suggested_price=handed_over(0).unit_price,
    )
    assert filer.file(ACME, product).gtin == OTHER_MASK
    batch = CommissionBatchRequest(
        request_id="b", brand="acme", gtin=OTHER_MASK, lot="L9", size=10, made_on=MADE_ON.isoformat()
    )
    assert filer.file(ACME, batch).batch == 2
    assert client.list_codes(2, 0, 9)
    moved = filer.file(ACME, handed_over(0, 9))
    leaf = client.get_event(moved.receipt.position).leaf
    back = [
        filer.file(
            signer,
            ReverseTransferRequest(
                request_id="r", party=signer.party, transfer=moved.receipt.position, answered_leaf=leaf
            ),
        )
        for signer in (ACME, ANN)
    ]
    assert [answer.reversed for answer in back] == [False, True]
    joined = RegisterPartyRequest(request_id="dan", party="dan", kind=PARTY_KIND_AGENT)
    assert filer.file(OPERATOR, joined).receipt.position == head(client)


def test_long_answers_leave_ranges_out(client: Client, filer: Filer, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answers of a batch have many ranges, the rest of them says that its ranges are left out."""
    monkeypatch.setattr(receipts, "MAX_RESULT_RANGES", 2)
    (answer,) = filer.file_all(ACME.batch([ACME.statement(handed_over(number)) for number in range(4)]))
    assert [len(item.answer.ranges) for item in answer.results] == [1, 1, 0, 0]
    assert [item.answer.ranges_left_out for item in answer.results] == [False, False, True, True]


def test_a_signed_book_wants_signatures(client: Client) -> None:
    """In a book with that policy a party's request is refused until it is signed; the operator's is not."""
    with grpc.insecure_channel(client.target) as channel:
        BookServiceStub(channel).OpenBook(
            OpenBookRequest(book=BOOK, request_id="open", policy=Policy(signed=True))
        )
        assert client.get_book().policy.signed
        client.register_party("acme", PARTY_KIND_BRAND)
        with refused("STATEMENT_REQUIRED", grpc.StatusCode.PERMISSION_DENIED):
            client.register_product(MASK, brand="acme", name="Mask", suggested_price=(1, "CNY"))
        filer = Filer(channel)
        filer.register(OPERATOR, ACME)
        product = RegisterProductRequest(
            request_id="p", brand="acme", gtin=MASK, name="Mask", suggested_price=handed_over(0).unit_price
        )
        assert filer.file(ACME, product).gtin == MASK
