"""The verb `seller`: whether the seller with a handle is authorized at a time, or on all of a day."""

import datetime
from pathlib import Path
from typing import Final

from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT
from tests.cli.conftest import pathbook
from tests.services.masks import BOOK, MASK, begin

HANDLE: Final = "wechat ben"


def time(text: str) -> datetime.datetime:
    """Return a time of 2026, in UTC."""
    return datetime.datetime.fromisoformat(f"2026-{text}+00:00")


def test_a_seller_is_authorized_on_a_day_if_it_is_so_all_day(tmp_path: Path) -> None:
    """Also by two authorizations in turn. On a day on which one begins or the last one ends, it is not."""
    with running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port:
        server = f"127.0.0.1:{port}"
        with Client(server, book=BOOK, retry_seconds=0) as client:
            begin(client)
            client.register_party("ben", PARTY_KIND_AGENT)
            client.authorize_party("ann", upline="acme", tier=1, valid_from=time("01-01T00:00"))
            for first, last in (("01-15T09:00", "03-10T12:00"), ("03-10T06:00", "03-31T12:00")):
                client.authorize_party(
                    "ben", upline="ann", tier=2, valid_from=time(first), valid_until=time(last)
                )
            client.describe_party("ben", handles=[HANDLE])

        def asked(*options: str) -> tuple[int, str]:
            ran = pathbook("seller", HANDLE, "--product", MASK, "--server", server, "--book", BOOK, *options)
            return ran.code, ran.out + ran.err

        code, told = asked("--on", "2026-03-10")
        assert code == 0
        assert "AUTHORIZED: the seller is of tier 2 for the product from 2026-01-15" in told
        assert "until 2026-03-31" in told
        for day in ("2026-01-15", "2026-03-31", "2026-01-14", "2026-04-01"):
            code, told = asked("--on", day)
            assert (code, f"on all of {day}" in told) == (1, True)
        assert asked("--at", "2026-03-31T11:00:00Z")[0] == 0
        assert asked("--on", "2026-03-31", "--at", "2026-03-31T11:00:00Z")[0] == 2
        assert asked("--on", "9999-12-31")[0] == 2
