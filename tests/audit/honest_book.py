"""An honest book with two seals, how an auditor is asked about it, and how one of its events is edited."""

from typing import Final, NamedTuple

import msgspec

from pathbook.audit import auditor
from pathbook.audit.differences import Difference, DifferenceError, UncheckableError
from pathbook.ledger import commands
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.events import Event, RecordedEvent, Sealed
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.terms import Terms
from tests.proofs import prover
from tests.scenario import Story

FIRST_PART: Final = """
brand acme
agent ann
agent ben
shop cat
authorize ann tier 1 by acme
authorize ben tier 2 by ann as given
product mask 30000 CNY of acme
batch L1 of mask size 20 made 2025-12-01 expires 2026-12-31 by acme
batch L2 of mask size 3 made 2025-12-01 by acme
record 1:0-5 acme > ann at 15000 ref n1
record 1:0-5 acme > ann at 15000 ref n1 reported by ann
offer 1:0-1 ann > ben at 18000 as o
accept o by ben but short 1:1
record 1:10-15, 2:0 acme > ann at 14000
product balm 9000 CNY of acme
batch L3 of balm size 4 made 2025-12-01 by acme
authorize cat tier 1 by acme for balm
record 1:18, 2:1, 3:0-1 acme > cat at 13000
"""
SECOND_PART: Final = """
offer 1:2 ann > ben at 18000 as p
decline p by ben
offer 1:2 ann > ben at 18000 as q
withdraw q by ann
offer 1:2 ann > ben at 18000 until 2026-01-02 as l
record 1:3 ann > ben at 18000 as w
reverse w by ann
reverse w by ben
deliver 1:4 ann > ben as d
declare d an error by ann
sell 1:0 ben > wei at 30000
confirm 1:0 by wei at 29000
return 1:0 by consumer:wei
write off 1:4 by ann as damaged
offer 1:10 ann > ben at 18000 allowing 1 as e
accept e by ben with 1:12
sell 1:13 ann > wei at 30000
sell 1:14-15 ann > wei at 31000
confirm 1:14 by wei at 29000
write off 1:13-14 by consumer:wei as lost
return 1:15 by consumer:wei
record 1:5 ann > ben at 18000 as x
reverse x by ann as a
declare a an error by ann
pack 106141411234567897 with 1:6-7 by acme
unpack 106141411234567897 by acme
recall batch 1 units 1:8 by acme as r
lift r by acme
correct product mask price 28000 by acme
correct batch 1 price 27000 by acme
correct party cat to agent
revoke given by ann
today is 2026-01-05
lapse l
record 1:0 ben > ann at 17000
record 1:17 acme > cat at 16000 later
"""


def seal(story: Story) -> None:
    """Seal a story up to its last event, with roots by the definitions of RFC 6962."""
    lists, last = prover.Ledger(story, story.state.origin), story.recorded[-1]
    command = commands.Seal(
        request_id=f"~seal/{last.position}",
        covers=last.position,
        covers_recorded_at=last.recorded_at,
        batches=len(lists.batches),
        parties=len(lists.parties),
        root=lists.custody_root(),
    )
    assert isinstance(story.ask(command), Sealed)


def honest() -> tuple[RecordedEvent, ...]:
    """Return the events of the honest book. An event lies between the last seal and the position that it covers."""
    story = Story(FIRST_PART)
    seal(story)
    story.tell(SECOND_PART)
    seal(story)
    return tuple(story.recorded)


def stored(recorded: RecordedEvent) -> bytes:
    """Return the bytes of an event."""
    return prover.bytes_of(recorded.event, recorded)


BOOK: Final = honest()
LOG: Final = tuple(map(stored, BOOK))
CHECKPOINT: Final = Checkpoint("pathbook/book", len(LOG), root_of(map(leaf_hash, LOG)))


class Edited(NamedTuple):
    """A log, and the first position at which it differs from the honest one."""

    log: tuple[bytes, ...]
    position: int


def audit(log: tuple[bytes, ...], *checkpoints: Checkpoint) -> Difference | UncheckableError | None:
    """Return the first difference that an auditor finds, why it cannot tell, or None."""
    asked = auditor.Auditor(checkpoints)
    try:
        for data in log:
            asked.take(data)
        asked.finish()
    except DifferenceError as error:
        return error.difference
    except UncheckableError as error:
        return error
    return None


def with_event(position: int, event: Event) -> Edited:
    """Return the book with another event at a position."""
    data = prover.bytes_of(event, BOOK[position - 1])
    return Edited((*LOG[: position - 1], data, *LOG[position:]), position)


def with_fields(position: int, /, **changes: object) -> Edited:
    """Return the book with other fields in the event at a position, or in its terms."""
    event = BOOK[position - 1].event
    terms: object = getattr(event, "terms", None)
    if isinstance(terms, Terms) and not set(changes) <= set(event.__struct_fields__):
        return with_event(
            position, msgspec.structs.replace(event, terms=msgspec.structs.replace(terms, **changes))
        )
    return with_event(position, msgspec.structs.replace(event, **changes))


def at(kind: type[object], nth: int = 0) -> int:
    """Return the position of an event of a kind."""
    return [item.position for item in BOOK if isinstance(item.event, kind)][nth]
