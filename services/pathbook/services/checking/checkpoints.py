"""The signed checkpoints: whether the events still have the trees that were signed, and who signed them."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.store.database.engine import Database, reading
from pathbook.ledger.store.log.audit import origin_of
from pathbook.ledger.store.log.checkpoints import any_checkpoint, checkpoints_of
from pathbook.services.checking.findings import Finding, fault, noted, ok
from pathbook.services.checking.place import Place
from pathbook.services.key_file import secrets_of
from pathbook.services.last_checkpoints import read_last_checkpoints
from pathbook.services.log_key import LAST_CHECKPOINT_FILE, LOG_KEY_FILE, read_log_key
from pathbook.services.signing import Reason, SigningError

RESTORE: Final = (
    "Restore a backup that was taken after it was signed. The log must never be signed as it is now."
    " All who have the checkpoint see that it was changed."
)
MALFORMED: Final = "It was changed in the database. Restore the log from a backup: `pathbook restore`."
PUT_BACK: Final = (
    "Put back the file, or put the newest checkpoint of each book into it that was published or witnessed."
)
UNSEALED: Final = (
    "A server signs only after a seal, so something else used log.key. No verifier takes the checkpoint."
)
OTHER_KEY: Final = "Restore log.key from a backup, or tell those who check proofs about the new key."

Signed = Mapping[int, tuple[SignedNote | None, ...]]
"""The notes of each size that were signed of a book. None is one that cannot be read."""


def last_signed(place: Place) -> tuple[Mapping[str, SignedNote], list[Finding]]:
    """Return the last checkpoint of each origin, by the file beside the key, and what is wrong with the file.

    A file that is missing has none: the database tells whether anything was signed.
    """
    try:
        return read_last_checkpoints(secrets_of(place.data) / LAST_CHECKPOINT_FILE), []
    except SigningError as error:
        if error.reason is Reason.LAST_UNUSABLE:
            return {}, [fault(LAST_CHECKPOINT_FILE, str(error), PUT_BACK)]
    if place.log is None:
        return {}, []
    with reading(place.log) as connection:
        was_signed = any_checkpoint(connection)
    what = "it is missing, and checkpoints were signed. Nothing more is signed until it is there"
    return {}, [noted(LAST_CHECKPOINT_FILE, what, PUT_BACK)] if was_signed else []


def signed_of(log: Database, book: str, last: Mapping[str, SignedNote]) -> Signed:
    """Return what was signed of a book, by its database and by the file beside the key."""
    found: dict[int, tuple[SignedNote | None, ...]] = {}
    with reading(log) as connection:
        all_kept, origin = checkpoints_of(connection, book), origin_of(connection, book)
    for kept in all_kept:
        try:
            found[kept.size] = (parse_note(kept.signed.encode()),)
        except MalformedTextError:
            found[kept.size] = (None,)
    if (note := last.get(origin)) is not None:
        size = Checkpoint.parse(note.text).size
        found[size] = (*found.get(size, ()), note)
    return found


def compared(
    place: Place, book: str, head: int, signed: Signed, roots: Mapping[int, bytes], sealed: AbstractSet[int]
) -> Iterator[Finding]:
    """Compare what was signed of a book with the trees over its events, and with the key."""
    if not signed:
        return
    subject = f"checkpoints of {book}"
    try:
        key = read_log_key(secrets_of(place.data) / LOG_KEY_FILE)
    except SigningError as error:
        yield fault(subject, f"they cannot be verified: {error}", OTHER_KEY)
        return
    faults = 0
    for size, notes in sorted(signed.items()):
        for note in notes:
            found = None if note is None else _checkpoint(note)
            if note is None or found is None or found.size != size:
                what, to_do = f"that of {size} events is malformed", MALFORMED
            elif open_checkpoint(note, key.verifier(found.origin)) is None:
                what, to_do = (
                    f"that of {size} events was signed with another key than {LOG_KEY_FILE}",
                    OTHER_KEY,
                )
            elif size > head:
                what, to_do = f"{size} events were signed, and the log has {head}", RESTORE
            elif size in roots and roots[size] != found.root:
                what, to_do = f"the first {size} events are not those that were signed", RESTORE
            elif size in roots and size not in sealed:
                what, to_do = f"the last of the {size} events that were signed is no seal", UNSEALED
            else:
                continue
            faults += 1
            yield fault(subject, what, to_do)
            break
    if faults:
        return
    if any(size not in roots for size in signed):
        yield noted(subject, "not compared, because events are missing", "See the fault of the book.")
    else:
        yield ok(subject, f"{len(signed)}, of up to {max(signed)} events: the events have their trees")


def _checkpoint(note: SignedNote) -> Checkpoint | None:
    try:
        return Checkpoint.parse(note.text)
    except MalformedTextError:
        return None
