"""A party and a brand read and follow the events that are theirs, and of all others the leaf hash."""

import threading
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given

from pathbook.client import Client, decode_batch, select
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.events import Event
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.sides import sides_of
from pathbook.v1.events_pb2 import ReadResponse, SubscribeResponse
from tests.access.story import SECRETS, Story, told
from tests.strategies import any_event

SOON_S = 20.0


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The server of all these tests."""
    with told(tmp_path_factory.mktemp("narrowed")) as story:
        yield story


def leaves_of(batches: Iterable[ReadResponse | SubscribeResponse], after: int = 0) -> list[bytes]:
    """Return the leaf hashes of all positions after one, which have no gap."""
    leaves: list[bytes] = []
    for batch in batches:
        assert batch.events or batch.other_leaves
        if batch.events:
            assert batch.first_position == after + len(leaves) + 1
        leaves += map(leaf_hash, batch.events)
        others = batch.other_leaves
        assert len(others) % 32 == 0
        leaves += [others[at : at + 32] for at in range(0, len(others), 32)]
        assert batch.next_after_position == after + len(leaves)
    return leaves


def kinds(client: Client) -> set[str]:
    """Return the kinds of the events that a client sees."""
    return {found.kind for batch in client.read() for found in decode_batch(batch)}


def test_what_is_left_out_has_its_place_in_the_tree(story: Story) -> None:
    """The leaves are those of the whole book, so that a party compares them with a checkpoint. Secrets are in none."""
    with story.client("operator") as operator, story.client("party") as ann, story.client("brand") as acme:
        whole = [event for batch in operator.read() for event in batch.events]
        root = root_of([leaf_hash(event) for event in whole])
        for client, least in ((ann, 8), (acme, 12)):
            batches = list(client.read())
            assert root_of(leaves_of(batches)) == root
            seen = [event for batch in batches for event in batch.events]
            assert least <= len(seen) < len(whole)
            assert set(seen) <= set(whole)
            shown = b"".join(seen).lower()
            assert [secret for secret in SECRETS if secret.encode() in shown] == []
            assert leaves_of(client.read(7), 7) == leaves_of(batches)[7:]
        assert "transfer_offered" in kinds(ann)
        assert "batch_commissioned" in kinds(acme) - kinds(ann)


def test_a_party_follows_what_is_its_own(story: Story) -> None:
    """It is told of an offer to it, of a request to reverse its transfer, and of nothing between strangers."""
    with story.client("operator") as operator, story.client("party") as ann:
        own, other = (
            operator.record_transfer(
                giver=giver,
                receiver=receiver,
                units=select(ranges=[(batch, 701, 701)]),
                unit_price=(1, "CNY"),
            ).receipt.position
            for giver, receiver, batch in (("acme", "ann", 1), ("zeta", "zed", 2))
        )
        begun = operator.get_head().position
        told_of: list[tuple[int, str]] = []
        leaves: list[bytes] = []
        done = threading.Event()

        def follow() -> None:
            for batch in ann.subscribe(begun):
                if not batch.events and not batch.other_leaves:
                    continue
                leaves.extend(leaves_of([batch], batch.next_after_position - _positions(batch)))
                told_of.extend((found.position, found.kind) for found in decode_batch(batch))
                if batch.next_after_position >= begun + 4:
                    done.set()
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        operator.record_transfer(
            giver="zeta", receiver="zed", units=select(ranges=[(2, 700, 700)]), unit_price=(1, "CNY")
        )
        operator.offer_transfer(
            giver="acme", receiver="ann", units=select(ranges=[(1, 700, 700)]), unit_price=(1, "CNY")
        )
        operator.reverse_transfer(other, party="zeta")
        operator.reverse_transfer(own, party="acme", note="wrong")
        assert done.wait(SOON_S)
        follower.join(SOON_S)
        assert told_of == [(begun + 2, "transfer_offered"), (begun + 4, "reversal_asked")]
        whole = [event for batch in operator.read(begun, limit=4) for event in batch.events]
        assert leaves == [leaf_hash(event) for event in whole]


def _positions(batch: SubscribeResponse) -> int:
    return len(batch.events) + len(batch.other_leaves) // 32


@given(any_event)
def test_every_kind_of_event_has_sides(event: Event) -> None:
    """It is open to all, or about a party, so that no event is shown to all by mistake, and none to no party."""
    sides = sides_of(event)
    assert sides.is_open is not bool(sides.parties)
