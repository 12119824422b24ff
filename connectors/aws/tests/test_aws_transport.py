"""What breaks on the way to AWS is told apart by whether anything can have been sent."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest

from aws_opening import KEY_ID, SECRET, TOKEN, Opener
from clocks import FakeClock
from fake_aws import FakeAws
from jackfield.connector import (
    Call,
    Deadline,
    Internal,
    InvalidConnection,
    InvalidInput,
    JackfieldError,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.context import entered
from jackfield_aws import AWS_ERRORS, ApiKeySecret
from ports import free_port
from raw_server import RESET, serving, with_tls

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("direct")


def _failure(endpoint: str, seconds: float = 5.0) -> JackfieldError:
    with Opener() as opener:
        context = opener.context(seconds=seconds, awsRegion="eu-west-1")
        values = {
            "accessKeyId": KEY_ID,
            "secretAccessKey": SECRET,
            "sessionToken": TOKEN,
            "endpoint": endpoint,
        }
        clients = ApiKeySecret.model_validate(values).open(context)
        with entered(context.call):
            with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
                clients.client("sesv2").get_account()
            error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    assert not any(secret in f"{error} {error!r}" for secret in (KEY_ID, SECRET, TOKEN))
    return error


def test_a_name_that_nobody_knows_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that DNS does not know is unavailable, and no byte left."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = _failure("http://email.nowhere.invalid")
    assert (type(error), error.sent, error.repeatable) == (Unavailable, Sent.NOTHING, True)
    assert error.message == "the host 'email.nowhere.invalid' does not resolve to an address"


def test_a_refused_connection_names_its_address() -> None:
    """A port on which nobody listens refuses: the error names it, and no byte left."""
    port = free_port()
    error = _failure(f"http://127.0.0.1:{port}")
    assert (type(error), error.sent, error.repeatable) == (Unavailable, Sent.NOTHING, True)
    assert error.message == f"127.0.0.1:{port} refused the connection"


def test_a_connection_that_is_not_made_in_time_says_so() -> None:
    """An address that swallows packets is neither refused nor unknown; at the deadline the timeout
    names it.
    """
    error = botocore.exceptions.ConnectTimeoutError(endpoint_url="http://10.255.255.1:81/")
    found = AWS_ERRORS(error, None)
    assert found is not None
    assert (type(found), found.message) == (
        Unavailable,
        "10.255.255.1:81 could not be reached in time",
    )
    clock = FakeClock()
    call = Call(Deadline.after(4, clock))
    clock.advance(5)
    with entered(call):
        found = AWS_ERRORS(error, None)
    assert found is not None
    text = (
        "the deadline of 4 s passed before anything was sent: 10.255.255.1:81 could not be "
        "reached in time"
    )
    assert (type(found), found.message) == (TimedOut, text)


def test_an_unverified_certificate_is_not_tried_again(certificate: Path) -> None:
    """A certificate that cannot be verified sent nothing, and another try would not help."""
    with serving(lambda connection: with_tls(certificate, connection).close()) as port:
        error = _failure(f"https://localhost:{port}")
    assert (type(error), error.sent, error.repeatable) == (Unavailable, Sent.NOTHING, False)
    assert "AWS_CA_BUNDLE" in (error.hint or "")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", RESET])
def test_a_refused_handshake_sent_nothing(answer: bytes) -> None:
    """A server that speaks no TLS, hangs up or resets while TLS is set up got no byte of the
    request.
    """

    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        if answer == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        else:
            connection.sendall(answer)

    with serving(refuse) as port:
        error = _failure(f"https://localhost:{port}")
    assert (type(error), error.sent, error.repeatable) == (Unavailable, Sent.NOTHING, True)


def test_a_handshake_that_hangs() -> None:
    """A handshake that does not end sent nothing."""

    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with serving(listen) as port:
        error = _failure(f"https://localhost:{port}", seconds=0.3)
    assert (type(error), error.sent) == (TimedOut, Sent.NOTHING)


def test_tls_that_breaks_after_the_request_is_in_doubt(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks inside an established TLS connection may have been done."""

    def garble(connection: socket.socket) -> None:
        tls = with_tls(certificate, connection)
        tls.recv(65536)
        raw = socket.socket(fileno=tls.detach())
        raw.sendall(b"this is no TLS record")
        raw.close()

    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with serving(garble) as port:
        error = _failure(f"https://localhost:{port}")
    assert (type(error), error.sent) == (Unavailable, Sent.UNKNOWN)


def test_a_proxy_that_refuses_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that will not connect, or cannot be reached, is named, and no byte of the request
    left.
    """

    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        )

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(refuse) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET.replace('/', '')}@127.0.0.1:{port}")
        refused = _failure("https://email.example.test")
    unreachable = _failure("https://email.example.test")
    for error in (refused, unreachable):
        assert (type(error), error.sent) == (Unavailable, Sent.NOTHING)
        assert "proxy" in error.message
        assert SECRET.replace("/", "") not in str(error)


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("login", ["", "user:pass-word-4711@"])
def test_a_proxys_login_is_tried_once(
    monkeypatch: pytest.MonkeyPatch, login: str, scheme: str
) -> None:
    """A proxy that answers 407 gets one request, since directories lock accounts; the error names
    it and its status.
    """
    asked = []

    def refuse(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate, "
            b"NTLM\r\nContent-Length: 0\r\n\r\n"
        )

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(refuse) as port:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://{login}127.0.0.1:{port}")
        error = _failure(f"{scheme}://email.example.test")
    assert (type(error), error.sent, error.repeatable, len(asked)) == (
        Unavailable,
        Sent.NOTHING,
        False,
        1,
    )
    assert "407" in error.message
    assert "pass-word-4711" not in str(error)


def test_a_proxy_that_hangs_up_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that closes instead of opening the tunnel passed no byte of the request on."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(lambda connection: connection.recv(65536)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = _failure("https://email.example.test")
    assert (type(error), error.sent) == (Unavailable, Sent.NOTHING)
    assert "proxy" in error.message


@pytest.mark.parametrize("proxy", ["http://:::::", "http://[::", "http://127.0.0.1:99999"])
def test_a_proxy_that_is_no_url_sent_nothing(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A mistake in a variable of this machine is named as such: not a doubt about a request that
    could not begin.
    """
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    error = _failure("http://email.example.test")
    assert (type(error), error.sent) == (InvalidConnection, Sent.NOTHING)
    assert "HTTP_PROXY" in error.message


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    """A file of certificate authorities that is missing, or is none, is named: the server has not
    refused anything.
    """
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with serving(lambda connection: connection.recv(65536)) as port:
        error = _failure(f"https://localhost:{port}")
    assert (type(error), error.sent) == (InvalidConnection, Sent.NOTHING)
    assert "AWS_CA_BUNDLE" in (error.hint or "")


def test_a_connection_in_time_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that does not answer to a connection is unavailable, and no byte left."""

    def silent(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
    monkeypatch.setattr("jackfield.wire.connection.first_connected", silent)
    error = _failure("http://127.0.0.1:9")
    assert (type(error), error.sent, error.message) == (
        Unavailable,
        Sent.NOTHING,
        "127.0.0.1:9 could not be reached in time",
    )


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"do": "reset"}, Unavailable),
        ({"do": "close"}, Unavailable),
        ({"do": "cut"}, Unavailable),
        ({"do": "hang"}, TimedOut),
        ({"do": "status", "status": 503}, Unavailable),
        ({"do": "body", "body": "<html>Bad Gateway"}, Unavailable),
    ],
)
def test_what_was_sent_without_an_answer_is_in_doubt(
    fault: dict[str, Any], kind: type[JackfieldError]
) -> None:
    """A reset, a close, a cut, a silence, a 5xx and a garbled answer after the request went out may
    all have done it.
    """
    with FakeAws(script=[fault]) as aws, Opener({"AWS_ENDPOINT_URL": aws.url}) as opener:
        context = opener.context(seconds=3 if kind is TimedOut else 60, awsRegion="eu-west-1")
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
        ).open(context)
        with entered(context.call):
            with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
                clients.client("ses").get_send_quota()["Max24HourSend"]
            error = AWS_ERRORS(raised.value, clients)
        aws.release()
    assert error is not None
    assert (type(error), error.sent) == (kind, Sent.UNKNOWN)


@pytest.mark.parametrize("body", ["[]", '"text"', "5", '{"SendQuota": []}'])
def test_an_answer_of_another_kind_is_in_doubt(body: str) -> None:
    """JSON that is not what the service's model says trips botocore's parser, which is no bug of
    the connector's.
    """
    fault = {"do": "body", "body": body, "contentType": "application/json"}
    with FakeAws(script=[fault]) as aws:
        error = _failure(aws.url)
    assert (type(error), error.sent, error.message) == (
        Unavailable,
        Sent.UNKNOWN,
        "AWS's answer could not be read",
    )


def test_a_mistake_of_the_connector_is_not_the_answers() -> None:
    """An exception that did not come out of botocore's parser is not explained, nor is one that was
    never raised.
    """
    assert AWS_ERRORS.explain(AttributeError("x")) is None
    with pytest.raises(TypeError) as raised:
        len(5)  # type: ignore[arg-type]
    assert AWS_ERRORS.explain(raised.value) is None


@pytest.mark.parametrize(
    ("error", "kind", "path"),
    [
        (botocore.exceptions.NoCredentialsError(), InvalidConnection, ""),
        (
            botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            InvalidConnection,
            "",
        ),
        (botocore.exceptions.ProfileNotFound(profile="x"), InvalidConnection, "/profile"),
        (
            botocore.exceptions.CredentialRetrievalError(provider="p", error_msg=SECRET),
            Unauthenticated,
            None,
        ),
        (botocore.exceptions.MetadataRetrievalError(error_msg=SECRET), Unauthenticated, None),
        (
            botocore.exceptions.TokenRetrievalError(provider="sso", error_msg=SECRET),
            Unauthenticated,
            None,
        ),
        (botocore.exceptions.NoAuthTokenError(), InvalidConnection, ""),
        (botocore.exceptions.MissingDependencyException(msg=SECRET), InvalidConnection, ""),
        (botocore.exceptions.UnauthorizedSSOTokenError(), Unauthenticated, None),
        (botocore.exceptions.SSOTokenLoadError(error_msg=SECRET), Unauthenticated, None),
        (botocore.exceptions.ConfigParseError(path="x"), InvalidConnection, ""),
        (
            botocore.exceptions.InfiniteLoopConfigError(source_profile="a", visited_profiles="b"),
            InvalidConnection,
            "",
        ),
        (botocore.exceptions.ParamValidationError(report=SECRET), Internal, None),
        (botocore.exceptions.InvalidRegionError(region_name="x y"), InvalidInput, "/awsRegion"),
        (botocore.exceptions.NoRegionError(), InvalidConnection, "/region"),
        (
            botocore.exceptions.UnknownEndpointError(service_name="a", region_name="b"),
            InvalidConnection,
            "/region",
        ),
    ],
)
def test_what_never_left_the_machine_sent_nothing(
    error: Exception, kind: type[JackfieldError], path: str | None
) -> None:
    """Faults of configuration, credentials and parameters sent nothing, point at the value at
    fault, and quote nothing.
    """
    found = AWS_ERRORS.explain(error)
    assert found is not None
    assert (type(found), found.sent) == (kind, Sent.NOTHING)
    assert [detail.path for detail in found.details] == ([] if path is None else [path])
    assert SECRET not in str(found)
    assert found.hint or isinstance(found, Internal)


def test_an_unknown_http_failure_is_in_doubt() -> None:
    """What botocore itself does not know may have been sent, and its text is not repeated."""
    found = AWS_ERRORS.explain(botocore.exceptions.HTTPClientError(error=ValueError(SECRET)))
    assert found is not None
    assert (type(found), found.sent) == (Unavailable, Sent.UNKNOWN)
    assert SECRET not in str(found)
