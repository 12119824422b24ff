"""Signatures of any HTTP request (AWS Signature Version 4) for connections of jackfield-http, by
keys, roles or the machine's identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from jackfield.connector import InvalidInput, OpenContext, Sent
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.clients import drop_lease
from jackfield_aws.connection_types import AwsAssumeRole
from jackfield_aws.keys import Keys
from jackfield_aws.leases import lease_role
from jackfield_aws.sessions import Ambient, find_identity, hush

if TYPE_CHECKING:
    from jackfield_aws.clients import Lease

_COVERED = frozenset({"host", "content-type", "content-md5"})
"""Header fields that a signature covers, in addition to AWS's own. Proxies may change other
fields.
"""
_SET = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")
_TAKEN = frozenset(name.lower() for name in _SET)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_OF_ROLES = (
    "roleARN",
    "accessKeyId",
    "secretAccessKey",
    "sessionToken",
    "externalId",
    "durationSeconds",
    "stsEndpoint",
    "region",
)


def signer(context: OpenContext, values: Mapping[str, Any]) -> RequestSigner:
    """Return the signer of a connection with these values. Concurrent requests share one assumption
    of a role.

    :raises JackfieldError: if the values are not valid, STS refuses, or this machine has no
        identity; nothing was sent to the server.
    """
    service, region = values["service"], values["region"]
    if "roleARN" in values:
        role = AwsAssumeRole.model_validate(
            {name: values[name] for name in _OF_ROLES if name in values}
        )
        lease = lease_role(context, context.cached("role", lambda: role.assumption(context)))
        return RequestSigner(context, Keys(**lease[1].value), service, region, lease)
    if "accessKeyId" in values:
        keys = Keys(values["accessKeyId"], values["secretAccessKey"], values.get("sessionToken"))
        return RequestSigner(context, keys, service, region)
    machine = find_identity(Ambient(path="/accessKeyId"), region)
    found = machine.found(context.call.deadline)
    return RequestSigner(
        context, found.keys, service, region, None if found.expires_at is None else (machine, found)
    )


class RequestSigner(SecretHolder):
    """Signer of requests to one service in one region."""

    __slots__ = ("_context", "_keys", "_lease", "_region", "_service")

    def __init__(
        self,
        context: OpenContext,
        keys: Keys,
        service: str,
        region: str,
        lease: Lease | None = None,
    ) -> None:
        self._context = context
        self._keys = keys
        self._service = service
        self._region = region
        self._lease = lease

    def __repr__(self) -> str:
        return f"RequestSigner({self._service!r}, {self._region!r})"

    def sign(
        self, method: str, url: str, fields: Sequence[tuple[str, str]], digest: str | None
    ) -> Mapping[str, str]:
        """Return the header fields to add to a request.

        :raises InvalidInput: if the service requires a signed body, which cannot be read twice, or
            a header field belongs to the signature.
        """
        hush()
        own = next((name for name, _ in fields if name.lower() in _TAKEN), None)
        if own is not None:
            raise InvalidInput(
                f"the header '{own}' is set by the signature",
                hint="Leave it out.",
                sent=Sent.NOTHING,
            )
        is_s3 = self._service == "s3"
        if digest is None and not (is_s3 and url.startswith("https:")):
            raise InvalidInput(
                "the body cannot be signed: it can be read only once",
                hint="Send text, JSON or an uploaded file.",
                sent=Sent.NOTHING,
            )
        covered = {
            name: value
            for name, value in fields
            if name.lower() in _COVERED or name.lower().startswith("x-amz-")
        }
        request = AWSRequest(method, _canonical(url, is_s3=is_s3), covered)
        credentials = Credentials(
            self._keys.access_key_id, self._keys.secret_access_key, self._keys.session_token
        )
        auth = (S3SigV4Auth if is_s3 else SigV4Auth)(credentials, self._service, self._region)
        # the body is streamed: botocore does not see it
        auth.payload = lambda _request: digest or _UNSIGNED
        auth.add_auth(request)
        return {name: request.headers[name] for name in _SET if name in request.headers}

    @property
    def renewable(self) -> bool:
        """True if the keys belong to a role's session, or are the machine's own and expire."""
        return self._lease is not None

    def renew(self) -> None:
        """Drop the session."""
        if self._lease is not None:
            drop_lease(self._context, self._lease)


def _canonical(url: str, *, is_s3: bool) -> str:
    """Return a URL encoded as AWS expects it in the signature: the query, and S3's path, which is
    not encoded a second time.
    """
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return urlunsplit(
        parts._replace(query=query, path=_encoded(parts.path, "/") if is_s3 else parts.path)
    )


def _encoded(text: str, kept: str = "") -> str:
    return quote(unquote_to_bytes(text), safe=f"{kept}-_.~")
