"""Text in any encoding and script is printed: names stay readable, and what could deceive is escaped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.cli import printing
from pathbook.cli.settings import Output
from tests.cli.conftest import pathbook

NAME = "面膜 العربية e\u0301 😀 \u202e\u200b\x9b!"
"""A name in several scripts, with characters that are escaped."""

ESCAPED = "\\u202e\\u200b\\x9b!"
"""Its end, as a table shows it."""


def run(
    *arguments: str | bytes, stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pathbook", *arguments],
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory of a book with a product of that name."""
    data = str(tmp_path_factory.mktemp("named"))
    assert pathbook("--data", data, "party", "register", "b", "--kind", "brand").code == 0
    made = ("--brand", "b", "--name", NAME, "--price", "3 JPY")
    assert pathbook("--data", data, "product", "register", "96385074", *made).code == 0
    return data


@pytest.mark.parametrize(
    "text",
    ["面膜", "العربية", "e\u0301", "हिन्दी", "ภาษาไทย", "😀", "naïve", "a\u3000b", "a\u00a0b", "️❤️", "a\\b"],
)
def test_a_name_in_any_script_stays_readable(text: str) -> None:
    """Letters, combining marks, emoji and blanks of all widths are shown as they are."""
    assert printing.printable(text) == text


@pytest.mark.parametrize(
    ("symbol", "shown"),
    [
        ("\x00", "\\x00"), ("\t", "\\x09"), ("\n", "\\x0a"), ("\x1b", "\\x1b"), ("\x7f", "\\x7f"), ("\x80", "\\x80"),
        ("\x9b", "\\x9b"), ("\xad", "\\xad"), ("\u061c", "\\u061c"), ("\u200b", "\\u200b"), ("\u200d", "\\u200d"),
        ("\u200e", "\\u200e"), ("\u200f", "\\u200f"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"),
        ("\u202a", "\\u202a"), ("\u202e", "\\u202e"), ("\u2060", "\\u2060"), ("\u2066", "\\u2066"),
        ("\u2069", "\\u2069"), ("\u3164", "\\u3164"), ("\ud800", "\\ud800"), ("\ue000", "\\ue000"),
        ("\ufeff", "\\ufeff"), ("\u0378", "\\u0378"), ("\U000e0041", "\\U000e0041"), ("\U000e0100", "\\U000e0100"),
    ],
)  # fmt: skip
def test_what_could_control_or_deceive_is_escaped(symbol: str, shown: str) -> None:
    """Controls, marks of direction, invisible, undefined and private characters are shown by their number."""
    assert printing.printable(f"a{symbol}b") == f"a{shown}b"
    written = printing.as_json({"a": symbol}, Output.JSONL)
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == {"a": symbol}


@given(st.text(st.characters()), st.sampled_from([Output.JSON, Output.JSONL]))
def test_json_means_what_it_meant(text: str, output: Output) -> None:
    """JSON is parsed to the same value, and has no character that a table would escape."""
    written = printing.as_json({text: [text]}, output)
    assert json.loads(written) == {text: [text]}
    assert all(printing.printable(line) == line for line in written.split("\n"))
    assert len(written.splitlines()) == (5 if output is Output.JSON else 1)


def test_bytes_that_are_no_text_are_a_usage_error(named: str) -> None:
    """An argument or a variable that is not UTF-8 is named, with exit code 2."""
    ran = run("--data", named, "party", "show", b"\xff\xfe")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert rb"PARTY is not text in UTF-8: '\udcff\udcfe'" in ran.stderr
    ran = run(
        "--data", named, "sell", "--seller", "b", "--consumer", "c", "--units", "1:0", "--price", b"1 \xff"
    )
    assert (ran.returncode, b"\\udcff" in ran.stderr) == (2, True)
    ran = run("--data", named, "party", "list", PATHBOOK_BOOK=os.fsdecode(b"\xff"))
    assert (ran.returncode, b"PATHBOOK_BOOK is not text in UTF-8" in ran.stderr) == (2, True)


def test_a_table_may_have_any_name(named: str, tmp_path: Path) -> None:
    """The name of a file may be any bytes: only its content counts."""
    table = os.fsencode(tmp_path) + b"/\xff.csv"
    Path(os.fsdecode(table)).write_text("a,b\n1,2\n")
    ran = run("--data", named, "import", table, "--recipe", "iowa")
    assert b"Traceback" not in ran.stderr
    assert b"not text" not in ran.stderr


@pytest.mark.parametrize(
    "encoding",
    ["ascii", "gbk", *(pytest.param(name, marks=pytest.mark.heavy) for name in ("latin-1", "utf-8"))],
)
def test_any_encoding_of_the_output_works(named: str, encoding: str) -> None:
    """A character that the encoding lacks is escaped in a table, and JSON stays JSON with the same value."""
    ran = run("--data", named, "product", "list", PYTHONIOENCODING=encoding)
    table = ran.stdout.decode(encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ESCAPED in table
    assert ("面膜" in table) is (encoding in ("gbk", "utf-8"))
    title, row = table.splitlines()
    assert printing.width(title) == printing.width(row) - len("3 JPY") + len("price") - 0 or encoding == "gbk"
    listed = run("--data", named, "product", "list", "--output", "jsonl", PYTHONIOENCODING=encoding)
    assert json.loads(listed.stdout.decode(encoding))["name"] == NAME
    refused = run("--data", named, "party", "show", "面膜", PYTHONIOENCODING=encoding)
    assert (refused.returncode, b"PARTY_UNKNOWN" in refused.stderr) == (1, True)


@pytest.mark.parametrize("coerced", ["0", "1"])
def test_the_c_locale_works(named: str, coerced: str) -> None:
    """Under LANG=C a name is read or refused, and what cannot be printed is escaped."""
    ran = run("--data", named, "product", "list", LC_ALL="C", PYTHONCOERCECLOCALE=coerced, PYTHONUTF8=coerced)
    assert (ran.returncode, ESCAPED.encode() in ran.stdout) == (0, True)
    ran = run(
        "--data",
        named,
        "party",
        "show",
        "面膜".encode(),
        LC_ALL="C",
        PYTHONCOERCECLOCALE=coerced,
        PYTHONUTF8=coerced,
    )
    assert ran.returncode == (1 if coerced == "1" else 2)
    assert b"Traceback" not in ran.stderr


VERBS = (
    ["product", "list"],
    ["product", "list", "--output", "json"],
    ["events", "read"],
    ["--help"],
    ["completion", "bash"],
)


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_under_stdout_is_an_error(named: str, verb: list[str]) -> None:
    """An answer that cannot be written exits with 4 and a sentence, not with a traceback."""
    place = [] if verb[0] in ("--help", "completion") else ["--data", named]
    with Path("/dev/full").open("wb") as full:
        ran = run(*place, *verb, stdout=full.fileno())
    assert ran.returncode == 4
    assert b"OUTPUT_FAILED" in ran.stderr
    assert b"No space left on device" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_closed_standard_files_are_no_bug(named: str) -> None:
    """A closed stdout exits with 4. A closed stderr hides the sentence, and the exit code stays."""
    program = f"{sys.executable} -m pathbook --data {named}"
    for verb, code, text in (
        ("product list >&-", 4, "stdout: it is closed"),
        ("product list 2>&- | tail -1", 0, ""),
        ("party show ann 2>&-", 1, ""),
        ("party show ann >&- 2>&- <&-", 1, ""),
    ):
        ran = subprocess.run(
            ["/bin/sh", "-c", f"{program} {verb}"], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, text in ran.stderr, "Traceback" in ran.stderr) == (code, True, False), ran
    assert pathbook("--data", named, "product", "list").code == 0


def test_a_password_is_never_repeated() -> None:
    """The user and the password of a URL are left out of every error, also at the wrong option."""
    url = "postgresql://u:secret@h:1/books"
    for line in (
        ["stock", "a", "--server", url],
        ["stock", "a", "--data", ".", "--database", f"{url}/more"],
        ["serve", "--data", ".", "--listen", url],
        ["stock", url, "--zone", url],
        ["codes", "1:0", "--form", "link", "--domain", url],
    ):
        ran = pathbook(*line)
        assert (ran.code, ran.out) == (2, "")
        assert "secret" not in ran.err, ran.err
