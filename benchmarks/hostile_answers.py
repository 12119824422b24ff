"""Answers of 30 MB to everything that asks a server, while another client asks ``/healthz``:
``python -m benchmarks.hostile_answers``.

A server on loopback answers each request with 30 MB of empty lists (elements, events, text), plain,
as gzip or in chunks. It is asked by an
action, a poll, a token endpoint's and an STS's client, sends itself to a webhook, and is read as a
catalogue and as an OpenAPI document. Prints what one such call and four at once cost
(``hostile_stand``). Fails if memory grows by more than 100 MiB (four calls: 200), ``/healthz``
waits for more than 0.2 s of the server's CPU time, or a call is not answered within a second after
its deadline. Arguments choose the rows whose names contain them.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.hostile_stand import HEAD, Answer, Stand, standing

SIZE = 30_000_000
DEADLINE = 3
MOST_GROWN = 100.0
MOST_PROBE = 0.2
"""Seconds of the server's CPU time that ``/healthz`` may wait for."""
_AT_ONCE = 4
_TEXTS = frozenset({"objects", "string", "lists as text", "wide text"})
"""Bodies within all limits where they are read as JSON, or text was asked for: what they cost is
limited by the budget of the process.
"""
MOST_TEXT = 400.0
"""MiB for one of these: copies of the output, of its record and of what is sent."""
_NAMES = itertools.count()
_CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "chunked": bytes,
}
_BODIES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "lists": ("application/json", lambda: b"[" + b"[]," * (SIZE // 3) + b"1]"),
    "untyped lists": ("", lambda: b"[" + b"[]," * (SIZE // 3) + b"1]"),
    "lines": ("application/x-ndjson", lambda: b"[[],[],[],[],[],[],[],[],[]]\n" * (SIZE // 29)),
    "empty lines": ("application/x-ndjson", lambda: b"\n" * SIZE),
    "events": ("text/event-stream", lambda: b"data: [[],[],[],[],[],[]]\n\n" * (SIZE // 26)),
    "deep": ("application/json", lambda: b"[" * (SIZE // 2) + b"]" * (SIZE // 2)),
    "elements": ("text/xml", lambda: b"<r>" + b"<x/>" * (SIZE // 4) + b"</r>"),
    "lists as text": ("text/plain", lambda: b"[" + b"[]," * (SIZE // 3) + b"1]"),
    "wide text": ("text/plain; charset=utf-8", lambda: "\U0001f600".encode() + b"a" * SIZE),
    "form": ("application/x-www-form-urlencoded", lambda: b"a=1&" * (SIZE // 4)),
    "objects": ("application/json", lambda: b"[" + b'{"a":1.5},' * 490_000 + b"1]"),
    "string": ("application/json", lambda: b'"' + b"a" * SIZE + b'"'),
}


class _Provider(ThreadingHTTPServer):
    """Server that answers everything alike."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.kind, self.coding, self.body = "", "plain", b""
        self.answered = threading.Semaphore(0)
        """Counts answers that were sent, or that the other side did not want to the end."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: the client has read enough."""

    def give(self, kind: str, body: bytes, coding: str = "plain") -> None:
        """Answer so from now on."""
        self.kind, self.coding, self.body = kind, coding, body


class _Talk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Provider

    def do_GET(self) -> None:
        """Answer."""
        try:
            self._answer()
        finally:
            self.server.answered.release()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = self.server.body
        self.send_response(200)
        if self.server.kind:
            self.send_header("Content-Type", self.server.kind)
        if self.server.coding == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 60_000):
                piece = body[at : at + 60_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.server.coding == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _providing() -> Iterator[_Provider]:
    with _Provider() as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        yield provider
        provider.shutdown()


def _connections(url: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        "anonymous": {"type": "http/anonymous", "values": {"server": url}},
        "tokens": {
            "type": "http/oauth2ClientCredentials",
            "values": {
                "server": url,
                "tokenUrl": f"{url}/token",
                "clientId": "a",
                "clientSecret": "secret-of-a",
            },
        },
        "role": {
            "type": "aws-ses/awsAssumeRole",
            "values": {
                "roleARN": "arn:aws:iam::123456789012:role/mail",
                "stsEndpoint": url,
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            },
        },
        "ses": {
            "type": "aws-ses/apiKeySecret",
            "values": {
                "endpoint": url,
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            },
        },
        "github": {
            "type": "github/accessToken",
            "values": {"server": url, "token": "secret-of-github"},
        },
    }


_GET = {"connector": "http", "action": "request", "inputs": {"url": "/"}}
_ACCOUNT = {"connector": "aws-ses", "action": "getAccount", "inputs": {"awsRegion": "eu-west-1"}}
_CALLS: Mapping[str, Mapping[str, Any]] = {
    "action": {**_GET, "connection": "anonymous"},
    "action, text": {**_GET, "connection": "anonymous", "inputs": {"url": "/", "response": "text"}},
    "action, json": {**_GET, "connection": "anonymous", "inputs": {"url": "/", "response": "json"}},
    "write": {
        **_GET,
        "connection": "anonymous",
        "inputs": {"url": "/", "method": "POST", "json": {}},
    },
    "token endpoint": {**_GET, "connection": "tokens"},
    "STS": {**_ACCOUNT, "connection": "role"},
    "AWS": {**_ACCOUNT, "connection": "ses"},
}
_FIT = {
    "token endpoint": ("lists", "form", "deep"),
    "STS": ("elements", "lists"),
    "AWS": ("lists", "deep", "elements"),
    "action, text": ("lists", "lists as text", "wide text"),
    "action, json": ("lists as text", "string"),
    "write": ("lists", "lists as text"),
    "poll": ("lists", "deep"),
    "webhook": ("lists", "lists as text"),
}
"""Bodies by who reads them; an action gets all."""
_READERS = (*_CALLS, "poll", "webhook")
_NOTHING: Mapping[str, Any] = {
    "manifestVersion": 1,
    "key": "nothing",
    "title": "Nothing",
    "description": "Does nothing.",
    "version": "1.0.0",
    "connectionTypes": [],
    "actions": [],
}


def _call(stand: Stand, name: str) -> Answer:
    return stand.send(
        "POST", "/v1/invocations", json.dumps({**_CALLS[name], "timeoutSeconds": DEADLINE}).encode()
    )


def _polled(stand: Stand, provider: _Provider) -> Answer:
    """Let a subscription poll once."""
    name = f"poll-{next(_NAMES)}"
    about = {
        "name": name,
        "trigger": "github/changedIssues",
        "connection": "github",
        "inputs": {"owner": "a", "repo": "b"},
    }
    while provider.answered.acquire(blocking=False):
        pass
    stand.send("POST", "/v1/subscriptions", json.dumps(about).encode())
    asked = provider.answered.acquire(timeout=10)
    time.sleep(0.2)  # what was read is judged
    found = stand.read("GET", f"/v1/subscriptions/{name}")
    stand.send("DELETE", f"/v1/subscriptions/{name}")
    return Answer(
        200 if asked else 0,
        f"{found['status']} {found.get('error', '') or found.get('reason', '')}"[:90],
    )


def _asking(stand: Stand, provider: _Provider, who: str) -> Callable[[], Answer]:
    """Return a function that makes one ask, or be asked."""
    if who in _CALLS:
        return partial(_call, stand, who)
    if who == "poll":
        return partial(_polled, stand, provider)
    hook = {"name": "hook", "trigger": "http/webhook", "inputs": {"signature": "secretPath"}}
    path = (
        "/"
        + str(stand.read("POST", "/v1/subscriptions", json.dumps(hook).encode())["url"]).split(
            "/", 3
        )[3]
    )
    return lambda: stand.send("POST", path, provider.body, provider.kind or "application/json")


def _measured(stand: Stand, name: str, ask: Callable[[], Answer], *, is_text: bool) -> bool:
    """Ask once, then four times at once; print what it costs, and return whether it keeps to the
    limits.
    """
    kept, most = True, MOST_TEXT if is_text else MOST_GROWN
    for times, note in ((1, ""), (_AT_ONCE, f" x {_AT_ONCE}")):
        answers: list[Answer] = []

        def work(times: int = times, answers: list[Answer] = answers) -> None:
            with ThreadPoolExecutor(times) as pool:
                answers += pool.map(lambda _: ask(), range(times))

        cost = stand.cost(work)
        in_time = is_text or (cost.probe_cpu <= MOST_PROBE and cost.seconds <= DEADLINE + 1)
        fine = in_time and cost.grown <= most * (1 if times == 1 else 2)
        kept &= fine
        answered = sorted({f"{answer.status} {answer.said}" for answer in answers})
        print(
            f"{name + note:44} {cost}  {'' if fine else 'TOO MUCH: '}{'; '.join(answered)}",
            flush=True,
        )
    return kept


def _commands(provider: _Provider) -> bool:
    """Let commands read a catalogue and an OpenAPI document. Their memory is compared with that of
    one that reads nothing.
    """
    kept = True
    with tempfile.TemporaryDirectory() as home:
        least = _command(home, "generate", "openapi", "--help")[0]
        provider.give("application/json", _BODIES["lists"][1]())
        for name, words in (
            ("catalogue", ("install", "any", "--from", provider.url)),
            ("OpenAPI document", ("generate", "openapi", provider.url)),
        ):
            peak, said = _command(home, *words)
            kept &= peak - least <= MOST_GROWN
            print(f"{name:44} {'':31} {peak - least:6.1f}  {said[-120:]}", flush=True)
    return kept


def _command(home: str, *words: str) -> tuple[float, str]:
    """Run a command; return the most MiB that it took, and the end of its output."""
    kept = "open('peak', 'w').write(open('/proc/self/status').read())"
    code = (
        f"import atexit, runpy, sys; atexit.register(lambda: {kept}); sys.argv[1:] = "
        f"{words!r}; runpy.run_module('jackfield', run_name='__main__')"
    )
    environment = {**os.environ, "JACKFIELD_HOME": home}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    status = Path(home, "peak").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return peak / 1024, (done.stdout + done.stderr).strip()


def _main(*wanted: str) -> int:
    kept = True
    with _providing() as provider:
        print(f"{'':44} {HEAD}")
        for who in _READERS:
            bodies = [
                (kind, coding)
                for kind in _FIT.get(who, tuple(_BODIES))
                for coding in (_CODINGS if kind in {"lists", "elements"} else ("plain",))
                if not wanted or any(part in f"{who}: {kind}, {coding}" for part in wanted)
            ]
            if bodies:
                kept &= _reader(who, bodies, provider)
        if not wanted or "commands" in wanted:
            kept &= _commands(provider)
    return int(not kept)


def _reader(who: str, bodies: Sequence[tuple[str, str]], provider: _Provider) -> bool:
    """Let a server of its own read these bodies, so that its memory is that of this reader."""
    kept = True
    with standing(_NOTHING) as stand:
        for name, about in _connections(provider.url).items():
            answer = stand.send(
                "POST", "/v1/connections?test=false", json.dumps({"name": name, **about}).encode()
            )
            assert answer.status == 201, (name, answer)
        ask = _asking(stand, provider, who)
        provider.give("application/json", b"[]")
        ask()  # what is loaded once
        for kind, coding in bodies:
            provider.give(_BODIES[kind][0], _CODINGS[coding](_BODIES[kind][1]()), coding)
            is_text = (kind in _TEXTS and who in {"action, text", "action, json"}) or kind in {
                "objects",
                "string",
            }
            kept &= _measured(stand, f"{who}: {kind}, {coding}", ask, is_text=is_text)
    return kept


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
