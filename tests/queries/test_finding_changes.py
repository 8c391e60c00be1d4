"""Changes of findings: told from any place on, each comes once, and together they are the findings of the book."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathbook.ledger.queries import Asked, Insight, Queries, finding_changes
from pathbook.ledger.queries.finding_changes import ChangeKind, FindingChange, FindingChanges, FindingPlace
from pathbook.ledger.queries.insights import ask_findings
from pathbook.ledger.refusals import Reason
from pathbook.ledger.reports.wanted import Wanted
from tests.projections.synthetic import SyntheticBook
from tests.queries.written import WrittenStory, open_queries, reason
from tests.reports.cheaters import Cheaters
from tests.reports.test_findings import BEGINNING, DEAR
from tests.reports.trading import Market
from tests.scenario import BALM, MASK

START = FindingPlace()

PAGES_MAX = 1_000
"""More pages than any book of these tests has."""


def pages(
    queries: Queries, after: FindingPlace = START, wanted: Wanted | None = None, rule: str = ""
) -> Iterator[FindingChanges]:
    """Yield the pages of changes after a place, up to where the reports are."""
    for _ in range(PAGES_MAX):
        found = queries.finding_changes("book", after, wanted or Wanted(), rule)
        assert isinstance(found, FindingChanges), found
        yield found
        after = found.place
        if not found.more:
            return
    raise AssertionError("the changes have no end")


def told(
    queries: Queries, after: FindingPlace = START, wanted: Wanted | None = None, rule: str = ""
) -> list[FindingChange]:
    """Return all changes after a place."""
    return [change for page in pages(queries, after, wanted, rule) for change in page.changes]


def units_of(changes: list[FindingChange]) -> dict[str, int]:
    """Return the units of each finding after its changes, each of which has to go on from the one before."""
    units: dict[str, int] = {}
    for change in changes:
        finding = change.finding
        assert units.get(finding.id, 0) == change.units_before, change
        is_new, is_gone = not change.units_before, change.kind is ChangeKind.WITHDRAWN
        assert (change.kind is ChangeKind.FOUND) == is_new, change
        assert finding.units > 0
        units[finding.id] = 0 if is_gone else finding.units
        assert is_gone or units[finding.id] != change.units_before, change
    return {name: count for name, count in units.items() if count}


def present(queries: Queries) -> dict[str, int]:
    """Return the units of all findings of the book, without those that no event shows."""
    found = queries.insight("book", ask_findings, Asked(Wanted()), lambda: None, rule="", limit=10**6)
    assert isinstance(found, Insight)
    return {each.id: each.units for each in found.found.findings if each.rule != "out-of-region"}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(60, 160), page=st.integers(1, 4))
def test_changes_from_any_place_on_come_once_and_lead_to_the_findings(
    seed: int, length: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of any size have the same changes, which add up. From the place of each change the rest is told."""
    book = SyntheticBook(seed, length)
    with open_queries(book.entries) as queries:
        whole = told(queries)
        assert units_of(whole) == present(queries)
        assert [change.place for change in whole] == sorted({change.place for change in whole})
        with monkeypatch.context() as patch:
            patch.setattr(finding_changes, "CHANGES_MAX", page)
            assert told(queries) == whole
            for number, change in enumerate(whole, 1):
                assert told(queries, change.place) == whole[number:]
                *_, last = pages(queries, change.place)
                assert told(queries, last.place) == []


def test_a_book_that_ends_earlier_has_the_same_changes_up_to_there() -> None:
    """A change depends on no later event, so a place stays what it is while the book grows."""
    book = SyntheticBook(7, 160)
    with open_queries(book.entries) as queries:
        whole = told(queries)
    assert len(whole) > 10
    for end in (whole[3].place.position, len(book.entries) - 20):
        with open_queries(book.entries[:end]) as queries:
            assert told(queries) == [change for change in whole if change.place.position <= end]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_correction_takes_findings_back_and_shows_them_again(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changes of one event are told in parts, if there are many, and go on in the middle."""
    monkeypatch.setattr(finding_changes, "CHANGES_MAX", 2)
    story = WrittenStory(
        f"""{BEGINNING}{DEAR}
        record 1:10-19 acme > ann at 302
        record 1:20-29 acme > ann at 303
        correct batch 1 price 305 by acme
        correct batch 1 price 280 by acme
        """
    )
    head = story.state.position
    with open_queries(story.entries, kind) as queries:
        changes = told(queries, rule="above-suggested")
        found, back = ChangeKind.FOUND, ChangeKind.WITHDRAWN
        assert [(change.place.position, change.kind) for change in changes] == [
            *((head - 4 + number, found) for number in range(3)),
            *[(head - 1, back)] * 3,
            *[(head, found)] * 3,
        ]
        assert [change.units_before for change in changes] == [0, 0, 0, 10, 10, 10, 0, 0, 0]
        assert "acme gave 10 units of batch 1 to ann above" in changes[3].finding.sentence
        middle = FindingPlace(head - 1, 2)
        assert told(queries, middle) == changes[5:]
        assert told(queries, FindingPlace(head - 1)) == changes[6:]
        assert [page.place for page in pages(queries, changes[-1].place)] == [changes[-1].place]
        for after in (START, FindingPlace(head, 1)):  # the last page ends in the event that was told in parts
            *_, last = pages(queries, after, rule="above-suggested")
            assert (last.changes[-1], last.place) == (changes[-1], FindingPlace(head))
            assert told(queries, last.place) == []


def test_a_reversal_in_part_of_three_reports_changes_what_is_paired() -> None:
    """If the first of three reports of one hand-over is reversed, two findings go, and one comes."""
    story = WrittenStory(
        f"""{BEGINNING}
        today is 2026-02-01
        record 1:0-4 acme > ann at 100 on 2026-01-20 as first
        record 1:5-9 acme > ann at 100 on 2026-01-20
        record 1:10-14 acme > ann at 100 on 2026-01-20
        reverse first by acme
        reverse first by ann
        """
    )
    with open_queries(story.entries) as queries:
        changes = told(queries)
        assert units_of(changes) == present(queries)
        assert sorted(
            change.kind.name for change in changes if change.place.position == story.state.position
        ) == [
            "FOUND",
            "WITHDRAWN",
            "WITHDRAWN",
        ]


def test_a_key_of_two_parties_is_told_when_the_second_registers_it() -> None:
    """The event that registers a key another party has shows a finding, and none takes it back."""
    market = Market(5, agents=20, days=5, batches=1, size=2_000)
    Cheaters(market).shared_keys(2)
    story = WrittenStory()
    story.recorded = [
        msgspec.structs.replace(each, request=each.position.to_bytes(16, "big"), request_digest=bytes(16))
        for each in market.recorded
    ]
    with open_queries(story.entries) as queries:
        changes = told(queries, rule="shared-key")
        assert len(changes) == 2
        for change in changes:
            assert (change.kind, change.place) == (
                ChangeKind.FOUND,
                FindingPlace(change.finding.positions[-1], 1),
            )
            assert told(queries, change.place, rule="shared-key") == changes[changes.index(change) + 1 :]
        assert {change.finding.id: change.finding.units for change in changes} == {
            name: units for name, units in present(queries).items() if name.startswith("shared-key")
        }
        assert told(queries, wanted=Wanted(batch=1), rule="shared-key") == []


def test_changes_are_narrowed_by_batch_product_brand_party_and_rule() -> None:
    """What is left out moves the place on all the same. What is not there is refused."""
    story = WrittenStory(
        f"""{BEGINNING}
        product balm 90 CNY of acme
        batch B1 of balm size 100 made 2025-12-01 by acme
        record 1:0-9 acme > ann at 301
        record 2:0-9 acme > ben at 91
        """
    )
    with open_queries(story.entries) as queries:
        for wanted, batches in (
            (Wanted(), [1, 2]),
            (Wanted(batch=2), [2]),
            (Wanted(product=MASK), [1]),
            (Wanted(product=BALM, brand="acme"), [2]),
            (Wanted(brand="acme"), [1, 2]),
            (Wanted(brand="ann"), []),
            (Wanted(party="ben"), [2]),
            (Wanted(batch=1, party="ben"), []),
        ):
            assert [
                each.finding.batch for each in told(queries, wanted=wanted, rule="above-suggested")
            ] == batches
            *_, last = pages(queries, wanted=wanted)
            assert last.place == FindingPlace(story.state.position)
        asked = (
            (Wanted(batch=9), "", Reason.BATCH_UNKNOWN),
            (Wanted(party="zed"), "", Reason.PARTY_UNKNOWN),
            (Wanted(), "nonsense", Reason.FINDING_RULE_UNKNOWN),
            (Wanted(), "out-of-region", Reason.FINDING_RULE_NOT_TOLD),
        )
        for wanted, rule, why in asked:
            assert reason(queries.finding_changes("book", START, wanted, rule)) is why
