"""A customer of the sample platform connects an MCP server that the platform offers, by OAuth, in a
browser.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from tests.jackfield_service.subjects.tenants.test_console_platform import shop

from console_rig import Console, served
from http_stand import Client
from jackfield.callers.actor import Actor
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.management.mcp_servers import ServerWish, mcp_servers
from mcp_provider import Provider, guarded
from mcp_rig import ToolServer, serving

pytest_plugins = ["browser"]

SYSTEMS = {
    "notes": {
        "title": "Notes",
        "types": ["mcp.notes/oauth2Discovered"],
        "defaults": {
            "values": {},
            "locked": ["clientId", "clientSecret", "scopes", "resource", "server"],
        },
    }
}


def offered(console: Console, notes: ToolServer) -> None:
    """Let the operator add the server for all workspaces; it lists its tools with a token of the
    operator's.
    """
    servers = mcp_servers(console.host.runtime("default"), Actor("cli", "ada"), "operator")
    servers.add(
        ServerWish(
            "notes", notes.url, shared=True, credentials=("Authorization", "Bearer access-of-ada")
        )
    )


class Tenant:
    """The customer's workspace, as the platform sees it."""

    def __init__(self, console: Console) -> None:
        storage = console.host.storage
        made = PlatformTokens(storage.database, storage.vault, console.host.clock).create(
            "shop-*", "Test"
        )
        port = int(console.origin.rpartition(":")[2])
        self._platform = Client(port, made.text)
        (name,) = [
            row["name"]
            for row in self._platform.get("/v1/workspaces").json["items"]
            if row["name"].startswith("shop-")
        ]
        self._at = f"/v1/workspaces/{name}"
        self._client = Client(
            port, self._platform.post(f"{self._at}/tokens", {"scope": "invoke"}).json["token"]
        )

    def invoke(self) -> dict[str, Any]:
        """Call the tool with the workspace's rights."""
        body = {
            "connector": "mcp.notes",
            "action": "addNote",
            "connection": "notes",
            "inputs": {"text": "hello"},
        }
        found: dict[str, Any] = self._client.post("/v1/invocations", body).json
        return found

    def again(self, shop_url: str) -> str:
        """Let the customer connect the account again; the address of the page."""
        asked = {
            "mode": "reauth",
            "connection": "notes",
            "user": "ada",
            "returnTo": f"{shop_url}/connected",
        }
        return str(self._platform.post(f"{self._at}/connect-sessions", asked).json["url"])


def test_a_customer_connects_a_server(browser: Browser, tmp_path: Path) -> None:
    """The person approves at the provider that the server names; calls go out with their token. A
    server that asks for more scopes gets them once the customer connects again, over the client
    that was registered first.
    """
    notes, provider = ToolServer(), Provider()
    with (
        provider.serving(),
        serving(notes),
        served(tmp_path, named=True, allowed_hosts=("127.0.0.1",)) as console,
        shop(console, tmp_path, SYSTEMS) as url,
    ):
        guarded(notes, provider)[0] = True
        offered(console, notes)
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.get_by_label("Your name").fill("ada")
        page.get_by_role("button", name="Sign up").click()

        def connected() -> str:
            page.get_by_role("button", name=re.compile("Continue to ")).click()
            page.get_by_role("link", name="Approve").wait_for()
            asked = page.get_by_role("heading").inner_text()
            page.get_by_role("link", name="Approve").click()
            page.get_by_role("button", name="Connect", exact=True).click()
            page.wait_for_url(f"{url}/")
            return asked

        page.get_by_role("button", name="Connect Notes", exact=True).click()
        assert connected() == "notes:read offline_access"
        assert "notes ok" in page.locator("#accounts").inner_text()
        tenant = Tenant(console)
        assert tenant.invoke()["status"] == "succeeded"
        assert notes.requests[-1][1]["Authorization"].startswith("Bearer access-")
        notes.on_call = lambda talk: talk.json(
            {}, 403, WWW_Authenticate='Bearer error="insufficient_scope", scope="notes:write"'
        )
        assert tenant.invoke()["error"]["code"] == "forbidden"
        page.goto(tenant.again(url))
        assert (connected(), provider.registrations()) == (
            "notes:read offline_access notes:write",
            1,
        )
        context.close()
