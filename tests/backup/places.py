"""Places for books on both kinds of database: served, backed up and restored as an operator does it."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pathbook.client import Client, RefusedError
from pathbook.services.backup.manifest import Manifest
from pathbook.services.backup.restoring import KeySource, Restored, restore
from pathbook.services.backup.taking import take
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import Ran, pathbook
from tests.postgres import drop_database, new_database
from tests.services.forking import PipedFork
from tests.services.masks import BOOK, begin, boxes, yuan

PASSPHRASE = "correct horse battery staple"


class Place(NamedTuple):
    """A directory, and the URL of a PostgreSQL for its books, or "" for books in files."""

    data: Path
    database: str

    def pathbook(self, *arguments: str) -> Ran:
        """Run the command line on these books."""
        return pathbook("--data", str(self.data), *self._named(), *arguments)

    def start(self, *arguments: str) -> PipedFork:
        """Start the command line on these books, in a process of its own that a test may kill."""
        return PipedFork("--data", str(self.data), *self._named(), *arguments)

    def _named(self) -> list[str]:
        return ["--database", self.database] if self.database else []

    def back_up(self, to: Path, *, passphrase: str | None = None, replays: bool = True) -> Manifest:
        """Back up these books."""
        return take(self.data, self.database, to, passphrase=passphrase, replays=replays, progress=silent)

    def restore(self, origin: Path, passphrase: str | None = None, file: Path | None = None) -> Restored:
        """Restore a backup to this place."""
        keys = KeySource(passphrase, file)
        return restore(origin, self.data, self.database, keys=keys, progress=silent)

    @contextlib.contextmanager
    def served(self) -> Iterator[Client]:
        """Serve these books, and yield a client of the book of masks."""
        settings = Settings(data=self.data, database=self.database, listen="127.0.0.1:0")
        with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
            yield client


def silent(_work: str) -> Callable[[int, int | None], None]:
    """Report no progress."""
    return lambda _done, _total: None


@contextlib.contextmanager
def new_place(kind: str, data: Path) -> Iterator[Place]:
    """Yield a place without books."""
    if kind == "sqlite":
        yield Place(data, "")
        return
    url = new_database()
    yield Place(data, url)
    drop_database(url)


@contextlib.contextmanager
def copied(origin: Place, data: Path) -> Iterator[Place]:
    """Yield a copy of a place that no server has open."""
    shutil.copytree(origin.data, data)
    if not origin.database:
        yield Place(data, "")
        return
    url = new_database(origin.database)
    yield Place(data, url)
    drop_database(url)


def begun(place: Place) -> None:
    """Begin a book of masks at a place, with its views."""
    with place.served() as client:
        client.get_batch(begin(client))  # waits for the views


def sold(client: Client, first: int, last: int) -> None:
    """Record one box after the other, from acme to ann."""
    for number in range(first, last + 1):
        client.record_transfer(
            giver="acme",
            receiver="ann",
            units=boxes(number, number),
            unit_price=yuan(150),
            request_id=f"b{number}",
        )


def left_over(directory: Path) -> list[str]:
    """Return the names in a directory, except those that a killed process may leave under its temporary name."""
    return sorted(
        path.name
        for path in directory.iterdir()
        if ".partial-" not in path.name and ".restoring-" not in path.name
    )


def signed(place: Place) -> None:
    """Serve books until a seal is recorded and its checkpoint is signed."""
    settings = Settings(data=place.data, database=place.database, listen="127.0.0.1:0", seals=True)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        sold(client, 0, 3)
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(RefusedError):
                client.get_checkpoint()
                return
            assert time.monotonic() < until
            time.sleep(0.05)
