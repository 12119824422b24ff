"""Attacks through what only generated connectors have: server variables, token endpoints, cookies,
forms, files and styles of paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.callers import LIBRARY, Caller
from jackfield.catalog import Catalog
from jackfield.connector import Guard
from jackfield.invocation import Result
from jackfield.testing import Answer, Provider, Request
from openapi_rig import document, generate, operation
from plugboard import declare, plugged

_REMOTE = Caller(remote=True)
_FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "scan": {"type": "string", "format": "binary"}},
}
_STYLES = ("simple", "label", "matrix")
_OAUTH: dict[str, Any] = {"clientCredentials": {"scopes": {}}}
_DOCUMENT = document(
    {
        **{
            f"/{style}/{{id}}/x": {
                "get": operation(
                    operationId=f"{style}P",
                    parameters=[
                        {
                            "name": "id",
                            "in": "path",
                            "required": True,
                            "style": style,
                            "schema": {"type": "string"},
                        }
                    ],
                )
            }
            for style in _STYLES
        },
        "/cookie": {
            "get": operation(
                operationId="cookieP",
                parameters=[{"name": "note", "in": "cookie", "schema": {"type": "string"}}],
            )
        },
        "/form": {
            "post": operation(
                operationId="formP",
                requestBody={"content": {"application/x-www-form-urlencoded": {"schema": _FORM}}},
            )
        },
        "/parts": {
            "post": operation(
                operationId="partsP",
                requestBody={"content": {"multipart/form-data": {"schema": _FORM}}},
            )
        },
        "/signed": {"get": operation(operationId="signedP", security=[{"oauth": []}])},
    },
    servers=[
        {
            "url": "https://{tenant}.acme.example:{port}/{base}/v1",
            "variables": {
                "tenant": {"default": "main"},
                "port": {"default": "443"},
                "base": {"default": "api"},
            },
        }
    ],
    security=[],
    components={"securitySchemes": {"oauth": {"type": "oauth2", "flows": _OAUTH}}},
)


class Rig:
    """A generated connector; connections of remote callers reach public addresses only."""

    def __init__(self, runtime: Jackfield) -> None:
        self.runtime = runtime

    def call(
        self,
        action: str,
        inputs: Mapping[str, Any],
        values: Mapping[str, Any],
        kind: str = "anonymous",
        caller: Caller = LIBRARY,
    ) -> Result:
        """Call an action."""
        connection = {"type": f"acme/{kind}", "values": dict(values)}
        called = {
            "connector": "acme",
            "action": action,
            "connection": connection,
            "inputs": dict(inputs),
            "timeoutSeconds": 60,
        }
        return self.runtime.invoke(called, caller=caller)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The connector of the document above."""
    folder = tmp_path_factory.mktemp("attacked")
    generate(folder, _DOCUMENT)
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    with (
        plugged(folder / "made"),
        Jackfield(catalog=Catalog.installed(), database_url="none", guard=Guard()) as runtime,
    ):
        yield Rig(runtime)


def _code(result: Result) -> str:
    return result.error.code if result.error is not None else ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("tenant", value)
        for value in (
            "evil.example/",
            "evil.example?",
            "evil.example#",
            "127.0.0.1:9/",
            "ada@evil",
            "ada:pw@evil",
            "evil.example\\",
            "%65vil",
            "a b",
            "a\r\nX: y",
            "[::1]",
            "evil.example:80/x?",
        )
    ]
    + [
        ("port", value)
        for value in ("443/x", "@evil.example", "443@evil.example", "9#", "-1", "99999999")
    ]
    + [
        ("base", value)
        for value in ("../admin", "..", "a/../b", "a?x=1", "a#b", "a%2e%2e", "a\\b", "a\nb", "{id}")
    ],
)
def test_server_variables_stay_in_their_place(rig: Rig, variable: str, value: str) -> None:
    """A variable of a server's URL is a part of a name, a port or a path; it leads to no other
    host, and nothing is sent.
    """
    key = f"server{variable.capitalize()}"
    result = rig.call("simpleP", {"id": "7"}, {key: value})
    assert (_code(result), result.meta.attempts) == ("invalid_connection", 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/token",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://ada:pw@example.com/",
        "http://2130706433/",
    ],
)
def test_token_endpoints(rig: Rig, url: str) -> None:
    """A token endpoint that a remote caller names is public: the client's secret goes nowhere
    else.
    """
    values = {"clientId": "c", "clientSecret": "s", "tokenUrl": url}
    assert _code(rig.call("signedP", {}, values, "oauthClient", _REMOTE)) == "invalid_connection"


def test_a_token_endpoint_does_not_redirect_the_secret(rig: Rig) -> None:
    """A redirect of the token request is not followed: it carries the client's secret."""
    with Provider([Answer({"access_token": "t"})]) as other:
        with Provider([Answer(status=307, headers={"Location": f"{other.url}/token"})]) as provider:
            values = {
                "clientId": "c",
                "clientSecret": "s",
                "tokenUrl": f"{provider.url}/token",
                "server": provider.url,
            }
            assert rig.call("signedP", {}, values, "oauthClient").status == "failed"
        assert other.requests == []


@pytest.mark.parametrize("style", _STYLES)
@pytest.mark.parametrize(
    "value", ["../admin", "..", ".", "a/b", "a?b", "a#b", "a;admin=1", "\r\nX: y"]
)
def test_styles_of_paths(rig: Rig, style: str, value: str) -> None:
    """In each style a path value is refused, or stays in its segment."""
    with Provider([Answer({})]) as provider:
        result = rig.call(f"{style}P", {"id": value}, {"server": f"{provider.url}/v1"})
        paths = [request.path for request in provider.requests]
    assert _code(result) in {"", "invalid_input"}
    for path in paths:
        assert path.startswith(f"/v1/{style}/")
        assert path.endswith("/x")
        assert path.count("/") == 4
        assert not {"?", "#", "\n"} & set(path)
        assert "/../" not in path
        assert "/./" not in path


@pytest.mark.parametrize("value", ["a; admin=1", "a\r\nX: y", "a,b", "a=b", 'a"b'])
def test_cookies(rig: Rig, value: str) -> None:
    """A cookie's value stays one cookie."""
    with Provider([Answer({})]) as provider:
        result = rig.call("cookieP", {"note": value}, {"server": provider.url})
        seen = provider.requests
    assert _code(result) in {"", "invalid_input"}
    for request in seen:
        cookie = request.headers["Cookie"]
        assert (cookie.startswith("note="), ";" in cookie, "X" in request.headers) == (
            True,
            False,
            False,
        )


@pytest.mark.parametrize("value", ["a&admin=1", "a=b", "a+b", "a\r\n--x", "a%26b"])
def test_forms(rig: Rig, value: str) -> None:
    """A value of a form adds no other field."""
    from urllib.parse import parse_qsl

    with Provider([Answer({})]) as provider:
        rig.call("formP", {"body": {"name": value}}, {"server": provider.url}).unwrap()
        assert parse_qsl(provider.requests[0].body.decode("ascii")) == [("name", value)]


def _posted(rig: Rig, body: Mapping[str, Any]) -> tuple[Result, list[Request]]:
    with Provider([Answer({})]) as provider:
        return rig.call("partsP", {"body": body}, {"server": provider.url}), provider.requests


@pytest.mark.parametrize(
    "value", ['a\r\nContent-Disposition: form-data; name="admin"\r\n\r\n1', "--x", "a\x00b"]
)
def test_parts(rig: Rig, value: str) -> None:
    """A value of a multipart body is one part, whatever it contains: nobody knows the boundary
    beforehand.
    """
    result, requests = _posted(rig, {"name": value})
    result.unwrap()
    boundary = requests[0].headers["Content-Type"].partition("boundary=")[2].encode()
    assert (requests[0].body.count(b"--" + boundary), value.encode() in requests[0].body) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    "kind", ["image/png\r\nX: y", 'image/png\nContent-Disposition: form-data; name="admin"', "\x00"]
)
def test_media_types_of_files(rig: Rig, kind: str) -> None:
    """A media type that is more than one line is refused before anything is sent."""
    result, requests = _posted(rig, {"scan": {"data": "AAE=", "contentType": kind}})
    assert (_code(result), requests) == ("invalid_input", [])
