"""The clock of the machine: what it says, and for how long the machine runs, which no setting of the clock changes."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

MICROSECONDS: Final = 1_000_000
"""The microseconds of a second."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux has an id that is new with each boot."""

_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# On Linux, only this clock counts the time that a machine sleeps. Elsewhere, the other one does.


def now() -> int:
    """Return the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def since_boot() -> int:
    """Return for how long the machine runs, asleep or not, in microseconds."""
    return time.clock_gettime_ns(_SINCE_BOOT) // 1_000


def boot_id() -> str:
    """Return the id of this boot of the machine, "" if the system has none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class Reading(NamedTuple):
    """What a machine says of the time, in microseconds: its clock since 1970 UTC, and for how long it runs."""

    wall: int
    since_boot: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MachineClock:
    """The clock of a machine. Storage believes it only near the time that it expects; a plain clock it believes always.

    Attributes:
        wall: returns what the clock says, in microseconds since 1970 UTC.
        since_boot: returns for how long the machine runs, in microseconds.
        boot: the id of the boot, "" if it is not known.
    """

    wall: Callable[[], int] = now
    since_boot: Callable[[], int] = since_boot
    boot: str = dataclasses.field(default_factory=boot_id)

    def read(self) -> Reading:
        """Read both."""
        return Reading(self.wall(), self.since_boot())
