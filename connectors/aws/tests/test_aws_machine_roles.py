"""Roles and web identities that the machine's own AWS configuration names: where STS is asked, and
what a wrong setup comes to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aws_opening import KEY_ID, ROLE_ARN, SECRET, Opener
from fake_aws import FakeAws, Role, User
from jackfield.connector import InvalidConnection, JackfieldError, Sent, Step, Unauthenticated
from jackfield_aws import AwsDefault
from jackfield_aws.errors import AWS_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
)


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    with FakeAws(users={KEY_ID: User(secret=SECRET)}, roles={ROLE_ARN: Role()}) as aws:
        yield aws


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aws: FakeAws) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


@pytest.mark.parametrize("region", ["eu-west-1", "us-west-2"])
def test_f2_the_region_of_a_connection_reaches_sts_for_a_role_of_the_machine(
    opener: Opener, aws: FakeAws, tmp_path: Path, region: str
) -> None:
    """A profile with a role and no region assumes it in the connection's region, or in the
    call's.
    """
    (tmp_path / "config").write_text(
        f"[profile acme]\nrole_arn = {ROLE_ARN}\nsource_profile = base\n"
    )
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    AwsDefault(profile="acme", region=region).open(opener.context()).client("sesv2").get_account()
    AwsDefault(profile="acme").open(opener.context(awsRegion=region)).client(
        "sesv2", region
    ).get_account()
    assert {request.region for request in aws.requests} == {region}
    assert "sts:AssumeRole" in aws.calls()


@pytest.mark.parametrize(
    ("token", "session"),
    [(None, "jackfield"), ("", "jackfield"), ("abc", "jackfield"), ("t" * 40, "x")],
)
def test_f5_a_wrong_web_identity_is_the_machines_fault(
    opener: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str | None, session: str
) -> None:
    """A token file that is missing, empty or too short, and a session name of one character, are
    told with what to check.
    """
    if token is not None:
        (tmp_path / "token").write_text(token)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE_ARN)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", session)
    kind = AwsDefault(region="eu-west-1")
    try:
        kind.open(opener.context()).client("sesv2").get_account()
    except JackfieldError as error:
        found = error
    except Exception as error:  # noqa: BLE001 (what the pipe asks the error map about)
        found = AWS_ERRORS(error, None) or pytest.fail(f"{error!r} is not explained")
    assert isinstance(found, InvalidConnection | Unauthenticated)
    assert found.sent is Sent.NOTHING
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in (found.hint or "")
    (step,) = kind.test(opener.context())
    assert isinstance(step, Step)
    assert not step.passed
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in (step.hint or "")
