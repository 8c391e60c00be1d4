"""Every verb once, on a directory of books, with the answer in the JSON of the contract."""

import json
from pathlib import Path

import pytest

from pathbook.cli.story import GTIN
from tests.cli.conftest import Ran, pathbook

SSCC = "106141412345678908"
PRICE = ("--price", "150 CNY")


class Shop:
    """A book that is used as a script would use it."""

    def __init__(self, data: Path) -> None:
        self._data = str(data)

    def ran(self, *arguments: str) -> Ran:
        """Run a command on the book."""
        return pathbook(*arguments, "--data", self._data, "--output", "json")

    def answer(self, *arguments: str) -> dict[str, object]:
        """Run a command that succeeds, and return its answer."""
        ran = self.ran(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.json()

    def listed(self, name: str, *arguments: str) -> list[dict[str, object]]:
        """Run a command that succeeds, and return a list in its answer."""
        found = self.answer(*arguments)[name]
        assert isinstance(found, list)
        return found

    def position(self, *arguments: str) -> str:
        """Run a command that writes, and return the position of its event."""
        receipt = self.answer(*arguments)["receipt"]
        assert isinstance(receipt, dict)
        assert receipt["duplicate"] is False
        return str(receipt["position"])

    def path(self, unit: str, *options: str) -> tuple[str, str, str, list[str]]:
        """Return owner, custodian, state and the kinds of steps of a unit."""
        path = self.answer("path", unit, *options)
        run, steps = path["run"], path["steps"]
        assert isinstance(run, dict)
        assert isinstance(steps, list)
        kinds = [step["kind"].removeprefix("PATH_STEP_KIND_").lower() for step in steps]
        return run["owner"], run["custodian"], run["state"].removeprefix("UNIT_STATE_").lower(), kinds


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A book with a brand, an agent, a shop, and a batch of 100 units."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.position("party", "register", "mask-brand", "--kind", "brand")
    shop.position("party", "register", "agent-1", "--kind", "agent")
    shop.position("party", "register", "shop-1", "--kind", "shop")
    shop.position(
        "product", "register", GTIN, "--brand", "mask-brand", "--name", "面膜", "--price", "300 CNY"
    )
    made = ("--made-on", "2026-01-01", "--expires-on", "2028-01-01")
    shop.position("batch", "commission", GTIN, "--brand", "mask-brand", "--lot", "A", "--size", "100", *made)
    return shop


def test_parties_are_authorized_and_shown(shop: Shop) -> None:
    """A party is authorized, its authorization is revoked, and both are shown. All parties are listed."""
    given = shop.position(
        "party", "authorize", "agent-1", "--upline", "mask-brand", "--tier", "1", "--region", "Hubei",
        "--from", "2026-01-01T08:00:00+08:00", "--until", "2030-01-01", "--gtin", GTIN,
    )  # fmt: skip
    shop.position("party", "revoke", given, "--upline", "mask-brand", "--from", "2029-01-01")
    (authorization,) = shop.listed("authorizations", "party", "show", "agent-1")
    assert authorization == {
        "position": given,
        "upline": "mask-brand",
        "tier": 1,
        "gtins": [GTIN],
        "region": "Hubei",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2030-01-01T00:00:00Z",
        "revoked_from": "2029-01-01T00:00:00Z",
    }
    parties = shop.listed("parties", "party", "list")
    assert [party["party"] for party in parties] == ["agent-1", "mask-brand", "shop-1"]


def test_products_and_batches_are_shown(shop: Shop) -> None:
    """A product and a batch come back as they were registered, by number and by lot, shown and listed."""
    product = shop.answer("product", "show", GTIN)
    assert (product["name"], product["suggested_price"]) == (
        "面膜",
        {"amount_minor": "30000", "currency_code": "CNY", "per_units": "1"},
    )
    assert shop.answer("product", "list")["products"] == [product]
    batch = shop.answer("batch", "show", "1")
    assert batch == shop.answer("batch", "show", "--gtin", GTIN, "--lot", "A")
    assert (batch["size"], batch["made_on"], batch["expires_on"]) == ("100", "2026-01-01", "2028-01-01")
    assert [each["lot"] for each in shop.listed("batches", "batch", "list", "--gtin", GTIN)] == ["A"]


def test_codes_are_listed_in_every_form(shop: Shop) -> None:
    """The codes of a range are listed as serials, links and element strings, and lead back to their units."""
    serials = shop.listed("codes", "codes", "1:0-4")
    assert [code["number"] for code in serials] == ["0", "1", "2", "3", "4"]
    links = pathbook("codes", "1:4", "--form", "link", "--data", shop._data).out.splitlines()
    assert links == [f"https://id.gs1.org/01/{GTIN}/10/A/21/{serials[4]['code']}"]
    elements = pathbook("codes", "1:4", "--form", "element", "--data", shop._data).out.splitlines()
    assert elements == [f"(01){GTIN}(10)A(21){serials[4]['code']}"]
    assert shop.answer("path", links[0])["unit"] == {"batch": "1", "number": "4"}


def test_an_offer_is_answered_in_every_way(shop: Shop) -> None:
    """Offers are accepted wholly and in part, declined, and withdrawn; their units move or stay accordingly."""
    sides = ("--giver", "mask-brand", "--receiver", "agent-1", *PRICE)
    whole = shop.position("offer", *sides, "--units", "1:0-1")
    shop.position("accept", whole, "--receiver", "agent-1")
    part = shop.position("offer", *sides, "--units", "1:2-9", "--deadline", "2999-01-01")
    shop.position("accept", part, "--receiver", "agent-1", "--short", "1", "--damaged", "1:2-3")
    no = shop.position("offer", *sides, "--units", "1:9")
    declined = shop.position("decline", no, "--receiver", "agent-1", "--note", "too dear")
    assert "\nnote  too dear\n" in pathbook("transfer", "show", no, "--data", shop._data).out
    assert f"at {declined}: too dear\n" in pathbook("path", "1:9", "--corrections", "--data", shop._data).out
    back = shop.position("offer", *sides, "--units", "1:9", "--later")
    shop.position("withdraw", back, "--giver", "mask-brand")
    assert shop.path("1:0") == ("agent-1", "agent-1", "in_stock", ["commissioned", "transferred"])
    assert shop.path("1:2")[0] == "mask-brand"
    assert shop.path("1:7")[0] == "agent-1"
    assert shop.path("1:9")[0] == "mask-brand"
    assert shop.path("1:9")[3] == ["commissioned"]
    assert "offered" in shop.path("1:9", "--corrections")[3]
    listed = shop.listed("transfers", "transfer", "list", "agent-1")
    offers = {
        each["transfer"]: each["status"] for each in listed if each["transfer"] in (whole, part, no, back)
    }
    assert offers == {
        whole: "TRANSFER_STATUS_ACCEPTED",
        part: "TRANSFER_STATUS_ACCEPTED_IN_PART",
        no: "TRANSFER_STATUS_DECLINED",
        back: "TRANSFER_STATUS_WITHDRAWN",
    }
    (only,) = shop.listed("transfers", "transfer", "list", "agent-1", "--status", "declined")
    assert only["transfer"] == no
    shown = shop.listed("transfers", "transfer", "show", part)
    assert shown[0]["ranges"] == [{"batch": "1", "first": "2", "last": "9"}]
    assert (shown[0]["units"], shown[0]["accepted_units"]) == ("8", "5")
    lines = pathbook("transfer", "show", part, "--data", shop._data).out.splitlines()
    assert [line.split()[-1] for line in lines[-4:]] == ["00:00:00Z", "1:9", "1:2-3", "sides"]


def test_units_move_in_one_step_and_back(shop: Shop) -> None:
    """A transfer on paper is recorded, its goods delivered, another reversed by both sides."""
    later = ("--price", "180 CNY", "--later", "--occurred-at", "2026-02-01")
    shop.position("record", "--giver", "mask-brand", "--receiver", "agent-1", "--units", "1:10-11", *later)
    assert shop.path("1:10")[:2] == ("agent-1", "mask-brand")
    shop.position("deliver", "--custodian", "mask-brand", "--receiver", "agent-1", "--units", "1:10")
    assert shop.path("1:10")[:2] == ("agent-1", "agent-1")
    wrong = shop.position(
        "record", "--giver", "mask-brand", "--receiver", "shop-1", "--units", "1:12", *PRICE
    )
    assert shop.answer("reverse", wrong, "--party", "shop-1", "--note", "slip")["reversed"] is False
    shown = ("transfer", "show", wrong, "--data", shop._data)
    assert (
        "shop-1 asked to reverse it; the other side must agree\nreversal note  slip\n" in pathbook(*shown).out
    )
    assert shop.answer("reverse", wrong, "--party", "mask-brand")["reversed"] is True
    assert "shop-1 asked to reverse it; the other side agreed" in pathbook(*shown).out
    assert shop.path("1:12") == ("mask-brand", "mask-brand", "in_stock", ["commissioned"])
    assert shop.path("1:12", "--as-of", wrong)[0] == "shop-1"


def test_units_are_sold_confirmed_returned_and_written_off(shop: Shop) -> None:
    """A unit goes to a consumer and comes back; another is written off."""
    shop.position("record", "--giver", "mask-brand", "--receiver", "shop-1", "--units", "1:20-29", *PRICE)
    quantity = ("--count", "1", "--of", "1")
    sold = shop.answer("sell", "--seller", "shop-1", "--consumer", "c-1", *quantity, "--price", "300 CNY")
    assert sold["ranges"] == [{"batch": "1", "first": "20", "last": "20"}]
    shop.position("confirm", "--consumer", "c-1", "--units", "1:20", "--paid", "300 CNY")
    assert shop.path("1:20")[:3] == ("consumer:c-1", "consumer:c-1", "confirmed")
    shop.position("return", "--owner", "consumer:c-1", "--units", "1:20", "--note", "torn")
    assert shop.path("1:20")[0] == "shop-1"
    assert "note           at " in (out := pathbook("path", "1:20", "--data", shop._data).out)
    assert out.count(": torn\n") == 1
    shop.position("write-off", "--party", "shop-1", "--units", "1:21", "--state", "damaged")
    assert shop.path("1:21")[2] == "damaged"


def test_another_price_than_the_consumer_paid_is_refuted(shop: Shop) -> None:
    """A sale on record at another price than the consumer confirmed exits 1, by the eighth check."""
    shop.position("record", "--giver", "mask-brand", "--receiver", "shop-1", "--units", "1:30", *PRICE)
    shop.position("sell", "--seller", "shop-1", "--consumer", "c-2", "--units", "1:30", "--price", "300 CNY")
    (code,) = shop.listed("codes", "codes", "1:30")
    verify = ("verify", str(code["code"]), "--today", "2026-06-01")
    assert shop.ran(*verify).code == 0
    shop.position("confirm", "--consumer", "c-2", "--units", "1:30", "--paid", "290 CNY")
    ran = shop.ran(*verify)
    answer = ran.json()
    checks = answer["checks"]
    assert isinstance(checks, list)
    assert (ran.code, answer["verdict"]) == (1, "price contradicted")
    assert checks[7]["result"] == "FAILED"
    assert "290.00 CNY, the sale on record 300.00 CNY" in checks[7]["detail"]


def test_another_price_paid_is_noted_after_the_return(shop: Shop) -> None:
    """A confirmation at another price is noted after the unit came back, and after a new sale."""
    record = ("record", "--giver", "mask-brand", "--receiver", "agent-1", "--units", "1:31", *PRICE)
    shop.position(*record)
    sale = ("sell", "--seller", "agent-1", "--units", "1:31", "--consumer")
    sold = shop.position(*sale, "c-3", "--price", "44.90 CNY")
    confirmed = shop.position("confirm", "--consumer", "c-3", "--units", "1:31", "--paid", "49.90 CNY")
    returned = shop.position("return", "--owner", "consumer:c-3", "--units", "1:31")
    (code,) = shop.listed("codes", "codes", "1:31")
    verify = ("verify", str(code["code"]), "--today", "2026-06-01")
    noted = (
        f"paid 49.90 CNY (position {confirmed}), seller said 44.90 CNY (position {sold}),"
        f" since returned (position {returned})"
    )
    for again in (False, True):
        if again:
            shop.position(*sale, "c-4", "--price", "50 CNY")
            shop.position("confirm", "--consumer", "c-4", "--units", "1:31", "--paid", "50 CNY")
        ran = shop.ran(*verify)
        answer = ran.json()
        checks = answer["checks"]
        assert isinstance(checks, list)
        assert (ran.code, answer["verdict"], checks[7]["result"]) == (0, "verified", "noted")
        assert noted in checks[7]["detail"]


def test_steps_between_a_transfer_and_its_reversal_are_left_out(shop: Shop) -> None:
    """After a sale, its return and a reversal, the path is one chain. --corrections shows all steps."""
    sides = ("--giver", "mask-brand", "--receiver", "shop-1", "--units", "1:32", *PRICE)
    wrong = shop.position("record", *sides)
    shop.position("sell", "--seller", "shop-1", "--consumer", "c-5", "--units", "1:32", "--price", "300 CNY")
    shop.position("return", "--owner", "consumer:c-5", "--units", "1:32")
    for party in ("shop-1", "mask-brand"):
        shop.answer("reverse", wrong, "--party", party)
    right = shop.position("record", "--giver", "mask-brand", "--receiver", "agent-1", *sides[4:])
    (code,) = shop.listed("codes", "codes", "1:32")
    ran = pathbook("verify", str(code["code"]), "--today", "2026-06-01", "--data", shop._data)
    assert ran.code == 0, ran
    assert "6 events replayed from their bytes, 1 hops in one chain" in ran.out
    rows = [line.split()[:1] for line in ran.out.partition("\nat ")[2].partition("\n\n")[0].splitlines()[1:]]
    assert rows == [[right]]
    assert shop.path("1:32")[3] == ["commissioned", "transferred"]
    kinds = ["commissioned", "transferred", "sold", "returned", "reversed", "transferred"]
    assert shop.path("1:32", "--corrections")[3] == kinds
    table = pathbook("path", "1:32", "--corrections", "--data", shop._data).out
    assert all(f"({kind})" in table for kind in kinds[1:5])


def test_a_party_that_traded_without_authorization_is_marked(shop: Shop) -> None:
    """A hop of a shop without an authorization is noted, and fails if the caller requires one."""
    shop.position("record", "--giver", "mask-brand", "--receiver", "shop-1", "--units", "1:40", *PRICE)
    (code,) = shop.listed("codes", "codes", "1:40")
    verify = ("verify", str(code["code"]), "--today", "2026-06-01")
    ran = shop.ran(*verify)
    checks = ran.json()["checks"]
    assert isinstance(checks, list)
    assert (ran.code, checks[4]["result"]) == (0, "noted")
    assert "shop-1 never authorized at position" in checks[4]["detail"]
    assert shop.ran(*verify, "--require-authorized").code == 5


def test_cases_are_packed_shown_and_unpacked(shop: Shop) -> None:
    """A case holds what was packed in it, until it is unpacked."""
    packed = pathbook(
        "case", "pack", SSCC, "--party", "mask-brand", "--units", "1:50-59", "--data", shop._data
    )
    assert packed.out.endswith(": units 1:50-59.\n")
    held = shop.answer("case", "show", SSCC)
    assert held["ranges"] == [{"batch": "1", "first": "50", "last": "59"}]
    moved = shop.answer("record", "--giver", "mask-brand", "--receiver", "agent-1", "--case", SSCC, *PRICE)
    assert moved["ranges"] == held["ranges"]
    shop.position("case", "unpack", SSCC, "--party", "agent-1")
    assert shop.ran("case", "show", SSCC).code == 1


def test_a_recall_is_made_and_lifted(shop: Shop) -> None:
    """Verifying a recalled unit fails by policy, until the recall is lifted."""
    (code,) = shop.listed("codes", "codes", "1:70")
    verify = ("verify", str(code["code"]), "--today", "2026-06-01")
    recall = shop.position(
        "batch", "recall", "1", "--brand", "mask-brand", "--units", "1:70-79", "--note", "seal"
    )
    assert shop.ran(*verify).code == 5
    line = f"recalled   since position {recall}: seal\n"
    assert line in pathbook("path", "1:70", "--data", shop._data).out
    assert "recalled" not in pathbook("path", "1:80", "--data", shop._data).out
    before = str(int(recall) - 1)
    assert "recalled" not in pathbook("path", "1:70", "--as-of", before, "--data", shop._data).out
    assert shop.ran(*verify, "--allow-recalled").code == 0
    shop.position("batch", "lift", recall, "--brand", "mask-brand")
    assert shop.ran(*verify).code == 0
    assert "recalled" not in pathbook("path", "1:70", "--data", shop._data).out
    assert line in pathbook("path", "1:70", "--as-of", recall, "--data", shop._data).out


def test_ladder_and_stock_count_units(shop: Shop) -> None:
    """The ladder answers per tier, and the stock per batch."""
    shop.position("record", "--giver", "mask-brand", "--receiver", "agent-1", "--units", "1:80-89", *PRICE)
    rungs = shop.listed("rungs", "ladder", "1")
    suggested = {"amount_minor": "30000", "currency_code": "CNY", "per_units": "1"}
    assert all(rung["suggested"] == suggested for rung in rungs)
    assert shop.listed("rungs", "ladder", "--gtin", GTIN) == rungs
    (line,) = shop.listed("stock", "stock", "agent-1")
    batch = line["batch"]
    assert isinstance(batch, dict)
    assert batch["lot"] == "A"
    assert line["in_custody"] != "0"


def test_events_are_read_in_order(shop: Shop) -> None:
    """Events are read from any position and in any format, each with its position and its bytes."""
    events = shop.listed("events", "events", "read", "--after", "2", "--limit", "2")
    assert [event["position"] for event in events] == ["3", "4"]
    first = events[0]["event"]
    assert isinstance(first, dict)
    assert first["party_registered"] == {"party": "agent-1", "kind": "PARTY_KIND_AGENT"}
    lines = pathbook(
        "events", "read", "--data", shop._data, "--output", "jsonl", "--limit", "3"
    ).out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == ["1", "2", "3"]
    table = pathbook("events", "read", "--data", shop._data).out.splitlines()
    assert "book_opened  name=book origin=pathbook/book" in table[0]
    assert "party_registered  party=mask-brand kind=PARTY_KIND_BRAND" in table[1]


def test_views_are_rebuilt(shop: Shop) -> None:
    """The same question has the same answer after a rebuild."""
    before = shop.answer("stock", "mask-brand")
    ran = pathbook("views", "rebuild", "--data", shop._data)
    assert (ran.code, ran.out.startswith("The views in")) == (0, True)
    head = shop.listed("events", "events", "read")[-1]["position"]
    assert shop.answer("views", "rebuild") == {"data": shop._data, "events": head}
    assert shop.answer("stock", "mask-brand") == before


def test_the_same_request_id_is_answered_with_the_first_answer(shop: Shop) -> None:
    """A retry with the same request id is recorded once. Another content with that id is refused."""
    write = ("party", "register", "agent-7", "--kind", "agent", "--request-id", "row 7")
    first = shop.answer(*write)["receipt"]
    again = shop.answer(*write)["receipt"]
    assert isinstance(first, dict)
    assert again == {**first, "duplicate": True}
    other = shop.ran("party", "register", "agent-8", "--kind", "agent", "--request-id", "row 7")
    assert other.code == 1
    error = json.loads(other.err.splitlines()[-1])["error"]
    assert error["reason"] == "REQUEST_ID_REUSED"
    assert error["metadata"]["request_id"] == "row 7"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["party", "show", "stranger"], 1, "PARTY_UNKNOWN"),
        (["party", "register", "agent-1", "--kind", "agent"], 1, "PARTY_EXISTS"),
        (["product", "show", "06901234500012"], 1, "GTIN_CHECK_DIGIT"),
        (["path", "1:100"], 1, "RANGE_BEYOND_BATCH"),
        (["path", "9:0"], 1, "BATCH_UNKNOWN"),
        (["path", "hello"], 3, "CODE_MALFORMED"),
        (["path", "00000000000000000000"], 3, "CODE_CHECK_CHARACTER"),
        (["--book", "other", "stock", "agent-1"], 1, "BOOK_UNKNOWN"),
    ],
)
def test_a_refusal_is_named(shop: Shop, arguments: list[str], code: int, reason: str) -> None:
    """A refusal exits 1, and an unknown code 3, with the name of the reason and its sentence."""
    ran = shop.ran(*arguments)
    assert (ran.code, ran.out) == (code, "")
    error = json.loads(ran.err)["error"]
    assert error["reason"] == reason
    assert pathbook(*arguments, "--data", shop._data).err == f"pathbook: {reason}: {error['message']}\n"
