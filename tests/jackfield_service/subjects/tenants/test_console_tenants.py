"""Tenants in the console: listed with their health, entered, suspended and deleted in two steps;
and links for people who connect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from tests.jackfield_service.shell.pages.console_client import Place, placed

from browsing import Visitor
from console_rig import Console
from jackfield.callers.actor import Actor
from jackfield_service.shell.process.readiness import Readiness
from jackfield_service.subjects.tenants.pages.tenant import summed
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.management.conditions import Condition, FoundCondition
from jackfield_store.management.shared_settings import SharedSettings

HOSTS = "Internal hosts Internal hosts that connections and callbacks of tenants may reach."

pytest_plugins = ["browser"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A host with the tenants ``acme-1``, which has called, and ``acme-2``."""
    with placed(tmp_path, queue_workers=0) as found:
        _furnish(found.host)
        yield found


def _furnish(host: object) -> None:
    storage, clock = host.storage, host.clock  # type: ignore[attr-defined]
    for name in ("acme-1", "acme-2"):
        Workspaces(storage.database, storage.vault, clock).create(
            name, {"limits": {"connections": 20}}
        )
    runtime = host.runtime("acme-1")  # type: ignore[attr-defined]
    runtime.connections.add("hall", "echo/token", {"token": "t"}, test=False)
    for action in ("say", "say", "fail"):
        runtime.invoke(
            {
                "connector": "echo",
                "action": action,
                "connection": "hall",
                "inputs": {"text": "x"} if action == "say" else {},
            }
        )
    Tokens(storage.database, storage.vault, "acme-1", clock).create("invoke", "the shop's server")


def test_the_operator_sees_all_tenants_and_goes_on_in_one(place: Place) -> None:
    """The list has calls and failures; the switch leads into the workspace and back, in one
    session; tokens see nothing of it.
    """
    operator = place.signed_in()
    words = operator.get("/tenants").words
    assert re.search(
        r"acme-1 active 1 3 [12] 20 connections just now|acme-1 active 1 3 [12] 20 connections "
        r"\d+ s ago",
        words,
    ), words
    assert "default (you are here) active" in words
    assert "acme-2" not in operator.get("/tenants?text=acme-1", **{"hx-request": "true"}).words
    assert operator.change("/tenants", "/tenants/acme-1/switch").status == 303
    inside = operator.get("/connections").words
    assert ("Workspace acme-1" in inside, "hall" in inside) == (True, True)
    assert operator.change("/tenants", "/tenants/default/switch").status == 303
    assert "Workspace default" in operator.get("/").words
    assert operator.change("/tenants", "/tenants/nobody/switch").status == 404
    for path in ("/tenants", "/tenants/acme-1", "/tenants/acme-1/connect-sessions"):
        assert place.signed_in(_token(place)).get(path).status == 403


def _token(place: Place) -> str:
    storage = place.host.storage
    return (
        Tokens(storage.database, storage.vault, "acme-1", place.host.clock)
        .create("manage", "a person")
        .text
    )


def test_the_operator_sees_what_all_processes_share(place: Place) -> None:
    """The page has each shared setting, its value, and where a process differs; tokens see nothing
    of it.
    """
    storage = place.host.storage
    operator = place.signed_in()
    assert f"{HOSTS} none" in operator.get("/shared-settings").words
    SharedSettings(storage, place.host.clock, Actor("cli")).set("allowHosts", "crm.internal")
    words = operator.get("/shared-settings").words
    assert (f"{HOSTS} crm.internal" in words, "allow, by default" in words) == (True, True)


def test_the_operator_changes_what_all_processes_share(place: Place) -> None:
    """A value that fits is stored, and removed again by an empty one; another is refused with what
    it must be; tokens change nothing.
    """
    operator, page = place.signed_in(), "/shared-settings"
    assert operator.change(page, page, setting="allowHosts", value="crm.internal").status == 303
    assert f"{HOSTS} crm.internal" in operator.get(f"{page}?done=set").words
    assert (
        "Internal hosts was not set, and is crm.internal now"
        in operator.get(f"{page}?done=set&setting=allowHosts").words
    )
    refused = operator.change(page, page, setting="publicUrl", value="ftp://x")
    assert (refused.status, "is not the address of a server" in refused.words) == (400, True), (
        refused.words
    )
    assert operator.change(page, page, setting="nobody", value="1").status == 400
    assert operator.change(page, page, setting="allowHosts", value="").status == 303
    assert f"{HOSTS} none" in operator.get(page).words
    client = place.signed_in(_token(place))
    assert (
        client.post(
            page, {"csrf": client.get("/").csrf, "setting": "allowHosts", "value": "evil"}
        ).status
        == 403
    )


def test_a_setting_is_changed_from_its_present_value(place: Place) -> None:
    """Each form has the value that is stored, a list one host a line; what was overwritten is said,
    and what another has stored meanwhile is not overwritten.
    """
    storage, operator = place.host.storage, place.signed_in()
    settings = SharedSettings(storage, place.host.clock, Actor("cli"))
    settings.set("allowHosts", "crm.internal 10.0.0.0/8")
    settings.set("roles", '[{"role": "admin", "workspace": "acme", "group": "ops"}]')
    settings.set("settle", "on")
    shown = operator.get("/shared-settings").text
    assert re.search(
        r'<textarea[^>]*id="value-allowHosts"[^>]*>crm\.internal\n10\.0\.0\.0/8</textarea>', shown
    )
    assert "&quot;group&quot;: &quot;ops&quot;" in re.sub(
        r"\s+", " ", shown.partition('id="value-roles"')[2]
    )
    assert (
        '<option value="on" selected'
        in shown.partition('id="value-settle"')[2].partition("</select>")[0]
    )
    change = {
        "setting": "allowHosts",
        "before": "crm.internal 10.0.0.0/8",
        "value": "crm.internal\r\n10.0.0.0/8\r\nerp.internal",
    }
    done = operator.change("/shared-settings", "/shared-settings", **change)
    told = operator.get(done.headers["location"]).words
    assert (
        "Internal hosts was crm.internal 10.0.0.0/8 , and is crm.internal 10.0.0.0/8 "
        "erp.internal now"
    ) in told
    for value in ("other.internal", ""):
        late = operator.change("/shared-settings", "/shared-settings", **{**change, "value": value})
        assert (
            late.status,
            "was changed meanwhile: it is 'crm.internal 10.0.0.0/8 erp.internal'" in late.words,
        ) == (409, True)
    assert settings.find("allowHosts")["value"] == "crm.internal 10.0.0.0/8 erp.internal"


def test_the_operator_sees_whether_the_server_takes_calls(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is wrong in full, which a probe tells the operator alone."""
    operator = place.signed_in()
    assert "This server takes calls Nothing is wrong." in operator.get("/tenants").words
    full = Condition(
        FoundCondition("disk", "the disk of /data is full", "Free some."),
        (FoundCondition("clock", "the clock is 70 s ahead"),),
    )
    monkeypatch.setattr(Readiness, "look", lambda _self: full)
    words = operator.get("/tenants").words
    assert (
        "This server takes no calls disk the disk of /data is full Free some. clock the "
        "clock is 70 s ahead"
    ) in words


def changed(visitor: Visitor) -> list[str]:
    """What axe finds where a setting is changed by the keyboard: a row's button opens its form,
    whose refusal stays there.
    """
    page = visitor.page
    page.get_by_role("button", name="Change: Public address").press("Enter")
    panel = page.get_by_role("dialog", name="Change: Public address")
    page.keyboard.type("ftp://x")
    page.keyboard.press("Enter")
    panel.get_by_text("is not the address of a server").wait_for()
    found = visitor.axe()
    page.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')")
        == "Change: Public address"
    )
    return found


def test_who_may_make_tokens_approves_nothing(place: Place) -> None:
    """The one-time link makes tokens, with which its holder could ask for what he approves: that
    takes a token or a role of its own.
    """
    operator = place.signed_in()
    assert 'href="/approvals"' not in operator.get("/").text
    assert operator.get("/approvals").status == 403


def test_a_tenant_is_suspended_resumed_and_deleted(place: Place) -> None:
    """Its page has usage, connections and tokens; limits are changed; the end takes two steps, and
    the name.
    """
    operator = place.signed_in()
    page = "/tenants/acme-1"
    words = operator.get(page).words
    for text in ("3 calls in 14 days", "hall", "the shop's server", "1 in use", "Connect sessions"):
        assert text in words, text
    assert operator.change(page, f"{page}/limits", connections="7", queued="x").status == 400
    assert operator.change(page, f"{page}/limits", connections="7").status == 303
    assert 'value="7"' in operator.get(page).text
    assert operator.change(page, f"{page}/suspend").status == 303
    assert place.host.runtime("acme-1").access.settings.suspended
    assert operator.change(page, f"{page}/resume").status == 303
    # no page offers it
    assert (
        operator.change(page, f"{page}/purge", name="acme-1").headers["location"]
        == f"{page}?anew=1"
    )
    shown = operator.get(page)
    # it is a page of its own
    assert (
        "Revoked tokens stay revoked" in shown.words,
        f'hx-post="{page}/end"' in shown.text,
    ) == (True, False)
    assert "Tokens revoked 1" in operator.change(page, f"{page}/end").words
    assert operator.change(page, f"{page}/purge", name="acme").status == 400
    assert "Connections deleted 1" in operator.change(page, f"{page}/purge", name="acme-1").words
    assert operator.get(page).status == 404
    assert operator.change("/tenants", "/tenants", name="acme 3").status == 400
    assert operator.change("/tenants", "/tenants", name="acme-3").status == 303


def test_quotas_are_set_in_the_console_which_shows_what_is_spent(place: Place) -> None:
    """A form adds one, another changes it, and a button removes it; a fault is told, and the table
    says how far each is spent.
    """
    operator, page = place.signed_in(), "/tenants/acme-1"
    for given in ({"count": "0"}, {"effect": "write"}, {"count": "many"}, {}):
        wrong = operator.change(page, f"{page}/quotas", **{"per": "day", **given})
        assert (wrong.status, "must be a number above 0" in wrong.words) == (400, True), given
    given = {"count": "3", "per": "month", "action": "echo/say", "by": "connection"}
    assert operator.change(page, f"{page}/quotas", **given).status == 303
    place.host.runtime("acme-1").invoke(
        {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "x"}}
    )
    assert (
        "3 calls of echo/say per month, for each connection 1 by one connection; 1 have spent some"
        in operator.get(page).words
    )
    assert (
        operator.change(page, f"{page}/quotas", count="0.5", per="day", sum="/amount").status == 303
    )
    operator.change(page, f"{page}/quotas", **{**given, "count": "4", "place": "0"})
    words = operator.get(page).words
    assert (
        "4 calls of echo/say per month, for each connection 1 by" in words,
        "0.5 in all of “amount” in calls per day" in words,
    ) == (
        True,
        True,
    )
    operator.change(page, f"{page}/quotas", place="1", removal="on")
    assert place.workspaces.find("acme-1").settings.quotas == (
        {"count": 4, "per": "month", "of": {"action": "echo/say"}, "by": "connection"},
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"effect": "write", "action": "aws-ses/*", "by": "token"},
            "1,500 writes of aws-ses per day, for each token",
        ),
        ({"effect": "change", "connection": "acme-*"}, "1,500 changes over acme-* per day"),
        (
            {"action": "stripe/createRefund", "sum": "/order/amount"},
            "1,500 in all of “order, amount” in calls of stripe/createRefund per day",
        ),
        ({"by": "/to"}, "1,500 calls per day, for each value of “to”"),
        ({"effect": "read"}, "1,500 reads per day"),
    ],
)
def test_a_quota_is_a_sentence(place: Place, given: dict[str, str], words: str) -> None:
    """It has no syntax of rules and pointers."""
    operator, page = place.signed_in(), "/tenants/acme-1"
    assert operator.change(page, f"{page}/quotas", count="1500", per="day", **given).status == 303
    assert words in operator.get(page).words


def test_limits_are_told_in_words(place: Place) -> None:
    """Each in a line of its own, in the list of tenants."""
    place.workspaces.set(
        "acme-1",
        {
            "limits": {
                "queued": 1000,
                "storageBytes": 5_000_000,
                "requestsPerSecond": 2,
                "connections": 20,
            }
        },
    )
    words = place.signed_in().get("/tenants").words
    for limit in ("20 connections", "1,000 queued calls", "2 requests a second", "of files"):
        assert limit in words


def test_what_a_tenant_refuses_is_told_in_words_of_the_page(place: Place) -> None:
    """Where and why, without commands, and without names of settings that nobody has entered."""
    operator = place.signed_in()
    named = operator.change("/tenants", "/tenants", name="acme 3").words
    assert (
        "must be 1 to 100 letters" in named,
        "Choose another name." in named,
        "jackfield workspaces" in named,
    ) == (True, True, False)
    limited = operator.change("/tenants/acme-1", "/tenants/acme-1/limits", connections="many").words
    assert ("must be a whole number" in limited, "keepInputs" in limited) == (True, False)


def test_usage_is_shown_and_saved_for_the_days_that_are_asked_for(place: Place) -> None:
    """Those of this month and the last, too, which invoices are about."""
    operator, page = place.signed_in(), "/tenants/acme-1"
    for span, words in (
        ("14d", "3 calls in 14 days"),
        ("90d", "3 calls in 90 days"),
        ("month", "3 calls this month"),
    ):
        assert words in operator.get(f"{page}?usage={span}").words
    assert "Nothing was used last month." in operator.get(f"{page}?usage=last-month").words
    assert operator.get(f"{page}?usage=ever").status == 400
    saved = operator.get(f"{page}/usage?usage=month")
    head, *rows = saved.text.splitlines()
    assert head == "day,calls,attempts,failures,refused,cancelled,events,deliveries,bytes"
    assert sum(int(row.split(",")[1]) for row in rows) == 3
    assert "usage-acme-1-month.csv" in saved.headers["content-disposition"]


@pytest.mark.parametrize(
    ("total", "said"),
    [
        ((0, 0, 0, 0), "No calls today."),
        ((1, 0, 0, 0), "1 call today."),
        ((1200, 1, 0, 0), "1,200 calls today, of which 1 did not succeed."),
        (
            (9, 3, 2, 0),
            "9 calls today, of which 3 did not succeed: 2 were refused before anything was sent.",
        ),
        ((9, 3, 0, 1), "9 calls today, of which 3 did not succeed: 1 was cancelled or declined."),
    ],
)
def test_usage_is_summed_up_without_what_is_zero(total: tuple[int, ...], said: str) -> None:
    """Only what happened is counted in words."""
    assert (
        summed(
            dict(zip(("calls", "failures", "refused", "cancelled"), total, strict=True)), "today"
        )
        == said
    )


def test_a_link_is_made_for_a_person_and_revoked(place: Place) -> None:
    """The link is shown once and opens the page of the session; once revoked, it leads nowhere."""
    operator = place.signed_in()
    page = "/tenants/acme-2/connect-sessions"
    made = operator.change(
        page, page, mode="connect", type="echo/token", user="ada", expiresIn="1800"
    )
    link = urlsplit(re.findall(r"http://[^<]+/connect/[A-Za-z0-9_-]{43}", made.text)[0]).path
    shown = place.client().get(link)
    assert (shown.status, "one-time link" in shown.words, "asks you" in shown.words) == (
        200,
        False,
        False,
    )
    listed = operator.get(page)
    assert ("pending" in listed.words, "ada" in listed.words, link in listed.text) == (
        True,
        True,
        False,
    )
    revoke = re.findall(r'action="([^"]+/revocation)"', listed.text)[0]
    assert operator.change(page, revoke).status == 303
    assert "the operator has revoked it" in operator.get(page).words
    assert place.client().get(link).status == 403
    assert operator.change(page, page, mode="reauth").status == 400
    made = operator.change(page, page, mode="connect", type="http/bearer")
    assert "/connect/" in made.text  # the person enters the server, too
    assert (
        "roles in AWS" in made.words,
        "roles in AWS" in operator.change(page, page, mode="connect").words,
    ) == (False, True)


@pytest.mark.parametrize("system", ["Slack", "slack", "slack/botToken", "Echo"])
def test_a_system_is_named_as_people_know_it(place: Place, system: str) -> None:
    """By the connector's title or key, or by one of its types; the page names who asks."""
    operator, page = place.signed_in(), "/tenants/acme-2/connect-sessions"
    made = operator.change(page, page, mode="connect", type=system, asker="The Shop")
    link = urlsplit(re.findall(r"http://[^<]+/connect/[A-Za-z0-9_-]{43}", made.text)[0]).path
    assert "The Shop asks you to connect" in place.client().get(link).words


def test_a_link_for_a_role_in_aws_brings_the_key(place: Place) -> None:
    """The form has what a role asks for; without it, the refusal names what is missing."""
    operator, page = place.signed_in(), "/tenants/acme-2/connect-sessions"
    asked = {"mode": "connect", "type": "aws-ses/awsAssumeRole"}
    refused = operator.change(page, page, **asked)
    assert (refused.status, "principal" in refused.words) == (400, True)
    key = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret-of-the-shop"}
    made = operator.change(
        page, page, **asked, **key, principal="arn:aws:iam::111122223333:user/shop"
    )
    link = urlsplit(re.findall(r"http://[^<]+/connect/[A-Za-z0-9_-]{43}", made.text)[0]).path
    assert ("s3cret" in made.text, place.client().get(link).status) == (False, 200)


def test_the_page_of_a_tenant_that_was_used_fits_a_small_desk(
    browser: Browser, console: Console
) -> None:
    """No card of it scrolls sideways in a window of 1,280 pixels, of which 15 are a scrollbar of
    the page.
    """
    _furnish(console.host)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/tenants/acme-1")
    visitor.page.set_viewport_size({"width": 1280 - 15, "height": 900})
    cards = visitor.page.locator(".card")
    assert cards.filter(has_text="Usage").locator("tbody tr").count() >= 1
    wider = (
        "cards => cards.filter(one => one.scrollWidth > one.clientWidth).map(one => "
        "one.innerText.split('\\n')[0])"
    )
    assert cards.evaluate_all(wider) == []
    visitor.close()


def test_everybody_can_use_the_pages_of_tenants(
    browser: Browser, console: Console, thoroughly: bool
) -> None:
    """Axe finds nothing serious, and no page is wider than the window."""
    _furnish(console.host)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/tenants/acme-1/connect-sessions")
    assert "ada" not in visitor.page.locator("#list").inner_text()
    visitor.page.get_by_label("System").fill("aws-ses/awsAssumeRole")
    visitor.page.get_by_role("button", name="Create link").click()
    # in the list of faults; what is folded is open
    visitor.page.get_by_role("link", name="Principal").wait_for()
    assert visitor.page.get_by_label("Principal").evaluate(
        "node => node === document.activeElement && node.checkVisibility()"
    )
    visitor.page.get_by_label("System").fill("aws-ses/apiKeySecret")
    visitor.page.get_by_label("For", exact=True).fill("ada")
    visitor.page.get_by_role("button", name="Create link").click()
    visitor.page.get_by_text("Send this link to one person only").wait_for()
    expect(visitor.page.get_by_role("region", name="The link")).to_be_in_viewport()
    visitor.page.locator("#list").get_by_text("ada").wait_for()
    found = []
    pages = {
        "sessions": "",
        "tenants": "/tenants",
        "shared": "/shared-settings",
        "tenant": "/tenants/acme-1",
        "suspended": "/tenants/acme-2",
    }
    for name, path in pages.items():
        if name == "suspended":
            visitor.go(path)
            visitor.page.get_by_role("button", name="Suspend", exact=True).click()
            visitor.page.get_by_text("every call is refused").wait_for()
        elif path:
            visitor.go(path)
        found += visitor.judged(f"tenants-{name}", thoroughly=thoroughly)
        if name == "shared":
            found += changed(visitor)
    assert found == []
    visitor.close()
