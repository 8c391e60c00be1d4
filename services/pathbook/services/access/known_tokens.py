"""The tokens that a server process knows: kept in memory, refreshed each second, and the streams that each has open.

A token that another process made is looked up when it is first used. One that was revoked ends within LOOK_EVERY_S: its
next call is refused, and its open streams end.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec
import structlog

from pathbook.ledger.store.log.api_tokens import ApiToken, ApiTokens
from pathbook.services.access.callers import Caller
from pathbook.services.access.tokens import caller_of, is_secret_of, parse_token
from pathbook.services.clock import MICROSECONDS, now
from pathbook.services.gateway import Gateway
from pathbook.services.translate.statuses import CallFailedError, Failure, failed

LOOK_EVERY_S: Final = 1.0
"""How often a process looks for tokens that other processes revoked."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def until(limit: asyncio.Timeout, ended: Callable[[], CallFailedError]) -> AsyncIterator[None]:
    """Run a block until a limit, and fail then as ``ended`` says. Other timeouts pass."""
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise ended() from None


class KnownTokens:
    """The tokens of a server process. It belongs to the event loop."""

    def __init__(self, tokens: ApiTokens, gateway: Gateway, clock: Callable[[], int] = now) -> None:
        self._tokens, self._gateway, self._clock = tokens, gateway, clock
        self._known: dict[str, ApiToken] = {}
        self._certificates: dict[str, set[str]] = {}
        self._seen = 0
        self._streams: dict[str, set[asyncio.Timeout]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read all tokens, and look for changes from now on."""
        await self.refresh()
        self._looking = asyncio.create_task(self._look())

    def stop(self) -> None:
        """Look no longer."""
        if self._looking is not None:
            self._looking.cancel()

    async def caller(self, text: str, count: Callable[[], None]) -> Caller:
        """Return who bears a token.

        Args:
            text: the token.
            count: is called before the database is asked for a token that this process does not know. It may raise.

        Raises:
            CallFailedError: the token is unknown, was revoked, or expired.
        """
        presented = parse_token(text)
        if presented is None:
            raise failed(Failure.TOKEN_UNKNOWN)
        if presented.token not in self._known:
            count()
            await self.refresh()
        kept = self._known.get(presented.token)
        if kept is None or not is_secret_of(kept, presented.secret):
            raise failed(Failure.TOKEN_UNKNOWN)
        if (ended := self._ended(kept)) is not None:
            raise ended
        return caller_of(kept)

    def caller_of_certificate(self, names: Sequence[str]) -> Caller | None:
        """Return who has a client certificate with names, or None if no token is for one of them.

        Of several tokens the newest comes first, and each counts for its book.

        Raises:
            CallFailedError: all such tokens were revoked, or expired.
        """
        tokens = {token for name in names for token in self._certificates.get(name, ())}
        kept = sorted((self._known[token] for token in tokens), key=lambda token: -token.change)
        in_force = [caller_of(token) for token in kept if self._ended(token) is None]
        if in_force:
            first, *others = in_force
            return msgspec.structs.replace(first, others=tuple(others)) if others else first
        if kept and (ended := self._ended(kept[-1])) is not None:
            raise ended
        return None

    async def refresh(self) -> None:
        """Read what changed since the last time, and end the streams of tokens that were revoked."""
        for kept in await self._gateway.run(self._tokens.changed_since, self._seen):
            known = self._known.get(kept.token)
            if known is not None and known.change > kept.change:
                continue  # another refresh began later, and has ended
            self._known[kept.token] = kept
            if kept.certificate:
                self._certificates.setdefault(kept.certificate, set()).add(kept.token)
            self._seen = max(self._seen, kept.change)
            if kept.revoked_at:
                for stream in self._streams.get(kept.token, ()):
                    stream.reschedule(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def in_force(self, token: str) -> AsyncIterator[None]:
        """Run a block as long as a token is in force.

        Raises:
            CallFailedError: it was revoked or expired meanwhile.
        """
        kept = self._known[token]
        if (ended := self._ended(kept)) is not None:  # since it was presented
            raise ended
        streams = self._streams.setdefault(token, set())
        left = (kept.expires_at - self._clock()) / MICROSECONDS if kept.expires_at else None
        limit = asyncio.timeout(left)
        streams.add(limit)
        try:
            async with until(
                limit,
                lambda: self._ended(self._known[token]) or failed(Failure.TOKEN_EXPIRED, token=token),
            ):
                yield
        finally:
            streams.discard(limit)
            if not streams:
                self._streams.pop(token, None)

    def _ended(self, kept: ApiToken) -> CallFailedError | None:
        """Return why a token is no longer in force, None if it is."""
        if kept.revoked_at:
            return failed(Failure.TOKEN_REVOKED, token=kept.token)
        if kept.expires_at and kept.expires_at <= self._clock():
            return failed(Failure.TOKEN_EXPIRED, token=kept.token)
        return None

    async def _look(self) -> None:
        is_reached = True
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - calls fail, too, while the database is away
                if is_reached:
                    _LOG.warning(
                        "revoked tokens are not noticed, because the database fails", cause=str(error)
                    )
                is_reached = False
            else:
                is_reached = True
