"""Words for commands: what was asked, as the lines of a story that a test can repeat."""

import datetime

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.ranges import union
from pathbook.ledger.values import Delivery, PartyKind, Price, Ranges, Selection
from tests.scenario import GOODS, NOON

NAMES = {gtin: name for name, gtin in GOODS.items()}


def line(command: Command) -> str:
    """Return a command as a line of a story. What a story has no words for is in the remark at its end."""
    text = words(command)
    if command.occurred_at and text.rpartition(" on ")[2] != day(command.occurred_at):
        text += f"  # occurred at {day(command.occurred_at)}"
    return text


def words(command: Command) -> str:
    """Return a command in words."""
    match command:
        case commands.OpenBook(name=name):
            return f"# a book named {name}"
        case commands.RegisterParty(party=party, kind=kind):
            return f"{kind_of(kind)} {party}"
        case commands.RegisterProduct(product=product, suggested_price=price, brand=brand):
            return f"product {goods(product)} {money(price)} of {brand}"
        case commands.CommissionBatch(lot=lot, size=size, brand=brand, made_on=made, expires_on=expires):
            until = f" expires {expires}" if expires else ""
            return f"batch {lot} of {goods(command.product)} size {size} made {made}{until} by {brand}"
        case commands.AuthorizeParty(party=party, tier=tier, upline=upline):
            listed = f" for {', '.join(goods(item) for item in command.products)}" if command.products else ""
            since = f" from {day(command.valid_from)}" if command.valid_from else ""
            until = f" until {day(command.valid_until)}" if command.valid_until else ""
            return f"authorize {party} tier {tier} by {upline}{listed}{since}{until}"
        case commands.RevokeAuthorization(authorization=position, upline=upline, revoked_from=since):
            return f"revoke {position} by {upline}{f' from {day(since)}' if since else ''}"
        case commands.OfferTransfer():
            allowed = f" allowing {command.extra_allowed}" if command.extra_allowed else ""
            return f"offer {moved(command)}{allowed}{on(command)}"
        case commands.RecordTransfer(reported_by=reporter):
            return f"record {moved(command)}{f' reported by {reporter}' if reporter else ''}{on(command)}"
        case commands.SellUnits(seller=seller, consumer=buyer, units=units, unit_price=price):
            terms = later(command.delivery) + (f" ref {command.reference}" if command.reference else "")
            return f"sell {named(units)} {seller} > {buyer} at {money(price)}{terms}{on(command)}"
        case commands.AcceptTransfer(transfer=transfer, receiver=party, discrepancies=claims, extra=extra):
            told = [f"{claim.kind.name.lower()} {ranges_of(claim.ranges) or claim.count}" for claim in claims]
            but = f" but {' and '.join(told)}" if told else ""
            more = f" with {ranges_of(extra)}" if extra else ""
            return f"accept {transfer} by {party}{but}{more}{on(command)}"
        case commands.DeclineTransfer(transfer=transfer, receiver=party):
            return f"decline {transfer} by {party}"
        case commands.WithdrawTransfer(transfer=transfer, giver=party):
            return f"withdraw {transfer} by {party}"
        case commands.LapseTransfer(transfer=transfer):
            return f"lapse {transfer}"
        case commands.ReverseTransfer(transfer=transfer, party=party):
            return f"reverse {transfer} by {party}"
        case commands.DeliverUnits(custodian=custodian, receiver=receiver, units=units):
            return f"deliver {named(units)} {custodian} > {receiver}{on(command)}"
        case commands.ConfirmPurchase(consumer=buyer, units=units, price_paid=price):
            return f"confirm {named(units)} by {buyer} at {money(price)}{on(command)}"
        case commands.ReturnUnits(owner=owner, units=units):
            return f"return {named(units)} by {owner}"
        case commands.WriteOffUnits(party=party, units=units, state=state):
            return f"write off {named(units)} by {party} as {state.name.lower()}"
        case commands.PackCase(sscc=sscc, party=party, units=units):
            return f"pack {sscc} with {named(units)} by {party}"
        case commands.UnpackCase(sscc=sscc, party=party):
            return f"unpack {sscc} by {party}"
        case commands.RecallUnits(batch=batch, brand=brand, ranges=ranges):
            return f"recall batch {batch}{f' units {ranges_of(ranges)}' if ranges else ''} by {brand}{on(command)}"
        case commands.LiftRecall(recall=recall, brand=brand):
            return f"lift {recall} by {brand}{on(command)}"
        case commands.DeclareError(position=position, party=party):
            return f"declare {position} an error by {party}"
        case commands.CorrectParty(party=party, kind=kind):
            return f"correct party {party} to {kind_of(kind)}"
        case commands.Seal(covers=covers):
            return f"seal {covers}"
        case _:
            return f"# {command}"


def kind_of(kind: PartyKind | None) -> str:
    """Return a kind of party."""
    return kind.name.lower() if kind is not None else "nobody"


def goods(gtin: str) -> str:
    """Return the name of a product."""
    return NAMES.get(gtin, gtin)


def money(price: Price) -> str:
    """Return a price."""
    units = f"/{price.per_units}" if price.per_units != 1 else ""
    return f"{price.amount_minor} {price.currency_code}{units}"


def moved(command: commands.OfferTransfer | commands.RecordTransfer) -> str:
    """Return the terms of a transfer."""
    reference = f" ref {command.reference}" if command.reference else ""
    sides = f"{command.giver} > {command.receiver}"
    return (
        f"{named(command.units)} {sides} at {money(command.unit_price)}{later(command.delivery)}{reference}"
    )


def later(delivery: Delivery) -> str:
    """Say that goods do not move."""
    return " later" if delivery is Delivery.LATER else ""


def named(units: Selection) -> str:
    """Return the units that a command names."""
    parts = [ranges_of(units.ranges)] if units.ranges else []
    parts += [f"case {sscc}" for sscc in units.cases]
    parts += [f"{wanted.count} of {wanted.batch or goods(wanted.product)}" for wanted in units.quantities]
    return ",".join(parts)


def ranges_of(ranges: Ranges) -> str:
    """Return ranges, with adjacent ones joined."""
    return ",".join(str(part) for part in union(ranges))


def day(moment: int) -> str:
    """Return the day of a time."""
    return str(
        (datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=moment)).date()
    )


def on(command: Command) -> str:
    """Return the claimed day."""
    return f" on {day(command.occurred_at)}" if command.occurred_at and command.occurred_at < NOON else ""
