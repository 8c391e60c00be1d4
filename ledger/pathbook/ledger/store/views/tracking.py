"""How far each book was followed, on eventsourcing's contract: a position a book, in the transaction of its rows."""

import sqlalchemy as sa
from eventsourcing.persistence import Tracking, TrackingRecorder
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import TEXT, create_schema, reading, writing
from pathbook.ledger.store.log.stream import persistence_errors

# One row a book, so that it never grows. The names are eventsourcing's: a book is an application to it, and a
# position a notification id.
TRACKING = Table(
    "tracking",
    MetaData(),
    Column("application_name", TEXT, primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class SQLAlchemyTrackingRecorder(TrackingRecorder):
    """Eventsourcing's tracking recorder: up to which position each book was followed, only ever upwards."""

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
        """Note that the book was followed up to this position.

        Raises:
            eventsourcing.persistence.IntegrityError: it was already followed up to there or further.
        """
        with persistence_errors(), writing(self.engine) as connection:
            self.insert_tracking_on(connection, tracking)

    def insert_tracking_on(self, connection: Connection, tracking: Tracking) -> None:
        """As `insert_tracking`, in the caller's transaction, which must not commit if this raises."""
        name, position = tracking.application_name, tracking.notification_id
        behind = TRACKING.update().where(
            TRACKING.c.application_name == name, TRACKING.c.notification_id < position
        )
        first = TRACKING.insert().values(application_name=name, notification_id=position)
        with persistence_errors():
            if connection.execute(behind.values(notification_id=position)).rowcount == 0:
                connection.execute(first)  # conflicts with the row, if there is one: it is not behind

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position up to which the book was followed, None if it never was."""
        with persistence_errors(), reading(self.engine) as connection:
            return self.max_tracking_id_on(connection, application_name)

    def max_tracking_id_on(self, connection: Connection, application_name: str) -> int | None:
        """As `max_tracking_id`, in the caller's transaction: one moment with the rows read there."""
        position = sa.select(TRACKING.c.notification_id).where(
            TRACKING.c.application_name == application_name
        )
        with persistence_errors():
            return connection.execute(position).scalar()
