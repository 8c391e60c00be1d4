"""What PostgreSQL keeps of a book begins with the book, so that a cluster of databases can be spread by it."""

from pathlib import Path
from typing import Final

import psycopg

from pathbook.client import Client
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.tokens_pb2 import TOKEN_ROLE_AUDITOR
from pathbook.v1.values_pb2 import PARTY_KIND_BRAND
from tests.books import PATIENCE
from tests.postgres import driver_url, drop_database, new_database
from tests.services.masks import BOOK, begin

UNIQUE: Final = """
SELECT tables.relname, array_agg(columns.attname::text ORDER BY key.place)
FROM pg_index
JOIN pg_class tables ON tables.oid = pg_index.indrelid
JOIN pg_namespace schemas ON schemas.oid = tables.relnamespace
CROSS JOIN LATERAL unnest(pg_index.indkey) WITH ORDINALITY AS key (number, place)
JOIN pg_attribute columns ON columns.attrelid = tables.oid AND columns.attnum = key.number
WHERE pg_index.indisunique AND schemas.nspname LIKE 'pathbook%'
GROUP BY tables.relname, pg_index.indexrelid
"""
"""The columns of each primary key and each unique index, in order."""

REFERENCES: Final = """
SELECT count(*) FROM pg_constraint JOIN pg_namespace schemas ON schemas.oid = connamespace
WHERE contype = 'f' AND schemas.nspname LIKE 'pathbook%'
"""

SEQUENCES: Final = "SELECT count(*) FROM pg_sequences WHERE schemaname LIKE 'pathbook%'"

OF_A_SERVER: Final = {
    "api_token": "tokens are of a server, and may be for all of its books",
    "clock_look": "a clock is of a machine",
    "code_key": "keys of codes are of a server",
    "tracking": "its key is the book, under the name that the eventsourcing library gives it",
}
"""The tables that are of no book, and why. On a cluster they stay in one place, or are copied to each node."""


def test_every_unique_key_begins_with_the_book(tmp_path: Path) -> None:
    """Primary keys and unique indexes begin with the book, but in tables of a server. None refers to another table."""
    url = new_database()
    try:
        settings = Settings(data=tmp_path, database=url, listen="127.0.0.1:0", seals=True)
        with (
            running(settings) as port,
            Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=PATIENCE) as client,
        ):
            begin(client)
            client.register_party("bea", PARTY_KIND_BRAND)
            client.create_token(TOKEN_ROLE_AUDITOR)
        with psycopg.connect(driver_url(url)) as connection:
            found = connection.execute(UNIQUE).fetchall()
            assert connection.execute(REFERENCES).fetchone() == (0,)
            assert connection.execute(SEQUENCES).fetchone() == (0,)
    finally:
        drop_database(url)
    tables = {table for table, _ in found}
    assert {
        "event",
        "event_hashes",
        "run",
        "batch",
        "stock",
        "request",
        "report_position",
        "custody",
    } <= tables
    assert {
        table: columns for table, columns in found if columns[0] != "book" and table not in OF_A_SERVER
    } == {}
    assert [columns for table, columns in found if table == "tracking"] == [["application_name"]]
