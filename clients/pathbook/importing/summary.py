"""The summary of an import: counts of rows, sums of units and prices, and rejected rows with their reasons."""

from collections import Counter, defaultdict
from fractions import Fraction
from typing import Final

import msgspec

from pathbook.importing.lines import Line, Rejection
from pathbook.importing.plan import Grant, Plan
from pathbook.importing.recipe import Recipe
from pathbook.importing.registering import Registered
from pathbook.importing.tables import Lines
from pathbook.ledger.money import print_amount

REJECTIONS_KEPT: Final = 10_000
"""How many rejected rows are kept with their reasons, to bound memory. People read fewer. All are counted."""


class Summary:
    """The outcome of one import of tables.

    - A row is accepted if all its transfers are in the book and at least one of them is new.
    - A row is a duplicate if all its transfers were in the book before. This includes a row that is sent again
      because its answer was lost.
    - A row is rejected if it could not be read, or if at least one of its transfers was refused.

    The sums are over everything of these tables that is in the book, whenever it was recorded:

    - `transfers` counts transfers and returns. `of_rejected` of them are of rows with another transfer that was
      refused.
    - `units` are those of accepted and duplicate rows. Each row counts once.
    - `amounts` are price times units of `transfers`, for each movement and currency, in minor units. They are exact.
      Where they are shown they are rounded, half to even.

    Returns count negative in units and amounts, at the price in their row. So the sums are those of the tables.

    `lines` counts the lines below the headers. Accepted, duplicate and rejected rows add up to its data lines, unless
    the import was stopped. `differing` counts rows whose name, price or day of making is not the one of the first row
    of its product or lot, which was taken.

    `readable` counts rows that were only read, because no book was asked: see `rehearsal`.

    `rejections` are the first rejected rows. `reasons` counts all of them by the name of the fault or refusal.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._movements = recipe.movements
        self.tables = 0
        self.rows = 0
        self.lines = Lines()
        self.differing: Counter[str] = Counter()
        self.played: dict[str, set[str]] = {role: set() for role in recipe.parties}
        self.products: set[str] = set()
        self.batches: set[int] = set()
        self.refused_grants: dict[Grant, str] = {}
        self.readable = 0
        self.accepted = 0
        self.duplicate = 0
        self.rejections: list[Rejection] = []
        self.reasons: Counter[str] = Counter()
        self.transfers = 0
        self.of_rejected = 0
        self.units = 0
        self.amounts: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)

    @property
    def rejected(self) -> int:
        """The number of rejected rows."""
        return self.reasons.total()

    def add(self, plan: Plan, registered: Registered) -> None:
        """Add one more table. Its rows are counted later, when the book has answered."""
        self.tables += 1
        self.rows += plan.rows
        self.lines.data += plan.lines.data
        self.lines.blank += plan.lines.blank
        self.lines.continued += plan.lines.continued
        self.differing += plan.differing
        for role, parties in plan.played.items():
            self.played[role] |= parties
        self.products |= plan.products.keys()
        self.batches.update(registered.batches.values())
        self.refused_grants |= registered.refused_grants

    def reject(self, rejection: Rejection) -> None:
        """Count a row that the importer or the book rejected."""
        self.reasons[rejection.name] += 1
        if len(self.rejections) < REJECTIONS_KEPT:
            self.rejections.append(rejection)

    def count(self, line: Line, duplicates: list[bool | None], rejection: Rejection | None) -> None:
        """Count a row that was sent.

        `duplicates` says for each movement whether it was in the book before, and None if it was refused.
        `rejection` says why one was refused.
        """
        for movement, price, duplicate in zip(self._movements, line.prices, duplicates, strict=True):
            if duplicate is not None:
                self.transfers += 1
                self.amounts[movement.name, price.currency_code] += price.each * line.quantity
        if rejection is not None:
            self.of_rejected += sum(duplicate is not None for duplicate in duplicates)
            self.reject(rejection)
            return
        self.units += line.quantity
        if all(duplicates):
            self.duplicate += 1
        else:
            self.accepted += 1

    @property
    def nothing_stands(self) -> bool:
        """Whether rows were rejected and no row is in the book. A nightly import must then end with an error."""
        return bool(self.rejected) and not self.accepted + self.duplicate + self.readable

    def as_object(self) -> dict[str, object]:
        """Return the summary for JSON. Amounts are by movement and currency, in minor units and as text."""
        amounts: dict[str, dict[str, dict[str, int | str]]] = {}
        for (name, code), exact in self.amounts.items():
            amount_minor = round(exact)
            shown: dict[str, int | str] = {
                "amount_minor": amount_minor,
                "amount": print_amount(amount_minor, code),
            }
            amounts.setdefault(name, {})[code] = shown
        return {
            "tables": self.tables,
            "lines": msgspec.structs.asdict(self.lines),
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "readable": self.readable,
            "reasons": dict(self.reasons),
            "rejections": [msgspec.structs.asdict(rejection) for rejection in self.rejections],
            "transfers": self.transfers,
            "units": self.units,
            "amounts": amounts,
            "differing": dict(self.differing),
        }
