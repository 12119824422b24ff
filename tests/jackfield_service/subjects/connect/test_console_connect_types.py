"""The connect page of every curated connection type in a browser: light, dark, on a phone, in
German, by keyboard alone, with names for everything that is operated.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from http_stand import Client
from jackfield_store.access.platform_tokens import PlatformTokens

pytest_plugins = ["browser"]

BASE = "/v1/workspaces/acme-1/connect-sessions"
SERVER = {"server": "https://api.example.com"}
CLIENT = {
    "clientId": "c",
    "authorizationUrl": "https://login.example.com/authorize",
    "tokenUrl": "https://login.example.com/token",
}
KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret"}
USER = "arn:aws:iam::111122223333:user/shop"
TYPES: dict[str, dict[str, Any]] = {
    "aws-ses/apiKeySecret": {},
    "aws-ses/awsAssumeRole": KEYS,
    "aws-ses/awsRolesAnywhere": {},
    "aws-ses/smtp": {},
    "github/accessToken": {},
    "github/oauth": CLIENT,
    "http/apiKey": SERVER,
    "http/awsSigV4": {**SERVER, "region": "eu-west-1"},
    "http/basic": SERVER,
    "http/bearer": SERVER,
    "http/mutualTls": SERVER,
    "http/oauth2AuthorizationCode": {**SERVER, **CLIENT},
    "http/oauth2ClientCredentials": {**SERVER, "tokenUrl": CLIENT["tokenUrl"]},
    "http/openIdConnect": {**SERVER, **CLIENT},
    "slack/botToken": {},
    "stripe/secretKey": {},
}
"""Curated types, with what a platform brings."""
NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")].filter(
    found => !(found.labels?.length || found.ariaLabel || found.textContent.trim())).map(found => found.outerHTML)"""


@pytest.fixture
def platform(console: Console) -> Client:
    """A platform with the tenant ``acme-1``."""
    storage = console.host.storage
    made = PlatformTokens(storage.database, storage.vault, console.host.clock).create(
        "acme-*", "The Shop"
    )
    client = Client(urlsplit(console.origin).port or 0, made.text)
    assert client.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
    return client


def pressed(visitor: Visitor, name: str) -> None:
    """Go to a button by the tabulator, and press Enter."""
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate("document.activeElement?.textContent.trim()") == name:
            visitor.page.keyboard.press("Enter")
            return
    raise AssertionError(f"the tabulator does not come to {name!r}")


@pytest.mark.parametrize("name", TYPES)
def test_a_curated_type_for_a_customer(
    browser: Browser, console: Console, platform: Client, name: str, thoroughly: bool
) -> None:
    """In German: the page asks for nothing of the platform's or the operator's, and what is asked
    for has a name and passes axe.
    """
    visitor = Visitor(browser, console)
    page = visitor.page
    asked = {
        "verify": "link",
        "locale": "de",
        "theme": {"name": "Shop GmbH"},
        "types": [name],
        "defaults": {"values": TYPES[name]},
    }
    answer = platform.post(BASE, {**asked, "principal": USER} if TYPES[name] is KEYS else asked)
    assert answer.status == 201, answer.body
    page.goto(answer.json["url"])
    page.get_by_text("Shop GmbH bittet Sie").wait_for()
    page.route(
        "**/oauth2/start/*",
        lambda route: route.fulfill(body="<title>the provider</title>", content_type="text/html"),
    )
    onward = page.locator("main form button.primary").inner_text()
    if not page.locator("[name^='value.']").count():  # what is asked for at once needs no press
        pressed(visitor, onward)
    if CLIENT.items() <= TYPES[name].items():
        page.wait_for_url("**/oauth2/start/*")
        page.goto(f"{console.origin}/connect/session/{answer.json['id']}")
        assert onward.startswith("Weiter zu ")
        page.get_by_role("link", name=onward, exact=True).wait_for()
    else:
        page.get_by_role("button", name="Weiter").wait_for()
        assert (
            not page.get_by_text("Proxy")
            .or_(page.get_by_text("Warm-Up"))
            .or_(page.get_by_label("Server", exact=True))
            .count()
        )
        page.get_by_text("So geht es").or_(page.get_by_role("button", name="Weiter")).first.focus()
    assert page.evaluate(NAMELESS) == []
    assert page.locator("html").get_attribute("lang") == "de"
    picture = f"connect-{name.replace('/', '-')}"
    assert visitor.judged(picture, thoroughly=thoroughly) == []
    if page.get_by_role("button", name="Weiter").count():
        pressed(visitor, "Weiter")
        page.locator(".field-error:visible, [role=alert]:visible").first.wait_for()
        assert visitor.judged(f"{picture}-wrong", thoroughly=thoroughly, by_axe=False) == []
    visitor.close()


def test_the_choice_for_a_customer(
    browser: Browser, console: Console, platform: Client, thoroughly: bool
) -> None:
    """All systems as cards, with letters as icons in colours that can be read; one is chosen by
    keyboard.
    """
    visitor = Visitor(browser, console)
    values = {**SERVER, **CLIENT, **KEYS, "region": "eu-west-1"}
    answer = platform.post(
        BASE,
        {
            "verify": "link",
            "locale": "de",
            "types": [*TYPES],
            "principal": USER,
            "defaults": {"values": values},
        },
    )
    visitor.page.goto(answer.json["url"])
    pressed(visitor, "Beginnen")
    visitor.page.get_by_role("heading", name="Was möchten Sie verbinden?").wait_for()
    assert visitor.page.evaluate(NAMELESS) == []
    assert visitor.judged("connect-choice", thoroughly=thoroughly) == []
    pressed(visitor, "Slack")
    visitor.page.get_by_role("heading", name="Slack verbinden").wait_for()
    visitor.close()


AGAIN: dict[str, dict[str, Any]] = {
    "http/bearer": {**SERVER, "token": "t-4711"},
    "http/oauth2AuthorizationCode": {**SERVER, **CLIENT},
    "aws-ses/awsAssumeRole": {
        **KEYS,
        "roleARN": "arn:aws:iam::123456789012:role/jackfield",
        "region": "eu-west-1",
    },
}
"""A key, an approval and a role, as they are stored."""


@pytest.mark.parametrize("name", AGAIN)
def test_an_account_again_for_a_customer(
    browser: Browser, console: Console, platform: Client, name: str, thoroughly: bool
) -> None:
    """In German: the list, the page on which an account is connected again, and the question before
    it is disconnected.
    """
    stored = name.replace("aws-ses", "aws")
    console.host.runtime("acme-1").connections.add("main", stored, AGAIN[name], test=False)
    visitor = Visitor(browser, console)
    page, picture = visitor.page, f"again-{name.replace('/', '-')}"
    page.route(
        "**/oauth2/start/*",
        lambda route: route.fulfill(body="<title>the provider</title>", content_type="text/html"),
    )
    title = {"title": "Ihr Konto bei Acme"}
    asked = {
        "verify": "link",
        "locale": "de",
        "theme": {"name": "Shop GmbH"},
        "labels": dict.fromkeys((name, stored), title),
    }
    role = (
        {"principal": USER, "actions": ["sendEmail"], "types": [name]}
        if "roleARN" in AGAIN[name]
        else {}
    )
    for step, heading in (
        ("Neu verbinden", "Ihr Konto bei Acme neu verbinden"),
        ("Trennen", "Ihr Konto bei Acme trennen?"),
    ):
        answer = platform.post(BASE, {**asked, "mode": "manage", "allConnections": True})
        assert answer.status == 201, answer.body
        page.goto(answer.json["url"])
        pressed(visitor, "Beginnen")
        page.get_by_role("heading", name="Ihre Verbindungen").wait_for()
        assert visitor.judged(f"{picture}-list", thoroughly=thoroughly) == []
        pressed(visitor, step)
        page.get_by_role("heading", name=heading).wait_for()
        assert page.evaluate(NAMELESS) == []
        assert visitor.judged(f"{picture}-{step.split()[0]}", thoroughly=thoroughly) == []
    answer = platform.post(BASE, {**asked, "mode": "reauth", "connection": "main", **role})
    assert answer.status == 201, answer.body
    page.goto(answer.json["url"])
    pressed(visitor, page.locator("main form button.primary").inner_text())
    if CLIENT.items() <= AGAIN[name].items():
        page.wait_for_url("**/oauth2/start/*")
        page.goto(f"{console.origin}/connect/session/{answer.json['id']}")
        page.get_by_role("button", name="Noch einmal beginnen").wait_for()
    page.get_by_role("heading", name="Ihr Konto bei Acme neu verbinden").wait_for()
    assert (page.locator("html").get_attribute("lang"), page.evaluate(NAMELESS)) == ("de", [])
    assert (page.get_by_text("External ID").count() > 0) is bool(role)
    assert visitor.judged(picture, thoroughly=thoroughly) == []
    visitor.close()
