"""Pace of sends: the account's own rate and daily quota, as ``GetAccount`` states them. Amazon SES
counts recipients, not messages.
"""

from __future__ import annotations

from typing import Any

from jackfield.connector import Budget, Limits, Warmup
from jackfield_aws import AwsClients
from jackfield_aws_ses.inputs import Email


def _account(inputs: Any, client: Any) -> str | None:
    """Return the account and region to which a send counts; both APIs and SMTP share it.

    It also creates the API's client, which takes half a second in a new process: later, that would
    make the call miss its slot.
    """
    if isinstance(client, AwsClients):
        client.client("sesv2", inputs.aws_region, validates=False)
        return client.account("sesv2", inputs.aws_region)
    return getattr(client, "account", None) or None


def _limits(client: Any) -> Limits | None:
    """Read the rate and the quota; None over SMTP, which cannot read them."""
    if not isinstance(client, AwsClients):
        return None
    quota = client.client("sesv2", validates=False).get_account()["SendQuota"]
    per_day, per_second = quota.get("Max24HourSend", -1), quota.get("MaxSendRate")
    return Limits(
        per_second=per_second if per_second and per_second > 0 else None,
        per_day=per_day if per_day >= 0 else None,  # -1 means unlimited
        used=quota.get("SentLast24Hours", 0.0),
    )


def recipients(email: Email) -> float:
    """Return the number of recipients of a message."""
    composed = email.composed
    return float(len(composed.message.to) + len(composed.message.cc) + len(composed.bcc))


def _warmup(client: Any) -> Warmup | None:
    found: Warmup | None = getattr(client, "warmup", None)
    return found


SENDING = Budget("sending", _account, _limits, _warmup)
"""Budget of all sends. A bulk send declares its own ``cost``."""
