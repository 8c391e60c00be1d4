"""Small tables with the columns of the Iowa table, a recipe for another kind of sheet, and the import summary."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client
from pathbook.v1.events_pb2 import Event

BOOK: Final = "spirits"

COLUMNS: Final = (
    "date", "store_number", "store_name", "item_number", "vendor_name", "item_description", "state_bottle_cost",
    "state_bottle_retail", "bottles_sold",
)  # fmt: skip

RUM: Final = ("75087", "Luxco-St Louis", "Juarez Gold Dss", "4.75", "7.13")
GIN: Final = ("41846", "Proximo", "Gin", "8.02", "12.03")

SHEET_RECIPE: Final = """
# A sheet as agents keep it in a chat group: one line for each hand-over.
quantity = "数量"
negative = "return"
currency = "币种"
encoding = "gb18030"

[date]
column = "日期"
format = "%Y年%m月%d日"

[parties.maker]
kind = "brand"
id = { make = "text", text = "mask-maker" }

[parties.giver]
kind = "agent"
id = "发货人"

[parties.receiver]
kind = "agent"
id = "收货人"
tier = "级别"
upline = "giver"

[product]
brand = "maker"
gtin = "条码"
name = { make = "text", text = "面膜" }
suggested_price = { make = "text", text = "300" }

[batch]
lot = "批号"
expires_on = "有效期"

[[movements]]
name = "handed-over"
giver = "giver"
receiver = "receiver"
price = "单价"
"""


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sum of money in the summary."""

    amount_minor: int
    amount: str


class Rejected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rejected row in the summary."""

    source: str
    row: int
    reason: str
    line: int = 0


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The object that `--output json` prints, with exactly these keys."""

    tables: int
    accepted: int
    duplicate: int
    rejected: int
    reasons: dict[str, int]
    rejections: list[Rejected]
    transfers: int
    units: int
    amounts: dict[str, dict[str, Amount]]
    lines: dict[str, int] = {}
    differing: dict[str, int] = {}
    readable: int = 0
    dry_run: bool = False

    def rejected_rows(self) -> dict[int, str]:
        """Return the name of the reason for each rejected row."""
        names = [each.reason.partition(":")[0] for each in self.rejections]
        assert self.rejected == len(names)
        assert self.reasons == Counter(names)
        return {each.row: name for each, name in zip(self.rejections, names, strict=True)}


Import = Callable[..., Summary]
"""A function that imports a table with further arguments, and checks the exit code (`exits`, by default 0)."""


def sold(
    item: tuple[str, str, str, str, str], count: int | str, store: str = "2506", day: str = "2012-01-31"
) -> tuple[str, ...]:
    """Return the cells of one row."""
    number, vendor, name, cost, retail = item
    return day, store, "A Store", number, vendor, name, cost, retail, str(count)


def write(path: Path, rows: Iterable[tuple[str, ...]], encoding: str = "utf-8") -> Path:
    """Write rows as a CSV file under the columns of the Iowa table, and return its path."""
    lines = [",".join(cells) for cells in (COLUMNS, *rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def open_book(target: str, book: str = BOOK) -> None:
    """Open a book on a server."""
    with Client(target, book=book) as client:
        client.open_book()


def events(client: Client) -> list[Event]:
    """Return all events of a book."""
    return [Event.FromString(data) for batch in client.read() for data in batch.events]


def parse_summary(text: str) -> Summary:
    """Return the summary that the command printed."""
    return msgspec.json.decode(text, type=Summary)


def facts(client: Client) -> list[bytes]:
    """Return the events after the first without their recording times, with batches numbered by their products.

    The import registers many batches at a time, so their order can differ from one import to the next.
    """
    all_events = events(client)[1:]
    made = {event.batch_commissioned.gtin: event.batch_commissioned.batch for event in all_events}
    number = {made[gtin]: place for place, gtin in enumerate(sorted(made))}
    for event in all_events:
        event.ClearField("recorded_at")
        event.ClearField("request_digest")
        if event.HasField("batch_commissioned"):
            event.batch_commissioned.batch = number[event.batch_commissioned.batch]
        for moved in event.transfer_recorded.terms.ranges:
            moved.batch = number[moved.batch]
    return sorted(event.SerializeToString(deterministic=True) for event in all_events)
