"""Reads a policy file, which names logs and witnesses, for the verbs that take one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathbook.ledger.proofs.policy import Policy


def read_policy(path: Path) -> "Policy":
    """Return the policy of a file (c2sp.org/tlog-policy).

    Raises:
        click.UsageError: it is no policy. The message names the line.
        OSError: it cannot be read.
    """
    from pathbook.ledger.proofs.policy import MAX_BYTES, parse_policy
    from pathbook.ledger.proofs.text import MalformedTextError

    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        return parse_policy(data)
    except MalformedTextError as error:
        raise click.UsageError(f"{path}: {error}") from None
