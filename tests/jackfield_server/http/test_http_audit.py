"""``/v1/audit``: what tokens changed, for tokens that may manage the whole workspace."""

from __future__ import annotations

from http_stand import Client, Stand
from jackfield.callers import Rules

VALUES = {"token": "s3cret-audited", "greeting": "hello"}


def test_changes_of_a_token_are_listed(client: Client) -> None:
    """Making, testing, changing and deleting a connection is listed newest first with the token's id; no secret is in it."""
    client.post("/v1/connections", {"name": "audited", "type": "echo/token", "values": VALUES})
    client.post("/v1/connections/audited/test")
    client.post("/v1/connections:test", {"type": "echo/token", "values": VALUES})
    client.call("PUT", "/v1/connections/audited", {"values": {"greeting": "good day"}})
    client.call("DELETE", "/v1/connections/audited")
    answer = client.get("/v1/audit?object=connection:audited")
    assert [item["event"] for item in answer.json["items"]] == [
        "connection.removed", "connection.replaced", "connection.tested", "connection.created",
    ]  # fmt: skip
    actors = {(item["actor"]["kind"], item["actor"]["id"]) for item in answer.json["items"]}
    assert len(actors) == 1
    kind, identifier = actors.pop()
    assert kind == "token"
    assert "s3cret-audited" not in answer.body.decode()
    mine = client.get(f"/v1/audit?actor=token:{identifier}&event=connection.draft_tested").json["items"]
    assert [item["object"] for item in mine] == ["connections"]


def test_pages(client: Client) -> None:
    """A list goes on at its cursor."""
    for number in range(3):
        client.post("/v1/connections", {"name": f"page{number}", "type": "echo/token", "values": VALUES})
    first = client.get("/v1/audit?limit=2").json
    second = client.get(f"/v1/audit?limit=2&cursor={first['nextCursor']}").json
    sequences = [item["sequence"] for item in (*first["items"], *second["items"])]
    assert sequences == sorted(sequences, reverse=True)
    assert len(set(sequences)) == 4
    assert client.get("/v1/audit?cursor=x").status == 400


def test_who_may_read_it(stand: Stand) -> None:
    """The scope `manage` without rules is needed; another workspace has a log of its own."""
    assert stand.client("invoke").get("/v1/audit").status == 403
    assert stand.client("manage", rules=Rules((), ("effect:write",))).get("/v1/audit").status == 403
    assert stand.client("manage").get("/v1/audit").status == 200
