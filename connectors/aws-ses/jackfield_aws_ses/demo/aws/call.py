"""One AWS call: the service and operation that a request is for, and its parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from jackfield_aws_ses.demo.aws.exchange import HttpRequest
from jackfield_aws_ses.demo.aws.query import parse_form
from jackfield_aws_ses.demo.aws.refusals import Refusal, misshapen
from jackfield_aws_ses.demo.aws.sigv4 import Authorization, parse_authorization

__all__ = ["SEND_PATH", "Call", "read_call"]

SEND_PATH = "/v2/email/outbound-emails"
_V2 = {("POST", SEND_PATH): "SendEmail", ("GET", "/v2/email/account"): "GetAccount"}
_STS = frozenset({"AssumeRole", "GetCallerIdentity"})
_UNKNOWN = "Unknown"


@dataclass(slots=True)
class Call:
    """One call, its message content apart from its parameters. ``malformed`` is the refusal of a body that could not be read."""

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
        """The key that signed the call; empty for an unsigned one."""
        return self.authorization.access_key_id if self.authorization else ""

    @property
    def region(self) -> str:
        """The region that the call was signed for."""
        return self.authorization.region if self.authorization else "us-east-1"

    @property
    def token(self) -> str | None:
        """The session token that came with the key."""
        return self.http.headers.get("x-amz-security-token")

    @property
    def name(self) -> str:
        """``sesv2:SendEmail``."""
        return f"{self.service}:{self.operation}"

    def drop_content(self) -> None:
        """Forget body and content once the call is over: a log keeps the rest."""
        self.content = {}
        self.http.body = b""


def read_call(http: HttpRequest, request_id: str) -> Call:
    """Find out what a request asks for; never raises.

    The service is read from the credential scope of the signature. An unsigned request is known by its path or its ``Action``.
    """
    authorization = parse_authorization(http.headers.get("authorization", ""))
    content: dict[str, Any] = {}
    if http.path.startswith("/v2/"):
        operation = _V2.get((http.method, http.path), _UNKNOWN)
        body = _json_object(http.body)
        parameters = body or {}
        if operation == "SendEmail":
            content = {"Content": parameters.pop("Content", None)}
        malformed = misshapen("The request body is no JSON object") if body is None else None
        return Call(http, "sesv2", operation, parameters, content, authorization, request_id, malformed)
    form = parse_form(http.body or http.query.encode())
    operation = form.get("Action", _UNKNOWN)
    signed = authorization.service if authorization else None
    service = signed if signed in ("ses", "sts") else "sts" if operation in _STS else "ses"
    if operation == "SendRawEmail":
        content = {"Data": form.pop("RawMessage.Data", "")}
    return Call(http, service, operation, form, content, authorization, request_id)


def _json_object(body: bytes | bytearray) -> dict[str, Any] | None:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
