"""Pages of lists, and the opaque tokens that lead to the next page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.services.translate.pages import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    AfterName,
    AfterNumber,
    cut,
    page_limit,
    parse_token,
    print_token,
)
from pathbook.services.translate.statuses import CallFailedError


@given(st.builds(AfterName, st.text(max_size=64)) | st.builds(AfterNumber, st.integers(0, 2**63 - 1)))
def test_a_token_is_parsed_to_its_key(key: AfterName | AfterNumber) -> None:
    """Parsing a printed token returns its key."""
    assert parse_token(print_token(key), type(key)) == key


def test_no_token_is_the_first_page() -> None:
    """An empty token means the position before the first row."""
    assert parse_token("", AfterNumber) == AfterNumber(0)


@pytest.mark.parametrize(
    "token",
    ["x", "!!!!", "bm8=", print_token(AfterName("ann")), print_token(AfterNumber(2**63)), "A" * 10_000],
)
def test_a_token_of_another_list_is_refused(token: str) -> None:
    """A token that this list did not issue is refused, whatever its contents."""
    with pytest.raises(CallFailedError) as refused:
        parse_token(token, AfterNumber)
    assert refused.value.reason == "PAGE_TOKEN_MALFORMED"


def test_a_page_has_a_limited_size() -> None:
    """Size zero gives the default, a size above the maximum gives the maximum, and a negative size is refused."""
    assert page_limit(0) == DEFAULT_PAGE_SIZE
    assert page_limit(3) == 3
    assert page_limit(2**31 - 1) == MAX_PAGE_SIZE
    with pytest.raises(CallFailedError, match="below zero"):
        page_limit(-1)


@given(st.lists(st.integers()), st.integers(1, 10))
def test_a_page_knows_whether_another_follows(rows: list[int], limit: int) -> None:
    """A page holds the rows up to its limit, and another page follows if there is one row more."""
    page, more = cut(rows[: limit + 1], limit)
    assert list(page) == rows[:limit]
    assert more == (len(rows) > limit)
