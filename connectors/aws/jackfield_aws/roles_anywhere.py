"""Sessions of IAM Roles Anywhere: a certificate's key signs, and AWS returns keys of a role (user
guide, CreateSession API). botocore's model of the service lacks that operation, since no SDK signs
it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import (
    ANYWHERE,
    Detail,
    Forbidden,
    InvalidConnection,
    JackfieldError,
    Minted,
    OpenContext,
    Sent,
    Target,
    Unauthenticated,
    Unavailable,
    WireFault,
    whole_answer,
)
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_aws.arns import RoleArn
from jackfield_aws.certificates import SigningCertificate
from jackfield_aws.direct.light import reach_by_environment
from jackfield_aws.direct.wires import PORTS
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.limits import READ_TIMEOUT, within
from jackfield_aws.rows import AWS_ROWS, Row
from jackfield_aws.transport import raised_by_wire, unusable_proxy

ENDPOINT_AT = "/rolesAnywhereEndpoint"
_ARN = re.compile(
    r"arn:(aws[a-z-]*):rolesanywhere:([a-z0-9-]+):([0-9]{12}):(trust-anchor|profile)/[0-9a-f-]{36}"
)
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
_SHOWN = 500
_LARGEST = 1024 * 1024
_HINT = (
    "Check that the certificate was issued by the trust anchor's authority, that trust anchor and "
    "profile are enabled, that the profile "
    "lists the role, and that the role's trust policy allows rolesanywhere.amazonaws.com for this "
    "trust anchor and certificate."
)
_DENIED = Row(Unauthenticated, _HINT)
_ERRORS = AWS_ERRORS.extended(
    {
        **{
            key: replace(row, kind=Unauthenticated)
            for key, row in AWS_ROWS.items()
            if row.kind is Forbidden
        },
        "AccessDenied": _DENIED,
        "ResourceNotFound": Row(
            InvalidConnection, "Copy the ARNs of the trust anchor and the profile again.", path=""
        ),
        "Validation": Row(
            InvalidConnection,
            "Correct the value that AWS names; the profile and the role limit 'durationSeconds'.",
            path="",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """Request for a session of a role. ``duration`` is in seconds, ``endpoint`` the URL in place of
    AWS's own.
    """

    signer: SigningCertificate
    role: RoleArn
    trust_anchor: str
    profile: str
    duration: int | None = None
    endpoint: str | None = None

    @property
    def region(self) -> str:
        """Region of the trust anchor, which is also the profile's."""
        return self.trust_anchor.split(":")[3]

    @property
    def url(self) -> str:
        """URL of CreateSession."""
        own = f"https://rolesanywhere.{self.region}.{_SUFFIXES.get(self.role.partition, 'amazonaws.com')}"
        return f"{(self.endpoint or own).rstrip('/')}/sessions"

    def body(self) -> bytes:
        """Return the parameters as JSON."""
        given = {
            "durationSeconds": self.duration,
            "profileArn": self.profile,
            "roleArn": self.role.text,
            "trustAnchorArn": self.trust_anchor,
        }
        return json.dumps(
            {name: value for name, value in given.items() if value is not None}
        ).encode()


def check_arns(trust_anchor: str, profile: str, role: RoleArn) -> None:
    """Check that the three ARNs fit together.

    :raises InvalidConnection: if trust anchor and profile are in different regions or accounts, or
        the role in another account.
    """
    anchor, other = _ARN.fullmatch(trust_anchor), _ARN.fullmatch(profile)
    if anchor is None or other is None:
        return  # the schema refuses it
    for path, found, wanted in (
        ("/profileArn", other.group(1, 2, 3), anchor.group(1, 2, 3)),
        ("/roleARN", (role.partition, role.account), anchor.group(1, 3)),
    ):
        if found != wanted:
            text = f"is in {', '.join(found)}; the trust anchor is in {', '.join(wanted)}"
            hint = "Trust anchor and profile are of one region, and of the account of the role."
            raise InvalidConnection(
                "the ARNs do not fit together", details=[Detail(path, text)], hint=hint
            )


def create_session(context: OpenContext, request: SessionRequest) -> Minted:
    """Create a session with a single request.

    :raises JackfieldError: if AWS or the network refuses; never in doubt.
    """
    deadline = context.call.deadline
    with within(deadline):
        deadline.check()
        try:
            return _parse_credentials(*_sent(context, request))
        except (BotoCoreError, ClientError) as error:
            found = _ERRORS.explain(
                error,
                region=request.region,
                renewable=False,
                elsewhere=request.endpoint is not None,
            )
            raise _error_of_session(
                found or Unavailable("IAM Roles Anywhere could not be reached"), request
            ) from None
        except (KeyError, IndexError, TypeError, ValueError):
            text = "IAM Roles Anywhere returned an invalid response"
            raise Unavailable(text, hint=f"Check '{ENDPOINT_AT[1:]}'.", sent=Sent.NOTHING) from None


def _error_of_session(error: JackfieldError, request: SessionRequest) -> JackfieldError:
    if error.sent is Sent.UNKNOWN:
        error.sent = Sent.NOTHING
    said = error.provider.message or error.provider.code if error.provider else None
    error.message = (
        f"CreateSession for {request.role.text} "
        f"{'was refused' if error.sent is Sent.REFUSED else 'failed'}: "
        f"{said or error.message}"
    )
    return error


def _sent(context: OpenContext, request: SessionRequest) -> tuple[int, bytes]:
    place, body = urlsplit(request.url), request.body()
    host = place.netloc
    now = context.call.deadline.clock.time()
    fields = {
        "Host": host,
        **request.signer.headers(host, place.path, body, request.region, now),
        "Content-Length": str(len(body)),
    }
    guard = ANYWHERE if request.endpoint is None else context.guard
    try:
        wire = reach_by_environment(guard, ENDPOINT_AT, READ_TIMEOUT).wire(request.url)
    except LookupError:  # a proxy over TLS, which the wire does not speak
        raise unusable_proxy() from None
    target = Target(
        place.scheme.lower(), place.hostname or "", place.port or PORTS[place.scheme.lower()]
    )
    pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
    end = monotonic() + READ_TIMEOUT
    deadline = context.call.deadline
    try:
        reply = wire.send(
            "POST",
            target,
            place.path.encode(),
            pairs,
            body,
            lambda: min(deadline.remaining(), end - monotonic()),
            _begin,
        )
        try:
            return reply.status, whole_answer(reply.raw(), limit=_LARGEST)
        finally:
            reply.close()
    except WireFault as fault:
        raise raised_by_wire(fault, request.url) from fault


def _begin() -> None:
    """Do nothing: fetching credentials is not an attempt."""


def _parse_credentials(status: int, body: bytes) -> Minted:
    if status not in (200, 201):
        raise _refusal(status, body)
    found = json.loads(body)["credentialSet"][0]["credentials"]
    secrets = str(found["secretAccessKey"]), str(found["sessionToken"])
    keys = {
        "access_key_id": str(found["accessKeyId"]),
        "secret_access_key": secrets[0],
        "session_token": secrets[1],
    }
    return Minted(keys, datetime.fromisoformat(found["expiration"]).timestamp(), secrets)


def _refusal(status: int, body: bytes) -> Exception:
    """Return botocore's exception for a refusal."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    said: Mapping[str, Any] = found if isinstance(found, dict) else {}
    code = str(
        said.get("__type") or said.get("code") or ("AccessDenied" if status == 403 else "")
    ).rpartition("#")[2]
    message = str(said.get("message") or said.get("Message") or "")[:_SHOWN]
    about = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    made: Exception = ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, "CreateSession"
    )
    return made
