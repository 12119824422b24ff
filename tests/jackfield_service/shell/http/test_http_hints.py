"""What a hint over HTTP tells a caller to do, the caller can do: by kind of token, for every step
and for refusals of every code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers import Scope, may
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import CODES
from jackfield.kernel.hints import _WORDS, OF_PROVIDERS, NextStep, restored, worded
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.requests.hints import WORDS
from jackfield_service.subjects.tenants.health import connection_health
from jackfield_store.access.platform_tokens import PlatformTokens

_STEPS = _WORDS["library"]
_WITHOUT_FACTS = [kind for kind, words in _STEPS.items() if "{" not in words + WORDS.get(kind, "")]
CALLERS = ("read", "invoke", "manage", "approve", "manage approve", "platform", "operator")
_REQUEST = re.compile(
    r"\b(GET|POST|PUT|PATCH|DELETE) (/[^ ,;:?]*(?::(?:accept|rotate|test|confirm|complete))?)"
)
_WITH = re.compile(
    r"[Ww]ith a token of the (?:scope '(\w+)'|(workspace)): |(Use a token of the workspace): "
    r"|The operator of this server"
)
_ON_THE_SERVER = re.compile(r"'jackfield |JACKFIELD_[A-Z]|(?<![\w-])--[a-z]")


def scope_of(method: str, path: str) -> Scope | None:
    """Scope that a request needs."""
    found = [
        one
        for one in OPERATIONS
        if one.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path)
    ]
    assert found, f"no operation {method} {path}"
    return found[0].scope


def beyond(hint: str, caller: str) -> list[str]:
    """What a hint asks of a caller that he cannot do."""
    found = []
    told = _WITH.search(hint)
    held = cast("Scope", "manage" if caller == "operator" else caller)
    if told is not None:
        held = cast(
            "Scope",
            "manage" if told[2] else told[1] or ("platform" if caller == "platform" else held),
        )
    for method, path in _REQUEST.findall(hint):
        needed = scope_of(method, path.rstrip("."))
        if (
            needed is not None
            and not may(held, needed)
            and not (told is not None and needed == "platform")
        ):
            found.append(f"{method} {path}")
    if caller != "operator" and _ON_THE_SERVER.search(hint) and "operator" not in hint:
        found.append("a command of the server")
    if re.search(r"=True|wait=T|jackfield\.\w+\(|\.begin\(", hint):
        found.append("the library")
    return found


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("kind", sorted(_STEPS))
def test_every_step_names_what_its_reader_can_do(kind: str, caller: str) -> None:
    """A request that the token may send, or the token that may; no command, no Python."""
    facts = dict.fromkeys(re.findall(r"\{(\w+)\}", _STEPS[kind] + WORDS.get(kind, "")), "x")
    said = worded(NextStep(kind, **facts), f"http:{caller}") or ""
    assert beyond(said, caller) == [], said
    assert said.endswith((".", "x"))


@pytest.mark.parametrize("kind", sorted(_STEPS))
def test_a_step_that_was_stored_is_read_again(kind: str) -> None:
    """Journal and tests of connections keep the library's words; whoever reads them gets his own,
    with the same facts.
    """
    facts = {name: f"<{name}>" for name in re.findall(r"\{(\w+)\}", _STEPS[kind])}
    for more in ("", "Then try again."):
        step = NextStep(kind, more=more, **facts)
        found = restored(str(step))
        assert isinstance(found, NextStep)
        if found.kind == kind:  # two steps may have the same words in the library
            assert (found.more, found.facts) == (more, facts)
        assert worded(found, "library") == str(step)
    assert restored("Ask Ada.") == "Ask Ada."
    assert restored(None) is None


@pytest.mark.parametrize(
    "hint",
    ["Run 'jackfield db check'.", "Set JACKFIELD_HOME.", "Choose another folder with --out."],
)
def test_what_is_done_on_the_server_is_said_to_be_its_operators(hint: str) -> None:
    """Text that names a command, an option or a variable is for the operator, and says so to
    everybody else.
    """
    assert worded(hint, "http:invoke") == f"For the operator of this server: {hint}"
    assert worded(hint, "http:operator") == worded(hint, "cli") == hint
    assert (
        worded("Ask the operator for JACKFIELD_HOME.", "http:read")
        == "Ask the operator for JACKFIELD_HOME."
    )
    assert (
        worded("Use well-known names, such as a--b.", "http:read")
        == "Use well-known names, such as a--b."
    )


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant that has a connection, and everybody who calls it."""
    with standing(tmp_path_factory.mktemp("hints"), SETTINGS, clock=SystemClock()) as found:
        storage = found.host.storage
        platform = Client(
            found.port,
            PlatformTokens(storage.database, storage.vault, found.host.clock)
            .create("acme-*", "Shop")
            .text,
        )
        assert platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
        found.clients |= {
            scope: found.client(scope, "acme-1")
            for scope in ("read", "invoke", "manage", "approve")
        }
        found.clients |= {"platform": platform, "operator": found.client("manage")}
        body = {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        for client in (found.clients["manage"], found.clients["operator"]):
            assert client.post("/v1/connections", body).status == 201
        yield found


ECHO = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hi"}}
REQUESTS: list[tuple[str, str, Any, Mapping[str, str]]] = [
    ("POST", "/v1/invocations", {**ECHO, "connector": "ekko"}, {}),
    ("POST", "/v1/invocations", {**ECHO, "action": "sey"}, {}),
    ("POST", "/v1/invocations", {**ECHO, "connection": "hill"}, {}),
    ("POST", "/v1/invocations", {**ECHO, "connection": {"type": "nix", "values": {}}}, {}),
    ("POST", "/v1/invocations", {**ECHO, "inputs": {}}, {}),
    ("POST", "/v1/invocations", {**ECHO, "nonsense": 1}, {}),
    ("POST", "/v1/invocations", b"{", {"Content-Type": "application/json"}),
    ("POST", "/v1/invocations", {**ECHO, "trace": True}, {}),
    ("POST", "/v1/invocations", {**ECHO, "inputs": {"text": {"file": "none"}}}, {}),
    ("POST", "/v1/invocations", ECHO, {"Idempotency-Key": "one"}),
    ("POST", "/v1/invocations", {**ECHO, "inputs": {"text": "Ho"}}, {"Idempotency-Key": "one"}),
    ("GET", "/v1/invocations/none", None, {}),
    ("POST", "/v1/invocations/none/resolve", {"as": "failed"}, {}),
    ("GET", "/v1/connections/none", None, {}),
    (
        "POST",
        "/v1/connections",
        {"name": "hall", "type": "echo/token", "values": {"token": "t"}},
        {},
    ),
    ("POST", "/v1/connections", {"name": "new", "type": "echo/none", "values": {}}, {}),
    (
        "POST",
        "/v1/connections",
        {"name": "new", "type": "echo/token", "values": {"token": "bad"}},
        {},
    ),
    (
        "POST",
        "/v1/connections",
        {"name": "new", "type": "echo/token", "values": {"token": {"$env": "HOME"}}},
        {},
    ),
    ("PUT", "/v1/connections/hall", {"values": {"token": "t"}}, {"If-Match": '"9"'}),
    ("GET", "/v1/connectors/none", None, {}),
    ("GET", "/v1/tokens", None, {}),
    ("DELETE", "/v1/tokens/none", None, {}),
    ("GET", "/v1/schedules/none", None, {}),
    ("GET", "/v1/subscriptions/none", None, {}),
    ("GET", "/v1/oauth-clients/none", None, {}),
    ("GET", "/v1/mcp-servers/none", None, {}),
    ("GET", "/v1/callbacks/none", None, {}),
    ("GET", "/v1/events/none", None, {}),
    ("GET", "/v1/approvals/none", None, {}),
    ("GET", "/v1/deliveries?callback=none", None, {}),
    ("POST", "/v1/callbacks", {"url": "http://127.0.0.1:1/"}, {}),
    ("POST", "/v1/files", b"x", {"Content-Type": "text/plain"}),
    ("GET", "/v1/files/none", None, {}),
    ("PUT", "/v1/workspaces/acme-1", {"allowReferences": "all"}, {}),
    ("GET", "/v1/workspaces/other-1", None, {}),
    ("POST", "/v1/workspaces/acme-1/tokens", {"scope": "approve", "name": "x"}, {}),
    (
        "POST",
        "/v1/workspaces/acme-1/connect-sessions",
        {"types": ["echo/none-such"], "verify": "link"},
        {},
    ),
    (
        "POST",
        "/v1/workspaces/acme-1/connect-sessions",
        {"connection": "hall", "types": ["echo/token"], "verify": "link"},
        {},
    ),
    (
        "POST",
        "/v1/workspaces/acme-1/connect-sessions",
        {"mode": "reauth", "connection": "none", "verify": "link"},
        {},
    ),
    (
        "POST",
        "/v1/workspaces/acme-1/connect-sessions/none:confirm",
        {"proof": "p", "user": "u"},
        {},
    ),
    ("DELETE", "/v1/workspaces/acme-1?purge=true", None, {}),
    ("PATCH", "/v1/audit", {}, {}),
    ("GET", "/v1/nothing", None, {}),
]
"""Requests that are refused, to most callers."""


@pytest.mark.parametrize("caller", ["read", "invoke", "manage", "approve", "platform", "operator"])
def test_refusals_name_what_their_reader_can_do(stand: Stand, caller: str) -> None:
    """Of each refusal that a caller gets, the hint is one that he can follow."""
    told = {}
    for method, path, body, headers in REQUESTS:
        answer = stand.clients[caller].call(method, path, body, **headers)
        document: Any = answer.json if answer.body else {}
        error = (
            document.get("error", document)
            if isinstance(document, dict) and answer.status >= 400
            else {}
        )
        hint = error.get("hint")
        if isinstance(hint, str) and (faults := beyond(hint, caller)):
            told[f"{method} {path} {error.get('code')}"] = (hint, faults)
        if error.get("code") == "scope_missing":
            assert hint
    assert told == {}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_has_a_hint_for_each_caller(code: str, caller: str) -> None:
    """An error of any code shows whoever reads it a step that he can take: those of the steps
    above, and what stands in where a provider's refusal has no hint.
    """
    for hint in (*map(NextStep, _WITHOUT_FACTS), OF_PROVIDERS.get(code), "Run 'jackfield doctor'."):
        if hint is not None:
            shown = CODES[code]("x", hint=hint).to_json(f"http:{caller}")
            assert beyond(shown["hint"], caller) == []


@pytest.mark.parametrize("status", ["expired", "failing", "untested"])
def test_a_platform_is_told_how_its_user_connects_again(status: str) -> None:
    """The list of a tenant's connections names the connect session that cures one whose approval
    has ended.
    """
    step = {"key": "open", "passed": False, "hint": str(NextStep("connect", name="crm"))}
    row = {
        "name": "crm",
        "type": "http/oauth2AuthorizationCode",
        "status": status,
        "lastTest": {"at": "2031-01-31", "steps": [step]},
    }
    hint = connection_health(row)["hint"]
    assert hint == (
        "Have your user connect it again: POST /v1/workspaces/{w}/connect-sessions with the mode "
        "'reauth' and the connection 'crm'."
    )
    assert connection_health({**row, "lastTest": None, "status": "expired"})["hint"] == hint
    readers = [
        worded(NextStep("connect", name="crm"), f"http:{scope}") or ""
        for scope in ("read", "invoke", "manage")
    ]
    assert [("'reauth'" in text, "/v1/connections/crm/authorize" in text) for text in readers] == [
        (True, False)
    ] * 2 + [(True, True)]
    assert (
        connection_health(row, "console")["hint"]
        == "Open the connection's page and choose Connect."
    )
    other = {
        **row,
        "status": "failing",
        "lastTest": {"steps": [{**step, "hint": "Set AWS_REGION."}]},
    }
    assert connection_health(other)["hint"] == "Set AWS_REGION."


def test_a_workspace_reads_hints_in_the_words_of_http(stand: Stand) -> None:
    """Entries and connections show what was stored in the words for the token that reads them."""
    failed = stand.clients["invoke"].post("/v1/invocations", {**ECHO, "inputs": {}})
    identifier = failed.json["meta"]["invocationId"]
    for caller in ("read", "manage"):
        shown = stand.clients[caller].get(f"/v1/invocations/{identifier}").json
        assert (
            shown["error"]["hint"]
            == "GET /v1/connectors/echo/actions/say/schema returns the schema of its inputs."
        )
        listed = stand.clients[caller].get("/v1/invocations?limit=1").json["items"][0]
        assert listed["error"]["hint"] == shown["error"]["hint"]
