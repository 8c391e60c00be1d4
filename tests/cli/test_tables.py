"""Tables fit a terminal, read the same in a file, and are safe to print."""

import shutil
import signal
import unicodedata
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.cli import output, path_table, printing
from pathbook.ledger.values import Price
from pathbook.v1.values_pb2 import UnitState
from tests.cli.conftest import pathbook
from tests.services.forking import PipedFork

WIDEST = 100
"""The columns that every table of the demo's book fits."""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["party", "list"], "agent-1     agent   6"),
        (["party", "show", "agent-1"], "kind        agent"),
        (["product", "list"], "06901234500011  Silk mask, box of 10  mask-brand       300.00 CNY"),
        (["product", "show", "6901234500011"], "suggested price  300.00 CNY"),
        (["batch", "list"], "    2  06901234500011  M24-F    20  2024-03-31  2026-03-10       300.00 CNY"),
        (["batch", "show", "2"], "units            0-19, 20 in all"),
        (["codes", "1:0"], "000020000021N0TH6Y7Y"),
        (
            ["transfer", "list", "agent-2"],
            "36  2026-01-01  transfer  accepted  agent-1  agent-2      10  180.00 CNY",
        ),
        (
            ["transfer", "show", "40"],
            "40  2026-02-09  sale  accepted  agent-5  consumer:c-7      1  300.00 CNY  1:0",
        ),
        (["ladder", "1"], "tier 3       40  210.00  210.00  210.00  210.00         70.0%     300.00  CNY"),
        (["ladder", "--gtin", "06901234500011"], "consumer      1"),
        (["stock", "agent-4"], "2028-08-17"),
        (["path", "1:90"], "cloud stock    agent-5 owns it, but mask-brand has it"),
        (["path", "1:99", "--as-of", "22"], "It never left mask-brand."),
        (["path", "1:0", "--corrections"], "offered"),
        (
            ["events", "read", "--after", "2", "--limit", "1"],
            "party_registered  party=mask-brand kind=PARTY_KIND_BRAND",
        ),
    ],
)
def test_an_answer_is_a_table(server: str, arguments: list[str], line: str) -> None:
    """Each answer is a table that fits a terminal and has this line."""
    ran = pathbook("--server", server, *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert line in ran.out
    assert max(map(len, ran.out.splitlines())) <= WIDEST


@pytest.mark.parametrize("output_", ["json", "jsonl"])
def test_an_empty_list_is_an_answer(server: str, output_: str) -> None:
    """An empty list is printed as a phrase, as an empty JSON list, or as no JSON line."""
    asked = ("--server", server, "transfer", "list", "agent-1", "--status", "lapsed")
    assert pathbook(*asked).out == "no transfers\n"
    assert pathbook(*asked, "--output", output_).out in ('{\n  "transfers": []\n}\n', "")


def test_a_write_prints_its_position(tmp_path: Path) -> None:
    """A write is answered with a sentence that names its position, its units, and what it created."""
    data = ("--data", str(tmp_path))
    assert pathbook(*data, "party", "register", "b", "--kind", "brand").out == "Recorded at position 2.\n"
    made = ("--brand", "b", "--lot", "A", "--size", "5", "--made-on", "2026-01-01")
    pathbook(*data, "product", "register", "96385074", "--brand", "b", "--name", "pen", "--price", "3 JPY")
    ran = pathbook(*data, "batch", "commission", "96385074", *made)
    assert ran.out == "Recorded at position 4, as batch 1.\n"
    pathbook(*data, "party", "register", "s", "--kind", "shop")
    move = ("record", "--giver", "b", "--receiver", "s", "--count", "2", "--of", "1", "--price", "3 JPY")
    assert pathbook(*data, *move, "--request-id", "7").out == "Recorded at position 6: units 1:0-1.\n"
    again = "Recorded before, with the same request id, at position 6: units 1:0-1.\n"
    assert pathbook(*data, *move, "--request-id", "7").out == again


@pytest.mark.parametrize(
    "verb",
    [
        ["codes", "1:0-99"],
        ["events", "read"],
        ["events", "read", "--output", "json"],
        ["path", "1:0"],
        ["verify", "000020000021N0TH6Y7Y"],
        ["transfer", "list", "agent-2", "--output", "jsonl"],
    ],
)
def test_a_closed_pipe_is_not_an_error(demo: Path, verb: list[str]) -> None:
    """If the reader of the output closes the pipe, the command exits at once, silently, and not with 0."""
    with PipedFork(*verb, "--data", str(demo)) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(30) == 141


def test_an_interrupt_is_not_an_error(server: str) -> None:
    """Ctrl-C ends a command that follows events, silently, with the exit code of shells."""
    with PipedFork("--server", server, "events", "follow", "--after", "0") as running:
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr.read().strip() == ""


@pytest.mark.parametrize("verb", [["serve", "--listen", "127.0.0.1:0"], ["views", "follow"]])
def test_an_interrupted_server_ends_as_it_was_told(
    closed_demo: Path, tmp_path: Path, verb: list[str]
) -> None:
    """Ctrl-C is how a server is stopped. It drains, and exits with 0 and without a traceback."""
    data = shutil.copytree(closed_demo, tmp_path / "data")
    with PipedFork(*verb, "--data", str(data)) as running:
        assert (running.stderr if verb[0] == "views" else running.stdout).readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert "Traceback" not in running.stderr.read()


@given(st.text())
def test_a_text_of_the_book_cannot_control_the_terminal(text: str) -> None:
    """A table shows only printable characters, and each row on a line of its own, whatever a party wrote."""
    lines = output.table(["name"], [[text]]).split("\n")
    assert len(lines) == 2
    assert all(symbol.isprintable() or unicodedata.category(symbol) == "Zs" for symbol in lines[1])


@given(st.lists(st.tuples(st.text("aé面膜\u0301", max_size=9), st.integers()), min_size=1))
def test_columns_are_aligned(rows: list[tuple[str, int]]) -> None:
    """Every row is as wide as the others. A Chinese character counts as two columns."""
    table = output.table(["name", "n"], [[name, str(number)] for name, number in rows], {1})
    assert len({printing.width(line) for line in table.splitlines()[1:]}) == 1


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_percentage_is_off_by_half_of_its_last_digit_at_the_most(part: int, whole: int) -> None:
    """A share is rounded to one decimal, never truncated."""
    printed = path_table.percent(Fraction(part), Fraction(whole))
    tenths = int(printed.replace(".", ""))
    assert abs(tenths * whole - 1_000 * part) * 2 <= whole


def test_a_mark_up_needs_two_comparable_prices() -> None:
    """A lower price has a negative mark-up. From nothing, or between currencies, there is none."""

    def yuan(amount: int) -> Price:
        return Price(amount, "CNY")

    assert path_table.mark_up(yuan(90), yuan(100)) == "-10.0%"
    assert path_table.mark_up(yuan(100), yuan(100)) == "+0.0%"
    assert path_table.mark_up(yuan(90), None) == ""
    assert path_table.mark_up(yuan(90), yuan(0)) == ""
    assert path_table.mark_up(yuan(90), Price(90, "USD")) == ""
    assert path_table.mark_up(Price(1, "CNY", 3), Price(1, "CNY", 4)) == "+33.3%"
    assert path_table.mark_up(Price(2, "CNY", 4), Price(1, "CNY", 2)) == "+0.0%"


def test_an_unknown_number_of_an_enum_is_shown() -> None:
    """A newer server may send a number of an enum that has no name here. It is shown as a number."""
    assert output.word(UnitState.DESCRIPTOR, 99) == "unknown (99)"
    assert output.word(UnitState.DESCRIPTOR, 0) == ""
