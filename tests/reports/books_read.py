"""A book in memory with everything that the answers of reports need: its rows, registers and times."""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import TypeVar

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.depths import DEPTHS, DepthRow
from pathbook.ledger.reports.domino import OFFERS, OfferRow
from pathbook.ledger.reports.findings import FINDING_COLUMNS, FINDINGS, FindingRow
from pathbook.ledger.reports.holdings import (
    HELD_COLUMNS,
    HOLDINGS,
    HeldRow,
    HoldingRow,
    best_consumer_prices,
)
from pathbook.ledger.reports.ladder import LADDER, PriceRow
from pathbook.ledger.reports.registered import Authorization, Batch
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.runway import RUNWAY, HopsRow
from pathbook.ledger.reports.scorecard import FACTS, FactRow
from pathbook.ledger.reports.sell_through import SELL_THROUGH, LineRow
from pathbook.ledger.reports.suspicions import Finding, findings, out_of_region, shared_keys
from pathbook.ledger.reports.ties import KEYS, TRADES, KeyRow, TradeRow
from pathbook.ledger.reports.wanted import added_up
from pathbook.ledger.values import PartyKind, Price
from tests.reports.folding import rows_of

Row = TypeVar("Row")


class ReadBook:
    """The registers and the reports of a book after its events."""

    def __init__(self, recorded: Sequence[RecordedEvent]) -> None:
        """Read the registers. Rows are read when they are asked for."""
        self.recorded = recorded
        self.batches: dict[int, Batch] = {}
        self.brands: list[str] = []
        self.recorded_at = {each.position: each.recorded_at for each in recorded}
        self._authorizations: dict[int, Authorization] = {}
        for each in recorded:
            self._register(each)

    def _register(self, each: RecordedEvent) -> None:
        match each.event:
            case events.PartyRegistered(party, PartyKind.BRAND):
                self.brands.append(party)
            case events.PartyAuthorized() as given:
                self._authorizations[each.position] = Authorization(
                    position=each.position,
                    upline=given.upline,
                    party=given.party,
                    tier=given.tier,
                    products=given.products,
                    region=given.region,
                    valid_from=given.valid_from,
                    ends_at=given.valid_until,
                )
            case events.AuthorizationRevoked() as ended:
                held = self._authorizations[ended.authorization]
                ends_at = min(ended.revoked_from, held.ends_at or ended.revoked_from)
                self._authorizations[ended.authorization] = msgspec.structs.replace(held, ends_at=ends_at)
            case events.BatchCommissioned() as made:
                self.batches[made.batch] = Batch(
                    made.product, made.brand, made.size, made.made_on, made.expires_on, made.suggested_price
                )
            case events.BatchCorrected() as right:
                old = self.batches[right.batch]
                self.batches[right.batch] = Batch(
                    old.product, old.brand, old.size, right.made_on, right.expires_on, right.suggested_price
                )
            case _:
                pass

    @property
    def authorizations(self) -> list[Authorization]:
        """All authorizations, also those that ended."""
        return list(self._authorizations.values())

    def rows(self, report: Report, make: Callable[..., Row]) -> list[Row]:
        """Return the rows of a report."""
        return rows_of(report, [self.recorded], make)

    def holdings(self) -> list[HoldingRow]:
        """Return what each party holds."""
        return self.rows(HOLDINGS, HoldingRow)

    def held(self) -> list[HeldRow]:
        """Return the same, added up as the database does for the sums of tiers."""
        added = added_up(HOLDINGS, self.rows(HOLDINGS, lambda *row: row), HELD_COLUMNS, with_count=True)
        return list(starmap(HeldRow, added))

    def best(self) -> dict[tuple[str, str], Price]:
        """Return the highest price that consumers paid, by product and currency."""
        ladder = self.rows(LADDER, lambda batch, *price: (batch, PriceRow(*price)))
        return best_consumer_prices(ladder, self.batches)

    def lines(self, party: str = "") -> list[LineRow]:
        """Return the rows of the line of a party, or of all."""
        return [row for row in self.rows(SELL_THROUGH, LineRow) if party in ("", row.party)]

    def hops(self) -> list[HopsRow]:
        """Return the hops by tier and day."""
        return self.rows(RUNWAY, HopsRow)

    def depths(self) -> list[DepthRow]:
        """Return units by depth."""
        return self.rows(DEPTHS, DepthRow)

    def offers(self) -> list[OfferRow]:
        """Return the open offers."""
        return self.rows(OFFERS, OfferRow)

    def facts(self, party: str) -> list[FactRow]:
        """Return the facts of a party."""
        return [row for row in self.rows(FACTS, FactRow) if row.party == party]

    def deviations(self, party: str) -> list[FindingRow]:
        """Return the findings in which a party is first named."""
        return [row for row in self.finding_rows() if row.party == party]

    def finding_rows(self) -> list[FindingRow]:
        """Return the findings of FINDINGS: its changes, added up."""
        changes = self.rows(FINDINGS, lambda *row: row)
        return list(starmap(FindingRow, added_up(FINDINGS, changes, FINDING_COLUMNS)))

    def findings(self) -> list[Finding]:
        """Return all findings of all rules."""
        trades, given = self.rows(TRADES, TradeRow), self.authorizations
        return [
            *findings(self.finding_rows(), given, self.recorded_at),
            *shared_keys(self.rows(KEYS, KeyRow), trades, self.recorded_at),
            *out_of_region(trades, given, self.batches, self.recorded_at),
        ]
