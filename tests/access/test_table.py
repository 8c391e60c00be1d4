"""The table of access has a row for every method, and README.md shows it."""

from pathlib import Path

import pytest

from pathbook.services.access.callers import Role
from pathbook.services.access.table import ROWS, TABLE, Grant, printed, require_rows
from pathbook.services.run.server import CONTRACT

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")


def test_the_readme_has_the_table() -> None:
    """It is printed from the code."""
    assert printed() in README


def test_a_method_without_a_row_does_not_start() -> None:
    """A server asks this when it starts, and is told which methods."""
    served = [f"{service.name}.{method.name}" for service in CONTRACT for method in service.methods]
    require_rows(served)
    with pytest.raises(AssertionError, match=r"no row of the table of access has NewService\.NewMethod"):
        require_rows([*served, "NewService.NewMethod"])
    with pytest.raises(AssertionError, match=r"methods that are not served: ServerService\.GetVersion"):
        require_rows(set(served) - {"ServerService.GetVersion"})


def test_more_is_granted_to_those_who_may_do_more() -> None:
    """The operator may call everything, a brand what a party may, and the public never sees what is one's own."""
    for method, row in ROWS.items():
        assert row.grant(Role.OPERATOR) in (Grant.ALL, Grant.SIGNED), method
        assert row.grant(Role.PUBLIC) in (Grant.NO, Grant.ALL, Grant.CODE, Grant.SIGNED), method
        assert (row.grant(Role.PARTY) is Grant.NO) or (row.grant(Role.BRAND) is not Grant.NO), method
        assert bool(row.own) is (Grant.OWN in row.grants), method
    assert len({row.what for row in TABLE}) == len(TABLE)
