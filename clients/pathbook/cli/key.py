"""The verbs of the keys of the codes: list them, make a new one for the batches to come, and try those of a backup."""

from pathlib import Path

import click

from pathbook.cli import passphrase, printing
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup


@click.group("key", cls=VerbGroup)
def command() -> None:
    """List or rotate the keys of codes, or try those of a backup.

    The file codes.key in --data DIR holds them. These verbs show fingerprints, never a key.
    """


@command.command("list")
@takes_options("data", "output")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the keys of --data DIR, oldest first.

    New batches use the last one. `pathbook batch show` names the key of a batch.
    """
    from pathbook.cli import local_care, output

    ring = local_care.code_keys(Path(settings.books().data))
    keys: list[dict[str, object]] = [
        {"generation": number, "code_key": name.hex(), "current": name == ring.current}
        for number, name in enumerate(ring.fingerprints, 1)
    ]
    if settings.output is not Output.TABLE:
        output.show_objects(settings.output, "keys", keys)
        return
    rows = [
        [str(key["generation"]), str(key["code_key"]), "new batches" if key["current"] else "older batches"]
        for key in keys
    ]
    printing.echo(output.table(["generation", "key", "used for"], rows, {0}))


@command.command()
@takes_options("data", "output")
@click.pass_obj
def rotate(settings: Settings) -> None:
    """Make a new key in --data DIR, for new batches of all its books.

    Use it when a key has leaked. Codes of older batches keep their keys, so labels go on. A code that is made with the
    leaked key for a new batch is refused.
    """
    from pathbook.cli import local_care

    data = settings.books().data
    ring = local_care.code_keys(Path(data), rotate=True)
    generation = len(ring.fingerprints)
    if settings.output is Output.TABLE:
        printing.echo(
            f"Key {ring.current.hex()} is added to {local_care.keys_of(Path(data))}, as generation {generation}."
            " New batches use it, and older batches keep their keys."
        )
        printing.echo(
            "Running servers of this directory read it by themselves. Back the file up, and copy it to all other"
            " servers of these books."
        )
        return
    added = {"data": data, "generation": generation, "code_key": ring.current.hex()}
    printing.echo(printing.as_json(added, settings.output))


@command.command()
@takes_options("data", "output")
@click.argument("backup", type=click.Path(file_okay=False, path_type=Path))
@passphrase.passphrase_option
@click.pass_obj
def drill(settings: Settings, *, backup: Path, passphrase_file: Path | None) -> Exit:
    """Try whether the backup BACKUP gives back each key in use in --data DIR.

    It opens the keys of the backup with their passphrase, compares them, and writes nothing. The exit code is 1 if a
    key is missing. Run it after each backup, and on another machine once a month: a key that is lost is lost with all
    its labels.
    """
    data = Path(settings.books().data)
    if passphrase_file is None and not passphrase.can_ask():
        raise click.UsageError("Give the passphrase of the backup in --passphrase-file FILE.")
    from pathbook.cli import local_care, output

    secret = (
        passphrase.ask_passphrase(twice=False)
        if passphrase_file is None
        else passphrase.read_passphrase(passphrase_file)
    )
    found = local_care.drill(backup, data, secret)
    if settings.output is Output.TABLE:
        rows = [[key.file, key.name, "yes" if key.in_backup else "NO"] for key in found]
        printing.echo(output.table(["file", "key", "in the backup"], rows))
    else:
        from msgspec import to_builtins

        output.show_objects(settings.output, "keys", [to_builtins(key) for key in found])
    missing = sum(not key.in_backup for key in found)
    if missing and settings.output is Output.TABLE:
        printing.echo(f"\nThe backup {backup} lacks {missing} of the keys in {data}. Make a new backup now.")
    return Exit.REFUSED if missing else Exit.DONE
