"""Findings in DNS: DKIM, MAIL FROM, SPF and DMARC of a sender's domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield_aws_ses.dns_records import SPF, dkim_records, dmarc_record, mail_from_records
from jackfield_aws_ses.doctor.findings import finding
from jackfield_aws_ses.doctor.records import DnsUnavailable, Records
from jackfield_aws_ses.finding import Finding

_INCLUDE = "include:amazonses.com"


def parents(domain: str) -> tuple[str, ...]:
    """Return a domain and its parents with at least two labels, nearest first."""
    labels = domain.split(".")
    return tuple(".".join(labels[start:]) for start in range(max(1, len(labels) - 1)))


def dkim_findings(
    identity: str, attributes: Mapping[str, Any], records: Records
) -> Iterator[Finding]:
    """Compare the DKIM records in DNS with the tokens of an identity (GetEmailIdentity,
    ``DkimAttributes``).
    """
    if not attributes.get("SigningEnabled"):
        yield finding("dkim_off", "DkimAttributes.SigningEnabled is false.", identity=identity)
        return
    status = str(attributes.get("Status", ""))
    if status in {"FAILED", "TEMPORARY_FAILURE"}:
        yield finding("dkim_failed", f"DkimAttributes.Status is {status}.", identity=identity)
    elif status in {"PENDING", "NOT_STARTED"}:
        yield finding("dkim_pending", f"DkimAttributes.Status is {status}.", identity=identity)
    for wanted in dkim_records(identity, attributes):
        found = records.cname(wanted.name)
        record = f"the CNAME record {wanted.name} with the value {wanted.value}"
        if found is None:
            yield finding(
                "dkim_record_missing",
                f"DNS has no CNAME record {wanted.name}.",
                identity=identity,
                record=record,
            )
        elif found != wanted.value.lower():
            yield finding(
                "dkim_record_wrong",
                f"DNS has {wanted.name} with the value {found}.",
                identity=identity,
                record=record,
            )


def mail_from_findings(
    attributes: Mapping[str, Any], region: str, records: Records
) -> Iterator[Finding]:
    """Check the records of a custom MAIL FROM domain (GetEmailIdentity, ``MailFromAttributes``)."""
    mail_from = str(attributes.get("MailFromDomain") or "")
    if not mail_from:
        return
    about = {"mail_from": mail_from, "region": region}
    status = attributes.get("MailFromDomainStatus")
    if status != "SUCCESS":
        yield finding(
            "mail_from_pending", f"MailFromAttributes.MailFromDomainStatus is {status}.", **about
        )
    wanted, _ = mail_from_records(mail_from, region)
    record = f"the MX record {mail_from} with the value '{wanted.value}'"
    hosts = records.mx(mail_from)
    if not hosts:
        yield finding(
            "mail_from_mx_missing", f"DNS has no MX record {mail_from}.", record=record, **about
        )
    elif hosts != (wanted.value.partition(" ")[2],):
        yield finding(
            "mail_from_mx_wrong",
            f"DNS has {_quoted_list(hosts)} as MX of {mail_from}.",
            record=record,
            **about,
        )
    yield from spf_findings(mail_from, records, missing="mail_from_spf_missing")


def spf_findings(domain: str, records: Records, missing: str = "spf_missing") -> Iterator[Finding]:
    """Check the SPF record of a sender's domain (RFC 7208). ``missing`` is the code of the finding
    for a missing record, which differs for a MAIL FROM domain.
    """
    spf = _spf(records.txt(domain))
    if len(spf) > 1:
        yield finding("spf_several", f"DNS has {_quoted_list(spf)} at {domain}.", domain=domain)
    elif not spf or _INCLUDE not in spf[0]:
        shown = (
            f"DNS has {_quoted_list(spf)} at {domain}."
            if spf
            else f"DNS has no SPF record at {domain}."
        )
        yield finding(
            missing,
            shown,
            domain=domain,
            mail_from=domain,
            record=f'the TXT record {domain} with the value "{SPF}"',
        )


def dmarc_findings(domain: str, records: Records) -> Iterator[Finding]:
    """Check the DMARC record of a domain; a parent's record covers its subdomains."""
    wanted = dmarc_record(domain)
    record = f'the TXT record {wanted.name} with the value "{wanted.value}"'
    for name in parents(domain):
        found = tuple(
            text for text in records.txt(f"_dmarc.{name}") if text.lower().startswith("v=dmarc1")
        )
        if not found:
            continue
        if len(found) > 1 or not _has_policy(found[0]):
            yield finding(
                "dmarc_wrong",
                f"DNS has {_quoted_list(found)} at _dmarc.{name}.",
                domain=name,
                record=record,
            )
        return
    yield finding(
        "dmarc_missing",
        f"DNS has no TXT record {wanted.name} that begins with v=DMARC1.",
        domain=domain,
        record=record,
    )


def asked(check: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings of ``check``. If DNS does not answer, yield one finding that says so in
    place of the remaining findings.
    """
    try:
        yield from check
    except DnsUnavailable as error:
        yield finding("dns_unreachable", error.reason, name=error.name)


def _spf(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if text.lower().split(" ", 1)[0] == "v=spf1")


def _has_policy(text: str) -> bool:
    tags = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
    return tags.get("p", "").strip().lower() in {"none", "quarantine", "reject"}


def _quoted_list(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
