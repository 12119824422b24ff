"""``/v1/tokens``: made, used, listed without their text, revoked, and recorded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from http_stand import Client, Stand
from jackfield_store.access import Tokens
from jackfield_store.access.tokens import new_text


def test_l30_a_token_is_made_used_and_revoked(stand: Stand, client: Client) -> None:
    """The text is told once; the token may do what its scope and rules say; revoked it is gone from
    use, and the audit log has both.
    """
    body = {"scope": "invoke", "name": "shop", "rules": {"allow": ["echo/say"]}, "expiresAt": "30d"}
    made = client.post("/v1/tokens", body)
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    assert (
        made.json.items()
        >= {
            "name": "shop",
            "scope": "invoke",
            "status": "active",
            "rules": {"allow": ["echo/say"], "block": []},
        }.items()
    )
    shop = Client(stand.port, made.json["token"])
    assert shop.invoke("say", text="x").status == 200
    assert shop.invoke("post", text="x").status == 403
    assert shop.get("/v1/tokens").status == 403
    listed = client.get("/v1/tokens?limit=200")
    assert made.json["id"] in [item["id"] for item in listed.json["items"]]
    assert made.json["token"] not in listed.body.decode()
    for _ in range(2):
        assert client.call("DELETE", f"/v1/tokens/{made.json['id']}").status == 204
    status = {
        item["id"]: item["status"] for item in client.get("/v1/tokens?limit=200").json["items"]
    }
    assert status[made.json["id"]] == "revoked"
    events = client.get(f"/v1/audit?object=token:{made.json['id']}").json["items"]
    assert [item["event"] for item in events] == ["token.revoked", "token.created"]
    assert {item["actor"]["kind"] for item in events} == {"token"}
    assert made.json["token"] not in str(events)


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "all"},
        {"name": "x"},
        {"scope": 1},
        {"scope": "read", "rules": []},
        {"scope": "read", "rules": {"allow": "x"}},
        {"scope": "read", "rules": {"allow": [1]}},
        {"scope": "read", "rules": {"deny": []}},
        {"scope": "read", "rules": {"allow": ["&"]}},
        {"scope": "read", "expiresAt": "soon"},
        {"scope": "read", "expiresAt": "2001-01-31"},
        {"scope": "read", "name": "x" * 201},
        {"scope": "read", "workspace": "other"},
    ],
)
def test_l30_what_is_no_token_is_400(client: Client, body: object) -> None:
    """Scope, name, rules and expiry are judged; nothing is made."""
    before = len(client.get("/v1/tokens?limit=200").json["items"])
    assert client.post("/v1/tokens", body).status == 400
    assert len(client.get("/v1/tokens?limit=200").json["items"]) == before


def test_l30_no_token_revokes_itself(stand: Stand) -> None:
    """Its caller would hear of nothing any more; one that is not there is 404."""
    free = stand.client("manage", name="free")
    mine = next(
        item["id"]
        for item in free.get("/v1/tokens?limit=200").json["items"]
        if item["name"] == "free"
    )
    assert free.call("DELETE", f"/v1/tokens/{mine}").status == 409
    assert free.call("DELETE", "/v1/tokens/nowhere").status == 404


def test_requests_that_come_together_look_a_token_up_once(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first requests of many connections with one token wait for one look-up. An unknown one
    may be known by then, and is looked up for each.
    """
    asked, go = [], threading.Event()
    authenticate = Tokens.authenticate

    def slowly(database: Any, vault: Any, clock: Any, text: str) -> Any:
        asked.append(text)
        assert go.wait(30)
        return authenticate(database, vault, clock, text)

    client, nobody = stand.client(), Client(stand.port, new_text())
    monkeypatch.setattr(Tokens, "authenticate", slowly)
    with ThreadPoolExecutor(8) as pool:
        found = [
            pool.submit(caller.get, "/v1/queue") for caller in (client, nobody) for _ in range(4)
        ]
        while stand.host.running < len(found):
            threading.Event().wait(0.01)
        go.set()
        assert [item.result(30).status for item in found] == [200] * 4 + [401] * 4
    assert asked.count(str(client.token)) == 1
    assert asked.count(str(nobody.token)) == 4


@pytest.mark.parametrize(
    "rules",
    [{"approve": ["effect:write"]}, {"block": ["echo/say", "effect:write & connection:prod-*"]}],
)
def test_a_token_that_guards_a_part_of_the_changes_is_told_so(
    client: Client, rules: dict[str, Any]
) -> None:
    """The answer has a warning at the pattern; it is made all the same, and the list has none."""
    made = client.post("/v1/tokens", {"scope": "invoke", "name": "part", "rules": rules})
    (name,) = rules
    assert (made.status, made.json["rules"][name]) == (201, rules[name])
    (warning,) = made.json["warnings"]
    assert warning["path"] == f"/rules/{name}/{len(rules[name]) - 1}"
    assert "installed actions that change something" in warning["message"]
    assert "effect:change" in warning["message"]
    assert all("warnings" not in item for item in client.get("/v1/tokens?limit=200").json["items"])
    assert (
        "warnings"
        not in client.post(
            "/v1/tokens", {"scope": "invoke", "name": "all", "rules": {"block": ["effect:change"]}}
        ).json
    )
