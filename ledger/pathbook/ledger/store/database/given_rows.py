"""Parts of statements that look up the rows of a table for many keys, which are given as one JSON text."""

from typing import Final

KINDS: Final = ("sqlite", "postgresql")
"""The kinds of databases, as SQLAlchemy names them."""


def joined(kind: str, left: str, right: str, columns: str, condition: str) -> str:
    """Return the statement of a join that looks the right rows up by their key, for each of the left rows.

    Their number is small, which PostgreSQL does not know: left to itself it reads all runs of a book instead. What has
    an OFFSET it plans apart, once for each row.
    """
    if kind == "sqlite":
        return f"SELECT {columns} FROM {left} CROSS JOIN {right} WHERE {condition}"  # noqa: S608 - only names of columns
    name = right.rsplit(maxsplit=1)[-1]
    rows = f"SELECT {name}.* FROM {right} WHERE {condition} OFFSET 0"  # noqa: S608 - as above
    return f"SELECT {columns} FROM {left} CROSS JOIN LATERAL ({rows}) AS {name}"  # noqa: S608 - as above


def given_rows(kind: str, **types: str) -> str:
    """Return the statement that reads rows of these columns, which are given as a JSON list of lists."""
    fields = [
        f"json_extract(value, '$[{place}]') AS {name}"
        if kind == "sqlite"
        else f"CAST(value->>{place} AS {sql_type}) AS {name}"
        for place, (name, sql_type) in enumerate(types.items())
    ]
    source = "json_each(:given)" if kind == "sqlite" else "json_array_elements(CAST(:given AS json))"
    return f"given AS MATERIALIZED (SELECT {', '.join(fields)} FROM {source})"  # noqa: S608 - as above
