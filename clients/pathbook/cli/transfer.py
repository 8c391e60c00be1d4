"""The verbs that record, reverse and deliver transfers, and those that show and list them."""

import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, connection, printing, signing
from pathbook.cli.arguments import Price, Request
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import Verb, VerbGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import Transfer
    from pathbook.v1.values_pb2 import Selection, TransferStatus

STATUSES: Final = ("offered", "accepted", "accepted-in-part", "declined", "withdrawn", "lapsed", "reversed")
"""The statuses of the contract, as they are typed. The contract is not loaded to read a command line."""


@click.command("record", cls=Verb)
@write_options
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
@write_options
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
        leaf = signing.answered_leaf(settings, client, transfer, is_agreement=True)
        answer = client.reverse_transfer(transfer, party=party, note=note, answered_leaf=leaf, **request)
    agreed = "Both sides agreed: it is reversed." if answer.reversed else "The other side must agree."
    output.show(settings.output, answer, lambda: f"{output.recorded(answer.receipt)} {agreed}")


@click.command("deliver", cls=Verb)
@write_options
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
    output.show_list(settings.output, "transfers", found, [*columns(), units])
    if settings.output is Output.TABLE and (pairs := [pair for line in found for pair in _details(line)]):
        printing.echo(f"\n{output.fields(pairs)}")


@command.command("list")
@book_options
@click.argument("party", required=False)
@click.option(
    "--from", "giver", default="", metavar="PARTY", help="Only what PARTY received from this party."
)
@click.option("--to", "receiver", default="", metavar="PARTY", help="Only what PARTY gave to this party.")
@click.option("--side", type=click.Choice(["giver", "receiver"]), help="Only what PARTY gave, or received.")
@click.option("--status", type=click.Choice(STATUSES), metavar="STATUS",
              help=f"Only transfers with this status: {', '.join(STATUSES)}.")  # fmt: skip
@click.option(
    "--kind", type=click.Choice(["transfer", "sale", "return"]), help="Only transfers of this kind."
)
@click.option(
    "--reference",
    default="",
    metavar="TEXT",
    help="Only transfers with this reference. Without PARTY: those of all parties.",
)
@click.option("--gtin", default="", metavar="GTIN", help="Only units of this product.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=None, metavar="N", help="Only units of this batch."
)
@click.option(
    "--tier",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only transfers to a party of this tier. 0: a brand.",
)
@click.option("--since", type=arguments.MOMENT, metavar="TIME", help="Only what occurred then or later.")
@click.option("--until", type=arguments.MOMENT, metavar="TIME", help="Only what occurred before.")
@click.option(
    "--recorded-since", type=arguments.MOMENT, metavar="TIME", help="Only what was recorded then or later."
)
@click.option(
    "--recorded-until", type=arguments.MOMENT, metavar="TIME", help="Only what was recorded before."
)
@arguments.takes_limit
@click.pass_obj
def list_transfers(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    party: str | None,
    giver: str,
    receiver: str,
    side: str | None,
    status: str | None,
    kind: str | None,
    reference: str,
    gtin: str,
    batch: int | None,
    tier: int | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    recorded_since: datetime.datetime | None,
    recorded_until: datetime.datetime | None,
    limit: int | None,
) -> None:
    """List the transfers of PARTY, newest first.

    A consumer is written as 'consumer:' and its pseudonym. All conditions that are given must be met. With --reference,
    PARTY may be left out. Then the transfers are ordered by giver and receiver, and only --from and --to may be added.
    """
    others = (side, status, kind, gtin, batch, tier, since, until, recorded_since, recorded_until)
    if party is None and (not reference or any(each not in (None, "", 0) for each in others) or tier == 0):
        raise click.UsageError("No party is named. Give PARTY, or only --reference with --from and --to.")
    if party is not None and (
        (giver and receiver) or (side == "giver" and giver) or (side == "receiver" and receiver)
    ):
        raise click.UsageError("PARTY has two sides. Give one of --from, --to and --side.")
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import TransferKind, TransferSide

    side = "receiver" if giver else "giver" if receiver else side
    page_size = arguments.page_size(limit)
    with connection.reading(settings) as client:
        if party is None:
            found = client.list_transfers_by_reference(
                reference, giver=giver, receiver=receiver, page_size=page_size
            )
        else:
            found = client.list_transfers(
                party,
                side=TransferSide.Value(f"TRANSFER_SIDE_{(side or 'unspecified').upper()}"),
                counterparty=giver or receiver,
                status=status_number(status),
                kind=TransferKind.Value(f"TRANSFER_KIND_{(kind or 'unspecified').upper()}"),
                reference=reference,
                gtin=gtin,
                batch=batch or 0,
                receiver_tier=tier,
                occurred_from=since,
                occurred_before=until,
                recorded_from=recorded_since,
                recorded_before=recorded_until,
                page_size=page_size,
            )
        shown: Column[Transfer] = Column("reference", lambda line: line.reference)
        output.show_list(settings.output, "transfers", islice(found, limit), [*columns(), shown])


def status_number(status: str | None) -> "TransferStatus.ValueType":
    """Return the status of the contract that was typed, or that of no status for None."""
    from pathbook.v1.values_pb2 import TransferStatus

    name = (status or "unspecified").upper().replace("-", "_")
    return TransferStatus.Value(f"TRANSFER_STATUS_{name}")


def _details(line: "Transfer") -> "Iterator[tuple[str, str]]":
    """Yield what only some transfers have: a deadline, notes, a reference, units that were not accepted, and so on."""
    from pathbook.cli import output, path_table
    from pathbook.v1.values_pb2 import (
        ATTESTATION_RECORDED,
        ATTESTATION_UNSPECIFIED,
        TRANSFER_STATUS_REVERSED,
        DiscrepancyKind,
    )

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
    elif line.extra_allowed:
        yield "extra allowed", str(line.extra_allowed)
    if line.reference:
        yield "reference", line.reference
    if line.attestation not in (ATTESTATION_UNSPECIFIED, ATTESTATION_RECORDED):
        yield "attested by", path_table.ATTESTED_BY.get(line.attestation, "")


def columns() -> "list[Column[Transfer]]":
    """Return the columns that all tables of transfers have."""
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
