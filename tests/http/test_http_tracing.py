"""Spans of invocations, and the log of requests."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from http_stand import SETTINGS, standing
from jackfield.cli.logs import JsonLines
from jackfield.surfaces.http.tracing import Tracing, configured

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


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    """No variable, or OpenTelemetry's own switch: nothing is made."""
    assert configured({}) == ()
    assert configured({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}) == ()


def test_requests_are_logged_as_json_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each request: id, workspace, invocation, status, and nothing of its content."""
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
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "jackfield.http"]
    line = next(item for item in lines if item.get("requestId") == "request-1")
    about = {"status": 200, "method": "POST", "path": "/v1/invocations"}
    wanted = {"workspace": "default", "invocationId": result["meta"]["invocationId"], **about}
    assert line.items() >= wanted.items()
    assert "private" not in json.dumps(lines)
