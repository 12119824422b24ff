"""A webhook's URL that is the only proof of who sends: a secret to everybody who could not run what
its events start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.jackfield_service.shell.pages.console_client import Client as Browser

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers import Rules, Scope
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation
from jackfield_store.access import Tokens
from jackfield_store.access.platform_tokens import PlatformTokens
from mcp_talk import call_of, message
from plugboard import make_connector, plugged
from waiting import until

SOURCE = '''
from jackfield.connector import Connector, Hook, HookRequest, Inputs, Output, Received, SecretPath, Signature, TriggerEvent

connector = Connector("gate", title="Gate", version="1.0.0", connections=[])


class Watch(Inputs):
    """What to watch."""


class Passed(Output):
    """Somebody has passed."""

    who: str


def receive(request: HookRequest, hook: Hook) -> Received:
    """Who has passed."""
    return Received([TriggerEvent(Passed(**request.json()), request.json()["who"])])


def custom(request, hook):
    """Nothing."""


connector.webhook("open", verify=SecretPath(), inputs=Watch, event=Passed).receive(receive)
connector.webhook("custom", verify=custom, inputs=Watch, event=Passed).receive(receive)
connector.webhook("signed", verify=Signature("x-signature"), inputs=Watch, event=Passed).receive(receive)
'''
TRIGGERS = ("open", "custom", "signed")
READERS = (
    "read",
    "invoke",
    "reader with rules",
    "platform",
    "without the action",
    "other connection",
)
"""Tokens that must not learn the URL; the last two are of the scope ``manage``, and their rules
forbid what the events start.
"""
STEPS = ("enable", "disable", "test")


@dataclass
class Scene:
    """A server with a subscription of each trigger, whose events start an action, and a client for
    each kind of token.
    """

    stand: Stand
    clients: dict[str, Client]
    paths: dict[str, str]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all of them."""
    folder: Path = tmp_path_factory.mktemp("urls")
    make_connector(folder / "packages", "gate", SOURCE)
    with plugged(folder / "packages"), standing(folder, SETTINGS) as stand:
        storage, clock = stand.host.storage, stand.host.clock
        tokens = Tokens(storage.database, storage.vault, "default", clock)
        rules = {
            "reader with rules": "gate/*",
            "without the action": "gate/*",
            "other connection": "gate/*, echo/* & connection:other",
        }

        def token(kind: str, scope: Scope) -> Client:
            allow = rules.get(kind)
            return Client(
                stand.port,
                tokens.create(
                    scope, kind, Rules(allow=tuple(allow.split(", "))) if allow else None
                ).text,
            )

        clients = {
            "read": token("read", "read"),
            "invoke": token("invoke", "invoke"),
            "manage": token("manage", "manage"),
        }
        clients |= {"reader with rules": token("reader with rules", "read")}
        clients |= {kind: token(kind, "manage") for kind in READERS[-2:]}
        platform = PlatformTokens(storage.database, storage.vault, clock).create(
            "default*", "The Shop"
        )
        clients["platform"] = Client(stand.port, platform.text)
        manage, paths = clients["manage"], {}
        assert (
            manage.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "s3cret"}},
            ).status
            == 201
        )
        then = {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": {"$event": "/data/payload/who"}},
        }
        for trigger in TRIGGERS:
            made = manage.post(
                "/v1/subscriptions", {"name": trigger, "trigger": f"gate/{trigger}", "then": then}
            )
            assert made.status == 201, made.body
            paths[trigger] = urlsplit(made.json["url"]).path
        yield Scene(stand, clients, paths)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("trigger", ["open", "custom"])
def test_a_secret_url_is_shown_to_nobody_who_could_not_run_it(
    scene: Scene, kind: str, trigger: str
) -> None:
    """No answer of the API to these tokens has the URL: the subscription is not theirs to see, or
    its URL is ``***``.
    """
    client, secret = scene.clients[kind], scene.paths[trigger].rsplit("/", 1)[1].encode()
    answers = [
        client.get(f"/v1/subscriptions/{trigger}"),
        client.get("/v1/subscriptions"),
        client.get("/v1/events"),
        client.get("/v1/audit"),
    ]
    answers += [
        client.get("/v1/audit"),
        *(client.post(f"/v1/subscriptions/{trigger}:{step}") for step in STEPS),
    ]
    assert not any(secret in answer.body for answer in answers)
    if kind in ("read", "invoke"):
        assert answers[0].json["url"] == "***"
    else:
        assert answers[0].status in (403, 404)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("step", [*STEPS, "remove"])
def test_what_events_start_is_part_of_every_question(scene: Scene, kind: str, step: str) -> None:
    """Who may not run the action neither enables, disables, removes nor tests the subscription; a
    token below ``manage`` does not in any case, apart from its samples.
    """
    path = "/v1/subscriptions/open"
    answer = (
        scene.clients[kind].call("DELETE", path)
        if step == "remove"
        else scene.clients[kind].post(f"{path}:{step}")
    )
    allowed = step == "test" and kind in ("read", "invoke")
    assert answer.status == 200 if allowed else answer.status in (403, 404)
    assert scene.clients["manage"].get(path).json["status"] != "paused"


@pytest.mark.parametrize("scope", ["read", "invoke"])
def test_the_console_hides_a_secret_url(scene: Scene, scope: str) -> None:
    """The page of the subscription says that the URL is hidden, and from whom; the URL of a signed
    webhook is shown.
    """
    browser = Browser(build_app(scene.stand.host, mounts()))
    assert browser.change("/login", "/login", token=str(scene.clients[scope].token)).status == 200
    for trigger in TRIGGERS:
        page = browser.get(f"/subscriptions/{trigger}")
        assert page.status == 200
        shown = scene.paths[trigger] in page.text
        assert (shown, "It is hidden" in page.text) == (trigger == "signed", trigger != "signed")


def test_who_manages_sees_each_url(scene: Scene) -> None:
    """A token of the scope ``manage`` without rules sees all of them, and those that are signed are
    no secret to any reader.
    """
    for trigger, path in scene.paths.items():
        assert (
            urlsplit(scene.clients["manage"].get(f"/v1/subscriptions/{trigger}").json["url"]).path
            == path
        )
    assert (
        urlsplit(scene.clients["read"].get("/v1/subscriptions/signed").json["url"]).path
        == scene.paths["signed"]
    )


def test_the_url_runs_the_action(scene: Scene) -> None:
    """What the URL is worth: whoever posts to it starts the action with the rights of who added the
    subscription.
    """
    body = json.dumps({"who": "eve"}).encode()
    answer = Client(scene.stand.port).call(
        "POST", scene.paths["open"], body, Content_Type="application/json"
    )
    assert answer.status == 200
    # what it starts has ended then
    until(lambda: scene.clients["manage"].get("/v1/subscriptions/open").json["status"] == "active")


_NAMES = {"w": "default", "key": "gate", "trigger": "gate/open"}


def _path(operation: Operation) -> str:
    """The operation's path, which names the subscription wherever it can."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: _NAMES.get(found[1], "open"), operation.path)


@pytest.mark.parametrize("kind", READERS)
def test_no_operation_gives_a_secret_url_away_or_uses_it(scene: Scene, kind: str) -> None:
    """Each operation of the API that needs a token, and each tool of MCP, called as if it concerned
    the subscription: no answer has the secret, in its body or a header field, and nothing was
    started over it.
    """
    client, manage = scene.clients[kind], scene.clients["manage"]
    secrets = [scene.paths[trigger].rsplit("/", 1)[1].encode() for trigger in ("open", "custom")]
    before = len(manage.get("/v1/invocations?limit=200").json["items"])
    statuses = [manage.get(f"/v1/subscriptions/{trigger}").json["status"] for trigger in TRIGGERS]
    operations = [operation for operation in OPERATIONS if operation.scope is not None]
    answers = [
        (
            one.name,
            client.call(
                one.method, _path(one), {} if one.method in ("POST", "PUT", "PATCH") else None
            ),
        )
        for one in operations
    ]
    tools = client.post("/mcp", message("tools/list"))
    answers += [("tools/list", tools)]
    names = [tool["name"] for tool in tools.json["result"]["tools"]] if tools.status == 200 else []
    answers += [
        (name, client.post("/mcp", call_of(name, name="open", connector="gate", connection="hall")))
        for name in names
    ]
    told = [
        name
        for name, answer in answers
        for secret in secrets
        if secret in answer.body + str(answer.headers).encode()
    ]
    assert (len(answers) > 80, told) == (True, [])
    assert len(manage.get("/v1/invocations?limit=200").json["items"]) == before
    assert [
        manage.get(f"/v1/subscriptions/{trigger}").json["status"] for trigger in TRIGGERS
    ] == statuses
