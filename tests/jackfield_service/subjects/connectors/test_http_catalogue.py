"""``/v1/connectors`` and ``/v1/actions``: manifests, search, guides, choices."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from http_stand import Client, Stand
from jackfield.callers import Rules
from jackfield.catalog.words import Words
from jackfield.manifest.manifest import Manifest


def test_connectors_are_listed_as_a_marketplace_shows_them(client: Client) -> None:
    """A row for each with what a card shows; ``fields`` chooses members, the manifest among them;
    pages are cut by key.
    """
    installed = [
        "aws-ses",
        "echo",
        "github",
        "http",
        "imap",
        "mysql",
        "postgresql",
        "rabbitmq",
        "redis",
        "sftp",
        "slack",
        "stripe",
    ]
    rows = {row["key"]: row for row in client.get("/v1/connectors").json["items"]}
    assert [*rows] == installed
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["aws-ses"]["icon"].startswith("data:image/svg+xml")
    assert (
        rows["aws-ses"]["categories"],
        rows["aws-ses"]["connectionTypes"],
        rows["aws-ses"]["triggers"] > 0,
    ) == (
        ["email", "aws"],
        5,
        True,
    )
    assert all(
        "manifest" not in row and row["description"] and row["actions"] > 0 for row in rows.values()
    )
    chosen = client.get("/v1/connectors?fields=version,%20manifest").json["items"]
    assert [{*row} for row in chosen] == [{"key", "version", "manifest"}] * len(installed)
    assert chosen[0]["manifest"] == client.get("/v1/connectors/aws-ses").json
    assert {*client.get("/v1/connectors?fields=key").json["items"][0]} == {"key"}
    refused = client.get("/v1/connectors?fields=key,titel")
    assert (
        refused.status,
        refused.json["code"],
        "did you mean 'title'" in refused.json["detail"],
    ) == (400, "invalid_request", True)
    first = client.get("/v1/connectors?limit=1").json
    second = client.get(f"/v1/connectors?limit=1&cursor={first['nextCursor']}").json
    assert [page["items"][0]["key"] for page in (first, second)] == ["aws-ses", "echo"]
    assert (first["nextCursor"], second["nextCursor"]) == ("aws-ses", "echo")


def test_triggers_are_found_page_by_page(client: Client, stand: Stand) -> None:
    """All of them, those of a connector, those that match words; a token sees those of what it may
    use.
    """
    whole = client.get("/v1/triggers?limit=200").json
    assert {"connector": "http", "trigger": "webhook"}.items() <= next(
        row for row in whole["items"] if row["connector"] == "http"
    ).items()
    seen: list[Any] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = client.get(f"/v1/triggers?limit=2&cursor={cursor}").json
        seen += page["items"]
        cursor = page["nextCursor"]
    assert (seen, whole["nextCursor"]) == (whole["items"], None)
    assert {
        row["connector"] for row in client.get("/v1/triggers?connector=aws-ses").json["items"]
    } == {"aws-ses"}
    assert client.get("/v1/triggers?q=bounced+mail").json["items"][0]["connector"] == "aws-ses"
    assert {
        row["connector"]
        for row in stand.client(rules=Rules(("echo/*",))).get("/v1/triggers").json["items"]
    } == {"echo"}


def test_connection_types_are_listed_once_each(client: Client) -> None:
    """Each under its full name with the connectors that take it, in pages by name."""
    rows = {row["type"]: row for row in client.get("/v1/connection-types").json["items"]}
    assert rows["aws/apiKeySecret"]["connectors"] == ["aws-ses"]
    assert rows["slack/botToken"]["title"]
    assert [*rows] == sorted(rows)
    assert {
        *(row["type"] for row in client.get("/v1/connection-types?connector=github").json["items"])
    } == {
        "github/accessToken",
        "github/oauth",
    }
    first = client.get("/v1/connection-types?limit=1").json
    second = client.get(f"/v1/connection-types?limit=1&cursor={first['nextCursor']}").json
    assert [first["items"][0]["type"], second["items"][0]["type"]] == [*rows][:2]


@pytest.mark.parametrize(
    "path", ["/v1/connectors", "/v1/connectors/echo", "/v1/connectors/echo/actions/say/schema"]
)
def test_what_is_known_is_not_sent_again(client: Client, path: str) -> None:
    """An ETag that the caller has is 304, weak or among others."""
    tag = client.get(path).headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = client.get(path, If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
    assert client.get(path, If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connectors/ecco",
        "/v1/connectors/echo/actions/sey",
        "/v1/connectors/echo/actions/sey/schema",
    ],
)
def test_a_name_that_is_not_there_is_404_with_the_nearest(client: Client, path: str) -> None:
    """404 as a problem that suggests the nearest name."""
    reply = client.get(path)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert "did you mean" in reply.json["detail"]


def test_actions_are_found_best_first(client: Client) -> None:
    """Words narrow, effects and connectors too; pages follow each other."""
    assert client.get("/v1/actions?q=send+email").json["items"][0]["action"] == "sendEmail"
    effects = {item["effect"] for item in client.get("/v1/actions?effect=write").json["items"]}
    assert effects == {"write"}
    assert {
        item["connector"] for item in client.get("/v1/actions?connector=echo").json["items"]
    } == {"echo"}
    whole = client.get("/v1/actions?connector=echo&limit=200").json["items"]
    seen: list[Any] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = client.get(f"/v1/actions?connector=echo&limit=3&cursor={cursor}").json
        seen += page["items"]
        cursor = page["nextCursor"]
    assert seen == whole
    sentence = client.get("/v1/actions?q=send+an+email+to+a+zebra").json["items"]
    assert (sentence[0]["action"], sentence[0]["exact"]) == ("sendEmail", False)  # H31
    known = client.get("/v1/actions?q=send+an+email+to+a+customer").json["items"]
    # "email a customer" is among its keywords
    assert (known[0]["action"], "exact" in known[0]) == ("sendEmail", False)
    for wrong in ("effect=none", "cursor=-1", "cursor=x", "limit=0", f"q={'x' * 201}"):
        assert client.get(f"/v1/actions?{wrong}").status == 400


def test_what_a_token_may_not_see_does_not_empty_its_search(stand: Stand) -> None:
    """A user's token for GitHub got no answer to "create payment", as actions of Stripe have both
    words; it gets the nearest of GitHub.
    """
    ruled = stand.client("read", rules=Rules(allow=("github/*",)))
    near = ruled.get("/v1/actions?q=create+payment&limit=200").json["items"]
    assert {(item["connector"], item.get("exact")) for item in near} == {("github", False)}
    assert (
        near == ruled.get("/v1/actions?q=create+payment&connector=github&limit=200").json["items"]
    )
    assert (
        stand.client("read").get("/v1/actions?q=create+payment").json["items"][0]["connector"]
        == "stripe"
    )
    first = ruled.get("/v1/actions?q=create+payment&limit=3").json
    second = ruled.get(f"/v1/actions?q=create+payment&limit=200&cursor={first['nextCursor']}").json
    assert first["items"] + second["items"] == near


def test_fifteen_thousand_actions_are_searched_in_few_steps() -> None:
    """The index finds what the plain words say among 15,000 actions, and gives the page that is
    asked for only.
    """
    index = Words()
    for number in range(1500):
        rows = [
            {"key": f"getThing{number}x{item}", "title": f"Get {item}", "description": "Of a kind."}
            for item in range(10)
        ]
        raw = {
            "manifestVersion": 1,
            "key": f"c-{number}",
            "title": "C",
            "version": "1",
            "description": "",
            "actions": rows,
        }
        index.add(Manifest.from_json(raw))
    found, more = index.find("get", limit=5)
    assert ([row.connector for row in found], more) == (["c-0"] * 5, True)
    assert [row.action for row in index.find("thing77x3", limit=5)[0]] == ["getThing77x3"]
    assert index.find("", start=14_999, limit=5)[1] is False


def test_an_action_tells_the_callers_verdict(stand: Stand, client: Client) -> None:
    """JSON: the action, and whether this token may run it and which rule says so."""
    free = client.get("/v1/connectors/echo/actions/post").json
    assert (free["key"], free["effect"], free["connectorVersion"], free["verdict"]["allowed"]) == (
        "post",
        "write",
        "1.0.0",
        True,
    )
    bound = stand.client("invoke", rules=Rules(block=("effect:write", "connection:cellar")))
    verdict = bound.get("/v1/connectors/echo/actions/say?connection=cellar").json["verdict"]
    assert (verdict["allowed"], verdict["source"], verdict["trail"]) == (False, "token", [])
    assert verdict["rule"] == "the rules of the token forbid echo/say with 'cellar'"
    assert bound.get("/v1/connectors/echo/actions/post").status == 404
    refused = bound.invoke("post", text="x")
    assert (refused.status, refused.json["error"]["code"]) == (403, "not_allowed")


def test_l16_a_connection_that_is_not_there_is_not_allowed(stand: Stand, client: Client) -> None:
    """L16: rules that forbid nothing do not make a connection; for a token with rules a hidden one
    is not there either.
    """
    assert (
        client.post(
            "/v1/connections", {"name": "l16", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    path = "/v1/connectors/echo/actions/say"
    for name, allowed in (("l16", True), ("l61", False), ("@inline", True)):
        verdict = client.get(f"{path}?connection={name}").json["verdict"]
        assert (verdict["allowed"], "no connection is named 'l61'" in verdict["rule"]) == (
            allowed,
            not allowed,
        )
    assert (
        "You may not run it"
        in client.get(f"{path}?connection=l61", Accept="text/markdown").body.decode()
    )
    bound = stand.client("invoke", rules=Rules(block=("connection:l16",)))
    assert "l16" not in bound.get(f"{path}?connection=l61").json["verdict"]["rule"].replace(
        "'l61'", ""
    )


def test_a_guide_is_markdown_that_can_be_run(client: Client) -> None:
    """Schema table, permissions, verdict, and snippets with the real origin, whose invocation is
    valid JSON for this action.
    """
    reply = client.get("/v1/connectors/aws-ses/actions/sendEmail", Accept="text/markdown")
    text = reply.body.decode()
    assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reply.headers["vary"].startswith("Accept")
    assert "| `subject` | string | yes |" in text
    assert "`ses:SendEmail`" in text
    assert "**You may run it**" in text
    assert f"curl http://127.0.0.1:{client.port}/v1/invocations" in text
    invocation = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    assert (invocation["connector"], invocation["action"]) == ("aws-ses", "sendEmail")
    compile(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], "snippet", "exec")


def test_a_guide_names_no_connection_that_is_made_up(client: Client) -> None:
    """Its sample takes the only one that fits, or that for which the guide is."""
    path = "/v1/connectors/echo/actions/say"
    assert (
        client.post(
            "/v1/connections",
            {"name": "hall-of-guides", "type": "echo/token", "values": {"token": "t-4711"}},
        ).status
        == 201
    )
    for query, members in (
        ("", {}),
        ("?connection=hall-of-guides", {"connection": "hall-of-guides"}),
    ):
        text = client.get(f"{path}{query}", Accept="text/markdown").body.decode()
        sample = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
        assert {name: value for name, value in sample.items() if name == "connection"} == members
        assert "may be left out if only one fits" in text


def test_a_guide_to_an_action_by_a_key_asks_for_one(client: Client) -> None:
    """Whoever copies its samples twice sends one request."""
    for path, says in (("stripe/actions/createCustomer", True), ("echo/actions/put", False)):
        text = client.get(f"/v1/connectors/{path}", Accept="text/markdown").body.decode()
        assert ("Effect: **idempotent** by a key" in text) is says
        assert text.count("idempotencyKey") == (5 if says else 0)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "json"),
        ("text/markdown", "markdown"),
        ("application/json, text/markdown;q=0.5", "json"),
        ("text/markdown;q=x", "json"),
    ],
)
def test_accept_decides(client: Client, accept: str, kind: str) -> None:
    """Markdown where it is preferred, else JSON."""
    assert (
        kind in client.get("/v1/connectors/echo/actions/say", Accept=accept).headers["content-type"]
    )


def test_choices_of_a_form_field(client: Client) -> None:
    """An option source's choices; an unknown one is 404, a body that means nothing 400."""
    path = "/v1/connectors/echo/options/voices"
    assert [item["value"] for item in client.post(path).json["items"]] == ["alto", "bass"]
    assert client.post(path, {}).status == 200
    assert client.post("/v1/connectors/echo/options/vioces").status == 404
    assert client.post(path, {"inputs": {"text": "Hello"}}).status == 200
    assert (
        client.post(path, {"more": 1}).status == client.post(path, {"inputs": "text"}).status == 400
    )
    assert client.post("/v1/connectors/echo/options/rooms", {"connection": "\ud800"}).status == 400


def test_choices_that_the_provider_knows(stand: Stand) -> None:
    """They are asked for over a connection, by who may invoke and is allowed the connection and the
    source.
    """
    client, path, over = (
        stand.client(),
        "/v1/connectors/echo/options/rooms",
        {"connection": "doors"},
    )
    assert (
        client.post(
            "/v1/connections", {"name": "doors", "type": "echo/token", "values": {"token": "t"}}
        ).status
        == 201
    )
    assert "needs a connection" in client.post(path).json["detail"]
    assert [item["value"] for item in client.post(path, over).json["items"]] == ["hall", "attic"]
    assert stand.client("read").post(path, over).status == 403
    for rules in (
        Rules(block=("connection:doors",)),
        Rules(allow=("echo/say",)),
        Rules(block=("echo/rooms",)),
    ):
        assert stand.client("invoke", rules=rules).post(path, over).status == 403, rules
    assert stand.client("invoke", rules=Rules(allow=("echo/rooms",))).post(path, over).status == 200


def test_a_search_finds_triggers(client: Client) -> None:
    """The first page of a search by words has the triggers that match, by the types of their events
    too; a narrowed search has none.
    """
    (found, *_) = client.get("/v1/actions?q=who+bounced").json["triggers"]
    assert (found["connector"], found["trigger"], found["kind"]) == (
        "aws-ses",
        "mailEvents",
        "webhook",
    )
    for narrower in ("", "?q=bounce&effect=read", "?q=bounce&connector=echo"):
        assert "triggers" not in client.get(f"/v1/actions{narrower}").json
