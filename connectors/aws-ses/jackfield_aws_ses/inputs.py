"""Inputs of the Amazon SES actions. Titles and comments are those of the reference document; see docs/compatibility.md."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, Inputs
from jackfield.fork import at_fork
from jackfield_aws import REGION_EXPECTED, REGION_PATTERN
from jackfield_aws_ses.compose import Composed, compose

__all__ = ["Email", "IdentityQuery"]

_ONE_OR_MORE: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "format": "mailbox"}},
        {"type": "string", "format": "mailbox-list"},
    ],
}
_FILE: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "description": "The file's text (UTF-8), or a data: URL (RFC 2397). An https address is not fetched."},
        {
            "type": "object",
            "properties": {
                "data": {"type": "string", "contentEncoding": "base64", "description": "The file's octets as base64."},
                "contentType": {"type": "string", "description": "The file's media type, such as application/pdf."},
            },
            "required": ["data"],
            "additionalProperties": False,
        },
    ],
}


def _pairs(value: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of a map from names to values, or of the equivalent list of ``{"key", "value"}`` that forms produce."""
    pair = {
        "type": "object",
        "properties": {"key": {"type": "string", **key}, "value": value},
        "required": ["key", "value"],
        "additionalProperties": False,
    }
    named = {"propertyNames": key} if key else {}
    return {"anyOf": [{"type": "object", **named, "additionalProperties": value}, {"type": "array", "items": pair}]}


Region = Annotated[str, WithJsonSchema({"type": "string", "pattern": REGION_PATTERN})]
AddressList = Annotated[tuple[str, ...] | str, WithJsonSchema(_ONE_OR_MORE)]
Mailbox = Annotated[str, WithJsonSchema({"type": "string", "format": "mailbox"})]
Attachments = Annotated[Mapping[str, Any] | tuple[Mapping[str, Any], ...], WithJsonSchema(_pairs(_FILE, {"minLength": 1}))]
_TAG = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$", "x-jackfield": {"expects": "1 to 256 letters, digits, '_' or '-'"}}
_HEADER = {"type": "string", "minLength": 1}
Pairs = Mapping[str, str] | tuple[Mapping[str, str], ...]
Tags = Annotated[Pairs, WithJsonSchema(_pairs(_TAG, {key: value for key, value in _TAG.items() if key != "type"}))]
Headers = Annotated[Pairs, WithJsonSchema(_pairs(_HEADER, {"minLength": 1}))]

_REGION = "AWS provides services in multiple regions, like us-west-2 or eu-west-1."
_VERIFIED = (
    "This email address must be either individually verified with Amazon SES, or from a domain that has been verified with Amazon SES."
)


class Email(Inputs):
    """Message to send, and its recipients."""

    # None only if the connection waives it.
    aws_region: Region | None = Field(title="AWS Region", description=_REGION, from_connection="region", options="awsRegions", trim=True,
                               lowercase=True, blank="absent", expects=REGION_EXPECTED)  # fmt: skip
    to: AddressList | None = Field(
        None, title="To Address", trim=True, blank="absent",
        description="The destination for this email. The recipients to place on the To: line of the message.",
    )  # fmt: skip
    cc: AddressList | None = Field(
        None, title="Cc Address", trim=True, blank="absent",
        description="The destination for this email. The recipients to place on the CC: line of the message.",
    )  # fmt: skip
    bcc: AddressList | None = Field(
        None, title="Bcc Address", trim=True, blank="absent",
        description="The destination for this email. The recipients to place on the BCC: line of the message.",
    )  # fmt: skip
    sender: Mailbox = Field(title="Sender Email", description=f"The email address that is sending the email. {_VERIFIED}",
                            from_connection="sender", options="identities", blank="absent", trim=True)  # fmt: skip
    reply_to: AddressList | None = Field(
        None, title="Reply To", trim=True, blank="absent",
        description="The reply-to email address(es) for the message. If the recipient replies to the message, each reply-to address will "
        f"receive the reply. {_VERIFIED}",
    )  # fmt: skip
    subject: str = Field(
        title="Subject", sensitive=True, schema={"minLength": 1},
        description="The subject of the message: A short summary of the content, which will appear in the recipient's inbox.",
    )  # fmt: skip
    text: str | None = Field(
        None, title="Text", sensitive=True, multiline=True, blank="absent",
        description="The content of the message, in text format. Use this for text-based email clients, or clients on high-latency "
        "networks (such as mobile devices).",
    )  # fmt: skip
    html: str | None = Field(
        None, title="Html", sensitive=True, multiline=True, language="html", blank="absent",
        description="The content of the message, in HTML format. Use this for email clients that can process HTML. You can include "
        "clickable links, formatted text, and much more in an HTML message.",
    )  # fmt: skip
    attachments: Attachments | None = Field(
        None, title="Attachments", sensitive=True, blank="absent",
        description="Specify a file name as the key (i.e. 'my-file.pdf'), and the file as the value",
    )  # fmt: skip
    configuration_set_name: str | None = Field(
        None, title="Configuration Set", trim=True, blank="absent", schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="The SES configuration set to use for this message.",
    )  # fmt: skip
    tags: Tags | None = Field(
        None, title="Tags", blank="absent",
        description="Names and values that SES attaches to the events of this message.",
    )  # fmt: skip
    headers: Headers | None = Field(
        None, title="Headers", sensitive=True, blank="absent",
        description="Further header fields of the message, such as X-Campaign.",
    )  # fmt: skip
    return_path: Annotated[str, WithJsonSchema({"type": "string", "format": "mailbox"})] | None = Field(
        None, title="Return Path", trim=True, blank="absent",
        description=f"Where bounces and complaints are sent by email. {_VERIFIED}",
    )  # fmt: skip
    identity_arn: str | None = Field(
        None, title="Identity ARN", trim=True, blank="absent",
        schema={"pattern": "^arn:[a-z-]+:ses:[a-z0-9-]+:[0-9]{12}:identity/[^\\s]+$"},
        expects="the ARN of an SES identity, such as arn:aws:ses:eu-west-1:123456789012:identity/example.com",
        description="The ARN of the sender's identity, where its owner lets this account send for it (sending authorization).",
    )  # fmt: skip
    list_unsubscribe: str | None = Field(
        None, title="List-Unsubscribe", trim=True, blank="absent", sensitive=True,
        description="Where readers unsubscribe: an https address (one click, RFC 8058), a mailto: address, or '<…>, <…>' with one of each.",
    )  # fmt: skip

    def rules(self) -> Iterable[Detail]:
        """Return the faults that a schema cannot express: deliverable addresses, one to fifty recipients, valid names and files, at most 40
        MB encoded."""
        return self._outcome[1]

    @property
    def composed(self) -> Composed:
        """The message as it will be sent; only for valid inputs."""
        found = self._outcome[0]
        if found is None:
            raise ValueError("the inputs are invalid")
        return found

    @cached_property
    def _outcome(self) -> tuple[Composed | None, tuple[Detail, ...]]:
        return compose(self)


at_fork(Email.__dict__["_outcome"])  # Python 3.11 holds one lock for all instances during the computation


class IdentityQuery(Inputs):
    """Which identities to list."""

    aws_region: Region = Field(title="AWS Region", description=_REGION, from_connection="region", options="awsRegions", trim=True,
                               lowercase=True, blank="absent", expects=REGION_EXPECTED)  # fmt: skip
    identity_type: Literal["EmailAddress", "Domain"] = Field(
        "EmailAddress", title="Identity Type", description="Provide the type of identity you want to list.", blank="absent"
    )
    next_token: str | None = Field(
        None, title="Next Token", blank="absent",
        description="Specify the pagination token that's returned by a previous request to retrieve the next page of results",
    )  # fmt: skip
    fetch_all: bool = Field(
        False, title="Fetch All", blank="absent",
        description="Fetch every page and give all identities at once; 'Next Token' is ignored then.",
    )  # fmt: skip
    page_size: int | None = Field(
        None, title="Page Size", blank="absent", schema={"minimum": 1, "maximum": 1000},
        description="How many identities a page holds, 1 to 1000. Amazon SES gives 100 where none is named.",
    )  # fmt: skip
