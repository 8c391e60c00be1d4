"""Dirty variants of one sheet: encodings, quotes, and the habits of programs and types."""

import csv
import datetime
import decimal
import gzip
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import pyarrow
from pyarrow import parquet

from tests.examples import examples

ROWS: Final = examples(70, 200)
"""How many rows the sheet has."""

NAMES: Final = ("day", "from", "to", "level", "barcode", "lot", "best before", "title", "units", "price")

RECIPE: Final = """
quantity = "units"
negative = "return"
currency = { make = "text", text = "EUR" }
batch = { lot = "lot", expires_on = "best before" }
# more

[date]
column = "day"
format = "%Y-%m-%d"

[parties.maker]
kind = "brand"
id = { make = "text", text = "maker" }

[parties.giver]
kind = "agent"
id = "from"

[parties.receiver]
kind = "agent"
id = "to"
tier = "level"
upline = "giver"

[product]
brand = "maker"
gtin = "barcode"
name = "title"
suggested_price = { make = "text", text = "300" }

[[movements]]
name = "handed-over"
giver = "giver"
receiver = "receiver"
price = "price"
"""


def sheet() -> list[list[str]]:
    """Return the rows of the sheet. The tenth row is equal to the row before it."""
    first = datetime.date(2024, 3, 1)
    rows = [
        [str(first + datetime.timedelta(row // 10)), "maker", f"agent-{row % 9}", "1", "4006381333931",
         f"L{row % 4}", "2031-01-31", "Face mask", str(1 + row % 7), f"{1150 + row}.50"]
        for row in range(ROWS)
    ]  # fmt: skip
    return [*rows[:9], list(rows[8]), *rows[10:]]


Rows = list[list[str]]


class Dirty(NamedTuple):
    """A variant of the sheet: its bytes, its data lines, how many are rejected, and what the recipe says of it."""

    content: bytes
    rejected: int | None = 0
    lines: int = ROWS
    recipe: tuple[tuple[str, str], ...] = ()
    suffix: str = ".csv"


def text_of(
    rows: Sequence[Sequence[str]], delimiter: str = ",", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL
) -> str:
    """Return rows as a correct CSV text below the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]  # the constants are integers here
    writer.writerows([NAMES, *rows])
    return text.getvalue()


def changed(name: str, change: Callable[[str], str], rows: Sequence[int] = range(ROWS)) -> Rows:
    """Return the sheet with a change of one column, in all or some rows."""
    found = sheet()
    for row in rows:
        found[row][NAMES.index(name)] = change(found[row][NAMES.index(name)])
    return found


def written(rows: Rows, encoding: str = "utf-8") -> bytes:
    """Return the bytes of a CSV file."""
    return text_of(rows).encode(encoding)


def lines_changed(change: Callable[[str], str], *lines: int) -> bytes:
    """Return the bytes of the sheet with a change of some lines. Line 0 is the header."""
    found = text_of(sheet()).splitlines()
    for line in lines:
        found[line] = change(found[line])
    return ("\n".join(found) + "\n").encode()


def stray(line: str) -> str:
    """Put a stray quote in front of the title."""
    return line.replace("Face", '"Face')


def typed(**columns: pyarrow.Array) -> bytes:
    """Return a Parquet file of the sheet, in which some columns have another type."""
    texts = dict(zip(NAMES, map(list, zip(*sheet(), strict=True)), strict=True))
    file = io.BytesIO()
    parquet.write_table(
        pyarrow.table(texts | {name.replace("_", " "): c for name, c in columns.items()}), file
    )
    return file.getvalue()


def column(name: str) -> list[str]:
    """Return the texts of a column of the sheet."""
    return [row[NAMES.index(name)] for row in sheet()]


def days() -> list[datetime.date]:
    """Return the days of the sheet."""
    return [datetime.date.fromisoformat(day) for day in column("day")]


def as_of(encoding: str) -> tuple[tuple[str, str], ...]:
    """Return the change of the recipe for an encoding."""
    return (("# more", ""), ('quantity = "units"', f'quantity = "units"\nencoding = "{encoding}"'))


GERMAN: Final = (
    ('quantity = "units"', 'quantity = "units"\ndelimiter = ";"\ndecimal_mark = ","\nthousands_mark = "."'),
)
BLANKS: Final = (('quantity = "units"', 'quantity = "units"\nthousands_mark = " "'),)
EXCEL: Final = (('format = "%Y-%m-%d"', 'format = "excel"'),)
IN_CHINESE: Final = (("%Y-%m-%d", "%Y年%m月%d日"), *as_of("gb18030"))
PADDED: Final = (('brand = "maker"\ngtin', 'pad = 12\nbrand = "maker"\ngtin'),)

UPC: Final = "036000291452"


def german(price: str) -> str:
    """Return a price as a German spreadsheet writes it."""
    return f"1.{price[1:].replace('.', ',')}"


def variants() -> Iterator[tuple[str, Dirty]]:
    """Yield all variants with what is dirty about each."""
    yield from of_quotes()
    yield from of_encodings()
    yield from of_programs()
    yield from of_types()


def of_quotes() -> Iterator[tuple[str, Dirty]]:
    """Yield variants with quotes, line ends, and lines that are no rows."""
    whole = text_of(sheet())
    yield "as it is", Dirty(whole.encode())
    yield "two stray quotes", Dirty(lines_changed(stray, 3, 7), 2)
    yield "a stray quote in every line", Dirty(lines_changed(stray, *range(1, ROWS + 1)), ROWS)
    yield "a quote that never closes", Dirty(lines_changed(stray, ROWS // 2), 1)
    yield "a quote that opens in the last line", Dirty(lines_changed(stray, ROWS), 1)
    yield "stray quotes in two rows that follow each other", Dirty(lines_changed(stray, 50, 51), 2)
    empty = [line.replace("Face mask", "") for line in whole.splitlines()]
    for row in (20, 30):
        empty[row] = empty[row].replace(",,", ',",', 1)
    named = [*(line.replace(",,", ",Face mask,") for line in empty)]
    yield "stray quotes around empty cells", Dirty("\n".join(named).encode(), 11)
    behind = lines_changed(lambda line: line.replace("mask", 'mask"'), 12).decode().splitlines()
    behind[10] = stray(behind[10])
    yield "a stray quote before and one behind", Dirty("\n".join(behind).encode(), 3)
    yield "every cell in quotes", Dirty(text_of(sheet(), quoting=csv.QUOTE_ALL).encode())
    yield "doubled quotes", Dirty(written(changed("title", lambda _: 'The "Face", 20" mask')))
    yield (
        "text behind a quote",
        Dirty(lines_changed(lambda line: line.replace("Face mask", '"Face" mask'), 9), 1),
    )
    broken = written(changed("title", lambda _: "Face\nmask", (5, 60)))
    yield "line breaks in quotes", Dirty(broken)
    yield "many line breaks in quotes", Dirty(written(changed("title", lambda _: "Face" + "\r\n" * 90, (5,))))
    yield (
        "semicolons and stray quotes",
        Dirty(text_of(changed("price", german), ";").replace("Face", '"Face', 2).encode(), 2, recipe=GERMAN),
    )
    yield (
        "tabs",
        Dirty(
            text_of(sheet(), "\t").encode(),
            recipe=(('quantity = "units"', 'quantity = "units"\ndelimiter = "\\t"'),),
        ),
    )
    yield "windows line ends", Dirty(text_of(sheet(), end="\r\n").encode())
    yield "old line ends", Dirty(text_of(sheet(), end="\r").encode())
    ends = itertools.cycle(("\r\n", "\n", "\r", "\n\n"))
    yield "mixed line ends", Dirty("".join(line + next(ends) for line in whole.splitlines()).encode())
    yield "no line end at the end", Dirty(whole.rstrip("\n").encode())
    yield "NUL characters", Dirty(lines_changed(lambda line: line.replace("Face", "Fa\0ce"), 8, 9), 2)
    yield "rows with too few cells", Dirty(lines_changed(lambda line: line.rpartition(",")[0], 8, 9), 2)
    yield "rows with too many cells", Dirty(lines_changed(lambda line: line + ",", 8, 9), 2)
    yield (
        "a line of a megabyte",
        Dirty(lines_changed(lambda line: line.replace("Face", "Face" * 300_000), 8), 1),
    )
    yield "blank lines", Dirty(whole.replace("\n", "\n \t\n\n").encode())


def of_encodings() -> Iterator[tuple[str, Dirty]]:
    """Yield variants in other encodings than the recipe's, and in those that it declares."""
    chinese = changed("title", lambda _: "面膜")
    yield "a byte order mark", Dirty(b"\xef\xbb\xbf" + written(sheet()))
    yield "GB18030, declared", Dirty(written(chinese, "gb18030"), recipe=as_of("gb18030"))
    yield "GBK, not declared", Dirty(written(chinese, "gbk"), ROWS)
    yield (
        "Shift-JIS, declared",
        Dirty(written(changed("title", lambda _: "マスク"), "shift_jis"), recipe=as_of("shift_jis")),
    )
    yield "UTF-16, declared", Dirty(written(chinese, "utf-16"), recipe=as_of("utf-16"))
    yield (
        "cp1252, declared",
        Dirty(written(changed("title", lambda _: "Maské für 2 €"), "cp1252"), recipe=as_of("cp1252")),
    )
    yield "cp1252, not declared", Dirty(written(changed("title", lambda _: "Maské", (4, 5)), "cp1252"), 2)
    dates = changed("day", lambda day: f"{day[:4]}年{day[5:7]}月{day[8:]}日")
    wide = str.maketrans("0123456789-", "０１２３４５６７８９－")
    for row in dates:
        row[4] = row[4].translate(wide)
        row[6] = "2031年1月31日".translate(wide)
        row[8:] = [row[8].translate(wide), row[9].translate(wide).replace(".", "．")]
    yield "full-width digits and Chinese dates", Dirty(written(dates, "gb18030"), recipe=IN_CHINESE)
    yield "packed", Dirty(gzip.compress(written(sheet())), suffix=".csv.gz")


def of_programs() -> Iterator[tuple[str, Dirty]]:
    """Yield variants with the habits of spreadsheets, databases and ERP systems."""
    euro = text_of(changed("price", german), ";")
    yield "a German sheet with sep=;", Dirty(f"sep=;\r\n{euro}".encode(), recipe=GERMAN)
    yield "a semicolon that only the file names", Dirty(f"sep=;\n{text_of(sheet(), ';')}".encode())
    yield "signs of currencies", Dirty(written(changed("price", lambda price: f"€ {price}")))
    yield (
        "the sign of another currency",
        Dirty(written(changed("price", lambda price: f"${price}", (1, 2))), 2),
    )
    yield (
        "thin blanks between thousands",
        Dirty(written(changed("price", lambda price: f" {price[0]}\u202f{price[1:]}\xa0")), recipe=BLANKS),
    )
    yield (
        "zeros that say nothing",
        Dirty(written(changed("price", lambda price: f"{price}000")).replace(b",2,1", b",2.000,1")),
    )
    yield "a rounded barcode", Dirty(written(changed("barcode", lambda _: "4.00638E+12", range(10))), 10)
    yield "a barcode as a float", Dirty(written(changed("barcode", lambda code: f"{code}.0")))
    yield "a barcode of eighteen digits", Dirty(written(changed("barcode", lambda code: code.zfill(18))))
    yield "a UPC without its zero", Dirty(written(changed("barcode", lambda _: UPC[1:])), ROWS)
    yield "a UPC that is padded", Dirty(written(changed("barcode", lambda _: UPC[1:])), recipe=PADDED)
    yield "days of a spreadsheet", Dirty(written(changed("day", lambda day: str(serial(day)))), recipe=EXCEL)
    yield (
        "days of a spreadsheet, not declared",
        Dirty(written(changed("day", lambda day: str(serial(day)))), ROWS),
    )
    yield "midnights", Dirty(written(changed("day", lambda day: f"{day} 00:00:00")))
    missing = changed("to", lambda _: "#N/A", (1, 2))
    missing[3][3], missing[4][4], missing[5][7], missing[6][6], missing[7][8] = (
        "NULL",
        "#REF!",
        "NULL",
        "NULL",
        "TRUE",
    )
    yield "errors of a spreadsheet", Dirty(written(missing), 7)
    returned = changed("units", lambda _: "(1)", (65,))
    returned[66][8], returned[67][8], returned[68][8] = "\u22121", "1-", "-900"
    yield "returns in brackets and with other minus signs", Dirty(written(returned), 1)
    total = ["Total", "", "", "", "", "", "", "", "800", "99999.99"]
    yield "a line with the total", Dirty(written([*sheet(), total]), 1, ROWS + 1)
    yield "lines of commas", Dirty(written([*sheet(), *[[""] * len(NAMES)] * 5]), 5, ROWS + 5)
    yield (
        "names in other case",
        Dirty(lines_changed(lambda line: f" {line.upper().replace('BEST BEFORE', 'Best  Before ')} ", 0)),
    )
    header, *lines = text_of(sheet()).splitlines()
    yield (
        "empty columns and two of one name",
        Dirty("\n".join([header + ",,x,x", *(line + ",,," for line in lines)]).encode()),
    )
    yield (
        "two days of expiry of one lot",
        Dirty(written(changed("best before", lambda _: "2030-01-31", (ROWS - 2, ROWS - 1))), 2),
    )
    yield (
        "a lot whose expiry is often left out",
        Dirty(written(changed("best before", lambda _: "", range(0, ROWS, 3)))),
    )


def serial(day: str) -> int:
    """Return a day as a spreadsheet counts it."""
    return (datetime.date.fromisoformat(day) - datetime.date(1899, 12, 30)).days


def of_types() -> Iterator[tuple[str, Dirty]]:
    """Yield Parquet files with other types."""
    prices, units = column("price"), column("units")
    barcodes = column("barcode")

    def file(rejected: int = 0, **columns: pyarrow.Array) -> Dirty:
        return Dirty(typed(**columns), rejected, suffix=".parquet")

    yield "Parquet: floats of 32 bits", file(price=pyarrow.array([19.99] * ROWS, pyarrow.float32()))
    yield "Parquet: floats of 16 bits", file(price=pyarrow.array([1.1] * ROWS, pyarrow.float16()))
    yield (
        "Parquet: floats",
        file(price=pyarrow.array(map(float, prices)), units=pyarrow.array(map(float, units))),
    )
    yield "Parquet: decimals", file(price=pyarrow.array([decimal.Decimal(price + "00") for price in prices]))
    yield (
        "Parquet: no numbers",
        file(3, price=pyarrow.array([float("nan"), float("inf"), -float("inf"), *map(float, prices[3:])])),
    )
    yield "Parquet: date32", file(day=pyarrow.array(days()))
    noon = [datetime.datetime.combine(day, datetime.time(12), datetime.UTC) for day in days()]
    yield (
        "Parquet: times with a zone",
        file(day=pyarrow.array(noon, pyarrow.timestamp("ns", "Asia/Shanghai"))),
    )
    odd = [1_709_251_200_000_000_001, *(1_709_251_200_000_000_000,) * (ROWS - 1)]
    yield "Parquet: nanoseconds", file(day=pyarrow.array(odd, pyarrow.timestamp("ns")))
    far = pyarrow.array([2**62, *(1_709_251_200_000_000,) * (ROWS - 1)], pyarrow.timestamp("us"))
    yield "Parquet: a time that is no time", file(1, day=far)
    yield "Parquet: a dictionary", file(lot=pyarrow.array(column("lot")).dictionary_encode())
    yield (
        "Parquet: small and unsigned integers",
        file(
            units=pyarrow.array(map(int, units), pyarrow.int8()),
            barcode=pyarrow.array(map(int, barcodes), pyarrow.uint64()),
        ),
    )
    yield "Parquet: truth", file(ROWS, units=pyarrow.array([True] * ROWS))
    yield "Parquet: large strings", file(title=pyarrow.array(column("title"), pyarrow.large_string()))
    data = [b"\xff", *(b"Face mask",) * (ROWS - 1)]
    yield "Parquet: bytes", file(1, title=pyarrow.array(data, pyarrow.binary()))
    yield "Parquet: nothing", file(best_before=pyarrow.nulls(ROWS))


VARIANTS: Final = dict(variants())
