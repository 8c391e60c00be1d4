"""A wrong command line is reported before anything is asked, quickly, and with what to write instead."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pathbook.cli import connection, transfer
from pathbook.cli.main import VERBS
from pathbook.ledger import compiled
from pathbook.v1.values_pb2 import TransferStatus
from tests.cli.conftest import pathbook

NOWHERE = "127.0.0.1:1"
"""An address where nothing listens."""

SLOW_MODULES = {"grpc", "google", "rich", "msgspec", "sqlalchemy"}
"""Packages that take long to import; some are needed by every module of the ledger and of the server."""


def slow_modules(program: str) -> list[str]:
    """Run a program, and return which slow packages it imported."""
    lines = f"{program}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return sorted(SLOW_MODULES.intersection(done.stdout.splitlines()[-1].split()))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["stock"], "Missing argument 'PARTY'"),
        (["stock", "agent-1"], "--server HOST:PORT (or PATHBOOK_SERVER)"),
        (["stock", "agent-1"], "--data DIR (or PATHBOOK_DATA)"),
        (["--server", NOWHERE, "stock", "agent-1", "--data", "."], "--server and --data are both given"),
        (["--output", "yaml", "stock", "agent-1"], "'yaml' is not one of"),
        (["record", "--giver", "a", "--receiver", "b", "--price", "1 CNY"], "No units are named"),
        (["record", "--giver", "a", "--receiver", "b", "--units", "1:0-9", "--price", "1"], "'150.00 CNY'"),
        (["record", "--giver", "a", "--receiver", "b", "--units", "1", "--price", "1 CNY"], "3:0-99"),
        (["sell", "--count", "5"], "Missing option '--seller'"),
        (["return", "--owner", "a", "--count", "5"], "needs an --of"),
        (
            ["return", "--owner", "a", "--count", "5", "--of", "masks"],
            "neither the number of a batch nor a GTIN",
        ),
        (["offer", "--deadline", "2026-05-01T10:00:00"], "has no time zone"),
        (["offer", "--deadline", "soon"], "is not a time"),
        (["verify", "X", "--today", "1.5.2026"], "is not a date"),
        (["verify"], "Missing argument 'CODE'"),
        (["verify", "X", "--key", "log+1+AQ=="], "--key: The key is"),
        (["verify", "--proof", "README.md", "--save", "x"], "--save is about the proof of a server"),
        (["verify", "--proof", "no such file"], "does not exist"),
        (["verify", "--proof", "Makefile", "--key", "log+1+AQ=="], "--key: The key is of no known type"),
        (["verify", "--proof", "Makefile", "--policy", "Makefile"], "Makefile: Line 3 of the policy"),
        (["accept", "1", "--receiver", "a", "--short", "1:9:9"], "does not name units"),
        (["accept", "99999999999999999999", "--receiver", "a"], "at most 18 digits"),
        (["batch", "show"], "either its number, or --gtin and --lot"),
        (["batch", "show", "1", "--gtin", "2", "--lot", "3"], "either its number, or --gtin and --lot"),
        (["ladder"], "either the number of a batch, or --gtin"),
        (["ladder", "1", "--gtin", "2"], "either the number of a batch, or --gtin"),
        (["serve"], "--data DIR"),
        (["serve", "--data", ".", "--listen", "here"], "HOST:PORT"),
        (["serve", "--data", ".", "--workers", "0"], "between 1 and 64"),
        (["serve", "--data", ".", "--database", "mysql://h/books"], "in PostgreSQL"),
        (["stock", "agent-1", "--data", ".", "--database", "mysql://h/books"], "in PostgreSQL"),
        (["stock", "agent-1", "--server", NOWHERE, "--database", "postgresql://h/books"], "--data DIR"),
        (["views", "follow"], "--data DIR"),
        (["views", "rebuild"], "--data DIR"),
        (["views", "follow", "--only-reports", "--no-seal"], "Leave out --no-reports and --no-seal"),
        (["demo", "--data", "."], "not an empty directory"),
        (["demo", "--data", __file__], "is a file"),
        (["demo", "--database", "postgresql://h/books"], "Leave out --database"),
    ],
)
def test_a_mistake_in_the_command_line_is_named(arguments: list[str], part: str) -> None:
    """A wrong command line exits 2, says what to write instead, and prints no answer."""
    ran = pathbook(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pathbook: USAGE: ")
    assert part in ran.err
    assert "--help'" in ran.err


def test_a_script_reads_the_error_as_an_object() -> None:
    """As JSON, before or after the verb, stderr is one object with the error, and nothing else."""
    for asked in (["--output", "json", "stock"], ["stock", "--nonsense", "--output=jsonl"], ["nonsense"]):
        ran = pathbook(*asked, *([] if len(asked) > 1 else ["--output", "json"]))
        error = json.loads(ran.err)["error"]
        assert (ran.code, ran.out, error["reason"], error["metadata"]) == (2, "", "USAGE", {})


def test_a_bug_is_one_object_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is printed with its traceback. For scripts, the traceback is in the one object."""
    monkeypatch.setitem(VERBS, "stock", "json:nonsense")
    ran = pathbook("stock", "agent-1", "--output", "json")
    error = json.loads(ran.err)["error"]
    assert (ran.code, error["reason"]) == (4, "UNEXPECTED")
    assert error["metadata"]["traceback"].startswith("Traceback")
    assert pathbook("stock", "agent-1").err.startswith("Traceback")


@pytest.mark.parametrize("verb", [[], ["party"]])
def test_without_a_verb_the_help_is_printed(verb: list[str]) -> None:
    """Without a verb the help is printed as an answer. The exit code still says that nothing was done."""
    ran = pathbook(*verb)
    assert (ran.code, ran.err) == (2, "")
    assert ran.out == pathbook(*verb, "--help").out


def test_an_option_overrides_the_environment(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places in the environment are a usage error. An option overrides both."""
    monkeypatch.setenv("PATHBOOK_SERVER", NOWHERE)
    monkeypatch.setenv("PATHBOOK_DATA", "nowhere")
    ran = pathbook("stock", "agent-1")
    assert (ran.code, ran.out) == (2, "")
    assert "The environment sets both PATHBOOK_SERVER and PATHBOOK_DATA" in ran.err
    assert pathbook("stock", "agent-1", "--data", str(demo)).code == 0


def test_the_demo_is_no_json_document() -> None:
    """The story and the answers are not one document. The demo refuses that format before it starts."""
    ran = pathbook("demo", "--output", "json")
    assert (ran.code, ran.out) == (2, "")
    assert "are not one JSON document" in json.loads(ran.err)["error"]["message"]


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_a_help(verb: str) -> None:
    """Each verb can be imported, and --help describes it."""
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


@pytest.mark.parametrize("arguments", [["offer", "--giver", "x"], ["verfy"], ["transfer", "lst"]])
def test_a_mistake_is_named_without_loading_what_it_does_not_need(arguments: list[str]) -> None:
    """Neither a missing option nor a misspelt verb waits for gRPC, protobuf, the ledger or rich to load."""
    program = f"from pathbook.cli.main import run; assert run({arguments}) == 2"
    assert slow_modules(program) == []


def test_a_server_out_of_reach_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no server answers, the exit code is 4, not 1: the book did not refuse."""
    monkeypatch.setattr(connection, "RETRY_TIMEOUT_S", 0.1)
    ran = pathbook("--server", NOWHERE, "stock", "agent-1")
    assert (ran.code, ran.out) == (4, "")
    assert NOWHERE in ran.err


def test_reading_a_misspelt_directory_does_not_create_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A directory without books is named, and is not created."""
    directory = tmp_path_factory.mktemp("empty") / "boook"
    ran = pathbook("--data", str(directory), "stock", "agent-1")
    assert (ran.code, ran.out) == (4, "")
    assert "There are no books in" in ran.err
    assert not directory.exists()


def test_books_that_cannot_be_opened_are_named(closed_demo: Path, tmp_path: Path) -> None:
    """Books without their key, or with a broken log, are not opened, and the message says why."""
    keyless = shutil.copytree(closed_demo, tmp_path / "keyless")
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
    """A second server on an address names the address and exits."""
    ran = pathbook("serve", "--data", str(tmp_path), "--listen", server)
    assert (ran.code, ran.out) == (4, "")
    assert f"Cannot listen on {server}" in ran.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["verfy", "X"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["transfers", "agent-1"], "Did you mean 'transfer', 'transfer show' or 'transfer list'?"),
        (["follow"], "Did you mean 'events follow' or 'views follow'?"),
        (["folow"], "Did you mean 'events follow', 'views follow' or 'chart flow'?"),
        (["lift", "7"], "Did you mean 'batch lift'?"),
        (["party", "regster"], "No such command 'regster'. Did you mean 'register'?"),
        (["views", "rebild"], "Did you mean 'rebuild'?"),
        (["transfer", "32"], "No such command '32'. Did you mean 'show 32'?"),
        (["--outptu", "json", "stock"], "No such option '--outptu'. Did you mean '--output'?"),
        (["stock", "--todya", "x"], "Did you mean '--today' or '--data'?"),
    ],
)
def test_what_was_meant_is_suggested(arguments: list[str], hint: str) -> None:
    """A verb or option that does not exist is answered with those that resemble it, in any group."""
    ran = pathbook(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert f"{hint} See 'pathbook" in ran.err


@pytest.mark.parametrize("arguments", [["nonsense"], ["key", "32"], ["party", "agent-1"], ["-x"]])
def test_a_word_that_resembles_nothing_is_only_named(arguments: list[str]) -> None:
    """A word without a resemblance is answered without a guess."""
    ran = pathbook(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "No such" in ran.err
    assert "Did you mean" not in ran.err


def test_every_noun_that_can_be_shown_and_listed_has_both_verbs() -> None:
    """Nouns follow one scheme: `show` for one, and `list` where the contract has a list."""
    for noun in ("party", "product", "batch", "transfer"):
        for verb in ("show", "list"):
            ran = pathbook(noun, verb, "--help")
            assert (ran.code, ran.out.startswith(f"Usage: pathbook {noun} {verb} ")) == (0, True)
    assert pathbook("case", "show", "--help").code == 0


def test_the_statuses_that_can_be_typed_are_those_of_the_contract() -> None:
    """`transfer list --status` takes each status of the contract, and no other."""
    names = (
        name.removeprefix("TRANSFER_STATUS_").lower().replace("_", "-")
        for name in TransferStatus.DESCRIPTOR.values_by_name
    )
    assert {"unspecified", *transfer.STATUSES} == set(names)


def test_the_version_is_printed() -> None:
    """`--version` prints the name and the version of the distribution, and whether the ledger is compiled."""
    version = importlib.metadata.version("pathbook")
    assert pathbook("--version") == (0, f"pathbook {version} ({compiled.kind()})\n", "")
