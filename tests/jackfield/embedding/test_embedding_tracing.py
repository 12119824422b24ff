"""OpenTelemetry's auto-instrumentation around a host: one span a call, within the host's, and
around what a connector's libraries add.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from host_provider import providing

_PROGRAM = '''
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace
from jackfield import Jackfield
from jackfield.connector import hookimpl
from jackfield.tracing import Tracing

class Library:
    """Stands for a library that is instrumented: it makes a span wherever it is used."""
    @hookimpl
    def request(self, method, server, started, ended, status):
        trace.get_tracer("library").start_span("library").end()

SHOP = {"type": "http/bearer", "values": {"server": os.environ["SHOP_URL"], "token": "tok-4711-very-secret"}}
asked = {"connector": "http", "action": "request", "connection": "shop", "inputs": {"url": "/secret-path", "method": "POST"}}

@asynccontextmanager
async def lifespan(app):
    async with Jackfield(connections=[{"connections": {"shop": SHOP}}], plugins=[Tracing(), Library()]) as app.state.jackfield:
        yield

app = FastAPI(lifespan=lifespan)

@app.get("/sync")
def sync():
    return app.state.jackfield.invoke(asked).status

@app.get("/on-time")
def on_time():
    return app.state.jackfield.invoke(asked, on_time=True).status

@app.get("/async")
async def in_loop():
    return (await app.state.jackfield.ainvoke(asked)).status

@app.get("/failed")
async def failed():
    return (await app.state.jackfield.ainvoke({**asked, "inputs": {}})).status

with TestClient(app) as client:
    for path in ("/sync", "/on-time", "/async", "/failed"):
        client.get(path).raise_for_status()
'''


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The spans of a program that ``opentelemetry-instrument`` has started."""
    folder = tmp_path_factory.mktemp("traced")
    (folder / "program.py").write_text(_PROGRAM)
    variables = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    with providing() as provider:
        environment = {
            **os.environ,
            **variables,
            "SHOP_URL": provider.url,
            "JACKFIELD_HOME": str(folder / "home"),
        }
        environment.pop("OTEL_SDK_DISABLED", None)
        command = [
            str(Path(sys.executable).with_name("opentelemetry-instrument")),
            sys.executable,
            str(folder / "program.py"),
        ]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
    assert done.returncode == 0, done.stderr
    decoder, at, found = json.JSONDecoder(), 0, []
    text = done.stdout.strip()
    while at < len(text):
        span, at = decoder.raw_decode(text, at)
        found.append(span)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def _named(spans: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == name]


def test_a_call_is_one_span_of_the_hosts_trace(spans: list[dict[str, Any]]) -> None:
    """Each endpoint, in threads and in the loop, has one span of ours within that of its request,
    and no others of ours.
    """
    calls = _named(spans, "jackfield.invoke")
    servers = {
        span["context"]["span_id"]: span["name"]
        for span in spans
        if span["name"].startswith("GET /") and span["kind"].endswith("SERVER")
    }
    assert sorted(servers[call["parent_id"]] for call in calls) == [
        "GET /async",
        "GET /failed",
        "GET /on-time",
        "GET /sync",
    ]
    assert {span["name"] for span in spans if span["name"].startswith("jackfield")} == {
        "jackfield.invoke"
    }


def test_spans_of_libraries_lie_within_it(spans: list[dict[str, Any]]) -> None:
    """The context goes on into the code of connectors and plugins."""
    calls = {call["context"]["span_id"]: call for call in _named(spans, "jackfield.invoke")}
    within = _named(spans, "library")
    assert len(within) == 3
    assert {span["parent_id"] in calls for span in within} == {True}
    assert len({span["parent_id"] for span in within}) == 3


def test_a_span_says_what_operators_search_for_and_no_content(spans: list[dict[str, Any]]) -> None:
    """Connector, action, attempts, the code of a failure; requests are events without their path.
    No secret, no path.
    """
    calls = sorted(_named(spans, "jackfield.invoke"), key=lambda call: call["start_time"])
    assert [call["attributes"]["jackfield.action"] for call in calls] == ["request"] * 4
    assert [call["attributes"].get("error.type") for call in calls] == [
        None,
        None,
        None,
        "invalid_input",
    ]
    assert [
        [event["attributes"]["http.response.status_code"] for event in call["events"]]
        for call in calls
    ] == [[200], [200], [200], []]
    ours = json.dumps(calls)
    assert [word in ours for word in ("tok-4711", "secret-path")] == [False, False]
