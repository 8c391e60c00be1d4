"""The asyncio client is the twin of the client: the same methods, arguments, docstrings and story."""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import runpy
import typing
from pathlib import Path
from typing import Any, Final

import pytest

from pathbook.client import AsyncClient, Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.client.test_docstrings import ADDRESS, STORY, entries, section

METHODS: Final = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"]
TWIN: Final = runpy.run_path(str(Path(__file__).resolve().parents[2] / "clients/generate_client.py"))[
    "Twin"
]()
"""What writes the asyncio client. It also writes the examples of functions, which use either client."""

ITERATORS: Final = {"Iterator": "AsyncIterator"}


def test_both_clients_have_the_same_public_names() -> None:
    """A name of one client is a name of the other."""
    assert {name for name in dir(Client) if name[0] != "_"} == {
        name for name in dir(AsyncClient) if name[0] != "_"
    }


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_a_method_takes_the_same_arguments_in_both_clients(name: str) -> None:
    """The arguments have the same order, kinds, defaults and types; only a channel is of another class."""
    here, there = (inspect.signature(getattr(client, name)).parameters for client in (Client, AsyncClient))
    assert list(here) == list(there)
    for argument, other in zip(here.values(), there.values(), strict=True):
        if argument.name != "channel":
            assert argument == other


@pytest.mark.parametrize("name", METHODS)
def test_a_method_returns_the_same_in_both_clients(name: str) -> None:
    """What one client returns is what the other's coroutine returns, or its async iterator yields."""
    here, there = (typing.get_type_hints(getattr(client, name))["return"] for client in (Client, AsyncClient))
    method = getattr(AsyncClient, name)
    iterates = typing.get_origin(here) is typing.get_origin(typing.Iterator[int])
    if iterates:
        assert typing.get_origin(there) is typing.get_origin(typing.AsyncIterator[int])
        assert typing.get_args(here) == typing.get_args(there)
    else:
        assert here == there
    assert inspect.iscoroutinefunction(method) != (iterates or name == "with_options")


@pytest.mark.parametrize("name", METHODS)
def test_a_docstring_of_the_twin_explains_the_same(name: str) -> None:
    """The twin's docstring explains the same arguments and raises the same."""
    text = inspect.getdoc(getattr(AsyncClient, name)) or ""
    for title in ("Args", "Raises"):
        for entry in entries(name, title):
            assert f"    {entry}: " in text
    assert "await " in text or "async " in text


def examples(name: str) -> list[doctest.Example]:
    """Return the examples of an item: of the twin's docstring, or those of a function as the twin has them."""
    parser = doctest.DocTestParser()
    owner = AsyncClient if name == "Client" else getattr(AsyncClient, name, None)
    if owner is not None:
        return parser.get_examples((inspect.getdoc(owner) or "").split("\nExample:\n")[-1])
    found = parser.get_examples(section(name, "Example"))
    return [doctest.Example(TWIN.example(example.source), example.want) for example in found]


def test_the_examples_of_the_twin_tell_the_same_story(tmp_path: Path) -> None:
    """Each example, run after those before it on one book and one event loop, prints what its docstring shows."""
    names: dict[str, Any] = {}
    wrong: list[str] = []
    with running(Settings(data=tmp_path, listen="127.0.0.1:0")) as port, asyncio.Runner() as runner:
        for name in STORY:
            for example in examples(name):
                text = example.source.replace(ADDRESS, f"127.0.0.1:{port}")
                code = compile(text, name, "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    outcome = eval(code, names)  # as the interactive `python -m asyncio` does
                    if code.co_flags & inspect.CO_COROUTINE:
                        runner.run(outcome)
                if not doctest.OutputChecker().check_output(example.want, printed.getvalue(), 0):
                    wrong.append(f"{name}: {example.source}{printed.getvalue()}")
            assert not wrong, "".join(wrong)
