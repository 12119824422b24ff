"""Findings about the sender's identity: verified here, elsewhere or nowhere; DKIM, MAIL FROM and
feedback.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jackfield.connector import JackfieldError
from jackfield_aws import AwsClients, partition_of, regions_for
from jackfield_aws_ses.doctor.domain import (
    asked,
    dkim_findings,
    dmarc_findings,
    mail_from_findings,
    parents,
    spf_findings,
)
from jackfield_aws_ses.doctor.findings import finding
from jackfield_aws_ses.doctor.records import Records
from jackfield_aws_ses.doctor.ses_account import Denied, SesAccount
from jackfield_aws_ses.finding import Finding

_AT_ONCE = 8
"""Number of regions queried in parallel."""


def domain_of(address: str) -> str:
    """Return the domain of an address, or a given domain, in lower case."""
    return address.rpartition("@")[2].lower()


def is_verified(account: SesAccount, address: str) -> bool:
    """Return whether an address, its domain or a domain above it is verified for sending. Raises as
    ``SesAccount.identity`` does.
    """
    return any(found.get("VerifiedForSendingStatus") for _, found in _identities(account, address))


def sender_findings(
    aws: AwsClients, account: SesAccount, sender: str, records: Records
) -> Iterator[Finding]:
    """Yield findings about the identities that cover a sender, and about its domain's DNS records.

    :raises Denied: if the credentials may not read identities.
    """
    identities = _identities(account, sender)
    about = {"sender": sender, "region": account.region}
    if not identities:
        elsewhere = _verified_regions(aws, account.region, sender)
        if elsewhere:
            yield finding(
                "sender_in_other_region", f"It is verified in {', '.join(elsewhere)}.", **about
            )
        else:
            yield finding(
                "sender_not_verified",
                "GetEmailIdentity knows neither the address nor its domain.",
                **about,
            )
        return
    if not any(found.get("VerifiedForSendingStatus") for _, found in identities):
        name, found = identities[0]
        status = str(found.get("VerificationStatus") or "PENDING")
        code = "sender_failed" if status in {"FAILED", "TEMPORARY_FAILURE"} else "sender_pending"
        yield finding(
            code, f"VerificationStatus of {name} is {status}.", identity=name, region=account.region
        )
    yield from _authentication(account, sender, identities, records)


def _authentication(
    account: SesAccount,
    sender: str,
    identities: list[tuple[str, Mapping[str, Any]]],
    records: Records,
) -> Iterator[Finding]:
    domain = domain_of(sender)
    of_domain = [(name, found) for name, found in identities if "@" not in name]
    if not of_domain:
        yield finding(
            "address_only",
            f"GetEmailIdentity knows {identities[0][0]}, but not {domain}.",
            sender=sender,
            domain=domain,
        )
    name, found = identities[0]
    for owner, attributes in of_domain[:1]:
        yield from asked(dkim_findings(owner, attributes.get("DkimAttributes") or {}, records))
    mail_from = found.get("MailFromAttributes") or {}
    yield from asked(mail_from_findings(mail_from, account.region, records))
    if not mail_from.get("MailFromDomain"):
        yield from asked(spf_findings(domain, records))
    yield from asked(dmarc_findings(domain, records))
    if found.get("FeedbackForwardingStatus") is False and not found.get("ConfigurationSetName"):
        yield finding(
            "feedback_off",
            "FeedbackForwardingStatus is false, and ConfigurationSetName is not set.",
            identity=name,
        )


def _identities(account: SesAccount, address: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the identities that cover an address, the most specific one first, in SES's order of
    choice.
    """
    names = ([address] if "@" in address else []) + list(parents(domain_of(address)))
    return [(name, found) for name in names if (found := account.identity(name)) is not None]


def _verified_regions(aws: AwsClients, here: str, sender: str) -> list[str]:
    """Return the partition's other regions in which the sender is verified, without regions that
    cannot be read.
    """
    others = [
        code
        for code, _ in regions_for("ses")
        if code != here and partition_of(code) == partition_of(here)
    ]

    def verified(region: str) -> bool:
        try:
            return is_verified(SesAccount(aws, region), sender)
        except (Denied, JackfieldError):
            # a region that the account has not enabled refuses its credentials
            return False

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # each thread needs the deadline of this call
        found = [
            (region, pool.submit(contextvars.copy_context().run, verified, region))
            for region in others
        ]
    return [region for region, answer in found if answer.result()]
