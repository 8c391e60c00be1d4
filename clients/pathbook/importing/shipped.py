"""The recipes that come with the project: where they are and what they are called."""

import importlib.resources
from typing import Final

RECIPES: Final = importlib.resources.files(__package__) / "recipes"
"""The directory with the recipes and, in `README.md`, what a recipe may say."""

SUFFIX: Final = ".toml"
"""How the file of a recipe ends."""


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with the project."""
    names = (entry.name for entry in RECIPES.iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
