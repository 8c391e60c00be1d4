"""The tables that an import reads, their order, and the name of each in the book."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pathbook.importing.cells import source_of
from pathbook.importing.files import Stamp, TableError, stamp_of
from pathbook.importing.recipe import Recipe
from pathbook.importing.tables import SUFFIXES, Shape, read_shape, stem_of, suffix_of


class Source(msgspec.Struct, frozen=True):
    """A table, the shape of its rows, and its name, which may become the number of a lot.

    `stamp` tells whether the file is still the one that was opened first. It has the size in bytes.
    """

    name: str
    path: Path
    stamp: Stamp
    shape: Shape


def open_source(path: Path, recipe: Recipe, name: str = "") -> Source:
    """Return a table that the recipe fits. Without a name it has the name of its file without the suffix.

    Raises:
        TableError: the table cannot be read, or the recipe does not fit it.
    """
    stamp = stamp_of(path)
    return Source(name or source_of(stem_of(path)), path, stamp, read_shape(path, recipe))


def find_sources(paths: Sequence[Path], recipe: Recipe) -> list[Source]:
    """Return the tables that paths name. A directory stands for the tables in it, ordered by name.

    Skipped are directories in a directory, files with other suffixes, and files whose name begins with a dot.

    Raises:
        TableError: as `open_source`, or a directory has no table, or two tables would have the same name.
    """
    sources = [open_source(path, recipe) for given in paths for path in _tables(given)]
    ((name, times),) = Counter(source.name for source in sources).most_common(1)
    if times > 1:
        alike = " and ".join(str(source.path) for source in sources if source.name == name)
        raise TableError(
            f"{alike} would have the same name '{name}' in the book. Import them one by one, each with a --source of"
            " its own."
        )
    return sources


def _tables(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = [
        inner
        for inner in path.iterdir()
        if suffix_of(inner) in SUFFIXES and inner.is_file() and not inner.name.startswith(".")
    ]
    if not found:
        raise TableError(f"{path} has no table: none of its files ends in {' or '.join(SUFFIXES)}.")
    yield from sorted(found)
