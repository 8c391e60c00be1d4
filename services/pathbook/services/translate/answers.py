"""What queries find, as messages: parties, goods, transfers, ladders, stock, paths."""

from typing import Final

from pathbook.ledger.codec import TERMS
from pathbook.ledger.events import Discrepancy
from pathbook.ledger.queries import answers
from pathbook.ledger.reports.ladder import Rung
from pathbook.ledger.steps import Step
from pathbook.services.translate.values import money, timestamp, timestamp_or_none, unit_ranges
from pathbook.v1 import batches_pb2, events_pb2, parties_pb2, paths_pb2, transfers_pb2, values_pb2

MAX_INT64: Final = 2**63 - 1
"""The highest number that an int64 field holds."""


def party(found: answers.Party) -> parties_pb2.Party:
    """Return the message for a party."""
    return parties_pb2.Party(
        party=found.party,
        kind=values_pb2.PartyKind.ValueType(found.kind),
        position=found.position,
        authorizations=map(_authorization, found.authorizations),
    )


def _authorization(found: answers.Authorization) -> parties_pb2.Authorization:
    return parties_pb2.Authorization(
        position=found.position,
        upline=found.upline,
        tier=found.tier,
        gtins=found.products,
        region=found.region,
        valid_from=timestamp(found.valid_from),
        valid_until=timestamp_or_none(found.valid_until),
        revoked_from=timestamp_or_none(found.revoked_from),
    )


def product(found: answers.Product) -> batches_pb2.Product:
    """Return the message for a product."""
    return batches_pb2.Product(
        gtin=found.product,
        brand=found.brand,
        name=found.name,
        suggested_price=money(found.suggested_price),
        position=found.position,
    )


def batch(found: answers.Batch) -> batches_pb2.Batch:
    """Return the message for a batch."""
    return batches_pb2.Batch(
        batch=found.batch,
        gtin=found.product,
        brand=found.brand,
        lot=found.lot,
        size=found.size,
        made_on=found.made_on.isoformat(),
        expires_on="" if found.expires_on is None else found.expires_on.isoformat(),
        suggested_price=money(found.suggested_price),
        position=found.position,
        recalls=map(_recall, found.recalls),
    )


def _recall(found: answers.Recall) -> batches_pb2.Recall:
    return batches_pb2.Recall(
        position=found.position,
        ranges=unit_ranges(found.ranges),
        note=found.note,
        occurred_at=timestamp(found.occurred_at),
        lifted_position=found.lifted_position,
    )


def case(found: answers.Case) -> batches_pb2.GetCaseResponse:
    """Return the message for a packed case."""
    return batches_pb2.GetCaseResponse(
        sscc=found.sscc,
        outer=found.outer,
        ranges=unit_ranges(found.ranges),
        cases=found.cases,
        position=found.position,
    )


def discrepancy(found: Discrepancy) -> events_pb2.Discrepancy:
    """Return the message for what was not accepted."""
    kind = values_pb2.DiscrepancyKind.ValueType(found.kind)
    return events_pb2.Discrepancy(kind=kind, ranges=unit_ranges(found.ranges))


def transfer(found: answers.Transfer) -> transfers_pb2.Transfer:
    """Return the message for a transfer, a sale, or a line of a return."""
    return transfers_pb2.Transfer(
        transfer=found.transfer,
        kind=transfers_pb2.TransferKind.ValueType(found.kind),
        status=values_pb2.TransferStatus.ValueType(found.status),
        giver=found.giver,
        receiver=found.receiver,
        unit_price=money(found.unit_price),
        units=found.units,
        accepted_units=found.accepted_units,
        ranges=unit_ranges(found.ranges),
        occurred_at=timestamp(found.occurred_at),
        recorded_at=timestamp(found.recorded_at),
        deadline=timestamp_or_none(found.deadline),
        answered_position=found.answered_position,
        reversal_asked_by=found.reversal_asked_by,
        returns_transfer=found.returns_transfer,
        discrepancies=[discrepancy(item) for item in found.discrepancies],
    )


def rung(found: Rung) -> paths_pb2.Rung:
    """Return the message for a rung of a price ladder."""
    return paths_pb2.Rung(
        kind=paths_pb2.RungKind.ValueType(found.kind),
        tier=found.tier,
        currency_code=found.currency_code,
        units=found.units,
        least_minor=found.least_minor,
        median_minor=found.median_minor,
        most_minor=found.most_minor,
        mean_minor=found.mean_minor,
        sum_minor=found.sum_minor if found.sum_minor <= MAX_INT64 else None,
        suggested_minor=found.suggested_minor,
    )


def stock(found: answers.StockLine) -> paths_pb2.Stock:
    """Return the message for what a party has of a batch."""
    return paths_pb2.Stock(
        batch=batch(found.batch),
        product_name=found.product_name,
        owned=found.owned,
        in_custody=found.in_custody,
        reserved=found.reserved,
    )


def path(found: answers.Path, serial: str) -> paths_pb2.GetPathResponse:
    """Return the message for the path of a unit with a serial."""
    return paths_pb2.GetPathResponse(
        unit=values_pb2.Unit(batch=found.unit.batch, number=found.unit.number),
        serial=serial,
        product=product(found.product),
        batch=batch(found.batch),
        run=_run(found.run),
        steps=map(_step, found.steps),
        as_of_position=found.as_of_position,
    )


def _run(found: answers.UnitRun) -> paths_pb2.Run:
    (units,) = unit_ranges([found.range])
    return paths_pb2.Run(
        range=units,
        owner=found.owner,
        custodian=found.custodian,
        state=values_pb2.UnitState.ValueType(found.state),
        transfer=found.transfer,
        position=found.position,
        head=found.head,
        sscc=found.sscc,
    )


def _step(found: Step) -> paths_pb2.PathStep:
    moved = found.movement
    step = paths_pb2.PathStep(
        position=found.position,
        kind=paths_pb2.PathStepKind.ValueType(moved.kind),
        corrected=found.corrected,
        occurred_at=timestamp(found.occurred_at),
        recorded_at=timestamp(found.recorded_at),
        giver=moved.giver,
        receiver=moved.receiver,
        price_paid=None if moved.price_paid is None else money(moved.price_paid),
        state=values_pb2.UnitState.ValueType(found.state),
        attestation=values_pb2.ATTESTATION_RECORDED,
        event=found.data,
        head=found.head,
    )
    if moved.terms is not None:
        TERMS.write(step.terms, moved.terms)
    return step
