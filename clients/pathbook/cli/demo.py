"""The verb for a first look: it records the story of a box of masks in a new book, then asks the book about it."""

import contextlib
import datetime
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, printing
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Books, Output, Settings, takes_options
from pathbook.cli.verb_group import Verb
from pathbook.cli.zones import Zone

if TYPE_CHECKING:
    from pathbook.client import Client

BRAND: Final = "mask-brand"
AGENTS: Final = ("agent-1", "agent-2", "agent-3", "agent-4", "agent-5")
PRICES: Final = (150, 180, 210, 240, 270)
SUGGESTED: Final = 300
GTIN: Final = "06901234500011"
BUYER: Final = "c-7"

NEW: Final = 1
"""The number of the batch that sells."""

OLD: Final = 2
"""The number of the batch that does not sell."""

SOLD: Final = 0
"""The number of the box in the new batch that a consumer buys."""

CLOUD: Final = 90
"""The number of the first box in the new batch that never leaves the warehouse."""

SECRET: Final = b"This key of the demo is public!!"
"""The key of the demo's codes, so that it prints the same codes everywhere. The key of a real book is secret."""


@click.command("demo", cls=Verb)
@takes_options("data", "book", "zone", "output")
@click.option(
    "--today", type=arguments.DATE, metavar="DATE", help="The day on which the story is told. Default: today."
)
@click.pass_obj
def command(settings: Settings, *, today: datetime.date | None) -> int:
    """Record the story of a box of masks in a new book.

    Then the demo asks the book four questions. It uses a temporary directory. With --data DIR, which must be empty or
    new, the book stays.
    """
    if settings.output is Output.JSON:
        raise click.UsageError(
            "The demo prints a story and four answers, which are not one JSON document."
            " Use --output jsonl: it prints only the answers on stdout, one a line."
        )
    from pathbook.cli import local
    from pathbook.client import Client

    with _directory(settings.data) as directory:
        local.write_key(directory, SECRET)
        with local.serving(Books(str(directory))) as server:
            day = today or settings.zone.today()
            with contextlib.closing(Client(server, book=settings.book)) as client:
                Story(client, day, settings.zone, on_stderr=settings.output is not Output.TABLE).play()
                code = next(client.list_codes(NEW, SOLD, SOLD)).serials[0]
            return _ask(settings, server, code, day if today else None)


@contextlib.contextmanager
def _directory(data: str) -> Iterator[Path]:
    """Yield the directory of the demo: a temporary one, or an empty one that stays."""
    if not data:
        with tempfile.TemporaryDirectory(prefix="pathbook-demo-") as temporary:
            yield Path(temporary)
        return
    directory = Path(data)
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise click.UsageError(
            f"{directory} is not an empty directory, and the demo needs one for its book. Name another directory."
        )
    yield directory


def _ask(settings: Settings, server: str, code: str, today: datetime.date | None) -> int:
    """Ask what a buyer, a brand and an agent would ask, with the commands that they would type."""
    from pathbook.cli.main import pathbook

    settings.server, settings.data = server, ""
    day = ["--today", today.isoformat()] if today else []
    exit_code = int(Exit.COULD_NOT_CHECK)
    for sentence, command_line in (
        ("The buyer scans the box:", ["verify", code, *day]),
        ("The brand asks what each tier paid:", ["ladder", str(NEW)]),
        ("Agent 5 looks at its stock:", ["stock", AGENTS[-1], *day]),
        ("Here is a box that agent 5 owns, but never had:", ["path", f"{NEW}:{CLOUD}"]),
    ):
        on_stderr = settings.output is not Output.TABLE
        printing.echo(f"\n{sentence}\n\n$ pathbook {shlex.join(command_line)}\n", err=on_stderr)
        color = click.get_current_context().color
        answer = pathbook.main(command_line, "pathbook", obj=settings, standalone_mode=False, color=color)
        if command_line[0] == "verify":
            exit_code = int(answer)
    return exit_code


class Story:
    """The story, printed while it is recorded. Its days are counted back from today."""

    def __init__(self, client: "Client", today: datetime.date, zone: Zone, *, on_stderr: bool) -> None:
        """Print it on stdout, or on stderr if a script reads stdout."""
        self._client = client
        self._today = today
        self._zone = zone
        self._on_stderr = on_stderr

    def play(self) -> None:
        """Record and print all of it."""
        printing.echo("The story of a box of masks\n", err=self._on_stderr)
        self._begin()
        self._grow_old()
        self._sell_down()
        self._sell_cloud_stock()
        self._sell_to_a_consumer()

    def _begin(self) -> None:
        from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND

        client = self._client
        client.open_book()
        client.register_party(BRAND, PARTY_KIND_BRAND)
        client.register_product(
            GTIN, brand=BRAND, name="Silk mask, box of 10", suggested_price=_yuan(SUGGESTED)
        )
        self._print(740, f"{BRAND} suggests {SUGGESTED} CNY for a box of its masks.")
        for tier, (upline, agent) in enumerate(_links(), 1):
            client.register_party(agent, PARTY_KIND_AGENT)
            client.authorize_party(agent, upline=upline, tier=tier, valid_from=self._noon(740))
        self._print(740, "It authorizes agent-1, who authorizes agent-2, and so on: five tiers.")
        self._make("M26-A", 100, made=160, expires_in=900)
        self._make("M24-F", 20, made=700, expires_in=9)

    def _grow_old(self) -> None:
        self._print(700, f"{BRAND} makes 20 boxes, lot M24-F. They expire nine days from now.")
        for hop, (giver, receiver) in enumerate(_links()):
            self._record(giver, receiver, (OLD, 0, 19), PRICES[hop], 690 - 30 * hop)
        self._print(570, "They go down all five tiers, 150, 180, 210, 240, 270, and stay with agent-5.")

    def _sell_down(self) -> None:
        self._print(160, f"{BRAND} makes 100 boxes, lot M26-A.")
        for hop, (giver, receiver) in enumerate(_links()):
            units, price, day = (NEW, 0, 49 - 10 * hop), PRICES[hop], 150 - 15 * hop
            boxes = f"{receiver} takes {units[2] + 1} boxes from {giver} at {price} CNY"
            if hop < len(PRICES) // 2:
                self._offer(giver, receiver, units, price, day)
                self._print(day, f"{boxes}: offered, then accepted.")
            else:
                self._record(giver, receiver, units, price, day)
                self._print(day, f"{boxes}: recorded in one step.")

    def _sell_cloud_stock(self) -> None:
        for hop, (giver, receiver) in enumerate(_links()):
            self._record(giver, receiver, (NEW, CLOUD, 99), PRICES[hop], 60 - hop, later=True)
        self._print(60, "Ten more boxes are sold five times in five days, and never leave the warehouse.")

    def _sell_to_a_consumer(self) -> None:
        from pathbook.client import select

        box = select(ranges=[(NEW, SOLD, SOLD)])
        self._client.sell_units(
            seller=AGENTS[-1],
            consumer=BUYER,
            units=box,
            unit_price=_yuan(SUGGESTED),
            occurred_at=self._noon(20),
        )
        self._print(20, f"agent-5 sells one box to a consumer, {BUYER}, for {SUGGESTED} CNY.")
        self._client.confirm_purchase(
            consumer=BUYER, units=box, price_paid=_yuan(SUGGESTED), occurred_at=self._noon(19)
        )
        self._print(19, f"{BUYER} confirms: bought, and {SUGGESTED} CNY paid.")

    def _make(self, lot: str, size: int, *, made: int, expires_in: int) -> None:
        self._client.commission_batch(
            GTIN,
            brand=BRAND,
            lot=lot,
            size=size,
            made_on=self._day(made),
            expires_on=self._day(-expires_in),
        )

    def _record(
        self,
        giver: str,
        receiver: str,
        units: tuple[int, int, int],
        price: int,
        days_ago: int,
        *,
        later: bool = False,
    ) -> None:
        from pathbook.client import select

        self._client.record_transfer(
            giver=giver,
            receiver=receiver,
            units=select(ranges=[units]),
            unit_price=_yuan(price),
            delivery=arguments.delivery(later=later),
            occurred_at=self._noon(days_ago),
        )

    def _offer(
        self, giver: str, receiver: str, units: tuple[int, int, int], price: int, days_ago: int
    ) -> None:
        from pathbook.client import select

        offered = self._client.offer_transfer(
            giver=giver,
            receiver=receiver,
            units=select(ranges=[units]),
            unit_price=_yuan(price),
            occurred_at=self._noon(days_ago + 1),
        )
        self._client.accept_transfer(
            offered.receipt.position, receiver=receiver, occurred_at=self._noon(days_ago)
        )

    def _print(self, days_ago: int, sentence: str) -> None:
        printing.echo(f"  {self._day(days_ago)}  {sentence}", err=self._on_stderr)

    def _day(self, days_ago: int) -> datetime.date:
        return self._today - datetime.timedelta(days_ago)

    def _noon(self, days_ago: int) -> datetime.datetime:
        # noon of the zone that is shown, so that the answers show the days of the story in every zone
        return self._zone.first_moment(self._day(days_ago)) + datetime.timedelta(hours=12)


def _links() -> list[tuple[str, str]]:
    """Return each giver with its receiver, from the brand down."""
    return list(zip((BRAND, *AGENTS), AGENTS, strict=False))


def _yuan(amount: int) -> tuple[int, str]:
    return amount * 100, "CNY"
