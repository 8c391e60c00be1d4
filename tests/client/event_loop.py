"""Runs a test that is a coroutine in an event loop of its own."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import ParamSpec

Arguments = ParamSpec("Arguments")


def in_event_loop(test: Callable[Arguments, Coroutine[None, None, None]]) -> Callable[Arguments, None]:
    """Return a function that runs the coroutine; its arguments are the fixtures of the test."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
