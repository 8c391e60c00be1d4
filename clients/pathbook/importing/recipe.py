"""What a recipe may say: which columns of a table are which words of a book. A recipe holds no code."""

import codecs
import datetime
import importlib.resources
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from ledger.values import MAX_TIER, currencies, is_identifier, is_lot

MAX_MOVEMENT_NAME: Final = 24
"""The longest name of a movement (characters): it is a part of every request id."""

_MOVEMENT_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_SHIPPED: Final = importlib.resources.files(__package__) / "recipes"


Kind = Literal["brand", "agent", "shop"]
"""What a party is."""


class RecipeError(Exception):
    """A recipe cannot be found, read or understood; the message names the key."""


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
    are further columns that must not be.
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


def load_recipe(name_or_path: str) -> Recipe:
    """Return a recipe of the project by its name, or any other by its path, which ends in `.toml`.

    Raises:
        RecipeError: there is none, or it cannot be understood.
    """
    if name_or_path.endswith(".toml") or os.sep in name_or_path:
        source = Path(name_or_path)
        if not source.is_file():
            raise RecipeError(f"There is no recipe file {name_or_path}.")
        return parse_recipe(source.read_bytes(), name_or_path)
    shipped = {entry.name.removesuffix(".toml"): entry for entry in _SHIPPED.iterdir()}
    if name_or_path not in shipped:
        known = ", ".join(sorted(shipped))
        raise RecipeError(f"There is no recipe '{name_or_path}'. Take {known}, or the path of a .toml file.")
    return parse_recipe(shipped[name_or_path].read_bytes(), name_or_path)


def parse_recipe(content: bytes, name: str) -> Recipe:
    """Return the recipe in the bytes of a TOML file.

    Raises:
        RecipeError: it is no TOML, has an unknown key, lacks one, or contradicts itself.
    """
    try:
        recipe = msgspec.toml.decode(content, type=Recipe)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"Recipe {name}: {error}.") from error
    for problem in _problems(recipe):
        raise RecipeError(f"Recipe {name}: {problem}")
    return recipe


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


def _problems(recipe: Recipe) -> Iterator[str]:
    """Yield what the shapes alone do not forbid."""
    for name, party in recipe.parties.items():
        yield from _problems_of_party(f"parties.{name}", party, recipe.parties)
    brand = recipe.parties.get(recipe.product.brand)
    if brand is None or brand.kind != "brand":
        yield f"product.brand '{recipe.product.brand}' is not one of the parties of kind brand."
    if not recipe.movements:
        yield "movements is empty: a row would move nothing."
    names = [movement.name for movement in recipe.movements]
    for movement in recipe.movements:
        if not _MOVEMENT_NAME.fullmatch(movement.name) or len(movement.name) > MAX_MOVEMENT_NAME:
            yield f"movements.name '{movement.name}' is not 1 to {MAX_MOVEMENT_NAME} letters, digits, _ or -."
        if names.count(movement.name) > 1:
            yield f"movements.name '{movement.name}' stands twice."
        for key, role in (("giver", movement.giver), ("receiver", movement.receiver)):
            if role not in recipe.parties:
                yield f"movements.{key} '{role}' of '{movement.name}' is not one of the parties."
        if movement.giver == movement.receiver:
            yield f"movements '{movement.name}' has '{movement.giver}' as giver and receiver."
    if isinstance(recipe.currency, Text) and recipe.currency.text not in currencies():
        yield f"currency '{recipe.currency.text}' is not an ISO 4217 code, such as CNY or USD."
    if isinstance(recipe.batch.lot, Text) and not is_lot(recipe.batch.lot.text):
        yield f"batch.lot '{recipe.batch.lot.text}' cannot be a lot number: 1 to 20 visible characters."
    if not _holds_a_date(recipe.date.format):
        yield f"date.format '{recipe.date.format}' does not hold day, month and year, such as %Y-%m-%d."
    try:
        codecs.lookup(recipe.encoding)
    except LookupError:
        yield f"encoding '{recipe.encoding}' is not one that Python knows."


def _holds_a_date(date_format: str) -> bool:
    day = datetime.datetime(2024, 10, 23)  # noqa: DTZ001 - a day has no time zone
    try:
        return datetime.datetime.strptime(day.strftime(date_format), date_format) == day  # noqa: DTZ007 - as above
    except ValueError:
        return False


def _problems_of_party(key: str, party: Party, parties: dict[str, Party]) -> Iterator[str]:
    if isinstance(party.id, Text) and not is_identifier(party.id.text):
        yield f"{key}.id '{party.id.text}' is not 1 to 64 letters, digits, dots, dashes or underscores."
    if (party.tier is None) != (party.upline is None):
        yield f"{key} needs both tier and upline, or neither."
    if party.kind == "brand" and party.tier is not None:
        yield f"{key} is a brand, tier 0: it has neither tier nor upline."
    if isinstance(party.tier, int) and not 1 <= party.tier <= MAX_TIER:
        yield f"{key}.tier {party.tier} is not between 1 and {MAX_TIER}."
    if party.upline is not None and party.upline not in parties:
        yield f"{key}.upline '{party.upline}' is not one of the parties."
