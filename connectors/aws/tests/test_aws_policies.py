"""IAM policies come from the permissions that actions declare."""

from __future__ import annotations

import json

import pytest

from aws_opening import ROLE_ARN
from jackfield.connector import InvalidConnection
from jackfield_aws import identity_policy, session_policy, trust_policy
from jackfield_aws.policies import assume_policy, session_policy_text


def test_identity_policy_allows_exactly_the_permissions() -> None:
    """Each permission is allowed once, in a fixed order, and nothing else is."""
    policy = identity_policy(["ses:SendEmail", "ses:ListIdentities", "ses:SendEmail"])
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": ["ses:ListIdentities", "ses:SendEmail"], "Resource": "*"}
    ]
    assert policy["Version"] == "2012-10-17"


def test_trust_policy_holds_the_external_id() -> None:
    """With an External ID the trust policy demands it; without one it has no condition."""
    user = "arn:aws:iam::111122223333:user/jackfield"
    (guarded,) = trust_policy(user, "acme")["Statement"]
    assert guarded["Condition"] == {"StringEquals": {"sts:ExternalId": "acme"}}
    assert guarded["Principal"] == {"AWS": user}
    assert "Condition" not in trust_policy(user)["Statement"][0]


def test_assume_policy_names_one_role() -> None:
    """The user who assumes a role may do that and nothing else."""
    assert assume_policy(ROLE_ARN)["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE_ARN}
    ]


def test_session_policy_needs_permissions() -> None:
    """A session that may do nothing is refused before it is asked for."""
    assert session_policy(["ses:SendEmail"]) == identity_policy(["ses:SendEmail"])
    with pytest.raises(InvalidConnection) as raised:
        session_policy([])
    assert raised.value.details[0].path == "/sessionPolicy"


def test_session_policy_text_ends_at_the_limit_of_sts() -> None:
    """2,048 characters are taken, one more is refused with both numbers."""
    empty = len(session_policy_text({"x": ""}))
    assert len(session_policy_text({"x": "a" * (2048 - empty)})) == 2048
    assert json.loads(session_policy_text({"x": "ä"})) == {"x": "ä"}
    with pytest.raises(InvalidConnection, match="2049 characters; STS accepts at most 2048"):
        session_policy_text({"x": "a" * (2049 - empty)})


def test_a_session_policy_that_is_too_long_names_verbs() -> None:
    """Reads become patterns first, other verbs only if that is not enough; what sends never does,
    and keeps the condition on a tenant.
    """
    sends = ["ses:SendEmail", "ses:SendBulkEmail"]
    reads = [f"ses:Get{letter * 20}" for letter in "ABCDEFGH"] + [
        f"sns:List{letter * 20}" for letter in "AB"
    ]
    writes = [f"ses:Put{letter * 20}" for letter in "ABCDEFGH"]
    short = session_policy([*sends, *reads, *writes])
    assert short == identity_policy([*sends, *reads, *writes])

    def actions(count: int) -> list[str]:
        policy = session_policy(
            [*sends, *reads, *(f"{name}{number}" for name in writes for number in range(count))],
            "acme",
        )
        assert len(session_policy_text(policy)) <= 2048
        assert policy["Statement"][0] == {
            "Effect": "Allow",
            "Action": sorted(sends),
            "Resource": "*",
            "Condition": {"StringEquals": {"ses:TenantName": "acme"}},
        }
        return list(policy["Statement"][1]["Action"])

    shortened = actions(7)
    assert (shortened[0], shortened[-1], len(shortened)) == ("ses:Get*", "sns:List*", 7 * 8 + 2)
    assert actions(40) == ["ses:Get*", "ses:Put*", "sns:List*"]
