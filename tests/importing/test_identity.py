"""A row is what it says: it stays the same row wherever it stands, and equal rows are counted."""

import itertools
from pathlib import Path
from typing import Final

import pytest

from pathbook.client import Client
from pathbook.importing.identity import Occurrences, Seen
from tests.importing.sheets import GIN, RUM, SHEET_RECIPE, Import, sold, write

HEADER: Final = "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别,单号"

FIRST: Final = (
    "2024年3月5日,mask-maker,ann,4006381333931,L1,,50,150,CNY,1,D-1",
    "2024年3月6日,ann,bob,4006381333931,L1,,5,180,CNY,2,D-2",
    "2024年3月6日,ann,bob,4006381333931,L1,,5,180,CNY,2,D-3",
    "2024年3月7日,bob,carl,4006381333931,L1,,2,200,CNY,3,D-4",
)
"""Rows of a sheet. The second and the third differ only in the number of their document."""

INSERTED: Final = "2024年3月6日,ann,dora,4006381333931,L1,,7,180,CNY,2,D-0"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe without an id."""
    path = tmp_path / "sheet.toml"
    path.write_text(SHEET_RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def with_id(tmp_path: Path) -> Path:
    """A recipe whose id is the column with the number of the document."""
    path = tmp_path / "id.toml"
    path.write_text(f'id = "单号"\n{SHEET_RECIPE}', encoding="utf-8")
    return path


def table(path: Path, *rows: str) -> Path:
    """Write a sheet, and return its path."""
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="gb18030")
    return path


def test_equal_rows_count_twice_and_a_repeat_adds_nothing(
    tmp_path: Path, imported: Import, client: Client, recipe: Path
) -> None:
    """Two rows with the same content are two deliveries, and the second import knows both of them."""
    sheet = table(tmp_path / "march.csv", *FIRST)
    assert (imported(sheet, recipe=str(recipe)).accepted, imported(sheet, recipe=str(recipe)).duplicate) == (
        4,
        4,
    )
    client.position = client.get_head().position
    assert {stock.owned for stock in client.list_stock("bob")} == {8}


@pytest.mark.parametrize("which", ["recipe", "with_id"])
def test_rows_may_move_within_their_sheet(
    tmp_path: Path, imported: Import, which: str, request: pytest.FixtureRequest
) -> None:
    """A row on top, another order and another name of the file change no row that is recorded."""
    recipe = str(request.getfixturevalue(which))
    imported(table(tmp_path / "march.csv", *FIRST), recipe=recipe)
    grown = imported(table(tmp_path / "march.csv", INSERTED, *FIRST), recipe=recipe)
    assert (grown.accepted, grown.duplicate, grown.rejected) == (1, 4, 0)
    moved = imported(table(tmp_path / "again.csv", *reversed(FIRST)), recipe=recipe)
    assert (moved.accepted, moved.duplicate, moved.rejected) == (0, 4, 0)


@pytest.mark.parametrize("which", ["recipe", "with_id"])
def test_a_sheet_may_be_split(
    tmp_path: Path, imported: Import, which: str, request: pytest.FixtureRequest
) -> None:
    """The parts of a sheet that is recorded are duplicates, also if they part two equal rows."""
    recipe = str(request.getfixturevalue(which))
    imported(table(tmp_path / "march.csv", *FIRST), recipe=recipe)
    parts = [table(tmp_path / "1.csv", *FIRST[:2]), table(tmp_path / "2.csv", *FIRST[2:])]
    again = imported(parts[0], str(parts[1]), recipe=recipe)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 4, 0)


def test_a_corrected_row_with_an_id_is_rejected_with_advice(
    tmp_path: Path, imported: Import, client: Client, with_id: Path
) -> None:
    """A row that has the id of a recorded row and other cells is named, and the reason says what to do."""
    imported(table(tmp_path / "march.csv", *FIRST), recipe=str(with_id))
    head = client.get_head().position
    corrected = FIRST[1].replace(",180,", ",190,")
    again = imported(table(tmp_path / "march.csv", FIRST[0], corrected, *FIRST[2:]), recipe=str(with_id))
    assert again.rejected_rows() == {2: "REQUEST_ID_REUSED"}
    assert "correct the book: `pathbook transfer reverse`" in again.rejections[0].reason
    assert client.get_head().position == head


def test_an_id_of_a_row_is_never_empty(tmp_path: Path, imported: Import, with_id: Path) -> None:
    """A row without its id cannot be known again, so it is rejected."""
    rows = [FIRST[0], FIRST[1].replace("D-2", ""), *FIRST[2:]]
    assert imported(table(tmp_path / "march.csv", *rows), recipe=str(with_id)).rejected_rows() == {
        2: "CELL_EMPTY"
    }


def test_an_id_may_have_several_columns(tmp_path: Path, imported: Import) -> None:
    """The columns of an id distinguish a row together."""
    recipe = tmp_path / "several.toml"
    recipe.write_text(f'id = ["收货人", "单价"]\n{SHEET_RECIPE}', encoding="utf-8")
    summary = imported(table(tmp_path / "march.csv", *FIRST), recipe=str(recipe))
    assert (summary.accepted, summary.duplicate) == (3, 1)


def test_zeros_and_signs_do_not_make_another_row(tmp_path: Path, imported: Import) -> None:
    """The values of the cells are compared, and not how a spreadsheet wrote them."""
    imported(write(tmp_path / "day.csv", [sold(RUM, 60), sold(GIN, 12)]))
    rows = [sold((*RUM[:3], "$4.7500", "7.130"), "60.0"), sold((GIN[0], GIN[1], "Gin, dry", *GIN[3:]), 12)]
    quoted = [tuple(f'"{cell}"' for cell in row) for row in rows]
    again = imported(write(tmp_path / "day.csv", quoted))
    assert (again.accepted, again.duplicate) == (0, 2)


def test_seen_contents_that_occur_twice_are_always_counted() -> None:
    """Every content that occurs more than once is found, and is given the numbers 1, 2, 3 in its table."""
    contents = [f"{number % 700:0>32}".encode() for number in range(1_000)]
    seen = Seen()
    for content in contents:
        seen.add(content)
    assert seen.repeated >= set(contents[:300])
    occurrences = Occurrences(seen.repeated)
    numbers = [occurrences.of(content, "") for content in contents]
    assert numbers == [*itertools.repeat(1, 700), *itertools.repeat(2, 300)]
