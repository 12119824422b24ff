"""Bodies of all operations: each is judged by the shape that the API's description publishes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from http_stand import Client, Stand, standing
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation

OTHERS = ("Invocation", "Batch", "Message", "StateFile")
"""Shapes with judges of their own: the pipe's, MCP's and that of files."""
JUDGED = [
    operation
    for operation in OPERATIONS
    if operation.body is not None and operation.body.isalpha() and operation.body not in OTHERS
]
VALUES: tuple[Any, ...] = (7.5, "\n", [[]], True, {"": []})


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("bodies")) as found:
        yield found


@pytest.fixture(name="api", scope="module")
def _api(stand: Stand) -> dict[str, Any]:
    found: dict[str, Any] = stand.client().get("/openapi.json").json
    return found


@pytest.fixture(name="clients", scope="module")
def _clients(stand: Stand) -> dict[str, Client]:
    clients = {"approve": stand.client("approve"), "platform": stand.platform()}
    return {**clients, "manage": stand.client()}


def wrong(api: dict[str, Any], shape: str) -> Iterator[tuple[Any, str]]:
    """Bodies without this shape, with the place of the fault: not an object, an unknown member, and
    each member with a value that it does not allow.
    """
    about = api["components"]["schemas"][shape]
    allows = jsonschema_rs.validator_for({**about, "components": api["components"]}).iter_errors
    yield [], ""
    yield {"nothing": 1}, "/nothing"
    for name in about["properties"]:
        for value in VALUES:
            if any([*fault.instance_path][:1] == [name] for fault in allows({name: value})):
                yield {name: value}, f"/{name}"
                break
    for name in about.get("required", ()):
        yield {}, f"/{name}"


@pytest.mark.parametrize("operation", JUDGED, ids=lambda operation: operation.name)
def test_a_body_without_its_shape_is_refused_at_each_place(
    clients: dict[str, Client], api: dict[str, Any], operation: Operation
) -> None:
    """By the status 400 and a Detail with a pointer, before anything is looked up."""
    path = re.sub(r"\{w\}", "acme-1", operation.path)
    path = re.sub(r"\{\w+\}", "nothing", path)
    client = clients.get(str(operation.scope), clients["manage"])
    for body, place in wrong(api, str(operation.body)):
        answer = client.call(operation.method, path, body)
        assert (answer.status, answer.json["code"]) == (400, "invalid_request"), (body, answer.body)
        found = [fault["path"] for fault in answer.json["details"]]
        assert [each for each in found if each == place or each.startswith(f"{place}/")], body


def test_most_bodies_are_judged_by_their_shape() -> None:
    """Also those of operations that are no acts of a declared noun."""
    assert len({operation.body for operation in JUDGED}) >= 20
