"""One attempt of an action against a loopback provider, with everything observable about the
attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from jackfield.call.errors_map import Unmapped, explained, weigh
from jackfield.connector import (
    ANYWHERE,
    Action,
    Call,
    ConnectionType,
    Guard,
    Inputs,
    JackfieldError,
    Minted,
    OpenContext,
    Sent,
)
from jackfield.connector.context import IdempotencyKey, entered
from jackfield.connector.conversion import dumped
from jackfield.connector.streamed import store_files
from jackfield.kernel.clock import Deadline
from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.manifest.manifest import Manifest
from jackfield.schema import CompiledSchema
from jackfield_market.testing.fake_clock import FakeClock
from jackfield_market.testing.loopback_provider import Provider, Request, Script
from jackfield_market.testing.loopback_provider import Step as Played
from jackfield_market.testing.subject import Subject

SECRET = "conformance-secret-4711"  # noqa: S105 (planted; the rules search for it)
URL = "${url}"
"""Placeholder of the server's address in values of ``tool.jackfield.check``."""
OTHER_SECRET = SECRET[::-1]
"""Secret of a second connection."""
_KEY = "conformance-key-52f1"
"""Idempotency key of every attempt, so that attempts do not differ by their key."""
_TODAY = 1_893_456_000.0
"""Time of every attempt, in seconds since 1970: 2030-01-01."""
PATIENCE = 10.0
"""Maximum duration of an attempt, in seconds."""
DEADLINE = 600.0
"""Deadline of an attempt without another deadline, in seconds of its clock; recorded jobs need long
waits.
"""
_GRACE = 1.5
"""Seconds after its deadline when an attempt is abandoned."""


@dataclass
class Drive:
    """Outcome of one attempt. ``ended`` is False if the attempt overran its deadline; ``opened``
    counts the requests sent while opening.
    """

    call: Call
    output: Any = None
    error: JackfieldError | None = None
    raised: Exception | None = None
    client: Any = None
    opened: int = 0
    printed: str = ""
    ended: bool = True
    map_faults: list[str] = field(default_factory=list)
    requests: tuple[Request, ...] = ()
    secret: str = SECRET
    started: float = 0.0
    """Start of the attempt by the machine's clock, in seconds since 1970."""
    url: str = ""
    """Address of the provider."""

    @property
    def tells_all(self) -> bool:
        """Return whether no other response can change the verdict: the run has not ended, or a bug
        ended it before its first request.
        """
        is_early = self.client is not None and len(self.requests) == self.opened
        return not self.ended or (is_early and isinstance(self.error, Unmapped))

    @cached_property
    def answer(self) -> Mapping[str, Any] | Raised:
        """Return the output as JSON, or the exception of an attempt without output."""
        return attempt(dumped, self.output)


class _Clock(FakeClock):
    """Clock that starts every attempt at the same time."""

    def time(self) -> float:
        """Return seconds since 1970, UTC."""
        return _TODAY + self.waited


class _TryCache:
    """Leases and cached objects of one attempt."""

    def __init__(self) -> None:
        self._objects: dict[object, Any] = {}

    def lease(
        self,
        key: str,
        mint: Callable[[], Minted],
        _deadline: Deadline,
        *,
        outlasts: bool = False,  # noqa: ARG002 (as the runtime's)
    ) -> Minted:
        found: Minted = self._objects.setdefault(("lease", key), None) or mint()
        self._objects["lease", key] = found
        return found

    def drop(self, key: str, _used: Minted) -> None:
        self._objects.pop(("lease", key), None)

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        if key not in self._objects:
            self._objects[key] = make()
        return self._objects[key]


class _Files:
    """Storage of the files of one attempt: it reads them to their end and stores nothing."""

    def store(
        self, chunks: Iterable[bytes], content_type: str, name: str | None
    ) -> Mapping[str, Any]:
        """Read a file to its end, and return it in the form of an output."""
        size = sum(map(len, chunks))
        stored = {
            "file": "conformance-file",
            "size": size,
            "contentType": content_type,
            "expiresAt": "2030-01-01T00:00:00.000Z",
        }
        return stored if name is None else {**stored, "name": name}

    def find(self, identifier: str) -> None:
        """Return None: no file is stored."""
        del identifier


def server_type(
    manifest: Manifest, values: Mapping[str, Any], connection: str | None = None
) -> str | None:
    """Return the key of the connection type whose values contain the server's address; None without
    such a type.

    The loopback provider can replace this address. If ``connection`` is given, it is the key.
    """
    if connection is not None:
        return connection if connection in manifest.connection_types else None
    for key, kind in manifest.connection_types.items():
        if values or any(_is_server(kind.schema, name) for name in kind.schema.get("required", ())):
            return key
    return None


def server_kind(subject: Subject) -> type[ConnectionType] | None:
    """Return the class of the connection type that ``server_type`` finds; None if there is no such
    type, or only an outdated manifest declares it.
    """
    key = server_type(subject.manifest, subject.values, subject.connection)
    return None if key is None else subject.connector.connections.get(key)


def drivable(
    subject: Subject, *, hanging: bool = False
) -> Iterator[tuple[Action, Mapping[str, Any]]]:
    """Yield the actions to run, each with its first example: all runnable actions, or as many as
    the suite's sample allows.

    Unless ``hanging``, omit actions that did not end although the provider had responded well, or
    that failed before their first request. The rule 'output-is-declared' names them; another run
    would have the same result.
    """
    found = list(runnable(subject))
    step = max(1, -(-len(found) // subject.sample)) if subject.sample else 1
    for action, example in found[::step]:
        well: Drive | None = subject.outcomes.get((action.key, "well"))
        if hanging or well is None or not well.tells_all:
            yield action, example


def runnable(subject: Subject) -> Iterator[tuple[Action, Mapping[str, Any]]]:
    """Yield each action that has an example, needs a client and is not left out, with its first
    example.

    The example of a job must have been recorded, since its output omits the earlier responses.
    """
    for raw in subject.manifest.raw["actions"]:
        action = subject.connector.actions.get(raw["key"])
        if (
            action is None
            or not action.takes_client
            or action.key in subject.left_out
            or not raw.get("examples")
        ):
            continue
        recording = None if action.job is None else subject.recording(raw["examples"][0])
        if action.job is None or (recording is not None and recording.is_file()):
            yield action, raw["examples"][0]


def would_repeat(subject: Subject, found: Drive) -> bool:
    """Return whether the runtime would treat the failed attempt as one without effect."""
    kind = server_kind(subject)
    if found.error is None or kind is None:
        return False
    weigh(found.error, found.call, reports=kind.reports_begin)
    return found.error.sent is not Sent.UNKNOWN and not found.call.done


def once(subject: Subject, action: Action, situation: str, run: Callable[[], Drive]) -> Drive:
    """Return the attempt of an action in a situation that several rules examine; the first rule
    runs it.
    """
    key = (action.key, situation)
    if key not in subject.outcomes:
        subject.outcomes[key] = run()
    found: Drive = subject.outcomes[key]
    return found


def drive(
    subject: Subject,
    action: Action | None,
    example: Mapping[str, Any],
    script: Script,
    *,
    seconds: float | None = None,
    deadline: float = DEADLINE,
    port: str | None = None,
    guard: Guard = ANYWHERE,
    leaves: Literal["before", "during"] | None = None,
    secret: str = SECRET,
    captured: bool = True,
    step: Action | None = None,
    handle: Mapping[str, Any] | None = None,
) -> Drive:
    """Open a connection and run one attempt of an action in a thread with a time limit.

    Without an action, run the type's own test. With a ``handle``, run a ``step`` of its job.

    The attempt must end after ``seconds``, which are then its deadline. Without ``seconds``, a
    fixed limit applies, and the long ``deadline`` on the fake clock, whose waits take no real time.
    The caller ``leaves`` before the attempt, or during its first request. Without ``captured``,
    stdout is not captured: it belongs to the whole process, so only one thread at a time can
    capture it.
    """
    limit = Deadline.after(seconds or deadline, _Clock())
    found = Drive(
        Call(limit, invocation_id="conformance", key=IdempotencyKey(_KEY), files=_Files()),
        secret=secret,
        started=time.time(),
    )
    if leaves == "before":
        found.call.cancelled.set()

    def play(number: int, request: Request) -> Played:
        if leaves == "during":
            found.call.cancelled.set()
        return script(number, request)

    printed = io.StringIO()
    with (
        Provider(play) as provider,
        contextlib.redirect_stdout(printed) if captured else contextlib.nullcontext(),
    ):
        found.url = provider.url
        code = action if step is None else step
        given = (
            subject,
            action,
            code,
            handle,
            example,
            provider,
            port or provider.url,
            guard,
            found,
        )
        thread = threading.Thread(target=_run, args=given, daemon=True)
        thread.start()
        thread.join((seconds or PATIENCE) + _GRACE)
        found.ended = not thread.is_alive()
        provider.settle()
        found.requests = tuple(provider.requests)
    found.printed = printed.getvalue()
    return found


def _run(
    subject: Subject,
    action: Action | None,
    code: Action | None,
    handle: Mapping[str, Any] | None,
    example: Mapping[str, Any],
    provider: Provider,
    url: str,
    guard: Guard,
    found: Drive,
) -> None:
    kind = server_kind(subject)
    if kind is None:
        return
    inputs = (
        _validator(subject, action).check(example["invocation"]["inputs"]).value
        if action is not None
        else {}
    )
    values: Inputs | None = None
    context = _context(subject, found.call, inputs, guard)

    def report(text: str, fault: BaseException) -> None:
        found.map_faults.append(f"{text}: {type(fault).__name__}")

    def step() -> None:
        nonlocal values
        values = action.inputs.model_validate(inputs) if action is not None else None
        opened = _connection(subject, kind, url, found.secret)
        with entered(found.call):
            if code is None:
                found.output = list(opened.test(context))
                return
            found.client = opened.open(context)
            found.opened = len(provider.requests)
            if not kind.reports_begin:  # the runtime does likewise
                found.call.check()
            found.call.entered, found.call.begun = True, not kind.reports_begin
            output = code.function(values if handle is None else handle, found.client)
            found.output = asyncio.run(output) if code.is_async else output
            if code.returns_files:
                store_files(found.output, found.call.files)

    failure = attempt_foreign(step)
    if failure is not None:
        found.raised = failure.error
        found.error = explained(
            subject.connector, failure.error, found.client, values, found.call, report
        )


def _context(subject: Subject, call: Call, inputs: Mapping[str, Any], guard: Guard) -> OpenContext:
    return OpenContext(
        "default",
        "conformance",
        subject.connector.key,
        inputs,
        {},
        call,
        call.deadline.clock,
        {},
        _TryCache(),
        guard,
    )


def _connection(
    subject: Subject, kind: type[ConnectionType], url: str, secret: str
) -> ConnectionType:
    schema = subject.manifest.connection_types[kind.key].schema
    return kind.model_validate(server_values(schema, subject.values, url, secret))


def over_client(subject: Subject, url: str, step: Callable[[Any], Any]) -> Any:
    """Run a step of a trigger with an open client of the server at ``url``, as the runtime does.

    :raises Exception: any exception of the step.
    """
    kind, call = (
        server_kind(subject),
        Call(
            Deadline.after(DEADLINE, _Clock()),
            invocation_id="conformance",
            key=IdempotencyKey(_KEY),
        ),
    )
    if kind is None:
        return step(None)
    with entered(call):
        return step(
            _connection(subject, kind, url, SECRET).open(_context(subject, call, {}, ANYWHERE))
        )


def accepts(subject: Subject, action: Action, inputs: Mapping[str, Any]) -> bool:
    """Return whether an action's schema accepts inputs."""
    return not _validator(subject, action).check(inputs).details


def _validator(subject: Subject, action: Action) -> CompiledSchema:
    return subject.compiled(f"inputs of {action.key}", subject.manifest.actions[action.key].inputs)


def server_values(
    schema: Mapping[str, Any], values: Mapping[str, Any], url: str, secret: str = SECRET
) -> dict[str, Any]:
    """Return values of a connection type for a server at ``url``: ``values``, and a sample of each
    other required value.
    """
    required = schema.get("required", ())
    samples = {
        name: _sample(schema, name, url)
        for name in schema.get("properties", {})
        if name in required
    }
    given = {**samples, **values}
    return {
        name: value.replace(URL, url).replace(SECRET, secret) if isinstance(value, str) else value
        for name, value in given.items()
    }


def server_names(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that contain the server's address, by name, with ``${url}`` in place of the
    address.
    """
    named = {
        name: value for name, value in values.items() if isinstance(value, str) and URL in value
    }
    return named or {name: URL for name in schema.get("required", ()) if _is_server(schema, name)}


def _sample(schema: Mapping[str, Any], name: str, url: str) -> Any:
    field = schema["properties"][name]
    if _is_server(schema, name):
        return url
    if field.get("writeOnly"):
        return SECRET
    known = [
        *field.get("examples", ()),
        *field.get("enum", ()),
        *([field["const"]] if "const" in field else ()),
    ]
    if known:
        return known[0]
    return {
        "integer": field.get("minimum", 1),
        "number": 1,
        "boolean": False,
        "array": [],
        "object": {},
    }.get(field.get("type"), "conformance")


def _is_server(schema: Mapping[str, Any], name: str) -> bool:
    return bool(schema["properties"][name].get("format") == "uri")
