"""OAuth 2.0 compared with authlib, an independent client: the same requests, the same verdicts, and
tokens that each can go on with.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from http_rig import attempt
from inmemory import installed
from jackfield.connector import InvalidConnection
from jackfield.testing import Answer, Provider, Request
from jackfield_http import OAuth2AuthorizationCode, OAuth2ClientCredentials, OpenIdConnect
from jackfield_store.runtime import Jackfield
from oauth2_people import make_connector
from oidc_provider import REDIRECT_URI, SECRET, AuthorizationServer, authorization_server

CLIENT, ISSUER = "app-1", "https://login.example.com"
SCOPES = ["mail.read", "offline access:all/ü"]
METHODS = {"basic": "client_secret_basic", "body": "client_secret_post"}
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class InBody(OAuth2AuthorizationCode):
    """A provider that wants the client's secret in the body."""

    key, client_authentication = "inBody", "body"


@dataclass
class Recorder:
    """Authorization server that issues tokens for everything, and records the requests; ``claims``
    are those of its ID tokens.
    """

    asked: list[dict[str, Any]] = field(default_factory=list)
    issued: int = 0
    claims: Mapping[str, Any] | None = None

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer, and record what matters to an authorization server."""
        if request.path == "/me":
            return Answer({"sub": "ada"})
        headers = {name.lower(): value for name, value in request.headers.items()}
        form = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        self.asked.append(
            {
                "line": f"{request.method} {request.path}",
                "type": headers["content-type"].partition(";")[0],
                "form": dict(form),
                "login": headers.get("authorization"),
                "repeats": len(form) - len(dict(form)),
            }
        )
        if request.path == "/revoke":
            return Answer(content=b"")
        if request.path == "/device":
            found = {
                "device_code": "d/1+2",
                "user_code": "ABCD",
                "verification_uri": f"{ISSUER}/device",
                "expires_in": 60,
                "interval": 1,
            }
            return Answer(found)
        self.issued += 1
        # too short to be used: the first call refreshes
        lasts = 3600 if dict(form)["grant_type"] == "refresh_token" else 30
        tokens = {
            "access_token": f"a-{self.issued}",
            "refresh_token": f"r+/{self.issued}=",
            "token_type": "bearer",
            "expires_in": lasts,
        }
        return Answer(
            tokens if self.claims is None else {**tokens, "id_token": encoded(self.claims)}
        )

    def last(self) -> dict[str, Any]:
        """The last request."""
        return self.asked[-1]


@pytest.fixture
def recorder() -> Recorder:
    """The server's script."""
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[Provider]:
    """The authorization server."""
    with Provider(recorder) as provider:
        yield provider


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with the connector."""
    with (
        installed(
            tmp_path, make_connector(OAuth2AuthorizationCode, InBody, OpenIdConnect)
        ) as catalog,
        Jackfield(
            catalog=catalog,
            database_url=f"sqlite:///{tmp_path}/j.db",
            environment={"JACKFIELD_HOME": str(tmp_path)},
        ) as found,
    ):
        yield found


def encoded(claims: Mapping[str, Any]) -> str:
    """An ID token whose signature nobody checks, since it comes from the token endpoint."""
    parts = ({"alg": "RS256"}, claims)
    return ".".join(
        [
            *(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts),
            "c2ln",
        ]
    )


def values(server: Provider, **more: Any) -> dict[str, Any]:
    """Values of a connection to the server."""
    return {
        "server": server.url,
        "authorizationUrl": f"{server.url}/auth?tenant=a%20b",
        "tokenUrl": f"{server.url}/token",
        "clientId": CLIENT,
        "deviceUrl": f"{server.url}/device",
        "revocationUrl": f"{server.url}/revoke",
        "scopes": SCOPES,
        **more,
    }


def query(url: str) -> dict[str, str]:
    """Parameters of a URL, each of which occurs once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def stored(runtime: Jackfield) -> Any:
    """The stored grant of the connection ``ada``."""
    store: Any = runtime.connections.known.store
    return store.approvals[0].find(str(store.show("ada").id), "ada")


@pytest.mark.parametrize(
    ("kind", "secret", "method"),
    [
        pytest.param(
            "oauth2AuthorizationCode", "s3cr3t-of_the.client~1", "client_secret_basic", id="basic"
        ),
        pytest.param("inBody", "s3cr3t: of/the+client=&%ü", "client_secret_post", id="body"),
        pytest.param("oauth2AuthorizationCode", None, "none", id="public"),
    ],
)
def test_the_requests_of_a_grant_are_authlibs(
    runtime: Jackfield,
    recorder: Recorder,
    server: Provider,
    kind: str,
    secret: str | None,
    method: str,
) -> None:
    """Approval, code, device code, refresh and revocation: for each, authlib with the same secret
    values sends an equal request.
    """
    given = values(server, **({} if secret is None else {"clientSecret": secret}))
    runtime.connections.add("ada", f"people/{kind}", given, test=False)
    session = OAuth2Session(
        CLIENT,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope=" ".join(SCOPES),
        redirect_uri=REDIRECT_URI,
        code_challenge_method="S256",
    )
    session.trust_env = False
    begun = runtime.connections.authorizing().begin("ada", REDIRECT_URI)
    state, code = query(begun["url"])["state"], "c0de/with+odd=characters ü"
    runtime.connections.authorizing().complete(begun["id"], {"state": state, "code": code})
    mine = recorder.last()
    verifier = mine["form"]["code_verifier"]
    url, _ = session.create_authorization_url(
        given["authorizationUrl"], state=state, code_verifier=verifier
    )
    assert query(begun["url"]) == query(url)
    session.fetch_token(
        given["tokenUrl"], grant_type="authorization_code", code=code, code_verifier=verifier
    )
    assert mine == recorder.last()
    refresh = stored(runtime).value["refreshToken"]
    asked = {"connector": "people", "action": "whoAmI", "connection": "ada", "inputs": {}}
    assert runtime.invoke(asked).status == "succeeded"
    mine = recorder.last()
    session.scope = None  # a refresh keeps the scopes of the grant
    session.refresh_token(given["tokenUrl"], refresh_token=refresh)
    assert mine == recorder.last()
    device = runtime.connections.authorizing().begin_device("ada")
    runtime.clock.sleep(device["interval"])
    assert runtime.connections.authorizing().poll(device["id"])["status"] == "granted"
    mine = recorder.last()
    session.fetch_token(given["tokenUrl"], grant_type=DEVICE, device_code="d/1+2")
    assert mine == recorder.last()
    refresh = stored(runtime).value["refreshToken"]
    runtime.connections.remove("ada")
    mine = recorder.last()
    session.revoke_token(given["revocationUrl"], token=refresh)
    assert mine == recorder.last()
    assert mine["line"] == "POST /revoke"


@pytest.mark.parametrize(
    ("place", "secret"), [("basic", "s3cr3t-of_the.client~1"), ("body", "s3:&%ü+ /=")]
)
def test_client_credentials_are_authlibs(
    recorder: Recorder, server: Provider, place: str, secret: str
) -> None:
    """The request for a token is the one that authlib sends, and so is the request with it."""
    kind = type("Kind", (OAuth2ClientCredentials,), {"client_authentication": place})
    given = {
        "tokenUrl": f"{server.url}/token",
        "clientId": CLIENT,
        "clientSecret": secret,
        "scopes": SCOPES,
    }
    with attempt(server.url, kind, values=given) as (api, _):
        api.get("/me")
    session = OAuth2Session(
        CLIENT, secret, token_endpoint_auth_method=METHODS[place], scope=" ".join(SCOPES)
    )
    session.trust_env = False
    session.fetch_token(given["tokenUrl"], grant_type="client_credentials", scope=" ".join(SCOPES))
    assert recorder.asked[0] == recorder.asked[1]
    session.token = {"access_token": "a-1", "token_type": "bearer"}
    session.get(f"{server.url}/me")
    logins = [
        dict(request.headers).get("Authorization")
        for request in server.requests
        if request.path == "/me"
    ]
    assert logins == ["Bearer a-1"] * 2


GOOD = {"iss": ISSUER, "sub": "ada", "aud": CLIENT, "exp": 60, "iat": 0}
CLAIMS: dict[str, dict[str, Any]] = {
    "good": {},
    "audience-in-a-list": {"aud": [CLIENT]},
    "for-this-party": {"aud": [CLIENT, "other"], "azp": CLIENT},
    "another-issuer": {"iss": "https://evil.example"},
    "no-issuer": {"iss": None},
    "issuer-with-a-slash": {"iss": f"{ISSUER}/"},
    "another-audience": {"aud": "other"},
    "audiences-without-ours": {"aud": ["other", "x"], "azp": CLIENT},
    "no-audience": {"aud": None},
    "several-audiences-without-a-party": {"aud": [CLIENT, "other"]},
    "another-party": {"aud": [CLIENT, "other"], "azp": "other"},
    "another-sole-party": {"azp": "other"},
    "expired": {"exp": -600},
    "no-expiry": {"exp": None},
    "another-nonce": {"nonce": "made-up"},
    "no-nonce": {"nonce": None},
    "no-subject": {"sub": None},
    "no-time-of-issue": {"iat": None},
    "not-yet": {"nbf": 600},
    "issued-in-the-future": {"iat": 600},
}


def test_security_8_openid_connect_needs_an_issuer(runtime: Jackfield, server: Provider) -> None:
    """Without ``issuer``, the ``iss`` of no answer and no ID token was compared; a connection that
    lacks it is refused.
    """
    with pytest.raises(InvalidConnection) as refused:
        runtime.connections.add("ada", "people/openIdConnect", values(server), test=False)
    assert [detail.path for detail in refused.value.details] == ["/issuer"]


def test_id_tokens_are_judged_as_by_authlib(
    runtime: Jackfield, recorder: Recorder, server: Provider, subtests: pytest.Subtests
) -> None:
    """An ID token connects somebody if authlib accepts its claims for this client, issuer and
    nonce, and only then.
    """
    for case, changed in CLAIMS.items():
        with subtests.test(case=case):
            runtime.connections.add(
                case, "people/openIdConnect", values(server, issuer=ISSUER), test=False
            )
            begun = runtime.connections.authorizing().begin(case, REDIRECT_URI)
            asked, now = query(begun["url"]), int(time.time())
            claims = {"nonce": asked["nonce"], **GOOD, **changed}
            claims |= {
                name: claims[name] + now
                for name in ("exp", "iat", "nbf")
                if claims.get(name) is not None
            }
            recorder.claims = claims = {
                name: value for name, value in claims.items() if value is not None
            }
            options = {
                "iss": {"essential": True, "value": ISSUER},
                "aud": {"essential": True, "value": CLIENT},
            }
            judged = CodeIDToken(
                claims, {"alg": "RS256"}, options, {"nonce": asked["nonce"], "client_id": CLIENT}
            )
            accepted = case in {"good", "audience-in-a-list", "for-this-party"}
            with nullcontext() if accepted else pytest.raises(JoseError):
                judged.validate(now=now, leeway=60)
            with nullcontext() if accepted else pytest.raises(InvalidConnection):
                runtime.connections.authorizing().complete(
                    begun["id"], {"state": asked["state"], "code": "c"}
                )
            assert runtime.connections.show(case)["authorization"]["status"] == (
                "granted" if accepted else "none"
            )


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """A certified authorization server."""
    with authorization_server() as found:
        yield found


def test_authlib_goes_on_with_our_grant(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """A certified server gives authlib, for our refresh token, the same scopes and person; ours is
    rotated by that, and used up.
    """
    runtime.connections.add("ada", "people/oauth2AuthorizationCode", provider.values(), test=False)
    begun = runtime.connections.authorizing().begin("ada", REDIRECT_URI)
    runtime.connections.authorizing().complete(
        begun["id"], provider.browser().approve(begun["url"])
    )
    session = OAuth2Session("web", SECRET)
    session.trust_env = False
    found = session.refresh_token(
        f"{provider.issuer}/token", refresh_token=stored(runtime).value["refreshToken"]
    )
    assert set(found["scope"].split()) == set(stored(runtime).scopes)
    assert session.get(f"{provider.issuer}/me").json()["sub"] == "ada"
    result = runtime.invoke(
        {"connector": "people", "action": "whoAmI", "connection": "ada", "inputs": {}}
    )
    assert result.error is not None
    assert (result.error.code, runtime.connections.show("ada")["authorization"]["status"]) == (
        "invalid_connection",
        "ended",
    )
