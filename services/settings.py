"""Where a server keeps its books and where it listens: arguments, or the environment (PATHBOOK_DATA ...)."""

import ipaddress
from pathlib import Path
from typing import Final

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_LISTEN: Final = "127.0.0.1:50551"
"""Only this machine may call, unless told otherwise."""

DRAIN_SECONDS: Final = 5.0
"""How long a server that was told to stop lets calls go on: less than a container is given before it is killed."""


class Settings(BaseSettings):
    """What an operator decides. An argument goes before the environment, that before the default.

    Attributes:
        data: the directory of the books, their views and the key of their codes; made where it is missing.
        database: the URL of a PostgreSQL that holds the books instead; empty for none.
        listen: HOST:PORT. Port 0 lets the system choose one.
        drain_seconds: how long calls may go on once the server was told to stop.
    """

    model_config = SettingsConfigDict(env_prefix="PATHBOOK_", frozen=True)

    data: Path
    database: str = ""
    listen: str = DEFAULT_LISTEN
    drain_seconds: float = DRAIN_SECONDS

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        host, colon, port = listen.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
            raise ValueError(f"'{listen}' is not HOST:PORT, such as {DEFAULT_LISTEN} or [::1]:0")
        return listen

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can call."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
