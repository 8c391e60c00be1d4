"""The documents say what is so: sessions are real, drawings are printed from the code, files exist."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pathbook.cli import progress
from pathbook.client import Client
from pathbook.ledger.rules.transfer import NEXT
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import pathbook
from tests.cli.test_demo import as_printed
from tests.services.masks import begin

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
PROSE = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "README.md",
    "clients/pathbook/importing/recipes/README.md",
    "tests/bench/decade/README.md",
]
PATHBOOK = "from pathbook.cli.main import main; main()"
PATIENCE = 120.0
"""How long (seconds) a documented command may take."""

BEHIND = "$ "

LONGEST_MEAN = 20
"""Words that a sentence has at most, in the mean: beyond it a reader has to go back to its beginning."""

MADE_BY_TOOLS = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def printed(line: str, directory: Path) -> list[str]:
    """Run a documented shell line in a directory, and return the lines it prints."""
    script = f'pathbook() {{ "{sys.executable}" -c "{PATHBOOK}" "$@"; }}\n{line}'
    ran = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return (ran.stdout + ran.stderr).splitlines()


def blocks(text: str) -> list[list[str]]:
    """Return the lines of each fenced block without a language."""
    return [block.splitlines() for block in re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


@pytest.mark.skipif(shutil.which("node") is None, reason="the demo shows a verifier that Node.js runs")
def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    """The block under the demo's heading is its real output, to the letter but for the time of the seal."""
    (command,) = re.findall(r"`(pathbook demo --today [\d-]+)`", README)
    shown = [as_printed("\n".join(block)) for block in blocks(README)]
    assert as_printed("\n".join(printed(command, tmp_path))) in shown


def test_the_readmes_session_is_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the session prints what the README shows under it, told one after the other."""
    (session,) = [block for block in blocks(README) if block[0].startswith(f"{BEHIND}export")]
    monkeypatch.chdir(tmp_path)
    assert told(session, monkeypatch) == session


def test_the_readmes_backup_is_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The book of the session is backed up and restored as the README shows it. Only times and hashes differ."""
    (session,) = [block for block in blocks(README) if block[0].startswith(f"{BEHIND}export")]
    (care,) = [block for block in blocks(README) if block[0].startswith(f"{BEHIND}pathbook backup")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passphrase").write_text("a passphrase\n")
    monkeypatch.setattr(progress, "FIRST_DRAW_DELAY_S", PATIENCE)  # a busy machine may take seconds
    told(session, monkeypatch)
    assert list(map(masked, told(care, monkeypatch))) == list(map(masked, care))


def masked(line: str) -> str:
    """Return a line with a mark in the place of each time and hash."""
    return re.sub(r"[0-9a-f]{16}\b|\d{4}-\d\d-\d\dT[\d:+]+", "*", line)


def told(session: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the commands of a session one after the other, and return them with what they print."""
    lines: list[str] = []
    for line in (line for line in session if line.startswith(BEHIND)):
        program, *arguments = shlex.split(line.removeprefix(BEHIND))
        if program == "export":
            monkeypatch.setenv(*arguments[0].split("="))
            lines.append(line)
        else:
            assert program == "pathbook"
            ran = pathbook(*arguments)
            lines += [line, *(ran.err + ran.out).splitlines()]
    return lines


def test_the_readmes_python_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples move units, and print a path and events, against a server where their book has begun."""
    examples = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (address,) = {address for example in examples for address in re.findall(r"127\.0\.0\.1:\d+", example)}
    settings = Settings(data=tmp_path, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book="book") as client:
        begin(client)
        for example in examples:
            exec(example.replace(address, f"127.0.0.1:{port}"), {})
    assert capsys.readouterr().out == (
        "made by acme 0\nacme ann 15000\n"
        "True False\ntransfer_offered WITH_TITLE\ntransfer_accepted WITH_TITLE\n"
    )


def test_the_drawing_of_a_transfers_states_is_printed_from_the_table() -> None:
    """ARCHITECTURE.md shows the table that the rules use."""
    names = {status: status.name.lower().replace("_", " ") for status in NEXT}
    width = max(map(len, names.values()))
    drawn = [
        f"{names[status]:<{width}} -> {', '.join(names[item] for item in following) or '(end)'}"
        for status, following in NEXT.items()
    ]
    assert drawn in blocks(ARCHITECTURE)


def test_every_file_that_the_documents_name_exists() -> None:
    """No path in the documents leads nowhere."""
    named = re.findall(r"`((?:ledger|services|clients|proto|tests|docker)/[\w./-]*)`", README + ARCHITECTURE)
    assert len(named) > 20
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def sentences(text: str) -> list[str]:
    """Return the sentences of a document's paragraphs and lists, without code blocks, tables and headings."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^(?:#|\|).*$", "", prose, flags=re.MULTILINE)
    prose = re.sub(r"^ *(?:[-*]|\d+\.) +", "\n\n", prose, flags=re.MULTILINE)
    prose = re.sub(r"`[^`]*`", "Code", prose.replace("**", ""))
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", prose))
    found = [re.split(r"(?<=[.?!]) (?=[\"(\[]*[A-Z0-9])", paragraph) for paragraph in paragraphs if paragraph]
    return [sentence for split in found for sentence in split]


@pytest.mark.parametrize("name", PROSE)
def test_sentences_are_short(name: str) -> None:
    """The sentences of a document have fewer words in the mean than a reader keeps in mind."""
    found = sentences((ROOT / name).read_text("utf-8"))
    assert len(found) > 10
    assert sum(len(sentence.split()) for sentence in found) / len(found) < LONGEST_MEAN


def test_a_sentence_ends_with_its_full_stop_its_item_or_its_paragraph() -> None:
    """Sentences are counted as a reader would: a list item is one at least, and code in it is one word."""
    text = (
        "# Not this\n\nOne `two three`. Four\nfive: six (0.5).\n\n- Seven\n- eight, nine\n\n| not | this |\n"
    )
    assert sentences(text) == ["One Code.", "Four five: six (0.5).", "Seven", "eight, nine"]


def test_every_name_that_the_architecture_uses_is_in_the_code() -> None:
    """A module, class, function, constant or option that ARCHITECTURE.md names is there under that name."""
    code = "\n".join(
        path.read_text("utf-8")
        for root in ("ledger", "services", "clients", "proto", "tests")
        for path in (ROOT / root).rglob("*.p*")
        if path.suffix in {".py", ".proto"}
        and not path.name.endswith(MADE_BY_TOOLS)
        and path != Path(__file__)  # a name in this test is not in use
    )
    code += (ROOT / "pyproject.toml").read_text("utf-8") + (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"\w+", code))
    prose = re.sub(r"^```.*?^```$", "", ARCHITECTURE, flags=re.DOTALL | re.MULTILINE)
    named = {word for span in re.findall(r"`([\w.]+)`", prose) for word in span.split(".") if word}
    assert len(named) > 20
    assert sorted(named - known) == []
