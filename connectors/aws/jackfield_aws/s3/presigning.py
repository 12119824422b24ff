"""Presigned requests, which their receivers send. Each is a credential: its holder can act for a
while.

Nothing is sent. Botocore signs, with Signature Version 4. A URL ends with the session that has
signed it, if that is earlier.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from botocore.config import Config
from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, Output, current_call
from jackfield.kernel.clock import iso
from jackfield_aws.clients import AwsClients
from jackfield_aws.s3 import multipart
from jackfield_aws.s3.connector import connector, needed
from jackfield_aws.s3.fields import Described, Located, Texts, text
from jackfield_aws.s3.names import ALLOWED_WITH

_USUAL, _LONGEST = 900, 604_800
"""Default validity in seconds, and the maximum of seven days that Signature Version 4 allows
(Amazon S3 API reference, authenticating requests).
"""
_SIGNED = Config(signature_version="s3v4")
_LISTS = {"type": "array", "maxItems": 100, "items": {"type": ["object", "array"]}}
_FILE_NAME = "${filename}"
Conditions = Annotated[list[Any], WithJsonSchema(_LISTS)]


def _lifetime() -> Any:
    about = (
        "Seconds for which it may be used: a quarter of an hour, unless it is given. It ends "
        "earlier with the session of a role."
    )
    return Field(
        _USUAL, title="Expires In", description=about, schema={"minimum": 1, "maximum": _LONGEST}
    )


class Got(Located):
    """The object that may be downloaded."""

    version_id: str | None = text("Version ID", "A version of the object.", alias="VersionId")
    response_content_type: str | None = text(
        "Response Content Type", "Media type of the response.", alias="ResponseContentType"
    )
    response_content_disposition: str | None = text(
        "Response Content Disposition",
        "How browsers present the response, such as attachment.",
        alias="ResponseContentDisposition",
    )
    expires_in: int = _lifetime()


class Put(Described):
    """The object that may be uploaded. The uploader has to send these fields along with the
    content.
    """

    content_length: int | None = Field(
        None,
        alias="ContentLength",
        title="Content Length",
        description="The exact size in bytes; any, if it is left out.",
        schema={"minimum": 0},
    )
    content_md5: str | None = text(
        "Content MD5", "The MD5 of the content as base64.", alias="ContentMD5"
    )
    expires_in: int = _lifetime()


class Post(Located):
    """The object that a form may upload."""

    fields: Texts | None = Field(
        None,
        alias="Fields",
        title="Fields",
        description="Form fields that have these values and no others, such as Content-Type or acl.",
    )
    conditions: Conditions | None = Field(
        None,
        alias="Conditions",
        title="Conditions",
        description='Further conditions of the policy: ["content-length-range", 1, 1048576], '
        '["starts-with", "$Content-Type", "image/"], '
        '{"acl": "private"}.',
    )
    expires_in: int = _lifetime()

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of conditions that no policy supports (Amazon S3 API reference, POST
        policy), and of a key that would let the form name any object of the bucket.
        """
        before, name, after = self.key.partition(_FILE_NAME)
        if name and (after or not before):
            about = (
                f"may have {_FILE_NAME} only once, at its end, after a prefix such as "
                "inbox/: else the form could choose any key"
            )
            yield Detail("/Key", about)
        for index, one in enumerate(self.conditions or ()):
            if not _is_condition(one):
                about = (
                    "is no condition: an object with one text, or [eq or starts-with, "
                    "$field, text], or [content-length-range, from, to]"
                )
                yield Detail(f"/Conditions/{index}", about)
            elif _names(one) & {"bucket", "key"}:
                yield Detail(
                    f"/Conditions/{index}",
                    "is about the bucket or the key, which 'Bucket' and 'Key' decide",
                )
        for name in self.fields or ():
            if name.casefold() in {"key", "bucket", "policy"} or name.casefold().startswith(
                "x-amz-signature"
            ):
                yield Detail(f"/Fields/{name}", "is a field that the signed form has itself")


class Presigned(Output):
    """Presigned request, which its holder may send."""

    url: str = Field(title="URL")
    method: str = Field(title="Method")
    headers: dict[str, str] = Field(
        title="Headers", description="Header fields that the request has to have."
    )
    expires_at: str = Field(title="Expires At")


class PresignedForm(Output):
    """Presigned form, which its holder may send as multipart/form-data, with the fields first and
    the file last.
    """

    url: str = Field(title="URL")
    fields: dict[str, str] = Field(title="Fields")
    expires_at: str = Field(title="Expires At")


@connector.action(
    "presignGet",
    effect="read",
    permissions=needed("PresignGet"),
    hands_out_credentials=True,
    allowed_with=ALLOWED_WITH["PresignGet"],
    keywords=("share link",),
)
def presign_get(given: Got, aws: AwsClients) -> Presigned:
    """Make a URL with which its holder may download one object for a while.

    The caller must also be allowed to call getObject. Nothing is sent, so it is unknown whether the
    object exists or may be read.
    """
    names = ("version_id", "response_content_type", "response_content_disposition")
    more = given.model_dump(by_alias=True, exclude_none=True, include={*names})
    return _presigned(given, aws, "get_object", more)


@connector.action(
    "presignPut",
    effect="read",
    permissions=needed("PresignPut"),
    hands_out_credentials=True,
    allowed_with=ALLOWED_WITH["PresignPut"],
    keywords=("upload link",),
)
def presign_put(given: Put, aws: AwsClients) -> Presigned:
    """Make a URL with which its holder may upload one object for a while.

    The caller must also be allowed to call putObject. The request must have the header fields in
    the output; the URL may be used several times until it expires.
    """
    more = given.model_dump(
        by_alias=True, exclude_none=True, include={"content_length", "content_md5"}
    )
    return _presigned(given, aws, "put_object", {**given.described, **more})


@connector.action(
    "presignPost",
    effect="read",
    permissions=needed("PresignPost"),
    hands_out_credentials=True,
    allowed_with=ALLOWED_WITH["PresignPost"],
    keywords=("upload form",),
)
def presign_post(given: Post, aws: AwsClients) -> PresignedForm:
    """Make a URL and form fields with which a browser may upload one object for a while.

    The caller must also be allowed to call putObject. The form may have only the fields in the
    output and in the conditions. A key that ends with ${filename} lets the form choose the rest of
    the key after the prefix.
    """
    s3, until = _client(aws), _end(given.expires_in, aws)
    fields = dict(given.fields or {})
    conditions = [*(given.conditions or ())]
    named = {name for one in conditions for name in _names(one)}
    conditions += [{name: value} for name, value in fields.items() if name.casefold() not in named]
    made = s3.generate_presigned_post(given.bucket, given.key, fields, conditions, given.expires_in)
    return PresignedForm(url=made["url"], fields=made["fields"], expires_at=until)


def _presigned(
    given: Got | Put, aws: AwsClients, method: str, more: Mapping[str, Any]
) -> Presigned:
    s3, until = _client(aws), _end(given.expires_in, aws)
    parameters = {"Bucket": given.bucket, "Key": given.key, **multipart.shared(given), **more}
    sent: dict[str, Any] = {}

    def note(request: Any, **_: object) -> None:
        sent.update(
            verb=request.method,
            headers={name: _text(value) for name, value in request.headers.items()},
        )

    s3.meta.events.register_last("before-sign.s3", note)
    url = s3.generate_presigned_url(method, parameters, ExpiresIn=given.expires_in)
    signed = _signed_names(url)
    headers = {
        name: value for name, value in sent.get("headers", {}).items() if name.casefold() in signed
    }
    return Presigned(url=url, method=sent["verb"], headers=headers, expires_at=until)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _signed_names(url: str) -> frozenset[str]:
    """Return the header fields covered by a URL's signature, except the host."""
    found = parse_qs(urlsplit(url).query).get("X-Amz-SignedHeaders", [""])[0]
    return frozenset(found.split(";")) - {"host"}


def _end(asked: int, aws: AwsClients) -> str:
    """Return the end of a signed request's validity: after ``asked`` seconds, or earlier with the
    credentials that sign it.
    """
    end, session, call = time.time() + asked, aws.ends_at, current_call()
    if session is not None and session < end:
        end = session
        if call is not None:
            call.warn(
                f"it ends earlier than after {asked:,} seconds: with the session whose "
                "credentials have signed it",
                "/expiresAt",
            )
    return str(iso(end))


def _client(aws: AwsClients) -> Any:
    return aws.boto3_session().client("s3", config=_SIGNED)


def _is_condition(one: Any) -> bool:
    if isinstance(one, dict):
        return len(one) == 1 and all(isinstance(value, str) for value in one.values())
    if not isinstance(one, list) or len(one) != 3:
        return False
    if one[0] == "content-length-range":
        return (
            all(
                isinstance(bound, int) and not isinstance(bound, bool) and bound >= 0
                for bound in one[1:]
            )
            and one[1] <= one[2]
        )
    return (
        one[0] in ("eq", "starts-with")
        and all(isinstance(part, str) for part in one)
        and one[1].startswith("$")
    )


def _names(one: Any) -> set[str]:
    """Return the fields in a condition."""
    if isinstance(one, dict):
        return {str(name).casefold() for name in one}
    return {one[1].removeprefix("$").casefold()} if one[0] != "content-length-range" else set()
