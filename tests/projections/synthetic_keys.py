"""Random commands about keys for synthetic books. What they sign is signed, so that auditors believe it."""

import hashlib
from random import Random

from msgspec.structs import replace
from nacl.signing import SigningKey

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.commands import Command, OwnCommand, SignedCommand
from pathbook.ledger.key_commands import FileStatements, KeyCommand, RegisterKey, RevokeKey
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.proofs.statements import (
    BATCH,
    KEY,
    REVOCATION,
    STATEMENT,
    batch_text,
    key_text,
    pre_authentication_encoding,
    revocation_text,
)
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.rules.state import State
from pathbook.v1.statements_pb2 import Statement
from tests.verify.signed_story import bound, fill, timestamp

NO_SIGNATURE = bytes(64)


class SigningKeys:
    """The keys of a synthetic book, each with its number, and random commands about them, which may be refused."""

    def __init__(self, seed: int, state: State, parties: tuple[str, ...]) -> None:
        """Begin with no keys. The commands are drawn apart from those of the book, so that these stay as they are."""
        self._random, self._state, self._parties = Random(f"keys {seed}"), state, (OPERATOR, *parties)
        self._secrets: dict[bytes, SigningKey] = {}

    def command(self, request_id: str) -> Command | None:
        """Return a command, seldom."""
        random = self._random
        if random.random() >= 0.05:
            return None
        party = random.choice(self._parties)
        own, (endorser, signer) = self._own(party), self._endorser(party)
        match random.randrange(6):
            case 0 if own:
                return self._revocation(request_id, party, random.choice(own), endorser, signer)
            case 1 | 2 if own:
                return self._filing(party, random.choice(own))
            case 3 if own:
                rotated = random.choice(own)
                return self._registration(request_id, party, party, rotated, rotated)
            case _:
                return self._registration(request_id, party, endorser, signer, b"")

    def signed(self, command: Command, now: int) -> SignedCommand | None:
        """Return a command as its party signs it at a time, None if the party has no key, or need not sign."""
        party = command.actor
        own = self._own(party) if party and not isinstance(command, OwnCommand | KeyCommand) else []
        if not own:
            return None
        asked, key = bound(self._state, command), own[-1]
        statement = Statement(origin=self._state.origin, party=party, key=key, signed_at=timestamp(now))
        fill(getattr(statement, str(asked.__struct_config__.tag)), asked)
        data = statement.SerializeToString()
        signature = self._sign(key, pre_authentication_encoding(STATEMENT, data))
        return SignedCommand(asked, self._state.origin, party, key, now, data, signature)

    def _own(self, party: str) -> list[bytes]:
        """Return the keys of a party that count."""
        keys = self._state.keys.get(party)
        return [] if keys is None else [key for key in keys.by_key if keys.counts(key)]

    def _endorser(self, party: str) -> tuple[str, bytes]:
        """Return a party that may endorse a key of another one, and a key of its own; b"" if it has none."""
        known = self._state.parties.get(party)
        given = [] if known is None else [each.upline for each in known.authorizations.values()]
        endorser = given[-1] if given else OPERATOR
        return endorser, self._random.choice(self._own(endorser) or [b""])

    def _registration(
        self, request_id: str, party: str, endorser: str, signer: bytes, replaced: bytes
    ) -> RegisterKey:
        key, recovery = self._new(), self._new()
        event = KeyRegistered(
            party, key, recovery, endorser, signer or key, replaced, NO_SIGNATURE, NO_SIGNATURE
        )
        text = pre_authentication_encoding(KEY, key_text(self._state.origin, event))
        return RegisterKey(
            request_id=request_id,
            party=party,
            key=key,
            recovery_key=recovery,
            endorser=endorser,
            endorser_key=event.endorser_key,
            replaced_key=replaced,
            possession=self._sign(key, text),
            endorsement=self._sign(event.endorser_key, text),
        )

    def _revocation(self, request_id: str, party: str, key: bytes, revoker: str, signer: bytes) -> RevokeKey:
        event = KeyRevoked(party, key, revoker, signer or key, NO_SIGNATURE)
        text = pre_authentication_encoding(REVOCATION, revocation_text(self._state.origin, event))
        signature = self._sign(event.revoker_key, text)
        return RevokeKey(
            request_id=request_id,
            party=party,
            key=key,
            revoker=revoker,
            revoker_key=event.revoker_key,
            signature=signature,
        )

    def _filing(self, party: str, key: bytes) -> FileStatements:
        """Return the filing of statements on which nothing rests, as when all were refused."""
        leaves = [leaf_hash(self._random.randbytes(9)) for _ in range(self._random.randint(1, 5))]
        root = root_of(leaves)
        text = batch_text(self._state.origin, party, key, len(leaves), root)
        command = FileStatements(
            request_id=f"~statements/{root.hex()}",
            party=party,
            key=key,
            root=root,
            leaf_hashes=b"".join(leaves),
            signature=NO_SIGNATURE,
        )
        return replace(command, signature=self._sign(key, pre_authentication_encoding(BATCH, text)))

    def _new(self) -> bytes:
        secret = SigningKey(hashlib.sha256(self._random.randbytes(32)).digest())
        self._secrets[bytes(secret.verify_key)] = secret
        return bytes(secret.verify_key)

    def _sign(self, key: bytes, text: bytes) -> bytes:
        return self._secrets[key].sign(text).signature
