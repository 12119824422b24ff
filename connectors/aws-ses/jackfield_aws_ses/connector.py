"""The connector ``aws-ses``: its connection types, option sources and connection test, and the list
of its actions' modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from jackfield.connector import ConnectionType, Connector, OpenContext, Option, Step
from jackfield_aws import (
    ApiKeySecret,
    AwsAssumeRole,
    AwsClients,
    AwsDefault,
    AwsRolesAnywhere,
    regions_for,
)
from jackfield_aws_ses.account import account_steps
from jackfield_aws_ses.aliases import ALIASES
from jackfield_aws_ses.errors import explain
from jackfield_aws_ses.senders import senders
from jackfield_aws_ses.sending import Transport
from jackfield_aws_ses.smtp import Smtp

VERSION = "1.0.0"
_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23a3123f'/>"
    "<path d='M5 8h14v9H5zm0 0 7 5 7-5' fill='none' stroke='white' stroke-width='1.6'/></svg>"
)

_ACTIONS = {
    "send_email": ("sendEmail",),
    "templated": ("sendTemplatedEmail", "sendBulkEmail"),
    "raw": ("sendRawEmail",),
    "identities": ("listIdentities",),
    "verification": (
        "createIdentity",
        "getIdentity",
        "deleteIdentity",
        "waitUntilVerified",
        "setMailFrom",
        "listIdentitiesWithStatus",
    ),
    "account": ("getAccount", "getSendStatistics", "requestProductionAccess"),
    "metrics": ("getSendingMetrics",),
    "suppression": (
        "putSuppressedRecipient",
        "getSuppressedRecipient",
        "deleteSuppressedRecipient",
        "listSuppressedRecipients",
    ),
    "configuration_sets": (
        "createConfigurationSet",
        "getConfigurationSet",
        "updateConfigurationSet",
        "deleteConfigurationSet",
        "listConfigurationSets",
    ),
    "event_destinations": (
        "createEventDestination",
        "updateEventDestination",
        "deleteEventDestination",
        "listEventDestinations",
    ),
    "tenants": (
        "createTenant",
        "getTenant",
        "deleteTenant",
        "listTenants",
        "updateTenantSuppression",
    ),
    "tenant_resources": (
        "createTenantAssociation",
        "deleteTenantAssociation",
        "listTenantResources",
        "listResourceTenants",
    ),
    "tenant_standing": ("updateTenantSending", "updateTenantPolicy", "getTenantReputation"),
    "contact_lists": (
        "createContactList",
        "getContactList",
        "updateContactList",
        "deleteContactList",
        "listContactLists",
    ),
    "contacts": ("createContact", "getContact", "updateContact", "deleteContact", "listContacts"),
    "verification_mails": (
        "createCustomVerificationTemplate",
        "updateCustomVerificationTemplate",
        "getCustomVerificationTemplate",
        "deleteCustomVerificationTemplate",
        "listCustomVerificationTemplates",
        "sendCustomVerificationEmail",
    ),
    "doctor": ("doctor",),
    "cost": ("estimateCost",),
    "templates": (
        "createTemplate",
        "getTemplate",
        "updateTemplate",
        "deleteTemplate",
        "listTemplates",
        "renderTemplate",
    ),
    "events": ("setUpEvents", "tearDownEvents"),
    "set_up": ("setUpAccount",),
    "set_up_dns": ("setUpDns",),
}
"""Actions by the module of ``jackfield_aws_ses.actions`` that declares them, in the order of the
manifest.
"""


class SesKeySecret(ApiKeySecret):
    """Authenticates requests to AWS using an API Key and API Secret. The key's user needs the
    permissions of the connector's actions; for Amazon SES, read about its [IAM
    policies](https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html).
    """

    title: ClassVar[str] = "AWS SES Access Key and Secret"


connector = Connector(
    "aws-ses",
    title="Amazon SES",
    version=VERSION,
    description="Send Emails through Amazon (AWS) SES",
    connections=[AwsAssumeRole, SesKeySecret, AwsDefault, AwsRolesAnywhere, Smtp],
    explain=explain,
    icon=_ICON,
    categories=["email", "aws"],
    documentation_url="https://docs.aws.amazon.com/ses/latest/dg/Welcome.html",
    license="Apache-2.0",
    hosts=["*.amazonaws.com", "*.amazonaws.com.cn"],
    aliases=ALIASES,
    modules={f"{__package__}.actions.{name}": keys for name, keys in _ACTIONS.items()},
    trigger_modules={
        f"{__package__}.events.watching": ("mailEvents", "mailQueue"),
        f"{__package__}.events.receiving": ("mailReceived",),
        f"{__package__}.events.states": ("identityStatus", "accountStatus"),
        f"{__package__}.events.tenant_states": ("tenantStatus", "tenantFindings"),
    },
)


@connector.options("awsRegions", title="AWS Regions")
def aws_regions() -> Iterable[Option]:
    """The regions in which Amazon SES is available."""
    return [Option(code, f"{name} ({code})") for code, name in regions_for("ses")]


@connector.options("identities", title="Email Identities", depends_on=["awsRegion"])
def identities(client: AwsClients | Transport, inputs: Mapping[str, Any]) -> Iterable[Option]:
    """The identities of the account in the form's region, or the connection's, verified ones first:
    the first 1,000 of them. A domain is offered as '@example.com', to be completed.
    """
    # SMTP cannot list identities
    return senders(client, inputs.get("awsRegion")) if isinstance(client, AwsClients) else []


@connector.test(permissions={"aws:iam": ["ses:GetAccount"]})
def account(client: AwsClients | Transport, _context: OpenContext) -> Iterable[Step]:
    """Check the account's sending status, if the API is available; nothing is sent."""
    return account_steps(client) if isinstance(client, AwsClients) else ()


@connector.policy_documents
def alarms(documents: Mapping[str, Any], _connection: ConnectionType) -> Mapping[str, Any]:
    """Add CloudWatch alarms on bounces, complaints and rejects to the template and the module."""
    from jackfield_aws_ses.alarms import with_alarms

    return with_alarms(documents)
