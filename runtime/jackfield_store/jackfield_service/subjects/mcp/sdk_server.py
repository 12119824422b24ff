"""MCP server on the SDK's low-level server, which passes our schemas on unchanged. It validates no
arguments; the runtime does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel.server import Server
from mcp_types import (
    CallToolRequestParams,
    ListToolsResult,
    PaginatedRequestParams,
    ServerCapabilities,
    Tool,
    ToolExecution,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from jackfield import __version__
from jackfield.callers import may
from jackfield_service.subjects.mcp.action_tools import action_tools
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.discovery_tools import DISCOVERY, EXECUTE
from jackfield_service.subjects.mcp.envelope import parameter_fault, telling
from jackfield_service.subjects.mcp.progress import Report
from jackfield_service.subjects.mcp.resources import ResourceMethods
from jackfield_service.subjects.mcp.task_methods import CAPABILITY, LEGACY, TaskMethods, tool_params
from jackfield_service.subjects.mcp.tool_names import LOOKING, may_continue_after
from jackfield_service.subjects.mcp.tool_run import guarded, run_tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

_PAGE = 200
_AS_TASK = ToolExecution(task_support="optional")
Find = Callable[[Any], CallContext]


class McpServer(Server[Any]):
    """The SDK's server, with tasks."""

    def __init__(self, find: Find, instructions: str | None, *, has_tasks: bool) -> None:
        resources = ResourceMethods(find)
        super().__init__(
            "jackfield",
            version=__version__,
            title="jackfield",
            description="Runs actions of connectors.",
            instructions=instructions,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=resources.list,
            on_list_resource_templates=resources.templates,
            on_read_resource=resources.read,
            # no input is taken from a header, so no look-up is needed per call
            get_tool_input_schema=lambda _name: None,
        )
        self._find = find
        self._has_tasks = has_tasks
        self.tasks = TaskMethods(find)
        self.middleware.append(telling)
        if has_tasks:
            self.tasks.serve(self)
            self.middleware.append(self._call_as_task)

    def get_capabilities(
        self, *given: Any, protocol_version: str | None = None, **named: Any
    ) -> ServerCapabilities:
        """Return the server's capabilities, with tasks for the version with a handshake; the SDK
        leaves tasks out.
        """
        found = super().get_capabilities(*given, protocol_version=protocol_version, **named)
        if self._has_tasks and protocol_version not in MODERN_PROTOCOL_VERSIONS:
            found.tasks = CAPABILITY
        return found

    async def _list_tools(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        call = self._find(context)
        after = (params.cursor if params is not None else None) or ""
        tools, cursor = await guarded(lambda: call.briefly(lambda: _tool_page(call, after)))
        if self._has_tasks and context.protocol_version == LEGACY:
            tools = [
                tool if tool.name in LOOKING else tool.model_copy(update={"execution": _AS_TASK})
                for tool in tools
            ]
        return ListToolsResult(tools=tools, next_cursor=cursor)

    async def _call_tool(
        self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> Any:
        call = self._find(context)
        return await run_tool(call, context, params, _reporter(call, context), self.tasks)

    async def _call_as_task(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Answer a call that requests a task, for which the SDK's own form of results has no
        member.
        """
        params = ctx.params
        is_asked = ctx.method == "tools/call" and ctx.protocol_version == LEGACY
        if not is_asked or not isinstance(params, Mapping) or params.get("task") is None:
            return await call_next(ctx)
        return await run_tool(self._find(ctx), ctx, tool_params(params), None, self.tasks)


def build_server(
    find: Find, instructions: str | None = None, *, has_tasks: bool = False
) -> McpServer:
    """Build the server. ``find`` returns the caller's context from the SDK's request context;
    ``instructions`` are for the client's model. Without a database it has no tasks.
    """
    # The SDK's log quotes what clients send, including secrets of inline connections.
    logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)
    return McpServer(find, instructions, has_tasks=has_tasks)


def _tool_page(call: CallContext, after: str) -> tuple[list[Tool], str | None]:
    runs = call.caller.scope is None or may(call.caller.scope, "invoke")
    first = [tool for tool in DISCOVERY if runs or tool.name != EXECUTE] if not after else []
    lists_actions = call.tools == "all" and runs
    if after and not (lists_actions and may_continue_after(after)):
        raise parameter_fault("cursor", reason="must be the nextCursor of a page")
    if not lists_actions:
        return first, None
    tools = action_tools(call.catalog, after)
    some = list(islice(tools, _PAGE - len(first)))
    more = next(tools, None) is not None
    return [*first, *some], some[-1].name if more else None


def _reporter(call: CallContext, context: Any) -> Report | None:
    """Return the function that reports progress to a stdio client that requests it; else None.
    Requests over HTTP that the SDK answers have one response and no stream.
    """
    if call.origin is not None or "progress_token" not in (context.meta or {}):
        return None

    async def report(done: float, total: float | None, text: str) -> None:
        await context.session.report_progress(done, total=total, message=text)

    return report
