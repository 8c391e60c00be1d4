"""The verb that backs up all books of a directory or database, while servers run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli import passphrase, printing
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.cli.local_care import Manifest


@click.command("backup", cls=Verb)
@takes_options("data", "database", "output")
@click.argument("to", type=click.Path(path_type=Path))
@passphrase.passphrase_option
@click.option("--without-keys", is_flag=True, help="Leave the keys of the codes out. Keep a copy elsewhere.")
@click.option("--no-replay", is_flag=True, help="Do not replay the events. Faster for huge books, and said.")
@click.pass_obj
def command(
    settings: Settings, *, to: Path, passphrase_file: Path | None, without_keys: bool, no_replay: bool
) -> None:
    """Back up all books of --data DIR to a new directory.

    Servers may run. The backup holds every event that was acknowledged before it began, and its notes. The keys of
    the codes are in it, encrypted with a passphrase, unless they are left out. It is read back and replayed before it
    counts. TO appears when it is whole. Books in PostgreSQL need pg_dump and pg_restore.
    """
    books = settings.books()
    if without_keys and passphrase_file is not None:
        raise click.UsageError("--passphrase-file and --without-keys are both given. Give one of them.")
    if not (without_keys or passphrase_file or passphrase.can_ask()):
        raise click.UsageError(
            "What shall become of the keys of the codes? Give --passphrase-file FILE to encrypt them into the backup,"
            " or --without-keys to leave them out."
        )
    from pathbook.cli import local_care
    from pathbook.cli.progress import Progress

    secret = None
    if passphrase_file is not None:
        secret = passphrase.read_passphrase(passphrase_file)
    elif not without_keys:
        secret = passphrase.ask_passphrase(twice=True)
    with Progress() as progress:
        manifest = local_care.back_up(books, to, passphrase=secret, replays=not no_replay, progress=progress)
    if settings.output is Output.TABLE:
        printing.echo(_text(to, manifest))
        return
    from msgspec import to_builtins

    found = {"backup": str(to), "manifest": to_builtins(manifest)}
    printing.echo(printing.as_json(found, settings.output))


def _text(to: Path, manifest: "Manifest") -> str:
    from pathbook.cli import output

    books = manifest.books
    replayed = any(book.views_sha256 for book in books)
    rows = [[book.name, str(book.head), book.incarnation, book.log_sha256[:16]] for book in books]
    events = sum(book.head for book in books)
    lines = [
        output.table(["book", "events", "incarnation", "hash of the log"], rows, {1}),
        "",
        f"{to} holds {events} events, read back"
        + (" and replayed." if replayed else ". They were not replayed, as you chose."),
    ]
    lines += [
        f"Book '{book.name}' is newer than this program beyond position {book.replayed_to}."
        " It was replayed to there."
        for book in books
        if replayed and book.replayed_to < book.head
    ]
    lines.append(
        "The keys of the codes are in it, encrypted with your passphrase. Without the passphrase they are lost."
        if manifest.keys == "encrypted"
        else "The keys of the codes are NOT in it, as you chose. Without a copy of codes.key, these books"
        " cannot be opened."
    )
    return "\n".join(lines)
