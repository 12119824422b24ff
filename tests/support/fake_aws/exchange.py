"""One request and what comes back for it: the honest answer, or a scripted fault. Every function
says whether the connection lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jackfield_aws_ses_simulator.aws import answers, ses
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.exchange import JSON, Answer
from jackfield_aws_ses_simulator.aws.refusals import Refusal

from .faults import Fault, raw_body
from .line import Line
from .state import State


def answer(state: State, call: Call) -> Answer:
    """Answer as the account does or, if ``answers`` has an entry for the operation, as that says,
    once the call passed its checks.
    """
    if call.operation not in state.settings.answers or call.service != "sesv2":
        return answers.answer(state, call)
    try:
        ses.check_v2(call, answers.admit(state, call))
        return ses.ok_v2(call, state.scripted(call))
    except Refusal as refusal:
        return refusal.answer(call.service, call.request_id)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call that was read whole, with its fault and the line that it came on."""

    state: State
    line: Line
    call: Call
    fault: Fault

    @property
    def seconds(self) -> float:
        """The fault's own time."""
        return self.fault.seconds or 0.0

    def answer(self) -> Answer:
        """Return the true answer, once AWS took the request."""
        return answer(self.state, self.call)

    def take(self) -> None:
        """Let AWS take the request, if the fault says that it did."""
        if self.fault.accepts:
            self.answer()

    def scripted_error(self) -> Answer:
        """Return the refusal that a `status` fault asks for."""
        fault, service = self.fault, self.call.service
        status = fault.status or 400
        code = fault.code or _default_code(service, status)
        return Refusal(
            code, fault.message or code, status, headers=tuple(fault.headers.items())
        ).answer(service, self.call.request_id)

    def scripted_body(self) -> Answer:
        """Return the answer that a `body` fault asks for."""
        body = raw_body(self.fault) or b""
        kind = self.fault.content_type or ("text/html" if body.lstrip().startswith(b"<") else JSON)
        return Answer(self.fault.status or 200, body, kind, tuple(self.fault.headers.items()))


_CODES = {
    403: ("AccessDenied", "AccessDeniedException"),
    404: ("ValidationError", "NotFoundException"),
    429: ("Throttling", "TooManyRequestsException"),
    503: ("ServiceUnavailable", "ServiceUnavailableException"),
}


def _default_code(service: str, status: int) -> str:
    """Return the code that a service most likely sends with a status, where a script names none."""
    others = (
        ("InternalFailure", "InternalServiceErrorException")
        if status >= 500
        else ("ValidationError", "BadRequestException")
    )
    return _CODES.get(status, others)[service == "sesv2"]


def honest(state: State, line: Line, call: Call) -> bool:
    """Answer as AWS would."""
    found = answer(state, call)
    line.wait_due()
    line.send(found)
    return not call.http.closes


def misbehave(exchange: Exchange) -> bool:
    """Do what the script says."""
    return _KINDS[exchange.fault.do](exchange)


def _pass(exchange: Exchange) -> bool:
    return honest(exchange.state, exchange.line, exchange.call)


def _expire(exchange: Exchange) -> bool:
    exchange.state.expire_sessions()
    return _pass(exchange)


def _latency(exchange: Exchange) -> bool:
    exchange.line.due += exchange.seconds
    return _pass(exchange)


def _reset(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait(exchange.seconds)
    exchange.line.reset()
    return False


def _close(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait(exchange.seconds)
    return False


def _hang(exchange: Exchange) -> bool:
    exchange.line.holding = True  # before the request counts: whoever waits for that releases it
    found = exchange.answer() if exchange.fault.accepts else None
    if exchange.line.hold(exchange.fault.seconds):
        exchange.line.send(found or exchange.answer())
    return False


def _status(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait_due(exchange.seconds)
    exchange.line.send(exchange.scripted_error())
    return True


def _body(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait_due(exchange.seconds)
    exchange.line.send(exchange.scripted_body())
    return True


def _cut(exchange: Exchange) -> bool:
    if exchange.fault.body is not None:
        exchange.take()
        found = exchange.scripted_body()
    else:
        found = exchange.answer()
    count = exchange.fault.bytes if exchange.fault.bytes is not None else len(found.body) // 2
    exchange.line.wait_due(exchange.seconds)
    exchange.line.cut(found, count)
    return False


def _drip(exchange: Exchange) -> bool:
    fault = exchange.fault
    found = exchange.answer()
    exchange.line.wait_due()
    exchange.line.drip(found, 0.1 if fault.seconds is None else fault.seconds, fault.head)
    return True


def _close_idle(exchange: Exchange) -> bool:
    found = exchange.answer()
    exchange.line.wait_due()
    exchange.line.send(found)
    exchange.line.wait(exchange.seconds)
    return False


_KINDS: Mapping[str, Callable[[Exchange], bool]] = {
    "pass": _pass,
    "expire": _expire,
    "latency": _latency,
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    "status": _status,
    "body": _body,
    "cut": _cut,
    "drip": _drip,
    "close_idle": _close_idle,
}
