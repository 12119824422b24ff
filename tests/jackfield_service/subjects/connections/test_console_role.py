"""The console's main task, an AWS role connection: it can be finished on a local AWS simulator; a
refused role says what to change.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import served
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.serving import GENERATED

pytest_plugins = ["browser"]

USER = "arn:aws:iam::123456789012:user/jackfield"
FILE = """
connections:
  demo:
    type: aws-ses/awsAssumeRole
    values:
      roleARN: {$env: DEMO_ROLE_ARN}
      accessKeyId: {$env: DEMO_ACCESS_KEY_ID}
      secretAccessKey: {$env: DEMO_SECRET_ACCESS_KEY}
      externalId: {$env: DEMO_EXTERNAL_ID}
"""


def fill(visitor: Visitor, aws: EmbeddedAws) -> None:
    """Fill in the form of a role connection, as somebody does who has the demo's values."""
    visitor.go("/new-connection?type=aws/awsAssumeRole")
    visitor.field("Name").fill("acme")
    visitor.field("Role ARN required").fill(aws.role_arn)
    visitor.field("Access Key ID").fill(aws.access_key_id)
    visitor.field("Secret Access Key").fill(aws.secret_access_key)
    visitor.field("AWS Region").fill(aws.region)
    visitor.field("Endpoint").fill(aws.url)
    visitor.field("STS Endpoint").fill(aws.url)


def test_m14_a_role_connection_is_finished_on_the_served_demo(visitor: Visitor) -> None:
    """M14: the role of ``demo --serve`` trusts the External IDs that jackfield generates, so saving
    and testing passes at once.
    """
    with EmbeddedAws(trusted_ids=GENERATED) as aws:
        fill(visitor, aws)
        visitor.page.get_by_role("button", name="Save and test").click()
        visitor.page.wait_for_url("**/connections/acme?done=created")
        assert visitor.page.locator("#test .step.passed").count() >= 3
        assert visitor.page.locator("#test .step:not(.passed)").count() == 0


def test_the_doctor_lists_findings_with_their_cures(visitor: Visitor) -> None:
    """The connection's page leads to the doctor; its findings have a cure each, and a wrong address
    is refused at its field.
    """
    with EmbeddedAws(trusted_ids=GENERATED) as aws:
        fill(visitor, aws)
        visitor.page.get_by_role("button", name="Save and test").click()
        visitor.page.wait_for_url("**/connections/acme?done=created")
        visitor.page.get_by_role("link", name="Run full diagnostics").click()
        visitor.page.wait_for_url("**/connections/acme/doctor")
        visitor.field("Sender Email").fill("stranger@nowhere.example")
        visitor.page.get_by_role("button", name="Examine").click()
        finding = visitor.page.locator("#findings .step.failed", has_text="sender_not_verified")
        finding.wait_for()
        assert "createIdentity" in finding.inner_text()
        visitor.field("Sender Email").fill("no address")
        visitor.page.get_by_role("button", name="Examine").click()
        visitor.page.locator("#findings .notice.bad", has_text="/sender").wait_for()


def test_m13_a_refused_role_says_whom_and_which_external_id_to_trust(visitor: Visitor) -> None:
    """M13: the ARN of the first step is in the field, the trust policy and the hint, whose JSON is
    formatted and complete.
    """
    page = visitor.page
    with EmbeddedAws() as aws:
        fill(visitor, aws)
        page.get_by_role("button", name="Save without testing").click()
        page.wait_for_url("**/connections/acme?done=created")
        page.get_by_role("button", name="Test", exact=True).click()
        page.locator("#test .step.failed").wait_for()
        external = page.get_by_role("region", name="External ID").inner_text()
        for _ in range(2):
            assert page.get_by_label("Principal").input_value() == USER
            policy = json.loads(page.get_by_role("region", name="Trust policy").inner_text())
            assert policy["Statement"][0]["Principal"] == {"AWS": USER}
            needed = page.get_by_role("region", name="What is needed").inner_text()
            assert "\n" in needed
            assert json.loads(needed) == policy["Statement"][0]
            assert json.loads(needed)["Condition"]["StringEquals"]["sts:ExternalId"] == external
            page.reload()
            visitor.settle()


def test_m12_the_guide_agrees_with_the_form(visitor: Visitor) -> None:
    """M12: the guide names no field that the form has not, and does not ask for an External ID that
    the form refuses.
    """
    visitor.go("/new-connection?type=aws/awsAssumeRole")
    guide = visitor.page.locator("section.beside-form").inner_text()
    assert visitor.page.get_by_label("External ID").count() == 0
    assert "into External ID" not in guide
    assert "of your own making" not in guide
    assert "generates the External ID" in guide
    assert "page in the console" in guide


def test_m11_all_faults_of_a_new_connection_are_told_at_once(visitor: Visitor) -> None:
    """M11: a name is proposed; without it, it and the missing role ARN are marked by the same
    press.
    """
    visitor.go("/new-connection?type=aws/awsAssumeRole")
    assert visitor.field("Name").input_value() == "aws-ses"
    visitor.field("Name").fill("")
    visitor.page.get_by_role("button", name="Save and test").click()
    visitor.page.locator('[data-schemapath="values.roleARN"] .field-error').wait_for()
    assert visitor.page.locator('[data-schemapath="values.name"] .field-error').count() == 1


def test_m9_the_external_id_of_a_file_is_shown_resolved(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M9: what is shown to be copied is the External ID of the trust policy, not the reference to
    it.
    """
    path = tmp_path / "connections.yaml"
    path.write_text(FILE, encoding="utf-8")
    with EmbeddedAws() as aws:
        for name, value in {**aws.environment(), "JACKFIELD_CONNECTIONS": str(path)}.items():
            monkeypatch.setenv(name, value)
        with served(tmp_path, queue_workers=0) as console:
            visitor = Visitor(browser, console)
            visitor.sign_in()
            visitor.go("/connections/demo")
            assert (
                visitor.page.get_by_role("region", name="External ID").inner_text()
                == aws.external_id
            )
            assert "{'" not in visitor.page.locator("main").inner_text()
            visitor.check()
            visitor.close()
