"""Calls for parties, products, batches, codes, cases and recalls, each at least once."""

import datetime

from pathbook.client import Client, select
from pathbook.v1.values_pb2 import (
    PARTY_KIND_AGENT,
    Price,
    UnitRange,
)
from tests.services.masks import CASE, EXPIRES_ON, MADE_ON, MASK, PALLET, SIZE, begin, boxes, yuan


def test_parties_register_and_are_authorized(client: Client) -> None:
    """An agent is returned with its authorization by the brand, and with the end of that after a revocation."""
    begin(client)
    until = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    given = client.authorize_party(
        "ann", upline="acme", tier=1, gtins=[MASK], region="Shanghai", valid_until=until
    )
    ann = client.get_party("ann")
    (authorization,) = ann.authorizations
    assert (ann.party, ann.kind, ann.position) == ("ann", PARTY_KIND_AGENT, 3)
    assert authorization.position == given.receipt.position
    assert (authorization.upline, authorization.tier, authorization.region) == ("acme", 1, "Shanghai")
    assert list(authorization.gtins) == [MASK]
    assert authorization.valid_from == given.receipt.recorded_at
    assert authorization.valid_until.ToDatetime(datetime.UTC) == until
    assert not authorization.HasField("revoked_from")
    ended = client.revoke_authorization(authorization.position, upline="acme")
    assert client.get_party("ann").authorizations[0].revoked_from == ended.receipt.recorded_at


def test_parties_are_listed_page_by_page(client: Client) -> None:
    """Pages of one party each list all parties in the order of their ids, with their authorizations."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    assert [party.party for party in client.list_parties(page_size=1)] == ["acme", "ann", "bob", "corner"]
    assert [len(party.authorizations) for party in client.list_parties(page_size=1)] == [0, 1, 0, 0]


def test_products_and_batches_are_registered_and_found(client: Client) -> None:
    """A product is found by its GTIN, a batch by its number and by its lot, and both in lists."""
    batch = begin(client)
    client.register_product("4012345678901", brand="acme", name="Balm", suggested_price=yuan(20))
    client.commission_batch(MASK, brand="acme", lot="L2", size=1, made_on=MADE_ON, suggested_price=yuan(280))
    mask = client.get_product(MASK)
    assert (mask.gtin, mask.brand, mask.name) == (MASK, "acme", "Mask, box of 50")
    assert mask.suggested_price == Price(amount_minor=30_000, currency_code="CNY", per_units=1)
    assert [product.gtin for product in client.list_products(page_size=1)] == [MASK, "04012345678901"]
    found = client.get_batch(batch)
    assert (found.gtin, found.lot, found.size, found.brand) == (MASK, "L1", SIZE, "acme")
    assert (found.made_on, found.expires_on) == (MADE_ON.isoformat(), EXPIRES_ON.isoformat())
    assert found.suggested_price == mask.suggested_price
    assert client.get_batch(gtin=MASK, lot="L1") == found
    assert client.get_batch(2).expires_on == ""
    assert [item.batch for item in client.list_batches(page_size=1)] == [1, 2]
    assert [item.lot for item in client.list_batches(gtin=MASK)] == ["L1", "L2"]
    assert list(client.list_batches(gtin="4012345678901")) == []


def test_codes_are_printed_and_lead_to_their_units(client: Client) -> None:
    """Each unit has its own serial, and every form of its code leads to its path."""
    batch = begin(client, size=5_000)
    messages = list(client.list_codes(batch, 10, 4_999))
    serials = [serial for message in messages for serial in message.serials]
    assert len(messages) > 1
    assert messages[0].first == 10
    assert {(message.gtin, message.lot) for message in messages} == {(MASK, "L1")}
    assert len(set(serials)) == 4_990
    serial = serials[7]
    for code in (
        serial,
        serial.lower(),
        f"(01){MASK}(10)L1(21){serial}",
        f"https://example.com/01/{MASK}/10/L1/21/{serial}",
    ):
        path = client.get_path(code)
        assert (path.unit.batch, path.unit.number, path.serial) == (batch, 17, serial)


def test_a_pallet_moves_with_its_contents(client: Client) -> None:
    """Units in a case on a pallet move under the pallet's SSCC until the pallet is unpacked."""
    begin(client)
    packed = client.pack_case(CASE, party="acme", units=boxes(0, 9))
    client.pack_case(PALLET, party="acme", units=select(ranges=[(1, 20, 29)], cases=[CASE]))
    case, pallet = client.get_case(CASE), client.get_case(PALLET)
    assert (case.sscc, case.outer, case.position) == (CASE, PALLET, packed.receipt.position)
    assert list(case.ranges) == [UnitRange(batch=1, first=0, last=9)]
    assert (list(pallet.cases), pallet.outer) == ([CASE], "")
    assert client.get_path((1, 0)).run.sscc == PALLET
    moved = client.record_transfer(
        giver="acme", receiver="ann", units=select(cases=[PALLET]), unit_price=yuan(150)
    )
    assert [(item.first, item.last) for item in moved.ranges] == [(0, 9), (20, 29)]
    client.unpack_case(PALLET, party="ann")
    assert client.get_case(CASE).outer == ""
    assert client.get_path((1, 25)).run.sscc == ""


def test_a_batch_is_recalled_and_the_recall_lifted(client: Client) -> None:
    """A batch is returned with its recalls, and with the position at which each was lifted."""
    begin(client)
    recalled = client.recall_units(1, brand="acme", ranges=[(1, 0, 9)], note="glue")
    (recall,) = client.get_batch(1).recalls
    assert (recall.position, recall.note.text, recall.lifted_position) == (
        recalled.receipt.position,
        "glue",
        0,
    )
    assert list(recall.ranges) == [UnitRange(batch=1, first=0, last=9)]
    lifted = client.lift_recall(recall.position, brand="acme")
    (recall,) = client.get_path((1, 0)).batch.recalls
    assert recall.lifted_position == lifted.receipt.position
