"""The verbs of parties: register, authorize, revoke, show, describe, list."""

import datetime

import click

from pathbook.cli import arguments, connection, signing
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import VerbGroup


@click.group("party", cls=VerbGroup)
def command() -> None:
    """Register, authorize and show parties.

    A party is a brand, an agent or a shop.
    """


@command.command()
@write_options
@click.argument("party")
@click.option(
    "--kind", type=click.Choice(["brand", "agent", "shop"]), required=True, help="What the party is."
)
@arguments.takes_request_id
@click.pass_obj
def register(settings: Settings, *, party: str, kind: str, request_id: str) -> None:
    """Register PARTY."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import PartyKind

    with connection.writing(settings) as client:
        answer = client.register_party(
            party, PartyKind.Value(f"PARTY_KIND_{kind.upper()}"), request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("party")
@click.option("--upline", required=True, metavar="PARTY", help="The brand or agent that authorizes it.")
@click.option(
    "--tier",
    type=arguments.TIER,
    required=True,
    metavar="N",
    help="The tier of the party, below the upline's.",
)
@click.option(
    "--gtin", "gtins", multiple=True, metavar="GTIN", help="Only this product. The option may be repeated."
)
@click.option("--region", default="", metavar="TEXT", help="The region where it may sell.")
@click.option(
    "--from",
    "valid_from",
    type=arguments.MOMENT,
    metavar="TIME",
    help="When the authorization starts. Default: now.",
)
@click.option(
    "--until",
    "valid_until",
    type=arguments.MOMENT,
    metavar="TIME",
    help="When the authorization ends. Default: never.",
)
@arguments.takes_request_id
@click.pass_obj
def authorize(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    party: str,
    upline: str,
    tier: int,
    gtins: tuple[str, ...],
    region: str,
    valid_from: datetime.datetime | None,
    valid_until: datetime.datetime | None,
    request_id: str,
) -> None:
    """Authorize PARTY to sell for its upline."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.authorize_party(
            party,
            upline=upline,
            tier=tier,
            gtins=gtins,
            region=region,
            valid_from=valid_from,
            valid_until=valid_until,
            request_id=request_id,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("authorization", type=arguments.NUMBER, metavar="POSITION")
@click.option("--upline", required=True, metavar="PARTY", help="The party that gave it.")
@click.option(
    "--from",
    "revoked_from",
    type=arguments.MOMENT,
    metavar="TIME",
    help="When the authorization ends. Default: now.",
)
@arguments.takes_request_id
@click.pass_obj
def revoke(
    settings: Settings,
    *,
    authorization: int,
    upline: str,
    revoked_from: datetime.datetime | None,
    request_id: str,
) -> None:
    """Revoke the authorization at POSITION.

    `party show` lists the authorizations of a party.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, authorization)
        answer = client.revoke_authorization(
            authorization, upline=upline, revoked_from=revoked_from, answered_leaf=leaf, request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@book_options
@click.argument("party")
@click.pass_obj
def show(settings: Settings, *, party: str) -> None:
    """Show PARTY and its authorizations."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import PartyKind

    with connection.reading(settings) as client:
        found = client.get_party(party)

    def text() -> str:
        about = output.fields(
            [
                ("party", found.party),
                ("kind", output.word(PartyKind.DESCRIPTOR, found.kind)),
                ("registered", output.registered(found.position, found.corrected_position)),
                ("head", f"{found.head.hex()} at position {found.head_position}"),
            ]
        )
        if not found.authorizations:
            return about
        titles = ["at", "upline", "tier", "products", "region", "from", "until", "revoked from"]
        rows = [
            [
                str(each.position),
                each.upline,
                str(each.tier),
                " ".join(each.gtins) or "all",
                each.region,
                output.moment(each.valid_from),
                output.moment(each.valid_until),
                output.moment(each.revoked_from),
            ]
            for each in found.authorizations
        ]
        return f"{about}\n\n{output.table(titles, rows, {0, 2})}"

    output.show(settings.output, found, text)


@command.command()
@book_options
@click.argument("party")
@click.option("--name", default="", metavar="TEXT", help="What the party is called.")
@click.option("--contact", default="", metavar="TEXT", help="How it is reached.")
@click.option(
    "--handle",
    "handles",
    multiple=True,
    metavar="TEXT",
    help="A public name under which it sells. Can be repeated.",
)
@click.pass_obj
def describe(settings: Settings, *, party: str, name: str, contact: str, handles: tuple[str, ...]) -> None:
    """Say what PARTY is called, and under which handles it sells.

    This takes the place of all that was said before. It lies beside the book, sealed with a key of the party, and
    `pathbook erase` erases it. Buyers ask by a handle with `pathbook seller`, and are told no name.
    """
    from pathbook.cli import output
    from pathbook.v1.people_pb2 import DescribePartyResponse

    with connection.looking(settings) as client:
        client.describe_party(party, name=name, contact=contact, handles=handles)
    output.show(settings.output, DescribePartyResponse(), lambda: f"Kept what is known of {party}.")


@command.command()
@book_options
@click.argument("party")
@click.pass_obj
def description(settings: Settings, *, party: str) -> None:
    """Show what PARTY is called."""
    from pathbook.cli import output

    with connection.looking(settings) as client:
        found = client.get_description(party)
    output.show(
        settings.output,
        found,
        lambda: output.fields([("party", party), ("name", found.name), ("contact", found.contact)]),
    )


@command.command("list")
@book_options
@click.pass_obj
def list_parties(settings: Settings) -> None:
    """List all parties."""
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.parties_pb2 import Party
    from pathbook.v1.values_pb2 import PartyKind

    columns: list[Column[Party]] = [
        Column("party", lambda party: party.party),
        Column("kind", lambda party: output.word(PartyKind.DESCRIPTOR, party.kind)),
        Column("at", lambda party: str(party.position), right=True),
    ]
    with connection.reading(settings) as client:
        output.show_list(settings.output, "parties", client.list_parties(), columns)
