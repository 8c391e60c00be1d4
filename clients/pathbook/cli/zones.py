"""The zone in which days and times are shown and read: that of --zone, of the variable TZ, or of this machine."""

import datetime
import os
import re
import zoneinfo
from pathlib import Path
from typing import Final, NamedTuple

UTC_NAMES: Final = {
    "UTC",
    "Z",
    "GMT",
    "Etc/UTC",
    "Etc/GMT",
    "Etc/UCT",
    "Etc/Zulu",
    "Zulu",
    "UCT",
    "Universal",
}
"""Names of UTC. It is shown as `UTC`."""

LOCAL_ZONE_FILE: Final = Path("/etc/localtime")
"""On Linux and macOS a link to the zone of the machine."""

MAX_SUGGESTIONS: Final = 3
"""The most zones that a usage error suggests."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}")
_OFFSET: Final = re.compile(r"(?:UTC)?([+-])([01][0-9]|2[0-3]):([0-5][0-9])")


class Zone(NamedTuple):
    """A zone: its name as it is shown, and its rules. None stands for the rules of the C library, as for TZ=CST-8."""

    name: str
    rules: datetime.tzinfo | None

    def at(self, moment: datetime.datetime) -> datetime.datetime:
        """Return a moment in this zone. A moment beyond the calendar stays in UTC."""
        try:
            return moment.astimezone(self.rules)
        except (OverflowError, ValueError):
            return moment

    def first_moment(self, day: datetime.date) -> datetime.datetime:
        """Return the first moment of a day. Where clocks skip midnight, the day begins when they have."""
        midnight = datetime.datetime.combine(day, datetime.time())
        return midnight.astimezone() if self.rules is None else midnight.replace(tzinfo=self.rules)

    def today(self) -> datetime.date:
        """Return the day that it is here."""
        return datetime.datetime.now(datetime.UTC).astimezone(self.rules).date()


UTC: Final = Zone("UTC", datetime.UTC)


class UnknownZoneError(ValueError):
    """A text names no zone. The message says what to write."""


def named(text: str) -> Zone:
    """Return the zone with a name of the IANA database, or with an offset such as +08:00.

    Raises:
        UnknownZoneError: there is no such zone.
    """
    found = _find(text)
    if found is not None:
        return found
    like = _resembling(text)
    hint = f" Did you mean {' or '.join(like)}?" if like else ""
    raise UnknownZoneError(
        f"'{text}' is not a time zone.{hint} Write a name such as Asia/Shanghai, UTC, or an offset such as +08:00."
    )


def local() -> Zone:
    """Return the zone of TZ, else that of this machine. As for every program, a TZ that is not known means UTC."""
    wanted = os.environ.get("TZ")
    if wanted is None:
        return _of_this_machine()
    if not wanted or (found := _find(wanted.removeprefix(":"))) is None:
        return _of_the_library()
    return found


def names() -> list[str]:
    """Return the names of all zones, sorted."""
    return sorted(zoneinfo.available_timezones())


def _find(text: str) -> Zone | None:
    if text in UTC_NAMES:
        return UTC
    if offset := _OFFSET.fullmatch(text):
        sign, hours, minutes = offset.groups()
        delta = datetime.timedelta(hours=int(hours), minutes=int(minutes))
        return Zone(f"{sign}{hours}:{minutes}", datetime.timezone(-delta if sign == "-" else delta))
    if _NAME.fullmatch(text) is None:
        return None
    try:
        return Zone(text, zoneinfo.ZoneInfo(text))
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _of_this_machine() -> Zone:
    link = os.path.realpath(LOCAL_ZONE_FILE)
    _, known, name = link.partition("/zoneinfo/")
    return (_find(name) if known else None) or _of_the_library()


def _of_the_library() -> Zone:
    """Return the zone of the C library. It has no name, so its offset of now stands for one."""
    now = datetime.datetime.now().astimezone()
    offset = now.utcoffset()
    if not offset:
        return Zone("UTC", None)
    return Zone(now.strftime("%z")[:3] + ":" + now.strftime("%z")[3:5] + ", local time", None)


def _resembling(text: str) -> list[str]:
    """Return the zones that a text may have meant: a city without its continent, or a slip of the fingers."""
    from difflib import get_close_matches

    if text.strip().upper() in UTC_NAMES:
        return [UTC.name]
    by_name = {name.lower(): name for name in names()}
    asked = text.strip().lower().replace(" ", "_")[:100]
    cities = [name for lower, name in by_name.items() if lower.rpartition("/")[2] == asked]
    close = [by_name[lower] for lower in get_close_matches(asked, by_name, n=MAX_SUGGESTIONS, cutoff=0.75)]
    return list(dict.fromkeys([*cities, *close]))[:MAX_SUGGESTIONS]
