"""Words people type: money, times, dates, units. What cannot be read is a usage error that shows how to write it."""

import datetime
import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from pathbook.v1.values_pb2 import Delivery

MAX_DIGITS: Final = 18
"""The most digits of a number: what always fits a signed 64-bit one."""

MAX_BATCH_DIGITS: Final = 9
"""The most digits of a batch's number: there are 2**24 - 1 at the most."""

Price = tuple[int, str]
Range = tuple[int, int, int]

_NUMBER: Final = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")
_UNITS: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,10})(?:-([0-9]{1,10}))?")
_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Answer = TypeVar("Answer")


class Request(TypedDict):
    """What every movement of units says beside its content."""

    occurred_at: datetime.datetime | None
    request_id: str


class NumberType(click.ParamType[int]):
    """A whole number that fits 64 bits, sign included; what it may be is for the book to say."""

    name = "number"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read digits; a default is a number already."""
        if _NUMBER.fullmatch(str(value)) is None:
            self.fail(f"'{value}' is not a whole number of at most {MAX_DIGITS} digits.", param, ctx)
        return int(value)


class MoneyType(click.ParamType[Price]):
    """An amount with its currency, `150.00 CNY`, as (minor units, ISO 4217 code)."""

    name = "money"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Price:
        """Read it exactly."""
        from pathbook.ledger import money

        try:
            return money.parse(value)
        except money.NotMoneyError as error:
            self.fail(str(error), param, ctx)


class MomentType(click.ParamType[datetime.datetime]):
    """A time with its zone, or a date, which stands for its first moment in UTC."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Read ISO 8601."""
        try:
            found = datetime.datetime.fromisoformat(f"{value}T00:00Z" if _DATE.fullmatch(value) else value)
        except ValueError:
            self.fail(
                f"'{value}' is not a time. Write it as 2026-05-01T09:30:00+08:00 or 2026-05-01.", param, ctx
            )
        if found.tzinfo is None:
            self.fail(
                f"'{value}' does not say its zone. Add Z for UTC, or an offset such as +08:00.", param, ctx
            )
        return found


class DateType(click.ParamType[datetime.date]):
    """A date, `2026-05-01`."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime.date:
        """Read YYYY-MM-DD."""
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is not a date. Write it as 2026-05-01.", param, ctx)


class UnitsType(click.ParamType[Range]):
    """Units of one batch, `BATCH:FIRST-LAST` or `BATCH:NUMBER`, as (batch, first, last)."""

    name = "units"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Range:
        """Read it; whether the batch has such units is for the book to say."""
        found = _UNITS.fullmatch(value)
        if found is None:
            self.fail(
                f"'{value}' does not name units. Write 3:0-99, or 3:17 for one, in batch 3.", param, ctx
            )
        batch, first, last = found.groups()
        return int(batch), int(first), int(last or first)


NUMBER: Final = NumberType()
MONEY: Final = MoneyType()
MOMENT: Final = MomentType()
DATE: Final = DateType()
UNITS: Final = UnitsType()


def takes_units(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let a command take units in any mixture of ways; it is given them as ``units``, a Selection."""

    @functools.wraps(command)
    def with_units(
        *args: object,
        ranges: tuple[Range, ...],
        codes: tuple[str, ...],
        cases: tuple[str, ...],
        counts: tuple[int, ...],
        origins: tuple[str, ...],
        **rest: object,
    ) -> Answer:
        if not (ranges or codes or cases or counts or origins):
            raise click.UsageError(
                "Which units? Say --units, --code, --case, or --count N --of BATCH or GTIN."
            )
        if len(counts) != len(origins):
            raise click.UsageError("Each --count N needs its --of BATCH or --of GTIN.")
        quantities = [(count, _origin(text)) for count, text in zip(counts, origins, strict=True)]
        from pathbook.client import select

        units = select(ranges=ranges, codes=codes, cases=cases, quantities=quantities)
        return command(*args, units=units, **rest)

    for option in (
        click.option("--of", "origins", metavar="BATCH|GTIN", multiple=True, help="What --count counts."),
        click.option(
            "--count", "counts", type=NUMBER, metavar="N", multiple=True,
            help="So many units, the oldest first.",
        ),
        click.option("--case", "cases", metavar="SSCC", multiple=True, help="All that is in a packed case."),
        click.option("--code", "codes", metavar="CODE", multiple=True, help="One unit, by its printed code."),
        click.option(
            "--units", "ranges", type=UNITS, metavar="BATCH:FIRST-LAST", multiple=True,
            help="Units by number, both ends included; BATCH:N is one.",
        ),
    ):  # fmt: skip
        with_units = option(with_units)
    return with_units


def _origin(text: str) -> int | str:
    if _GTIN.fullmatch(text):
        return text
    if text.isascii() and text.isdigit() and len(text) <= MAX_BATCH_DIGITS:
        return int(text)
    raise click.UsageError(f"'{text}' after --of is neither the number of a batch nor a GTIN.")


def delivery(*, later: bool) -> "Delivery.ValueType":
    """Return whether the goods move with the title, or later."""
    from pathbook.v1 import values_pb2

    return values_pb2.DELIVERY_LATER if later else values_pb2.DELIVERY_WITH_TITLE


def takes_request_id(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let a command that writes take --request-id; it is given it as ``request_id``."""
    sentence = "An id of your own, the same again on a retry; without it each call is a new request."
    return click.option("--request-id", default="", metavar="ID", help=sentence)(command)


def takes_request(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let a command take --occurred-at and --request-id; it is given both as ``request``."""

    @functools.wraps(command)
    def with_request(
        *args: object, occurred_at: datetime.datetime | None, request_id: str, **rest: object
    ) -> Answer:
        return command(*args, request=Request(occurred_at=occurred_at, request_id=request_id), **rest)

    sentence = "When it happened: ISO 8601 with its zone, or a date. Now, if not said."
    occurred_at = click.option("--occurred-at", type=MOMENT, metavar="TIME", help=sentence)
    return occurred_at(takes_request_id(with_request))


def takes_today(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let a command take --today; it is given it, or this machine's date, as ``today``."""

    @functools.wraps(command)
    def with_today(*args: object, today: datetime.date | None, **rest: object) -> Answer:
        return command(*args, today=today or datetime.datetime.now().astimezone().date(), **rest)

    sentence = "What day it is; this machine's date, if not said."
    return click.option("--today", type=DATE, metavar="DATE", help=sentence)(with_today)
