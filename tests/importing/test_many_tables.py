"""Several tables, and directories of them, go into a book by one command, with one summary."""

import random
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from tests.importing.sheets import BOOK, GIN, RUM, Import, events, sold, write

DEARER: Final = (*RUM[:3], "5.00", "7.50")
"""The same bottle after its price was raised."""

MONTHS: Final = {
    "2012-01": [sold(RUM, 60), sold(GIN, 12, "2614"), sold(RUM, 3, "2614")],
    "2012-02": [sold(RUM, 6, day="2012-02-01"), sold(DEARER, 6, "2999", "2012-02-20")],
    "2012-03": [sold(DEARER, 1, "2999", "2012-03-01"), sold(RUM, 0, day="2012-03-01")],
}
"""Rows by the name of their table."""


@pytest.fixture
def months(tmp_path: Path) -> Path:
    """A directory with a table for each month, and files that are none."""
    directory = tmp_path / "sales"
    directory.mkdir()
    for name in reversed(MONTHS):
        write(directory / f"{name}.csv", MONTHS[name])
    (directory / "notes.txt").write_text("No table.")
    (directory / ".2012-04.csv").write_text("What an editor left behind.")
    (directory / "more.csv").mkdir()
    return directory


def transfers(client: Client) -> list[str]:
    """Return the request ids of all transfers, in the order in which they were recorded."""
    return [event.request_id for event in events(client) if event.HasField("transfer_recorded")]


def test_a_directory_is_its_tables_in_the_order_of_their_names(
    months: Path, imported: Import, client: Client
) -> None:
    """Each table is a source of its own, each lot its own batch, and one summary counts them all."""
    summary = imported(months)
    assert (summary.tables, summary.accepted, summary.rejected) == (3, 6, 1)
    assert (summary.transfers, summary.units) == (12, 88)
    assert [(each.source, each.row) for each in summary.rejections] == [("2012-03", 2)]
    assert summary.amounts["retail"]["USD"].amount == "688.83"
    names = [request_id.partition(":")[0] for request_id in transfers(client)]
    assert names == ["2012-01"] * 6 + ["2012-02"] * 4 + ["2012-03"] * 2
    client.position = client.get_head().position
    batches = {(batch.lot, batch.gtin[2:8]): batch for batch in client.list_batches()}
    assert {key: batch.size for key, batch in batches.items()} == {
        ("2012-01", "075087"): 63,
        ("2012-01", "041846"): 12,
        ("2012-02", "075087"): 12,
        ("2012-03", "075087"): 1,
    }
    assert [batches[lot, "075087"].suggested_price.amount_minor for lot in MONTHS] == [713, 713, 750]


def test_what_was_registered_for_one_table_is_not_asked_for_again(
    months: Path, imported: Import, client: Client
) -> None:
    """The parties, authorisations and products of all tables stand once, from their first day on."""
    imported(months)
    kinds = Counter(event.WhichOneof("kind") for event in events(client))
    del kinds["transfer_recorded"]
    assert kinds == {
        "party_registered": 6,
        "party_authorized": 5,
        "product_registered": 2,
        "batch_commissioned": 4,
    }


def test_tables_are_imported_in_the_order_given(months: Path, imported: Import, client: Client) -> None:
    """Files and directories may be named together; one that holds earlier days may come later."""
    february = (months / "2012-02.csv").rename(months.parent / "2012-02.csv")
    summary = imported(february, str(months))
    assert (summary.tables, summary.accepted) == (3, 6)
    names = [request_id.partition(":")[0] for request_id in transfers(client)]
    assert list(dict.fromkeys(names)) == ["2012-02", "2012-01", "2012-03"]
    client.position = client.get_head().position
    for batch in client.list_batches():
        last = client.get_path((batch.batch, 0)).steps[-1]
        assert (last.terms.giver_authorization, last.terms.receiver_authorization) == (1, 1)


def test_tables_again_are_duplicates_one_by_one_or_together(
    months: Path, imported: Import, client: Client
) -> None:
    """However tables are put together, their rows are the same rows."""
    imported(months / "2012-02.csv")
    together = imported(months)
    assert (together.accepted, together.duplicate, together.rejected) == (4, 2, 1)
    head = client.get_head().position
    again = imported(months)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 6, 1)
    assert (again.transfers, again.units, again.amounts) == (12, 88, together.amounts)
    assert imported(months / "2012-03.csv").duplicate == 1
    assert client.get_head().position == head


def test_a_return_of_an_earlier_table_is_found(months: Path, imported: Import, client: Client) -> None:
    """What a shop gives back may have come with any table; what it has not got is rejected by name and counted."""
    write(
        months / "2012-04.csv",
        [
            sold(RUM, -62, day="2012-04-01"),  # 60 of January, 2 of February
            sold(RUM, -5, day="2012-04-02"),  # it has 4
            sold(RUM, -4, day="2012-04-03"),
            sold(GIN, -1, day="2012-04-03"),  # it never had one
            sold(GIN, -1, "4711", "2012-04-03"),  # nobody knows this shop
        ],
    )
    summary = imported(months)
    assert summary.reasons == {"STOCK_TOO_SMALL": 2, "PARTY_UNKNOWN": 1, "QUANTITY_ZERO": 1}
    assert [each.row for each in summary.rejections if each.source == "2012-04"] == [2, 4, 5]
    assert (summary.accepted, summary.transfers, summary.units) == (8, 16, 88 - 66)
    client.position = client.get_head().position
    stock = {
        party: {(each.batch.lot, each.batch.gtin[2:8]): each.owned for each in client.list_stock(party)}
        for party in ("store-2506", "state-of-iowa", "luxco-st-louis", "proximo")
    }
    assert stock == {
        "store-2506": {},
        "state-of-iowa": {},
        "luxco-st-louis": {("2012-01", "075087"): 60, ("2012-02", "075087"): 6},
        "proximo": {},
    }
    assert imported(months).rejected_rows().keys() == {2, 4, 5}


def test_a_vendor_is_one_party_in_all_tables(tmp_path: Path, imported: Import, client: Client) -> None:
    """Whichever way of writing its name a table holds first, a vendor has the same id, and its rows stand."""
    ways = [(RUM[0], name, *RUM[2:]) for name in ("Luxco-St Louis", "LUXCO ST. LOUIS", "Luxco & St Louis")]
    for table in ("a", "b", "c"):
        random.Random(table).shuffle(ways)
        write(tmp_path / f"{table}.csv", [sold(way, 1) for way in ways])
    summary = imported(tmp_path / "a.csv", str(tmp_path / "b.csv"), str(tmp_path / "c.csv"))
    assert (summary.accepted, summary.rejected) == (9, 0)
    client.position = client.get_head().position
    brands = Counter(batch.brand for batch in client.list_batches() for _ in range(batch.size))
    assert sorted(brands.values()) == [3, 6]
    assert brands["luxco-st-louis"] == 6


def test_stop_ends_at_the_first_rejected_row_of_all_tables(months: Path, imported: Import) -> None:
    """With --errors stop no table is read after the one with the rejected row."""
    write(months / "2012-02.csv", [sold(RUM, 6), sold(RUM, 0)])
    stopped = imported(months, "--errors", "stop", exits=1)
    assert (stopped.tables, stopped.accepted) == (2, 4)
    assert [(each.source, each.row) for each in stopped.rejections] == [("2012-02", 2)]


def test_people_are_told_of_which_table_a_row_is(
    months: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With several tables their number is told, and each rejected row is named with its source."""
    assert run(["import", str(months), "--recipe", "iowa", "--server", target]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "tables     3",
        "rows       7: 6 accepted, 0 duplicate, 1 rejected",
        "parties    vendor 2, state 1, store 3",
        "products   2, in 4 batches",
    ]
    assert [line.split(maxsplit=3) for line in lines[-2:]] == [
        ["source", "row", "rejected", "because"],
        ["2012-03", "2", "QUANTITY_ZERO:", "bottles_sold is 0: nothing was moved."],
    ]


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        pytest.param(["empty"], "has no table: none of its files ends in .csv or .parquet", id="an empty directory"),
        pytest.param(["sales", "2012-01.csv"], "would have the same name '2012-01' in the book", id="two of one name"),
        pytest.param(["sales", "other.csv"], "other.csv has no column 'bottles_sold'", id="a table of another kind"),
        pytest.param(["sales", "--source", "all"], "--source names a single table", id="one name for several"),
        pytest.param([], "Missing argument", id="no table"),
    ],
)  # fmt: skip
def test_tables_that_cannot_go_together_ask_nothing_of_the_book(
    months: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tables: list[str], named: str,
) -> None:  # fmt: skip
    """Before the first row is recorded, every table is looked at, and what does not fit is named."""
    monkeypatch.chdir(months.parent)
    Path("empty").mkdir()
    write(Path("2012-01.csv"), MONTHS["2012-01"])
    Path("other.csv").write_text("date,store_number\n")
    assert run(["import", *tables, "--recipe", "iowa", "--server", target]) == 2
    assert named in " ".join(capsys.readouterr().err.split())
    with pytest.raises(Exception, match="BOOK_UNKNOWN"):
        client.get_head()


def test_tables_before_a_broken_one_stand(
    months: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a table cannot be read to its end, the error names it, and it is told how to go on."""
    broken = months / "2012-02.csv"
    broken.write_bytes(broken.read_bytes() * 2000 + "王小明".encode("gb18030"))
    assert run(["import", str(months), "--recipe", "iowa", "--server", target, "--book", BOOK]) == 2
    told = capsys.readouterr().err
    assert "2012-02.csv is not utf-8-sig text" in told
    assert "The import was interrupted. Run it again" in told
    assert len(transfers(client)) == 6
