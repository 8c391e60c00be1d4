"""The option of an auditor to cosign what was audited, and errors of an audit by their names."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pathbook.cli.errors import NamedError

if TYPE_CHECKING:
    from pathbook.audit.sources import Source
    from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey
    from pathbook.verify.trust import Trust
    from pathbook.witness.key_file import WitnessKey


class Cosigned:
    """What became of cosigning: the note with the cosignature, and where it went."""

    def __init__(self, note: str, size: int, path: Path | None, *, is_given: bool) -> None:
        self.note, self.is_given = note, is_given
        self.shows_note = path is None and not is_given
        places = ["given to the server"] if is_given else []
        places += [] if path is None else [f"written to {path}"]
        self.sentence = f"the checkpoint of {size} events, {' and '.join(places) or 'shown below'}"


class AuditSigner:
    """Cosigns the newest checkpoint of a source, and gives the cosignature to its server."""

    def __init__(
        self, key: "WitnessKey", logs: "tuple[VerifierKey, ...]", state: Path, path: Path | None
    ) -> None:
        self._key, self._logs, self._state, self._path = key, logs, state, path

    def cosign(self, source: "Source") -> Cosigned:
        """Cosign the newest checkpoint of a source in which no difference was found.

        Raises:
            UncheckableError: it was not cosigned.
            RefusedError: the server does not take the cosignature. What was cosigned is kept.
        """
        from pathbook.audit.cosigning import cosign_audited
        from pathbook.audit.differences import UncheckableError
        from pathbook.audit.state_directory import COSIGNED
        from pathbook.ledger.proofs.checkpoint import Checkpoint

        origin = source.origin
        log = next((key for key in self._logs if key.name == origin), None)
        if log is None:
            raise UncheckableError(f"You gave no key of the log {origin}, so nothing was cosigned.")
        note, line = cosign_audited(source, log, self._key, self._state / COSIGNED)
        size = Checkpoint.parse(note.text).size
        if self._path is not None:
            self._write(note)
        if source.client is not None:
            source.client.add_cosignature(size, str(line))
        return Cosigned(str(note), size, self._path, is_given=source.client is not None)

    def give(self, source: "Source") -> int:
        """Cosign, and return of how many events the checkpoint is. Raises as `cosign`."""
        from pathbook.ledger.proofs.checkpoint import Checkpoint
        from pathbook.ledger.proofs.signed_note import parse_note

        return Checkpoint.parse(parse_note(self.cosign(source).note.encode()).text).size

    def _write(self, note: "SignedNote") -> None:
        from pathbook.keys.files import replace_file

        assert self._path is not None
        replace_file(self._path, str(note).encode())


def of(key: Path | None, state: Path | None, trust: "Trust", cosigned: Path | None) -> AuditSigner | None:
    """Return the signer that the options name, None without --cosign.

    Raises:
        click.UsageError: an option that it needs is missing.
        NamedError: WITNESS_KEY_UNUSABLE.
    """
    if key is None:
        if cosigned is not None:
            raise click.UsageError("--cosigned is where --cosign writes to. Give --cosign, too.")
        return None
    if state is None:
        raise click.UsageError(
            "--cosign needs --state DIR: an auditor who forgets what it cosigned may contradict itself."
        )
    if not trust.logs:
        raise click.UsageError("--cosign needs a key of the log that you trust. Give --key or --policy.")
    from pathbook.ledger.proofs.text import MalformedTextError
    from pathbook.witness.key_file import read_witness_key

    try:
        return AuditSigner(read_witness_key(key), trust.logs, state, cosigned)
    except MalformedTextError as error:
        message = f"{key} cannot be used: {error}. Give the file that 'pathbook witness key' made."
        raise NamedError("WITNESS_KEY_UNUSABLE", message) from None


@contextlib.contextmanager
def named_errors() -> Iterator[None]:
    """Give the errors of an audit their names for scripts. Raises NamedError."""
    from pathbook.audit.differences import UncheckableError
    from pathbook.audit.state_directory import StateError
    from pathbook.witness.state import StateError as WitnessStateError

    try:
        yield
    except UncheckableError as error:
        raise NamedError("COULD_NOT_AUDIT", str(error)) from None
    except (StateError, WitnessStateError) as error:
        raise NamedError(error.reason, str(error)) from None
