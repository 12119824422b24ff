"""A doubt that a person resolves as succeeded replays the output that they give, by the action's
schema, or none with a warning.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from http_stand import Client, Stand, clean, standing
from jackfield.callers.caller import LIBRARY
from jackfield.cli.main import main
from jackfield.kernel.errors import JackfieldError
from jackfield.testing import CLOSE, Provider
from openapi_rig import document, generate
from plugboard import declare, plugged

_ORDER = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "count": {"type": "integer"},
        "token": {"type": "string", "format": "password"},
    },
}
_RESPONSE = {"200": {"description": "", "content": {"application/json": {"schema": _ORDER}}}}
_SOURCE = document({"/orders": {"post": {"operationId": "placeOrder", "responses": _RESPONSE}}})
_CALL = {"connector": "acme", "action": "placeOrder", "connection": "main", "inputs": {}}
_UNKNOWN = "the output is unknown: the answer was lost, and a person has told that it took effect"


@dataclass
class _Shop:
    """A server with the connector, whose provider loses each answer."""

    stand: Stand
    client: Client
    far: Provider

    def lost(self, key: str) -> str:
        """Make a call with a key, whose answer is lost; return its ID."""
        found = self.client.post("/v1/invocations", {**_CALL, "idempotencyKey": key}).json
        assert found["status"] == "in_doubt", found
        return str(found["meta"]["invocationId"])

    def again(self, key: str) -> dict[str, Any]:
        """Make the same call again, which sends nothing; return the Result."""
        before = len(self.far.requests)
        found: dict[str, Any] = self.client.post(
            "/v1/invocations", {**_CALL, "idempotencyKey": key}
        ).json
        assert (len(self.far.requests), found["meta"]["replayed"]) == (before, True)
        return found


Way = Callable[[_Shop, str, Any], dict[str, Any]]


def _over_http(shop: _Shop, identifier: str, output: Any) -> dict[str, Any]:
    body = {"as": "succeeded", **({} if output is None else {"output": output})}
    found: dict[str, Any] = shop.client.post(f"/v1/invocations/{identifier}/resolve", body).json
    return found


def _by_command(shop: _Shop, identifier: str, output: Any) -> dict[str, Any]:
    out = io.StringIO()
    words = [] if output is None else ["--output", json.dumps(output)]
    environment = mock.patch.dict(os.environ, clean(shop.stand.folder / "home"), clear=True)
    with environment, redirect_stdout(out), redirect_stderr(io.StringIO()):
        main(["invocations", "resolve", identifier, "--as", "succeeded", *words, "--json"])
    found: dict[str, Any] = json.loads(out.getvalue())
    return found if "status" in found else found["error"]


def _in_python(shop: _Shop, identifier: str, output: Any) -> dict[str, Any]:
    journal = shop.stand.host.runtime("default").journal_of(LIBRARY)
    try:
        return dict(journal.resolve(identifier, "succeeded", "ada", output=output).to_json())
    except JackfieldError as error:
        return error.to_json()


_WAYS: list[Any] = [_over_http, _by_command, _in_python]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Shop]:
    """The server."""
    folder = tmp_path_factory.mktemp("resolved")
    generate(folder, _SOURCE, "--key", "acme")
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    with plugged(folder / "made"), Provider([CLOSE]) as far, standing(folder) as stand:
        client = stand.client()
        given = {"name": "main", "type": "acme/anonymous", "values": {"server": far.url}}
        assert client.post("/v1/connections?test=false", given).status == 201
        yield _Shop(stand, client, far)


@pytest.mark.parametrize("way", _WAYS)
def test_without_an_output(shop: _Shop, way: Way) -> None:
    """There is no output then, in the answer, the entry and the replay, and a warning says why."""
    key = f"none-{way.__name__}"
    found = way(shop, shop.lost(key), None)
    for result in (found, shop.again(key)):
        assert result["status"] == "succeeded", result
        assert "output" not in result
        assert [one["message"] for one in result["meta"]["warnings"]] == [_UNKNOWN]


@pytest.mark.parametrize("way", _WAYS)
def test_with_an_output(shop: _Shop, way: Way) -> None:
    """It is replayed as the provider's own would be: without its secrets, and without that
    warning.
    """
    key = f"given-{way.__name__}"
    found = way(shop, shop.lost(key), {"id": "o6", "token": "a-secret-of-theirs"})
    for result in (found, shop.again(key)):
        assert (result["status"], result["output"]) == (
            "succeeded",
            {"id": "o6", "token": "***"},
        ), result
        assert "warnings" not in result["meta"]


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize(
    ("output", "places"),
    [
        ({}, ["/output/id"]),
        ({"id": 6}, ["/output/id"]),
        ({"count": "x"}, ["/output/count", "/output/id"]),
    ],
)
def test_another_output_is_refused(shop: _Shop, way: Way, output: Any, places: list[str]) -> None:
    """What breaks the schema is refused with a pointer to each fault, and the doubt stays."""
    key = f"refused-{way.__name__}-{len(str(output))}"
    identifier = shop.lost(key)
    found = way(shop, identifier, output)
    assert found["code"] == "invalid_input", found
    assert sorted(detail["path"] for detail in found["details"]) == places
    assert shop.client.get(f"/v1/invocations/{identifier}").json["status"] == "in_doubt"


def test_what_has_no_output(shop: _Shop) -> None:
    """A failure takes none; over HTTP it is an object."""
    identifier = shop.lost("failure")
    failed = shop.client.post(
        f"/v1/invocations/{identifier}/resolve", {"as": "failed", "output": {"id": "o6"}}
    )
    listed = shop.client.post(
        f"/v1/invocations/{identifier}/resolve", {"as": "succeeded", "output": []}
    )
    assert [(one.status, one.json["code"]) for one in (failed, listed)] == [
        (409, "conflict"),
        (400, "invalid_request"),
    ]
    assert "only what has succeeded has an output" in failed.json["detail"]
