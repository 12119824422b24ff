"""Recordings: the HTTP requests of a test and their responses, stored without secrets as JSON, and
replayed strictly offline.

A recording is a script of the loopback provider. ``Recorder`` forwards each request to the real
endpoint and stores the exchange; ``Player`` answers from the file, and reports the first request
that differs. For both, the connection's value with the server's URL is the loopback provider's
address.
"""

from __future__ import annotations

import base64
import difflib
import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zlib import MAX_WBITS, decompress

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import replace_file
from jackfield.kernel.secrecy import without_password
from jackfield.redaction.marks import MASK
from jackfield.redaction.redactor import Redactor
from jackfield.wire.tls import client_context
from jackfield_market.testing.loopback_provider import Answer, Request

VERSION = 1
_URL = "${url}"
"""Placeholder of the server's address in a recording."""
_TIMEOUT = 60.0
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
    }
)
_NOT_SENT = _HOP | {"accept-encoding", "content-length"}
_NOT_STORED = _HOP | {
    "content-length",
    "content-encoding",
    "date",
    "server",
    "via",
    "set-cookie",
    "strict-transport-security",
    "alt-svc",
}
_CREDENTIALS = frozenset(
    {
        "accesstoken",
        "apikey",
        "assertion",
        "clientsecret",
        "idtoken",
        "password",
        "refreshtoken",
        "secret",
        "secretaccesskey",
        "secretkey",
        "sessiontoken",
    }
)
"""Names of members that hold credentials in requests and responses, in lower case without
punctuation.
"""
_ELEMENT = re.compile(r"<([A-Za-z]+)>([^<]+)</\1>")
_SECRET_HEADER = re.compile(r"token|secret|key|auth|cookie|session", re.IGNORECASE)


@dataclass(frozen=True)
class Exchange:
    """One request and its response, as sent over the network."""

    request: Request
    status: int
    headers: Mapping[str, str]
    content: bytes


class RecordingMismatch(AssertionError):
    """Error for a request that differs from the recording."""


class Scrubber:
    """Masking of secrets in exchanges: by value in every encoding that the runtime's masks know,
    and by name.

    ``ignore`` are names of JSON members and parameters that differ from run to run, such as a time;
    their values are masked too.
    """

    def __init__(self, redactor: Redactor, ignore: Sequence[str] = ()) -> None:
        self._redactor = redactor
        self._ignore = frozenset(ignore)

    def text(self, text: str) -> str:
        """Return the text with secrets masked."""
        return self._redactor.clean(text)

    def holds_secret(self, text: str) -> bool:
        """Return whether the text still contains a secret."""
        return self._redactor.holds(text)

    def request(self, request: Request) -> dict[str, Any]:
        """Return a request in the form of a recording: method, path, body and its media type,
        without other headers.
        """
        path, mark, query = self.text(request.path).partition("?")
        row: dict[str, Any] = {"method": request.method, "path": path + mark + self._pairs(query)}
        kind = _header(request.headers, "content-type")
        return (
            row
            | ({"contentType": kind.partition(";")[0]} if kind and request.body else {})
            | self.body(kind, request.body)
        )

    def response(self, exchange: Exchange) -> dict[str, Any]:
        """Return a response in the form of a recording: status, headers and body."""
        kept = {
            name.lower(): value
            for name, value in exchange.headers.items()
            if name.lower() not in _NOT_STORED
        }
        headers = {
            name: MASK if _SECRET_HEADER.search(name) else self.text(value)
            for name, value in sorted(kept.items())
        }
        kind = _header(exchange.headers, "content-type")
        return {"status": exchange.status, "headers": headers} | self.body(kind, exchange.content)

    def body(self, kind: str, content: bytes) -> dict[str, Any]:
        """Return a body as ``json``, ``text`` or ``base64``; empty for a request without a body."""
        if not content:
            return {}
        boundary = re.search(r'boundary="?([^";]+)', kind)
        if boundary:  # random in each request
            content = content.replace(boundary[1].encode(), b"boundary")
        try:
            text = self.text(content.decode("utf-8"))
        except UnicodeDecodeError:
            masked = self.text(content.decode("latin-1")).encode("latin-1", "replace")
            return {"base64": base64.b64encode(masked).decode()}
        if "form-urlencoded" in kind:
            return {"text": self._pairs(text)}
        try:
            return {"json": self._without(json.loads(text))} if "json" in kind else {"text": text}
        except ValueError:
            return {"text": text}

    def _pairs(self, text: str) -> str:
        if not self._ignore:
            return text
        return urlencode(
            [
                (name, MASK if name in self._ignore else value)
                for name, value in parse_qsl(text, keep_blank_values=True)
            ]
        )

    def _without(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: MASK if name in self._ignore else self._without(member)
                for name, member in value.items()
            }
        return [self._without(item) for item in value] if isinstance(value, list) else value


class Recorder:
    """Script of the loopback provider that forwards each request to ``endpoint``, and stores the
    exchange.
    """

    def __init__(self, path: Path, endpoint: str, address: Callable[[], str]) -> None:
        self._path = path
        self._endpoint = endpoint.rstrip("/")
        self._address = address
        self._exchanges: list[Exchange] = []
        self.fault: str | None = None

    def __call__(self, _number: int, request: Request) -> Answer:
        """Forward one request, and return its response."""
        try:
            status, headers, content = self._forwarded(request)
        except (OSError, http.client.HTTPException) as error:
            self.fault = f"'{without_password(self._endpoint)}' cannot be recorded: {error}"
            return Answer({"message": "the endpoint cannot be reached"}, 502)
        self._exchanges.append(Exchange(request, status, headers, content))
        here = {
            name: value
            for name, value in headers.items()
            if name.lower() not in _HOP | {"content-length", "content-encoding"}
        }
        return Answer(
            status=status,
            headers=self._moved(here),
            content=content.replace(self._endpoint.encode(), self._address().encode()),
        )

    def _moved(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: value.replace(self._endpoint, self._address()) for name, value in headers.items()
        }

    def _forwarded(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self._endpoint)
        secure = parts.scheme == "https"
        connection = (
            http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_TIMEOUT, context=client_context()
            )
            if secure
            else http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        )
        try:
            headers = {
                name: value
                for name, value in request.headers.items()
                if name.lower() not in _NOT_SENT
            }
            connection.request(
                request.method, parts.path + request.path, request.body or None, headers
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        found = dict(response.getheaders())
        return response.status, found, _plain(content, _header(found, "content-encoding"))

    def save(self, redactor: Redactor, ignore: Sequence[str] = ()) -> None:
        """Write the recording, with secrets masked: the secrets of ``redactor``, and credentials by
        the names of their members.

        :raises RecordingMismatch: if a secret remains, or nothing was sent.
        """
        if not self._exchanges:
            raise RecordingMismatch(f"nothing was sent, so '{self._path.name}' cannot be recorded")
        named = [secret for exchange in self._exchanges for secret in _credentials(exchange)]
        scrubber = Scrubber(redactor.extended(named), ignore)
        rows = []
        for exchange in self._exchanges:
            moved = Exchange(
                exchange.request,
                exchange.status,
                {
                    name: value.replace(self._endpoint, _URL)
                    for name, value in exchange.headers.items()
                },
                exchange.content.replace(self._endpoint.encode(), _URL.encode()),
            )
            rows.append(
                {
                    "request": scrubber.request(exchange.request),
                    "response": scrubber.response(moved),
                }
            )
        text = (
            json.dumps(
                {"recordingVersion": VERSION, "exchanges": rows}, indent=2, ensure_ascii=False
            )
            + "\n"
        )
        if any(map(scrubber.holds_secret, _contents(rows))):
            raise RecordingMismatch(
                f"'{self._path.name}' would hold a secret and was not written: shorten or change "
                "what the test sends"
            )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(str(self._path), text.encode())


class Player:
    """Script of the loopback provider that answers from a recording, in its order. ``fault``
    describes the first unexpected request.

    :raises InvalidInvocation: if the file is missing or is not a recording.
    """

    def __init__(
        self, path: Path, scrubber: Callable[[], Scrubber], address: Callable[[], str]
    ) -> None:
        self._name = path.stem
        self._exchanges = exchanges(path)
        self._scrubber = scrubber
        self._address = address
        self._played = 0
        self.fault: str | None = None

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer a request, if it matches the next recorded one."""
        sent = self._scrubber().request(request)
        if self.fault is None and self._played < len(self._exchanges):
            exchange = self._exchanges[self._played]
            if exchange["request"] == sent:
                self._played += 1
                return answer_of(exchange, self._address())
            self.fault = (
                f"request {self._played + 1} differs from the recording "
                f"'{self._name}':\n{_difference(exchange['request'], sent)}"
            )
        elif self.fault is None:
            self.fault = (
                f"the recording '{self._name}' ends after {self._played} requests, but "
                f"another was sent:\n{_request_text(sent)}"
            )
        return Answer({"message": "this request is not in the recording"}, 400)

    def reached(self, host: str) -> None:
        """Record as a fault that the code tried to reach another host than the recorded server."""
        self.fault = self.fault or (
            f"'{host}' was to be reached while the recording '{self._name}' is played: "
            "what it returns is not recorded"
        )

    @property
    def left(self) -> str | None:
        """Return a sentence about the recorded requests that were not sent; None if all were
        sent.
        """
        rest = self._exchanges[self._played :]
        if not rest:
            return None
        return (
            f"{len(rest)} requests of the recording '{self._name}' were not sent, the first "
            f"is:\n{_request_text(rest[0]['request'])}"
        )


def exchanges(path: Path) -> list[dict[str, Any]]:
    """Read the exchanges of a recording.

    :raises InvalidInvocation: if the file is missing or is not a recording.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        hint = "Record it: run pytest with --record, and with a connection to a test account."
        raise InvalidInvocation(f"there is no recording '{path}'", hint=hint) from None
    except ValueError as error:
        raise InvalidInvocation(
            f"'{path}' is not JSON: {error}", hint="Record it again with --record."
        ) from None
    if (
        not isinstance(data, dict)
        or data.get("recordingVersion") != VERSION
        or not isinstance(data.get("exchanges"), list)
    ):
        raise InvalidInvocation(
            f"'{path}' is not a recording of version {VERSION}",
            hint="Record it again with --record.",
        )
    found: list[dict[str, Any]] = data["exchanges"]
    return found


def answer_of(exchange: Mapping[str, Any], address: str) -> Answer:
    """Return the response of a recorded exchange, with ``address`` in place of the recorded
    server's address.
    """
    response = exchange["response"]
    headers = {name: value.replace(_URL, address) for name, value in response["headers"].items()}
    if "json" in response:
        body = json.loads(json.dumps(response["json"], ensure_ascii=False).replace(_URL, address))
        return Answer(body, response["status"], headers)
    content = (
        base64.b64decode(response["base64"])
        if "base64" in response
        else response.get("text", "").replace(_URL, address).encode()
    )
    return Answer(status=response["status"], headers=headers, content=content)


def _contents(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the values from the exchanges, without the recording's own names and numbers, which may
    equal a short secret.
    """
    for message in (message for row in rows for message in row.values()):
        yield message.get("path", "")
        yield from message.get("headers", {}).values()
        yield from (
            json.dumps(message[name], ensure_ascii=False)
            for name in ("json", "text", "base64")
            if name in message
        )


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _plain(content: bytes, encoding: str) -> bytes:
    return (
        decompress(content, MAX_WBITS | 32)
        if encoding.lower() in {"gzip", "deflate"} and content
        else content
    )


def _credentials(exchange: Exchange) -> Iterator[str]:
    """Yield the values of members whose names denote credentials, in JSON, forms, XML and
    queries.
    """
    for content in (exchange.request.body, exchange.content):
        text = content.decode("utf-8", "replace")
        try:
            yield from _credential_values(json.loads(text))
        except ValueError:
            pairs = [*_ELEMENT.findall(text), *parse_qsl(text)]
            yield from (value for name, value in pairs if _is_credential(name))
    yield from (
        value
        for name, value in parse_qsl(urlsplit(exchange.request.path).query)
        if _is_credential(name)
    )


def _credential_values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, str) and _is_credential(name):
                yield member
            else:
                yield from _credential_values(member)
    elif isinstance(value, list):
        for item in value:
            yield from _credential_values(item)


def _is_credential(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in _CREDENTIALS


def _lines(request: Mapping[str, Any]) -> list[str]:
    head = [
        f"{request['method']} {request['path']}",
        *([f"Content-Type: {request['contentType']}"] if "contentType" in request else []),
    ]
    if "json" in request:
        return [
            *head,
            *json.dumps(request["json"], indent=2, ensure_ascii=False, sort_keys=True).splitlines(),
        ]
    return [*head, *str(request.get("text", request.get("base64", ""))).splitlines()]


def _request_text(request: Mapping[str, Any]) -> str:
    return "\n".join(f"  {line[:300]}" for line in _lines(request)[:50])


def _difference(recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
    lines = difflib.unified_diff(
        _lines(recorded), _lines(sent), "recorded", "sent", lineterm="", n=3
    )
    return "\n".join(f"  {line[:300]}" for line in list(lines)[:80])
