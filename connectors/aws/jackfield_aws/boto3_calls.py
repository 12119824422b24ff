"""boto3 Sessions for actions. Each is bound to one call, which counts each request and whose
deadline ends each wait. They never retry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from jackfield.connector import Apart, Call, Guard, Internal, InvalidConnection, Sent, current_call
from jackfield.connector.context import entered
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.boto3_parts import BotocoreSession, Session, config_at, model_loader
from jackfield_aws.client_hooks import note_parsed, watch
from jackfield_aws.endpoints import S3Settings
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.keys import Keys
from jackfield_aws.limits import CONNECT_TIMEOUT, READ_TIMEOUT
from jackfield_aws.successes import is_safe
from jackfield_aws.wire_session import use_wire

_ONCE = Config(
    # total_max_attempts overrides AWS_MAX_ATTEMPTS
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
)
_REDIRECTED = 300


class Opened(Protocol):
    """Open client of an AWS connection (``AwsClients``)."""

    region: str | None
    s3: S3Settings

    @property
    def guard(self) -> Guard:
        """Guard of the addresses that may be reached."""

    def keys(self) -> Keys:
        """Return the current keys."""

    def endpoint_of(self, service: str) -> str | None:
        """Return the endpoint of a service; None for AWS's own."""


def call_session(clients: Opened) -> boto3.Session:
    """Return a boto3 Session for the call of this thread.

    :raises Internal: outside a call.
    """
    call = current_call()
    if call is None:
        text = (
            "a boto3 Session of a connection belongs to a call, and this thread runs none: "
            "make it in the action's own thread"
        )
        raise Internal(text, sent=Sent.NOTHING)
    bound_to = _Bound(call, clients)
    return Session(botocore_session=BotocoreSession(bound_to.keys, bound_to.adapt, clients.region))


class _Bound(SecretHolder):
    """Binding of a session's clients to one call and its connection. Requests from other threads
    are recorded apart from the action's own, since the order of their responses is unknown.
    """

    def __init__(self, call: Call, clients: Opened) -> None:
        self.call = call
        self.clients = clients
        self._thread = threading.get_ident()

    @property
    def is_apart(self) -> bool:
        """True in a thread that the action has started."""
        return threading.get_ident() != self._thread

    def check(self) -> None:
        """Check that the call has not ended.

        :raises Internal: if it has.
        """
        if self.call.ended:
            text = "the call to which this boto3 Session belongs has ended: make one in each call"
            raise Internal(text, sent=Sent.NOTHING)

    def keys(self) -> Keys:
        """Return the current keys of the call's connection."""
        self.check()
        return self.clients.keys()

    def adapt(self, service: str, given: dict[str, Any]) -> Callable[[Any], None]:
        """Complete the arguments for a new client, and return the function that binds it. The
        connection's and the call's arguments win over the author's.
        """
        self.check()
        endpoint = self.clients.endpoint_of(service)
        if given.get("endpoint_url") not in {None, endpoint}:
            raise Internal(
                "an action may not choose the endpoint of its connection: leave out 'endpoint_url'",
                sent=Sent.NOTHING,
            )
        given["endpoint_url"] = endpoint
        own = self.clients.s3.members if service == "s3" else {}
        ours = config_at(endpoint).merge(_ONCE).merge(Config(**own))
        given["config"] = ours if given.get("config") is None else given["config"].merge(ours)
        return self._watch

    def _watch(self, client: Any) -> None:
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
        use_wire(client, self.clients.guard, "/endpoint")
        watch(client, begins=True, announce=_announce, parsed=_parsed)
        make, home = client._make_api_call, _Home(client)

        def called(operation: str, parameters: dict[str, Any]) -> Any:
            self.check()
            with entered(self.call), _Sending(self, operation, home) as sending:
                answer = make(operation, parameters)
                sending.succeeded(answer)
            return answer

        client._make_api_call = called


class _Home:
    """Hosts to which a client's requests may go: its endpoint and subdomains, or AWS's domains for
    an endpoint of AWS.
    """

    def __init__(self, client: Any) -> None:
        self._host = urlsplit(client.meta.endpoint_url).hostname or ""
        self._domains = (
            self._host,
            *(
                _aws_domains()
                if self._host.endswith(tuple(f".{name}" for name in _aws_domains()))
                else ()
            ),
        )

    def check(self, url: str) -> None:
        """Check the host of a request, to which an earlier response may have redirected.

        :raises InvalidConnection: if the host does not belong to the endpoint.
        """
        host = urlsplit(url).hostname or ""
        if not any(host == name or host.endswith(f".{name}") for name in self._domains):
            text = (
                f"the request was redirected from {self._host} to '{host[:200]}', which does "
                "not belong to it"
            )
            raise InvalidConnection(
                text, hint="Check the region and the endpoint of the connection.", sent=Sent.REFUSED
            )


@cache
def _aws_domains() -> tuple[str, ...]:
    outputs = [
        partition["outputs"] for partition in model_loader().load_data("partitions")["partitions"]
    ]
    return tuple(
        sorted({row[name] for row in outputs for name in ("dnsSuffix", "dualStackDnsSuffix")})
    )


class _Sending:
    """Operation in progress, with one request and another for each redirect."""

    def __init__(self, bound_to: _Bound, operation: str, home: _Home) -> None:
        self._bound, self._operation, self._home = bound_to, operation, home
        self._call, self._is_apart = bound_to.call, bound_to.is_apart
        self._apart: Apart | None = None
        self._is_sent = False

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _CURRENT.reset(self._token)
        if isinstance(error, Exception):
            found = AWS_ERRORS(error, self._bound.clients)
            if found is not None and found.sent is not Sent.UNKNOWN:
                self.refused()

    def begin(self, url: str) -> None:
        """Announce a request. An earlier request was redirected, so it has changed nothing."""
        self._home.check(url)
        if self._is_sent:
            self.refused()
        if self._is_apart:
            self._apart = self._call.begin_apart(self._operation, safe=is_safe(self._operation))
        else:
            self._call.begin(self._operation, safe=is_safe(self._operation))
        self._is_sent = True

    def refused(self) -> None:
        """Record that the last request changed nothing."""
        if self._apart is not None:
            self._apart.refused()
        elif self._is_sent:
            self._call.refused()

    def answered(self, parsed: dict[str, Any], *, is_success: bool) -> None:
        """Record a response in the call if the request was the action's own."""
        if not self._is_apart:
            note_parsed(self._call, parsed, is_success=is_success)

    def succeeded(self, answer: dict[str, Any]) -> None:
        """Record a parsed response of another thread's request."""
        if self._apart is not None:
            self._apart.answered(answer.get("ResponseMetadata", {}).get("RequestId"))


_CURRENT: ContextVar[_Sending | None] = ContextVar("jackfield_aws_sending", default=None)


def _announce(request: Any, **_: object) -> None:
    sending = _CURRENT.get()
    if sending is not None:
        sending.begin(request.url)


def _parsed(parsed: dict[str, Any], http_response: Any = None, **_: object) -> None:
    sending = _CURRENT.get()
    if sending is not None:
        sending.answered(
            parsed, is_success=http_response is not None and http_response.status_code < _REDIRECTED
        )
