"""Waiters of an operation as its input ``waitUntil``, with which a call is a job: the runtime polls
it until the state is reached.

An operation that describes an object waits for its state; an operation that starts an object
(``starts``) waits for that object's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jmespath
from botocore.waiter import SingleWaiterConfig

from jackfield.connector import JobFailed, Sent
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_aws.json_answers import cleaned
from jackfield_aws.virtual import models
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.starts import STARTS, Start
from jackfield_aws.virtual.states import REASONS

WAIT_UNTIL = "waitUntil"
"""Input that names the state to wait for."""
_LONGEST = 500
"""Maximum characters of a failure's reason."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """Waiter of an operation: the polling operation, the seconds between two polls, and the
    conditions that end it.

    ``start`` describes the starting operation, if another operation than the polling one started
    the object.
    """

    name: str
    operation: str
    delay: float
    acceptors: tuple[Any, ...]
    reason: str | None = None
    start: Start | None = None

    def has_reached(self, answer: Mapping[str, Any]) -> bool | None:
        """Return whether a response shows the state; None if no condition applies to an error.

        :raises JobFailed: if the state can no longer be reached.
        """
        state = next(
            (acceptor.state for acceptor in self.acceptors if acceptor.matcher_func(answer)), None
        )
        if state == "failure":
            raise JobFailed(
                f"'{self.name}' will not be reached: {self._seen(answer)}", sent=Sent.REFUSED
            )
        if state is None and "Error" in answer:
            return None
        return state == "success"

    def state(self, answer: Mapping[str, Any]) -> str:
        """Return the states in a response that the waiter checks, as a text; empty if it checks no
        text.
        """
        places = dict.fromkeys(
            acceptor.argument for acceptor in self.acceptors if acceptor.argument
        )
        for place in places:
            found = jmespath.search(place, answer)
            texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
            if texts and all(isinstance(text, str) for text in texts):
                return ", ".join(dict.fromkeys(texts))
        return ""

    def handle(
        self, given: Mapping[str, Any], own: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the handle of a job: the inputs of the polling operation, the response to the
        start, and the cancelling call. None if the response names no object to poll, so nothing has
        started.

        ``given`` and ``own`` are the inputs of the starting operation, and jackfield's own inputs.
        """
        if self.start is None:
            return {"inputs": {**given, **own}, "state": self.state(answer)}
        known = {**given, **answer}
        inputs = _values_at(self.start.given, known)
        if inputs.keys() != self.start.given.keys():
            return None
        handle = {"inputs": {**inputs, **own}, "started": cleaned(answer), "state": ""}
        return (
            handle
            if self.start.cancel is None
            else {**handle, "cancel": {**_values_at(self.start.cancel[1], known), **own}}
        )

    def _seen(self, answer: Mapping[str, Any]) -> str:
        code = answer.get("Error", {}).get("Code")
        state = self.state(answer) or code
        reason = None if self.reason is None else jmespath.search(self.reason, answer)
        text = (
            f"the state is '{state}'" if state else "the resource is in a state that ends the wait"
        )
        return f"{text}: {reason[:_LONGEST]}" if isinstance(reason, str) and reason else text


def _values_at(places: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: jmespath.search(place, known) for name, place in places.items()}
    return {name: value for name, value in found.items() if value not in (None, [])}


def waiters_of(service: str, operation: str) -> dict[str, Waiter]:
    """Return the waiters of an operation by key."""
    known, row = models.waiters(service), STARTS.get((service, operation))
    if row is not None:
        found = _waiter(service, row.waiter, known[row.waiter]) if row.waiter in known else None
        return {} if found is None else {found.name: replace(found, start=row)}
    made = (
        _waiter(service, name, config)
        for name, config in known.items()
        if config["operation"] == operation
    )
    return {waiter.name: waiter for waiter in made}


def _waiter(service: str, name: str, config: Mapping[str, Any]) -> Waiter:
    made = SingleWaiterConfig(config)
    return Waiter(
        action_key(name),
        made.operation,
        float(made.delay),
        tuple(made.acceptors),
        REASONS.get((service, made.operation)),
    )


def can_cancel(waiters: Mapping[str, Waiter]) -> bool:
    """Return whether a wait can be cancelled: AWS can cancel the started work, or the operation
    started none.
    """
    return bool(waiters) and all(
        waiter.start is None or waiter.start.cancel is not None for waiter in waiters.values()
    )
