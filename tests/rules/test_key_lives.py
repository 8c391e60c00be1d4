"""Whatever happens to keys: the state has those that count, and the views have the state and what is listed."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.commands import RegisterParty
from pathbook.ledger.key_events import KeyRegistered
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.values import PartyKind
from tests.examples import examples
from tests.queries.written import WrittenStory, open_queries
from tests.rules.key_lives import NAMES, PARTIES, counts, lives
from tests.rules.key_words import key, said, signed


@given(lives())
def test_the_state_has_the_keys_that_count(story: WrittenStory) -> None:
    """A key is of one party, and counts from its registration to its revocation."""
    head = len(story.recorded)
    owners = {
        item.event.key: item.event.party for item in story.recorded if isinstance(item.event, KeyRegistered)
    }
    assert len(owners) == sum(isinstance(item.event, KeyRegistered) for item in story.recorded)
    for party in PARTIES:
        keys = story.state.keys[party]
        found = {} if keys is None else keys.by_key
        assert set(found) == {name for name, owner in owners.items() if owner == party}
        for name, each in found.items():
            assert (each.revoked == 0) is counts(story.recorded, party, name, head)
            for position in range(head + 1):
                during = each.position <= position and not 0 < each.revoked <= position
                assert counts(story.recorded, party, name, position) is during
        assert sum(not each.revoked for each in found.values()) <= 1


@given(lives(), st.sampled_from([*NAMES, "o"]))
def test_a_signature_counts_while_its_key_does(story: WrittenStory, name: str) -> None:
    """Of the operator's key now, and of no other party's."""
    command = RegisterParty(request_id="new", party="zoe", kind=PartyKind.SHOP)
    outcome = decide(story.state, signed(story, command, name), story.now)
    assert (said(outcome) == "ok") is counts(story.recorded, "", key(name), len(story.recorded))
    if isinstance(outcome, Refusal):
        assert outcome.reason in (Reason.KEY_UNKNOWN, Reason.KEY_REVOKED)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(max_examples=examples(6, 15))
@given(data=st.data())
def test_the_views_have_the_keys_of_the_state(kind: str, data: st.DataObject) -> None:
    """What is loaded is what the events made, and so is what is listed, oldest first and in pages."""
    story = data.draw(lives())
    with open_queries(story.entries, kind) as queries, contextlib.ExitStack() as stack:
        views = queries._views._engine
        loader = StateLoader(queries._stream, views, SQLAlchemyTrackingRecorder(views))
        stack.callback(views.dispose)
        wanted = {key(name) for name in (*NAMES, *"omxy")}
        state = loader.load("book", RequiredState(keys={*PARTIES, "nemo"}, taken_keys=wanted))
        assert state.keys == {**{party: story.state.keys[party] for party in PARTIES}, "nemo": None}
        assert {party: keys and list(keys.by_key) for party, keys in state.keys.items() if keys} == {
            party: keys and list(keys.by_key) for party, keys in story.state.keys.items() if keys
        }
        assert state.taken_keys == {name: story.state.taken_keys.get(name) for name in wanted}
        for party in PARTIES:
            registered = [
                (
                    item.position,
                    item.recorded_at,
                    event.key,
                    event.recovery_key,
                    event.endorser,
                    event.endorser_key,
                )
                for item in story.recorded
                if isinstance(event := item.event, KeyRegistered) and event.party == party
            ]
            listed = queries.keys("book", party)
            assert isinstance(listed, list)
            assert registered == [
                (row.position, row.registered_at, row.key, row.recovery_key, row.endorser, row.endorser_key)
                for row in listed
            ]
            times = {item.position: item.recorded_at for item in story.recorded}
            for row in listed:
                keys = story.state.keys[party]
                assert keys is not None
                assert row.revoked_position == keys.by_key[row.key].revoked
                assert row.revoked_at == times.get(row.revoked_position)
            first = queries.keys("book", party, 0, 1)
            assert isinstance(first, list)
            rest = queries.keys("book", party, first[-1].position if first else 0)
            assert isinstance(rest, list)
            assert [*first, *rest] == listed
        unknown = queries.keys("book", "nemo")
        assert isinstance(unknown, Refusal)
        assert unknown.reason is Reason.PARTY_UNKNOWN
