"""Inputs of mail from a template: to one set of recipients, or in bulk with the data of each
destination.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import cached_property
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, Inputs
from jackfield.kernel.fork import at_fork
from jackfield_aws_ses.attachments import parse_attachments
from jackfield_aws_ses.compose import Composed, compose
from jackfield_aws_ses.fields import (
    AddressList,
    Attachments,
    Headers,
    Mailbox,
    Region,
    Tags,
    TemplateData,
    check_template_data,
    region_field,
    template_name_field,
)
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.mime import missing_pictures
from jackfield_aws_ses.provider import filled
from jackfield_aws_ses.sending import attachment_parts, is_simple

ONE_TEMPLATE: dict[str, Any] = {
    "oneOf": [{"required": ["templateName"]}, {"required": ["templateContent"]}]
}
_OF_DESTINATION = ("/to", "/cc", "/bcc", "/headers", "/tags")
_NO_CALENDAR = (
    "cannot be sent with a template: Amazon SES takes no text/calendar alternative beside one. "
    "Send the message with 'sendEmail', or "
    "attach the invitation with the contentType 'text/calendar; method=REQUEST'"
)
_Part = Annotated[str | None, WithJsonSchema({"type": "string"})]


def _shared(name: str) -> Any:
    """Return the field of the same name in ``sendEmail``."""
    return copy(Email.model_fields[name])


class TemplateParts(Inputs):
    """Template given with the call."""

    subject: str = Field(
        title="Subject",
        schema={"minLength": 1},
        description="Subject, with placeholders such as {{name}}.",
    )
    text: _Part = Field(
        None, title="Text", multiline=True, description="Text body, with placeholders."
    )
    html: _Part = Field(
        None,
        title="Html",
        multiline=True,
        language="html",
        description="HTML body, with placeholders.",
    )


def _data_field(description: str) -> Any:
    return Field(
        None, title="Template Data", sensitive=True, blank="absent", description=description
    )


class _FromTemplate(Inputs):
    """Sender, template and options that both kinds of mail share."""

    aws_region: Region = region_field()
    sender: Mailbox = _shared("sender")
    reply_to: AddressList | None = _shared("reply_to")
    template_name: str | None = template_name_field(None)
    template_content: TemplateParts | None = Field(
        None,
        title="Template Content",
        sensitive=True,
        description="A template for this call only, instead of a stored one.",
    )
    template_data: TemplateData | None = _data_field("Values of the placeholders, by name.")
    attachments: Attachments | None = _shared("attachments")
    configuration_set_name: str | None = _shared("configuration_set_name")
    tags: Tags | None = _shared("tags")
    headers: Headers | None = _shared("headers")
    return_path: Mailbox | None = _shared("return_path")
    identity_arn: str | None = _shared("identity_arn")
    calendar: Annotated[Any, WithJsonSchema({})] = Field(
        None, hidden=True, description="Refused: a template takes no invitation."
    )

    tenant: str | None = _shared("tenant")
    endpoint_id: str | None = _shared("endpoint_id")

    @property
    def missing_pictures(self) -> tuple[str, ...]:
        """Content IDs that the HTML given with the call links to but no attachment has; only for
        valid inputs.
        """
        html = self.template_content.html if self.template_content else None
        missing = missing_pictures(html, parse_attachments(self.attachments or {}))
        return tuple(content_id for content_id in missing if "{{" not in content_id)

    def _no_calendar(self) -> Iterator[Detail]:
        if self.calendar is not None:
            yield Detail("/calendar", _NO_CALENDAR)

    def _compose(
        self, to: Any, cc: Any, bcc: Any, headers: Any, tags: Any
    ) -> tuple[Composed | None, tuple[Detail, ...]]:
        given = SimpleNamespace(
            sender=self.sender,
            reply_to=self.reply_to,
            return_path=self.return_path,
            attachments=self.attachments,
            to=to,
            cc=cc,
            bcc=bcc,
            headers=headers,
            tags=tags,
            list_unsubscribe=None,
            subject="",
            text="",
            html=None,
            calendar=None,
        )
        found, faults = compose(given)  # type: ignore[arg-type]
        if found is not None and not is_simple(found.message):
            faults = (
                *faults,
                Detail(
                    "/headers",
                    "are more than 15, or one is longer than 995 characters: a template takes no "
                    "such headers",
                ),
            )
        return found, faults


class TemplatedEmail(_FromTemplate):
    """Message from a template, and its recipients."""

    to: AddressList | None = _shared("to")
    cc: AddressList | None = _shared("cc")
    bcc: AddressList | None = _shared("bcc")

    def rules(self) -> Iterable[Detail]:
        """Return the faults that a schema cannot express."""
        return (
            *self._outcome[1],
            *self._no_calendar(),
            *check_template_data(self.template_data, "/templateData"),
        )

    @property
    def composed(self) -> Composed:
        """Envelope and attachments; only for valid inputs."""
        return _valid(self._outcome[0])

    @cached_property
    def _outcome(self) -> tuple[Composed | None, tuple[Detail, ...]]:
        return self._compose(self.to, self.cc, self.bcc, self.headers, self.tags)


class Destination(Inputs):
    """Recipients of one message in a bulk send, with their own values, tags and headers."""

    to: AddressList | None = Field(
        None, recipient=True, description="The recipients on the To: line."
    )
    cc: AddressList | None = Field(
        None, recipient=True, description="The recipients on the Cc: line."
    )
    bcc: AddressList | None = Field(None, recipient=True, description="Hidden recipients.")
    template_data: TemplateData | None = _data_field(
        "Placeholder values for this destination; they replace the common ones."
    )
    tags: Tags | None = Field(
        None, description="Tags for this message, instead of the common ones."
    )
    headers: Headers | None = Field(
        None,
        sensitive=True,
        description="Header fields for this message, instead of the common ones.",
    )


class BulkEmail(_FromTemplate):
    """Messages from one template to many destinations."""

    destinations: tuple[Destination, ...] = Field(
        title="Destinations",
        sensitive=True,
        schema={"minItems": 1, "maxItems": 50},
        description=(
            "One message each, 1 to 50: the most that one request to Amazon SES accepts. "
            "Send more in several invocations."
        ),
    )

    def rules(self) -> Iterator[Detail]:
        """Yield the faults that a schema cannot express, with the pointer of the destination
        concerned.
        """
        yield from self._no_calendar()
        yield from check_template_data(self.template_data, "/templateData")
        common = self._compose("a@example.com", None, None, self.headers, self.tags)
        yield from common[1]
        for index, (found, item) in enumerate(zip(self._outcomes, self.destinations, strict=True)):
            yield from check_template_data(
                item.template_data, f"/destinations/{index}/templateData"
            )
            for fault in found[1]:
                if fault.path.startswith(_OF_DESTINATION):
                    yield Detail(f"/destinations/{index}{fault.path}", fault.message, fault.keyword)

    @property
    def composed(self) -> Composed:
        """Message with the shared sender, reply-to and attachments, and the first destination; only
        for valid inputs.
        """
        return self.each[0]

    @property
    def headers_in_common(self) -> tuple[tuple[str, str], ...]:
        """Header fields for destinations without their own; only for valid inputs."""
        return self._in_common.message.headers

    @property
    def tags_in_common(self) -> list[dict[str, str]]:
        """Tags for destinations without their own; only for valid inputs."""
        return [{"Name": name, "Value": value} for name, value in self._in_common.tags]

    @property
    def _in_common(self) -> Composed:
        return _valid(self._compose("a@example.com", None, None, self.headers, self.tags)[0])

    @property
    def each(self) -> list[Composed]:
        """Envelopes of the destinations; only for valid inputs."""
        return [_valid(found) for found, _ in self._outcomes]

    @cached_property
    def _outcomes(self) -> list[tuple[Composed | None, tuple[Detail, ...]]]:
        return [
            self._compose(item.to, item.cc, item.bcc, item.headers, item.tags)
            for item in self.destinations
        ]


at_fork(TemplatedEmail.__dict__["_outcome"])
at_fork(BulkEmail.__dict__["_outcomes"])


def _valid(found: Composed | None) -> Composed:
    if found is None:
        raise ValueError("the inputs are invalid")
    return found


def template_request(
    mail: _FromTemplate, composed: Composed, *, headers: tuple[tuple[str, str], ...] | None = None
) -> dict[str, Any]:
    """Return the member ``Template`` of a request."""
    parts = mail.template_content
    shown = composed.message.headers if headers is None else headers
    return filled(
        {
            "TemplateName": mail.template_name,
            "TemplateContent": filled(
                {"Subject": parts.subject, "Text": parts.text, "Html": parts.html}
            )
            if parts
            else None,
            "TemplateData": dumped(mail.template_data),
            "Headers": [{"Name": name, "Value": value} for name, value in shown] or None,
            "Attachments": attachment_parts(composed.message) or None,
        }
    )


def dumped(data: Mapping[str, Any] | None) -> str:
    """Return template data as JSON. Amazon SES requires an object even for a template without
    placeholders.
    """
    return json.dumps(data or {})
