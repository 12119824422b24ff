"""JWTs of the operator's identity provider, beside our own tokens (issue 5)."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from authority import Authority
from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield_service.shell.identity.identity_providers import Jwt
from waiting import until

ISSUER, AUDIENCE = "https://id.example.com", "jackfield"


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    """The provider's key, which takes 60 ms to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """An identity provider: a key, and where it is published."""

    def __init__(self) -> None:
        self.key = _key()
        self.asked, self.away = 0, False
        published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key())) | {
            "kid": "one",
            "use": "sig",
            "alg": "RS256",
        }
        self.published, provider = [published], self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = json.dumps({"keys": provider.published}).encode()
                self.send_response(503 if provider.away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/keys"

    def token(
        self, *, key: Any = None, algorithm: str = "RS256", kid: str = "one", **claims: Any
    ) -> str:
        """A token; a claim of None is left out."""
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": time.time() + 60,
            "workspace": "default",
            "scope": "invoke",
        }
        told = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(told, key or self.key, algorithm, {"kid": kid})


@pytest.fixture
def provider() -> Iterator[Provider]:
    """An identity provider on loopback."""
    found = Provider()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def stand(tmp_path: Path, provider: Provider) -> Iterator[Stand]:
    """A server that takes the provider's tokens."""
    with standing(tmp_path, replace(SETTINGS, jwt=Jwt(provider.url, ISSUER, AUDIENCE))) as found:
        yield found


@pytest.mark.parametrize(
    ("scope", "answers"),
    [
        ("read", (200, 403)),
        ("openid jackfield:invoke", (200, 200)),
        (["manage", "read"], (200, 200)),
        ("admin", (401, 401)),
        (None, (401, 401)),
    ],
)
def test_claims_say_what_a_caller_may(
    stand: Stand, provider: Provider, scope: Any, answers: tuple[int, int]
) -> None:
    """The scope is the widest of ours that the claim names; without one nobody is let in. The
    journal knows the subject.
    """
    client = Client(stand.port, provider.token(scope=scope))
    assert client.get("/v1/connectors").status == answers[0]
    assert client.post("/v1/invocations", say("say", text="hello")).status == answers[1]
    if answers[1] == 200:
        assert client.get("/v1/invocations").json["items"][0]["caller"] == "ada"


def test_the_workspace_is_the_claims(stand: Stand, provider: Provider) -> None:
    """A caller sees the workspace of the claim and no other; one that there is not lets nobody
    in.
    """
    stand.workspaces.create("acme")
    ours = Client(stand.port, provider.token())
    theirs = Client(stand.port, provider.token(workspace="acme", sub="bob"))
    made = ours.post("/v1/invocations", say("say", text="hello")).json["meta"]["invocationId"]
    assert ours.get(f"/v1/invocations/{made}").status == 200
    assert theirs.get(f"/v1/invocations/{made}").status == 404
    assert theirs.get("/v1/invocations").json["items"] == []
    assert (
        Client(stand.port, provider.token(workspace="nobodys")).get("/v1/connectors").status == 401
    )


@pytest.mark.parametrize(
    ("members", "algorithm", "answer"),
    [
        ({"alg": "RS256"}, "RS256", 200),
        ({"alg": "RS256"}, "PS256", 401),
        ({"alg": "PS256"}, "PS256", 200),
        ({"alg": None}, "RS256", 200),
        ({"alg": None}, "PS256", 200),
        ({"alg": "RS384"}, "RS384", 401),
        ({"use": "enc"}, "RS256", 401),
        ({"use": None}, "RS256", 200),
        ({"key_ops": ["verify"]}, "RS256", 200),
        ({"key_ops": ["verify", "wrapKey"]}, "RS256", 200),
        ({"key_ops": ["sign"]}, "RS256", 401),
        ({"key_ops": []}, "RS256", 401),
        ({"key_ops": "verify"}, "RS256", 401),
    ],
)
def test_a_key_is_used_for_what_it_says(
    tmp_path: Path, provider: Provider, members: dict[str, Any], algorithm: str, answer: int
) -> None:
    """A published key verifies tokens of the algorithm that it names, and none if its use or its
    operations are others.
    """
    told = {**provider.published[0], **members}
    provider.published = [
        _other(),
        {name: value for name, value in told.items() if value is not None},
    ]
    with standing(tmp_path, replace(SETTINGS, jwt=Jwt(provider.url, ISSUER, AUDIENCE))) as stand:
        assert (
            Client(stand.port, provider.token(algorithm=algorithm)).get("/v1/connectors").status
            == answer
        )


def _other() -> dict[str, Any]:
    """A key that can be used, so that the provider is not one without keys."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    found: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(point))
    return found | {"kid": "other", "use": "sig"}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("bits", "answer"), [(1024, 401), (2047, 401), (2048, 200)])
def test_a_short_key_verifies_nothing(
    tmp_path: Path, provider: Provider, bits: int, answer: int
) -> None:
    """RSA keys below 2,048 bits are not used (RFC 7518 §3.3)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    provider.published = [
        _other(),
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "short"},
    ]
    with standing(tmp_path, replace(SETTINGS, jwt=Jwt(provider.url, ISSUER, AUDIENCE))) as stand:
        assert (
            Client(stand.port, provider.token(key=key, kid="short")).get("/v1/connectors").status
            == answer
        )


def _public(provider: Provider) -> bytes:
    return provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _unsigned(provider: Provider) -> str:
    _, claims, _ = provider.token().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').rstrip(b"=").decode()
    return f"{head}.{claims}."


def _relabelled(provider: Provider, algorithm: Any, kid: Any = "one") -> str:
    """A token of the provider with another head."""
    head = (
        base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": kid}).encode())
        .rstrip(b"=")
        .decode()
    )
    return f"{head}.{provider.token().partition('.')[2]}"


def _confused(provider: Provider) -> str:
    """Signed with HMAC and the public key: what a careless verifier takes."""
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    body = f"{head}.{provider.token().split('.')[1]}"
    signature = hmac.new(_public(provider), body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED: dict[str, Callable[[Provider], str]] = {
    "another issuer": lambda provider: provider.token(iss="https://evil.example.com"),
    "another audience": lambda provider: provider.token(aud="somebody-else"),
    "without an end": lambda provider: provider.token(exp=None),
    "without a subject": lambda provider: provider.token(sub=None),
    "without a workspace": lambda provider: provider.token(workspace=None),
    "a workspace that is no text": lambda provider: provider.token(workspace=["default"]),
    "another key": lambda provider: provider.token(
        key=rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ),
    "an unknown key": lambda provider: provider.token(kid="two"),
    "unsigned": _unsigned,
    "signed with the public key": _confused,
    "an algorithm that does not fit the key": lambda provider: _relabelled(provider, "ES256"),
    "another one that does not": lambda provider: _relabelled(provider, "EdDSA"),
    "an algorithm that is no text": lambda provider: _relabelled(provider, ["RS256"]),
    "a key that is no text": lambda provider: _relabelled(provider, "RS256", kid={}),
    "a workspace that no text can be": lambda provider: provider.token(workspace="\ud800"),
    "a subject that no text can be": lambda provider: provider.token(sub="a\ud800"),
    "a name that no text can be": lambda provider: provider.token(name="\udfff"),
    "a subject with a NUL": lambda provider: provider.token(sub="a\0"),
    "an end that is no number": lambda provider: provider.token(exp=float("inf")),
    "an end that is text": lambda provider: provider.token(exp=str(int(time.time()) + 60)),
    "an end that is true": lambda provider: provider.token(exp=True),
    "an empty subject": lambda provider: provider.token(sub=""),
    "a blank subject": lambda provider: provider.token(sub=" \u00a0"),
    "a subject with a line feed": lambda provider: provider.token(sub="ada\nroot"),
    "a subject that reads backwards": lambda provider: provider.token(sub="ada\u202etoor"),
    "a subject with an invisible character": lambda provider: provider.token(sub="ada\u200b"),
    "a subject of 201 characters": lambda provider: provider.token(sub="a" * 201),
    "a subject that is a number": lambda provider: provider.token(sub=17),
    "garbage": lambda _provider: "a.b.c",
}


def test_what_the_provider_did_not_make_for_us_is_refused(
    tmp_path: Path, provider: Provider
) -> None:
    """Every token that is not the provider's and ours gets the same 401."""
    found = {}
    with standing(
        tmp_path, replace(SETTINGS, guesses=1000.0, jwt=Jwt(provider.url, ISSUER, AUDIENCE))
    ) as stand:
        for name, forged in FORGED.items():
            refused = Client(stand.port, forged(provider)).get("/v1/connectors")
            found[name] = refused.status, refused.json["detail"]
    assert found == dict.fromkeys(FORGED, (401, "the bearer token is unknown, expired or revoked"))


@pytest.mark.parametrize("claims", [{"iat": 45}, {"nbf": 45}, {"exp": -45}, {"iat": 45, "nbf": 45}])
def test_clocks_of_two_machines_may_differ(
    stand: Stand, provider: Provider, claims: dict[str, int]
) -> None:
    """A provider whose clock is less than a minute ahead, or behind, lets callers in."""
    moments: dict[str, Any] = {name: time.time() + off for name, off in claims.items()}
    token = provider.token(**moments)
    assert Client(stand.port, token).get("/v1/connectors").status == 200


@pytest.mark.parametrize(
    ("claim", "off", "told"),
    [
        (
            "iat",
            600,
            "the token's 'iat' is 600 seconds ahead of this server's clock, and 60 are allowed",
        ),
        (
            "nbf",
            600,
            "the token's 'nbf' is 600 seconds ahead of this server's clock, and 60 are allowed",
        ),
        ("exp", -600, "the token's 'exp' is 600 seconds in the past, and 60 are allowed"),
    ],
)
def test_a_token_out_of_its_time_names_claim_and_seconds(
    stand: Stand,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    claim: str,
    off: int,
    told: str,
) -> None:
    """A token that is a minute too old or too new is refused with its claim and the difference,
    which the log has once for many.
    """
    for _ in range(3):
        moments: dict[str, Any] = {claim: time.time() + off}
        refused = Client(stand.port, provider.token(**moments)).get("/v1/connectors")
        assert (refused.status, re.sub(r"\b(59\d|60[1-9])\b", "600", refused.json["detail"])) == (
            401,
            told,
        )
    logged = [
        record.getMessage() for record in caplog.records if f"'{claim}'" in record.getMessage()
    ]
    assert len(logged) == 1
    assert ISSUER in logged[0]
    assert "compare the clocks" in logged[0]


def test_security_2_a_token_for_another_audience_is_none_for_mcp(
    stand: Stand, provider: Provider
) -> None:
    """A client cannot use a token here that the same identity provider has made for another server
    (RFC 8707).
    """
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    tokens = [
        provider.token(),
        provider.token(aud="https://other.example/mcp"),
        provider.token(aud=None),
    ]
    assert [Client(stand.port, token).post("/mcp", call).status for token in tokens] == [
        200,
        401,
        401,
    ]


def test_an_algorithm_that_does_not_fit_is_a_guess(tmp_path: Path, provider: Provider) -> None:
    """Whoever tries such tokens is slowed down as whoever tries others."""
    with standing(
        tmp_path, replace(SETTINGS, guesses=0.01, jwt=Jwt(provider.url, ISSUER, AUDIENCE))
    ) as stand:
        statuses = [
            Client(stand.port, _relabelled(provider, "ES256")).get("/v1/connectors").status
            for _ in range(6)
        ]
    assert statuses[0] == 401
    assert 429 in statuses


def test_our_own_tokens_serve_beside_them(stand: Stand) -> None:
    """A token of ours works as before."""
    assert stand.client("read").get("/v1/connectors").status == 200


def test_a_provider_that_is_away_lets_nobody_in(stand: Stand, provider: Provider) -> None:
    """Without its keys no token can be judged; known keys are kept."""
    assert Client(stand.port, provider.token()).get("/v1/connectors").status == 200
    asked = provider.asked
    provider.server.shutdown()
    provider.server.server_close()
    assert Client(stand.port, provider.token(sub="bob")).get("/v1/connectors").status == 200
    assert Client(stand.port, provider.token(kid="two")).get("/v1/connectors").status == 401
    assert provider.asked == asked


@contextlib.contextmanager
def hanging() -> Iterator[tuple[str, list[socket.socket]]]:
    """A provider that takes connections and answers none: its address, and who has connected."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys", taken
        for connection in taken:
            connection.close()


def test_a_provider_that_hangs_stalls_nobody_else(
    tmp_path: Path,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While 60 JWTs wait for keys our own tokens are answered; the keys are asked for once, the 60
    are 503, and the log has one warning.
    """
    monkeypatch.setattr("jackfield_service.shell.identity.jwts._TIMEOUT", 1.5)
    with (
        hanging() as (url, taken),
        standing(tmp_path, replace(SETTINGS, jwt=Jwt(url, ISSUER, AUDIENCE))) as stand,
    ):
        with ThreadPoolExecutor(60) as pool:
            asked = [
                pool.submit(Client(stand.port, provider.token(sub=f"s{n}")).get, "/v1/connectors")
                for n in range(60)
            ]
            while not taken:
                threading.Event().wait(0.01)
            assert stand.client("read").get("/v1/connectors").status == 200
            assert not all(item.done() for item in asked)
            replies = [item.result() for item in asked]
        again = Client(stand.port, provider.token(sub="late")).get("/v1/connectors")
    assert {(reply.status, reply.headers.get("retry-after")) for reply in [*replies, again]} == {
        (503, "10")
    }
    assert len(taken) == 1
    assert (
        len([record for record in caplog.records if "identity provider" in record.getMessage()])
        == 1
    )


def test_a_provider_is_known_by_its_certificate(
    tmp_path: Path, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """Over TLS keys are taken from whoever has a certificate that is believed, and from nobody
    else.
    """
    authority = Authority(tmp_path)
    provider.server.socket = authority.serving("127.0.0.1").wrap_socket(
        provider.server.socket, server_side=True
    )
    settings = replace(SETTINGS, jwt=Jwt(provider.url.replace("http:", "https:"), ISSUER, AUDIENCE))
    with standing(tmp_path / "believed", settings, SSL_CERT_FILE=str(authority.bundle)) as stand:
        assert Client(stand.port, provider.token()).get("/v1/connectors").status == 200
    with standing(tmp_path / "unknown", settings) as stand:
        assert Client(stand.port, provider.token()).get("/v1/connectors").status == 503
    assert "could not be verified" in caplog.text


def _trickle(connection: socket.socket, start: bytes) -> None:
    connection.sendall(start)
    pause = threading.Event()
    while True:
        connection.sendall(b" ")
        pause.wait(0.1)


LENGTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
EVIL: dict[str, Callable[[socket.socket], None]] = {
    "a head that trickles": lambda connection: _trickle(connection, b"HTTP/1.1 200 OK\r\nX-Long: "),
    "a body that trickles": lambda connection: _trickle(connection, LENGTHY),
}
UNFIT: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "too large": (
        lambda connection: connection.sendall(LENGTHY + b" " * 1_100_000),
        "larger than 1,048,576 bytes",
    ),
    "compressed": (
        lambda connection: connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
            + gzip.compress(b" " * 2_000_000)
        ),
        "compressed",
    ),
    "a body that trickles": (EVIL["a body that trickles"], "did not respond in time"),
    "no HTTP": (
        lambda connection: connection.sendall(b"nonsense\r\n\r\n"),
        "answered, but not in HTTP",
    ),
    "no object": (
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
        "Error",
    ),
}


@contextlib.contextmanager
def evil(send: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[float]]]:
    """A provider that sends this to each who asks: its address, and when it was asked."""
    asked = list[float]()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            asked.append(time.monotonic())
            connection.recv(65536)
            send(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    threading.Thread(target=serve, args=(taken[-1],), daemon=True).start()

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys", asked
        for connection in taken:
            connection.close()


@pytest.mark.parametrize("name", EVIL)
def test_a_provider_that_does_not_end_holds_nobody_up(
    tmp_path: Path,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """Keys that come a byte at a time, or never: given up after a time, with one warning; others
    are served meanwhile, and such a provider is asked three times at most as long as it goes on.
    """
    monkeypatch.setattr("jackfield_service.shell.identity.jwts._PATIENCE", 0.5)
    monkeypatch.setattr("jackfield_service.shell.identity.jwts._TIMEOUT", 30.0)
    clock = FakeClock()
    with (
        evil(EVIL[name]) as (url, asked),
        standing(tmp_path, replace(SETTINGS, jwt=Jwt(url, ISSUER, AUDIENCE)), clock=clock) as stand,
    ):
        for _ in range(5):
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(Client(stand.port, provider.token()).get, "/v1/connectors")
                assert stand.client("read").get("/v1/connectors").status == 200
                assert waiting.result().status == 503
            clock.advance(11)
        until(lambda: len(asked) >= 3)  # the other side notes it once it runs
        assert len(asked) == 3
    told = [
        record.getMessage()
        for record in caplog.records
        if "identity provider" in record.getMessage()
    ]
    assert len(told) == 1
    assert "0.5 seconds" in told[0]


@pytest.mark.parametrize("name", UNFIT)
def test_key_documents_are_bounded(
    tmp_path: Path,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """Keys of more than 1 MiB, compressed ones, and those that are not there in time are not read
    on: 503, and the log says why.
    """
    send, reason = UNFIT[name]
    monkeypatch.setattr(
        "jackfield_service.shell.identity.jwts._TIMEOUT", 0.5 if "in time" in reason else 30.0
    )
    with (
        evil(send) as (url, _),
        standing(tmp_path, replace(SETTINGS, jwt=Jwt(url, ISSUER, AUDIENCE))) as stand,
    ):
        assert Client(stand.port, provider.token()).get("/v1/connectors").status == 503
    assert [
        reason in record.getMessage()
        for record in caplog.records
        if "identity provider" in record.getMessage()
    ] == [True]


def test_keys_are_fetched_with_measure(tmp_path: Path, provider: Provider) -> None:
    """A key that is not known is asked for every 30 seconds at most; a provider that was away is
    asked again after ten.
    """
    clock = FakeClock()
    with standing(
        tmp_path, replace(SETTINGS, jwt=Jwt(provider.url, ISSUER, AUDIENCE)), clock=clock
    ) as stand:
        statuses = [
            Client(stand.port, provider.token(kid=f"k{number}")).get("/v1/connectors").status
            for number in range(5)
        ]
        assert (statuses, provider.asked) == ([401] * 5, 1)
        clock.advance(31)
        for number in range(5):
            Client(stand.port, provider.token(kid=f"n{number}")).get("/v1/connectors")
        assert provider.asked == 2


def test_a_provider_that_comes_back_is_asked_again(tmp_path: Path, provider: Provider) -> None:
    """After a failure nobody asks for ten seconds; then the keys are there."""
    clock = FakeClock()
    with standing(
        tmp_path, replace(SETTINGS, jwt=Jwt(provider.url, ISSUER, AUDIENCE)), clock=clock
    ) as stand:
        provider.away = True
        statuses = [
            Client(stand.port, provider.token()).get("/v1/connectors").status for _ in range(3)
        ]
        assert (statuses, provider.asked) == ([503] * 3, 1)
        provider.away = False
        clock.advance(11)
        assert Client(stand.port, provider.token()).get("/v1/connectors").status == 200


def test_people_with_a_jwt_approve_but_never_their_own(stand: Stand, provider: Provider) -> None:
    """The scope ``approve`` of a JWT decides on what waits: not on the person's own call, nor on
    one by a token that the person created.
    """
    stand.workspaces.set("default", {"rules": {"approve": ["echo/say"]}})
    ada, bob = (
        Client(stand.port, provider.token(sub=name, scope="jackfield:manage approve"))
        for name in ("ada", "bob")
    )
    assert (
        ada.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    made = ada.post("/v1/tokens", {"scope": "invoke"}).json["token"]
    calls = [
        client.post("/v1/invocations", say("say", "hall", text="x"))
        for client in (ada, Client(stand.port, made))
    ]
    assert [call.status for call in calls] == [202, 202]
    for call in calls:
        path = f"/v1/approvals/{call.json['meta']['invocationId']}:approve"
        assert (
            Client(stand.port, provider.token(sub="eve", scope="manage")).post(path, {}).status
            == 403
        )
        assert "nobody approves his own call" in json.dumps(ada.post(path, {}).json)
        decided = bob.post(path, {"why": "agreed"})
        assert (decided.status, decided.json["decidedBy"]) == (200, {"kind": "user", "id": "bob"})
    assert ada.post("/v1/tokens", {"scope": "approve"}).status == 403
    assert [
        one["id"]
        for one in Client(stand.port, provider.token(sub="cy", scope="approve"))
        .get("/v1/approvals")
        .json["items"]
    ]
