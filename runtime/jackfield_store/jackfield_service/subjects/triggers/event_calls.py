"""Invocations that events start: ``then`` of a subscription defines them, with places of the event
among the inputs.

``{"$event": "/data/payload/id"}`` is a value of the event in the form for its readers. An input
whose place the event lacks is left out, and the label ``absent`` of the invocation names it. A
place that no event of the trigger has is refused when the subscription is added. ``{"$text":
["Ticket ", {"$event": "/data/payload/id"}]}`` joins several parts to a string.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.call.call_rules import find_action
from jackfield.call.policy_steps import ReadStep
from jackfield.call.unstored import required
from jackfield.callers import Request
from jackfield.connections.formats import native_inputs
from jackfield.invocation.file_references import names_files
from jackfield.invocation.request import Invocation
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidInvocation,
    JackfieldError,
    Unavailable,
    did_you_mean,
    first_faults,
    unknown_members,
)
from jackfield.kernel.placeholders import ABSENT, filled, placeholders
from jackfield.kernel.pointers import child, cut, names
from jackfield_service.subjects.triggers.arrivals import Sealer
from jackfield_service.subjects.triggers.event_places import place_fault
from jackfield_store.database.outbox import record

if TYPE_CHECKING:
    from jackfield.call.plan import Plan
    from jackfield.callers import Caller
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield_service.subjects.triggers.arrivals import InTransaction
    from jackfield_service.subjects.triggers.subscription import Subscription
    from jackfield_store.runtime import Jackfield

_MEMBERS = ("connector", "action", "connection", "inputs")
_EVENT, _TEXT = "$event", "$text"
_MOST_PARTS = 100
_LABEL = 200
"""Maximum length of the label that names absent places, in characters."""


class EventCalls:
    """Invocations that the events of one subscription start by its ``then``, if it has one.
    ``caller`` is its author, with the author's current rights. ``queued`` is true once an
    invocation was prepared: the engine is to be notified after the commit.
    """

    def __init__(
        self,
        runtime: Jackfield,
        found: Subscription,
        then: Mapping[str, Any] | None,
        caller: Caller,
    ) -> None:
        self._runtime = runtime
        self._found = found
        self._then = then or {}
        self._caller = caller
        self.queued = False

    def sealer(self, types: Sequence[str]) -> Sealer:
        """Return the sealer of the subscription's events, of these ``types``, which adds their
        invocations.
        """
        storage, then = self._runtime.storage, self._prepare if self._then else None
        judge = self._left if self._runtime.pipeline.policies.must_judge else None
        return Sealer(
            storage.database, storage.vault, self._found.workspace, self._found, then, types, judge
        )

    def judge(self, inputs: Mapping[str, Any]) -> None:
        """Judge by the policies whether the provider may be polled with these inputs.

        :raises NotAllowed: if the policies refuse the poll.
        """
        if self._runtime.pipeline.policies.must_judge:
            self._runtime.pipeline.policies.judge_step(self._step(), inputs)

    def _left(self, payload: Any, _kind: str) -> Any:
        return self._runtime.pipeline.policies.left_of(self._step(), payload)

    def _step(self) -> ReadStep:
        found = self._found
        return ReadStep(
            self._caller,
            self._runtime.catalog.find(found.connector),
            found.connection,
            trigger=found.trigger_key,
        )

    def _prepare(self, event: Mapping[str, Any], at: float) -> InTransaction:
        """Prepare the invocation of an event; return the statements that queue it, or that record
        its refusal.

        :raises Unavailable: if it cannot be prepared now.
        """
        try:
            draft = self._runtime.prepare(self._invocation(event), caller=self._caller)
        except Unavailable:
            raise
        except JackfieldError as error:
            return self._record_refusal(event, at, error)
        self.queued = True
        return required(self._runtime.journal).queueing(draft)

    def _invocation(self, event: Mapping[str, Any]) -> dict[str, Any]:
        given = self._then.get("inputs") or {}
        inputs = filled(given, lambda name, content: _value(event, name, content), _EVENT, _TEXT)
        inputs = {} if inputs is ABSENT else inputs
        absent = [
            path for path in dict.fromkeys(_places(given)) if _followed(event, path) is ABSENT
        ]
        labels = {
            "subscription": self._found.name,
            **({"absent": cut(" ".join(absent), _LABEL)} if absent else {}),
        }
        context = {"labels": labels}
        return {**self._then, "inputs": inputs, "idempotencyKey": event["id"], "context": context}

    def _record_refusal(
        self, event: Mapping[str, Any], at: float, error: JackfieldError
    ) -> InTransaction:
        """Record that an event started nothing. The record names the faulty inputs, without
        values.
        """
        found = self._found
        paths = [detail.path for detail in error.details][:20]
        facts = found.facts({"eventId": event["id"], "errorCode": error.code, "paths": paths})
        return lambda transaction: record(
            transaction, found.workspace, "subscription.refused", found.name, at, facts
        )


def checked_then(
    runtime: Jackfield, caller: Caller, given: Any, trigger: TriggerManifest
) -> Mapping[str, Any]:
    """Check the invocation that the events of a subscription start, as far as possible without an
    event: its places must exist in events of the ``trigger``.

    :raises JackfieldError: if it is not valid, or the rules do not allow the call.
    """
    if not isinstance(given, Mapping):
        raise _invalid(
            [Detail("/then", "must be an object: connector, action, connection, inputs")]
        )
    faults = [*first_faults(_shape(given))]
    if faults:
        raise _invalid(faults)
    catalog, authorizer = runtime.catalog_of(caller), runtime.access.authorizer(caller)
    manifest = catalog.find(given["connector"])
    action = find_action(manifest, given["action"], catalog)
    connection = given.get("connection")
    authorizer.require(Request(manifest.key, action.key, action.rule_effect, connection))
    inputs = given.get("inputs") or {}
    plan = runtime.pipeline.plans.over(
        Invocation(manifest.key, action.key, inputs, connection), manifest, caller
    )
    faults = [*first_faults(_inputs(inputs, plan))] or [
        *_literal_faults(runtime, manifest, action, inputs)
    ]
    faults += first_faults(_absent(inputs, trigger))
    if action.hands_out:
        faults.append(
            Detail(
                "/then/action",
                "its output is credentials, which are shown to a caller that waits and to nobody "
                "later",
            )
        )
    if faults:
        raise _invalid(faults)
    return given


def _shape(given: Mapping[str, Any]) -> Iterator[Detail]:
    yield from unknown_members(given, _MEMBERS, "'then'", "/then")
    for name in _MEMBERS[:3]:
        if not isinstance(given.get(name), str) and not (
            name == "connection" and given.get(name) is None
        ):
            yield Detail(f"/then/{name}", "must be a string", "type")
    if not isinstance(given.get("inputs", {}), Mapping):
        yield Detail("/then/inputs", "must be an object", "type")


def _inputs(inputs: Mapping[str, Any], plan: Plan) -> Iterator[Detail]:
    known = plan.action.inputs.get("properties", {})
    for name in map(str, inputs):
        if name not in known and plan.action.inputs.get("additionalProperties") is False:
            text = f"'{name[:80]}' is not an input{did_you_mean(name, known)}"
            yield Detail(child("/then/inputs", name), text, "additionalProperties")
    yield from (
        Detail(child("/then/inputs", name), "is required", "required")
        for name in plan.lacking(inputs)
    )
    for path, name, content in placeholders(inputs, "/then/inputs", _EVENT, _TEXT):
        fault = _pointer_fault(content) if name == _EVENT else _text_fault(content)
        if fault is not None:
            yield Detail(path, fault)


def _absent(inputs: Mapping[str, Any], trigger: TriggerManifest) -> Iterator[Detail]:
    """Yield a fault for each place that no event of the trigger has."""
    for path, name, content in placeholders(inputs, "/then/inputs", _EVENT, _TEXT):
        for place in _places({name: content}):
            fault = place_fault(trigger, place)
            if fault is not None:
                yield Detail(path, fault)


def _places(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pointers into an event in well-formed placeholders among the inputs."""
    for _, name, content in placeholders(inputs, "", _EVENT, _TEXT):
        found = (
            [content]
            if name == _EVENT
            else [part.get(_EVENT) for part in _list(content) if isinstance(part, Mapping)]
        )
        yield from (path for path in found if isinstance(path, str) and path.startswith("/"))


def _list(content: object) -> list[Any]:
    return content if isinstance(content, list) else []


def _literal_faults(
    runtime: Jackfield, manifest: Manifest, action: ActionManifest, inputs: Mapping[str, Any]
) -> Iterator[Detail]:
    """Yield the faults of inputs without placeholders, checked one by one. Rules about several
    inputs, files, and inputs in another system's form are checked with the event.
    """
    literal = {
        name: value
        for name, value in inputs.items()
        if not any(placeholders(value, "", _EVENT, _TEXT)) and not names_files({name: value})
    }
    schema = {
        name: action.inputs[name] for name in ("properties", "$defs") if name in action.inputs
    }
    faults = (
        runtime.schemas.find((manifest.key, manifest.version, "then", action.key), schema)
        .check(literal)
        .details
    )
    if faults and native_inputs(literal, {*literal}, manifest, action.key) is None:
        yield from (replace(fault, path=f"/then/inputs{fault.path}") for fault in faults)


def _pointer_fault(content: object) -> str | None:
    fits = isinstance(content, str) and (content == "" or content.startswith("/"))
    return None if fits else "must be a JSON Pointer into the event, such as /data/payload/id"


def _text_fault(parts: object) -> str | None:
    if not isinstance(parts, list) or len(parts) > _MOST_PARTS:
        return f"must be a list of at most {_MOST_PARTS} texts and places of the event"
    for part in parts:
        if isinstance(part, str):
            continue
        if not isinstance(part, Mapping) or part.keys() != {_EVENT} or _pointer_fault(part[_EVENT]):
            return 'has parts that are neither texts nor {"$event": "/data/payload/id"}'
    return None


def _value(event: Mapping[str, Any], name: str, content: Any) -> Any:
    if name == _EVENT:
        return _followed(event, content)
    parts = [part if isinstance(part, str) else _followed(event, part[_EVENT]) for part in content]
    return "".join(
        "" if part is ABSENT or part is None else part if isinstance(part, str) else _text(part)
        for part in parts
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _followed(event: Any, path: str) -> Any:
    """Return the value of an event at a pointer; ``ABSENT`` if the event lacks it."""
    found = event
    for name in names(path) if path else ():
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif (
            isinstance(found, list)
            and name.isascii()
            and name.isdecimal()
            and int(name) < len(found)
        ):
            found = found[int(name)]
        else:
            return ABSENT
    return found


def _invalid(faults: list[Detail]) -> InvalidInvocation:
    number = (
        "1 member of 'then' is not valid"
        if len(faults) == 1
        else f"{len(faults)} members of 'then' are not valid"
    )
    return InvalidInvocation(
        number,
        details=faults,
        hint="'then' is an invocation: connector, action, connection and inputs.",
    )
