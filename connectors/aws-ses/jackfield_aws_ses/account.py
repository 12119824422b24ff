"""SES account in a connection test: its quota, and whether it is in the sandbox."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import Forbidden, JackfieldError, Step, Unauthenticated
from jackfield.kernel.dataclass import replace
from jackfield_aws import AwsClients
from jackfield_aws_ses.errors import explain

FALLBACK_REGION = "us-east-1"
"""Region of the test if the connection names none."""
_UNLIMITED = -1
_LACKING = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
_QUOTA = "Read the sending quota"
_UNREADABLE = "Allow ses:GetAccount to see quota and sandbox here; sending works without it."
_HEALTHY = "HEALTHY"
_SANDBOX = (
    "In the sandbox, SES delivers only to verified recipients and to its mailbox simulator "
    "(success@simulator.amazonses.com, "
    "bounce@simulator.amazonses.com). Request production access in {region}: SES console > "
    "Account dashboard > Request production access, "
    "or the action 'requestProductionAccess'. AWS requires the mail type, the website and the use "
    "case."
)
_ENFORCEMENT = {
    "PROBATION": "AWS is reviewing the account because of bounces or complaints and may stop its "
    "sending: find the cause with "
    "'getSendStatistics', remove bounced addresses, and answer the case in AWS Support.",
    "SHUTDOWN": (
        "AWS has stopped this account's sending: answer the case in AWS Support. Nothing can "
        "be sent until AWS lifts it."
    ),
}


def account_steps(aws: AwsClients) -> Iterator[Step]:
    """Read the account through ``GetAccount`` and yield the test's steps.

    A missing permission is no failure, since sending does not need it. Unknown credentials, and a
    server that is not AWS, are failures. An endpoint in the connection may be another service's
    (MinIO), or an emulator's without this operation.
    """
    region = aws.region or FALLBACK_REGION
    try:
        account = aws.client("sesv2", region).get_account()
    except (ClientError, BotoCoreError, OSError) as error:
        yield _unread(error, aws, region)
        return
    quota = account.get("SendQuota")
    if not isinstance(quota, dict):
        text = (
            f"The service that answered in {region} is not Amazon SES: its response has no "
            "sending quota."
        )
        yield Step("quota", _QUOTA, passed=False, message=text, hint="Check the endpoint.")
        return
    yield Step("quota", _QUOTA, passed=True, message=_quota(quota, region), mandatory=False)
    in_production = bool(account.get("ProductionAccessEnabled"))
    yield Step(
        "sandbox",
        "Production access",
        passed=in_production,
        mandatory=False,
        message=f"The account has production access in {region}."
        if in_production
        else f"The account is in the sandbox in {region}.",
        hint=None if in_production else _SANDBOX.format(region=region),
    )
    enforcement = account.get("EnforcementStatus") or _HEALTHY
    if enforcement != _HEALTHY:
        yield Step(
            "enforcement",
            "Standing of the account",
            passed=False,
            mandatory=False,
            message=f"The account's enforcement status in {region} is {enforcement}.",
            hint=_ENFORCEMENT.get(
                enforcement, "See the account's status in the SES console (Account dashboard)."
            ),
        )
    enabled = bool(account.get("SendingEnabled", True))
    yield Step(
        "sending",
        "Sending is enabled",
        passed=enabled,
        mandatory=False,
        message=f"The account may send in {region}."
        if enabled
        else f"Sending is paused in {region}.",
        hint=None if enabled else "See the account's status in the SES console.",
    )


def _quota(quota: dict[str, Any], region: str) -> str:
    limit = quota.get("Max24HourSend", 0)
    used, rate = quota.get("SentLast24Hours", 0), quota.get("MaxSendRate", 0)
    allowed = "without a limit" if limit == _UNLIMITED else f"{used:,.0f} of {limit:,.0f}"
    return f"Sent in the last 24 hours in {region}: {allowed}; at most {rate:g} per second."


def _ends_it(error: JackfieldError | None, aws: AwsClients) -> bool:
    """Return whether sending would fail, too. Errors with an AWS code, and server errors, may
    concern ``GetAccount`` alone.
    """
    if error is None or isinstance(error, Unauthenticated) or error.provider is None:
        return True
    if aws.names_endpoint and error.provider.http_status in _LACKING:
        return False
    return (
        not error.provider.code
        and (error.provider.http_status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _unread(error: Exception, aws: AwsClients, region: str) -> Step:
    found = explain(error, aws, None)
    said = found.message if found is not None else f"an unexpected {type(error).__name__}"
    text = f"The SES account in {region} could not be read: {said}"
    if found is None:
        return Step("quota", _QUOTA, passed=False, message=text)
    step = Step.failed("quota", _QUOTA, found, message=text, mandatory=_ends_it(found, aws))
    return replace(step, hint=_UNREADABLE) if isinstance(found, Forbidden) else step
