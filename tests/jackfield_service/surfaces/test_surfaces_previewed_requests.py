"""A dry run of an action that is bound to a request shows that request, without a connection, in
the library, over HTTP and over MCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield import Jackfield
from mcp_talk import called, remote

FILE: dict[str, Any] = {"data": "aGVsbG8sIHdvcmxk", "contentType": "text/plain"}

ISSUE: dict[str, Any] = {
    "connector": "github",
    "action": "createIssue",
    "inputs": {"owner": "acme", "repo": "a b", "title": "Hi"},
    "dryRun": True,
}
SENT = {
    "method": "POST",
    "path": "/repos/acme/a%20b/issues",
    "headers": {"Accept": "application/json, */*;q=0.1"},
    "contentType": "application/json",
    "body": {"title": "Hi"},
}
HOOK: dict[str, Any] = {
    "connector": "github",
    "action": "createWebhook",
    "dryRun": True,
    "inputs": {
        "owner": "acme",
        "repo": "shop",
        "config": {"url": "https://x.example.com", "secret": "hush-hush-4711"},
    },
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with the connectors that are installed here."""
    with standing(tmp_path_factory.mktemp("previewed")) as found:
        yield found


def test_http_shows_the_request_and_records_none(stand: Stand) -> None:
    """Over HTTP; the journal has no request, since it would have the inputs."""
    client = stand.client()
    answer = client.post("/v1/invocations", ISSUE).json
    assert (answer["status"], answer["meta"]["request"], answer["meta"]["attempts"]) == (
        "succeeded",
        SENT,
        0,
    )
    assert "output" not in answer
    entry = client.get(f"/v1/invocations/{answer['meta']['invocationId']}").json
    assert (entry["dryRun"], "request" in entry["meta"]) == (True, False)


def test_mcp_shows_the_request(stand: Stand) -> None:
    """An agent sees what it is about to do before a person connects an account."""
    server = remote(stand.port, stand.client().token)
    given = {name: value for name, value in ISSUE.items() if name != "dryRun"}
    assert (
        called(server, "execute_action", **given, dryRun=True).structured_content["meta"]["request"]
        == SENT
    )


def test_secrets_are_masked_and_forms_are_text(tmp_path: Path) -> None:
    """A secret input is masked in the body; a form is its text."""
    with Jackfield(database_url="none") as jackfield:
        hook = jackfield.invoke(HOOK)
        assert hook.meta.request is not None
        assert hook.meta.request["body"]["config"] == {
            "url": "https://x.example.com",
            "secret": "***",
        }
        stripe = {
            "connector": "stripe",
            "action": "createCustomer",
            "inputs": {"email": "ada@example.com"},
            "dryRun": True,
        }
        form = jackfield.invoke(stripe).meta.request
        assert form is not None
        assert (form["contentType"], form["body"]) == (
            "application/x-www-form-urlencoded",
            "email=ada%40example.com",
        )
        values = {"type": "accessToken", "values": {"token": "ghp_" + "a" * 36}}
        connected = jackfield.invoke(
            {
                **ISSUE,
                "connection": values,
                "inputs": {**ISSUE["inputs"], "body": "ghp_" + "a" * 36},
            }
        )
        assert connected.meta.request is not None
        assert connected.meta.request["body"] == {"title": "Hi", "body": "***"}
        assert (
            type(connected.meta).from_json(connected.meta.to_json()).request
            == connected.meta.request
        )


def requested(jackfield: Jackfield, connector: str, action: str, **inputs: Any) -> Any:
    """The request of a dry run without a connection."""
    result = jackfield.invoke(
        {"connector": connector, "action": action, "inputs": inputs, "dryRun": True}
    )
    assert result.status == "succeeded", result.error
    assert type(result.meta).from_json(result.meta.to_json()).request == result.meta.request
    return result.meta.request


FREE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"url": "/parcels?state=open", "query": {"tag": ["a b", "c"]}},
        {"method": "GET", "path": "/parcels", "query": "state=open&tag=a%20b&tag=c"},
    ),
    (
        {
            "method": "POST",
            "url": "https://x.example.com:8443/hook",
            "json": {"a": 1},
            "headers": {"X-Team": "shop"},
        },
        {
            "method": "POST",
            "server": "https://x.example.com:8443",
            "path": "/hook",
            "headers": {"X-Team": "shop"},
            "contentType": "application/json",
            "body": {"a": 1},
        },
    ),
    (
        {"method": "POST", "url": "/f", "form": {"name": "Ada L"}},
        {
            "method": "POST",
            "path": "/f",
            "contentType": "application/x-www-form-urlencoded",
            "body": "name=Ada+L",
        },
    ),
    (
        {"method": "PUT", "url": "/f", "text": "hello"},
        {
            "method": "PUT",
            "path": "/f",
            "contentType": "text/plain; charset=utf-8",
            "body": "hello",
        },
    ),
    (
        {"method": "PUT", "url": "/f", "file": FILE},
        {"method": "PUT", "path": "/f", "contentType": "text/plain", "body": {"bytes": 12}},
    ),
    (
        {
            "method": "POST",
            "url": "/f",
            "multipart": [
                {"name": "kind", "value": "x"},
                {"name": "doc", "file": FILE, "filename": "a.txt"},
            ],
        },
        {
            "method": "POST",
            "path": "/f",
            "contentType": "multipart/form-data",
            "body": {
                "parts": [
                    {"name": "kind", "body": "x"},
                    {
                        "name": "doc",
                        "filename": "a.txt",
                        "contentType": "text/plain",
                        "body": {"bytes": 12},
                    },
                ]
            },
        },
    ),
    (
        {"url": "/list", "pages": {"kind": "page", "parameter": "p"}},
        {"method": "GET", "path": "/list", "query": "p=1"},
    ),
]


@pytest.mark.parametrize(("inputs", "sent"), FREE)
def test_any_http_request_is_shown(inputs: dict[str, Any], sent: dict[str, Any]) -> None:
    """Of ``http.request``: each kind of body, files by their size, a whole URL by its server, the
    query that pages add.
    """
    with Jackfield(database_url="none") as jackfield:
        assert requested(jackfield, "http", "request", **inputs) == sent
        followed = {"url": "/list", "pages": {"kind": "linkHeader"}, "nextToken": "/list?after=7"}
        assert requested(jackfield, "http", "request", **followed) is None


def test_a_graphql_request_is_shown() -> None:
    """Its document and variables are the body."""
    with Jackfield(database_url="none") as jackfield:
        found = requested(
            jackfield, "http", "graphql", query="{ viewer { login } }", variables={"a": 1}
        )
        assert (found["method"], found["path"]) == ("POST", "/graphql")
        assert found["body"] == {"query": "{ viewer { login } }", "variables": {"a": 1}}


def test_each_request_of_an_action_of_several_steps_is_shown() -> None:
    """Those that go first are listed in order, what their answers give has their number; a step
    that is not needed is left out.
    """
    with Jackfield(database_url="none") as jackfield:
        slack = requested(jackfield, "slack", "uploadFile", file=FILE, channel="C024BE91L")
        assert slack["path"] == "/files.completeUploadExternal"
        assert slack["body"] == {"files": [{"id": "STEP_1"}], "channel_id": "C024BE91L"}
        first, second = slack["before"]
        assert (first["path"], first["body"]) == (
            "/files.getUploadURLExternal",
            "filename=file&length=12",
        )
        assert second == {
            "method": "POST",
            "server": "STEP_1",
            "path": "",
            "contentType": "application/octet-stream",
            "body": {"bytes": 12},
        }
        given = {
            "owner": "acme",
            "repo": "shop",
            "path": "a.txt",
            "message": "Add",
            "content": FILE,
        }
        put = requested(jackfield, "github", "putFile", **given)
        assert [one["method"] for one in put["before"]] == ["GET"]
        assert put["body"] == {
            "message": "Add",
            "content": {"bytes": 12, "encoding": "base64"},
            "sha": "STEP_1",
        }
        known = requested(
            jackfield, "github", "putFile", **given, sha="95b966ae1c166bd92f8ae7d1c313e738c731dfc3"
        )
        assert ("before" in known, known["body"]["sha"]) == (
            False,
            "95b966ae1c166bd92f8ae7d1c313e738c731dfc3",
        )


def test_a_stored_file_is_named_and_not_read(stand: Stand) -> None:
    """A file that was uploaded is described by its ID and its size."""
    client = stand.client()
    file = client.post("/v1/files", b"x" * 100_000, content_type="text/csv").json["file"]
    body = {
        "connector": "http",
        "action": "request",
        "dryRun": True,
        "inputs": {"method": "PUT", "url": "/f", "file": {"file": file}},
    }
    answer = client.post("/v1/invocations", body).json
    assert answer["meta"]["request"]["body"] == {"file": file, "bytes": 100_000}
    given = {
        "owner": "acme",
        "repo": "shop",
        "path": "a.csv",
        "message": "Add",
        "content": {"file": file},
    }
    answer = client.post(
        "/v1/invocations",
        {"connector": "github", "action": "putFile", "dryRun": True, "inputs": given},
    ).json
    assert answer["meta"]["request"]["body"]["content"] == {
        "file": file,
        "bytes": 100_000,
        "encoding": "base64",
    }
