"""Values of every kind arrive at a real server exactly as they were given, whatever characters they
contain, in every style.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from http_rig import Cache, attempt
from jackfield.connector import InvalidInput, Unavailable
from jackfield.testing import Answer, Provider, Request
from jackfield_http.bindings.connector import BoundCall, BoundInputs
from jackfield_http.bindings.requests import request_of
from jackfield_http.bodies import multipart_body
from jackfield_http.urls import climbs

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_SCALAR = _TEXT | st.integers(-(10**12), 10**12) | st.booleans()
_FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


_CACHE = Cache()
"""Connections to the server, kept over all examples."""


class Clients:
    """The clients of one attempt, of which there is one."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def of(self, _number: int) -> Any:
        """The client."""
        return self._api


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    """A server that answers with nothing."""
    with Provider([Answer({})]) as provider:
        yield provider


def sent(
    server: Provider,
    inputs: dict[str, Any],
    *rows: dict[str, Any],
    path: str = "/a",
    body: dict[str, Any] | None = None,
) -> Request:
    """Call an action with these parameters; the request that arrived."""
    binding = {
        "method": "POST" if body else "GET",
        "path": path,
        "parameters": list(rows),
        "response": {"read": "json"},
    }
    row = {"key": "call", "effect": "write", "http": {**binding, "body": body} if body else binding}
    with attempt(f"{server.url}/v1", cache=_CACHE) as (api, _):
        try:
            BoundCall(row)(BoundInputs.model_validate(inputs), Clients(api))  # type: ignore[arg-type]  # one client instead of several
        except Unavailable:
            # a busy machine: the server has closed the idle connection; the runtime would repeat
            # the attempt
            BoundCall(row)(BoundInputs.model_validate(inputs), Clients(api))  # type: ignore[arg-type]
    return server.requests[-1]


def shown(value: Any) -> str:
    """A value as text in a URL."""
    return value if isinstance(value, str) else json.dumps(value)


def pairs(request: Request) -> list[tuple[str, str]]:
    """The parameters of a query as a server reads them."""
    return parse_qsl(
        request.path.partition("?")[2], keep_blank_values=True, encoding="utf-8", errors="strict"
    )


@_FEW
@given(
    value=_SCALAR,
    items=st.lists(_SCALAR, min_size=1, max_size=4),
    members=st.dictionaries(_TEXT, _SCALAR, max_size=3),
)
def test_a_query_arrives(
    server: Provider, value: Any, items: list[Any], members: dict[str, Any]
) -> None:
    """Single values, repeated ones, exploded objects and brackets are read back by a standard
    parser, and add no other parameter.
    """
    rows = [
        {"input": "one", "in": "query", "name": "o&ne"},
        {"input": "many", "in": "query"},
        {"input": "deep", "in": "query", "style": "deepObject"},
    ]
    request = sent(server, {"one": value, "many": items, "deep": {"m": members, "l": items}}, *rows)
    expected = [("o&ne", shown(value)), *(("many", shown(item)) for item in items)]
    expected += [(f"deep[m][{name}]", shown(item)) for name, item in members.items()]
    expected += [("deep[l][]", shown(item)) for item in items]
    assert pairs(request) == expected


def test_the_members_of_a_list_of_objects_stay_in_their_objects(server: Provider) -> None:
    """Each object has its index: a reader would put a member that the first one lacks into the
    first one (two line items, one of them with a quantity that may be adjusted).
    """
    items = [{"price": "p_1", "quantity": 2}, {"adjustable": {"enabled": True}, "price": "p_2"}]
    request = sent(
        server,
        {"deep": {"items": items, "rows": [["a"], ["b"]]}},
        {"input": "deep", "in": "query", "style": "deepObject"},
    )
    assert pairs(request) == [
        ("deep[items][0][price]", "p_1"),
        ("deep[items][0][quantity]", "2"),
        ("deep[items][1][adjustable][enabled]", "true"),
        ("deep[items][1][price]", "p_2"),
        ("deep[rows][0][]", "a"),
        ("deep[rows][1][]", "b"),
    ]


@_FEW
@given(items=st.lists(_TEXT.filter(bool), min_size=1, max_size=4))
@pytest.mark.parametrize(
    ("style", "mark"), [("form", ","), ("spaceDelimited", "%20"), ("pipeDelimited", "%7C")]
)
def test_joined_lists_keep_their_delimiters_apart(
    server: Provider, style: str, mark: str, items: list[str]
) -> None:
    """The delimiter of a list is recognisable, because those within its values are encoded, save
    for a space.
    """
    request = sent(
        server, {"many": items}, {"input": "many", "in": "query", "style": style, "explode": False}
    )
    raw = request.path.partition("?many=")[2]
    found = [unquote(part) for part in raw.split(mark)] if mark == "," else [unquote(raw)]
    assert found == (items if mark == "," else [unquote(mark).join(items)])


@_FEW
@given(value=_TEXT)
def test_a_path_parameter_stays_in_its_segment(server: Provider, value: str) -> None:
    """It arrives as one segment, or is refused: empty, '.', '..' in any encoding, and control
    characters reach no server.
    """
    before = len(server.requests)
    if (
        not value
        or climbs(value)
        or any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
    ):
        with pytest.raises(InvalidInput):
            sent(server, {"id": value}, {"input": "id", "in": "path"}, path="/x/{id}/y")
        assert len(server.requests) == before
    else:
        request = sent(server, {"id": value}, {"input": "id", "in": "path"}, path="/x/{id}/y")
        assert [unquote(part) for part in request.path.split("/")] == ["", "v1", "x", value, "y"]


@pytest.mark.parametrize(
    ("style", "explode", "value", "path"),
    [
        ("simple", False, ["a", "b,c"], "/v1/p/a,b%2Cc"),
        ("simple", True, {"a": 1, "b": "x"}, "/v1/p/a=1,b=x"),
        ("label", False, ["a", "b"], "/v1/p/.a,b"),
        ("label", True, {"a": 1}, "/v1/p/.a=1"),
        ("matrix", False, ["a", "b"], "/v1/p/;id=a,b"),
        ("matrix", True, ["a", "b"], "/v1/p/;id=a;id=b"),
        ("matrix", True, {"a": 1}, "/v1/p/;a=1"),
        ("simple", False, "a/b:c", "/v1/p/a%2Fb%3Ac"),
    ],
)
def test_styles_of_a_path(
    server: Provider, style: str, explode: bool, value: Any, path: str
) -> None:
    """Each style of the specification gives its own example."""
    assert (
        sent(
            server,
            {"id": value},
            {"input": "id", "in": "path", "style": style, "explode": explode},
            path="/p/{id}",
        ).path
        == path
    )


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\x00", "\x7f"])
def test_a_header_adds_no_other(server: Provider, value: str) -> None:
    """Control characters in a header are refused before anything is sent."""
    before = len(server.requests)
    with pytest.raises(InvalidInput):
        sent(server, {"trace": value}, {"input": "trace", "in": "header", "name": "X-Trace"})
    assert len(server.requests) == before


@_FEW
@given(
    members=st.dictionaries(_TEXT, _SCALAR, max_size=4),
    items=st.lists(_SCALAR, min_size=1, max_size=3),
)
def test_a_form_arrives(server: Provider, members: dict[str, Any], items: list[Any]) -> None:
    """A form is read back by a standard parser; objects in it are JSON."""
    row = {"input": "body", "encode": "form", "contentType": "application/x-www-form-urlencoded"}
    given_members = {f"_{name}": value for name, value in members.items()}
    request = sent(
        server, {"body": {**given_members, "list": items, "object": {"a": [1]}}}, body=row
    )
    found = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, errors="strict")
    expected = [(name, shown(value)) for name, value in given_members.items()]
    assert found == [*expected, *(("list", shown(item)) for item in items), ("object", '{"a":[1]}')]


@settings(_FEW, max_examples=25)
@given(content=st.binary(max_size=200), note=_TEXT)
def test_a_multipart_body_arrives(server: Provider, content: bytes, note: str) -> None:
    """Files keep every byte and their media type, fields their text."""
    row = {
        "input": "body",
        "encode": "multipart",
        "contentType": "multipart/form-data",
        "files": ["file"],
    }
    file = {"data": base64.b64encode(content).decode(), "contentType": "image/png"}
    request = sent(server, {"body": {"file": file, "note": note}}, body=row)
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts = list(
        email.parser.BytesParser(policy=email.policy.HTTP)
        .parsebytes(head + request.body)
        .iter_parts()
    )
    assert [part.get_content_type() for part in parts] == ["image/png", "text/plain"] or parts[
        0
    ].get_content_type() == "image/png"
    assert parts[0].get_payload(decode=True) == content
    assert parts[1].get_payload(decode=True) == note.encode()


@pytest.mark.parametrize("body", [None, [], "x", 0, False, {"a": None}])
def test_json_bodies_are_verbatim(server: Provider, body: Any) -> None:
    """Any JSON value is a body, null included; an input that is left out sends none."""
    row = {"input": "body", "encode": "json", "contentType": "application/json"}
    assert json.loads(sent(server, {"body": body}, body=row).body) == body
    assert sent(server, {}, body=row).body == b""


def test_names_in_the_query_of_a_path_are_filled_in() -> None:
    """A document may write parameters of a path into a query behind it; they are encoded like all
    others.
    """
    row = {
        "method": "GET",
        "path": "/a",
        "query": "kind={kind}&fixed=1",
        "parameters": [{"input": "kind", "in": "path"}],
        "response": {},
    }
    assert request_of(row, {"kind": "x&y"}).query == "kind=x%26y&fixed=1"


def test_objects_in_multipart_bodies_have_a_media_type() -> None:
    """An object is a part of JSON, or of the type that the document names; text has none, and
    neither is a file.
    """
    body = {
        "input": "body",
        "encode": "multipart",
        "contentType": "multipart/form-data",
        "encoding": {"b": {"contentType": "text/csv"}},
    }
    row = {"method": "POST", "path": "/a", "body": body, "response": {}}
    made = multipart_body(
        request_of(row, {"body": {"a": {"x": 1}, "b": "1,2", "c": "t"}}).options["multipart"]
    )
    text = b"".join(made.chunks()).decode()
    assert 'name="a"\r\nContent-Type: application/json\r\n\r\n{"x":1}' in text
    assert 'name="b"\r\nContent-Type: text/csv\r\n\r\n1,2' in text
    assert 'name="c"\r\n\r\nt' in text


@given(value=st.text("a'! %é", min_size=1, max_size=12))
@settings(_FEW, max_examples=25)
@example(value="it's")
@example(value="'My Sheet'!A1")
def test_a_value_within_quotation_marks_is_a_literal(server: Provider, value: str) -> None:
    """Read as OData reads it, the literal in the address is the value, and nothing follows it."""
    rows = [{"input": "words", "in": "path", "quote": "odata"}, {"input": "id", "in": "path"}]
    asked = sent(
        server, {"words": value, "id": "it's"}, *rows, path="/drive/{id}/search(q='{words}')/x"
    )
    path = unquote(asked.path)
    assert path.startswith("/v1/drive/it's/search(q='")
    assert path.endswith("')/x")
    literal = path.removeprefix("/v1/drive/it's/search(q='").removesuffix("')/x")
    assert "'" not in literal.replace("''", "")
    assert literal.replace("''", "'") == value
