"""A simulated market with cheaters of each kind: which of them the rules of findings find, and what else they find.

``python -m tests.reports.market`` prints it as a table.
"""

import argparse
from collections import Counter
from typing import NamedTuple

from pathbook.ledger.reports.suspicions import OUT_OF_REGION, Finding
from tests.reports.books_read import ReadBook
from tests.reports.cheaters import Cheaters, Planted
from tests.reports.trading import Market


class Tally(NamedTuple):
    """What a rule did: cheats that it should find, those that it found, and those it missed; and what else it found."""

    rule: str
    planted: int
    hits: int
    misses: int
    false: int


def clean(market: Market) -> list[Finding]:
    """Return all findings in a market."""
    return ReadBook(market.recorded).findings()


def cheated(market: Market, times: int) -> list[Tally]:
    """Plant cheats of each kind in a market, and return what each rule did, by name."""
    cheaters = Cheaters(market)
    cheaters.plant(times)
    cheaters.shared_keys(times)
    planted, found = set(cheaters.planted), {_as_planted(finding) for finding in clean(market)}
    all_planted, hits, false = (
        Counter(item.rule for item in items) for items in (planted, planted & found, found - planted)
    )
    return [
        Tally(rule, all_planted[rule], hits[rule], all_planted[rule] - hits[rule], false[rule])
        for rule in sorted({item.rule for item in planted | found})
    ]


def _as_planted(finding: Finding) -> Planted:
    """Return what should have been planted for a finding. One about regions rests on no single transfer."""
    if finding.rule == OUT_OF_REGION.name:
        return Planted(finding.rule, (), (finding.party, finding.other_party))
    return Planted(finding.rule, finding.positions, ())


def main() -> None:
    """Print what the rules find in a clean market and in one with cheaters."""
    options = argparse.ArgumentParser(
        description="Simulate a market, and count what the rules of findings find."
    )
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--agents", type=int, default=200)
    options.add_argument("--days", type=int, default=180)
    options.add_argument("--batches", type=int, default=40)
    options.add_argument("--size", type=int, default=25_000, help="units of a batch")
    options.add_argument("--times", type=int, default=10, help="cheats of each kind")
    given = options.parse_args()
    market = Market(given.seed, given.agents, given.days, given.batches, given.size)
    made = len(market.expires) * given.size
    print(f"{len(market.tiers) - 1} agents in {max(market.tiers.values())} tiers, {made:,} units")
    print(f"clean: {len(market.recorded):,} events, {len(clean(market))} findings")
    tallies = cheated(market, given.times)
    print(f"with cheaters: {len(market.recorded):,} events\n")
    print(f"{'rule':24}{'planted':>8}{'hits':>8}{'misses':>8}{'false':>8}")
    for tally in tallies:
        print(f"{tally.rule:24}{tally.planted:8}{tally.hits:8}{tally.misses:8}{tally.false:8}")


if __name__ == "__main__":
    main()
