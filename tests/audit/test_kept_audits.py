"""An audit that was interrupted goes on, with the result of one in one piece, and from nothing but its own state."""

import hashlib
import time
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.book import Book
from pathbook.audit.differences import Difference, DifferenceError, Rule, UncheckableError
from pathbook.audit.fingerprints import book_fingerprint
from pathbook.audit.kept import KeptAuditor, KeptBook
from pathbook.audit.state_directory import REPLAYED, StateDirectory, StateError
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.rules.state import State
from tests.audit import edited_books, honest_book, signed_books
from tests.audit.sealed_books import SealedBook
from tests.examples import examples
from tests.services.forking import PipedFork

ORIGIN: Final = "pathbook/book"
LOGS: Final = {"honest": honest_book.LOG, "signed": signed_books.LOG}
SYNTHETIC: Final = tuple(data for _, data in SealedBook(3, 250).entries)
END: Final = (*honest_book.LOG, b"")
"""What a hostile log may put after the honest one: an event that is none."""


def kept_and_restored(auditor: Auditor) -> Auditor:
    """Return an auditor as another process would have it."""
    data = msgspec.msgpack.encode(auditor.kept())
    return Auditor.restored(msgspec.msgpack.decode(data, type=KeptAuditor))


def taken(auditor: Auditor, log: tuple[bytes, ...]) -> Replayed | Difference | str:
    """Return what comes of the rest of a log."""
    try:
        for data in log[auditor.position :]:
            auditor.take(data)
        return auditor.finish()
    except DifferenceError as error:
        return error.difference
    except UncheckableError as error:
        return str(error)


def whole(log: tuple[bytes, ...]) -> tuple[Replayed | Difference | str, bytes]:
    """Return what comes of a log in one piece, and the fingerprint of its book."""
    auditor = Auditor()
    return taken(auditor, log), book_fingerprint(auditor.book)


@pytest.mark.parametrize("name", LOGS)
def test_an_audit_goes_on_from_any_event(name: str) -> None:
    """What was kept after any event leads to the same tree, seals and fingerprint. Keeping changes nothing."""
    log = LOGS[name]
    result = whole(log)
    assert isinstance(result[0], Replayed)
    going = Auditor()
    for position in range(len(log)):
        if position % 3 == 0:
            restored = kept_and_restored(going)
            assert (taken(restored, log), book_fingerprint(restored.book)) == result, position
        going.take(log[position])
    assert (going.finish(), book_fingerprint(going.book)) == result


OF_DECIDING: Final = {
    "book", "keys", "taken_keys", "holdings", "deadlines", "budget", "authority_moment", "authority",
    "authority_of_sides",
}  # fmt: skip
"""What a state has to decide commands. An auditor decides none, or the state makes it again."""


def test_all_that_an_auditor_knows_of_a_book_is_kept() -> None:
    """A new field of a state or a book has to be kept, or named here with what only deciding needs."""
    kept = set(KeptBook.__struct_fields__)
    assert set(vars(State(""))) - OF_DECIDING - {"partitions"} <= kept
    assert set(vars(Book())) - {"state", "heads"} <= kept, "heads follow from those of the custody"


def test_an_audit_of_a_busy_book_goes_on() -> None:
    """Random events of every kind, with many hops, cases and corrections, are replayed in parts as in one piece."""
    result = whole(SYNTHETIC)
    assert isinstance(result[0], Replayed)
    auditor = Auditor()
    for position in range(0, len(SYNTHETIC), 40):
        taken(auditor, SYNTHETIC[: position + 40])
        auditor = kept_and_restored(auditor)
    assert (taken(auditor, SYNTHETIC), book_fingerprint(auditor.book)) == result


EDITS: Final = [
    edited
    for name, attack in edited_books.ATTACKS.items()
    if name not in ("a bit of an event flipped", "another event in its place")
    for edited in list(attack())[::4]
]


@settings(max_examples=examples(12, 30))
@given(edited=st.sampled_from(EDITS), after=st.integers(1, 500))
def test_a_difference_is_the_same_after_an_interruption(edited: honest_book.Edited, after: int) -> None:
    """Whatever was edited is found with the same position and rule, wherever before it the audit was interrupted."""
    expected = taken(Auditor(), edited.log)
    auditor = Auditor()
    until = after % edited.position
    assert isinstance(taken(auditor, edited.log[:until]), Replayed | Difference)
    assert taken(kept_and_restored(auditor), edited.log) == expected


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory that keeps the first half of the honest book."""
    auditor = Auditor()
    taken(auditor, honest_book.LOG[:40])
    with StateDirectory(tmp_path / "state") as state:
        assert state.load(ORIGIN, "key") is None
        state.keep(auditor)
        state.note = "a note"
        state.keep(auditor)
    return tmp_path / "state"


def refused(path: Path, origin: str = ORIGIN, key: str = "key") -> str:
    """Return the reason for which a state is not used."""
    with StateDirectory(path) as state, pytest.raises(StateError) as error:
        state.load(origin, key)
    assert str(path) in str(error.value)
    return error.value.reason


def test_a_state_is_bound_to_its_book_and_to_this_program(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not used for another book, a log with another key, or by another version. One process has it at a time."""
    with StateDirectory(kept) as state:
        auditor = state.load(ORIGIN, "key")
        assert (auditor is not None, state.note, state.log_key) == (True, "a note", "key")
        assert auditor is not None
        assert taken(auditor, honest_book.LOG) == whole(honest_book.LOG)[0]
        with pytest.raises(StateError) as error:
            StateDirectory(kept)
        assert error.value.reason == "AUDIT_STATE_IN_USE"
        assert state.load(ORIGIN, "") is not None, "a directory names no key"
    assert refused(kept, origin="pathbook/other") == "AUDIT_STATE_OF_OTHER_BOOK"
    assert refused(kept, key="other") == "AUDIT_STATE_OF_OTHER_BOOK"
    monkeypatch.setattr("importlib.metadata.version", lambda _: "999")
    assert refused(kept) == "AUDIT_STATE_OF_OTHER_PROGRAM"


def test_a_changed_state_is_refused(kept: Path) -> None:
    """A flipped bit, a cut file and a file of something else are told, and so is one that holds no auditor."""
    file = kept / REPLAYED
    data = file.read_bytes()
    for place in range(0, len(data), len(data) // 40):
        changed = bytearray(data)
        changed[place] ^= 1
        file.write_bytes(changed)
        assert refused(kept) == "AUDIT_STATE_CHANGED"
    for part in (b"", data[:50], data[:-1], b"something else"):
        file.write_bytes(part)
        assert refused(kept) == "AUDIT_STATE_CHANGED"


def test_a_forged_state_ends_in_no_traceback(kept: Path) -> None:
    """A file whose checksum is right may hold anything. It is refused, or is the state of an auditor."""
    file = kept / REPLAYED
    data = file.read_bytes()
    begin = data.index(b"\n") + 1 + 32
    loaded = 0
    for place in range(begin, len(data), len(data) // 150):
        changed = bytearray(data[begin:])
        changed[place - begin] ^= 1 << place % 8
        file.write_bytes(data[: begin - 32] + hashlib.sha256(changed).digest() + changed)
        with StateDirectory(kept) as state:
            try:
                auditor = state.load(ORIGIN, "key")
            except StateError:
                continue
            assert auditor is not None
            loaded += 1
    assert loaded < 150, "most values are of some use, and not all"


KILLED: Final = """
import sys
from pathlib import Path
from pathbook.audit.auditor import Auditor
from pathbook.audit.state_directory import StateDirectory
from tests.examples import examples
from tests.audit.honest_book import LOG
auditor = Auditor()
with StateDirectory(Path(sys.argv[1])) as state:
    for data in LOG * 1000:
        auditor.take(data) if auditor.position < len(LOG) else None
        state.keep(auditor)
        print(auditor.position, flush=True)
"""


def test_a_killed_audit_leaves_a_whole_state(tmp_path: Path) -> None:
    """Killed at once while it keeps its state again and again, it leaves the last state or the one before."""
    with PipedFork(str(tmp_path / "state"), program=KILLED) as process:
        assert process.stdout.readline()
        time.sleep(0.3)
        process.kill()
        printed = [1, *map(int, process.stdout.read().split())]
    with StateDirectory(tmp_path / "state") as state:
        auditor = state.load(ORIGIN, "")
        assert auditor is not None
        assert auditor.position in (printed[-1], printed[-1] + 1)
        assert taken(auditor, honest_book.LOG) == whole(honest_book.LOG)[0]


def test_a_demanded_checkpoint_is_demanded_after_an_interruption() -> None:
    """An audit that stopped before a checkpoint goes on to demand it, until the tree has as many events."""
    end = Auditor()
    taken(end, honest_book.LOG)
    root, size = end.replayed().root, len(honest_book.LOG)
    for right in (True, False):
        auditor = Auditor()
        taken(auditor, honest_book.LOG[:40])
        demanded = Checkpoint(ORIGIN, size, root if right else bytes(32))
        assert auditor.expect(demanded, is_demanded=True)
        later = kept_and_restored(kept_and_restored(auditor))
        assert later.kept().demanded == [demanded]
        cut = taken(kept_and_restored(auditor), honest_book.LOG[: size - 1])
        assert isinstance(cut, Difference)
        assert cut.rule is Rule.CHECKPOINT_SIZE
        found = taken(later, honest_book.LOG)
        if right:
            assert isinstance(found, Replayed)
            assert later.kept().demanded == []
        else:
            assert isinstance(found, Difference)
            assert (found.position, found.rule) == (size, Rule.CHECKPOINT_ROOT)


def test_a_checkpoint_of_the_source_itself_is_not_demanded_of_another() -> None:
    """A directory may be an older copy, and ends before what the server signed last."""
    auditor = Auditor()
    taken(auditor, honest_book.LOG[:40])
    auditor.expect(Checkpoint(ORIGIN, 10_000, bytes(32)))
    assert isinstance(taken(kept_and_restored(auditor), honest_book.LOG), Replayed)
