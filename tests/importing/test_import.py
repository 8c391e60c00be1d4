"""The import command: rows are counted, sums are exact, and a repeat adds nothing."""

import datetime
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from pathbook.cli.main import run
from pathbook.client import Client
from pathbook.importing.shipped import RECIPES
from pathbook.v1.paths_pb2 import PathStepKind
from pathbook.v1.values_pb2 import AUTHORIZATION_STATUS_AUTHORIZED
from tests.importing.sheets import (
    BOOK,
    GIN,
    RUM,
    SHEET_RECIPE,
    Amount,
    Import,
    Summary,
    events,
    facts,
    open_book,
    sold,
    write,
)

THREE = [sold(RUM, 60), sold(GIN, 12, "2614"), sold(RUM, 3, "2614", "2012-02-01")]


def hops(client: Client, batch: int, number: int) -> list[tuple[str, str, int, int, int]]:
    """Return giver, receiver, price in minor units and both tiers of each hop of a unit."""
    steps = client.get_path((batch, number)).steps
    return [
        (
            step.giver,
            step.receiver,
            step.terms.unit_price.amount_minor,
            step.terms.authorities[0].giver_tier,
            step.terms.authorities[0].receiver_tier,
        )
        for step in steps
        if step.kind == PathStepKind.PATH_STEP_KIND_TRANSFERRED
    ]


def owned(client: Client, party: str) -> dict[int, int]:
    """Return how many units of each batch a party owns."""
    return {stock.batch.batch: stock.owned for stock in client.list_stock(party) if stock.owned}


def test_a_table_becomes_parties_products_batches_and_transfers(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """Each row moves its bottles from vendor to state to store, at both prices, on its day."""
    summary = imported(write(tmp_path / "three.csv", THREE))
    assert summary == Summary(
        tables=1,
        accepted=3,
        duplicate=0,
        rejected=0,
        reasons={},
        rejections=[],
        transfers=6,
        units=75,
        amounts={
            "cost": {"USD": Amount(39549, "395.49")},
            "retail": {"USD": Amount(59355, "593.55")},
        },
        lines={"data": 3, "blank": 0, "continued": 0},
    )
    client.position = client.get_head().position
    assert [(b.lot, b.size, b.made_on) for b in client.list_batches(gtin="02075087204793")] == [
        ("three", 63, "2012-01-31")
    ]
    rum = client.get_batch(gtin="02075087204793", lot="three").batch
    assert hops(client, rum, 62) == [
        ("luxco-st-louis", "state-of-iowa", 475, 0, 1),
        ("state-of-iowa", "store-2614", 713, 1, 2),
    ]
    last = client.get_path((rum, 62)).steps[-1]
    assert last.occurred_at.ToJsonString() == "2012-02-01T00:00:00Z"
    (authority,) = last.terms.authorities
    assert (authority.giver_authorization, authority.receiver_authorization) == (
        AUTHORIZATION_STATUS_AUTHORIZED,
        AUTHORIZATION_STATUS_AUTHORIZED,
    )
    assert (owned(client, "store-2506"), owned(client, "state-of-iowa")) == ({rum: 60}, {})


def test_a_second_run_finds_only_duplicates(tmp_path: Path, imported: Import, client: Client) -> None:
    """The same table again changes nothing, and its sums are the same."""
    table = write(tmp_path / "three.csv", [*THREE, sold(RUM, 60)])
    first = imported(table)
    head = client.get_head().position
    again = imported(table)
    assert (first.accepted, again.accepted, again.duplicate) == (4, 0, 4)
    assert (again.transfers, again.units, again.amounts) == (first.transfers, first.units, first.amounts)
    assert client.get_head().position == head


def test_rejected_rows_are_named_and_the_others_are_recorded(tmp_path: Path, imported: Import) -> None:
    """Each rejected row is listed with its number and a named reason, and does not affect other rows.

    A price is never a reason to refuse: row 12 is dear, and is recorded.
    """
    rows = [
        sold(RUM, 60),
        sold((*RUM[:3], "", ""), 1),
        sold(RUM, 1, day="2012-13-01"),
        sold(RUM, 1, day="2200-01-01"),
        sold(RUM, "six"),
        sold(RUM, 0),
        sold((*RUM[:3], "-4.75", "7.13"), 1),
        sold((*RUM[:3], "4.755555555555", "7.13"), 1),
        sold(RUM, 1, store="25/06"),
        sold(GIN, 1)[:-1],
        sold(("1", "Proximo", "x" * 201, "1", "2"), 1),
        sold((*RUM[:4], "9" * 15), 1),
        sold(GIN, 2),
    ]
    summary = imported(write(tmp_path / "bad.csv", rows))
    assert (summary.accepted, summary.transfers, summary.units) == (3, 6, 63)
    assert summary.rejected_rows() == {
        2: "CELL_EMPTY",
        3: "DATE_MALFORMED",
        4: "OCCURRED_IN_FUTURE",
        5: "QUANTITY_MALFORMED",
        6: "QUANTITY_ZERO",
        7: "PRICE_NEGATIVE",
        8: "PRICE_OUT_OF_BOUNDS",
        9: "PARTY_MALFORMED",
        10: "ROW_BROKEN",
        11: "TEXT_TOO_LONG",
    }
    assert summary.rejections[0].reason == "CELL_EMPTY: state_bottle_cost is empty."


def test_a_table_without_an_importable_row_fails(tmp_path: Path, imported: Import) -> None:
    """An import that rejects every row exits with 1, and an import of an empty table with 0.

    So a job can check the exit code.
    """
    table = write(tmp_path / "bad.csv", [sold(RUM, 0), sold(RUM, "six")])
    summary = imported(table, exits=1)
    assert (summary.accepted, summary.transfers, summary.amounts) == (0, 0, {})
    assert summary.rejected_rows() == {1: "QUANTITY_ZERO", 2: "QUANTITY_MALFORMED"}
    assert imported(write(tmp_path / "empty.csv", [])).rejected == 0


def test_a_negative_row_is_a_return(tmp_path: Path, imported: Import, client: Client) -> None:
    """A return goes from the store to the state and on to the vendor, if the store has the bottles."""
    rows = [sold(RUM, 60), sold(RUM, -6), sold(RUM, -6, store="2614"), sold(RUM, -55), sold(GIN, -1)]
    table = write(tmp_path / "returns.csv", rows)
    summary = imported(table)
    assert (summary.accepted, summary.transfers, summary.units) == (2, 4, 54)
    assert summary.amounts["retail"]["USD"].amount == "385.02"
    assert summary.rejected_rows() == {3: "PARTY_UNKNOWN", 4: "STOCK_TOO_SMALL", 5: "PRODUCT_UNKNOWN"}
    client.position = client.get_head().position
    assert owned(client, "store-2506") == {1: 54}
    assert owned(client, "luxco-st-louis") == {1: 6}
    kinds = [PathStepKind.Name(step.kind).rpartition("_")[2] for step in client.get_path((1, 0)).steps]
    assert kinds == ["COMMISSIONED", "TRANSFERRED", "TRANSFERRED", "RETURNED", "RETURNED"]
    again = imported(table)
    assert (again.duplicate, again.rejected, again.units) == (2, 3, 54)


def test_another_table_of_the_same_parties_adds_only_what_is_new(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """Existing parties, products and authorizations are used unchanged, and each table has its own lot."""
    imported(write(tmp_path / "january.csv", THREE))
    dearer = (*RUM[:3], "5.00", "7.50")
    imported(write(tmp_path / "february.csv", [sold(dearer, 9, "2999", "2012-02-01"), sold(GIN, 1)]))
    registered = [event.WhichOneof("kind") for event in events(client)]
    assert [registered.count(kind) for kind in ("party_registered", "product_registered")] == [6, 2]
    assert registered.count("batch_commissioned") == 4
    assert registered.count("party_authorized") == 5
    client.position = client.get_head().position
    assert client.get_product("02075087204793").suggested_price.amount_minor == 713
    prices = {b.lot: b.suggested_price.amount_minor for b in client.list_batches(gtin="02075087204793")}
    assert prices == {"january": 713, "february": 750}


def test_an_earlier_table_of_the_same_parties_is_authorized_too(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """If a later import has earlier days, the authorizations reach back to them."""
    imported(write(tmp_path / "february.csv", [sold(RUM, 1, day="2012-02-01")]))
    imported(write(tmp_path / "january.csv", [sold(RUM, 1, day="2012-01-02")]))
    client.position = client.get_head().position
    last = client.get_path((2, 0)).steps[-1]
    (authority,) = last.terms.authorities
    assert (authority.giver_authorization, authority.receiver_authorization) == (
        AUTHORIZATION_STATUS_AUTHORIZED,
        AUTHORIZATION_STATUS_AUTHORIZED,
    )


def test_stop_ends_at_the_first_rejected_row(tmp_path: Path, imported: Import, client: Client) -> None:
    """With --errors stop the earlier rows are recorded, the exit code is 1, and the next run goes on."""
    table = write(tmp_path / "stop.csv", [sold(RUM, 1), sold(RUM, 0), sold(RUM, 2)])
    stopped = imported(table, "--errors", "stop", exits=1)
    assert (stopped.accepted, stopped.rejected_rows()) == (1, {2: "QUANTITY_ZERO"})
    resumed = imported(table)
    assert (resumed.accepted, resumed.duplicate, resumed.rejected, resumed.units) == (1, 1, 1, 3)
    whole = write(tmp_path / "whole.csv", [sold(RUM, 1)])
    assert imported(whole, "--errors", "stop").rejected == 0


def test_stop_ends_at_the_first_row_that_the_book_refuses(tmp_path: Path, imported: Import) -> None:
    """A refusal of the book also ends the import, and the rows that were sent before are counted."""
    rows = [sold(RUM, 1), sold(RUM, -5), *(sold(RUM, 1) for _ in range(4_000))]
    stopped = imported(write(tmp_path / "stop.csv", rows), "--errors", "stop", exits=1)
    assert stopped.rejected_rows() == {2: "STOCK_TOO_SMALL"}
    assert 250 <= stopped.accepted < 2_000


def test_a_parquet_table_gives_the_same_events(tmp_path: Path, imported: Import, target: str) -> None:
    """The same rows in typed columns of a Parquet file give the same events, except for the recording time."""
    table = write(tmp_path / "three.csv", THREE)
    from_csv = imported(table)
    columns = list(zip(*THREE, strict=True))
    typed = {
        "date": [datetime.date.fromisoformat(day) for day in columns[0]],
        "store_number": [int(number) for number in columns[1]],
        "item_number": columns[3],
        "vendor_name": columns[4],
        "item_description": columns[5],
        "state_bottle_cost": [float(cost) for cost in columns[6]],
        "state_bottle_retail": [float(retail) for retail in columns[7]],
        "bottles_sold": [int(count) for count in columns[8]],
    }
    parquet.write_table(pyarrow.table(typed), tmp_path / "three.parquet")
    open_book(target, "again")
    assert imported(tmp_path / "three.parquet", "--book", "again") == from_csv
    again = imported(tmp_path / "three.parquet")
    assert (again.duplicate, again.accepted) == (3, 0)
    with Client(target, book=BOOK) as one, Client(target, book="again") as other:
        assert facts(one) == facts(other)


def test_a_sheet_of_another_kind_is_imported_with_its_recipe(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """A sheet of agents, in Chinese and in another encoding, becomes a chain of hops with tiers and prices."""
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "日期,发货人,收货人,条码,批号,有效期,数量,单价,币种,级别\n"
        "2024年3月5日,mask-maker,ann,4006381333931,L1,2025年1月1日,100,150,CNY,1\n"
        "2024年3月6日,ann,bob,4006381333931,L1,2025年1月1日,60,180.50,CNY,2\n"
        "2024年3月7日,bob,carl,4006381333931,L1,2025年1月1日,10,30,USD,3\n"
        "2024年3月8日,bob,carl,4006381333931,L1,2025年1月1日,-4,30,USD,3\n"
        "2024年3月9日,ann,ann,4006381333931,L1,,1,180,CNY,2\n"
        "2024年3月9日,ann,bob,4006381333931,L9,,1,180,CNY,2\n",
        encoding="gb18030",
    )
    recipe = tmp_path / "sheet.toml"
    recipe.write_text(SHEET_RECIPE, encoding="utf-8")
    summary = imported(sheet, recipe=str(recipe))
    assert (summary.accepted, summary.transfers, summary.units) == (4, 4, 166)
    assert summary.amounts == {
        "handed-over": {"CNY": Amount(2583000, "25830.00"), "USD": Amount(18000, "180.00")}
    }
    assert summary.rejected_rows() == {5: "SELF_TRANSFER", 6: "BATCH_UNKNOWN"}
    client.position = client.get_head().position
    assert hops(client, 1, 9) == [
        ("mask-maker", "ann", 15000, 0, 1),
        ("ann", "bob", 18050, 1, 2),
        ("bob", "carl", 3000, 2, 3),
    ]
    batch = client.get_batch(1)
    assert (batch.size, batch.made_on, batch.expires_on) == (100, "2024-03-05", "2025-01-01")
    assert [owned(client, party) for party in ("ann", "bob", "carl")] == [{1: 40}, {1: 54}, {1: 6}]
    assert imported(sheet, recipe=str(recipe)).duplicate == 4


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--recipe", "ohio"], "no recipe 'ohio'"),
        (["--recipe", "iowa", "--source", "January sales"], "'January sales' cannot name a source"),
        (["--recipe", "iowa", "--errors", "ignore"], "--errors"),
    ],
)
def test_a_wrong_option_or_recipe_is_a_usage_error(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    """A wrong option or recipe is a usage error that names the wrong text."""
    table = write(tmp_path / "three.csv", THREE)
    assert run(["import", str(table), "--server", target, *arguments]) == 2
    assert named in capsys.readouterr().err


def test_a_table_without_a_column_is_a_usage_error(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recipe that does not fit the table is a usage error that names the column."""
    table = tmp_path / "other.csv"
    table.write_text("date,store_number\n")
    assert run(["import", str(table), "--recipe", "iowa", "--server", target]) == 2
    assert "no column 'bottles_sold'" in capsys.readouterr().err


def test_a_refusal_of_the_whole_book_ends_the_import(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid book name is reported once, not once for each row."""
    table = write(tmp_path / "three.csv", THREE)
    assert run(["import", str(table), "--recipe", "iowa", "--server", target, "--book", "no book"]) == 1
    assert capsys.readouterr().err.count("BOOK_MALFORMED") == 1


def test_a_recorded_transfer_of_a_rejected_row_is_reported(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """If only the second transfer of a row is refused, the summary counts the first and says so."""
    recipe = tmp_path / "with-id.toml"
    recipe.write_text('id = "bottles_sold"\n' + (RECIPES / "iowa.toml").read_text("utf-8"), "utf-8")
    table = write(tmp_path / "half.csv", [sold(RUM, 60), sold(RUM, 1)])
    assert run(["import", str(table), "--recipe", str(recipe), "--server", target]) == 0
    capsys.readouterr()
    table = write(tmp_path / "half.csv", [sold(RUM, 60), sold((*RUM[:4], "9.99"), 1)])
    assert run(["import", str(table), "--recipe", str(recipe), "--server", target]) == 0
    printed = capsys.readouterr().out
    assert "products   1, in 1 batch\n" in printed
    assert "duplicate rows. They include 1 recorded transfer of a rejected row, with its amount." in printed


def test_the_default_summary_is_readable_text(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --output the summary is text for people, with the first rejected rows below."""
    table = write(tmp_path / "some.csv", [*THREE, *(sold(RUM, 0) for _ in range(25))])
    assert run(["import", str(table), "--recipe", "iowa", "--server", target]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:9] == [
        "rows       28: 3 accepted, 0 duplicate, 25 rejected",
        "parties    vendor 2, state 1, store 2",
        "products   2, in 2 batches",
        "transfers  6",
        "units      75",
        "cost       395.49 USD",
        "retail     593.55 USD",
        "Transfers, units and amounts are those of accepted and duplicate rows.",
        "",
    ]
    assert lines[10] == "  4  QUANTITY_ZERO: bottles_sold is 0: nothing was moved."
    assert lines[-1] == "... and 5 more. --output json lists all of them."
