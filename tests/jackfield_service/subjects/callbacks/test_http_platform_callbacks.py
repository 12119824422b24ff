"""``/v1/platform/callbacks`` and ``/v1/platform/deliveries``: one receiver for all workspaces of a
platform, and for no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import standardwebhooks

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.actor import Actor
from jackfield.kernel.dataclass import replace
from jackfield_store.access.platform_tokens import PlatformTokens
from receiver import Receiver, receiving

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "hello"}}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server whose operator allows callbacks on loopback."""
    with standing(
        tmp_path_factory.mktemp("http"), replace(SETTINGS, allowed_hosts=("127.0.0.1",))
    ) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """A platform that manages the workspaces whose names begin with ``acme-``."""
    return made(stand, "acme-*")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    with receiving() as found:
        yield found


def made(stand: Stand, pattern: str) -> Client:
    """Return a client with a new platform's token."""
    storage = stand.host.storage
    return Client(
        stand.port,
        PlatformTokens(storage.database, storage.vault, stand.host.clock, Actor("cli", "ada"))
        .create(pattern)
        .text,
    )


def tenant(stand: Stand, platform: Client, name: str) -> Client:
    """Make a workspace with a connection; return a client with a token of it."""
    assert platform.call("PUT", f"/v1/workspaces/{name}", {}).status in (200, 201)
    found = Client(
        stand.port,
        platform.post(f"/v1/workspaces/{name}/tokens", {"scope": "manage"}).json["token"],
    )
    found.post(
        "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
    )
    return found


def called(client: Client) -> str:
    """Queue a call; return its ID."""
    return str(client.post("/v1/invocations", SAY, Prefer="respond-async").json["invocationId"])


def test_one_receiver_for_all_tenants(stand: Stand, platform: Client, receiver: Receiver) -> None:
    """The story of a platform: one callback before its tenants exist, one secret, and each event
    says whose it is.
    """
    answer = platform.post(
        "/v1/platform/callbacks",
        {"url": receiver.url, "types": ["invocation.finished"], "include": ["output"]},
    )
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    callback = answer.json
    assert answer.headers["location"] == f"/v1/platform/callbacks/{callback['id']}"
    assert callback["workspaces"] == "acme-*"
    wanted = {
        called(tenant(stand, platform, name)): name for name in ("acme-1", "acme-2", "acme-3")
    }
    called(tenant(stand, made(stand, "other-*"), "other-1"))
    got = receiver.wait(3)
    found = {one.json["data"]["subject"]: one.json["data"]["workspace"] for one in got}
    assert found == wanted
    document = stand.client().get("/asyncapi.json").json
    schema = {
        **document["components"]["messages"]["invocationFinished"]["payload"],
        "components": document["components"],
    }
    judge = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for one in got:
        standardwebhooks.Webhook(callback["secret"]).verify(one.body, dict(one.headers))
        judge.validate(one.json)
        assert one.json["data"]["payload"]["output"]["text"] == "hello"
    rows = platform.get(f"/v1/platform/deliveries?callback={callback['id']}").json["items"]
    while any(row["status"] != "delivered" for row in rows):
        rows = platform.get(f"/v1/platform/deliveries?callback={callback['id']}").json["items"]
    assert sorted(row["workspace"] for row in rows) == ["acme-1", "acme-2", "acme-3"]
    shown = platform.get(f"/v1/platform/deliveries/{rows[0]['id']}").json
    assert shown["request"]["body"]["data"]["workspace"] == rows[0]["workspace"]
    assert platform.post(f"/v1/platform/deliveries/{rows[0]['id']}:resend", {}).status == 202
    assert receiver.wait(4)[3].id == rows[0]["eventId"]
    assert platform.call("DELETE", f"/v1/platform/callbacks/{callback['id']}").status == 204
    assert platform.get("/v1/platform/deliveries").json["items"] == []


def test_it_is_managed_as_a_workspaces_callback_is(stand: Stand, receiver: Receiver) -> None:
    """Changed, rotated, tested and recovered; the audit log of ``default`` names the platform and
    its user.
    """
    platform = made(stand, "solo-*")
    callback = platform.post(
        "/v1/platform/callbacks", {"url": receiver.url}, Jackfield_On_Behalf_Of="user-17"
    ).json["id"]
    path = f"/v1/platform/callbacks/{callback}"
    assert platform.call("PATCH", path, {"thin": True, "description": "all"}).json["thin"] is True
    assert (
        platform.post(f"{path}:rotate", {"overlapSeconds": 60}).json["secret"].startswith("whsec_")
    )
    assert platform.post(f"{path}:test", {}).json["delivered"] is True
    assert "workspace" not in receiver.wait(1)[0].json["data"]
    assert platform.post(f"{path}:recover", {"since": "1d"}).json == {"recovered": 0}
    assert [
        row["id"] for row in platform.get("/v1/platform/callbacks?status=active").json["items"]
    ] == [callback]
    assert (
        platform.call("PATCH", path, {"url": "https://10.0.0.7/"}).json["details"][0]["path"]
        == "/url"
    )
    assert platform.call("DELETE", path).status == 204
    rows = stand.client().get(f"/v1/audit?object=callback:{callback}").json["items"]
    assert [row["event"] for row in rows[::-1]] == [
        f"callback.{act}" for act in ("created", "changed", "rotated", "removed")
    ]
    assert {row["details"]["workspaces"] for row in rows} == {"solo-*"}
    assert (rows[-1]["actor"]["kind"], rows[-1]["actor"]["onBehalfOf"]) == ("platform", "user-17")


def test_nobody_else_comes_near(stand: Stand, platform: Client, receiver: Receiver) -> None:
    """Tenants' and the operator's tokens may not use it, whatever their scope; for another
    platform, one with some of the same workspaces included, the callback does not exist; a tenant
    neither sees nor resends what the platform gets.
    """
    callback = platform.post(
        "/v1/platform/callbacks", {"url": receiver.url, "types": ["invocation.finished"]}
    ).json["id"]
    own = tenant(stand, platform, "acme-1")
    called(own)
    receiver.wait(1)
    (delivery,) = platform.get(f"/v1/platform/deliveries?callback={callback}").json["items"]
    paths: list[tuple[str, str, Any]] = [
        ("GET", f"callbacks/{callback}", None),
        ("PATCH", f"callbacks/{callback}", {"url": "https://evil.example/"}),
        ("DELETE", f"callbacks/{callback}", None),
        ("POST", f"callbacks/{callback}:rotate", {}),
        ("POST", f"callbacks/{callback}:test", {}),
        ("POST", f"callbacks/{callback}:recover", {"since": "1d"}),
        ("GET", f"deliveries/{delivery['id']}", None),
        ("POST", f"deliveries/{delivery['id']}:resend", {}),
    ]
    for client in (
        made(stand, "acme-1*"),
        made(stand, "acme-1"),
        made(stand, "*"),
        made(stand, "other-*"),
    ):
        assert client.get("/v1/platform/callbacks").json["items"] == []
        assert client.get(f"/v1/platform/deliveries?callback={callback}").json["items"] == []
        assert {
            client.call(method, f"/v1/platform/{path}", body).status for method, path, body in paths
        } == {404}
    for client in (own, stand.client()):
        assert {
            client.call(method, f"/v1/platform/{path}", body).status for method, path, body in paths
        } == {403}
        assert {
            client.call(method, f"/v1/{path}", body).status for method, path, body in paths
        } == {404}
        assert (
            callback
            not in client.get("/v1/callbacks").body.decode()
            + client.get("/v1/deliveries").body.decode()
        )
        assert (
            client.get("/v1/platform/callbacks").status
            == client.post("/v1/platform/callbacks", {"url": receiver.url}).status
            == 403
        )
    assert {platform.call(method, f"/v1/{path}", body).status for method, path, body in paths} == {
        403
    }
    assert platform.get(f"/v1/platform/callbacks/{callback}").json["url"] == receiver.url
    assert platform.call("DELETE", f"/v1/platform/callbacks/{callback}").status == 204


def test_urls_are_those_of_the_internet(stand: Stand, platform: Client) -> None:
    """A platform reaches no host inside the operator's network, and a name that leads there is
    checked when it is resolved.
    """
    for url in (
        "https://10.1.2.3/",
        "http://169.254.169.254/latest",
        "https://[::1]/",
        "http://example.com/",
        "ftp://example.com/",
    ):
        refused = platform.post("/v1/platform/callbacks", {"url": url})
        assert (refused.status, refused.json["details"][0]["path"]) == (422, "/url"), url
