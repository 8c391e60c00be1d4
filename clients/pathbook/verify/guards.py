"""The guards of a proof: what must hold, by number. Whatever does not hold refutes the proof, and says which."""

import enum


class Guard(enum.IntEnum):
    """What a verifier of proof files demands, in the order in which ARCHITECTURE.md explains it."""

    FORM = 1
    LOG_KEY = 2
    SIGNED = 3
    COSIGNED = 4
    LAST_LEAF = 5
    INCLUDED = 6
    SEALED = 7
    COMMISSIONED = 8
    CUSTODY_ROOT = 9
    BATCH_CHAIN = 10
    PARTY_CHAIN = 11
    ONE_PARTY = 12
    COVERED = 13
    ONE_ORDER = 14
    CODE = 15
    FILED = 16


class RefutedError(Exception):
    """A proof does not hold. The message says what was found."""

    def __init__(self, guard: Guard, found: str) -> None:
        """Name the guard that found it."""
        super().__init__(found)
        self.guard = guard


class UntrustedError(Exception):
    """The caller trusts no key of the log that a proof is of, so nothing is known of it."""


def require(guard: Guard, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Raise RefutedError, which says what is so otherwise, unless something holds."""
    if not holds:
        raise RefutedError(guard, otherwise)
