"""Direct call: build and sign the request, check it a last time before its first byte, send it,
read the response.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, NoReturn

from botocore import xform_name

from jackfield.connector import (
    Call,
    Deadline,
    JackfieldError,
    WireFault,
    current_call,
    unseen,
    whole_answer,
)
from jackfield.kernel.clock import monotonic
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.frames import bordered
from jackfield.wire.guard import CURRENT
from jackfield_aws.direct.answers import Answers
from jackfield_aws.direct.parts import Service
from jackfield_aws.direct.qualify import PLAIN, judge, registrations
from jackfield_aws.direct.requests import Operation, Request, Requests, Unfit
from jackfield_aws.limits import deadline_of
from jackfield_aws.transport import check_sendable, raised_by_wire

_SEEN = nullcontext()
_Raw = tuple[int, list[tuple[bytes, bytes]], bytes]


class Calls(ProcessLocal):
    """Calls of one service's operations, without botocore's client for operations that qualify.
    Thread-safe; never repeats a request.

    ``make`` creates botocore's client when needed; without it, there are no listeners, and
    operations outside ``without`` qualify. ``begins`` is set for the provider's operations; STS
    calls never count as an attempt.
    """

    def __init__(
        self, service: Service, make: Callable[[], Any], without: Container[str], *, begins: bool
    ) -> None:
        self._service = service
        self._make = make
        self._without = without
        self._requests = Requests(service)
        self._answers = Answers(service.parser, lambda: self.exceptions)
        self._begins, self._is_seen = begins, begins and service.model.service_name != "sts"
        self._client: Any = None
        self._exceptions: Any = None
        self.names: Mapping[str, str] = {
            xform_name(name): name for name in service.model.operation_names
        }
        """Operations by the names of their methods."""
        self._lock = threading.Lock()
        self._seen: object = None
        self._operations: dict[str, Operation] = {}

    @property
    def service_name(self) -> str:
        """Name of the service."""
        return str(self._service.model.service_name)

    @property
    def exceptions(self) -> Any:
        """Classes of the service's errors, equal for all callers."""
        with self._lock:
            if self._exceptions is None:
                self._exceptions = (
                    _exceptions(self._service.model)
                    if self._client is None
                    else self._client.exceptions
                )
            return self._exceptions

    def client(self) -> Any:
        """Return botocore's client, which raises the same exception classes."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    client = self._make()
                    client._exceptions = self._exceptions
                    self._client = client
        return self._client

    def close(self) -> None:
        """Close botocore's client. The wire stays open, since it serves other clients, too."""
        if self._client is not None:
            self._client.close()

    @partial(bordered, unless=CURRENT.get)  # a program may have been lent the client
    def call(self, name: str, /, **parameters: Any) -> Any:
        """Call an operation with the result and exceptions of botocore's client."""
        operation, call = self._operation(name), current_call()
        if operation.verdict.reasons:
            return self.client()._make_api_call(name, parameters)
        try:
            request = self._requests.build(
                operation, dict(parameters), self._service.credentials, call
            )
        except Unfit:
            return self.client()._make_api_call(name, parameters)
        status, fields, body = self._sent(operation, request, call)
        return self._answers.read(operation, status, fields, body, call, request.host)

    def _operation(self, name: str) -> Operation:
        seen = None if self._client is None else registrations(self._client)
        if seen is not self._seen:
            self._seen, self._operations = seen, {}
        found = self._operations.get(name)
        if found is None:
            model = self._service.model.operation_model(name)
            is_plain = self._client is None and name not in self._without
            found = self._operations[name] = Operation.of(
                model, PLAIN if is_plain else judge(self.client(), model)
            )
        return found

    def _sent(self, operation: Operation, request: Request, call: Call | None) -> _Raw:
        """Send a request and return the whole response.

        :raises HTTPClientError: if no whole response arrives; it wraps the error to report.
        """
        check_sendable(request.headers)
        deadline = deadline_of(call)
        if not self._begins and deadline is not None:
            deadline.check()
        elif call is not None and not call.begun:
            call.check()  # to connect for nothing would take longer
        limit = _limit(deadline, self._service.reach.read_timeout)
        begin = (
            _nothing
            if call is None or not self._begins
            else partial(call.begin, operation.model.name, safe=operation.is_safe)
        )
        started = None if call is None or call.observe is None else call.deadline.clock.time()
        try:
            with _SEEN if self._is_seen else unseen():
                reply = request.wire.send(
                    request.method,
                    request.target,
                    request.path.encode(),
                    request.fields(),
                    request.body,
                    limit,
                    begin,
                )
        except WireFault as fault:
            if call is not None and self._begins:
                call.begun = True  # an attempt counts even where no connection could be made
            if started is not None:
                _observed(call, request, started, None)
            _fail(fault, request)
        try:
            body = whole_answer(reply.raw(), media_type=_media_type(reply.fields))
        except (WireFault, JackfieldError) as fault:
            _fail(fault, request)
        finally:
            reply.close()
            if started is not None:
                _observed(call, request, started, reply.status)
        return reply.status, reply.fields, body


def _exceptions(model: Any) -> Any:
    from botocore.errorfactory import ClientExceptionsFactory

    return ClientExceptionsFactory().create_client_exceptions(model)


def _nothing() -> None:
    """Do nothing: the request is not an attempt's own."""


def _limit(deadline: Deadline | None, most: float) -> Callable[[], float]:
    """Return a function for the seconds left for a request, at most ``most``."""
    end = monotonic() + most
    if deadline is None:
        return lambda: end - monotonic()
    return lambda: min(deadline.at - deadline.clock.monotonic(), end - monotonic())


def _observed(call: Call | None, request: Request, started: float, status: int | None) -> None:
    """Report a request to observing plugins."""
    if call is not None and call.observe is not None:
        call.observe(
            request.method, request.target.host, started, call.deadline.clock.time(), status
        )


def _media_type(fields: list[tuple[bytes, bytes]]) -> str:
    for name, value in fields:
        if name.lower() == b"content-type":
            return value.decode("latin-1")
    return ""


def _fail(fault: WireFault | JackfieldError, request: Request) -> NoReturn:
    raise raised_by_wire(fault, request.url) from fault
