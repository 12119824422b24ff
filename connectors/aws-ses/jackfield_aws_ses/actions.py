"""The connector ``aws-ses``: send email and list identities through Amazon SES."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector import Connector, Field, OpenContext, Option, Output, Pagination, RateLimit, Step, Unavailable
from jackfield.connector import Sent as Known
from jackfield_aws import ApiKeySecret, AwsAssumeRole, AwsClients, AwsDefault, regions_for
from jackfield_aws_ses.account import account_steps
from jackfield_aws_ses.aliases import ALIASES
from jackfield_aws_ses.errors import explain
from jackfield_aws_ses.inputs import Email, IdentityQuery
from jackfield_aws_ses.sending import Transport, send
from jackfield_aws_ses.smtp import Smtp

__all__ = ["LIST_IDENTITIES", "SEND_EMAIL", "Identities", "Sent", "connector", "list_identities", "send_email"]


def _result(action: str, output: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = {
        "invocationId": "01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d", "connector": "aws-ses", "connectorVersion": "1.0.0", "action": action,
        "attempts": 1, "durationMs": 41.7, "requestId": "3f1b7c52-8a0d-4a52-9b4e-0d4d6b8f5a10", "replayed": False, **more,
    }  # fmt: skip
    return {"status": "succeeded", "output": output, "meta": meta}


SEND_EMAIL: tuple[dict[str, Any], ...] = (
    {
        "title": "A text to one recipient",
        "invocation": {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "acme-ses",
            "inputs": {
                "awsRegion": "eu-west-1",
                "to": ["ada@example.com"],
                "sender": "noreply@example.com",
                "subject": "Hello",
                "text": "Hello Ada",
            },
        },
        "result": _result("sendEmail", {"MessageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"}),
    },
)
LIST_IDENTITIES: tuple[dict[str, Any], ...] = (
    {
        "title": "All domains",
        "invocation": {
            "connector": "aws-ses",
            "action": "listIdentities",
            "connection": "acme-ses",
            "inputs": {"awsRegion": "eu-west-1", "identityType": "Domain", "fetchAll": True},
        },
        "result": _result("listIdentities", {"Identities": ["example.com", "example.org"]}, complete=True),
    },
)


class Sent(Output):
    """Proof that SES accepted the message."""

    message_id: str = Field(
        alias="MessageId",
        title="Message ID",
        description="The id that SES gave the message. In the message's header it stands before '@email.amazonses.com' in us-east-1, and "
        "before '@<region>.amazonses.com' elsewhere.",
        schema={"minLength": 1},
    )


class Identities(Output):
    """A page of identities, or all of them."""

    identities: list[str] = Field(alias="Identities", title="Identities", description="Email addresses or domains.")
    next_token: str | None = Field(
        None, alias="NextToken", title="Next Token", description="There are more: give it as 'Next Token' to go on."
    )


VERSION = "1.0.0"
_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23a3123f'/>"
    "<path d='M5 8h14v9H5zm0 0 7 5 7-5' fill='none' stroke='white' stroke-width='1.6'/></svg>"
)

connector = Connector(
    "aws-ses",
    title="Amazon SES",
    version=VERSION,
    description="Send Emails through Amazon (AWS) SES",
    connections=[AwsAssumeRole, ApiKeySecret, AwsDefault, Smtp],
    explain=explain,
    icon=_ICON,
    categories=["email", "aws"],
    documentation_url="https://docs.aws.amazon.com/ses/latest/dg/Welcome.html",
    license="Apache-2.0",
    aliases=ALIASES,
)

_RECIPIENT = {"anyOf": [{"required": ["to"]}, {"required": ["cc"]}, {"required": ["bcc"]}]}
_BODY = {"anyOf": [{"required": ["text"]}, {"required": ["html"]}]}


@connector.action(
    "sendEmail",
    effect="write",
    permissions={"aws:iam": ["ses:SendEmail", "ses:SendRawEmail"]},
    examples=SEND_EMAIL,
    schema={"allOf": [_RECIPIENT, _BODY]},
)
def send_email(email: Email, client: AwsClients | Transport) -> Sent:
    """Send an email through Amazon SES."""
    return Sent(message_id=send(email, client))


@connector.action(
    "listIdentities",
    effect="read",
    permissions={"aws:iam": ["ses:ListIdentities"]},
    pagination=Pagination(
        token_input="nextToken",  # noqa: S106 (the name of an input)
        token_output="NextToken",  # noqa: S106 (the name of an output member)
        items="Identities",
        all_input="fetchAll",
        size_input="pageSize",
        max_size=1000,
    ),
    rate_limit=RateLimit(per_second=1),
    examples=LIST_IDENTITIES,
)
def list_identities(query: IdentityQuery, aws: AwsClients) -> Identities:
    """List identities available in Amazon SES."""
    asked: dict[str, Any] = {"IdentityType": query.identity_type, "NextToken": query.next_token, "MaxItems": query.page_size}
    ses = aws.client("ses", query.aws_region, validates=False)  # three members of validated inputs
    answer = ses.list_identities(**{name: value for name, value in asked.items() if value is not None})
    if "Identities" not in answer:
        raise Unavailable("Amazon SES answered without a list of identities", sent=Known.UNKNOWN)
    return Identities(identities=answer["Identities"], next_token=answer.get("NextToken"))


@connector.options("awsRegions", title="AWS Regions")
def aws_regions() -> Iterable[Option]:
    """The regions in which Amazon SES can be used."""
    return [Option(code, f"{name} ({code})") for code, name in regions_for("ses")]


@connector.options("identities", title="Email Identities")
def identities(client: AwsClients | Transport) -> Iterable[Option]:
    """The email addresses that are identities of the account, in the connection's region: the first 1,000 of them."""
    if not isinstance(client, AwsClients):
        return []  # SMTP cannot list identities
    found = client.client("ses", None, validates=False).list_identities(IdentityType="EmailAddress", MaxItems=1000)
    return [Option(address, address) for address in found.get("Identities", ())]


@connector.test
def account(client: AwsClients | Transport, _context: OpenContext) -> Iterable[Step]:
    """Check the account's sending status, if the API is available; nothing is sent."""
    return account_steps(client) if isinstance(client, AwsClients) else ()
