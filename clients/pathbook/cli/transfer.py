"""The verbs that record, reverse and deliver transfers, and those that show and list them."""

from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, connection, printing
from pathbook.cli.arguments import Price, Request
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import Verb, VerbGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import Transfer
    from pathbook.v1.values_pb2 import Selection

STATUSES: Final = ("offered", "accepted", "accepted-in-part", "declined", "withdrawn", "lapsed", "reversed")
"""The statuses of the contract, as they are typed. The contract is not loaded to read a command line."""


@click.command("record", cls=Verb)
@book_options
@click.option("--giver", required=True, metavar="PARTY", help="The party that owned the units.")
@click.option("--receiver", required=True, metavar="PARTY", help="The party that received them.")
@arguments.takes_units
@click.option("--price", type=arguments.PRICE, required=True, metavar="PRICE", help=arguments.PRICE_HELP)
@click.option("--later", is_flag=True, help="The goods stay where they are: cloud stock.")
@arguments.takes_reference
@click.option(
    "--reported-by",
    default="",
    metavar="PARTY",
    help="The side that reports it: the giver, or the receiver of what the giver has reported. Default: the giver.",
)
@arguments.takes_request
@click.pass_obj
def record(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    giver: str,
    receiver: str,
    units: "Selection",
    price: Price,
    later: bool,
    reference: str,
    reported_by: str,
    request: Request,
) -> None:
    """Record a transfer in one step.

    Both sides agreed to it elsewhere, or in the past. The receiver may report it too, on equal terms and with the same
    --reference. It is recorded once, and both sides attest it.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.record_transfer(
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=arguments.delivery(later=later),
            reference=reference,
            reported_by=reported_by,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("reverse", cls=Verb)
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--party", required=True, metavar="PARTY", help="The side that asks, or agrees.")
@click.option("--note", default="", metavar="TEXT", help="The reason.")
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
    """Ask to reverse TRANSFER, or agree to it.

    TRANSFER is its position. It is reversed when both sides have asked.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.reverse_transfer(transfer, party=party, note=note, **request)
    agreed = "Both sides agreed: it is reversed." if answer.reversed else "The other side must agree."
    output.show(settings.output, answer, lambda: f"{output.recorded(answer.receipt)} {agreed}")


@click.command("deliver", cls=Verb)
@book_options
@click.option("--custodian", required=True, metavar="PARTY", help="The party that hands the goods over.")
@click.option("--receiver", required=True, metavar="PARTY", help="The party that receives them.")
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
    """Deliver goods without a change of title.

    The title moved before, as with cloud stock, or it does not move.
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


@click.group("transfer", cls=VerbGroup)
def command() -> None:
    """Show and list transfers, sales and returns."""


@command.command()
@book_options
@click.argument("transfer", type=arguments.NUMBER, metavar="POSITION")
@click.pass_obj
def show(settings: Settings, *, transfer: int) -> None:
    """Show the transfer, sale or return at POSITION, and its units."""
    from pathbook.cli import output
    from pathbook.cli.output import Column

    with connection.reading(settings) as client:
        found = client.get_transfer(transfer)
    units: Column[Transfer] = Column("which", lambda line: output.ranges(line.ranges))
    output.show_list(settings.output, "transfers", found, [*_columns(), units])
    if settings.output is Output.TABLE and (pairs := [pair for line in found for pair in _details(line)]):
        printing.echo(f"\n{output.fields(pairs)}")


@command.command("list")
@book_options
@click.argument("party")
@click.option("--status", type=click.Choice(STATUSES), metavar="STATUS",
              help=f"Only transfers with this status: {', '.join(STATUSES)}.")  # fmt: skip
@click.pass_obj
def list_transfers(settings: Settings, *, party: str, status: str | None) -> None:
    """List the transfers of PARTY, newest first.

    A consumer is written as 'consumer:' and its pseudonym.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.values_pb2 import TransferStatus

    name = (status or "unspecified").upper().replace("-", "_")
    with connection.reading(settings) as client:
        found = client.list_transfers(party, status=TransferStatus.Value(f"TRANSFER_STATUS_{name}"))
        reference: Column[Transfer] = Column("reference", lambda line: line.reference)
        output.show_list(settings.output, "transfers", found, [*_columns(), reference])


def _details(line: "Transfer") -> "Iterator[tuple[str, str]]":
    """Yield what only some transfers have: a deadline, notes, a reference, units that were not accepted, and so on."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import ATTESTATION_REPORTED_BY_BOTH, TRANSFER_STATUS_REVERSED, DiscrepancyKind

    if line.HasField("deadline"):
        yield "deadline", output.moment(line.deadline)
    if line.HasField("note"):
        yield "note", line.note.text
    if line.reversal_asked_by:
        reversed_ = line.status == TRANSFER_STATUS_REVERSED
        answer = "the other side agreed" if reversed_ else "the other side must agree"
        yield "reversal", f"{line.reversal_asked_by} asked to reverse it; {answer}"
    if line.HasField("reversal_note"):
        yield "reversal note", line.reversal_note.text
    for each in line.discrepancies:
        yield output.word(DiscrepancyKind.DESCRIPTOR, each.kind), output.ranges(each.ranges)
    if line.extra:
        yield "extra", output.ranges(line.extra)
    if line.reference:
        yield "reference", line.reference
    if line.attestation == ATTESTATION_REPORTED_BY_BOTH:
        yield "attested by", "both sides"


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
        Column(output.days_of("date"), lambda line: output.day(line.occurred_at)),
        Column("what", lambda line: output.word(TransferKind.DESCRIPTOR, line.kind)),
        Column("status", lambda line: output.word(TransferStatus.DESCRIPTOR, line.status)),
        Column("giver", lambda line: line.giver),
        Column("receiver", lambda line: line.receiver),
        Column("units", units, right=True),
        Column("unit price", lambda line: output.price(line.unit_price), right=True),
    ]
