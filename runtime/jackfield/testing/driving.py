"""One attempt of an action against a loopback provider, with everything observable about it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jackfield.clock import Deadline, SystemClock
from jackfield.connector import ANYWHERE, Action, Call, ConnectionType, Guard, JackfieldError, Minted, OpenContext, Sent
from jackfield.connector.context import entered
from jackfield.failures import attempt
from jackfield.manifest import Manifest
from jackfield.pipe.errors_map import explained, weigh
from jackfield.schema import CompiledSchema, compile_schema
from jackfield.testing.loopback_provider import Answer, Provider, Request, Script
from jackfield.testing.loopback_provider import Step as Played
from jackfield.testing.recordings import answer_of, exchanges
from jackfield.testing.subject import Subject

SECRET = "conformance-secret-4711"  # noqa: S105 (planted; the rules search for it)
URL = "${url}"
"""Stands for the server's address in values of ``tool.jackfield.check``."""
_GRACE = 1.5
"""Seconds beyond its deadline after which an attempt is abandoned."""


@dataclass
class Drive:
    """Outcome of one attempt. ``ended`` is False if it overran its deadline; ``opened`` counts the requests sent by opening."""

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


class _TryCache:
    """Leases and cached objects of one attempt."""

    def __init__(self) -> None:
        self._objects: dict[object, Any] = {}

    def lease(self, key: str, mint: Callable[[], Minted], _deadline: Deadline) -> Minted:
        found: Minted = self._objects.setdefault(("lease", key), None) or mint()
        self._objects["lease", key] = found
        return found

    def drop(self, key: str, _used: Minted) -> None:
        self._objects.pop(("lease", key), None)

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        if key not in self._objects:
            self._objects[key] = make()
        return self._objects[key]


def server_type(manifest: Manifest, values: Mapping[str, Any], connection: str | None = None) -> str | None:
    """Return the key of the connection type whose values name the server, for which the loopback provider can stand in; ``connection`` if
    given."""
    if connection is not None:
        return connection if connection in manifest.connection_types else None
    for key, kind in manifest.connection_types.items():
        if values or any(_is_server(kind.schema, name) for name in kind.schema.get("required", ())):
            return key
    return None


def server_kind(subject: Subject) -> type[ConnectionType] | None:
    """Return the class of the connection type that ``server_type`` finds."""
    key = server_type(subject.manifest, subject.values, subject.connection)
    return None if key is None else subject.connector.connections[key]


def drivable(subject: Subject) -> Iterator[tuple[Action, Mapping[str, Any]]]:
    """Yield the actions to run, each with its first example: all that can be run, or as many as the suite's sample has."""
    found = list(runnable(subject))
    step = max(1, -(-len(found) // subject.sample)) if subject.sample else 1
    yield from found[::step]


def runnable(subject: Subject) -> Iterator[tuple[Action, Mapping[str, Any]]]:
    """Yield each action that has an example, takes a client and is not left out, with its first example."""
    for raw in subject.manifest.raw["actions"]:
        action = subject.connector.actions.get(raw["key"])
        if action is not None and action.takes_client and action.key not in subject.left_out and raw.get("examples"):
            yield action, raw["examples"][0]


def would_repeat(subject: Subject, found: Drive) -> bool:
    """Return True if the runtime would treat the failed attempt as one without effect."""
    kind = server_kind(subject)
    if found.error is None or kind is None:
        return False
    weigh(found.error, found.call, reports=kind.reports_begin)
    return found.error.sent is not Sent.UNKNOWN and not found.call.done


def expected(subject: Subject, example: Mapping[str, Any]) -> Script:
    """Return the script without failures. Responses come from the author's ``answers``, the example's recording, or its output."""
    known = exchanges_of(subject, example)

    def play(number: int, request: Request) -> Answer:
        place = (request.method, request.path.partition("?")[0])
        if place in subject.answers:
            return Answer(subject.answers[place], headers=subject.headers)
        fitting = [row for row in known if (row["request"]["method"], row["request"]["path"].partition("?")[0]) == place]
        if not fitting:
            return Answer(example["result"].get("output", {}), headers=subject.headers)
        here = known[min(number, len(known)) - 1]
        answer = answer_of(here if here in fitting else fitting[0], f"http://{request.headers.get('Host', '')}")
        return replace(answer, headers={**answer.headers, **subject.headers})

    return play


def exchanges_of(subject: Subject, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the exchanges of an example's recording; empty if there is none."""
    path = subject.recording(example) if "invocation" in example else None
    if path is None or not path.is_file():
        return []
    key = (path.stem, "recording")
    if key not in subject.outcomes:
        subject.outcomes[key] = exchanges(path)
    found: list[dict[str, Any]] = subject.outcomes[key]
    return found


def once(subject: Subject, action: Action, situation: str, run: Callable[[], Drive]) -> Drive:
    """Return the attempt of an action in a situation that several rules look at; the first of them runs it."""
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
    seconds: float = 10.0,
    port: str | None = None,
    guard: Guard = ANYWHERE,
    leaves: Literal["before", "during"] | None = None,
    captured: bool = True,
) -> Drive:
    """Open a connection and run one attempt of an action in a thread with a time limit. Without an action, run the type's own test.

    The caller ``leaves`` before the attempt, or during its first request. Without ``captured``, stdout is left alone: it belongs to the
    whole process, so only one thread at a time can capture it.
    """
    found = Drive(Call(Deadline.after(seconds, SystemClock()), invocation_id="conformance"))
    if leaves == "before":
        found.call.cancelled.set()

    def play(number: int, request: Request) -> Played:
        if leaves == "during":
            found.call.cancelled.set()
        return script(number, request)

    printed = io.StringIO()
    with Provider(play) as provider, contextlib.redirect_stdout(printed) if captured else contextlib.nullcontext():
        thread = threading.Thread(target=_run, args=(subject, action, example, provider, port or provider.url, guard, found), daemon=True)
        thread.start()
        thread.join(seconds + _GRACE)
        found.ended = not thread.is_alive()
        provider.settle()
        found.requests = tuple(provider.requests)
    found.printed = printed.getvalue()
    return found


def _run(
    subject: Subject, action: Action | None, example: Mapping[str, Any], provider: Provider, url: str, guard: Guard, found: Drive
) -> None:
    kind = server_kind(subject)
    if kind is None:
        return
    inputs = _validator(subject, action).check(example["invocation"]["inputs"]).value if action is not None else {}
    values = action.inputs.model_validate(inputs) if action is not None else None
    schema = subject.manifest.connection_types[kind.key].schema
    context = OpenContext("default", "conformance", subject.connector.key, inputs, {}, found.call, SystemClock(), {}, _TryCache(), guard)

    def report(text: str, fault: BaseException) -> None:
        found.map_faults.append(f"{text}: {type(fault).__name__}")

    def step() -> None:
        opened = kind.model_validate(server_values(schema, subject.values, url))
        with entered(found.call):
            if action is None:
                found.output = list(opened.test(context))
                return
            found.client = opened.open(context)
            found.opened = len(provider.requests)
            if not kind.reports_begin:  # the runtime does likewise
                found.call.check()
            found.call.entered, found.call.begun = True, not kind.reports_begin
            output = action.function(values, found.client)
            found.output = asyncio.run(output) if action.is_async else output

    failure = attempt(step)
    if failure is not None:
        found.raised = failure.error
        found.error = explained(subject.connector, failure.error, found.client, values, found.call, report)


def _validator(subject: Subject, action: Action) -> CompiledSchema:
    key = (action.key, "validator")
    found: CompiledSchema = subject.outcomes.get(key) or compile_schema(subject.manifest.actions[action.key].inputs)
    subject.outcomes[key] = found
    return found


def server_values(schema: Mapping[str, Any], values: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return values of a connection type with which it reaches a server at ``url``: ``values``, and a sample of each required one."""
    required = schema.get("required", ())
    samples = {name: _sample(schema, name, url) for name in schema.get("properties", {}) if name in required}
    return samples | {name: value.replace(URL, url) if isinstance(value, str) else value for name, value in values.items()}


def server_names(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that hold the server's address, by name: text in which ``${url}`` stands for it."""
    named = {name: value for name, value in values.items() if isinstance(value, str) and URL in value}
    return named or {name: URL for name in schema.get("required", ()) if _is_server(schema, name)}


def _sample(schema: Mapping[str, Any], name: str, url: str) -> Any:
    field = schema["properties"][name]
    if _is_server(schema, name):
        return url
    if field.get("writeOnly"):
        return SECRET
    known = [*field.get("examples", ()), *field.get("enum", ()), *([field["const"]] if "const" in field else ())]
    if known:
        return known[0]
    return {"integer": field.get("minimum", 1), "number": 1, "boolean": False, "array": [], "object": {}}.get(
        field.get("type"), "conformance"
    )


def _is_server(schema: Mapping[str, Any], name: str) -> bool:
    return bool(schema["properties"][name].get("format") == "uri")
