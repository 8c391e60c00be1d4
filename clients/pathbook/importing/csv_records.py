"""Splitting a CSV text into rows, so that a wrong quote breaks the row that it stands in, and no other.

Quotes decide where a row ends. So one stray quote can swallow all rows up to the next quote. A row that goes on in
the next line is therefore believed only under conditions: see `_spanning`.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_LINE: Final = 131_072
"""The most characters of a line. A longer one is broken, and is not kept in memory."""

MAX_RECORD_LINES: Final = 100
"""The most lines of one row. A cell with more line breaks is a quote that was never closed."""

MAX_RECORD_CHARS: Final = 262_144
"""The most characters of one row that has several lines, which bounds the work that an open quote makes."""

TOO_LONG_KEPT: Final = 1_000
"""How many characters of a line that is too long are kept, to show which one it was."""

UNDECODED: Final = "pathbook-undecoded"
"""The error handler that keeps each byte that is not text as one character, and gives it back when it is written."""

_BYTE: Final = 0xDC00
"""Where the characters for such bytes begin: lone surrogates, which no text has."""

_UNDECODED_BYTES: Final = re.compile("[\udc00-\udcff]")


def _keep_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError):
        return "".join(chr(_BYTE + byte) for byte in error.object[error.start : error.end]), error.end
    if isinstance(error, UnicodeEncodeError):
        lost = error.object[error.start : error.end]
        kept = bytes(ord(sign) - _BYTE if _UNDECODED_BYTES.match(sign) else ord("?") for sign in lost)
        return kept, error.end
    raise error


codecs.register_error(UNDECODED, _keep_bytes)


def is_text(line: str) -> bool:
    """Tell whether a line was text in the encoding in which it was read. Text has no NUL."""
    return "\0" not in line and not _UNDECODED_BYTES.search(line)


class Record(NamedTuple):
    """One row of a CSV text: the number of its first line, how many lines it has, its text, and its cells.

    If it is broken there are no cells, and `broken` says why.
    """

    line: int
    lines: int
    raw: str
    cells: list[str]
    broken: str = ""


class Records:
    """The rows of a CSV text. Blank lines, which have no visible character, are counted and are no rows.

    `lines`, `blank` and `continued` count physical lines: all, the blank ones, and those that go on with a row inside
    of quotes. What is left are the data lines, each of which is a row.
    """

    def __init__(self, file: io.TextIOBase, delimiter: str, encoding: str) -> None:
        self._file = file
        self.delimiter = delimiter
        self._encoding = encoding
        self._ahead: deque[tuple[str, bool]] = deque()
        self.lines = 0
        self.blank = 0
        self.continued = 0

    def peek(self) -> str:
        """Return the next line, which stays the next one. It is empty at the end."""
        return self._look(0)[0]

    def skip_line(self) -> str:
        """Return the next line and go on."""
        return self._take()[0]

    def header(self) -> Record | None:
        """Return the first row. A quoted name may have line breaks. Return None at the end of the text."""
        return next(self.rows(0), None)

    def rows(self, width: int) -> Iterator[Record]:
        """Yield the rows that are left. A row of several lines must have `width` cells, or any number if it is 0."""
        while True:
            line, whole = self._take()
            if not line:
                return
            if not line.strip():
                self.blank += 1
                continue
            problem = self._problem(line, whole=whole)
            if problem:
                yield Record(self.lines, 1, line, [], problem)
            elif '"' in line:
                yield from self._quoted(line, width)
            else:
                cells = line.rstrip("\r\n").split(self.delimiter)
                yield self._checked(Record(self.lines, 1, line, cells), width)

    def _checked(self, record: Record, width: int) -> Record:
        if width and len(record.cells) != width:
            broken = f"it has {len(record.cells)} cells, and the header {width}"
            return record._replace(cells=[], broken=broken)
        return record

    def _problem(self, line: str, *, whole: bool) -> str:
        """Return why a line cannot be split into cells, whatever its quotes say."""
        if not whole:
            return f"line {self.lines} has more characters than the limit of {MAX_LINE}"
        if "\0" in line:
            return f"line {self.lines} has a NUL character"
        if not line.isascii() and _UNDECODED_BYTES.search(line):
            return (
                f"line {self.lines} is not {self._encoding} text; set the encoding of the table in the recipe,"
                ' such as encoding = "cp1252" or encoding = "gb18030"'
            )
        return ""

    def _quoted(self, line: str, width: int) -> Iterator[Record]:
        """Yield the row that begins with a line that has quotes, or the broken rows of the lines that it may span."""
        first, texts = self.lines, [line]
        try:
            cells = next(
                csv.reader(self._feed(texts), delimiter=self.delimiter, strict=True, skipinitialspace=True)
            )
        except csv.Error as error:
            yield Record(first, 1, line, [], _quote_problem(first, len(texts), str(error)))
            return
        if len(texts) == 1:
            yield self._checked(Record(first, 1, line, cells), width)
        elif width and len(cells) != width:
            broken = (
                f'the quotes (") in line {first} join {len(texts)} lines to a row of {len(cells)} cells,'
                f" and the header has {width}"
            )
            yield Record(first, 1, line, [], broken)
        elif self._may_be_rows(texts, width or len(cells)):
            last = first + len(texts) - 1
            broken = f'the quotes (") join lines {first} to {last}, which are rows on their own; correct the quotes'
            yield Record(first, 1, line, [], broken)
            for text in texts[1:]:
                self._take()
                if text.strip():
                    yield Record(self.lines, 1, text, [], broken)
                else:
                    self.blank += 1
        else:
            for _ in texts[1:]:
                self._take()
            self.continued += len(texts) - 1
            yield Record(first, len(texts), "".join(texts), cells)

    def _may_be_rows(self, texts: list[str], width: int) -> bool:
        """Tell whether the lines of one row look like several rows, if their quotes said nothing.

        A line between the first and the last is inside of quotes as a whole. If it has the cells of a row, it may be
        one. If the first and the last line both have them, two stray quotes may have joined them.
        """
        rows = [text.count(self.delimiter) + 1 == width for text in texts]
        return any(rows[1:-1]) or (rows[0] and rows[-1])

    def _feed(self, texts: list[str]) -> Iterator[str]:
        """Yield the first text, then the lines that follow it, which are added to `texts` and stay the next ones."""
        yield texts[0]
        chars = len(texts[0])
        while len(texts) < MAX_RECORD_LINES:
            text, whole = self._look(len(texts) - 1)
            chars += len(text)
            if not text or chars > MAX_RECORD_CHARS or self._problem(text, whole=whole):
                return
            texts.append(text)
            yield text

    def _take(self) -> tuple[str, bool]:
        line = self._ahead.popleft() if self._ahead else self._read()
        self.lines += bool(line[0])
        return line

    def _look(self, ahead: int) -> tuple[str, bool]:
        while len(self._ahead) <= ahead:
            self._ahead.append(self._read())
        return self._ahead[ahead]

    def _read(self) -> tuple[str, bool]:
        """Return the next line with its end, and whether it is whole. One that is too long is cut."""
        text = self._file.readline(MAX_LINE + 2)
        if len(text.rstrip("\r\n")) <= MAX_LINE:
            return text, True
        rest = text
        while rest and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(MAX_LINE)
        return text[:TOO_LONG_KEPT] + "\n", False


def _quote_problem(line: int, lines: int, error: str) -> str:
    if "unexpected end" in error:
        return f'a quote (") that opens a cell in line {line} is not closed within {lines} lines'
    if "field larger" in error:
        return f"a cell in line {line} has more characters than the limit of {csv.field_size_limit()}"
    return f'a quote (") opens a cell in line {line}, and text follows where the quote closes'
