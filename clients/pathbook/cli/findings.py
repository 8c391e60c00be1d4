"""The verbs of findings: what looks wrong, as it is and as it comes, and what is said of it."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import connection, printing
from pathbook.cli.insight_filter import takes_filter, takes_limit
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.v1.findings_pb2 import FindingChange
    from pathbook.v1.insights_pb2 import Explanation, InsightFilter

FOLLOWED: Final = frozenset({"batch", "gtin", "brand", "party"})
"""The filters that a subscription has."""


def _known_rule(_context: click.Context, _option: click.Parameter, rule: str) -> str:
    """Return the name of a rule, or refuse one that is not there."""
    if not rule:
        return rule
    from pathbook.ledger.reports.suspicions import RULE_NAMES

    if rule not in RULE_NAMES:
        raise click.BadParameter(f"There is no rule '{rule}'. The rules are: {', '.join(RULE_NAMES)}.")
    return rule


@click.command("findings", cls=Verb)
@book_options
@takes_filter
@click.option("--rule", default="", metavar="RULE", callback=_known_rule, help="Of this rule alone.")
@click.option("--unexplained", is_flag=True, help="Without those that are explained.")
@click.option("--follow", is_flag=True, help="Print changes of findings as they come, until interrupted.")
@click.option(
    "--after",
    "cursor",
    default="",
    metavar="CURSOR",
    help="With --follow: go on after this cursor or position. 0 starts at the first event. Default: now.",
)
@takes_limit
@click.pass_obj
def findings(
    settings: Settings,
    *,
    only: "InsightFilter",
    rule: str,
    unexplained: bool,
    follow: bool,
    cursor: str,
    limit: int,
) -> None:
    """Show what looks wrong and may have a good reason.

    Each finding names the positions of the events that it rests on, which `events read` shows.

    With --follow, each event that shows, changes or takes back a finding is told as it comes. Both JSON formats print
    one change a line, with a cursor. Give the last one to --after to go on: no change comes twice, and none is left
    out. The rule out-of-region has no changes, because no single event shows what it finds.
    """
    from pathbook.cli import insight_text, output

    if follow:
        _follow(settings, only, rule, cursor, is_narrowed=unexplained or bool(limit))
        return
    if cursor:
        raise click.UsageError("--after needs --follow.")
    with connection.reading(settings) as client:
        found = client.get_findings(only=only, rule=rule, limit=limit, unexplained=unexplained)
    output.show(settings.output, found, lambda: insight_text.findings(found))


def _follow(settings: Settings, only: "InsightFilter", rule: str, cursor: str, *, is_narrowed: bool) -> None:
    """Print changes of findings as they come."""
    from pathbook.cli import output

    others = {field.name for field, _ in only.ListFields()} - FOLLOWED
    if others or is_narrowed:
        raise click.UsageError(
            "--follow takes --batch, --gtin, --brand, --with-party and --rule, and no other filter or limit."
        )
    with connection.looking(settings) as client:
        responses = client.subscribe_findings(
            cursor or str(client.get_head().position),
            batch=only.batch,
            gtin=only.gtin,
            brand=only.brand,
            party=only.party,
            rule=rule,
        )
        changes: Iterator[FindingChange] = (change for response in responses for change in response.changes)
        if settings.output is Output.TABLE:
            for change in changes:
                printing.echo(line(change))
        else:
            output.show_objects(Output.JSONL, "changes", map(output.as_object, changes))


def line(change: "FindingChange") -> str:
    """Return a change on one line: position, time, what the event did, the finding and what it says."""
    from pathbook.cli import output
    from pathbook.v1.findings_pb2 import FindingChangeKind

    kind = output.word(FindingChangeKind.DESCRIPTOR, change.kind)
    said = f"{change.finding.id}  {change.finding.sentence}"
    return printing.printable(
        f"{change.position:>8}  {output.moment(change.recorded_at)}  {kind}  {said}  {change.cursor}"
    )


@click.command("explain", cls=Verb)
@book_options
@click.argument("finding")
@click.option("--text", default="", metavar="TEXT", help="What explains it, in at most 200 characters.")
@click.option("--withdraw", is_flag=True, help="Take back what was said. --text is then the reason.")
@click.pass_obj
def explain(settings: Settings, *, finding: str, text: str, withdraw: bool) -> None:
    """Say what explains FINDING, or take it back.

    The finding stays, and shows its explanation. What was said is kept beside the book, with who said it and when.
    Name no person in it.
    """
    from pathbook.cli import output

    if not (text or withdraw):
        raise click.UsageError("Give --text, or --withdraw.")
    with connection.reading(settings) as client:
        kept = client.explain_finding(finding, text, withdraw=withdraw)
    said = "taken back" if kept.withdrawn else "explained"
    pairs = [
        ("finding", kept.finding),
        (said, f"{output.moment(kept.at)} by {_author(kept)}"),
        ("text", _text(kept)),
    ]
    output.show(settings.output, kept, lambda: output.fields(pairs))


@click.command("explanations", cls=Verb)
@book_options
@click.argument("finding", default="")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Show at most so many. Default: all of them."
)
@click.pass_obj
def explanations(settings: Settings, *, finding: str, limit: int | None) -> None:
    """List what was said of FINDING, or of all findings.

    The newest come first, also those that were taken back or replaced.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column

    columns: list[Column[Explanation]] = [
        Column("at", lambda each: output.moment(each.at)),
        Column("by", _author),
        Column("finding", lambda each: each.finding),
        Column("units", lambda each: str(each.units or ""), right=True),
        Column("said", _said),
    ]
    with connection.looking(settings) as client:
        found = islice(client.list_explanations(finding), limit)
        output.show_list(settings.output, "explanations", found, columns)


def _author(each: "Explanation") -> str:
    return f"{each.role} {each.party}".rstrip()


def _said(each: "Explanation") -> str:
    text = _text(each)
    return f"taken back: {text}".removesuffix(": ") if each.withdrawn else text


def _text(each: "Explanation") -> str:
    return "(erased)" if each.text_erased else each.text


VERBS: Final = (findings, explain, explanations)
"""The verbs, which are in the group `insight`."""
