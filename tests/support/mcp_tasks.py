"""Tasks of the Model Context Protocol as clients use them: messages of both shapes, and an
extension for the SDK's own client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import Field

from http_stand import Client
from replies import Reply

EXTENSION = "io.modelcontextprotocol/tasks"
MODERN, LEGACY = "2026-07-28", "2025-11-25"
WITH_TASKS: Mapping[str, Any] = {"extensions": {EXTENSION: {}}}
WITH_LINKS: Mapping[str, Any] = {"elicitation": {"url": {}}}
_END = ("completed", "failed", "cancelled")
_POLL = "io.modelcontextprotocol/"


def modern(
    client: Client,
    method: str,
    /,
    capabilities: Mapping[str, Any] = WITH_TASKS,
    header: str = "",
    **params: Any,
) -> Reply:
    """Send one message of the version without a handshake; ``header`` is the name in the header, if
    it is another than the message's.
    """
    meta = {
        f"{_POLL}protocolVersion": MODERN,
        f"{_POLL}clientCapabilities": capabilities,
        f"{_POLL}clientInfo": {"name": "t", "version": "1"},
    }
    about = header or params.get("name") or params.get("taskId")
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | (
        {"Mcp-Name": about} if about else {}
    )
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return client.post("/mcp", body, **headers)


def legacy(client: Client, method: str, /, **params: Any) -> Any:
    """Send one message of the version of 2025-11-25; its result, or its error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    found = client.post("/mcp", body, **{"MCP-Protocol-Version": LEGACY}).json
    return found.get("result", found.get("error"))


def executed(
    client: Client, invocation: Mapping[str, Any], capabilities: Mapping[str, Any] = WITH_TASKS
) -> Any:
    """Result of a call of ``execute_action``."""
    return modern(
        client, "tools/call", capabilities, name="execute_action", arguments=dict(invocation)
    ).json["result"]


def looked(client: Client, task_id: str) -> Any:
    """A task as ``tasks/get`` shows it, or the error."""
    found = modern(client, "tasks/get", taskId=task_id).json
    return found.get("result", found.get("error"))


class _Created(Result):
    result_type: Literal["task"] = "task"
    task_id: str = Field(alias="taskId")
    status: str


class _OfTask(RequestParams):
    task_id: str = Field(alias="taskId", serialization_alias="taskId")


class _Get(Request[_OfTask, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: _OfTask


class _Task(Result):
    status: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass
class Tasks(ClientExtension):
    """What a client does with a task: it looks until there is an end, and takes the result for that
    of the call.
    """

    seen: list[str]
    identifier = EXTENSION

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Take tasks in place of results."""
        return [ResultClaim(result_type="task", model=_Created, resolve=self._ended)]

    async def _ended(self, created: _Created, context: ClaimContext) -> CallToolResult:
        self.seen.append(created.task_id)
        while True:
            asked = _Get(params=_OfTask(taskId=created.task_id))
            found = await context.session.send_request(asked, _Task)
            self.seen.append(found.status)
            if found.status in _END:
                assert found.result is not None, found
                return CallToolResult.model_validate(found.result)
            await asyncio.sleep(0.05)
