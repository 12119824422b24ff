"""Approvals of a connect session in a browser, over TLS: the window of a page in a frame, a page of
its own, and another device.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from tests.jackfield_service.subjects.connect.connect_site import (
    OPEN,
    Place,
    Platform,
    embedding,
    framed,
    in_modal,
    result_of,
)

from jackfield_service.subjects.connect.operations import connecting

pytest_plugins = ["browser", "tests.jackfield_service.subjects.connect.connect_fixtures"]


def test_a_framed_page_hands_its_window_the_nonce(place: Place, person: BrowserContext) -> None:
    """The window has no cookie of the frame's site: it goes on by itself, comes back, finishes, and
    takes the proof to the platform. The provider's page cannot reach the frame, which says where to
    finish.
    """
    session, page, frame = framed(place, person)
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Continue to 127.0.0.1").click()
    window = opened.value
    window.get_by_role("button", name="Connect", exact=True).wait_for()
    assert window.evaluate("window.opener") is None
    assert "use it for ada. Connect it only if that is you" in window.locator("main").inner_text()
    # the frame also learns of the approval by itself: it has no such link from then on, or goes on
    # at this moment
    with suppress(Error):
        page.frames[1].evaluate(
            "() => [...document.links].find((link) => link.textContent.includes('I have "
            "approved'))?.click()"
        )
    frame.get_by_text("Finish there").wait_for()
    window.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, window) == "granted"


@pytest.mark.parametrize("way", ["closed", "blocked", "without scripts"])
def test_a_window_that_does_not_go_on(
    place: Place, person: BrowserContext, browser: Browser, way: str
) -> None:
    """A window that was closed is opened again. One that was opened without the page, or by a page
    without scripts, asks for the code.
    """
    if way == "without scripts":
        person = browser.new_context(ignore_https_errors=True, java_script_enabled=False)
    session, page, frame = framed(place, person, presses=way == "without scripts")
    if way == "closed":
        page.route("**/connect/session/*/start/*", lambda route: route.abort())
        person.route("**/connect/session/*/start/*", lambda route: route.abort())
        with page.expect_popup() as opened:
            frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        opened.value.close()
        page.unroute_all()
        person.unroute_all()
        with page.expect_popup() as opened:
            frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        window = opened.value
    else:
        frame.get_by_role("button", name="Use another device").click()
        link = frame.get_by_role("region", name="Link").inner_text()
        code = frame.get_by_role("region", name="Code").inner_text()
        if way == "blocked":
            window = person.new_page()
            window.goto(link)
        else:
            with person.expect_page() as apart:
                frame.get_by_role("link", name="Continue to 127.0.0.1").click()
            window = apart.value
        window.get_by_label("Code").fill(code)
        window.get_by_role("button", name="Continue").click()
    window.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, window) == "granted"
    person.close()


def kept_here(place: Place, person: BrowserContext, session: str, link: str) -> Page:
    """The page of a session after Begin, in a browser that could not reach the provider then: it
    went there by itself.
    """
    page = person.new_page()
    page.goto(link)
    person.route("**/oauth2/start/*", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Continue to 127.0.0.1").click()
    person.unroute_all()
    page.goto(f"{place.origin}/connect/session/{session}")
    return page


def test_one_click_leads_to_the_provider(place: Place, person: BrowserContext) -> None:
    """Of one type that the platform has named: Begin, the provider, Connect. The way back leads to
    a page that goes on by hand.
    """
    session, link = place.begin()
    page = person.new_page()
    page.goto(link)
    page.get_by_role("button", name="Continue to 127.0.0.1").click()
    page.get_by_role("button", name="Connect", exact=True).wait_for()
    page.go_back()
    page.get_by_role("button", name="Connect", exact=True).or_(
        page.get_by_role("button", name="Continue to 127.0.0.1")
    ).wait_for()
    page.goto(f"{place.origin}/connect/session/{session}")
    page.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, page) == "granted"


def test_a_page_of_its_own_in_two_tabs(place: Place, person: BrowserContext) -> None:
    """The session's browser goes to the provider in another tab, or comes back and goes again;
    either tab finishes.
    """
    session, link = place.begin()
    first = kept_here(place, person, session, link)
    second = person.new_page()
    with second.expect_navigation(url="**/connect/session/*"):
        second.goto(
            f"{place.origin}{first.get_by_role('link', name='Continue to 127.0.0.1').get_attribute('href')}"
        )
    second.get_by_role("button", name="Connect", exact=True).wait_for()
    first.reload()
    first.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, first) == "granted"


@pytest.mark.parametrize("verify", ["confirm", "browser", "link"])
@pytest.mark.parametrize("more", ["page", "frame"])
def test_the_start_link_is_sent_on(
    place: Place, person: BrowserContext, browser: Browser, verify: str, more: str
) -> None:
    """Another person opens it, also from a page that knows the nonce and posts it: nobody comes to
    the provider.
    """
    place.authority.exchanged.clear()
    session, _, frame = framed(place, person, user="eve", verify=verify)
    link = frame.get_by_role("link", name="Continue to 127.0.0.1")
    Platform.start, Platform.nonce = (
        f"{place.origin}{link.get_attribute('href')}",
        str(link.get_attribute("data-nonce")),
    )
    victim = browser.new_context(ignore_https_errors=True)
    page = victim.new_page()
    if more == "page":
        page.goto(Platform.start)
    else:
        page.goto(f"{place.platform}/opening")
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Win a prize").click()
        page = opened.value
    page.get_by_role("heading", name="Did you begin this yourself?").wait_for()
    page.wait_for_load_state("networkidle")
    assert "for the user eve" in page.locator("main").inner_text()
    victim.close()
    assert (
        connecting(place.stand.host, "acme-1").find(session).status,
        place.authority.exchanged,
    ) == ("testing", [])


def test_a_phone_types_the_code(place: Place, person: BrowserContext, browser: Browser) -> None:
    """The code leads another browser to the provider and back, and it finishes there; the first
    page says so.
    """
    session, link = place.begin()
    page = kept_here(place, person, session, link)
    page.get_by_role("button", name="Use another device").click()
    phone = browser.new_context(ignore_https_errors=True)
    there = phone.new_page()
    there.goto(page.get_by_role("region", name="Link").inner_text())
    there.get_by_label("Code").fill("12")
    there.get_by_role("button", name="Continue").click()
    there.get_by_text("Tries left: 2").wait_for()
    there.get_by_label("Code").fill(page.get_by_role("region", name="Code").inner_text())
    there.get_by_role("button", name="Continue").click()
    there.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_role("heading", name="Almost done").wait_for()
    assert place.confirmed(session, there) == "granted"
    phone.close()


def test_the_script_opens_a_modal(place: Place, person: BrowserContext) -> None:
    """The page's own values: a field that was left empty gets the focus; the proof comes to the
    page that has opened it, and nothing leads it elsewhere.
    """
    session, page = in_modal(place, person, types=["echo/token"], connection="modal", defaults={})
    assert page.get_by_role("dialog", name="Connect Echo").count() == 1
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Continue").click()
    frame.get_by_text("Enter a value.").wait_for()
    expect(frame.get_by_label("Token")).to_be_focused()
    frame.get_by_label("Token").fill("x")
    frame.get_by_role("button", name="Continue").click()
    frame.get_by_role("button", name="Connect", exact=True).click()
    found = result_of(page)
    assert (found["status"], found["session"], page.get_by_role("dialog").count()) == (
        "saved",
        session,
        0,
    )
    assert page.url == f"{place.platform}/embedding"
    assert (
        connecting(place.stand.host, "acme-1").confirm(session, found["proof"], "ada", place.shop)
        or {}
    )["status"] == "granted"


def test_the_modal_sees_what_a_window_has_ended(place: Place, person: BrowserContext) -> None:
    """The provider opens in a window, which finishes there and brings the proof to the platform;
    the modal closes by itself.
    """
    session, page = in_modal(place, person, connection="modal-oauth")
    frame = page.frame_locator("iframe")
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Continue to 127.0.0.1").click()
    opened.value.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, opened.value) == "granted"
    assert result_of(page) == {"status": "granted", "session": session}


def test_a_window_in_which_the_person_cancels_closes(place: Place, person: BrowserContext) -> None:
    """It is named there what would be connected; after a no, the window closes by itself, and so
    does the modal. Until a window is open, nobody is asked whether they have approved there.
    """
    session, page = in_modal(place, person, connection="window-cancelled")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Continue to 127.0.0.1").wait_for()
    assert frame.get_by_role("link", name="I have approved").count() == 0
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Continue to 127.0.0.1").click()
    window = opened.value
    window.get_by_text("Connect 127.0.0.1 to The Shop?").wait_for()
    with window.expect_event("close"):
        window.get_by_role("button", name="Cancel").click()
    assert result_of(page) == {
        "status": "failed",
        "session": session,
        "reason": "the person has cancelled it",
    }


def test_the_script_opens_a_window(place: Place, person: BrowserContext) -> None:
    """Begin, the provider, Connect; the window closes, and its opener has the proof."""
    session, page, link = embedding(place, person, connection="window")
    with page.expect_popup() as opened:
        page.evaluate(OPEN, [link, "window"])
    window = opened.value
    window.get_by_role("button", name="Continue to 127.0.0.1").click()
    window.get_by_role("button", name="Connect", exact=True).click()
    found = result_of(page)
    assert (found["status"], window.is_closed()) == ("saved", True)
    assert (
        connecting(place.stand.host, "acme-1").confirm(session, found["proof"], "ada", place.shop)
        or {}
    )["status"] == "granted"


@pytest.mark.parametrize("way", ["cancelled", "closed"])
def test_the_script_says_that_nothing_was_connected(
    place: Place, person: BrowserContext, way: str
) -> None:
    """The person cancels in the page, or closes the modal."""
    session, page = in_modal(place, person, types=["echo/token"], connection=way, defaults={})
    frame = page.frame_locator("iframe")
    if way == "closed":
        frame.get_by_label("Token").wait_for()
        page.get_by_role("button", name="Close").click()
        assert result_of(page) == {"status": "closed", "session": session}
        page.evaluate(OPEN, [f"{place.origin}/docs", "modal"])
        page.get_by_role("button", name="Close").click()
        assert result_of(page) == {"status": "closed"}, (
            "of a page that is no session's, there is none"
        )
        return
    frame.get_by_role("button", name="Cancel").click()
    assert result_of(page) == {
        "status": "failed",
        "session": session,
        "reason": "the person has cancelled it",
    }


def test_only_the_sessions_origins_are_told(place: Place, person: BrowserContext) -> None:
    """A page of another site that opens the window hears nothing, and the person comes back to the
    platform with the proof.
    """
    session, link = place.begin(
        origins=["http://shop.example"], types=["echo/token"], connection="untold", defaults={}
    )
    # and not what an earlier test has left, which tells its size
    page, Platform.framed = person.new_page(), "about:blank"
    page.goto(f"{place.platform}/framing")
    page.evaluate(
        "window.heard = []; addEventListener('message', event => window.heard.push(event.data))"
    )
    with page.expect_popup() as opened:
        page.evaluate("link => { window.opened = window.open(link) }", link)
    window = opened.value
    window.get_by_label("Token").fill("x")
    window.get_by_role("button", name="Continue").click()
    window.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, window) == "granted"
    assert page.evaluate("window.heard") == []


def test_a_step_is_not_cut_short_by_what_it_changes(place: Place, person: BrowserContext) -> None:
    """While the answer to a press is under way, the page does not look: it would leave, and lose
    the cookie that comes with the answer.
    """
    _, link = place.begin()
    page = person.new_page()
    page.clock.install()
    page.goto(link)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_request("**/state"):
        page.clock.run_for(2000)
    page.evaluate(
        "() => { document.addEventListener('submit', event => event.preventDefault(), true); }"
    )
    page.get_by_role("button", name="Continue to 127.0.0.1").click()
    asked.clear()
    page.clock.run_for(30_000)
    assert asked == []
    with page.expect_request("**/state"):
        page.clock.run_for(60_000)
