"""The kinds of refusals: what a caller can do about one."""

import enum


class Kind(enum.Enum):
    """What a caller can do about a refusal. Each kind has one gRPC status code.

    The codes are in services/pathbook/services/translate/statuses.py.
    """

    INVALID = "the request itself is wrong: change it"
    MISSING = "the thing named does not exist in this book"
    EXISTS = "the thing exists already, and differently"
    FORBIDDEN = "another party may do this, this one may not"
    STATE = "the state of the book does not allow it: look at it, then decide again"
