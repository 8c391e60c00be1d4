"""What is known of people lies sealed beside the book: it is found by handle, and erased without a trace."""

import contextlib
import datetime
import logging
from pathlib import Path
from typing import Final

import psycopg
import pytest
import sqlalchemy as sa
from grpc import StatusCode

from pathbook.client import Client
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.queries import TransferFilter
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.serials import BookKey, KeyRing, key_ring
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.notes import NOTE
from pathbook.ledger.store.log.people import People
from pathbook.ledger.store.log.person_keys import PERSON
from pathbook.services.clock import now
from pathbook.services.person_cipher import FileCipher
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Storage
from pathbook.v1 import tokens_pb2
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Policy, Verdict
from tests.access.story import guarded
from tests.backup.places import Place
from tests.books import DATABASE_FILE
from tests.services.masks import BOOK, MASK, TODAY, begin, boxes, refused, yuan

NAME: Final = "Quirina Zwetschgenbaum"
CONTACT: Final = "quirina@zwetschgen.example"
HANDLE: Final = "wechat zwetschgenbaum-7"
SELLER_NOTE: Final = "broken seal, ask Quirina's sister Walburga"
BUYER_NOTE: Final = "too small for my son Ottokar"
SECRETS: Final = ("Zwetschgenbaum", "zwetschgen", "Quirina", "Walburga", "Ottokar")
"""Words that stand nowhere else on the machine."""


class Keys:
    """The keys of a server, as far as a cipher asks for them."""

    def __init__(self, secret: bytes) -> None:
        self._ring = key_ring([BookKey(secret)])

    def ring(self) -> KeyRing:
        """Return the only ring."""
        return self._ring


def place_of(directory: Path) -> Place:
    """Return the books that a test gets: in files of a directory, or in a PostgreSQL that it names."""
    named = directory / DATABASE_FILE
    return Place(directory / "books", named.read_text("utf-8") if named.exists() else "")


def files_of(books: Place, *others: Path) -> list[Path]:
    """Return all files in which something of the books may lie: theirs, those of PostgreSQL, and others."""
    places = [books.data, *others]
    if books.database:
        with psycopg.connect(books.database.replace("+psycopg", "")) as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SHOW data_directory").fetchone()
            assert found is not None
            places.append(Path(str(found[0])))
    return [file for place in places for file in place.rglob("*") if file.is_file()]


def wrapped_keys(books: Place) -> list[bytes]:
    """Return the wrapped keys of all people, as the database has them now."""
    with (
        contextlib.closing(Storage(books.data, now, database=books.database)) as storage,
        reading(storage.stream.engine) as connection,
    ):
        return list(connection.execute(sa.select(PERSON.c.wrapped_key)).scalars())


def have(files: list[Path], wanted: list[bytes]) -> list[str]:
    """Return the files that have any of these bytes, as they are or in hexadecimal."""
    return [file.name for file in files if any(part in file.read_bytes() for part in wanted)]


def with_secrets(files: list[Path]) -> list[tuple[str, str]]:
    """Return which files have a secret in any of the encodings in which it may be written."""
    found = []
    for file in files:
        try:
            data = file.read_bytes()
        except FileNotFoundError:  # PostgreSQL removes files as it goes
            continue
        found += [
            (file.name, secret)
            for secret in SECRETS
            for text in {secret, secret.lower()}
            if any(text.encode(encoding) in data for encoding in ("utf-8", "utf-16-le"))
        ]
    return found


def tell(client: Client) -> None:
    """Let ann decline an offer and a buyer bring a box back, each with a note, and say who ann is."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 9), unit_price=yuan(150))
    offer = client.offer_transfer(giver="acme", receiver="ann", units=boxes(10, 19), unit_price=yuan(150))
    client.decline_transfer(offer.receipt.position, receiver="ann", note=SELLER_NOTE)
    client.sell_units(seller="ann", consumer="c-1", units=boxes(0, 0), unit_price=yuan(300))
    client.return_units(owner="consumer:c-1", units=boxes(0, 0), note=BUYER_NOTE)
    client.describe_party("ann", name=NAME, contact=CONTACT, handles=[HANDLE, f"  {CONTACT} "])


def notes(client: Client) -> list[str]:
    """Return the texts of all notes that are shown of ann's transfers."""
    return [found.note.text for found in client.list_transfers("ann") if found.HasField("note")]


def test_nothing_of_an_erased_person_is_left(
    place: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No byte of it is in any file, before and after. Every path still holds, and what others said stays."""
    books, backup = place_of(place), tmp_path / "saved"
    settings = Settings(data=books.data, database=books.database, listen="127.0.0.1:0")
    with (
        running(settings, logging.DEBUG) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
    ):
        tell(client)
        assert client.get_description("ann").name == NAME
        assert sorted(notes(client)) == sorted([SELLER_NOTE, BUYER_NOTE])
        assert client.check_seller(HANDLE, MASK).authorized
        assert with_secrets(files_of(books)) == []
        keys = wrapped_keys(books)
        files = [file for file in files_of(books) if "pg_wal" not in file.parts]
        assert len(keys) == 2
        assert have(files, keys)
        before = [event for batch in client.read() for event in batch.events]
        erased = client.erase_person("ann")
        assert (erased.key_erased, erased.handles, erased.notes) == (True, 2, 1)
        assert notes(client) == [BUYER_NOTE]
        assert client.erase_person("consumer:c-1").notes == 1
        assert notes(client) == []
        found = client.get_description("ann")
        assert (found.name, found.contact) == ("", "")
        assert not client.check_seller(HANDLE, MASK).authorized
        assert [event for batch in client.read() for event in batch.events] == before
        for number in (0, 10):
            path = client.get_path(next(client.list_codes(1, number, number)).serials[0], corrections=True)
            code = read_code(path.serial)
            assert isinstance(code, PrintedCode)
            assert check_path(path, code, TODAY, Policy()).verdict is Verdict.VERIFIED
        again = client.erase_person("ann")
        assert (again.key_erased, again.handles, again.notes) == (False, 0, 0)
        assert with_secrets(files_of(books)) == []
        files = [file for file in files_of(books) if "pg_wal" not in file.parts]
        assert have(files, keys) == []  # nor is a key that could open what someone copied before
    books.back_up(backup)
    assert with_secrets(files_of(books, backup)) == []
    printed = capfd.readouterr()
    assert [secret for secret in SECRETS if secret in printed.out + printed.err] == []


def test_an_erased_party_goes_on_with_a_new_key(place: Path) -> None:
    """It writes notes again, and a repeated request is known although its note is gone."""
    books = place_of(place)
    with books.served() as client:
        begin(client)
        offers = [
            client.offer_transfer(
                giver="acme", receiver="ann", units=boxes(n, n), unit_price=yuan(1)
            ).receipt.position
            for n in range(2)
        ]
        client.decline_transfer(offers[0], receiver="ann", note=SELLER_NOTE, request_id="first")
        client.register_party("ANN", PARTY_KIND_AGENT)
        offer = client.offer_transfer(giver="acme", receiver="ANN", units=boxes(5, 5), unit_price=yuan(1))
        client.decline_transfer(offer.receipt.position, receiver="ANN", note="of another")
        assert client.erase_person("ann").notes == 1
        assert [found.note.text for found in client.list_transfers("ANN")] == ["of another"]
        repeated = client.decline_transfer(offers[0], receiver="ann", note=SELLER_NOTE, request_id="first")
        assert repeated.receipt.duplicate
        client.decline_transfer(offers[1], receiver="ann", note="again")
        assert notes(client) == ["again"]
    with books.served() as client:
        assert notes(client) == ["again"]


def test_what_is_sealed_opens_for_its_person_and_place_alone() -> None:
    """Neither another file of keys opens it, nor another person, nor another place of the same person."""
    one, other = (FileCipher(Keys(bytes([n]) * 32)) for n in (1, 2))  # type: ignore[arg-type] # they have a ring
    key = one.new_key(b"ann")
    sealed = one.seal(key, b"ann", b"note 1", b"text")
    assert one.open(key, b"ann", b"note 1", sealed) == b"text"
    assert one.open(key, b"ann", b"note 2", sealed) is None
    assert one.open(key, b"bob", b"note 1", sealed) is None
    assert other.open(key, b"ann", b"note 1", sealed) is None
    assert one.opens(key, b"ann")
    assert not other.opens(key, b"ann")
    assert one.handle("a", "x ") == one.handle("a", "x") != one.handle("b", "x")
    assert one.handle("a", "x") != other.handle("a", "x")


def test_a_database_alone_shows_nothing(tmp_path: Path) -> None:
    """With another file of keys in its place, notes and names are as if they were erased, and all else is served."""
    books = Place(tmp_path / "books", "")
    with books.served() as client:
        tell(client)
    with contextlib.closing(Storage(books.data, now)) as storage:
        storage.people = People(storage.stream, FileCipher(Keys(bytes(32))))  # type: ignore[arg-type] # it has a ring
        found = storage.queries.transfers(BOOK, TransferFilter(party="ann"))
        assert not isinstance(found, Refusal)
        assert [item.note for item in found.items] == [None] * len(found.items)
        assert storage.people.details(BOOK, "ann") is None
        assert storage.people.parties_with(BOOK, HANDLE) == []


def test_notes_of_earlier_programs_are_erased_by_their_authors(place: Path) -> None:
    """Those were not sealed. The events tell whose they are."""
    books = place_of(place)
    with books.served() as client:
        tell(client)
    with contextlib.closing(Storage(books.data, now, database=books.database)) as storage:
        stream = storage.stream
        kept = stream.notes_at(BOOK, range(1, stream.head(BOOK) + 1))
        with writing(stream.engine) as connection:
            for position, note in kept.items():
                at = sa.and_(NOTE.c.book == BOOK, NOTE.c.position == position)
                connection.execute(NOTE.update().where(at).values(text=note.text, salt=note.salt))
        assert sorted(note.text for note in kept.values()) == sorted([SELLER_NOTE, BUYER_NOTE])
        assert stream.notes_at(BOOK, kept) == kept
        assert storage.people.erase(BOOK, "ann").notes == 1
        assert [note.text for note in stream.notes_at(BOOK, kept).values()] == [BUYER_NOTE]


def test_a_sealed_note_that_was_changed_is_damage(tmp_path: Path) -> None:
    """It is not taken for an erased one."""
    books = Place(tmp_path / "books", "")
    with books.served() as client:
        tell(client)
    with contextlib.closing(Storage(books.data, now)) as storage:
        with writing(storage.stream.engine) as connection:
            of_ann = NOTE.c.text.startswith("ann ")
            text = connection.execute(sa.select(NOTE.c.text).where(of_ann)).scalar_one()
            connection.execute(NOTE.update().where(of_ann).values(text=text[:-8] + "AAAAAAA="))
        with pytest.raises(EventDamagedError):
            storage.stream.notes_at(BOOK, range(1, 20))


def test_a_seller_is_known_by_its_handle(client: Client) -> None:
    """The answer is that of the book: for the product, at the time, down the whole line. It names no party."""
    begin(client)
    client.register_party("ben", PARTY_KIND_AGENT)
    day = datetime.timedelta(days=1)
    start = datetime.datetime.now(datetime.UTC)
    given = client.authorize_party("ann", upline="acme", tier=1, valid_from=start - 10 * day)
    client.authorize_party(
        "ben", upline="ann", tier=2, valid_from=start - 5 * day, valid_until=start + 5 * day
    )
    client.describe_party("ben", name="Ben", handles=["+86 555 0100", "ben's shop"])
    client.describe_party("acme", handles=["acme.example"])
    for handle in ("+86 555 0100", "ben's shop"):
        found = client.check_seller(handle, MASK)
        assert (found.authorized, found.tier) == (True, 2)
        assert found.valid_from.ToDatetime(datetime.UTC) == start - 5 * day
        assert found.valid_until.ToDatetime(datetime.UTC) == start + 5 * day
    assert client.check_seller("acme.example", MASK).authorized
    client.revoke_authorization(given.receipt.position, upline="acme", revoked_from=start + 3 * day)
    found = client.check_seller("ben's shop", MASK)  # the line above it ends before its own authorization
    assert found.valid_until.ToDatetime(datetime.UTC) == start + 3 * day
    line = client.authorize_party("ann", upline="acme", tier=1, valid_from=start - 2 * day)
    found = client.check_seller("ben's shop", MASK)  # and the newest line above it begins after it
    assert found.valid_from.ToDatetime(datetime.UTC) == start - 2 * day
    assert found.valid_until.ToDatetime(datetime.UTC) == start + 5 * day
    for handle, gtin, at in (
        ("+86 555 0100", MASK, start - 6 * day),
        ("+86 555 0100", MASK, start + 5 * day),
        ("+86 555 01", MASK, None),
        ("Ben", MASK, None),
        ("ben", MASK, None),
        ("+86 555 0100", "09506000134352", None),
    ):
        assert client.check_seller(handle, gtin, at=at).ByteSize() == 0, (handle, gtin, at)
    client.revoke_authorization(line.receipt.position, upline="acme", revoked_from=start - 2 * day)
    assert client.check_seller("+86 555 0100", MASK, at=start).authorized
    assert not client.check_seller("+86 555 0100", MASK, at=start + 3 * day).authorized
    client.describe_party("ben", name="Ben")
    assert not client.check_seller("ben's shop", MASK).authorized
    with refused("VALUE_MISSING", StatusCode.INVALID_ARGUMENT):
        client.check_seller(" ", MASK)
    with refused("TOO_MANY_HANDLES", StatusCode.INVALID_ARGUMENT):
        client.describe_party("ben", handles=[str(n) for n in range(21)])
    with refused("PARTY_UNKNOWN", StatusCode.NOT_FOUND):
        client.describe_party("ghost", name="x")


def test_who_guesses_handles_learns_nothing(tmp_path: Path) -> None:
    """After as many misses as codes may have, not even a right handle is answered."""
    settings = Settings(data=tmp_path, listen="127.0.0.1:0", limits={})
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        begin(client)
        client.authorize_party("ann", upline="acme", tier=1)
        client.describe_party("ann", handles=["right"])
        for number in range(60):
            assert not client.check_seller(f"guess {number}", MASK).authorized
        with refused("CODES_LIMITED", StatusCode.RESOURCE_EXHAUSTED):
            client.check_seller("right", MASK)


def test_who_may_say_and_see_what_a_party_is_called(tmp_path: Path) -> None:
    """The party itself, and the operator. An auditor and a brand may not, even if the party trades with it."""
    with (
        guarded(tmp_path) as (target, first),
        Client(target, book=BOOK, token=first, retry_seconds=0) as operator,
    ):
        begin(operator)
        operator.authorize_party("ann", upline="acme", tier=1)
        roles = {
            "ann": (tokens_pb2.TOKEN_ROLE_PARTY, "ann"),
            "bob": (tokens_pb2.TOKEN_ROLE_PARTY, "bob"),
            "acme": (tokens_pb2.TOKEN_ROLE_BRAND, "acme"),
            "auditor": (tokens_pb2.TOKEN_ROLE_AUDITOR, ""),
        }
        clients = {
            name: Client(target, book=BOOK, token=operator.create_token(*role).text, retry_seconds=0)
            for name, role in roles.items()
        }
        clients["ann"].describe_party("ann", name=NAME)
        assert clients["ann"].get_description("ann").name == NAME
        for stranger in ("bob", "acme"):
            with refused("PARTY_UNKNOWN", StatusCode.NOT_FOUND):
                clients[stranger].get_description("ann")
            with refused("PARTY_UNKNOWN", StatusCode.NOT_FOUND):
                clients[stranger].describe_party("ann", name="Eve")
        with refused("ROLE_NOT_ALLOWED", StatusCode.PERMISSION_DENIED):
            clients["auditor"].get_description("ann")
        for name in ("ann", "acme", "auditor"):
            with refused("ROLE_NOT_ALLOWED", StatusCode.PERMISSION_DENIED):
                clients[name].erase_person("ann")
        offer = operator.offer_transfer(giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(1))
        operator.accept_transfer(offer.receipt.position, receiver="ann")
        operator.position = operator.get_head().position
        with refused("PARTY_UNKNOWN", StatusCode.NOT_FOUND):
            clients["acme"].describe_party("ann", name="Ann")
        assert operator.get_description("ann").name == NAME
        with Client(target, book=BOOK, retry_seconds=0) as public:
            assert not public.check_seller(HANDLE, MASK).authorized
        for client in clients.values():
            client.close()
