"""The verbs of an auditor, who does not trust the operator of a book: replay all of its events, and compare."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, audit_signer, connection, printing, proof_file, stopping
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.audit.differences import Difference
    from pathbook.audit.replaying import Audited
    from pathbook.audit.sources import Source
    from pathbook.audit.state_directory import StateDirectory
    from pathbook.verify.trust import Trust

MAX_NOTE_BYTES: Final = 65_536
"""The most bytes that are read of a signed checkpoint. One with a hundred cosignatures has 10,000."""

CLAIMED_LISTED_MAX: Final = 5
"""The most acceptances beyond the givers' allowance that a table lists. JSON has all of them."""


@click.group("audit", cls=VerbGroup)
def command() -> None:
    """Replay a book without trust in its operator."""


_STATE: Final = click.Path(file_okay=False, path_type=Path)

_COSIGN: Final = click.option(
    "--cosign",
    "cosign_path",
    type=arguments.EXISTING_FILE,
    metavar="KEY",
    help="Cosign the checkpoint with this key of 'pathbook witness key'.",
)


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
@click.option(
    "--state",
    "state_path",
    type=_STATE,
    metavar="DIR",
    help="Keep what was replayed here, and go on from there the next time.",
)
@_COSIGN
@click.option(
    "--cosigned",
    "cosigned_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the cosigned checkpoint to this file.",
)
@click.option("--spark", "master", metavar="MASTER", help="Fold EXPORT on this cluster, such as local[2].")
@click.argument("export", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@proof_file.takes_trust
@click.pass_obj
def replay(  # noqa: PLR0913 - one for each option
    settings: Settings,
    *,
    master: str | None,
    export: Path | None,
    published: Path | None,
    kept: tuple[Path, ...],
    state_path: Path | None,
    cosign_path: Path | None,
    cosigned_path: Path | None,
    trust: "Trust",
) -> Exit:
    """Replay all events of a book, and compare.

    It computes the tree of the log, who owns and has each unit, chains, authority down the line and each sealed custody
    root from the bytes of the events, and names the first difference with its position and its rule. It compares the
    views of a server with them, too.

    The checkpoint says nothing about who signed it without a key of the log that you got in another way: give --key
    or --policy. Keep the checkpoint, and give it to the next audit with --checkpoint, or let --state remember it.

    With --state, an audit that was interrupted goes on. --cosign tells others that you found no difference: the server
    is given the cosignature, if its operator knows your key.

    With --spark, an export of 'pathbook export' is folded on a cluster of Apache Spark, batch by batch. Its tree and
    its fingerprint are computed from the bytes of the events, and compared with the views of --server or --data, if one
    is given. Rules and signatures are not checked.

    \b
    Exit codes:
      0  there is no difference
      1  there is a difference
      2  usage
      4  could not check: no answer, no trusted key, or newer than this program
    """  # noqa: D301 - click keeps the lines after a backspace as they are
    from pathbook.audit import sources
    from pathbook.verify.trust import Trust

    if (master is None) is not (export is None):
        raise click.UsageError("--spark MASTER and EXPORT belong together: an export is folded on a cluster.")
    if master is not None and export is not None:
        options = ("--published", published), ("--checkpoint", kept), ("--state", state_path)
        others: dict[str, object] = dict([*options, ("--cosign", cosign_path), ("--cosigned", cosigned_path)])
        others["--key or --policy"] = trust != Trust()
        return _fold(settings, master, export, others)
    signer = audit_signer.of(cosign_path, state_path, trust, cosigned_path)
    remembered = [_read(path) for path in kept]
    with audit_signer.named_errors(), _state(state_path) as state:
        if published is not None:
            return _run(settings, sources.of_directory(published), remembered, trust, state, signer)
        with connection.looking(settings) as client:
            return _run(settings, sources.of_server(client), remembered, trust, state, signer)


@command.command()
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.option(
    "--state",
    "state_path",
    type=_STATE,
    required=True,
    metavar="DIR",
    help="The directory of what was seen. Evidence of a difference is kept there, too.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the book is looked at.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default=True,
    metavar="PORT",
    help="The port of this machine for Prometheus. 0 takes a free one.",
)
@_COSIGN
@proof_file.takes_trust
@click.pass_obj
def watch(
    settings: Settings,
    *,
    state_path: Path,
    interval: float,
    metrics_port: int,
    cosign_path: Path | None,
    trust: "Trust",
) -> Exit:
    """Stay on, and replay what is new in a book.

    It demands that each checkpoint is of the history of all that it saw before, over restarts. What it sees is told on
    stderr, and as metrics for Prometheus. While a server is away, it asks again, at least once a minute or every
    --interval. It runs until SIGINT or SIGTERM stops it, or until there is a difference. Then both checkpoints are kept
    in the directory 'evidence' of --state.

    \b
    Exit codes:
      0  it was stopped, and there was no difference
      1  there is a difference
      2  usage
      4  could not check, and waiting does not help: another key, or newer events
    """  # noqa: D301 - as above
    from pathbook.audit import sources
    from pathbook.audit.differences import DifferenceError
    from pathbook.audit.replaying import Replay, StoppedError
    from pathbook.audit.watch_metrics import WatchMetrics
    from pathbook.audit.watching import Watch

    signer = audit_signer.of(cosign_path, state_path, trust, None)

    def tell(sentence: str) -> None:
        if settings.output is Output.TABLE:
            printing.echo(printing.printable(sentence), err=True)
        else:
            printing.echo(printing.as_json({"told": sentence}, Output.JSONL), err=True)

    with audit_signer.named_errors(), _state(state_path) as state, connection.looking(settings) as client:
        assert state is not None, "--state is required"
        metrics = WatchMetrics()
        with metrics.served(metrics_port) as port, stopping.stopping() as stop:
            tell(f"Metrics: http://127.0.0.1:{port}/metrics")
            cosign = None if signer is None else signer.give
            watched = Watch(Replay(state, is_stopped=stop.is_set), state, trust, metrics, cosign, tell)
            try:
                watched.run(
                    lambda: sources.of_server(client), interval, lambda seconds: stopping.wait(stop, seconds)
                )
            except DifferenceError as error:
                _print_difference(settings, error.difference)
                return Exit.REFUSED
            except StoppedError:
                pass
    return Exit.DONE


@command.command()
@takes_options("data", "database", "output")
@click.pass_obj
def fsck(settings: Settings) -> Exit:
    """Hash the stored log again, and compare it with all checkpoints.

    It reads every event of a stopped store from the disk, and compares it with its kept hash. It compares the trees
    over the events with every checkpoint that was signed of them: those in the database, and the last one of each
    book, which is in log.checkpoint beside the key. Nothing is changed. The exit code is 1 if there is a fault.

    What the events lead to is not replayed. 'pathbook audit replay' does that.
    """
    books = settings.books()
    from pathbook.cli import local_care
    from pathbook.cli.check import show
    from pathbook.cli.progress import Progress

    with Progress() as progress:
        findings = local_care.check(books, replays=False, only_log=True, progress=progress)
    return show(settings, findings)


def _fold(settings: Settings, master: str, export: Path, others: dict[str, object]) -> Exit:
    from pathbook.audit.differences import DifferenceError
    from pathbook.cli import audit_cluster

    audit_cluster.refuse_others(others)
    try:
        with audit_signer.named_errors():
            return audit_cluster.replay(settings, master, export)
    except DifferenceError as error:
        _print_difference(settings, error.difference)
        return Exit.REFUSED


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES)


def _state(path: Path | None) -> "contextlib.AbstractContextManager[StateDirectory | None]":
    """Return the directory of what was replayed, opened, or None without one."""
    if path is None:
        return contextlib.nullcontext()
    from pathbook.audit.state_directory import StateDirectory

    return StateDirectory(path)


def _run(
    settings: Settings,
    source: "Source",
    remembered: list[bytes],
    trust: "Trust",
    state: "StateDirectory | None",
    signer: "audit_signer.AuditSigner | None",
) -> Exit:
    from pathbook.audit.differences import DifferenceError
    from pathbook.audit.replaying import Replay, StoppedError
    from pathbook.audit.watching import keep_evidence
    from pathbook.cli.progress import Progress

    until_stopped = contextlib.nullcontext() if state is None else stopping.stopping()
    try:
        with Progress() as progress, until_stopped as stop:
            is_stopped = (lambda: False) if stop is None else stop.is_set
            audited = Replay(state, progress.of("events replayed"), is_stopped).run(source, remembered, trust)
    except StoppedError:
        raise KeyboardInterrupt from None
    except DifferenceError as error:
        _print_difference(settings, error.difference)
        if state is not None:
            keep_evidence(state, source, error.difference)
        return Exit.REFUSED
    cosigned = None if signer is None else signer.cosign(source)
    _print(settings, audited, cosigned)
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


def _print(settings: Settings, audited: "Audited", cosigned: "audit_signer.Cosigned | None") -> None:
    from pathbook.cli import output

    replayed = audited.replayed
    if settings.output is not Output.TABLE:
        found: dict[str, object] = {
            "difference": None,
            "origin": replayed.origin,
            "events": str(replayed.events),
            "root": replayed.root.hex(),
            "seals": str(replayed.seals),
            "sealed_up_to": str(replayed.covers),
            "claimed": [str(position) for position in replayed.claimed],
            "checkpoints": [
                {
                    "size": str(each.size),
                    "signed": each.is_signed,
                    "trusted": each.is_trusted,
                    "witnesses": list(each.witnesses),
                }
                for each in audited.checkpoints
            ],
            "begun_after": str(audited.begun_after),
            "views_compared_at": str(audited.compared_at),
        }
        if cosigned is not None:
            found |= {"cosigned": cosigned.note, "given_to_server": cosigned.is_given}
        printing.echo(printing.as_json(found, settings.output))
        return
    seals = f"{replayed.seals}, the last up to position {replayed.covers}" if replayed.seals else "none"
    rows = [
        ("book", replayed.origin),
        ("events", str(replayed.events)),
        ("root", replayed.root.hex()),
        ("seals", seals),
    ]
    if replayed.claimed:
        places = ", ".join(map(str, replayed.claimed[:CLAIMED_LISTED_MAX]))
        more = f" and {left} more" if (left := len(replayed.claimed) - CLAIMED_LISTED_MAX) > 0 else ""
        rows.append(("extra units", f"beyond what givers allowed, by the receivers' word at {places}{more}"))
    for each in audited.checkpoints:
        key = "a key that you trust" if each.is_trusted else "its own word, because you gave no key"
        by = f", cosigned by {', '.join(each.witnesses)}" if each.witnesses else ""
        rows.append((f"checkpoint {each.size}", f"the same history; signed: {key}{by}"))
    if not audited.checkpoints:
        rows.append(("checkpoint", "none, so no signature says that these are all events"))
    if audited.begun_after:
        rows.append(("begun after", f"{audited.begun_after}, from what was kept"))
    if audited.compared_at:
        rows.append(("views", f"the same at position {audited.compared_at}"))
    if cosigned is not None:
        rows.append(("cosigned", cosigned.sentence))
    printing.echo(output.fields(rows))
    printing.echo("\nNO DIFFERENCE: all that the events lead to is what the book says.")
    if cosigned is not None and cosigned.shows_note:
        printing.echo(f"\n{cosigned.note}".removesuffix("\n"))
