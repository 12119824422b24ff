"""Findings about the account: sandbox, quota, enforcement, suppression list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield_aws_ses.doctor.findings import finding
from jackfield_aws_ses.finding import Finding

_UNLIMITED = -1
_NEARLY = 0.8


def account_findings(account: Mapping[str, Any], region: str) -> Iterator[Finding]:
    """Yield the findings in a response of GetAccount."""
    status = account.get("EnforcementStatus")
    if status == "SHUTDOWN":
        yield finding("account_shut_down", "EnforcementStatus is SHUTDOWN.", region=region)
    elif status == "PROBATION":
        yield finding("account_on_probation", "EnforcementStatus is PROBATION.", region=region)
    if status != "SHUTDOWN" and not account.get("SendingEnabled", True):
        yield finding("sending_paused", "SendingEnabled is false.", region=region)
    if not account.get("ProductionAccessEnabled"):
        yield finding("sandbox", "ProductionAccessEnabled is false.", region=region)
    yield from _quota_findings(account["SendQuota"], region)
    suppression = account.get("SuppressionAttributes")
    if suppression is not None and not suppression.get("SuppressedReasons"):
        yield finding(
            "suppression_off", "SuppressionAttributes.SuppressedReasons is empty.", region=region
        )


def _quota_findings(quota: Mapping[str, Any], region: str) -> Iterator[Finding]:
    limit, used = quota.get("Max24HourSend", _UNLIMITED), quota.get("SentLast24Hours", 0)
    if limit == _UNLIMITED:
        return
    shown = f"{used:,.0f} of {limit:,.0f} messages were sent in the last 24 hours."
    if used >= limit:
        yield finding("quota_used_up", shown, region=region)
    elif used >= _NEARLY * limit:
        yield finding("quota_nearly_used", shown, region=region, share=_NEARLY)
