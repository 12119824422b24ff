"""Clients are made once, ask the right endpoint, try once, and end at the deadline."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError

from aws_opening import KEY_ID, MAIL, SECRET, TOKEN, Opener
from fake_aws import FakeAws, refused_url
from jackfield.connector import InvalidConnection, JackfieldError, Sent, TimedOut
from jackfield.connector.context import Call, entered
from jackfield.kernel.errors import Cancelled
from jackfield_aws import AWS_ERRORS, VERSION, ApiKeySecret, AwsClients
from jackfield_aws.endpoints import service_endpoint, sts_endpoint

pytestmark = pytest.mark.usefixtures("direct")

KEYS = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}


def _open(opener: Opener, seconds: float = 60.0, **values: Any) -> tuple[AwsClients, Call]:
    context = opener.context(seconds=seconds, awsRegion="eu-west-1")
    return ApiKeySecret.model_validate(KEYS | values).open(context), context.call


def _failure(clients: AwsClients, call: Call) -> JackfieldError:
    with entered(call):
        with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
            clients.client("sesv2").send_email(**MAIL)
        error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("service", "operation"),
    [("sesv2", "SendEmail"), ("ses", "ListIdentities"), ("sts", "AssumeRole")],
)
def test_the_sdk_is_not_asked_whether_to_try_again(
    opener: Opener, service: str, operation: str
) -> None:
    """There is one attempt, so nothing of botocore's is left to judge the answer of it."""
    clients, _ = _open(opener)
    assert clients.client(service).meta.events.emit(f"needs-retry.{service}.{operation}") == []


def test_a_misspelt_parameter_is_refused_unless_the_author_vouches_for_them(
    opener: Opener, aws: FakeAws
) -> None:
    """By default botocore judges the parameters of a call before it sends anything; a connector may
    ask it not to, for its own client.
    """
    clients, call = _open(opener)
    with entered(call), pytest.raises(ParamValidationError, match="FromEmailAdress"):
        clients.client("sesv2").send_email(**MAIL, FromEmailAdress="a@example.com")
    assert aws.calls() == []
    trusted = clients.client("sesv2", validates=False)
    assert trusted is not clients.client("sesv2")
    with entered(call):
        assert trusted.send_email(**MAIL)["MessageId"]


def test_one_client_serves_many_tries(opener: Opener, aws: FakeAws) -> None:
    """A client is made once for service, region and credentials, however often the connection
    opens.
    """
    clients = [_open(opener)[0] for _ in range(20)]
    made = {id(one.client("sesv2")) for one in clients}
    assert len(made) == opener.leases.made == 1
    assert clients[0].client("sesv2", "us-east-1") is not clients[0].client("sesv2")
    assert clients[0].client("ses") is clients[1].client("ses")
    assert opener.leases.made == 3


def test_plugins_see_each_request(opener: Opener, aws: FakeAws) -> None:
    """A plugin that observes requests is told the method, the host, the times and the status, also
    of one that nobody answered.
    """
    aws.reset()
    clients, call = _open(opener)
    seen: list[tuple[Any, ...]] = []
    call.observe = lambda *about: seen.append(about)
    with entered(call):
        clients.client("sesv2").send_email(**MAIL)
    aws.script([{"do": "status", "status": 503}, {"do": "close"}])
    assert [_failure(clients, call).sent for _ in range(2)] == [Sent.UNKNOWN] * 2
    assert [(method, server, status) for method, server, _, _, status in seen] == [
        ("POST", "127.0.0.1", status) for status in (200, 503, None)
    ]
    assert all(started <= ended for _, _, started, ended, _ in seen)


def test_many_threads_may_make_clients_at_once(aws: FakeAws) -> None:
    """Clients made at the same time by many threads, each for a connection of its own, all work."""

    def ask(number: int) -> str:
        with Opener({"AWS_ENDPOINT_URL": aws.url}, connection=f"c{number}") as opener:
            clients, call = _open(opener, accessKeyId=f"AKIA{number}")
            with entered(call):
                return str(clients.client("sesv2").get_account()["EnforcementStatus"])

    aws.reset()
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(24))) == {"HEALTHY"}
    assert {request.access_key_id for request in aws.requests} == {
        f"AKIA{number}" for number in range(24)
    }


def test_a_send_begins_and_leaves_its_request_id(opener: Opener, aws: FakeAws) -> None:
    """A try that reaches AWS has begun, carries our user agent, and notes the request id."""
    clients, call = _open(opener)
    with entered(call):
        answer = clients.client("sesv2").send_email(**MAIL)
    assert call.begun
    assert call.request_id == answer["ResponseMetadata"]["RequestId"]
    assert aws.requests[-1].region == "eu-west-1"
    assert aws.requests[-1].headers["user-agent"].startswith(f"jackfield/{VERSION} Botocore/")


@pytest.mark.parametrize(
    "fault", [{"do": "status", "status": 400}, {"do": "body", "status": 200, "body": "<html"}]
)
def test_failures_leave_a_request_id(opener: Opener, aws: FakeAws, fault: dict[str, Any]) -> None:
    """A refusal and a garbled answer leave a request id as well, where AWS gave one."""
    aws.script(
        [{**fault, "headers": {"x-amzn-RequestId": "r-4711"}} if fault["do"] == "body" else fault]
    )
    clients, call = _open(opener)
    with entered(call), pytest.raises((ClientError, HTTPClientError)):
        clients.client("ses").get_send_quota()
    assert call.request_id


def test_a_refused_connection_has_begun_but_sent_nothing(opener: Opener) -> None:
    """A refused connection counts as a try, and the error says that no byte left."""
    with refused_url() as url:
        clients, call = _open(opener, endpoint=url)
        error = _failure(clients, call)
    assert call.begun
    assert (error.code, error.sent, error.retryable) == ("unavailable", Sent.NOTHING, True)


def test_nothing_begins_for_one_who_has_left(opener: Opener, aws: FakeAws) -> None:
    """A cancelled try sends nothing."""
    clients, call = _open(opener)
    call.cancelled.set()
    with entered(call), pytest.raises(Cancelled):
        clients.client("sesv2").send_email(**MAIL)
    assert aws.calls() == []
    assert not call.begun


def test_nothing_begins_past_the_deadline(opener: Opener, aws: FakeAws) -> None:
    """A try whose deadline has passed sends nothing."""
    clients, call = _open(opener, seconds=-1)
    with entered(call), pytest.raises(TimedOut) as raised:
        clients.client("sesv2").send_email(**MAIL)
    assert raised.value.sent is Sent.NOTHING
    assert aws.calls() == []


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    "fault", [{"do": "reset"}, {"do": "status", "status": 503}, {"do": "status", "status": 429}]
)
def test_sdk_retries_are_off(
    opener: Opener, aws: FakeAws, monkeypatch: pytest.MonkeyPatch, mode: str, fault: dict[str, Any]
) -> None:
    """Whatever the environment says of retries, a try is one request."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "10")
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    aws.script([{**fault, "always": True}])
    _failure(*_open(opener))
    assert aws.calls() == ["sesv2:SendEmail"]


def test_endpoint_order() -> None:
    """The connection's endpoint goes first, then the service's variable, then the one for all; STS
    has its own.
    """
    every = {
        "AWS_ENDPOINT_URL_SESV2": "v2",
        "AWS_ENDPOINT_URL_SES": "v1",
        "AWS_ENDPOINT_URL": "any",
        "AWS_ENDPOINT_URL_STS": "sts",
    }
    some = {"AWS_ENDPOINT_URL_SES": "v1", "AWS_ENDPOINT_URL": "any"}
    for service in ("ses", "sesv2"):
        assert service_endpoint(service, "own", every) == "own"
        assert service_endpoint(service, None, every) == "v2"
        assert service_endpoint(service, None, some) == "v1"
        assert service_endpoint(service, None, {"AWS_ENDPOINT_URL": "any"}) == "any"
        assert service_endpoint(service, None, {"AWS_ENDPOINT_URL_SESV2": ""}) is None
    assert sts_endpoint("own", every) == "own"
    assert sts_endpoint(None, every) == "sts"
    assert sts_endpoint(None, some) == "any"
    assert sts_endpoint(None, {}) is None


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (None, "https://sts.of.all"),
        ("https://vpce-1.email.eu-west-1.vpce.amazonaws.com", "https://sts.of.all"),
        ("http://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", "https://sts.of.all"),
        ("https://ses.proxy.example.com", "https://sts.of.all"),
        ("http://localhost:4566", "http://localhost:4566"),
        ("https://127.0.0.1:4566", "https://127.0.0.1:4566"),
        ("http://localstack:4566", "http://localstack:4566"),
    ],
)
def test_sts_is_not_asked_at_the_endpoint_of_another_service(
    opener: Opener, endpoint: str | None, expected: str
) -> None:
    """A connection's endpoint is that of its service; only an emulator, which serves all, gets
    those of STS, too (boto3 likewise).
    """
    opener.environment = {"AWS_ENDPOINT_URL_STS": "https://sts.of.all"}
    clients = ApiKeySecret(
        access_key_id=KEY_ID, secret_access_key=SECRET, region="eu-west-1", endpoint=endpoint
    ).open(opener.context())
    assert clients.client("sts").meta.endpoint_url == expected
    assert clients.endpoint_of("sts") == expected
    assert clients.endpoint_of("sesv2") == endpoint


def test_endpoint_variables_can_be_ignored() -> None:
    """AWS's own switch turns the variables off, never the connection's endpoint."""
    environment = {"AWS_ENDPOINT_URL": "any", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}
    assert service_endpoint("sesv2", None, environment) is None
    assert service_endpoint("sesv2", "own", environment) == "own"


@pytest.mark.parametrize(
    "endpoint", ["http://", "http://127.0.0.1:99999", "http://127.0.0.1:abc", "http://127.0.0.1:0"]
)
def test_a_bad_endpoint_is_refused_at_its_value(opener: Opener, endpoint: str) -> None:
    """An endpoint that no client can use is refused before anything is sent."""
    clients, _ = _open(opener, endpoint=endpoint)
    with pytest.raises(InvalidConnection) as raised:
        clients.client("sesv2")
    assert raised.value.details[0].path == "/endpoint"


def test_a_profile_of_the_environment_is_for_who_brings_no_keys(
    opener: Opener, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection with keys of its own works where AWS_PROFILE names a profile that there is
    not.
    """
    monkeypatch.setenv("AWS_PROFILE", "nope")
    clients, call = _open(opener, endpoint=aws.url)
    with entered(call):
        assert clients.client("sesv2").send_email(**MAIL)["MessageId"]


def test_a_region_that_makes_no_host_is_refused(opener: Opener) -> None:
    """A region that botocore refuses, past the schema, is the caller's fault and sends nothing."""
    clients, _ = _open(opener)
    with pytest.raises(ValueError, match="region") as raised:
        clients.client("sesv2", "evil.com/x")
    error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    assert (error.code, error.sent) == ("invalid_input", Sent.NOTHING)


def test_a_region_must_come_from_somewhere(opener: Opener) -> None:
    """Without a region in call and connection the connection is refused; the call's goes before the
    connection's.
    """
    kind = ApiKeySecret.model_validate(KEYS)
    with pytest.raises(InvalidConnection) as raised:
        kind.open(opener.context()).client("sesv2")
    assert raised.value.details[0].path == "/region"
    settled = ApiKeySecret.model_validate(KEYS | {"region": "us-east-1"})
    assert settled.open(opener.context()).client("sesv2").meta.region_name == "us-east-1"
    assert (
        settled.open(opener.context(awsRegion="eu-west-1")).client("sesv2").meta.region_name
        == "eu-west-1"
    )


def test_clients_show_no_secret_and_stay_here(opener: Opener) -> None:
    """The open client tells its region only, and is neither pickled nor copied."""
    clients, _ = _open(opener, sessionToken=TOKEN)
    assert repr(clients) == "AwsClients(region='eu-west-1')"
    for take in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            take(clients)


def test_static_keys_cannot_be_renewed(opener: Opener) -> None:
    """Nothing can be leased anew for keys that do not come from a lease."""
    clients, _ = _open(opener)
    clients.renew()
    assert not clients.renewable


def test_a_key_with_a_line_break_is_refused_and_not_shown(opener: Opener, aws: FakeAws) -> None:
    """A key that no header can carry is the connection's fault, sends nothing and appears in no
    text.
    """
    clients, call = _open(
        opener, accessKeyId="AKIA\nABCDEFGHSECRET", sessionToken=f"{TOKEN}\r\nX-Evil: 1"
    )
    error = _failure(clients, call)
    assert (error.code, error.sent) == ("invalid_connection", Sent.NOTHING)
    assert aws.calls() == []
    assert not any(secret in f"{error} {error!r}" for secret in ("ABCDEFGHSECRET", TOKEN, SECRET))
