"""Alembic runs this module. It migrates in the transaction that it is given."""

from alembic import context

from pathbook.ledger.store.views.tables import VIEWS

context.configure(
    connection=context.config.attributes["connection"], target_metadata=VIEWS, transactional_ddl=True
)
context.run_migrations()
