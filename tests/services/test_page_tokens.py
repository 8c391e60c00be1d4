"""Page tokens belong to one list: to one method, one book and one filter."""

from typing import Protocol, Self, TypeVar

import grpc
import pytest

from pathbook.client import Client
from pathbook.v1 import (
    batches_pb2,
    corrections_pb2,
    parties_pb2,
    paths_pb2,
    transfers_pb2,
    values_pb2,
)
from pathbook.v1.batches_pb2_grpc import BatchServiceStub
from pathbook.v1.corrections_pb2_grpc import CorrectionServiceStub
from pathbook.v1.parties_pb2_grpc import PartyServiceStub
from pathbook.v1.paths_pb2_grpc import PathServiceStub
from pathbook.v1.transfers_pb2 import TRANSFER_SIDE_GIVER, TRANSFER_SIDE_RECEIVER
from pathbook.v1.transfers_pb2_grpc import TransferServiceStub
from tests.services.masks import BOOK, MADE_ON, MASK, begin, boxes, moved, yuan


class PageRequest(Protocol):
    """A request for a page of a list."""

    page_token: str

    def MergeFrom(self, other: Self, /) -> None:  # noqa: N802 - as protobuf names it
        """Set the fields that another request sets."""

    def CopyFrom(self, other: Self, /) -> None:  # noqa: N802 - as protobuf names it
        """Become equal to another request."""


class Page(Protocol):
    """A page of a list."""

    @property
    def next_page_token(self) -> str:
        """The token of the next page."""


Request = TypeVar("Request", bound=PageRequest)
Answer = TypeVar("Answer", bound=Page)


def assert_bound(
    method: "grpc.UnaryUnaryMultiCallable[Request, Answer]", first: Request, *others: Request
) -> str:
    """Check that the token after a first page is refused with the fields of other requests. Return the token."""
    token = first.page_token = method(first).next_page_token
    assert token, first
    method(first)
    kind = type(first)
    for other in others:
        changed = kind()
        changed.CopyFrom(first)
        changed.MergeFrom(other)
        with pytest.raises(grpc.RpcError, match="This page_token is not from this list"):
            method(changed)
    return token


def test_a_token_belongs_to_one_list(client: Client) -> None:
    """A token of a list is refused with another filter, for another book, and in another method."""
    begin(client)
    for number in range(6):
        moved(client, number, number, reference="DN 1" if number == 0 else "")
    client.sell_units(seller="ann", consumer="c-1", units=boxes(0, 0), unit_price=yuan(1), reference="DN 1")
    client.commission_batch(MASK, brand="acme", lot="L2", size=9, made_on=MADE_ON)
    for name in ("Mask 2", "Mask 3"):
        client.correct_product(MASK, brand="acme", name=name)
    for first in (10, 11):
        client.offer_transfer(giver="acme", receiver="ann", units=boxes(first, first), unit_price=yuan(1))
    assert len(list(client.list_offers("ann"))) == 2
    with grpc.insecure_channel(client.target) as channel:
        transfers, paths = TransferServiceStub(channel), PathServiceStub(channel)
        of = transfers_pb2.ListTransfersRequest
        token = assert_bound(
            transfers.ListTransfers,
            of(book=BOOK, party="ann", page_size=1),
            *(of(party="acme"), of(side=TRANSFER_SIDE_GIVER), of(counterparty="acme"), of(reference="DN 1")),
            *(of(batch=1), of(gtin=MASK), of(receiver_tier=0), of(book="other")),
            *(of(page_token=text) for text in ("!", "bm8=", "x" * 100_000)),
        )
        wider = of(book=BOOK, party="ann", page_size=2, page_token=token, at_least_position=1)
        assert len(transfers.ListTransfers(wider).transfers) == 2
        wider.page_token = token + "x"
        with pytest.raises(grpc.RpcError, match="not from this list"):
            transfers.ListTransfers(wider)
        assert_bound(
            transfers.ListOffers,
            transfers_pb2.ListOffersRequest(book=BOOK, party="ann", page_size=1),
            transfers_pb2.ListOffersRequest(side=TRANSFER_SIDE_RECEIVER),
            transfers_pb2.ListOffersRequest(page_token=token),
        )
        assert_bound(
            transfers.ListTransfersByReference,
            transfers_pb2.ListTransfersByReferenceRequest(book=BOOK, reference="DN 1", page_size=1),
            transfers_pb2.ListTransfersByReferenceRequest(giver="acme"),
        )
        held = paths_pb2.ListHoldersRequest(ranges=[values_pb2.UnitRange(batch=1, first=0, last=9)])
        assert_bound(paths.ListHolders, paths_pb2.ListHoldersRequest(book=BOOK, batch=1, page_size=1), held)
        assert_bound(
            paths.ListStock,
            paths_pb2.ListStockRequest(book=BOOK, party="acme", page_size=1),
            paths_pb2.ListStockRequest(party="ann"),
        )
        assert_bound(
            PartyServiceStub(channel).ListParties,
            parties_pb2.ListPartiesRequest(book=BOOK, page_size=1),
            parties_pb2.ListPartiesRequest(book="other"),
        )
        assert_bound(
            BatchServiceStub(channel).ListBatches,
            batches_pb2.ListBatchesRequest(book=BOOK, page_size=1),
            batches_pb2.ListBatchesRequest(gtin=MASK),
        )
        assert_bound(
            CorrectionServiceStub(channel).ListCorrections,
            corrections_pb2.ListCorrectionsRequest(book=BOOK, gtin=MASK, page_size=1),
            corrections_pb2.ListCorrectionsRequest(batch=1),
        )
