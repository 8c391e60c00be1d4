"""The verbs of transfers in one step, their reversal, deliveries, and looking transfers up."""

from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Price, Request
from pathbook.cli.settings import Output, Settings, book_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import Transfer
    from pathbook.v1.values_pb2 import Selection

_STATUSES = ["offered", "accepted", "accepted-in-part", "declined", "withdrawn", "lapsed", "reversed"]


@click.command("record")
@book_options
@click.option("--giver", required=True, metavar="PARTY", help="Who owned the units and gave them.")
@click.option("--receiver", required=True, metavar="PARTY", help="Who received them.")
@arguments.takes_units
@click.option("--price", type=arguments.MONEY, required=True, metavar="MONEY", help="For one unit.")
@click.option("--later", is_flag=True, help="The goods stay where they lie: cloud stock.")
@arguments.takes_request
@click.pass_obj
def record(
    settings: Settings,
    *,
    giver: str,
    receiver: str,
    units: "Selection",
    price: Price,
    later: bool,
    request: Request,
) -> None:
    """Record a transfer in one step.

    One that was agreed elsewhere, or is history.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.record_transfer(
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=arguments.delivery(later=later),
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("reverse")
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--party", required=True, help="Which side asks, or agrees.")
@click.option("--note", default="", help="Why, in words.")
@arguments.takes_request
@click.pass_obj
def reverse(
    settings: Settings,
    *,
    transfer: int,
    party: str,
    note: str,
    request: Request,
) -> None:
    """Ask to reverse TRANSFER, or agree to it."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.reverse_transfer(transfer, party=party, note=note, **request)
    agreed = "Both sides agreed: it is reversed." if answer.reversed else "The other side has to agree."
    output.show(settings.output, answer, lambda: f"{output.recorded(answer.receipt)} {agreed}")


@click.command("deliver")
@book_options
@click.option("--custodian", required=True, metavar="PARTY", help="Who has the goods and hands them over.")
@click.option("--receiver", required=True, metavar="PARTY", help="Who takes them.")
@arguments.takes_units
@arguments.takes_request
@click.pass_obj
def deliver(
    settings: Settings,
    *,
    custodian: str,
    receiver: str,
    units: "Selection",
    request: Request,
) -> None:
    """Hand over goods without their title.

    It moved before, as with cloud stock, or it stays.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.deliver_units(
            custodian=custodian,
            receiver=receiver,
            units=units,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("transfer")
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.pass_obj
def transfer(settings: Settings, *, transfer: int) -> None:
    """Show one TRANSFER, sale or return.

    By its position, with its units.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column

    with connection.reading(settings) as client:
        found = client.get_transfer(transfer)
    units: Column[Transfer] = Column("which", lambda line: output.ranges(line.ranges))
    output.show_list(settings.output, "transfers", found, [*_columns(), units])
    if settings.output is Output.TABLE and (said := [pair for line in found for pair in _more(line)]):
        click.echo(f"\n{output.fields(said)}")


@click.command("transfers")
@book_options
@click.argument("party")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those that stand so.")
@click.pass_obj
def transfers(settings: Settings, *, party: str, status: str | None) -> None:
    """List the transfers of PARTY.

    Newest first; of a consumer by `consumer:` and the pseudonym.
    """
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import TransferStatus

    name = (status or "unspecified").upper().replace("-", "_")
    with connection.reading(settings) as client:
        found = client.list_transfers(party, status=TransferStatus.Value(f"TRANSFER_STATUS_{name}"))
        output.show_list(settings.output, "transfers", found, _columns())


def _more(line: "Transfer") -> "Iterator[tuple[str, str]]":
    """Yield what only some transfers have: a deadline, a reversal asked for, units not accepted."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import TRANSFER_STATUS_REVERSED, DiscrepancyKind

    if line.HasField("deadline"):
        yield "deadline", output.moment(line.deadline)
    if line.reversal_asked_by:
        reversed_ = line.status == TRANSFER_STATUS_REVERSED
        answer = "the other side agreed" if reversed_ else "the other side has to agree"
        yield "reversal", f"{line.reversal_asked_by} asked to reverse it; {answer}"
    for each in line.discrepancies:
        yield output.word(DiscrepancyKind.DESCRIPTOR, each.kind), output.ranges(each.ranges)


def _columns() -> "list[Column[Transfer]]":
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import TransferKind
    from pathbook.v1.values_pb2 import TransferStatus

    def units(line: "Transfer") -> str:
        partly = line.accepted_units not in (0, line.units)
        return f"{line.accepted_units} of {line.units}" if partly else str(line.units)

    return [
        Column("at", lambda line: str(line.transfer), right=True),
        Column("date", lambda line: output.day(line.occurred_at)),
        Column("what", lambda line: output.word(TransferKind.DESCRIPTOR, line.kind)),
        Column("status", lambda line: output.word(TransferStatus.DESCRIPTOR, line.status)),
        Column("giver", lambda line: line.giver),
        Column("receiver", lambda line: line.receiver),
        Column("units", units, right=True),
        Column("unit price", lambda line: output.price(line.unit_price), right=True),
    ]
