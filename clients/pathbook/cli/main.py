"""The command `pathbook`: it finds the verb, runs it, and turns the outcome into text and an exit code."""

import contextlib
import errno
import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

import click

from pathbook.cli import printing
from pathbook.cli.errors import NamedError, print_error
from pathbook.cli.exits import Exit
from pathbook.cli.settings import OPTIONS, Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup, did_you_mean

VERBS: Final = {
    "demo": "pathbook.cli.demo:command",
    "serve": "pathbook.cli.serve:command",
    "verify": "pathbook.cli.verify:command",
    "path": "pathbook.cli.path:command",
    "ladder": "pathbook.cli.counts:ladder",
    "stock": "pathbook.cli.counts:stock",
    "holders": "pathbook.cli.holders:command",
    "chart": "pathbook.cli.chart:command",
    "insight": "pathbook.cli.insight:command",
    "book": "pathbook.cli.book:command",
    "party": "pathbook.cli.party:command",
    "seller": "pathbook.cli.person:seller",
    "erase": "pathbook.cli.person:erase",
    "product": "pathbook.cli.product:command",
    "batch": "pathbook.cli.batch:command",
    "codes": "pathbook.cli.codes:command",
    "tokens": "pathbook.cli.tokens:command",
    "access-log": "pathbook.cli.access_log:command",
    "key": "pathbook.cli.key:command",
    "keys": "pathbook.cli.keys:command",
    "clock": "pathbook.cli.clock:command",
    "case": "pathbook.cli.case:command",
    "transfer": "pathbook.cli.transfer:command",
    "offers": "pathbook.cli.offers:command",
    "offer": "pathbook.cli.offer:offer",
    "accept": "pathbook.cli.offer:accept",
    "decline": "pathbook.cli.offer:decline",
    "withdraw": "pathbook.cli.offer:withdraw",
    "record": "pathbook.cli.transfer:record",
    "reverse": "pathbook.cli.transfer:reverse",
    "deliver": "pathbook.cli.transfer:deliver",
    "sell": "pathbook.cli.sale:sell",
    "confirm": "pathbook.cli.sale:confirm",
    "return": "pathbook.cli.sale:return_units",
    "write-off": "pathbook.cli.sale:write_off",
    "correct": "pathbook.cli.correct:command",
    "correction": "pathbook.cli.correction:command",
    "import": "pathbook.cli.importing:command",
    "request": "pathbook.cli.request:command",
    "events": "pathbook.cli.events:command",
    "views": "pathbook.cli.views:command",
    "server": "pathbook.cli.server:command",
    "publish": "pathbook.cli.publish:command",
    "export": "pathbook.cli.exporting:export",
    "sql": "pathbook.cli.exporting:sql",
    "audit": "pathbook.cli.audit:command",
    "witness": "pathbook.cli.witness:command",
    "backup": "pathbook.cli.backup:command",
    "restore": "pathbook.cli.restore:command",
    "check": "pathbook.cli.check:command",
    "bench": "pathbook.cli.bench:command",
    "completion": "pathbook.cli.completion:command",
}
"""The module of each verb, in the order of the help. A verb is imported when it is used."""

CODE_REASONS: Final = {
    "CODE_MALFORMED",
    "CODE_CHECK_CHARACTER",
    "CODE_GTIN_CHECK_DIGIT",
    "CODE_OTHER_BOOK",
    "CODE_UNKNOWN",
    "CODE_CONTRADICTS",
    "CODE_KEY_RETIRED",
}
"""The refusals that concern the code itself."""

UNANSWERED: Final = {
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "INTERNAL",
    "UNKNOWN",
    "UNIMPLEMENTED",
}
"""The gRPC codes that say nothing about the book."""


DISK_ERRORS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a write to stdout fails with when it is a file."""


class PipeClosedError(Exception):
    """The reader of the output closed the pipe early."""


class Verbs(VerbGroup):
    """All verbs. Each is imported when it is used."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb. Click exits with 1 when the pipe is closed, but here 1 means a refusal."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Return the verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click calls it
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


def _print_version(context: click.Context, _option: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if is_wanted and not context.resilient_parsing:
        from pathbook.ledger import compiled

        printing.echo(f"pathbook {importlib.metadata.version('pathbook')} ({compiled.kind()})")
        context.exit()


@click.group(
    "pathbook",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 done; 1 refused by the book, or refuted; 2 wrong usage; 3 unknown code; 4 could not check;"
        " 5 verified, but against your own policy; 130 interrupted; 141 the reader of the output went away."
    ),
)
@takes_options(*OPTIONS, shows_calling=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, and whether the ledger is compiled, and exit.",
)
def pathbook() -> None:
    """Pathbook is the open book of a product.

    It records every hand that each unit passed through, and what each hand paid.
    """


def main() -> None:
    """Run the command and exit."""
    _keep_standard_files_open()
    code = run(sys.argv[1:])
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code. Errors are printed on stderr."""
    settings = Settings()
    settings.output = _requested_output(arguments)
    try:
        color = False if os.environ.get("NO_COLOR") else None
        done = pathbook.main(arguments, "pathbook", obj=settings, standalone_mode=False, color=color)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        printing.echo(error.format_message())
        return Exit.USAGE
    except click.UsageError as error:
        print_error(settings.output, "USAGE", _usage_error(error))
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except (PipeClosedError, BrokenPipeError):
        _discard(sys.stdout)
        return Exit.PIPE_CLOSED
    except OSError as error:
        if error.filename is None and error.errno in DISK_ERRORS:  # click prints a help without our `echo`
            error = printing.OutputFailedError(printing.CANNOT_WRITE.format(error.strerror))
        return _report(settings.output, error)
    except Exception as error:  # noqa: BLE001 - 1 means "refused", so a bug must not exit with it
        return _report(settings.output, error)
    return done if isinstance(done, int) else Exit.DONE


def _keep_standard_files_open() -> None:
    """Put nothing in the place of standard files that are closed, so that no database gets their numbers."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - the number of stderr
        pass
    os.close(opened)
    if sys.stderr is None:  # a server that logs expects one. A closed stdout stays None, and is told
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process runs


def _discard(stream: TextIO | None) -> None:
    """Drop what a stream still holds. Python flushes it at the exit, and that must not fail again."""
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report(output: Output, error: Exception) -> Exit:
    """Print an error that a verb raised, and return its exit code. A bug is printed with its traceback."""
    from google.protobuf.message import DecodeError

    from pathbook.cli.output import MalformedAnswerError
    from pathbook.client import RefusedError, UnreachableError
    from pathbook.ledger.codec import NewerEventError

    if isinstance(error, RefusedError):
        print_error(output, error.reason, error.message, error.metadata)
        if error.reason in CODE_REASONS:
            return Exit.CODE_UNKNOWN
        return Exit.COULD_NOT_CHECK if error.code.name in UNANSWERED else Exit.REFUSED
    if isinstance(error, UnreachableError):
        print_error(output, error.code.name, str(error))
    elif isinstance(error, NamedError):
        print_error(output, error.reason, str(error))
    elif isinstance(error, printing.OutputFailedError):
        _discard(sys.stdout)
        print_error(output, "OUTPUT_FAILED", str(error))
    elif isinstance(error, OSError):
        known = error.strerror and error.filename is not None
        print_error(output, "CANNOT_OPEN", f"{error.filename}: {error.strerror}." if known else str(error))
    elif isinstance(error, MalformedAnswerError):
        print_error(output, "ANSWER_MALFORMED", f"{str(error).rstrip('.')}. Ask who runs the server.")
    elif isinstance(error, DecodeError):
        print_error(
            output, "ANSWER_MALFORMED", "The server sent an event that cannot be read. Ask who runs it."
        )
    elif isinstance(error, NewerEventError):
        print_error(output, "BOOK_NEWER", f"{str(error)[0].upper()}{str(error)[1:]}.")
    else:
        import traceback

        trace = "".join(traceback.format_exception(error)).rstrip("\n")
        if output is Output.TABLE:
            printing.echo(trace, err=True)
        sentence = "This is a bug in Pathbook. Please report it with the traceback."
        print_error(output, "UNEXPECTED", sentence, {"traceback": trace})
    return Exit.COULD_NOT_CHECK


def _requested_output(arguments: Sequence[str]) -> Output:
    """Return the output that the arguments ask for, before they are parsed: parsing may fail."""
    name = ""
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        option, _, value = argument.partition("=")
        if option == "--output":
            name = value or "".join(arguments[number + 1 : number + 2])
    return Output(name) if name in {output.value for output in Output} else Output.TABLE


def _usage_error(error: click.UsageError) -> str:
    """Return what is wrong with the command line, and where to read more."""
    if isinstance(error, click.NoSuchOption):
        message = error.message + did_you_mean(error.possibilities or [])
    else:
        message = error.format_message()
    message = re.sub(r"\s*\n\s*", " ", message)  # click lists choices line by line
    return f"{message} See '{error.ctx.command_path} --help'." if error.ctx is not None else message
