"""What became of a table: rows counted, units and money summed, each rejected row with its reason."""

from collections import Counter

from pathbook.importing.lines import Line, Rejection
from pathbook.importing.recipe import Recipe
from pathbook.money import print_amount


class Summary:
    """The outcome of one run over a table.

    A row is accepted where all its transfers stand and at least one is new, a duplicate where all stood before,
    rejected where it could not be understood or at least one was refused. A row sent again because its answer
    was lost on the way is a duplicate, too.

    What is summed is what stands in the book from this table, whenever it was recorded: `transfers` are transfers
    and returns, `of_rejected` of them of rows whose other transfer was refused; `units` are those of accepted and
    duplicate rows, each row counted once; `amounts` are price times units of `transfers`, for each movement and
    currency, in minor units. Returns count negative in units and amounts, at the price their row names, so that
    the sums are those of the table.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._movements = recipe.movements
        self.accepted = 0
        self.duplicate = 0
        self.rejections: list[Rejection] = []
        self.transfers = 0
        self.of_rejected = 0
        self.units = 0
        self.amounts: Counter[tuple[str, str]] = Counter()

    def reject(self, rejection: Rejection) -> None:
        """Count a row that was not sent to the book."""
        self.rejections.append(rejection)

    def count(self, line: Line, duplicates: list[bool | None], reason: str) -> None:
        """Count a row that was sent: for each movement whether it stood before, None where it was refused."""
        for movement, price, duplicate in zip(self._movements, line.prices, duplicates, strict=True):
            if duplicate is not None:
                amount_minor, currency_code = price
                self.transfers += 1
                self.amounts[movement.name, currency_code] += amount_minor * line.quantity
        if reason:
            self.of_rejected += sum(duplicate is not None for duplicate in duplicates)
            self.rejections.append(Rejection(line.row, reason))
            return
        self.units += line.quantity
        if all(duplicates):
            self.duplicate += 1
        else:
            self.accepted += 1

    @property
    def nothing_stands(self) -> bool:
        """Tell whether rows were rejected and no row stands in the book: whoever runs this nightly must hear of it."""
        return bool(self.rejections) and not self.accepted + self.duplicate

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
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": len(self.rejections),
            "rejections": [{"row": r.row, "reason": r.reason} for r in self.rejections],
            "transfers": self.transfers,
            "units": self.units,
            "amounts": amounts,
        }
