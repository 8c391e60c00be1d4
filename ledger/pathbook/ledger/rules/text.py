"""Free texts and prices of a request: their limits, and the commitment to a note."""

from pathbook.ledger.commands import NotedCommand
from pathbook.ledger.money import EXPONENTS
from pathbook.ledger.notes import note_commitment
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.values import MAX_PRICE_UNITS, MAX_TEXT, Price


def refuse_text(field: str, text: str) -> Refusal | None:
    """Refuse a text of more than MAX_TEXT characters, or with NUL, which not every database can store."""
    if len(text) > MAX_TEXT:
        return refuse(Reason.TEXT_TOO_LONG, field=field, length=len(text), limit=MAX_TEXT)
    if "\0" in text:
        return refuse(Reason.TEXT_MALFORMED, field=field)
    return None


def commitment_of(command: NotedCommand) -> bytes:
    """Return the commitment to the note of a command. It is empty if there is no note."""
    return note_commitment(command.note_salt, command.note)


def refuse_price(price: Price) -> Refusal | None:
    """Refuse what is not a price. A price is never refused because it is high or low."""
    if price.amount_minor < 0:
        return refuse(Reason.PRICE_NEGATIVE, amount_minor=price.amount_minor)
    if not 1 <= price.per_units <= MAX_PRICE_UNITS:
        return refuse(Reason.PRICE_UNITS_OUT_OF_BOUNDS, per_units=price.per_units, limit=MAX_PRICE_UNITS)
    if price.currency_code not in EXPONENTS:
        return refuse(Reason.CURRENCY_UNKNOWN, currency_code=price.currency_code)
    return None
