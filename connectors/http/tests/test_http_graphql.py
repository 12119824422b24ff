"""GraphQL: errors under status 200 are failures, queries are reads, and a mutation that was carried
out in part is in doubt.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from jackfield.testing import RESET, Answer, Harness
from jackfield.wire.graphql import effect_of

QUERY, MUTATION = (
    "query($id: ID!) { node(id: $id) { id } }",
    "mutation { close(id: 7) { id } open(id: 8) { id } }",
)
ERRORS = [
    {"message": "Could not resolve to a node", "extensions": {"code": "NOT_FOUND"}},
    {"message": "Second"},
]


def test_an_answer_with_errors_has_failed(harness: Harness) -> None:
    """Users see the first message, not a success with 'errors' in it."""
    server = harness.serve(Answer({"data": None, "errors": ERRORS}))
    result = harness.invoke("graphql", {"query": QUERY, "variables": {"id": "7"}})
    assert result.error is not None
    assert result.error.provider is not None
    assert (result.error.code, result.error.provider.message) == (
        "rejected",
        "Could not resolve to a node",
    )
    assert "Could not resolve to a node" in result.error.message
    sent = server.requests[0]
    assert (sent.path, json.loads(sent.body)) == (
        "/graphql",
        {"query": QUERY, "variables": {"id": "7"}},
    )


def test_partial_data_is_returned_where_it_is_accepted(harness: Harness) -> None:
    """By default, a query with errors has failed, whatever else it has."""
    answer = Answer({"data": {"a": 1, "b": None}, "errors": ERRORS})
    harness.serve(answer, answer, answer)
    assert harness.invoke("graphql", {"query": "{ a b }"}).error.code == "rejected"  # type: ignore[union-attr]
    result = harness.invoke("graphql", {"query": "{ a b }", "partialData": True})
    assert result.unwrap() == {"data": {"a": 1, "b": None}, "errors": ERRORS}
    assert [
        (one["code"], one["failed"], one["entries"][0]["path"]) for one in result.meta.warnings
    ] == [("partial", len(ERRORS), "/errors/0")]
    failed = harness.invoke("graphql", {"query": "{ a b }", "partialData": True}, partial="fail")
    details = failed.error.details  # type: ignore[union-attr]
    assert [(one.path, one.message.partition(" ")[0]) for one in details] == [
        ("", "/errors/0"),
        ("", "/errors/1"),
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"close": {"id": 7}, "open": None}, "in_doubt"),
        ({"close": None, "open": None}, "failed"),
        (None, "failed"),
    ],
)
def test_a_mutation_carried_out_in_part_is_in_doubt(
    harness: Harness, data: Any, status: str
) -> None:
    """Data beside the errors of a mutation says that something has changed; without data nothing
    has. The error has all errors only.
    """
    server = harness.serve(Answer({"data": data, "errors": ERRORS}))
    result = harness.invoke("graphql", {"query": MUTATION})
    assert (result.status, len(server.requests)) == (status, 1)
    assert result.error is not None
    assert result.error.provider is not None
    assert "Could not resolve to a node" in result.error.message
    assert (result.error.provider.details or {}).get("errors") == ERRORS
    assert not ((result.error.provider.details or {}).get("data") or {}).get("close")


_NO_ANSWERS: list[Any] = [(QUERY, "failed"), (MUTATION, "in_doubt")]
_CONTENTS: list[Any] = [
    b'{"message": "deprecated"}',
    b"{}",
    b'{"errors": []}',
    b'{"errors": null}',
    b'{"data": 7}',
    b"[]",
    b"null",
    b"<html></html>",
]


def test_an_answer_that_is_no_graphql_answer_is_no_success(
    harness: Harness, subtests: pytest.Subtests
) -> None:
    """An answer without data and errors was a success with an empty output; nobody knows what
    became of a mutation.
    """
    for document, status in _NO_ANSWERS:
        for content in _CONTENTS:
            with subtests.test(document=document, status=status, content=content):
                harness.serve(
                    lambda *_, content=content: Answer(
                        content=content, headers={"Content-Type": "application/json"}
                    )
                )
                result = harness.invoke("graphql", {"query": document})
                assert result.error is not None
                assert (result.status, result.error.code) == (
                    status,
                    "unavailable" if status == "failed" else "in_doubt",
                )


@pytest.mark.parametrize("document", [QUERY, MUTATION])
def test_data_that_are_null_are_returned(harness: Harness, document: str) -> None:
    """Null without errors is a result: the output has it, where it was empty."""
    harness.serve(Answer({"data": None, "extensions": {"cost": 1}}))
    assert harness.invoke("graphql", {"query": document}).unwrap() == {
        "data": None,
        "extensions": {"cost": 1},
    }


def test_a_query_is_repeated_and_a_mutation_is_not(harness: Harness) -> None:
    """After a reset a query is sent again, and a mutation is in doubt."""
    server = harness.serve(RESET, Answer({"data": {"node": None}}))
    assert (harness.invoke("graphql", {"query": QUERY}).unwrap(), len(server.requests)) == (
        {"data": {"node": None}},
        2,
    )
    server = harness.serve(RESET)
    assert (harness.invoke("graphql", {"query": MUTATION}).status, len(server.requests)) == (
        "in_doubt",
        1,
    )


@pytest.mark.parametrize(
    ("document", "name", "effect"),
    [
        ("{ a }", None, "read"),
        ("query A { a } mutation B { b }", "A", "read"),
        ("query A { a } mutation B { b }", "B", "write"),
        ("query A { a } mutation B { b }", None, "write"),
        ("query A @live(if: true) { a ...F }  fragment F on T { mutation }", None, "read"),
        ('mutation($x: I = {a: 1}) { b(s: "} query {") }', None, "write"),
        ('# mutation { a }\nquery { a(s: """ } mutation { """) }', None, "read"),
        ("subscription { a }", None, "write"),
        ("garbage", None, "write"),
        ("query A { a", None, "write"),
        ("} query A { a }", None, "write"),
        ('query { a(s: "no end) }', None, "write"),
        ('query { a(s: """no end) } \\"""', None, "write"),
        ('query { a(s: """an "end" \\""" } mutation {""" t: "") }', None, "read"),
    ],
)
def test_the_effect_of_a_document(document: str, name: str | None, effect: str) -> None:
    """Only an operation that is surely a query is a read."""
    assert effect_of(document, name) == effect


@pytest.mark.parametrize(
    ("body", "rule", "code"),
    [
        ({"errors": ERRORS}, {"member": "/errors"}, "rejected"),
        ({"errors": []}, {"member": "/errors"}, None),
        ({"ok": False, "error": "nope"}, {"member": "/ok", "equals": False}, "rejected"),
        ({"ok": 0}, {"member": "/ok", "equals": False}, None),
        ({"state": "error"}, {"member": "/state", "equals": "error"}, "rejected"),
        ({"code": 3}, {"member": "/code", "equals": 3}, "rejected"),
    ],
)
def test_a_request_says_how_an_answer_reports_failure(
    harness: Harness, body: Any, rule: dict[str, Any], code: str | None
) -> None:
    """An API that answers failures with status 200 has failed calls, not successes that look like
    failures.
    """
    harness.serve(Answer(body))
    result = harness.invoke("request", {"url": "/x", "failed": rule})
    assert (result.error.code if result.error else None) == code


@pytest.mark.parametrize("response", ["auto", "json", "file"])
def test_a_reported_failure_is_one_however_the_response_is_read(
    harness: Harness, response: str
) -> None:
    """A response that is read as a stream was a success whatever its body reported; what reports
    none is returned whole.
    """
    rule = {"member": "/ok", "equals": False}
    harness.serve(Answer({"ok": False, "error": "nope"}), Answer({"ok": True, "n": 7}))
    error = harness.invoke("request", {"url": "/x", "failed": rule, "response": response}).error
    assert error is not None
    assert error.provider is not None
    assert (error.code, error.provider.message) == ("rejected", "nope")
    output = harness.invoke("request", {"url": "/x", "failed": rule, "response": response}).unwrap()
    found = output["body"] if response != "file" else json.loads(b64decode(output["file"]["data"]))
    assert found == {"ok": True, "n": 7}
