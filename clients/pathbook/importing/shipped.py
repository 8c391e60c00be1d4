"""The recipes that come with the project: their directory and their names."""

import importlib.resources
from typing import Final

RECIPES: Final = importlib.resources.files(__package__) / "recipes"
"""The directory of the recipes. Its `README.md` documents the keys of a recipe."""

SUFFIX: Final = ".toml"
"""The suffix of recipe files."""


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the project."""
    names = (entry.name for entry in RECIPES.iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
