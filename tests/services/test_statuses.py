"""Every refusal has a status code, a reason and its facts."""

import string

import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from pathbook.ledger.refusals import SENTENCES, Kind, Reason, Refusal, refuse
from pathbook.services.translate.retries import Retry, retry_of
from pathbook.services.translate.statuses import (
    CODES,
    DETAILS_TRAILER,
    RETRY_DELAYS_S,
    Failure,
    RefusedCallError,
    failed,
)

FACTS = {
    name: "1"
    for _, sentence in SENTENCES.values()
    for _, name, _, _ in string.Formatter().parse(sentence)
    if name
}
"""A value for each fact that a sentence of a refusal names."""


def test_a_refusal_is_sent_with_reason_domain_and_facts() -> None:
    """The trailer holds a google.rpc.Status with an ErrorInfo that programs can read."""
    refused = RefusedCallError(refuse(Reason.PARTY_UNKNOWN, party="ann"))
    ((key, data),) = refused.trailer()
    status = Status.FromString(data)
    info = ErrorInfo()
    assert key == DETAILS_TRAILER
    assert status.code == StatusCode.NOT_FOUND.value[0]
    assert status.message == "There is no party ann in this book. Register it first."
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == ("PARTY_UNKNOWN", "pathbook", {"party": "ann"})


def test_every_kind_of_refusal_has_a_code_of_its_own() -> None:
    """Each kind of refusal has its own status code, so a caller can react to the code alone."""
    assert set(CODES) == set(Kind)
    assert len(set(CODES.values())) == len(Kind)


@pytest.mark.parametrize("failure", Failure)
def test_a_failure_is_no_refusal_of_the_book(failure: Failure) -> None:
    """A failure of a call has a name that no refusal has, and a second sentence that says what to do."""
    assert failure.name not in Reason.__members__
    facts = {name: 1 for _, name, _, _ in string.Formatter().parse(failure.value[1]) if name}
    assert failed(failure, **facts).message.count(". ") == 1


@pytest.mark.parametrize("failure", Failure)
def test_a_retry_info_is_sent_where_the_contract_says_to_retry_later(failure: Failure) -> None:
    """A failure that passes by itself has a delay, in its status and in the contract; all others have none."""
    facts = {name: 1 for _, name, _, _ in string.Formatter().parse(failure.value[1]) if name}
    ((_, data),) = failed(failure, **facts).trailer()
    delays = [
        info.retry_delay.ToTimedelta().total_seconds()
        for detail in Status.FromString(data).details
        if detail.Unpack(info := RetryInfo())
    ]
    later = retry_of(failure) is Retry.LATER
    assert delays == ([RETRY_DELAYS_S[failure]] if later else [])
    assert not later or failed(failure, **facts).code in (
        StatusCode.UNAVAILABLE,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.RESOURCE_EXHAUSTED,
    )


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_never_retried_later(reason: Reason) -> None:
    """A refusal needs another request or another state, so that it has no RetryInfo."""
    assert retry_of(reason) is not Retry.LATER
    ((_, data),) = RefusedCallError(Refusal(reason, tuple(FACTS.items()))).trailer()
    assert len(Status.FromString(data).details) == 1


def test_a_paused_write_says_how_far_the_views_are_behind() -> None:
    """The sentence has the number of events, and the metadata has also the two positions that it comes from."""
    paused = failed(Failure.VIEWS_FAR_BEHIND, book="masks", position=10, head=20_011, behind=20_001)
    assert "the views are 20001 events behind" in paused.message
    assert paused.facts == {"book": "masks", "position": "10", "head": "20011", "behind": "20001"}
