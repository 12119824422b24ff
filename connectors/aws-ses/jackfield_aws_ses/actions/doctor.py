"""``doctor``: find causes that keep email from being sent or delivered, with evidence and fixes."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Output
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.doctor import Finding, examine
from jackfield_aws_ses.examples import example
from jackfield_aws_ses.fields import Mailbox, Region, region_field
from jackfield_aws_ses.sending import Transport

_FOUND = {
    "code": "dmarc_missing",
    "severity": "warning",
    "message": "example.com has no DMARC record.",
    "evidence": "DNS has no TXT record _dmarc.example.com that begins with v=DMARC1.",
    "cure": (
        'Publish the TXT record _dmarc.example.com with the value "v=DMARC1; p=none; '
        'rua=mailto:dmarc@example.com".'
    ),
    "source": "https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dmarc.html",
}
_EXAMPLES = (
    example(
        "A sender without a DMARC record",
        "doctor",
        {"awsRegion": "eu-west-1", "sender": "noreply@example.com"},
        {
            "findings": [_FOUND],
            "healthy": True,
            "checked": ["quota", "sandbox", "enforcement", "sending"],
        },
    ),
)


class Examination(Inputs):
    """The setup to examine: a region, and optionally a sender and a recipient."""

    aws_region: Region | None = region_field()  # None only over SMTP
    sender: Mailbox | None = Field(
        None,
        title="Sender Email",
        blank="absent",
        trim=True,
        from_connection="sender",
        options="identities",
        description="Examine this sender's identity and the DNS records of its domain.",
    )
    recipient: Mailbox | None = Field(
        None,
        title="Recipient",
        blank="absent",
        trim=True,
        description="Check whether SES delivers to this address: suppression list, sandbox.",
    )


class Diagnosis(Output):
    """Problems found."""

    findings: list[Finding] = Field(
        title="Findings",
        description="Each problem with its evidence and its fix; empty if none was found.",
    )
    healthy: bool = Field(title="Healthy", description="True if no finding is an error.")
    checked: list[str] = Field(
        title="Checked", description="Steps of the connection's test that this examination covers."
    )


@connector.action(
    "doctor",
    effect="read",
    permissions={
        "aws:iam": ["ses:GetAccount", "ses:GetEmailIdentity", "ses:GetSuppressedDestination"]
    },
    examples=_EXAMPLES,
    keywords=(
        "why are mails not delivered",
        "check the setup",
        "diagnose",
        "deliverability",
        "spam",
        "dns",
    ),
)
def doctor(examination: Examination, client: AwsClients | Transport) -> Diagnosis:
    """Find causes that keep email from being sent or delivered: the account, the sender's identity,
    its DNS records, the recipient.
    """
    findings = examine(client, examination.aws_region, examination.sender, examination.recipient)
    checked = (
        ["quota", "sandbox", "enforcement", "sending"]
        if isinstance(client, AwsClients)
        else ["port"]
    )
    return Diagnosis(
        findings=findings,
        healthy=all(item.severity != "error" for item in findings),
        checked=checked,
    )
