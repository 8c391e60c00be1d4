"""Bulk reads take turns slice by slice, and let small reads go first. What is counted is who goes before whom."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

import pytest

from pathbook.client import Client
from pathbook.ledger.values import UnitRange
from pathbook.services.codes import CODES_AT_ONCE, CODES_PER_MESSAGE, messages, slices
from pathbook.services.gateway import Gateway
from pathbook.services.turns import SLICES_AT_ONCE, Turns
from tests.services.masks import begin


def with_turns(test: Callable[[Turns], Coroutine[None, None, None]]) -> None:
    """Run a coroutine with turns of its own."""

    async def run() -> None:
        turns = Turns()
        try:
            await asyncio.wait_for(test(turns), 30)
        finally:
            turns.close()

    asyncio.run(run())


async def settled() -> None:
    """Let all tasks go as far as they can without a thread."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_bulk_reads_share_the_server_slice_by_slice() -> None:
    """Callers that ask for many slices each are served in turn, and few slices run at once."""

    async def test(turns: Turns) -> None:
        order: list[str] = []
        running: list[int] = [0, 0]

        def work(name: str) -> None:
            running[0] += 1
            running[1] = max(running)
            order.append(name)
            running[0] -= 1

        async def caller(name: str) -> None:
            for _ in range(20):
                await turns.slice(lambda: work(name))

        await asyncio.gather(*map(caller, "abc"))
        assert order == list("abc") * 20
        assert running[1] <= SLICES_AT_ONCE

    with_turns(test)


def test_a_small_read_that_has_begun_goes_before_a_slice() -> None:
    """A slice waits for the small reads before it, and not for those that begin while it waits."""

    async def test(turns: Turns) -> None:
        order: list[str] = []
        gates = {name: threading.Event() for name in ("first", "second")}

        def read(name: str) -> None:
            assert gates[name].wait(20)
            order.append(name)

        first = asyncio.create_task(turns.small(lambda: read("first")))
        await settled()
        bulk = asyncio.create_task(turns.slice(lambda: order.append("slice")))
        await settled()
        second = asyncio.create_task(turns.small(lambda: read("second")))
        await settled()
        assert order == []
        gates["first"].set()
        await asyncio.gather(first, bulk)
        assert order == ["first", "slice"]
        gates["second"].set()
        await second
        assert order == ["first", "slice", "second"]

    with_turns(test)


def test_a_small_read_runs_beside_any_number_of_bulk_reads() -> None:
    """While one slice runs and many wait, a small read has a thread, and comes before all slices that wait."""

    async def test(turns: Turns) -> None:
        order: list[str] = []
        begun, gate = threading.Event(), threading.Event()

        def slow() -> None:
            begun.set()
            assert gate.wait(20)
            order.append("slice")

        bulk = [asyncio.create_task(turns.slice(slow)) for _ in range(50)]
        assert await asyncio.to_thread(begun.wait, 20)
        await turns.small(lambda: order.append("small"))
        assert order == ["small"]
        gate.set()
        await asyncio.gather(*bulk)

    with_turns(test)


def test_a_slice_that_fails_gives_its_turn_to_the_next() -> None:
    """An error of a slice is its caller's, and so is a cancellation."""

    async def test(turns: Turns) -> None:
        with pytest.raises(ZeroDivisionError):
            await turns.slice(lambda: 1 // 0)
        gate = threading.Event()
        blocked = asyncio.create_task(turns.slice(lambda: gate.wait(20)))
        cancelled = asyncio.create_task(turns.slice(lambda: True))
        await settled()
        cancelled.cancel()
        gate.set()
        assert await blocked
        assert await turns.slice(lambda: 2) == 2

    with_turns(test)


def test_codes_are_made_in_slices(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice of codes is a turn of its own, and the messages are as large as ever."""
    begin(client, size=5_000)
    counted: list[UnitRange] = []
    run_slice = Gateway.slice

    async def count(gateway: Gateway, work: object, *args: object, **kwargs: object) -> object:
        counted.extend(part for part in args if isinstance(part, UnitRange))
        return await run_slice(gateway, work, *args, **kwargs)  # type: ignore[arg-type] # it only passes them on

    monkeypatch.setattr(Gateway, "slice", count)
    responses = list(client.list_codes(1, 0, 4_999))
    assert [(response.first, len(response.serials)) for response in responses] == [
        (0, CODES_PER_MESSAGE),
        (2_000, CODES_PER_MESSAGE),
        (4_000, 1_000),
    ]
    assert len(set().union(*(response.serials for response in responses))) == 5_000
    assert [part.first for part in counted] == list(range(0, 5_000, CODES_AT_ONCE))
    whole = UnitRange(1, 0, 4_999)
    assert [part for piece in messages(whole) for part in slices(piece)] == counted
