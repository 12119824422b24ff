"""Hosts and ports that an isolated connector may connect to: what the operator wrote, and nothing
that its author or DNS adds.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from jackfield.call.offered_hosts import inner_hosts
from jackfield.connector import ANYWHERE, Guard
from jackfield.kernel.errors import InvalidConnection
from jackfield_isolation.egress import Egress, hosts_named

URL = {"type": "string", "format": "uri"}
HOST = {"type": "string", "format": "hostname"}


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def egress(values: dict[str, Any], guard: Guard = ANYWHERE, **properties: Any) -> Egress:
    """What a connection with these values allows."""
    schema = {"type": "object", "properties": {name: properties.get(name, URL) for name in values}}
    return Egress("acme", (), hosts_named(schema, values), guard)


def reaches(found: Egress, host: str, port: int) -> bool:
    """Whether a connection is opened; False if it is refused."""
    try:
        with contextlib.closing(found.connect(host, port, 5)):
            return True
    except InvalidConnection:
        return False


def test_an_address_that_the_operator_wrote(port: int) -> None:
    """It is reached at the port of its URL, and at no other."""
    found = egress({"url": f"http://127.0.0.1:{port}/base"})
    assert reaches(found, "127.0.0.1", port)
    assert not reaches(found, "127.0.0.1", port + 1)
    assert not reaches(egress({"url": "http://127.0.0.1/"}), "127.0.0.1", port)
    assert reaches(egress({"host": "127.0.0.1"}, host=HOST), "127.0.0.1", port)


def test_a_host_that_only_a_default_names(port: int) -> None:
    """It is the author's choice: public hosts only, wherever in the schema the default is; the
    operator's own value counts as his.
    """
    by_author = {**HOST, "default": "127.0.0.1"}
    assert not reaches(egress({"host": "127.0.0.1"}, host=by_author), "127.0.0.1", port)
    nested = {"type": "object", "properties": {"deep": HOST}, "default": {"deep": "127.0.0.1"}}
    assert not reaches(egress({"some": {"deep": "127.0.0.1"}}, some=nested), "127.0.0.1", port)
    both = egress({"host": "127.0.0.1", "url": f"http://127.0.0.1:{port}"}, host=by_author)
    assert reaches(both, "127.0.0.1", port)


def _choices(port: int) -> dict[str, dict[str, Any]]:
    inner = f"http://127.0.0.1:{port}/"
    return {
        "default": {**URL, "default": inner},
        "const": {**URL, "const": inner},
        "enum": {**URL, "enum": ["https://api.example.com", inner]},
        "oneOf": {**URL, "oneOf": [{"const": inner, "title": "Europe"}]},
        "anyOf": {**URL, "anyOf": [{"const": inner, "title": "Europe"}, {"pattern": "x"}]},
        "examples": {**URL, "examples": [inner]},
        "$ref": {**URL, "$ref": "#/$defs/region", "$defs": {"region": {"enum": [inner]}}},
    }


@pytest.mark.parametrize("way", _choices(0))
def test_a_host_that_the_author_offers_under_another_name(port: int, way: str) -> None:
    """Who picks "Europe" has not written the metadata address: what the schema offers must be
    public (finding 5).
    """
    offered = _choices(port)[way]
    inner = f"http://127.0.0.1:{port}/"
    assert not reaches(egress({"region": inner}, region=offered), "127.0.0.1", port)
    assert reaches(egress({"region": inner + "base"}, region=offered), "127.0.0.1", port)
    assert list(inner_hosts({"properties": {"region": offered}})) == [inner]


@pytest.mark.parametrize(
    ("text", "is_inner"),
    [
        ("https://api.example.com", False),
        ("8.8.8.8", False),
        ("eu-west-1", False),
        ("starttls", False),
        ("a b", False),
        ("5432", False),
        ("localhost:5432", True),
        ("http://LOCALHOST./", True),
        ("[::1]:80", True),
        ("169.254.169.254", True),
        ("//10.0.0.1/", True),
        ("http://[::ffff:127.0.0.1]/", True),
        ("https:127.0.0.1", True),
        ("db.localhost", True),
    ],
)
def test_inner_addresses_that_a_schema_offers(text: str, is_inner: bool) -> None:
    """This machine and addresses in the operator's network are recognised in every form that a
    client reads, without a look-up.
    """
    assert bool([*inner_hosts({"properties": {"host": {"examples": [text]}}})]) is is_inner


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "0.0.0.0"])
def test_a_name_that_leads_to_this_machine(
    port: int, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner decides where a name leads: never to this machine or a metadata service, also not
    for the operator's connections.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_args, **_more: [(family, socket.SOCK_STREAM, 6, "", (address, port))],
    )
    assert not reaches(
        egress({"url": f"http://api.vendor.example:{port}"}), "api.vendor.example", port
    )
    assert not reaches(
        egress({"host": "api.vendor.example"}, host=HOST), "api.vendor.example", port
    )


def test_localhost_is_written_out(port: int) -> None:
    """Who writes ``localhost`` means this machine; a connection made over HTTP still may not reach
    it.
    """
    assert reaches(egress({"url": f"http://localhost:{port}"}), "localhost", port)
    assert not reaches(egress({"url": f"http://localhost:{port}"}, Guard()), "localhost", port)


def test_a_port_that_is_none() -> None:
    """A URL whose port cannot be read allows no port."""
    assert not reaches(egress({"url": "http://127.0.0.1:99999/"}), "127.0.0.1", 80)
