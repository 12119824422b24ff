"""``http.request`` over connections of GitHub, Slack and Stripe: any path of their APIs, under an
explicit rule and those of the lender.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield.callers import Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation import Result
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider
from jackfield_store.access.workspaces import Workspaces
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield

_TYPES = {"github": "github/accessToken", "slack": "slack/botToken", "stripe": "stripe/secretKey"}
_LENT = [f"http/request & connection:{name}" for name in _TYPES]
_OUTSIDE = {
    "github": [
        "GET /emojis",
        "GET /rate_limit",
        "GET /meta",
        "GET /octocat",
        "GET /zen",
        "GET /licenses/mit",
        "GET /gitignore/templates",
        "GET /users/ada/followers",
        "GET /repos/o/r/stargazers",
        "GET /repos/o/r/traffic/views",
        "POST /repos/o/r/merges",
        "POST /repos/o/r/forks",
        "PUT /repos/o/r/topics",
        "PATCH /repos/o/r/import",
        "DELETE /repos/o/r/subscription",
    ],
    "slack": [
        "GET /team.info",
        "GET /emoji.list",
        "GET /bots.info?bot=B1",
        "GET /usergroups.list",
        "POST /bookmarks.add",
        "POST /pins.add",
        "POST /stars.add",
        "POST /dnd.setSnooze",
        "POST /calls.add",
        "POST /reminders.add",
        "GET /dnd.teamInfo",
        "POST /views.open",
    ],
    "stripe": [
        "GET /v1/tax_rates",
        "GET /v1/shipping_rates",
        "GET /v1/reviews",
        "GET /v1/topups",
        "POST /v1/topups",
        "POST /v1/tokens",
        "POST /v1/tax_rates",
        "DELETE /v1/radar/value_lists/rsl_1",
        "GET /v1/radar/rules",
        "POST /v1/shipping_rates",
        "GET /v1/quotes/q_1",
        "POST /v1/quotes/q_1/accept",
        "GET /v1/issuing/cards",
    ],
}


@contextmanager
def _open(folder: Path, provider: Provider, *allow: str, **rules: list[str]) -> Iterator[Jackfield]:
    connections = {
        name: {"type": kind, "values": {"token": f"tok-{name}", "server": provider.url}}
        for name, kind in _TYPES.items()
    }
    with Jackfield(
        connections=[connections], database_url=f"sqlite:///{folder}/jackfield.db"
    ) as jackfield:
        if allow or rules:
            workspaces = Workspaces(
                jackfield.storage.database, jackfield.storage.vault, SystemClock()
            )
            workspaces.set("default", {"rules": {"allow": list(allow), **rules}})
        yield jackfield


def _call(
    jackfield: Jackfield, connection: str, request: str, caller: Caller | None = None, **inputs: Any
) -> Result:
    method, _, url = request.partition(" ")
    given = {
        "connector": "http",
        "action": "request",
        "connection": connection,
        "inputs": {"method": method, "url": url, **inputs},
    }
    return jackfield.invoke(given) if caller is None else jackfield.invoke(given, caller=caller)


def _code(result: Result) -> str:
    return result.status if result.error is None else result.error.code


def test_any_path_of_three_apis(tmp_path: Path) -> None:
    """40 requests that no curated action sends reach the provider with the connection's
    credentials, its headers and its error texts.
    """
    with (
        Provider(Answer({"ok": True})) as provider,
        _open(tmp_path, provider, "*", *_LENT) as jackfield,
    ):
        for name, requests in _OUTSIDE.items():
            for request in requests:
                result = _call(jackfield, name, request)
                assert result.unwrap()["body"] == {"ok": True}, request
                sent = provider.requests[-1]
                assert f"{sent.method} {sent.path}" == request
                assert {key.lower(): value for key, value in sent.headers.items()}[
                    "authorization"
                ] == f"Bearer tok-{name}"
    assert len(provider.requests) == sum(map(len, _OUTSIDE.values())) == 40


@pytest.mark.parametrize(
    "rules",
    [
        [],
        ["*"],
        ["http/*"],
        ["http/request"],
        ["*", "http/request & connection:git*", "http/request & connection:s*"],
        [
            "*",
            "http/* & connection:github",
            "http/* & connection:slack",
            "http/* & connection:stripe",
        ],
        ["*", "connection:github", "connection:slack", "connection:stripe"],
        ["*", "http/request & connection:other"],
        ["*", "http/request & connection:github & effect:write"],
    ],
    ids=str,
)
def test_only_a_rule_that_names_both_allows_it(tmp_path: Path, rules: list[str]) -> None:
    """Without one, each of the 40 requests is refused as not allowed, and the provider sees
    nothing.
    """
    with Provider(Answer({})) as provider, _open(tmp_path, provider, *rules) as jackfield:
        found = {
            _code(_call(jackfield, name, request))
            for name, requests in _OUTSIDE.items()
            for request in requests
        }
    # nothing of the lender is allowed, so its connections are not there
    hidden = rules in (["http/*"], ["http/request"])
    assert (found, provider.requests) == ({"unknown_connection" if hidden else "not_allowed"}, [])


def test_the_refusal_says_what_would_allow_it(tmp_path: Path) -> None:
    """It has the pattern that the workspace lacks."""
    with Provider(Answer({})) as provider, _open(tmp_path, provider) as jackfield:
        error = _call(jackfield, "github", "GET /zen").error
    assert error is not None
    assert (
        "'github' is a connection of 'github', so it needs the pattern 'http/request & "
        "connection:github'"
    ) in error.message


def test_a_token_with_patterns_needs_one_of_its_own(tmp_path: Path) -> None:
    """The workspace's rule does not widen a token that may use http over its own connections; one
    without patterns is not narrowed.
    """
    rules = {
        Rules(allow=("http/*", "github/*")): "not_allowed",
        # nothing of github is allowed
        Rules(allow=("http/request & connection:github",)): "unknown_connection",
        Rules(allow=("http/request & connection:github", "github/*")): "succeeded",
        Rules(): "succeeded",
    }
    with Provider(Answer({})) as provider, _open(tmp_path, provider, "*", *_LENT) as jackfield:
        for given, expected in rules.items():
            assert (
                _code(
                    _call(
                        jackfield, "github", "GET /zen", Caller("t", "invoke", given, remote=True)
                    )
                )
                == expected
            ), given


_BLOCKED = [
    "github/createIssue",
    "github/deleteFile",
    "github/getRepository",
    "slack/postMessage",
    "slack/* & effect:write",
    "stripe/* & effect:write",
]
_SPELT: list[tuple[str, str]] = [
    ("github", "POST /repos/o/r/issues"),
    ("github", "POST /repos/o/r/issues/"),
    ("github", "POST /repos/o/r//issues"),
    ("github", "POST //repos/o/r/issues"),
    ("github", "POST /repos/o/r/issues?x=1"),
    ("github", "POST /repos/o/r/issues;x=1"),
    ("github", "POST /repos/o/r;v=1/issues"),
    ("github", "POST /Repos/o/r/ISSUES"),
    ("github", "POST /repos/o/r/%69ssues"),
    ("github", "POST /repos/o/r/%2569ssues"),
    ("github", "POST /repos/o/r/%252569ssues"),
    ("github", "POST /repos/o/r%2Fissues"),
    ("github", "POST /repos%2Fo%2Fr%2Fissues"),
    ("github", "POST /repos/o%252Fr/issues"),
    ("github", "POST /repos/o/r/issues%3Fx"),
    ("github", "POST /repos/o/r/issues%23x"),
    ("github", "POST /repos/o/r/issues%20"),
    ("github", "POST /repos/o/r/issues.json"),
    ("github", "POST /repos/o/r/issues%00"),
    ("github", "DELETE /repos/o/r/contents/a"),
    ("github", "DELETE /repos/o/r/contents/a/b/c.txt"),
    ("github", "GET /repos/o/r"),
    ("github", "HEAD /repos/o/r"),
    ("slack", "POST /chat.postMessage"),
    ("slack", "POST /chat%2EpostMessage"),
    ("slack", "GET /chat.postMessage?channel=C&text=hi"),
    ("slack", "HEAD /chat.postMessage?channel=C"),
    ("slack", "PUT /chat.postMessage"),
    ("slack", "GET /chat.unfurl?channel=C"),
    ("github", "POST /repos/o/r/contents/a"),
    ("github", "PUT /repos/o/r/issues"),
    ("stripe", "POST /v1/customers"),
    ("stripe", "POST /v1/topups"),
    ("stripe", "DELETE /v1/radar/value_lists/rsl_1"),
    ("stripe", "PUT /v1/nothing"),
    ("stripe", "PATCH /v1/nothing"),
]


@pytest.mark.parametrize(("connection", "request_line"), _SPELT)
def test_a_blocked_action_stays_blocked_however_it_is_spelt(
    tmp_path: Path, connection: str, request_line: str
) -> None:
    """A request that a server may read as that of a blocked action, or whose effect is blocked, is
    refused, and nothing is sent.
    """
    with (
        Provider(Answer({})) as provider,
        _open(tmp_path, provider, "*", *_LENT, block=_BLOCKED) as jackfield,
    ):
        result = _call(jackfield, connection, request_line)
    assert (_code(result), provider.requests) in [("not_allowed", []), ("invalid_input", [])]


_ATTACKS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "another host": ("GET http://evil.example/zen", {}),
    "another host, without a scheme": ("GET //evil.example/zen", {}),
    "the own server as a whole URL": ("GET {server}/zen", {}),
    "another scheme": ("GET ftp://127.0.0.1/zen", {}),
    "a file": ("GET file:///etc/passwd", {}),
    "a user name": ("GET http://github@127.0.0.1/zen", {}),
    "backslashes": ("GET /\\evil.example/zen", {}),
    "IPv6": ("GET http://[::1]/zen", {}),
    "IPv4 in IPv6": ("GET http://[::ffff:127.0.0.1]/zen", {}),
    "a decimal address": ("GET http://2130706433/zen", {}),
    "no slash": ("GET zen", {}),
    "an at sign": ("GET @evil.example/zen", {}),
    "a colon": ("GET :80@evil.example/", {}),
    "a line break": ("GET /zen\r\nHost: evil.example", {}),
    "climbing": ("GET /../../admin", {}),
    "climbing, encoded": ("GET /%2e%2e/admin", {}),
    "climbing, encoded twice": ("GET /%252e%252e/admin", {}),
    "climbing behind a semicolon": ("GET /x/..;/admin", {}),
    "the sign-in's header": ("GET /zen", {"headers": {"Authorization": "Bearer other"}}),
    "a cookie": ("GET /zen", {"headers": {"Cookie": "a=b"}}),
    "the host's header": ("GET /zen", {"headers": {"Host": "evil.example"}}),
    "a forwarded host": ("GET /zen", {"headers": {"X-Forwarded-Host": "evil.example"}}),
    "a method in a header": ("GET /zen", {"headers": {"X-HTTP-Method-Override": "DELETE"}}),
    "a method in a header with underscores": (
        "GET /zen",
        {"headers": {"x_http_method_override": "DELETE"}},
    ),
    "a path in a header": ("GET /zen", {"headers": {"X-Original-URL": "/admin"}}),
    "a path in another header": ("GET /zen", {"headers": {"X-Rewrite-URL": "/admin"}}),
    "a method in the query": ("GET /zen?_method=DELETE", {}),
    "a method in the query, encoded": ("GET /zen?%5Fmethod=DELETE", {}),
    "a method in the query's members": ("GET /zen", {"query": {"method": "delete"}}),
    "a method in the query's list": ("GET /zen", {"query": {"method": ["x", "delete"]}}),
    "a method in a form": ("POST /zen", {"form": {"_method": "DELETE"}}),
    "a method in JSON": ("POST /zen", {"json": {"_method": "DELETE"}}),
    "a method in a part": ("POST /zen", {"multipart": [{"name": "_method", "value": "DELETE"}]}),
    "a method in a header of another name": (
        "GET /zen",
        {"headers": {"X.HTTP.Method.Override": "DELETE"}},
    ),
    "a method for another server": ("GET /zen", {"headers": {"X-Forwarded-Method": "DELETE"}}),
    "a path for another server": ("GET /zen", {"headers": {"X-Envoy-Original-Path": "/admin"}}),
    "another host for a server": ("GET /zen", {"headers": {"X-Host": "evil.example"}}),
    "a method in the key's header": ("POST /zen", {"idempotencyHeader": "X-HTTP-Method-Override"}),
    "a path in the key's header": ("POST /zen", {"idempotencyHeader": "X-Original-URL"}),
    "a method as the page's parameter": (
        "GET /zen",
        {"pages": {"kind": "token", "parameter": "_method", "next": "/n"}, "nextToken": "DELETE"},
    ),
    "a method in the query, folded": ("GET /zen?.method=DELETE", {}),
    "a method in the query, as a list": ("GET /zen?_method[]=DELETE", {}),
    "a method in the text of a form": (
        "POST /zen",
        {"text": "a=1&_method=DELETE", "contentType": "application/x-www-form-urlencoded"},
    ),
    "a form as a file": (
        "POST /zen",
        {
            "file": {"data": "YQ==", "contentType": "text/plain"},
            "contentType": "application/x-www-form-urlencoded",
        },
    ),
    "pages at addresses of the provider": (
        "GET /zen",
        {"fetchAll": True, "pages": {"kind": "url", "items": "/x", "next": "/private"}},
    ),
    "pages at links of the provider": (
        "GET /zen",
        {"fetchAll": True, "pages": {"kind": "linkHeader", "items": "/x"}},
    ),
    "a lower effect": ("POST /zen", {"effect": "read"}),
    "another method": ("get /zen", {}),
    "a method that is no text": ("GET /zen", {"method": ["GET"]}),
    "a URL that is no text": ("GET /zen", {"url": ["/zen"]}),
    "an address as the next page": (
        "GET /zen",
        {"pages": {"kind": "url", "next": "/next"}, "nextToken": "http://evil.example/"},
    ),
    "a link as the next page": (
        "GET /zen",
        {"pages": {"kind": "linkHeader"}, "nextToken": "/repos/o/r"},
    ),
}


@pytest.mark.parametrize("attack", _ATTACKS)
def test_nothing_leaves_by_an_attack(tmp_path: Path, attack: str) -> None:
    """The server and the sign-in are the connection's, the method and the path those that the rules
    have judged.
    """
    request, inputs = _ATTACKS[attack]
    with Provider(Answer({})) as provider, _open(tmp_path, provider, "*", *_LENT) as jackfield:
        result = _call(jackfield, "github", request.replace("{server}", provider.url), **inputs)
    assert (_code(result), provider.requests) in [("invalid_input", []), ("not_allowed", [])]


def test_a_redirect_takes_no_credentials_elsewhere(tmp_path: Path) -> None:
    """A read follows a redirect to another server without the token."""
    with Provider(Answer({"ok": True})) as other:
        away = Answer({}, 302, {"Location": other.url.replace("127.0.0.1", "localhost") + "/x"})
        with Provider(away) as provider, _open(tmp_path, provider, "*", *_LENT) as jackfield:
            _call(jackfield, "github", "GET /zen")
        assert all(
            "tok-github" not in json.dumps(dict(request.headers)) for request in other.requests
        )


def test_what_does_more_than_read_is_a_write(tmp_path: Path) -> None:
    """A PUT or DELETE whose answer is lost is in doubt, since nobody has declared what it does; a
    GET is repeated.
    """
    for method, status, sent in (
        ("GET", "succeeded", 2),
        ("PUT", "in_doubt", 1),
        ("DELETE", "in_doubt", 1),
        ("POST", "in_doubt", 1),
    ):
        folder = tmp_path / method
        folder.mkdir()
        with (
            Provider(["reset", Answer({})]) as provider,
            _open(folder, provider, "*", *_LENT) as jackfield,
        ):
            assert (
                _call(jackfield, "github", f"{method} /zen").status,
                len(provider.requests),
            ) == (status, sent)


def test_an_api_that_ignores_methods_is_read_by_none(tmp_path: Path) -> None:
    """Slack runs each method of its API by GET, too: a GET whose answer is lost is repeated only if
    it is that of a read.
    """
    for url, status, sent in (
        ("/auth.test", "succeeded", 2),
        ("/chat.delete?ts=1", "in_doubt", 1),
        ("/chat.unfurl", "in_doubt", 1),
    ):
        folder = tmp_path / url.partition("?")[0][1:]
        folder.mkdir()
        with (
            Provider(["reset", Answer({"ok": True})]) as provider,
            _open(folder, provider, "*", *_LENT) as jackfield,
        ):
            assert (_call(jackfield, "slack", f"GET {url}").status, len(provider.requests)) == (
                status,
                sent,
            ), url


def test_approval_rules_of_the_lender_hold(tmp_path: Path) -> None:
    """A request that is an action's waits as the action does; so does any other by the rule for the
    connector's writes.
    """
    waits = {
        "POST /repos/o/r/issues": "waiting",
        "POST /repos/o/r/merges": "waiting",
        "GET /zen": "succeeded",
    }
    rules = {"approve": ["github/createIssue", "github/* & effect:write"]}
    with (
        Provider(Answer({})) as provider,
        _open(tmp_path, provider, "*", *_LENT, **rules) as jackfield,
    ):
        results = {request: _call(jackfield, "github", request) for request in waits}
        assert {request: result.status for request, result in results.items()} == waits
        assert len(provider.requests) == 1
        approver = Caller("bob", "approve", remote=True, token="bob")
        jackfield.approvals_of(approver, Actor("user", "bob")).approve(
            results["POST /repos/o/r/merges"].meta.invocation_id
        )
        assert [
            jackfield.run(claimed).status for claimed in Queue(jackfield.storage.database).claim(10)
        ] == ["succeeded"]
        assert [request.path for request in provider.requests] == ["/zen", "/repos/o/r/merges"]


def test_a_workspace_may_allow_nothing_else(tmp_path: Path) -> None:
    """The pattern and what it leads to are enough: http itself is seen by it."""
    with (
        Provider(Answer({})) as provider,
        _open(tmp_path, provider, _LENT[0], "github/*") as jackfield,
    ):
        assert _code(_call(jackfield, "github", "POST /repos/o/r/merges")) == "succeeded"
        assert _code(_call(jackfield, "slack", "GET /team.info")) == "not_allowed"
        assert "http" in set(jackfield.catalog_of(Caller("t", "invoke", remote=True)))


def test_a_dry_run_shows_the_request(tmp_path: Path) -> None:
    """Nothing is sent; the rules are asked as for a call."""
    with (
        Provider(Answer({})) as provider,
        _open(tmp_path, provider, "*", *_LENT, block=["github/createIssue"]) as jackfield,
    ):
        given = {"connector": "http", "action": "request", "connection": "github", "dryRun": True}
        shown = jackfield.invoke({**given, "inputs": {"url": "/zen"}})
        assert (shown.status, shown.meta.to_json()["request"]["path"]) == ("succeeded", "/zen")
        refused = jackfield.invoke(
            {**given, "inputs": {"method": "POST", "url": "/repos/o/r/issues"}}
        )
        assert (_code(refused), provider.requests) == ("not_allowed", [])


def test_the_journal_has_it_under_the_connection(tmp_path: Path) -> None:
    """Its entry names http, the action and the lender's connection; a refusal has the rule."""
    with (
        Provider(Answer({})) as provider,
        _open(tmp_path, provider, "*", "http/request & connection:github") as jackfield,
    ):
        ids = [
            _call(jackfield, name, "GET /zen").meta.invocation_id for name in ("github", "slack")
        ]
        entries = [jackfield.journal_of().find(identifier) for identifier in ids]
    assert [(one.connector, one.action, one.connection, one.status) for one in entries] == [
        ("http", "request", "github", "succeeded"),
        ("http", "request", "slack", "failed"),
    ]


def test_connections_that_cannot_be_lent_are_refused_as_before(tmp_path: Path) -> None:
    """One of AWS, whose actions are no bound requests, and one that does not exist."""
    held = {
        "aws": {
            "type": "aws-ses/apiKeySecret",
            "values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "x" * 40},
        }
    }
    rules = {"allow": ["*", "http/request & connection:aws", "http/request & connection:gone"]}
    with Jackfield(
        connections=[held], database_url=f"sqlite:///{tmp_path}/jackfield.db"
    ) as jackfield:
        codes = [_code(_call(jackfield, name, "GET /zen")) for name in ("aws", "gone")]
        Workspaces(jackfield.storage.database, jackfield.storage.vault, SystemClock()).set(
            "default", {"rules": rules}
        )
        codes += [_code(_call(jackfield, name, "GET /zen")) for name in ("aws", "gone")]
    assert codes == ["invalid_connection", *["unknown_connection"] * 3]


def test_a_name_that_a_rule_lends_is_given_to_no_other_connection(tmp_path: Path) -> None:
    """Renaming is refused: the new name would open what the old one does not."""
    with (
        Provider(Answer({})) as provider,
        Jackfield(database_url=f"sqlite:///{tmp_path}/jackfield.db") as jackfield,
    ):
        jackfield.connections.add(
            "live", "stripe/secretKey", {"token": "tok-stripe", "server": provider.url}
        )
        Workspaces(jackfield.storage.database, jackfield.storage.vault, SystemClock()).set(
            "default", {"rules": {"allow": ["*", "http/request & connection:github"]}}
        )
        with pytest.raises(Exception, match="for calls of other connectors") as raised:
            jackfield.connections_of(Caller("t", "manage", remote=True)).rename("live", "github")
        assert getattr(raised.value, "code", None) == "not_allowed"
