"""The verbs of the keys of the codes: list them, and make a new one for the batches to come."""

import click

from pathbook.cli import printing
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup


@click.group("key", cls=VerbGroup)
def command() -> None:
    """List or rotate the keys that printed codes are made with.

    The file codes.key in --data DIR holds them. These verbs show fingerprints, never a key.
    """


@command.command("list")
@takes_options("data", "output")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the keys in --data DIR, oldest first.

    New batches use the last one. `pathbook batch show` names the key of a batch.
    """
    from pathlib import Path

    from pathbook.cli import local, output

    ring = local.code_keys(Path(settings.books().data))
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
    from pathlib import Path

    from pathbook.cli import local

    data = settings.books().data
    ring = local.code_keys(Path(data), rotate=True)
    generation = len(ring.fingerprints)
    if settings.output is Output.TABLE:
        printing.echo(
            f"Key {ring.current.hex()} is added to {Path(data) / 'codes.key'}, as generation {generation}."
            " New batches use it, and older batches keep their keys."
        )
        printing.echo(
            "Running servers of this directory read it by themselves. Back the file up, and copy it to all other"
            " servers of these books."
        )
        return
    added = {"data": data, "generation": generation, "code_key": ring.current.hex()}
    printing.echo(printing.as_json(added, settings.output))
