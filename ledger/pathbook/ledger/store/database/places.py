"""The places of views: a file or a schema for each version, so that programs of two versions work side by side."""

import re
from typing import Final

VIEWS_VERSION: Final = "0006"
"""The version of the tables of the views and of their contents. A program that makes other rows of the same events has
the next version. Its views are then built in a place of their own."""

UNVERSIONED: Final = ""
"""The version of the one place that programs had before each version got its own."""

SCHEMA_PREFIX: Final = "pathbook_views"
"""How the name of every schema of views begins in a PostgreSQL database."""

_FILE: Final = re.compile(r"views(?:-(\d{4}))?\.sqlite")
_SCHEMA: Final = re.compile(rf"{SCHEMA_PREFIX}(?:_(\d{{4}}))?")


def views_file(version: str = VIEWS_VERSION) -> str:
    """Return the name of the SQLite file of a version."""
    return f"views-{version}.sqlite" if version else "views.sqlite"


def views_schema(version: str = VIEWS_VERSION) -> str:
    """Return the name of the PostgreSQL schema of a version."""
    return f"{SCHEMA_PREFIX}_{version}" if version else SCHEMA_PREFIX


def version_of_file(name: str) -> str | None:
    """Return the version of the views in a file of this name, None if it is no file of views."""
    found = _FILE.fullmatch(name)
    return None if found is None else found[1] or UNVERSIONED


def version_of_schema(name: str) -> str | None:
    """Return the version of the views in a schema of this name, None if it is no schema of views."""
    found = _SCHEMA.fullmatch(name)
    return None if found is None else found[1] or UNVERSIONED
