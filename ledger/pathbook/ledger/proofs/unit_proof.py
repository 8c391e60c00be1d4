"""The proof file of a unit: all events of its past, of its batch and of the parties, up to a sealed position.

The file is a text. It begins with the C2SP tlog-proof of the Sealed event. Our part follows after an empty line. Each
fact stands in it once, so there is one text for each proof. ARCHITECTURE.md shows its lines and what is checked.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger.proofs.event_texts import EventTexts
from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_decimal, print_base64
from pathbook.ledger.proofs.tlog_proof import TlogProof, parse_tlog_proof
from pathbook.ledger.proofs.tree import HASH_BYTES, MAX_PATH, MAX_SIZE
from pathbook.ledger.values import MAX_BATCH_NUMBER, MAX_BATCH_SIZE, MAX_STATEMENTS, SIGNATURE_BYTES, Unit

HEADER: Final = "pathbook.unit-proof@v1"
"""The first line of our part."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""The most bytes of a proof file. An event has up to 64 KB, and 87 KB in base64, so there is room for 180 of the
largest. A file of 1 MB would hold eleven, less than six hops of bulk goods that are each offered and accepted."""

MAX_EVENTS: Final = 10_000
"""The most events of a unit, of a batch or of a party. A verifier replays no longer path."""

MAX_PARTIES: Final = 1_000
"""The most parties whose chains a proof has."""

MAX_FILED: Final = 100_000
"""The most statements that were signed with others. A file of MAX_BYTES has hardly room for more."""

_MAX_FILED_PATH: Final = (MAX_STATEMENTS - 1).bit_length()


class StoredEvent(NamedTuple):
    """An event as it is stored: its position, and its bytes."""

    position: int
    data: bytes


class PartyProof(msgspec.Struct, frozen=True):
    """The chain of a party, or of the operator.

    Attributes:
        number: of the party in the order of registration, from 1. The operator has 0.
        events: all events of its own chain, the first of which registers it, or opens the book.
    """

    number: int
    events: tuple[StoredEvent, ...]


class FiledStatement(msgspec.Struct, frozen=True, order=True):
    """The signature of a statement that was signed with others.

    Attributes:
        position: of their StatementsFiled.
        index: of the statement among them, from 0.
        size: how many they are.
        signature: of their root.
        path: the audit path of the statement to that root.
    """

    position: int
    index: int
    size: int
    signature: bytes
    path: tuple[bytes, ...]


class UnitProof(msgspec.Struct, frozen=True):
    """What a proof file says. Nothing of it is to be believed before it is verified.

    Attributes:
        seal: proves that the Sealed event is in the log.
        log: the key of the log, as the file names it. A verifier that knows the log compares it with the key it has.
        unit: whose past it is.
        sealed: the stored bytes of the Sealed event.
        custody: the audit path of the unit in the custody tree of its batch.
        batch: the audit path of the batch in the register of batches.
        batch_events: all events of the batch's own chain. The first commissions it.
        events: of the unit after the commissioning, oldest first.
        register: the hashes that lead to the root of the register of parties together with the parties here. If there
            is none, it is that root alone.
        parties: the parties that matter, in the order of their numbers.
        filed: the signatures of all events here whose statements were signed with others, in order.
    """

    seal: TlogProof
    log: VerifierKey
    unit: Unit
    sealed: bytes
    custody: tuple[bytes, ...]
    batch: tuple[bytes, ...]
    batch_events: tuple[StoredEvent, ...]
    events: tuple[StoredEvent, ...]
    register: tuple[bytes, ...] = ()
    parties: tuple[PartyProof, ...] = ()
    filed: tuple[FiledStatement, ...] = ()

    def __str__(self) -> str:
        """Return the text of the file, which `parse_unit_proof` reads."""
        texts = EventTexts()
        lines = [
            HEADER,
            f"log {self.log}",
            f"unit {self.unit.batch} {self.unit.number}",
            f"sealed {print_base64(self.sealed)}",
            f"custody {len(self.custody)}",
            *map(print_base64, self.custody),
            f"batch {len(self.batch)}",
            *map(print_base64, self.batch),
            f"batch-events {len(self.batch_events)}",
            *_lines(texts, self.batch_events),
            f"events {len(self.events)}",
            *_lines(texts, self.events),
            f"parties {len(self.parties)} {len(self.register)}",
            *map(print_base64, self.register),
        ]
        for party in self.parties:
            lines.append(f"party {party.number} {len(party.events)}")
            lines += _lines(texts, party.events)
        lines.append(f"filed-statements {len(self.filed)}")
        lines += map(_filed_line, self.filed)
        return f"{self.seal}\n" + "".join(f"{line}\n" for line in lines)


def parse_unit_proof(data: bytes) -> UnitProof:
    """Return the proof that was printed as these bytes. Every count is limited before anything is read by it.

    Raises:
        MalformedTextError: they are no proof file, or more than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise MalformedTextError(f"The file has {len(data)} bytes. The most are {MAX_BYTES}.")
    first, separator, rest = data.partition(f"\n\n{HEADER}\n".encode())
    if not separator:
        raise MalformedTextError(f"The file has no part that begins with {HEADER}.")
    seal = parse_tlog_proof(first + b"\n")
    if seal.extra is not None:
        raise MalformedTextError("The file has extra data, which nothing would prove.")
    if not rest.endswith(b"\n"):
        raise MalformedTextError("The file does not end in a newline.")
    try:
        lines = _Lines(rest.decode("utf-8").split("\n")[:-1])
    except UnicodeDecodeError:
        raise MalformedTextError("The file is not UTF-8.") from None
    log = VerifierKey.parse(*lines.words("log", 1))
    if log.type != ED25519:
        raise MalformedTextError("The key of the log is not of a log.")
    batch, number = lines.numbers("unit", MAX_BATCH_NUMBER, MAX_BATCH_SIZE - 1)
    (stored,) = lines.words("sealed", 1)
    custody = lines.hashes(*lines.numbers("custody", MAX_PATH))
    path = lines.hashes(*lines.numbers("batch", MAX_PATH))
    batch_events = lines.events(*lines.numbers("batch-events", MAX_EVENTS))
    events = lines.events(*lines.numbers("events", MAX_EVENTS))
    count, hashes = lines.numbers("parties", MAX_PARTIES, MAX_PARTIES * MAX_PATH)
    register = lines.hashes(hashes)
    parties = []
    for _ in range(count):
        place, own = lines.numbers("party", MAX_SIZE, MAX_EVENTS)
        parties.append(PartyProof(place, lines.events(own)))
    filed = lines.filed(*lines.numbers("filed-statements", MAX_FILED))
    lines.end()
    numbers = [party.number for party in parties]
    if numbers != sorted(set(numbers)):
        raise MalformedTextError("The parties are not in the order of their numbers.")
    sealed = parse_base64(stored, "The Sealed event")
    return UnitProof(
        seal,
        log,
        Unit(batch, number),
        sealed,
        custody,
        path,
        batch_events,
        events,
        register,
        tuple(parties),
        filed,
    )


def _lines(texts: EventTexts, events: Sequence[StoredEvent]) -> list[str]:
    return [f"{event.position} {texts.printed(event.data)}" for event in events]


def _filed_line(filed: FiledStatement) -> str:
    hashes = [print_base64(item) for item in (filed.signature, *filed.path)]
    return f"filed {filed.position} {filed.index} {filed.size} {' '.join(hashes)}"


class _Lines:
    """The lines of our part, which are read one after the other."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines, self._next, self._texts = lines, 0, EventTexts()

    def take(self, count: int) -> Sequence[str]:
        """Return the next lines."""
        found = self._lines[self._next : self._next + count]
        if len(found) < count:
            raise MalformedTextError("The file ends before all of its lines.")
        self._next += count
        return found

    def words(self, keyword: str, count: int) -> list[str]:
        """Return the words of the next line after its keyword."""
        found, *words = self.take(1)[0].split(" ")
        if found != keyword or len(words) != count:
            raise MalformedTextError(
                f"The file has no line '{keyword}' with {count} words where it should be."
            )
        return words

    def numbers(self, keyword: str, *limits: int) -> list[int]:
        """Return the numbers of the next line after its keyword, each of which is at most its limit."""
        found = [parse_decimal(word, f"A number of '{keyword}'") for word in self.words(keyword, len(limits))]
        for number, limit in zip(found, limits, strict=True):
            if number > limit:
                raise MalformedTextError(f"A number of '{keyword}' is {number}. The most is {limit}.")
        return found

    def hashes(self, count: int) -> tuple[bytes, ...]:
        """Return the hashes in the next lines."""
        return tuple(parse_base64(line, "A hash of the file", HASH_BYTES) for line in self.take(count))

    def events(self, count: int) -> tuple[StoredEvent, ...]:
        """Return the events in the next lines. Their positions increase."""
        found: list[StoredEvent] = []
        for line in self.take(count):
            position, _, data = line.partition(" ")
            event = StoredEvent(parse_decimal(position, "A position"), self._texts.parse(data))
            if event.position <= (found[-1].position if found else 0) or event.position > MAX_SIZE:
                raise MalformedTextError(f"Position {event.position} is not where it should be.")
            found.append(event)
        return tuple(found)

    def filed(self, count: int) -> tuple[FiledStatement, ...]:
        """Return the signatures of statements in the next lines. Their positions and indexes increase."""
        found: list[FiledStatement] = []
        for line in self.take(count):
            keyword, *words = line.split(" ", 5 + _MAX_FILED_PATH)
            numbers, hashes = words[:3], words[3:]
            if keyword != "filed" or not 1 <= len(hashes) <= 1 + _MAX_FILED_PATH:
                raise MalformedTextError("The file has no line 'filed' where it should be.")
            position, index, size = (parse_decimal(word, "A number of 'filed'") for word in numbers)
            if not (0 < position <= MAX_SIZE and index < size <= MAX_STATEMENTS):
                raise MalformedTextError(f"No statement is {index} of {size} at position {position}.")
            if found and (position, index) <= (found[-1].position, found[-1].index):
                raise MalformedTextError("The statements are not in the order in which they were filed.")
            signature = parse_base64(hashes[0], "A signature of the file", SIGNATURE_BYTES)
            path = tuple(parse_base64(word, "A hash of the file", HASH_BYTES) for word in hashes[1:])
            found.append(FiledStatement(position, index, size, signature, path))
        return tuple(found)

    def end(self) -> None:
        """Raise MalformedTextError if lines are left."""
        if self._next < len(self._lines):
            raise MalformedTextError("The file has more lines than it says.")
