"""Email templates: create, read, update, delete and list them, and render one with data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, Pagination, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import TemplateData, check_template_data, template_name_field
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Moment,
    Paged,
    Regional,
    ask,
    filled,
    iam,
    one_example,
    read,
)

_SLOW = RateLimit(per_second=1)  # every operation of API v2 but sending (SES quotas)
_Text = Annotated[str | None, WithJsonSchema({"type": "string"})]


class NamedTemplate(Regional):
    """Template by its name."""

    template_name: str = template_name_field()


class Template(NamedTemplate):
    """Template with its contents."""

    subject: str = Field(
        title="Subject",
        schema={"minLength": 1},
        description="Subject, with placeholders such as {{name}}.",
    )
    text: _Text = Field(
        None,
        title="Text",
        multiline=True,
        blank="absent",
        description="Text body, with placeholders.",
    )
    html: _Text = Field(
        None,
        title="Html",
        multiline=True,
        language="html",
        blank="absent",
        description="HTML body, with placeholders.",
    )

    @property
    def content(self) -> Mapping[str, Any]:
        """Contents in the form of the SES API."""
        return filled({"Subject": self.subject, "Text": self.text, "Html": self.html})


class TemplateQuery(Paged):
    """Templates to list."""

    page_size: int | None = Field(
        None,
        title="Page Size",
        blank="absent",
        schema={"minimum": 1, "maximum": 100},
        description="Items per page, 1 to 100.",
    )


class Rendering(NamedTemplate):
    """Template to render, and the data."""

    template_data: TemplateData = Field(
        title="Template Data", sensitive=True, description="Values for the placeholders, by name."
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of data that is too large."""
        return check_template_data(self.template_data, "/templateData")


class TemplateContent(Answer):
    """Contents of a template."""

    subject: str | None = Field(None, description="Subject, with placeholders.")
    text: str | None = Field(None, description="Text body, with placeholders.")
    html: str | None = Field(None, description="HTML body, with placeholders.")


class StoredTemplate(Answer):
    """Template as stored by Amazon SES."""

    template_name: str = Field(description="Name of the template.")
    template_content: TemplateContent = Field(description="Its contents.")


class TemplateEntry(Answer):
    """Row of the list."""

    template_name: str = Field(description="Name of the template.")
    created_timestamp: Moment | None = Field(None, description="Time of its creation.")


class TemplateList(Answer):
    """A page of templates, or all of them."""

    templates_metadata: list[TemplateEntry] = Field(
        description="Templates with the time of their creation."
    )
    next_token: str | None = Field(
        None, description="Set if there are more: pass it as 'nextToken' to continue."
    )


class Rendered(Answer):
    """Template filled with data."""

    rendered_template: str = Field(
        description="The complete MIME message that Amazon SES would send."
    )


_WELCOME = {"templateName": "welcome", "subject": "Welcome, {{name}}", "text": "Hello {{name}}"}
_NAMED = {"templateName": "welcome"}
_BODY = {"anyOf": [{"required": ["text"]}, {"required": ["html"]}]}


@connector.action(
    "createTemplate",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateEmailTemplate"),
    permissions=iam("CreateEmailTemplate"),
    rate_limit=_SLOW,
    examples=one_example("createTemplate", "A welcome email", _WELCOME, {}),
    schema=_BODY,
    keywords=(
        "email template",
        "new template",
    ),
)
def create_template(template: Template, aws: AwsClients) -> Done:
    """Create an email template in a region."""
    parameters = {"TemplateName": template.template_name, "TemplateContent": template.content}
    return read(Done, ask(aws, template.aws_region, "create_email_template", parameters))


@connector.action(
    "getTemplate",
    effect="read",
    permissions=iam("GetEmailTemplate"),
    rate_limit=_SLOW,
    examples=one_example(
        "getTemplate",
        "Read a template",
        _NAMED,
        {
            "TemplateName": "welcome",
            "TemplateContent": {"Subject": "Welcome, {{name}}", "Text": "Hello {{name}}"},
        },
    ),
)
def get_template(template: NamedTemplate, aws: AwsClients) -> StoredTemplate:
    """Return an email template with its contents."""
    parameters = {"TemplateName": template.template_name}
    return read(
        StoredTemplate,
        ask(
            aws,
            template.aws_region,
            "get_email_template",
            parameters,
            "TemplateName",
            "TemplateContent",
        ),
    )


@connector.action(
    "updateTemplate",
    effect="idempotent",
    permissions=iam("UpdateEmailTemplate"),
    rate_limit=_SLOW,
    examples=one_example(
        "updateTemplate", "Another text", {**_WELCOME, "text": "Good day, {{name}}"}, {}
    ),
    schema=_BODY,
)
def update_template(template: Template, aws: AwsClients) -> Done:
    """Replace the contents of an email template; omitted parts are removed."""
    parameters = {"TemplateName": template.template_name, "TemplateContent": template.content}
    return read(Done, ask(aws, template.aws_region, "update_email_template", parameters))


@connector.action(
    "deleteTemplate",
    effect="idempotent",
    permissions=iam("DeleteEmailTemplate"),
    rate_limit=_SLOW,
    repeat_ok=("not_found",),
    examples=one_example("deleteTemplate", "A template that is not needed any more", _NAMED, {}),
)
def delete_template(template: NamedTemplate, aws: AwsClients) -> Done:
    """Delete an email template."""
    return read(
        Done,
        ask(
            aws,
            template.aws_region,
            "delete_email_template",
            {"TemplateName": template.template_name},
        ),
    )


@connector.action(
    "listTemplates",
    effect="read",
    permissions=iam("ListEmailTemplates"),
    pagination=Pagination(
        token_input="nextToken",  # noqa: S106 (the name of an input)
        token_output="NextToken",  # noqa: S106 (the name of an output member)
        items="TemplatesMetadata",
        all_input="fetchAll",
        size_input="pageSize",
        max_size=100,
    ),
    rate_limit=_SLOW,
    examples=one_example(
        "listTemplates",
        "All templates",
        {"fetchAll": True},
        {
            "TemplatesMetadata": [
                {"TemplateName": "welcome", "CreatedTimestamp": "2026-11-20T10:15:00Z"}
            ]
        },
        complete=True,
    ),
    keywords=("email templates",),
)
def list_templates(query: TemplateQuery, aws: AwsClients) -> TemplateList:
    """List the email templates of a region."""
    parameters = {"NextToken": query.next_token, "PageSize": query.page_size}
    return read(
        TemplateList,
        ask(aws, query.aws_region, "list_email_templates", parameters, "TemplatesMetadata"),
    )


@connector.action(
    "renderTemplate",
    effect="read",
    permissions=iam("TestRenderEmailTemplate"),
    rate_limit=_SLOW,
    examples=one_example(
        "renderTemplate",
        "Fill in a name",
        {"templateName": "welcome", "templateData": {"name": "Ada"}},
        {"RenderedTemplate": "Subject: Welcome, Ada\r\n\r\nHello Ada"},
    ),
)
def render_template(rendering: Rendering, aws: AwsClients) -> Rendered:
    """Render an email template with data, as a MIME message; nothing is sent."""
    parameters = {
        "TemplateName": rendering.template_name,
        "TemplateData": json.dumps(rendering.template_data),
    }
    return read(
        Rendered,
        ask(
            aws, rendering.aws_region, "test_render_email_template", parameters, "RenderedTemplate"
        ),
    )
