"""Keeps on record which prices were read by callers who see everything: auditors and operators.

Reads are gathered in memory, and written once a second (`pathbook.services.late_writing`).
"""

from typing import Final, TypeAlias

from google.protobuf.message import Message

from pathbook.ledger.store.log.accesses import Access, Accesses
from pathbook.services.access.callers import Caller, KnownBy
from pathbook.services.clock import now
from pathbook.services.gateway import Gateway
from pathbook.services.late_writing import LateWriting
from pathbook.services.translate.times import DAY_US

WRITE_EVERY_S: Final = 1.0
"""How often what was read is written."""

WAITING_MAX: Final = 10_000
"""How many different reads wait to be written at most. Further ones are counted under one subject for each method."""

SUBJECTS_A_DAY_MAX: Final = 1_000
"""Of how many subjects a caller has lines for one method and day. So a caller that asks for very many cannot push the
lines of other callers, or its own earlier ones, out of the log soon."""

MORE: Final = "and more"
"""The subject of the reads beyond these."""

_Line: TypeAlias = tuple[str, str, str, str, str]
"""Book, role, token or what else made the caller known, method, and subject."""

PRICE_READS: Final = frozenset(
    {
        "CorrectionService.ListCorrections",
        "EventService.GetEventByRequest",
        "EventService.Read",
        "EventService.Subscribe",
        "FindingService.SubscribeFindings",
        "InsightService.GetDomino",
        "InsightService.GetFindings",
        "InsightService.GetLadder",
        "InsightService.GetScorecard",
        "InsightService.GetSellThrough",
        "InsightService.GetStuckStock",
        "PathService.GetPath",
        "ProofService.GetUnitProof",
        "TransferService.GetTransfer",
        "TransferService.ListOffers",
        "TransferService.ListTransfers",
        "TransferService.ListTransfersByReference",
    }
)
"""The methods whose answers have prices."""

SUBJECTS: Final = (
    "party", "giver", "receiver", "brand", "batch", "gtin", "transfer", "position", "reference",
    "request_id",
)  # fmt: skip
"""The fields of requests, and of filters of reports, that say of what is asked.

Of a code only that it is one, because it opens a path.
"""


class AccessLog(LateWriting[dict[_Line, tuple[int, int]]]):
    """The reads of a server process that wait to be written. It belongs to the event loop."""

    every_seconds = WRITE_EVERY_S
    lost = "the last reads are not on record"
    kept_waiting = "what was read is not on record, because the database fails"

    def __init__(self, accesses: Accesses, gateway: Gateway) -> None:
        super().__init__()
        self._accesses, self._gateway = accesses, gateway
        self._waiting: dict[_Line, tuple[int, int]] = {}
        self._day = 0
        self._subjects: dict[tuple[str, str, str, str], set[str]] = {}

    def note(self, caller: Caller, method: str, request: Message) -> None:
        """Keep a read of a caller, if it has prices and the caller sees everything because of what makes it known."""
        if method not in PRICE_READS or not caller.sees_everything:
            return
        if caller.known_by in (KnownBy.OPEN_SERVER, KnownBy.NOTHING):
            return  # it runs the server, and may read the files
        book = str(getattr(request, "book", ""))
        who = caller.token or caller.known_by.value
        key = (book, caller.role.value, who, method, subject_of(request))
        if len(self._waiting) >= WAITING_MAX and key not in self._waiting:
            key = (*key[:4], MORE)
        key = self._bounded(key)
        at, count = self._waiting.get(key, (now(), 0))
        self._waiting[key] = at, count + 1

    def _bounded(self, key: _Line) -> _Line:
        """Return a line, or that of all further subjects if its caller has too many lines of its method today."""
        if (day := now() // DAY_US) != self._day:
            self._day, self._subjects = day, {}
        subjects = self._subjects.setdefault(key[:4], set())
        if key[4] not in subjects and len(subjects) >= SUBJECTS_A_DAY_MAX:
            return *key[:4], MORE
        subjects.add(key[4])
        return key

    def _take(self) -> dict[_Line, tuple[int, int]] | None:
        if not self._waiting:
            return None
        taken, self._waiting = self._waiting, {}
        return taken

    async def _add(self, taken: dict[_Line, tuple[int, int]]) -> None:
        lines = [Access(0, at, *key, count) for key, (at, count) in taken.items()]
        await self._gateway.run(self._accesses.add, lines, now())

    def _put_back(self, taken: dict[_Line, tuple[int, int]]) -> None:
        for key, (at, count) in taken.items():
            later = self._waiting.get(key, (0, 0))[1]
            self._waiting[key] = at, count + later


def subject_of(request: Message) -> str:
    """Return in words of what a request asks."""
    if "filter" in request.DESCRIPTOR.fields_by_name:
        return subject_of(request.filter)  # type: ignore[attr-defined] # it has one
    names = request.DESCRIPTOR.fields_by_name
    if "code" in names and names["code"].containing_oneof and request.HasField("code"):
        return "a code"
    if "unit" in names and request.HasField("unit"):
        unit = request.unit  # type: ignore[attr-defined] # it has one
        return f"unit {unit.batch}:{unit.number}"
    named = [(name, str(getattr(request, name))) for name in SUBJECTS if name in names]
    parts = [f"{name} {value}" for name, value in named if value not in ("", "0")]
    if "after_position" in names:
        parts.append(f"events after {request.after_position}")  # type: ignore[attr-defined] # as above
    return ", ".join(parts) or "all"
