"""Books on the command line: opened, listed and shown, and the first book of a user without a server."""

import json
from pathlib import Path

import pytest

from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import Ran, pathbook
from tests.postgres import drop_database, new_database

BRAND = ("party", "register", "acme", "--kind", "brand")


def refused(ran: Ran, reason: str) -> None:
    """Expect a refusal with a reason."""
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"pathbook: {reason}: ")


def check_first_book(*place: str) -> None:
    """The first command that writes opens the book, and says so. The second does not."""
    first = pathbook(*place, *BRAND)
    assert (first.code, first.out) == (0, "Recorded at position 2.\n")
    assert first.err == "Opened book 'book', the first one here.\n"
    second = pathbook(*place, "party", "register", "ann", "--kind", "agent")
    assert (second.code, second.out, second.err) == (0, "Recorded at position 3.\n", "")
    refused(pathbook(*place, "--book", "other", *BRAND), "BOOK_UNKNOWN")
    assert "`pathbook book open other`" in pathbook(*place, "--book", "other", *BRAND).err


def test_the_first_command_in_a_directory_opens_the_book_and_says_so(tmp_path: Path) -> None:
    """Without a server the user is the operator. Only an empty or new directory gets a book by itself."""
    check_first_book("--data", str(tmp_path / "new"))


def test_the_first_command_in_a_database_opens_the_book_and_says_so(tmp_path: Path) -> None:
    """A database that holds no book at all gets one like a directory."""
    database = new_database()
    check_first_book("--data", str(tmp_path), "--database", database)
    drop_database(database)


def test_the_first_book_has_the_name_that_was_given(tmp_path: Path) -> None:
    """With --book, the first book is that one. JSON on stdout and stderr stays JSON."""
    place = ("--data", str(tmp_path), "--book", "masks", "--output", "json")
    ran = pathbook(*place, *BRAND)
    assert (ran.code, ran.err) == (0, "")
    (book,) = json.loads(pathbook(*place[:2], *place[4:], "book", "list").out)["books"]
    assert (book["name"], book["position"]) == ("masks", "2")


def test_a_wrong_command_line_opens_no_book(tmp_path: Path) -> None:
    """A usage error and a read leave a directory as it was."""
    place = ("--data", str(tmp_path / "new"))
    assert pathbook(*place, "party", "register", "acme").code == 2
    for read in (["book", "list"], ["book", "show", "book"], ["events", "read"], ["party", "list"]):
        ran = pathbook(*place, *read)
        assert (ran.code, ran.out) == (4, "")
        assert "There are no books in" in ran.err
        assert "`pathbook book open NAME` opens one there." in ran.err
    assert not (tmp_path / "new").exists()


def test_books_are_opened_listed_and_shown(tmp_path: Path) -> None:
    """Each book has its own origin and policy. An opening is refused if the book is open already, or is malformed."""
    place = ("--data", str(tmp_path))
    named = ("--origin", "acme.example/masks", "--max-tier", "3")
    ran = pathbook(*place, "book", "open", "masks", *named, "--request-id", "1")
    assert (ran.out, ran.err) == ("Recorded at position 1.\n", "")
    again = pathbook(*place, "book", "open", "masks", *named, "--request-id", "1")
    assert again.out == "Recorded before, with the same request id, at position 1.\n"
    assert pathbook(*place, "book", "open", "balms").code == 0
    refused(pathbook(*place, "book", "open", "masks"), "BOOK_EXISTS")
    refused(pathbook(*place, "book", "open", "no/name"), "BOOK_MALFORMED")
    assert "NAME is empty" in pathbook(*place, "book", "open", "").err
    refused(pathbook(*place, "book", "show", "no/name"), "BOOK_MALFORMED")
    refused(pathbook(*place, "book", "open", "creams", "--origin", "a b"), "ORIGIN_MALFORMED")
    refused(pathbook(*place, "book", "open", "creams", "--max-tier", "101"), "TIER_OUT_OF_BOUNDS")
    refused(pathbook(*place, *BRAND), "BOOK_UNKNOWN")
    refused(pathbook(*place, "book", "show", "creams"), "BOOK_UNKNOWN")
    title, balms, masks = pathbook(*place, "book", "list").out.splitlines()
    assert title.split("  ")[0] == "book"
    assert balms.split()[:2] == ["balms", "pathbook/balms"]
    assert masks.split()[:3] == ["masks", "acme.example/masks", "3"]
    shown = pathbook(*place, "book", "show", "masks").out
    for line in ("origin         acme.example/masks", "deepest tier   3", "last position  1"):
        assert line in shown
    assert "deepest tier   100" in pathbook(*place, "book", "show", "balms").out
    found = pathbook(*place, "book", "show", "masks", "--output", "json").json()
    assert (found["origin"], found["policy"]) == ("acme.example/masks", {"max_tier": 3, "signed": False})


@pytest.mark.parametrize("verb", [BRAND, ("party", "list"), ("path", "1:0")])
def test_a_served_book_is_not_opened_by_itself(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """A caller of a server is told how its operator opens a book, which then works."""
    with running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port:
        server = ("--server", f"127.0.0.1:{port}")
        assert pathbook(*server, "book", "list").out == "no books\n"
        ran = pathbook(*server, *verb)
        refused(ran, "BOOK_UNKNOWN")
        assert "`pathbook book open book`" in ran.err
        assert pathbook(*server, "book", "list").out == "no books\n"
        assert pathbook(*server, "book", "open", "book").out == "Recorded at position 1.\n"
        assert pathbook(*server, *BRAND).out == "Recorded at position 2.\n"


def test_a_command_that_first_builds_the_views_prints_nothing_else(tmp_path: Path) -> None:
    """A start that takes less than some seconds is not worth a warning of the health checks."""
    place = ("--data", str(tmp_path))
    assert pathbook(*place, "book", "open", "masks").code == 0
    for views in tmp_path.glob("views*"):
        views.unlink()
    shown = pathbook(*place, "book", "list")
    assert (shown.code, shown.err) == (0, "")
    assert "masks" in shown.out
