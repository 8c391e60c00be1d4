"""Corrections, references and attestations on the command line, as tables and as JSON."""

import base64
import itertools
import json
from collections.abc import Iterator

import pytest

from pathbook.cli.story import GTIN
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.v1.events_pb2 import Event
from tests.cli.conftest import Ran, pathbook

NUMBERS = itertools.count(1)
"""The numbers of the books."""

PRICE = ("--price", "150 CNY")
GIVEN = ("--giver", "acme", "--receiver", "ann", *PRICE)


class Book:
    """A book of a brand, an agent, a shop, and a batch of 100 units: positions 1 to 5."""

    def __init__(self, target: str, name: str) -> None:
        self._where = ("--server", target, "--book", name)
        assert pathbook("--server", target, "book", "open", name).code == 0
        for party, kind in (("acme", "brand"), ("ann", "agent"), ("bob", "agent")):
            self.position("party", "register", party, "--kind", kind)
        self.position("product", "register", GTIN, "--brand", "acme", "--name", "Mask", "--price", "300 CNY")
        made = ("--made-on", "2026-01-01", "--expires-on", "2028-01-01")
        self.position("batch", "commission", GTIN, "--brand", "acme", "--lot", "A", "--size", "100", *made)

    def ran(self, *arguments: str, form: str = "json") -> Ran:
        """Run a command on the book."""
        return pathbook(*arguments, *self._where, "--output", form)

    def position(self, *arguments: str) -> str:
        """Run a command that writes, and return the position of its event."""
        ran = self.ran(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        receipt = ran.json()["receipt"]
        assert isinstance(receipt, dict)
        return str(receipt["position"])

    def listed(self, name: str, *arguments: str) -> list[dict[str, object]]:
        """Run a command that succeeds, and return a list in its answer."""
        ran = self.ran(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        found = ran.json()[name]
        assert isinstance(found, list)
        return found

    def text(self, *arguments: str) -> str:
        """Run a command that succeeds, and return what people read."""
        ran = self.ran(*arguments, form="table")
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def rows(self, *arguments: str) -> list[list[str]]:
        """Return the words of each row of the table of a path."""
        table = self.text("path", *arguments).partition("\nat ")[2].partition("\n\n")[0]
        return [line.split("  ") for line in table.splitlines()[1:]]

    def refused(self, *arguments: str) -> str:
        """Run a command that is refused, and return the reason."""
        ran = self.ran(*arguments)
        assert (ran.code, ran.out) == (1, ""), ran
        error = json.loads(ran.err)["error"]
        assert error["message"]
        return str(error["reason"])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all books of this module."""
    with running(Settings(data=tmp_path_factory.mktemp("corrections"), listen="127.0.0.1:0")) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def book(target: str) -> Book:
    """A new book."""
    return Book(target, f"book-{next(NUMBERS)}")


def test_an_error_is_declared_listed_and_shown(book: Book) -> None:
    """A write-off is undone. The path shows both steps only with --corrections, and the error lists its correction."""
    book.position("record", *GIVEN, "--units", "1:0-9")
    lost = book.position("write-off", "--party", "ann", "--units", "1:0", "--state", "lost")
    declared = book.position("correct", "event", lost, "--by", "ann", "--note", "found")
    (correction,) = book.listed("corrections", "correction", "list", "--event", lost)
    assert correction["position"] == declared
    event = correction["event"]
    assert isinstance(event, dict)
    assert event["error_declared"]["party"] == "ann"
    note = correction["note"]
    assert isinstance(note, dict)
    assert note["text"] == "found"
    assert Event.FromString(base64.b64decode(str(correction["bytes"]))).error_declared.party == "ann"
    assert f"ann declares the event at {lost} an error (units written off): found" in book.text(
        "correction", "list", "--event", lost
    )
    assert book.text("correction", "list", "--event", declared) == "no corrections\n"
    assert "state      in stock" in book.text("path", "1:0").replace("state          ", "state      ")
    assert "error declared" not in book.text("path", "1:0")
    full = book.text("path", "1:0", "--corrections")
    assert "(written off: in stock)" not in full
    assert "(written off: lost)" in full
    assert f"(error declared: {lost})" in full


def test_master_data_is_corrected_and_shows_where(book: Book) -> None:
    """A product, a batch and a party show what is right and where they were corrected, and list the corrections."""
    name = book.position("correct", "product", GTIN, "--brand", "acme", "--name", "Silk mask")
    price = book.position("correct", "product", GTIN, "--brand", "acme", "--price", "280 CNY")
    shown = book.text("product", "show", GTIN)
    assert "Silk mask" in shown
    assert f"at position 5, corrected at position {price}" in shown
    found = book.listed("corrections", "correction", "list", "--product", GTIN)
    assert [each["position"] for each in found] == [name, price]
    assert "acme: name Silk mask, price 280.00 CNY" in book.text("correction", "list", "--product", GTIN)

    dates = book.position(
        "correct", "batch", "1", "--brand", "acme", "--made-on", "2026-01-02", "--never-expires",
        "--price", "290 CNY",
    )  # fmt: skip
    shown = book.text("batch", "show", "1")
    assert "expires on       never" in shown
    assert f"commissioned     at position 6, corrected at position {dates}" in shown
    assert "acme: made 2026-01-02, expires never, price 290.00 CNY" in book.text(
        "correction", "list", "--batch", "1"
    )
    assert f"commissioned at position 6, corrected at position {dates}" in book.text("path", "1:0")
    batch_correction = book.ran("path", "1:0").json()["batch_correction"]
    assert isinstance(batch_correction, dict)
    assert batch_correction["position"] == dates

    kind = book.position("correct", "party", "bob", "--kind", "shop")
    shown = book.text("party", "show", "bob")
    assert "kind        shop" in shown
    assert f"at position 4, corrected at position {kind}" in shown
    lines = book.ran("correction", "list", "--party", "bob", form="jsonl").out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == [kind]
    assert "operator: kind shop" in book.text("correction", "list", "--party", "bob")


def test_a_wrong_correction_is_refused_by_name(book: Book) -> None:
    """A refusal is one object on stderr, with its reason, and exits 1."""
    assert book.refused("correct", "event", "1", "--by", "acme") == "EVENT_NOT_DECLARABLE"
    assert book.refused("correct", "product", GTIN, "--brand", "acme") == "NOTHING_TO_CORRECT"
    assert book.refused("correct", "batch", "2", "--brand", "acme") == "BATCH_UNKNOWN"
    assert book.refused("correct", "batch", "1", "--brand", "ann") == "NOT_A_BRAND"
    assert book.refused("correct", "party", "acme", "--kind", "shop") == "BRAND_IS_FIXED"
    assert book.refused("correction", "list", "--party", "zoe") == "PARTY_UNKNOWN"
    book.position("record", *GIVEN, "--units", "1:0", "--reference", "N 1")
    assert book.refused("record", *GIVEN, "--units", "1:1", "--reference", "N 1") == "REFERENCE_USED"
    wrong = ("record", *GIVEN, "--units", "1:1", "--reference", "N 1", "--reported-by", "ann")
    assert book.refused(*wrong) == "REFERENCE_CONTRADICTS"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("correction", "list"), "Name one subject"),
        (("correction", "list", "--batch", "1", "--party", "ann"), "Name one subject"),
        (
            ("correct", "batch", "1", "--brand", "acme", "--never-expires", "--expires-on", "2029-01-01"),
            "Give either --expires-on or --never-expires.",
        ),
        (("correct", "party", "ann", "--kind", "brand"), "'brand' is not one of 'agent', 'shop'"),
        (("correct", "event", "x", "--by", "ann"), "'x' is not a whole number"),
        (("accept", "6", "--receiver", "ann", "--extra", "1:x"), "'1:x' does not name units"),
        (("corect", "event", "1"), "Did you mean"),
    ],
)
def test_a_wrong_command_line_says_how_to_write_it(
    book: Book, arguments: tuple[str, ...], sentence: str
) -> None:
    """A usage error exits 2 and changes nothing."""
    ran = book.ran(*arguments, form="table")
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_a_transfer_that_both_sides_reported_is_shown_as_such(book: Book) -> None:
    """Its reference and attestation stand in the transfer, in the list, and at the hop of a path."""
    sheet = ("record", *GIVEN, "--units", "1:0-9", "--reference", "N 1")
    given = book.position(*sheet)
    assert "attested by" not in book.text("transfer", "show", given)
    assert book.rows("1:0")[0][-1] == "operator"
    report = book.ran(*sheet, "--reported-by", "ann", form="table")
    assert report.out == "Recorded at position 8: units 1:0-9.\n"
    shown = book.text("transfer", "show", given)
    assert "reference    N 1\nattested by  both sides" in shown
    (transfer,) = book.listed("transfers", "transfer", "show", given)
    assert (transfer["reference"], transfer["attestation"]) == ("N 1", "ATTESTATION_REPORTED_BY_BOTH")
    assert book.text("transfer", "list", "ann").splitlines()[1].endswith("150.00 CNY  N 1")
    assert [row[-1] for row in book.rows("1:0")] == ["both sides"]
    assert f"reference      N 1 at {given}" in book.text("path", "1:0")
    assert [row[1] for row in book.rows("1:0", "--corrections")][-1] != ""
    assert "attested " in book.text("path", "1:0", "--corrections")


def test_a_sale_and_an_offer_have_references(book: Book) -> None:
    """An offer keeps its reference when it is accepted, and a sale that of its receipt."""
    offer = book.position("offer", *GIVEN, "--units", "1:0-9", "--reference", "N 2")
    book.position("accept", offer, "--receiver", "ann")
    sale = book.position(
        "sell", "--seller", "ann", "--consumer", "c", "--units", "1:0", *PRICE, "--reference", "R 1"
    )
    assert book.listed("transfers", "transfer", "show", offer)[0]["reference"] == "N 2"
    assert "reference  R 1" in book.text("transfer", "show", sale)


def test_extra_units_are_accepted_by_number_and_by_code(book: Book) -> None:
    """Units that were not offered are accepted, and the transfer shows them."""
    offer = book.position("offer", *GIVEN, "--units", "1:0-9", "--extra-allowed", "3")
    (code,) = book.listed("codes", "codes", "1:20")
    extra = ("--extra", "1:10-11", "--extra", str(code["code"]))
    ran = book.ran("accept", offer, "--receiver", "ann", "--short", "1", *extra, form="table")
    assert ran.out == "Recorded at position 8: units 1:0-8 1:10-11 1:20.\n"
    shown = book.text("transfer", "show", offer)
    assert "12 of 10" in shown
    assert "extra        1:10-11 1:20" in shown
    (transfer,) = book.listed("transfers", "transfer", "show", offer)
    assert transfer["extra"] == [
        {"batch": "1", "first": "10", "last": "11"},
        {"batch": "1", "first": "20", "last": "20"},
    ]


def test_a_path_says_what_happened_to_the_goods(book: Book) -> None:
    """A hop or a return is "title only" if and only if the goods stayed where they were."""
    book.position("record", *GIVEN, "--units", "1:0-2", "--later")
    onward = ("record", "--giver", "ann", "--receiver", "bob", *PRICE)
    book.position(*onward, "--units", "1:0-1", "--later")
    book.position("return", "--owner", "bob", "--units", "1:0")
    book.position("deliver", "--custodian", "acme", "--receiver", "bob", "--units", "1:1")
    book.position("return", "--owner", "bob", "--units", "1:1")
    book.position(*onward, "--units", "1:2")
    book.position("return", "--owner", "bob", "--units", "1:2")

    def what(unit: str) -> list[str]:
        return [
            cell
            for row in book.rows(unit)
            for cell in row
            if cell in ("title only", "returned, title only", "delivered", "returned", "transferred")
        ]

    assert what("1:0") == ["title only", "title only", "returned, title only"]
    assert what("1:1") == ["title only", "title only", "delivered", "returned, title only"]
    assert what("1:2") == ["title only", "transferred", "returned"]


def test_a_hop_to_a_party_that_has_the_goods_moves_title_only(book: Book) -> None:
    """Goods that lay with the receiver before do not move, whatever the terms say of their delivery."""
    book.position("deliver", "--custodian", "acme", "--receiver", "ann", "--units", "1:0")
    book.position("record", *GIVEN, "--units", "1:0")
    assert "title only" in book.text("path", "1:0")


def test_a_hop_that_claims_an_earlier_time_than_the_hop_before_is_marked(book: Book) -> None:
    """The date has a mark, and a line below the table names both positions."""
    later = book.position("record", *GIVEN, "--units", "1:0", "--occurred-at", "2026-03-02")
    onward = ("record", "--giver", "ann", "--receiver", "bob", "--units", "1:0", *PRICE)
    earlier = book.position(*onward, "--occurred-at", "2026-02-01")
    text = book.text("path", "1:0")
    assert "2026-02-01 *" in text
    assert "2026-03-02 *" not in text
    assert f"{earlier} claims to have happened before {later}" in text


def test_a_batch_shows_from_when_to_when_it_was_recalled(book: Book) -> None:
    """A recall has the time from which it held, and the time from which it no longer holds."""
    recall = book.position("batch", "recall", "1", "--brand", "acme", "--occurred-at", "2026-02-01")
    book.position("batch", "lift", recall, "--brand", "acme", "--occurred-at", "2026-02-03")
    line = book.text("batch", "show", "1").splitlines()[-1]
    assert "2026-02-01 00:00:00Z  2026-02-03 00:00:00Z" in line
