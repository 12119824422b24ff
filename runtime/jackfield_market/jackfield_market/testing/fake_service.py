"""A fake of any provider, made from the manifest of its connector: it checks sign-ins by the
manifest, and answers with the examples.

It proves that a connector is consistent, not that it is true: the fake repeats an error of the
manifest.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from jackfield_market.testing.fake_pages import Pages, naming, put
from jackfield_market.testing.loopback_provider import Answer, Provider, Request, Script, Step
from jackfield_market.testing.playing import place_of_output
from jackfield_market.testing.successes import with_sign

ACCOUNTS = frozenset({"oauth2AuthorizationCode", "openIdConnect"})
CLIENT = "oauth2ClientCredentials"
_OURS, _ELSEWHERE = "/.fake", "/.elsewhere"
_ACCEPTED = "fake-value-4711"
_CLIENT = {"clientId": "fake-client", "clientSecret": "fake-client-secret"}
_ACCOUNT = ("4711", "Ada Example")
_LIFETIME = 3600
_PARTS = re.compile(r"\{([^{}/]+)\}")
_VALUE = re.compile(r"\{([A-Za-z0-9]+)\}")

Json = Mapping[str, Any]


@dataclass
class Tokens:
    """Codes and tokens that the fake has issued."""

    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)


class FakeService:
    """Fake provider of one connection type of a connector. ``manifest`` is the connector's manifest
    with the fake's addresses; ``values`` are the values of a connection that the fake accepts.

    - Without the credential of ``values`` a request gets the provider's error for it, from the
      manifest's error map.
    - Approvals are checked by the manifest: parameters, PKCE, the place of the client's secret, and
      JSON or a form. A refresh token is valid once.
    - Requests are answered by the examples of their actions, lists by pages of two items and a last
      one. Unknown parameters get 400.
    - ``throttle(n)``: the next ``n`` requests get 429 with ``Retry-After``.
    """

    def __init__(self, manifest: Json, kind: str) -> None:
        self._row = next(row for row in manifest["connectionTypes"] if row["key"] == kind)
        self._given = manifest
        self._throttled = 0
        self._answers: dict[str, Callable[[Request], Answer]] = {
            "authorize": self._page,
            "token": self._token,
            "refresh": self._token,
            "after": self._after,
        }
        self.tokens = Tokens()
        self.manifest: dict[str, Any] = {}
        self.between: Script | None = None
        """Stands in front of the fake, if there is one: it asks ``answer``."""
        self.provider = Provider(self._play)

    @property
    def url(self) -> str:
        """Return the address of the fake."""
        return self.provider.url

    @property
    def account(self) -> tuple[str, str]:
        """Return ID and label of the account that a connection test finds."""
        return _ACCOUNT

    @contextmanager
    def running(self) -> Iterator[FakeService]:
        """Serve requests until the context ends."""
        with self.provider:
            self.manifest = self.moved(self._given)
            self._row = next(
                row for row in self.manifest["connectionTypes"] if row["key"] == self._row["key"]
            )
            bound = [action for action in self.manifest["actions"] if "http" in action]
            self._actions = [
                (self._pattern(path), action) for action in bound for path in _paths(action["http"])
            ]
            yield self

    @property
    def needs_approval(self) -> bool:
        """Return whether a person approves connections of the type."""
        return any(part["kind"] in ACCOUNTS for part in self._row["http"]["credentials"])

    @property
    def values(self) -> dict[str, Any]:
        """Return values of a connection that the fake accepts."""
        schema, found = self._row["schema"], dict[str, Any]()
        for name in schema.get("required", ()):
            about = schema["properties"][name]
            found[name] = (
                about["enum"][0]
                if "enum" in about
                else about.get("default") or (self.url if name == "server" else _secret_of(name))
            )
        if any(self._has_client(part) for part in self._row["http"]["credentials"]):
            found |= _CLIENT
            ours = {
                "authorizationUrl": f"{self.url}{_OURS}/authorize",
                "tokenUrl": f"{self.url}{_OURS}/token",
            }
            found |= {name: url for name, url in ours.items() if name in schema["properties"]}
        return found

    def throttle(self, requests: int) -> None:
        """Answer the next requests with 429."""
        self._throttled = requests

    def approve(self, url: str) -> dict[str, str]:
        """Approve at an authorization URL like a person in a browser; return the parameters of the
        provider's answer.

        :raises ValueError: if the URL does not match the manifest.
        """
        row, asked = self._account(), dict(parse_qsl(urlsplit(url).query))
        wanted = {
            "client_id": _CLIENT["clientId"],
            "response_type": "code",
            **row.get("authorize", {}),
        }
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        if urlsplit(url).path != f"{_OURS}/authorize":
            wrong.append("path")
        if row.get("pkce", True) != ("code_challenge" in asked):
            wrong.append("code_challenge")
        if row.get("separator", " ") != " " and " " in asked.get("scope", ""):
            wrong.append("scope")
        if wrong:
            raise ValueError(f"the address does not ask as the manifest says: {', '.join(wrong)}")
        code = secrets.token_urlsafe(12)
        self.tokens.codes[code] = asked
        return {
            "code": code,
            "state": asked["state"],
            **dict.fromkeys(row.get("callback", {}).values(), "fake-callback"),
        }

    def expire(self) -> None:
        """Expire all access tokens; refresh tokens remain valid."""
        self.tokens.access.clear()

    def revoke(self) -> None:
        """End all approvals."""
        self.tokens.access.clear()
        self.tokens.refresh.clear()

    def _account(self) -> Json:
        found: Json = next(
            part for part in self._row["http"]["credentials"] if self._has_client(part)
        )
        return found

    def _has_client(self, part: Json) -> bool:
        return part["kind"] in ACCOUNTS or part["kind"] == CLIENT

    def moved(self, manifest: Json) -> dict[str, Any]:
        """Return a manifest with the fake's addresses in place of the provider's. Addresses that
        the fake does not serve are replaced by unserved ones.
        """
        made, known = (
            deepcopy(dict(manifest)),
            {_host(server.get("url", "")) for server in self._given.get("servers", ())},
        )
        for server in made.get("servers", ()):
            url = server.get("url", "")
            server["url"] = (
                self.url + ("" if _host(url) in known else _ELSEWHERE) + urlsplit(_hosted(url)).path
            )
        given = {
            row["key"]: row.get("http", {}).get("credentials", ())
            for row in self._given["connectionTypes"]
        }
        for row in made["connectionTypes"]:
            for part, true in zip(
                row.get("http", {}).get("credentials", ()), given.get(row["key"], ()), strict=False
            ):
                self._move_endpoints(part, true)
        return made

    def _move_endpoints(self, part: dict[str, Any], true: Json) -> None:
        for name, place in (
            ("authorizationUrl", "authorize"),
            ("tokenUrl", "token"),
            ("refreshUrl", "refresh"),
        ):
            if name in part:
                part[name] = (
                    f"{self.url}{_OURS}/{place if part[name] == true.get(name) else 'elsewhere'}"
                )
        part.pop("revocationUrl", None)
        if "after" in part:
            is_true = part["after"]["get"] == true.get("after", {}).get("get")
            part["after"]["get"] = f"{self.url}{_OURS}/{'after' if is_true else 'elsewhere'}"
        if "hosts" in part:
            part["hosts"] = [self.url]

    def _pattern(self, path: str) -> re.Pattern[str]:
        """Return the regular expression of a manifest's path, below the paths of its servers."""
        below = {
            urlsplit(server.get("url", "")).path.rstrip("/")
            for server in self.manifest.get("servers", ())
        }
        if "server" in self._row["schema"].get("required", ()):
            below.add("")
        return re.compile(f"(?:{'|'.join(sorted(map(_expression, below)))}){_expression(path)}")

    def _play(self, number: int, request: Request) -> Step:
        return self.answer(request) if self.between is None else self.between(number, request)

    def answer(self, request: Request) -> Answer:
        """Return the provider's answer to a request."""
        path, _, query = request.path.partition("?")
        if path.startswith((f"{_OURS}/", _ELSEWHERE)):
            answer = self._answers.get(path.removeprefix(f"{_OURS}/"))
            return (
                answer(request)
                if answer is not None
                else Answer({"message": "the provider has no such address"}, 404)
            )
        if self._throttled > 0:
            self._throttled -= 1
            return Answer({"message": "too many requests"}, 429, {"Retry-After": "0"})
        if not self._is_signed_in(request, path):
            return self._refusal()
        found = self._find_action(request, path)
        given = dict(parse_qsl(query, keep_blank_values=True))
        if found is None:
            return (
                self._probed()
                if self._is_probe(request, path)
                else Answer({"message": f"there is no {request.method} {path}"}, 404)
            )
        known = {row.get("name", row.get("input")) for row in found["http"].get("parameters", ())}
        known |= {row["name"] for row in found["http"].get("connection", ())} | dict(
            parse_qsl(found["http"].get("query", ""))
        ).keys()
        known |= {
            part["name"] for part in self._row["http"]["credentials"] if part.get("in") == "query"
        } | {"page"}
        unknown = (
            []
            if _takes_any(found)
            else [
                name for name in given if name.partition("[")[0] not in known and name not in known
            ]
        )
        if unknown:
            return Answer({"message": f"unknown parameter {unknown[0]}"}, 400)
        return self._answer(found, request, given)

    def _find_action(self, request: Request, path: str) -> Json | None:
        """Return the action that a request calls; None if no action matches.

        Of several with the request's path, it is the one with the most fixed parts of path and
        query.
        """
        matching = [
            action
            for pattern, action in self._actions
            if action["http"]["method"] == request.method and pattern.fullmatch(path)
        ]
        if any(place_of_output(action) for action in matching):
            query = request.json().get("query")
            matching = [
                action
                for action in matching
                if action["http"]["body"]["defaults"]["query"] == query
            ]
        given = dict(parse_qsl(request.path.partition("?")[2])).items()
        fixed = [
            (dict(parse_qsl(action["http"].get("query", ""))).items(), action)
            for action in matching
        ]
        known = [(len(query), action) for query, action in fixed if query <= given]
        return min(
            known, key=lambda one: (one[1]["http"]["path"].count("{"), -one[0]), default=(0, None)
        )[1]

    def _answer(self, action: Json, request: Request, given: Json) -> Answer:
        example: Json = next((one for one in action.get("examples", ())), {})
        output = deepcopy(example.get("result", {}).get("output", {}))
        body = output if action["http"]["response"]["read"] != "bytes" else {}
        headers: dict[str, str] = {}
        if "paging" in action["http"] and "pagination" in action:
            named = naming(
                self.manifest, action["output"], action["http"]["paging"].get("items", "/items")
            )
            headers = Pages(action, self.url, named).fill(body, request, given)
        if around := place_of_output(action):
            whole: dict[str, Any] = {}
            put(whole, around, body)
            body = whole
        if self._is_probe(request, request.path.partition("?")[0]):
            headers |= self._name_account(body)
        for place, value in {**self._success(), **_verdicts(action["http"])}.items():
            put(body, place, value)
        if not around:
            body = with_sign(self._given, action, body)
        # else nothing tells it from a list
        is_object = self._row["http"].get("account", {}).get("id", "").startswith("/items/")
        items = body.get("items") if body.keys() == {"items"} and not is_object else None
        return Answer(body if items is None else items, 200, headers)

    def _success(self) -> dict[str, Any]:
        """Return the members, with their values, by which an answer states success; empty if the
        provider has none.
        """
        return _verdicts(self._given.get("http", {}).get("errors", {}))

    def _probed(self) -> Answer:
        body: dict[str, Any] = {}
        return Answer(body, 200, self._name_account(body))

    def _name_account(self, body: dict[str, Any]) -> dict[str, str]:
        """Write the account into a body, or return a header field with it."""
        about = self._row["http"].get("account")
        if about is None or "header" in about:
            return {} if about is None else {about["header"]: _ACCOUNT[0]}
        put(body, about["id"], _ACCOUNT[0])
        for place in about.get("label", ())[:1]:
            if place != about["id"]:
                put(body, place, _ACCOUNT[1])
        return {}

    def _is_probe(self, request: Request, path: str) -> bool:
        """Return whether a request is the connection test, or reads the account after the test."""
        apart = self._row["http"].get("account", {}).get("path")
        if apart is not None and request.method == "GET" and self._pattern(apart).fullmatch(path):
            return True
        probe = self._row["http"].get("probe")
        about = {"path": probe} if isinstance(probe, str) else probe or {}
        if (
            "query" in about
            and dict(parse_qsl(about["query"])).items()
            - dict(parse_qsl(request.path.partition("?")[2])).items()
        ):
            return False
        if (
            "path" not in about
            or about.get("method", "GET") != request.method
            or not self._pattern(about["path"]).fullmatch(path)
        ):
            return False
        return "body" not in about or request.json() == about["body"]

    def _is_signed_in(self, request: Request, path: str) -> bool:
        return all(
            self._has(part, request, path) for part in self._row["http"]["credentials"]
        ) and not self._has_wrong_value(request)

    def _has_wrong_value(self, request: Request) -> bool:
        """Return whether a request has a wrong secret of the connection, other than its
        credentials, in a header field or the query.
        """
        probe, fields = self._row["http"].get("probe"), self._row["schema"]["properties"]
        beside = probe.get("connection", ()) if isinstance(probe, dict) else ()
        secret = [
            part
            for part in beside
            if part["in"] in ("header", "query") and fields.get(part["value"], {}).get("writeOnly")
        ]
        sent = {("header", name.lower()): value for name, value in request.headers.items()}
        sent |= {
            ("query", name.lower()): value
            for name, value in parse_qsl(urlsplit(request.path).query)
        }
        pairs = (
            (sent.get((part["in"], part["name"].lower())), self.values.get(part["value"]))
            for part in secret
        )
        return any(value is not None and value != right for value, right in pairs)

    def _has(self, part: Json, request: Request, path: str) -> bool:
        headers = {name.lower(): value for name, value in request.headers.items()}
        sent, kind = headers.get("authorization", ""), part["kind"]
        if self._has_client(part):
            prefix = str(part.get("prefix", "Bearer "))
            return sent.startswith(prefix) and sent.removeprefix(prefix) in self.tokens.access
        if kind == "bearer":
            return sent == str(part.get("prefix", "Bearer ")) + _secret_of(_name(part, "token"))
        if kind == "basic":
            return _decoded(sent) == ":".join(
                self._login(part, name) for name in ("username", "password")
            )
        return kind != "apiKey" or self._has_key(part, request, path, headers)

    def _has_key(self, part: Json, request: Request, path: str, headers: Json) -> bool:
        value = str(part.get("prefix", "")) + _secret_of(_name(part, "value"))
        if part["in"] == "path":
            return f"{value}/" in f"{unquote(path)}/"
        if part["in"] == "query":
            return bool(dict(parse_qsl(request.path.partition("?")[2])).get(part["name"]) == value)
        return bool(headers.get(part["name"].lower()) == value)

    def _login(self, part: Json, name: str) -> str:
        template = part.get("fixed", {}).get(name, f"{{{name}}}")
        return _VALUE.sub(lambda found: _secret_of(_name(part, found[1])), template)

    def _refusal(self) -> Answer:
        """Return the provider's error for wrong credentials, in the form that the error map
        reads.
        """
        about = self._given.get("http", {}).get("errors", {})
        row: Json = next(
            (
                one
                for one in about.get("rows", ())
                if one["error"] == "unauthenticated" and one.get("codes")
            ),
            {},
        )
        body: dict[str, Any] = {}
        put(body, place_of_words(about, "message"), "the credentials are wrong")
        put(body, place_of_words(about, "code"), row.get("codes", ["unauthorized"])[0])
        for place in _verdicts(about):
            put(body, place, False)
            return Answer(body, row.get("status", 200 if row else 401))
        return Answer(body, 401)

    def _page(self, _request: Request) -> Answer:
        return Answer({"message": "approve by FakeService.approve"})

    def _after(self, request: Request) -> Answer:
        about, choice = self._account()["after"], dict[str, Any]()
        if (
            request.headers.get("Authorization", "").removeprefix("Bearer ")
            not in self.tokens.access
        ):
            return Answer({"message": "the token is wrong"}, 401)
        for name, place in about["values"].items():
            put(choice, place, self.url if name == "server" else f"fake-{name}")
        for place in about.get("by", ()):
            put(choice, place, _ACCOUNT[1])
        if "items" not in about:
            return Answer([choice])
        body: dict[str, Any] = {}
        put(body, about["items"], [choice])
        return Answer(body)

    def _token(self, request: Request) -> Answer:
        row, is_json = (
            self._account(),
            request.headers.get("Content-Type", "").startswith("application/json"),
        )
        if is_json != (row.get("tokenRequest") == "json"):
            return Answer(
                {
                    "error": "invalid_request",
                    "error_description": "the request is not written as the provider wants it",
                },
                400,
            )
        form = request.json() if is_json else dict(parse_qsl(request.body.decode()))
        if "refreshUrl" in row and (form.get("grant_type") == "refresh_token") != (
            request.path == f"{_OURS}/refresh"
        ):
            return Answer(
                {
                    "error": "unsupported_grant_type",
                    "error_description": "tokens are renewed at another address",
                },
                400,
            )
        if not self._is_client(row, form, request.headers.get("Authorization", "")):
            return Answer(
                {"error": "invalid_client", "error_description": "the client is not the one"}, 401
            )
        if not self._is_granted(row, form):
            return Answer(
                {
                    "error": "invalid_grant",
                    "error_description": "the code or the refresh token is not good",
                },
                400,
            )
        access, refresh = (
            f"fake-access-{secrets.token_hex(8)}",
            f"fake-refresh-{secrets.token_hex(8)}",
        )
        self.tokens.access.add(access)
        self.tokens.refresh.add(refresh)
        body: dict[str, Any] = {}
        inner = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "expires_in": _LIFETIME,
        }
        for name, value in inner.items():
            put(body, f"{row.get('tokenPlace', '')}/{name}", value)
        for name, place in row.get("answer", {}).items():
            put(body, place, self.url if name == "server" else f"fake-{name}")
        return Answer(body)

    def _is_client(self, row: Json, form: Json, header: str) -> bool:
        way, known = (
            row.get("clientAuthentication", "basic"),
            (_CLIENT["clientId"], _CLIENT["clientSecret"]),
        )
        if way == "basic":
            return (
                tuple(map(unquote_plus, _decoded(header).split(":"))) == known
                and "client_secret" not in form
            )
        return (form.get("client_id"), form.get("client_secret")) == (
            known if way == "body" else (known[0], None)
        ) and not header

    def _is_granted(self, row: Json, form: Json) -> bool:
        if row["kind"] == CLIENT:
            return form.get("grant_type") == "client_credentials"
        if form.get("grant_type") == "refresh_token":
            known = form.get("refresh_token") in self.tokens.refresh
            self.tokens.refresh.discard(str(form.get("refresh_token")))
            return known
        asked = self.tokens.codes.pop(str(form.get("code")), None)
        if asked is None or form.get("redirect_uri") != asked.get("redirect_uri"):
            return False
        digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        return (
            row.get("pkce", True) is False
            or urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        )


def place_of_words(errors: Json, name: str) -> str:
    """Return the JSON Pointer of the ``code`` or ``message`` in a refusal's body: the first that
    the error map names, or else the usual.
    """
    named = errors.get(name, [])
    return next(
        (
            place
            for place in (named if isinstance(named, list) else [named])
            if isinstance(place, str)
        ),
        f"/{name}",
    )


def _verdicts(given: Json) -> dict[str, Any]:
    """Return the members, each with True, that are false in a response which reports a failure by
    the member ``failed`` of ``given``.
    """
    rules = given.get("failed", [])
    listed = rules if isinstance(rules, list) else [rules]
    return {
        rule["member"]: True
        for rule in listed
        if rule.get("equals") is False and "items" not in rule
    }


def _takes_any(action: Json) -> bool:
    """Return whether an action has an input whose members become query parameters of any name."""
    rows = [
        row
        for row in action["http"].get("parameters", ())
        if row["in"] == "query" and row.get("style", "form") == "form"
    ]
    schemas = [
        action["inputs"]["properties"].get(row["input"], {})
        for row in rows
        if row.get("explode", True)
    ]
    return any(
        one.get("type") == "object" and one.get("additionalProperties", True) is not False
        for one in schemas
    )


def _hosted(url: str) -> str:
    """Return a server's URL with a plain host, so that its path can be parsed although the host
    contains variables.
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme or 'https'}://{'host' if '{' in host or not host else host}{slash}{path}"


def _host(url: str) -> str:
    """Return the host of a server's URL, with its variables."""
    return url.partition("://")[2].partition("/")[0]


def _paths(binding: Json) -> list[str]:
    """Return the path of an action, and the path of its later pages if that differs."""
    further = binding.get("paging", {}).get("continue")
    return [binding["path"]] if further is None else [binding["path"], further]


def _expression(path: str) -> str:
    """Return the regular expression of a path; each parameter matches one segment."""
    return "".join(
        "[^/]+" if number % 2 else re.escape(part) for number, part in enumerate(_PARTS.split(path))
    )


def _name(part: Json, name: str) -> str:
    return str(part.get("fields", {}).get(name, name))


def _secret_of(name: str) -> str:
    return f"{_ACCEPTED}-{name}"


def _decoded(header: str) -> str:
    try:
        return b64decode(header.removeprefix("Basic ")).decode()
    except ValueError:
        return ""
