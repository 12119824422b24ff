"""The sample platform in ``examples/platform``, in a browser, from the customer's first visit to
the last.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import uvicorn
from playwright.sync_api import Browser, Page

from console_rig import Console, served
from jackfield.testing import Answer, Provider
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.serving import GENERATED
from jackfield_store.access.platform_tokens import PlatformTokens
from oauth2_authority import Codes
from plugboard import declare, plugged
from publishing_aws import TOPIC, publishing_aws
from waiting import until as waited

pytest_plugins = ["browser"]

SHOP = Path(__file__).parents[4] / "examples" / "platform" / "shop.py"
USER = "arn:aws:iam::123456789012:user/jackfield"


def systems(
    console: Console, aws: EmbeddedAws, endpoint: str, provider: str, slack: str
) -> dict[str, Any]:
    """What the shop's customers can connect: a role of AWS, GitHub by OAuth, and Slack; providers
    on loopback stand for the two.
    """
    keys = {"accessKeyId": aws.access_key_id, "secretAccessKey": aws.secret_access_key}
    role = {**keys, "region": aws.region, "endpoint": endpoint, "stsEndpoint": aws.url}
    urls = {
        "authorizationUrl": f"{provider}/authorize",
        "tokenUrl": f"{provider}/token",
        "clientId": "c",
        "server": provider,
    }
    known = console.host.catalog.find("github").connection_types["oauth"].schema["properties"]
    return {
        "mail": {
            "title": "Amazon SES",
            "types": ["aws-ses/awsAssumeRole"],
            "principal": USER,
            "defaults": {"values": role, "locked": [*role]},
        },
        "code": {
            "title": "GitHub",
            "types": ["github/oauth"],
            "defaults": {"values": urls, "locked": [*known]},
        },
        "chat": {
            "title": "Slack",
            "types": ["slack/botToken"],
            "defaults": {"values": {"server": slack}, "locked": ["server"]},
        },
    }


@contextlib.contextmanager
def shop(console: Console, folder: Path, offered: dict[str, Any]) -> Iterator[str]:
    """Serve the shop beside the server."""
    storage = console.host.storage
    token = (
        PlatformTokens(storage.database, storage.vault, console.host.clock)
        .create("shop-*", "The Shop")
        .text
    )
    (folder / "systems.json").write_text(json.dumps(offered), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        known = {
            "JACKFIELD_URL": console.origin,
            "JACKFIELD_TOKEN": token,
            "SHOP_URL": url,
            "SHOP_SYSTEMS": str(folder / "systems.json"),
        }
        with mock.patch.dict(os.environ, known):
            spec = importlib.util.spec_from_file_location("shop", SHOP)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        server = uvicorn.Server(
            uvicorn.Config(module.app, log_config=None, timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="shop", daemon=True
        )
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(60)


def until(page: Page, text: str, part: str = "#events") -> None:
    """Reload the shop's page until a part of it has the text."""
    for _ in range(300):
        if text in page.locator(part).inner_text():
            return
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError(page.locator(part).inner_text())


def a_channel_is_told_of_bounces(page: Page, url: str) -> None:
    """Connect Slack, and let each bounce start a message, once the subscription has been
    confirmed.
    """
    page.get_by_role("button", name="Connect Slack").click()
    page.get_by_label("Bot token").fill("xoxb-1")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url(f"{url}/")
    page.get_by_label("Channel").fill("C1")
    page.get_by_role("button", name="Watch").click()
    until(page, "bounces active", "#watched")


def messages(console: Console, slack: Provider) -> list[Any]:
    """All messages that the queued calls have sent. They were queued with their events, before SNS
    had its answers.
    """
    query = "SELECT status FROM invocations WHERE workspace LIKE 'shop-%' AND connector = 'slack'"

    def ended() -> bool:
        with console.host.storage.database.read() as transaction:
            return all(row.status == "succeeded" for row in transaction.execute(query, {}))

    waited(ended)
    return [
        json.loads(request.body)
        for request in slack.requests
        if request.path == "/chat.postMessage"
    ]


def bounce(message: str) -> dict[str, Any]:
    """SES's record of a message that bounced."""
    mail = {
        "timestamp": "2026-11-20T10:00:00.000Z",
        "messageId": message,
        "source": "noreply@example.com",
        "destination": ["bob@example.com"],
    }
    about = {
        "bounceType": "Permanent",
        "bounceSubType": "NoEmail",
        "feedbackId": "f-1",
        "timestamp": "2026-11-20T10:00:05.000Z",
        "bouncedRecipients": [{"emailAddress": "bob@example.com", "status": "5.1.1"}],
    }
    return {"eventType": "Bounce", "mail": mail, "bounce": about}


def test_a_customer_of_the_sample_platform(browser: Browser, tmp_path: Path) -> None:
    """Sign up, connect a role of AWS, GitHub by OAuth and Slack, send a mail whose bounce becomes
    one message in a channel, also when SNS repeats it, see what the callbacks tell, disconnect, and
    leave: nothing is left of the tenant.
    """
    declare(
        tmp_path / "packages",
        "jackfield-github",
        "jackfield.connectors",
        {"github": "jackfield_github:http"},
    )
    declare(
        tmp_path / "packages",
        "jackfield-slack",
        "jackfield.connectors",
        {"slack": "jackfield_slack:http"},
    )
    authority = Codes()
    with (
        plugged(tmp_path / "packages"),
        EmbeddedAws(trusted_ids=GENERATED) as aws,
        publishing_aws(aws.url) as front,
        Provider(authority) as provider,
        Provider(lambda _number, _request: Answer({"ok": True, "ts": "1.2", "team": "T"})) as slack,
        served(tmp_path, named=True, queue_workers=1, allowed_hosts=("127.0.0.1",)) as console,
        shop(console, tmp_path, systems(console, aws, front.url, provider.url, slack.url)) as url,
    ):
        front.hooks = int(console.origin.rpartition(":")[2])
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.get_by_label("Your name").fill("ada")
        page.get_by_role("button", name="Sign up").click()
        page.get_by_role("button", name="Connect Amazon SES").click()
        page.get_by_label("Role ARN").fill(aws.role_arn)
        page.get_by_role("button", name="Continue", exact=True).click()
        page.get_by_role("button", name="Connect", exact=True).click()
        page.wait_for_url(f"{url}/")
        assert "mail ok 123456789012" in page.locator("#accounts").inner_text()
        page.get_by_role("button", name="Connect GitHub").click()
        assert authority.exchanged == []
        page.get_by_role("button", name=re.compile("Continue to ")).click()
        page.get_by_role("button", name="Connect", exact=True).click()
        page.wait_for_url(f"{url}/")
        assert "code" in page.locator("#accounts").inner_text()
        a_channel_is_told_of_bounces(page, url)
        page.get_by_label("From").fill("noreply@example.com")
        page.get_by_label("To").fill("bob@example.com")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("The mail: succeeded").wait_for()
        until(page, "connect.completed mail")
        until(page, "succeeded")
        assert [front.publish(bounce(aws.sent[-1].message_id), TOPIC) for _ in range(2)] == [
            [200],
            [200],
        ]
        until(page, "aws_ses.bounced bounces")
        (told,) = messages(console, slack)
        assert (told["channel"], told["text"]) == (
            "C1",
            "Mail to bob@example.com bounced: no such mailbox",
        )
        page.get_by_role("button", name="Disconnect mail").click()
        page.get_by_role("button", name="Disconnect mail").wait_for(state="detached")
        page.get_by_role("button", name="Leave the shop").click()
        page.get_by_role("button", name="Sign up").wait_for()
        context.close()
        with console.host.storage.database.read() as transaction:
            assert (
                transaction.execute("SELECT name FROM workspaces WHERE name LIKE 'shop-%'", {})
                == []
            )
