"""A server, a proxy, an authorization server and STS in one, which remembers what arrives over
which connection; and each option of a connection over it.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jackfield.kernel.dataclass import dataclass, field

CLIENT = "client-4711"
_ROLE = "arn:aws:iam::123456789012:role/acme"
_STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLEROLEROLEROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>role-session</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, and the connection that it came over."""

    port: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, with the login of the header field."""
        login = self.headers.get("authorization", "")
        found = dict(parse_qsl(self.body))
        if login.startswith("Basic "):
            found["login"] = b64decode(login[6:]).decode()
        return found


class Wire:
    """The server; ``nonce`` is that of the approval that is under way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[Seen] = []
        self.nonce = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> list[Seen]:
        """The requests for a path, of a whole URL, too."""
        return [one for one in self.seen if urlsplit(one.path).path == path]

    def token(self) -> dict[str, Any]:
        """The answer of the token endpoint, with an ID token; tokens of another place, too."""
        now = int(time.time())
        claims = {
            "iss": "https://issuer.example",
            "aud": CLIENT,
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
            "nonce": self.nonce,
        }
        payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        found = {
            "access_token": "usual-token",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "r",
            "id_token": f"e.{payload}.s",
        }
        return {**found, "inner": {**found, "access_token": "inner-token"}}


@contextmanager
def wired() -> Iterator[Wire]:
    """Run the server."""

    class Talk(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            """Answer as the path's owner."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            wire.seen.append(Seen(self.client_address[1], self.command, self.path, headers, body))
            path = urlsplit(self.path).path
            account = {"id": "usual", "name": "Usual", "data": {"id": "placed", "name": "Placed"}}
            found = (
                _STS
                if "Action=AssumeRole" in body
                else json.dumps(wire.token() if path == "/token" else account)
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/xml" if found is _STS else "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found.encode())

        def do_GET(self) -> None:
            """As a POST."""
            self.do_POST()

        def do_PUT(self) -> None:
            """As a POST."""
            self.do_POST()

    with ThreadingHTTPServer(("127.0.0.1", 0), Talk) as server:
        wire = Wire(server.server_port)
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield wire
        server.shutdown()


Values = dict[str, Any]
Look = Callable[[Wire], object]


@dataclass(frozen=True, slots=True)
class Option:
    """What an option needs beside it, and what is seen on the wire with it: without it, that must
    not be there.
    """

    values: Callable[[Wire], Values]
    look: Look
    needs: Callable[[Wire], Values] = field(default=lambda _wire: {})


def _last(wire: Wire) -> Seen:
    return next(one for one in reversed(wire.seen) if urlsplit(one.path).path == "/x")


def _sent(name: str, value: str) -> Look:
    return lambda wire: value in _last(wire).headers.get(name, "")


def _asked_for(**wanted: str) -> Look:
    """Whether a token, or an approval, was asked for with these parameters."""

    def look(wire: Wire) -> bool:
        rows = [one.form for one in wire.asked("/token")] + [
            dict(parse_qsl(urlsplit(one.path).query)) for one in wire.asked("/authorize")
        ]
        return any(
            all(value in row.get(name, "") for name, value in wanted.items()) for row in rows
        )

    return look


def _proxied(wire: Wire) -> bool:
    return all(one.path.startswith("http://") for one in wire.seen if one.path.endswith("/x"))


def _fixed(**values: Any) -> Callable[[Wire], Values]:
    return lambda _wire: values


def _proxy(wire: Wire) -> Values:
    return {"proxy": wire.url}


def _login(wire: Wire) -> Values:
    return {**_proxy(wire), "proxyUsername": "ada"}


def _role(wire: Wire) -> Values:
    return {"roleARN": _ROLE, "stsEndpoint": wire.url}


def _assumed(text: str) -> Look:
    return lambda wire: any(text in one.body for one in wire.asked("/"))


_OTHER_KEYS = {"accessKeyId": "AKIDOTHEROTHEROTHER0", "secretAccessKey": "other"}
OPTIONS: dict[str, Option] = {
    "server": Option(lambda wire: {"server": wire.url}, lambda wire: bool(wire.asked("/x"))),
    "proxy": Option(_proxy, _proxied),
    "proxyUsername": Option(
        _fixed(proxyUsername="ada"), _sent("proxy-authorization", "Basic YWRhO"), _proxy
    ),
    "proxyPassword": Option(
        _fixed(proxyPassword="pw"), _sent("proxy-authorization", "Basic YWRhOnB3"), _login
    ),
    "freshConnections": Option(
        _fixed(freshConnections=True),
        lambda wire: len({one.port for one in wire.asked("/x")}) == len(wire.asked("/x")),
    ),
    "headerName": Option(
        _fixed(headerName="X-Second", headerValue="v-2"), _sent("x-second", "v-2")
    ),
    "headerValue": Option(
        _fixed(headerName="X-Second", headerValue="v-2"), _sent("x-second", "v-2")
    ),
    "place": Option(_fixed(place="query"), lambda wire: "X-Api-Key=k-1" in _last(wire).path),
    "keyName": Option(_fixed(keyName="X-Other"), _sent("x-other", "k-1")),
    "scopes": Option(_fixed(scopes=["parcels"]), _asked_for(scope="parcels")),
    "clientSecret": Option(_fixed(clientSecret="s-1"), _asked_for(login=f"{CLIENT}:s-1")),
    "clientAuthentication": Option(
        _fixed(clientAuthentication="body"), _asked_for(client_secret="s"), _fixed(clientSecret="s")
    ),
    "audience": Option(_fixed(audience="aud-1"), _asked_for(audience="aud-1")),
    "resource": Option(
        _fixed(resource="https://r.example"), _asked_for(resource="https://r.example")
    ),
    "tokenParameters": Option(_fixed(tokenParameters={"more": "m-1"}), _asked_for(more="m-1")),
    "tokenPlace": Option(_fixed(tokenPlace="/inner"), _sent("authorization", "inner-token")),
    "service": Option(_fixed(service="es"), _sent("authorization", "/es/aws4_request")),
    "accessKeyId": Option(lambda _wire: dict(_OTHER_KEYS), _sent("authorization", "AKIDOTHER")),
    "secretAccessKey": Option(lambda _wire: dict(_OTHER_KEYS), _sent("authorization", "AKIDOTHER")),
    "sessionToken": Option(_fixed(sessionToken="t-1"), _sent("x-amz-security-token", "t-1")),
    "roleARN": Option(
        _role, _sent("x-amz-security-token", "role-session"), lambda wire: {"stsEndpoint": wire.url}
    ),
    "externalId": Option(_fixed(externalId="ext-1"), _assumed("ExternalId=ext-1"), _role),
    "durationSeconds": Option(_fixed(durationSeconds=901), _assumed("DurationSeconds=901"), _role),
    "stsEndpoint": Option(
        lambda wire: {**_role(wire), "roleARN": f"{_ROLE}-of-its-own"},
        lambda wire: bool(wire.asked("/")),
    ),
    "revocationUrl": Option(
        lambda wire: {"revocationUrl": f"{wire.url}/revoke"},
        lambda wire: bool(wire.asked("/revoke")),
    ),
}
"""Options that are seen at the server, in clear text."""

REQUIRED: dict[str, Values] = {
    "bearer": {"token": "t"},
    "apiKey": {"apiKey": "k-1"},
    "basic": {"username": "u", "password": "p"},
    "mutualTls": {},
    "anonymous": {},
    "awsSigV4": {
        "region": "eu-west-1",
        "accessKeyId": "AKIDEXAMPLEEXAMPLE00",
        "secretAccessKey": "s",
    },
    "oauth2ClientCredentials": {"clientId": CLIENT, "clientSecret": "s"},
    "oauth2AuthorizationCode": {"clientId": CLIENT},
    "openIdConnect": {"clientId": CLIENT},
}
"""Values that each type needs beside the server, and its endpoints."""
