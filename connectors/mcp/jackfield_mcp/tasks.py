"""Tasks of a server (``io.modelcontextprotocol/tasks``) as jobs: the runtime polls and cancels the
task that a call has started.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jackfield.connector import (
    JackfieldError,
    JobFailed,
    Progress,
    Provider,
    Rejected,
    Sent,
    Unavailable,
)
from jackfield.connector.jobs import NoOutput, PolledJob, Started, polled, polled_stored
from jackfield_mcp.client import McpClient
from jackfield_mcp.exchange import LONGEST_ID
from jackfield_mcp.messages import amount, present
from jackfield_mcp.outcomes import Garbled, InputRequired, asks_person, explained, garbled
from jackfield_mcp.results import ToolOutput, output_of
from jackfield_mcp.texts import one_line, plain

_SOONEST, _LATEST = 1.0, 60.0
"""Minimum and maximum seconds between two polls, whatever the server requests."""
_LONGEST_TEXT = 200
_LOOK = "Look at the server what the task has done."
_IDENTIFIER = "taskId"
_UNTIL = "keptUntil"
_UNKNOWN, _GONE = "-32602", (404, 410)
"""Code and statuses with which servers refuse a task that they do not know."""

Json = Mapping[str, Any]


def started_or_output(result: Json, now: float) -> Started | ToolOutput:
    """Return the handle of the task that a call has started, or the output if the result is
    complete. The handle has the time until which the server keeps the task, if it says so; ``now``
    is the present time.

    :raises JackfieldError: as ``output_of`` does.
    """
    if result.get("resultType") != "task":
        return output_of(result)
    identifier = result.get(_IDENTIFIER)
    if (
        not isinstance(identifier, str)
        or not 0 < len(identifier) <= LONGEST_ID
        or not identifier.isprintable()
    ):
        raise garbled("names no task, though it says that there is one")
    kept = amount(result.get("ttlMs"))
    return Started(
        {_IDENTIFIER: identifier}
        if kept is None
        else {_IDENTIFIER: identifier, _UNTIL: now + kept / 1000}
    )


def poll(handle: Json, client: McpClient) -> PolledJob:
    """Poll a task once; answer its questions if an answer is available.

    :raises JobFailed: if the task has ended without success.
    :raises JackfieldError: if the poll fails, which does not end the task.
    """
    try:
        found = client.task(handle[_IDENTIFIER])
    except Rejected as error:  # it may have forgotten the task, whose effect stays unknown
        if _is_unknown(error) and client.context.clock.time() >= handle.get(_UNTIL, math.inf):
            text = f"the server knows its task no more, whose time is over: {error.message}"
            raise JobFailed(
                text, hint=_LOOK, provider=error.provider, sent=Sent.UNKNOWN, repeatable=False
            ) from None
        return polled(
            Progress(
                None, plain(f"The state of the task cannot be read: {error.message}", _LONGEST_TEXT)
            )
        )
    status, text = found.get("status"), one_line(found.get("statusMessage"), _LONGEST_TEXT)
    if status == "working":
        return polled(Progress(None, text, _pause(found)))
    if status == "input_required":
        return polled(
            Progress(
                None, _answered(handle[_IDENTIFIER], asks_person(found), client), _pause(found)
            )
        )
    if status == "completed" and isinstance(found.get("result"), Mapping):
        if found.get("error"):
            raise _unclear(garbled("has both a result and an error"))
        return polled_stored(_output(present(found["result"])))
    if status == "cancelled":
        raise JobFailed(f"the server has cancelled its task{_behind(text)}", sent=Sent.REFUSED)
    if status == "failed":
        reason = found.get("error")
        if isinstance(reason, str):
            reason = {"message": reason}
        raise _ended(explained(reason) if isinstance(reason, Mapping) else None, text)
    raise garbled(f"has a task of the unknown status '{plain(status, 80)}', or without its result")


def cancel(handle: Json, client: McpClient) -> NoOutput:
    """Request that the server cancels a task; the next poll shows the outcome."""
    client.cancel_task(handle[_IDENTIFIER])
    return NoOutput()


def _answered(identifier: str, asks: InputRequired, client: McpClient) -> str:
    """Answer a task's questions, and return a message about them. An unanswered task waits for an
    answer given at the server.
    """
    words = asks.provider.message if asks.provider is not None else None
    try:
        client.answer_task(identifier, asks)
    except InputRequired:
        return f"The server waits for a person's answer{_behind(words)}"[:_LONGEST_TEXT]
    return "The server's question was answered."


def _output(result: Json) -> ToolOutput:
    try:
        return output_of(result)
    except Rejected as error:
        raise _ended(error, "") from None
    except Unavailable as error:
        raise (error if isinstance(error, Garbled) else _unclear(error)) from None


def _is_unknown(error: JackfieldError) -> bool:
    said = error.provider
    return said is not None and (
        said.code == _UNKNOWN or (said.code is None and said.http_status in _GONE)
    )


def _ended(error: JackfieldError | None, text: str) -> JobFailed:
    said: Provider | None = None if error is None else error.provider
    words = error.message if error is not None else f"the task has failed{_behind(text)}"
    return JobFailed(words, provider=said, sent=Sent.REFUSED)


def _unclear(error: JackfieldError) -> JobFailed:
    """Return the error for a task that has ended, and whose effect is unknown."""
    return JobFailed(
        error.message, hint=error.hint, provider=error.provider, sent=Sent.UNKNOWN, repeatable=False
    )


def _pause(found: Json) -> float | None:
    wanted = amount(found.get("pollIntervalMs"))
    return None if wanted is None else min(_LATEST, max(_SOONEST, wanted / 1000))


def _behind(text: str | None) -> str:
    return f": {text}" if text else ""
