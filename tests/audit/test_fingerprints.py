"""The views of a server have the fingerprint that an auditor computes from the events, until they are edited."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from pathbook.audit import replaying
from pathbook.audit.auditor import Auditor
from pathbook.audit.differences import DifferenceError, LaterError, Rule, UncheckableError
from pathbook.audit.fingerprints import book_fingerprint
from pathbook.audit.replaying import Audited, Replay
from pathbook.audit.sources import of_server
from pathbook.client import Client
from pathbook.ledger.projections.fingerprints import PresentRun, joined_runs, runs_fingerprint
from pathbook.ledger.queries import fingerprints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import tables
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.proofs_pb2 import GetFingerprintResponse
from pathbook.verify.trust import Trust
from tests.audit import honest_book, signed_books
from tests.audit.guards import guards, without
from tests.audit.sealed_books import SealedBook
from tests.books import DATABASE_FILE, engine
from tests.services.masks import refused

ENTRIES: Final = SealedBook(5, 400).entries
BOOK: Final = "book"


@contextlib.contextmanager
def served(place: Path, entries: list[tuple[str, bytes]]) -> Iterator[Client]:
    """Serve a book of these events, and yield a client once its views have all of them."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        events = engine(place, "events")
        with contextlib.closing(Stream(events)) as stream:
            stream.append(BOOK, 0, entries)
        events.dispose()
        until, quiet = time.monotonic() + 20, 0.0
        while time.monotonic() < quiet or not quiet:  # the server lets offers lapse that are due
            assert time.monotonic() < until
            head = client.get_head()
            if head.position > client.position or head.views_position < head.position:
                client.position, quiet = head.position, time.monotonic() + 0.7
            time.sleep(0.02)
        yield client


def replayed(client: Client) -> Auditor:
    """Return an auditor that has replayed the book of a client."""
    auditor = Auditor()
    for batch in client.read():
        for data in batch.events:
            auditor.take(data)
    return auditor


def audited(client: Client, replay: Replay | None = None) -> Audited:
    """Audit the server of a client."""
    return (replay or Replay()).run(of_server(client), (), Trust())


def edit(place: Path, *statements: sa.Update | sa.Delete | sa.Insert) -> None:
    """Edit the tables of the views behind the server's back."""
    views = engine(place, "views")
    with views.begin() as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
    views.dispose()


EDITS: Final[list[tuple[Callable[[], sa.Update | sa.Delete], str]]] = [
    (lambda: _run().values(owner="zoe"), "batch {batch} (units {first}-{last})"),
    (lambda: _run().values(custodian="zoe"), "batch {batch} (units {first}-{last})"),
    (lambda: _run().values(state=_CHOSEN["state"]), "batch {batch} (units {first}-{last})"),
    (lambda: _run().values(transfer=7, hop="7,1,0"), "batch {batch} (units {first}-{last})"),
    (lambda: _run().values(head=bytes(32)), "batch {batch} (units {first}-{last})"),
    (lambda: _run().values(position=1), "batch {batch} (units {first}-{last})"),
    (lambda: sa.delete(tables.RUN).where(*_of_run()), "batch {batch} (units {first}-{last})"),
    (lambda: sa.update(tables.BATCH).where(tables.BATCH.c.batch == 2).values(brand="zoe"), "batch 2 (its register"),
    (lambda: sa.update(tables.BATCH).where(tables.BATCH.c.batch == 2).values(suggested_minor=1), "batch 2 (its"),
    (lambda: sa.delete(tables.BATCH).where(tables.BATCH.c.batch == 2), "batch 2, which it leaves out"),
    (lambda: sa.delete(tables.RECALL), "(its register, recalls or cases)"),
    (lambda: sa.delete(tables.CASE_RANGE), "(its register, recalls or cases)"),
    (lambda: sa.update(tables.PARTY).where(tables.PARTY.c.party == "ann").values(kind=1), "ann"),
    (lambda: sa.delete(tables.PARTY).where(tables.PARTY.c.party == "ann"), "ann, which it leaves out"),
    (lambda: sa.update(tables.AUTHORIZATION).values(tier=9), "another state of"),
    (lambda: sa.update(tables.AUTHORIZATION).values(region="mars"), "another state of"),
    (lambda: sa.update(tables.KEY).values(revoked_position=1, revoked_at=1), "another state of"),
    (lambda: sa.delete(tables.KEY), "another state of"),
]  # fmt: skip
"""Edits of the views, and what the difference must name."""

_CHOSEN: Final[dict[str, int]] = {}


def _of_run() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        tables.RUN.c.batch == _CHOSEN["batch"],
        tables.RUN.c.first == _CHOSEN["first"],
        tables.RUN.c.valid_to.is_(None),
    )


def _run() -> sa.Update:
    return sa.update(tables.RUN).where(*_of_run())


def test_an_edited_table_is_found(place: Path) -> None:
    """A busy book is the same for server and auditor. Then each table is edited, found by name, and put back."""
    with served(place, ENTRIES) as client:
        head = client.position
        assert audited(client).compared_at == head
        (fingerprint, again) = (client.get_fingerprint().fingerprint for _ in range(2))
        assert fingerprint == again
        listed = list(client.list_fingerprints(page_size=3))
        assert [item.batch for item in listed if item.batch] == sorted({item.batch for item in listed} - {0})
        assert {item.position for item in listed} == {head}
        batch = next(item for item in listed if item.runs > 2)
        auditor = replayed(client)
        run = auditor.book.state.partitions[batch.batch].runs[1]
        _CHOSEN.update(batch=batch.batch, first=run.first, last=run.last, state=run.state.value % 3 + 1)
        kept = _rows(place)
        _require_guard(place, client)
        _put_back(place, kept, (tables.RUN,))
        is_sqlite = not (place / DATABASE_FILE).exists()
        for statement, named in EDITS[:: 1 if is_sqlite else 4]:
            edit(place, statement())
            with pytest.raises(DifferenceError) as error:
                pytest.fail(f"{statement()}: {audited(client)}")
            assert error.value.difference.rule is Rule.FINGERPRINT
            assert error.value.difference.position == head
            assert named.format(**_CHOSEN) in error.value.difference.found, statement()
            _put_back(place, kept, (statement().table,))
        assert audited(client).compared_at == head


EDITED: Final = (
    tables.RUN, tables.BATCH, tables.RECALL, tables.CASE_RANGE, tables.PARTY, tables.AUTHORIZATION, tables.KEY,
)  # fmt: skip


def _require_guard(place: Path, client: Client) -> None:
    """Show that without the comparison of fingerprints, an edited table is not found."""
    edit(place, _run().values(owner="zoe"))
    module = "pathbook.audit.fingerprints"
    (guard,) = (each for each in guards([module]) if "book_fingerprint" in each.condition)
    with without(guard, [module, "pathbook.audit.replaying"]):
        assert replaying.Replay().run(of_server(client), (), Trust()).compared_at == client.position


def _rows(place: Path) -> dict[str, list[dict[str, object]]]:
    views = engine(place, "views")
    with views.connect() as connection:
        found = {
            table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
            for table in EDITED
        }
    views.dispose()
    return found


def _put_back(
    place: Path, kept: dict[str, list[dict[str, object]]], edited: Sequence[sa.FromClause] = EDITED
) -> None:
    views = engine(place, "views")
    with views.begin() as connection:
        for table in EDITED:
            if table in edited:
                connection.execute(sa.delete(table))
                if kept[table.name]:
                    connection.execute(sa.insert(table), kept[table.name])
    views.dispose()


@pytest.mark.parametrize("log", [honest_book.LOG, signed_books.LOG])
def test_the_server_and_the_auditor_agree_on_all_kinds_of_events(
    tmp_path: Path, log: tuple[bytes, ...]
) -> None:
    """A book with every kind of event, and one whose parties sign, have one fingerprint."""
    with served(tmp_path, [("event", data) for data in log]) as client:
        assert client.get_fingerprint().fingerprint == book_fingerprint(replayed(client).book)


def test_ranges_are_compared_alone_and_refused_by_name(tmp_path: Path) -> None:
    """The fingerprint of units is that of their runs cut to them. Units that are not there are refused."""
    with served(tmp_path, ENTRIES) as client:
        auditor = replayed(client)
        partition = auditor.book.state.partitions[1]
        last = partition.runs[-1].last
        for first, end in ((0, 0), (0, last), (1, last - 1), (last, last)):
            runs = [
                PresentRun(
                    run.first, run.last, run.owner, run.custodian, run.state.value, run.transfer,
                    run.last_hop.transfer if run.last_hop else 0, run.last_hop.moved_from if run.last_hop else "",
                    run.position, run.head,
                )
                for run in partition.overlapping(first, end)
            ]  # fmt: skip
            found = client.get_fingerprint((1, first, end))
            assert found.fingerprint == runs_fingerprint(runs, first, end)
        for units, reason in (
            ((1, 3, 2), "RANGE_REVERSED"),
            ((1, -1, 2), "RANGE_REVERSED"),
            ((1, 0, last + 1), "RANGE_BEYOND_BATCH"),
        ):
            with refused(reason):
                client.get_fingerprint(units)
        with Client(client.target, book="none", retry_seconds=0) as stranger:
            for call in (stranger.get_fingerprint, lambda: list(stranger.list_fingerprints())):
                with pytest.raises(Exception, match="BOOK_UNKNOWN"):
                    call()


def test_how_runs_are_cut_makes_no_difference() -> None:
    """Neighbors that are equal are one run, and a run is cut to the units that are asked for."""
    facts = ("ann", "ann", 1, 5, 5, "acme", 5, bytes(32))
    other = PresentRun(6, 9, "bob", *facts[1:])
    whole = [PresentRun(0, 5, *facts), other]
    cut = [PresentRun(0, 2, *facts), PresentRun(3, 3, *facts), PresentRun(4, 5, *facts), other]
    assert list(joined_runs(cut)) == whole
    assert runs_fingerprint(cut, 1, 7) == runs_fingerprint(whole, 1, 7)
    assert runs_fingerprint(cut, 1, 7) != runs_fingerprint(whole, 0, 7)
    assert runs_fingerprint(cut[1:2], 3, 3) == runs_fingerprint(whole[:1], 3, 3)


def test_pages_end_after_a_bounded_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends once it has examined many runs, and all pages together have each batch and party once."""
    with served(tmp_path, ENTRIES) as client:
        once = list(client.list_fingerprints())
        monkeypatch.setattr(fingerprints, "EXAMINED_RUNS_MAX", 2)
        monkeypatch.setattr(fingerprints, "ROWS_AT_ONCE", 3)
        assert list(client.list_fingerprints()) == once
        assert client.get_fingerprint().fingerprint


def test_views_that_cannot_be_compared_now_are_no_difference(tmp_path: Path) -> None:
    """A server that answers of an earlier position, or whose views lag, is asked again later."""
    with served(tmp_path, ENTRIES) as client:

        class Lagging(Client):
            """A client of a server that answers of the position before."""

            def get_fingerprint(self, units: tuple[int, int, int] | None = None) -> GetFingerprintResponse:
                """Return another position."""
                found = super().get_fingerprint(units)
                found.position -= 1
                return found

        with Lagging(client.target, book=BOOK, retry_seconds=0) as lagging, pytest.raises(UncheckableError):
            audited(lagging)
        assert issubclass(LaterError, UncheckableError)
