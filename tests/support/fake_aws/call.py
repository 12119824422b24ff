"""One AWS call: which service and operation a request is for, and its parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from .errors import AwsError
from .query import parse_form
from .sigv4 import Authorization, parse_authorization

if TYPE_CHECKING:
    from .wire import HttpRequest

SEND_PATH = "/v2/email/outbound-emails"
_V2 = {
    ("POST", SEND_PATH): "SendEmail",
    ("GET", "/v2/email/account"): "GetAccount",
    ("POST", "/v2/email/list-identities"): "ListEmailIdentities",
    ("GET", "/v2/email/identities"): "ListEmailIdentities",
}
_IDENTITY = "/v2/email/identities/"
_STS = frozenset({"AssumeRole", "GetCallerIdentity", "GetSessionToken", "AssumeRoleWithWebIdentity"})
UNKNOWN = "Unknown"
_CONTENT = ("Message.", "RawMessage.")


@dataclass(slots=True)
class Call:
    """One call, its message content apart from its parameters. `malformed` is the refusal of a body that could not be read."""

    http: HttpRequest = field(repr=False)
    service: str
    operation: str
    region: str
    parameters: dict[str, Any]
    content: dict[str, Any] = field(repr=False)
    authorization: Authorization | None
    token: str | None = field(repr=False)
    connection: int
    request_id: str
    malformed: AwsError | None = None

    @property
    def access_key_id(self) -> str:
        """The key that signed the call; empty for an unsigned one."""
        return self.authorization.access_key_id if self.authorization else ""

    def drop_content(self) -> None:
        """Forget body and content once the call is over: the log keeps the rest."""
        self.content = {}
        self.http.body = b""

    @property
    def name(self) -> str:
        """`sesv2:SendEmail`."""
        return f"{self.service}:{self.operation}"


def read_call(http: HttpRequest, connection: int, request_id: str) -> Call:
    """Tell what a request asks for; never raises."""
    authorization = parse_authorization(http.headers.get("authorization", ""))
    region = authorization.region if authorization else "us-east-1"
    token = http.headers.get("x-amz-security-token")
    malformed: AwsError | None = None
    content: dict[str, Any] = {}
    if http.path.startswith("/v2/"):
        service, operation = "sesv2", _operation(http)
        parameters, malformed = _json_parameters(http, operation)
        if operation == "SendEmail":
            content = {"Content": parameters.pop("Content", None)}
    else:
        parameters = parse_form(http.body or http.query.encode())
        operation = parameters.get("Action", UNKNOWN)
        signed = authorization.service if authorization else None
        service = signed if signed in ("ses", "sts") else "sts" if operation in _STS else "ses"
        if operation in ("SendEmail", "SendRawEmail"):
            content = {name: parameters.pop(name) for name in list(parameters) if name.startswith(_CONTENT)}
    return Call(http, service, operation, region, parameters, content, authorization, token, connection, request_id, malformed)


def _operation(http: HttpRequest) -> str:
    known = _V2.get((http.method, http.path))
    if known is None and http.method == "GET" and http.path.startswith(_IDENTITY):
        return "GetEmailIdentity"
    return known or UNKNOWN


def _json_parameters(http: HttpRequest, operation: str) -> tuple[dict[str, Any], AwsError | None]:
    if http.method == "GET":
        parameters: dict[str, Any] = dict(parse_qsl(http.query))
        if operation == "GetEmailIdentity":
            parameters["EmailIdentity"] = unquote(http.path[len(_IDENTITY) :])
        return parameters, None
    try:
        body = json.loads(http.body or b"{}")
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body, None
    return {}, AwsError("SerializationException", "The request body is no JSON object", 400)
