"""Whatever is in a CSV file, each of its lines is a row, part of one, blank, or broken by name."""

import csv
import io
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pathbook.importing import csv_records
from pathbook.importing.csv_records import MAX_LINE, MAX_RECORD_LINES, UNDECODED, Record, Records
from pathbook.importing.files import TableError
from pathbook.importing.loading import load_recipe
from pathbook.importing.recipe import columns
from pathbook.importing.tables import Lines, read_rows

WIDTH: Final = 6

DELIMITERS: Final = (",", ";", "\t", "|")


def split(text: str, delimiter: str = ",", width: int = 3) -> tuple[list[Record], Records]:
    """Return the rows of a text and their reader."""
    records = Records(io.StringIO(text, newline=""), delimiter, "utf-8")
    return list(records.rows(width)), records


def cells(text: str, delimiter: str = ",", width: int = 3) -> list[list[str] | int]:
    """Return the cells of each row of a text, or the line of a broken row."""
    return [record.line if record.broken else record.cells for record in split(text, delimiter, width)[0]]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('a,"b,c\nd,e,f\n', [1, ["d", "e", "f"]], id="a quote that never closes"),
        pytest.param('a,"b,c\nd,"e,f\n', [1, 2], id="two quotes in rows that follow each other"),
        pytest.param('a,",c\nd,",f\n', [1, 2], id="two quotes in empty cells"),
        pytest.param('a,b,"\nd,e,"\n', [1, 2], id="two quotes in empty cells at the end"),
        pytest.param('",b,c\n",e,f\n', [1, 2], id="two quotes in empty cells at the beginning"),
        pytest.param('a,"b,c\nd,e,f\ng,h",i\n', [1, 2, 3], id="a quote before and a quote behind"),
        pytest.param('a,"b\nc",d\n', [["a", "b\nc", "d"]], id="a line break"),
        pytest.param('"b\r\n\r\nc",d,e\r\n', [["b\r\n\r\nc", "d", "e"]], id="line breaks in the first cell"),
        pytest.param('a,b,"c\n"\nd,e,f', [["a", "b", "c\n"], ["d", "e", "f"]], id="a line break at the end of a cell"),
        pytest.param('a,"b""c",d\n', [["a", 'b"c', "d"]], id="a doubled quote"),
        pytest.param('a,"",d\n', [["a", "", "d"]], id="an empty cell in quotes"),
        pytest.param('a,6" pipe,d\n', [["a", '6" pipe', "d"]], id="inches"),
        pytest.param('a, "b,c",d\n', [["a", "b,c", "d"]], id="a blank before a quote"),
        pytest.param('a,"b"c,d\n', [1], id="text behind a quote"),
        pytest.param('a,"b\nc"\nd,e,f\n', [1, 2, ["d", "e", "f"]], id="too few cells in two lines"),
        pytest.param("a,b,c\r\n\r\nd,e,f\rg,h,i", [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]], id="line ends"),
    ],
)  # fmt: skip
def test_a_wrong_quote_breaks_its_own_line(
    text: str, expected: list[list[str] | int], delimiter: str
) -> None:
    """A quote that does not close, or that joins what may be rows, breaks these lines, and reading goes on."""
    found = cells(text.replace(",", delimiter), delimiter)
    assert found == [
        row if isinstance(row, int) else [cell.replace(",", delimiter) for cell in row] for row in expected
    ]


def test_a_quote_that_closes_1740_lines_later_breaks_two_lines() -> None:
    """Only the lines with the quotes are broken, however far they are from each other."""
    good = "a,b,c\n" * 1_740
    found = cells(f'a,"b,c\n{good}a,"b,c\n{good}')
    assert [row for row in found if isinstance(row, int)] == [1, 1_742]
    assert len(found) == 2 + 2 * 1_740


@pytest.mark.parametrize(("breaks", "believed"), [(MAX_RECORD_LINES - 1, True), (MAX_RECORD_LINES, False)])
def test_a_row_has_at_most_a_hundred_lines(breaks: int, believed: bool) -> None:
    """A row of the most lines is read. One more, and its first line is broken by name."""
    rows, records = split('a,"' + "b\n" * breaks + 'b",c\n')
    assert (rows[0].broken == "") is believed
    assert records.continued == (breaks if believed else 0)
    if not believed:
        assert (
            rows[0].broken
            == f'a quote (") that opens a cell in line 1 is not closed within {MAX_RECORD_LINES} lines'
        )


@pytest.mark.parametrize(
    ("length", "whole"), [(MAX_LINE, True), (MAX_LINE + 1, False), (3 * MAX_LINE, False)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_a_line_has_at_most_131072_characters(length: int, whole: bool, end: str) -> None:
    """The longest line is read, and one more character breaks it. The next line is read in any case."""
    long = "a,b," + "c" * (length - 4)
    found = cells(long + end + ("d,e,f" if end else ""))
    assert found[0] == (["a", "b", "c" * (length - 4)] if whole else 1)
    assert found[1:] == ([["d", "e", "f"]] if end else [])


def test_open_quotes_cost_a_bounded_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray quote looks at no more than a hundred lines ahead, so a table full of them is read in linear time."""
    looked = 0
    feed = Records._feed

    def counted(self: Records, texts: list[str]) -> object:
        nonlocal looked
        for text in feed(self, texts):
            looked += 1
            yield text

    monkeypatch.setattr(Records, "_feed", counted)
    split('a,"b\n' * 1_000, width=2)
    assert looked <= 1_000 * MAX_RECORD_LINES


TEXTS: Final = st.text(
    st.sampled_from('ab"\n\r,; \t|\x00é面') | st.characters(exclude_categories=["Cs"]), max_size=12
)


@example([["\r", *[""] * (WIDTH - 2), "\n"]], ",", "\n")
@given(
    st.lists(st.lists(TEXTS, min_size=WIDTH, max_size=WIDTH), max_size=6),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_a_correct_writer_wrote_reads_back_the_same(
    table: list[list[str]], delimiter: str, end: str
) -> None:
    """Any cells are read as they were written, or their lines are broken by name. No row is read as another.

    Rows are broken if they have a NUL, or if a line within them looks like a row of the table.
    """
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    rows, _ = split(text.getvalue(), delimiter, WIDTH)
    read = [record.cells for record in rows if not record.broken]
    left = iter(table)
    assert all(any(row == each for each in left) for row in read)
    strange = [
        row for row in table if any("\0" in cell or cell.count(delimiter) >= WIDTH - 1 for cell in row)
    ]
    if not strange and not any(record.broken for record in rows):
        assert read == table
    # a line from a break in the first cell to one in the last reads as a row, whatever is between them
    ambiguous = any(set(row[0]) & {"\r", "\n"} and set(row[-1]) & {"\r", "\n"} for row in table)
    if not ambiguous and not any(set(cell) & {delimiter, "\0"} for row in table for cell in row):
        assert read == table


@given(st.text(st.sampled_from('ab"\n\r,')), st.integers(1, 4))
def test_every_line_is_accounted_for(text: str, width: int) -> None:
    """Data, continued and blank lines add up to the lines of the text, and every row begins with a data line."""
    rows, records = split(text, ",", width)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert records.lines == lines.count("\n") + bool(lines and not lines.endswith("\n"))
    assert len(rows) == records.lines - records.blank - records.continued
    assert [row.line for row in rows] == sorted({row.line for row in rows})


HEADER: Final = ",".join(columns(load_recipe("iowa")))


@given(st.binary(max_size=300), st.booleans(), st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_any_bytes_give_rows_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bool, suffix: str
) -> None:
    """Whatever a file holds, its lines are counted, or the table is refused by name."""
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes((f"{HEADER}\n".encode() if header else b"") + content)
    lines = Lines()
    try:
        rows = list(read_rows(path, load_recipe("iowa"), lines=lines))
    except TableError as error:
        named = str(error)
    else:
        named = str(path) if len(rows) == lines.data else ""
    assert str(path) in named


@given(st.binary(max_size=40), st.sampled_from(["utf-8", "cp1252", "ascii"]))
def test_bytes_that_are_no_text_are_written_as_they_were(content: bytes, encoding: str) -> None:
    """A broken row is given back with all of its bytes, so that it can be mended in its own encoding."""
    assert content.decode(encoding, UNDECODED).encode(encoding, UNDECODED) == content


@given(
    st.binary(max_size=40),
    st.sampled_from(["gb18030", "gbk", "shift_jis", "big5", "euc_kr", "iso2022_jp", "hz"]),
)
def test_bytes_of_east_asian_encodings_are_kept(content: bytes, encoding: str) -> None:
    """Broken text can be written again. What is text is the same text, in case an encoding has two spellings of it."""
    text = content.decode(encoding, UNDECODED)
    again = text.encode(encoding, UNDECODED)
    if csv_records.is_text(text):
        assert again.decode(encoding, UNDECODED) == text
