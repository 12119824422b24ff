"""Each option of each connection type of a connector that is made of an MCP server, at the wire,
stored and inline.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield_store.runtime import Jackfield
from mcp_provider import Provider, guarded
from mcp_rig import ToolServer, call, generate, installed, serving
from mcp_sign_in import asked, stage

Values = Mapping[str, Any]
_NEEDS: Mapping[str, Values] = {
    "anonymous": {},
    "bearer": {"token": "t-1"},
    "headerKey": {"header": "X-Key", "key": "k-1"},
}
_SIGNED_IN = "oauth2Discovered"
"""The type that a person approves: it is stored, since there is nothing to send without the
approval.
"""
_SEEN: Mapping[str, tuple[Values, tuple[str, str]]] = {
    "token": ({"token": "t-own"}, ("authorization", "Bearer t-own")),
    "header": ({"header": "X-Own"}, ("x-own", "k-1")),
    "key": ({"key": "k-own"}, ("x-key", "k-own")),
}
"""What an option is given, and the header field of each request that shows it."""
_APPROVED: Mapping[str, tuple[Values, Values]] = {
    "clientId": ({"clientId": "c-own"}, {"client_id": "c-own"}),
    "clientSecret": ({"clientSecret": "s-own"}, {"secret": "s-own"}),
    "scopes": ({"scopes": ["notes:own"]}, {"scope": "notes:own"}),
    "resource": ({"resource": "https://own.example/mcp"}, {"resource": "https://own.example/mcp"}),
}
"""What an option of the sign-in is given, and what the person or the provider is asked with."""


@pytest.fixture(name="types", scope="module")
def _types(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The connection types of a connector, by their keys; those of a server that wants a sign-in,
    too.
    """
    server, provider = ToolServer(), Provider()
    guarded(server, provider)
    with serving(server), provider.serving():
        manifest = generate(tmp_path_factory.mktemp("types"), server.url)
    return {row["key"]: row["schema"]["properties"] for row in manifest["connectionTypes"]}


def _rows() -> Iterator[tuple[str, str]]:
    """Yield each type with each of its options; ``test_each_option_is_looked_at`` compares them
    with a manifest.
    """
    for kind, needs in _NEEDS.items():
        yield from ((kind, name) for name in ("server", *needs))
    yield from ((_SIGNED_IN, name) for name in ("server", *_APPROVED))


def test_each_option_is_looked_at(types: Mapping[str, Any]) -> None:
    """A type or an option that no test here looks at is a fault: what is accepted must have its
    effect.
    """
    assert {(kind, name) for kind, members in types.items() for name in members} == {*_rows()}


def _asked(
    jackfield: Jackfield, kind: str, values: Values, *servers: ToolServer, stored: bool
) -> list[list[Mapping[str, str]]]:
    """Call a tool over a connection with these values; the header fields of what each server was
    asked.
    """
    before = [len(one.requests) for one in servers]
    connection: Any = {"type": f"notes/{kind}", "values": dict(values)}
    if stored:
        jackfield.connections.add("kept", f"notes/{kind}", dict(values), test=False)
        connection = "kept"
    result = call(jackfield, connection=connection)
    if stored:
        jackfield.connections.remove("kept")
    assert result.status == "succeeded", json.dumps(result.to_json())
    rows = [one.requests[start:] for one, start in zip(servers, before, strict=True)]
    return [
        [{name.lower(): text for name, text in fields.items()} for _, fields in row] for row in rows
    ]


@contextmanager
def _connected(folder: Path, server: ToolServer, other: ToolServer) -> Iterator[Jackfield]:
    """Run both servers, and a runtime with the connector that is made of the first."""
    with serving(server), serving(other):
        generate(folder, server.url)
        with installed(folder, "anonymous", f"sqlite:///{folder}/j.db") as jackfield:
            yield jackfield


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
@pytest.mark.parametrize(("kind", "name"), [row for row in _rows() if row[0] != _SIGNED_IN])
def test_an_option_at_the_wire(tmp_path: Path, kind: str, name: str, *, stored: bool) -> None:
    """Each request shows it, and none does without it, or with another value."""
    server, other = ToolServer(), ToolServer()
    with _connected(tmp_path, server, other) as jackfield:
        own, (place, text) = _SEEN.get(name, ({"server": other.url}, ("", "")))
        ours, theirs = _asked(
            jackfield, kind, {**_NEEDS[kind], **own}, server, other, stored=stored
        )
        assert (bool(ours), bool(theirs)) == (name != "server", name == "server")
        assert all(fields.get(place, "") == text for fields in [*ours, *theirs])
        ours, theirs = _asked(jackfield, kind, _NEEDS[kind], server, other, stored=stored)
        assert (bool(ours), bool(theirs)) == (True, False)
        assert not place or all(fields.get(place, "") != text for fields in ours)


def _secret(provider: Provider) -> str:
    """The secret that the token endpoint got, in the login or in the form."""
    fields = next(fields for _, path, _, fields in reversed(provider.seen) if path == "/token")
    login = b64decode(fields.get("Authorization", "").removeprefix("Basic ")).decode()
    return provider.forms()[-1].get("client_secret") or login.rpartition(":")[2]


@pytest.mark.parametrize("name", _APPROVED)
def test_an_option_of_a_sign_in(tmp_path: Path, name: str) -> None:
    """The person, or the provider, is asked with it, and not without it."""
    values, wanted = _APPROVED[name]
    found = []
    for number, given in enumerate((values, {})):
        base = {"clientId": "c-1", "clientSecret": "s-1"} if name == "clientSecret" else {}
        with stage(tmp_path / str(number)) as it:
            begun = it.begin(**{**base, **given})
            told = asked(begun)
            it.complete(begun)
            told |= {"secret": _secret(it.provider)}
            found.append(all(text in told.get(place, "") for place, text in wanted.items()))
    assert found == [True, False]


def test_the_server_of_a_sign_in(tmp_path: Path) -> None:
    """The connection's own server is the one that is asked who signs people in, and that is called;
    without an approval, none is.
    """
    with stage(tmp_path) as it:
        other = ToolServer()
        guarded(other, it.provider)[0] = True
        with serving(other):
            before = len(it.server.requests)
            inline = {"type": f"notes/{_SIGNED_IN}", "values": {"server": other.url}}
            assert call(it.jackfield, connection=inline).status == "failed"
            assert not other.requests
            it.complete(it.begin(server=other.url))
            result = call(it.jackfield)
    assert result.status == "succeeded", json.dumps(result.to_json())
    assert (other.count("tools/call"), len(it.server.requests) - before) == (1, 0)
