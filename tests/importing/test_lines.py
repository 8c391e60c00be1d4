"""A recipe turns a row into a line, or rejects it with a named reason."""

import datetime
from pathlib import Path

import pytest

from pathbook.importing.files import Stamp
from pathbook.importing.lines import Line, LineReader, Player, Rejection
from pathbook.importing.loading import load_recipe, parse_recipe
from pathbook.importing.plan import Plan
from pathbook.importing.recipe import Recipe
from pathbook.importing.sources import Source
from pathbook.importing.tables import Row, Shape
from pathbook.ledger.values import Price

SOURCE = Source("table", Path("table.csv"), Stamp(0, 0, 0, 0), Shape((), "", ","))

GOOD = {
    "date": "2012-01-31",
    "store_number": "2506",
    "item_number": "75087",
    "vendor_name": "Luxco-St Louis",
    "item_description": "Juarez Gold Dss",
    "state_bottle_cost": "4.75",
    "state_bottle_retail": "7.13",
    "bottles_sold": "60",
}

CHAIN = """
quantity = "count"
currency = { make = "text", text = "CNY" }
date = { column = "day" }
batch = { lot = "lot", made_on = "made", expires_on = "expires" }

[parties.maker]
kind = "brand"
id = { make = "text", text = "maker" }

[parties.from]
kind = "agent"
id = "from"

[parties.to]
kind = "agent"
id = "to"
tier = "level"
upline = "from"

[product]
brand = "maker"
gtin = "gtin"
name = { make = "text", text = "Mask" }
suggested_price = { make = "text", text = "300" }

[[movements]]
name = "passed-on"
giver = "from"
receiver = "to"
price = "price"
"""

PASSED_ON = {
    "day": "2024-03-05", "from": "maker", "to": "ann", "gtin": "4006381333931", "lot": "L1", "made": "2024-01-01",
    "expires": "", "count": "10", "price": "150", "level": "1",
}  # fmt: skip


@pytest.fixture
def iowa() -> Recipe:
    """Return the recipe for Iowa."""
    return load_recipe("iowa")


@pytest.fixture
def chain() -> Recipe:
    """Return a recipe whose rows are single hops between any two parties."""
    return parse_recipe(CHAIN.encode(), "chain")


def read(recipe: Recipe, cells: dict[str, str], number: int = 1) -> Line:
    """Return the line of a valid row."""
    line = LineReader(recipe, "table").read(Row(number, cells))
    assert isinstance(line, Line), line
    return line


def test_a_row_of_iowa_has_all_values_of_a_line(iowa: Recipe) -> None:
    """Vendor, state and store, product and lot, both prices and the number of bottles are read from one row."""
    line = read(iowa, GOOD)
    assert line.players == {
        "vendor": Player("luxco-st-louis", "brand", None, None),
        "state": Player("state-of-iowa", "agent", 1, "luxco-st-louis"),
        "store": Player("store-2506", "shop", 2, "state-of-iowa"),
    }
    assert (line.brand, line.gtin, line.name) == ("luxco-st-louis", "02075087204793", "Juarez Gold Dss")
    assert (line.suggested_price, line.prices) == (Price(713, "USD"), (Price(475, "USD"), Price(713, "USD")))
    assert (line.lot, line.quantity, line.expires_on) == ("table", 60, None)
    assert line.occurred_on == line.made_on == datetime.date(2012, 1, 31)


@pytest.mark.parametrize(
    ("cell", "text", "reason"),
    [
        ("state_bottle_cost", "", "CELL_EMPTY: state_bottle_cost is empty."),
        ("store_number", "", "CELL_EMPTY: store_number is empty."),
        ("date", "31/01/2012", "DATE_MALFORMED: date '31/01/2012' is not a date written as %Y-%m-%d."),
        ("bottles_sold", "many", "QUANTITY_MALFORMED: bottles_sold 'many' is not a whole number."),
        ("bottles_sold", "0", "QUANTITY_ZERO: bottles_sold is 0: nothing was moved."),
        ("state_bottle_cost", "-4.75", "PRICE_NEGATIVE: state_bottle_cost -4.75 is below zero."),
        (
            "state_bottle_retail",
            "7,13",
            "PRICE_MALFORMED: state_bottle_retail '7,13' is not a price in USD, written with decimal_mark '.'",
        ),
        ("store_number", "25/06", "PARTY_MALFORMED: 'store-25/06' of store_number cannot name a party"),
        ("item_number", "7508799", "ITEM_MALFORMED: item_number '7508799' is not an item number"),
    ],
)
def test_an_unreadable_row_is_rejected_with_a_reason(iowa: Recipe, cell: str, text: str, reason: str) -> None:
    """The reason names the rule, the column and its text."""
    rejection = LineReader(iowa, "table").read(Row(7, GOOD | {cell: text}))
    assert isinstance(rejection, Rejection)
    assert rejection.row == 7
    assert rejection.reason.startswith(reason)


@pytest.mark.parametrize(
    ("cell", "text", "fault"),
    [("count", "-1", "QUANTITY_NEGATIVE"), ("gtin", "4006381333932", "GTIN_CHECK_DIGIT"),
     ("lot", "L 1", "LOT_MALFORMED"), ("level", "0", "TIER_MALFORMED"), ("level", "top", "TIER_MALFORMED"),
     ("to", "王小明", "PARTY_MALFORMED")],
)  # fmt: skip
def test_other_cells_have_named_faults(chain: Recipe, cell: str, text: str, fault: str) -> None:
    """GTINs, lots, tiers and ids from columns are checked too."""
    rejection = LineReader(chain, "table").read(Row(1, PASSED_ON | {cell: text}))
    assert isinstance(rejection, Rejection)
    assert rejection.reason.startswith(f"{fault}: ")


def test_a_required_column_must_not_be_empty() -> None:
    """A recipe may require columns that it does not otherwise use."""
    recipe = parse_recipe(f'required = ["note"]\n{CHAIN}'.encode(), "chain")
    assert LineReader(recipe, "table").read(Row(1, PASSED_ON | {"note": ""})) == Rejection(
        "table", 1, "CELL_EMPTY: note is empty."
    )
    assert isinstance(LineReader(recipe, "table").read(Row(1, PASSED_ON | {"note": "x"})), Line)


def test_a_broken_row_is_rejected(iowa: Recipe) -> None:
    """The reason for the rejection is the table's error for a row that it cannot parse."""
    rejection = LineReader(iowa, "table").read(Row(3, {}, broken="it has 2 cells, and the header 8"))
    assert rejection == Rejection(
        "table", 3, "ROW_BROKEN: the row cannot be read: it has 2 cells, and the header 8."
    )


def test_the_brand_of_a_row_is_a_brand_in_any_role(chain: Recipe) -> None:
    """A brand that is the giver in a column of agents stays a brand."""
    line = read(chain, PASSED_ON)
    assert line.players["from"] == Player("maker", "brand", None, None)
    assert line.players["to"] == Player("ann", "agent", 1, "maker")
    assert line.gtin == "04006381333931"


def test_a_plan_sums_what_leaves_the_brand(chain: Recipe) -> None:
    """A batch has the size of what its brand gives away, without later hops."""
    plan = Plan(chain, SOURCE)
    for cells in (
        {},
        {"count": "5", "to": "bob", "day": "2024-03-01", "made": "2023-12-31"},
        {"from": "ann", "to": "carl", "level": "2", "count": "4", "expires": "2025-01-01"},
        {"from": "ann", "to": "carl", "level": "2", "lot": "L2"},
    ):
        plan.add(read(chain, PASSED_ON | cells))
    sizes = {lot: (batch.size, batch.made_on.isoformat()) for lot, batch in plan.batches.items()}
    assert sizes == {
        ("04006381333931", "L1"): (15, "2023-12-31"),
        ("04006381333931", "L2"): (0, "2024-01-01"),
    }
    assert plan.parties == {"maker": "brand", "ann": "agent", "bob": "agent", "carl": "agent"}
    assert list(plan.grants) == [("maker", "ann", 1), ("maker", "bob", 1), ("ann", "carl", 2)]


def test_an_authorization_begins_with_the_earliest_row(iowa: Recipe) -> None:
    """Rows need not be in the order of their dates."""
    plan = Plan(iowa, SOURCE)
    for day in ("2012-02-02", "2012-01-31", "2012-02-01"):
        plan.add(read(iowa, GOOD | {"date": day}))
    assert set(plan.grants.values()) == {datetime.date(2012, 1, 31)}


def test_a_return_registers_nothing(iowa: Recipe) -> None:
    """A row that returns goods needs no new party, product or batch."""
    plan = Plan(iowa, SOURCE)
    plan.add(read(iowa, GOOD | {"bottles_sold": "-6"}))
    assert (plan.parties, plan.products, plan.batches, plan.grants) == ({}, {}, {}, {})


def test_a_line_that_contradicts_an_earlier_one_is_rejected(chain: Recipe, iowa: Recipe) -> None:
    """Within a table, one id has one kind of party, and one GTIN has one brand."""
    plan = Plan(iowa, SOURCE)
    plan.add(read(iowa, GOOD))
    as_brand = read(iowa, GOOD | {"vendor_name": "Store 2506"}, 9)
    assert plan.contradiction(as_brand) == Rejection(
        "table", 9, "PARTY_CONTRADICTS: store-2506 is of kind shop elsewhere in the table."
    )
    plan.products["02075087204793"] = plan.products["02075087204793"].__class__(
        "proximo", "", Price(0, "USD")
    )
    assert plan.contradiction(read(iowa, GOOD, 9)) == Rejection(
        "table", 9, "PRODUCT_CONTRADICTS: product 02075087204793 belongs to proximo elsewhere in the table."
    )
