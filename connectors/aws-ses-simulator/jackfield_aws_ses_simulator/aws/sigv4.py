"""AWS Signature Version 4: parsing of a request's credential scope, and verification of its
signature.

The canonical form follows
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html for every
service but S3 (the path is encoded twice).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import quote

from jackfield_aws_ses_simulator.aws.exchange import HttpRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
# An access key may contain any character, even a slash, so the scope is parsed from its right end.
_HEADER = re.compile(
    _ALGORITHM
    + (
        r" +Credential=([^,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, "
        r"*SignedHeaders=([^,]+), *Signature=([0-9a-f]+)"
    )
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """Parts of an Authorization header."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: str
    signature: str

    @property
    def scope(self) -> str:
        """Signed date, region and service."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def parse_authorization(value: str) -> Authorization | None:
    """Parse an Authorization header; return None if it is not Signature Version 4."""
    found = _HEADER.match(value)
    return Authorization(*found.groups()) if found else None


def is_signed_with(request: HttpRequest, authorization: Authorization, secret: str) -> bool:
    """Return whether a request's signature was made with a secret."""
    canonical = "\n".join(
        (
            request.method,
            quote(request.path or "/", safe="/~"),
            "&".join(sorted(request.query.split("&"))),
            *(
                f"{name}:{' '.join(request.headers.get(name, '').split())}"
                for name in authorization.signed_headers.split(";")
            ),
            "",
            authorization.signed_headers,
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    text = "\n".join(
        (_ALGORITHM, request.headers.get("x-amz-date", ""), authorization.scope, digest)
    )
    key = ("AWS4" + secret).encode()
    for part in (*authorization.scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), authorization.signature)
