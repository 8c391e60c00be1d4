"""The path of a unit as a table: each hand, the price it paid, and how the price compares."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from pathbook.cli import output
from pathbook.cli.settings import current_zone
from pathbook.ledger.values import Price
from pathbook.v1 import values_pb2
from pathbook.v1.batches_pb2 import Recall
from pathbook.v1.events_pb2 import Authority
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from pathbook.v1.values_pb2 import Attestation, AuthorizationStatus, UnitState

NUMBERS = {0, 5, 6, 7, 8}
"""The columns that are aligned on the right."""

HOPS = (PathStepKind.PATH_STEP_KIND_TRANSFERRED, PathStepKind.PATH_STEP_KIND_SOLD)
"""The steps by which title moved onward."""

BACK = (PathStepKind.PATH_STEP_KIND_RETURNED, PathStepKind.PATH_STEP_KIND_REVERSED)
"""The steps by which title moved back."""

DATE_WIDTH = 14
"""The most columns for the title of the dates. A zone with a longer name stands below the table, which is wide."""

OUT_OF_ORDER = " *"
"""The mark of a step that claims to have happened before an earlier step."""

CHOSEN = ", chosen"
"""The mark of a hop whose unit was not named, but chosen by the book for a quantity."""

ATTESTED_BY: Final = {
    Attestation.ATTESTATION_RECORDED: "operator",
    Attestation.ATTESTATION_REPORTED_BY_BOTH: "both sides",
    Attestation.ATTESTATION_SIGNED_BY_GIVER: "giver's key",
    Attestation.ATTESTATION_SIGNED_BY_RECEIVER: "receiver's key",
    Attestation.ATTESTATION_SIGNED_BY_BOTH: "both keys",
}
"""Who vouches for a step, in the last column, and whether by a signature."""

SIGNED: Final = "signed"
"""What the last column says of a signed step that is no hop, and has no giver."""


def draw(path: GetPathResponse, *, corrections: bool = False) -> str:
    """Return the unit, its path as a table, and its owner and custodian now."""
    shown = shown_steps(path, corrections=corrections)
    moved = (
        _table(shown, path.batch.suggested_price, path.batch.brand)
        if shown
        else f"It never left {path.batch.brand}."
    )
    return f"{_unit(path)}\n\n{moved}\n\n{_now(path, shown)}"


def share(price: Price, of: Price) -> str:
    """Return a price as a share of another: `50.0%`. The text is empty for other currencies, and for a share of 0."""
    if price.currency_code != of.currency_code or not of.amount_minor:
        return ""
    return f"{percent(price.each, of.each)}%"


def mark_up(price: Price, before: Price | None) -> str:
    """Return how much more (or less) a hop cost than the hop before: `+20.0%`."""
    if before is None or before.currency_code != price.currency_code or not before.amount_minor:
        return ""
    return f"{percent(price.each - before.each, before.each, '+')}%"


def percent(part: Fraction, whole: Fraction, sign: str = "") -> str:
    """Return a part in percent of the whole, to one decimal. It is computed exactly, and rounded half to even."""
    tenths = round(1_000 * part / whole)
    digits = str(abs(tenths)).rjust(2, "0")
    return f"{'-' if tenths < 0 else sign}{digits[:-1]}.{digits[-1]}"


def shown_steps(path: GetPathResponse, *, corrections: bool) -> list[PathStep]:
    """Return the steps after commissioning. Without corrections, only those that are still in force."""
    without_effect = (
        PathStepKind.PATH_STEP_KIND_OFFERED,
        PathStepKind.PATH_STEP_KIND_RELEASED,
        PathStepKind.PATH_STEP_KIND_ATTESTED,
    )
    attested = PathStepKind.PATH_STEP_KIND_ATTESTED
    last = next((step.position for step in reversed(path.steps) if step.kind != attested), 0)
    return [
        step
        for step in path.steps
        if step.kind != PathStepKind.PATH_STEP_KIND_COMMISSIONED
        and (corrections or not step.corrected)
        and (corrections or step.kind not in without_effect or _is_open(step, last))
    ]


def _is_open(step: PathStep, last: int) -> bool:
    """Tell whether a step is an offer that no later step answered. Reports of receivers answer nothing."""
    return step.kind == PathStepKind.PATH_STEP_KIND_OFFERED and step.position == last


def _unit(path: GetPathResponse) -> str:
    batch = path.batch
    made = output.registered(batch.position, batch.corrected_position)
    return output.fields(
        [
            (
                "unit",
                f"{path.unit.batch}:{path.unit.number}" + (f", serial {path.serial}" if path.serial else ""),
            ),
            ("product", f"{path.product.name}, GTIN {path.product.gtin}"),
            ("batch", f"lot {batch.lot}, {batch.size} units, commissioned {made}"),
            ("made", f"{batch.made_on} by {batch.brand}; expires {batch.expires_on or 'never'}"),
            ("suggested price", output.price(batch.suggested_price)),
        ]
    )


def _table(shown: Sequence[PathStep], suggested: values_pb2.Price, maker: str) -> str:
    currencies = {_price(step).currency_code for step in shown} - {""}
    price_title = currencies.pop() if len(currencies) == 1 else "price"
    beside = f"of {output.bare_price(suggested)}"
    titles = [
        "at",
        output.days_of("date") if _zone_fits() else "date",
        "what",
        "giver",
        "receiver",
        "tier",
        price_title,
        "mark-up",
        beside,
        "attested by",
    ]
    return output.table(titles, list(rows(shown, suggested, maker, in_title=price_title != "price")), NUMBERS)


def _zone_fits() -> bool:
    """Tell whether the title of the dates can name their zone without making the table wider than its dates do."""
    return len(output.days_of("date")) <= DATE_WIDTH


def rows(
    shown: Iterable[PathStep], suggested: values_pb2.Price, maker: str, *, in_title: bool
) -> Iterable[list[str]]:
    """Yield the cells of each step. ``in_title`` tells whether the title of the prices has their currency."""
    paid: list[Price] = []
    custodian = maker
    for step in shown:
        moved, custodian = step.custodian != custodian, step.custodian
        stated, markup, beside = _price(step), "", ""
        price = output.price_of(stated)
        if step.kind in HOPS and not step.corrected:
            markup = mark_up(price, paid[-1] if paid else None)
            beside = share(price, output.price_of(suggested))
            paid.append(price)
        elif step.kind == PathStepKind.PATH_STEP_KIND_RETURNED and not step.corrected and paid:
            paid.pop()
        yield [
            str(step.position),
            output.day(step.occurred_at) + (OUT_OF_ORDER if step.out_of_order_position else ""),
            _what(step, moved=moved),
            step.giver,
            step.receiver,
            _tier(step),
            output.bare_price(stated) if in_title else output.price(stated),
            markup,
            beside,
            _attested_by(step),
        ]


def _attested_by(step: PathStep) -> str:
    if step.attestation == Attestation.ATTESTATION_SIGNED_BY_GIVER and not step.giver:
        return SIGNED
    return ATTESTED_BY.get(step.attestation, "")


def _price(step: PathStep) -> values_pb2.Price:
    """Return the price at a step, an empty one where none was paid."""
    return step.price_paid if step.HasField("price_paid") else step.terms.unit_price


def _tier(step: PathStep) -> str:
    """Return the receiver's tier; what goes back is received by the giver of the terms."""
    authority = authority_of(step)
    if authority is None:
        return ""
    if step.receiver == step.terms.receiver:
        return str(authority.receiver_tier) if authority.HasField("receiver_tier") else ""
    return str(authority.giver_tier) if authority.HasField("giver_tier") else ""


def authority_of(step: PathStep) -> Authority | None:
    """Return the authority of both sides of a step, whose terms have only the range of the unit."""
    return step.terms.authorities[0] if step.terms.authorities else None


def _what(step: PathStep, *, moved: bool) -> str:
    """Return what happened. ``moved`` says whether the goods have another custodian than after the row before.

    What happened to the goods is a question of where they are, not of what the terms say about their delivery.
    """
    what = output.word(PathStepKind.DESCRIPTOR, step.kind)
    if step.kind in HOPS and not moved:
        what = "title only"
    if step.kind in HOPS and step.terms.chosen_by_book:
        what += CHOSEN
    if step.kind in BACK and not moved:
        what += ", title only"
    if step.kind == PathStepKind.PATH_STEP_KIND_ERROR_DECLARED:
        what += f": {step.declared_position}"
    if step.kind == PathStepKind.PATH_STEP_KIND_WRITTEN_OFF:
        what = f"written off: {output.word(UnitState.DESCRIPTOR, step.state)}"
    return f"({what})" if step.corrected else what


def _in_force(recall: Recall, path: GetPathResponse) -> bool:
    """Return whether a recall concerned the unit at the position that the path is as of."""
    as_of = path.as_of_position
    made = recall.position <= as_of and (not recall.lifted_position or recall.lifted_position > as_of)
    return made and any(part.first <= path.unit.number <= part.last for part in recall.ranges)


def _now(path: GetPathResponse, shown: Sequence[PathStep]) -> str:
    """Return the owner and the custodian now, recalls, notes, and whether both sides of each hop were authorized."""
    run = path.run
    state = output.word(UnitState.DESCRIPTOR, run.state) + (f", packed in {run.sscc}" if run.sscc else "")
    pairs = [("owner", run.owner), ("custodian", run.custodian), ("state", state)]
    if shown and not _zone_fits():
        pairs.append(("dates in", current_zone().name))
    if run.owner != run.custodian:
        pairs.append(("cloud stock", f"{run.owner} owns it, but {run.custodian} has it"))
    pairs += [
        ("recalled", f"since position {recall.position}: {recall.note.text or 'no reason on record'}")
        for recall in path.batch.recalls
        if _in_force(recall, path)
    ]
    pairs += [
        ("reference", f"{step.terms.reference} at {step.position}")
        for step in shown
        if step.kind in HOPS and step.terms.reference
    ]
    pairs += [
        (OUT_OF_ORDER.strip(), f"{step.position} claims to have happened before {step.out_of_order_position}")
        for step in shown
        if step.out_of_order_position
    ]
    chosen = [str(step.position) for step in shown if step.kind in HOPS and step.terms.chosen_by_book]
    if chosen:
        places = ", ".join(chosen)
        pairs.append(
            ("chosen", f"by the book at {places}: a quantity was named, so other units may have moved")
        )
    pairs += [("note", f"at {step.position}: {step.note.text}") for step in shown if step.HasField("note")]
    marks = [
        f"{party} {output.word(AuthorizationStatus.DESCRIPTOR, status)} at {step.position}"
        for step in shown
        if step.kind in HOPS and not step.corrected and (authority := authority_of(step)) is not None
        for party, status in (
            (step.giver, authority.giver_authorization),
            (step.receiver, authority.receiver_authorization),
        )
        if status
        not in (
            AuthorizationStatus.AUTHORIZATION_STATUS_UNSPECIFIED,
            AuthorizationStatus.AUTHORIZATION_STATUS_AUTHORIZED,
        )
    ]
    if any(step.kind in HOPS and not step.corrected for step in shown):
        pairs.append(("authorization", "; ".join(marks) or "each side was authorized for the product"))
    return output.fields(pairs)
