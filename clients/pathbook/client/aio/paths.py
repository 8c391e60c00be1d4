"""Calls that read the views of a book: paths of units, stock, holders."""

# clients/generate_client.py wrote this from paths.py of the client: change that file.

import functools
from collections.abc import AsyncIterator, Iterable

from pathbook.client.aio.calls import AsyncCaller
from pathbook.client.values import Range, name_unit, unit_ranges
from pathbook.v1 import paths_pb2, paths_pb2_grpc


class Paths(AsyncCaller):
    """The PathService of a book."""

    @functools.cached_property
    def _paths(self) -> "paths_pb2_grpc.PathServiceAsyncStub":
        return paths_pb2_grpc.PathServiceStub(self._channel)

    async def get_path(
        self,
        unit: str | tuple[int, int],
        *,
        as_of_position: int = 0,
        corrections: bool = False,
        at_least_position: int | None = None,
        events: bool = True,
        steps_max: int = 0,
    ) -> paths_pb2.GetPathResponse:
        """Return the path of a unit: every hand it passed through, what each paid, and who holds it.

        Args:
            unit: A printed code in any form (GS1 Digital Link, element string, bare serial), or (batch number, unit
                number).
            as_of_position: The path as it was at this position. 0 means now.
            corrections: Whether to show all steps: also reversed transfers, errors, offers that came to nothing, and
                the reports of receivers.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.
            events: Whether to read the events of more than 4,096 bytes, too. Without them, the ``event`` of such a step
                is empty, and ``left_out_bytes`` is its size. ``fill_events`` reads them.
            steps_max: Read no further pages once there are more steps than this. Then ``next_page_token`` is set.
                0 means all steps.

        Returns:
            A response with ``unit``; ``serial`` if you asked by a code, else ""; ``product``, ``batch``; ``run``
            (``owner``, ``custodian``, ``state``, ``sscc``); and ``steps`` in order, each with ``kind``, ``giver``,
            ``receiver``, ``terms`` (price of a unit, tiers, authorizations, delivery), ``price_paid`` by a consumer,
            ``occurred_at``, ``recorded_at``, ``position``, ``owner`` and ``custodian`` after it, ``attestation``, and
            ``event``, the stored bytes. ``out_of_order_position`` names an earlier step that claims a later time.
            ``batch_correction`` is set if the batch was corrected. ``batch.recalls`` are those that name the unit.

        Raises:
            RefusedError: BATCH_UNKNOWN, RANGE_BEYOND_BATCH; CODE_MALFORMED, CODE_CHECK_CHARACTER,
                CODE_GTIN_CHECK_DIGIT, CODE_OTHER_BOOK, CODE_UNKNOWN, CODE_CONTRADICTS, CODE_KEY_RETIRED,
                CODE_KEY_MISSING; or a reason of every read (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> path = await client.get_path((1, 0))
            >>> [(step.giver, step.terms.unit_price.amount_minor) for step in path.steps][:3]
            [('', 0), ('acme', 15000), ('ann', 18000)]
            >>> path.run.owner
            'consumer:c-7'
        """

        async def page(token: str) -> paths_pb2.GetPathResponse:
            request = paths_pb2.GetPathRequest(
                book=self.book,
                as_of_position=as_of_position,
                corrections=corrections,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
                whole_events=events,
            )
            name_unit(request, unit)
            return await self._call(self._paths.GetPath, request)

        def join(whole: paths_pb2.GetPathResponse, other: paths_pb2.GetPathResponse) -> None:
            whole.steps.extend(other.steps)
            if not other.steps:  # each page has one; a server that goes on without any would never end
                whole.ClearField("next_page_token")

        def is_enough(whole: paths_pb2.GetPathResponse) -> bool:
            return bool(steps_max) and len(whole.steps) > steps_max

        return await self._whole(page, join, is_enough)

    async def fill_events(self, path: paths_pb2.GetPathResponse) -> None:
        """Read the events that a path lacks because of their size, and put them into its steps.

        It asks by the code if the path was asked by one, so a caller that may see the path may have them.

        Args:
            path: A path that ``get_path`` returned with ``events=False``. An event that does not have the size that the
                path says stays left out.

        Raises:
            RefusedError: As ``get_path``.
            UnreachableError: No answer came in time.

        Example:
            >>> path = await client.get_path((1, 0), events=False)
            >>> await client.fill_events(path)
            >>> any(step.left_out_bytes for step in path.steps)
            False
        """
        lacking = {step.position: step for step in path.steps if step.left_out_bytes}
        token, last = "", 0
        while lacking:
            request = paths_pb2.GetPathRequest(
                book=self.book,
                as_of_position=path.as_of_position,
                corrections=True,
                page_token=token,
                whole_events=True,
            )
            name_unit(request, path.serial or (path.unit.batch, path.unit.number))
            found = await self._call(self._paths.GetPath, request)
            for whole in found.steps:
                step = lacking.pop(whole.position, None)
                if step is not None and len(whole.event) == step.left_out_bytes:
                    step.event = whole.event
                    step.ClearField("left_out_bytes")
            token = found.next_page_token
            if not token or not found.steps or found.steps[-1].position <= last:
                return  # a server whose pages do not go on would never end
            last = found.steps[-1].position

    async def list_stock(
        self, party: str, *, page_size: int = 0, at_least_position: int | None = None
    ) -> AsyncIterator[paths_pb2.Stock]:
        """Yield what a party has of each batch, soonest to expire first.

        Args:
            party: Id of the party. Consumers have no stock.
            page_size: Batches fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Stock with ``batch``, ``product_name``, and three counts of units: ``owned``, wherever they lie;
            ``in_custody``, with any owner; and ``reserved`` by open offers.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of every list and read (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> [(stock.batch.lot, stock.owned, stock.in_custody) async for stock in client.list_stock("bob")]
            [('L1', 18, 18)]
        """

        async def page(token: str) -> paths_pb2.ListStockResponse:
            request = paths_pb2.ListStockRequest(
                book=self.book,
                party=party,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return await self._call(self._paths.ListStock, request)

        async for response in self._pages(page):
            for item in response.stock:
                yield item

    async def list_holders(
        self,
        of: int | tuple[str, str],
        *,
        ranges: Iterable[Range] = (),
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> AsyncIterator[paths_pb2.Holder]:
        """Yield who owns and who has the units of a batch, in the order of the units.

        Args:
            of: Number of the batch, or the GTIN of its product and its lot number.
            ranges: Only these units: (batch, first unit, last unit), with both ends included. With a lot, the batch may
                be 0. No ranges mean all units.
            page_size: Holders fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Holder with ``range``, ``units`` (how many), ``owner``, ``custodian`` and ``state``.

        Raises:
            RefusedError: BATCH_UNKNOWN, VALUE_MISSING (no GTIN), GTIN_CHECK_DIGIT, TOO_MANY_RANGES, RANGE_REVERSED,
                RANGE_BEYOND_BATCH, RANGES_OVERLAP; or a reason of every list and read (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> async for held in client.list_holders(("4006381333931", "L1"), ranges=[(0, 8, 11)]):
            ...     print(held.range.first, held.range.last, held.owner, held.state)
            8 8 bob 1
            9 9 bob 6
            10 11 ann 1
        """
        units = unit_ranges(ranges)

        async def page(token: str) -> paths_pb2.ListHoldersResponse:
            request = paths_pb2.ListHoldersRequest(
                book=self.book,
                ranges=units,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            if isinstance(of, int):
                request.batch = of
            else:
                request.gtin, request.lot = of
            return await self._call(self._paths.ListHolders, request)

        async for response in self._pages(page):
            for item in response.holders:
                yield item
