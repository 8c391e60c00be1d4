"""Every method is called in every role, about the caller's own things, another's, and what is not there."""

import dataclasses
import re
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from pathbook.ledger.codec.commands import StatedRequest, command_of
from pathbook.services.access.acting import ACTING_FIELDS, actor_of
from pathbook.services.access.callers import Role
from pathbook.services.access.table import EVERY_BOOK, ROWS, Grant
from pathbook.services.run.server import CONTRACT
from pathbook.v1 import events_pb2
from tests.access.asked import requests
from tests.access.story import MISSING, SECRETS, Story, told

METHODS: Final = {
    f"{service.name}.{method.name}": method for service in CONTRACT for method in service.methods
}

OF_ACCESS: Final = {
    "CALLER_UNKNOWN", "CODE_NEEDED", "NOT_ITSELF", "ROLE_NOT_ALLOWED", "TOKEN_EXPIRED", "TOKEN_REVOKED",
    "TOKEN_UNKNOWN",
}  # fmt: skip
"""The reasons for which a call fails before anything is looked up."""

ACTORS: Final = {"public": "ann", "party": "ann", "brand": "acme", "auditor": "ann", "operator": "ann"}
"""In whose name each role asks for its own."""

SUBSCRIBED_S: Final = 0.3
"""How long a stream that does not end is listened to."""


class Outcome(NamedTuple):
    """What a call gave: the name of its status, its reason, and all its text."""

    code: str
    reason: str
    text: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The server of all these tests. No test depends on what another one wrote."""
    with told(tmp_path_factory.mktemp("access")) as story:
        yield story


@pytest.fixture(scope="module")
def channel(story: Story) -> Iterator[grpc.Channel]:
    """A channel to it."""
    with grpc.insecure_channel(story.target) as channel:
        yield channel


def outcome(channel: grpc.Channel, method: str, request: Message, token: str) -> Outcome:
    """Call a method, and return what it gave. Of a stream, that is the first response."""
    described = METHODS[method]
    service, _, name = method.partition(".")
    path = f"/pathbook.v1.{service}/{name}"
    metadata = [("authorization", f"Bearer {token}")] if token else []
    sends, gets = (
        "stream" if streams else "unary"
        for streams in (described.client_streaming, described.server_streaming)
    )
    call = getattr(channel, f"{sends}_{gets}")(path, type(request).SerializeToString, bytes)
    sent = iter([request]) if described.client_streaming else request
    try:
        answer = call(sent, metadata=metadata, timeout=SUBSCRIBED_S if name.startswith("Subscribe") else 20)
        if name in ("Read", "Subscribe"):
            answer = map(_without_leaves, answer)
        data = b"".join(answer) if described.server_streaming else answer
    except grpc.RpcError as error:
        return _failed(error)
    return Outcome("OK", "", data.decode("utf-8", "replace"))


def _without_leaves(response: bytes) -> bytes:
    """Return a batch of events without the leaf hashes of others, in which any letters may stand by chance."""
    batch = events_pb2.ReadResponse.FromString(response)
    batch.ClearField("other_leaves")
    return batch.SerializeToString()


def _failed(error: grpc.RpcError) -> Outcome:
    trailer = {item.key: item.value for item in error.trailing_metadata() or ()}
    details = trailer.get("grpc-status-details-bin", b"")
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(details)
    if status.details:
        status.details[0].Unpack(info)
    text = " ".join([error.details() or "", *info.metadata.keys(), *info.metadata.values()])
    return Outcome(error.code().name, info.reason, text)


def told_apart(of_another: Outcome, of_missing: Outcome, another: Message, missing: Message) -> bool:
    """Return whether two outcomes differ in more than what their requests named."""
    return _without(of_another, another) != _without(of_missing, missing)


def _without(found: Outcome, request: Message) -> Outcome:
    shortest = 3 if found.code == "OK" else 1  # an answer is bytes, in which a digit may be anything
    named = {value for value in map(str, _values(request)) if len(value) >= shortest}
    text = found.text
    for value in sorted(named, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "*", text)
    return found._replace(text=text)


def _is_about(asked: Message, missed: Message) -> bool:
    """Return whether two requests are about different things, and not only new ones."""
    texts = [re.sub(r"(?i)new-\d+(-\d+)?", "", str(request)) for request in (asked, missed)]
    return texts[0] != texts[1]


def _values(message: Message) -> Iterator[object]:
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message):
                yield from _values(each)
            elif not isinstance(each, bytes):
                yield each


def test_every_method_in_every_role(
    story: Story, channel: grpc.Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    """No role gets what the table does not grant, and nothing tells another's thing from a thing that is not there."""
    calls = 0
    leaks: list[tuple[object, ...]] = []
    for role in Role:
        token, actor = story.tokens.get(role.value, ""), ACTORS[role.value]
        of_own, of_others, of_missing = (
            requests(actor, things) for things in (story.own, story.others, MISSING)
        )
        assert of_own.keys() == METHODS.keys()
        for method in METHODS:
            if method == "BookService.OpenBook" or method in EVERY_BOOK:
                continue  # for tokens of every book, below
            grant = ROWS[method].grant(role)
            found = [
                [outcome(channel, method, request, token) for request in of[method]]
                for of in (of_own, of_others, of_missing)
            ]
            calls += sum(map(len, found))
            if grant is Grant.NO:
                wanted = "CALLER_UNKNOWN" if role is Role.PUBLIC else "ROLE_NOT_ALLOWED"
                leaks += [(method, role, each) for some in found for each in some if each.reason != wanted]
                continue
            if grant in (Grant.ALL, Grant.OWN, Grant.PRODUCTS) and found[0][0].reason in OF_ACCESS:
                leaks.append((method, role, "refused of its own", found[0][0]))
            if role in (Role.AUDITOR, Role.OPERATOR):
                continue
            for one, other, asked, missed in zip(
                found[1], found[2], of_others[method], of_missing[method], strict=True
            ):
                if _is_about(asked, missed) and told_apart(one, other, asked, missed):
                    leaks.append((method, role, one, other))
            for each, asked in zip(
                [*found[0], *found[1]], [*of_own[method], *of_others[method]], strict=True
            ):
                text = _without(each, asked).text.lower()
                leaks += [(method, role, secret, each) for secret in SECRETS if secret in text]
    with capsys.disabled():
        sys.stdout.write(f"\n{len(METHODS)} methods x {len(Role)} roles, {calls} calls, {len(leaks)} leaks\n")
    assert not leaks, "\n".join(map(str, leaks))


def test_a_party_acts_only_as_itself(story: Story, channel: grpc.Channel) -> None:
    """In the name of another party nothing is written, and the answer does not depend on that party."""
    for role in ("party", "brand"):
        for name in ("bob", "zed", "ghost"):
            asked = requests(name, dataclasses.replace(story.own, party=name))
            for method, row in ROWS.items():
                if (
                    not row.acts
                    or row.grant(Role(role)) is not Grant.OWN
                    or method == "PartyService.RegisterParty"
                ):
                    continue
                for request in asked[method]:
                    found = outcome(channel, method, request, story.tokens[role])
                    assert (found.code, found.reason) == ("PERMISSION_DENIED", "NOT_ITSELF"), (method, found)


def test_a_token_counts_in_its_book_only(story: Story, channel: grpc.Channel) -> None:
    """The operator of another book is the public here, and the first operator is operator of both."""
    for method, asked in requests("ann", story.own).items():
        if ROWS[method].grant(Role.PUBLIC) is Grant.NO and "book" in asked[0].DESCRIPTOR.fields_by_name:
            if method == "BookService.OpenBook":
                continue
            assert outcome(channel, method, asked[0], story.tokens["other"]).reason == "CALLER_UNKNOWN", (
                method
            )
    listed = requests("ann", story.own)["BookService.ListBooks"][0]
    assert (
        outcome(channel, "BookService.ListBooks", listed, story.tokens["other"]).reason == "ROLE_NOT_ALLOWED"
    )
    assert outcome(channel, "BookService.ListBooks", listed, story.tokens["first"]).code == "OK"
    opened = requests("ann", story.own)["BookService.OpenBook"][0]
    assert (
        outcome(channel, "BookService.OpenBook", opened, story.tokens["operator"]).reason == "CALLER_UNKNOWN"
    )
    assert outcome(channel, "BookService.OpenBook", opened, story.tokens["first"]).code == "OK"


def test_the_party_that_acts_is_the_one_that_the_rules_ask() -> None:
    """For each request that a statement can hold, access and the codec name the same party."""
    compared = 0
    for asked in requests("ann", MISSING).values():
        for request in asked:
            if request.DESCRIPTOR.name in ACTING_FIELDS and "request_id" in request.DESCRIPTOR.fields_by_name:
                if request.DESCRIPTOR.name == "GetEventByRequestRequest":
                    continue
                command = command_of(cast("StatedRequest", request), note="", note_salt=b"", code_key=b"")
                assert command.actor == actor_of(request) == "ann", request.DESCRIPTOR.name
                compared += 1
    assert compared >= 20
