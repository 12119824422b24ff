"""Actions that need no connection, and connections without a name: the rights of a token bind them
as all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from http_stand import SETTINGS, say, standing
from jackfield import Result
from jackfield.callers import Caller, Rules
from jackfield.connector import Connector
from scripted import Answer, Ask, Key, runtime

RULES = Rules(allow=("sums/*",))


def asked(folder: Path, caller: Caller, **more: Any) -> tuple[Result, int]:
    """The Result of a caller's call, and how often the action ran."""
    connector, ran = Connector("sums", title="Sums", version="1.0.0", connections=[Key]), 0

    @connector.action("count", effect="write", needs_connection=False)
    def count(_ask: Ask) -> Answer:
        """Count."""
        nonlocal ran
        ran += 1
        return Answer(text="1")

    with runtime(
        folder,
        connector,
        connections={"front": {"type": "sums/key", "values": {"token": "s3cret"}}},
    ) as board:
        return board.jackfield.invoke(
            {"connector": "sums", "action": "count", "inputs": {}, **more}, caller=caller
        ), ran


@pytest.mark.parametrize("connection", [{}, {"connection": "front"}], ids=["unnamed", "named"])
@pytest.mark.parametrize("rules", [None, RULES], ids=["free", "ruled"])
@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (Caller("clerk", scope="read"), "the token's scope 'read' does not allow running actions"),
        (Caller("clerk", scope="invoke", ended="was revoked"), "the token was revoked"),
    ],
    ids=["scope", "ended"],
)
def test_a_token_without_the_right_runs_no_action_that_needs_no_connection(
    tmp_path: Path, caller: Caller, words: str, rules: Rules | None, connection: dict[str, Any]
) -> None:
    """A token that may only read, or that has ended since its call was queued, runs nothing,
    whether or not rules bind it.
    """
    ended = Caller(caller.name, scope=caller.scope, rules=rules, ended=caller.ended)
    result, ran = asked(tmp_path, ended, **connection)
    assert result.error is not None
    assert (result.error.code, ran) == ("not_allowed", 0)
    assert words in result.error.message


def test_rules_over_a_connection_do_not_allow_a_call_without_one(tmp_path: Path) -> None:
    """Who may use an action over one connection only names that connection, even if the action
    needs none.
    """
    caller = Caller("clerk", scope="invoke", rules=Rules(allow=("sums/* & connection:front",)))
    refused, ran = asked(tmp_path / "unnamed", caller)
    assert refused.error is not None
    assert (refused.error.code, ran) == ("not_allowed", 0)
    allowed, ran = asked(tmp_path / "named", caller, connection="front")
    assert (allowed.status, ran) == ("succeeded", 1)


def test_an_allowed_call_without_a_connection_runs(tmp_path: Path) -> None:
    """Rules that allow the action let it run without a connection."""
    result, ran = asked(tmp_path, Caller("clerk", scope="invoke", rules=RULES))
    assert (result.status, ran) == ("succeeded", 1)


def test_a_refusal_speaks_of_no_connection_that_the_caller_did_not_give(tmp_path: Path) -> None:
    """A call that names no connection was refused "with an inline connection", and sent readers to
    a mistake that they had not made.
    """
    result, ran = asked(
        tmp_path, Caller("clerk", scope="invoke", rules=Rules(allow=("sums/* & effect:read",)))
    )
    assert result.error is not None
    assert (result.error.message, ran) == (
        "not allowed: the rules of the token forbid sums/count",
        0,
    )


def test_h_a_draft_is_an_inline_connection(tmp_path: Path) -> None:
    """Who may bring no connection along tests no draft either, by the token's rules or the
    workspace's; under a name it is judged by that (second review).
    """
    with standing(tmp_path, SETTINGS) as stand:
        free, barred = stand.client(), stand.client(rules=Rules(block=("connection:@inline",)))
        assert (
            free.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
        draft = {"type": "echo/token", "values": {"token": "t-4711"}}
        for client, body, status in (
            (free, draft, 200),
            (barred, draft, 403),
            (barred, {**draft, "name": "new"}, 200),
            (stand.client(rules=Rules(block=("connection:new",))), {**draft, "name": "new"}, 403),
        ):
            answer = client.post("/v1/connections:test", body)
            assert (answer.status, "not_allowed" in answer.body.decode()) == (status, status == 403)
        stand.host.runtime("default").access.workspaces.set(
            "default", {"rules": {"block": ["connection:@inline"]}}
        )
        assert free.post("/v1/connections:test", draft).status == 403


def test_each_call_over_inline_values_is_judged(tmp_path: Path) -> None:
    """What has served a call over inline values serves another caller, or other rules, as little as
    one over a connection with a name; and wrong values are refused and recorded as of a first call.
    """
    with standing(tmp_path, SETTINGS) as stand:
        free, barred = stand.client(), stand.client(rules=Rules(block=("connection:@inline",)))
        wrong = {
            **say("say", text="hi"),
            "connection": {"type": "token", "values": {"token": 4711}},
        }
        refused = [
            free.post("/v1/invocations", body).json
            for body in (wrong, say("say", text="hi"), say("say", text="hi"), wrong)
        ]
        assert [found["status"] for found in refused] == [
            "failed",
            "succeeded",
            "succeeded",
            "failed",
        ]
        entries = [
            free.get(f"/v1/invocations/{found['meta']['invocationId']}").json
            for found in (refused[0], refused[3])
        ]
        assert {
            (entry["error"]["code"], entry["effect"], entry["connectorVersion"])
            for entry in entries
        } == {("invalid_connection", "read", entries[0]["connectorVersion"])}
        assert barred.post("/v1/invocations", say("say", text="hi")).status == 403
        assert free.post("/v1/invocations", say("say", text="hi")).status == 200
        stand.host.runtime("default").access.workspaces.set(
            "default", {"rules": {"block": ["connection:@inline"]}}
        )
        assert free.post("/v1/invocations", say("say", text="hi")).status == 403
