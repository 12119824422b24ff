"""AWS's refusals, and their form in each protocol.

SES v1 and STS (query protocol) and SESv2 (REST-JSON) name the same refusal differently, so an AwsError carries both names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .query import error_xml
from .wire import Answer


@dataclass(eq=False)
class AwsError(Exception):
    """A refusal: `code` and `status` for the query protocol, `v2_code` and `v2_status` for SESv2 where they differ."""

    code: str
    message: str
    status: int = 400
    v2_code: str | None = None
    v2_status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self, service: str, request_id: str) -> Answer:
        """Return the refusal as the service words it on the wire."""
        if service == "sesv2":
            headers = (("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", self.v2_code or self.code), *self.headers)
            return Answer(self.v2_status or self.status, json.dumps({"message": self.message}).encode(), headers=headers)
        body = error_xml(service, self.code, self.message, self.status, request_id)
        return Answer(self.status, body, "text/xml", (("x-amzn-RequestId", request_id), *self.headers))


def unknown_key() -> AwsError:
    """Return an access key that does not exist."""
    text = "The security token included in the request is invalid."
    return AwsError("InvalidClientTokenId", text, 403, "UnrecognizedClientException")


def bad_signature(text: str | None = None) -> AwsError:
    """Return a signature made with another secret, or at another time."""
    text = text or (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
        " and signing method. Consult the service documentation for details."
    )
    return AwsError("SignatureDoesNotMatch", text, 403, "InvalidSignatureException")


def unsigned() -> AwsError:
    """No signature where one is needed."""
    text = "Request is missing Authentication Token"
    return AwsError("MissingAuthenticationToken", text, 403, "MissingAuthenticationTokenException")


def expired() -> AwsError:
    """Return a session that is over, or that nobody knows."""
    return AwsError("ExpiredToken", "The security token included in the request is expired", 403, "ExpiredTokenException")


def denied(arn: str, action: str, resource: str, quoted: bool = False) -> AwsError:
    """Return a permission that is missing; `quoted` is the wording that SES uses for sends."""
    text = (
        f"User `{arn}' is not authorized to perform `{action}' on resource `{resource}'"
        if quoted
        else f"User: {arn} is not authorized to perform: {action} on resource: {resource}"
    )
    return AwsError("AccessDenied", text, 403, "AccessDeniedException")


def throttled(text: str = "Rate exceeded") -> AwsError:
    """Too fast, or too much in a day."""
    return AwsError("Throttling", text, 400, "TooManyRequestsException", 429)


def invalid(text: str) -> AwsError:
    """Return a parameter that AWS does not take."""
    return AwsError("InvalidParameterValue", text, 400, "BadRequestException")


def default_code(service: str, status: int) -> str:
    """Return the code that a service most likely sends with a status, where a script names none."""
    v2 = service == "sesv2"
    if status == 403:
        return "AccessDeniedException" if v2 else "AccessDenied"
    if status == 404 and v2:
        return "NotFoundException"
    if status == 429:
        return "TooManyRequestsException" if v2 else "Throttling"
    if status == 503:
        return "ServiceUnavailableException" if v2 else "ServiceUnavailable"
    if status >= 500:
        return "InternalServiceErrorException" if v2 else "InternalFailure"
    return "BadRequestException" if v2 else "ValidationError"
