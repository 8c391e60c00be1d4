"""What an editor shows of the client is complete and true: arguments, exceptions, and examples that run."""

import ast
import doctest
import enum
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from pathbook import client as exported
from pathbook.client import AsyncClient, Client, DecodedEvent, RefusedError, UnreachableError
from pathbook.ledger.refusals import Reason
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.translate.statuses import Failure

ADDRESS: Final = "127.0.0.1:50551"
"""The address that the examples call; the test puts its server's in its place."""

STORY: Final = [
    "Client",
    "PartyKey",
    "open_book",
    "get_book",
    "with_options",
    "list_books",
    "price",
    "timestamp",
    "register_party",
    "register_product",
    "get_product",
    "list_products",
    "authorize_party",
    "describe_party",
    "get_description",
    "check_seller",
    "erase_person",
    "create_token",
    "list_tokens",
    "list_accesses",
    "revoke_token",
    "commission_batch",
    "get_batch",
    "list_batches",
    "list_codes",
    "select",
    "offer_transfer",
    "accept_transfer",
    "decline_transfer",
    "withdraw_transfer",
    "resolve_units",
    "record_transfer",
    "deliver_units",
    "reverse_transfer",
    "sell_units",
    "confirm_purchase",
    "return_units",
    "write_off_units",
    "declare_error",
    "get_transfer",
    "list_transfers",
    "list_transfers_by_reference",
    "list_offers",
    "list_holders",
    "get_path",
    "fill_events",
    "decode",
    "insight_filter",
    "get_ladder",
    "get_sell_through",
    "get_stuck_stock",
    "get_shape",
    "get_findings",
    "explain_finding",
    "list_explanations",
    "subscribe_findings",
    "get_domino",
    "get_scorecard",
    "get_verifications",
    "list_stock",
    "get_party",
    "list_parties",
    "revoke_authorization",
    "pack_case",
    "get_case",
    "unpack_case",
    "recall_units",
    "lift_recall",
    "record_transfers",
    "register",
    "correct_product",
    "correct_batch",
    "correct_party",
    "corrections",
    "read",
    "parse_event",
    "DecodedEvent",
    "decode_batch",
    "subscribe",
    "get_head",
    "get_event",
    "get_event_by_request",
    "get_log_key",
    "get_checkpoint",
    "get_consistency_proof",
    "get_unit_proof",
    "add_cosignature",
    "get_fingerprint",
    "list_fingerprints",
    # from here on, what acme asks is signed
    "register_key",
    "request_key",
    "endorse_key",
    "register_requested_key",
    "rotate_key",
    "recover_key",
    "revoke_key",
    "list_keys",
    "write_key_file",
    "read_key_file",
    "read_public_part",
    "Signer",
    "get_version",
    "RefusedError",
    "UnreachableError",
    "close",
]
"""The order in which the examples are told, on one book."""

RAISES_NOTHING: Final = {"close", "with_options"}

NEVER_MET: Final = {
    Reason.DATE_MALFORMED,  # the client writes the dates
    Reason.ALREADY_SEALED,  # only the sealer seals
    Reason.SEALED_TOO_FAR,
    Reason.STATEMENT_HAS_CODES,  # the client names the units
    Reason.STATEMENTS_DIFFER,  # a client signs for one party
    Reason.DEADLINE_NOT_REACHED,  # only the writer lets offers lapse
    Reason.ALREADY_SEALED,  # only the server seals
    Reason.SEALED_TOO_FAR,  # as above
    Failure.MESSAGE_MALFORMED,  # the client's messages are well formed
    Failure.ANSWER_TOO_LARGE,  # every answer is smaller
    Failure.PAGE_TOKEN_MALFORMED,  # the client sends the server's own tokens
}
"""Reasons that no caller of the client meets, so that no docstring names them."""

Documented = type | Callable[..., object]


def documented() -> dict[str, Documented]:
    """Return every public class and function of the client, and every public method of Client, by name.

    Its twin is compared with it in tests/client/test_twin.py. Enums and what the ledger has say more there.
    """
    items: list[tuple[str, Documented]] = [(name, getattr(exported, name)) for name in exported.__all__]
    items += inspect.getmembers(Client, inspect.isfunction)
    return {
        name: item
        for name, item in items
        if inspect.isfunction(item) or (inspect.isclass(item) and not is_told_elsewhere(item))
        if not name.startswith("_")
    }


def is_told_elsewhere(item: type) -> bool:
    """Tell whether a class is the twin, an enum, or one of the ledger."""
    return issubclass(item, enum.Enum) or item is AsyncClient or item.__module__.startswith("pathbook.ledger")


def docstring(name: str) -> str:
    """Return the docstring of an item of the client, without its indentation."""
    return inspect.getdoc(documented()[name]) or ""


def section(name: str, title: str) -> str:
    """Return what stands under a title of a docstring, or nothing."""
    found = re.search(rf"^{title}:\n((?: {{4}}.*\n|\n)+)", docstring(name) + "\n", re.MULTILINE)
    return found[1] if found else ""


def entries(name: str, title: str) -> list[str]:
    """Return the names that a section of a docstring explains, in order."""
    return re.findall(r"^ {4}(\w+): \S", section(name, title), re.MULTILINE)


def parameters(name: str) -> list[str]:
    """Return the names of the arguments that a caller may give."""
    return [item for item in inspect.signature(documented()[name]).parameters if item != "self"]


FUNCTIONS: Final = [name for name, item in documented().items() if inspect.isfunction(item)]
EXCEPTIONS: Final = [RefusedError.__name__, UnreachableError.__name__]


def test_every_public_item_has_its_place_in_the_story() -> None:
    """The story tells the example of each item once, and of nothing else."""
    assert sorted(STORY) == sorted(documented())


@pytest.mark.parametrize("name", STORY)
def test_a_docstring_begins_with_a_sentence_and_has_an_example(name: str) -> None:
    """The first line is a sentence of its own, and the last section an example of the item."""
    assert re.match(r"[A-Z][^\n]*[^.\n]\.\n\n", docstring(name)), docstring(name)
    assert f"{name}(" in section(name, "Example") or name in [*EXCEPTIONS, DecodedEvent.__name__]
    assert docstring(name).endswith(section(name, "Example").rstrip("\n"))


@pytest.mark.parametrize("name", [*FUNCTIONS, Client.__name__])
def test_a_docstring_explains_every_argument(name: str) -> None:
    """The arguments are those of the signature, in the same order."""
    assert entries(name, "Args") == parameters(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_tells_what_comes_back_and_what_is_raised(name: str) -> None:
    """What returns or yields says so, and what calls the server names both exceptions; a time needs its zone."""
    function = documented()[name]
    returns = typing.get_type_hints(function)["return"] is not type(None)
    told = "Yields" if inspect.isgeneratorfunction(function) else "Returns"
    assert bool(section(name, told)) == returns
    raised = entries(name, "Raises")
    assert bool(raised) == (name not in RAISES_NOTHING)
    if hasattr(Client, name) and raised:
        assert raised[:2] == EXCEPTIONS
        takes_time = {"occurred_at", "occurred_from", "valid_from", "revoked_from"}.intersection(
            parameters(name)
        )
        assert ("ValueError" in raised) == bool(takes_time)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_docstring_of_an_exception_explains_its_attributes(name: str) -> None:
    """Its attributes are those that the constructor sets."""
    attributes = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(documented()[name])))
        if isinstance(node, ast.Attribute)
    ]
    stored = [node.attr for node in attributes if isinstance(node.ctx, ast.Store)]
    assert entries(name, "Attributes") == stored


def test_docstrings_name_every_reason_and_no_other() -> None:
    """Each reason that a docstring names exists, and each reason that a caller can meet is named somewhere."""
    texts = [section(name, title) for name in FUNCTIONS for title in ("Yields", "Raises")]
    texts += [docstring("Client"), docstring("select")]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b|\bUNEXPECTED\b", "".join(texts)))
    reasons = {reason.name for reason in [*Reason, *Failure] if reason not in NEVER_MET}
    assert named - {code.name for code in grpc.StatusCode} == reasons


def test_the_examples_tell_one_story_that_works(tmp_path: Path) -> None:
    """Each example, run after those before it on one book, prints what its docstring shows."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    names: dict[str, object] = {}
    wrong: list[str] = []
    with running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port:
        for name in STORY:
            text = section(name, "Example").replace(ADDRESS, f"127.0.0.1:{port}")
            example = parser.get_doctest(text, {}, name, name, 0)
            assert example.examples, f"{name} has no example"
            example.globs = names
            runner.run(example, out=wrong.append, clear_globs=False)
            assert not wrong, "".join(wrong)


def types_in(hint: object) -> Iterator[object]:
    """Yield a type, and all types that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from types_in(part)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_says_every_type(name: str) -> None:
    """Each argument and the answer has a type, and none of them is Any."""
    hints = typing.get_type_hints(documented()[name])
    assert set(hints) == {*parameters(name), "return"}
    assert Any not in [part for hint in hints.values() for part in types_in(hint)]
