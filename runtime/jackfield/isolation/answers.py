"""Answers of a child process: each question runs a function of the connector, in a thread, with the values of one call."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Any

from jackfield.clock import Deadline, SystemClock
from jackfield.connector.budget import Limits, Warmup
from jackfield.connector.context import Account, Call, IdempotencyKey, OpenContext, Step, entered
from jackfield.connector.conversion import dumped
from jackfield.connector.declare import Action, Connector
from jackfield.connector.models import ConnectionType, Inputs, model_faults
from jackfield.connector.streamed import store_files
from jackfield.errors import Detail, Internal, InvalidConnection, InvalidInput, Sent
from jackfield.failures import CONTAINED, Raised, attempt, attempt_foreign
from jackfield.hints import NextStep
from jackfield.isolation.child_call import ChildCall, ChildLeases, Talk
from jackfield.isolation.child_files import ChildFiles
from jackfield.isolation.child_grants import ChildGrants
from jackfield.isolation.error_frames import dump_error
from jackfield.isolation.grant_frames import dump_authorization, dump_device, dump_grant
from jackfield.isolation.wire import Frame, Wire
from jackfield.pipe.errors_map import explained

_MOST_CONNECTIONS = 1000
_LARGEST_FAULT = 2000
_LONGEST_NAME = 200


def hello(connector: Connector) -> dict[str, Any]:
    """Return the connector's manifest as its code says it, and the facts that a manifest leaves out."""
    return {
        "description": json.loads(json.dumps(connector.describe())),
        "actions": {key: _action_facts(connector.actions[key]) for key in connector.actions},
        "connections": {key: _type_facts(kind) for key, kind in connector.connections.items()},
        "sources": {key: source.takes_client for key, source in connector.option_sources.items()},
        "tests": len(connector.tests),
        "testPermissions": connector.test_permissions,
        "documents": len(connector.documents),
    }


def _action_facts(action: Action) -> dict[str, Any]:
    facts: dict[str, Any] = {"takesClient": action.takes_client}
    if action.budget is not None:
        facts["budget"] = action.budget.key
    if action.pace_by:
        facts["paceBy"] = list(action.pace_by)
    if action.repeat_ok:
        facts["defaults"] = dumped(action.output())
    return facts


def _type_facts(kind: type[ConnectionType]) -> dict[str, Any]:
    return {
        "reportsBegin": kind.reports_begin,
        "permissionSystem": kind.permission_system,
        "fields": list(kind.model_fields),
        "policies": callable(getattr(kind, "policies", None)),
    }


class Answers:
    """Answers about one connector. Caches of connections live here, by the number that the parent gives each."""

    def __init__(self, connector: Connector, wire: Wire) -> None:
        self._connector = connector
        self._wire = wire
        self._clock = SystemClock()
        self._loop = _Loop()
        self._caches: OrderedDict[int, ChildLeases] = OrderedDict()
        self._lock = threading.Lock()
        self._known: Mapping[str, Callable[[_Question], Any]] = {
            "call": self._call, "open": _Question.client, "check": _Question.values, "preview": self._preview, "options": self._options,
            "test": self._test, "extraTest": self._extra_test, "budget": self._budget, "limits": self._limits, "needed": self._needed,
            "policies": self._policies, "documents": self._documents, "authorize": self._authorize, "authorized": self._authorized,
            "authorizeDevice": self._authorize_device, "deviceAuthorized": self._device_authorized, "revoke": self._revoke,
        }  # fmt: skip

    def serve(self, frame: Frame, box: SimpleQueue[Frame]) -> None:
        """Answer one question."""
        self._forget(frame.get("forget", ()))
        talk = Talk(self._wire, frame["id"], box)
        question = _Question(self, frame, talk)
        found = attempt_foreign(question.answer, self._known[frame["ask"]])
        more = {"requestId": str(question.call.request_id)[:_LONGEST_NAME]} if question.call.request_id is not None else {}
        if isinstance(found, Raised):
            talk.say({**question.failure(found.error), **more})
            return
        sent = attempt(talk.say, {"end": found, **more})
        if isinstance(sent, Raised):
            talk.say(
                {"fault": {"type": "ValueError", "text": f"the answer is not JSON or too large: {sent.error}"[:_LARGEST_FAULT]}, **more}
            )

    @property
    def connector(self) -> Connector:
        """The connector."""
        return self._connector

    @property
    def clock(self) -> SystemClock:
        """The clock of this process."""
        return self._clock

    def leases(self, number: int) -> ChildLeases:
        """Return the cache of a connection."""
        with self._lock:
            found = self._caches.get(number)
            if found is None:
                found = self._caches[number] = ChildLeases()
                if len(self._caches) > _MOST_CONNECTIONS:
                    self._caches.popitem(last=False)
            self._caches.move_to_end(number)
        return found

    def _forget(self, numbers: Iterable[int]) -> None:
        with self._lock:
            for number in numbers:
                self._caches.pop(number, None)

    def _call(self, question: _Question) -> Mapping[str, Any]:
        values, action = question.values(), question.action
        arguments = (values, question.client()) if action.takes_client else (values,)
        if question.frame.get("renew") and hasattr(question.opened, "renew"):
            question.opened.renew()
            arguments = (values, question.client())
        call = question.call
        if not question.reports:
            call.talk.say({"entered": True})
            call.begun = True
        call.entered = True
        output = self._loop.run(lambda: action.function(*arguments), call) if action.is_async else action.function(*arguments)
        if action.returns_files:
            store_files(output, call.files)
        return dumped(output)

    def _preview(self, question: _Question) -> Any:
        preview = question.action.preview
        return None if preview is None else dumped(preview.function(question.values()))

    def _options(self, question: _Question) -> list[dict[str, str]]:
        source = self._connector.option_sources[question.frame["source"]]
        found = source.function(question.client()) if source.takes_client else source.function()
        return [option.to_json() for option in found]

    def _test(self, question: _Question) -> list[dict[str, Any]]:
        return _steps(question.kind().test(question.context()))

    def _extra_test(self, question: _Question) -> list[dict[str, Any]]:
        return _steps(self._connector.tests[question.frame["number"]](question.client(), question.context()))

    def _budget(self, question: _Question) -> dict[str, Any]:
        budget, values, client = question.action.budget, question.values(), question.client()
        if budget is None:
            return {}
        warmup = attempt(budget.warmup, client)
        return {
            "scope": budget.scope(values, client),
            "cost": question.action.cost(values),
            "warmup": [warmup.name, list(warmup.per_day)] if isinstance(warmup, Warmup) else None,
        }

    def _limits(self, question: _Question) -> list[float | None] | None:
        budget = question.action.budget
        found = None if budget is None else budget.limits(question.client())
        return [found.per_second, found.per_day, found.used] if isinstance(found, Limits) else None

    def _authorize(self, question: _Question) -> dict[str, Any]:
        frame = question.frame
        return dump_authorization(question.kind().authorize(question.context(), frame["redirectUri"], frame["state"]))

    def _authorized(self, question: _Question) -> dict[str, Any]:
        frame = question.frame
        return dump_grant(question.kind().authorized(question.context(), frame["kept"], frame["redirectUri"], frame["answer"]))

    def _authorize_device(self, question: _Question) -> dict[str, Any]:
        return dump_device(question.kind().authorize_device(question.context()))

    def _device_authorized(self, question: _Question) -> dict[str, Any] | None:
        grant = question.kind().device_authorized(question.context(), question.frame["kept"])
        return None if grant is None else dump_grant(grant)

    def _revoke(self, question: _Question) -> None:
        question.kind().revoke(question.context())

    def _needed(self, question: _Question) -> list[str]:
        return sorted(question.kind().needed_permissions(question.frame["permissions"]))

    def _policies(self, question: _Question) -> dict[str, Any]:
        kind: Any = question.kind()
        return dict(kind.policies(question.frame["permissions"], question.frame["principal"], **question.frame["more"]))

    def _documents(self, question: _Question) -> dict[str, Any]:
        return dict(self._connector.documents[question.frame["number"]](question.frame["documents"], question.kind()))


class _Question:
    """One question of the parent: its action, its values and its connection."""

    def __init__(self, answers: Answers, frame: Frame, talk: Talk) -> None:
        self.frame = frame
        self.opened: Any = None
        self._cache: ChildLeases | None = None
        self._answers = answers
        self._connector = answers.connector
        about = frame["call"]
        deadline = Deadline(answers.clock, answers.clock.monotonic() + about["remaining"], about["seconds"])
        permissions = self.action.permissions if "action" in frame and frame["ask"] == "call" else {}
        key = IdempotencyKey(about["key"]) if about.get("key") else IdempotencyKey()
        self.call = ChildCall(deadline, permissions=permissions, invocation_id=about.get("invocationId", ""), key=key)
        self.call.talk = talk
        self.call.files = ChildFiles(talk) if about.get("files") else None
        self.call.leases = frame.get("context", {}).get("leases", {})

    def answer(self, function: Callable[[_Question], Any]) -> Any:
        """Answer it."""
        with entered(self.call):
            found = function(self)
        return None if self.frame["ask"] in {"open", "check"} else found

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the frame about an exception, mapped to an error with a code if the connector knows it."""
        found = explained(self._connector, error, self.opened, None, self.call, _ignore)
        unsent = not self.call.entered and not self.call.begun
        if isinstance(found, Internal):
            cause = getattr(found, "cause", error)
            text = attempt(str, cause)
            shown = "<no readable message>" if isinstance(text, Raised) else text[:_LARGEST_FAULT]
            return {"fault": {"type": type(cause).__name__, "text": shown, "unsent": unsent}}
        if unsent:  # a fault while opening, or in the inputs
            found.sent, found.tells_sent = Sent.NOTHING, True
        renewable = {"renewable": True} if hasattr(self.opened, "renew") else {}
        return {"failed": dump_error(found), **renewable}

    @property
    def action(self) -> Action:
        """The action that it is about."""
        return self._connector.actions[self.frame["action"]]

    @property
    def reports(self) -> bool:
        """True if the client announces its requests."""
        return "context" in self.frame and self._model.reports_begin and self.action.takes_client

    def values(self) -> Inputs:
        """Return the author's typed inputs.

        :raises InvalidInput: if the model or the author's rules refuse them.
        """
        from pydantic import ValidationError

        try:
            inputs = self.action.inputs.model_validate(self.frame["inputs"])
        except ValidationError as error:
            raise self._refused(model_faults(error)) from None
        faults = list(inputs.rules())
        if faults:
            raise self._refused(faults)
        return inputs

    def _refused(self, faults: list[Detail]) -> InvalidInput:
        return InvalidInput(
            "1 input is not valid" if len(faults) == 1 else f"{len(faults)} inputs are not valid",
            details=faults,
            hint=NextStep("action_schema", connector=self._connector.key, action=self.action.key),
            sent=Sent.NOTHING,
        )

    @property
    def _model(self) -> type[ConnectionType]:
        return self._connector.connections[self.frame["context"]["type"]]

    @property
    def _leases(self) -> ChildLeases:
        if self._cache is None:
            number = self.frame["context"].get("number")
            self._cache = ChildLeases() if number is None else self._answers.leases(number)
        return self._cache

    def kind(self) -> ConnectionType:
        """Return the connection's values as the author's typed object.

        :raises InvalidConnection: if the model refuses them.
        """
        from pydantic import ValidationError

        about = self.frame["context"]
        try:
            found: ConnectionType = self._leases.cached(("values", about["type"]), lambda: self._model.model_validate(about["values"]))
        except ValidationError as error:
            which = f"the connection '{about['connection']}'" if about["connection"] else "the inline connection"
            raise InvalidConnection(
                f"the values of {which} ({about['type']}) do not fit together", details=model_faults(error), hint="See the details."
            ) from None
        return found

    def context(self) -> OpenContext:
        """Return the context in which the connection opens."""
        about = self.frame["context"]
        permissions = self._leases.cached(("permissions",), self._connector.permissions)
        return OpenContext(
            about["workspace"], about["connection"], self._connector.key, about["inputs"], permissions, self.call, self._answers.clock,
            {}, self._leases, grants=ChildGrants(self.call.talk) if about.get("grants") else None,
        )  # fmt: skip

    def client(self) -> Any:
        """Open the connection."""
        kind = self.kind()
        if kind.reads_host:
            fault = Detail(kind.reads_host_at, "an isolated connector cannot use the identity of the machine")
            raise InvalidConnection(fault.message, details=[fault], hint="Use another connection type, or install the connector with pip.")
        self.opened = kind.open(self.context())
        return self.opened


def _steps(found: Iterable[Step | Account]) -> list[dict[str, Any]]:
    return [{"account": [item.id, item.label]} if isinstance(item, Account) else {"step": item.to_json()} for item in found]


def _ignore(_text: str, _error: Exception) -> None:
    """Do nothing: the parent logs what matters."""


class _Loop:
    """Event loop of this process for ``async def`` actions, in a thread that starts on first use."""

    def __init__(self) -> None:
        self._loop: Any = None
        self._lock = threading.Lock()

    def run(self, make: Callable[[], Any], call: Call) -> Any:
        """Run a coroutine to its end, within the deadline of its call."""
        import asyncio

        async def bounded() -> Any:
            with entered(call):
                async with asyncio.timeout(max(0.0, call.deadline.remaining())):
                    with CONTAINED:
                        return await make()

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()
