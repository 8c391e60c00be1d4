"""Every refusal has a status code, a reason and its facts."""

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from pathbook.ledger.refusals import Kind, Reason, refuse
from pathbook.services.translate.statuses import CODES, DETAILS_TRAILER, Failure, RefusedCallError, failed


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
    facts = {
        "method": "m",
        "page_size": 0,
        "field": "f",
        "position": 1,
        "book": "b",
        "head": 1,
        "seconds": 1,
        "count": 1,
        "limit": 1,
        "through": 1,
        "code_key": "k",
        "problem": "p",
        "file": "f",
    }
    assert failed(failure, **facts).message.count(". ") == 1


def test_a_paused_write_says_how_far_the_views_are_behind() -> None:
    """The sentence has the number of events, and the metadata has the two positions that it comes from."""
    paused = failed(Failure.VIEWS_FAR_BEHIND, book="masks", position=10, head=20_011)
    assert "the views are 20001 events behind" in paused.message
    assert paused.facts == {"book": "masks", "position": "10", "head": "20011"}
