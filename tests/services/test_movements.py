"""Calls that move goods, and the answers of the book after them, each at least once."""

from pathbook.client import Client, select
from pathbook.v1.insights_pb2 import RUNG_KIND_CONSUMER, RUNG_KIND_NO_TIER, RUNG_KIND_TIER
from pathbook.v1.paths_pb2 import (
    PATH_STEP_KIND_COMMISSIONED,
    PATH_STEP_KIND_CONFIRMED,
    PATH_STEP_KIND_DELIVERED,
    PATH_STEP_KIND_OFFERED,
    PATH_STEP_KIND_RELEASED,
    PATH_STEP_KIND_RETURNED,
    PATH_STEP_KIND_REVERSED,
    PATH_STEP_KIND_SOLD,
    PATH_STEP_KIND_TRANSFERRED,
    PATH_STEP_KIND_WRITTEN_OFF,
)
from pathbook.v1.transfers_pb2 import (
    TRANSFER_KIND_RETURN,
    TRANSFER_KIND_SALE,
    TRANSFER_KIND_TRANSFER,
    DiscrepancyClaim,
    RecordTransferRequest,
    ReturnUnitsRequest,
    SellUnitsRequest,
)
from pathbook.v1.values_pb2 import (
    ATTESTATION_RECORDED,
    AUTHORIZATION_STATUS_AUTHORIZED,
    AUTHORIZATION_STATUS_NEVER_AUTHORIZED,
    DELIVERY_LATER,
    DISCREPANCY_KIND_DAMAGED,
    DISCREPANCY_KIND_SHORT,
    PARTY_KIND_AGENT,
    TRANSFER_STATUS_ACCEPTED,
    TRANSFER_STATUS_ACCEPTED_IN_PART,
    TRANSFER_STATUS_DECLINED,
    TRANSFER_STATUS_OFFERED,
    TRANSFER_STATUS_REVERSED,
    TRANSFER_STATUS_WITHDRAWN,
    UNIT_STATE_CONFIRMED,
    UNIT_STATE_DAMAGED,
    UNIT_STATE_IN_STOCK,
    UNIT_STATE_OFFERED,
    Price,
    UnitRange,
)
from tests.services.masks import BEGUN, MASK, SIZE, begin, boxes, yuan


def test_an_offer_reserves_and_its_acceptance_moves(client: Client) -> None:
    """Offered units are reserved, belong to the receiver after acceptance, and both sides see the transfer."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    offered = client.offer_transfer(
        giver="acme", receiver="ann", units=select(quantities=[(100, MASK)]), unit_price=yuan(150)
    )
    transfer = offered.receipt.position
    assert list(offered.ranges) == [UnitRange(batch=1, first=0, last=99)]
    assert client.get_path((1, 5)).run.state == UNIT_STATE_OFFERED
    (stock,) = client.list_stock("acme")
    assert (stock.owned, stock.in_custody, stock.reserved) == (SIZE, SIZE, 100)
    accepted = client.accept_transfer(transfer, receiver="ann")
    assert list(accepted.ranges) == list(offered.ranges)
    (found,) = client.get_transfer(transfer)
    assert (found.kind, found.status) == (TRANSFER_KIND_TRANSFER, TRANSFER_STATUS_ACCEPTED)
    assert (found.giver, found.receiver, found.units, found.accepted_units) == ("acme", "ann", 100, 100)
    assert (found.unit_price.amount_minor, found.answered_position) == (15_000, accepted.receipt.position)
    assert list(found.ranges) == list(offered.ranges)
    for party in ("acme", "ann"):
        (listed,) = client.list_transfers(party)
        assert (listed.transfer, list(listed.ranges)) == (transfer, list(offered.ranges))
    (stock,) = client.list_stock("ann")
    assert (stock.owned, stock.in_custody, stock.reserved) == (100, 100, 0)
    assert (stock.batch.batch, stock.product_name) == (1, "Mask, box of 50")


def test_an_offer_is_accepted_in_part(client: Client) -> None:
    """Damaged units, named by code, and missing units, given as a number, stay with the giver."""
    begin(client)
    offered = client.offer_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150))
    ((code,),) = (message.serials for message in client.list_codes(1, 3, 3))
    accepted = client.accept_transfer(
        offered.receipt.position,
        receiver="ann",
        discrepancies=[
            DiscrepancyClaim(kind=DISCREPANCY_KIND_DAMAGED, codes=[code]),
            DiscrepancyClaim(kind=DISCREPANCY_KIND_SHORT, count=2),
        ],
    )
    assert [(item.first, item.last) for item in accepted.ranges] == [(0, 2), (4, 7)]
    (found,) = client.get_transfer(offered.receipt.position)
    assert (found.status, found.units, found.accepted_units) == (TRANSFER_STATUS_ACCEPTED_IN_PART, 10, 7)


def test_offers_are_declined_and_withdrawn(client: Client) -> None:
    """A declined and a withdrawn offer leave the units with the giver, and can be listed by status."""
    begin(client)
    transfers = []
    for _ in range(3):
        offered = client.offer_transfer(
            giver="acme", receiver="ann", units=select(quantities=[(1, 1)]), unit_price=yuan(150)
        )
        transfers.append(offered.receipt.position)
    client.decline_transfer(transfers[0], receiver="ann", note="too many")
    client.withdraw_transfer(transfers[1], giver="acme")
    for status, expected in (
        (TRANSFER_STATUS_DECLINED, transfers[0]),
        (TRANSFER_STATUS_WITHDRAWN, transfers[1]),
        (TRANSFER_STATUS_OFFERED, transfers[2]),
    ):
        assert [item.transfer for item in client.list_transfers("ann", status=status)] == [expected]
    newest_first = [item.transfer for item in client.list_transfers("acme", page_size=1)]
    assert newest_first == transfers[::-1]
    steps = client.get_path((1, 0), corrections=True).steps
    assert [step.kind for step in steps] == [
        PATH_STEP_KIND_COMMISSIONED,
        PATH_STEP_KIND_OFFERED,
        PATH_STEP_KIND_RELEASED,
    ]
    assert [step.kind for step in client.get_path((1, 0)).steps] == [PATH_STEP_KIND_COMMISSIONED]


def test_a_unit_passes_from_hand_to_hand_to_its_consumer(client: Client) -> None:
    """The path of a sold unit has each hop with tier, price and authorization, and the ladder each tier's price."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    client.authorize_party("bob", upline="ann", tier=2)
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 99), unit_price=yuan(150))
    client.record_transfer(giver="ann", receiver="bob", units=boxes(0, 49), unit_price=yuan(180))
    client.record_transfer(giver="bob", receiver="corner", units=boxes(0, 9), unit_price=yuan(210))
    sold = client.sell_units(seller="corner", consumer="eve", units=boxes(0, 0), unit_price=yuan(300))
    client.confirm_purchase(consumer="eve", units=boxes(0, 0), price_paid=yuan(300))
    path = client.get_path((1, 0))
    assert (path.run.owner, path.run.custodian) == ("consumer:eve", "consumer:eve")
    assert path.run.state == UNIT_STATE_CONFIRMED
    assert [step.kind for step in path.steps] == [
        PATH_STEP_KIND_COMMISSIONED,
        *[PATH_STEP_KIND_TRANSFERRED] * 3,
        PATH_STEP_KIND_SOLD,
        PATH_STEP_KIND_CONFIRMED,
    ]
    hops = path.steps[1:5]
    assert [step.terms.unit_price.amount_minor for step in hops] == [15_000, 18_000, 21_000, 30_000]
    authorities = [authority for step in hops for authority in step.terms.authorities]
    assert [(item.giver_tier, item.receiver_tier) for item in authorities[:2]] == [(0, 1), (1, 2)]
    assert not authorities[2].HasField("receiver_tier")
    assert authorities[1].receiver_authorization == AUTHORIZATION_STATUS_AUTHORIZED
    assert authorities[2].receiver_authorization == AUTHORIZATION_STATUS_NEVER_AUTHORIZED
    assert {step.attestation for step in path.steps} == {ATTESTATION_RECORDED}
    assert path.steps[-1].head == path.run.head
    before = client.get_path((1, 0), as_of_position=sold.receipt.position - 1)
    assert (before.run.owner, before.as_of_position) == ("corner", sold.receipt.position - 1)
    assert list(before.steps) == list(path.steps)[:4]
    rungs = client.get_ladder(1).rungs
    assert [(rung.kind, rung.tier, rung.units, rung.mean_minor) for rung in rungs] == [
        (RUNG_KIND_TIER, 1, 100, 15_000),
        (RUNG_KIND_TIER, 2, 50, 18_000),
        (RUNG_KIND_NO_TIER, 0, 10, 21_000),
        (RUNG_KIND_CONSUMER, 0, 1, 30_000),
    ]
    assert {(rung.suggested.amount_minor, rung.suggested.per_units) for rung in rungs} == {(30_000, 1)}
    assert list(client.get_ladder(MASK).rungs) == list(rungs)
    (sale,) = client.list_transfers("consumer:eve")
    assert sale.kind == TRANSFER_KIND_SALE


def test_cloud_stock_is_sold_without_moving_and_delivered_later(client: Client) -> None:
    """The title moves, and the goods stay in the warehouse until they are delivered."""
    begin(client)
    client.record_transfer(
        giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(150), delivery=DELIVERY_LATER
    )
    run = client.get_path((1, 0)).run
    assert (run.owner, run.custodian) == ("ann", "acme")
    delivered = client.deliver_units(custodian="acme", receiver="ann", units=boxes(0, 0))
    assert list(delivered.ranges) == [UnitRange(batch=1, first=0, last=0)]
    path = client.get_path((1, 0))
    assert (path.run.owner, path.run.custodian) == ("ann", "ann")
    assert path.steps[-1].kind == PATH_STEP_KIND_DELIVERED


def test_sold_units_are_returned_to_the_shop(client: Client) -> None:
    """A consumer's return gives the unit back to the shop at the price paid, as a line of a return."""
    begin(client)
    client.record_transfer(giver="acme", receiver="corner", units=boxes(0, 9), unit_price=yuan(150))
    sold = client.sell_units(seller="corner", consumer="eve", units=boxes(0, 0), unit_price=yuan(300))
    returned = client.return_units(owner="consumer:eve", units=boxes(0, 0), note="unopened")
    assert list(returned.ranges) == [UnitRange(batch=1, first=0, last=0)]
    (line,) = client.get_transfer(returned.receipt.position)
    assert (line.kind, line.returns_transfer) == (TRANSFER_KIND_RETURN, sold.receipt.position)
    assert (line.giver, line.receiver) == ("consumer:eve", "corner")
    path = client.get_path((1, 0))
    assert (path.run.owner, path.run.state) == ("corner", UNIT_STATE_IN_STOCK)
    assert path.steps[-1].kind == PATH_STEP_KIND_RETURNED


def test_a_transfer_is_reversed_by_both_sides(client: Client) -> None:
    """One side asks and the other agrees, and then only a path with corrections shows the transfer."""
    begin(client)
    recorded = client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150))
    transfer = recorded.receipt.position
    assert not client.reverse_transfer(transfer, party="acme", note="wrong price").reversed
    assert client.get_transfer(transfer)[0].reversal_asked_by == "acme"
    assert client.reverse_transfer(transfer, party="ann").reversed
    assert client.get_transfer(transfer)[0].status == TRANSFER_STATUS_REVERSED
    path = client.get_path((1, 0))
    assert path.run.owner == "acme"
    assert [step.kind for step in path.steps] == [PATH_STEP_KIND_COMMISSIONED]
    corrected = client.get_path((1, 0), corrections=True).steps
    assert [step.kind for step in corrected] == [
        PATH_STEP_KIND_COMMISSIONED,
        PATH_STEP_KIND_TRANSFERRED,
        PATH_STEP_KIND_REVERSED,
    ]
    assert [step.corrected for step in corrected] == [False, True, True]


def test_units_are_written_off(client: Client) -> None:
    """A unit that is written off as damaged keeps that state."""
    begin(client)
    written = client.write_off_units(party="acme", units=boxes(7, 8), state=UNIT_STATE_DAMAGED, note="wet")
    assert list(written.ranges) == [UnitRange(batch=1, first=7, last=8)]
    path = client.get_path((1, 8))
    assert path.run.state == UNIT_STATE_DAMAGED
    assert path.steps[-1].kind == PATH_STEP_KIND_WRITTEN_OFF


def test_many_writes_go_on_one_call(client: Client) -> None:
    """Transfers, sales and returns in batches are each answered in order, and refused ones by name."""
    begin(client)
    price = Price(amount_minor=15_000, currency_code="CNY")

    def sale(number: int) -> SellUnitsRequest:
        return SellUnitsRequest(
            request_id=f"sale {number}",
            seller="corner",
            consumer="eve",
            units=boxes(number, number),
            unit_price=price,
        )

    results = list(
        client.record_transfers(
            [
                [
                    RecordTransferRequest(
                        giver="acme", receiver="corner", units=boxes(0, 99), unit_price=price
                    ),
                    *map(sale, range(10)),
                ],
                [],
                [sale(500), SellUnitsRequest(seller="corner", consumer="eve", units=boxes(5, 5)), sale(3)],
                [ReturnUnitsRequest(owner="consumer:eve", units=boxes(0, 9))],
            ]
        )
    )
    assert [len(batch) for batch in results] == [11, 0, 3, 1]
    assert all(result.HasField("receipt") for result in results[0])
    reasons = [result.refusal.message for result in results[2]]
    assert reasons[0].startswith("Units 1:500 belong to acme, not to corner.")
    assert reasons[1] == "unit_price is missing. Name it."
    assert results[2][2].receipt.duplicate
    assert results[2][2].receipt.position == results[0][4].receipt.position
    assert client.get_path((1, 9)).run.owner == "corner"
    assert client.get_head().position == BEGUN + 11 + 1


def test_the_stream_is_read_in_order_up_to_its_head(client: Client) -> None:
    """Read returns all events after a position, or a limited number, and GetHead the last position."""
    begin(client)
    head = client.get_head()
    client.get_party("acme")
    assert (head.position, client.get_head().views_position) == (BEGUN, BEGUN)
    (batch,) = client.read()
    assert (batch.first_position, len(batch.events), batch.next_after_position) == (1, BEGUN, BEGUN)
    (batch,) = client.read(2, limit=3)
    assert (batch.first_position, len(batch.events), batch.next_after_position) == (3, 3, 5)
    assert list(client.read(BEGUN)) == []


def test_a_subscriber_gets_past_and_new_events(client: Client) -> None:
    """Subscribe sends the past events at once, and then each new event when it is recorded."""
    begin(client)
    positions: list[int] = []
    for batch in client.subscribe(2):
        positions += range(batch.first_position, batch.next_after_position + 1)
        if positions[-1] == 8:
            break
        client.register_party(f"agent-{positions[-1]}", PARTY_KIND_AGENT)
    assert positions == [3, 4, 5, 6, 7, 8]
