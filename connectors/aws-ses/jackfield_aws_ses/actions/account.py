"""The SES account: quota, rate, enforcement and sandbox; sending statistics; the request for
production access.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import bare_address_faults
from jackfield_aws_ses.logged import BY_AGENT, logged
from jackfield_aws_ses.provider import Answer, Done, Moment, Regional, ask, iam, one_example, read


class AccountQuery(Regional):
    """Region whose account to read."""


class SendQuota(Answer):
    """Sending limits, counted per recipient."""

    max24_hour_send: float = Field(
        description="Recipients allowed in 24 hours; -1 means unlimited."
    )
    max_send_rate: float = Field(description="Recipients allowed per second.")
    sent_last24_hours: float = Field(description="Recipients of the last 24 hours.")


class SuppressionAttributes(Answer):
    """Account-level suppression."""

    suppressed_reasons: tuple[str, ...] | None = Field(
        None, description="Reasons for which addresses are put on the suppression list."
    )


class ReviewDetails(Answer):
    """AWS's review of the account."""

    status: str | None = Field(None, description="PENDING, FAILED, GRANTED or DENIED.")
    case_id: str | None = Field(None, description="Case in AWS Support.")


class AccountDetails(Answer):
    """Answers given to AWS when production access was requested."""

    mail_type: str | None = Field(None, description="MARKETING or TRANSACTIONAL.")
    website_url: str | None = Field(None, alias="WebsiteURL", description="The sender's website.")
    contact_language: str | None = Field(None, description="EN or JA.")
    use_case_description: str | None = Field(
        None, description="The use case as it was described to AWS."
    )
    additional_contact_email_addresses: tuple[str, ...] | None = Field(
        None, description="Addresses that AWS notifies about the review."
    )
    review_details: ReviewDetails | None = Field(None, description="State of the review.")


class Dashboard(Answer):
    """Virtual Deliverability Manager's dashboard."""

    engagement_metrics: str | None = Field(None, description="ENABLED or DISABLED.")


class Guardian(Answer):
    """Virtual Deliverability Manager's guardian."""

    optimized_shared_delivery: str | None = Field(None, description="ENABLED or DISABLED.")


class VdmAttributes(Answer):
    """Virtual Deliverability Manager."""

    vdm_enabled: str | None = Field(None, description="ENABLED or DISABLED.")
    dashboard_attributes: Dashboard | None = Field(None, description="Its dashboard.")
    guardian_attributes: Guardian | None = Field(None, description="Its guardian.")


class PricingAttributes(Answer):
    """Pricing plan."""

    current_plan: str | None = Field(None, description="NONE, ESSENTIALS, PRO or ENTERPRISE.")
    next_plan: str | None = Field(None, description="The plan from the next billing cycle on.")


class Account(Answer):
    """State and limits of the account in one region."""

    send_quota: SendQuota = Field(description="Sending limits and their usage.")
    production_access_enabled: bool | None = Field(
        None, description="False: the account is in the sandbox."
    )
    enforcement_status: str | None = Field(
        None, description="HEALTHY, PROBATION (under review) or SHUTDOWN (sending is stopped)."
    )
    sending_enabled: bool | None = Field(None, description="False: sending is paused.")
    dedicated_ip_auto_warmup_enabled: bool | None = Field(
        None, description="Automatic warm-up of dedicated IP addresses."
    )
    suppression_attributes: SuppressionAttributes | None = Field(
        None, description="Account-level suppression."
    )
    details: AccountDetails | None = Field(
        None, description="The request for production access and its review."
    )
    vdm_attributes: VdmAttributes | None = Field(
        None, description="Virtual Deliverability Manager."
    )
    pricing_attributes: PricingAttributes | None = Field(None, description="Pricing plan.")


_ACCOUNT = {
    "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1204.0},
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendingEnabled": True,
    "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
}


@connector.action(
    "getAccount",
    effect="read",
    permissions=iam("GetAccount"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example("getAccount", "Quota and sandbox", {}, _ACCOUNT),
    keywords=(
        "sending limits",
        "how many emails can be sent today",
        "quota",
        "sandbox",
        "check the account",
        "am I paused",
    ),
)
def get_account(query: AccountQuery, aws: AwsClients) -> Account:
    """Read the account in a region: sending quota and rate, sandbox or production, enforcement
    status, suppression, pricing plan.
    """
    return read(Account, ask(aws, query.aws_region, "get_account", {}, "SendQuota"))


class DataPoint(Answer):
    """Fifteen minutes of sending."""

    timestamp: Moment = Field(description="Start of the interval.")
    delivery_attempts: int = Field(0, description="Messages sent.")
    bounces: int = Field(0, description="Hard bounces.")
    complaints: int = Field(0, description="Recipients who marked a message as spam.")
    rejects: int = Field(0, description="Messages rejected for their content, such as a virus.")


class SendStatistics(Answer):
    """Sending statistics of the last 14 days, oldest first."""

    send_data_points: tuple[DataPoint, ...] = Field(
        description="One point for each 15 minutes in which email was sent."
    )


@connector.action(
    "getSendStatistics",
    effect="read",
    permissions=iam("GetSendStatistics"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "getSendStatistics",
        "The last two weeks",
        {},
        {
            "SendDataPoints": [
                {
                    "Timestamp": "2026-11-20T10:15:00Z",
                    "DeliveryAttempts": 420,
                    "Bounces": 3,
                    "Complaints": 0,
                    "Rejects": 0,
                },
            ]
        },
    ),
    keywords=(
        "how many bounced",
        "bounces",
        "complaints",
        "rejects",
        "delivery rate",
    ),
)
def get_send_statistics(query: AccountQuery, aws: AwsClients) -> SendStatistics:
    """Read deliveries, bounces, complaints and rejects of the last 14 days in a region, in
    intervals of 15 minutes.
    """
    answer = ask(aws, query.aws_region, "get_send_statistics", {}, "SendDataPoints", service="ses")
    found = read(SendStatistics, answer)
    return SendStatistics(
        send_data_points=tuple(sorted(found.send_data_points, key=lambda point: point.timestamp))
    )


_Contact = Annotated[str, WithJsonSchema({"type": "string", "minLength": 6, "maxLength": 254})]


class ProductionAccess(Regional):
    """Information that AWS requires before it moves an account out of the sandbox."""

    mail_type: Literal["TRANSACTIONAL", "MARKETING"] = Field(
        title="Mail Type",
        description=(
            "TRANSACTIONAL for email that a person's own action triggers, such as receipts; "
            "MARKETING for everything else."
        ),
    )
    website_url: str = Field(
        title="Website URL",
        trim=True,
        schema={"pattern": "^https?://[^\\s]{1,990}$"},
        expects="an http or https URL of up to 1,000 characters",
        description="The sender's website, which AWS's reviewers read.",
    )
    use_case_description: str | None = Field(
        None,
        title="Use Case",
        multiline=True,
        blank="absent",
        schema={"maxLength": 5000},
        description="How recipients sign up, how often they get email, and how bounces, "
        "complaints and unsubscribes are handled. AWS may "
        "ask for it if it is missing.",
    )
    contact_language: Literal["EN", "JA"] = Field(
        "EN",
        title="Contact Language",
        blank="absent",
        description="Language of AWS's replies: English or Japanese.",
    )
    additional_contact_email_addresses: tuple[_Contact, ...] | None = Field(
        None,
        title="Additional Contacts",
        schema={"minItems": 1, "maxItems": 4},
        description="One to four further addresses that AWS notifies about the review.",
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of contacts that are not bare addresses."""
        for number, text in enumerate(self.additional_contact_email_addresses or ()):
            yield from bare_address_faults(text, f"/additionalContactEmailAddresses/{number}")


@connector.action(
    "requestProductionAccess",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("PutAccountDetails"),
    permissions=iam("PutAccountDetails"),
    examples=one_example(
        "requestProductionAccess",
        "Receipts of a shop",
        {
            "mailType": "TRANSACTIONAL",
            "websiteUrl": "https://shop.example.com",
            "useCaseDescription": (
                "Receipts and shipping notices to customers who ordered; bounces are removed "
                "at once."
            ),
        },
        {},
    ),
    keywords=(
        "leave the sandbox",
        "raise the sending limit",
    ),
)
def request_production_access(request: ProductionAccess, aws: AwsClients) -> Done:
    """Ask AWS to move the account in a region out of the sandbox. This opens a case that AWS
    reviews, usually within a day; 'getAccount' shows its state under Details.ReviewDetails.
    """
    contacts = request.additional_contact_email_addresses
    parameters = {
        "MailType": request.mail_type,
        "WebsiteURL": request.website_url,
        "ContactLanguage": request.contact_language,
        "UseCaseDescription": request.use_case_description,
        "AdditionalContactEmailAddresses": [parse_mailbox(text).address for text in contacts]
        if contacts
        else None,
        "ProductionAccessEnabled": True,
    }
    return read(Done, ask(aws, request.aws_region, "put_account_details", parameters))
