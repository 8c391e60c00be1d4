"""Every verb that writes signs with --sign-with, and the book holds each event to its signature."""

import re
from pathlib import Path
from typing import Final

import click
import pytest

from pathbook.client import Client
from pathbook.client.statements import KINDS
from pathbook.ledger.codec.statements import read_statement
from pathbook.ledger.proofs.statements import is_statement_signed
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.events_pb2 import Event
from tests.cli.conftest import pathbook
from tests.cli.signing import GTIN, SigningBook
from tests.cli.verbs import verbs

CASE: Final = "106141411234567897"
SOLD: Final = "--seller ann --consumer c-1 --price 300CNY"

STORY: Final = (
    ("acme", f"product register {GTIN} --brand acme --name Mask --price 300CNY"),
    ("acme", f"batch commission {GTIN} --brand acme --lot A --size 100 --made-on 2026-01-01"),
    ("acme", "offer --giver acme --receiver ann --units 1:0-9 --price 150CNY"),
    ("ann", "accept {last} --receiver ann --short 1:9"),
    ("acme", "offer --giver acme --receiver ann --count 1 --of 1 --price 150CNY"),
    ("ann", "decline {last} --receiver ann --note dear"),
    ("acme", "offer --giver acme --receiver ann --units 1:10 --price 150CNY"),
    ("acme", "withdraw {last} --giver acme"),
    ("acme", "record --giver acme --receiver ann --units 1:20-29 --price 150CNY"),
    ("ann", "reverse {last} --party ann --note wrong"),
    ("acme", "record --giver acme --receiver ann --units 1:30 --price 150CNY --later"),
    ("acme", "deliver --custodian acme --receiver ann --units 1:30"),
    ("ann", f"sell {SOLD} --units 1:0"),
    ("ann", "return --owner ann --units 1:1 --note torn"),
    ("ann", "write-off --party ann --units 1:2 --state lost --note gone"),
    ("ann", "correct event {last} --by ann"),
    ("acme", f"case pack {CASE} --party acme --units 1:50-59"),
    ("acme", f"case unpack {CASE} --party acme"),
    ("acme", "batch recall 1 --brand acme --units 1:90 --note torn"),
    ("acme", "batch lift {last} --brand acme"),
    ("acme", f"correct product {GTIN} --brand acme --name Masks"),
    ("acme", "correct batch 1 --brand acme --expires-on 2030-01-01"),
    ("operator", "correct party ann --kind shop"),
    ("operator", "party register bob --kind agent"),
    ("acme", "party authorize bob --upline acme --tier 1"),
    ("acme", "party revoke {last} --upline acme"),
)
"""Each verb that writes, with the key that signs. ``{last}`` is the position of the event before."""

UNSIGNED: Final = {
    ("book", "open"), ("confirm",), ("import",),
    ("keys", "endorse"), ("keys", "recover"), ("keys", "register"), ("keys", "revoke"), ("keys", "rotate"),
}  # fmt: skip
"""The verbs that write, or sign, another thing than a statement of their own."""


def test_the_story_has_every_verb_that_signs() -> None:
    """A verb with --sign-with is in the story, unless it signs something else."""
    signing = {
        path
        for path, command in verbs()
        if any(option.name == "sign_with" for option in command.params if isinstance(option, click.Option))
    }
    told = {path for path in signing if any(line.startswith(" ".join(path) + " ") for _, line in STORY)}
    assert signing - told == UNSIGNED - {("book", "open"), ("confirm",)}


def test_each_verb_that_writes_signs(tmp_path: Path) -> None:
    """Each event keeps the statement of the party that asked, signed with its key. All kinds of statements occur."""
    book = SigningBook(tmp_path)
    for party, kind in (("acme", "brand"), ("ann", "agent")):
        book.ran("party", "register", party, "--kind", kind, *book.by("operator"))
        book.new(party, party)
        book.register(party, "operator")
    kinds: dict[int, str] = {}
    with running(Settings(data=tmp_path / "books", listen="127.0.0.1:0")) as port:
        server = ["--server", f"127.0.0.1:{port}"]
        client = Client(f"127.0.0.1:{port}", book="book")
        last = 0
        for name, line in STORY:
            words = line.format(last=last).split()
            ran = pathbook(*words, *book.by(name), *server, "--output", "json")
            assert ran.code == 0, (words, ran)
            receipt = ran.json()["receipt"]
            assert isinstance(receipt, dict)
            last = int(receipt["position"])
            (batch,) = client.read(last - 1, limit=1)
            event = Event.FromString(batch.events[0])
            statement = read_statement(event.statement)
            assert statement.party == ("" if name == "operator" else name)
            assert is_statement_signed(statement.key, event.signature, event.statement)
            kinds[last] = statement.kind
        client.close()
    assert set(kinds.values()) == set(KINDS.values())


def test_the_environment_names_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PATHBOOK_SIGN_WITH and PATHBOOK_PASSPHRASE_FILE, a party types its requests as before."""
    book = SigningBook(tmp_path)
    book.ran("party", "register", "acme", "--kind", "brand")
    book.new("acme", "acme")
    book.register("acme", "operator")
    line = ["product", "register", GTIN, "--brand", "acme", "--name", "Mask", "--price", "300CNY"]
    ran = book.ran(*line, code=1)
    assert ran.err.startswith("pathbook: STATEMENT_REQUIRED: ")
    monkeypatch.setenv("PATHBOOK_SIGN_WITH", book.key("acme"))
    monkeypatch.setenv("PATHBOOK_PASSPHRASE_FILE", str(book.secret))
    book.ran(*line)
    assert book.ran("product", "list").code == 0


def test_a_verb_that_cannot_sign_says_so(tmp_path: Path) -> None:
    """A read, the opening of a book and the confirmation of a consumer do not take the option."""
    for line in (
        ["stock", "ann"],
        ["book", "open", "masks"],
        ["confirm", "--consumer", "c-1", "--units", "1:0", "--paid", "1CNY"],
    ):
        ran = pathbook(*line, "--sign-with", "ann.key", "--data", str(tmp_path))
        assert (ran.code, "No such option" in ran.err) == (2, True)


def test_an_offered_transfer_shows_who_signed(tmp_path: Path) -> None:
    """`transfer show` and `path` say whose key vouches for a step."""
    book = SigningBook(tmp_path)
    for party, kind in (("acme", "brand"), ("ann", "agent")):
        book.ran("party", "register", party, "--kind", kind)
        book.new(party, party)
        book.register(party, "operator")
    told = [book.ran(*line.format(last=9).split(), *book.by(name)) for name, line in STORY[:4]]
    assert told[-1].out == "Recorded at position 10: units 1:0-8.\n"
    seen = told[-1].err.splitlines()  # what is answered, before it is signed
    assert seen[0] == "You sign an answer to"
    assert re.search(
        r"9 .* transfer_offered .*giver=acme receiver=ann ranges=1:0-9 unit_price=150.00CNY", seen[1]
    )
    assert "attested by  both keys" in book.ran("transfer", "show", "9").out
    lines = [line.split() for line in book.ran("path", "1:0").out.splitlines() if "transferred" in line]
    assert [line[-2:] for line in lines] == [["both", "keys"]]
