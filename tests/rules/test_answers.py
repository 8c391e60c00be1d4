"""What answers an event names the event itself, and not only its position, and must if it is signed."""

import pytest
from msgspec.structs import replace

from pathbook.ledger.command_fields import AnsweringFields
from pathbook.ledger.commands import Command, SignedCommand
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from tests.proofs.prover import ORIGIN
from tests.rules.key_words import said
from tests.verify.signed_story import SignedStory, begun, public

ANSWERS = {
    "accept": "offer 1:0 acme > ann at 15000 as x | accept x by ann",
    "decline": "offer 1:0 acme > ann at 15000 as x | decline x by ann",
    "withdraw": "offer 1:0 acme > ann at 15000 as x | withdraw x by acme",
    "reverse a record": "record 1:0 acme > ann at 15000 as x | reverse x by ann",
    "reverse what was accepted": (
        "offer 1:0-1 acme > ann at 15000 as x | accept x by ann but short 1:1 | reverse x by ann"
    ),
    "agree to a reversal": "record 1:0 acme > ann at 15000 as x | reverse x by ann | reverse x by acme",
    "lift": "recall batch 1 units 1:0 by acme as x | lift x by acme",
    "revoke": "authorize cat tier 1 by acme as x | revoke x by acme",
    "declare": "write off 1:0 by acme as damaged as x | declare x an error by acme",
}
"""Lines of which the last one answers what was named x."""


def told(lines: str) -> tuple[SignedStory, Command]:
    """Return a book as before the last line, and the command of that line."""
    story = begun()
    *before, last = lines.split(" | ")
    story.tell("\n".join(before))
    return story, story._built(last)


def outcome(story: SignedStory, command: Command, *, is_signed: bool) -> str:
    """Return what comes of a command, which its actor signs, or which has no key any more."""
    if is_signed:
        name = story.signers[command.actor]
        signed = SignedCommand(command, ORIGIN, command.actor, public(name), story.now, b"statement")
        return said(decide(story.state, signed, story.now))
    story.revoke(command.actor, story.signers[command.actor], command.actor, story.signers[command.actor])
    return said(decide(story.state, command, story.now))


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_to_another_event_is_refused(name: str, is_signed: bool) -> None:
    """Only the leaf hash of the event at the position is right. Without a signature, the position alone will do."""
    story, command = told(ANSWERS[name])
    assert isinstance(command, AnsweringFields)
    right = story.bound(command)
    assert isinstance(right, AnsweringFields)
    assert len(right.answered_leaf) == 32
    assert outcome(story, right, is_signed=is_signed) == "ok"
    other = replace(right, answered_leaf=bytes(32))
    if is_signed:
        assert outcome(story, other, is_signed=True) == "ANSWERED_EVENT_DIFFERS"
        assert outcome(story, command, is_signed=True) == "ANSWERED_LEAF_MISSING"
    else:
        refused = decide(story.state, other, story.now)
        assert isinstance(refused, Refusal)
        assert refused.reason.name == "ANSWERED_EVENT_DIFFERS"
        assert f"position {right.answered} has" in str(refused)
        assert said(decide(story.state, command, story.now)) == "ok"


def test_a_reversal_answers_what_agreed_the_transfer() -> None:
    """Of an offer that was accepted in part, that is the acceptance, and the offer is another event."""
    story, command = told(ANSWERS["reverse what was accepted"])
    assert isinstance(command, AnsweringFields)
    offer = story.recorded[command.answered - 1]
    assert (
        outcome(story, replace(command, answered_leaf=offer.leaf), is_signed=True) == "ANSWERED_EVENT_DIFFERS"
    )
    acceptance = story.recorded[-1]
    assert outcome(story, replace(command, answered_leaf=acceptance.leaf), is_signed=True) == "ok"


def test_what_does_not_exist_is_said_before_the_leaf_hash() -> None:
    """A signer who mistypes a position is told so, and not what its signature lacks."""
    story = begun()
    for line, reason in (
        ("accept 99 by ann", "TRANSFER_UNKNOWN"),
        ("reverse 99 by ann", "TRANSFER_UNKNOWN"),
        ("lift 99 by acme", "RECALL_UNKNOWN"),
        ("revoke 99 by acme", "AUTHORIZATION_UNKNOWN"),
        ("declare 99 an error by acme", "EVENT_NOT_DECLARABLE"),
    ):
        assert outcome(story, story._built(line), is_signed=True) == reason
