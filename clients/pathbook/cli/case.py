"""The verbs of cases and pallets: pack, unpack, show."""

from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Request
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.values_pb2 import Selection


@click.group("case", cls=VerbGroup)
def command() -> None:
    """Pack, unpack and show cases and pallets."""


@command.command()
@write_options
@click.argument("sscc")
@click.option("--party", required=True, metavar="PARTY", help="The party that has the units and packs them.")
@arguments.takes_units
@arguments.takes_request
@click.pass_obj
def pack(
    settings: Settings,
    *,
    sscc: str,
    party: str,
    units: "Selection",
    request: Request,
) -> None:
    """Pack units in the case SSCC.

    They move together from now on. A pallet is a case of cases: give --case for each.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.pack_case(sscc, party=party, units=units, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@command.command()
@write_options
@click.argument("sscc")
@click.option("--party", required=True, metavar="PARTY", help="The party that has the case and unpacks it.")
@arguments.takes_request
@click.pass_obj
def unpack(settings: Settings, *, sscc: str, party: str, request: Request) -> None:
    """Unpack the case SSCC.

    Its units no longer move together.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.unpack_case(sscc, party=party, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@book_options
@click.argument("sscc")
@click.pass_obj
def show(settings: Settings, *, sscc: str) -> None:
    """Show the units in the case SSCC."""
    from pathbook.cli import output

    with connection.reading(settings) as client:
        found = client.get_case(sscc)
    output.show(
        settings.output,
        found,
        lambda: output.fields(
            [
                ("case", found.sscc),
                ("packed in", found.outer),
                ("units", output.ranges(found.ranges)),
                ("cases", " ".join(found.cases)),
                ("packed", f"at position {found.position}"),
            ]
        ),
    )
