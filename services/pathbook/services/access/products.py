"""What belongs to the products of a brand, and what a party or a brand may ask of reports."""

from typing import TypeAlias

from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.reports.suspicions import batch_of
from pathbook.ledger.values import gtin14
from pathbook.services.access.callers import Caller, Role
from pathbook.services.access.table import Grant
from pathbook.services.gateway import Gateway
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import findings_pb2 as findings
from pathbook.v1 import insights_pb2 as insights

InsightRequest: TypeAlias = (
    insights.GetLadderRequest
    | insights.GetShapeRequest
    | insights.GetFindingsRequest
    | insights.GetDominoRequest
    | insights.GetSellThroughRequest
    | insights.GetStuckStockRequest
    | insights.GetScorecardRequest
    | insights.GetVerificationsRequest
)


class Products:
    """Asks the views whose products things are. Each method raises CallFailedError as its refusal."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def require_insight(self, caller: Caller, grant: Grant, request: InsightRequest) -> None:
        """Refuse a question about another party, or keep it to the products of the caller's brand."""
        only, at_least = request.filter, request.at_least_position
        if grant is not Grant.PRODUCTS:
            if only.party != caller.party:
                raise unknown(Reason.PARTY_UNKNOWN, party=only.party)
            if only.batch and not await self._has_stock(caller, request.book, only.batch, at_least):
                raise unknown(Reason.BATCH_UNKNOWN, batch=only.batch)
            return
        if isinstance(request, insights.GetDominoRequest | insights.GetShapeRequest):
            await self._require_line(caller, request.book, only.party, at_least)
        if only.batch:
            await self.require_batch(caller, request.book, only.batch, at_least)
        if only.gtin:
            await self.require_brand(caller, request.book, only.gtin, at_least)
        if only.brand not in ("", caller.party):
            raise unknown(Reason.PARTY_UNKNOWN, party=only.brand)
        if not only.batch and not only.gtin:
            only.brand = caller.party

    async def require_finding(
        self, caller: Caller, request: findings.ExplainFindingRequest | findings.ListExplanationsRequest
    ) -> None:
        """Refuse a finding that is not about the products of the caller's brand."""
        batch = batch_of(request.finding)
        if not batch or not await self.is_brand_of(caller, request.book, batch):
            raise unknown(Reason.FINDING_UNKNOWN, finding=request.finding)

    async def require_subscription(self, caller: Caller, request: findings.SubscribeFindingsRequest) -> None:
        """Keep a subscription to findings to the products of the caller's brand."""
        if request.batch:
            await self.require_batch(caller, request.book, request.batch, 0)
        if request.gtin:
            await self.require_brand(caller, request.book, request.gtin, 0)
        if request.brand not in ("", caller.party):
            raise unknown(Reason.PARTY_UNKNOWN, party=request.brand)
        request.brand = caller.party

    async def _has_stock(self, caller: Caller, book: str, batch: int, at_least: int) -> bool:
        """Return whether a batch may be named to its party: it has units of it, or made it."""
        if await self.is_brand_of(caller, book, batch, at_least):
            return True
        return await self._gateway.ask(at_least, self._gateway.queries.has_stock, book, caller.party, batch)

    async def _require_line(self, caller: Caller, book: str, party: str, at_least: int) -> None:
        """Refuse a question about the line of a party that did not accept to be below the caller's brand."""
        if party in ("", caller.party):
            return
        is_below = self._gateway.queries.is_below
        if not await self._gateway.ask(at_least, is_below, book, party, caller.party):
            raise unknown(Reason.PARTY_UNKNOWN, party=party)

    async def require_batch(self, caller: Caller, book: str, batch: int, at_least: int) -> None:
        """Refuse a batch that is not of the caller's products."""
        if not await self.is_brand_of(caller, book, batch, at_least):
            raise unknown(Reason.BATCH_UNKNOWN, batch=batch)

    async def require_brand(self, caller: Caller, book: str, gtin: str, at_least: int) -> None:
        """Refuse a product that is not the caller's."""
        digits = gtin14(gtin)
        if digits is None:
            return  # the service refuses it
        found = await self._gateway.ask(at_least, self._gateway.queries.product, book, digits)
        if found.brand != caller.party:
            raise unknown(Reason.PRODUCT_UNKNOWN, product=digits)

    async def is_brand_of(self, caller: Caller, book: str, batch: int, at_least: int = 0) -> bool:
        """Return whether a batch is of the caller's products. A batch that is not there is not."""
        if caller.role is not Role.BRAND:
            return False
        try:
            found = await self._gateway.ask(at_least, self._gateway.queries.batch_alone, book, batch)
        except RefusedCallError as refused:
            if refused.refusal.reason is not Reason.BATCH_UNKNOWN:
                raise
            return False
        return found.brand == caller.party


def hide_consumer_prices(answer: insights.GetStuckStockResponse) -> None:
    """Remove what consumers paid others, and what follows from it."""
    for lot in answer.lots:
        lot.ClearField("best")
        lot.ClearField("loss_minor")
    for tier in answer.tiers:
        tier.ClearField("loss_minor")
        tier.unpriced = tier.units


def unknown(reason: Reason, **facts: object) -> RefusedCallError:
    """Return the refusal of what is not there, or is not the caller's."""
    return RefusedCallError(refuse(reason, **facts))
