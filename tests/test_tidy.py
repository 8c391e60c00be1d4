"""The tree keeps itself tidy: what a reviewer would otherwise have to say again and again fails here."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from pathbook.ledger.refusals import SENTENCES, Reason
from pathbook.v1 import refusals_pb2

ROOT: Final = Path(__file__).resolve().parents[1]
TOOLS: Final = Path(sys.executable).parent

LONGEST: Final = 400
"""Lines of a file at which it is several rooms, not one; at 250 one stops and thinks."""

MADE_BY_TOOLS: Final = re.compile(
    r"(?:\.(?!ci$|gitignore$).*|build|dist|__pycache__|.*_pb2(?:_grpc)?\.pyi?)$"
)
"""Names of files and directories that nobody wrote."""

VAGUE_NAMES: Final = {"utils", "util", "helpers", "helper", "common", "managers", "manager", "misc"}

IGNORE: Final = re.compile(r"#\s*(?:ruff:\s*noqa|noqa|type:\s*ignore)(?P<rest>.*)")
REASONED: Final = re.compile(r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w, -]+\])\s*(?:#|--?)\s*\w+ \w+")

FOREIGN: Final = re.compile(
    r"(?<![\w.])/(?:wor[k]|roo[t]|home|Users)/"  # a path of one machine
    r"|index[-_]url|find[-_]links|\bregistry\.[a-z]|p[y]pi\.org|p[y]thonhosted",  # where it got its packages
    re.IGNORECASE,
)

PLAIN_WORDS: Final = {
    r"anew": "again, or rebuilt",
    r"(?:at|to) hand(?! over\b)": "loaded, available",
    r"(?:un)?authoris\w+": "authorize",
    r"\w{3,}(?:al|gn|tim|an)is(?:e[ds]?|er|ing|ations?)": "the American spelling, -ize",
    r"carr(?:y|ies|ied|ying) (?:(?:all|its|the|their|these|those|whose) )?views": "updates the views, projects",
    r"pathbook follow": "pathbook views follow",
    r"h(?:eld|olds?|olding) (?:(?!is )\w+ ){0,5}?against": "compared with, checked against",
    r"standings?": "authorization status",
    r"doors?": "gateway, writer, read API",
    r"(?:any|every|no|some)body(?:'s)?(?! to return|\")": "a noun: the caller, the operator, a follower",
    r"who(?:m|so)?ever(?:'s)?": "a noun: the caller, the operator, a follower",
    r"(?<!\w\s)who (?:follows|reads|writes)": "the follower, the reader, the writer",
}
"""Patterns of words that this project used to say, and what the field says instead."""

WRITTEN_IN_WORDS: Final = re.compile(r".*\.(?:md|proto|py|toml|yaml)|(?:Docker|Make)file(?:\..*)?")

_GAP: Final = r"[\s#/]+"
_PLAIN_WORDS: Final = {
    re.compile(rf"\b(?:{pattern.replace(' ', _GAP)})\b", re.IGNORECASE): instead
    for pattern, instead in PLAIN_WORDS.items()
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Rule = Callable[[Path, str], Iterator[str]]


def files_too_long(path: Path, text: str) -> Iterator[str]:
    """Find Python files that are longer than a reader's patience."""
    lines = text.count("\n")
    if path.suffix == ".py" and lines > LONGEST:
        yield f"{path} has {lines} lines, more than {LONGEST}: which rooms are in it?"


def vague_names(path: Path, _text: str) -> Iterator[str]:
    """Find modules and packages whose name does not say what is in them."""
    for name in VAGUE_NAMES.intersection(Path(part).stem for part in path.parts):
        yield f"{path}: '{name}' can hold anything; name what it does"


def speechless_modules(path: Path, text: str) -> Iterator[str]:
    """Find modules that do not open by saying what lives in them."""
    if path.suffix == ".py" and not is_sentence(ast.parse(text)):
        yield f"{path}: open the module with a sentence on what lives in it"


def speechless_tests(path: Path, text: str) -> Iterator[str]:
    """Find tests that do not say in a sentence what is true when they pass."""
    if path.suffix != ".py" or path.parts[0] != "tests":
        return
    functions = (
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    for test in functions:
        if test.name.startswith("test_") and not is_sentence(test):
            yield f"{path}:{test.lineno}: give {test.name} a sentence in the present tense"


def is_sentence(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether the docstring of a node opens with a sentence."""
    opening = (ast.get_docstring(node) or "").split("\n\n")[0]
    return len(opening.split()) > 1 and not opening[0].islower() and opening[-1] in ".:?!"


def ignores_without_reason(path: Path, text: str) -> Iterator[str]:
    """Find silenced checks that do not name which check, or do not say why."""
    for number, line in enumerate(text.splitlines(), 1):
        if path.suffix == ".py" and (found := IGNORE.search(line)) and not REASONED.match(found["rest"]):
            yield f"{path}:{number}: name the check and say beside it why it is silenced"


def foreign_words(path: Path, text: str) -> Iterator[str]:
    """Find traces of the machine that a file was written on."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := FOREIGN.search(line):
            yield f"{path}:{number}: '{found[0]}' is of one machine, not of the project"


def private_words(path: Path, text: str) -> Iterator[str]:
    """Find words that a reader has to learn here, where the field has words of its own.

    What a document shows as printed by a program is written elsewhere, and found there.
    """
    covered = path.name != Path(__file__).name
    if not (covered and WRITTEN_IN_WORDS.fullmatch(path.name)):
        return
    if path.suffix == ".md":
        text = re.sub(
            r"^```.*?^```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE
        )
    for pattern, instead in _PLAIN_WORDS.items():
        for found in pattern.finditer(text):
            number = text.count("\n", 0, found.start()) + 1
            yield f"{path}:{number}: '{' '.join(found[0].split())}' is a private word: write {instead}"


RULES: Final[list[tuple[Rule, str, str]]] = [
    (files_too_long, "ledger/pathbook/ledger/rules/sale.py", "x = 1\n" * (LONGEST + 1)),
    (vague_names, "ledger/utils.py", ""),
    (vague_names, "services/common/times.py", ""),
    (speechless_modules, "ledger/pathbook/ledger/rules/sale.py", "import ast\n"),
    (speechless_modules, "ledger/pathbook/ledger/rules/sale.py", '"""sale"""\n'),
    (speechless_tests, "tests/test_sale.py", "def test_sale() -> None:\n    assert True\n"),
    (speechless_tests, "tests/test_sale.py", 'async def test_sale() -> None:\n    """Sale"""\n'),
    (ignores_without_reason, "ledger/book.py", "import os  # " + "noqa: F401\n"),
    (ignores_without_reason, "ledger/book.py", "import os  # " + "noqa - it is needed\n"),
    (ignores_without_reason, "ledger/book.py", "x = y()  # " + "type: ignore[misc]\n"),
    (foreign_words, "README.md", "cd /" + "home/someone\n"),
    (foreign_words, "Makefile", "pip install --index" + "-url=http://127.0.0.1 .\n"),
    (private_words, "README.md", "The views are made an" + "ew.\n"),
    (private_words, "Makefile", "# What is checked is held\n# again" + "st the image.\n"),
    (private_words, "docker/compose.yaml", "# One process carries the\n  # view" + "s.\n"),
    (private_words, "proto/pathbook/v1/values.proto", "// Author" + "ised.\n"),
]
"""Each rule, with a file that breaks it."""


def written() -> Iterator[tuple[Path, str]]:
    """Yield what people wrote: the path from the root, and the text."""
    directories = [ROOT]
    while directories:
        for path in sorted(directories.pop().iterdir()):
            if MADE_BY_TOOLS.match(path.name):
                continue
            if path.is_dir():
                directories.append(path)
            elif b"\0" not in (content := path.read_bytes()):
                yield path.relative_to(ROOT), content.decode("utf-8")


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in RULES))
def test_the_tree_keeps_a_rule(rule: Rule) -> None:
    """No file that people wrote breaks the rule."""
    findings = [finding for path, text in written() for finding in rule(path, text)]
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(("rule", "path", "text"), RULES)
def test_a_rule_finds_what_it_is_for(rule: Rule, path: str, text: str) -> None:
    """A file that breaks the rule is named, once."""
    (finding,) = rule(Path(path), text)
    assert finding.startswith(path)


@pytest.mark.parametrize(
    "text",
    [
        "Agents hand over boxes to hand over more.\n",
        "An auditor who reads the stream sees it.\n",
        "A path that holds is against policy.\n",
        "```\n$ pathbook demo\nauthor" + "ises\n```\n",
    ],
)
def test_plain_words_are_no_private_words(text: str) -> None:
    """Words that only look like private ones are left alone, and so is what a document shows as printed."""
    assert list(private_words(Path("README.md"), text)) == []


@pytest.mark.parametrize(
    "comment",
    ["# " + "noqa: F401, E501 - it is exported", "# " + "type: ignore[misc]  # it has no types"],
)
def test_a_silenced_check_with_its_reason_is_in_order(comment: str) -> None:
    """A check may be silenced by name, with the reason beside it."""
    assert list(ignores_without_reason(Path("ledger/book.py"), f"x = y()  {comment}\n")) == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([TOOLS / "lint-imports"], id="the import contracts hold"),
        pytest.param(
            [sys.executable, "proto/reasons.py", "--check"],
            id="the contract has the reasons of the code",
        ),
        pytest.param([sys.executable, "proto/generate.py", "--check"], id="generated code is fresh"),
        pytest.param(
            [sys.executable, "clients/generate_client.py", "--check"], id="the asyncio client is fresh"
        ),
        pytest.param([TOOLS / "buf", "lint", "proto"], id="the contract reads well"),
        pytest.param(
            [TOOLS / "buf", "breaking", "proto", "--against", "proto/image.binpb"],
            id="the contract reads what was written before",
        ),
        pytest.param(
            [TOOLS / "hadolint", "docker/Dockerfile", "docker/ha/Dockerfile"], id="the images are well made"
        ),
        pytest.param([TOOLS / "yamllint", "--strict", "docker"], id="the files of containers read well"),
    ],
)
def test_a_tool_finds_nothing_to_say(command: list[str | Path]) -> None:
    """A tool that guards the tree exits 0."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_refusals_have_the_same_names_and_numbers_on_the_wire() -> None:
    """The contract's list of reasons is the ledger's, in the same order."""
    wanted = [("REFUSAL_REASON_UNSPECIFIED", 0), *((f"REFUSAL_REASON_{r.name}", int(r)) for r in Reason)]
    assert list(refusals_pb2.RefusalReason.items()) == wanted


def test_the_contract_documents_each_refusal_with_its_sentence() -> None:
    """The comment of a reason is what a caller reads, in American spelling."""
    contract = (ROOT / "proto/pathbook/v1/refusals.proto").read_text("utf-8")
    comments = re.findall(r"// (.*)\n +// Status: .*\n +REFUSAL_REASON_(\w+) = [1-9]", contract)
    documented = {name: comment for comment, name in comments}
    assert documented == {reason.name: sentence for reason, (_, sentence) in SENTENCES.items()}
