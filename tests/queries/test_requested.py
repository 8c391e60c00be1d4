"""Requests are found by all 16 bytes, although the views keep 8 of them."""

from pathbook.ledger.codec import encode
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import PartyRegistered
from pathbook.ledger.queries import RequestedEvent
from pathbook.ledger.refusals import Reason
from pathbook.ledger.requests import request_of
from pathbook.ledger.values import PartyKind
from tests.projections.synthetic import Entries
from tests.queries.written import MASKS, WrittenStory, open_queries, reason

WANTED = request_of(OPERATOR, "dora")
LIKE_IT = WANTED[:8] + bytes(8)


def registered(party: str, request: bytes) -> Entries:
    """Return the entry of a party that was registered by a request."""
    event = PartyRegistered(party, PartyKind.AGENT)
    return [encode(event, recorded_at=1, occurred_at=1, request=request, request_digest=bytes(16))]


def test_a_request_with_the_same_half_is_another_one() -> None:
    """It is not taken for the request that is asked for, and does not hide it."""
    story = WrittenStory(MASKS).entries
    before = registered("cleo", LIKE_IT)
    with open_queries([*story, *before]) as queries:
        assert reason(queries.event_of_request("book", OPERATOR, "dora")) is Reason.REQUEST_UNKNOWN
    with open_queries([*story, *before, *registered("dora", WANTED)]) as queries:
        found = queries.event_of_request("book", OPERATOR, "dora")
        assert isinstance(found, RequestedEvent)
        assert found.position == len(story) + 2
