"""The verbs of an auditor, who does not trust the operator of a book: replay all of its events, and compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, connection, printing, proof_file
from pathbook.cli.errors import NamedError
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.audit.differences import Difference
    from pathbook.audit.replaying import Audited
    from pathbook.audit.sources import Source
    from pathbook.verify.trust import Trust

MAX_NOTE_BYTES: Final = 65_536
"""The most bytes that are read of a signed checkpoint. One with a hundred cosignatures has 10,000."""


@click.group("audit", cls=VerbGroup)
def command() -> None:
    """Replay a book without trust in its operator."""


@command.command()
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.option(
    "--published",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Audit a directory of 'pathbook publish --entries', and ask no server.",
)
@click.option(
    "--checkpoint",
    "kept",
    type=arguments.EXISTING_FILE,
    multiple=True,
    metavar="FILE",
    help="A signed checkpoint from before, which must be of the same history. Can be repeated.",
)
@proof_file.takes_trust
@click.pass_obj
def replay(settings: Settings, *, published: Path | None, kept: tuple[Path, ...], trust: "Trust") -> Exit:
    """Replay all events of a book, and compare.

    It computes the tree of the log, who owns and has each unit, chains, authority down the line and each sealed custody
    root from the bytes of the events, and names the first difference with its position and its rule.

    The checkpoint says nothing about who signed it without a key of the log that you got in another way: give --key
    or --policy. Keep the checkpoint, and give it to the next audit with --checkpoint.

    \b
    Exit codes:
      0  there is no difference
      1  there is a difference
      2  usage
      4  could not check: no answer, no trusted key, or newer than this program
    """  # noqa: D301 - click keeps the lines after a backspace as they are
    from pathbook.audit import sources
    from pathbook.audit.differences import UncheckableError

    remembered = [_read(path) for path in kept]
    try:
        if published is not None:
            return _run(settings, sources.of_directory(published), remembered, trust)
        with connection.looking(settings) as client:
            return _run(settings, sources.of_server(client), remembered, trust)
    except UncheckableError as error:
        raise NamedError("COULD_NOT_AUDIT", str(error)) from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES)


def _run(settings: Settings, source: "Source", remembered: list[bytes], trust: "Trust") -> Exit:
    from pathbook.audit.differences import DifferenceError
    from pathbook.audit.replaying import replay as replay_all
    from pathbook.cli.progress import Progress

    try:
        with Progress() as progress:
            audited = replay_all(source, remembered, trust, progress.of("events replayed"))
    except DifferenceError as error:
        _print_difference(settings, error.difference)
        return Exit.REFUSED
    _print(settings, audited)
    return Exit.DONE


def _print_difference(settings: Settings, difference: "Difference") -> None:
    if settings.output is not Output.TABLE:
        found = {
            "position": str(difference.position),
            "rule": difference.rule.value,
            "found": difference.found,
        }
        printing.echo(printing.as_json({"difference": found}, settings.output))
        return
    line = f"DIFFERENCE at position {difference.position}, {difference.rule.value}: {difference.found}."
    printing.echo(printing.printable(line))


def _print(settings: Settings, audited: "Audited") -> None:
    from pathbook.cli import output

    replayed = audited.replayed
    if settings.output is not Output.TABLE:
        found = {
            "difference": None,
            "origin": replayed.origin,
            "events": str(replayed.events),
            "root": replayed.root.hex(),
            "seals": str(replayed.seals),
            "sealed_up_to": str(replayed.covers),
            "checkpoints": [
                {
                    "size": str(each.size),
                    "signed": each.is_signed,
                    "trusted": each.is_trusted,
                    "witnesses": list(each.witnesses),
                }
                for each in audited.checkpoints
            ],
        }
        printing.echo(printing.as_json(found, settings.output))
        return
    seals = f"{replayed.seals}, the last up to position {replayed.covers}" if replayed.seals else "none"
    rows = [
        ("book", replayed.origin),
        ("events", str(replayed.events)),
        ("root", replayed.root.hex()),
        ("seals", seals),
    ]
    for each in audited.checkpoints:
        key = "a key that you trust" if each.is_trusted else "its own word, because you gave no key"
        cosigned = f", cosigned by {', '.join(each.witnesses)}" if each.witnesses else ""
        rows.append((f"checkpoint {each.size}", f"the same history; signed: {key}{cosigned}"))
    if not audited.checkpoints:
        rows.append(("checkpoint", "none, so no signature says that these are all events"))
    printing.echo(output.fields(rows))
    printing.echo("\nNO DIFFERENCE: all that the events lead to is what the book says.")
