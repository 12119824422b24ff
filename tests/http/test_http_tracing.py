"""Spans of invocations, and the log of requests."""

from __future__ import annotations

import json
import logging
import signal
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector import Collector
from http_stand import SETTINGS, process, say, standing
from jackfield.cli.logs import JsonLines
from jackfield.tracing import Tracing, configured
from two_ways import PAST, THROUGH

pytest_plugins = ["warm"]

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def test_an_invocation_is_a_span_with_five_stages(tmp_path: Path) -> None:
    """The caller's trace goes on: one span for the invocation, five below it, no payload in any; a failure tells its code."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with standing(tmp_path, SETTINGS, plugins=(Tracing(provider),)) as stand:
        client = stand.client()
        body = {"connector": "echo", "action": "say", "connection": {"type": "token", "values": {"token": "t-4711"}}}
        client.post("/v1/invocations", {**body, "inputs": {"text": "very private"}}, traceparent=PARENT)
        client.post("/v1/invocations", {**body, "inputs": {}}, traceparent=PARENT)
    spans = exporter.get_finished_spans()
    assert [span.name.removeprefix("jackfield.") for span in spans] == [
        "admit", "check", "open", "run", "settle", "invoke", "admit", "check", "invoke",
    ]  # fmt: skip
    whole = spans[5]
    assert whole.parent is not None
    assert (f"{whole.parent.trace_id:032x}", f"{whole.parent.span_id:016x}") == ("a" * 32, "b" * 16)
    assert {span.parent.span_id for span in spans[:5] if span.parent is not None} == {whole.context.span_id}
    assert dict(spans[8].attributes or {})["error.type"] == "invalid_input"
    told = " ".join(span.to_json() for span in spans)
    assert "very private" not in told
    assert "t-4711" not in told


STAGES = ["admit", "check", "open", "run", "settle"]


@pytest.mark.parametrize(
    ("way", "workers"),
    [
        (PAST, "1"),
        pytest.param(THROUGH, "2", marks=pytest.mark.campaign),
        pytest.param(PAST, "2", marks=pytest.mark.campaign),
        pytest.param(THROUGH, "1", marks=pytest.mark.campaign),
    ],
    indirect=["way"],
)
@pytest.mark.usefixtures("warm_python")
def test_spans_reach_a_collector(tmp_path: Path, workers: str) -> None:
    """Over OTLP/HTTP, and the last ones when the server stops: the invocation below the caller's span, five stages below the invocation."""
    with (
        Collector() as collector,
        process(
            tmp_path,
            "--workers",
            workers,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_SERVICE_NAME="patchbay",
            OTEL_BSP_SCHEDULE_DELAY="600000",
        ) as server,
    ):
        told = server.client.post("/v1/invocations", say("say", text="very private"), traceparent=PARENT, Idempotency_Key="order-1")
        meta = told.json["meta"]
        bad = say("say", text="very private", fault={"kind": "unauthenticated"})
        assert server.client.post("/v1/invocations", bad, traceparent=PARENT).status == 502
    assert collector.services == {"patchbay"}
    whole = next(span for span in collector.spans if _attribute(span, "jackfield.invocation.id") == meta["invocationId"])
    stages = [span for span in collector.spans if span.parent_span_id == whole.span_id]
    assert [span.name.removeprefix("jackfield.") for span in sorted(stages, key=lambda span: span.start_time_unix_nano)] == STAGES
    assert {span.trace_id.hex() for span in collector.spans} == {"a" * 32}
    assert whole.parent_span_id.hex() == "b" * 16
    assert all(whole.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in stages)
    assert {_code(span) for span in collector.spans} == {"", "unauthenticated"}
    assert not [secret for secret in (b"very private", b"secret-4711", server.token.encode(), b"order-1") if secret in collector.raw]


def _attribute(span: Span, name: str) -> str:
    return next((str(item.value.string_value) for item in span.attributes if item.key == name), "")


def _code(span: Span) -> str:
    return _attribute(span, "error.type")


@pytest.mark.parametrize(
    ("way", "gone"),
    [
        (PAST, False),
        (THROUGH, True),
        pytest.param(PAST, True, marks=pytest.mark.campaign),
        pytest.param(THROUGH, False, marks=pytest.mark.campaign),
    ],
    indirect=["way"],
)
@pytest.mark.usefixtures("warm_python")
def test_a_collector_that_is_away_delays_nobody(tmp_path: Path, gone: bool) -> None:
    """While spans cannot be delivered, since nobody listens or it hangs, calls are answered, and the server stops in time."""
    with Collector(hanging=True) as collector:
        url = "http://127.0.0.1:9" if gone else collector.url
        with process(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="1", OTEL_BSP_MAX_QUEUE_SIZE="512") as server:
            assert server.client.invoke("say", text="first").status == 200
            assert gone or collector.asked.wait(30)
            assert {server.client.invoke("say", text="x").status for _ in range(50)} == {200}  # each would wait 10 s for an export
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(30)


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    """No variable, or OpenTelemetry's own switch: nothing is made."""
    assert configured({}) == ()
    assert configured({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}) == ()


def test_requests_are_logged_as_json_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each request: id, workspace, invocation, status, and nothing of its content, nor of a link whose address is a secret."""
    with caplog.at_level(logging.INFO, "jackfield.http"), standing(tmp_path, SETTINGS) as stand:
        result = stand.client().post(
            "/v1/invocations",
            {
                "connector": "echo",
                "action": "say",
                "connection": {"type": "token", "values": {"token": "t-4711"}},
                "inputs": {"text": "private"},
            },
            X_Request_Id="request-1",
        ).json  # fmt: skip
        statuses = [stand.client().get(f"/{page}/private-link").status for page in ("oauth2/start", "connect", "hooks")]
    assert max(statuses) < 500
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "jackfield.http"]
    line = next(item for item in lines if item.get("requestId") == "request-1")
    about = {"status": 200, "method": "POST", "path": "/v1/invocations"}
    wanted = {"workspace": "default", "invocationId": result["meta"]["invocationId"], **about}
    assert line.items() >= wanted.items()
    assert {"/oauth2/start/***", "/connect/***", "/hooks/***"} <= {item["path"] for item in lines}
    assert "private" not in json.dumps(lines)
