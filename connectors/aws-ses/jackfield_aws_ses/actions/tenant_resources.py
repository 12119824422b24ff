"""Associations of tenants with the resources that they send with: identities, configuration sets
and templates.
"""

from __future__ import annotations

from typing import Any, Literal

from jackfield.connector import Field
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.tenants import ONCE, TenantChosen
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.fields import tenant_field
from jackfield_aws_ses.provider import (
    Answer,
    Done,
    Moment,
    Paged,
    ask,
    iam,
    one_example,
    pages,
    read,
)

_IDENTITY = "arn:aws:ses:eu-west-1:123456789012:identity/example.com"
_PATTERN = (
    "^arn:aws[a-z-]*:ses:[a-z0-9-]+:[0-9]{12}:(identity|configuration-set|template)/[^\\s]{1,320}$"
)


def _resource_field() -> Any:
    return Field(
        title="Resource ARN",
        trim=True,
        schema={"pattern": _PATTERN},
        expects=f"the ARN of an identity, a configuration set or a template, such as {_IDENTITY}",
        description="The ARN of an identity, a configuration set or a template.",
    )


class Association(TenantChosen):
    """Resource of a tenant."""

    resource_arn: str = _resource_field()

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of the request."""
        return {"TenantName": self.tenant, "ResourceArn": self.resource_arn}


@connector.action(
    "createTenantAssociation",
    effect="idempotent",
    permissions=iam("CreateTenantResourceAssociation"),
    rate_limit=ONCE,
    repeat_ok=("conflict",),
    examples=one_example(
        "createTenantAssociation",
        "A domain to send from",
        {"tenant": "acme", "resourceArn": _IDENTITY},
        {},
    ),
    keywords=("give a customer a domain", "assign a domain", "associate an identity"),
)
def create_tenant_association(wanted: Association, aws: AwsClients) -> Done:
    """Let a tenant send with an identity, a configuration set or a template. Several tenants may
    share one.
    """
    return read(
        Done, ask(aws, wanted.aws_region, "create_tenant_resource_association", wanted.parameters)
    )


@connector.action(
    "deleteTenantAssociation",
    effect="idempotent",
    permissions=iam("DeleteTenantResourceAssociation"),
    rate_limit=ONCE,
    repeat_ok=("not_found",),
    examples=one_example(
        "deleteTenantAssociation",
        "A domain that moves",
        {"tenant": "acme", "resourceArn": _IDENTITY},
        {},
    ),
)
def delete_tenant_association(wanted: Association, aws: AwsClients) -> Done:
    """Remove an identity, a configuration set or a template from a tenant. The tenant's mail that
    uses it is refused from then on. The resource stays.
    """
    return read(
        Done, ask(aws, wanted.aws_region, "delete_tenant_resource_association", wanted.parameters)
    )


class ResourcesQuery(Paged):
    """Resources to list."""

    tenant: str = tenant_field("The name of the tenant.", ...)
    resource_type: Literal["EMAIL_IDENTITY", "CONFIGURATION_SET", "EMAIL_TEMPLATE"] | None = Field(
        None, title="Type", blank="absent", description="Only resources of this type."
    )


class TenantResource(Answer):
    """Resource of a tenant."""

    resource_type: str | None = Field(
        None, description="EMAIL_IDENTITY, CONFIGURATION_SET or EMAIL_TEMPLATE."
    )
    resource_arn: str = Field(description="Its ARN.")


class TenantResources(Answer):
    """Page of a tenant's resources, or all of them."""

    tenant_resources: tuple[TenantResource, ...] = Field(description="Resources.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listTenantResources",
    effect="read",
    permissions=iam("ListTenantResources"),
    pagination=pages("TenantResources"),
    rate_limit=ONCE,
    examples=one_example(
        "listTenantResources",
        "What a tenant sends with",
        {"tenant": "acme", "fetchAll": True},
        {"TenantResources": [{"ResourceType": "EMAIL_IDENTITY", "ResourceArn": _IDENTITY}]},
        complete=True,
    ),
)
def list_tenant_resources(query: ResourcesQuery, aws: AwsClients) -> TenantResources:
    """List the identities, configuration sets and templates that are associated with a tenant."""
    asked = {
        "TenantName": query.tenant,
        "Filter": {"RESOURCE_TYPE": query.resource_type} if query.resource_type else None,
        "NextToken": query.next_token,
        "PageSize": query.page_size,
    }
    return read(
        TenantResources,
        ask(aws, query.aws_region, "list_tenant_resources", asked, "TenantResources"),
    )


class UsersQuery(Paged):
    """Resource whose tenants to list."""

    resource_arn: str = _resource_field()


class ResourceTenant(Answer):
    """Tenant of a resource."""

    tenant_name: str = Field(description="Its name.")
    tenant_id: str | None = Field(None, description="Its ID.")
    resource_arn: str | None = Field(None, description="ARN of the resource.")
    associated_timestamp: Moment | None = Field(None, description="Time of the association.")


class ResourceTenants(Answer):
    """Page of a resource's tenants, or all of them."""

    resource_tenants: tuple[ResourceTenant, ...] = Field(description="Tenants.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listResourceTenants",
    effect="read",
    permissions=iam("ListResourceTenants"),
    pagination=pages("ResourceTenants"),
    rate_limit=ONCE,
    examples=one_example(
        "listResourceTenants",
        "Who sends from a domain",
        {"resourceArn": _IDENTITY, "fetchAll": True},
        {"ResourceTenants": [{"TenantName": "acme", "ResourceArn": _IDENTITY}]},
        complete=True,
    ),
)
def list_resource_tenants(query: UsersQuery, aws: AwsClients) -> ResourceTenants:
    """List the tenants with which an identity, a configuration set or a template is associated."""
    asked = {
        "ResourceArn": query.resource_arn,
        "NextToken": query.next_token,
        "PageSize": query.page_size,
    }
    return read(
        ResourceTenants,
        ask(aws, query.aws_region, "list_resource_tenants", asked, "ResourceTenants"),
    )
