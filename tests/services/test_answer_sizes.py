"""Every answer is smaller than 4 MB, which a client of gRPC accepts, and an answer about a unit is about that unit."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from pathbook.client import Client, RefusedError, price, select
from pathbook.ledger.codec import encode
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.events import PartyAuthorized
from pathbook.ledger.money import EXPONENTS
from pathbook.ledger.reports.shared_rungs import SHARED_RUNGS_MAX
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import MAX_PRODUCTS, MAX_RANGES, MAX_TIER
from pathbook.services.translate.pages import ANSWER_MAX_BYTES
from pathbook.v1 import (
    batches_pb2,
    batches_pb2_grpc,
    insights_pb2,
    parties_pb2,
    parties_pb2_grpc,
    paths_pb2,
    paths_pb2_grpc,
    transfers_pb2,
    transfers_pb2_grpc,
    values_pb2,
)
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Number, Policy, Result, Verdict
from tests.books import engine
from tests.services.masks import BEGUN, BOOK, CASE, TODAY, begin, boxes, refused, yuan

ROOT: Final = Path(__file__).resolve().parents[2]
LONG_NOTE: Final = "漢" * 200
"""The note that takes the most bytes of all that are legal without planes beyond the first."""

HOPS: Final = 4
PIECES: Final = 600
"""As many ranges as an event needs to be left out of a path."""

RECALLS: Final = 105
"""More than a path has. Of 4,000 ranges each, they do not fit into a message."""

FILES: Final = [
    importlib.import_module(f"pathbook.v1.{path.stem}")
    for path in sorted((ROOT / "proto/pathbook/v1").glob("*_pb2.py"))
]
"""All files of the contract."""


@pytest.fixture
def channel(client: Client) -> Iterator[grpc.Channel]:
    """A channel with the options that gRPC has by default: it refuses messages of more than 4 MB."""
    with grpc.insecure_channel(client.target) as channel:
        yield channel


def even(count: int) -> values_pb2.Selection:
    """Select every other box, as so many ranges."""
    return select(ranges=[(1, number, number) for number in range(0, 2 * count, 2)])


def methods() -> dict[str, MethodDescriptor]:
    """Return all methods of the contract, by service and name."""
    return {
        f"{service.name}.{method.name}": method
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def bounds() -> dict[str, tuple[str, str]]:
    """Return what ARCHITECTURE.md says of each method: the kind of its bound, and what bounds it."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    table = text.partition("### No answer exceeds 4 MB\n")[2].partition("\n### ")[0]
    found: dict[str, tuple[str, str]] = {}
    for names, kind, why in re.findall(r"^\| (`.+?`) \| (\w+) \| (.+?) \|$", table, re.MULTILINE):
        for name in re.findall(r"`(.+?)`", names):
            assert name not in found, name
            found[name] = kind, why
    return found


def test_each_method_has_a_bound() -> None:
    """The table in ARCHITECTURE.md has each method once. Those that page have tokens, and lists page."""
    known, table = methods(), bounds()
    assert set(table) == set(known)
    for name, method in known.items():
        kind, _ = table[name]
        has_tokens = {"page_token", "page_size"} <= set(method.input_type.fields_by_name)
        assert has_tokens == ("next_page_token" in method.output_type.fields_by_name), name
        assert (kind == "pages") is has_tokens, name
        assert (kind == "stream") is method.server_streaming, name
        assert kind in ("pages", "stream", "fixed", "event"), name
        assert has_tokens or not method.name.startswith("List") or method.server_streaming, name


def test_a_path_of_large_transfers_is_about_its_unit(client: Client, channel: grpc.Channel) -> None:
    """Large transfers, and recalls of 4,000 ranges, take a line each, and what they have more is counted."""
    begin(client, size=2 * MAX_RANGES)
    owner = "acme"
    for number in range(HOPS):
        giver, owner = owner, "bob" if owner == "ann" else "ann"
        client.record_transfer(giver=giver, receiver=owner, units=even(PIECES), unit_price=yuan(number + 1))
    recalls = [
        client.recall_units(
            1, brand="acme", ranges=[(1, n, n) for n in range(odd, 2 * MAX_RANGES, 2)], note=LONG_NOTE
        )
        for odd in (1, *[0] * RECALLS)
    ]
    (codes,) = client.list_codes(1, 6, 6)
    path = paths_pb2_grpc.PathServiceStub(channel).GetPath(
        paths_pb2.GetPathRequest(
            book=BOOK, code=codes.serials[0], corrections=True, at_least_position=client.position
        )
    )
    assert path.ByteSize() < 200_000
    assert not path.next_page_token
    assert [step.terms.unit_price.amount_minor for step in path.steps[1:]] == [
        100 * (number + 1) for number in range(HOPS)
    ]
    assert {len(step.terms.ranges) for step in path.steps[1:]} == {1}
    assert all(not step.event and step.left_out_bytes > 4_096 for step in path.steps[1:])
    assert path.batch.recalls_left_out
    assert [recall.position for recall in path.batch.recalls] == [
        one.receipt.position for one in recalls[-100:]
    ]
    assert {
        (recall.ranges[0].first, recall.ranges[0].last, recall.left_out_ranges)
        for recall in path.batch.recalls
    } == {(6, 6, MAX_RANGES - 1)}
    # the client reads the large events, and the verifier replays them
    code = read_code(codes.serials[0])
    assert isinstance(code, PrintedCode)
    whole = client.get_path(codes.serials[0], corrections=True)
    assert all(step.event and not step.left_out_bytes for step in whole.steps)
    report = check_path(whole, code, TODAY, Policy(allow_recalled=True))
    assert report.verdict is Verdict.VERIFIED
    assert report.checks[Number.PATH - 1].result is Result.OK
    assert report.checks[Number.RECALL - 1].result is Result.NOTED
    # and does not replay what was not read
    report = check_path(path, code, TODAY, Policy())
    assert report.verdict is Verdict.COULD_NOT_CHECK
    # a batch with these recalls has pages
    stub = batches_pb2_grpc.BatchServiceStub(channel)
    request = batches_pb2.GetBatchRequest(book=BOOK, batch=1)
    found: list[batches_pb2.Recall] = []
    while True:
        page = stub.GetBatch(request)
        assert page.ByteSize() < ANSWER_MAX_BYTES
        assert page.batch.recalls_left_out
        found += page.batch.recalls
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [recall.position for recall in found] == [one.receipt.position for one in recalls]
    assert {len(recall.ranges) for recall in found} == {MAX_RANGES}
    assert list(client.get_batch(1).recalls) == found
    (listed,) = stub.ListBatches(batches_pb2.ListBatchesRequest(book=BOOK)).batches
    assert listed.recalls_left_out
    assert 0 < len(listed.recalls) < len(found)
    assert listed.recalls == found[: len(listed.recalls)]


def test_the_pages_of_a_path_are_one_path(client: Client, channel: grpc.Channel) -> None:
    """The pages are as of the position of the first one, and put together they are the path as of that position."""
    begin(client)
    for amount in range(1, 6):
        moved_back_and_forth(client, amount)
    stub = paths_pb2_grpc.PathServiceStub(channel)
    request = paths_pb2.GetPathRequest(
        book=BOOK,
        unit=values_pb2.Unit(batch=1, number=3),
        corrections=True,
        at_least_position=client.position,
    )
    whole = stub.GetPath(request)
    assert len(whole.steps) == 11
    request.page_size = 4
    pages = []
    while True:
        pages.append(stub.GetPath(request))
        moved_back_and_forth(client, 9)  # the path goes on, but not this answer
        if not pages[-1].next_page_token:
            break
        request.page_token = pages[-1].next_page_token
    assert [len(page.steps) for page in pages] == [4, 4, 3]
    assert [step for page in pages for step in page.steps] == list(whole.steps)
    assert {(page.as_of_position, page.run.head, page.serial) for page in pages} == {
        (whole.as_of_position, whole.run.head, whole.serial)
    }
    request.corrections = False
    request.page_token = pages[0].next_page_token
    with pytest.raises(grpc.RpcError, match="not from this list"):
        stub.GetPath(request)


def moved_back_and_forth(client: Client, amount: int) -> None:
    """Record that a box went to ann, and that it came back."""
    for giver, receiver in (("acme", "ann"), ("ann", "acme")):
        client.record_transfer(giver=giver, receiver=receiver, units=boxes(3, 3), unit_price=yuan(amount))


def test_a_path_has_the_recalls_in_force_before_those_that_were_lifted(client: Client) -> None:
    """Of more than 100 recalls of a unit, a path has those in force, and then the latest."""
    begin(client)
    in_force = client.recall_units(1, brand="acme", ranges=[(1, 3, 5), (1, 7, 7)]).receipt.position
    lifted = []
    for _ in range(103):
        recall = client.recall_units(1, brand="acme", ranges=[(1, 0, 9)]).receipt.position
        client.lift_recall(recall, brand="acme")
        lifted.append(recall)
    path = client.get_path((1, 3))
    assert [recall.position for recall in path.batch.recalls] == [in_force, *lifted[-99:]]
    assert [part.last for part in path.batch.recalls[0].ranges] == [5]
    assert path.batch.recalls_left_out
    assert path.batch.recalls[0].left_out_ranges == 1
    assert not client.get_path((1, 12)).batch.recalls
    assert len(client.get_batch(1).recalls) == 104


def test_a_party_with_many_authorizations_has_pages(
    client: Client, channel: grpc.Channel, data: Path
) -> None:
    """Authorizations for 1,000 products each fill several pages. A list has the first ones, and says so."""
    begin(client)
    products = tuple(f"{number:014}" for number in range(MAX_PRODUCTS))
    tiers = [PartyAuthorized("acme", "bob", 1, products, "", 0, None)] * 280
    with_log = engine(data, "events")
    entries = [
        encode(event, recorded_at=0, occurred_at=0, request=bytes(16), request_digest=bytes(16))
        for event in tiers
    ]
    Stream(with_log).append(BOOK, BEGUN, entries)
    client.position = BEGUN + len(entries)
    with_log.dispose()
    given = list(range(BEGUN + 1, BEGUN + len(entries) + 1))
    stub = parties_pb2_grpc.PartyServiceStub(channel)
    request = parties_pb2.GetPartyRequest(book=BOOK, party="bob", at_least_position=client.position)
    sizes, found = [], []
    while True:
        page = stub.GetParty(request)
        sizes.append(page.ByteSize())
        assert page.party.authorizations_left_out
        found += [each.position for each in page.party.authorizations]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == given
    assert sum(sizes) > ANSWER_MAX_BYTES > 2 * max(sizes)
    bob = client.get_party("bob")
    assert [each.position for each in bob.authorizations] == given
    assert not bob.authorizations_left_out
    listed = stub.ListParties(parties_pb2.ListPartiesRequest(book=BOOK)).parties
    assert [party.party for party in listed] == ["acme", "ann"]  # a party with so many begins a page
    listed = stub.ListParties(parties_pb2.ListPartiesRequest(book=BOOK, page_size=2)).parties
    names = [party for party in client.list_parties() if party.authorizations_left_out]
    assert [party.party for party in names] == ["bob"]
    assert [each.position for each in names[0].authorizations] == given[: len(names[0].authorizations)]


def test_a_case_of_many_pieces_has_pages(client: Client, channel: grpc.Channel) -> None:
    """The pages of a case have its ranges in order, and the first one has its inner cases."""
    begin(client)
    inner = "340123450000000031"
    client.pack_case(inner, party="acme", units=boxes(900, 999))
    client.pack_case(CASE, party="acme", units=select(ranges=[(1, 0, 49), (1, 60, 99)], cases=[inner]))
    client.write_off_units(party="acme", units=even(20), state=values_pb2.UNIT_STATE_LOST)
    whole = client.get_case(CASE)
    assert [(part.first, part.last) for part in whole.ranges] == [
        *[(number, number) for number in range(1, 39, 2)],
        (39, 49),
        (60, 99),
    ]
    request = batches_pb2.GetCaseRequest(book=BOOK, sscc=CASE, page_size=8)
    pages = []
    while True:
        pages.append(batches_pb2_grpc.BatchServiceStub(channel).GetCase(request))
        if not pages[-1].next_page_token:
            break
        request.page_token = pages[-1].next_page_token
    assert [len(page.ranges) for page in pages] == [8, 8, 5]
    assert [part for page in pages for part in page.ranges] == list(whole.ranges)
    assert [list(page.cases) for page in pages] == [[inner], [], []]


def test_a_return_of_as_many_lines_as_an_event_holds_fits(client: Client, channel: grpc.Channel) -> None:
    """Each line repeats the note of the return. All lines together are still below 4 MB."""
    count = 1_900
    begin(client, size=count)
    paid = price(yuan(1))
    entries = [
        transfers_pb2.RecordTransferRequest(
            giver="acme", receiver="ann", units=boxes(number, number), unit_price=paid
        )
        for number in range(count)
    ]
    for results in client.record_transfers([entries[:1_000], entries[1_000:]]):
        assert all(result.HasField("receipt") for result in results)
    position, fits = returned(client, count)
    request = transfers_pb2.GetTransferRequest(book=BOOK, transfer=position)
    request.at_least_position = client.position
    found = transfers_pb2_grpc.TransferServiceStub(channel).GetTransfer(request)
    assert len(found.transfers) == fits > 1_000
    assert found.ByteSize() < ANSWER_MAX_BYTES / 2
    listed = transfers_pb2_grpc.TransferServiceStub(channel).ListTransfers(
        transfers_pb2.ListTransfersRequest(book=BOOK, party="ann", page_size=1_000)
    )
    assert listed.ByteSize() < ANSWER_MAX_BYTES


def returned(client: Client, count: int) -> tuple[int, int]:
    """Return boxes that came one by one, as many as fit. Return the position of the return, and their number."""
    try:
        back = client.return_units(owner="ann", units=boxes(0, count - 1), note=LONG_NOTE)
    except RefusedError as error:
        if error.reason != "EVENT_TOO_LARGE":
            raise
        return returned(client, count * 9 // 10)
    return back.receipt.position, count


def test_the_longest_ladder_fits() -> None:
    """A ladder has a rung for each tier and currency, and all of them together are below 4 MB."""
    most = 2**63 - 1
    amount = values_pb2.Price(amount_minor=most, currency_code="CNY", per_units=10**9)
    rung = insights_pb2.Rung(
        kind=insights_pb2.RUNG_KIND_TIER,
        tier=MAX_TIER,
        currency_code="CNY",
        units=most,
        least=amount,
        median=amount,
        most=amount,
        mean_minor=most,
        sum_minor=most,
        suggested=amount,
        lower_quartile=amount,
        upper_quartile=amount,
    )
    rung_with_mark_up = rung.ByteSize() + 3 * 12  # three numbers
    kinds = MAX_TIER + 1 + 2  # the tiers from 0 on, parties without a tier, and consumers
    shared = insights_pb2.SharedRung(
        kind=rung.kind, tier=MAX_TIER, currency_code="CNY", units=most, mean_minor=most, payers=2**31 - 1,
        suggested=amount,
    )  # fmt: skip
    of_others = SHARED_RUNGS_MAX * (shared.ByteSize() + 6)
    assert kinds * len(EXPONENTS) * (rung_with_mark_up + 6) + of_others < ANSWER_MAX_BYTES


def test_an_answer_that_is_too_large_has_a_reason(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should an answer be too large all the same, its caller gets a reason instead of a broken call."""
    begin(client)
    monkeypatch.setattr("pathbook.services.message_bytes.ANSWER_MAX_BYTES", 100)
    with refused("ANSWER_TOO_LARGE", grpc.StatusCode.RESOURCE_EXHAUSTED):
        client.get_batch(1)
    with refused("ANSWER_TOO_LARGE", grpc.StatusCode.RESOURCE_EXHAUSTED):
        list(client.read())
