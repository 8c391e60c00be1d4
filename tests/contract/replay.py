"""A naive replay of a book, written from the comments of the contract alone.

It keeps one object for each unit, and shares no code with the server.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from pathbook.v1 import batches_pb2, insights_pb2, parties_pb2, paths_pb2, values_pb2
from tests.contract.movements import Movements
from tests.contract.parts import (
    OFFERED,
    WRITTEN_OFF,
    Unit,
    authority_of,
    instant,
    is_consumer,
    one_price,
    stated,
)

UNORDERED: Final = (paths_pb2.PATH_STEP_KIND_COMMISSIONED, paths_pb2.PATH_STEP_KIND_ATTESTED)
HIDDEN: Final = (
    paths_pb2.PATH_STEP_KIND_OFFERED,
    paths_pb2.PATH_STEP_KIND_RELEASED,
    paths_pb2.PATH_STEP_KIND_ATTESTED,
)


class Replay(Movements):
    """A book, rebuilt from its events, and the answers that it gives."""

    # What the server should answer.

    def outermost(self, unit: Unit) -> str:
        """Return the outermost case of a unit."""
        if not unit.case or unit.state in WRITTEN_OFF:
            return ""
        case = self.cases[unit.case]
        while case.outer:
            case = self.cases[case.outer]
        return case.sscc

    def run(self, unit: Unit, *, cases: bool) -> paths_pb2.Run:
        """Return the run of a unit."""

        def past(number: int) -> object:
            other = self.units.get((unit.batch, number))
            if other is None:
                return None
            case = other.case if cases and other.state not in WRITTEN_OFF else ""
            return [(step.position, step.kind) for step in other.steps], case

        first = last = unit.number
        while past(first - 1) == past(unit.number):
            first -= 1
        while past(last + 1) == past(unit.number):
            last += 1
        return paths_pb2.Run(
            range=values_pb2.UnitRange(batch=unit.batch, first=first, last=last),
            owner=unit.owner,
            custodian=unit.custodian,
            state=unit.state,
            transfer=unit.offer or (unit.hops[-1].transfer if unit.hops else 0),
            position=unit.chain.position,
            head=unit.chain.head,
            sscc=self.outermost(unit) if cases else "",
        )

    def steps(self, unit: Unit, *, corrections: bool) -> list[paths_pb2.PathStep]:
        """Return the steps of a unit."""
        steps = []
        latest: paths_pb2.PathStep | None = None
        for known in unit.steps:
            step = paths_pb2.PathStep()
            step.CopyFrom(known)
            if not known.corrected and known.kind not in UNORDERED:
                if latest is not None and instant(latest.occurred_at) > instant(known.occurred_at):
                    step.out_of_order_position = latest.position
                else:
                    latest = known
            is_open = known.position == unit.offer
            if corrections or is_open or not (known.corrected or known.kind in HIDDEN):
                steps.append(step)
        return steps

    def batch(self, number: int, *, recalls: bool) -> batches_pb2.Batch:
        """Return a batch."""
        batch = batches_pb2.Batch()
        batch.CopyFrom(self.batches[number])
        batch.head, batch.head_position = self.batch_chains[number].head, self.batch_chains[number].position
        if recalls:
            batch.recalls.extend(r for _, r in sorted(self.recalls.items()) if r.ranges[0].batch == number)
        return batch

    def batch_of_path(self, number: int, unit: int) -> batches_pb2.Batch:
        """Return a batch as in a path: with the recalls that name the unit, each with the range that holds it."""
        batch = self.batch(number, recalls=True)
        for recall in [*batch.recalls]:
            holding = [part for part in recall.ranges if part.first <= unit <= part.last]
            if holding:
                recall.left_out_ranges = len(recall.ranges) - len(holding)
                del recall.ranges[:]
                recall.ranges.extend(holding)
            else:
                batch.recalls.remove(recall)
                batch.recalls_left_out = True
        return batch

    def party(self, party: str) -> parties_pb2.Party:
        """Return a party."""
        answer = parties_pb2.Party()
        answer.CopyFrom(self.parties[party])
        answer.head, answer.head_position = self.party_chains[party].head, self.party_chains[party].position
        return answer

    def ladder(self, batches: Sequence[int]) -> list[insights_pb2.Rung]:
        """Return the price ladder of some batches."""
        paid: defaultdict[tuple[insights_pb2.RungKind.ValueType, int, str], list[values_pb2.Price]] = (
            defaultdict(list)
        )
        for unit in self.units.values():
            for hop in unit.hops if unit.batch in batches else ():
                if is_consumer(hop.terms.receiver):
                    rung_of: tuple[insights_pb2.RungKind.ValueType, int] = insights_pb2.RUNG_KIND_CONSUMER, 0
                else:
                    authority = authority_of(hop.terms, unit.batch)
                    rung_of = insights_pb2.RUNG_KIND_NO_TIER, 0
                    if authority.HasField("receiver_tier"):
                        rung_of = insights_pb2.RUNG_KIND_TIER, authority.receiver_tier
                paid[*rung_of, hop.terms.unit_price.currency_code].append(stated(hop.terms.unit_price))
        suggestions = [stated(self.batches[batch].suggested_price) for batch in batches]
        rungs = []
        for (kind, tier, currency), prices in sorted(paid.items()):
            prices.sort(key=lambda p: (one_price(p), p.per_units))
            fewest = {one_price(p): p for p in reversed(prices)}
            total = sum(map(one_price, prices))
            rung = insights_pb2.Rung(
                kind=kind,
                tier=tier,
                currency_code=currency,
                units=len(prices),
                least=prices[0],
                lower_quartile=fewest[one_price(prices[(len(prices) + 3) // 4 - 1])],
                upper_quartile=fewest[one_price(prices[(3 * len(prices) + 3) // 4 - 1])],
                median=fewest[one_price(prices[(len(prices) - 1) // 2])],
                most=fewest[one_price(prices[-1])],
                mean_minor=round(Fraction(total, len(prices))),
                sum_minor=round(total),
            )
            if len({one_price(p) for p in suggestions}) == 1 and {p.currency_code for p in suggestions} == {
                currency
            }:
                rung.suggested.CopyFrom(min(suggestions, key=lambda p: p.per_units))
            rungs.append(rung)
        return rungs

    def stock(self, party: str) -> list[paths_pb2.Stock]:
        """Return the stock of a party."""
        counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for unit in self.units.values():
            if unit.state in WRITTEN_OFF:
                continue
            if unit.owner == party:
                counts[unit.batch]["owned"] += 1
                counts[unit.batch]["reserved"] += unit.state == OFFERED
            if unit.custodian == party:
                counts[unit.batch]["in_custody"] += 1
        items = [
            paths_pb2.Stock(
                batch=self.batch(number, recalls=True),
                product_name=self.products[self.batches[number].gtin].name,
                **counted,
            )
            for number, counted in counts.items()
        ]
        return sorted(items, key=lambda i: (i.batch.expires_on or "9999-99", i.batch.batch))
