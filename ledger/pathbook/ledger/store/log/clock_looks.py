"""The looks at the clock that servers keep beside the log, so that the next process knows how late it may be.

There is one row for each boot of a machine: what the clock said, and for how long the machine had run by then. On
the same boot, the time since a look is therefore known, however long no process ran.
"""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.stream import persistence_errors

LOOK_KEPT_US = 366 * 86_400_000_000
"""How long (microseconds) the look of an earlier boot is kept. Only the latest one counts."""

CLOCK_LOOK = sa.Table(
    "clock_look",
    sa.MetaData(),
    sa.Column("boot", TEXT, primary_key=True),
    sa.Column("wall", sa.BigInteger, nullable=False),
    sa.Column("since_boot", sa.BigInteger, nullable=False),
    sa.Column("accepted_until", sa.BigInteger, nullable=False),
)


class Look(NamedTuple):
    """One look at a clock that was believed.

    Attributes:
        boot: the id of the boot of the machine, "" if it has none.
        wall: what the clock said, in microseconds since 1970 UTC.
        since_boot: how long the machine had run by then, in microseconds. It counts only with the same boot.
        accepted_until: up to which time an operator accepted events that lie ahead of the clock, 0 for none.
    """

    boot: str
    wall: int
    since_boot: int
    accepted_until: int = 0


class ClockLooks:
    """The looks of all servers of a log. Threads may share it. Each method raises PersistenceError of eventsourcing."""

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine = engine

    def all(self) -> list[Look]:
        """Return the looks, the latest first."""
        with persistence_errors(), reading(self._engine) as connection:
            if not has_table(connection, CLOCK_LOOK):
                return []
            rows = connection.execute(sa.select(CLOCK_LOOK).order_by(CLOCK_LOOK.c.wall.desc())).all()
        return [Look(*row) for row in rows]

    def keep(self, look: Look) -> None:
        """Keep a look, in place of the one before of the same boot."""
        self._write(
            look, sa.or_(CLOCK_LOOK.c.boot == look.boot, CLOCK_LOOK.c.wall < look.wall - LOOK_KEPT_US)
        )

    def replace(self, look: Look) -> None:
        """Keep only this look: an operator says that its time is right."""
        self._write(look, sa.true())

    def _write(self, look: Look, outdated: sa.ColumnElement[bool]) -> None:
        with persistence_errors():
            make_table(self._engine, CLOCK_LOOK)
            with writing(self._engine, turn=None) as connection:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"LOCK TABLE {CLOCK_LOOK.name} IN EXCLUSIVE MODE")
                connection.execute(CLOCK_LOOK.delete().where(outdated))
                connection.execute(CLOCK_LOOK.insert(), look._asdict())
