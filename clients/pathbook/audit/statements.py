"""Keys and statements of a whole book: who signed, with which key, what was asked, and that it counts once."""

from typing import Final

from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.codec.statements import Statement
from pathbook.ledger.command_fields import AnsweringFields, named
from pathbook.ledger.events import BookOpened, RecordedEvent
from pathbook.ledger.key_events import Signed, StatementsFiled
from pathbook.ledger.proofs.key_chain import KeyChains
from pathbook.ledger.proofs.stated import Known, required_signer
from pathbook.ledger.proofs.statements import is_batch_signed, is_statement_signed
from pathbook.ledger.proofs.tree import HASH_BYTES, root_of, split_hashes
from pathbook.ledger.rules.units import packed_units
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import MAX_STATEMENTS, Ranges
from pathbook.verify.replay import ContradictionError, NewerPathError
from pathbook.verify.statements import compared, read_stated

_NO_UNITS: Final[Ranges] = ()


class KnownBook(Known):
    """What a book tells of other events: all batches, cases and transfers before the event."""

    def __init__(self, book: Book) -> None:
        """Read the book as it is when something is asked."""
        self._book = book

    def product(self, batch: int) -> str | None:
        """Return the GTIN of a batch."""
        known = self._book.state.batches.get(batch)
        return None if known is None else known.commissioned.product

    def size(self, batch: int) -> int | None:
        """Return how many units a batch has."""
        known = self._book.state.batches.get(batch)
        return None if known is None else known.commissioned.size

    def contents(self, sscc: str) -> Ranges:
        """Return the units in a case. There are none in one that is not known."""
        case = self._book.state.cases.get(sscc)
        return _NO_UNITS if case is None else packed_units(self._book.state, case)

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms of a transfer."""
        return self._book.agreed(transfer)

    def answered(self, command: AnsweringFields) -> bytes | None:
        """Return the leaf hash of the event that a command answers."""
        return self._book.leaf(command.answered)

    def begins(self, party: str, authorization: int) -> int | None:
        """Return when an authorization of a party begins."""
        holder = self._book.state.parties.get(party)
        given = None if holder is None else holder.authorizations.get(authorization)
        return None if given is None else given.valid_from


def check_statement(book: Book, recorded: RecordedEvent) -> None:
    """Check the statement on which an event rests, or that it needs none. The book is as before the event.

    Raises:
        DifferenceError: UNSIGNED, STATEMENT, FILING or SIGNATURE.
        UncheckableError: the statement is newer than this program.
    """
    signed, position = recorded.signed, recorded.position
    if signed is None:
        _require_none(book, recorded)
        return
    try:
        statement = read_stated(recorded)
    except NewerPathError as error:
        raise UncheckableError(str(error)) from None
    except ContradictionError as error:
        raise DifferenceError(position, Rule.STATEMENT, str(error)) from None
    found = compared(recorded, statement, book.state.origin, KnownBook(book))
    if found.difference:
        raise DifferenceError(position, Rule.STATEMENT, found.difference)
    if (
        problem := _wrong_filing(book, signed, statement)
        if signed.filed
        else _wrong_signature(signed, statement)
    ):
        raise DifferenceError(position, Rule.FILING if signed.filed else Rule.SIGNATURE, problem)
    if problem := book.keys.problem(statement.party, statement.key, position):
        raise DifferenceError(position, Rule.SIGNATURE, problem)


def check_keys(book: Book, recorded: RecordedEvent) -> None:
    """Check that a key was registered or revoked by those who may. Keep what is about keys of all other events.

    Raises:
        DifferenceError: KEY.
    """
    if isinstance(recorded.event, BookOpened):
        book.keys = KeyChains(recorded.event.origin)
    if problem := book.keys.apply(recorded):
        raise DifferenceError(recorded.position, Rule.KEY, problem)


def check_filing(book: Book, recorded: RecordedEvent, event: StatementsFiled) -> None:
    """Check the signature of many statements, and keep them for the events that rest on them.

    Raises:
        DifferenceError: FILING or SIGNATURE.
    """
    leaves, found = split_hashes(event.leaf_hashes), ""
    if len(leaves) > MAX_STATEMENTS:
        found = f"it files {len(leaves)} statements"
    elif root_of(leaves) != event.root:
        found = "it has another root than that of its statements"
    elif not is_batch_signed(
        book.state.origin, event.party, event.key, len(leaves), event.root, event.signature
    ):
        found = f"{named(event.party)} did not sign it"
    if found:
        raise DifferenceError(recorded.position, Rule.FILING, found)
    if problem := book.keys.problem(event.party, event.key, recorded.position):
        raise DifferenceError(recorded.position, Rule.SIGNATURE, problem)
    book.filings[recorded.position] = event


def _require_none(book: Book, recorded: RecordedEvent) -> None:
    """Require that an event without a statement needs none."""
    party, position = required_signer(recorded.event), recorded.position
    if party and book.state.policy.signed:
        found = f"{party} did not sign it, but the book was opened so that parties sign"
        raise DifferenceError(position, Rule.UNSIGNED, found)
    if party and book.keys.signs_at(party, position):
        found = f"{party} did not sign it, but it had a key that counted"
        raise DifferenceError(position, Rule.UNSIGNED, found)


def _wrong_signature(signed: Signed, statement: Statement) -> str:
    if is_statement_signed(statement.key, signed.signature, signed.statement):
        return ""
    return f"{named(statement.party)} did not sign its statement"


def _wrong_filing(book: Book, signed: Signed, statement: Statement) -> str:
    """Return why a statement is not one of those that were filed.

    That it counts once follows from its request, which no other event answers.
    """
    filing = book.filings.get(signed.filed)
    start = signed.index * HASH_BYTES
    if filing is None:
        return f"no statements were filed at position {signed.filed}"
    if (filing.party, filing.key) != (statement.party, statement.key):
        return f"another party or key signed the statements that were filed at position {signed.filed}"
    if filing.leaf_hashes[start : start + HASH_BYTES] != leaf_hash(signed.statement):
        return f"statement {signed.index} at position {signed.filed} is another one"
    return ""
