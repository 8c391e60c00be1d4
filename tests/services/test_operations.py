"""The port for operators and the health checks: metrics that count what happened, and answers that follow the books."""

import contextlib
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pathbook.client import Client, RefusedError, price
from pathbook.ledger.queries import Queries
from pathbook.services.call_ids import CALL_ID_KEY, TRACE_KEY, call_id
from pathbook.services.operations import opening, readiness
from pathbook.services.operations.prometheus import LIMIT_NAMES
from pathbook.services.operations.tracing import OpenTelemetrySpans
from pathbook.services.run.in_thread import running
from pathbook.services.run.logs import configure_log
from pathbook.services.run.settings import Settings
from pathbook.services.spans import Spans
from pathbook.v1 import events_pb2, parties_pb2
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from tests.books import DATABASE_FILE
from tests.postgres import stopped
from tests.services.masks import BEGUN, BOOK, begin, boxes, opened, refused, yuan
from tests.services.operators import ask, figure, figures, wait_until
from tests.services.process import Running, followed, served

READABLE = "any caller that reaches this address can read metrics and health"
"""The warning about a port for operators that is not only for this machine."""

HOSTILE = "a\x1b]0;owned\x07\u202eb\nc"
"""A text that would set the title of a terminal, and turn what follows around."""


class Operated(NamedTuple):
    """A client of a server, and HOST:PORT where it answers operators."""

    client: Client
    address: str


@contextlib.contextmanager
def operated(place: Path, capsys: pytest.CaptureFixture[str], *, follows: bool = True) -> Iterator[Operated]:
    """Serve the books of a place in this process, with a port for operators."""
    named = place / DATABASE_FILE
    settings = Settings(
        data=place,
        database=named.read_text("utf-8") if named.exists() else "",
        listen="127.0.0.1:0",
        operations_listen="127.0.0.1:0",
        follows=follows,
    )
    with (
        running(settings, logging.INFO) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
    ):
        entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        (address,) = [entry["address"] for entry in entries if entry["event"] == "answering operators"]
        yield Operated(client, address)


@contextlib.contextmanager
def operated_at(place: Path, address: str) -> Iterator[None]:
    """Serve the books of a place, and answer operators at an address."""
    with running(Settings(data=place, listen="127.0.0.1:0", operations_listen=address)):
        yield


def is_level(address: str, projection: str) -> bool:
    """Tell whether a projection has all events."""
    return figure(address, "pathbook_lag_events", projection=projection) == 0


def health(target: str) -> int:
    """Return the answer of gRPC's health check: 1 is SERVING, 2 is NOT_SERVING."""
    with grpc.insecure_channel(target) as channel:
        return int(health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status)


def test_the_metrics_count_what_happened(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls, appends, refusals, verifies, streams and lags have the figures of what was done, and no names."""
    with operated(place, capsys) as (client, address):
        begin(client)
        with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            client.get_party("zoe")
        (code,) = next(client.list_codes(1, 0, 0)).serials
        client.get_path(code)
        client.get_path((1, 1))
        other = "0" if code[-1] != "0" else "1"
        with pytest.raises(RefusedError) as error:
            client.get_path(code[:-1] + other)
        watcher = Client(client.target, book=BOOK)
        subscription = watcher.subscribe()
        next(subscription)
        wait_until(lambda: figure(address, "pathbook_log_events") == BEGUN)
        found = figures(ask(address, "/metrics")[1])

        def at(name: str, **labels: str) -> float | None:
            return found.get((name, tuple(sorted(labels.items()))))

        assert at("pathbook_calls_total", method="PartyService/RegisterParty", code="OK") == 4
        assert at("pathbook_calls_total", method="PartyService/GetParty", code="NOT_FOUND") == 1
        assert at("pathbook_call_seconds_count", method="PartyService/GetParty") == 1
        assert at("pathbook_append_events_sum") == BEGUN
        assert at("pathbook_append_seconds_count") == at("pathbook_append_events_count")
        assert at("pathbook_refusals_total", reason="PARTY_UNKNOWN") == 1
        assert at("pathbook_verifies_total", verdict="ANSWERED") == 1
        assert at("pathbook_verifies_total", verdict=error.value.reason) == 1
        assert at("pathbook_open_streams") == 1
        assert {at("pathbook_limits_hit_total", limit=name) for name in LIMIT_NAMES} == {0}
        assert (at("pathbook_books"), at("pathbook_ready"), at("pathbook_database_up")) == (1, 1, 1)
        for projection in ("views", "ladder"):
            wait_until(partial(is_level, address, projection))
        assert at("pathbook_checkpoint_age_seconds") is None, "nothing is sealed here"
        watcher.close()
        wait_until(lambda: figure(address, "pathbook_open_streams") == 0)
        assert ask(address, "/healthz") == ask(address, "/readyz?verbose") == (200, "ok\n")
        assert ask(address, "/readyz", "HEAD") == (200, "")
        status, text = ask(address, "/nothing")
        assert (status, text.split()) == (404, ["/healthz", "/readyz", "/metrics"])
        labels = {value for _, pairs in found for _, value in pairs}
        assert not labels & {"acme", "ann", "zoe", BOOK, code}


def test_a_batch_counts_each_entry_that_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An entry of a batch is a refusal as a call is."""
    with operated(data, capsys) as (client, address):
        begin(client)
        batch = [
            RecordTransferRequest(
                request_id=giver, giver=giver, receiver="corner", units=boxes(0, 0), unit_price=price(yuan(1))
            )
            for giver in ("ann", "acme", "bob")
        ]
        ((first, second, third),) = client.record_transfers([batch])
        assert [result.HasField("receipt") for result in (first, second, third)] == [False, True, False]
        assert figure(address, "pathbook_refusals_total", reason="UNITS_NOT_OWNED") == 2


def test_several_processes_answer_for_all_of_them(tmp_path: Path) -> None:
    """Counts are of all workers and the follower, also of a worker that died, whose streams are gone."""
    options = ("--workers", "2", "--operations-listen", "127.0.0.1:0")
    with served(tmp_path, 0, *options, seals=True) as server:
        address = str(server.wait_for("answering operators")["address"])
        with Client(server.target, book=BOOK) as client:
            begin(client)
            position = client.position
        # each connection is of one worker, so some of these are of the other one
        clients = [Client(server.target, book=BOOK) for _ in range(12)]
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
                client.position = position
                client.get_party("acme")
            labels = {"method": "PartyService/GetParty", "code": "OK"}
            assert figure(address, "pathbook_calls_total", **labels) == 12
            workers = {entry["process"] for entry in server.entries() if entry["event"] == "call"}
            assert workers == {"worker 1", "worker 2"}
            subscriptions = [client.subscribe() for client in clients]
            for subscription in subscriptions:
                next(subscription)
            assert figure(address, "pathbook_open_streams") == 12
            wait_until(lambda: figure(address, "pathbook_lag_events", projection="checkpoints") == 0)
            assert figure(address, "pathbook_checkpoint_age_seconds") == 0
            assert (figure(address, "pathbook_append_events_sum") or 0) > BEGUN, "the follower sealed"
            os.kill(server.pid("worker 1"), signal.SIGKILL)
            wait_until(lambda: figure(address, "pathbook_process_restarts_total") == 1)
            wait_until(lambda: figure(address, "pathbook_processes_up") == 2)
            assert (figure(address, "pathbook_calls_total", **labels) or 0) >= 12
            wait_until(lambda: ask(address, "/readyz")[0] == 200)


def test_health_follows_the_lag_of_the_views(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose views are too far behind is not ready, and is ready again when a follower has updated them."""
    monkeypatch.setattr(readiness, "LAG_MAX_EVENTS", BEGUN - 1)
    with operated(tmp_path, capsys, follows=False) as (client, address):
        begin(client)
        wait_until(lambda: health(client.target) == 2)
        status, text = ask(address, "/readyz")
        assert status == 503
        assert "events behind" in text or "being built" in text
        assert figure(address, "pathbook_lag_events", projection="views") == BEGUN
        assert (figure(address, "pathbook_lag_seconds", projection="views") or 0) > 0
        assert figure(address, "pathbook_ready") == 0
        assert ask(address, "/healthz")[0] == 200
        with followed(tmp_path):
            wait_until(lambda: health(client.target) == 1)
        wait_until(lambda: ask(address, "/readyz")[0] == 200)
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    answers = [entry["event"] for entry in logged if entry["event"].startswith("health checks")]
    assert list(dict.fromkeys(answers)) == [
        "health checks answer NOT_SERVING",
        "health checks answer SERVING",
    ]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_health_follows_the_database(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While PostgreSQL is away, the server lives and is not ready, and no figure pretends to know the views."""
    with operated(place, capsys) as (client, address):
        begin(client)
        wait_until(lambda: figure(address, "pathbook_lag_events", projection="views") == 0)
        with stopped("fast"):
            wait_until(lambda: health(client.target) == 2)
            assert ask(address, "/readyz") == (503, "the database cannot be read\n")
            assert ask(address, "/healthz")[0] == 200
            assert figure(address, "pathbook_database_up") == 0
            assert figure(address, "pathbook_lag_events", projection="views") is None
        wait_until(lambda: health(client.target) == 1)
        assert ask(address, "/readyz")[0] == 200


def test_a_follower_alone_answers_operators(tmp_path: Path) -> None:
    """`pathbook views follow` has the port, too, and a taken port is an error before anything runs."""
    with opened(tmp_path) as client:
        begin(client)
    follower = Running(tmp_path, "views", "follow", "--no-seal", "--operations-listen", "127.0.0.1:0")
    try:
        address = str(follower.wait_for("answering operators")["address"])
        wait_until(lambda: figure(address, "pathbook_lag_events", projection="views") == 0)
        assert ask(address, "/readyz") == (200, "ok\n")
        with pytest.raises(OSError, match=f"Cannot listen on {address}"), operated_at(tmp_path, address):
            pass
        assert READABLE not in [entry["event"] for entry in follower.entries()]
    finally:
        assert follower.terminate() == 0


@pytest.mark.parametrize("verb", [("views", "follow"), ("serve", "--listen", "127.0.0.1:0", "--one-process")])
def test_a_port_that_others_may_reach_is_warned_of(tmp_path: Path, verb: Sequence[str]) -> None:
    """Each verb with the port says so. An address that is not clearly of this machine counts as reached by others."""
    with opened(tmp_path) as client:
        begin(client)
    process = Running(tmp_path, *verb, "--no-seal", "--operations-listen", "127.1:0")
    try:
        address = process.wait_for("answering operators")["address"]
        assert process.wait_for(READABLE)["address"] == address
    finally:
        assert process.terminate() == 0


def trailer(metadata: object) -> str:
    """Return the id in the trailer of a call."""
    assert isinstance(metadata, Iterable)
    return str(dict(metadata)[CALL_ID_KEY])


def test_each_call_has_an_id_in_its_trailer_and_its_log_lines(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A well-formed id of the caller is kept, or that of its trace. Any other is replaced before it is logged."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = [
        ((CALL_ID_KEY, "order-17"),),
        ((TRACE_KEY, f"00-{trace}-00f067aa0ba902b7-01"),),
        ((CALL_ID_KEY, "no such id: it has spaces"),),
        (),
    ]
    with (
        running(Settings(data=data, listen="127.0.0.1:0"), logging.INFO) as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        method = channel.unary_unary(
            "/pathbook.v1.PartyService/GetParty",
            parties_pb2.GetPartyRequest.SerializeToString,
            parties_pb2.GetPartyResponse.FromString,
        )
        named: list[str] = []
        for metadata in given:
            with pytest.raises(grpc.RpcError) as error:
                method(parties_pb2.GetPartyRequest(book=BOOK, party="acme"), metadata=metadata)
            named.append(trailer(error.value.trailing_metadata()))
        stream = channel.unary_stream(
            "/pathbook.v1.EventService/Read",
            events_pb2.ReadRequest.SerializeToString,
            events_pb2.ReadResponse.FromString,
        )(events_pb2.ReadRequest(book=BOOK))
        with pytest.raises(grpc.RpcError):
            next(stream)
        named.append(trailer(stream.trailing_metadata()))
    assert named[:2] == ["order-17", trace]
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in named[2:])
    assert len(set(named)) == len(named)
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [entry["call"] for entry in entries if entry["event"] == "call"] == named


def test_an_internal_error_names_the_call(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a caller reports leads to the traceback in the log, also if the error was on another thread."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    with pytest.MonkeyPatch.context() as patch, operated(data, capsys) as (client, _):
        patch.setattr(Queries, "party", broken)
        with pytest.raises(RefusedError) as error:
            client.get_party("acme")
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (unexpected,) = [entry for entry in logged if entry["event"] == "unexpected"]
    assert f"Internal error in call {unexpected['call']};" in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        (CALL_ID_KEY, ""),
        (CALL_ID_KEY, "a" * 65),
        (CALL_ID_KEY, "-a"),
        (CALL_ID_KEY, "a\nb"),
        (TRACE_KEY, f"00-{'0' * 32}-{'1' * 16}-01"),
        (TRACE_KEY, f"00-{'1' * 32}-{'0' * 16}-01"),
        (TRACE_KEY, f"ff-{'1' * 32}-{'1' * 16}-01"),
        (TRACE_KEY, f"00-{'A' * 32}-{'1' * 16}-01"),
    ],
)
def test_a_malformed_id_is_not_used(given: tuple[str, str]) -> None:
    """Ids and traces that are not as their standards write them are replaced by a random id."""
    assert re.fullmatch("[0-9a-f]{16}", call_id([given]))


def test_a_terminal_gets_no_controls_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller named can neither control a terminal that shows the log, nor add lines to it."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_log(logging.INFO)
    log = structlog.get_logger()
    log.info("a book", book=HOSTILE)
    log.error("failed", books=[HOSTILE], exc_info=ValueError(HOSTILE))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert {symbol for symbol in shown if not symbol.isprintable()} == {"\n"}
    assert "owned" in shown
    assert "\nc" not in shown.partition("ValueError")[0]


def test_calls_are_spans_of_opentelemetry(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is a span below its caller's, streams of both directions included, with the code it ended with."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(opening, "tracing", lambda: OpenTelemetrySpans(provider))
    with (
        running(Settings(data=data, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book=BOOK) as client,
        grpc.insecure_channel(client.target) as channel,
    ):
        begin(client)
        assert list(client.record_transfers([])) == []
        spans.clear()
        list(client.read())
        list(client.record_transfers([[]]))
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(
                "/pathbook.v1.PartyService/GetParty",
                parties_pb2.GetPartyRequest.SerializeToString,
                parties_pb2.GetPartyResponse.FromString,
            )(parties_pb2.GetPartyRequest(), metadata=((TRACE_KEY, f"00-{'a' * 32}-{'b' * 16}-01"),))
    read, recorded, asked = spans.get_finished_spans()
    assert [span.name.rpartition(".")[2] for span in (read, recorded, asked)] == [
        "EventService/Read",
        "TransferService/RecordTransfers",
        "PartyService/GetParty",
    ]
    assert [dict(span.attributes or {})["rpc.grpc.status_code"] for span in (read, recorded, asked)] == [
        0,
        0,
        3,
    ]
    assert asked.context is not None
    assert asked.parent is not None
    assert (asked.context.trace_id, asked.parent.span_id) == (int("a" * 32, 16), int("b" * 16, 16))


def test_no_spans_are_made_unless_a_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a collector in the environment, nothing of OpenTelemetry is used; with one, it is."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert type(opening.tracing()) is Spans
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "100")
    assert isinstance(opening.tracing(), OpenTelemetrySpans)
