"""The protocol's methods about tasks, and calls of tools that become tasks.

An action that is a job, or has a later start, becomes a task of a client that supports tasks
(2026-07-28). So does any action of a client that requests a task (2025-11-25). Both are queued: the
answer is sent once they are on disk, and any process that serves the queue runs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    PaginatedRequestParams,
    RequestParams,
    ServerTasksCapability,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field, ValidationError

from jackfield.invocation import Result
from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.envelope import named
from jackfield_service.subjects.mcp.tasks import (
    EXTENSION,
    RELATED,
    CutResults,
    Json,
    OutputPart,
    Tasks,
    action_of,
    detailed_task,
    legacy_task,
    modern_task,
    part_of,
    refused_task,
    status_of,
)
from jackfield_service.subjects.mcp.tool_results import answered, to_members

if TYPE_CHECKING:
    from mcp.server.lowlevel.server import Server

    from jackfield.invocation.entry import Entry

T = TypeVar("T")
LEGACY = "2025-11-25"
"""The only version of the protocol with both a handshake and tasks."""
CAPABILITY = ServerTasksCapability.model_validate(
    {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
)
_UNSUPPORTED: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
_LONGEST_WAIT = 900.0
"""Maximum seconds for which ``tasks/result`` waits for the end of a task."""
_LOOK = 0.5
_LONGEST_ID = 8_192
_REPEATS = 50
"""Number of equal writes of one caller within a day, after which further ones are not
distinguished.
"""


class _OfTask(RequestParams):
    """Parameters that name a task. Other members are ignored: our tasks never ask a client for
    input.
    """

    task_id: str = Field(max_length=_LONGEST_ID, alias="taskId")


def is_modern(context: Any) -> bool:
    """Return whether a request is of a version without a handshake."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def capabilities(context: Any) -> Mapping[str, Any]:
    """Return the capabilities that a client of 2026-07-28 declares with a request."""
    found = (context.meta or {}).get(CLIENT_CAPABILITIES_META_KEY)
    return found if isinstance(found, Mapping) else {}


def takes_tasks(call: CallContext, context: Any) -> bool:
    """Return whether the client accepts a task instead of a result."""
    declared = capabilities(context).get("extensions")
    return (
        call.queue is not None
        and is_modern(context)
        and isinstance(declared, Mapping)
        and EXTENSION in declared
    )


def goes_on(call: CallContext, invocation: Mapping[str, Any]) -> bool:
    """Return whether a call is long-running by its kind: a job, or a call with a later start."""
    # neither can be queued
    if invocation.get("dryRun") or isinstance(invocation.get("connection"), Mapping):
        return False
    if "notBefore" in invocation:
        return True
    action = action_of(call, invocation)
    return action is not None and action.is_job


class TaskMethods:
    """Calls that become tasks, and the methods about tasks, for one server."""

    def __init__(self, find: Callable[[Any], CallContext]) -> None:
        self._find = find
        self._cut = CutResults()

    def serve(self, server: Server[Any]) -> None:
        """Register the methods about tasks, of both versions, with a server."""
        server.extensions[EXTENSION] = {}
        server.add_request_handler("tasks/get", _OfTask, self._get)
        server.add_request_handler("tasks/cancel", _OfTask, self._cancel)
        server.add_request_handler("tasks/update", _OfTask, self._update)
        server.add_request_handler("tasks/result", _OfTask, self._result)
        server.add_request_handler("tasks/list", PaginatedRequestParams, self._list)

    async def queued(
        self, call: CallContext, invocation: Mapping[str, Any]
    ) -> Json | CallToolResult:
        """Queue a call and return its task, or the recorded Result if its key has one.

        :raises JackfieldError: if it is refused.
        """
        part = OutputPart.of(invocation)
        found = await self._queue(call, invocation)
        if isinstance(found, Result) and found.status not in ("queued", "running", "waiting"):
            return answered(
                await call.briefly(partial(part_of, found, part, call)), structured=True
            )
        return await self.task(
            call, found.meta.invocation_id if isinstance(found, Result) else found, part
        )

    async def task(self, call: CallContext, invocation_id: str, part: OutputPart) -> Json:
        """Return the task of an unfinished invocation, to be sent instead of a result.

        :raises MCPError: if it is not in the journal.
        """
        entry, task_id = await self._made(call, invocation_id, part)
        return {"resultType": "task", **modern_task(entry, task_id)}

    async def asked_for(self, call: CallContext, invocation: Mapping[str, Any]) -> Json:
        """Queue a call of a client of 2025-11-25 that requests a task, and return the task.

        :raises MCPError: if it is refused.
        """
        try:
            part = OutputPart.of(invocation)
            found = await self._queue(
                call, await call.briefly(lambda: self._tasks(call).labelled(invocation))
            )
        except JackfieldError as error:
            raise refused_task(error) from None
        identifier = (
            found if isinstance(found, str) else found.meta.twin_of or found.meta.invocation_id
        )
        return {"task": legacy_task(*await self._made(call, identifier, part))}

    async def _queue(self, call: CallContext, invocation: Mapping[str, Any]) -> Result | str:
        """Queue a call. An equal write of the same caller that is open or in doubt is returned
        instead.
        """
        key = await call.briefly(lambda: self._tasks(call).twin_key(invocation))
        for number in range(_REPEATS if key is not None else 0):
            found = await _queue(call, {**invocation, "idempotencyKey": f"{key}-{number}"})
            # else that has ended, and this one is to happen, too
            if not isinstance(found, Result) or found.status != "succeeded":
                return found
        return await _queue(call, invocation)

    async def _made(
        self, call: CallContext, invocation_id: str, part: OutputPart
    ) -> tuple[Entry, str]:
        def step() -> tuple[Entry, str]:
            tasks = self._tasks(call)
            return tasks.made(invocation_id), tasks.identifier(invocation_id, part)

        found = await call.briefly(step)
        call.go_on(found[0].id)
        entry: Entry = found[0]
        return entry, found[1]

    def _tasks(self, call: CallContext) -> Tasks:
        return Tasks(call, self._cut)

    async def _get(self, context: Any, params: _OfTask) -> Json:
        call, task_id = self._entered(context, params), params.task_id

        def step() -> tuple[Entry, Json]:
            tasks = self._tasks(call)
            entry = tasks.find(task_id)
            return entry, detailed_task(tasks, entry, task_id) if is_modern(
                context
            ) else legacy_task(entry, task_id)

        entry, found = await self._stepped(call, step)
        if entry.is_open:
            call.go_on(entry.id)
        return found

    async def _cancel(self, context: Any, params: _OfTask) -> Json:
        call, task_id = self._entered(context, params), params.task_id
        if is_modern(context):
            await self._stepped(call, lambda: self._tasks(call).cancel(task_id))
            return {"resultType": "complete"}
        before = await self._stepped(call, lambda: self._tasks(call).find(task_id))
        if not before.is_open:
            raise MCPError(
                INVALID_PARAMS, f"The task has ended: it is {status_of(before, is_modern=False)}"
            )
        entry = await self._stepped(call, lambda: self._tasks(call).cancel(task_id))
        if entry.is_open and entry.cancel_requested_at is None:
            raise MCPError(
                INVALID_PARAMS,
                "It is too late to cancel the task: it was sent, and runs to its end",
            )
        return legacy_task(entry, task_id)

    async def _update(self, context: Any, params: _OfTask) -> Json:
        call, task_id = self._entered(context, params), params.task_id
        if not is_modern(context):
            raise MCPError(METHOD_NOT_FOUND, "Method not found", "tasks/update")
        await self._stepped(call, lambda: self._tasks(call).find(task_id))
        return {"resultType": "complete"}

    async def _result(self, context: Any, params: _OfTask) -> Json:
        """Wait for the end of a task, and return the result of its call."""
        self._require_legacy(context, "tasks/result")
        call, task_id = self._entered(context, params), params.task_id
        until = asyncio.get_running_loop().time() + _LONGEST_WAIT
        with call.waits():
            while (
                entry := await self._stepped(call, lambda: self._tasks(call).find(task_id))
            ).is_open:
                call.go_on(entry.id)
                if asyncio.get_running_loop().time() > until or await call.left():
                    raise MCPError(INTERNAL_ERROR, "The task has not ended yet: look again later")
                await asyncio.sleep(_LOOK)
        found = await self._stepped(
            call, lambda: answered(self._tasks(call).result(entry, task_id), structured=True)
        )
        return {**to_members(found), "_meta": {RELATED: {"taskId": task_id}}}

    async def _list(self, context: Any, params: PaginatedRequestParams) -> Json:
        self._require_legacy(context, "tasks/list")
        call = self._find(context)

        def step() -> Json:
            tasks = self._tasks(call)
            entries, following = tasks.page(params.cursor)
            listed = [legacy_task(entry, tasks.identifier(entry.id)) for entry in entries]
            return {"tasks": listed} | ({} if following is None else {"nextCursor": following})

        return await self._stepped(call, step)

    def _entered(self, context: Any, params: _OfTask) -> CallContext:
        """Return the context of a request about a task.

        :raises MCPError: if the client does not declare the extension, or a header names another
            task.
        """
        call = self._find(context)
        if is_modern(context):
            if not takes_tasks(call, context):
                raise MCPError(
                    MISSING_REQUIRED_CLIENT_CAPABILITY,
                    f"This needs the extension {EXTENSION}",
                    _UNSUPPORTED,
                )
            named = (
                None if context.request is None else context.request.headers.get(MCP_NAME_HEADER)
            )
            if named is not None and decode_header_value(named) != params.task_id:
                raise MCPError(
                    HEADER_MISMATCH, "The header Mcp-Name names another task than the message"
                )
        elif context.protocol_version != LEGACY:
            raise MCPError(METHOD_NOT_FOUND, "Method not found", context.method)
        return call

    @staticmethod
    def _require_legacy(context: Any, method: str) -> None:
        if context.protocol_version != LEGACY:
            raise MCPError(METHOD_NOT_FOUND, "Method not found", method)

    @staticmethod
    async def _stepped(call: CallContext, step: Callable[[], T]) -> T:
        """Run a step in a thread.

        :raises MCPError: if the step fails, also if the database is unavailable.
        """
        try:
            found: T = await call.briefly(step)
        except JackfieldError as error:
            raise MCPError(INTERNAL_ERROR, error.message) from None
        return found


async def _queue(call: CallContext, invocation: Mapping[str, Any]) -> Result | str:
    queue: Callable[[Mapping[str, Any]], Awaitable[Result | str]] | None = call.queue
    if queue is None:
        raise MCPError(METHOD_NOT_FOUND, "This server has no tasks, because it has no database")
    return await queue(
        {name: value for name, value in invocation.items() if name not in ("select", "maxBytes")}
    )


def tool_params(params: Mapping[str, Any]) -> CallToolRequestParams:
    """Read the parameters of a call.

    :raises MCPError: if they are not valid.
    """
    try:
        return CallToolRequestParams.model_validate(params, by_name=False)
    except ValidationError as error:
        raise named(error) from None
