"""A client for the notes server, and the mapping of its failures to errors."""

import http.client
import json
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import Forbidden, Guard, JackfieldError, NotFound, Provider, RateLimited
from jackfield.connector import Rejected, Sent, Unauthenticated, Unavailable, bounded_answer, current_call

KINDS: dict[int, type[JackfieldError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 429: RateLimited}


class Refused(Exception):
    """A response with an error status."""

    def __init__(self, status: int, reason: str, retry_after: str | None) -> None:
        super().__init__(status)
        self.status, self.reason, self.retry_after = status, reason, retry_after


class NotesClient:
    """Calls one notes server with one token."""

    def __init__(self, url: str, token: str, guard: Guard) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._guard = guard

    def call(self, method: str, path: str, body: object = None, step: str = "", **headers: str) -> Any:
        """Send a request and return the JSON of the response."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **headers}
        call = current_call()
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port or (443 if self._url.scheme == "https" else 80))
        connection.sock = self._connected(call.remaining() if call else 30)
        try:
            if call is not None:
                call.begin(step, safe=method == "GET")
            connection.sock.settimeout(call.remaining() if call else 30)
            connection.request(method, self._url.path.rstrip("/") + path, json.dumps(body), headers)
            with connection.getresponse() as answer:
                content = b"".join(bounded_answer(iter(lambda: answer.read1(65536), b"")))
                if answer.length:
                    raise http.client.IncompleteRead(content, answer.length)
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, answer.reason, answer.headers["Retry-After"])
        found = json.loads(content)
        if call is not None:
            call.answered(found)
        return found

    def _connected(self, seconds: float) -> socket.socket:
        host = self._url.hostname or ""
        try:
            sock = self._guard.connect(host, self._url.port or (443 if self._url.scheme == "https" else 80), seconds, "/url")
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host) if self._url.scheme == "https" else sock
        except OSError as error:
            hint = "Check 'url', and whether the server is running."
            raise Unavailable(f"the notes server cannot be reached: {error}", sent=Sent.NOTHING, hint=hint) from None


def explain(error: Exception, client: object, inputs: object) -> JackfieldError | None:
    """Map an exception to an error with a code; return None if it is unknown."""
    if isinstance(error, Refused):
        said = Provider(http_status=error.status, message=error.reason)
        if error.status >= 500:
            return Unavailable("the notes server failed", sent=Sent.UNKNOWN, provider=said)
        wait = float(error.retry_after) if error.retry_after else None
        kind = KINDS.get(error.status, Rejected)
        return kind(f"the notes server refused: {error.reason}", sent=Sent.REFUSED, provider=said, retry_after=wait)
    if isinstance(error, OSError | http.client.HTTPException):
        return Unavailable("the connection to the notes server was lost", sent=Sent.UNKNOWN)
    return None
