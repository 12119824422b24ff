"""Test of a bound connection: one request that changes nothing, and the account that its answer names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector import Account, Unavailable
from jackfield_http.bindings.error_rows import failing
from jackfield_http.bindings.requests import request_of
from jackfield_http.exchange import RequestOptions
from jackfield_http.pointers import find
from jackfield_http.unread import Unreadable

if TYPE_CHECKING:
    from jackfield_http.answers import Answer
    from jackfield_http.client import HttpClient

Json = Mapping[str, Any]

_LONGEST = 200
"""Characters of an account's ID and label at most."""
_NO_BODY: Json = {"members": {}}
"""Its body is data of the manifest, and has no inputs."""


def probed(client_of: Callable[[int], HttpClient], value: Callable[[str], str], request: str | Json) -> Answer:
    """Send the request of a test: a path to GET, or an object with ``method``, ``path``, ``query``, ``body``, ``server`` and ``failed``.

    :raises JackfieldError: if the server refuses it.
    """
    if isinstance(request, str):
        return client_of(0).get(request)
    made = request_of({"method": "GET", "response": {}, **request, "body": _NO_BODY}, {}, None, value)
    client = client_of(request.get("server", 0))
    if client.server is None:
        raise Unavailable("the connection names no server", repeatable=False)
    options: RequestOptions = {"safe": True, "step": "test the connection"}
    if "failed" in request:
        options["failed"] = failing(request["failed"])
    if "body" in request:
        options["json"] = request["body"]
    return client.request(made.method, client.server.under(made.path, made.query), **options)


def account_in(answer: Answer, about: Json) -> Account | None:
    """Return the account that an answer names; None if it names none, which fails no test."""
    try:
        body = answer.json()
    except Unreadable:
        return None
    found = _text(find(body, about["id"]))
    labels = [text for place in about.get("label", ()) if (text := _text(find(body, place)))]
    return Account(found, labels[0] if labels else found) if found else None


def _text(value: Any) -> str:
    usable = isinstance(value, str | int) and not isinstance(value, bool)
    shown = "".join(letter if letter.isprintable() else " " for letter in str(value)) if usable else ""
    return shown.strip()[:_LONGEST]
