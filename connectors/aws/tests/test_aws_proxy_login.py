"""A proxy that answers 407 on the way to AWS is asked once, whoever connects: our wire, boto3, a
sign-in or a machine's own identity.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore import credentials
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider
from cryptography.hazmat.primitives.asymmetric import ec

from identity_sources import ROLE, VARIABLES, CrtKeys, Stand, environment_of
from jackfield import Jackfield
from moto_rig import EVERYTHING, offer
from raw_server import read_request, serving
from test_aws_roles_anywhere import ANCHOR, PROFILE, certificate, key_text, pem

PASSWORD = "pass-word-4711"
KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
}
MAIL = {"to": "ada@example.com", "sender": "n@example.com", "subject": "s", "text": "t"}
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mail": ("aws-ses", "sendEmail", MAIL),
    "read": ("aws-ses", "getAccount", {}),
    "json": ("aws.dynamodb", "putItem", {"TableName": "t", "Item": {"id": {"S": "1"}}}),
    "queue": (
        "aws.sqs",
        "sendMessage",
        {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "MessageBody": "m"},
    ),
    "xml": ("aws.iam", "createUser", {"UserName": "u"}),
    "query": (
        "aws.sns",
        "publish",
        {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": "m"},
    ),
    "object": ("aws.s3", "putObject", {"Bucket": "b", "Key": "k", "Body": "aGVsbG8="}),
    "file": ("aws.s3", "uploadFile", {"Bucket": "b", "Key": "k", "Body": b"hello" * 1_000_000}),
}
PAGES = {
    "nothing": b"",
    "a page": (
        b"<!DOCTYPE html><html><head><title>Cache Access "
        b"Denied</title></head><body>407</body></html>"
    ),
    "a throttle": (
        b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate "
        b"exceeded</Message></Error></ErrorResponse>"
    ),
    "an expiry": b'{"__type": "ExpiredTokenException", "message": "expired"}',
}
SOURCES = (
    "web identity",
    "web identity of a profile",
    "role",
    "role of a process",
    "role of a web identity",
    "sso",
    "sso session",
    "sso sign-in",
    "login",
    "role of a login",
    "role of an sso",
)
"""Sources of a machine's identity that go out over the proxy: containers and instances are asked
without one.
"""


_WAYS = [(f"ada:{PASSWORD}@", "a page"), ("", "nothing")]


@contextmanager
def _refusing(asked: list[bytes], page: bytes) -> Iterator[int]:
    """Answer 407 to all, and note what was asked."""

    def talk(connection: socket.socket) -> None:
        asked.append(read_request(connection))
        fields = b"Proxy-Authenticate: NTLM\r\nContent-Type: text/html\r\n"
        connection.sendall(
            b"HTTP/1.1 407 Denied\r\n%sContent-Length: %d\r\n\r\n%s" % (fields, len(page), page)
        )

    with serving(talk) as port:
        yield port


@pytest.fixture(name="asked")
def _open_proxy(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[list[bytes]]:
    """What a proxy was asked that answers 407 to all, and that the environment names for both
    schemes.
    """
    asked: list[bytes] = []
    login, page = getattr(request, "param", (f"ada:{PASSWORD}@", "nothing"))

    for name in (*VARIABLES, "NO_PROXY", "no_proxy", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with _refusing(asked, PAGES[page]) as port:
        for scheme in ("HTTP", "HTTPS"):
            monkeypatch.setenv(f"{scheme}_PROXY", f"http://{login}127.0.0.1:{port}")
        yield asked


Invoke = Callable[..., Any]


@pytest.fixture(name="invoke")
def _invoke(tmp_path: Path) -> Iterator[Invoke]:
    """Invoke an action over a connection with these values."""
    environment = offer(tmp_path, {"default": EVERYTHING})
    with Jackfield(database_url=f"sqlite:///{tmp_path}/j.db", environment=environment) as jackfield:

        def invoke(name: str, kind: str, values: dict[str, Any]) -> Any:
            connector, action, inputs = CALLS[name]
            connection = {"type": f"aws/{kind}", "values": {"region": "eu-west-1", **values}}
            return jackfield.invoke(
                {
                    "connector": connector,
                    "action": action,
                    "connection": connection,
                    "inputs": inputs,
                }
            )

        yield invoke


def _check_result(result: Any, asked: list[bytes]) -> None:
    """Nothing has gone on, so a write is not in doubt; the proxy was asked once, and is named
    without its password.
    """
    assert (result.status, result.error.code, len(asked)) == ("failed", "unavailable", 1), (
        result.to_json(),
        asked,
    )
    assert "proxy" in result.error.message
    assert "407" in result.error.message
    assert PASSWORD not in str(result.to_json())


@pytest.mark.parametrize(
    "asked", _WAYS, ids=lambda way: f"{'login' if way[0] else 'none'}-{way[1]}", indirect=True
)
@pytest.mark.parametrize("endpoint", ["", "http://ses.example"], ids=["https", "http"])
@pytest.mark.parametrize("name", CALLS)
def test_a_call(
    asked: list[bytes], invoke: Invoke, name: str, endpoint: str, *, direct: bool
) -> None:
    """One request, through a tunnel and in clear text, with a login and without, of each protocol
    that AWS speaks.
    """
    values = {**KEYS, "endpoint": endpoint} if endpoint else KEYS
    _check_result(invoke(name, "apiKeySecret", values), asked)
    assert direct in (True, False)


@pytest.mark.parametrize("sts", ["", "http://sts.example"], ids=["https", "http"])
def test_a_role(asked: list[bytes], invoke: Invoke, sts: str, *, direct: bool) -> None:
    """The request for a role's credentials is the one that the proxy refuses."""
    _check_result(
        invoke(
            "mail",
            "awsAssumeRole",
            {**KEYS, "roleARN": ROLE, **({"stsEndpoint": sts} if sts else {})},
        ),
        asked,
    )
    assert direct in (True, False)


def test_a_certificate(asked: list[bytes], invoke: Invoke) -> None:
    """The request by which a certificate signs in is refused so, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    values = {
        "certificate": pem(certificate(key)),
        "privateKey": key_text(key),
        "trustAnchorArn": ANCHOR,
        "profileArn": PROFILE,
    }
    _check_result(invoke("mail", "awsRolesAnywhere", {**values, "roleARN": ROLE}), asked)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["mail", "json", "xml", "object"])
def test_a_proxy_that_nobody_has_named(
    invoke: Invoke, name: str, page: str, *, direct: bool
) -> None:
    """A 407 in the place of the service's answer is a proxy's, too, whatever comes with it."""
    asked: list[bytes] = []
    with _refusing(asked, PAGES[page]) as port:
        _check_result(
            invoke(name, "apiKeySecret", {**KEYS, "endpoint": f"http://127.0.0.1:{port}"}), asked
        )
    assert direct in (True, False)


@pytest.mark.parametrize("endpoint", ["", "http://aws.example"], ids=["https", "http"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_machine(
    asked: list[bytes],
    invoke: Invoke,
    source: str,
    endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine's own identity is asked for over the proxy by botocore, which tries again what
    fails.
    """
    for kind in (SSOProvider, SSOTokenProvider):
        monkeypatch.setattr(kind, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))
    if credentials.EC is None:  # botocore[crt] is not installed
        monkeypatch.setattr(credentials, "EC", CrtKeys)
    for name, value in environment_of(source, Stand(tmp_path)).items():
        monkeypatch.setenv(name, endpoint if name == "AWS_ENDPOINT_URL" else value)
    result = invoke("mail", "awsDefault", {})
    _check_result(result, asked)
