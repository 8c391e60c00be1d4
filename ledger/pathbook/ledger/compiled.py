"""Whether the pure rooms run compiled, and whether compiled modules beside their sources still match these.

``make compiled`` puts the compiled modules beside their sources, where Python takes them first. It also writes the
hashes of the sources there. An import of the ledger compares them, so that old code is not run unnoticed. A wheel has
no such hashes, because its sources are not edited.
"""

import hashlib
import importlib.util
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Final

LEDGER: Final = Path(__file__).parent

HASHES: Final = "compiled.sha256"
"""The file with the SHA-256 of each source that the compiled modules were made from, as sha256sum writes it."""


def kind() -> str:
    """Return "compiled" or "pure"."""
    spec = importlib.util.find_spec("pathbook.ledger.runs")
    assert spec is not None
    return "compiled" if isinstance(spec.loader, ExtensionFileLoader) else "pure"


def changed(ledger: Path) -> list[str]:
    """Return the sources that have changed since they were compiled. Without hashes, none has."""
    try:
        lines = (ledger / HASHES).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [name for before, name in map(str.split, lines) if _hash(ledger / name) != before]


def _hash(source: Path) -> str:
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def require_unchanged() -> None:
    """Refuse to run compiled modules whose sources have changed.

    Raises:
        ImportError: a source has changed.
    """
    if (names := changed(LEDGER)) and kind() == "compiled":
        raise ImportError(
            f"{', '.join(names)} changed after `make compiled`, so the compiled modules are old."
            " Run `make compiled` again, or `make pure` to remove them."
        )
