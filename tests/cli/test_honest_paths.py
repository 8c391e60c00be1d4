"""No path that an honest server recorded looks like a contradiction."""

import contextlib
import datetime
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.cli import path_table
from pathbook.cli.story import GTIN
from pathbook.client import Client, RefusedError, select
from pathbook.ledger.codes import PrintedCode
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import values_pb2
from pathbook.v1.transfers_pb2 import DiscrepancyClaim
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Policy, Verdict
from tests.examples import examples

SIZE = 5
"""The units of a batch: few, so that each has a long path."""

PARTIES = ("b", "s", "t")
DAY = datetime.date(2026, 3, 1)

Deed = tuple[str, str, str, int, int]
WHAT = """
record later accept partly decline withdraw leave deliver sell confirm return refund reverse lose
""".split()  # noqa: SIM905 - a list of so many words reads better so

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "record",
                "later",
                "accept",
                "partly",
                "decline",
                "withdraw",
                "leave",
                "deliver",
                "sell",
                "confirm",
                "return",
                "refund",
                "reverse",
                "lose",
            ]
        ),
        st.sampled_from(PARTIES),
        st.sampled_from(PARTIES),
        st.integers(0, SIZE - 1),
        st.integers(0, SIZE - 1),
    ),
    min_size=3,
    max_size=15,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a book with a brand and two shops."""
    data = tmp_path_factory.mktemp("honest")
    with (
        running(Settings(data=data, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book="book") as client,
    ):
        client.open_book()
        client.register_party("b", values_pb2.PARTY_KIND_BRAND)
        client.register_party("s", values_pb2.PARTY_KIND_SHOP)
        client.register_party("t", values_pb2.PARTY_KIND_SHOP)
        client.register_product(GTIN, brand="b", name="mask", suggested_price=(30_000, "CNY"))
        yield client


@given(deeds=DEEDS)
@settings(max_examples=examples(15, 40))
def test_every_path_of_an_honest_server_holds(client: Client, deeds: list[Deed]) -> None:
    """After any commands that the book accepted, no path of a unit contradicts itself, and each can be drawn."""
    lot = f"L{client.get_head().position}"
    batch = client.commission_batch(GTIN, brand="b", lot=lot, size=SIZE, made_on=DAY).batch
    transfers = [0]
    for deed in deeds:
        with contextlib.suppress(RefusedError):
            do(client, batch, deed, transfers)
    for serial in next(client.list_codes(batch, 0, SIZE - 1)).serials:
        path = client.get_path(serial, corrections=True)
        code = read_code(serial)
        assert isinstance(code, PrintedCode)
        report = check_path(path, code, DAY, Policy())
        assert report.verdict is not Verdict.PATH_CONTRADICTED, (deeds, report)
        assert path_table.draw(path, corrections=True)
        assert path_table.draw(path) == path_table.draw(client.get_path(serial))


def do(client: Client, batch: int, deed: Deed, transfers: list[int]) -> None:
    """Send one command. The book may refuse it."""
    what, giver, receiver, one, other = deed
    units = select(ranges=[(batch, min(one, other), max(one, other))])
    price = (15_000 + one, "CNY")
    match what:
        case "record" | "later":
            later = values_pb2.DELIVERY_LATER if what == "later" else values_pb2.DELIVERY_WITH_TITLE
            made = client.record_transfer(
                giver=giver, receiver=receiver, units=units, unit_price=price, delivery=later
            )
            transfers.append(made.receipt.position)
        case "accept" | "partly" | "decline" | "withdraw" | "leave":
            offer = client.offer_transfer(giver=giver, receiver=receiver, units=units, unit_price=price)
            position = offer.receipt.position
            transfers.append(position)
            short = DiscrepancyClaim(kind=values_pb2.DISCREPANCY_KIND_SHORT, count=1)
            if what == "decline":
                client.decline_transfer(position, receiver=receiver, note="too dear")
            elif what == "withdraw":
                client.withdraw_transfer(position, giver=giver)
            elif what != "leave":
                missing = [short] if what == "partly" else []
                client.accept_transfer(position, receiver=receiver, discrepancies=missing)
        case "deliver":
            client.deliver_units(custodian=giver, receiver=receiver, units=units)
        case "sell":
            client.sell_units(seller=giver, consumer="c", units=units, unit_price=price)
        case "confirm":
            client.confirm_purchase(consumer="c", units=units, price_paid=price)
        case "return" | "refund":
            client.return_units(owner=giver if what == "return" else "consumer:c", units=units, note="unsold")
        case "reverse":
            transfer = transfers[one % len(transfers)]
            for party in PARTIES:
                with contextlib.suppress(RefusedError):
                    client.reverse_transfer(transfer, party=party)
        case _:
            client.write_off_units(party=giver, units=units, state=values_pb2.UNIT_STATE_DAMAGED, note="wet")
