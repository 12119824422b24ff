"""Waiters of an operation as its input ``waitUntil``: the runtime's own retries poll, so the deadline and cancelling hold as always."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.waiter import SingleWaiterConfig

from jackfield.connector import Conflict, NotYet, Sent
from jackfield.dataclass import dataclass
from jackfield_aws.virtual.models import waiters
from jackfield_aws.virtual.names import action_key

WAIT_UNTIL = "waitUntil"
"""Input that names the state to wait for."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One waiter of an operation: seconds between two looks, the looks, and what ends it."""

    name: str
    delay: float
    attempts: int
    acceptors: tuple[Any, ...]

    def judge(self, answer: Mapping[str, Any]) -> bool:
        """Return True if the state has been reached; False if the waiter has no opinion on an error.

        :raises NotYet: if it has not been reached.
        :raises Conflict: if it can no longer be reached.
        """
        state = next((acceptor.state for acceptor in self.acceptors if acceptor.matcher_func(answer)), None)
        if state == "failure":
            raise Conflict(
                f"'{self.name}' will not be reached: the resource is in a state that ends the wait",
                hint="Call the action without 'waitUntil' to see the state.",
            )
        if state == "success":
            return True
        if state is None and "Error" in answer:
            return False
        raise NotYet(
            f"'{self.name}' has not been reached",
            retry_after=self.delay,
            within=self.delay * self.attempts,
            sent=Sent.REFUSED,
            hint="Wait longer: raise 'timeoutSeconds', or queue the invocation.",
        )


def waiters_of(service: str, operation: str) -> dict[str, Waiter]:
    """Return the waiters of an operation by key."""
    found = {}
    for name, config in waiters(service).items():
        if config["operation"] == operation:
            made = SingleWaiterConfig(config)
            key = action_key(name)
            found[key] = Waiter(key, float(made.delay), int(made.max_attempts), tuple(made.acceptors))
    return found
