"""A server that demands tokens, and a book in which two brands and their agents have secrets from each other.

ann and bob sell for acme, zed for zeta. What is of zeta and zed has words and numbers that nothing else has, so that a
leak is found in any text.
"""

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathbook.client import Client, PartyKind, select
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1 import tokens_pb2
from pathbook.v1.values_pb2 import UNIT_STATE_LOST, Selection
from tests.books import DATABASE_FILE

BOOK: Final = "masks"
OTHER_BOOK: Final = "creams"
MASK: Final = "04006381333931"
CREAM: Final = "06901234500011"
MADE_ON: Final = datetime.date(2026, 1, 1)
CASE: Final = "340123450000000017"
OTHER_CASE: Final = "340123450000000024"
NO_CASE: Final = "106141411234567897"

SECRETS: Final = ("zeta", "zed", "77777", "zlot", "zref", "zlabel")
"""What only zeta, zed and those that see everything may know."""

ROLES: Final = {
    "party": (tokens_pb2.TOKEN_ROLE_PARTY, "ann"),
    "brand": (tokens_pb2.TOKEN_ROLE_BRAND, "acme"),
    "auditor": (tokens_pb2.TOKEN_ROLE_AUDITOR, ""),
    "operator": (tokens_pb2.TOKEN_ROLE_OPERATOR, ""),
}
"""The tokens of the book, by role: of whom they are."""


@dataclasses.dataclass(frozen=True)
class Things:
    """What requests are about.

    Attributes:
        party: a party of an own or of another line.
        batch: a batch, of which ``units`` are the party's.
        transfer: an accepted transfer to the party.
        offer: an open offer to the party.
        made_offer: an open offer of the party.
        authorization: an authorization that the party gave.
        recall: a recall of the batch.
        written_off: the position of a write-off by the party.
        case: a case of the party.
        gtin: the product of the batch.
        reference: that of a transfer to the party.
        request_id: that of a request of the party.
        code: that of a unit of the batch.
    """

    party: str
    batch: int
    units: tuple[int, int]
    transfer: int
    offer: int
    made_offer: int
    authorization: int
    recall: int
    written_off: int
    case: str
    gtin: str
    reference: str
    request_id: str
    code: str


@dataclasses.dataclass(frozen=True)
class Story:
    """A server, the book on it, and a token for each role."""

    target: str
    own: Things
    others: Things
    tokens: dict[str, str]

    def client(self, role: str, book: str = BOOK) -> Client:
        """Return a client in a role; "public" has no token."""
        return Client(self.target, book=book, token=self.tokens.get(role, ""), retry_seconds=0)


MISSING: Final = Things(
    party="ghost",
    batch=999,
    units=(7, 7),
    transfer=99_999,
    offer=99_998,
    made_offer=99_997,
    authorization=99_996,
    recall=99_995,
    written_off=99_994,
    case=NO_CASE,
    gtin="09506000134352",
    reference="nonesuch",
    request_id="nonesuch",
    code="",
)
"""What is not there."""


@contextlib.contextmanager
def guarded(place: Path) -> Iterator[tuple[str, str]]:
    """Serve the books of a place to those with tokens. Yield HOST:PORT and the token of the operator."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place / "books", database=database, listen="127.0.0.1:0", demands_tokens=True)
    with running(settings) as port:
        yield f"127.0.0.1:{port}", (settings.data / OPERATOR_TOKEN_FILE).read_text("ascii").strip()


@contextlib.contextmanager
def told(place: Path) -> Iterator[Story]:
    """Serve the story."""
    with (
        guarded(place) as (target, first),
        Client(target, book=BOOK, token=first, retry_seconds=0) as client,
        Client(target, book=OTHER_BOOK, token=first, retry_seconds=0) as other,
    ):
        client.open_book()
        client.register_party("acme", PartyKind.BRAND)
        client.register_party("zeta", PartyKind.BRAND)
        for agent in ("ann", "bob", "zed", "zoe"):
            client.register_party(agent, PartyKind.AGENT)
        own = _side(client, "acme", ("ann", "bob"), MASK, "L1", CASE, 150, "ref-1")
        others = _side(client, "zeta", ("zed", "zoe"), CREAM, "ZLOT", OTHER_CASE, 77_777, "ZREF")
        client.create_token(tokens_pb2.TOKEN_ROLE_PARTY, "zed", label="zlabel")
        tokens = {name: client.create_token(*token).text for name, token in ROLES.items()} | {"first": first}
        other.open_book()
        tokens["other"] = other.create_token(tokens_pb2.TOKEN_ROLE_OPERATOR).text
        client.position = client.get_head().position
        yield Story(target, own, others, tokens)


def _side(
    client: Client,
    brand: str,
    agents: tuple[str, str],
    gtin: str,
    lot: str,
    case: str,
    price: int,
    reference: str,
) -> Things:
    """Record what a brand and its two agents do, and return what is of the first agent."""
    agent, next_agent = agents
    paid = (price * 100, "CNY")
    client.register_product(gtin, brand=brand, name=f"Product of {brand}", suggested_price=paid)
    batch = client.commission_batch(
        gtin, brand=brand, lot=lot, size=1_000, made_on=MADE_ON, expires_on=datetime.date(2036, 1, 1),
        suggested_price=paid,
    ).batch  # fmt: skip
    client.authorize_party(agent, upline=brand, tier=1)
    given = client.authorize_party(next_agent, upline=agent, tier=2)

    def some(first: int, last: int) -> Selection:
        return select(ranges=[(batch, first, last)])

    transfer = client.record_transfer(
        giver=brand, receiver=agent, units=some(0, 99), unit_price=paid, reference=reference
    )
    client.record_transfer(
        giver=agent, receiver=next_agent, units=some(0, 9), unit_price=paid, request_id=f"of {agent}"
    )
    offer = client.offer_transfer(giver=brand, receiver=agent, units=some(100, 109), unit_price=paid)
    made = client.offer_transfer(giver=agent, receiver=next_agent, units=some(10, 19), unit_price=paid)
    client.pack_case(case, party=agent, units=some(20, 29))
    lost = client.write_off_units(party=agent, units=some(30, 30), state=UNIT_STATE_LOST)
    recall = client.recall_units(batch, brand=brand, ranges=[(batch, 990, 999)])
    client.position = client.get_head().position
    code = next(client.list_codes(batch, 50, 50)).serials[0]
    return Things(
        party=agent,
        batch=batch,
        units=(50, 50),
        transfer=transfer.receipt.position,
        offer=offer.receipt.position,
        made_offer=made.receipt.position,
        authorization=given.receipt.position,
        recall=recall.receipt.position,
        written_off=lost.receipt.position,
        case=case,
        gtin=gtin,
        reference=reference,
        request_id=f"of {agent}",
        code=code,
    )
