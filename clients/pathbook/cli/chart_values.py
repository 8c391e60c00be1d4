"""What the pictures are made of, read from answers of the server."""

import datetime
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.charting import chain, flow, ladder, path, stock
from pathbook.cli import counts, output, path_table
from pathbook.v1.insights_pb2 import RUNG_KIND_CONSUMER, Rung
from pathbook.v1.parties_pb2 import Authorization, Party
from pathbook.v1.paths_pb2 import GetPathResponse, PathStepKind, Stock
from pathbook.v1.values_pb2 import PartyKind, UnitState

if TYPE_CHECKING:
    from pathbook.client import Client

MOST_RUNS: Final = 2_000
"""The most runs of a batch whose paths are read for its flow. Each takes a call."""

MOST_STEPS: Final = 4_000
"""About the most steps of such a path. Units with a longer past are left out."""

MOST_PARTIES: Final = 50_000
"""The most parties that are read for their tree."""

SOLD: Final = (UnitState.UNIT_STATE_SOLD, UnitState.UNIT_STATE_CONFIRMED)

UNSOLD: Final = (
    UnitState.UNIT_STATE_UNSPECIFIED,
    UnitState.UNIT_STATE_IN_STOCK,
    UnitState.UNIT_STATE_OFFERED,
)


def rung(found: Rung) -> ladder.Rung:
    """Return a rung of a ladder."""
    return ladder.Rung(
        counts.payer(found),
        found.kind == RUNG_KIND_CONSUMER,
        found.units,
        output.price_of(found.least),
        output.price_of(found.median),
        output.price_of(found.most),
        output.price_of(found.suggested) if found.suggested.currency_code else None,
        counts.share(found),
    )


def steps(found: GetPathResponse) -> list[path.Step]:
    """Return the steps of a path that are in force, from the commissioning on."""
    batch = found.batch
    shown = path_table.shown_steps(found, corrections=False)
    rows = path_table.rows(shown, batch.suggested_price, batch.brand, in_title=False)
    beside = f" of {output.bare_price(batch.suggested_price)}"
    told = [path.Step(batch.made_on, "commissioned", "", "", batch.brand, batch.brand)]
    for step, (_, day, what, _, _, _, price, _, share, _) in zip(shown, rows, strict=True):
        told.append(path.Step(day, what, price, share and share + beside, step.owner, step.custodian))
    return told


def lot(found: Stock, today: datetime.date) -> stock.Lot:
    """Return what a party owns of a batch."""
    days = counts.days_left(found, today)
    batch = found.batch
    return stock.Lot(batch.lot, found.product_name, batch.expires_on, days, found.owned, found.reserved)


def chains(client: "Client", batch: int, size: int, position: int) -> Iterator[flow.Chain]:
    """Yield the units of a batch by their past as of a position, until MOST_RUNS are read."""
    number, runs = 0, 0
    while number < size and runs < MOST_RUNS:
        found = client.get_path((batch, number), as_of_position=position, events=False, steps_max=MOST_STEPS)
        last = min(max(found.run.range.last, number), size - 1)  # what a server says may be wrong
        if not found.next_page_token:
            yield _chain(found, last - number + 1)
        number, runs = last + 1, runs + 1


def _chain(found: GetPathResponse, units: int) -> flow.Chain:
    hops = []
    for step in found.steps:
        if step.kind in path_table.HOPS:
            hops.append(step)
        elif step.kind == PathStepKind.PATH_STEP_KIND_RETURNED and hops:
            hops.pop()
    is_sold = bool(hops) and hops[-1].kind == PathStepKind.PATH_STEP_KIND_SOLD
    tiers = []
    for step in hops:
        if step.kind != PathStepKind.PATH_STEP_KIND_SOLD:
            authority = path_table.authority_of(step)
            has_tier = authority is not None and authority.HasField("receiver_tier")
            tiers.append(authority.receiver_tier if authority is not None and has_tier else None)
    if is_sold or found.run.state in SOLD:
        end = flow.End.CONSUMER
    else:
        end = flow.End.UNSOLD if found.run.state in UNSOLD else flow.End.WRITTEN_OFF
    return flow.Chain(units, tuple(tiers), end)


def party(found: Party, at: datetime.datetime) -> chain.Party:
    """Return a party with the uplines whose authorization is in force at a moment."""
    moment = Timestamp()
    moment.FromDatetime(at)
    in_force = [given for given in found.authorizations if _is_in_force(given, moment)]
    kind = output.word(PartyKind.DESCRIPTOR, found.kind)
    return chain.Party(found.party, kind, tuple((given.upline, given.tier) for given in in_force))


def whole(client: "Client", parties: Iterable[Party]) -> Iterator[Party]:
    """Yield parties with all their authorizations: a list may leave out some."""
    for found in parties:
        yield client.get_party(found.party) if found.authorizations_left_out else found


def _is_in_force(given: Authorization, at: Timestamp) -> bool:
    ends = [
        _order(end)
        for end, is_set in (
            (given.valid_until, given.HasField("valid_until")),
            (given.revoked_from, given.HasField("revoked_from")),
        )
        if is_set
    ]
    return _order(given.valid_from) <= _order(at) < min(ends, default=(1 << 63, 0))


def _order(time: Timestamp) -> tuple[int, int]:
    return time.seconds, time.nanos
