"""Books of all releases: this program opens and rebuilds them, answers as they did, and knows every request."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any, Final

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from pathbook.client import Client
from pathbook.ledger.codec import decode
from pathbook.services.clock import MachineClock
from pathbook.services.clock_check import confirm_clock
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import paths_pb2
from tests.releases.record import CALLS, EVENTS, HERE, KEYS, LOG
from tests.services.masks import BOOK

RELEASES: Final = sorted(path.parent for path in HERE.glob(f"*/{LOG}"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    """The directory of a release."""
    found: Path = request.param
    return found


@pytest.fixture
def client(release: Path, tmp_path: Path) -> Iterator[Client]:
    """A client of the book of a release, on a server that rebuilds its views."""
    for name in (LOG, KEYS):
        copyfile(release / name, tmp_path / name)
        (tmp_path / name).chmod(0o600)
    confirm_clock(tmp_path, "", MachineClock(), accept_ahead=False)  # the release may be years old
    settings = Settings(data=tmp_path, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK) as found:
        yield found


def events(release: Path) -> list[bytes]:
    """Return the exported events of a release."""
    return [base64.b64decode(line) for line in (release / EVENTS).read_text("ascii").split()]


def calls(release: Path) -> list[tuple[str, bytes, bytes]]:
    """Return the method, the request and the response of each call of a release."""
    lines = [line.split(" ") for line in (release / CALLS).read_text("ascii").splitlines()]
    return [(method, base64.b64decode(asked), base64.b64decode(told)) for method, asked, told in lines]


def message_of(method: str, data: bytes) -> Any:  # noqa: ANN401 - each method has its own type of response
    """Return the response of a method."""
    service, name = method.lstrip("/").rsplit("/", 1)
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    return message_factory.GetMessageClass(found.output_type).FromString(data)


def differences(answer: Message, expected: Message, where: str = "") -> list[str]:
    """Return the fields that were told then and are told otherwise now. A field that was empty then may be told now."""
    found: list[str] = []
    for field, told in expected.ListFields():
        now, name = getattr(answer, field.name), f"{where}{field.name}"
        if field.message_type is None:
            found += [name] * (now != told)
        elif not field.is_repeated:
            found += differences(now, told, f"{name}.")
        elif len(now) != len(told):
            found.append(name)
        else:
            pairs = enumerate(zip(now, told, strict=True))
            found += [item for place, pair in pairs for item in differences(*pair, f"{name}[{place}].")]
    return found


def narrow_recalls(path: paths_pb2.GetPathResponse) -> None:
    """Leave only the recalls of the unit, each with the range that holds it: a path had all recalls of its batch."""
    number = path.unit.number
    for recall in [*path.batch.recalls]:
        holding = [part for part in recall.ranges if part.first <= number <= part.last]
        if holding:
            del recall.ranges[:]
            recall.ranges.extend(holding)
        else:
            path.batch.recalls.remove(recall)


def test_there_is_a_book_of_each_release() -> None:
    """The first release is here, so that no test of this file is empty."""
    assert "first" in {path.name for path in RELEASES}


def test_exported_events_are_read(release: Path) -> None:
    """Each exported event is decoded strictly: it has the bytes that this program would write."""
    for position, data in enumerate(events(release), 1):
        assert decode(position, data, strict=True).position == position


def test_the_stream_has_the_exported_events(release: Path, client: Client) -> None:
    """The log of the release is streamed as the bytes that it exported. It may end with events after the export."""
    streamed = [event for batch in client.read() for event in batch.events]
    exported = events(release)
    assert streamed[: len(exported)] == exported


def test_every_request_is_known_and_every_question_answered_as_then(release: Path, client: Client) -> None:
    """A repeated write has its first answer and records nothing, and a read has the answer that it had at the end."""
    head = client.get_head().position
    client.position = head
    client.get_party("acme")  # the views are complete
    recorded = calls(release)
    last = {(method, asked): told for method, asked, told in recorded}
    repeated = 0
    with grpc.insecure_channel(client.target) as channel:
        for (method, asked), told in last.items():
            expected = message_of(method, told)
            call: Callable[..., bytes] = channel.unary_unary(method)
            answer = message_of(method, call(asked, timeout=20))
            if "receipt" in expected.DESCRIPTOR.fields_by_name:
                assert answer.receipt.duplicate, method
                expected.receipt.duplicate = True
                repeated += 1
            if isinstance(expected, paths_pb2.GetPathResponse):
                narrow_recalls(expected)
            assert differences(answer, expected) == [], method
    assert repeated > 40
    assert client.get_head().position == head
