"""All answers of a server beside those of a replay."""

import hashlib
import random
from collections import Counter

from google.protobuf.message import Message

from pathbook.client import Client
from pathbook.v1 import paths_pb2, values_pb2
from tests.contract.parts import WRITTEN_OFF, Unit, each
from tests.contract.replay import Replay


class Comparison:
    """Compares all answers of a server with a replay."""

    def __init__(self, client: Client, replay: Replay) -> None:
        self.client = client
        self.replay = replay
        self.compared: Counter[str] = Counter()
        self.differences: list[str] = []

    def same(self, what: str, where: object, expected: object, actual: object) -> None:
        """Compare two values."""
        self.compared[what] += 1
        if expected != actual:
            self.differences.append(f"{what} {where}: expected {expected!r}, actual {actual!r}")

    def same_message(self, what: str, where: str, expected: Message, actual: Message) -> None:
        """Compare two messages, field by field, and the notes of the actual one with their commitments."""
        for field in expected.DESCRIPTOR.fields:
            mine, theirs = getattr(expected, field.name), getattr(actual, field.name)
            name = f"{what}.{field.name}"
            if field.message_type and field.message_type.full_name.startswith("pathbook."):
                if field.name in ("note", "reversal_note"):
                    continue
                if field.is_repeated:
                    self.same(f"{name} (length)", where, len(mine), len(theirs))
                    for number, (a, b) in enumerate(zip(mine, theirs, strict=False)):
                        self.same_message(name, f"{where}[{number}]", a, b)
                    continue
                self.same(f"{name} (set)", where, expected.HasField(field.name), actual.HasField(field.name))
                self.same_message(name, where, mine, theirs)
                continue
            if field.has_presence and not field.message_type:
                self.same(f"{name} (set)", where, expected.HasField(field.name), actual.HasField(field.name))
            self.same(
                name,
                where,
                list(mine) if field.is_repeated else mine,
                list(theirs) if field.is_repeated else theirs,
            )

    def note(self, where: str, position: int, note: values_pb2.Note | None) -> None:
        """Compare a note with the commitment of its event."""
        expected = b""
        if position:
            event = self.replay.events[position][0]
            kind = event.WhichOneof("kind")
            assert kind is not None
            expected = getattr(getattr(event, kind), "note_commitment", b"")
        actual = b""
        if note is not None:
            actual = hashlib.sha256(b"\x02" + note.salt + note.text.encode()).digest()
        self.same("note", where, expected, actual)

    def everything(self) -> None:
        """Compare all."""
        for unit in self.replay.units.values():
            for corrections in (False, True):
                self.path(self.replay, unit, corrections=corrections)
        for number in self.replay.batches:
            answer = self.client.get_batch(number)
            self.same_message("batch", str(number), self.replay.batch(number, recalls=True), answer)
            for recall in answer.recalls:
                self.note(
                    f"recall {recall.position}",
                    recall.position,
                    recall.note if recall.HasField("note") else None,
                )
            self.ladder(number, [number])
        for gtin, product in self.replay.products.items():
            self.same_message("product", gtin, product, self.client.get_product(gtin))
            self.ladder(gtin, [n for n, b in self.replay.batches.items() if b.gtin == gtin])
        for party in self.replay.parties:
            self.same_message("party", party, self.replay.party(party), self.client.get_party(party))
            mine, theirs = self.replay.stock(party), list(self.client.list_stock(party))
            self.same(
                "stock (batches)", party, [s.batch.batch for s in mine], [s.batch.batch for s in theirs]
            )
            for a in mine:
                for b in theirs:
                    if a.batch.batch == b.batch.batch:
                        self.same_message("stock", f"{party} batch {a.batch.batch}", a, b)
            self.same(
                "open offers",
                party,
                [
                    t.transfer
                    for ts in reversed(self.replay.transfers.values())
                    for t in ts
                    if t.status == values_pb2.TRANSFER_STATUS_OFFERED and party in (t.giver, t.receiver)
                ],
                [
                    t.transfer
                    for t in self.client.list_transfers(party, status=values_pb2.TRANSFER_STATUS_OFFERED)
                ],
            )
        for position, transfers in self.replay.transfers.items():
            answers = self.client.get_transfer(position)
            self.same("transfer (lines)", position, len(transfers), len(answers))
            for mine_t, theirs_t in zip(transfers, answers, strict=False):
                where = f"transfer {position}"
                self.same_message("transfer", where, mine_t, theirs_t)
                self.note(
                    where, theirs_t.answered_position, theirs_t.note if theirs_t.HasField("note") else None
                )
                self.note(
                    where,
                    self.replay.reversals_asked.get(position, 0),
                    theirs_t.reversal_note if theirs_t.HasField("reversal_note") else None,
                )
        for code, case in self.replay.cases.items():
            answer_c = self.client.get_case(code)
            self.same("case.outer", code, case.outer, answer_c.outer)
            self.same("case.position", code, case.position, answer_c.position)
            self.same("case.cases", code, sorted(case.cases), sorted(answer_c.cases))
            self.same(
                "case.ranges",
                code,
                sorted(k for k in each(case.ranges) if self.replay.units[k].state not in WRITTEN_OFF),
                sorted(each(answer_c.ranges)),
            )

    def earlier(self, position: int, chance: random.Random) -> None:
        """Compare the paths of some units as of an earlier position."""
        old = Replay()
        for known in range(1, position + 1):
            old.apply(self.replay.events[known][1])
        for unit in chance.sample(list(old.units.values()), 15):
            for corrections in (False, True):
                self.path(old, unit, corrections=corrections, as_of=position)

    def path(self, replay: Replay, unit: Unit, *, corrections: bool, as_of: int = 0) -> None:
        """Compare the path of a unit."""
        answer = self.client.get_path(
            (unit.batch, unit.number), corrections=corrections, as_of_position=as_of
        )
        where = f"unit {unit.batch}:{unit.number} corrections={corrections} as_of={as_of}"
        self.same_message("run", where, replay.run(unit, cases=not as_of), answer.run)
        steps = replay.steps(unit, corrections=corrections)
        self.same(
            "steps",
            where,
            [(s.position, paths_pb2.PathStepKind.Name(s.kind)) for s in steps],
            [(s.position, paths_pb2.PathStepKind.Name(s.kind)) for s in answer.steps],
        )
        for step in answer.steps:
            kind = paths_pb2.PathStepKind.Name(step.kind)[15:]
            for mine in steps:
                if mine.position == step.position:
                    self.same_message("step", f"{kind} {step.position} of {where}", mine, step)
            self.note(
                f"step {kind} {step.position}", step.position, step.note if step.HasField("note") else None
            )
        self.same("as_of_position", where, as_of or replay.position, answer.as_of_position)
        batch = self.replay.batch_of_path(unit.batch, unit.number)
        self.same_message("path batch", where, batch, answer.batch)
        self.same_message("path product", where, self.replay.products[batch.gtin], answer.product)
        self.same("batch_correction", where, batch.corrected_position, answer.batch_correction.position)

    def ladder(self, of: int | str, batches: list[int]) -> None:
        """Compare a price ladder."""
        mine, theirs = self.replay.ladder(batches), list(self.client.get_ladder(of).rungs)
        self.same(
            "rungs",
            of,
            [(r.kind, r.tier, r.currency_code) for r in mine],
            [(r.kind, r.tier, r.currency_code) for r in theirs],
        )
        for a in mine:
            for b in theirs:
                if (a.kind, a.tier, a.currency_code) == (b.kind, b.tier, b.currency_code):
                    self.same_message("rung", f"{of} {a.kind} {a.tier} {a.currency_code}", a, b)
