"""A direct call: build and sign the request, send it, read the answer. Where the last look before the first byte is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from jackfield.connector import Call, Deadline, JackfieldError, WireFault, bounded_answer, current_call
from jackfield_aws.client_hooks import is_safe
from jackfield_aws.direct.answers import Answers
from jackfield_aws.direct.parts import Service
from jackfield_aws.direct.qualify import judge, registrations
from jackfield_aws.direct.requests import Operation, Request, Requests, Unfit
from jackfield_aws.limits import current_deadline
from jackfield_aws.transport import check_sendable, raised_by_wire

_Raw = tuple[int, list[tuple[bytes, bytes]], bytes]


class Calls:
    """Calls of one botocore client's operations, without it where they qualify. Thread-safe; never repeats a request.

    ``begins`` is set for the provider's operations; STS calls never count as an attempt of one.
    """

    def __init__(self, client: Any, service: Service, *, begins: bool) -> None:
        self._client = client
        self._service = service
        self._requests = Requests(service)
        self._answers = Answers(service.parser, lambda: client.exceptions)
        self._begins = begins
        self._seen = registrations(client)
        self._operations: dict[str, Operation] = {}

    def call(self, name: str, /, **parameters: Any) -> Any:
        """Call an operation, as the client's method does."""
        operation = self._operation(name)
        if operation.verdict.reasons:
            return self._client._make_api_call(name, parameters)
        try:
            request = self._requests.build(operation, dict(parameters), self._service.credentials())
        except Unfit:
            return self._client._make_api_call(name, parameters)
        call = current_call()
        status, fields, body = self._sent(operation, request, call)
        return self._answers.read(operation, status, fields, body, call)

    def _operation(self, name: str) -> Operation:
        seen = registrations(self._client)
        if seen is not self._seen:
            self._seen, self._operations = seen, {}
        found = self._operations.get(name)
        if found is None:
            model = self._service.model.operation_model(name)
            found = self._operations[name] = Operation.of(model, judge(self._client, model))
        return found

    def _sent(self, operation: Operation, request: Request, call: Call | None) -> _Raw:
        """Send a request and return the whole response.

        :raises HTTPClientError: if there is none; the error to report is inside.
        """
        check_sendable(request.headers)
        deadline = current_deadline()
        if not self._begins and deadline is not None:
            deadline.check()
        elif call is not None and not call.begun:
            call.check()  # to connect for nothing would take longer
        limit = _limit(deadline, self._service.reach.read_timeout)
        begin = partial(_begin, operation.model.name, call if self._begins else None)
        started = call.deadline.clock.time() if call is not None and call.observe is not None else 0.0
        try:
            reply = request.wire.send(request.method, request.target, request.path.encode(), request.fields(), request.body, limit, begin)
        except WireFault as fault:
            if call is not None and self._begins:
                call.begun = True  # an attempt counts even where no connection could be made
            _observed(call, request, started, None)
            _fail(fault, request)
        try:
            body = b"".join(bounded_answer(reply.raw()))
        except (WireFault, JackfieldError) as fault:
            _fail(fault, request)
        finally:
            reply.close()
            _observed(call, request, started, reply.status)
        return reply.status, reply.fields, body


def _begin(name: str, call: Call | None) -> None:
    """Announce a request: its first byte is about to leave."""
    if call is not None:
        call.begin(name, safe=is_safe(name))


def _limit(deadline: Deadline | None, most: float) -> Callable[[], float]:
    """Return a function that tells the seconds left for a request."""
    end = time.monotonic() + most
    if deadline is None:
        return lambda: end - time.monotonic()
    return lambda: min(deadline.remaining(), end - time.monotonic())


def _observed(call: Call | None, request: Request, started: float, status: int | None) -> None:
    """Report a request to the plugins that observe them."""
    if call is not None and call.observe is not None:
        call.observe(request.method, request.target.host, started, call.deadline.clock.time(), status)


def _fail(fault: WireFault | JackfieldError, request: Request) -> NoReturn:
    raise raised_by_wire(fault, request.url, proxied=request.proxied) from fault
