"""Keys of the parties of the book of masks, and statements that they sign, written without the client."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status.rpc_status import from_call
from nacl.signing import SigningKey

from pathbook.client import Client
from pathbook.ledger.codec import decode, leaf_hash
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.proofs.statements import (
    BATCH,
    KEY,
    REVOCATION,
    STATEMENT,
    batch_text,
    key_text,
    pre_authentication_encoding,
    revocation_text,
)
from pathbook.ledger.proofs.tree import root_of
from pathbook.v1.keys_pb2 import RegisterKeyRequest, RevokeKeyRequest
from pathbook.v1.keys_pb2_grpc import KeyServiceStub
from pathbook.v1.statements_pb2 import (
    FileStatementRequest,
    FileStatementResponse,
    FileStatementsRequest,
    FileStatementsResponse,
    FileStatementsResult,
    Statement,
)
from pathbook.v1.statements_pb2_grpc import StatementServiceStub
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import Price, Selection
from tests.services.masks import BOOK

ORIGIN: Final = f"pathbook/{BOOK}"


def now() -> Timestamp:
    """Return the time, in whole microseconds."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    stamp.nanos -= stamp.nanos % 1_000
    return stamp


class Signer:
    """A party, or the operator (""), with a key of its own, which is the same in each run."""

    def __init__(self, party: str, seed: str = "") -> None:
        self.party = party
        self._key = SigningKey(f"{party}/{seed}".encode().ljust(32, b"."))
        self.public = bytes(self._key.verify_key)

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Return the signature of a payload of a type."""
        return self._key.sign(pre_authentication_encoding(payload_type, payload)).signature

    def statement(self, request: Message, origin: str = ORIGIN, signed_at: Timestamp | None = None) -> bytes:
        """Return the bytes of a statement with a request."""
        statement = Statement(origin=origin, party=self.party, key=self.public, signed_at=signed_at or now())
        field = next(one for one in Statement.DESCRIPTOR.fields if one.message_type is request.DESCRIPTOR)
        getattr(statement, field.name).CopyFrom(request)
        return statement.SerializeToString()

    def filing(self, statement: bytes, note: str = "", note_salt: bytes = b"") -> FileStatementRequest:
        """Return the request to file a statement."""
        return FileStatementRequest(
            book=BOOK,
            statement=statement,
            signature=self.sign(STATEMENT, statement),
            note=note,
            note_salt=note_salt,
        )

    def batch(self, statements: Sequence[bytes], origin: str = ORIGIN) -> FileStatementsRequest:
        """Return the request to file a batch of statements."""
        root = root_of(map(leaf_hash, statements))
        text = batch_text(origin, self.party, self.public, len(statements), root)
        return FileStatementsRequest(book=BOOK, statements=statements, signature=self.sign(BATCH, text))

    def endorsing(
        self, key: "Signer", *, recovery_key: bytes = b"", replaced_key: bytes = b"", origin: str = ORIGIN
    ) -> RegisterKeyRequest:
        """Return the request to register a key that this signer endorses."""
        event = KeyRegistered(
            key.party, key.public, recovery_key, self.party, self.public, replaced_key, b"", b""
        )
        text = key_text(origin, event)
        return RegisterKeyRequest(
            book=BOOK,
            request_id=f"key {key.public.hex()}",
            party=key.party,
            key=key.public,
            recovery_key=recovery_key,
            endorser=self.party,
            endorser_key=self.public,
            replaced_key=replaced_key,
            possession=key.sign(KEY, text),
            endorsement=self.sign(KEY, text),
        )

    def revoking(self, key: "Signer", origin: str = ORIGIN) -> RevokeKeyRequest:
        """Return the request to revoke a key."""
        event = KeyRevoked(key.party, key.public, self.party, self.public, b"")
        return RevokeKeyRequest(
            book=BOOK,
            request_id=f"revoke {key.public.hex()}",
            party=key.party,
            key=key.public,
            revoker=self.party,
            revoker_key=self.public,
            signature=self.sign(REVOCATION, revocation_text(origin, event)),
        )


OPERATOR: Final = Signer("")
ACME: Final = Signer("acme")
ANN: Final = Signer("ann")


class Filer:
    """Calls the services of keys and statements of a server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.keys, self.statements = KeyServiceStub(channel), StatementServiceStub(channel)

    def register(self, *signers: Signer) -> None:
        """Register the keys of the operator, of the brand and of agents without authorization."""
        for signer in signers:
            endorser = signer if signer is OPERATOR else OPERATOR
            self.keys.RegisterKey(endorser.endorsing(signer))

    def file(self, signer: Signer, request: Message) -> FileStatementResponse:
        """File a request as a statement."""
        return self.statements.FileStatement(signer.filing(signer.statement(request)))

    def file_all(self, *batches: FileStatementsRequest) -> list[FileStatementsResponse]:
        """File batches on one call."""
        return list(self.statements.FileStatements(iter(batches)))


def handed_over(number: int, last: int | None = None, request_id: str = "") -> RecordTransferRequest:
    """Return the request to record that boxes of the first batch went from acme to ann."""
    units = Selection()
    units.ranges.add(batch=1, first=number, last=number if last is None else last)
    return RecordTransferRequest(
        request_id=request_id or f"box {number}",
        giver="acme",
        receiver="ann",
        units=units,
        unit_price=Price(amount_minor=15_000, currency_code="CNY", per_units=1),
    )


def positions(results: Sequence[FileStatementsResult]) -> list[int]:
    """Return the position of each recorded statement, and the negated reason of each refused one."""
    return [
        item.answer.receipt.position if item.HasField("answer") else -item.refusal.reason for item in results
    ]


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason for which a call was refused or failed."""
    status = from_call(error)
    assert status is not None, error
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


@contextlib.contextmanager
def refusing(reason: str) -> Iterator[None]:
    """Expect a call to be refused for a reason."""
    with pytest.raises(grpc.RpcError) as error:
        yield
    assert reason_of(error.value) == reason, error.value


def head(client: Client) -> int:
    """Return the last position of the book."""
    return client.get_head().position


def recorded(client: Client, after: int = 0) -> list[RecordedEvent]:
    """Return the events after a position."""
    entries = [entry for batch in client.read(after) for entry in batch.events]
    return [decode(position, entry) for position, entry in enumerate(entries, after + 1)]
