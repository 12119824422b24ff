"""What the curation of GitHub adds to its document: rate limits, errors, effects and pages, seen by a scripted provider."""

from __future__ import annotations

import json

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
    assert (headers["x-github-api-version"], headers["authorization"][:7]) == ("2022-11-28", "Bearer ")


def test_pages_are_followed_by_the_link(harness: Harness) -> None:
    """A search and a list both follow the header field Link to the end."""
    for action, inputs in (("listIssues", REPO), ("searchIssues", {"q": "is:open"})):
        pages = [[{"id": 1}], [{"id": 2}]]
        bodies = pages if action == "listIssues" else [{"total_count": 2, "items": page} for page in pages]
        server = harness.serve(Answer(bodies[0], headers={"Link": '</next?page=2>; rel="next"'}), Answer(bodies[1]))
        result = harness.invoke(action, {**inputs, "fetchAll": True})
        assert ([item["id"] for item in result.unwrap()["items"]], result.meta.complete) == ([1, 2], True)
        assert server.requests[1].path == "/next?page=2"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (Answer({"message": "API rate limit exceeded"}, 403, headers={"X-RateLimit-Remaining": "0", "Retry-After": "0"}), "succeeded"),
        (Answer({"message": "You have exceeded a secondary rate limit"}, 403, headers={"Retry-After": "0"}), "succeeded"),
        (Answer({"message": "Resource not accessible by personal access token"}, 403), "forbidden"),
        (Answer({"message": "Not Found"}, 404), "not_found"),
        (Answer({"message": "Bad credentials"}, 401), "unauthenticated"),
        (Answer({"message": "Validation Failed", "errors": [{"code": "missing_field"}]}, 422), "rejected"),
    ],
)
def test_refusals_are_told_apart(harness: Harness, step: Answer, code: str) -> None:
    """A used-up rate limit is waited for, even by a write; other refusals are final and have GitHub's words."""
    server = harness.serve(step, Answer({"number": 1}, 201))
    result = harness.invoke("createIssue", {**REPO, "title": "x"})
    assert (result.error.code if result.error else result.status) == code
    assert len(server.requests) == (2 if code == "succeeded" else 1)
    if result.error is not None and result.error.provider is not None:
        assert result.error.provider.message == step.body["message"]


def test_effects_decide_what_is_repeated(harness: Harness) -> None:
    """An edit that sets values is repeated after a reset; a merge, which is a PUT, and a comment are in doubt."""
    server = harness.serve(RESET, Answer({"number": 7}))
    assert harness.invoke("updateIssue", {**REPO, "issueNumber": 7, "state": "closed"}).status == "succeeded"
    assert len(server.requests) == 2
    for action, inputs in (("mergePullRequest", {"pullNumber": 7}), ("createIssueComment", {"issueNumber": 7, "body": "x"})):
        server = harness.serve(refused(502), Answer({}))
        assert harness.invoke(action, {**REPO, **inputs}).status == "in_doubt"
        assert len(server.requests) == 1


def test_an_issue_is_created_in_the_form_of_version_0_1(harness: Harness) -> None:
    """Callers of 0.1 gave one input `body`: an object in it is that, text is the issue's own body."""
    server = harness.serve(Answer({"number": 1}, 201), Answer({"number": 2}, 201))
    harness.invoke("createIssue", {**REPO, "body": {"title": "Found a bug", "body": "It fails."}}).unwrap()
    harness.invoke("createIssue", {**REPO, "title": "Found a bug", "body": "It fails."}).unwrap()
    assert [json.loads(request.body) for request in server.requests] == [{"title": "Found a bug", "body": "It fails."}] * 2
