"""One command imports several tables and directories of tables, with one summary."""

import gzip
import random
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from tests.importing.sheets import BOOK, GIN, RUM, Import, events, sold, write

DEARER: Final = (*RUM[:3], "5.00", "7.50")
"""The same bottle at a higher price."""

MONTHS: Final = {
    "2012-01": [sold(RUM, 60), sold(GIN, 12, "2614"), sold(RUM, 3, "2614")],
    "2012-02": [sold(RUM, 6, day="2012-02-01"), sold(DEARER, 6, "2999", "2012-02-20")],
    "2012-03": [sold(DEARER, 1, "2999", "2012-03-01"), sold(RUM, 0, day="2012-03-01")],
}
"""The rows of each table, by its name."""


@pytest.fixture
def months(tmp_path: Path) -> Path:
    """A directory with a table for each month, and files that are no tables."""
    directory = tmp_path / "sales"
    directory.mkdir()
    for name in reversed(MONTHS):
        write(directory / f"{name}.csv", MONTHS[name])
    (directory / "notes.txt").write_text("No table.")
    (directory / ".2012-04.csv").write_text("What an editor left behind.")
    (directory / "more.csv").mkdir()
    return directory


def transfers(client: Client) -> list[str]:
    """Return the lot of each transfer, which is the name of its table, in the order in which they were recorded."""
    all_events = events(client)
    lots = {made.batch_commissioned.batch: made.batch_commissioned.lot for made in all_events}
    return [
        lots[event.transfer_recorded.terms.ranges[0].batch]
        for event in all_events
        if event.HasField("transfer_recorded")
    ]


def test_a_directory_is_imported_in_the_order_of_its_names(
    months: Path, imported: Import, client: Client
) -> None:
    """Each table has its own source and lots, and one summary counts all tables."""
    summary = imported(months)
    assert (summary.tables, summary.accepted, summary.rejected) == (3, 6, 1)
    assert (summary.transfers, summary.units) == (12, 88)
    assert [(each.source, each.row) for each in summary.rejections] == [("2012-03", 2)]
    assert summary.amounts["retail"]["USD"].amount == "688.83"
    names = transfers(client)
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


def test_tables_share_their_registrations(months: Path, imported: Import, client: Client) -> None:
    """The parties, authorizations and products of all tables are registered once, from the first day on."""
    imported(months)
    kinds = Counter(event.WhichOneof("kind") for event in events(client))
    del kinds["transfer_recorded"]
    assert kinds == {
        "book_opened": 1,
        "party_registered": 6,
        "party_authorized": 5,
        "product_registered": 2,
        "batch_commissioned": 4,
    }


def test_tables_are_imported_in_the_order_given(months: Path, imported: Import, client: Client) -> None:
    """Files and directories may be given together, and a later table may have earlier days."""
    february = (months / "2012-02.csv").rename(months.parent / "2012-02.csv")
    summary = imported(february, str(months))
    assert (summary.tables, summary.accepted) == (3, 6)
    names = transfers(client)
    assert list(dict.fromkeys(names)) == ["2012-02", "2012-01", "2012-03"]
    client.position = client.get_head().position
    for batch in client.list_batches():
        last = client.get_path((batch.batch, 0)).steps[-1]
        (authority,) = last.terms.authorities
        assert (authority.giver_authorization, authority.receiver_authorization) == (1, 1)


def test_repeated_tables_are_duplicates_alone_or_together(
    months: Path, imported: Import, client: Client
) -> None:
    """A row is recognized as a duplicate whether its table is imported alone or with others."""
    imported(months / "2012-02.csv")
    combined = imported(months)
    assert (combined.accepted, combined.duplicate, combined.rejected) == (4, 2, 1)
    head = client.get_head().position
    again = imported(months)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 6, 1)
    assert (again.transfers, again.units, again.amounts) == (12, 88, combined.amounts)
    assert imported(months / "2012-03.csv").duplicate == 1
    assert client.get_head().position == head


def test_a_return_of_an_earlier_table_is_found(months: Path, imported: Import, client: Client) -> None:
    """A shop may return goods of any earlier table, and a return of missing goods is rejected and counted."""
    write(
        months / "2012-04.csv",
        [
            sold(RUM, -62, day="2012-04-01"),  # 60 of January, 2 of February
            sold(RUM, -5, day="2012-04-02"),  # it has only 4
            sold(RUM, -4, day="2012-04-03"),
            sold(GIN, -1, day="2012-04-03"),  # it never had one
            sold(GIN, -1, "4711", "2012-04-03"),  # no table sells to this shop
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
    """A vendor has the same id in all tables, whichever spelling of its name comes first."""
    spellings = [
        (RUM[0], name, *RUM[2:]) for name in ("Luxco-St Louis", "LUXCO ST. LOUIS", "Luxco & St Louis")
    ]
    for table in ("a", "b", "c"):
        random.Random(table).shuffle(spellings)
        write(tmp_path / f"{table}.csv", [sold(way, 1) for way in spellings])
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


def test_rejected_rows_are_listed_with_their_table(
    months: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """For several tables the summary has their number, and lists each rejected row with its source."""
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
        pytest.param(["empty"], "none of its files ends in .csv or .csv.gz or .parquet", id="an empty directory"),
        pytest.param(["sales", "2012-01.csv"], "would have the same name '2012-01' in the book", id="two of one name"),
        pytest.param(["sales", "other.csv"], "other.csv has no column 'bottles_sold'", id="a table of another kind"),
        pytest.param(["sales", "--source", "all"], "--source names a single table", id="one name for several"),
        pytest.param([], "Missing argument", id="no table"),
    ],
)  # fmt: skip
def test_wrong_tables_are_refused_before_the_first_write(
    months: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tables: list[str], named: str,
) -> None:  # fmt: skip
    """Every table is checked before the first row is recorded, and the error names what does not fit."""
    monkeypatch.chdir(months.parent)
    Path("empty").mkdir()
    write(Path("2012-01.csv"), MONTHS["2012-01"])
    Path("other.csv").write_text("date,store_number\n")
    assert run(["import", *tables, "--recipe", "iowa", "--server", target]) == 2
    assert named in " ".join(capsys.readouterr().err.split())
    assert client.get_head().position == 1


def test_tables_before_a_broken_one_are_recorded(
    months: Path, target: str, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """If a table cannot be read to its end, the error names the table and says how to resume."""
    whole = months / "2012-02.csv"
    packed = gzip.compress(whole.read_bytes() + random.Random(1).randbytes(1_000_000).hex().encode())
    (months / "2012-02.csv.gz").write_bytes(packed[:-8])
    whole.unlink()
    assert run(["import", str(months), "--recipe", "iowa", "--server", target, "--book", BOOK]) == 2
    printed = capsys.readouterr().err
    assert "2012-02.csv.gz cannot be read: Compressed file ended" in printed
    assert "The import was interrupted. Run it again" in printed
    assert len(transfers(client)) == 6
