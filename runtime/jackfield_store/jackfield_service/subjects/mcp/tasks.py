"""Tasks of the protocol: calls that go on after they were answered. A task is an invocation of the
journal, so that it outlasts the process.

Two forms: in 2025-11-25 the client requests a task, in the extension of 2026-07-28 the server
decides. A task belongs to the caller that made it: its ID ends in a keyed digest of both. A guessed
or stolen ID is invalid.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST

from jackfield.call.part_of_output import fitted, selected
from jackfield.callers import Caller, may
from jackfield.invocation import Result
from jackfield.invocation.request import MAX_LABELS, parse_invocation
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.tool_results import (
    DEFAULT_BYTES,
    answered,
    recorded,
    to_members,
)
from jackfield_store.database import SealBroken

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import ActionManifest
    from jackfield_store.journal import Journal

Json = dict[str, Any]
EXTENSION = "io.modelcontextprotocol/tasks"
"""Name of the extension, by which clients of 2026-07-28 declare that they accept tasks."""
RELATED = "io.modelcontextprotocol/related-task"
TTL = 24 * 3600.0
"""Seconds from its creation for which a task can be found; an unfinished task can be found
longer.
"""
AFTER_END = 3600.0
"""Minimum seconds after its end for which a task can be found."""
_POLL, _POLL_WAITING = 1_000, 5_000
"""Recommended milliseconds between two polls of a client: for a running task, and for one that
waits for a person.
"""
_DIGITS = 32
"""Number of hexadecimal digits of the ID, and of the digest after it: 128 bits each."""
_PAGE = 50
_KEY_PREFIX = "mcp-task-"
_LABEL = "mcp.task"
"""Label of invocations that clients of 2025-11-25 list as their tasks. Its value encodes the owner,
since a person may have the same name as another owner's token.
"""
_CUT = 256
"""Maximum number of large results whose file is remembered, so that a client that polls again
causes no second file.
"""
_CUT_FOR = 1800.0
"""Seconds for which a large result's file is remembered; the file itself is stored twice as
long.
"""
_PART, _CURSOR = ("mcp", "task part"), ("mcp", "task page")
_LONGEST_PART = 4_000
"""Maximum size of a task's selection in bytes, since it is part of the task's ID, which is sent in
a header.
"""
Status = Literal["working", "completed", "failed", "cancelled"]
_STATUS: Mapping[str, Status] = {"queued": "working", "running": "working", "waiting": "working"}


def refuse_unknown() -> NoReturn:
    """Refuse a task's ID, with the same error whether the ID is guessed, another caller's or
    expired.
    """
    raise MCPError(INVALID_PARAMS, "Unknown task: it does not exist, has expired, or is not yours")


def action_of(call: CallContext, invocation: Mapping[str, Any]) -> ActionManifest | None:
    """Return the installed action of an invocation; None if it is not installed."""
    connector, action = invocation.get("connector"), invocation.get("action")
    if not (isinstance(connector, str) and isinstance(action, str)):
        return None
    manifest = call.runtime.catalog.look(connector)[1]
    return None if manifest is None else manifest.actions.get(action)


@dataclass(frozen=True, slots=True)
class OutputPart:
    """Requested part of a call's output: the selection of ``select``, and at most ``most``
    bytes.
    """

    select: str | None = None
    most: int = DEFAULT_BYTES

    @classmethod
    def of(cls, invocation: Mapping[str, Any]) -> OutputPart:
        """Return the part that an invocation requests.

        :raises InvalidInvocation: if it is not valid.
        """
        asked = parse_invocation(invocation)
        if len((asked.select or "").encode("utf-8", "surrogatepass")) > _LONGEST_PART:
            detail = Detail("/select", f"'select' of a task has at most {_LONGEST_PART:,} bytes")
            raise InvalidInvocation(
                "1 member of the invocation is not valid",
                details=[detail],
                hint="Read the whole with 'read_result'.",
            )
        return cls(asked.select, asked.max_bytes or DEFAULT_BYTES)

    def to_json(self) -> Json:
        """Return the part as JSON."""
        return {"select": self.select, "maxBytes": self.most}


WHOLE = OutputPart()


class CutResults:
    """Results of tasks whose output was too large, with the files that hold the whole output."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str | None, OutputPart], tuple[float, Result]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()

    def find(
        self, call: CallContext, entry: Entry, result: Result, part: OutputPart, now: float
    ) -> Result:
        """Return a Result with the requested part of its output, shortened to fit into an
        answer.
        """
        key = (call.runtime.workspace, entry.id, call.caller.name, part)
        with self._lock:
            until, known = self._known.get(key, (0.0, result))
        if now < until:
            return known
        found = part_of(result, part, call)
        if found.meta.truncated is not None:
            with self._lock:
                self._known[key] = now + _CUT_FOR, found
                if len(self._known) > _CUT:
                    self._known.popitem(last=False)
        return found


def part_of(result: Result, part: OutputPart, call: CallContext) -> Result:
    """Return a recorded Result with the requested part of its output."""
    found = (
        result if part.select is None or result.output is None else selected(part.select, result)
    )
    runtime = call.runtime
    if not runtime.files.enabled:
        return found
    return fitted(
        found, part.most, call.caller.name, runtime.files, runtime.workspace, result.output
    )


class Tasks:
    """Tasks of one caller. All methods read the database: call them in a thread."""

    def __init__(self, call: CallContext, cut: CutResults) -> None:
        self._call = call
        self._cut = cut

    def identifier(self, invocation_id: str, part: OutputPart = WHOLE) -> str:
        """Return the ID of an invocation's task. The requested part of its output is sealed in the
        ID, since nothing else stores it.
        """
        plain = invocation_id.replace("-", "")
        behind = (
            ""
            if part == WHOLE
            else f".{self._sealed((*_PART, plain), json.dumps(part.to_json(), ensure_ascii=False))}"
        )
        return f"{plain}{self._digest(plain)}{behind}"

    def part(self, task_id: str) -> OutputPart:
        """Return the requested part of a task's output.

        :raises MCPError: if this server did not make the ID.
        """
        whole, dot, behind = task_id.partition(".")
        if not dot:
            return WHOLE
        found = self._unsealed((*_PART, whole[:_DIGITS]), behind)
        if found is None:
            refuse_unknown()
        about = json.loads(found)
        return OutputPart(about["select"], about["maxBytes"])

    def find(self, task_id: str) -> Entry:
        """Return the journal's entry of a task.

        :raises MCPError: if the caller has no such task, or may no longer see it.
        """
        whole = task_id.partition(".")[0]
        self.part(task_id)
        plain, digest = whole[:_DIGITS], whole[_DIGITS:]
        if (
            len(whole) != 2 * _DIGITS
            or not task_id.isascii()
            or not hmac.compare_digest(digest, self._digest(plain))
        ):
            refuse_unknown()
        entry = self._entry(f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}")
        if not entry.is_open and self._now() > max(
            entry.created_at + TTL, (entry.settled_at or 0.0) + AFTER_END
        ):
            refuse_unknown()
        return entry

    def made(self, invocation_id: str) -> Entry:
        """Return the entry of an invocation that this caller has just made.

        :raises MCPError: if changed rules now hide it.
        """
        return self._entry(invocation_id)

    def labelled(self, invocation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an invocation with the label by which its task is listed; unchanged if it already
        has the maximum of labels.
        """
        context = invocation.get("context", {})
        labels = context.get("labels", {}) if isinstance(context, Mapping) else None
        if (
            self._call.runtime.journal is None
            or not isinstance(labels, Mapping)
            or len(labels) >= MAX_LABELS
        ):
            return invocation
        return {**invocation, "context": {**context, "labels": {**labels, _LABEL: self._label()}}}

    def page(self, cursor: str | None) -> tuple[list[Entry], str | None]:
        """Return a page of the caller's own tasks of 2025-11-25, the newest first, and the cursor
        of the next page, None on the last page.

        :raises MCPError: if the cursor is not valid.
        """
        call = self._call
        try:
            cursor = None if cursor is None else self._place(cursor)
            journal = call.runtime.journal_of(call.caller)
            filters: Json = {
                "caller": call.caller.name,
                "label": f"{_LABEL}={self._label()}",
                "since": self._now() - TTL,
            }
            found, following = journal.entries(
                cursor=cursor,
                limit=_PAGE,
                **{name: value for name, value in filters.items() if value},
            )
        except InvalidInvocation:
            raise MCPError(INVALID_PARAMS, "The cursor is not that of a page") from None
        following = (
            None if following is None else self._sealed((*_CURSOR, self._label()), following)
        )
        return [entry for entry in found if entry.caller == call.caller.name], following

    def _place(self, cursor: str) -> str:
        """Return the journal's cursor in the sealed cursor of a page. It is sealed since it names
        an entry that may be another caller's.

        :raises InvalidInvocation: if it is no cursor of this caller.
        """
        found = self._unsealed((*_CURSOR, self._label()), cursor)
        if found is None:
            raise InvalidInvocation("the cursor is not that of a page")
        return found

    def cancel(self, task_id: str) -> Entry:
        """Cancel a task that has not been sent or that its provider can cancel, and return its
        entry. An ended task is unchanged.

        :raises MCPError: if there is no such task, or the caller may not run actions.
        """
        entry, call = self.find(task_id), self._call
        if call.caller.scope is not None and not may(call.caller.scope, "invoke"):
            raise MCPError(INVALID_REQUEST, "This needs the scope 'invoke'")
        if entry.is_open:
            call.runtime.cancel(entry.id)
            entry = self.find(task_id)
        return entry

    def twin_key(self, invocation: Mapping[str, Any]) -> str | None:
        """Return the prefix of the idempotency keys of equal calls of this caller, only one of
        which may be open at a time.

        None for a call that has a key of its own, changes nothing, or is to be repeated.

        Calls that are answered at once are distinguished by their twins (``recording.twins``),
        which queued calls lack.
        """
        caller = self._call.caller
        if caller.identity is None or "idempotencyKey" in invocation or invocation.get("repeat"):
            return None
        action = action_of(self._call, invocation)
        if action is None or action.rule_effect != "write":
            return None
        members = ("connector", "action", "connectorVersion", "connection", "inputs")
        call = [*_holder(caller), *map(invocation.get, members)]
        return f"{_KEY_PREFIX}{self._hmac(['mcp call', *call])}"

    def result(self, entry: Entry, task_id: str) -> Result:
        """Return the recorded Result of an ended task, with the requested part of its output. For a
        large output, it has the size, the shape, and a file with the whole.
        """
        return self._cut.find(self._call, entry, recorded(entry), self.part(task_id), self._now())

    def _entry(self, invocation_id: str) -> Entry:
        try:
            return self._call.runtime.journal_of(self._call.caller).find(invocation_id)
        except InvalidInvocation:
            refuse_unknown()

    def _label(self) -> str:
        return self._hmac(["mcp tasks", *_holder(self._call.caller)])

    def _digest(self, plain: str) -> str:
        return self._hmac(["mcp task", *_holder(self._call.caller), plain])

    def _hmac(self, parts: list[Any]) -> str:
        journal, text = self._journal(), json.dumps(parts, sort_keys=True)
        return journal.vault.hmac(journal.workspace, text.encode("utf-8", "surrogatepass"))[
            :_DIGITS
        ]

    def _sealed(self, about: tuple[str, ...], text: str) -> str:
        journal = self._journal()
        return str(
            journal.vault.seal_text(journal.workspace, about, text.encode("utf-8", "surrogatepass"))
        )

    def _unsealed(self, about: tuple[str, ...], text: str) -> str | None:
        """Return the unsealed text; None if it was not sealed for ``about``."""
        journal = self._journal()
        try:
            found: bytes = journal.vault.open_text(journal.workspace, about, text)
        except SealBroken:
            return None
        return found.decode("utf-8", "surrogatepass")

    def _now(self) -> float:
        return self._journal().time.now()

    def _journal(self) -> Journal:
        journal = self._call.runtime.journal
        if journal is None:
            refuse_unknown()
        return journal


def _holder(caller: Caller) -> tuple[str, str]:
    """Return the owner of a caller's tasks: a token, a person, or, over stdio, the person who
    starts the program.
    """
    found = caller.identity
    return ("process", "") if found is None or not caller.remote else found


def status_of(entry: Entry, *, is_modern: bool) -> Status:
    """Return the state of a task. ``failed`` means an error of ours for clients of 2026-07-28, and
    any error for clients of 2025-11-25.
    """
    if entry.is_open:
        return _STATUS[entry.status]
    if entry.error_code == "cancelled":
        return "cancelled"
    is_failed = entry.error_code == "internal" if is_modern else entry.status != "succeeded"
    return "failed" if is_failed else "completed"


def _message(entry: Entry) -> str | None:
    if entry.status == "waiting":
        return f"A person has to approve it first, until {iso(entry.not_after)}."
    if entry.is_open and entry.cancel_requested_at is not None:
        return "It was asked to stop; what was sent runs to its end."
    progress = entry.progress
    return (progress["text"] or None) if progress is not None else None


def _times(entry: Entry) -> Json:
    changed = max(
        entry.created_at,
        entry.started_at or 0.0,
        entry.settled_at or 0.0,
        entry.corrected_at or 0.0,
    )
    return {"createdAt": iso(entry.created_at), "lastUpdatedAt": iso(changed)}


def modern_task(entry: Entry, task_id: str) -> Json:
    """Return a task in the form of the extension."""
    text, poll = _message(entry), _POLL_WAITING if entry.status == "waiting" else _POLL
    members = {
        "taskId": task_id,
        "status": status_of(entry, is_modern=True),
        **_times(entry),
        "ttlMs": int(TTL * 1000),
    }
    return (
        members
        | ({"pollIntervalMs": poll} if entry.is_open else {})
        | ({} if text is None else {"statusMessage": text})
    )


def legacy_task(entry: Entry, task_id: str) -> Json:
    """Return a task in the form of 2025-11-25."""
    text, poll = _message(entry), _POLL_WAITING if entry.status == "waiting" else _POLL
    members = {
        "taskId": task_id,
        "status": status_of(entry, is_modern=False),
        **_times(entry),
        "ttl": int(TTL * 1000),
    }
    return (
        members
        | ({"pollInterval": poll} if entry.is_open else {})
        | ({} if text is None else {"statusMessage": text})
    )


def detailed_task(tasks: Tasks, entry: Entry, task_id: str) -> Json:
    """Return a task with its result once it has one, as ``tasks/get`` of the extension answers."""
    found = {"resultType": "complete", **modern_task(entry, task_id)}
    if found["status"] == "completed":
        return {
            **found,
            "result": to_members(answered(tasks.result(entry, task_id), structured=True)),
        }
    if found["status"] == "failed":
        return {
            **found,
            "error": {
                "code": INTERNAL_ERROR,
                "message": f"an unexpected error, in the invocation {entry.id}",
            },
        }
    return found


def refused_task(error: JackfieldError) -> MCPError:
    """Return the protocol's error for a task that was refused before it was created."""
    return MCPError(
        INTERNAL_ERROR if error.code == "internal" else INVALID_PARAMS,
        error.message,
        {"error": error.to_json("mcp")},
    )
