"""Field types that the inputs of several Amazon SES actions share. Titles and comments come from
the reference document; see docs/compatibility.md.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema
from pydantic_core import PydanticUndefined

from jackfield.connector import Detail, Field
from jackfield_aws import REGION_EXPECTED, REGION_PATTERN
from jackfield_aws_ses.addresses import AddressError, parse_mailbox

_ONE_OR_MORE: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "format": "mailbox"}},
        {"type": "string", "format": "mailbox-list"},
    ],
}
FILE: dict[str, Any] = {
    "anyOf": [
        {
            "type": "string",
            "description": (
                "The file's text (UTF-8), or a data: URL (RFC 2397). An https address is not "
                "fetched."
            ),
        },
        {
            "type": "object",
            "properties": {
                "data": {
                    "type": "string",
                    "contentEncoding": "base64",
                    "description": "The file's bytes as base64.",
                },
                "contentType": {
                    "type": "string",
                    "description": "The file's media type, such as application/pdf.",
                },
            },
            "required": ["data"],
            "additionalProperties": False,
        },
    ],
}
ATTACHED_FILE: dict[str, Any] = {
    "anyOf": [
        FILE["anyOf"][0],
        {
            "type": "object",
            "properties": {
                **FILE["anyOf"][1]["properties"],
                "text": {
                    "type": "string",
                    "description": (
                        "The file's text (UTF-8), even if it looks like base64, instead of 'data'."
                    ),
                },
                "disposition": {
                    "enum": ["attachment", "inline"],
                    "description": (
                        "'inline': mail clients show the file within the message; the "
                        "default with 'contentId'."
                    ),
                },
                "contentId": {
                    "type": "string",
                    "minLength": 1,
                    "description": (
                        "The name by which 'html' shows the picture: 'logo' for <img "
                        'src="cid:logo">.'
                    ),
                },
            },
            "oneOf": [{"required": ["data"]}, {"required": ["text"]}],
            "additionalProperties": False,
        },
    ],
}


def _pairs(value: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of a map from names to values, or of the equivalent list of ``{"key",
    "value"}`` that forms produce.
    """
    pair = {
        "type": "object",
        "properties": {"key": {"type": "string", **key}, "value": value},
        "required": ["key", "value"],
        "additionalProperties": False,
    }
    named = {"propertyNames": key} if key else {}
    return {
        "anyOf": [
            {"type": "object", **named, "additionalProperties": value},
            {"type": "array", "items": pair},
        ]
    }


Region = Annotated[str, WithJsonSchema({"type": "string", "pattern": REGION_PATTERN})]
AddressList = Annotated[tuple[str, ...] | str, WithJsonSchema(_ONE_OR_MORE)]
Mailbox = Annotated[str, WithJsonSchema({"type": "string", "format": "mailbox"})]
Attachments = Annotated[
    Mapping[str, Any] | tuple[Mapping[str, Any], ...],
    WithJsonSchema(_pairs(ATTACHED_FILE, {"minLength": 1})),
]
_TAG = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_-]{1,256}$",
    "x-jackfield": {"expects": "1 to 256 letters, digits, '_' or '-'"},
}
_HEADER = {"type": "string", "minLength": 1}
Pairs = Mapping[str, str] | tuple[Mapping[str, str], ...]
Tags = Annotated[
    Pairs,
    WithJsonSchema(_pairs(_TAG, {key: value for key, value in _TAG.items() if key != "type"})),
]
Headers = Annotated[Pairs, WithJsonSchema(_pairs(_HEADER, {"minLength": 1}))]

_REGION = "AWS provides services in multiple regions, like us-west-2 or eu-west-1."
VERIFIED = (
    "This email address must be either individually verified with Amazon SES, or from a "
    "domain that has been verified with Amazon SES."
)


def region_field(default: Any = PydanticUndefined) -> Any:
    """Return the field of an action's region, which the connection may provide."""
    return Field(
        default,
        title="AWS Region",
        description=_REGION,
        from_connection="region",
        options="awsRegions",
        trim=True,
        lowercase=True,
        blank="absent",
        expects=REGION_EXPECTED,
    )


def tenant_field(description: str, default: Any = None) -> Any:
    """Return the field of a tenant, which a connection may fix."""
    return Field(
        default,
        title="Tenant",
        trim=True,
        blank="absent",
        from_connection="tenant",
        fixed=True,
        description=description,
        expects="the name of a tenant (1 to 64 letters, digits, '_' and '-')",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
    )


def endpoint_id_field() -> Any:
    """Return the field of a multi-region endpoint's ID."""
    return Field(
        None,
        title="Global Endpoint",
        trim=True,
        blank="absent",
        expects="the ID of a multi-region endpoint, such as abcdef12.g3h",
        schema={"maxLength": 128, "pattern": "^[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63})*$"},
        description=(
            "ID of a multi-region (global) endpoint, which distributes the mail over two "
            "regions; it needs awscrt on the server."
        ),
    )


TENANT = (
    "The Amazon SES tenant to send under. Identity, configuration set and template must be "
    "associated with it."
)
TemplateData = Annotated[
    Mapping[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})
]
_MAX_TEMPLATE_DATA = 262_144


def template_name_field(default: Any = PydanticUndefined) -> Any:
    """Return the field of a template's name."""
    return Field(
        default,
        title="Template Name",
        trim=True,
        blank="absent",
        schema={"minLength": 1, "maxLength": 64},
        description="Name of an email template in the region.",
    )


def check_template_data(data: Mapping[str, Any] | None, path: str) -> list[Detail]:
    """Return the fault of template data that is longer than Amazon SES accepts."""
    size = len(json.dumps(data)) if data else 0
    if size <= _MAX_TEMPLATE_DATA:
        return []
    return [
        Detail(
            path,
            f"is {size:,} characters of JSON; Amazon SES takes at most {_MAX_TEMPLATE_DATA:,}",
            "maxLength",
        )
    ]


def bare_address_field(description: str) -> Any:
    """Return the field of one address without a display name; ``bare_address_faults`` checks it."""
    return Field(
        title="Address",
        trim=True,
        sensitive=True,
        schema={"minLength": 3, "maxLength": 320},
        description=description,
    )


def bare_address_faults(text: str, path: str = "/address") -> Iterable[Detail]:
    """Yield the fault of text that is not a bare address."""
    try:
        if parse_mailbox(text).name:
            yield Detail(path, "has a display name: give the bare address", "format")
    except AddressError as error:
        yield Detail(path, str(error), "format")
