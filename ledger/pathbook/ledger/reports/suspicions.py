"""Suspicions: findings with the name and the version of their rule, in a sentence that accuses no one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.reports.findings import FindingRow, FindingRule
from pathbook.ledger.reports.registered import Authorization, Batch
from pathbook.ledger.reports.ties import KeyRow, TradeRow


class Rule(NamedTuple):
    """A rule: its name and version, and what it says of ``party``, ``other``, ``units`` and ``batch``.

    The version is raised with each change of what the rule finds. So an explanation of a finding is of one version.
    """

    name: str
    version: int
    sentence: str


RULES: Final[dict[FindingRule, Rule]] = {
    FindingRule.ROUND_TRIP: Rule(
        "round-trip", 1, "{units} came back to {party}, from {other}, without a return or a reversal."
    ),
    FindingRule.BOUGHT_BACK: Rule(
        "bought-back", 2, "{party} bought {units} back from {other}, without a return or a reversal."
    ),
    FindingRule.AFTER_EXPIRY: Rule(
        "after-expiry", 1, "{party} gave {units} to {other} after they had expired."
    ),
    FindingRule.DURING_RECALL: Rule(
        "during-recall",
        1,
        "{party} gave {units} to {other}. It was recorded during their recall, with a claimed time before it.",
    ),
    FindingRule.AFTER_AUTHORIZATION: Rule(
        "after-authorization",
        1,
        "{party} traded {units} with {other} after its authorization, or that of its upline, had ended.",
    ),
    FindingRule.UNAUTHORIZED: Rule(
        "unauthorized", 1, "{party} traded {units} with {other} and was not authorized for them."
    ),
    FindingRule.ABOVE_SUGGESTED: Rule(
        "above-suggested", 1, "{party} gave {units} to {other} above the price suggested for consumers."
    ),
    FindingRule.BELOW_COST: Rule(
        "below-cost", 1, "{party} gave {units} to {other} for less than it had paid."
    ),
    FindingRule.CONFIRMED_OTHER_PRICE: Rule(
        "confirmed-other-price",
        1,
        "{other} confirmed {units} of {party} at another price than the sale has.",
    ),
    FindingRule.CONFIRMED_AGAIN: Rule(
        "confirmed-again",
        1,
        "{other} confirmed {units} of {party} that another consumer had confirmed before they went back.",
    ),
    FindingRule.REFUSED_BUT_THERE: Rule(
        "refused-but-there",
        1,
        "{units} of {other} came to {party}, which had declined them or called them missing.",
    ),
    FindingRule.TIMES_CONTRADICT: Rule(
        "times-contradict", 1, "{party} claims to have given {units} to {other} before it got them."
    ),
    FindingRule.REPORTED_TWICE: Rule(
        "reported-twice",
        2,
        "{party} gave {units} to {other} twice at one claimed time and price. It may be one hand-over.",
    ),
}
"""What each rule of FINDINGS is called and says."""

SELF_DEALING: Final = Rule(
    "self-dealing",
    2,
    "{party} bought {units} back from {other}, and one of the two had authorized the other.",
)
"""Takes the place of bought-back between an upline and a party that it had authorized before. What they do later does
not change what the finding is called, so its id is the same for ever."""

SHARED_KEY: Final = Rule("shared-key", 1, "{party} and {other} registered the same key. They traded {units}.")

OUT_OF_REGION: Final = Rule(
    "out-of-region",
    1,
    "{party} gave {units} to {other}, whose region is another one.",
)


MAX_DIGITS: Final = 18
"""The most digits of a batch in the id of a finding. A number with them fits 64 bits."""

RULE_NAMES: Final = tuple(
    sorted(rule.name for rule in (*RULES.values(), SELF_DEALING, SHARED_KEY, OUT_OF_REGION))
)
"""The names of all rules."""


class Finding(msgspec.Struct, frozen=True):
    """Something that looks wrong, and may have a good reason.

    Attributes:
        id: names the finding for ever: rule, version, and the columns of its key. An explanation is kept by it.
        rule: the name of its rule, and ``version`` that of the rule.
        sentence: what the rule says, with the parties and units.
        party: whose doing it seems, and ``other_party`` the other side.
        batch: of the units, or 0 if they are of several.
        units: how many units.
        positions: the events that it rests on, in order.
        first_seen: when the last of them was recorded, in microseconds since 1970 UTC. A later correction of the
            batch may have shown it first: the changes of findings tell.
    """

    id: str
    rule: str
    version: int
    sentence: str
    party: str
    other_party: str
    batch: int
    units: int
    positions: tuple[int, ...]
    first_seen: int


def findings(
    rows: Iterable[FindingRow], authorizations: Iterable[Authorization], recorded_at: Mapping[int, int]
) -> list[Finding]:
    """Return the findings of rows, by the position at which they show.

    Args:
        rows: rows of FINDINGS.
        authorizations: those of the parties of these rows, also those that ended. They tell self-dealing.
        recorded_at: when the event at each ``position`` of the rows was recorded.
    """
    return sorted(findings_in_turn(rows, authorizations, recorded_at), key=_order)


def findings_in_turn(
    rows: Iterable[FindingRow], authorizations: Iterable[Authorization], recorded_at: Mapping[int, int]
) -> Iterator[Finding]:
    """Yield the finding of each row, as `findings`, in the order of the rows."""
    tied: dict[frozenset[str], int] = {}
    for item in authorizations:
        sides = frozenset((item.upline, item.party))
        tied[sides] = min(item.position, tied.get(sides, item.position))
    for row in rows:
        rule = RULES[FindingRule(row.rule)]
        sides = frozenset((row.party, row.other_party))
        if row.rule == FindingRule.BOUGHT_BACK and tied.get(sides, row.position) < row.position:
            rule = SELF_DEALING
        positions = tuple(sorted({row.position, row.other} - {0}))
        yield _finding(rule, (row.party, row.other_party), row.batch, row.units, positions, recorded_at)


def batch_of(finding: str) -> int | None:
    """Return the batch that the id of a finding names, 0 if it is of several, or None if it is no such id."""
    rule, _, rest = finding.partition(".")
    parts = rest.split(".", 2)  # the names of parties may have dots
    if rule not in RULE_NAMES or len(parts) < len(("version", "batch", "rest")):
        return None
    digits = parts[1]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else None


def shared_keys(
    keys: Iterable[KeyRow], trades: Iterable[TradeRow], recorded_at: Mapping[int, int]
) -> list[Finding]:
    """Return a finding for each two parties that registered the same key. A key of the operator is no party's.

    Args:
        keys: all rows of KEYS.
        trades: rows of TRADES.
        recorded_at: when the event at each position of the keys was recorded.
    """
    by_key: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in sorted(keys):
        if row.party != OPERATOR:
            by_key[row.key].setdefault(row.party, row.position)
    traded: defaultdict[frozenset[str], int] = defaultdict(int)
    for trade in trades:
        traded[frozenset((trade.giver, trade.receiver))] += trade.units
    found = []
    for parties in by_key.values():
        for one, other in combinations(sorted(parties), 2):
            positions = tuple(sorted((parties[one], parties[other])))
            units = traded[frozenset((one, other))]
            found.append(_finding(SHARED_KEY, (one, other), 0, units, positions, recorded_at))
    return sorted(found, key=_order)


def out_of_region(
    trades: Iterable[TradeRow],
    authorizations: Iterable[Authorization],
    batches: Mapping[int, Batch],
    recorded_at: Mapping[int, int],
) -> list[Finding]:
    """Return a finding for each two parties and batch that were traded from one region to another.

    A region contains another one whose name begins with its own and a dash: CN contains CN-GD. A party of which any
    authorization for the product has no region may trade everywhere. The positions are those of the authorizations,
    and `transfer list` of both parties and the batch lists the transfers.

    Args:
        trades: rows of TRADES.
        authorizations: all authorizations of these parties, also those that ended.
        batches: the batches of the trades.
        recorded_at: when the events of the authorizations were recorded.
    """
    apart, found = _regions(authorizations), []
    for trade in trades:
        if positions := apart(trade.giver, trade.receiver, batches[trade.batch].product):
            parties = trade.giver, trade.receiver
            found.append(_finding(OUT_OF_REGION, parties, trade.batch, trade.units, positions, recorded_at))
    return sorted(found, key=_order)


def givers_apart(sides: Iterable[TradeRow], authorizations: Iterable[Authorization]) -> list[str]:
    """Return those who gave to a party from whose region theirs is apart for some product, whatever was traded.

    Args:
        sides: rows of TRADES, those of all batches added up.
        authorizations: as `out_of_region`.
    """
    given = list(authorizations)
    named: defaultdict[str, set[str]] = defaultdict(
        lambda: {""}
    )  # which stands for all products that are not named
    for item in given:
        named[item.party].update(item.products)
    apart = _regions(given)
    return sorted(
        {
            row.giver
            for row in sides
            if any(apart(row.giver, row.receiver, each) for each in named[row.giver] | named[row.receiver])
        }
    )


def _regions(authorizations: Iterable[Authorization]) -> Callable[[str, str, str], tuple[int, ...]]:
    """Return what tells which authorizations of two parties have regions for a product that are apart."""
    of_party: defaultdict[str, list[Authorization]] = defaultdict(list)
    for item in authorizations:
        of_party[item.party].append(item)

    @cache
    def apart(giver: str, receiver: str, product: str) -> tuple[int, ...]:
        """Return the authorizations of two parties whose regions for a product are apart, () if they meet."""
        giving, taking = (
            [item for item in of_party[party] if not item.products or product in item.products]
            for party in (giver, receiver)
        )
        if any(_meet(one.region, two.region) for one in giving for two in taking):
            return ()
        return tuple(sorted({item.position for item in (*giving, *taking)})) if giving and taking else ()

    return apart


def _meet(one: str, other: str) -> bool:
    return not one or not other or one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


def _order(finding: Finding) -> tuple[int, str]:
    return finding.positions[-1], finding.id


def _finding(
    rule: Rule,
    parties: tuple[str, str],
    batch: int,
    units: int,
    positions: tuple[int, ...],
    recorded_at: Mapping[int, int],
) -> Finding:
    said = "1 unit" if units == 1 else f"{units:,} units"
    said += f" of batch {batch}" if batch else ""
    return Finding(
        id=".".join(_parts(rule, batch, positions, parties)),
        rule=rule.name,
        version=rule.version,
        sentence=rule.sentence.format(party=parties[0], other=parties[1], units=said),
        party=parties[0],
        other_party=parties[1],
        batch=batch,
        units=units,
        positions=positions,
        first_seen=recorded_at[positions[-1]],
    )


def _parts(rule: Rule, batch: int, positions: tuple[int, ...], parties: tuple[str, str]) -> Iterator[str]:
    """Yield the parts of an id. Of one event, several rules, batches or parties may be named."""
    yield f"{rule.name}.v{rule.version}"
    yield str(batch)
    yield "-".join(map(str, positions))
    yield from parties
