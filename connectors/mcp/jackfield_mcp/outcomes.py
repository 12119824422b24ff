"""Meaning of what a server answers: which failure is a refusal, which one leaves a call in doubt, and what is done again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jackfield.connector import Detail, Forbidden, JackfieldError, NotFound, Provider, Rejected, Sent, Unavailable
from jackfield.kernel.dataclass import dataclass
from jackfield_http.errors import ROWS, HttpErrors, Refusal, Row
from jackfield_http.urls import UrlError, parse_url
from jackfield_mcp.messages import Message
from jackfield_mcp.naming import READ
from jackfield_mcp.texts import one_line, plain

_INTERNAL = -32603
_MISMATCH = -32020
_VERSION = -32022
_ASKS_BY_URL = -32042
_NO_RESOURCE = -32002
_REFUSED = frozenset({-32700, -32600, -32601, -32602, -32021})
"""Codes of errors that say that nothing was done; of any other, nobody knows."""
_SCOPES = re.compile(r'scope="([^"\\]{1,1000})"')
_AGAIN = "Connect it again: a person has to approve the further scopes."

Json = Mapping[str, Any]


class SessionEnded(Rejected):
    """The server does not know the session any more: nothing was done."""


class VersionRefused(Rejected):
    """The server does not speak the revision of the request: nothing was done. ``supported`` are those that it speaks, as it says."""

    supported: tuple[str, ...] = ()


class HeaderMismatch(Rejected):
    """The header fields do not fit the message, as the server sees the tool: nothing was done."""


class ScopesMissing(Forbidden):
    """The sign-in does not cover the call: nothing was done. ``scopes`` are those that the server asks for."""

    scopes: tuple[str, ...] = ()


class InputRequired(Forbidden):
    """The server asks a person for something before it does anything: ``requests`` by their names, and the ``state`` that it wants back."""

    requests: Mapping[str, Json] = {}
    state: str | None = None


@dataclass(frozen=True, slots=True)
class McpErrors(HttpErrors):
    """Meaning of HTTP statuses and the JSON-RPC errors that come with them."""

    def explain(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a response that is no success."""
        error, status = refusal.body.get("error") if isinstance(refusal.body, Mapping) else None, refusal.status
        if isinstance(error, Mapping) and isinstance(error.get("code"), int) and status in (400, 404):
            return explained(error, status)
        found = HttpErrors.explain(self, refusal)
        found.provider = _shortened(found.provider, status)
        if status == 403:
            return _forbidden(found, refusal)
        return found


MCP_ERRORS = McpErrors(
    rows={**ROWS, **dict.fromkeys((404, 405, 406, 409, 410, 412), Row(Rejected, "Check the server's URL."))}, details=False
)


def _shortened(said: Provider | None, status: int) -> Provider:
    """Return the server's own words without hidden characters."""
    found = said or Provider(http_status=status)
    return Provider(one_line(found.code, 100) or None, plain(found.message, 1000) or None, status, found.request_id)


def _forbidden(found: JackfieldError, refusal: Refusal) -> JackfieldError:
    challenge = refusal.headers.get("www-authenticate", "")
    if "insufficient_scope" not in challenge:
        return found
    scopes = _SCOPES.search(challenge)
    wanted = one_line(scopes[1], 1000) if scopes else ""
    details = [Detail("/scopes", f"the server asks for: {wanted}")] if wanted else []
    missing = ScopesMissing(
        "the sign-in does not cover this call", details=details, hint=_AGAIN, provider=found.provider, sent=Sent.REFUSED
    )
    missing.scopes = tuple(wanted.split())
    return missing


def explained(error: Json, status: int = 200, *, method: str = "") -> JackfieldError:
    """Return the error for one of JSON-RPC's, which answers a request for ``method``."""
    code, words = error.get("code"), plain(error.get("message"), 1000)
    said = Provider(str(code), words or None, status)
    text = f"the server refused the call: {words or code}"
    if code == _MISMATCH:
        return HeaderMismatch(text, provider=said, sent=Sent.REFUSED)
    if code == _VERSION:
        refused = VersionRefused(text, provider=said, sent=Sent.REFUSED)
        refused.supported = _supported(error.get("data"))
        return refused
    if code == _ASKS_BY_URL:
        return asks_person(error.get("data"))
    if code == _NO_RESOURCE and method == READ:
        return NotFound(text, provider=said, sent=Sent.REFUSED)
    if code in _REFUSED or (status != 200 and code != _INTERNAL):
        return Rejected(text, provider=said, sent=Sent.REFUSED)
    hint = "The server did not say whether it had done it: look there."
    return Unavailable(f"the server failed: {words or code}", hint=hint, provider=said, sent=Sent.UNKNOWN)


class Garbled(Unavailable):
    """An answer was read and makes no sense: to read on would not help."""


def garbled(reason: str) -> Garbled:
    """Return the error for an answer that is none: what the server has done is not known."""
    return Garbled(f"the server's answer {reason}", hint="Report it to whoever runs the server.", sent=Sent.UNKNOWN)


def asks_person(data: object, text: str = "") -> InputRequired:
    """Return the error for a server that wants a person to do something first; nothing was done."""
    host, words = _host_in(data), _question_in(data)
    hint = (
        f"Open the server's own page ('{host}') and finish there what it asks for."
        if host
        else "Use the tool in the server's own client once, or install a plugin that answers (hook 'answer')."
    )
    said = Provider("input_required", words) if words else None
    text = text or "the server asks a person for something before it does this, and nobody here answers"
    found = InputRequired(text, hint=hint, provider=said, sent=Sent.REFUSED)
    if isinstance(data, Mapping) and isinstance(data.get("inputRequests", {}), Mapping):
        found.requests = {str(name): row for name, row in data.get("inputRequests", {}).items() if isinstance(row, Mapping)}
        found.state = data.get("requestState") if isinstance(data.get("requestState"), str) else None
    return found


def _supported(data: object) -> tuple[str, ...]:
    listed = data.get("supported") if isinstance(data, Mapping) else None
    return tuple(one for one in listed if isinstance(one, str))[:100] if isinstance(listed, list) else ()


def _asked_in(data: object) -> list[Json]:
    """Return the parameters of what a server asks for."""
    if not isinstance(data, Mapping):
        return []
    listed = data.get("inputRequests") or data.get("elicitations") or ()
    rows = listed.values() if isinstance(listed, Mapping) else listed if isinstance(listed, list) else ()
    found = [row.get("params", row) for row in rows if isinstance(row, Mapping)]
    return [params for params in found if isinstance(params, Mapping)]


def _question_in(data: object) -> str:
    """Return the first question that a server asks, in its words."""
    return next((words for params in _asked_in(data) if (words := plain(params.get("message"), 1000))), "")


def _host_in(data: object) -> str:
    """Return the host of the first URL among what a server asks for."""
    for params in _asked_in(data):
        with suppress(UrlError):
            if isinstance(params.get("url"), str):
                return parse_url(params["url"]).host
    return ""


def result_of(found: object, message: Message) -> Json:
    """Return the result in the answer to a message.

    :raises JackfieldError: if it is an error, or no answer to this message.
    """
    if not isinstance(found, Mapping) or found.get("jsonrpc") != "2.0":
        raise garbled("is no message of JSON-RPC")
    if ("result" in found) == ("error" in found):
        raise garbled("has both a result and an error, or neither")
    error = found.get("error")
    if isinstance(error, Mapping) and found.get("id") in (message.id, None):
        raise explained(error, method=message.method)
    if found.get("id") != message.id:
        raise garbled("belongs to another request")
    if not isinstance(found.get("result"), Mapping):
        raise garbled("has no result that can be read")
    result: Json = found["result"]
    return result
