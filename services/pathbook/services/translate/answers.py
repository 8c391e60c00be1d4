"""Messages for the results of queries: books, parties, goods, transfers, corrections, stock, paths."""

from collections.abc import Iterable

from pathbook.ledger.codec import TERMS
from pathbook.ledger.events import Discrepancy
from pathbook.ledger.notes import Note
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import (
    AuthorizationRow,
    BatchRow,
    PartyRow,
    ProductRow,
    products_from_text,
    ranges_from_text,
)
from pathbook.ledger.queries import answers
from pathbook.ledger.steps import Step, attestation_of
from pathbook.ledger.values import Attestation, Price
from pathbook.services.translate.values import price, timestamp, timestamp_or_none, unit_ranges
from pathbook.v1 import (
    batches_pb2,
    books_pb2,
    corrections_pb2,
    events_pb2,
    keys_pb2,
    parties_pb2,
    paths_pb2,
    transfers_pb2,
    values_pb2,
)


def book(found: answers.OpenedBook, incarnation: str) -> books_pb2.Book:
    """Return the message for a book and its incarnation."""
    opened = found.opened
    return books_pb2.Book(
        name=opened.name,
        origin=opened.origin,
        policy=events_pb2.Policy(max_tier=opened.policy.max_tier, signed=opened.policy.signed),
        code_key=opened.code_key,
        position=found.position,
        opened_at=timestamp(found.opened_at),
        incarnation=incarnation,
    )


def party(
    row: PartyRow, authorizations: Iterable[parties_pb2.Authorization], *, are_left_out: bool
) -> parties_pb2.Party:
    """Return the message for a party with messages for its authorizations, some of which may be left out."""
    return parties_pb2.Party(
        party=row.party,
        kind=values_pb2.PartyKind.ValueType(row.kind),
        position=row.position,
        head=row.head,
        head_position=row.head_position,
        authorizations=authorizations,
        corrected_position=row.corrected_position,
        authorizations_left_out=are_left_out,
    )


def listed_party(found: answers.Party) -> parties_pb2.Party:
    """Return the message for a party of a list."""
    return party(found.row, map(authorization, found.authorizations), are_left_out=found.goes_on)


def authorization(row: AuthorizationRow) -> parties_pb2.Authorization:
    """Return the message for an authorization."""
    return parties_pb2.Authorization(
        position=row.position,
        upline=row.upline,
        tier=row.tier,
        gtins=products_from_text(row.products),
        region=row.region,
        valid_from=timestamp(row.valid_from),
        valid_until=timestamp_or_none(row.valid_until),
        revoked_from=timestamp_or_none(row.revoked_from),
    )


def key(row: KeyRow) -> keys_pb2.Key:
    """Return the message for a key."""
    return keys_pb2.Key(
        key=row.key,
        recovery_key=row.recovery_key,
        position=row.position,
        registered_at=timestamp(row.registered_at),
        endorser=row.endorser,
        endorser_key=row.endorser_key,
        revoked_position=row.revoked_position,
        revoked_at=timestamp_or_none(row.revoked_at),
    )


def product(row: ProductRow) -> batches_pb2.Product:
    """Return the message for a product."""
    return batches_pb2.Product(
        gtin=row.product,
        brand=row.brand,
        name=row.name,
        suggested_price=_suggested(row),
        position=row.position,
        corrected_position=row.corrected_position,
    )


def batch(row: BatchRow, recalls: Iterable[batches_pb2.Recall], *, are_left_out: bool) -> batches_pb2.Batch:
    """Return the message for a batch with messages for its recalls, some of which may be left out."""
    return batches_pb2.Batch(
        batch=row.batch,
        gtin=row.product,
        brand=row.brand,
        lot=row.lot,
        size=row.size,
        made_on=row.made_on,
        expires_on=row.expires_on or "",
        suggested_price=_suggested(row),
        position=row.position,
        head=row.head,
        head_position=row.head_position,
        recalls=recalls,
        corrected_position=row.corrected_position,
        code_key=row.code_key.hex(),
        recalls_left_out=are_left_out,
    )


def listed_batch(found: answers.Batch) -> batches_pb2.Batch:
    """Return the message for a batch of a list or of a path."""
    return batch(found.row, map(recall, found.recalls), are_left_out=found.goes_on)


def _suggested(row: ProductRow | BatchRow) -> values_pb2.Price:
    return price(Price(row.suggested_minor, row.suggested_currency, row.suggested_per_units))


def recall(found: answers.Recall) -> batches_pb2.Recall:
    """Return the message for a recall."""
    row = found.row
    return batches_pb2.Recall(
        position=row.position,
        ranges=unit_ranges(ranges_from_text(row.batch, row.ranges)),
        note=_note(found.note),
        occurred_at=timestamp(row.occurred_at),
        lifted_position=row.lifted_position,
        lifted_at=timestamp_or_none(row.lifted_at),
        left_out_ranges=found.left_out,
    )


def _note(found: Note | None) -> values_pb2.Note | None:
    return None if found is None else values_pb2.Note(text=found.text, salt=found.salt)


def case(found: answers.Case, next_page_token: str) -> batches_pb2.GetCaseResponse:
    """Return the message for a packed case, with a page of its ranges."""
    return batches_pb2.GetCaseResponse(
        sscc=found.row.sscc,
        outer=found.row.outer or "",
        ranges=unit_ranges(found.ranges),
        cases=found.cases,
        position=found.row.position,
        next_page_token=next_page_token,
    )


def discrepancy(found: Discrepancy) -> events_pb2.Discrepancy:
    """Return the message for units that were not accepted."""
    kind = values_pb2.DiscrepancyKind.ValueType(found.kind)
    return events_pb2.Discrepancy(kind=kind, ranges=unit_ranges(found.ranges))


def correction(found: answers.Correction) -> corrections_pb2.Correction:
    """Return the message for a correction."""
    return corrections_pb2.Correction(position=found.position, event=found.data, note=_note(found.note))


def transfer(found: answers.Transfer) -> transfers_pb2.Transfer:
    """Return the message for a transfer, a sale, or a line of a return."""
    row = found.row
    return transfers_pb2.Transfer(
        transfer=row.transfer,
        kind=transfers_pb2.TransferKind.ValueType(row.kind),
        status=values_pb2.TransferStatus.ValueType(row.status),
        giver=row.giver,
        receiver=row.receiver,
        unit_price=price(Price(row.amount_minor, row.currency_code, row.per_units)),
        units=row.units,
        accepted_units=row.accepted_units,
        ranges=unit_ranges(found.ranges),
        occurred_at=timestamp(row.occurred_at),
        recorded_at=timestamp(row.recorded_at),
        deadline=timestamp_or_none(row.deadline),
        answered_position=row.answered_position,
        reversal_asked_by=row.reversal_asked_by,
        returns_transfer=row.returns_transfer,
        discrepancies=map(discrepancy, found.discrepancies),
        reference=row.reference,
        extra=unit_ranges(found.extra),
        extra_allowed=found.terms[0].extra_allowed,
        attestation=_attestation(
            attestation_of(
                by_giver=bool(row.giver_signed),
                by_receiver=bool(row.receiver_signed),
                reported_by_both=bool(row.is_attested),
            )
        ),
        note=_note(found.note),
        reversal_note=_note(found.reversal_note),
    )


def _attestation(by: Attestation) -> values_pb2.Attestation.ValueType:
    return values_pb2.Attestation.ValueType(by)


def holder(found: answers.Holder) -> paths_pb2.Holder:
    """Return the message for consecutive units and the party that holds them."""
    (units,) = unit_ranges([found.range])
    return paths_pb2.Holder(
        range=units,
        units=found.range.count,
        owner=found.owner,
        custodian=found.custodian,
        state=values_pb2.UnitState.ValueType(found.state),
    )


def stock(found: answers.Stock) -> paths_pb2.Stock:
    """Return the message for the units of a batch that a party has."""
    row = found.row
    return paths_pb2.Stock(
        batch=batch(row.batch, map(recall, found.recalls), are_left_out=found.goes_on),
        product_name=row.product_name,
        owned=row.owned,
        in_custody=row.in_custody,
        reserved=row.reserved,
    )


def path(
    found: answers.Path, serial: str, steps: Iterable[paths_pb2.PathStep], next_page_token: str
) -> paths_pb2.GetPathResponse:
    """Return the message for the path of a unit, with a page of steps.

    ``serial`` is that by which the caller asked, or "".
    """
    return paths_pb2.GetPathResponse(
        unit=values_pb2.Unit(batch=found.unit.batch, number=found.unit.number),
        serial=serial,
        product=product(found.product),
        batch=listed_batch(found.batch),
        run=_run(found.run),
        steps=steps,
        as_of_position=found.as_of_position,
        batch_correction=None if found.batch_correction is None else correction(found.batch_correction),
        next_page_token=next_page_token,
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


def step(found: Step) -> paths_pb2.PathStep:
    """Return the message for a step of a path."""
    moved = found.movement
    message = paths_pb2.PathStep(
        position=found.position,
        kind=paths_pb2.PathStepKind.ValueType(moved.kind),
        corrected=found.corrected,
        occurred_at=timestamp(found.occurred_at),
        recorded_at=timestamp(found.recorded_at),
        giver=moved.giver,
        receiver=moved.receiver,
        price_paid=None if moved.price_paid is None else price(moved.price_paid),
        state=values_pb2.UnitState.ValueType(found.state),
        attestation=_attestation(found.attestation),
        event=found.data,
        head=found.head,
        owner=found.owner,
        custodian=found.custodian,
        out_of_order_position=found.out_of_order,
        declared_position=moved.declared,
        note=_note(found.note),
        left_out_bytes=found.left_out_bytes,
    )
    if moved.terms is not None:
        TERMS.write(message.terms, moved.terms)
        message.terms.unit_price.CopyFrom(price(moved.terms.unit_price))
    return message
