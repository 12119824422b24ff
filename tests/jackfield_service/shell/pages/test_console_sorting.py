"""Lists of the console are sorted by the heads of their columns, as the API's lists are by
``sort``: with and without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed

from browsing import LOOKS, Visitor
from console_rig import Console
from jackfield_service.shell.pages.layout import sorted_list
from jackfield_service.subjects.connections.pages import connections

pytest_plugins = ["browser"]

SAY: dict[str, Any] = {"connector": "echo", "action": "say", "inputs": {"text": "Hello"}}
NAMES = ("hall", "Attic", "lobby")
LISTS = {
    "/connections": {"Name", "Status", "Type"},
    "/invocations": {"Created", "Action", "Status", "Connection"},
    "/schedules": {"Name", "Status", "Action", "Next"},
    "/tokens": {"Name", "Status", "Scope", "Expires", "Last used"},
    "/callbacks": {"Callback", "Status", "URL", "Failing since"},
    "/audit": {"When", "What", "Target"},
    "/tenants": {"Tenant", "Created"},
    "/oauth-clients": {"Name", "Changed"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A console whose workspace has several of each."""
    folder: Path = tmp_path_factory.mktemp("sorting")
    with placed(folder, queue_workers=0) as found:
        runtime = found.host.runtime("default")
        for name in NAMES:
            runtime.connections.add(name, "echo/token", {"token": "a long sesame"})
            runtime.invoke({**SAY, "connection": name})
        client = found.signed_in()
        for number in range(2):
            client.change("/tokens", "/tokens", name=f"t{number}", scope="read", expires="30d")
            client.change(
                "/callbacks",
                "/callbacks",
                url=f"https://example.com/{number}",
                types="",
                description=f"c{number}",
            )
            client.change("/tenants", "/tenants", name=f"tenant-{number}")
            fields = {
                "clientId": "c",
                "clientSecret": "s",
                "tokenUrl": "https://example.com/t",
                "authorizationUrl": "https://example.com/a",
            }
            client.change("/oauth-clients", "/oauth-clients", name=f"o{number}", **fields)
        yield found


@pytest.fixture
def client(place: Place) -> Client:
    """The operator."""
    return place.signed_in()


def heads(text: str) -> dict[str, str]:
    """Columns that sort, with the address that does so."""
    return {
        title: href.replace("&amp;", "&")
        for href, title in re.findall(
            r'<th scope="col"[^>]*>(?:<div><input[^>]*>)?<a href="([^"]+)"[^>]*>([^<]+)</a>', text
        )
    }


def listed(text: str) -> list[str]:
    """Connections in the order of the list."""
    return re.findall(r'<a href="/connections/([A-Za-z]+)"', text)


@pytest.mark.parametrize("path", sorted(set(LISTS) - {"/schedules"}))
def test_heads_are_links_that_sort(client: Client, path: str) -> None:
    """Each column of which the API has the order is a link, whose page says by ``aria-sort`` how it
    is sorted.
    """
    page = client.get(path)
    assert heads(page.text).keys() >= LISTS[path], path
    for title in LISTS[path]:
        up = client.get(heads(page.text)[title])
        assert (up.status, up.text.count('aria-sort="ascending"')) == (200, 1), title
        down = client.get(heads(up.text)[title])
        assert (down.status, down.text.count('aria-sort="descending"')) == (200, 1), title
        assert heads(down.text)[title] == path


def test_rows_have_the_order_of_the_api(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upwards and downwards, ignoring case, page by page, and with the filters that were chosen."""
    assert listed(client.get("/connections?sort=name").text) == ["Attic", "hall", "lobby"]
    assert listed(client.get("/connections?sort=-name").text) == ["lobby", "hall", "Attic"]
    monkeypatch.setattr(connections, "_PAGE", 2)
    first = client.get("/connections?sort=-name&type=echo%2Ftoken")
    more = re.search(r'class="more"><a href="([^"]+)"', first.text)
    assert more is not None
    assert (listed(first.text), listed(client.get(more[1].replace("&amp;", "&")).text)) == (
        ["lobby", "hall"],
        ["Attic"],
    )
    assert "type=echo%2Ftoken&sort=name" in client.get(
        "/connections?type=echo%2Ftoken"
    ).text.replace("&amp;", "&")
    assert '<input type="hidden" name="sort" value="-name" form="filters">' in first.text


def test_an_order_that_is_not_known_is_refused(client: Client) -> None:
    """A page in another order than was asked for would mislead."""
    assert client.get("/connections?sort=account").status == 400
    assert client.get("/connections?sort=name&cursor=s-AAAA").status == 400


def test_a_list_that_is_too_long_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its own order, and no column claims another."""
    monkeypatch.setattr(sorted_list, "MOST", 2)
    page = client.get("/connections?sort=-name")
    assert (page.status, "choose fewer by filters" in page.words, "aria-sort" in page.text) == (
        200,
        True,
        False,
    )


def test_sorting_by_keyboard_in_a_browser(browser: Browser, console: Console) -> None:
    """Enter on a head sorts in place and keeps the focus, filters keep the order, and on a phone
    the heads stand above the list.
    """
    runtime = console.host.runtime("default")
    for name in NAMES:
        runtime.connections.add(name, "echo/token", {"token": "a long sesame"})
        runtime.invoke({**SAY, "connection": name})
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connections")
    page = visitor.page
    names = page.locator("#sorted tbody th a")
    for order, first in (("ascending", "Attic"), ("descending", "lobby")):
        page.get_by_role("link", name="Name", exact=True).focus()
        page.keyboard.press("Enter")
        page.locator(f"th[aria-sort={order}]").wait_for()
        assert names.first.inner_text() == first
        assert page.evaluate("document.activeElement.id") == "sort-name"
    page.get_by_label("Search", exact=True).fill("lob")
    page.wait_for_url("**text=lob**")
    page.get_by_role("link", name="Attic", exact=True).wait_for(state="detached")
    assert ("sort=-name" in page.url, names.all_inner_texts()) == (True, ["lobby"])
    page.locator("th[aria-sort=descending]").wait_for()
    assert visitor.judged("sorted", thoroughly=True) == []
    for scheme, phone in LOOKS:
        visitor.look(scheme, phone=phone)
        assert page.get_by_role("link", name="Type", exact=True).is_visible()
    visitor.look("light")
    visitor.go("/invocations")
    page.get_by_role("link", name="Connection", exact=True).click()
    page.locator("th[aria-sort=ascending]").wait_for()
    assert page.locator("#live").count() == 0
    assert page.locator("#sorted .calls tbody tr td:nth-child(3)").all_inner_texts() == [
        "Attic",
        "hall",
        "lobby",
    ]
    assert visitor.faults == []
    visitor.close()
