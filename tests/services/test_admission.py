"""What was not signed as it must be is refused before a book decides: changed, miswritten, of another book or party."""

from collections.abc import Callable
from typing import Final

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.client import Client
from pathbook.v1.parties_pb2 import AuthorizePartyRequest, RegisterPartyRequest
from pathbook.v1.refusals_pb2 import (
    REFUSAL_REASON_STATEMENT_HAS_CODES,
    REFUSAL_REASON_STATEMENT_MALFORMED,
)
from pathbook.v1.statements_pb2 import FileStatementRequest, FileStatementsRequest, Statement
from pathbook.v1.transfers_pb2 import (
    AcceptTransferRequest,
    DeclineTransferRequest,
    ReturnUnitsRequest,
    SellUnitsRequest,
)
from pathbook.v1.transfers_pb2_grpc import TransferServiceStub
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT
from tests.services.masks import BOOK, MASK, begin
from tests.services.signing import (
    ACME,
    ANN,
    ORIGIN,
    Filer,
    Signer,
    handed_over,
    head,
    now,
    positions,
    refusing,
)

OTHER_MASK: Final = "04006381333948"
SALT: Final = bytes(range(16))
DAY: Final = 86_400


def test_a_changed_byte_is_refused(client: Client, filer: Filer) -> None:
    """Whichever byte of a statement or of its signature was changed, nothing is recorded."""
    before, good = head(client), ACME.filing(ACME.statement(handed_over(0, 9)))
    for index in range(len(good.statement)):
        bad = bytearray(good.statement)
        bad[index] ^= 1
        with pytest.raises(grpc.RpcError):
            filer.statements.FileStatement(
                FileStatementRequest(book=BOOK, statement=bytes(bad), signature=good.signature)
            )
    for index in range(len(good.signature)):
        bad = bytearray(good.signature)
        bad[index] ^= 1
        with refusing("SIGNATURE_WRONG"):
            filer.statements.FileStatement(
                FileStatementRequest(book=BOOK, statement=good.statement, signature=bytes(bad))
            )
    assert head(client) == before


def test_a_changed_batch_is_refused(client: Client, filer: Filer) -> None:
    """A batch with another statement, without one or in another order is refused as a whole."""
    before = head(client)
    statements = [ACME.statement(handed_over(number)) for number in range(3)]
    signature = ACME.batch(statements).signature
    other = [*statements[:2], ACME.statement(handed_over(7))]
    for changed in (other, statements[:2], statements[::-1], [*statements, statements[0]]):
        with refusing("SIGNATURE_WRONG"):
            filer.file_all(FileStatementsRequest(book=BOOK, statements=changed, signature=signature))
    assert head(client) == before


def long_length(statement: bytes) -> bytes:
    """Write the length of the first field, the origin, with one byte more than it needs."""
    return statement[:1] + bytes([statement[1] | 0x80, 0]) + statement[2:]


def nested(statement: bytes) -> bytes:
    """Put a field into the request that its message does not have."""
    message = Statement.FromString(statement)
    unknown = message.record_transfer.SerializeToString() + b"\xf8\x07\x01"
    message.ClearField("record_transfer")
    return message.SerializeToString() + b"\x9a\x01" + bytes([len(unknown)]) + unknown


MISWRITTEN: Final[dict[str, Callable[[bytes], bytes]]] = {
    "a field that a statement does not have": lambda one: one + b"\xf8\x07\x01",
    "a field that its request does not have": nested,
    "its party twice": lambda one: one + b"\x12\x04acme",
    "another party first": lambda one: b"\x12\x03bob" + one,
    "two requests": lambda one: one + b"\x52\x00",
    "a length that is longer than need be": long_length,
    "a default that is written out": lambda one: one + b"\x1a\x00",
    "no request": lambda _: Statement(
        origin=ORIGIN, party="acme", key=ACME.public, signed_at=now()
    ).SerializeToString(),
    "no time": lambda _: ACME.statement(handed_over(0), signed_at=Timestamp()),
    "nothing": lambda _: b"",
    "no message": lambda _: b"\x0a\xff",
    "too many bytes": lambda _: ACME.statement(RegisterPartyRequest(party="a" * 65_536)),
    "a book in its request": lambda _: ACME.statement(RegisterPartyRequest(book=BOOK)),
    "a short key": lambda _: Statement(
        origin=ORIGIN, party="acme", key=b"short", signed_at=now(), record_transfer=handed_over(0)
    ).SerializeToString(),
}


@pytest.mark.parametrize("how", MISWRITTEN)
def test_a_statement_is_written_in_one_way(client: Client, filer: Filer, how: str) -> None:
    """Whatever is not written as a statement must be is refused, also if it is signed, alone and in a batch."""
    before, good = head(client), ACME.statement(handed_over(1))
    bad = MISWRITTEN[how](ACME.statement(handed_over(0)))
    with refusing("STATEMENT_MALFORMED"):
        filer.statements.FileStatement(ACME.filing(bad))
    with refusing("STATEMENT_MALFORMED"):
        filer.file_all(ACME.batch([bad]))
    assert head(client) == before
    (answer,) = filer.file_all(ACME.batch([bad, good]))
    assert positions(answer.results) == [-REFUSAL_REASON_STATEMENT_MALFORMED, before + 2]


def test_a_statement_counts_in_its_book(client: Client, filer: Filer) -> None:
    """A statement for another book is refused, alone and in a batch."""
    before, other = head(client), ACME.statement(handed_over(0), origin="pathbook/others")
    with refusing("STATEMENT_OF_OTHER_BOOK"):
        filer.statements.FileStatement(ACME.filing(other))
    for origin in (ORIGIN, "pathbook/others"):
        with refusing("STATEMENT_OF_OTHER_BOOK"):
            filer.file_all(ACME.batch([other], origin))
    with refusing("SIGNATURE_WRONG"):
        filer.file_all(ACME.batch([ACME.statement(handed_over(0))], "pathbook/others"))
    assert head(client) == before


def test_a_statement_has_no_codes(client: Client, filer: Filer) -> None:
    """Codes in a statement are refused, wherever they stand, and in a batch only the statement that has them."""
    (codes,) = client.list_codes(1, 0, 0)
    coded = handed_over(0)
    del coded.units.ranges[:]
    coded.units.codes.append(codes.serials[0])
    with refusing("STATEMENT_HAS_CODES"):
        filer.file(ACME, coded)
    for answer in (
        AcceptTransferRequest(request_id="a", receiver="ann", transfer=1, extra_codes=codes.serials),
        AcceptTransferRequest(
            request_id="a",
            receiver="ann",
            transfer=1,
            discrepancies=[{"kind": "DISCREPANCY_KIND_SHORT", "codes": codes.serials}],  # type: ignore[list-item] # it may be a dictionary
        ),
    ):
        with refusing("STATEMENT_HAS_CODES"):
            filer.file(ANN, answer)
    before = head(client)
    (answers,) = filer.file_all(ACME.batch([ACME.statement(coded), ACME.statement(handed_over(1))]))
    assert positions(answers.results) == [-REFUSAL_REASON_STATEMENT_HAS_CODES, before + 2]


def test_a_commitment_without_a_note_is_refused(client: Client) -> None:
    """A request that is not signed must have the note itself, which would else be lost."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel, refusing("VALUE_MISSING"):
        TransferServiceStub(channel).DeclineTransfer(
            DeclineTransferRequest(
                book=BOOK, request_id="no", receiver="ann", transfer=8, note_commitment=bytes(32)
            )
        )


def test_only_the_party_that_acts_signs(client: Client, filer: Filer) -> None:
    """A statement of another party, of a consumer's request, or of a key that was not registered is refused."""
    before = head(client)
    with refusing("STATEMENT_OF_OTHER_PARTY"):
        filer.file(ANN, handed_over(0))
    with refusing("STATEMENT_OF_OTHER_PARTY"):
        filer.file(ACME, RegisterPartyRequest(request_id="dan", party="dan", kind=PARTY_KIND_AGENT))
    with refusing("KEY_UNKNOWN"):
        filer.file(Signer("acme", "never registered"), handed_over(0))
    with refusing("KEY_UNKNOWN"):
        filer.file_all(Signer("acme", "no").batch([Signer("acme", "no").statement(handed_over(0))]))
    returned = ReturnUnitsRequest(request_id="back", owner="consumer:eve", units=handed_over(0).units)
    with refusing("CONSUMER_HAS_NO_KEY"):
        filer.file(Signer("consumer:eve"), returned)
    assert head(client) == before
    sold = SellUnitsRequest(
        request_id="sold",
        seller="acme",
        consumer="eve",
        units=handed_over(0).units,
        unit_price=handed_over(0).unit_price,
    )
    assert filer.file(ACME, sold).receipt.position == before + 1


def test_a_statement_counts_for_a_month(client: Client, filer: Filer) -> None:
    """A statement that was signed more than 30 days ago, or ahead of the clock, is refused."""
    for seconds, counts in ((-29 * DAY, True), (-31 * DAY, False), (240, True), (600, False)):
        stamp = now()
        stamp.seconds += seconds
        request = handed_over(0, request_id=f"at {seconds}")
        request.units.ranges[0].first = request.units.ranges[0].last = abs(seconds) % 997
        filing = ACME.filing(ACME.statement(request, signed_at=stamp))
        if counts:
            filer.statements.FileStatement(filing)
        else:
            with refusing("STATEMENT_EXPIRED"):
                filer.statements.FileStatement(filing)


def test_a_batch_is_of_one_party_and_key(client: Client, filer: Filer) -> None:
    """A batch of several keys, parties or books, of none or of too many statements is refused as a whole."""
    before, good = head(client), ACME.statement(handed_over(0))
    second = Signer("acme", "second")
    for other in (
        second.statement(handed_over(1)),
        ANN.statement(handed_over(1)),
        ACME.statement(handed_over(1), origin="pathbook/others"),
    ):
        with refusing("STATEMENTS_DIFFER"):
            filer.file_all(ACME.batch([good, other]))
    with refusing("TOO_MANY_STATEMENTS"):
        filer.file_all(FileStatementsRequest(book=BOOK))
    with refusing("TOO_MANY_STATEMENTS"):
        filer.file_all(FileStatementsRequest(book=BOOK, statements=[good] * 1_001))
    assert head(client) == before
    full = ACME.batch([ACME.statement(handed_over(0))] * 1_000)
    (answer,) = filer.file_all(full)
    assert len(answer.results) == 1_000


def test_a_batch_may_name_as_much_as_a_batch_of_transfers(client: Client, filer: Filer) -> None:
    """The ranges and the products of all statements together have the limits of an unsigned batch."""
    before, many = head(client), handed_over(0)
    many.units.ranges.extend([many.units.ranges[0]] * 400)
    with refusing("TOO_MANY_RANGES"):
        filer.file_all(ACME.batch([ACME.statement(many)] * 10))
    listing = AuthorizePartyRequest(
        request_id="list", upline="acme", party="ann", tier=1, gtins=[MASK] * 1_000
    )
    with refusing("TOO_MANY_PRODUCTS"):
        filer.file_all(ACME.batch([ACME.statement(listing)] * 5))
    assert head(client) == before
