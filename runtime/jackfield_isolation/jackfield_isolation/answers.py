"""Answers of a child process: each question runs a function of the connector, in a thread, with the
values of one call.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from queue import SimpleQueue
from typing import Any

from jackfield.call.errors_map import explained
from jackfield.call.waiter import LoopThread
from jackfield.connector.actions import Action, Option
from jackfield.connector.budget import Limits, Warmup
from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.connection_values import connection_values
from jackfield.connector.context import IdempotencyKey, OpenContext, entered
from jackfield.connector.conversion import Handle, dumped
from jackfield.connector.declare import Connector
from jackfield.connector.grants import Grant
from jackfield.connector.model_faults import model_faults
from jackfield.connector.models import ConnectionType, Inputs
from jackfield.connector.streamed import store_files
from jackfield.kernel.clock import SharedDeadline, SystemClock
from jackfield.kernel.errors import Detail, Internal, InvalidConnection, InvalidInput, Sent
from jackfield.kernel.failures import CONTAINED, Raised, attempt, attempt_foreign
from jackfield.kernel.hints import NextStep
from jackfield_isolation import questions
from jackfield_isolation.child_call import ChildCall, ChildLeases, Talk
from jackfield_isolation.child_files import ChildFiles
from jackfield_isolation.child_grants import ChildGrants
from jackfield_isolation.child_triggers import ChildTriggers, steps_of
from jackfield_isolation.error_frames import dump_error
from jackfield_isolation.exchange_frames import dump_exchanges
from jackfield_isolation.hello import ActionFacts, TypeFacts
from jackfield_isolation.questions import ASKED, QUESTIONS, Asked, ConnectionFacts, Plan, Question
from jackfield_isolation.wire import Frame, Wire

_MOST_CONNECTIONS = 1000
_LARGEST_FAULT = 2000
_LONGEST_NAME = 200


def hello(connector: Connector) -> dict[str, Any]:
    """Return the connector's manifest from its code, and the facts that a manifest leaves out."""
    return {
        "description": json.loads(json.dumps(connector.describe())),
        "actions": {key: _action_facts(connector.actions[key]) for key in connector.actions},
        "connections": {key: _type_facts(kind) for key, kind in connector.connections.items()},
        "sources": {key: source.takes_client for key, source in connector.option_sources.items()},
        "tests": len(connector.tests),
        "testPermissions": connector.test_permissions,
        "documents": len(connector.documents),
        "triggers": {key: steps_of(trigger) for key, trigger in connector.triggers.items()},
    }


def _action_facts(action: Action) -> ActionFacts:
    defaults = dumped(action.output()) if action.repeat_ok else {}
    return ActionFacts(
        action.takes_client,
        None if action.budget is None else action.budget.key,
        defaults,
        action.pace_by,
    )


def _type_facts(kind: type[ConnectionType]) -> TypeFacts:
    fields, policies = tuple(kind.model_fields), callable(getattr(kind, "policies", None))
    return TypeFacts(kind.reports_begin, kind.permission_system, fields, policies)


class Answers:
    """Answers about one connector, with caches of its connections by the number that the parent
    gives each connection.
    """

    def __init__(self, connector: Connector, wire: Wire) -> None:
        self.connector = connector
        self.clock = SystemClock()
        self.loop = LoopThread()
        self._wire = wire
        self._caches: OrderedDict[int, ChildLeases] = OrderedDict()
        self._lock = threading.Lock()

    def serve(self, frame: Frame, box: SimpleQueue[Frame]) -> None:
        """Answer one question."""
        asked: Asked = ASKED.read(frame)
        self._forget(asked.forget)
        talk = Talk(self._wire, frame["id"], box)
        question = _Question(self, asked, talk)
        found = attempt_foreign(question.answer)
        more = (
            {"requestId": str(question.call.request_id)[:_LONGEST_NAME]}
            if question.call.request_id is not None
            else {}
        )
        if isinstance(found, Raised):
            talk.say({**question.failure(found.error), **question.seen(), **more})
            return
        seen = question.seen() if question.call.sees_bodies else {}
        sent = attempt(talk.say, {"end": found, **seen, **more})
        if isinstance(sent, Raised):
            talk.say(
                {
                    "fault": {
                        "type": "ValueError",
                        "text": f"the answer is not JSON or too large: {sent.error}"[
                            :_LARGEST_FAULT
                        ],
                    },
                    **more,
                }
            )

    def leases(self, number: int) -> ChildLeases:
        """Return the cache of a connection; create it for a new one."""
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


class _Question:
    """One question of the parent: its action, its values and its connection."""

    def __init__(self, answers: Answers, asked: Asked, talk: Talk) -> None:
        self.opened: Any = None
        self._asked = asked
        self._kind = QUESTIONS[asked.ask]
        self._given: tuple[Any, ...] = self._kind.given.read(asked.given)
        self._cache: ChildLeases | None = None
        self._answers = answers
        self._connector = answers.connector
        about = asked.call
        now = answers.clock.monotonic()
        deadline = SharedDeadline(
            answers.clock, now + about.remaining, about.seconds, now + about.longest
        )
        part: Any = self.action if self._kind in questions.ACTS else None
        part = self._connector.triggers[self._given[0]] if self._kind in _WATCHING else part
        needed = {} if part is None else part.permissions
        key = IdempotencyKey(about.key) if about.key else IdempotencyKey()
        self.call = ChildCall(
            deadline, permissions=needed, invocation_id=about.invocation_id, key=key
        )
        self.call.talk, self.call.follows = talk, about.follows
        self.call.files = ChildFiles(talk) if about.files else None
        self.call.leases = asked.context.leases if asked.context is not None else {}
        self.call.sees_bodies = about.bodies

    def answer(self) -> Any:
        """Answer the question by the function for its kind, else by the connection type's method of
        the same name, which gets a context.
        """
        with entered(self.call):
            known, watching = _KNOWN.get(self._kind), _WATCHING.get(self._kind)
            if watching is not None:
                return self._kind.answer.read(
                    watching(ChildTriggers(self._connector, self.client), *self._given)
                )
            found = (
                known(self)
                if known is not None
                else getattr(self.type(), self._kind.name)(self.context(), *self._given)
            )
            return self._kind.answer.read(found)

    def run(self) -> Mapping[str, Any]:
        """Call the action, or a step of a job with its handle; return its output."""
        action, call = self.action, self.call
        values = self._given[1] if self._kind in _STEPS else self.values()
        arguments = (values, self.client()) if action.takes_client else (values,)
        if self._asked.renew and hasattr(self.opened, "renew"):
            self.opened.renew()
            arguments = (values, self.client())
        if self._asked.call.sees:  # not before the connection is open: that may ask for credentials
            call.exchanges = []
        if not self.reports:
            call.talk.say({"entered": True})
            call.begun = True
        call.entered = True
        try:
            output = (
                self._answers.loop.run(self._awaited(arguments))
                if action.is_async
                else action.function(*arguments)
            )
            if action.returns_files:
                store_files(output, call.files)
        finally:
            call.ended = True
        found = dumped(output)
        return (
            found
            if action.job is None
            else {"handle" if isinstance(found, Handle) else "output": found}
        )

    async def _awaited(self, arguments: tuple[Any, ...]) -> Any:
        with entered(self.call):
            async with asyncio.timeout(max(0.0, self.call.deadline.remaining())):
                with CONTAINED:
                    return await self.action.function(*arguments)

    def check(self) -> None:
        """Check the inputs.

        :raises InvalidInput: if the model or the author's rules refuse them.
        """
        self.values()

    def preview(self) -> Mapping[str, Any] | None:
        """Return the preview of a call; None if the action has none."""
        preview = self.action.preview
        return None if preview is None else dumped(preview.function(self.values()))

    def options(self) -> list[Option]:
        """Return the choices of an option source."""
        source = self._connector.option_sources[self._given[0]]
        return source.choices(self.client() if source.takes_client else None, self._given[1])

    def open(self) -> None:
        """Open the connection, so that its objects are cached."""
        self.client()

    def test(self) -> list[Step | Account]:
        """Test the connection, and return the steps."""
        return [*self.type().test(self.context())]

    def extra_test(self) -> list[Step | Account]:
        """Perform one of the connector's own tests of a connection, and return the steps."""
        return [*self._connector.tests[self._given[0]](self.client(), self.context())]

    def plan(self) -> Plan:
        """Return the scope, cost and warm-up that pace a call."""
        budget, values, client = self.action.budget, self.values(), self.client()
        if budget is None:
            return Plan()
        found = attempt(budget.warmup, client)
        warmup = (found.name, found.per_day) if isinstance(found, Warmup) else None
        return Plan(budget.scope(values, client), self.action.cost(values), warmup)

    def limits(self) -> Limits | None:
        """Return the limits that the provider states; None if the provider states no limits."""
        budget = self.action.budget
        found = None if budget is None else budget.limits(self.client())
        return found if isinstance(found, Limits) else None

    def needed(self) -> list[str]:
        """Return the subset of the given permissions that the connection needs."""
        return sorted(self.type().needed_permissions(*self._given))

    def adopted(self) -> Grant:
        """Return the grant that the connection type makes of existing tokens."""
        kind: Any = self.type()
        found: Grant = kind.adopt(*self._given)
        return found

    def policies(self) -> dict[str, Any]:
        """Return the policy documents of the connection's type."""
        kind: Any = self.type()
        permissions, principal, more = self._given
        return dict(kind.policies(permissions, principal, **more))

    def documents(self) -> dict[str, Any]:
        """Return the policy documents after one of the connector's functions has added to them."""
        number, documents = self._given
        return dict(self._connector.documents[number](documents, self.type()))

    def failure(self, error: Exception) -> dict[str, Any]:
        """Return the answer frame of an exception, mapped to an error with a code if the connector
        recognises it.
        """
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

    def seen(self) -> dict[str, Any]:
        """Return the member ``exchanges`` of an answer; empty without exchanges with the
        provider.
        """
        exchanges = self.call.exchanges
        return {"exchanges": dump_exchanges(exchanges)} if exchanges else {}

    @property
    def action(self) -> Action:
        """Return the action of the question, or the step of its job."""
        found = self._connector.actions[self._given[0]]
        if found.job is None or self._kind not in _STEPS:
            return found
        return found.job.poll if self._kind is questions.POLL else found.job.cancel or found

    @property
    def reports(self) -> bool:
        """Return whether the client announces its requests."""
        about = self._asked.context
        return (
            about is not None
            and self._connector.connections[about.type].reports_begin
            and self.action.takes_client
        )

    def values(self) -> Inputs:
        """Return the author's typed inputs.

        :raises InvalidInput: if the model or the author's rules refuse them.
        """
        try:
            inputs = self.action.inputs.model_validate(self._given[1])
        except ValueError as error:
            raise self._refusal(model_faults(error)) from None
        faults = list(inputs.rules())
        if faults:
            raise self._refusal(faults)
        return inputs

    def _refusal(self, faults: list[Detail]) -> InvalidInput:
        return InvalidInput(
            "1 input is not valid" if len(faults) == 1 else f"{len(faults)} inputs are not valid",
            details=faults,
            hint=NextStep("action_schema", connector=self._connector.key, action=self.action.key),
            sent=Sent.NOTHING,
        )

    @property
    def _about(self) -> ConnectionFacts:
        if self._asked.context is None:
            raise LookupError("the question is about no connection")
        return self._asked.context

    @property
    def _leases(self) -> ChildLeases:
        if self._cache is None:
            number = self._about.number
            self._cache = ChildLeases() if number is None else self._answers.leases(number)
        return self._cache

    def type(self) -> ConnectionType:
        """Return the connection's values as the author's typed object.

        :raises InvalidConnection: if the model refuses them.
        """
        about = self._about
        make = partial(
            connection_values,
            self._connector.connections[about.type],
            about.values,
            about.connection,
        )
        found: ConnectionType = self._leases.cached(("values", about.type), make)
        return found

    def context(self) -> OpenContext:
        """Return the context in which the connection opens."""
        about = self._about
        watches = self._kind in _WATCHING
        permissions = (
            self.call.permissions
            if watches
            else self._leases.cached(("permissions",), self._connector.permissions)
        )
        return OpenContext(
            about.workspace,
            about.connection,
            self._connector.key,
            about.inputs,
            permissions,
            self.call,
            self._answers.clock,
            {},
            self._leases,
            grants=ChildGrants(self.call.talk) if about.grants else None,
        )

    def client(self) -> Any:
        """Open the connection and return its client.

        :raises InvalidConnection: if the connection type uses the identity of the machine.
        """
        kind = self.type()
        if kind.reads_host:
            fault = Detail(
                kind.reads_host_at, "an isolated connector cannot use the identity of the machine"
            )
            raise InvalidConnection(
                fault.message,
                details=[fault],
                hint="Use another connection type, or install the connector with pip.",
            )
        self.opened = kind.open(self.context())
        return self.opened


_STEPS = frozenset({questions.POLL, questions.CANCEL})
_KNOWN: Mapping[Question, Callable[[_Question], Any]] = {
    questions.CALL: _Question.run,
    questions.POLL: _Question.run,
    questions.CANCEL: _Question.run,
    questions.CHECK: _Question.check,
    questions.PREVIEW: _Question.preview,
    questions.BUDGET: _Question.plan,
    questions.LIMITS: _Question.limits,
    questions.OPEN: _Question.open,
    questions.TEST: _Question.test,
    questions.NEEDED: _Question.needed,
    questions.ADOPT: _Question.adopted,
    questions.POLICIES: _Question.policies,
    questions.OPTIONS: _Question.options,
    questions.EXTRA_TEST: _Question.extra_test,
    questions.DOCUMENTS: _Question.documents,
}

_WATCHING: Mapping[Question, Callable[..., Any]] = {
    questions.WATCH: ChildTriggers.check,
    questions.RECEIVE: ChildTriggers.receive,
    questions.REGISTER: ChildTriggers.register,
    questions.FETCH: ChildTriggers.fetch,
    questions.PAGE: ChildTriggers.page,
    questions.LISTED: ChildTriggers.listed,
}


def _ignore(_text: str, _error: Exception) -> None:
    """Do nothing: the parent logs important messages."""
