"""B3: the runtime judges the hosts that a connection's values name, whatever its connector does;
and offers clients guarded sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield.call.open import judge_hosts, named_hosts
from jackfield.connector import ANYWHERE, Guard, InvalidConnection
from plugboard import make_connector, plugged

PLAIN = '''
"""A connector as a newcomer writes it: it never heard of guards."""

from jackfield.connector import ConnectionType, Connector, Field, Inputs, Output

OPENED = []


class Key(ConnectionType):
    """A server and its key."""

    key = "parcelKey"
    title = "Key"

    url: str = Field(title="Server", schema={"format": "uri"})
    proxy: str | None = Field(None, title="Proxy", destination=True)
    mirrors: tuple[str, ...] = Field((), title="Mirrors", schema={"items": {"type": "string", "format": "hostname"}})

    def open(self, context):
        """Open."""
        OPENED.append(self.url)
        return self


connector = Connector("parcel", title="Parcel", version="1.0.0", description="Parcels.", connections=[Key])


class Nothing(Inputs):
    """Nothing."""


class Done(Output):
    """Nothing."""


@connector.action("look", effect="read")
def look(inputs: Nothing, client: object) -> Done:
    """Look."""
    return Done()
'''


@pytest.fixture
def stand(tmp_path: Path) -> Any:
    """A server with that connector, which guards as one does that is not on loopback."""
    make_connector(tmp_path / "plugs", "parcel", PLAIN)
    with (
        plugged(tmp_path / "plugs"),
        standing(tmp_path, setup=lambda host: setattr(host.runtimes, "guard", Guard())) as found,
    ):
        yield found


def look(stand: Stand, **values: Any) -> Any:
    """The error of a look over an inline connection, None where there is none."""
    connection = {"type": "parcelKey", "values": {"url": "http://93.184.215.14/", **values}}
    body = {"connector": "parcel", "action": "look", "connection": connection, "inputs": {}}
    return stand.client().post("/v1/invocations", body).json.get("error")


INTERNAL: list[tuple[Mapping[str, Any], str]] = [
    ({"url": "http://192.0.2.2:18981/x"}, "/url"),
    ({"url": "http://169.254.169.254/"}, "/url"),
    ({"url": "http://ada@127.0.0.1/"}, "/url"),
    ({"proxy": "10.0.0.1:3128"}, "/proxy"),
    ({"proxy": "http:10.0.0.1"}, "/proxy"),
    ({"proxy": "http://%31%30.0.0.1/"}, "/proxy"),
    ({"proxy": "[::1]:3128"}, "/proxy"),
    ({"proxy": "http://93.184.215.14\\\\@10.0.0.1/"}, "/proxy"),
    ({"mirrors": ["93.184.215.14", "127.0.0.1"]}, "/mirrors/1"),
]


def test_b3_internal_hosts_are_refused(stand: Stand) -> None:
    """A value that names a host of the operator's network is refused at its place, and the
    connector is not asked to open.
    """
    found = [
        (values, (error["code"], error["details"][0]["path"]))
        for values, _ in INTERNAL
        for error in [look(stand, **values)]
    ]
    assert found == [(values, ("invalid_connection", path)) for values, path in INTERNAL]


def test_b3_public_hosts_are_not(stand: Stand) -> None:
    """Public hosts are fine, in each of these spellings."""
    assert look(stand, proxy="93.184.215.14:3128", mirrors=["93.184.215.14"]) is None


def test_b3_nothing_is_kept_that_may_not_be_reached(stand: Stand) -> None:
    """A draft's test fails at the hosts, and the connection is not saved."""
    values = {"url": "http://192.0.2.2:18981"}
    steps = (
        stand.client()
        .post("/v1/connections:test", {"type": "parcel/parcelKey", "values": values})
        .json["lastTest"]["steps"]
    )
    assert [(step["passed"], step["message"]) for step in steps] == [
        (False, "the connection is not allowed to reach this host")
    ]
    assert (
        stand.client()
        .post("/v1/connections", {"name": "ssrf", "type": "parcel/parcelKey", "values": values})
        .status
        == 422
    )


def test_b3_a_guarded_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard connects where it may, to the addresses that it judged, and asks the resolver
    once.
    """
    asked = []
    real = socket.getaddrinfo

    def resolve(*given: Any, **more: Any) -> Any:
        asked.append(given)
        return real("127.0.0.1", *given[1:], **more)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr("socket.getaddrinfo", resolve)
        with Guard(loopback=True).connect("parcels.example", port, timeout=5) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
        assert len(asked) == 1
        with pytest.raises(InvalidConnection):
            Guard().connect("parcels.example", port)
    with pytest.raises(OSError, match="refused"):
        ANYWHERE.connect("parcels.example", port, timeout=5)


def test_b3_hosts_are_found_wherever_they_stand() -> None:
    """Nested values, lists, maps, branches and references of a schema are looked at; an unclear one
    is refused, an operator's is not.
    """
    host = {"type": "string", "format": "hostname"}
    schema = {
        "type": "object",
        "properties": {
            "nested": {"type": "object", "properties": {"a/b": host}},
            "either": {"anyOf": [{"type": "integer"}, host]},
            "map": {"type": "object", "additionalProperties": host},
            "plain": {"type": "string"},
            "shared": {"$ref": "#/$defs/Host"},
            "marked": {
                "type": "array",
                "items": {"type": "string"},
                "x-jackfield": {"destination": True},
            },
        },
        "$defs": {"Host": host},
    }
    values = {
        "nested": {"a/b": "h1"},
        "either": "h2",
        "map": {"x": "h3"},
        "plain": "h4",
        "other": "h5",
        "shared": "h6",
        "marked": ["h7"],
    }
    found = {
        "/nested/a~1b": "h1",
        "/either": "h2",
        "/map/x": "h3",
        "/shared": "h6",
        "/marked/0": "h7",
    }
    assert list(named_hosts(schema, values)) == list(found.items())
    for text in ("a b", "http://[::1", "a\x00b"):
        with pytest.raises(InvalidConnection) as refused:
            judge_hosts(Guard(), schema, {"either": text})
        assert refused.value.details[0].path == "/either"
        judge_hosts(ANYWHERE, schema, {"either": text})
