"""The operator's policy service: a plugin that asks it by HTTP, in the form of Open Policy Agent's
REST API.

A question is a signed POST of ``{"input": {…}}``, and a decision is the ``result`` of its answer
(https://www.openpolicyagent.org/docs/latest/rest-api/#get-a-document-with-input).
``JACKFIELD_POLICY_URL`` is its URL, and ``JACKFIELD_POLICY_SECRET`` the secret that signs
questions, as in Standard Webhooks. A question times out after 500 ms.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jackfield.connector.hook_requests import Malformed, strict_json
from jackfield.connector.hooks import hookimpl
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import SystemClock, monotonic
from jackfield.kernel.errors import InvalidConnection, InvalidInvocation, NotAllowed, Unavailable
from jackfield.kernel.exact import exact_json
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import WireFault
from jackfield.wire.guard import ANYWHERE
from jackfield.wire.head import Route
from jackfield.wire.outbound import way_out
from jackfield.wire.signing import SYMMETRIC, signatures
from jackfield.wire.tls import client_context
from jackfield.wire.urls import target_of

URL, SECRET = "JACKFIELD_POLICY_URL", "JACKFIELD_POLICY_SECRET"
WITHIN = 0.5
"""Timeout of a question in seconds: to connect, to send, and to read the decision."""
_JSON = json.JSONEncoder(separators=(",", ":"))
_LARGEST, _LARGEST_DECISION = 8 * 1024 * 1024, 1024 * 1024
"""Maximum bytes of a question, and of a decision."""


def policy_of(environment: Mapping[str, str]) -> tuple[object, ...]:
    """Return the plugin that asks the policy service that the variables name; an empty tuple if
    they name none.

    :raises InvalidInvocation: if the variables are not valid.
    """
    url, secret = environment.get(URL), environment.get(SECRET, "")
    if url is None and not secret:
        return ()
    if not url:
        text = f"{URL} is empty" if url is not None else f"{SECRET} is set, and {URL} is not"
        raise InvalidInvocation(
            f"{text}: no policy would be asked",
            hint=f"Name the policy service, or unset both {URL} and {SECRET}.",
        )
    try:
        target_of(url)
    except ValueError as fault:
        raise InvalidInvocation(
            f"{URL} is not valid: it {fault}",
            hint=f"Write it as http://127.0.0.1:8181/v1/data/jackfield, or unset {URL}.",
        ) from None
    if not _is_secret(secret):
        text = f"{SECRET} must be set beside {URL}: 'whsec_' and at least 24 bytes in Base64"
        raise InvalidInvocation(text, hint="Make one: echo whsec_$(openssl rand -base64 32)")
    return (PolicyService(url, secret, way_out(environment)),)


class PolicyService:
    """Plugin that asks one policy service. It reuses connections and follows no redirect; ``route``
    is the network route. Thread-safe.
    """

    def __init__(self, url: str, secret: str, route: Route | None = None) -> None:
        self._target, self._path, self._host = target_of(url)
        self._secret = secret
        self._wire = Wire(
            WireSettings(
                guard=ANYWHERE, guard_path="/url", tls=cache(client_context), route=route, kept=8
            )
        )

    @hookimpl
    def judge(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the service's decision on a question.

        :raises NotAllowed: if the question is too large.
        :raises Unavailable: if there is no decision in time.
        """
        until = monotonic() + WITHIN
        body = exact_json({"input": question}, _JSON).encode("utf-8", "replace")
        if len(body) > _LARGEST:
            text = (
                f"not allowed: it has more than {_LARGEST:,} bytes, which no policy service judges"
            )
            raise NotAllowed(text, hint="Upload files and name them, or ask for less.")
        try:
            answer = self._answer(body, lambda: until - monotonic())
        except WireFault as fault:
            raise _undecided(fault.words) from None
        except InvalidConnection as fault:
            raise _undecided(fault.message) from None
        try:
            found = strict_json(answer)["result"]
        except (Malformed, KeyError, TypeError):
            raise _undecided("its answer has no result") from None
        if not isinstance(found, Mapping):
            raise _undecided("its result is no object")
        return found

    def _answer(self, body: bytes, left: Callable[[], float]) -> bytes:
        identifier, at = f"msg_{new_invocation_id()}", int(SystemClock().time())
        fields = [
            (b"Host", self._host),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", b"jackfield"),
            (b"Content-Length", str(len(body)).encode()),
            (b"webhook-id", identifier.encode()),
            (b"webhook-timestamp", str(at).encode()),
            (b"webhook-signature", signatures((self._secret,), identifier, at, body).encode()),
        ]
        reply = self._wire.send("POST", self._target, self._path, fields, body, left, lambda: None)
        try:
            if reply.status != 200:
                raise _undecided(f"it answered {reply.status}")
            return reply.read(_LARGEST_DECISION)
        finally:
            reply.close()


def _undecided(reason: str) -> Unavailable:
    return Unavailable(
        f"the policy service gave no decision ({reason})",
        hint="Try again. The operator of jackfield runs that service.",
    )


def _is_secret(text: str) -> bool:
    try:
        return (
            text.startswith(SYMMETRIC)
            and len(b64decode(text.removeprefix(SYMMETRIC), validate=True)) >= 24
        )
    except ValueError:
        return False
