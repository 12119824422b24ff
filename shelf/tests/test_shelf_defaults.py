"""Defaults of the shelf are sent where a call leaves an input out: what its files say is what the
provider gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from jackfield.schema import compile_schema
from jackfield.testing import Answer, Provider
from shelved import manifest_of, running, services

Json = dict[str, Any]


def _defaults(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield each schema with a default within a schema."""
    if isinstance(schema, Mapping):
        if "default" in schema:
            yield schema
        for one in (*schema.get("properties", {}).values(), schema.get("items")):
            yield from _defaults(one)


@pytest.mark.parametrize("key", services())
def test_each_default_is_valid(key: str) -> None:
    """One that is not would refuse each call that leaves its input out; none is said to be the
    provider's, which the file does not know.
    """
    manifest = manifest_of(key)
    for action in manifest["actions"]:
        for schema in _defaults(action["inputs"]):
            whole = {"$defs": manifest.get("$defs", {}), **schema}
            assert not compile_schema(whole).judge(schema["default"]), (action["key"], schema)
        assert "Default of the provider" not in json.dumps(action["inputs"])
        assert not [
            name
            for name in action["inputs"].get("required", ())
            if "default" in action["inputs"]["properties"][name]
        ]


@pytest.mark.parametrize(
    ("key", "action", "inputs", "sent"),
    [
        ("bigquery", "query", {"projectId": "p", "query": "SELECT 1"}, {"useLegacySql": False}),
        (
            "bigquery",
            "query",
            {"projectId": "p", "query": "SELECT 1", "useLegacySql": True},
            {"useLegacySql": True},
        ),
        ("quickbooks", "updateCustomer", {"body": {"Id": "1", "SyncToken": "0"}}, {"sparse": True}),
        (
            "quickbooks",
            "updateCustomer",
            {"body": {"Id": "1", "SyncToken": "0", "sparse": False}},
            {"sparse": False},
        ),
        (
            "freshdesk",
            "createTicket",
            {"subject": "Lamp", "description": "Dark", "email": "ada@example.com"},
            {"status": 2, "priority": 1},
        ),
        (
            "whatsapp",
            "sendText",
            {"to": "4915", "text": {"body": "Hi"}},
            {"messaging_product": "whatsapp", "type": "text"},
        ),
        ("onedrive", "createFolder", {"name": "Lamps"}, {"folder": {}}),
    ],
)
def test_a_default_is_in_the_request(
    tmp_path: Path, key: str, action: str, inputs: Json, sent: Json
) -> None:
    """What a caller gives is sent instead, if it says the opposite, too."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    given = {
        **{
            name: value
            for name, value in row["examples"][0]["invocation"]["inputs"].items()
            if name not in sent
        },
        **inputs,
    }
    with (
        Provider(lambda _number, _request: Answer({})) as far,
        running(tmp_path, key, far.url) as jackfield,
    ):
        jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": given}
        )
        [request] = [one for one in far.requests if one.method == "POST"]
    body = json.loads(request.body)
    assert {name: body.get(name) for name in sent} == sent


@pytest.mark.parametrize(
    ("key", "action", "sent"),
    [
        ("zendesk", "listTickets", "page[size]=100"),
        ("onedrive", "searchFiles", "root/search"),
        ("contentful", "listEntries", "/master/"),
        ("youtube", "listVideos", "part=snippet,statistics,contentDetails"),
        ("postmark", "listMessages", "count=50"),
    ],
)
def test_a_default_is_in_the_address(tmp_path: Path, key: str, action: str, sent: str) -> None:
    """In its path as well as in its query."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    required = row["inputs"].get("required", ())
    given = {
        name: value
        for name, value in row["examples"][0]["invocation"]["inputs"].items()
        if name in required
    }
    with (
        Provider(lambda _number, _request: Answer({})) as far,
        running(tmp_path, key, far.url) as jackfield,
    ):
        jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": given}
        )
        assert sent in unquote(far.requests[-1].path)
