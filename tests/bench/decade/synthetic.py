"""Generates sales of spirits in the columns of Iowa's published table from a seed; no line is real.

The columns and their types are those of the real table. Days are sorted, and each month has a file. A few vendors,
items and stores have most of the lines. Bottles are sold by the case, and prices change while an item is sold. Some
lines lack a cost. Some lines return bottles, not all of which were ever sold.
"""

import calendar
import datetime
import itertools
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pyarrow
from pyarrow import parquet

BEGINS: Final = datetime.date(2012, 1, 1)
"""The first month."""

MOST_TABLES: Final = 120
"""Ten years of months; more lines make larger tables, not more."""

LINES_A_TABLE: Final = 200_000
"""About the number of lines that Iowa publishes for a month."""

RETURNS: Final = 1 / 4_000
"""The share of lines that return bottles: in the real table one in 41,000, too few for a short run."""

UNFULFILLED: Final = 0.3
"""The share of these lines that return bottles the store never had ..."""

TOO_MANY: Final = 1_000
"""... and that are so many times as large as usual."""

NO_COST: Final = 1 / 4_000
"""The share of lines without a cost; on one real day, seven of 9,510."""

DAYS_AT_A_PRICE: Final = (60, 900)
"""The least and the most days for which an item keeps its price."""

BOTTLES: Final = {
    1: 1200, 2: 1450, 3: 1000, 4: 550, 5: 120, 6: 2000, 8: 40, 10: 45, 12: 2750, 18: 95, 24: 530, 30: 30, 36: 130,
    48: 130, 60: 85, 72: 30, 96: 18, 120: 30, 144: 10, 180: 7, 240: 8, 300: 6, 360: 4, 600: 2, 1200: 1,
}  # fmt: skip
"""How often a line has a number of bottles: the mean is 10.6, and most lines are a case of 12 or half a case."""

SCHEMA: Final = pyarrow.schema(
    [
        ("date", pyarrow.date32()), ("store_number", pyarrow.int64()), ("store_name", pyarrow.string()),
        ("city", pyarrow.string()), ("state", pyarrow.string()), ("zip_code", pyarrow.int64()),
        ("item_number", pyarrow.int64()), ("category_name", pyarrow.string()), ("vendor_name", pyarrow.string()),
        ("item_description", pyarrow.string()), ("pack", pyarrow.int64()), ("bottle_volume_ml", pyarrow.int64()),
        ("state_bottle_cost", pyarrow.float64()), ("state_bottle_retail", pyarrow.float64()),
        ("bottles_sold", pyarrow.int64()), ("sale_dollars", pyarrow.float64()),
    ]
)  # fmt: skip
"""The columns and their types."""

_FIRST: Final = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Indigo", "Juniper",
                 "Kestrel", "Lantern", "Meadow", "Northern", "Orchard", "Prairie", "Quarry", "River", "Summit",
                 "Timber")  # fmt: skip
_SECOND: Final = ("Barrel", "Bay", "Copper", "Creek", "Crown", "Field", "Forge", "Gate", "Grove", "Hill", "Hollow",
                  "Lake", "Mill", "Oak", "Ridge", "Spring", "Stone", "Valley", "Well", "Wood")  # fmt: skip
_VENDORS: Final = (
    "Distillers",
    "Imports, Inc.",
    "Spirits",
    "Brands",
    "& Sons",
    "Company",
    "Wine-Spirits",
    "U.S.A.",
)
_KINDS: Final = (
    "Vodka",
    "Straight Bourbon",
    "Canadian Whisky",
    "Spiced Rum",
    "Tequila",
    "Gin",
    "Brandy",
    "Liqueur",
)


class Item(msgspec.Struct, frozen=True):
    """An item of a vendor; `cost` is its first cost in cents, and `keeps` the number of days between price changes."""

    number: int
    vendor: str
    category: str
    description: str
    pack: int
    millilitres: int
    cost: int
    keeps: int
    offset: int

    def prices(self, day: datetime.date) -> tuple[int, int]:
        """Return the cost and the retail price of a bottle on a day, in cents."""
        changes = (day.toordinal() + self.offset) // self.keeps - (
            BEGINS.toordinal() + self.offset
        ) // self.keeps
        cost = self.cost * (100 + 2 * changes - changes * self.number % 5) // 100
        return cost, (3 * cost + 1) // 2


class Store(msgspec.Struct, frozen=True):
    """A store, which buys from the state."""

    number: int
    name: str
    city: str
    zip_code: int


class World:
    """All vendors, items and stores: fewer for few lines, and at most as many as Iowa has."""

    def __init__(self, lines: int, seed: int) -> None:
        """Draw the world; from 200,000 lines on it has 10,000 items, 2,000 stores and 400 vendors."""
        chance = random.Random(f"world {seed}")
        names = [f"{first} {second}" for first, second in itertools.product(_FIRST, _SECOND)]
        chance.shuffle(names)
        vendors = [
            f"{name} {_VENDORS[i % len(_VENDORS)]}" for i, name in enumerate(names[: max(8, lines // 500)])
        ]
        items = min(10_000, max(50, lines // 20))
        sellers = chance.choices(vendors, _weights(len(vendors), 5), k=items)
        numbers = chance.sample(range(100, 1_000_000), items)
        self.items = [_item(chance, *named) for named in zip(numbers, sellers, strict=True)]
        stores = min(2_000, max(20, lines // 100))
        self.stores = [_store(chance, number) for number in chance.sample(range(2_000, 10_000), stores)]
        self.item_weights = list(itertools.accumulate(_weights(items, max(15, items / 250))))
        self.store_weights = list(itertools.accumulate(_weights(stores, max(15, stores / 13))))


def write_tables(
    directory: Path, lines: int, *, seed: int = 2012, lines_a_table: int = LINES_A_TABLE
) -> list[Path]:
    """Write lines as Parquet files, one for each month from `sales-2012-01.parquet` on; return their paths.

    The same arguments give the same lines on any machine.
    """
    directory.mkdir(parents=True, exist_ok=True)
    world, chance = World(lines, seed), random.Random(f"lines {seed}")
    tables = min(MOST_TABLES, max(1, round(lines / lines_a_table)))
    sold: list[tuple[int, int, int]] = []
    paths = []
    for table, days in enumerate(itertools.islice(_months(), tables)):
        count = lines * (table + 1) // tables - lines * table // tables
        columns = _columns(world, chance, days, count, sold)
        paths.append(directory / f"sales-{days[0]:%Y-%m}.parquet")
        parquet.write_table(pyarrow.table(columns, schema=SCHEMA), paths[-1])
    return paths


def _columns(
    world: World,
    chance: random.Random,
    days: list[datetime.date],
    count: int,
    sold: list[tuple[int, int, int]],
) -> dict[str, list[object]]:
    """Return the lines of a month as columns; `sold` has some earlier sales as (item, store, bottles)."""
    dates = sorted(chance.choices(days, k=count))
    items = chance.choices(range(len(world.items)), cum_weights=world.item_weights, k=count)
    stores = chance.choices(range(len(world.stores)), cum_weights=world.store_weights, k=count)
    bottles = chance.choices(list(BOTTLES), list(BOTTLES.values()), k=count)
    for line in range(count):
        if chance.random() < RETURNS and sold:
            if chance.random() < UNFULFILLED:
                bottles[line] *= -TOO_MANY
            else:
                items[line], stores[line], most = sold.pop(chance.randrange(len(sold)))
                bottles[line] = -chance.randint(1, most)
        elif chance.random() < 4 * RETURNS:
            sold.append((items[line], stores[line], bottles[line]))
    paid = [world.items[item].prices(day) for item, day in zip(items, dates, strict=True)]
    known = [chance.random() >= NO_COST for _ in range(count)]

    def of_items(field: Callable[[Item], object]) -> list[object]:
        values = [field(item) for item in world.items]
        return [values[item] for item in items]

    def of_stores(field: Callable[[Store], object]) -> list[object]:
        values = [field(store) for store in world.stores]
        return [values[store] for store in stores]

    return {
        "date": list(dates),
        "store_number": of_stores(lambda store: store.number),
        "store_name": of_stores(lambda store: store.name),
        "city": of_stores(lambda store: store.city),
        "state": ["IA"] * count,
        "zip_code": of_stores(lambda store: store.zip_code),
        "item_number": of_items(lambda item: item.number),
        "category_name": of_items(lambda item: item.category),
        "vendor_name": of_items(lambda item: item.vendor),
        "item_description": of_items(lambda item: item.description),
        "pack": of_items(lambda item: item.pack),
        "bottle_volume_ml": of_items(lambda item: item.millilitres),
        "state_bottle_cost": [
            cost / 100 if has else None for (cost, _), has in zip(paid, known, strict=True)
        ],
        "state_bottle_retail": [retail / 100 for _, retail in paid],
        "bottles_sold": list(bottles),
        "sale_dollars": [retail * n / 100 for (_, retail), n in zip(paid, bottles, strict=True)],
    }


def _weights(count: int, width: float) -> list[float]:
    """Return falling weights; a smaller width gives the first ones a larger share.

    With 10,000 items and a width of 40, the first item has one line in 80. Then 200,000 lines have some 2,900 items.
    """
    return [math.exp(-math.sqrt(rank / width)) for rank in range(count)]


def _months() -> Iterator[list[datetime.date]]:
    """Yield the delivery days of each month, without Sundays."""
    for number in itertools.count():
        year, month = BEGINS.year + number // 12, number % 12 + 1
        days = (datetime.date(year, month, day + 1) for day in range(calendar.monthrange(year, month)[1]))
        yield [day for day in days if day.weekday() != calendar.SUNDAY]


def _item(chance: random.Random, number: int, vendor: str) -> Item:
    kind = chance.choice(_KINDS)
    millilitres = chance.choice((200, 375, 500, 750, 750, 750, 1000, 1750))
    return Item(
        number=number,
        vendor=vendor,
        category=kind.upper(),
        description=f"{chance.choice(_FIRST)} {chance.choice(_SECOND)} {kind}",
        pack=chance.choice((6, 12, 12, 24)),
        millilitres=millilitres,
        cost=max(89, int(math.exp(chance.gauss(2.1, 0.5)) * 100)),
        keeps=chance.randint(*DAYS_AT_A_PRICE),
        offset=chance.randrange(DAYS_AT_A_PRICE[1]),
    )


def _store(chance: random.Random, number: int) -> Store:
    city = f"{chance.choice(_SECOND)} {chance.choice(('City', 'Falls', 'Grove', 'Rapids'))}"
    return Store(number, f"{chance.choice(_FIRST)} Store / {city}", city, chance.randrange(50_001, 52_810))
