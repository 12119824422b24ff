"""The choices of form fields: regions, and the identities that the account has."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.errors import Forbidden, InvalidInvocation
from rig import Rig, role_values

IDENTITIES = ["example.com", "ada@example.com", {"name": "bob@example.com", "region": "us-east-1"}]


def test_senders_are_the_identities_of_the_region(tmp_path: Path) -> None:
    """Addresses in the connection's own region, asked of SES with the session of its role."""
    with Rig(tmp_path, values=role_values(region="eu-west-1"), identities=IDENTITIES) as rig:
        found = rig.jackfield.options("aws-ses", "identities", connection="acme")
        assert found == [{"value": "ada@example.com", "label": "ada@example.com"}]
        assert rig.aws.calls() == ["sts:AssumeRole", "ses:ListIdentities"]
        with pytest.raises(InvalidInvocation, match="needs a connection"):
            rig.jackfield.options("aws-ses", "identities")


def test_senders_that_cannot_be_asked_for(tmp_path: Path) -> None:
    """What SES says is mapped as for an action."""
    denied = {"do": "status", "operation": "ListIdentities", "code": "AccessDenied", "status": 403}
    with Rig(tmp_path, values=role_values(region="eu-west-1"), script=[denied]) as rig, pytest.raises(Forbidden, match="ListIdentities"):
        rig.jackfield.options("aws-ses", "identities", connection="acme")
