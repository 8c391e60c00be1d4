"""Whether it helps to repeat a call that was refused or failed: what the contract says of each reason."""

import enum
from typing import Final

from grpc import StatusCode

from pathbook.ledger.refusals import SENTENCES, Kind, Reason
from pathbook.services.translate.statuses import RETRY_DELAYS_S, Failure


class Retry(enum.Enum):
    """Whether the same call may succeed later, and after what."""

    NEVER = "never"
    AFTER_A_CHANGE = "after a change"
    LATER = "later"


REFUSED: Final = {
    Kind.INVALID: Retry.NEVER,
    Kind.MISSING: Retry.AFTER_A_CHANGE,
    Kind.EXISTS: Retry.NEVER,
    Kind.FORBIDDEN: Retry.NEVER,
    Kind.STATE: Retry.AFTER_A_CHANGE,
}
"""Whether a retry helps against a refusal of each kind."""

REFUSED_OTHERWISE: Final = {
    Reason.OCCURRED_IN_FUTURE: Retry.AFTER_A_CHANGE,  # time passes
    Reason.OCCURRED_BEFORE_MADE: Retry.AFTER_A_CHANGE,  # the batch may be corrected
    Reason.UPLINE_NOT_AUTHORIZED: Retry.AFTER_A_CHANGE,
    Reason.TIER_NOT_BELOW_UPLINE: Retry.AFTER_A_CHANGE,
    Reason.VALIDITY_BEYOND_UPLINE: Retry.AFTER_A_CHANGE,
    Reason.NOT_THE_BUYER: Retry.AFTER_A_CHANGE,
    Reason.CASE_EXISTS: Retry.AFTER_A_CHANGE,  # it may be unpacked
    Reason.BOOK_FULL: Retry.NEVER,
    Reason.CODE_OTHER_BOOK: Retry.NEVER,
    Reason.CODE_KEY_RETIRED: Retry.NEVER,
    Reason.KEY_REVOKED: Retry.NEVER,
    Reason.RECOVERY_TOO_LATE: Retry.NEVER,
    Reason.ENDORSER_NOT_ALLOWED: Retry.AFTER_A_CHANGE,  # the endorser may become an upline
    Reason.STATEMENT_EXPIRED: Retry.AFTER_A_CHANGE,  # if it was signed ahead of the clock
}
"""The refusals for which the kind does not say it."""


def retry_of(reason: Reason | Failure) -> Retry:
    """Return whether it helps to repeat a call that ended for a reason."""
    match reason:
        case Reason():
            return REFUSED_OTHERWISE.get(reason, REFUSED[SENTENCES[reason][0]])
        case Failure():
            if reason in RETRY_DELAYS_S:
                return Retry.LATER
            is_wrong = reason.value[0] is StatusCode.INVALID_ARGUMENT
            return Retry.NEVER if is_wrong else Retry.AFTER_A_CHANGE
