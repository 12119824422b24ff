"""The machine's own identity: found once, explained where it is missing, never mixed into
connections that bring keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aws_opening import KEY_ID, ROLE_ARN, SECRET, Opener
from fake_aws import FakeAws, Role, User
from jackfield.connector import Account, InvalidConnection, JackfieldError, Sent, Step
from jackfield.connector.context import entered
from jackfield_aws import AwsAssumeRole, AwsDefault, sessions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST_KEY = "AKIAHOSTHOSTHOSTHOST"
HOST_ARN = "arn:aws:iam::111122223333:user/host"


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    users = {HOST_KEY: User(secret=SECRET, arn=HOST_ARN), KEY_ID: User(secret=SECRET)}
    with FakeAws(users=users, roles={ROLE_ARN: Role()}, verify_signatures=True) as aws:
        yield aws


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any AWS identity, and Sessions that know no other."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@pytest.fixture(name="host")
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", HOST_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def _refusal(opener: Opener, kind: Any) -> JackfieldError:
    with pytest.raises(JackfieldError) as raised:
        kind.open(opener.context(awsRegion="eu-west-1"))
    assert raised.value.sent is Sent.NOTHING
    return raised.value


@pytest.mark.usefixtures("host")
def test_the_environment_signs_in(opener: Opener, aws: FakeAws) -> None:
    """The keys of the environment sign in, and the identity is looked for once."""
    for _ in range(3):
        AwsDefault().open(opener.context(awsRegion="eu-west-1")).client("sesv2").get_account()
    assert {request.access_key_id for request in aws.requests} == {HOST_KEY}
    assert opener.leases.made == 2


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("token", ["FwoG\nZXIv", "FwoG\x7f"])
def test_a_token_that_cannot_be_sent_is_no_try(
    opener: Opener, aws: FakeAws, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """What the host brings along is judged before it is sent: no try has begun where a header
    cannot hold it.
    """
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    context = opener.context(awsRegion="eu-west-1")
    with (
        entered(context.call),
        pytest.raises(
            InvalidConnection, match="a key or an endpoint contains characters"
        ) as raised,
    ):
        AwsDefault().open(context).client("sesv2").get_account()
    assert (context.call.begun, raised.value.sent, aws.calls()) == (False, Sent.NOTHING, [])
    assert raised.value.hint


def test_a_profile_signs_in_with_its_region(opener: Opener, aws: FakeAws, tmp_path: Path) -> None:
    """A profile brings keys and region along."""
    (tmp_path / "credentials").write_text(
        f"[acme]\naws_access_key_id = {HOST_KEY}\naws_secret_access_key = {SECRET}\n"
    )
    (tmp_path / "config").write_text("[profile acme]\nregion = eu-north-1\n")
    clients = AwsDefault(profile="acme").open(opener.context())
    clients.client("sesv2").get_account()
    assert (aws.requests[0].region, aws.requests[0].access_key_id) == ("eu-north-1", HOST_KEY)
    assert not clients.renewable


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (AwsDefault(), ""),
        (AwsDefault(disable_imds=True), ""),
        (AwsDefault(profile="nobody"), "/profile"),
        (AwsAssumeRole(role_arn=ROLE_ARN), "/accessKeyId"),
    ],
)
def test_no_identity_is_the_connections_fault(
    opener: Opener, aws: FakeAws, kind: Any, path: str
) -> None:
    """A machine without an identity, or without that profile, is told before anything is sent, at
    the value to set.
    """
    error = _refusal(opener, kind)
    assert isinstance(error, InvalidConnection)
    assert [detail.path for detail in error.details] == [path]
    assert error.hint
    assert aws.calls() == []


def test_half_an_identity_is_explained(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment without its secret is refused."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", HOST_KEY)
    assert "incomplete" in _refusal(opener, AwsDefault()).message


@pytest.mark.usefixtures("host")
def test_the_machine_may_assume_a_role(opener: Opener, aws: FakeAws) -> None:
    """A role without keys is assumed by the machine's identity."""
    AwsAssumeRole(role_arn=ROLE_ARN).open(opener.context(awsRegion="eu-west-1")).client(
        "sesv2"
    ).get_account()
    assert [request.access_key_id for request in aws.requests] == [
        HOST_KEY,
        aws.sessions[0].access_key_id,
    ]


@pytest.mark.usefixtures("host")
def test_the_machines_identity_is_tested_like_any_other(opener: Opener) -> None:
    """The test of an ambient connection says whose it is."""
    step, account = AwsDefault().test(opener.context())
    assert isinstance(step, Step)
    assert step.passed
    assert account == Account("111122223333", HOST_ARN)


@pytest.mark.usefixtures("host")
def test_a_role_of_the_machine_is_tested_too(opener: Opener) -> None:
    """The test of a role that the machine assumes goes through the same steps."""
    found = list(AwsAssumeRole(role_arn=ROLE_ARN).test(opener.context()))
    assert [item.key for item in found if isinstance(item, Step)] == ["credentials", "role"]


def test_metadata_can_be_left_out_for_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where disableImds is set, it takes the instance's role out of the chain of that connection,
    and of no other.
    """
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    for disabled in (True, False):
        with sessions.shared_session(sessions.Ambient(disable_imds=disabled)) as session:
            methods = {
                provider.METHOD
                for provider in session.get_component("credential_provider").providers
            }
        assert ("iam-role" in methods) is not disabled


@pytest.mark.usefixtures("host")
def test_sts_stays_regional(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS is asked in its region even where the environment asks for the old global endpoint."""
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    client = sessions.make_client(sessions.ClientSpec("sts", "us-west-2", None, sessions.Ambient()))
    assert client.meta.endpoint_url == "https://sts.us-west-2.amazonaws.com"
    client.close()
