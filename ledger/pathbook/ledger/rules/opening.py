"""Opening a book: its name, its origin, and what its operator allows in it."""

from pathbook.ledger.commands import OpenBook
from pathbook.ledger.events import BookOpened, Policy
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.state import State
from pathbook.ledger.values import MAX_TIER, default_origin, is_identifier, is_origin


def open_book(state: State, command: OpenBook) -> BookOpened | Refusal:
    """Open a book, which must have no event yet."""
    assert command.name == state.book, (command.name, state.book)
    origin = command.origin or default_origin(command.name)
    if not is_identifier(command.name):
        return refuse(Reason.BOOK_MALFORMED, book=command.name)
    if not is_origin(origin):
        return refuse(Reason.ORIGIN_MALFORMED, origin=origin)
    if not 0 <= command.max_tier <= MAX_TIER:
        return refuse(Reason.TIER_OUT_OF_BOUNDS, tier=command.max_tier, limit=MAX_TIER)
    if state.position > 0:
        return refuse(Reason.BOOK_EXISTS, book=command.name, origin=state.origin)
    return BookOpened(command.name, origin, command.code_key, Policy(command.max_tier, command.signed))
