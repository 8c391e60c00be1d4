"""Stock: what a party owns, has in custody and has reserved, soonest to expire first."""

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.lookups import StockRow
from pathbook.ledger.store.views.snapshot import ViewSnapshot


def stock(views: ViewSnapshot, party: str, after: int, limit: int) -> list[StockRow] | Refusal:
    """Return a row for each batch after a given one, by expiry and number. Batches that never expire come last."""
    if views.party(party) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=party)
    return views.stock(party, after, limit)
