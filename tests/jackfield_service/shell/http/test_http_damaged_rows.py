"""Rows that somebody has changed in the database: lists show the others, and what cannot be read
allows nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.invocations.test_http_invocations import is_settled, until

from http_stand import SETTINGS, Stand, say, standing
from jackfield.callers import Rules

DEEP = '{"a":' * 3000 + "1" + "}" * 3000
TIMES = ("created_at", "started_at", "settled_at", "not_after", "corrected_at", "available_at")


def change(stand: Stand, statement: str, **values: Any) -> None:
    """Change rows behind the server's back."""
    with stand.host.storage.database.write() as transaction:
        assert transaction.change(statement, values)


def test_a_damaged_invocation_hides_no_other(tmp_path: Path) -> None:
    """Times that are none and columns of another shape are left out of their entry, which has a
    ``problem``; the list stays.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        results = [client.invoke("say", text=text).json for text in "ab"]
        first, second = (result["meta"]["invocationId"] for result in results)
        damages: list[tuple[str, Any]] = [(column, 1e308) for column in TIMES]
        damages += [
            ("context", "null"),
            ("context", '"str"'),
            ("context", DEEP),
            ("attempt_log", '"str"'),
            ("deliveries", '"str"'),
        ]
        for column, value in damages:
            where = "WHERE workspace = 'default' AND id = :id"
            with stand.host.storage.database.read() as transaction:
                before = transaction.execute(
                    f"SELECT {column} AS was FROM invocations {where}", {"id": first}
                )[0].was
            change(
                stand, f"UPDATE invocations SET {column} = :value {where}", id=first, value=value
            )
            listed = client.get("/v1/invocations")
            assert listed.status == 200, (column, value, listed.json)
            found = {item["invocationId"]: item for item in listed.json["items"]}
            assert found.keys() == {first, second}
            assert "problem" in found[first], (column, value)
            assert found[first]["status"] == "succeeded"
            assert "problem" not in found[second]
            assert client.get("/v1/invocations?limit=1").json["nextCursor"] is not None
            shown = client.get(f"/v1/invocations/{first}").json
            assert (shown["output"], shown["problem"]) == (
                results[0]["output"],
                found[first]["problem"],
            )
            change(
                stand, f"UPDATE invocations SET {column} = :value {where}", id=first, value=before
            )
        assert "problem" not in client.get(f"/v1/invocations/{first}").json


CHANGED = (
    "caller = (SELECT caller FROM invocations WHERE id = :own)",
    "caller = NULL",
    "connection = 'hall'",
    "action = 'show'",
    "connector = 'http'",
    "fingerprint = (SELECT fingerprint FROM invocations WHERE id = :own)",
    "idempotency_key = 'taken'",
)


@pytest.mark.parametrize(
    ("assignment", "queued"),
    [
        *[pytest.param(each, False, id=f"{each}-now") for each in CHANGED],
        pytest.param(CHANGED[0], True, id="from the queue"),
        *[
            pytest.param(each, True, marks=pytest.mark.campaign, id=f"{each}-from the queue")
            for each in CHANGED[1:]
        ],
    ],
)
def test_nobody_gets_the_result_of_another_by_the_columns_beside_it(
    tmp_path: Path, assignment: str, queued: bool
) -> None:
    """Whoever could write to the database, and had a token with rules, made another's entry its own
    and read the output, or put the fingerprint of its own request beside it and had it replayed.
    Such an entry has no Result now, and its key answers nothing.
    """
    with standing(tmp_path, replace(SETTINGS, queue_workers=1)) as stand:
        client, clerk = stand.client(), stand.client(rules=Rules(("echo/say",)), name="clerk")
        clerk.invoke("say", text="mine")
        stored = client.post(
            "/v1/connections",
            {"name": "desk", "type": "echo/token", "values": {"token": "s3cret-token"}},
        )
        assert stored.status == 201
        sent = {**say("say", "desk", text="theirs"), "idempotencyKey": "theirs"}
        if queued:
            theirs = client.post("/v1/invocations", sent, Prefer="respond-async").json[
                "invocationId"
            ]
            until(client, theirs, is_settled)
        else:
            theirs = client.post("/v1/invocations", sent).json["meta"]["invocationId"]
        assert client.post("/v1/invocations", sent).json["meta"]["replayed"]
        asked = {**say("say", "desk", text="mine"), "idempotencyKey": "mine"}
        own = clerk.post("/v1/invocations", asked).json["meta"]["invocationId"]
        change(stand, "UPDATE invocations SET key_held = 0 WHERE id = :own", own=own)
        change(
            stand, f"UPDATE invocations SET {assignment} WHERE id = :theirs", theirs=theirs, own=own
        )
        for reader in (client, clerk):
            listed = {
                item["invocationId"]: item for item in reader.get("/v1/invocations").json["items"]
            }
            assert "theirs" not in json.dumps(listed.get(theirs, {}).get("output"))
            assert reader.get(f"/v1/invocations/{theirs}").json.get("output") is None
        for key in ("theirs", "taken"):
            answer = clerk.post("/v1/invocations", {**asked, "idempotencyKey": key}).json
            assert "theirs" not in json.dumps(answer.get("output"))
        shown = client.get("/v1/invocations").json["items"]
        assert [item["invocationId"] for item in shown if "problem" in item] == [theirs]
        assert client.get(f"/v1/invocations/{own}").json["output"] is not None


def test_a_damaged_token_hides_no_other_and_opens_nothing(tmp_path: Path) -> None:
    """A token with unreadable rules or times is listed with a ``problem``; who comes with it is
    answered 503 with its id.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        damages: list[tuple[str, Any]] = [
            ("rules", text)
            for text in (
                "[[",
                "null",
                "[]",
                '"x"',
                '{"allow": 7}',
                '{"allow": "abc"}',
                '{"block": [7]}',
                DEEP,
            )
        ]
        damages += [
            (column, 1e308) for column in ("created_at", "expires_at", "revoked_at", "last_used_at")
        ]
        for column, value in damages:
            other = stand.client("manage")
            identifier = client.get("/v1/tokens").json["items"][0]["id"]
            change(
                stand,
                f"UPDATE tokens SET {column} = :value WHERE id = :id",
                id=identifier,
                value=value,
            )
            listed = client.get("/v1/tokens")
            assert listed.status == 200, (column, value, listed.json)
            items = {item["id"]: item for item in listed.json["items"]}
            assert "problem" in items[identifier], (column, value)
            assert [item["id"] for item in listed.json["items"] if "problem" in item] == [
                identifier
            ]
            if column == "rules":
                refused = other.get("/v1/tokens")
                assert (refused.status, refused.json["code"]) == (503, "unavailable"), (
                    value,
                    refused.json,
                )
                assert identifier in refused.json["detail"]
            assert client.call("DELETE", f"/v1/tokens/{identifier}").status == 204, (column, value)
            change(stand, "DELETE FROM tokens WHERE id = :id", id=identifier)


@pytest.mark.parametrize("column", ["public_values", "last_test"])
def test_a_damaged_connection_hides_no_other(tmp_path: Path, column: str) -> None:
    """Values and tests nested 3,000 deep are shown as damaged, beside the others."""
    with standing(tmp_path) as stand:
        client = stand.client()
        for name in ("bad", "good"):
            body = {"name": name, "type": "echo/token", "values": {"token": "secret-4711"}}
            assert client.post("/v1/connections?test=false", body).status == 201
        deep = (
            '{"origin": "remote", "sealed": [], "values": %s}'
            if column == "public_values"
            else '{"steps": [], "at": %s}'
        )
        for depth in (3000, 200):
            nested = '{"a":' * depth + "1" + "}" * depth
            change(
                stand,
                f"UPDATE connections SET {column} = :text WHERE name = 'bad'",
                text=deep % nested,
            )
            listed = client.get("/v1/connections")
            assert listed.status == 200, listed.json
            assert [(item["name"], "problem" in item) for item in listed.json["items"]] == [
                ("bad", True),
                ("good", False),
            ]
            assert client.get("/v1/connections/bad").json["problem"]
        assert client.post("/v1/invocations", say("say", "good", text="hello")).status == 200


@pytest.mark.parametrize("time", [-1e308, -62_198_755_200.0, 316_516_032_000.0])
def test_a_damaged_subscription_hides_no_other(tmp_path: Path, time: float) -> None:
    """A subscription with a time that is none is listed and shown with a ``problem``, beside the
    others.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        for name in ("bad", "good"):
            made = client.post(
                "/v1/subscriptions", {"name": name, "trigger": "http/webhook", "inputs": {}}
            )
            assert made.status == 201, made.json
        for column in ("created_at", "changed_at", "renew_at", "last_success_at", "last_event_at"):
            change(
                stand, f"UPDATE subscriptions SET {column} = :time WHERE name = 'bad'", time=time
            )
            listed = client.get("/v1/subscriptions")
            assert listed.status == 200, (column, listed.json)
            assert {item["name"]: "problem" in item for item in listed.json["items"]} == {
                "bad": True,
                "good": False,
            }
            assert client.get("/v1/subscriptions/bad").json["problem"]
            change(stand, f"UPDATE subscriptions SET {column} = 1.0 WHERE name = 'bad'")
            assert "problem" not in client.get("/v1/subscriptions/bad").json


def test_unreadable_settings_allow_nothing(tmp_path: Path) -> None:
    """Calls and changes of a workspace whose settings cannot be read are refused as ``unavailable``
    with its name.
    """
    with standing(tmp_path) as stand:
        client = stand.client()
        body = {"name": "hall", "type": "echo/token", "values": {"token": {"$env": "HOME"}}}
        for number, settings in enumerate(
            ["[[", "null", "[]", '"x"', '{"rules": 7}', '{"rules": {"allow": 7}}', DEEP]
        ):
            if number:
                change(stand, "DELETE FROM workspaces WHERE name = 'default'")
            change(
                stand,
                "INSERT INTO workspaces (name, created_at, settings) VALUES ('default', 0, :text)",
                text=settings,
            )
            refused = client.post("/v1/invocations", say("say", text="hello"))
            assert (refused.status, refused.json["error"]["code"]) == (503, "unavailable"), (
                settings[:60],
                refused.json,
            )
            assert "'default'" in refused.json["error"]["message"]
            refused = client.post("/v1/connections", body)
            assert (refused.status, refused.json["code"]) == (503, "unavailable"), (
                settings[:60],
                refused.json,
            )
            assert "'default'" in refused.json["detail"]
            assert client.get("/v1/connections").status == 503
