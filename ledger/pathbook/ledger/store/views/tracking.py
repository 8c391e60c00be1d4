"""The tracking positions, as the eventsourcing library defines them: one per book, in the transaction of its rows."""

import sqlalchemy as sa
from eventsourcing.persistence import Tracking, TrackingRecorder
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import TEXT, create_schema, reading, writing
from pathbook.ledger.store.log.stream import persistence_errors

# There is one row for each book, so the table does not grow with the events. The names are those of the
# eventsourcing library, to which a book is an application and a position is a notification id.
TRACKING = Table(
    "tracking",
    MetaData(),
    Column("application_name", TEXT, primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class SQLAlchemyTrackingRecorder(TrackingRecorder):
    """The tracking recorder of the eventsourcing library: the position that each book's views have reached.

    It only grows.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with persistence_errors():
            with reading(engine) as connection:
                exists = sa.inspect(connection).has_table(TRACKING.name)
            if not exists:
                with writing(engine) as connection:
                    create_schema(connection)
                    connection.execute(CreateTable(TRACKING, if_not_exists=True))

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record that the views of a book have reached this position.

        Raises:
            eventsourcing.persistence.IntegrityError: they had already reached this position or a later one.
        """
        with persistence_errors(), writing(self.engine) as connection:
            self.insert_tracking_on(connection, tracking)

    def insert_tracking_on(self, connection: Connection, tracking: Tracking) -> None:
        """Record as `insert_tracking` does, in the caller's transaction. If this raises, the caller must not commit."""
        name, position = tracking.application_name, tracking.notification_id
        behind = TRACKING.update().where(
            TRACKING.c.application_name == name, TRACKING.c.notification_id < position
        )
        first = TRACKING.insert().values(application_name=name, notification_id=position)
        with persistence_errors():
            if connection.execute(behind.values(notification_id=position)).rowcount == 0:
                connection.execute(first)  # fails if a row exists, because that row is not behind

    def move_on(self, connection: Connection, book: str, position: int) -> None:
        """Record that the views of a book have reached this position, in the caller's transaction."""
        self.insert_tracking_on(connection, Tracking(book, position))

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position that the views of a book have reached, or None if they were never updated."""
        with persistence_errors(), reading(self.engine) as connection:
            return self.max_tracking_id_on(connection, application_name)

    def max_tracking_id_on(self, connection: Connection, application_name: str) -> int | None:
        """Read as `max_tracking_id` does, in the caller's transaction, and so in the snapshot of its other reads."""
        position = sa.select(TRACKING.c.notification_id).where(
            TRACKING.c.application_name == application_name
        )
        with persistence_errors():
            return connection.execute(position).scalar()
