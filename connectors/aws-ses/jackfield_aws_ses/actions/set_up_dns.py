"""DNS records of an identity as one plan: into Route 53 over the same connection; for other
providers, to copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.connector import Detail, Field, Rejected, Sent
from jackfield_aws import AwsClients
from jackfield_aws_ses.actions.verification import IdentityChosen
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.dns_records import DnsRecord, dkim_records, dmarc_record, mail_from_records
from jackfield_aws_ses.plans import Change, Plan, Plannable, carried_out
from jackfield_aws_ses.provider import ask, one_example

_TTL = 1800
_EXAMPLE = dmarc_record("example.com")
_OURS = {"MX": "feedback-smtp.", "TXT": "include:amazonses.com"}
"""Part of a value that makes a record of the MAIL FROM domain valid, even with further values."""


class DnsWanted(Plannable, IdentityChosen):
    """Domain whose records shall be published."""

    hosted_zone_id: str | None = Field(
        None,
        title="Hosted Zone",
        trim=True,
        blank="absent",
        schema={"pattern": "^[A-Z0-9]{1,32}$"},
        expects="the ID of a hosted zone",
        description=(
            "Hosted zone of Route 53; by default, the public one of the domain or of the "
            "next domain above it."
        ),
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the faults of the identity, of an address in place of a domain, and of giving both
        or neither of 'plan' and 'apply'.
        """
        yield from IdentityChosen.rules(self)
        if "@" in self.identity:
            yield Detail("/identity", "must be a domain: an address needs no DNS records")
        yield from Plannable.rules(self)


class DnsPlan(Plan):
    """Plan for the records of a domain."""

    hosted_zone_id: str | None = Field(
        None,
        alias="hostedZoneId",
        description="Hosted zone; missing if Route 53 has none of the domain.",
    )
    records: tuple[DnsRecord, ...] = Field(
        description="All records that the domain needs: copy them where Route 53 does not serve it."
    )
    kept: tuple[DnsRecord, ...] = Field(
        description=(
            "Records whose name has others of the type already, which stay: compare them by hand."
        )
    )


@connector.action(
    "setUpDns",
    effect="idempotent",
    permissions={
        "aws:iam": [
            "ses:GetEmailIdentity",
            "route53:ListHostedZonesByName",
            "route53:ListResourceRecordSets",
            "route53:ChangeResourceRecordSets",
        ]
    },
    examples=one_example(
        "setUpDns",
        "Records of a domain that is hosted elsewhere",
        {"identity": "example.com", "plan": True},
        {
            "digest": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
            "applied": False,
            "steps": [],
            "kept": [],
            "records": [_EXAMPLE.model_dump(by_alias=True)],
        },
    ),
    keywords=("dns records", "route 53", "publish dkim", "spf", "dmarc", "verify a domain"),
)
def set_up_dns(wanted: DnsWanted, aws: AwsClients) -> DnsPlan:
    """Plan the DNS records of a domain, DKIM, MAIL FROM and DMARC, and publish them in Route 53.
    Records of others stay. With 'plan', nothing is changed; with 'apply', exactly the plan with
    that digest is carried out.
    """
    answer = ask(
        aws,
        wanted.aws_region,
        "get_email_identity",
        {"EmailIdentity": wanted.name},
        "VerifiedForSendingStatus",
    )
    mail_from = (answer.get("MailFromAttributes") or {}).get("MailFromDomain")
    dkim = dkim_records(wanted.name, answer.get("DkimAttributes") or {})
    records = [
        *dkim,
        *(mail_from_records(mail_from, wanted.aws_region) if mail_from else ()),
        dmarc_record(wanted.name),
    ]
    zone = wanted.hosted_zone_id or _zone(aws, wanted)
    changes, kept = _compared(aws, wanted.aws_region, zone, records) if zone else ([], [])
    found = carried_out(
        wanted, "aws-global", changes, lambda: _publish(aws, wanted.aws_region, str(zone), changes)
    )
    return DnsPlan.model_validate({**found, "hostedZoneId": zone, "records": records, "kept": kept})


def _zone(aws: AwsClients, wanted: DnsWanted) -> str | None:
    """Return the ID of the public hosted zone of the domain or its nearest parent; None if there is
    no zone.

    :raises Rejected: if several zones have the same name.
    """
    labels = wanted.name.split(".")
    for name in (".".join(labels[start:]) for start in range(len(labels) - 1)):
        answer = ask(
            aws,
            wanted.aws_region,
            "list_hosted_zones_by_name",
            {"DNSName": name},
            "HostedZones",
            service="route53",
        )
        zones = [
            zone
            for zone in answer["HostedZones"]
            if zone["Name"].rstrip(".") == name and not zone.get("Config", {}).get("PrivateZone")
        ]
        if len(zones) > 1:
            hint = "Give the ID of the one that the domain's registrar names in 'hostedZoneId'."
            raise Rejected(
                f"Route 53 has {len(zones)} public hosted zones of {name}",
                hint=hint,
                sent=Sent.REFUSED,
            )
        if zones:
            return str(zones[0]["Id"]).rpartition("/")[2]
    return None


def _compared(
    aws: AwsClients, region: str, zone: str, records: Iterable[DnsRecord]
) -> tuple[list[Change], list[DnsRecord]]:
    """Return the changes that the zone needs, and the records that are not published because a
    different one of their name and type stays.
    """
    changes: list[Change] = []
    kept: list[DnsRecord] = []
    for record in records:
        known = _values(aws, region, zone, record)
        to = {"type": record.type, "value": record.value}
        if known is None:
            changes.append(Change("dnsRecord", record.name, "create", to))
        elif record.type == "CNAME" and known != [record.value]:
            changes.append(Change("dnsRecord", record.name, "update", to))
        elif not _is_good(record, known):
            kept.append(record)
    return changes, kept


def _values(aws: AwsClients, region: str, zone: str, record: DnsRecord) -> list[str] | None:
    asked = {
        "HostedZoneId": zone,
        "StartRecordName": record.name,
        "StartRecordType": record.type,
        "MaxItems": "1",
    }
    found = ask(
        aws, region, "list_resource_record_sets", asked, "ResourceRecordSets", service="route53"
    )["ResourceRecordSets"]
    for one in found:
        if (one["Name"].rstrip(".").lower(), one["Type"]) == (record.name.lower(), record.type):
            return [row["Value"].strip('"').rstrip(".") for row in one.get("ResourceRecords", ())]
    return None


def _is_good(record: DnsRecord, known: list[str]) -> bool:
    if record.value in known:
        return True
    part = "v=DMARC1" if record.name.startswith("_dmarc.") else _OURS.get(record.type, record.value)
    return any(part in value for value in known)


def _publish(aws: AwsClients, region: str, zone: str, changes: Iterable[Change]) -> None:
    """Publish all changes in one batch, which Route 53 carries out as a whole."""
    rows = [
        {
            "Action": "CREATE" if one.change == "create" else "UPSERT",
            "ResourceRecordSet": _row(one.name, one.to),
        }
        for one in changes
    ]
    if rows:
        asked: Mapping[str, Any] = {
            "HostedZoneId": zone,
            "ChangeBatch": {"Comment": "Amazon SES, by jackfield", "Changes": rows},
        }
        ask(aws, region, "change_resource_record_sets", asked, "ChangeInfo", service="route53")


def _row(name: str, to: Mapping[str, Any]) -> dict[str, Any]:
    value = f'"{to["value"]}"' if to["type"] == "TXT" else to["value"]
    return {"Name": name, "Type": to["type"], "TTL": _TTL, "ResourceRecords": [{"Value": value}]}
