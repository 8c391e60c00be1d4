"""Calls about the API tokens of a server: made, listed and revoked by its operator."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.v1 import tokens_pb2, tokens_pb2_grpc


class Tokens(Caller):
    """The TokenService."""

    @functools.cached_property
    def _tokens(self) -> tokens_pb2_grpc.TokenServiceStub:
        return tokens_pb2_grpc.TokenServiceStub(self._channel)

    def create_token(
        self,
        role: tokens_pb2.TokenRole.ValueType,
        party: str = "",
        *,
        days: int = 0,
        label: str = "",
        every_book: bool = False,
        certificate: str = "",
    ) -> tokens_pb2.CreateTokenResponse:
        """Make a token. Its text is in the answer, and nowhere else.

        A repeat makes another token. If no answer came, list the tokens, and revoke what you do not need.

        Args:
            role: What its bearer is, such as ``tokens_pb2.TOKEN_ROLE_PARTY``.
            party: The party for which its bearer speaks: required for a party or a brand, and only for them.
            days: For how many days it counts, 1 to 3,650; 0 means 90.
            label: What it is for, at most 100 characters.
            every_book: Whether an auditor or operator gets it for every book of the server, and not for this one.
            certificate: The name in a client certificate that stands in the place of a secret, such as
                "spiffe://acme.example/ann" or "CN=ann,O=Acme". "" for a token with a secret.

        Returns:
            A response with ``text``, which the bearer sends, and ``token``, which is what ``list_tokens`` yields.

        Raises:
            RefusedError: VALUE_MISSING, PARTY_UNKNOWN, NOT_A_BRAND, TOKEN_OF_NO_PARTY (an auditor has none),
                TOKEN_TOO_LONG (so many days), TEXT_TOO_LONG; or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> made = client.create_token(tokens_pb2.TOKEN_ROLE_PARTY, "ann", label="shop of ann")
            >>> made.text.startswith(made.token.token + ".")
            True
        """
        request = tokens_pb2.CreateTokenRequest(
            book="" if every_book else self.book,
            role=role,
            party=party,
            days=days,
            label=label,
            certificate=certificate,
        )
        return self._call(self._tokens.CreateToken, request)

    def list_tokens(self, *, page_size: int = 0, every_book: bool = False) -> Iterator[tokens_pb2.Token]:
        """Yield the tokens of this book, with those that were revoked or have expired, in the order of their ids.

        Args:
            page_size: Tokens fetched in one call, at most 1,000. 0 means the server's choice.
            every_book: Whether to yield all tokens of the server, and not only those of this book.

        Yields:
            A Token with ``token`` (its id), ``role``, ``book`` ("" for every book), ``party``, ``label``,
            ``certificate``, ``made_at``, ``expires_at`` and ``revoked_at``.

        Raises:
            RefusedError: A reason of every list (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [(token.party, token.label) for token in client.list_tokens()]
            [('ann', 'shop of ann')]
        """

        def page(token: str) -> tokens_pb2.ListTokensResponse:
            book = "" if every_book else self.book
            request = tokens_pb2.ListTokensRequest(book=book, page_size=page_size, page_token=token)
            return self._call(self._tokens.ListTokens, request)

        for response in self._pages(page):
            yield from response.tokens

    def revoke_token(self, token: str) -> tokens_pb2.Token:
        """Revoke a token. Within two seconds its calls are refused, and its open streams end.

        Args:
            token: Its id, which is the part of its text before the dot.

        Returns:
            The Token, with ``revoked_at``. One that was revoked before keeps its time.

        Raises:
            RefusedError: TOKEN_MISSING; or a reason of every call (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.revoke_token(made.token.token).HasField("revoked_at")
            True
        """
        return self._call(self._tokens.RevokeToken, tokens_pb2.RevokeTokenRequest(token=token)).token
