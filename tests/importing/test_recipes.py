"""Recipes are declarative, and an error in a recipe names the key."""

from pathlib import Path

import pytest

from pathbook.importing.loading import RecipeError, load_recipe, parse_recipe
from pathbook.importing.recipe import columns

RECIPE = """
quantity = "count"
currency = "currency"
negative = "return"
required = ["note"]

[date]
column = "day"
format = "%d.%m.%Y"

[parties.maker]
kind = "brand"
id = { make = "text", text = "maker" }

[parties.dealer]
kind = "agent"
id = { make = "prefixed", prefix = "d-", column = "dealer" }
tier = "level"
upline = "maker"

[product]
brand = "maker"
gtin = { make = "restricted-gtin", item = "item", owner = "line" }
name = "title"
suggested_price = { make = "text", text = "300" }

[batch]
lot = "lot"
made_on = "made"
expires_on = "best before"

[[movements]]
name = "sold"
giver = "maker"
receiver = "dealer"
price = "price"
"""


def test_a_recipe_names_its_columns_once() -> None:
    """The columns of a recipe are those of all its values, each once."""
    assert columns(parse_recipe(RECIPE.encode(), "mine")) == (
        "day", "count", "currency", "note", "dealer", "level", "item", "line", "title", "lot", "made",
        "best before", "price",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        pytest.param('negative = "return"', 'colour = "red"', "colour", id="an unknown key"),
        pytest.param('kind = "brand"', 'kind = "brand"\nname = "M"', "name", id="an unknown key of a party"),
        pytest.param("[date]", '[date]\nzone = "UTC"', "zone", id="an unknown key of the date"),
        pytest.param('price = "price"', 'price = "price"\nfee = "fee"', "fee", id="an unknown key of a movement"),
        pytest.param('prefix = "d-"', 'prefix = "d-", suffix = "x"', "suffix", id="an unknown key of a word"),
        pytest.param('make = "prefixed"', 'make = "eval"', "eval", id="an unknown way to make a word"),
        pytest.param('quantity = "count"', "", "quantity", id="a missing key"),
        pytest.param('quantity = "count"', "quantity = 3", "quantity", id="a key of the wrong type"),
        pytest.param('kind = "agent"', 'kind = "agnt"', "agnt", id="an unknown kind"),
        pytest.param('negative = "return"', 'negative = "drop"', "drop", id="an unknown way with negatives"),
        pytest.param('text = "maker"', 'text = "the maker"', "parties.maker.id", id="an impossible id"),
        pytest.param('tier = "level"', "", "parties.dealer", id="an upline without a tier"),
        pytest.param('tier = "level"', "tier = 0", "parties.dealer.tier", id="a tier out of bounds"),
        pytest.param('upline = "maker"', 'upline = "boss"', "boss", id="an unknown upline"),
        pytest.param('kind = "brand"', 'kind = "shop"', "product.brand", id="a product of no brand"),
        pytest.param('giver = "maker"', 'giver = "who"', "who", id="an unknown giver"),
        pytest.param('giver = "maker"', 'giver = "dealer"', "movements 'sold'", id="giver and receiver alike"),
        pytest.param('name = "sold"', 'name = "sold on"', "movements.name", id="a movement's name with a blank"),
        pytest.param('currency = "currency"', 'currency = {make = "text", text = "RMB"}', "RMB", id="no currency"),
        pytest.param('lot = "lot"', 'lot = { make = "text", text = "a b" }', "batch.lot", id="an impossible lot"),
        pytest.param("%d.%m.%Y", "%d.%m.", "date.format", id="a date without a year"),
        pytest.param('quantity = "count"', 'quantity = "count"\nencoding = "utf-9"', "utf-9", id="no encoding"),
        pytest.param('quantity = "count"', 'quantity = "count"\ndecimal_mark = ";"', '",", "."', id="no decimal mark"),
        pytest.param('quantity = "count"', 'quantity = "count"\ndelimiter = "ab"', '"\\t"', id="no delimiter"),
        pytest.param("[date]", 'thousands_mark = "."\n[date]', "also the decimal_mark", id="one mark for two things"),
        pytest.param("[date]", "[date", "Expected", id="no TOML"),
    ],
)  # fmt: skip
def test_the_error_of_a_wrong_recipe_names_the_key(old: str, new: str, named: str) -> None:
    """The error of a wrong recipe names the recipe, and the key or value."""
    assert RECIPE.count(old) == 1 or old == "[date]"
    with pytest.raises(RecipeError) as raised:
        parse_recipe(RECIPE.replace(old, new, 1).encode(), "mine")
    assert str(raised.value).startswith("Recipe mine: ")
    assert named in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        pytest.param('negative = "return"', 'colour = "red"', "Its keys are date, quantity, ", id="a key"),
        pytest.param("[date]", '[date]\nzone = "UTC"', "Its keys are column, format.", id="a key of the date"),
        pytest.param('price = "price"', "", "giver, receiver, price, reference.", id="a missing key"),
        pytest.param('kind = "agent"', 'kind = "agnt"', 'Valid are "agent", "brand", "shop".', id="a kind"),
        pytest.param('negative = "return"', 'negative = "drop"', 'Valid are "reject", "return".', id="negative"),
        pytest.param('make = "prefixed"', 'make = "eval"', 'the name of a column, { make = "text", text = ... }, '
            '{ make = "prefixed", prefix = ..., column = ... }, { make = "slug", column = ... }.', id="a make"),
        pytest.param('lot = "lot"', "lot = 3", '{ make = "text", text = ... }, { make = "source" }.', id="a word"),
        pytest.param('giver = "maker"', 'giver = "who"', "one of the parties: maker, dealer.", id="a part"),
    ],
)  # fmt: skip
def test_the_error_of_a_wrong_recipe_lists_valid_values(old: str, new: str, valid: str) -> None:
    """The error of a wrong recipe lists the valid keys or values."""
    with pytest.raises(RecipeError) as raised:
        parse_recipe(RECIPE.replace(old, new, 1).encode(), "mine")
    assert valid in str(raised.value)


def test_two_movements_cannot_share_a_name() -> None:
    """A movement's name is part of its request id, so it must be unique."""
    again = RECIPE[RECIPE.index("[[movements]]") :]
    with pytest.raises(RecipeError, match="'sold' is used twice"):
        parse_recipe((RECIPE + again).encode(), "mine")


def test_a_recipe_needs_a_movement() -> None:
    """A recipe without movements is refused, because it would import nothing."""
    empty = "movements = []\n" + RECIPE[: RECIPE.index("[[movements]]")]
    with pytest.raises(RecipeError, match="movements is empty"):
        parse_recipe(empty.encode(), "mine")


def test_a_recipe_of_the_project_is_found_by_its_name() -> None:
    """The recipe for the Iowa table comes with the project."""
    assert [movement.name for movement in load_recipe("iowa").movements] == ["cost", "retail"]


def test_any_other_recipe_is_found_by_its_path(tmp_path: Path) -> None:
    """A user's own recipe is given by the path of its file."""
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    assert load_recipe(str(path)) == parse_recipe(RECIPE.encode(), "mine")


@pytest.mark.parametrize("name", ["ohio", "nowhere/ohio.toml", "ohio.toml"])
def test_a_missing_recipe_is_named(name: str) -> None:
    """The error for a missing recipe names it."""
    with pytest.raises(RecipeError, match="ohio"):
        load_recipe(name)
