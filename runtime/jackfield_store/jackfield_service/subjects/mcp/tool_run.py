"""Call of a tool: its execution, progress reports and answer."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolRequestParams,
    CallToolResult,
)

from jackfield.invocation import Result, check_depth, decode
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError, did_you_mean
from jackfield_service.shell.requests.correlation import traced
from jackfield_service.shell.requests.refusals import refused
from jackfield_service.subjects.mcp.action_tools import invocation_of
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.connect_requests import refuse_state
from jackfield_service.subjects.mcp.discovery_tools import DISCOVERY, EXECUTE, look
from jackfield_service.subjects.mcp.forms import Forms
from jackfield_service.subjects.mcp.media import may_have_media, media_of
from jackfield_service.subjects.mcp.progress import Report, progress
from jackfield_service.subjects.mcp.task_methods import (
    LEGACY,
    TaskMethods,
    capabilities,
    goes_on,
    is_modern,
    takes_tasks,
)
from jackfield_service.subjects.mcp.tasks import OutputPart
from jackfield_service.subjects.mcp.tool_names import LOOKING
from jackfield_service.subjects.mcp.tool_results import DEFAULT_BYTES, answered, failed

_LOG = logging.getLogger("jackfield.mcp")
_OBJECTS = ("inputs", "connection", "context")
"""Members of an invocation that may arrive as JSON text."""
_KEY = "idempotencyKey"
_NO_KEYS = frozenset({"null", "none", "nil", "undefined"})
"""Texts that clients and models write for a key that they leave out: with the same one, a second
call would not run.
"""
_NOTHING: Mapping[str, Any] = {}
_OWN = frozenset(tool.name for tool in DISCOVERY)
_STRUCTURED_SINCE = "2025-06-18"
"""Protocol version that introduced structured content, and links to resources."""


class ToolContext(Protocol):
    """Part of the SDK's request context that a call of a tool reads."""

    @property
    def protocol_version(self) -> str:
        """Protocol version of the client."""
        ...

    @property
    def meta(self) -> Mapping[str, Any] | None:
        """Metadata that the client has sent."""
        ...

    @property
    def params(self) -> Mapping[str, Any] | None:
        """Parameters of the request, as received."""
        ...

    @property
    def request_id(self) -> int | str | None:
        """Id of the request."""
        ...


Answer = CallToolResult | dict[str, Any]
"""Answer to a call of a tool: a result, or the JSON that replaces it, such as a task."""


async def run_tool(
    call: CallContext,
    context: ToolContext,
    params: CallToolRequestParams,
    report: Report | None,
    tasks: TaskMethods,
) -> Answer:
    """Run a tool; ``report`` is for a client that requests progress.

    :raises MCPError: for an error of the protocol, which is not a Result.
    """
    found: Answer = await guarded(lambda: _called(call, context, params, report, tasks))
    return found


async def guarded(step: Callable[[], Any]) -> Any:
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


async def _called(
    call: CallContext,
    context: ToolContext,
    params: CallToolRequestParams,
    report: Report | None,
    tasks: TaskMethods,
) -> Answer:
    arguments, structured = params.arguments or {}, context.protocol_version >= _STRUCTURED_SINCE
    # typed clients and models in strict mode write null for what they leave out
    if params.name in _OWN:
        arguments = {name: value for name, value in arguments.items() if value is not None}
    as_task = (
        params.task is not None and context.protocol_version == LEGACY and call.queue is not None
    )
    if as_task and params.name in LOOKING:
        raise MCPError(METHOD_NOT_FOUND, f"The tool '{params.name}' cannot be called as a task")
    try:
        found = await look(call, params.name, arguments, structured=structured)
    except JackfieldError as error:
        return failed(error, structured=structured)
    if found is not None:
        return found
    forms = await _forms(call, context, params)
    resumed = (
        await call.briefly(partial(_resumed, call, params, forms))
        if params.request_state is not None
        else None
    )
    if isinstance(resumed, dict):
        return resumed
    invocation = traced(
        _invocation(call, params.name, arguments), (context.meta or {}).get("traceparent")
    )
    try:
        if (beside := (context.params or _NOTHING).get(_KEY)) is not None:
            invocation = _keyed(invocation, beside)
        _check_key(invocation.get(_KEY))
        check_depth(invocation)  # before it is searched for files or names
    except JackfieldError as error:
        return answered(refused(error, None), structured=structured)
    if resumed is not None:
        invocation = {"idempotencyKey": resumed, **invocation}
    if as_task:
        return await tasks.asked_for(call, invocation)
    result = await _run(call, context, invocation, report, tasks, forms)
    return (
        await _with_link(call, context, params, invocation, result, forms)
        if isinstance(result, Result)
        else result
    )


async def _forms(
    call: CallContext, context: ToolContext, params: CallToolRequestParams
) -> Forms | None:
    """Return the forms of a call, with the answers that it has brought; None if the client cannot
    show forms.

    :raises MCPError: if the answers have another shape.
    """
    declared = capabilities(context).get("elicitation")
    if not isinstance(declared, Mapping) or (declared and "form" not in declared):
        return None
    if not is_modern(context) or not call.runtime.storage.enabled:
        return None
    forms = Forms(call.runtime, call.caller, params.name, params.arguments or {})
    forms.answer(params.input_responses or {})
    return forms


async def _with_link(
    call: CallContext,
    context: ToolContext,
    params: CallToolRequestParams,
    invocation: Mapping[str, Any],
    result: Result,
    forms: Forms | None,
) -> Answer:
    """Answer with a Result, or with a request to the person to answer the provider's question or to
    make the missing connection.
    """
    if (
        forms is not None
        and forms.asked
        and result.status == "failed"
        and result.error is not None
        and result.error.code == "forbidden"
    ):
        return forms.input_required()
    if result.error is not None and params.request_state is None and takes_links(context):
        asked: dict[str, Any] | None = await call.briefly(
            partial(_ask_for_connection, call, context, params, invocation, result.error)
        )
        if asked is not None:
            return asked
    is_structured = context.protocol_version >= _STRUCTURED_SINCE
    found = answered(result, structured=is_structured)
    if may_have_media(found):
        found.content.extend(
            await call.briefly(lambda: media_of(call, result, links=is_structured))
        )
    return found


async def _run(
    call: CallContext,
    context: ToolContext,
    invocation: Mapping[str, Any],
    report: Report | None,
    tasks: TaskMethods,
    forms: Forms | None,
) -> Result | Answer:
    """Run an invocation, or make it a task if it is long-running, or waits for a person, and the
    client supports tasks.
    """
    takes = takes_tasks(call, context)
    if call.runtime.files.enabled:
        invocation = {"maxBytes": DEFAULT_BYTES, **invocation}
    try:
        if takes and goes_on(call, invocation):
            return await tasks.queued(call, invocation)
        async with progress(report) as follow:
            result = await call.run(invocation, context.request_id, follow, forms)
    except JackfieldError as error:
        result = refused(error, invocation)
    if takes and result.status in ("queued", "running", "waiting"):
        with contextlib.suppress(MCPError):  # it is not in the journal, or not to be seen there
            return await tasks.task(call, result.meta.invocation_id, OutputPart.of(invocation))
    return result


def takes_links(context: Any) -> bool:
    """Return whether the client can show a person a link to open: it declares elicitation by
    URL.
    """
    if is_modern(context):
        declared = capabilities(context).get("elicitation")
        return isinstance(declared, Mapping) and isinstance(declared.get("url"), Mapping)
    if context.protocol_version != LEGACY:
        return False
    known = getattr(context, "takes_links", None)  # over HTTP, where no session is kept
    if known is not None:
        return bool(known)
    found = context.session.client_capabilities
    return found is not None and found.elicitation is not None and found.elicitation.url is not None


def _resumed(
    call: CallContext, params: CallToolRequestParams, forms: Forms | None
) -> str | dict[str, Any] | None:
    """Return the idempotency key of a call whose connection was made, or the repeated request to
    the person; None if a form was answered.
    """
    if forms is not None and forms.resume(params.request_state or ""):
        return None
    connects = call.connects()
    if connects is None:
        refuse_state()
    return connects.resumed(
        params.request_state or "", params.name, params.arguments or {}, params.input_responses
    )


def _ask_for_connection(
    call: CallContext,
    context: ToolContext,
    params: CallToolRequestParams,
    invocation: Mapping[str, Any],
    error: JackfieldError,
) -> dict[str, Any] | None:
    """Return the request to the person to make a call's missing connection; None if the call was
    refused for another reason, or nobody can be asked.

    :raises MCPError: with that request, for clients of 2025-11-25.
    """
    connects = call.connects()
    lacking = None if connects is None else connects.lacking(invocation, error)
    link = None if connects is None or lacking is None else connects.ask(lacking)
    if connects is None or lacking is None or link is None:
        return None
    if is_modern(context):
        return connects.input_required(lacking, link, params.name, params.arguments or {})
    raise connects.required(lacking, link)


def _invocation(call: CallContext, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the invocation for a call of a tool.

    :raises MCPError: if there is no such tool.
    """
    if name == EXECUTE:
        return {
            **arguments,
            **{member: _unpacked(arguments[member]) for member in _OBJECTS if member in arguments},
        }
    found = invocation_of(call.runtime.catalog, name, arguments) if call.tools == "all" else None
    if found is None:
        raise MCPError(
            INVALID_PARAMS,
            f"Unknown tool: {name[:80]}{did_you_mean(name, [tool.name for tool in DISCOVERY])}",
        )
    return found


def _keyed(invocation: Mapping[str, Any], beside: object) -> Mapping[str, Any]:
    """Return the invocation with the key from outside of the arguments, where a proposal (SEP-3182)
    had put it.

    :raises InvalidInvocation: if the arguments have another key.
    """
    if invocation.get(_KEY, beside) != beside:
        details = [Detail(f"/{_KEY}", "is another one in the call's arguments than beside them")]
        raise InvalidInvocation(
            "the call has two idempotency keys", details=details, hint="Give one, in the arguments."
        )
    return {**invocation, _KEY: beside}


def _check_key(key: object) -> None:
    """Check that a key is not the text of a value that is left out.

    :raises InvalidInvocation: if it is.
    """
    if isinstance(key, str) and key.strip().lower() in _NO_KEYS:
        details = [Detail(f"/{_KEY}", "must be a key, not the text of a value that is left out")]
        raise InvalidInvocation(
            "the idempotency key is none",
            details=details,
            hint="Leave it out, or give this call a key of its own.",
        )


def _unpacked(value: object) -> object:
    """Decode an object that some clients and models send as JSON text; leave anything else for the
    runtime to validate.
    """
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return decode(value)
    except JackfieldError:
        return value
