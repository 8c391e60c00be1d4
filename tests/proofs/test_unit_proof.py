"""Proof files and tlog-proofs: what is printed is read, each proof has one text, and malformed ones are refused."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.proofs import unit_proof
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import COSIGNATURE, VerifierKey, sign_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tlog_proof import TlogProof, parse_tlog_proof
from pathbook.ledger.proofs.unit_proof import (
    FiledStatement,
    PartyProof,
    StoredEvent,
    UnitProof,
    parse_unit_proof,
)
from pathbook.ledger.values import MAX_BATCH_NUMBER, MAX_BATCH_SIZE, Unit
from tests.proofs.prover import LOG, log_key

NOTE: Final = sign_note(
    str(Checkpoint("masks.example/book", 9, bytes(32))), log_key(), lambda m: LOG.sign(m).signature
)

hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple)
stored_events = st.dictionaries(st.integers(1, 2**63 - 1), st.binary(max_size=40), max_size=4).map(
    lambda found: tuple(StoredEvent(*item) for item in sorted(found.items()))
)
tlog_proofs = st.builds(
    TlogProof, index=st.integers(0, 2**63 - 1), path=hashes, checkpoint=st.just(NOTE), extra=st.none()
)
parties = st.lists(
    st.builds(PartyProof, number=st.integers(0, 2**63 - 1), events=stored_events),
    max_size=3,
    unique_by=lambda party: party.number,
).map(lambda found: tuple(sorted(found, key=lambda party: party.number)))
filed_statements = st.lists(
    st.integers(1, 1_000).flatmap(
        lambda size: st.builds(
            FiledStatement,
            position=st.integers(1, 2**63 - 1),
            index=st.integers(0, size - 1),
            size=st.just(size),
            signature=st.binary(min_size=64, max_size=64),
            path=hashes,
        )
    ),
    max_size=3,
    unique_by=lambda filed: (filed.position, filed.index),
).map(lambda found: tuple(sorted(found)))


@st.composite
def proofs(draw: st.DrawFn) -> UnitProof:
    """Draw a proof that is well-formed, and proves nothing."""
    found = draw(parties)
    return UnitProof(
        seal=draw(tlog_proofs),
        log=log_key(),
        unit=Unit(draw(st.integers(0, MAX_BATCH_NUMBER)), draw(st.integers(0, MAX_BATCH_SIZE - 1))),
        sealed=draw(st.binary(max_size=40)),
        custody=draw(hashes),
        batch=draw(hashes),
        batch_events=draw(stored_events),
        events=draw(stored_events),
        register=draw(hashes),
        parties=found,
        filed=draw(filed_statements),
    )


@given(tlog_proofs, st.none() | st.binary(max_size=30))
def test_a_tlog_proof_is_read_as_it_was_printed(proof: TlogProof, extra: bytes | None) -> None:
    """Index, path, checkpoint and extra data survive."""
    whole = TlogProof(proof.index, proof.path, proof.checkpoint, extra)
    assert parse_tlog_proof(str(whole).encode()) == whole


@given(proofs())
def test_a_proof_file_is_read_as_it_was_printed(proof: UnitProof) -> None:
    """All that a proof says survives."""
    assert parse_unit_proof(str(proof).encode()) == proof


@given(proofs(), st.data())
def test_no_byte_of_a_proof_file_changes_nothing(proof: UnitProof, data: st.DataObject) -> None:
    """A text with another byte is refused, or is a text of another proof."""
    text = bytearray(str(proof).encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    try:
        other = parse_unit_proof(bytes(text))
    except MalformedTextError:
        return
    assert other != proof


@given(proofs())
def test_no_line_of_a_proof_file_may_be_missing_or_twice(proof: UnitProof) -> None:
    """A file that ends early, and one that goes on, are refused."""
    lines = str(proof).splitlines(keepends=True)
    start = lines.index(f"{unit_proof.HEADER}\n")
    for end in range(len(lines)):
        with pytest.raises(MalformedTextError):
            parse_unit_proof("".join(lines[:end]).encode())
    for place in range(start, len(lines)):
        with pytest.raises(MalformedTextError):
            parse_unit_proof("".join([*lines[: place + 1], *lines[place:]]).encode())


SMALL: Final = str(
    UnitProof(
        seal=TlogProof(8, (bytes(32),), NOTE),
        log=log_key(),
        unit=Unit(1, 2),
        sealed=b"sealed",
        custody=(bytes(32),),
        batch=(),
        batch_events=(StoredEvent(3, b"a"), StoredEvent(5, b"b")),
        events=(StoredEvent(6, b"c"),),
        register=(bytes(32),),
        parties=(PartyProof(0, (StoredEvent(2, b"d"),)), PartyProof(4, (StoredEvent(4, b"e"),))),
        filed=(
            FiledStatement(7, 1, 3, bytes(64), (bytes(32), bytes(32))),
            FiledStatement(7, 2, 3, bytes(64), (bytes(32),)),
        ),
    )
)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", "first line"),
        ("index 8", "extra AAAA\nindex 8", "extra data"),
        ("index 8", "index 08", "decimal"),
        ("index 8", "place 8", "index"),
        ("unit 1 2", "unit 1", "'unit'"),
        ("unit 1 2", f"unit 1 {MAX_BATCH_SIZE}", "The most is"),
        ("custody 1\n", "custody 65\n", "The most is 64"),
        ("batch-events 2", "batch-events 10001", "The most is 10000"),
        ("batch-events 2", "batch-events 1", "'events'"),
        ("5 Yg==", "3 Yg==", "Position 3"),
        ("5 Yg==", "2 Yg==", "Position 2"),
        ("3 YQ==", "0 YQ==", "Position 0"),
        ("parties 2 1", "parties 1001 1", "The most is 1000"),
        ("parties 2 1", "parties 3 1", "'party'"),
        ("parties 2 1", "parties 1 1", "'filed-statements'"),
        ("parties 2 1", "parties 2 64001", "The most is 64000"),
        ("parties 2 1", "parties 2 0", "'party'"),
        ("parties 2 1", "parties 2 2", "A hash"),
        ("filed-statements 2", "filed-statements 3", "ends before"),
        ("filed-statements 2", "filed-statements 1", "more lines"),
        ("filed-statements 2", "filed-statements 100001", "The most is 100000"),
        ("filed 7 1 3", "filled 7 1 3", "'filed'"),
        ("filed 7 1 3 ", "filed 7 1 ", "decimal"),
        ("filed 7 1 3", "filed 7 3 3", "3 of 3 at position 7"),
        ("filed 7 1 3", "filed 0 1 3", "1 of 3 at position 0"),
        ("filed 7 1 3", "filed 7 1 1001", "1 of 1001"),
        ("filed 7 1 3", f"filed {2**63} 1 3", "decimal|at position"),
        ("filed 7 1 3", "filed 7 2 3", "order in which they were filed"),
        ("filed 7 1 3", "filed 8 1 3", "order in which they were filed"),
        (f"{'A' * 86}==", f"{'A' * 84}==", "signature"),
        (f"{'A' * 86}== {'A' * 43}=", f"{'A' * 86}== {'A' * 42}==", "A hash"),
        (f"{'A' * 86}==", " ".join([f"{'A' * 86}==", *[f"{'A' * 43}="] * 9]), "'filed'"),
        (f"3 {'A' * 86}== {'A' * 43}=\n", "3\n", "'filed'"),
        ("party 4", "party 0", "order of their numbers"),
        (f"log {log_key()}", "log x+00000000+AQ==", "type"),
        (f"log {log_key()}", f"log {VerifierKey('w', COSIGNATURE, bytes(LOG.verify_key))}", "not of a log"),
    ],
)
def test_a_malformed_proof_file_is_refused_by_what_is_wrong(old: str, new: str, why: str) -> None:
    """Each count is limited before anything is read by it, and each line is where it should be."""
    assert old in SMALL
    with pytest.raises(MalformedTextError, match=why):
        parse_unit_proof(SMALL.replace(old, new, 1).encode())


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    """The size is looked at first."""
    with pytest.raises(MalformedTextError, match="The most are"):
        parse_unit_proof(bytes(unit_proof.MAX_BYTES + 1))


def test_a_tlog_proof_has_no_more_hashes_than_a_tree_has_levels() -> None:
    """The 65th hash is refused."""
    text = str(TlogProof(8, (bytes(32),) * 65, NOTE))
    with pytest.raises(MalformedTextError, match="more than 64"):
        parse_tlog_proof(text.encode())
