"""Test of a bound connection: one request that changes nothing, and a second request if only its
answer names the account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector import Account, JackfieldError, Step, Unavailable
from jackfield_http.accounts import account_of
from jackfield_http.bindings.error_rows import failing
from jackfield_http.bindings.requests import request_of
from jackfield_http.exchange import RequestOptions

if TYPE_CHECKING:
    from jackfield_http.answers import Answer
    from jackfield_http.client import HttpClient

Json = Mapping[str, Any]

_NO_BODY: Json = {"members": {}}
"""Inputs of a request whose body the manifest gives."""


def probed(
    client_of: Callable[[int], HttpClient], value: Callable[[str], str], request: str | Json
) -> Answer:
    """Send the request of a test: GET a path, or an object with ``method``, ``path``, ``query``,
    ``body``, ``server`` and ``failed``.

    :raises JackfieldError: if the server refuses the request.
    """
    if isinstance(request, str):
        return client_of(0).get(request)
    made = request_of(
        {"method": "GET", "response": {}, **request, "body": _NO_BODY}, {}, None, value
    )
    client = client_of(request.get("server", 0))
    if client.server is None:
        raise Unavailable("the connection names no server", repeatable=False)
    options: RequestOptions = {"safe": True, "step": "test the connection", "headers": made.headers}
    if "failed" in request:
        options["failed"] = failing(request["failed"])
    if "body" in request:
        options["json"] = request["body"]
    return client.request(made.method, client.server.under(made.path, made.query), **options)


def owner_read(client: HttpClient, about: Json) -> Iterable[Step | Account]:
    """Read the account from its own path. Credentials that may not read it are still valid for
    other calls; a note says so.
    """
    try:
        answer = client.get(about["path"])
    except JackfieldError as error:
        text = f"The credentials are valid, but whose account it is cannot be read: {error.message}"
        yield Step.failed("account", "Read the account", error, message=text, mandatory=False)
        return
    found = account_of(answer, about)
    if found is not None:
        yield found
