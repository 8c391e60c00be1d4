"""Reads of prices by callers that see everything are on record, and nothing else is. The record is bounded."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import grpc
import pytest

from pathbook.client import Client
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.log.accesses import ACCESS_AGE_US, Access, Accesses
from pathbook.services.access import access_log
from pathbook.services.access.access_log import MORE, WAITING_MAX, WRITE_EVERY_S, AccessLog
from pathbook.services.access.callers import ANY_CALLER, Caller, KnownBy, Role
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway
from pathbook.services.storage import Storage
from pathbook.v1 import paths_pb2, transfers_pb2
from pathbook.v1.access_log_pb2 import Access as Line
from pathbook.v1.values_pb2 import Unit
from tests.access.story import BOOK, OTHER_BOOK, told
from tests.books import engine
from tests.services.masks import refused

SOON_S: Final = 10.0
"""How long a test waits for what is written each second, on a busy machine."""

AUDITOR: Final = Caller(Role.AUDITOR, KnownBy.TOKEN, BOOK, "", "pb-1")


def lines(client: Client, wanted: int) -> list[Line]:
    """Return the access log once it has so many lines."""
    ends = time.monotonic() + SOON_S
    while len(found := list(client.list_accesses())) < wanted and time.monotonic() < ends:
        time.sleep(WRITE_EVERY_S / 4)
    return found


def test_what_an_auditor_and_an_operator_read_is_on_record(place: Path) -> None:
    """Each line names the token, the method and of what. Parties and brands read what is theirs, and leave none."""
    with told(place) as story, contextlib.ExitStack() as stack:
        clients = {
            role: stack.enter_context(story.client(role))
            for role in ("party", "brand", "auditor", "operator")
        }
        for client in clients.values():
            client.get_path((1, 50))
            list(client.list_transfers("ann"))
        (code,) = next(clients["operator"].list_codes(1, 50, 50)).serials
        clients["auditor"].get_path(code)
        clients["auditor"].get_ladder(1)
        list(clients["auditor"].list_parties())
        list(clients["auditor"].read(limit=1))
        found = lines(clients["operator"], 7)
        ids = {role: story.tokens[role].partition(".")[0] for role in ("auditor", "operator")}
        assert {(line.role, line.caller) for line in found} == set(ids.items())
        told_of = {(line.role, line.method.partition(".")[2], line.subject, line.count) for line in found}
        assert told_of == {
            *(
                (role, *what, 1)
                for role in ids
                for what in (("GetPath", "unit 1:50"), ("ListTransfers", "party ann"))
            ),
            ("auditor", "GetPath", "a code", 1),
            ("auditor", "GetLadder", "batch 1", 1),
            ("auditor", "Read", "events after 0", 1),
        }
        assert [line.number for line in found] == sorted((line.number for line in found), reverse=True)
        assert [line.number for line in clients["auditor"].list_accesses(page_size=2)] == [
            line.number for line in found
        ]
        for role in ("party", "brand"):
            with refused("ROLE_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED):
                list(clients[role].list_accesses())
        assert code not in str(found)
        with story.client("other", OTHER_BOOK) as other:
            assert list(other.list_accesses()) == []


def line(number: int, at: int = 0) -> Access:
    """Return a line."""
    return Access(0, at or now(), BOOK, "auditor", "pb-1", "PathService.GetPath", f"unit 1:{number}", 1)


def test_the_oldest_lines_go(place: Path) -> None:
    """There are at most so many, and none is older than its age. Numbers go on."""
    database = engine(place, "events")
    kept = Accesses(database, limit=5)
    assert kept.page(BOOK, 0, 10) == []
    for number in range(7):
        kept.add([line(number)], now())
    assert [found.number for found in kept.page(BOOK, 0, 10)] == [7, 6, 5, 4, 3]
    assert [found.number for found in kept.page(BOOK, 5, 1)] == [4]
    later = now() + ACCESS_AGE_US + 3_600 * 1_000_000
    kept.add([line(8, later)], later)
    assert [found.number for found in kept.page(BOOK, 0, 10)] == [8]
    database.dispose()


def test_a_caller_of_many_things_pushes_no_line_out(tmp_path: Path) -> None:
    """Beyond a thousand subjects of a method a day, a caller has one line for all further ones."""
    most = access_log.SUBJECTS_A_DAY_MAX

    async def read(storage: Storage, gateway: Gateway) -> None:
        log = AccessLog(storage.accesses, gateway)
        for number in range(2 * most):
            request = transfers_pb2.GetTransferRequest(book=BOOK, transfer=number + 1)
            log.note(AUDITOR, "TransferService.GetTransfer", request)
            if not number % 300:
                await log.write()
        await log.write()

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        asyncio.run(read(storage, gateway))
        found = storage.accesses.page(BOOK, 0, 3 * most)
    assert len([line for line in found if line.subject != MORE]) == most
    assert sum(line.times for line in found) == 2 * most


def test_reads_are_written_once_though_the_database_is_slow(tmp_path: Path) -> None:
    """A write that nothing waits for any more goes on. It is not begun again beside itself."""
    database = engine(tmp_path, "events")
    kept = Accesses(database)
    request = paths_pb2.GetPathRequest(book=BOOK)

    async def read(gateway: Gateway) -> None:
        log = AccessLog(kept, gateway)
        log.note(AUDITOR, "PathService.GetPath", request)
        with writing(database):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await log.write()
            log.note(AUDITOR, "PathService.GetPath", request)
        await log.write()

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        asyncio.run(read(gateway))
    assert [line.times for line in kept.page(BOOK, 0, 10)] == [1, 1]
    database.dispose()


def test_equal_reads_are_counted_and_waiting_ones_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads beyond the bound are counted under one subject. What the database refused is written later, once."""

    async def read(gateway: Gateway, kept: Accesses) -> list[Access]:
        log = AccessLog(kept, gateway)
        monkeypatch.setattr(access_log, "SUBJECTS_A_DAY_MAX", 2 * WAITING_MAX)
        request = paths_pb2.GetPathRequest(book=BOOK)
        for number in (*range(WAITING_MAX), 0, 1, WAITING_MAX, WAITING_MAX + 1):
            request = paths_pb2.GetPathRequest(book=BOOK, unit=Unit(batch=1, number=number))
            log.note(AUDITOR, "PathService.GetPath", request)
        log.note(ANY_CALLER, "PathService.GetPath", request)
        log.note(AUDITOR, "PathService.ListStock", paths_pb2.ListStockRequest(book=BOOK, party="ann"))
        await log.write()
        await log.write()
        log.note(
            AUDITOR, "TransferService.GetTransfer", transfers_pb2.GetTransferRequest(book=BOOK, transfer=3)
        )
        failing = AccessLog(Accesses(engine(tmp_path / "missing" / "x", "events")), gateway)
        failing.note(AUDITOR, "PathService.GetPath", request)
        for _ in range(2):
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a database says that is not there
                await failing.write()
        await log.write()
        return kept.page(BOOK, 0, WAITING_MAX + 10)

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        found = asyncio.run(read(gateway, storage.accesses))
    assert len(found) == WAITING_MAX + 2
    assert (found[0].subject, found[0].times) == ("transfer 3", 1)
    counted = {each.subject: each.times for each in found}
    assert (counted["unit 1:0"], counted["unit 1:2"], counted[MORE]) == (2, 1, 2)
