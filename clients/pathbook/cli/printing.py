"""The one way to stdout and stderr: a character that could control the terminal or deceive the reader is escaped.

Text comes from servers, files, tables, the environment and the command line, and none of them is trusted. Names in any
script stay readable. JSON has the same characters as its own escapes, so a parser reads the same value.
"""

import codecs
import json
import re
import shutil
import sys
from typing import Final, TextIO

import click

from pathbook.cli.settings import Output
from pathbook.ledger import symbols

OWN_STYLES: Final = re.compile(r"(\x1b\[(?:0|1|31|32|33)m)")
"""What `click.style` puts around a text. Text that was not made printable before can at most be red."""

_SUSPECT_IN_JSON: Final = re.compile(r"[^ -~\n]")
"""What `json.dumps` may leave as it is. Its own line breaks are between the values."""


CANNOT_WRITE: Final = "The answer cannot be written to stdout: {}. What the command recorded stays recorded."
"""The sentence for an answer that is lost."""


class OutputFailedError(OSError):
    """An answer could not be written. The message says why."""


def printable(text: str) -> str:
    r"""Return a text of one line for a terminal, with an escape such as ``\u202e`` for each character that is unsafe.

    Escaped are controls, marks of direction, characters without width, line breaks, lone surrogates, characters that
    Unicode does not define, and those that the encoding of stdout does not have.
    """
    if text.isascii() and text.isprintable():
        return text
    encoding = _encoding(sys.stdout)
    return "".join(symbol if _is_safe(symbol, encoding) else symbols.escape(symbol) for symbol in text)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes. A Chinese character takes two, a combining mark none."""
    if text.isascii():
        return len(text)
    return sum(map(symbols.columns, text))


def as_json(content: object, output: Output) -> str:
    """Return JSON: indented for `json`, on one line for `jsonl`. Unsafe characters are escaped as JSON does it."""
    everywhere = all(_is_unicode(stream) for stream in (sys.stdout, sys.stderr))
    text = json.dumps(content, indent=2 if output is Output.JSON else None, ensure_ascii=not everywhere)
    return _SUSPECT_IN_JSON.sub(lambda found: _json_escape(found[0]), text)


def echo(text: str, *, err: bool = False) -> None:
    """Print lines to stdout or stderr. Only line breaks and the styles of `click.style` pass unescaped.

    Raises:
        OutputFailedError: stdout is closed or full. An error that cannot be printed is dropped: the exit code tells it.
        BrokenPipeError: the reader of stdout closed the pipe.
    """
    parts = OWN_STYLES.split(text)
    parts[::2] = ("\n".join(map(printable, part.split("\n"))) for part in parts[::2])
    stream = sys.stderr if err else sys.stdout
    if stream is None and not err:
        raise OutputFailedError(CANNOT_WRITE.format("it is closed"))
    try:
        click.echo("".join(parts), err=err)
    except BrokenPipeError:
        if not err:
            raise
    except OSError as error:
        if not err:
            raise OutputFailedError(CANNOT_WRITE.format(error.strerror)) from error


def columns() -> int | None:
    """Return how many columns the terminal on stdout has, None if stdout is a file or a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def _is_safe(symbol: str, encoding: str) -> bool:
    if not symbols.is_visible(symbol):
        return False
    try:
        symbol.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _json_escape(symbol: str) -> str:
    if _is_safe(symbol, "utf-8"):
        return symbol
    return json.dumps(symbol)[1:-1] if symbol != "\x7f" else "\\u007f"


def _encoding(stream: TextIO | None) -> str:
    """Return the encoding of a stream. A stream of a test, and one that is closed, takes all of Unicode."""
    return getattr(stream, "encoding", None) or "utf-8"


def _is_unicode(stream: TextIO | None) -> bool:
    return codecs.lookup(_encoding(stream)).name.startswith("utf-")
