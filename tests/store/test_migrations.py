"""Views of an older version are migrated when they are opened. The third version rebuilds them."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import create_schema, reading, writing
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError, open_snapshot
from pathbook.ledger.store.views.tables import TRANSFER
from pathbook.ledger.store.views.writer import MIGRATIONS
from tests.projections.synthetic import SyntheticBook
from tests.store.follower_process import Connect, rows_at_once, rows_of

ROW = TransferRow(7, 0, 1, 2, "ann", "bob", 100, "CNY", 1, 5, 5, 1, 1, None, 7, "", None, 0, "DN 1", 0)


def test_views_of_the_first_version_are_migrated_and_rebuilt(connect: Connect, tmp_path: Path) -> None:
    """They get the indexes and columns of this version, and count as incomplete until they reach the head again."""
    events = Stream(connect("events"))
    events.append("book", 0, SyntheticBook(1, 50).entries)
    views = connect("views")
    with writing(views, turn=None) as connection:
        create_schema(connection)
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", MIGRATIONS)
        command.upgrade(config, "0001")
        insert_statement(TRANSFER).execute(connection, "book", [ROW])
    assert "transfer_of_reference" in indexes(views)
    follower = Follower(events, views)
    assert "transfer_of_reference" not in indexes(views)
    assert "transfer_by_reference" in indexes(views)
    with pytest.raises(ViewsRebuildingError), open_snapshot(ReaderPool(views), "book"):
        pass
    follower.catch_up("book")
    assert rows_of(views) == rows_at_once(events, tmp_path)


def indexes(views: Engine) -> set[str | None]:
    """Return the names of the indexes on transfers."""
    with reading(views) as connection:
        return {index["name"] for index in sa.inspect(connection).get_indexes("transfer")}
