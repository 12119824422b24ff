"""Detection of lists by what their owners show: types, words about a parameter, and examples of a
response.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document, generate, installed, operation

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer"}
_ROWS: Json = {"type": "array", "items": {"type": "object"}}
_SIZE: Json = {"name": "limit", "in": "query", "schema": _NUMBER}


def _object(**members: Any) -> Json:
    return {"type": "object", "properties": members}


def _query(name: str, schema: Json = _TEXT, description: str = "") -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _listing(
    parameters: list[Json], schema: Json | None, example: Any = None, headers: Json | None = None
) -> Json:
    content = {
        **({} if schema is None else {"schema": schema}),
        **({} if example is None else {"example": example}),
    }
    answer = {"description": "", "content": {"application/json": content}, "headers": headers or {}}
    return document(
        {
            "/runs_of_a_day": {
                "get": operation(
                    operationId="listIt", parameters=parameters, responses={"200": answer}
                )
            }
        }
    )


_LINK = "An opaque text, obtained from the `Link` response header."
_AFTER, _DATA = _query("after"), _object(data=_ROWS)
_LINKED = {"Link": {"schema": _TEXT}}
_SWITCHED = [
    _query("usemarker", {"type": "boolean"}),
    _query("marker"),
    _query("offset", {"type": "integer", "default": 0}),
    _SIZE,
]
_CASES: list[tuple[Any, Any]] = [
    (([_AFTER, _SIZE], _ROWS), ("linkHeader", "medium", None, None, "/items", True)),
    (([_query("after", _TEXT, _LINK)], _DATA), ("linkHeader", "medium", None, None, "/data", True)),
    (([_query("after", {"type": "string", "format": "date-time"}), _SIZE], _ROWS), None),
    (([], _object(status=_ROWS), None, _LINKED), None),
    (
        ([_SIZE], _object(status=_ROWS), None, _LINKED),
        ("linkHeader", "high", None, None, "/status", True),
    ),
    (
        (_SWITCHED, _object(entries=_ROWS, next_marker=_TEXT)),
        ("offset", "medium", "offset", None, "/entries", True),
    ),
    (
        ([_query("marker"), _SIZE], _object(entries=_ROWS, next_marker=_TEXT)),
        ("token", "high", "marker", "/next_marker", "/entries", True),
    ),
    (
        (
            [_query("after", _TEXT, "Cursor of the next page."), _SIZE],
            _DATA,
            {"data": [], "after": "x"},
        ),
        ("token", "high", "after", "/after", "/data", True),
    ),
    (
        (
            [_query("start_cursor"), _SIZE],
            None,
            {"results": [{}], "next_cursor": None, "has_more": False},
        ),
        ("token", "high", "startCursor", "/next_cursor", "/results", True),
    ),
    (
        ([_query("start_cursor"), _SIZE], {"type": "object"}),
        ("token", "low", "startCursor", None, None, False),
    ),
    (([_query("offset"), _SIZE], _DATA), ("token", "low", "offset", None, "/data", False)),
    (
        (
            [_query("page_token"), _SIZE],
            _object(data=_ROWS, links=_object(pages=_object(next=_TEXT))),
        ),
        ("url", "high", None, "/links/pages/next", "/data", True),
    ),
    (
        ([_query("cursor")], _object(data=_ROWS, next_cursor=_NUMBER)),
        ("token", "high", "cursor", "/next_cursor", "/data", True),
    ),
    (
        ([_query("cursor")], _object(kinds=_ROWS, day=_ROWS, next_cursor=_TEXT)),
        ("token", "high", "cursor", "/next_cursor", "/day", True),
    ),
]


@pytest.mark.parametrize(("given", "expected"), _CASES)
def test_a_list_is_found_by_what_its_document_shows(given: Any, expected: Any) -> None:
    """Types, words and examples decide: kind, confidence, input, place of the next page, items, and
    whether it is switched on.
    """
    action = converted(_listing(*given), Choices(key="acme")).manifest["actions"][0]
    row = action["http"].get("paging")
    names = ("kind", "confidence", "input", "response", "items")
    assert (row and (*map(row.get, names), "pagination" in action)) == expected


_NESTED = {"data": [{}], "meta": {"next_cursor": "x"}, "has_more": True}


@pytest.mark.parametrize(
    ("schema", "example", "added"),
    [
        (_DATA, {"data": [{}], "next_cursor": "x", "has_more": True}, {"next_cursor", "has_more"}),
        (
            {**_DATA, "required": ["data"]},
            {"data": [{}], "next_cursor": "x", "has_more": True},
            {"next_cursor", "has_more"},
        ),
        (
            None,
            {"results": [{}], "next_cursor": None, "has_more": False},
            {"results", "next_cursor", "has_more"},
        ),
        (
            _object(data=_ROWS, meta=_object(total=_NUMBER)),
            _NESTED,
            {"meta", "has_more", "nextPage"},
        ),
        (_object(data=_ROWS, next_cursor=_TEXT), {"data": [], "next_cursor": "x"}, set()),
    ],
)
def test_members_about_pages_that_only_the_example_has_are_part_of_the_output(
    tmp_path: Path,
    schema: Json | None,
    example: Json,
    added: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pagination names what the output has: the connector passes the rules that look at them."""
    made = generate(tmp_path, _listing([_query("cursor"), _SIZE], schema, example))
    action = made["actions"][0]
    assert {
        name
        for name, about in action["output"]["properties"].items()
        if "lacks it" in str(about) or name == "nextPage"
    } == added
    capsys.readouterr()
    main(["check", str(tmp_path / "made"), "--json"])
    rules = {
        rule["name"]: rule["evidence"]
        for rule in json.loads(capsys.readouterr().out)["rules"]
        if rule["passed"] is False
    }
    assert "paging-names-exist" not in rules, rules


def test_a_number_as_a_token_is_passed_on_as_a_text(tmp_path: Path) -> None:
    """Where the input is a text, single pages name the next one as a text, too."""
    made = generate(
        tmp_path, _listing([_query("cursor")], _object(data=_ROWS, next_cursor=_NUMBER))
    )
    script = [Answer({"data": [{}], "next_cursor": 7}), Answer({"data": [], "next_cursor": None})]
    with (
        Provider(script) as provider,
        installed(tmp_path, made, {"server": provider.url}) as jackfield,
    ):
        call = {"connector": "acme", "action": "listIt", "connection": "main"}
        first = jackfield.invoke({**call, "inputs": {}})
        second = jackfield.invoke({**call, "inputs": first.meta.next})
    assert (first.meta.next, second.meta.complete) == ({"cursor": "7"}, True)


@pytest.mark.parametrize(
    ("header", "complete"), [({}, False), ({"Link": '</x>; rel="self"'}, True)]
)
def test_a_link_that_nobody_has_declared_must_be_there(
    tmp_path: Path, header: dict[str, str], complete: bool
) -> None:
    """Where only the absence of anything else suggests ``Link``, a response without it says nothing
    about the next page.
    """
    made = generate(tmp_path, _listing([_AFTER, _SIZE], _ROWS))
    script = [
        Answer([{}], headers={"Link": '</runs_of_a_day?after=2>; rel="next"'}),
        Answer([{}], headers=header),
    ]
    with (
        Provider(script) as provider,
        installed(tmp_path, made, {"server": provider.url}) as jackfield,
    ):
        call = {
            "connector": "acme",
            "action": "listIt",
            "connection": "main",
            "inputs": {"fetchAll": True},
        }
        result = jackfield.invoke(call)
    assert (len(result.unwrap()["items"]), result.meta.complete, len(result.meta.warnings)) == (
        2,
        complete,
        int(not complete),
    )
