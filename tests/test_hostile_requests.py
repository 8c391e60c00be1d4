"""Requests with impossible values: each is refused, the others are recorded, and the views are still updated."""

import datetime
from pathlib import Path

import msgspec
import pytest

from pathbook.ledger import commands
from pathbook.ledger.book import Answer
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import PartyKind, Price, Quantity, Selection, UnitRange, UnitState
from tests.books import BEGINNING, PATIENCE, ask, open_books, positions, record
from tests.scenario import BALM, CODE_KEY, MASK

NUL = "a\x00b"
"""Text that protobuf allows and PostgreSQL rejects."""

FAR = (2**31, 2**62, 2**63 - 1, -1, -(2**63))
"""Numbers that protobuf allows and that no batch, unit or position can have."""

PRICE = Price(1, "CNY")


def texts(text: str) -> list[Command]:
    """Return a request for each text field, with this text in the field and valid values elsewhere."""
    request_id = "hostile"
    product = commands.RegisterProduct(
        request_id=request_id, brand="acme", product=BALM, name="balm", suggested_price=PRICE
    )
    batch = commands.CommissionBatch(
        request_id=request_id,
        brand="acme",
        product=MASK,
        lot="L9",
        size=1,
        made_on=datetime.date(2025, 12, 1),
        code_key=CODE_KEY,
    )
    transfer, sold = record(request_id), Selection((UnitRange(1, 0, 0),))
    replace = msgspec.structs.replace
    return [
        record(text),
        commands.OpenBook(request_id=request_id, name="masks", origin=text, code_key=CODE_KEY),
        commands.RegisterParty(request_id=request_id, party=text, kind=PartyKind.AGENT),
        commands.AuthorizeParty(request_id=request_id, upline="acme", party="ann", tier=1, region=text),
        commands.AuthorizeParty(request_id=request_id, upline=text, party="ann", tier=1),
        commands.AuthorizeParty(request_id=request_id, upline="acme", party=text, tier=1),
        commands.AuthorizeParty(request_id=request_id, upline="acme", party="ann", tier=1, products=(text,)),
        commands.RevokeAuthorization(request_id=request_id, upline=text, authorization=1),
        replace(product, name=text),
        replace(product, brand=text),
        replace(product, product=text),
        replace(product, suggested_price=Price(1, text)),
        replace(batch, lot=text),
        replace(batch, brand=text),
        replace(batch, product=text),
        replace(transfer, giver=text),
        replace(transfer, receiver=text),
        replace(transfer, unit_price=Price(1, text)),
        replace(transfer, units=Selection(cases=(text,))),
        replace(transfer, units=Selection(quantities=(Quantity(1, product=text),))),
        commands.SellUnits(request_id=request_id, seller="acme", consumer=text, units=sold, unit_price=PRICE),
        commands.ConfirmPurchase(request_id=request_id, consumer=text, units=sold, price_paid=PRICE),
        commands.ReturnUnits(request_id=request_id, owner=text, units=sold),
        commands.ReturnUnits(request_id=request_id, owner="consumer:" + text, units=sold),
        commands.ReturnUnits(
            request_id=request_id,
            owner="consumer:" + text,
            units=Selection(quantities=(Quantity(1, product=MASK),)),
        ),
        commands.DeliverUnits(
            request_id=request_id, custodian="acme", receiver="consumer:" + text, units=sold
        ),
        commands.WriteOffUnits(
            request_id=request_id, party="acme", units=sold, state=UnitState.LOST, note=text
        ),
        commands.PackCase(request_id=request_id, party="acme", sscc=text, units=sold),
        commands.UnpackCase(request_id=request_id, party="acme", sscc=text),
        commands.RecallUnits(request_id=request_id, brand="acme", batch=1, note=text),
        commands.DeclineTransfer(request_id=request_id, receiver=text, transfer=1),
    ]


def numbers(number: int) -> list[Command]:
    """Return a request for each number field, with this number in the field and valid values elsewhere."""
    request_id = "hostile"
    transfer, replace = record(request_id), msgspec.structs.replace
    return [
        commands.OpenBook(request_id=request_id, name="masks", max_tier=number, code_key=CODE_KEY),
        commands.AuthorizeParty(request_id=request_id, upline="acme", party="ann", tier=number),
        commands.RevokeAuthorization(request_id=request_id, upline="acme", authorization=number),
        replace(transfer, units=Selection((UnitRange(number, 0, 0),))),
        replace(transfer, units=Selection((UnitRange(1, number, number),))),
        replace(transfer, units=Selection(quantities=(Quantity(number, batch=1),))),
        replace(transfer, units=Selection(quantities=(Quantity(1, batch=number),))),
        commands.AcceptTransfer(request_id=request_id, receiver="ann", transfer=number),
        commands.DeclineTransfer(request_id=request_id, receiver="ann", transfer=number),
        commands.WithdrawTransfer(request_id=request_id, giver="acme", transfer=number),
        commands.ReverseTransfer(request_id=request_id, party="acme", transfer=number),
        commands.RecallUnits(request_id=request_id, brand="acme", batch=number),
        commands.RecallUnits(request_id=request_id, brand="acme", batch=1, ranges=(UnitRange(1, 0, number),)),
        commands.LiftRecall(request_id=request_id, brand="acme", recall=number),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(texts(NUL), id="texts"),
        pytest.param([command for number in FAR for command in numbers(number)], id="numbers"),
    ],
)
def test_a_hostile_request_is_refused_and_the_others_are_recorded(
    place: Path, hostile: list[Command]
) -> None:
    """A hostile request breaks nothing, and the requests beside it are decided as usual."""
    with open_books(place) as opened:
        positions(ask(opened, *BEGINNING))
        waiting = []
        for number, request in enumerate(hostile):
            named = f"hostile-{number}" if request.request_id == "hostile" else request.request_id
            command = msgspec.structs.replace(request, request_id=named)
            waiting.append(opened.submit("masks", [command]))
            waiting.append(opened.submit("masks", [record(f"good-{number}")]))
        for command, future in zip(hostile, waiting[::2], strict=True):
            (outcome,) = future.result(PATIENCE)
            assert isinstance(outcome, Refusal), command
        assert all(isinstance(future.result(PATIENCE)[0], Answer) for future in waiting[1::2])
        assert opened._books["masks"]._memory.reload_count == 1
        head = len(BEGINNING) + len(hostile)
        follower = opened._follower
        assert follower.reached("masks", head).result(PATIENCE) == head
