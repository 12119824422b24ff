"""Token endpoints as they really answer: forms, token types, other places, refusals in any words;
and what a client adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from clocks import FakeClock
from jackfield.kernel.errors import JackfieldError
from jackfield.testing import Answer, Provider, Request
from jackfield_store.runtime import Jackfield

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
TOKENS = {"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 30}


class Authority:
    """Authorization server that answers by a script, and keeps the forms that it was sent."""

    def __init__(self) -> None:
        self.tokens: list[Answer] = []
        self.asked: list[dict[str, str]] = []
        self.logins: list[str | None] = []
        self.used: list[str] = []

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer the next of the script, the last one again and again."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not request.path.startswith("/token"):
            self.used.append(headers.get("authorization", ""))
            return Answer({})
        self.asked.append(dict(parse_qsl(request.body.decode())))
        self.logins.append(headers.get("authorization"))
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]


class Rig:
    """A runtime with the connection ``ada`` over an authority."""

    def __init__(self, runtime: Jackfield, authority: Authority, url: str) -> None:
        self.runtime, self.authority, self.url = runtime, authority, url

    def connect(self, answers: Sequence[Answer], **values: Any) -> str:
        """Connect ``ada``; return the address at which a person approves."""
        self.authority.tokens = [*answers]
        given = {
            "server": self.url,
            "tokenUrl": self.url + "/token",
            "authorizationUrl": self.url + "/a",
            "clientId": "c",
        }
        if self.runtime.connections.list(text="ada").items:
            self.runtime.connections.remove("ada")
        self.runtime.connections.add(
            "ada",
            "http/oauth2AuthorizationCode",
            {**given, "clientSecret": "s", **values},
            test=False,
        )
        begun = self.runtime.connections.authorizing().begin("ada", "http://127.0.0.1/cb")
        state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
        self.runtime.connections.authorizing().complete(begun["id"], {"state": state, "code": "x"})
        return str(begun["url"])

    def call(self, kind: str = "ada") -> str:
        """Make a request; return "succeeded" or the error's code."""
        asked = {
            "connector": "http",
            "action": "request",
            "connection": kind,
            "inputs": {"url": "/x"},
            "timeoutSeconds": 5,
        }
        found = self.runtime.invoke(asked).to_json()
        return str((found.get("error") or {}).get("code", found["status"]))

    @property
    def state(self) -> dict[str, Any]:
        """What the connection shows of its approval."""
        return dict(self.runtime.connections.show("ada")["authorization"])


@pytest.fixture
def rig(tmp_path: Path, clock: FakeClock) -> Iterator[Rig]:
    """A rig on an empty database."""
    authority, home = Authority(), {"JACKFIELD_HOME": str(tmp_path)}
    with (
        Provider(authority) as server,
        Jackfield(
            database_url=f"sqlite:///{tmp_path}/j.db", clock=clock, environment=home
        ) as runtime,
    ):
        yield Rig(runtime, authority, server.url)


def form(content_type: str = FORM["Content-Type"], **members: str) -> Answer:
    """An answer in form encoding."""
    return Answer(content=urlencode(members).encode(), headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    "media_type",
    [FORM["Content-Type"], "text/plain", "text/html; charset=utf-8", "application/json", ""],
)
def test_tokens_in_a_form_are_read(rig: Rig, media_type: str) -> None:
    """Whatever media type the form is sent with: its scopes, lifetime and refresh token count as
    those of JSON do.
    """
    rig.connect(
        [
            form(
                media_type,
                access_token="at",
                scope="repo user",
                token_type="bearer",
                refresh_token="r",
                expires_in="3600",
            )
        ]
    )
    assert (rig.state["status"], rig.state["scopes"]) == ("granted", ["repo", "user"])
    assert (rig.call(), rig.authority.used) == ("succeeded", ["Bearer at"])


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-16", "UTF-8"])
def test_tokens_in_another_charset_are_read(rig: Rig, charset: str) -> None:
    """A token endpoint may name any charset of the web for its JSON, with a byte order mark or
    without.
    """
    text = json.dumps({**TOKENS, "expires_in": 3600, "name": "René"}, ensure_ascii=False)
    rig.connect(
        [
            Answer(
                content=text.encode(charset),
                headers={"Content-Type": f"application/json; charset={charset}"},
            )
        ]
    )
    assert rig.call() == "succeeded"


@pytest.mark.parametrize(
    "answer",
    [
        form(error="bad_verification_code", error_description="The code is wrong."),
        form("text/plain", error="bad_verification_code", error_description="The code is wrong."),
        Answer(
            content=b"error=bad_verification_code&error_description=The+code+is+wrong.",
            status=400,
            headers=FORM,
        ),
    ],
)
def test_errors_in_a_form_are_explained(rig: Rig, answer: Answer) -> None:
    """With status 200 or 400, the provider's words are in the error."""
    with pytest.raises(JackfieldError, match="The code is wrong") as found:
        rig.connect([answer])
    assert found.value.provider is not None
    assert found.value.provider.code == "bad_verification_code"


@pytest.mark.parametrize(
    "content",
    [
        b"access_token=a&access_token=b",
        b"<html>access_token=a</html>",
        b"hello",
        b'{"access_token": "a"',
        b"a=1&b=2",
    ],
)
def test_what_is_no_answer_is_refused(rig: Rig, content: bytes) -> None:
    """A token that comes twice, a page, cut JSON: none of them connects."""
    with pytest.raises(JackfieldError):
        rig.connect([Answer(content=content, headers={"Content-Type": "text/plain"})])


@pytest.mark.parametrize(
    "kind", [None, "", "  ", "Bearer ", "BEARER", "bearer\n", "user", "bot", "User Access Token"]
)
def test_an_empty_token_type_is_a_missing_one(rig: Rig, kind: str | None) -> None:
    """Null, empty and blank are missing, and a missing type is bearer."""
    rig.connect([Answer({"access_token": "at", "token_type": kind})])
    assert (rig.call(), rig.authority.used) == ("succeeded", ["Bearer at"])


@pytest.mark.parametrize("kind", ["mac", "DPoP", "N_A", 0, False, ["bearer"], {}])
def test_another_token_type_is_refused(rig: Rig, kind: Any) -> None:
    """A token of a type that is not known must not be used."""
    with pytest.raises(JackfieldError, match="no bearer token"):
        rig.connect([Answer({"access_token": "at", "token_type": kind})])


def test_a_token_may_lie_in_another_object(rig: Rig) -> None:
    """Slack's user token is connected, and renewed where its answer then is: at the top. The bot's
    is never taken for it.
    """
    user = {
        "id": "U1",
        "scope": "chat:write",
        "access_token": "xoxp-1",
        "refresh_token": "xoxe-1",
        "expires_in": 30,
        "token_type": "user",
    }
    bot = {
        "ok": True,
        "access_token": "xoxb-1",
        "refresh_token": "xoxe-bot",
        "token_type": "bot",
        "scope": "im:read",
    }
    renewed = {
        "ok": True,
        "access_token": "xoxp-2",
        "refresh_token": "xoxe-2",
        "expires_in": 3600,
        "token_type": "user",
    }
    rig.connect([Answer({**bot, "authed_user": user}), Answer(renewed)], tokenPlace="/authed_user")
    assert rig.state["scopes"] == ["chat:write"]
    assert (rig.call(), rig.authority.used, rig.authority.asked[-1]["refresh_token"]) == (
        "succeeded",
        ["Bearer xoxp-2"],
        "xoxe-1",
    )
    for first in ({**bot, "authed_user": {"id": "U1"}}, bot):
        with pytest.raises(JackfieldError, match="no bearer token"):
            rig.connect([Answer(first)], tokenPlace="/authed_user")


def test_tokens_below_data_are_renewed_there(rig: Rig) -> None:
    """As TikTok and Lark answer: each answer has its token below ``data``, beside a code of 0."""
    answers = [
        Answer(
            {
                "code": 0,
                "msg": "success",
                "data": {**TOKENS, "access_token": f"at-{n}", "expires_in": n * 1000},
            }
        )
        for n in (0, 2)
    ]
    rig.connect(answers, tokenPlace="/data")
    rig.runtime.clock.sleep(3600)
    assert (rig.call(), rig.authority.used) == ("succeeded", ["Bearer at-2"])


@pytest.mark.parametrize(
    ("method", "login", "sent"),
    [
        ("basic", True, set()),
        ("body", False, {"client_id", "client_secret"}),
        ("none", False, {"client_id"}),
    ],
)
@pytest.mark.parametrize("kind", ["oauth2AuthorizationCode", "oauth2ClientCredentials"])
def test_the_secret_is_sent_where_the_provider_wants_it(
    rig: Rig, kind: str, method: str, login: bool, sent: set[str]
) -> None:
    """In the header field, in the body, or nowhere, with further parameters, audience and resource
    in each request for a token.
    """
    more = {
        "audience": "https://api",
        "resource": "urn:r",
        "tokenParameters": {"account_id": "7"},
        "clientAuthentication": method,
    }
    if kind == "oauth2AuthorizationCode":
        url = rig.connect([Answer(TOKENS), Answer({**TOKENS, "expires_in": 3600})], **more)
        asked = dict(parse_qsl(urlsplit(url).query))
        assert (asked["audience"], asked["resource"], "account_id" in asked) == (
            "https://api",
            "urn:r",
            False,
        )
        assert (rig.call(), len(rig.authority.asked)) == ("succeeded", 2)
    else:
        values = {
            "server": rig.url,
            "tokenUrl": rig.url + "/token",
            "clientId": "c",
            "clientSecret": "s",
            **more,
        }
        rig.authority.tokens = [Answer({**TOKENS, "expires_in": 3600})]
        rig.runtime.connections.add("machine", f"http/{kind}", values, test=False)
        assert (rig.call("machine"), len(rig.authority.asked)) == ("succeeded", 1)
    for found, given in zip(rig.authority.asked, rig.authority.logins, strict=True):
        assert (given is not None, found.keys() & {"client_id", "client_secret"}) == (login, sent)
        assert (found["audience"], found["resource"], found["account_id"]) == (
            "https://api",
            "urn:r",
            "7",
        )


@pytest.mark.parametrize("name", ["grant_type", "code", "client_secret", "refresh_token"])
def test_a_parameter_of_the_grant_is_not_replaced(rig: Rig, name: str) -> None:
    """Further parameters add; one that the grant sets is named, before anything is sent."""
    with pytest.raises(JackfieldError) as found:
        rig.connect([Answer(TOKENS)], tokenParameters={name: "x"})
    assert (found.value.details[0].path, rig.authority.asked) == (f"/tokenParameters/{name}", [])


_REFUSALS = [
    Answer({"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}, 400),
    Answer({"error": "invalid_code"}),
    Answer({"error": "invalid_request", "error_description": "Token is not active"}, 400),
    Answer(
        {"error": {"code": 100, "message": "Session has expired", "type": "OAuthException"}}, 400
    ),
    Answer({"errcode": 40030, "errmsg": "invalid refresh_token"}),
    Answer(
        {
            "data": {"error_code": 10010, "description": "refresh_token is expired"},
            "message": "error",
        }
    ),
    Answer({"ok": False, "error": "token_revoked"}),
    Answer(content=b"error=expired&error_description=gone", headers=FORM),
    Answer(content=b"gone", status=410, headers={"Content-Type": "text/plain"}),
    Answer(content=b"", status=401),
    Answer({"success": False}, 403),
]


@pytest.mark.parametrize("refusal", _REFUSALS, ids=range(len(_REFUSALS)))
def test_a_grant_ends_in_any_words(rig: Rig, refusal: Answer) -> None:
    """A refresh token that is refused twice in a row, in whatever words, an hour apart, ends the
    approval; a further call sends nothing.
    """
    rig.connect([Answer(TOKENS), refusal])
    for _ in range(3):
        assert rig.call() != "invalid_connection"
        assert rig.state["status"] == "granted"
    rig.runtime.clock.sleep(3600)
    assert (rig.call(), rig.state["status"]) == ("invalid_connection", "ended")
    assert rig.state["reason"].startswith("the provider refused twice in a row to renew it")
    before = len(rig.authority.asked)
    assert (rig.call(), len(rig.authority.asked)) == ("invalid_connection", before)


@pytest.mark.parametrize("code", ["invalid_grant", "bad_refresh_token"])
def test_a_code_that_is_known_ends_it_at_once(rig: Rig, code: str) -> None:
    """What means only one thing needs no second refusal."""
    rig.connect([Answer(TOKENS), Answer({"error": code}, 400)])
    assert (rig.call(), rig.state["status"]) == ("invalid_connection", "ended")


_APPLICATION = "AADSTS7000112: Application is disabled."
_LOOP = "AADSTS50196: The server terminated an operation because it encountered a client loop."
_PASSING = [
    Answer({"error": "invalid_client"}, 401),
    Answer({"error": "unauthorized_client", "error_description": _APPLICATION}, 400),
    Answer({"error": "deleted_client"}, 401),
    Answer({"error": "disabled_client"}, 401),
    Answer({"error": "org_internal"}, 403),
    Answer({"error": "admin_policy_enforced"}, 400),
    Answer({"error": "invalid_resource"}, 400),
    Answer(
        {"error": "invalid_grant", "error_description": _LOOP, "error_codes": [50196]},
        400,
    ),
    Answer({"error": "x"}, 408),
    Answer({"error": "x"}, 429),
    Answer({}, 500),
    Answer({}, 503),
    Answer({"error": "incorrect_client_credentials"}),
    Answer({"error": "temporarily_unavailable"}, 400),
    Answer(content=b"<html>", status=200),
    Answer({"error": "x"}, 499),
    Answer(
        {
            "error": "Access Denied",
            "error_description": "You have made too many requests continuously.",
        },
        400,
    ),
]


@pytest.mark.parametrize("answer", _PASSING, ids=range(len(_PASSING)))
def test_what_says_nothing_about_the_grant_ends_nothing(rig: Rig, answer: Answer) -> None:
    """Refusals of the client, of time and of rate, and failures of the server: the approval lasts,
    and is used when they have passed.
    """
    rig.connect([Answer(TOKENS), answer])
    for _ in range(3):
        assert rig.call() not in ("succeeded", "invalid_connection")
        rig.runtime.clock.sleep(1_800)
    assert rig.state["status"] == "granted"
    rig.authority.tokens = [Answer({**TOKENS, "expires_in": 3600})]
    rig.runtime.clock.sleep(7200)
    assert rig.call() == "succeeded"


def test_who_is_refused_is_told(rig: Rig) -> None:
    """What concerns the application says so and asks nobody to connect again; a limit is a
    limit.
    """
    rig.connect([Answer(TOKENS), Answer({"error": "unauthorized_client"}, 400)])
    assert rig.call() == "unauthenticated"
    loop = {"error": "invalid_grant", "error_description": _LOOP, "error_codes": [50196]}
    rig.authority.tokens = [Answer(loop, 400)]
    assert rig.call() == "rate_limited"
    assert rig.state["status"] == "granted"


def test_two_refusals_with_a_success_between_end_nothing(rig: Rig) -> None:
    """Only refusals in a row count."""
    refusal = Answer({"status": "BAD_REFRESH_TOKEN"}, 400)
    rig.connect(
        [
            Answer(TOKENS),
            refusal,
            Answer({**TOKENS, "expires_in": 3600}),
            refusal,
            Answer({**TOKENS, "expires_in": 3600}),
        ]
    )
    assert [rig.call() == "succeeded" for _ in range(2)] == [False, True]
    rig.runtime.clock.sleep(7200)
    assert [rig.call() == "succeeded" for _ in range(2)] == [False, True]
    assert rig.state["status"] == "granted"


def test_the_token_of_the_exchange_is_used(rig: Rig) -> None:
    """The first calls send no request for a token; once the provider has called it expired, the
    next one does.
    """
    rig.connect(
        [
            Answer({**TOKENS, "expires_in": 3600}),
            Answer({**TOKENS, "access_token": "at-2", "expires_in": 3600}),
        ]
    )
    assert [rig.call(), rig.call()] == ["succeeded", "succeeded"]
    assert ([one["grant_type"] for one in rig.authority.asked], {*rig.authority.used}) == (
        ["authorization_code"],
        {"Bearer at-1"},
    )
    rig.runtime.clock.sleep(3600)
    assert (rig.call(), rig.authority.used[-1], len(rig.authority.asked)) == (
        "succeeded",
        "Bearer at-2",
        2,
    )
