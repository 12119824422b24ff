"""OpenTelemetry (extra ``otel``): a span per invocation, and within it spans of its stages and
requests. Spans contain no payload, only names, IDs, effects and codes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jackfield.connector.hooks import hookimpl
from jackfield.invocation import Invocation, Meta
from jackfield.kernel.errors import JackfieldError, UnknownAction
from jackfield.kernel.tracing_variables import exports_spans, remarks
from jackfield.wire.outbound import VARIABLE, outbound
from jackfield.wire.urls import target_of

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_LAST_WITHIN = 3.0
"""Timeout in seconds for exporting the last spans of a process."""
_CURRENT: ContextVar[_Spans | None] = ContextVar("jackfield_spans", default=None)


def configured(environment: Mapping[str, str]) -> Sequence[Tracing]:
    """Return the tracing plugin if OpenTelemetry's variables request spans and nothing prevents it;
    else an empty sequence.
    """
    if not exports_spans(environment):
        return ()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider as Provider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {"service.name": "jackfield", **OTELResourceDetector().detect().attributes}
    )
    # a signal ends the process before exit handlers run
    provider = Provider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=_session(environment))))
    return (Tracing(provider),)


def _session(environment: Mapping[str, str]) -> requests.Session | None:
    """Return the HTTP session of an exporter that uses the operator's outbound proxy; None without
    a setting, so that the exporter uses the environment's proxy.
    """
    if not environment.get(VARIABLE):
        return None
    from requests import Session
    from requests.adapters import HTTPAdapter

    route = outbound(environment)

    class Routed(HTTPAdapter):
        def send(
            self, request: requests.PreparedRequest, *given: Any, **named: Any
        ) -> requests.Response:
            target, *_ = target_of(request.url or "")
            found = route.named(target)
            # that of OpenTelemetry, before which requests takes its own variables
            if isinstance(made.verify, str):
                named["verify"] = made.verify
            return super().send(
                request,
                *given,
                **{**named, "proxies": {} if found is None else {target.scheme: found[1]}},
            )

    made = Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, Routed())
    return made


def remarked(environment: Mapping[str, str]) -> Sequence[ShownRemarks]:
    """Return the plugin that reports remarks on OpenTelemetry's variables; an empty sequence if
    there are none.
    """
    texts = remarks(environment)
    return (ShownRemarks(texts),) if texts else ()


class ShownRemarks:
    """Plugin that reports texts to operators, in ``/readyz`` of servers and workers."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)

    @hookimpl
    def warn(self) -> Sequence[str]:
        """Return the texts."""
        return self._texts


class Tracing:
    """Tracing plugin: ``Jackfield(plugins=[Tracing()])``. An invocation's ``traceparent`` (W3C
    Trace Context), if any, is the parent of its span, else the current span of the host. The span
    of an invocation is current while it runs: spans of other instrumentations, such as of libraries
    that a connector uses, are its children.

    Without a ``provider``, which only a server sets, spans go to the provider that the host, or
    OpenTelemetry's auto-instrumentation, has set. A call is then one span with its requests as
    events, unless ``stages`` requests spans for them.
    """

    def __init__(
        self, provider: TracerProvider | None = None, *, stages: bool | None = None
    ) -> None:
        from opentelemetry import trace

        self._provider, self._api = provider, trace
        self._tracer = (
            trace.get_tracer("jackfield") if provider is None else provider.get_tracer("jackfield")
        )
        self._stages = provider is not None if stages is None else stages

    def close(self) -> None:
        """Export the remaining spans, within a time limit in case the collector is down. The host
        must close its own provider.
        """
        if self._provider is None:
            return
        closing = threading.Thread(
            target=self._provider.shutdown, name="jackfield-spans", daemon=True
        )
        closing.start()
        closing.join(_LAST_WITHIN)

    @hookimpl
    def around(self, invocation: Invocation, workspace: str, meta: Meta) -> Any:
        """Wrap one invocation in a span."""
        return _InSpan(self._api, self._tracer, invocation, workspace, meta, stages=self._stages)

    @hookimpl
    def stage(self, name: str) -> None:
        """End the span of the previous stage and start the next stage's."""
        spans = _CURRENT.get()
        if spans is not None:
            spans.begin(name)

    @hookimpl
    def request(
        self, method: str, server: str, started: float, ended: float, status: int | None
    ) -> None:
        """Record a request to the provider as a span within the stage."""
        spans = _CURRENT.get()
        if spans is not None:
            spans.sent(method, server, (started, ended), status)


class _InSpan:
    def __init__(
        self,
        api: Any,
        tracer: Tracer,
        invocation: Invocation,
        workspace: str,
        meta: Meta,
        *,
        stages: bool,
    ) -> None:
        self._api, self._tracer, self._stages = api, tracer, stages
        self._parent = invocation.context.get("traceparent")
        self._meta = meta
        self._attributes = {
            "jackfield.invocation.id": meta.invocation_id,
            "jackfield.workspace": workspace,
            "jackfield.connector": invocation.connector[:200],
            "jackfield.action": invocation.action[:200],
        }

    def __enter__(self) -> None:
        self._span = self._tracer.start_span(
            "jackfield.invoke", _parent(self._parent), attributes=self._attributes
        )
        self._spans = _Spans(self._api, self._tracer, self._span, stages=self._stages)
        self._current = self._api.use_span(
            self._span, record_exception=False, set_status_on_exception=False
        )
        self._current.__enter__()
        self._token = _CURRENT.set(self._spans)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._span.set_attributes(_unknown(error, self._meta))
        self._spans.end(error)
        _CURRENT.reset(self._token)
        self._current.__exit__(None, None, None)
        self._span.set_attribute("jackfield.attempts", self._meta.attempts)
        self._span.end()


def _unknown(error: BaseException, meta: Meta) -> dict[str, str]:
    """Return masked attributes for unknown names, which may contain anything, even a secret in the
    wrong field.
    """
    connector = {"jackfield.connector": "unknown"} if meta.connector_version is None else {}
    return (
        {**connector, "jackfield.action": "unknown"}
        if connector or isinstance(error, UnknownAction)
        else {}
    )


class _Spans:
    def __init__(self, api: Any, tracer: Tracer, whole: Span, *, stages: bool) -> None:
        self._api, self._stages = api, stages
        self._tracer = tracer
        self._whole = whole
        self._stage: Span | None = None

    def begin(self, name: str) -> None:
        """End the current stage's span and start another."""
        if not self._stages:
            return
        if self._stage is not None:
            self._stage.end()
        self._stage = self._tracer.start_span(
            f"jackfield.{name}", self._api.set_span_in_context(self._whole)
        )

    def sent(
        self, method: str, server: str, times: tuple[float, float], status: int | None
    ) -> None:
        """Add the span of a request; neither its path nor its content is recorded."""
        begun, ended = (int(seconds * 1e9) for seconds in times)
        about: dict[str, str | int] = {
            "http.request.method": method[:20],
            "server.address": server[:255],
        }
        if status is not None:
            about["http.response.status_code"] = status
        if status is None or status >= 400:
            about["error.type"] = str(status) if status is not None else "no_response"
        if not self._stages:
            self._whole.add_event("jackfield.request", about, timestamp=ended)
            return
        within = self._api.set_span_in_context(self._stage or self._whole)
        span = self._tracer.start_span(
            "jackfield.request", within, self._api.SpanKind.CLIENT, about, start_time=begun
        )
        if "error.type" in about:
            span.set_status(self._api.Status(self._api.StatusCode.ERROR))
        span.end(ended)

    def end(self, error: BaseException | None) -> None:
        """End the open spans; record the error's code, never its message."""
        for span in (self._stage, self._whole):
            if span is not None and error is not None:
                code = error.code if isinstance(error, JackfieldError) else type(error).__name__
                span.set_attribute("error.type", code)
                span.set_status(self._api.Status(self._api.StatusCode.ERROR))
        if self._stage is not None:
            self._stage.end()


def _parent(traceparent: object) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return (
        TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        if isinstance(traceparent, str)
        else None
    )
