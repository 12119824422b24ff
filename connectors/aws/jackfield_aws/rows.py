"""Meaning of AWS's error codes: one row each, for all services. A connector adds the codes of its
service.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.connector import (
    Conflict,
    Forbidden,
    JackfieldError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.throttles import THROTTLES


@dataclass(frozen=True, slots=True)
class Row:
    """Meaning of a code: the error and the next step.

    ``hint`` and ``says`` (the message, by default "AWS refused {operation}") are templates over
    ``{operation}``, ``{region}``, ``{actions}`` (the missing IAM action, else the connector's),
    ``{principal}`` and ``{code}``. ``stale`` marks an expired credential that a new lease replaces.
    ``path`` is the JSON Pointer of the faulty value. Double the braces of JSON.
    """

    kind: type[JackfieldError]
    hint: str | None = None
    says: str | None = None
    sent: Sent = Sent.REFUSED
    stale: bool = False
    repeatable: bool = True
    path: str | None = None


Key = str | tuple[str, str]
"""Error code without its ``Exception``, or a code and a part of the message (case-insensitive),
which takes precedence.
"""

Rows = Mapping[Key, Row]

_KEY = "Check the Access Key ID and the Secret Access Key: "
_CLOCK = (
    "Set this machine's clock (NTP): AWS accepts only requests signed within 5 minutes of "
    "its own time."
)
_DENIED = "Allow {actions} for {principal} in IAM, in the region {region}."
_OPT_IN = " If {region} is an opt-in region, the account must enable it first."

THROTTLED = Row(
    RateLimited,
    "AWS throttles this account: send fewer requests per second, or ask AWS for a higher quota.",
)
"""Row of any 429 and every code of ``throttles``: nothing was executed."""
SERVER_FAULT = Row(
    Unavailable,
    "The failure is on AWS's side. See the AWS Health Dashboard for {region}.",
    "AWS failed to run {operation}",
    Sent.UNKNOWN,
)
"""Row of any 5xx: AWS may have executed the request before it failed."""
NOT_READY = Row(
    Unavailable,
    "What {operation} uses is not ready yet: try again in a moment.",
    "{operation} was not begun",
)
"""Row of codes sent before anything was executed: for a function without its network or snapshot,
or a model that is being loaded. (AWS Lambda API reference, Invoke; Amazon Bedrock API reference,
InvokeModel.)
"""
ENDPOINT_FAULT = Row(
    Unavailable,
    "The failure is on the side of the endpoint, which is not AWS's own: see its log.",
    "the endpoint failed to run {operation}",
    Sent.UNKNOWN,
)
"""Row of any 5xx of an endpoint in the connection or the environment."""
NOT_IMPLEMENTED = Row(
    Rejected,
    "Use an endpoint that implements {operation}: AWS itself, or another emulator.",
    "the endpoint does not implement {operation}",
)
"""Row of a 501: an emulator or a proxy lacks the operation. Nothing was executed."""
STORE_FULL = Row(
    QuotaExceeded, "The store is full: free some of its space, or add some, and then send it again."
)
"""Row of a 507, and of MinIO's code for it (MinIO, cmd/api-errors.go)."""
BY_STATUS: Mapping[int, Row] = {
    401: Row(
        Unauthenticated,
        "AWS, or what stands before it, refused the credentials: check the key of the connection.",
    ),
    403: Row(Forbidden, _DENIED),
    404: Row(
        NotFound,
        "Check the name or ID, the account and the region: {region} is the one that was asked.",
    ),
    407: Row(
        Unavailable,
        "Check HTTP_PROXY, with its user name and password, and NO_PROXY.",
        "the proxy refused {operation} with status 407",
        Sent.NOTHING,
        repeatable=False,
    ),
    408: Row(Unavailable, "AWS did not receive the whole request in time: check the network."),
    409: Row(
        Conflict,
        "AWS's message says what is in the way: read the resource's state, then send the request "
        "again.",
    ),
    429: THROTTLED,
    507: STORE_FULL,
}
"""Rows by status, for an unknown code. 407 comes from a proxy, which has forwarded nothing."""

CONTENT = Row(
    Rejected,
    "AWS refused this request as it is: change what its message names, then send it again.",
)
"""Row of any other 4xx."""
QUOTA = Row(
    QuotaExceeded,
    "A quota of the account is used up: free some of it, or request an increase in Service Quotas.",
)

_WRONG_SECRET = Row(
    Unauthenticated,
    _KEY + "they do not belong together, or one of them is truncated or contains a space.",
)
_UNKNOWN_KEY = Row(
    Unauthenticated,
    _KEY
    + "AWS does not know the key, or it is inactive. A temporary key needs its session token."
    + _OPT_IN,
)
_SKEWED = Row(Unauthenticated, _CLOCK)
_ELSEWHERE = Row(
    Unauthenticated,
    "The endpoint belongs to another region or service than the request was signed for: correct "
    "the region or the endpoint.",
)
_STOPPED = Row(
    Forbidden,
    "Sending is stopped in {region}, not this message refused: AWS's message says for whom. The "
    "account's status in the SES console says "
    "why; a suspension ends in AWS Support only.",
)
_UNVERIFIED = Row(
    Rejected,
    "Verify the identities that AWS's message names in {region}: the sender's address or domain, "
    "and in the sandbox each recipient too.",
)
_EXPIRED = Row(
    Unauthenticated,
    "The session token has expired: store new credentials, or use a role, whose sessions are "
    "renewed automatically.",
    stale=True,
)
_UNSIGNED = Row(
    Unauthenticated,
    _KEY + "the request arrived without a complete signature; a proxy may have changed it.",
)
_NO_SERVICE = Row(Unauthenticated, "The account is not signed up for this service." + _OPT_IN)
_FORBIDDEN = Row(Forbidden, _DENIED)
_EXPLICIT = Row(
    Forbidden,
    "A policy explicitly denies {actions} for {principal}. Remove the Deny; an Allow does not "
    "override it.",
)
_SCP = Row(
    Forbidden,
    "A service control policy of the AWS organisation denies {actions}: its administrators must "
    "allow it.",
)
_SESSION = Row(
    Forbidden,
    "The session policy does not allow {actions}: add it to the connection's 'sessionPolicy', or "
    "remove 'sessionPolicy'.",
)
_BOUNDARY = Row(
    Forbidden, "The permissions boundary of {principal} does not allow {actions}: add it there too."
)

_OLD_STORE = Row(
    Rejected,
    "The server knows no newer checksums: set 's3Checksums' of the connection to whenRequired.",
)
_NO_CONDITIONS = Row(Rejected, "The server has no conditions: leave IfMatch and IfNoneMatch out.")
_CAPPED = Row(
    QuotaExceeded,
    "A cap of the account at the store is used up: raise it on its page of caps, or wait for its "
    "reset.",
)
_IN_PROGRESS = Row(
    RateLimited,
    "A request with the same token is still running: read what it has done, or repeat this one.",
    sent=Sent.UNKNOWN,
)
"""Row that is no refusal: the running transaction may be an earlier attempt of the same call
(DynamoDB API reference, TransactWriteItems).
"""

_DENIALS = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
_REASONS = {
    "service control policy": _SCP,
    "session policy": _SESSION,
    "permissions boundary": _BOUNDARY,
    "explicit deny": _EXPLICIT,
}

_STOPS = tuple(
    f"{form}{verb}"
    for form in ("", "is ", "has been ")
    for verb in ("suspended", "paused", "disabled")
)
"""Phrases of Amazon SES's refusals while sending is stopped."""

_STORES: Rows = {
    "XMinioStorageFull": STORE_FULL,
    **dict.fromkeys(("SlowDownRead", "SlowDownWrite"), THROTTLED),
    ("AccessDenied", "cap exceeded"): _CAPPED,
    **{
        (code, header): _OLD_STORE
        for code in ("InvalidArgument", "InvalidRequest", "NotImplemented")
        for header in ("x-amz-sdk-checksum", "x-amz-checksum")
    },
    **dict.fromkeys(
        (("NotImplemented", "if-none-match"), ("NotImplemented", "if-match")), _NO_CONDITIONS
    ),
}
"""Rows of other servers that speak S3: MinIO (cmd/api-errors.go), Backblaze B2 (S3-compatible API,
caps and alerts), Cloudflare R2 (S3 API compatibility).
"""

AWS_ROWS: Rows = {
    **_STORES,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClient": _UNKNOWN_KEY,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "AuthFailure": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "InvalidSignature": _WRONG_SECRET,
    ("SignatureDoesNotMatch", "Signature expired"): _SKEWED,
    ("SignatureDoesNotMatch", "Signature not yet current"): _SKEWED,
    ("InvalidSignature", "Signature expired"): _SKEWED,
    ("InvalidSignature", "Signature not yet current"): _SKEWED,
    ("SignatureDoesNotMatch", "Credential should be scoped"): _ELSEWHERE,
    ("InvalidSignature", "Credential should be scoped"): _ELSEWHERE,
    "RequestExpired": _SKEWED,
    "RequestTimeTooSkewed": _SKEWED,
    "RequestInTheFuture": _SKEWED,
    "ExpiredToken": _EXPIRED,
    "IncompleteSignature": _UNSIGNED,
    "MissingAuthenticationToken": _UNSIGNED,
    "OptInRequired": _NO_SERVICE,
    "SubscriptionRequired": _NO_SERVICE,
    **dict.fromkeys(_DENIALS, _FORBIDDEN),
    **{(code, reason): row for code in _DENIALS for reason, row in _REASONS.items()},
    "RegionDisabled": Row(
        Forbidden,
        "STS is not active in {region} for this account: enable the region, or choose another.",
    ),
    **dict.fromkeys((code.removesuffix("Exception") for code in THROTTLES), THROTTLED),
    "TransactionInProgress": _IN_PROGRESS,
    **{(code, "Daily message quota"): QUOTA for code in ("Throttling", "TooManyRequests")},
    ("MessageRejected", "not verified"): _UNVERIFIED,
    **{("MessageRejected", f"sending {verb}"): _STOPPED for verb in _STOPS},
    **dict.fromkeys(("SnapStartNotReady", "ResourceNotReady"), NOT_READY),
    "LimitExceeded": QUOTA,
    "ServiceQuotaExceeded": QUOTA,
    "RequestTimeout": BY_STATUS[408],
    "InternalFailure": SERVER_FAULT,
    "InternalError": SERVER_FAULT,
    "InternalServiceError": SERVER_FAULT,
    "InternalServerError": SERVER_FAULT,
    "ServiceUnavailable": SERVER_FAULT,
    "ResourceNotFound": BY_STATUS[404],
    "NotFound": BY_STATUS[404],
    "Conflict": BY_STATUS[409],
    "ValidationError": CONTENT,
    "Validation": CONTENT,
    "InvalidParameterValue": CONTENT,
    "BadRequest": CONTENT,
    "InvalidAction": Row(
        Rejected,
        "The service or the endpoint does not know {operation}; it may not exist in {region}.",
    ),
    "UnknownOperation": Row(
        Rejected,
        "The service or the endpoint does not know {operation}; it may not exist in {region}.",
    ),
}
"""Rows of codes that any service may return (AWS reference, common errors; botocore's retry
tables).
"""
