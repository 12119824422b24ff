"""People who sign in to the console at the operator's identity provider: the way in, and what is
refused.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from tests.jackfield_service.shell.pages.console_client import Client, Place, is_in, placed
from tests.jackfield_service.shell.pages.identity_provider import (
    CLIENT,
    LOGOUT,
    SECRET,
    Provider,
    is_in_after,
    key_of,
    led_back,
    signed_in_at,
)

from clocks import FakeClock
from jackfield_service.shell.identity.identity_providers import Oidc
from jackfield_store.access import Audit
from waiting import until

pytest_plugins = ["tests.jackfield_service.subjects.people.console_people"]


# The way in


def test_a_person_signs_in_with_the_role_of_a_group(place: Place, provider: Provider) -> None:
    """The button leads to the provider and back; the session has the scope of the role, and the log
    names issuer and subject.
    """
    client = place.client()
    assert "Sign in with your identity provider" in client.get("/login?next=%2Fqueue").words
    answer = signed_in_at(client, "/login/start?next=%2Fqueue")
    assert (answer.status, 'content="0;url=/queue"' in answer.text) == (200, True)
    page = client.get("/")
    assert (page.status, "invoke" in page.words, "Ada Lovelace" in page.words) == (200, True, True)
    log = Audit(
        place.host.storage.database, lambda: place.host.storage.vault, "default", place.host.clock
    )
    (entry,) = [one.about for one in log.all() if one.about["event"] == "session.started"]
    assert entry["actor"] == {
        "kind": "user",
        "id": f"{provider.issuer}#ada-1",
        "name": "Ada Lovelace",
    }


def test_what_is_asked_is_what_the_standard_wants(place: Place, provider: Provider) -> None:
    """Code flow, S256, fresh state, nonce and verifier each time; no secret and no token in any
    address; the cookie is for this answer.
    """
    client = place.client()
    first, second = (client.get("/login/start") for _ in range(2))
    asked = [dict(parse_qsl(urlsplit(one.headers["location"]).query)) for one in (first, second)]
    assert {
        name: asked[0][name]
        for name in ("response_type", "client_id", "code_challenge_method", "scope", "redirect_uri")
    } == {
        "response_type": "code",
        "client_id": CLIENT,
        "code_challenge_method": "S256",
        "scope": "openid profile",
        "redirect_uri": "http://127.0.0.1:8080/login/callback",
    }
    for name in ("state", "nonce", "code_challenge"):
        assert len({one[name] for one in asked}) == 2
        assert all(len(one[name]) == 43 for one in asked)
    (cookie,) = [one for one in first.cookies if "signin" in one]
    assert ("HttpOnly" in cookie, "SameSite=lax" in cookie, "Max-Age=600" in cookie) == (
        True,
        True,
        True,
    )
    assert SECRET not in first.headers["location"]
    assert asked[0]["nonce"] not in cookie
    assert first.headers["referrer-policy"] == "no-referrer"
    for begun in (second, first):  # two pages of a browser do not disturb each other
        assert client.get(led_back(begun.headers["location"])).status == 200
    assert provider.asked.count("/token") == 2


def test_cookies_are_for_https_behind_a_proxy(tmp_path: Path, provider: Provider) -> None:
    """Behind TLS, the cookie of a sign-in that begins is Secure and bound to the host."""
    options: dict[str, Any] = {"behind_proxy": True, "public_url": "https://jackfield.example.com"}
    with placed(tmp_path, oidc=Oidc(provider.issuer, CLIENT, SECRET), **options) as found:
        begun = found.client().get("/login/start")
        (cookie,) = [one for one in begun.cookies if "signin" in one]
        assert cookie.startswith("__Host-jackfield_signin_")
        assert "Secure" in cookie
        assert parse_qs(urlsplit(begun.headers["location"]).query)["redirect_uri"] == [
            "https://jackfield.example.com/login/callback"
        ]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "",
        "/" + "x" * 2000,
    ],
)
def test_a_sign_in_leads_to_no_other_site(place: Place, address: str) -> None:
    """After the sign-in comes a page of this server, whatever the address said."""
    answer = signed_in_at(place.client(), f"/login/start?{urlencode({'next': address})}")
    assert 'content="0;url=/"' in answer.text


# Forged answers


def _other_key(claims: dict[str, Any], _provider: Provider) -> str:
    return jwt.encode(claims, key_of("other"), "RS256", {"kid": "one"})


def _unsigned(claims: dict[str, Any], _provider: Provider) -> str:
    return jwt.encode(claims, "", "none", {"kid": "one"})


def _confused(claims: dict[str, Any], _provider: Provider) -> str:
    """A signature by HMAC whose secret is the provider's public key."""
    pem = (
        key_of("own")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    parts = [
        json.dumps({"alg": "HS256", "kid": "one", "typ": "JWT"}).encode(),
        json.dumps(claims).encode(),
    ]
    head = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{head}.{urlsafe_b64encode(hmac.digest(pem, head.encode(), 'sha256')).decode().rstrip('=')}"


def _embedded(claims: dict[str, Any], provider: Provider) -> str:
    """A key of one's own in the token's head."""
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key_of("other").public_key()))
    return jwt.encode(
        claims,
        key_of("other"),
        "RS256",
        {"kid": "one", "jwk": own, "jku": f"{provider.issuer}/keys"},
    )


def _changed(claims: dict[str, Any], provider: Provider) -> str:
    """Claims that were changed after they were signed."""
    head, _, seal = provider.signed(claims).split(".")
    _, body, _ = provider.signed({**claims, "sub": "root"}).split(".")
    return f"{head}.{body}.{seal}"


def _claims(**others: Any) -> Callable[[dict[str, Any], Provider], str]:
    def made(claims: dict[str, Any], provider: Provider) -> str:
        return provider.signed(
            {name: value for name, value in {**claims, **others}.items() if value is not None}
        )

    return made


_NOW = int(time.time())
FORGED: dict[str, Callable[[dict[str, Any], Provider], str]] = {
    "issuer": _claims(iss="https://evil.example"),
    "issuer-slash": lambda claims, provider: provider.signed(
        {**claims, "iss": f"{provider.issuer}/"}
    ),
    "no-issuer": _claims(iss=None),
    "audience": _claims(aud="another-client"),
    "audiences-without-me": _claims(aud=["one", "two"]),
    "audiences-without-party": _claims(aud=[CLIENT, "another-client"]),
    "party": _claims(aud=[CLIENT, "another-client"], azp="another-client"),
    "party-alone": _claims(azp="another-client"),
    "no-audience": _claims(aud=None),
    "nonce": _claims(nonce="x" * 43),
    "no-nonce": _claims(nonce=None),
    "nonce-number": _claims(nonce=7),
    "expired": _claims(exp=_NOW - 600),
    "no-expiry": _claims(exp=None),
    "expiry-text": _claims(exp="9999999999"),
    "not-yet": _claims(nbf=_NOW + 3600),
    "from-the-future": _claims(iat=_NOW + 3600),
    "no-time": _claims(iat=None),
    "no-subject": _claims(sub=None),
    "subject-number": _claims(sub=1),
    "subject-empty": _claims(sub="  "),
    "subject-hidden": _claims(sub="ada-1\u202e"),
    "subject-surrogate": _claims(sub="a\0b"),
    "logout-token": _claims(events={LOGOUT: {}}),
    "other-key": _other_key,
    "unsigned": _unsigned,
    "confused": _confused,
    "embedded-key": _embedded,
    "changed": _changed,
    "unknown-key": lambda claims, provider: provider.signed(claims, kid="two"),
    "empty-key": lambda claims, provider: provider.signed(claims, kid=""),
    "garbage": lambda _claims, _provider: "a.b.c",
    "empty": lambda _claims, _provider: "",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_signs_nobody_in(place: Place, provider: Provider, name: str) -> None:
    """An ID token that is not this provider's, for this client, this sign-in and this time, begins
    no session.
    """
    provider.forge = lambda claims: FORGED[name](claims, provider)
    client = place.client()
    answer = signed_in_at(client)
    assert (answer.status, is_in(client)) == (403, False), answer.words
    assert "Sign-in failed" in answer.words
    assert not [one for one in client.cookies if one.startswith("jackfield_signin")]


@pytest.mark.parametrize("claims", [{"iat": 1}, {"iat": 30}, {"nbf": 20}, {"exp": -30}])
def test_a_provider_whose_clock_is_ahead_signs_people_in(
    place: Place, provider: Provider, claims: dict[str, int]
) -> None:
    """Less than a minute between the two clocks decides nothing."""
    now = time.time()
    provider.forge = lambda usual: provider.signed(
        {**usual, **{name: now + off for name, off in claims.items()}}
    )
    assert is_in_after(place)


def test_a_clock_that_is_wrong_is_named(
    place: Place, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """The page and the log name the claim and the seconds where the clocks differ by more."""
    provider.forge = lambda usual: provider.signed({**usual, "iat": time.time() + 3600})
    answer = signed_in_at(place.client())
    assert answer.status == 403
    assert re.search(
        r"The token's 'iat' is 3[56]\d\d seconds ahead of this server's clock, and 60 are "
        r"allowed\.",
        answer.words,
    )
    assert re.search(r"'iat' is 3[56]\d\d seconds ahead", caplog.text)


def test_a_token_that_names_no_key_is_verified_with_the_only_one(
    place: Place, provider: Provider
) -> None:
    """A provider with one key may leave its name out (OpenID Connect Core §10.1); with two, nobody
    guesses.
    """
    provider.forge = lambda claims: provider.signed(claims, kid=None)
    assert is_in_after(place)
    provider.others = [
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key_of("other").public_key()))
        | {"kid": "two", "use": "sig"}
    ]
    place.host.clock.advance(301)  # type: ignore[attr-defined]
    assert is_in_after(place)  # its keys are fetched again, beside this answer
    until(lambda: provider.asked.count("/keys") == 2)
    assert not is_in_after(place)


Spoil = Callable[[Place, Provider, Client, str], Any]
ANSWERS: dict[str, Spoil] = {
    "state": lambda _place, _provider, client, back: client.get(
        re.sub("state=[^&]+", "state=" + "x" * 43, back)
    ),
    "no-state": lambda _place, _provider, client, back: client.get(
        re.sub("&?state=[^&]+", "", back)
    ),
    "two-states": lambda _place, _provider, client, back: client.get(f"{back}&state=other"),
    "two-codes": lambda _place, _provider, client, back: client.get(f"{back}&code=other"),
    "no-code": lambda _place, _provider, client, back: client.get(re.sub("code=[^&]+", "", back)),
    "unknown-code": lambda _place, _provider, client, back: client.get(
        re.sub("code=[^&]+", "code=guessed", back)
    ),
    "issuer": lambda _place, _provider, client, back: client.get(
        f"{back}&iss=https%3A%2F%2Fevil.example"
    ),
    "another-browser": lambda place, _provider, _client, back: place.client().get(back),
    "planted": lambda place, _provider, client, back: planted(place, client).get(back),
    "refused": lambda _place, _provider, client, back: client.get(f"{back}&error=access_denied"),
    "garbled-cookie": lambda _place, _provider, client, back: garbled(client).get(back),
}


def planted(place: Place, client: Client) -> Client:
    """A browser with the cookie of a sign-in that it began itself, under the name of another's."""
    victim = place.client()
    victim.get("/login/start")
    (own,), (other,) = (
        [one for one in each.cookies if "signin" in one] for each in (victim, client)
    )
    victim.cookies[other] = victim.cookies.pop(own)
    return victim


def garbled(client: Client) -> Client:
    """A browser whose cookie was changed."""
    (name,) = [one for one in client.cookies if "signin" in one]
    client.cookies[name] = "AAAA" + client.cookies[name][4:]
    return client


@pytest.mark.parametrize("name", ANSWERS)
def test_a_forged_answer_signs_nobody_in(place: Place, provider: Provider, name: str) -> None:
    """An answer that this browser did not ask for, or that another provider sent, begins no session
    and spends no code.
    """
    client = place.client()
    back = led_back(client.get("/login/start").headers["location"])
    answer = ANSWERS[name](place, provider, client, back)
    assert answer.status == 403
    assert not is_in(client)
    assert provider.asked.count("/token") == (1 if name == "unknown-code" else 0)


def test_another_clients_code_signs_nobody_in(place: Place, provider: Provider) -> None:
    """A code that the provider gave to somebody else's sign-in is refused: its verifier is another
    browser's.
    """
    attacker, victim = place.client(), place.client()
    stolen = parse_qs(urlsplit(led_back(attacker.get("/login/start").headers["location"])).query)[
        "code"
    ][0]
    back = led_back(victim.get("/login/start").headers["location"])
    assert victim.get(re.sub("code=[^&]+", f"code={stolen}", back)).status == 403
    assert not is_in(victim)
    assert provider.asked.count("/token") == 1


def test_an_answer_is_used_once(place: Place, clock: FakeClock, provider: Provider) -> None:
    """The same address again, with the same cookie, or one older than ten minutes, opens nothing
    and is not sent to the provider.
    """
    client = place.client()
    begun = client.get("/login/start")
    kept, back = dict(client.cookies), led_back(begun.headers["location"])
    assert client.get(back).status == 200
    again = place.client()
    again.cookies.update(kept)
    assert again.get(back).status == 403
    late = place.client()
    back = led_back(late.get("/login/start").headers["location"])
    clock.advance(601)
    assert late.get(back).status == 403
    assert provider.asked.count("/token") == 1


def test_an_answer_that_is_spent_leads_who_is_signed_in_on(place: Place) -> None:
    """Allow, Back, Allow: the page leads to the console whoever is signed in; anybody else is told,
    and signs in again.
    """
    client = place.client()
    back = led_back(client.get("/login/start").headers["location"])
    assert client.get(back, sec_fetch_site="cross-site").status == 200
    again = client.get(back, sec_fetch_site="cross-site")
    assert (again.status, "0;url=/login?why=spent" in again.text) == (403, True)
    led = client.get("/login?why=spent")
    assert (led.status, led.headers["location"], is_in(client)) == (303, "/", True)
    stranger = place.client()
    told = stranger.get("/login?why=spent")
    assert (told.status, "was finished already" in told.words, is_in(stranger)) == (
        200,
        True,
        False,
    )


def test_a_provider_that_says_so_names_itself(place: Place, provider: Provider) -> None:
    """Where the provider says that it sends its issuer (RFC 9207), an answer without it is
    another's.
    """
    provider.described["authorization_response_iss_parameter_supported"] = True
    client = place.client()
    back = led_back(client.get("/login/start").headers["location"])
    assert client.get(back).status == 403
    back = led_back(client.get("/login/start").headers["location"])
    assert client.get(f"{back}&{urlencode({'iss': provider.issuer})}").status == 200


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"token_endpoint": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_as_another_is_not_used(
    place: Place, provider: Provider, described: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A description of another issuer, or with an endpoint that is no https address, lets nobody
    sign in; the log says why.
    """
    provider.described = described
    answer = place.client().get("/login/start")
    assert (answer.status, "cannot be reached, or is not set up" in answer.words) == (503, True)
    assert "nobody can sign in" in caplog.text
    assert SECRET not in caplog.text


def test_a_session_begins_anew(place: Place) -> None:
    """A session cookie that somebody planted is no session afterwards: its secret is another
    one.
    """
    client = place.client()
    client.cookies["jackfield_8080"] = "ZGVmYXVsdA.planted"
    assert signed_in_at(client).status == 200
    assert client.cookies["jackfield_8080"] != "ZGVmYXVsdA.planted"
    assert is_in(client)
