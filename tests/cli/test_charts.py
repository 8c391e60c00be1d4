"""The verbs that draw: their pictures say what the tables say, and their files are what their names say."""

import json
import shutil
import struct
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pathbook import cli
from pathbook.charting.drawing import Chart, Scheme
from pathbook.cli import chart_values
from pathbook.cli.errors import NamedError
from pathbook.client import Client, select
from pathbook.v1.values_pb2 import UNIT_STATE_DAMAGED
from tests.charting.pictures import NAMESPACE, Picture
from tests.cli.conftest import TODAY, pathbook, signing
from tests.services.masks import MASK, begin, boxes, opened, yuan

ROOT = Path(__file__).resolve().parents[2]

TOLD_ON = "2026-11-22"
"""The day on which README.md tells the demo."""

PICTURES = {
    "ladder": ["ladder", "1"],
    "path": ["path", "1:90"],
    "stock": ["stock", "agent-5", "--today", TODAY],
    "flow": ["flow", "1"],
    "chain": ["chain", "--at", "2026-03-01T12:00:00Z"],
}
"""A command line for each verb, about the book of the demo."""


def drawn(data: str | Path, file: Path, *line: str) -> Picture:
    """Draw a picture, and read it."""
    ran = pathbook("--data", str(data), "chart", *line, "--out", str(file), "--output", "json")
    assert (ran.code, ran.err) == (0, "")
    left_out = ran.json()["left_out"]
    assert isinstance(left_out, list)
    svg = file.read_text("utf-8")
    root = ElementTree.fromstring(svg)
    width, height = (int(root.get(name, "")) for name in ("width", "height"))
    return Picture(Chart(svg, width, height, tuple(left_out)))


@pytest.mark.parametrize("verb", PICTURES)
def test_a_picture_is_harmless_and_the_same_each_time(demo: Path, tmp_path: Path, verb: str) -> None:
    """Each verb draws the book of the demo, leaves out nothing, and draws the same bytes the next time."""
    file = tmp_path / f"{verb}.svg"
    picture = drawn(demo, file, *PICTURES[verb])
    picture.check()
    assert picture.chart.left_out == ()
    before = file.read_bytes()
    ran = pathbook("--data", str(demo), "chart", *PICTURES[verb], "--out", str(file))
    assert (ran.code, ran.out) == (0, f"Wrote {file}, {len(before):,} bytes.\n")
    assert file.read_bytes() == before


def test_the_staircase_has_the_prices_of_the_table(demo: Path, tmp_path: Path) -> None:
    """The bars of a ladder are the medians of `pathbook ladder`, and a product's are those of its batches."""
    listed = pathbook("--data", str(demo), "ladder", "1", "--output", "jsonl").out.splitlines()
    rungs = [json.loads(line) for line in listed]
    picture = drawn(demo, tmp_path / "ladder.svg", "ladder", "1")
    heights = [bar.number("height") for bar in picture.rects()]
    assert heights == [240 * int(rung["median"]["amount_minor"]) / 30_000 for rung in rungs]
    whole = drawn(demo, tmp_path / "product.svg", "ladder", "--gtin", "06901234500011")
    assert {"80 units", "40 units", "1 unit"} <= set(whole.texts())
    assert whole.title == "What each tier paid for a unit of GTIN 06901234500011"


def test_a_path_has_the_hands_of_the_table(demo: Path, tmp_path: Path) -> None:
    """Box 1:90 has six owners and one custodian, and box 1:0 moved with its title. As of a position it is shorter."""
    cloud = drawn(demo, tmp_path / "cloud.svg", "path", "1:90")
    assert [bar.tip.split(",")[0] for bar in cloud.rects("title")] == [
        "title: mask-brand",
        *(f"title: agent-{tier}" for tier in range(1, 6)),
    ]
    assert [bar.kind for bar in cloud.rects("goods", "loose")] == ["goods", "loose"]
    assert {"title only", "270.00 CNY", "90.0% of 300.00"} <= set(cloud.texts())
    sold = drawn(demo, tmp_path / "sold.svg", "path", "1:0")
    assert not sold.rects("loose")
    assert {"sold", "confirmed", "consumer:c-7"} <= set(sold.texts())
    earlier = drawn(demo, tmp_path / "earlier.svg", "path", "1:90", "--as-of", "36")
    assert len(earlier.rects("title")) == 3


def test_a_stock_has_the_units_of_the_table(demo: Path, tmp_path: Path) -> None:
    """Agent 5 has twenty boxes that expire in nine days, and nineteen that expire in 900."""
    picture = drawn(demo, tmp_path / "stock.svg", "stock", "agent-5", "--today", TODAY)
    assert [bar.tip for bar in picture.rects("title")] == [
        "20 units, expires in 0 to 89 days",
        "19 units, expires in 900 to 989 days",
    ]
    late = drawn(demo, tmp_path / "late.svg", "stock", "agent-5", "--today", "2026-03-11")
    assert [bar.tip for bar in late.rects("loose")] == ["20 units, expired"]


def test_a_flow_has_the_units_of_the_ladder(demo: Path, tmp_path: Path) -> None:
    """Each tier of the flow has as many units as its rung of the ladder, and the rest of the batch is unsold."""
    listed = pathbook("--data", str(demo), "ladder", "1", "--output", "jsonl").out.splitlines()
    tiers = {rung["tier"]: int(rung["units"]) for rung in map(json.loads, listed) if rung["tier"]}
    picture = drawn(demo, tmp_path / "flow.svg", "flow", "1")
    assert len(tiers) == 5
    for tier, units in tiers.items():
        assert picture.told(f"tier {tier}: ").tip == f"tier {tier}: {units} units"
    assert {"unsold: 99", "consumers: 1"} <= set(picture.texts())


def test_a_flow_knows_returns_losses_and_parties_without_a_tier(tmp_path: Path) -> None:
    """What came back is where it is now, what was lost is no stock, and what was sold is with consumers."""
    with opened(tmp_path / "books") as client:
        begin(client, size=100)
        client.authorize_party("ann", upline="acme", tier=1)
        move(client, "acme", "ann", 0, 59)
        move(client, "ann", "corner", 0, 29)
        client.sell_units(seller="corner", consumer="c-1", units=boxes(0, 9), unit_price=yuan(300))
        client.return_units(owner="consumer:c-1", units=boxes(0, 3))
        client.return_units(owner="corner", units=boxes(10, 14))
        client.write_off_units(party="ann", units=boxes(40, 44), state=UNIT_STATE_DAMAGED)
        client.offer_transfer(giver="ann", receiver="bob", units=boxes(50, 52), unit_price=yuan(200))
        position = client.get_head().position
        chains = list(chart_values.chains(client, 1, 100, position))
        ladder = client.get_ladder(1, at_least_position=position).rungs
    assert sum(chain.units for chain in chains) == 100
    picture = drawn(tmp_path / "books", tmp_path / "flow.svg", "flow", "1", "--book", "masks")
    picture.check()
    assert {"consumers: 6", "unsold: 89", "written off: 5"} <= set(picture.texts())
    told = [picture.told(f"{name}: ").tip for name in ("brand", "tier 1", "no tier")]
    assert told == ["brand: 100 units", "tier 1: 60 units", "no tier: 25 units"]
    assert [rung.units for rung in ladder] == [60, 25, 6]


def move(client: Client, giver: str, receiver: str, first: int, last: int) -> None:
    """Record a transfer of boxes."""
    client.record_transfer(giver=giver, receiver=receiver, units=boxes(first, last), unit_price=yuan(150))


def test_a_flow_of_many_runs_says_what_was_not_read(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a batch has more runs than are read, the picture has the units of those that were, and counts the others."""
    monkeypatch.setattr(chart_values, "MOST_RUNS", 3)
    picture = drawn(demo, tmp_path / "flow.svg", "flow", "1")
    (sentence,) = picture.chart.left_out
    read = picture.told("brand: ").tip
    assert (read, sentence) == (
        "brand: 20 units",
        "The picture leaves out 80 units of the batch, which were not read.",
    )
    ran = pathbook("--data", str(demo), "chart", "flow", "1", "--out", str(tmp_path / "flow.svg"))
    assert ran.out.splitlines()[1] == sentence


def test_a_chain_has_the_authorizations_in_force(
    closed_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked authorization is not in force from then on, and its party stands alone. Before, it stands below."""
    data = shutil.copytree(closed_demo, tmp_path / "books")
    listed = pathbook("--data", str(data), "party", "show", "agent-3", "--output", "json").json()
    authorizations = listed["authorizations"]
    assert isinstance(authorizations, list)
    (given,) = authorizations
    revoked = ("--upline", "agent-2", "--from", "2026-02-01T00:00:00Z", *signing(closed_demo, "agent-2"))
    ran = pathbook("--data", str(data), "party", "revoke", given["position"], *revoked)
    assert ran.code == 0, ran
    before = drawn(data, tmp_path / "before.svg", "chain", "--at", "2026-01-31T23:59:59Z")
    after = drawn(data, tmp_path / "after.svg", "chain", "--at", "2026-02-01T00:00:00Z")
    assert "tier 3 · agent" in before.texts()
    assert "agent · no authorization in force" not in before.texts()
    assert "tier 3 · agent" not in after.texts()
    assert after.texts().count("agent · no authorization in force") == 1
    assert "in force at 2026-02-01 00:00:00Z" in after.description
    monkeypatch.setattr(chart_values, "MOST_PARTIES", 4)
    cut = drawn(data, tmp_path / "cut.svg", "chain")
    assert cut.chart.left_out == ("The book has more than 4 parties. The others were not read.",)


def test_a_chain_reads_all_authorizations_of_a_party(tmp_path: Path) -> None:
    """A list may leave out authorizations of a party. The last one counts for the picture, too."""
    with opened(tmp_path / "books") as client:
        begin(client)
        client.authorize_party("ann", upline="acme", tier=2)
        (found,) = (party for party in client.list_parties() if party.party == "ann")
        found.authorizations_left_out = True
        del found.authorizations[:]
        assert len(next(chart_values.whole(client, [found])).authorizations) == 1


def png_size(data: bytes) -> tuple[int, int]:
    """Return the pixels of a PNG, after a check of all its checksums and of the length of its image."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, image, size = 8, b"", (0, 0)
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length)[0] == zlib.crc32(kind + content)
        if kind == b"IHDR":
            size = struct.unpack_from(">II", content)
        elif kind == b"IDAT":
            image += content
        place += 12 + length
    width, height = size
    pixels = zlib.decompress(image)
    assert len(pixels) == height * (1 + 4 * width)
    assert len(set(pixels)) > 10, "a picture has several colors"
    return width, height


@pytest.mark.parametrize("verb", PICTURES)
def test_a_png_has_twice_the_pixels(demo: Path, tmp_path: Path, verb: str) -> None:
    """A PNG opens, and has two pixels for each of the SVG. Both schemes differ."""
    pytest.importorskip("resvg_py", reason="PNG needs the extra pathbook[png]")
    svg = drawn(demo, tmp_path / "picture.svg", *PICTURES[verb])
    files = [tmp_path / f"{scheme.value}.png" for scheme in Scheme]
    for scheme, file in zip(Scheme, files, strict=True):
        line = ("chart", *PICTURES[verb], "--out", str(file), "--scheme", scheme.value)
        ran = pathbook("--data", str(demo), *line)
        if "NO_FONT" in ran.err:
            pytest.skip("this machine has no font that a PNG could be drawn with")
        assert (ran.code, ran.err) == (0, "")
        assert png_size(file.read_bytes()) == (2 * svg.chart.width, 2 * svg.chart.height)
    auto, light, dark = (file.read_bytes() for file in files)
    assert auto == light != dark


def test_a_png_has_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG without a font would have no text, so it is refused. Characters that no font has are told."""
    pytest.importorskip("resvg_py", reason="PNG needs the extra pathbook[png]")
    from pathbook.cli import chart_png  # noqa: PLC0415 - it needs the extra

    text = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><text y="20">{}</text></svg>'
    try:
        assert chart_png.render(text.format("A\u00e9\U0010fffe")).lacking == "\U0010fffe"
    except NamedError:
        pytest.skip("this machine has no font that a PNG could be drawn with")
    monkeypatch.setattr(chart_png, "FAMILIES", ("No such family",))
    with pytest.raises(NamedError, match="Install one such as DejaVu Sans"):
        chart_png.render(text.format("A"))


def test_a_png_without_its_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra, with exit code 2, before any book is asked."""
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    monkeypatch.delitem(sys.modules, "pathbook.cli.chart_png", raising=False)
    monkeypatch.delattr(cli, "chart_png", raising=False)
    file = tmp_path / "ladder.png"
    ran = pathbook("--server", "127.0.0.1:1", "chart", "ladder", "1", "--out", str(file))
    assert (ran.code, ran.out, file.exists()) == (2, "", False)
    assert "pip install 'pathbook[png]'" in ran.err


@pytest.mark.parametrize("name", ["ladder", "ladder.jpg", "ladder.svg.gz"])
def test_a_name_of_another_kind_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """The verb says which names it writes, and asks no book."""
    ran = pathbook("--server", "127.0.0.1:1", "chart", "ladder", "1", "--out", str(tmp_path / name))
    assert (ran.code, ran.out) == (2, "")
    assert "It must end in .svg or .png." in ran.err


def test_a_file_that_cannot_be_written_is_named(demo: Path, tmp_path: Path) -> None:
    """A directory that does not exist is an error with its name, and no bug."""
    file = tmp_path / "none" / "ladder.svg"
    ran = pathbook("--data", str(demo), "chart", "ladder", "1", "--out", str(file))
    assert (ran.code, ran.out) == (4, "")
    assert f"CANNOT_OPEN: {file}: No such file or directory." in ran.err


def test_names_of_strangers_stay_texts(tmp_path: Path) -> None:
    """A product whose name is a tag, and has a mark of direction, is drawn as it is written."""
    with opened(tmp_path / "books") as client:
        begin(client)
        client.correct_product(MASK, brand="acme", name="<b>mask</b>\u202e & 面膜")
        client.record_transfer(
            giver="acme", receiver="ann", units=select(ranges=[(1, 0, 9)]), unit_price=yuan(1)
        )
    shown = "<b>mask</b>\\u202e & 面膜"
    for line in (("path", "1:0"), ("stock", "ann")):
        picture = drawn(tmp_path / "books", tmp_path / "picture.svg", *line, "--book", "masks")
        picture.check()
        assert any(shown in text for text in picture.texts())
        assert not list(picture.root.iter(f"{NAMESPACE}b"))


def test_the_pictures_of_the_documents_are_of_the_demo(tmp_path: Path) -> None:
    """The files in docs/ are what the verbs draw of the demo that README.md tells, to the byte."""
    data = tmp_path / "books"
    assert pathbook("demo", "--data", str(data), "--today", TOLD_ON).code == 0
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"pathbook demo --today {TOLD_ON}" in readme
    for name, line in DOCUMENTED.items():
        drawn(data, tmp_path / name, *line)
        assert (tmp_path / name).read_bytes() == (ROOT / "docs" / name).read_bytes(), name
        assert f"](docs/{name})" in readme
    assert {file.name for file in (ROOT / "docs").glob("*.svg")} == set(DOCUMENTED)


DOCUMENTED = {"ladder.svg": ["ladder", "1"], "path.svg": ["path", "1:90"], "flow.svg": ["flow", "1"]}
"""The pictures that README.md shows, and how each is drawn."""
