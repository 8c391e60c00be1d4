"""Words of tests about keys: keys with names, and the commands that register and revoke them."""

import hashlib

from pathbook.ledger.commands import Command, SignedCommand
from pathbook.ledger.events import Event
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.refusals import Refusal
from tests.scenario import Story

SIGNATURE = bytes(64)
"""Stands for any signature. The rules do not look at them."""


def key(name: str) -> bytes:
    """Return the key with a name. No one has its secret key."""
    return hashlib.sha256(name.encode()).digest() if name else b""


def register(
    party: str, name: str, by: str = "", with_: str = "", replaces: str = "", recovery: str = ""
) -> RegisterKey:
    """Return the command by which a party's key is registered, endorsed by another party with a key of its own."""
    return RegisterKey(
        request_id=f"register/{party}/{name}/{by}/{with_}/{replaces}/{recovery}",
        party=party,
        key=key(name),
        recovery_key=key(recovery),
        endorser=by,
        endorser_key=key(with_),
        replaced_key=key(replaces),
        possession=SIGNATURE,
        endorsement=SIGNATURE,
    )


def revoke(party: str, name: str, by: str, with_: str) -> RevokeKey:
    """Return the command by which a key is revoked."""
    return RevokeKey(
        request_id=f"revoke/{party}/{name}/{by}/{with_}",
        party=party,
        key=key(name),
        revoker=by,
        revoker_key=key(with_),
        signature=SIGNATURE,
    )


def file(party: str, name: str, count: int = 2) -> FileStatements:
    """Return the command that files statements of a party."""
    leaves = b"".join(key(str(number)) for number in range(count))
    return FileStatements(
        request_id="~statements/a",
        party=party,
        key=key(name),
        root=key("root"),
        leaf_hashes=leaves,
        signature=SIGNATURE,
    )


def signed(story: Story, command: Command, name: str, party: str | None = None) -> SignedCommand:
    """Return a command as its actor signed it just now with a key, for the book of a story."""
    return SignedCommand(
        command=command,
        origin=story.state.origin,
        party=command.actor if party is None else party,
        key=key(name),
        signed_at=story.now,
        statement=b"statement",
        signature=SIGNATURE,
    )


def said(outcome: Event | Refusal) -> str:
    """Return the name of a refusal, or "ok"."""
    if not isinstance(outcome, Refusal):
        return "ok"
    assert "{" not in str(outcome), outcome
    return outcome.reason.name
