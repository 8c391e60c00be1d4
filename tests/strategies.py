"""Hypothesis strategies for events of every kind, and for their fields, within the limits of ``values``.

Each event is valid alone. Several in a row are no history: a giver may never have owned the units.
"""

import string
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from stdnum import ean

from pathbook.ledger import events, key_events
from pathbook.ledger.events import Event
from pathbook.ledger.key_events import Signed
from pathbook.ledger.notes import COMMITMENT_BYTES
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.serials import FINGERPRINT_BYTES
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    KEY_BYTES,
    MAX_AMOUNT_MINOR,
    MAX_BATCH_NUMBER,
    MAX_BATCH_SIZE,
    MAX_EXTRA_ALLOWED,
    MAX_LOT,
    MAX_ORIGIN,
    MAX_PRICE_UNITS,
    MAX_REFERENCE,
    MAX_REQUEST_ID,
    MAX_STATEMENTS,
    MAX_TEXT,
    MAX_TIER,
    SIGNATURE_BYTES,
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Ranges,
    UnitRange,
    UnitState,
    is_lot,
    is_origin,
    is_request_id,
)

_WRITTEN_OFF: Final = [UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED]
_CHARACTER_SET_82: Final = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"  # GS1 figure 7.11-1
_VISIBLE: Final = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
_YEAR_1900: Final = -2_208_988_800_000_000  # microseconds since 1970 UTC
_YEAR_2100: Final = 4_102_444_800_000_000
_CURRENCIES: Final = ["CNY", "EUR", "JPY", "USD"]


def _digits(length: int) -> SearchStrategy[str]:
    """Draw numbers of ``length`` digits, the last of which is a GS1 check digit."""
    bodies = st.text(string.digits, min_size=length - 1, max_size=length - 1)
    return bodies.map(lambda body: body + ean.calc_check_digit(body))


def _several(items: SearchStrategy[str], least: int = 0) -> SearchStrategy[tuple[str, ...]]:
    return st.lists(items, min_size=least, max_size=3, unique=True).map(tuple)


gtins: Final = _digits(14)
ssccs: Final = _digits(18)
parties: Final = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
consumers: Final = parties.map(lambda pseudonym: CONSUMER_PREFIX + pseudonym)
lots: Final = st.text(_CHARACTER_SET_82, min_size=1, max_size=MAX_LOT).filter(is_lot)
origins: Final = st.text(_VISIBLE, min_size=1, max_size=MAX_ORIGIN).filter(is_origin)
texts: Final = st.text(st.characters(exclude_categories=["C"]), max_size=MAX_TEXT)
commitments: Final = st.just(b"") | st.binary(min_size=COMMITMENT_BYTES, max_size=COMMITMENT_BYTES)
request_ids: Final = st.text(_VISIBLE, min_size=1, max_size=MAX_REQUEST_ID).filter(is_request_id)
requests: Final = st.binary(min_size=REQUEST_BYTES, max_size=REQUEST_BYTES)
request_digests: Final = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)

positions: Final = st.integers(1, 2**63 - 1)
batches: Final = st.integers(1, MAX_BATCH_NUMBER)
times: Final = st.integers(_YEAR_1900, _YEAR_2100)
dates: Final = st.dates()
tiers: Final = st.none() | st.integers(0, MAX_TIER)
statuses: Final = st.sampled_from(AuthorizationStatus)
prices: Final = st.builds(
    Price,
    st.integers(0, MAX_AMOUNT_MINOR),
    st.sampled_from(_CURRENCIES),
    st.just(1) | st.sampled_from([10, 100, MAX_PRICE_UNITS]) | st.integers(1, MAX_PRICE_UNITS),
)


@st.composite
def ranges(draw: st.DrawFn, batch: int | None = None) -> Ranges:
    """Draw ranges of one or several batches, in order and not adjacent."""
    numbers = st.integers(0, MAX_BATCH_SIZE)
    drawn: list[UnitRange] = []
    for number in sorted(draw(st.sets(batches, min_size=1, max_size=3))) if batch is None else [batch]:
        bounds = sorted(draw(st.sets(numbers, min_size=2, max_size=6)))
        drawn += [
            UnitRange(number, first, end - 1) for first, end in zip(bounds[::2], bounds[1::2], strict=False)
        ]
    return tuple(drawn)


references: Final = st.just("") | st.text(_VISIBLE, min_size=1, max_size=MAX_REFERENCE)


def authorities(
    status: SearchStrategy[AuthorizationStatus | None], tier: SearchStrategy[int | None]
) -> SearchStrategy[tuple[Authority, ...]]:
    """Draw one authority for all batches, or two for some. ``status`` and ``tier`` are those of the receiver."""

    def authority(batches: SearchStrategy[tuple[int, ...]]) -> SearchStrategy[Authority]:
        return st.builds(
            Authority,
            batches=batches,
            giver_tier=tiers,
            receiver_tier=tier,
            giver_authorization=statuses,
            receiver_authorization=status,
        )

    some = st.lists(batches, min_size=1, max_size=3, unique=True).map(tuple)
    return st.tuples(authority(st.just(()))) | st.tuples(authority(some), authority(some))


transfer_terms: Final = st.builds(
    Terms,
    giver=parties,
    receiver=parties,
    ranges=ranges(),
    unit_price=prices,
    delivery=st.sampled_from(Delivery),
    authorities=authorities(statuses, tiers),
    reference=references,
    chosen_by_book=st.booleans(),
    extra_allowed=st.integers(0, 3) | st.integers(0, MAX_EXTRA_ALLOWED),
).filter(lambda terms: terms.giver != terms.receiver)
sale_terms: Final = st.builds(
    Terms,
    giver=parties,
    receiver=consumers,
    ranges=ranges(),
    unit_price=prices,
    delivery=st.sampled_from(Delivery),
    authorities=authorities(st.none(), st.none()),
    reference=references,
    chosen_by_book=st.booleans(),
)
discrepancies: Final = st.builds(events.Discrepancy, kind=st.sampled_from(DiscrepancyKind), ranges=ranges())
return_lines: Final = st.builds(events.ReturnLine, transfer=positions, terms=transfer_terms | sale_terms)

written_off: Final = st.builds(
    events.UnitsWrittenOff,
    party=parties,
    ranges=ranges(),
    state=st.sampled_from(_WRITTEN_OFF),
    note_commitment=commitments,
    confirmed=st.just(()) | ranges(),
)
reversals_asked: Final = st.builds(
    events.ReversalAsked, transfer=positions, party=parties, note_commitment=commitments
)
delivered: Final = st.builds(
    events.UnitsDelivered, custodian=parties, receiver=parties | consumers, ranges=ranges()
)
confirmed: Final = st.builds(events.PurchaseConfirmed, consumer=consumers, ranges=ranges(), price_paid=prices)

keys: Final = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
signatures: Final = st.binary(min_size=SIGNATURE_BYTES, max_size=SIGNATURE_BYTES)
operator_or_party: Final = st.just("") | parties
statements: Final = st.binary(min_size=1, max_size=300)
signed: Final[SearchStrategy[Signed]] = st.builds(
    Signed, statement=statements, signature=signatures
) | st.builds(Signed, statement=statements, filed=positions, index=st.integers(0, MAX_STATEMENTS - 1))
"""Statements of events, with a signature of their own or filed with others."""

EVENTS: Final[dict[type[Event], SearchStrategy[Event]]] = {
    events.BookOpened: st.builds(
        events.BookOpened,
        name=parties,
        origin=origins,
        code_key=st.binary(min_size=FINGERPRINT_BYTES, max_size=FINGERPRINT_BYTES),
        policy=st.builds(events.Policy, max_tier=st.integers(0, MAX_TIER), signed=st.booleans()),
    ),
    events.PartyRegistered: st.builds(events.PartyRegistered, party=parties, kind=st.sampled_from(PartyKind)),
    events.PartyAuthorized: st.builds(
        events.PartyAuthorized,
        upline=parties,
        party=parties,
        tier=st.integers(1, MAX_TIER),
        products=_several(gtins),
        region=texts,
        valid_from=times,
        valid_until=st.none() | times,
    ),
    events.AuthorizationRevoked: st.builds(
        events.AuthorizationRevoked,
        authorization=positions,
        upline=parties,
        party=parties,
        revoked_from=times,
    ),
    events.ProductRegistered: st.builds(
        events.ProductRegistered, product=gtins, brand=parties, name=texts, suggested_price=prices
    ),
    events.BatchCommissioned: st.builds(
        events.BatchCommissioned,
        batch=batches,
        product=gtins,
        brand=parties,
        lot=lots,
        size=st.integers(1, MAX_BATCH_SIZE),
        made_on=dates,
        expires_on=st.none() | dates,
        suggested_price=prices,
        code_key=st.binary(min_size=8, max_size=8),
    ),
    events.TransferOffered: st.builds(
        events.TransferOffered, terms=transfer_terms, deadline=st.none() | times
    ),
    events.TransferAccepted: st.builds(
        events.TransferAccepted,
        transfer=positions,
        terms=transfer_terms,
        discrepancies=st.lists(discrepancies, max_size=3).map(tuple),
        unpacked=_several(ssccs),
        extra=st.just(()) | ranges(),
    ),
    events.TransferDeclined: st.builds(
        events.TransferDeclined,
        transfer=positions,
        giver=parties,
        receiver=parties,
        ranges=ranges(),
        note_commitment=commitments,
    ),
    events.TransferWithdrawn: st.builds(
        events.TransferWithdrawn, transfer=positions, giver=parties, receiver=parties, ranges=ranges()
    ),
    events.TransferLapsed: st.builds(
        events.TransferLapsed, transfer=positions, giver=parties, receiver=parties, ranges=ranges()
    ),
    events.TransferRecorded: st.builds(events.TransferRecorded, terms=transfer_terms),
    events.ReversalAsked: reversals_asked,
    events.TransferReversed: st.builds(
        events.TransferReversed, transfer=positions, terms=transfer_terms, party=parties
    ),
    events.UnitsDelivered: delivered,
    events.UnitsSold: st.builds(events.UnitsSold, terms=sale_terms),
    events.PurchaseConfirmed: confirmed,
    events.UnitsReturned: st.builds(
        events.UnitsReturned,
        owner=parties | consumers,
        lines=st.lists(return_lines, min_size=1, max_size=3).map(tuple),
        note_commitment=commitments,
    ),
    events.UnitsWrittenOff: written_off,
    events.CasePacked: st.builds(
        events.CasePacked, sscc=ssccs, party=parties, ranges=ranges(), cases=_several(ssccs)
    )
    | st.builds(
        events.CasePacked, sscc=ssccs, party=parties, ranges=st.just(()), cases=_several(ssccs, least=1)
    ),
    events.CaseUnpacked: st.builds(events.CaseUnpacked, sscc=ssccs, party=parties),
    events.UnitsRecalled: batches.flatmap(
        lambda batch: st.builds(
            events.UnitsRecalled,
            brand=parties,
            batch=st.just(batch),
            ranges=ranges(batch),
            note_commitment=commitments,
        )
    ),
    events.RecallLifted: st.builds(events.RecallLifted, recall=positions, brand=parties, batch=batches),
    events.TransferAttested: st.builds(
        events.TransferAttested, transfer=positions, party=parties, ranges=ranges()
    ),
    events.ErrorDeclared: st.builds(
        events.ErrorDeclared,
        position=positions,
        party=parties | consumers,
        note_commitment=commitments,
        declared=written_off | reversals_asked | delivered | confirmed,
    ),
    events.ProductCorrected: st.builds(
        events.ProductCorrected, product=gtins, brand=parties, name=texts, suggested_price=prices
    ),
    events.BatchCorrected: st.builds(
        events.BatchCorrected,
        batch=batches,
        brand=parties,
        made_on=dates,
        expires_on=st.none() | dates,
        suggested_price=prices,
    ),
    events.PartyCorrected: st.builds(events.PartyCorrected, party=parties, kind=st.sampled_from(PartyKind)),
    events.Sealed: st.builds(
        events.Sealed,
        covers=positions,
        covers_recorded_at=times,
        batches=st.integers(0, 2**31 - 1),
        parties=st.integers(0, 2**31 - 1),
        root=st.binary(min_size=32, max_size=32),
    ),
    key_events.KeyRegistered: st.builds(
        key_events.KeyRegistered,
        party=operator_or_party,
        key=keys,
        recovery_key=st.just(b"") | keys,
        endorser=operator_or_party,
        endorser_key=keys,
        replaced_key=st.just(b"") | keys,
        possession=signatures,
        endorsement=signatures,
    ),
    key_events.KeyRevoked: st.builds(
        key_events.KeyRevoked,
        party=operator_or_party,
        key=keys,
        revoker=operator_or_party,
        revoker_key=keys,
        signature=signatures,
    ),
    key_events.StatementsFiled: st.builds(
        key_events.StatementsFiled,
        party=operator_or_party,
        key=keys,
        root=st.binary(min_size=32, max_size=32),
        leaf_hashes=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4).map(b"".join),
        signature=signatures,
    ),
}
"""One strategy for each kind of event."""

any_event: Final[SearchStrategy[Event]] = st.one_of(*EVENTS.values())
