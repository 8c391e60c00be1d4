"""Test vectors of others, where they stand: beside the checkout, or in a package."""

from pathlib import Path
from typing import Final

VECTORS: Final = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
"""The folder of vectors beside the checkout."""


def missing(name: str, count: int) -> str:
    """Return what a test says that skips because a folder of vectors is not there."""
    return f"../shared/vectors/{name} is not there: {count} vectors of others were not tried."
