"""The documentation of recipes is correct: its example works, and no key is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec.inspect
import pytest
from msgspec.inspect import DictType, StructType, Type, UnionType, VarTupleType

from pathbook.cli.main import run
from pathbook.importing.loading import parse_recipe
from pathbook.importing.recipe import Recipe
from pathbook.importing.shipped import RECIPES, shipped_recipes

README = (RECIPES / "README.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the only code block of a language in the README of the recipes."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert isinstance(found, str)
    return found


def structs(declared: Type) -> Iterator[StructType]:
    """Yield the struct of every table that a recipe may have."""
    match declared:
        case StructType(fields=fields):
            yield declared
            for field in fields:
                yield from structs(field.type)
        case UnionType(types=types):
            for each in types:
                yield from structs(each)
        case DictType(value_type=inner) | VarTupleType(item_type=inner):
            yield from structs(inner)
        case _:
            return


def test_the_example_is_imported_unchanged(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe and sheet of the example print the output that is shown below them."""
    sheet, recipe = tmp_path / "sheet.csv", tmp_path / "sheet.toml"
    sheet.write_text(block("csv"))
    recipe.write_text(block("toml"))
    assert run(["import", str(sheet), "--recipe", str(recipe), "--server", target]) == 0
    assert capsys.readouterr().out == block("text")


def test_the_lines_for_a_german_file_are_valid() -> None:
    """The lines that are shown for another dialect can be added to the example's recipe."""
    recipe = parse_recipe((block("ini") + block("toml")).encode(), "german")
    assert (recipe.delimiter, recipe.decimal_mark, recipe.thousands_mark) == (";", ",", ".")


def test_every_key_of_a_recipe_is_documented() -> None:
    """The tables of keys list each key of each table of a recipe, and each way to make a value."""
    named = {
        key for keys in re.findall(r"^\| (`.*?`) \|.*$", README, re.MULTILINE) for key in keys.split("`")
    }
    cells = set(re.findall(r"`([\w.-]+)`", README))
    known = {key.rpartition(".")[2] for key in named | cells}
    declared = list(structs(msgspec.inspect.type_info(Recipe)))
    assert {str(struct.tag) for struct in declared if struct.tag} <= known
    keys = {field.encode_name for struct in declared for field in struct.fields}
    assert keys - {"date", "parties", "product", "batch"} <= known


def test_help_names_the_recipes_and_where_they_are_described(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the recipes of the project, and names the file on how to write one."""
    assert run(["import", "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"{RECIPES / 'README.md'}" in shown
    assert shipped_recipes() == ["iowa"]
    assert "Recipes that come with Pathbook: iowa." in shown
