"""The suppression lists of the account and of its tenants: addresses that Amazon SES does not
deliver to, because mail to them bounced or was reported as spam.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import bare_address_faults, bare_address_field, tenant_field
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

Reason = Literal["BOUNCE", "COMPLAINT"]
_TENANT = (
    "The tenant whose own list it is; without one, the account's list. Amazon SES uses it if "
    "the tenant's 'suppressionScope' is TENANT."
)
_Date = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Recipient(Regional):
    """Address on the list."""

    address: str = bare_address_field("The recipient's bare address.")
    tenant: str | None = tenant_field(_TENANT)

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of text that is not a bare address."""
        return bare_address_faults(self.address)

    @property
    def parameters(self) -> dict[str, str | None]:
        """Parameters of the request, with the address in ASCII."""
        return {"EmailAddress": parse_mailbox(self.address).address, "TenantName": self.tenant}


class Suppressed(Recipient):
    """Address to put on the list."""

    reason: Reason = Field(
        "BOUNCE", title="Reason", blank="absent", description="BOUNCE or COMPLAINT."
    )


@connector.action(
    "putSuppressedRecipient",
    effect="idempotent",
    permissions=iam("PutSuppressedDestination"),
    examples=one_example(
        "putSuppressedRecipient",
        "A mailbox that is gone",
        {"address": "gone@example.com", "reason": "BOUNCE"},
        {},
    ),
    keywords=(
        "block an address",
        "add to the suppression list",
        "unsubscribe",
        "bounce",
    ),
)
def put_suppressed_recipient(recipient: Suppressed, aws: AwsClients) -> Done:
    """Put an address on the suppression list of the account, or of a tenant: Amazon SES accepts
    messages to the address and does not deliver them.
    """
    parameters = {**recipient.parameters, "Reason": recipient.reason}
    return read(Done, ask(aws, recipient.aws_region, "put_suppressed_destination", parameters))


class SuppressionCause(Answer):
    """Message that caused the suppression."""

    message_id: str | None = Field(
        None, description="ID of the message that bounced or was reported."
    )
    feedback_id: str | None = Field(None, description="ID of the bounce or complaint.")


class SuppressedDestination(Answer):
    """Entry of the list."""

    email_address: str = Field(description="The address.")
    reason: str = Field(description="BOUNCE or COMPLAINT.")
    last_update_time: Moment = Field(description="Time of the last change.")
    attributes: SuppressionCause | None = Field(
        None, description="Cause, if Amazon SES added the address itself."
    )
    tenant_name: str | None = Field(None, description="Tenant whose list it is.")


class SuppressedEntry(Answer):
    """Entry for an address."""

    suppressed_destination: SuppressedDestination = Field(description="The entry.")


@connector.action(
    "getSuppressedRecipient",
    effect="read",
    permissions=iam("GetSuppressedDestination"),
    examples=one_example(
        "getSuppressedRecipient",
        "Why an address gets no email",
        {"address": "gone@example.com"},
        {
            "SuppressedDestination": {
                "EmailAddress": "gone@example.com",
                "Reason": "BOUNCE",
                "LastUpdateTime": "2026-11-20T10:15:00Z",
            }
        },
    ),
)
def get_suppressed_recipient(recipient: Recipient, aws: AwsClients) -> SuppressedEntry:
    """Look up an address on the suppression list of the account, or of a tenant; 'not_found' means
    that it is not on the list.
    """
    answer = ask(
        aws,
        recipient.aws_region,
        "get_suppressed_destination",
        recipient.parameters,
        "SuppressedDestination",
    )
    return read(SuppressedEntry, answer)


@connector.action(
    "deleteSuppressedRecipient",
    effect="idempotent",
    permissions=iam("DeleteSuppressedDestination"),
    repeat_ok=("not_found",),
    examples=one_example(
        "deleteSuppressedRecipient",
        "An address that works again",
        {"address": "gone@example.com"},
        {},
    ),
    keywords=(
        "remove from the suppression list",
        "unblock an address",
    ),
)
def delete_suppressed_recipient(recipient: Recipient, aws: AwsClients) -> Done:
    """Remove an address from the suppression list of the account, or of a tenant."""
    return read(
        Done, ask(aws, recipient.aws_region, "delete_suppressed_destination", recipient.parameters)
    )


class SuppressionQuery(Paged):
    """Filter of the suppression entries to list."""

    tenant: str | None = tenant_field(_TENANT)
    reasons: tuple[Reason, ...] | None = Field(
        None,
        title="Reasons",
        schema={"minItems": 1, "uniqueItems": True},
        description="Only entries with these reasons.",
    )
    start_date: _Date | None = Field(
        None,
        title="Start Date",
        blank="absent",
        description="Only entries changed after this time.",
    )
    end_date: _Date | None = Field(
        None, title="End Date", blank="absent", description="Only entries changed before this time."
    )


class SuppressedSummary(Answer):
    """Entry in a list."""

    email_address: str = Field(description="The address.")
    reason: str = Field(description="BOUNCE or COMPLAINT.")
    last_update_time: Moment = Field(description="Time of the last change.")


class SuppressedSummaries(Answer):
    """Page of the suppression list, or all of it."""

    suppressed_destination_summaries: tuple[SuppressedSummary, ...] = Field(description="Entries.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listSuppressedRecipients",
    effect="read",
    permissions=iam("ListSuppressedDestinations"),
    pagination=pages("SuppressedDestinationSummaries"),
    rate_limit=RateLimit(per_second=1),
    examples=one_example(
        "listSuppressedRecipients",
        "Every address that complained",
        {"reasons": ["COMPLAINT"], "fetchAll": True},
        {
            "SuppressedDestinationSummaries": [
                {
                    "EmailAddress": "bob@example.com",
                    "Reason": "COMPLAINT",
                    "LastUpdateTime": "2026-11-19T08:00:00Z",
                },
            ]
        },
        complete=True,
    ),
    keywords=(
        "suppression list",
        "blocked addresses",
        "bounced addresses",
        "bounce list",
    ),
)
def list_suppressed_recipients(query: SuppressionQuery, aws: AwsClients) -> SuppressedSummaries:
    """List the suppression list of the account, or of a tenant, optionally by reason and date."""
    asked = {
        "TenantName": query.tenant,
        "Reasons": list(query.reasons) if query.reasons else None,
        "StartDate": query.start_date,
        "EndDate": query.end_date,
        "NextToken": query.next_token,
        "PageSize": query.page_size,
    }
    return read(
        SuppressedSummaries,
        ask(
            aws,
            query.aws_region,
            "list_suppressed_destinations",
            asked,
            "SuppressedDestinationSummaries",
        ),
    )
