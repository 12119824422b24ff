"""Every operation with every kind of token, from the table of routes: who is refused, and who sees
nothing of another workspace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import SCOPES, may
from jackfield_market.catalogue import build
from jackfield_market.repository import create
from jackfield_market.role_keys import default_keys
from jackfield_market.server_installer import ServerInstaller
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.tokens import new_text
from replies import Reply
from sealed_rows import put_workspace, set_token

NOBODY = ("none", "basic", "garbage", "unknown", "expired", "revoked")
BODIES = {
    "Invocation": say("say", text="hello"),
    "Batch": [say("say", "acme", text="hello")],
    "Resolution": {"as": "succeeded"},
    "NewConnection": {"name": "new", "type": "echo/token", "values": {"token": "a-secret"}},
    "DraftConnection": {"type": "echo/token", "values": {"token": "a-secret"}},
    "ConnectionUpdate": {"values": {"token": "a-secret"}},
    "OptionsOver": {},
    "AuthorizationRequest": {},
    "ProviderAnswer": {"state": "made-up"},
    "NewSchedule": {"name": "acme", "invocation": say("say", "acme", text="hello"), "every": "24h"},
    "ScheduleChange": {"every": "12h"},
    "NewSubscription": {"name": "acme", "trigger": "echo/notes", "connection": "acme"},
    "SubscriptionChange": {"then": None},
    "Decision": {},
    "NewToken": {"scope": "read"},
    "NewConnectSession": {"user": "ada", "returnTo": "https://shop.example/"},
    "ConnectConfirmation": {"proof": "made-up", "user": "ada"},
    "WorkspaceSettings": {"keepInputs": True},
    "StateFile": {"workspaces": {}},
    "NewInstallation": {"name": "acme"},
    "UpgradeOptions": {},
    "NewOAuthClient": {"name": "acme", "values": {"clientId": "x", "clientSecret": "a-secret"}},
    "OAuthClientUpdate": {"values": {"clientSecret": "a-secret"}},
    "NewMcpServer": {"name": "acme", "url": "ftp://mcp.acme.example/"},
    "McpAcceptance": {},
    "McpOverlay": {"actions": {"acme": {"effect": "read"}}},
    "NewCallback": {"url": "https://93.184.215.14/"},
    "CallbackUpdate": {"description": "x"},
    "CallbackRotation": {},
    "CallbackRecovery": {"since": "1d"},
    "*/*": b"a file",
}


@dataclass
class Scene:
    """A server with a connection and an invocation in ``default``, and clients with tokens of every
    kind.
    """

    stand: Stand
    clients: dict[str, Client]
    invocation: str
    file: str = ""

    def _mend(self) -> None:
        """Put back what operations may have changed."""
        self.clients["manage"].post(
            "/v1/connections",
            {"name": "acme", "type": "echo/token", "values": {"token": "a-secret"}},
        )
        self.clients["manage"].call("DELETE", "/v1/connections/new")
        self.file = self.clients["manage"].post("/v1/files", b"ours").json["file"]
        self.clients["platform"].call("PUT", "/v1/workspaces/tenant-1", {"suspended": False})

    def call(self, operation: Operation, kind: str) -> Reply:
        """The operation, on what belongs to ``default``, with a token of that kind."""
        if not self.file:
            self._mend()
        names = {
            "w": "tenant-1",
            "name": "acme",
            "id": self.invocation,
            "file": self.file,
            "recipient": "ada@example.com",
            "client": "acme",
            "server": "acme",
            "key": "echo",
            "action": "say",
            "source": "voices",
            "link": "x",
            "path": "x",
        }
        body = BODIES[operation.body] if operation.body else None
        headers = {"Authorization": "Basic abc"} if kind == "basic" else {}
        answer = self.clients[kind].call(
            operation.method, operation.path.format(**names), body, **headers
        )
        if operation.method != "GET" and answer.status not in (401, 403):
            self.file = ""  # to be put back
        return answer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all of them."""
    folder = tmp_path_factory.mktemp("matrix")
    site = str(folder / "site")
    (folder / "dist").mkdir()
    create(site, default_keys(site), datetime.now(UTC))
    build(str(folder / "dist"), site, default_keys(site))
    installer = partial(ServerInstaller, str(folder / "home"), (f"file://{site}",))
    with standing(folder, replace(SETTINGS, installer=installer)) as stand:
        storage, clock = stand.host.storage, stand.host.clock
        Workspaces(storage.database, storage.vault, clock).create("other")
        tokens = Tokens(storage.database, storage.vault, "default", clock)
        clients: dict[str, Client] = {scope: stand.client(scope) for scope in SCOPES}
        for kind, pattern in (("platform", "tenant-*"), ("foreign", "another-*")):
            made = PlatformTokens(storage.database, storage.vault, clock).create(pattern)
            clients[kind] = Client(stand.port, made.text)
        clients |= {"judge": stand.client("approve", "other")}
        clients |= {
            "other": stand.client("manage", "other"),
            "none": Client(stand.port),
            "basic": Client(stand.port),
        }
        clients |= {
            "garbage": Client(stand.port, "x' OR 1=1 --"),
            "unknown": Client(stand.port, new_text()),
        }
        expired = tokens.create("manage", expires_at=clock.time() + 3600)
        set_token(storage, expired.token.id, "expires_at = 1")
        revoked = tokens.create("manage")
        tokens.revoke(revoked.token.id)
        clients |= {
            "expired": Client(stand.port, expired.text),
            "revoked": Client(stand.port, revoked.text),
        }
        invocation = (
            clients["manage"]
            .invoke("post", text="hello", fault={"kind": "reset"})
            .json["meta"]["invocationId"]
        )
        yield Scene(stand, clients, invocation)


GUARDED = [operation for operation in OPERATIONS if operation.scope is not None]


def test_nobody_comes_in(scene: Scene) -> None:
    """Without a token that is good now the answer is 401, says how to sign in, and is the same
    whatever is wrong with the token.
    """
    found = {}
    for operation, kind in product(GUARDED, NOBODY):
        answer = scene.call(operation, kind)
        scheme = answer.headers.get("www-authenticate", "").startswith("Bearer")
        known = "missing" if kind in ("none", "basic") else "unknown, expired or revoked"
        found[operation.name, kind] = (
            answer.status,
            answer.headers["content-type"],
            scheme,
            known.encode() in answer.body,
        )
    assert found == dict.fromkeys(found, (401, "application/problem+json", True, True))


def test_scopes_decide(scene: Scene) -> None:
    """A scope that is too narrow is 403; one that is wide enough is not."""
    wrong = []
    for operation, scope in product(GUARDED, [*SCOPES, "platform"]):
        answer = scene.call(operation, scope)
        assert operation.scope is not None
        if may(scope, operation.scope):
            is_right = answer.status not in (401, 403) and answer.status < 500
        else:
            is_right = (answer.status, answer.headers["content-type"]) == (
                403,
                "application/problem+json",
            )
            is_right = is_right and f"the scope '{operation.scope}'" in answer.json["detail"]
        wrong += [] if is_right else [(operation.name, scope, answer.status, answer.body)]
    assert wrong == []


def test_answers_are_as_the_document_says(scene: Scene) -> None:
    """Each operation answers with a status, a kind of content and a body that ``/openapi.json`` has
    for it, if it does what it is asked for, and if its body is no JSON.
    """
    document = scene.clients["none"].get("/openapi.json").json
    wrong = []
    for operation in OPERATIONS:
        kind = "platform" if operation.scope == "platform" else "manage"
        answers = [scene.call(operation, kind)]
        if operation.body not in (None, "*/*"):
            path = re.sub(r"\{\w+\}", "acme", operation.path)
            answers.append(
                scene.clients[kind].call(
                    operation.method, path, b"{", Content_Type="application/json"
                )
            )
        told = document["paths"][operation.path][operation.method.lower()]["responses"]
        wrong += [
            (operation.name, answer.status, fault)
            for answer in answers
            if (fault := _undocumented(document, told, answer))
        ]
    assert not wrong, wrong


def _undocumented(document: Any, told: Any, answer: Reply) -> str | None:
    if str(answer.status) not in told:
        return "the status"
    found = told[str(answer.status)]
    contents = (
        document["components"]["responses"][found["$ref"].rpartition("/")[2]]
        if "$ref" in found
        else found
    ).get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not answer.body or "*/*" in contents:
        return None
    if kind not in contents:
        return f"the content type {kind!r}"
    if not kind.endswith("json"):
        return None
    faults = _validator(
        json.dumps({**contents[kind]["schema"], "components": document["components"]})
    ).iter_errors(answer.json)
    return next((f"{error.instance_path}: {error.message[:200]}" for error in faults), None)


@lru_cache(100)
def _validator(schema: str) -> Any:
    return jsonschema_rs.Draft202012Validator(json.loads(schema), validate_formats=True)


def test_some_things_need_no_token(scene: Scene) -> None:
    """Probes and the API's own description answer anyone; a browser that goes to a provider, or
    comes back from it, and a provider that sends a webhook must know a secret.
    """
    open_to_all = [item for item in OPERATIONS if item.scope is None]
    found = {
        (item.name, kind): scene.call(item, kind).status
        for item, kind in product(open_to_all, ("none", "garbage", "other"))
    }
    secret = {
        "authorizationCallback": 400,
        "startAuthorization": 400,
        "receiveHook": 404,
        "answerHook": 404,
        "allowHook": 404,
        "showClientMetadata": 404,
    }
    assert found == {(name, kind): secret.get(name, 200) for name, kind in found}


OWNED = [
    item
    for item in GUARDED
    if any(name in item.path for name in ("{name}", "{id}", "{file}", "{w}", "{client}"))
]


def test_things_of_another_workspace_are_not_there(scene: Scene) -> None:
    """What belongs to another workspace is 404, told like what never was."""
    found = {}
    for operation in OWNED:
        theirs = scene.call(
            operation,
            {"platform": "foreign", "approve": "judge"}.get(operation.scope or "", "other"),
        )
        found[operation.name] = (
            theirs.status,
            theirs.headers["content-type"],
            b"a-secret" in theirs.body,
        )
    assert found == dict.fromkeys(found, (404, "application/problem+json", False))


@pytest.mark.parametrize("path", ["/v1/connections", "/v1/files", "/v1/invocations"])
def test_lists_show_the_own_workspace_only(scene: Scene, path: str) -> None:
    """A list of another workspace has nothing of ours."""
    scene.call(OPERATIONS[0], "manage")
    assert scene.clients["read"].get(path).json["items"]
    assert scene.clients["other"].get(path).json["items"] == []


def test_metrics_are_the_operators(scene: Scene) -> None:
    """The counters are of all workspaces, so only a token of ``default`` reads them."""
    assert scene.clients["read"].get("/metrics").status == 200
    assert scene.clients["other"].get("/metrics").status == 403


def test_m3_names_that_callers_make_up_are_no_labels(scene: Scene) -> None:
    """An action that is not installed counts as ``unknown``, as a connector does: nobody makes
    series grow.
    """
    for connector, action in (("echo", "rnd1234"), ("rnd5678", "say")):
        scene.clients["invoke"].post(
            "/v1/invocations", {"connector": connector, "action": action, "inputs": {}}
        )
    told = scene.clients["read"].get("/metrics").body.decode()
    assert "rnd" not in told
    assert 'jackfield_invocations_total{action="unknown",connector="echo",status="failed"}' in told


def test_files_belong_to_their_workspace(scene: Scene) -> None:
    """A file's id means nothing in another workspace."""
    file = scene.clients["manage"].post("/v1/files", b"ours").json["file"]
    ours = scene.clients["manage"].invoke("say", text="x", picture={"file": file})
    theirs = scene.clients["other"].invoke("say", text="x", picture={"file": file})
    assert ours.json["status"] == "succeeded"
    assert (theirs.status, theirs.json["error"]["code"]) == (422, "invalid_input")
    assert theirs.json["error"]["details"][0]["path"] == "/picture/file"


def test_a_workspace_of_any_name_is_one_of_its_own(tmp_path: Path) -> None:
    """Names that are awkward in folders and addresses, among them some of before they were refused:
    each workspace has its own connections, files and invocations, and the files stay in their
    folder.
    """
    new, old = [".hidden", "-x", "a..b", "CON", "0", "x" * 100], [".", "..", "_"]
    names = [*new, *old]
    with standing(tmp_path, SETTINGS) as stand:
        storage = stand.host.storage
        for name in new:
            Workspaces(storage.database, storage.vault, stand.host.clock).create(name)
        for name in old:
            put_workspace(storage.database, storage.vault, name, {})
        clients = {name: stand.client(workspace=name) for name in names}
        files = {
            name: client.post("/v1/files", name.encode()).json["file"]
            for name, client in clients.items()
        }
        for client in clients.values():
            assert (
                client.post(
                    "/v1/connections",
                    {"name": "hall", "type": "echo/token", "values": {"token": "t"}},
                ).status
                == 201
            )
        for name, client in clients.items():
            said = client.post(
                "/v1/invocations", say("say", "hall", text="x", picture={"file": files[name]})
            )
            assert said.status == 200, said.body
            assert len(client.get("/v1/invocations").json["items"]) == 1
            other = files[names[names.index(name) - 1]]
            assert client.invoke("say", text="x", picture={"file": other}).status == 422
    home = tmp_path / "home"
    assert len(list((home / "files").iterdir())) == len(names)
    assert not list(home.glob("file_*")) + list((home / "files").glob("file_*"))
