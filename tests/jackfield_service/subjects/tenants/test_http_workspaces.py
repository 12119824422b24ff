"""``/v1/workspaces``: a platform makes its tenants, mints their tokens, reads their usage, and ends
them; it sees nothing of others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from http_stand import Client, Stand, say
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import NotAllowed
from jackfield_service.subjects.tenants.tenants import Tenants
from jackfield_store.access import Audit, UnknownWorkspace, Workspaces
from jackfield_store.access.kept_rules import forget_rules
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.tokens import new_text
from jackfield_store.database import UniqueViolation
from jackfield_store.database.faults import RowDamaged
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.database.table_shapes import shape_of, tables_of_workspaces
from mcp_talk import call_of
from replies import Reply


@pytest.fixture
def platform(stand: Stand) -> Client:
    """A platform that manages the workspaces whose names begin with ``acme-``."""
    return _platform(stand, "acme-*")


def _platform(stand: Stand, pattern: str) -> Client:
    storage = stand.host.storage
    made = PlatformTokens(
        storage.database, storage.vault, stand.host.clock, Actor("cli", "ada")
    ).create(pattern, "the shop")
    return Client(stand.port, made.text)


def _tenant(stand: Stand, platform: Client, name: str, scope: str = "manage") -> Client:
    assert platform.call("PUT", f"/v1/workspaces/{name}", {}).status in (200, 201)
    made = platform.post(
        f"/v1/workspaces/{name}/tokens", {"scope": scope, "name": "server", "expiresIn": 3600}
    )
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    return Client(stand.port, made.json["token"])


def test_a_workspace_is_made_once_and_changed(platform: Client) -> None:
    """PUT creates with 201 and then answers 200; PATCH changes what it names; lists have the
    platform's own only.
    """
    made = platform.call(
        "PUT", "/v1/workspaces/acme-1", {"retentionDays": 7, "limits": {"queued": 10}}
    )
    assert (made.status, made.headers["location"], made.json["name"]) == (
        201,
        "/v1/workspaces/acme-1",
        "acme-1",
    )
    again = platform.call(
        "PUT", "/v1/workspaces/acme-1", {"retentionDays": 7, "limits": {"queued": 10}}
    )
    assert (again.status, again.json) == (200, made.json)
    changed = platform.call(
        "PATCH", "/v1/workspaces/acme-1", {"keepInputs": True, "limits": {"connections": 5}}
    )
    assert (changed.status, changed.json["keepInputs"], changed.json["retentionDays"]) == (
        200,
        True,
        7,
    )
    assert changed.json["limits"] == {"queued": 10, "connections": 5}
    assert platform.get("/v1/workspaces/acme-1").json == changed.json
    assert [row["name"] for row in platform.get("/v1/workspaces?prefix=acme-1").json["items"]] == [
        "acme-1"
    ]


def test_puts_that_race_make_one_workspace(platform: Client) -> None:
    """Of many at once, one creates it and all succeed."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(
                lambda _: (
                    platform.call("PUT", "/v1/workspaces/acme-race", {"retentionDays": 9}).status
                ),
                range(16),
            )
        )
    assert sorted(replies) == [200] * 15 + [201]


def test_a_platform_knows_its_own_workspaces_only(stand: Stand, platform: Client) -> None:
    """Workspaces outside of the token's pattern do not exist for it, and it may use no operation
    but these.
    """
    other = _platform(stand, "other-*")
    assert other.call("PUT", "/v1/workspaces/other-1", {}).status == 201
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {}),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"scope": "read"}),
        ("GET", "/connections", None),
        ("GET", "/usage", None),
    ):
        for name in ("other-1", "default", "acme"):
            assert platform.call(method, f"/v1/workspaces/{name}{path}", body).status == 404, (
                method,
                path,
                name,
            )
    assert "other-1" not in str(platform.get("/v1/workspaces").json)
    hidden, missing = (
        str(platform.get(f"/v1/workspaces/{name}").json) for name in ("other-1", "acme-2")
    )
    assert hidden.replace("other-1", "acme-2") == missing
    assert "jackfield workspaces" not in missing
    for path in (
        "/v1/connections",
        "/v1/invocations",
        "/v1/audit",
        "/v1/tokens",
        "/v1/connectors",
        "/metrics",
        "/v1/files",
    ):
        assert platform.get(path).status == 403, path
    assert platform.invoke("say", text="x").status == 403
    assert stand.client("manage").get("/v1/workspaces").status == 403


def test_a_platform_does_not_open_the_servers_secrets_to_its_tenants(
    stand: Stand, platform: Client
) -> None:
    """Secret references and the server's own identity are the operator's to allow; what the
    operator has allowed may be sent again.
    """
    for member, value in (
        ("allowReferences", True),
        ("allowReferences", ["env:*"]),
        ("allowAmbient", True),
    ):
        for method in ("PUT", "PATCH"):
            platform.call("PUT", "/v1/workspaces/acme-9", {})
            refused = platform.call(method, "/v1/workspaces/acme-9", {member: value})
            assert (refused.status, refused.json["code"], refused.json["details"][0]["path"]) == (
                403,
                "not_allowed",
                f"/{member}",
            )
    assert platform.call("PUT", "/v1/workspaces/acme-10", {"allowAmbient": True}).status == 403
    assert platform.get("/v1/workspaces/acme-10").status == 404
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).set(
        "acme-9", {"allowReferences": ["env:A_*"]}
    )
    same = {"allowReferences": ["env:A_*"], "allowAmbient": False, "retentionDays": 3}
    assert platform.call("PUT", "/v1/workspaces/acme-9", same).json.items() >= same.items()
    assert (
        platform.call("PATCH", "/v1/workspaces/acme-9", {"allowReferences": False}).json[
            "allowReferences"
        ]
        is False
    )


def test_a_platform_adds_rules_of_approval_and_removes_none(stand: Stand, platform: Client) -> None:
    """Nor does it let somebody approve: both are the operator's."""
    path = "/v1/workspaces/acme-rules"
    assert platform.call("PUT", path, {"rules": {"approve": ["echo/post"]}}).status == 201
    told = platform.call("PATCH", path, {"rules": {"approve": ["echo/post", "effect:write"]}})
    assert (told.status, [warning["path"] for warning in told.json["warnings"]]) == (
        200,
        ["/rules/approve/1"],
    )
    assert "warnings" not in platform.get(path).json
    for patterns in ([], ["echo/*"]):
        refused = platform.call("PATCH", path, {"rules": {"approve": patterns}})
        assert (refused.status, refused.json["details"][0]["path"]) == (403, "/rules/approve")
    assert platform.call("PATCH", path, {"rules": {"block": ["echo/say"]}}).json["rules"][
        "approve"
    ] == ["echo/post", "effect:write"]
    for scope in ("approve", "manage approve"):
        assert platform.post(f"{path}/tokens", {"scope": scope}).status == 403


def test_a_minted_token_works_in_its_workspace(stand: Stand, platform: Client) -> None:
    """A tenant's token runs and sees what is the tenant's; the audit log names the platform and the
    user whom it acts for.
    """
    tenant = _tenant(stand, platform, "acme-2")
    assert tenant.invoke("say", text="x").status == 200
    assert (
        platform.call(
            "PATCH",
            "/v1/workspaces/acme-2",
            {"keepInputs": True},
            **{"Jackfield-On-Behalf-Of": "user-7"},
        ).status
        == 200
    )
    storage = stand.host.storage
    entries, _ = Audit(storage.database, lambda: storage.vault, "acme-2", stand.host.clock).list(
        event="workspace.changed"
    )
    assert (
        entries[0].to_json()["actor"].items()
        >= {"kind": "platform", "name": "the shop", "onBehalfOf": "user-7"}.items()
    )
    revoked = platform.get("/v1/workspaces/acme-2/tokens").json["items"][0]["id"]
    assert platform.call("DELETE", f"/v1/workspaces/acme-2/tokens/{revoked}").status == 204
    assert tenant.invoke("say", text="x").status == 401


def test_an_accepted_platform_is_not_logged_as_refused(
    stand: Stand, platform: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names tokens that were refused only: a platform's is looked for after those of
    workspaces.
    """
    assert platform.get("/v1/workspaces").status == 200
    assert "refused" not in caplog.text
    assert Client(stand.port, new_text()).get("/v1/workspaces").status == 401
    assert caplog.text.count("a token was refused: it does not exist") == 1


def test_usage_equals_the_journal(stand: Stand, platform: Client) -> None:
    """Calls, attempts, failures and refusals of the time that is asked for, in all and by
    connector, action or day.
    """
    tenant = _tenant(stand, platform, "acme-3")
    for _ in range(3):
        tenant.invoke("say", text="x")
    tenant.invoke("fail")
    tenant.invoke("say", text=7)
    tenant.invoke("nothing")
    found = platform.get("/v1/workspaces/acme-3/usage?from=1d&by=action").json
    listed = tenant.get("/v1/invocations?limit=200").json["items"]
    assert found["total"]["calls"] == len(listed)
    assert found["total"]["failures"] == sum(row["status"] != "succeeded" for row in listed)
    refused = [
        row["action"]
        for row in listed
        if row.get("error", {}).get("code") in {"invalid_input", "unknown_action"}
    ]
    assert found["total"]["refused"] == len(refused) >= 2
    assert {row["action"]: (row["calls"], row["refused"]) for row in found["items"]}["say"] == (
        4,
        refused.count("say"),
    )
    assert platform.get("/v1/workspaces/acme-3/usage?from=2d&to=1d").json["total"]["calls"] == 0
    assert platform.get("/v1/workspaces/acme-3/usage?by=colour").status == 400


def test_a_suspended_workspace_refuses_everything_at_once(stand: Stand, platform: Client) -> None:
    """Its tokens get 403 on every path until it is resumed; the platform still manages it."""
    tenant = _tenant(stand, platform, "acme-4")
    assert tenant.invoke("say", text="x").status == 200
    assert (
        platform.call("PATCH", "/v1/workspaces/acme-4", {"suspended": True}).json["suspended"]
        is True
    )
    for reply in (
        tenant.invoke("say", text="x"),
        tenant.get("/v1/connections"),
        tenant.get("/v1/invocations"),
        tenant.post("/mcp", {}),
    ):
        assert reply.status == 403
        assert "suspended" in reply.body.decode()
    result = stand.host.runtime("acme-4").invoke(
        {"connector": "echo", "action": "say", "inputs": {"text": "x"}}
    )
    assert result.error is not None
    assert (result.error.code, "suspended" in result.error.message) == ("not_allowed", True)
    assert platform.call("PATCH", "/v1/workspaces/acme-4", {"suspended": False}).status == 200
    assert tenant.invoke("say", text="x").status == 200


def test_a_reader_who_waits_loses_its_rights(stand: Stand, platform: Client) -> None:
    """A request that waits for events ends with 403 when its workspace is suspended, and with 401
    when its token is revoked.
    """
    tenant = _tenant(stand, platform, "acme-9")
    token = platform.get("/v1/workspaces/acme-9/tokens").json["items"][0]["id"]
    cursor = tenant.get("/v1/events?limit=200").json["nextCursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tenant.get, f"/v1/events?after={cursor}&types=connect.failed&wait=60")
        platform.call("PATCH", "/v1/workspaces/acme-9", {"suspended": True})
        assert waiting.result().status == 403
        platform.call("PATCH", "/v1/workspaces/acme-9", {"suspended": False})
        waiting = pool.submit(tenant.get, f"/v1/events?after={cursor}&types=connect.failed&wait=60")
        platform.call("DELETE", f"/v1/workspaces/acme-9/tokens/{token}")
        assert waiting.result().status == 401


def test_a_model_that_waits_loses_its_rights(stand: Stand, platform: Client) -> None:
    """A call of MCP's ``read_events`` that waits is refused when its workspace is suspended, and
    when its token is revoked.
    """
    tenant = _tenant(stand, platform, "acme-10")
    token = platform.get("/v1/workspaces/acme-10/tokens").json["items"][0]["id"]
    cursor = tenant.get("/v1/events?limit=200").json["nextCursor"]
    call = call_of("read_events", after=cursor, types=["connect.failed"], wait=30)
    assert not tenant.post("/mcp", call_of("read_events", after=cursor)).json["result"]["isError"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tenant.post, "/mcp", call)
        platform.call("PATCH", "/v1/workspaces/acme-10", {"suspended": True})
        reply = waiting.result()  # 403 if the request came after the suspension
        assert reply.status == 403 or (
            reply.json["result"]["isError"] and "suspended" in reply.body.decode()
        )
        platform.call("PATCH", "/v1/workspaces/acme-10", {"suspended": False})
        waiting = pool.submit(tenant.post, "/mcp", call)
        platform.call("DELETE", f"/v1/workspaces/acme-10/tokens/{token}")
        reply = waiting.result()
        assert reply.status == 401 or (
            reply.json["result"]["isError"] and "revoked" in reply.body.decode()
        )


def test_a_tenant_reads_that_it_was_suspended(stand: Stand, platform: Client) -> None:
    """Both events are in its feed once it is resumed, for each token without rules; its neighbour,
    and a token with rules, see none.
    """
    tenant, neighbour = (
        _tenant(stand, platform, "acme-7", "read"),
        _tenant(stand, platform, "acme-8"),
    )
    bound = platform.post(
        "/v1/workspaces/acme-7/tokens",
        {"scope": "manage", "name": "bound", "rules": {"block": ["effect:write"]}},
    )
    platform.call("PATCH", "/v1/workspaces/acme-7", {"suspended": True})
    platform.call("PUT", "/v1/workspaces/acme-7", {"suspended": True})
    assert tenant.get("/v1/events?types=workspace.*").status == 403
    platform.call("PUT", "/v1/workspaces/acme-7", {"suspended": False, "retentionDays": 9})
    page = tenant.get("/v1/events?types=workspace.suspended,workspace.resumed").json
    assert [(item["type"], item["subject"], item["data"]) for item in page["items"]] == [
        ("workspace.suspended", "acme-7", {"workspace": "acme-7"}),
        ("workspace.resumed", "acme-7", {"workspace": "acme-7"}),
    ]
    assert tenant.get(f"/v1/events/{page['items'][0]['id']}").json == page["items"][0]
    assert Client(stand.port, bound.json["token"]).get("/v1/events").json["items"] == []
    assert neighbour.get("/v1/events?types=workspace.*").json["items"] == []


def test_deletion_suspends_and_then_leaves_nothing(stand: Stand, platform: Client) -> None:
    """The first DELETE suspends and revokes, the second deletes each row of the workspace; the
    audit log of the operator tells it.
    """
    tenant = _tenant(stand, platform, "acme-5")
    assert (
        tenant.post(
            "/v1/connections?test=false",
            {"name": "c", "type": "echo/token", "values": {"token": "secret-4711"}},
        ).status
        == 201
    )
    assert tenant.invoke("say", text="x").status == 200
    assert (
        tenant.call(
            "POST", "/v1/files", b"content", **{"Content-Type": "application/octet-stream"}
        ).status
        == 201
    )
    assert platform.call("DELETE", "/v1/workspaces/acme-5?purge=true").status == 409
    ended = platform.call("DELETE", "/v1/workspaces/acme-5").json
    assert (ended["status"], ended["revoked"]["tokens"], ended["kept"]["connections"]) == (
        "suspended",
        1,
        1,
    )
    assert tenant.invoke("say", text="x").status == 401
    purged = platform.call("DELETE", "/v1/workspaces/acme-5?purge=true").json
    assert (purged["status"], purged["deleted"]["files"]) == ("purged", 1)
    assert platform.get("/v1/workspaces/acme-5").status == 404
    assert _rows_of(stand, "acme-5") == {}
    storage = stand.host.storage
    log, _ = Audit(storage.database, lambda: storage.vault, "default", stand.host.clock).list(
        event="workspace.purged"
    )
    assert log[0].about["object"] == "workspace:acme-5"


def test_a_platform_gets_rid_of_no_rule_by_a_purge(stand: Stand, platform: Client) -> None:
    """What the operator has set for the name holds in a workspace that is created anew; the
    platform adds to it. Only the operator's own purge forgets it.
    """
    storage, clock = stand.host.storage, stand.host.clock
    workspaces = Workspaces(storage.database, storage.vault, clock)
    rules = {"allow": ["echo/*"], "block": ["echo/shout"], "approve": ["echo/say"]}
    assert platform.call("PUT", "/v1/workspaces/acme-12").status == 201
    workspaces.set("acme-12", {"rules": rules})
    for _ in range(2):
        for tail in ("", "?purge=true"):
            assert platform.call("DELETE", f"/v1/workspaces/acme-12{tail}").status == 200
        refused = platform.call("PUT", "/v1/workspaces/acme-12", {"rules": {"approve": []}})
        assert (refused.status, refused.json["code"]) == (403, "not_allowed")
        assert platform.call("PUT", "/v1/workspaces/acme-12").json["rules"] == rules
    added = platform.call(
        "PATCH", "/v1/workspaces/acme-12", {"rules": {"approve": ["echo/say", "echo/list"]}}
    )
    assert added.json["rules"]["approve"] == ["echo/say", "echo/list"]
    tenant = Client(
        stand.port,
        platform.post("/v1/workspaces/acme-12/tokens", {"scope": "invoke", "name": "t"}).json[
            "token"
        ],
    )
    # its connection is inline
    assert tenant.invoke("say", text="x").json["error"]["code"] == "approval_required"
    for tail in ("", "?purge=true"):
        platform.call("DELETE", f"/v1/workspaces/acme-12{tail}")
    with storage.database.write() as transaction:
        transaction.change("UPDATE kept_rules SET rules = '{}' WHERE name = 'acme-12'", {})
    assert platform.call("PUT", "/v1/workspaces/acme-12").status == 503
    with pytest.raises(RowDamaged):
        workspaces.create("acme-12")
    with storage.database.write() as transaction:
        forget_rules(transaction, "acme-12")
    assert workspaces.create("acme-12").settings.rules.approve == ()
    workspaces.set("acme-12", {"rules": rules, "suspended": True})
    Tenants(storage, stand.host.files, clock, "*", Actor("cli", "ada")).purge("acme-12")
    assert platform.call("PUT", "/v1/workspaces/acme-12").json["rules"].get("approve", []) == []


def test_a_process_that_has_a_purged_workspace_open_runs_nothing_in_it(
    stand: Stand, platform: Client
) -> None:
    """A call of the library is refused, and so are one that is to be queued and a new connection;
    none leaves a row that a later workspace of that name would inherit.
    """
    _tenant(stand, platform, "acme-8")
    opened = stand.host.runtime("acme-8")
    assert opened.invoke(say("say", text="x")).status == "succeeded"
    assert platform.call("DELETE", "/v1/workspaces/acme-8").status == 200
    assert platform.call("DELETE", "/v1/workspaces/acme-8?purge=true").status == 200
    for _ in range(2):
        error = opened.invoke(say("say", text="x")).error
        assert error is not None
        assert (error.code, error.message) == (
            "not_allowed",
            "not allowed: the workspace does not exist",
        )
    with pytest.raises(NotAllowed, match="does not exist"):
        opened.enqueue(say("say", "hall", text="x"))
    with pytest.raises(UnknownWorkspace):
        opened.connections.add("hall", "echo/token", {"token": "secret-4711"}, test=False)
    assert _rows_of(stand, "acme-8") == {}
    assert platform.call("PUT", "/v1/workspaces/acme-8", {}).status == 201
    assert opened.invoke(say("say", text="x")).status == "succeeded"


def test_what_is_written_after_a_purge_is_swept(stand: Stand, platform: Client) -> None:
    """Requests that had found the workspace may come to write when its row is gone already, to any
    table: servers delete that, unless somebody has created the workspace again.
    """
    tenant, database = _tenant(stand, platform, "acme-11"), stand.host.storage.database
    assert (
        tenant.post(
            "/v1/connections?test=false",
            {"name": "c", "type": "echo/token", "values": {"token": "secret-4711"}},
        ).status
        == 201
    )
    assert tenant.invoke("say", text="x").status == 200
    assert (
        tenant.call(
            "POST", "/v1/files", b"content", **{"Content-Type": "application/octet-stream"}
        ).status
        == 201
    )
    assert platform.call("DELETE", "/v1/workspaces/acme-11").status == 200
    with database.read() as transaction:
        found = [
            (shape, row.as_dict())
            for shape in tables_of_workspaces(database)
            for row in transaction.execute(
                f"SELECT * FROM {shape.name} WHERE workspace = 'acme-11'"
            )
        ]
    written = _rows_of(stand, "acme-11").keys()
    assert len(written) > 8
    assert platform.call("DELETE", "/v1/workspaces/acme-11?purge=true").status == 200

    def write_late() -> None:
        left = found
        while left:
            late, left = left, []
            for shape, row in late:
                # a trigger may have counted it
                with suppress(UniqueViolation), database.write() as transaction:
                    transaction.change(shape.insert, row)

    write_late()
    assert _rows_of(stand, "acme-11").keys() >= written
    for step in stand.host.sweeps.values():
        step()
    assert _rows_of(stand, "acme-11") == {}
    write_late()
    assert platform.call("PUT", "/v1/workspaces/acme-11", {}).status == 201
    before = _rows_of(stand, "acme-11").keys()
    for step in stand.host.sweeps.values():
        step()
    # whose events the server stores meanwhile
    assert _rows_of(stand, "acme-11").keys() >= before - {"outbox"}


def _rows_of(stand: Stand, workspace: str) -> dict[str, Any]:
    database = stand.host.storage.database
    found = {}
    with database.read() as transaction:
        for table in declared("TABLE", known_migrations()):
            if "workspace" in shape_of(transaction, database.dialect, table).columns:
                count = transaction.execute(
                    f"SELECT COUNT(*) AS n FROM {table} WHERE workspace = :w", {"w": workspace}
                )[0].n
                found[table] = count
    return {table: count for table, count in found.items() if count}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/workspaces/acme-6", {"limits": {"speed": 1}}),
        ("/v1/workspaces/acme-6", {"limits": {"queued": -1}}),
        ("/v1/workspaces/acme-6", {"colour": 1}),
        ("/v1/workspaces/acme-6", []),
        ("/v1/workspaces/acme-6", {"suspended": "yes"}),
    ],
)
def test_settings_that_are_none_are_400(platform: Client, path: str, body: object) -> None:
    """Each fault is named, and nothing is made."""
    assert platform.call("PUT", path, body).status == 400
    assert platform.get(path).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"rules": {"deny": []}},
        {"expiresAt": "1h", "expiresIn": 60},
        {"expiresIn": 0},
        {"colour": 1},
        {"name": 1},
    ],
)
def test_what_is_no_token_of_a_tenant_is_400(
    stand: Stand, platform: Client, change: dict[str, Any]
) -> None:
    """A platform's request is judged as one of the workspace itself: a member of its rules that
    means nothing is refused, too.
    """
    tenant = _tenant(stand, platform, "acme-t", "manage")
    body = {"scope": "read", **change}
    assert [
        client.post(path, body).status for client, path in _both(platform, tenant, "acme-t")
    ] == [400, 400]


def test_a_token_may_last_for_a_number_of_seconds(stand: Stand, platform: Client) -> None:
    """``expiresIn`` counts from now, for a platform and in the workspace itself."""
    tenant = _tenant(stand, platform, "acme-t", "manage")
    made = [
        client.post(path, {"scope": "read", "expiresIn": 60}).json
        for client, path in _both(platform, tenant, "acme-t")
    ]
    assert {round(_at(one["expiresAt"]) - _at(one["createdAt"])) for one in made} == {60}


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _both(
    platform: Client, tenant: Client, workspace: str
) -> tuple[tuple[Client, str], tuple[Client, str]]:
    return (platform, f"/v1/workspaces/{workspace}/tokens"), (tenant, "/v1/tokens")


@pytest.mark.parametrize(
    ("limit", "most"), [("connections", 1), ("storageBytes", 4), ("queued", 1), ("concurrent", 0)]
)
def test_a_limit_that_is_reached_is_429_and_named(
    stand: Stand, platform: Client, limit: str, most: int
) -> None:
    """What would go beyond a limit of the workspace is refused, with its name; without the limit it
    is served.
    """
    tenant = _tenant(stand, platform, f"acme-{limit}")
    headers = {"Content-Type": "application/octet-stream"}

    def use() -> Any:
        if limit == "connections":
            name = f"c{len(tenant.get('/v1/connections').json['items'])}"
            return tenant.post(
                "/v1/connections?test=false",
                {"name": name, "type": "echo/token", "values": {"token": "secret-4711"}},
            )
        if limit == "storageBytes":
            return tenant.call("POST", "/v1/files", b"content", **headers)
        if limit == "queued":
            return tenant.post(
                "/v1/invocations",
                {**say("say", "stored", text="x"), "notBefore": later},
                Prefer="respond-async",
            )
        return tenant.invoke("say", text="x")

    later = iso(stand.host.clock.time() + 86_400)
    stored = {"name": "stored", "type": "echo/token", "values": {"token": "secret-4711"}}
    if limit == "queued":
        assert tenant.post("/v1/connections?test=false", stored).status == 201
    platform.call("PATCH", f"/v1/workspaces/acme-{limit}", {"limits": {limit: most}})
    replies = [use() for _ in range(2)]
    assert (replies[1].status, replies[1].json["limit"], replies[1].json["code"]) == (
        429,
        limit,
        "rate_limited",
    )
    assert replies[0].status == (429 if most == 0 else replies[0].status)
    platform.call("PATCH", f"/v1/workspaces/acme-{limit}", {"limits": {limit: None}})
    assert use().status in (200, 201, 202)


def test_requests_beyond_the_rate_of_a_workspace_are_429(stand: Stand, platform: Client) -> None:
    """All tokens of the workspace share the rate."""
    tenants = [_tenant(stand, platform, "acme-fast") for _ in range(2)]
    platform.call("PATCH", "/v1/workspaces/acme-fast", {"limits": {"requestsPerSecond": 1}})
    found = [tenant.get("/v1/connectors") for tenant in tenants * 4]
    refused = [reply for reply in found if reply.status == 429]
    assert refused
    assert {reply.json["limit"] for reply in refused} == {"requestsPerSecond"}
    assert {_pace(reply) for reply in refused} == {("1", "0", "1")}
    assert _pace(next(reply for reply in found if reply.status == 200)) == ("1", "0", "1")


def test_each_answer_says_what_is_left_of_a_rate(stand: Stand, platform: Client) -> None:
    """Platform-user, F13: success and refusal, calls and other operations; where nothing is
    limited, nothing is said.
    """
    tenant = _tenant(stand, platform, "acme-paced")
    assert _pace(tenant.invoke("say", text="x")) == (None, None, None)
    platform.call("PATCH", "/v1/workspaces/acme-paced", {"limits": {"requestsPerSecond": 5_000}})
    # the limit is known from here on: a process asks for it beside the first request
    tenant.get("/v1/connectors")
    for reply in (
        tenant.invoke("say", text="x"),
        tenant.invoke("say"),
        tenant.get("/v1/connectors"),
        tenant.get("/v1/connectors/nobody"),
    ):
        limit, left, reset = _pace(reply)
        assert (limit, reset) in {("5000", "0"), ("5000", "1")}
        assert 4_000 < int(left or 0) <= 5_000


def _pace(reply: Reply) -> tuple[str | None, ...]:
    return tuple(reply.headers.get(f"ratelimit-{name}") for name in ("limit", "remaining", "reset"))
