"""Requests as plugins see them: a span for each, and a plugin that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from http_rig import TOKEN, Acme
from inmemory import installed
from jackfield import Jackfield
from jackfield.connector import Connector, Inputs, Output, hookimpl
from jackfield.testing import CLOSE, Answer, Provider, refused
from jackfield.tracing import Tracing
from jackfield_http import HttpClient
from jackfield_market.testing.loopback_provider import Step


class Named(Inputs):
    """A thing to make."""

    name: str


class Made(Output):
    """What was made."""

    state: str


@contextmanager
def making(folder: Path, script: Sequence[Step], *plugins: object) -> Iterator[Any]:
    """A function that invokes an action of two requests, over a provider that plays a script."""
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("make", effect="write")
    def make(wanted: Named, api: HttpClient) -> Made:
        """Make a thing, and look at it."""
        api.post("/things/{name}", {"name": wanted.name}, json={"name": wanted.name})
        return Made(state=api.get("/things/{name}", {"name": wanted.name}).json("/state"))

    with (
        Provider(script) as provider,
        installed(folder, connector) as catalog,
        Jackfield(catalog=catalog, database_url="none", plugins=plugins) as jackfield,
    ):
        connection = {"type": "acmeToken", "values": {"server": provider.url, "token": TOKEN}}
        yield lambda: jackfield.invoke(
            {
                "connector": "acme",
                "action": "make",
                "connection": connection,
                "inputs": {"name": "secret-name"},
            }
        )


def test_each_request_is_a_span(tmp_path: Path) -> None:
    """Requests are spans within the stage that sends them, with method, host and status; no path,
    no content, no credential.
    """
    exporter, tracer = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    tracer.add_span_processor(SimpleSpanProcessor(exporter))
    with making(
        tmp_path,
        [Answer(status=201), CLOSE, refused(503), Answer({"state": "new"})],
        Tracing(tracer),
    ) as invoke:
        assert invoke().unwrap() == {"state": "new"}
    spans = exporter.get_finished_spans()
    run = next(span for span in spans if span.name == "jackfield.run")
    sent = [span for span in spans if span.name == "jackfield.request"]
    assert [_about(span) for span in sent] == [
        ("POST", 201, None),
        ("GET", None, "no_response"),
        ("GET", 503, "503"),
        ("GET", 200, None),
    ]
    assert {span.parent.span_id for span in sent if span.parent is not None} == {
        run.context.span_id
    }
    assert all(_times(run)[0] <= _times(span)[0] <= _times(span)[1] for span in sent)
    told = "".join(span.to_json() for span in spans)
    assert "127.0.0.1" in told
    assert "secret-name" not in told
    assert TOKEN not in told


def _about(span: ReadableSpan) -> tuple[Any, ...]:
    attributes = dict(span.attributes or {})
    return tuple(
        attributes.get(name)
        for name in ("http.request.method", "http.response.status_code", "error.type")
    )


def _times(span: ReadableSpan) -> tuple[int, int]:
    return span.start_time or 0, span.end_time or 0


def test_a_plugin_that_fails_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A hook that raises after a request was answered is logged; the action goes on, and no request
    is repeated.
    """

    class Faulty:
        """A plugin with a bug."""

        seen = 0

        @hookimpl
        def request(self, status: int | None) -> None:
            """Raise."""
            self.seen += 1
            raise KeyError(status)

    plugin = Faulty()
    with making(tmp_path, [Answer(status=201), Answer({"state": "new"})], plugin) as invoke:
        result = invoke()
    assert (result.unwrap(), result.meta.attempts, plugin.seen) == ({"state": "new"}, 1, 2)
    assert "failed in its hook 'request': KeyError" in caplog.text
