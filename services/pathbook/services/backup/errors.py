"""Why a backup or a restore did not come about: a reason for scripts, and a sentence for people."""

import enum
from pathlib import Path

from pathbook.ledger.store.database.format import UnknownFormatError
from pathbook.ledger.store.log.stream import is_of_database


class Reason(enum.Enum):
    """The reasons, each with its sentence. Nothing that looks like a backup or like books was left."""

    TARGET_NOT_EMPTY = (1, "{what} Nothing was changed. {do}")
    BACKUP_DAMAGED = (2, "The backup {place} is damaged: {what}. Nothing was restored. Use another backup.")
    BACKUP_NEWER = (
        3,
        (
            "The backup {place} has format {what}, and this Pathbook reads formats up to {known}."
            " Nothing was restored. Restore it with the version of Pathbook that made it, or a later one."
        ),
    )
    NOT_A_BACKUP = (4, "{place} is not a backup: {what}. Name the directory that `pathbook backup` made.")
    LOG_DAMAGED = (
        5,
        (
            "No backup was made, because what was copied cannot be read: {what}."
            " Run `pathbook check`, and keep your earlier backups."
        ),
    )
    KEYS_LOCKED = (
        6,
        (
            "The passphrase does not open the keys in {place}. Nothing was restored. Give the one of the backup,"
            " or another copy of the keys with --key FILE, or restore --without-keys."
        ),
    )
    KEYS_DIFFER = (7, "{what} Nothing was changed. {do}")
    PROGRAM_MISSING = (
        8,
        (
            "{what} of PostgreSQL {version} or later is neither on the PATH nor in /usr/lib/postgresql/*/bin."
            " Nothing was changed. Install it, for example with: apt-get install postgresql-client-{version}"
        ),
    )
    PROGRAM_FAILED = (9, "{what} Nothing was changed.")
    DATABASE_IN_USE = (
        10,
        "{what} of Pathbook to {place} are open. Nothing was changed. Stop all servers and followers, then restore.",
    )
    OTHER_DATABASE = (11, "{what} Nothing was changed. {do}")

    def sentence(self, **facts: object) -> str:
        """Return the sentence for a user."""
        return self.value[1].format(**facts)


class BackupError(Exception):
    """A backup or a restore did not come about.

    Attributes:
        reason: the name of the reason.
    """

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(reason.sentence(**facts))
        self.reason = reason.name


def damaged(place: Path, what: str) -> BackupError:
    """Return the error for a backup that is not what it was when it was made."""
    return BackupError(Reason.BACKUP_DAMAGED, place=place, what=what)


def is_expected(error: BaseException) -> bool:
    """Tell whether a database raised an error, or is of another version. Its message is for a user."""
    return is_of_database(error) or isinstance(error, UnknownFormatError)
