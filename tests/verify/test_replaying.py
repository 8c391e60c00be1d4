"""The replay follows corrections, attestations and extra units, and refutes those that no book would have recorded."""

from collections.abc import Callable

import msgspec
import pytest

from pathbook.ledger import events
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Event
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Price, UnitRange, UnitState
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.replay import MAX_STEPS, ContradictionError, replay
from pathbook.verify.verdicts import Number, Result, Verdict
from tests.verify.written_paths import BEGUN, MASKS, Written, check, found, masks, path_of, with_event

Forged = Callable[[GetPathResponse], Event]

ZERO = (UnitRange(1, 0, 0),)

TO_ANN = "record 1:0 acme > ann at 15000\n"
WITH_EXTRA = "offer 1:1 acme > ann at 15000 allowing 1 as o\naccept o by ann with 1:0"
SOLD = f"{TO_ANN}sell 1:0 ann > wei at 29900\n"
CONFIRMED = f"{SOLD}confirm 1:0 by wei at 29900 as c\n"
DELIVERED = "record 1:0 acme > ann at 15000 later\ndeliver 1:0 acme > ann as d\n"
LOST = f"{TO_ANN}write off 1:0 by ann as lost as w\n"
LOST_LATER = f"{CONFIRMED}write off 1:0 by consumer:wei as lost as w\n"


def event_at(path: GetPathResponse, step: int) -> Event:
    """Return the event of a step of a path."""
    return decode(path.steps[step].position, path.steps[step].event).event


def terms_at(path: GetPathResponse, step: int) -> Terms:
    """Return the terms of the event of a step."""
    event = event_at(path, step)
    assert isinstance(event, events.TitleEvent | events.TransferOffered)
    return event.terms


def declaration(path: GetPathResponse, step: int, party: str, **changes: object) -> events.ErrorDeclared:
    """Return a declaration that a step of a path was an error, whose copy of its event may differ."""
    declared = event_at(path, step)
    assert isinstance(declared, events.DeclarableEvent)
    changed = msgspec.structs.replace(declared, **changes)
    return events.ErrorDeclared(path.steps[step].position, party, b"", changed)


@pytest.mark.parametrize(
    ("story", "state", "custodian"),
    [
        (f"{LOST}declare w an error by ann", UnitState.IN_STOCK, "ann"),
        (f"{LOST}declare w an error by ann\nwrite off 1:0 by ann as damaged", UnitState.DAMAGED, "ann"),
        (f"{LOST_LATER}declare w an error by consumer:wei", UnitState.CONFIRMED, "consumer:wei"),
        (
            f"{SOLD}write off 1:0 by consumer:wei as lost as w\ndeclare w an error by consumer:wei",
            UnitState.SOLD,
            "consumer:wei",
        ),
        (f"{CONFIRMED}declare c an error by consumer:wei", UnitState.SOLD, "consumer:wei"),
        (
            f"{CONFIRMED}declare c an error by consumer:wei\nconfirm 1:0 by wei at 29900",
            UnitState.CONFIRMED,
            "consumer:wei",
        ),
        (f"{DELIVERED}declare d an error by acme", UnitState.IN_STOCK, "acme"),
        (
            "offer 1:0 acme > ann at 15000 allowing 2 as o\naccept o by ann with 1:5-6",
            UnitState.IN_STOCK,
            "ann",
        ),
        (WITH_EXTRA, UnitState.IN_STOCK, "ann"),
        (f"{WITH_EXTRA}\nreverse o by ann\nreverse o by acme", UnitState.IN_STOCK, "acme"),
        (
            "record 1:0 acme > ann at 15000 ref n-1\nrecord 1:0 acme > ann at 15000 ref n-1 reported by ann",
            UnitState.IN_STOCK,
            "ann",
        ),
        (
            "record 1:0-4 acme > ann at 15000\nrecord 1:5-9 acme > ann at 16000\nreturn 1:0-9 by ann",
            UnitState.IN_STOCK,
            "acme",
        ),
        (
            """record 1:0 acme > ann at 15000 later
            record 1:0 ann > acme at 15000 later as back
            reverse back by ann
            reverse back by acme""",
            UnitState.IN_STOCK,
            "acme",
        ),
        (
            """record 1:0 acme > ann at 15000
            record 1:0 ann > ben at 18000 later
            return 1:0 by ben""",
            UnitState.IN_STOCK,
            "ann",
        ),
    ],
)
def test_an_honest_path_holds(story: str, state: UnitState, custodian: str) -> None:
    """Errors, extra units, reports of both sides and goods that go back do not look like contradictions."""
    path = masks(story)
    report = check(path)
    assert report.verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY), report
    end = replay(path)[-1].after
    assert (end.state, end.custodian) == (state, custodian)


def test_units_of_other_transfers_in_the_same_return_need_not_be_known() -> None:
    """A return of units that came by two transfers holds for each unit, although its path has only one of them."""
    book = Written(f"""{MASKS}
        record 1:0-4 acme > ann at 15000
        record 1:5-9 acme > ann at 16000
        return 1:0-9 by ann""")
    for number in range(10):
        assert check(path_of(book, number)).verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    ("story", "forged", "why"),
    [
        pytest.param(
            LOST,
            lambda path: declaration(path, 2, "ann", state=UnitState.DAMAGED),
            "another event",
            id="the declared event differs",
        ),
        pytest.param(
            LOST,
            lambda path: msgspec.structs.replace(declaration(path, 2, "ann"), position=BEGUN + 1),
            "another event",
            id="another step is declared",
        ),
        pytest.param(LOST, lambda path: declaration(path, 2, "acme"), "where ann acted", id="a stranger"),
        pytest.param(
            CONFIRMED, lambda path: declaration(path, 3, "ann"), "where consumer:wei acted", id="the seller"
        ),
        pytest.param(
            DELIVERED, lambda path: declaration(path, 2, "ann"), "where acme acted", id="the new custodian"
        ),
        pytest.param(
            f"{LOST}declare w an error by ann\nwrite off 1:0 by ann as lost",
            lambda path: declaration(path, 2, "ann"),
            "declared an error before",
            id="declared twice",
        ),
        pytest.param(
            f"{DELIVERED}record 1:0 ann > ben at 18000 later",
            lambda path: declaration(path, 2, "acme"),
            f"something was built upon position {BEGUN + 2}",
            id="a delivery and a later transfer",
        ),
        pytest.param(
            f"{CONFIRMED}return 1:0 by consumer:wei",
            lambda path: declaration(path, 3, "consumer:wei"),
            "something was built upon",
            id="a confirmation and a return",
        ),
        pytest.param(
            f"{CONFIRMED}return 1:0 by consumer:wei\nsell 1:0 ann > wei at 29900\nconfirm 1:0 by wei at 29900",
            lambda path: declaration(path, 3, "consumer:wei"),
            "something was built upon",
            id="a confirmation of an earlier sale",
        ),
        pytest.param(
            f"{LOST_LATER}declare w an error by consumer:wei\nwrite off 1:0 by consumer:wei as damaged",
            lambda path: declaration(path, 3, "consumer:wei"),
            "something was built upon",
            id="a confirmation of what was written off",
        ),
        pytest.param(
            SOLD,
            lambda _: events.UnitsWrittenOff("consumer:wei", ZERO, UnitState.LOST, b"", ZERO),
            "purchase of the unit was confirmed",
            id="a write-off that says sold was confirmed",
        ),
        pytest.param(
            CONFIRMED,
            lambda _: events.UnitsWrittenOff("consumer:wei", ZERO, UnitState.LOST, b"", ()),
            "purchase of the unit was not confirmed",
            id="a write-off that forgets the confirmation",
        ),
        pytest.param(
            TO_ANN,
            lambda _: events.UnitsWrittenOff("ann", ZERO, UnitState.SOLD, b"", ()),
            "goes on being held",
            id="a write-off as sold",
        ),
        pytest.param(
            WITH_EXTRA,
            lambda path: event_at(path, 1),
            "acme gave a unit that belonged to ann",
            id="an extra unit that was given before",
        ),
        pytest.param(
            "offer 1:0 acme > ann at 15000 as o\ndecline o by ann",
            lambda path: events.TransferAccepted(BEGUN + 1, terms_at(path, 1), (), (), ZERO),
            f"was in the transfer at position {BEGUN + 1} before",
            id="an extra unit that was offered and declined",
        ),
        pytest.param(
            "offer 1:0 acme > ann at 15000",
            lambda path: events.TransferAccepted(BEGUN + 1, terms_at(path, 1), (), (), ZERO),
            "was offered at that time",
            id="an extra unit that is reserved",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.TransferAccepted(
                BEGUN - 1,
                msgspec.structs.replace(
                    terms_at(path, 1), giver="ann", receiver="ben", ranges=(UnitRange(1, 5, 5),)
                ),
                (),
                (),
                ZERO,
            ),
            "does not accept it",
            id="an extra unit that is not accepted",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.TransferAccepted(
                BEGUN - 1, msgspec.structs.replace(terms_at(path, 1), receiver="ben"), (), (), ZERO
            ),
            "acme gave a unit that belonged to ann",
            id="an extra unit of another owner",
        ),
        pytest.param(
            "offer 1:0 acme > ann at 15000 ref n-1",
            lambda path: events.TransferAccepted(
                BEGUN + 1, msgspec.structs.replace(terms_at(path, 1), reference="n-2"), (), (), ()
            ),
            "on other terms than offered",
            id="another reference than offered",
        ),
        pytest.param(
            "offer 1:0 acme > ann at 15000",
            lambda _: events.TransferDeclined(BEGUN + 1, "acme", "ben", ZERO, b""),
            "ends an offer to ben",
            id="declined by another than it was offered to",
        ),
        pytest.param(
            TO_ANN,
            lambda _: events.TransferAttested(BEGUN + 1, "ben", ZERO),
            "did not receive",
            id="a stranger attests",
        ),
        pytest.param(
            TO_ANN,
            lambda _: events.TransferAttested(BEGUN, "acme", ZERO),
            "did not receive",
            id="the commissioning is attested",
        ),
        pytest.param(
            SOLD,
            lambda _: events.TransferAttested(BEGUN + 2, "consumer:wei", ZERO),
            "did not receive",
            id="a sale is attested",
        ),
        pytest.param(
            "record 1:0 acme > ann at 15000 ref n-1\nrecord 1:0 acme > ann at 15000 ref n-1 reported by ann",
            lambda _: events.TransferAttested(BEGUN + 1, "ann", ZERO),
            "has attested",
            id="attested twice",
        ),
        pytest.param(
            "offer 1:0 acme > ann at 15000 as o\naccept o by ann",
            lambda _: events.TransferAttested(BEGUN + 1, "ann", ZERO),
            "has attested",
            id="attested after the acceptance",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.UnitsReturned(
                "acme", (events.ReturnLine(BEGUN + 1, terms_at(path, 1)),), b""
            ),
            "acme gave a unit that belonged to ann",
            id="returned by another than the owner",
        ),
        pytest.param(
            LOST,
            lambda path: events.UnitsReturned("ann", (events.ReturnLine(BEGUN + 1, terms_at(path, 1)),), b""),
            "was lost at that time",
            id="returned although lost",
        ),
        pytest.param(
            "record 1:0 acme > ann at 15000\nrecord 1:0 ann > ben at 15000",
            lambda path: events.UnitsReturned(
                "ben",
                (
                    events.ReturnLine(BEGUN + 2, terms_at(path, 2)),
                    events.ReturnLine(BEGUN + 1, terms_at(path, 1)),
                ),
                b"",
            ),
            "concerns it twice",
            id="two lines return the same unit",
        ),
        pytest.param(
            LOST,
            lambda path: events.TransferReversed(BEGUN + 1, terms_at(path, 1), "ann"),
            "was lost at that time",
            id="reversed although lost",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.TransferReversed(BEGUN + 1, terms_at(path, 1), "ben"),
            "ben is no side",
            id="reversed by a stranger",
        ),
        pytest.param(
            LOST,
            lambda _: events.UnitsDelivered("ann", "ben", ZERO),
            "was lost at that time",
            id="delivered although lost",
        ),
        pytest.param(
            TO_ANN,
            lambda _: events.UnitsDelivered("ann", "consumer:wei", ZERO),
            "belonged to ann",
            id="delivered to a consumer that bought nothing",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.TransferRecorded(
                msgspec.structs.replace(terms_at(path, 1), giver="ann", receiver="consumer:wei")
            ),
            "is a consumer",
            id="a transfer to a consumer",
        ),
        pytest.param(
            TO_ANN,
            lambda path: events.UnitsSold(
                msgspec.structs.replace(terms_at(path, 1), giver="ann", receiver="ben")
            ),
            "is no consumer",
            id="a sale to a party",
        ),
        pytest.param(
            TO_ANN,
            lambda _: events.UnitsDelivered("ann", "ben", (UnitRange(1, 5, 5),)),
            "does not concern this unit",
            id="an event of another unit",
        ),
    ],
)
def test_an_event_that_no_book_would_record_is_refuted(story: str, forged: Forged, why: str) -> None:
    """The bytes and hashes of a made-up event may fit, but it does not follow from the events before it."""
    path = masks(story)
    longer = with_event(path, forged(path))
    with pytest.raises(ContradictionError, match=why):
        replay(longer)
    report = check(longer)
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert why in found(report, Number.PATH).detail


def test_the_price_check_forgets_a_confirmation_that_was_an_error() -> None:
    """A mistyped price paid is refuted, until the consumer declares it an error and confirms the right one."""
    wrong = f"{SOLD}confirm 1:0 by wei at 2990 as c\n"
    declared = f"{wrong}declare c an error by consumer:wei\n"
    assert check(masks(wrong)).verdict is Verdict.PRICE_CONTRADICTED
    assert check(masks(declared)).verdict is Verdict.VERIFIED
    assert "no consumer has confirmed" in found(check(masks(declared)), Number.PRICE).detail
    right = masks(f"{declared}confirm 1:0 by wei at 29900")
    assert "paid 299.00 CNY" in found(check(right), Number.PRICE).detail


def test_the_terms_of_an_extra_unit_are_those_of_its_acceptance() -> None:
    """An extra unit has no offer among its steps. Its hop has the price of the acceptance, and both sides attest it."""
    path = masks("offer 1:1 acme > ann at 15000 later allowing 1 as o\naccept o by ann with 1:0")
    assert len(path.steps) == 2
    hop = replay(path)[1]
    terms = hop.movement.terms
    assert terms is not None
    assert (terms.unit_price, terms.delivery) == (Price(15_000, "CNY"), Delivery.LATER)
    assert hop.attestation.name == "REPORTED_BY_BOTH"


def test_a_path_of_too_many_steps_is_not_refuted() -> None:
    """Anyone can lengthen the past of a unit by legal calls. So its length contradicts nothing."""
    path = masks(TO_ANN)
    path.steps.extend([path.steps[-1]] * MAX_STEPS)
    report = check(path)
    assert report.verdict is Verdict.COULD_NOT_CHECK
    assert found(report, Number.PATH).result is Result.NOT_CHECKED
    path.unit.number += 1  # an answer for another unit is refuted, however long it is
    assert check(path).verdict is Verdict.PATH_CONTRADICTED


def test_a_delivery_that_holds_is_no_part_of_a_reversal() -> None:
    """Server and verifier agree on which steps a reversal undid."""
    path = masks(f"{DELIVERED}reverse {BEGUN + 1} by ann\nreverse {BEGUN + 1} by acme")
    assert check(path).verdict is Verdict.VERIFIED
    assert [step.corrected for step in path.steps] == [False, True, False, True]
