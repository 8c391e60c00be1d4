"""What is wrong with a command line is said before anything is asked, and what it cost to say so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pathbook.cli import connection
from pathbook.cli.main import VERBS
from tests.cli.conftest import pathbook

NOWHERE = "127.0.0.1:1"
"""An address where nothing listens."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["stock"], "Missing argument 'PARTY'"),
        (["stock", "agent-1"], "--server HOST:PORT (or PATHBOOK_SERVER)"),
        (["stock", "agent-1"], "--data DIR (or PATHBOOK_DATA)"),
        (["--server", NOWHERE, "stock", "agent-1", "--data", "."], "Both --server and --data"),
        (["--output", "yaml", "stock", "agent-1"], "'yaml' is not one of"),
        (["record", "--giver", "a", "--receiver", "b", "--price", "1 CNY"], "Which units?"),
        (["record", "--giver", "a", "--receiver", "b", "--units", "1:0-9", "--price", "1"], "'150.00 CNY'"),
        (["record", "--giver", "a", "--receiver", "b", "--units", "1", "--price", "1 CNY"], "3:0-99"),
        (["sell", "--count", "5"], "Missing option '--seller'"),
        (["return", "--owner", "a", "--count", "5"], "needs its --of"),
        (
            ["return", "--owner", "a", "--count", "5", "--of", "masks"],
            "neither the number of a batch nor a GTIN",
        ),
        (["offer", "--deadline", "2026-05-01T10:00:00"], "does not say its zone"),
        (["offer", "--deadline", "soon"], "is not a time"),
        (["verify", "X", "--today", "1.5.2026"], "is not a date"),
        (["accept", "1", "--receiver", "a", "--short", "1:9:9"], "does not name units"),
        (["accept", "99999999999999999999", "--receiver", "a"], "at most 18 digits"),
        (["batch", "show"], "Say its number, or --gtin and --lot"),
        (["batch", "show", "1", "--gtin", "2", "--lot", "3"], "Say its number, or --gtin and --lot"),
        (["ladder"], "Say the number of a batch, or --gtin"),
        (["serve"], "--data DIR"),
        (["serve", "--data", ".", "--listen", "here"], "HOST:PORT"),
        (["serve", "--data", ".", "--workers", "0"], "between 1 and 64"),
        (["serve", "--data", ".", "--database", "mysql://h/books"], "in PostgreSQL"),
        (["stock", "agent-1", "--data", ".", "--database", "mysql://h/books"], "in PostgreSQL"),
        (["stock", "agent-1", "--server", NOWHERE, "--database", "postgresql://h/books"], "--data DIR"),
        (["follow"], "--data DIR"),
        (["views", "rebuild"], "--data DIR"),
        (["demo", "--data", "."], "not an empty directory"),
        (["demo", "--database", "postgresql://h/books"], "leave out --database"),
    ],
)
def test_a_mistake_in_the_command_line_is_named(arguments: list[str], said: str) -> None:
    """A command that was not understood exits 2, says what to write instead, and prints no answer."""
    ran = pathbook(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pathbook: USAGE: ")
    assert said in ran.err
    assert "--help'" in ran.err


def test_a_script_reads_the_error_as_an_object() -> None:
    """With JSON asked for, before or after the verb, stderr is the error as one object and nothing else."""
    for asked in (["--output", "json", "stock"], ["stock", "--nonsense", "--output=jsonl"], ["nonsense"]):
        ran = pathbook(*asked, *([] if len(asked) > 1 else ["--output", "json"]))
        error = json.loads(ran.err)["error"]
        assert (ran.code, ran.out, error["reason"], error["metadata"]) == (2, "", "USAGE", {})


def test_a_mistake_of_ours_is_one_object_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is told with all there is to report it by, for scripts within the one object."""
    monkeypatch.setitem(VERBS, "stock", "json:nonsense")
    ran = pathbook("stock", "agent-1", "--output", "json")
    error = json.loads(ran.err)["error"]
    assert (ran.code, error["reason"]) == (4, "UNEXPECTED")
    assert error["metadata"]["traceback"].startswith("Traceback")
    assert pathbook("stock", "agent-1").err.startswith("Traceback")


@pytest.mark.parametrize("verb", [[], ["party"]])
def test_without_a_verb_the_help_is_printed(verb: list[str]) -> None:
    """Who types no verb reads the help, as an answer; a script still learns that nothing was done."""
    ran = pathbook(*verb)
    assert (ran.code, ran.err) == (2, "")
    assert ran.out == pathbook(*verb, "--help").out


def test_an_option_goes_before_the_environment(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places in the environment are named as such; one typed is taken whatever the environment says."""
    monkeypatch.setenv("PATHBOOK_SERVER", NOWHERE)
    monkeypatch.setenv("PATHBOOK_DATA", "nowhere")
    ran = pathbook("stock", "agent-1")
    assert (ran.code, ran.out) == (2, "")
    assert "The environment sets both PATHBOOK_SERVER and PATHBOOK_DATA" in ran.err
    assert pathbook("stock", "agent-1", "--data", str(demo)).code == 0


def test_the_demo_is_no_json_document() -> None:
    """A story is not one document: asked for one, the demo says so before it begins."""
    ran = pathbook("demo", "--output", "json")
    assert (ran.code, ran.out) == (2, "")
    assert "tells a story in text" in json.loads(ran.err)["error"]["message"]


def test_views_that_are_no_database_may_be_deleted(demo: Path, tmp_path: Path) -> None:
    """Whoever opens or rebuilds views that are no database is told to delete them, and that mends it."""
    data = shutil.copytree(demo, tmp_path / "data")
    for file in data.glob("views.sqlite*"):
        file.unlink()
    (data / "views.sqlite").write_text("this is no database, and long enough to be taken for one" * 20)
    for verb in (["stock", "agent-1"], ["views", "rebuild"]):
        ran = pathbook("--data", str(data), *verb)
        assert (ran.code, ran.out) == (4, "")
        assert "Delete views.sqlite; it is made anew from the events." in ran.err
    (data / "views.sqlite").unlink()
    assert pathbook("--data", str(data), "stock", "agent-1").code == 0


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_itself(verb: str) -> None:
    """Each verb is there, and --help says what it does."""
    ran = pathbook(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: pathbook {verb} ")


def test_help_lists_every_verb_with_a_whole_sentence() -> None:
    """The list of verbs fits a terminal of 80 columns without cutting a sentence short."""
    ran = pathbook("--help")
    assert ran.code == 0
    assert "..." not in ran.out.partition("Commands:")[2]
    assert max(map(len, ran.out.splitlines())) <= 80
    assert all(f"\n  {verb} " in ran.out for verb in VERBS)


def test_a_mistake_is_named_without_loading_what_it_does_not_need() -> None:
    """Neither the version nor a misspelt verb waits for gRPC, protobuf, the ledger or rich to load."""
    program = (
        "import sys; from pathbook.cli.main import run; assert run(['offer', '--giver', 'x']) == 2;"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'grpc', 'google', 'ledger', 'rich', 'babel', 'msgspec', 'pydantic', 'sqlalchemy', 'services'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_server_out_of_reach_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no server answers, the exit code is 4, not 1: the book has said nothing."""
    monkeypatch.setattr(connection, "RETRY_TIMEOUT_S", 0.1)
    ran = pathbook("--server", NOWHERE, "stock", "agent-1")
    assert (ran.code, ran.out) == (4, "")
    assert NOWHERE in ran.err


def test_reading_a_misspelt_directory_does_not_make_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A directory without books is named as such, and left as it is."""
    directory = tmp_path_factory.mktemp("empty") / "boook"
    ran = pathbook("--data", str(directory), "stock", "agent-1")
    assert (ran.code, ran.out) == (4, "")
    assert "There are no books in" in ran.err
    assert not directory.exists()


def test_books_that_cannot_be_opened_are_said_to_be_so(demo: Path, tmp_path: Path) -> None:
    """Without its key, with a broken log, or where an address is taken, a server does not start, and says why."""
    keyless = shutil.copytree(demo, tmp_path / "keyless")
    (keyless / "codes.key").unlink()
    ran = pathbook("--data", str(keyless), "stock", "agent-1")
    assert (ran.code, ran.out) == (4, "")
    assert "codes.key is missing" in ran.err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "events.sqlite").write_text("this is no database, and long enough to be taken for one" * 20)
    for verb in (["stock", "agent-1"], ["views", "rebuild"]):
        ran = pathbook("--data", str(broken), *verb)
        assert (ran.code, ran.out) == (4, "")
        assert f"{broken} cannot be opened" in ran.err
    assert pathbook("views", "rebuild", "--data", str(tmp_path / "none")).code == 4


def test_an_address_that_is_taken_is_named(server: str, tmp_path: Path) -> None:
    """A second server on an address says so and ends."""
    ran = pathbook("serve", "--data", str(tmp_path), "--listen", server)
    assert (ran.code, ran.out) == (4, "")
    assert f"Cannot listen on {server}" in ran.err
