"""Spans of calls by OpenTelemetry: with the extra `otel`, and if the environment names a collector.

The instrumentation of grpc that OpenTelemetry has is a beta, and does not know methods that take and yield streams. So
the spans are made here, by the stable interface.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pathbook.services.call_ids import TRACE_KEY
from pathbook.services.spans import Ended, Metadata, Spans

COLLECTOR_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Each names a collector to the exporter."""

OF_SERVER: Final = {2, 4, 12, 13, 14, 15}
"""The status codes that the conventions of OpenTelemetry count as errors of a server."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class OpenTelemetrySpans(Spans):
    """Makes a span of each call, below that of its caller (W3C Trace Context), with the attributes of RPC systems."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("pathbook")
        self._propagator = TraceContextTextMapPropagator()

    @contextlib.contextmanager
    def call(self, method: str, metadata: Metadata, call_id: str) -> Iterator[Ended]:
        """Surround a call with a span."""
        given = {key: value for key, value in metadata if key in (TRACE_KEY, "tracestate")}
        service, _, name = method.removeprefix("/").partition("/")
        with self._tracer.start_as_current_span(
            f"{service}/{name}",
            context=self._propagator.extract({k: v for k, v in given.items() if isinstance(v, str)}),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": name,
                "pathbook.call": call_id,
            },
            record_exception=False,  # its text may be of a request
            set_status_on_exception=False,
        ) as span:

            def ended(code: int) -> None:
                span.set_attribute("rpc.grpc.status_code", code)
                if code in OF_SERVER:
                    span.set_status(StatusCode.ERROR)

            yield ended


def spans_to_collector() -> Spans:
    """Return spans that are sent to the collector that the environment names, over HTTP; none if it names none."""
    if not any(os.environ.get(name) for name in COLLECTOR_VARIABLES):
        return Spans()
    provider = TracerProvider(
        resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "pathbook")})
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _LOG.info("calls are traced")
    return OpenTelemetrySpans(provider)
