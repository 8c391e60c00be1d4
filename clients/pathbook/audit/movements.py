"""What an event does to units: no unit has two owners, none comes from nowhere, and who gives units has them."""

from collections.abc import Sequence

from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, Rule
from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent, RunEvent
from pathbook.ledger.moves import moves_of
from pathbook.ledger.ranges import common, covers, joined, union, without
from pathbook.ledger.run import Run
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Ranges, Unit, UnitRange, UnitState
from pathbook.verify.following import is_claimed, problem
from pathbook.verify.party_chains import check_terms
from pathbook.verify.replay import ContradictionError


def check_movement(book: Book, recorded: RecordedEvent, event: RunEvent) -> None:
    """Check an event that changes runs, except the commissioning of a batch.

    Raises:
        DifferenceError: UNITS, MOVEMENT or AUTHORITY.
    """
    position = recorded.position
    if isinstance(event, events.TransferRecorded | events.UnitsSold):  # most events are, and name units once
        ranges = event.terms.ranges
        require_units(book, position, (ranges,))
        for part in ranges:
            _check_runs(book, recorded, event, part)
        _check_authority(book, recorded, event.terms)
        return
    if isinstance(event, events.ErrorDeclared):
        _require_declared(book, position, event)
        if isinstance(event.declared, events.ReversalAsked):
            return
    lists = [move.ranges for move in moves_of(event, position)]
    require_units(book, position, lists)
    if not any(lists):
        raise DifferenceError(position, Rule.UNITS, "it names no units")
    for ranges in lists:
        for part in ranges:
            _check_runs(book, recorded, event, part)
    if isinstance(event, events.TransferOffered | events.TransferAccepted):
        _check_authority(book, recorded, event.terms)
    _check_whole(book, recorded, event)


def require_units(book: Book, position: int, lists: Sequence[Ranges]) -> None:
    """Require that ranges are of batches that were made, in order, and that they name no unit twice.

    Raises:
        DifferenceError: UNITS.
    """
    for ranges in lists:
        number = last = -1
        for part in ranges:
            batch = book.state.batches.get(part.batch)
            if batch is None:
                raise DifferenceError(position, Rule.UNITS, f"batch {part.batch} was never made")
            size = batch.commissioned.size
            if not 0 <= part.first <= part.last < size:
                found = f"batch {part.batch} has {size} units, and no {part.first}-{part.last}"
                raise DifferenceError(position, Rule.UNITS, found)
            if (part.batch, part.first) <= (number, last):
                raise DifferenceError(
                    position, Rule.UNITS, f"units {_named(part)} are twice in it, or out of order"
                )
            number, last = part.batch, part.last
    if len(lists) > 1 and isinstance(twice := joined(part for ranges in lists for part in ranges), Unit):
        raise DifferenceError(position, Rule.UNITS, f"unit {twice.batch}:{twice.number} is twice in it")


def _require_declared(book: Book, position: int, event: events.ErrorDeclared) -> None:
    """Require that a declaration repeats an earlier event word for word, before its ranges are used."""
    known = book.state.declarables.get(event.position)
    if known is None or known.event != event.declared:
        found = f"it declares another event an error than the one at position {event.position}"
        raise DifferenceError(position, Rule.MOVEMENT, found)
    if not isinstance(known.event, events.ReversalAsked):
        return
    asked = book.state.transfers.get(known.event.transfer)
    is_open = asked is not None and asked.reversal_asked_at == event.position
    if known.is_declared or known.event.party != event.party or not is_open:
        raise DifferenceError(
            position, Rule.MOVEMENT, "it takes back a request of a reversal that is not open"
        )


def _check_runs(book: Book, recorded: RecordedEvent, event: RunEvent, part: UnitRange) -> None:
    """Check what an event does to the units of a range: once for each run, whose units have the same past.

    What the event says of single units, `_check_whole` compares.
    """
    says_more = isinstance(event, events.TransferAccepted) and event.extra
    for run in book.state.partitions[part.batch].overlapping(part.first, part.last):
        first = max(run.first, part.first)
        found = problem(event, run, book, Unit(part.batch, first))
        if says_more and not found:
            found = _problem_of_extra(
                book, event, run, UnitRange(part.batch, first, min(run.last, part.last))
            )
        if found:
            where = _named(UnitRange(part.batch, first, min(run.last, part.last)))
            raise DifferenceError(recorded.position, Rule.MOVEMENT, f"units {where}: {found}")


def _problem_of_extra(book: Book, event: RunEvent, run: Run, part: UnitRange) -> str:
    """Return why some units of a run cannot follow in an acceptance, which says of each whether it is extra."""
    assert isinstance(event, events.TransferAccepted), event
    cuts = (*common(event.extra, (part,)), *without((part,), event.extra))
    return next(filter(None, (problem(event, run, book, Unit(cut.batch, cut.first)) for cut in cuts)), "")


def _check_authority(book: Book, recorded: RecordedEvent, terms: Terms) -> None:
    state = book.state
    if not book.has_owner(terms.receiver):
        found = f"{terms.receiver} was never registered"
        raise DifferenceError(recorded.position, Rule.MOVEMENT, found)
    last = 0
    for part in terms.ranges:
        if part.batch == last:
            continue
        last = part.batch
        batch = state.batches[last]
        assert batch is not None, last
        try:
            check_terms(state, terms, batch.commissioned, recorded)
        except ContradictionError as error:
            raise DifferenceError(recorded.position, Rule.AUTHORITY, str(error)) from None
    if len(terms.authorities) == 1 and not terms.authorities[0].batches:
        return
    batches = {part.batch for part in terms.ranges} if len(terms.authorities) > 1 else ()
    if sorted(number for each in terms.authorities for number in each.batches) != sorted(batches):
        found = "it states authorities for other batches than those of its units"
        raise DifferenceError(recorded.position, Rule.AUTHORITY, found)


def _check_whole(book: Book, recorded: RecordedEvent, event: RunEvent) -> None:
    """Check what no single run tells: that an answer is about all units of what it answers, on the same terms."""
    found = ""
    match event:
        case events.TransferAccepted(transfer, terms, discrepancies, _, extra):
            require_units(book, recorded.position, [extra, *(each.ranges for each in discrepancies)])
            offered = book.offered(transfer)
            left = union(part for each in discrepancies for part in each.ranges)
            if offered is None or not covers(terms.ranges, extra) or any(common(extra, offered.ranges)):
                found = "it calls units extra that it does not accept, or that were offered"
            elif union((*without(terms.ranges, extra), *left)) != offered.ranges:
                found = f"it does not answer all units of the offer at position {transfer}, and no others"
            elif is_claimed(event):
                book.claimed.append(recorded.position)
        case (
            events.TransferDeclined(transfer, ranges=ranges)
            | events.TransferWithdrawn(transfer, ranges=ranges)
            | events.TransferLapsed(transfer, ranges=ranges)
        ):
            offered = book.offered(transfer)
            if offered is None or offered.ranges != ranges:
                found = f"it does not answer all units of the offer at position {transfer}"
            elif isinstance(event, events.TransferLapsed):
                known = book.state.transfers[transfer]
                if known is None or known.deadline is None or known.deadline > recorded.recorded_at:
                    found = f"the deadline of the offer at position {transfer} was not reached"
        case events.TransferReversed(transfer, terms, party):
            known = book.state.transfers.get(transfer)
            if known is None or known.terms != terms:
                found = f"it reverses the transfer at position {transfer} on other terms, or not all of it"
            elif known.reversal_asked_by in ("", party):
                found = f"the other side had not asked to reverse the transfer at position {transfer}"
        case events.UnitsReturned(lines=lines):
            for line in lines:
                agreed = book.agreed(line.transfer)
                if agreed is None or agreed.narrowed(line.terms.ranges) != line.terms:
                    found = f"it returns what came by position {line.transfer} on other terms"
        case events.TransferAttested(transfer, _, ranges):
            agreed = book.agreed(transfer)
            if agreed is None or agreed.ranges != ranges:
                found = f"it attests other units than those of the transfer at position {transfer}"
        case events.UnitsDelivered(receiver=receiver):
            found = "" if book.has_owner(receiver) else f"{receiver} was never registered"
        case events.UnitsWrittenOff(ranges=ranges, confirmed=confirmed):
            if _confirmed(book, ranges) != confirmed:
                found = "it names other units than those whose purchase was confirmed"
        case _:
            pass
    if found:
        raise DifferenceError(recorded.position, Rule.MOVEMENT, found)


def _confirmed(book: Book, ranges: Ranges) -> Ranges:
    """Return the units of ranges whose purchase a consumer had confirmed."""
    return union(
        UnitRange(part.batch, max(run.first, part.first), min(run.last, part.last))
        for part in ranges
        for run in book.state.partitions[part.batch].overlapping(part.first, part.last)
        if run.state is UnitState.CONFIRMED
    )


def _named(part: UnitRange) -> str:
    return f"{part.batch}:{part.first}-{part.last}"
