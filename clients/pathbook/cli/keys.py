"""The verbs of the keys of parties: make, register, rotate, recover, revoke and list them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection, printing, signing
from pathbook.cli.errors import NamedError
from pathbook.cli.settings import Output, Settings, book_options, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:  # imported when a verb runs
    from pathbook.cli.key_request import KeyRequest
    from pathbook.client import Client, PartyKey
    from pathbook.v1.keys_pb2 import Key

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("keys", cls=VerbGroup)
def command() -> None:
    """Make, register and list the keys with which parties sign.

    A party signs its writes with --sign-with FILE, and every event shows the signature. `keys new` makes the file, and
    `keys register` tells the book the public key. `pathbook key` is about codes.
    """


@command.command("new")
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.argument("file", type=_FILE)
@click.option(
    "--party", default="", metavar="PARTY", help="The party whose key it is. Default: the operator."
)
@click.option(
    "--origin",
    default="",
    metavar="TEXT",
    help="The origin of the book, for which alone it signs. Default: the book is asked.",
)
@click.option(
    "--recovery",
    type=_FILE,
    metavar="FILE",
    help="A key file of the party, made before, whose key may undo a rotation. Keep it elsewhere.",
)
@signing.takes_passphrase
@click.pass_obj
def new(settings: Settings, *, file: Path, party: str, origin: str, recovery: Path | None) -> None:
    """Make a key in the new file FILE, encrypted with a passphrase.

    The public key, the party and the origin are printed, and stand in the file in clear. Nothing is registered yet.
    """
    from pathbook.client import PartyKey, write_key_file

    recovery_key = b"" if recovery is None else _public_key(recovery)
    if not origin:
        with connection.looking(settings) as client:
            origin = client.get_book().origin
    key = PartyKey(origin, party, recovery_key=recovery_key)
    if file.exists():  # before a passphrase is typed for it
        raise _is_there(file)
    try:
        write_key_file(file, key, signing.passphrase_of(settings, file, twice=True))
    except FileExistsError:
        raise _is_there(file) from None
    _show_key(settings, file, key)


@command.command("request")
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.argument("file", type=_FILE)
@click.option(
    "--endorser", default="", metavar="PARTY", help="The upline that will endorse it. Default: the operator."
)
@click.option(
    "--endorser-key",
    default="",
    metavar="KEY",
    help="The public key of the endorser. Default: the newest of those that the book has.",
)
@signing.takes_passphrase
@click.pass_obj
def request(settings: Settings, *, file: Path, endorser: str, endorser_key: str) -> None:
    """Print the request to register the key in FILE, for an endorser on another machine.

    Send it to the endorser, who registers it with `keys register`, or only signs it with `keys endorse`. Tell the
    endorser your public key by another way, so that nothing else is endorsed.
    """
    from pathbook.cli.key_request import KeyRequest
    from pathbook.client import request_key

    if endorser_key:
        by = _parse_key(endorser_key)
    else:
        with connection.reading(settings) as client:
            by = _newest_key(client, endorser)
    key = signing.open_key(settings, file)
    asked = request_key(key, endorser=endorser, endorser_key=by, recovery_key=key.recovery_key)
    _show_request(settings, KeyRequest(key.origin, asked))


@command.command("endorse")
@takes_options("output")
@click.argument("file", type=_FILE, metavar="REQUEST")
@signing.takes_key("The key file of the endorser.", required=True)
@click.pass_obj
def endorse(settings: Settings, *, file: Path) -> None:
    """Print REQUEST with the endorsement of the key of --sign-with. No book is needed.

    The public key that is endorsed is shown on stderr. Compare it with what its party told you.
    """
    _show_request(settings, _endorsed(settings, file))


@command.command()
@book_options
@click.argument("file", type=_FILE)
@signing.takes_key("The key file of the endorser. It is left out if FILE is an endorsed request.")
@arguments.takes_request_id
@click.pass_obj
def register(settings: Settings, *, file: Path, request_id: str) -> None:
    """Register the key in FILE, or the request in FILE.

    The operator endorses brands, and an upline the parties that it authorized. The first key of the operator endorses
    itself. With the two keys on two machines, begin with `keys request`.
    """
    from pathbook.cli import key_request, output
    from pathbook.keys.files import read_text

    settings.place()
    if key_request.is_request(read_text(file, key_request.MAX_BYTES)):
        asked = _read_request(file) if settings.sign_with is None else _endorsed(settings, file)
        if not asked.request.endorsement:
            raise click.UsageError(
                f"{file} is not endorsed. Give --sign-with FILE, the key file of the endorser."
            )
        with connection.writing(settings, signs=False) as client:
            answer = client.register_requested_key(asked.request, request_id=request_id)
    else:
        key = signing.open_key(settings, file)
        if settings.sign_with is None:
            raise click.UsageError(
                "Who endorses the key? Give --sign-with FILE, the key file of the endorser, or use `keys request`."
            )
        endorser = key if settings.sign_with.resolve() == file.resolve() else _signer(settings)
        _require_one_book(key, endorser)
        with connection.writing(settings, signs=False) as client:
            answer = client.register_key(
                key, endorser=endorser, recovery_key=key.recovery_key, request_id=request_id
            )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@book_options
@click.argument("file", type=_FILE)
@signing.takes_key("The key file that is replaced.", required=True)
@arguments.takes_request_id
@click.pass_obj
def rotate(settings: Settings, *, file: Path, request_id: str) -> None:
    """Register the key in FILE in place of the key of --sign-with.

    Both are of one party. What the old key signed stays signed, and nothing more is signed with it.
    """
    from pathbook.cli import output

    settings.place()
    key, old = signing.open_key(settings, file), _signer(settings)
    _require_one_book(key, old)
    with connection.writing(settings, signs=False) as client:
        answer = client.rotate_key(key, old=old, recovery_key=key.recovery_key, request_id=request_id)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@book_options
@click.argument("file", type=_FILE)
@signing.takes_key("The recovery key file.", required=True)
@click.option(
    "--replaces",
    default="",
    metavar="KEY",
    help="The public key to revoke. Default: the newest by a rotation that the recovery key may undo.",
)
@arguments.takes_request_id
@click.pass_obj
def recover(settings: Settings, *, file: Path, replaces: str, request_id: str) -> None:
    """Undo a hostile rotation: register the key in FILE in place of the key that it registered.

    It is signed with the recovery key that was registered with the key before the rotation, at most 72 hours after it.
    """
    from pathbook.cli import output

    settings.place()
    replaced = _parse_key(replaces) if replaces else b""
    key, recovery = signing.open_key(settings, file), _signer(settings)
    _require_one_book(key, recovery)
    with connection.writing(settings, signs=False) as client:
        answer = client.recover_key(
            key,
            recovery=recovery,
            replaced_key=replaced or _rotated(client, recovery),
            recovery_key=key.recovery_key,
            request_id=request_id,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@book_options
@click.argument("key")
@signing.takes_key("The key file of the revoker.", required=True)
@click.option(
    "--party", metavar="PARTY", help="The party whose key it is. Default: the party of --sign-with."
)
@arguments.takes_request_id
@click.pass_obj
def revoke(settings: Settings, *, key: str, party: str | None, request_id: str) -> None:
    """Revoke KEY, a public key as `keys list` prints it. Its signatures no longer count.

    The party revokes with KEY itself, or with its recovery key. The party that endorsed KEY and the operator revoke it
    with keys of theirs.
    """
    from pathbook.cli import output

    settings.place()
    revoked, revoker = _parse_key(key), _signer(settings)
    with connection.writing(settings, signs=False) as client:
        answer = client.revoke_key(
            revoked, party=revoker.party if party is None else party, revoker=revoker, request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command("list")
@book_options
@click.argument("party", default="")
@click.pass_obj
def list_keys(settings: Settings, *, party: str) -> None:
    """List the keys of PARTY, oldest first. Without PARTY: those of the operator.

    A signature counts if its event lies from the position of its key to before that of the revocation.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.ledger.proofs.text import print_base64

    columns: list[Column[Key]] = [
        Column("key", lambda key: print_base64(key.key)),
        Column("from", lambda key: str(key.position), right=True),
        Column("registered", lambda key: output.moment(key.registered_at)),
        Column("endorsed by", lambda key: key.endorser or "the operator"),
        Column("recovery key", lambda key: "yes" if key.recovery_key else ""),
        Column("revoked at", lambda key: str(key.revoked_position or ""), right=True),
    ]
    with connection.reading(settings) as client:
        output.show_list(settings.output, "keys", client.list_keys(party), columns)


def _signer(settings: Settings) -> "PartyKey":
    """Return the key of --sign-with, which the verb requires."""
    signer = signing.signer_of(settings)
    assert signer is not None, "the option is required"
    return signer


def _read_request(path: Path) -> "KeyRequest":
    from pathbook.cli.key_request import read_request

    try:
        return read_request(path)
    except ValueError as error:
        raise NamedError("KEY_REQUEST_UNUSABLE", f"{path} cannot be used: {error}.") from None


def _endorsed(settings: Settings, path: Path) -> "KeyRequest":
    """Return the request in a file, endorsed with the key of --sign-with, and show whose key that is."""
    from pathbook.client import endorse_key
    from pathbook.ledger.proofs.text import print_base64

    asked = _read_request(path)
    endorser = _signer(settings)
    if asked.origin != endorser.origin:
        told = f"It is of book {asked.origin}, and the key of --sign-with of {endorser.origin}."
        raise NamedError("KEY_REQUEST_UNUSABLE", f"{path} cannot be endorsed. {told}")
    try:
        endorsed = asked._replace(request=endorse_key(asked.request, endorser))
    except ValueError as error:
        raise NamedError("KEY_REQUEST_UNUSABLE", f"{path} cannot be endorsed. {error}") from None
    if settings.output is Output.TABLE:
        whose = asked.request.party or "the operator"
        told = (
            f"Endorsed: {print_base64(asked.request.key)} of {whose}. Compare it with what {whose} told you."
        )
        printing.echo(printing.printable(told), err=True)
    return endorsed


def _newest_key(client: "Client", party: str) -> bytes:
    """Return the newest key of a party that counts. Raises NamedError if it has none."""
    counting = [key.key for key in client.list_keys(party) if not key.revoked_position]
    if not counting:
        raise NamedError(
            "KEY_UNKNOWN", f"{party or 'The operator'} has no key that counts, so it cannot endorse."
        )
    return counting[-1]


def _rotated(client: "Client", recovery: "PartyKey") -> bytes:
    """Return the newest key that replaced a key with this recovery key. Raises NamedError if there is none."""
    keys = list(client.list_keys(recovery.party, at_least_position=client.get_head().position))
    recoverable = {key.key for key in keys if key.recovery_key == recovery.key}
    rotated = [key.key for key in keys if key.endorser_key in recoverable and not key.revoked_position]
    if not rotated:
        message = "No key in force is of a rotation that this recovery key may undo. Name it with --replaces."
        raise NamedError("KEY_UNKNOWN", message)
    return rotated[-1]


def _parse_key(text: str) -> bytes:
    from pathbook.ledger.proofs.text import parse_base64
    from pathbook.ledger.values import KEY_BYTES

    try:
        return parse_base64(text, f"'{text}'", KEY_BYTES)
    except ValueError as error:
        raise click.UsageError(f"{error} A public key is written as `keys list` prints it.") from None


def _public_key(path: Path) -> bytes:
    from pathbook.client import read_public_part

    try:
        return read_public_part(path).key
    except ValueError as error:
        raise signing.unusable(path, error) from None


def _require_one_book(key: "PartyKey", other: "PartyKey") -> None:
    if key.origin != other.origin:
        raise click.UsageError(f"The keys are of two books, {key.origin} and {other.origin}.")


def _is_there(path: Path) -> NamedError:
    return NamedError("FILE_EXISTS", f"{path} is there already. Nothing was changed. Name another file.")


def _show_key(settings: Settings, path: Path, key: "PartyKey") -> None:
    from pathbook.cli import output
    from pathbook.ledger.proofs.text import print_base64

    printed = print_base64(key.key)
    if settings.output is not Output.TABLE:
        made = {"file": str(path), "origin": key.origin, "party": key.party, "key": printed}
        printing.echo(printing.as_json(made, settings.output))
        return
    pairs = [
        ("file", str(path)),
        ("origin", key.origin),
        ("party", key.party or "the operator"),
        ("key", printed),
    ]
    printing.echo(output.fields(pairs))


def _show_request(settings: Settings, asked: "KeyRequest") -> None:
    from pathbook.cli.key_request import print_request

    text = print_request(asked)
    if settings.output is Output.TABLE:
        printing.echo(text.rstrip("\n"))
    else:
        printing.echo(printing.as_json({"request": text}, settings.output))
