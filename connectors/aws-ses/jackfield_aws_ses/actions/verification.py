"""Identities: addresses and domains from which the account may send, their verification, and the
necessary DNS records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from jackfield.connector import Detail, Field, NotYet, RateLimit, Rejected, Sent
from jackfield_aws import AwsClients
from jackfield_aws_ses.addresses import AddressError, parse_mailbox
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.dns_records import DnsRecord, dns_records
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Moment,
    Paged,
    Regional,
    ask,
    iam,
    one_example,
    pages,
    read,
)

_SET_NAME = {"pattern": "^[A-Za-z0-9_-]{1,64}$"}


def _ascii_identity(text: str) -> str:
    """Return an address or a domain in ASCII, the form of Amazon SES.

    :raises AddressError: if the text is neither.
    """
    if "@" in text:
        mailbox = parse_mailbox(text)
        if mailbox.name:
            raise AddressError(
                "has a display name: an identity is a bare address or a domain", text
            )
        return mailbox.address
    if "." not in text.strip("."):
        raise AddressError("is not an email address or a domain", text)
    return parse_mailbox(f"postmaster@{text.removesuffix('.')}").domain


class IdentityChosen(Regional):
    """Identity in a region."""

    identity: str = Field(
        title="Identity",
        trim=True,
        schema={"minLength": 1, "maxLength": 320},
        examples=["example.com", "noreply@example.com"],
        description="An email address or a domain. Identities belong to one region.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of text that is neither an address nor a domain."""
        try:
            _ascii_identity(self.identity)
        except AddressError as error:
            fault = (
                "is not an email address or a domain" if "@" not in self.identity else error.reason
            )
            yield Detail("/identity", str(AddressError(fault, self.identity)), "format")

    @property
    def name(self) -> str:
        """Name of the identity at Amazon SES."""
        return _ascii_identity(self.identity)


class NewIdentity(IdentityChosen):
    """Identity to create."""

    mail_from_domain: str | None = Field(
        None,
        title="MAIL FROM Domain",
        trim=True,
        lowercase=True,
        blank="absent",
        schema={"maxLength": 253},
        description="A subdomain of the identity that is used for nothing else, such as "
        "mail.example.com. It becomes the "
        "domain of the envelope's sender, so that SPF aligns with the From address.",
    )
    dkim_key_length: Literal["RSA_2048_BIT", "RSA_1024_BIT"] | None = Field(
        None,
        title="DKIM Key Length",
        blank="absent",
        description="Key length for Easy DKIM. The default of Amazon SES is 2048 bits.",
    )
    configuration_set_name: str | None = Field(
        None,
        title="Configuration Set",
        trim=True,
        blank="absent",
        schema=_SET_NAME,
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="The configuration set for messages that do not set one.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of the identity, and of a MAIL FROM domain that is not its subdomain."""
        faults = list(super().rules())
        yield from faults
        if not faults:
            yield from _mail_from_faults(self.name, self.mail_from_domain, self.dkim_key_length)

    @property
    def mail_from(self) -> str | None:
        """MAIL FROM domain in ASCII; None without such a domain."""
        return _ascii_identity(self.mail_from_domain) if self.mail_from_domain is not None else None


def _mail_from_faults(
    identity: str, mail_from: str | None, key_length: str | None = None
) -> Iterable[Detail]:
    domain = identity.rpartition("@")[2]
    if mail_from is not None and not _is_subdomain(mail_from, domain):
        yield Detail("/mailFromDomain", f"'{mail_from[:100]}' is not a subdomain of {domain}")
    if "@" in identity and key_length is not None:
        yield Detail("/dkimKeyLength", "is for domains: an address has no DKIM keys of its own")


def _is_subdomain(text: str, domain: str) -> bool:
    try:
        return "@" not in text and _ascii_identity(text).endswith(f".{domain}")
    except AddressError:
        return False


class DkimAttributes(Answer):
    """DKIM of an identity."""

    signing_enabled: bool | None = Field(
        None, description="True: Amazon SES signs messages from the identity."
    )
    status: str | None = Field(
        None, description="PENDING, SUCCESS, FAILED, TEMPORARY_FAILURE or NOT_STARTED."
    )
    tokens: tuple[str, ...] | None = Field(
        None, description="Tokens of the CNAME records, or the selector of a key of your own."
    )
    signing_hosted_zone: str | None = Field(
        None, description="Zone that the CNAME records point into."
    )
    signing_attributes_origin: str | None = Field(
        None, description="AWS_SES (Easy DKIM) or EXTERNAL (a key of your own)."
    )
    next_signing_key_length: str | None = Field(None, description="Length of the next key.")
    current_signing_key_length: str | None = Field(None, description="Length of the key in use.")
    last_key_generation_timestamp: Moment | None = Field(
        None, description="Time of the last key change."
    )


class MailFromAttributes(Answer):
    """Custom MAIL FROM domain of an identity."""

    mail_from_domain: str | None = Field(None, description="The domain.")
    mail_from_domain_status: str | None = Field(
        None, description="PENDING, SUCCESS, FAILED or TEMPORARY_FAILURE."
    )
    behavior_on_mx_failure: str | None = Field(
        None, description="USE_DEFAULT_VALUE or REJECT_MESSAGE."
    )


class SoaRecord(Answer):
    """SOA record that Amazon SES found at its last check."""

    primary_name_server: str | None = Field(None, description="Primary name server.")
    admin_email: str | None = Field(None, description="Contact for the zone.")
    serial_number: int | None = Field(None, description="Serial number.")


class VerificationInfo(Answer):
    """Last check of the identity by Amazon SES."""

    last_checked_timestamp: Moment | None = Field(None, description="Time of the last check.")
    last_success_timestamp: Moment | None = Field(
        None, description="Time of the last successful check."
    )
    error_type: str | None = Field(
        None, description="Reason of the failure, such as HOST_NOT_FOUND."
    )
    soa_record: SoaRecord | None = Field(None, alias="SOARecord", description="SOA record found.")


class Identity(Answer):
    """State of an identity, and the DNS records to publish for it."""

    identity_type: str | None = Field(None, description="EMAIL_ADDRESS, DOMAIN or MANAGED_DOMAIN.")
    verified_for_sending_status: bool = Field(description="True: the account may send from it.")
    verification_status: str | None = Field(
        None, description="PENDING, SUCCESS, FAILED, TEMPORARY_FAILURE or NOT_STARTED."
    )
    dkim_attributes: DkimAttributes | None = Field(None, description="DKIM.")
    mail_from_attributes: MailFromAttributes | None = Field(
        None, description="Custom MAIL FROM domain."
    )
    feedback_forwarding_status: bool | None = Field(
        None, description="True: bounces and complaints are forwarded by email."
    )
    configuration_set_name: str | None = Field(
        None, description="Configuration set for messages that do not set one."
    )
    verification_info: VerificationInfo | None = Field(
        None, description="Last check by Amazon SES."
    )
    dns_records: tuple[DnsRecord, ...] = Field(
        alias="dnsRecords",
        description=(
            "Records to publish for a domain. An address needs none: its owner follows the "
            "link in the email."
        ),
    )


_TOKENS = ["q3x5k2n7v4", "h8m1c9w6d0", "t2z7r5y8b3"]
_DKIM = {
    "SigningEnabled": True,
    "Status": "PENDING",
    "Tokens": _TOKENS,
    "SigningHostedZone": "dkim.amazonses.com",
    "SigningAttributesOrigin": "AWS_SES",
}
_RECORDS = [
    row.model_dump(by_alias=True)
    for row in dns_records("shop.example.com", "eu-west-1", {"DkimAttributes": _DKIM})
]
_NEW: dict[str, Any] = {
    "IdentityType": "DOMAIN",
    "VerifiedForSendingStatus": False,
    "DkimAttributes": _DKIM,
    "dnsRecords": _RECORDS,
}
_VERIFIED = {
    **_NEW,
    "VerifiedForSendingStatus": True,
    "VerificationStatus": "SUCCESS",
    "DkimAttributes": {**_DKIM, "Status": "SUCCESS"},
}


@connector.action(
    "createIdentity",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateEmailIdentity", "mailFromDomain"),
    permissions=iam("CreateEmailIdentity", "PutEmailIdentityMailFromAttributes"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "createIdentity", "A domain with Easy DKIM", {"identity": "shop.example.com"}, _NEW
    ),
    keywords=(
        "verify a sender address",
        "verify an email address",
        "verify a domain",
        "add a sender",
        "dkim",
    ),
)
def create_identity(new: NewIdentity, aws: AwsClients) -> Identity:
    """Start the verification of an address (its owner gets an email with a link) or of a domain
    (publish the DNS records in the output).
    """
    signing = {"NextSigningKeyLength": new.dkim_key_length} if new.dkim_key_length else None
    wanted = {
        "EmailIdentity": new.name,
        "DkimSigningAttributes": signing,
        "ConfigurationSetName": new.configuration_set_name,
    }
    answer = ask(aws, new.aws_region, "create_email_identity", wanted, "VerifiedForSendingStatus")
    if new.mail_from is not None:
        sender = {"EmailIdentity": new.name, "MailFromDomain": new.mail_from}
        ask(aws, new.aws_region, "put_email_identity_mail_from_attributes", sender)
    records = dns_records(new.name, new.aws_region, answer, new.mail_from)
    return read(Identity, answer, dnsRecords=records)


@connector.action(
    "getIdentity",
    effect="read",
    permissions=iam("GetEmailIdentity"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "getIdentity",
        "A verified domain",
        {"identity": "shop.example.com"},
        _VERIFIED,
    ),
    keywords=(
        "status of a sender",
        "is my domain verified",
        "dkim records",
    ),
)
def get_identity(chosen: IdentityChosen, aws: AwsClients) -> Identity:
    """Read an identity: verified or not, DKIM, MAIL FROM domain, and the DNS records to publish."""
    answer = ask(
        aws,
        chosen.aws_region,
        "get_email_identity",
        {"EmailIdentity": chosen.name},
        "VerifiedForSendingStatus",
    )
    return read(Identity, answer, dnsRecords=dns_records(chosen.name, chosen.aws_region, answer))


@connector.action(
    "deleteIdentity",
    effect="idempotent",
    permissions=iam("DeleteEmailIdentity"),
    rate_limit=RateLimit(per_second=1),
    repeat_ok=("not_found",),
    examples=one_example("deleteIdentity", "A domain", {"identity": "shop.example.com"}, {}),
)
def delete_identity(chosen: IdentityChosen, aws: AwsClients) -> Done:
    """Delete an identity. The account can no longer send from it."""
    return read(
        Done, ask(aws, chosen.aws_region, "delete_email_identity", {"EmailIdentity": chosen.name})
    )


class AwaitedIdentity(IdentityChosen):
    """Identity to wait for."""

    interval_seconds: int = Field(
        60,
        title="Interval",
        schema={"minimum": 10, "maximum": 3600},
        description="Seconds between checks of the identity, 10 to 3,600.",
    )


_LONGEST_WAIT = 72 * 3600.0
"""Seconds during which Amazon SES looks for the DNS records of a new domain."""


@connector.action(
    "waitUntilVerified",
    effect="read",
    permissions=iam("GetEmailIdentity"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "waitUntilVerified",
        "A domain whose records were published",
        {"identity": "shop.example.com", "intervalSeconds": 300},
        _VERIFIED,
    ),
)
def wait_until_verified(awaited: AwaitedIdentity, aws: AwsClients) -> Identity:
    """Wait until an identity is verified. Queued, it waits for up to 72 hours without occupying a
    worker: the journal shows it as queued, with the time of the next check. Called directly, it
    waits until its deadline.
    """
    found = get_identity(awaited, aws)
    if found.verified_for_sending_status:
        return found
    if found.verification_status == "FAILED":
        reason = found.verification_info.error_type if found.verification_info is not None else None
        raise Rejected(
            f"Amazon SES could not verify '{awaited.name}'" + (f": {reason}" if reason else ""),
            hint=(
                "Publish the DNS records that 'getIdentity' lists, then delete the identity "
                "and create it again."
            ),
            sent=Sent.REFUSED,
        )
    raise NotYet(
        f"'{awaited.name}' is not verified yet ({found.verification_status or 'PENDING'})",
        retry_after=awaited.interval_seconds,
        within=_LONGEST_WAIT,
        hint=(
            "Queue the invocation to wait for up to 72 hours, and compare the published DNS "
            "records with those of 'getIdentity'."
        ),
        sent=Sent.REFUSED,
    )


class MailFrom(IdentityChosen):
    """MAIL FROM domain to set."""

    mail_from_domain: str | None = Field(
        None,
        title="MAIL FROM Domain",
        trim=True,
        lowercase=True,
        blank="absent",
        schema={"maxLength": 253},
        description="A subdomain of the identity that is used for nothing else, such as "
        "mail.example.com. Without one, Amazon SES uses its "
        "own domain again.",
    )
    behavior_on_mx_failure: Literal["USE_DEFAULT_VALUE", "REJECT_MESSAGE"] = Field(
        "USE_DEFAULT_VALUE",
        title="If the MX Record Is Missing",
        blank="absent",
        description=(
            "USE_DEFAULT_VALUE sends with Amazon SES's own domain, REJECT_MESSAGE refuses to send."
        ),
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of the identity, and of a MAIL FROM domain that is not its subdomain."""
        faults = list(super().rules())
        yield from faults or _mail_from_faults(self.name, self.mail_from_domain)

    @property
    def mail_from(self) -> str | None:
        """MAIL FROM domain in ASCII; None without such a domain."""
        return _ascii_identity(self.mail_from_domain) if self.mail_from_domain is not None else None


class MailFromRecords(Answer):
    """DNS records of the identity."""

    dns_records: tuple[DnsRecord, ...] = Field(
        (), alias="dnsRecords", description="Records to publish for the MAIL FROM domain."
    )


@connector.action(
    "setMailFrom",
    effect="idempotent",
    permissions=iam("PutEmailIdentityMailFromAttributes"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "setMailFrom",
        "A subdomain for bounces",
        {"identity": "shop.example.com", "mailFromDomain": "bounce.shop.example.com"},
        {
            "dnsRecords": [
                row.model_dump(by_alias=True)
                for row in dns_records(
                    "shop.example.com", "eu-west-1", {}, "bounce.shop.example.com"
                )
                if row.name == "bounce.shop.example.com"
            ]
        },
    ),
)
def set_mail_from(wanted: MailFrom, aws: AwsClients) -> MailFromRecords:
    """Set or remove the custom MAIL FROM domain of an identity; publish the MX and SPF records in
    the output.
    """
    domain = wanted.mail_from
    parameters = {
        "EmailIdentity": wanted.name,
        "MailFromDomain": domain,
        "BehaviorOnMxFailure": wanted.behavior_on_mx_failure if domain else None,
    }
    ask(aws, wanted.aws_region, "put_email_identity_mail_from_attributes", parameters)
    records = dns_records(wanted.name.rpartition("@")[2], wanted.aws_region, {}, domain)
    return MailFromRecords(
        dns_records=tuple(row for row in records if domain is not None and row.name == domain)
    )


class IdentityStatus(Answer):
    """Identity in a list, with its status."""

    identity_name: str = Field(description="The address or domain.")
    identity_type: str | None = Field(None, description="EMAIL_ADDRESS, DOMAIN or MANAGED_DOMAIN.")
    sending_enabled: bool | None = Field(None, description="True: sending from it is enabled.")
    verification_status: str | None = Field(
        None, description="PENDING, SUCCESS, FAILED, TEMPORARY_FAILURE or NOT_STARTED."
    )


class IdentityStatuses(Answer):
    """Page of identities with their status, or all of them."""

    email_identities: tuple[IdentityStatus, ...] = Field(description="Addresses and domains.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


class IdentitiesQuery(Paged):
    """Identities to list."""


@connector.action(
    "listIdentitiesWithStatus",
    effect="read",
    permissions=iam("ListEmailIdentities"),
    pagination=pages("EmailIdentities"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "listIdentitiesWithStatus",
        "All identities",
        {"fetchAll": True},
        {
            "EmailIdentities": [
                {
                    "IdentityName": "example.com",
                    "IdentityType": "DOMAIN",
                    "SendingEnabled": True,
                    "VerificationStatus": "SUCCESS",
                },
            ]
        },
        complete=True,
    ),
)
def list_identities_with_status(query: IdentitiesQuery, aws: AwsClients) -> IdentityStatuses:
    """List addresses and domains together, each with its verification status and whether sending is
    enabled.
    """
    asked = {"NextToken": query.next_token, "PageSize": query.page_size}
    return read(
        IdentityStatuses,
        ask(aws, query.aws_region, "list_email_identities", asked, "EmailIdentities"),
    )
