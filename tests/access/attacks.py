"""Attacks on a server by callers who guess, flood and forge, with figures.

``python -m tests.access.attacks`` tries 1,000,000 codes with the keys, 100,000 at a server (``--guesses``), and 2,000
connections. It prints what came of each attack.
"""

import argparse
import asyncio
import base64
import contextlib
import hmac
import itertools
import json
import os
import secrets
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import grpc
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from pathbook.bench import echo as echo_server
from pathbook.client import Client, RefusedError
from pathbook.client.errors import client_error
from pathbook.ledger import serials
from pathbook.ledger.codes import open_code, parse_code
from pathbook.ledger.refusals import Refusal
from pathbook.services.access.issuer import read_issuer
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.key_file import KEY_FILE, read_keys
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import paths_pb2, tokens_pb2
from tests.access.story import NO_CASE, Story, told
from tests.services.masks import BOOK, SIZE, begin
from tests.services.process import served

IN_FLIGHT: Final = 64
"""How many guesses a caller has under way at once."""

CONNECTIONS: Final = 8
"""Over how many connections a thief guesses."""

ECHO_SHARE: Final = 20
"""An echo is asked one question for so many guesses, before these and after them."""

GET_PATH: Final = "/pathbook.v1.PathService/GetPath"
LIMITED: Final = "CODES_LIMITED"

ROUNDS: Final = 100
"""How often each question is asked to compare times. Then chance alone gives shares of 0.5, give or take 0.04."""

CONNECT_TIMEOUT_S: Final = 5.0
"""How long an attacker waits for a connection. One that is not taken by then counts as refused."""

CALL_TIMEOUT_S: Final = 20.0
"""How long a caller with a right to be answered waits while others flood the server."""


class Guessed(msgspec.Struct, frozen=True):
    """What came of guessed codes: answers by their reason, "" for a path; and the guesses for each second."""

    answers: Counter[str]
    each_second: float

    @property
    def named(self) -> str:
        """The reasons of the answers, with their numbers."""
        return ", ".join(f"{str(name) or 'a path'} {count}" for name, count in self.answers.items())

    @property
    def hits(self) -> int:
        """How many guesses were answered with a path."""
        return self.answers[""]


class Flooded(msgspec.Struct, frozen=True):
    """What came of silent connections: how many were open at once, and how long a call of another caller took."""

    held: int
    call_s: float


@contextlib.contextmanager
def limited(directory: Path) -> Iterator[tuple[str, Path]]:
    """Serve a book of masks with the limits that `pathbook serve` has. Yield HOST:PORT and the directory."""
    settings = Settings(data=directory, listen="127.0.0.1:0", limits={})
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        begin(client)
        yield f"127.0.0.1:{port}", directory


def guess() -> str:
    """Return a serial that is well formed, with a right check character, of a unit that is there. Its tag is random."""
    unit = 1 << serials.UNIT_BITS | secrets.randbelow(SIZE)
    value = unit << serials.TAG_BITS | secrets.randbits(serials.TAG_BITS)
    return serials._encode(value, serials.SERIAL_LENGTH - 1)


def guess_alone(directory: Path, count: int) -> int:
    """Return how many of so many guesses the keys of a directory take for theirs, without a server and its limits."""
    ring = read_keys(directory / KEY_FILE)
    hits = 0
    for _ in range(count):
        parsed = parse_code(guess())
        assert not isinstance(parsed, Refusal), parsed
        hits += not isinstance(open_code(parsed, ring, BOOK), Refusal)
    return hits


def guess_codes(target: str, count: int, connections: int = 1, method: str = GET_PATH) -> Guessed:
    """Ask a server for the paths of so many guessed codes, over some connections, or another server the same."""

    async def ask() -> Counter[str]:
        answers: Counter[str] = Counter()
        left = iter(range(count))

        async def guess_on(channel: grpc.aio.Channel) -> None:
            # bytes, which cost the attacker least
            ask_path: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            for _ in left:
                request = paths_pb2.GetPathRequest(book=BOOK, code=guess())
                try:
                    await ask_path(request.SerializeToString())
                except grpc.aio.AioRpcError as error:
                    answers[_reason(error, target)] += 1
                else:
                    answers[""] += 1

        async with contextlib.AsyncExitStack() as stack:
            options = (("grpc.use_local_subchannel_pool", 1),)
            opened = [grpc.aio.insecure_channel(target, options) for _ in range(connections)]
            for channel in opened:
                await stack.enter_async_context(channel)
            await asyncio.gather(*(guess_on(opened[number % connections]) for number in range(IN_FLIGHT)))
        return answers

    began = time.monotonic()
    answers = asyncio.run(ask())
    return Guessed(answers, count / (time.monotonic() - began))


def _reason(error: grpc.aio.AioRpcError, target: str) -> str:
    """Return why a guess was refused. That it was limited is known without reading all of the answer."""
    trailer = dict(error.trailing_metadata() or ())
    if LIMITED.encode() in bytes(trailer.get("grpc-status-details-bin", b"")):
        return LIMITED
    refused = client_error(error, target)
    return refused.reason if isinstance(refused, RefusedError) else "no answer"


def guess_at_process(directory: Path, count: int) -> tuple[Guessed, float, float]:
    """Guess at a server in a process of its own.

    Return what came of it, its CPU seconds for each guess, and those of a bare echo that is asked the same.
    """
    place = directory / "books"
    with served(place) as server, echoing() as (echo, address):
        with Client(server.target, book=BOOK, retry_seconds=0) as client:
            begin(client)
        asked = [
            (echo, address, echo_server.METHOD, count // ECHO_SHARE),
            (server.id, server.target, GET_PATH, count),
            (echo, address, echo_server.METHOD, count // ECHO_SHARE),
        ]
        found, seconds = list[Guessed](), defaultdict[int, float](float)
        for process, target, method, times in asked:
            before = _cpu_seconds(process)
            found.append(guess_codes(target, times, CONNECTIONS, method))
            seconds[process] += _cpu_seconds(process) - before
        return found[1], seconds[server.id] / count, seconds[echo] / (2 * (count // ECHO_SHARE))


@contextlib.contextmanager
def echoing() -> Iterator[tuple[int, str]]:
    """Run a bare echo in a process of its own. Yield its process id and HOST:PORT."""
    command = (sys.executable, "-m", echo_server.__name__)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:  # it ends when this is closed
            yield process.pid, process.stdout.readline().rpartition(" ")[2].strip()


def _cpu_seconds(process: int) -> float:
    """Return the CPU seconds of a process so far (proc(5))."""
    user, system = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def flood(target: str, count: int) -> Flooded:
    """Open so many connections that say nothing, while a caller asks. Count those that the server took and keeps."""
    host, _, port = target.rpartition(":")
    opened: list[socket.socket] = []
    with contextlib.ExitStack() as stack, Client(target, book=BOOK, retry_seconds=CALL_TIMEOUT_S) as client:
        client.get_head()  # a client that is there already keeps its connection
        for _ in range(count):
            try:
                connection = socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S)
            except OSError:
                continue
            connection.setblocking(False)
            opened.append(stack.enter_context(contextlib.closing(connection)))
        began = time.monotonic()
        client.get_head()
        took = time.monotonic() - began
        states = [taken(connection, began + CALL_TIMEOUT_S) for connection in opened]
        return Flooded(sum(states), took)


def taken(connection: socket.socket, until: float) -> bool:
    """Tell whether the server greeted a connection and keeps it.

    A connection that only waits in the queue of the machine's kernel is neither greeted nor closed. So this waits, up
    to a time, for one of both.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.select(max(0.0, until - time.monotonic()))
    greeted = False
    try:
        while connection.recv(4_096):
            greeted = True
    except BlockingIOError:
        return greeted
    except OSError:
        return False
    return False


def revoke_in_mid_stream(story: Story) -> float:
    """Return after how many seconds the stream of an auditor ends whose token is revoked."""
    ended: list[float] = []
    begun = threading.Event()
    with story.client("operator") as operator:
        made = operator.create_token(tokens_pb2.TOKEN_ROLE_AUDITOR)

        def listen() -> None:
            with Client(story.target, book=operator.book, token=made.text, retry_seconds=0) as auditor:
                try:
                    for _ in auditor.subscribe(0):
                        begun.set()
                except RefusedError:
                    ended.append(time.monotonic())

        listener = threading.Thread(target=listen)
        listener.start()
        assert begun.wait(CALL_TIMEOUT_S)
        operator.revoke_token(made.token.token)
        revoked = time.monotonic()
        listener.join(CALL_TIMEOUT_S)
    return ended[0] - revoked


def forge_tokens(directory: Path) -> dict[str, str]:
    """Return for each kind of forged web token how a server answers it. The first one is good."""
    issuer, key, other = "https://login.example/", ec.generate_private_key(ec.SECP256R1()), "other"
    shown = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": "one", "alg": "ES256"}
    directory.mkdir(exist_ok=True)
    (directory / "keys.json").write_text(json.dumps({"keys": [shown]}))
    (directory / "issuer.toml").write_text(
        f'issuer = "{issuer}"\naudience = "pathbook"\nkeys = "keys.json"\nbook = "{BOOK}"\n'
    )
    stranger = ec.generate_private_key(ec.SECP256R1())
    claims: dict[str, object] = {
        "iss": issuer, "aud": "pathbook", "exp": time.time() + 600, "pathbook_role": "auditor"
    }  # fmt: skip

    def signed(by: object = key, algorithm: str = "ES256", kid: str = "one", **changed: object) -> str:
        return jwt.encode(claims | changed, by, algorithm, {"kid": kid})  # type: ignore[arg-type] # some are wrong

    def written(name: str, secret: bytes = b"") -> str:
        """Return a token that no library would write: without a signature, or with that of a shared secret."""
        parts = [json.dumps({"alg": name, "kid": "one"}), json.dumps(claims)]
        text = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        tag = hmac.digest(secret, text.encode(), "sha256") if secret else b""
        return f"{text}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"

    tried = {
        "a good token": signed(),
        "alg none": written("none"),
        "alg nOnE": written("nOnE"),
        "alg ES256 without a signature": written("ES256"),
        "the public key as a shared secret": written("HS256", json.dumps(shown).encode()),
        "wrong audience": signed(aud=other),
        "wrong issuer": signed(iss=other),
        "unknown kid": signed(kid="two"),
        "another key under a known kid": signed(stranger),
        "expired": signed(exp=time.time() - 3_600),
        "a role that there is not": signed(pathbook_role="root"),
    }
    data = directory / "books"
    settings = Settings(
        data=data, listen="127.0.0.1:0", demands_tokens=True, issuer=read_issuer(directory / "issuer.toml")
    )
    answers = {}
    with running(settings) as port:
        first = (data / OPERATOR_TOKEN_FILE).read_text("ascii").strip()
        with Client(f"127.0.0.1:{port}", book=BOOK, token=first, retry_seconds=0) as operator:
            begin(operator)
        for name, text in tried.items():
            with Client(f"127.0.0.1:{port}", book=BOOK, token=text, retry_seconds=0) as client:
                try:
                    list(client.list_parties())
                except RefusedError as error:
                    answers[name] = error.reason
                else:
                    answers[name] = "answered"
    return answers


def seconds(ask: Callable[[], object]) -> float:
    """Return how long a call takes that is refused."""
    began = time.perf_counter()
    try:
        ask()
    except RefusedError:
        return time.perf_counter() - began
    raise AssertionError("it was answered")


def told_apart(others: Callable[[], object], missing: Callable[[], object], rounds: int) -> float:
    """Return how well the time of a refusal tells what is another's from what is not there: 0.5 is not at all.

    It is the share of all pairs in which the refusal of what is another's took longer (Mann and Whitney). Calls of both
    kinds alternate, and take turns to be first, so that whatever else the machine does slows both.
    """
    theirs, never = list[float](), list[float]()
    for number in range(rounds):
        calls = [(theirs, others), (never, missing)]
        for found, ask in calls[:: -1 if number % 2 else 1]:
            found.append(seconds(ask))
    return sum(one > other for one in theirs for other in never) / len(theirs) / len(never)


def refusals(story: Story, ann: Client) -> dict[str, float]:
    """Return for each kind of thing how well the time of a refusal tells whether it is there."""
    others, never = story.others, itertools.count(1_000_000)
    asked: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "transfer": (lambda: ann.get_transfer(others.transfer), lambda: ann.get_transfer(next(never))),
        "path": (
            lambda: ann.get_path((others.batch, others.units[0])),
            lambda: ann.get_path((next(never), others.units[0])),
        ),
        "party": (lambda: ann.get_party(others.party), lambda: ann.get_party(f"ghost-{next(never)}")),
        "batch": (lambda: ann.get_batch(others.batch), lambda: ann.get_batch(next(never))),
        "case": (lambda: ann.get_case(others.case), lambda: ann.get_case(NO_CASE)),
    }
    return {name: told_apart(*both, ROUNDS) for name, both in asked.items()}


def main() -> None:
    """Attack, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=1_000_000, help="tried with the keys, without a server")
    parser.add_argument(
        "--guesses", type=int, default=100_000, help="asked of a server; 1000000 take some minutes"
    )
    parser.add_argument("--connections", type=int, default=2_000)
    arguments = parser.parse_args()
    write = sys.stdout.write
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "guessed").mkdir()
        found, each, echo = guess_at_process(directory / "guessed", arguments.guesses)
        write(f"codes guessed at a server: {arguments.guesses}, of them answered: {found.hits}\n")
        write(f"  {found.named}, {found.each_second:.0f} a second\n")
        write(f"  {each * 1e6:.0f} us of the server each, and {echo * 1e6:.0f} us of a bare echo\n")
        with limited(directory / "limited") as (_, data):
            hits = guess_alone(data, arguments.codes)
            write(f"codes guessed without a server: {arguments.codes}, of them right: {hits}\n")
        with limited(directory / "flooded") as (target, _):
            flooded = flood(target, arguments.connections)
            write(f"silent connections: {arguments.connections}, of them held: {flooded.held}\n")
            write(f"  a call of another caller meanwhile: {flooded.call_s * 1_000:.0f} ms\n")
        (directory / "told").mkdir()
        with told(directory / "told") as story:
            write(f"a stream ends after its token was revoked: {revoke_in_mid_stream(story):.2f} s\n")
            with story.client("party") as ann:
                for name, share in refusals(story, ann).items():
                    write(
                        f"the time of a refusal tells a stranger's {name} from a missing one: {share:.2f}\n"
                    )
        for name, answer in forge_tokens(directory / "forged").items():
            write(f"web token, {name}: {answer}\n")


if __name__ == "__main__":
    main()
