"""Heads of runs, parties and batches: each binds the head before, the event, and the position of the event."""

from hashlib import sha256
from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import events, key_events, runs
from pathbook.ledger.chains import BEGINNING, Chain, ChainHead, Link, begun_before, extended, links
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.run import EMPTY_HEAD, next_head
from tests.projections.synthetic import SyntheticBook
from tests.strategies import any_event, positions
from tests.test_stored_format import BYTES, EVENTS

GOLDEN: Final = {
    2: "886ce9a391e9c41c738991e544e979c6dde82549ec3173a66e2a5f1798fc649d",
    999: "322c86d86dbd5812aa6f2de7a1f5ffab72194ecf85c147ea36b3651ae0a05ccc",
    2**63 - 1: "ff10e3e9fc519f51c3d331581610f9e0b4428a3328041f4f74b3bd1a35b38025",
}
"""The first head by the position of the event, if the leaf is the bytes 0 to 31."""

LINKS: Final[dict[type[Event], tuple[Link, ...]]] = {
    events.BookOpened: (Link("", begins=True),),
    key_events.KeyRegistered: (Link(""),),
    key_events.KeyRevoked: (Link("agent-1"),),
    events.PartyRegistered: (Link("maskworks", begins=True),),
    events.PartyAuthorized: (Link("agent-1"),),
    events.AuthorizationRevoked: (Link("agent-1"),),
    events.ProductRegistered: (Link("maskworks"),),
    events.BatchCommissioned: (Link(300, begins=True),),
    events.UnitsRecalled: (Link(300),),
    events.RecallLifted: (Link(300),),
    events.ProductCorrected: (Link("maskworks"),),
    events.BatchCorrected: (Link(300),),
    events.PartyCorrected: (Link("agent-1"),),
}
"""The chains that the events of the stored format extend. All other kinds extend none."""


@pytest.mark.parametrize(("position", "head"), GOLDEN.items())
def test_the_same_event_elsewhere_has_another_head(position: int, head: str) -> None:
    """A head is SHA-256(0x01 | head before | leaf | position), with the position in 8 bytes, big-endian."""
    leaf = bytes(range(32))
    assert next_head(EMPTY_HEAD, leaf, position).hex() == head
    assert sha256(b"\x01" + EMPTY_HEAD + leaf + position.to_bytes(8, "big")).hexdigest() == head


def test_the_runs_and_the_chain_of_a_batch_begin_with_the_same_head() -> None:
    """The commissioning of a batch is the first event of its units and of its chain."""
    recorded = decode(999, BYTES["BatchCommissioned.v1"])
    assert isinstance(recorded.event, events.BatchCommissioned)
    (run,) = runs.commissioned(recorded.event, 999, recorded.leaf).runs
    assert run.head == next_head(EMPTY_HEAD, recorded.leaf, 999)
    assert extended({}, recorded) == {recorded.event.batch: ChainHead(run.head, 999)}


def test_the_head_of_no_events_is_the_hash_of_an_empty_tree() -> None:
    """A chain begins where runs begin, at the hash of no bytes."""
    assert EMPTY_HEAD.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert ChainHead(EMPTY_HEAD, 0) == BEGINNING


@pytest.mark.parametrize("kind", get_args(Event))
def test_each_kind_of_event_extends_its_chains(kind: type[Event]) -> None:
    """Registrations, keys, authorizations, products, batches and recalls extend chains. Movements of units do not."""
    for event in EVENTS:
        if type(event) is kind:
            assert links(event) == LINKS.get(kind, ())


@given(any_event, positions, positions)
def test_an_event_extends_each_of_its_chains_once(event: Event, position: int, before: int) -> None:
    """An event extends each of its chains from the head before, or from the beginning."""
    recorded = RecordedEvent(position, 0, 0, bytes(16), bytes(16), event, bytes(range(32)))
    named = links(event)
    heads: dict[Chain, ChainHead] = {link.chain: ChainHead(b"before", before) for link in named}
    after = extended(heads, recorded)
    assert len(after) == len(named)
    for chain, begins in named:
        head = EMPTY_HEAD if begins else b"before"
        assert after[chain] == (next_head(head, recorded.leaf, recorded.position), recorded.position)


@given(st.builds(SyntheticBook, st.integers(0, 2**32), st.integers(0, 60)), st.integers(0, 80))
def test_heads_that_are_needed_began_before(book: SyntheticBook, start: int) -> None:
    """Folding later events needs the heads of exactly the chains that they extend and did not begin."""
    before, after = book.recorded[:start], book.recorded[start:]
    heads: dict[Chain, ChainHead] = {}
    for recorded in before:
        heads |= extended(heads, recorded)
    needed = begun_before(after)
    assert needed <= heads.keys()
    found = {chain: heads[chain] for chain in needed}
    for recorded in after:
        heads |= extended(heads, recorded)
        found |= extended(found, recorded)
    assert all(heads[chain] == head for chain, head in found.items())
    named = {chain for recorded in book.recorded for chain, _ in links(recorded.event)}
    assert heads.keys() == named
