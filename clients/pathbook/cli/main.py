"""The command `pathbook`: finds the verb, runs it, and turns whatever happens into words and an exit code."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options

VERBS: Final = {
    "demo": "pathbook.cli.demo:command",
    "serve": "pathbook.cli.serve:serve",
    "follow": "pathbook.cli.serve:follow",
    "verify": "pathbook.cli.verify:command",
    "path": "pathbook.cli.path:command",
    "ladder": "pathbook.cli.insight:ladder",
    "stock": "pathbook.cli.insight:stock",
    "party": "pathbook.cli.party:command",
    "product": "pathbook.cli.product:command",
    "batch": "pathbook.cli.batch:command",
    "codes": "pathbook.cli.codes:command",
    "case": "pathbook.cli.case:command",
    "offer": "pathbook.cli.offer:offer",
    "accept": "pathbook.cli.offer:accept",
    "decline": "pathbook.cli.offer:decline",
    "withdraw": "pathbook.cli.offer:withdraw",
    "record": "pathbook.cli.transfer:record",
    "reverse": "pathbook.cli.transfer:reverse",
    "deliver": "pathbook.cli.transfer:deliver",
    "transfer": "pathbook.cli.transfer:transfer",
    "transfers": "pathbook.cli.transfer:transfers",
    "sell": "pathbook.cli.sale:sell",
    "confirm": "pathbook.cli.sale:confirm",
    "return": "pathbook.cli.sale:return_units",
    "write-off": "pathbook.cli.sale:write_off",
    "import": "pathbook.cli.importing:command",
    "events": "pathbook.cli.events:command",
    "views": "pathbook.cli.views:command",
    "bench": "pathbook.cli.bench:command",
}
"""Where each verb lives, in the order they are listed. A verb is loaded when it is used."""

CODE_REASONS: Final = {
    "CODE_MALFORMED",
    "CODE_CHECK_CHARACTER",
    "CODE_GTIN_CHECK_DIGIT",
    "CODE_OTHER_BOOK",
    "CODE_UNKNOWN",
    "CODE_CONTRADICTS",
}
"""The refusals that are about the code itself."""

UNANSWERED: Final = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN", "UNIMPLEMENTED"}
"""The gRPC codes that say nothing about the book."""


class PipeClosedError(Exception):
    """Who reads the answer left before its end."""


class Verbs(click.Group):
    """The verbs, each imported when it is asked for."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb. Click would end with 1 when the reader leaves, and that means something else here."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Return the verbs in the order they are listed."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click calls it
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    "pathbook",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 done; 1 refused by the book, or refuted; 2 usage; 3 code unknown; 4 could not check;"
        " 5 verified, but against your own policy."
    ),
)
@book_options
@click.version_option(package_name="pathbook", message="%(prog)s %(version)s")
def pathbook() -> None:
    """The open book of a product: every hand each unit passed through, and what each hand paid."""


def main() -> None:
    """Run the command and leave."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; what went wrong is told on stderr."""
    settings = Settings()
    settings.output = _asked_for(arguments)
    try:
        colour = False if os.environ.get("NO_COLOR") else None
        done = pathbook.main(arguments, "pathbook", obj=settings, standalone_mode=False, color=colour)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return Exit.USAGE
    except click.UsageError as error:
        return _tell(settings, Exit.USAGE, "USAGE", error.format_message() + _where_to_look(error))
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except (PipeClosedError, BrokenPipeError):
        # nobody reads any more; what Python flushes when it ends must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - 1 means "refused", so a mistake of ours must not end with it
        return _explain(settings, error)
    return done if isinstance(done, int) else Exit.DONE


def _explain(settings: Settings, error: Exception) -> Exit:
    """Tell of an error that a verb raised; of a mistake of ours with all there is to report it by."""
    from pathbook.client import RefusedError, UnreachableError

    if isinstance(error, RefusedError):
        code = Exit.REFUSED
        if error.reason in CODE_REASONS:
            code = Exit.CODE_UNKNOWN
        elif error.code.name in UNANSWERED:
            code = Exit.COULD_NOT_CHECK
        return _tell(settings, code, error.reason, error.message, error.metadata)
    if isinstance(error, UnreachableError):
        return _tell(settings, Exit.COULD_NOT_CHECK, error.code.name, str(error))
    if isinstance(error, OSError):
        return _tell(settings, Exit.COULD_NOT_CHECK, "CANNOT_OPEN", str(error))
    import traceback

    trace = "".join(traceback.format_exception(error))
    sentence = "This is a mistake in Pathbook. Please report it."
    if settings.output is Output.TABLE:
        click.echo(trace, nl=False, err=True)
    return _tell(settings, Exit.COULD_NOT_CHECK, "UNEXPECTED", sentence, {"traceback": trace})


def _asked_for(arguments: Sequence[str]) -> Output:
    """Return how to answer, as far as can be seen before the options are read: reading them may fail."""
    asked = ""
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        name, _, value = argument.partition("=")
        if name == "--output":
            asked = value or "".join(arguments[number + 1 : number + 2])
    return Output(asked) if asked in {output.value for output in Output} else Output.TABLE


def _where_to_look(error: click.UsageError) -> str:
    return f" See '{error.ctx.command_path} --help'." if error.ctx is not None else ""


def _tell(
    settings: Settings, code: Exit, reason: str, message: str, metadata: Mapping[str, str] | None = None
) -> Exit:
    """Print why not on stderr: a sentence, or for scripts one object and nothing beside it."""
    if settings.output is Output.TABLE:
        click.echo(f"pathbook: {reason}: {message}", err=True)
        return code
    import json

    said = {"reason": reason, "message": message, "metadata": dict(metadata or {})}
    click.echo(json.dumps({"error": said}, ensure_ascii=False), err=True)
    return code
