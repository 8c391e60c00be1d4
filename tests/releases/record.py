"""Records a small book as this program writes it, for later releases to open. Its directory is the only argument."""

import base64
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Final

import grpc
from google.protobuf.message import Message

from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.services.masks import BOOK, CASE, MASK, boxes
from tests.test_every_event import UNITS, cause_every_event

HERE: Final = Path(__file__).parent
LOG: Final = "events.sqlite"
KEYS: Final = "codes.key"
EVENTS: Final = "events.txt"
"""The stored bytes of each event, in base64, one on a line."""

CALLS: Final = "calls.txt"
"""A line for each call: its method, the request and the response, both in base64."""


class Recorder(grpc.UnaryUnaryClientInterceptor):
    """Keeps each call that is answered: its method, its request and its response."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes, bytes]] = []

    def intercept_unary_unary(  # type: ignore[override]  # the types of a generic channel say nothing here
        self,
        continuation: Callable[[grpc.ClientCallDetails, Message], "grpc.Future[Message]"],
        details: grpc.ClientCallDetails,
        request: Message,
    ) -> "grpc.Future[Message]":
        """Make the call, and keep it."""
        call = continuation(details, request)
        asked, told = request.SerializeToString(), call.result().SerializeToString()
        self.calls.append((details.method, asked, told))
        return call


def record(directory: Path) -> None:
    """Write the book, its events and its calls to a directory that does not exist yet."""
    directory.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        data, recorder = Path(scratch), Recorder()
        with (
            running(Settings(data=data, listen="127.0.0.1:0")) as port,
            Client(f"127.0.0.1:{port}", book=BOOK) as client,
        ):
            client._channel = grpc.intercept_channel(client._channel, recorder)
            cause_every_event(client)
            ask_everything(client)
            events = [event for batch in client.read() for event in batch.events]
        for name in (LOG, KEYS):
            copyfile(data / name, directory / name)
    lines = [base64.b64encode(event).decode() for event in events]
    (directory / EVENTS).write_text("\n".join(lines) + "\n", "ascii")
    calls = [
        " ".join((method, base64.b64encode(request).decode(), base64.b64encode(response).decode()))
        for method, request, response in recorder.calls
    ]
    (directory / CALLS).write_text("\n".join(calls) + "\n", "ascii")


def ask_everything(client: Client) -> None:
    """Ask each question of the contract, after a case is packed for good."""
    client.pack_case(CASE, party="acme", units=boxes(UNITS, UNITS + 2))
    client.position = client.get_head().position
    for number in range(UNITS):
        client.get_path((1, number))
        client.get_path((1, number), corrections=True)
    client.get_path((1, 0), as_of_position=client.position // 2)
    client.get_path(next(iter(client.list_codes(1, 0, 0))).serials[0])
    client.get_ladder(1)
    client.get_ladder(MASK)
    for party in client.list_parties():
        client.get_party(party.party)
        list(client.list_stock(party.party))
        for transfer in client.list_transfers(party.party):
            client.get_transfer(transfer.transfer)
    list(client.list_transfers("consumer:c-1"))
    list(client.list_products())
    client.get_product(MASK)
    list(client.list_batches())
    client.get_batch(1)
    client.get_book()
    client.get_case(CASE)
    client.get_path((1, UNITS + 1))
    for position in range(1, client.get_head().position + 1):
        list(client.corrections(position=position))


if __name__ == "__main__":
    record(HERE / sys.argv[1])
