"""Several credentials at once, over real TLS: keys, tokens and approvals of a certified server,
each with a client certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from http_rig import attempt
from inmemory import installed
from jackfield.catalog import Catalog
from jackfield.connector import (
    Connector,
    Field,
    Inputs,
    InvalidConnection,
    JackfieldError,
    OpenContext,
    Output,
)
from jackfield.testing import Answer, Provider, Request
from jackfield_http import (
    ApiKey,
    BasicLogin,
    HttpClient,
    MutualTls,
    OAuth2ClientCredentials,
    OpenIdConnect,
    SignIn,
    Together,
    in_header,
)
from jackfield_market.testing.harness import open_project
from jackfield_store.runtime import Jackfield
from oidc_provider import REDIRECT_URI, AuthorizationServer, authorization_server
from openapi_rig import document, generate, operation
from plugboard import declare, plugged
from raw_server import make_certificate
from tls_front import Front, certificate_and_key, fronting

ROOT = Path(__file__).parents[3]
KEY = "second-key-4711"


class CertifiedKey(ApiKey, MutualTls):
    """An API key and a client certificate."""

    key: ClassVar[str] = "certifiedKey"


class Gateway(BasicLogin, MutualTls):
    """A user behind a gateway with a key of its own."""

    key: ClassVar[str] = "gateway"
    gateway_key: str = Field(
        title="Gateway Key", description="The key for the gateway.", secret=True
    )

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return both."""
        return Together(
            (super().sign_in(context), in_header("X-Gateway-Key", self.gateway_key, "/gatewayKey"))
        )


class CertifiedClient(OAuth2ClientCredentials, MutualTls):
    """An application that shows its certificate to the authorization server, too (RFC 8705)."""

    key: ClassVar[str] = "certifiedClient"


class CertifiedAccount(OpenIdConnect, MutualTls):
    """A person's account behind a gateway that wants certificates."""

    key: ClassVar[str] = "certifiedAccount"


class Nothing(Inputs):
    """Nothing."""


class Person(Output):
    """Who has approved."""

    sub: str


def echo(_number: int, request: Request) -> Answer:
    """What the server has seen, or a token."""
    if request.path == "/token":
        return Answer({"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600})
    return Answer(
        {
            "path": request.path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
    )


@pytest.fixture(name="pem", scope="module")
def _pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's certificate."""
    return make_certificate(tmp_path_factory.mktemp("server"))


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory, pem: Path) -> dict[str, str]:
    """The client's certificate, and the server's authority, as connection values."""
    certificate, key = certificate_and_key(make_certificate(tmp_path_factory.mktemp("client")))
    return {
        "certificate": certificate,
        "privateKey": key,
        "caCertificate": certificate_and_key(pem)[0],
    }


@pytest.fixture(name="front")
def _front(pem: Path, certificate: dict[str, str]) -> Iterator[Front]:
    """A gateway to the echo, for clients with that certificate alone."""
    with (
        Provider(echo) as provider,
        fronting(urlsplit(provider.url).port or 0, pem, certificate["certificate"]) as front,
    ):
        yield front


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        pytest.param(CertifiedKey, {"apiKey": "k-1"}, {"x-api-key": "k-1"}, id="key"),
        pytest.param(
            Gateway,
            {"username": "u", "password": "p", "gatewayKey": KEY},
            {"authorization": "Basic dTpw", "x-gateway-key": KEY},
            id="basic",
        ),
        pytest.param(
            CertifiedClient,
            {"clientId": "c", "clientSecret": "s"},
            {"authorization": "Bearer a-token"},
            id="client-credentials",
        ),
    ],
)
def test_types_are_combined_by_inheritance(
    front: Front,
    certificate: dict[str, str],
    kind: type[MutualTls],
    values: dict[str, str],
    wanted: dict[str, str],
) -> None:
    """Each request has all credentials of its type, and requests for tokens show the certificate,
    too.
    """
    token = {"tokenUrl": f"{front.url}/token"} if kind is CertifiedClient else {}
    with attempt(front.url, kind, values={**values, **token, **certificate}) as (api, _):
        assert api.get("/x").json("/headers").items() >= wanted.items()
        assert set(front.certified) == {True}


def test_a_client_without_its_certificate(
    front: Front, certificate: dict[str, str], tmp_path: Path
) -> None:
    """A certificate of another authority is refused by the server, whatever other credentials there
    are.
    """
    other, key = certificate_and_key(make_certificate(tmp_path))
    values = {**certificate, "apiKey": "k-1", "certificate": other, "privateKey": key}
    with (
        attempt(front.url, CertifiedKey, values=values) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    assert (found.value.code in {"unauthenticated", "unavailable"}, front.certified) == (True, [])


def test_an_account_behind_a_gateway(
    tmp_path: Path, pem: Path, certificate: dict[str, str]
) -> None:
    """Code, refresh, requests and revocation of an OpenID Connect account go over TLS with the
    certificate, to a certified server.
    """
    connector = Connector("people", title="People", version="1.0.0", connections=[CertifiedAccount])

    @connector.action("whoAmI", effect="read")
    def who_am_i(inputs: Nothing, api: HttpClient) -> Person:
        """Ask."""
        return Person(sub=api.get("/me").json("/sub"))

    home = {"JACKFIELD_HOME": str(tmp_path)}
    with (
        authorization_server() as provider,
        fronting(urlsplit(provider.issuer).port or 0, pem, certificate["certificate"]) as front,
        installed(tmp_path, connector) as catalog,
        Jackfield(
            catalog=catalog, database_url=f"sqlite:///{tmp_path}/j.db", environment=home
        ) as runtime,
    ):
        runtime.connections.add(
            "ada", "people/certifiedAccount", {**_at(front, provider), **certificate}, test=False
        )
        begun = runtime.connections.authorizing().begin("ada", REDIRECT_URI)
        runtime.connections.authorizing().complete(
            begun["id"], provider.browser().approve(begun["url"])
        )
        asked = {"connector": "people", "action": "whoAmI", "connection": "ada", "inputs": {}}
        assert runtime.invoke(asked).unwrap() == {"sub": "ada"}
        before = provider.count("/token/revocation")
        runtime.connections.remove("ada")
        assert provider.count("/token/revocation") - before == 1
        assert front.certified
        assert all(front.certified)


def _at(front: Front, provider: AuthorizationServer) -> dict[str, Any]:
    moved = {
        "server": front.url,
        "tokenUrl": f"{front.url}/token",
        "revocationUrl": f"{front.url}/token/revocation",
    }
    return {name: value for name, value in provider.values(**moved).items() if name != "deviceUrl"}


def test_a_generated_connector(
    front: Front,
    certificate: dict[str, str],
    pem: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A document that wants a certificate and a key at once gets both; the machine's authorities
    vouch for the server.
    """
    schemes = {
        "cert": {"type": "mutualTLS"},
        "app": {"type": "apiKey", "in": "query", "name": "app"},
    }
    source = document(
        {"/a": {"get": operation(security=[{"cert": [], "app": []}])}},
        components={"securitySchemes": schemes},
    )
    manifest = generate(tmp_path, {**source, "openapi": "3.1.0"})
    values = {
        "certCertificate": certificate["certificate"],
        "certPrivateKey": certificate["privateKey"],
        "appValue": "k",
        "server": front.url,
    }
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    declare(
        tmp_path / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    connection = {"type": f"acme/{manifest['connectionTypes'][0]['key']}", "values": values}
    with (
        plugged(tmp_path / "made"),
        Jackfield(catalog=Catalog.installed(), database_url="none") as runtime,
    ):
        output = runtime.invoke(
            {"connector": "acme", "action": "getA", "connection": connection, "inputs": {}}
        ).unwrap()
    assert (output["path"], front.certified) == ("/a?app=***", [True])


def test_a_generated_account(
    pem: Path, certificate: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval and a certificate together: the authorization server is shown the certificate,
    too, and so is every request.
    """
    flow = {"authorizationUrl": "/auth", "tokenUrl": "/token", "scopes": {}}
    schemes = {
        "cert": {"type": "mutualTLS"},
        "login": {"type": "oauth2", "flows": {"authorizationCode": flow}},
    }
    about = operation(operationId="whoAmI", security=[{"cert": [], "login": []}])
    manifest = generate(
        tmp_path,
        {
            **document({"/me": {"get": about}}, components={"securitySchemes": schemes}),
            "openapi": "3.1.0",
        },
    )
    kind = next(row for row in manifest["connectionTypes"] if row.get("authorizes"))
    declare(
        tmp_path / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    home = {"JACKFIELD_HOME": str(tmp_path)}
    with (
        authorization_server() as provider,
        fronting(urlsplit(provider.issuer).port or 0, pem, certificate["certificate"]) as front,
        plugged(tmp_path / "made"),
        Jackfield(
            catalog=Catalog.installed(), database_url=f"sqlite:///{tmp_path}/j.db", environment=home
        ) as runtime,
    ):
        given = {
            f"login{name[0].upper()}{name[1:]}": value
            for name, value in _at(front, provider).items()
        }
        values = {
            name: value for name, value in given.items() if name in kind["schema"]["properties"]
        }
        values |= {
            "certCertificate": certificate["certificate"],
            "certPrivateKey": certificate["privateKey"],
            "server": front.url,
        }
        values |= {"loginScopes": " ".join(given["loginScopes"])}
        runtime.connections.add("ada", f"acme/{kind['key']}", values, test=False)
        begun = runtime.connections.authorizing().begin("ada", REDIRECT_URI)
        runtime.connections.authorizing().complete(
            begun["id"], provider.browser().approve(begun["url"])
        )
        assert runtime.invoke(
            {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
        ).unwrap() == {"sub": "ada"}
        assert set(front.certified) == {True}


@pytest.mark.parametrize(
    ("kind", "values", "wanted"),
    [
        ("bearer", {"token": "t-1"}, {"authorization": "Bearer ***"}),
        ("apiKey", {"apiKey": "k-1", "keyName": "X-Key"}, {"x-key": "***"}),
        ("basic", {"username": "u", "password": "pass-word-4711"}, {"authorization": "***"}),
        (
            "oauth2ClientCredentials",
            {"clientId": "c", "clientSecret": "s"},
            {"authorization": "Bearer ***"},
        ),
        ("mutualTls", {}, {}),
    ],
)
def test_the_connector_http_combines_them(
    front: Front,
    certificate: dict[str, str],
    kind: str,
    values: dict[str, str],
    wanted: dict[str, str],
) -> None:
    """Connections of every type may have one more header field and a client certificate; neither is
    shown.
    """
    more = {"headerName": "X-Second", "headerValue": KEY, **certificate}
    token = {"tokenUrl": f"{front.url}/token"} if "clientId" in values else {}
    connection = {
        "type": f"http/{kind}",
        "values": {"server": front.url, **values, **token, **more},
    }
    with open_project(str(ROOT / "connectors" / "http" / "pyproject.toml")) as runtime:
        found = runtime.invoke(
            {
                "connector": "http",
                "action": "request",
                "connection": connection,
                "inputs": {"url": "/x"},
            }
        ).unwrap()
    headers = found["body"]["headers"]
    assert (headers["x-second"], set(front.certified)) == ("***", {True})
    assert {name: headers[name] for name in wanted} == wanted


def test_a_signature_and_a_key() -> None:
    """Signed requests may have a key beside the signature, as API Gateway wants it."""
    keys = {
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": "wJalrXUtnFEMI/K7MDENG",
        "region": "eu-west-1",
    }
    with (
        Provider(echo) as server,
        open_project(str(ROOT / "connectors" / "http" / "pyproject.toml")) as runtime,
    ):
        values = {"server": server.url, "headerName": "X-Api-Key", "headerValue": KEY, **keys}
        called = {
            "connector": "http",
            "action": "request",
            "connection": {"type": "http/awsSigV4", "values": values},
        }
        runtime.invoke({**called, "inputs": {"url": "/x"}}).unwrap()
        headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert (headers["authorization"][:16], headers["x-api-key"]) == ("AWS4-HMAC-SHA256", KEY)


@pytest.mark.parametrize("name", ["headerName", "headerValue", "certificate", "privateKey"])
def test_halves_are_refused(certificate: dict[str, str], name: str) -> None:
    """A header without its value, or a certificate without its key, is refused at the missing
    value.
    """
    given = {
        "headerName": "X-Second",
        "headerValue": KEY,
        "certificate": certificate["certificate"],
        "privateKey": certificate["privateKey"],
    }
    values = {key: value for key, value in given.items() if key != name}
    connection = {
        "type": "http/bearer",
        "values": {"server": "https://127.0.0.1:9", "token": "t", **values},
    }
    with open_project(str(ROOT / "connectors" / "http" / "pyproject.toml")) as runtime:
        error = runtime.invoke(
            {
                "connector": "http",
                "action": "request",
                "connection": connection,
                "inputs": {"url": "/x"},
            }
        ).error
    assert error is not None
    assert (error.code, [detail.path for detail in error.details]) == (
        "invalid_connection",
        [f"/{name}"],
    )


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Host"])
def test_credentials_do_not_frame_messages(name: str) -> None:
    """A connection cannot send its secret as a field by which a message ends: another request could
    hide in it.
    """
    kind = type("Kind", (ApiKey,), {"name": name})
    with (
        pytest.raises(InvalidConnection) as found,
        attempt("http://127.0.0.1:9", kind, values={"apiKey": "5"}),
    ):
        pass
    assert found.value.details[0].path == "/apiKey"
