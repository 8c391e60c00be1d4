"""Generates refusals.proto: the reasons for which a call is refused or fails, from the code that has them.

`python proto/reasons.py` writes the file again. With `--check` it changes nothing, and exits 1 if the file differs. A
reason that the file has keeps its number. A new failure gets the next number. `make proto` runs this script first.
"""

import re
import sys
from pathlib import Path
from typing import Final

from pathbook.ledger.refusals import SENTENCES, Reason
from pathbook.services.translate.retries import Retry, retry_of
from pathbook.services.translate.statuses import CODES, RETRY_DELAYS_S, Failure

PATH: Final = Path(__file__).resolve().parent / "pathbook/v1/refusals.proto"

HEAD: Final = """\
// This file has the reasons why a call is refused or fails. A reason never changes its number.
//
// A call that fails ends with a gRPC status other than OK. Its trailer grpc-status-details-bin has a google.rpc.Status,
// and that has a google.rpc.ErrorInfo in its details. The ErrorInfo has the domain "pathbook", the reason, which is a
// name below without its prefix, and the metadata, which are texts by their names. A status without such an ErrorInfo
// comes from gRPC itself or from a proxy.
//
// The comment of each reason is the message of the status, with the names of metadata in braces. There may be more
// metadata. Metadata repeats at most 100 characters of a text of the request. The comment also has the status code, and
// whether to retry:
//
//   never            The same request would be refused again. Change it.
//   after a change   The same request may succeed once something else has changed, which the message names: an event
//                    in the book, time, or what an operator does.
//   later            The failure passes by itself. Repeat the call with the same request id. The details then also have
//                    a google.rpc.RetryInfo with the delay, and no other reason has one.
//
// A refused or failed call has recorded nothing, except that a write may have been recorded before INTERNAL,
// UNAVAILABLE and DEADLINE_EXCEEDED, or when no status arrives. A retry with the same request id is safe, and returns
// the first answer if there is one. A reason that a caller does not know is newer than the caller: go by the status
// code, and by RetryInfo.
syntax = "proto3";

package pathbook.v1;

// RefusalReason is why a book refuses a request, decided on its latest state.
enum RefusalReason {
  // Not set.
  REFUSAL_REASON_UNSPECIFIED = 0;
"""

BETWEEN: Final = """\
}

// FailureReason is why a call fails for a reason that is not about the book: a page token, views that lag, a server
// that stops. No message has this type. It lists the names that an ErrorInfo may have besides those of RefusalReason.
enum FailureReason {
  // Not set.
  FAILURE_REASON_UNSPECIFIED = 0;
"""


def comment(reason: Reason | Failure) -> str:
    """Return the comment of a reason."""
    if isinstance(reason, Reason):
        kind, sentence = SENTENCES[reason]
        code = CODES[kind]
    else:
        code, sentence = reason.value
    retry = retry_of(reason)
    delay = (
        f", after {RETRY_DELAYS_S[reason]:g} s"
        if isinstance(reason, Failure) and retry is Retry.LATER
        else ""
    )
    return f"  // {sentence}\n  // Status: {code.name}. Retry: {retry.value}{delay}.\n"


def numbers(text: str) -> dict[Failure, int]:
    """Return the number of each failure: that of the file, or the next one."""
    known = {
        name: int(number)
        for name, number in re.findall(r"^  FAILURE_REASON_(\w+) = (\d+);", text, re.MULTILINE)
    }
    taken = max(known.values(), default=0)
    found: dict[Failure, int] = {}
    for failure in Failure:
        if failure.name not in known:
            taken += 1
        found[failure] = known.get(failure.name, taken)
    return found


def written(text: str) -> str:
    """Return the file, given what it is now."""
    refusals = [f"{comment(reason)}  REFUSAL_REASON_{reason.name} = {reason};\n" for reason in Reason]
    failures = [
        f"{comment(failure)}  FAILURE_REASON_{failure.name} = {number};\n"
        for failure, number in numbers(text).items()
    ]
    return HEAD + "".join(refusals) + BETWEEN + "".join(failures) + "}\n"


def main(arguments: list[str]) -> int:
    """Write or check, and return the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: reasons.py [--check]", file=sys.stderr)
        return 2
    present = PATH.read_text("utf-8")
    fresh = written(present)
    if fresh == present:
        return 0
    state = "differs from the code: run `make proto`" if arguments else "is rewritten"
    print(f"pathbook/v1/{PATH.name} {state}")
    if arguments:
        return 1
    PATH.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
