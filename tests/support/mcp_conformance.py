"""A server for the public conformance suite of MCP: ``/mcp`` with a connector whose actions behave
as the suite's tools.

The suite can send no token and knows its tools by their names: the application adds the one, and
maps the others. Nothing else is changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_stand import SETTINGS, Stand, standing
from plugboard import make_connector, plugged

_CONNECTOR = '''
"""Tools of the conformance suite, as actions."""
import base64, time
from jackfield.connector import Connector, Field, Inputs, Output, OutputFile, Pagination, Progress, Rejected

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
WAV = b"RIFF$\\0\\0\\0WAVEfmt \\x10\\0\\0\\0\\1\\0\\1\\0\\x40\\x1f\\0\\0\\x40\\x1f\\0\\0\\1\\0\\x08\\0data\\0\\0\\0\\0"

STOPPED = set()

class Nothing(Inputs):
    """No inputs."""

class Who(Inputs):
    """Whom to greet."""
    name: str = Field("you", title="Name")

class Text(Output):
    """Words."""
    text: str

class Seen(Output):
    """A file, and words."""
    text: str
    file: OutputFile

class Both(Output):
    """Words, a picture and data."""
    text: str
    picture: OutputFile
    data: OutputFile

class Pages(Inputs):
    """Which page."""
    fetch_all: bool = Field(True, title="Fetch All")
    next_token: str | None = Field(None, title="Next Token")

class Page(Output):
    """One page."""
    items: list[str] = Field(alias="Items")
    next_token: str | None = Field(None, alias="NextToken")

class Work(Inputs):
    """How long to compute."""
    seconds: float = Field(1.0, title="Seconds")
    label: str = Field("", title="Label")

class Begun(Output):
    """Handle of a computation."""
    until: float

connector = Connector("conformance", title="Conformance", version="1.0.0")

@connector.action("simpleText", effect="read", needs_connection=False)
def simple_text(_given: Nothing) -> Text:
    """Return a text."""
    return Text(text="This is a simple text response for testing.")

@connector.action("greet", effect="read", needs_connection=False)
def greet(given: Who) -> Text:
    """Greet somebody."""
    return Text(text=f"Hello, {given.name}!")

@connector.action("imageContent", effect="read", needs_connection=False)
def image(_given: Nothing) -> Seen:
    """Return a picture."""
    return Seen(text="a pixel", file=OutputFile(PNG, "image/png", "pixel.png"))

@connector.action("audioContent", effect="read", needs_connection=False)
def audio(_given: Nothing) -> Seen:
    """Return a sound."""
    return Seen(text="silence", file=OutputFile(WAV, "audio/wav", "silence.wav"))

@connector.action("embeddedResource", effect="read", needs_connection=False)
def embedded(_given: Nothing) -> Seen:
    """Return a text file."""
    return Seen(text="a file", file=OutputFile(b"This is an embedded resource content.", "text/plain", "note.txt"))

@connector.action("multipleContentTypes", effect="read", needs_connection=False)
def mixed(_given: Nothing) -> Both:
    """Return words, a picture and data."""
    data = OutputFile(b'{"test":"data","value":123}', "application/json", "data.json")
    return Both(text="Multiple content types test:", picture=OutputFile(PNG, "image/png", "pixel.png"), data=data)

def asked(name, message, field, kind="string"):
    """Answer of the caller to a question with one field, which a person is asked."""
    call = current_call()
    if call is None or call.ask_caller is None:
        raise Rejected("nobody answers")
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    found = call.ask_caller(name, {"connector": "conformance", "message": message, "schema": schema})
    return found.get("content", {}).get(field)

@connector.action("asksName", effect="read", needs_connection=False)
def asks_name(_given: Nothing) -> Text:
    """Greet somebody who says their name."""
    return Text(text=f"Hello, {asked('user_name', 'What is your name?', 'name')}!")

@connector.action("asksToConfirm", effect="read", needs_connection=False)
def asks_to_confirm(_given: Nothing) -> Text:
    """Go on once somebody has confirmed it."""
    return Text(text=f"state-ok: {asked('confirm', 'Please confirm', 'ok', 'boolean')}")

@connector.action("asksTwice", effect="read", needs_connection=False)
def asks_twice(_given: Nothing) -> Text:
    """Ask one thing after the other."""
    name = asked("step1", "Step 1: What is your name?", "name")
    return Text(text=f"{name} likes {asked('step2', 'Step 2: What is your favorite color?', 'color')}")

@connector.action("errorHandling", effect="read", needs_connection=False)
def error(_given: Nothing) -> Text:
    """Fail."""
    raise Rejected("This tool intentionally returns an error for testing")

@connector.action("toolWithProgress", effect="read", needs_connection=False,
    pagination=Pagination("nextToken", "NextToken", "Items", all_input="fetchAll"))
def pages(given: Pages) -> Page:
    """Return three pages."""
    time.sleep(0.1)
    number = int(given.next_token or 0) + 1
    return Page(items=[f"page {number}"], next_token=str(number) if number < 3 else None)

class Computes:
    def start(self, given: Work) -> Begun | Text:
        if given.seconds == 0:
            return Text(text=f"{given.label}: done")
        return Begun(until=time.time() + given.seconds)

    def poll(self, begun: Begun) -> Progress | Text:
        if begun.until in STOPPED:
            raise JobFailed("it was stopped")
        if time.time() >= begun.until:
            return Text(text="done")
        return Progress(fraction=0.5, text="computing", retry_after=0.2)

    def cancel(self, begun: Begun) -> None:
        """Stop it."""
        STOPPED.add(begun.until)

@connector.action("slowCompute", kind="job", effect="read", needs_connection=False)
class Slow(Computes):
    """Compute for a while."""

@connector.action("failingJob", kind="job", effect="read", needs_connection=False)
class Failing(Computes):
    """Fail after a while."""
    def poll(self, begun: Begun) -> Progress | Text:
        raise JobFailed("it failed")

@connector.action("protocolErrorJob", kind="job", effect="read", needs_connection=False)
class Broken(Computes):
    """Break."""
    def start(self, given: Work) -> Begun | Text:
        raise RuntimeError("a bug")
'''.replace("Progress, Rejected", "JobFailed, Progress, Rejected, current_call")
NAMES = {
    "test_simple_text": "conformance_simpleText",
    "test_image_content": "conformance_imageContent",
    "test_audio_content": "conformance_audioContent",
    "test_embedded_resource": "conformance_embeddedResource",
    "test_multiple_content_types": "conformance_multipleContentTypes",
    "test_error_handling": "conformance_errorHandling",
    "test_tool_with_progress": "conformance_toolWithProgress",
    "test_input_required_result_elicitation": "conformance_asksName",
    "test_input_required_result_request_state": "conformance_asksToConfirm",
    "test_input_required_result_tampered_state": "conformance_asksToConfirm",
    "test_input_required_result_multi_round": "conformance_asksTwice",
    "test_logging_tool": "conformance_simpleText",
    "test_streaming_elicitation": "conformance_simpleText",
    "greet": "conformance_greet",
    "slow_compute": "conformance_slowCompute",
    "failing_job": "conformance_failingJob",
    "protocol_error_job": "conformance_protocolErrorJob",
}
"""Actions by the names of the suite's tools."""


class Named:
    """Application that adds a token to each request, and maps the names of tools."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        headers = [
            (name, _mapped(name, value))
            for name, value in scope["headers"]
            if name not in (b"authorization", b"content-length")
        ]
        changed = _renamed(body)
        headers += [
            (b"authorization", b"Bearer " + self._token.encode()),
            (b"content-length", str(len(changed)).encode()),
        ]
        given: list[Message] = [{"type": "http.request", "body": changed, "more_body": False}]

        async def again() -> Message:
            return given.pop() if given else await receive()

        await self._app({**scope, "headers": headers}, again, send)


async def _read(receive: Receive) -> bytes:
    found, more = b"", True
    while more:
        message = await receive()
        found += message.get("body", b"")
        more = bool(message.get("more_body"))
    return found


def _mapped(name: bytes, value: bytes) -> bytes:
    """The name of a tool in a header keeps the blanks around it, which are what is tested."""
    text = value.decode("latin-1")
    plain = text.strip(" \t")
    return (
        text.replace(plain, NAMES.get(plain, plain), 1).encode("latin-1")
        if name == b"mcp-name" and plain
        else value
    )


def _renamed(body: bytes) -> bytes:
    try:
        message = json.loads(body)
        name = message["params"]["name"] if message["method"] == "tools/call" else None
    except (ValueError, KeyError, TypeError):
        return body
    if name not in NAMES:
        return body
    return json.dumps({**message, "params": {**message["params"], "name": NAMES[name]}}).encode()


@contextmanager
def conforming(folder: Path) -> Iterator[Stand]:
    """Serve ``/mcp`` on loopback for the suite."""
    with offering(folder, lambda host, app: Named(app, host_token(host))) as stand:
        yield stand


@contextmanager
def offering(
    folder: Path, around: Callable[[Any, Any], Any] = lambda _host, app: app
) -> Iterator[Stand]:
    """Serve the connector for clients that have tokens, and know the tools by their own names."""
    make_connector(folder / "made", "conformance", _CONNECTOR)
    settings = replace(SETTINGS, mcp_tools="all", rate=0.0)
    with plugged(folder / "made"), standing(folder, settings, around=around) as stand:
        yield stand


def host_token(host: Any) -> str:
    """A token that runs actions."""
    from jackfield_store.access import Tokens

    return str(
        Tokens(host.storage.database, host.storage.vault, "default", host.clock)
        .create("invoke")
        .text
    )
