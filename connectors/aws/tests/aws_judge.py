"""boto3 beside us: one call of any operation of AWS is made by both, and what was sent and what
came out are compared.

A server of one process answers both calls (``Stand``), under any host name that ends in
``judge.test``, so that names which belong to the host are seen, too. Inputs are made from the
models, once as Python's values for boto3 and once as JSON for us, by ``aws_judge_values``.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import BaseCBORParser, ResponseParserError
from botocore.response import StreamingBody

from aws_judge_values import same
from jackfield_aws.virtual.names import action_key
from jackfield_store.runtime import Jackfield
from moto_rig import EVERYTHING, offer

REGION = "us-east-1"
KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
_DOMAIN = "judge.test"
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN = b"00000000-0000-4000-8000-000000000000"
_HOP = frozenset(
    (
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "user-agent",
        "x-amz-date",
        "x-amzn-trace-id",
    )
)
"""Header fields that belong to the connection, to the clock and to the client."""
_OF_BODY = ("x-amz-content-sha256", "content-md5")
"""Header fields that follow from the body's bytes: another order of its members makes others."""

Reply = tuple[int, Mapping[str, str], bytes]
_XML = b"<ErrorResponse><Error><Code>Judged</Code><Message>No.</Message></Error><RequestId>r</RequestId></ErrorResponse>"
_EC2 = b"<Response><Errors><Error><Code>Judged</Code><Message>No.</Message></Error></Errors><RequestID>r</RequestID></Response>"


def refusal(protocol: str) -> Reply:
    """Return an answer to requests of which only the request matters."""
    if protocol == "smithy-rpc-v2-cbor":
        return (
            400,
            {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"},
            b"\xa1\x66__type\x66Judged",
        )
    if protocol in ("query", "ec2", "rest-xml"):
        return 400, {"Content-Type": "text/xml"}, _EC2 if protocol == "ec2" else _XML
    return (
        400,
        {"Content-Type": "application/json", "x-amzn-ErrorType": "Judged"},
        b'{"__type": "Judged", "message": "No."}',
    )


@dataclass(frozen=True)
class Sent:
    """One request as it came over the wire."""

    method: str
    host: str
    target: str
    fields: Mapping[str, str]
    body: bytes

    def exact(self) -> Any:
        """Return what must be equal for two requests to be equal byte by byte; idempotency tokens
        are equal.
        """
        return (
            self.method,
            self.host,
            _UUID.sub(_TOKEN, self.target.encode()),
            self._fields(),
            _UUID.sub(_TOKEN, self.body),
        )

    def meaning(self) -> Any:
        """Return what must be equal for two requests to mean the same: the order of members and of
        query parameters does not matter.
        """
        parts = urlsplit(self.target)
        query = sorted(
            (name, _plain(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        fields = {name: value for name, value in self._fields().items() if name not in _OF_BODY}
        return self.method, self.host, unquote(parts.path), query, fields, self._content()

    def _fields(self) -> dict[str, str]:
        return {name: _plain(value) for name, value in self.fields.items() if name not in _HOP}

    def _content(self) -> Any:
        kind, body = self.fields.get("content-type", ""), _UUID.sub(_TOKEN, self.body)
        with contextlib.suppress(ValueError, ET.ParseError, KeyError, IndexError):
            if "json" in kind and body:
                return json.loads(body, parse_float=Decimal)
            if "form-urlencoded" in kind:
                pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
                # Signature Version 2 signs the clock
                is_signed = any(name == "SignatureVersion" for name, _ in pairs)
                return [
                    pair
                    for pair in pairs
                    if not is_signed or pair[0] not in ("Signature", "Timestamp")
                ]
            if "cbor" in kind and body:
                return _unordered(
                    BaseCBORParser(None, None).parse_data_item(io.BufferedReader(io.BytesIO(body)))
                )
            if body.startswith(b"<"):
                return _tree(ET.fromstring(body))
        return body


def _plain(text: str) -> str:
    return _UUID.sub(_TOKEN, text.encode()).decode()


def _unordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unordered(item) for name, item in value.items()}
    return [_unordered(item) for item in value] if isinstance(value, list) else value


def _tree(node: ET.Element) -> Any:
    """Return an element with its children in their order, for lists of XML have no other."""
    return node.tag, sorted(node.attrib.items()), node.text, [_tree(child) for child in node]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Any

    def handle_any(self) -> None:
        """Note the request, and send what the stand answers."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        if fields.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        body = (
            _chunked(self.rfile)
            if fields.get("transfer-encoding") == "chunked"
            else self.rfile.read(int(fields.get("content-length") or 0))
        )
        sent = Sent(self.command, fields.get("host", "").partition(":")[0], self.path, fields, body)
        self.server.stand.requests.append(sent)
        status, headers, content = self.server.stand.reply(sent)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in (
                "content-length",
                "transfer-encoding",
                "connection",
                "date",
                "server",
            ):
                self.send_header(name, str(value))
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        elif "content-length" in {name.lower() for name in headers}:
            self.send_header(
                "Content-Length",
                next(
                    str(value)
                    for name, value in headers.items()
                    if name.lower() == "content-length"
                ),
            )
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # what http.server looks for: one for each method of HTTP
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _chunked(stream: Any) -> bytes:
    pieces = []
    while size := int(stream.readline().partition(b";")[0], 16):
        pieces.append(stream.read(size))
        stream.readline()
    while stream.readline() not in (b"\r\n", b""):
        pass
    return b"".join(pieces)


class Stand:
    """The server that both ask. ``reply`` answers a request; ``requests`` are those that came."""

    def __init__(self) -> None:
        self.requests: list[Sent] = []
        self.reply: Callable[[Sent], Reply] = lambda _sent: refusal("json")
        self.url = ""

    def says(self, *replies: Reply) -> None:
        """Answer the next requests so; the last answer is repeated."""
        waiting = deque(replies)
        self.reply = lambda _sent: waiting.popleft() if len(waiting) > 1 else waiting[0]
        self.requests = []


@contextlib.contextmanager
def stand() -> Iterator[Stand]:
    """Start the server, and let the names of its domain lead to it."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.stand = True, (made := Stand())
    made.url = f"http://{_DOMAIN}:{server.server_address[1]}"
    thread, lookup = (
        Thread(target=server.serve_forever, name="judge", daemon=True),
        socket.getaddrinfo,
    )

    def found(host: Any, *more: Any, **named: Any) -> Any:
        is_ours = isinstance(host, str) and host.endswith(_DOMAIN)
        return lookup("127.0.0.1" if is_ours else host, *more, **named)

    thread.start()
    try:
        with mock.patch.object(socket, "getaddrinfo", found):
            yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@dataclass
class Count:
    """Outcome of a comparison. ``explained`` has a line for each difference that has a reason,
    ``different`` one for each that has none.
    """

    calls: int = 0
    exact: int = 0
    alike: int = 0
    refused: int = 0
    services: set[str] = field(default_factory=set)
    protocols: dict[str, int] = field(default_factory=dict)
    explained: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    def line(self, what: str) -> str:
        """Return the outcome in one line."""
        return (
            f"{self.calls} {what} of {len(self.services)} services "
            f"{dict(sorted(self.protocols.items()))}: {self.exact} equal, "
            f"{self.alike} equal in meaning, {self.refused} refused by both, "
            f"{len(self.explained)} explained, {len(self.different)} differ"
        )


class Pair:
    """Both callers of one stand: ours, and boto3."""

    def __init__(self, jackfield: Jackfield, at: Stand) -> None:
        self.at = at
        self.jackfield = jackfield
        self.connection = {
            "type": "apiKeySecret",
            "values": {**KEYS, "endpoint": at.url, "region": REGION},
        }
        self._session = boto3.Session(
            KEYS["accessKeyId"],
            KEYS["secretAccessKey"],
            region_name=REGION,
            botocore_session=_quiet_session(),
        )
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        if service not in self._clients:
            config = Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                inject_host_prefix=False,
                account_id_endpoint_mode="disabled",
                # an endpoint of one's own has no prefixes here (test_aws_direct_parity.py has those
                # of AWS's own hosts)
            )
            self._clients[service] = self._session.client(
                service, endpoint_url=self.at.url, config=config
            )
        return self._clients[service]

    def ours(self, service: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return our Result as JSON."""
        asked = {
            "connector": f"aws.{service}",
            "action": action_key(name),
            "connection": self.connection,
            "inputs": dict(inputs),
        }
        return self.jackfield.invoke({**asked, "timeoutSeconds": 20}).to_json()

    def theirs(self, service: str, name: str, parameters: Mapping[str, Any]) -> Any:
        """Return boto3's answer, its bytes read, or what it raised."""
        client = self.client(service)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = client._make_api_call(name, dict(parameters))
                return {
                    key: value.read() if isinstance(value, StreamingBody) else value
                    for key, value in found.items()
                }
        except (
            BotoCoreError,
            ClientError,
            ResponseParserError,
            ValueError,
            TypeError,
            AttributeError,
        ) as error:
            return error

    def shape(self, service: str, name: str) -> Any:
        """Return the operation's model."""
        return self.client(service).meta.service_model.operation_model(name)


def _quiet_session() -> Any:
    return botocore.session.Session(
        session_vars={
            "profile": (None, [], None, None),
            "config_file": (None, None, "/nonexistent", None),
        }
    )


@contextlib.contextmanager
def pair(home: Any, database_url: str = "none") -> Iterator[Pair]:
    """Start a stand, a runtime that is offered all of AWS, and boto3."""
    with (
        stand() as at,
        Jackfield(
            database_url=database_url, environment=offer(home, {"default": EVERYTHING})
        ) as jackfield,
    ):
        yield Pair(jackfield, at)


def requests_differ(ours: list[Sent], theirs: list[Sent]) -> str | None:
    """Return how two rows of requests differ: empty if only in bytes, None if not at all."""
    if [one.exact() for one in ours] == [one.exact() for one in theirs]:
        return None
    mine, other = [one.meaning() for one in ours], [one.meaning() for one in theirs]
    if mine == other:
        return ""
    if len(mine) != len(other):
        return f"{len(mine)} requests, {len(other)} of boto3"
    names = ("method", "host", "path", "query", "fields", "body")
    return "; ".join(
        f"{part}: {str(a)[:400]} != {str(b)[:400]}"
        for one, two in zip(mine, other, strict=True)
        for part, a, b in zip(names, one, two, strict=True)
        if a != b
    )


def answers_differ(
    result: Mapping[str, Any], theirs: Any, ignored: frozenset[str] = frozenset()
) -> list[str]:
    """Return the places in which our Result differs from boto3's answer or error."""
    error = result.get("error")
    if isinstance(theirs, ClientError):
        code = str(theirs.response.get("Error", {}).get("Code", ""))
        ours = (error or {}).get("provider", {}).get("code", "") if error else None
        return (
            []
            if ours is not None and code in (ours, "", "Unknown")
            else [f"error {code} of boto3, {_summary(result)}"]
        )
    if isinstance(theirs, Exception):
        return (
            []
            if error
            else [
                f"boto3 raised {type(theirs).__name__}: {str(theirs)[:150]}; we {_summary(result)}"
            ]
        )
    if error:
        return [f"boto3 answered, {_summary(result)}"]
    expected = {name: value for name, value in theirs.items() if name != "ResponseMetadata"}
    return list(same(result.get("output"), expected, "", ignored))


def _summary(result: Mapping[str, Any]) -> str:
    error = result.get("error")
    return (
        "succeeded"
        if not error
        else f"{error['code']}: {error['message'][:150]} {error.get('details', '')!s:.300}"
    )
