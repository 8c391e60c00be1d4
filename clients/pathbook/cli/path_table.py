"""A unit's path drawn as a table: each hand, what it paid, and how that compares."""

from collections.abc import Iterable
from fractions import Fraction

from pathbook.cli import output
from pathbook.v1 import values_pb2
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from pathbook.v1.values_pb2 import Attestation, Money, Standing, UnitState

TITLES = ["at", "date", "what", "from", "to", "price", "mark-up", "of suggested", "recorded by", "standing"]
NUMBERS = {0, 5, 6, 7}

OFFERS = (PathStepKind.PATH_STEP_KIND_OFFERED, PathStepKind.PATH_STEP_KIND_RELEASED)
"""Steps that moved nothing; shown with the corrections."""


def draw(path: GetPathResponse, *, corrections: bool = False) -> str:
    """Return what the unit is, its path as a table, and who has it now."""
    return f"{subject(path)}\n\n{steps(path, corrections=corrections)}\n\n{holder(path)}"


def subject(path: GetPathResponse) -> str:
    """Return what the unit is."""
    batch = path.batch
    return output.fields(
        [
            ("unit", f"{path.unit.batch}:{path.unit.number}, serial {path.serial}"),
            ("product", f"{path.product.name}, GTIN {path.product.gtin}"),
            ("batch", f"lot {batch.lot}, made {batch.made_on}, expires {batch.expires_on or 'never'}"),
            ("suggested price", output.price(batch.suggested_price)),
        ]
    )


def holder(path: GetPathResponse) -> str:
    """Return who has title and goods now; that these differ is said in words."""
    run = path.run
    pairs = [
        ("owner", run.owner),
        ("custodian", run.custodian),
        (
            "state",
            output.word(UnitState.DESCRIPTOR, run.state) + (f", packed in {run.sscc}" if run.sscc else ""),
        ),
    ]
    if run.owner != run.custodian:
        pairs.append(("note", f"cloud stock: {run.owner} owns it, but it lies with {run.custodian}"))
    return output.fields(pairs)


def steps(path: GetPathResponse, *, corrections: bool = False) -> str:
    """Return the steps as a table; without corrections only what stands."""
    shown = [step for step in path.steps if corrections or not (step.corrected or step.kind in OFFERS)]
    return output.table(TITLES, list(_rows(shown, path.batch.suggested_price)), NUMBERS)


def mark_up(price: Money, before: Money | None) -> str:
    """Return how much more (or less) a hop cost than the hop before: `+20.0 %`."""
    if before is None or before.currency_code != price.currency_code or not before.amount_minor:
        return ""
    return f"{percent(price.amount_minor - before.amount_minor, before.amount_minor, '+')} %"


def share(amount_minor: int, of_minor: int) -> str:
    """Return an amount beside another: `50.0 %`."""
    return f"{percent(amount_minor, of_minor)} %" if of_minor else ""


def percent(part: int, whole: int, sign: str = "") -> str:
    """Return how many hundredths a part is, to one decimal, exactly rounded half to even."""
    tenths = round(Fraction(1_000 * part, whole))
    digits = str(abs(tenths)).rjust(2, "0")
    return f"{'-' if tenths < 0 else sign}{digits[:-1]}.{digits[-1]}"


def _rows(shown: Iterable[PathStep], suggested: Money) -> Iterable[list[str]]:
    paid: list[Money] = []
    for step in shown:
        price, markup, beside = output.price(step.unit_price), "", ""
        if _is_hop(step) and not step.corrected:
            markup = mark_up(step.unit_price, paid[-1] if paid else None)
            if step.unit_price.currency_code == suggested.currency_code:
                beside = share(step.unit_price.amount_minor, suggested.amount_minor)
            paid.append(step.unit_price)
        elif step.kind == PathStepKind.PATH_STEP_KIND_RETURNED and paid:
            paid.pop()
        yield [
            str(step.position),
            output.day(step.occurred_at),
            _what(step),
            _side(step.giver, step.giver_tier if step.HasField("giver_tier") else None),
            _side(step.receiver, step.receiver_tier if step.HasField("receiver_tier") else None),
            price,
            markup,
            beside,
            _attested(step),
            _standing(step),
        ]


def _is_hop(step: PathStep) -> bool:
    return step.kind in (PathStepKind.PATH_STEP_KIND_TRANSFERRED, PathStepKind.PATH_STEP_KIND_SOLD)


def _what(step: PathStep) -> str:
    what = output.word(PathStepKind.DESCRIPTOR, step.kind)
    if _is_hop(step) and step.delivery == values_pb2.DELIVERY_LATER:
        what += ", goods stay"
    if step.kind == PathStepKind.PATH_STEP_KIND_WRITTEN_OFF:
        what += f": {output.word(UnitState.DESCRIPTOR, step.state)}"
    return f"({what})" if step.corrected else what


def _side(party: str, tier: int | None) -> str:
    return party if tier is None else f"{party}, tier {tier}"


def _attested(step: PathStep) -> str:
    return "operator" if step.attestation == Attestation.ATTESTATION_RECORDED else ""


def _standing(step: PathStep) -> str:
    """Return `authorised`, or who was not and why."""
    marks = [
        f"{party} {output.word(Standing.DESCRIPTOR, standing)}"
        for party, standing in ((step.giver, step.giver_standing), (step.receiver, step.receiver_standing))
        if standing not in (Standing.STANDING_UNSPECIFIED, Standing.STANDING_AUTHORIZED)
    ]
    return "; ".join(marks) if marks else "authorised" if _is_hop(step) else ""
