"""The commands about units that requests ask: transfers, deliveries, sales, returns, write-offs, cases, recalls.

Each function raises RefusedRequestError if it cannot read a field. It is given the units of the request with ranges in
place of codes, and the note with the salt of its commitment, because both are found outside.
"""

from collections.abc import Sequence
from sys import intern

from pathbook.ledger import commands
from pathbook.ledger.codec import requests
from pathbook.ledger.values import DiscrepancyKind, Ranges, Selection, UnitState
from pathbook.v1 import batches_pb2, transfers_pb2


def record_transfer(
    request: transfers_pb2.RecordTransferRequest, units: Selection
) -> commands.RecordTransfer:
    """Return the command to record a transfer in one step.

    Its parties are interned, because each run that it makes keeps their names as long as it is in memory.
    """
    return commands.RecordTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        giver=intern(request.giver),
        receiver=intern(request.receiver),
        units=units,
        unit_price=requests.price(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
        reference=request.reference,
        reported_by=request.reported_by,
    )


def sell_units(request: transfers_pb2.SellUnitsRequest, units: Selection) -> commands.SellUnits:
    """Return the command to sell units."""
    return commands.SellUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        seller=request.seller,
        consumer=request.consumer,
        units=units,
        unit_price=requests.price(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
        reference=request.reference,
    )


def return_units(
    request: transfers_pb2.ReturnUnitsRequest, units: Selection, note: str, note_salt: bytes
) -> commands.ReturnUnits:
    """Return the command to return units."""
    return commands.ReturnUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        owner=request.owner,
        units=units,
        note=note,
        note_salt=note_salt,
    )


def offer_transfer(request: transfers_pb2.OfferTransferRequest, units: Selection) -> commands.OfferTransfer:
    """Return the command to offer units."""
    return commands.OfferTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        giver=request.giver,
        receiver=request.receiver,
        units=units,
        unit_price=requests.price(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
        deadline=requests.time_or_none(request, "deadline"),
        reference=request.reference,
        extra_allowed=request.extra_allowed,
    )


def accept_transfer(
    request: transfers_pb2.AcceptTransferRequest, claimed: Sequence[Ranges], extra: Ranges
) -> commands.AcceptTransfer:
    """Return the command to accept an offer.

    ``claimed`` has the ranges that the codes of each discrepancy name, and ``extra`` those of the extra codes.
    """
    return commands.AcceptTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        receiver=request.receiver,
        transfer=request.transfer,
        answered_leaf=request.answered_leaf,
        discrepancies=tuple(
            [_discrepancy(claim, coded) for claim, coded in zip(request.discrepancies, claimed, strict=True)]
        ),
        extra=requests.ranges(request.extra) + extra,
    )


def _discrepancy(claim: transfers_pb2.DiscrepancyClaim, coded: Ranges) -> commands.DiscrepancyClaim:
    return commands.DiscrepancyClaim(
        kind=requests.enum_value(claim.kind, DiscrepancyKind, "discrepancies.kind"),
        ranges=requests.ranges(claim.ranges) + coded,
        count=claim.count,
    )


def decline_transfer(
    request: transfers_pb2.DeclineTransferRequest, note: str, note_salt: bytes
) -> commands.DeclineTransfer:
    """Return the command to decline an offer."""
    return commands.DeclineTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        receiver=request.receiver,
        transfer=request.transfer,
        answered_leaf=request.answered_leaf,
        note=note,
        note_salt=note_salt,
    )


def withdraw_transfer(request: transfers_pb2.WithdrawTransferRequest) -> commands.WithdrawTransfer:
    """Return the command to withdraw an offer."""
    return commands.WithdrawTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        giver=request.giver,
        transfer=request.transfer,
        answered_leaf=request.answered_leaf,
    )


def reverse_transfer(
    request: transfers_pb2.ReverseTransferRequest, note: str, note_salt: bytes
) -> commands.ReverseTransfer:
    """Return the command to ask for the reversal of a transfer, or to agree to it."""
    return commands.ReverseTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        party=request.party,
        transfer=request.transfer,
        answered_leaf=request.answered_leaf,
        note=note,
        note_salt=note_salt,
    )


def deliver_units(request: transfers_pb2.DeliverUnitsRequest, units: Selection) -> commands.DeliverUnits:
    """Return the command to deliver goods without their title."""
    return commands.DeliverUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        custodian=request.custodian,
        receiver=request.receiver,
        units=units,
    )


def confirm_purchase(
    request: transfers_pb2.ConfirmPurchaseRequest, units: Selection
) -> commands.ConfirmPurchase:
    """Return the command of a consumer to confirm a purchase."""
    return commands.ConfirmPurchase(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        consumer=request.consumer,
        units=units,
        price_paid=requests.price(request, "price_paid"),
    )


def write_off_units(
    request: transfers_pb2.WriteOffUnitsRequest, units: Selection, note: str, note_salt: bytes
) -> commands.WriteOffUnits:
    """Return the command to write units off."""
    return commands.WriteOffUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        party=request.party,
        units=units,
        state=requests.enum_value(request.state, UnitState, "state"),
        note=note,
        note_salt=note_salt,
    )


def pack_case(request: batches_pb2.PackCaseRequest, units: Selection) -> commands.PackCase:
    """Return the command to pack a case."""
    return commands.PackCase(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        party=request.party,
        sscc=request.sscc,
        units=units,
    )


def unpack_case(request: batches_pb2.UnpackCaseRequest) -> commands.UnpackCase:
    """Return the command to unpack a case."""
    return commands.UnpackCase(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        party=request.party,
        sscc=request.sscc,
    )


def recall_units(
    request: batches_pb2.RecallUnitsRequest, note: str, note_salt: bytes
) -> commands.RecallUnits:
    """Return the command to recall units."""
    requests.bounded(len(request.ranges))
    return commands.RecallUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        brand=request.brand,
        batch=request.batch,
        ranges=requests.ranges(request.ranges),
        note=note,
        note_salt=note_salt,
    )


def lift_recall(request: batches_pb2.LiftRecallRequest) -> commands.LiftRecall:
    """Return the command to lift a recall."""
    return commands.LiftRecall(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        brand=request.brand,
        recall=request.recall,
        answered_leaf=request.answered_leaf,
    )
