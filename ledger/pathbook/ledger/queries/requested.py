"""What a caller recorded under one of its request ids."""

from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.projections.registers import request_hash
from pathbook.ledger.queries.answers import RequestedEvent
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import request_of
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import is_consumer, is_owner


def event_of_request(
    views: ViewSnapshot, stream: Stream, actor: str, request_id: str
) -> RequestedEvent | Refusal:
    """Return the event that a request of a party, a consumer or the operator caused."""
    is_known = is_owner(actor) and (is_consumer(actor) or views.party(actor) is not None)
    if actor != OPERATOR and not is_known:
        return refuse(Reason.PARTY_UNKNOWN, party=actor)
    request = request_of(actor, request_id)
    # other requests may have the same hash, and the event has the whole request
    for entry in stream.at(views.book, views.requested(request_hash(request))):
        recorded = read_event(views.book, entry)
        if recorded.request == request:
            return RequestedEvent(recorded.position, recorded.recorded_at, entry.data)
    return refuse(Reason.REQUEST_UNKNOWN, party=actor or "The operator", request_id=request_id)
