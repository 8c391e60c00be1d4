"""The results of a batch fit into one message, however many ranges its quantities chose."""

from pathbook.ledger.book import Answer
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.events import TransferRecorded
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import (
    MAX_BATCH_NUMBER,
    MAX_BATCH_SIZE,
    MAX_RANGES,
    AuthorizationStatus,
    Delivery,
    Price,
    UnitRange,
)
from pathbook.services.translate.receipts import MAX_RESULT_RANGES, results
from tests.services.test_lists import LIMIT_BYTES


def test_results_leave_out_ranges_beyond_the_limit_and_say_so() -> None:
    """The results whose ranges fit have them, and the others say that theirs are left out."""
    last = MAX_BATCH_SIZE - 1
    ranges = tuple(
        UnitRange(MAX_BATCH_NUMBER, last - 2 * n, last - 2 * n) for n in reversed(range(MAX_RANGES))
    )
    status = AuthorizationStatus.AUTHORIZED
    authority = Authority((), 0, 1, status, status)
    terms = Terms("acme", "ann", ranges, Price(1, "CNY"), Delivery.WITH_TITLE, (authority,), "")
    _, data = encode(
        TransferRecorded(terms), recorded_at=1, occurred_at=1, request=bytes(16), request_digest=bytes(16)
    )
    count = MAX_RESULT_RANGES // MAX_RANGES
    response = results([Answer(decode(1, data), duplicate=False)] * (count + 2))
    assert [len(result.ranges) for result in response.results] == [MAX_RANGES] * count + [0, 0]
    assert [result.ranges_left_out for result in response.results] == [False] * count + [True, True]
    assert response.ByteSize() < LIMIT_BYTES
