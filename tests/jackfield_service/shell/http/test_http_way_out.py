"""Every path that leaves, through a company's proxy and by its authority: what the operator's
setting and the environment decide.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.credentials import SSOProvider

from authority import Authority
from company import Company, company
from jackfield.call.policy_service import policy_of
from jackfield.callers.actor import Actor
from jackfield.catalog import installed_here
from jackfield.cli.main import main
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.tracing import configured
from jackfield.wire.guard import Guard
from jackfield.wire.head import Target
from jackfield.wire.outbound import (
    ENVIRONMENT,
    check_outbound,
    ignored_proxy,
    outbound,
    proxy_variables,
    variables,
    way_out,
)
from jackfield_aws.key_wrapper import SCHEME, KmsKey
from jackfield_isolation.egress import Egress
from jackfield_openapi.sources import read
from jackfield_service.shell.identity.identity import Identities
from jackfield_service.shell.identity.identity_providers import Jwt, Oidc
from jackfield_service.shell.identity.people import People
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.files.blobs import blobs_from
from jackfield_store.management.mcp_servers import ServerWish, mcp_servers
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from jackfield_vault.wire import ask_vault

SETTING = "JACKFIELD_OUTBOUND_PROXY"
KEYS = {
    "region": "eu-west-1",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
}
ROLE = "arn:aws:iam::123456789012:role/x"
TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "RS256", "kid": "k"}, {}, 1)
)


def _invoke(
    environment: dict[str, str],
    connector: str,
    action: str,
    connection: dict[str, Any],
    inputs: dict[str, Any],
) -> None:
    with Jackfield(
        catalog=installed_here({}), database_url="none", environment=environment
    ) as jackfield:
        jackfield.invoke(
            {
                "connector": connector,
                "action": action,
                "connection": connection,
                "inputs": inputs,
                "timeoutSeconds": 30,
            }
        )


def _request(environment: dict[str, str]) -> None:
    _invoke(
        environment,
        "http",
        "request",
        {"type": "http/anonymous", "values": {"server": "https://far.example"}},
        {"url": "/x"},
    )


def _token(environment: dict[str, str]) -> None:
    values = {
        "server": "https://x.example",
        "tokenUrl": "https://far.example/token",
        "clientId": "c",
        "clientSecret": "s",
    }
    _invoke(
        environment,
        "http",
        "request",
        {"type": "http/oauth2ClientCredentials", "values": values},
        {"url": "/x"},
    )


def _aws(environment: dict[str, str]) -> None:
    values = {**KEYS, "endpoint": "https://far.example"}
    _invoke(
        environment, "aws-ses", "getAccount", {"type": "aws/apiKeySecret", "values": values}, {}
    )


def _aws_role(environment: dict[str, str]) -> None:
    values = {**KEYS, "roleARN": ROLE, "stsEndpoint": "https://far.example"}
    _invoke(
        environment, "aws-ses", "getAccount", {"type": "aws/awsAssumeRole", "values": values}, {}
    )


def _machine(environment: dict[str, str], **variables: str) -> None:
    with mock.patch.dict(os.environ, {**variables, "AWS_CONFIG_FILE": "config"}):
        connection = {
            "type": "aws/awsDefault",
            "values": {"region": "eu-west-1", "disableImds": True},
        }
        _invoke(environment, "aws-ses", "getAccount", connection, {})


def _web_identity(environment: dict[str, str]) -> None:
    Path("token").write_text("e30.e30.c2ln", encoding="utf-8")
    at = {
        "AWS_ENDPOINT_URL_STS": "https://far.example",
        "AWS_ENDPOINT_URL_SESV2": "https://127.0.0.1:9",
    }
    _machine(environment, AWS_WEB_IDENTITY_TOKEN_FILE="token", AWS_ROLE_ARN=ROLE, **at)


def _single_sign_on(environment: dict[str, str]) -> None:
    start = "https://x.example/start"
    wanted = (
        "sso_account_id = 123456789012\nsso_role_name = r\nsso_region = "
        f"eu-west-1\nsso_start_url = {start}\n"
    )
    Path("config").write_text(f"[default]\n{wanted}", encoding="utf-8")
    cached = Path(f"{sha1(start.encode(), usedforsecurity=False).hexdigest()}.json")
    token = {
        "accessToken": "a",
        "expiresAt": "2099-01-01T00:00:00Z",
        "startUrl": start,
        "region": "eu-west-1",
    }
    cached.write_text(json.dumps(token), encoding="utf-8")
    with mock.patch.object(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(Path.cwd())):
        _machine(
            environment,
            AWS_ENDPOINT_URL_SSO="https://far.example",
            AWS_ENDPOINT_URL_SESV2="https://127.0.0.1:9",
        )


def _roles_anywhere(environment: dict[str, str]) -> None:
    folder = Path("anywhere")
    folder.mkdir()
    key, _, certificate = (
        Authority(folder).pem("mailer.example").decode().partition("-----BEGIN CERTIFICATE")
    )
    arn = "arn:aws:rolesanywhere:eu-west-1:123456789012:{}/11111111-2222-3333-4444-555555555555"
    values = {
        "region": "eu-west-1",
        "certificate": f"-----BEGIN CERTIFICATE{certificate}",
        "privateKey": key,
        "trustAnchorArn": arn.format("trust-anchor"),
        "profileArn": arn.format("profile"),
        "roleARN": ROLE,
        "rolesAnywhereEndpoint": "https://far.example",
    }
    _invoke(
        environment, "aws-ses", "getAccount", {"type": "aws/awsRolesAnywhere", "values": values}, {}
    )


def _callback(environment: dict[str, str]) -> None:
    Sender(None, environment).send("https://far.example/hook", "operator", [], b"{}", 0.0)


def _tenants_callback(environment: dict[str, str]) -> None:
    Sender(Guard(), {**environment, "JACKFIELD_RESOLVE_AT_PROXY": "1"}).send(
        "https://far.example/hook", "remote", [], b"{}", 0.0
    )


def _policy(environment: dict[str, str]) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    (service,) = policy_of(
        {
            **environment,
            "JACKFIELD_POLICY_URL": "https://far.example/v1",
            "JACKFIELD_POLICY_SECRET": secret,
        }
    )
    service.judge({})  # type: ignore[attr-defined]


def _sign_in(environment: dict[str, str]) -> None:
    storage = Storage("none", environment, SystemClock())
    People(Oidc("https://far.example", "console"), storage, SystemClock(), Guard()).provider.begin(
        "https://x.example/back"
    )


def _keys(environment: dict[str, str]) -> None:
    jwt = Jwt("https://far.example/keys", "https://far.example", "api")
    jwts = Identities(Storage("none", environment, SystemClock()), SystemClock(), jwt)._jwts
    assert jwts is not None
    jwts.wait(TOKEN)


def _document(_environment: dict[str, str]) -> None:
    read("https://far.example/openapi.json")


def _vault(environment: dict[str, str]) -> None:
    ask_vault(
        "/v1/secret/data/a",
        {**environment, "VAULT_ADDR": "https://far.example", "VAULT_TOKEN": "t"},
        timeout=30,
    )


def _openapi(environment: dict[str, str]) -> None:
    connection = {
        "type": "github/accessToken",
        "values": {"token": "ghp_x", "server": "https://far.example"},
    }
    _invoke(environment, "github", "listIssues", connection, {"owner": "o", "repo": "r"})


def _mcp(environment: dict[str, str]) -> None:
    found = Jackfield(
        database_url="sqlite:///way-out.db", catalog=installed_here({}), environment=environment
    )
    with found as jackfield, mock.patch.dict(os.environ, {"JACKFIELD_RESOLVE_AT_PROXY": "1"}):
        mcp_servers(jackfield, Actor("cli", "ada"), "operator").add(
            ServerWish("notes", "https://far.example/mcp")
        )


def _key_service(environment: dict[str, str]) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": KEYS["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secretAccessKey"],
    }
    with mock.patch.dict(os.environ, {**keys, "AWS_ENDPOINT_URL_KMS": "https://far.example"}):
        settings = {**environment, "JACKFIELD_KEY_SERVICE_SECONDS": "30"}
        KmsKey(f"{SCHEME}arn:aws:kms:eu-west-1:123456789012:key/x", settings).wrap({}, bytes(32))


def _catalogue(environment: dict[str, str]) -> None:
    assert main(["install", "acme", "--from", "https://far.example"]) != 0


def _spans(environment: dict[str, str]) -> None:
    with mock.patch.dict(
        os.environ,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://far.example", "OTEL_EXPORTER_OTLP_TIMEOUT": "6"},
    ):
        (tracing,) = configured(dict(os.environ))
        assert tracing._provider is not None
        tracing._provider.get_tracer("x").start_span("x").end()
        tracing._provider.shutdown()


def _files(environment: dict[str, str]) -> None:
    url = "s3://bucket/files?endpoint=https://far.example&region=eu-west-1"
    keys = {
        "AWS_ACCESS_KEY_ID": KEYS["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secretAccessKey"],
    }
    blobs_from({**environment, **keys, "JACKFIELD_FILES_URL": url}).read("a", 0, 1, 1)


def _isolated(environment: dict[str, str]) -> None:
    route = way_out({**environment, "JACKFIELD_RESOLVE_AT_PROXY": "1"}, usual=ENVIRONMENT)
    Egress("acme", ("far.example",), route=route).connect("far.example", 443, 30).close()


Path_ = Callable[[dict[str, str]], None]
PATHS: dict[str, tuple[Path_, bool]] = {
    "http.request": (_request, False),
    "token endpoint": (_token, False),
    "aws": (_aws, True),
    "aws role": (_aws_role, True),
    "web identity": (_web_identity, True),
    "single sign-on": (_single_sign_on, True),
    "Roles Anywhere": (_roles_anywhere, True),
    "callback": (_callback, False),
    "tenant's callback": (_tenants_callback, False),
    "policy service": (_policy, False),
    "OpenAPI": (_openapi, False),
    "MCP": (_mcp, False),
    "KMS": (_key_service, True),
    "catalogue": (_catalogue, True),
    "OpenTelemetry": (_spans, True),
    "files in S3": (_files, True),
    "isolated": (_isolated, True),
    "sign-in": (_sign_in, False),
    "keys of a provider": (_keys, True),
    "document": (_document, True),
    "vault": (_vault, False),
}
"""Each path, and whether it takes the environment's proxy while the operator says nothing."""
BY_ENVIRONMENT = {SETTING: ENVIRONMENT}
VARIABLES: dict[str, tuple[dict[str, str], bool | None]] = {
    "setting": ({SETTING: "URL"}, True),
    "setting beside the authorities of others": (
        {SETTING: "URL", "REQUESTS_CA_BUNDLE": "none.pem", "CURL_CA_BUNDLE": "none.pem"},
        True,
    ),
    "setting before the environment": ({SETTING: "URL", "HTTPS_PROXY": "http://127.0.0.1:9"}, True),
    "none": ({SETTING: "none", "HTTPS_PROXY": "URL"}, False),
    "HTTPS_PROXY": ({**BY_ENVIRONMENT, "HTTPS_PROXY": "URL"}, True),
    "https_proxy": (
        {**BY_ENVIRONMENT, "https_proxy": "URL", "HTTPS_PROXY": "http://127.0.0.1:9"},
        True,
    ),
    "ALL_PROXY": ({**BY_ENVIRONMENT, "ALL_PROXY": "URL"}, True),
    "HTTP_PROXY alone": ({**BY_ENVIRONMENT, "HTTP_PROXY": "URL"}, False),
    "unset": ({"HTTPS_PROXY": "URL"}, None),
    "NO_PROXY of a name": ({SETTING: "URL", "NO_PROXY": "x.test, far.example"}, False),
    "no_proxy of a domain": (
        {**BY_ENVIRONMENT, "HTTPS_PROXY": "URL", "no_proxy": ".example"},
        False,
    ),
    "NO_PROXY of what is below": ({SETTING: "URL", "NO_PROXY": "*.example"}, False),
    "NO_PROXY with the port": ({SETTING: "URL", "NO_PROXY": "far.example:443"}, False),
    "NO_PROXY with another port": ({SETTING: "URL", "NO_PROXY": "far.example:8443"}, True),
    "NO_PROXY of everything": ({SETTING: "URL", "NO_PROXY": "*"}, False),
    "NO_PROXY of others": (
        {SETTING: "URL", "NO_PROXY": "ar.example,10.0.0.0/8,far.example.org"},
        True,
    ),
}
"""Variables, and whether a path passes the proxy then; None: as the path is used to."""


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    for name in (
        *variables(),
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
    for limit in (
        "jackfield.call.policy_service.WITHIN",
        "jackfield_service.shell.identity.jwts._TIMEOUT",
    ):
        monkeypatch.setattr(limit, 60.0)  # a busy machine takes longer
    with company(tmp_path) as found:
        for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "OTEL_EXPORTER_OTLP_CERTIFICATE"):
            monkeypatch.setenv(name, str(found.authority.bundle))
        yield found


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("path", PATHS)
def test_each_path_by_each_variable(
    place: Company, path: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request, by a tunnel, with the proxy's login, and believed by the company's authority; or
    the proxy is not asked.
    """
    send, is_usual = PATHS[path]
    given, expected = VARIABLES[variable]
    for name, value in given.items():
        monkeypatch.setenv(name, place.url if value == "URL" else value)
    with suppress(Exception):  # nobody expects that a server which answers {} is of any use
        send(dict(os.environ))
    if not (is_usual if expected is None else expected):
        assert place.asked == []
        return
    assert set(place.wait()) == {"far.example:443"}
    assert set(place.logins) == {b"Basic YWRhOnBhc3NAd29yZA=="}
    assert path == "isolated" or place.wait_passed()  # whose path ends with the tunnel


@pytest.mark.parametrize("login", [True, False])
def test_a_request_in_clear_text(
    place: Company, login: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's request without TLS is the proxy's own, with its login if there is one; one to
    this machine goes to no proxy.
    """
    monkeypatch.setenv(SETTING, place.url if login else f"127.0.0.1:{place.port}")
    sender = Sender(None, dict(os.environ))
    assert sender.send("http://far.example/hook", "operator", [], b"{}", 0.0).status == 200
    for name in ("localhost", "127.0.0.1", "[::1]", "x.localhost"):
        sender.send(f"http://{name}:9/hook", "operator", [], b"{}", 0.0)
    assert (place.asked, bool(place.logins[0])) == (["http://far.example:80/hook"], login)
    assert place.passed[0].startswith(
        b"POST http://far.example:80/hook HTTP/1.1\r\nHost: far.example\r\n"
    )


INNER = [
    "metadata.internal",
    "crm",
    "printer.local",
    "db.corp",
    "127.1.",
    "0x7f.0x1",
    "2130706433",
    "localhost.localdomain",
]


@pytest.mark.parametrize("resolves", ["", "1"])
@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[::ffff:10.0.0.1]", *INNER]
)
def test_a_guard_holds_through_a_proxy(
    place: Company, host: str, resolves: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses and names of inner networks are refused as they are written, and the proxy is not
    asked; the operator may go there.
    """
    monkeypatch.setenv("JACKFIELD_RESOLVE_AT_PROXY", resolves)
    sender = Sender(Guard(), {**os.environ, SETTING: place.url})
    for scheme in ("https", "http"):
        attempt = sender.send(f"{scheme}://{host}/hook", "remote", [], b"{}", 0.0)
        assert (attempt.status, place.asked) == (None, [])
    assert sender.send(f"https://{host}/hook", "operator", [], b"{}", 0.0).status == 200
    assert len(place.asked) == 1


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_name_is_handed_over_by_its_address(
    place: Company, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged is what the proxy connects to, by a tunnel: another look-up there could lead
    elsewhere. The server sees its name.
    """
    before = socket.getaddrinfo

    def found(host: str, port: int | None, *given: Any, **named: Any) -> Any:
        if host == "far.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port or 0))]
        return before(host, port, *given, **named)

    monkeypatch.setattr("socket.getaddrinfo", found)
    place.name_of["93.184.215.14"] = "far.example"
    attempt = Sender(Guard(), {**os.environ, SETTING: place.url}).send(
        f"{scheme}://far.example/hook", "remote", [], b"{}", 0.0
    )
    assert (attempt.status, place.asked) == (
        200,
        [f"93.184.215.14:{443 if scheme == 'https' else 80}"],
    )
    assert b"\r\nHost: far.example\r\n" in place.passed[0]


def test_a_name_that_only_the_proxy_can_resolve(place: Company) -> None:
    """It goes to the proxy by its name if the operator says so, and is refused with the variable's
    name else.
    """
    for resolves, status in (("", None), ("1", 200)):
        environment = {**os.environ, SETTING: place.url, "JACKFIELD_RESOLVE_AT_PROXY": resolves}
        attempt = Sender(Guard(), environment).send(
            "https://far.example/hook", "remote", [], b"{}", 0.0
        )
        assert attempt.status == status
    assert place.asked == ["far.example:443"]
    named = Sender(Guard(allowed=("*.corp",)), {**os.environ, SETTING: place.url})
    assert named.send("https://crm.corp/hook", "remote", [], b"{}", 0.0).status == 200


@pytest.mark.parametrize(
    ("exceptions", "host", "direct"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("[fd00::1]:80", "fd00::1", False),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.30", False),
        ("EXAMPLE.com", "a.example.COM", True),
        ("example.com.", "example.com", True),
        ("example.com", "example.com.", True),
        (".example.com", "example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", True),
        ("ample.com", "example.com", False),
        ("a b,c\texample.com", "example.com", True),
        ("*:443", "x.test", True),
        ("*:80", "x.test", False),
        (", ,.,:,", "x.test", False),
    ],
)
def test_the_grammar_of_exceptions(exceptions: str, host: str, direct: bool) -> None:
    """Names with what is below them, ``*.`` for that alone, ports, addresses, networks and ``*``,
    separated by commas or spaces.
    """
    route = outbound({SETTING: "http://p.example:3128", "NO_PROXY": exceptions})
    assert (route(Target("https", host, 443)) is None) == direct


@pytest.mark.parametrize(
    "value",
    [
        "socks5://p.example:1080",
        "https://p.example",
        "ftp://p.example",
        "http://",
        "http://[",
        "http://p:99999",
        "http://p.example/p.pac",
    ],
)
def test_a_proxy_that_cannot_be_used(value: str, place: Company) -> None:
    """The setting is refused at the start; a variable is named where it would be taken, with what
    it is, and nowhere else.
    """
    with pytest.raises(InvalidInvocation) as refused:
        check_outbound({SETTING: value})
    assert SETTING in refused.value.message
    sender = Sender(
        None,
        {
            **os.environ,
            **BY_ENVIRONMENT,
            "HTTPS_PROXY": value,
            "HTTP_PROXY": place.url,
            "NO_PROXY": "near.example",
        },
    )
    attempt = sender.send("https://far.example/hook", "operator", [], b"{}", 0.0)
    assert "the proxy that HTTPS_PROXY names" in (attempt.error or "")
    assert ("SOCKS" in (attempt.error or "")) == value.startswith("socks")
    assert "resolve" in (
        sender.send("https://near.example/hook", "operator", [], b"{}", 0.0).error or ""
    )
    assert sender.send("http://far.example/hook", "operator", [], b"{}", 0.0).status == 200


def test_what_another_program_is_given() -> None:
    """uv, which fetches dependencies, reads variables: the setting is put into them, with the
    exceptions that the environment names.
    """
    given = {"HTTPS_PROXY": "http://a.example", "no_proxy": "x", "OTHER": "y"}
    assert (
        proxy_variables(given)
        == {"HTTPS_PROXY": "http://a.example", "no_proxy": "x"}
        == proxy_variables({**given, SETTING: ENVIRONMENT})
    )
    assert proxy_variables({**given, SETTING: "none"}) == {"no_proxy": "x"}
    own = {"HTTPS_PROXY": "http://b.example", "HTTP_PROXY": "http://b.example", "no_proxy": "x"}
    assert proxy_variables({**given, SETTING: "http://b.example"}) == own


def test_the_metadata_of_this_machine_is_asked_directly(
    place: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would answer with its own machine's credentials."""
    for name, value in (
        ("HTTP_PROXY", place.url),
        (SETTING, place.url),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://far.example"),
    ):
        monkeypatch.setenv(name, value)
    _invoke(
        dict(os.environ),
        "aws-ses",
        "getAccount",
        {"type": "aws/awsDefault", "values": {"region": "eu-west-1"}},
        {},
    )
    assert place.asked == []


def test_a_start_says_which_paths_ignore_a_proxy() -> None:
    """One sentence while the operator has not chosen; none if there is nothing to ignore, or it was
    chosen.
    """
    assert "HTTPS_PROXY" in (ignored_proxy({"HTTPS_PROXY": "http://p.example"}) or "")
    for environment in (
        {},
        {"NO_PROXY": "x"},
        {"HTTPS_PROXY": "http://p.example", SETTING: "none"},
    ):
        assert ignored_proxy(environment) is None
