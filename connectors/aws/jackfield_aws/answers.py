"""AWS's error responses, read from botocore's ClientError: code, message, status, request ID and
Retry-After.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from jackfield.connector import Provider, parsable_field
from jackfield.connector.meanings import is_page
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.json_answers import cleaned

_XML_CODE = re.compile(r"<Code>\s*([\w.]+)\s*</Code>")
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_NUMBER = re.compile(r"[0-9]*")
_PRINCIPAL = re.compile(
    r"arn:[a-z-]+:(?:iam|sts)::[0-9]{12}:(?:user|role|assumed-role|federated-user|root)[^\s`'\"]*"
)
_ACTION = re.compile(r"perform:? [`'\"]?([a-z0-9-]+:[A-Za-z*]+)")
_RESOURCE = re.compile(r"on resource:? [`'\"]?(arn:[^\s`'\"]+)")
_CANONICAL = re.compile(r"The Canonical String for this request should have been.*", re.DOTALL)
_SESSION = re.compile(r"arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([^/]+)/.+")
_NO_MEMBERS = frozenset({"Error", "ResponseMetadata"})
_NOT_MODIFIED = 304
_LONGEST = 1000
"""Maximum characters stored of a provider's message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Refusal by AWS. ``status`` is 0 if it is unknown; ``retry_after`` is in seconds."""

    code: str
    message: str
    status: int
    operation: str
    request_id: str | None = None
    retry_after: float | None = None
    details: Mapping[str, Any] | None = None
    """Modelled members of the error, except its message."""

    @property
    def provider(self) -> Provider:
        """Refusal as ``provider`` of a Result's error."""
        return Provider(
            self.code or None,
            self.message or None,
            self.status or None,
            self.request_id,
            self.details,
        )

    @property
    def principal(self) -> str | None:
        """ARN of the caller, if IAM names it."""
        return principal_in(self.message)

    @property
    def action(self) -> str | None:
        """Missing IAM action, if IAM names it (``ses:SendEmail``)."""
        found = _ACTION.search(self.message)
        return found.group(1) if found else None

    @property
    def resource(self) -> str | None:
        """ARN of the resource for which the action was refused, if IAM names it."""
        found = _RESOURCE.search(self.message)
        return found.group(1).rstrip(".,:;") if found else None


def principal_in(message: str) -> str | None:
    """Return the first ARN of a user, a role or a session in a provider's message; None if the
    message names none.
    """
    found = _PRINCIPAL.search(message)
    return found.group().rstrip(".,:;") if found else None


def role_of_session(arn: str) -> str:
    """Return the ARN to name in a trust policy: for an STS session its role (without the path,
    which is unknown), else the ARN itself.
    """
    found = _SESSION.fullmatch(arn)
    return "arn:{}:iam::{}:role/{}".format(*found.groups()) if found else arn


def read_answer(error: Any) -> Answer:
    """Read a ClientError. In an XML response to a JSON service, the code is inside the message and
    the status in place of the code.
    """
    response: dict[str, Any] = error.response
    fault, about = response.get("Error") or {}, response.get("ResponseMetadata") or {}
    code, message = (
        str(fault.get("Code") or ""),
        str(fault.get("Message") or response.get("message") or ""),
    )
    if _NUMBER.fullmatch(code) or code == "Unknown":
        code, message = _inside(message)
    headers = about.get("HTTPHeaders") or {}
    if not code and "x-minio-error-code" in headers:  # a HEAD has no body
        code = headers["x-minio-error-code"]
        message = headers.get("x-minio-error-desc", "").strip('"')
    message = "" if is_page(message) else message
    details = (
        _unchanged(headers)
        if about.get("HTTPStatusCode") == _NOT_MODIFIED
        else _modelled(error, response)
    )
    return Answer(
        code=code,
        message=_CANONICAL.sub("", message).strip()[:_LONGEST],
        status=int(about.get("HTTPStatusCode") or 0),
        operation=str(getattr(error, "operation_name", "") or "the request"),
        request_id=about.get("RequestId") or headers.get("x-amzn-requestid"),
        retry_after=_seconds(headers, details or {}),
        details=details,
    )


def _modelled(error: Any, response: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an error's members in the service's model; None for an unmodelled error, in which
    botocore only parses unknown XML.
    """
    if type(error).__module__ != "botocore.errorfactory":
        return None
    found = {
        name: value
        for name, value in response.items()
        if name not in _NO_MEMBERS and name.casefold() != "message"
    }
    return cleaned(found) if found else None


def _unchanged(headers: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a 304's header fields about the caller's cached copy (RFC 9110 §15.4.5); None if it
    has no such fields.
    """
    found = {
        "ETag": headers.get("etag"),
        "LastModified": headers.get("last-modified"),
        "VersionId": headers.get("x-amz-version-id"),
    }
    return {name: value for name, value in found.items() if value} or None


def _inside(message: str) -> tuple[str, str]:
    code, text = _XML_CODE.search(message), _XML_MESSAGE.search(message)
    return (code.group(1) if code else ""), (
        text.group(1).strip() if text else message if code is None else ""
    )


def _seconds(headers: Mapping[str, str], details: Mapping[str, Any]) -> float | None:
    """Return the seconds to wait before a retry; None if AWS does not name them.

    They come from ``x-amz-retry-after`` (milliseconds; AWS SDKs reference guide, retry behavior),
    from ``Retry-After`` (RFC 9110 §10.2.3), or from the error's member ``retryAfterSeconds``. A
    date of ``Retry-After`` is relative to the server's ``Date``.
    """
    own = _number(parsable_field(headers.get("x-amz-retry-after")))
    if own is not None:
        return own / 1000
    value = parsable_field(headers.get("retry-after"))
    if value is not None:
        seconds = _number(value)
        return _until(value, parsable_field(headers.get("date"))) if seconds is None else seconds
    return next(
        (
            _number(member)
            for name, member in details.items()
            if name.casefold() == "retryafterseconds"
        ),
        None,
    )


def _number(value: object) -> float | None:
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if isfinite(found) and found >= 0 else None


def _until(value: str, now: str | None) -> float | None:
    try:
        return max(
            0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(now or "")).total_seconds()
        )
    except (ValueError, TypeError):
        return None
