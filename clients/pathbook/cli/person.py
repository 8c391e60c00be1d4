"""The verbs of the people behind parties: ask whether a seller is authorized, and erase a person."""

import datetime
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Settings, book_options, current_zone
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.client import Client
    from pathbook.v1.people_pb2 import CheckSellerResponse


@click.command("seller", cls=Verb)
@book_options
@click.argument("handle")
@click.option("--product", "gtin", required=True, metavar="GTIN", help="The product that it offers.")
@click.option(
    "--at", type=arguments.MOMENT, metavar="TIME", help="The time for which is asked. Default: now."
)
@click.option(
    "--on",
    "day",
    type=arguments.DATE,
    metavar="DATE",
    help="The day for which is asked: all of it, in --zone.",
)
@click.pass_obj
def seller(
    settings: Settings, *, handle: str, gtin: str, at: datetime.datetime | None, day: datetime.date | None
) -> Exit:
    """Ask whether a seller may sell a product.

    HANDLE is the name under which it offers: the id of an account, a phone number, the address of a shop, exactly as it
    gives it. The answer names no party. It says nothing about the goods: for those, use `verify`.

    With --on, the seller is authorized only if it is so at each moment of that day.

    \b
    Exit codes:
      0  the seller is authorized
      1  no party with this handle is authorized, or the book refused
    """  # noqa: D301 - click keeps the lines after a backspace as they are
    if at is not None and day is not None:
        raise click.UsageError("--at asks for a time, --on for a whole day. Give one of them.")
    from pathbook.cli import output

    with connection.looking(settings) as client:
        found = client.check_seller(handle, gtin, at=at) if day is None else _on(client, handle, gtin, day)
    when = "at this time" if day is None else f"on all of {day}"
    output.show(settings.output, found, lambda: _sentence(found, when))
    return Exit.DONE if found.authorized else Exit.REFUSED


def _on(client: "Client", handle: str, gtin: str, day: datetime.date) -> "CheckSellerResponse":
    """Return the authority of a seller for a whole day in the zone shown, by one line or by several in turn."""
    zone = current_zone()
    try:
        at, end = zone.first_moment(day), zone.first_moment(day + datetime.timedelta(1))
    except OverflowError:
        raise click.UsageError(f"The day after {day} is beyond the calendar. Give an earlier day.") from None
    whole = client.check_seller(handle, gtin, at=at)
    found = whole
    while found.authorized and found.HasField("valid_until"):
        until = found.valid_until.ToDatetime(datetime.UTC)
        if not at < until < end:
            break
        at = until
        found = client.check_seller(handle, gtin, at=at)
    if not found.authorized:
        return found
    whole.ClearField("valid_until")
    if found.HasField("valid_until"):
        whole.valid_until.CopyFrom(found.valid_until)
    return whole


def _sentence(found: "CheckSellerResponse", when: str) -> str:
    from pathbook.cli import output

    if not found.authorized:
        return f"NOT AUTHORIZED: no party with this handle is authorized for the product {when}."
    since = f" from {output.moment(found.valid_from)}" if found.HasField("valid_from") else ""
    until = f" until {output.moment(found.valid_until)}" if found.HasField("valid_until") else ""
    return f"AUTHORIZED: the seller is of tier {found.tier} for the product{since}{until}."


@click.command("erase", cls=Verb)
@book_options
@click.argument("party")
@click.pass_obj
def erase(settings: Settings, *, party: str) -> None:
    """Erase what is known of the person behind PARTY.

    PARTY is a party, or 'consumer:' and a pseudonym. Its name, contact, handles and the texts of its notes are gone,
    and cannot be brought back. Events, paths and proofs stay as they are. A backup that was made before still has
    them: keep backups no longer than you need.
    """
    from pathbook.cli import output

    with connection.looking(settings) as client:
        found = client.erase_person(party)
    erased = "its key, " if found.key_erased else "no key, "
    output.show(
        settings.output, found, lambda: f"Erased {erased}{found.handles} handles, {found.notes} notes."
    )
