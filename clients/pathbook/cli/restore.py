"""The verb that restores a backup into a new directory, or an empty database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli import passphrase, printing
from pathbook.cli.settings import Books, Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.cli.local_care import Restored


@click.command("restore", cls=Verb)
@takes_options("data", "database", "output")
@click.argument("origin", metavar="FROM", type=click.Path(file_okay=False, path_type=Path))
@passphrase.passphrase_option
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A copy of codes.key, for a backup without keys or a lost passphrase.",
)
@click.option(
    "--without-keys", is_flag=True, help="Restore no keys. Put codes.key into DIR before you open the books."
)
@click.pass_obj
def command(
    settings: Settings,
    *,
    origin: Path,
    passphrase_file: Path | None,
    key: Path | None,
    without_keys: bool,
) -> None:
    """Restore the backup FROM into --data DIR.

    DIR must hold neither books nor keys, and a database must hold no books. Nothing is overwritten. Stop all servers
    of these books first. Each book goes on as another incarnation: a reader that had more events than the backup is
    told ANOTHER_HISTORY.
    """
    books = settings.books()
    if sum((passphrase_file is not None, key is not None, without_keys)) > 1:
        raise click.UsageError("Give one of --passphrase-file, --key and --without-keys.")
    from pathbook.cli import local_care
    from pathbook.cli.progress import Progress

    secret = None
    if passphrase_file is not None:
        secret = passphrase.read_passphrase(passphrase_file)
    elif key is None and not without_keys and local_care.needs_passphrase(origin):
        if not passphrase.can_ask():
            raise click.UsageError(
                "The backup holds encrypted keys. Give --passphrase-file FILE, or --key FILE with a copy of codes.key,"
                " or --without-keys."
            )
        secret = passphrase.ask_passphrase(twice=False)
    with Progress() as progress:
        restored = local_care.restore(books, origin, passphrase=secret, key=key, progress=progress)
    if settings.output is Output.TABLE:
        printing.echo(_text(books, origin, restored))
        return
    from msgspec import to_builtins

    found = {"data": books.data, **to_builtins(restored)}
    printing.echo(printing.as_json(found, settings.output))


def _text(books: Books, origin: Path, restored: "Restored") -> str:
    from pathbook.cli import local, output

    found = restored.manifest.books
    rows = [[book.name, str(book.head), restored.incarnations[book.name]] for book in found]
    place = local.check_place(books)
    lines = [
        output.table(["book", "events", "new incarnation"], rows, {1}),
        "",
        f"{place} holds the books as {origin} had them at {restored.manifest.taken_at}, compared event by event.",
    ]
    lines += [
        f"The views of book '{name}' differ from those that were replayed for the backup. Report this, please."
        for name in restored.other_views
    ]
    if restored.has_keys:
        lines.append(
            "The clock of this machine is believed. Start the servers. Events after that time are not in them: record"
            " them again."
        )
    else:
        lines.append(
            f"No keys were restored. Put codes.key into {books.data} before you open the books: without it, no code"
            " can be read and no server starts."
        )
    return "\n".join(lines)
