"""What a recipe may say: which columns of a table are which words of a book. A recipe holds no code."""

from typing import Literal

import msgspec

Kind = Literal["brand", "agent", "shop"]
"""What a party is."""

Delimiter = Literal[",", ";", "\t", "|"]
"""What stands between the cells of a CSV file."""

DecimalMark = Literal[".", ","]
"""What stands before the decimals of a number."""

ThousandsMark = Literal["", ".", ",", "'", "\u2019", " ", "\u00a0", "\u202f"]
"""What may stand between groups of three digits; no mark where it is empty."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a recipe; a key it does not know is an error that names the key."""


class Text(_Table, frozen=True, kw_only=True, tag_field="make", tag="text"):
    """The same text in every row."""

    text: str


class Prefixed(_Table, frozen=True, kw_only=True, tag_field="make", tag="prefixed"):
    """A fixed beginning and the text of a column: `store-` and `2506`."""

    prefix: str
    column: str


class Slug(_Table, frozen=True, kw_only=True, tag_field="make", tag="slug"):
    """An id made of a name: see `cells.Slugs`."""

    column: str


class RestrictedGtin(_Table, frozen=True, kw_only=True, tag_field="make", tag="restricted-gtin"):
    """A GTIN-13 for goods that have none, made of an item number and its owner's name: see `cells`."""

    item: str
    owner: str


class SourceLot(_Table, frozen=True, kw_only=True, tag_field="make", tag="source"):
    """The name of the source, as one lot number for all that the table holds."""


class Date(_Table, frozen=True, kw_only=True):
    """Where a row says when it happened, and how dates are written in this table (as `strptime` has it)."""

    column: str
    format: str = "%Y-%m-%d"


class Party(_Table, frozen=True, kw_only=True):
    """One part that parties play in a row.

    With `tier` (a number, or the column that holds it) and `upline` (another part), the upline authorises the
    party from its first row on. Without, nobody does, and the book marks its transfers so.
    """

    kind: Kind
    id: str | Text | Prefixed | Slug
    tier: int | str | None = None
    upline: str | None = None


class Product(_Table, frozen=True, kw_only=True):
    """What is moved. Name and suggested price are those of its first row."""

    brand: str
    gtin: str | RestrictedGtin
    name: str | Text
    suggested_price: str | Text


class Batch(_Table, frozen=True, kw_only=True):
    """How stock comes to be: a lot of a product, as large as what leaves its brand in this table.

    `made_on` and `expires_on` are columns. Without `made_on` a lot was made on its earliest date in the table,
    without `expires_on`, or where that is empty, it never expires.
    """

    lot: str | Text | SourceLot
    made_on: str | None = None
    expires_on: str | None = None


class Movement(_Table, frozen=True, kw_only=True):
    """One transfer of each row, from the party that plays one part to another, at a column's price."""

    name: str
    giver: str
    receiver: str
    price: str | Text


class Recipe(_Table, frozen=True, kw_only=True):
    """How a table is read. A plain text names a column; `{ make = ... }` says how a word is made.

    `quantity` is the column of the units a row moves; a row with a negative one is a `return` along the way
    the units came, or a `reject`. A row is rejected where a column that its words are made of is empty; `required`
    are further columns that must not be. `delimiter` stands between the cells of a CSV file; the marks are those
    of quantities and prices, `10,50` or `1.200`.
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
    encoding: str = "utf-8-sig"
    delimiter: Delimiter = ","
    decimal_mark: DecimalMark = "."
    thousands_mark: ThousandsMark = ""


def columns(recipe: Recipe) -> tuple[str, ...]:
    """Return every column the recipe names, once."""
    product, batch = recipe.product, recipe.batch
    words: list[object] = [recipe.date.column, recipe.quantity, recipe.currency, *recipe.required]
    for party in recipe.parties.values():
        words += [party.id, party.tier]
    words += [product.gtin, product.name, product.suggested_price]
    words += [batch.lot, batch.made_on, batch.expires_on]
    words += [movement.price for movement in recipe.movements]
    return tuple(dict.fromkeys(column for word in words for column in _columns_of(word)))


def _columns_of(word: object) -> tuple[str, ...]:
    match word:
        case str(column) | Prefixed(column=column) | Slug(column=column):
            return (column,)
        case RestrictedGtin(item=item, owner=owner):
            return (item, owner)
        case _:
            return ()
