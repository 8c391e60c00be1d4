"""What a signed book leaves to the word of its operator: it is refuted where it can be, and said where it cannot."""

import pytest
from msgspec.structs import replace

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.values import Price
from pathbook.verify.verdicts import Number, Policy, Report, Result, Verdict
from tests.proofs.prover import Ledger
from tests.verify.attacking import printed, with_recorded
from tests.verify.signed_story import SignedStory, begun
from tests.verify.test_proofs import check
from tests.verify.written_paths import found


def last(story: SignedStory, kind: type[events.Event]) -> RecordedEvent:
    """Return the last event of a kind."""
    return next(item for item in reversed(story.recorded) if isinstance(item.event, kind))


def report_of(book: Ledger | SignedStory, signatures: int = 0, number: int = 0) -> Report:
    """Return the report on a unit of a book that its operator sealed."""
    ledger = book if isinstance(book, Ledger) else Ledger(book)
    data = printed(ledger.append_seal().prove(1, number))
    return check(data, policy=Policy(min_signatures=signatures, allow_recalled=True))


def edited(story: SignedStory, item: RecordedEvent, **fields: object) -> Ledger:
    """Return a book in which the operator changed fields of an event."""
    return with_recorded(Ledger(story), replace(item, event=replace(item.event, **fields)))


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_recall_of_a_batch_recalls_units(is_signed: bool) -> None:
    """An operator cannot empty a recall that a brand signed for all units. Without a statement it is refused, too."""
    story = begun()
    if not is_signed:
        story.silence("acme")
    story.tell("recall batch 1 by acme")
    assert report_of(story).verdict is Verdict.VERIFIED
    recall = last(story, events.UnitsRecalled)
    report = report_of(edited(story, recall, ranges=()))
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert found(report, Number.PATH).detail == f"position {recall.position} recalls no units"


@pytest.mark.parametrize(("since", "begins_later"), [("", False), (" from 2026-03-01", True)])
def test_a_revocation_without_a_time_ends_an_authorization_at_once(since: str, begins_later: bool) -> None:
    """It ends when it was recorded, or when it begins if that is later. An operator cannot put its end off."""
    story = begun(must_sign=True)
    story.tell(f"authorize cat tier 1 by acme{since} as g\nrevoke g by acme\nrecord 1:0 acme > ann at 15000")
    given, revoked = last(story, events.PartyAuthorized), last(story, events.AuthorizationRevoked)
    assert isinstance(given.event, events.PartyAuthorized)
    assert isinstance(revoked.event, events.AuthorizationRevoked)
    end = revoked.event.revoked_from
    assert (end == given.event.valid_from > revoked.recorded_at) is begins_later
    assert report_of(story).verdict is Verdict.VERIFIED
    for other in (end + 1, end + 10**15, end - 1, revoked.recorded_at - 1):
        report = report_of(edited(story, revoked, revoked_from=other))
        assert report.verdict is Verdict.PATH_CONTRADICTED
        assert found(report, Number.SIGNATURES).detail.endswith("it states another end")


SIGNED_HOP = "offer 1:0 acme > ann at 15000 as o\naccept o by ann"


@pytest.mark.parametrize("resold", ["", "\noffer 1:0 acme > cat at 15000 as p\naccept p by cat"])
@pytest.mark.parametrize(
    ("undoing", "unsigned", "words"),
    [
        ("return 1:0 by ann", "", ""),
        ("return 1:0 by ann", "ann", "a hop was undone by the operator's word at position {}"),
        ("reverse o by acme\nreverse o by ann", "", ""),
        (
            "reverse o by acme\nreverse o by ann",
            "ann",
            "a hop was undone by the operator's word at position {}",
        ),
        (
            "reverse o by ann\nreverse o by acme",
            "",
            "a hop was undone by the operator's word at position {}: that ann asked for it is not shown",
        ),
    ],
)
def test_a_signed_hop_is_undone_only_by_the_party_that_loses_by_it(
    undoing: str, unsigned: str, words: str, resold: str
) -> None:
    """Its signature is demanded as that of a hop is, whether the unit went elsewhere since or not."""
    story = begun()
    story.tell(SIGNED_HOP)
    if unsigned:
        story.silence(unsigned)
    story.tell(undoing)
    said = words.format(len(story.recorded))
    if resold:
        story.tell(resold)
    report = report_of(story)
    assert report.verdict is Verdict.VERIFIED
    assert found(report, Number.SIGNATURES).result is (Result.NOTED if words else Result.OK)
    assert said in found(report, Number.SIGNATURES).detail
    for demanded in (1, 2):
        strict = report_of(story, demanded)
        assert strict.verdict is (Verdict.AGAINST_POLICY if words else Verdict.VERIFIED)
        assert said in found(strict, Number.SIGNATURES).detail


def test_a_hop_of_a_party_whose_chain_is_left_out_is_not_undone_in_silence() -> None:
    """An operator who hides the chain of the party that lost the unit gains nothing by it."""
    story = begun()
    story.tell(SIGNED_HOP)
    story.silence("ann")
    story.tell("return 1:0 by ann\noffer 1:0 acme > cat at 15000 as p\naccept p by cat")
    book = Ledger(story).append_seal()
    data = printed(book.prove(1, 0, tuple(name for name in book.parties if name not in ("ann", "ben"))))
    assert check(data, policy=Policy()).verdict is Verdict.VERIFIED
    assert check(data, policy=Policy(min_signatures=2)).verdict is Verdict.AGAINST_POLICY


def test_a_hop_that_its_receiver_did_not_sign_is_undone_as_before() -> None:
    """A receiver that signed nothing has no signature to miss."""
    story = begun()
    story.tell("record 1:0 acme > ann at 15000")
    story.silence("ann")
    story.tell("return 1:0 by ann\noffer 1:0 acme > cat at 15000 as p\naccept p by cat")
    assert report_of(story, 2).verdict is Verdict.VERIFIED


def test_the_price_of_extra_units_is_the_word_of_the_operator() -> None:
    """The receiver signed that it has them, and no statement names their price, so no signature counts."""
    story = begun(must_sign=True)
    story.tell("offer 1:1 acme > ann at 15000 allowing 1 as o\naccept o by ann with 1:0")
    accepted = last(story, events.TransferAccepted)
    assert isinstance(accepted.event, events.TransferAccepted)
    terms = replace(accepted.event.terms, unit_price=Price(1, "CNY"), reference="forged")
    words = f"extra at position {accepted.position}, so its price there is the operator's word"
    for book in (Ledger(story), edited(story, accepted, terms=terms)):
        report = report_of(book)
        assert report.verdict is Verdict.VERIFIED
        assert found(report, Number.SIGNATURES).result is Result.NOTED
        assert found(report, Number.SIGNATURES).detail == f"1 of 1 hops is signed by the receiver; {words}"
    for demanded in (1, 2):
        report = report_of(story, demanded)
        assert report.verdict is Verdict.AGAINST_POLICY
        assert words in found(report, Number.SIGNATURES).detail
    offered = report_of(story, 2, 1)
    assert offered.verdict is Verdict.VERIFIED
    assert found(offered, Number.SIGNATURES).result is Result.OK
    report = report_of(edited(story, accepted, terms=terms), number=1)
    assert report.verdict is Verdict.PATH_CONTRADICTED


def test_that_a_giver_allowed_too_few_extra_units_is_said() -> None:
    """Books recorded that once. The path holds, and the report says whose word it is that the giver gave the unit."""
    story = begun(must_sign=True)
    story.tell("offer 1:1 acme > ann at 15000 allowing 1 as o\naccept o by ann with 1:0")
    accepted = last(story, events.TransferAccepted)
    assert isinstance(accepted.event, events.TransferAccepted)
    words = f"beyond what the giver allowed at position {accepted.position}"
    assert words not in found(report_of(story), Number.SIGNATURES).detail
    older = edited(story, accepted, terms=replace(accepted.event.terms, extra_allowed=0))
    report = report_of(older)
    assert report.verdict is Verdict.VERIFIED
    assert found(report, Number.SIGNATURES).result is Result.NOTED
    assert words in found(report, Number.SIGNATURES).detail
