"""Polled triggers about tenants' standing: paused tenants (``tenantStatus``), and Amazon SES's
findings (``tenantFindings``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from jackfield.connector import Detail, Field, InvalidInput, Item, Listed, NotFound, Output
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.errors import explain
from jackfield_aws_ses.events.pages import ask_page
from jackfield_aws_ses.provider import Watched, ask, iam

_PAGE, _PAGE_OF_FINDINGS = 1000, 100
"""Largest pages of ListTenants and ListRecommendations."""
_EVERY, _LEAST = 300, 60
_ARN = re.compile(r"arn:[^:]+:ses:[^:]*:[^:]*:tenant/([^/]+)(?:/([^/]+))?")
_PAUSED = {
    "tenant": "acme",
    "tenantId": "tn-0a1b2c3d4e5f60718293a4b5c6d7e8",
    "sendingStatus": "DISABLED",
}
_FINDING = {
    "tenant": "acme",
    "type": "BOUNCE",
    "impact": "HIGH",
    "description": "The bounce rate exceeded 15.0% of a representative volume.",
}


class TenantWatch(Watched):
    """Tenants of a region: all of them, or one."""

    tenant: str | None = Field(
        None,
        title="Tenant",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a tenant (1 to 64 letters, digits, '_' and '-')",
        description=(
            "Only this tenant; by default the connection's, or all if the connection has none."
        ),
    )

    def only(self, aws: AwsClients) -> str | None:
        """Return the tenant to watch; None for all.

        :raises InvalidInput: if the connection is limited to another tenant.
        """
        if aws.tenant is not None and self.tenant not in (None, aws.tenant):
            text = (
                "is not the connection's own, which nobody may replace: omit it, or use "
                "another connection"
            )
            raise InvalidInput("1 input is not valid", details=[Detail("/tenant", text, "const")])
        return aws.tenant or self.tenant


class PausedTenant(Output):
    """Tenant that may not send."""

    tenant: str = Field(description="Its name.")
    tenant_id: str | None = Field(None, alias="tenantId", description="Its ID.")
    sending_status: str = Field(alias="sendingStatus", description="DISABLED.")


@connector.diff_poll(
    "tenantStatus",
    item=PausedTenant,
    inputs=TenantWatch,
    every=_EVERY,
    least=_LEAST,
    types=("tenantPaused", "tenantUpdated", "tenantResumed"),
    permissions=iam("ListTenants", "GetTenant"),
    examples=[{"title": "A tenant is paused", "events": [{"id": "acme", "item": _PAUSED}]}],
)
def tenant_status(watch: TenantWatch, aws: AwsClients, after: str | None) -> Listed:
    """Report which tenants are paused, and which may send again or are deleted
    ('tenantResumed').
    """
    only = watch.only(aws)
    if only is not None:
        return Listed(
            [
                _paused(row)
                for row in _one(watch, only, aws)
                if row.get("SendingStatus") == "DISABLED"
            ]
        )
    asked = {"Filter": {"SENDING_STATUS": "DISABLED"}, "PageSize": _PAGE, "NextToken": after}
    found = ask_page(aws, watch.aws_region, "list_tenants", asked, "Tenants")
    return Listed([_paused(row) for row in found["Tenants"]], found.get("NextToken"))


def _one(watch: TenantWatch, tenant: str, aws: AwsClients) -> list[dict[str, Any]]:
    """Return the tenant in a list; an empty list if it does not exist, which counts as not
    paused.
    """
    try:
        return [
            ask(aws, watch.aws_region, "get_tenant", {"TenantName": tenant}, "Tenant")["Tenant"]
        ]
    except ClientError as error:
        if isinstance(explain(error, aws, None), NotFound):
            return []
        raise


def _paused(row: Mapping[str, Any]) -> Item:
    name = row["TenantName"]
    return Item(
        name,
        PausedTenant(
            tenant=name,
            tenant_id=row.get("TenantId"),
            sending_status=row.get("SendingStatus", "DISABLED"),
        ),
    )


class TenantFinding(Output):
    """Open finding about a tenant."""

    tenant: str = Field(description="Name of the tenant.")
    type: str = Field(description="BOUNCE, COMPLAINT, FEEDBACK_3P, IP_LISTING and others.")
    impact: str | None = Field(
        None,
        description="HIGH or LOW. The tenant's reputation policy says which of them pauses it.",
    )
    description: str | None = Field(None, description="What was found.")


@connector.diff_poll(
    "tenantFindings",
    item=TenantFinding,
    inputs=TenantWatch,
    every=_EVERY,
    least=_LEAST,
    types=("findingOpened", "findingUpdated", "findingResolved"),
    permissions=iam("ListRecommendations"),
    examples=[{"title": "Too many bounces", "events": [{"id": "acme/BOUNCE", "item": _FINDING}]}],
)
def tenant_findings(watch: TenantWatch, aws: AwsClients, after: str | None) -> Listed:
    """Report Amazon SES's findings about the mail of tenants (bounces, complaints, blocklists), and
    resolved findings.
    """
    only = watch.only(aws)
    asked = {"Filter": {"STATUS": "OPEN"}, "PageSize": _PAGE_OF_FINDINGS, "NextToken": after}
    found = ask_page(aws, watch.aws_region, "list_recommendations", asked, "Recommendations")
    rows = [
        (tenant, row)
        for row in found["Recommendations"]
        if (tenant := tenant_of(row.get("ResourceArn")))
    ]
    return Listed(
        [_finding(tenant, row) for tenant, row in rows if only in (None, tenant)],
        found.get("NextToken"),
    )


def tenant_of(arn: object) -> str | None:
    """Return the name of the tenant in an ARN; None if the ARN names no tenant."""
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    return None if found is None else found[1]


def _finding(tenant: str, row: Mapping[str, Any]) -> Item:
    kind = row.get("Type", "")
    finding = TenantFinding(
        tenant=tenant, type=kind, impact=row.get("Impact"), description=row.get("Description")
    )
    return Item(f"{tenant}/{kind}", finding)
