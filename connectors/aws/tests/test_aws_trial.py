"""Testing a connection says whose it is, whether the role works, and whether the External ID guards
it; it sends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aws_opening import EXTERNAL_ID, KEY_ID, NOWHERE, ROLE_ARN, SECRET, Opener
from fake_aws import FakeAws, Role, User
from jackfield.connector import Account, InvalidConnection, Step
from jackfield_aws import ApiKeySecret, AwsAssumeRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USER_ARN = "arn:aws:iam::111122223333:user/jackfield"
VALUES = {
    "roleARN": ROLE_ARN,
    "externalId": EXTERNAL_ID,
    "accessKeyId": KEY_ID,
    "secretAccessKey": SECRET,
}


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    roles = {ROLE_ARN: Role(external_id=EXTERNAL_ID), f"{ROLE_ARN}-open": Role()}
    with FakeAws(
        roles=roles, users={KEY_ID: User(secret=SECRET, arn=USER_ARN)}, verify_signatures=True
    ) as aws:
        yield aws


def _split(found: Iterable[Step | Account]) -> tuple[dict[str, Step], list[Account]]:
    rows = list(found)
    return {row.key: row for row in rows if isinstance(row, Step)}, [
        row for row in rows if isinstance(row, Account)
    ]


def _try_role(opener: Opener, **values: Any) -> tuple[dict[str, Step], list[Account]]:
    given = {name: value for name, value in (VALUES | values).items() if value is not None}
    return _split(AwsAssumeRole.model_validate(given).test(opener.context()))


def test_a_good_role_passes_every_step(opener: Opener, aws: FakeAws) -> None:
    """A role that asks for its External ID passes, and its account is the connection's."""
    steps, accounts = _try_role(opener)
    assert list(steps) == ["credentials", "role", "externalIdRequired"]
    assert all(step.passed for step in steps.values())
    assert accounts == [Account("123456789012", ROLE_ARN)]
    assert aws.received == 0


def test_a_role_without_the_condition_is_warned_about(opener: Opener) -> None:
    """A role that can be assumed without the External ID works, but a step that is not mandatory
    fails, with the cure.
    """
    steps, _ = _try_role(opener, roleARN=f"{ROLE_ARN}-open")
    warning = steps["externalIdRequired"]
    assert (warning.passed, warning.mandatory) == (False, False)
    assert USER_ARN in (warning.hint or "")
    assert "sts:ExternalId" in (warning.hint or "")
    assert EXTERNAL_ID not in f"{warning}"


def test_without_an_external_id_nothing_is_probed(opener: Opener, aws: FakeAws) -> None:
    """Where the connection has no External ID there is nothing to warn about."""
    steps, _ = _try_role(opener, roleARN=f"{ROLE_ARN}-open", externalId=None)
    assert list(steps) == ["credentials", "role"]
    assert aws.counts["sts:AssumeRole"] == 1


def test_wrong_keys_end_the_test(opener: Opener, aws: FakeAws) -> None:
    """Keys that AWS refuses fail the first step, and the role is not tried."""
    steps, accounts = _try_role(opener, secretAccessKey="wrong")
    assert [(step.key, step.passed, step.mandatory) for step in steps.values()] == [
        ("credentials", False, True)
    ]
    assert steps["credentials"].hint
    assert accounts == []
    assert aws.counts["sts:AssumeRole"] == 0


def test_a_refused_role_fails_its_step(opener: Opener) -> None:
    """A role that cannot be assumed fails the second step with the trust policy to have."""
    steps, accounts = _try_role(opener, externalId="wrong-one")
    assert [(step.key, step.passed) for step in steps.values()] == [
        ("credentials", True),
        ("role", False),
    ]
    assert "trust policy" in (steps["role"].hint or "")
    assert accounts == []


def test_a_probe_that_fails_otherwise_says_so(opener: Opener, aws: FakeAws) -> None:
    """Where the probe itself is throttled, the step says that, and the connection stays good."""
    aws.script(
        [
            {"do": "pass", "operation": "AssumeRole"},
            {"do": "status", "operation": "AssumeRole", "code": "Throttling"},
        ]
    )
    steps, accounts = _try_role(opener)
    assert (steps["externalIdRequired"].passed, steps["externalIdRequired"].mandatory) == (
        False,
        False,
    )
    assert accounts


def test_values_that_do_not_fit_are_refused(opener: Opener, aws: FakeAws) -> None:
    """A role of another partition is refused before anything is asked."""
    with pytest.raises(InvalidConnection):
        _try_role(opener, region="cn-north-1")
    assert aws.calls() == []


def test_access_keys_say_whose_they_are(opener: Opener, aws: FakeAws) -> None:
    """An access key's test names account and user, with one call."""
    kind = ApiKeySecret.model_validate({"accessKeyId": KEY_ID, "secretAccessKey": SECRET})
    steps, accounts = _split(kind.test(opener.context()))
    assert [step.passed for step in steps.values()] == [True]
    assert accounts == [Account("111122223333", USER_ARN)]
    assert aws.calls() == ["sts:GetCallerIdentity"]


def test_keys_for_an_endpoint_of_its_own_are_not_shown_to_aws() -> None:
    """A connection with its own endpoint is not tried against AWS's STS: the step is left open, and
    the connection is not failing.
    """
    kind = ApiKeySecret.model_validate(
        {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, "endpoint": NOWHERE}
    )
    steps, accounts = _split(kind.test(Opener().context()))
    assert [(step.passed, step.mandatory) for step in steps.values()] == [(False, False)]
    assert accounts == []
