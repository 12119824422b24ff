"""A token with rules against everything there is: each operation of the OpenAPI document, each MCP
tool, each page of the console.

The cases are made from what the server itself lists, so that an endpoint, a tool or a page without
a case fails here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client as Browser

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import Rules
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.http.resources import operations as operations_of
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.pages.app import routes
from mcp_talk import call_of, message

_CONNECTORS = (
    "echo_",
    *(f"{path.name}_" for path in (Path(__file__).parents[3] / "connectors").iterdir()),
)
RULES = Rules(allow=("echo/say & connection:hall",))
"""What the clerk may do: one action over one connection. Everything else that there is must stay
hidden from them.
"""
MARKS = (
    "zanzibar",
    "attic-of-echo",
    "sayLater",
    "Say Later",
    "Post a Note",
    "Amazon SES",
    "listIdentities",
    "List Identities",
    "treasurer",
)
"""Words that stand in the workspace and that the clerk must not read."""
NOBODYS_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass(frozen=True)
class World:
    """What a path or a body names. ``twin`` names the same with something in it that is nowhere."""

    name: str = "hall"
    id: str = ""
    key: str = "echo"
    action: str = "say"
    source: str = "voices"
    file: str = "file_" + "x" * 22
    twin: World | None = None

    def names(self) -> dict[str, str]:
        """The values by the names that paths have."""
        return {
            member: getattr(self, member)
            for member in ("name", "id", "key", "action", "source", "file")
        }


@dataclass(frozen=True)
class Case:
    """How one operation is called; ``{name}`` and the like are filled in. ``seen`` is what is
    answered for what the clerk may see.
    """

    seen: int
    body: Any = None
    query: str = ""
    shows: str = ""


RESOURCES = [one for module in surfaces("subject") for one in module.RESOURCES]
INVOCATION = {
    "connector": "{key}",
    "action": "{action}",
    "connection": "{name}",
    "inputs": {"text": "x"},
}
VALUES = {"token": "t-4711"}
API: Mapping[str, Case] = {
    "invoke": Case(200, INVOCATION),
    "batch": Case(202, [INVOCATION], shows="invocationId"),
    "listInvocations": Case(200, shows="hall"),
    "showInvocation": Case(200, shows="hall"),
    "cancelInvocation": Case(409, {}),
    "resolveInvocation": Case(409, {"as": "failed"}),
    **dict.fromkeys(("lookForInvocation", "askInvocation", "redriveInvocation"), Case(409)),
    "showQueue": Case(403),
    **dict.fromkeys(("showApproval", "approveCall", "declineCall"), Case(404, {})),
    "listConnectors": Case(200, shows="echo"),
    "showConnector": Case(200, shows='"say"'),
    "showAction": Case(200, query="?connection={name}", shows="verdict"),
    "showSchema": Case(200, shows="text"),
    "listOptions": Case(200, {}, shows="alto"),
    "searchActions": Case(200, shows='"say"'),
    **dict.fromkeys(("listTriggers", "listEvents", "listFiles"), Case(200)),
    "listConnectionTypes": Case(200, shows="echo/token"),
    "listConnections": Case(200, shows="hall"),
    "createConnection": Case(409, {"name": "{name}", "type": "echo/token", "values": VALUES}),
    "testDraft": Case(200, {"name": "{name}", "type": "echo/token", "values": VALUES}),
    "showConnection": Case(200, shows="hall"),
    "replaceConnection": Case(200, {"values": VALUES}),
    "removeConnection": Case(412),
    "testConnection": Case(200, shows="hall"),
    "showPolicy": Case(422),
    "authorizeConnection": Case(422, {}),
    **dict.fromkeys(("showExchanges", "showAuthorization"), Case(404)),
    "completeAuthorization": Case(404, {"state": "made-up"}),
    **{
        one.name: Case(403, {} if one.body else None)
        for noun in RESOURCES
        if noun.unruled
        for one in operations_of(noun)
    },
    "listSchedules": Case(200, shows="hall"),
    "createSchedule": Case(409, {"name": "hall", "invocation": INVOCATION, "every": "24h"}),
    "showSchedule": Case(200, shows="hall"),
    "changeSchedule": Case(200, {"every": "12h"}),
    **dict.fromkeys(("pauseSchedule", "resumeSchedule"), Case(200)),
    "runSchedule": Case(202, shows="queued"),
    "nextSlots": Case(200, shows="slot"),
    "listSlots": Case(200, shows="invocationId"),
    "removeSchedule": Case(204),
    **dict.fromkeys(("listSubscriptions", "listApprovals"), Case(200)),
    "createSubscription": Case(
        403, {"name": "hall", "trigger": "echo/notes", "connection": "{name}"}
    ),
    **dict.fromkeys(
        (f"{verb}Subscription" for verb in ("show", "enable", "disable", "test", "remove")),
        Case(404),
    ),
    "changeSubscription": Case(404, {}),
    "showEvent": Case(404),
    "uploadFile": Case(201, b"a file"),
    "downloadFile": Case(404),
    "deleteFile": Case(404),
    "listInstallations": Case(403),
    "listAvailable": Case(403),
    "listOutdated": Case(403),
    "installConnector": Case(403, {"name": "acme"}),
    "upgradeConnector": Case(403, {}),
    "removeConnector": Case(403),
    "listAudit": Case(403),
    "listTokens": Case(403),
    "createToken": Case(403, {"scope": "manage"}),
    "revokeToken": Case(403),
    "metrics": Case(403),
    **{
        name: Case(403, body)
        for name, body in (("exportState", None), ("planState", {}), ("applyState", {}))
    },
}
PUBLIC = {
    "health",
    "readiness",
    "openapi",
    "asyncapi",
    "docs",
    "authorizationCallback",
    "startAuthorization",
    "receiveHook",
    "allowHook",
    "answerHook",
    "showClientMetadata",
}
"""Operations that need no token, and so tell the clerk what they tell anybody: what is installed,
nothing of a workspace.
"""
CALLS = {
    "invoke",
    "createConnection",
    "testDraft",
    "replaceConnection",
    "removeConnection",
    "testConnection",
    "revokeToken",
    "resendDelivery",
    "upgradeConnector",
    "removeConnector",
    "batch",
    "authorizeConnection",
    "createSchedule",
    "createSubscription",
    "showCallback",
    "changeCallback",
    "removeCallback",
    "rotateCallback",
    "testCallback",
    "recoverCallback",
    "showDelivery",
}
"""Operations that would use or change what they name: refused by its name, be it there or not."""

PAGES: Mapping[tuple[str, str], Case] = {
    ("GET", "/"): Case(200, shows="Overview"),
    ("GET", "/connectors"): Case(200, query="?q=say", shows="Say"),
    ("GET", "/connectors/{key}"): Case(200, shows="Say"),
    ("GET", "/connectors/{key}/actions/{action}"): Case(200, query="?again={id}", shows="Say"),
    ("POST", "/connectors/{key}/actions/{action}/code"): Case(
        200, {"invocation": json.dumps({"connection": "hall"})}
    ),
    ("POST", "/connectors/{key}/actions/{action}/run"): Case(
        200,
        {"invocation": '{"connection": "{name}", "inputs": {"text": "x"}}', "mode": "run"},
        shows="Succeeded",
    ),
    ("GET", "/connectors/{key}/options/{source}"): Case(
        200, query="?connection={name}", shows="alto"
    ),
    ("GET", "/connections"): Case(200, shows="hall"),
    ("POST", "/connections"): Case(
        200,
        {"name": "{name}", "type": "echo/token", "values": json.dumps(VALUES), "how": "untested"},
    ),
    ("GET", "/new-connection"): Case(200, query="?type={key}/token", shows="Token"),
    ("GET", "/connections/{name}"): Case(200, shows="hall"),
    ("POST", "/connections/{name}/authorization"): Case(303, {"flow": "redirect"}),
    ("GET", "/connections/{name}/authorization/{id}"): Case(404),
    ("POST", "/connections/{name}/values"): Case(
        303, {"values": json.dumps(VALUES), "how": "untested"}
    ),
    **{("POST", f"/connections/{{name}}/{step}"): Case(303, {}) for step in ("test", "removal")},
    ("POST", "/connections/{name}/guard"): Case(403, {}),
    ("GET", "/suppressions"): Case(403),
    ("POST", "/suppressions/removal"): Case(403, {"recipient": "ada@example.com"}),
    ("GET", "/connections/{name}/doctor"): Case(200, shows="hall"),
    ("POST", "/connections/{name}/doctor"): Case(200, {}),
    ("POST", "/connections/{name}/name"): Case(403, {"new": "zanzibar-of-mine"}),
    ("POST", "/connections/{name}/quotas"): Case(
        400, {"count": "0", "per": "day"}, shows="above 0"
    ),
    ("GET", "/invocations"): Case(200, shows="hall"),
    ("GET", "/invocations/export"): Case(200, query="?kind=jsonl", shows="hall"),
    ("POST", "/invocations/selection"): Case(
        200, {"step": "again", "sure": "0" * 16, "pick-{id}": "on"}, shows="not done"
    ),
    ("POST", "/queue/dead-letters/selection"): Case(
        200, {"step": "redrive", "sure": "0" * 16, "pick-{id}": "on"}, shows="not done"
    ),
    ("POST", "/connections/selection"): Case(
        200, {"step": "remove", "pick-{name}": "on"}, shows="Selected"
    ),
    ("POST", "/tokens/selection"): Case(
        200, {"step": "revoke", "sure": "0" * 16, "pick-x": "on"}, shows="not done"
    ),
    ("GET", "/invocations/{id}"): Case(200, shows="hall"),
    ("POST", "/invocations/{id}/cancel"): Case(303, {}),
    ("POST", "/invocations/{id}/resolve"): Case(303, {"as": "failed"}),
    ("POST", "/invocations/{id}/ask"): Case(409, {}),
    ("POST", "/connectors/{key}/trial"): Case(422, {}),
    **{
        ("POST", f"/invocations/{{id}}/{step}"): Case(303, {"as": "declined"})
        for step in ("redrive", "approval", "look")
    },
    **{
        ("GET", at): Case(200, shows=title)
        for at, title in (("/queue/dead-letters", "Dead letters"), ("/doubts", "In doubt"))
    },
    **{
        ("POST", at): Case(status, {})
        for at, status in (("/files/{file}/removal", 303), ("/uploads", 201))
    },
    **{
        ("GET", f"/schedules{at}"): Case(200, shows="hall")
        for at in ("", "/{name}", "/{name}/edit")
    },
    ("POST", "/schedules"): Case(
        400,
        {"name": "{name}", "runs": "cron", "cron": "7", "connector": "{key}", "action": "{action}"},
    ),
    ("GET", "/new-schedule"): Case(
        200, query="?connector={key}&action={action}&connection={name}", shows="say"
    ),
    ("GET", "/new-batch"): Case(200, query="?connector={key}&action={action}", shows="say"),
    **{
        ("POST", f"/new-{at}"): Case(200, {"connector": "{key}", "action": "{action}"}, shows="say")
        for at in ("batch", "schedule")
    },
    **{
        ("POST", f"/schedules/{{name}}/{at}"): Case(
            404 if at == "{step}" else 400, {"runs": "cron"}
        )
        for at in ("{step}", "edit")
    },
    **{
        ("GET", f"/{at}"): Case(200, shows=at.capitalize())
        for at in ("approvals", "files", "queue", "subscriptions")
    },
    ("POST", "/subscriptions"): Case(
        404, {"name": "{name}", "trigger": "{key}/{action}", "connection": "{name}", "inputs": "{}"}
    ),
    ("GET", "/new-subscription"): Case(404, query="?trigger={key}/{action}"),
    **{("POST", f"/subscriptions/{{name}}/{step}"): Case(404, {}) for step in ("{step}", "edit")},
    ("GET", "/subscriptions/{name}/edit"): Case(404),
    ("POST", "/callbacks"): Case(403, {"url": "https://example.com/"}),
    ("POST", "/callbacks/{id}/{step}"): Case(404, {}),
    **{("POST", f"/deliveries/{at}/resend"): Case(403, {}) for at in ("{id}", "dead")},
    ("GET", "/mcp-servers/{server}"): Case(403),
    **{
        ("GET", f"/platforms/{{platform}}/{at}"): Case(403)
        for at in ("callbacks", "callbacks/{id}", "deliveries", "deliveries/{id}")
    },
    **{
        ("POST", f"/platforms/{{platform}}/deliveries/{at}/resend"): Case(403, {})
        for at in ("{id}", "dead")
    },
    ("POST", "/platforms/{platform}/callbacks"): Case(403, {}),
    ("POST", "/platforms/{platform}/callbacks/{id}/{step}"): Case(404, {}),
    **{
        ("POST", f"/mcp-servers/{{server}}/{at}"): Case(403, {})
        for at in ("review", "acceptance", "overlay", "removal")
    },
    **{
        ("POST", at): Case(403, {})
        for at in (
            "/mcp-servers",
            *(f"/oauth-clients{one}" for one in ("", "/{client}", "/{client}/removal")),
        )
    },
    ("GET", "/tokens"): Case(200, shows="clerk"),
    **{("POST", f"/tokens{at}"): Case(403, {"scope": "manage"}) for at in ("", "/{id}/revocation")},
    **{
        ("GET", f"/tenants{at}"): Case(403)
        for at in ("", "/{w}", "/{w}/usage", "/{w}/connect-sessions")
    },
    ("GET", "/shared-settings"): Case(403),
    ("POST", "/shared-settings"): Case(403, {}),
    **{
        ("POST", f"/tenants{at}"): Case(403, {})
        for at in ("", "/{w}/switch", "/{w}/connect-sessions", "/{w}/{step}")
    },
    **{
        ("POST", f"/tenants/{{w}}/{at}/{{id}}/revocation"): Case(403, {})
        for at in ("connect-sessions", "tokens")
    },
    **{
        ("POST", f"/marketplace/{{key}}/{step}"): Case(403, {})
        for step in ("installation", "upgrade", "version", "removal")
    },
    **{
        ("GET", at): Case(403)
        for at in (
            "/marketplace",
            "/marketplace/{key}",
            "/callbacks",
            "/callbacks/{id}",
            "/audit",
            "/audit/export",
        )
    },
    **{
        ("GET", at): Case(403)
        for at in (
            "/deliveries",
            "/deliveries/{id}",
            "/oauth-clients",
            "/oauth-clients/{client}",
            "/mcp-servers",
        )
    },
    **{
        ("GET", at): Case(404)
        for at in (
            "/connected",
            "/files/{file}",
            "/subscriptions/{name}",
            "/subscriptions/{name}/events",
        )
    },
    **{("GET", at): Case(200) for at in ("/workspace", "/workspaces", "/schedule-times")},
    **{
        ("POST", at): Case(status, {})
        for at, status in (("/workspace", 403), ("/workspaces/{w}", 404))
    },
    ("GET", "/connectors/{key}/actions/{action}/output"): Case(200, shows="tries"),
    ("GET", "/workspace/actions"): Case(200, query="?call=say", shows="echo/say"),
    ("GET", "/workspace/verdict"): Case(
        200, query="?call={key}/{action}&connection={name}", shows="allowed"
    ),
}
OUTSIDE = {
    *(
        ("GET", f"/{p}")
        for p in (
            "login",
            "login/session",
            "login/done",
            "connect.js",
            "assets/{digest}/{name:path}",
            "{path:path}",
        )
    ),
    ("POST", "/login"),
    ("POST", "/logout"),
    *(
        ("GET", f"/connect/{at}")
        for at in ("{link}/state", "session/{id}/state", "session/{id}/template")
    ),
    *(
        (how, f"/connect/{at}")
        for how in ("GET", "POST")
        for at in ("{link}", "session/{id}", "session/{id}/start/{start}")
    ),
}
"""Pages before the sign-in, that of an address of nothing, and those of people whom a link lets in:
test_http_connect_attacks.py.
"""

TOOLS: Mapping[str, Mapping[str, Any]] = {
    "search_actions": {},
    "get_action_guide": {"connector": "{key}", "action": "{action}"},
    "list_connections": {"connector": "{key}"},
    "execute_action": INVOCATION,
    "read_events": {},
    "read_result": {"file": "file_of-nobody"},
}


@dataclass
class Scene:
    """A workspace with a few things of each kind, and the clerk, who may see few of them."""

    stand: Stand
    admin: Client
    clerk: Client
    worlds: dict[str, World]
    treasurer: str
    count: int = 0

    def state(self) -> Any:
        """Everything hidden, as the administrator sees it."""
        hidden = [
            self.admin.get(f"/v1/connections/{name}").json for name in ("zanzibar", "attic-of-echo")
        ]
        entries = [
            self.admin.get(f"/v1/invocations/{world.id}").json
            for key, world in self.worlds.items()
            if key.startswith("entry")
        ]
        tokens = self.stand.tokens()
        names = sorted(row["name"] for row in self.admin.get("/v1/connections").json["items"])
        rules = self.stand.workspaces.find("default").settings
        return (
            hidden,
            entries,
            tokens.find(self.treasurer).revoked_at,
            [name for name in names if name != "hall"],
            rules,
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for the whole matrix."""
    settings = replace(SETTINGS, mcp_tools="all")
    with standing(tmp_path_factory.mktemp("matrix"), settings) as stand:
        admin = stand.client(name="treasurer")
        clerk = stand.client("manage approve", rules=RULES, name="clerk")
        for name in ("hall", "zanzibar", "attic-of-echo"):
            assert (
                admin.post(
                    "/v1/connections", {"name": name, "type": "echo/token", "values": VALUES}
                ).status
                == 201
            )
        for name in ("hall", "zanzibar"):
            made = admin.post(
                "/v1/schedules",
                {"name": name, "invocation": say("say", name, text="x"), "every": "24h"},
            )
            assert made.status == 201
        ran = admin.post("/v1/invocations", say("say", "hall", text="x")).json["meta"][
            "invocationId"
        ]
        elsewhere = admin.post(
            "/v1/invocations", say("say", "zanzibar", text="x", fault={"kind": "rejected"})
        ).json["meta"]["invocationId"]
        doubt = admin.post(
            "/v1/invocations", say("post", "hall", text="x", fault={"kind": "reset"})
        ).json["meta"]["invocationId"]
        tokens, _ = stand.tokens().list()
        treasurer = next(token.id for token in tokens if token.name == "treasurer")
        seen = World(id=ran)
        worlds = {
            "seen": seen,
            "connection": replace(seen, name="zanzibar", twin=replace(seen, name="zanzibor")),
            "action": replace(seen, action="sayLater", twin=replace(seen, action="sayLatex")),
            "connector": replace(
                seen,
                key="aws-ses",
                action="sendEmail",
                twin=replace(seen, key="aws-sex", action="sendEmail"),
            ),
            "entry over another connection": replace(
                seen, id=elsewhere, twin=replace(seen, id=NOBODYS_ID)
            ),
            "entry of another action": replace(seen, id=doubt, twin=replace(seen, id=NOBODYS_ID)),
        }
        yield Scene(stand, admin, clerk, worlds, treasurer)


def filled(value: Any, world: World) -> Any:
    """A path or a body with the names of a world in it."""
    if isinstance(value, str):
        return re.sub(
            r"\{(name|id|key|action|source)\}", lambda found: world.names()[found[1]], value
        )
    if isinstance(value, list):
        return [filled(item, world) for item in value]
    return (
        {filled(name, world): filled(item, world) for name, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def alike(text: str, world: World) -> str:
    """An answer without what the request itself named, and without what differs from call to
    call.
    """
    text = text.replace('placeholder="aws-ses/sendEmail"', "")  # the same on every server
    for member, value in world.names().items():
        if getattr(World(), member) != value:
            text = text.replace(value, f"<{member}>")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<uuid>", text)
    text = re.sub(r'name="sure" value="[0-9a-f]{16}"', "", text)
    text = re.sub(r"durationMs\W+[\d.]+", "", text)
    return re.sub(
        r"[0-9a-f]{64}|\d\d:\d\d(:\d\d)?|\d+ seconds? ago|just now|\d+ ms", "<moment>", text
    )


def varied(scene: Scene, *texts: Any) -> dict[str, World]:
    """The worlds that differ in something which an endpoint names."""
    named = set(
        re.findall(r"\{(name|id|key|action|source)\}", json.dumps([str(text) for text in texts]))
    )
    seen = scene.worlds["seen"]
    different = {
        key: {item for item, value in world.names().items() if value != getattr(seen, item)}
        for key, world in scene.worlds.items()
    }
    return {
        key: world
        for key, world in scene.worlds.items()
        if world.twin is not None and different[key] & named
    }


def clean(text: str, world: World) -> None:
    """Nothing hidden stands in an answer, but for what the request named."""
    named = " ".join(world.names().values())
    assert not [mark for mark in MARKS if mark in text and mark not in named], text[:2000]


def api(scene: Scene, client: Client, name: str, world: World) -> Any:
    """Call an operation of the HTTP API."""
    operation = next(item for item in OPERATIONS if item.name == name)
    case = API[name]
    headers = {"If_Match": '"999"'} if name == "removeConnection" and world.name == "hall" else {}
    scene.count += 1
    return client.call(
        operation.method,
        filled(operation.path + case.query, world),
        filled(case.body, world),
        **headers,
    )


def operations(scene: Scene) -> set[str]:
    """The operations of the OpenAPI document that need a token."""
    document = scene.admin.get("/openapi.json").json
    listed = {
        item["operationId"]: item
        for methods in document["paths"].values()
        for item in methods.values()
    }
    assert {name for name, item in listed.items() if item.get("security") == []} == PUBLIC
    of_platforms = {
        name for name, item in listed.items() if "scope `platform`" in item.get("description", "")
    }
    # a token of a workspace may not call them: test_http_matrix.py
    return set(listed) - PUBLIC - of_platforms


def test_h1_every_operation_of_the_api(scene: Scene) -> None:
    """What is hidden is answered like what is not there, a call or a change of it is
    ``not_allowed``, and nothing of it changes.
    """
    assert operations(scene) == set(API)
    before, count = scene.state(), scene.count
    for name, case in API.items():
        operation = next(item for item in OPERATIONS if item.name == name)
        answer = api(scene, scene.clerk, name, scene.worlds["seen"])
        assert answer.status == case.seen, (name, answer.body)
        assert case.shows in answer.body.decode(), name
        clean(answer.body.decode(), scene.worlds["seen"])
        for kind, world in varied(scene, operation.path + case.query, case.body).items():
            assert world.twin is not None
            hidden, missing = (
                api(scene, scene.clerk, name, world),
                api(scene, scene.clerk, name, world.twin),
            )
            assert hidden.status == missing.status, (name, kind, hidden.body, missing.body)
            assert alike(hidden.body.decode(), world) == alike(missing.body.decode(), world.twin), (
                name,
                kind,
            )
            if (name, kind) != ("showAction", "connection"):
                # a batch says so in the outcome of the line
                refused = 202 if name == "batch" else 403 if name in CALLS else 404
                assert hidden.status == refused, (name, kind, hidden.body)
            assert name not in CALLS or b"not_allowed" in hidden.body
            clean(hidden.body.decode(), world)
    assert scene.state() == before
    assert scene.count - count >= 60  # calls that were made: the matrix is not empty


def test_h1_every_tool_of_mcp(scene: Scene) -> None:
    """The clerk is listed the tools for what they may run; every tool is called with what is
    hidden, and tells and does nothing of it.
    """
    before, count = scene.state(), scene.count
    every = {
        tool["name"]
        for tool in _asked(scene, scene.admin, message("tools/list"))["result"]["tools"]
    }
    assert {name for name in every if not name.startswith(_CONNECTORS)} == set(TOOLS)
    listed = _asked(scene, scene.clerk, message("tools/list"))
    assert {tool["name"] for tool in listed["result"]["tools"]} == {*TOOLS, "echo_say"}
    clean(json.dumps(listed), scene.worlds["seen"])
    for name, arguments in TOOLS.items():
        answer = _asked(
            scene, scene.clerk, call_of(name, 1, **filled(arguments, scene.worlds["seen"]))
        )
        # the clerk has no file
        assert bool(answer["result"].get("isError")) is (name == "read_result"), answer
        clean(json.dumps(answer), scene.worlds["seen"])
        for kind, world in varied(scene, arguments).items():
            assert world.twin is not None
            asked = [
                _asked(scene, scene.clerk, call_of(name, 1, **filled(arguments, one)))
                for one in (world, world.twin)
            ]
            hidden, missing = (json.dumps(item["result"]) for item in asked)
            assert alike(hidden, world) == alike(missing, world.twin), (name, kind)
            assert (
                "not_allowed" in hidden
                if name == "execute_action"
                else asked[0]["result"]["isError"]
            ), (name, kind)
            clean(hidden, world)
    for name in sorted(every - set(TOOLS)):
        key, _, action = name.partition("_")
        for connection in ("hall", "zanzibar"):
            answer = _asked(scene, scene.clerk, call_of(name, 1, text="x", connection=connection))
            assert ("not_allowed" in json.dumps(answer["result"])) is (
                (name, connection) != ("echo_say", "hall")
            ), (name, answer)
            clean(json.dumps(answer), World(name=connection, key=key, action=action))
    assert scene.state() == before
    assert scene.count - count >= 30  # calls that were made: the matrix is not empty


def _asked(scene: Scene, client: Client, body: Any) -> Any:
    scene.count += 1
    answer = client.post("/mcp", body)
    assert answer.status == 200, answer.body
    return answer.json


def test_h1_every_page_of_the_console(scene: Scene) -> None:
    """Pages, forms and choices: what is hidden is not found, what would use or change it is
    refused, and nothing of it changes.
    """
    listed = {
        (method, route.path)
        for route in routes(scene.stand.host)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert listed - OUTSIDE == set(PAGES)
    browser = Browser(build_app(scene.stand.host, mounts()))
    assert browser.change("/login", "/login", token=scene.clerk.token or "").status == 200
    csrf = browser.get("/connections/hall").csrf
    again = {"name": "hall", "invocation": say("say", "hall", text="x"), "every": "24h"}
    # a test of the API removes it
    assert scene.admin.post("/v1/schedules", again).status in (201, 409)
    before, count = scene.state(), scene.count
    last = ("POST", "/connections/{name}/removal")
    for method, path in [*(one for one in PAGES if one != last), last]:
        case = PAGES[method, path]
        for kind, world in varied(scene, path + case.query, case.body).items():
            assert world.twin is not None
            hidden, missing = (
                _page(scene, browser, csrf, method, path, one) for one in (world, world.twin)
            )
            assert hidden.status == missing.status, (
                method,
                path,
                kind,
                hidden.words,
                missing.words,
            )
            assert alike(hidden.text, world) == alike(missing.text, world.twin), (
                method,
                path,
                kind,
            )
            clean(hidden.text, world)
        answer = _page(scene, browser, csrf, method, path, scene.worlds["seen"])
        assert answer.status == case.seen, (method, path, answer.words)
        assert case.shows in answer.text, (method, path)
        clean(answer.text.replace("zanzibar-of-mine", ""), scene.worlds["seen"])
    assert scene.state() == before
    assert scene.count - count >= 80  # calls that were made: the matrix is not empty


def _page(scene: Scene, browser: Browser, csrf: str, method: str, path: str, world: World) -> Any:
    case = PAGES[method, path]
    scene.count += 1
    address = filled(path + case.query, world)
    drawn = ("/connections/{", "/schedules/{", "/subscriptions/{", "/invocations/{")
    # what the form was drawn from
    if method == "POST" and path.startswith(drawn) and world is scene.worlds["seen"]:
        csrf = browser.get(
            address if path.endswith("/edit") else address.rpartition("/")[0]
        ).csrf_of(address)
    return (
        browser.get(address)
        if method == "GET"
        else browser.post(address, {"csrf": csrf, **filled(case.body, world)}, x_csrf_token=csrf)
    )


def test_s5_rules_are_asked_before_a_replay(scene: Scene) -> None:
    """A key that another token used replays nothing to the clerk, run or queued; the refusal is in
    the journal with its rule.
    """
    body = {**say("post", "zanzibar", text="once"), "idempotencyKey": "k-5"}
    assert scene.admin.post("/v1/invocations", body).json["status"] == "succeeded"
    for prefer in ("wait=1", "respond-async"):
        answer = scene.clerk.post("/v1/invocations", body, Prefer=prefer)
        assert (answer.status, answer.json["error"]["code"]) == (403, "not_allowed")
        assert "output" not in answer.json
    refused = scene.admin.get("/v1/invocations?status=failed&connection=zanzibar").json["items"]
    assert any(
        "no allow pattern of the token matches" in entry.get("rule", "") for entry in refused
    )


def test_h8_a_conflict_names_no_hidden_invocation(tmp_path: Path) -> None:
    """Keys are the workspace's; who may not see the request that uses one is not told its
    invocation (second review).
    """
    with standing(tmp_path, SETTINGS) as stand:
        admin, clerk = stand.client(), stand.client("invoke", rules=RULES)
        for name in ("hall", "zanzibar"):
            assert (
                admin.post(
                    "/v1/connections", {"name": name, "type": "echo/token", "values": VALUES}
                ).status
                == 201
            )
        hidden = admin.post(
            "/v1/invocations", {**say("post", "zanzibar", text="once"), "idempotencyKey": "k-8"}
        ).json
        seen = admin.post(
            "/v1/invocations", {**say("say", "hall", text="once"), "idempotencyKey": "k-8b"}
        ).json
        for prefer in ("wait=1", "respond-async"):
            for key, shown in (("k-8", False), ("k-8b", True)):
                other = {**say("say", "hall", text="other"), "idempotencyKey": key}
                refused = clerk.post("/v1/invocations", other, Prefer=prefer)
                assert (refused.status, refused.json["error"]["code"]) == (
                    422,
                    "idempotency_conflict",
                )
                assert "belongs to another request" in refused.json["error"]["message"]
                assert hidden["meta"]["invocationId"] not in refused.body.decode()
                assert (seen["meta"]["invocationId"] in refused.body.decode()) is shown


def test_h2_the_only_connection_that_is_allowed_need_not_be_named(tmp_path: Path) -> None:
    """A call that names none goes over the one that the rules leave; where they leave more, only
    those are named.
    """
    with standing(tmp_path, SETTINGS) as stand:
        admin = stand.client()
        for name in ("hall", "annex", "zanzibar"):
            assert (
                admin.post(
                    "/v1/connections", {"name": name, "type": "echo/token", "values": VALUES}
                ).status
                == 201
            )
        body = {"connector": "echo", "action": "say", "inputs": {"text": "x"}}
        one = stand.client("invoke", rules=Rules(("connection:hall",))).post(
            "/v1/invocations", body
        )
        assert (one.status, one.json["status"]) == (200, "succeeded")
        two = stand.client("invoke", rules=Rules(block=("connection:zanzibar",)))
        told = two.post("/v1/invocations", body).json["error"]
        assert ("2 connections fit" in told["details"][0]["message"], told["hint"]) == (
            True,
            "Set 'connection' to one of annex, hall.",
        )
        assert "did you mean" not in two.get("/v1/connections/zanzibor").json["detail"]
        assert "'hall'" in two.get("/v1/connections/hal").json["detail"]
        none = stand.client("invoke", rules=Rules(("connection:cellar",))).post(
            "/v1/invocations", body
        )
        assert (none.status, none.json["error"]["code"]) == (403, "not_allowed")


def test_s6_a_rename_never_frees_from_a_rule(tmp_path: Path) -> None:
    """Under its new name a connection may be used for no more than under its old one."""
    with standing(tmp_path, SETTINGS) as stand:
        admin = stand.client()
        assert (
            admin.post(
                "/v1/connections", {"name": "prod-a", "type": "echo/token", "values": VALUES}
            ).status
            == 201
        )
        token = stand.client(
            "manage", rules=Rules(block=("connection:prod-* & effect:write",))
        ).token
        browser = Browser(build_app(stand.host, mounts()))
        assert browser.change("/login", "/login", token=token or "").status == 200
        freed = browser.change("/connections/prod-a", "/connections/prod-a/name", new="dev-a")
        assert (freed.status, "allow more with the name" in freed.words) == (403, True)
        assert (
            browser.change("/connections/prod-a", "/connections/prod-a/name", new="prod-b").status
            == 303
        )
