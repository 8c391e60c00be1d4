"""Calls for books: opening, showing, listing page by page, and several servers that open one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from pathbook.client import Client, RefusedError
from pathbook.ledger.serials import fingerprint, parse_book_key
from pathbook.services.key_file import KEY_FILE
from pathbook.v1 import books_pb2, books_pb2_grpc
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND
from tests.books import PATIENCE
from tests.services.masks import BEGUN, BOOK, begin, refused
from tests.services.process import served

INVALID, EXISTS = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS


def test_a_book_is_opened_and_shown(client: Client, data: Path) -> None:
    """A book is shown as it was opened, with the fingerprint of the server's key and its last position."""
    opened = client.open_book(origin="acme.example/masks", max_tier=4, request_id="open")
    assert (opened.receipt.position, opened.receipt.duplicate) == (1, False)
    book = client.get_book()
    key = parse_book_key((data / KEY_FILE).read_text())
    assert (book.name, book.origin, book.policy.max_tier) == (BOOK, "acme.example/masks", 4)
    assert (book.code_key, book.position) == (fingerprint(key), 1)
    assert book.opened_at == opened.receipt.recorded_at
    assert client.open_book(origin="acme.example/masks", max_tier=4, request_id="open").receipt.duplicate
    with refused("REQUEST_ID_REUSED", EXISTS):
        client.open_book(request_id="open")
    with refused("BOOK_EXISTS", EXISTS):
        client.open_book()


def test_an_opening_is_refused_by_name(client: Client) -> None:
    """A malformed origin and a policy beyond the limits are refused, and no book is there."""
    with refused("ORIGIN_MALFORMED", INVALID):
        client.open_book(origin="https://acme.example")
    for tier in (-1, 101):
        with refused("TIER_OUT_OF_BOUNDS", INVALID):
            client.open_book(max_tier=tier)
    with refused("REQUEST_ID_MALFORMED", INVALID):
        client.open_book(request_id="~")
    with refused("BOOK_UNKNOWN", grpc.StatusCode.NOT_FOUND):
        client.get_book()
    assert list(client.list_books()) == []


def test_a_policy_limits_authorizations(client: Client) -> None:
    """The deepest tier of the policy may be given, and a deeper one is refused with the limit."""
    client.open_book(max_tier=2)
    client.register_party("acme", PARTY_KIND_BRAND)
    client.register_party("ann", PARTY_KIND_AGENT)
    with pytest.raises(RefusedError, match="Tier 3 is not between 1 and 2") as error:
        client.authorize_party("ann", upline="acme", tier=3)
    assert (error.value.reason, error.value.metadata["limit"]) == ("TIER_OUT_OF_BOUNDS", "2")
    client.authorize_party("ann", upline="acme", tier=2)


@pytest.mark.parametrize("size", [1, 2, 3, 0])
def test_books_are_listed_page_by_page(client: Client, size: int) -> None:
    """Pages list all books of the server in the order of their names, whatever book the client is for."""
    names = ["balms", "creams", BOOK, "zinc"]
    for name in reversed(names):
        with Client(client.target, book=name) as each:
            if name == BOOK:
                begin(each)
            else:
                each.open_book()
    listed = list(client.list_books(page_size=size))
    assert [book.name for book in listed] == names
    assert [book.position for book in listed] == [1, 1, BEGUN, 1]
    with Client(client.target, book="unknown") as other:
        assert list(other.list_books()) == listed
    with refused("PAGE_SIZE_NEGATIVE", INVALID):
        list(client.list_books(page_size=-1))
    with grpc.insecure_channel(client.target) as channel, pytest.raises(grpc.RpcError, match="page_token"):
        books_pb2_grpc.BookServiceStub(channel).ListBooks(books_pb2.ListBooksRequest(page_token="x"))


def test_two_servers_race_to_open_one_book(place: Path) -> None:
    """One of two server processes opens each book, and the other refuses. Both then write to it."""
    names = [f"book-{number}" for number in range(5)]

    def race(target: str, name: str) -> str:
        with Client(target, book=name) as client:
            try:
                client.open_book()
            except RefusedError as error:
                return error.reason
            return "opened"

    with served(place) as one, served(place) as two, ThreadPoolExecutor(10) as pool:
        racing = [[pool.submit(race, each.target, name) for each in (one, two)] for name in names]
        for pair in racing:
            assert sorted(each.result(PATIENCE) for each in pair) == ["BOOK_EXISTS", "opened"]
        for number, each in enumerate((one, two), 2):
            with Client(each.target, book=names[0]) as client:
                made = client.register_party(f"party-{number}", PARTY_KIND_AGENT)
                assert made.receipt.position == number
