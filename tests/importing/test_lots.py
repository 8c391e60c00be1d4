"""What rows say of their lots is believed only if they agree, and a return gives back the lot that it names."""

from pathlib import Path
from typing import Final

import pytest

from pathbook.client import Client
from tests.importing.sheets import SHEET_RECIPE, Import

HEADER: Final = "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别,品名,码"
OLD: Final = "2024年3月5日,mask-maker,ann,4006381333931,OLD,2026年1月1日,10,150,CNY,1,面膜,"
NEW: Final = OLD.replace("OLD,2026", "NEW,2027")


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """A recipe whose products have the names in the sheet."""
    path = tmp_path / "sheet.toml"
    path.write_text(SHEET_RECIPE.replace('{ make = "text", text = "面膜" }', '"品名"'), encoding="utf-8")
    return str(path)


def table(path: Path, *rows: str) -> Path:
    """Write a sheet, and return its path."""
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="gb18030")
    return path


def owned(client: Client, party: str) -> dict[str, int]:
    """Return how many units of each lot a party owns."""
    client.position = client.get_head().position
    return {stock.batch.lot: stock.owned for stock in client.list_stock(party) if stock.owned}


def test_a_return_gives_back_the_lot_that_it_names(
    tmp_path: Path, imported: Import, client: Client, recipe: str
) -> None:
    """The older lot stays. A return of more than there is of the lot is refused, and so is an unknown lot."""
    back = NEW.replace(",10,", ",-4,")
    much, never = NEW.replace(",10,", ",-7,"), NEW.replace("NEW", "NONE").replace(",10,", ",-1,")
    summary = imported(table(tmp_path / "sheet.csv", OLD, NEW, back, much, never), recipe=recipe)
    assert summary.rejected_rows() == {4: "STOCK_TOO_SMALL", 5: "BATCH_UNKNOWN"}
    assert owned(client, "ann") == {"OLD": 10, "NEW": 6}


def test_a_return_in_a_later_table_finds_its_lot(
    tmp_path: Path, imported: Import, client: Client, recipe: str
) -> None:
    """A table that only returns units of a lot knows the lot by its number in the book."""
    imported(table(tmp_path / "march.csv", OLD, NEW), recipe=recipe)
    back = NEW.replace(",10,", ",-4,")
    assert imported(table(tmp_path / "april.csv", back), recipe=recipe).accepted == 1
    assert owned(client, "ann") == {"OLD": 10, "NEW": 6}


def test_two_days_of_expiry_of_one_lot_are_named(
    tmp_path: Path, imported: Import, client: Client, recipe: str
) -> None:
    """A row with another day is rejected, and the reason names both days. An empty cell says nothing."""
    rows = [OLD.replace("2026年1月1日", ""), OLD, OLD.replace("2026年", "2028年"), OLD.replace("ann", "bob")]
    summary = imported(table(tmp_path / "sheet.csv", *rows), recipe=recipe)
    assert summary.rejected_rows() == {3: "LOT_CONTRADICTS"}
    assert summary.rejections[0].reason == (
        "LOT_CONTRADICTS: lot OLD expires on 2026-01-01 elsewhere in the table, and on 2028-01-01 in this row."
    )
    assert client.get_batch(1).expires_on == "2026-01-01"


@pytest.mark.parametrize("count", ["1", "-1"])
def test_another_day_of_expiry_than_the_books_is_named(
    tmp_path: Path, imported: Import, recipe: str, count: str
) -> None:
    """A later table that says another day of a lot is rejected. One that says none takes the lot as it is."""
    imported(table(tmp_path / "march.csv", OLD), recipe=recipe)
    other = OLD.replace("2026年", "2028年").replace(",10,", f",{count},")
    summary = imported(table(tmp_path / "april.csv", other), recipe=recipe, exits=1)
    assert summary.rejections[0].reason == (
        "LOT_CONTRADICTS: lot OLD expires on 2026-01-01 in the book, and on 2028-01-01 in the table."
    )
    silent = OLD.replace("2026年1月1日", "").replace(",10,", ",-1,")
    assert imported(table(tmp_path / "may.csv", silent), recipe=recipe).accepted == 1


def test_other_master_data_that_differ_are_counted(tmp_path: Path, imported: Import, recipe: str) -> None:
    """Rows with another name of their product are recorded, and the summary says how many there are."""
    summary = imported(table(tmp_path / "sheet.csv", OLD, OLD.replace("面膜", "面膜 II"), NEW), recipe=recipe)
    assert (summary.accepted, summary.differing) == (3, {"product name": 1})


@pytest.fixture
def by_code(tmp_path: Path) -> str:
    """A recipe with a column of printed codes."""
    path = tmp_path / "codes.toml"
    path.write_text('serial = "码"\n' + SHEET_RECIPE, encoding="utf-8")
    return str(path)


def test_a_row_moves_the_unit_with_its_code(
    tmp_path: Path, imported: Import, client: Client, recipe: str, by_code: str
) -> None:
    """Units are those whose codes the rows have, in each printed form, and not the lowest of the lot."""
    imported(table(tmp_path / "first.csv", OLD, NEW), recipe=recipe)
    client.position = client.get_head().position
    (codes,) = client.list_codes(1, 5, 9)
    five, six, seven, eight, _ = codes.serials
    on = OLD.replace("mask-maker,ann", "ann,bob").replace(",10,150,CNY,1", ",1,180,CNY,2")
    label = f"(01)04006381333931(10)OLD(21){six}"
    wide = seven.translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789"})
    other = five[:-1] + ("0" if five[-1] != "0" else "1")
    rows = [
        on + five, on + label, on + wide, on, on.replace(",1,180", ",2,180") + eight, on + other,
        on.replace("OLD,2026", "NEW,2027") + eight, on.replace(",1,180", ",-1,180") + five,
        on + label.replace("04006381333931", "00036000291452"),
    ]  # fmt: skip
    sheet = table(tmp_path / "second.csv", *rows)
    summary = imported(sheet, recipe=by_code)
    assert summary.rejected_rows() == {
        4: "CELL_EMPTY",
        5: "SERIAL_IS_ONE_UNIT",
        6: "SERIAL_MALFORMED",
        7: "SERIAL_CONTRADICTS",
        9: "SERIAL_CONTRADICTS",
    }
    client.position = client.get_head().position
    assert [client.get_path((1, number)).run.owner for number in range(10)] == [
        *["ann"] * 6, "bob", "bob", "ann", "ann"
    ]  # fmt: skip
    assert imported(sheet, recipe=by_code).duplicate == 4


def test_a_table_by_codes_does_not_commission_a_lot(tmp_path: Path, imported: Import, by_code: str) -> None:
    """Codes are printed for units that the book has, so a lot that it has not is refused."""
    row = OLD.replace(",10,", ",1,") + "00000000000000000000"
    summary = imported(table(tmp_path / "sheet.csv", row), recipe=by_code, exits=1)
    assert summary.rejected_rows().keys() == {1}
