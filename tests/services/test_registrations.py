"""Registrations in bulk: results in order, refusals on their own, repeats, limits, killed servers, both databases."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import grpc
import pytest

from pathbook.client import Client, PartyKind, Registration, price
from pathbook.client.aio import AsyncClient
from pathbook.v1 import values_pb2
from pathbook.v1.batches_pb2 import CommissionBatchRequest, RegisterProductRequest
from pathbook.v1.parties_pb2 import AuthorizePartyRequest, RegisterPartyRequest
from pathbook.v1.refusals_pb2 import (
    REFUSAL_REASON_BATCH_EXISTS,
    REFUSAL_REASON_DATE_MALFORMED,
    REFUSAL_REASON_PARTY_EXISTS,
    REFUSAL_REASON_PARTY_UNKNOWN,
    REFUSAL_REASON_PRODUCT_UNKNOWN,
    REFUSAL_REASON_REQUEST_ID_REUSED,
    REFUSAL_REASON_VALUE_MISSING,
)
from pathbook.v1.registrations_pb2 import RegisterEntry, RegisterRequest, RegisterResponse, RegisterResult
from pathbook.v1.registrations_pb2_grpc import RegistrationServiceStub
from tests.client.event_loop import in_event_loop
from tests.services.masks import BOOK, MASK, refused, yuan
from tests.services.process import ServerProcess, served

LOTS: Final = 300
"""How many lots the large registrations have."""

KILLED_AFTER: Final = 3
"""After how many answered batches a server is killed."""


@pytest.fixture
def server(place: Path) -> Iterator[ServerProcess]:
    """A server of the books of a place, in a process of its own, with an open book."""
    with served(place) as process:
        with Client(process.target, book=BOOK) as client:
            client.open_book(request_id="open")
        yield process


def party(name: str, kind: PartyKind = PartyKind.AGENT, request_id: str = "") -> RegisterPartyRequest:
    """Return the registration of a party, under a request id of its own name."""
    return RegisterPartyRequest(
        request_id=request_id or name, party=name, kind=values_pb2.PartyKind.ValueType(kind)
    )


def below(name: str, upline: str, tier: int) -> AuthorizePartyRequest:
    """Return the authorization of a party."""
    return AuthorizePartyRequest(request_id=f"{upline}-{name}", upline=upline, party=name, tier=tier)


def product(gtin: str = MASK) -> RegisterProductRequest:
    """Return the registration of a product of acme."""
    return RegisterProductRequest(
        request_id=gtin, brand="acme", gtin=gtin, name="Mask", suggested_price=price(yuan(300))
    )


def lot(name: str, made_on: str = "2026-01-15", gtin: str = MASK) -> CommissionBatchRequest:
    """Return the commissioning of a lot of masks."""
    return CommissionBatchRequest(
        request_id=f"lot {name}", brand="acme", gtin=gtin, lot=name, size=100, made_on=made_on
    )


def summarize(results: Sequence[RegisterResult]) -> list[int]:
    """Return the position of each recorded entry, and the negated reason of each refused one."""
    return [item.receipt.position if item.HasField("receipt") else -item.refusal.reason for item in results]


def story() -> list[list[Registration]]:
    """Return batches of which each needs the ones before, and entries of which each needs the one before."""
    lots: list[Registration] = [lot(f"L{number}") for number in range(LOTS)]
    begun: list[Registration] = [party("acme", PartyKind.BRAND), party("ann"), below("ann", "acme", 1)]
    begun += [party("bob"), below("bob", "ann", 2), product(), lots[0]]
    return [begun, *(lots[first : first + 50] for first in range(1, LOTS, 50))]


def test_what_is_registered_in_bulk_is_answered_in_order(server: ServerProcess) -> None:
    """Later entries use earlier ones of the same batch; results have positions, GTINs and numbers of batches."""
    with Client(server.target, book=BOOK) as client:
        answers = [list(results) for results in client.register(story())]
        found = [result for results in answers for result in results]
        assert [result.receipt.position for result in found] == list(range(2, 8 + LOTS))
        assert client.position == 7 + LOTS
        assert found[5].gtin == MASK
        assert [result.batch for result in found[6:]] == list(range(1, LOTS + 1))
        assert [result.batch for result in found[:6]] == [0] * 6
        assert [given.upline for given in client.get_party("bob").authorizations] == ["ann"]
        assert client.get_batch(gtin=MASK, lot=f"L{LOTS - 1}").batch == LOTS


def test_a_refused_registration_does_not_stop_the_others(server: ServerProcess) -> None:
    """Each entry that is refused, unreadable or empty has its reason in its place; what follows is decided."""
    with Client(server.target, book=BOOK) as client:
        entries: list[Registration] = [
            party("acme", PartyKind.BRAND),
            below("zoe", "acme", 1),
            lot("too early"),
            product(),
            lot("L1"),
            party("acme", PartyKind.BRAND, "other"),
            lot("L1b", made_on="yesterday"),
            lot("L2"),
        ]
        again = lot("L1")
        again.request_id = "again"
        (results,) = client.register([[*entries, again, party("ann")]])
        assert summarize(results) == [
            2,
            -REFUSAL_REASON_PARTY_UNKNOWN,
            -REFUSAL_REASON_PRODUCT_UNKNOWN,
            3,
            4,
            -REFUSAL_REASON_PARTY_EXISTS,
            -REFUSAL_REASON_DATE_MALFORMED,
            5,
            -REFUSAL_REASON_BATCH_EXISTS,
            6,
        ]
        assert dict(results[1].refusal.metadata) == {"party": "zoe"}
        (response,) = sent(client, [RegisterRequest(book=BOOK, entries=[RegisterEntry()])])
        assert summarize(response.results) == [-REFUSAL_REASON_VALUE_MISSING]
        assert response.results[0].refusal.metadata["field"] == "entry"


def test_a_repeated_registration_is_a_duplicate(server: ServerProcess) -> None:
    """A repeat has its first answer, alone or in bulk, within a batch too; another request with its id is refused."""
    with Client(server.target, book=BOOK) as client:
        (first,) = client.register([[party("acme", PartyKind.BRAND), product(), lot("L1"), lot("L1")]])
        assert summarize(first) == [2, 3, 4, 4]
        assert [result.receipt.duplicate for result in first] == [False, False, False, True]
        (again,) = client.register([[party("acme", PartyKind.BRAND), product(), lot("L1"), party("ann")]])
        assert [result.receipt.duplicate for result in again] == [True, True, True, False]
        assert [result.batch for result in again] == [0, 0, 1, 0]
        assert again[1].gtin == MASK
        alone = client.register_party("ann", PartyKind.AGENT, request_id="ann")
        assert (alone.receipt.position, alone.receipt.duplicate) == (5, True)
        (other,) = client.register([[party("ann", PartyKind.SHOP)]])
        assert summarize(other) == [-REFUSAL_REASON_REQUEST_ID_REUSED]


def test_a_killed_server_goes_on_with_the_registrations(place: Path) -> None:
    """The caller sends what has no results again, and the book is the one of a caller that met no kill."""
    with served(place) as server, Client(server.target, book=BOOK, retry_seconds=60) as client:
        client.open_book(request_id="open")
        answers = client.register(story())
        found = [result for _ in range(KILLED_AFTER) for result in next(answers)]
        server.kill()
        with served(place, server.port):
            found += [result for results in answers for result in results]
            assert summarize(found) == list(range(2, 8 + LOTS))
            again = [result for results in client.register(story()) for result in results]
            assert all(result.receipt.duplicate for result in again)
            assert summarize(again) == summarize(found)
            assert [result.batch for result in again] == [result.batch for result in found]
            assert client.get_head().position == 7 + LOTS


@in_event_loop
async def test_the_twin_registers_in_bulk(client: Client) -> None:
    """The asyncio client has the same answers, and a caller may stop early."""
    client.open_book(request_id="open")
    async with AsyncClient(client.target, book=BOOK) as book:
        answers = [results async for results in book.register(story())]
        assert summarize([result for results in answers for result in results]) == list(range(2, 8 + LOTS))
        async for results in book.register(story()):
            assert results[0].receipt.duplicate
            break
        assert (await book.get_head()).position == 7 + LOTS


def test_a_batch_of_registrations_has_limits(client: Client) -> None:
    """Too many entries, or too many GTINs together, are refused by name, and nothing of the batch is recorded."""
    client.open_book(request_id="open")
    with refused("TOO_MANY_ENTRIES"):
        list(client.register([[party(f"p{number}") for number in range(1_001)]]))
    wide = [
        AuthorizePartyRequest(upline="acme", party=f"p{number}", tier=1, gtins=[MASK] * 1_000)
        for number in range(5)
    ]
    with refused("TOO_MANY_PRODUCTS"):
        list(client.register([[party("acme", PartyKind.BRAND), *wide]]))
    assert client.get_head().position == 1


def test_a_batch_of_registrations_without_entries_is_answered(client: Client) -> None:
    """An empty batch has an empty answer, in its place."""
    client.open_book(request_id="open")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    batches: list[list[Registration]] = [
        [],
        [party("acme", PartyKind.BRAND), product()],
        [],
        [lot("L1", today)],
    ]
    assert [summarize(results) for results in client.register(batches)] == [[], [2, 3], [], [4]]


def sent(client: Client, requests: Iterable[RegisterRequest]) -> list[RegisterResponse]:
    """Send batches without the client's own code."""
    with grpc.insecure_channel(client.target) as channel:
        return list(RegistrationServiceStub(channel).Register(iter(requests)))
