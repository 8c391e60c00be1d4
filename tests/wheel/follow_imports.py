"""A program that imports packages and everything they import, even lazily, and prints failed imports.

It runs in the tested environment and needs only Python: `follow_imports.py PACKAGES - LEFT_OUT`.
"""

import ast
import functools
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType


def main(packages: Sequence[str], left_out: Sequence[str]) -> None:
    """Import packages, their modules and their imports, except those that are left out."""
    waiting = list(packages)
    seen = set(left_out)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - this program looks for any error of an import
            print(f"{name}: {error!r}")
        else:
            waiting += _inside(module) if name in packages else []
            waiting += _imported(module) if name.startswith("pathbook.") else []


def _inside(package: ModuleType) -> Iterator[str]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield found.name


def _imported(module: ModuleType) -> Iterator[str]:
    """Yield the modules that a module imports, at any place in its code."""
    if module.__file__ is None:
        return
    for node in ast.walk(ast.parse(Path(module.__file__).read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports are absolute here"
            yield node.module
            yield from (name for alias in node.names if _is_module(name := f"{node.module}.{alias.name}"))


@functools.cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except Exception:  # noqa: BLE001 - the parent is no package, or cannot be imported, which is reported of itself
        return False


if __name__ == "__main__":
    divide = sys.argv.index("-")
    main(sys.argv[1:divide], sys.argv[divide + 1 :])
