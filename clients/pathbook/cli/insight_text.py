"""Insights as text for people: fields and tables."""

from collections.abc import Iterable, Mapping, Sequence

from pathbook.cli import output
from pathbook.ledger.money import print_amount
from pathbook.v1 import insights_pb2 as insights

NO_TIER = -1
MAKER_TIER = 0
CONSUMER_TIER = 1_000
"""The numbers that stand for parties without a tier, for the brand that made the units, and for consumers."""

CALLER_CLASSES = ("public", "party", "brand", "auditor", "operator")
"""The classes of callers, in the order in which they are shown."""

TOO_LARGE = "too large"
"""Stands for a sum beyond 64 bits, which the contract cannot say."""


def ladder(found: insights.GetLadderResponse) -> str:
    """Return rungs with their mark-ups, and what fewer hops would save."""
    titles = [
        "paid by", "units", "least", "25%", "median", "75%", "most", "mean", "mark-up", "in total",
        "over suggested", "currency",
    ]  # fmt: skip
    rows = []
    for rung, mark_up in zip(found.rungs, found.mark_ups, strict=False):
        prices = (rung.least, rung.lower_quartile, rung.median, rung.upper_quartile, rung.most)
        currency = rung.currency_code
        rows.append(
            [
                _payer(rung),
                str(rung.units),
                *map(output.bare_price, prices),
                print_amount(rung.mean_minor, currency),
                _over(mark_up, "over_before_minor", currency),
                _over(mark_up, "over_first_minor", currency),
                _over(mark_up, "over_suggested_minor", currency),
                currency,
            ]
        )
    fewer = [
        f"with {each.hops} fewer {'hop' if each.hops == 1 else 'hops'}, consumers would pay"
        f" {print_amount(each.mean_minor, each.currency_code)} {each.currency_code}"
        for each in found.fewer_hops
    ]
    table = output.table(titles, rows, set(range(1, len(titles) - 1))) if rows else "no rungs"
    left_out = (
        "What others paid is left out, because the product has too many prices for one answer."
        if found.shared_left_out
        else ""
    )
    return _parts(
        table, "\n".join(fewer), _shared(found.shared_rungs), left_out, _as_of(found.as_of_position)
    )


def _shared(rungs: Iterable[insights.SharedRung]) -> str:
    """Return what others paid, an empty text if nothing of it is shown."""
    rows = [
        [
            _payer(each), str(each.payers), str(each.units), print_amount(each.mean_minor, each.currency_code),
            output.bare_price(each.suggested), each.currency_code,
        ]
        for each in rungs
    ]  # fmt: skip
    titles = ["others of", "payers", "units", "mean", "suggested", "currency"]
    return _table(titles, rows, {1, 2, 3, 4}, "")


def sell_through(found: insights.GetSellThroughResponse) -> str:
    """Return the sell-through of a party."""
    return _parts(output.fields(_line(found.sell_through)), _as_of(found.as_of_position))


def stuck(found: insights.GetStuckStockResponse) -> str:
    """Return stock by tier, and the lots that are most urgent."""
    tiers = [
        [
            _tier(each.tier), str(each.units), str(each.parties), str(each.oldest_days), str(each.expired),
            str(each.expiring), _paid(each.paid_minor, each.loss_minor, is_paid=each.tier != MAKER_TIER),
            _money(each.loss_minor), str(each.unpriced),
        ]
        for each in found.tiers
    ]  # fmt: skip
    lots = [
        [
            each.expires_on or "never", _number(each, "days_left"), each.owner, each.custodian, str(each.batch),
            str(each.units), each.since, str(each.transfer or ""), output.price(each.paid),
            output.price(each.best), _loss(each),
        ]
        for each in found.lots
    ]  # fmt: skip
    return _parts(
        _table(
            ["held by", "units", "parties", "oldest days", "expired", "expiring", "paid", "loss", "loss unknown"],
            tiers,
            {1, 2, 3, 4, 5, 8},
            "no stock",
        ),
        _table(
            [
                "expires on", "days left", "owner", "custodian", "batch", "units", "since", "transfer", "paid",
                "best price", "loss",
            ],
            lots,
            {1, 4, 5, 7},
            "",
        ),
        _left_out(found.left_out, "lots"),
        _as_of(found.as_of_position),
    )  # fmt: skip


def shape(found: insights.GetShapeResponse) -> str:
    """Return the shape of a chain."""
    of, rule = found.shape, found.shape.indicator
    sign = "met" if rule.met else "not met"
    pairs = [
        ("organizer", of.organizer),
        ("participants", str(of.participants)),
        ("hops", f"{of.hops} of all batches asked about, {of.title_only} of them moved no goods"),
        (
            "early purchases",
            (
                f"{of.early.early} units within {of.early.within_days} days of their authorization,"
                f" {of.early.before} before, {of.early.later} later, by {_several(of.early.buyers, 'party', 'parties')}"
            ),
        ),
        (
            "indicator",
            (
                f"{rule.name} v{rule.version}: {sign}. {rule.participants} participants on {rule.levels} levels;"
                f" it is met from {rule.rule.participants_min} on {rule.rule.levels_min} levels on"
            ),
        ),
    ]
    levels = [[str(each.level), str(each.participants)] for each in of.levels]
    depths = [
        [str(each.depth), str(each.stock), str(each.sold), str(each.confirmed), str(each.written_off)]
        for each in of.depths
    ]
    runway = [
        [
            _tier(each.tier),
            str(each.units),
            *(_number(each, name) for name in ("least", "median", "most")),
            str(each.after_expiry),
            str(each.title_only),
        ]
        for each in found.runway
    ]
    return _parts(
        output.fields(pairs),
        _table(["level", "participants"], levels, {0, 1}, ""),
        f"All batches asked about, also their units that are not below {of.organizer}:"
        if depths or runway
        else "",
        _table(["depth", "in stock", "sold", "confirmed", "written off"], depths, {0, 1, 2, 3, 4}, ""),
        _table(
            ["received by", "units", "fewest days left", "median", "most", "expired", "title only"],
            runway,
            {1, 2, 3, 4, 5, 6},
            "",
        ),
        _as_of(found.as_of_position),
    )


def findings(found: insights.GetFindingsResponse) -> str:
    """Return findings, and how many there are of each rule."""
    rows = [
        [each.id, output.moment(each.first_seen), " ".join(map(str, each.positions)), each.sentence, _explained(each)]
        for each in found.findings
    ]  # fmt: skip
    counts = [[name, str(count)] for name, count in sorted(found.rules.items())]
    return _parts(
        _table(
            ["finding", "first seen", "positions", "what it says", "explained"], rows, set(), "no findings"
        ),
        _table(["rule", "findings"], counts, {1}, ""),
        _left_out(found.left_out, "findings"),
        _as_of(found.as_of_position),
    )


def _explained(finding: insights.Finding) -> str:
    if not finding.HasField("explanation"):
        return ""
    said = finding.explanation
    of = "" if said.units == finding.units else f" (of {_several(said.units, 'unit', 'units')})"
    return f"{'(erased)' if said.text_erased else said.text}{of}"


def domino(found: insights.GetDominoResponse) -> str:
    """Return what hangs on a party."""
    of = found.domino
    currencies = [currency for each in of.stakes for currency in each.paid_minor]
    paid = _paid(of.paid_minor, currencies, is_paid=any(each.transfers for each in of.stakes))
    pairs = [
        ("party", of.agent),
        ("at stake", f"{of.units} units" + (f", paid {paid}" if paid else "")),
        ("goods of others", f"{of.in_custody} units"),
    ]
    stakes = [
        [
            str(each.level), each.party, str(each.units), str(each.with_agent),
            _paid(each.paid_minor, (), is_paid=bool(each.transfers)),
            "yes" if each.only_through else "no", " ".join(map(str, each.transfers)),
        ]
        for each in of.stakes
    ]  # fmt: skip
    offers = [[str(each.transfer), each.giver, each.receiver, str(each.units)] for each in of.offers]
    return _parts(
        output.fields(pairs),
        _table(
            ["level", "party", "units", f"with {of.agent}", "paid", "no other line", "transfers"],
            stakes,
            {0, 2, 3},
            "",
        ),
        _table(["open offer", "giver", "receiver", "units"], offers, {0, 3}, ""),
        _left_out(found.stakes_left_out, "stakes"),
        _left_out(found.offers_left_out, "offers"),
        _as_of(found.as_of_position),
    )


def scorecard(found: insights.GetScorecardResponse) -> str:
    """Return the facts about a party."""
    of = found.scorecard
    pairs = [
        ("party", of.party),
        ("offers accepted", f"{of.offers_accepted} of {of.offers_answered} that were closed"),
        ("disputes", str(of.disputes)),
        *_line(of.sell_through)[1:],
    ]
    return _parts(
        output.fields(pairs),
        _table(["fact", "events", "units"], _counts(of.facts), {1, 2}, ""),
        _table(["finding", "findings", "units"], _counts(of.deviations), {1, 2}, ""),
        _as_of(found.as_of_position),
    )


def verifications(found: insights.GetVerificationsResponse) -> str:
    """Return verifications by day and class of caller, and the units that stand out."""
    kinds = [kind for kind in CALLER_CLASSES if any(kind in day.times for day in found.days)]
    days = [[day.day, *(str(day.times.get(kind, 0)) for kind in kinds)] for day in found.days]
    units = [
        [f"{each.batch}:{each.number}", str(each.times), str(each.days), str(each.median), each.sentence]
        for each in found.units
    ]
    rule = found.rule
    said = (
        f"{rule.name} v{rule.version}: verified by the public at least {rule.times_min} times, and {rule.times_median}"
        " times as often as other units of the batch. It is a sign, and no verdict."
    )
    return _parts(
        _table(["day", *kinds], days, set(range(1, len(kinds) + 1)), "no verifications"),
        f"{_several(found.units_verified, 'unit was', 'units were')} verified." if days else "",
        _table(["unit", "times", "days", "median", "what it says"], units, {1, 2, 3}, ""),
        _left_out(found.left_out, "units"),
        f"Up to {found.partial_through} counts are missing, the lowest first, because there were too many."
        if found.partial_through
        else "",
        said,
    )


def _line(line: insights.SellThrough) -> list[tuple[str, str]]:
    return [
        ("party", line.party),
        ("entered its line", f"{line.entered} units"),
        ("sold to consumers", f"{line.sold}, {line.confirmed} of them confirmed"),
        ("other price confirmed", str(line.contradicted)),
        ("written off", str(line.lost)),
        ("left", _number(line, "left")),
        ("mean days to sale", _number(line, "mean_days")),
        (f"sold in {line.window_days} days", str(line.sold_lately)),
        ("days of stock", _number(line, "stock_days")),
    ]


def _payer(rung: insights.Rung | insights.SharedRung) -> str:
    if rung.kind == insights.RUNG_KIND_TIER:
        return f"tier {rung.tier}"
    return output.word(insights.RungKind.DESCRIPTOR, rung.kind)


def _tier(number: int) -> str:
    return {NO_TIER: "no tier", CONSUMER_TIER: "consumer"}.get(number, f"tier {number}")


def _over(mark_up: insights.MarkUp, name: str, currency_code: str) -> str:
    if not any(field.name == name for field, _ in mark_up.ListFields()):
        return ""
    amount: int = getattr(mark_up, name)
    return f"{'+' if amount > 0 else ''}{print_amount(amount, currency_code)}"


def _number(message: insights.SellThrough | insights.StockLot | insights.RunwayOfTier, name: str) -> str:
    """Return a number that may be unset."""
    return next((str(value) for field, value in message.ListFields() if field.name == name), "")


def _loss(lot: insights.StockLot) -> str:
    if not lot.HasField("loss_minor"):
        is_known = lot.HasField("paid") and (lot.HasField("best") or _has_expired(lot))
        return TOO_LARGE if is_known else ""
    return f"{print_amount(lot.loss_minor, lot.paid.currency_code)} {lot.paid.currency_code}"


def _has_expired(lot: insights.StockLot) -> bool:
    return lot.HasField("days_left") and lot.days_left < 0


def _paid(amounts: Mapping[str, int], currencies: Iterable[str], *, is_paid: bool) -> str:
    """Return sums by currency. One that has no entry, though it is known that there is one, is beyond 64 bits."""
    unsaid = [f"{TOO_LARGE} ({currency})" for currency in sorted(set(currencies) - set(amounts))]
    if is_paid and not (amounts or unsaid):
        return TOO_LARGE
    return ", ".join(filter(None, [_money(amounts), *unsaid]))


def _several(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _money(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{print_amount(minor, code)} {code}" for code, minor in sorted(amounts.items()))


def _counts(counts: Mapping[str, insights.Count]) -> list[list[str]]:
    return [
        [name.replace("_", " "), str(count.events), str(count.units)]
        for name, count in sorted(counts.items())
    ]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], nothing: str) -> str:
    return output.table(titles, rows, right) if rows else nothing


def _left_out(count: int, what: str) -> str:
    return f"{count} more {what} are left out. Name a batch or a party, or raise --limit." if count else ""


def _as_of(position: int) -> str:
    return f"As of position {position}."


def _parts(*parts: str) -> str:
    """Return the parts that have text, with an empty line between them."""
    found: Iterable[str] = (part for part in parts if part)
    return "\n\n".join(found)
