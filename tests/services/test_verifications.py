"""Verifications are counted beside the book: by unit, hour and class of caller, bounded, and without a caller."""

import asyncio
import contextlib
import datetime
import logging
import time
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from grpc import StatusCode

from pathbook.client import Client, insight_filter
from pathbook.ledger.reports.verified import OTHER_UNITS, VerifiedRow
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.log import verifications
from pathbook.ledger.store.log.verifications import (
    HOUR_US,
    VERIFICATION,
    VERIFICATION_AGE_HOURS,
    Verifications,
)
from pathbook.services import verification_log
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Storage
from pathbook.services.verification_log import VerificationLog
from pathbook.v1.insights_pb2 import GetVerificationsResponse
from tests.access.story import told
from tests.books import PATIENCE, engine
from tests.services.masks import BOOK, begin, opened_place, refused
from tests.services.test_unit_proofs import seal

ALL: Final = (0, 10**6)
"""All days."""


def counted(client: Client, times: int, only: int = 1, number: int | None = None) -> GetVerificationsResponse:
    """Return the verifications of a batch once there are so many."""
    until = time.monotonic() + PATIENCE
    while True:
        found = client.get_verifications(number, only=insight_filter(batch=only), times_min=3, times_median=2)
        if sum(sum(day.times.values()) for day in found.days) >= times or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_answers_about_codes_are_counted(place: Path) -> None:
    """A path and a proof by code count, a path by number and a refusal do not. A restart keeps what was counted."""
    with opened_place(place) as client:
        begin(client)
        codes = next(client.list_codes(1, 0, 2)).serials
        for _ in range(4):
            client.get_path(codes[0])
        client.get_path(codes[1])
        client.get_path((1, 2))
        with refused("CODE_CHECK_CHARACTER"):
            client.get_path(codes[2][:-1] + ("0" if codes[2][-1] != "0" else "1"))
    seal(place)
    with opened_place(place) as client:
        assert sum(counted(client, 5).days[0].times.values()) == 5
        client.get_unit_proof(codes[2])
        found = counted(client, 6)
        assert [dict(day.times) for day in found.days] == [{"public": 6}]
        assert found.days[0].day == datetime.datetime.now(datetime.UTC).date().isoformat()
        assert found.units_verified == 3
        assert [(unit.number, unit.times, unit.median) for unit in found.units] == [(0, 4, 1)]
        assert "1:0 was verified 4 times" in found.units[0].sentence
        assert not counted(client, 1, number=1).units
        alone = counted(client, 4, number=0)
        assert [(unit.number, unit.times, unit.median) for unit in alone.units] == [(0, 4, 1)]
        assert alone.units_verified == 1
        with refused("FILTER_NOT_KEPT"):
            client.get_verifications(only=insight_filter(party="ann"))
        with refused("FILTER_NOT_KEPT"):
            client.get_verifications(only=insight_filter(as_of_position=1))
        with refused("VALUE_MISSING"):
            client.get_verifications(3)
        with refused("BATCH_UNKNOWN", StatusCode.NOT_FOUND):
            client.get_verifications(only=insight_filter(batch=9))


def test_classes_of_callers_are_told_apart_and_no_caller_is_kept(tmp_path: Path) -> None:
    """Of a token only its role is kept. A brand sees the counts of its own products."""
    with told(tmp_path) as story:
        for role in ("public", "party", "auditor"):
            with story.client(role) as client:
                client.get_path(story.own.code)
        with story.client("public") as client:
            client.get_path(story.others.code)
    with contextlib.closing(Storage(tmp_path / "books", now)) as storage:
        rows = Verifications(storage.stream.engine).rows("masks", None, ALL, 100)
        assert sorted((row.batch, row.number, row.kind, row.times) for row in rows) == [
            (1, 50, "auditor", 1),
            (1, 50, "party", 1),
            (1, 50, "public", 1),
            (2, 50, "public", 1),
        ]
        with reading(storage.stream.engine) as connection:
            columns = {column["name"] for column in sa.inspect(connection).get_columns(VERIFICATION.name)}
        assert columns == {"book", "batch", "number", "hour", "kind", "times"}


def test_rows_merge_by_hour_and_the_oldest_go(place: Path) -> None:
    """Counts of one unit and hour are one row. A limit and an age remove whole hours, the oldest first."""
    database = engine(place, "events")
    kept = Verifications(database, limit=3)
    assert kept.rows("book", None, ALL, 10) == []
    hour = 2 * VERIFICATION_AGE_HOURS
    for times in (1, 2):
        kept.add({"book": [(1, 5, hour, "public", times)]}, hour * HOUR_US)
    day = hour // 24
    assert kept.rows("book", None, ALL, 10) == [VerifiedRow(1, 5, day, "public", 3)]
    assert kept.rows("other", None, ALL, 10) == []
    later = [(batch, 5, hour + 24, "public", 1) for batch in (1, 2, 3)]
    kept.add({"book": later}, (hour + 24) * HOUR_US)
    found = kept.rows("book", None, ALL, 10)
    assert sorted(row.batch for row in found) == [1, 2, 3]
    assert {row.day for row in found} == {day + 1}
    assert [row.batch for row in kept.rows("book", {2, 3}, (day + 1, day + 1), 1)] == [2]
    assert kept.rows("book", {4}, ALL, 10) == kept.rows("book", set(), ALL, 10) == []
    kept.add({}, (hour + 24 + VERIFICATION_AGE_HOURS + 1) * HOUR_US)
    assert kept.rows("book", None, ALL, 10) == []
    database.dispose()


def test_of_an_hour_with_too_many_counts_the_highest_stay(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So do all of later hours, and none of earlier ones. Each book of them has a note up to which hour counts went."""
    monkeypatch.setattr(verifications, "LOOKED_UP_AT_ONCE", 3)
    monkeypatch.setattr(verifications, "REMOVED_AT_ONCE", 2)
    database = engine(place, "events")
    kept = Verifications(database, limit=6)
    assert kept.dropped_through("book") is None
    hour = 10 * 24
    flood = [(batch, number, hour, "public", number) for batch in (1, 2) for number in range(1, 6)]
    kept.add(
        {
            "earlier": [(1, 1, hour - 1, "public", 9)],
            "book": [*flood, (3, 1, hour - 30, "public", 9), (4, 1, hour + 1, "public", 1)],
            "later": [(1, 1, hour + 1, "public", 1)],
        },
        (hour + 1) * HOUR_US,
    )
    found = {(row.batch, row.number) for row in kept.rows("book", None, ALL, 99)}
    assert found == {(4, 1), *((batch, number) for batch in (1, 2) for number in (4, 5))}
    assert (kept.rows("earlier", None, ALL, 9), len(kept.rows("later", None, ALL, 9))) == ([], 1)
    noted = [kept.dropped_through(book) for book in ("book", "earlier", "later")]
    assert noted == [hour, hour, None]
    kept.add({"book": [(5, 1, hour + 2, "public", 1)]}, (hour + 2) * HOUR_US)
    assert len(kept.rows("book", None, ALL, 99)) == 5, "one of them made room"
    assert kept.dropped_through("book") == hour
    database.dispose()


def test_counts_are_bounded_within_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked whether there are too many after so many were added, and not only when an hour begins."""
    monkeypatch.setattr(verifications, "CLEAN_AFTER_ROWS", 4)
    database = engine(tmp_path, "events")
    kept = Verifications(database, limit=3)
    for number in range(40):
        kept.add({"book": [(1, number, 5, "public", 1), (1, 99, 5, "public", 1)]}, 5 * HOUR_US)
        assert len(kept.rows("book", None, ALL, 99)) <= 3 + 4
    assert max(row.times for row in kept.rows("book", {1}, ALL, 99)) == 40, "it was never among the lowest"
    database.dispose()


def test_an_answer_says_of_which_days_counts_went(tmp_path: Path) -> None:
    """It names the last such day of those that are asked about, and none if all of them are whole."""
    first, day = datetime.date(2026, 3, 1), datetime.timedelta(days=1)
    hour = (first - datetime.date(1970, 1, 1)).days * 24
    with (
        running(Settings(data=tmp_path, listen="127.0.0.1:0", limits={}), logging.ERROR) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
    ):
        begin(client)
        database = engine(tmp_path, "events")
        kept = Verifications(database, limit=2)
        rows = [(1, number, hour + 24 * later, "public", 1) for later in (0, 1) for number in (1, 2)]
        kept.add({BOOK: rows}, (hour + 24) * HOUR_US)
        database.dispose()

        def partial_through(since: datetime.date, until: datetime.date) -> str:
            only = insight_filter(first_day=since, last_day=until)
            return client.get_verifications(only=only).partial_through

        assert partial_through(first - day, first) == str(first)
        assert partial_through(first - day, first - day) == str(first - day)
        assert partial_through(first, first + day) == str(first)
        assert partial_through(first + day, first + day) == ""


def test_counts_that_wait_are_bounded_and_outlive_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a limit, units are counted together. What the database refused is written later, once."""
    monkeypatch.setattr(verification_log, "WAITING_MAX", 2)

    later = tmp_path / "later"
    database = engine(later, "events")
    kept = Verifications(database)

    async def count(gateway: Gateway) -> None:
        log = VerificationLog(kept, gateway)
        for number in (1, 2, 3, 4, 1):
            log.note("book", 7, number)
        for _ in range(2):
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a database says that is not there
                await log.write()
        log.note("book", 7, 2)
        later.mkdir()
        await log.write()
        await log.write()

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        asyncio.run(count(gateway))
    rows = kept.rows("book", None, ALL, 10)
    assert sorted((row.number, row.times) for row in rows) == [(OTHER_UNITS, 2), (1, 2), (2, 2)]
    database.dispose()


def test_counts_are_written_once_though_the_database_is_slow(tmp_path: Path) -> None:
    """A write that nothing waits for any more goes on. It is not begun again beside itself."""
    database = engine(tmp_path, "events")
    kept = Verifications(database)
    kept.add({}, 0)

    async def count(gateway: Gateway) -> None:
        log = VerificationLog(kept, gateway)
        log.note("book", 7, 1)
        with writing(database):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await log.write()
            log.note("book", 7, 2)
        await log.write()

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        asyncio.run(count(gateway))
    assert sorted((row.number, row.times) for row in kept.rows("book", None, ALL, 10)) == [(1, 1), (2, 1)]
    database.dispose()
