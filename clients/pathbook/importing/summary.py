"""What became of tables: rows counted, units and money summed, each rejected row with its reason."""

from collections import Counter
from typing import Final

import msgspec

from pathbook.importing.lines import Line, Rejection
from pathbook.importing.plan import Grant, Plan
from pathbook.importing.recipe import Recipe
from pathbook.importing.registering import Registered
from pathbook.ledger.money import print_amount

REJECTIONS_KEPT: Final = 10_000
"""How many rejected rows are kept with their reasons: a person reads fewer, and memory has to end. All are counted."""


class Summary:
    """The outcome of one run over tables.

    A row is accepted where all its transfers stand and at least one is new, a duplicate where all stood before,
    rejected where it could not be understood or at least one was refused. A row sent again because its answer
    was lost on the way is a duplicate, too.

    What is summed is what stands in the book from these tables, whenever it was recorded: `transfers` are transfers
    and returns, `of_rejected` of them of rows whose other transfer was refused; `units` are those of accepted and
    duplicate rows, each row counted once; `amounts` are price times units of `transfers`, for each movement and
    currency, in minor units. Returns count negative in units and amounts, at the price their row names, so that
    the sums are those of the tables.

    `rejections` are the first rejected rows, `reasons` counts all of them by the name of the fault or refusal.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._movements = recipe.movements
        self.tables = 0
        self.rows = 0
        self.played: dict[str, set[str]] = {role: set() for role in recipe.parties}
        self.products: set[str] = set()
        self.batches: set[int] = set()
        self.refused_grants: dict[Grant, str] = {}
        self.accepted = 0
        self.duplicate = 0
        self.rejections: list[Rejection] = []
        self.reasons: Counter[str] = Counter()
        self.transfers = 0
        self.of_rejected = 0
        self.units = 0
        self.amounts: Counter[tuple[str, str]] = Counter()

    @property
    def rejected(self) -> int:
        """How many rows were rejected."""
        return self.reasons.total()

    def add(self, plan: Plan, registered: Registered) -> None:
        """Take in what one more table is about. Its rows are counted when the book has answered."""
        self.tables += 1
        self.rows += plan.rows
        for role, parties in plan.played.items():
            self.played[role] |= parties
        self.products |= plan.products.keys()
        self.batches.update(registered.batches.values())
        self.refused_grants |= registered.refused_grants

    def reject(self, rejection: Rejection) -> None:
        """Count a row that was rejected, by the importer or by the book."""
        self.reasons[rejection.name] += 1
        if len(self.rejections) < REJECTIONS_KEPT:
            self.rejections.append(rejection)

    def count(self, line: Line, duplicates: list[bool | None], rejection: Rejection | None) -> None:
        """Count a row that was sent: for each movement whether it stood before, None where it was refused.

        `rejection` says why, where one was.
        """
        for movement, price, duplicate in zip(self._movements, line.prices, duplicates, strict=True):
            if duplicate is not None:
                amount_minor, currency_code = price
                self.transfers += 1
                self.amounts[movement.name, currency_code] += amount_minor * line.quantity
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
        """Tell whether rows were rejected and no row stands in the book: whoever runs this nightly must hear of it."""
        return bool(self.rejected) and not self.accepted + self.duplicate

    def as_object(self) -> dict[str, object]:
        """Return the summary as JSON has it: amounts by movement and currency, in minor units and as text."""
        amounts: dict[str, dict[str, dict[str, int | str]]] = {}
        for (name, code), amount_minor in self.amounts.items():
            shown: dict[str, int | str] = {
                "amount_minor": amount_minor,
                "amount": print_amount(amount_minor, code),
            }
            amounts.setdefault(name, {})[code] = shown
        return {
            "tables": self.tables,
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "reasons": dict(self.reasons),
            "rejections": [msgspec.structs.asdict(rejection) for rejection in self.rejections],
            "transfers": self.transfers,
            "units": self.units,
            "amounts": amounts,
        }
