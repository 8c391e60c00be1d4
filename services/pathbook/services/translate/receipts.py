"""Messages for the outcomes of writes: receipts, the units that the book chose, refusals."""

from collections.abc import Iterable
from typing import Final, assert_never

from pathbook.ledger import events
from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.codec.fields import write_ranges
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import Ranges
from pathbook.services.translate import values
from pathbook.v1 import registrations_pb2, statements_pb2, transfers_pb2, values_pb2
from pathbook.v1.refusals_pb2 import RefusalReason

_Choosing = (
    events.TransferBeginning
    | events.TransferAccepted
    | events.TransferAttested
    | events.UnitsDelivered
    | events.PurchaseConfirmed
    | events.UnitsWrittenOff
    | events.CasePacked
)
"""The events whose request may let the book choose the units, for example by a quantity."""


def receipt(answer: Answer) -> values_pb2.Receipt:
    """Return the receipt for a write."""
    recorded = answer.recorded
    return values_pb2.Receipt(
        position=recorded.position,
        recorded_at=values.timestamp(recorded.recorded_at),
        duplicate=answer.duplicate,
    )


def chosen(answer: Answer) -> list[values_pb2.UnitRange]:
    """Return the units of a write, as the book chose them."""
    event = answer.recorded.event
    assert isinstance(event, _Choosing), event
    return values.unit_ranges(_ranges(event))


def _ranges(event: _Choosing) -> Ranges:
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case (
            events.TransferRecorded()
            | events.UnitsSold()
            | events.TransferOffered()
            | events.TransferAccepted()
        ):
            return event.terms.ranges
        case (
            events.TransferAttested()
            | events.UnitsDelivered()
            | events.PurchaseConfirmed()
            | events.UnitsWrittenOff()
            | events.CasePacked()
        ):
            return event.ranges
        case events.UnitsReturned():
            return tuple(sorted(item for line in event.lines for item in line.terms.ranges))
        case _:
            assert_never(event)


MAX_RESULT_RANGES: Final = 100_000
"""How many ranges the results of one batch have together before the rest is left out. They take up to 2 of the 4 MB
that a message may have. Only quantities that take units from many places lead to so many."""


def results(outcomes: Iterable[Outcome]) -> transfers_pb2.RecordTransfersResponse:
    """Return the results of a batch, one for each write, in order."""
    response = transfers_pb2.RecordTransfersResponse()
    count = 0
    for outcome in outcomes:
        result = response.results.add()
        match outcome:
            case Answer():
                _write_receipt(result.receipt, outcome)
                event = outcome.recorded.event
                assert isinstance(event, _Choosing), event
                ranges = _ranges(event)
                if count >= MAX_RESULT_RANGES:
                    result.ranges_left_out = True
                    continue
                count += len(ranges)
                write_ranges(result.ranges, ranges)
            case Refusal():
                _write_refusal(result.refusal, outcome)
            case _:
                assert_never(outcome)
    return response


def stated(answer: Answer) -> statements_pb2.FileStatementResponse:
    """Return the answer to a statement."""
    response = statements_pb2.FileStatementResponse()
    _write_stated(response, answer, 0)
    return response


def all_stated(outcomes: Iterable[Outcome]) -> statements_pb2.FileStatementsResponse:
    """Return the results of a batch of statements, one for each, in order."""
    response = statements_pb2.FileStatementsResponse()
    count = 0
    for outcome in outcomes:
        result = response.results.add()
        match outcome:
            case Answer():
                count += _write_stated(result.answer, outcome, count)
            case Refusal():
                _write_refusal(result.refusal, outcome)
            case _:
                assert_never(outcome)
    return response


def _write_stated(message: statements_pb2.FileStatementResponse, answer: Answer, before: int) -> int:
    """Fill the answer to a statement, after ``before`` ranges of others, and return how many ranges it has."""
    _write_receipt(message.receipt, answer)
    event = answer.recorded.event
    if isinstance(event, _Choosing):
        if before >= MAX_RESULT_RANGES:
            message.ranges_left_out = True
            return 0
        ranges = _ranges(event)
        write_ranges(message.ranges, ranges)
        return len(ranges)
    match event:
        case events.ProductRegistered(product=product):
            message.gtin = product
        case events.BatchCommissioned(batch=batch):
            message.batch = batch
        case events.TransferReversed():
            message.reversed = True
        case _:
            pass  # a receipt says all about the others
    return 0


def registered(outcomes: Iterable[Outcome]) -> registrations_pb2.RegisterResponse:
    """Return the results of a batch of registrations, one for each, in order."""
    response = registrations_pb2.RegisterResponse()
    for outcome in outcomes:
        result = response.results.add()
        match outcome:
            case Answer():
                _write_receipt(result.receipt, outcome)
                match outcome.recorded.event:
                    case events.ProductRegistered(product=product):
                        result.gtin = product
                    case events.BatchCommissioned(batch=batch):
                        result.batch = batch
                    case _:
                        pass  # a receipt says all about the others
            case Refusal():
                _write_refusal(result.refusal, outcome)
            case _:
                assert_never(outcome)
    return response


def _write_receipt(message: values_pb2.Receipt, answer: Answer) -> None:
    """Fill a receipt that lies in its response. To make one and copy it there takes five times as long."""
    recorded, stamp = answer.recorded, message.recorded_at
    message.position = recorded.position
    stamp.seconds, rest = divmod(recorded.recorded_at, values.MICROSECONDS_PER_SECOND)
    stamp.nanos = rest * 1_000
    message.duplicate = answer.duplicate


def _write_refusal(message: transfers_pb2.RefusedEntry, refusal: Refusal) -> None:
    message.reason = RefusalReason.ValueType(refusal.reason)
    message.message = str(refusal)
    message.metadata.update(refusal.facts)
