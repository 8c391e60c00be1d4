"""Rules for keys: who may register, rotate, recover and revoke them."""

import pytest

from pathbook.ledger.key_events import KeyRegistered
from pathbook.ledger.refusals import Reason
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.key_ring import Key, Keys
from pathbook.ledger.values import MAX_KEYS_EVER
from tests.rules.key_words import SIGNATURE, key, register, revoke, said
from tests.scenario import DAY, Story

PARTIES = """
brand acme
agent ann
agent ben
shop corner
product mask 30000 CNY of acme
authorize ann tier 1 by acme from 2025-12-01
authorize ben tier 2 by ann from 2025-12-01
"""

OPERATOR_KEY = register("", "op", "", "op")
BRAND_KEY = register("acme", "a1", "", "op", recovery="a1-recovery")


def story(*commands: object) -> Story:
    """Return a book with the operator's key, and what more commands make."""
    told = Story(PARTIES)
    for command in (OPERATOR_KEY, *commands):
        assert said(told.ask(command)) == "ok", command  # type: ignore[arg-type] # commands alone are given
    return told


def test_the_operator_begins_with_a_key_that_endorses_itself() -> None:
    """Only the first key does, or one after all were revoked."""
    told = Story(PARTIES)
    assert said(told.ask(register("", "op", "", "other"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("", "op", "acme", "op"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("", "op", "", "op", replaces="old"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("", "op", "", "op"))) == "ok"
    assert said(told.ask(register("", "second", "", "second"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("", "second", "", "op"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("", "second", "", "op", replaces="op"))) == "ok"
    assert said(told.ask(register("", "third", "", "op", replaces="op"))) == "KEY_REVOKED"
    assert said(told.ask(revoke("", "second", "", "second"))) == "ok"
    assert said(told.ask(register("", "third", "", "third"))) == "ok"


def test_the_operator_endorses_brands_and_parties_without_authorization() -> None:
    """It may not endorse a key of a party that an upline authorized, in force or not."""
    told = story(BRAND_KEY)
    assert said(told.ask(register("ann", "n1", "", "op"))) == "ENDORSER_NOT_ALLOWED"
    told.tell("authorize corner tier 3 by ben from 2025-12-01 until 2026-02-01\ntoday is 2026-03-01")
    assert said(told.ask(register("corner", "c1", "", "op"))) == "ENDORSER_NOT_ALLOWED"


def test_a_party_that_has_a_key_decides_alone() -> None:
    """Neither the operator nor an upline, however it came to be one, registers a second key that signs in its name."""
    told = story(BRAND_KEY, register("ann", "n1", "acme", "a1"), register("corner", "c1", "", "op"))
    assert said(told.ask(register("acme", "a2", "", "op"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("ann", "n2", "acme", "a1"))) == "ENDORSER_NOT_ALLOWED"
    told.tell("brand mal\nauthorize ann tier 1 by mal from 2025-12-01")
    assert said(told.ask(register("mal", "m1", "", "op"))) == "ok"
    assert said(told.ask(register("ann", "n2", "mal", "m1"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(revoke("ann", "n1", "mal", "m1"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(revoke("ann", "n1", "ann", "n1"))) == "ok"
    assert said(told.ask(register("ann", "n2", "acme", "a1"))) == "ok"


def test_an_upline_endorses_with_a_key_of_its_own_that_counts() -> None:
    """It must have authorized the party itself, now, and its key must be its own and not revoked."""
    told = story(BRAND_KEY, register("ann", "n1", "acme", "a1"))
    assert (
        said(told.ask(register("ben", "b1", "acme", "a1"))) == "ENDORSER_NOT_ALLOWED"
    )  # the upline of its upline
    assert said(told.ask(register("ben", "b1", "ann", "a1"))) == "KEY_UNKNOWN"
    assert said(told.ask(register("ben", "b1", "ann", "n1", replaces="n1"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("ben", "b1", "ann", "n1"))) == "ok"
    assert said(told.ask(revoke("ann", "n1", "acme", "a1"))) == "ok"
    assert said(told.ask(revoke("ben", "b1", "ben", "b1"))) == "ok"
    assert said(told.ask(register("ben", "b2", "ann", "n1"))) == "KEY_REVOKED"


def test_an_upline_whose_authorization_ended_endorses_no_more() -> None:
    """After a revocation and after the end of the validity. It may still revoke the key that it endorsed."""
    told = story()
    told.tell("authorize ann tier 1 by acme from 2025-12-01 until 2026-01-10 as short")
    for position in told.state.parties["ann"].authorizations:  # type: ignore[union-attr] # ann is registered
        told.state.authorizations[position] = "ann"
    told.tell("revoke 7 by acme")
    assert said(told.ask(BRAND_KEY)) == "ok"
    assert said(told.ask(register("ann", "n1", "acme", "a1"))) == "ok"
    told.tell("today is 2026-01-20")
    assert said(told.ask(revoke("ann", "n1", "acme", "a1"))) == "ok"
    assert said(told.ask(register("ann", "n2", "acme", "a1"))) == "ENDORSER_NOT_ALLOWED"


def test_a_key_is_registered_once_in_a_book() -> None:
    """Neither its party nor another one registers it again, even after it was revoked."""
    told = story(BRAND_KEY, register("corner", "c1", "", "op"), revoke("corner", "c1", "corner", "c1"))
    taken = told.ask(register("acme", "c1", "", "op"))
    assert said(taken) == "KEY_TAKEN"
    assert said(told.ask(register("corner", "c1", "", "op"))) == "KEY_TAKEN"
    assert said(told.ask(register("corner", "op", "", "op"))) == "KEY_TAKEN"
    assert "already, at position 11" in str(taken)


def test_only_known_parties_have_keys() -> None:
    """A party and its endorser are registered before, and a recovery key is another key."""
    told = story()
    assert said(told.ask(register("zoe", "z", "", "op"))) == "PARTY_UNKNOWN"
    assert said(told.ask(register("acme", "z", "zoe", "op"))) == "PARTY_UNKNOWN"
    assert said(told.ask(register("acme", "z", "", "op", recovery="z"))) == "KEY_MALFORMED"
    assert said(told.ask(revoke("zoe", "z", "", "op"))) == "PARTY_UNKNOWN"
    assert said(told.ask(revoke("acme", "z", "zoe", "op"))) == "PARTY_UNKNOWN"
    assert said(told.ask(revoke("acme", "z", "", "op"))) == "KEY_UNKNOWN"


def test_a_party_rotates_a_key_by_endorsing_the_next() -> None:
    """The new key replaces just the key that endorses it, which counts no more."""
    told = story(BRAND_KEY)
    assert said(told.ask(register("acme", "a3", "acme", "a1"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("acme", "a3", "acme", "a1", replaces="op"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("acme", "a3", "acme", "op", replaces="a1"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("acme", "a3", "acme", "a1", replaces="a1"))) == "ok"
    assert said(told.ask(register("acme", "a4", "acme", "a1", replaces="a1"))) == "KEY_REVOKED"
    keys = told.state.keys["acme"]
    assert keys is not None
    assert [keys.counts(key(name)) for name in ("a1", "a3", "a4")] == [False, True, False]
    assert keys.by_key[key("a1")].revoked == told.state.position


@pytest.mark.parametrize(("hours", "outcome"), [(72, "ok"), (73, "RECOVERY_TOO_LATE")])
def test_a_recovery_key_undoes_a_rotation_for_three_days(hours: int, outcome: str) -> None:
    """The recovery key of the rotated key replaces the new key by another one."""
    told = story(BRAND_KEY, register("acme", "stolen", "acme", "a1", replaces="a1"))
    told.now += hours * DAY // 24
    recovery = register("acme", "a2", "acme", "a1-recovery", replaces="stolen")
    assert said(told.ask(recovery)) == outcome
    keys = told.state.keys["acme"]
    assert keys is not None
    assert keys.counts(key("stolen")) is (outcome != "ok")


def test_a_hostile_key_cannot_rotate_away_from_a_recovery() -> None:
    """The newest of several rotations is undone, and the time runs from the first of them."""
    told = story(
        BRAND_KEY,
        register("acme", "stolen", "acme", "a1", replaces="a1", recovery="thief"),
        register("acme", "stolen-2", "acme", "stolen", replaces="stolen", recovery="thief-2"),
    )
    again = register("acme", "a2", "acme", "a1-recovery", replaces="stolen")
    assert said(told.ask(again)) == "KEY_REVOKED"
    late = told.again()
    late.now = told.now + 71 * DAY // 24
    assert said(late.ask(register("acme", "stolen-3", "acme", "stolen-2", replaces="stolen-2"))) == "ok"
    late.now += 2 * DAY // 24
    assert (
        said(late.ask(register("acme", "a2", "acme", "a1-recovery", replaces="stolen-3")))
        == "RECOVERY_TOO_LATE"
    )
    assert said(told.ask(register("acme", "a2", "acme", "a1-recovery", replaces="stolen-2"))) == "ok"


def test_a_recovery_is_not_undone() -> None:
    """The recovery key that came with the hostile key does not take the party's key back, however soon."""
    told = story(
        BRAND_KEY,
        register("acme", "stolen", "acme", "a1", replaces="a1", recovery="thief"),
        register("acme", "a2", "acme", "a1-recovery", replaces="stolen", recovery="a2-recovery"),
    )
    assert said(told.ask(register("acme", "x", "acme", "thief", replaces="a2"))) == "KEY_REPLACES_OTHER"
    assert said(told.ask(register("acme", "x", "acme", "stolen", replaces="stolen"))) == "KEY_REVOKED"
    assert said(told.ask(revoke("acme", "a2", "acme", "thief"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(register("acme", "a3", "acme", "a2", replaces="a2"))) == "ok"
    assert said(told.ask(register("acme", "x", "acme", "thief", replaces="a3"))) == "KEY_REPLACES_OTHER"
    assert (
        said(told.ask(register("acme", "a4", "acme", "a1-recovery", replaces="a3"))) == "KEY_REPLACES_OTHER"
    )
    assert said(told.ask(register("acme", "a4", "acme", "a2-recovery", replaces="a3"))) == "ok"


def test_of_one_recovery_key_for_several_keys_the_newest_rotation_counts() -> None:
    """A party may keep its recovery key for years. The time runs from the rotation that would be undone first."""
    told = story(BRAND_KEY, register("acme", "a2", "acme", "a1", replaces="a1", recovery="a1-recovery"))
    told.now += 30 * DAY
    assert said(told.ask(register("acme", "x", "acme", "a1-recovery", replaces="a2"))) == "RECOVERY_TOO_LATE"
    assert said(told.ask(register("acme", "stolen", "acme", "a2", replaces="a2"))) == "ok"
    assert said(told.ask(register("acme", "a3", "acme", "a1-recovery", replaces="stolen"))) == "ok"


def test_a_recovery_key_registers_no_further_key() -> None:
    """Without a rotation there is nothing to undo, and a recovery names what it replaces."""
    told = story(BRAND_KEY)
    assert said(told.ask(register("acme", "a2", "acme", "a1-recovery"))) == "ENDORSER_NOT_ALLOWED"
    assert (
        said(told.ask(register("acme", "a2", "acme", "a1-recovery", replaces="a1"))) == "KEY_REPLACES_OTHER"
    )
    assert (
        said(told.ask(register("acme", "a2", "acme", "a1-recovery", replaces="op"))) == "KEY_REPLACES_OTHER"
    )
    assert said(told.ask(register("ann", "n2", "acme", "a1-recovery"))) == "KEY_UNKNOWN"


def test_a_key_is_revoked_by_its_party_its_recovery_key_its_endorser_or_the_operator() -> None:
    """Another party does not revoke it, nor does a key of the party that counts no more, nor another recovery key."""
    told = story(BRAND_KEY, register("corner", "c1", "", "op"), register("ann", "n1", "acme", "a1"))
    assert said(told.ask(revoke("acme", "a1", "corner", "c1"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(revoke("acme", "a1", "acme", "c1"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(revoke("ann", "n1", "ann", "a1-recovery"))) == "ENDORSER_NOT_ALLOWED"
    assert said(told.ask(revoke("ann", "n1", "", "c1"))) == "KEY_UNKNOWN"
    assert said(told.ask(revoke("ann", "n1", "", "op"))) == "ok"
    assert said(told.ask(revoke("acme", "a1", "acme", "a1-recovery"))) == "ok"
    assert said(told.ask(revoke("acme", "a1", "acme", "a1"))) == "KEY_REVOKED"
    assert said(told.ask(revoke("", "op", "corner", "c1"))) == "ENDORSER_NOT_ALLOWED"


def test_a_party_registers_a_thousand_keys_at_most() -> None:
    """Also by rotations: what is loaded to decide on its keys stays small."""
    told = story()
    old = (Key(key(str(number)), b"", 1, 1, revoked=1) for number in range(MAX_KEYS_EVER - 1))
    told.state.keys["acme"] = Keys({each.key: each for each in old})
    assert said(told.ask(register("acme", "last", "", "op"))) == "ok"
    refused = decide(told.state, register("acme", "x", "acme", "last", replaces="last"), told.now)
    assert said(refused) == Reason.TOO_MANY_KEYS.name
    assert "1000 keys of acme were ever registered" in str(refused)


def test_an_event_says_what_was_signed() -> None:
    """The event of a key has each field of its command."""
    told = Story(PARTIES)
    told.ask(OPERATOR_KEY)
    event = told.ask(BRAND_KEY)
    assert event == KeyRegistered(
        "acme", key("a1"), key("a1-recovery"), "", key("op"), b"", SIGNATURE, SIGNATURE
    )
