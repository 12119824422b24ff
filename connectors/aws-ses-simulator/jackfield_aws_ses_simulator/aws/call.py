"""One AWS call: service, operation and parameters of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from jackfield_aws_ses_simulator.aws.exchange import HttpRequest
from jackfield_aws_ses_simulator.aws.model import UNKNOWN, route
from jackfield_aws_ses_simulator.aws.query import parse_form
from jackfield_aws_ses_simulator.aws.refusals import Refusal, misshapen
from jackfield_aws_ses_simulator.aws.sigv4 import Authorization, parse_authorization

ROUTE_53 = "/2013-04-01"
"""Prefix of the paths of Amazon Route 53."""
MONITORING = "monitoring"
"""Name of Amazon CloudWatch as a service in signatures."""
_TARGETS = {"GraniteServiceVersion20100801.": MONITORING, "AmazonSQS.": "sqs"}
"""Services of AWS's JSON protocol, by prefix of ``X-Amz-Target``."""
_QUERIES = {
    "AssumeRole": "sts",
    "GetCallerIdentity": "sts",
    "ConfirmSubscription": "sns",
    "Unsubscribe": "sns",
}
"""Services of query operations that may be called unsigned."""


@dataclass(slots=True)
class Call:
    """Call of one AWS operation; ``content`` is a message's content, separate from ``parameters``.
    ``malformed`` is the refusal of an unreadable body.
    """

    http: HttpRequest = field(repr=False)
    service: str
    operation: str
    parameters: dict[str, Any]
    content: dict[str, Any] = field(repr=False)
    authorization: Authorization | None
    request_id: str
    malformed: Refusal | None = None

    @property
    def access_key_id(self) -> str:
        """Key that signed the call; empty for an unsigned one."""
        return self.authorization.access_key_id if self.authorization else ""

    @property
    def region(self) -> str:
        """Region that the call was signed for."""
        return self.authorization.region if self.authorization else "us-east-1"

    @property
    def origin(self) -> str:
        """Origin of the URLs by which the caller reaches the simulator."""
        return f"http://{self.http.headers.get('host', '127.0.0.1')}"

    @property
    def token(self) -> str | None:
        """Session token sent with the key; None without a session."""
        return self.http.headers.get("x-amz-security-token")

    @property
    def name(self) -> str:
        """Service and operation: ``sesv2:SendEmail``."""
        return f"{self.service}:{self.operation}"

    def drop_content(self) -> None:
        """Discard body and content after the call, so that a log of calls stays small."""
        self.content = {}
        self.http.body = b""


def read_call(http: HttpRequest, request_id: str) -> Call:
    """Identify the service and operation of a request; never raises.

    The service is read from the credential scope of the signature. An unsigned request is
    identified by its path or its ``Action``.
    """
    authorization = parse_authorization(http.headers.get("authorization", ""))
    content: dict[str, Any] = {}
    if http.path.startswith("/v2/"):
        operation, named = route(http)
        body = _json_object(http.body)
        parameters = {**(body or {}), **named}
        if operation == "SendEmail":
            content = {"Content": parameters.get("Content")}
            if "Template" not in (parameters.get("Content") or ()):
                parameters.pop("Content", None)
        malformed = misshapen("The request body is not a JSON object") if body is None else None
        return Call(
            http, "sesv2", operation, parameters, content, authorization, request_id, malformed
        )
    if http.path.startswith(f"{ROUTE_53}/"):
        return Call(http, "route53", UNKNOWN, {}, content, authorization, request_id)
    prefix, dot, operation = http.headers.get("x-amz-target", "").partition(".")
    if prefix + dot in _TARGETS:
        body = _json_object(http.body)
        malformed = misshapen("The request body is not a JSON object") if body is None else None
        return Call(
            http,
            _TARGETS[prefix + dot],
            operation,
            body or {},
            content,
            authorization,
            request_id,
            malformed,
        )
    form = parse_form(http.body or http.query.encode())
    operation = form.get("Action", UNKNOWN)
    signed = authorization.service if authorization else None
    service = signed if signed in ("ses", "sns", "sts") else _QUERIES.get(operation, "ses")
    if operation == "SendRawEmail":
        content = {"Data": form.pop("RawMessage.Data", "")}
    return Call(http, service, operation, form, content, authorization, request_id)


def _json_object(body: bytes | bytearray) -> dict[str, Any] | None:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
