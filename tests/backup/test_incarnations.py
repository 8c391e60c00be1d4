"""A restored book is another incarnation, and readers that know more than was restored are told so."""

import itertools
import json
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError
from pathbook.ledger.store.log.incarnation import Incarnation, Lineage
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT
from tests.backup.places import Place, begun, sold
from tests.services.masks import BEGUN, opened


def test_what_two_histories_share_ends_at_the_earliest_restore_between_them() -> None:
    """An incarnation shares with the present one what every restore since then took over."""
    lineage = Lineage(
        (Incarnation("a", 0), Incarnation("b", 300), Incarnation("c", 200), Incarnation("d", 250))
    )
    assert lineage.present == "d"
    assert [lineage.shared_with(other) for other in "abcde"] == [200, 200, 250, None, 0]


def test_a_consumer_is_told_of_another_history(books: Place, empty: Place, to: Path) -> None:
    """A reader that holds more than was restored is refused by name, also once the new history is longer."""
    with books.served() as client:
        sold(client, 0, 9)
        backed_up = client.get_head()
    assert books.back_up(to).books[0].head == backed_up.position == BEGUN + 10
    with books.served() as client:
        sold(client, 10, 29)
        read = list(client.read())
        assert {batch.incarnation for batch in read} == {backed_up.incarnation}
    lost = BEGUN + 20
    restored = empty.restore(to, file=books.data / "codes.key")
    with empty.served() as client:
        new = restored.incarnations["masks"]
        assert client.get_head().incarnation == client.get_book().incarnation == new != backed_up.incarnation
        assert [book.incarnation for book in client.list_books()] == [new]
        for number in range(40):
            client.register_party(f"later-{number}", PARTY_KIND_AGENT)
            if number % 13 == 0:
                assert refused(client, lost, backed_up.incarnation) == BEGUN + 10
        assert client.get_head().position > lost + 10
        assert refused(client, lost, backed_up.incarnation) == BEGUN + 10
        assert refused(client, BEGUN + 11, backed_up.incarnation) == BEGUN + 10
        assert refused(client, 1, "0123456789abcdef") == 0
        for after in (BEGUN + 10, BEGUN):
            read_on = next(client.read(after, incarnation=backed_up.incarnation))
            told = next(client.subscribe(after, incarnation=backed_up.incarnation))
            assert (read_on.first_position, read_on.incarnation) == (after + 1, new)
            assert (told.first_position, told.incarnation) == (after + 1, new)
        assert next(client.read(lost, incarnation=new)).first_position == lost + 1
        assert next(client.read(lost)).first_position == lost + 1


def refused(client: Client, after: int, incarnation: str) -> int:
    """Expect that both streams refuse to go on after a position, and return what they say is shared."""
    told = set()
    for stream in (
        client.read(after, incarnation=incarnation),
        client.subscribe(after, incarnation=incarnation),
    ):
        with pytest.raises(RefusedError) as error:
            next(stream)
        assert (error.value.reason, error.value.code) == ("ANOTHER_HISTORY", StatusCode.FAILED_PRECONDITION)
        assert (error.value.metadata["book"], error.value.metadata["incarnation"]) == ("masks", incarnation)
        shared = error.value.metadata["shared_position"]
        assert f"Drop everything after {shared} and resume from there." in error.value.message
        told.add(int(shared))
    (shared_position,) = told
    return shared_position


def test_a_restored_book_is_restored_again(books: Place, empty: Place, tmp_path: Path, to: Path) -> None:
    """The backup of a restored book knows its incarnations, and a restore of it adds one more."""
    first = books.back_up(to)
    one = empty.restore(to, file=books.data / "codes.key").incarnations["masks"]
    with empty.served() as client:
        sold(client, 0, 4)
    again = tmp_path / "again"
    assert empty.back_up(again).books[0].incarnation == one
    if not empty.database:
        two = Place(tmp_path / "two", "")
        two.restore(again, file=books.data / "codes.key")
        with two.served() as client:
            sold(client, 5, 9)
            assert refused(client, BEGUN + 1, first.books[0].incarnation) == BEGUN
            assert refused(client, BEGUN + 6, one) == BEGUN + 5


def test_a_book_that_is_opened_again_is_another_one(tmp_path: Path) -> None:
    """Two books with one name have other incarnations, because their first events differ."""
    found = set()
    for name in ("one", "two"):
        begun(Place(tmp_path / name, ""))
        with opened(tmp_path / name) as client:
            found.add(client.get_head().incarnation)
    assert len(found) == 2


def test_a_client_remembers_the_incarnation_when_it_reconnects(tmp_path: Path) -> None:
    """A subscription that a restart broke does not go on with another history."""
    for name in ("one", "two"):
        begun(Place(tmp_path / name, ""))
    with opened(tmp_path / "one") as client:
        port = int(client.target.rpartition(":")[2])
        reader = Client(f"127.0.0.1:{port}", book="masks", retry_seconds=30)
        batches = reader.subscribe()
        assert next(batches).next_after_position == BEGUN
    from pathbook.services.run.in_thread import running  # noqa: PLC0415 - the server that takes its place
    from pathbook.services.run.settings import Settings  # noqa: PLC0415 - as above

    with running(Settings(data=tmp_path / "two", listen=f"127.0.0.1:{port}")):
        with pytest.raises(RefusedError) as error:
            list(itertools.islice(batches, 3))
        assert error.value.reason == "ANOTHER_HISTORY"
    reader.close()


def test_the_command_line_prints_and_takes_the_incarnation(books: Place, empty: Place, to: Path) -> None:
    """A script that keeps lines of events resumes with the incarnation of the last, and is told by exit code 1."""
    books.back_up(to)
    lines = books.pathbook("events", "read", "--book", "masks", "--output", "jsonl").out.splitlines()
    old = json.loads(lines[-1])["incarnation"]
    with books.served() as client:
        sold(client, 0, 1)
    new = empty.restore(to, file=books.data / "codes.key").incarnations["masks"]
    with empty.served() as client:
        sold(client, 0, 4)
    after = ["--book", "masks", "--output", "jsonl", "events", "read", "--after", str(BEGUN + 2)]
    ran = empty.pathbook(*after, "--incarnation", old)
    assert (ran.code, ran.out) == (1, "")
    assert '"reason": "ANOTHER_HISTORY"' in ran.err
    assert f'"incarnation": "{new}"' in empty.pathbook(*after, "--incarnation", new).out
    assert new in empty.pathbook("book", "show", "masks").out
