"""Keys of parties and of the operator: who may register, rotate, recover and revoke them.

That the keys have signed what they must have, and that no weak key is registered, was checked before:
`pathbook.ledger.proofs.admission`.
"""

import datetime
from typing import Final

from pathbook.ledger.command_fields import OPERATOR, named
from pathbook.ledger.key_commands import RegisterKey, RevokeKey
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.authority import in_force
from pathbook.ledger.rules.key_ring import Keys
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import utc
from pathbook.ledger.values import MAX_KEYS_EVER, RECOVERY_TIME

_RECOVERY_TIME: Final = RECOVERY_TIME // datetime.timedelta(microseconds=1)
_NO_KEYS: Final = Keys({})


def register(state: State, command: RegisterKey, now: int) -> KeyRegistered | Refusal:
    """Register a key, which its endorser may do."""
    party, key, keys = command.party, command.key, keys_of(state, command.party)
    for name in (party, command.endorser):
        if name != OPERATOR and state.parties.get(name) is None:
            return refuse(Reason.PARTY_UNKNOWN, party=name)
    if command.recovery_key == key:
        return refuse(Reason.KEY_MALFORMED, field="recovery_key", problem="it is the key itself")
    if (taken := state.taken_keys.get(key)) is not None:
        return refuse(Reason.KEY_TAKEN, key=key, position=taken)
    if (refusal := _refuse_endorsement(state, command, now)) is not None:
        return refusal
    if len(keys.by_key) >= MAX_KEYS_EVER:
        return refuse(Reason.TOO_MANY_KEYS, count=len(keys.by_key), party=named(party), limit=MAX_KEYS_EVER)
    return command.as_event()


def revoke(state: State, command: RevokeKey) -> KeyRevoked | Refusal:
    """Revoke a key, which the party may do, the one that endorsed it, and the operator."""
    party, revoker, signer = command.party, command.revoker, command.revoker_key
    for name in (party, revoker):
        if name != OPERATOR and state.parties.get(name) is None:
            return refuse(Reason.PARTY_UNKNOWN, party=name)
    if (refusal := refuse_key(state, party, command.key)) is not None:
        return refusal
    keys = keys_of(state, party)
    key = keys.by_key[command.key]
    if revoker == party:
        if key.recovery_key == signer or keys.counts(signer):
            return command.as_event()
        return _refuse_own(state, party, signer)
    if party == OPERATOR or revoker not in (key.endorser, OPERATOR):
        return _not_allowed(party, revoker, signer)
    return refuse_key(state, revoker, signer) or command.as_event()


def keys_of(state: State, party: str) -> Keys:
    """Return the keys of a party or of OPERATOR, which must be loaded if there is such a party."""
    return state.keys.get(party) or _NO_KEYS


def refuse_key(state: State, party: str, key: bytes) -> Refusal | None:
    """Refuse a key that is none of a party, or whose signatures do not count now."""
    found = keys_of(state, party).by_key.get(key)
    if found is None:
        return refuse(Reason.KEY_UNKNOWN, party=named(party), key=key)
    if found.revoked:
        return refuse(Reason.KEY_REVOKED, party=named(party), key=key, position=found.revoked)
    return None


def _refuse_endorsement(state: State, command: RegisterKey, now: int) -> Refusal | None:
    """Refuse an endorser that may not endorse this key, or what the key replaces."""
    party, endorser, signer, replaced = (
        command.party,
        command.endorser,
        command.endorser_key,
        command.replaced_key,
    )
    keys = keys_of(state, party)
    if endorser == party:
        if party == OPERATOR and signer == command.key and not keys.any_counts():
            return _refuse_replacing(replaced)
        if keys.counts(signer) and replaced == signer:
            return None
        if keys.is_recovery_key(signer) and replaced:
            return _refuse_recovery(keys, command, now)
        if keys.counts(signer):
            rule = "a key of the party itself endorses only its own rotation, in which it is replaced"
            return refuse(Reason.KEY_REPLACES_OTHER, replaced_key=replaced, rule=rule)
        return _refuse_own(state, party, signer)
    # As long as the party has a key, it has the say itself: any upline might else sign in its name.
    if keys.any_counts() or not _may_endorse(state, endorser, party, now):
        return _not_allowed(party, endorser, signer)
    return refuse_key(state, endorser, signer) or _refuse_replacing(replaced)


def _refuse_replacing(replaced: bytes) -> Refusal | None:
    """Refuse to replace a key by one that is neither a rotation nor a recovery."""
    if not replaced:
        return None
    rule = "only a rotation and a recovery replace a key"
    return refuse(Reason.KEY_REPLACES_OTHER, replaced_key=replaced, rule=rule)


def _refuse_recovery(keys: Keys, command: RegisterKey, now: int) -> Refusal | None:
    """Refuse a recovery that undoes no rotation, or too late.

    A recovery key undoes the rotation of the key with which it was registered, and all rotations after it. If it was
    registered with several of these keys, the newest one counts. The time runs from the rotation of that key.
    """
    for new, before in keys.rotations(command.replaced_key):
        if before.recovery_key != command.endorser_key:
            continue
        if (last := keys.by_key[command.replaced_key]).revoked:
            party = named(command.party)
            return refuse(Reason.KEY_REVOKED, party=party, key=last.key, position=last.revoked)
        until = new.registered_at + _RECOVERY_TIME
        if now <= until:
            return None
        at = utc(new.registered_at)
        return refuse(Reason.RECOVERY_TOO_LATE, replaced_key=new.key, registered_at=at, until=utc(until))
    rule = "a recovery key replaces the key to which the one it was registered with was rotated"
    return refuse(Reason.KEY_REPLACES_OTHER, replaced_key=command.replaced_key, rule=rule)


def _may_endorse(state: State, endorser: str, party: str, now: int) -> bool:
    """Tell whether another may endorse a key of a party: an upline now, or the operator if there is none."""
    known = state.parties.get(party)
    if known is None:
        return False  # only the operator itself decides on its keys
    if endorser == OPERATOR:
        return not known.authorizations  # a brand never has any
    return any(given.upline == endorser and in_force(given, now) for given in known.authorizations.values())


def _refuse_own(state: State, party: str, signer: bytes) -> Refusal:
    """Refuse a key of a party that does not count, or what is none of its keys."""
    known = keys_of(state, party).by_key.get(signer)
    if known is not None and known.revoked:
        return refuse(Reason.KEY_REVOKED, party=named(party), key=signer, position=known.revoked)
    return _not_allowed(party, party, signer)


def _not_allowed(party: str, endorser: str, signer: bytes) -> Refusal:
    return refuse(
        Reason.ENDORSER_NOT_ALLOWED, party=named(party), endorser=named(endorser), endorser_key=signer
    )
