"""Prices on the command line: typed and printed exactly, and compared by their exact value."""

from pathlib import Path

import pytest

from pathbook.cli.story import GTIN
from pathbook.ledger.values import Price
from pathbook.verify.purchases import Purchase
from tests.cli.conftest import Ran, pathbook

SCREW = (
    ["party", "register", "acme", "--kind", "brand"],
    ["party", "register", "ann", "--kind", "agent"],
    ["party", "register", "bob", "--kind", "agent"],
    ["product", "register", GTIN, "--brand", "acme", "--name", "Screw", "--price", "0.0250 CNY"],
    [
        "batch",
        "commission",
        GTIN,
        "--brand",
        "acme",
        "--lot",
        "A",
        "--size",
        "100",
        "--made-on",
        "2026-01-01",
    ],
    ["record", "--giver", "acme", "--receiver", "ann", "--units", "1:0-6", "--price", "0 CNY"],
    ["record", "--giver", "ann", "--receiver", "bob", "--units", "1:0-6", "--price", "0.0125 CNY"],
    ["sell", "--seller", "bob", "--consumer", "c-1", "--units", "1:0-6", "--price", "0.10 CNY/7"],
    ["confirm", "--consumer", "c-1", "--units", "1:0", "--paid", "0.2 CNY / 14"],
    ["record", "--giver", "acme", "--receiver", "bob", "--units", "1:7-9", "--price", "9990.50 HUF"],
    ["record", "--giver", "acme", "--receiver", "ann", "--units", "1:10", "--price", "12000000000 VND"],
)


@pytest.fixture(scope="module")
def screws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of screws, whose prices are for many of them."""
    directory = tmp_path_factory.mktemp("screws")
    for command in SCREW:
        ran = pathbook(*command, "--data", str(directory))
        assert ran.code == 0, ran
    return directory


@pytest.fixture(scope="module")
def serial(screws: Path) -> str:
    """The code of the screw whose purchase was confirmed."""
    return pathbook("codes", "1:0", "--data", str(screws)).out.split()[-1]


def test_a_path_shows_prices_and_mark_ups_exactly(screws: Path) -> None:
    """A mark-up on a price of zero is empty, and one between prices for other numbers of units is exact."""
    lines = pathbook("path", "1:0", "--data", str(screws)).out.splitlines()
    assert "suggested price  0.025 CNY" in lines
    cells = [line.split() for line in lines if "operator" in line]
    shown = [[cell for cell in row if cell[0].isdigit() or cell[0] in "+-"][2:] for row in cells]
    assert [row[-3:] for row in shown] == [
        ["0.00", "-", "0.0%"],
        ["0.0125", "-", "50.0%"],
        ["0.10/7", "+14.3%", "57.1%"],
        ["0.20/14", "-", "-"],
    ]
    titles = next(line for line in lines if line.endswith("attested by"))
    assert titles.split()[7:11] == ["CNY", "mark-up", "of", "0.025"]


def test_a_ladder_shows_prices_exactly_and_rounds_a_mean(screws: Path) -> None:
    """Least, most and median are prices as stated, and a mean is rounded to the minor unit."""
    lines = pathbook("ladder", "1", "--data", str(screws)).out.splitlines()
    rows = {line.split()[-1]: line.split() for line in lines[1:] if not line.startswith("consumer")}
    assert rows["HUF"][-8:] == ["3", "9990.50", "9990.50", "9990.50", "9990.50", "-", "-", "HUF"]
    assert rows["VND"][-7:-2] == ["12000000000"] * 4 + ["-"]
    assert rows["CNY"][-8:] == ["14", "0.00", "0.0125", "0.01", "0.00", "0.0%", "0.025", "CNY"]
    assert lines[-1].split() == [
        "consumer", "7", "0.10/7", "0.10/7", "0.01", "0.10/7", "57.1%", "0.025", "CNY",
    ]  # fmt: skip


def test_json_states_the_number_of_units(screws: Path) -> None:
    """A script can divide by the number of units, in answers and in stored events alike."""
    product = pathbook("product", "show", GTIN, "--data", str(screws), "--output", "json").json()
    assert product["suggested_price"] == {"amount_minor": "25", "currency_code": "CNY", "per_units": "10"}
    shown = pathbook("events", "read", "--after", "6", "--data", str(screws), "--output", "jsonl").out
    assert [part.partition('"')[0] for part in shown.split('"per_units": "')[1:]] == [
        "1",
        "100",
        "7",
        "14",
        "1",
        "1",
    ]
    assert "unit_price=0.10CNY/7" in pathbook("events", "read", "--data", str(screws)).out


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("0.10 CNY/7", 0),
        ("0.20 CNY/14", 0),
        ("0.0143 CNY", 0),
        ("0.0142 CNY", 5),
        ("9.99 CNY/700", 5),
        ("0.01 CNY", 5),
        ("1 USD", 5),
    ],
)
def test_a_highest_price_is_compared_exactly(screws: Path, serial: str, limit: str, code: int) -> None:
    """The limit of the caller is a fraction like the price, and neither is rounded."""
    ran = pathbook("verify", serial, "--max-price", limit, "--data", str(screws), "--today", "2026-03-01")
    assert ran.code == code, ran
    assert "the consumer paid 0.10 CNY/7, as the sale on record says" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("paid", "disputed"),
    [
        (Price(100, "CNY", 7), False),
        (Price(300, "CNY", 21), False),
        (Price(100, "CNY", 6), True),
        (Price(100, "USD", 7), True),
        (Price(101, "CNY", 7), True),
        (None, False),
    ],
)
def test_a_purchase_is_disputed_only_if_the_exact_price_differs(paid: Price | None, disputed: bool) -> None:
    """The consumer may state the price for another number of units than the seller."""
    assert Purchase("ann", 1, 0, Price(100, "CNY", 7), 2, 0, paid).disputed is disputed


@pytest.mark.parametrize(
    ("price", "problem"),
    [("1 XXX", "not an ISO 4217 code"), ("1 CNY/0", "no units"), ("0.0000000000001 CNY", "too fine")],
)
def test_a_price_that_cannot_be_kept_is_a_usage_error(price: str, problem: str) -> None:
    """The usage error says why, before a server is asked."""
    ran: Ran = pathbook("record", "--giver", "a", "--receiver", "b", "--units", "1:0", "--price", price)
    assert ran.code == 2
    assert problem in " ".join(ran.err.split())
