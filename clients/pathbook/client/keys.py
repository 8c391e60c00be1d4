"""Calls about the keys of parties: they are registered, rotated, recovered, revoked and listed."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.options import Signer
from pathbook.v1 import keys_pb2, keys_pb2_grpc


class Keys(Caller):
    """The KeyService of a book."""

    @functools.cached_property
    def _keys(self) -> keys_pb2_grpc.KeyServiceStub:
        return keys_pb2_grpc.KeyServiceStub(self._channel)

    def register_key(
        self, new: Signer, *, endorser: Signer, recovery_key: bytes = b"", request_id: str = ""
    ) -> keys_pb2.RegisterKeyResponse:
        """Register a key of a party, which its endorser endorses. From then on, its signatures count.

        This call is no statement of ``signer``: it has two signatures of its own. With the keys on two machines, use
        ``request_key``, ``endorse_key`` and ``register_requested_key``.

        Args:
            new: The key, and what signs with it.
            endorser: The key of the endorser, for the same book (or ValueError is raised). The operator endorses
                brands, and parties without an authorization; an upline endorses the parties that it authorized. The
                first key of the operator endorses itself.
            recovery_key: The public key that may undo a rotation of this key within 72 hours, 32 bytes. Keep its
                private key apart. b"" for none.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response whose ``receipt.position`` is that from which signatures of the key count.

        Raises:
            RefusedError: PARTY_UNKNOWN, KEY_MALFORMED (a weak key, or no key), KEY_TAKEN, KEY_UNKNOWN and KEY_REVOKED
                (the endorser's), TOO_MANY_KEYS (8 that count, or 1,000 ever), ENDORSER_NOT_ALLOWED, SIGNATURE_WRONG; or
                a reason of every write (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> of_operator = client.register_key(operator, endorser=operator)
            >>> of_acme = client.register_key(acme, endorser=operator)
            >>> [key.position == of_acme.receipt.position for key in client.list_keys("acme")]
            [True]
        """
        request = self._signed(signed_key, new, endorser, recovery_key)
        return self._write(self._keys.RegisterKey, self._named(request, request_id))

    def register_requested_key(
        self, request: keys_pb2.RegisterKeyRequest, *, request_id: str = ""
    ) -> keys_pb2.RegisterKeyResponse:
        """Register a key by a request that two machines have signed.

        Args:
            request: The request, as ``endorse_key`` returns it.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response, as ``register_key`` returns it.

        Raises:
            RefusedError: As ``register_key``.
            UnreachableError: No answer came in time.

        Example:
            >>> of_eve = client.register_requested_key(endorsed)
        """
        return self._write(self._keys.RegisterKey, self._named(request, request_id))

    def rotate_key(
        self, new: Signer, *, old: Signer, recovery_key: bytes = b"", request_id: str = ""
    ) -> keys_pb2.RegisterKeyResponse:
        """Register a key in place of another key of the same party, which endorses it and is revoked.

        Args:
            new: The new key, and what signs with it.
            old: The key that it replaces, and what signs with it.
            recovery_key: The public key that may undo a rotation of the new key. b"" for none.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response whose ``receipt.position`` is that from which signatures of the new key count, and those of the
            old key no longer.

        Raises:
            RefusedError: As ``register_key``.
            UnreachableError: No answer came in time.

        Example:
            >>> spare = PartyKey("acme.example/masks", "eve")
            >>> eve_2 = PartyKey("acme.example/masks", "eve")
            >>> rotated = client.rotate_key(eve_2, old=eve, recovery_key=spare.key)
            >>> [key.revoked_position == rotated.receipt.position for key in client.list_keys("eve")]
            [True, False]
        """
        request = self._signed(signed_key, new, old, recovery_key, old.key)
        return self._write(self._keys.RegisterKey, self._named(request, request_id))

    def recover_key(
        self,
        new: Signer,
        *,
        recovery: Signer,
        replaced_key: bytes,
        recovery_key: bytes = b"",
        request_id: str = "",
    ) -> keys_pb2.RegisterKeyResponse:
        """Undo a hostile rotation: replace the key that it registered, within 72 hours, by the recovery key.

        Args:
            new: The new key, and what signs with it.
            recovery: The recovery key that was registered with the key that was rotated away.
            replaced_key: The public key that the rotation registered. It is revoked.
            recovery_key: The public key that may undo a rotation of the new key. b"" for none.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response, as ``rotate_key`` returns it.

        Raises:
            RefusedError: RECOVERY_TOO_LATE, KEY_REPLACES_OTHER; or as ``register_key``.
            UnreachableError: No answer came in time.

        Example:
            >>> thief, eve_3 = PartyKey("acme.example/masks", "eve"), PartyKey("acme.example/masks", "eve")
            >>> hostile = client.rotate_key(thief, old=eve_2)
            >>> undone = client.recover_key(eve_3, recovery=spare, replaced_key=thief.key)
            >>> [key.key == eve_3.key for key in client.list_keys("eve") if not key.revoked_position]
            [True]
        """
        request = self._signed(signed_key, new, recovery, recovery_key, replaced_key)
        return self._write(self._keys.RegisterKey, self._named(request, request_id))

    def revoke_key(
        self, key: bytes, *, party: str, revoker: Signer, request_id: str = ""
    ) -> keys_pb2.RevokeKeyResponse:
        """Revoke a key of a party: its signatures no longer count. What it signed before stays signed.

        This call is no statement of ``signer``: it has a signature of its own.

        Args:
            key: The public key, 32 bytes.
            party: Id of the party whose key it is. "" for the operator of the book.
            revoker: The key itself or its recovery key; or a key of the party that endorsed it, or of the operator.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response whose ``receipt.position`` is that from which signatures of the key no longer count.

        Raises:
            RefusedError: PARTY_UNKNOWN, KEY_MALFORMED, KEY_UNKNOWN, KEY_REVOKED, ENDORSER_NOT_ALLOWED, SIGNATURE_WRONG;
                or a reason of every write (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> gone = client.revoke_key(eve_3.key, party="eve", revoker=eve_3)
            >>> [key.key == eve_3.key for key in client.list_keys("eve") if key.revoked_position]
            [False, False, False, True]
        """
        from pathbook.client.key_requests import sign_revocation

        request = self._signed(sign_revocation, key, party, revoker)
        request.book, request.request_id = self.book, request_id_or_new(request_id)
        return self._write(self._keys.RevokeKey, request)

    def list_keys(
        self, party: str, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[keys_pb2.Key]:
        """Yield the keys that a party had and has, oldest first.

        Args:
            party: Id of the party. "" for the operator of the book.
            page_size: Keys fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Key with ``key``, ``recovery_key``, ``position``, ``registered_at``, ``endorser`` and ``endorser_key``. A
            key that was revoked has ``revoked_position`` and ``revoked_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of every list and read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [key.key == operator.key for key in client.list_keys("")]
            [True]
        """

        def page(token: str) -> keys_pb2.ListKeysResponse:
            request = keys_pb2.ListKeysRequest(
                book=self.book,
                party=party,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._keys.ListKeys, request)

        for response in self._pages(page):
            yield from response.keys

    def _named(self, request: keys_pb2.RegisterKeyRequest, request_id: str) -> keys_pb2.RegisterKeyRequest:
        """Return a copy of a request with the book and a request id, which are not signed."""
        named = keys_pb2.RegisterKeyRequest()
        named.CopyFrom(request)
        named.book, named.request_id = self.book, request_id_or_new(request_id)
        return named


def signed_key(
    new: Signer, endorser: Signer, recovery_key: bytes, replaced_key: bytes = b""
) -> keys_pb2.RegisterKeyRequest:
    """Return a request to register a key, signed with both keys."""
    from pathbook.client.key_requests import endorse_key, request_key

    request = request_key(
        new,
        endorser=endorser.party,
        endorser_key=endorser.key,
        recovery_key=recovery_key,
        replaced_key=replaced_key,
    )
    return endorse_key(request, endorser)
