"""Codes are made for printing alone: no read, and no refusal, gives away the code of a unit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.message import Message

from pathbook.client import Client, RefusedError
from pathbook.ledger.serials import parse_key_ring, print_serial
from pathbook.services.key_file import KEY_FILE
from pathbook.v1 import paths_pb2
from tests.services.masks import BOOK, CASE, MASK, SIZE, begin, boxes, yuan


def code_of(client: Client, number: int) -> str:
    """Return the code that the server prints for a unit."""
    return next(client.list_codes(1, number, number)).serials[0]


def test_no_read_makes_a_code(client: Client, data: Path) -> None:
    """No answer but that of ListCodes has the code of any unit, and a path has only the one that it was asked by."""
    batch = begin(client, size=20)
    client.pack_case(CASE, party="acme", units=boxes(0, 4))
    moved = client.record_transfer(
        giver="acme", receiver="ann", units=boxes(5, 9), unit_price=yuan(150)
    ).receipt.position
    client.recall_units(batch, brand="acme", ranges=[(batch, 7, 7)])
    answers: list[Message] = [
        client.get_path((batch, 5), corrections=True),
        client.get_path((batch, 0)),
        client.get_batch(batch),
        *client.list_batches(),
        client.get_product(MASK),
        *client.list_products(),
        client.get_case(CASE),
        *client.get_transfer(moved),
        *client.list_transfers("ann"),
        *client.list_stock("ann"),
        client.get_party("ann"),
        *client.list_parties(),
        client.get_head(),
        *client.read(),
        next(client.subscribe()),
    ]
    assert [a.serial for a in answers if isinstance(a, paths_pb2.GetPathResponse)] == ["", ""]
    bytes_of_all = b"".join(answer.SerializeToString() for answer in answers)
    (key,) = parse_key_ring((data / KEY_FILE).read_text()).by_fingerprint.values()
    for number in range(20):
        assert print_serial(key, BOOK, batch, number).encode() not in bytes_of_all
    code = code_of(client, 5)
    typed = f"https://example.com/01/{MASK}/10/L1/21/{code.lower()}"
    assert client.get_path(typed).serial == code
    assert client.get_path((batch, 5)).serial == ""


def test_a_refused_unit_gets_no_code_either(client: Client) -> None:
    """Refusals of units that were named by their numbers name no code."""
    begin(client)
    code = code_of(client, SIZE - 1)
    asks: list[Callable[[], object]] = [
        lambda: client.get_path((1, SIZE)),
        lambda: client.get_path((1, -1)),
        lambda: client.get_path((2, 0)),
        lambda: client.record_transfer(
            giver="acme", receiver="ann", units=boxes(SIZE - 1, SIZE), unit_price=yuan(150)
        ),
        lambda: next(client.list_codes(1, SIZE - 1, SIZE)),
    ]
    for ask in asks:
        with pytest.raises(RefusedError) as error:
            ask()
        assert code not in f"{error.value.message} {error.value.metadata}"
