"""Reading the views of one book at one moment: every lookup sees the same position."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import NamedTuple, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Select, Table, bindparam

from ledger.projections.cases import CaseRangeRow, CaseRow
from ledger.projections.registers import AuthorizationRow, BatchRow, PartyRow, ProductRow, RecallRow, RequestRow
from ledger.projections.transfers import TransferRow
from ledger.store import paths
from ledger.store.database import reading
from ledger.store.follower import TRACKING
from ledger.store.paths import Extent, PastRow
from ledger.store.stream import persistence_errors
from ledger.store.tables import (
    AUTHORIZATION,
    BATCH,
    CASE_RANGE,
    LADDER,
    NOT_ACCEPTED,
    PACKED_CASE,
    PARTY,
    PRODUCT,
    RECALL,
    REFILL,
    REQUEST,
    STOCK,
    TRANSFER,
)
from ledger.values import TransferStatus

Row = TypeVar("Row")

ViewsEngine: TypeAlias = Engine
"""The engine on the views, as rooms may call it that know no database."""
