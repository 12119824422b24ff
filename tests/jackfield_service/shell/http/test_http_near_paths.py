"""A path that is nearly one of the API's tells which was meant: over the whole table of operations,
and the same for whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from http_stand import Client, Stand, standing
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation

_VERB = re.compile(r"([:/])([A-Za-z-]+)\Z")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server."""
    with standing(tmp_path_factory.mktemp("near")) as found:
        yield found


def _filled(path: str) -> str:
    return re.sub(r"\{[a-z]+\}", "a-name", path)


def _nearly(operation: Operation) -> Iterator[str]:
    """Yield the wrong paths that somebody may guess for an operation."""
    path = _filled(operation.path)
    verb = _VERB.search(operation.path)
    if (
        verb is not None
        and operation.path.startswith("/v1/")
        and operation.path.count("/") + operation.path.count(":") > 2
    ):
        yield f"{path[: -len(verb[0])]}{'/' if verb[1] == ':' else ':'}{verb[2]}"
        yield f"{path[: -len(verb[0])]}{'/' if verb[1] == ':' else ':'}{verb[2]}/"
    yield f"{path}/"


_WRONG = [
    pytest.param(operation, path, id=f"{operation.method} {path}")
    for operation in OPERATIONS
    # which may have slashes
    if operation.path.startswith("/v1/") and operation.path != "/v1/suppressions/{recipient}"
    for path in _nearly(operation)
]


@pytest.mark.parametrize(("operation", "path"), _WRONG)
def test_what_is_nearly_a_path(stand: Stand, operation: Operation, path: str) -> None:
    """``/verb`` for ``:verb``, the reverse, and a slash at the end: the refusal names the
    operation.
    """
    client = (
        Client(stand.port, stand.platform_token("b-*", path))
        if operation.scope == "platform"
        else stand.client()
    )
    reply = client.call(operation.method, path, *_body(operation))
    assert reply.status in (404, 405), reply.json
    assert reply.json["hint"] == f"Did you mean {operation.method} {operation.path}?"


def _body(operation: Operation) -> tuple[Any, ...]:
    return ({},) if operation.method in ("POST", "PUT", "PATCH") else ()


@pytest.mark.parametrize(
    ("operation"),
    [one for one in OPERATIONS if one.path.startswith("/v1/")],
    ids=lambda one: f"{one.method} {one.path}",
)
def test_what_there_is_not_has_no_hint(stand: Stand, operation: Operation) -> None:
    """The path of an operation itself, where there is nothing of the name, gets no such hint."""
    reply = stand.client().call(operation.method, _filled(operation.path), *_body(operation))
    assert (
        "Did you mean" not in (reply.json or {}).get("hint", "")
        if isinstance(reply.json, dict)
        else True
    )


def test_who_may_not_see(stand: Stand) -> None:
    """Without a token, and with one that may not, the hint is the same whether there is such a
    thing or not: it is the public table's.
    """
    reader = stand.client("read")
    for client in (reader, Client(stand.port)):
        for name in ("a-name", "another"):
            reply = client.post(f"/v1/approvals/{name}/approve", {})
            assert (reply.status, reply.json["hint"]) == (
                404,
                "Did you mean POST /v1/approvals/{id}:approve?",
            )
    assert "hint" not in stand.client().post("/v1/nothing/at/all", {}).json
