"""The verb `verify` checks the answers of an honest server, and of one that tampers with them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.message import Message

from pathbook.cli import connection
from pathbook.cli.demo import SECRET
from pathbook.cli.story import GTIN, NEW, SOLD
from pathbook.ledger.codes import digital_link
from pathbook.ledger.serials import ALPHABET, BookKey, print_serial
from pathbook.v1 import events_pb2, events_pb2_grpc, paths_pb2, paths_pb2_grpc
from tests.cli.conftest import TODAY, pathbook

SERIAL = print_serial(BookKey(SECRET), "book", NEW, SOLD)
OTHER_KEY = BookKey(b"the key of quite another brand, ")


Tampering = Callable[[paths_pb2.GetPathResponse], None]


@contextmanager
def between(server: str, tamper: Tampering) -> Iterator[str]:
    """Run a server that forwards the answers of an honest one and tampers with paths. Yield HOST:PORT."""
    channel = grpc.insecure_channel(server)
    paths, events = paths_pb2_grpc.PathServiceStub(channel), events_pb2_grpc.EventServiceStub(channel)

    def get_path(request: paths_pb2.GetPathRequest, _context: object) -> paths_pb2.GetPathResponse:
        path = paths.GetPath(request)
        tamper(path)
        return path

    def get_head(request: events_pb2.GetHeadRequest, _context: object) -> events_pb2.GetHeadResponse:
        return events.GetHead(request)

    def serialized(answer: Message) -> bytes:
        return answer.SerializeToString()

    middleman = grpc.server(ThreadPoolExecutor(2))
    for service, name, method, asked in (
        ("PathService", "GetPath", get_path, paths_pb2.GetPathRequest),
        ("EventService", "GetHead", get_head, events_pb2.GetHeadRequest),
    ):
        handler = grpc.unary_unary_rpc_method_handler(method, asked.FromString, serialized)
        methods = grpc.method_handlers_generic_handler(f"pathbook.v1.{service}", {name: handler})
        middleman.add_generic_rpc_handlers((methods,))
    port = middleman.add_insecure_port("127.0.0.1:0")
    middleman.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        middleman.stop(None).wait()
        channel.close()


def alter_one_byte(path: paths_pb2.GetPathResponse) -> None:
    """Alter one byte of the third event."""
    event = bytearray(path.steps[2].event)
    event[-1] ^= 1
    path.steps[2].event = bytes(event)


def drop_a_step(path: paths_pb2.GetPathResponse) -> None:
    """Drop a step in the middle."""
    del path.steps[4]


def change_a_price(path: paths_pb2.GetPathResponse) -> None:
    """Show another price than the event has."""
    path.steps[2].terms.unit_price.amount_minor += 1


def send_a_time_that_does_not_exist(path: paths_pb2.GetPathResponse) -> None:
    """Send a time with a negative part of a second."""
    path.steps[2].occurred_at.nanos = -1


def take_the_authorities(path: paths_pb2.GetPathResponse) -> None:
    """Show terms without the authority of either side."""
    path.steps[2].terms.ClearField("authorities")


@pytest.mark.parametrize(
    "tamper",
    [alter_one_byte, drop_a_step, change_a_price, send_a_time_that_does_not_exist, take_the_authorities],
)
def test_a_server_that_tampers_is_refuted(server: str, tamper: Tampering) -> None:
    """A path that was tampered with exits 1, and the line of the fourth check fails."""
    with between(server, tamper) as middleman:
        ran = pathbook("--server", middleman, "verify", SERIAL, "--today", TODAY)
    assert ran.code == 1
    (line,) = (line for line in ran.out.splitlines() if line.startswith(" 4  "))
    assert "path unbroken" in line
    assert "FAILED" in line
    assert ran.out.splitlines()[-1].startswith("path contradicted: ")


def test_a_middleman_that_does_not_tamper_changes_nothing(server: str) -> None:
    """The same server verifies without tampering, so the tampering was found."""
    with between(server, lambda _path: None) as middleman:
        assert pathbook("--server", middleman, "verify", SERIAL, "--today", TODAY).code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--max-price", "300 CNY"], 0),
        (["--max-price", "299.99 CNY"], 5),
        (["--max-tiers", "4"], 5),
        (["--max-age", "30"], 5),
        (["--require-authorized"], 0),
        (["--today", "2099-01-01"], 5),
        (["--today", "2099-01-01", "--allow-expired"], 0),
        (["--unsold"], 5),
        (["--from", "agent-5"], 5),
        (["--from", "consumer:c-7"], 0),
    ],
)
def test_the_exit_code_is_the_callers_policy(server: str, options: list[str], code: int) -> None:
    """A path that holds exits 0, or 5 if it breaks a limit of the caller. The last line says so."""
    ran = pathbook("--server", server, "verify", SERIAL, "--today", TODAY, *options)
    assert ran.code == code, ran
    word = {0: "verified: ", 5: "verified, against policy: "}[code]
    assert ran.out.splitlines()[-1].startswith(word)


@pytest.mark.parametrize(
    "code",
    [
        SERIAL.lower(),
        "-".join(SERIAL[start : start + 5] for start in range(0, 20, 5)),
        SERIAL.replace("0", "o").replace("1", "l"),
        f"(01){GTIN}(10)M26-A(21){SERIAL}",
        digital_link(SERIAL, GTIN, "M26-A", "masks.example"),
    ],
)
def test_a_code_is_taken_in_any_form(server: str, code: str) -> None:
    """A code is verified in every form that is typed or scanned."""
    assert pathbook("--server", server, "verify", code, "--today", TODAY).code == 0


@pytest.mark.parametrize(
    ("code", "number", "verdict"),
    [
        ("hello", 1, "code malformed"),
        (SERIAL[:-1] + ALPHABET[(ALPHABET.index(SERIAL[-1]) + 1) % 32], 1, "code mistyped"),
        (f"(01)06901234500012(10)M26-A(21){SERIAL}", 1, "code mistyped"),
        (print_serial(OTHER_KEY, "book", NEW, SOLD), 2, "code of another book"),
        (print_serial(BookKey(SECRET), "another", NEW, SOLD), 2, "code of another book"),
        (print_serial(BookKey(SECRET), "book", NEW, 1_000), 2, "code unknown"),
        (print_serial(BookKey(SECRET), "book", 9, 0), 2, "code unknown"),
        (f"(01){GTIN}(10)M24-F(21){SERIAL}", 2, "code contradicted"),
    ],
)
def test_a_code_that_is_not_of_this_book_is_named(server: str, code: str, number: int, verdict: str) -> None:
    """A code that is malformed, mistyped, of another book, unknown or combined exits 3, and the verdict names it."""
    ran = pathbook("--server", server, "verify", code, "--output", "json")
    answer = ran.json()
    assert (ran.code, answer["exit_code"], answer["verdict"], answer["path"]) == (3, 3, verdict, None)
    checks = answer["checks"]
    assert isinstance(checks, list)
    assert [check["number"] for check in checks if check["result"] == "FAILED"] == [number]
    assert [check["result"] for check in checks if check["number"] > number].count("ok") == 0


def test_a_copied_label_is_noted_and_refused_on_request(server: str) -> None:
    """A label of a unit that was sold says so to the next buyer, and fails if that buyer asks for an unsold one."""
    sold = "sold on 2026-02-09 by agent-5 and confirmed on 2026-02-10 (days in UTC)"
    for options, result, text in (
        ([], "noted", f"{sold}; if you are not that buyer, beware"),
        (["--unsold"], "FAILED", f"{sold}, but you asked for an unsold unit"),
        (["--from", "agent-5"], "FAILED", f"{sold}, so agent-5 cannot sell it: consumer:c-7 owns it"),
    ):
        ran = pathbook("--server", server, "verify", SERIAL, "--today", TODAY, "--output", "json", *options)
        (check,) = (check for check in json.loads(ran.out)["checks"] if check["name"] == "for sale by whom")
        assert (check["number"], check["result"], check["detail"]) == (9, result, text)
        table = pathbook("--server", server, "verify", SERIAL, "--today", TODAY, *options).out
        assert f"\n 9  {result:14}  for sale by whom: sold on 2026-02-09" in table


@pytest.mark.parametrize(("seller", "code"), [("agent-5", 0), ("agent-4", 5), ("mask-brand", 5)])
def test_only_the_owner_of_an_unsold_box_may_sell_it(server: str, seller: str, code: int) -> None:
    """A box that its owner has not sold passes for that owner, and for no other party."""
    serial = print_serial(BookKey(SECRET), "book", NEW, SOLD + 1)
    ran = pathbook("--server", server, "verify", serial, "--today", TODAY, "--unsold", "--from", seller)
    assert ran.code == code, ran


def test_the_help_of_the_verb_says_what_each_exit_code_means() -> None:
    """The exit codes of the help are those that the verb can return."""
    text = pathbook("verify", "--help").out.partition("Exit codes:")[2].partition("Options:")[0]
    codes = {int(line.split()[0]) for line in text.strip().splitlines()}
    assert codes == {0, 1, 2, 3, 4, 5}


def test_without_an_answer_nothing_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer the exit code is 4, even for a well-formed code."""
    monkeypatch.setattr(connection, "RETRY_TIMEOUT_S", 0.1)
    ran = pathbook("--server", "127.0.0.1:1", "verify", SERIAL)
    assert ran.code == 4
    assert ran.out.splitlines()[-1].startswith("could not check: ")


def test_an_unknown_book_is_no_answer_either(server: str) -> None:
    """A book that the server does not have says nothing about the code."""
    ran = pathbook("--server", server, "--book", "another", "verify", SERIAL)
    assert ran.code == 4
    assert "There is no book 'another'" in ran.out


def test_a_script_reads_the_same_from_one_object(server: str) -> None:
    """As JSON, stdout is one object: verdict, exit code, checks, and the path in the JSON of the contract."""
    for output in ("json", "jsonl"):
        ran = pathbook("--server", server, "verify", SERIAL, "--today", TODAY, "--output", output)
        answer = json.loads(ran.out)
        assert (ran.code, ran.err, answer["verdict"], answer["exit_code"]) == (0, "", "verified", 0)
        assert [check["number"] for check in answer["checks"]] == list(range(1, 14))
        assert set(answer["checks"][0]) == {"number", "name", "result", "detail"}
        assert answer["path"]["serial"] == SERIAL
        assert answer["path"]["steps"][0]["kind"] == "PATH_STEP_KIND_COMMISSIONED"
        assert answer["path"]["run"]["owner"] == "consumer:c-7"
