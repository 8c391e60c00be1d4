"""A hop whose unit was chosen by the book, for a quantity, is marked on every path that has it."""

import datetime
from collections.abc import Iterator

import pytest

from pathbook.cli.main import run
from pathbook.client import Client, select
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND

GTIN = "4006381333931"
PRICE = (15_000, "CNY")
DAY = datetime.date(2024, 1, 1)


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a brand, two agents and a batch of ten units."""
    with running(Settings(data=tmp_path_factory.mktemp("chosen"), listen="127.0.0.1:0")) as port:
        with Client(f"127.0.0.1:{port}", book="book") as client:
            client.open_book()
            client.register_party("acme", PARTY_KIND_BRAND)
            for agent in ("ann", "bob"):
                client.register_party(agent, PARTY_KIND_AGENT)
            client.register_product(GTIN, brand="acme", name="Mask", suggested_price=PRICE)
            client.commission_batch(GTIN, brand="acme", lot="L1", size=10, made_on=DAY, suggested_price=PRICE)
        yield f"127.0.0.1:{port}"


def move(client: Client, giver: str, receiver: str, count: int = 0, first: int = 0) -> None:
    """Record a transfer of so many units that the book chooses, or else of one unit."""
    units = select(quantities=[(count, 1)]) if count else select(ranges=[(1, first, first)])
    client.record_transfer(giver=giver, receiver=receiver, units=units, unit_price=PRICE)


def chosen(client: Client, number: int) -> list[bool]:
    """Return for each hop of a unit whether it is marked."""
    client.position = client.get_head().position
    return [
        step.terms.chosen_by_book for step in client.get_path((1, number)).steps if step.HasField("terms")
    ]


def test_each_hop_says_whether_the_book_chose_its_unit(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two hops of one unit, the first was chosen and the second named. The table and JSON say which is which."""
    with Client(target, book="book") as client:
        move(client, "acme", "ann", count=3)
        move(client, "ann", "bob", first=2)
        assert (chosen(client, 2), chosen(client, 1)) == ([True, False], [True])
        (codes,) = client.list_codes(1, 2, 2)
    assert run(["path", codes.serials[0], "--server", target]) == 0
    printed = capsys.readouterr().out
    assert printed.count("transferred, chosen") == 1
    assert "by the book at " in printed
    assert "a quantity was named, so other units may have moved" in " ".join(printed.split())
    assert run(["path", codes.serials[0], "--server", target, "--output", "json"]) == 0
    assert capsys.readouterr().out.count('"chosen_by_book": true') == 1
    assert run(["verify", codes.serials[0], "--server", target]) == 0


def test_an_accepted_offer_and_a_sale_are_marked_as_well(target: str) -> None:
    """An acceptance keeps what the offer said, and a sale of a quantity says it itself."""
    with Client(target, book="book") as client:
        units = select(quantities=[(2, GTIN)])
        offer = client.offer_transfer(giver="acme", receiver="ann", units=units, unit_price=PRICE)
        client.accept_transfer(offer.receipt.position, receiver="ann")
        client.sell_units(seller="ann", consumer="c-1", units=select(quantities=[(1, 1)]), unit_price=PRICE)
        client.sell_units(seller="ann", consumer="c-2", units=select(ranges=[(1, 1, 1)]), unit_price=PRICE)
        assert (chosen(client, 0), chosen(client, 1)) == ([True, True], [True, False])
