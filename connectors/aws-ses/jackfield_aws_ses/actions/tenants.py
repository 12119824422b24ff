"""Tenants: parts of an account that send separately, each with its own resources, reputation and
sending status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from jackfield.connector import Detail, Field, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import tenant_field
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
    pages,
    read,
)

ONCE = RateLimit(per_second=1)
Reason = Literal["BOUNCE", "COMPLAINT"]
Status = Literal["ENABLED", "REINSTATED", "DISABLED"]
_ARN = "arn:aws:ses:eu-west-1:123456789012:tenant/acme/tn-0a1b2c3d4e5f60718293a4b5c6d7e8"
_SHOWN = {
    "TenantName": "acme",
    "TenantId": "tn-0a1b2c3d4e5f60718293a4b5c6d7e8",
    "TenantArn": _ARN,
    "SendingStatus": "ENABLED",
}
_STATUS = (
    "ENABLED, REINSTATED (it may send in spite of findings) or DISABLED (paused: it may not send)."
)


class TenantChosen(Regional):
    """Tenant in a region."""

    tenant: str = tenant_field("The name of the tenant.", ...)


class SuppressionChoice(TenantChosen):
    """Suppression of a tenant."""

    suppression_scope: Literal["ACCOUNT", "TENANT"] | None = Field(
        None,
        title="Suppression List",
        blank="absent",
        description=(
            "TENANT: the tenant has a suppression list of its own. ACCOUNT, the default of "
            "Amazon SES: it shares the account's."
        ),
    )
    suppressed_reasons: tuple[Reason, ...] | None = Field(
        None,
        title="Suppressed Reasons",
        schema={"uniqueItems": True},
        description=(
            "Reasons for which addresses are put on the tenant's list; an empty list turns "
            "that off."
        ),
    )

    @property
    def suppression(self) -> dict[str, Any]:
        """Suppression parameters of the request."""
        reasons = self.suppressed_reasons
        return filled(
            {
                "SuppressionScope": self.suppression_scope,
                "SuppressedReasons": None if reasons is None else list(reasons),
            }
        )


class NewTenant(SuppressionChoice):
    """Tenant to create."""

    tags: Mapping[str, str] | None = Field(
        None, title="Tags", blank="absent", description="Tags of the tenant in AWS, by key."
    )


class Suppression(Answer):
    """Suppression of a tenant."""

    suppression_scope: str | None = Field(None, description="ACCOUNT or TENANT.")
    suppressed_reasons: tuple[str, ...] | None = Field(None, description="BOUNCE, COMPLAINT.")


class TenantTag(Answer):
    """Tag."""

    key: str = Field(description="Its key.")
    value: str | None = Field(None, description="Its value.")


class TenantInfo(Answer):
    """Tenant in a list."""

    tenant_name: str = Field(description="Its name.")
    tenant_id: str | None = Field(None, description="Its ID, which AWS assigns.")
    tenant_arn: str | None = Field(
        None, description="Its ARN, which ends with its name and its ID."
    )
    created_timestamp: Moment | None = Field(None, description="Time of its creation.")
    sending_status: str | None = Field(None, description=_STATUS)


class Tenant(TenantInfo):
    """Tenant."""

    tags: tuple[TenantTag, ...] | None = Field(None, description="Its tags in AWS.")
    suppression_attributes: Suppression | None = Field(
        None, description="Its suppression; without it, the account's applies."
    )


@connector.action(
    "createTenant",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateTenant"),
    permissions=iam("CreateTenant", "TagResource"),
    rate_limit=ONCE,
    examples=one_example(
        "createTenant",
        "A customer with a suppression list of its own",
        {
            "tenant": "acme",
            "suppressionScope": "TENANT",
            "suppressedReasons": ["BOUNCE", "COMPLAINT"],
        },
        {
            **_SHOWN,
            "SuppressionAttributes": {
                "SuppressionScope": "TENANT",
                "SuppressedReasons": ["BOUNCE", "COMPLAINT"],
            },
        },
    ),
    keywords=(
        "add a customer",
        "isolate a customer",
        "multi-tenant",
        "reputation of each customer",
    ),
)
def create_tenant(wanted: NewTenant, aws: AwsClients) -> Tenant:
    """Create a tenant. It sends nothing until its identity and its configuration set are associated
    with it ('createTenantAssociation').
    """
    tags = [{"Key": key, "Value": value} for key, value in (wanted.tags or {}).items()]
    given = {
        "TenantName": wanted.tenant,
        "Tags": tags or None,
        "SuppressionAttributes": wanted.suppression or None,
    }
    return read(Tenant, ask(aws, wanted.aws_region, "create_tenant", given, "TenantArn"))


class ShownTenant(Answer):
    """Tenant, as Amazon SES returns it."""

    tenant: Tenant = Field(description="The tenant.")


@connector.action(
    "getTenant",
    effect="read",
    permissions=iam("GetTenant"),
    rate_limit=ONCE,
    examples=one_example("getTenant", "One tenant", {"tenant": "acme"}, {"Tenant": _SHOWN}),
)
def get_tenant(chosen: TenantChosen, aws: AwsClients) -> ShownTenant:
    """Read a tenant: its ARN, its sending status, its suppression and its tags."""
    return read(ShownTenant, shown(aws, chosen))


def shown(aws: AwsClients, chosen: TenantChosen) -> dict[str, Any]:
    """Return the response of GetTenant."""
    return ask(aws, chosen.aws_region, "get_tenant", {"TenantName": chosen.tenant}, "Tenant")


@connector.action(
    "deleteTenant",
    effect="idempotent",
    permissions=iam("DeleteTenant"),
    rate_limit=ONCE,
    repeat_ok=("not_found",),
    examples=one_example("deleteTenant", "One tenant", {"tenant": "acme"}, {}),
)
def delete_tenant(chosen: TenantChosen, aws: AwsClients) -> Done:
    """Delete a tenant and its associations. Identities, configuration sets and templates stay."""
    return read(Done, ask(aws, chosen.aws_region, "delete_tenant", {"TenantName": chosen.tenant}))


class TenantsQuery(Paged):
    """Tenants to list."""

    name_contains: str | None = Field(
        None,
        title="Name Contains",
        trim=True,
        blank="absent",
        schema={"maxLength": 64},
        description="Only tenants with this in their names.",
    )
    sending_status: Status | None = Field(
        None, title="Sending Status", blank="absent", description=f"Only tenants that are {_STATUS}"
    )


class Tenants(Answer):
    """Page of tenants, or all of them."""

    tenants: tuple[TenantInfo, ...] = Field(description="Tenants.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listTenants",
    effect="read",
    permissions=iam("ListTenants"),
    pagination=pages("Tenants"),
    rate_limit=ONCE,
    examples=one_example(
        "listTenants",
        "Tenants that may not send",
        {"sendingStatus": "DISABLED", "fetchAll": True},
        {"Tenants": [{**_SHOWN, "SendingStatus": "DISABLED"}]},
        complete=True,
    ),
    keywords=("paused customers",),
)
def list_tenants(query: TenantsQuery, aws: AwsClients) -> Tenants:
    """List the tenants of a region, optionally by name or sending status."""
    wanted = filled(
        {"TENANT_NAME_CONTAINS": query.name_contains, "SENDING_STATUS": query.sending_status}
    )
    asked = {"Filter": wanted or None, "NextToken": query.next_token, "PageSize": query.page_size}
    return read(Tenants, ask(aws, query.aws_region, "list_tenants", asked, "Tenants"))


class SuppressionChanges(SuppressionChoice):
    """New suppression settings of a tenant: both members, or none for the account's."""

    def rules(self) -> Iterator[Detail]:
        """Yield the fault of giving only one of the two members."""
        if len(self.suppression) == 1:
            lacking = (
                "suppressionScope"
                if "SuppressedReasons" in self.suppression
                else "suppressedReasons"
            )
            yield Detail(
                f"/{lacking}",
                "is missing: Amazon SES takes the list and the reasons together, or neither",
                "required",
            )


@connector.action(
    "updateTenantSuppression",
    effect="idempotent",
    permissions=iam("PutTenantSuppressionAttributes"),
    rate_limit=ONCE,
    examples=one_example(
        "updateTenantSuppression",
        "A list of its own",
        {
            "tenant": "acme",
            "suppressionScope": "TENANT",
            "suppressedReasons": ["BOUNCE", "COMPLAINT"],
        },
        {},
    ),
    keywords=("suppression list of a customer",),
)
def update_tenant_suppression(wanted: SuppressionChanges, aws: AwsClients) -> Done:
    """Choose whether a tenant has its own suppression list, and which events add recipients to it.
    Without both inputs, the account's settings apply again.
    """
    given = {"TenantName": wanted.tenant, **wanted.suppression}
    return read(Done, ask(aws, wanted.aws_region, "put_tenant_suppression_attributes", given))
