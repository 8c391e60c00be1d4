"""The verb that runs a server on books."""

import os
from pathlib import Path
from typing import Final

import click

from pathbook.cli import arguments, printing
from pathbook.cli.places import ADDRESS, NETWORK, takes_operations
from pathbook.cli.policy_file import read_policy
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

DEFAULT_LISTEN: Final = "127.0.0.1:50551"
"""The address of a server. Only this machine can call it."""


@click.command("serve", cls=Verb)
@takes_options("data", "database", "output", "allow_event_loss")
@click.option(
    "--listen",
    type=ADDRESS,
    default=DEFAULT_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    envvar="PATHBOOK_LISTEN",
    show_envvar=True,
    help="The address to listen on. Port 0 takes a free port.",
)
@takes_operations
@click.option("--workers", type=arguments.COUNT, default=1, show_default=True, metavar="N",
              help="The number of server processes on the port. Two more update views and reports.")  # fmt: skip
@click.option(
    "--one-process", is_flag=True, help="Keep views and reports up to date in the one server process."
)
@click.option("--no-follow", is_flag=True, help="Leave views and reports to 'pathbook views follow'.")
@click.option("--no-seal", is_flag=True, help="Record no seals of the books, and sign no checkpoints.")
@click.option("--limits", type=arguments.EXISTING_FILE, metavar="FILE",
              help="A TOML file of what callers may do in a time. Default: some limits.")  # fmt: skip
@click.option("--trusted-proxy", "proxies", type=NETWORK, multiple=True, metavar="ADDRESS",
              help="Count callers behind this proxy, or network of proxies, by its x-forwarded-for.")  # fmt: skip
@click.option("--open", "is_open", is_flag=True, envvar="PATHBOOK_OPEN", show_envvar=True,
              help="Ask for no tokens: every caller may read and write everything.")  # fmt: skip
@click.option("--issuer", type=arguments.EXISTING_FILE, metavar="FILE",
              help="Know callers by the JSON Web Tokens of the issuer that this TOML file describes, too.")  # fmt: skip
@click.option("--cert", type=arguments.EXISTING_FILE, metavar="FILE", envvar="PATHBOOK_CERT",
              help="Listen with TLS and this certificate, in PEM. It is read again when it is renewed.")  # fmt: skip
@click.option("--cert-key", type=arguments.EXISTING_FILE, metavar="FILE", envvar="PATHBOOK_CERT_KEY",
              help="The key of --cert, in PEM, without a passphrase.")  # fmt: skip
@click.option("--client-ca", type=arguments.EXISTING_FILE, metavar="FILE",
              help="Take only callers with a certificate that these, in PEM, have signed.")  # fmt: skip
@click.option("--insecure-network", is_flag=True, envvar="PATHBOOK_INSECURE_NETWORK", show_envvar=True,
              help="Listen beyond this machine without TLS: the network reads all prices and tokens.")  # fmt: skip
@click.option("--witnesses", "policy", type=arguments.EXISTING_FILE, metavar="FILE",
              help="Let the witnesses of this C2SP tlog-policy cosign. Those with a URL are asked.")  # fmt: skip
@click.pass_obj
def command(  # noqa: PLR0913 - an argument for each choice of an operator
    settings: Settings,
    *,
    listen: str,
    operations_listen: str | None,
    workers: int,
    one_process: bool,
    no_follow: bool,
    no_seal: bool,
    limits: Path | None,
    proxies: tuple[str, ...],
    is_open: bool,
    issuer: Path | None,
    cert: Path | None,
    cert_key: Path | None,
    client_ca: Path | None,
    insecure_network: bool,
    policy: Path | None,
) -> None:
    """Run a server on the books in --data DIR.

    It seals each book soon after a change, which adds an event to the book, and signs a checkpoint of it.

    On two processors or more, one process answers calls, another keeps the views up to date and seals, and a third
    builds the reports. On one processor there is one process, and so there is with --one-process.

    Behind a proxy, all callers have its address, and share one limit. --trusted-proxy believes the proxy whose calls it
    passes on. It may be given several times.

    --operations-listen answers /metrics (Prometheus), /healthz and /readyz over HTTP.
    Callers send an API token ('pathbook tokens'), and without one they are the public, which sees a unit by its code.
    The first server of the books makes a token of the operator, in DIR/operator.token.

    Beyond this machine it listens with TLS only, or with --insecure-network, which is for networks of your own.

    The server runs until SIGINT or SIGTERM stops it. Its log goes to stderr.

    --allow-event-loss lets it use a PostgreSQL that may lose acknowledged events.
    """
    if one_process and workers > 1:
        raise click.UsageError("--one-process is for one server. Leave out --workers, or give 1.")
    if (cert is None) is not (cert_key is None):
        raise click.UsageError("--cert and --cert-key belong together. Give both, or neither.")
    if issuer is not None and is_open:
        raise click.UsageError("--open asks for no tokens. Leave out --issuer, or --open.")
    if client_ca is not None and cert is None:
        raise click.UsageError("--client-ca needs --cert and --cert-key: certificates are shown over TLS.")
    if no_seal and no_follow:
        raise click.UsageError(
            "With --no-follow the server seals nothing. Give --no-seal to 'pathbook views follow'."
        )
    from pathbook.cli import local

    books = settings.books()
    witnesses = None if policy is None else read_policy(policy)

    def ready(place: str, address: str) -> None:
        if settings.output is Output.TABLE:
            printing.echo(printing.printable(f"Serving {place} on {address}"))
        else:
            printing.echo(printing.as_json({"place": place, "address": address}, Output.JSONL))

    follows, seals = not no_follow, not no_seal
    local.serve(
        books,
        listen,
        operations_listen=operations_listen or "",
        workers=workers,
        apart=follows and not one_process and processors() > 1,
        follows=follows,
        seals=seals,
        limits=limits,
        trusted_proxies=proxies,
        demands_tokens=not is_open,
        certificate=None if cert is None or cert_key is None else (cert, cert_key, client_ca),
        insecure_network=insecure_network,
        issuer=issuer,
        witnesses=witnesses,
        ready=ready,
    )


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
