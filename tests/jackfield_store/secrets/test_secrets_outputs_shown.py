"""A secret output (``secret=True``) is ``***`` wherever else a call is shown: console, command
line, spans and the JSON log.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.jackfield_service.shell.pages.console_client import Client as Browser

from http_stand import SETTINGS, standing
from jackfield.cli.logs import JsonLines
from jackfield.tracing import Tracing
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.pages.sign_in import one_time_link
from plugboard import make_connector

_SECRET = "whsec_abcdef-4711"
_SOURCE = f'''
from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("hooks", title="Hooks", version="1.0.0", connections=[])

class Nothing(Inputs):
    """Nothing."""

class Webhook(Output):
    """A new webhook."""

    id: str
    key: str = Field(secret=True)

@connector.action("addWebhook", needs_connection=False)
def add_webhook(_: Nothing) -> Webhook:
    """Add a webhook."""
    return Webhook(id="w1", key="{_SECRET}")
'''


@contextmanager
def _logging() -> Iterator[io.StringIO]:
    """All records of the process as JSON lines, as ``JACKFIELD_LOG=json`` writes them."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    with (
        mock.patch.object(root, "handlers", [*root.handlers, handler]),
        mock.patch.object(root, "level", logging.DEBUG),
    ):
        yield text


def test_n3_a_secret_output_is_masked_wherever_a_call_is_shown(tmp_path: Path) -> None:
    """Only the Result of the call has it: neither the page of the invocation, nor the command, nor
    spans, nor the log.
    """
    make_connector(tmp_path / "plugs", "hooks", _SOURCE)
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with _logging() as log, standing(tmp_path, SETTINGS, plugins=(Tracing(provider),)) as stand:
        answer = (
            stand.client()
            .post("/v1/invocations", {"connector": "hooks", "action": "addWebhook", "inputs": {}})
            .json
        )
        identifier = answer["meta"]["invocationId"]
        browser = Browser(build_app(stand.host, mounts()))
        assert browser.get(one_time_link(stand.host.storage, stand.host.clock, "")).status == 200
        page = browser.get(f"/invocations/{identifier}").text
        command = [sys.executable, "-m", "jackfield", "invocations", "show", identifier]
        shown = subprocess.run(
            command, capture_output=True, text=True, check=True, env=dict(os.environ)
        )
    assert answer["output"] == {"id": "w1", "key": _SECRET}
    assert json.loads(shown.stdout)["output"] == {"id": "w1", "key": "***"}
    assert ("addWebhook" in page, "***" in page) == (True, True)
    spans = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert "addWebhook" in spans
    assert identifier in log.getvalue()
    places = {
        "page": page,
        "command": shown.stdout + shown.stderr,
        "spans": spans,
        "log": log.getvalue(),
    }
    assert [name for name, text in places.items() if _SECRET in text or "abcdef-4711" in text] == []
