"""AWS's refusals, and their form in each protocol.

SES version 1 and STS (query protocol) and SES version 2 (REST-JSON) name the same refusal
differently, so a Refusal has both names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.query import error_xml

_JSON_ERRORS = {"monitoring": "com.amazonaws.cloudwatch", "sqs": "com.amazonaws.sqs"}
"""Namespaces of the errors of AWS's JSON protocol, by service."""
_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _NOT_IMPLEMENTED = 400, 403, 404, 429, 501


@dataclass(eq=False)
class Refusal(Exception):
    """Refusal of a request by AWS. ``code`` and ``status`` are of the query protocol, ``v2_code``
    and ``v2_status`` of version 2 if different.
    """

    code: str
    message: str
    status: int = _BAD_REQUEST
    v2_code: str | None = None
    v2_status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self, service: str, request_id: str) -> Answer:
        """Return the refusal in the service's wire format."""
        if service == "sesv2":
            headers = (
                ("x-amzn-RequestId", request_id),
                ("x-amzn-ErrorType", self.v2_code or self.code),
                *self.headers,
            )
            return Answer(
                self.v2_status or self.status,
                json.dumps({"message": self.message}).encode(),
                headers=headers,
            )
        if service in _JSON_ERRORS:
            text = json.dumps(
                {"__type": f"{_JSON_ERRORS[service]}#{self.code}", "message": self.message}
            )
            return Answer(
                self.status,
                text.encode(),
                "application/x-amz-json-1.0",
                (("x-amzn-RequestId", request_id), *self.headers),
            )
        body = error_xml(service, self.code, self.message, self.status, request_id)
        return Answer(
            self.status, body, "text/xml", (("x-amzn-RequestId", request_id), *self.headers)
        )


def unknown_key() -> Refusal:
    """Return the refusal of an unknown access key."""
    text = "The security token included in the request is invalid."
    return Refusal("InvalidClientTokenId", text, _FORBIDDEN, "UnrecognizedClientException")


def bad_signature() -> Refusal:
    """Return the refusal of a signature made with another secret."""
    text = (
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key"
        " and signing method. Consult the service documentation for details."
    )
    return Refusal("SignatureDoesNotMatch", text, _FORBIDDEN, "InvalidSignatureException")


def unsigned() -> Refusal:
    """Return the refusal of an unsigned request."""
    return Refusal(
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
        _FORBIDDEN,
        "MissingAuthenticationTokenException",
    )


def expired() -> Refusal:
    """Return the refusal of an expired or unknown session."""
    return Refusal(
        "ExpiredToken",
        "The security token included in the request is expired",
        _FORBIDDEN,
        "ExpiredTokenException",
    )


def denied(arn: str, action: str, resource: str) -> Refusal:
    """Return the refusal of an action for which the caller lacks the permission."""
    text = f"User: {arn} is not authorized to perform: {action} on resource: {resource}"
    return Refusal("AccessDenied", text, _FORBIDDEN, "AccessDeniedException")


def throttled(text: str = "Rate exceeded") -> Refusal:
    """Return the refusal of a request that exceeds a rate or the daily quota."""
    return Refusal("Throttling", text, _BAD_REQUEST, "TooManyRequestsException", _TOO_MANY)


def invalid(text: str) -> Refusal:
    """Return the refusal of an invalid parameter."""
    return Refusal("InvalidParameterValue", text, _BAD_REQUEST, "BadRequestException")


def misshapen(text: str = "The request does not have the shape of the operation") -> Refusal:
    """Return the refusal of an unreadable body."""
    return Refusal("SerializationException", text)


def missing(text: str) -> Refusal:
    """Return the refusal for a resource that does not exist in the region."""
    return Refusal("NotFoundException", text, _NOT_FOUND)


def unimplemented(what: str) -> Refusal:
    """Return the refusal of an operation that the simulator lacks."""
    return Refusal("NotImplemented", f"The simulator does not implement {what}.", _NOT_IMPLEMENTED)
