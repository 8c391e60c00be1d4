"""A log that signs whatever it wants, and a witness to submit it to, for tests."""

import contextlib
import http.client
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from nacl.signing import SigningKey

from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosigned_at
from pathbook.ledger.proofs.signed_note import (
    ED25519,
    NoteSignature,
    SignedNote,
    VerifierKey,
    parse_signatures,
    sign_note,
)
from pathbook.ledger.proofs.submission import MAX_PROOF, PATH, Submission
from pathbook.ledger.proofs.tree import consistency_proof, node_hash, root_of
from pathbook.witness.key_file import WitnessKey
from pathbook.witness.server import serving
from pathbook.witness.state import State
from pathbook.witness.witness import Witness, logs_of

KEY: Final = WitnessKey("witness.example/w1", b"\1" * 32)
NOON: Final = 1_700_000_000


class Log:
    """A log of made-up leaves. Two of the same seed and story are one log."""

    def __init__(self, story: str = "true", origin: str = "log.example/a", seed: int = 7) -> None:
        """Begin a log. Another ``story`` is another history, which differs from the third leaf on."""
        self._key, self._story = SigningKey(bytes([seed]) * 32), story
        self.key = VerifierKey(origin, ED25519, bytes(self._key.verify_key))

    def leaves(self, size: int) -> list[bytes]:
        """Return the hashes of the first leaves."""
        return [bytes([number % 251]) * 31 + self._story[number > 1 :][:1].encode() for number in range(size)]

    def checkpoint(self, size: int) -> Checkpoint:
        """Return the checkpoint of a size."""
        return Checkpoint(self.key.name, size, root_of(self.leaves(size)))

    def note(self, size: int) -> SignedNote:
        """Sign the tree of a size."""
        return self.sign(str(self.checkpoint(size)))

    def sign(self, text: str) -> SignedNote:
        """Sign any text."""
        return sign_note(text, self.key, lambda message: self._key.sign(message).signature)

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        """Prove that the tree of a size begins with that of another."""
        leaves = self.leaves(size)

        def node(level: int, index: int) -> bytes:
            if not level:
                return leaves[index]
            return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

        return tuple(consistency_proof(old, size, node))

    def submission(self, old: int, size: int) -> bytes:
        """Return the body of a request."""
        return str(Submission(old, self.proof(old, size), self.note(size))).encode()


LOG: Final = Log("true")
FORK: Final = Log("tale")
"""Another history that the same key signs."""


class Reply(NamedTuple):
    """What a witness replied."""

    status: int
    content_type: str
    text: str

    @property
    def lines(self) -> tuple[NoteSignature, ...]:
        """The cosignatures."""
        assert self.status == 200, self
        return parse_signatures(self.text)


class Clock:
    """A clock of seconds that a test sets."""

    def __init__(self) -> None:
        """Begin at noon."""
        self.now = NOON

    def __call__(self) -> int:
        """Return the time."""
        return self.now


class Served:
    """A witness that listens."""

    def __init__(self, address: str, clock: Clock, told: list[str]) -> None:
        """Use a witness at HOST:PORT."""
        self.address, self.clock, self.told = address, clock, told

    def post(self, body: bytes, path: str = PATH, method: str = "POST") -> Reply:
        """Send a request over a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return Reply(response.status, response.headers["Content-Type"], response.read().decode())

    def add(self, log: Log, old: int, size: int) -> Reply:
        """Submit a checkpoint as the protocol wants it."""
        return self.post(log.submission(old, size))


@contextlib.contextmanager
def witness(
    path: Path, logs: Sequence[VerifierKey], key: WitnessKey = KEY, clock: Clock | None = None
) -> Iterator[Served]:
    """Run a witness with its state in a directory."""
    clock = clock or Clock()
    known, told = logs_of(logs), list[str]()
    state = State(path, key.verifier, known)
    with contextlib.closing(state):
        acting = Witness(key, known, state, clock, told.append)
        with serving("127.0.0.1:0", acting.add_checkpoint, told.append) as address:
            yield Served(address, clock, told)


def time_of(log: Log, size: int, reply: Reply, key: WitnessKey = KEY) -> int:
    """Return the time of the valid cosignature in a reply."""
    found = cosigned_at(log.note(size).with_signatures(reply.lines), key.verifier)
    assert found is not None
    return found


def too_many_hashes() -> str:
    """Return one line of a proof more than is allowed."""
    return ("A" * 43 + "=\n") * (MAX_PROOF + 1)


def policy(*lines: str) -> bytes:
    """Return a policy file."""
    return "".join(f"{line}\n" for line in lines).encode()
