"""Messages are translated into commands, or refused with the name of the field."""

import datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.codec import requests
from pathbook.ledger.refusals import Reason, RefusedRequestError
from pathbook.ledger.values import MAX_RANGES, Delivery, PartyKind, Price, UnitState
from pathbook.services.translate import values
from pathbook.services.translate.requests import book_name
from pathbook.v1.batches_pb2 import CommissionBatchRequest
from pathbook.v1.transfers_pb2 import OfferTransferRequest
from pathbook.v1.values_pb2 import Price as PriceMessage
from pathbook.v1.values_pb2 import Selection, UnitRange

LAST_MICROSECOND = 253_402_300_799_999_999


@given(st.integers(1, LAST_MICROSECOND))
def test_a_time_is_read_back(microseconds: int) -> None:
    """Any time from 1970 to 9999 is unchanged after a round trip through a message."""
    request = OfferTransferRequest(occurred_at=values.timestamp(microseconds))
    assert requests.time_or_now(request) == microseconds


def test_an_unset_time_is_zero_and_an_unset_deadline_is_none() -> None:
    """An unset time is read as 0, which means the time of recording, and an unset deadline as none."""
    request = OfferTransferRequest()
    assert requests.time_or_now(request) == 0
    assert requests.time_or_none(request, "deadline") is None


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(Timestamp(), id="set, but empty"),
        pytest.param(Timestamp(seconds=-1), id="before 1970"),
        pytest.param(Timestamp(seconds=253_402_300_800), id="the year 10000"),
        pytest.param(Timestamp(seconds=1, nanos=-1), id="negative nanoseconds"),
        pytest.param(Timestamp(seconds=1, nanos=10**9), id="a second of nanoseconds"),
    ],
)
def test_a_time_out_of_range_is_refused(stamp: Timestamp) -> None:
    """An impossible time is refused with the name of the field."""
    with pytest.raises(RefusedRequestError) as refused:
        requests.time_or_now(OfferTransferRequest(occurred_at=stamp))
    assert refused.value.refusal.reason is Reason.TIME_MALFORMED
    assert dict(refused.value.refusal.facts) == {"field": "occurred_at"}


@given(st.dates())
def test_a_date_is_read_back(day: datetime.date) -> None:
    """Any date is unchanged after a round trip through its text."""
    assert requests.date(day.isoformat(), "made_on") == day


@pytest.mark.parametrize(
    "text", ["2026-2-30", "2026-02-30", "20260230", "2026-W09-1", "26-02-01", "yesterday", "٢٠٢٦-٠٢-٠١"]
)
def test_a_wrong_date_is_refused(text: str) -> None:
    """A text that is no calendar date YYYY-MM-DD is refused with the field and the text."""
    with pytest.raises(RefusedRequestError) as refused:
        requests.date(text, "made_on")
    assert refused.value.refusal.reason is Reason.DATE_MALFORMED
    assert dict(refused.value.refusal.facts) == {"field": "made_on", "text": text}


def test_an_optional_date_may_be_missing() -> None:
    """An empty text means no expiry date, but a batch without a production date is refused."""
    assert requests.date_or_none("", "expires_on") is None
    with pytest.raises(RefusedRequestError, match="made_on is missing"):
        requests.date("", "made_on")


def test_a_price_must_be_named_but_may_be_zero() -> None:
    """An unset price is refused with the name of the field, and a price of zero is accepted."""
    given_away = OfferTransferRequest(unit_price=PriceMessage(currency_code="CNY"))
    assert requests.price(given_away, "unit_price") == Price(0, "CNY")
    given_away.unit_price.per_units = 7
    assert requests.price(given_away, "unit_price") == Price(0, "CNY", 7)
    assert requests.price_or_none(CommissionBatchRequest(), "suggested_price") is None
    with pytest.raises(RefusedRequestError, match="unit_price is missing"):
        requests.price(OfferTransferRequest(), "unit_price")


def test_an_enumeration_is_read_by_its_number() -> None:
    """A known number is read as its member, 0 means unset, and an unknown number is refused with its field."""
    assert requests.enum_value_or_none(1, PartyKind, "kind") is PartyKind.BRAND
    assert requests.enum_value_or_none(0, PartyKind, "kind") is None
    assert requests.delivery(0) is Delivery.WITH_TITLE
    assert requests.delivery(2) is Delivery.LATER
    for number in (0, 99):
        with pytest.raises(RefusedRequestError, match="state is missing"):
            requests.enum_value(number, UnitState, "state")


def test_a_selection_must_be_set_and_within_its_limits() -> None:
    """A missing selection is refused, and so is one with too many ranges, codes, cases and quantities together."""
    with pytest.raises(RefusedRequestError, match="units is missing"):
        requests.selected(OfferTransferRequest())
    units = Selection(ranges=[UnitRange()], codes=["no code"] * MAX_RANGES)
    with pytest.raises(RefusedRequestError) as refused:
        requests.selected(OfferTransferRequest(units=units))
    assert refused.value.refusal.reason is Reason.TOO_MANY_RANGES
    del units.codes[0]
    assert requests.selected(OfferTransferRequest(units=units)) == units


@pytest.mark.parametrize("name", ["", "a b", "../a", "a" * 65, "-a", "ä"])
def test_a_book_must_have_a_valid_name(name: str) -> None:
    """A text that cannot be the name of a book is refused before any lookup."""
    with pytest.raises(RefusedRequestError) as refused:
        book_name(name)
    assert refused.value.refusal.reason is Reason.BOOK_MALFORMED
