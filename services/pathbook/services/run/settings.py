"""Where a server keeps its books and where it listens: what an operator decides."""

import dataclasses
import ipaddress
import re
from pathlib import Path
from typing import Final

DRAIN_TIMEOUT_S: Final = 5.0
"""How long a server that was told to stop lets calls go on: less than a container is given before it is killed."""

MAX_WORKERS: Final = 64
"""How many servers may share a port; each holds some twenty connections of a database at its busiest."""

_DATABASE: Final = re.compile(
    r"postgresql(?:\+psycopg)?://"
    r"(?:[^\s:@/?#]+(?::[^\s:@/?#]*)?@)?"
    r"(?P<server>(?:\[[0-9A-Fa-f:.]+\]|[^\s:@/?#\[\]]*)(?::[0-9]{1,5})?)"
    r"/(?P<name>[^\s:@/?#]+)"
    r"(?:\?(?P<options>[^\s#]*))?"
)
"""A URL of PostgreSQL with all its reserved characters encoded (RFC 3986, section 2.2): read in one way only."""

_PASSWORD: Final = re.compile(r"(?:^|&)(?:ssl)?password=", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator decides.

    Attributes:
        data: the directory of the books, their views and the key of their codes; made where it is missing.
        database: the URL of a PostgreSQL that holds books and views instead of the directory, "" for none. It
            may hold a password, so it is never printed.
        listen: HOST:PORT. Port 0 lets the system choose one.
        follows: whether the server projects the views; else another process has to.
        workers: how many servers share the port, each in a process of its own.
        allow_event_loss: whether the database may acknowledge events that it may lose.
        drain_seconds: how long calls may go on once the server was told to stop.

    Raises:
        ValueError: one of them is malformed; the message does not repeat the database's URL.
    """

    data: Path
    database: str = dataclasses.field(default="", repr=False)
    listen: str
    follows: bool = True
    workers: int = 1
    allow_event_loss: bool = False
    drain_seconds: float = DRAIN_TIMEOUT_S

    def __post_init__(self) -> None:
        """Refuse what is malformed."""
        host, colon, port = self.listen.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
            raise ValueError(f"'{self.listen}' is not HOST:PORT, such as localhost:8000 or [::1]:0.")
        if self.database:
            _parse_database(self.database)
        if not 1 <= self.workers <= MAX_WORKERS:
            raise ValueError(f"{self.workers} workers are not between 1 and {MAX_WORKERS}.")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can call."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def place(self) -> str:
        """Where the books are, as people may read it: a directory, or a database without user and password."""
        if not self.database:
            return str(self.data)
        url = _parse_database(self.database)
        return f"postgresql://{url['server']}/{url['name']}"


def _parse_database(url: str) -> re.Match[str]:
    """Return the parts of a database's URL. Raises ValueError."""
    if url.startswith("sqlite:"):
        raise ValueError("Books in SQLite are in the directory itself: leave out the database.")
    if not url.startswith(("postgresql://", "postgresql+")):
        raise ValueError(
            "Books are in the directory itself, or in PostgreSQL: give postgresql+psycopg://USER@HOST:PORT/NAME."
        )
    parts = _DATABASE.fullmatch(url)
    if parts is None:
        raise ValueError(
            "The database's URL cannot be read: give postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME."
            " Write : @ / ? # within one of these as %3A %40 %2F %3F %23."
        )
    if _PASSWORD.search(parts["options"] or ""):
        raise ValueError("Give the password before the host, as USER:PASSWORD@, or as PGPASSWORD.")
    return parts
