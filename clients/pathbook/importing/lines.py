"""Making a line from a row: its parsed values, which are not yet compared with other rows or with a book."""

import datetime

import msgspec

from pathbook.importing import cells
from pathbook.importing.cells import CellError, Fault
from pathbook.importing.recipe import (
    Kind,
    LineTotal,
    Party,
    Prefixed,
    Recipe,
    RestrictedGtin,
    Slug,
    SourceLot,
    Text,
    id_columns,
)
from pathbook.importing.tables import Row
from pathbook.ledger.codes import PrintedCode, parse_code
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import MAX_TIER, Price, is_identifier, is_lot


class Rejection(msgspec.Struct, frozen=True):
    """Why a row is not recorded, or not wholly: the name of a fault or refusal, and its sentence.

    `line` is the line of a CSV file in which the row begins, or 0.
    """

    source: str
    row: int
    reason: str
    line: int = 0

    @property
    def name(self) -> str:
        """The name of the fault or refusal."""
        return self.reason.partition(":")[0]


class Player(msgspec.Struct, frozen=True):
    """The party that plays a part in a row. Tier and upline (an id) are None unless the recipe names an upline."""

    party: str
    kind: Kind
    tier: int | None
    upline: str | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one row. A negative quantity is a return.

    The prices and references are those of the movements, in order. A reference may be empty. `names_lot` says whether
    the row itself names its lot, and not only the recipe. `code` is the printed code of its unit, if it names one.
    `key` are the cells that distinguish the row, if the recipe says so.
    """

    row: int
    occurred_on: datetime.date
    quantity: int
    players: dict[str, Player]
    brand: str
    gtin: str
    name: str
    suggested_price: Price
    lot: str
    made_on: datetime.date
    expires_on: datetime.date | None
    prices: tuple[Price, ...]
    references: tuple[str, ...]
    line: int = 0
    names_lot: bool = False
    code: PrintedCode | None = None
    key: tuple[str, ...] = ()


class LineReader:
    """Reads the rows of one table."""

    def __init__(self, recipe: Recipe, source: str) -> None:
        self._recipe = recipe
        self._source = source
        self._lot_of_source = cells.lot_of(source)
        self._key = id_columns(recipe)
        self._marks = cells.Marks(recipe.decimal_mark, recipe.thousands_mark)

    def read(self, row: Row) -> Line | Rejection:
        """Return the line of a row, or why the row cannot be read."""
        try:
            return self._line(row)
        except CellError as fault:
            return Rejection(self._source, row.number, str(fault), row.line)

    def _line(self, row: Row) -> Line:
        if row.broken:
            raise CellError(Fault.ROW_BROKEN, text=row.broken)
        recipe, product, batch = self._recipe, self._recipe.product, self._recipe.batch
        for column in recipe.required:
            _cell(row, column)
        key = tuple(_cell(row, column) for column in self._key)
        quantity = cells.parse_quantity(recipe.quantity, _cell(row, recipe.quantity), self._marks)
        if quantity < 0 and recipe.negative == "reject":
            raise CellError(Fault.QUANTITY_NEGATIVE, column=recipe.quantity, text=str(quantity))
        occurred_on = self._date(row, recipe.date.column)
        prices = tuple(self._price(row, movement.price, quantity) for movement in recipe.movements)
        players = self._players(row)
        return Line(
            row=row.number,
            occurred_on=occurred_on,
            quantity=quantity,
            players=players,
            brand=players[product.brand].party,
            gtin=_gtin(row, product.gtin, product.pad),
            name=_text(row, product.name),
            suggested_price=self._price(row, product.suggested_price, quantity),
            lot=self._lot(row),
            made_on=occurred_on if batch.made_on is None else self._date(row, batch.made_on),
            expires_on=self._date(row, batch.expires_on) if _optional(row, batch.expires_on) else None,
            prices=prices,
            references=tuple(_optional(row, movement.reference) for movement in recipe.movements),
            line=row.line,
            names_lot=isinstance(batch.lot, str),
            code=self._code(row, quantity),
            key=key,
        )

    def _date(self, row: Row, column: str | None) -> datetime.date:
        assert column is not None
        return cells.parse_date(column, _cell(row, column), self._recipe.date.format)

    def _price(self, row: Row, word: str | Text | LineTotal, quantity: int) -> Price:
        currency_code = _text(row, self._recipe.currency)
        if isinstance(word, LineTotal):
            total = _cell(row, word.column)
            return cells.parse_total(word.column, total, currency_code, quantity, self._marks)
        column = word if isinstance(word, str) else "the price"
        return cells.parse_price(column, _text(row, word), currency_code, self._marks)

    def _lot(self, row: Row) -> str:
        word = self._recipe.batch.lot
        if isinstance(word, SourceLot):
            return self._lot_of_source
        lot = cells.narrowed(_text(row, word))
        if not is_lot(lot):
            raise CellError(Fault.LOT_MALFORMED, column=str(word), text=lot)
        return lot

    def _code(self, row: Row, quantity: int) -> PrintedCode | None:
        """Return the code by which the row names its unit, if the recipe has a column of codes."""
        column = self._recipe.serial
        if column is None:
            return None
        text = _cell(row, column)
        if abs(quantity) != 1:
            raise CellError(Fault.SERIAL_IS_ONE_UNIT, column=self._recipe.quantity, text=str(quantity))
        code = parse_code(cells.narrowed(text))
        if isinstance(code, Refusal):
            raise CellError(Fault.SERIAL_MALFORMED, column=column, text=text, rule=code)
        return code

    def _players(self, row: Row) -> dict[str, Player]:
        """Return the party of each part. The brand of the row's product is a brand in every part that it plays."""
        parties = self._recipe.parties
        ids = {role: self._party_id(row, party) for role, party in parties.items()}
        brand = Player(ids[self._recipe.product.brand], "brand", None, None)
        return {
            role: brand if ids[role] == brand.party else _player(row, role, party, ids)
            for role, party in parties.items()
        }

    def _party_id(self, row: Row, party: Party) -> str:
        match party.id:
            case Text(text=text):
                return text
            case Slug(column=column):
                return cells.slug_of(_cell(row, column))
            case Prefixed(prefix=prefix, column=column):
                return _identifier(column, prefix + _cell(row, column))
            case str(column):
                return _identifier(column, _cell(row, column))


def _player(row: Row, role: str, party: Party, ids: dict[str, str]) -> Player:
    upline = None if party.upline is None else ids[party.upline]
    return Player(ids[role], party.kind, _tier(row, party), upline)


def _identifier(column: str, text: str) -> str:
    text = cells.narrowed(text)
    if not is_identifier(text):
        raise CellError(Fault.PARTY_MALFORMED, column=column, text=text)
    return text


def _cell(row: Row, column: str) -> str:
    text = _optional(row, column)
    if not text:
        raise CellError(Fault.CELL_EMPTY, column=column)
    return text


def _optional(row: Row, column: str | None) -> str:
    """Return a cell, or an empty text without a column. Some programs write a text where they have no value."""
    text = row.cells[column] if column is not None else ""
    if text in cells.NO_VALUES:
        raise CellError(Fault.CELL_NO_VALUE, column=str(column), text=text)
    return text


def _text(row: Row, word: str | Text) -> str:
    return word.text if isinstance(word, Text) else _cell(row, word)


def _gtin(row: Row, word: str | RestrictedGtin, pad: int | None) -> str:
    if isinstance(word, RestrictedGtin):
        return cells.restricted_gtin(word.item, _cell(row, word.item), _cell(row, word.owner))
    return cells.parse_gtin(word, _cell(row, word), pad)


def _tier(row: Row, party: Party) -> int | None:
    if not isinstance(party.tier, str):
        return party.tier
    text = cells.narrowed(_cell(row, party.tier))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MAX_TIER):
        raise CellError(Fault.TIER_MALFORMED, column=party.tier, text=text, rule=MAX_TIER)
    return int(text)
