"""Admission of what was signed: statements and keys are read and checked before they are put in a book's queue.

All of it takes longer than the event loop may be kept, so it runs on a thread.
"""

from collections.abc import Callable, Sequence
from typing import Final

from pathbook.ledger.book import Submitted
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.codec.commands import command_of, committed_note, named_by
from pathbook.ledger.codec.register_commands import register_key, revoke_key
from pathbook.ledger.codec.requests import bounded
from pathbook.ledger.codec.statements import MalformedStatementError, Statement, read_statement
from pathbook.ledger.commands import SignedCommand
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.notes import Note, is_committed
from pathbook.ledger.proofs.admission import (
    refuse_batch,
    refuse_registration,
    refuse_revocation,
    refuse_statement,
)
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.refusals import Reason, Refusal, RefusedRequestError, refuse
from pathbook.ledger.values import MAX_STATEMENTS, WRITER_PREFIX
from pathbook.services.bulk import require_few_listed
from pathbook.services.translate.requests import book_name
from pathbook.v1.batches_pb2 import CommissionBatchRequest
from pathbook.v1.keys_pb2 import RegisterKeyRequest, RevokeKeyRequest
from pathbook.v1.parties_pb2 import AuthorizePartyRequest
from pathbook.v1.statements_pb2 import FileStatementRequest, FileStatementsRequest

OF_BATCH: Final = ("party", "key", "origin")
"""What all statements of a batch have in common, because one signature is for all of them."""

_NO_NOTE: Final = Note("", b"")


class Admission:
    """Returns the commands of signed requests.

    ``origin`` returns the origin of a book, and ``code_key`` the fingerprint of the key for codes of a new batch. Each
    method raises RefusedRequestError, or what these functions raise.
    """

    def __init__(self, origin: Callable[[str], str], code_key: Callable[[], bytes]) -> None:
        self._origin, self._code_key = origin, code_key

    def key(self, request: RegisterKeyRequest) -> RegisterKey:
        """Return the command to register a key, which it and its endorser have signed."""
        command = register_key(request)
        _require(refuse_registration(self._origin(book_name(request.book)), command))
        return command

    def revocation(self, request: RevokeKeyRequest) -> RevokeKey:
        """Return the command to revoke a key, which the revoker has signed."""
        command = revoke_key(request)
        _require(refuse_revocation(self._origin(book_name(request.book)), command))
        return command

    def statement(self, request: FileStatementRequest) -> SignedCommand:
        """Return the command of a statement that has a signature of its own, and perhaps a note."""
        book_name(request.book)
        statement = _read(request.statement)
        if isinstance(statement, Refusal):
            raise RefusedRequestError(statement)
        note, code_key = Note(request.note, request.note_salt), self._code_key_for([statement])
        signed = _signed(statement, request.statement, note, code_key, signature=request.signature)
        _require(refuse_statement(signed))
        return signed

    def batch(self, request: FileStatementsRequest) -> list[Submitted]:
        """Return the command to file a batch of statements, and then the command or the refusal of each.

        A batch of which no statement can be read is refused as the first one.
        """
        book, count = book_name(request.book), len(request.statements)
        if not 1 <= count <= MAX_STATEMENTS:
            raise RefusedRequestError(refuse(Reason.TOO_MANY_STATEMENTS, count=count, limit=MAX_STATEMENTS))
        written = list(request.statements)
        found = [_read(data) for data in written]
        first = _first_of_all(found)
        if first.origin != (origin := self._origin(book)):
            raise RefusedRequestError(
                refuse(Reason.STATEMENT_OF_OTHER_BOOK, said=first.origin, origin=origin)
            )
        hashes = [leaf_hash(data) for data in written]
        root = root_of(hashes)
        filing = FileStatements(
            request_id=f"{WRITER_PREFIX}statements/{root.hex()}",
            party=first.party,
            key=first.key,
            root=root,
            leaf_hashes=b"".join(hashes),
            signature=request.signature,
        )
        _require(refuse_batch(origin, filing))
        submitted: list[Submitted] = [filing]
        code_key = self._code_key_for(found)
        for index, (statement, data) in enumerate(zip(found, written, strict=True)):
            if isinstance(statement, Refusal):
                submitted.append(statement)
                continue
            try:
                filed_by = filing.request_id
                signed = _signed(statement, data, _NO_NOTE, code_key, filed_by=filed_by, index=index)
                submitted.append(signed)
            except RefusedRequestError as refused:
                submitted.append(refused.refusal)
        return submitted

    def _code_key_for(self, found: Sequence[Statement | Refusal]) -> bytes:
        """Return the key for codes if a statement needs it. It is asked once for all, because that reads."""
        needs = any(
            isinstance(each, Statement) and isinstance(each.request, CommissionBatchRequest) for each in found
        )
        return self._code_key() if needs else b""


def _signed(
    statement: Statement,
    written: bytes,
    note: Note,
    code_key: bytes,
    *,
    signature: bytes = b"",
    filed_by: str = "",
    index: int = 0,
) -> SignedCommand:
    request = statement.request
    committed = committed_note(request)
    if (committed or note.text) and not is_committed(note, committed):
        problem = "its commitment to a note is not that of the note beside it"
        raise RefusedRequestError(refuse(Reason.STATEMENT_MALFORMED, problem=problem))
    return SignedCommand(
        command_of(request, note=note.text, note_salt=note.salt, code_key=code_key),
        statement.origin,
        statement.party,
        statement.key,
        statement.signed_at,
        written,
        signature,
        filed_by,
        index,
    )


def _read(data: bytes) -> Statement | Refusal:
    try:
        return read_statement(data)
    except MalformedStatementError as error:
        return refuse(Reason.STATEMENT_MALFORMED, problem=error)


def _first_of_all(found: Sequence[Statement | Refusal]) -> Statement:
    """Return the first statement of a batch that can be read, and is as the others. Raises RefusedRequestError.

    So many units and products as a batch of unsigned requests may name, the requests of all statements may name.
    """
    first: Statement | None = None
    named = listed = 0
    for number, statement in enumerate(found, 1):
        if isinstance(statement, Refusal):
            continue
        first = first or statement
        for field in OF_BATCH:
            if getattr(statement, field) != getattr(first, field):
                raise RefusedRequestError(refuse(Reason.STATEMENTS_DIFFER, number=number, field=field))
        request = statement.request
        named += named_by(request)
        listed += len(request.gtins) if isinstance(request, AuthorizePartyRequest) else 0
    bounded(named)
    require_few_listed(listed)
    if first is None:
        refusal = found[0]
        assert isinstance(refusal, Refusal), refusal
        raise RefusedRequestError(refusal)
    return first


def _require(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise RefusedRequestError(refusal)
