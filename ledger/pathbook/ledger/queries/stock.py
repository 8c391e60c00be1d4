"""Stock: what a party owns, has in custody and has reserved, soonest to expire first."""

from pathbook.ledger.queries.answers import Listed, Stock
from pathbook.ledger.queries.filling import fill_batches
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot


def stock(
    views: ViewSnapshot, stream: Stream, party: str, after: int, limit: int, brand: str
) -> Listed[Stock, int] | Refusal:
    """Return a row for each batch after a given one, by expiry and number. Batches that never expire come last.

    If a brand is named, there are only the batches of its products.
    """
    if views.party(party) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=party)
    rows = views.stock(party, after, limit + 1, brand)
    filled = fill_batches(views, stream, [row.batch for row in rows[:limit]])
    items = [Stock(row, batch.recalls, batch.goes_on) for row, batch in zip(rows, filled, strict=False)]
    return Listed(items, items[-1].row.batch.batch if len(items) < len(rows) else None)


def has_stock(views: ViewSnapshot, party: str, batch: int) -> bool:
    """Return whether a party owns units of a batch, or has some in its custody."""
    return views.has_stock(party, batch)
