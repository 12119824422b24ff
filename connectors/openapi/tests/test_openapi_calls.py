"""A connector generated from a document runs like any other: requests arrive as the document says,
and outputs come back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider, Request
from jackfield_openapi.naming import input_name
from openapi_rig import document, generate, installed, operation

_TICKET = {"$ref": "#/components/schemas/Ticket"}
_TICKETS = document(
    {
        "/tickets": {
            "get": operation(
                operationId="listTickets",
                parameters=[
                    {
                        "name": "labels",
                        "in": "query",
                        "explode": False,
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}},
                    {
                        "name": "per_page",
                        "in": "query",
                        "schema": {"type": "integer", "maximum": 100},
                    },
                ],
                responses={
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {"schema": {"type": "array", "items": _TICKET}}
                        },
                    }
                },
            ),
            "post": operation(
                operationId="createTicket",
                parameters=[
                    {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
                ],
                requestBody={
                    "required": True,
                    "content": {"application/json": {"schema": _TICKET}},
                },
                responses={
                    "201": {"description": "", "content": {"application/json": {"schema": _TICKET}}}
                },
            ),
        },
        "/tickets/{ticket-id}": {
            "get": operation(
                operationId="tickets/get",
                parameters=[
                    {
                        "name": "ticket-id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                    }
                ],
                responses={
                    "200": {"description": "", "content": {"application/json": {"schema": _TICKET}}}
                },
            )
        },
    },
    servers=[{"url": "https://api.acme.example/v1"}],
    security=[{"key": []}],
    components={
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        "schemas": {
            "Ticket": {
                "type": "object",
                "required": ["id", "title"],
                "properties": {
                    "id": {"type": "string", "readOnly": True},
                    "title": {"type": "string"},
                    "parent": _TICKET,
                    "note": {"type": "string", "nullable": True},
                },
            }
        },
    },
)


def _call(
    tmp_path: Path, action: str, inputs: dict[str, Any], script: Any, **more: Any
) -> tuple[Any, list[Request]]:
    manifest = generate(tmp_path, _TICKETS)
    with (
        Provider(script) as provider,
        installed(
            tmp_path, manifest, {"value": "k-4711", "server": f"{provider.url}/v1"}
        ) as jackfield,
    ):
        result = jackfield.invoke(
            {"connector": "acme", "action": action, "connection": "main", "inputs": inputs, **more}
        )
    return result, provider.requests


def test_a_request_arrives_as_the_document_says(tmp_path: Path) -> None:
    """Path, query and credentials of a read reach the server; a list becomes the member 'items'."""
    result, requests = _call(
        tmp_path,
        "listTickets",
        {"labels": ["a b", "c,d"], "perPage": "2"},
        [Answer([{"id": "1", "title": "x"}])],
    )
    assert result.unwrap() == {"items": [{"id": "1", "title": "x"}], "nextPage": 2}
    assert requests[0].path == "/v1/tickets?labels=a%20b,c%2Cd&per_page=2"
    assert {name.lower(): value for name, value in requests[0].headers.items()}[
        "x-api-key"
    ] == "k-4711"


def test_a_body_is_closed_and_a_key_is_passed_on(tmp_path: Path) -> None:
    """A member that the document does not know is refused before anything is sent; the invocation's
    key becomes the header.
    """
    refused, sent = _call(tmp_path, "createTicket", {"title": "x", "titel": "y"}, [Answer({})])
    assert (refused.error.code, refused.error.details[0].path, sent) == (
        "invalid_input",
        "/titel",
        [],
    )


def test_an_idempotency_key_becomes_the_header(tmp_path: Path) -> None:
    """The header that the document declares takes the invocation's key, or its id, and is no
    input.
    """
    result, requests = _call(
        tmp_path,
        "createTicket",
        {"title": "x", "note": None},
        [Answer({"id": "1", "title": "x"}, 201)],
    )
    assert result.unwrap() == {"id": "1", "title": "x"}
    headers = {name.lower(): value for name, value in requests[0].headers.items()}
    assert headers["idempotency-key"] == result.meta.invocation_id
    assert json.loads(requests[0].body) == {"title": "x", "note": None}


def test_fixed_header_fields_are_sent_and_are_no_inputs(tmp_path: Path) -> None:
    """The overlay's header fields of one operation go with its requests alone, and callers neither
    see nor change them.
    """
    whole = deepcopy(_TICKETS)
    whole["paths"]["/tickets"]["post"]["x-jackfield"] = {
        "headers": {"Prefer": "return=representation"}
    }
    manifest = generate(tmp_path, whole)
    script = [Answer({"id": "1", "title": "x"}, 201), Answer([])]
    with (
        Provider(script) as provider,
        installed(
            tmp_path, manifest, {"value": "k-4711", "server": f"{provider.url}/v1"}
        ) as jackfield,
    ):
        for action, inputs in (("createTicket", {"title": "x"}), ("listTickets", {})):
            jackfield.invoke(
                {"connector": "acme", "action": action, "connection": "main", "inputs": inputs}
            ).unwrap()
    sent = [
        {name.lower(): value for name, value in request.headers.items()}.get("prefer")
        for request in provider.requests
    ]
    assert sent == ["return=representation", None]
    assert not [row for row in manifest["actions"] if "prefer" in row["inputs"]["properties"]]


def test_fields_of_one_hop_are_no_inputs(tmp_path: Path) -> None:
    """A header field that belongs to one connection may be declared, and is the client's: as an
    input it would have no effect.
    """
    whole = deepcopy(_TICKETS)
    names = [
        "HTTP2-Settings",
        "Upgrade",
        "TE",
        "Trailer",
        "Keep-Alive",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "X-Mine",
    ]
    declared = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in names]
    whole["paths"]["/tickets"]["post"]["parameters"] = declared
    manifest = generate(tmp_path, whole)
    row = next(one for one in manifest["actions"] if one["key"] == "createTicket")
    assert {*row["inputs"]["properties"]} & {input_name(name) for name in names} == {
        input_name("X-Mine")
    }


@pytest.mark.parametrize("headers", [{"Prefer": 1}, {"a b": "c"}, {"A": "b\r\nC: d"}, "Prefer"])
def test_what_is_no_header_field_is_refused(tmp_path: Path, headers: Any) -> None:
    """A wrong name, a value that is no text, and one with a line break."""
    whole = deepcopy(_TICKETS)
    whole["paths"]["/tickets"]["post"]["x-jackfield"] = {"headers": headers}
    with pytest.raises(InvalidInput, match="headers"):
        generate(tmp_path, whole)


def test_a_value_stays_in_its_segment(tmp_path: Path) -> None:
    """A slash in a path parameter is encoded."""
    _, requests = _call(
        tmp_path, "ticketsGet", {"ticketId": "x/a?b#c"}, [Answer({"id": "1", "title": "x"})]
    )
    assert requests[0].path == "/v1/tickets/x%2Fa%3Fb%23c"


def test_dots_are_no_path_parameter(tmp_path: Path) -> None:
    """Two dots would reach another resource, also at servers that decode slashes first."""
    refused, requests = _call(tmp_path, "ticketsGet", {"ticketId": "../a"}, [Answer({})])
    assert (refused.error.code, requests) == ("invalid_input", [])


def test_drift_of_an_output_is_a_warning(tmp_path: Path) -> None:
    """An answer that breaks the document's own schema reaches the caller, with its differences in
    the meta.
    """
    result, _ = _call(
        tmp_path, "ticketsGet", {"ticketId": "1"}, [Answer({"id": 1, "title": "x", "new": True})]
    )
    assert result.unwrap() == {"id": 1, "title": "x", "new": True}
    assert result.to_json()["meta"]["warnings"] == [
        {"path": "/id", "message": "differs from the schema in 'type'"}
    ]


def test_the_same_drift_of_many_items_is_told_once(tmp_path: Path) -> None:
    """A list whose items all lack a member has one warning, which names the member; other
    differences have their own.
    """
    rows = [{"id": str(number)} for number in range(3)] + [{"id": 3, "title": "x"}]
    result, _ = _call(tmp_path, "listTickets", {}, [Answer(rows)])
    assert result.to_json()["meta"]["warnings"] == [
        {
            "path": "/items/0/title",
            "message": "is missing, which differs from the schema, and so do 2 more like it",
        },
        {"path": "/items/3/id", "message": "differs from the schema in 'type'"},
    ]


def test_pages_are_followed_to_the_end(tmp_path: Path) -> None:
    """'fetchAll' counts pages up until one is empty; single pages tell what the next call takes."""
    rows = [{"id": str(number), "title": "x"} for number in range(250)]

    def script(_number: int, request: Request) -> Answer:
        page = (
            int(request.path.partition("page=")[2].partition("&")[0])
            if "?page=" in request.path or "&page=" in request.path
            else 1
        )
        return Answer(rows[(page - 1) * 100 : page * 100])

    result, requests = _call(tmp_path, "listTickets", {"fetchAll": True}, script)
    assert [item["id"] for item in result.unwrap()["items"]] == [row["id"] for row in rows]
    assert (result.meta.complete, len(requests)) == (True, 4)


def test_a_server_that_ignores_the_page(tmp_path: Path) -> None:
    """A server that answers with the first page whatever number it is asked for does not fill the
    output until the deadline.
    """
    rows = [{"id": str(number), "title": "x"} for number in range(100)]
    result, requests = _call(
        tmp_path, "listTickets", {"fetchAll": True}, lambda _number, _request: Answer(rows)
    )
    assert (result.error.code, len(requests)) == ("unavailable", 2)
    assert "the same page twice" in result.error.message


def test_equal_pages_of_equal_items_are_no_fault(tmp_path: Path) -> None:
    """A list may have many equal items, so that two of its pages are equal, too."""
    rows = [{"id": "1", "title": "x"}] * 250

    def script(number: int, _request: Request) -> Answer:
        return Answer(rows[(number - 1) * 100 : number * 100])

    result, requests = _call(tmp_path, "listTickets", {"fetchAll": True}, script)
    assert (len(result.unwrap()["items"]), result.meta.complete, len(requests)) == (250, True, 4)


def test_a_single_page_says_how_to_go_on(tmp_path: Path) -> None:
    """Without 'fetchAll' the meta has the inputs of the next call."""
    result, _ = _call(tmp_path, "listTickets", {"page": 4}, [Answer([{"id": "1", "title": "x"}])])
    assert (result.meta.complete, result.meta.next) == (False, {"page": 5})


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a b/{the id}", "/a%20b/x%20y"),
        ("/caf\xe9/{the id}", "/caf%C3%A9/x%20y"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
        ("/{open", "/%7Bopen"),
        ("/a?note=\xe9 b", "/a?note=%C3%A9%20b"),
    ],
)
def test_paths_that_are_not_encoded(tmp_path: Path, path: str, sent: str) -> None:
    """A path of a document that no URL can hold is encoded, and cannot leave its line."""
    inputs = {"theId": "x y"} if "the id" in path else {}
    result, requests = _served(
        tmp_path, document({path: {"post": operation()}}), {}, [Answer({})], inputs
    )
    assert (result.status, [request.path for request in requests]) == ("succeeded", [sent])


@pytest.mark.parametrize("kind", ["integer", "string"])
def test_pages_that_are_counted_from_zero(tmp_path: Path, kind: str) -> None:
    """No page is skipped where the first is 0, none is repeated where its number is a text, and a
    page that the server has cut is not the last one. The first page is asked for by its number,
    since some providers send another list without one.
    """
    page = {"name": "page", "in": "query", "schema": {"type": kind, "default": 0}}
    listed = operation(
        operationId="listAll",
        parameters=[page, {"name": "limit", "in": "query", "schema": {"type": "integer"}}],
        responses={
            "200": {
                "description": "",
                "content": {"application/json": {"schema": {"type": "array", "items": {}}}},
            }
        },
    )

    def script(_number: int, request: Request) -> Answer:
        first = 3 * int(parse_qs(urlsplit(request.path).query).get("page", ["0"])[0])
        return Answer([first, first + 1, first + 2] if first < 9 else [])

    manifest = generate(tmp_path, document({"/all": {"get": listed}}))
    found: list[int] = []
    with (
        Provider(script) as provider,
        installed(tmp_path, manifest, {"server": provider.url}) as jackfield,
    ):
        called = {"connector": "acme", "action": "listAll", "connection": "main"}
        result = jackfield.invoke({**called, "inputs": {"limit": 1000, "fetchAll": True}})
        assert (result.unwrap()["items"], result.meta.complete) == ([*range(9)], True)
        assert [parse_qs(urlsplit(one.path).query)["page"] for one in provider.requests] == [
            ["0"],
            ["1"],
            ["2"],
            ["3"],
        ]
        following: Mapping[str, Any] | None = {}
        while following is not None:
            result = jackfield.invoke({**called, "inputs": following})
            found += result.unwrap()["items"]
            following = result.meta.next
    assert found == [*range(9)]


def test_a_refusal_has_the_providers_words(tmp_path: Path) -> None:
    """An error response is mapped by its status and keeps the provider's message."""
    result, _ = _call(
        tmp_path, "createTicket", {"title": "x"}, [Answer({"message": "title is taken"}, 409)]
    )
    assert (result.error.code, result.error.provider.message) == ("conflict", "title is taken")


def test_a_garbled_answer_to_a_write_is_in_doubt(tmp_path: Path) -> None:
    """Where JSON was promised and something else came, a write may have happened."""
    result, requests = _call(tmp_path, "createTicket", {"title": "x"}, [Answer(content=b"<html>")])
    assert (result.status, len(requests)) == ("in_doubt", 1)


def _served(
    tmp_path: Path, source: dict[str, Any], values: dict[str, Any], script: Any, inputs: Any = None
) -> tuple[Any, list[Request]]:
    manifest = generate(tmp_path, source)
    with (
        Provider(script) as provider,
        installed(tmp_path, manifest, {**values, "server": provider.url}) as jackfield,
    ):
        called = {
            "connector": "acme",
            "action": manifest["actions"][0]["key"],
            "connection": "main",
            "inputs": inputs or {},
        }
        return jackfield.invoke(called), provider.requests


def test_two_credentials_travel_together(tmp_path: Path) -> None:
    """Where the document wants two schemes at once, each request has both."""
    schemes = {
        "app": {"type": "apiKey", "in": "query", "name": "app"},
        "login": {"type": "http", "scheme": "basic"},
    }
    source = document(
        {"/a": {"get": operation(security=[{"app": [], "login": []}])}},
        components={"securitySchemes": schemes},
    )
    values = {"appValue": "k", "loginUsername": "u", "loginPassword": "p"}
    result, requests = _served(tmp_path, source, values, [Answer({"a": 1})])
    headers = {name.lower(): value for name, value in requests[0].headers.items()}
    assert (result.unwrap(), requests[0].path, headers["authorization"]) == (
        {"a": 1},
        "/a?app=k",
        "Basic dTpw",
    )


def test_client_credentials_are_exchanged_once(tmp_path: Path) -> None:
    """The token URL of the document, here the caller's, issues a token, which requests then
    carry.
    """
    flows = {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {"read": ""}}}
    schemes = {"oauth": {"type": "oauth2", "flows": flows}}
    source = document(
        {"/a": {"get": operation(security=[{"oauth": ["read"]}])}},
        components={"securitySchemes": schemes},
    )
    manifest = generate(tmp_path, source)
    assert [row["key"] for row in manifest["connectionTypes"]] == ["oauthClient", "oauthToken"]
    assert manifest["actions"][0]["permissions"] == {"oauth2": ["read"]}

    def script(_number: int, request: Request) -> Answer:
        return (
            Answer({"access_token": "t-1", "token_type": "bearer"})
            if request.path == "/token"
            else Answer({"a": 1})
        )

    with Provider(script) as provider:
        values = {
            "clientId": "c",
            "clientSecret": "s",
            "tokenUrl": f"{provider.url}/token",
            "server": provider.url,
        }
        with installed(tmp_path, manifest, values) as jackfield:
            for _ in range(2):
                jackfield.invoke(
                    {"connector": "acme", "action": "getA", "connection": "main", "inputs": {}}
                ).unwrap()
    assert [request.path for request in provider.requests] == ["/token", "/a", "/a"]
    assert provider.requests[1].headers["Authorization"] == "Bearer t-1"


def test_links_are_followed_on_the_own_server_only(tmp_path: Path) -> None:
    """The address of the next page is followed with credentials on the connection's server, and
    refused on any other.
    """
    schema = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {}}, "next": {"type": "string"}},
    }
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    source = document({"/a": {"get": operation(operationId="list", responses=responses)}})
    pages = [
        Answer({"data": [1], "next": "/a?page=2"}),
        Answer({"data": [2], "next": "http://127.0.0.2:9/steal"}),
    ]
    result, requests = _served(tmp_path, source, {}, pages, {"fetchAll": True})
    assert (result.status, result.error.code) == ("failed", "invalid_input")
    assert [request.path for request in requests] == ["/a", "/a?page=2"]


def test_a_page_behind_a_gateway_is_named_as_the_provider_has_it(tmp_path: Path) -> None:
    """Its path lacks that of the gateway: the list's own is taken with the query. Of another path,
    the next page is not fetched.
    """
    schema = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {}}, "next": {"type": "string"}},
    }
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    manifest = generate(
        tmp_path, document({"/a": {"get": operation(operationId="list", responses=responses)}})
    )
    pages = [
        Answer({"data": [1], "next": "/wiki/v2/a?page=2"}),
        Answer({"data": [2], "next": "/wiki/v2/b?page=3"}),
    ]
    with (
        Provider(pages) as provider,
        installed(tmp_path, manifest, {"server": f"{provider.url}/ex/site-1/wiki/v2"}) as jackfield,
    ):
        call = {
            "connector": "acme",
            "action": "list",
            "connection": "main",
            "inputs": {"fetchAll": True},
        }
        result = jackfield.invoke(call)
    assert [request.path for request in provider.requests] == [
        "/ex/site-1/wiki/v2/a",
        "/ex/site-1/wiki/v2/a?page=2",
    ]
    assert result.status == "failed"
    assert "not below" in str(result.error)


def test_a_file_is_sent_and_one_comes_back(tmp_path: Path) -> None:
    """Binary bodies are files in both directions."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    responses = {"200": {"description": "", "content": {"image/png": binary}}}
    body = {"content": {"application/octet-stream": binary}}
    source = document(
        {"/a": {"post": operation(operationId="convert", requestBody=body, responses=responses)}}
    )
    answers = [Answer(content=b"\x89PNG", headers={"Content-Type": "image/png"})]
    result, requests = _served(
        tmp_path, source, {}, answers, {"body": {"data": "AAE=", "contentType": "image/gif"}}
    )
    assert (requests[0].body, requests[0].headers["Content-Type"]) == (
        b"\x00\x01",
        "application/octet-stream",
    )
    assert result.unwrap() == {"file": {"data": "iVBORw==", "contentType": "image/png"}}


def test_a_connection_is_tested_by_the_probe_of_an_overlay(tmp_path: Path) -> None:
    """The GET that the overlay marks tells whether the credentials are accepted; a refusal fails
    the test.
    """
    probe = {"get": operation(operationId="whoAmI", **{"x-jackfield": {"probe": True}})}
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    manifest = generate(tmp_path, document({"/me": probe}, components={"securitySchemes": schemes}))
    answers = [Answer({"id": 1}), Answer({"message": "no such key"}, 401)]
    with (
        Provider(answers) as provider,
        installed(tmp_path, manifest, {"value": "k", "server": provider.url}) as jackfield,
    ):
        outcomes = [
            [step["passed"] for step in jackfield.test("main")["lastTest"]["steps"]]
            for _ in range(2)
        ]
    assert [request.path for request in provider.requests] == ["/me", "/me"]
    assert (outcomes[0][-1], outcomes[1][-1]) == (True, False)


def test_link_headers_are_followed(tmp_path: Path) -> None:
    """A declared Link header leads through all pages, and a single page has the address of the next
    one.
    """
    schema = {"type": "array", "items": {"type": "integer"}}
    headers = {"Link": {"schema": {"type": "string"}}}
    responses = {
        "200": {
            "description": "",
            "headers": headers,
            "content": {"application/json": {"schema": schema}},
        }
    }
    source = document({"/a": {"get": operation(operationId="list", responses=responses)}})
    pages = [
        Answer([1], headers={"Link": '</a?page=0>; rel="prev", </a?page=2>; rel="next"'}),
        Answer([2]),
    ]
    result, requests = _served(tmp_path, source, {}, pages, {"fetchAll": True})
    assert (result.unwrap(), [request.path for request in requests]) == (
        {"items": [1, 2]},
        ["/a", "/a?page=2"],
    )
