"""Which tables an import reads, in which order, and what each is called in the book."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pathbook.importing.cells import source_of
from pathbook.importing.recipe import Recipe
from pathbook.importing.tables import SUFFIXES, TableError, count_rows


class Source(msgspec.Struct, frozen=True):
    """A table, and the name its rows have in the book: name and row number are a row's identity.

    `rows` says how many it has, None where one has to read it all to know.
    """

    name: str
    path: Path
    rows: int | None


def open_source(path: Path, recipe: Recipe, name: str = "") -> Source:
    """Return a table that the recipe fits; without a name it is called as its file without the ending.

    Raises:
        TableError: it cannot be read, or the recipe does not fit it.
    """
    return Source(name or source_of(path.stem), path, count_rows(path, recipe))


def find_sources(paths: Sequence[Path], recipe: Recipe) -> list[Source]:
    """Return the tables that paths name: a file is one, a directory stands for those in it, ordered by name.

    Passed over are directories in a directory, files of other kinds, and those whose name begins with a dot.

    Raises:
        TableError: as `open_source`; or a directory holds no table, or two tables would have the same name.
    """
    sources = [open_source(path, recipe) for given in paths for path in _tables(given)]
    ((name, times),) = Counter(source.name for source in sources).most_common(1)
    if times > 1:
        alike = " and ".join(str(source.path) for source in sources if source.name == name)
        raise TableError(
            f"{alike} would all be called '{name}' in the book. Import them one by one, with --source."
        )
    return sources


def _tables(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = [
        inner
        for inner in path.iterdir()
        if inner.suffix.lower() in SUFFIXES and inner.is_file() and not inner.name.startswith(".")
    ]
    if not found:
        raise TableError(f"{path} holds no table: none of its files ends in {' or '.join(SUFFIXES)}.")
    yield from sorted(found)
