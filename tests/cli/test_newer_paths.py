"""A server that is newer than the verifier: its path could not be checked, which is not a contradiction."""

from collections.abc import Callable
from typing import Any

import pytest

from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from tests.cli.conftest import TODAY, pathbook
from tests.cli.test_verify_verb import SERIAL, between
from tests.newer import of_unknown_kind, of_unknown_state

Change = Callable[[GetPathResponse], Any]


def change_event(make: Callable[[bytes], bytes]) -> Change:
    """Return a change of the last event of a path."""

    def change(path: GetPathResponse) -> None:
        path.steps[-1].event = make(path.steps[-1].event)

    return change


NEWER: dict[str, Change] = {
    "a kind of event": change_event(of_unknown_kind),
    "a state in an event": change_event(of_unknown_state),
    "a kind of step": lambda path: setattr(path.steps[2], "kind", 99),
    "a state of a step": lambda path: setattr(path.steps[2], "state", 99),
    "an attestation": lambda path: setattr(path.steps[2], "attestation", 99),
    "a delivery in terms": lambda path: setattr(path.steps[2].terms, "delivery", 99),
    "the state of the unit": lambda path: setattr(path.run, "state", 99),
}
"""What a newer server may show that this program does not know."""


@pytest.mark.parametrize("change", NEWER.values(), ids=NEWER.keys())
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_path_of_a_newer_server_could_not_be_checked(server: str, change: Change, form: str) -> None:
    """The exit code is 4, and the verdict says that this program must be updated."""
    with between(server, change) as middleman:
        ran = pathbook("--server", middleman, "--output", form, "verify", SERIAL, "--today", TODAY)
    assert ran.code == 4
    sentence = "newer than this program. Update this program, then check again."
    if form == "json":
        found = ran.json()
        assert (found["verdict"], found["sentence"], found["exit_code"]) == ("could not check", sentence, 4)
        return
    assert ran.out.splitlines()[-1] == f"could not check: {sentence}"
    (line,) = (line for line in ran.out.splitlines() if line.startswith(" 4  "))
    assert line.startswith(" 4  not checked")
    assert "contradicted" not in ran.out


KNOWN: dict[str, Change] = {
    "an unset kind of step": lambda path: setattr(path.steps[2], "kind", 0),
    "another known kind of step": lambda path: setattr(path.steps[2], "kind", 7),
    "a negative kind of step": lambda path: setattr(path.steps[2], "kind", -1),
    "an unset attestation": lambda path: setattr(path.steps[2], "attestation", 0),
    "an event without a kind": lambda path: setattr(path.steps[2], "event", b""),
    "a newer kind, but another head": lambda path: path.steps[2].MergeFrom(
        PathStep(kind=PathStepKind.ValueType(99), head=b"x")
    ),
    "a negative position": lambda path: setattr(path.steps[0], "position", -1),
    "a position of 0": lambda path: setattr(path.steps[0], "position", 0),
    "another position": lambda path: setattr(path.steps[0], "position", path.steps[0].position - 1),
}
"""What a server may show that no program of any age would show."""


@pytest.mark.parametrize("change", KNOWN.values(), ids=KNOWN.keys())
def test_a_contradiction_is_still_one(server: str, change: Change) -> None:
    """What this program knows to be wrong is contradicted, and exits 1."""
    with between(server, change) as middleman:
        ran = pathbook("--server", middleman, "verify", SERIAL, "--today", TODAY)
    assert ran.code == 1
    assert ran.out.splitlines()[-1].startswith("path contradicted: ")


def test_more_fields_than_this_program_knows_are_passed_over(server: str) -> None:
    """A field that a newer server added to the path, to a step or to a known event changes nothing."""

    def add_fields(path: GetPathResponse) -> None:
        path.MergeFromString(b"\x92\x06\x01x")
        path.steps[2].MergeFromString(b"\x92\x06\x01x")

    with between(server, add_fields) as middleman:
        ran = pathbook("--server", middleman, "verify", SERIAL, "--today", TODAY)
    assert ran.code == 0
