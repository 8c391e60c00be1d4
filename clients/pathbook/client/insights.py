"""Calls that ask the reports of a book: prices, sales, stock, the shape of a chain, findings."""

import datetime
import functools

from pathbook.client.calls import Caller
from pathbook.client.filters import filtered
from pathbook.client.values import iso_date
from pathbook.v1 import insights_pb2, insights_pb2_grpc


class Insights(Caller):
    """The InsightService of a book."""

    @functools.cached_property
    def _insights(self) -> insights_pb2_grpc.InsightServiceStub:
        return insights_pb2_grpc.InsightServiceStub(self._channel)

    def get_ladder(
        self,
        of: int | str | None = None,
        *,
        only: insights_pb2.InsightFilter | None = None,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetLadderResponse:
        """Return a price ladder: what each tier paid for a unit.

        Args:
            of: Number of a batch (an int), or GTIN of a product (a str of 8, 12, 13 or 14 digits). None means what
                ``only`` says.
            only: Which units, and as of when. ``insight_filter`` makes it.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A response with ``rungs``, one for each tier and currency, from the first tier to the consumers. Each has
            ``kind``, ``tier``, ``currency_code`` and ``units``; the prices ``least``, ``lower_quartile``, ``median``,
            ``upper_quartile``, ``most`` and ``suggested``, each with ``amount_minor`` for ``per_units`` units; and
            ``mean_minor`` and ``sum_minor``, rounded to a minor unit, half to even. ``mark_ups`` has for each rung how
            far its mean is above others, ``fewer_hops`` what consumers would pay if the goods skipped tiers.
            ``as_of_position`` is that of the last event that is counted.

            If ``only`` names a party, the ladder has what it paid and was paid. If a party and a product are named,
            and nothing else, ``shared_rungs`` has what others paid in months that are over, as far as the party is
            shown it: ``kind``, ``tier``, ``currency_code``, ``units``, ``mean_minor``, ``payers`` and ``suggested``.
            If the product has too many prices for one answer, ``shared_left_out`` is set instead.

        Raises:
            RefusedError: BATCH_UNKNOWN, PRODUCT_UNKNOWN, PARTY_UNKNOWN, GTIN_CHECK_DIGIT,
                FILTER_NOT_KEPT, REPORT_TOO_LARGE, AS_OF_TOO_FAR; REPORT_BUILDING, REPORT_BEHIND;
                or a reason of every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> rung = client.get_ladder(1).rungs[0]
            >>> rung.tier, rung.units, rung.median.amount_minor, rung.suggested.amount_minor
            (1, 101, 15000, 30000)
        """
        wanted = filtered(only)
        if isinstance(of, str):
            wanted.gtin = of
        elif of is not None:
            wanted.batch = of
        request = insights_pb2.GetLadderRequest(
            book=self.book, filter=wanted, at_least_position=self._at_least(at_least_position)
        )
        return self._call(self._insights.GetLadder, request)

    def get_sell_through(
        self,
        party: str,
        *,
        only: insights_pb2.InsightFilter | None = None,
        today: datetime.date | None = None,
        window_days: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetSellThroughResponse:
        """Return how much of what entered the line of a party reached consumers.

        Args:
            party: Id of the party.
            only: Which units, and as of when, as for ``get_ladder``.
            today: The last day that counts for the rate of sales. None means the day of the answer, in UTC: that of the
                position or time of ``only``, else the server's.
            window_days: Over how many days the rate of sales is taken. 0 means 30.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``sell_through`` (``entered``, ``sold``, ``confirmed``, ``left``, ``stock_days``, ``days``
            and more) and ``as_of_position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (no party), QUANTITY_NOT_POSITIVE; or a reason that
                ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_sell_through("ann").sell_through.entered
            101
        """
        request = insights_pb2.GetSellThroughRequest(
            book=self.book,
            filter=filtered(only, party),
            today=iso_date(today),
            window_days=window_days,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetSellThrough, request)

    def get_stuck_stock(
        self,
        *,
        only: insights_pb2.InsightFilter | None = None,
        today: datetime.date | None = None,
        expiring_days: int = 0,
        limit: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetStuckStockResponse:
        """Return what parties hold, by tier and by lot, what expires first at the top.

        Args:
            only: Whose stock, which units, and as of when, as for ``get_ladder``.
            today: The day up to which ages are counted. None means the day of the answer, as for ``get_sell_through``.
            expiring_days: Units that expire within so many days count as expiring. 0 means 90.
            limit: The most lots of the answer. 0 means 100, and 1,000 is the most.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``tiers``, ``lots`` (each with ``owner``, ``transfer``, ``units``, ``days_left``,
            ``paid_minor``, ``loss_minor`` and more), ``left_out`` and ``as_of_position``.

        Raises:
            RefusedError: QUANTITY_NOT_POSITIVE, PAGE_SIZE_NEGATIVE; or a reason that ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> sum(tier.units for tier in client.get_stuck_stock().tiers) > 0
            True
        """
        request = insights_pb2.GetStuckStockRequest(
            book=self.book,
            filter=filtered(only),
            today=iso_date(today),
            expiring_days=expiring_days,
            limit=limit,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetStuckStock, request)

    def get_shape(
        self,
        organizer: str,
        *,
        only: insights_pb2.InsightFilter | None = None,
        within_days: int = 0,
        participants_min: int = 0,
        levels_min: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetShapeResponse:
        """Return the shape of the chain below a party: who takes part, how deep it is, how units moved.

        Args:
            organizer: Id of the party at the top, such as a brand.
            only: Which batches, and as of when, as for ``get_ladder``. A brand is by default asked about its own.
            within_days: Purchases within so many days of an authorization are early. 0 means 30.
            participants_min: From how many participants on the indicator is met. 0 means 30.
            levels_min: From how many levels on it is met. 0 means 3.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``shape``, ``runway`` and ``as_of_position``. Depths, hops and runway are of all units of
            the batches, also of those that are not below the organizer. ``shape.indicator`` has its rule with it. It
            is a sign that a person should look at, and no verdict.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (no party), QUANTITY_NOT_POSITIVE; or a reason that
                ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_shape("acme").shape.indicator.met
            False
        """
        request = insights_pb2.GetShapeRequest(
            book=self.book,
            filter=filtered(only, organizer),
            within_days=within_days,
            participants_min=participants_min,
            levels_min=levels_min,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetShape, request)

    def get_findings(
        self,
        *,
        only: insights_pb2.InsightFilter | None = None,
        rule: str = "",
        limit: int = 0,
        unexplained: bool = False,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetFindingsResponse:
        """Return what looks wrong and may have a good reason, the latest first.

        Args:
            only: Which units and parties, and as of when, as for ``get_ladder``.
            rule: The name of a rule, such as "bought-back". Empty means all rules.
            limit: The most findings of the answer. 0 means 100, and 1,000 is the most.
            unexplained: Whether to leave out findings that are explained now.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``findings`` (each with ``id``, ``rule``, ``sentence``, ``positions``, ``explanation`` and
            more), how many there are by ``rules``, ``left_out`` and ``as_of_position``.

        Raises:
            RefusedError: FINDING_RULE_UNKNOWN, PAGE_SIZE_NEGATIVE; or a reason that ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_findings(rule="bought-back").left_out
            0
        """
        request = insights_pb2.GetFindingsRequest(
            book=self.book,
            filter=filtered(only),
            rule=rule,
            limit=limit,
            unexplained=unexplained,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetFindings, request)

    def get_domino(
        self,
        party: str,
        *,
        only: insights_pb2.InsightFilter | None = None,
        limit: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetDominoResponse:
        """Return what hangs on a party, if it stopped today: stock, open offers and money of all below it.

        Args:
            party: Id of the party.
            only: Which batches, and as of when, as for ``get_ladder``.
            limit: The most stakes of the answer, and the most offers. 0 means 100, and 1,000 is the most.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``domino`` (``stakes``, ``offers``, ``units``, ``paid_minor``), how many of both are left
            out, and ``as_of_position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (no party), PAGE_SIZE_NEGATIVE; or a reason that ``get_ladder``
                names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_domino("ann").domino.stakes[0].party
            'ann'
        """
        request = insights_pb2.GetDominoRequest(
            book=self.book,
            filter=filtered(only, party),
            limit=limit,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetDomino, request)

    def get_scorecard(
        self,
        party: str,
        *,
        only: insights_pb2.InsightFilter | None = None,
        today: datetime.date | None = None,
        window_days: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetScorecardResponse:
        """Return facts about a party, as counts. They add up to no score.

        Args:
            party: Id of the party.
            only: As of when, as for ``get_ladder``.
            today: As for ``get_sell_through``.
            window_days: As for ``get_sell_through``.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``scorecard`` (``facts``, ``offers_answered``, ``offers_accepted``, ``disputes``,
            ``sell_through``, ``deviations``) and ``as_of_position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (no party), QUANTITY_NOT_POSITIVE; or a reason that
                ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_scorecard("ann").scorecard.facts["received"].units
            101
        """
        request = insights_pb2.GetScorecardRequest(
            book=self.book,
            filter=filtered(only, party),
            today=iso_date(today),
            window_days=window_days,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetScorecard, request)

    def get_verifications(
        self,
        number: int | None = None,
        *,
        only: insights_pb2.InsightFilter | None = None,
        times_min: int = 0,
        times_median: int = 0,
        limit: int = 0,
        at_least_position: int | None = None,
    ) -> insights_pb2.GetVerificationsResponse:
        """Return how often printed codes were verified, and which units the public verified unusually often.

        The counts lie beside the book, and have the last 400 days at most. They say nothing of who asked, or where.

        Args:
            number: Number of a unit of the batch that ``only`` names. None means all units.
            only: Which units, by batch, product and brand, and on which days: by default the last 30.
            times_min: From how many verifications on a unit stands out. 0 means 20.
            times_median: From how many times the median of the others of its batch on it does. 0 means 10.
            limit: The most units of the answer. 0 means 100, and 1,000 is the most.
            at_least_position: As for ``get_ladder``.

        Returns:
            A response with ``days`` (each with ``day``, and ``times`` by class of caller), ``units_verified``,
            ``units`` (each with ``batch``, ``number``, ``times``, ``median``, ``sentence`` and more), ``left_out``,
            ``rule`` and ``partial_through``: the last of these days of which counts went because there were too many.

        Raises:
            RefusedError: FILTER_NOT_KEPT, VALUE_MISSING (a number without a batch), QUANTITY_NOT_POSITIVE,
                PAGE_SIZE_NEGATIVE; or a reason that ``get_ladder`` names.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_verifications(times_min=1_000).rule.name
            'verified-often'
        """
        request = insights_pb2.GetVerificationsRequest(
            book=self.book,
            filter=filtered(only),
            number=number,
            times_min=times_min,
            times_median=times_median,
            limit=limit,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._insights.GetVerifications, request)
