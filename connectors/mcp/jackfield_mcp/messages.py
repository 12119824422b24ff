"""JSON-RPC messages of MCP, the supported revisions, and the header fields that repeat parts of a
message.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from itertools import count
from typing import Any

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import find as at_pointer
from jackfield_mcp.cookies import SessionCookies
from jackfield_mcp.listening import Mailbox
from jackfield_mcp.version import VERSION

MODERN = "2026-07-28"
"""Revision without sessions: each request carries all its data."""
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions that begin with ``initialize``, newest first."""
CLIENT = {"name": "jackfield", "version": VERSION}
_META = "io.modelcontextprotocol/"
_NAMED_BY = {
    "tools/call": "name",
    "resources/read": "uri",
    "prompts/get": "name",
    "tasks/get": "taskId",
    "tasks/cancel": "taskId",
    "tasks/update": "taskId",
}
"""Parameter whose value the field ``Mcp-Name`` repeats, by method."""
_LEAST_ID, _IDS = 10**9, 10**9 + 7
"""Lower bound and number of IDs, a prime: all have 10 digits and fit 32 bits with a sign, since
some servers store no larger numbers.
"""
_ID = re.compile(r'\s*"?([0-9]{10})(?:\.0+)?"?\s*', re.ASCII)
_OF_ANSWERS = frozenset({"jsonrpc", "id", "result", "error"})
PROGRESS = "notifications/progress"
_QUESTIONS = frozenset({"elicitation/create", "sampling/createMessage"})
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_LOOKS_ENCODED = re.compile(r"=\?base64\?.*\?=", re.IGNORECASE)

Json = Mapping[str, Any]


class RequestIds:
    """Sequence of IDs of the requests in one session. Each occurs once, and nobody can guess the
    next one from another.
    """

    def __init__(self) -> None:
        self._first, self._step, self._numbers = (
            secrets.randbelow(_IDS),
            1 + secrets.randbelow(_IDS - 1),
            count(),
        )

    def next(self) -> int:
        """Return a new ID."""
        return _LEAST_ID + (self._first + next(self._numbers) * self._step) % _IDS


@dataclass(frozen=True, slots=True)
class Session:
    """Outcome of a negotiation with a server: the revision, its capabilities, and the session's ID
    if the server uses sessions.
    """

    version: str
    id: str | None = None
    capabilities: Json = field(default_factory=dict)
    about: Json = field(default_factory=dict)
    """Name and version of the server, as the server states them."""
    cookies: SessionCookies = field(default_factory=SessionCookies, compare=False, repr=False)
    mailbox: Mailbox = field(default_factory=Mailbox, compare=False, repr=False)
    ids: RequestIds = field(default_factory=RequestIds, compare=False, repr=False)

    @property
    def is_modern(self) -> bool:
        """True for the revision without sessions."""
        return self.version == MODERN

    @property
    def has_resources(self) -> bool:
        """True if the server declares resources."""
        return isinstance(self.capabilities.get("resources"), Mapping)

    @property
    def has_tasks(self) -> bool:
        """True if the server declares the tasks extension."""
        extensions = self.capabilities.get("extensions")
        return self.is_modern and isinstance(extensions, Mapping) and TASKS in present(extensions)


TASKS = f"{_META}tasks"


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """Request: its method, its parameters, the client's capabilities, and an ID that nobody can
    guess; None for a notification.
    """

    method: str
    params: Json
    id: int | None
    offers: Json = field(default_factory=dict)

    @classmethod
    def request(
        cls,
        ids: RequestIds,
        method: str,
        params: Json,
        offers: Json | None = None,
        *,
        follows: bool = False,
    ) -> Message:
        """Return a request with the next ID of ``ids``. With ``follows``, the server is to report
        its progress under that ID.
        """
        identifier = ids.next()
        asked = {**params, "_meta": {"progressToken": identifier}} if follows else params
        return cls(method, asked, identifier, offers or {})

    def again(self, ids: RequestIds) -> Message:
        """Return the same request with the next ID of ``ids``."""
        return Message.request(ids, self.method, {**self.params}, self.offers)

    def is_answered_by(self, found: Json) -> bool:
        """Return whether ``found`` answers this message: it has the message's ID, and a result or
        an error.

        Some servers omit ``jsonrpc`` or write it as a number; such an answer must have no further
        members.
        """
        is_message = found.get("jsonrpc") == "2.0" or found.keys() <= _OF_ANSWERS
        return (
            is_message
            and self.has_id(found.get("id"))
            and not {"result", "error"}.isdisjoint(found)
        )

    def is_worked_on(self, found: Json) -> bool:
        """Return whether ``found``, from a stream of all requests, proves that the server has begun
        this one.

        Its progress does. A question to a person or a model counts for every request, since it does
        not name the request.
        """
        if found.get("method") in _QUESTIONS:
            return True
        params = found.get("params")
        return (
            found.get("method") == PROGRESS
            and isinstance(params, Mapping)
            and self.has_id(params.get("progressToken"))
        )

    def has_id(self, value: object) -> bool:
        """Return whether a server's value is this request's ID. Some servers write the number as a
        string, or with a fraction of zero.
        """
        if isinstance(value, str) and (number := _ID.fullmatch(value)) is not None:
            value = int(number[1])
        return self.id is not None and value == self.id

    def body(self, session: Session | None) -> dict[str, Any]:
        """Return the JSON body; a modern request carries the revision and the client's capabilities
        in ``_meta``.
        """
        params = dict(self.params)
        if session is not None and session.is_modern:
            about = {
                f"{_META}protocolVersion": session.version,
                f"{_META}clientCapabilities": self.offers,
                f"{_META}clientInfo": CLIENT,
            }
            params["_meta"] = {**params.get("_meta", {}), **about}
        made: dict[str, Any] = {"jsonrpc": "2.0", "method": self.method}
        if params or self.id is not None:  # some servers require them of each request
            made["params"] = params
        return made if self.id is None else {**made, "id": self.id}

    def headers(self, session: Session | None) -> dict[str, str]:
        """Return the header fields that accompany the message."""
        found = {"Accept": "application/json, text/event-stream"}
        if session is None:
            return found
        found["MCP-Protocol-Version"] = session.version
        if session.id is not None:
            found["Mcp-Session-Id"] = session.id
        if cookies := session.cookies.header():
            found["Cookie"] = cookies
        if session.is_modern:
            found["Mcp-Method"] = self.method
            name = self.params.get(_NAMED_BY.get(self.method, ""))
            if isinstance(name, str):
                found["Mcp-Name"] = header_value(name)
        return found


def present(found: Json) -> dict[str, Any]:
    """Return an object without its null members. Many servers write null for an omitted member,
    such as Go for an empty list.
    """
    return {name: value for name, value in found.items() if value is not None}


def amount(value: object) -> float | None:
    """Return a server's number as a float; None if the value is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def messages_in(found: object) -> list[Json]:
    """Return the messages in a server's JSON, one or a batch, without null members. Values other
    than objects are ignored.

    A null result becomes an empty one, since functions without a value return null. An empty error
    beside a result is dropped.
    """
    rows = [
        one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)
    ]
    return [present(_plain(one)) for one in rows]


def _plain(message: Json) -> Json:
    if "error" not in message:
        return (
            {**message, "result": {}}
            if "result" in message and message["result"] is None
            else message
        )
    is_success = message.get("result") is not None and not message["error"]
    return (
        {name: value for name, value in message.items() if name != "error"}
        if is_success
        else message
    )


def shows_work(found: Json) -> bool:
    """Return whether a server's message in the response to a request proves that the server has
    begun the request.

    A ping does not, nor does an answer to another request. An error without an ID does, since it
    may concern the request.
    """
    return found.get("method", "ping") != "ping" or ("error" in found and "id" not in found)


def offered(*, takes_tasks: bool, answers: bool) -> dict[str, Any]:
    """Return the capabilities that a client declares: tasks as results, and answers to
    questions.
    """
    found: dict[str, Any] = {"extensions": {TASKS: {}}} if takes_tasks else {}
    return {**found, "elicitation": {"form": {}}} if answers else found


def param_headers(names: Mapping[str, str], arguments: Json) -> dict[str, str]:
    """Return the fields ``Mcp-Param-…`` of a call; ``names`` has the fields' names by JSON Pointer
    into the arguments.

    Omitted or null arguments have no field.
    """
    found = {}
    for place, name in names.items():
        value = at_pointer(arguments, place)
        if isinstance(value, bool):
            found[f"Mcp-Param-{name}"] = "true" if value else "false"
        elif isinstance(value, int | float):
            found[f"Mcp-Param-{name}"] = json.dumps(value)
        elif isinstance(value, str):
            found[f"Mcp-Param-{name}"] = header_value(value)
    return found


def header_value(text: str) -> str:
    """Return a string as the value of a header field.

    The string is encoded if it is not printable ASCII, has blanks at an end, or looks encoded.
    """
    if _PLAIN.fullmatch(text) and not _LOOKS_ENCODED.fullmatch(text):
        return text
    return f"=?base64?{b64encode(text.encode('utf-8', 'surrogatepass')).decode('ascii')}?="
