"""Stock: what a party owns, has in its hands and has reserved, soonest to expire first."""

from pathbook.ledger.queries.answers import StockLine
from pathbook.ledger.queries.registers import batch_of
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.snapshot import ViewSnapshot


def stock(views: ViewSnapshot, party: str, after: int, limit: int) -> list[StockLine] | Refusal:
    """Return a line for each batch, by expiry (those that never expire last) and number, after that of a batch."""
    if views.party(party) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=party)
    return [
        StockLine(batch_of(row.batch), row.product_name, row.owned, row.in_custody, row.reserved)
        for row in views.stock(party, after, limit)
    ]
