"""Days and times are shown and read in one zone, and the zone is named."""

import datetime
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.cli import zones
from tests.cli.conftest import TODAY, pathbook

ZONES = ("Asia/Shanghai", "America/Los_Angeles", "Pacific/Kiritimati", "CST-8", "UTC")
"""Zones behind UTC, before it, and a day before it; one that only the C library knows."""


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The variable TZ is set to a zone."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A book with a transfer at 17:30 UTC, which is the next day in Shanghai."""
    place = ("--data", str(tmp_path_factory.mktemp("sold")))
    made = (
        "--brand",
        "b",
        "--lot",
        "A",
        "--size",
        "5",
        "--made-on",
        "2026-01-01",
        "--expires-on",
        "2027-01-01",
    )
    moved = ("--giver", "b", "--receiver", "s", "--units", "1:0-1", "--price", "3 JPY")
    for line in (
        ["party", "register", "b", "--kind", "brand"],
        ["party", "register", "s", "--kind", "shop"],
        ["party", "authorize", "s", "--upline", "b", "--tier", "1", "--from", "2026-01-01"],
        ["product", "register", "96385074", "--brand", "b", "--name", "pen", "--price", "3 JPY"],
        ["batch", "commission", "96385074", *made],
        ["record", *moved, "--occurred-at", "2026-02-03T17:30:00Z"],
        ["batch", "recall", "1", "--brand", "b", "--units", "1:4", "--occurred-at", "2026-02-04T17:30:00Z"],
        ["correct", "batch", "1", "--brand", "b", "--price", "4 JPY"],
    ):
        ran = pathbook(*place, *line)
        assert ran.code == 0, ran
    return place


def test_the_demo_tells_the_same_days_in_every_zone(zone: str, tmp_path: Path) -> None:
    """Wherever the demo runs, its path shows the days of its story."""
    del zone
    ran = pathbook("demo", "--today", TODAY, "--data", str(tmp_path))
    assert ran.code == 0
    days = re.findall(
        r"^(?:[0-9 ]+)  (20[0-9-]{8})(?= .*(?:transferred|sold|confirmed))", ran.out, re.MULTILINE
    )
    assert days == [
        "2025-10-02",
        "2025-10-17",
        "2025-11-01",
        "2025-11-16",
        "2025-12-01",
        "2026-02-09",
        "2026-02-10",
    ]
    assert "sold on 2026-02-09 by agent-5 and confirmed on 2026-02-10" in " ".join(ran.out.split())


def test_a_day_is_that_of_the_zone_and_says_so(sold: tuple[str, ...]) -> None:
    """The zone of --zone moves the day of a transfer, and the title of the column names it."""
    for name, day, title in (
        ("UTC", "2026-02-03", "date (UTC)"),
        ("Asia/Shanghai", "2026-02-04", "date (Asia/Shanghai)"),
        ("+08:00", "2026-02-04", "date (+08:00)"),
        ("-09:30", "2026-02-03", "date (-09:30)"),
    ):
        titles, row, *_ = pathbook(*sold, "transfer", "list", "s", "--zone", name).out.splitlines()
        assert title in titles
        assert day in row
        path = pathbook(*sold, "--zone", name, "path", "1:0").out
        assert day in path
        assert title in path or f"dates in       {name}" in path


def test_every_table_that_shows_a_time_says_its_zone(sold: tuple[str, ...]) -> None:
    """A time has its offset. So no table of a verb shows a time of which the zone has to be guessed."""
    for verb in (
        ["book", "list"], ["book", "show", "book"], ["party", "show", "s"], ["batch", "show", "1"],
        ["events", "read"], ["correction", "list", "--batch", "1"],
    ):  # fmt: skip
        shown = pathbook(*sold, *verb, "--zone", "Asia/Shanghai").out
        times = re.findall(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\S*", shown)
        assert times, verb
        assert times[0].endswith("+08:00"), verb
        assert all(text.endswith(("+08:00", "Z")) for text in times), verb
        shown = pathbook(*sold, *verb).out
        assert all(text.endswith("Z") for text in re.findall(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\S*", shown)), verb


def test_json_has_times_in_utc_whatever_the_zone(sold: tuple[str, ...]) -> None:
    """A script reads RFC 3339 with a Z. The zone is for people."""
    for name in ("UTC", "Asia/Shanghai"):
        ran = pathbook(*sold, "transfer", "list", "s", "--zone", name, "--output", "jsonl")
        assert json.loads(ran.out)["occurred_at"] == "2026-02-03T17:30:00Z"


def test_a_date_that_is_typed_begins_in_the_zone(tmp_path: Path, zone: str) -> None:
    """A date without a time means its first moment in the zone of --zone, before the date or after it, else of TZ."""
    place = ("--data", str(tmp_path))
    assert pathbook(*place, "party", "register", "b", "--kind", "brand").code == 0
    for number, options in enumerate((["--zone", "Asia/Tokyo"], [])):
        party = f"s{number}"
        assert pathbook(*place, "party", "register", party, "--kind", "shop").code == 0
        given = ["party", "authorize", party, "--upline", "b", "--tier", "1", "--from", "2026-05-01"]
        assert pathbook(*place, *given, *options).code == 0
        found = json.loads(pathbook(*place, "party", "show", party, "--output", "json").out)[
            "authorizations"
        ][0]
        began = {
            "Asia/Tokyo": "2026-04-30T15:00:00Z",
            "Asia/Shanghai": "2026-04-30T16:00:00Z",
            "CST-8": "2026-04-30T16:00:00Z",
            "America/Los_Angeles": "2026-05-01T07:00:00Z",
            "Pacific/Kiritimati": "2026-04-30T10:00:00Z",
            "UTC": "2026-05-01T00:00:00Z",
        }[options[1] if options else zone]
        assert found["valid_from"] == began


def test_a_day_without_midnight_begins_when_the_clocks_have_moved() -> None:
    """In Beirut, 30 March 2025 began at one o'clock, which is the first moment of that day."""
    beirut = zones.named("Asia/Beirut")
    first = beirut.first_moment(datetime.date(2025, 3, 30)).astimezone(datetime.UTC)
    assert beirut.at(first).isoformat() == "2025-03-30T01:00:00+03:00"
    before = first - datetime.timedelta(microseconds=1)
    assert beirut.at(before).date() == datetime.date(2025, 3, 29)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Asia/Shangai", "Did you mean Asia/Shanghai"),
        ("shanghai", "Did you mean Asia/Shanghai?"),
        ("Asia/Ho Chi Minh", "Did you mean Asia/Ho_Chi_Minh?"),
        ("utc", "Did you mean UTC?"),
        ("Nowhere/Atall", "Write a name such as Asia/Shanghai, UTC, or an offset such as +08:00."),
        ("", "Write a name"),
        ("+8", "Write a name"),
        ("+24:00", "Write a name"),
        ("../../etc/passwd", "Write a name"),
        ("Asia", "Write a name"),
        ("x" * 300, "Write a name"),
        ("Asia/Shanghai\x00", "Write a name"),
        ("\ud800", "Write a name"),
    ],
)
def test_an_unknown_zone_is_a_usage_error(text: str, hint: str) -> None:
    """A zone that is not known is named, with the zones that it resembles and with how to write one."""
    ran = pathbook("book", "list", "--zone", text)
    assert (ran.code, ran.out) == (2, "")
    assert "is not a time zone." in ran.err
    assert hint in ran.err


def test_an_unknown_tz_means_utc_as_everywhere_and_is_shown_so(
    sold: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable TZ that is misspelt is UTC for the C library. It is for the tables, and they say so."""
    monkeypatch.setenv("TZ", "Asia/Shangai")
    time.tzset()
    assert "date (UTC)" in pathbook(*sold, "transfer", "list", "s").out
    monkeypatch.undo()
    time.tzset()


def test_today_is_the_day_of_the_zone(sold: tuple[str, ...]) -> None:
    """Days left are counted from the day that it is in the zone: 26 hours lie between the first zone and the last."""

    def left(zone: str) -> int:
        return int(pathbook(*sold, "stock", "s", "--zone", zone).out.splitlines()[1].split()[1])

    assert left("-12:00") - left("+14:00") in (1, 2)
    checked = pathbook(*sold, "verify", "0000", "--zone", "Pacific/Kiritimati", "--today", "2026-02-30")
    assert (checked.code, "'2026-02-30' is not a date" in checked.err) == (2, True)
