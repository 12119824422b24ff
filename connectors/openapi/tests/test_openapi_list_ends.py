"""Ends of lists: a list is complete only if its provider said so, whether it is generated or asked
for by ``http.request``.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider, Request
from jackfield_store.runtime import Jackfield
from openapi_rig import document, generate, installed, operation
from raw_server import make_certificate, read_request, serving, with_tls

Json = dict[str, Any]

_LIST: Json = {"type": "array", "items": {}}
_TEXT: Json = {"type": "string"}
_TOKEN: Json = {"kind": "token", "parameter": "after", "next": "/end", "items": "/data"}
_PAGE: Json = {"kind": "page", "parameter": "page", "items": "/data"}


def _object(**members: Any) -> Json:
    return {"type": "object", "properties": members}


def _parameter(name: str, **schema: Any) -> Json:
    return {"name": name, "in": "query", "schema": schema or _TEXT}


def _answer(schema: Json, **response: Any) -> Json:
    return {"description": "", "content": {"application/json": {"schema": schema}}, **response}


def _generated(
    folder: Path,
    parameters: list[Json],
    schema: Json,
    script: Any,
    *,
    every: bool = True,
    **response: Any,
) -> Any:
    answer = {"200": _answer(schema, **response)}
    made = document(
        {"/l": {"get": operation(operationId="listIt", parameters=parameters, responses=answer)}}
    )
    with (
        Provider(script) as provider,
        installed(folder, generate(folder, made), {"server": provider.url}) as jackfield,
    ):
        call = {
            "connector": "acme",
            "action": "listIt",
            "connection": "main",
            "inputs": {"fetchAll": True} if every else {},
        }
        return jackfield.invoke(call), [request.path for request in provider.requests]


def _requested(script: Any, url: str, pages: Json, **inputs: Any) -> Any:
    with Provider(script) as provider:
        connection = {
            "connections": {"m": {"type": "http/anonymous", "values": {"server": provider.url}}}
        }
        with Jackfield(connections=[connection], database_url="none") as jackfield:
            asked = {"url": url, "pages": pages, "fetchAll": True, **inputs}
            result = jackfield.invoke(
                {"connector": "http", "action": "request", "connection": "m", "inputs": asked}
            )
        return result, [request.path for request in provider.requests]


_HUB = (
    [_parameter("after")],
    _object(results=_LIST, paging=_object(next=_object(after=_TEXT, link=_TEXT))),
)
_OFFSET = (
    [_parameter("offset"), _parameter("limit", type="integer")],
    _object(data=_LIST, next_page=_object(offset=_TEXT)),
)
_CURSOR = ([_parameter("cursor")], _object(data=_LIST, next_cursor=_TEXT))
_MORE = (
    [_parameter("page", type="integer", default=1), _parameter("per_page", type="integer")],
    _object(data=_LIST, has_more={"type": "boolean"}),
)


@pytest.mark.parametrize(
    ("listed", "pages", "paths"),
    [
        (
            _HUB,
            [
                {"results": [1], "paging": {"next": {"after": "a2", "link": "https://api/x"}}},
                {"results": [2]},
            ],
            ["/l", "/l?after=a2"],
        ),
        (
            _OFFSET,
            [{"data": [1], "next_page": {"offset": "eyJ0"}}, {"data": [2], "next_page": None}],
            ["/l", "/l?offset=eyJ0"],
        ),
        (
            _CURSOR,
            [{"data": [1], "next_cursor": "/wE+a="}, {"data": [2], "next_cursor": ""}],
            ["/l", "/l?cursor=%2FwE%2Ba%3D"],
        ),
        (_CURSOR, [{"data": [1], "next_cursor": "?q"}, {"data": [2]}], ["/l", "/l?cursor=%3Fq"]),
        (_MORE, [{"data": [1], "has_more": 1}, {"data": [2], "has_more": 0}], ["/l", "/l?page=2"]),
        (
            _MORE,
            [{"data": [1], "has_more": "true"}, {"data": [2], "has_more": "false"}],
            ["/l", "/l?page=2"],
        ),
    ],
)
def test_generated_lists_reach_their_end(
    tmp_path: Path, listed: Any, pages: list[Json], paths: list[str]
) -> None:
    """The next page is in an object, its token looks like a number or a path, and "more" is not
    always a boolean: all pages are read.
    """
    result, asked = _generated(tmp_path, listed[0], listed[1], [Answer(page) for page in pages])
    assert next(value for value in result.unwrap().values() if isinstance(value, list)) == [1, 2]
    assert (result.meta.complete, [path.replace("page=1&", "") for path in asked]) == (True, paths)


@pytest.mark.parametrize(
    ("parameters", "pages", "found"),
    [
        ([], [None], ([], None)),
        (_MORE[0], [None], ([], True)),
        (_MORE[0], [[1], None], ([1], True)),
        (_MORE[0], [[1], False], ([1], False)),
        (
            [_parameter("offset", type="integer"), _parameter("limit", type="integer")],
            [[1, 2], None],
            ([1, 2], True),
        ),
    ],
)
def test_null_is_an_empty_list(
    tmp_path: Path, parameters: list[Json], pages: list[Any], found: Any
) -> None:
    """Servers in Go write null for a list without items: where the answer is a list, that is one,
    and its end.
    """
    answers = [Answer(content=json.dumps(page).encode()) for page in pages]
    result, _ = _generated(tmp_path, parameters, _LIST, answers, every=bool(parameters))
    assert (result.unwrap()["items"], result.meta.complete) == found


def test_null_is_no_list_where_an_object_is_answered(tmp_path: Path) -> None:
    """It stays what it is."""
    result, _ = _generated(tmp_path, [], _object(data=_LIST), Answer(content=b"null"), every=False)
    assert result.unwrap() == {"value": None}


_FLAG: Json = {"type": "boolean"}
_LAST: tuple[tuple[list[Json], Json], ...] = (
    (
        [_parameter("page", type="integer", default=0), _parameter("size", type="integer")],
        _object(content=_LIST, last=_FLAG),
    ),
    ([_parameter("nextPageToken")], _object(issues=_LIST, isLast=_FLAG, nextPageToken=_TEXT)),
    (
        [_parameter("start", type="integer")],
        _object(values=_LIST, isLastPage=_FLAG, nextPageStart={"type": "integer"}),
    ),
    ([], _object(records=_LIST, done=_FLAG, nextRecordsUrl=_TEXT)),
    ([_parameter("marker")], _object(rows=_LIST, isTruncated=_FLAG, nextMarker=_TEXT)),
    ([_parameter("cursor")], _object(rows=_LIST, moreResultsAvailable=_FLAG, next_cursor=_TEXT)),
)
"""Lists of Spring, Jira, Bitbucket, Salesforce and others, which say in words of their own whether
a page is the last.
"""


@pytest.mark.parametrize(
    ("listed", "first", "last"),
    [
        (_LAST[0], {"content": [1], "last": False}, {"content": [2], "last": True}),
        (
            _LAST[1],
            {"issues": [1], "isLast": False, "nextPageToken": "b"},
            {"issues": [2], "isLast": True, "nextPageToken": "spent"},
        ),
        (
            _LAST[2],
            {"values": [1], "isLastPage": False, "nextPageStart": 7},
            {"values": [2], "isLastPage": True, "nextPageStart": 14},
        ),
        (
            _LAST[3],
            {"records": [1], "done": False, "nextRecordsUrl": "/l?at=2"},
            {"records": [2], "done": True},
        ),
        (
            _LAST[4],
            {"rows": [1], "isTruncated": True, "nextMarker": "b"},
            {"rows": [2], "isTruncated": False, "nextMarker": "spent"},
        ),
    ],
)
def test_the_last_page_is_believed(tmp_path: Path, listed: Any, first: Json, last: Json) -> None:
    """No page is asked for after one that says that it is the last: providers refuse it, and all
    items would be lost.
    """
    result, asked = _generated(
        tmp_path,
        listed[0],
        listed[1],
        [Answer(first), Answer(last), Answer({"error": "no such page"}, 400)],
    )
    assert next(value for value in result.unwrap().values() if isinstance(value, list)) == [1, 2]
    assert (result.meta.complete, len(asked)) == (True, 2)


@pytest.mark.parametrize(
    ("listed", "page", "place"),
    [
        (_LAST[1], {"issues": [1], "isLast": False}, "/isLast"),
        (_LAST[3], {"records": [1], "done": False}, "/done"),
        (_LAST[4], {"rows": [1], "isTruncated": True}, "/isTruncated"),
        (_LAST[5], {"rows": [1], "moreResultsAvailable": True}, "/more"),
        (_LAST[1], {"issues": [1]}, "/isLast"),
    ],
)
def test_a_page_that_is_not_the_last_leaves_a_list_open(
    tmp_path: Path, listed: Any, page: Json, place: str
) -> None:
    """It says that there is more, or not that there is none, and names no next page: the caller is
    told why the list is not complete.
    """
    result, _ = _generated(tmp_path, listed[0], listed[1], [Answer(page)])
    assert result.meta.complete is False
    assert place in result.meta.warnings[0]["message"]


@pytest.mark.parametrize(
    ("parameters", "schema", "headers", "paths"),
    [
        ([_parameter("cursor")], _LIST, {"X-Next-Cursor": "c2"}, ["/l", "/l?cursor=c2"]),
        (_MORE[0], _LIST, {"X-Next-Page": "2"}, ["/l", "/l?page=2"]),
        (
            [{**_parameter("x-ms-continuation"), "in": "header"}],
            _object(docs=_LIST),
            {"x-ms-continuation": "c2"},
            ["/l", "/l"],
        ),
    ],
)
@pytest.mark.parametrize("blank", [False, True])
def test_a_header_field_may_name_the_next_page(
    tmp_path: Path,
    parameters: list[Json],
    schema: Json,
    headers: Json,
    paths: list[str],
    blank: bool,
) -> None:
    """GitLab, Azure Cosmos DB and others: the list ends where the field is empty or absent."""
    pages = [[1], [2]] if schema is _LIST else [{"docs": [1]}, {"docs": [2]}]
    script = [
        Answer(pages[0], headers=headers),
        Answer(pages[1], headers=dict.fromkeys(headers, "") if blank else {}),
        Answer({}, 400),
    ]
    result, asked = _generated(
        tmp_path, parameters, schema, script, headers={name: {"schema": _TEXT} for name in headers}
    )
    assert next(value for value in result.unwrap().values() if isinstance(value, list)) == [1, 2]
    assert (result.meta.complete, asked) == (True, paths)


@pytest.mark.parametrize(
    ("parameter", "member"),
    [("page", "next_page"), ("offset", "next_offset"), ("start", "next_start")],
)
def test_a_number_of_the_next_page_goes_before_counting(
    tmp_path: Path, parameter: str, member: str
) -> None:
    """What the provider says is asked for, and a null ends the list."""
    listed = [_parameter(parameter, type="integer"), _parameter("limit", type="integer")]
    schema = _object(data=_LIST, meta=_object(**{member: {"type": "integer", "nullable": True}}))
    script = [
        Answer({"data": [1], "meta": {member: 7}}),
        Answer({"data": [2], "meta": {member: None}}),
        Answer({}, 400),
    ]
    result, asked = _generated(tmp_path, listed, schema, script)
    assert (result.unwrap()["data"], result.meta.complete, asked) == (
        [1, 2],
        True,
        ["/l", f"/l?{parameter}=7"],
    )


@pytest.mark.parametrize("value", ["absent", None, 2, "maybe", {}])
def test_more_that_says_nothing_leaves_a_list_open(tmp_path: Path, value: Any) -> None:
    """A page that says neither yes nor no where "more" is declared is not the last one, and the
    caller is told why.
    """
    page = {"data": [1]} if value == "absent" else {"data": [1], "has_more": value}
    result, _ = _generated(tmp_path, _MORE[0], _MORE[1], [Answer(page)])
    assert (result.unwrap()["data"], result.meta.complete) == ([1], False)
    assert "/has_more" in result.meta.warnings[0]["message"]


def test_a_server_that_repeats_its_last_page_is_left(tmp_path: Path) -> None:
    """Three equal pages in a row end the fetching, not the list."""
    result, asked = _generated(
        tmp_path,
        _MORE[0],
        _MORE[1],
        lambda _number, _request: Answer({"data": [2], "has_more": True}),
    )
    assert (result.status, result.meta.complete, len(asked)) == ("succeeded", False, 3)
    assert "3 equal pages" in result.meta.warnings[0]["message"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('</l?page=2>; rel = "next"', True),
        ('</l?page=2>; title="a; rel=prev, <b>"; rel="next"', True),
        ('</x>; title="q; rel=next"; rel=first', False),
        ('</x>; rel="prev", </l?page=2>; REL=Next', True),
        ("</l?page=2>; rel='next'", True),
    ],
)
def test_links_are_read_as_rfc_8288_says(tmp_path: Path, value: str, found: bool) -> None:
    """White space around "=" is allowed, and a quoted string is one value."""
    script = [Answer([1], headers={"Link": value}), Answer([2])]
    result, asked = _generated(
        tmp_path,
        [_parameter("page", type="integer")],
        _LIST,
        script,
        headers={"Link": {"schema": _TEXT}},
    )
    assert (result.meta.complete, asked[1:]) == (True, ["/l?page=2"] if found else [])


@pytest.mark.parametrize(
    ("anchor", "found"),
    [
        ("", True),
        ("#results", True),
        ("/l", True),
        ("?page=1", True),
        ("http://127.0.0.1/l", True),
        ("/other", False),
        ("https://elsewhere.example/l", False),
        ("ftp://x", False),
    ],
)
def test_links_about_another_resource_are_not_followed(
    tmp_path: Path, anchor: str, found: bool
) -> None:
    """A link with an ``anchor`` is about the resource that this names (RFC 8288 §3.2)."""
    script = [
        Answer([1], headers={"Link": f'</l?page=2>; rel="next"; anchor="{anchor}"'}),
        Answer([2]),
    ]
    result, asked = _generated(
        tmp_path,
        [_parameter("page", type="integer")],
        _LIST,
        script,
        headers={"Link": {"schema": _TEXT}},
    )
    assert (result.meta.complete, asked[1:]) == (True, ["/l?page=2"] if found else [])


@pytest.mark.parametrize(
    ("pages", "answers", "items", "complete"),
    [
        (
            {**_TOKEN, "more": "/more"},
            [Answer({"data": [1], "more": True, "end": None})],
            [1],
            False,
        ),
        (
            {**_TOKEN, "more": "/more"},
            [Answer({"data": [1], "more": "false", "end": "x"})],
            [1],
            True,
        ),
        (_TOKEN, [Answer({"data": [1], "end": "a"}), Answer(status=204)], [1], True),
        (_TOKEN, [Answer({"data": [1], "end": "a"}), Answer(content=b"")], [1], False),
        (_TOKEN, [Answer({"data": [1], "end": 0})], [1], False),
        (
            {**_PAGE, "ends": [404]},
            [Answer({"data": [1]}), Answer({"detail": "Invalid page."}, 404)],
            [1],
            True,
        ),
        (
            {**_PAGE, "ends": [{"status": 400, "codes": ["no_page"]}]},
            [Answer({"data": [1]}), Answer({"code": "no_page"}, 400)],
            [1],
            True,
        ),
        (_PAGE, [Answer({"data": [1]}), Answer({"detail": "Invalid page."}, 404)], [1], False),
        (
            {"kind": "linkHeader"},
            [Answer([1], headers={"Link": "/l?page=2; rel=next"})],
            [1],
            False,
        ),
        (
            {**_TOKEN, "last": "/last"},
            [
                Answer({"data": [1], "last": "false", "end": "a"}),
                Answer({"data": [2], "last": 1, "end": "b"}),
            ],
            [1, 2],
            True,
        ),
        ({**_PAGE, "last": "/last"}, [Answer({"data": [1], "last": "maybe"})], [1], False),
        (
            {**_PAGE, "more": "/more"},
            [Answer({"data": [], "more": True}), Answer({"data": [1], "more": False})],
            [1],
            True,
        ),
        (
            {**_PAGE, "last": "/last"},
            [Answer({"data": [], "last": False}), Answer({"data": [1], "last": True})],
            [1],
            True,
        ),
        ({**_PAGE, "more": "/more"}, [Answer({"data": []})], [], False),
        (
            {"kind": "token", "parameter": "page", "header": "X-Next-Page"},
            [Answer([1], headers={"x-next-page": " 2 "}), Answer([2])],
            [1, 2],
            True,
        ),
    ],
)
def test_requested_lists_say_whether_they_are_complete(
    pages: Json, answers: list[Answer], items: list[int], complete: bool
) -> None:
    """An explicit end makes a list complete; whatever may be one leaves it open with a reason."""
    result, _ = _requested(answers, "/l", pages)
    assert (result.unwrap()["items"], result.meta.complete, bool(result.meta.warnings)) == (
        items,
        complete,
        not complete,
    )


def _declared(
    folder: Path,
    parameters: list[Json],
    schema: Json,
    pages: Json,
    answers: list[Answer],
    **more: Any,
) -> Any:
    about = operation(
        operationId="listIt",
        parameters=parameters,
        responses={"200": _answer(schema)},
        **{"x-jackfield": {"pagination": pages}},
    )
    with Provider(answers) as provider:
        with installed(
            folder,
            generate(folder, document({"/l": {"get": about}}, **more)),
            {"server": provider.url},
        ) as jackfield:
            result = jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "listIt",
                    "connection": "main",
                    "inputs": {"fetchAll": True},
                }
            )
        return result, len(provider.requests)


@pytest.mark.parametrize(
    "body", [{"message": "page must be at most 2"}, {"status": "error", "code": "PAGE_LIMIT"}]
)
def test_a_list_that_its_provider_cuts_is_not_complete(tmp_path: Path, body: Json) -> None:
    """Searches of some providers show so many pages, and refuse the next one, also in the form of a
    failure beside a success: what was read is kept, and the caller is told.
    """
    pages = {"kind": "page", "input": "page", "items": "/data", "cuts": [400]}
    answers, failed = (
        [Answer({"data": [1]}), Answer({"data": [2]}), Answer(body, 400)],
        {"member": "/status", "equals": "error"},
    )
    told = {"x-jackfield": {"errors": {"failed": failed}}}
    result, asked = _declared(
        tmp_path, [_parameter("page", type="integer")], _object(data=_LIST), pages, answers, **told
    )
    assert (result.unwrap()["data"], result.meta.complete, asked) == ([1, 2], False, 3)
    assert "shows no further pages" in result.meta.warnings[0]["message"]


def _answers(*pages: tuple[list[int], str | None]) -> list[Answer]:
    return [
        Answer(items, headers={} if said is None else {"x-last": said}) for items, said in pages
    ]


_PAGED: dict[str, tuple[list[Answer], list[int], int]] = {
    "number of pages": (_answers(([1], "2"), ([2], "2")), [1, 2], 2),
    "an empty page before the last": (_answers(([1], "3"), ([], "3"), ([3], "3")), [1, 3], 3),
    "an empty first page": (_answers(([], "2"), ([2], "2")), [2], 2),
    "nothing at all": (_answers(([], "0")), [], 1),
    "fewer pages than before": (_answers(([1], "3"), ([2], "1")), [1, 2], 2),
    "a flag": (_answers(([1], "false"), ([], "false"), ([3], "true")), [1, 3], 3),
    "said no more": (_answers(([1], "3"), ([2], None), ([], None)), [1, 2], 3),
    "another word": (_answers(([1], "many"), ([], "many")), [1], 2),
    "a number that is too long": (_answers(([1], "9" * 5000), ([], "-1")), [1], 2),
}


@pytest.mark.parametrize("name", _PAGED)
def test_a_header_field_tells_the_last_page(tmp_path: Path, name: str) -> None:
    """WordPress tells the number of pages and leaves out of them what the user may not read,
    Clockify tells the last page as it comes: an empty page before the last ends nothing. Without
    such a header field, it does.
    """
    answers, items, count = _PAGED[name]
    pages = {"kind": "page", "input": "page", "items": "", "lastHeader": "X-Last"}
    result, asked = _declared(tmp_path, [_parameter("page", type="integer")], _LIST, pages, answers)
    assert (result.unwrap()["items"], result.meta.complete, asked) == (items, True, count)


def _stepped(*pages: tuple[list[int], Any, Any]) -> list[Answer]:
    return [
        Answer({"data": items, "limit": limit, "total": total}) for items, limit, total in pages
    ]


_GAPS: dict[str, tuple[list[Answer], list[int], list[str]]] = {
    "whole pages": (_stepped(([1, 2], 2, 4), ([3, 4], 2, 4)), [1, 2, 3, 4], ["0", "2"]),
    "a gap": (_stepped(([1], 2, 3), ([3], 2, 3)), [1, 3], ["0", "2"]),
    "an empty page before the last": (
        _stepped(([1, 2], 2, 5), ([], 2, 5), ([5], 2, 5)),
        [1, 2, 5],
        ["0", "2", "4"],
    ),
    "a limit as text": (_stepped(([1], "2", "3"), ([3], "2", "3")), [1, 3], ["0", "2"]),
    "a limit below the items": (_stepped(([1, 2], 1, 3), ([3], 1, 3)), [1, 2, 3], ["0", "2"]),
    "no limit": (_stepped(([1, 2], None, 3), ([3], 0, 3)), [1, 2, 3], ["0", "2"]),
    "no total": (_stepped(([1], 2, None), ([2], 2, None), ([], 2, None)), [1, 2], ["0", "1", "2"]),
}


@pytest.mark.parametrize("name", _GAPS)
def test_offsets_grow_by_what_the_provider_counts(tmp_path: Path, name: str) -> None:
    """Box counts the items of a page that it leaves out: by the items that came, the next page
    would begin within this one, and an empty page would end the list.
    """
    answers, items, offsets = _GAPS[name]
    pages = {
        "kind": "offset",
        "input": "skip",
        "items": "/data",
        "total": "/total",
        "totalEnds": True,
        "step": "/limit",
        "first": 0,
    }
    schema = _object(data=_LIST, total={}, limit={})
    about = operation(
        operationId="listIt",
        parameters=[_parameter("skip", type="integer")],
        responses={"200": _answer(schema)},
        **{"x-jackfield": {"pagination": pages}},
    )
    with Provider(answers) as provider:
        with installed(
            tmp_path, generate(tmp_path, document({"/l": {"get": about}})), {"server": provider.url}
        ) as jackfield:
            result = jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "listIt",
                    "connection": "main",
                    "inputs": {"fetchAll": True},
                }
            )
        asked = [one.path.rpartition("=")[2] for one in provider.requests]
    assert (result.unwrap()["data"], result.meta.complete, asked) == (items, True, offsets)


@pytest.mark.parametrize(
    ("kind", "place", "body", "differs"),
    [
        ("token", "/next", {"next": None}, False),
        ("url", "/next", {"next": None}, False),
        ("token", "/meta/next", {"meta": None}, False),
        ("token", "/meta/next", {"meta": {"next": None}}, False),
        ("url", "/meta/next", {"meta": {"next": None}}, False),
        ("token", "/next", {"next": None, "other": None}, True),
        ("token", "/next", {"next": []}, True),
    ],
)
def test_null_for_no_next_page_is_no_difference(
    tmp_path: Path, kind: str, place: str, body: Json, differs: bool
) -> None:
    """A document names the type of a cursor, and the last page has null there."""
    schema = _object(data=_LIST, next=_TEXT, other=_TEXT, meta=_object(next=_TEXT))
    pages = {
        "kind": kind,
        "response": place,
        "items": "/data",
        **({"input": "at"} if kind == "token" else {}),
    }
    result, _ = _declared(
        tmp_path, [_parameter("at", type="string")], schema, pages, [Answer({"data": [1], **body})]
    )
    assert ("differs" in str([one["message"] for one in result.meta.warnings])) is differs


@pytest.mark.parametrize(
    ("answers", "items", "offsets", "is_complete"),
    [
        ([([1], True, 2), ([], True, 2), ([5], False, 2)], [1, 5], ["0", "2", "4"], True),
        ([([], True, 25), ([7], False, 25)], [7], ["0", "25"], True),
        ([([1, 2], True, 2), ([], False, 2)], [1, 2], ["0", "2"], True),
        ([([], True, None)], [], ["0"], False),
        ([([1], None, 2)], [1], ["0"], False),
    ],
)
def test_an_empty_page_ends_no_list_that_goes_on(
    tmp_path: Path,
    answers: list[tuple[list[int], Any, Any]],
    items: list[int],
    offsets: list[str],
    is_complete: bool,
) -> None:
    """PagerDuty says on an empty page, too, that there are more; without a step, nobody knows where
    the next page begins.
    """
    pages = {
        "kind": "offset",
        "input": "skip",
        "items": "/data",
        "more": "/more",
        "step": "/limit",
        "first": 0,
    }
    about = operation(
        operationId="listIt",
        parameters=[_parameter("skip", type="integer")],
        responses={"200": _answer(_object(data=_LIST, more={}, limit={}))},
        **{"x-jackfield": {"pagination": pages}},
    )
    script = [
        Answer({"data": found, "more": more, "limit": limit}) for found, more, limit in answers
    ]
    with Provider(script) as provider:
        with installed(
            tmp_path, generate(tmp_path, document({"/l": {"get": about}})), {"server": provider.url}
        ) as jackfield:
            result = jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "listIt",
                    "connection": "main",
                    "inputs": {"fetchAll": True},
                }
            )
        asked = [one.path.rpartition("=")[2] for one in provider.requests]
    assert (result.unwrap()["data"], result.meta.complete, asked) == (items, is_complete, offsets)


@pytest.mark.parametrize(
    ("last", "is_complete", "warning"),
    [
        ({"count": 1000, "partial": False}, True, ""),
        ({"count": 1001}, False, "1001 items, of which the provider shows the first 1000"),
        ({"count": 2, "partial": True}, False, "at '/partial'"),
        ({"count": "many"}, True, ""),
        ({}, True, ""),
        ({"partial": "limit_reached"}, False, "at '/partial'"),
        ({"partial": "no"}, True, ""),
        ({"partial": " "}, True, ""),
    ],
)
def test_a_search_that_says_what_it_lacks_is_not_complete(
    tmp_path: Path, last: Json, is_complete: bool, warning: str
) -> None:
    """GitHub shows 1,000 items of a search, and names no next page then; a search that took it too
    long lacks items as well. Notion ends a long query early with a reason in words.
    """
    told = {"partial": "/partial", "total": "/count", "most": 1000}
    pages = {"kind": "token", "input": "after", "response": "/end", "items": "/data", **told}
    schema = _object(data=_LIST, end=_TEXT, partial={}, count={})
    answers = [Answer({"data": [1], "end": "b", "count": 1001}), Answer({"data": [2], **last})]
    result, asked = _declared(tmp_path, [_parameter("after")], schema, pages, answers)
    assert (result.unwrap()["data"], result.meta.complete, asked) == ([1, 2], is_complete, 2)
    assert [warning in one["message"] for one in result.meta.warnings] == [True] * bool(warning)


def test_a_page_that_lacks_items_is_continued(tmp_path: Path) -> None:
    """Drive's first page says that not all was searched, and names the next one: both are read, and
    one warning is left.
    """
    pages = {
        "kind": "token",
        "input": "after",
        "response": "/end",
        "items": "/data",
        "partial": "/partial",
    }
    answers = [
        Answer({"data": [1], "end": "b", "partial": True}),
        Answer({"data": [2], "end": "c", "partial": True}),
        Answer({"data": [3]}),
    ]
    result, asked = _declared(
        tmp_path, [_parameter("after")], _object(data=_LIST, end=_TEXT, partial={}), pages, answers
    )
    assert (result.unwrap()["data"], result.meta.complete, asked, len(result.meta.warnings)) == (
        [1, 2, 3],
        False,
        3,
        1,
    )


def test_an_empty_page_may_end_a_list_of_addresses(tmp_path: Path) -> None:
    """Mailgun names a next page on the last one, too, which is empty."""
    pages = {"kind": "url", "response": "/next", "items": "/data", "emptyEnds": True}
    answers = [
        Answer({"data": [1], "next": "/l?page=2"}),
        Answer({"data": [], "next": "/l?page=3"}),
    ]
    result, asked = _declared(tmp_path, [], _object(data=_LIST, next=_TEXT), pages, answers)
    assert (result.unwrap()["data"], result.meta.complete, asked) == ([1], True, 2)


_ABSENT: Json = {"absentEnds": True}


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize(
    ("more", "answers", "items", "is_complete"),
    [
        (_ABSENT, [{}], [], True),
        ({}, [{}], [], False),
        (_ABSENT, [{"data": [1]}, {"count": 1}], [1], True),
        (_ABSENT, [{"data": None}], [], True),
        (_ABSENT, [{"error": {"code": 7}}], [], False),
        (_ABSENT, [{"data": {"1": 1}}], [], False),
        (_ABSENT, [{"data": "no list"}], [], False),
    ],
)
def test_an_absent_list_may_be_an_empty_page(
    tmp_path: Path, kind: str, more: Json, answers: list[Json], items: list[int], is_complete: bool
) -> None:
    """JSON made from protocol buffers leaves out an empty list, if a file says so; an error and a
    value of another type are none.
    """
    pages = {"kind": kind, "input": "page", "items": "/data", **more}
    result, _ = _declared(
        tmp_path,
        [_parameter("page", type="integer")],
        _object(data=_LIST),
        pages,
        [*map(Answer, answers)],
    )
    found = result.unwrap().get("data") if result.status == "succeeded" and is_complete else items
    assert (found or [], result.status == "succeeded" and result.meta.complete) == (
        items,
        is_complete,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"cuts": [200]},
        {"ends": 404},
        {"ends": [400]},
        {"ends": [404, 422]},
        {"ends": [{"status": 400, "codes": []}]},
        {"emptyEnds": True},
        {"absentEnds": False},
        {"most": 5},
        {"total": "/n"},
        {"most": 0, "total": "/n"},
        {"partial": "n"},
    ],
)
def test_declared_ends_are_checked(tmp_path: Path, wrong: Json) -> None:
    """Statuses of success end no list, an empty page of a counted list ends it anyway, and a limit
    is one of a number.
    """
    pages = {"kind": "page", "input": "page", "items": "/data", **wrong}
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        _declared(
            tmp_path, [_parameter("page", type="integer")], _object(data=_LIST), pages, [Answer({})]
        )


def test_a_declared_end_is_none_of_the_first_page() -> None:
    """Where the first page is not found, the list is not empty but missing."""
    result, _ = _requested([Answer({}, 404)], "/l", {**_PAGE, "ends": [404]})
    assert (result.status, result.error.code) == ("failed", "not_found")


@pytest.mark.parametrize(("kind", "first"), [("page", 1), ("page", 0), ("offset", 0)])
def test_the_first_page_is_that_also_by_its_number(tmp_path: Path, kind: str, first: int) -> None:
    """A default of the parameter names it, and is sent: what refuses it refuses the list."""
    number = {"name": "at", "in": "query", "schema": {"type": "integer", "default": first}}
    pages = {
        "kind": kind,
        "input": "at",
        "items": "/data",
        "cuts": [422],
        **({"first": first} if kind == "page" else {}),
    }
    result, _ = _declared(
        tmp_path, [number], _object(data=_LIST), pages, [Answer({"message": "no such stream"}, 422)]
    )
    assert (result.status, result.error.code) == ("failed", "rejected")


def test_pages_lead_where_the_server_says_but_no_caller_does() -> None:
    """What the server names in one invocation is followed on its origin; a token that a caller
    brings back needs 'under'.
    """
    link = Answer([1], headers={"Link": '</repositories/1/issues?page=2>; rel="next"'})
    result, asked = _requested([link, Answer([2])], "/repos/o/r/issues", {"kind": "linkHeader"})
    assert (result.unwrap()["items"], result.meta.complete, asked[1:]) == (
        [1, 2],
        True,
        ["/repositories/1/issues?page=2"],
    )
    token = {"nextToken": "/repositories/1/issues?page=2", "fetchAll": False}
    result, asked = _requested([Answer([2])], "/repos/o/r/issues", {"kind": "linkHeader"}, **token)
    assert (result.error.code, asked) == ("invalid_input", [])
    result, _ = _requested(
        [Answer([2])],
        "/repos/o/r/issues",
        {"kind": "linkHeader", "under": "/repositories"},
        **token,
    )
    assert result.unwrap()["items"] == [2]


_AWAY = [
    "http://127.0.0.1:9/v1/l",
    "//127.0.0.1:9/v1/l",
    "/admin",
    "/v12/l",
    "{}/admin",
    "{}/v1/%2e%2e/admin",
    "{}/v1/../admin",
    "ftp://x/v1",
]


@pytest.mark.parametrize("address", _AWAY)
@pytest.mark.parametrize("way", ["generated", "requested"])
def test_an_address_elsewhere_gets_no_request(tmp_path: Path, way: str, address: str) -> None:
    """The next page is on another server, or beside or above the base path: nothing is sent there,
    and the list is not complete.
    """

    def script(_number: int, request: Request) -> Answer:
        return Answer({"data": [1], "next": address.format(f"http://{request.headers['Host']}")})

    with Provider(script) as provider:
        if way == "generated":
            made = document(
                {
                    "/l": {
                        "get": operation(
                            operationId="listIt",
                            responses={"200": _answer(_object(data=_LIST, next=_TEXT))},
                        )
                    }
                }
            )
            with installed(
                tmp_path, generate(tmp_path, made), {"server": f"{provider.url}/v1"}
            ) as jackfield:
                call = {
                    "connector": "acme",
                    "action": "listIt",
                    "connection": "main",
                    "inputs": {"fetchAll": True},
                }
                result = jackfield.invoke(call)
        else:
            connection = {
                "connections": {
                    "m": {
                        "type": "http/bearer",
                        "values": {"server": f"{provider.url}/v1", "token": "t"},
                    }
                }
            }
            inputs = {
                "url": "/l",
                "fetchAll": True,
                "pages": {"kind": "url", "next": "/next", "items": "/data"},
            }
            with Jackfield(connections=[connection], database_url="none") as jackfield:
                result = jackfield.invoke(
                    {"connector": "http", "action": "request", "connection": "m", "inputs": inputs}
                )
    assert ([request.path for request in provider.requests], result.meta.complete) == (
        ["/v1/l"],
        False,
    )


def test_a_list_that_is_searched_by_post_has_no_addresses(tmp_path: Path) -> None:
    """Its cursor is a member of the body; a cursor that is a URL is not fetched, since addresses
    are followed by GET only.
    """
    body = {"content": {"application/json": {"schema": _object(cursor=_TEXT)}}}
    pages = {
        "effect": "read",
        "pagination": {
            "kind": "token",
            "input": "cursor",
            "response": "/next_cursor",
            "items": "/data",
        },
    }
    answer = {"200": _answer(_object(data=_LIST, next_cursor=_TEXT))}
    made = document(
        {
            "/l": {
                "post": operation(
                    operationId="listIt",
                    requestBody=body,
                    responses=answer,
                    **{"x-jackfield": pages},
                )
            }
        }
    )
    script = [
        Answer({"data": [1], "next_cursor": "/l"}),
        Answer({"data": [2], "next_cursor": None}),
    ]
    with (
        Provider(script) as provider,
        installed(tmp_path, generate(tmp_path, made), {"server": provider.url}) as jackfield,
    ):
        call = {
            "connector": "acme",
            "action": "listIt",
            "connection": "main",
            "inputs": {"fetchAll": True},
        }
        result = jackfield.invoke(call)
        asked = [(request.method, request.path, request.body) for request in provider.requests]
    assert (result.meta.complete, [method for method, _, _ in asked]) == (False, ["POST"])


def test_a_next_page_by_http_of_a_server_by_https_is_fetched_by_https(tmp_path: Path) -> None:
    """Behind a proxy that ends TLS, a server names itself by http: the connection's scheme is kept,
    and nothing is sent in clear.
    """
    pem, asked = make_certificate(tmp_path), list[bytes]()

    def talk(connection: socket.socket) -> None:
        with with_tls(pem, connection) as wrapped:
            asked.append(read_request(wrapped).partition(b" HTTP")[0])
            host = f"http://localhost:{wrapped.getsockname()[1]}"
            body = json.dumps(
                {"data": [len(asked)], "next": f"{host}/v1/l?page=2" if len(asked) == 1 else None}
            ).encode()
            wrapped.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )

    text = pem.read_text()
    with serving(talk) as port:
        values = {
            "server": f"https://localhost:{port}/v1",
            "caCertificate": text[text.index("-----BEGIN CERTIFICATE") :],
        }
        connection = {"connections": {"m": {"type": "http/anonymous", "values": values}}}
        inputs = {
            "url": "/l",
            "fetchAll": True,
            "pages": {"kind": "url", "next": "/next", "items": "/data"},
        }
        with Jackfield(connections=[connection], database_url="none") as jackfield:
            result = jackfield.invoke(
                {"connector": "http", "action": "request", "connection": "m", "inputs": inputs}
            )
    assert (result.unwrap()["items"], result.meta.complete, asked) == (
        [1, 2],
        True,
        [b"GET /v1/l", b"GET /v1/l?page=2"],
    )


@pytest.mark.parametrize(
    ("where", "last"),
    [
        ("nextSyncToken", "sync-1"),
        ("@odata.deltaLink", "https://graph.example/l?$deltatoken=1"),
        ("summary", {"total": 2}),
    ],
)
def test_what_the_last_page_has_alone_is_in_the_output(
    tmp_path: Path, where: str, last: Any
) -> None:
    """All pages as one output have what only the last one says, such as the token from which
    changes are asked for.
    """
    pages = [
        Answer({"items": [1], "nextPageToken": "2", "kind": "list"}),
        Answer({"items": [2], "nextPageToken": "3"}),
        Answer({"items": [3], where: last}),
    ]
    result, paths = _generated(
        tmp_path,
        [_parameter("pageToken")],
        _object(
            items=_LIST, nextPageToken=_TEXT, kind=_TEXT, **{where: {"type": ["string", "object"]}}
        ),
        pages,
    )
    assert result.output == {"items": [1, 2, 3], "kind": "list", where: last}
    assert (result.meta.complete, len(paths)) == (True, 3)


@pytest.mark.parametrize("blank", ["subject desc", "subject%20desc", "subject+desc"])
def test_a_blank_in_the_next_address_is_encoded(tmp_path: Path, blank: str) -> None:
    """The address that a provider gives is followed, whether it has encoded its own blanks or
    not.
    """

    def answered(_number: int, request: Request) -> Answer:
        if "skip" in request.path:
            return Answer({"value": [2]})
        host = request.headers["Host"]
        following = f"http://{host}/l?$orderby={blank}&$skip=1"
        return Answer({"value": [1], "@odata.nextLink": following})

    result, paths = _generated(
        tmp_path,
        [],
        _object(value=_LIST, **{"@odata.nextLink": _TEXT}),
        answered,
    )
    assert (result.status, result.output["value"]) == ("succeeded", [1, 2]), result.to_json()
    assert result.meta.complete
    assert paths[1] == f"/l?$orderby={blank.replace(' ', '%20')}&$skip=1"
