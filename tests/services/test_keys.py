"""Keys are registered, listed and revoked over gRPC, and what their holders did not sign is refused."""

import itertools
from typing import Final

import grpc
import pytest

from pathbook.client import Client
from pathbook.v1.keys_pb2 import Key, ListKeysRequest, RegisterKeyRequest
from tests.services.masks import BOOK
from tests.services.signing import ACME, OPERATOR, Filer, Signer, handed_over, head, refusing

NEUTRAL: Final = bytes([1]).ljust(32, b"\0")
"""The neutral point, with which one signature fits every message."""


def listed(filer: Filer, party: str, position: int) -> list[Key]:
    """Return the keys of a party, read as a list of one page."""
    answer = filer.keys.ListKeys(ListKeysRequest(book=BOOK, party=party, at_least_position=position))
    assert not answer.next_page_token
    return list(answer.keys)


def test_keys_are_listed_from_their_registration_to_their_end(client: Client, filer: Filer) -> None:
    """A list has each key of a party with its recovery key, its endorser, and the position from which it ended."""
    recovery, second = Signer("acme", "recovery"), Signer("acme", "second")
    rotation = ACME.endorsing(second, recovery_key=recovery.public, replaced_key=ACME.public)
    registered = filer.keys.RegisterKey(rotation).receipt
    revoked = filer.keys.RevokeKey(second.revoking(second)).receipt
    first, last = listed(filer, "acme", revoked.position)
    assert (first.key, first.recovery_key, first.endorser) == (ACME.public, b"", "")
    assert (first.revoked_position, first.revoked_at) == (registered.position, registered.recorded_at)
    assert (last.key, last.recovery_key, last.endorser_key) == (
        second.public,
        recovery.public,
        ACME.public,
    )
    assert (last.position, last.registered_at) == (registered.position, registered.recorded_at)
    assert (last.revoked_position, last.revoked_at) == (revoked.position, revoked.recorded_at)
    assert [key.key for key in listed(filer, "", 0)] == [OPERATOR.public]
    with refusing("PARTY_UNKNOWN"):
        listed(filer, "zoe", 0)


def test_keys_are_listed_in_pages(client: Client, filer: Filer) -> None:
    """Each page goes on after the one before, and its token fits no other list."""
    others = [Signer("acme", str(number)) for number in range(4)]
    position = 0
    for before, other in itertools.pairwise((ACME, *others)):
        rotation = before.endorsing(other, replaced_key=before.public)
        position = filer.keys.RegisterKey(rotation).receipt.position
    request = ListKeysRequest(book=BOOK, party="acme", page_size=2, at_least_position=position)
    found: list[bytes] = []
    while True:
        page = filer.keys.ListKeys(request)
        found += [key.key for key in page.keys]
        if not page.next_page_token:
            break
        assert len(page.keys) == 2
        request.page_token = page.next_page_token
    assert found == [signer.public for signer in (ACME, *others)]
    request.party = "ann"
    with refusing("PAGE_TOKEN_MALFORMED"):
        filer.keys.ListKeys(request)


def test_a_rotated_key_signs_no_more(client: Client, filer: Filer) -> None:
    """A party endorses its new key with the one that it replaces, and from then on only the new one counts."""
    second = Signer("acme", "second")
    filer.file(ACME, handed_over(0))
    rotated = filer.keys.RegisterKey(ACME.endorsing(second, replaced_key=ACME.public)).receipt
    with refusing("KEY_REVOKED"):
        filer.file(ACME, handed_over(1))
    assert filer.file(second, handed_over(1)).receipt.position == rotated.position + 1
    assert filer.file(second, handed_over(0)).receipt.duplicate, "a retry needs the answer, not the key"


def test_a_retry_of_a_registration_is_recorded_once(client: Client, filer: Filer) -> None:
    """The same registration again, and the same revocation, are answered as duplicates."""
    second = Signer("acme", "second")
    for ask, request in (
        (filer.keys.RegisterKey, ACME.endorsing(second, replaced_key=ACME.public)),
        (filer.keys.RevokeKey, second.revoking(second)),
    ):
        first, again = ask(request).receipt, ask(request).receipt  # type: ignore[arg-type] # each has its own
        assert (again.position, again.duplicate) == (first.position, True)
    with refusing("KEY_TAKEN"):
        taken = OPERATOR.endorsing(second)
        taken.request_id = "another"
        filer.keys.RegisterKey(taken)
    with refusing("KEY_UNKNOWN"):
        filer.keys.RevokeKey(second.revoking(Signer("acme", "third")))


@pytest.mark.parametrize("field", ["key", "recovery_key", "endorser_key"])
@pytest.mark.parametrize("key", [NEUTRAL, b"\xff" * 32, b"short"])
def test_a_key_that_proves_nothing_is_refused(client: Client, filer: Filer, field: str, key: bytes) -> None:
    """A key of small order, one that is not canonical and one of another length are refused, whatever signed them."""
    before, request = head(client), OPERATOR.endorsing(Signer("acme", "second"))
    setattr(request, field, key)
    with refusing("KEY_MALFORMED"):
        filer.keys.RegisterKey(request)
    assert head(client) == before


def test_what_was_not_signed_so_is_refused(client: Client, filer: Filer) -> None:
    """A registration or revocation for another book, or of which a field was changed, has wrong signatures."""
    before, second = head(client), Signer("acme", "second")
    with refusing("SIGNATURE_WRONG"):
        filer.keys.RegisterKey(OPERATOR.endorsing(second, origin="pathbook/others"))
    with refusing("SIGNATURE_WRONG"):
        filer.keys.RevokeKey(ACME.revoking(ACME, origin="pathbook/others"))
    for change in (
        {"party": "ann"},
        {"recovery_key": ACME.public},
        {"endorser": "ann"},
        {"replaced_key": ACME.public},
        {"possession": bytes(64)},
        {"endorsement": bytes(64)},
        {"endorsement": b""},
    ):
        request = OPERATOR.endorsing(second)
        request.MergeFrom(RegisterKeyRequest(**change))
        if change == {"endorsement": b""}:
            request.ClearField("endorsement")
        with refusing("SIGNATURE_WRONG"):
            filer.keys.RegisterKey(request)
    revocation = ACME.revoking(ACME)
    revocation.revoker = "ann"
    with refusing("SIGNATURE_WRONG"):
        filer.keys.RevokeKey(revocation)
    with refusing("ENDORSER_NOT_ALLOWED"):
        filer.keys.RegisterKey(Signer("ann", "").endorsing(second))
    assert head(client) == before


def test_a_book_must_be_open(client: Client) -> None:
    """Keys and statements of a book that was not opened, or has no name, are refused."""
    with grpc.insecure_channel(client.target) as channel:
        filer = Filer(channel)
        with refusing("BOOK_UNKNOWN"):
            filer.register(OPERATOR)
        with refusing("BOOK_UNKNOWN"):
            filer.file(ACME, handed_over(0))
        batch = ACME.batch([ACME.statement(handed_over(0))])
        with refusing("BOOK_UNKNOWN"):
            filer.file_all(batch)
        batch.book = "../a"
        with refusing("BOOK_MALFORMED"):
            filer.file_all(batch)
        with refusing("BOOK_MALFORMED"):
            filer.keys.RevokeKey(type(ACME.revoking(ACME))(book=" "))
