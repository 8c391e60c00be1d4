"""What a book remembers of a request: its caller and id as 16 bytes, and a digest of what was asked."""

import datetime
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest

from pathbook.ledger import commands, key_commands
from pathbook.ledger.book import Answer
from pathbook.ledger.commands import Command, DiscrepancyClaim
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import (
    LATER_EVENT_BYTES,
    MAX_EVENT_BYTES,
    MAX_RANGES,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Quantity,
    Selection,
    UnitRange,
    UnitState,
)
from tests.books import BEGINNING, ask, engine, open_books, positions, record
from tests.scenario import MASK

YUAN: Final = Price(15_000, "CNY")
UNITS: Final = Selection((UnitRange(1, 0, 9),), ("106141412345678908",), (Quantity(5, product=MASK),))
NOTED: Final[dict[str, Any]] = {"note": "call Mrs Zhang", "note_salt": bytes(16)}

GOLDEN: Final[tuple[tuple[Command, str], ...]] = (
    (
        commands.OpenBook(
            request_id="r", name="masks", origin="acme.example/masks", max_tier=5, code_key=bytes(8)
        ),
        "e5a6470ad860c72175c2e4f760a9158c",
    ),
    (
        commands.RegisterParty(request_id="r", party="acme", kind=PartyKind.BRAND),
        "3d33cffe1590d0fb66a8183de971feb1",
    ),
    (
        commands.AuthorizeParty(
            request_id="r",
            upline="acme",
            party="ann",
            tier=1,
            products=(MASK,),
            region="Hunan",
            valid_from=1,
            valid_until=2,
        ),
        "0a2c38682807c5f65005f510e9199664",
    ),
    (
        commands.RevokeAuthorization(request_id="r", upline="acme", authorization=5, revoked_from=3),
        "7eca716371cb3950bb3c742e126ca54b",
    ),
    (
        commands.RegisterProduct(
            request_id="r", brand="acme", product=MASK, name="Mask", suggested_price=Price(125, "CNY", 100)
        ),
        "dcdab7abf2a499778ddcd8356e2ec816",
    ),
    (
        commands.CommissionBatch(
            request_id="r",
            brand="acme",
            product=MASK,
            lot="L1",
            size=9,
            made_on=datetime.date(2026, 1, 2),
            expires_on=datetime.date(2028, 1, 2),
            suggested_price=YUAN,
            code_key=bytes(8),
        ),
        "ee91dcbb9a9620b51ba05ca6bc46ac99",
    ),
    (
        commands.OfferTransfer(
            request_id="r",
            occurred_at=7,
            giver="acme",
            receiver="ann",
            units=UNITS,
            unit_price=YUAN,
            delivery=Delivery.LATER,
            deadline=9,
            reference="DN-1",
        ),
        "6223b814565ebaf261daeaa2ecfa70ae",
    ),
    (
        commands.AcceptTransfer(
            request_id="r",
            receiver="ann",
            transfer=6,
            discrepancies=(
                DiscrepancyClaim(DiscrepancyKind.SHORT, (UnitRange(1, 0, 1),)),
                DiscrepancyClaim(DiscrepancyKind.DAMAGED, (), 2),
            ),
            extra=(UnitRange(1, 50, 50),),
        ),
        "16af36076caaa624f237305d295c9a07",
    ),
    (
        commands.DeclineTransfer(request_id="r", receiver="ann", transfer=6, **NOTED),
        "7b4d44eb53c76a84e8012a3118f5bf55",
    ),
    (
        commands.WithdrawTransfer(request_id="r", giver="acme", transfer=6),
        "805ac2080137f7fd3fcb5947dc51a112",
    ),
    (
        commands.LapseTransfer(request_id="~lapse/6", transfer=6),
        "e58ff308c74d59695aef3eb47e3d7a2d",
    ),
    (
        commands.RecordTransfer(request_id="r", giver="acme", receiver="ann", units=UNITS, unit_price=YUAN),
        "4a5cffaed2227a5054fc025db5696eb8",
    ),
    (
        commands.RecordTransfer(
            request_id="r",
            giver="acme",
            receiver="ann",
            units=UNITS,
            unit_price=YUAN,
            reference="DN-1",
            reported_by="ann",
        ),
        "9fa5a7ec165b3e34dbf32b42fb056a5b",
    ),
    (
        commands.ReverseTransfer(request_id="r", party="ann", transfer=6, **NOTED),
        "4561c1fefcde11728cd319feb0032a94",
    ),
    (
        commands.DeliverUnits(request_id="r", custodian="acme", receiver="ann", units=UNITS),
        "62e9e7951b4b4512db9cf0e799983b4d",
    ),
    (
        commands.SellUnits(
            request_id="r", seller="ann", consumer="c-1", units=UNITS, unit_price=YUAN, reference="R-1"
        ),
        "8e056daea8988df9c12ba665d0b95b78",
    ),
    (
        commands.ConfirmPurchase(request_id="r", consumer="c-1", units=UNITS, price_paid=YUAN),
        "8e6e5e31dcb6977e2c11caaa7232339d",
    ),
    (
        commands.ReturnUnits(request_id="r", owner="consumer:c-1", units=UNITS, **NOTED),
        "5ca4d7d3d12251911189f896f7028ed8",
    ),
    (
        commands.WriteOffUnits(request_id="r", party="ann", units=UNITS, state=UnitState.LOST, **NOTED),
        "af5412638c49f6e19f535cd72e004f10",
    ),
    (
        commands.PackCase(request_id="r", party="ann", sscc="106141412345678915", units=UNITS),
        "fd8284c6c07e7b2dc2b6b822d3dc1e45",
    ),
    (
        commands.UnpackCase(request_id="r", party="ann", sscc="106141412345678915"),
        "6ff74d06cf2996a9e32b0b6b59effaed",
    ),
    (
        commands.RecallUnits(request_id="r", brand="acme", batch=1, ranges=(UnitRange(1, 0, 1),), **NOTED),
        "c3d3352e8021de8cff92b8f068342385",
    ),
    (
        commands.LiftRecall(request_id="r", brand="acme", recall=9),
        "6fcf1b2f97c252806a3cda7079a8180b",
    ),
    (
        commands.DeclareError(request_id="r", party="ann", position=9, **NOTED),
        "b8954e906c161960976b46430f800d8f",
    ),
    (
        commands.CorrectProduct(
            request_id="r", brand="acme", product=MASK, name="Mask", suggested_price=YUAN
        ),
        "8e67d998daf01248a6148d865635211e",
    ),
    (
        commands.CorrectBatch(
            request_id="r",
            brand="acme",
            batch=1,
            made_on=datetime.date(2026, 1, 2),
            never_expires=True,
            suggested_price=YUAN,
        ),
        "a42a78fc97ff602056fe6de5b2675630",
    ),
    (
        commands.CorrectParty(request_id="r", party="ann", kind=PartyKind.SHOP),
        "6beabd7b697697f17dd79921f72e011b",
    ),
    (
        commands.Seal(
            request_id="~seal/6", covers=6, covers_recorded_at=5, batches=1, parties=2, root=bytes(32)
        ),
        "9970d74ce04463b3deeaa49721e92cdc",
    ),
    (
        commands.OpenBook(request_id="r", name="masks", signed=True, code_key=b"12345678"),
        "94fd906da159d4e3031f4f67ca846f37",
    ),
    (
        key_commands.RegisterKey(
            request_id="r",
            party="ann",
            key=bytes([1]) * 32,
            endorser="acme",
            endorser_key=bytes([2]) * 32,
            possession=bytes(64),
            endorsement=bytes(64),
        ),
        "bb018e1d6320ca03d740aa761260831b",
    ),
    (
        key_commands.RevokeKey(
            request_id="r",
            party="ann",
            key=bytes([1]) * 32,
            revoker="",
            revoker_key=bytes([2]) * 32,
            signature=bytes(64),
        ),
        "89f52f5320e6c45c07fb2cedcb51e2f7",
    ),
    (
        key_commands.FileStatements(
            request_id="~statements/00",
            party="ann",
            key=bytes([1]) * 32,
            root=bytes([2]) * 32,
            leaf_hashes=bytes([2]) * 32,
            signature=bytes(64),
        ),
        "11e9cc809e336e49f41b054d3e301ef7",
    ),
)
"""A command of each kind and its digest, which every later version must give it."""


@pytest.mark.parametrize(("command", "expected"), GOLDEN)
def test_the_digest_of_a_command_never_changes(command: Command, expected: str) -> None:
    """A request that is sent again after an upgrade has the digest that is stored in its event."""
    assert digest(command).hex() == expected


def test_every_kind_of_command_has_a_digest_written_down() -> None:
    """The digest of each kind of command is listed here, but of the one that only the writer sends."""
    assert {type(command) for command, _ in GOLDEN} == set(get_args(Command))


@pytest.mark.parametrize("command", [command for command, _ in GOLDEN])
def test_a_new_field_with_a_default_changes_no_digest(command: Command) -> None:
    """A later version of a command, with another class name and one more optional field, has the same digest."""
    kind: Any = type(command)
    later: Any = msgspec.defstruct(
        "Another",
        [("a_new_field", str, ""), ("zz_new_field", int, 0)],
        bases=(kind,),
        frozen=True,
        kw_only=True,
        tag=kind.__struct_config__.tag,
        omit_defaults=True,
    )
    values = {name: getattr(command, name) for name in kind.__struct_fields__}
    assert digest(later(**values)) == digest(command)
    assert digest(later(**values, zz_new_field=1)) != digest(command)


def test_no_two_kinds_of_commands_have_the_same_tag() -> None:
    """Each kind of command has an explicit tag, which is in its digest."""
    tags = [kind.__struct_config__.tag for kind in get_args(Command)]
    assert len(set(tags)) == len(tags)
    assert all(tag and tag == tag.lower() for tag in tags)


def test_a_request_is_known_by_its_caller_and_its_id() -> None:
    """The 16 bytes of a request never change, and differ between callers."""
    assert request_of("acme", "inv-0001/1").hex() == "3826eeb07d268c43cd14385d2784d0ec"
    assert request_of("bolt", "inv-0001/1") != request_of("acme", "inv-0001/1")
    assert request_of("", "acme") != request_of("acme", "")


def test_two_callers_may_use_the_same_request_id(place: Path) -> None:
    """What another caller sent under a request id spoils no retry, and no id stands in the log."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        ask(opened, commands.RegisterParty(request_id="5", party="ben", kind=PartyKind.AGENT))
        first = ask(opened, record("inv-0001/1"))
        second = ask(
            opened,
            msgspec.structs.replace(record("inv-0001/1"), giver="ann", receiver="ben"),
            record("inv-0001/1"),
            record("inv-0001/1", count=2),
        )
    (moved,) = positions(first)
    onward, again, other = second
    assert isinstance(onward, Answer)
    assert (onward.recorded.position, onward.duplicate) == (moved + 1, False)
    assert isinstance(again, Answer)
    assert (again.recorded.position, again.duplicate) == (moved, True)
    assert isinstance(other, Refusal)
    assert other.reason is Reason.REQUEST_ID_REUSED
    events = engine(place, "events")
    entries = Stream(events).read("masks", 0, 100)
    events.dispose()
    assert not [entry for entry in entries if b"inv-0001" in entry.data]


def test_an_event_names_at_most_so_many_ranges(place: Path) -> None:
    """As many ranges as the limit make one event that fits an entry of 64 KiB, and one more is refused."""

    def every_other(first: int, count: int) -> Selection:
        return Selection(tuple(UnitRange(1, n, n) for n in range(first, first + 2 * count, 2)))

    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        taken, refused, quantity, fewer = ask(
            opened,
            msgspec.structs.replace(record("n"), units=every_other(9_000_000, MAX_RANGES)),
            msgspec.structs.replace(record("n + 1"), units=every_other(8_000_000, MAX_RANGES + 1)),
            commands.ReturnUnits(
                request_id="back", owner="ann", units=Selection((UnitRange(1, 9_000_000, 9_000_000),))
            ),
            record("all", count=2),
        )
        assert isinstance(taken, Answer)
        assert isinstance(refused, Refusal)
        assert dict(refused.facts) == {"count": str(MAX_RANGES + 1), "limit": str(MAX_RANGES)}
        assert isinstance(quantity, Answer)
        assert isinstance(fewer, Answer)
        back = msgspec.structs.replace(record("pieces", count=MAX_RANGES), giver="ann", receiver="acme")
        (too_few,) = ask(opened, back)
        assert isinstance(too_few, Answer)
    events = engine(place, "events")
    sizes = [len(entry.data) for entry in Stream(events).read("masks", 0, 100)]
    events.dispose()
    assert max(sizes) <= MAX_EVENT_BYTES - LATER_EVENT_BYTES


def test_an_event_that_is_too_large_is_refused_with_its_size(place: Path) -> None:
    """A return of units from very many transfers repeats all their terms, which an entry may not have room for."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        moves = [
            msgspec.structs.replace(
                record(f"move {number}"),
                units=Selection((UnitRange(1, 2 * number, 2 * number),)),
                reference=f"{number:064d}",
            )
            for number in range(600)
        ]
        positions(ask(opened, *moves))

        def giving_back(count: int) -> Command:
            ranges = tuple(UnitRange(1, 2 * number, 2 * number) for number in range(count))
            return commands.ReturnUnits(request_id=f"back {count}", owner="ann", units=Selection(ranges))

        (refused,) = ask(opened, giving_back(600))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.EVENT_TOO_LARGE
        facts = dict(refused.facts)
        limit = MAX_EVENT_BYTES - LATER_EVENT_BYTES
        assert int(facts["size"]) > int(facts["limit"]) == limit
        (taken,) = ask(opened, giving_back(300))
        assert isinstance(taken, Answer)
    events = engine(place, "events")
    sizes = [len(entry.data) for entry in Stream(events).read("masks", 0, 1_000)]
    events.dispose()
    assert len(sizes) == len(BEGINNING) + 600 + 1
    assert limit // 3 < max(sizes) <= limit
