"""A path is checked: it holds, it contradicts itself, or it breaks a limit of the caller."""

import datetime
import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.cli.story import CLOUD, NEW, OLD, SOLD
from pathbook.client import Client
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.values import Price
from pathbook.v1 import values_pb2
from pathbook.v1.batches_pb2 import Recall
from pathbook.v1.paths_pb2 import GetPathResponse, PathStepKind
from pathbook.v1.values_pb2 import Note
from pathbook.verify import checks
from pathbook.verify.checks import check_path, read_code
from pathbook.verify.replay import replay
from pathbook.verify.verdicts import Number, Policy, Report, Result, Verdict
from tests.cli.conftest import TODAY

Tampering = Callable[[GetPathResponse], object]

DAY = datetime.date.fromisoformat(TODAY)


@pytest.fixture(scope="session")
def client(server: str) -> Client:
    """A client of the demo's book."""
    return Client(server, book="book")


@pytest.fixture(scope="session")
def sold(client: Client) -> GetPathResponse:
    """The path of the box that was sold."""
    return client.get_path(code_of(client, SOLD), corrections=True)


def code_of(client: Client, number: int, batch: int = NEW) -> str:
    """Return the code of a box."""
    return next(client.list_codes(batch, number, number)).serials[0]


def check(path: GetPathResponse, policy: Policy | None = None, today: datetime.date = DAY) -> Report:
    """Check a path as if its own code had been scanned."""
    code = read_code(path.serial)
    assert isinstance(code, PrintedCode)
    return check_path(path, code, today, policy or Policy())


def result(report: Report, number: Number) -> Result:
    """Return the result of one check."""
    (found,) = (each.result for each in report.checks if each.number is number)
    return found


def changed(path: GetPathResponse, tampering: Tampering) -> GetPathResponse:
    """Return a copy of a path that was tampered with."""
    copy = GetPathResponse()
    copy.CopyFrom(path)
    tampering(copy)
    return copy


def test_an_honest_path_is_verified(sold: GetPathResponse) -> None:
    """Every check of a box that was sold and confirmed is ok, except that it was, and those not possible yet."""
    report = check(sold)
    assert report.verdict is Verdict.VERIFIED
    assert [each.number for each in report.checks] == list(range(1, 14))
    assert {number: result(report, number) for number in Number} == {
        Number.CODE: Result.OK,
        Number.ISSUED: Result.OK,
        Number.COMMISSIONED: Result.OK,
        Number.PATH: Result.OK,
        Number.AUTHORIZED: Result.OK,
        Number.RECALL: Result.OK,
        Number.EXPIRY: Result.OK,
        Number.PRICE: Result.OK,
        Number.SELLER: Result.NOTED,
        Number.SIGNATURES: Result.NOT_YET_SEALED,
        Number.PROOFS: Result.NOT_YET_SEALED,
        Number.POLICY: Result.NOT_CHECKED,
        Number.OBJECT: Result.NOT_CHECKED,
    }


@pytest.mark.parametrize("label", ["(01)04006381333931(10)M26-A(21){}", "(01)06901234500011(10)ZZZ(21){}"])
def test_a_label_is_compared_with_the_event_of_the_batch(sold: GetPathResponse, label: str) -> None:
    """A label of another product or lot contradicts the serial, whatever the server answers."""
    code = read_code(label.format(sold.serial))
    assert isinstance(code, PrintedCode)
    report = check_path(sold, code, DAY, Policy())
    assert report.verdict is Verdict.CODE_CONTRADICTED
    assert result(report, Number.COMMISSIONED) is Result.FAILED


def test_a_hop_without_an_authority_is_a_hop_between_parties(sold: GetPathResponse) -> None:
    """Only hops to consumers are left out when hops are counted, whatever is known of authorizations."""
    hops = [
        (position, msgspec.structs.replace(terms, authorities=()))
        for position, terms in checks.hops_in_force(replay(sold))
    ]
    (found, _) = checks._within_limits(DAY, hops, DAY, Policy(max_tiers=4))
    assert found is Result.FAILED
    (found, _) = checks._within_limits(DAY, hops, DAY, Policy(max_tiers=5))
    assert found is Result.OK


@given(st.data())
def test_no_bit_of_an_event_can_be_changed(sold: GetPathResponse, data: st.DataObject) -> None:
    """A path contradicts itself if any bit of any event is changed. It cannot be checked if that makes it newer."""
    step = data.draw(st.integers(0, len(sold.steps) - 1))
    place = data.draw(st.integers(0, len(sold.steps[step].event) - 1))
    bit = data.draw(st.integers(0, 7))

    def flip(path: GetPathResponse) -> None:
        event = bytearray(path.steps[step].event)
        event[place] ^= 1 << bit
        path.steps[step].event = bytes(event)

    report = check(changed(sold, flip))
    try:
        decode(1, changed(sold, flip).steps[step].event, strict=True)
    except NewerEventError:
        assert report.verdict is Verdict.COULD_NOT_CHECK
        assert result(report, Number.PATH) is Result.NOT_CHECKED
        return
    except MalformedEventError:
        pass
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert result(report, Number.PATH) is Result.FAILED


@given(st.data())
def test_no_step_can_be_left_out_or_moved(sold: GetPathResponse, data: st.DataObject) -> None:
    """A path contradicts itself if steps are left out or moved."""
    order = data.draw(st.permutations(range(len(sold.steps))))
    kept = order[: data.draw(st.integers(0, len(order)))]
    if kept == list(range(len(sold.steps))):
        return

    def rearrange(path: GetPathResponse) -> None:
        steps = [sold.steps[number] for number in kept]
        del path.steps[:]
        path.steps.extend(steps)

    assert check(changed(sold, rearrange)).verdict is Verdict.PATH_CONTRADICTED


@pytest.mark.parametrize(
    ("tampering", "number"),
    [
        pytest.param(
            lambda path: setattr(path.steps[2].terms.unit_price, "amount_minor", 1), Number.PATH, id="price"
        ),
        pytest.param(lambda path: setattr(path.steps[2], "giver", "stranger"), Number.PATH, id="giver"),
        pytest.param(lambda path: setattr(path.steps[2], "receiver", "stranger"), Number.PATH, id="receiver"),
        pytest.param(
            lambda path: setattr(path.steps[2].terms.authorities[0], "receiver_tier", 9),
            Number.PATH,
            id="tier",
        ),
        pytest.param(
            lambda path: setattr(path.steps[2].terms.authorities[0], "giver_authorization", 5),
            Number.PATH,
            id="authorization",
        ),
        pytest.param(lambda path: setattr(path.steps[2].terms, "delivery", 2), Number.PATH, id="delivery"),
        pytest.param(lambda path: setattr(path.steps[2], "corrected", True), Number.PATH, id="hidden hop"),
        pytest.param(lambda path: setattr(path.steps[1], "corrected", True), Number.PATH, id="hidden offer"),
        pytest.param(lambda path: setattr(path.steps[2], "kind", 8), Number.PATH, id="kind"),
        pytest.param(lambda path: setattr(path.steps[2], "state", 5), Number.PATH, id="state"),
        pytest.param(lambda path: path.steps[2].occurred_at.FromSeconds(1), Number.PATH, id="time"),
        pytest.param(lambda path: setattr(path.steps[2], "head", b"x" * 32), Number.PATH, id="head"),
        pytest.param(lambda path: setattr(path.steps[2], "position", 999), Number.PATH, id="position"),
        pytest.param(
            lambda path: setattr(path.steps[-1].price_paid, "amount_minor", 1), Number.PATH, id="price paid"
        ),
        pytest.param(lambda path: setattr(path.run, "owner", "stranger"), Number.PATH, id="owner"),
        pytest.param(lambda path: setattr(path.run, "custodian", "stranger"), Number.PATH, id="custodian"),
        pytest.param(lambda path: setattr(path.run, "state", 1), Number.PATH, id="state of the run"),
        pytest.param(lambda path: setattr(path.run, "head", b"x" * 32), Number.PATH, id="head of the run"),
        pytest.param(
            lambda path: setattr(path.batch, "expires_on", "2099-01-01"), Number.COMMISSIONED, id="expiry"
        ),
        pytest.param(lambda path: setattr(path.steps[2], "attestation", 1), Number.PATH, id="attestation"),
        pytest.param(
            lambda path: path.steps[2].terms.ClearField("authorities"),
            Number.PATH,
            id="terms without authority",
        ),
        pytest.param(
            lambda path: path.batch_correction.SetInParent(), Number.COMMISSIONED, id="empty correction"
        ),
        pytest.param(
            lambda path: path.steps[2].terms.ClearField("delivery"), Number.PATH, id="terms without delivery"
        ),
        pytest.param(lambda path: path.steps[0].terms.SetInParent(), Number.PATH, id="empty terms"),
        pytest.param(
            lambda path: setattr(path.batch, "made_on", "long ago"), Number.COMMISSIONED, id="no date"
        ),
        pytest.param(
            lambda path: setattr(path.batch, "position", 1), Number.COMMISSIONED, id="position of the batch"
        ),
        pytest.param(lambda path: setattr(path.batch, "lot", "other"), Number.COMMISSIONED, id="lot"),
        pytest.param(
            lambda path: setattr(path.batch, "code_key", "00" * 8), Number.COMMISSIONED, id="key of its codes"
        ),
        pytest.param(
            lambda path: setattr(path.batch.suggested_price, "amount_minor", 1),
            Number.COMMISSIONED,
            id="suggested price",
        ),
        pytest.param(lambda path: setattr(path.unit, "number", 1), Number.PATH, id="another unit"),
    ],
)
def test_the_claims_of_the_server_are_compared_with_the_events(
    sold: GetPathResponse, tampering: Tampering, number: Number
) -> None:
    """A claim of the server that its own events contradict fails a check."""
    report = check(changed(sold, tampering))
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert Result.FAILED in {result(report, number), result(report, Number.ISSUED)}


def test_an_answer_about_another_unit_is_no_answer(client: Client, sold: GetPathResponse) -> None:
    """An honest path of a unit that the code does not name fails a check, and so does one that names no code."""
    by_number = client.get_path((NEW, SOLD), corrections=True)
    for path, number in ((sold, SOLD + 1), (by_number, SOLD)):
        code = read_code(code_of(client, number))
        assert isinstance(code, PrintedCode)
        report = check_path(path, code, DAY, Policy())
        assert report.verdict is Verdict.PATH_CONTRADICTED
        assert result(report, Number.ISSUED) is Result.FAILED


@pytest.mark.parametrize(
    ("policy", "number", "found"),
    [
        (Policy(max_price=Price(30_000, "CNY")), Number.POLICY, Result.OK),
        (Policy(max_price=Price(29_999, "CNY")), Number.POLICY, Result.FAILED),
        (Policy(max_price=Price(99_999, "USD")), Number.POLICY, Result.FAILED),
        (Policy(max_tiers=5), Number.POLICY, Result.OK),
        (Policy(max_tiers=4), Number.POLICY, Result.FAILED),
        (Policy(max_age=160), Number.POLICY, Result.OK),
        (Policy(max_age=159), Number.POLICY, Result.FAILED),
        (Policy(require_authorized=True), Number.AUTHORIZED, Result.OK),
    ],
)
def test_a_limit_of_the_caller_decides(
    sold: GetPathResponse, policy: Policy, number: Number, found: Result
) -> None:
    """A path that holds is against policy if it breaks one of the caller's limits."""
    report = check(sold, policy)
    assert result(report, number) is found
    assert report.verdict is (Verdict.VERIFIED if found is Result.OK else Verdict.AGAINST_POLICY)


def test_a_price_beyond_the_limit_is_named_where_title_moved(sold: GetPathResponse) -> None:
    """A hop that was offered and accepted is named by its acceptance, as the table of the path has it."""
    report = check(sold, Policy(max_price=Price(14_999, "CNY")))
    (found,) = (each.detail for each in report.checks if each.number is Number.POLICY)
    kinds = (PathStepKind.PATH_STEP_KIND_TRANSFERRED, PathStepKind.PATH_STEP_KIND_SOLD)
    hops = [step.position for step in sold.steps if step.kind in kinds]
    assert [int(each) for each in re.findall(r"position (\d+)", found)] == hops


def test_an_expired_unit_is_against_policy_unless_allowed(client: Client) -> None:
    """A unit fails the seventh check on the day after it expires, unless that is allowed."""
    path = client.get_path(code_of(client, 0, OLD), corrections=True)
    last = datetime.date.fromisoformat(path.batch.expires_on)
    after = last + datetime.timedelta(1)
    assert check(path, today=last).verdict is Verdict.VERIFIED
    assert result(check(path, today=after), Number.EXPIRY) is Result.FAILED
    assert check(path, today=after).verdict is Verdict.AGAINST_POLICY
    assert check(path, Policy(allow_expired=True), after).verdict is Verdict.VERIFIED


def test_a_recall_in_force_is_against_policy_unless_allowed(sold: GetPathResponse) -> None:
    """A recall of this unit fails the sixth check until it is lifted. A recall of other units does not."""

    def recalled(first: int, lifted: int) -> GetPathResponse:
        units = values_pb2.UnitRange(batch=NEW, first=first, last=first)
        position, note = sold.as_of_position - 1, Note(text="the seal leaks")
        recall = Recall(position=position, ranges=[units], lifted_position=lifted, note=note)
        return changed(sold, lambda path: path.batch.recalls.append(recall))

    assert check(recalled(SOLD, 0)).verdict is Verdict.AGAINST_POLICY
    assert check(recalled(SOLD, 0), Policy(allow_recalled=True)).verdict is Verdict.VERIFIED
    assert check(recalled(SOLD, sold.as_of_position)).verdict is Verdict.VERIFIED
    assert check(recalled(SOLD, sold.as_of_position + 1)).verdict is Verdict.AGAINST_POLICY
    assert check(recalled(SOLD + 1, 0)).verdict is Verdict.VERIFIED


def test_cloud_stock_is_verified_as_what_it_is(client: Client) -> None:
    """A box that was only sold on paper has a path that holds, and a custodian who is not its owner."""
    path = client.get_path(code_of(client, CLOUD), corrections=True)
    assert check(path).verdict is Verdict.VERIFIED
    assert (path.run.owner, path.run.custodian) == ("agent-5", "mask-brand")
