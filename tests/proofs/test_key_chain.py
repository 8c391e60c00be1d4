"""Keys that are replayed from chains count where the rules of a book let them count, and nowhere else."""

from random import Random
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.chains import links
from pathbook.ledger.commands import SignedCommand
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.proofs import key_chain
from pathbook.ledger.proofs.key_chain import KeyChains
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from tests.proofs.prover import ORIGIN
from tests.scenario import DAY
from tests.verify.signed_story import SignedStory, begun, key_registered, key_revoked, public

PARTIES: Final = ("", "acme", "ann", "ben", "cat")
NAMES: Final = ("op", "a1", "n1", "b1", "c1", "k1", "k2", "k3", "k4", "k5", "k6")
RECOVERIES: Final = ("", "a1 recovery", "n1 recovery", "b1 recovery", "r")


def replayed(story: SignedStory) -> KeyChains:
    """Return the keys to which all events of a story lead."""
    keys = KeyChains(ORIGIN)
    for item in story.recorded:
        assert keys.apply(item) == "", item
    return keys


def something(chosen: Random, story: SignedStory) -> KeyRegistered | KeyRevoked:
    """Return an event about a key, which is often allowed."""
    party, name = chosen.choice(PARTIES), chosen.choice(NAMES)
    held = {
        owner: [name for name in NAMES if (keys := story.state.keys.get(owner)) and keys.counts(public(name))]
        for owner in PARTIES
    }
    above = {"acme": "", "ann": "acme", "ben": "ann", "cat": "", "": ""}[party]
    endorser = chosen.choice([above, above, above, party, chosen.choice(PARTIES)])
    with_ = chosen.choice(held[endorser] or NAMES)
    match chosen.randrange(7):
        case 0 | 1:
            return key_registered(party, name, endorser, with_, recovery=chosen.choice(RECOVERIES))
        case 2 | 3:
            own = chosen.choice(held[party] or NAMES)
            return key_registered(party, name, party, own, own, chosen.choice(RECOVERIES))
        case 4:
            own = chosen.choice(held[party] or NAMES)
            return key_registered(party, name, party, chosen.choice(RECOVERIES[1:]), own)
        case 5:
            return key_registered(party, name, party, name)
        case _:
            own = chosen.choice(held[party] or NAMES)
            return key_revoked(party, own, endorser, chosen.choice([with_, *RECOVERIES[1:]]))


def by_ann(story: SignedStory, line: str) -> None:
    """Execute a line of ann, which signs it with a key if one of it counts."""
    command = story.bound(story._built(line))
    known = story.state.keys["ann"]
    counting = [key.key for key in known.by_key.values() if not key.revoked] if known is not None else []
    if counting:
        signed = SignedCommand(command, ORIGIN, "ann", counting[0], story.now, b"statement", bytes(64))
        assert not isinstance(story.ask_signed(signed), Refusal)
    else:
        assert not isinstance(story.ask(command), Refusal)


@given(seed=st.integers(0, 10_000))
def test_keys_are_judged_as_the_rules_decide(seed: int) -> None:
    """What a book refuses is not allowed in a chain, and what it records is. They were written apart."""
    chosen, story = Random(seed), begun()
    story.signers.clear()
    keys = replayed(story)
    for _ in range(40):
        story.now += chosen.choice([0, DAY, 2 * DAY])
        if chosen.random() < 0.05:
            for line in ("revoke given by ann", "authorize ben tier 2 by ann"):
                by_ann(story, line)
                assert keys.apply(story.recorded[-1]) == ""
            story.names["given"] = story.state.position
        event = something(chosen, story)
        command = story._command(event)
        outcome = decide(story.state, command, story.now)
        if isinstance(outcome, Refusal):
            like = story.recorded[-1]
            forced = msgspec.structs.replace(
                like, position=like.position + 1, recorded_at=story.now, event=event, signed=None
            )
            assert keys.apply(forced), (event, outcome)
        else:
            story.ask(command)
            assert keys.apply(story.recorded[-1]) == "", event
    for party in PARTIES:
        known = story.state.keys.get(party)
        for key, held in known.by_key.items() if known is not None else ():
            for position in (held.position - 1, held.position, held.revoked - 1, held.revoked, 10**6):
                counts = held.position <= position and (not held.revoked or position < held.revoked)
                assert (keys.problem(party, key, position) == "") is counts


def test_a_recovery_key_undoes_a_rotation_and_all_after_it() -> None:
    """For 72 hours. What a recovery replaced cannot be undone by the recovery key of the thief."""
    story = begun()
    story.register("ben", "t1", "ben", "b1", "b1", "thief")
    story.register("ben", "t2", "ben", "t1", "t1", "thief")
    story.now += 3 * DAY
    story.register("ben", "b2", "ben", "b1 recovery", "t2", "b2 recovery")
    keys = replayed(story)
    for name, since in (("b1", "was revoked"), ("t1", "was revoked"), ("t2", "was revoked"), ("b2", "")):
        assert since in keys.problem("ben", public(name), story.state.position)
    undo = key_registered("ben", "t3", "ben", "thief", "b2")
    later = msgspec.structs.replace(story.recorded[-1], position=story.state.position + 1, event=undo)
    assert keys.apply(later) == "ben had no key that could endorse it"


def test_a_key_is_of_a_party_that_was_registered() -> None:
    """A key of no one, and the revocation of one, are named as that."""
    story = begun()
    keys = replayed(story)
    for event, why in (
        (key_registered("dan", "k1", "", "op"), "it registers a key of dan, which was not registered"),
        (key_revoked("dan", "k1", "", "op"), "it revokes a key that dan did not have"),
        (key_revoked("ben", "k1", "ann", "n1"), "it revokes a key that ben did not have"),
    ):
        assert keys.apply(msgspec.structs.replace(story.recorded[-1], event=event)) == why


def test_a_key_counts_from_its_registration_to_before_its_revocation() -> None:
    """Both positions are of other events, so no statement is at them."""
    story = begun()
    registered = story.state.position
    story.register("cat", "c2", "cat", "c1", "c1")
    keys = replayed(story)
    at = story.state.position
    assert keys.problem("cat", public("c1"), at - 1) == ""
    assert keys.problem("cat", public("c1"), at) == f"the key of cat was revoked at position {at}"
    assert keys.problem("cat", public("c2"), at - 1) == f"cat had no such key at position {at - 1}"
    assert keys.problem("cat", public("c2"), at) == ""
    assert keys.problem("", public("c2"), at) == f"the operator had no such key at position {at}"
    assert registered < at


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ("", {"": "", "acme": "", "ann": "", "ben": "", "cat": ""}),
        ("acme", {"acme": "acme", "ann": "acme", "ben": "acme"}),
        ("ann", {"ann": "ann", "ben": "ann"}),
        ("ben", {"ben": "ben"}),
        ("stranger", {}),
    ],
)
def test_a_key_rests_on_the_chains_of_all_endorsers(left_out: str, missing: dict[str, str]) -> None:
    """Without the chain of one of them, nothing says whose the key is, and that party is named."""
    story, keys = begun(), KeyChains(ORIGIN)
    for item in story.recorded:
        if left_out not in {link.chain for link in links(item.event)}:
            assert keys.apply(item) == "", item
    for name, party in {"op": "", "a1": "acme", "n1": "ann", "b1": "ben", "c1": "cat"}.items():
        assert keys.unproven(party, public(name)) == missing.get(party), (left_out, name)


def test_a_party_has_a_limited_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts all keys that it ever had."""
    monkeypatch.setattr(key_chain, "MAX_KEYS_EVER", 2)
    story = begun()
    story.force(key_registered("ben", "k1", "ben", "b1", "b1"), "b1")
    keys = replayed(story)
    story.force(key_registered("ben", "k2", "ben", "k1", "k1"), "k1")
    assert keys.apply(story.recorded[-1]) == "ben has more keys than it may"
