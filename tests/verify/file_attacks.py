"""Attacks by strangers, who have genuine proofs, and no key of the log or of a witness."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.proofs.cosignature import cosign
from pathbook.ledger.proofs.event_texts import MAX_REPEATS, REPEATABLE_BYTES
from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey, sign_note
from pathbook.ledger.proofs.text import print_base64
from pathbook.ledger.proofs.unit_proof import StoredEvent
from pathbook.ledger.values import Unit
from pathbook.verify.trust import Trust
from tests.proofs import prover
from tests.proofs.prover import Ledger, log_key, policy_text
from tests.scenario import DAY
from tests.verify.attacking import (
    FILE,
    GENUINE,
    HONEST,
    NOTE,
    STORY,
    TRUST,
    ZERO,
    Attempt,
    attack,
    honest,
    printed,
    repriced,
    under_the_genuine_note,
)

SIGNATURES: Final = "the order of signature lines, or one that is repeated"


@attack("each bit of the file flipped")
def flipped() -> Iterator[Attempt]:
    """Flip every bit."""
    unknown = HONEST.checkpoint(witnesses=("w1", "w2", "w3"))
    file, line = printed(HONEST.prove(note=unknown)), 0
    names = file.decode().split("\n")
    for place, byte in enumerate(file):
        cause = "the cosignature of a witness that the policy does not name" if "w3.ex" in names[line] else ""
        for bit in range(8):
            yield Attempt(file[:place] + bytes([byte ^ 1 << bit]) + file[place + 1 :], cause=cause)
        line += byte == 10


@attack("the file cut off at each line, and a line left out, repeated or swapped")
def cut() -> Iterator[Attempt]:
    """Change whole lines."""
    lines = FILE.splitlines(keepends=True)
    for place in range(len(lines)):
        yield Attempt(b"".join(lines[:place]))
        yield Attempt(b"".join(lines[:place]) + lines[place][:-1])
        yield Attempt(b"".join(lines[:place] + lines[place + 1 :]))
        cause = SIGNATURES if lines[place].startswith("\u2014".encode()) else ""
        yield Attempt(b"".join(lines[: place + 1] + lines[place:]), cause=cause)
        if place and lines[place] != lines[place - 1]:
            yield Attempt(
                b"".join([*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]),
                cause=cause,
            )


def _with_events(own: Sequence[StoredEvent]) -> Iterator[Attempt]:
    """Give the unit other events: in the file alone, and with all computed again that lies below the checkpoint."""
    yield Attempt(printed(msgspec.structs.replace(GENUINE, events=tuple(own))))
    changed = Ledger(STORY)
    changed.units[1, 0][1:] = own
    yield Attempt(under_the_genuine_note(changed))


@attack("a hop dropped")
def dropped() -> Iterator[Attempt]:
    """Drop each event of the unit, and all from one on."""
    own = GENUINE.events
    for place in range(len(own)):
        yield from _with_events(own[:place] + own[place + 1 :])
        yield from _with_events(own[:place])


@attack("a hop repeated, reordered, or moved to another position")
def moved() -> Iterator[Attempt]:
    """Repeat, swap and move events of the unit."""
    own, end = GENUINE.events, len(HONEST.log)
    for place, item in enumerate(own):
        yield from _with_events((*own, StoredEvent(end, item.data)))
        for by in (-1, 1, 100):
            moved_to = StoredEvent(item.position + by, item.data)
            yield from _with_events((*own[:place], moved_to, *own[place + 1 :]))
    for one, other in itertools.combinations(range(len(own)), 2):
        found = list(own)
        found[one] = StoredEvent(own[one].position, own[other].data)
        found[other] = StoredEvent(own[other].position, own[one].data)
        yield from _with_events(found)


@attack("the hops of another unit spliced in")
def spliced() -> Iterator[Attempt]:
    """Replace the end of the path by that of the others."""
    own = GENUINE.events
    for other in ((1, 1), (1, 2), (1, 3), (2, 0)):
        for place in range(len(own) + 1):
            yield from _with_events((*own[:place], *HONEST.units[other][1:]))


@attack("a price changed, and everything below the checkpoint computed again")
def price() -> Iterator[Attempt]:
    """Change the price of each hop."""
    for item in HONEST.recorded:
        if isinstance(item.event, events.TitleEvent | events.TransferOffered):
            changed = repriced(item.position, 9_900)
            yield Attempt(printed(msgspec.structs.replace(GENUINE, events=tuple(changed.units[1, 0][1:]))))
            yield Attempt(under_the_genuine_note(changed))


@attack("another unit's genuine proof")
def another() -> Iterator[Attempt]:
    """Show the proof of every other unit, also with the number of this one in it."""
    for batch, number in HONEST.units:
        if (batch, number) != (1, 0):
            proof = HONEST.prove(batch, number)
            yield Attempt(printed(proof))
            yield Attempt(printed(msgspec.structs.replace(proof, unit=ZERO)))
            yield Attempt(
                printed(msgspec.structs.replace(GENUINE, unit=Unit(batch, number))), Unit(batch, number)
            )
            for path in (proof.custody, ()):
                both = msgspec.structs.replace(GENUINE, custody=path, unit=Unit(batch, number))
                yield Attempt(printed(both), Unit(batch, number))


@attack("a recall, a correction or a revocation withheld")
def withheld() -> Iterator[Attempt]:
    """Drop each event of the batch's and the parties' chains but the first."""
    recalled = HONEST.prove(1, 3)
    for proof, unit in ((GENUINE, ZERO), (recalled, Unit(1, 3))):
        for place in range(1, len(proof.batch_events)):
            kept = proof.batch_events[:place] + proof.batch_events[place + 1 :]
            yield Attempt(printed(msgspec.structs.replace(proof, batch_events=kept)), unit)
            changed = Ledger(STORY)
            del changed.batches[1][place]
            changed.append_seal()
            yield Attempt(printed(changed.prove(1, unit.number, note=NOTE)), unit)
    for name in HONEST.parties:
        for place in range(1, len(HONEST.parties[name])):
            changed = Ledger(STORY)
            del changed.parties[name][place]
            yield Attempt(under_the_genuine_note(changed))


@attack("a stale Sealed event under a fresh checkpoint")
def stale() -> Iterator[Attempt]:
    """Sign a tree that has grown since the seal, and seal an old position again after two days."""
    grown = honest()
    grown.log += [b"an event since"] * 3
    yield Attempt(printed(grown.prove()))
    early = Ledger(STORY.rsplit("\n", 2)[0])
    old = early.sealed()
    early.log = list(HONEST.log)
    yield Attempt(printed(early.append_seal(old, later=2 * DAY).prove()), later=2 * DAY)


@attack("two heads of a unit under one root")
def two_heads() -> Iterator[Attempt]:
    """Give the unit a second place in the tree of its batch, with another past, and prove that one."""
    for place in range(1, 8):
        changed = Ledger(STORY)
        for number in range(5, place + 1):
            changed.units[1, number] = list(changed.units[1, 4])
        changed.units[1, place] = changed.units[1, 0][:2]
        changed.sizes[1] = max(5, place + 1)
        changed.append_seal()
        second = changed.prove(1, place)
        yield Attempt(printed(second), Unit(1, place)) if place >= 5 else Attempt(printed(second))
        yield Attempt(printed(msgspec.structs.replace(second, unit=ZERO)))


@attack("a weak log key, under which one signature fits every message")
def weak() -> Iterator[Attempt]:
    """Name keys of small order and keys that are not canonical. Trust none, and the genuine log."""
    p = 2**255 - 19
    order_8 = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    for y, sign in itertools.product((0, 1, p - 1, p, p + 1, order_8, p - order_8), (0, 1)):
        data = (y | sign << 255).to_bytes(32, "little")
        key = VerifierKey(prover.ORIGIN, ED25519, data)
        signature = print_base64(key.id + data + bytes(32))
        text = "".join(
            f"\u2014 {prover.ORIGIN} {signature}\n" if line.startswith(f"\u2014 {prover.ORIGIN}") else line
            for line in FILE.decode().splitlines(keepends=True)
        ).replace(f"log {log_key()}", f"log {key}")
        for trust in (TRUST, Trust(), Trust(keys=(key,))):
            yield Attempt(text.encode(), trust=trust)


@attack("the key of another log, or another origin")
def other_log() -> Iterator[Attempt]:
    """Sign with another key under the same name, and under another name."""
    for signer, origin in (
        (prover.OTHER_LOG, prover.ORIGIN),
        (prover.OTHER_LOG, "other.example/book"),
        (prover.LOG, "other.example/book"),
    ):
        note = HONEST.checkpoint(signer, origin)
        keys = (
            log_key(signer, origin),
            log_key(),
            log_key(prover.OTHER_LOG),
            log_key(origin="other.example/book"),
        )
        for key in keys:
            yield Attempt(printed(HONEST.prove(note=note, key=key)))
            yield Attempt(printed(HONEST.prove(note=note, key=key)), trust=Trust(keys=(log_key(),)))
            yield Attempt(printed(HONEST.prove(note=note, key=key)), trust=Trust())
        yield Attempt(
            printed(HONEST.prove(note=note.with_signatures(NOTE.signatures), key=log_key(signer, origin)))
        )
    mixed = HONEST.checkpoint(prover.LOG, "other.example/book").text
    renamed = msgspec.structs.replace(NOTE, text=mixed)
    yield Attempt(printed(HONEST.prove(note=renamed)))
    signed = sign_note(mixed, log_key(), lambda message: prover.LOG.sign(message).signature)
    lines = [cosign(signed, prover.witness_key(name), 1, prover.signing(name)) for name in ("w1", "w2")]
    yield Attempt(printed(HONEST.prove(note=signed.with_signatures(lines))))


@attack("cosignatures that are missing, false, or of another checkpoint")
def cosignatures() -> Iterator[Attempt]:
    """Leave witnesses out, and take their signatures from elsewhere."""
    for names in ((), ("w1",), ("w2",), ("w3",), ("w1", "w3")):
        yield Attempt(printed(HONEST.prove(note=HONEST.checkpoint(witnesses=names))))
    signature, *lines = NOTE.signatures
    other = repriced(10, 1).append_seal().checkpoint()
    any_of = Trust(policy=parse_policy(policy_text(needed="any").encode()), max_age=DAY)
    for place, line in enumerate(lines):
        for false in (
            other.signatures[1 + place],
            msgspec.structs.replace(line, signature=line.signature[:-1]),
            msgspec.structs.replace(line, signature=bytes(8) + line.signature[8:]),
            msgspec.structs.replace(lines[1 - place], name=line.name, id=line.id),
        ):
            found = (signature, *lines[:place], false, *lines[place + 1 :])
            note = msgspec.structs.replace(NOTE, signatures=found)
            yield Attempt(printed(HONEST.prove(note=note)))
            yield Attempt(printed(HONEST.prove(note=note)), trust=any_of)


@attack("an event that repeats more bytes than a memory has")
def repeated_without_end() -> Iterator[Attempt]:
    """Name the same bytes as often as a file may: a small file would be 655 MB of one event."""
    head, rest = FILE.decode().split("\nbatch-events ", 1)
    count, *lines = rest.split("\n")
    first = print_base64(bytes(REPEATABLE_BYTES))
    repeats = f"(0:{REPEATABLE_BYTES})" * MAX_REPEATS
    left = lines[int(count) :]
    yield Attempt("\n".join([head, "batch-events 2", f"1 {first}", f"2 {repeats}", *left]).encode())
