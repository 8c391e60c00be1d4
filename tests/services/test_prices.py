"""Prices through the whole house: exact however fine or large they are, for as many units as they are stated for."""

import datetime
from pathlib import Path

import pytest

from pathbook.client import Client, RefusedError, price, select
from pathbook.v1.insights_pb2 import RUNG_KIND_CONSUMER, Rung
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND, Price
from tests.services.masks import BOOK, MADE_ON, MASK, begin, boxes, opened, refused, yuan

MAX_INT64 = 2**63 - 1
WHOLE_BATCH = 2**28


def stated(message: Price) -> tuple[int, str, int]:
    """Return the amount, the currency and the number of units of a price."""
    return message.amount_minor, message.currency_code, message.per_units


def rung_prices(rung: Rung) -> list[tuple[int, str, int]]:
    """Return least, median and most of a rung."""
    return [stated(rung.least), stated(rung.median), stated(rung.most)]


@pytest.mark.parametrize(
    "paid",
    [(999_050, "HUF"), (125, "CNY", 100), (12_000_000_000, "VND"), (MAX_INT64, "CLF", 7), (0, "KWD", 3)],
)
def test_a_price_is_the_same_in_every_answer(
    client: Client, paid: tuple[int, str] | tuple[int, str, int]
) -> None:
    """Path, list of transfers and ladder state the price as it was given."""
    begin(client)
    expected = (*paid, 1)[:3]
    offered = client.offer_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=paid)
    client.accept_transfer(offered.receipt.position, receiver="ann")
    (row,) = client.get_transfer(offered.receipt.position)
    assert stated(row.unit_price) == expected
    assert {stated(step.terms.unit_price) for step in client.get_path((1, 0)).steps[1:]} == {expected}
    assert rung_prices(client.get_ladder(1).rungs[0]) == [expected] * 3
    client.sell_units(seller="acme", consumer="c", units=boxes(10, 10), unit_price=paid)
    client.confirm_purchase(consumer="c", units=boxes(10, 10), price_paid=paid)
    assert stated(client.get_path((1, 10)).steps[-1].price_paid) == expected
    consumers = next(rung for rung in client.get_ladder(1).rungs if rung.kind == RUNG_KIND_CONSUMER)
    assert rung_prices(consumers) == [expected] * 3


def test_a_price_for_no_number_of_units_is_one_for_one_unit(client: Client) -> None:
    """Code that does not know the field sends 0 units. Below zero and beyond the limit are refused by name."""
    begin(client)
    for units in (1, 0):
        request = RecordTransferRequest(
            request_id=f"for {units}",
            giver="acme",
            receiver="ann",
            units=boxes(units, units),
            unit_price=Price(amount_minor=150, currency_code="CNY", per_units=units),
        )
        ((result,),) = client.record_transfers([[request]])
        assert result.HasField("receipt")
        assert stated(client.get_path((1, units)).steps[-1].terms.unit_price) == (150, "CNY", 1)
    for count in (-1, 10**9 + 1):
        sentence = f"A price for {count} units cannot be kept. Give it for 1 to 1000000000 units."
        with pytest.raises(RefusedError, match=f"^PRICE_UNITS_OUT_OF_BOUNDS: {sentence}$"):
            client.record_transfer(
                giver="acme", receiver="ann", units=boxes(5, 5), unit_price=(150, "CNY", count)
            )
    client.record_transfer(giver="acme", receiver="ann", units=boxes(5, 5), unit_price=(150, "CNY", 10**9))


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "cny", "ABC", ""])
def test_what_is_no_currency_of_prices_is_refused(client: Client, code: str) -> None:
    """Codes to which ISO gives no minor unit are refused like unknown ones."""
    begin(client)
    with refused("CURRENCY_UNKNOWN"):
        client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 0), unit_price=(1, code))


def test_a_ladder_adds_up_prices_for_any_number_of_units_exactly(client: Client) -> None:
    """Prices of equal value are one price, and thirds of a fen add up to whole ones."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    for first, last, paid in (
        (0, 0, (1, "CNY", 2)),
        (1, 1, (2, "CNY", 4)),
        (2, 4, (1, "CNY", 3)),
        (5, 5, (125, "CNY", 100)),
    ):
        client.record_transfer(giver="acme", receiver="ann", units=boxes(first, last), unit_price=paid)
    (rung,) = client.get_ladder(1).rungs
    assert rung_prices(rung) == [(1, "CNY", 3), (1, "CNY", 3), (125, "CNY", 100)]
    assert (rung.units, rung.sum_minor, rung.mean_minor) == (6, 3, 1)  # 3.25 and 0.54
    assert stated(rung.suggested) == (30_000, "CNY", 1)
    client.return_units(owner="ann", units=boxes(5, 5))
    (rung,) = client.get_ladder(MASK).rungs
    assert (stated(rung.most), rung.units, rung.sum_minor, rung.mean_minor) == ((1, "CNY", 2), 5, 2, 0)


def test_a_sum_beyond_64_bits_is_left_out_and_the_mean_is_not(client: Client) -> None:
    """The highest price for the largest batch is recorded. Its sum is unset, and all else is exact."""
    begin(client, WHOLE_BATCH)
    highest = (MAX_INT64, "VND")
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, WHOLE_BATCH - 1), unit_price=highest)
    (rung,) = client.get_ladder(1).rungs
    assert (rung.units, rung.mean_minor, stated(rung.most)) == (WHOLE_BATCH, MAX_INT64, (*highest, 1))
    assert not rung.HasField("sum_minor")
    client.record_transfer(
        giver="ann",
        receiver="bob",
        units=boxes(0, WHOLE_BATCH - 1),
        unit_price=(MAX_INT64, "USD", WHOLE_BATCH),
    )
    dollars = next(rung for rung in client.get_ladder(1).rungs if rung.currency_code == "USD")
    assert (dollars.sum_minor, dollars.mean_minor) == (MAX_INT64, round(MAX_INT64 / WHOLE_BATCH))


def test_suggested_prices_differ_only_if_their_value_does(client: Client) -> None:
    """A product whose batches state one price in two ways has a suggested price, and a batch keeps its statement."""
    begin(client)
    second = client.commission_batch(
        MASK, brand="acme", lot="L2", size=10, made_on=MADE_ON, suggested_price=(60_000, "CNY", 2)
    )
    client.record_transfer(
        giver="acme", receiver="ann", units=boxes(0, 0, second.batch), unit_price=yuan(150)
    )
    assert stated(client.get_batch(second.batch).suggested_price) == (60_000, "CNY", 2)
    assert stated(client.get_ladder(second.batch).rungs[0].suggested) == (60_000, "CNY", 2)
    assert stated(client.get_ladder(MASK).rungs[0].suggested) == (30_000, "CNY", 1)
    client.commission_batch(
        MASK, brand="acme", lot="L3", size=10, made_on=MADE_ON, suggested_price=(60_001, "CNY", 2)
    )
    assert not client.get_ladder(MASK).rungs[0].HasField("suggested")


def test_a_batch_has_the_suggested_price_of_its_product_after_a_restart(data: Path) -> None:
    """The state that a writer loads from the views has the number of units of a price."""
    made_on = datetime.date(2026, 1, 1)
    with opened(data) as client:
        client.open_book()
        client.register_party("acme", PARTY_KIND_BRAND)
        client.register_party("ann", PARTY_KIND_AGENT)
        client.register_product(MASK, brand="acme", name="Screw", suggested_price=(125, "CNY", 100))
    with opened(data) as client:
        batch = client.commission_batch(MASK, brand="acme", lot="L", size=100, made_on=made_on).batch
        assert stated(client.get_batch(batch).suggested_price) == (125, "CNY", 100)
        assert stated(client.get_product(MASK).suggested_price) == (125, "CNY", 100)
        offer = client.offer_transfer(
            giver="acme", receiver="ann", units=select(quantities=[(7, batch)]), unit_price=(100, "CNY", 7)
        )
    with opened(data) as client, Client(client.target, book=BOOK) as again:
        accepted = again.accept_transfer(offer.receipt.position, receiver="ann").receipt.position
        (listed,) = again.list_transfers("ann", at_least_position=accepted)
        assert stated(listed.unit_price) == (100, "CNY", 7)


def test_the_message_of_a_price_states_its_units() -> None:
    """A price without a count is for one unit."""
    assert price((150, "CNY")) == Price(amount_minor=150, currency_code="CNY", per_units=1)
    assert price((125, "CNY", 100)) == Price(amount_minor=125, currency_code="CNY", per_units=100)
    assert price(None) is None
