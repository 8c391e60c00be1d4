"""Sheets of agents in other dialects and with their own lots, and the messages on their limits."""

from pathlib import Path

import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from pathbook.v1.values_pb2 import AUTHORIZATION_STATUS_NEVER_AUTHORIZED
from tests.importing.sheets import BOOK, SHEET_RECIPE, Amount, Import, parse_summary


def test_an_impossible_authorization_is_reported_and_its_rows_are_recorded(
    tmp_path: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tier that is not below the upline's gives no authorization; a message says so, and no row is rejected."""
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别\n"
        "2024年3月5日,mask-maker,ann,4006381333931,L1,,1,150,CNY,1\n"
        "2024年3月5日,ann,bob,4006381333931,L1,,1,180,CNY,1\n",
        encoding="gb18030",
    )
    recipe = tmp_path / "sheet.toml"
    recipe.write_text(SHEET_RECIPE, encoding="utf-8")
    place = ["--server", target, "--book", BOOK]
    assert run(["import", str(sheet), "--recipe", str(recipe), *place, "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("not authorized: bob, by ann, at tier 1: TIER_NOT_BELOW_UPLINE: ")
    assert parse_summary(printed.out).accepted == 2
    client.position = client.get_head().position
    assert (
        client.get_path((1, 0)).steps[-1].terms.authorities[0].receiver_authorization
        == AUTHORIZATION_STATUS_NEVER_AUTHORIZED
    )


def test_a_german_sheet_is_imported_with_its_recipe(tmp_path: Path, imported: Import) -> None:
    """Semicolons, decimal commas and points between thousands are read correctly."""
    sheet, recipe = tmp_path / "blatt.csv", tmp_path / "blatt.toml"
    sheet.write_text(
        "日期;发货人;收货人;条码;批号;有效期;数量;单价;币种;级别\n"
        "2024年3月5日;mask-maker;ann;4006381333931;L1;;1.200;1.010,50;EUR;1\n"
        "2024年3月6日;ann;bob;4006381333931;L1;;2;10.50;EUR;2\n",
        encoding="gb18030",
    )
    dialect = "delimiter = ';'\ndecimal_mark = ','\nthousands_mark = '.'\n"
    recipe.write_text(dialect + SHEET_RECIPE, encoding="utf-8")
    summary = imported(sheet, recipe=str(recipe))
    assert (summary.units, summary.amounts) == (
        1200,
        {"handed-over": {"EUR": Amount(121260000, "1212600.00")}},
    )
    assert summary.rejected_rows() == {2: "PRICE_MALFORMED"}


def test_a_sheet_with_totals_of_lines_is_imported_exactly(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """The total of a line is an amount for its quantity, whether or not it can be divided by it."""
    header = "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别\n"
    recipe, sheet = tmp_path / "sheet.toml", tmp_path / "totals.csv"
    recipe.write_text(
        SHEET_RECIPE.replace('price = "单价"', 'price = { make = "total", column = "单价" }'),
        encoding="utf-8",
    )
    sheet.write_text(
        header + "2024年3月5日,mask-maker,ann,4006381333931,L1,,7,100.00,CNY,1\n"
        "2024年3月6日,ann,bob,4006381333931,L1,,3,0.0500,CNY,2\n"
        "2024年3月7日,ann,bob,4006381333931,L1,,3,-1,CNY,2\n"
        "2024年3月8日,ann,bob,4006381333931,L1,,-3,-0.05,CNY,2\n",
        encoding="gb18030",
    )
    summary = imported(sheet, recipe=str(recipe))
    assert summary.amounts == {"handed-over": {"CNY": Amount(10_000, "100.00")}}
    assert summary.rejected_rows() == {3: "TOTAL_CONTRADICTS"}
    client.position = client.get_head().position
    steps = client.get_path((1, 0)).steps
    assert [(step.terms.unit_price.amount_minor, step.terms.unit_price.per_units) for step in steps[1:]] == [
        (10_000, 7),
        (5, 3),
        (5, 3),
    ]
    assert imported(sheet, recipe=str(recipe)).duplicate == 3


def test_a_lot_does_not_grow_after_its_first_import(tmp_path: Path, imported: Import) -> None:
    """A row beyond the size of a closed lot is rejected with a hint, and an agent's missing stock without one."""
    header = "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别\n"
    recipe = tmp_path / "sheet.toml"
    recipe.write_text(SHEET_RECIPE, encoding="utf-8")
    march, april = tmp_path / "march.csv", tmp_path / "april.csv"
    first = "2024年3月5日,mask-maker,ann,4006381333931,L1,,5,150,CNY,1\n"
    more = "2024年4月5日,mask-maker,ann,4006381333931,L1,,1,150,CNY,1\n"
    too_much = "2024年4月6日,ann,bob,4006381333931,L1,,6,180,CNY,2\n"
    march.write_text(header + first, encoding="gb18030")
    april.write_text(header + more + too_much, encoding="gb18030")
    assert imported(march, recipe=str(recipe)).accepted == 1
    summary = imported(april, recipe=str(recipe), exits=1)
    assert summary.rejected_rows() == {1: "STOCK_TOO_SMALL", 2: "STOCK_TOO_SMALL"}
    assert ["The first import of a lot sets its size" in each.reason for each in summary.rejections] == [
        True,
        False,
    ]


def test_a_column_of_references_names_the_documents(tmp_path: Path, client: Client, imported: Import) -> None:
    """Each row's document number is the reference of its transfer. A second row with the same number is rejected."""
    sheet, recipe = tmp_path / "sheet.csv", tmp_path / "sheet.toml"
    row = "2024年3月5日,mask-maker,ann,4006381333931,L1,,1,150,CNY,1"
    sheet.write_text(
        f"日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别,单号\n{row},DN-1\n{row},\n{row},DN-1\n",
        encoding="gb18030",
    )
    recipe.write_text(f'{SHEET_RECIPE}reference = "单号"\n', encoding="utf-8")
    summary = imported(sheet, recipe=str(recipe))
    assert summary.rejected_rows() == {3: "REFERENCE_USED"}
    client.position = client.get_head().position
    assert [transfer.reference for transfer in client.list_transfers("ann")] == ["", "DN-1"]
    assert imported(sheet, recipe=str(recipe)).duplicate == 2
