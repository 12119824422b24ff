"""A person who leaves half-way, and begins again: the platform asks for the same connection, and is
not told that it exists.
"""

from __future__ import annotations

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BASE, TYPE, Attacked

from http_stand import Client
from jackfield_service.subjects.connect.connecting import Connecting

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]
CALL = {"connector": "people", "action": "whoAmI", "inputs": {}}


def tenant_of(site: Attacked) -> Client:
    """A client of the tenant, with a token of its own."""
    token = site.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "manage", "name": "shop"}
    ).json["token"]
    return Client(site.stand.port, token)


def test_the_same_user_begins_again(site: Attacked) -> None:
    """The earlier session ends, with the connection that waited for its approval; the new one
    connects, and its link alone counts.
    """
    left = site.begin()
    _, state = site.at_provider(left)
    assert site.stored() == ["main"]
    again = site.begin()
    assert (site.status(left), site.status(again)) == ("failed", "pending")
    assert (
        site.platform.get(f"{BASE}/{left['id']}").json["reason"] == "the same user has begun again"
    )
    _, proof = site.approved(again)
    assert site.confirm(again, proof).status == 200
    assert site.connected() == "ada"
    assert (
        site.answered(site.at_provider(site.begin(connection="other"))[0], state, "adas-code").page
        is not None
    )
    assert site.status(left) == "failed"


def test_another_user_is_told_who_is_in_the_way(site: Attacked) -> None:
    """The name is not taken from under somebody else; the platform can end that session."""
    left = site.begin()
    site.at_provider(left)
    asked = {
        "user": "grace",
        "returnTo": "https://shop.example/back",
        "types": [TYPE],
        "connection": "main",
    }
    refused = site.platform.post(BASE, asked)
    assert (
        refused.status,
        refused.json["details"][0]["path"],
        left["id"] in refused.json["hint"],
    ) == (409, "/connection", True)
    assert site.status(left) == "testing"


def test_a_connected_account_is_not_taken(site: Attacked) -> None:
    """What was approved and confirmed exists, whoever asks again."""
    begun = site.begin()
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof).status == 200
    refused = site.platform.post(
        BASE,
        {
            "user": "ada",
            "returnTo": "https://shop.example/back",
            "types": [TYPE],
            "connection": "main",
        },
    )
    assert (refused.status, "'reauth'" in refused.json["hint"]) == (409, True)
    assert site.connected() == "ada"


def test_whoever_leaves_half_way_is_in_nobodys_way(site: Attacked) -> None:
    """Calls that name no connection go on over the one that fits, lists and counts have no other,
    and the session's end takes it.
    """
    _, proof = site.approved(begun := site.begin())
    assert site.confirm(begun, proof).status == 200
    tenant = tenant_of(site)
    assert tenant.post("/v1/invocations", CALL).json["output"]["sub"] == "ada"
    left = site.begin(connection="other", user="grace")
    site.at_provider(left)
    assert site.stored() == ["main", "other"]
    assert tenant.post("/v1/invocations", CALL).json["output"]["sub"] == "ada"
    lists = [tenant.get("/v1/connections"), site.platform.get("/v1/workspaces/acme-1/connections")]
    assert [[row["name"] for row in one.json["items"]] for one in lists] == [["main"]] * 2
    assert (
        "'other'"
        in tenant.post("/v1/invocations", {**CALL, "connection": "other"}).json["error"]["message"]
    )
    assert site.platform.call("DELETE", f"{BASE}/{left['id']}").status == 204
    assert site.stored() == ["main"]


def test_whoever_leaves_half_way_takes_no_place(site: Attacked) -> None:
    """The limit of connections counts those that a list has, so that nobody is refused for one that
    nobody sees.
    """
    assert (
        site.platform.call("PATCH", "/v1/workspaces/acme-1", {"limits": {"connections": 1}}).status
        == 200
    )
    site.at_provider(site.begin(connection="other", user="grace"))
    tenant, values = tenant_of(site), {"server": site.provider.url, "token": "token-4711"}
    made = tenant.post(
        "/v1/connections?test=false", {"name": "own", "type": "http/bearer", "values": values}
    )
    assert (made.status, len(tenant.get("/v1/connections").json["items"])) == (201, 1)
    refused = site.platform.post(
        BASE,
        {
            "user": "ada",
            "returnTo": "https://shop.example/back",
            "types": [TYPE],
            "connection": "main",
        },
    )
    assert (refused.status, refused.json["limit"]) == (429, "connections")
    assert tenant.call("DELETE", "/v1/connections/own").status == 204
    assert (
        site.platform.call(
            "PATCH", "/v1/workspaces/acme-1", {"limits": {"connections": None}}
        ).status
        == 200
    )


def test_a_name_is_free_once_its_session_is_over(site: Attacked) -> None:
    """Whoever left half-way is in nobody's way after the session's time either, before any server
    has looked for such sessions.
    """
    left = site.begin(user="grace")
    site.at_provider(left)
    site.clock.advance(1801)
    begun = site.begin()
    assert (site.status(left), site.stored()) == ("expired", [])
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof).status == 200


def test_whoever_left_before_anything_fits_is_counted_once_approved(site: Attacked) -> None:
    """Without another connection, the call says that none fits; right after the confirmation, it
    succeeds over the new one.
    """
    tenant = tenant_of(site)
    begun = site.begin()
    _, proof = site.approved(begun)
    refused = tenant.post("/v1/invocations", CALL)
    assert (refused.status, refused.json["error"]["details"][0]["path"]) == (400, "/connection")
    assert site.confirm(begun, proof).status == 200
    assert tenant.post("/v1/invocations", CALL).json["output"]["sub"] == "ada"


def test_an_unapproved_connection_of_the_platform_fits_only_alone(site: Attacked) -> None:
    """One that was made over the API is listed, and a call chooses the approved one; alone, its
    refusal says what is missing.
    """
    tenant = tenant_of(site)
    url = site.provider.url
    values = {
        "server": url,
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "clientId": "c",
        "issuer": url,
    }
    assert (
        tenant.post(
            "/v1/connections?test=false", {"name": "bare", "type": TYPE, "values": values}
        ).status
        == 201
    )
    assert (
        "nobody has approved the connection 'bare'"
        in tenant.post("/v1/invocations", CALL).json["error"]["message"]
    )
    _, proof = site.approved(begun := site.begin())
    assert site.confirm(begun, proof).status == 200
    assert tenant.post("/v1/invocations", CALL).json["output"]["sub"] == "ada"
    assert [row["name"] for row in tenant.get("/v1/connections").json["items"]] == ["bare", "main"]


def test_a_crash_at_the_end_of_a_session_leaves_nothing(
    site: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that ended without its connection's removal: the next sweep of the server removes
    it.
    """
    left = site.begin()
    site.at_provider(left)
    with monkeypatch.context() as crashing:
        crashing.setattr(Connecting, "_discard", lambda _self, _found: None)
        assert site.platform.call("DELETE", f"{BASE}/{left['id']}").status == 204
    assert (site.status(left), site.stored()) == ("failed", ["main"])
    for sweep in site.stand.host.sweeps.values():
        sweep()
    assert site.stored() == []
