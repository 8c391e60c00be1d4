"""What a phase came to, held against the model: raises MismatchError, which names the phase, where they differ."""

from collections.abc import Iterable, Mapping, Sequence

from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import Move, parties
from pathbook.client import Client
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import Stock
from pathbook.v1.transfers_pb2 import RecordTransferResponse, RecordTransfersResponse
from pathbook.v1.values_pb2 import Receipt


def receipts_of_calls(_phase: str, answers: Sequence[bytes]) -> list[Receipt]:
    """Return the receipts of single transfers, in the order of their positions."""
    receipts = [RecordTransferResponse.FromString(answer).receipt for answer in answers]
    return sorted(receipts, key=lambda receipt: receipt.position)


def receipts_of_batches(phase: str, answers: Sequence[bytes]) -> list[Receipt]:
    """Return the receipts of batches, as they came."""
    results = [item for answer in answers for item in RecordTransfersResponse.FromString(answer).results]
    for result in results:
        if not result.HasField("receipt"):
            raise MismatchError(
                phase, f"a transfer was refused that the model allows: {result.refusal.message}"
            )
    return [result.receipt for result in results]


def recorded(phase: str, model: Model, moves: Sequence[Move], receipts: Sequence[Receipt], head: int) -> int:
    """Hold receipts against what was asked, and do the same in the model; return the head as it is now."""
    wanted = range(head + 1, head + 1 + len(moves))
    found = [receipt.position for receipt in receipts]
    if found != list(wanted):
        raise MismatchError(
            phase, f"positions {found[:1]} .. {found[-1:]} are not all of {wanted[0]} .. {wanted[-1]}"
        )
    if any(receipt.duplicate for receipt in receipts):
        raise MismatchError(phase, "a transfer that is new was answered as a duplicate")
    for move in moves:
        try:
            model.move(move)
        except ValueError as error:
            raise MismatchError(
                phase, f"a transfer was recorded that the model does not allow: {error}"
            ) from error
    return wanted[-1]


def stock(model: Model, client: Client, head: int, recorded_by: Mapping[int, str]) -> None:
    """Hold what the views say that everybody has against the model; batches tell which phase it was."""
    position = client.get_head().position
    if position != head:
        raise MismatchError(
            recorded_by[max(recorded_by)], f"the book ends at {position}, the model at {head}"
        )
    for party in parties():
        lines = {line.batch.batch: line for line in client.list_stock(party, at_least_position=head)}
        owned = model.stock(party)
        for batch in sorted(lines.keys() | owned.keys()):
            line = lines.get(batch, Stock())
            found, wanted = (line.owned, line.in_custody, line.reserved), owned.get(batch, 0)
            if found != (wanted, wanted, 0):
                told = f"{party} owns, holds and has reserved {found} of batch {batch}, by the model {wanted}"
                raise MismatchError(recorded_by[batch], told)


def stream(phase: str, model: Model, events: Iterable[bytes], head: int) -> None:
    """Replay the bytes of all events on a model of their own, and hold what comes of it against the model."""
    replayed = Model(parties())
    count = 0
    for count, data in enumerate(events, 1):
        try:
            replayed.happened(Event.FromString(data))
        except (ValueError, KeyError) as error:
            raise MismatchError(
                phase, f"the event at position {count} cannot have happened: {error}"
            ) from error
    if count != head:
        raise MismatchError(phase, f"{count} events, not {head}")
    for party in parties():
        if replayed.stock(party) != model.stock(party):
            raise MismatchError(
                phase, f"{party} owns {replayed.stock(party)} by the events, not {model.stock(party)}"
            )
