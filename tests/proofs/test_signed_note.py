"""Signed notes and checkpoints: the examples of the specifications, what is printed is read, and malformed ones."""

import base64
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.cosignature import cosign, cosigned_at
from pathbook.ledger.proofs.signed_note import (
    COSIGNATURE,
    ED25519,
    MAX_SIGNATURES,
    SUBTREE_COSIGNATURE,
    NoteSignature,
    SignedNote,
    VerifierKey,
    parse_note,
    require_name,
    sign_note,
)
from pathbook.ledger.proofs.text import MalformedTextError

ORIGIN: Final = "masks.example/book"
LOG: Final = SigningKey(bytes(range(32)))
WITNESS: Final = SigningKey(bytes(range(1, 33)))
LOG_KEY: Final = VerifierKey(ORIGIN, ED25519, bytes(LOG.verify_key))
WITNESS_KEY: Final = VerifierKey("witness.example/w1", COSIGNATURE, bytes(WITNESS.verify_key))
CHECKPOINT: Final = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))

EXAMPLE: Final = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

\u2014 quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501 - as it is written
"""The example of c2sp.org/signed-note."""

SOFA: Final = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501 - as it is written
"""The example of c2sp.org/tlog-cosignature."""


def sign(message: bytes) -> bytes:
    """Sign as the log."""
    return LOG.sign(message).signature


def witness(message: bytes) -> bytes:
    """Sign as the witness."""
    return WITNESS.sign(message).signature


def signed() -> SignedNote:
    """Return a checkpoint that the log signed."""
    return sign_note(str(CHECKPOINT), LOG_KEY, sign)


@pytest.mark.parametrize("example", [EXAMPLE, SOFA])
def test_the_examples_of_the_specifications_are_read_and_printed(example: str) -> None:
    """What is read from an example prints as the example."""
    note = parse_note(example.encode())
    assert str(note) == example
    assert note.text.endswith("\n")


def test_the_example_of_a_cosignature_has_its_time() -> None:
    """The time of the example's cosignature is the one that its signed message shows."""
    note = parse_note(SOFA.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147


def test_a_checkpoint_is_opened_with_its_key_alone() -> None:
    """The key of the log opens its checkpoint. Another key, name, text or signature does not."""
    note = signed()
    assert open_checkpoint(note, LOG_KEY) == CHECKPOINT
    stranger = VerifierKey(ORIGIN, ED25519, bytes(WITNESS.verify_key))
    assert open_checkpoint(note, stranger) is None
    renamed = VerifierKey("other.example", ED25519, bytes(LOG.verify_key))
    assert open_checkpoint(note, renamed) is None
    assert open_checkpoint(sign_note(str(CHECKPOINT), renamed, sign), renamed) is None  # of another origin
    changed = SignedNote(note.text.replace("20852163", "20852164"), note.signatures)
    assert open_checkpoint(changed, LOG_KEY) is None
    false = NoteSignature(ORIGIN, LOG_KEY.id, bytes(64))
    assert (
        open_checkpoint(note.with_signatures([false]), LOG_KEY) is None
    )  # one false line of a known key spoils it


@given(st.integers(0, 8 * 64 - 1))
def test_every_bit_of_a_signature_counts(bit: int) -> None:
    """A checkpoint whose signature has another bit is not opened."""
    note = signed()
    flipped = bytearray(note.signatures[0].signature)
    flipped[bit // 8] ^= 1 << bit % 8
    line = NoteSignature(ORIGIN, LOG_KEY.id, bytes(flipped))
    assert open_checkpoint(SignedNote(note.text, (line,)), LOG_KEY) is None


def test_a_cosignature_is_of_its_witness_and_time() -> None:
    """A witness cosigns a checkpoint at a time. Another time, text or witness makes it void."""
    note = signed()
    line = cosign(note, WITNESS_KEY, 1_700_000_000, witness)
    assert cosigned_at(note.with_signatures([line]), WITNESS_KEY) == 1_700_000_000
    assert cosigned_at(note, WITNESS_KEY) is None
    earlier = NoteSignature(line.name, line.id, (1_600_000_000).to_bytes(8, "big") + line.signature[8:])
    assert cosigned_at(note.with_signatures([earlier]), WITNESS_KEY) is None
    other = sign_note(str(Checkpoint(ORIGIN, 5, bytes(32))), LOG_KEY, sign)
    assert cosigned_at(other.with_signatures([line]), WITNESS_KEY) is None
    log_as_witness = VerifierKey(WITNESS_KEY.name, COSIGNATURE, bytes(LOG.verify_key))
    assert cosigned_at(note.with_signatures([line]), log_as_witness) is None


def test_a_cosignature_by_ml_dsa_is_read() -> None:
    """A cosignature of type 0x06 counts if the caller can verify it, and not without."""
    secret = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    key = VerifierKey("witness.example/pq", SUBTREE_COSIGNATURE, secret.public_key().public_bytes_raw())
    assert VerifierKey.parse(str(key)) == key
    note, name = signed(), b"witness.example/pq"
    time = (1_700_000_000).to_bytes(8, "big")
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name + time + bytes([len(ORIGIN)]) + ORIGIN.encode()
    message += bytes(8) + CHECKPOINT.size.to_bytes(8, "big") + CHECKPOINT.root
    cosigned = note.with_signatures([NoteSignature(key.name, key.id, time + secret.sign(message))])

    def verify(public: bytes, signature: bytes, of: bytes) -> bool:
        return public == key.key and of == message and len(signature) == 2_420

    assert cosigned_at(cosigned, key, verify) == 1_700_000_000
    assert cosigned_at(cosigned, key) is None
    assert cosigned_at(cosigned, key, lambda *_: False) is None


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"), min_size=1
    ),
    st.binary(min_size=32, max_size=32),
    st.sampled_from([ED25519, COSIGNATURE]),
)
def test_a_key_prints_what_it_was_read_from(name: str, key: bytes, kind: int) -> None:
    """What is printed of a key is read as that key, unless it is weak."""
    printed = VerifierKey(name, kind, key)
    try:
        assert VerifierKey.parse(str(printed)) == printed
    except MalformedTextError as error:
        assert "weak" in str(error)  # noqa: PT017 - either is right


@given(
    st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(st.sampled_from(["more", "x y"]))
)
def test_a_checkpoint_prints_what_it_was_read_from(size: int, root: bytes, more: list[str]) -> None:
    """What is printed of a checkpoint is read as that checkpoint."""
    checkpoint = Checkpoint(ORIGIN, size, root, tuple(more))
    assert Checkpoint.parse(str(checkpoint)) == checkpoint


GOOD: Final = str(signed())
LINE: Final = GOOD.splitlines()[-1]


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        str(CHECKPOINT).encode(),
        f"{CHECKPOINT}\n".encode(),
        GOOD.encode()[:-1],
        GOOD.replace("\u2014 ", "- ").encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.encode() + b"\xff\n",
        GOOD.replace(LINE, f"{LINE} ").encode(),
        GOOD.replace(LINE, LINE.removesuffix("=")).encode(),
        GOOD.replace(ORIGIN, "a+b").encode(),
        f"{CHECKPOINT}\n\u2014 {ORIGIN} {base64.b64encode(b'1234').decode()}\n".encode(),
        (f"{CHECKPOINT}\n" + f"{LINE}\n" * (MAX_SIGNATURES + 1)).encode(),
        GOOD.encode() + b" " * 1_000_000,
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    """What is no signed note raises one kind of error."""
    with pytest.raises(MalformedTextError):
        parse_note(note)


def test_each_control_character_is_refused() -> None:
    """No control character but the newline stands in a note, and none of them in a name, nor a space or a plus."""
    for number in {*range(0x20)} - {ord("\n")}:
        with pytest.raises(MalformedTextError, match="control characters"):
            parse_note(GOOD.replace("\n", f"{chr(number)}\n", 1).encode())
    for refused in (*map(chr, range(0x21)), "+", "\x7f", "\x85", "\xa0", "\u2003", "\u2028"):
        with pytest.raises(MalformedTextError, match="A name of a key"):
            require_name(f"log{refused}example")
    with pytest.raises(MalformedTextError, match="not empty"):
        require_name("")
    for allowed in ("log.example/path", "l\u00f6g", "\u65e5\u672c", "-"):
        require_name(allowed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n5\n",
        f"origin\n05\n{'A' * 43}=\n",
        f"origin\n+5\n{'A' * 43}=\n",
        f"origin\n-1\n{'A' * 43}=\n",
        f"origin\n5\n{'A' * 42}==\n",
        f"origin\n5\n{'A' * 42}B=\n",
        f"origin\n5\n{'A' * 43}=",
        f"origin\n5\n{'A' * 43}=\n\n",
        f"or igin\n5\n{'A' * 43}=\n",
        f"\n5\n{'A' * 43}=\n",
        f"origin\n9223372036854775808\n{'A' * 43}=\n",
        f"origin\n٥\n{'A' * 43}=\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    """What is no checkpoint raises one kind of error."""
    with pytest.raises(MalformedTextError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        f"name+00000000+{base64.b64encode(bytes([1]) + bytes(LOG.verify_key)).decode()}",
        f"{LOG_KEY}x",
        str(LOG_KEY).upper(),
        str(VerifierKey("name", ED25519, bytes(32))),
        str(VerifierKey("name", ED25519, b"\1" + bytes(31))),
        str(VerifierKey("name", 2, bytes(LOG.verify_key))),
        str(VerifierKey("na me", ED25519, bytes(LOG.verify_key))),
        str(VerifierKey("name", SUBTREE_COSIGNATURE, bytes(LOG.verify_key))),
    ],
)
def test_a_malformed_key_is_refused(text: str) -> None:
    """What is no key, or is weak, or has not the id of its key, raises one kind of error."""
    with pytest.raises(MalformedTextError):
        VerifierKey.parse(text)
