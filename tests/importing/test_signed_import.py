"""An import signs its transfers with the key of the party that gives all of them."""

from pathlib import Path
from typing import Final

from pathbook.client import Client, PartyKey, PartyKind, write_key_file
from pathbook.ledger.codec.statements import read_statement
from tests.importing.sheets import Import, events

RECIPE: Final = """
quantity = "count"
currency = { make = "text", text = "CNY" }

[date]
column = "date"
format = "%Y-%m-%d"

[parties.seller]
kind = "brand"
id = "seller"

[parties.buyer]
kind = "agent"
id = "buyer"
tier = 1
upline = "seller"

[product]
brand = "seller"
gtin = "gtin"
name = { make = "text", text = "Mask" }
suggested_price = { make = "text", text = "300" }

[batch]
lot = "lot"

[[movements]]
name = "sold"
giver = "seller"
receiver = "buyer"
price = "price"
"""

SHEET: Final = """date,seller,buyer,gtin,lot,count,price
2026-02-01,acme,ann,06901234500011,A,1,150.00
2026-02-02,acme,bob,06901234500011,A,2,150.00
"""


def test_an_import_is_signed_by_its_giver(tmp_path: Path, imported: Import, target: str) -> None:
    """In a book whose parties sign, the giver signs its transfers, and its products, lots and authorizations."""
    client = Client(target, book="signed")
    client.open_book(signed=True)
    client.register_party("acme", PartyKind.BRAND)
    origin = client.get_book().origin
    operator, acme, ann = (PartyKey(origin, party) for party in ("", "acme", "ann"))
    client.register_key(operator, endorser=operator)
    client.register_key(acme, endorser=operator)
    (tmp_path / "secret").write_text("correct horse")
    recipe, sheet = tmp_path / "recipe.toml", tmp_path / "sheet.csv"
    recipe.write_text(RECIPE)
    sheet.write_text(SHEET)
    for name, key in (("acme", acme), ("ann", ann)):
        write_key_file(tmp_path / f"{name}.key", key, "correct horse")
    signing = ["--book", "signed", "--passphrase-file", str(tmp_path / "secret"), "--sign-with"]
    summary = imported(sheet, *signing, str(tmp_path / "acme.key"), recipe=str(recipe))
    assert (summary.accepted, summary.rejected) == (2, 0)
    found = events(client)
    filed = [number for number, event in enumerate(found, 1) if event.HasField("statements_filed")][-1]
    moved = [event for event in found if event.HasField("transfer_recorded")]
    assert [(event.filed_position, event.filed_index) for event in moved] == [(filed, 0), (filed, 1)]
    assert {read_statement(event.statement).party for event in moved} == {"acme"}
    registered = {"party_authorized", "product_registered", "batch_commissioned"}
    signed = {event.WhichOneof("kind") for event in found if event.statement}
    unsigned = {event.WhichOneof("kind") for event in found if not event.statement}
    assert registered < signed
    assert "party_registered" in unsigned
    assert not registered & unsigned
    again = imported(sheet, *signing, str(tmp_path / "acme.key"), recipe=str(recipe))
    assert (again.duplicate, again.rejected) == (2, 0)
    client.close()


def test_an_import_of_another_giver_is_refused_by_the_book(
    tmp_path: Path, imported: Import, client: Client
) -> None:
    """Each row says in the words of the book that another party acts in it."""
    client.register_party("ann", PartyKind.AGENT)
    origin = client.get_book().origin
    operator, ann = PartyKey(origin, ""), PartyKey(origin, "ann")
    client.register_key(operator, endorser=operator)
    client.register_key(ann, endorser=operator)
    (tmp_path / "secret").write_text("correct horse")
    recipe, sheet = tmp_path / "recipe.toml", tmp_path / "sheet.csv"
    recipe.write_text(RECIPE)
    sheet.write_text(SHEET)
    write_key_file(tmp_path / "ann.key", ann, "correct horse")
    signing = ["--passphrase-file", str(tmp_path / "secret"), "--sign-with", str(tmp_path / "ann.key")]
    summary = imported(sheet, *signing, recipe=str(recipe), exits=1)
    assert summary.rejected_rows() == {1: "STATEMENT_OF_OTHER_PARTY", 2: "STATEMENT_OF_OTHER_PARTY"}
    assert not any(event.HasField("transfer_recorded") for event in events(client))
