"""Values that people type: prices, times, dates, units. A usage error shows how to write each of them."""

import datetime
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

import click

from pathbook.cli.settings import current_zone

if TYPE_CHECKING:
    from pathbook.v1.values_pb2 import Delivery

MAX_DIGITS: Final = 18
"""The most digits of a whole number that are read. So many digits always fit 64 bits with their sign."""

MAX_BATCH_DIGITS: Final = 9
"""The most digits of the number of a batch that are read. The book has 2**24 - 1 batches at most."""

MAX_PAGE_SIZE: Final = 1_000
"""The most items that the server puts on one page."""

MAX_TIER_DIGITS: Final = 9
"""The most digits of a tier that are read. The contract has 32 bits for it."""

MAX_UNIT_DIGITS: Final = 10
"""The most digits of the number of a unit that are read. A batch has 2**28 units at most."""

EXISTING_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The type of an option that names a file to be read."""

Price = tuple[int, str, int]
Range = tuple[int, int, int]

_NUMBER: Final = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")
_BATCH: Final = re.compile(rf"[0-9]{{1,{MAX_BATCH_DIGITS}}}")
_UNIT: Final = re.compile(rf"({_BATCH.pattern}):([0-9]{{1,{MAX_UNIT_DIGITS}}})")
_UNITS: Final = re.compile(rf"{_UNIT.pattern}(?:-([0-9]{{1,{MAX_UNIT_DIGITS}}}))?")
_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(
    rf"{_DATE.pattern}[Tt ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]{{1,6}})?)?(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?"
)

Answer = TypeVar("Answer")


class Request(TypedDict):
    """The fields that every movement of units has beside its content."""

    occurred_at: datetime.datetime | None
    request_id: str


class NumberType(click.ParamType[int]):
    """A whole number that fits 64 bits with its sign. The book decides which numbers it accepts."""

    name = "number"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse digits. A default is a number already."""
        if _NUMBER.fullmatch(str(value)) is None:
            self.fail(f"'{value}' is not a whole number of at most {MAX_DIGITS} digits.", param, ctx)
        return int(value)


class CountType(NumberType):
    """A whole number of 0 or more that this program uses itself, or that is a position."""

    name = "count"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse digits, and refuse a number below 0."""
        found = super().convert(value, param, ctx)
        if found < 0:
            self.fail(f"{found} is below 0. Give 0 or more.", param, ctx)
        return found


class TierType(NumberType):
    """The number of a tier. It fits 32 bits, and the book decides which tiers it accepts."""

    name = "tier"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse digits, and refuse a number that the contract cannot say."""
        found = super().convert(value, param, ctx)
        if abs(found) >= 10**MAX_TIER_DIGITS:
            self.fail(f"{found} is no tier. Give a number such as 3.", param, ctx)
        return found


class PriceType(click.ParamType[Price]):
    """A price, `150.00 CNY` or `1.25 CNY/100`, as (minor units, ISO 4217 code, for how many units)."""

    name = "price"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Price:
        """Parse a price without rounding it."""
        from pathbook.ledger import money

        try:
            found = money.parse(value)
        except money.NotMoneyError as error:
            self.fail(str(error), param, ctx)
        return found.amount_minor, found.currency_code, found.per_units


class MomentType(click.ParamType[datetime.datetime]):
    """A time with its zone, or a date. A date means its first moment in the zone of --zone."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Parse ISO 8601. The moment must lie between the years 1 and 9999 in UTC, too."""
        try:
            if _DATE.fullmatch(value):
                found = current_zone().first_moment(datetime.date.fromisoformat(value))
            else:
                found = datetime.datetime.fromisoformat(value if _MOMENT.fullmatch(value) else "")
            if found.tzinfo is None:
                problem = f"'{value}' has no time zone. Add Z for UTC, or an offset such as +08:00."
                raise click.BadParameter(problem, ctx, param)
            return found.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"'{value}' is not a time. Write it as 2026-05-01T09:30:00+08:00 or 2026-05-01.", param, ctx
            )


class DateType(click.ParamType[datetime.date]):
    """A date, `2026-05-01`."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime.date:
        """Parse YYYY-MM-DD."""
        try:
            return datetime.date.fromisoformat(value if _DATE.fullmatch(value) else "")
        except ValueError:
            self.fail(f"'{value}' is not a date. Write it as 2026-05-01.", param, ctx)


class UnitsType(click.ParamType[Range]):
    """Units of one batch, `BATCH:FIRST-LAST` or `BATCH:NUMBER`, as (batch, first, last)."""

    name = "units"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Range:
        """Parse a range. The book decides whether the batch has such units."""
        found = _UNITS.fullmatch(value)
        if found is None:
            self.fail(
                f"'{value}' does not name units. Write 3:0-99 for units 0 to 99 of batch 3, or 3:17 for one"
                " unit.",
                param,
                ctx,
            )
        batch, first, last = found.groups()
        return int(batch), int(first), int(last or first)


NUMBER: Final = NumberType()
COUNT: Final = CountType()
TIER: Final = TierType()
PRICE: Final = PriceType()
MOMENT: Final = MomentType()
DATE: Final = DateType()
UNITS: Final = UnitsType()

PRICE_HELP: Final = "The price of one unit: '150 CNY', '0.0125 CNY', or '1.25 CNY/100' for 100 units."
"""The help of an option for a price."""


def parse_unit(text: str) -> tuple[int, int] | None:
    """Return (batch, number) of a unit that is written `BATCH:NUMBER`, None for any other text."""
    found = _UNIT.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def takes_units(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options that name units, in any combination. The command gets them as ``units``, a Selection."""

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
                "No units are named. Give --units, --code, --case, or --count N --of BATCH or GTIN."
            )
        if len(counts) != len(origins):
            raise click.UsageError(
                "Each --count N needs an --of BATCH or --of GTIN, and each --of a --count."
            )
        quantities = [(count, _origin(text)) for count, text in zip(counts, origins, strict=True)]
        from pathbook.client import select

        units = select(ranges=ranges, codes=codes, cases=cases, quantities=quantities)
        return command(*args, units=units, **rest)

    for option in (
        click.option(
            "--of", "origins", metavar="BATCH|GTIN", multiple=True,
            help="The batch or the product that --count takes from.",
        ),
        click.option(
            "--count", "counts", type=NUMBER, metavar="N", multiple=True,
            help="How many units to take from --of: those that expire first.",
        ),
        click.option(
            "--case", "cases", metavar="SSCC", multiple=True, help="All units of a packed case.",
        ),
        click.option("--code", "codes", metavar="CODE", multiple=True, help="One unit, by its printed code."),
        click.option(
            "--units", "ranges", type=UNITS, metavar="BATCH:FIRST-LAST", multiple=True,
            help="Units by number, both ends included. BATCH:N is one unit.",
        ),
    ):  # fmt: skip
        with_units = option(with_units)
    return with_units


def _origin(text: str) -> int | str:
    if _GTIN.fullmatch(text):
        return text
    if _BATCH.fullmatch(text):
        return int(text)
    raise click.UsageError(f"'{text}' after --of is neither the number of a batch nor a GTIN.")


def delivery(*, later: bool) -> "Delivery.ValueType":
    """Return whether the goods move with the title, or later."""
    from pathbook.v1 import values_pb2

    return values_pb2.DELIVERY_LATER if later else values_pb2.DELIVERY_WITH_TITLE


def takes_reference(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --reference to a command that moves title. The command gets it as ``reference``."""
    sentence = "The number of a document by which both sides know it. Default: none."
    return click.option("--reference", default="", metavar="TEXT", help=sentence)(command)


def takes_request_id(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --request-id to a command that writes. The command gets it as ``request_id``."""
    sentence = "Your id of this request. A retry with the same id is recorded once. Default: a new id."
    return click.option("--request-id", default="", metavar="ID", help=sentence)(command)


def takes_request(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --occurred-at and --request-id to a command. It gets both as ``request``."""

    @functools.wraps(command)
    def with_request(
        *args: object, occurred_at: datetime.datetime | None, request_id: str, **rest: object
    ) -> Answer:
        return command(*args, request=Request(occurred_at=occurred_at, request_id=request_id), **rest)

    sentence = "When it happened: ISO 8601 with a time zone, or a date, which begins in --zone. Default: now."
    occurred_at = click.option("--occurred-at", type=MOMENT, metavar="TIME", help=sentence)
    return occurred_at(takes_request_id(with_request))


def takes_limit(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --limit to a command that lists. The command gets it as ``limit``, None for all."""
    sentence = "The most items to list. Default: all."
    return click.option("--limit", type=click.IntRange(min=0), metavar="N", help=sentence)(command)


def page_size(limit: int | None) -> int:
    """Return how many items a call should fetch: no more than are listed. 0 is the server's choice."""
    return min(limit or 0, MAX_PAGE_SIZE)


def takes_today(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add --today to a command. It gets the date, by default that of the zone shown, as ``today``."""

    @functools.wraps(command)
    def with_today(*args: object, today: datetime.date | None, **rest: object) -> Answer:
        return command(*args, today=today or current_zone().today(), **rest)

    sentence = "The date to count days from. Default: today in the zone of --zone."
    return click.option("--today", type=DATE, metavar="DATE", help=sentence)(with_today)
