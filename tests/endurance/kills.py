"""Kills servers, sealing followers, what builds reports, imports and publishers, and counts what was lost or doubled.

``python -m tests.endurance.kills --kills 400`` divides the kills between SQLite and PostgreSQL, and prints the counts.
Callers write all the time, each request with an id of its own, and remember every answer. At the end the book is
compared with these answers, with the imported sheets, with views that are rebuilt from its events, and with every
checkpoint that was published.
"""

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client, price, select
from pathbook.ledger.requests import request_of
from pathbook.v1 import transfers_pb2
from tests.books import DATABASE_FILE, PATIENCE
from tests.endurance import comparing
from tests.endurance.publications import Publications
from tests.endurance.sheets import BOOK, SHEET_ROWS, run_verb, write_sheet
from tests.postgres import drop_database, new_database
from tests.services.forking import PipedFork
from tests.services.masks import begin, boxes, yuan
from tests.services.process import COMMAND, Running

BOXES: Final = 1_000_000
"""How many boxes the batch has: more than the callers give away."""

SINGLE_WRITERS: Final = 2
"""How many callers record one transfer at a time, each in a tenth of the boxes."""

BATCH_ENTRIES: Final = 40
"""How many transfers the caller of batches sends at once."""

PAUSE_MAX_S: Final = 2.0
"""The longest pause between two kills. A server starts in about half of it, so some are killed before they listen."""

QUIET_S: Final = 0.05
"""The pause of each caller between two writes, so that the book stays small enough to be compared quickly."""

FOLLOWERS: Final = {"follower": "--no-reports", "reports": "--only-reports"}
"""The processes that follow the book, and the option of each."""

VICTIMS: Final = ("server", *FOLLOWERS, "importer", "publisher")


class Tally(msgspec.Struct):
    """What happened, and what was found at the end."""

    kills: Counter[str] = msgspec.field(default_factory=Counter)
    answered: int = 0
    sheets: int = 0
    events: int = 0
    backed_up: int = 0
    lost: int = 0
    doubled: int = 0
    checkpoints: int = 0
    contradicted: int = 0
    views_differ: bool = False

    def __str__(self) -> str:
        """Return the counts as a line."""
        killed = ", ".join(f"{name} {self.kills[name]}" for name in VICTIMS)
        views = "differ from" if self.views_differ else "equal"
        return (
            f"{self.kills.total()} kills ({killed}); {self.answered} answered requests and {self.sheets} sheets of"
            f" {SHEET_ROWS} rows in {self.events} events: lost {self.lost}, doubled {self.doubled};"
            f" {self.checkpoints} published checkpoints: contradicted {self.contradicted};"
            f" the backup under load has the first {self.backed_up} events, restored with equal fingerprints;"
            f" the views {views} those rebuilt"
        )


class Life:
    """A place with a server, a follower that seals, one for reports, an import and a publisher, which may be killed.

    Callers write meanwhile.
    """

    def __init__(self, place: Path, sheets: Path, command: Sequence[str] = COMMAND) -> None:
        """Start everything, and open the book. The command is that of the server."""
        self.place, self._sheets, self._command = place, sheets, command
        self.answers: dict[bytes, int] = {}
        self.tally = Tally()
        self._stopping, self._noting = threading.Event(), threading.Lock()
        self._server = self._serve("127.0.0.1:0")
        self.target = str(self._server.wait_for("listening")["address"])
        self._followers = {name: self._follow(name) for name in FOLLOWERS}
        with self.client() as client:
            begin(client, BOXES)
        self._importer: PipedFork | None = None
        self.publications = Publications(sheets.with_name(f"{sheets.name}-published"), self.target)
        self.errors: list[BaseException] = []
        works = [*([self._write_singles] * SINGLE_WRITERS), self._write_batches, self._write_offers]
        self._threads = [
            threading.Thread(target=self.work, args=(work, number)) for number, work in enumerate(works)
        ]
        self._threads += [
            threading.Thread(target=self.work, args=(work, 0))
            for work in (self._import_sheets, self._publish)
        ]
        for thread in self._threads:
            thread.start()

    def client(self) -> Client:
        """Return a client that waits for a server as long as it takes."""
        return Client(self.target, book=BOOK, retry_seconds=2 * PATIENCE)

    def _serve(self, listen: str) -> Running:
        return Running(self.place, "serve", "--listen", listen, "--no-follow", command=self._command)

    def _follow(self, name: str) -> Running:
        return Running(self.place, "views", "follow", FOLLOWERS[name])

    def kill(self, victim: str) -> None:
        """Kill a process (kill -9), and start it again at once."""
        match victim:
            case "server":
                self._server.kill()
                self._server = self._serve(self.target)
            case "follower" | "reports":
                self._followers[victim].kill()
                self._followers[victim] = self._follow(victim)
            case "publisher":
                while not self.publications.kill() and not self.errors:
                    time.sleep(QUIET_S)  # one command has ended, and the next one starts
            case _:
                if (importer := self._importer) is not None:
                    importer.kill()  # the thread of the sheets starts it again
        self.tally.kills[victim] += 1

    def wait_for_answers(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        wanted, until = len(self.answers) + count, time.monotonic() + PATIENCE
        while len(self.answers) < wanted:
            assert time.monotonic() < until, (len(self.answers), wanted)
            time.sleep(QUIET_S)

    def back_up(self, to: Path) -> None:
        """Back up the book while it is written, and while processes are killed. It holds all answers before it."""
        with self._noting:
            before = max(self.answers.values(), default=0)
        run_verb("backup", str(to), "--without-keys", *self._options())
        manifest = msgspec.json.decode((to / "manifest.json").read_bytes())
        (book,) = manifest["books"]
        self.tally.backed_up = book["head"]
        assert before <= book["head"], "the backup lacks an event that was answered before it began"

    def _options(self) -> list[str]:
        named = self.place / DATABASE_FILE
        database = ["--database", named.read_text("utf-8")] if named.exists() else []
        return ["--data", str(self.place), *database]

    def stop_writing(self) -> None:
        """Let the callers finish their request, and the import its sheet."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(4 * PATIENCE)
            assert not thread.is_alive(), "a caller still waits for its answer"
        if self.errors:
            raise self.errors[0]

    def stop(self) -> None:
        """Stop all processes."""
        self._stopping.set()
        for process in (self._server, *self._followers.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.terminate()
            process.kill()

    def work(self, work: Callable[[int], None], number: int) -> None:
        """Do what a thread does. An error ends the run at its end."""
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - the run fails with it at its end
            self.errors.append(error)

    def _note(self, actor: str, request_id: str, position: int) -> None:
        with self._noting:
            before = self.answers.setdefault(request_of(actor, request_id), position)
            assert before == position, f"request {request_id} was answered with {before} and {position}"

    def _write_singles(self, number: int) -> None:
        with self.client() as client:
            box = number * (BOXES // 10)
            while not self._stopping.wait(QUIET_S):
                name = f"single {number}/{box}"
                response = client.record_transfer(
                    giver="acme", receiver="ann", units=boxes(box, box), unit_price=yuan(150), request_id=name
                )
                self._note("acme", name, response.receipt.position)
                box += 1

    def _write_batches(self, number: int) -> None:
        with self.client() as client:
            for results in client.record_transfers(self._batches(number * (BOXES // 10))):
                for result in results:
                    assert result.WhichOneof("result") == "receipt", result
                    self._note("acme", self._sent.pop(0), result.receipt.position)

    def _batches(self, box: int) -> Iterator[list[transfers_pb2.RecordTransferRequest]]:
        self._sent: list[str] = []
        while not self._stopping.wait(4 * QUIET_S):
            names = [f"batch {box + place}" for place in range(BATCH_ENTRIES)]
            self._sent += names
            yield [
                transfers_pb2.RecordTransferRequest(
                    request_id=name,
                    giver="acme",
                    receiver="bob",
                    units=select(ranges=[(1, box + place, box + place)]),
                    unit_price=price((15_000, "CNY")),
                )
                for place, name in enumerate(names)
            ]
            box += BATCH_ENTRIES

    def _write_offers(self, number: int) -> None:
        with self.client() as client:
            box = number * (BOXES // 10)
            while not self._stopping.wait(QUIET_S):
                name = f"offer {box}"
                offered = client.offer_transfer(
                    giver="acme",
                    receiver="ann",
                    units=boxes(box, box + 9),
                    unit_price=yuan(150),
                    request_id=name,
                ).receipt.position
                self._note("acme", name, offered)
                answer = client.accept_transfer(offered, receiver="ann", request_id=name)
                self._note("ann", name, answer.receipt.position)
                box += 10

    def _import_sheets(self, _number: int) -> None:
        while not self._stopping.is_set():
            sheet = write_sheet(self._sheets, self.tally.sheets)
            while self._import(sheet) != 0:
                pass
            self.tally.sheets += 1

    def _publish(self, _number: int) -> None:
        while not self._stopping.wait(QUIET_S):
            self.publications.publish()

    def _import(self, sheet: Path) -> int:
        """Import a sheet to its end, or until it is killed. Return the exit code."""
        options = ("import", str(sheet), "--recipe", "iowa", "--server", self.target, "--book", BOOK)
        self._importer = PipedFork(*options)
        _, told = self._importer.communicate()
        code = self._importer.returncode
        assert code in (0, 4, -9), (code, told)
        return code


def live(place: Path, sheets: Path, kills: int, chance: random.Random, *, progress: bool = False) -> Tally:
    """Let a book in a place live through kills, and compare it."""
    life = Life(place, sheets)
    try:
        backup = sheets.with_name(f"{sheets.name}-backup")
        backing_up = threading.Thread(target=life.work, args=(lambda _: life.back_up(backup), 0))
        for count in range(kills):
            if count == kills // 2:
                backing_up.start()
            time.sleep(chance.uniform(0.0, PAUSE_MAX_S))
            life.kill(chance.choice(VICTIMS))
            if progress and count % 10 == 9:
                print(f"{count + 1} of {kills} kills", file=sys.stderr)
            if life.errors:
                raise life.errors[0]
        backing_up.join(4 * PATIENCE)
        life.stop_writing()
        comparing.compare(life)
        comparing.compare_backup(life, backup, sheets.with_name(f"{sheets.name}-restored"))
    finally:
        life.stop()
    return life.tally


def main() -> None:
    """Run with the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=300, help="on both databases together")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(prefix="pathbook-kills-") as directory:
            place, sheets = Path(directory, "place"), Path(directory, "sheets")
            place.mkdir(mode=0o700)
            sheets.mkdir()
            url = new_database() if kind == "postgresql" else ""
            if url:
                (place / DATABASE_FILE).write_text(url, "utf-8")
            chance = random.Random(f"{arguments.seed} {kind}")
            print(f"{kind}: {live(place, sheets, arguments.kills // 2, chance, progress=True)}", flush=True)
            if url:
                drop_database(url)


if __name__ == "__main__":
    main()
