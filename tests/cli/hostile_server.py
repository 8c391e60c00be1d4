"""A server that answers every call with text that could control a terminal, or refuses every call with such text."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Final, NamedTuple, cast

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from pathbook.v1 import (  # noqa: F401 - each import makes its services known to the pool of descriptors
    batches_pb2,
    books_pb2,
    corrections_pb2,
    events_pb2,
    parties_pb2,
    paths_pb2,
    transfers_pb2,
)

HOSTILE: Final = (
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m \x9b31m \x7f \r\n\tnew line \u202egnp.exe\u2066 \u200e\u200b\ufeff \u2028\u2029"
    " \ue000 \U000e0041 \u3164 面膜 العربية e\u0301 😀"
)
"""Controls, marks of direction, text without width, line breaks, undefined characters, and names that are fine."""

ENDLESS: Final = ("next_page_token", "head_position")
"""Fields that would make a client ask for ever."""

DEEPEST: Final = 6
"""How deep messages are filled. Some hold messages of their own kind."""

READABLE: Final = ("面膜", "العربية", "e\u0301", "😀")
"""The names in it that stay as they are."""


class Content(NamedTuple):
    """What the fields of an answer are set to. An event is made of the same, unless it is given."""

    text: str = HOSTILE
    number: int = 1
    event: bytes | None = None


@contextlib.contextmanager
def serving(
    *, refuses: bool, text: str = HOSTILE, number: int = 1, event: bytes | None = None
) -> Iterator[str]:
    """Serve on a free port, and yield HOST:PORT. Only times take a number beyond 32 bits."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handler = _Handler(Content(text, number, event), refuses=refuses)
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def fill(message: Message, content: Content, depth: int = 0) -> None:
    """Set every field of a message: text to the text, numbers to 1, lists to one element, and the first of a choice."""
    for field in message.DESCRIPTOR.fields:
        choice = field.containing_oneof
        if field.name in ENDLESS or (choice is not None and choice.fields[0].name != field.name):
            continue
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            value = _scalar(cast("FieldDescriptor", field), content)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            _fill_map(message, cast("FieldDescriptor", field), content, depth)
        elif depth < DEEPEST:
            inner = getattr(message, field.name)
            fill(inner.add() if field.is_repeated else inner, content, depth + 1)


def _fill_map(message: Message, field: FieldDescriptor, content: Content, depth: int) -> None:
    """Set a map to one value, whose key is the text. Keys of the contract's maps are texts."""
    assert field.message_type is not None, field
    value, entries = field.message_type.fields_by_name["value"], getattr(message, field.name)
    if value.message_type is not None:
        fill(entries[content.text], content, depth + 1)
    else:
        entries[content.text] = _scalar(value, content)


def _scalar(field: FieldDescriptor, content: Content) -> object:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _event(content) if field.name.startswith("event") else b"\x01" * 8
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return content.text
        case FieldDescriptor.CPPTYPE_BOOL:
            return False
        case _:
            return content.number if field.full_name == "google.protobuf.Timestamp.seconds" else 1


def _event(content: Content) -> bytes:
    if content.event is not None:
        return content.event
    event = events_pb2.Event()
    fill(event.party_registered, content)
    fill(event.recorded_at, content)
    return event.SerializeToString()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, content: Content, *, refuses: bool) -> None:
        self._content = content
        self._refuses = refuses

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Message, Message] | None":
        """Return a handler for any method of the contract."""
        _, service, name = details.method.split("/")
        pool = descriptor_pool.Default()
        method = pool.FindServiceByName(service).FindMethodByName(name)
        handlers: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler[Message, Message]]] = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }
        streams = bool(method.server_streaming)
        return handlers[bool(method.client_streaming), streams](
            self._stream(method) if streams else self._answer(method),
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _answer(self, method: MethodDescriptor) -> Callable[[object, grpc.ServicerContext], Message]:
        def answer(_request: object, context: grpc.ServicerContext) -> Message:
            if self._refuses:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, self._content.text)
            message = message_factory.GetMessageClass(method.output_type)()
            fill(message, self._content)
            return message

        return answer

    def _stream(
        self, method: MethodDescriptor
    ) -> Callable[[object, grpc.ServicerContext], Iterator[Message]]:
        def answers(request: object, context: grpc.ServicerContext) -> Iterator[Message]:
            yield self._answer(method)(request, context)

        return answers
