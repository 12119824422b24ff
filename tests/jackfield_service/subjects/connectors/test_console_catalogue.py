"""Pages of a catalogue in a real browser: search, phone, dark, from a disk, and what hostile
connectors cannot do to a reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser
from tests.jackfield_market.publishing import built, file_of, named, new_key, publish
from tests.jackfield_market.tuf_client import serving

from browsing import Visitor
from console_rig import Console
from jackfield_market.site import pages
from shell import Shell

pytest_plugins = ["browser", "shell_fixture"]

SES = Path(__file__).parents[4] / "connectors/aws-ses/jackfield_aws_ses/connector.json"
EVIL = "<script>window.hacked = 1</script>"
EVENT = "\"'><img src=x onerror='window.hacked = 1'>"
LINK = (
    "[press](javascript:window.hacked=1) "
    "[data](data:text/html,<script>window.hacked=1</script>) ![x](https://evil.example/x.png)"
)
SVG = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' "
    f"onload='window.hacked=1'>{EVIL}<image href='https://evil.example/x'/></svg>"
)


LISTING = {
    "tasks": {"send a mail with ses": "sendEmail"},
    "review": "Amazon reviews accounts before they leave the sandbox.",
    "noAccount": "No answer has it.",
    "proof": {
        "tier": "checked",
        "on": "2026-11-20",
        "document": "botocore 1.43",
        "facts": [
            {
                "about": "A mail has at most 40 MB",
                "url": "https://docs.aws.amazon.com/ses",
                "on": "2026-11-21",
            }
        ],
        "known": ["Codes of errors"],
    },
}


@dataclass(frozen=True)
class Site:
    """Somewhere a catalogue's pages are."""

    origin: str


def hostile(manifest: dict[str, Any]) -> None:
    """A manifest that carries scripts wherever text can be."""
    text = f"{EVIL} {EVENT} {LINK}"
    field = {
        "type": "string",
        "title": f"{EVIL}{EVENT}{LINK}",
        "description": text,
        "default": text,
        "pattern": "<b>",
        "examples": [EVENT],
    }
    kind = {
        "key": "door",
        "title": EVIL,
        "description": text,
        "auth": "custom",
        "setup": f"# {EVIL}\n\n{EVENT}\n\n{LINK}\n\n<b onclick=x>b</b>",
    }
    kind["schema"] = {"type": "object", "additionalProperties": False, "properties": {EVENT: field}}  # type: ignore[assignment]
    manifest.update(
        {
            "title": f"{EVIL}\u202egnp.exe",
            "description": text,
            "icon": SVG,
            "documentationUrl": "javascript:window.hacked=1",
        }
    )
    manifest.update({"categories": [EVIL], "license": EVIL, "connectionTypes": [kind]})
    fact = {"about": text, "url": "javascript:window.hacked=1", "on": EVIL}
    proof = {"tier": "recorded", "on": EVIL, "document": EVIL, "facts": [fact], "known": [text]}
    manifest["listing"] = {"tasks": {text: EVENT}, "review": text, "proof": proof}
    action = manifest["actions"][0]
    action.update({"title": EVENT, "description": text, "permissions": {EVIL: [EVENT]}})
    action["inputs"]["properties"] = {"name": field, EVENT: {"enum": [EVIL, EVENT]}}


def ses(manifest: dict[str, Any]) -> None:
    """A part of the manifest of a real connector."""
    found = json.loads(SES.read_text(encoding="utf-8"))
    manifest.update(
        {
            **found,
            "version": manifest["version"],
            "actions": found["actions"][:7],
            "listing": LISTING,
        }
    )


def shorter(manifest: dict[str, Any]) -> None:
    """A later version with a breaking change."""
    manifest["actions"][0]["inputs"]["properties"]["name"]["maxLength"] = 5


@pytest.fixture
def folder(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue with an ordinary connector, a real one, a hostile one and a withdrawn one, two to
    a page of the list.
    """
    monkeypatch.setattr(pages, "_LISTED", 2)
    publish(shell, named("acme"), file_of("acme"))
    publish(shell, named("acme", "2.0.0", shorter), file_of("acme", "2.0.0"))
    publish(shell, named("aws-ses", change=ses), file_of("aws-ses"))
    publish(
        shell,
        named("hostile", change=hostile, readme=f"# {EVIL}\n\n{EVENT}\n\n{LINK}\n"),
        file_of("hostile"),
        "mallory.key",
    )
    publish(shell, named("gone"), file_of("gone"), "gone.key")
    assert shell.run("catalogue", "init", "site").code == 0
    shell.write(
        "checks/acme.json",
        json.dumps({"connector": "acme", "version": "2.0.0", "grade": "gold", "rules": []}),
    )
    built(shell, "--checks", "checks")
    assert (
        shell.run("catalogue", "revoke", "site", new_key(shell, "gone.key"), "--reason", EVIL).code
        == 0
    )
    return shell.folder / "site"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Address of the served site."""
    with serving(folder) as found:
        yield found


def visit(browser: Browser, origin: str) -> Visitor:
    """Somebody at a browser, to whom every foreign request, script error and breach of the policy
    is a fault.
    """
    return Visitor(browser, cast("Console", Site(origin)))


PAGES = (
    "",
    "/list/2.html",
    "/publishers/index.html",
    "/connectors/acme/index.html",
    "/connectors/aws-ses/index.html",
    "/connectors/hostile/index.html",
    "/connectors/gone/index.html",
)
OF_A_KIND = ("/list/2.html", "/connectors/acme/index.html")
"""Pages that axe looks at in campaigns only: the first of the list has the same parts, and so has a
larger connector.
"""


def test_every_page_is_accessible_and_fits_a_phone(
    browser: Browser, url: str, thoroughly: bool
) -> None:
    """On a phone and a screen, light and dark: no fault of axe, nothing wider than the window,
    headings in order, no request elsewhere.
    """
    visitor = visit(browser, url)
    for path in PAGES:
        visitor.page.goto(f"{url}{path}")
        visitor.page.evaluate(
            "for (const one of document.querySelectorAll('details')) one.open = true"
        )
        levels = visitor.page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(one => Number(one.tagName[1]))"
        )
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(after <= before + 1 for before, after in pairwise(levels)), path
        assert visitor.page.evaluate("document.querySelectorAll('main').length") == 1
        name = f"catalogue{path.replace('/', '-').removesuffix('.html')}"
        assert visitor.judged(name, thoroughly=thoroughly, by_axe=path not in OF_A_KIND) == []
    visitor.close()


def test_hostile_connectors_run_nothing(browser: Browser, url: str) -> None:
    """Scripts in title, texts, setup guide, README and icon are text: none runs, no link leads to
    one, and no other host is asked.
    """
    visitor = visit(browser, url)
    for path in (
        "",
        "/connectors/hostile/index.html",
        "/connectors/gone/index.html",
        "/publishers/index.html",
    ):
        visitor.page.goto(f"{url}{path}")
        visitor.check()
    visitor.page.goto(f"{url}/connectors/hostile/index.html")
    links = visitor.page.evaluate("[...document.links].map(link => link.protocol)")
    assert set(links) <= {"http:", "https:"}
    inside = (
        "document.querySelectorAll('main script, main iframe, main object, main [onclick], "
        "main [onerror], main [onload]').length"
    )
    assert visitor.page.evaluate(inside) == 0
    assert visitor.page.evaluate(
        "[...document.querySelectorAll('main img')].map(image => image.src.slice(0, 19))"
    ) == ["data:image/svg+xml;"]
    assert "\u202e" not in visitor.page.content()
    box = visitor.page
    box.goto(url)
    box.get_by_label("Search connectors and actions").fill("window.hacked")
    box.locator("#results li").first.wait_for()
    visitor.check()
    assert visitor.page.evaluate("window.hacked") is None
    assert "\u202e" not in visitor.page.content()
    visitor.close()


def test_somebody_finds_and_copies(browser: Browser, url: str) -> None:
    """Search by words of titles and actions finds a connector; its page shows what installs it and
    what changed; the line can be copied.
    """
    visitor = visit(browser, url)
    page = visitor.page
    visitor._context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    page.goto(url)
    page.get_by_label("Search connectors and actions").fill("send EMAIL")
    page.locator("#results li").first.wait_for()
    assert page.locator("#status").inner_text() == "1 of 4 connectors match"
    assert page.locator("#listed").is_hidden()
    page.get_by_label("Search connectors and actions").fill("nothing like it")
    page.get_by_text("0 of 4 connectors match").wait_for()
    page.get_by_label("Search connectors and actions").fill("")
    assert page.locator("#listed").is_visible()
    page.get_by_label("Category").select_option(label="email (1)")
    page.get_by_text("1 of 4 connectors match").wait_for()
    assert page.locator("#results li").all_inner_texts()[0].startswith("Amazon SES")
    assert page.locator("#results img.icon").count() == 1
    page.get_by_label("Search connectors and actions").fill("greet")
    page.get_by_text("0 of 4 connectors match").wait_for()
    page.get_by_label("Category").select_option(label="All categories")
    page.locator("#results").get_by_role("link", name="Acme").first.wait_for()
    page.get_by_label("Search connectors and actions").fill("acme")
    page.get_by_role("link", name="Acme").first.click()
    page.wait_for_url("**/connectors/acme/index.html")
    page.get_by_role("button", name="Copy: the command of jackfield").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"jackfield install acme --from {url}"
    assert page.get_by_text("gold", exact=True).is_visible()
    page.get_by_text("Changes since 1.0.0: 1 breaking").click()
    assert page.get_by_text("'maxLength' changes from 20 to 5").is_visible()
    visitor.check()
    visitor.close()


def test_a_page_says_how_far_a_connector_is_proven(browser: Browser, url: str) -> None:
    """Lists and pages show sign-ins, tasks, the tier of the proof and what the provider reviews;
    the list can leave that out.
    """
    visitor = visit(browser, url)
    page = visitor.page
    pages = []
    for path in ("", "/list/2.html"):
        page.goto(f"{url}{path}")
        pages.append(page.locator("#listed").inner_text())
    entry = next(text for text in pages if "Amazon SES" in text)
    assert "checked on 2026-11-20 needs an app review" in entry
    assert "For example: send a mail with ses" in entry
    page.get_by_label("Search connectors and actions").fill("send a mail with ses")
    page.get_by_text("1 of 4 connectors match").wait_for()
    assert "For example: send a mail with ses" in page.locator("#results li").first.inner_text()
    page.get_by_label("Without an app review only").check()
    page.get_by_text("0 of 4 connectors match").wait_for()
    page.get_by_label("Search connectors and actions").fill("")
    page.get_by_text("2 of 4 connectors match").wait_for()
    page.goto(f"{url}/connectors/aws-ses/index.html")
    shown = page.locator("main").inner_text()
    assert (
        "checked against the provider's document botocore 1.43 of 2026-11-20; what was not "
        "seen on its pages"
    ) in shown
    assert "Amazon reviews accounts" in shown
    assert "A mail has at most 40 MB: seen on 2026-11-21" in shown
    assert "Codes of errors: not seen on a page of the provider" in shown
    assert "Connections do not name their account: No answer has it." in shown
    assert "not made or endorsed by the provider" in shown
    page.get_by_role("link", name="send a mail with ses").click()
    page.wait_for_url("**#action-sendEmail")
    visitor.check()
    visitor.close()


def test_pages_work_from_a_disk_and_without_scripts(browser: Browser, folder: Path) -> None:
    """Opened as files, the pages search; without scripts, the list has every connector and leads to
    the pages.
    """
    visitor = visit(browser, "file://")
    visitor.page.goto((folder / "index.html").as_uri())
    visitor.page.get_by_label("Search connectors and actions").fill("ses")
    visitor.page.get_by_role("link", name="Amazon SES").click()
    visitor.page.wait_for_url("**/connectors/aws-ses/index.html")
    visitor.check()
    visitor.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    titles = []
    for path in ("index.html", "list/2.html"):
        page.goto((folder / path).as_uri())
        assert page.get_by_label("Search connectors and actions").is_hidden()
        titles += page.locator("#listed li a").all_inner_texts()
    assert len(titles) == 4
    page.get_by_role("link", name="1", exact=True).click()
    page.locator("#listed li a").last.click()
    assert page.locator("h1").count() == 1
    context.close()
