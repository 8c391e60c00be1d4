"""Shell completion: the script of each shell, and the answers to what it asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import pathbook
from tests.cli.test_usage import slow_modules
from tests.services.forking import PipedFork

PROGRAM = "from pathbook.cli.main import main; main()"


def completed(line: str) -> list[str]:
    """Return the words that the Tab key offers at the end of a command line in Bash."""
    words = f"pathbook {line}".split(" ")
    asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    process = PipedFork(environment={**os.environ, **asked, "_PATHBOOK_COMPLETE": "bash_complete"})
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ver", ["plain,verify"]),
        ("views ", ["plain,follow", "plain,rebuild", "plain,show"]),
        ("--output ", ["plain,table", "plain,json", "plain,jsonl"]),
        ("stock agent-1 --output j", ["plain,json", "plain,jsonl"]),
        ("--output json par", ["plain,party"]),
        ("transfer list --status acc", ["plain,accepted", "plain,accepted-in-part"]),
        ("verify X --max-p", ["plain,--max-price"]),
        ("--data ", ["dir,"]),
        ("completion z", ["plain,zsh"]),
    ],
)
def test_tab_completes_verbs_options_and_values(line: str, words: list[str]) -> None:
    """Verbs, the verbs of nouns, options, their choices and directories are offered."""
    assert completed(line) == words


@pytest.mark.parametrize("line", ["ver", ""])
def test_completion_is_quick(line: str) -> None:
    """Completion does not wait for gRPC, protobuf, the ledger or rich to load."""
    program = f"""
import contextlib, os
os.environ |= {{"COMP_WORDS": "pathbook {line}", "COMP_CWORD": "1", "_PATHBOOK_COMPLETE": "bash_complete"}}
from pathbook.cli.main import run
with contextlib.suppress(SystemExit):
    run([])
"""
    assert slow_modules(program) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_this_command(shell: str) -> None:
    """The script of a shell asks `pathbook` under the variable that it answers, and the help says how to install it."""
    ran = pathbook("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_PATHBOOK_COMPLETE={shell}_complete" in ran.out
    assert f"pathbook completion {shell}" in pathbook("completion", "--help").out


def test_bash_runs_its_script(tmp_path: Path) -> None:
    """In Bash, the script completes a verb."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no Bash here")
    command = tmp_path / "pathbook"
    command.write_text(f'#!{bash}\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    command.chmod(0o755)
    script = f"""
eval "$({command} completion bash)"
COMP_WORDS=({command} transfer l) COMP_CWORD=2
_pathbook_completion {command}
echo "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run([bash, "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("list\n", "")


def test_another_shell_is_refused() -> None:
    """A shell without a script is named, with those that have one."""
    ran = pathbook("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.err


def test_tab_completes_zones() -> None:
    """The names of zones are offered as they are typed."""
    assert completed("path 1:0 --zone Asia/Shang") == ["plain,Asia/Shanghai"]


def test_tab_does_not_offer_options_that_a_verb_does_not_use() -> None:
    """What a verb refuses is not offered."""
    assert "plain,--data" in completed("demo --")
    assert "plain,--server" not in completed("demo --")
    assert "plain,--server" in completed("stock --")


def test_fish_runs_its_script(tmp_path: Path) -> None:
    """In Fish, the script completes the verbs of a noun and the values of an option."""
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("there is no Fish here")
    command = tmp_path / "pathbook"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    command.chmod(0o755)
    script = f"""
set -x PATH {tmp_path} $PATH
pathbook completion fish | source
complete -C "pathbook transfer l"
complete -C "pathbook stock x --output jsonl"
"""
    ran = subprocess.run([fish, "--no-config", "-c", script], capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in ran.stdout.splitlines()] == ["list", "jsonl"]


def test_zsh_reads_its_script() -> None:
    """In Zsh, the script defines the completion of `pathbook`."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("there is no Zsh here")
    script = f"""
pathbook() {{ {sys.executable} -c "{PROGRAM}" "$@" }}
autoload -U compinit && compinit -u -D
eval "$(pathbook completion zsh)"
print ${{_comps[pathbook]}}
"""
    ran = subprocess.run([zsh, "-f", "-c", script], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("_pathbook_completion\n", "")
