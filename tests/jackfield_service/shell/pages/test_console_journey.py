"""The main job in a real browser: sign in, connect an AWS account, send an email, see what is
wrong, find out what happened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from browsing import Visitor
from jackfield_aws.policies import trust_policy
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

pytest_plugins = ["browser"]

USER = "arn:aws:iam::123456789012:user/jackfield"


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An AWS account that checks who calls."""
    with EmbeddedAws() as found:
        yield found


def trust(aws: EmbeddedAws, policy: str) -> None:
    """Give the role another trust policy, as its owner would in the IAM console."""
    (statement,) = json.loads(policy)["Statement"]
    aws.trust(
        statement["Principal"]["AWS"], statement["Condition"]["StringEquals"]["sts:ExternalId"]
    )


def connect(visitor: Visitor, aws: EmbeddedAws, name: str = "acme-ses") -> None:
    """Make a connection to the account, set its role up with the policy that the page shows, and
    test it.
    """
    page = visitor.page
    visitor.go("/new-connection?type=aws/awsAssumeRole")
    visitor.field("Name").fill(name)
    visitor.field("Role ARN required").fill(aws.role_arn)
    visitor.field("Access Key ID").fill(aws.access_key_id)
    visitor.field("Secret Access Key").fill(aws.secret_access_key)
    visitor.field("AWS Region").fill(aws.region)
    visitor.field("Endpoint").fill(aws.url)
    visitor.field("STS Endpoint").fill(aws.url)
    visitor.field("Sender Email").fill("noreply@example.com")
    page.get_by_role("button", name="Save without testing").click()
    page.wait_for_url(f"**/connections/{name}?done=created")
    visitor.settle()
    page.get_by_label("Principal").fill(USER)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**principal=**")
    policy = page.get_by_role("region", name="Trust policy").inner_text()
    assert (
        json.loads(policy)["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
        == page.get_by_role("region", name="External ID").inner_text()
    )
    trust(aws, policy)
    page.get_by_role("button", name="Test", exact=True).click()
    page.locator("#test .step").first.wait_for()


def connected(visitor: Visitor, aws: EmbeddedAws) -> None:
    """Have the connection that ``connect`` makes in the browser."""
    values = {
        "roleARN": aws.role_arn,
        "accessKeyId": aws.access_key_id,
        "secretAccessKey": aws.secret_access_key,
        "region": aws.region,
    }
    values |= {"endpoint": aws.url, "stsEndpoint": aws.url, "sender": "noreply@example.com"}
    connections = visitor.console.host.runtime("default").connections
    connections.add("acme-ses", "aws/awsAssumeRole", values, test=False)
    trust(
        aws, json.dumps(trust_policy(USER, str(connections.find("acme-ses").values["externalId"])))
    )


def test_from_the_sign_in_to_a_sent_email(
    visitor: Visitor, aws: EmbeddedAws, tmp_path: Path
) -> None:
    """A person connects an AWS account, sends an email with an attachment from the form, and finds
    it in the journal.
    """
    page = visitor.page
    connect(visitor, aws)
    assert page.locator("#test .step.passed").count() >= 3
    assert page.locator("#test .step.failed").count() == 0
    assert page.locator("main").get_by_text("working", exact=True).count() == 1
    visitor.check()

    visitor.go("/connectors/aws-ses/actions/sendEmail")
    assert page.locator("#connection").input_value() == "acme-ses"
    assert "eu-west-1" in str(
        page.locator('[data-schemapath="inputs.awsRegion"] input').get_attribute("placeholder")
    )
    page.locator('[data-schemapath="inputs.awsRegion"] input').focus()
    page.locator("datalist[data-source=awsRegions] option").nth(10).wait_for(state="attached")
    page.locator("input[list$=sender-options]").focus()
    page.locator(
        "datalist[data-source=identities] option[value='newsletter@example.net']"
    ).wait_for(state="attached")
    visitor.field("To Address 1").fill("ada@example.org")
    visitor.field("Subject required").fill("The report")
    visitor.field("Text").fill("Hello Ada,\nhere it is.")
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7\n")
    page.get_by_label("Attachments").set_input_files(str(report))
    page.get_by_text("report.pdf was uploaded.").wait_for()
    page.get_by_role("tab", name="CLI").click()
    page.get_by_role("tabpanel", name="CLI").get_by_text("attachments=@report.pdf").wait_for()
    page.get_by_role("tab", name="JSON").click()
    assert visitor.run() == "succeeded"
    sent = aws.sent[-1]
    assert (sent.to, sent.subject, sent.text, sent.source) == (
        ("ada@example.org",),
        "The report",
        "Hello Ada,\nhere it is.",
        "noreply@example.com",
    )
    assert [part.name for part in sent.attachments] == ["report.pdf"]

    page.get_by_role("link", name="View invocation").click()
    page.get_by_role("heading", name="Attempts").wait_for()
    assert "Send Email" in page.locator("h1").inner_text()
    assert sent.message_id in page.locator("main").inner_text()
    visitor.go("/invocations?connection=acme-ses")
    assert page.locator("#found tbody tr").count() == 1
    visitor.check()


def test_errors_are_at_their_fields(visitor: Visitor, aws: EmbeddedAws) -> None:
    """A bad address is marked at its own field, in our words, and a refusal of the provider is told
    in its words.
    """
    page = visitor.page
    connected(visitor, aws)
    visitor.go("/connectors/aws-ses/actions/sendEmail")
    visitor.field("To Address 1").fill("ada@example.org")
    page.locator('[data-schemapath="inputs.to"]').get_by_role("button", name="Add another").click()
    visitor.field("To Address 2").fill("bob")
    visitor.field("Text").fill("Hello")
    assert visitor.run() == "failed"
    bad = visitor.field("To Address 2")
    assert bad.get_attribute("aria-invalid") == "true"
    told = page.locator('[data-schemapath="inputs.to.1"] .field-error')
    assert "'bob'" in told.inner_text()
    assert str(told.get_attribute("id")) in str(bad.get_attribute("aria-describedby"))
    assert visitor.field("To Address 1").get_attribute("aria-invalid") is None
    assert page.get_by_label("Subject required").get_attribute("aria-invalid") == "true"
    page.locator("#result").get_by_role("link", name="To Address 2").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "To Address 2"
    page.get_by_role("region", name="The invocation as JSON").get_by_text('"bob"').wait_for()
    visitor.check()

    bad.fill("bob@example.org eve@example.org")
    assert visitor.run() == "failed"
    assert "holds two addresses" in told.inner_text()
    bad.fill("bob@example.org")
    visitor.field("Subject required").fill("Hello")
    visitor.field("Sender Email").fill("eve@elsewhere.example")
    assert visitor.run() == "failed"
    assert page.locator(".field-error").count() == 0
    provider = page.locator("#result .provider").inner_text()
    assert "MessageRejected" in provider
    assert "eve@elsewhere.example" in provider
    assert aws.sent == []


def test_a_dry_run_sends_nothing(visitor: Visitor, aws: EmbeddedAws) -> None:
    """A dry run says that all is well, and nothing was sent."""
    connected(visitor, aws)
    visitor.go("/connectors/aws-ses/actions/sendEmail?example=1")
    assert visitor.run("Dry run") == "succeeded"
    assert "was not run" in visitor.page.locator("#result").inner_text()
    assert aws.sent == []


def test_a_connection_is_made_where_it_is_needed(visitor: Visitor, aws: EmbeddedAws) -> None:
    """From an action's page a connection is made without leaving it; a test that fails says how to
    cure it, and it can be saved.
    """
    page = visitor.page
    visitor.go("/connectors/aws-ses/actions/listIdentities")
    page.get_by_role("button", name="New connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="AWS SES Access Key and Secret").click()
    dialog.get_by_label("Name", exact=True).fill("keys")
    visitor.settle()
    dialog.get_by_label("Access Key ID required").fill(aws.access_key_id)
    dialog.get_by_role("button", name="Save and test").click()
    assert (
        "missing"
        in dialog.locator('[data-schemapath="values.secretAccessKey"] .field-error').inner_text()
    )
    dialog.get_by_label("Secret Access Key required").fill("wrong")
    dialog.get_by_label("Endpoint").fill(aws.url)
    dialog.get_by_role("button", name="Save without testing").click()
    page.locator("#run").get_by_text("“keys” saved.").wait_for()
    assert dialog.count() == 0
    assert page.locator("#connection").input_value() == "keys"
    page.get_by_role("region", name="The invocation as JSON").get_by_text(
        '"connection": "keys"'
    ).wait_for()
    visitor.check()


def test_a_broken_connection_is_repaired_in_place(visitor: Visitor, aws: EmbeddedAws) -> None:
    """A connection that stops working says which step fails and what to do; it is repaired on its
    page and keeps its secrets.
    """
    page = visitor.page
    connected(visitor, aws)
    trust(aws, json.dumps(trust_policy(USER, "another-external-id")))
    visitor.go("/connections/acme-ses")
    page.get_by_role("button", name="Test", exact=True).click()
    page.locator("#test .step.failed").wait_for()
    assert "What to do" in page.locator("#test .step.failed").inner_text()
    visitor.go("/connections/acme-ses")
    page.get_by_text("Change values").click()
    assert page.get_by_label("Secret Access Key").input_value() == ""
    assert "Stored" in str(page.get_by_label("Secret Access Key").get_attribute("placeholder"))
    page.get_by_label("Sender Email").fill("hello@example.com")
    page.get_by_role("button", name="Save and test").click()
    page.locator("#outcome .notice").wait_for()
    page.get_by_role("button", name="Save anyway").click()
    page.wait_for_url("**?done=changed")
    stored = visitor.console.host.runtime("default").connections.find("acme-ses")
    assert stored.values["sender"] == "hello@example.com"
    assert stored.values["secretAccessKey"] == aws.secret_access_key
