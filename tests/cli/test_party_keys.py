"""The keys of parties on the command line: made, registered on one machine or two, rotated, recovered and revoked."""

import stat
from pathlib import Path

import pytest

from pathbook.cli import passphrase
from tests.cli.conftest import pathbook
from tests.cli.signing import ORIGIN, SigningBook


@pytest.fixture
def book(tmp_path: Path) -> SigningBook:
    """A signed book with a brand that has a key, and an agent that has none."""
    book = SigningBook(tmp_path)
    for party, kind in (("acme", "brand"), ("ann", "agent")):
        book.ran("party", "register", party, "--kind", kind, *book.by("operator"))
    book.new("acme", "acme")
    book.register("acme", "operator")
    book.ran("party", "authorize", "ann", "--upline", "acme", "--tier", "1", *book.by("acme"))
    return book


def test_a_key_is_made_in_a_file_that_is_never_overwritten(book: SigningBook) -> None:
    """The public part is printed, the file is its owner's, and a second key of the name is refused."""
    secret = ["--passphrase-file", str(book.secret)]
    ran = pathbook("keys", "new", book.key("x"), "--party", "ann", "--origin", "o", *secret)
    assert [line.split()[0] for line in ran.out.splitlines()] == ["file", "origin", "party", "key"]
    path = Path(book.key("x"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert ran.out.split()[-1] in text
    again = pathbook("keys", "new", str(path), "--origin", "o", *secret)
    assert (again.code, again.out) == (4, "")
    assert (
        again.err
        == f"pathbook: FILE_EXISTS: {path} is there already. Nothing was changed. Name another file.\n"
    )
    assert path.read_text() == text


def test_a_key_gets_the_origin_of_the_book(book: SigningBook) -> None:
    """Without --origin, the book is asked for it."""
    made = book.ran(
        "keys", "new", book.key("x"), "--passphrase-file", str(book.secret), "--output", "json"
    ).json()
    assert (made["origin"], made["party"]) == (ORIGIN, "")


def test_a_passphrase_is_typed_or_in_a_file_and_never_an_argument(
    book: SigningBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal is asked, twice for a new file. Without one, the sentence says how to give it."""
    line = ["keys", "new", book.key("typed"), "--origin", ORIGIN, "--party", "acme"]
    ran = pathbook(*line)
    assert (ran.code, ran.out) == (2, "")
    assert "needs a passphrase. Give --passphrase-file FILE (or PATHBOOK_PASSPHRASE_FILE)" in ran.err
    asked: list[tuple[str, bool]] = []

    def type_it(*, twice: bool, what: str) -> str:
        asked.append((what, twice))
        return "typed by hand"

    monkeypatch.setattr(passphrase, "can_ask", lambda: True)
    monkeypatch.setattr(passphrase, "ask_passphrase", type_it)
    assert pathbook(*line).code == 0
    book.ran("keys", "rotate", book.key("typed"), "--sign-with", book.key("typed"), code=1)
    name = f"Passphrase of {book.key('typed')}"
    assert asked == [(name, True), (name, False), (name, False)]
    help_ = pathbook("record", "--help").out
    assert "--passphrase-file FILE" in help_
    assert "--passphrase TEXT" not in help_


def test_a_wrong_passphrase_and_a_damaged_file_are_named(book: SigningBook) -> None:
    """Nothing is sent, the exit code is 4, and the sentence has no secret."""
    other = book.place / "other"
    other.write_text("wrong horse")
    wrong = ["--sign-with", book.key("operator"), "--passphrase-file", str(other)]
    ran = book.ran("party", "register", "eve", "--kind", "shop", *wrong, code=4)
    assert ran.err.startswith(f"pathbook: KEY_LOCKED: {book.key('operator')} cannot be opened.")
    assert "horse" not in ran.err
    path = Path(book.key("operator"))
    path.write_text(path.read_text()[:-30])
    ran = book.ran("party", "register", "eve", "--kind", "shop", *book.by("operator"), code=4)
    assert ran.err.startswith(f"pathbook: KEY_FILE_UNUSABLE: {path} cannot be used: ")
    ran = book.ran("party", "register", "eve", "--kind", "shop", *book.by("missing"), code=4)
    assert ran.err.startswith("pathbook: CANNOT_OPEN: ")
    assert len(book.ran("party", "list").out.splitlines()) == 3


def test_a_key_is_registered_from_one_machine(book: SigningBook) -> None:
    """The endorser's key and the new key are both there. The list says who endorsed it, and its recovery key."""
    spare = book.new("spare", "ann")
    new = book.new("ann", "ann", "--recovery", book.key("spare"))
    book.register("ann", "acme")
    (found,) = book.keys_of("ann")
    assert (found["key"], found["recovery_key"], found["endorser"]) == (new, spare, "acme")
    titles, line = book.ran("keys", "list", "ann").out.splitlines()
    assert titles.split("  ")[0] == "key"
    assert (new in line, " acme " in line, " yes " in line) == (True, True, True)
    assert "the operator" in book.ran("keys", "list").out.splitlines()[1]
    ran = book.register("ann", "acme", code=1)
    assert ran.err.startswith("pathbook: KEY_TAKEN: ")


def test_a_key_is_registered_from_two_machines(book: SigningBook) -> None:
    """The party signs a request, the endorser endorses it without a book, and either registers it."""
    new = book.new("ann", "ann")
    secret = ["--passphrase-file", str(book.secret)]
    asked = book.ran("keys", "request", book.key("ann"), "--endorser", "acme", *secret).out
    assert asked.splitlines()[:4] == ["pathbook key v1", f"origin {ORIGIN}", "party ann", f"key {new}"]
    assert asked.splitlines()[-1] == "endorsement "
    path = book.place / "ann.request"
    path.write_text(asked)
    ran = book.ran("keys", "register", str(path), code=2)
    assert "is not endorsed. Give --sign-with FILE" in ran.err
    endorsed = pathbook("keys", "endorse", str(path), *book.by("acme"))
    assert endorsed.err == f"Endorsed: {new} of ann. Compare it with what ann told you.\n"
    assert endorsed.out.splitlines()[:-1] == asked.splitlines()[:-1]
    (book.place / "endorsed").write_text(endorsed.out)
    book.ran("keys", "register", str(book.place / "endorsed"))
    assert book.in_force("ann") == [new]


def test_an_endorser_registers_a_request_at_once(book: SigningBook) -> None:
    """The endorser's machine signs and registers in one command. The request may be made without a book."""
    new = book.new("ann", "ann")
    (acme,) = book.in_force("acme")
    asked = pathbook(
        "keys", "request", book.key("ann"), "--endorser", "acme", "--endorser-key", str(acme),
        "--passphrase-file", str(book.secret), "--output", "json",
    ).json()["request"]  # fmt: skip
    path = book.place / "ann.request"
    path.write_text(str(asked))
    book.ran("keys", "register", str(path), *book.by("acme"))
    assert book.in_force("ann") == [new]


@pytest.mark.parametrize(
    ("line", "other", "problem"),
    [
        ("party ann", "party bob", "did not sign this request"),
        (f"origin {ORIGIN}", "origin other", f"of book other, and the key of --sign-with of {ORIGIN}"),
        ("endorser acme", "endorser ", "names another endorser"),
        ("replaces ", "replaces x", "is not base64"),
        ("replaces \n", "", "is no request to register a key"),
        ("party ann", "name ann", "its line of the party is missing"),
    ],
)
def test_a_request_that_was_changed_is_not_endorsed(
    book: SigningBook, line: str, other: str, problem: str
) -> None:
    """A changed or malformed request is refused before the endorser's key signs."""
    book.new("ann", "ann")
    secret = ["--passphrase-file", str(book.secret)]
    asked = book.ran("keys", "request", book.key("ann"), "--endorser", "acme", *secret).out
    path = book.place / "ann.request"
    path.write_text(asked.replace(line, other))
    ran = pathbook("keys", "endorse", str(path), *book.by("acme"))
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("pathbook: KEY_REQUEST_UNUSABLE: ")
    assert problem in ran.err


def test_a_key_is_rotated(book: SigningBook) -> None:
    """The new key counts from then on, and the old one no longer. What it signed stays."""
    first, second = book.new("ann", "ann"), book.new("ann2", "ann")
    book.register("ann", "acme")
    book.ran("keys", "rotate", book.key("ann2"), *book.by("ann"))
    old, new = book.keys_of("ann")
    assert (old["key"], new["key"], old["revoked_position"]) == (first, second, new["position"])
    ran = book.ran("keys", "rotate", book.key("ann2"), *book.by("ann"), code=1)
    assert ran.err.startswith("pathbook: KEY_TAKEN: ")
    secret = ["--passphrase-file", str(book.secret)]
    assert pathbook("keys", "new", book.key("else"), "--party", "ann", "--origin", "other", *secret).code == 0
    ran = book.ran("keys", "rotate", book.key("else"), *book.by("ann2"), code=2)
    assert "The keys are of two books, other and pathbook/book." in ran.err


def test_a_hostile_rotation_is_undone(book: SigningBook) -> None:
    """A thief of the key file rotates to a key of its own. The recovery key replaces that, and is found by itself."""
    book.new("spare", "ann")
    book.new("ann", "ann", "--recovery", book.key("spare"))
    book.register("ann", "acme")
    thief = book.new("thief", "ann")
    book.ran("keys", "rotate", book.key("thief"), *book.by("ann"))
    assert book.in_force("ann") == [thief]
    mine = book.new("mine", "ann")
    book.ran("keys", "recover", book.key("mine"), *book.by("spare"))
    assert book.in_force("ann") == [mine]
    book.new("more", "ann")
    ran = book.ran("keys", "recover", book.key("more"), *book.by("spare"), code=4)
    assert ran.err.startswith(
        "pathbook: KEY_UNKNOWN: No key in force is of a rotation that this recovery key may undo."
    )


def test_a_key_is_revoked_by_its_party_its_upline_and_the_operator(book: SigningBook) -> None:
    """Nothing is signed with it any more. Another party may not revoke it."""
    revokers: list[tuple[str, str, list[str]]] = [("a", "a", []), ("b", "acme", ["--party", "ann"])]
    for name, by, party in revokers:
        key = book.new(name, "ann")
        book.register(name, "acme")
        book.ran("keys", "revoke", key, *party, *book.by(by))
        assert book.in_force("ann") == []
        lost = ["write-off", "--party", "ann", "--units", "1:0", "--state", "lost", *book.by(name)]
        assert book.ran(*lost, code=1).err.startswith("pathbook: KEY_REVOKED: ")
    key = book.new("d", "ann")
    book.register("d", "acme")
    ran = book.ran("keys", "revoke", str(book.in_force("acme")[0]), "--party", "acme", *book.by("d"), code=1)
    assert ran.err.startswith("pathbook: ENDORSER_NOT_ALLOWED: ")
    ran = book.ran("keys", "revoke", "short", *book.by("d"), code=2)
    assert "A public key is written as `keys list` prints it." in ran.err
    assert book.in_force("ann") == [key]
    book.ran("keys", "revoke", str(book.in_force("acme")[0]), "--party", "acme", *book.by("operator"))
    assert book.in_force("acme") == []
