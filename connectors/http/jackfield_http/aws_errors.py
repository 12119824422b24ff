"""Meaning of AWS's error responses, which have a code in addition to the status."""

from __future__ import annotations

import re
from html import unescape

from jackfield.connector import Forbidden, NotFound, RateLimited, Unauthenticated
from jackfield.kernel.dataclass import dataclass
from jackfield_http.errors import ROWS, HttpErrors, Refusal, Row

_ELEMENTS = {name: re.compile(f"<{name}>([^<]{{1,1000}})".encode()) for name in ("Code", "Message")}
_SIGNATURE = Row(
    Unauthenticated, "Check the access key, 'service' and 'region', and the clock of this machine."
)
_EXPIRED = Row(
    Unauthenticated, "The session has expired: use new keys, or a role, whose sessions are renewed."
)
_DENIED = Row(
    Forbidden,
    "Allow the identity of the connection this request, in IAM and in the policy of the resource.",
)


@dataclass(frozen=True)
class AwsHttpErrors(HttpErrors):
    """Error map of AWS: the code is in the header field ``x-amzn-errortype``, in ``__type`` of
    JSON, or in the element ``Code`` of XML.
    """

    def _words(self, refusal: Refusal) -> tuple[str | None, str | None]:
        code, message = super()._words(refusal)
        body = refusal.body if isinstance(refusal.body, dict) else _elements(refusal.content)
        named = refusal.headers.get("x-amzn-errortype") or body.get("__type") or body.get("Code")
        if isinstance(named, str):
            code = named.partition(":")[0].rpartition("#")[2][:200] or code
        if message is None and isinstance(body.get("Message"), str):
            message = body["Message"][:1000]
        return code, message


def _elements(content: bytes) -> dict[str, str]:
    """Return the code and the message of an error in XML, which contains each of them once."""
    found = {name: _ELEMENTS[name].search(content) for name in _ELEMENTS}
    return {
        name: unescape(one[1].decode("utf-8", "replace"))
        for name, one in found.items()
        if one is not None
    }


AWS_HTTP_ERRORS = AwsHttpErrors(
    rows={
        **ROWS,
        **dict.fromkeys(
            ("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignatureException"),
            _SIGNATURE,
        ),
        **dict.fromkeys(
            (
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "MissingAuthenticationTokenException",
            ),
            _SIGNATURE,
        ),
        **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _EXPIRED),
        **dict.fromkeys(("AccessDenied", "AccessDeniedException"), _DENIED),
        **dict.fromkeys(
            ("ThrottlingException", "Throttling", "TooManyRequestsException"), ROWS[429]
        ),
        "ResourceNotFoundException": Row(NotFound),
        "LimitExceededException": Row(RateLimited),
    },
    proves_success=False,
)
"""Error map of AWS: by HTTP status and by AWS's error codes."""
