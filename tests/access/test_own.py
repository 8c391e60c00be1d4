"""What is a party's own: its paths until it gave units away, its line, its transfers, and what its key signed."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import grpc
import pytest

from pathbook.client import Client, PartyKey, PartyKind, RefusedError, insight_filter, select
from pathbook.ledger.codes import PrintedCode
from pathbook.services import interceptor
from pathbook.services.translate import pages
from pathbook.v1 import (
    parties_pb2,
    parties_pb2_grpc,
    paths_pb2,
    paths_pb2_grpc,
    statements_pb2_grpc,
    tokens_pb2,
    transfers_pb2_grpc,
)
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Selection
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.verdicts import Number, Policy, Result
from tests.access.story import BOOK, MADE_ON, MASK, Story, told
from tests.services.masks import refused

MISSING = grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The server of all these tests."""
    with told(tmp_path_factory.mktemp("own")) as story:
        yield story


def units(*numbers: int) -> Selection:
    """Select units of the first batch."""
    return select(ranges=[(1, number, number) for number in numbers])


def test_a_party_sees_the_path_of_a_unit_until_it_gave_it_away(story: Story) -> None:
    """What bob does with a unit that ann gave it, ann does not see by its number. The code shows all."""
    with story.client("operator") as operator, story.client("party") as ann, story.client("public") as public:
        operator.record_transfer(giver="bob", receiver="acme", units=units(0), unit_price=(123, "CNY"))
        operator.position = operator.get_head().position
        whole = operator.get_path((1, 0))
        assert [step.giver for step in whole.steps][-1] == "bob"
        seen = ann.get_path((1, 0), at_least_position=operator.position)
        assert [step.position for step in seen.steps] == [step.position for step in whole.steps][:-1]
        assert seen.run.owner == "bob"
        assert seen.as_of_position == seen.steps[-1].position
        assert ann.get_path((1, 50)).run.owner == "ann"
        for never in ((1, 500), (1, 5_000), (2, 50), (999, 0)):
            with refused("BATCH_UNKNOWN", MISSING):
                ann.get_path(never)
        code = next(operator.list_codes(1, 0, 0)).serials[0]
        assert len(ann.get_path(code).steps) == len(public.get_path(code).steps) == len(whole.steps)
        with refused("CODE_NEEDED", grpc.StatusCode.UNAUTHENTICATED):
            public.get_path((1, 0))


def test_a_buyer_can_verify_a_path_with_large_events(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code gives its unit's events whole, on as many pages as they need, though the public may not read the log."""
    monkeypatch.setattr(pages, "PAGE_MAX_BYTES", 50_000)
    with story.client("operator") as operator, story.client("public") as public:
        made = operator.commission_batch(MASK, brand="acme", lot="large", size=8_000, made_on=MADE_ON)
        pieces = [(made.batch, number, number) for number in range(0, 8_000, 2)]
        for giver, receiver in itertools.islice(itertools.cycle([("acme", "ann"), ("ann", "acme")]), 12):
            operator.record_transfer(
                giver=giver, receiver=receiver, units=select(ranges=pieces), unit_price=(100, "CNY")
            )
        (code,) = next(operator.list_codes(made.batch, 6, 6)).serials
        public.position = operator.position
        short = public.get_path(code, corrections=True, events=False)
        assert sum(step.left_out_bytes for step in short.steps) > 2 * pages.PAGE_MAX_BYTES
        whole = public.get_path(code, corrections=True)
        assert all(step.event for step in whole.steps)
        public.fill_events(short)
        assert short == whole
        printed = read_code(code)
        assert isinstance(printed, PrintedCode)
        report = check_path(whole, printed, MADE_ON, Policy())
        assert report.checks[Number.PATH - 1].result is Result.OK, report
        with refused("CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
            list(public.read(limit=1))


def test_a_page_token_shows_no_later_part_of_a_path(story: Story) -> None:
    """A token names the position of a path. One that the party did not get for it shows no more than it may see."""
    with grpc.insecure_channel(story.target) as channel:
        stub = paths_pb2_grpc.PathServiceStub(channel)

        def page(role: str, token: str = "") -> paths_pb2.GetPathResponse:
            request = paths_pb2.GetPathRequest(book=BOOK, page_size=1, page_token=token)
            request.unit.batch, request.unit.number = 1, 5
            metadata = (("authorization", f"Bearer {story.tokens[role]}"),)
            return stub.GetPath(request, metadata=metadata)

        with story.client("operator") as operator:
            operator.record_transfer(giver="bob", receiver="acme", units=units(5), unit_price=(123, "CNY"))
            operator.position = operator.get_head().position
            assert operator.get_path((1, 5)).steps[-1].giver == "bob"
        token = page("operator").next_page_token
        positions = []
        while token:
            answer = page("party", token)
            positions += [step.giver for step in answer.steps]
            token = answer.next_page_token
        assert positions
        assert "bob" not in positions


def test_a_line_goes_up_and_down(story: Story) -> None:
    """Ann sees acme above, bob below, and of bob's authorizations only those that its line gave."""
    with story.client("operator") as operator, story.client("party") as ann:
        operator.authorize_party("bob", upline="zeta", tier=1)
        position = operator.get_head().position
        assert [given.upline for given in operator.get_party("bob").authorizations] == ["ann", "zeta"]
        found = {name: ann.get_party(name, at_least_position=position) for name in ("acme", "ann", "bob")}
        assert [given.upline for given in found["bob"].authorizations] == ["ann"]
        for stranger in ("zeta", "zed", "zoe", "ghost"):
            with refused("PARTY_UNKNOWN", MISSING):
                ann.get_party(stranger)
            with refused("PARTY_UNKNOWN", MISSING):
                list(ann.list_keys(stranger))
        made = operator.create_token(tokens_pb2.TOKEN_ROLE_PARTY, "bob").text
        with Client(story.target, book=BOOK, token=made, retry_seconds=0) as bob:
            assert {name: bool(bob.get_party(name)) for name in ("acme", "ann", "zeta")}


def test_a_brand_sees_its_products_with_every_party(story: Story) -> None:
    """Acme lists the stock, transfers and holders of its own batch, and of others' batches nothing."""
    with story.client("operator") as operator, story.client("brand") as acme:
        operator.record_transfer(
            giver="zeta", receiver="ann", units=select(ranges=[(2, 600, 609)]), unit_price=(1, "CNY")
        )
        operator.position = operator.get_head().position
        assert {line.batch.batch for line in operator.list_stock("ann")} == {1, 2}
        assert {line.batch.batch for line in acme.list_stock("ann", at_least_position=operator.position)} == {
            1
        }
        batches = {part.batch for found in acme.list_transfers("ann") for part in found.ranges}
        assert batches & {1, 2} == {1}
        assert {batch.batch for batch in acme.list_batches()} >= {1}
        assert 2 not in {batch.batch for batch in acme.list_batches()}
        assert acme.get_path((1, 500)).run.owner == "acme"
        with refused("BATCH_UNKNOWN", MISSING):
            list(acme.list_holders(2))
        with refused("ROLE_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED):
            acme.register_party("other", PartyKind.BRAND)


def test_a_party_sees_its_own_rungs(story: Story) -> None:
    """What it paid and was paid. Not the ladder of a product, of another party, or of a batch that it never had."""
    with story.client("party") as ann, story.client("operator") as operator:
        ann.position = operator.position = operator.get_head().position  # of what other tests wrote
        own = ann.get_ladder(MASK, only=insight_filter(party="ann"))
        whole = operator.get_ladder(MASK, only=insight_filter(party="ann"))
        assert own == whole
        assert {rung.tier for rung in own.rungs} >= {1, 2}
        assert not own.shared_rungs  # of the month that goes on, nothing is shown
        for only in (
            insight_filter(),
            insight_filter(party="bob"),
            insight_filter(party="zed"),
        ):
            with refused("PARTY_UNKNOWN", MISSING):
                ann.get_ladder(MASK, only=only)
        with refused("BATCH_UNKNOWN", MISSING):
            ann.get_ladder(999, only=insight_filter(party="ann"))


def test_a_refusal_names_no_owner(story: Story) -> None:
    """Neither alone nor in a batch of writes is a stranger told who owns units, or how many there are."""
    told_alone: list[str] = []
    with story.client("party") as ann:
        for wanted in (units(700), units(5_000), select(ranges=[(999, 0, 0)]), select(ranges=[(2, 0, 0)])):
            with pytest.raises(RefusedError) as error:
                ann.record_transfer(giver="ann", receiver="bob", units=wanted, unit_price=(1, "CNY"))
            told_alone.append(f"{error.value.message} {sorted(error.value.metadata.items())}")
        assert len(set(told_alone)) == 1, told_alone
        assert "acme" not in told_alone[0]


def test_a_signature_speaks_for_its_party_without_a_token(tmp_path: Path) -> None:
    """A statement needs no token. It is refused to a stranger's key, and tells its signer nothing of others."""
    with told(tmp_path) as story, story.client("operator") as operator, story.client("public") as public:
        origin = operator.get_book().origin
        keys = [PartyKey(origin, party) for party in ("", "acme", "ann", "bob")]
        operator.register_key(keys[0], endorser=keys[0])
        for endorser, key in itertools.pairwise(keys):
            with refused("CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED):
                public.register_key(key, endorser=endorser)  # its party did not say that it wants it
            operator.register_key(key, endorser=endorser)
        bob, forged = public.with_options(signer=keys[-1]), PartyKey(origin, "bob")
        offered = bob.offer_transfer(giver="bob", receiver="acme", units=units(7), unit_price=(1, "CNY"))
        assert offered.receipt.position
        with refused("KEY_UNKNOWN", MISSING):
            public.with_options(signer=forged).offer_transfer(
                giver="bob", receiver="acme", units=units(8), unit_price=(1, "CNY")
            )
        for position in (story.others.offer, 99_999):
            with refused("TRANSFER_UNKNOWN", MISSING):
                bob.accept_transfer(position, receiver="bob", answered_leaf=bytes(32))
        with pytest.raises(RefusedError) as error:
            bob.offer_transfer(giver="bob", receiver="acme", units=units(800), unit_price=(1, "CNY"))
        assert error.value.reason == "UNITS_NOT_OWNED"
        assert "acme" not in error.value.message


def test_a_side_reads_the_event_that_it_answers(story: Story) -> None:
    """One event at a time, if it is its own. Of others, nothing tells whether there is such an event."""
    with story.client("party") as ann:
        for position in (story.own.transfer, story.own.offer, story.own.made_offer, 1):
            (batch,) = ann.read(position - 1, limit=1)
            assert len(batch.events) == 1
        for position in (story.others.transfer, story.others.offer, story.own.recall, 99_999):
            with refused("ROLE_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED):
                list(ann.read(position - 1, limit=1))
        assert [len(batch.events) for batch in ann.read(story.own.transfer - 1, limit=1)] == [1]


def test_a_purchase_is_confirmed_by_code_only(story: Story) -> None:
    """An auditor, too, changes nothing by the number of a unit."""
    for role in ("public", "party", "brand", "auditor"):
        with story.client(role) as client, refused("CODE_NEEDED", grpc.StatusCode.UNAUTHENTICATED):
            client.confirm_purchase(consumer="c-1", units=units(40), price_paid=(1, "CNY"))


def test_a_seller_takes_back_what_it_sold(story: Story) -> None:
    """It records the return of a consumer by the code of the unit. Another party cannot, and no number does."""
    with story.client("operator") as operator, story.client("party") as ann, story.client("brand") as acme:
        ann.sell_units(seller="ann", consumer="c-1", units=units(60), unit_price=(1, "CNY"))
        code = select(codes=next(operator.list_codes(1, 60, 60)).serials)
        with refused("UNITS_NOT_OWNED", grpc.StatusCode.FAILED_PRECONDITION):
            acme.return_units(owner="consumer:c-1", units=code)
        with refused("CODE_NEEDED", grpc.StatusCode.UNAUTHENTICATED):
            ann.return_units(owner="consumer:c-1", units=units(60))
        with refused("UNITS_NOT_OWNED", grpc.StatusCode.FAILED_PRECONDITION):
            ann.return_units(owner="consumer:c-2", units=code)
        assert ann.return_units(owner="consumer:c-1", units=code).receipt.position


def test_a_party_registers_only_its_line(story: Story) -> None:
    """In bulk a party may authorize others, and register nothing."""
    with grpc.insecure_channel(story.target) as channel:
        stub = parties_pb2_grpc.PartyServiceStub(channel)
        request = parties_pb2.RegisterPartyRequest(
            book=BOOK, request_id="r", party="x", kind=PARTY_KIND_AGENT
        )
        with pytest.raises(grpc.RpcError) as error:
            stub.RegisterParty(request, metadata=(("authorization", f"Bearer {story.tokens['party']}"),))
        assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_public_holds_no_stream_that_it_does_not_use(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of requests is refused before the first one if its caller may ask nothing, and ends without one."""
    monkeypatch.setattr(interceptor, "FIRST_REQUEST_TIMEOUT_S", 0.2)
    never = threading.Event()

    def nothing() -> Iterator[Never]:
        never.wait()
        yield from ()

    with grpc.insecure_channel(story.target) as channel:
        for method, code in (
            (
                transfers_pb2_grpc.TransferServiceStub(channel).RecordTransfers,
                grpc.StatusCode.UNAUTHENTICATED,
            ),
            (
                statements_pb2_grpc.StatementServiceStub(channel).FileStatements,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ),
        ):
            with pytest.raises(grpc.RpcError) as error:
                next(method(nothing(), timeout=20))
            assert error.value.code() is code
    never.set()
