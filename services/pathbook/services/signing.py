"""Why a checkpoint was not signed: a reason for scripts, and a sentence for people that says what to do."""

import enum

_LOST = (
    " Nothing was signed. Restore a backup that has all of them. If they are lost for good, this log cannot go on:"
    " open another book."
)


class Reason(enum.Enum):
    """The reasons, each with its sentence. Nothing was signed, and no file was changed."""

    KEY_MISSING = (
        "{place} is missing, and checkpoints were signed with it. No new key was made, because it would be that of"
        " another log. Copy the file from the data directory that signed last, and log.checkpoint with it."
    )
    KEY_UNUSABLE = (
        "{place} cannot be used: {what}. Nothing was signed. Copy the file from the data directory that signed last,"
        " or from your own copy."
    )
    OTHER_KEY = (
        "The newest checkpoint of book '{book}' in {place} was signed with another key than log.key has. Nothing was"
        " signed. Put back the key that signed it, because two keys would make two logs."
    )
    LAST_MISSING = (
        "{place} does not have the last checkpoint that was signed, so a log that lost events could not be told."
        " Nothing was signed. Copy the file from the data directory that signed last. If that is lost, put the newest"
        " checkpoint that was published or witnessed into the file. An empty file says that none was signed."
    )
    LAST_UNUSABLE = (
        "{place} cannot be used: {what}. Nothing was signed. Put back the file, or put the newest checkpoint that was"
        " published or witnessed into it."
    )
    LOG_SHORTER = (
        "A checkpoint of {size} events of book '{book}' was signed, and the log has {head}: it lost events, or is an"
        " older backup." + _LOST
    )
    OTHER_HISTORY = (
        "A checkpoint of {size} events of book '{book}' was signed, and the log has other events at these positions: it"
        " is another history, or was changed." + _LOST
    )
    NOT_SEALED = (
        "The event at position {size} of book '{book}' is no seal, and each signed checkpoint must end in one."
        " Nothing was signed. A server that seals signs after each seal."
    )
    TREE_DAMAGED = (
        "The kept nodes of the tree of book '{book}' are not those of its {size} events, and were made again in vain."
        " Nothing was signed. Run `pathbook check`, and report this."
    )


class SigningError(Exception):
    """A checkpoint was not signed.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(reason.value.format(**facts))
        self.reason = reason
