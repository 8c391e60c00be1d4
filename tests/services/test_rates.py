"""Limits against abuse: a caller that guesses codes or calls without end is refused, and others notice nothing."""

import asyncio
import contextlib
import gc
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from pathbook.client import Client, RefusedError, price, select
from pathbook.services import callers
from pathbook.services.callers import PUBLIC, Caller, caller_of
from pathbook.services.limited_log import LOG_EVERY_S, LimitedLog
from pathbook.services.rate_limits import RateLimits, read_limits
from pathbook.services.rates import ClassLimits
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.translate.statuses import CallFailedError
from pathbook.v1 import paths_pb2, paths_pb2_grpc
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from tests.cli.conftest import pathbook
from tests.services.masks import BOOK, begin, yuan
from tests.services.operators import figure
from tests.services.process import served

FAR = Caller(PUBLIC, "192.0.2.1", is_local=False)
NEAR = Caller(PUBLIC, "192.0.2.2", is_local=False)
MISSES_MAX = 20


@contextlib.contextmanager
def from_address(address: str, target: str) -> Iterator[str]:
    """Pass connections on to a server from another address of this machine, and yield where they are taken."""
    threads: list[threading.Thread] = []
    ends: list[socket.socket] = []

    def begin_thread(work: Callable[..., None], *given: socket.socket) -> None:
        threads.append(threading.Thread(target=work, args=given, daemon=True))
        threads[-1].start()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)

    def accept() -> None:
        host, _, port = target.rpartition(":")
        with contextlib.suppress(OSError):
            while True:
                ends.append(listening.accept()[0])
                ends.append(socket.create_connection((host, int(port)), source_address=(address, 0)))
                begin_thread(pump, ends[-2], ends[-1])
                begin_thread(pump, ends[-1], ends[-2])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        begin_thread(accept)
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for end in (listening, *ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
        for end in ends:
            end.close()


def test_who_guesses_codes_meets_the_limit_and_a_buyer_does_not(tmp_path: Path) -> None:
    """After the misses, also a right code gets no answer from that address. At another address it is answered."""
    rules = tmp_path / "limits.toml"
    rules.write_text(f'[public]\nmisses = "{MISSES_MAX}/hour"\n')
    options = ("--limits", str(rules), "--operations-listen", "127.0.0.1:0")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(served(tmp_path / "books", 0, *options))
        address = str(server.wait_for("answering operators")["address"])
        place = stack.enter_context(from_address("127.0.0.7", server.target))
        buyer = stack.enter_context(Client(server.target, book=BOOK, retry_seconds=0))
        thief = stack.enter_context(Client(place, book=BOOK, retry_seconds=0))
        begin(buyer)
        (code,) = next(buyer.list_codes(1, 0, 0)).serials
        reasons = []
        for guess in range(300):
            with pytest.raises(RefusedError) as error:
                thief.get_path(f"{guess:020d}")
            reasons.append(error.value.reason)
        assert "CODES_LIMITED" not in reasons[:MISSES_MAX]
        assert set(reasons[MISSES_MAX:]) == {"CODES_LIMITED"}
        with pytest.raises(RefusedError) as error:
            thief.get_path(code)
        assert (error.value.reason, error.value.code) == ("CODES_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert error.value.retry_delay is not None
        assert 0 < error.value.retry_delay <= 7_200
        batch = [
            RecordTransferRequest(
                request_id="a guess", giver="acme", receiver="ann",
                units=select(codes=[code]), unit_price=price(yuan(1)),
            )
        ]  # fmt: skip
        with pytest.raises(RefusedError, match="never printed"):
            list(thief.record_transfers([batch]))
        assert thief.get_party("ann").party == "ann", "only questions about codes are refused"
        assert buyer.get_path(code).serial == code
        hits = 300 - MISSES_MAX + 2
        assert figure(address, "pathbook_limits_hit_total", limit="CODES_LIMITED") == hits


def test_calls_and_streams_of_another_machine_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit, a call says when to retry, and a client that waits so long is answered."""
    monkeypatch.setattr(callers, "caller_of", lambda _peer: FAR)
    limits = {PUBLIC: ClassLimits(calls="12/2 seconds", streams=1)}
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", limits=limits)
    with (
        running(settings, logging.ERROR) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as hurried,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=30) as patient,
    ):
        begin(hurried)
        held = hurried.subscribe()
        next(held)
        with pytest.raises(RefusedError) as error:
            next(hurried.subscribe())
        assert error.value.reason == "STREAMS_LIMITED"
        with pytest.raises(RefusedError) as error:
            call_often(hurried)
        assert (error.value.reason, error.value.code) == ("CALLS_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert patient.get_party("ann").party == "ann"


def call_often(client: Client) -> None:
    """Make as many calls as are allowed together, without a pause."""
    for _ in range(12):
        client.get_party("ann")


def test_misses_of_a_known_caller_are_its_own() -> None:
    """A guesser at its address does not lock out a party that its token makes known, and the other way round."""
    rates = RateLimits({PUBLIC: ClassLimits(misses="1/hour"), "party": ClassLimits(misses="1/hour")})
    ann = FAR._replace(kind="party", name="ann of masks")
    for guesser, other in ((FAR, ann), (ann, ann._replace(name="bob of masks"))):
        rates.missed(guesser)
        with pytest.raises(CallFailedError, match="1 per 1 hour"):
            rates.require_question(guesser)
        rates.require_question(other)


def test_each_address_has_limits_of_its_own_and_this_machine_none() -> None:
    """The calls of one address do not count for another, and a proxy on this machine is not limited."""
    rates = RateLimits({PUBLIC: ClassLimits(calls="3/hour", misses="1/hour", streams=7)})
    for _ in range(3):
        rates.require_call(FAR)
    with pytest.raises(CallFailedError, match="3 per 1 hour"):
        rates.require_call(FAR)
    rates.require_call(NEAR)
    rates.require_call(Caller("another class", "192.0.2.3", is_local=False))
    local = Caller(PUBLIC, "127.0.0.1", is_local=True)
    for _ in range(10):
        rates.require_call(local)
    assert (rates.streams(FAR), rates.streams(local)) == (7, None)
    rates.missed(local)
    with pytest.raises(CallFailedError):
        rates.require_question(local)


def test_calls_that_a_limit_refuses_fill_no_log() -> None:
    """Of each reason one has a line in ten seconds. The next one tells how many others there were."""
    now = 100.0
    log = LimitedLog(lambda: now)
    found = [log.counted("CODES_LIMITED"), log.counted("CALLS_LIMITED"), log.counted("CODES_LIMITED")]
    assert found == [False, False, True]
    now += LOG_EVERY_S
    assert not log.counted("CODES_LIMITED")
    assert [log.take("CODES_LIMITED"), log.take("CODES_LIMITED"), log.take("CALLS_LIMITED")] == [1, 0, 0]


def test_calls_that_are_refused_keep_nothing(tmp_path: Path) -> None:
    """What arose in a refused call goes with it, without the garbage collector. So a flood of them takes no memory."""
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", limits={})
    with running(settings, logging.ERROR) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = paths_pb2_grpc.PathServiceStub(channel)
        gc.collect()
        gc.disable()
        try:
            for _ in range(100):
                with pytest.raises(grpc.RpcError):
                    stub.GetPath(paths_pb2.GetPathRequest(book=BOOK, code="no code"))
            kept = sum(isinstance(kept, CallFailedError) for kept in gc.get_objects())
        finally:
            gc.enable()
    assert kept <= 1, "the last one may not have ended"


def test_what_is_more_than_the_bytes_waits() -> None:
    """Answers beyond the limit of bytes come later, and one that is larger than the limit comes, too."""
    rates = RateLimits({PUBLIC: ClassLimits(bytes="1000/second")})

    async def send() -> list[float]:
        times = []
        for size in (900, 5_000):
            began = time.monotonic()
            await rates.pace(FAR, size)
            times.append(time.monotonic() - began)
        return times

    first, second = asyncio.run(send())
    assert first < 0.2 < second < 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "is_local"),
    [
        ("ipv4:10.0.0.1:5", ["192.0.2.1"], "192.0.2.1", False),
        ("ipv4:10.0.0.1:5", ["192.0.2.9, 192.0.2.1"], "192.0.2.1", False),
        ("ipv4:10.0.0.1:5", ["192.0.2.9", "192.0.2.1, 10.9.9.9"], "192.0.2.1", False),
        ("ipv6:%5B::1%5D:5", ["[2001:db8:1:2::3]:443"], "2001:db8:1:2::/64", False),
        ("ipv6:%5B::1%5D:5", ["192.0.2.1:50000"], "192.0.2.1", False),
        ("ipv4:10.0.0.1:5", ["192.0.2.1, unknown"], "10.0.0.1", False),
        ("ipv4:10.0.0.1:5", ["10.0.0.2"], "10.0.0.2", False),
        ("ipv4:10.0.0.1:5", ["127.0.0.1"], "127.0.0.1", False),
        ("ipv6:%5B::1%5D:5", [], "::/64", False),
        ("ipv4:192.0.2.7:5", ["192.0.2.1"], "192.0.2.7", False),
        ("ipv4:127.0.0.1:5", ["192.0.2.1"], "127.0.0.1", True),
    ],
)
def test_a_proxy_that_is_trusted_names_its_caller(
    peer: str, forwarded: list[str], address: str, *, is_local: bool
) -> None:
    """The right-most address that is no trusted proxy's counts. No proxy's caller is local. Others are not believed."""
    metadata = [("x-forwarded-for", text) for text in forwarded]
    origins = callers.Origins(["10.0.0.0/8", "::1"])
    assert origins.caller(peer, metadata) == Caller(PUBLIC, address, is_local)
    assert callers.Origins().caller(peer, metadata) == caller_of(peer)


def test_who_guesses_behind_a_proxy_keeps_no_buyer_out(tmp_path: Path) -> None:
    """Each caller behind a trusted proxy has a count of its own, also one that writes other addresses before it."""
    limits = {PUBLIC: ClassLimits(misses="5/hour")}
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", limits=limits, trusted_proxies=("127.0.0.1",))
    with (
        running(settings, logging.ERROR) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        begin(client)
        stub = paths_pb2_grpc.PathServiceStub(channel)

        def code_of(forwarded: str) -> grpc.StatusCode:
            with pytest.raises(grpc.RpcError) as error:
                stub.GetPath(
                    paths_pb2.GetPathRequest(book=BOOK, code=f"{7:020d}"),
                    metadata=(("x-forwarded-for", forwarded),),
                )
            return error.value.code()

        guesses = [code_of(f"192.0.2.{number}, 198.51.100.7") for number in range(7)]
        assert guesses[5:] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
        assert grpc.StatusCode.RESOURCE_EXHAUSTED not in guesses[:5]
        assert code_of("198.51.100.8") is not grpc.StatusCode.RESOURCE_EXHAUSTED
    ran = pathbook("serve", "--data", str(tmp_path), "--trusted-proxy", "10.0.0.1/8")
    assert (ran.code, "no IP address and no network" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("peer", "address", "is_local"),
    [
        ("ipv4:192.0.2.1:50000", "192.0.2.1", False),
        ("ipv4:127.0.0.1:50000", "127.0.0.1", True),
        ("ipv6:[::1]:50000", "::/64", True),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:50000", "2001:db8:1:2::/64", False),
        ("ipv6:[::ffff:192.0.2.1]:50000", "192.0.2.1", False),
        ("ipv6:[fe80::1%25eth0]:50000", "fe80::/64", False),
        ("unix:/run/pathbook", "unix", True),
        ("", "", True),
    ],
)
def test_the_address_of_a_peer_is_read(peer: str, address: str, *, is_local: bool) -> None:
    """The text by which gRPC names the other end leads to its address, or to the network of it."""
    assert caller_of(peer) == Caller(PUBLIC, address, is_local)


def test_limits_are_read_from_a_file(tmp_path: Path) -> None:
    """What is not named has its default, and a file with a mistake keeps the server from starting."""
    file = tmp_path / "limits.toml"
    file.write_text('[public]\ncalls = "5/minute"\n[brand]\nstreams = 9\n')
    assert read_limits(file) == {"public": ClassLimits(calls="5/minute"), "brand": ClassLimits(streams=9)}
    for text in (
        '[public]\ncalls = "many"\n',
        "[public]\ncall = 1\n",
        "public = 1\n",
        "[",
        '[public]\nstreams="1"',
    ):
        file.write_text(text)
        ran = pathbook("serve", "--data", str(tmp_path), "--limits", str(file))
        assert (ran.code, ran.err.partition(str(file))[0]) == (2, "pathbook: USAGE: --limits: "), text
