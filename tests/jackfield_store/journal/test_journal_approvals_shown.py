"""What a person reads who decides on a call: the inputs as they will be sent, all that changes the
call, and what was sealed.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tests.jackfield_store.journal.approving import BOB, asked, runtime, status_of, worked

from fake_aws import FakeAws
from jackfield import Result
from jackfield.callers import Caller
from jackfield.kernel.clock import SystemClock, iso
from jackfield_store.recording.decisions import ApprovalClosed
from nursery import mail

CONTENTS = {"a.txt": b"one", "b.txt": b"two"}
CONFIRM = {"connector": "stripe", "action": "confirmPaymentIntent", "connection": "shop"}
FORMS: dict[str, dict[str, Any]] = {
    "own": {"intent": "pi_1", "paymentMethod": "pm_evil", "receiptEmail": "evil@example.org"},
    "provider": {
        "intent": "pi_1",
        "payment_method": "pm_evil",
        "receipt_email": "evil@example.org",
    },
    "body": {
        "intent": "pi_1",
        "body": {"payment_method": "pm_evil", "receipt_email": "evil@example.org"},
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_hides_what_is_asked_for(upgraded: str, aws: FakeAws, form: str) -> None:
    """Who decides reads the action's own inputs, whatever names the caller has given; secrets are
    masked.
    """
    with runtime(upgraded, aws, {"rules": {"approve": ["stripe/*"]}}) as jackfield:
        jackfield.connections.add(
            "shop", "stripe/secretKey", {"token": "sk_test_4711471147114711"}, test=False
        )
        found = jackfield.invoke(
            {**CONFIRM, "inputs": {**FORMS[form], "clientSecret": "s3cr3t-of-it"}}
        )
        assert found.status == "waiting", found.to_json()["error"]["details"]
        shown = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).show(
            found.meta.invocation_id
        )["inputs"]
        assert {name: shown[name] for name in FORMS["own"]} == FORMS["own"]
        assert shown["clientSecret"] == "***"


def test_the_members_that_change_a_call_are_shown(upgraded: str, aws: FakeAws) -> None:
    """With their values by default, if the caller gave none; of the version, the one that is
    bound.
    """
    now = int(SystemClock().time())
    more: dict[str, Any] = {
        "onDoubt": "retry",
        "timeoutSeconds": 7,
        "repeat": True,
        "partial": "fail",
        "notAfter": iso(now + 7200),
        "notBefore": iso(now + 3600),
        "context": {"labels": {"a": "b"}},
    }
    with runtime(upgraded, aws) as jackfield:
        call = {name: value for name, value in mail("order-1").items() if name != "idempotencyKey"}
        found = jackfield.enqueue({**call, **more, "connectorVersion": ">=0"})
        assert isinstance(found, Result), found
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        shown = approvals.show(found.meta.invocation_id)
        assert {name: shown[name] for name in more} == more
        assert "idempotencyKey" not in shown
        assert shown["connectorVersion"] == found.meta.connector_version
        assert shown["inputs"]["awsRegion"] == "eu-west-1"  # the connection brings it
        plain = approvals.show(asked(jackfield).meta.invocation_id)
        assert plain["idempotencyKey"] == "order-1"
        assert {
            name: plain[name]
            for name in ("onDoubt", "timeoutSeconds", "repeat", "partial", "trace")
        } == {
            "onDoubt": "report",
            "timeoutSeconds": 60.0,
            "repeat": False,
            "partial": "warn",
            "trace": False,
        }


def test_a_file_is_shown_where_it_is_sent(upgraded: str, aws: FakeAws) -> None:
    """Each has its ID, by which its type and SHA-256 are shown."""
    with runtime(upgraded, aws) as jackfield:
        found = asked(jackfield, inputs={**mail("order-1")["inputs"], "attachments": CONTENTS})
        shown = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).show(
            found.meta.invocation_id
        )
        digests = {
            name: shown["files"][place["file"]]["sha256"]
            for name, place in shown["inputs"]["attachments"].items()
        }
        assert digests == {
            name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()
        }


TAMPERED = {
    "action": "UPDATE invocations SET action = 'getAccount' WHERE id = :id",
    "effect": "UPDATE invocations SET effect = 'read' WHERE id = :id",
    "connection": "UPDATE invocations SET connection = NULL WHERE id = :id",
    "rule": "UPDATE approvals SET rule = 'harmless' WHERE id = :id",
    "requester": """UPDATE approvals SET requested_by = '{"caller": "cli:ada"}' WHERE id = :id""",
}


@pytest.mark.parametrize("read", ["list", "show", "approve", "decline"])
@pytest.mark.parametrize("column", TAMPERED)
def test_a_changed_column_deceives_nobody(
    upgraded: str, aws: FakeAws, column: str, read: str
) -> None:
    """Whoever reads or decides finds a call cancelled whose columns say something else than what
    was sealed.
    """
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        jackfield.storage.database.record(
            lambda transaction: transaction.change(TAMPERED[column], {"id": identifier})
        )
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        if read == "list":
            assert [row["status"] for row in approvals.list()[0]] == ["cancelled"]
        else:
            with pytest.raises(ApprovalClosed, match="its row in the database was changed"):
                getattr(approvals, read)(identifier)
        assert (status_of(jackfield, identifier), worked(jackfield)) == (
            ("failed", "cancelled"),
            [],
        )


def test_the_reason_of_a_decision_is_sealed(upgraded: str, aws: FakeAws) -> None:
    """Who changes why a call was approved has it cancelled."""
    with runtime(upgraded, aws) as jackfield:
        identifier = asked(jackfield).meta.invocation_id
        jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).approve(
            identifier, "fine"
        )
        jackfield.storage.database.record(
            lambda transaction: transaction.change(
                "UPDATE approvals SET why = 'the board agreed'", {}
            )
        )
        assert [result.error and result.error.code for result in worked(jackfield)] == ["cancelled"]


def test_where_it_goes_is_shown(upgraded: str, aws: FakeAws) -> None:
    """The hosts that the connection names, else those of the connector; the connection's values
    without secrets, and the account.
    """
    with runtime(
        upgraded, aws, {"rules": {"approve": ["stripe/*", "aws-ses/sendEmail"]}}
    ) as jackfield:
        jackfield.connections.add(
            "shop", "stripe/secretKey", {"token": "sk_test_4711471147114711"}, test=False
        )
        approvals = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)
        found = approvals.show(
            jackfield.invoke({**CONFIRM, "inputs": FORMS["own"]}).meta.invocation_id
        )
        assert [host.removeprefix("https://") for host in found["destination"]["hosts"]] == [
            "api.stripe.com"
        ]
        mail_ = approvals.show(asked(jackfield).meta.invocation_id)
        assert mail_["destination"]["hosts"] == [aws.url]
        assert mail_["destination"]["connection"]["region"] == "eu-west-1"
        assert ("s3cr3t" in str(mail_["destination"]), "sk_test" in str(found)) == (False, False)


def test_a_connector_without_named_hosts_shows_its_own(upgraded: str, aws: FakeAws) -> None:
    """As patterns: the action chooses one of them by its inputs."""
    with runtime(upgraded, aws, {"rules": {"approve": ["aws-ses/sendEmail"]}}) as jackfield:
        jackfield.connections.add(
            "plain",
            "aws-ses/apiKeySecret",
            {"accessKeyId": "AKIA", "secretAccessKey": "s3cr3t-of-it", "region": "eu-west-1"},
            test=False,
        )
        found = asked(jackfield, connection="plain")
        shown = jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB).show(
            found.meta.invocation_id
        )
        assert shown["destination"]["hosts"] == ["*.amazonaws.com", "*.amazonaws.com.cn"]
