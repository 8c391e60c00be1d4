"""Transfers between parties: offers and their answers, transfers recorded in one step, and reversals."""

from collections import deque
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from pathbook.ledger import commands, events
from pathbook.ledger.ranges import count_units, covers, holds, joined, last_units, union, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.answerable import Transfer, refuse_other
from pathbook.ledger.rules.authority import authorities_at
from pathbook.ledger.rules.budget import RANGES
from pathbook.ledger.rules.extra_units import extra_units
from pathbook.ledger.rules.parted_cases import refuse_parted_cases
from pathbook.ledger.rules.quantities import Pick
from pathbook.ledger.rules.state import State
from pathbook.ledger.rules.text import commitment_of, refuse_price, refuse_text
from pathbook.ledger.rules.times import utc
from pathbook.ledger.rules.units import (
    named_of,
    outermost_cases,
    packed_units,
    refuse_before_made,
    refuse_broken_cases,
    refuse_move,
    refuse_recalled,
    refuse_unless,
    resolve,
)
from pathbook.ledger.run import Run
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    MAX_DISCREPANCIES,
    MAX_EXTRA_ALLOWED,
    MAX_RANGES,
    MAX_REFERENCE,
    Ranges,
    Selection,
    TransferStatus,
    Unit,
    UnitRange,
    UnitState,
    is_consumer,
    is_reference,
)

_S = TransferStatus
NEXT: Final = MappingProxyType(
    {
        _S.OFFERED: (_S.ACCEPTED, _S.ACCEPTED_IN_PART, _S.DECLINED, _S.WITHDRAWN, _S.LAPSED),
        _S.ACCEPTED: (_S.REVERSED,),
        _S.ACCEPTED_IN_PART: (_S.REVERSED,),
        _S.DECLINED: (),
        _S.WITHDRAWN: (),
        _S.LAPSED: (),
        _S.REVERSED: (),
    }
)
"""For each status of a transfer, the statuses that may follow it."""


def _agreed(
    state: State, command: commands.OfferTransfer | commands.RecordTransfer, moment: int
) -> Terms | Refusal:
    """Return the terms of an offered or recorded transfer, or why it is refused."""
    if state.parties.get(command.giver) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.giver)
    if state.parties.get(command.receiver) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.receiver)
    if command.giver == command.receiver:
        return refuse(Reason.SELF_TRANSFER, party=command.giver)
    refusal = refuse_price(command.unit_price) or refuse_reference(
        state, command.giver, command.receiver, command.reference
    )
    if refusal is not None:
        return refusal
    ranges = meant(state, command.giver, command.units, moment)
    if type(ranges) is Refusal:
        return ranges
    if (refusal := refuse_move(state, ranges, command.giver, moment)) is not None:
        return refusal
    return Terms(  # by position, because with keywords it takes twice as long
        command.giver,
        command.receiver,
        ranges,
        command.unit_price,
        command.delivery,
        authorities_at(state, command.giver, command.receiver, ranges, moment),
        command.reference,
        bool(command.units.quantities),
    )


def meant(state: State, giver: str, units: Selection, moment: int) -> Ranges | Refusal:
    """Return the units that a selection means to a transfer. Whether they are free to move is decided next."""
    return resolve(state, units, Pick(giver, onward_at=moment))


def refuse_reference(state: State, giver: str, receiver: str, reference: str) -> Refusal | None:
    """Refuse a malformed reference, and one that names another open or agreed transfer of both sides."""
    if not reference:
        return None
    if not is_reference(reference):
        return refuse(Reason.REFERENCE_MALFORMED, reference=reference, limit=MAX_REFERENCE)
    known = state.references.get((giver, receiver, reference))
    if known is not None:
        return refuse(
            Reason.REFERENCE_USED, reference=reference, giver=giver, receiver=receiver, transfer=known
        )
    return None


def offer(
    state: State, command: commands.OfferTransfer, moment: int, now: int
) -> events.TransferOffered | Refusal:
    """Offer units, which reserves them."""
    if command.deadline is not None and command.deadline <= now:
        return refuse(Reason.DEADLINE_PASSED, deadline=utc(command.deadline), now=utc(now))
    if not 0 <= command.extra_allowed <= MAX_EXTRA_ALLOWED:
        return refuse(Reason.EXTRA_OUT_OF_BOUNDS, count=command.extra_allowed, limit=MAX_EXTRA_ALLOWED)
    terms = _agreed(state, command, moment)
    if isinstance(terms, Refusal):
        return terms
    if command.extra_allowed:
        terms = replace(terms, extra_allowed=command.extra_allowed)
    return events.TransferOffered(terms, command.deadline)


def record(
    state: State, command: commands.RecordTransfer, moment: int
) -> events.TransferRecorded | events.TransferAttested | Refusal:
    """Record an agreed or historic transfer in one step, or attest the one that the giver has reported."""
    actor = command.actor
    if actor not in (command.giver, command.receiver):
        return refuse(Reason.REPORTER_NOT_A_SIDE, party=actor)
    if actor != command.giver:
        return _attest(state, command, moment)
    terms = _agreed(state, command, moment)
    if type(terms) is Refusal:
        return terms
    return events.TransferRecorded(terms)


def _attest(state: State, command: commands.RecordTransfer, moment: int) -> events.TransferAttested | Refusal:
    """Attest, as the receiver, a transfer with the same reference that the giver has reported.

    Only a giver gives title away. So the report of a receiver moves nothing, and its terms must be equal.
    """
    if state.parties.get(command.giver) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.giver)
    if state.parties.get(command.receiver) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=command.receiver)
    if not command.reference:
        return refuse(Reason.VALUE_MISSING, field="reference")
    if not is_reference(command.reference):
        return refuse(Reason.REFERENCE_MALFORMED, reference=command.reference, limit=MAX_REFERENCE)
    if (refusal := refuse_price(command.unit_price)) is not None:
        return refusal
    position = state.references.get((command.giver, command.receiver, command.reference))
    transfer = state.transfers.get(position) if position is not None else None
    if position is None or transfer is None:
        facts = {"giver": command.giver, "receiver": command.receiver, "reference": command.reference}
        return refuse(Reason.TRANSFER_NOT_REPORTED, **facts)
    if transfer.status is _S.OFFERED:
        return refuse(Reason.TRANSFER_NOT_ACCEPTED, transfer=position, status=_in_words(transfer.status))
    difference = _difference(state, command, transfer.terms)
    if isinstance(difference, Refusal):
        return difference
    if difference:
        return refuse(
            Reason.REFERENCE_CONTRADICTS,
            party=command.receiver,
            difference=difference,
            transfer=position,
            reference=command.reference,
        )
    if transfer.attested:
        return refuse(Reason.TRANSFER_ALREADY_ATTESTED, party=command.receiver, transfer=position)
    if (refusal := refuse_before_made(state, transfer.terms.ranges, moment)) is not None:
        return refusal
    return events.TransferAttested(position, command.receiver, transfer.terms.ranges)


def _difference(state: State, command: commands.RecordTransfer, terms: Terms) -> str | Refusal:
    """Return the name of a term that a report states otherwise, "" if there is none, or why it cannot be read."""
    if command.unit_price.currency_code != terms.unit_price.currency_code:
        return "currency"
    if command.unit_price.each != terms.unit_price.each:
        return "price"
    if command.delivery is not terms.delivery:
        return "delivery"
    left = named_of(state, command.units, terms.ranges)
    if isinstance(left, Refusal):
        return left
    return "" if left else "set of units"


def _open(
    state: State,
    command: commands.AcceptTransfer | commands.DeclineTransfer | commands.WithdrawTransfer,
    now: int,
) -> Transfer | Refusal:
    """Return the offer that a command answers, or why it cannot be answered."""
    position = command.transfer
    transfer = state.transfers.get(position)
    if transfer is None:
        return refuse(Reason.TRANSFER_UNKNOWN, transfer=position)
    if transfer.status is not _S.OFFERED:
        status = _in_words(transfer.status)
        return refuse(Reason.TRANSFER_ANSWERED, transfer=position, status=status)
    if transfer.deadline is not None and transfer.deadline <= now:
        return refuse(Reason.TRANSFER_LAPSED, transfer=position, deadline=utc(transfer.deadline))
    return refuse_other(command, transfer.leaf) or transfer


def _open_to(
    state: State, command: commands.AcceptTransfer | commands.DeclineTransfer, now: int
) -> Transfer | Refusal:
    """Return the offer that a receiver answers, or why it cannot answer it."""
    position, receiver = command.transfer, command.receiver
    known = state.transfers.get(position)
    if known is not None and known.terms.receiver != receiver:
        offered_to = known.terms.receiver
        return refuse(Reason.NOT_THE_RECEIVER, transfer=position, receiver=offered_to, party=receiver)
    return _open(state, command, now)


def _in_words(status: TransferStatus) -> str:
    return status.name.lower().replace("_", " ")


def accept(
    state: State, command: commands.AcceptTransfer, moment: int, now: int
) -> events.TransferAccepted | Refusal:
    """Accept an offer, without the units that the receiver reports. The giver allowed so many extra units."""
    transfer = _open_to(state, command, now)
    if isinstance(transfer, Refusal):
        return transfer
    if len(command.discrepancies) > MAX_DISCREPANCIES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(command.discrepancies), limit=MAX_DISCREPANCIES)
    accepted, discrepancies = transfer.terms.ranges, []
    state.budget.spend(2 * len(accepted), RANGES)
    for claim in command.discrepancies:
        state.budget.spend(1 + 3 * len(claim.ranges), RANGES)
        claimed = _claimed(command.transfer, claim, accepted)
        if isinstance(claimed, Refusal):
            return claimed
        discrepancies.append(events.Discrepancy(claim.kind, claimed))
        accepted = without(accepted, claimed)
    if (refusal := refuse_recalled(state, accepted, moment)) is not None:
        return refusal
    if (refusal := refuse_before_made(state, accepted, moment)) is not None:
        return refusal
    offered = transfer.terms
    extra = extra_units(state, command, offered, moment)
    if isinstance(extra, Refusal):
        return extra
    ranges = union((*accepted, *extra))
    if not ranges:
        return refuse(Reason.NOTHING_ACCEPTED, transfer=command.transfer)
    if len(ranges) > MAX_RANGES:
        return refuse(Reason.TOO_MANY_RANGES, count=len(ranges), limit=MAX_RANGES)
    authorities = authorities_at(state, offered.giver, offered.receiver, ranges, moment)
    terms = replace(offered, ranges=ranges, authorities=authorities)
    unpacked = _broken_cases(state, offered.ranges, accepted)
    return events.TransferAccepted(command.transfer, terms, tuple(discrepancies), unpacked, extra)


def _claimed(position: int, claim: commands.DiscrepancyClaim, left: Ranges) -> Ranges | Refusal:
    """Return the units of a discrepancy, which must be among the units that are left."""
    if not claim.ranges and claim.count < 1:
        return refuse(Reason.QUANTITY_NOT_POSITIVE, count=claim.count)
    if not claim.ranges and claim.count > count_units(left):
        return refuse(Reason.DISCREPANCY_NOT_OFFERED, range=f"{claim.count} units", transfer=position)
    if not claim.ranges:
        return last_units(left, claim.count)
    ranges = joined(claim.ranges)
    if isinstance(ranges, Unit):
        return refuse(Reason.RANGES_OVERLAP, number=ranges.number, batch=ranges.batch)
    for part in ranges:
        if part.first < 0 or part.last < part.first:
            return refuse(Reason.RANGE_REVERSED, range=part)
        if not holds(left, part):
            return refuse(Reason.DISCREPANCY_NOT_OFFERED, range=part, transfer=position)
    return ranges


def _broken_cases(state: State, offered: Ranges, accepted: Ranges) -> tuple[str, ...]:
    """Return the cases of an offer that are accepted only in part, outer ones first. The acceptance unpacks them."""
    rejected = without(offered, accepted)
    broken = []
    pending = deque(sorted(outermost_cases(state, rejected)))
    while pending:
        case = state.cases[sscc := pending.popleft()]
        assert case is not None, sscc
        contents = packed_units(state, case)
        if not covers(rejected, contents) and not covers(accepted, contents):
            broken.append(sscc)
            pending += case.cases
    return tuple(broken)


def decline(state: State, command: commands.DeclineTransfer, now: int) -> events.TransferDeclined | Refusal:
    """Decline an offer, which frees its units."""
    transfer = _open_to(state, command, now)
    if isinstance(transfer, Refusal):
        return transfer
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    terms = transfer.terms
    return events.TransferDeclined(
        command.transfer, terms.giver, terms.receiver, terms.ranges, commitment_of(command)
    )


def withdraw(
    state: State, command: commands.WithdrawTransfer, now: int
) -> events.TransferWithdrawn | Refusal:
    """Withdraw an offer as its giver, which frees its units."""
    known = state.transfers.get(command.transfer)
    if known is not None and known.terms.giver != command.giver:
        return refuse(
            Reason.NOT_THE_GIVER, transfer=command.transfer, giver=known.terms.giver, party=command.giver
        )
    transfer = _open(state, command, now)
    if isinstance(transfer, Refusal):
        return transfer
    terms = transfer.terms
    return events.TransferWithdrawn(command.transfer, terms.giver, terms.receiver, terms.ranges)


def lapse(state: State, command: commands.LapseTransfer, now: int) -> events.TransferLapsed | Refusal:
    """End an offer whose deadline has passed, which frees its units."""
    transfer = state.transfers.get(command.transfer)
    if transfer is None:
        return refuse(Reason.TRANSFER_UNKNOWN, transfer=command.transfer)
    if transfer.status is not _S.OFFERED:
        status = _in_words(transfer.status)
        return refuse(Reason.TRANSFER_ANSWERED, transfer=command.transfer, status=status)
    if transfer.deadline is None or transfer.deadline > now:
        deadline = "ever" if transfer.deadline is None else utc(transfer.deadline)
        return refuse(Reason.DEADLINE_NOT_REACHED, transfer=command.transfer, deadline=deadline)
    terms = transfer.terms
    return events.TransferLapsed(command.transfer, terms.giver, terms.receiver, terms.ranges)


def reverse(
    state: State, command: commands.ReverseTransfer
) -> events.ReversalAsked | events.TransferReversed | Refusal:
    """Ask to reverse a transfer, or agree to the request of the other side, which reverses it."""
    transfer = state.transfers.get(command.transfer)
    if transfer is None:
        return refuse(Reason.TRANSFER_UNKNOWN, transfer=command.transfer)
    terms = transfer.terms
    if command.party not in (terms.giver, terms.receiver):
        return refuse(Reason.NOT_A_SIDE, party=command.party, transfer=command.transfer)
    if is_consumer(terms.receiver):
        return refuse(Reason.SALE_IS_RETURNED, transfer=command.transfer)
    if _S.REVERSED not in NEXT[transfer.status]:
        status = _in_words(transfer.status)
        return refuse(Reason.TRANSFER_NOT_ACCEPTED, transfer=command.transfer, status=status)
    if (refusal := refuse_other(command, transfer.leaf)) is not None:
        return refusal
    if (refusal := refuse_text("note", command.note)) is not None:
        return refusal
    if (refusal := _refuse_built_upon(state, command.transfer, terms)) is not None:
        return refusal
    if transfer.reversal_asked_by == command.party:
        return refuse(Reason.REVERSAL_ALREADY_ASKED, party=command.party, transfer=command.transfer)
    if not transfer.reversal_asked_by:
        return events.ReversalAsked(command.transfer, command.party, commitment_of(command))
    return events.TransferReversed(command.transfer, terms, command.party)


def _refuse_built_upon(state: State, position: int, terms: Terms) -> Refusal | None:
    """Refuse if units of a transfer have moved on since, or are packed with other units."""

    def guard(part: UnitRange, run: Run) -> Refusal | None:
        if (
            run.last_hop is None
            or run.last_hop.transfer != position
            or run.owner != terms.receiver
            or run.state is not UnitState.IN_STOCK
        ):
            return refuse(Reason.TRANSFER_BUILT_UPON, range=part, transfer=position)
        return None

    return (
        refuse_unless(state, terms.ranges, guard)
        or refuse_broken_cases(state, terms.ranges)
        or refuse_parted_cases(state, terms.ranges)
    )
