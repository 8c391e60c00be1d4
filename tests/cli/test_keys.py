"""The keys of codes on the command line: they are listed and rotated, and no verb but `codes` shows a code."""

import json
import stat
from pathlib import Path

import pytest

from pathbook.cli.demo import SECRET
from pathbook.cli.story import GTIN, NEW, OLD, SOLD
from pathbook.ledger.serials import (
    MAX_KEYS,
    BookKey,
    fingerprint,
    parse_key_ring,
    print_book_key,
    print_serial,
)
from tests.cli.conftest import Ran, pathbook

SERIALS = [
    print_serial(BookKey(SECRET), "book", batch, number) for batch in (NEW, OLD) for number in range(100)
]
"""The codes of all boxes of the demo."""


class Labels:
    """A book whose codes are printed, and the directory of its key."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ran("party", "register", "acme", "--kind", "brand")
        self.ran("product", "register", GTIN, "--brand", "acme", "--name", "Mask", "--price", "300 CNY")
        self.make("A")

    def ran(self, *arguments: str, code: int = 0) -> Ran:
        """Run a command that exits with a code."""
        ran = pathbook(*arguments, "--data", str(self.data))
        assert ran.code == code, ran
        return ran

    def make(self, lot: str) -> None:
        """Commission ten units of a lot."""
        made = ("--lot", lot, "--size", "10", "--made-on", "2026-01-01", "--request-id", f"lot {lot}")
        self.ran("batch", "commission", GTIN, "--brand", "acme", *made)

    def key_of(self, batch: int) -> object:
        """Return the fingerprint of the key of a batch, as it is printed for scripts."""
        return self.ran("batch", "show", str(batch), "--output", "json").json()["code_key"]

    def code(self, batch: int) -> str:
        """Return the code of the first unit of a batch."""
        return self.ran("codes", f"{batch}:0").out.strip()


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    """A book with a batch of ten units."""
    return Labels(tmp_path / "data")


def test_a_key_is_rotated(labels: Labels) -> None:
    """A rotation says what it did. The new key is for new batches, and codes of old batches are still verified."""
    path = labels.data / "codes.key"
    old = labels.code(1)
    (first,) = parse_key_ring(path.read_text()).by_fingerprint.values()
    told = labels.ran("key", "rotate").out
    keys = list(parse_key_ring(path.read_text()).by_fingerprint.values())
    names = [fingerprint(key).hex() for key in keys]
    assert keys[0] == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told.startswith(f"Key {names[1]} is added to {path}, as generation 2.")
    assert "Running servers of this directory read it by themselves." in told
    labels.make("A")  # a retry
    labels.make("B")
    assert [labels.key_of(1), labels.key_of(2)] == names
    assert f"code key         {names[1]}" in labels.ran("batch", "show", "2").out
    assert labels.ran("verify", old).out.splitlines()[-1].startswith("verified: ")
    assert labels.ran("verify", labels.code(2)).out.splitlines()[-1].startswith("verified: ")
    copied = print_serial(first, "book", 2, 0)
    answer = labels.ran("verify", copied, "--output", "json", code=3).json()
    assert (answer["verdict"], answer["path"]) == ("code of another key", None)
    checks = answer["checks"]
    assert isinstance(checks, list)
    assert [check["number"] for check in checks if check["result"] == "FAILED"] == [2]
    assert labels.ran("path", copied, code=3).err.startswith("pathbook: CODE_KEY_RETIRED: ")


def test_keys_are_listed_without_their_secrets(labels: Labels) -> None:
    """Each key is listed by generation and fingerprint, the current one is marked, and no secret is shown."""
    added = labels.ran("key", "rotate", "--output", "json").json()
    listed = labels.ran("key", "list", "--output", "json").json()["keys"]
    assert isinstance(listed, list)
    assert [(key["generation"], key["current"]) for key in listed] == [(1, False), (2, True)]
    assert added == {"data": str(labels.data), "generation": 2, "code_key": listed[1]["code_key"]}
    lines = labels.ran("key", "list", "--output", "jsonl").out.splitlines()
    assert list(map(json.loads, lines)) == listed
    table = labels.ran("key", "list").out
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["1", listed[0]["code_key"], "older", "batches"],
        ["2", listed[1]["code_key"], "new", "batches"],
    ]
    for line in (labels.data / "codes.key").read_text().splitlines():
        assert line.split()[1] not in table


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "is missing"),
        ("x", "cannot be used (line 1: this is not a book key"),
        (
            "".join(print_book_key(BookKey(bytes([n]) * 32)) for n in range(MAX_KEYS)),
            "has 100 keys, the most",
        ),
    ],
)
def test_a_rotation_that_cannot_be_made_changes_nothing(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    """Without a readable key file that has room, the verb exits 4 with a sentence, and writes nothing."""
    path = tmp_path / "codes.key"
    if text is not None:
        path.write_text(text)
    ran = pathbook("key", "rotate", "--data", str(tmp_path))
    assert (ran.code, ran.out) == (4, "")
    assert f"{path} {problem}" in ran.err
    assert ran.err.count("\n") == 1
    assert (path.read_text() if path.exists() else None) == text
    assert len(list(tmp_path.iterdir())) == (text is not None)


def test_a_rotation_needs_the_directory(tmp_path: Path) -> None:
    """The key is in no server's contract, so --server is a usage error. A missing directory is named."""
    ran = pathbook("key", "rotate", "--server", "127.0.0.1:1")
    assert ran.code == 2
    assert "Leave out --server: 'pathbook key rotate' does not use it. It uses --data, --output." in ran.err
    nowhere = tmp_path / "nowhere"
    ran = pathbook("key", "rotate", "--data", str(nowhere))
    assert ran.code == 4
    assert str(nowhere) in ran.err
    assert not nowhere.exists()


def test_no_verb_but_codes_shows_a_code(server: str) -> None:
    """Whatever is asked by number is answered by number, as a table and for scripts."""
    asks = (
        ["path", f"{NEW}:{SOLD}"],
        ["path", f"{NEW}:{SOLD}", "--corrections", "--as-of", "20"],
        ["path", f"{NEW}:100"],
        ["batch", "show", str(NEW)],
        ["batch", "list"],
        ["stock", "agent-5"],
        ["ladder", str(NEW)],
        ["party", "list"],
        ["product", "list"],
        ["transfer", "list", "agent-5"],
        ["transfer", "show", "21"],
        ["events", "read"],
    )
    for ask in asks:
        for output in ("table", "json", "jsonl"):
            ran = pathbook("--server", server, *ask, "--output", output)
            assert ran.out or ran.err
            assert not [serial for serial in SERIALS if serial in ran.out + ran.err], ask
    shown = pathbook("--server", server, "path", f"{NEW}:{SOLD}").out.splitlines()[0]
    assert shown == f"unit             {NEW}:{SOLD}"
    serial = print_serial(BookKey(SECRET), "book", NEW, SOLD)
    shown = pathbook("--server", server, "path", serial.lower()).out.splitlines()[0]
    assert shown == f"unit             {NEW}:{SOLD}, serial {serial}"
