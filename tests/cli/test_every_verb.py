"""All verbs follow the same rules: which options they use, their help, their JSON and their exit codes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pathbook.cli import printing
from pathbook.cli.examples import EXAMPLES
from pathbook.cli.exits import Exit
from pathbook.cli.main import pathbook as root
from pathbook.cli.settings import OPTIONS
from tests.cli.conftest import pathbook, signing
from tests.cli.verbs import line_of, uses, verbs

GIVEN = {
    "server": ["--server", "127.0.0.1:1"],
    "data": ["--data", "."],
    "database": ["--database", "postgresql://u:secret@h/books"],
    "book": ["--book", "masks"],
    "zone": ["--zone", "UTC"],
    "output": ["--output", "jsonl"],
    "allow_event_loss": ["--allow-event-loss"],
}
"""Each option of every verb, as it is typed."""

USES = {
    ("demo",): {"data", "book", "zone", "output"},
    ("serve",): {"data", "database", "output", "allow_event_loss"},
    ("views", "follow"): {"data", "database", "output", "allow_event_loss"},
    ("views", "rebuild"): {"data", "database", "output", "allow_event_loss"},
    ("views", "show"): {"data", "database", "output"},
    ("key", "list"): {"data", "output"},
    ("key", "rotate"): {"data", "output"},
    ("key", "drill"): {"data", "output"},
    ("keys", "new"): set(OPTIONS) - {"zone"},
    ("keys", "request"): set(OPTIONS) - {"zone"},
    ("keys", "endorse"): {"output"},
    ("tokens", "revoke"): set(OPTIONS) - {"book"},
    ("book", "open"): set(OPTIONS) - {"book"},
    ("book", "show"): set(OPTIONS) - {"book"},
    ("book", "list"): set(OPTIONS) - {"book"},
    ("bench",): {"database", "output"},
    ("clock", "show"): {"data", "database", "output", "allow_event_loss"},
    ("clock", "confirm"): {"data", "database", "output", "allow_event_loss"},
    ("publish",): set(OPTIONS) - {"zone"},
    ("export",): set(OPTIONS) - {"zone"},
    ("sql",): {"output"},
    ("audit", "replay"): set(OPTIONS) - {"zone"},
    ("audit", "watch"): set(OPTIONS) - {"zone"},
    ("audit", "fsck"): {"data", "database", "output"},
    ("witness", "key"): {"output"},
    ("witness", "serve"): {"output"},
    ("backup",): {"data", "database", "output"},
    ("restore",): {"data", "database", "output"},
    ("check",): {"data", "database", "output"},
    ("completion",): set(),
}
"""What a verb uses, unless it uses all."""

ALL = [pytest.param(path, command, id=" ".join(path)) for path, command in verbs()]


@pytest.mark.parametrize(("path", "command"), ALL)
def test_a_verb_refuses_the_options_that_it_does_not_use(
    path: tuple[str, ...], command: click.Command
) -> None:
    """An option without a meaning for a verb is refused by name, before the verb and after it, and not in its help."""
    used = USES.get(path, set(OPTIONS))
    help_ = pathbook(*path, "--help").out
    for name in OPTIONS:
        flag, *_ = GIVEN[name]
        if name != "allow_event_loss":
            assert (f"  {flag} " in help_) is (name in used)
        if name in used:
            continue
        for line in ([*GIVEN[name], *line_of(path, command)], [*line_of(path, command), *GIVEN[name]]):
            ran = pathbook(*line)
            assert (ran.code, ran.out) == (2, "")
            assert f"Leave out {flag}: 'pathbook {' '.join(path)}' does not use it." in (
                json.loads(ran.err)["error"]["message"] if name == "output" else ran.err
            )
            assert "secret" not in ran.err


def test_an_environment_that_does_not_concern_a_verb_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is set for many commands. Only an option is meant for one."""
    for name in ("SERVER", "DATA", "BOOK", "LISTEN", "OPERATIONS_LISTEN"):
        monkeypatch.setenv(f"PATHBOOK_{name}", "127.0.0.1:1")
    assert pathbook("completion", "bash").code == 0


def test_a_server_does_not_take_the_options_of_books() -> None:
    """--database and --allow-event-loss are refused beside a server, also beside one of the environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATHBOOK_SERVER", "127.0.0.1:1")
        ran = pathbook("stock", "a", "--database", "postgresql://h/books")
        assert (ran.code, "--database needs --data DIR" in ran.err) == (2, True)
        ran = pathbook("stock", "a", "--allow-event-loss")
        assert (ran.code, "--allow-event-loss concerns the database of --data DIR" in ran.err) == (2, True)
    ran = pathbook("stock", "a", "--data", ".", "--allow-event-loss")
    assert (ran.code, "Books in files lose no events" in ran.err) == (2, True)


@pytest.mark.parametrize(("path", "command"), ALL)
def test_a_verb_has_an_example_that_parses(path: tuple[str, ...], command: click.Command) -> None:
    """The help of a verb fits 80 columns and shows an example, which the parser accepts."""
    ran = pathbook(*path, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert " ".join(path) in EXAMPLES, "add an example to clients/pathbook/cli/examples.py"
    _, _, shown = ran.out.partition("\nExample:\n")
    typed = shlex.split(shown.partition("\n\n")[0].replace("\\\n", ""))
    assert typed == shlex.split(EXAMPLES[" ".join(path)])
    assert typed[: len(path) + 1] == ["pathbook", *path]
    if path != ("import",):  # its table does not exist here
        command.make_context("example", typed[len(path) + 1 :], parent=click.Context(root))


@pytest.mark.parametrize(("path", "command"), ALL)
def test_an_empty_text_is_not_the_default(path: tuple[str, ...], command: click.Command) -> None:
    """`--from "$SELLER"` with an unset variable is a usage error: it must not check less than was asked."""
    for option in command.params:
        if not isinstance(option.type, click.types.StringParamType) or option.name in ("note", "region"):
            continue
        if option.name in ("database", "server", "data", "book"):  # tested with the options of every verb
            continue
        name = option.name or ""
        line = line_of(path, command)
        if isinstance(option, click.Argument):
            line[len(path)] = ""
        else:
            line += [option.opts[0], ""] + (["--count", "1"] if name == "origins" else [])
        ran = pathbook(*line, *(["--server", "127.0.0.1:1"] if "server" in uses(command) else []))
        assert (ran.code, ran.out) == (2, ""), (line, ran)
        assert "is empty" in ran.err or "does not name units" in ran.err, (line, ran)


@pytest.mark.parametrize(("path", "command"), ALL)
def test_a_verb_without_its_arguments_says_what_is_missing(
    path: tuple[str, ...], command: click.Command
) -> None:
    """What is missing is named, with exit code 2 and nothing on stdout, also as JSON."""
    if not any(option.required for option in command.params):
        return
    ran = pathbook(*path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pathbook: USAGE: Missing ")
    assert ran.err.count("\n") == 1
    error = json.loads(pathbook(*path, "--output", "json").err)["error"]
    assert (error["reason"], error["metadata"]) == ("USAGE", {})


@pytest.mark.parametrize(("path", "command"), ALL)
def test_json_is_one_document(
    closed_demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: tuple[str, ...],
    command: click.Command,
) -> None:
    """`--output json` prints one document on stdout, or one on stderr if the verb fails, and never a mixture."""
    monkeypatch.chdir(tmp_path)  # some verbs write a file or a directory
    own_tests = path[0] in ("demo", "serve", "bench", "completion", "import", "witness")
    if own_tests or path[-1] in ("follow", "watch") or path in (("keys", "endorse"), ("sql",)):
        return  # each has its own test
    data = tmp_path / "new" if path == ("book", "open") else shutil.copytree(closed_demo, tmp_path / "demo")
    ran = pathbook(*line_of(path, command), "--data", str(data), "--output", "json")
    if ran.code == Exit.DONE or path in (("verify",), ("seller",)):
        assert ran.err == ""
        assert isinstance(json.loads(ran.out), dict)
    else:
        assert ran.out == ""
        assert set(json.loads(ran.err)) == {"error"}
        assert ran.code in (Exit.REFUSED, Exit.COULD_NOT_CHECK)


def test_every_verb_declares_what_it_uses() -> None:
    """A new verb has to say which options it uses: all of them, or some."""
    for path, command in verbs():
        assert uses(command) == USES.get(path, set(OPTIONS)), path


def test_only_one_module_prints() -> None:
    """No other module of the command line writes to stdout or stderr, or makes JSON."""
    room = Path(printing.__file__).parent
    for module in room.glob("*.py"):
        text = module.read_text("utf-8")
        if module.name != "printing.py":
            assert not re.search(r"click\.s?echo\(|\bprint\(|json\.dumps|\.std(out|err)\.write", text), (
                module.name
            )


def test_colors_are_for_terminals_only(demo: Path) -> None:
    """A pipe gets no colors. The order of options does not matter."""
    line = ["--data", str(demo), "product", "list"]
    ran = subprocess.run(
        [sys.executable, "-m", "pathbook", *line], capture_output=True, text=True, check=True
    )
    assert "\x1b" not in ran.stdout
    assert pathbook("product", "list", "--data", str(demo)).out == ran.stdout


def test_the_help_lists_each_exit_code() -> None:
    """The exit codes that a script may meet are in the help, and `verify` explains its own."""
    shown = " ".join(pathbook("--help").out.split())
    for code in Exit:
        assert f"{int(code)} " in shown.partition("Exit codes:")[2]


@pytest.mark.parametrize("lot", ["#A1", "批次1", "A 1", "A" * 21])
def test_a_lot_that_no_label_can_carry_is_refused_with_its_characters(demo: Path, lot: str) -> None:
    """The refusal of a lot names the character or the length that is wrong, and the characters that are allowed."""
    made = ["--brand", "mask-brand", "--size", "1", "--made-on", "2026-01-01"]
    signed = signing(demo, "mask-brand")
    ran = pathbook("--data", str(demo), "batch", "commission", "06901234500011", "--lot", lot, *made, *signed)
    assert (ran.code, ran.out) == (1, "")
    wrong = {"#A1": "it has '#'", "批次1": "it has '批' (U+6279)", "A 1": "it has a blank"}
    assert f"'{lot}' cannot be a lot number: {wrong.get(lot, 'it has 21 characters')}" in ran.err
    assert "Use 1 to 20 of A-Z, a-z, 0-9 and ! \" % & ' ( ) * + , - . / : ; < = > ? _ (GS1" in ran.err
