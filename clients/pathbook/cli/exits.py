"""What the command line's exit code says, so that a script can decide without reading a word."""

import enum


class Exit(enum.IntEnum):
    """The exit codes of `pathbook`; a number never changes its meaning."""

    DONE = 0
    """It was done; of `verify`: the path was checked, and nothing contradicts it."""

    REFUSED = 1
    """The book said no and recorded nothing; of `verify`: the path, or the price paid, is contradicted."""

    USAGE = 2
    """The command was not understood; nothing was asked of the book."""

    CODE_UNKNOWN = 3
    """The code is malformed, mistyped, of another book, or put together from several."""

    COULD_NOT_CHECK = 4
    """No answer: the server is out of reach or broke off, or the data cannot be opened."""

    AGAINST_POLICY = 5
    """The path was checked and holds, but it is not what the caller asked for."""

    INTERRUPTED = 130
    """Ctrl-C: 128 and the signal's number, as shells have it."""

    PIPE_CLOSED = 141
    """Who read the answer left before its end: 128 and the signal's number, as shells have it."""
