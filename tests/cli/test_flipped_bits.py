"""A flipped bit anywhere in the log: an answer is right, or damage is told by name. It is never another answer."""

import random
import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from pathbook.ledger.store.database.places import views_file
from tests.cli.conftest import TODAY, pathbook, signing
from tests.examples import examples

NAMED: Final = {"EVENT_DAMAGED", "LOG_DAMAGED", "CANNOT_OPEN"}
"""The reasons that tell of damage. A changed number of the format is one that this program cannot open."""

UNIT: Final = "1:90"
SAID: Final = "Too dear, and late"


class Books(NamedTuple):
    """A book in files, with views at the head and views from before its last events, and the answers of each verb."""

    directory: Path
    verbs: dict[str, list[str]]
    answers: dict[str, str]


@pytest.fixture(scope="module")
def books(demo: Path, closed_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """The book of the demo, and declined offers with notes."""
    directory = Path(shutil.copytree(closed_demo, tmp_path_factory.mktemp("flipped") / "books"))
    first = decline(directory, "1:90", "first")
    shutil.copy(directory / views_file(), directory / "views.before")
    second = decline(directory, "1:91", "second")
    shutil.copy(directory / views_file(), directory / "views.after")
    found = re.search(r'"code": "(\w+)"', done(directory, "codes", UNIT, "--output", "json"))
    assert found is not None
    verbs = {
        "path": ["path", found[1]],
        "verify": ["verify", found[1]],
        "ladder": ["ladder", "1"],
        "stock": ["stock", "agent-5", "--today", TODAY],
        "list": ["transfer", "list", "agent-4"],
        "show": ["transfer", "show", first],
        "show later": ["transfer", "show", second],
        "events": ["events", "read"],
        "books": ["book", "list"],
        "rebuild": ["views", "rebuild"],
        "write": offer(directory, "1:93", "new"),
        "repeat": refusal(directory, first, "first"),
    }
    work = directory.with_name("work")
    answers: dict[str, str] = {}
    for verb, words in verbs.items():
        copy(directory, work, "views.before")
        answers[verb] = text(done(work, *words))
    return Books(directory, verbs, answers)


def offer(keys: Path, units: str, name: str) -> list[str]:
    """Return the words that offer units to the agent before, signed with a key beside some books."""
    sides = ["--giver", "agent-5", "--receiver", "agent-4"]
    offered = ["offer", *sides, "--units", units, "--price", "150 CNY", "--request-id", f"offer-{name}"]
    return [*offered, *signing(keys, "agent-5")]


def refusal(keys: Path, position: str, name: str) -> list[str]:
    """Return the words that decline an offer, signed with a key beside some books."""
    declined = ["decline", position, "--receiver", "agent-4", "--note", SAID, "--request-id", f"no-{name}"]
    return [*declined, *signing(keys, "agent-4")]


def decline(directory: Path, units: str, name: str) -> str:
    """Offer units, decline the offer with a note, and return the position of the offer."""
    found = re.search(r"position (\d+)", done(directory, *offer(directory, units, name)))
    assert found is not None
    done(directory, *refusal(directory, found[1], name))
    return found[1]


def done(directory: Path, *words: str) -> str:
    """Run a verb that must succeed, and return its answer."""
    ran = pathbook(*words, "--data", str(directory))
    assert ran.code == 0, (words, ran)
    return ran.out


def text(answer: str) -> str:
    """Return an answer without its times, its place and its notes: a note whose row is lost reads as one erased."""
    without_times = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[\d.]+Z?", "TIME", answer)
    return re.sub(rf"\n?note +{SAID}", "", without_times).strip()


def copy(directory: Path, work: Path, views: str) -> None:
    """Make a copy of the books with these views."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name in ("events.sqlite", "codes.key"):
        shutil.copy(directory / name, work / name)
    shutil.copy(directory / views, work / views_file())


def hold(books: Books, chance: random.Random, verbs_each: int) -> None:
    """Flip one bit, mostly of a byte that is not zero, and compare what some verbs say with their answers."""
    data = bytearray((books.directory / "events.sqlite").read_bytes())
    written = [offset for offset, byte in enumerate(data) if byte]
    offset = chance.choice(written) if chance.random() < 0.8 else chance.randrange(len(data))
    bit = chance.randrange(8)
    data[offset] ^= 1 << bit
    work = books.directory.with_name("work")
    for verb in chance.sample(sorted(books.verbs), verbs_each):
        views = chance.choice(["views.before", "views.after"])
        copy(books.directory, work, views)
        (work / "events.sqlite").write_bytes(data)
        ran = pathbook(*books.verbs[verb], "--data", str(work))
        case = (offset, bit, verb, views, ran)
        assert "Traceback" not in ran.err, case
        if ran.code == 0:
            assert text(ran.out) == books.answers[verb], case
            continue
        assert ran.code == 4, case
        if verb == "verify":
            assert "could not check: " in ran.out, case
        else:
            named = re.search(r"^pathbook: (\w+): ", ran.err, re.MULTILINE)
            assert named is not None, case
            assert named[1] in NAMED, case


def test_a_flipped_bit_never_changes_an_answer(books: Books) -> None:
    """Whatever bit flips, in whatever table, every verb answers rightly or names the damage and exits with 4."""
    for seed in range(examples(20, 40)):
        hold(books, random.Random(seed), 2)


@pytest.mark.heavy
def test_many_flipped_bits_never_change_an_answer(books: Books) -> None:
    """The same with more bits and more verbs."""
    for seed in range(1_000, 2_500):
        hold(books, random.Random(seed), 4)
