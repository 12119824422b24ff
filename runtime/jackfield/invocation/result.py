"""The Result of an invocation (docs/reference/result.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from jackfield.kernel.dataclass import core_schema, dataclass, field
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.frames import bordered

if TYPE_CHECKING:
    from jackfield.invocation.returned_files import ReturnedFile

Status = Literal["succeeded", "failed", "in_doubt"]

_STATUSES = ("succeeded", "failed", "in_doubt", "queued", "running", "waiting")

UNENDED = ("queued", "running", "waiting")
"""Statuses of an invocation that has not ended."""
WAITING_CODE = 4
"""Exit code of a call that waits for a person's approval."""

NO_PROGRESS: Mapping[str, Any] = {"fraction": 0.0, "text": ""}
"""Progress of a job that has reported no progress."""


def _error_key(error: JackfieldError | None) -> object:
    return error and (type(error), error.to_json())


def _parse_result(given: Mapping[str, Any]) -> Result:
    """Parse a Result's JSON, or its fields from ``dataclasses.asdict``, since frameworks validate
    either form.
    """
    if given["status"] not in _STATUSES:
        raise ValueError(f"has no status of a Result, but {str(given['status'])[:80]!r}")
    meta, error = given.get("meta", given), given.get("error")
    if not {"invocationId", "invocation_id"} & meta.keys():
        raise ValueError(
            "has no 'invocationId': it is in 'meta', or beside the status of what has not ended"
        )
    if "invocation_id" in meta:
        said = error and error["provider"]
        given = {
            **given,
            "meta": _camel_case(meta),
            "error": error and {**error, "provider": said and _camel_case(said)},
        }
    return Result.from_json(given)


def _camel_case(members: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: name.split("_") for name in members}
    return {
        first + "".join(map(str.title, rest)): members[name]
        for name, (first, *rest) in words.items()
    }


def new_invocation_id() -> str:
    """Return a new UUIDv7: the time in units of 2^-12 ms, so that a process's IDs are in order (RFC
    9562 §6.2, method 3), and 62 random bits.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8))
    text = f"{(milliseconds & (1 << 48) - 1) << 80 | (rest << 12) // 1_000_000 << 64 | random:032x}"
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{'89ab'[random >> 62]}{text[17:20]}-{text[20:]}"


@dataclass(slots=True)
class Meta:
    """Facts about a run. ``attempts`` counts attempts started; ``duration_ms`` covers the whole
    pipeline.
    """

    invocation_id: str
    connector: str | None = None
    connector_version: str | None = None
    action: str | None = None
    attempts: int = 0
    duration_ms: float = 0.0
    request_id: str | None = None
    replayed: bool = False
    twin_of: str | None = None
    """ID of the equal open write without a key. This is its Result, and nothing was sent again."""
    dry_run: bool = False
    selected: bool = False
    """True if the output is only the selection of the call's ``select``, under the member
    ``selected``.
    """
    truncated: Mapping[str, Any] | None = None
    """Facts about an output with more bytes of JSON than ``maxBytes``: its ``bytes``, and the
    ``file`` with the whole output.
    """
    complete: bool | None = None
    next: Mapping[str, Any] | None = None
    """Inputs to merge into the next call of a paginated action, which fetches the missing pages."""
    warnings: tuple[Mapping[str, Any], ...] = ()
    """Warnings, each with ``path`` and ``message``: the action's remarks on a success, and
    differences between the output and a schema that only describes it.
    """
    approval: Mapping[str, Any] | None = None
    """Approval that the invocation waits for: ``id``, which an approver uses, and ``expiresAt``."""
    request: Mapping[str, Any] | None = None
    """Request that a call would send, without sign-in and with secrets masked; for dry runs of
    actions that describe their requests.
    """
    resolution: Mapping[str, Any] | None = None
    """Resolution of a doubt by a person, or by evidence: ``by``, ``at``, and the ``error`` that
    caused the doubt.
    """
    settling: Mapping[str, Any] | None = None
    """State of a doubt that evidence may still settle: the number of ``looks`` made, and the time
    of the ``next``. It is not recorded.
    """
    observed: bool = field(default=False, init=False, compare=False)
    """True if another call or process has ended the invocation, and this Result was read from the
    journal. It is not part of the JSON.
    """

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Meta:
        """Parse the output of ``to_json``."""
        return cls(
            data["invocationId"],
            connector=data.get("connector"),
            connector_version=data.get("connectorVersion"),
            action=data.get("action"),
            attempts=data.get("attempts", 0),
            duration_ms=data.get("durationMs", 0.0),
            request_id=data.get("requestId"),
            replayed=data.get("replayed", False),
            twin_of=data.get("twinOf"),
            dry_run=data.get("dryRun", False),
            selected=data.get("selected", False),
            truncated=data.get("truncated"),
            complete=data.get("complete"),
            next=data.get("next"),
            warnings=tuple(data.get("warnings", ())),
            approval=data.get("approval"),
            request=data.get("request"),
            resolution=data.get("resolution"),
            settling=data.get("settling"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ``meta`` member of a Result."""
        members: dict[str, Any] = {
            "invocationId": self.invocation_id,
            "connector": self.connector,
            "connectorVersion": self.connector_version,
            "action": self.action,
            "attempts": self.attempts,
            "durationMs": self.duration_ms,
            "requestId": self.request_id,
            "replayed": self.replayed,
            "twinOf": self.twin_of,
            "dryRun": self.dry_run or None,
            "selected": self.selected or None,
            "truncated": self.truncated,
            "complete": self.complete,
            "next": self.next,
            "warnings": list(self.warnings) or None,
            "approval": self.approval,
            "request": self.request,
            "resolution": self.resolution,
            "settling": self.settling,
        }
        return {name: value for name, value in members.items() if value is not None}


class _Origin:
    """Base of a Result with functions of the runtime that made it, which stay in its process."""

    __slots__ = ("opener", "waiter")
    waiter: Callable[[str, float | None], Result] | None
    """Function that waits for the end of an invocation; None without a runtime."""
    opener: Callable[[str], BinaryIO] | None
    """Function that opens a stored file by its ID; None without a runtime."""


@dataclass(frozen=True, slots=True, repr=False)
class Result(_Origin):
    """Outcome of an invocation. ``output`` is set on success (after a dry run only if the action
    has a preview), ``error`` otherwise.

    A running job has neither, but ``progress``: ``fraction``, from 0 to 1, and ``text``; ``wait``
    waits for its end. An invocation of status ``queued`` has not started; a wait returns such a
    Result, and so does ``enqueue`` for an idempotency key whose invocation has not ended. An
    invocation of status ``waiting`` starts only if a person approves it (``meta.approval``).
    """

    status: Status | Literal["queued", "running", "waiting"]
    meta: Meta
    output: Mapping[str, Any] | None = None
    error: JackfieldError | None = None
    progress: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "waiter", None)
        object.__setattr__(self, "opener", None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        mine, yours = ((one.status, one.meta, one.output, one.progress) for one in (self, other))
        return mine == yours and _error_key(self.error) == _error_key(other.error)

    def __hash__(self) -> int:
        return hash((self.status, self.meta.invocation_id))

    def __copy__(self) -> Result:
        return self._with_origin(Result(*self.__getstate__()))

    def __deepcopy__(self, memo: dict[int, Any]) -> Result:
        return self._with_origin(Result(*deepcopy(self.__getstate__(), memo)))

    def _with_origin(self, copied: Result) -> Result:
        object.__setattr__(copied, "waiter", self.waiter)
        object.__setattr__(copied, "opener", self.opener)
        return copied

    def __repr__(self) -> str:  # outputs and details stay out of logs
        code = f" {self.error.code}" if self.error is not None and self.status == "failed" else ""
        return f"<Result {self.status}{code} {self.meta.invocation_id}>"

    def _repr_html_(self) -> str:
        """Return the table for a notebook, without values of the output, which may be secret."""
        from jackfield.invocation.display import table_of

        return table_of(self.to_json())

    def to_json(self, surface: str = "library") -> dict[str, Any]:
        """Return the Result as JSON (docs/reference/result.md), with hints worded for
        ``surface``.
        """
        if self.status == "queued":
            return {"invocationId": self.meta.invocation_id, "status": self.status}
        if self.status == "running":
            return {
                "invocationId": self.meta.invocation_id,
                "status": self.status,
                "progress": dict(self.progress or NO_PROGRESS),
            }
        body: dict[str, Any] = {"status": self.status}
        if self.output is not None:
            body["output"] = dict(self.output)
        if self.error is not None:
            body["error"] = self.error.to_json(surface)
        body["meta"] = self.meta.to_json()
        return body

    def __getstate__(self) -> tuple[Any, ...]:
        # what opens files stays with its process
        return self.status, self.meta, self.output, self.error, self.progress

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        Result.__init__(self, *state)

    @bordered
    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the end of a job, of a call that waits for an approval, or of a doubt that
        evidence may settle (``meta.settling``).

        Wait for at most ``timeout`` seconds (default: until it ends), and return its Result; any
        other Result is returned at once. If the time passes first, the returned Result again has
        not ended, or is in doubt.

        This thread polls the provider while no server or worker does. In asyncio, await
        ``Jackfield.await_``.

        :raises ValueError: if the Result came without a runtime (unpickled, for instance): call
            ``Jackfield.wait`` with its ID.
        """
        if self.status not in UNENDED and self.meta.settling is None:
            return self
        if self.waiter is None:
            raise ValueError(
                f"this Result has no runtime: call Jackfield.wait('{self.meta.invocation_id}')"
            )
        return self.waiter(self.meta.invocation_id, timeout)

    @property
    @bordered
    def files(self) -> tuple[ReturnedFile, ...]:
        """Files in the output, in its order: small files, which it contains as base64, and stored
        files. Empty without an output.
        """
        from jackfield.invocation.returned_files import returned_files

        return () if self.output is None else tuple(returned_files(self.output, self.opener))

    @classmethod
    @bordered
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """Parse the output of ``to_json``."""
        error = data.get("error")
        return cls(
            status=data["status"],
            # a job that still runs has nothing but its id
            meta=Meta.from_json(data.get("meta", data)),
            output=data.get("output"),
            error=None if error is None else JackfieldError.from_json(error),
            progress=data.get("progress"),
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> dict[str, Any]:
        return core_schema(cls, _parse_result)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: object, _handler: object) -> dict[str, Any]:
        anything, text, pieces = (
            {"type": "object"},
            {"type": "string"},
            {"type": "array", "items": {"type": "object"}},
        )
        failure = {
            "code": text,
            "message": text,
            "retryable": {"type": "boolean"},
            "details": pieces,
            "hint": text,
            "provider": anything,
        }
        facts = {
            "invocationId": text,
            "connector": text,
            "action": text,
            "attempts": {"type": "integer"},
            "durationMs": {"type": "number"},
            "replayed": {"type": "boolean"},
            "warnings": pieces,
        }
        error = {**anything, "properties": failure, "required": ["code", "message", "retryable"]}
        meta = {**anything, "properties": facts, "required": ["invocationId"]}
        members = {
            "status": {"enum": [*_STATUSES]},
            "output": anything,
            "error": error,
            "meta": meta,
            "progress": anything,
        }
        # the second has not ended
        either = [{"required": ["status", "meta"]}, {"required": ["status", "invocationId"]}]
        return {
            "type": "object",
            "properties": {**members, "invocationId": text},
            "anyOf": either,
            "title": "Result",
        }

    def unwrap(self) -> Mapping[str, Any]:
        """Return the output of a success.

        :raises InvocationWaiting: if the invocation waits for a person's approval; it holds this
            Result.
        :raises InvocationFailed: if the invocation failed, is in doubt or still runs; it holds this
            Result.
        """
        if self.status == "waiting":
            raise InvocationWaiting(self)
        if self.status != "succeeded":
            raise InvocationFailed(self)
        return cast("Mapping[str, Any]", self.output if self.output is not None else {})

    @property
    def exit_code(self) -> int:
        """Exit code: 0 succeeded (or a job that still runs), 1 failed, 2 invalid, 3 in doubt, 4
        waiting (docs/reference/cli.md).
        """
        if self.status == "waiting":
            return WAITING_CODE
        return 0 if self.error is None else self.error.exit_code


class InvocationFailed(Exception):
    """Error of ``Result.unwrap()`` for a Result that is not a success; ``result`` is the whole
    Result.

    Its argument is the Result's JSON, so that it survives a queue that sends exceptions as JSON, as
    Celery does.
    """

    def __init__(self, result: Result | Mapping[str, Any]) -> None:
        self.result = result if isinstance(result, Result) else Result.from_json(result)
        super().__init__(self.result.to_json())

    def __str__(self) -> str:
        error, has = (
            self.result.error,
            "has not begun yet" if self.result.status == "queued" else "still runs",
        )
        return (
            f"{error.code}: {error}"
            if error is not None
            else f"the invocation {self.result.meta.invocation_id} {has}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.result!r})"


class InvocationWaiting(InvocationFailed):
    """Error of ``Result.unwrap()`` while the invocation waits for a person's approval: nothing was
    sent.
    """

    def __str__(self) -> str:
        until = (self.result.meta.approval or {}).get("expiresAt")
        return (
            f"the invocation {self.result.meta.invocation_id} waits for a person's approval "
            f"until {until}; nothing was sent"
        )


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Queued invocation; ``replayed`` if an earlier request with its idempotency key had queued
    it.
    """

    invocation_id: str
    status: str = "queued"
    replayed: bool = False

    @classmethod
    def of(cls, result: Result) -> Enqueued | None:
        """Return the earlier invocation whose key was used again, if it has not ended yet; None if
        ``result`` is its outcome.
        """
        if result.status not in UNENDED:
            return None
        return cls(
            result.meta.invocation_id,
            result.status,
            replayed=result.status != "waiting" or result.meta.replayed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the members of an HTTP response; ``replayed`` only if true."""
        about = {"invocationId": self.invocation_id, "status": self.status}
        return {**about, "replayed": True} if self.replayed else about
