"""What stands in front of moto: notes each call, and keeps each message that was accepted as AWS received it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from jackfield_aws_ses.demo.received import SentMessage, read_request

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Call", "Front"]

_SEND = "POST /v2/email/outbound-emails"
_NAMES = {_SEND: "SendEmail", "GET /v2/email/account": "GetAccount"}
_OK = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A request that AWS answered: the operation (``AssumeRole``) and the HTTP status."""

    operation: str
    status: int

    @property
    def granted(self) -> bool:
        """Whether AWS did what was asked."""
        return self.status == _OK


class Front:
    """A WSGI application around another one. What it notes is there before the caller has the answer."""

    def __init__(self, app: WSGIApplication, on_sent: Callable[[SentMessage], object] | None = None) -> None:
        self._app = app
        self._on_sent = on_sent
        self.calls: list[Call] = []
        self.sent: list[SentMessage] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, and note how it was answered."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        lines: list[str] = []

        def started(status: str, headers: list[tuple[str, str]], fault: Any = None) -> Any:  # noqa: ANN401 (WSGI's signature)
            lines.append(status)
            return start_response(status, headers, fault)

        answers = self._app(environ, started)
        try:
            answer = b"".join(answers)
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                close()
        self._note(_operation(environ, body), int(lines[-1].partition(" ")[0]), body, answer)
        return [answer]

    def _note(self, operation: str, status: int, body: bytes, answer: bytes) -> None:
        call = Call(operation, status)
        self.calls.append(call)
        if operation == "SendEmail" and call.granted and body[:1] == b"{":
            message = read_request(json.loads(body), json.loads(answer)["MessageId"])
            self.sent.append(message)
            if self._on_sent is not None:
                self._on_sent(message)


def _operation(environ: WSGIEnvironment, body: bytes) -> str:
    """The name of the operation: a member of the form in AWS's query protocol, known by method and path in its REST protocol."""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    route = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return _NAMES.get(route, route)
