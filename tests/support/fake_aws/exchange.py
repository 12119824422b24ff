"""One request and what comes back for it: the honest answer, or a scripted fault. Every function says whether the connection lives on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .call import Call
    from .endpoint import Endpoint
    from .faults import Fault
    from .line import Line


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call that was read whole, with its fault and the line that it came on."""

    endpoint: Endpoint
    line: Line
    call: Call
    fault: Fault

    @property
    def seconds(self) -> float:
        """The fault's own time."""
        return self.fault.seconds or 0.0

    def take(self) -> None:
        """Let AWS take the request, if the fault says that it did."""
        if self.fault.accepts:
            self.endpoint.answer(self.call)


def honest(endpoint: Endpoint, line: Line, call: Call) -> bool:
    """Answer as AWS would."""
    answer = endpoint.answer(call)
    line.wait_due()
    line.send(answer)
    return call.http.headers.get("connection", "").lower() != "close"


def misbehave(exchange: Exchange) -> bool:
    """Do what the script says."""
    return _KINDS[exchange.fault.do](exchange)


def _pass(exchange: Exchange) -> bool:
    return honest(exchange.endpoint, exchange.line, exchange.call)


def _expire(exchange: Exchange) -> bool:
    exchange.endpoint.state.expire_sessions()
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
    exchange.line.close()
    return False


def _hang(exchange: Exchange) -> bool:
    answer = exchange.endpoint.answer(exchange.call) if exchange.fault.accepts else None
    if exchange.line.hold(exchange.fault.seconds):
        exchange.line.send(answer or exchange.endpoint.answer(exchange.call))
    exchange.line.close()
    return False


def _status(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait_due(exchange.seconds)
    exchange.line.send(exchange.endpoint.scripted_error(exchange.call, exchange.fault))
    return True


def _body(exchange: Exchange) -> bool:
    exchange.take()
    exchange.line.wait_due(exchange.seconds)
    exchange.line.send(exchange.endpoint.scripted_body(exchange.fault))
    return True


def _cut(exchange: Exchange) -> bool:
    if exchange.fault.body is not None:
        exchange.take()
        answer = exchange.endpoint.scripted_body(exchange.fault)
    else:
        answer = exchange.endpoint.answer(exchange.call)
    count = exchange.fault.bytes if exchange.fault.bytes is not None else len(answer.body) // 2
    exchange.line.wait_due(exchange.seconds)
    exchange.line.cut(answer, count)
    exchange.line.close()
    return False


def _drip(exchange: Exchange) -> bool:
    fault = exchange.fault
    answer = exchange.endpoint.answer(exchange.call)
    exchange.line.wait_due()
    exchange.line.drip(answer, 0.1 if fault.seconds is None else fault.seconds, fault.head)
    return True


def _close_idle(exchange: Exchange) -> bool:
    answer = exchange.endpoint.answer(exchange.call)
    exchange.line.wait_due()
    exchange.line.send(answer)
    exchange.line.wait(exchange.seconds)
    exchange.line.close()
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
