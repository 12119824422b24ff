"""Functions with an effect as an action, on every surface of a server whose program declares
them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import placed, token

from http_stand import SETTINGS, Stand, say, standing
from jackfield import InvocationWaiting, once
from jackfield.callers import Rules
from jackfield_store.access import Workspaces
from mcp_talk import called, remote, tool_names

Charge = Callable[..., str]


@dataclass
class Order:
    """An order of the program."""

    id: str
    note: str = ""


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server whose program declares a function, and that works its queue."""
    with standing(tmp_path, replace(SETTINGS, mcp_tools="all")) as found:
        yield found


@pytest.fixture
def effects() -> list[tuple[Any, ...]]:
    """What took effect."""
    return []


@pytest.fixture
def charge(stand: Stand, effects: list[tuple[Any, ...]]) -> Charge:
    """The function."""

    @once("charge", effect="write", key=lambda order: order, runtime=stand.host.runtime("default"))
    def charge(order: str, amount: int = 5) -> str:
        """Charge a card."""
        effects.append((order, amount))
        return f"ch_{order}"

    return charge


def asked(order: object, **more: Any) -> dict[str, Any]:
    """A call of it."""
    return {"connector": "host", "action": "charge", "inputs": {"order": order, **more}}


def test_it_is_called_over_http(
    stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]
) -> None:
    """It is described, its inputs are judged, and what was done before is replayed, whoever
    called.
    """
    client = stand.client("invoke")
    shown = client.get("/v1/connectors/host/actions/charge").json
    assert (shown["title"], shown["effect"], shown["inputs"]["required"]) == (
        "Charge a card.",
        "write",
        ["order"],
    )
    assert charge("a") == "ch_a"
    replies = [client.post("/v1/invocations", asked(order)) for order in ("a", "b", "b")]
    assert [
        (reply.status, reply.json["output"], reply.json["meta"]["replayed"]) for reply in replies
    ] == [
        (200, {"value": "ch_a"}, True),
        (200, {"value": "ch_b"}, False),
        (200, {"value": "ch_b"}, True),
    ]
    assert (
        client.post("/v1/invocations", asked("b", amount=6)).json["error"]["code"]
        == "idempotency_conflict"
    )
    assert client.post("/v1/invocations", asked(7)).json["error"]["details"][0]["path"] == "/order"
    assert effects == [("a", 5), ("b", 5)]


def test_nobody_takes_its_key_beforehand(
    stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]
) -> None:
    """A caller who may not call it, and who gives that key to another call, keeps nothing from
    running: keys that jackfield makes have a space of their own. Called in the program or over
    HTTP, it runs once for each.
    """
    narrow = stand.client("invoke", rules=Rules(allow=("echo/*",)))
    for order in ("a", "b"):
        taken = narrow.post(
            "/v1/invocations", {**say("say", text="x"), "idempotencyKey": f"host/charge/{order}"}
        )
        assert taken.json["status"] == "succeeded"
    client = stand.client("invoke")
    assert charge("a") == charge("a") == "ch_a"
    replies = [client.post("/v1/invocations", asked("b")) for _ in range(2)]
    assert [reply.json["meta"]["replayed"] for reply in replies] == [False, True]
    assert effects == [("a", 5), ("b", 5)]


def test_its_guide_has_a_call_that_can_be_made(stand: Stand) -> None:
    """With the members that its types require."""

    @once("ship", effect="write", key=lambda order: order.id, runtime=stand.host.runtime("default"))
    def ship(order: Order) -> str:
        return order.id

    client = stand.client("invoke")
    shown = called(
        remote(stand.port, client.token), "get_action_guide", connector="host", action="ship"
    ).content[0]
    guide: str = getattr(shown, "text", "")
    call = json.loads(guide.partition("```json")[2].partition("```")[0].replace("…", "a"))
    assert call["inputs"]["order"].keys() == {"id"}
    assert client.post("/v1/invocations", call).json["status"] == "succeeded"
    del ship


def test_it_is_queued_and_batched(
    stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]
) -> None:
    """A worker runs it; a direct call has its value. Equal ones of a batch are one."""
    client, runtime = stand.client("invoke"), stand.host.runtime("default")
    queued = client.post("/v1/invocations", asked("a"), Prefer="respond-async")
    assert queued.status == 202
    assert runtime.wait(queued.json["invocationId"], 60.0).output == {"value": "ch_a"}
    assert charge("a") == "ch_a"
    first, second = client.post("/v1/invocations:batch", [asked("b"), asked("b")]).json
    assert first["invocationId"] == second["invocationId"]
    assert runtime.wait(first["invocationId"], 60.0).status == "succeeded"
    assert effects == [("a", 5), ("b", 5)]


def test_a_person_approves_it(stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]) -> None:
    """A call over HTTP and a direct one wait for the same approval; then a worker makes it, and
    both have its value.
    """
    host = stand.host
    Workspaces(host.storage.database, host.storage.vault, host.clock).set(
        "default", {"rules": {"approve": ["host/charge"]}}
    )
    client, approver = stand.client("invoke"), stand.client("approve")
    waiting = client.post("/v1/invocations", asked("a"))
    assert (waiting.status, waiting.json["status"]) == (202, "waiting")
    identifier = waiting.json["meta"]["invocationId"]
    assert approver.get(f"/v1/approvals/{identifier}").json["inputs"] == {"order": "a", "amount": 5}
    with pytest.raises(InvocationWaiting) as raised:
        charge("a")
    assert raised.value.result.meta.invocation_id == identifier
    assert effects == []
    assert approver.post(f"/v1/approvals/{identifier}:approve", {}).status == 200
    assert host.runtime("default").wait(identifier, 60.0).status == "succeeded"
    assert charge("a") == "ch_a"
    assert effects == [("a", 5)]


def test_rules_bind_its_callers(stand: Stand, charge: Charge) -> None:
    """Who may not call it does not see it."""
    del charge
    reader = stand.client("invoke", rules=Rules(allow=("echo/*",)))
    assert reader.post("/v1/invocations", asked("a")).status == 403
    assert [row["key"] for row in reader.get("/v1/connectors").json["items"]] == ["echo"]
    assert "host" in [
        row["key"] for row in stand.client("invoke").get("/v1/connectors").json["items"]
    ]


def test_each_workspace_has_calls_of_its_own(
    stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]
) -> None:
    """A key is one of a workspace; no other sees the call."""
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).create(
        "acme"
    )
    client = stand.client("invoke", "acme")
    assert charge("a") == "ch_a"
    found = client.post("/v1/invocations", asked("a")).json
    assert (found["output"], found["meta"]["replayed"]) == ({"value": "ch_a"}, False)
    assert [row["action"] for row in client.get("/v1/invocations").json["items"]] == ["charge"]
    assert effects == [("a", 5), ("a", 5)]


def test_a_limit_of_the_workspace_counts_it(stand: Stand, effects: list[tuple[Any, ...]]) -> None:
    """A call beside one that runs is refused, a direct one, too."""
    host = stand.host
    Workspaces(host.storage.database, host.storage.vault, host.clock).set(
        "default", {"limits": {"concurrent": 1}}
    )
    entered, leave = threading.Event(), threading.Event()

    @once("slow", effect="idempotent", runtime=host.runtime("default"))
    def slow(order: str) -> None:
        effects.append((order,))
        entered.set()
        assert leave.wait(60.0)

    thread = threading.Thread(target=slow, args=("a",))
    thread.start()
    try:
        assert entered.wait(60.0)
        refused = stand.client("invoke").post(
            "/v1/invocations", {"connector": "host", "action": "slow", "inputs": {"order": "b"}}
        )
    finally:
        leave.set()
        thread.join(60.0)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert effects == [("a",)]


def test_it_is_a_tool_of_mcp(stand: Stand, charge: Charge, effects: list[tuple[Any, ...]]) -> None:
    """Named as other actions are, found by words, and run once."""
    server = remote(stand.port, stand.client("invoke").token)
    assert "host_charge" in tool_names(server)
    found = called(server, "search_actions", query="charge card")
    assert found.structured_content["items"][0]["action"] == "charge"
    for tool, given in (("host_charge", {"order": "a"}), ("execute_action", asked("a"))):
        assert called(server, tool, **given).structured_content["output"] == {"value": "ch_a"}
    assert charge("a") == "ch_a"
    assert effects == [("a", 5)]


def test_a_server_without_it_says_so(stand: Stand) -> None:
    """By its name, and what to do."""
    refused = stand.client("invoke").post("/v1/invocations", asked("a"))
    error = refused.json["error"]
    assert (refused.status, error["code"]) == (404, "unknown_connector")
    assert "this process declares no function with an effect" in error["message"]
    assert "--import MODULE" in error["hint"]


def test_the_console_has_a_form_for_it(tmp_path: Path) -> None:
    """Its page shows the inputs; the form runs it, and its call is in lists."""

    @once("charge", effect="write", key=lambda order: order)
    def charge(order: str, amount: int = 5) -> str:
        """Charge a card."""
        return f"ch_{order} {amount}"

    with placed(tmp_path) as place:
        client = place.signed_in(token(place, "manage"))
        assert "Functions of this program" in client.get("/connectors").words
        page = client.get("/connectors/host/actions/charge")
        assert "Charge a card. write Functions of this program" in page.words
        fields = {"csrf": page.csrf, "invocation": '{"inputs": {"order": "a"}}', "mode": "run"}
        assert (
            "ch_a 5"
            in client.post("/connectors/host/actions/charge/run", fields, hx_request="true").words
        )
        assert "Charge a card. host succeeded" in client.get("/invocations").words
        (entry,), _ = place.host.runtime("default").journal_of().entries()
        assert "/connectors/host" in client.get(f"/invocations/{entry.id}").text
