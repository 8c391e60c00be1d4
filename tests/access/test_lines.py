"""Who sees a line: an upline only what the parties below it accepted. A page has no trace of what is left out."""

import itertools
from collections.abc import Callable, Iterator

import grpc
import pytest

from pathbook.client import Client, PartyKind, RefusedError, insight_filter, select
from pathbook.v1 import batches_pb2, batches_pb2_grpc, paths_pb2, paths_pb2_grpc, tokens_pb2
from pathbook.v1 import transfers_pb2 as transfers
from pathbook.v1 import transfers_pb2_grpc as transfers_grpc
from tests.access.story import BOOK, Story, told
from tests.services.masks import refused

MISSING = grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The server of all these tests."""
    with told(tmp_path_factory.mktemp("lines")) as story:
        yield story


def as_party(story: Story, operator: Client, party: str) -> Client:
    """Return a client that speaks for a party, and sees all that the operator wrote."""
    token = operator.create_token(tokens_pb2.TOKEN_ROLE_PARTY, party).text
    client = Client(story.target, book=BOOK, token=token, retry_seconds=0)
    client.position = operator.get_head().position
    return client


def uplines(client: Client, party: str) -> list[str]:
    """Return who gave the authorizations of a party that a client sees."""
    return [given.upline for given in client.get_party(party).authorizations]


def test_a_stranger_sees_nothing_of_a_party_that_it_authorized(story: Story) -> None:
    """Without an accepted transfer it sees what it gave itself, and no line below, no key and no other upline."""
    with story.client("operator") as operator:
        for name in ("eve", "top", "low"):
            operator.register_party(name, PartyKind.AGENT)
        operator.authorize_party("eve", upline="acme", tier=1)
        operator.authorize_party("top", upline="acme", tier=1)
        operator.authorize_party("low", upline="top", tier=3)
        offer = operator.offer_transfer(
            giver="acme", receiver="top", units=select(ranges=[(1, 200, 209)]), unit_price=(1, "CNY")
        )
        operator.accept_transfer(offer.receipt.position, receiver="top")
        down = operator.offer_transfer(
            giver="top", receiver="low", units=select(ranges=[(1, 200, 201)]), unit_price=(1, "CNY")
        )
        operator.accept_transfer(down.receipt.position, receiver="low")
        with as_party(story, operator, "eve") as eve:
            for hidden in ("top", "low"):
                with refused("PARTY_UNKNOWN", MISSING):
                    eve.get_party(hidden)
        operator.authorize_party("top", upline="eve", tier=2)
        with as_party(story, operator, "eve") as eve, as_party(story, operator, "top") as top:
            assert uplines(eve, "top") == ["eve"]
            for ask in (eve.get_party, lambda name: list(eve.list_keys(name))):
                with refused("PARTY_UNKNOWN", MISSING):
                    ask("low")
            with refused("PARTY_UNKNOWN", MISSING):
                list(eve.list_keys("top"))
            assert sorted(uplines(top, "top")) == ["acme", "eve"]
            assert uplines(top, "eve") == ["acme"]
            assert uplines(top, "low") == ["top"]


def test_a_party_accepts_an_upline_by_accepting_goods(story: Story) -> None:
    """A transfer that the giver alone recorded is its word. One that the receiver accepts or reports shows its line."""
    with story.client("operator") as operator:
        for name in ("lee", "mae", "ned"):
            operator.register_party(name, PartyKind.AGENT)
        operator.authorize_party("lee", upline="acme", tier=1)
        operator.authorize_party("mae", upline="lee", tier=2)
        operator.authorize_party("ned", upline="mae", tier=3)
        goods = itertools.count(300)

        def give(giver: str, receiver: str, reference: str) -> int:
            number = next(goods)
            units = select(ranges=[(1, number, number)])
            terms = {"giver": giver, "receiver": receiver, "units": units, "unit_price": (1, "CNY")}
            operator.record_transfer(**terms, reference=reference)  # type: ignore[arg-type] # of several types
            return number

        def seen() -> list[str]:
            """Return which parties lee sees of its line."""
            found = []
            with as_party(story, operator, "lee") as lee:
                for name in ("mae", "ned"):
                    try:
                        lee.get_party(name)
                    except RefusedError:
                        continue
                    found.append(name)
            return found

        give("acme", "lee", "a")
        number = give("acme", "lee", "b")
        operator.record_transfer(
            giver="lee", receiver="mae", units=select(ranges=[(1, number, number)]), unit_price=(1, "CNY"),
            reference="c",
        )  # fmt: skip
        assert seen() == ["mae"]  # what it gave itself
        report = {"giver": "lee", "receiver": "mae", "units": select(ranges=[(1, number, number)])}
        operator.record_transfer(
            **report, unit_price=(1, "CNY"), reference="c", reported_by="mae"  # type: ignore[arg-type] # as above
        )  # fmt: skip
        assert seen() == ["mae"]
        offer = operator.offer_transfer(
            giver="mae", receiver="ned", units=select(ranges=[(1, number, number)]), unit_price=(1, "CNY")
        )
        assert seen() == ["mae"]
        operator.accept_transfer(offer.receipt.position, receiver="ned")
        assert seen() == ["mae", "ned"]


def pages(
    story: Story, ask: Callable[[grpc.Channel, str, tuple[tuple[str, str], ...]], tuple[list[object], str]]
) -> list[int]:
    """Return how many entries each page of one entry has that acme gets."""
    found, token = list[int](), ""
    metadata = (("authorization", f"Bearer {story.tokens['brand']}"),)
    with grpc.insecure_channel(story.target) as channel:
        for _ in range(50):
            entries, token = ask(channel, token, metadata)
            found.append(len(entries))
            if not token:
                return found
    raise AssertionError("the list does not end")


def test_a_page_and_its_token_are_those_of_a_book_without_the_rest(story: Story) -> None:
    """Acme pages through lists in which others' things stand between its own: no page is empty, and none is missing."""
    with story.client("operator") as operator:
        operator.register_party("pat", PartyKind.AGENT)
        head = 0
        for turn in range(3):
            for place, (batch, giver) in enumerate(((2, "zeta"), (1, "acme"), (2, "zeta"))):
                number = 400 + 10 * turn + place
                head = operator.record_transfer(
                    giver=giver, receiver="pat", units=select(ranges=[(batch, number, number)]),
                    unit_price=(1, "CNY"), reference=f"paper {turn} of {giver} {head}",
                ).receipt.position  # fmt: skip
        made = operator.offer_transfer(
            giver="zeta", receiver="pat", units=select(ranges=[(2, 500, 500)]), unit_price=(1, "CNY"),
            reference="same",
        )  # fmt: skip
        head = made.receipt.position
        theirs = operator.record_transfer(
            giver="acme", receiver="pat", units=select(ranges=[(1, 500, 500)]), unit_price=(1, "CNY"),
            reference="same",
        )  # fmt: skip
        head = theirs.receipt.position

    def listed(
        channel: grpc.Channel, token: str, metadata: tuple[tuple[str, str], ...]
    ) -> tuple[list[object], str]:
        found = transfers_grpc.TransferServiceStub(channel).ListTransfers(
            transfers.ListTransfersRequest(
                book=BOOK, party="pat", page_size=1, page_token=token, at_least_position=head
            ),
            metadata=metadata,
        )
        return list(found.transfers), found.next_page_token

    def named(
        channel: grpc.Channel, token: str, metadata: tuple[tuple[str, str], ...]
    ) -> tuple[list[object], str]:
        found = transfers_grpc.TransferServiceStub(channel).ListTransfersByReference(
            transfers.ListTransfersByReferenceRequest(
                book=BOOK, reference="same", page_size=1, page_token=token
            ),
            metadata=metadata,
        )
        return list(found.transfers), found.next_page_token

    def stocked(
        channel: grpc.Channel, token: str, metadata: tuple[tuple[str, str], ...]
    ) -> tuple[list[object], str]:
        found = paths_pb2_grpc.PathServiceStub(channel).ListStock(
            paths_pb2.ListStockRequest(book=BOOK, party="pat", page_size=1, page_token=token),
            metadata=metadata,
        )
        return list(found.stock), found.next_page_token

    def commissioned(
        channel: grpc.Channel, token: str, metadata: tuple[tuple[str, str], ...]
    ) -> tuple[list[object], str]:
        found = batches_pb2_grpc.BatchServiceStub(channel).ListBatches(
            batches_pb2.ListBatchesRequest(book=BOOK, page_size=1, page_token=token), metadata=metadata
        )
        return list(found.batches), found.next_page_token

    assert pages(story, listed) == [1, 1, 1, 1]
    assert pages(story, named) == [1]
    assert pages(story, stocked) == [1]
    assert pages(story, commissioned) == [1]


def test_a_filter_does_not_tell_what_is_there(story: Story) -> None:
    """A party filters its own transfers by what is another's, and by what is not there, and gets the same: nothing."""
    with story.client("party") as ann, story.client("brand") as acme:
        for client, party in ((ann, "ann"), (acme, "ann"), (acme, "acme")):
            for other in ("zed", "ghost"):
                assert list(client.list_transfers(party, counterparty=other)) == []
            for batch in (2, 999):
                assert list(client.list_transfers(party, batch=batch)) == []
        for other in ("zed", "ghost"):
            assert list(acme.list_transfers_by_reference("ref-1", giver=other)) == []
        for batch in (2, 999):
            only = insight_filter(party="ann", batch=batch)
            with refused("BATCH_UNKNOWN", MISSING):
                ann.get_sell_through("ann", only=only)
            with refused("BATCH_UNKNOWN", MISSING):
                ann.get_stuck_stock(only=only)
        for ask in (acme.get_domino, acme.get_shape):
            for other in ("zeta", "ghost"):
                with refused("PARTY_UNKNOWN", MISSING):
                    ask(other)
