"""DNS records that an identity needs: DKIM, MAIL FROM, SPF and DMARC (Amazon SES developer guide,
"Verified identities").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.connector import Field
from jackfield_aws_ses.provider import Answer

_ZONE = "dkim.amazonses.com"
"""Zone of Easy DKIM for responses that name none; newer regions have zones of their own."""
SPF = "v=spf1 include:amazonses.com ~all"
"""SPF record that allows Amazon SES to send."""


class DnsRecord(Answer):
    """DNS record to publish in the domain."""

    type: Literal["CNAME", "MX", "TXT"] = Field(alias="type", description="Record type.")
    name: str = Field(alias="name", description="Full name of the record, without a final dot.")
    value: str = Field(
        alias="value", description="Value of the record; an MX value begins with its priority."
    )
    purpose: str = Field(
        alias="purpose", description="Purpose of the record, and the standard that defines it."
    )


def dns_records(
    identity: str, region: str, answer: Mapping[str, Any], mail_from: str | None = None
) -> list[DnsRecord]:
    """Return the records of a domain from the response of CreateEmailIdentity or GetEmailIdentity;
    an address needs none.

    ``mail_from`` is the custom MAIL FROM domain if the response has none. Without any, the records
    of ``mail.<domain>`` are proposed.
    """
    if "@" in identity:
        return []
    configured, proposed = (
        mail_from or answer.get("MailFromAttributes", {}).get("MailFromDomain"),
        f"mail.{identity}",
    )
    condition = (
        ""
        if configured
        else f" Optional: publish it once 'setMailFrom' has set the MAIL FROM domain {proposed}."
    )
    mail_from_rows = mail_from_records(configured or proposed, region, condition)
    return [
        *dkim_records(identity, answer.get("DkimAttributes", {})),
        *mail_from_rows,
        dmarc_record(identity),
    ]


def dkim_records(domain: str, attributes: Mapping[str, Any]) -> list[DnsRecord]:
    """Return the DKIM records of a domain from the ``DkimAttributes`` of a response; empty if the
    owner uses a key of its own.
    """
    if attributes.get("SigningAttributesOrigin") == "EXTERNAL":
        return []  # the key pair is the owner's: Amazon SES knows only the selector
    zone = attributes.get("SigningHostedZone") or _ZONE
    return [
        DnsRecord(
            type="CNAME",
            name=f"{token}._domainkey.{domain}",
            value=f"{token}.{zone}",
            purpose="DKIM: verifies the domain, and lets Amazon SES sign its mail.",
        )
        for token in attributes.get("Tokens") or ()
    ]


def mail_from_records(domain: str, region: str, condition: str = "") -> tuple[DnsRecord, DnsRecord]:
    """Return the MX and the SPF record of a MAIL FROM domain; ``condition`` says when to publish
    them.
    """
    return (
        DnsRecord(
            type="MX",
            name=domain,
            value=f"10 feedback-smtp.{region}.amazonses.com",
            purpose=(
                "MAIL FROM: receives bounces. It must be the only MX record of this "
                f"name.{condition}"
            ),
        ),
        DnsRecord(
            type="TXT",
            name=domain,
            value=SPF,
            purpose=f"SPF: allows Amazon SES to send for the MAIL FROM domain.{condition}",
        ),
    )


def dmarc_record(domain: str) -> DnsRecord:
    """Return a DMARC record that only requests reports."""
    return DnsRecord(
        type="TXT",
        name=f"_dmarc.{domain}",
        value=f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}",
        purpose="DMARC: asks receivers for reports. Change p to quarantine or reject when the "
        "reports show no legitimate mail that fails, "
        "and rua to a mailbox that exists.",
    )
