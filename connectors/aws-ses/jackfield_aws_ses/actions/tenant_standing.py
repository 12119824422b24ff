"""Standing of a tenant: whether it may send, Amazon SES's findings about it, and the consequences
of a finding.
"""

from __future__ import annotations

from typing import Literal

from jackfield.connector import Field
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.tenants import ONCE, TenantChosen, shown
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.provider import Answer, Done, Moment, ask, iam, one_example, read

_MOST_FINDINGS = 100
"""Largest page of ListRecommendations; a tenant has at most one finding of each type."""


class StandingChange(TenantChosen):
    """New sending status of a tenant."""

    sending_status: Literal["ENABLED", "REINSTATED", "DISABLED"] = Field(
        title="Sending Status",
        description="DISABLED pauses the tenant. ENABLED lets it send. REINSTATED lets it send "
        "although findings are open, until they are "
        "resolved. Amazon SES's own pause of the tenant stays.",
    )


@connector.action(
    "updateTenantSending",
    effect="idempotent",
    permissions=iam("GetTenant", "UpdateReputationEntityCustomerManagedStatus"),
    rate_limit=ONCE,
    examples=one_example(
        "updateTenantSending",
        "Pause a customer",
        {"tenant": "acme", "sendingStatus": "DISABLED"},
        {},
    ),
    keywords=("pause a customer", "resume a customer", "stop sending", "block a tenant"),
)
def update_tenant_sending(wanted: StandingChange, aws: AwsClients) -> Done:
    """Pause a tenant, or let it send again."""
    given = {**_entity(aws, wanted), "SendingStatus": wanted.sending_status}
    return read(
        Done, ask(aws, wanted.aws_region, "update_reputation_entity_customer_managed_status", given)
    )


def _entity(aws: AwsClients, chosen: TenantChosen) -> dict[str, str]:
    """Return the tenant's name in reputation operations: its ARN, whose ID only Amazon SES
    knows.
    """
    return {
        "ReputationEntityType": "RESOURCE",
        "ReputationEntityReference": str(shown(aws, chosen)["Tenant"]["TenantArn"]),
    }


class PolicyChange(TenantChosen):
    """New reputation policy of a tenant."""

    policy: Literal["none", "standard", "strict"] = Field(
        title="Reputation Policy",
        description=(
            "none never pauses the tenant, standard pauses it on a finding of high impact, "
            "strict on any finding."
        ),
    )


@connector.action(
    "updateTenantPolicy",
    effect="idempotent",
    permissions=iam("GetTenant", "UpdateReputationEntityPolicy"),
    rate_limit=ONCE,
    examples=one_example(
        "updateTenantPolicy", "Pause at any finding", {"tenant": "acme", "policy": "strict"}, {}
    ),
    keywords=("reputation policy", "pause automatically"),
)
def update_tenant_policy(wanted: PolicyChange, aws: AwsClients) -> Done:
    """Choose which findings make Amazon SES pause a tenant."""
    entity = _entity(aws, wanted)
    _, partition, service, region, *_ = entity["ReputationEntityReference"].split(":")
    policy = f"arn:{partition}:{service}:{region}:aws:reputation-policy/{wanted.policy}"
    return read(
        Done,
        ask(
            aws,
            wanted.aws_region,
            "update_reputation_entity_policy",
            {**entity, "ReputationEntityPolicy": policy},
        ),
    )


class StatusRecord(Answer):
    """Sending status set by one side: AWS or the customer."""

    status: str | None = Field(None, description="ENABLED, REINSTATED or DISABLED.")
    cause: str | None = Field(None, description="Why.")
    last_updated_timestamp: Moment | None = Field(None, description="Since when.")


class Reputation(Answer):
    """Reputation of a tenant."""

    reputation_entity_reference: str | None = Field(None, description="ARN of the tenant.")
    reputation_management_policy: str | None = Field(
        None, description="ARN of its reputation policy."
    )
    customer_managed_status: StatusRecord | None = Field(
        None, description="Status that the account's owner has set."
    )
    aws_ses_managed_status: StatusRecord | None = Field(
        None, description="Status that Amazon SES has set."
    )
    sending_status_aggregate: str | None = Field(
        None, description="Both together: DISABLED if either is."
    )
    reputation_impact: str | None = Field(
        None, description="Highest impact of an open finding: HIGH, LOW or NONE."
    )


class ReputationFinding(Answer):
    """Fault that Amazon SES finds."""

    type: str = Field(description="BOUNCE, COMPLAINT, FEEDBACK_3P, IP_LISTING and others.")
    impact: str | None = Field(None, description="HIGH or LOW.")
    description: str | None = Field(None, description="What was found.")
    status: str | None = Field(None, description="OPEN or FIXED.")
    created_timestamp: Moment | None = Field(None, description="Since when.")
    last_updated_timestamp: Moment | None = Field(None, description="Time of the last check.")


class Standing(Answer):
    """Reputation of a tenant, and its open findings."""

    reputation_entity: Reputation = Field(description="The reputation.")
    recommendations: tuple[ReputationFinding, ...] = Field(description="Open findings.")


@connector.action(
    "getTenantReputation",
    effect="read",
    permissions=iam("GetTenant", "GetReputationEntity", "ListRecommendations"),
    rate_limit=ONCE,
    examples=one_example(
        "getTenantReputation",
        "Why a customer is paused",
        {"tenant": "acme"},
        {
            "ReputationEntity": {
                "AwsSesManagedStatus": {
                    "Status": "DISABLED",
                    "Cause": "The bounce rate exceeded 15.0%.",
                },
                "CustomerManagedStatus": {"Status": "ENABLED"},
                "SendingStatusAggregate": "DISABLED",
                "ReputationImpact": "HIGH",
            },
            "Recommendations": [
                {
                    "Type": "BOUNCE",
                    "Impact": "HIGH",
                    "Status": "OPEN",
                    "Description": "The bounce rate exceeded 15.0%.",
                }
            ],
        },
    ),
    keywords=("reputation of a customer", "why is a tenant paused", "findings"),
)
def get_tenant_reputation(chosen: TenantChosen, aws: AwsClients) -> Standing:
    """Read who paused a tenant and why, its reputation policy, and its open findings."""
    entity = _entity(aws, chosen)
    found = ask(aws, chosen.aws_region, "get_reputation_entity", entity, "ReputationEntity")
    asked = {
        "Filter": {"RESOURCE_ARN": entity["ReputationEntityReference"]},
        "PageSize": _MOST_FINDINGS,
    }
    rows = ask(aws, chosen.aws_region, "list_recommendations", asked, "Recommendations")[
        "Recommendations"
    ]
    return read(
        Standing, found, Recommendations=[row for row in rows if row.get("Status") != "FIXED"]
    )
