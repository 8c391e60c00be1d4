"""The verbs of the operator of a witness: make its key, and serve."""

import time
from pathlib import Path
from typing import Final

import click

from pathbook.cli import printing, stopping
from pathbook.cli.errors import NamedError
from pathbook.cli.places import ADDRESS
from pathbook.cli.policy_file import read_policy
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

DEFAULT_LISTEN: Final = "127.0.0.1:50561"
"""The address of a witness. Only this machine can call it."""


@click.group("witness", cls=VerbGroup)
def command() -> None:
    """Run a witness, which cosigns what logs show.

    A witness cosigns a checkpoint if the log only grew since the last one (c2sp.org/tlog-witness). So a log cannot
    show different histories to two buyers who trust the witness. It keeps no events.
    """


@command.command("key")
@takes_options("output")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The new file of the key.")
@click.option(
    "--name",
    required=True,
    metavar="NAME",
    help="The name of the witness, such as witness.example.com/w1. It is part of the key.",
)
@click.pass_obj
def make_key(settings: Settings, *, to: Path, name: str) -> None:
    """Make the key of a witness, and print its public key.

    Give the public key to the logs and to those who verify. Keep the file secret, and never give a key to two
    witnesses.
    """
    from pathbook.ledger.proofs.text import MalformedTextError
    from pathbook.witness.key_file import make_witness_key

    try:
        key = str(make_witness_key(to, name).verifier)
    except MalformedTextError as error:
        raise click.UsageError(f"--name: {error}") from None
    except FileExistsError:
        message = f"{to} is there already. Nothing was changed. Name another file, because a key cannot be made twice."
        raise NamedError("FILE_EXISTS", message) from None
    if settings.output is Output.TABLE:
        printing.echo(printing.printable(key))
    else:
        printing.echo(printing.as_json({"to": str(to), "key": key}, settings.output))


@command.command()
@takes_options("output")
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The key, which 'pathbook witness key' made.",
)
@click.option(
    "--logs",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The logs: a C2SP tlog-policy with lines 'log KEY', and 'quorum none'.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The directory of what was cosigned. A witness that loses it may contradict itself.",
)
@click.option(
    "--listen",
    type=ADDRESS,
    default=DEFAULT_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    help="The address to listen on. Port 0 takes a free port.",
)
@click.pass_obj
def serve(settings: Settings, *, key_path: Path, logs: Path, state: Path, listen: str) -> None:
    """Cosign the checkpoints of logs.

    The witness runs until SIGINT or SIGTERM stops it. What speaks against a log is kept in the directory 'evidence' of
    --state, and told on stderr.
    """
    from pathbook.ledger.proofs.text import MalformedTextError
    from pathbook.witness.key_file import read_witness_key
    from pathbook.witness.server import serving
    from pathbook.witness.state import State, StateError
    from pathbook.witness.witness import Witness, logs_of

    known = logs_of(read_policy(logs).logs)
    if not known:
        raise click.UsageError(f"{logs} names no log. Write each one as: log KEY.")
    try:
        key = read_witness_key(key_path)
    except MalformedTextError as error:
        message = f"{key_path} cannot be used: {error}. Give the file that 'pathbook witness key' made."
        raise NamedError("WITNESS_KEY_UNUSABLE", message) from None

    def tell(sentence: str) -> None:
        if settings.output is Output.TABLE:
            printing.echo(printing.printable(sentence), err=True)
        else:
            printing.echo(printing.as_json({"told": sentence}, Output.JSONL), err=True)

    try:
        kept = State(state, key.verifier, known)
    except StateError as error:
        raise NamedError(error.reason, str(error)) from None
    try:
        witness = Witness(key, known, kept, lambda: int(time.time()), tell)
        with stopping.stopping() as stop, serving(listen, witness.add_checkpoint, tell) as address:
            if settings.output is Output.TABLE:
                printing.echo(printing.printable(f"Witness {key.verifier.name} on {address}"))
            else:
                ready = {"witness": str(key.verifier), "address": address}
                printing.echo(printing.as_json(ready, Output.JSONL))
            stopping.wait(stop)
    finally:
        kept.close()
