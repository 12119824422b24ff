"""A collector of traces: it takes OTLP over HTTP on loopback, decodes it, and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from jackfield_market.testing.loopback_provider import CLOSE, Answer, Provider, Request, Step


class Collector:
    """A context manager. ``hanging`` takes what is sent, and does not answer before it is left."""

    def __init__(self, *, hanging: bool = False) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self.services: set[str] = set()
        self._leaving = threading.Event()
        self.asked = threading.Event()
        self._provider = Provider(self._answer)
        self._hangs = hanging
        self.url = self._provider.url

    def __enter__(self) -> Self:
        self._provider.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._provider.__exit__(kind, error, trace)

    def _answer(self, _number: int, request: Request) -> Step:
        self._take(
            gzip.decompress(request.body)
            if request.header("Content-Encoding") == "gzip"
            else request.body
        )
        self.asked.set()
        if self._hangs:
            self._leaving.wait(120)
            return CLOSE  # whoever sent it has gone by now
        kind = {"Content-Type": "application/x-protobuf"}
        return Answer(
            status=200 if request.path == "/v1/traces" else 404,
            headers=kind,
            content=ExportTraceServiceResponse().SerializeToString(),
        )

    def _take(self, body: bytes) -> None:
        self.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                item.value.string_value
                for item in group.resource.attributes
                if item.key == "service.name"
            }
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
