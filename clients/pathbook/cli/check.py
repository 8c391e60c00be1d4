"""The verb that checks the health of the books of a directory or database, and changes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pathbook.cli import printing
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.cli.local_care import Finding


@click.command("check", cls=Verb)
@takes_options("data", "database", "output")
@click.option("--no-replay", is_flag=True, help="Do not replay the events to compare the views. Faster.")
@click.pass_obj
def command(settings: Settings, *, no_replay: bool) -> Exit:
    """Check all books of --data DIR, and change nothing.

    It looks at versions, files and who may read them, keys, every event, every signed checkpoint, the clock, and the
    views, which are compared with a replay. Servers may run. Each finding that is not ok says what to do. The exit
    code is 1 if there is a fault. What is only noted does not change it.
    """
    books = settings.books()
    from pathbook.cli import local_care
    from pathbook.cli.progress import Progress

    with Progress() as progress:
        findings = list(local_care.check(books, replays=not no_replay, progress=progress))
    return show(settings, findings)


def show(settings: Settings, findings: "Sequence[Finding]") -> Exit:
    """Print findings, and return the exit code, which tells faults."""
    faults = sum(finding.state.value == "fault" for finding in findings)
    if settings.output is Output.TABLE:
        from pathbook.cli import output

        rows = [[finding.state.value, finding.subject, finding.found] for finding in findings]
        printing.echo(output.table(["state", "what", "found"], rows))
        to_do = [(finding.subject, finding.to_do) for finding in findings if finding.to_do]
        if to_do:
            printing.echo(f"\nWhat to do:\n{output.fields(to_do)}")
        if faults:
            printing.echo(f"\n{faults} faults.")
    else:
        from msgspec import to_builtins

        objects = [to_builtins(finding) for finding in findings]
        if settings.output is Output.JSONL:
            for each in objects:
                printing.echo(printing.as_json(each, settings.output))
        else:
            printing.echo(printing.as_json({"findings": objects, "faults": faults}, settings.output))
    return Exit.REFUSED if faults else Exit.DONE
