"""``POST /v1/invocations:batch``: queue many invocations, given as JSON Lines or as an array."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.invocation import Enqueued, Result
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import JackfieldError, LimitReached, Unavailable
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.entry_export import LINES
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import LARGE, computed, decoded, decoded_call, read_body
from jackfield_service.shell.requests.correlation import traced
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.shell.requests.problem import Problem, of_error
from jackfield_service.shell.requests.refusals import refused

MOST_LINES = 10_000
"""Maximum number of invocations in one batch."""
_AT_ONCE, _AT_ONCE_BYTES = 250, 4 * 1024 * 1024
"""Maximum invocations and bytes per commit: about 10 ms, for which other writes wait."""
_LINES = re.compile(r"application/(x-)?(jsonl|jsonlines|json-lines|ndjson)\s*(;|\Z)", re.IGNORECASE)
_CONTENT = re.compile(rb"\S")
_STRIDE = 1024 * 1024
"""Maximum bytes of white space searched by one call, which holds the interpreter's lock for 3
ms.
"""
_JSON = re.compile(r"application/([A-Za-z0-9.-]+\+)?json\s*(;|\Z)", re.IGNORECASE)


async def batch(request: Request, server: ServerContext, identity: Identity) -> Response:
    """Serve ``POST /v1/invocations:batch``: one outcome for each invocation, in order. A refused
    invocation does not affect the others.
    """
    kind = _content_type(request)
    if "idempotency-key" in request.headers:
        raise Problem(
            400, "a batch has no idempotency key: give each invocation its own 'idempotencyKey'"
        )
    runtime = await server.opened(identity.workspace)
    text = await read_body(request, server.settings.max_body)
    in_lines = kind == "lines" or (kind is None and text.lstrip()[:1] != b"[")
    items = await _lines_of(text, request) if in_lines else await _array(text, request)
    written, outage = list[bytes](), _Outage()
    for part in _parts(text, items):
        bodies = [await _completed(item, request) for item in part]
        good = [body for body in bodies if not isinstance(body, Result)]
        queued = iter(
            await server.slowly(partial(runtime.enqueue_many, good, caller=identity.caller))
        )
        for body in bodies:
            found = body if isinstance(body, Result) else next(queued)
            outage.note(found)
            written.append(
                dumps(
                    found.to_json()
                    if isinstance(found, Enqueued)
                    else _outcome(found, identity.surface)
                )
            )  # a Result takes ten times the memory
        server.wake()
    outage.refuse()
    if not in_lines:
        return Response(b"[" + b",".join(written) + b"]", 202, media_type="application/json")
    return Response(b"".join(line + b"\n" for line in written), 202, media_type=LINES)


def _content_type(request: Request) -> str | None:
    """Return ``lines`` or ``array``; None without a content type, so that the body's first
    character decides.

    :raises Problem: 415 for any other content type.
    """
    kind = request.headers.get("content-type", "").strip()
    if _LINES.match(kind):
        return "lines"
    if kind and not _JSON.match(kind):
        raise Problem(
            415,
            f"a batch must be JSON Lines ('Content-Type: {LINES}') or a JSON array "
            "('application/json')",
        )
    return "array" if kind else None


async def _lines_of(text: bytes, request: Request) -> list[tuple[int, int]]:
    return _lines(text) if len(text) < LARGE else await computed(request, partial(_lines, text))


def _lines(text: bytes) -> list[tuple[int, int]]:
    """Return start and end of each non-blank line, without leading white space.

    :raises Problem: 413 if there are too many lines, 400 if there are none.
    """
    found, at = list[tuple[int, int]](), 0
    while at < len(text):
        content = _CONTENT.search(text, at, at + _STRIDE)
        if content is None:
            at += _STRIDE
            continue
        end = text.find(b"\n", content.start())
        end = len(text) if end < 0 else end
        found.append((content.start(), end))
        if len(found) > MOST_LINES:
            raise _too_many()
        at = end + 1
    if not found:
        raise _empty()
    return found


async def _array(text: bytes, request: Request) -> list[Any]:
    """Decode an array.

    :raises Problem: 413 if it has too many items, 400 if it has no items, or is no array.
    """
    try:
        found = await decoded(text, request)
    except JackfieldError as error:
        raise of_error(error, 400) from None
    if not isinstance(found, list):
        raise Problem(
            400,
            "the body must be an array of invocations; send one per line as 'Content-Type: "
            f"{LINES}'",
        )
    if len(found) > MOST_LINES:
        raise _too_many()
    if not found:
        raise _empty()
    return found


def _too_many() -> Problem:
    return Problem(413, f"a batch has at most {MOST_LINES:,} invocations: send several")


def _empty() -> Problem:
    return Problem(400, "the batch is empty: send at least one invocation")


def _parts(text: bytes, items: Sequence[Any]) -> Iterator[list[Any]]:
    """Divide a batch into parts of one commit each: items of an array, or lines as bytes."""
    part, size = list[Any](), 0
    for item in items:
        line = text[item[0] : item[1]] if isinstance(item, tuple) else item
        part.append(line)
        size += len(line) if isinstance(line, bytes) else 0
        if len(part) == _AT_ONCE or size >= _AT_ONCE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


async def _completed(item: Any, request: Request) -> Any:
    """Return an invocation with the request's trace, or the Result of its refusal."""
    body: Any = None
    try:
        body = await decoded_call(item, request) if isinstance(item, bytes) else item
        if isinstance(body, dict):
            return traced(body, request.headers.get("traceparent"))
        return dumps(body) if isinstance(body, str) else body  # a string would be parsed as JSON
    except JackfieldError as error:
        return refused(error, body)


class _Outage:
    """Outage of the database, or of the workspace's queue, as seen in a batch's outcomes. It is
    total if no invocation was, or may have been, queued, and none was refused for a fault of its
    own.
    """

    def __init__(self) -> None:
        self._error: JackfieldError | None = None
        self._is_total = True

    def note(self, found: Enqueued | Result) -> None:
        """Note an outcome."""
        error = found.error if isinstance(found, Result) else None
        self._is_total = (
            self._is_total
            and isinstance(error, Unavailable | LimitReached)
            and not isinstance(error, CommitUnknown)
        )
        self._error = self._error or error

    def refuse(self) -> None:
        """Raise 503 if nothing was queued because the database is unavailable, 429 if the
        workspace's queue is full.

        :raises Problem: in either case.
        """
        if self._is_total and self._error is not None:
            raise of_error(self._error)


def _outcome(result: Result, surface: str) -> dict[str, Any]:
    """Return the line of an invocation that was refused, or that ended earlier under its
    idempotency key.
    """
    if not result.meta.replayed:
        return result.to_json(surface)
    return Enqueued(result.meta.invocation_id, result.status, replayed=True).to_json()


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/invocations:batch",
        batch,
        "invoke",
        "batch",
        "Queue up to 10,000 invocations for the workers: JSON Lines, or an array. The response "
        "has one outcome each, in order.",
        {202: "BatchOutcome"},
        body="Batch",
        problems=(413, 415),
    ),
)
