"""The settings of a server: where its books are, where it listens, and how it runs."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.services.access.issuer import Issuer
from pathbook.services.callers import is_loopback
from pathbook.services.rates import ClassLimits
from pathbook.services.run.certificates import CertificateFiles
from pathbook.services.witness_calls import WitnessAddress

DRAIN_TIMEOUT_S: Final = 5.0
"""How long open calls may go on after the server is told to stop: less than a container gets before it is killed."""

MAX_WORKERS: Final = 64
"""How many servers may share a port. A busy server holds some twenty connections to the database."""

_DATABASE: Final = re.compile(
    r"postgresql(?:\+psycopg)?://"
    r"(?:[^\s:@/?#]+(?::[^\s:@/?#]*)?@)?"
    r"(?P<server>(?:\[[0-9A-Fa-f:.]+\]|[^\s:@/?#\[\]]*)(?::[0-9]{1,5})?)"
    r"/(?P<name>[^\s:@/?#]+)"
    r"(?:\?(?P<options>[^\s#]*))?"
)
"""A URL of PostgreSQL that is unambiguous: its parts encode all reserved characters (RFC 3986, section 2.2)."""

_PASSWORD: Final = re.compile(r"(?:^|&)(?:ssl)?password=", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The operator's choices.

    Attributes:
        data: the directory of the books, their views and the key of their codes. It is made if it is missing.
        database: the URL of a PostgreSQL database that holds books and views instead of the directory, "" for none.
            It may hold a password, so it is never printed.
        listen: HOST:PORT. Port 0 lets the system choose one.
        follows: whether the server updates the views; if not, another process has to.
        apart: whether processes of their own update views and reports also beside one server, as always beside several.
        seals: whether the process that updates the views seals the books, and signs their checkpoints.
        workers: how many servers share the port, each in a process of its own.
        allow_event_loss: whether to accept a database that may lose events it has acknowledged.
        operations_listen: HOST:PORT where operators get metrics and health, "" for nowhere.
        metrics_directory: where the processes of one server count together, "" for each alone.
        limits: what each class of callers may do in a time; None for no limits but those of connections.
        trusted_proxies: addresses and networks of proxies that name whose calls they pass on (`Origins`).
        witnesses: who is asked to cosign the checkpoints.
        cosigners: the keys of those whose cosignatures are kept if a caller brings them.
        drain_seconds: how long open calls may go on after the server is told to stop.
        demands_tokens: whether callers are known by their tokens, and may do what their role may. If not, the server is
            open: every caller may do everything. That is for a server inside a program; `pathbook serve` demands them.
        own_token: the one token that counts, and as an operator's, if a program serves itself only. "" for none.
        issuer: whose web tokens make callers known, besides those of the server. None for no others.
        certificate: the files of the certificate for TLS, None to listen without TLS.

    Raises:
        ValueError: a setting is malformed. The message does not repeat the database's URL.
    """

    data: Path
    database: str = dataclasses.field(default="", repr=False)
    listen: str
    follows: bool = True
    apart: bool = False
    seals: bool = False
    workers: int = 1
    allow_event_loss: bool = False
    operations_listen: str = ""
    metrics_directory: str = ""
    limits: Mapping[str, ClassLimits] | None = None
    trusted_proxies: tuple[str, ...] = ()
    witnesses: tuple[WitnessAddress, ...] = ()
    cosigners: tuple[VerifierKey, ...] = ()
    drain_seconds: float = DRAIN_TIMEOUT_S
    demands_tokens: bool = False
    own_token: str = dataclasses.field(default="", repr=False)
    issuer: Issuer | None = None
    certificate: CertificateFiles | None = None

    def __post_init__(self) -> None:
        """Refuse malformed settings."""
        for listen in (self.listen, self.operations_listen or self.listen):
            host, colon, port = listen.rpartition(":")
            if not (host and colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
                raise ValueError(
                    f"'{listen}' is not HOST:PORT. Give an address such as localhost:8000 or [::1]:0."
                )
        if self.database:
            _parse_database(self.database)
        if not 1 <= self.workers <= MAX_WORKERS:
            raise ValueError(
                f"{self.workers} workers are not allowed. Give a number between 1 and {MAX_WORKERS}."
            )

    @property
    def are_several(self) -> bool:
        """Whether there are several processes, which the one that is started keeps running."""
        return self.workers > 1 or self.apart

    @property
    def counts(self) -> bool:
        """Whether operators get metrics."""
        return bool(self.operations_listen or self.metrics_directory)

    @property
    def is_loopback(self) -> bool:
        """Whether only callers on this machine reach the server."""
        return is_loopback(self.listen)

    @property
    def place(self) -> str:
        """Where the books are, for printing: the directory, or the database without user and password."""
        if not self.database:
            return str(self.data)
        url = _parse_database(self.database)
        return f"postgresql://{url['server']}/{url['name']}"


def _parse_database(url: str) -> re.Match[str]:
    """Return the parts of a database's URL. Raises ValueError."""
    if url.startswith("sqlite:"):
        raise ValueError("Books in SQLite lie in the directory itself. Leave out the database.")
    if not url.startswith(("postgresql://", "postgresql+")):
        raise ValueError(
            "Books lie in the directory itself or in PostgreSQL. Give postgresql+psycopg://USER@HOST:PORT/NAME."
        )
    parts = _DATABASE.fullmatch(url)
    if parts is None:
        raise ValueError(
            "The database's URL cannot be read. Give postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME."
            " Write : @ / ? # within one of these as %3A %40 %2F %3F %23."
        )
    if _PASSWORD.search(parts["options"] or ""):
        raise ValueError(
            "Give the password before the host, as USER:PASSWORD@, or in the variable PGPASSWORD."
        )
    return parts
