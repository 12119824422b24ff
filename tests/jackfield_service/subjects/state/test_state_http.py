"""What a file states of one workspace, over HTTP: a token of the workspace, and a platform's
token.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import Rules

HALL: dict[str, Any] = {
    "type": "echo/token",
    "values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Hi"},
}
NIGHTLY = {
    "invocation": {"connector": "echo", "action": "say", "inputs": {"text": "x"}},
    "every": "1d",
}
HOOK = "https://93.184.215.14/hook"


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server with the workspace ``acme-1`` of a platform, which lets connections refer to one
    secret of the server.
    """
    with standing(
        tmp_path, SETTINGS, HALL_TOKEN="the-token-of-the-hall", OTHER="another-secret"
    ) as found:
        found.workspaces.create("acme-1", {"allowReferences": ["env:HALL_*"]})
        yield found


def of(name: str = "acme-1", **kinds: Any) -> dict[str, Any]:
    """A file that states a workspace."""
    return {"workspaces": {name: kinds}}


def acts(reply: Any) -> set[tuple[str, str, str]]:
    """What is done with what."""
    assert reply.status == 200, reply.body
    return {(row["kind"], row["name"], row["act"]) for row in reply.json["rows"]}


def test_a_token_states_its_workspace(stand: Stand) -> None:
    """A plan changes nothing, an apply answers with new secrets once, a second one changes nothing,
    and an export can be applied.
    """
    client = stand.client(workspace="acme-1")
    file = of(
        connections={"hall": HALL},
        schedules={"nightly": NIGHTLY},
        callbacks={HOOK: {"types": ["invocation.*"]}},
        tokens={"app": {"scope": "invoke"}},
        subscriptions={"notes": {"trigger": "echo/notes", "connection": "hall"}},
    )
    planned = client.post("/v1/state:plan", file)
    assert {act for _, _, act in acts(planned)} == {"make"}
    assert client.get("/v1/connections").json["items"] == []
    assert client.post(f"/v1/state:apply?plan={planned.json['digest']}0", file).status == 409
    made = client.post(f"/v1/state:apply?plan={planned.json['digest']}", file)
    assert made.json["rows"] == planned.json["rows"]
    assert made.headers["cache-control"] == "no-store"
    app = Client(stand.port, made.json["secrets"]["tokens"]["app"]["token"])
    assert app.post("/v1/invocations", say("say", "hall")).json["output"]["text"] == "Hi"
    assert made.json["secrets"]["callbacks"][HOOK]["secret"].startswith("whsec_")
    again = client.post("/v1/state:apply", file)
    assert (again.json["rows"], again.json["unchanged"], "secrets" in again.json) == ([], 5, False)
    assert client.post(f"/v1/state:apply?plan={planned.json['digest']}", file).status == 409
    exported = client.get("/v1/state").json
    assert exported["workspaces"]["acme-1"].keys() == {
        "connections",
        "schedules",
        "callbacks",
        "tokens",
        "subscriptions",
    }
    assert acts(client.post("/v1/state:plan", exported)) == set()
    (entry,) = client.get("/v1/audit?event=workspace.applied").json["items"]
    assert entry["actor"]["kind"] == "token"
    fewer = of(connections={"hall": HALL}, schedules={"nightly": NIGHTLY})
    assert {act for _, _, act in acts(client.post("/v1/state:apply", fewer))} == {"left"}
    assert {act for _, _, act in acts(client.post("/v1/state:apply?prune=true", fewer))} == {"end"}
    assert app.get("/v1/connections").status == 401


def test_a_plan_leaves_nothing_in_a_server(stand: Stand) -> None:
    """Calls that run after a plan use what is stored, and not what the plan had tried: connections,
    tokens and rules.
    """
    client, platform = (
        stand.client(workspace="acme-1"),
        Client(stand.port, stand.platform_token("acme-*", "shop")),
    )
    client.post("/v1/state:apply", of(connections={"hall": HALL}))
    call = say("say", "hall")
    for tried in (
        {"values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Bye"}},
        {**HALL, "type": "echo/other"},
    ):
        client.post("/v1/state:plan", of(connections={"hall": tried}))
        assert client.post("/v1/invocations", call).json["output"]["text"] == "Hi"
    planned = platform.post(
        "/v1/workspaces/acme-1/state:plan",
        of(settings={"rules": {"block": ["echo/*"]}, "suspended": True}),
    )
    assert acts(planned) == {("settings", "acme-1", "change")}
    assert client.post("/v1/invocations", call).json["output"]["text"] == "Hi"
    assert (
        client.post(
            "/v1/state:apply",
            of(connections={"hall": {"values": {**HALL["values"], "greeting": "Bye"}}}),
        ).status
        == 200
    )
    assert client.post("/v1/invocations", call).json["output"]["text"] == "Bye"


def test_a_platform_states_settings_and_tokens_of_its_workspaces(stand: Stand) -> None:
    """A workspace is made with its settings and a token; those of others are not there, and what a
    platform may not see is refused alike whether it is so or not.
    """
    platform, tenant = (
        Client(stand.port, stand.platform_token("acme-*", "shop")),
        stand.client(workspace="acme-1"),
    )
    file = of("acme-2", settings={"retentionDays": 5}, tokens={"app": {"scope": "read"}})
    made = platform.post("/v1/workspaces/acme-2/state:apply", file, Jackfield_On_Behalf_Of="ada")
    assert acts(made) == {("workspace", "acme-2", "make"), ("tokens", "app", "make")}
    assert (
        Client(stand.port, made.json["secrets"]["tokens"]["app"]["token"])
        .get("/v1/connections")
        .status
        == 200
    )
    assert platform.get("/v1/workspaces/acme-2/state").json["workspaces"]["acme-2"]["settings"] == {
        "retentionDays": 5
    }
    for name, path in (
        ("other", "other"),
        ("default", "default"),
        ("acme-1", "acme-2"),
        ("acme-2", "other"),
    ):
        answer = platform.post(
            f"/v1/workspaces/{path}/state:plan", of(name, tokens={"app": {"scope": "read"}})
        )
        assert (answer.status, "acme-1'?" in answer.json["detail"]) == (404, False), answer.body
    for path in ("other", "acme-9", "default"):
        assert platform.get(f"/v1/workspaces/{path}/state").status == 404
    assert tenant.post("/v1/state:apply", of(connections={"hall": HALL})).status == 200
    for values in (HALL, {**HALL, "values": {}}):
        refused = platform.post(
            "/v1/workspaces/acme-1/state:plan", of(connections={"hall": values})
        )
        assert acts(refused) == {("connections", "hall", "refused")}
    for settings in ({"allowReferences": True}, {"allowAmbient": True}):
        assert (
            platform.post(
                "/v1/workspaces/acme-2/state:apply", of("acme-2", settings=settings)
            ).status
            == 422
        )
    assert tenant.post("/v1/workspaces/acme-1/state:plan", of()).status == 403
    assert platform.post("/v1/state:plan", of()).status == 403


def test_a_token_states_no_more_than_it_may(stand: Stand) -> None:
    """Neither settings nor roles, nor a secret that the workspace may not refer to, nor a right to
    approve, nor another workspace; a token with rules, or of a lesser scope, states nothing; and
    none ends itself.
    """
    client = stand.client(workspace="acme-1", name="ours")
    refused = client.post(
        "/v1/state:plan",
        of(
            settings={"retentionDays": 30},
            roles={"operator": {"groups": ["all"]}},
            sharedSettings={"policy": {"value": "x"}},
            connections={"hall": {"type": "echo/token", "values": {"token": {"$env": "OTHER"}}}},
            tokens={"judge": {"scope": "approve"}},
            oauthClients={
                "acme": {
                    "values": {
                        "clientId": "c",
                        "clientSecret": {"$env": "OTHER"},
                        "tokenUrl": "https://a.example/token",
                    }
                }
            },
        ),
    )
    assert {act for _, _, act in acts(refused)} == {"refused"}, refused.json
    assert len(refused.json["rows"]) == 6
    assert b"another-secret" not in refused.body
    assert client.post("/v1/state:apply", of(roles={"viewer": {"groups": ["all"]}})).status == 422
    assert client.post("/v1/state:plan", of("default", tokens={})).status == 404
    for other in (
        stand.client(workspace="acme-1", rules=Rules(("echo/*",))),
        stand.client("invoke", "acme-1"),
    ):
        for path, body in (("/v1/state:plan", of()), ("/v1/state:apply", of())):
            assert other.post(path, body).status == 403
        assert other.get("/v1/state").status == 403
    itself = client.post("/v1/state:apply?adopt=true", of(tokens={"ours": {"scope": "read"}}))
    assert itself.status == 422
    assert "cannot revoke itself" in itself.json["detail"]


def test_a_request_is_bounded(stand: Stand) -> None:
    """What is too large, or grows too large by its variables, is refused with the limit; so is what
    is no file of state.
    """
    client = stand.client(workspace="acme-1")
    many = {f"n{number}": {"scope": "read"} for number in range(1001)}
    uses = {f"n{number}": {"name": {"$var": "long"}} for number in range(900)}
    for body, status, text in (
        (of(tokens=many), 422, "1,001 things"),
        ({"variables": {"long": "x" * 50_000}, **of(tokens=uses)}, 400, "expands to more than"),
        ({"variables": {"long": [0] * 50_000}, **of(tokens=uses)}, 400, "expands to more than"),
        (of(tokens={"a": {"scope": "read", "rules": {"allow": ["x" * 2**20]}}}), 413, "larger"),
        ([], 400, "must be an object"),
        ({}, 400, "'workspaces' is missing"),
        ({"workspace": {}}, 400, "did you mean 'workspaces'"),
        (of(token={"a": {}}), 422, "did you mean 'tokens'"),
        (b'{"workspaces": {}, "workspaces": {}}', 400, "twice"),
        (of(tokens={"a": []}), 400, "objects by name"),
        (b'{"label": ' + b"[" * 5000, 400, ""),
        (of(tokens={"a": {"scope": "read", "colour": 1}}), 200, "the member 'colour' is unknown"),
    ):
        answer = client.call("POST", "/v1/state:plan", body, Content_Type="application/json")
        assert (answer.status, text in answer.body.decode()) == (status, True), answer.body[:500]


def test_a_request_that_is_cut_is_done_or_not(stand: Stand) -> None:
    """Whoever gets no answer to an apply asks for a plan: it says what is left, and a token whose
    text is lost is made anew once it is revoked.
    """
    client, file = (
        stand.client(workspace="acme-1"),
        of(tokens={"app": {"scope": "read"}}, connections={"hall": HALL}),
    )
    connection = http.client.HTTPConnection("127.0.0.1", stand.port)
    connection.request(
        "POST", "/v1/state:apply", json.dumps(file), {"Authorization": f"Bearer {client.token}"}
    )
    connection.close()
    body = json.dumps(file)[:-20].encode()
    connection = http.client.HTTPConnection("127.0.0.1", stand.port)
    connection.putrequest("POST", "/v1/state:apply")
    connection.putheader("Authorization", f"Bearer {client.token}")
    connection.putheader("Content-Length", str(len(body) + 20))
    connection.endheaders(body)
    connection.close()
    done = client.post("/v1/state:apply", file)
    rows = acts(done)
    assert rows in (set(), {("tokens", "app", "make"), ("connections", "hall", "make")})
    (token,) = [
        one for one in client.get("/v1/tokens?name=app").json["items"] if one["status"] == "active"
    ]
    assert client.call("DELETE", f"/v1/tokens/{token['id']}").status == 204
    again = client.post("/v1/state:apply", file)
    assert acts(again) == {("tokens", "app", "make")}
    assert again.json["secrets"]["tokens"]["app"]["token"].startswith("jf_")
