"""The verb for a first look: it records the story of a box of masks in a new book, then asks the book about it."""

import contextlib
import datetime
import shlex
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, printing
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Books, Output, Settings, takes_options
from pathbook.cli.verb_group import Verb, broken

if TYPE_CHECKING:
    from pathbook.client import Client

SECRET: Final = b"This key of the demo is public!!"
"""The key of the demo's codes and log, so that it prints the same everywhere. Those of a real book are secret."""

LONGEST_SEALING_S: Final = 10.0
"""How long the demo waits for its server to seal the book. It takes a second."""


@click.command("demo", cls=Verb)
@takes_options("data", "book", "zone", "output")
@click.option(
    "--today", type=arguments.DATE, metavar="DATE", help="The day on which the story is told. Default: today."
)
@click.pass_obj
def command(settings: Settings, *, today: datetime.date | None) -> int:
    """Record the story of a box of masks in a new book.

    The parties sign what they ask, with keys in memory. Then the book is sealed, and the demo asks it four questions.
    At the end a second verifier, which needs Node.js, checks the proof of a box without the server. The demo uses a
    temporary directory. With --data DIR, which must be empty or new, the book stays, and the keys of its parties are in
    DIR/keys.
    """
    if settings.output is Output.JSON:
        raise click.UsageError(
            "The demo prints a story and four answers, which are not one JSON document."
            " Use --output jsonl: it prints only the answers on stdout, one a line."
        )
    from pathbook.cli import local, second_verifier
    from pathbook.cli.story import NEW, SOLD, Story
    from pathbook.client import Client

    with _directory(settings.data) as directory:
        books = Books(str(directory))
        local.write_keys(directory, SECRET)
        with local.serving_openly(books) as server:
            day = today or settings.zone.today()
            with contextlib.closing(Client(server, book=settings.book)) as client:
                story = Story(client, day, settings.zone, on_stderr=settings.output is not Output.TABLE)
                story.play()
                if settings.data:
                    story.write_keys(directory / "keys")
                code = next(client.list_codes(NEW, SOLD, SOLD)).serials[0]
        # a server that seals from the beginning would do so at other positions each time
        with local.serving_openly(books, seals=True) as server:
            with contextlib.closing(Client(server, book=settings.book)) as client:
                proof, key = _await_seal(client, code), client.get_log_key()
            exit_code = _ask(settings, server, code, key, day if today else None)
        on_stderr = settings.output is not Output.TABLE
        options = [f"unit={NEW}:{SOLD}", f"today={day.isoformat()}"]
        second_verifier.show(directory, proof, key, options, on_stderr=on_stderr)
        return exit_code


@contextlib.contextmanager
def _directory(data: str) -> Iterator[Path]:
    """Yield the directory of the demo: a temporary one, or an empty one that stays."""
    if not data:
        with tempfile.TemporaryDirectory(prefix="pathbook-demo-") as temporary:
            yield Path(temporary)
        return
    directory = Path(data)
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise click.UsageError(
            f"{directory} is not an empty directory, and the demo needs one for its book. Name another directory."
        )
    yield directory


def _await_seal(client: "Client", code: str) -> bytes:
    """Wait until the book is sealed, and return its proof of the box."""
    from pathbook.client import RefusedError

    until = time.monotonic() + LONGEST_SEALING_S
    while True:
        try:
            return client.get_unit_proof(code)
        except RefusedError as error:
            if error.reason != "NOT_SEALED_YET" or time.monotonic() > until:
                raise
        time.sleep(0.05)


def _ask(settings: Settings, server: str, code: str, key: str, today: datetime.date | None) -> int:
    """Ask what a buyer, a brand and an agent would ask, with the commands that they would type."""
    from pathbook.cli.main import pathbook
    from pathbook.cli.story import AGENTS, CLOUD, NEW

    settings.server, settings.data = server, ""
    day = ["--today", today.isoformat()] if today else []
    exit_code = int(Exit.COULD_NOT_CHECK)
    for sentence, command_line in (
        ("The buyer scans the box:", ["verify", code, *day, "--key", key]),
        ("The brand asks what each tier paid:", ["ladder", str(NEW)]),
        ("Agent 5 looks at its stock:", ["stock", AGENTS[-1], *day]),
        ("Here is a box that agent 5 owns, but never had:", ["path", f"{NEW}:{CLOUD}"]),
    ):
        on_stderr = settings.output is not Output.TABLE
        typed = "\n".join(broken(f"$ pathbook {shlex.join(command_line)}"))
        printing.echo(f"\n{sentence}\n\n{typed}\n", err=on_stderr)
        color = click.get_current_context().color
        answer = pathbook.main(command_line, "pathbook", obj=settings, standalone_mode=False, color=color)
        if command_line[0] == "verify":
            exit_code = int(answer)
    return exit_code
