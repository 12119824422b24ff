"""The page of a connect session in a browser: a person connects an AWS role without reading
anything else, in few clicks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from http_stand import Client
from jackfield.testing import Answer, Provider
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.serving import GENERATED
from jackfield_store.access.platform_tokens import PlatformTokens

pytest_plugins = ["browser"]

USER = "arn:aws:iam::123456789012:user/jackfield"
BASE = "/v1/workspaces/acme-1/connect-sessions"
_TOP = "heading => heading.getBoundingClientRect().top + scrollY"
_FOCUSED = """() => {
    const found = document.activeElement, {top, bottom} = found.getBoundingClientRect();
    return [found.id || found.getAttribute("role"), top >= 0 && bottom <= innerHeight];
}"""
"""What has the focus, and whether all of it is in the window."""


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


def begin(console: Console, platform: Client, **body: Any) -> dict[str, Any]:
    """Begin a session that returns to a page of the same server, which stands for the
    platform's.
    """
    answer = platform.post(BASE, {"user": "ada", "returnTo": f"{console.origin}/docs", **body})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


def defaults_at(aws: EmbeddedAws) -> dict[str, Any]:
    """The platform's own key, and the endpoints of a simulator."""
    keys = {"accessKeyId": aws.access_key_id, "secretAccessKey": aws.secret_access_key}
    values = {**keys, "region": aws.region, "endpoint": aws.url, "stsEndpoint": aws.url}
    return {
        "values": values,
        "locked": [*values, "sessionToken", "sender", "sessionPolicy", "durationSeconds", "warmup"],
    }


def test_a_person_connects_an_aws_role(
    browser: Browser, console: Console, platform: Client, tmp_path: Path, thoroughly: bool
) -> None:
    """A template comes first that creates the role, with its External ID; a role that does not
    trust it says what to change; the account is shown before it is connected. Every page passes
    axe.
    """
    visitor = Visitor(browser, console)
    page = visitor.page
    with EmbeddedAws(trusted_ids=GENERATED) as aws:
        begun = begin(
            console,
            platform,
            types=["aws-ses/awsAssumeRole", "echo/token"],
            defaults=defaults_at(aws),
            principal=USER,
        )
        page.goto(begun["url"])
        assert visitor.axe() == []
        page.get_by_role("button", name="Begin").click()
        assert visitor.axe() == []
        page.get_by_role("button", name="Amazon SES").click()
        assert visitor.judged("connect-role", thoroughly=thoroughly) == []
        page.get_by_text("Or by hand, in the IAM console").click()
        text = page.locator("main").inner_text()
        assert text.index("External ID") < text.index("Role ARN", text.index("2. Enter the role"))
        external = page.get_by_role("region", name="External ID").inner_text()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy: External ID").click()
        page.get_by_text("Copied", exact=True).wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == external
        trust = json.loads(page.get_by_role("region", name="Trust policy").inner_text())[
            "Statement"
        ][0]
        assert (trust["Principal"], trust["Condition"]) == (
            {"AWS": USER},
            {"StringEquals": {"sts:ExternalId": external}},
        )
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the template").click()
        download.value.save_as(tmp_path / "template.json")
        template = json.loads((tmp_path / "template.json").read_text(encoding="utf-8"))
        assert template["Resources"]["Role"]["Properties"]["RoleName"] == "access-aws-ses"
        assert external in json.dumps(template)
        assert aws.secret_access_key not in page.content()
        page.get_by_label("Role ARN").fill("arn:aws:iam::123456789012:role/another")
        page.get_by_role("button", name="Continue").click()
        page.locator(".field-error").wait_for()
        assert visitor.judged("connect-failed", thoroughly=thoroughly) == []
        assert page.get_by_text("What to do").count() > 0
        page.get_by_label("Role ARN").fill(aws.role_arn)
        page.get_by_role("button", name="Continue").click()
        page.get_by_text(
            "Signed in as the role jackfield-ses in the AWS account 1234-5678-9012."
        ).wait_for()
        assert visitor.judged("connect-account", thoroughly=thoroughly) == []
        page.get_by_role("button", name="Connect", exact=True).click()
        page.wait_for_url("**/docs?session=*")
        proof = parse_qs(urlsplit(page.url).query)["proof"][0]
        done = platform.post(f"{BASE}/{begun['id']}:confirm", {"proof": proof, "user": "ada"})
        assert (done.status, done.json["account"]["id"]) == (200, "123456789012")
        assert (done.json["connection"], done.json["status"]) == ("aws-ses", "granted")
        page.goto(begun["url"])
        page.get_by_role("heading", name="Connected").wait_for()
        assert visitor.axe() == []
    visitor.close()


def test_a_key_is_connected_by_the_keyboard_alone(
    browser: Browser, console: Console, platform: Client
) -> None:
    """The key is refused at its field, typed again there, and the way back leads to the platform by
    its name.
    """
    visitor = Visitor(browser, console)
    page, keyboard = visitor.page, visitor.page.keyboard
    begun = begin(console, platform, types=["echo/token"])
    page.goto(begun["url"])
    visitor.reach("Begin")
    keyboard.press("Enter")
    page.get_by_label("Token").wait_for()
    visitor.reach("Token")
    keyboard.type("bad")
    keyboard.press("Enter")
    page.locator("[aria-invalid=true]:focus, .notice.bad:focus").wait_for()
    visitor.reach("Token")
    keyboard.type("sesame")
    keyboard.press("Enter")
    page.get_by_role("heading", name="Connect Echo to The Shop?").wait_for()
    page.get_by_text("Signed in as The echo in the hall.").wait_for()
    visitor.reach("Connect")
    keyboard.press("Enter")
    page.wait_for_url("**/docs?session=*")
    proof = parse_qs(urlsplit(page.url).query)["proof"][0]
    assert (
        platform.post(f"{BASE}/{begun['id']}:confirm", {"proof": proof, "user": "ada"}).json[
            "status"
        ]
        == "granted"
    )
    page.goto(begun["url"])
    page.get_by_role("heading", name="Connected: The echo in the hall").wait_for()
    visitor.reach("Return to ")
    assert visitor.axe() == []
    visitor.close()


def test_a_refused_role_is_mended_where_it_was_entered(
    browser: Browser, console: Console, platform: Client
) -> None:
    """The quickest way to a role comes first. After a test that has failed, all of that stays where
    it was; the field is marked, described by what was refused, in the window and has the focus.
    """
    visitor = Visitor(browser, console)
    page, heading, role = (
        visitor.page,
        visitor.page.get_by_role("heading", name="2. Enter the role"),
        visitor.page.get_by_label("Role ARN"),
    )
    with EmbeddedAws(trusted_ids=GENERATED) as aws:
        page.goto(
            begin(
                console,
                platform,
                types=["aws-ses/awsAssumeRole"],
                defaults=defaults_at(aws),
                principal=USER,
            )["url"]
        )
        page.get_by_role("button", name="Begin").click()
        text = page.locator("main").text_content() or ""  # the other ways are folded
        ways = [
            *map(
                text.index,
                ("Download the template", "--region eu-west-1", "Or by hand, in the IAM console"),
            )
        ]
        before = heading.evaluate(_TOP)
        role.fill("arn:aws:iam::123456789012:role/another")
        page.get_by_role("button", name="Continue").click()
        page.locator(".field-error").wait_for()
        assert (ways, heading.evaluate(_TOP)) == (sorted(ways), before)
        assert (page.evaluate(_FOCUSED), role.get_attribute("aria-invalid")) == (
            ["field-roleARN", True],
            "true",
        )
        fault = (role.get_attribute("aria-describedby") or "").split()[-1]
        assert "be assumed" in page.locator(f"#{fault}").inner_text()
    visitor.close()


def test_a_refusal_takes_the_focus(browser: Browser, console: Console, platform: Client) -> None:
    """The field that was refused or, where it could be several, what the page says of it: keyboards
    and screen readers are where there is something to mend.
    """
    visitor = Visitor(browser, console)
    page = visitor.page
    with Provider(lambda _number, _request: Answer({"message": "bad key"}, 401)) as provider:
        for kind, values, focused in (
            ("http/apiKey", {"API Key": "k-4711"}, "field-apiKey"),
            ("http/basic", {"User Name": "ada", "Password": "wrong"}, "alert"),
        ):
            defaults = {"values": {"server": provider.url, "testPath": "/me"}}
            page.goto(begin(console, platform, types=[kind], defaults=defaults)["url"])
            if len(values) > 1:  # one is asked for at once
                page.get_by_role("button", name="Begin").click()
            for label, text in values.items():
                page.get_by_label(label).fill(text)
            page.get_by_role("button", name="Continue").click()
            page.locator(".field-error, .card [role=alert]").first.wait_for()
            assert page.evaluate(_FOCUSED) == [focused, True]
            assert visitor.axe() == []
            page.get_by_role("button", name="Cancel").click()
    visitor.close()


def test_only_the_sessions_origins_frame_the_page(
    browser: Browser, console: Console, platform: Client
) -> None:
    """A page of the session's origins shows it in a frame, where the person connects; in a frame of
    any other page there is nothing.
    """
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    framed: list[str] = []
    kind = {"Content-Type": "text/html"}
    with Provider(
        lambda *_: Answer(
            content=f'<!doctype html><iframe src="{framed[0]}"></iframe>'.encode(), headers=kind
        )
    ) as site:
        ours, theirs = site.url, site.url.replace("127.0.0.1", "localhost")
        framed.append(str(begin(console, platform, types=["echo/token"], origins=[ours])["url"]))
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            page.goto(theirs)
        assert page.frames[1].get_by_role("button", name="Begin").count() == 0
        page.goto(ours)
        frame = page.frame_locator("iframe")
        page.locator("iframe").evaluate("frame => frame.style.height = '120px'")
        frame.get_by_text("More below").wait_for()
        frame.get_by_role("button", name="Cancel").scroll_into_view_if_needed()
        frame.get_by_text("More below").wait_for(state="hidden")
        frame.get_by_label("Token").fill("x")
        frame.get_by_role("button", name="Continue").click()
        frame.get_by_text("Signed in as The echo in the hall.").wait_for()
    context.close()


_TARGETS = """() => [...document.querySelectorAll("main :is(button, a.button, summary, input, select)")]
    .filter(found => found.checkVisibility() && found.type !== "checkbox" && found.type !== "hidden")
    .map(found => [found.id || found.textContent, found.getBoundingClientRect().height, parseFloat(getComputedStyle(found).fontSize),
                   found.tagName])
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_thumb_finds_what_to_press(
    browser: Browser, console: Console, platform: Client, scheme: Any
) -> None:
    """On a phone, what is pressed is 44 px high or more, and no field is smaller than the 16 px
    below which iOS zooms in.
    """
    phone = browser.new_context(
        has_touch=True,
        is_mobile=True,
        viewport={"width": 390, "height": 844},
        locale="de-DE",
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = phone.new_page()
    page.set_default_timeout(60_000)
    with EmbeddedAws(trusted_ids=GENERATED) as aws:
        page.goto(
            begin(
                console,
                platform,
                types=["aws-ses/awsAssumeRole"],
                defaults=defaults_at(aws),
                principal=USER,
            )["url"]
        )
        for heading in ("Amazon SES", "2. Die ARN der Rolle eingeben"):
            page.get_by_role("heading", name=heading).wait_for()
            targets = page.evaluate(_TARGETS)
            assert len(targets) > 0
            assert [target for target in targets if target[1] < 44] == []
            assert [
                target for target in targets if target[3] in ("INPUT", "SELECT") and target[2] < 16
            ] == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.locator("main form button").first.tap() if heading == "Amazon SES" else None
    phone.close()
