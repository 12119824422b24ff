"""Requests that a bound action sends before its main request. Each finds or prepares data for a
later request; none makes the change itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Detail, InvalidInput, Sent, Unavailable, pointer
from jackfield_http.answers import Answer
from jackfield_http.bindings.requests import Files, described, request_of
from jackfield_http.bodies import content_body
from jackfield_http.client import HttpClient
from jackfield_http.errors import Failed
from jackfield_http.pointers import find
from jackfield_http.shown_requests import ShownFile
from jackfield_http.urls import UrlError, parse_url

_SUCCESSES = range(200, 300)

Json = Mapping[str, Any]


def prepared(
    action: Json, key: str, inputs: Json, files: Files, client: HttpClient
) -> dict[str, Any]:
    """Return the inputs with the results of the steps of the action ``key``; ``action`` is its
    binding.

    :raises JackfieldError: if a step fails. The action has changed nothing then.
    """
    values = {**_facts(action.get("file"), inputs, files), **inputs}
    for number, row in enumerate(action["before"], 1):
        if row.get("unless") in values:
            continue
        answer = sent(row, f"{key}, step {number}", values, files, client)
        if answer.status not in row.get("absent", ()):
            values |= _read_values(row, answer, f"{key}, step {number}")
    return values


def shown(action: Json, inputs: Json, files: Files) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Describe the requests that the steps of an action would send; return them with the inputs of
    its own request.

    ``STEP_1`` is a placeholder for the result of the first request: an address, or a value in a
    later request.
    """
    found: list[dict[str, Any]] = []
    values = {**_facts(action.get("file"), inputs, files), **inputs}
    for row in action["before"]:
        if row.get("unless") in values:
            continue
        made = request_of(
            {"path": "" if "to" in row else "/", "response": {}, **row}, values, files
        )
        found.append(described(made, server=values[row["to"]] if "to" in row else None))
        values |= dict.fromkeys(row.get("values", ()), f"STEP_{len(found)}")
    return found, values


def _facts(row: Json | None, inputs: Json, files: Files) -> dict[str, Any]:
    """Return length and name of a file input, under the names that the binding gives."""
    if row is None:
        return {}
    content, _, name = files.read(inputs[row["input"]], row["input"])
    length = (
        content.about["bytes"] if isinstance(content, ShownFile) else content_body(content).length
    )
    if length is None:
        reason = "is a stream of unknown length: store it, and pass the stored file"
        raise InvalidInput(
            "1 input is not valid",
            details=[Detail(pointer(row["input"]), reason)],
            sent=Sent.NOTHING,
        )
    return {row["length"]: length, row["name"]: name or row["input"]}


def sent(
    row: Json,
    step: str,
    values: Json,
    files: Files,
    client: HttpClient,
    *,
    safe: bool = True,
    failed: Failed | None = None,
) -> Answer:
    """Send the request of a row; ``step`` names it in errors, ``failed`` judges a success's JSON.

    :raises JackfieldError: for an unsuccessful status, unless the row names it as ``absent``.
    """
    expect = (*_SUCCESSES, *row.get("absent", ()))
    request = request_of({"path": "/", "response": {"read": "auto"}, **row}, values, files)
    options: dict[str, Any] = {
        "headers": request.headers,
        "safe": safe,
        "step": step,
        "expect": expect,
        **request.options,
    }
    options |= {} if failed is None else {"failed": failed}
    if "to" in row:
        try:
            url = parse_url(str(values[row["to"]]))
        except UrlError as error:
            raise Unavailable(
                f"the URL for '{step}' {error}", sent=Sent.UNKNOWN, repeatable=False
            ) from None
        return client.elsewhere(url).request(request.method, url, **options)
    if client.server is None:
        raise Unavailable("the connection names no server", repeatable=False)
    return client.request(
        request.method, client.server.under(request.path, request.query), **options
    )


def _read_values(row: Json, answer: Answer, step: str) -> dict[str, Any]:
    places = row.get("values", {})
    found = {name: find(answer.json(), place) for name, place in places.items()}
    missing = next((places[name] for name, value in found.items() if value is None), None)
    if missing is not None and not row.get("absent"):
        raise Unavailable(
            f"the response to '{step}' has no '{missing}'", sent=Sent.UNKNOWN, repeatable=False
        )
    return {name: value for name, value in found.items() if value is not None}
