"""Statements: whether a command may be decided as it was signed, or without being signed, and the filing of a batch.

That a signature is one of the key was checked before: `pathbook.ledger.proofs.admission`.
"""

import datetime
from typing import Final, get_args

from pathbook.ledger.command_fields import OPERATOR, AnsweringFields, named
from pathbook.ledger.commands import Command, OwnCommand, SignedCommand
from pathbook.ledger.key_commands import FileStatements, KeyCommand
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.keys import keys_of, refuse_key
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.times import utc
from pathbook.ledger.values import CLOCK_TOLERANCE, STATEMENT_AGE, is_consumer

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_TOLERANCE: Final = CLOCK_TOLERANCE // _MICROSECOND
_AGE: Final = STATEMENT_AGE // _MICROSECOND

_NEVER_SIGNED: Final[frozenset[type[Command]]] = frozenset({*get_args(OwnCommand), *get_args(KeyCommand)})
"""The commands that no statement asks: those of the book itself, and those about keys."""


def refuse_signed(state: State, signed: SignedCommand, now: int) -> Refusal | None:
    """Refuse a statement of another book or party, of another time, or of a key that does not count now."""
    actor = signed.command.actor
    if signed.origin != state.origin:
        return refuse(Reason.STATEMENT_OF_OTHER_BOOK, said=signed.origin, origin=state.origin)
    if is_consumer(actor):
        return refuse(Reason.CONSUMER_HAS_NO_KEY, consumer=actor)
    if signed.party != actor:
        return refuse(Reason.STATEMENT_OF_OTHER_PARTY, said=named(signed.party), party=named(actor))
    if not now - _AGE <= signed.signed_at <= now + _TOLERANCE:
        times = {"signed_at": utc(signed.signed_at), "now": utc(now)}
        return refuse(Reason.STATEMENT_EXPIRED, **times, days=STATEMENT_AGE.days)
    return refuse_key(state, signed.party, signed.key)


def refuse_stranger(state: State, signed: SignedCommand, now: int) -> Refusal | None:
    """Refuse to answer a repeated statement whose key never was one of its party, as if it was the first.

    Otherwise a caller with any key could learn what a party asked, by its request id.
    """
    if signed.origin == state.origin and signed.party == signed.command.actor:
        known = keys_of(state, signed.party).by_key
        if signed.key in known:
            return None
    return refuse_signed(state, signed, now)


def refuse_unbound(signed: SignedCommand) -> Refusal | None:
    """Refuse a signature that would be as good for another event at the position that the command answers."""
    if isinstance(signed.command, AnsweringFields) and not signed.command.answered_leaf:
        return refuse(Reason.ANSWERED_LEAF_MISSING, position=signed.command.answered)
    return None


def refuse_unsigned(state: State, command: Command) -> Refusal | None:
    """Refuse a command that is not signed, if its party has a key, or the book wants signatures of all parties.

    The keys sign what is asked of them by themselves. The operator, consumers and the book itself need not sign.
    """
    if type(command) in _NEVER_SIGNED:
        return None
    actor = command.actor
    if actor == OPERATOR or is_consumer(actor):
        return None
    if state.policy.signed and state.parties.get(actor) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=actor)
    if state.policy.signed:
        return refuse(Reason.STATEMENT_REQUIRED, party=actor)
    if (keys := state.keys.get(actor)) is not None and keys.any_counts():
        return refuse(Reason.PARTY_SIGNS, party=actor)
    return None


def file(state: State, command: FileStatements) -> StatementsFiled | Refusal:
    """File the signature of many statements of a party, whose key must count."""
    if is_consumer(command.party):
        return refuse(Reason.CONSUMER_HAS_NO_KEY, consumer=command.party)
    if (refusal := refuse_key(state, command.party, command.key)) is not None:
        return refusal
    return StatementsFiled(command.party, command.key, command.root, command.leaf_hashes, command.signature)
