"""Finding, reading and checking a recipe."""

import codecs
import datetime
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from pathbook.importing.recipe import EXCEL_DAYS, Party, Recipe, Text, id_columns
from pathbook.importing.shipped import RECIPES, SUFFIX, shipped_recipes
from pathbook.importing.suggestions import suggest
from pathbook.ledger.money import EXPONENTS
from pathbook.ledger.values import MAX_TIER, is_identifier, is_lot, lot_problem

MAX_MOVEMENT_NAME: Final = 24
"""The most characters of the name of a movement, which is part of every request id."""

MAX_RECIPE_BYTES: Final = 1_048_576
"""The most bytes of a recipe. One with a hundred columns has a few thousand."""

MAX_DATE_FORMAT: Final = 64
"""The most characters of a date format. The longest in use have about twenty."""

MAX_COMPLAINT: Final = 300
"""How many characters of what is wrong with a recipe are shown."""

NO_TEXT_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)
"""The encodings of Python that are not for the text of files."""

_MOVEMENT_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class RecipeError(Exception):
    """A recipe cannot be found, or it is invalid. The message names the recipe and the invalid key."""


def load_recipe(name_or_path: str) -> Recipe:
    """Return a recipe of the project by its name, or any recipe by the path of its `.toml` file.

    Raises:
        RecipeError: there is no such recipe, or it is invalid.
    """
    if name_or_path.endswith(SUFFIX) or os.sep in name_or_path:
        source = Path(name_or_path)
        if not source.is_file():
            raise RecipeError(f"There is no recipe file {name_or_path}. Check the path.")
        try:
            with source.open("rb") as file:
                content = file.read(MAX_RECIPE_BYTES + 1)
        except OSError as error:
            raise RecipeError(f"{name_or_path} cannot be read: {error.strerror or error}.") from error
        return parse_recipe(content, name_or_path)
    shipped = shipped_recipes()
    if name_or_path not in shipped:
        known = ", ".join(shipped)
        raise RecipeError(f"There is no recipe '{name_or_path}'. Use {known}, or the path of a .toml file.")
    return parse_recipe((RECIPES / f"{name_or_path}{SUFFIX}").read_bytes(), name_or_path)


def parse_recipe(content: bytes, name: str) -> Recipe:
    """Return the recipe in the bytes of a TOML file.

    Raises:
        RecipeError: it is not TOML, has an unknown key, lacks a key, or contradicts itself.
    """
    if len(content) > MAX_RECIPE_BYTES:
        raise RecipeError(f"Recipe {name}: it has more than {MAX_RECIPE_BYTES} bytes. Is it a recipe?")
    try:
        recipe = msgspec.toml.decode(content, type=Recipe)
    except RecursionError as error:
        raise RecipeError(f"Recipe {name}: its brackets are nested too deeply.") from error
    except (
        msgspec.MsgspecError,
        ValueError,
    ) as error:  # TOML that is wrong, no text, or has an endless number
        complaint = str(error)
        shown = complaint if len(complaint) <= MAX_COMPLAINT else f"{complaint[:MAX_COMPLAINT]}..."
        raise RecipeError(f"Recipe {name}: {shown}.{suggest(complaint, Recipe)}") from error
    for problem in _problems(recipe):
        raise RecipeError(f"Recipe {name}: {problem}")
    return recipe


def _problems(recipe: Recipe) -> Iterator[str]:
    """Yield the problems of a recipe that its types do not exclude."""
    for name, party in recipe.parties.items():
        yield from _problems_of_party(f"parties.{name}", party, recipe.parties)
    brands = [name for name, party in recipe.parties.items() if party.kind == "brand"]
    if recipe.product.brand not in brands:
        yield f"product.brand '{recipe.product.brand}' is not one of the parties of kind brand{_named(brands)}."
    if not recipe.movements:
        yield "movements is empty, so a row would move nothing. Add a [[movements]]."
    parties = _named(recipe.parties)
    names = [movement.name for movement in recipe.movements]
    for movement in recipe.movements:
        if not _MOVEMENT_NAME.fullmatch(movement.name) or len(movement.name) > MAX_MOVEMENT_NAME:
            yield f"movements.name '{movement.name}' is not 1 to {MAX_MOVEMENT_NAME} letters, digits, _ or -."
        if names.count(movement.name) > 1:
            yield f"movements.name '{movement.name}' is used twice. Use each name once."
        for key, role in (("giver", movement.giver), ("receiver", movement.receiver)):
            if role not in recipe.parties:
                yield f"movements.{key} '{role}' of '{movement.name}' is not one of the parties{parties}."
        if movement.giver == movement.receiver:
            yield f"movements '{movement.name}' has '{movement.giver}' as giver and receiver. Use two parts."
    if isinstance(recipe.currency, Text) and recipe.currency.text not in EXPONENTS:
        yield f"currency '{recipe.currency.text}' is not an ISO 4217 code, such as CNY or USD."
    if isinstance(recipe.batch.lot, Text) and not is_lot(recipe.batch.lot.text):
        yield f"batch.lot '{recipe.batch.lot.text}' cannot be a lot number: {lot_problem(recipe.batch.lot.text)}."
    if not _holds_a_date(recipe.date.format):
        shown = recipe.date.format[:MAX_DATE_FORMAT]
        yield f"date.format '{shown}' does not have day, month and year, such as %Y-%m-%d."
    if recipe.thousands_mark == recipe.decimal_mark:
        yield f"thousands_mark '{recipe.thousands_mark}' is also the decimal_mark. Use two marks."
    if not _is_of_text(recipe.encoding):
        yield f"encoding '{recipe.encoding}' is no encoding of text. Use one such as utf-8, cp1252 or gb18030."
    if recipe.id == "" or "" in id_columns(recipe):
        yield 'id is empty. Name one or more columns, such as id = "document no", or leave it out.'


def _is_of_text(encoding: str) -> bool:
    """Tell whether Python knows an encoding, and files may be written in it."""
    try:
        name = codecs.lookup(encoding).name.lower().replace("_", "-")
        mark = "a,\n".encode(encoding).decode(encoding)
    except (LookupError, ValueError):  # UnicodeError and an embedded NUL are ValueErrors
        return False
    return name not in NO_TEXT_ENCODINGS and mark == "a,\n"


def _holds_a_date(date_format: str) -> bool:
    if date_format == EXCEL_DAYS:
        return True
    if len(date_format) > MAX_DATE_FORMAT:
        return False
    day = datetime.datetime(2024, 10, 23)  # noqa: DTZ001 - a day has no time zone
    try:
        return datetime.datetime.strptime(day.strftime(date_format), date_format) == day  # noqa: DTZ007 - as above
    except (
        ValueError,
        LookupError,
        OverflowError,
        re.error,
    ):  # also what `strptime` makes of a directive twice
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
        yield f"{key}.upline '{party.upline}' is not one of the parties{_named(parties)}."


def _named(names: Iterable[str]) -> str:
    """Return names as the end of a sentence, or an empty text if there are none."""
    listed = ", ".join(names)
    return f": {listed}" if listed else ""
