"""Checks that compare the results of a phase with the model. They raise MismatchError, which names the phase."""

from collections.abc import Iterable, Mapping, Sequence
from operator import lt

from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import Move, parties
from pathbook.client import Client
from pathbook.v1.events_pb2 import Event
from pathbook.v1.paths_pb2 import Stock
from pathbook.v1.statements_pb2 import FileStatementsResponse
from pathbook.v1.transfers_pb2 import RecordTransferResponse, RecordTransfersResponse
from pathbook.v1.values_pb2 import Receipt


def receipts_of_calls(_phase: str, answers: Sequence[bytes]) -> list[Receipt]:
    """Return the receipts of single transfers, in the order of their positions."""
    receipts = [RecordTransferResponse.FromString(answer).receipt for answer in answers]
    return sorted(receipts, key=lambda receipt: receipt.position)


def receipts_of_batches(phase: str, answers: Sequence[bytes]) -> list[Receipt]:
    """Return the receipts of batches, in the order of the answers."""
    results = [item for answer in answers for item in RecordTransfersResponse.FromString(answer).results]
    _require_all(
        phase, "transfer", [result.HasField("receipt") or result.refusal.message for result in results]
    )
    return [result.receipt for result in results]


def receipts_of_statements(phase: str, answers: Sequence[bytes]) -> list[Receipt]:
    """Return the receipts of batches of statements, in the order of the answers."""
    results = [item for answer in answers for item in FileStatementsResponse.FromString(answer).results]
    _require_all(
        phase, "statement", [result.HasField("answer") or result.refusal.message for result in results]
    )
    return [result.answer.receipt for result in results]


def _require_all(phase: str, what: str, outcomes: Iterable[bool | str]) -> None:
    """Require that everything was recorded. An outcome is True, or why it was refused."""
    for outcome in outcomes:
        if outcome is not True:
            raise MismatchError(phase, f"the server refused a {what} that the model allows: {outcome}")


def recorded(
    phase: str,
    model: Model,
    moves: Sequence[Move],
    receipts: Sequence[Receipt],
    head: int,
    *,
    has_others: bool = False,
) -> int:
    """Check the receipts of moves, and make the moves in the model; return the new head.

    If the book ``has_others``, such as seals, the positions of the moves have gaps, and the head is a later one.
    """
    expected = range(head + 1, head + 1 + len(moves))
    found = [receipt.position for receipt in receipts]
    is_gapless = found == list(expected)
    is_ordered = len(found) == len(moves) and all(map(lt, [head, *found], found))
    if not (is_ordered if has_others else is_gapless):
        raise MismatchError(
            phase,
            f"the receipts have positions {found[:1]} .. {found[-1:]},"
            f" which are not all positions {expected[0]} .. {expected[-1]} in order",
        )
    if any(receipt.duplicate for receipt in receipts):
        raise MismatchError(phase, "the server answered a new transfer as a duplicate")
    for move in moves:
        try:
            model.move(move)
        except ValueError as error:
            raise MismatchError(
                phase, f"the server recorded a transfer that the model does not allow: {error}"
            ) from error
    return found[-1]


def stock(model: Model, client: Client, head: int, phase_of_batch: Mapping[int, str]) -> None:
    """Compare the stock of all parties with the model. A mismatch names the phase that moved the batch."""
    position = client.get_head().position
    if position != head:
        raise MismatchError(
            phase_of_batch[max(phase_of_batch)],
            f"the book ends at position {position}, the model at {head}",
        )
    for party in parties():
        lines = {line.batch.batch: line for line in client.list_stock(party, at_least_position=head)}
        owned = model.stock(party)
        for batch in sorted(lines.keys() | owned.keys()):
            line = lines.get(batch, Stock())
            found, units = (line.owned, line.in_custody, line.reserved), owned.get(batch, 0)
            if found != (units, units, 0):
                raise MismatchError(
                    phase_of_batch[batch],
                    f"of batch {batch}, {party} owns, holds and has reserved {found} units,"
                    f" in the model {(units, units, 0)}",
                )


def stream(phase: str, model: Model, events: Iterable[bytes], head: int) -> None:
    """Replay the bytes of all events on a second model, and compare its stock with the model."""
    replayed = Model(parties())
    count = 0
    for count, data in enumerate(events, 1):
        try:
            replayed.apply(Event.FromString(data))
        except (ValueError, KeyError) as error:
            raise MismatchError(
                phase, f"the event at position {count} cannot have happened: {error}"
            ) from error
    if count != head:
        raise MismatchError(phase, f"the book has {count} events, the model {head}")
    for party in parties():
        if replayed.stock(party) != model.stock(party):
            raise MismatchError(
                phase,
                f"by the events, {party} owns {replayed.stock(party)}, in the model {model.stock(party)}",
            )
