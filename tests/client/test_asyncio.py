"""The asyncio client at work: a stranger's first program, many calls at once, streams that are cancelled or broken."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from pathbook.client import (
    AsyncClient,
    Client,
    Entry,
    PartyKind,
    RefusalReason,
    RefusedError,
    UnreachableError,
    decode_batch,
    price,
    select,
)
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersResult
from tests.client.event_loop import in_event_loop
from tests.client.relay import relayed, within
from tests.services.masks import BEGUN, BOOK, MASK, begin, boxes, yuan
from tests.services.process import served


@in_event_loop
async def test_a_stranger_offers_accepts_and_reads_in_twenty_lines(client: Client) -> None:
    """Parties are registered at once, an offer is made and accepted, and the events tell it."""
    begin(client)
    async with AsyncClient(client.target, book=BOOK) as book:
        await asyncio.gather(*(book.register_party(f"shop-{n}", PartyKind.SHOP) for n in range(20)))
        offer = await book.offer_transfer(
            giver="acme", receiver="ann", units=select(quantities=[(10, MASK)]), unit_price=(15000, "CNY")
        )
        with pytest.raises(RefusedError) as refused:
            await book.accept_transfer(offer.receipt.position, receiver="bob")
        await book.accept_transfer(offer.receipt.position, receiver="ann")
        (stock,) = [stock async for stock in book.list_stock("ann")]
        kinds = [event.kind async for batch in book.read(BEGUN) for event in decode_batch(batch)]
    assert refused.value.reason is RefusalReason.NOT_THE_RECEIVER
    assert stock.owned == 10
    assert kinds == ["party_registered"] * 20 + ["transfer_offered", "transfer_accepted"]


@in_event_loop
async def test_cancelling_a_task_ends_its_stream_at_the_server(client: Client) -> None:
    """A task that follows a book and is cancelled leaves no stream behind, and the client works on."""
    begin(client)
    with relayed(client.target) as relay:
        async with AsyncClient(relay.target, book=BOOK) as book:
            caught_up = asyncio.Event()

            async def follow() -> None:
                async for batch in book.subscribe():
                    if batch.next_after_position == BEGUN:
                        caught_up.set()

            task = asyncio.create_task(follow())
            await asyncio.wait_for(caught_up.wait(), 30)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(within, 10, lambda: relay.ended.acquire(blocking=False))
            assert (await book.get_head()).position == BEGUN


@in_event_loop
async def test_a_cancelled_call_ends_at_the_server(client: Client) -> None:
    """A call whose task is cancelled while it waits is cancelled, too."""
    begin(client)
    with relayed(client.target) as relay:
        async with AsyncClient(relay.target, book=BOOK) as book:
            relay.hold.clear()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(book.get_book(), 0.3)
            assert await asyncio.to_thread(within, 10, lambda: relay.ended.acquire(blocking=False))


@in_event_loop
async def test_calls_and_streams_go_on_across_a_restart(data: Path) -> None:
    """A call and a subscription that lose their server go on with the next one, with each event once."""
    positions: list[int] = []

    async def follow(book: AsyncClient) -> None:
        async for batch in book.subscribe():
            positions.extend(event.position for event in decode_batch(batch))
            if batch.next_after_position == BEGUN + 2:
                return

    with served(data) as first:
        with Client(first.target, book=BOOK) as client:
            begin(client)
        async with AsyncClient(first.target, book=BOOK, retry_seconds=60) as book:
            following = asyncio.create_task(follow(book))
            await book.register_party("one", PartyKind.SHOP)
            first.kill()
            writing = asyncio.create_task(book.register_party("two", PartyKind.SHOP, request_id="two"))
            await asyncio.sleep(0.2)
            with contextlib.ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, served(data, first.port))
                assert (await writing).receipt.position == BEGUN + 2
                await asyncio.wait_for(following, 60)
    assert positions == list(range(1, BEGUN + 3))


@in_event_loop
async def test_an_unreachable_server_is_told_by_name() -> None:
    """After the time for retries the exception names the address."""
    async with AsyncClient("127.0.0.1:1", book=BOOK, retry_seconds=0.2) as book:
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
            await book.get_head()


def boxes_to_ann(first: int, count: int) -> list[Entry]:
    """Return transfers of one box each."""
    return [
        RecordTransferRequest(
            giver="acme", receiver="ann", units=boxes(number, number), unit_price=price(yuan(150))
        )
        for number in range(first, first + count)
    ]


@in_event_loop
async def test_batches_of_writes_are_answered_in_order(client: Client) -> None:
    """Each batch has its results, later reads include them, and a caller may stop early."""
    begin(client)
    batches = [boxes_to_ann(first, 20) for first in range(0, 200, 20)]
    async with AsyncClient(client.target, book=BOOK) as book:
        answers: list[Sequence[RecordTransfersResult]] = [
            results async for results in book.record_transfers(batches)
        ]
        found = [result.receipt.position for results in answers for result in results]
        assert found == list(range(BEGUN + 1, BEGUN + 201))
        assert book.position == BEGUN + 200
        (stock,) = [stock async for stock in book.list_stock("ann")]
        assert stock.owned == 200
        async for results in book.record_transfers([boxes_to_ann(0, 1), boxes_to_ann(1, 1)]):
            assert results[0].refusal.message
            break
        assert (await book.get_head()).position == BEGUN + 200
