"""The commands about books, parties, keys, products and batches, and their corrections, that requests ask.

Each function raises RefusedRequestError if it cannot read a field. The fingerprint of the key of codes is given.
"""

from pathbook.ledger import commands, key_commands
from pathbook.ledger.codec import requests
from pathbook.ledger.values import PartyKind
from pathbook.v1 import batches_pb2, books_pb2, corrections_pb2, keys_pb2, parties_pb2


def open_book(request: books_pb2.OpenBookRequest, code_key: bytes) -> commands.OpenBook:
    """Return the command to open a book, whose codes are made with a key."""
    return commands.OpenBook(
        request_id=request.request_id,
        name=request.book,
        origin=request.origin,
        max_tier=request.policy.max_tier,
        signed=request.policy.signed,
        code_key=code_key,
    )


def register_party(request: parties_pb2.RegisterPartyRequest) -> commands.RegisterParty:
    """Return the command to register a party."""
    return commands.RegisterParty(
        request_id=request.request_id,
        party=request.party,
        kind=requests.enum_value_or_none(request.kind, PartyKind, "kind"),
    )


def authorize_party(request: parties_pb2.AuthorizePartyRequest) -> commands.AuthorizeParty:
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


def revoke_authorization(
    request: parties_pb2.RevokeAuthorizationRequest,
) -> commands.RevokeAuthorization:
    """Return the command to end an authorization."""
    return commands.RevokeAuthorization(
        request_id=request.request_id,
        upline=request.upline,
        authorization=request.authorization,
        answered_leaf=request.answered_leaf,
        revoked_from=requests.time_or_now(request, "revoked_from"),
    )


def register_key(request: keys_pb2.RegisterKeyRequest) -> key_commands.RegisterKey:
    """Return the command to register a key. Its keys and signatures are not checked yet."""
    return key_commands.RegisterKey(
        request_id=request.request_id,
        party=request.party,
        key=request.key,
        recovery_key=request.recovery_key,
        endorser=request.endorser,
        endorser_key=request.endorser_key,
        replaced_key=request.replaced_key,
        possession=request.possession,
        endorsement=request.endorsement,
    )


def revoke_key(request: keys_pb2.RevokeKeyRequest) -> key_commands.RevokeKey:
    """Return the command to revoke a key. Its signature is not checked yet."""
    return key_commands.RevokeKey(
        request_id=request.request_id,
        party=request.party,
        key=request.key,
        revoker=request.revoker,
        revoker_key=request.revoker_key,
        signature=request.signature,
    )


def register_product(request: batches_pb2.RegisterProductRequest) -> commands.RegisterProduct:
    """Return the command to register a product."""
    return commands.RegisterProduct(
        request_id=request.request_id,
        brand=request.brand,
        product=request.gtin,
        name=request.name,
        suggested_price=requests.price(request, "suggested_price"),
    )


def commission_batch(
    request: batches_pb2.CommissionBatchRequest, code_key: bytes
) -> commands.CommissionBatch:
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


def declare_error(
    request: corrections_pb2.DeclareErrorRequest, note: str, note_salt: bytes
) -> commands.DeclareError:
    """Return the command to declare that an event was an error."""
    return commands.DeclareError(
        request_id=request.request_id,
        party=request.party,
        position=request.position,
        answered_leaf=request.answered_leaf,
        note=note,
        note_salt=note_salt,
    )


def correct_product(request: corrections_pb2.CorrectProductRequest) -> commands.CorrectProduct:
    """Return the command to correct a product."""
    return commands.CorrectProduct(
        request_id=request.request_id,
        brand=request.brand,
        product=request.gtin,
        name=request.name,
        suggested_price=requests.price_or_none(request, "suggested_price"),
    )


def correct_batch(request: corrections_pb2.CorrectBatchRequest) -> commands.CorrectBatch:
    """Return the command to correct a batch."""
    return commands.CorrectBatch(
        request_id=request.request_id,
        brand=request.brand,
        batch=request.batch,
        made_on=requests.date_or_none(request.made_on, "made_on"),
        expires_on=requests.date_or_none(request.expires_on, "expires_on"),
        never_expires=request.never_expires,
        suggested_price=requests.price_or_none(request, "suggested_price"),
    )


def correct_party(request: corrections_pb2.CorrectPartyRequest) -> commands.CorrectParty:
    """Return the command to correct a party."""
    return commands.CorrectParty(
        request_id=request.request_id,
        party=request.party,
        kind=requests.enum_value_or_none(request.kind, PartyKind, "kind"),
    )
