"""The phases of a server as other machines reach it: with TLS, tokens and limits, in turns with one that has none."""

from pathlib import Path
from typing import Final

import grpc

from pathbook.bench import checks, moves, names, recording
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.load import Guard
from pathbook.bench.plan import IN_FLIGHT, MOST_ENTRIES
from pathbook.client import Client
from pathbook.client.options import BATCHES_AHEAD

AT_ONCE: Final = IN_FLIGHT[1]
"""How many single calls are in flight."""

ADDRESS: Final = "192.0.2.1"
"""From where the load calls, as the server believes: of callers on its own machine, most limits do not count."""

LIMITS: Final = '[operator]\ncalls = "1000000/second"\nbytes = "10000000000/second"\n'
"""Limits that are counted and never reached."""


class Guarded:
    """A server with TLS, tokens and limits on the books of a bench. It follows no views, as the one without."""

    def __init__(self, bench: Bench, directory: Path) -> None:
        """Start it. Its certificate, key and limits lie in a directory."""
        chain, key = bench.inside.certificate(directory)
        limits = directory / "limits.toml"
        limits.write_text(LIMITS, "utf-8")
        options = ["--cert", str(chain), "--cert-key", str(key), "--limits", str(limits)]
        self.server = bench.serve("guarded", "--trusted-proxy", "127.0.0.1", *options)
        token = (bench.books / "operator.token").read_text("ascii").strip()
        pem = chain.read_bytes()
        bench.load.guard(
            self.server.address,
            Guard(pem, (("authorization", f"Bearer {token}"), ("x-forwarded-for", ADDRESS))),
        )
        credentials = grpc.ssl_channel_credentials(pem)
        self.client = Client(self.server.address, book=BOOK, token=token, credentials=credentials)

    def stop(self, bench: Bench) -> None:
        """Stop it."""
        self.client.close()
        bench.load.disconnect(self.server.address)
        self.server.stop()


def beside_open(bench: Bench, guarded: Guarded, turn: int) -> None:
    """Record in batches and in single calls, at the guarded server and at the open one. They take turns to be first."""
    both = [
        (names.OPEN, names.OPEN_CALLS, bench.server.address, bench.client),
        (names.GUARDED, names.GUARDED_CALLS, guarded.server.address, guarded.client),
    ]
    for in_batches, in_calls, target, client in both[:: -1 if turn % 2 else 1]:
        goods = moves.draw(
            bench.random, bench.model.next_batch, recording.USUAL, bench.plan.guarded_transfers
        )
        requests = moves.batched(BOOK, goods.moves, MOST_ENTRIES, bench.random)
        # by this server, which so reads what the other one recorded before the clock starts
        bench.commission(goods, in_batches, client)
        result = bench.load.stream(target, recording.RECORD_MANY, requests, BATCHES_AHEAD)
        recording.check_and_note(bench, in_batches, goods, result, checks.receipts_of_batches)
        goods = moves.draw(
            bench.random, bench.model.next_batch, recording.USUAL, bench.plan.guarded_calls, hops=1
        )
        requests = moves.single(BOOK, goods.moves, bench.random)
        bench.commission(goods, in_calls, client)
        result = bench.load.calls(target, recording.RECORD, requests, AT_ONCE)
        recording.check_and_note(bench, in_calls, goods, result, checks.receipts_of_calls)
