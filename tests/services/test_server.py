"""The server itself: its start, health, reflection, settings, log and internal errors."""

import asyncio
import json
import logging
import stat
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import given
from hypothesis import strategies as st

from pathbook.cli.serve import DEFAULT_LISTEN
from pathbook.client import Client, RefusedError
from pathbook.ledger.queries import Queries
from pathbook.ledger.serials import parse_book_key
from pathbook.services.key_file import KEY_FILE, UnusableKeyError
from pathbook.services.run.in_thread import running
from pathbook.services.run.server import SERVICES, Server
from pathbook.services.run.settings import Settings
from tests.services.masks import BOOK, begin, opened, refused


def test_health_answers_for_the_server_and_each_service(target: str) -> None:
    """The standard health check returns SERVING for each service, and NOT_FOUND for an unknown one."""
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", *SERVICES):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            stub.Check(health_pb2.HealthCheckRequest(service="pathbook.v1.Nothing"), timeout=10)


def test_reflection_lists_the_services_and_their_methods(target: str) -> None:
    """A tool without the proto files gets them from the server."""
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(SERVICES) < set(database.get_services())
        file = database.FindFileContainingSymbol("pathbook.v1.PathService")
        names = {method.name for method in file.service[0].method}
        assert names == {"GetPath", "ListStock", "ListHolders"}


def test_a_call_does_not_cost_a_wait_for_each_method(tmp_path: Path) -> None:
    """No method of ours waits for calls in a task of its own: gRPC would begin to wait for all of them at each call."""

    async def waiting() -> list[str]:
        server = Server(Settings(data=tmp_path, listen="127.0.0.1:0"))
        await server.start()
        await asyncio.sleep(0)
        names = [repr(task.get_coro()) for task in asyncio.all_tasks()]
        await server.stop()
        return [name for name in names if "_request_registered_call" in name]

    assert len(asyncio.run(waiting())) < len(SERVICES)


def test_the_first_start_creates_directory_and_key(data: Path) -> None:
    """The key is created once, only its owner may read it, and later starts keep it."""
    key = data / "deeper" / KEY_FILE
    with opened(key.parent) as client:
        begin(client)
        serials = next(client.list_codes(1, 0, 9)).serials
    text = key.read_text()
    parse_book_key(text)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(key.parent.glob(f"{KEY_FILE}*")) == [key]
    with opened(key.parent) as client:
        assert next(client.list_codes(1, 0, 9)).serials == serials
    assert key.read_text() == text


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(Path.unlink, "is missing", id="missing"),
        pytest.param(lambda key: key.write_text(""), "cannot be used", id="empty"),
        pytest.param(lambda key: key.write_text("ä"), "cannot be used", id="not a key"),
    ],
)
def test_a_server_does_not_start_without_the_key_of_its_books(
    data: Path, damage: object, problem: str
) -> None:
    """With a missing or damaged key, the books are not opened, and no new key is created."""
    with opened(data) as client:
        begin(client)
    key = data / KEY_FILE
    assert callable(damage)
    damage(key)
    before = key.exists() and key.read_bytes()
    with (
        pytest.raises(UnusableKeyError, match=f"{KEY_FILE} {problem}.*Restore the file from your backup"),
        opened(data),
    ):
        pass
    assert (key.exists() and key.read_bytes()) == before


def test_a_taken_port_is_an_error(data: Path, target: str, tmp_path: Path) -> None:
    """A second server on the same port does not start, and the error names the address."""
    other = Settings(data=tmp_path / "other", listen=target)
    with pytest.raises(OSError, match=f"Cannot listen on {target}"), running(other):
        pass


@pytest.mark.parametrize(
    ("listen", "is_loopback"),
    [
        (DEFAULT_LISTEN, True),
        ("[::1]:0", True),
        ("localhost:1", True),
        ("0.0.0.0:50551", False),
        ("[::]:50551", False),
        ("192.0.2.1:1", False),
        ("example.com:1", False),
    ],
)
def test_loopback_addresses_are_recognized(listen: str, is_loopback: bool) -> None:
    """Only loopback addresses count as reachable from this machine alone."""
    assert Settings(data=Path(), listen=listen).is_loopback is is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x"])
def test_the_address_for_operators_is_host_and_port(address: str) -> None:
    """A malformed address is refused before a port is opened."""
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Settings(data=Path(), listen="127.0.0.1:0", operations_listen=address)


@pytest.mark.parametrize(
    "listen", ["", "127.0.0.1", ":50551", "127.0.0.1:", "127.0.0.1:65536", "h:-1", "h:١"]
)
def test_an_address_is_host_and_port(listen: str) -> None:
    """An address that is not HOST:PORT is refused before a port is opened."""
    with pytest.raises(ValueError, match=r"is not HOST:PORT"):
        Settings(data=Path(), listen=listen)


@given(st.text(min_size=1))
def test_a_password_is_never_shown(text: str) -> None:
    """A URL with a valid or a malformed password is accepted or refused without showing the password."""
    password = f"secret{text}"
    url = f"postgresql+psycopg://acme:{quote(password, safe='')}@127.0.0.1:5432/books"
    settings = Settings(data=Path(), database=url, listen=DEFAULT_LISTEN)
    assert settings.place == "postgresql://127.0.0.1:5432/books"
    assert "secret" not in repr(settings)
    try:
        bare_url = url.replace(quote(password, safe=""), password)
        bare = Settings(data=Path(), database=bare_url, listen=DEFAULT_LISTEN)
    except ValueError as error:
        assert "secret" not in str(error)  # noqa: PT017 - whether it is refused depends on the text
    else:
        assert bare.place == settings.place


@pytest.mark.parametrize(
    "database",
    [
        "books",
        "sqlite:///books",
        "mysql://acme:secret@h/books",
        "postgresql+asyncpg://acme:secret@h/books",
        "postgresql://acme:secret@h",
        "postgresql://acme:secret@h:five/books",
        "postgresql://acme:se@cret@h/books",
        "postgresql://h/books?password=secret",
    ],
)
def test_only_postgresql_urls_are_accepted(database: str) -> None:
    """Any other database URL is refused before a connection is opened, without showing its password."""
    with pytest.raises(ValueError, match=r"^(?!.*secret)(Books|The database|Give)"):
        Settings(data=Path(), database=database, listen=DEFAULT_LISTEN)


def test_a_server_open_to_others_warns_about_missing_access_control(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Listening beyond this machine is allowed, with a warning in the log."""
    with running(Settings(data=data, listen="0.0.0.0:0")):
        pass
    (entry,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert entry["level"] == "warning"
    assert "this server is open" in entry["event"]


def test_the_log_has_a_line_a_call_and_nothing_of_what_was_asked(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has method, code, milliseconds and reason of each call, but no names, prices or codes."""
    with opened(data, logging.INFO) as client:
        begin(client)
        with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            client.get_party("zoe-secret")
        list(client.read())
    text = capsys.readouterr().err
    calls = [entry for line in text.splitlines() if (entry := json.loads(line))["event"] == "call"]
    assert [call["method"].rpartition("/")[2] for call in calls] == [
        "OpenBook",
        *["RegisterParty"] * 4,
        "RegisterProduct",
        "CommissionBatch",
        "GetParty",
        "Read",
    ]
    assert (calls[7]["code"], calls[7]["reason"]) == ("NOT_FOUND", "PARTY_UNKNOWN")
    assert (calls[8]["code"], calls[8]["reason"]) == ("OK", None)
    assert all(call["milliseconds"] >= 0 for call in calls)
    for secret in ("zoe-secret", "acme", "30000", "Mask"):
        assert secret not in text


def test_an_internal_error_is_hidden_from_the_caller(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller of a failed call gets no details, and the log has the traceback."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(Queries, "party", broken)
    with opened(data) as client, pytest.raises(RefusedError) as error:
        client.get_party("acme")
    assert (error.value.reason, error.value.code) == ("UNEXPECTED", grpc.StatusCode.INTERNAL)
    assert "secret" not in str(error.value)
    assert "a secret of the server" in capsys.readouterr().err


def test_a_deadline_ends_a_call(client: Client) -> None:
    """A call ends when its deadline has passed, and the server goes on."""
    begin(client)
    with Client(client.target, book=BOOK, timeout=-1) as hurried, pytest.raises(Exception) as error:  # noqa: PT011 - the next line says which
        hurried.get_party("acme")
    assert getattr(error.value, "code", None) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert client.get_party("acme").party == "acme"
