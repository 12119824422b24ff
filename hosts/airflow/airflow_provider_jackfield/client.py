"""Requests to a jackfield server about invocations, and their answers. Callers send the requests
with ``httpx``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

_OPEN = ("queued", "running", "waiting")
"""States of an invocation that has not ended; ``waiting`` needs a person's approval."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Timeout of one request in seconds: no request waits for the action itself."""


class ServerError(Exception):
    """Error of a server that did not answer, or refused the request itself. ``retryable`` means
    that a later request may succeed.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True)
class Invocation:
    """State of an invocation. ``error`` is the error of its Result, if it failed or is in doubt."""

    id: str
    status: str
    output: Any = None
    error: Mapping[str, Any] | None = None

    @property
    def is_open(self) -> bool:
        """True until the invocation has ended."""
        return self.status in _OPEN

    def describe(self) -> str:
        """Return a sentence that describes how the invocation ended."""
        error = self.error or {}
        text = f"{error.get('code', self.status)}: {error.get('message', 'no reason is known')}"
        hint = f" {error['hint']}" if error.get("hint") else ""
        return f"the invocation {self.id} is {self.status}: {text}.{hint}"

    @property
    def retryable(self) -> bool:
        """True if the same call may succeed later: it was not sent, or it is in doubt and the
        provider still knows its key, by which it takes effect once.
        """
        return bool((self.error or {}).get("retryable"))


@dataclass(frozen=True)
class Server:
    """Address and token of a server."""

    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Header fields of each request."""
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}

    def submitting(self, body: Mapping[str, Any], key: str | None) -> httpx.Request:
        """Return the request that queues an invocation. A repetition with the same key returns the
        state of the first invocation.

        The server refuses a blank key, since a call without a key may be sent twice.
        """
        content = {**body} if key is None else {"idempotencyKey": key, **body}
        headers = {**self.headers, "Prefer": "respond-async"}
        return httpx.Request(
            "POST", f"{self.url}/v1/invocations", json=content, headers=headers, extensions=_LIMITS
        )

    def asking(self, identifier: str) -> httpx.Request:
        """Return the request for the state of an invocation."""
        return httpx.Request(
            "GET",
            f"{self.url}/v1/invocations/{quote(identifier, safe='')}",
            headers=self.headers,
            extensions=_LIMITS,
        )

    def cancelling(self, identifier: str) -> httpx.Request:
        """Return the request that cancels an invocation that has not been sent yet."""
        url = f"{self.url}/v1/invocations/{quote(identifier, safe='')}/cancel"
        return httpx.Request("POST", url, headers=self.headers, extensions=_LIMITS)


_LIMITS = {"timeout": TIMEOUT.as_dict()}


def read(response: httpx.Response) -> Invocation:
    """Parse the state of an invocation in a response.

    :raises ServerError: if the response holds none: the server refused the request, or something
        else answered.
    """
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, Mapping):
        raise ServerError(
            f"HTTP status {response.status_code} without JSON: is this a jackfield server?",
            retryable=_is_later(response),
        )
    result, meta = _object(content, "result") or content, _object(content, "meta")
    identifier = content.get("invocationId") or content.get("id") or meta.get("invocationId")
    if not identifier or "status" not in content or isinstance(content["status"], int):
        text = (
            content.get("detail") or content.get("title") or "it is no answer of a jackfield server"
        )
        raise ServerError(
            f"HTTP status {response.status_code}: {text}", retryable=_is_later(response)
        )
    return Invocation(
        str(identifier), str(content["status"]), result.get("output"), result.get("error")
    )


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}


def _is_later(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error
