"""The token of the operator that the first server of books makes, so that there is one to begin with."""

from pathlib import Path

import structlog

from pathbook.keys.files import written_beside
from pathbook.ledger.store.log.api_tokens import ApiToken, ApiTokens
from pathbook.services.access.callers import Role
from pathbook.services.access.tokens import new_token
from pathbook.services.clock import now
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.key_file import secrets_of

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def make_first_token(data: Path, tokens: ApiTokens) -> None:
    """Make a token of the operator for all books, unless the books have a token, and write it to a file.

    It does not expire. The operator may revoke it once there are others.

    Raises:
        OSError: the file cannot be written. Then no token was made.
        eventsourcing.persistence.PersistenceError: the database fails.
    """
    if tokens.page(None, "", 1):
        return
    made, path = new_token(), secrets_of(data) / OPERATOR_TOKEN_FILE
    with written_beside(path, f"{made.text}\n") as written:
        written.replace(path)  # one that is there is of other books
        kept = ApiToken(
            made.token, made.secret_hash, Role.OPERATOR.value, "", "", "first token", "", now(), 0
        )
        tokens.add(kept)
    _LOG.info("made the first token, of the operator", token=made.token, file=str(path))
