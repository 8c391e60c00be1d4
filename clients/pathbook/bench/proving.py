"""The phases with signatures: signed statements in batches, and the proof of a unit with signed hops."""

import datetime
import itertools
import time
from typing import Final

from msgspec.structs import replace

from pathbook.bench import checks, moves, names, sealing
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.model import MismatchError
from pathbook.bench.moves import BRAND, TIERS, Goods, Move, agents
from pathbook.bench.plan import MOST_ENTRIES
from pathbook.client import select
from pathbook.client.party_keys import PartyKey
from pathbook.client.signing import sign_batch
from pathbook.ledger.proofs.cosignature import cosign
from pathbook.ledger.proofs.policy import Group
from pathbook.ledger.proofs.policy import Policy as Witnesses
from pathbook.ledger.proofs.signed_note import COSIGNATURE, VerifierKey
from pathbook.ledger.proofs.unit_proof import UnitProof, parse_unit_proof
from pathbook.verify.proof import Now, check_proof
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Policy, Verdict

FILE_STATEMENTS: Final = "/pathbook.v1.StatementService/FileStatements"

HOPS: Final = [BRAND, *(agents(tier)[0] for tier in range(1, TIERS + 1)), agents(TIERS)[1]]
"""Through whose hands the unit with the proof goes."""

WITNESSES: Final = 2
"""How many witnesses cosign the checkpoint of the proof."""


class Keys:
    """A key of each party on the way of the unit, registered in the book."""

    def __init__(self, bench: Bench) -> None:
        """Register the keys. The operator endorses that of the brand, and each party those of the next tier."""
        origin = bench.client.get_book().origin
        operator = PartyKey(origin, "", bench.random.randbytes(32))
        bench.client.register_key(operator, endorser=operator)
        self.of = {party: PartyKey(origin, party, bench.random.randbytes(32)) for party in HOPS}
        endorsers = [operator, *(self.of[party] for party in HOPS[:TIERS]), self.of[HOPS[TIERS - 1]]]
        for key, endorser in zip(self.of.values(), endorsers, strict=True):
            bench.client.register_key(key, endorser=endorser)
        bench.brand_key = self.of[BRAND]  # a party with a key signs all that it asks
        bench.wait_for_seal()


def record_signed(bench: Bench, keys: Keys) -> None:
    """Record in order, with one signature for each batch."""
    goods = moves.in_order(bench.random, bench.model.next_batch, bench.plan.seal_in_order)
    requests = [
        sign_batch(keys.of[BRAND], moves.entries(part, bench.random), BOOK).SerializeToString()
        for part in moves.parts(goods.moves, MOST_ENTRIES)
    ]
    read = checks.receipts_of_statements
    sealing.record(bench, names.SIGNED, goods.moves, requests, goods, FILE_STATEMENTS, read)


def prove(bench: Bench, keys: Keys) -> None:
    """Let a unit go through all parties, each hop signed by both. Measure its proof: made, verified, and its size."""
    batch = bench.model.next_batch
    goods = Goods(
        batch,
        1,
        [Move(*pair, ((batch, 0, 0),), moves.FIRST_PRICE_MINOR) for pair in itertools.pairwise(HOPS)],
    )
    bench.commission(goods, names.PROOF)
    for move in goods.moves:
        giver, receiver = (bench.client.with_options(signer=keys.of[party]) for party in move[:2])
        offered = giver.offer_transfer(
            giver=move.giver,
            receiver=move.receiver,
            units=select(ranges=move.ranges),
            unit_price=(move.price_minor, moves.CURRENCY),
        )
        receiver.accept_transfer(offered.receipt.position, receiver=move.receiver)
        bench.model.move(move)
    bench.wait_for_seal()
    made = bench.inside.proofs(BOOK, (batch, 0), bench.plan.proofs)
    bench.figures.add(names.proof("made"), "proofs", len(made), sum(made), made)
    proof = parse_unit_proof(bench.client.get_unit_proof((batch, 0)))
    _verify(bench, proof)


def _verify(bench: Bench, proof: UnitProof) -> None:
    """Let two witnesses cosign the proof, and verify it by a policy that demands both."""
    names_of = [f"witness-{number}.example" for number in range(WITNESSES)]
    signers = [PartyKey("", name, bench.random.randbytes(32)) for name in names_of]
    known = {key.party: VerifierKey(key.party, COSIGNATURE, key.key) for key in signers}
    now = time.time_ns() // 1_000
    note = proof.seal.checkpoint
    lines = [cosign(note, known[key.party], now // 1_000_000, key.sign) for key in signers]
    proof = replace(proof, seal=replace(proof.seal, checkpoint=note.with_signatures(lines)))
    log = VerifierKey.parse(bench.client.get_log_key())
    trust = Trust(
        policy=Witnesses(
            logs=(log,), witnesses=known, groups={"all": Group(WITNESSES, tuple(known))}, quorum="all"
        )
    )
    data, limits = str(proof).encode(), Policy(min_signatures=2)
    today = datetime.datetime.now(datetime.UTC).date()
    used = []
    for _ in range(bench.plan.proofs):
        began = time.process_time()
        report, _path = check_proof(data, None, trust, Now(now, today), limits)
        used.append(time.process_time() - began)
        if report.verdict is not Verdict.VERIFIED:
            raise MismatchError(names.PROOF, f"the verdict on the proof is {report.verdict}: {report.reason}")
    bench.figures.add(names.proof("verified"), "proofs", len(used), sum(used), used)
    bench.proof_bytes = {
        "without the chains of parties": len(str(replace(proof, parties=()))),
        "whole": len(data),
    }
