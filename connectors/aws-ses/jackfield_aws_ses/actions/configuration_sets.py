"""Configuration sets: rules that apply to the messages that name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from jackfield.connector import Detail, Field, RateLimit
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
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

Switch = Literal["ENABLED", "DISABLED"]
_ONCE = RateLimit(per_second=1)


class SetChosen(Regional):
    """Configuration set in a region."""

    configuration_set_name: str = Field(
        title="Configuration Set",
        trim=True,
        schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        expects="the name of a configuration set (letters, digits, '_' and '-')",
        description="The name of the configuration set.",
    )


class SetOptions(SetChosen):
    """Options of a configuration set. Omitted options stay unchanged, or have the default of Amazon
    SES in a new set.
    """

    sending_enabled: bool | None = Field(
        None, title="Sending", description="False: messages with this set are not sent."
    )
    reputation_metrics_enabled: bool | None = Field(
        None,
        title="Reputation Metrics",
        description="True: bounce and complaint rates of this set are published to CloudWatch.",
    )
    tls_policy: Literal["REQUIRE", "OPTIONAL"] | None = Field(
        None,
        title="TLS Policy",
        blank="absent",
        description="REQUIRE delivers only to servers that support TLS.",
    )
    sending_pool_name: str | None = Field(
        None,
        title="IP Pool",
        trim=True,
        blank="absent",
        description="The pool of dedicated IP addresses to send from.",
    )
    max_delivery_seconds: int | None = Field(
        None,
        title="Delivery Time",
        schema={"minimum": 300, "maximum": 50400},
        description="Seconds for which delivery is attempted, 300 to 50,400.",
    )
    tracking_domain: str | None = Field(
        None,
        title="Tracking Domain",
        trim=True,
        lowercase=True,
        blank="absent",
        schema={"maxLength": 253},
        description="The domain in the links that track opens and clicks.",
    )
    tracking_https_policy: Literal["REQUIRE", "REQUIRE_OPEN_ONLY", "OPTIONAL"] | None = Field(
        None,
        title="HTTPS for Tracking",
        blank="absent",
        description="Whether tracking links use HTTPS; needs a tracking domain.",
    )
    suppressed_reasons: tuple[Literal["BOUNCE", "COMPLAINT"], ...] | None = Field(
        None,
        title="Suppressed Reasons",
        schema={"uniqueItems": True},
        description=(
            "Reasons for which addresses are put on the suppression list; an empty list "
            "turns suppression off for this set."
        ),
    )
    engagement_metrics: Switch | None = Field(
        None,
        title="Engagement Metrics",
        blank="absent",
        description="Opens and clicks in Virtual Deliverability Manager's dashboard.",
    )
    optimized_shared_delivery: Switch | None = Field(
        None,
        title="Optimized Shared Delivery",
        blank="absent",
        description="Virtual Deliverability Manager chooses the IP address.",
    )

    def sections(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the operation that changes each section of options, and the section's members,
        without empty ones.
        """
        tracking = {
            "CustomRedirectDomain": self.tracking_domain,
            "HttpsPolicy": self.tracking_https_policy,
        }
        delivery = {
            "TlsPolicy": self.tls_policy,
            "SendingPoolName": self.sending_pool_name,
            "MaxDeliverySeconds": self.max_delivery_seconds,
        }
        reasons = self.suppressed_reasons
        vdm = {
            "DashboardOptions": filled({"EngagementMetrics": self.engagement_metrics}) or None,
            "GuardianOptions": filled({"OptimizedSharedDelivery": self.optimized_shared_delivery})
            or None,
        }
        found: dict[str, dict[str, Any]] = {
            "Tracking": tracking,
            "Delivery": delivery,
            "Reputation": {"ReputationMetricsEnabled": self.reputation_metrics_enabled},
            "Sending": {"SendingEnabled": self.sending_enabled},
            "Suppression": {"SuppressedReasons": None if reasons is None else list(reasons)},
            "Vdm": vdm,
        }
        for name, members in found.items():
            if given := filled(members):
                yield name, given


class SetChanges(SetOptions):
    """Options of a configuration set to change. Omitted options stay unchanged."""

    def rules(self) -> Iterator[Detail]:
        """Yield the fault of inputs without any option."""
        if not any(self.sections()):
            yield Detail(
                "/sendingEnabled", "give at least one option to change, such as 'sendingEnabled'"
            )


_TRACKING = {"dependentRequired": {"trackingHttpsPolicy": ["trackingDomain"]}}


@connector.action(
    "createConfigurationSet",
    effect="write",
    marker=BY_AGENT,
    evidence=logged("CreateConfigurationSet"),
    permissions=iam("CreateConfigurationSet"),
    rate_limit=_ONCE,
    schema=_TRACKING,
    examples=one_example(
        "createConfigurationSet",
        "TLS only",
        {
            "configurationSetName": "receipts",
            "tlsPolicy": "REQUIRE",
            "reputationMetricsEnabled": True,
        },
        {},
    ),
)
def create_configuration_set(wanted: SetOptions, aws: AwsClients) -> Done:
    """Create a configuration set."""
    options = {f"{name}Options": members for name, members in wanted.sections()}
    parameters = {"ConfigurationSetName": wanted.configuration_set_name, **options}
    return read(Done, ask(aws, wanted.aws_region, "create_configuration_set", parameters))


class TrackingOptions(Answer):
    """Tracking of opens and clicks."""

    custom_redirect_domain: str | None = Field(None, description="Domain of the tracking links.")
    https_policy: str | None = Field(None, description="REQUIRE, REQUIRE_OPEN_ONLY or OPTIONAL.")


class DeliveryOptions(Answer):
    """Delivery."""

    tls_policy: str | None = Field(None, description="REQUIRE or OPTIONAL.")
    sending_pool_name: str | None = Field(None, description="Pool of dedicated IP addresses.")
    max_delivery_seconds: int | None = Field(
        None, description="Seconds for which delivery is attempted."
    )


class ReputationOptions(Answer):
    """Reputation metrics."""

    reputation_metrics_enabled: bool | None = Field(
        None, description="True: rates are published to CloudWatch."
    )
    last_fresh_start: Moment | None = Field(
        None, description="Time of the last reset of the rates."
    )


class SendingOptions(Answer):
    """Sending."""

    sending_enabled: bool | None = Field(
        None, description="False: messages with this set are not sent."
    )


class SuppressionOptions(Answer):
    """Suppression."""

    suppressed_reasons: tuple[str, ...] | None = Field(None, description="BOUNCE, COMPLAINT.")
    suppression_scope: str | None = Field(None, description="ACCOUNT or TENANT.")


class DashboardOptions(Answer):
    """Virtual Deliverability Manager's dashboard."""

    engagement_metrics: str | None = Field(None, description="ENABLED or DISABLED.")


class GuardianOptions(Answer):
    """Virtual Deliverability Manager's guardian."""

    optimized_shared_delivery: str | None = Field(None, description="ENABLED or DISABLED.")


class VdmOptions(Answer):
    """Virtual Deliverability Manager."""

    dashboard_options: DashboardOptions | None = Field(None, description="Its dashboard.")
    guardian_options: GuardianOptions | None = Field(None, description="Its guardian.")


class ConfigurationSet(Answer):
    """Configuration set."""

    configuration_set_name: str = Field(description="Its name.")
    tracking_options: TrackingOptions | None = Field(
        None, description="Tracking of opens and clicks."
    )
    delivery_options: DeliveryOptions | None = Field(None, description="Delivery.")
    reputation_options: ReputationOptions | None = Field(None, description="Reputation metrics.")
    sending_options: SendingOptions | None = Field(None, description="Sending.")
    suppression_options: SuppressionOptions | None = Field(None, description="Suppression.")
    vdm_options: VdmOptions | None = Field(None, description="Virtual Deliverability Manager.")


@connector.action(
    "getConfigurationSet",
    effect="read",
    permissions=iam("GetConfigurationSet"),
    rate_limit=_ONCE,
    examples=one_example(
        "getConfigurationSet",
        "One set",
        {"configurationSetName": "receipts"},
        {
            "ConfigurationSetName": "receipts",
            "DeliveryOptions": {"TlsPolicy": "REQUIRE"},
            "SendingOptions": {"SendingEnabled": True},
        },
    ),
)
def get_configuration_set(chosen: SetChosen, aws: AwsClients) -> ConfigurationSet:
    """Read a configuration set."""
    parameters = {"ConfigurationSetName": chosen.configuration_set_name}
    return read(
        ConfigurationSet,
        ask(aws, chosen.aws_region, "get_configuration_set", parameters, "ConfigurationSetName"),
    )


@connector.action(
    "updateConfigurationSet",
    effect="idempotent",
    permissions=iam(
        "PutConfigurationSetTrackingOptions",
        "PutConfigurationSetDeliveryOptions",
        "PutConfigurationSetReputationOptions",
        "PutConfigurationSetSendingOptions",
        "PutConfigurationSetSuppressionOptions",
        "PutConfigurationSetVdmOptions",
    ),
    schema=_TRACKING,
    examples=one_example(
        "updateConfigurationSet",
        "Pause a set",
        {"configurationSetName": "receipts", "sendingEnabled": False},
        {},
    ),
)
def update_configuration_set(wanted: SetChanges, aws: AwsClients) -> Done:
    """Change options of a configuration set, with one request per section (tracking, delivery,
    reputation, sending, suppression, VDM).
    """
    for name, members in wanted.sections():
        given: Mapping[str, Any] = {"VdmOptions": members} if name == "Vdm" else members
        parameters = {"ConfigurationSetName": wanted.configuration_set_name, **given}
        ask(aws, wanted.aws_region, f"put_configuration_set_{name.lower()}_options", parameters)
    return Done()


@connector.action(
    "deleteConfigurationSet",
    effect="idempotent",
    permissions=iam("DeleteConfigurationSet"),
    rate_limit=_ONCE,
    repeat_ok=("not_found",),
    examples=one_example(
        "deleteConfigurationSet", "One set", {"configurationSetName": "receipts"}, {}
    ),
)
def delete_configuration_set(chosen: SetChosen, aws: AwsClients) -> Done:
    """Delete a configuration set and its event destinations."""
    return read(
        Done,
        ask(
            aws,
            chosen.aws_region,
            "delete_configuration_set",
            {"ConfigurationSetName": chosen.configuration_set_name},
        ),
    )


class SetsQuery(Paged):
    """Configuration sets to list."""


class ConfigurationSets(Answer):
    """Page of names of configuration sets, or all of them."""

    configuration_sets: tuple[str, ...] = Field(description="Names.")
    next_token: str | None = Field(
        None,
        description="Set if there are more pages: pass it as 'Next Token' to read the next one.",
    )


@connector.action(
    "listConfigurationSets",
    effect="read",
    permissions=iam("ListConfigurationSets"),
    pagination=pages("ConfigurationSets"),
    rate_limit=_ONCE,
    examples=one_example(
        "listConfigurationSets",
        "All sets",
        {"fetchAll": True},
        {"ConfigurationSets": ["newsletter", "receipts"]},
        complete=True,
    ),
)
def list_configuration_sets(query: SetsQuery, aws: AwsClients) -> ConfigurationSets:
    """List the names of the configuration sets."""
    asked = {"NextToken": query.next_token, "PageSize": query.page_size}
    return read(
        ConfigurationSets,
        ask(aws, query.aws_region, "list_configuration_sets", asked, "ConfigurationSets"),
    )
