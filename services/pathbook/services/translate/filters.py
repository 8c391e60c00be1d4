"""Filters of lists, from the fields of requests."""

from typing import Final

from google.protobuf.message import Message

from pathbook.ledger.codec.requests import enum_value_or_none, time_or_none
from pathbook.ledger.queries import OfferFilter, SeenBy, TransferFilter
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.rules.times import utc
from pathbook.ledger.values import MAX_REFERENCE, TransferKind, TransferSide, TransferStatus, is_reference
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import transfers_pb2

WITHOUT_END: Final = 2**63 - 1
"""Stands for the end of an interval that has none."""


def transfers(request: transfers_pb2.ListTransfersRequest, seen_by: SeenBy | None) -> TransferFilter:
    """Return which transfers of a party a request asks for. Raises RefusedRequestError."""
    occurred_from, occurred_before = _interval(request, "occurred")
    recorded_from, recorded_before = _interval(request, "recorded")
    return TransferFilter(
        party=request.party,
        side=enum_value_or_none(request.side, TransferSide, "side"),
        status=enum_value_or_none(request.status, TransferStatus, "status"),
        counterparty=request.counterparty,
        kind=enum_value_or_none(request.kind, TransferKind, "kind"),
        reference=_reference(request.reference),
        batch=request.batch,
        gtin=requests.gtin(request.gtin) if request.gtin else "",
        receiver_tier=request.receiver_tier if request.HasField("receiver_tier") else None,
        occurred_from=occurred_from,
        occurred_before=occurred_before,
        recorded_from=recorded_from,
        recorded_before=recorded_before,
        seen_by=seen_by,
    )


def offers(request: transfers_pb2.ListOffersRequest, seen_by: SeenBy | None) -> OfferFilter:
    """Return which offers of a party a request asks for. Raises RefusedRequestError."""
    return OfferFilter(
        party=request.party,
        side=enum_value_or_none(request.side, TransferSide, "side"),
        status=enum_value_or_none(request.status, TransferStatus, "status"),
        include_ended=request.include_ended,
        seen_by=seen_by,
    )


def reference(request: transfers_pb2.ListTransfersByReferenceRequest) -> str:
    """Return the reference that a request names. Raises RefusedRequestError if there is none."""
    if not request.reference:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="reference"))
    return _reference(request.reference)


def _reference(text: str) -> str:
    """Return a reference, or "" for none. Raises RefusedRequestError for a text that no reference can be."""
    if text and not is_reference(text):
        raise RefusedCallError(refuse(Reason.REFERENCE_MALFORMED, reference=text, limit=MAX_REFERENCE))
    return text


def _interval(request: Message, name: str) -> tuple[int, int]:
    """Return an interval of times, without its end, in microseconds since 1970 UTC. Raises RefusedRequestError."""
    since = time_or_none(request, f"{name}_from")
    before = time_or_none(request, f"{name}_before")
    if since is not None and before is not None and before < since:
        raise RefusedCallError(
            refuse(Reason.INTERVAL_REVERSED, field=name, since=utc(since), before=utc(before))
        )
    return since or 0, WITHOUT_END if before is None else before
