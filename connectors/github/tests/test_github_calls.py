"""What the curation of GitHub adds to its document: rate limits, errors, effects and pages, seen by
a scripted provider.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from jackfield.testing import RESET, Answer, Harness, refused

REPO = {"owner": "octocat", "repo": "Hello-World"}


def test_an_issue_is_created(harness: Harness) -> None:
    """The request has the version of the API and the token, and the output is GitHub's own."""
    server = harness.serve(Answer({"number": 1, "title": "Found a bug"}, 201))
    result = harness.invoke("createIssue", {**REPO, "title": "Found a bug", "labels": ["bug"]})
    assert result.unwrap()["number"] == 1
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/repos/octocat/Hello-World/issues")
    assert json.loads(request.body) == {"title": "Found a bug", "labels": ["bug"]}
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (headers["x-github-api-version"], headers["authorization"][:7]) == (
        "2022-11-28",
        "Bearer ",
    )


def test_pages_are_followed_by_the_link(harness: Harness) -> None:
    """A search and a list both follow the header field Link to the end."""
    for action, inputs in (("listIssues", REPO), ("searchIssues", {"q": "is:open"})):
        pages = [[{"id": 1}], [{"id": 2}]]
        bodies = (
            pages
            if action == "listIssues"
            else [{"total_count": 2, "items": page} for page in pages]
        )
        server = harness.serve(
            Answer(bodies[0], headers={"Link": '</next?page=2>; rel="next"'}), Answer(bodies[1])
        )
        result = harness.invoke(action, {**inputs, "fetchAll": True})
        assert ([item["id"] for item in result.unwrap()["items"]], result.meta.complete) == (
            [1, 2],
            True,
        )
        assert server.requests[1].path == "/next?page=2"


_REFUSALS: list[Any] = [
    (
        Answer(
            {"message": "API rate limit exceeded"},
            403,
            headers={"X-RateLimit-Remaining": "0", "Retry-After": "0"},
        ),
        "succeeded",
    ),
    (
        Answer(
            {"message": "You have exceeded a secondary rate limit"},
            403,
            headers={"Retry-After": "0"},
        ),
        "succeeded",
    ),
    (Answer({"message": "Resource not accessible by personal access token"}, 403), "forbidden"),
    (Answer({"message": "Not Found"}, 404), "not_found"),
    (Answer({"message": "Bad credentials"}, 401), "unauthenticated"),
    (
        Answer({"message": "Validation Failed", "errors": [{"code": "missing_field"}]}, 422),
        "rejected",
    ),
]


def test_refusals_are_told_apart(harness: Harness, subtests: pytest.Subtests) -> None:
    """A used-up rate limit is waited for, even by a write; other refusals are final and have
    GitHub's words.
    """
    for step, code in _REFUSALS:
        with subtests.test(step=step, code=code):
            server = harness.serve(step, Answer({"number": 1}, 201))
            result = harness.invoke("createIssue", {**REPO, "title": "x"})
            assert (result.error.code if result.error else result.status) == code
            assert len(server.requests) == (2 if code == "succeeded" else 1)
            if result.error is not None and result.error.provider is not None:
                assert result.error.provider.message == step.body["message"]


def test_a_refused_value_has_its_field(harness: Harness) -> None:
    """GitHub's 'Validation Failed' says what is wrong in 'errors' only: the Result has it, and the
    hint says where.
    """
    errors = [{"resource": "Issue", "field": "milestone", "code": "invalid", "value": 99}]
    harness.serve(
        Answer(
            {
                "message": "Validation Failed",
                "errors": errors,
                "documentation_url": "https://docs.github.com/rest",
            },
            422,
        )
    )
    error = harness.invoke("createIssue", {**REPO, "title": "x", "milestone": 99}).error
    assert error is not None
    assert error.provider is not None
    assert error.provider.details == {
        "errors": errors,
        "documentation_url": "https://docs.github.com/rest",
    }
    assert "'errors' in the provider's details" in str(error.hint)


def test_effects_decide_what_is_repeated(harness: Harness) -> None:
    """An edit that sets values is repeated after a reset; a merge, which is a PUT, and a comment
    are in doubt.
    """
    server = harness.serve(RESET, Answer({"number": 7}))
    assert (
        harness.invoke("updateIssue", {**REPO, "issueNumber": 7, "state": "closed"}).status
        == "succeeded"
    )
    assert len(server.requests) == 2
    for action, inputs in (
        ("mergePullRequest", {"pullNumber": 7}),
        ("createIssueComment", {"issueNumber": 7, "body": "x"}),
    ):
        server = harness.serve(refused(502), Answer({}))
        assert harness.invoke(action, {**REPO, **inputs}).status == "in_doubt"
        assert len(server.requests) == 1


def test_an_issue_is_created_in_the_form_of_version_0_1(harness: Harness) -> None:
    """Callers of 0.1 gave one input `body`: an object in it is that, text is the issue's own
    body.
    """
    server = harness.serve(Answer({"number": 1}, 201), Answer({"number": 2}, 201))
    harness.invoke(
        "createIssue", {**REPO, "body": {"title": "Found a bug", "body": "It fails."}}
    ).unwrap()
    harness.invoke("createIssue", {**REPO, "title": "Found a bug", "body": "It fails."}).unwrap()
    assert [json.loads(request.body) for request in server.requests] == [
        {"title": "Found a bug", "body": "It fails."}
    ] * 2


FILE = {**REPO, "path": "notes/hello.txt", "message": "Add a note", "branch": "main"}


def test_a_file_is_put_as_it_is(harness: Harness) -> None:
    """Its content is sent as base64, with the SHA of the file that it replaces, which is looked up
    on the same branch.
    """
    server = harness.serve(
        Answer({"type": "file", "sha": "95b9"}), Answer({"content": {"path": "notes/hello.txt"}})
    )
    harness.invoke("putFile", {**FILE, "content": "Hello"}).unwrap()
    first, second = server.requests
    assert (first.method, first.path) == (
        "GET",
        "/repos/octocat/Hello-World/contents/notes%2Fhello.txt?ref=main",
    )
    assert json.loads(second.body) == {
        "message": "Add a note",
        "branch": "main",
        "content": "SGVsbG8=",
        "sha": "95b9",
    }


def test_a_new_file_has_no_sha(harness: Harness) -> None:
    """GitHub does not know the file, so nothing is replaced; bytes are sent as they are."""
    server = harness.serve(refused(404), Answer({"content": {}}, 201))
    harness.invoke(
        "putFile", {**FILE, "content": {"data": "AP8=", "contentType": "image/png"}}
    ).unwrap()
    assert json.loads(server.requests[1].body) == {
        "message": "Add a note",
        "branch": "main",
        "content": "AP8=",
    }


def test_a_given_sha_is_not_looked_up(harness: Harness) -> None:
    """The caller who names the SHA replaces that version only: one request."""
    server = harness.serve(Answer({"content": {}}))
    harness.invoke("putFile", {**FILE, "content": "Hello", "sha": "77"}).unwrap()
    assert [json.loads(request.body)["sha"] for request in server.requests] == ["77"]


def test_base64_in_the_former_form_is_not_encoded_again(harness: Harness) -> None:
    """Callers of the form that was published first have their content as base64 in 'body'."""
    server = harness.serve(refused(404), Answer({"content": {}}, 201))
    inputs = {**REPO, "path": "a", "body": {"message": "Add a note", "content": "SGVsbG8="}}
    harness.invoke("putFile", inputs).unwrap()
    assert json.loads(server.requests[1].body)["content"] == "SGVsbG8="


def test_a_failed_lookup_puts_nothing(harness: Harness) -> None:
    """Without an answer about the file, nothing is written; the lookup is repeated, the write is
    not.
    """
    server = harness.serve(RESET, Answer({"sha": "1"}), RESET)
    assert harness.invoke("putFile", {**FILE, "content": "Hello"}).status == "in_doubt"
    assert [request.method for request in server.requests] == ["GET", "GET", "PUT"]
    server = harness.serve(refused(403))
    assert harness.invoke("putFile", {**FILE, "content": "Hello"}).status == "failed"
    assert [request.method for request in server.requests] == ["GET"]


def test_a_file_is_downloaded_as_it_is(harness: Harness) -> None:
    """The content comes as a file, not as base64 within JSON."""
    server = harness.serve(Answer(content=b"Hello", headers={"Content-Type": "text/plain"}))
    output = harness.invoke("downloadFile", {**REPO, "path": "a.txt", "ref": "main"}).unwrap()
    assert output == {"file": {"data": "SGVsbG8=", "contentType": "text/plain"}}
    assert server.requests[0].headers["Accept"].startswith("application/vnd.github.raw")


@pytest.mark.parametrize(
    ("query", "effect"), [("{ viewer { login } }", "read"), ("mutation { close { id } }", "write")]
)
def test_graphql(harness: Harness, query: str, effect: str) -> None:
    """Errors are failures with their message; a query is repeated, and a mutation is not."""
    errors = Answer(
        {"data": None, "errors": [{"type": "NOT_FOUND", "message": "Could not resolve"}]}
    )
    server = harness.serve(errors)
    result = harness.invoke("graphql", {"query": query})
    assert result.error is not None
    assert (result.error.code, "Could not resolve" in result.error.message) == ("rejected", True)
    assert server.requests[0].path == "/graphql"
    server = harness.serve(RESET, Answer({"data": {"viewer": {"login": "ada"}}}))
    assert (harness.invoke("graphql", {"query": query}).status, len(server.requests)) == {
        "read": ("succeeded", 2),
        "write": ("in_doubt", 1),
    }[effect]


_NO_ANSWERS: list[Any] = [
    ("{ viewer { login } }", "failed"),
    ("mutation { close { id } }", "in_doubt"),
]
_CONTENTS: list[Any] = [{"message": "deprecated"}, {"errors": []}, None]


def test_what_is_no_graphql_answer_is_no_success(
    harness: Harness, subtests: pytest.Subtests
) -> None:
    """An answer without data and errors tells nothing about a mutation; null data is a result."""
    for query, status in _NO_ANSWERS:
        for body in _CONTENTS:
            with subtests.test(query=query, status=status, body=body):
                harness.serve(
                    Answer(
                        content=json.dumps(body).encode(),
                        headers={"Content-Type": "application/json"},
                    )
                )
                assert harness.invoke("graphql", {"query": query}).status == status
                harness.serve(Answer({"data": None}))
                assert harness.invoke("graphql", {"query": query}).unwrap() == {"data": None}


def test_repositories_labels_and_branches_are_choices(harness: Harness) -> None:
    """Forms list the repositories of the chosen owner, and the labels of the chosen repository."""
    rows = [
        {"name": "a", "full_name": "ada/a", "owner": {"login": "ada"}},
        {"name": "b", "full_name": "eve/b", "owner": {"login": "eve"}},
    ]
    harness.serve(Answer(rows))
    assert [row["value"] for row in harness.options("owners")] == ["ada", "eve"]
    assert harness.options("repositories", owner="eve") == [{"value": "b", "label": "eve/b"}]
    assert len(harness.options("repositories")) == 2
    server = harness.serve(Answer([{"name": "bug", "description": "It is broken"}]))
    assert harness.options("labels", owner="ada", repo="a") == [
        {"value": "bug", "label": "bug · It is broken"}
    ]
    assert server.requests[0].path.startswith("/repos/ada/a/labels?")
    harness.serve(Answer([{"number": 3, "title": "v1"}]))
    assert harness.options("milestones", owner="ada", repo="a") == [{"value": "3", "label": "v1"}]
