"""The verbs that draw pictures: prices, paths, stock, the flow of a batch and the chain, as SVG or PNG."""

import datetime
from itertools import islice

import click

from pathbook.cli import arguments, chart_file, connection, counts
from pathbook.cli.chart_file import Target
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import VerbGroup


@click.group("chart", cls=VerbGroup)
def command() -> None:
    """Draw pictures of a book as SVG or PNG.

    An SVG has no program in it, and follows the light or dark scheme of the reader's screen. A PNG needs
    pathbook[png]. A picture that leaves something out says so, and so does the verb.
    """


@command.command()
@book_options
@click.argument("batch", type=arguments.NUMBER, required=False)
@click.option("--gtin", default="", metavar="GTIN", help="All batches of this product, instead of one batch.")
@chart_file.takes_file
@click.pass_obj
def ladder(settings: Settings, *, batch: int | None, gtin: str, target: Target) -> None:
    """Draw what each tier paid, as a staircase.

    The bars stand beside the suggested price, with the units of BATCH, or of a product.
    """
    counts.require_one(batch, gtin)
    from pathbook.charting import ladder as picture
    from pathbook.cli import chart_values

    with connection.reading(settings) as client:
        found = client.get_ladder(gtin or batch or 0)
    subject = f"GTIN {gtin}" if gtin else f"batch {batch}"
    chart = picture.draw(subject, list(map(chart_values.rung, found.rungs)), target.scheme)
    chart_file.write(settings, target, chart)


@command.command()
@book_options
@click.argument("unit", metavar="CODE|BATCH:NUMBER")
@click.option(
    "--as-of",
    type=arguments.COUNT,
    default=0,
    metavar="POSITION",
    help="Draw the path as of this position. Default: now.",
)
@chart_file.takes_file
@click.pass_obj
def path(settings: Settings, *, unit: str, as_of: int, target: Target) -> None:
    """Draw every hand that a unit passed through.

    The upper line is the title, and the lower line the goods. Where goods stayed behind, the lower line is orange.
    """
    from pathbook.charting import path as picture
    from pathbook.cli import chart_values

    by_number = arguments.parse_unit(unit)
    with connection.reading(settings) as client:
        found = client.get_path(by_number or unit, as_of_position=as_of, events=False)
    about = f"{found.product.name}, lot {found.batch.lot}"
    named = f"{found.unit.batch}:{found.unit.number}"
    chart_file.write(settings, target, picture.draw(named, about, chart_values.steps(found), target.scheme))


@command.command()
@book_options
@click.argument("party")
@arguments.takes_today
@chart_file.takes_file
@click.pass_obj
def stock(settings: Settings, *, party: str, today: datetime.date, target: Target) -> None:
    """Draw when the stock of PARTY expires.

    A bar counts the units that PARTY owns and that expire within some days.
    """
    from pathbook.charting import stock as picture
    from pathbook.cli import chart_values

    with connection.reading(settings) as client:
        lots = [chart_values.lot(found, today) for found in client.list_stock(party)]
    chart_file.write(settings, target, picture.draw(party, today.isoformat(), lots, target.scheme))


@command.command()
@book_options
@click.argument("batch", type=arguments.NUMBER)
@chart_file.takes_file
@click.pass_obj
def flow(settings: Settings, *, batch: int, target: Target) -> None:
    """Draw where the units of BATCH went, and stopped.

    Bands lead from tier to tier, to consumers, and to what is unsold. The path of each run is read for that.
    """
    from pathbook.charting import flow as picture
    from pathbook.cli import chart_values

    with connection.reading(settings) as client:
        size = client.get_batch(batch).size
        chains = list(chart_values.chains(client, batch, size, client.position))
    unread = size - sum(chain.units for chain in chains)
    chart = picture.draw(f"batch {batch}", picture.gather(chains), unread, target.scheme)
    chart_file.write(settings, target, chart)


@command.command()
@book_options
@click.option(
    "--at",
    type=arguments.MOMENT,
    metavar="TIME",
    help="The time at which authorizations are in force. Default: now.",
)
@chart_file.takes_file
@click.pass_obj
def chain(settings: Settings, *, at: datetime.datetime | None, target: Target) -> None:
    """Draw the tree of who authorized whom.

    Each party stands below the party that authorized it first. Authorizations that ended are left out.
    """
    from google.protobuf.timestamp_pb2 import Timestamp

    from pathbook.charting import chain as picture
    from pathbook.cli import chart_values, output

    moment = at or datetime.datetime.now(datetime.UTC)
    most = chart_values.MOST_PARTIES
    with connection.reading(settings) as client:
        listed = client.list_parties(page_size=arguments.MAX_PAGE_SIZE)
        found = [
            chart_values.party(each, moment) for each in chart_values.whole(client, islice(listed, most))
        ]
        is_cut = next(listed, None) is not None
    unread = f"The book has more than {most:,} parties. The others were not read." if is_cut else ""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    chart_file.write(settings, target, picture.draw(output.moment(stamp), found, unread, target.scheme))
