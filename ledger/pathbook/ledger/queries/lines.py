"""Lines: who is above a party, and how much of a line a party may see: only what those below it accepted."""

from typing import Final

from pathbook.ledger.store.views.snapshot import TransferScan, ViewSnapshot
from pathbook.ledger.values import TransferSide

LINE_MAX_PARTIES: Final = 1_000
"""How many parties of a line are looked at. A line of 100 tiers has some hundreds."""

LINE_MAX_AUTHORIZATIONS: Final = 10_000
"""How many authorizations a question looks at, so that strangers who give thousands cost a bounded time."""

LINE_MAX_TRANSFERS: Final = 50_000
"""How many transfers a question looks at, which takes a quarter of a second at most. Mostly one tells enough."""

EXAMINED_TRANSFERS_MAX: Final = 5_000
"""How many of the last transfers to a party are searched for one that it accepted from an upline."""

ROWS_AT_ONCE: Final = 500
"""How many authorizations or transfers one statement reads from the views."""

_LAST: Final = 2**63 - 1


class Lines:
    """The lines of authorizations in a snapshot, for one question: what it looks at is bounded as a whole.

    An authorization is the word of the upline. Anyone may give one to anyone. So it shows the upline to the party, and
    not the party to the upline. The party accepts an upline by accepting an offer of it, or by reporting a transfer of
    it, too.
    """

    def __init__(self, views: ViewSnapshot) -> None:
        self._views = views
        self._authorizations_left, self._transfers_left = LINE_MAX_AUTHORIZATIONS, LINE_MAX_TRANSFERS
        self._uplines: dict[str, frozenset[str]] = {}
        self._above: dict[tuple[str, bool], frozenset[str]] = {}
        self._accepted: dict[tuple[str, str], bool] = {}

    def uplines(self, party: str) -> frozenset[str]:
        """Return the parties that ever authorized a party. An unknown party has none."""
        if (known := self._uplines.get(party)) is not None:
            return known
        found: set[str] = set()
        after = 0
        while self._authorizations_left > 0:
            rows = self._views.authorizations(party, after, ROWS_AT_ONCE)
            self._authorizations_left -= len(rows) + 1
            found.update(row.upline for row in rows)
            if len(rows) < ROWS_AT_ONCE:
                break
            after = rows[-1].position
        return self._uplines.setdefault(party, frozenset(found))

    def above(self, party: str) -> frozenset[str]:
        """Return all parties that authorized a party, or one of these. They said so themselves."""
        return self._walk(party, accepted=False)

    def is_below(self, party: str, own: str) -> bool:
        """Tell whether a party is below the own one, and each party of the line between accepted the one above it."""
        return own in self._walk(party, accepted=True)

    def is_in_line(self, party: str, own: str) -> bool:
        """Tell whether a party may be seen by the own one: it is itself, or above it, or accepted below it."""
        return party == own or party in self.above(own) or self.is_below(party, own)

    def shown_uplines(self, party: str, own: str) -> frozenset[str] | None:
        """Return the uplines of a party whose authorizations the own one may see, or None if it may not see the party.

        A party sees all of its own uplines, and those of others that are in its own line. Who only authorized a party,
        which did not accept it, sees nothing but what it gave itself.
        """
        uplines = self.uplines(party)
        if party == own:
            return uplines
        if self.is_in_line(party, own):
            return frozenset(upline for upline in uplines if self.is_in_line(upline, own))
        return frozenset((own,)) if own in uplines else None

    def _walk(self, party: str, *, accepted: bool) -> frozenset[str]:
        """Return the parties above a party, all of them or only along links that the lower party accepted."""
        if (known := self._above.get((party, accepted))) is not None:
            return known
        found: set[str] = set()
        waiting = [party]
        while waiting and len(found) < LINE_MAX_PARTIES:
            below = waiting.pop()
            fresh = [
                upline
                for upline in self.uplines(below) - found
                if not accepted or self._has_accepted(below, upline)
            ]
            found.update(fresh)
            waiting += fresh
        return self._above.setdefault((party, accepted), frozenset(found))

    def _has_accepted(self, party: str, upline: str) -> bool:
        """Tell whether a party accepted one of its last transfers from an upline, or reported it, too."""
        if (known := self._accepted.get((party, upline))) is not None:
            return known
        scan = TransferScan(newest_first=True, bound=0, side=TransferSide.RECEIVER)
        place, left, found = (_LAST, 0), EXAMINED_TRANSFERS_MAX, False
        while left > 0 and self._transfers_left > 0:
            rows = self._views.transfers(party, scan, place, ROWS_AT_ONCE)
            left -= len(rows)
            self._transfers_left -= len(rows) + 1
            found = any(row.is_attested and row.giver == upline for row in rows)
            if found or len(rows) < ROWS_AT_ONCE:
                break
            place = rows[-1].transfer, rows[-1].line
        return self._accepted.setdefault((party, upline), found)
