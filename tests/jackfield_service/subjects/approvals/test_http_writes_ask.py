"""A workspace whose writes wait for a person unless a rule names them: on every surface, whoever
calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import placed

from http_stand import Client, Stand, say, standing
from jackfield.callers import Rules
from jackfield.cli.main import main
from jackfield_store.access import Workspaces
from mcp_talk import MODES, called, remote


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server whose workspace asks before each write."""
    with standing(tmp_path_factory.mktemp("asking")) as found:
        changed(found, writes="ask")
        assert (
            found.client()
            .post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            )
            .status
            == 201
        )
        yield found


def changed(stand: Stand, name: str = "default", **changes: Any) -> None:
    """Change a workspace."""
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).set(
        name, changes
    )


def asked(client: Client, action: str, **prefer: str) -> tuple[int, str]:
    """How a call is answered."""
    found = client.post("/v1/invocations", say(action, "hall", text="x"), **prefer)
    return found.status, found.json["status"]


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}], ids=["direct", "queued"])
def test_a_write_waits_and_nothing_else_does(stand: Stand, prefer: dict[str, str]) -> None:
    """A read is made at once; a dry run sends nothing and waits for nobody."""
    caller = stand.client("invoke")
    assert asked(caller, "post", **prefer) == (202, "waiting")
    assert asked(caller, "say")[0] == 200
    assert (
        caller.post("/v1/invocations", {**say("post", "hall", text="x"), "dryRun": True}).status
        == 200
    )


def test_it_waits_over_mcp_and_in_a_schedule(stand: Stand) -> None:
    """The rule is the workspace's, not a surface's."""
    server = remote(stand.port, stand.client("invoke").token)
    assert (
        called(
            server, "execute_action", MODES[0], **say("post", "hall", text="mcp")
        ).structured_content["status"]
        == "waiting"
    )
    manager = stand.client()
    made = manager.post(
        "/v1/schedules",
        {"name": "hourly", "every": "1h", "invocation": say("post", "hall", text="due")},
    )
    assert made.status == 201, made.body
    assert manager.post("/v1/schedules/hourly:run", {}).json["status"] == "waiting"


@pytest.mark.parametrize(
    ("allow", "waits"),
    [
        (["echo/post"], False),
        (["*", "echo/post & connection:hall"], False),
        (["echo/*"], True),
        (["*", "echo/post & connection:other"], True),
        (["*", "effect:write"], True),
        (["*", "echo/po*"], True),
    ],
)
def test_a_write_that_a_rule_names_is_made(stand: Stand, allow: list[str], *, waits: bool) -> None:
    """A wildcard names nothing."""
    changed(stand, rules={"allow": allow})
    try:
        assert asked(stand.client("invoke"), "post")[0] == (202 if waits else 200)
    finally:
        changed(stand, rules={"allow": []})


def test_a_token_names_nothing(stand: Stand) -> None:
    """An agent's token has the actions that it may call: that does not let it call them unasked."""
    assert asked(stand.client("invoke", rules=Rules(("echo/post",))), "post") == (202, "waiting")


def test_a_platform_cannot_turn_it_off(stand: Stand) -> None:
    """Neither by the setting, nor by naming an action, nor by making the workspace anew."""
    platform = stand.platform()
    assert platform.call("PATCH", "/v1/workspaces/acme-1", {"writes": "ask"}).status == 200
    for changes in ({"writes": "allow"}, {"writes": None}, {"rules": {"allow": ["echo/post"]}}):
        assert platform.call("PATCH", "/v1/workspaces/acme-1", changes).status == 403, changes
    assert (
        platform.call("PATCH", "/v1/workspaces/acme-1", {"rules": {"allow": ["echo/*"]}}).status
        == 200
    )
    assert platform.call("DELETE", "/v1/workspaces/acme-1").status == 200
    assert platform.call("DELETE", "/v1/workspaces/acme-1?purge=true").status == 200
    again = platform.call("PUT", "/v1/workspaces/acme-1", {})
    assert again.json["rules"]["approve"] == ["effect:change"]


def test_the_command_sets_it_and_the_form_of_a_new_workspace_begins_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and HTTP leave it as it was: writes are made."""
    with placed(tmp_path, queue_workers=0) as place:
        operator = place.signed_in()
        assert re.search(r'<input [^>]*name="writes"[^>]* checked', operator.get("/tenants").text)
        assert operator.change("/tenants", "/tenants", name="asks", writes="on").status == 303
        assert operator.change("/tenants", "/tenants", name="makes").status == 303
        storage = place.host.storage
        found = {
            one.name: one.settings.writes
            for one in Workspaces(storage.database, storage.vault, place.host.clock).list()
        }
        assert (found["asks"], found["makes"]) == ("ask", None)
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("JACKFIELD_DATABASE_URL", raising=False)
    assert main(["workspaces", "create", "one", "--writes", "ask"]) == 0
    assert main(["workspaces", "create", "two"]) == 0
    said = capsys.readouterr().out
    assert said.count('"writes"') == 1
