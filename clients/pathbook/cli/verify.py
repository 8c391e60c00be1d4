"""The verb for a buyer: it checks a code and its path, and prints the checks that the verdict rests on."""

import datetime
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, assert_never

import click

from pathbook.cli import arguments, connection, printing, proof_file
from pathbook.cli.arguments import Price
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options, current_zone
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.client import Client
    from pathbook.ledger.codes import PrintedCode
    from pathbook.v1.paths_pb2 import GetPathResponse
    from pathbook.verify.trust import Trust
    from pathbook.verify.verdicts import Check, Policy, Report

Answer = TypeVar("Answer")

RESULT_WIDTH: Final = 14
"""Columns for the result of a check, of which the longest is `not yet sealed`."""

NO_PROOF: Final = frozenset({"NOT_SEALED_YET", "PROOF_TOO_LARGE", "LOG_KEY_UNUSABLE", "UNIMPLEMENTED"})
"""The reasons for which a server gives no proof, also one of a version without proofs. The path is checked then."""

TEXT_WIDTH: Final = 80
"""Columns for the finding of a check. A line then fits 100 columns."""


def takes_policy(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Add the options for the limits of the caller. The command gets them as ``policy``."""

    @functools.wraps(command)
    def with_policy(  # noqa: PLR0913 - an argument for each option
        *args: object,
        max_price: Price | None,
        max_tiers: int | None,
        max_age: int | None,
        require_authorized: bool,
        allow_recalled: bool,
        allow_expired: bool,
        unsold: bool,
        seller: str,
        min_signatures: str,
        **rest: object,
    ) -> Answer:
        from pathbook.ledger.values import Price
        from pathbook.verify.verdicts import Policy

        if max_price is not None and max_price[0] < 0:
            raise click.UsageError("A price is never below zero, so --max-price cannot be.")
        policy = Policy(
            max_price=Price(*max_price) if max_price else None,
            max_tiers=max_tiers,
            max_age=max_age,
            require_authorized=require_authorized,
            allow_recalled=allow_recalled,
            allow_expired=allow_expired,
            unsold=unsold,
            seller=seller,
            min_signatures=int(min_signatures),
            zone=current_zone().rules,
            zone_name=current_zone().name,
        )
        return command(*args, policy=policy, **rest)

    for option in (
        click.option(
            "--from", "seller", metavar="PARTY", default="", help="Fail unless PARTY owns the unit now."
        ),
        click.option(
            "--min-signatures",
            type=click.Choice(["0", "1", "2"]),
            default="0",
            show_default=True,
            help="Fail if fewer sides signed a hop, with keys that a proof shows. A sale has one at most.",
        ),
        click.option("--unsold", is_flag=True, help="Fail if the unit was sold to a consumer."),
        click.option("--allow-expired", is_flag=True, help="An expired unit is noted, and does not fail."),
        click.option("--allow-recalled", is_flag=True, help="A recall in force is noted, and does not fail."),
        click.option(
            "--require-authorized", is_flag=True, help="Fail if a side of a hop was not authorized."
        ),
        click.option(
            "--max-age", type=arguments.COUNT, metavar="DAYS", help="Fail if the unit was made longer ago."
        ),
        click.option(
            "--max-tiers",
            type=arguments.COUNT,
            metavar="N",
            help="Fail if there are more hops between parties.",
        ),
        click.option(
            "--max-price",
            type=arguments.PRICE,
            metavar="PRICE",
            help="Fail if a unit cost more at any hop: '150 CNY', or '1.25 CNY/100' for 100 units.",
        ),
    ):
        with_policy = option(with_policy)
    return with_policy


@click.command("verify", cls=Verb)
@book_options
@click.argument("code", required=False)
@takes_policy
@proof_file.takes_proof
@arguments.takes_today
@click.pass_obj
def command(
    settings: Settings,
    *,
    code: str | None,
    policy: "Policy",
    proof: bytes | None,
    save: Path | None,
    trust: "Trust",
    today: datetime.date,
) -> int:
    """Check the unit with CODE.

    CODE is the link in the symbol, the element string beside it, or the serial of 20 characters under it. The exit
    code is 0 only if the path on record holds and keeps your limits.

    A server that seals its book gives a proof, too. The key of its log is remembered when it is seen for the first
    time, and another key later refutes the proof. Better, give the key that you got in another way: --key or --policy.

    With --proof, no server is asked. Without CODE, the unit is then the one that the file names. The file proves
    nothing without --key or --policy.

    Before you buy, add --unsold, or --from with the party that sells. A label can be copied: without them, a unit
    that was sold before is only noted.

    \b
    Exit codes:
      0  verified, or noted what to look at
      1  refuted: the path, the price or the proof contradicts
      2  usage
      3  the code is malformed, mistyped, unknown, or of another book
      4  could not check: there was no answer, or no trusted key
      5  verified, but against your policy, or recalled, written off or expired
    """  # noqa: D301 - click keeps the lines after a backspace as they are
    if proof is not None:
        return verify_proof(settings, code, proof, trust, policy, today)
    if code is None:
        raise click.MissingParameter(param_hint="'CODE'", param_type="argument")
    return verify(settings, code, policy, today, trust, save)


def verify_proof(
    settings: Settings,
    code: str | None,
    proof: bytes,
    trust: "Trust",
    policy: "Policy",
    today: datetime.date,
) -> Exit:
    """Check a proof file without asking a server. Print as `verify` does, and return the exit code."""
    from pathbook.verify.checks import read_code
    from pathbook.verify.proof import Now, check_proof
    from pathbook.verify.proven_path import as_message
    from pathbook.verify.verdicts import Report

    parsed = None if code is None else read_code(code)
    if isinstance(parsed, Report):
        return _print(settings, parsed, None)
    report, path = check_proof(proof, parsed, trust, Now(proof_file.now(), today), policy)
    return _print(settings, report, None if path is None else as_message(path))


def verify(
    settings: Settings,
    code: str,
    policy: "Policy",
    today: datetime.date,
    trust: "Trust",
    save: Path | None = None,
) -> Exit:
    """Check a code and its proof, print the checks, the path and the verdict, and return the exit code."""
    from pathbook.client import RefusedError, UnreachableError
    from pathbook.verify.checks import check_path, read_code, refused, unanswered
    from pathbook.verify.replay import MAX_LEFT_OUT_BYTES, MAX_STEPS, left_out_bytes
    from pathbook.verify.verdicts import Report

    path: GetPathResponse | None = None
    parsed = read_code(code)
    if isinstance(parsed, Report):
        return _print(settings, parsed, path)
    try:
        with connection.reading(settings) as client:
            path = client.get_path(code, corrections=True, events=False, steps_max=MAX_STEPS)
            if not path.next_page_token and left_out_bytes(path) <= MAX_LEFT_OUT_BYTES:
                client.fill_events(path)
            data = _proof(client, code)
        report = check_path(path, parsed, today, policy)
        if data is not None:
            if save is not None:
                save.write_bytes(data)
            report = _compared(report, path, data, parsed, trust, today, policy)
        elif save is not None:
            printing.echo("pathbook: no proof is saved, because the server gives none yet.", err=True)
    except RefusedError as error:
        report = refused(error.reason, error.message)
    except (UnreachableError, OSError) as error:
        report = unanswered(str(error))
    return _print(settings, report, path)


def _proof(client: "Client", code: str) -> bytes | None:
    """Return the proof of a unit, None if the server has none yet, or is of a version without proofs."""
    from pathbook.client import RefusedError

    try:
        return client.get_unit_proof(code)
    except RefusedError as error:
        if error.reason in NO_PROOF:
            return None
        raise


def _compared(
    report: "Report",
    path: "GetPathResponse",
    data: bytes,
    code: "PrintedCode",
    trust: "Trust",
    today: datetime.date,
    policy: "Policy",
) -> "Report":
    """Compare a path with its proof. Without a key of the caller, the key that the log had before counts."""
    from pathbook.cli import known_logs
    from pathbook.ledger.proofs.text import MalformedTextError
    from pathbook.ledger.proofs.unit_proof import parse_unit_proof
    from pathbook.verify.proof import Now, check_proof
    from pathbook.verify.sealed_path import compared_with_proof

    is_new, log, parsed = False, None, None
    if not trust.logs:
        try:
            parsed = parse_unit_proof(data)
        except MalformedTextError:
            pass  # the check of the proof says what is wrong with it
        else:
            log = parsed.log
            known = known_logs.known_key(log.name)
            is_new = known is None
            trust = trust.with_key(known or log)
    proof, proven = check_proof(parsed or data, code, trust, Now(proof_file.now(), today), policy)
    joined = compared_with_proof(report, path, proof, proven, is_new_key=is_new)
    if is_new and log is not None and proven is not None:
        known_logs.remember(log)
    return joined


def exit_code(report: "Report") -> Exit:
    """Return the exit code of a verdict."""
    from pathbook.verify.verdicts import Verdict

    match report.verdict:
        case Verdict.VERIFIED:
            return Exit.DONE
        case Verdict.PATH_CONTRADICTED | Verdict.PRICE_CONTRADICTED | Verdict.PROOF_REFUTED:
            return Exit.REFUSED
        case Verdict.COULD_NOT_CHECK:
            return Exit.COULD_NOT_CHECK
        case Verdict.AGAINST_POLICY:
            return Exit.AGAINST_POLICY
        case (
            Verdict.CODE_MALFORMED
            | Verdict.CODE_MISTYPED
            | Verdict.CODE_OF_ANOTHER_BOOK
            | Verdict.CODE_UNKNOWN
            | Verdict.CODE_CONTRADICTED
            | Verdict.CODE_OF_ANOTHER_KEY
        ):
            return Exit.CODE_UNKNOWN
        case _:
            assert_never(report.verdict)


def _print(settings: Settings, report: "Report", path: "GetPathResponse | None") -> Exit:
    from pathbook.cli import output

    if path is not None and not output.is_printable(path):
        path = None  # a lying server can send times that do not exist; the report says what is wrong
    if settings.output is Output.TABLE:
        printing.echo(_text(report, path))
    else:
        printing.echo(_json(settings.output, report, path))
    return exit_code(report)


def _text(report: "Report", path: "GetPathResponse | None") -> str:
    """Return the checks, one a line, then the path if there is one, and the verdict last."""
    from pathbook.cli import output, path_table

    checks = "\n".join(_line(check) for check in report.checks)
    drawn = [path_table.draw(path)] if path is not None else []
    verdict = output.wrapped(printing.printable(f"{report.verdict.word}: {report.sentence}"), 0)
    return "\n\n".join([checks, *drawn, verdict])


def _line(check: "Check") -> str:
    """Return a check as a line: number, result, name and finding."""
    from pathbook.cli import output
    from pathbook.verify.verdicts import Result

    color = {Result.OK: "green", Result.NOTED: "yellow", Result.FAILED: "red"}.get(check.result)
    result = click.style(check.result.value, fg=color) + " " * (RESULT_WIDTH - len(check.result.value))
    found = printing.printable(f"{check.name}: {check.detail}")
    return f"{check.number:2}  {result}  {output.wrapped(found, RESULT_WIDTH + 6, TEXT_WIDTH)}"


def _json(form: Output, report: "Report", path: "GetPathResponse | None") -> str:
    from pathbook.cli import output

    found: dict[str, object] = {
        "verdict": report.verdict.word,
        "sentence": report.sentence,
        "exit_code": int(exit_code(report)),
        "checks": [
            {
                "number": int(check.number),
                "name": check.name,
                "result": check.result.value,
                "detail": check.detail,
            }
            for check in report.checks
        ],
        "path": output.as_object(path) if path is not None else None,
    }
    return printing.as_json(found, form)
