"""Which keys of parties count at which positions, and why a key could not be registered or revoked as an event says.

The keys are replayed from the events of the chains of parties and of the operator. Nothing else is needed: no state of
a book and no server. The rules of a book decide the same in advance; here it is judged from what was recorded.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.command_fields import OPERATOR, named
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.proofs.ed25519 import is_weak
from pathbook.ledger.proofs.statements import false_signature, is_revocation_signed
from pathbook.ledger.values import MAX_KEYS_EVER, RECOVERY_TIME, PartyKind

_RECOVERY: Final = RECOVERY_TIME // datetime.timedelta(microseconds=1)


class HeldKey(msgspec.Struct):
    """A key that was registered.

    Attributes:
        registered: the position from which its signatures count.
        registered_at: when that was recorded, in microseconds since 1970 UTC.
        recovery_key: that was registered with it, or b"".
        endorser: the party that endorsed it.
        rotated_from: the key that it replaced and that endorsed it itself, or b"". A recovery is no rotation.
        revoked: the position from which its signatures no longer count, 0 if it is not revoked.
        unproven: the party whose chain is not known, on which its endorsement rests, None if there is none.
    """

    registered: int
    registered_at: int
    recovery_key: bytes
    endorser: str
    rotated_from: bytes
    unproven: str | None
    revoked: int = 0


class KeyedParty(msgspec.Struct):
    """What is known of a party: its keys, its authorizations by their positions, and from when some are revoked."""

    is_brand: bool
    keys: dict[bytes, HeldKey] = {}
    authorizations: dict[int, events.PartyAuthorized] = {}
    revoked_from: dict[int, int] = {}

    def counting(self) -> Iterator[bytes]:
        """Yield the keys that count now."""
        return (key for key, held in self.keys.items() if not held.revoked)

    def is_under(self, above: str, moment: int) -> bool:
        """Tell whether another party may endorse a key of this one at a time, if it has none.

        That is the operator for a brand and for a party that was never authorized, else an upline by an authorization
        that is in force.
        """
        if above == OPERATOR:
            return self.is_brand or not self.authorizations
        return any(
            given.upline == above
            and given.valid_from <= moment
            and (given.valid_until is None or moment < given.valid_until)
            and moment < self.revoked_from.get(position, moment + 1)
            for position, given in self.authorizations.items()
        )


class KeyChains:
    """The keys of all parties whose chains are known. Give it their events in the order of their positions."""

    def __init__(self, origin: str, parties: Mapping[str, KeyedParty] | None = None) -> None:
        """Begin without an event, or with what was known of ``parties`` before.

        ``origin`` is that of the book, for which every signature was made.
        """
        self._origin = origin
        self._parties = dict(parties or {})
        self._registered = {key for known in self._parties.values() for key in known.keys}

    @property
    def parties(self) -> Mapping[str, KeyedParty]:
        """What is known of each party, and of the operator."""
        return self._parties

    def apply(self, recorded: RecordedEvent) -> str:
        """Apply the next event. Return why its key could not be registered or revoked, or an empty text.

        Events that are about no key and no authorization change nothing.
        """
        event, position = recorded.event, recorded.position
        match event:
            case events.BookOpened():
                self._parties[OPERATOR] = KeyedParty(is_brand=False)
            case events.PartyRegistered(party, kind):
                self._parties[party] = KeyedParty(is_brand=kind is PartyKind.BRAND)
            case events.PartyAuthorized():
                if (known := self._parties.get(event.party)) is not None:
                    known.authorizations[position] = event
            case events.AuthorizationRevoked(authorization, upline, party, revoked_from):
                if (known := self._parties.get(party)) is not None:
                    given = known.authorizations.get(authorization)
                    if given is None or given.upline != upline or authorization in known.revoked_from:
                        return "it revokes an authorization that was not given"
                    known.revoked_from[authorization] = revoked_from
            case KeyRegistered():
                return self._register(event, recorded)
            case KeyRevoked():
                return self._revoke(event, recorded)
            case _:
                pass
        return ""

    def problem(self, party: str, key: bytes, position: int) -> str:
        """Return why a signature of a key does not count for an event at a position, or an empty text if it does."""
        held = self._key(party, key)
        if held is None or position < held.registered:
            return f"{named(party)} had no such key at position {position}"
        if held.revoked and position >= held.revoked:
            return f"the key of {named(party)} was revoked at position {held.revoked}"
        return ""

    def signs_at(self, party: str, position: int) -> bool:
        """Tell whether a key of a party is known to count at a position. Then nothing counts that it did not sign."""
        known = self._parties.get(party)
        return known is not None and any(
            held.registered <= position and not 0 < held.revoked <= position for held in known.keys.values()
        )

    def unproven(self, party: str, key: bytes) -> str | None:
        """Return the party whose chain is missing to prove that a key is of a party, None if none is."""
        if party not in self._parties:
            return party
        held = self._key(party, key)
        return None if held is None else held.unproven

    def _key(self, party: str, key: bytes) -> HeldKey | None:
        known = self._parties.get(party)
        return None if known is None else known.keys.get(key)

    def _counts(self, party: str, key: bytes) -> bool:
        held = self._key(party, key)
        return held is not None and not held.revoked

    def _register(self, event: KeyRegistered, recorded: RecordedEvent) -> str:
        party = self._parties.get(event.party)
        if party is None:
            return f"it registers a key of {named(event.party)}, which was not registered"
        if is_weak(event.key) or (event.recovery_key and is_weak(event.recovery_key)):
            return "it registers a weak key"
        if event.recovery_key == event.key:
            return "it registers a key that is its own recovery key"
        if event.key in self._registered:
            return "it registers a key that was registered before"
        if false := false_signature(self._origin, event):
            signer = "key that it registers" if false == "possession" else "endorser's key"
            return f"the {signer} did not sign it"
        if problem := self._wrong_endorser(event, party, recorded.recorded_at):
            return problem
        if len(party.keys) >= MAX_KEYS_EVER:
            return f"{named(event.party)} has more keys than it may"
        if event.replaced_key:
            party.keys[event.replaced_key].revoked = recorded.position
        party.keys[event.key] = HeldKey(
            recorded.position,
            recorded.recorded_at,
            event.recovery_key,
            event.endorser,
            event.replaced_key if event.replaced_key == event.endorser_key else b"",
            self._rests_on(event),
        )
        self._registered.add(event.key)
        return ""

    def _wrong_endorser(self, event: KeyRegistered, party: KeyedParty, moment: int) -> str:
        """Return why the endorser could not endorse the key of a party at a time."""
        if event.endorser != event.party:
            if event.replaced_key:
                return "it replaces a key, which only the party itself can do"
            if event.party == OPERATOR:
                return "only the operator itself has a say in its keys"
            if any(party.counting()):
                return f"{event.party} had a key, and only it had a say in its keys"
            if not party.is_under(event.endorser, moment):
                return f"{named(event.endorser)} has no say in the keys of {event.party}"
            return self._wrong_key(event.endorser, event.endorser_key)
        if event.endorser_key == event.key:
            if event.party != OPERATOR or any(party.counting()):
                return "a key endorses itself"
            return "it replaces a key that does not count" if event.replaced_key else ""
        is_rotation = event.replaced_key == event.endorser_key
        if is_rotation and self._counts(event.party, event.endorser_key):
            return ""
        return _wrong_recovery(event, party, moment)

    def _wrong_key(self, above: str, key: bytes) -> str:
        """Return why a key of another than the party itself did not count, as far as its chain is known."""
        if above in self._parties and not self._counts(above, key):
            return f"the key of {named(above)} did not count"
        return ""

    def _rests_on(self, event: KeyRegistered) -> str | None:
        """Return the party whose chain is missing to prove an endorsement."""
        if event.endorser_key == event.key:
            return None
        # a recovery key is none of the keys, but was registered with one before the key that it replaces
        return self.unproven(event.endorser, event.replaced_key or event.endorser_key)

    def _revoke(self, event: KeyRevoked, recorded: RecordedEvent) -> str:
        party = self._parties.get(event.party)
        held = self._key(event.party, event.key)
        if party is None or held is None:
            return f"it revokes a key that {named(event.party)} did not have"
        if held.revoked:
            return "it revokes a key that was revoked before"
        if not is_revocation_signed(self._origin, event):
            return "the revoker's key did not sign it"
        if event.revoker != event.party:
            problem = self._wrong_key(event.revoker, event.revoker_key)
            if event.party == OPERATOR or event.revoker not in (held.endorser, OPERATOR):
                problem = f"{named(event.revoker)} has no say in this key of {named(event.party)}"
        elif event.revoker_key != held.recovery_key and not self._counts(event.party, event.revoker_key):
            problem = f"the key of {named(event.party)} with which it revokes did not count"
        else:
            problem = ""
        if not problem:
            held.revoked = recorded.position
        return problem


def _wrong_recovery(event: KeyRegistered, party: KeyedParty, moment: int) -> str:
    """Return why a recovery key could not undo a rotation at a time.

    It undoes the rotation of the key with which it was registered, and all rotations after it. The time runs from the
    first of them. Of several keys that were registered with it, the last counts.
    """
    replaced = party.keys.get(event.replaced_key)
    rotated = replaced
    while rotated is not None and rotated.rotated_from:
        before = party.keys[rotated.rotated_from]
        if before.recovery_key == event.endorser_key:
            break
        rotated = before
    else:
        return f"{named(event.party)} had no key that could endorse it"
    if replaced is None or replaced.revoked:
        return "it undoes a rotation to a key that was revoked"
    if moment - rotated.registered_at > _RECOVERY:
        return "it undoes a rotation after more than 72 hours"
    return ""
