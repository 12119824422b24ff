"""Fields shared by the AWS connection types, each defined once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jackfield.connector import Field, Warmup
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.endpoints import S3_ADDRESSING, S3_CHECKSUMS
from jackfield_aws.regions import (
    ANY_REGION_EXPECTED,
    ANY_REGION_PATTERN,
    REGION_EXPECTED,
    REGION_PATTERN,
)

Audience = Literal["user", "platform", "operator"]
_TEXT = {"minLength": 1}
_KEY = {"minLength": 1, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}
"""Schema of a key: any text for a header line, since test endpoints accept arbitrary keys. A line
break is a copying mistake.
"""
_KEY_EXPECTED = "text without line breaks, tabs or other control characters"
_URL = {
    "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\x00-\\x1f\\x7f/?#@]+(/[^\\s\\x00-\\x1f\\x7f?#]*)?$"
}

KEY_PAIR_TOGETHER: dict[str, Any] = {
    "dependentRequired": {
        "accessKeyId": ["secretAccessKey"],
        "secretAccessKey": ["accessKeyId"],
        "sessionToken": ["accessKeyId", "secretAccessKey"],
    }
}
"""JSON Schema: both parts of a key pair or neither, and no session token without them."""


def access_key_id(
    default: Any = ..., about: str = "An AWS IAM Access Key ID", *, audience: Audience | None = None
) -> Any:
    """Declare the access key ID. Any text is allowed, since test endpoints accept arbitrary
    keys.
    """
    return Field(
        default,
        title="Access Key ID",
        description=about,
        trim=True,
        blank="absent",
        mask="last4",
        expects=_KEY_EXPECTED,
        audience=audience,
        schema=_KEY,
    )


def secret_access_key(default: Any = ..., *, audience: Audience | None = None) -> Any:
    """Declare the secret access key."""
    return Field(
        default,
        title="Secret Access Key",
        description="An AWS IAM Secret Access Key",
        secret=True,
        trim=True,
        blank="absent",
        expects=_KEY_EXPECTED,
        audience=audience,
        schema=_KEY,
    )


def session_token(
    about: str = "Only for temporary keys: the session token issued with them.",
    *,
    hidden: bool = False,
) -> Any:
    """Declare the session token of temporary keys."""
    return Field(
        None,
        title="Session Token",
        description=about,
        secret=True,
        trim=True,
        blank="absent",
        expects=_KEY_EXPECTED,
        hidden=hidden,
        audience="platform",
        schema=_KEY,
    )


AT_AWS: dict[str, Any] = {
    "if": {"not": {"required": ["endpoint"]}},
    "then": {
        "properties": {
            "region": {"pattern": REGION_PATTERN, "x-jackfield": {"expects": REGION_EXPECTED}}
        }
    },
}
"""JSON Schema: regions of AWS only, unless the connection names an endpoint, whose owner chooses
region names.
"""
_REGION = "The region for actions that do not set one, such as us-west-2 or eu-west-1."


def region(
    about: str = _REGION,
    example: str = "eu-west-1",
    *,
    expects: str = REGION_EXPECTED,
    pattern: str = REGION_PATTERN,
    audience: Audience | None = None,
) -> Any:
    """Declare a region of AWS; by default the one for actions without ``awsRegion``."""
    return Field(
        None,
        title="AWS Region",
        description=about,
        examples=[example],
        options="awsRegions",
        trim=True,
        lowercase=True,
        blank="absent",
        expects=expects,
        audience=audience,
        schema={"pattern": pattern},
    )


def region_of_server() -> Any:
    """Declare a region of AWS, or of another server at the connection's endpoint; for types with
    ``AT_AWS``.
    """
    return region(expects=ANY_REGION_EXPECTED, pattern=ANY_REGION_PATTERN)


def url(title: str, description: str, example: str) -> Any:
    """Declare an http or https URL that replaces an AWS endpoint."""
    return Field(
        None,
        title=title,
        description=description,
        examples=[example],
        trim=True,
        blank="absent",
        expects="an http or https URL without user name, query or spaces",
        destination=True,
        schema=_URL,
    )


def endpoint() -> Any:
    """Declare the endpoint of the connector's service."""
    text = (
        "URL of a private or test endpoint of the service. The default is AWS's own endpoint "
        "for the region. Not used for STS."
    )
    return url("Endpoint", text, "https://email.eu-west-1.amazonaws.com")


def warmup() -> Any:
    """Declare the warm-up plan of a new sender."""
    per_day = {
        "type": "array",
        "items": {"type": "integer", "minimum": 1},
        "minItems": 1,
        "maxItems": 366,
    }
    return Field(
        None,
        title="Warm-Up",
        description=(
            "How many recipients a day (UTC) may be sent to, counted from the day of the "
            "first email. No limit after the last day."
        ),
        examples=[{"perDay": [200, 500, 1000, 5000]}],
        audience="operator",
        schema={
            "type": "object",
            "properties": {"perDay": per_day},
            "required": ["perDay"],
            "additionalProperties": False,
        },
    )


@dataclass(frozen=True, slots=True)
class MailLimits:
    """A connection's limits for sent mail: the warm-up plan of a new sender, and the tenant of
    Amazon SES.
    """

    warmup: Mapping[str, Any] | None = None
    tenant: str | None = None


NO_LIMITS = MailLimits()


def warmup_of(name: str | None, value: Mapping[str, Any] | None) -> Warmup | None:
    """Return a connection's warm-up plan; None for an inline connection, about which nothing is
    stored.
    """
    return None if name is None or value is None else Warmup(name, tuple(value["perDay"]))


def sender() -> Any:
    """Declare the default of an action's ``sender``."""
    return Field(
        None,
        title="Sender Email",
        description="The email address to send from if an action does not set a sender.",
        examples=["noreply@example.com"],
        audience="platform",
        trim=True,
        blank="absent",
        schema=_TEXT,
    )


def tenant() -> Any:
    """Declare the tenant that overrides the tenant of every action."""
    return Field(
        None,
        title="SES Tenant",
        description=(
            "The tenant of Amazon SES that every email is sent under. No action can choose "
            "another one."
        ),
        examples=["acme"],
        fixed=True,
        trim=True,
        blank="absent",
        expects="the name of a tenant (1 to 64 letters, digits, '_' and '-')",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
    )


def s3_addressing() -> Any:
    """Declare the addressing of buckets for a server that speaks S3."""
    text = (
        "Where a server that speaks S3 finds the bucket: path, or virtual (in the host's "
        "name). By default path, but at AWS."
    )
    return _of_s3("s3Addressing", "S3 Addressing", text, S3_ADDRESSING)


def s3_checksums() -> Any:
    """Declare the checksums for a server that speaks S3."""
    text = (
        "whenRequired for servers that speak S3 and know no checksums but MD5. By default "
        "whenSupported, as AWS does."
    )
    return _of_s3("s3Checksums", "S3 Checksums", text, S3_CHECKSUMS)


def _of_s3(alias: str, title: str, description: str, choices: Sequence[str]) -> Any:
    """Declare a choice for S3: every connector of the family accepts it, and only ``aws.s3`` offers
    it.
    """
    return Field(
        None,
        alias=alias,
        title=title,
        description=description,
        blank="absent",
        hidden=True,
        schema={"enum": list(choices)},
    )
