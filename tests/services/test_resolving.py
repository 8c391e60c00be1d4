"""ResolveUnits tells the very units that a transfer sent right after takes, and records nothing."""

import random
from pathlib import Path
from typing import Final

import grpc
import pytest

from pathbook.client import Client, RefusedError, select
from pathbook.v1.transfers_pb2 import ResolveUnitsRequest, ResolveUnitsResponse
from pathbook.v1.transfers_pb2_grpc import TransferServiceStub
from pathbook.v1.values_pb2 import Selection
from tests.services.masks import (
    BOOK,
    CASE,
    MADE_ON,
    MASK,
    SIZE,
    TODAY,
    begin,
    boxes,
    moved,
    opened_place,
    yuan,
)
from tests.services.signing import head, reason_of, refusing

STEPS: Final = 60
NEXT: Final = {"acme": "ann", "ann": "bob", "bob": "acme"}

OF_UNITS: Final = {
    *("BATCH_UNKNOWN", "CASE_EMPTY", "CASE_IN_CASE", "CASE_UNKNOWN"),
    *("RANGES_OVERLAP", "RANGE_BEYOND_BATCH", "STOCK_TOO_SMALL"),
}
"""The reasons for which a transfer is refused because its selection means no units."""


def resolve(client: Client, owner: str, units: Selection, at_least_position: int = 0) -> ResolveUnitsResponse:
    """Ask which units a selection of an owner means."""
    request = ResolveUnitsRequest(book=BOOK, owner=owner, units=units, at_least_position=at_least_position)
    with grpc.insecure_channel(client.target) as channel:
        return TransferServiceStub(channel).ResolveUnits(request)


def anything(chance: random.Random, cases: list[str], codes: list[str]) -> Selection:
    """Return a selection of any kind, which may well mean nothing."""
    ranges, quantities, named = list[tuple[int, int, int]](), list[tuple[int, int | str]](), list[str]()
    for _ in range(chance.randint(1, 3)):
        match chance.randrange(8):
            case 0:
                first = chance.randrange(SIZE + 5)
                ranges.append((chance.randint(1, 3), first, first + chance.randrange(20)))
            case 1:
                named.append(chance.choice([*cases, "340123450000000031"]))
            case 2:
                codes = chance.sample(codes, 2)
                return select(codes=codes)
            case 3 | 4:
                quantities.append((chance.randint(1, 30), chance.randint(1, 2)))
            case _:
                quantities.append((chance.randint(1, 60), MASK))
    return select(ranges=ranges, cases=named, quantities=quantities)


@pytest.mark.parametrize("seed", range(2))
def test_a_preview_is_what_a_transfer_takes(place: Path, seed: int) -> None:
    """Whatever moved, was packed or recalled before, the preview is what the transfer takes, or it is refused alike."""
    chance = random.Random(seed)
    with opened_place(place) as client:
        begin(client)
        client.commission_batch(MASK, brand="acme", lot="L2", size=SIZE, made_on=MADE_ON, expires_on=TODAY)
        codes = [
            f"01{MASK}21{serial}"
            for batch in (1, 2)
            for serial in next(client.list_codes(batch, 0, 99)).serials
        ]
        accepted, cases, refusals = 0, [CASE], list[tuple[str, str]]()
        client.pack_case(CASE, party="acme", units=boxes(300, 311))
        client.recall_units(1, brand="acme", ranges=[(1, 40, 60), (1, 500, 505)])
        for step in range(STEPS):
            owner = chance.choice(list(NEXT))
            units, before = anything(chance, cases, codes), head(client)
            try:
                meant, why = resolve(client, owner, units, before), ""
            except grpc.RpcError as error:
                meant, why = ResolveUnitsResponse(), reason_of(error)
            assert head(client) == before
            try:
                taken = client.record_transfer(
                    giver=owner, receiver=NEXT[owner], units=units, unit_price=yuan(1), request_id=str(step)
                )
            except RefusedError as refusal:
                refusals.append((why, refusal.reason))
                continue
            assert not why
            assert meant.ranges == taken.ranges
            assert meant.position == taken.receipt.position - 1
            accepted += 1
        assert accepted >= STEPS // 4
        assert [(why, reason) for why, reason in refusals if why not in ("", reason)] == []
        assert not OF_UNITS.intersection(reason for why, reason in refusals if not why)


def test_a_preview_does_not_decide(client: Client) -> None:
    """Units are told also if a transfer of them is refused, so that other requests can name them."""
    begin(client)
    moved(client, 0, 9)
    client.recall_units(1, brand="acme", ranges=[(1, 0, 4)])
    (codes,) = client.list_codes(1, 3, 3)
    units = resolve(client, "acme", select(codes=codes.serials)).ranges
    assert [(item.batch, item.first, item.last) for item in units] == [(1, 3, 3)]
    (sound,) = resolve(client, "ann", select(quantities=[(5, 1)])).ranges
    assert (sound.first, sound.last) == (5, 9)


def test_a_preview_is_of_a_party_and_of_the_present(client: Client) -> None:
    """A stranger, a consumer, no selection, too long a one, a later position and another book are refused."""
    begin(client)
    for owner in ("zoe", "consumer:eve"):
        with refusing("PARTY_UNKNOWN"):
            resolve(client, owner, boxes(0, 0))
    with refusing("POSITION_BEYOND_HEAD"):
        resolve(client, "acme", boxes(0, 0), head(client) + 1)
    with refusing("POSITION_NEGATIVE"):
        resolve(client, "acme", boxes(0, 0), -1)
    with refusing("NO_UNITS"):
        resolve(client, "acme", Selection())
    with refusing("TOO_MANY_RANGES"):
        resolve(client, "acme", select(ranges=[(1, 0, 0)] * 4_001))
    with grpc.insecure_channel(client.target) as channel:
        stub = TransferServiceStub(channel)
        with refusing("VALUE_MISSING"):
            stub.ResolveUnits(ResolveUnitsRequest(book=BOOK, owner="acme"))
        with refusing("BOOK_UNKNOWN"):
            stub.ResolveUnits(ResolveUnitsRequest(book="others", owner="acme", units=boxes(0, 0)))
        with refusing("BOOK_MALFORMED"):
            stub.ResolveUnits(ResolveUnitsRequest(book=" ", owner="acme", units=boxes(0, 0)))


def test_a_preview_knows_what_the_views_do_not_hold_yet(client: Client) -> None:
    """A preview right after a write includes it, also without a position to wait for."""
    begin(client)
    for number in range(0, 200, 2):
        moved(client, number, number)
        (units, *_) = resolve(client, "acme", select(quantities=[(1, 1)])).ranges
        assert units.first == 1
        assert (
            len(resolve(client, "ann", select(quantities=[(number // 2 + 1, 1)])).ranges) == number // 2 + 1
        )
