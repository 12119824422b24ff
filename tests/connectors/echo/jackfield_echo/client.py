"""The other side, which is nobody: it counts tries, waits at gates and fails on demand."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass

from jackfield.connector import (
    JackfieldError,
    Provider,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
    current_call,
)
from jackfield_echo.inputs import Fault, Gate

__all__ = ["EchoClient", "EchoFault", "explain"]


class EchoFault(Exception):
    """What the other side answers when it is told to fail; ``kind`` as in the input ``fault``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True, repr=False)
class EchoClient:
    """An open connection. ``tries`` counts the tries of each fault, over all invocations with this
    connection.
    """

    token: str
    tries: Counter[str]

    def send(self, fault: Fault | None, gate: Gate | None) -> None:
        """Pretend to send: fail as ``fault`` says, and wait at ``gate`` on the way.

        :raises EchoFault: as asked for.
        :raises ConnectionResetError: for the fault ``reset``; :raises RuntimeError: for ``bug``.
        """
        call = current_call()
        if gate is not None and gate.before:
            _wait_at(gate)
        due = fault is not None and self._is_due(fault)
        if fault is not None and due and fault.kind == "refusedConnection":
            raise EchoFault(fault.kind)
        if call is not None:
            call.begin()
            call.request_id = "echo-1"
        if gate is not None and not gate.before:
            _wait_at(gate)
        if fault is not None and due:
            _fail(fault.kind)

    def _is_due(self, fault: Fault) -> bool:
        self.tries[fault.name] += 1
        return fault.tries is None or self.tries[fault.name] <= fault.tries


def _fail(kind: str) -> None:
    if kind == "reset":
        raise ConnectionResetError("connection reset by the other side")
    if kind == "bug":
        raise RuntimeError("this connector has a bug")
    raise EchoFault(kind)


def _wait_at(gate: Gate) -> None:
    """Say "here" to whoever listens on the gate's port of 127.0.0.1, and wait until it closes the
    connection.
    """
    with socket.create_connection(("127.0.0.1", gate.port), timeout=120) as connection:
        connection.sendall(b"here\n")
        while connection.recv(64):
            pass


def explain(error: Exception, _client: object, _inputs: object) -> JackfieldError | None:
    """From a fault to an error with a code; None for one that this connector does not know."""
    if not isinstance(error, EchoFault):
        return None
    answered = Provider(
        code=error.kind,
        message=f"the echo says {error.kind}",
        http_status=_STATUS.get(error.kind),
        request_id="echo-1",
    )
    match error.kind:
        case "refusedConnection":
            return Unavailable(
                "the echo refused the connection", sent=Sent.NOTHING, hint="Wait until it listens."
            )
        case "throttled":
            return RateLimited(
                "the echo is tired", sent=Sent.REFUSED, provider=answered, retry_after=0.001
            )
        case "rejected":
            return Rejected(
                "the echo does not like this",
                sent=Sent.REFUSED,
                provider=answered,
                hint="Say something else.",
            )
        case "unauthenticated":
            return Unauthenticated(
                "the echo does not know this token",
                sent=Sent.REFUSED,
                provider=answered,
                hint="Get a new token.",
            )
        case _:
            return Unavailable("the echo broke", sent=Sent.UNKNOWN, provider=answered)


_STATUS = {"throttled": 429, "rejected": 400, "unauthenticated": 401, "serverError": 500}
