"""Commands from the requests that register something, whether they come alone or in a batch.

Each function raises RefusedCallError if it cannot read a field.
"""

from pathbook.ledger import commands
from pathbook.ledger.values import PartyKind
from pathbook.services.translate import requests
from pathbook.v1.batches_pb2 import CommissionBatchRequest, RegisterProductRequest
from pathbook.v1.parties_pb2 import AuthorizePartyRequest, RegisterPartyRequest


def party(request: RegisterPartyRequest) -> commands.RegisterParty:
    """Return the command to register a party."""
    return commands.RegisterParty(
        request_id=request.request_id,
        party=request.party,
        kind=requests.enum_value_or_none(request.kind, PartyKind, "kind"),
    )


def authorization(request: AuthorizePartyRequest) -> commands.AuthorizeParty:
    """Return the command to authorize a party."""
    return commands.AuthorizeParty(
        request_id=request.request_id,
        upline=request.upline,
        party=request.party,
        tier=request.tier,
        products=tuple(request.gtins),
        region=request.region,
        valid_from=requests.time_or_now(request, "valid_from"),
        valid_until=requests.time_or_none(request, "valid_until"),
    )


def product(request: RegisterProductRequest) -> commands.RegisterProduct:
    """Return the command to register a product."""
    return commands.RegisterProduct(
        request_id=request.request_id,
        brand=request.brand,
        product=request.gtin,
        name=request.name,
        suggested_price=requests.price(request, "suggested_price"),
    )


def batch(request: CommissionBatchRequest, code_key: bytes) -> commands.CommissionBatch:
    """Return the command to commission a batch, whose codes are made with a key."""
    return commands.CommissionBatch(
        request_id=request.request_id,
        brand=request.brand,
        product=request.gtin,
        lot=request.lot,
        size=request.size,
        made_on=requests.date(request.made_on, "made_on"),
        expires_on=requests.date_or_none(request.expires_on, "expires_on"),
        suggested_price=requests.price_or_none(request, "suggested_price"),
        code_key=code_key,
    )
