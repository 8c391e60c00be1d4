"""The exit codes, so that a script can decide without reading the output."""

import enum


class Exit(enum.IntEnum):
    """The exit codes of `pathbook`. A number never changes its meaning."""

    DONE = 0
    """The command was done. For `verify`: the path was checked, and nothing contradicts it."""

    REFUSED = 1
    """The book refused and recorded nothing. For `verify`: the path, or the price paid, is contradicted."""

    USAGE = 2
    """The command line is wrong. The book was not asked."""

    CODE_UNKNOWN = 3
    """The code is malformed, mistyped, from another book, or combined from several codes."""

    COULD_NOT_CHECK = 4
    """There is no answer: the server cannot be reached or failed, or the books cannot be opened. Or the answer is newer
    than this program, which cannot tell what it means."""

    AGAINST_POLICY = 5
    """The path was checked and holds, but it breaks a limit that the caller set."""

    INTERRUPTED = 130
    """The command was stopped by Ctrl-C. Shells define it as 128 plus the number of the signal."""

    PIPE_CLOSED = 141
    """The reader of the output closed the pipe early. Shells define it as 128 plus the number of the signal."""
