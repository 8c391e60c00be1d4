"""The signatures of a proof: which statements count, whose keys signed them, and how many sides signed each hop."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

import msgspec

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.codec.statements import Statement
from pathbook.ledger.command_fields import OPERATOR, named
from pathbook.ledger.events import BatchCommissioned, BookOpened, RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.proofs.key_chain import KeyChains
from pathbook.ledger.proofs.stated import Known, Precision, required_signer
from pathbook.ledger.proofs.statements import is_batch_signed, is_statement_signed
from pathbook.ledger.proofs.tree import root_of_inclusion
from pathbook.ledger.proofs.unit_proof import FiledStatement
from pathbook.ledger.steps import attestations
from pathbook.ledger.values import Attestation, is_consumer
from pathbook.verify.following import is_claimed
from pathbook.verify.guards import Guard, require
from pathbook.verify.party_chains import Chains
from pathbook.verify.replay import ReplayedStep
from pathbook.verify.statements import FalseStatementError, KnownPath, compared, read_stated
from pathbook.verify.undoings import unsigned_undoings
from pathbook.verify.verdicts import Outcome, Policy, Result

_POSITION: Final = attrgetter("position")

LISTED_MAX: Final = 5
"""The most hops that a finding lists. It counts the others."""

SIGNATURES_OF: Final = {
    Attestation.SIGNED_BY_BOTH: 2,
    Attestation.SIGNED_BY_GIVER: 1,
    Attestation.SIGNED_BY_RECEIVER: 1,
}
"""How many sides signed a hop, 0 for all other attestations."""

_IN_WORDS: Final = {
    Attestation.SIGNED_BY_BOTH: "signed by both sides",
    Attestation.SIGNED_BY_GIVER: "signed by the giver",
    Attestation.SIGNED_BY_RECEIVER: "signed by the receiver",
    Attestation.REPORTED_BY_BOTH: "not signed, by the operator's word reported by both sides",
    Attestation.RECORDED: "not signed, and the operator's word",
}

_LEFT_TO_THE_BOOK: Final = {
    Precision.BY_COUNT: "whose units the book chose",
    Precision.BY_CASE: "whose units lay in cases, by the book's word",
}


class Signatures(msgspec.Struct, frozen=True):
    """What was found of the statements of all events that a proof shows.

    Attributes:
        counted: the positions whose statements were signed with a key that counted, and how units were compared.
        unproven: the parties whose chains are missing to prove whose the other keys are.
    """

    counted: dict[int, Precision]
    unproven: frozenset[str]


def check_signatures(
    shown: Sequence[RecordedEvent],
    filed: Sequence[FiledStatement],
    chains: Chains,
    origin: str,
    known: Known,
) -> Signatures:
    """Check the statements of events, which a proof shows, with the keys in the chains of the parties.

    Raises:
        RefutedError: the signature of a statement that was signed with others is missing, wrong, or of no event.
        FalseStatementError: a statement, its signature, or the registration of a key is wrong.
        NewerPathError: a statement is newer than this program.
    """
    keys = keys_of(chains, origin)
    _require_one_event_a_request(shown)
    _require_signed(shown, chains, keys)
    batches = _Batches(filed)
    counted, unproven = dict[int, Precision](), set[str]()
    for item in {item.position: item for item in shown if item.signed is not None}.values():
        signed, where = item.signed, f"position {item.position}"
        assert signed is not None, where
        statement = read_stated(item)
        precision = _require_difference_free(item, statement, origin, known)
        if signed.filed:
            batches.require_signed(item.position, signed, statement)
        else:
            _require_own_signature(item, signed, statement)
        missing = keys.unproven(statement.party, statement.key)
        if missing is not None:
            unproven.add(missing)
            continue
        if problem := keys.problem(statement.party, statement.key, item.position):
            raise FalseStatementError(f"{where}: {problem}")
        counted[item.position] = precision
    batches.require_all_used()
    return Signatures(counted, frozenset(unproven))


def keys_of(chains: Chains, origin: str) -> KeyChains:
    """Return the keys that the chains of parties lead to.

    Raises:
        FalseStatementError: a key could not be registered or revoked, or the book has another origin.
    """
    keys = KeyChains(origin)
    for item in sorted(chain.from_iterable(chains.values()), key=_POSITION):
        if isinstance(item.event, BookOpened) and item.event.origin != origin:
            raise FalseStatementError(f"the book has the origin {item.event.origin}, its checkpoint {origin}")
        if problem := keys.apply(item):
            raise FalseStatementError(f"position {item.position}: {problem}")
    return keys


class _Batches:
    """The signatures of statements that were signed with others, as a file has them."""

    def __init__(self, filed: Iterable[FiledStatement]) -> None:
        self._left = {(item.position, item.index): item for item in filed}
        self._signed: set[tuple[str, bytes, int, bytes, bytes]] = set()

    def require_signed(self, position: int, signed: Signed, statement: Statement) -> None:
        """Require the signature of the statement of an event, and that the event came after it."""
        where = f"the statement of position {position}"
        item = self._left.pop((signed.filed, signed.index), None)
        require(Guard.FILED, item is not None, f"{where} has no signature in the file")
        if item is None or signed.filed >= position:
            raise FalseStatementError(f"position {position} rests on a statement that was filed after it")
        root = root_of_inclusion(leaf_hash(signed.statement), item.index, item.size, item.path)
        require(Guard.FILED, root is not None, f"{where} is not among those that it was signed with")
        if root is None:
            return
        batch = (statement.party, statement.key, item.size, root, item.signature)
        is_known = batch in self._signed
        is_signed = is_known or is_batch_signed(
            statement.origin, statement.party, statement.key, item.size, root, item.signature
        )
        require(Guard.FILED, is_signed, f"{named(statement.party)} did not sign {where}")
        self._signed.add(batch)

    def require_all_used(self) -> None:
        """Require that no signature is left over, because nothing would prove it."""
        left = next(iter(self._left), (0, 0))
        require(Guard.FILED, not self._left, f"statement {left[1]} of position {left[0]} is of no event here")


def _require_one_event_a_request(shown: Iterable[RecordedEvent]) -> None:
    """Require that no statement, which is for one request, counts for two events."""
    answered: dict[bytes, int] = {}
    for item in shown:
        if (
            item.signed is not None
            and (other := answered.setdefault(item.request, item.position)) != item.position
        ):
            raise FalseStatementError(f"positions {other} and {item.position} answer one request")


def _require_signed(shown: Iterable[RecordedEvent], chains: Chains, keys: KeyChains) -> None:
    """Require a statement for each event of a party that has a key, or of any if the book was opened so.

    What is required is known as far as the file shows the opening of the book, and the chains of the parties.
    """
    opened = chains[OPERATOR][0].event if OPERATOR in chains else None
    all_sign = isinstance(opened, BookOpened) and opened.policy.signed
    for item in shown:
        party = required_signer(item.event) if item.signed is None else ""
        if party and (all_sign or keys.signs_at(party, item.position)):
            why = "the book demands" if all_sign else "a party with a key does"
            raise FalseStatementError(f"position {item.position}: {party} did not sign, which {why}")


def vouched(steps: Sequence[ReplayedStep], counted: Container[int]) -> tuple[ReplayedStep, ...]:
    """Return the steps of a path with the attestation that follows from the statements that count alone."""
    signed = [step.recorded.position in counted for step in steps]
    found = attestations([step.movement for step in steps], signed)
    return tuple(
        msgspec.structs.replace(step, attestation=attestation)
        for step, attestation in zip(steps, found, strict=True)
    )


def judge(
    steps: Sequence[ReplayedStep], hops: Sequence[ReplayedStep], found: Signatures, policy: Policy
) -> Outcome:
    """Tell how many hops in force are signed by whom, and whether those are enough for the caller.

    A consumer has no key, so one signature is enough for a sale. What undid a hop without the signature of the party
    that lost the unit is never enough for a caller who demands signatures. The receiver of extra units signed that it
    has them, but neither side signed their price, so its signature does not count for their hop.
    """
    undoings = unsigned_undoings(steps, found.counted)
    if not hops and not undoings:
        return Result.OK, "there is no hop yet"
    details = _by_whom(hops) if hops else ["no hop is in force"]
    details += [undoing.words for undoing in undoings[:LISTED_MAX]]
    if len(undoings) > LISTED_MAX:
        details.append(f"{len(undoings) - LISTED_MAX} more were undone so")
    extra = _extra(steps, hops)
    if extra:
        details.append(
            f"extra at position {_listed(sorted(extra))}, so its price there is the operator's word"
        )
    claimed = [step.recorded.position for step in hops if is_claimed(step.event)]
    if claimed:
        details.append(
            f"beyond what the giver allowed at position {_listed(claimed)}, so that it gave them is its receiver's word"
        )
    imprecise = _imprecise(hops, found)
    details += imprecise
    if found.unproven:
        missing = ", ".join(sorted(map(named, found.unproven)))
        details.append(f"the file leaves out the chain of {missing}, so some keys are not proven")
    few = [
        step.recorded.position
        for step in hops
        if (0 if step.recorded.position in extra else SIGNATURES_OF.get(step.attestation, 0))
        < _demanded(step, policy)
    ]
    if policy.min_signatures:
        few = sorted([*few, *(undoing.position for undoing in undoings)])
    if few:
        return Result.FAILED, "; ".join([f"you demand more signatures of position {_listed(few)}", *details])
    is_signed = all(step.attestation in SIGNATURES_OF for step in hops)
    return (
        Result.OK if is_signed and not undoings and not extra and not imprecise else Result.NOTED,
        "; ".join(details),
    )


def judge_unproven(
    made: BatchCommissioned, steps: Sequence[ReplayedStep], hops: Sequence[ReplayedStep], policy: Policy
) -> Outcome:
    """Compare the statements of a path that is not proven. Whose keys they are, only a proof tells, so none counts.

    Raises:
        FalseStatementError: an event is not what its statement asks, or has a false signature.
        NewerPathError: a statement is newer than this program.
    """
    known, count = KnownPath(made, steps), 0
    _require_one_event_a_request([step.recorded for step in steps])
    for step in steps:
        if (signed := step.recorded.signed) is not None:
            statement = read_stated(step.recorded)
            _require_difference_free(step.recorded, statement, statement.origin, known)
            if not signed.filed:
                _require_own_signature(step.recorded, signed, statement)
            count += 1
    words = f"{count} of {len(steps)} steps are signed; whose keys these are, only a proof tells"
    if not count:
        words = "no party signed a step, so each hop is the operator's word"
    if any(_demanded(step, policy) for step in hops) or (
        policy.min_signatures and unsigned_undoings(steps, ())
    ):
        return Result.FAILED, f"you demand signatures, and none is proven; {words}"
    return Result.NOT_YET_SEALED, words


def _by_whom(hops: Sequence[ReplayedStep]) -> list[str]:
    by = Counter(step.attestation for step in hops)
    return [
        f"{by[kind]} of {len(hops)} hops {'is' if by[kind] == 1 else 'are'} {words}"
        for kind, words in _IN_WORDS.items()
        if by[kind]
    ]


def _listed(positions: Sequence[int]) -> str:
    """Return the first of some positions, and how many more there are."""
    more = f" and {len(positions) - LISTED_MAX} more" if len(positions) > LISTED_MAX else ""
    return ", ".join(map(str, positions[:LISTED_MAX])) + more


def _extra(steps: Sequence[ReplayedStep], hops: Sequence[ReplayedStep]) -> set[int]:
    """Return the positions of the hops by which the unit came as an extra one: no step of it is their offer."""
    places = {step.recorded.position for step in steps}
    return {step.recorded.position for step in hops if step.transfer not in places}


def _imprecise(hops: Sequence[ReplayedStep], found: Signatures) -> list[str]:
    """Return how many statements of hops leave their units to the word of the book."""
    rests_on = {place for step in hops for place in (step.recorded.position, step.transfer)}
    by = Counter(found.counted[place] for place in rests_on & found.counted.keys())
    return [
        f"{by[precision]} statement{'' if by[precision] == 1 else 's'} {words}"
        for precision, words in _LEFT_TO_THE_BOOK.items()
        if by[precision]
    ]


def _require_difference_free(
    recorded: RecordedEvent, statement: Statement, origin: str, known: Known
) -> Precision:
    found = compared(recorded, statement, origin, known)
    if found.difference:
        raise FalseStatementError(f"position {recorded.position}: {found.difference}")
    return found.precision


def _require_own_signature(recorded: RecordedEvent, signed: Signed, statement: Statement) -> None:
    if not is_statement_signed(statement.key, signed.signature, signed.statement):
        found = f"{named(statement.party)} did not sign its statement"
        raise FalseStatementError(f"position {recorded.position}: {found}")


def _demanded(step: ReplayedStep, policy: Policy) -> int:
    return min(1, policy.min_signatures) if is_consumer(step.after.owner) else policy.min_signatures
