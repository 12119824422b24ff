"""The machine's own identity is resolved before the action: whatever its source does, nothing of
the action is in doubt.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore import credentials
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider

from aws_opening import MAIL as SIMPLE
from aws_opening import Opener
from identity_sources import (
    MOODS,
    ROLE,
    SOURCES,
    VARIABLES,
    CrtKeys,
    Stand,
    environment_of,
    identity_stand,
)
from jackfield import Jackfield
from jackfield.connector import Sent, Unavailable
from jackfield.kernel.dataclass import replace
from jackfield_aws import AwsDefault, sessions
from jackfield_aws.machine import sources
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAIL = {"to": "ada@example.com", "sender": "n@example.com", "subject": "s", "text": "t"}
REFUSED = {"unauthenticated"}
OUT = {"unavailable", "timeout"}
CODES = {
    "fault": OUT,
    "reset": OUT,
    "silence": OUT,
    "garbage": OUT,
    "denial": REFUSED,
    "expiry": REFUSED,
}


@pytest.fixture(name="stand")
def _stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for kind in (SSOProvider, SSOTokenProvider):
        monkeypatch.setattr(kind, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))
    if credentials.EC is None:  # botocore[crt] is not installed
        monkeypatch.setattr(credentials, "EC", CrtKeys)
    os.mkfifo(tmp_path / "silence")
    with identity_stand(tmp_path) as stand:
        yield stand


@pytest.fixture(name="prepared")
def _prepared(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Jackfield]]:
    """Return a function that sets the machine up with a source, and opens jackfield with
    connections to its identity.
    """
    opened: list[Jackfield] = []

    def prepare(source: str, **settings: str) -> Jackfield:
        for name, value in environment_of(source, stand, **settings).items():
            monkeypatch.setenv(name, value)
        own = {"type": "aws/awsDefault", "values": {"region": "eu-west-1"}}
        role = {
            "type": "aws/awsAssumeRole",
            "values": {"roleARN": f"{ROLE}-customer", "region": "eu-west-1"},
        }
        keys = {
            "type": "aws/apiKeySecret",
            "values": {"accessKeyId": "AKIAOTHER", "secretAccessKey": "s", "region": "eu-west-1"},
        }
        environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        environment["JACKFIELD_HOME"] = str(stand.folder / "home")
        opened.append(
            Jackfield(connections={"own": own, "role": role, "keys": keys}, environment=environment)
        )
        return opened[-1]

    yield prepare
    stand.mood = ""
    for one in opened:
        one.close()


def _send(
    jackfield: Jackfield, connection: str = "own", key: str = "order-1", seconds: float = 60
) -> Any:
    call = {"connector": "aws-ses", "action": "sendEmail", "connection": connection, "inputs": MAIL}
    return jackfield.invoke({**call, "idempotencyKey": key, "timeoutSeconds": seconds})


def _codes(source: str, mood: str) -> set[str]:
    """Return the codes for a failure; metadata services extend what has expired. What a process
    prints is its author's affair.
    """
    return {"invalid_connection"} if "process" in source and mood == "garbage" else CODES[mood]


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(
    ("connection", "source"),
    [*(("own", one) for one in SOURCES), ("role", "web identity"), ("role", "container")],
)
def test_a_failing_source_leaves_nothing_in_doubt(
    prepared: Callable[..., Jackfield],
    stand: Stand,
    caplog: pytest.LogCaptureFixture,
    connection: str,
    source: str,
    mood: str,
) -> None:
    """Whatever a source does, nothing is sent or in doubt, the key is not spent, nobody's connector
    is blamed; then the key succeeds.
    """
    jackfield = prepared(source)
    stand.mood = mood
    result = _send(jackfield, connection, seconds=1 if _codes(source, mood) is OUT else 60)
    if result.status == "succeeded":
        # botocore extends them, as AWS demands of its SDKs
        assert (mood, "instance" in source) == ("expiry", True)
        return
    assert (result.status, stand.sent) == ("failed", 0)
    assert result.error.code in _codes(source, mood), result.to_json()
    assert result.error.hint
    assert result.meta.attempts == 0
    assert "bug" not in caplog.text
    stand.mood = ""
    assert _send(jackfield, connection).status == "succeeded"
    assert stand.sent == 1


@pytest.mark.parametrize("direct", ["1", "0"])
def test_an_outage_is_overcome_within_the_deadline(
    prepared: Callable[..., Jackfield], stand: Stand, monkeypatch: pytest.MonkeyPatch, direct: str
) -> None:
    """A source that fails once is asked again, over our own wire and over botocore's client, and
    the action is carried out once.
    """
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", direct)
    jackfield = prepared("web identity")
    stand.mood = "fault"
    found: list[Any] = []
    caller = threading.Thread(target=lambda: found.append(_send(jackfield)))
    caller.start()
    assert stand.wait_until_asked("sts:AssumeRoleWithWebIdentity")
    stand.mood = ""
    caller.join(60)
    assert [result.status for result in found] == ["succeeded"]
    assert (stand.sent, found[0].meta.attempts) == (1, 1)


def test_a_silent_source_is_asked_again(
    prepared: Callable[..., Jackfield], stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source's silence ends before the deadline of the call, which leaves time to ask again."""
    monkeypatch.setattr(sources, "_SILENCE", 0.2)
    jackfield = prepared("web identity")
    stand.mood = "silence"
    found: list[Any] = []
    caller = threading.Thread(target=lambda: found.append(_send(jackfield)))
    caller.start()
    assert stand.wait_until_asked("sts:AssumeRoleWithWebIdentity", 2)
    stand.mood = ""
    caller.join(60)
    assert [result.status for result in found] == ["succeeded"]


@pytest.mark.parametrize(
    ("endpoint", "word"), [("http://127.0.0.1:9", "port"), ("http://nobody.invalid", "DNS")]
)
@pytest.mark.parametrize("source", ["web identity", "role"])
def test_an_unreachable_source_is_an_outage(
    prepared: Callable[..., Jackfield],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    endpoint: str,
    word: str,
) -> None:
    """No connection to a source is an outage, with what to check."""
    prepared(source)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
    with pytest.raises(Unavailable) as raised:
        sessions.find_keys(sessions.Ambient(), "eu-west-1")
    assert raised.value.sent is Sent.NOTHING
    assert word in (raised.value.hint or "")


def test_callers_share_one_fetch(prepared: Callable[..., Jackfield], stand: Stand) -> None:
    """Twenty callers wait for one request to the source."""
    jackfield = prepared("web identity")
    stand.mood = "silence"
    found: list[Any] = []
    callers = [
        threading.Thread(target=lambda n=n: found.append(_send(jackfield, key=f"order-{n}")))
        for n in range(20)
    ]
    for caller in callers:
        caller.start()
    assert stand.wait_until_asked("sts:AssumeRoleWithWebIdentity")
    stand.mood = ""
    for caller in callers:
        caller.join(60)
    assert [result.status for result in found] == ["succeeded"] * 20
    assert (stand.asked["sts:AssumeRoleWithWebIdentity"], stand.sent) == (1, 20)


def test_a_hanging_source_blocks_no_other_connection(
    prepared: Callable[..., Jackfield], stand: Stand
) -> None:
    """While twenty callers wait for a source that is silent, the callers of another connection are
    served.
    """
    jackfield = prepared("web identity")
    stand.mood = "silence"
    callers = [
        threading.Thread(target=_send, args=(jackfield, "own", f"order-{n}")) for n in range(20)
    ]
    for caller in callers:
        caller.start()
    assert stand.wait_until_asked("sts:AssumeRoleWithWebIdentity")
    results = [_send(jackfield, "keys", f"other-{n}") for n in range(20)]
    assert [result.status for result in results] == ["succeeded"] * 20
    assert any(caller.is_alive() for caller in callers)
    stand.mood = ""
    for caller in callers:
        caller.join(60)


def test_expiring_credentials_are_renewed_before_an_attempt(
    prepared: Callable[..., Jackfield], stand: Stand
) -> None:
    """Credentials that have expired are fetched anew while the connection opens; a failure of that
    is the identity's.
    """
    jackfield = prepared("web identity")
    stand.life = 1.0
    assert _send(jackfield, key="a").status == "succeeded"
    held = _held()
    held.found = replace(held.found, expires_at=1.0)
    held.renew_at = held.wait_at = 0.0
    stand.mood = "fault"
    failed = _send(jackfield, key="b", seconds=1)
    assert (failed.status, failed.error.code in OUT, failed.meta.attempts) == ("failed", True, 0)
    stand.mood = ""
    assert _send(jackfield, key="b").status == "succeeded"


def test_valid_credentials_survive_a_failed_renewal(
    prepared: Callable[..., Jackfield], stand: Stand
) -> None:
    """Credentials that are due but valid serve all callers while the source fails."""
    jackfield = prepared("web identity")
    assert _send(jackfield, key="a").status == "succeeded"
    held = _held()
    held.renew_at = held.wait_at = 0.0
    stand.mood = "fault"
    assert _send(jackfield, key="b").status == "succeeded"
    assert stand.asked["sts:AssumeRoleWithWebIdentity"] == 2


def test_due_credentials_never_hold_up_an_event_loop(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection says when opening it has to wait for the machine's credentials: it is then
    opened in a thread.
    """
    for name, value in environment_of("web identity", stand).items():
        monkeypatch.setenv(name, value)
    kind, opener = AwsDefault(region="eu-west-1"), Opener()
    kind.open(opener.context())
    assert not kind.asks_elsewhere
    _held().wait_at = 0.0
    assert kind.asks_elsewhere


def test_clients_of_other_regions_use_the_identity_that_was_opened(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of any region signs with the credentials that were fetched when the connection was
    opened; none fetches them itself.
    """
    for name, value in environment_of("web identity", stand).items():
        monkeypatch.setenv(name, value)
    clients = AwsDefault(region="eu-west-1").open(Opener({"AWS_ENDPOINT_URL": stand.url}).context())
    stand.mood = "fault"
    for region in ("eu-west-1", "us-east-1"):
        for as_json in (False, True):
            clients.client("sesv2", region, as_json=as_json).send_email(**SIMPLE)
    assert (stand.asked["sts:AssumeRoleWithWebIdentity"], stand.sent) == (1, 4)


def _held() -> Any:
    """Return the machine's credentials that are held."""
    return sessions.find_identity(sessions.Ambient(region="eu-west-1"))._held


WEB = "web identity"


@pytest.mark.parametrize(
    ("source", "code", "message", "status", "expected", "hint"),
    [
        (
            WEB,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            403,
            "unauthenticated",
            '"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/7"',
        ),
        (
            WEB,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://oidc.example.com/id/7",
            400,
            "invalid_connection",
            (
                "Create the IAM OIDC identity provider for https://oidc.example.com/id/7 in "
                "account 123456789012"
            ),
        ),
        (
            WEB,
            "InvalidIdentityToken",
            "Incorrect token audience",
            400,
            "invalid_connection",
            "audience",
        ),
        (
            WEB,
            "IDPCommunicationError",
            "Error communicating with the identity provider",
            400,
            "invalid_connection",
            "https://oidc.example",
        ),
        (
            WEB,
            "ValidationError",
            "Request ARN is invalid",
            400,
            "invalid_connection",
            "AWS_ROLE_ARN",
        ),
        (WEB, "ExpiredTokenException", "Token expired", 400, "unauthenticated", "renew"),
        (
            "role",
            "AccessDenied",
            "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole",
            403,
            "unauthenticated",
            "trust policy",
        ),
        (
            "role",
            "ValidationError",
            (
                "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                "assumed by role chaining"
            ),
            400,
            "invalid_connection",
            "set duration_seconds to 3600 in the profile",
        ),
        (
            "role",
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            400,
            "invalid_connection",
            "duration_seconds",
        ),
        ("sso", "ForbiddenException", "No access", 403, "unauthenticated", "permission set"),
        (
            "role",
            "AccessDenied",
            "Roles may not be assumed by root accounts.",
            403,
            "unauthenticated",
            "root user",
        ),
        (
            "role",
            "AccessDenied",
            (
                "MultiFactorAuthentication failed, must provide both MFA serial number and one "
                "time pass code."
            ),
            403,
            "unauthenticated",
            "MultiFactorAuthPresent",
        ),
    ],
)
def test_what_sts_says_against_the_machine_is_a_fault_of_the_identity(
    prepared: Callable[..., Jackfield],
    stand: Stand,
    caplog: pytest.LogCaptureFixture,
    source: str,
    code: str,
    message: str,
    status: int,
    expected: str,
    hint: str,
) -> None:
    """A refusal of the machine's identity has the cure of its source, and no line in the log."""
    stand.refusal = (code, message, status)
    jackfield = prepared(source)
    stand.mood = "denial"
    with caplog.at_level(logging.INFO):
        result = _send(jackfield)
    assert (result.status, result.error.code, result.meta.attempts) == ("failed", expected, 0)
    assert hint in result.error.hint
    assert message in result.error.message
    assert caplog.text == ""


def test_nobody_is_prompted(
    prepared: Callable[..., Jackfield], stand: Stand, capfd: pytest.CaptureFixture[str]
) -> None:
    """A profile that needs a one-time code is refused with the cure, and asks nobody on a
    terminal.
    """
    jackfield = prepared("role", mfa_serial="arn:aws:iam::123456789012:mfa/u")
    result = _send(jackfield)
    assert (result.error.code, stand.asked) == ("invalid_connection", {})
    assert "mfa_serial" in result.error.message
    assert "session token" in result.error.hint
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("denial", "AccessDenied: no"),
        ("garbage", "misconfigured"),
        ("expiry", "credential_process gave credentials that"),
    ],
)
def test_a_process_is_told_with_its_own_output(
    prepared: Callable[..., Jackfield], stand: Stand, mood: str, said: str
) -> None:
    """What a credential process writes to its standard error is in the message; no variable of
    another source is named.
    """
    jackfield = prepared("process")
    stand.mood = mood
    result = _send(jackfield)
    assert said in result.error.message
    assert "credential_process" in result.error.hint
    assert "AWS_WEB_IDENTITY" not in result.error.hint


@pytest.mark.parametrize(
    ("status", "output", "code"),
    [
        (
            1,
            "An error occurred (AccessDenied) when calling the AssumeRole operation: no",
            "unauthenticated",
        ),
        (255, "Error loading SSO Token: Token for acme has expired", "unauthenticated"),
        (1, "error: response status 403 Forbidden", "unauthenticated"),
        (1, "Please sign in again: saml2aws login", "unauthenticated"),
        (255, 'Could not connect to the endpoint URL: "https://login.example.com"', "unavailable"),
        (1, "dial tcp: lookup sts.amazonaws.com: no such host", "unavailable"),
        (1, "Unable to authenticate: connection timed out", "unavailable"),
        (254, "An error occurred (500) when calling the AssumeRole operation", "unavailable"),
        (1, "An error occurred (Throttling): Rate exceeded", "unavailable"),
        (2, "usage: tool [-h]", "invalid_connection"),
        (1, "", "invalid_connection"),
        (1, "tool: \u00e9chec", "invalid_connection"),
        (127, "sh: no-such-program: not found", "invalid_connection"),
        (126, "Permission denied", "invalid_connection"),
    ],
)
def test_a_process_is_judged_by_what_it_says(
    prepared: Callable[..., Jackfield], stand: Stand, status: int, output: str, code: str
) -> None:
    """A refusal is unauthenticated, no answer is an outage, and all else is the configuration; the
    status and the output are told.
    """
    jackfield = prepared("process")
    (stand.folder / "said").write_text(output, encoding="latin-1")
    (stand.folder / "process.sh").write_text(f"cat '{stand.folder}/said' >&2; exit {status}")
    # the program runs at least once, also on a busy machine
    result = _send(jackfield, seconds=8 if code == "unavailable" else 60)
    assert result.error.code in (OUT if code == "unavailable" else {code})
    assert f"exit status {status}" in result.error.message
    assert "credential_process" in result.error.hint
    assert result.meta.attempts == stand.sent == 0


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "'"])
def test_a_process_that_cannot_be_started_is_the_configuration(
    prepared: Callable[..., Jackfield], stand: Stand, command: str
) -> None:
    """A program that is missing, is none, or has a command that cannot be read is told with what it
    must be.
    """
    jackfield = prepared("process")
    (stand.folder / "config").write_text(f"[default]\ncredential_process = {command}\n")
    result = _send(jackfield)
    assert (result.error.code, result.meta.attempts) == ("invalid_connection", 0)
    assert "must be a program that this server's user can run" in result.error.hint


def test_a_login_needs_a_library(
    prepared: Callable[..., Jackfield], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in of 'aws login' names the package that it needs."""
    monkeypatch.setattr(credentials, "EC", None)
    result = _send(prepared("login"))
    assert (result.error.code, result.meta.attempts) == ("invalid_connection", 0)
    assert "botocore[crt]" in result.error.message + result.error.hint


@pytest.mark.parametrize("source", ["login", "sso sign-in"])
def test_a_sign_in_is_renewed_whoever_has_left(
    prepared: Callable[..., Jackfield], stand: Stand, source: str
) -> None:
    """The answer to a renewal holds the only refresh token, so it is written to the file although
    its caller has left meanwhile.
    """
    jackfield = prepared(source)
    stand.mood = "silence"
    assert _send(jackfield, seconds=1).error.code in OUT
    stand.mood = ""
    assert _send(jackfield).status == "succeeded"
    assert stand.asked["signin:CreateOAuth2Token" if source == "login" else "sso:CreateToken"] == 1


@pytest.mark.parametrize("source", ["login", "sso sign-in"])
def test_a_sign_in_is_renewed_once(
    prepared: Callable[..., Jackfield], stand: Stand, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch whose caller has left before the renewal begins leaves that to the next one: a
    refresh token is good for one.
    """
    jackfield, fetch, left = prepared(source), sources.Sources.fetch, threading.Event()

    def late(asked: sources.Sources) -> sources.Found:
        left.wait(60)
        return fetch(asked)

    monkeypatch.setattr(sources.Sources, "fetch", late)
    assert _send(jackfield, seconds=0.3).error.code in OUT
    left.set()
    assert _send(jackfield).status == "succeeded"
    until(lambda: "aws-identity" not in {thread.name for thread in threading.enumerate()})
    assert stand.asked["signin:CreateOAuth2Token" if source == "login" else "sso:CreateToken"] == 1


def test_a_process_that_hangs_is_ended(prepared: Callable[..., Jackfield], stand: Stand) -> None:
    """A credential process has no terminal, and ends with its children at the deadline."""
    jackfield = prepared("process")
    stand.mood = "silence"
    assert _send(jackfield, seconds=1).error.code in OUT
    (stand.folder / "silence").unlink()  # a program that is still there would go on
    stand.mood = ""
    assert _send(jackfield).status == "succeeded"
    assert [thread.name for thread in threading.enumerate() if thread.name == "aws-identity"] == []
