"""Polled triggers for states that Amazon SES does not publish: verification of identities
(``identityStatus``) and the account's standing (``accountStatus``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import Field, Item, Listed, Output, Polled, Since, TriggerEvent
from jackfield_aws import AwsClients
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.events.pages import ask_page
from jackfield_aws_ses.provider import Watched, ask, iam

_PAGE = 1000
"""Largest page of ListEmailIdentities."""
_EVERY, _LEAST = 300, 60
_VERIFIED = {
    "identity": "shop.example.com",
    "type": "DOMAIN",
    "verificationStatus": "SUCCESS",
    "sendingEnabled": True,
}


class VerifiedIdentity(Output):
    """Identity that is verified."""

    identity: str = Field(description="The email address or the domain.")
    type: str | None = Field(None, description="EMAIL_ADDRESS, DOMAIN or MANAGED_DOMAIN.")
    verification_status: str = Field(
        alias="verificationStatus",
        description=(
            "SUCCESS, or TEMPORARY_FAILURE while SES does not find the DNS records any more "
            "but still lets it send."
        ),
    )
    sending_enabled: bool = Field(
        alias="sendingEnabled", description="True: the account may send from it."
    )


@connector.diff_poll(
    "identityStatus",
    item=VerifiedIdentity,
    inputs=Watched,
    every=_EVERY,
    least=_LEAST,
    types=("identityVerified", "identityUpdated", "identityUnverified"),
    permissions=iam("ListEmailIdentities"),
    examples=[
        {"title": "A domain is verified", "events": [{"id": "shop.example.com", "item": _VERIFIED}]}
    ],
)
def identity_status(watch: Watched, aws: AwsClients, after: str | None) -> Listed:
    """Report which addresses and domains of a region become verified, which lose their verification
    or are deleted ('identityUnverified'), and for which SES no longer finds DNS records
    ('identityUpdated', status TEMPORARY_FAILURE).
    """
    asked = {"PageSize": _PAGE, "NextToken": after}
    found = ask_page(aws, watch.aws_region, "list_email_identities", asked, "EmailIdentities")
    return Listed(
        [
            Item(row["IdentityName"], _identity(row))
            for row in found["EmailIdentities"]
            if _is_verified(row)
        ],
        found.get("NextToken"),
    )


def _is_verified(row: Mapping[str, Any]) -> bool:
    status = row.get("VerificationStatus", "SUCCESS")
    return status == "SUCCESS" or (
        status == "TEMPORARY_FAILURE" and bool(row.get("SendingEnabled"))
    )


def _identity(row: Mapping[str, Any]) -> VerifiedIdentity:
    return VerifiedIdentity(
        identity=row["IdentityName"],
        type=row.get("IdentityType"),
        verification_status=row.get("VerificationStatus", "SUCCESS"),
        sending_enabled=row.get("SendingEnabled", True),
    )


class AccountStatus(Output):
    """Standing of the account in a region, after a change of it."""

    sending_enabled: bool = Field(alias="sendingEnabled", description="False: sending is paused.")
    enforcement_status: str = Field(
        alias="enforcementStatus",
        description=(
            "HEALTHY, PROBATION (AWS reviews the account) or SHUTDOWN (AWS has stopped its "
            "sending)."
        ),
    )
    production_access_enabled: bool = Field(
        alias="productionAccessEnabled", description="False: the account is in the sandbox."
    )
    previous: Mapping[str, Any] = Field(
        description="Those of the members above that were another, as they were."
    )


_STATUS = {
    "sendingEnabled": True,
    "enforcementStatus": "PROBATION",
    "productionAccessEnabled": True,
}


@connector.poll(
    "accountStatus",
    inputs=Watched,
    event=AccountStatus,
    every=_EVERY,
    least=_LEAST,
    types=("sendingPaused", "sendingResumed", "reputationChanged", "productionAccessChanged"),
    permissions=iam("GetAccount"),
    examples=[
        {
            "title": "AWS reviews the account",
            "events": [{**_STATUS, "previous": {"enforcementStatus": "HEALTHY"}}],
        }
    ],
)
def account_status(watch: Watched, aws: AwsClients, since: Since) -> Polled:
    """Report when sending of the account in a region is paused or resumed, when AWS changes its
    judgement of the account's reputation ('enforcementStatus'), and when it leaves the sandbox.
    """
    found = ask(aws, watch.aws_region, "get_account", {}, "SendQuota")
    now = {
        "sendingEnabled": bool(found.get("SendingEnabled", True)),
        "enforcementStatus": found.get("EnforcementStatus") or "HEALTHY",
        "productionAccessEnabled": bool(found.get("ProductionAccessEnabled")),
    }
    before, changed_at = since.mark.get("status", now), since.mark.get("changedAt", since.now)
    if before == now:
        return Polled((), {"status": now, "changedAt": changed_at})
    previous = {name: value for name, value in before.items() if value != now.get(name)}
    event = AccountStatus.model_validate({**now, "previous": previous})
    events = [TriggerEvent(event, f"{kind}:{changed_at}", kind) for kind in _kinds(previous)]
    return Polled(events, {"status": now, "changedAt": since.now})


def _kinds(previous: Mapping[str, Any]) -> Iterator[str]:
    """Yield the types of the events for a change of the account since ``previous``."""
    if "sendingEnabled" in previous:
        yield "sendingPaused" if previous["sendingEnabled"] else "sendingResumed"
    if "enforcementStatus" in previous:
        yield "reputationChanged"
    if "productionAccessEnabled" in previous:
        yield "productionAccessChanged"
