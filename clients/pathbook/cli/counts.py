"""The verbs that count many units: what each tier paid, and what a party has in stock."""

import datetime
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.v1.insights_pb2 import Rung
    from pathbook.v1.paths_pb2 import Stock


@click.command("ladder", cls=Verb)
@book_options
@click.argument("batch", type=arguments.NUMBER, required=False)
@click.option("--gtin", default="", metavar="GTIN", help="All batches of this product, instead of one batch.")
@click.pass_obj
def ladder(settings: Settings, *, batch: int | None, gtin: str) -> None:
    """Show what each tier paid.

    The table covers the units of BATCH, or of a product, and compares the prices with the suggested price.
    """
    require_one(batch, gtin)
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.ledger.money import print_amount
    from pathbook.v1.insights_pb2 import Rung

    columns: list[Column[Rung]] = [
        Column("paid by", payer),
        Column("units", lambda rung: str(rung.units), right=True),
        Column("least", lambda rung: output.bare_price(rung.least), right=True),
        Column("most", lambda rung: output.bare_price(rung.most), right=True),
        Column("mean", lambda rung: print_amount(rung.mean_minor, rung.currency_code), right=True),
        Column("median", lambda rung: output.bare_price(rung.median), right=True),
        Column("of suggested", share, right=True),
        Column("suggested", lambda rung: output.bare_price(rung.suggested), right=True),
        Column("currency", lambda rung: rung.currency_code),
    ]
    with connection.reading(settings) as client:
        found = client.get_ladder(gtin or batch or 0)
    output.show_list(settings.output, "rungs", found.rungs, columns)


@click.command("stock", cls=Verb)
@book_options
@click.argument("party")
@arguments.takes_today
@click.pass_obj
def stock(settings: Settings, *, party: str, today: datetime.date) -> None:
    """Show what PARTY has in stock.

    The table counts the units that it owns, that are in its custody, and that are reserved for offers. The batch
    that expires first is first.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.paths_pb2 import Stock

    def days(line: Stock) -> str:
        if not line.batch.expires_on:
            return ""
        found = days_left(line, today)
        return output.NOT_A_DATE if found is None else str(found)

    columns: list[Column[Stock]] = [
        Column("expires on", lambda line: line.batch.expires_on or "never"),
        Column("days left", days, right=True),
        Column("product", lambda line: line.product_name),
        Column("lot", lambda line: line.batch.lot),
        Column("batch", lambda line: str(line.batch.batch), right=True),
        Column("owned", lambda line: str(line.owned), right=True),
        Column("in custody", lambda line: str(line.in_custody), right=True),
        Column("reserved", lambda line: str(line.reserved), right=True),
    ]
    with connection.reading(settings) as client:
        output.show_list(settings.output, "stock", client.list_stock(party), columns)


def require_one(batch: int | None, gtin: str) -> None:
    """Raise click.UsageError unless a batch or a product is named, and not both."""
    if (batch is None) is not bool(gtin):
        raise click.UsageError("No units are named. Give either the number of a batch, or --gtin.")


def payer(rung: "Rung") -> str:
    """Return whose prices a rung has: `tier 1`, `no tier` or `consumer`."""
    from pathbook.cli import output
    from pathbook.v1.insights_pb2 import RUNG_KIND_TIER, RungKind

    return f"tier {rung.tier}" if rung.kind == RUNG_KIND_TIER else output.word(RungKind.DESCRIPTOR, rung.kind)


def share(rung: "Rung") -> str:
    """Return the median price of a rung as a share of the suggested price, "" if there is none."""
    from pathbook.cli import output, path_table

    return path_table.share(output.price_of(rung.median), output.price_of(rung.suggested))


def days_left(line: "Stock", today: datetime.date) -> int | None:
    """Return the days until a batch expires, None if it never does or if a server sent what is no date."""
    try:
        return (datetime.date.fromisoformat(line.batch.expires_on) - today).days
    except ValueError:
        return None
