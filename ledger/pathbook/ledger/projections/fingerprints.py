"""The fingerprint of a book: what its events lead to, as hashes over lines of text that every reader can write.

It says nothing of tables and the order of rows. Each line is ASCII, has fields divided by blanks, and ends in a
newline. A field that is empty is "-". Hashes and keys are in hexadecimal. `Fingerprint` in
proto/pathbook/v1/proofs.proto lists the lines.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import AuthorizationRow, BatchRow, PartyRow
from pathbook.ledger.run import Run
from pathbook.ledger.values import Ranges

HEADER: Final = b"pathbook.fingerprint@v1\n"
"""The first line of what the fingerprint of a book is a hash of."""

_EMPTY: Final = "-"


class PresentRun(NamedTuple):
    """Consecutive units of a batch that have one past, and what is so of each of them.

    Attributes:
        first: the first unit.
        last: the last unit.
        owner: who has the title.
        custodian: who has the goods.
        state: a `UnitState`.
        transfer: the open offer that reserves the units, else the transfer by which they last came, or 0.
        hop: the last transfer or sale of their chain that is in force, or 0.
        moved_from: the custodian from which that one moved the goods, or "".
        position: of the last event of their past.
        head: the hash of their past.
    """

    first: int
    last: int
    owner: str
    custodian: str
    state: int
    transfer: int
    hop: int
    moved_from: str
    position: int
    head: bytes


class BatchFacts(NamedTuple):
    """What the fingerprint of a batch has besides its runs.

    ``recalls`` have position, since, until and ranges, oldest first. ``packed`` has first, last and SSCC, in order.
    """

    row: BatchRow
    recalls: Iterable[tuple[int, int, int | None, Ranges]]
    packed: Iterable[tuple[int, int, str]]


def present_run(run: Run) -> PresentRun:
    """Return what a fingerprint has of a run."""
    hop = run.last_hop
    return PresentRun(
        run.first,
        run.last,
        run.owner,
        run.custodian,
        run.state.value,
        run.transfer,
        0 if hop is None else hop.transfer,
        "" if hop is None else hop.moved_from,
        run.position,
        run.head,
    )


def joined_runs(runs: Iterable[PresentRun], first: int = 0, last: int | None = None) -> Iterator[PresentRun]:
    """Yield the runs of the units first .. last: as long as can be, so that how they were cut makes no difference."""
    before: PresentRun | None = None
    for run in runs:
        found = run._replace(
            first=max(run.first, first), last=run.last if last is None else min(run.last, last)
        )
        if before is not None and before.last + 1 == found.first and before[2:] == found[2:]:
            before = before._replace(last=found.last)
            continue
        if before is not None:
            yield before
        before = found
    if before is not None:
        yield before


def runs_fingerprint(runs: Iterable[PresentRun], first: int, last: int) -> bytes:
    """Return SHA-256 over the lines of the runs of the units first .. last, which are given in order."""
    digest = hashlib.sha256()
    for run in joined_runs(runs, first, last):
        digest.update(_run_line(run))
    return digest.digest()


def batch_fingerprint(facts: BatchFacts, runs: Iterable[PresentRun]) -> tuple[bytes, int]:
    """Return SHA-256 over the lines of a batch: its own, recalls, packed ranges and runs. Return how many runs, too."""
    digest, count, row = hashlib.sha256(), 0, facts.row
    digest.update(
        _line(
            "batch", row.batch, row.product, row.brand, row.lot, row.size, row.made_on, row.expires_on,
            row.suggested_minor, row.suggested_currency, row.suggested_per_units, row.code_key,
            row.head, row.head_position,
        )
    )  # fmt: skip
    for position, since, until, ranges in facts.recalls:
        units = ",".join(f"{part.first}-{part.last}" for part in ranges)
        digest.update(_line("recall", position, since, until, units))
    for first, last, sscc in facts.packed:
        digest.update(_line("packed", first, last, sscc))
    for run in joined_runs(runs):
        digest.update(_run_line(run))
        count += 1
    return digest.digest(), count


def party_fingerprint(
    row: PartyRow,
    authorizations: Iterable[AuthorizationRow],
    products: Iterable[tuple[str, ...]],
    keys: Iterable[KeyRow],
) -> bytes:
    """Return SHA-256 over the lines of a party: its own, its authorizations and its keys, each oldest first.

    ``products`` has the GTINs of each authorization.
    """
    digest = hashlib.sha256(_line("party", row.party, row.kind, row.head, row.head_position))
    for given, gtins in zip(authorizations, products, strict=True):
        digest.update(
            _line(
                "authorization", given.position, given.upline, given.tier, given.valid_from, given.valid_until,
                given.revoked_from, given.region.encode(), ",".join(gtins),
            )
        )  # fmt: skip
    _add_keys(digest, keys)
    return digest.digest()


def operator_fingerprint(keys: Iterable[KeyRow]) -> bytes:
    """Return SHA-256 over the lines of the operator: its own, and its keys, oldest first."""
    digest = hashlib.sha256(_line("operator"))
    _add_keys(digest, keys)
    return digest.digest()


class BookFingerprint:
    """The fingerprint of a book: SHA-256 over a line for each batch, the operator and each party. They come in order:
    batches by number, then the operator, then parties by the bytes of their ids.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256(HEADER)

    def add_batch(self, number: int, fingerprint: bytes) -> None:
        """Add the next batch."""
        self._digest.update(_line("batch", number, fingerprint))

    def add_party(self, party: str, fingerprint: bytes) -> None:
        """Add the operator, whose name is OPERATOR, or the next party."""
        word = ("operator",) if party == OPERATOR else ("party", party)
        self._digest.update(_line(*word, fingerprint))

    def digest(self) -> bytes:
        """Return the fingerprint, of 32 bytes."""
        return self._digest.digest()


def _add_keys(digest: "hashlib._Hash", keys: Iterable[KeyRow]) -> None:
    for key in keys:
        endorser = "operator" if key.endorser == OPERATOR else f"party:{key.endorser}"
        digest.update(
            _line(
                "key",
                key.position,
                key.key,
                key.registered_at,
                key.recovery_key,
                endorser,
                key.revoked_position,
            )
        )


def _run_line(run: PresentRun) -> bytes:
    # Written out, because a book may have millions of runs.
    return (
        f"run {run.first} {run.last} {run.owner} {run.custodian} {run.state} {run.transfer} {run.hop}"
        f" {run.moved_from or _EMPTY} {run.position} {run.head.hex()}\n"
    ).encode()


def _line(*fields: str | int | bytes | None) -> bytes:
    return (" ".join(map(_field, fields)) + "\n").encode()


def _field(value: str | int | bytes | None) -> str:
    if value is None or value in ("", b""):
        return _EMPTY
    return value.hex() if isinstance(value, bytes) else str(value)
