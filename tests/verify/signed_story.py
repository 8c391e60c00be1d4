"""A story whose parties sign what they ask, alone or many at once. Nothing of the client or the server is used."""

import datetime
import hashlib
import re
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Final

import msgspec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from nacl.signing import SigningKey

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.command_fields import AnsweringFields
from pathbook.ledger.commands import Command, DiscrepancyClaim, OpenBook, SignedCommand
from pathbook.ledger.events import Event, PartyRegistered
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, Signed, StatementsFiled
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
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State
from pathbook.ledger.values import Price, Quantity, Selection, UnitRange
from pathbook.v1.statements_pb2 import Statement
from tests.proofs.prover import ORIGIN
from tests.scenario import LINES, Story

_OTHER_NAMES: Final = {"product": "gtin", "products": "gtins"}
"""The fields of commands that requests call otherwise."""

_LEFT_OUT: Final = frozenset({"note", "note_salt", "code_key"})
"""The fields of commands that no request in a statement has."""


@cache
def secret(name: str) -> SigningKey:
    """Return the secret key with a name."""
    return SigningKey(hashlib.sha256(name.encode()).digest())


def public(name: str) -> bytes:
    """Return the public key with a name, b"" for no name."""
    return bytes(secret(name).verify_key) if name else b""


def sign(name: str, payload_type: str, payload: bytes) -> bytes:
    """Return the signature of a payload by the key with a name."""
    return secret(name).sign(pre_authentication_encoding(payload_type, payload)).signature


def key_registered(
    party: str,
    name: str,
    by: str = "",
    with_: str = "",
    replaces: str = "",
    recovery: str = "",
    origin: str = ORIGIN,
) -> KeyRegistered:
    """Return the registration of a party's key, which it and a key of the endorser signed."""
    unsigned = KeyRegistered(
        party, public(name), public(recovery), by, public(with_), public(replaces), bytes(64), bytes(64)
    )
    text = key_text(origin, unsigned)
    return msgspec.structs.replace(
        unsigned, possession=sign(name, KEY, text), endorsement=sign(with_, KEY, text)
    )


def key_revoked(party: str, name: str, by: str, with_: str, origin: str = ORIGIN) -> KeyRevoked:
    """Return the revocation of a party's key, which a key of the revoker signed."""
    unsigned = KeyRevoked(party, public(name), by, public(with_), bytes(64))
    signature = sign(with_, REVOCATION, revocation_text(origin, unsigned))
    return msgspec.structs.replace(unsigned, signature=signature)


def statement_of(
    command: Command,
    name: str,
    signed_at: int,
    *,
    origin: str = ORIGIN,
    party: str | None = None,
    note_commitment: bytes = b"",
) -> bytes:
    """Return the bytes of the statement that asks a command, with the key of a name."""
    statement = Statement(
        origin=origin,
        party=command.actor if party is None else party,
        key=public(name),
        signed_at=timestamp(signed_at),
    )
    fill(getattr(statement, str(command.__struct_config__.tag)), command)
    if note_commitment:
        getattr(statement, str(command.__struct_config__.tag)).note_commitment = note_commitment
    return statement.SerializeToString()


def fill(message: Message, struct: msgspec.Struct) -> None:
    """Write the fields of a command, or of a value in it, to a message of the contract."""
    message.SetInParent()
    for name in struct.__struct_fields__:
        value, field = getattr(struct, name), _OTHER_NAMES.get(name, name)
        if name in _LEFT_OUT or value is None or value in ((), 0, "", b""):
            continue
        found = getattr(message, field)
        if isinstance(value, datetime.date):
            setattr(message, field, value.isoformat())
        elif isinstance(found, Timestamp):
            found.CopyFrom(timestamp(value))
        elif isinstance(value, Price | Selection):
            fill(found, value)
        elif isinstance(value, tuple) and isinstance(value[0], UnitRange | Quantity | DiscrepancyClaim):
            for item in value:
                fill(found.add(), item)
        elif isinstance(value, tuple):
            found.extend(value)
        else:
            setattr(message, field, int(value) if isinstance(value, IntEnum) else value)


def timestamp(microseconds: int) -> Timestamp:
    """Return a time as the contract writes it."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def bound(state: State, command: Command) -> Command:
    """Return a command that names the leaf hash of the event that it answers, if it answers one that a state knows."""
    if not isinstance(command, AnsweringFields) or command.answered_leaf:
        return command
    position = command.answered
    known = state.transfers.get(position) or state.declarables.get(position)
    leaf = state.leaves.get(position, b"") if known is None else known.leaf
    return msgspec.structs.replace(command, answered_leaf=leaf)


class SignedStory(Story):
    """A story in which each party signs with the newest key that was registered for it, unless it has none."""

    def __init__(self, text: str = "", *, must_sign: bool = False) -> None:
        """Open a book for the origin of the prover, and execute the lines of a text."""
        self.signers: dict[str, str] = {}
        self.requests = 0
        self._must_sign = must_sign
        super().__init__(text)

    def ask(self, command: Command) -> Event | Refusal:
        """Decide a command, which its actor signs if it has a key."""
        if isinstance(command, OpenBook):
            command = msgspec.structs.replace(command, origin=ORIGIN, signed=self._must_sign)
        is_key = isinstance(command, RegisterKey | RevokeKey | FileStatements)
        if (name := self.signers.get(command.actor)) is None or is_key:
            return super().ask(command)
        command = self.bound(command)
        statement = statement_of(command, name, self.now)
        signed = self._signed(command, statement, name)
        return self.ask_signed(msgspec.structs.replace(signed, signature=sign(name, STATEMENT, statement)))

    def bound(self, command: Command) -> Command:
        """Return a command that names the leaf hash of the event that it answers, if it answers one."""
        return bound(self.state, command)

    def request(self) -> str:
        """Return a request id that neither a line nor a key has used."""
        self.requests += 1
        return f"q{self.requests}"

    def register(
        self, party: str, name: str, by: str = "", with_: str = "", replaces: str = "", recovery: str = ""
    ) -> None:
        """Register a key of a party, with which it signs from now on."""
        event = key_registered(party, name, by, with_, replaces, recovery)
        assert not isinstance(self.ask(self._command(event)), Refusal)
        self.signers[party] = name

    def revoke(self, party: str, name: str, by: str, with_: str) -> None:
        """Revoke a key of a party."""
        assert not isinstance(self.ask(self._command(key_revoked(party, name, by, with_))), Refusal)

    def silence(self, party: str) -> None:
        """Let a party revoke its key, so that it signs nothing any more. While a key counts, it must sign."""
        name = self.signers.pop(party)
        self.revoke(party, name, party, name)

    def force(self, event: KeyRegistered | KeyRevoked, signs_with: str) -> None:
        """Record an event about keys that the rules might refuse. Its party signs with a key from now on."""
        self._apply(self._command(event), event, None)
        self.signers[event.party] = signs_with

    def _command(self, event: KeyRegistered | KeyRevoked) -> RegisterKey | RevokeKey:
        fields = {field: getattr(event, field) for field in event.__struct_fields__}
        kind = RegisterKey if isinstance(event, KeyRegistered) else RevokeKey
        return kind(request_id=self.request(), **fields)

    def together(self, party: str, text: str) -> None:
        """Execute lines of a party that it signs at once. None of them names another."""
        lines = text.strip().splitlines()
        self.file(party, [self.bound(self._built(line.strip())) for line in lines])

    def file(self, party: str, commands: Sequence[Command]) -> None:
        """Execute commands of a party that it signs at once."""
        name = self.signers[party]
        statements = [statement_of(command, name, self.now) for command in commands]
        filing = filed(party, name, statements)
        fields = {field: getattr(filing, field) for field in filing.__struct_fields__}
        request_id = f"~statements/{filing.root.hex()}"
        assert not isinstance(self.ask(FileStatements(request_id=request_id, **fields)), Refusal)
        position = self.state.position
        for index, (command, statement) in enumerate(zip(commands, statements, strict=True)):
            signed = msgspec.structs.replace(
                self._signed(command, statement, name), filed_by=request_id, index=index
            )
            outcome = self._apply(
                command, decide(self.state, signed, self.now), Signed(statement, b"", position, index)
            )
            assert not isinstance(outcome, Refusal), outcome

    def _signed(self, command: Command, statement: bytes, name: str) -> SignedCommand:
        return SignedCommand(command, ORIGIN, command.actor, public(name), self.now, statement)

    def _built(self, line: str) -> Command:
        for pattern, build in LINES.items():
            if (match := re.fullmatch(pattern, line)) is not None:
                fields = {key: text or "" for key, text in match.groupdict().items() if key != "name"}
                built = build(self, **fields)
                assert not isinstance(built, str), line
                return built
        raise AssertionError(f"the scenario language has no such line: {line}")


class SigningStory(SignedStory):
    """A signed story in which every party gets a key as soon as it is registered."""

    def ask(self, command: Command) -> Event | Refusal:
        """Decide a command. The operator gives itself a key before, and a party one after it."""
        if not self.signers and not isinstance(command, OpenBook | RegisterKey):
            self.register("", "op", "", "op")
        outcome = super().ask(command)
        if isinstance(outcome, PartyRegistered):
            self.register(outcome.party, f"key of {outcome.party}", "", "op")
        return outcome


def filed(party: str, name: str, statements: Sequence[bytes], origin: str = ORIGIN) -> StatementsFiled:
    """Return what holds the signature of statements that a party signs at once."""
    leaves = [leaf_hash(statement) for statement in statements]
    root = root_of(leaves)
    signature = sign(name, BATCH, batch_text(origin, party, public(name), len(leaves), root))
    return StatementsFiled(party, public(name), root, b"".join(leaves), signature)


BEGINNING: Final = """
brand acme
agent ann
agent ben
shop cat
"""
GOODS: Final = """
product mask 30000 CNY of acme
batch L1 of mask size 40 made 2025-12-01 expires 2026-12-31 by acme
batch L2 of mask size 3 made 2025-12-01 by acme
"""


def begun(*, must_sign: bool = False) -> SignedStory:
    """Return a book in which all have keys: acme and cat by the operator, ann by acme, ben by ann."""
    story = SignedStory(must_sign=must_sign)
    story.register("", "op", "", "op")
    story.tell(BEGINNING)
    story.register("acme", "a1", "", "op", recovery="a1 recovery")
    story.tell("authorize ann tier 1 by acme")
    story.register("ann", "n1", "acme", "a1", recovery="n1 recovery")
    story.tell("authorize ben tier 2 by ann as given")
    story.register("ben", "b1", "ann", "n1", recovery="b1 recovery")
    story.register("cat", "c1", "", "op")
    story.tell(GOODS)
    return story


def told(*, must_sign: bool = False) -> SignedStory:
    """Return a book with hops of all attestations that lead to unit 0 of batch 1, and more."""
    story = begun(must_sign=must_sign)
    story.together("acme", "record 1:0-9 acme > ann at 15000\nrecord 2:0 acme > ann at 15000 ref d1")
    story.tell("record 2:0 acme > ann at 15000 ref d1 reported by ann\noffer 1:0-4 ann > ben at 18000 as o")
    story.together("ben", "accept o by ben but short 1:4\nrecord 1:0 ben > cat at 21000")
    story.register("ben", "b2", "ben", "b1", replaces="b1", recovery="b2 recovery")
    story.tell(
        """
        record 1:1 ben > cat at 21000
        sell 1:0 cat > wei at 29900
        confirm 1:0 by wei at 29900
        recall batch 1 units 1:30 by acme as r
        record 5 of 1 acme > ann at 15000
        """
    )
    return story
