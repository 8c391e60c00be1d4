"""A request of each method of the contract, about things that are the caller's own, another's, or not there."""

import itertools
from collections.abc import Callable
from typing import Final

from google.protobuf.message import Message

from pathbook.client import select
from pathbook.v1 import (
    access_log_pb2 as access_log,
)
from pathbook.v1 import (
    batches_pb2 as batches,
)
from pathbook.v1 import (
    books_pb2 as books,
)
from pathbook.v1 import (
    corrections_pb2 as corrections,
)
from pathbook.v1 import (
    events_pb2 as events,
)
from pathbook.v1 import (
    findings_pb2 as findings,
)
from pathbook.v1 import (
    insights_pb2 as insights,
)
from pathbook.v1 import (
    keys_pb2 as keys,
)
from pathbook.v1 import (
    parties_pb2 as parties,
)
from pathbook.v1 import (
    paths_pb2 as paths,
)
from pathbook.v1 import (
    people_pb2 as people,
)
from pathbook.v1 import (
    proofs_pb2 as proofs,
)
from pathbook.v1 import (
    registrations_pb2 as registrations,
)
from pathbook.v1 import (
    servers_pb2 as servers,
)
from pathbook.v1 import (
    statements_pb2 as statements,
)
from pathbook.v1 import (
    tokens_pb2 as tokens,
)
from pathbook.v1 import (
    transfers_pb2 as transfers,
)
from pathbook.v1 import (
    values_pb2 as values,
)
from tests.access.story import BOOK, Things

_NEW: Final = itertools.count()


def requests(actor: str, things: Things) -> dict[str, list[Message]]:
    """Return requests of each method (Service.Method) by which a party acts, or asks, about things."""
    new = f"new-{next(_NEW)}"
    number, last = things.units
    units = select(ranges=[(things.batch, number, last)])
    unit = values.Unit(batch=things.batch, number=number)
    paid = values.Price(amount_minor=100, currency_code="CNY", per_units=1)
    of_batch = insights.InsightFilter(batch=things.batch)
    of_party = insights.InsightFilter(party=things.party)
    of_both = insights.InsightFilter(batch=things.batch, party=things.party)
    finding = f"unauthorized.v1.{things.batch}.{things.transfer}.{things.party}.corner"
    ids = (f"{new}-{index}" for index in itertools.count())

    def write(message: Callable[..., Message], **fields: object) -> Message:
        return message(book=BOOK, request_id=next(ids), **fields)

    def record() -> transfers.RecordTransferRequest:
        return transfers.RecordTransferRequest(
            book=BOOK, request_id=next(ids), giver=actor, receiver="bob", units=units, unit_price=paid
        )

    def ask(message: Callable[..., Message], **fields: object) -> Message:
        return message(book=BOOK, **fields)

    return {
        "BookService.OpenBook": [books.OpenBookRequest(book=new, request_id=next(ids))],
        "BookService.GetBook": [ask(books.GetBookRequest)],
        "BookService.ListBooks": [books.ListBooksRequest()],
        "PartyService.RegisterParty": [
            write(parties.RegisterPartyRequest, party=new, kind=values.PARTY_KIND_AGENT)
        ],
        "PartyService.AuthorizeParty": [
            write(parties.AuthorizePartyRequest, upline=actor, party="corner", tier=9)
        ],
        "PartyService.RevokeAuthorization": [
            write(parties.RevokeAuthorizationRequest, upline=actor, authorization=things.authorization)
        ],
        "PartyService.GetParty": [ask(parties.GetPartyRequest, party=things.party)],
        "PartyService.ListParties": [ask(parties.ListPartiesRequest)],
        "BatchService.RegisterProduct": [
            write(batches.RegisterProductRequest, brand=actor, gtin="00012345600012", name=new, suggested_price=paid)
        ],
        "BatchService.GetProduct": [ask(batches.GetProductRequest, gtin="04006381333931")],
        "BatchService.ListProducts": [ask(batches.ListProductsRequest, page_size=1)],
        "BatchService.CommissionBatch": [
            write(
                batches.CommissionBatchRequest, brand=actor, gtin="04006381333931", lot=new.upper(), size=9,
                made_on="2026-01-01", suggested_price=paid,
            )
        ],
        "BatchService.GetBatch": [
            ask(batches.GetBatchRequest, batch=things.batch),
        ],
        "BatchService.ListBatches": [ask(batches.ListBatchesRequest)],
        "BatchService.ListCodes": [
            ask(batches.ListCodesRequest, range=values.UnitRange(batch=things.batch, first=number, last=last))
        ],
        "BatchService.PackCase": [
            write(batches.PackCaseRequest, party=actor, sscc="012345678000000056", units=units)
        ],
        "BatchService.UnpackCase": [write(batches.UnpackCaseRequest, party=actor, sscc=things.case)],
        "BatchService.GetCase": [ask(batches.GetCaseRequest, sscc=things.case)],
        "BatchService.RecallUnits": [write(batches.RecallUnitsRequest, brand=actor, batch=things.batch)],
        "BatchService.LiftRecall": [write(batches.LiftRecallRequest, brand=actor, recall=things.recall)],
        "TransferService.OfferTransfer": [
            write(transfers.OfferTransferRequest, giver=actor, receiver="bob", units=units, unit_price=paid)
        ],
        "TransferService.AcceptTransfer": [
            write(transfers.AcceptTransferRequest, receiver=actor, transfer=things.offer)
        ],
        "TransferService.DeclineTransfer": [
            write(transfers.DeclineTransferRequest, receiver=actor, transfer=things.offer)
        ],
        "TransferService.WithdrawTransfer": [
            write(transfers.WithdrawTransferRequest, giver=actor, transfer=things.made_offer)
        ],
        "TransferService.RecordTransfer": [record()],
        "TransferService.RecordTransfers": [
            transfers.RecordTransfersRequest(
                book=BOOK, entries=[transfers.RecordTransfersEntry(transfer=record())]
            )
        ],
        "TransferService.ResolveUnits": [ask(transfers.ResolveUnitsRequest, owner=actor, units=units)],
        "TransferService.ReverseTransfer": [
            write(transfers.ReverseTransferRequest, party=actor, transfer=things.transfer)
        ],
        "TransferService.DeliverUnits": [
            write(transfers.DeliverUnitsRequest, custodian=actor, receiver="bob", units=units)
        ],
        "TransferService.SellUnits": [
            write(transfers.SellUnitsRequest, seller=actor, consumer="c-7", units=units, unit_price=paid)
        ],
        "TransferService.ConfirmPurchase": [
            write(transfers.ConfirmPurchaseRequest, consumer="c-7", units=units),
        ],
        "TransferService.ReturnUnits": [write(transfers.ReturnUnitsRequest, owner=actor, units=units)],
        "TransferService.WriteOffUnits": [
            write(transfers.WriteOffUnitsRequest, party=actor, units=units, state=values.UNIT_STATE_LOST)
        ],
        "TransferService.GetTransfer": [
            ask(transfers.GetTransferRequest, transfer=things.transfer),
            ask(transfers.GetTransferRequest, transfer=things.offer),
        ],
        "TransferService.ListTransfers": [ask(transfers.ListTransfersRequest, party=things.party)],
        "TransferService.ListTransfersByReference": [
            ask(transfers.ListTransfersByReferenceRequest, reference=things.reference, receiver=actor)
        ],
        "TransferService.ListOffers": [ask(transfers.ListOffersRequest, party=things.party)],
        "RegistrationService.Register": [
            registrations.RegisterRequest(
                book=BOOK,
                entries=[
                    registrations.RegisterEntry(
                        authorization=parties.AuthorizePartyRequest(
                            book=BOOK, request_id=next(ids), upline=actor, party="corner", tier=9
                        )
                    )
                ],
            )
        ],
        "KeyService.RegisterKey": [write(keys.RegisterKeyRequest, party=things.party, key=b"k" * 32)],
        "KeyService.RevokeKey": [write(keys.RevokeKeyRequest, party=things.party, key=b"k" * 32)],
        "KeyService.ListKeys": [ask(keys.ListKeysRequest, party=things.party)],
        "StatementService.FileStatement": [ask(statements.FileStatementRequest, statement=b"none")],
        "StatementService.FileStatements": [ask(statements.FileStatementsRequest, statements=[b"none"])],
        "CorrectionService.DeclareError": [
            write(corrections.DeclareErrorRequest, party=actor, position=things.written_off)
        ],
        "CorrectionService.CorrectProduct": [
            write(corrections.CorrectProductRequest, brand=actor, gtin="04006381333931", name=new)
        ],
        "CorrectionService.CorrectBatch": [
            write(corrections.CorrectBatchRequest, brand=actor, batch=things.batch, expires_on="2037-01-01")
        ],
        "CorrectionService.CorrectParty": [
            write(corrections.CorrectPartyRequest, party=things.party, kind=values.PARTY_KIND_SHOP)
        ],
        "CorrectionService.ListCorrections": [
            ask(corrections.ListCorrectionsRequest, batch=things.batch),
            ask(corrections.ListCorrectionsRequest, party=things.party),
            ask(corrections.ListCorrectionsRequest, position=things.transfer),
        ],
        "PathService.GetPath": [ask(paths.GetPathRequest, unit=unit)],
        "InsightService.GetLadder": [
            ask(insights.GetLadderRequest, filter=of_batch),
            ask(insights.GetLadderRequest, filter=of_both),
        ],
        "InsightService.GetShape": [ask(insights.GetShapeRequest, filter=of_both)],
        "InsightService.GetFindings": [ask(insights.GetFindingsRequest, filter=of_batch)],
        "FindingService.ExplainFinding": [
            ask(findings.ExplainFindingRequest, finding=finding, text="a clearance sale"),
            ask(findings.ExplainFindingRequest, finding=finding, withdraw=True),
        ],
        "FindingService.ListExplanations": [ask(findings.ListExplanationsRequest, finding=finding)],
        "FindingService.SubscribeFindings": [ask(findings.SubscribeFindingsRequest, batch=things.batch)],
        "InsightService.GetDomino": [ask(insights.GetDominoRequest, filter=of_both)],
        "InsightService.GetSellThrough": [ask(insights.GetSellThroughRequest, filter=of_both)],
        "InsightService.GetStuckStock": [ask(insights.GetStuckStockRequest, filter=of_both)],
        "InsightService.GetVerifications": [ask(insights.GetVerificationsRequest, filter=of_batch)],
        "InsightService.GetScorecard": [ask(insights.GetScorecardRequest, filter=of_party)],
        "PathService.ListStock": [ask(paths.ListStockRequest, party=things.party)],
        "PathService.ListHolders": [ask(paths.ListHoldersRequest, batch=things.batch)],
        "EventService.Read": [ask(events.ReadRequest)],
        "EventService.Subscribe": [ask(events.SubscribeRequest)],
        "EventService.GetHead": [ask(events.GetHeadRequest)],
        "EventService.GetEventByRequest": [
            ask(events.GetEventByRequestRequest, party=actor, request_id=things.request_id)
        ],
        "ProofService.GetCheckpoint": [ask(proofs.GetCheckpointRequest)],
        "ProofService.GetConsistencyProof": [ask(proofs.GetConsistencyProofRequest)],
        "ProofService.GetLogKey": [ask(proofs.GetLogKeyRequest)],
        "ProofService.AddCosignature": [ask(proofs.AddCosignatureRequest, size=1, line="none")],
        "ProofService.GetFingerprint": [ask(proofs.GetFingerprintRequest)],
        "ProofService.ListFingerprints": [ask(proofs.ListFingerprintsRequest)],
        "ProofService.GetUnitProof": [ask(proofs.GetUnitProofRequest, unit=unit)],
        "AccessLogService.ListAccesses": [ask(access_log.ListAccessesRequest)],
        "PeopleService.DescribeParty": [ask(people.DescribePartyRequest, party=actor, name="called so")],
        "PeopleService.GetDescription": [ask(people.GetDescriptionRequest, party=things.party)],
        "PeopleService.ErasePerson": [ask(people.ErasePersonRequest, party=things.party)],
        "PeopleService.CheckSeller": [ask(people.CheckSellerRequest, handle="unknown", gtin=things.gtin)],
        "ServerService.GetVersion": [servers.GetVersionRequest()],
        "TokenService.CreateToken": [ask(tokens.CreateTokenRequest, role=tokens.TOKEN_ROLE_AUDITOR)],
        "TokenService.ListTokens": [ask(tokens.ListTokensRequest)],
        "TokenService.RevokeToken": [tokens.RevokeTokenRequest(token="pb-0000000000000000")],
    }  # fmt: skip
