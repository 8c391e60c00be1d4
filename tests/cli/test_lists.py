"""The verbs that list who holds units, offers, transfers and requests, as a person and as a script see them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, pathbook

GTIN = "06901234500011"


@pytest.fixture
def ask(demo: Path) -> "Ask":
    """The command line on the book of the demo."""
    return Ask(demo)


class Ask:
    """Runs verbs on the book of the demo."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __call__(self, *arguments: str) -> Ran:
        """Run a verb, and return what it printed."""
        return pathbook(*arguments, "--data", str(self._data))

    def lines(self, *arguments: str) -> list[str]:
        """Return the first cell of each line of a table."""
        ran = self(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        return [line.split("  ")[0] for line in ran.out.splitlines()[1:]]


def test_holders_of_a_lot_are_listed(ask: Ask) -> None:
    """A batch is named by its number or its lot, and a part of it by its units."""
    every = ask("holders", "1")
    assert every == ask("holders", "--gtin", GTIN, "--lot", "M26-A")
    assert every.out.splitlines()[1].split() == ["1:0", "1", "consumer:c-7", "consumer:c-7", "confirmed"]
    assert ask.lines("holders", "1", "--units", "1:5-12", "--units", "1:40") == ["1:5-9", "1:10-12", "1:40"]
    (held,) = map(json.loads, ask("holders", "1", "--limit", "1", "--output", "jsonl").out.splitlines())
    assert held["range"] == {"batch": "1", "first": "0", "last": "0"}
    assert (held["units"], held["owner"], held["state"]) == ("1", "consumer:c-7", "UNIT_STATE_CONFIRMED")


def test_offers_are_listed_with_their_units_and_deadlines(ask: Ask) -> None:
    """Open ones by default; all, or those with a status, on one side or on both."""
    assert ask("offers", "agent-1").out == "no offers\n"
    waiting, made = (ask.lines("offers", "agent-1", "--all", side) for side in ("--waiting", "--made"))
    assert ask.lines("offers", "agent-1", "--all") == sorted([*waiting, *made], key=int)
    assert ask.lines("offers", "agent-1", "--status", "accepted", "--waiting", "--made") == [*waiting, *made]
    titles = ask("offers", "agent-1", "--all").out.splitlines()[0].split()
    assert titles[-3:] == ["which", "deadline", "reference"]


def test_transfers_are_listed_by_conditions(ask: Ask) -> None:
    """Sides, times, products, tiers and references choose what is listed; --limit ends the list."""
    everything = ask.lines("transfer", "list", "agent-1")
    given = ask.lines("transfer", "list", "agent-1", "--side", "giver")
    received = ask.lines("transfer", "list", "agent-1", "--side", "receiver")
    assert sorted([*given, *received]) == sorted(everything)
    assert ask.lines("transfer", "list", "agent-1", "--from", "mask-brand") == received
    assert ask.lines("transfer", "list", "agent-1", "--tier", "1") == received
    assert set(ask.lines("transfer", "list", "agent-1", "--to", "agent-2")) <= set(given)
    assert ask.lines("transfer", "list", "agent-1", "--limit", "2") == everything[:2]
    assert ask("transfer", "list", "agent-1", "--limit", "0").out == "no transfers\n"
    of_year = ("--since", "2025-01-01", "--until", "2026-01-01")
    days = [line.split()[1] for line in ask("transfer", "list", "agent-1", *of_year).out.splitlines()[1:]]
    assert days
    assert all(day.startswith("2025-") for day in days)
    assert ask.lines("transfer", "list", "agent-1", "--gtin", GTIN, "--kind", "transfer") == everything
    assert ask("transfer", "list", "--reference", "DN 4711").out == "no transfers\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["holders"], "No batch is named."),
        (["holders", "1", "--gtin", GTIN], "No batch is named."),
        (["holders", "--gtin", GTIN], "No batch is named."),
        (["holders", "0"], "No batch is named."),
        (["holders", "1", "--limit", "-1"], "-1 is not in the range x>=0"),
        (["offers", "agent-1", "--all", "--status", "lapsed"], "--status and --all are both given."),
        (["transfer", "list"], "No party is named."),
        (["transfer", "list", "--reference", "x", "--batch", "1"], "No party is named."),
        (["transfer", "list", "--reference", "x", "--tier", "0"], "No party is named."),
        (["transfer", "list", "a", "--from", "b", "--to", "c"], "PARTY has two sides."),
        (["transfer", "list", "a", "--from", "b", "--side", "giver"], "PARTY has two sides."),
        (["transfer", "list", "a", "--since", "2026-01-01T10:00"], "has no time zone"),
    ],
)
def test_a_list_that_cannot_be_is_a_usage_error(ask: Ask, arguments: list[str], sentence: str) -> None:
    """The command is not run, and the sentence says what to give."""
    ran = ask(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_a_request_is_shown_to_the_party_that_sent_it(tmp_path: Path) -> None:
    """The event of a request id is printed on a line, or as JSON; another party finds nothing."""
    data = ("--data", str(tmp_path))
    pathbook("party", "register", "acme", "--kind", "brand", "--request-id", "first", *data)
    shown = pathbook("request", "show", "first", *data)
    assert shown.out.split()[0] == "2"
    assert "party_registered  party=acme" in shown.out
    found = pathbook("request", "show", "first", "--output", "json", *data).json()
    assert (found["position"], "bytes" in found) == ("2", True)
    ran = pathbook("request", "show", "first", "--party", "acme", *data)
    assert (ran.code, ran.err.startswith("pathbook: REQUEST_UNKNOWN: acme recorded nothing")) == (1, True)


def test_a_listed_party_has_its_authorizations(ask: Ask) -> None:
    """The JSON of a party is the same in the list and alone, and so is that of a batch and of a transfer."""
    for noun, name in (("party", "parties"), ("batch", "batches")):
        listed = ask(noun, "list", "--output", "json").json()[name]
        assert isinstance(listed, list)
        for item in listed:
            assert item == ask(noun, "show", item[noun], "--output", "json").json()
    (first, *_) = map(json.loads, ask("transfer", "list", "agent-1", "--output", "jsonl").out.splitlines())
    shown = ask("transfer", "show", first["transfer"], "--output", "json").json()["transfers"]
    assert shown == [first]
    assert first["ranges"]


def test_the_server_tells_its_version(server: str) -> None:
    """`server version` asks the server, and needs no book."""
    ran = pathbook("server", "version", "--server", server, "--book", "none", "--output", "json")
    assert ran.json()["proto_package"] == "pathbook.v1"
    own = pathbook("--version").out.split()[1]
    assert pathbook("server", "version", "--server", server).out.split("\n")[0].split() == ["version", own]
