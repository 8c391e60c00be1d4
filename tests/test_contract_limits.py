"""The limits in the comments of the contract are the constants of the code."""

import re
from pathlib import Path
from typing import Final

from pathbook.ledger import values
from pathbook.ledger.codec import statements
from pathbook.ledger.queries import filling, paths
from pathbook.services import bulk, codes, event_batches, gateway, streams
from pathbook.services.run import limits
from pathbook.services.translate import pages

CONTRACT: Final = (Path(__file__).resolve().parents[1] / "proto/pathbook/v1/values.proto").read_text("utf-8")

LIMITS: Final = {
    "characters of a name or id": 64,
    "characters of a request_id": values.MAX_REQUEST_ID,
    "characters of a reference": values.MAX_REFERENCE,
    "characters of a lot": values.MAX_LOT,
    "characters of a note, a name of a product or a region": values.MAX_TEXT,
    "characters of an origin": values.MAX_ORIGIN,
    "bytes of a request message": limits.MAX_REQUEST_BYTES,
    "bytes of an answer": pages.ANSWER_MAX_BYTES,
    "ranges, codes, cases and quantities of a request": values.MAX_RANGES,
    "quantities of a request": values.MAX_QUANTITIES,
    "steps that a request takes": values.MAX_STEPS,
    "discrepancies of an acceptance": values.MAX_DISCREPANCIES,
    "writes of a RecordTransfersRequest": bulk.MAX_ENTRIES,
    "registrations of a RegisterRequest": bulk.MAX_ENTRIES,
    "GTINs that a RegisterRequest lists": bulk.MAX_LISTED,
    "statements of a FileStatementsRequest": values.MAX_STATEMENTS,
    "bytes of a statement": statements.MAX_STATEMENT_BYTES,
    "bytes of an event": values.MAX_EVENT_BYTES,
    "ranges of an event": values.MAX_RANGES,
    "bytes of an event that a path has": paths.SHOWN_EVENT_MAX_BYTES,
    "recalls that a path has": filling.RECALLS_OF_UNIT_MAX,
    "units of a batch": values.MAX_BATCH_SIZE,
    "batches of a book": values.MAX_BATCH_NUMBER,
    "products of an authorization": values.MAX_PRODUCTS,
    "tier of an authorization": values.MAX_TIER,
    "cases packed in cases": values.MAX_CASE_DEPTH,
    "minutes that a time may lie ahead of the server": values.CLOCK_TOLERANCE.total_seconds() / 60,
    "items of a page, if page_size is 0": pages.DEFAULT_PAGE_SIZE,
    "items of a page, whatever page_size is": pages.MAX_PAGE_SIZE,
    "seconds that a read waits for its position": gateway.VIEWS_WAIT_TIMEOUT_S,
    "bytes of events of a ReadResponse, unless it has one": event_batches.BATCH_MAX_BYTES,
    "seconds between batches of an idle subscription": event_batches.IDLE_CHECKPOINT_INTERVAL_S,
    "streams of a connection": streams.MAX_STREAMS_OF_A_CONNECTION,
    "seconds that the caller of a stream may take nothing": streams.SLOW_READER_TIMEOUT_S,
    "serials of a ListCodesResponse": codes.CODES_PER_MESSAGE,
}
"""What the contract calls each limit, and its value in the code."""


def test_the_limits_in_the_contract_are_those_of_the_code() -> None:
    """Each limit is named once, with its value."""
    table = CONTRACT.partition("// Limits:\n//\n")[2].partition("syntax")[0]
    found = re.findall(r"^//   (.+?) +([\d,]+)$", table, re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in found} == LIMITS
    assert len(found) == len(LIMITS) == table.count("\n")


def test_names_have_as_many_characters_as_the_contract_says() -> None:
    """A name of 64 characters is one, and a longer one is none."""
    assert values.is_identifier("a" * 64)
    assert not values.is_identifier("a" * 65)
    assert not values.is_identifier("-a")
