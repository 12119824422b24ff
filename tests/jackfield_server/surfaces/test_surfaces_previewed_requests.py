"""A dry run of an action that is bound to a request shows that request, without a connection, in the library, over HTTP and over MCP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield import Jackfield
from mcp_talk import called, remote

ISSUE: dict[str, Any] = {
    "connector": "github",
    "action": "createIssue",
    "inputs": {"owner": "acme", "repo": "a b", "title": "Hi"},
    "dryRun": True,
}
SENT = {
    "method": "POST", "path": "/repos/acme/a%20b/issues", "headers": {"Accept": "application/json, */*;q=0.1"},
    "contentType": "application/json", "body": {"title": "Hi"},
}  # fmt: skip
HOOK: dict[str, Any] = {
    "connector": "github", "action": "createWebhook", "dryRun": True,
    "inputs": {"owner": "acme", "repo": "shop", "config": {"url": "https://x.example.com", "secret": "hush-hush-4711"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with the connectors that are installed here."""
    with standing(tmp_path_factory.mktemp("previewed")) as found:
        yield found


def test_http_shows_the_request_and_records_none(stand: Stand) -> None:
    """Over HTTP; the journal has no request, since it would have the inputs."""
    client = stand.client()
    answer = client.post("/v1/invocations", ISSUE).json
    assert (answer["status"], answer["meta"]["request"], answer["meta"]["attempts"]) == ("succeeded", SENT, 0)
    assert "output" not in answer
    entry = client.get(f"/v1/invocations/{answer['meta']['invocationId']}").json
    assert (entry["dryRun"], "request" in entry["meta"]) == (True, False)


def test_mcp_shows_the_request(stand: Stand) -> None:
    """An agent sees what it is about to do before a person connects an account."""
    server = remote(stand.port, stand.client().token)
    given = {name: value for name, value in ISSUE.items() if name != "dryRun"}
    assert called(server, "execute_action", **given, dryRun=True).structured_content["meta"]["request"] == SENT


def test_secrets_are_masked_and_forms_are_text(tmp_path: Path) -> None:
    """A secret input is masked in the body; a form is its text; what needs a file, or has no binding, shows nothing."""
    with Jackfield(database_url="none") as jackfield:
        hook = jackfield.invoke(HOOK)
        assert hook.meta.request is not None
        assert hook.meta.request["body"]["config"] == {"url": "https://x.example.com", "secret": "***"}
        stripe = {"connector": "stripe", "action": "createCustomer", "inputs": {"email": "ada@example.com"}, "dryRun": True}
        form = jackfield.invoke(stripe).meta.request
        assert form is not None
        assert (form["contentType"], form["body"]) == ("application/x-www-form-urlencoded", "email=ada%40example.com")
        free = {"connector": "http", "action": "request", "inputs": {"method": "GET", "url": "https://x.example.com"}, "dryRun": True}
        assert jackfield.invoke(free).meta.request is None
        values = {"type": "accessToken", "values": {"token": "ghp_" + "a" * 36}}
        connected = jackfield.invoke({**ISSUE, "connection": values, "inputs": {**ISSUE["inputs"], "body": "ghp_" + "a" * 36}})
        assert connected.meta.request is not None
        assert connected.meta.request["body"] == {"title": "Hi", "body": "***"}
        assert type(connected.meta).from_json(connected.meta.to_json()).request == connected.meta.request
