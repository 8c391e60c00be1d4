"""Reads what events changed in findings: changes in order, and what tells that two parties registered one key."""

from itertools import starmap
from typing import Final

import sqlalchemy as sa
from sqlalchemy import BigInteger, bindparam

from pathbook.ledger.reports.findings import (
    CHANGED_AT,
    FINDING_COLUMNS,
    FINDINGS,
    FindingChangeRow,
    FindingRow,
)
from pathbook.ledger.reports.ties import KEYS, TRADES, KeyRow
from pathbook.ledger.store.database.fast_read import Reader
from pathbook.ledger.store.reports.tables import table_of

_CHANGES: Final = table_of(FINDINGS)
_EARLIER: Final = _CHANGES.alias("earlier")
_KEYS: Final = table_of(KEYS)
_OTHERS: Final = _KEYS.alias("others")
_TRADES: Final = table_of(TRADES)
_NONE: Final = sa.literal_column("0", BigInteger)

_ORDER: Final = (CHANGED_AT, *FINDING_COLUMNS)
_PAGE: Final = (
    sa.select(*(_CHANGES.c[name] for name in _ORDER), _CHANGES.c.units)
    .where(
        _CHANGES.c.book == bindparam("book"),
        _CHANGES.c[CHANGED_AT] >= bindparam("first", type_=BigInteger),
        _CHANGES.c[CHANGED_AT] <= bindparam("last", type_=BigInteger),
    )
    .order_by(*(_CHANGES.c[name] for name in _ORDER))
    .limit(bindparam("limit"))
    .offset(bindparam("skip"))
    .subquery("page")
)
"""The page alone, because PostgreSQL would look up what came before also for rows that are skipped."""

_UNITS_BEFORE: Final = (
    sa.select(sa.cast(sa.func.coalesce(sa.func.sum(_EARLIER.c.units), _NONE), BigInteger))
    .where(
        _EARLIER.c.book == bindparam("book"),
        *(_EARLIER.c[name] == _PAGE.c[name] for name in FINDING_COLUMNS),
        _EARLIER.c[CHANGED_AT] < _PAGE.c[CHANGED_AT],
    )
    .scalar_subquery()
)
_CHANGES_OF: Final = sa.select(*(_PAGE.c[name] for name in _ORDER), _PAGE.c.units, _UNITS_BEFORE).order_by(
    *(_PAGE.c[name] for name in _ORDER)
)
_REGISTERED: Final = (
    sa.select(_KEYS.c.key)
    .where(
        _KEYS.c.book == bindparam("book"),
        _KEYS.c.position >= bindparam("first", type_=BigInteger),
        _KEYS.c.position <= bindparam("last", type_=BigInteger),
        sa.exists().where(
            _OTHERS.c.book == _KEYS.c.book, _OTHERS.c.key == _KEYS.c.key, _OTHERS.c.party != _KEYS.c.party
        ),
    )
    .order_by(_KEYS.c.key)
    .distinct()
)
_REGISTRATIONS: Final = sa.select(_KEYS.c.key, _KEYS.c.party, _KEYS.c.position, _KEYS.c.registrations).where(
    _KEYS.c.book == bindparam("book"), _KEYS.c.key == bindparam("key")
)
_TRADED: Final = sa.select(sa.cast(sa.func.coalesce(sa.func.sum(_TRADES.c.units), _NONE), BigInteger)).where(
    _TRADES.c.book == bindparam("book"),
    _TRADES.c.giver == bindparam("giver"),
    _TRADES.c.receiver == bindparam("receiver"),
)


def changes(
    reader: Reader, book: str, first: int, last: int, skip: int, limit: int
) -> list[FindingChangeRow]:
    """Return at most ``limit`` changes by the events ``first`` .. ``last``, in order, after the first ``skip``."""
    asked = {"book": book, "first": first, "last": last, "skip": skip, "limit": limit}
    return list(starmap(_row, reader.ask(_CHANGES_OF, asked)))


def _row(  # noqa: PLR0913, PLR0917 -- an argument for each column
    changed_at: int, rule: int, batch: int, position: int, other: int, party: str, other_party: str, units: int,
    before: int,
) -> FindingChangeRow:  # fmt: skip
    finding = FindingRow(rule, batch, position, other, party, other_party, before + units)
    return FindingChangeRow(changed_at, finding, before)


def keys_registered(reader: Reader, book: str, first: int, last: int) -> list[str]:
    """Return the keys that the events ``first`` .. ``last`` registered, in hexadecimal digits, in order."""
    return [key for (key,) in reader.ask(_REGISTERED, {"book": book, "first": first, "last": last})]


def registrations_of(reader: Reader, book: str, key: str) -> list[KeyRow]:
    """Return the registrations of a key by all parties."""
    return [KeyRow(*row) for row in reader.ask(_REGISTRATIONS, {"book": book, "key": key})]


def units_traded(reader: Reader, book: str, one: str, other: str) -> int:
    """Return how many units two parties traded with each other, in both directions."""
    total = 0
    for giver, receiver in ((one, other), (other, one)):
        for (units,) in reader.ask(_TRADED, {"book": book, "giver": giver, "receiver": receiver}):
            total += units
    return total
