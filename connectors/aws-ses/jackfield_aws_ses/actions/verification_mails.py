"""Custom verification mails: templates of the mail that asks an address's owner to verify it, and
sending of such mail.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector import Detail, Field, Output, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.addresses import AddressError, parse_mailbox
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import Mailbox, bare_address_faults, bare_address_field
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Paged,
    Regional,
    ask,
    iam,
    one_example,
    pages,
    read,
)

_ONCE = RateLimit(per_second=1)
_URL: dict[str, Any] = {
    "schema": {"pattern": "^https?://[^\\s]{1,2000}$"},
    "expects": "an http or https URL",
    "trim": True,
}


class TemplateChosen(Regional):
    """Template for verification emails."""

    template_name: str = Field(
        title="Template",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a template (letters, digits, '_' and '-')",
        description="The template's name.",
    )


class NewTemplate(TemplateChosen):
    """Template for verification emails."""

    sender: Mailbox = Field(
        title="Sender Email",
        trim=True,
        from_connection="sender",
        options="identities",
        blank="absent",
        description="The verified address that the email is sent from.",
    )
    subject: str = Field(
        title="Subject", schema={"minLength": 1}, description="The email's subject."
    )
    content: str = Field(
        title="Content",
        multiline=True,
        language="html",
        schema={"minLength": 1},
        description="The email's body as HTML, at most 10 MB. Amazon SES adds the link.",
    )
    success_redirection_url: str = Field(
        title="Success URL", description="Page shown to the owner after verification.", **_URL
    )
    failure_redirection_url: str = Field(
        title="Failure URL", description="Page shown to the owner if verification failed.", **_URL
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the operations that create and update the template."""
        return {
            "TemplateName": self.template_name,
            "FromEmailAddress": parse_mailbox(self.sender).header,
            "TemplateSubject": self.subject,
            "TemplateContent": self.content,
            "SuccessRedirectionURL": self.success_redirection_url,
            "FailureRedirectionURL": self.failure_redirection_url,
        }

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of a sender that Amazon SES cannot use."""
        try:
            parse_mailbox(self.sender)
        except AddressError as error:
            yield Detail("/sender", str(error), "format")


_EXAMPLE = {
    "templateName": "welcome",
    "sender": "noreply@example.com",
    "subject": "Please confirm your address",
    "content": "<p>Please confirm your address.</p>",
    "successRedirectionUrl": "https://example.com/confirmed",
    "failureRedirectionUrl": "https://example.com/failed",
}


@connector.action(
    "createCustomVerificationTemplate",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateCustomVerificationEmailTemplate"),
    permissions=iam("CreateCustomVerificationEmailTemplate"),
    rate_limit=_ONCE,
    examples=one_example("createCustomVerificationTemplate", "A welcome", _EXAMPLE, {}),
)
def create_custom_verification_template(wanted: NewTemplate, aws: AwsClients) -> Done:
    """Create a template for verification emails."""
    return read(
        Done,
        ask(aws, wanted.aws_region, "create_custom_verification_email_template", wanted.parameters),
    )


@connector.action(
    "updateCustomVerificationTemplate",
    effect="idempotent",
    permissions=iam("UpdateCustomVerificationEmailTemplate"),
    rate_limit=_ONCE,
    examples=one_example(
        "updateCustomVerificationTemplate",
        "Another text",
        {**_EXAMPLE, "content": "<p>Welcome!</p>"},
        {},
    ),
)
def update_custom_verification_template(wanted: NewTemplate, aws: AwsClients) -> Done:
    """Replace a template for verification emails."""
    return read(
        Done,
        ask(aws, wanted.aws_region, "update_custom_verification_email_template", wanted.parameters),
    )


class VerificationTemplate(Answer):
    """Template for verification emails."""

    template_name: str = Field(description="Name.")
    from_email_address: str | None = Field(None, description="Sender.")
    template_subject: str | None = Field(None, description="Subject.")
    template_content: str | None = Field(None, description="Body.")
    success_redirection_url: str | None = Field(
        None, alias="SuccessRedirectionURL", description="Page after verification."
    )
    failure_redirection_url: str | None = Field(
        None, alias="FailureRedirectionURL", description="Page after a failure."
    )


@connector.action(
    "getCustomVerificationTemplate",
    effect="read",
    permissions=iam("GetCustomVerificationEmailTemplate"),
    rate_limit=_ONCE,
    examples=one_example(
        "getCustomVerificationTemplate",
        "A welcome",
        {"templateName": "welcome"},
        {
            "TemplateName": "welcome",
            "FromEmailAddress": "noreply@example.com",
            "TemplateSubject": "Please confirm your address",
        },
    ),
)
def get_custom_verification_template(
    chosen: TemplateChosen, aws: AwsClients
) -> VerificationTemplate:
    """Read a template for verification emails."""
    parameters = {"TemplateName": chosen.template_name}
    return read(
        VerificationTemplate,
        ask(
            aws,
            chosen.aws_region,
            "get_custom_verification_email_template",
            parameters,
            "TemplateName",
        ),
    )


@connector.action(
    "deleteCustomVerificationTemplate",
    effect="idempotent",
    permissions=iam("DeleteCustomVerificationEmailTemplate"),
    rate_limit=_ONCE,
    repeat_ok=("not_found",),
    examples=one_example(
        "deleteCustomVerificationTemplate", "A welcome", {"templateName": "welcome"}, {}
    ),
)
def delete_custom_verification_template(chosen: TemplateChosen, aws: AwsClients) -> Done:
    """Delete a template for verification emails."""
    return read(
        Done,
        ask(
            aws,
            chosen.aws_region,
            "delete_custom_verification_email_template",
            {"TemplateName": chosen.template_name},
        ),
    )


class TemplatesQuery(Paged):
    """Templates to list."""

    page_size: int | None = Field(
        None,
        title="Page Size",
        blank="absent",
        schema={"minimum": 1, "maximum": 50},
        description="Items per page, 1 to 50.",
    )


class Templates(Answer):
    """Page of templates, or all of them."""

    custom_verification_email_templates: tuple[VerificationTemplate, ...] = Field(
        description="Templates without their content."
    )
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listCustomVerificationTemplates",
    effect="read",
    permissions=iam("ListCustomVerificationEmailTemplates"),
    pagination=pages("CustomVerificationEmailTemplates", 50),
    rate_limit=_ONCE,
    examples=one_example(
        "listCustomVerificationTemplates",
        "All templates",
        {"fetchAll": True},
        {
            "CustomVerificationEmailTemplates": [
                {"TemplateName": "welcome", "FromEmailAddress": "noreply@example.com"}
            ]
        },
        complete=True,
    ),
)
def list_custom_verification_templates(query: TemplatesQuery, aws: AwsClients) -> Templates:
    """List the templates for verification emails."""
    asked = {"NextToken": query.next_token, "PageSize": query.page_size}
    answer = ask(
        aws,
        query.aws_region,
        "list_custom_verification_email_templates",
        asked,
        "CustomVerificationEmailTemplates",
    )
    return read(Templates, answer)


class VerificationMail(TemplateChosen):
    """Verification email to send."""

    address: str = bare_address_field("The address to verify.")
    configuration_set_name: str | None = Field(
        None,
        title="Configuration Set",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="Configuration set for this email.",
    )

    def rules(self) -> Iterable[Detail]:
        """Return the fault of text that is not a bare address."""
        return bare_address_faults(self.address)


class MailSent(Output):
    """Proof that Amazon SES accepted the email."""

    message_id: str = Field(
        alias="MessageId",
        title="Message ID",
        description="ID of the email.",
        reference=True,
        schema={"minLength": 1},
    )


@connector.action(
    "sendCustomVerificationEmail",
    effect="write",
    no_evidence=(
        "Amazon SES takes no tags with it, and CloudTrail's Event history has no mail that is sent."
    ),
    permissions=iam("SendCustomVerificationEmail"),
    examples=one_example(
        "sendCustomVerificationEmail",
        "To a new customer",
        {"templateName": "welcome", "address": "ada@example.com"},
        {"MessageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"},
    ),
)
def send_custom_verification_email(mail: VerificationMail, aws: AwsClients) -> MailSent:
    """Add an address to the account's identities and send its owner a verification email made from
    a template.
    """
    parameters = {
        "EmailAddress": parse_mailbox(mail.address).address,
        "TemplateName": mail.template_name,
        "ConfigurationSetName": mail.configuration_set_name,
    }
    return MailSent(
        message_id=ask(
            aws, mail.aws_region, "send_custom_verification_email", parameters, "MessageId"
        )["MessageId"]
    )
