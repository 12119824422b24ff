"""Attacks on the link to an approval: who approves at the provider is who began, or nothing is
connected.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import (
    BASE,
    TYPE,
    Attacked,
    begun_by,
    code_of,
    nonce_of,
    sent,
    start_of,
    state_at,
)
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

WAYS = ("confirm", "browser", "link")
FRAMED = {"origins": ["https://shop.example"]}


@pytest.mark.parametrize("verify", WAYS)
@pytest.mark.parametrize("more", [{}, FRAMED], ids=["page", "frame"])
def test_the_start_link_is_sent_on(site: Attacked, verify: str, more: dict[str, Any]) -> None:
    """Eve begins, and sends the link to the approval to Bob without opening it: Bob's browser comes
    to no provider, and is told why.
    """
    begun, _, start = begun_by(site, user="eve", verify=verify, **more)
    bob = Person(site.stand.port).go(start)
    assert bob.page is not None
    assert "location" not in bob.page.headers
    assert "refresh" not in bob.text
    assert bob.page.status == (200 if more else 403)
    assert "frame-ancestors 'none'" in bob.page.headers["content-security-policy"]
    if more:
        assert all(word in bob.said for word in ("The Shop", "eve", "began it yourself"))
        for nonce in ("", "made-up", "A" * 43):
            assert sent(bob.go(start), nonce=nonce).page.status == 403  # type: ignore[union-attr]
    assert (site.status(begun), site.untouched()) == ("testing", True)


@pytest.mark.parametrize("verify", WAYS)
def test_eve_opens_the_link_and_sends_the_providers_address(site: Attacked, verify: str) -> None:
    """Bob's answer is refused, since Eve's browser has opened the link; Eve has nothing to
    finish.
    """
    begun, eve, start = begun_by(site, user="eve", verify=verify)
    state = state_at(eve.go(start))
    assert site.answered(Person(site.stand.port), state, "bobs-code").page.status == 400  # type: ignore[union-attr]
    assert "You have approved at" not in eve.go(f"/connect/session/{begun['id']}").said
    assert site.untouched()


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ("Connect Bikeshed", "Continue to Bikeshed")),
        ("de", ("Bikeshed verbinden", "Weiter zu Bikeshed")),
    ],
)
@pytest.mark.parametrize("led", [True, False])
def test_one_button_leads_to_the_provider(
    site: Attacked, locale: str, words: tuple[str, str], *, led: bool
) -> None:
    """Of one type, the first page names it, with its picture and the platform, once; its only
    button but Cancel leads on. Back in the browser that began, the account comes first, then for
    whom, and one button.
    """
    theme = {"name": "Lowly", "wordmark": "data:image/png;base64,AAAA"}
    begun = site.begin(
        locale=locale, labels={TYPE: {"title": "Bikeshed"}}, theme=theme, userName="Ada Lovelace"
    )
    ada = Person(site.stand.port).go(
        begun["url"], **({"Referer": "https://shop.example/"} if led else {})
    )
    assert site.status(begun) == "pending", "opening it changes nothing"
    buttons = (ada.text.count("<button"), ada.text.count('class="primary"'))
    assert (buttons, all(text in ada.said for text in words), 'class="icon' in ada.text) == (
        (2, 1),
        True,
        True,
    )
    asks, warns = (
        ("Lowly asks you", "Go on only if")
        if locale == "en"
        else ("Lowly bittet Sie", "Fahren Sie nur fort")
    )
    assert ('alt="Lowly"' in ada.text, ">Lowly<" in ada.text) == (True, False), (
        "the picture has the name"
    )
    assert (ada.said.count(asks), warns in ada.said) == (1, not led), (
        "who is led here by the platform need not be told"
    )
    ada.press(words[1])
    state = state_at(ada.go(ada.onward()))
    ada = site.answered(ada, state, "adas-code")
    ada.go(ada.onward())
    assert (
        "Ada Lovelace" in ada.said,
        "shop.example" in ada.said,
        ada.text.count('class="primary"'),
    ) == (True, True, 1)
    assert len(ada.said.partition("Lowly (shop.example)")[2]) < 130, ada.said


@pytest.mark.parametrize("more", [{}, FRAMED], ids=["page", "frame"])
def test_each_page_calls_the_provider_alike(site: Attacked, more: dict[str, Any]) -> None:
    """The platform's word for it stands on the button that leads there, also after a no, and where
    the person is told of that.
    """
    begun = site.begin(labels={TYPE: {"title": "Bikeshed"}}, **more)
    ada, state = site.at_provider(begun)
    ada.go(f"/connect/session/{begun['id']}")
    assert (">Continue to Bikeshed<" in ada.text, "You continue at 127.0.0.1." in ada.said) == (
        True,
        True,
    )
    declined(ada, state)
    assert "You declined at Bikeshed." in ada.go(f"/connect/session/{begun['id']}").said


def planted(site: Attacked, eve: Person) -> Person:
    """A browser into which Eve has planted all her cookies, as a host beside the server can without
    TLS.
    """
    return Person(site.stand.port, dict(eve.cookies))


@pytest.mark.parametrize("verify", WAYS)
def test_eve_plants_her_cookies(site: Attacked, verify: str) -> None:
    """Bob's browser passes for Eve's and comes back with his approval: only his browser can finish,
    which is told for whom; Eve's can neither finish nor, if Bob does, be confirmed.
    """
    begun, eve, start = begun_by(site, user="eve", verify=verify)
    bob = planted(site, eve).go(start)
    bob = site.answered(bob, state_at(bob), "bobs-code")
    address = f"/connect/session/{begun['id']}"
    eve.go(address)
    assert "Finish there" in eve.said
    csrf = eve.text.split('name="csrf" value="')[1].split('"')[0]
    for step in ("finish", "finish"):
        assert "proof=" not in eve.send(address, {"step": step, "csrf": csrf}).text
    assert (site.status(begun), site.untouched(1)) == ("testing", True)
    bob.go(bob.onward())
    assert all(words in bob.said for words in ("The Shop", "for eve", "only if that is you"))
    if verify == "confirm":
        assert "shop.example" in bob.said
        proof = parse_qs(urlsplit(bob.press("Connect").onward()).query)["proof"][0]
        assert "proof=" not in eve.send(address, {"step": "finish", "csrf": csrf}).text, (
            "the proof is for Bob's browser alone"
        )
        assert site.confirm(begun, proof, "bob").status == 403
        assert (site.status(begun), site.untouched(1)) == ("failed", True)


@pytest.mark.parametrize("more", [{}, FRAMED], ids=["page", "frame"])
def test_a_person_goes_back_and_starts_again(site: Attacked, more: dict[str, Any]) -> None:
    """The links of earlier attempts lead nowhere, an answer to one finishes nothing, and the last
    one connects.
    """
    begun, ada, start = begun_by(site, **more)
    old = state_at(ada.go(start))
    ada.go(f"/connect/session/{begun['id']}").press("Start again")
    site.answered(ada, old, "eves-code")
    assert "You have approved at" not in ada.go(f"/connect/session/{begun['id']}").said
    assert ada.go(start).page.status == 400  # type: ignore[union-attr]
    again = start_of(ada.go(f"/connect/session/{begun['id']}"))
    ada.go(again)
    back = site.answered(ada, state_at(ada), "adas-code")
    back.go(back.onward()).press("Connect")
    assert site.confirm(begun, parse_qs(urlsplit(back.onward()).query)["proof"][0]).status == 200
    assert site.connected() == "ada"


def test_a_framed_page_opens_a_window(site: Attacked) -> None:
    """The window has no cookie of the frame's: it gets the nonce, comes back from the provider,
    finishes, and takes the proof to the platform. The frame says where to finish, and cannot
    itself.
    """
    begun, frame, start = begun_by(site, **FRAMED)
    window = Person(site.stand.port).go(start)
    sent(window, nonce=nonce_of(frame))
    back = site.answered(window, state_at(window), "adas-code")
    assert "Finish there" in frame.go(f"/connect/session/{begun['id']}").said
    waiting = back.go(back.onward()).text.partition('data-state="')[2].partition('"')[0]
    state = f"/connect/session/{begun['id']}/state"
    # a frame on the window's own site has its cookies, and this page
    assert json.loads(back.go(state).text)["state"] == waiting
    back.go(f"/connect/session/{begun['id']}").press("Connect")
    assert json.loads(frame.go(state).text)["state"] != waiting
    assert site.confirm(begun, parse_qs(urlsplit(back.onward()).query)["proof"][0]).status == 200
    assert site.connected() == "ada"
    assert "Connected" in frame.go(f"/connect/session/{begun['id']}").said


def test_a_nonce_is_used_again_or_from_another_site(site: Attacked) -> None:
    """A nonce opens one window, from this server's own page, with the cookie of the browser that
    has seen it; neither a form of another site nor one with another browser's token counts, and a
    new attempt has another nonce.
    """
    begun, frame, start = begun_by(site, **FRAMED)
    nonce = nonce_of(frame)
    bob = Person(site.stand.port).go(start)
    form = {"csrf": bob.text.split('name="csrf" value="')[1].split('"')[0], "nonce": nonce}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in bob.cookies.items())}
    client, page = (
        Client(site.stand.port),
        f"/connect/session/{begun['id']}/start/{start.rsplit('/', 1)[1]}",
    )
    for headers in (
        {**cookie, "Sec_Fetch_Site": "cross-site"},
        {**cookie, "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin"},
    ):
        assert client.call("POST", page, urlencode(form).encode(), **kind, **headers).status == 403
    window = sent(Person(site.stand.port).go(start), nonce=nonce)
    assert "refresh" in window.text
    assert "refresh" not in sent(bob, nonce=nonce).text
    frame.go(f"/connect/session/{begun['id']}").press("Start again")
    again = Person(site.stand.port).go(start_of(frame))
    assert sent(again, nonce=nonce).page.status == 403  # type: ignore[union-attr]
    assert site.untouched()


def test_another_device_types_a_code(site: Attacked) -> None:
    """The page shows a link and a code; the device sees for whom it approves, types the code, and
    finishes. The proof arrives there.
    """
    begun, ada, _ = begun_by(site)
    ada.press("Use another device")
    start, code = start_of(ada), code_of(ada)
    assert f"http://127.0.0.1:{SETTINGS.port}{start}" in ada.said or start in ada.said
    phone = Person(site.stand.port).go(start)
    assert all(
        words in phone.said
        for words in ("The Shop", "for the user ada", "Nobody may send you this code")
    )
    sent(phone, code=f"{code[:3]} {code[3:]}")
    back = site.answered(phone, state_at(phone), "adas-code")
    assert "Finish there" in ada.go(f"/connect/session/{begun['id']}").said
    back.go(back.onward()).press("Connect")
    assert site.confirm(begun, parse_qs(urlsplit(back.onward()).query)["proof"][0]).status == 200
    assert site.connected() == "ada"


@pytest.mark.parametrize("allowed", [False, True])
def test_whose_the_other_account_is_sees_who_was_there(site: Attacked, *, allowed: bool) -> None:
    """Ada's account is connected again, and Bob's device approves: Ada's page says that it was
    another account, and not whose. Nobody has Bob's tokens; what was exchanged for the old grant
    goes on.
    """
    first = site.begin(types=["owners/approved"])
    assert site.confirm(first, site.approved(first)[1]).status == 200
    begun, ada, _ = begun_by(site, mode="reauth", types=[], defaults={}, allowOtherAccount=allowed)
    ada.press("Use another device")
    start, code = start_of(ada), code_of(ada)
    bob = Person(site.stand.port).go(start)
    sent(bob, code=code)
    bob = site.answered(bob, state_at(bob), "bobs-code")
    bob.go(bob.onward())
    assert "You have signed in at 127.0.0.1 as bob. This connection belongs to ada" in bob.said
    ada.go(f"/connect/session/{begun['id']}")
    assert ("bob" in ada.said, "with another account than the one" in ada.said) == (
        False,
        not allowed,
    )
    assert (site.connected("owners"), site.status(begun)) == ("ada", "testing")


def test_a_code_is_guessed(site: Attacked) -> None:
    """Three wrong codes end the code, also three at once; the session's own browser goes on, and
    may ask for another one.
    """
    begun, ada, start = begun_by(site)
    ada.press("Use another device")
    code = code_of(ada)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    eve = Person(site.stand.port).go(start)
    page, asked = eve.visited[-1], eve.text.split('name="csrf" value="')[1].split('"')[0]
    left = [
        eve.send(page, {"csrf": asked, "code": wrong}).said.rsplit("Tries left: ", 1)[1][:1]
        for _ in range(3)
    ]
    assert left == ["2", "1", "0"]
    assert eve.send(page, {"csrf": asked, "code": code}).page.status == 403  # type: ignore[union-attr]
    assert code not in ada.go(f"/connect/session/{begun['id']}").text
    code = code_of(ada.press("Use another device"))
    with ThreadPoolExecutor(4) as pool:
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        list(
            pool.map(
                lambda _: Person(site.stand.port, dict(eve.cookies)).send(
                    page, {"csrf": asked, "code": wrong}
                ),
                range(12),
            )
        )
    assert eve.send(page, {"csrf": asked, "code": code}).page.status == 403  # type: ignore[union-attr]
    assert site.untouched()
    assert "state=" in ada.go(start).page.headers["location"]  # type: ignore[union-attr]


def test_a_code_is_only_for_those_who_may(site: Attacked) -> None:
    """A session for one browser offers no other device, and one that nobody has asked for a code
    takes none, not even an empty one.
    """
    begun, ada, start = begun_by(site, verify="browser", **FRAMED)
    assert "another device" not in ada.said
    csrf = ada.text.split('name="csrf" value="')[1].split('"')[0]
    ada.send(f"/connect/session/{begun['id']}", {"step": "device", "csrf": csrf})
    assert "No other device can approve here" in ada.said
    eve = Person(site.stand.port).go(start)
    for code in ("", "0", "000000"):
        assert sent(eve.go(start), code=code).page.status == 403  # type: ignore[union-attr]
    assert site.untouched()


def test_a_session_ends_while_the_person_is_at_the_provider(site: Attacked) -> None:
    """The browser that comes back learns that it is over; nothing is exchanged, and no link of it
    leads anywhere.
    """
    begun, ada, start = begun_by(site, expiresIn=300)
    state = state_at(ada.go(start))
    site.clock.advance(301)
    back = site.answered(ada, state, "adas-code")
    assert "This link has expired" in back.go(back.onward()).said
    assert Person(site.stand.port).go(start).page.status in (403, 404)  # type: ignore[union-attr]
    assert (site.status(begun), site.untouched()) == ("expired", True)


def declined(browser: Person, state: str, **more: str) -> Person:
    """Come back from the provider without an approval."""
    return browser.go(
        f"/oauth2/callback?{urlencode({'state': state, 'error': 'access_denied', **more})}"
    )


@pytest.mark.parametrize("verify", WAYS)
def test_a_person_declines(site: Attacked, verify: str) -> None:
    """The page says so, and offers to try again; the platform is told at once; nothing is
    exchanged, and nothing can be finished.
    """
    told_before = len([*site.stand.host.runtime("acme-1").events(types=["connection.declined"])])
    begun, ada, start = begun_by(site, verify=verify)
    ada.go(start)
    back = declined(ada, state_at(ada), error_description="<b>no</b>")
    back.go(back.onward())
    assert "You did not approve" in back.said
    assert all(word not in back.said for word in ("You have approved", "Connect"))
    csrf = back.text.split('name="csrf" value="')[1].split('"')[0]
    assert (
        "proof="
        not in back.send(f"/connect/session/{begun['id']}", {"step": "finish", "csrf": csrf}).text
    )
    events = site.stand.host.runtime("acme-1").events(types=["connection.declined"])
    told = [(event.type, event.data["reason"], event.data["type"]) for event in events]
    assert told[told_before:] == [
        ("connection.declined", "access_denied", "people/oauth2AuthorizationCode")
    ]
    assert (site.status(begun), site.untouched()) == ("testing", True)
    back.go(f"/connect/session/{begun['id']}").press("Try again")
    again = Person(site.stand.port, dict(back.cookies)).go(start_of(back))
    done = site.answered(again, state_at(again), "adas-code")
    assert "You have approved at 127.0.0.1" in done.go(done.onward()).said


def test_a_provider_refuses_and_a_product_is_told(site: Attacked) -> None:
    """Over the API the browser takes the code of the refusal to the product's page; the
    authorization has failed, with its reason.
    """
    product, begun = product_begins(site)
    for error, reason in (("access_denied", "access_denied"), ("Strange <code>", "refused")):
        bob = Person(site.stand.port).go(urlsplit(begun["startUrl"]).path)
        assert bob.page is not None
        back = declined(bob, state_at(bob), error=error)
        assert back.page is not None
        given = dict(parse_qsl(urlsplit(back.page.headers["location"]).query))
        assert (given["error"], given["connection"]) == (reason, "main")
        state = product.get(f"/v1/authorizations/{begun['id']}").json
        assert (state["status"], reason in state["reason"], "<" in state["reason"]) == (
            "failed",
            True,
            False,
        )
        begun = product.post(
            "/v1/connections/main/authorize", {"returnTo": "https://shop.example/back"}
        ).json
    assert site.authority.exchanged == []


def test_who_came_back_changes_nothing_else(site: Attacked) -> None:
    """The browser that came back finishes or cancels; once it goes on elsewhere, it sees only
    that.
    """
    begun, frame, start = begun_by(site, **FRAMED)
    window = sent(Person(site.stand.port).go(start), nonce=nonce_of(frame))
    back = site.answered(window, state_at(window), "adas-code")
    back.go(back.onward())
    address = f"/connect/session/{begun['id']}"
    csrf = back.text.split('name="csrf" value="')[1].split('"')[0]
    for step in ("approve", "device", "submit", "back", "change", "choose"):
        assert back.send(address, {"step": step, "csrf": csrf}).page.status == 403, step  # type: ignore[union-attr]
    frame.go(address).press("Start again")
    assert ("<form" in back.go(address).text, "Go on where you began" in back.said) == (False, True)


def product_begins(site: Attacked) -> tuple[Client, dict[str, Any]]:
    """A product with a token of the workspace begins the API's own flow for a stored connection, to
    return to its page.
    """
    token = site.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "manage", "name": "product"}
    ).json["token"]
    product = Client(site.stand.port, token)
    url = site.provider.url
    values = {
        "server": url,
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "clientId": "c",
        "issuer": url,
    }
    body = {"name": "main", "type": "people/oauth2AuthorizationCode", "values": values}
    assert product.post("/v1/connections?test=false", body).status == 201
    return product, product.post(
        "/v1/connections/main/authorize", {"returnTo": "https://shop.example/back?tab=1"}
    ).json


def test_the_start_url_of_the_api_is_sent_on(site: Attacked) -> None:
    """Bob opens Eve's start link and approves: his browser takes the proof to the product. Without
    it, or with another, the product cannot complete for Eve, and its own attempt ends nothing.
    """
    product, begun = product_begins(site)
    bob = Person(site.stand.port).go(urlsplit(begun["startUrl"]).path)
    back = site.answered(bob, state_at(bob), "bobs-code")
    assert back.page is not None
    given = dict(parse_qsl(urlsplit(back.page.headers["location"]).query))
    assert given.keys() == {"tab", "connection", "proof"}
    complete = f"/v1/authorizations/{begun['id']}:complete"
    for body in ({}, {"proof": ""}, {"proof": "made-up"}):
        answer = product.post(complete, body)
        assert (answer.status, answer.json["details"][0]["path"]) == (403, "/proof")
    assert site.untouched()
    assert product.get(f"/v1/authorizations/{begun['id']}").json["status"] == "answered"
    assert product.post(complete, {"proof": given["proof"]}).json["status"] == "granted"
    assert product.post(complete, {"proof": given["proof"]}).status == 404
    assert site.connected() == "bob"


def test_a_platform_has_no_other_way(site: Attacked) -> None:
    """Neither the session as its platform sees it nor its events show a link, a nonce, a code or a
    proof.
    """
    begun, ada, _ = begun_by(site, **FRAMED)
    ada.press("Use another device")
    shown = site.platform.get(f"{BASE}/{begun['id']}").body.decode()
    for secret in (start_of(ada).rsplit("/", 1)[1], nonce_of(ada), code_of(ada)):
        assert secret not in shown
