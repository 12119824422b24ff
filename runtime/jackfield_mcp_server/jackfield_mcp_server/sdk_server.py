"""MCP server on the SDK's low-level server, which takes our schemas unchanged. It validates no arguments; the runtime does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, Tool

from jackfield import __version__
from jackfield.callers import may
from jackfield.invocation import check_depth, decode
from jackfield.kernel.errors import JackfieldError, did_you_mean
from jackfield.pipe.run import Follow
from jackfield_mcp_server.action_tools import action_tools, invocation_of
from jackfield_mcp_server.call_context import CallContext
from jackfield_mcp_server.discovery_tools import DISCOVERY, EXECUTE, look
from jackfield_mcp_server.result_reader import DEFAULT_BYTES
from jackfield_mcp_server.tool_results import answered, failed
from jackfield_server.shared.requests.correlation import traced
from jackfield_server.shared.requests.refusals import refused

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

_LOG = logging.getLogger("jackfield.mcp")
_PAGE = 200
_OBJECTS = ("inputs", "connection", "context")
"""Members of an invocation that may arrive as JSON text."""
_EVERY = 5.0
"""Seconds between two progress reports."""
_LEAST = 1e-6
_STRUCTURED_SINCE = "2025-06-18"
"""Protocol version that introduced structured content."""
Find = Callable[[Any], "CallContext"]


def build_server(find: Find, instructions: str | None = None) -> Server[Any]:
    """Build the server. ``find`` returns the caller's context from the SDK's request context; ``instructions`` are for the client's
    model."""
    # The SDK's log quotes what clients send, including secrets of inline connections.
    logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)

    async def list_tools(context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        call = find(context)
        after = (params.cursor if params is not None else None) or ""
        tools, cursor = await _guarded(lambda: call.briefly(lambda: _listed(call, after)))
        return ListToolsResult(tools=tools, next_cursor=cursor)

    async def call_tool(context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        call = find(context)
        return await run_tool(call, context, params, _reporter(call, context))

    return Server(
        "jackfield",
        version=__version__,
        title="jackfield",
        description="Runs actions of connectors.",
        instructions=instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda _name: None,  # no input is taken from a header, so no look-up is needed per call
    )


class ToolContext(Protocol):
    """Part of the SDK's request context that a call of a tool reads."""

    @property
    def protocol_version(self) -> str:
        """Version that the client speaks."""
        ...

    @property
    def meta(self) -> Mapping[str, Any] | None:
        """Metadata that the client has sent."""
        ...

    @property
    def request_id(self) -> int | str | None:
        """Id of the request."""
        ...


Report = Callable[[float, float | None, str], Awaitable[None]]
"""Tells a client how much is done, out of how much if that is known, and what is being done."""


async def run_tool(call: CallContext, context: ToolContext, params: CallToolRequestParams, report: Report | None) -> CallToolResult:
    """Run a tool; ``report`` is for a client that asks for progress.

    :raises MCPError: for an error of the protocol, which is not a Result.
    """
    found: CallToolResult = await _guarded(lambda: _called(call, context, params, report))
    return found


async def _guarded(step: Callable[[], Any]) -> Any:
    """Run a step. Unexpected exceptions are logged and hidden from the caller.

    :raises MCPError: for a protocol error, which is not a Result.
    """
    try:
        return await step()
    except MCPError:
        raise
    except Exception as error:  # noqa: BLE001 (logged in full, and raised again as a protocol error)
        _LOG.exception("an unexpected %s", type(error).__name__)
        raise MCPError(INTERNAL_ERROR, "an unexpected error") from None


def _listed(call: CallContext, after: str) -> tuple[list[Tool], str | None]:
    """Return a page of the tools that the caller may call; the cursor is the last tool's name."""
    runs = call.caller.scope is None or may(call.caller.scope, "invoke")
    first = [tool for tool in DISCOVERY if runs or tool.name != EXECUTE] if not after else []
    if call.tools != "all" or not runs:
        return first, None
    tools = action_tools(call.catalog, after)
    some = list(islice(tools, _PAGE - len(first)))
    more = next(tools, None) is not None
    return [*first, *some], some[-1].name if more else None


async def _called(call: CallContext, context: ToolContext, params: CallToolRequestParams, report: Report | None) -> CallToolResult:
    arguments, structured = params.arguments or {}, context.protocol_version >= _STRUCTURED_SINCE
    try:
        found = await look(call, params.name, arguments, structured=structured)
    except JackfieldError as error:
        return failed(error, structured=structured)
    if found is not None:
        return found
    invocation = traced(_invocation(call, params.name, arguments), (context.meta or {}).get("traceparent"))
    if call.runtime.files.enabled:
        invocation = {"maxBytes": DEFAULT_BYTES, **invocation}
    try:
        check_depth(invocation)  # before it is searched for files or names
    except JackfieldError as error:
        return answered(refused(error, None), structured=structured)
    try:
        async with _progress(report) as follow:
            result = await call.run(invocation, context.request_id, follow)
    except JackfieldError as error:
        result = refused(error, invocation)
    return answered(result, structured=structured)


def _invocation(call: CallContext, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the invocation that a call makes.

    :raises MCPError: if there is no such tool.
    """
    if name == EXECUTE:
        return {**arguments, **{member: _unpacked(arguments[member]) for member in _OBJECTS if member in arguments}}
    found = invocation_of(call.runtime.catalog, name, arguments) if call.tools == "all" else None
    if found is None:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {name[:80]}{did_you_mean(name, [tool.name for tool in DISCOVERY])}")
    return found


def _unpacked(value: object) -> object:
    """Decode an object that some clients and models send as JSON text; leave anything else for the runtime to validate."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return decode(value)
    except JackfieldError:
        return value


def _reporter(call: CallContext, context: Any) -> Report | None:
    """Return what reports to a stdio client that asks for it. Requests over HTTP that the SDK answers have one response and no stream."""
    if call.origin is not None or "progress_token" not in (context.meta or {}):
        return None

    async def report(done: float, total: float | None, text: str) -> None:
        await context.session.report_progress(done, total=total, message=text)

    return report


@contextlib.asynccontextmanager
async def _progress(report: Report | None) -> AsyncIterator[Follow | None]:
    """Report progress every few seconds, so that a client does not time out while the action runs; of a job, how much of it is done."""
    if report is None:
        yield None
        return
    job: dict[str, Any] = {}

    async def tell() -> None:
        done, elapsed = 0.0, False
        for number in itertools.count(1):
            await asyncio.sleep(_EVERY)
            elapsed = elapsed or not job
            done = number * _EVERY if elapsed else max(job["fraction"], done + _LEAST)  # each has to be more than the one before
            text = job.get("text") or "The action is running."
            await report(done, None if elapsed else max(1.0, done), text)

    reporting = asyncio.ensure_future(tell())
    try:
        yield job.update
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
