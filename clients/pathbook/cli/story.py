"""The story that the demo tells: how boxes of masks pass through five tiers of agents, who sign each step."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pathbook.cli import arguments, printing
from pathbook.cli.zones import Zone
from pathbook.ledger.command_fields import OPERATOR

if TYPE_CHECKING:
    from pathbook.client import Client, PartyKey

BRAND: Final = "mask-brand"
AGENTS: Final = ("agent-1", "agent-2", "agent-3", "agent-4", "agent-5")
PRICES: Final = (150, 180, 210, 240, 270)
SUGGESTED: Final = 300
GTIN: Final = "06901234500011"
BUYER: Final = "c-7"

PASSPHRASE: Final = "demo"  # noqa: S105 - the documentation tells it
"""That of the key files of a story that stays."""

NEW: Final = 1
"""The number of the batch that sells."""

OLD: Final = 2
"""The number of the batch that does not sell."""

SOLD: Final = 0
"""The number of the box in the new batch that a consumer buys."""

CLOUD: Final = 90
"""The number of the first box in the new batch that never leaves the warehouse."""


class Story:
    """The story, printed while it is recorded. Its days are counted back from today."""

    def __init__(self, client: "Client", today: datetime.date, zone: Zone, *, on_stderr: bool) -> None:
        """Print it on stdout, or on stderr if a script reads stdout."""
        self._client = client
        self._origin = ""
        self._keys: dict[str, PartyKey] = {}
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

    def write_keys(self, directory: Path) -> None:
        """Write the keys of all parties to a new directory, so that the reader of the story can go on with it."""
        from pathbook.client import write_key_file

        directory.mkdir(0o700)  # what is in it is for its owner, as the files of the book are
        (directory / "passphrase").write_text(f"{PASSPHRASE}\n", "utf-8")
        for party, key in self._keys.items():
            write_key_file(directory / f"{party or 'operator'}.key", key, PASSPHRASE)

    def _signing(self, party: str) -> "Client":
        """Return a client whose writes a party signs."""
        return self._client.with_options(signer=self._keys[party])

    def _make_key(self, party: str, endorser: str) -> None:
        """Make a key of a party in memory, and register it, endorsed by another party or by itself."""
        from pathbook.client import PartyKey

        key = self._keys[party] = PartyKey(self._origin, party)
        self._client.register_key(key, endorser=self._keys[endorser])

    def _begin(self) -> None:
        from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND

        self._client.open_book()  # not only for parties that sign: who tries it has no keys
        self._origin = self._client.get_book().origin
        self._make_key(OPERATOR, OPERATOR)
        operator = self._signing(OPERATOR)
        operator.register_party(BRAND, PARTY_KIND_BRAND)
        self._make_key(BRAND, OPERATOR)
        self._signing(BRAND).register_product(
            GTIN, brand=BRAND, name="Silk mask, box of 10", suggested_price=_yuan(SUGGESTED)
        )
        self._print(740, f"{BRAND} suggests {SUGGESTED} CNY for a box of its masks.")
        for tier, (upline, agent) in enumerate(_links(), 1):
            operator.register_party(agent, PARTY_KIND_AGENT)
            self._signing(upline).authorize_party(agent, upline=upline, tier=tier, valid_from=self._noon(740))
            self._make_key(agent, upline)
        self._print(740, "It authorizes agent-1, who authorizes agent-2, and so on: five tiers.")
        self._print(
            740, "Each party signs what it asks. Its upline endorsed its key, the operator the brand's."
        )
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
        self._signing(AGENTS[-1]).sell_units(
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
        self._signing(BRAND).commission_batch(
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

        self._signing(giver).record_transfer(
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

        offered = self._signing(giver).offer_transfer(
            giver=giver,
            receiver=receiver,
            units=select(ranges=[units]),
            unit_price=_yuan(price),
            occurred_at=self._noon(days_ago + 1),
        )
        self._signing(receiver).accept_transfer(
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
