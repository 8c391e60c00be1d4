"""Calls that read the events of a book, and resume where a stream broke."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.client.decoding import DecodedEvent, decode
from pathbook.client.history import History
from pathbook.v1 import events_pb2, events_pb2_grpc


class Events(Caller):
    """The EventService of a book."""

    @functools.cached_property
    def _events(self) -> events_pb2_grpc.EventServiceStub:
        return events_pb2_grpc.EventServiceStub(self._channel)

    def read(
        self, after_position: int = 0, *, limit: int = 0, incarnation: str = ""
    ) -> Iterator[events_pb2.ReadResponse]:
        """Yield the events after a position in batches, up to the last event that the book has now.

        When the stream breaks, the client opens it again after the last batch.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.
            limit: The most events wanted. 0 means all.
            incarnation: The ``incarnation`` of the last batch you know, "" if you know none. The client remembers it
                when it opens the stream again.

        Returns:
            An iterator of batches. Each has ``first_position``; ``events``, the stored bytes of consecutive
            events, each a serialized ``events_pb2.Event`` that ``parse_event`` reads; and
            ``next_after_position`` and ``incarnation``, to go on from later. A party or a brand gets its own events,
            and after them in ``other_leaves`` the leaf hashes of those that it may not see, 32 bytes each.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD; ANOTHER_HISTORY, if the book was restored from a
                backup before that position: go on after ``metadata["shared_position"]``; or a reason of every call
                (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.read(limit=1):
            ...     print(batch.first_position, events_pb2.Event.FromString(batch.events[0]).WhichOneof("kind"))
            1 book_opened
        """
        through = after_position + limit
        history = History(incarnation)

        def request(after: int) -> events_pb2.ReadRequest | None:
            left = through - after if limit else 0
            if limit and not left:
                return None
            return events_pb2.ReadRequest(
                book=self.book, after_position=after, limit=left, incarnation=history.incarnation
            )

        return self._resume(self._events.Read, request, after_position, history.next_after)

    def subscribe(
        self, after_position: int = 0, *, incarnation: str = ""
    ) -> Iterator[events_pb2.SubscribeResponse]:
        """Yield the events after a position in batches, then new ones as they are recorded, without end.

        When the stream breaks, the client opens it again after the last batch. Leave the loop to end it.

        Args:
            after_position: Position of the last event you know. 0 means from the first event on.
            incarnation: As in ``read``.

        Returns:
            An iterator of batches, as ``read`` returns them. A batch without events says that there are none yet.
            Store ``next_after_position`` and ``incarnation`` with your results, to resume there after a restart.

        Raises:
            RefusedError: POSITION_NEGATIVE, POSITION_BEYOND_HEAD, ANOTHER_HISTORY as in ``read``; or a reason of every
                call (see ``Client``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> for batch in client.subscribe(after_position=3):
            ...     print(batch.first_position)
            ...     break
            4
        """
        history = History(incarnation)

        def request(after: int) -> events_pb2.SubscribeRequest:
            return events_pb2.SubscribeRequest(
                book=self.book, after_position=after, incarnation=history.incarnation
            )

        return self._resume(self._events.Subscribe, request, after_position, history.next_after)

    def get_head(self) -> events_pb2.GetHeadResponse:
        """Return the last position of the book, how far its views have come, and its incarnation.

        Returns:
            A response with ``position``, ``views_position`` and ``incarnation``.

        Raises:
            RefusedError: A reason of every call (see ``Client``), such as BOOK_UNKNOWN.
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_head().position == client.position
            True
        """
        return self._call(self._events.GetHead, events_pb2.GetHeadRequest(book=self.book))

    def get_event(self, position: int, *, is_agreement: bool = False) -> DecodedEvent:
        """Return one event, with the leaf hash that names it in an answer to it.

        Who signs an answer reads first what it answers, and gives the answer its ``leaf`` as ``answered_leaf``.

        Args:
            position: Position of the event.
            is_agreement: The position is that of a transfer, and the event wanted is the one that agreed it: its
                acceptance if it was offered. A reversal answers that one.

        Returns:
            The event, as ``decode`` returns it.

        Raises:
            RefusedError: A reason of every call (see ``Client``).
            UnreachableError: No answer came in time.
            LookupError: There is no event at this position.
            NewerEventError: A newer program wrote the event (``pathbook.ledger.codec``). Update this program.

        Example:
            >>> offered = client.get_event(offer.receipt.position)
            >>> offered.event.terms.receiver, len(offered.leaf)
            ('ann', 32)
        """
        data = self._event_at(position, is_agreement)
        if not data:
            raise LookupError(f"There is no event at position {position}.")
        return decode(data, position)

    def get_event_by_request(
        self, request_id: str, *, party: str = "", at_least_position: int | None = None
    ) -> events_pb2.GetEventByRequestResponse:
        """Return what was recorded under a request id: the first receipt, and the event.

        Request ids belong to the party that acted, so the id of another party is not found.

        Args:
            request_id: The id, as it was sent.
            party: Id of the party that acted, or "consumer:" and a pseudonym. "" means the operator, which opens the
                book and registers and corrects parties.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A response with ``receipt.position`` and ``event``, the stored bytes that ``parse_event`` reads.

        Raises:
            RefusedError: REQUEST_ID_MALFORMED, PARTY_UNKNOWN, REQUEST_UNKNOWN; or a reason of every read (see
                ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> sent = client.register_party("dan", values_pb2.PARTY_KIND_AGENT, request_id="dan-1")
            >>> client.get_event_by_request("dan-1").receipt.position == sent.receipt.position
            True
        """
        request = events_pb2.GetEventByRequestRequest(
            book=self.book,
            party=party,
            request_id=request_id,
            at_least_position=self._at_least(at_least_position),
        )
        return self._call(self._events.GetEventByRequest, request)
