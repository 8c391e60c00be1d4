"""The verbs of the clock: whether servers believe it, and to confirm what it says."""

import datetime
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import printing
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:  # the server is imported when a verb runs
    from pathbook.cli.local import ClockState

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@click.group("clock", cls=VerbGroup)
def command() -> None:
    """Show or confirm the clock that events are stamped with.

    A clock that jumps by more than a day is not believed: nothing is written and no offer lapses until it is set
    right, or confirmed here.
    """


@command.command()
@takes_options("data", "database", "output", "allow_event_loss")
@click.pass_obj
def show(settings: Settings) -> None:
    """Show whether the clock of this machine is believed for the books in --data DIR."""
    from pathbook.cli import local

    _print(settings, local.clock_state(settings.books()), {})


@command.command()
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Today's date in UTC, from another clock. Another date than the machine's is refused.",
)
@click.option(
    "--accept-events-ahead",
    is_flag=True,
    help="Let books whose last event lies ahead of the clock go on with the time of that event.",
)
@takes_options("data", "database", "output", "allow_event_loss")
@click.pass_obj
def confirm(settings: Settings, today: datetime.datetime | None, *, accept_events_ahead: bool) -> None:
    """Believe what the clock of this machine says, for all books in --data DIR.

    Check it with another clock first: what is recorded at a wrong time stays so. Running servers of these books go on
    by themselves, within some seconds.
    """
    from pathbook.cli import local

    books = settings.books()
    before = local.clock_state(books)
    says = _shown(before.now)
    if today is not None and f"{today:%Y-%m-%d}" != says[:10]:
        raise click.UsageError(
            f"The clock of this machine says {says}, which is not on {today:%Y-%m-%d}. Nothing was confirmed."
            " Set the clock, or correct --today."
        )
    before = local.confirm_clock(books, accept_ahead=accept_events_ahead)
    if settings.output is Output.TABLE:
        printing.echo(f"{_shown(before.now)} is believed. Running servers go on within some seconds.")
        for book, last_event in before.ahead.items():
            printing.echo(_ahead(book, last_event, accepted=accept_events_ahead))
        return
    ahead = [{"book": book, "last_event": _shown(at)} for book, at in before.ahead.items()]
    confirmed = {"confirmed": _shown(before.now), "events_ahead": ahead, "accepted": accept_events_ahead}
    printing.echo(printing.as_json(confirmed, settings.output))


def _print(settings: Settings, state: "ClockState", more: dict[str, object]) -> None:
    expected = None if state.expected is None else _shown(state.expected)
    ahead = {book: at for book, at in state.ahead.items() if at > state.accepted_until}
    if settings.output is not Output.TABLE:
        events = [{"book": book, "last_event": _shown(at)} for book, at in ahead.items()]
        shown = {"clock": _shown(state.now), "expected": expected, "believed": state.believed}
        printing.echo(printing.as_json({**shown, "events_ahead": events, **more}, settings.output))
        return
    printing.echo(f"The clock of this machine says {_shown(state.now)}.")
    printing.echo("No time is known here yet." if expected is None else f"It should be near {expected}.")
    if state.believed:
        printing.echo("It is believed.")
    else:
        printing.echo(
            "It is not believed, so nothing is written and no offer lapses. Set it, or, if it is right, run:"
            " pathbook clock confirm"
        )
    for book, last_event in ahead.items():
        printing.echo(_ahead(book, last_event, accepted=False))


def _ahead(book: str, last_event: int, *, accepted: bool) -> str:
    """Return the sentences on a book whose last event lies ahead of the clock."""
    begin = f"The last event of book '{book}' is of {_shown(last_event)}, ahead of the clock."
    if accepted:
        return f"{begin} It goes on with that time, and deadlines before it are refused."
    return (
        f"{begin} Nothing is written to it. Restore a backup from before that event, or run:"
        " pathbook clock confirm --accept-events-ahead"
    )


def _shown(time: int) -> str:
    """Return a time in microseconds as 2026-02-28T12:00:00Z."""
    return (_EPOCH + datetime.timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%SZ")
