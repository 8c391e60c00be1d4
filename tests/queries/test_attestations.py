"""Attestations: who vouches for each hop, on paths and in lists, of every combination of signatures."""

from typing import Final

import pytest
from msgspec.structs import replace

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.queries import Queries
from pathbook.ledger.queries.answers import Path
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.steps import StepKind, attestation_of
from pathbook.ledger.values import Attestation, Price, Selection, Unit, UnitRange
from tests.queries.written import MASKS, WrittenStory, open_queries, transfers_at
from tests.rules.key_words import register, signed
from tests.verify.signed_story import bound

KEYS: Final = {"acme": "a", "ann": "n", "ben": "b"}
PRICE: Final = Price(100, "CNY")

RECORDED, BY_BOTH = Attestation.RECORDED, Attestation.REPORTED_BY_BOTH
GIVER, RECEIVER, BOTH = (
    Attestation.SIGNED_BY_GIVER,
    Attestation.SIGNED_BY_RECEIVER,
    Attestation.SIGNED_BY_BOTH,
)


class SignedStory(WrittenStory):
    """A story of masks whose parties have keys, and sign what they are told to sign."""

    def __init__(self) -> None:
        """Begin the book, and give each party a key."""
        super().__init__(MASKS)
        self.ask(register("", "o", "", "o"))
        self.ask(register("acme", "a", "", "o"))
        self.ask(register("ann", "n", "acme", "a"))
        self.ask(register("ben", "b", "ann", "n"))

    def say(self, command: Command, *, sign: bool) -> int:
        """Ask a command, signed or not, and return the position of its event.

        Without a signature it is recorded as if its party had no key.
        """
        if sign:
            asked = signed(self, bound(self.state, command), KEYS[command.actor])
            outcome = self.ask_signed(asked)
        else:
            keys, self.state.keys = self.state.keys, {}
            outcome = self.ask(command)
            self.state.keys = keys
        assert not isinstance(outcome, Refusal), outcome
        return self.state.position


def units(number: int) -> Selection:
    """Return one unit."""
    return Selection((UnitRange(1, number, number),))


def found(queries: Queries, number: int) -> list[tuple[StepKind, Attestation]]:
    """Return the kinds and the attestations of the steps of a unit."""
    path = queries.path("book", Unit(1, number), corrections=True)
    assert isinstance(path, Path), path
    return [(step.movement.kind, step.attestation) for step in path.steps]


def listed(queries: Queries, transfer: int) -> Attestation:
    """Return the attestation that a list has of a transfer."""
    ((row),) = (line.row for line in transfers_at(queries, transfer))
    return attestation_of(
        by_giver=bool(row.giver_signed),
        by_receiver=bool(row.receiver_signed),
        reported_by_both=bool(row.is_attested),
    )


def offer(number: int) -> commands.OfferTransfer:
    """Return the command that offers a unit to ann."""
    return commands.OfferTransfer(
        request_id=f"offer-{number}",
        giver="acme",
        receiver="ann",
        units=units(number),
        unit_price=PRICE,
    )


def accept(transfer: int) -> commands.AcceptTransfer:
    """Return the command by which ann accepts an offer."""
    return commands.AcceptTransfer(request_id=f"accept-{transfer}", receiver="ann", transfer=transfer)


def record(number: int) -> commands.RecordTransfer:
    """Return the command by which acme records that ann got a unit."""
    return commands.RecordTransfer(
        request_id=f"record-{number}",
        giver="acme",
        receiver="ann",
        units=units(number),
        unit_price=PRICE,
        reference=f"note-{number}",
    )


def told() -> tuple[SignedStory, list[tuple[int, int, list[tuple[StepKind, Attestation]], Attestation]]]:
    """Return a story, and of each unit its transfer, the expected steps after the first, and what lists say."""
    story, expected, number = SignedStory(), [], 0
    for by_giver, by_receiver, hop in (
        (False, False, BY_BOTH),
        (True, False, GIVER),
        (False, True, RECEIVER),
        (True, True, BOTH),
    ):
        transfer = story.say(offer(number), sign=by_giver)
        story.say(accept(transfer), sign=by_receiver)
        offered = GIVER if by_giver else RECORDED
        expected.append((number, transfer, [(StepKind.OFFERED, offered), (StepKind.TRANSFERRED, hop)], hop))
        transfer = story.say(record(number + 1), sign=by_giver)
        report = replace(record(number + 1), request_id=f"report-{number}", reported_by="ann")
        story.say(report, sign=by_receiver)
        reported = GIVER if by_receiver else RECORDED
        steps = [(StepKind.TRANSFERRED, hop), (StepKind.ATTESTED, reported)]
        expected.append((number + 1, transfer, steps, hop))
        transfer = story.say(replace(record(number + 2), reference=""), sign=by_giver)
        expected.append((number + 2, transfer, [(StepKind.TRANSFERRED, offered)], offered))
        number += 3
    return story, expected


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of the database."""
    return str(request.param)


def test_each_hop_says_who_signed_it(kind: str) -> None:
    """The giver signs the offer or the record, and the receiver the acceptance or its report, each or neither."""
    story, expected = told()
    with open_queries(story.entries, kind) as queries:
        for number, transfer, steps, in_list in expected:
            assert found(queries, number)[1:] == steps, (number, steps)
            assert listed(queries, transfer) is in_list


def test_steps_that_are_no_hops_are_signed_by_the_one_that_acts(kind: str) -> None:
    """A sale, a return and the commissioning have one side that signs."""
    story = SignedStory()
    sale = commands.SellUnits(request_id="s", seller="acme", consumer="wei", units=units(0), unit_price=PRICE)
    sold = story.say(sale, sign=True)
    story.say(
        commands.ConfirmPurchase(request_id="c", consumer="wei", units=units(0), price_paid=PRICE), sign=False
    )
    story.say(
        commands.DeliverUnits(request_id="d", custodian="acme", receiver="ben", units=units(1)), sign=True
    )
    moved = story.say(record(2), sign=False)
    returned = story.say(commands.ReturnUnits(request_id="r", owner="ann", units=units(2)), sign=True)
    story.say(offer(3), sign=True)
    declined = story.state.position
    story.say(commands.DeclineTransfer(request_id="n", receiver="ann", transfer=declined), sign=True)
    with open_queries(story.entries, kind) as queries:
        assert found(queries, 0) == [
            (StepKind.COMMISSIONED, RECORDED),
            (StepKind.SOLD, GIVER),
            (StepKind.CONFIRMED, RECORDED),
        ]
        assert found(queries, 1)[1:] == [(StepKind.DELIVERED, GIVER)]
        assert found(queries, 2)[1:] == [(StepKind.TRANSFERRED, RECORDED), (StepKind.RETURNED, GIVER)]
        assert found(queries, 3)[1:] == [(StepKind.OFFERED, GIVER), (StepKind.RELEASED, GIVER)]
        told_of = [listed(queries, transfer) for transfer in (sold, moved, returned, declined)]
        assert told_of == [GIVER, RECORDED, GIVER, GIVER]


def test_the_giver_did_not_sign_for_units_beyond_its_offer(kind: str) -> None:
    """It allowed one, and did not say which. Only the receiver signed that it got this one."""
    story = SignedStory()
    transfer = story.say(replace(offer(0), extra_allowed=1), sign=True)
    story.say(replace(accept(transfer), extra=(UnitRange(1, 1, 1),)), sign=True)
    with open_queries(story.entries, kind) as queries:
        assert found(queries, 0)[1:] == [(StepKind.OFFERED, GIVER), (StepKind.TRANSFERRED, BOTH)]
        assert found(queries, 1)[1:] == [(StepKind.TRANSFERRED, RECEIVER)]


def test_a_later_transfer_has_signatures_of_its_own(kind: str) -> None:
    """What was signed of one hop says nothing of the next."""
    story = SignedStory()
    transfer = story.say(offer(0), sign=True)
    story.say(accept(transfer), sign=True)
    story.say(replace(record(0), giver="ann", receiver="ben"), sign=False)
    story.say(replace(record(0), request_id="x", giver="ben", receiver="ann", reference="y"), sign=True)
    with open_queries(story.entries, kind) as queries:
        assert [by for _, by in found(queries, 0)[2:]] == [BOTH, RECORDED, GIVER]
