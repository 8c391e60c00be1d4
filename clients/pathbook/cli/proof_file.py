"""The options for proofs: a file to check or to keep, and whom the caller trusts."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pathbook.cli import arguments

if TYPE_CHECKING:
    from pathbook.verify.trust import Trust

Answer = TypeVar("Answer")

_HOUR: Final = 3_600_000_000

_KEY: Final = click.option(
    "--key",
    "keys",
    metavar="KEY",
    multiple=True,
    help="A key of a log that you trust: NAME+ID+KEY, as C2SP signed notes write it.",
)
_POLICY: Final = click.option(
    "--policy",
    "trust_path",
    type=arguments.EXISTING_FILE,
    metavar="FILE",
    help="Whom you trust: a C2SP tlog-policy with logs, witnesses and a quorum.",
)


def takes_proof(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options for a proof: ``proof`` has the bytes of a file, None without one, and ``trust`` whom to trust."""

    @functools.wraps(command)
    def with_proof(
        *args: object,
        proof_path: Path | None,
        save: Path | None,
        trust_path: Path | None,
        keys: tuple[str, ...],
        max_age_of_seal: int | None,
        **rest: object,
    ) -> Answer:
        if proof_path is not None and save is not None:
            raise click.UsageError("--save is about the proof of a server, and --proof asks none.")
        trust = _trust(trust_path, keys, max_age_of_seal)
        proof = None if proof_path is None else _read(proof_path)
        return command(*args, proof=proof, save=save, trust=trust, **rest)

    for option in (
        click.option(
            "--max-age-of-seal",
            type=arguments.COUNT,
            metavar="HOURS",
            help="Fail if the proof was sealed longer ago, by the time up to which it is complete.",
        ),
        _KEY,
        _POLICY,
        click.option(
            "--save",
            type=click.Path(dir_okay=False, writable=True, path_type=Path),
            metavar="FILE",
            help="Keep the proof of the unit in this file, which anyone can check with --proof.",
        ),
        click.option(
            "--proof",
            "proof_path",
            type=arguments.EXISTING_FILE,
            metavar="FILE",
            help="Check this proof, and ask no server.",
        ),
    ):
        with_proof = option(with_proof)
    return with_proof


def takes_trust(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options that say whom the caller trusts. The command gets them as ``trust``."""

    @functools.wraps(command)
    def with_trust(*args: object, trust_path: Path | None, keys: tuple[str, ...], **rest: object) -> Answer:
        return command(*args, trust=_trust(trust_path, keys, None), **rest)

    return _POLICY(_KEY(with_trust))


def now() -> int:
    """Return the time of this machine in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def _read(path: Path) -> bytes:
    """Return the bytes of a proof file, one more than it may have if it has too many."""
    from pathbook.ledger.proofs.unit_proof import MAX_BYTES

    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _trust(path: Path | None, keys: tuple[str, ...], hours: int | None) -> "Trust":
    from pathbook.cli.policy_file import read_policy
    from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey
    from pathbook.ledger.proofs.text import MalformedTextError
    from pathbook.verify.trust import NO_POLICY, Trust

    found = []
    for text in keys:
        try:
            key = VerifierKey.parse(text)
        except MalformedTextError as error:
            raise click.UsageError(f"--key: {error}") from None
        if key.type != ED25519:
            raise click.UsageError(
                "--key: this is the key of a witness. Name witnesses in a policy, with --policy."
            )
        found.append(key)
    policy = NO_POLICY if path is None else read_policy(path)
    return Trust(tuple(found), policy, None if hours is None else hours * _HOUR)
