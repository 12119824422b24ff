"""Calls that go on as tasks of the protocol, in both of its shapes: made, looked at, ended,
cancelled, listed; and whose they are.
"""

from __future__ import annotations

import asyncio
import random
import signal
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client as SdkClient
from tests.jackfield_store.jobs.job_stage import Folder, furnace

from http_stand import Client, Stand, process, standing
from jackfield.callers import Rules
from jackfield_store.access import Workspaces
from mcp_talk import local, remote
from mcp_tasks import MODERN, Tasks, executed, legacy, looked, modern
from waiting import until

_MELT = {"connector": "furnace", "action": "melt", "inputs": {}, "timeoutSeconds": 30}
_DONE, _MELTING = {"weight": 7}, {"fraction": 0.25, "text": "melting", "retry_after": 0.05}
_UNKNOWN = {
    "code": -32602,
    "message": "Unknown task: it does not exist, has expired, or is not yours",
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """The provider of jobs, with its connector installed."""
    with furnace(tmp_path_factory.mktemp("furnace")) as found:
        yield found


@pytest.fixture(scope="module")
def stand(provider: Folder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server that serves its queue."""
    with standing(tmp_path_factory.mktemp("tasks"), FURNACE=str(provider.folder)) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).create(
            "acme"
        )
        yield found


@pytest.fixture
def client(stand: Stand, provider: Folder) -> Client:
    """A caller whose jobs go on until it is said how they end."""
    provider.answers(_MELTING)
    return stand.client("invoke")


def ended(client: Client, task_id: str) -> Any:
    """The task once it has ended."""
    return until(
        lambda: found if (found := looked(client, task_id))["status"] != "working" else None
    )


def test_a_job_becomes_a_task(client: Client, provider: Folder) -> None:
    """The answer comes once the call is on disk; the task has the job's words, and its result at
    the end.
    """
    made = executed(client, _MELT)
    assert (made["resultType"], made["status"], made["ttlMs"], made["pollIntervalMs"]) == (
        "task",
        "working",
        86_400_000,
        1000,
    )
    assert not made.keys() & {"result", "error", "requestState", "task", "ttl", "pollInterval"}
    until(lambda: looked(client, made["taskId"]).get("statusMessage") == "melting")
    provider.answers(_DONE)
    found = ended(client, made["taskId"])
    assert (found["status"], found["resultType"], found["taskId"]) == (
        "completed",
        "complete",
        made["taskId"],
    )
    assert found["result"]["structuredContent"]["output"] == _DONE
    assert (found["result"]["isError"], "_meta" in found["result"]) == (False, False)


def test_the_sdks_client_gets_its_result(client: Client, provider: Folder) -> None:
    """Over HTTP: with an extension that looks at the task, the call returns what it would have
    returned.
    """
    provider.answers(_MELTING, _DONE)
    seen: list[str] = []

    async def talk() -> Any:
        async with SdkClient(
            remote(client.port, client.token)(), mode=MODERN, extensions=[Tasks(seen)]
        ) as found:
            return await found.call_tool("execute_action", dict(_MELT))

    result = asyncio.run(talk())
    assert result.structured_content["output"] == _DONE
    assert (seen[1], seen[-1]) == ("working", "completed")


def test_over_stdio_the_process_runs_it(tmp_path: Path, provider: Folder) -> None:
    """``jackfield mcp`` serves no queue, but what its own client has made."""
    provider.answers(_MELTING, _DONE)
    seen: list[str] = []
    server = local(
        tmp_path, paths=(str(provider.folder.parent / "plugs"),), FURNACE=str(provider.folder)
    )

    async def talk() -> Any:
        async with SdkClient(server(), mode=MODERN, extensions=[Tasks(seen)]) as found:
            return await found.call_tool("execute_action", dict(_MELT))

    result = asyncio.run(talk())
    assert result.structured_content["output"] == _DONE
    assert (seen[1], seen[-1]) == ("working", "completed")


def test_a_client_without_tasks_waits_as_before(client: Client, provider: Folder) -> None:
    """Nor can it look at one."""
    provider.answers(_DONE)
    found = executed(client, _MELT, {})
    assert found["structuredContent"]["output"] == _DONE
    refused = modern(client, "tasks/get", {}, taskId="x" * 64)
    assert (refused.status, refused.json["error"]["code"]) == (400, -32021)
    assert refused.json["error"]["data"] == {
        "requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }


@pytest.mark.parametrize(
    ("action", "answer", "status", "error"),
    [
        ("melt", {"failed": "it cracked"}, "completed", True),
        ("look", {"weight": 3}, "completed", False),
    ],
)
def test_a_failure_is_a_result(
    client: Client, provider: Folder, action: str, answer: dict[str, Any], status: str, error: bool
) -> None:
    """``failed`` is for errors of ours; what the provider refuses has a Result."""
    provider.answers(answer)
    found = ended(client, executed(client, {**_MELT, "action": action})["taskId"])
    assert (found["status"], found["result"]["isError"]) == (status, error)


def test_what_is_refused_at_once_is_no_task(client: Client) -> None:
    """An invalid input, an unknown action."""
    found = executed(client, {**_MELT, "inputs": {"metal": 7}})
    assert (found["resultType"], found["isError"], found["structuredContent"]["error"]["code"]) == (
        "complete",
        True,
        "invalid_input",
    )


def test_a_job_is_cancelled(client: Client, provider: Folder) -> None:
    """The provider is told; the acknowledgement is empty, also a second time."""
    task_id = executed(client, _MELT)["taskId"]
    until(lambda: looked(client, task_id).get("statusMessage") == "melting")
    for _ in range(2):
        assert modern(client, "tasks/cancel", taskId=task_id).json["result"].keys() == {
            "resultType",
            "_meta",
        }
    provider.answers({"failed": "stopped"})
    assert ended(client, task_id)["status"] == "cancelled"
    assert provider.reached("cancel")


def test_what_waits_for_a_person_is_a_task(stand: Stand, provider: Folder) -> None:
    """It says until when; a person approves, and it goes on under the same id. Cancelled before
    that, nothing is sent.
    """
    provider.answers(_DONE)
    caller, boss = (
        stand.client("invoke", rules=Rules(approve=("effect:write",))),
        stand.client("manage approve"),
    )
    begun = len(provider.reached("start"))
    made = executed(caller, _MELT)
    assert (made["resultType"], made["status"], made["pollIntervalMs"]) == ("task", "working", 5000)
    assert made["statusMessage"].startswith("A person has to approve it first")
    (waiting,) = boss.get("/v1/approvals?status=waiting").json["items"]
    # a client that lost the answer gets the same one
    assert executed(caller, _MELT)["taskId"] == made["taskId"]
    assert boss.post(f"/v1/approvals/{waiting['id']}:approve", {}).status == 200
    assert ended(caller, made["taskId"])["result"]["structuredContent"]["output"] == _DONE
    other = executed(caller, {**_MELT, "inputs": {"metal": "lead"}})
    modern(caller, "tasks/cancel", taskId=other["taskId"])
    assert looked(caller, other["taskId"])["status"] == "cancelled"
    assert len(provider.reached("start")) == begun + 1


def test_nothing_is_made_twice(client: Client, provider: Folder) -> None:
    """A repeated call with its key is the same task while that goes on, and its Result
    afterwards.
    """
    begun, call = len(provider.reached("start")), {**_MELT, "idempotencyKey": "melt-once"}
    first = executed(client, call)
    assert executed(client, call)["taskId"] == first["taskId"]
    provider.answers(_DONE)
    ended(client, first["taskId"])
    again = executed(client, call)
    assert (again["resultType"], again["structuredContent"]["output"]) == ("complete", _DONE)
    assert len(provider.reached("start")) == begun + 1


def test_a_repeated_call_without_a_key_starts_once(client: Client, provider: Folder) -> None:
    """The second task ends as the first: the job is a write, and its twin runs."""
    begun, call = len(provider.reached("start")), {**_MELT, "inputs": {"metal": "zinc"}}
    first = executed(client, call)
    until(lambda: looked(client, first["taskId"]).get("statusMessage") == "melting")
    second = executed(client, call)
    provider.answers(_DONE)
    assert (
        ended(client, first["taskId"])["status"]
        == ended(client, second["taskId"])["status"]
        == "completed"
    )
    assert len(provider.reached("start")) == begun + 1


def test_ids_of_others_and_guesses_are_alike(
    stand: Stand, client: Client, provider: Folder
) -> None:
    """Of another token, of another workspace, with another end, of the journal, or made up: one
    answer for all, and for each method.
    """
    made = executed(client, _MELT)["taskId"]
    others = (stand.client("invoke"), stand.client("manage"), stand.client("invoke", "acme"))
    assert [looked(other, made) for other in others] == [_UNKNOWN] * 3
    modern(others[1], "tasks/cancel", taskId=made)
    assert looked(client, made)["status"] == "working"
    invocation = str(uuid.UUID(made[:32]))
    rng = random.Random(4711)
    forged = [made[:32] + rng.randbytes(16).hex() for _ in range(200)] + [
        rng.randbytes(32).hex() for _ in range(200)
    ]
    forged += [
        invocation,
        made.upper(),
        made[:-1],
        made + "0",
        "x",
        made[:63] + chr(ord(made[63]) ^ 1),
    ]
    assert [found for one in forged if (found := looked(client, one)) != _UNKNOWN] == []
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        assert modern(client, method, taskId=forged[0]).json["error"] == _UNKNOWN
    provider.answers(_DONE)
    ended(client, made)


def test_what_the_rules_forbid_by_now_is_no_task(stand: Stand, provider: Folder) -> None:
    """Rules are asked each time: a workspace that is suspended shows nothing."""
    provider.answers(_MELTING)
    caller = stand.client("invoke")
    made = executed(caller, _MELT)["taskId"]
    workspaces = Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock)
    workspaces.set("default", {"suspended": True})
    try:
        assert modern(caller, "tasks/get", taskId=made).status == 403
    finally:
        workspaces.set("default", {"suspended": False})
    provider.answers(_DONE)
    assert ended(caller, made)["status"] == "completed"


def test_a_header_names_the_task(client: Client) -> None:
    """One of another task is refused."""
    made = executed(client, _MELT)["taskId"]
    refused = modern(client, "tasks/get", header="another", taskId=made)
    assert (refused.status, refused.json["error"]["code"]) == (400, -32020)
    modern(client, "tasks/cancel", taskId=made)


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
def test_the_extension_has_less(client: Client, method: str) -> None:
    """Results are in ``tasks/get``, and nobody lists."""
    refused = modern(client, method, taskId="x")
    assert (refused.status, refused.json["error"]["code"]) == (404, -32601)


def test_any_action_is_a_task_for_older_clients(client: Client, provider: Folder) -> None:
    """Version 2025-11-25: who asks for a task gets one, whatever the action is; its result is asked
    for, and waits for the end.
    """
    listed = legacy(client, "tools/list")["tools"]
    support = {tool["name"]: tool.get("execution", {}).get("taskSupport") for tool in listed}
    assert (support["execute_action"], support["search_actions"]) == ("optional", None)
    handshake = legacy(
        client,
        "initialize",
        protocolVersion="2025-11-25",
        capabilities={},
        clientInfo={"name": "t", "version": "1"},
    )
    assert handshake["capabilities"]["tasks"] == {
        "list": {},
        "cancel": {},
        "requests": {"tools": {"call": {}}},
    }
    weigh = {"connector": "furnace", "action": "weigh", "inputs": {}}
    made = legacy(
        client, "tools/call", name="execute_action", arguments=weigh, task={"ttl": 60_000}
    )["task"]
    assert (made["status"], made["ttl"]) == ("working", 86_400_000)
    found = legacy(client, "tasks/result", taskId=made["taskId"])
    assert found["structuredContent"]["output"] == {"weight": 1}
    assert found["_meta"] == {"io.modelcontextprotocol/related-task": {"taskId": made["taskId"]}}
    assert legacy(client, "tasks/get", taskId=made["taskId"])["status"] == "completed"
    assert [one["taskId"] for one in legacy(client, "tasks/list")["tasks"]] == [made["taskId"]]
    assert legacy(client, "tasks/cancel", taskId=made["taskId"])["code"] == -32602
    provider.answers({"failed": "it cracked"})
    failing = legacy(client, "tools/call", name="execute_action", arguments=_MELT, task={})["task"]
    assert legacy(client, "tasks/result", taskId=failing["taskId"])["isError"] is True
    assert legacy(client, "tasks/get", taskId=failing["taskId"])["status"] == "failed"


def test_a_task_has_the_part_that_was_asked_for(client: Client, provider: Folder) -> None:
    """``select`` and ``maxBytes`` hold for its result, whoever looks how often; the task of an
    equal call has its own.
    """
    part = executed(client, {**_MELT, "select": "{w: weight}"})["taskId"]
    small = executed(client, {**_MELT, "maxBytes": 5})["taskId"]
    assert part.partition(".")[0] == small.partition(".")[0]
    provider.answers(_DONE)
    found = [ended(client, one)["result"]["structuredContent"] for one in (part, part, small)]
    assert [one["output"] for one in found[:2]] == [{"selected": {"w": 7}}] * 2
    assert (found[0]["meta"]["selected"], found[2]["output"]["truncated"]["bytes"]) == (
        True,
        len('{"weight":7}'),
    )
    whole = part.partition(".")[0]
    assert looked(client, whole)["result"]["structuredContent"]["output"] == _DONE


def test_a_part_is_sealed(stand: Stand, client: Client, provider: Folder) -> None:
    """Nobody changes what a task selects, nor uses another task's; a part that is not valid is
    refused before anything is made.
    """
    one, two = (
        executed(client, {**_MELT, "inputs": {"metal": metal}, "select": "weight"})["taskId"]
        for metal in ("iron", "gold")
    )
    swapped = f"{one.partition('.')[0]}.{two.partition('.')[2]}"
    forged = [
        swapped,
        f"{one}x",
        one[:-2],
        f"{one.partition('.')[0]}.",
        f"{one}.x",
        f"{one.partition('.')[0]}.é",
    ]
    assert [looked(client, task_id) for task_id in forged[:-1]] == [_UNKNOWN] * 5
    begun = len(provider.reached("start"))
    for wrong in ({"select": "["}, {"maxBytes": 0}, {"select": "a" * 2001}):
        assert (
            executed(client, {**_MELT, "inputs": {"metal": "tin"}, **wrong})["structuredContent"][
                "error"
            ]["code"]
            == "invalid_invocation"
        )
    assert len(provider.reached("start")) == begun
    provider.answers(_DONE)
    assert ended(client, one)["result"]["structuredContent"]["output"] == {"selected": 7}
    ended(client, two)


def test_a_page_of_tasks_names_nobody_elses(stand: Stand) -> None:
    """The cursor of a list is sealed: it shows no id, and is another caller's no more."""
    mine, other = stand.client("invoke"), stand.client("invoke")
    weigh = {"connector": "furnace", "action": "weigh", "inputs": {}}
    for _ in range(51):
        legacy(mine, "tools/call", name="execute_action", arguments=weigh, task={})
    page = legacy(mine, "tasks/list")
    rest = legacy(mine, "tasks/list", cursor=page["nextCursor"])
    assert (len(page["tasks"]), len(rest["tasks"]), "nextCursor" in rest) == (50, 1, False)
    ids = [
        row["invocationId"].replace("-", "")
        for row in stand.client().get("/v1/invocations?limit=200").json["items"]
    ]
    shown = urlsafe_b64decode(page["nextCursor"] + "==")
    assert not any(bytes.fromhex(one) in shown or one.encode() in shown for one in ids)
    for caller, cursor in (
        (other, page["nextCursor"]),
        (mine, ids[0]),
        (mine, page["nextCursor"][:-2]),
    ):
        assert legacy(caller, "tasks/list", cursor=cursor)["code"] == -32602


def test_older_clients_see_their_own_tasks(stand: Stand, client: Client) -> None:
    """In a list, too."""
    weigh = {"connector": "furnace", "action": "weigh", "inputs": {}}
    legacy(client, "tools/call", name="execute_action", arguments=weigh, task={})
    assert legacy(stand.client("manage"), "tasks/list") == {"tasks": []}
    assert legacy(client, "tasks/list", cursor="nonsense")["code"] == -32602
    assert (
        legacy(client, "tools/call", name="search_actions", arguments={}, task={})["code"] == -32601
    )
    refused = legacy(
        client, "tools/call", name="execute_action", arguments={**weigh, "action": "none"}, task={}
    )
    assert (refused["code"], refused["data"]["error"]["code"]) == (-32602, "unknown_action")


def test_a_server_killed_and_started_again_goes_on(tmp_path: Path, provider: Folder) -> None:
    """A job outlives its server: the task has the same id, and completes; it was started once."""
    provider.answers(_MELTING)
    begun = len(provider.reached("start"))
    places: dict[str, Any] = {
        "paths": (str(provider.folder.parent / "plugs"),),
        "FURNACE": str(provider.folder),
    }
    with process(tmp_path, **places) as server:
        client = server.client
        made = executed(client, _MELT)["taskId"]
        until(lambda: looked(client, made).get("statusMessage") == "melting")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    provider.answers(_DONE)
    with process(tmp_path / "again", **places, JACKFIELD_HOME=str(tmp_path / "home")) as server:
        again = Client(server.port, client.token)
        found: Any = until(
            lambda: one if (one := looked(again, made))["status"] != "working" else None, 60
        )
    assert (found["status"], found["result"]["structuredContent"]["output"]) == ("completed", _DONE)
    assert len(provider.reached("start")) == begun + 1
