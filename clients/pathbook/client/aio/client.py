"""The asyncio client: all calls of the contract on one book."""

# clients/generate_client.py wrote this from client.py of the client: change that file.

from types import TracebackType
from typing import Self

from pathbook.client.aio.access_log import AccessLog
from pathbook.client.aio.batches import Batches
from pathbook.client.aio.books import Books
from pathbook.client.aio.bulk import Bulk
from pathbook.client.aio.cases import Cases
from pathbook.client.aio.corrections import Corrections
from pathbook.client.aio.events import Events
from pathbook.client.aio.findings import Findings
from pathbook.client.aio.insights import Insights
from pathbook.client.aio.keys import Keys
from pathbook.client.aio.offers import Offers
from pathbook.client.aio.parties import Parties
from pathbook.client.aio.paths import Paths
from pathbook.client.aio.people import People
from pathbook.client.aio.proofs import Proofs
from pathbook.client.aio.registrations import Registrations
from pathbook.client.aio.sales import Sales
from pathbook.client.aio.servers import Servers
from pathbook.client.aio.tokens import Tokens
from pathbook.client.aio.transfer_lists import TransferLists
from pathbook.client.aio.transfers import Transfers


class AsyncClient(
    Books,
    Parties,
    Batches,
    Cases,
    Offers,
    Transfers,
    TransferLists,
    Sales,
    Bulk,
    Registrations,
    Corrections,
    Paths,
    Insights,
    Findings,
    Events,
    Proofs,
    Keys,
    Servers,
    Tokens,
    People,
    AccessLog,
):
    """One book on a server; each call of the contract is a method to await.

    Use the client in an ``async with`` statement, or await ``close`` at the end. Make it in a coroutine.

    A call that finds no server, or a server that says when to retry, is repeated for ``retry_seconds``. A write is
    repeated under the same request id, so it is recorded once. A read waits until the views include this client's last
    write. A method that returns an iterator calls the server, and raises, in your ``async for``.

    The position of an event is its number in the book: 1, 2, 3 and so on. A write returns it as
    ``receipt.position``. Offers, transfers, sales, authorizations and recalls have no other id.

    A refused call changes nothing. Each method names the reasons of its own. These reasons have one place here:

    - every call: BOOK_MALFORMED, BOOK_UNKNOWN, BOOK_NEWER, STORE_UNAVAILABLE, STORE_BUSY, SERVER_STOPPING,
      UNEXPECTED, EVENT_DAMAGED, LOG_DAMAGED, VIEWS_DAMAGED, VIEWS_LOST, CALLS_LIMITED (too many from this address);
    - every call, unless the server is open: TOKEN_UNKNOWN, TOKEN_REVOKED, TOKEN_EXPIRED, ISSUER_AWAY, CODE_NEEDED (for
      units by number), CALLER_UNKNOWN (no token), ROLE_NOT_ALLOWED, NOT_ITSELF (another party would act). What a
      caller may not see is unknown to it;
    - every call with a printed code: CODES_LIMITED (too many codes that the book never printed);
    - every stream: TOO_MANY_STREAMS, STREAMS_LIMITED (from this address), SERVER_FULL,
      SLOW_READER (you took nothing for a minute, and no retry was left), STREAM_UNUSED (without a token);
    - every write: REQUEST_ID_MALFORMED, REQUEST_ID_REUSED, VIEWS_FAR_BEHIND, EVENT_TOO_LARGE, STORE_READ_ONLY,
      STORE_FULL, LOG_LOST, CLOCK_JUMPED and EVENTS_AHEAD (the server's clock is wrong, or was);
    - every read with ``at_least_position``: POSITION_NEGATIVE, POSITION_BEYOND_HEAD, VIEWS_BEHIND,
      VIEWS_NOT_WHOLE;
    - every list: PAGE_SIZE_NEGATIVE;
    - every price: PRICE_NEGATIVE, PRICE_UNITS_OUT_OF_BOUNDS (not for 1 to 1,000,000,000 units), CURRENCY_UNKNOWN;
    - every time: TIME_MALFORMED (not between 1970 and 9999); ``occurred_at`` also OCCURRED_IN_FUTURE;
    - every note, name and region: TEXT_TOO_LONG (above 200 characters), TEXT_MALFORMED (it holds NUL);
    - every selection of units: see ``select``.

    - every write that this client signs: KEY_UNKNOWN, KEY_REVOKED, SIGNATURE_WRONG (by the signer's key),
      STATEMENT_OF_OTHER_BOOK, STATEMENT_OF_OTHER_PARTY (the signer does not act in it), CONSUMER_HAS_NO_KEY (a consumer
      acts), STATEMENT_EXPIRED (the clock here is wrong), STATEMENT_MALFORMED (it is larger than 64 KiB);
    - every write of a party that is not signed: PARTY_SIGNS, if the party has a key that counts, and
      STATEMENT_REQUIRED, in a book that its operator opened so;
    - every write that is signed, and was recorded unsigned before: RECORDED_UNSIGNED;
    - every answer to an event: ANSWERED_EVENT_DIFFERS (``answered_leaf`` is of another event), and if it is signed
      elsewhere, ANSWERED_LEAF_MISSING.

    With a ``signer``, each write is filed as a statement: the request, signed for this book. Its event keeps it, and so
    shows who asked. The answers are the same. Printed codes become the units that they name, and a note is
    committed to. OpenBook, ConfirmPurchase, RegisterKey and RevokeKey are sent as they are.

    Answers are messages of ``pathbook.v1``. Their enums are numbers, and ``PartyKind(party.kind)`` is the member with
    that number. Arguments take members, and also the numbers of the messages. The enums are ``PartyKind``,
    ``UnitState``, ``Delivery``, ``AuthorizationStatus``, ``Attestation``, ``DiscrepancyKind``, ``TransferKind``,
    ``TransferStatus``, ``StepKind`` and ``RungKind``. A number that this program does not know raises ValueError.

    An argument of a wrong type raises TypeError, and a number that its field cannot hold ValueError: fields of tiers,
    days, limits and versions have 32 bits, others 64.

    The examples of all methods tell one story, and the tests run it: acme makes masks, ann and bob sell them on,
    c-7 buys some. An example may use a name that an earlier one has set, such as ``offer``.

    Args:
        target: Address of the server, HOST:PORT. "" if you give a channel.
        book: Name of the book: 1 to 64 letters, digits, dots, dashes or underscores.
        channel: An own grpc.aio.Channel, with its own options and credentials. The client does not close it.
        credentials: ``grpc.ssl_channel_credentials(...)`` for TLS, alone or composed with call credentials. None means
            a connection without TLS.
        metadata: Pairs of texts that are sent with every call, such as [("authorization", "Bearer ...")], or a
            function that returns them. The function is called for each attempt, so it may renew a token.
        timeout: Seconds one attempt of a call may take. Streams have no such limit. ``with_options`` sets it for a
            call.
        retry_seconds: Seconds a call is repeated while no server answers; 0 means that it is tried once.
        signer: What signs each write: a ``PartyKey``, or your own ``Signer``. None signs nothing.
        token: An API token, by which a server knows the caller. "" for none: the caller is the public. Use TLS, since
            each call carries it.

    Raises:
        ValueError: Neither a target nor a channel is given, or both a channel and credentials.

    Attributes:
        target: The address, as given.
        book: The name of the book, as given.
        position: The highest position that this client has written; 0 before its first write.

    Example:
        >>> import datetime
        >>> from pathbook.client import AsyncClient, RefusedError, UnreachableError, insight_filter
        >>> from pathbook.client import decode, decode_batch, parse_event, price, select, timestamp
        >>> from pathbook.client import Delivery, PartyKind, TransferStatus, UnitState
        >>> from pathbook.client import PartyKey, Signer, endorse_key, request_key
        >>> from pathbook.client import read_key_file, read_public_part, write_key_file
        >>> from pathbook.v1 import events_pb2, findings_pb2, parties_pb2, tokens_pb2, transfers_pb2, values_pb2
        >>> client = AsyncClient("127.0.0.1:50551", book="masks")
        >>> client.position
        0
    """

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        await self.close()
