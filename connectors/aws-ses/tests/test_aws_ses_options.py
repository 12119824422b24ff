"""The choices of form fields: regions, and the identities that the account has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import Forbidden, InvalidConnection, InvalidInput, InvalidInvocation
from rig import Rig, key_values, role_values

IDENTITIES = ["example.com", "ada@example.com", {"name": "bob@example.com", "region": "us-east-1"}]


def row(name: str, status: str = "SUCCESS", *, enabled: bool = True) -> dict[str, Any]:
    """An identity as Amazon SES lists it."""
    kind = "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
    return {
        "IdentityName": name,
        "IdentityType": kind,
        "SendingEnabled": enabled,
        "VerificationStatus": status,
    }


def test_senders_are_the_identities_of_the_region(tmp_path: Path) -> None:
    """Addresses and domains in the connection's own region with their status, verified ones
    first.
    """
    rows = [
        row("bob@example.com", "PENDING"),
        row("ada@example.com"),
        row("example.com"),
        row("old.example", enabled=False),
    ]
    answers = {"ListEmailIdentities": {"EmailIdentities": rows}}
    with Rig(tmp_path, values=role_values(region="eu-west-1"), answers=answers) as rig:
        assert rig.jackfield.options("aws-ses", "identities", connection="acme") == [
            {"value": "ada@example.com", "label": "ada@example.com (verified)"},
            {"value": "@example.com", "label": "any address at example.com (verified)"},
            {"value": "bob@example.com", "label": "bob@example.com (not verified: pending)"},
            {
                "value": "@old.example",
                "label": "any address at old.example (verified, sending disabled)",
            },
        ]
        assert rig.aws.calls() == ["sts:AssumeRole", "sesv2:ListEmailIdentities"]
        with pytest.raises(InvalidInvocation, match="needs a connection"):
            rig.jackfield.options("aws-ses", "identities")


def test_senders_without_the_newer_permission(tmp_path: Path) -> None:
    """A role that may only list by version 1 still gives addresses, without their status."""
    denied = {
        "do": "status",
        "operation": "ListEmailIdentities",
        "code": "AccessDeniedException",
        "status": 403,
    }
    with Rig(
        tmp_path, values=role_values(region="eu-west-1"), identities=IDENTITIES, script=[denied]
    ) as rig:
        found = rig.jackfield.options("aws-ses", "identities", connection="acme")
    assert found == [{"value": "ada@example.com", "label": "ada@example.com"}]


def test_senders_that_cannot_be_asked_for(tmp_path: Path) -> None:
    """What SES says is mapped as for an action."""
    denied = {
        "do": "status",
        "operation": "*",
        "code": "AccessDenied",
        "status": 403,
        "always": True,
    }
    with (
        Rig(tmp_path, values=key_values(region="eu-west-1"), script=[denied]) as rig,
        pytest.raises(Forbidden, match="ListIdentities"),
    ):
        rig.jackfield.options("aws-ses", "identities", connection="acme")


def test_the_form_gives_the_region_that_the_connection_lacks(tmp_path: Path) -> None:
    """Prismatic's connections have no region: the choices were refused with a hint that could not
    be followed.
    """
    answers = {"ListEmailIdentities": {"EmailIdentities": [row("ada@example.com")]}}
    with Rig(tmp_path, values=key_values(), answers=answers) as rig:

        def choices(**inputs: Any) -> list[dict[str, str]]:
            return rig.jackfield.options("aws-ses", "identities", connection="acme", inputs=inputs)

        assert [item["value"] for item in choices(awsRegion=" US-East-1", subject="Hello")] == [
            "ada@example.com"
        ]
        assert rig.aws.requests[-1].region == "us-east-1"
        for given in ("nowhere", "x.evil.example/", 5):
            with pytest.raises(InvalidInput) as caught:
                choices(awsRegion=given)
            assert caught.value.details[0].path == "/awsRegion"
        with pytest.raises(InvalidConnection, match="no AWS region is given"):
            choices()
