"""The first pass over a table: what must be registered before its first transfer. This pass makes no calls."""

import datetime
from collections import Counter
from collections.abc import Callable

import msgspec

from pathbook.importing.cells import CellError, Fault
from pathbook.importing.identity import Seen, content_of
from pathbook.importing.lines import Line, LineReader, Rejection
from pathbook.importing.recipe import Kind, Recipe
from pathbook.importing.sources import Source
from pathbook.importing.tables import Lines, read_rows
from pathbook.ledger.values import Price

Lot = tuple[str, str]
"""The identity of a batch that has no number yet: the product's GTIN (14 digits) and the lot number."""

Grant = tuple[str, str, int]
"""The identity of an authorization: the upline, the party, and its tier."""


class PlannedProduct(msgspec.Struct, frozen=True):
    """A product of the table, with the name and the suggested price of its first row."""

    brand: str
    name: str
    suggested_price: Price


class PlannedBatch(msgspec.Struct):
    """A lot of the table, with the suggested price of its first row.

    Its size is the number of units that leave the brand. It is 0 if the table only moves on units that came before.
    """

    brand: str
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Price
    size: int = 0


class Plan:
    """What a table needs. A plan grows with parties, products and batches, never with rows.

    Returns need only the number of the lot that they name, because their units must have come before: `named_lots`.
    `played` are the parties by the part that they play. `grants` are the authorizations, each with the earliest day
    on which it must be in force. `differing` counts the rows whose master data differ from those that were taken.
    """

    def __init__(self, recipe: Recipe, source: Source) -> None:
        self.recipe = recipe
        self.source = source
        self.rows = 0
        self.parties: dict[str, Kind] = {}
        self.played: dict[str, set[str]] = {role: set() for role in recipe.parties}
        self.grants: dict[Grant, datetime.date] = {}
        self.products: dict[str, PlannedProduct] = {}
        self.batches: dict[Lot, PlannedBatch] = {}
        self.named_lots: dict[Lot, datetime.date | None] = {}
        self.differing: Counter[str] = Counter()
        self.lines = Lines()
        self.seen = Seen()

    def contradiction(self, line: Line) -> Rejection | None:
        """Return why a line contradicts the first line that named the same party or product."""
        for player in line.players.values():
            kind = self.parties.get(player.party, player.kind)
            if kind != player.kind:
                return self._rejection(line, Fault.PARTY_CONTRADICTS, player.party, f"of kind {kind}")
        product = self.products.get(line.gtin)
        if product is not None and product.brand != line.brand:
            return self._rejection(line, Fault.PRODUCT_CONTRADICTS, line.gtin, product.brand)
        said = self.expiry((line.gtin, line.lot))
        if line.expires_on and said not in (None, line.expires_on):
            rule = f"{said} elsewhere in the table, and on {line.expires_on} in this row"
            return self._rejection(line, Fault.LOT_CONTRADICTS, line.lot, rule)
        return None

    def expiry(self, lot: Lot) -> datetime.date | None:
        """Return the first day of expiry that a line said of a lot, or None."""
        batch = self.batches.get(lot)
        return (batch.expires_on if batch is not None else None) or self.named_lots.get(lot)

    def add(self, line: Line) -> None:
        """Add the needs of a line, which contradicts no line before."""
        self.seen.add(content_of(line, self.recipe))
        if line.quantity < 0:
            if line.names_lot:
                lot = (line.gtin, line.lot)
                self.named_lots[lot] = self.named_lots.get(lot) or line.expires_on
            return
        for role, player in line.players.items():
            self.parties[player.party] = player.kind
            self.played[role].add(player.party)
            if player.tier is not None and player.upline is not None and player.upline != player.party:
                grant = (player.upline, player.party, player.tier)
                self.grants[grant] = min(line.occurred_on, self.grants.get(grant, line.occurred_on))
        new = PlannedProduct(line.brand, line.name, line.suggested_price)
        product = self.products.setdefault(line.gtin, new)
        self.differing["product name"] += product.name != line.name
        batch = self.batches.setdefault(
            (line.gtin, line.lot),
            PlannedBatch(line.brand, line.made_on, line.expires_on, line.suggested_price),
        )
        self.differing["suggested price"] += batch.suggested_price != line.suggested_price
        self.differing["made on"] += self.recipe.batch.made_on is not None and batch.made_on != line.made_on
        batch.made_on = min(batch.made_on, line.made_on)
        batch.expires_on = batch.expires_on or line.expires_on
        if line.code is not None:
            return  # its batch was commissioned before its codes were printed
        from_brand = [m for m in self.recipe.movements if line.players[m.giver].party == line.brand]
        batch.size += line.quantity * len(from_brand)

    def _rejection(self, line: Line, fault: Fault, text: str, rule: str) -> Rejection:
        return Rejection(self.source.name, line.row, str(CellError(fault, text=text, rule=rule)), line.line)


def plan_table(source: Source, recipe: Recipe, progress: Callable[[int, int | None], None]) -> Plan:
    """Read the whole table once and return its plan. Raises TableError.

    A row that cannot be read or that contradicts a row before it is skipped.
    """
    plan, reader = Plan(recipe, source), LineReader(recipe, source.name)
    for row in read_rows(source.path, recipe, source.stamp, plan.lines):
        plan.rows = row.number
        line = reader.read(row)
        if isinstance(line, Line) and plan.contradiction(line) is None:
            plan.add(line)
        progress(row.done, None)
    return plan
