"""What a form must carry, and what the rules of a workspace or a token keep from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, is_in, placed, token


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console that nobody has opened yet."""
    with placed(tmp_path) as found:
        yield found


CHANGES = [
    "/connections",
    "/connections/hall/values",
    "/connections/hall/test",
    "/connections/hall/doctor",
    "/connections/hall/name",
    "/connections/hall/quotas",
    "/connections/hall/removal",
    "/connections/hall/guard",
    "/suppressions/removal",
    "/connectors/echo/actions/say/run",
    "/connectors/echo/actions/say/code",
    "/invocations/x/cancel",
    "/invocations/x/resolve",
    "/invocations/x/look",
    "/invocations/x/ask",
    "/invocations/x/redrive",
    "/connections/hall/authorization",
    "/uploads",
    "/tokens",
    "/tokens/x/revocation",
    "/workspace",
    "/invocations/x/approval",
    "/connectors/github/trial",
    "/marketplace/acme/installation",
    "/marketplace/acme/upgrade",
    "/marketplace/acme/version",
    "/marketplace/acme/removal",
    "/schedules",
    "/new-schedule",
    "/schedules/often/edit",
    "/schedules/often/pause",
    "/files/x/removal",
    "/callbacks",
    "/callbacks/x/pause",
    "/subscriptions",
    "/subscriptions/x/edit",
    "/subscriptions/x/pause",
    "/deliveries/x/resend",
    "/deliveries/dead/resend",
    "/tenants",
    "/shared-settings",
    "/tenants/x/switch",
    "/tenants/x/suspension",
    "/tenants/x/connect-sessions",
    "/tenants/x/connect-sessions/y/revocation",
    "/tenants/x/tokens/y/revocation",
    "/platforms/x/callbacks",
    "/platforms/x/callbacks/x/pause",
    "/platforms/x/deliveries/x/resend",
    "/platforms/x/deliveries/dead/resend",
    "/oauth-clients",
    "/oauth-clients/x",
    "/oauth-clients/x/removal",
    "/mcp-servers",
    "/mcp-servers/x/review",
    "/mcp-servers/x/acceptance",
    "/mcp-servers/x/overlay",
    "/mcp-servers/x/removal",
    "/invocations/selection",
    "/queue/dead-letters/selection",
    "/connections/selection",
    "/tokens/selection",
    "/workspaces/acme",
    "/new-batch",
]


def test_every_change_needs_the_token_of_its_form(place: Place) -> None:
    """A POST without the session's token, with another one's, or from another site, is refused."""
    client, other = place.signed_in(), place.signed_in()
    csrf, others = client.get("/").csrf, other.get("/").csrf
    found = {}
    for address in CHANGES:
        refused = (
            client.post(address, {}),
            client.post(address, {"csrf": others}),
            place.client().post(address, {"csrf": csrf}),
        )
        found[address] = (
            *(answer.status for answer in refused),
            client.post(address, {"csrf": csrf}, sec_fetch_site="cross-site").status,
        )
    assert found == dict.fromkeys(CHANGES, (403, 403, 303, 403))


def test_all_changes_are_tried() -> None:
    """The test above knows every route that changes something."""
    from jackfield_service.shell.pages.app import _PAGES

    assert len([page for page in _PAGES if page.method == "POST"]) == len(CHANGES)


@pytest.mark.parametrize("scope", ["read", "invoke"])
def test_a_scope_is_a_limit(place: Place, scope: str) -> None:
    """What a scope does not allow is refused, whatever the page would have shown."""
    client = place.signed_in(token(place, scope))
    csrf = client.get("/").csrf
    for address in (
        "/connections",
        "/connections/x/values",
        "/connections/x/name",
        "/connections/x/removal",
        "/tokens",
        "/workspace",
        "/tokens/x/revocation",
        "/invocations/x/resolve",
        "/marketplace/acme/upgrade",
    ):
        assert client.post(address, {"csrf": csrf}).status == 403, address
    assert client.get("/new-connection").status == 403
    answer = client.post("/connectors/echo/actions/say/run", {"csrf": csrf, "invocation": "{}"})
    assert answer.status == (403 if scope == "read" else 200)


def test_another_workspaces_things_are_not_there(place: Place) -> None:
    """Connections, invocations and tokens of another workspace are not found, as if they were not
    there.
    """
    place.workspaces.create("acme")
    runtime = place.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    identifier = runtime.invoke(
        {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hi"}}
    ).meta.invocation_id
    text = token(place, "manage")
    other = place.signed_in(token(place, "manage", "acme"))
    csrf = other.get("/").csrf
    assert other.get("/connections/hall").status == 404
    assert other.get(f"/invocations/{identifier}").status == 404
    assert "hall" not in other.get("/connections").text
    assert identifier not in other.get("/invocations").text
    own = place.tokens().list()[0][0].id
    assert other.post(f"/tokens/{own}/revocation", {"csrf": csrf}).status == 404
    assert other.post("/connections/hall/removal", {"csrf": csrf}).status == 404
    assert is_in(place.signed_in(text))


# Rules
