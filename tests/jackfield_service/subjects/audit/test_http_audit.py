"""``/v1/audit``: what tokens changed, for tokens that may manage the whole workspace."""

from __future__ import annotations

from http_stand import Client

VALUES = {"token": "s3cret-audited", "greeting": "hello"}


def test_changes_of_a_token_are_listed(client: Client) -> None:
    """Making, testing, changing and deleting a connection is listed newest first with the token's
    id; no secret is in it.
    """
    client.post("/v1/connections", {"name": "audited", "type": "echo/token", "values": VALUES})
    client.post("/v1/connections/audited/test")
    client.post("/v1/connections:test", {"type": "echo/token", "values": VALUES})
    client.call("PUT", "/v1/connections/audited", {"values": {"greeting": "good day"}})
    client.call("DELETE", "/v1/connections/audited")
    answer = client.get("/v1/audit?object=connection:audited")
    assert [item["event"] for item in answer.json["items"]] == [
        "connection.removed",
        "connection.replaced",
        "connection.tested",
        "connection.created",
    ]
    actors = {(item["actor"]["kind"], item["actor"]["id"]) for item in answer.json["items"]}
    assert len(actors) == 1
    kind, identifier = actors.pop()
    assert kind == "token"
    assert "s3cret-audited" not in answer.body.decode()
    mine = client.get(f"/v1/audit?actor=token:{identifier}&event=connection.draft_tested").json[
        "items"
    ]
    assert [item["object"] for item in mine] == ["connections"]
