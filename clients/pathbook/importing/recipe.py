"""The keys of a recipe, which map the columns of a table to the words of a book. A recipe contains no code."""

from typing import Final, Literal

import msgspec

Kind = Literal["brand", "agent", "shop"]
"""The kind of a party."""

Delimiter = Literal[",", ";", "\t", "|"]
"""The character between the cells of a CSV file."""

DecimalMark = Literal[".", ","]
"""The character before the decimals of a number."""

ThousandsMark = Literal["", ".", ",", "'", "\u2019", " ", "\u00a0", "\u202f"]
"""The character that may separate groups of three digits. An empty text means none."""


Gtin = Literal[8, 12, 13, 14]
"""The number of digits of a GTIN."""

EXCEL_DAYS: Final = "excel"
"""The format of dates that are the numbers of days of a spreadsheet: 45356 is 2024-03-05."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TOML table of a recipe. An unknown key is an error that names the key."""


class Text(_Table, frozen=True, kw_only=True, tag_field="make", tag="text"):
    """The same text in every row."""

    text: str


class LineTotal(_Table, frozen=True, kw_only=True, tag_field="make", tag="total"):
    """The column with the total of a row. The price is this amount for the quantity of the row, exactly."""

    column: str


class Prefixed(_Table, frozen=True, kw_only=True, tag_field="make", tag="prefixed"):
    """A fixed prefix followed by the text of a column: `store-` and `2506` make `store-2506`."""

    prefix: str
    column: str


class Slug(_Table, frozen=True, kw_only=True, tag_field="make", tag="slug"):
    """An id that is made from a name: see `cells.slug_of`."""

    column: str


class RestrictedGtin(_Table, frozen=True, kw_only=True, tag_field="make", tag="restricted-gtin"):
    """A GTIN-13 for goods without one, made from an item number and the name of its owner: see `cells`."""

    item: str
    owner: str


class SourceLot(_Table, frozen=True, kw_only=True, tag_field="make", tag="source"):
    """The name of the source, as one lot number for the whole table."""


class Date(_Table, frozen=True, kw_only=True):
    """The column of the day on which a row happened, and the format of all dates of the table, as for `strptime`.

    The format may also be EXCEL_DAYS.
    """

    column: str
    format: str = "%Y-%m-%d"

    @property
    def python_format(self) -> str:
        """The format in which a typed date becomes a text that is read back."""
        return "%Y-%m-%d" if self.format == EXCEL_DAYS else self.format


class Party(_Table, frozen=True, kw_only=True):
    """A part that parties play in a row.

    `tier` is a number or a column, and `upline` is another part. With both, the upline authorizes the party from its
    first row on. Without them, the party is not authorized, and the book marks its transfers as such.
    """

    kind: Kind
    id: str | Text | Prefixed | Slug
    tier: int | str | None = None
    upline: str | None = None


class Product(_Table, frozen=True, kw_only=True):
    """The product of a row. Its name and suggested price are those of its first row.

    A GTIN with fewer digits than `pad` gets zeros in front, which a spreadsheet may have taken away.
    """

    brand: str
    gtin: str | RestrictedGtin
    name: str | Text
    suggested_price: str | Text | LineTotal
    pad: Gtin | None = None


class Batch(_Table, frozen=True, kw_only=True):
    """The batch of a row: a lot of a product. Its size is the number of units that leave its brand in this table.

    `made_on` and `expires_on` are columns. Without `made_on`, a lot was made on its earliest date in the table. It
    never expires without `expires_on`, or if its cell is empty.
    """

    lot: str | Text | SourceLot
    made_on: str | None = None
    expires_on: str | None = None


class Movement(_Table, frozen=True, kw_only=True):
    """One transfer of each row. Giver and receiver are parts. The price is that of one unit, or of the whole row.

    `reference` is the column with the number of the document by which both sides know the transfer, such as a delivery
    note. A cell of it may be empty.
    """

    name: str
    giver: str
    receiver: str
    price: str | Text | LineTotal
    reference: str | None = None


class Recipe(_Table, frozen=True, kw_only=True):
    """How a table is read. A plain text names a column, and `{ make = ... }` makes the word in another way.

    `quantity` is the column with the number of units that a row moves. A row with a negative quantity is a `return`
    of units to the givers that they came from, or a `reject`. A row is rejected if a cell that it needs is empty.
    `required` are further columns in which no cell may be empty. `delimiter` is the character between the cells of a
    CSV file. The marks are those of quantities and prices, such as `10,50` or `1.200`.

    `id` is the column, or are the columns, that distinguish a row from all others in the book. Without it the content
    of a row does: see `identity`. `serial` is the column with the printed code of the one unit that a row moves.
    """

    date: Date
    quantity: str
    currency: str | Text
    parties: dict[str, Party]
    product: Product
    batch: Batch
    movements: tuple[Movement, ...]
    negative: Literal["return", "reject"] = "reject"
    required: tuple[str, ...] = ()
    id: str | tuple[str, ...] = ()
    serial: str | None = None
    encoding: str = "utf-8-sig"
    delimiter: Delimiter = ","
    decimal_mark: DecimalMark = "."
    thousands_mark: ThousandsMark = ""


def id_columns(recipe: Recipe) -> tuple[str, ...]:
    """Return the columns that distinguish a row from all others. There are none if its content does."""
    return (recipe.id,) if isinstance(recipe.id, str) else recipe.id


def columns(recipe: Recipe) -> tuple[str, ...]:
    """Return every column that the recipe names, once."""
    product, batch = recipe.product, recipe.batch
    words: list[object] = [recipe.date.column, recipe.quantity, recipe.currency, *recipe.required]
    words += [*id_columns(recipe), recipe.serial]
    for party in recipe.parties.values():
        words += [party.id, party.tier]
    words += [product.gtin, product.name, product.suggested_price]
    words += [batch.lot, batch.made_on, batch.expires_on]
    for movement in recipe.movements:
        words += [movement.price, movement.reference]
    return tuple(dict.fromkeys(column for word in words for column in _columns_of(word)))


def _columns_of(word: object) -> tuple[str, ...]:
    match word:
        case str(column) | Prefixed(column=column) | Slug(column=column) | LineTotal(column=column):
            return (column,)
        case RestrictedGtin(item=item, owner=owner):
            return (item, owner)
        case _:
            return ()
