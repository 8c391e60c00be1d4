"""Rules for statements: which commands are decided as they were signed, and which must be signed."""

import datetime

import pytest
from msgspec.structs import replace

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.key_commands import FileStatements
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.values import Delivery, PartyKind, Price, Selection, UnitRange, UnitState
from tests.rules.key_words import SIGNATURE, file, key, register, revoke, said, signed
from tests.scenario import CODE_KEY, DAY, MASK, Story

PARTIES = """
brand acme
agent ann
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
"""
UNITS = Selection((UnitRange(1, 0, 9),))
PRICE = Price(100, "CNY")


def begun(*, policy: bool = False) -> Story:
    """Return a book with keys of the operator, acme and ann."""
    story = Story(PARTIES)
    if policy:
        story.state.policy = replace(story.state.policy, signed=True)
    for command in (
        register("", "op", "", "op"),
        register("acme", "a1", "", "op"),
        register("ann", "n1", "", "op"),
    ):
        assert said(story.ask(command)) == "ok"
    return story


def record(request_id: str = "t") -> commands.RecordTransfer:
    """Return the command of a transfer from acme to ann."""
    return commands.RecordTransfer(
        request_id=request_id, giver="acme", receiver="ann", units=UNITS, unit_price=PRICE
    )


def test_a_signed_command_does_what_the_command_does() -> None:
    """Its event is the same, of a party and of the operator."""
    story = begun()
    assert decide(story.state, signed(story, record(), "a1"), story.now) == decide(
        Story(PARTIES).state, record(), story.now
    )
    operator = commands.RegisterParty(request_id="p", party="ben", kind=PartyKind.AGENT)
    assert said(decide(story.state, signed(story, operator, "op"), story.now)) == "ok"


def test_a_statement_is_for_one_book_and_one_party() -> None:
    """The party that signs is the one that acts. A consumer has no key."""
    story = begun()

    def outcome(command: Command, name: str, party: str | None = None) -> str:
        return said(decide(story.state, signed(story, command, name, party), story.now))

    elsewhere = replace(signed(story, record(), "a1"), origin="pathbook/other")
    assert said(decide(story.state, elsewhere, story.now)) == "STATEMENT_OF_OTHER_BOOK"
    assert outcome(record(), "n1", "ann") == "STATEMENT_OF_OTHER_PARTY"
    assert outcome(record(), "op", "") == "STATEMENT_OF_OTHER_PARTY"
    reported = replace(record(), reported_by="ann", reference="r")
    assert outcome(reported, "a1", "acme") == "STATEMENT_OF_OTHER_PARTY"
    assert outcome(reported, "n1") == "TRANSFER_NOT_REPORTED"  # it counts, and ann may say so
    bought = commands.ConfirmPurchase(request_id="c", consumer="wei", units=UNITS, price_paid=PRICE)
    assert outcome(bought, "a1", "acme") == "CONSUMER_HAS_NO_KEY"
    assert outcome(bought, "a1") == "CONSUMER_HAS_NO_KEY"
    sold = commands.SellUnits(request_id="s", seller="acme", consumer="wei", units=UNITS, unit_price=PRICE)
    assert outcome(sold, "a1") == "ok"


def test_a_signature_counts_from_the_registration_of_its_key_to_its_revocation() -> None:
    """Before, after, and with a key of another party, it does not."""
    story = begun()
    command = record()
    assert said(story.ask_signed(signed(story, command, "n1"))) == "KEY_UNKNOWN"
    assert said(story.ask_signed(signed(story, command, "a2"))) == "KEY_UNKNOWN"
    story.ask(register("acme", "a2", "acme", "a1", replaces="a1"))
    assert said(story.ask_signed(signed(story, command, "a2"))) == "ok"
    story.ask(revoke("acme", "a2", "", "op"))
    revoked = story.ask_signed(signed(story, record("again"), "a2"))
    assert said(revoked) == "KEY_REVOKED"
    assert f"from position {story.state.position} on" in str(revoked)


@pytest.mark.parametrize(
    ("ago", "outcome"),
    [
        (0, "ok"),
        (30 * DAY, "ok"),
        (30 * DAY + 1, "STATEMENT_EXPIRED"),
        (-300_000_000, "ok"),
        (-300_000_001, "STATEMENT_EXPIRED"),
    ],
)
def test_a_statement_counts_for_thirty_days(ago: int, outcome: str) -> None:
    """It may be ahead of the clock by as much as clocks differ."""
    story = begun()
    statement = replace(signed(story, record(), "a1"), signed_at=story.now - ago)
    assert said(decide(story.state, statement, story.now)) == outcome


def test_a_batch_is_filed_with_a_key_that_counts() -> None:
    """The event has what the command says."""
    story = begun()
    assert decide(story.state, file("acme", "a1"), story.now) == StatementsFiled(
        "acme", key("a1"), key("root"), key("0") + key("1"), SIGNATURE
    )
    assert said(decide(story.state, file("", "op"), story.now)) == "ok"
    assert said(decide(story.state, file("ann", "a1"), story.now)) == "KEY_UNKNOWN"
    assert said(decide(story.state, file("zoe", "a1"), story.now)) == "KEY_UNKNOWN"
    assert said(decide(story.state, file("consumer:wei", "a1"), story.now)) == "CONSUMER_HAS_NO_KEY"
    story.ask(revoke("acme", "a1", "acme", "a1"))
    assert said(decide(story.state, file("acme", "a1"), story.now)) == "KEY_REVOKED"


def test_a_party_with_a_key_signs_all_that_it_asks() -> None:
    """In any book. Others, the operator and consumers need not, nor the party itself once no key of it counts."""
    story = begun()
    for unsigned in everything_of_parties():
        refused = decide(story.state, unsigned, story.now)
        assert said(refused) == "PARTY_SIGNS", unsigned
        assert str(refused).startswith(f"{unsigned.actor} has a key")
    story.tell("agent ben\nagent zoe")
    assert said(story.ask_signed(signed(story, replace(record(), receiver="ben"), "a1"))) == "ok"
    back = replace(record("back"), giver="ben")
    assert said(story.ask(back)) == "ok"
    for command in (register("acme", "a2", "acme", "a1", replaces="a1"), revoke("acme", "a2", "acme", "a2")):
        assert said(decide(story.state, record("t2"), story.now)) == "PARTY_SIGNS"
        assert said(story.ask(command)) == "ok"
    other = replace(record("t2"), units=Selection((UnitRange(1, 20, 29),)))
    assert said(story.ask(other)) == "ok"


def test_a_book_may_want_signatures() -> None:
    """Parties then sign what they ask. The operator, consumers, keys and the book itself need not."""
    story = begun(policy=True)
    assert said(decide(story.state, record(), story.now)) == "STATEMENT_REQUIRED"
    assert said(decide(story.state, replace(record(), giver="zoe"), story.now)) == "PARTY_UNKNOWN"
    assert said(story.ask_signed(signed(story, record(), "a1"))) == "ok"
    sale = commands.SellUnits(
        request_id="s",
        seller="ann",
        consumer="wei",
        units=UNITS,
        unit_price=PRICE,
        delivery=Delivery.WITH_TITLE,
    )
    assert said(story.ask(sale)) == "STATEMENT_REQUIRED"
    assert said(story.ask_signed(signed(story, sale, "n1"))) == "ok"
    for command in (
        commands.ConfirmPurchase(request_id="c", consumer="wei", units=UNITS, price_paid=PRICE),
        commands.ReturnUnits(request_id="b", owner="consumer:wei", units=UNITS),
        commands.RegisterParty(request_id="p", party="ben", kind=PartyKind.AGENT),
        register("acme", "a2", "acme", "a1", replaces="a1"),
        revoke("ann", "n1", "ann", "n1"),
        file("acme", "a2"),
        commands.Seal(request_id="~", covers=1, covers_recorded_at=1, batches=0, parties=0, root=bytes(32)),
    ):
        assert said(story.ask(command)) == "ok", command
    for unsigned in everything_of_parties():
        assert said(decide(story.state, unsigned, story.now)) == "STATEMENT_REQUIRED", unsigned


def everything_of_parties() -> list[Command]:
    """Return a command of each kind that a party sends and that need not be true."""
    day = datetime.date(2025, 12, 1)
    return [
        commands.AuthorizeParty(request_id="1", upline="acme", party="ann", tier=1),
        commands.RevokeAuthorization(request_id="2", upline="acme", authorization=1),
        commands.RegisterProduct(request_id="3", brand="acme", product=MASK, name="m", suggested_price=PRICE),
        commands.CommissionBatch(
            request_id="4", brand="acme", product=MASK, lot="L", size=1, made_on=day, code_key=CODE_KEY
        ),
        commands.OfferTransfer(request_id="5", giver="acme", receiver="ann", units=UNITS, unit_price=PRICE),
        commands.AcceptTransfer(request_id="6", receiver="ann", transfer=9),
        commands.DeclineTransfer(request_id="7", receiver="ann", transfer=9),
        commands.WithdrawTransfer(request_id="8", giver="acme", transfer=9),
        commands.ReverseTransfer(request_id="9", party="acme", transfer=9),
        commands.DeliverUnits(request_id="10", custodian="acme", receiver="ann", units=UNITS),
        commands.ReturnUnits(request_id="11", owner="ann", units=UNITS),
        commands.WriteOffUnits(request_id="12", party="ann", units=UNITS, state=UnitState.LOST),
        commands.PackCase(request_id="13", party="ann", sscc="106141411234567897", units=UNITS),
        commands.UnpackCase(request_id="14", party="ann", sscc="106141411234567897"),
        commands.RecallUnits(request_id="15", brand="acme", batch=1),
        commands.LiftRecall(request_id="16", brand="acme", recall=3),
        commands.DeclareError(request_id="17", party="ann", position=3),
        commands.CorrectProduct(request_id="18", brand="acme", product=MASK),
        commands.CorrectBatch(request_id="19", brand="acme", batch=1),
    ]


def test_only_the_book_files_statements() -> None:
    """Its request id begins as no id of a caller does, and a book that is not open has none."""
    story = begun()
    assert isinstance(file("acme", "a1"), FileStatements)
    assert (
        said(decide(Story().state, replace(record(), request_id="~x"), story.now)) == "REQUEST_ID_MALFORMED"
    )
