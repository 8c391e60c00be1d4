"""The verbs of the views and reports: keep them up to date, rebuild them from the events, and show how far they are."""

import click

from pathbook.cli import printing
from pathbook.cli.places import takes_operations
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup


class ReportType(click.ParamType[str]):
    """The name of a report of this program."""

    name = "report"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a name that no report has."""
        from pathbook.ledger.reports.all_reports import REPORTS

        names = [report.name for report in REPORTS]
        if value not in names:
            self.fail(f"There is no report '{value}'. The reports are: {', '.join(names)}.", param, ctx)
        return value


@click.group("views", cls=VerbGroup)
def command() -> None:
    """Follow or rebuild the views of all books.

    Every answer about a book is read from its views. They are derived from its events.
    """


@command.command()
@takes_options("data", "database", "output", "allow_event_loss")
@takes_operations
@click.option("--no-seal", is_flag=True, help="Record no seals of the books, and sign no checkpoints.")
@click.option("--no-reports", is_flag=True, help="Leave the reports to a process with --only-reports.")
@click.option(
    "--only-reports", is_flag=True, help="Build the reports, beside a process that updates the views."
)
@click.pass_obj
def follow(
    settings: Settings, *, operations_listen: str | None, no_seal: bool, no_reports: bool, only_reports: bool
) -> None:
    """Keep the views of all books in --data DIR up to date, and their reports.

    It also lets offers lapse at their deadlines, and seals each book soon after a change, which adds an event to the
    book. It runs until SIGINT or SIGTERM stops it, beside servers that were started with 'pathbook serve --no-follow'.
    Its log goes to stderr.
    """
    if only_reports and (no_reports or no_seal):
        raise click.UsageError(
            "--only-reports is for a process that only builds reports. Leave out --no-reports and --no-seal."
        )
    from pathbook.cli import local

    local.follow(
        settings.books(),
        operations_listen=operations_listen or "",
        seals=not (no_seal or only_reports),
        projects=not only_reports,
        builds_reports=not no_reports,
    )


@command.command()
@takes_options("data", "database", "output", "allow_event_loss")
@click.option("--accept-lost-events", is_flag=True,
              help="Go on with a log that has lost its newest events. The views forget them.")  # fmt: skip
@click.option("--only", metavar="REPORT", type=ReportType(),
              help="Rebuild one report, such as ladder. All else stays as it is.")  # fmt: skip
@click.pass_obj
def rebuild(settings: Settings, *, accept_lost_events: bool, only: str | None) -> None:
    """Rebuild the views and reports of all books in --data DIR.

    The old ones are dropped. Servers may keep running. After an interruption, the command or a server continues
    the rebuild. While a report is rebuilt with --only, only its own questions wait.
    """
    if only and accept_lost_events:
        raise click.UsageError("--accept-lost-events rebuilds all views, so --only cannot be used with it.")
    from pathbook.cli import local
    from pathbook.cli.progress import Progress

    books = settings.books()
    with Progress() as progress:
        place, events = local.rebuild(
            books, progress.of("events"), accept_lost_events=accept_lost_events, only=only or ""
        )
    if settings.output is Output.TABLE:
        what = f"report {only} in {place} is" if only else f"views in {place} are"
        printing.echo(f"The {what} rebuilt from {events} events.")
        return
    printing.echo(printing.as_json({"data": books.data, "events": str(events)}, settings.output))


@command.command()
@takes_options("data", "database", "output")
@click.pass_obj
def show(settings: Settings) -> None:
    """Show the versions of the views and reports in --data DIR, and how far they are in each book.

    Nothing is changed. A report that is being built is of use once it has reached its place in the last column.
    """
    from pathbook.cli import local_care, output

    found = local_care.views(settings.books())
    if settings.output is not Output.TABLE:
        output.show_objects(settings.output, "views", found)
        return
    titles = ["views", "version", "book", "position", "head", "state"]
    rows = [[str(view[title]) for title in titles] for view in found]
    printing.echo(output.table(titles, rows, {3, 4}))
