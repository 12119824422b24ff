"""The action ``doctor``: examine the setup for sending, and report each fault with its fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC

from jackfield.connector import JackfieldError, Rejected
from jackfield_aws import AwsClients
from jackfield_aws_ses.account import FALLBACK_REGION
from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.doctor.account import account_findings
from jackfield_aws_ses.doctor.domain import asked, dmarc_findings, spf_findings
from jackfield_aws_ses.doctor.findings import finding
from jackfield_aws_ses.doctor.identity import domain_of, is_verified, sender_findings
from jackfield_aws_ses.doctor.records import DnsUnavailable, Records, system_records
from jackfield_aws_ses.doctor.ses_account import Denied, SesAccount
from jackfield_aws_ses.doctor.smtp_host import smtp_findings
from jackfield_aws_ses.finding import Finding
from jackfield_aws_ses.smtp.client import SmtpClient

_SIMULATOR = "simulator.amazonses.com"


def examine(
    client: object,
    region: str | None,
    sender: str | None,
    recipient: str | None,
    records: Callable[[], Records] = system_records,
) -> list[Finding]:
    """Return the faults in a setup, the connection's first; empty if it is sound."""
    sender = parse_mailbox(sender).address if sender else None
    recipient = parse_mailbox(recipient).address if recipient else None
    if isinstance(client, AwsClients):
        return list(
            _over_api(
                client, region or client.region or FALLBACK_REGION, sender, recipient, records
            )
        )
    if isinstance(client, SmtpClient):
        return list(_over_smtp(client, region, sender, records))
    return []


def _over_api(
    aws: AwsClients,
    region: str,
    sender: str | None,
    recipient: str | None,
    records: Callable[[], Records],
) -> Iterator[Finding]:
    account = SesAccount(aws, region)
    if aws.lacks_external_id:
        yield finding("external_id_missing", "The connection has a role, and no External ID.")
    try:
        facts = account.account()
    except Denied as denied:
        yield _denied(denied)
        facts = None
    except Rejected as error:
        yield finding("endpoint_without_v2", error.message, region=region)
        return
    except JackfieldError as error:
        yield finding("account_unreadable", error.message, region=region)
        return
    if facts is not None:
        yield from account_findings(facts, region)
    if sender is not None:
        yield from _with_failure(_sender(aws, account, sender, records), region)
    if recipient is not None:
        in_sandbox = facts is not None and not facts.get("ProductionAccessEnabled")
        yield from _with_failure(_recipient(account, recipient, in_sandbox=in_sandbox), region)


def _sender(
    aws: AwsClients, account: SesAccount, sender: str, records: Callable[[], Records]
) -> Iterator[Finding]:
    try:
        dns = records()
    except DnsUnavailable as error:
        yield finding("dns_unreachable", error.reason, name=domain_of(sender))
        return
    yield from sender_findings(aws, account, sender, dns)


def _recipient(account: SesAccount, recipient: str, *, in_sandbox: bool) -> Iterator[Finding]:
    entry = account.suppressed(recipient)
    if entry is not None:
        about = entry.get("SuppressedDestination") or {}
        since = about.get("LastUpdateTime")
        shown = f"The reason is {about.get('Reason', 'not given')}" + (
            f", since {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}." if since else "."
        )
        yield finding("recipient_suppressed", shown, recipient=recipient, region=account.region)
    if in_sandbox and domain_of(recipient) != _SIMULATOR and not is_verified(account, recipient):
        yield finding(
            "recipient_not_verified",
            "GetEmailIdentity knows neither the address nor its domain as verified.",
            recipient=recipient,
            region=account.region,
        )


def _with_failure(findings: Iterable[Finding], region: str) -> Iterator[Finding]:
    """Yield the findings. If SES does not answer or a permission is missing, yield a finding about
    this, and no further findings.
    """
    try:
        yield from findings
    except Denied as denied:
        yield _denied(denied)
    except JackfieldError as error:
        yield finding("account_unreadable", error.message, region=region)


def _denied(denied: Denied) -> Finding:
    return finding(
        "permission_missing",
        denied.reason,
        operation=denied.operation,
        permission=f"ses:{denied.operation}",
    )


def _over_smtp(
    client: SmtpClient, region: str | None, sender: str | None, records: Callable[[], Records]
) -> Iterator[Finding]:
    yield from smtp_findings(client.server.hostname, client.server.port, region)
    if sender is None:
        return
    domain = domain_of(sender)
    try:
        dns = records()
    except DnsUnavailable as error:
        yield finding("dns_unreachable", error.reason, name=domain)
        return
    yield from asked(spf_findings(domain, dns))
    yield from asked(dmarc_findings(domain, dns))
