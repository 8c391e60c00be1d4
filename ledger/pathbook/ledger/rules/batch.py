"""Products, batches and recalls: registering, commissioning, correcting, recalling, and lifting a recall."""

import datetime

from pathbook.ledger.commands import (
    CommissionBatch,
    CorrectBatch,
    CorrectProduct,
    LiftRecall,
    RecallUnits,
    RegisterProduct,
)
from pathbook.ledger.events import (
    BatchCommissioned,
    BatchCorrected,
    ProductCorrected,
    ProductRegistered,
    RecallLifted,
    UnitsRecalled,
)
from pathbook.ledger.ranges import joined
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.answerable import refuse_other
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.text import commitment_of, refuse_price, refuse_text
from pathbook.ledger.rules.times import first_moment, utc
from pathbook.ledger.rules.units import refuse_before_made, refuse_out_of_bounds
from pathbook.ledger.values import (
    MAX_BATCH_NUMBER,
    MAX_BATCH_SIZE,
    MAX_RANGES,
    PartyKind,
    Unit,
    UnitRange,
    gtin14,
    lot_problem,
)


def _refuse_unless_brand(state: State, name: str) -> Refusal | None:
    party = state.parties.get(name)
    if party is None:
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    if party.kind is not PartyKind.BRAND:
        return refuse(Reason.NOT_A_BRAND, party=name)
    return None


def _product_of(state: State, brand: str, gtin: str) -> ProductRegistered | Refusal:
    """Return a product on which a brand acts, or why it may not."""
    if (refusal := _refuse_unless_brand(state, brand)) is not None:
        return refusal
    product = gtin14(gtin)
    if product is None:
        return refuse(Reason.GTIN_CHECK_DIGIT, gtin=gtin)
    known = state.products.get(product)
    if known is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=product)
    if known.registered.brand != brand:
        return refuse(Reason.NOT_THE_BRAND, product=product, brand=known.registered.brand, party=brand)
    return known.registered


def _batch_of(state: State, brand: str, number: int) -> BatchCommissioned | Refusal:
    """Return a batch on which a brand acts, or why it may not."""
    if (refusal := _refuse_unless_brand(state, brand)) is not None:
        return refusal
    batch = state.batches.get(number)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=number)
    made = batch.commissioned
    if made.brand != brand:
        return refuse(Reason.NOT_THE_BRAND, product=made.product, brand=made.brand, party=brand)
    return made


def _refuse_days(made_on: datetime.date, expires_on: datetime.date | None, now: int) -> Refusal | None:
    """Refuse a batch that would be made in the future, or that would expire before it was made."""
    if first_moment(made_on) > now:
        return refuse(Reason.OCCURRED_IN_FUTURE, occurred_at=made_on, now=utc(now))
    if expires_on is not None and expires_on < made_on:
        return refuse(Reason.EXPIRES_BEFORE_MADE, made_on=made_on, expires_on=expires_on)
    return None


def register_product(state: State, command: RegisterProduct) -> ProductRegistered | Refusal:
    """Register the product of a brand. Each GTIN can be registered once."""
    if (refusal := _refuse_unless_brand(state, command.brand)) is not None:
        return refusal
    product = gtin14(command.product)
    if product is None:
        return refuse(Reason.GTIN_CHECK_DIGIT, gtin=command.product)
    if (known := state.products.get(product)) is not None:
        return refuse(Reason.PRODUCT_EXISTS, product=product, position=known.position)
    if not command.name:
        return refuse(Reason.VALUE_MISSING, field="name")
    if (refusal := refuse_text("name", command.name)) is not None:
        return refusal
    if (refusal := refuse_price(command.suggested_price)) is not None:
        return refusal
    return ProductRegistered(product, command.brand, command.name, command.suggested_price)


def commission(state: State, command: CommissionBatch, now: int) -> BatchCommissioned | Refusal:
    """Commission a batch, as the brand of the product. A batch of any size is one event."""
    registered = _product_of(state, command.brand, command.product)
    if isinstance(registered, Refusal):
        return registered
    product = registered.product
    if problem := lot_problem(command.lot):
        return refuse(Reason.LOT_MALFORMED, lot=command.lot, problem=problem)
    if (existing := state.lots.get((product, command.lot))) is not None:
        return refuse(Reason.BATCH_EXISTS, lot=command.lot, product=product, batch=existing)
    if not 1 <= command.size <= MAX_BATCH_SIZE:
        return refuse(Reason.BATCH_SIZE_OUT_OF_BOUNDS, size=command.size, limit=MAX_BATCH_SIZE)
    if (refusal := _refuse_days(command.made_on, command.expires_on, now)) is not None:
        return refusal
    price = command.suggested_price or registered.suggested_price
    if (refusal := refuse_price(price)) is not None:
        return refusal
    if state.last_batch >= MAX_BATCH_NUMBER:
        return refuse(Reason.BOOK_FULL, limit=MAX_BATCH_NUMBER)
    return BatchCommissioned(
        batch=state.last_batch + 1,
        product=product,
        brand=command.brand,
        lot=command.lot,
        size=command.size,
        made_on=command.made_on,
        expires_on=command.expires_on,
        suggested_price=price,
        code_key=command.code_key,
    )


def correct_product(state: State, command: CorrectProduct) -> ProductCorrected | Refusal:
    """Correct the name or the suggested price of a product, as its brand. Batches keep the prices that they have."""
    registered = _product_of(state, command.brand, command.product)
    if isinstance(registered, Refusal):
        return registered
    product = registered.product
    if (refusal := refuse_text("name", command.name)) is not None:
        return refusal
    name, price = command.name or registered.name, command.suggested_price or registered.suggested_price
    if (refusal := refuse_price(price)) is not None:
        return refusal
    if (name, price) == (registered.name, registered.suggested_price):
        return refuse(Reason.NOTHING_TO_CORRECT, what=f"product {product}")
    return ProductCorrected(product, command.brand, name, price)


def correct_batch(state: State, command: CorrectBatch, now: int) -> BatchCorrected | Refusal:
    """Correct the dates or the suggested price of a batch, as its brand. Lot and size are on the labels, and stay."""
    made = _batch_of(state, command.brand, command.batch)
    if isinstance(made, Refusal):
        return made
    made_on = command.made_on or made.made_on
    expires_on = None if command.never_expires else command.expires_on or made.expires_on
    price = command.suggested_price or made.suggested_price
    if (refusal := _refuse_days(made_on, expires_on, now)) is not None:
        return refusal
    if (refusal := refuse_price(price)) is not None:
        return refusal
    if (made_on, expires_on, price) == (made.made_on, made.expires_on, made.suggested_price):
        return refuse(Reason.NOTHING_TO_CORRECT, what=f"batch {command.batch}")
    return BatchCorrected(command.batch, command.brand, made_on, expires_on, price)


def recall(state: State, command: RecallUnits, moment: int) -> UnitsRecalled | Refusal:
    """Recall a batch of the brand, or ranges of it. It does not matter which party has the units."""
    made = _batch_of(state, command.brand, command.batch)
    if isinstance(made, Refusal):
        return made
    if len(command.ranges) > MAX_RANGES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(command.ranges), limit=MAX_RANGES)
    for part in command.ranges:
        if part.batch != command.batch:
            return refuse(Reason.RANGE_BEYOND_BATCH, range=part, last=made.size - 1)
        if (refusal := refuse_out_of_bounds(state, part)) is not None:
            return refusal
    ranges = joined(command.ranges or (UnitRange(command.batch, 0, made.size - 1),))
    if isinstance(ranges, Unit):
        return refuse(Reason.RANGES_OVERLAP, number=ranges.number, batch=ranges.batch)
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    if (refusal := refuse_before_made(state, ranges, moment)) is not None:
        return refusal
    return UnitsRecalled(command.brand, command.batch, ranges, commitment_of(command))


def lift(state: State, command: LiftRecall, moment: int) -> RecallLifted | Refusal:
    """Lift a recall of the brand. It then held from its time to this time. Lifted at its beginning, it never held."""
    if (refusal := _refuse_unless_brand(state, command.brand)) is not None:
        return refusal
    number = state.recalls.get(command.recall)
    batch = state.batches.get(number) if number is not None else None
    if number is None or batch is None:
        return refuse(Reason.RECALL_UNKNOWN, recall=command.recall)
    made = batch.commissioned
    if made.brand != command.brand:
        return refuse(Reason.NOT_THE_BRAND, product=made.product, brand=made.brand, party=command.brand)
    if (refusal := refuse_other(command, state.leaves.get(command.recall, b""))) is not None:
        return refusal
    recalled = batch.recalls[command.recall]
    if recalled.until is not None:
        return refuse(Reason.RECALL_ALREADY_LIFTED, recall=command.recall)
    if moment < recalled.since:
        since, lifted_at = utc(recalled.since), utc(moment)
        return refuse(Reason.LIFTED_BEFORE_RECALL, recall=command.recall, since=since, lifted_at=lifted_at)
    return RecallLifted(command.recall, command.brand, number)
