"""The chains of parties, by which the authority that the terms of each hop state is computed again."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

from pathbook.ledger import events
from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.rules.authority import authorization_status
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import AuthorizationStatus, PartyKind, is_consumer
from pathbook.verify.replay import ContradictionError, ReplayedStep
from pathbook.verify.verdicts import Outcome, Policy, Result

_POSITION: Final = attrgetter("position")

Chains = Mapping[str, Sequence[RecordedEvent]]
"""All events of the chains of parties and of the operator, by the ids of the parties."""


def left_out(made: BatchCommissioned, steps: Sequence[ReplayedStep], chains: Chains) -> set[str]:
    """Compare the authority that each hop states with the chains of its sides and of the parties above them.

    Return the parties whose chains would have been needed, and that the proof leaves out.

    Raises:
        ContradictionError: a hop states another authority than the chains lead to, or a chain contradicts itself.
    """
    state, missing = State(""), set[str]()
    events_left = iter(sorted(chain.from_iterable(chains.values()), key=_POSITION))
    pending = next(events_left, None)
    for step in steps:
        while pending is not None and pending.position < step.recorded.position:
            _apply(state, pending)
            pending = next(events_left, None)
        if isinstance(step.event, BatchCommissioned):
            missing |= _check_brand(state, made)
        elif isinstance(event := step.event, events.TitleEvent | events.TransferOffered):
            unknown = _unknown(state, event.terms)
            missing |= unknown
            if not unknown:
                check_terms(state, event.terms, made, step.recorded)
    return missing


def judge(found: Outcome, missing: set[str], policy: Policy) -> Outcome:
    """Return the finding on the authority of the hops, with what rests on the word of the book alone."""
    if not missing:
        return found[0], f"{found[1]}; compared with the chains of the parties"
    result = Result.FAILED if policy.require_authorized or found[0] is Result.FAILED else Result.NOTED
    word = f"the proof leaves out the chain of {', '.join(sorted(missing))}, so some of it is the book's word"
    return result, f"{found[1]}; {word}"


def _apply(state: State, recorded: RecordedEvent) -> None:
    """Apply the next event of the chains. Those between them are of others."""
    event = recorded.event
    if isinstance(event, KeyRegistered | KeyRevoked):
        return  # pathbook.verify.signatures replays the keys
    if isinstance(event, events.AuthorizationRevoked):
        holder = state.parties.get(event.party)
        given = holder.authorizations.get(event.authorization) if holder is not None else None
        if given is None or given.upline != event.upline or given.revoked_from is not None:
            raise ContradictionError(f"position {recorded.position} revokes what was not given")
    state.position = recorded.position - 1
    evolve(state, recorded)


def _check_brand(state: State, made: BatchCommissioned) -> set[str]:
    """Check that a brand had registered the product of its batch."""
    brand = state.parties.get(made.brand)
    if brand is None:
        return {made.brand}
    product = state.products.get(made.product)
    if brand.kind is not PartyKind.BRAND or product is None or product.registered.brand != made.brand:
        raise ContradictionError(f"{made.brand} made a batch of {made.product}, which it had not registered")
    return set()


def _unknown(state: State, terms: Terms) -> set[str]:
    """Return the parties of a hop, and those above them, whose chains are not known."""
    names = [name for name in (terms.giver, terms.receiver) if not is_consumer(name)]
    seen, found = set(names), set[str]()
    while names:
        name = names.pop()
        if (party := state.parties.get(name)) is None:
            found.add(name)
            continue
        above = {given.upline for given in party.authorizations.values()} - seen
        seen |= above
        names += above
    return found


def check_terms(state: State, terms: Terms, made: BatchCommissioned, recorded: RecordedEvent) -> None:
    """Compare the authority that the terms of a hop state for a batch with that which the chains lead to.

    The state has both sides, all parties above them, and the product.

    Raises:
        ContradictionError: they differ.
    """
    for name, stated in _stated(terms, made.batch):
        found = authorization_status(state, name, made.product, made.brand, recorded.occurred_at)
        if found != stated:
            raise ContradictionError(
                f"position {recorded.position} says that {name} was {_words(stated)},"
                f" but its chain that it was {_words(found)}"
            )


_Standing = tuple[AuthorizationStatus | None, int | None]


def _stated(terms: Terms, batch: int) -> Iterator[tuple[str, _Standing]]:
    """Yield both sides of a hop, each with the status and the tier that the terms state for a batch."""
    several = len(terms.authorities) > 1
    stated: Authority | None = next(
        (each for each in terms.authorities if batch in each.batches or not several), None
    )
    yield (
        terms.giver,
        (None, None) if stated is None else (stated.giver_authorization, stated.giver_tier),
    )
    yield (
        terms.receiver,
        (None, None) if stated is None else (stated.receiver_authorization, stated.receiver_tier),
    )


def _words(found: _Standing) -> str:
    status, tier = found
    said = "without a status" if status is None else status.name.lower().replace("_", " ")
    return said if tier is None else f"{said} at tier {tier}"
