"""What belongs to the connection is not the caller's: header fields, query parameters, cookies, and
the path of its server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from http_rig import attempt
from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Harness, Provider, Request
from jackfield_http.connection_types import ApiKey, HttpConnection
from jackfield_http.urls import climbs
from openapi_rig import document, generate, installed, operation


def fields(request: Request, name: str) -> list[str]:
    """Every value of a header field."""
    return [value for given, value in request.headers.items() if given.lower() == name.lower()]


class Versioned(HttpConnection):
    """A connection type that sets a header field of every request."""

    key: ClassVar[str] = "versioned"
    title: ClassVar[str] = "Versioned"
    headers: ClassVar[dict[str, str]] = {"X-Api-Version": "2"}


class InQuery(ApiKey):
    """A key in the query."""

    key, location, name = "inQuery", "query", "api_key"


class InCookie(ApiKey):
    """A key in a cookie."""

    key, location, name = "inCookie", "cookie", "sid"


class AsAccept(ApiKey):
    """A credential in a field that the client has a default for."""

    key, name = "asAccept", "Accept"


@pytest.mark.parametrize("name", ["X-Tenant", "x-tenant", "X_TENANT", "X-TENANT"])
def test_security_6_a_caller_sets_no_field_of_the_connection(harness: Harness, name: str) -> None:
    """Security 6: the caller's field went before the connection's of the same name, and many
    servers read the first.
    """
    server = harness.serve(Answer({}))
    values = {"server": server.url, "token": "t", "headerName": "X-Tenant", "headerValue": "mine"}
    connection = {"type": "http/bearer", "values": values}
    for inputs in (
        {"headers": {name: "other"}},
        {"idempotencyHeader": name, "method": "POST", "text": "x"},
    ):
        error = harness.invoke("request", {"url": "/x", **inputs}, connection=connection).error
        assert error is not None
        assert (error.code, "'X-Tenant'" in error.message) == ("invalid_input", True)
    assert server.requests == []
    assert (
        harness.invoke(
            "request", {"url": "/x", "headers": {"X-Tenant-Name": "a"}}, connection=connection
        ).status
        == "succeeded"
    )
    assert fields(server.requests[0], "X-Tenant") == ["mine"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"query": {"api_key": "other"}},
        {"url": "/x?api_key=other"},
        {"url": "/x?a=1;api%5Fkey=other"},
        {"query": {"API_KEY": ["a", "b"]}},
        {"url": "{server}/x?api_key=other"},
    ],
)
def test_security_6_a_caller_sets_no_parameter_of_the_connection(
    harness: Harness, inputs: dict[str, Any]
) -> None:
    """The key in a query is the same class: a caller's parameter of its name would come first."""
    server = harness.serve(Answer({}))
    values = {"server": server.url, "apiKey": "mine", "place": "query", "keyName": "api_key"}
    given = {"url": "/x", **inputs}
    given["url"] = given["url"].replace("{server}", server.url)
    error = harness.invoke(
        "request", given, connection={"type": "http/apiKey", "values": values}
    ).error
    assert error is not None
    assert (error.code, "query parameter" in error.message, server.requests) == (
        "invalid_input",
        True,
        [],
    )


def test_parameters_of_the_connections_server_stay(harness: Harness) -> None:
    """What the server's own URL has in its query is sent with every request, whole URLs included,
    and with no other value.
    """
    server = harness.serve(Answer({}), Answer({}), Answer({}))
    connection = {
        "type": "http/bearer",
        "values": {"server": f"{server.url}/v1?tenant=1&x=y%20z", "token": "t"},
    }
    for url in ("/a?b=2", f"{server.url}/v1/a?b=2", f"{server.url}/v1/a?x=y+z&tenant=1&b=2"):
        assert harness.invoke("request", {"url": url}, connection=connection).status == "succeeded"
    assert [
        sorted(item.path.partition("?")[2].replace("+", "%20").split("&"))
        for item in server.requests
    ] == [["b=2", "tenant=1", "x=y%20z"]] * 3
    for url in ("/a?tenant=2", f"{server.url}/v1/a?tenant=2", "/a?Tenant=2"):
        error = harness.invoke("request", {"url": url}, connection=connection).error
        assert error is not None
        assert error.code == "invalid_input"


def test_the_kit_keeps_fields_apart() -> None:
    """Through the client of every HTTP connector: fields of the type, of the sign-in, cookies; a
    default of the client gives way.
    """
    with Provider([Answer({})]) as server:
        with (
            attempt(server.url, Versioned) as (api, _),
            pytest.raises(InvalidInput, match="'X-Api-Version'"),
        ):
            api.get("/x", headers={"x-api-version": "1"})
        with (
            attempt(server.url, InQuery, values={"apiKey": "k"}) as (api, _),
            pytest.raises(InvalidInput, match="'api_key'"),
        ):
            api.get("/x", query={"api_key": "other"})
        with (
            attempt(server.url, InCookie, values={"apiKey": "k"}) as (api, _),
            pytest.raises(InvalidInput, match="'sid'"),
        ):
            api.get("/x", headers={"cookie": "a=1; sid=other"})
        assert server.requests == []
        with attempt(server.url, InCookie, values={"apiKey": "k"}) as (api, _):
            api.get("/x", headers={"Cookie": "a=1; b=2", "accept": "text/plain"})
        assert (fields(server.requests[0], "Cookie"), fields(server.requests[0], "Accept")) == (
            ["a=1; b=2; sid=k"],
            ["text/plain"],
        )
        with attempt(server.url, AsAccept, values={"apiKey": "k"}) as (api, _):
            api.get("/x")
        assert fields(server.requests[1], "Accept") == ["k"]


_TEXT = {"type": "string"}
_DOCUMENT = document(
    {
        "/t/{id}": {
            "get": operation(
                operationId="show",
                parameters=[
                    {"name": "id", "in": "path", "required": True, "schema": _TEXT},
                    {"name": "X_Api_Key", "in": "header", "schema": _TEXT},
                    {
                        "name": "more",
                        "in": "query",
                        "schema": {"type": "object", "additionalProperties": _TEXT},
                    },
                ],
            )
        }
    },
    servers=[{"url": "https://api.acme.example/v1"}],
    security=[{"key": [], "second": []}],
    components={
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            "second": {"type": "apiKey", "in": "query", "name": "token"},
        }
    },
)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"xApiKey": "other"}, "1 input is not valid"),
        ({"more": {"token": "other"}}, "set by the connection"),
    ],
)
def test_generated_connectors_keep_them_apart(
    tmp_path: Path, inputs: dict[str, Any], text: str
) -> None:
    """A header parameter whose name servers take for the key's is no input, and a free parameter of
    the query is refused.
    """
    manifest = generate(tmp_path, _DOCUMENT)
    fields_of = [
        name for name in manifest["connectionTypes"][0]["schema"]["properties"] if name != "server"
    ]
    with Provider([Answer({})]) as server:
        values = {**dict.fromkeys(fields_of, "mine"), "server": f"{server.url}/v1"}
        with installed(tmp_path, manifest, values) as jackfield:
            called = {
                "connector": "acme",
                "action": "show",
                "connection": "main",
                "inputs": {"id": "1", **inputs},
            }
            error = jackfield.invoke(called).error
        assert error is not None
        assert (error.code, text in error.message, server.requests) == ("invalid_input", True, [])


CLIMBING = [
    "..",
    ".",
    "a/../../b",
    "..%2fadmin",
    "..%2F..%2Fadmin",
    "%2e%2e",
    "%252e%252e%252fx",
    "%25252e%25252e",
    "..;/admin",
    "..;a=b",
    "..%3b/x",
    "..\\admin",
    "..%5c..%5cadmin",
    "%c0%ae%c0%ae%c0%afx",
    "%u002e%u002e/x",
    "..%00/x",
    ".. /x",
    "%2525252525252e%2525252525252e",
]
STAYING = [
    "a",
    "1.0",
    "...",
    "a..b",
    "..a",
    "a;b",
    "%2e%2ea",
    "report.pdf",
    "a%2Fb",
    "100%",
    "a%zz",
    "~.~",
]


def test_security_7_no_path_climbs_in_any_encoding(
    harness: Harness, subtests: pytest.Subtests
) -> None:
    """Security 7: encoded slashes, backslashes, semicolons and double encoding went to the server,
    which climbed.
    """
    for text in CLIMBING:
        with subtests.test(text=text):
            assert climbs(f"/v1/{text}/x")
            server = harness.serve(Answer({}))
            connection = {
                "type": "http/bearer",
                "values": {"server": f"{server.url}/v1/acme", "token": "t"},
            }
            for url in (f"/{text}/x", f"/{text}", f"{server.url}/v1/acme/{text}/x"):
                error = harness.invoke("request", {"url": url}, connection=connection).error
                assert error is not None
                assert (error.code, error.details[0].path) == ("invalid_input", "/url")
            assert server.requests == []


@pytest.mark.parametrize("text", CLIMBING)
def test_security_7_no_path_value_climbs(tmp_path: Path, text: str) -> None:
    """Security 7: a value was encoded once, ``a%2F..%2F..%2Fb``, which servers and proxies decode
    before they resolve the path.
    """
    manifest = generate(tmp_path, _DOCUMENT)
    with Provider([Answer({})]) as server:
        fields_of = [
            name
            for name in manifest["connectionTypes"][0]["schema"]["properties"]
            if name != "server"
        ]
        values = {**dict.fromkeys(fields_of, "mine"), "server": f"{server.url}/v1"}
        with installed(tmp_path, manifest, values) as jackfield:
            error = jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "show",
                    "connection": "main",
                    "inputs": {"id": text},
                }
            ).error
        assert error is not None
        assert (error.code, [item.path for item in error.details]) == ("invalid_input", ["/id"])
        with (
            attempt(f"{server.url}/v1") as (api, _),
            pytest.raises(InvalidInput, match="does not fit"),
        ):
            api.get("/t/{id}", {"id": text})
        assert server.requests == []


@pytest.mark.parametrize("text", STAYING)
def test_paths_with_dots_that_climb_nowhere(text: str) -> None:
    """Dots within a segment, and percent signs that encode nothing, are values like others."""
    assert not climbs(f"/v1/{text}/x")
