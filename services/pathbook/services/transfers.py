"""TransferService: offers and their answers, transfers, deliveries, sales, returns, write-offs."""

from collections.abc import AsyncIterator

from pathbook.ledger.codec import unit_commands
from pathbook.ledger.codec.commands import named_by
from pathbook.ledger.codec.requests import bounded, selected
from pathbook.ledger.events import TransferReversed
from pathbook.ledger.queries import Listed, Transfer
from pathbook.services.access.callers import current_caller
from pathbook.services.bulk import Bulk
from pathbook.services.gateway import Gateway
from pathbook.services.translate import answers, filters, receipts, requests
from pathbook.services.translate.pages import AfterReference, AfterTransfer, Paging
from pathbook.services.translate.values import unit_ranges
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc


class TransferService(transfers_pb2_grpc.TransferServiceServicer):
    """Each method translates its request to a command or query, and the answer to a message."""

    def __init__(self, gateway: Gateway, bulk: Bulk) -> None:
        self._gateway = gateway
        self._bulk = bulk

    async def OfferTransfer(
        self, request: transfers_pb2.OfferTransferRequest, _context: object
    ) -> transfers_pb2.OfferTransferResponse:
        """Offer units at a price."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        answer = await self._gateway.write(book, unit_commands.offer_transfer(request, units))
        return transfers_pb2.OfferTransferResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def AcceptTransfer(
        self, request: transfers_pb2.AcceptTransferRequest, _context: object
    ) -> transfers_pb2.AcceptTransferResponse:
        """Accept an offer, wholly or in part."""
        book = requests.book_name(request.book)
        bounded(named_by(request))
        claimed = [await self._gateway.ranges(book, claim.codes) for claim in request.discrepancies]
        extra = await self._gateway.ranges(book, request.extra_codes)
        answer = await self._gateway.write(book, unit_commands.accept_transfer(request, claimed, extra))
        return transfers_pb2.AcceptTransferResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def DeclineTransfer(
        self, request: transfers_pb2.DeclineTransferRequest, _context: object
    ) -> transfers_pb2.DeclineTransferResponse:
        """Decline an offer."""
        command = unit_commands.decline_transfer(request, *requests.note(request))
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return transfers_pb2.DeclineTransferResponse(receipt=receipts.receipt(answer))

    async def WithdrawTransfer(
        self, request: transfers_pb2.WithdrawTransferRequest, _context: object
    ) -> transfers_pb2.WithdrawTransferResponse:
        """Withdraw an offer."""
        command = unit_commands.withdraw_transfer(request)
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return transfers_pb2.WithdrawTransferResponse(receipt=receipts.receipt(answer))

    async def RecordTransfer(
        self, request: transfers_pb2.RecordTransferRequest, _context: object
    ) -> transfers_pb2.RecordTransferResponse:
        """Record a transfer in one step."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        answer = await self._gateway.write(book, unit_commands.record_transfer(request, units))
        return transfers_pb2.RecordTransferResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def SellUnits(
        self, request: transfers_pb2.SellUnitsRequest, _context: object
    ) -> transfers_pb2.SellUnitsResponse:
        """Sell units to a consumer."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        answer = await self._gateway.write(book, unit_commands.sell_units(request, units))
        return transfers_pb2.SellUnitsResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def ReturnUnits(
        self, request: transfers_pb2.ReturnUnitsRequest, _context: object
    ) -> transfers_pb2.ReturnUnitsResponse:
        """Return units."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        command = unit_commands.return_units(request, units, *requests.note(request))
        answer = await self._gateway.write(book, command)
        return transfers_pb2.ReturnUnitsResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def RecordTransfers(
        self, request_iterator: AsyncIterator[transfers_pb2.RecordTransfersRequest], _context: object
    ) -> AsyncIterator[transfers_pb2.RecordTransfersResponse]:
        """Record many writes, batch by batch."""
        async for outcomes in self._bulk.outcomes(request_iterator):
            yield receipts.results(outcomes)

    async def ReverseTransfer(
        self, request: transfers_pb2.ReverseTransferRequest, _context: object
    ) -> transfers_pb2.ReverseTransferResponse:
        """Ask to reverse a transfer, or agree to it."""
        command = unit_commands.reverse_transfer(request, *requests.note(request))
        answer = await self._gateway.write(requests.book_name(request.book), command)
        return transfers_pb2.ReverseTransferResponse(
            receipt=receipts.receipt(answer),
            reversed=isinstance(answer.recorded.event, TransferReversed),
        )

    async def DeliverUnits(
        self, request: transfers_pb2.DeliverUnitsRequest, _context: object
    ) -> transfers_pb2.DeliverUnitsResponse:
        """Hand over goods without their title."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        answer = await self._gateway.write(book, unit_commands.deliver_units(request, units))
        return transfers_pb2.DeliverUnitsResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def ConfirmPurchase(
        self, request: transfers_pb2.ConfirmPurchaseRequest, _context: object
    ) -> transfers_pb2.ConfirmPurchaseResponse:
        """Confirm a purchase as the consumer."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        answer = await self._gateway.write(book, unit_commands.confirm_purchase(request, units))
        return transfers_pb2.ConfirmPurchaseResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def WriteOffUnits(
        self, request: transfers_pb2.WriteOffUnitsRequest, _context: object
    ) -> transfers_pb2.WriteOffUnitsResponse:
        """Write units off."""
        book = requests.book_name(request.book)
        units = await self._gateway.selection(book, selected(request))
        command = unit_commands.write_off_units(request, units, *requests.note(request))
        answer = await self._gateway.write(book, command)
        return transfers_pb2.WriteOffUnitsResponse(
            receipt=receipts.receipt(answer), ranges=receipts.chosen(answer)
        )

    async def ResolveUnits(
        self, request: transfers_pb2.ResolveUnitsRequest, _context: object
    ) -> transfers_pb2.ResolveUnitsResponse:
        """Tell which units a selection means."""
        book, units = requests.book_name(request.book), selected(request)
        found = await self._gateway.preview(request.at_least_position, book, request.owner, units)
        return transfers_pb2.ResolveUnitsResponse(ranges=unit_ranges(found.ranges), position=found.position)

    async def GetTransfer(
        self, request: transfers_pb2.GetTransferRequest, _context: object
    ) -> transfers_pb2.GetTransferResponse:
        """Return a transfer, a sale, or the lines of a return."""
        book = requests.book_name(request.book)

        def message(found: list[Transfer]) -> transfers_pb2.GetTransferResponse:
            return transfers_pb2.GetTransferResponse(transfers=map(answers.transfer, found))

        return await self._gateway.answer(
            request.at_least_position, message, self._gateway.queries.transfer, book, request.transfer
        )

    async def ListTransfers(
        self, request: transfers_pb2.ListTransfersRequest, _context: object
    ) -> transfers_pb2.ListTransfersResponse:
        """List the transfers of a party or consumer."""
        book, page = requests.book_name(request.book), Paging(request, AfterTransfer)

        def message(found: Listed[Transfer, tuple[int, int]]) -> transfers_pb2.ListTransfersResponse:
            rest = None if found.after is None else AfterTransfer(*found.after)
            entries, token = page.page(found.items, rest, answers.transfer, _by_transfer)
            return transfers_pb2.ListTransfersResponse(transfers=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.transfers,
            book,
            filters.transfers(request, current_caller().seen_by),
            page.after.place,
            page.limit,
        )

    async def ListTransfersByReference(
        self, request: transfers_pb2.ListTransfersByReferenceRequest, _context: object
    ) -> transfers_pb2.ListTransfersByReferenceResponse:
        """List what was handed over under a reference."""
        book, page = requests.book_name(request.book), Paging(request, AfterReference)

        def message(
            found: Listed[Transfer, tuple[str, str, int, int]],
        ) -> transfers_pb2.ListTransfersByReferenceResponse:
            rest = None if found.after is None else AfterReference(*found.after)
            entries, token = page.page(found.items, rest, answers.transfer, _by_reference)
            return transfers_pb2.ListTransfersByReferenceResponse(transfers=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.transfers_by_reference,
            book,
            filters.reference(request),
            request.giver,
            request.receiver,
            page.after.place,
            page.limit,
            current_caller().seen_by,
        )

    async def ListOffers(
        self, request: transfers_pb2.ListOffersRequest, _context: object
    ) -> transfers_pb2.ListOffersResponse:
        """List the offers to a party, and those that it made."""
        book, page = requests.book_name(request.book), Paging(request, AfterTransfer)

        def message(found: Listed[Transfer, tuple[int, int]]) -> transfers_pb2.ListOffersResponse:
            rest = None if found.after is None else AfterTransfer(*found.after)
            entries, token = page.page(found.items, rest, answers.transfer, _by_transfer)
            return transfers_pb2.ListOffersResponse(offers=entries, next_page_token=token)

        return await self._gateway.answer(
            request.at_least_position,
            message,
            self._gateway.queries.offers,
            book,
            filters.offers(request, current_caller().seen_by),
            page.after.place,
            page.limit,
        )


def _by_transfer(last: Transfer) -> AfterTransfer:
    return AfterTransfer(last.row.transfer, last.row.line)


def _by_reference(last: Transfer) -> AfterReference:
    return AfterReference(last.row.giver, last.row.receiver, last.row.transfer, last.row.line)
