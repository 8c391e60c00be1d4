"""Keys of codes have generations: a new key is for new batches, and old labels go on."""

import contextlib
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError, select
from pathbook.ledger.serials import (
    MAX_KEYS,
    BookKey,
    fingerprint,
    parse_key_ring,
    print_book_key,
    print_serial,
)
from pathbook.services import code_keys
from pathbook.services.key_file import KEY_FILE, KeyFileFullError, UnusableKeyError, add_key, make_key
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE, begin_with_key
from pathbook.v1 import batches_pb2
from pathbook.v1.transfers_pb2 import DiscrepancyClaim
from pathbook.v1.values_pb2 import DISCREPANCY_KIND_DAMAGED, Selection
from tests.postgres import drop_database, new_database
from tests.services.masks import BEGUN, BOOK, CASE, MADE_ON, MASK, SIZE, begin, boxes, opened, refused, yuan

MISSING, UNAVAILABLE = StatusCode.NOT_FOUND, StatusCode.UNAVAILABLE


def make(client: Client, lot: str) -> int:
    """Commission a batch of a lot, and return its number. The lot is the request id."""
    return client.commission_batch(
        MASK, brand="acme", lot=lot, size=SIZE, made_on=MADE_ON, request_id=f"lot {lot}"
    ).batch


def code_of(client: Client, batch: int, number: int = 0) -> str:
    """Return the code that the server prints for a unit."""
    return next(client.list_codes(batch, number, number)).serials[0]


def keys_of(data: Path) -> list[BookKey]:
    """Return the keys in a directory, as a thief of the file would read them."""
    return list(parse_key_ring((data / KEY_FILE).read_text()).by_fingerprint.values())


def give(client: Client, units: Selection) -> object:
    """Transfer units to ann."""
    return client.record_transfer(giver="acme", receiver="ann", units=units, unit_price=yuan(150))


def test_a_new_key_is_for_new_batches_and_old_labels_go_on(client: Client, data: Path) -> None:
    """A running server uses a new key for the next batch. Codes of each batch keep their key, over two rotations."""
    batches = [begin(client)]
    printed = [code_of(client, batches[0], 3)]
    for lot in ("L2", "L3"):
        ring = add_key(data / KEY_FILE)
        batches.append(make(client, lot))
        printed.append(code_of(client, batches[-1], 3))
        assert client.get_batch(batches[-1]).code_key == ring.current.hex()
    keys = keys_of(data)
    shown = [batch.code_key for batch in client.list_batches()]
    assert shown == [fingerprint(key).hex() for key in keys]
    assert client.get_path((1, 0)).batch.code_key == shown[0]
    for batch, key, code in zip(batches, keys, printed, strict=True):
        assert print_serial(key, BOOK, batch, 3) == code == code_of(client, batch, 3)
        path = client.get_path(code)
        assert (path.unit.batch, path.unit.number, path.serial) == (batch, 3, code)
        give(client, select(codes=[code]))


def test_a_code_of_another_generation_is_refused_wherever_codes_are_read(client: Client, data: Path) -> None:
    """A copy made with a leaked old key for a new batch is refused by name, and so is a new key's for an old batch."""
    old = begin(client)
    add_key(data / KEY_FILE)
    new = make(client, "L2")
    add_key(data / KEY_FILE)
    keys = keys_of(data)
    shown = [fingerprint(key).hex() for key in keys]
    offered = client.offer_transfer(
        giver="acme", receiver="ann", units=boxes(0, 9, new), unit_price=yuan(150)
    ).receipt.position
    for batch, own in ((old, 0), (new, 1)):
        for generation in {0, 1, 2} - {own}:
            copy = print_serial(keys[generation], BOOK, batch, 1)
            asks: list[Callable[[str], object]] = [
                client.get_path,
                lambda code: give(client, select(codes=[code])),
                lambda code: client.sell_units(
                    seller="acme", consumer="c-1", units=select(codes=[code]), unit_price=yuan(300)
                ),
                lambda code: client.accept_transfer(
                    offered,
                    receiver="ann",
                    discrepancies=[DiscrepancyClaim(kind=DISCREPANCY_KIND_DAMAGED, codes=[code])],
                ),
                lambda code: client.pack_case(CASE, party="acme", units=select(codes=[code])),
            ]
            for ask in asks:
                with pytest.raises(RefusedError) as error:
                    ask(copy)
                assert (error.value.reason, error.value.code) == ("CODE_KEY_RETIRED", MISSING)
                assert error.value.metadata == {
                    "code": copy,
                    "key": shown[generation],
                    "batch": str(batch),
                    "code_key": shown[own],
                }
    beyond = print_serial(keys[0], BOOK, new, SIZE)
    with refused("CODE_KEY_RETIRED", MISSING):
        client.get_path(beyond)
    with refused("CODE_UNKNOWN", MISSING):
        client.get_path(print_serial(keys[0], BOOK, 9, 0))
    with refused("CODE_OTHER_BOOK", MISSING):
        client.get_path(print_serial(BookKey(b"a key of a thief" * 2), BOOK, new, 1))


def test_a_retry_after_a_rotation_is_the_same_request(client: Client, data: Path) -> None:
    """A batch that was commissioned before a rotation is answered again, with its first key."""
    begin(client)
    first = client.get_batch(1).code_key
    add_key(data / KEY_FILE)
    begin(client)
    assert client.get_head().position == BEGUN
    assert client.get_batch(1).code_key == first
    with refused("REQUEST_ID_REUSED", StatusCode.ALREADY_EXISTS):
        client.commission_batch(MASK, brand="acme", lot="L2", size=SIZE, made_on=MADE_ON, request_id="L1")


LINES = [print_book_key(BookKey(bytes([number]) * 32)) for number in range(3)]
NAMES = [fingerprint(BookKey(bytes([number]) * 32)).hex() for number in range(3)]

DAMAGES = [
    pytest.param([0, 1, 1], r"cannot be used \(line 3 repeats the key of line 2", id="a duplicate line"),
    pytest.param([0, 1, 0], r"cannot be used \(line 3 repeats the key of line 1", id="the old key again"),
    pytest.param(
        [0, "pathbook-book-key-1 0\n"], r"cannot be used \(line 2: a book key has", id="a broken line"
    ),
    pytest.param([1, 0], f"has its keys in another order: key {NAMES[0]} belongs on line 1", id="swapped"),
    pytest.param(
        [0, 2, 1], f"has its keys in another order: key {NAMES[1]} belongs on line 2", id="inserted"
    ),
    pytest.param([1], f"lacks key {NAMES[0]}, which belongs on line 1", id="the old key removed"),
    pytest.param([0], f"lacks key {NAMES[1]}, which belongs on line 2", id="the new key removed"),
    pytest.param([2], "is the key of other books", id="other books"),
    pytest.param([], r"cannot be used \(it has no key", id="empty"),
]


def written(lines: list[int | str]) -> str:
    """Return the text of a key file of lines, which are given by their numbers or in full."""
    return "".join(LINES[line] if isinstance(line, int) else line for line in lines)


@pytest.fixture
def rotated(data: Path) -> Path:
    """A directory with a batch of each of two keys."""
    begin_with_key(data, BookKey(bytes(32)))
    with opened(data) as client:
        begin(client)
        (data / KEY_FILE).write_text(written([0, 1]))
        make(client, "L2")
    return data


@contextlib.contextmanager
def reopened(data: Path) -> Iterator[Client]:
    """Serve a directory again, and yield a client whose reads include all that was recorded before."""
    with opened(data) as client:
        client.position = client.get_head().position
        yield client


@pytest.mark.parametrize(("lines", "problem"), DAMAGES)
def test_a_server_does_not_start_with_other_keys(rotated: Path, lines: list[int | str], problem: str) -> None:
    """A key file that does not begin with the keys in use is refused at the start by name, and stays as it is."""
    key = rotated / KEY_FILE
    key.write_text(written(lines))
    with pytest.raises(UnusableKeyError, match=problem), opened(rotated):
        pass
    assert key.read_text() == written(lines)
    key.write_text(written([0, 1]))
    with reopened(rotated) as client:
        assert [batch.code_key for batch in client.list_batches()] == NAMES[:2]


@pytest.mark.parametrize(("lines", "problem"), DAMAGES)
def test_a_running_server_reads_codes_but_makes_no_batch_with_other_keys(
    rotated: Path, lines: list[int | str], problem: str
) -> None:
    """While the file cannot be used, labels go on and no batch is made with the wrong key, until it is restored."""
    key = rotated / KEY_FILE
    with reopened(rotated) as client:
        codes = [code_of(client, 1), code_of(client, 2)]
        key.write_text(written(lines))
        assert [client.get_path(code).unit.batch for code in codes] == [1, 2]
        with pytest.raises(RefusedError, match=problem) as error:
            make(client, "L3")
        assert (error.value.reason, error.value.code) == ("CODE_KEYS_UNUSABLE", UNAVAILABLE)
        assert str(rotated) not in error.value.message
        key.unlink()
        assert [code_of(client, 1), code_of(client, 2)] == codes
        with refused("CODE_KEYS_UNUSABLE", UNAVAILABLE):
            make(client, "L3")
        key.write_text(written([0, 1, 2]))
        assert client.get_batch(make(client, "L3")).code_key == NAMES[2]


def test_the_key_of_a_batch_is_missed_even_if_the_database_forgot_it(rotated: Path) -> None:
    """The batches say which keys are needed. A removed key is named at the start, with a batch that needs it."""
    with sqlite3.connect(rotated / EVENTS_FILE) as log:
        log.execute("DELETE FROM code_key")
    log.close()
    (rotated / KEY_FILE).write_text(written([1]))
    named = f"lacks key {NAMES[0]}, with which the codes of batch 1 of book '{BOOK}' are made"
    with pytest.raises(UnusableKeyError, match=named), opened(rotated):
        pass
    (rotated / KEY_FILE).write_text(written([0, 1]))  # the refused file left no trace
    with opened(rotated) as client:
        assert client.get_batch(make(client, "L3")).code_key == NAMES[1]


def test_a_missing_key_file_is_not_made_again_before_the_first_event(data: Path) -> None:
    """A directory whose key was in use, but which has no event yet, gets no other key."""
    with opened(data):
        pass
    (data / KEY_FILE).unlink()
    with pytest.raises(UnusableKeyError, match="is missing"), opened(data):
        pass
    assert not (data / KEY_FILE).exists()


def test_views_are_rebuilt_with_the_keys_of_their_batches(rotated: Path) -> None:
    """The key of a batch is in its event, so rebuilt views know it."""
    (rotated / VIEWS_FILE).unlink()
    with reopened(rotated) as client:
        assert [batch.code_key for batch in client.list_batches()] == NAMES[:2]


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    """Many processes may add keys to a file. All keys stay, only the owner may read it, and nothing else is left."""
    path = tmp_path / KEY_FILE
    make_key(path)
    (first,) = keys_of(tmp_path)
    path.chmod(0o644)
    with ThreadPoolExecutor(8) as threads:
        added = {ring.current for ring in threads.map(lambda _: add_key(path), range(24))}
    keys = keys_of(tmp_path)
    assert keys[0] == first
    assert len(added) == 24
    assert {fingerprint(key) for key in keys} == {fingerprint(first), *added}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_takes_no_more_keys_than_are_read(tmp_path: Path) -> None:
    """The last key that fits is added, and one more is refused with the number. The file stays as it was."""
    path = tmp_path / KEY_FILE
    path.write_text(
        "".join(print_book_key(BookKey(number.to_bytes(32, "big"))) for number in range(MAX_KEYS - 1))
    )
    assert len(add_key(path).fingerprints) == MAX_KEYS
    full = path.read_text()
    with pytest.raises(KeyFileFullError, match=f"has {MAX_KEYS} keys, the most"):
        add_key(path)
    assert path.read_text() == full


@pytest.mark.parametrize("text", [None, "", "x", LINES[0] + "x", LINES[0] * 2])
def test_an_unusable_file_gets_no_key(tmp_path: Path, text: str | None) -> None:
    """A key is added only to a file whose keys can all be read. Otherwise nothing is changed."""
    path = tmp_path / KEY_FILE
    if text is not None:
        path.write_text(text)
    with pytest.raises(UnusableKeyError):
        add_key(path)
    assert (path.read_text() if path.exists() else None) == text
    assert list(tmp_path.iterdir()) == ([] if text is None else [path])


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path, str]]:
    """Two directories with the same key, whose servers share a database: its URL."""
    monkeypatch.setattr(code_keys, "KNOWN_AGE_S", 0.0)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    make_key(one / KEY_FILE)
    shutil.copytree(one, two)
    url = new_database()
    yield one, two, url
    drop_database(url)


def test_servers_of_one_database_do_not_diverge(pair: tuple[Path, Path, str]) -> None:
    """A server that lacks the newest key says so. It neither calls codes false nor makes batches with an old key."""
    one, two, url = pair
    with (
        running(Settings(data=one, database=url, listen="127.0.0.1:0")) as first,
        running(Settings(data=two, database=url, listen="127.0.0.1:0")) as second,
        Client(f"127.0.0.1:{first}", book=BOOK, retry_seconds=0) as ours,
        Client(f"127.0.0.1:{second}", book=BOOK, retry_seconds=0) as theirs,
    ):
        begin(ours)
        newest = add_key(one / KEY_FILE).current.hex()
        batch = make(ours, "L2")
        code, old = code_of(ours, batch), code_of(ours, 1)
        theirs.position = ours.get_head().position
        invented = print_serial(BookKey(b"a key of a thief" * 2), BOOK, 1, 0)
        assert theirs.get_path(old).unit.batch == 1
        asks: list[Callable[[], object]] = [
            lambda: theirs.get_path(code),
            lambda: give(theirs, select(codes=[code])),
            lambda: code_of(theirs, batch),
        ]
        for ask in asks:
            with pytest.raises(RefusedError, match=newest) as error:
                ask()
            assert (error.value.reason, error.value.code) == ("CODE_KEY_MISSING", UNAVAILABLE)
        with refused("CODE_OTHER_BOOK", MISSING):
            theirs.get_path(invented)
        with refused("CODE_KEY_RETIRED", MISSING):
            theirs.get_path(print_serial(keys_of(two)[0], BOOK, batch, 0))
        with pytest.raises(RefusedError, match=f"lacks key {newest}") as error:
            make(theirs, "L3")
        assert error.value.reason == "CODE_KEYS_UNUSABLE"
        shutil.copy(one / KEY_FILE, two / KEY_FILE)
        assert theirs.get_path(code).serial == code
        assert theirs.get_batch(make(theirs, "L3")).code_key == newest
    (two / KEY_FILE).write_text(print_book_key(keys_of(two)[0]))
    late = Settings(data=two, database=url, listen="127.0.0.1:0")
    with pytest.raises(UnusableKeyError, match=f"lacks key {newest}"), running(late):
        pass


def test_two_servers_with_different_new_keys_do_not_both_use_them(pair: tuple[Path, Path, str]) -> None:
    """The key that is in use first is the next generation. The other server is told, and makes no batch."""
    one, two, url = pair
    with (
        running(Settings(data=one, database=url, listen="127.0.0.1:0")) as first,
        running(Settings(data=two, database=url, listen="127.0.0.1:0")) as second,
        Client(f"127.0.0.1:{first}", book=BOOK, retry_seconds=0) as ours,
        Client(f"127.0.0.1:{second}", book=BOOK, retry_seconds=0) as theirs,
    ):
        begin(ours)
        add_key(two / KEY_FILE)
        newest = add_key(one / KEY_FILE).current.hex()
        assert ours.get_batch(make(ours, "L2")).code_key == newest
        with pytest.raises(RefusedError, match=f"lacks key {newest}, which belongs on line 2") as error:
            make(theirs, "L3")
        assert error.value.reason == "CODE_KEYS_UNUSABLE"


def test_a_request_cannot_choose_its_key() -> None:
    """The request has no field for the key, so only the server chooses it."""
    assert "code_key" not in batches_pb2.CommissionBatchRequest.DESCRIPTOR.fields_by_name
    assert "code_key" in batches_pb2.Batch.DESCRIPTOR.fields_by_name
