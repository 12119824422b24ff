"""The doctor: each planted fault of a setup is found by name with its cure, and nothing is found in
a sound one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dns.nameserver import Do53Nameserver
from dns.resolver import Resolver

from dns_server import DnsServer
from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.cli.main import main
from jackfield_aws_ses.doctor import KINDS, Records, examine
from jackfield_aws_ses.doctor.records import DnsUnavailable, system_records
from jackfield_aws_ses.smtp.client import SmtpClient
from jackfield_aws_ses.smtp.server import Server
from jackfield_aws_ses_simulator.aws.refusals import missing

REGION = "eu-west-1"
SENDER = "Shop <orders@example.com>"
RECIPIENT = "ada@example.org"
KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region": REGION,
}
ACCOUNT: dict[str, Any] = {
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 120.0},
    "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
}
TOKENS = ("aaa1", "bbb2", "ccc3")
IDENTITY: dict[str, Any] = {
    "IdentityType": "DOMAIN",
    "VerificationStatus": "SUCCESS",
    "VerifiedForSendingStatus": True,
    "FeedbackForwardingStatus": True,
    "DkimAttributes": {
        "SigningEnabled": True,
        "Status": "SUCCESS",
        "Tokens": list(TOKENS),
        "SigningAttributesOrigin": "AWS_SES",
    },
    "MailFromAttributes": {
        "MailFromDomain": "bounce.example.com",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    },
}
SPF = ('"v=spf1 include:amazonses.com ~all"',)
RECORDS: dict[tuple[str, str], tuple[str, ...]] = {
    **{
        (f"{token}._domainkey.example.com", "CNAME"): (f"{token}.dkim.amazonses.com.",)
        for token in TOKENS
    },
    ("bounce.example.com", "MX"): (f"10 feedback-smtp.{REGION}.amazonses.com.",),
    ("bounce.example.com", "TXT"): SPF,
    ("example.com", "TXT"): SPF,
    ("_dmarc.example.com", "TXT"): ('"v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com"',),
}


@dataclass
class Setup:
    """What the account answers. ``denied`` are operations that the credentials may not call."""

    account: dict[str, Any]
    identities: dict[tuple[str, str], dict[str, Any]]
    suppressed: dict[str, dict[str, Any]] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    speaks_v2: bool = True

    def serving(self, **options: Any) -> FakeAws:
        """Return a simulator that answers so."""
        answers = {
            "GetAccount": lambda _: self.account,
            "GetEmailIdentity": lambda call: _known(
                self.identities, (call.parameters["EmailIdentity"], call.region)
            ),
            "GetSuppressedDestination": lambda call: _known(
                self.suppressed, call.parameters["EmailAddress"]
            ),
        }
        refused = {"do": "status", "always": True}
        script = [
            {**refused, "operation": name, "status": 403, "code": "AccessDeniedException"}
            for name in self.denied
        ]
        lacking = [] if self.speaks_v2 else [{**refused, "status": 501, "code": "InternalFailure"}]
        return FakeAws(answers=answers, script=[*script, *lacking], **options)


def _known(found: Mapping[Any, dict[str, Any]], name: object) -> dict[str, Any]:
    if name not in found:
        raise missing("no such resource")
    return found[name]


class Stand:
    """A setup that a test spoils before it is examined."""

    def __init__(self) -> None:
        self.ses = Setup(copy.deepcopy(ACCOUNT), {("example.com", REGION): copy.deepcopy(IDENTITY)})
        self.records = dict(RECORDS)
        self.broken: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """The sender's identity."""
        return self.ses.identities["example.com", REGION]

    def spoil_identity(self, group: str, **members: Any) -> None:
        """Change members of the identity, or of one of its groups."""
        (self.identity[group] if group else self.identity).update(members)

    def move_identity(self, name: str, region: str = REGION) -> None:
        """Rename the identity, or move it to another region."""
        self.ses.identities = {(name, region): self.identity}


Spoil = Callable[[Stand], object]


def _sandbox(stand: Stand) -> None:
    stand.ses.account["ProductionAccessEnabled"] = False
    stand.ses.identities["example.org", REGION] = copy.deepcopy(IDENTITY)


def _no_mail_from(stand: Stand, texts: tuple[str, ...] | None) -> None:
    stand.identity.pop("MailFromAttributes")
    stand.records.pop(("example.com", "TXT"))
    if texts:
        stand.records["example.com", "TXT"] = texts


def _unverified(status: str) -> Spoil:
    return lambda stand: stand.spoil_identity(
        "", VerifiedForSendingStatus=False, VerificationStatus=status
    )


PLANTED: dict[str, tuple[str, Spoil]] = {
    "no SES v2": ("endpoint_without_v2", lambda stand: setattr(stand.ses, "speaks_v2", False)),
    "no quota in the answer": (
        "endpoint_without_v2",
        lambda stand: stand.ses.account.pop("SendQuota"),
    ),
    "GetAccount denied": (
        "permission_missing",
        lambda stand: setattr(stand.ses, "denied", ("GetAccount",)),
    ),
    "GetEmailIdentity denied": (
        "permission_missing",
        lambda stand: setattr(stand.ses, "denied", ("GetEmailIdentity",)),
    ),
    "suppression list denied": (
        "permission_missing",
        lambda stand: setattr(stand.ses, "denied", ("GetSuppressedDestination",)),
    ),
    "sending paused": (
        "sending_paused",
        lambda stand: stand.ses.account.update(SendingEnabled=False),
    ),
    "under review": (
        "account_on_probation",
        lambda stand: stand.ses.account.update(EnforcementStatus="PROBATION"),
    ),
    "shut down": (
        "account_shut_down",
        lambda stand: stand.ses.account.update(EnforcementStatus="SHUTDOWN", SendingEnabled=False),
    ),
    "sandbox": ("sandbox", _sandbox),
    "quota used up": (
        "quota_used_up",
        lambda stand: stand.ses.account["SendQuota"].update(SentLast24Hours=50_000.0),
    ),
    "quota nearly used": (
        "quota_nearly_used",
        lambda stand: stand.ses.account["SendQuota"].update(SentLast24Hours=41_000.0),
    ),
    "suppression off": (
        "suppression_off",
        lambda stand: stand.ses.account.update(SuppressionAttributes={"SuppressedReasons": []}),
    ),
    "unknown sender": ("sender_not_verified", lambda stand: stand.ses.identities.clear()),
    "other region": (
        "sender_in_other_region",
        lambda stand: stand.move_identity("example.com", "us-east-1"),
    ),
    "pending": ("sender_pending", _unverified("PENDING")),
    "failed": ("sender_failed", _unverified("FAILED")),
    "address only": ("address_only", lambda stand: stand.move_identity("orders@example.com")),
    "DKIM off": (
        "dkim_off",
        lambda stand: stand.spoil_identity("DkimAttributes", SigningEnabled=False),
    ),
    "DKIM pending": (
        "dkim_pending",
        lambda stand: stand.spoil_identity("DkimAttributes", Status="PENDING"),
    ),
    "DKIM failed": (
        "dkim_failed",
        lambda stand: stand.spoil_identity("DkimAttributes", Status="FAILED"),
    ),
    "DKIM record missing": (
        "dkim_record_missing",
        lambda stand: stand.records.pop(("bbb2._domainkey.example.com", "CNAME")),
    ),
    "DKIM record wrong": (
        "dkim_record_wrong",
        lambda stand: stand.records.update(
            {("ccc3._domainkey.example.com", "CNAME"): ("old.dkim.amazonses.com.",)}
        ),
    ),
    "MAIL FROM pending": (
        "mail_from_pending",
        lambda stand: stand.spoil_identity("MailFromAttributes", MailFromDomainStatus="PENDING"),
    ),
    "MAIL FROM without MX": (
        "mail_from_mx_missing",
        lambda stand: stand.records.pop(("bounce.example.com", "MX")),
    ),
    "MAIL FROM with MX of another region": (
        "mail_from_mx_wrong",
        lambda stand: stand.records.update(
            {("bounce.example.com", "MX"): ("10 feedback-smtp.us-east-1.amazonses.com.",)}
        ),
    ),
    "MAIL FROM without SPF": (
        "mail_from_spf_missing",
        lambda stand: stand.records.pop(("bounce.example.com", "TXT")),
    ),
    "no SPF": ("spf_missing", lambda stand: _no_mail_from(stand, None)),
    "SPF without SES": (
        "spf_missing",
        lambda stand: _no_mail_from(stand, ('"v=spf1 include:_spf.example.net -all"',)),
    ),
    "two SPF records": ("spf_several", lambda stand: _no_mail_from(stand, (*SPF, '"v=spf1 -all"'))),
    "no DMARC": ("dmarc_missing", lambda stand: stand.records.pop(("_dmarc.example.com", "TXT"))),
    "DMARC without policy": (
        "dmarc_wrong",
        lambda stand: stand.records.update(
            {("_dmarc.example.com", "TXT"): ('"v=DMARC1; rua=mailto:x@example.com"',)}
        ),
    ),
    "DNS broken": (
        "dns_unreachable",
        lambda stand: setattr(stand, "broken", ("_dmarc.example.com",)),
    ),
    "no feedback": (
        "feedback_off",
        lambda stand: stand.spoil_identity("", FeedbackForwardingStatus=False),
    ),
    "recipient suppressed": (
        "recipient_suppressed",
        lambda stand: stand.ses.suppressed.update(
            {
                RECIPIENT: {
                    "SuppressedDestination": {
                        "EmailAddress": RECIPIENT,
                        "Reason": "BOUNCE",
                        "LastUpdateTime": 1_790_000_000,
                    }
                }
            }
        ),
    ),
    "recipient not verified in the sandbox": (
        "recipient_not_verified",
        lambda stand: stand.ses.account.update(ProductionAccessEnabled=False),
    ),
}


def _examined(stand: Stand, monkeypatch: pytest.MonkeyPatch, **more: Any) -> dict[str, Any]:
    """Diagnose the setup through the runtime, as the command line and the console do."""
    with DnsServer(stand.records, stand.broken) as dns, stand.ses.serving() as ses:
        monkeypatch.setenv("JACKFIELD_DNS_SERVERS", dns.address)
        connection = {
            "shop": {
                "type": "aws-ses/apiKeySecret",
                "values": {**KEYS, "endpoint": ses.url, "sender": SENDER},
            }
        }
        with Jackfield(connections=[connection], database_url="none") as jackfield:
            return jackfield.diagnose("shop", {"recipient": RECIPIENT, **more})


def _codes(found: dict[str, Any]) -> list[str]:
    """Return the findings' codes, without the step that is not checked because the STS of the
    endpoint is not known.
    """
    return [item["code"] for item in found["findings"] if item["code"] != "credentials"]


def test_a_sound_set_up_has_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Account, identity, DNS and recipient are in order: nothing is reported, and the setup is
    healthy.
    """
    found = _examined(Stand(), monkeypatch)
    assert _codes(found) == []
    assert found["healthy"] is True


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_with_its_cure(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is reported under its code, with severity, evidence, cure and source; healthy
    means that no finding is an error.
    """
    code, spoil = PLANTED[name]
    stand = Stand()
    spoil(stand)
    found = _examined(stand, monkeypatch)
    planted = [item for item in found["findings"] if item["code"] == code]
    assert planted, found["findings"]
    kind = KINDS[code]
    for item in planted:
        assert item["severity"] == kind.severity
        assert item["evidence"]
        assert item["cure"]
        assert item["source"] == kind.source
        assert "{" not in item["message"] + item["cure"]
    assert found["healthy"] is all(item["severity"] != "error" for item in found["findings"])
    allowed = {code, *_BESIDE.get(name, ())}
    assert set(_codes(found)) <= allowed


_BESIDE: dict[str, tuple[str, ...]] = {
    "recipient not verified in the sandbox": ("sandbox",),
}
"""Further findings that the fault rightly causes."""


def test_the_evidence_names_the_other_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender verified elsewhere: the evidence says where."""
    stand = Stand()
    stand.move_identity("example.com", "us-east-1")
    found = _examined(stand, monkeypatch)
    assert [
        item["evidence"] for item in found["findings"] if item["code"] == "sender_in_other_region"
    ] == ["It is verified in us-east-1."]


def test_a_subdomain_is_covered_by_its_parents_identity_and_dmarc_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A domain identity covers its subdomains, and so does its DMARC record (RFC 9989, tree
    walk).
    """
    found = _examined(Stand(), monkeypatch, sender="news@mail.example.com")
    assert _codes(found) == []


def test_the_mailbox_simulator_needs_no_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the sandbox the simulator's addresses can be sent to."""
    stand = Stand()
    stand.ses.account["ProductionAccessEnabled"] = False
    found = _examined(stand, monkeypatch, recipient="success@simulator.amazonses.com")
    assert _codes(found) == ["sandbox"]


def test_invalid_inputs_are_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sender that is no address is refused as every action refuses it."""
    from jackfield.kernel.errors import InvalidInput

    with pytest.raises(InvalidInput) as refused:
        _examined(Stand(), monkeypatch, sender="not an address")
    assert [fault.path for fault in refused.value.details] == ["/sender"]


ROLE = "arn:aws:iam::123456789012:role/acme-ses"


def _diagnosed_role(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, role: dict[str, Any], **values: Any
) -> dict[str, Any]:
    with (
        DnsServer(stand.records) as dns,
        stand.ses.serving(roles={ROLE: role}) as aws,
    ):
        monkeypatch.setenv("JACKFIELD_DNS_SERVERS", dns.address)
        about = {
            "roleARN": ROLE,
            **KEYS,
            "endpoint": aws.url,
            "stsEndpoint": aws.url,
            "sender": SENDER,
            **values,
        }
        with Jackfield(
            connections=[{"shop": {"type": "aws-ses/awsAssumeRole", "values": about}}],
            database_url="none",
        ) as jackfield:
            return jackfield.diagnose("shop")


def test_a_role_without_external_id_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that is assumed without an External ID: a warning of its own; with one that the role
    requires: nothing.
    """
    assert [item["code"] for item in _diagnosed_role(Stand(), monkeypatch, {})["findings"]] == [
        "external_id_missing"
    ]
    sound = _diagnosed_role(Stand(), monkeypatch, {"externalId": "jf-1"}, externalId="jf-1")
    assert sound["findings"] == []


def test_a_role_that_does_not_require_the_external_id_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection's External ID protects nothing if the role does not require it: the test's
    step becomes a finding with its cure.
    """
    found = _diagnosed_role(Stand(), monkeypatch, {}, externalId="jf-1")
    assert [(item["code"], item["severity"]) for item in found["findings"]] == [
        ("external_id_required", "warning")
    ]
    assert "trust policy" in found["findings"][0]["cure"]


def test_a_role_that_cannot_be_assumed_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong External ID: one error, from the connection's test; the examination that it prevents
    adds nothing.
    """
    found = _diagnosed_role(Stand(), monkeypatch, {"externalId": "jf-1"}, externalId="jf-2")
    assert [(item["code"], item["severity"]) for item in found["findings"]] == [("role", "error")]
    assert found["healthy"] is False


@pytest.mark.parametrize(
    ("hostname", "port", "region", "codes"),
    [
        ("email-smtp.eu-west-1.amazonaws.com", 587, "eu-west-1", []),
        ("email-smtp.eu-west-1.amazonaws.com", 587, None, []),
        ("email-smtp.us-east-1.amazonaws.com", 587, "eu-west-1", ["region_differs"]),
        ("email-smtp.eu-west-1.amazonaws.com", 25, "eu-west-1", ["port_throttled"]),
        (
            "vpce-0a1b2c3d4e5f67890-abcd1234.email-smtp.eu-west-1.vpce.amazonaws.com",
            587,
            "eu-west-1",
            [],
        ),
        (
            "vpce-0a1b2c3d4e5f67890-abcd1234-eu-west-1a.email-smtp.eu-west-1.vpce.amazonaws.com",
            587,
            None,
            ["link_of_one_zone"],
        ),
        (
            "vpce-0a1b2c3d4e5f67890-abcd1234-us-east-1a.email-smtp.us-east-1.vpce.amazonaws.com",
            587,
            None,
            ["link_of_one_zone", "link_zone_unsupported"],
        ),
    ],
)
def test_an_smtp_endpoint_is_judged_by_its_name_and_port(
    hostname: str, port: int, region: str | None, codes: list[str]
) -> None:
    """Over SMTP only the endpoint and the sender's DNS can be examined: region, port and the limits
    of private endpoints.
    """
    client = SmtpClient(None, None, Server(hostname, port, tls=False, name=hostname, region=None))  # type: ignore[arg-type]
    assert [item.code for item in examine(client, region, None, None)] == codes


def test_the_doctor_over_smtp_is_no_bug_of_the_connector(caplog: pytest.LogCaptureFixture) -> None:
    """Over SMTP the doctor asks the server nothing, which is not logged as a fault of the
    connector.
    """
    values = {"hostname": "email-smtp.eu-west-1.amazonaws.com", "username": "u", "password": "p"}
    with Jackfield(
        connections=[{"mail": {"type": "aws-ses/smtp", "values": values}}], database_url="none"
    ) as jackfield:
        found = jackfield.invoke(
            {"connector": "aws-ses", "action": "doctor", "connection": "mail", "inputs": {}}
        )
    assert (found.status, caplog.messages) == ("succeeded", [])


def test_over_smtp_the_senders_dns_is_examined() -> None:
    """SPF and DMARC of the sender's domain are looked up over SMTP, too."""
    client = SmtpClient(
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        Server("email-smtp.eu-west-1.amazonaws.com", 587, tls=False, name="x", region=None),
    )
    with DnsServer({("example.com", "A"): ("192.0.2.1",)}) as dns:
        resolver = Resolver(configure=False)
        host, _, port = dns.address.partition(":")
        resolver.nameservers = [Do53Nameserver(host, int(port))]
        found = examine(client, None, SENDER, None, lambda: Records(resolver))
    assert [item.code for item in found] == ["spf_missing", "dmarc_missing"]


@pytest.mark.parametrize(
    "servers", ["garbage", "127.0.0.1:abc", "127.0.0.1:99999", "192.0.2.1,dns.example.com"]
)
def test_a_wrong_resolver_is_named(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    """A list of DNS servers with something else than addresses is told at once, without waiting for
    answers that cannot come.
    """
    monkeypatch.setenv("JACKFIELD_DNS_SERVERS", servers)
    with pytest.raises(DnsUnavailable, match="JACKFIELD_DNS_SERVERS names"):
        system_records()


@pytest.mark.parametrize(
    "servers", ["192.0.2.1", "192.0.2.1:5353, ::1", "[2001:db8::1]:5353", "2001:db8::1"]
)
def test_a_resolver_is_an_address(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    """DNS servers are IP addresses of both versions, with or without a port."""
    monkeypatch.setenv("JACKFIELD_DNS_SERVERS", servers)
    assert isinstance(system_records(), Records)


def test_every_finding_is_documented() -> None:
    """The page about the doctor lists each code with its severity."""
    page = (Path(__file__).parents[3] / "docs/reference/connectors/aws-ses-doctor.md").read_text(
        encoding="utf-8"
    )
    assert [
        code for code, kind in KINDS.items() if f"| `{code}` | {kind.severity} |" not in page
    ] == []


def test_the_command_prints_findings_and_exits_by_their_severity(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``jackfield doctor`` prints the findings as JSON; exit code 1 for an error, 0 for warnings
    alone, 2 for an unknown connection.
    """
    stand = Stand()
    stand.ses.account["ProductionAccessEnabled"] = False
    with DnsServer(stand.records) as dns, stand.ses.serving() as ses:
        values = {**KEYS, "endpoint": ses.url, "sender": SENDER}
        (tmp_path / "connections.json").write_text(
            json.dumps(
                {"connections": {"shop": {"type": "aws-ses/apiKeySecret", "values": values}}}
            ),
            encoding="utf-8",
        )
        for name, value in {
            "JACKFIELD_CONNECTIONS": str(tmp_path / "connections.json"),
            "JACKFIELD_DATABASE_URL": "none",
            "JACKFIELD_DNS_SERVERS": dns.address,
        }.items():
            monkeypatch.setenv(name, value)
        assert main(["doctor", "shop"]) == 0
        warned = json.loads(capsys.readouterr().out)
        assert main(["doctor", "shop", f"recipient={RECIPIENT}"]) == 1
        erred = json.loads(capsys.readouterr().out)
        assert main(["doctor", "nobody"]) == 2
    assert _codes(warned) == ["sandbox"]
    assert _codes(erred) == ["sandbox", "recipient_not_verified"]
    assert warned["connection"] == "shop"
