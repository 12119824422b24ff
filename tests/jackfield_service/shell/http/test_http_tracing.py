"""Spans of invocations, and the log of requests."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.jackfield_service.shell.http.collector import Collector
from tests.jackfield_service.shell.http.two_ways import PAST, THROUGH

from http_stand import SETTINGS, clean, process, say, standing
from jackfield.cli.logs import JsonLines
from jackfield.invocation import Invocation, Meta
from jackfield.kernel.tracing_variables import APPLIED, exports_spans, remarks
from jackfield.tracing import Tracing, configured
from plugboard import ECHO
from waiting import until

pytest_plugins = ["warm"]

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def test_an_invocation_is_a_span_with_five_stages(tmp_path: Path) -> None:
    """The caller's trace goes on: one span for the invocation, five below it, no payload in any; a
    failure tells its code.
    """
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with standing(tmp_path, SETTINGS, plugins=(Tracing(provider),)) as stand:
        client = stand.client()
        body = {
            "connector": "echo",
            "action": "say",
            "connection": {"type": "token", "values": {"token": "t-4711"}},
        }
        client.post(
            "/v1/invocations", {**body, "inputs": {"text": "very private"}}, traceparent=PARENT
        )
        client.post("/v1/invocations", {**body, "inputs": {}}, traceparent=PARENT)
    spans = exporter.get_finished_spans()
    assert [span.name.removeprefix("jackfield.") for span in spans] == [
        "admit",
        "check",
        "open",
        "run",
        "settle",
        "invoke",
        "admit",
        "check",
        "invoke",
    ]
    whole = spans[5]
    assert whole.parent is not None
    assert (f"{whole.parent.trace_id:032x}", f"{whole.parent.span_id:016x}") == ("a" * 32, "b" * 16)
    assert {span.parent.span_id for span in spans[:5] if span.parent is not None} == {
        whole.context.span_id
    }
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
    """Over OTLP/HTTP, and the last ones when the server stops: the invocation below the caller's
    span, five stages below the invocation.
    """
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
        told = server.client.post(
            "/v1/invocations",
            say("say", text="very private"),
            traceparent=PARENT,
            Idempotency_Key="order-1",
        )
        meta = told.json["meta"]
        bad = say("say", text="very private", fault={"kind": "unauthenticated"})
        assert server.client.post("/v1/invocations", bad, traceparent=PARENT).status == 502
    assert collector.services == {"patchbay"}
    whole = next(
        span
        for span in collector.spans
        if _attribute(span, "jackfield.invocation.id") == meta["invocationId"]
    )
    stages = [span for span in collector.spans if span.parent_span_id == whole.span_id]
    assert [
        span.name.removeprefix("jackfield.")
        for span in sorted(stages, key=lambda span: span.start_time_unix_nano)
    ] == STAGES
    assert {span.trace_id.hex() for span in collector.spans} == {"a" * 32}
    assert whole.parent_span_id.hex() == "b" * 16
    assert all(
        whole.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        for span in stages
    )
    assert {_code(span) for span in collector.spans} == {"", "unauthenticated"}
    assert not [
        secret
        for secret in (b"very private", b"secret-4711", server.token.encode(), b"order-1")
        if secret in collector.raw
    ]


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
    """While spans cannot be delivered, since nobody listens or it hangs, calls are answered, and
    the server stops in time.
    """
    with Collector(hanging=True) as collector:
        url = "http://127.0.0.1:9" if gone else collector.url
        with process(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_BSP_SCHEDULE_DELAY="1",
            OTEL_BSP_MAX_QUEUE_SIZE="512",
        ) as server:
            assert server.client.invoke("say", text="first").status == 200
            assert gone or collector.asked.wait(30)
            # each would wait 10 s for an export
            assert {server.client.invoke("say", text="x").status for _ in range(50)} == {200}
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(30)


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    """No variable, or OpenTelemetry's own switch: nothing is made."""
    assert configured({}) == ()
    assert (
        configured(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}
        )
        == ()
    )


ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HERE = {ENDPOINT: "http://user:s3cret@127.0.0.1:1"}


@pytest.mark.parametrize(
    ("variables", "sent", "named"),
    [
        ({}, False, ()),
        (HERE, True, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True, ()),
        ({ENDPOINT: ""}, False, ()),
        ({**HERE, "OTEL_SDK_DISABLED": "TRUE", "OTEL_LOG_LEVEL": "debug"}, False, ()),
        ({**HERE, "OTEL_TRACES_EXPORTER": "none"}, False, ()),
        ({**HERE, "OTEL_TRACES_EXPORTER": "otlp,console"}, True, ("OTEL_TRACES_EXPORTER",)),
        ({**HERE, "OTEL_TRACES_EXPORTER": "zipkin"}, False, ("OTEL_TRACES_EXPORTER",)),
        ({**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True, ()),
        (
            {**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            False,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "4318"),
        ),
        (
            {**HERE, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            False,
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",),
        ),
        ({ENDPOINT: "collector:4318"}, False, (ENDPOINT, "http://collector:4318")),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "//collector"},
            False,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",),
        ),
        (
            {**HERE, "OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "none"},
            True,
            ("OTEL_METRICS_EXPORTER",),
        ),
        ({"OTEL_PROPAGATORS": "b3,tracecontext"}, False, ("OTEL_PROPAGATORS",)),
        (
            {"OTEL_PROPAGATORS": "tracecontext, baggage", "OTEL_PYTHON_EXCLUDED_URLS": "x"},
            False,
            (),
        ),
        ({**HERE, "OTEL_CONFIG_FILE": "/etc/s3cret"}, True, ("OTEL_CONFIG_FILE",)),
    ],
)
def test_each_variable_of_opentelemetry_applies_or_is_named(
    variables: dict[str, str], sent: bool, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``none`` and ``grpc`` were ignored, and spans went to a gRPC port in vain. What does not
    apply is named, without its value.
    """
    for name in [*APPLIED, *variables]:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = " ".join(remarks(variables))
    assert exports_spans(variables) is sent
    assert all(name in told for name in named)
    assert bool(told) is bool(named)
    assert "s3cret" not in told
    plugins = configured(variables)
    for plugin in plugins:
        plugin.close()
    assert bool(plugins) is sent


@pytest.mark.parametrize(
    ("variables", "service"),
    [
        ({}, "jackfield"),
        ({"OTEL_SERVICE_NAME": "patchbay"}, "patchbay"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=desk,deployment.environment=prod"}, "desk"),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=desk", "OTEL_SERVICE_NAME": "patchbay"},
            "patchbay",
        ),
    ],
)
def test_the_service_has_the_name_that_the_variables_give(
    variables: dict[str, str], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``OTEL_RESOURCE_ATTRIBUTES`` names the service, too; ``OTEL_SERVICE_NAME`` goes before it."""
    with Collector() as collector:
        for name, value in {ENDPOINT: collector.url, **variables}.items():
            monkeypatch.setenv(name, value)
        (plugin,) = configured({ENDPOINT: collector.url, **variables})
        with plugin.around(Invocation("echo", "say", {}), "default", Meta("0190")):
            pass
        plugin.close()
    assert collector.services == {service}


@pytest.mark.parametrize("options", [(), ("--health-port", "0")])
@pytest.mark.usefixtures("warm_python")
def test_a_worker_sends_spans_and_names_what_does_not_apply(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Spans of queued calls were sent by servers only. They are children of the caller's span; the
    last ones come as the worker ends.
    """
    paths = os.pathsep.join([str(tmp_path / "plugs"), str(ECHO)])
    with Collector() as collector, process(tmp_path, "--queue-workers", "0") as server:
        server.client.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
        )
        body = {**say("say", "hall", text="x"), "context": {"traceparent": PARENT}}
        place = server.client.post("/v1/invocations", body, Prefer="respond-async").headers[
            "location"
        ]
        variables = {
            ENDPOINT: collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "OTEL_METRICS_EXPORTER": "otlp",
        }
        environment = clean(tmp_path / "home", PYTHONPATH=paths, **variables)
        command = [sys.executable, "-m", "jackfield", "worker", *options]
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True
        ) as worker:
            until(lambda: server.client.get(place).json["status"] == "succeeded", 60)
            worker.send_signal(signal.SIGTERM)
            log = worker.communicate(timeout=60)[1]
        assert worker.returncode == 0
    assert "does not apply OTEL_METRICS_EXPORTER" in log
    assert {span.trace_id.hex() for span in collector.spans} == {"a" * 32}
    assert "jackfield.invoke" in {span.name for span in collector.spans}


def test_a_server_names_what_does_not_apply(tmp_path: Path) -> None:
    """The log at the start and ``/readyz`` say why no span is sent, and to which port they would
    be.
    """
    with process(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    ) as server:
        told = server.client.get("/readyz").json["warnings"]
    (text,) = told
    assert text.startswith("no spans are sent: OTEL_EXPORTER_OTLP_PROTOCOL is not http/protobuf")
    assert "4318" in text


def test_requests_are_logged_as_json_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each request: id, workspace, invocation, status, and nothing of its content, nor
    of a link whose address is a secret.
    """
    with caplog.at_level(logging.INFO, "jackfield.http"), standing(tmp_path, SETTINGS) as stand:
        result = (
            stand.client()
            .post(
                "/v1/invocations",
                {
                    "connector": "echo",
                    "action": "say",
                    "connection": {"type": "token", "values": {"token": "t-4711"}},
                    "inputs": {"text": "private"},
                },
                X_Request_Id="request-1",
            )
            .json
        )
        statuses = [
            stand.client().get(f"/{page}/private-link").status
            for page in ("oauth2/start", "connect", "hooks")
        ]
    assert max(statuses) < 500
    lines = [
        json.loads(JsonLines().format(record))
        for record in caplog.records
        if record.name == "jackfield.http"
    ]
    line = next(item for item in lines if item.get("requestId") == "request-1")
    about = {"status": 200, "method": "POST", "path": "/v1/invocations"}
    wanted = {"workspace": "default", "invocationId": result["meta"]["invocationId"], **about}
    assert line.items() >= wanted.items()
    assert {"/oauth2/start/***", "/connect/***", "/hooks/***"} <= {item["path"] for item in lines}
    assert "private" not in json.dumps(lines)


def test_failures_are_logged_with_their_codes_queued_or_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a direct call has the error's code; a queued one has a line of its own when it
    ends.
    """
    with (
        caplog.at_level(logging.INFO, "jackfield"),
        standing(tmp_path, replace(SETTINGS, queue_workers=1)) as stand,
    ):
        client = stand.client()
        assert (
            client.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
        call = {
            "connector": "echo",
            "action": "post",
            "connection": "hall",
            "inputs": {"text": "private", "fault": {"kind": "reset"}},
        }
        assert client.post("/v1/invocations", call, X_Request_Id="direct-1").status == 504
        queued = client.post("/v1/invocations", call, Prefer="respond-async").json["invocationId"]
        until(lambda: client.get(f"/v1/invocations/{queued}").json["status"] == "in_doubt", 30)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    (direct,) = (line for line in lines if line.get("requestId") == "direct-1")
    (ended,) = (
        line
        for line in lines
        if line["logger"] == "jackfield.queue" and line.get("invocationId") == queued
    )
    assert (direct["errorCode"], ended["errorCode"], ended["workspace"], ended["action"]) == (
        "in_doubt",
        "in_doubt",
        "default",
        "post",
    )
    assert "private" not in json.dumps([direct, ended])


def test_an_invocation_is_found_by_the_id_of_its_request(tmp_path: Path) -> None:
    """The caller's ``X-Request-Id`` is the correlation ID of an invocation that has none; one that
    is not valid is not.
    """
    with standing(tmp_path, SETTINGS) as stand:
        client = stand.client()
        call = {
            "connector": "echo",
            "action": "say",
            "connection": {"type": "token", "values": {"token": "t-4711"}},
            "inputs": {"text": "x"},
        }
        made = {
            client.post("/v1/invocations", {**call, **more}, X_Request_Id=identifier).json["meta"][
                "invocationId"
            ]: expected
            for identifier, more, expected in (
                ("trace-77", {}, "trace-77"),
                ("trace-78", {"context": {"correlationId": "mine"}}, "mine"),
                ("not valid", {}, None),
            )
        }
        found = {
            item["invocationId"]: item.get("context", {}).get("correlationId")
            for item in client.get("/v1/invocations").json["items"]
        }
        assert found == made
        for query in ("correlationId=trace-77", "q=trace-77"):
            assert [
                item["context"]["correlationId"]
                for item in client.get(f"/v1/invocations?{query}").json["items"]
            ] == ["trace-77"]
