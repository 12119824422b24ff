"""GraphQL actions as data: the document is fixed, inputs are its variables, and the output is a
part of the answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document, generate, installed

_QUERY = (
    "query($after: String) { issues(after: $after) { nodes { id } pageInfo { endCursor "
    "hasNextPage } } }"
)
_CREATE = (
    "mutation($input: NewIssue!) { issueCreate(input: $input) { issue { id } userErrors { "
    "field message } } }"
)


def _op(name: str, graphql: Any, body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "nodes": {"type": "array", "items": {"type": "object"}},
        },
    }
    sent = (
        {}
        if body is None
        else {
            "requestBody": {"content": {"application/json": {"schema": {"type": "object", **body}}}}
        }
    )
    response = {"description": "", "content": {"application/json": {"schema": schema}}}
    return {
        "post": {
            "operationId": name,
            "responses": {"200": response},
            **sent,
            "x-jackfield": {"graphql": graphql, **more},
        }
    }


def _document(**paths: Any) -> dict[str, Any]:
    security = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    found = {f"/graphql#{name}": item for name, item in paths.items()}
    errors = {
        "code": "/errors/0/extensions/code",
        "rows": [{"codes": ["SLOW_DOWN"], "error": "rate_limited"}],
    }
    extension = {
        "account": {"id": "/data/viewer/id", "label": ["/data/viewer/email"]},
        "errors": errors,
    }
    servers = [{"url": "https://api.acme.example"}]
    return document(
        found,
        components=security,
        security=[{"token": []}],
        servers=servers,
        **{"x-jackfield": extension},
    )


_VARIABLES = {
    "required": ["title"],
    "properties": {"title": {"type": "string"}, "note": {"type": "string"}},
}
_ACME = _document(
    whoAmI=_op(
        "whoAmI", {"query": "{ viewer { id email } }", "result": "/data/viewer"}, probe=True
    ),
    listIssues=_op(
        "listIssues",
        {"query": _QUERY, "result": "/data/issues", "cursor": "after"},
        {"properties": {"after": {"type": "string"}}},
    ),
    createIssue=_op(
        "createIssue",
        {
            "query": _CREATE,
            "variables": "/input",
            "result": "/data/issueCreate/issue",
            "errors": "/data/issueCreate/userErrors",
        },
        _VARIABLES,
    ),
)


def _call(
    tmp_path: Path, action: str, inputs: dict[str, Any], *answers: Any
) -> tuple[Any, list[dict[str, Any]]]:
    manifest = generate(tmp_path, _ACME)
    with (
        Provider(list(answers)) as provider,
        installed(tmp_path, manifest, {"token": "t-1", "server": provider.url}) as jackfield,
    ):
        result = jackfield.invoke(
            {"connector": "acme", "action": action, "connection": "main", "inputs": inputs}
        )
    return result, [json.loads(request.body) for request in provider.requests]


def test_inputs_are_variables_and_the_output_is_the_result(tmp_path: Path) -> None:
    """The document is sent with the variables that were given; what surrounds the result in the
    answer is no output.
    """
    answer = Answer({"data": {"issueCreate": {"issue": {"id": "7"}, "userErrors": []}}})
    result, sent = _call(tmp_path, "createIssue", {"title": "Broken"}, answer)
    assert result.unwrap() == {"id": "7"}
    assert sent == [{"query": _CREATE, "variables": {"input": {"title": "Broken"}}}]


def test_a_connection_is_read_whole(tmp_path: Path) -> None:
    """The cursor of one page is the variable of the next, as Relay's specification has it, until
    there is no next page.
    """

    def page(item: str, cursor: str | None) -> Answer:
        info = {"endCursor": cursor, "hasNextPage": cursor is not None}
        return Answer({"data": {"issues": {"nodes": [{"id": item}], "pageInfo": info}}})

    result, sent = _call(
        tmp_path, "listIssues", {"fetchAll": True}, page("1", "c-1"), page("2", None)
    )
    assert [node["id"] for node in result.unwrap()["nodes"]] == ["1", "2"]
    assert result.meta.complete is True
    assert [one.get("variables") for one in sent] == [None, {"after": "c-1"}]


_ISSUE = {"id": "7"}


def _error(*path: str | int) -> dict[str, Any]:
    return {"message": "not allowed", "path": [*path], "extensions": {"code": "FORBIDDEN"}}


@pytest.mark.parametrize(
    ("action", "answer", "code", "status"),
    [
        (
            "createIssue",
            {"data": {"issueCreate": {"issue": None, "userErrors": [{"message": "no title"}]}}},
            "rejected",
            "failed",
        ),
        (
            "createIssue",
            {"data": {"issueCreate": {"issue": None, "userErrors": []}}},
            "in_doubt",
            "in_doubt",
        ),
        (
            "createIssue",
            {"data": {"issueCreate": {"issue": {"id": "7"}}}, "errors": [{"message": "half"}]},
            "in_doubt",
            "in_doubt",
        ),
        ("createIssue", {"data": None, "errors": [{"message": "bad"}]}, "rejected", "failed"),
        (
            "createIssue",
            {"data": {"issueCreate": None}, "errors": [_error("issueCreate")]},
            "forbidden",
            "failed",
        ),
        (
            "createIssue",
            {"data": {"issueCreate": None}, "errors": [_error("issueCreate", "issue", "team")]},
            "in_doubt",
            "in_doubt",
        ),
        (
            "createIssue",
            {"data": None, "errors": [_error("issueCreate", "issue", "team", 0)]},
            "in_doubt",
            "in_doubt",
        ),
        # before it is executed
        (
            "createIssue",
            {"errors": [_error("mutation", "issueCreate", "title")]},
            "forbidden",
            "failed",
        ),
        (
            "createIssue",
            {"data": {"issueCreate": {"issue": _ISSUE}}, "errors": [_error("other")]},
            "in_doubt",
            "in_doubt",
        ),
        (
            "createIssue",
            {
                "data": {"issueCreate": {"issue": _ISSUE}},
                "errors": [_error("issueCreate", "issue")],
            },
            "in_doubt",
            "in_doubt",
        ),
        ("whoAmI", {"data": {"viewer": None}}, "not_found", "failed"),
        (
            "whoAmI",
            {"data": {"viewer": {"id": "1"}}, "errors": [{"message": "half"}]},
            "rejected",
            "failed",
        ),
    ],
)
def test_what_an_answer_without_a_result_means(
    tmp_path: Path, action: str, answer: Any, code: str, status: str
) -> None:
    """Errors that say that nothing was done are refusals; a write without result or with data
    beside errors is in doubt.
    """
    result, sent = _call(
        tmp_path,
        action,
        {"title": "x"} if action == "createIssue" else {},
        Answer(answer),
        Answer(answer),
    )
    assert (result.error.code, result.status, len(sent)) == (code, status, 1)


def test_errors_of_members_of_what_was_made_are_warnings(tmp_path: Path) -> None:
    """What a mutation made is there: that the account may not see a member of it is no doubt."""
    errors = [
        _error("issueCreate", "issue", "owner"),
        _error("issueCreate", "issue", "labels", 0, "name"),
    ]
    result, sent = _call(
        tmp_path,
        "createIssue",
        {"title": "x"},
        Answer({"data": {"issueCreate": {"issue": _ISSUE}}, "errors": errors}),
    )
    assert (result.unwrap(), len(sent), len(result.meta.warnings)) == (_ISSUE, 1, 1)
    assert "not allowed" in str(result.meta.warnings[0])


def test_an_error_has_the_provider_s_words_and_meaning(tmp_path: Path) -> None:
    """The message is that of the first error, those in the data included, and a row of the error
    map names a throttle.
    """
    refused = Answer(
        {
            "data": {
                "issueCreate": {
                    "issue": None,
                    "userErrors": [{"field": ["title"], "message": "no title"}],
                }
            }
        }
    )
    result, _ = _call(tmp_path, "createIssue", {"title": "x"}, refused)
    assert result.error.provider.message == "no title"
    slow = Answer({"errors": [{"message": "wait", "extensions": {"code": "SLOW_DOWN"}}]})
    (tmp_path / "again").mkdir()
    result, sent = _call(
        tmp_path / "again",
        "createIssue",
        {"title": "x"},
        slow,
        Answer({"data": {"issueCreate": {"issue": {"id": "7"}}}}),
    )
    assert (result.unwrap(), len(sent)) == ({"id": "7"}, 2)


def test_a_query_can_be_the_connection_test() -> None:
    """It is sent as a POST, fails by its errors, and its answer names the account."""
    manifest = converted(_ACME, Choices()).manifest
    about = manifest["connectionTypes"][0]["http"]
    body = {"query": "{ viewer { id email } }"}
    assert about["probe"] == {
        "method": "POST",
        "path": "/graphql",
        "body": body,
        "failed": {"member": "/errors"},
    }
    assert about["account"] == {"id": "/data/viewer/id", "label": ["/data/viewer/email"]}
    assert [action["effect"] for action in manifest["actions"]] == ["read", "read", "write"]


@pytest.mark.parametrize(
    ("graphql", "more", "reason"),
    [
        ({"query": "{ a }", "result": "/data/a", "page": 1}, {}, "no member 'page'"),
        ({"query": "", "result": "/data/a"}, {}, "needs 'query'"),
        ({"query": "{ a }"}, {}, "needs 'result'"),
        ({"query": "{ a }", "result": "data.a"}, {}, "JSON Pointers"),
        ({"query": "{ a }", "result": "/data/a", "variables": "input"}, {}, "place of all inputs"),
        (
            {"query": "{ a }", "result": "/data/a", "variables": {"other": "/x"}},
            {},
            "no member 'other'",
        ),
        (
            {"query": "{ a }", "result": "/data/a"},
            {"effect": "write"},
            "a query cannot have the effect 'write'",
        ),
        (
            {"query": "mutation { a }", "result": "/data/a"},
            {"effect": "read"},
            "a mutation cannot have the effect 'read'",
        ),
    ],
)
def test_a_slip_is_refused(graphql: Any, more: dict[str, Any], reason: str) -> None:
    """The message names the operation and the member."""
    with pytest.raises(InvalidInput, match=reason):
        converted(_document(a=_op("a", graphql, _VARIABLES, **more)), Choices())


def test_variables_that_are_no_members_are_refused() -> None:
    """A body that is not an object of named members has no variables; a document that is not sent
    by POST has none either.
    """
    with pytest.raises(InvalidInput, match="members of one object"):
        converted(
            _document(
                a=_op("a", {"query": "{ a }", "result": "/data/a"}, {"additionalProperties": True})
            ),
            Choices(),
        )
    item = _op("a", {"query": "{ a }", "result": "/data/a"})
    with pytest.raises(InvalidInput, match="sent by POST"):
        converted(_document(a={"get": item["post"]}), Choices())
