"""Whom the caller trusts: keys of logs, and a policy with the witnesses that must have cosigned a checkpoint."""

from typing import Final, Self

import msgspec

from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.cosignature import cosigned_at
from pathbook.ledger.proofs.ml_dsa import verification
from pathbook.ledger.proofs.policy import Policy
from pathbook.ledger.proofs.signed_note import SUBTREE_COSIGNATURE, SignedNote, VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.verify.guards import Guard, UntrustedError, require

NO_POLICY: Final = Policy()
"""The policy of a caller who gave none. It knows no witness, and demands none."""


class Trust(msgspec.Struct, frozen=True):
    """Whom the caller trusts, and how old a seal may be.

    Attributes:
        keys: keys of logs that the caller knows.
        policy: a C2SP policy. Its logs are known, too.
        max_age: the most microseconds since the time of the position that a seal covers, None for no limit.
    """

    keys: tuple[VerifierKey, ...] = ()
    policy: Policy = NO_POLICY
    max_age: int | None = None

    @property
    def logs(self) -> tuple[VerifierKey, ...]:
        """All keys of logs that the caller trusts."""
        return self.keys + self.policy.logs

    def with_key(self, key: VerifierKey) -> Self:
        """Trust another key of a log, too."""
        return msgspec.structs.replace(self, keys=(*self.keys, key))


class Witnessed(msgspec.Struct, frozen=True):
    """A checkpoint that its log signed, and who cosigned it.

    Attributes:
        checkpoint: origin, size and root.
        key: the key of the log. If it is not ``is_trusted``, the key is the file's own word.
        cosigned: the names of the witnesses of the policy that cosigned it, each with its last time, in seconds since
            1970 UTC.
        unchecked: the names of the witnesses whose cosignatures are by ML-DSA-44, which this installation cannot check.
            They do not count.
        has_quorum: whether those are enough for the policy.
    """

    checkpoint: Checkpoint
    key: VerifierKey
    is_trusted: bool
    cosigned: dict[str, int]
    unchecked: tuple[str, ...]
    has_quorum: bool


def witnessed(note: SignedNote, named: VerifierKey, trust: Trust) -> Witnessed:
    """Open the checkpoint of a proof, whose log has a key that the proof itself names.

    Raises:
        RefutedError: the log of that key did not sign the checkpoint, or the caller knows another key of that log, or
            a cosignature of a known witness is false.
        UntrustedError: the caller trusts logs, but none of that name.
    """
    known = [key for key in trust.logs if key.name == named.name]
    if trust.logs and not known:
        raise UntrustedError(f"you trust no log {named.name}")
    require(
        Guard.LOG_KEY, not known or named in known, f"{named.name} has another key than the one you trust"
    )
    try:
        checkpoint = open_checkpoint(note, named)
    except MalformedTextError as error:
        require(Guard.FORM, False, str(error))  # noqa: FBT003 - a malformed text never holds
        raise
    require(Guard.SIGNED, checkpoint is not None, f"{named.name} did not sign the checkpoint")
    if checkpoint is None:
        checkpoint = Checkpoint.parse(note.text)
    cosigned, unchecked = {}, []
    for name, key in trust.policy.witnesses.items():
        if not any(line.is_by(key) for line in note.signatures):
            continue
        verify_ml_dsa = verification() if key.type == SUBTREE_COSIGNATURE else None
        if key.type == SUBTREE_COSIGNATURE and verify_ml_dsa is None:
            unchecked.append(name)
            continue
        time = cosigned_at(note, key, verify_ml_dsa)
        require(Guard.COSIGNED, time is not None, f"the cosignature of {name} is false")
        if time is not None:
            cosigned[name] = time
    has_quorum = trust.policy.is_met(
        lambda key: any(trust.policy.witnesses[name] == key for name in cosigned)
    )
    return Witnessed(checkpoint, named, bool(known), cosigned, tuple(unchecked), has_quorum)
