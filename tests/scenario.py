"""A scenario language for the rules: each line is a command and its expected outcome, in words a buyer could read.

An example is ``offer 1:0-9 acme > ann at 150 as first -> ok``. Later lines can name the offer's position as ``first``.
The text after ``->`` is ``ok``, the name of a refusal, or the answer to a line that asks a question.
"""

import datetime
import re
from collections.abc import Callable

import msgspec

from pathbook.ledger import commands
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.commands import Command, DiscrepancyClaim, SignedCommand
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.requests import digest, request_of
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.rules.units import pieces
from pathbook.ledger.values import (
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Quantity,
    Selection,
    UnitRange,
    UnitState,
)

DAY = 86_400_000_000
"""A day in microseconds."""

NOON = 20_454 * DAY + DAY // 2
"""The time at which stories begin: 2026-01-01 12:00 UTC."""

CODE_KEY = b"code key"
"""The fingerprint of a key. No key of a server has it."""

MASK = "04006381333931"
BALM = "04012345678901"
GOODS = {"mask": MASK, "balm": BALM}


CODE_KEY = bytes(range(8))
"""The fingerprint of the key of codes with which the tests open books."""


def opening(book: str, request_id: str = "open") -> commands.OpenBook:
    """Return the command that opens a book."""
    return commands.OpenBook(request_id=request_id, name=book, code_key=CODE_KEY)


class Story:
    """A book in memory that executes the lines of a story one after the other."""

    def __init__(self, text: str = "", book: str = "book") -> None:
        """Open a book, and execute the lines of a text."""
        self.state = State(book)
        self.names: dict[str, int] = {}
        self.events: list[Event] = []
        self.commands: list[tuple[Command, Event | Refusal]] = []
        self.recorded: list[RecordedEvent] = []
        self.now = NOON
        self.ask(opening(book))
        self.tell(text)

    def again(self) -> "Story":
        """Return another book that was asked the same. A compiled state cannot be copied."""
        other = Story(book=self.state.book)
        for command, _ in self.commands[len(other.commands) :]:
            other.ask(command)
        return other

    def tell(self, text: str) -> None:
        """Execute lines; each must have the outcome after its arrow, or ``ok`` if it has no arrow."""
        for line in text.strip().splitlines():
            command, _, expected = line.partition("->")
            outcome = self._line(command.split("#")[0].strip())
            assert outcome == (expected.strip() or "ok"), f"{line.strip()}\n  outcome: {outcome}"

    def ask(self, command: Command) -> Event | Refusal:
        """Decide a command, and apply the event it causes, encoded and decoded again."""
        outcome = decide(self.state, command, self.now)
        self.commands.append((command, outcome))
        return self._apply(command, outcome, None)

    def ask_signed(self, signed: SignedCommand) -> Event | Refusal:
        """Do the same with a command that has a statement with its own signature."""
        outcome = decide(self.state, signed, self.now)
        return self._apply(signed.command, outcome, Signed(signed.statement, signed.signature))

    def _apply(self, command: Command, outcome: Event | Refusal, signed: Signed | None) -> Event | Refusal:
        if isinstance(outcome, Refusal):
            return outcome
        _, data = encode(
            outcome,
            recorded_at=self.now,
            occurred_at=command.occurred_at or self.now,
            request=request_of(command.actor, command.request_id),
            request_digest=digest(command),
            signed=signed,
        )
        recorded = decode(self.state.position + 1, data, strict=True)
        assert recorded.event == outcome
        self.state.declarables[recorded.position] = None  # a book loads them when they are asked for
        evolve(self.state, recorded)
        self.events.append(outcome)
        self.recorded.append(recorded)
        return outcome

    def _line(self, line: str) -> str:
        if not line:
            return "ok"
        for pattern, build in LINES.items():
            if (match := re.fullmatch(pattern, line)) is not None:
                fields = {key: text or "" for key, text in match.groupdict().items()}
                name = fields.pop("name", "")
                built = build(self, **fields)
                return built if isinstance(built, str) else self._outcome(built, name)
        raise AssertionError(f"the scenario language has no such line: {line}")

    def _outcome(self, command: Command, name: str) -> str:
        outcome = self.ask(command)
        if isinstance(outcome, Refusal):
            assert "{" not in str(outcome), outcome
            return outcome.reason.name
        if name:
            self.names[name] = self.state.position
        return "ok"

    def request(self) -> str:
        """Return a request id that no line has used."""
        return f"r{len(self.commands)}"

    def position(self, name: str) -> int:
        """Return the position that an earlier line named, or the number itself."""
        return self.names[name] if name in self.names else int(name)


def _gtin(text: str) -> str:
    return GOODS.get(text, text)


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def _moment(text: str) -> int:
    return (_day(text).toordinal() - _day("1970-01-01").toordinal()) * DAY if text else 0


def _price(text: str) -> Price:
    stated, _, units = text.partition("/")
    amount, _, currency = stated.partition(" ")
    return Price(int(amount), currency or "CNY", int(units or 1))


def _ranges(text: str) -> tuple[UnitRange, ...]:
    found = re.findall(r"(\d+):(-?\d+)(?:-(\d+))?", text)
    return tuple(UnitRange(int(batch), int(first), int(last or first)) for batch, first, last in found)


def _units(text: str) -> Selection:
    cases = tuple(re.findall(r"case (\d+)", text))
    counted = re.findall(r"(-?\d+) of (\w+)", text)
    quantities = tuple(
        Quantity(int(count), batch=int(what)) if what.isdigit() else Quantity(int(count), product=_gtin(what))
        for count, what in counted
    )
    return Selection(_ranges(re.sub(r"case \d+|-?\d+ of \w+", "", text)), cases, quantities)


def _piece(story: Story, unit: str) -> tuple[str, str, str]:
    ((_, run),) = pieces(story.state, _ranges(unit))
    return run.owner, run.custodian, run.state.name.lower()


def _claims(text: str) -> tuple[DiscrepancyClaim, ...]:
    claims = []
    for part in filter(None, text.split(" and ")):
        kind, _, what = part.partition(" ")
        count = int(what) if what.isdigit() else 0
        claims.append(DiscrepancyClaim(DiscrepancyKind[kind.upper()], _ranges(what), count))
    return tuple(claims)


_AT = r"(?: on (?P<on>[\d-]+))?(?: as (?P<name>\w+))?"
_PRICE = r" at (?P<price>-?\d+(?: [A-Z]{3})?(?:/-?\d+)?)"
_MOVE = (
    rf" (?P<units>.+) (?P<giver>\S+) > (?P<receiver>\S+){_PRICE}(?P<later> later)?"
    r"(?: ref (?P<reference>\S+))?"
)
_TO = r" (?P<units>.+) by (?P<party>\S+)"


def _moving(kind: type[commands.OfferTransfer] | type[commands.RecordTransfer]) -> Callable[..., Command]:
    def build(story: Story, **fields: str) -> Command:
        command = kind(
            request_id=story.request(),
            occurred_at=_moment(fields["on"]),
            giver=fields["giver"],
            receiver=fields["receiver"],
            units=_units(fields["units"]),
            unit_price=_price(fields["price"]),
            delivery=Delivery.LATER if fields["later"] else Delivery.WITH_TITLE,
            reference=fields["reference"],
        )
        if isinstance(command, commands.OfferTransfer):
            return msgspec.structs.replace(
                command,
                deadline=_moment(fields["deadline"]) or None,
                extra_allowed=int(fields["allowed"] or 0),
            )
        return msgspec.structs.replace(command, reported_by=fields["reporter"])

    return build


def _today(story: Story, day: str) -> str:
    story.now = _moment(day) + DAY // 2
    return "ok"


LINES: dict[str, Callable[..., Command | str]] = {
    r"(?P<kind>brand|agent|shop) (?P<party>\S+)": lambda s, kind, party: commands.RegisterParty(
        request_id=s.request(), party=party, kind=PartyKind[kind.upper()]
    ),
    r"authorize (?P<party>\S+) tier (?P<tier>-?\d+) by (?P<upline>\S+)(?: for (?P<goods>[\w, ]+?))?"
    r"(?: from (?P<since>[\d-]+))?(?: until (?P<until>[\d-]+))?"
    r"(?: as (?P<name>\w+))?": lambda s, party, tier, upline, goods, since, until: commands.AuthorizeParty(
        request_id=s.request(),
        upline=upline,
        party=party,
        tier=int(tier),
        products=tuple(_gtin(item) for item in goods.split(", ")) if goods else (),
        valid_from=_moment(since),
        valid_until=_moment(until) or None,
    ),
    r"revoke (?P<given>\w+) by (?P<upline>\S+)(?: from (?P<since>[\d-]+))?": lambda s, given, upline, since: (
        commands.RevokeAuthorization(
            request_id=s.request(),
            upline=upline,
            authorization=s.position(given),
            revoked_from=_moment(since),
        )
    ),
    r"product (?P<goods>\w+) (?P<price>\S+ \w+) of (?P<brand>\S+)": lambda s, goods, price, brand: (
        commands.RegisterProduct(
            request_id=s.request(),
            brand=brand,
            product=_gtin(goods),
            name=goods,
            suggested_price=_price(price),
        )
    ),
    r"batch (?P<lot>\S*) of (?P<goods>\w+) size (?P<size>-?\d+) made (?P<made>[\d-]+)"
    r"(?: expires (?P<expires>[\d-]+))? by (?P<brand>\S+)": lambda s, lot, goods, size, made, expires, brand: (
        commands.CommissionBatch(
            request_id=s.request(),
            brand=brand,
            product=_gtin(goods),
            lot=lot,
            size=int(size),
            made_on=_day(made),
            expires_on=_day(expires) if expires else None,
            code_key=CODE_KEY,
        )
    ),
    rf"offer{_MOVE}(?: allowing (?P<allowed>\d+))?(?: until (?P<deadline>[\d-]+))?{_AT}": _moving(
        commands.OfferTransfer
    ),
    rf"record{_MOVE}(?: reported by (?P<reporter>\S+))?{_AT}": _moving(commands.RecordTransfer),
    r"accept (?P<offer>\w+) by (?P<party>\S+?)(?: but (?P<claims>.+?))?"
    r"(?: with (?P<extra>\S+))?(?: on (?P<on>[\d-]+))?": lambda s, offer, party, claims, extra, on: (
        commands.AcceptTransfer(
            request_id=s.request(),
            occurred_at=_moment(on),
            receiver=party,
            transfer=s.position(offer),
            discrepancies=_claims(claims),
            extra=_ranges(extra),
        )
    ),
    r"decline (?P<offer>\w+) by (?P<party>\S+)": lambda s, offer, party: commands.DeclineTransfer(
        request_id=s.request(), receiver=party, transfer=s.position(offer)
    ),
    r"withdraw (?P<offer>\w+) by (?P<party>\S+)": lambda s, offer, party: commands.WithdrawTransfer(
        request_id=s.request(), giver=party, transfer=s.position(offer)
    ),
    r"lapse (?P<offer>\w+)": lambda s, offer: commands.LapseTransfer(
        request_id=s.request(), transfer=s.position(offer)
    ),
    r"reverse (?P<offer>\w+) by (?P<party>\S+)(?: as (?P<name>\w+))?": lambda s, offer, party: (
        commands.ReverseTransfer(request_id=s.request(), party=party, transfer=s.position(offer))
    ),
    rf"deliver (?P<units>.+) (?P<giver>\S+) > (?P<receiver>\S+?){_AT}": lambda s, units, giver, receiver, on: (
        commands.DeliverUnits(
            request_id=s.request(),
            occurred_at=_moment(on),
            custodian=giver,
            receiver=receiver,
            units=_units(units),
        )
    ),
    rf"sell{_MOVE}{_AT}": lambda s, units, giver, receiver, price, later, reference, on: commands.SellUnits(
        request_id=s.request(),
        occurred_at=_moment(on),
        seller=giver,
        consumer=receiver,
        units=_units(units),
        unit_price=_price(price),
        delivery=Delivery.LATER if later else Delivery.WITH_TITLE,
        reference=reference,
    ),
    rf"confirm{_TO}{_PRICE}{_AT}": lambda s, units, party, price, on: commands.ConfirmPurchase(
        request_id=s.request(),
        occurred_at=_moment(on),
        consumer=party,
        units=_units(units),
        price_paid=_price(price),
    ),
    rf"return{_TO}": lambda s, units, party: commands.ReturnUnits(
        request_id=s.request(), owner=party, units=_units(units)
    ),
    rf"write off{_TO} as (?P<state>\w+)"
    r"(?: as (?P<name>\w+))?": lambda s, units, party, state: commands.WriteOffUnits(
        request_id=s.request(), party=party, units=_units(units), state=UnitState[state.upper()]
    ),
    rf"pack (?P<sscc>\d+) with{_TO}": lambda s, sscc, units, party: commands.PackCase(
        request_id=s.request(), party=party, sscc=sscc, units=_units(units)
    ),
    r"unpack (?P<sscc>\d+) by (?P<party>\S+)": lambda s, sscc, party: commands.UnpackCase(
        request_id=s.request(), party=party, sscc=sscc
    ),
    r"recall batch (?P<batch>\d+)(?: units (?P<units>\S+))?"
    rf" by (?P<brand>\S+){_AT}": lambda s, batch, units, brand, on: commands.RecallUnits(
        request_id=s.request(),
        occurred_at=_moment(on),
        brand=brand,
        batch=int(batch),
        ranges=_ranges(units),
    ),
    r"lift (?P<recall>\w+) by (?P<brand>\S+?)(?: on (?P<on>[\d-]+))?": lambda s, recall, brand, on: (
        commands.LiftRecall(
            request_id=s.request(), occurred_at=_moment(on), brand=brand, recall=s.position(recall)
        )
    ),
    r"declare (?P<event>\w+) an error by (?P<party>\S+)": lambda s, event, party: commands.DeclareError(
        request_id=s.request(), party=party, position=s.position(event)
    ),
    r"correct product (?P<goods>\w+)(?: name (?P<called>\w+))?(?: price (?P<price>\d+))?"
    r" by (?P<brand>\S+)": lambda s, goods, called, price, brand: commands.CorrectProduct(
        request_id=s.request(),
        brand=brand,
        product=_gtin(goods),
        name=called,
        suggested_price=_price(price) if price else None,
    ),
    r"correct batch (?P<batch>\d+)(?: made (?P<made>[\d-]+))?(?: expires (?P<expires>[\d-]+|never))?"
    r"(?: price (?P<price>\d+))? by (?P<brand>\S+)": lambda s, batch, made, expires, price, brand: (
        commands.CorrectBatch(
            request_id=s.request(),
            brand=brand,
            batch=int(batch),
            made_on=_day(made) if made else None,
            expires_on=_day(expires) if expires not in ("", "never") else None,
            never_expires=expires == "never",
            suggested_price=_price(price) if price else None,
        )
    ),
    r"correct party (?P<party>\S+) to (?P<kind>brand|agent|shop)": lambda s, party, kind: (
        commands.CorrectParty(request_id=s.request(), party=party, kind=PartyKind[kind.upper()])
    ),
    r"today is (?P<day>[\d-]+)": _today,
    r"who owns (?P<unit>\S+)": lambda s, unit: _piece(s, unit)[0],
    r"who has (?P<unit>\S+)": lambda s, unit: _piece(s, unit)[1],
    r"how is (?P<unit>\S+)": lambda s, unit: _piece(s, unit)[2],
}
