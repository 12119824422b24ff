"""Account, statistics, identities and suppression list: each action on moto's server, or on the
simulator with scripted faults.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield, Result
from moto_server import moto_server
from rig import Rig, key_values

DKIM: dict[str, Any] = {
    "SigningEnabled": True,
    "Status": "PENDING",
    "Tokens": ["a1", "b2", "c3"],
    "SigningAttributesOrigin": "AWS_SES",
    "SigningHostedZone": "dkim.eu-central-2.amazonses.com",
}


def call(jackfield: Jackfield, action: str, **inputs: Any) -> Result:
    """Invoke an action of aws-ses in eu-west-1 over the connection ``acme``."""
    given = {"awsRegion": "eu-west-1", **inputs}
    return jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": given}
    )


def output(result: Result) -> dict[str, Any]:
    """The output of a success."""
    assert result.status == "succeeded", result.error
    return dict(result.output or {})


def code(result: Result) -> str | None:
    """The error's code."""
    return result.error.code if result.error is not None else None


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of moto's server, which other modules' state does not reach."""
    with moto_server() as url:
        yield url


@pytest.fixture
def jackfield(moto: str) -> Iterator[Jackfield]:
    """A runtime whose connection leads to moto."""
    values = {"accessKeyId": "AKIAX", "secretAccessKey": "s3cret", "endpoint": moto}
    with Jackfield(
        connections=[{"acme": {"type": "aws/apiKeySecret", "values": values}}], database_url="none"
    ) as found:
        yield found


def test_the_life_of_an_identity(jackfield: Jackfield) -> None:
    """A domain is created, read with its DNS records, listed with its status and deleted; then it
    is not found.
    """
    assert (
        output(call(jackfield, "createIdentity", identity="Bücher.example"))["IdentityType"]
        == "DOMAIN"
    )
    found = output(call(jackfield, "getIdentity", identity="xn--bcher-kva.example"))
    assert {"VerifiedForSendingStatus", "dnsRecords"} <= found.keys()
    output(call(jackfield, "createIdentity", identity="ada@example.com"))
    assert output(call(jackfield, "getIdentity", identity="ada@example.com"))["dnsRecords"] == []
    rows = output(call(jackfield, "listIdentitiesWithStatus", fetchAll=True, pageSize=1))[
        "EmailIdentities"
    ]
    assert {row["IdentityName"]: row["IdentityType"] for row in rows} == {
        "xn--bcher-kva.example": "DOMAIN",
        "ada@example.com": "EMAIL_ADDRESS",
    }
    assert output(call(jackfield, "deleteIdentity", identity="ada@example.com")) == {}
    assert code(call(jackfield, "getIdentity", identity="ada@example.com")) == "not_found"


def test_statistics_are_those_of_the_provider(jackfield: Jackfield) -> None:
    """Points have the provider's members."""
    (point,) = output(call(jackfield, "getSendStatistics"))["SendDataPoints"]
    assert point.keys() == {"Timestamp", "DeliveryAttempts", "Bounces", "Complaints", "Rejects"}


def test_statistics_come_oldest_first(tmp_path: Path) -> None:
    """Amazon SES does not sort its points; we do."""
    points = "".join(
        f"<member><Timestamp>{moment}</Timestamp><DeliveryAttempts>1</DeliveryAttempts></member>"
        for moment in ("2026-11-20T11:00:00Z", "2026-11-20T10:00:00Z")
    )
    body = (
        "<GetSendStatisticsResponse "
        f'xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><GetSendStatisticsResult><SendDataPoints>{points}'
        "</SendDataPoints></GetSendStatisticsResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetSendStatisticsResponse>"
    )
    fault = {
        "do": "body",
        "operation": "GetSendStatistics",
        "body": body,
        "contentType": "text/xml",
    }
    with Rig(tmp_path, script=[fault]) as rig:
        found = output(call(rig.jackfield, "getSendStatistics"))["SendDataPoints"]
    assert [point["Timestamp"] for point in found] == [
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:00:00Z",
    ]


def test_the_account_in_figures(tmp_path: Path) -> None:
    """Quota, rate, sandbox and enforcement come as figures and words of the provider; members that
    a newer service adds are dropped.
    """
    answer = {
        "SendQuota": {"Max24HourSend": 200, "MaxSendRate": 1, "SentLast24Hours": 7, "New": 1},
        "ProductionAccessEnabled": False,
        "EnforcementStatus": "PROBATION",
        "SendingEnabled": True,
        "Details": {
            "MailType": "MARKETING",
            "WebsiteURL": "https://x.io",
            "ReviewDetails": {"Status": "PENDING", "CaseId": "c-1"},
        },
        "PricingAttributes": {"CurrentPlan": "PRO"},
    }
    script = [
        {
            "do": "body",
            "operation": "GetAccount",
            "body": json.dumps(answer),
            "headers": {"x-amzn-RequestId": "r-1"},
        }
    ]
    with Rig(tmp_path, script=script) as rig:
        found = output(call(rig.jackfield, "getAccount"))
    assert found["SendQuota"] == {
        "Max24HourSend": 200.0,
        "MaxSendRate": 1.0,
        "SentLast24Hours": 7.0,
    }
    assert (found["ProductionAccessEnabled"], found["EnforcementStatus"]) == (False, "PROBATION")
    assert found["Details"]["ReviewDetails"] == {"Status": "PENDING", "CaseId": "c-1"}


def test_an_answer_that_is_not_of_the_service_says_where_to_look(tmp_path: Path) -> None:
    """Without a request's id something else has answered, and the hint says what may have."""
    with Rig(
        tmp_path,
        script=[{"do": "body", "operation": "GetAccount", "body": "{}", "headers": {}}] * 9,
    ) as rig:
        error = call(rig.jackfield, "getAccount").error
    assert error is not None
    assert (error.code, "HTTPS_PROXY" in str(error.hint)) == ("unavailable", True)


def test_production_access_is_requested(tmp_path: Path) -> None:
    """AWS is told what it asks for; the request's own schema holds, and the operation is one that
    the model knows.
    """
    details = {
        "mailType": "TRANSACTIONAL",
        "websiteUrl": "https://x.io",
        "additionalContactEmailAddresses": ["ada@x.io"],
    }
    with Rig(tmp_path) as rig:
        assert output(call(rig.jackfield, "requestProductionAccess", **details)) == {}
        (request,) = [item for item in rig.aws.requests if item.operation == "PutAccountDetails"]
        wrong = call(
            rig.jackfield,
            "requestProductionAccess",
            **{**details, "websiteUrl": "x.io", "additionalContactEmailAddresses": ["adaada"]},
        )
    assert request.parameters == {
        "MailType": "TRANSACTIONAL",
        "WebsiteURL": "https://x.io",
        "ContactLanguage": "EN",
        "ProductionAccessEnabled": True,
        "AdditionalContactEmailAddresses": ["ada@x.io"],
    }
    assert wrong.error is not None
    assert "/websiteUrl" in {detail.path for detail in wrong.error.details}


def test_a_review_that_runs_is_a_conflict(tmp_path: Path) -> None:
    """A second request during a review is a conflict with a hint."""
    script = [
        {
            "do": "status",
            "operation": "PutAccountDetails",
            "status": 409,
            "code": "ConflictException",
            "message": "under review",
        }
    ]
    with Rig(tmp_path, script=script) as rig:
        found = call(
            rig.jackfield,
            "requestProductionAccess",
            mailType="MARKETING",
            websiteUrl="https://x.io",
        )
    assert code(found) == "conflict"


def records(found: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Type and name of each record, with its value."""
    return {(row["type"], row["name"]): row["value"] for row in found["dnsRecords"]}


def test_dns_records_of_a_domain(tmp_path: Path) -> None:
    """DKIM in the zone that Amazon SES names, MAIL FROM's MX and SPF in the region, DMARC."""
    answers = {
        "CreateEmailIdentity": {
            "IdentityType": "DOMAIN",
            "VerifiedForSendingStatus": False,
            "DkimAttributes": DKIM,
        },
        "PutEmailIdentityMailFromAttributes": {},
    }
    with Rig(tmp_path, answers=answers) as rig:
        found = output(
            call(
                rig.jackfield,
                "createIdentity",
                identity="example.com",
                mailFromDomain="bounce.example.com",
            )
        )
        assert rig.aws.calls()[1:] == [
            "sesv2:CreateEmailIdentity",
            "sesv2:PutEmailIdentityMailFromAttributes",
        ]
    assert records(found) == {
        **{
            ("CNAME", f"{token}._domainkey.example.com"): f"{token}.dkim.eu-central-2.amazonses.com"
            for token in DKIM["Tokens"]
        },
        ("MX", "bounce.example.com"): "10 feedback-smtp.eu-west-1.amazonses.com",
        ("TXT", "bounce.example.com"): "v=spf1 include:amazonses.com ~all",
        ("TXT", "_dmarc.example.com"): "v=DMARC1; p=none; rua=mailto:dmarc@example.com",
    }


def test_a_key_of_ones_own_has_no_cname(tmp_path: Path) -> None:
    """With DKIM keys of the owner's there are no CNAME records; a MAIL FROM domain that is set is
    used.
    """
    answers = {
        "GetEmailIdentity": {
            "VerifiedForSendingStatus": True,
            "DkimAttributes": {**DKIM, "SigningAttributesOrigin": "EXTERNAL"},
            "MailFromAttributes": {
                "MailFromDomain": "m.example.com",
                "MailFromDomainStatus": "SUCCESS",
                "BehaviorOnMxFailure": "REJECT_MESSAGE",
            },
        }
    }
    with Rig(tmp_path, answers=answers) as rig:
        found = output(call(rig.jackfield, "getIdentity", identity="example.com"))
    assert [kind for kind, _ in records(found)] == ["MX", "TXT", "TXT"]
    assert ("MX", "m.example.com") in records(found)


def test_an_identity_without_its_mail_from_domain_is_in_doubt(tmp_path: Path) -> None:
    """Where the identity was created and the second step fails, nothing is repeated, and the Result
    says what was done.
    """
    script = [
        {
            "do": "status",
            "operation": "PutEmailIdentityMailFromAttributes",
            "status": 400,
            "code": "BadRequestException",
        }
    ]
    with Rig(tmp_path, script=script) as rig:
        found = call(
            rig.jackfield, "createIdentity", identity="example.org", mailFromDomain="m.example.org"
        )
        assert rig.aws.calls().count("sesv2:CreateEmailIdentity") == 1
    assert code(found) == "in_doubt"
    assert found.error is not None
    assert "CreateEmailIdentity" in json.dumps([detail.message for detail in found.error.details])


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"identity": "example"}, "/identity"),
        ({"identity": "Ada <ada@example.com>"}, "/identity"),
        ({"identity": "a b.example"}, "/identity"),
        ({"identity": "example.com", "mailFromDomain": "mail.example.org"}, "/mailFromDomain"),
        ({"identity": "example.com", "mailFromDomain": "a b.example.com"}, "/mailFromDomain"),
        ({"identity": "example.com", "mailFromDomain": "a@example.com"}, "/mailFromDomain"),
        ({"identity": "ada@example.com", "dkimKeyLength": "RSA_2048_BIT"}, "/dkimKeyLength"),
    ],
)
def test_what_is_no_identity(tmp_path: Path, inputs: dict[str, Any], path: str) -> None:
    """Wrong identities are refused at their place before anything is sent."""
    with Rig(tmp_path) as rig:
        found = call(rig.jackfield, "createIdentity", **inputs)
        assert rig.aws.calls() == []
    assert (
        code(found),
        [detail.path for detail in found.error.details] if found.error else None,
    ) == ("invalid_input", [path])


def test_an_identity_that_exists_is_a_conflict(tmp_path: Path) -> None:
    """``AlreadyExists`` is a conflict that says to read the identity."""
    with Rig(tmp_path) as rig:
        found = call(rig.jackfield, "createIdentity", identity="example.com")
    assert code(found) == "conflict"


def test_an_unknown_identity_is_told_with_its_region(tmp_path: Path) -> None:
    """An identity that the region does not have is ``not_found``, with a hint at other regions and
    at the lists.
    """
    with Rig(tmp_path) as rig:
        found = call(rig.jackfield, "getIdentity", identity="example.org")
    assert found.error is not None
    assert (found.error.code, "eu-west-1" in str(found.error.hint)) == ("not_found", True)


def test_deleting_twice_after_a_lost_answer(tmp_path: Path) -> None:
    """A deletion whose answer was lost is repeated, and "not found" then means that it took
    effect.
    """
    with Rig(tmp_path, script=[{"do": "reset", "operation": "DeleteEmailIdentity"}]) as rig:
        assert output(call(rig.jackfield, "deleteIdentity", identity="example.com")) == {}


def test_mail_from_is_set_and_removed(tmp_path: Path) -> None:
    """The records of the new MAIL FROM domain are returned; without a domain it is removed."""
    with Rig(tmp_path) as rig:
        found = output(
            call(
                rig.jackfield, "setMailFrom", identity="example.com", mailFromDomain="m.example.com"
            )
        )
        assert [row["type"] for row in found["dnsRecords"]] == ["MX", "TXT"]
        assert (
            output(call(rig.jackfield, "setMailFrom", identity="example.com"))["dnsRecords"] == []
        )
        last = rig.aws.requests[-1]
    assert last.parameters == {"EmailIdentity": "example.com"}


@pytest.mark.parametrize(
    ("identity", "mail_from", "names"),
    [
        ("example.com.", "m.example.com.", ("example.com", "m.example.com")),
        ("stra\u00dfe.de", "m.Stra\u00dfe.de", ("xn--strae-oqa.de", "m.xn--strae-oqa.de")),
    ],
    ids=["final dot", "not ASCII"],
)
def test_domains_are_named_as_amazon_ses_names_them(
    tmp_path: Path, identity: str, mail_from: str, names: tuple[str, str]
) -> None:
    """The final dot of a domain is left out, and characters beyond ASCII are encoded, of the
    identity and of its MAIL FROM domain.
    """
    expected = {"EmailIdentity": names[0], "MailFromDomain": names[1]}
    with Rig(tmp_path, identities=[]) as rig:
        for action in ("createIdentity", "setMailFrom"):
            found = output(call(rig.jackfield, action, identity=identity, mailFromDomain=mail_from))
            assert expected.items() <= rig.aws.requests[-1].parameters.items()
            assert {row["name"] for row in found["dnsRecords"]} >= {names[1]}


def test_times_are_in_utc_wherever_the_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time zone of the machine changes no output."""
    entry = {"EmailAddress": "a@x.io", "Reason": "BOUNCE", "LastUpdateTime": 1790000000}
    try:
        with (
            monkeypatch.context() as elsewhere,
            Rig(
                tmp_path, answers={"GetSuppressedDestination": {"SuppressedDestination": entry}}
            ) as rig,
        ):
            elsewhere.setenv("TZ", "EAST-5")
            time.tzset()
            found = output(call(rig.jackfield, "getSuppressedRecipient", address="a@x.io"))
    finally:
        time.tzset()
    assert found["SuppressedDestination"]["LastUpdateTime"] == "2026-09-21T14:13:20Z"


def test_the_suppression_list(tmp_path: Path) -> None:
    """Entries are put and listed over all pages with their filters; the requests have the
    provider's members.
    """
    filters = {"reasons": ["BOUNCE"], "startDate": "2001-01-01T00:00:00Z"}
    with Rig(tmp_path) as rig:
        for address in ("a@bücher.example", "b@x.io"):
            assert output(call(rig.jackfield, "putSuppressedRecipient", address=address)) == {}
        entry = output(call(rig.jackfield, "getSuppressedRecipient", address="b@x.io"))[
            "SuppressedDestination"
        ]
        assert {"EmailAddress", "Reason", "Attributes"} <= entry.keys()
        listed = call(
            rig.jackfield, "listSuppressedRecipients", fetchAll=True, pageSize=1, **filters
        )
        assert [
            row["EmailAddress"] for row in output(listed)["SuppressedDestinationSummaries"]
        ] == ["a@xn--bcher-kva.example", "b@x.io"]
        asked = [
            (request.operation, request.parameters)
            for request in rig.aws.requests
            if request.service == "sesv2"
        ]
    assert asked[0] == (
        "PutSuppressedDestination",
        {"EmailAddress": "a@xn--bcher-kva.example", "Reason": "BOUNCE"},
    )
    assert asked[3][1] == {
        "Reasons": ["BOUNCE"],
        "StartDate": "2001-01-01T00:00:00Z",
        "PageSize": 1,
    }
    assert "NextToken" in asked[4][1]


def test_an_address_that_is_not_suppressed(tmp_path: Path) -> None:
    """An address that is not on the list is not found."""
    with Rig(tmp_path) as rig:
        assert code(call(rig.jackfield, "getSuppressedRecipient", address="a@x.io")) == "not_found"


@pytest.mark.parametrize(
    ("action", "expected"),
    [("putSuppressedRecipient", "succeeded"), ("requestProductionAccess", "in_doubt")],
)
def test_a_web_page_is_no_answer(tmp_path: Path, action: str, expected: str) -> None:
    """An answer that is not Amazon SES's is repeated where that is safe, and in doubt where it is
    not.
    """
    inputs = (
        {"address": "a@x.io"}
        if action == "putSuppressedRecipient"
        else {"mailType": "MARKETING", "websiteUrl": "https://x.io"}
    )
    script = [{"do": "body", "operation": "*", "body": "<html>"}]
    with Rig(
        tmp_path,
        values=key_values(),
        script=script,
    ) as rig:
        assert call(rig.jackfield, action, **inputs).status == expected


def steps(rig: Rig) -> dict[str, dict[str, Any]]:
    """The steps of the connection's test by key."""
    return {
        step["key"]: step for step in rig.jackfield.connections.test("acme")["lastTest"]["steps"]
    }


def test_an_account_on_probation_is_shown(tmp_path: Path) -> None:
    """The connection's test shows the enforcement status, and the way out of the sandbox with the
    mailbox simulator.
    """
    answer = {
        "SendQuota": {"Max24HourSend": 200, "MaxSendRate": 1, "SentLast24Hours": 7},
        "EnforcementStatus": "PROBATION",
    }
    script = [{"do": "body", "operation": "GetAccount", "body": json.dumps(answer)}]
    with Rig(tmp_path, values=key_values(region="eu-west-1"), script=script) as rig:
        found = steps(rig)
    assert (found["enforcement"]["passed"], found["enforcement"]["mandatory"]) == (False, False)
    assert "PROBATION" in found["enforcement"]["message"]
    assert "Account dashboard > Request production access" in found["sandbox"]["hint"]
    assert "success@simulator.amazonses.com" in found["sandbox"]["hint"]


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            (
                "not authorized to perform: ses:SendEmail on resource: x because the condition "
                "ses:FromAddress is not met"
            ),
            "The policy's condition",
        ),
        (
            "User: u is not authorized to perform: ses:SendEmail on resource: x",
            "If sending is allowed already, the policy's condition",
        ),
    ],
)
def test_a_denial_of_the_sender_has_its_own_hint(tmp_path: Path, message: str, hint: str) -> None:
    """A denial that a condition on the sender may have caused names the condition key and the
    sender.
    """
    script = [
        {
            "do": "status",
            "operation": "SendEmail",
            "status": 403,
            "code": "AccessDeniedException",
            "message": message,
        }
    ]
    with Rig(tmp_path, script=script) as rig:
        found = rig.send(sender="other@example.com")
    assert code(found) == "forbidden"
    assert found.error is not None
    assert hint in str(found.error.hint)
    assert "ses:FromAddress must allow 'other@example.com'" in str(found.error.hint)


def test_a_name_that_is_taken_is_a_conflict_under_the_code_of_either_version(
    tmp_path: Path,
) -> None:
    """Emulators answer version 2 with version 1's code, which ended as 'rejected' without a
    hint.
    """
    for status_code in ("AlreadyExistsException", "ConfigurationSetAlreadyExistsException"):
        fault = {
            "do": "status",
            "operation": "sesv2:CreateConfigurationSet",
            "status": 400,
            "code": status_code,
        }
        with Rig(tmp_path, script=[fault]) as rig:
            assert (
                code(call(rig.jackfield, "createConfigurationSet", configurationSetName="daily"))
                == "conflict"
            )
