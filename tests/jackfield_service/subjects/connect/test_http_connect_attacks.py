"""Attacks on who is asking in a connect session: no foreign grant, and no request to the token
endpoint before the confirmation.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock
from unittest.mock import Mock
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BACK, BASE, TYPE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client, clean
from jackfield.kernel.errors import Unavailable
from jackfield_service.shell.browsers.cookies import csrf_token
from jackfield_service.shell.pages.layout.drawn import drawn_from
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.operations import connecting, sweep
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.management.authorizing import Authorizing

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]
_MANY = 64
"""Requests at once: more than a server has threads for those who wait for its database."""


def test_a_person_approves_and_is_confirmed(site: Attacked) -> None:
    """The code is exchanged once, when the browser is back; nobody is connected before the
    confirmation. The connection is then the account of who approved, in at most six clicks.
    """
    begun = site.begin()
    ada, proof = site.approved(begun)
    assert (site.status(begun), site.untouched(1), ada.clicks <= 6) == ("saved", True, True)
    done = site.confirm(begun, proof)
    assert (done.status, done.json["status"]) == (200, "granted")
    assert (site.codes(), site.connected()) == (1, "ada")


def test_a_link_is_sent_to_another_person(site: Attacked) -> None:
    """Bob opens the link that Ada began and approves with his account; his browser brings the proof
    as Bob, and the session ends. Ada cannot confirm it either, and nothing of it is left.
    """
    begun = site.begin()
    _, proof = site.approved(begun, "bobs-code")
    assert site.confirm(begun, proof, "bob").status == 403
    assert (site.status(begun), site.untouched(1)) == ("failed", True)
    assert site.confirm(begun, proof, "ada").status == 409
    assert site.stored() == []
    assert site.untouched(1)


def test_the_callback_is_moved_to_another_browser(site: Attacked) -> None:
    """An answer that another browser brings, with the state or with the whole address, is refused;
    the first browser's counts.
    """
    begun = site.begin()
    ada, state = site.at_provider(begun)
    eve = site.answered(Person(site.stand.port), state, "eves-code")
    assert eve.page is not None
    assert eve.page.status == 400
    back = site.answered(ada, state, "adas-code")
    back.go(back.onward()).press("Connect")
    assert site.confirm(begun, parse_qs(urlsplit(back.onward()).query)["proof"][0]).status == 200
    assert site.connected() == "ada"


def test_a_session_is_entered_by_another_browser(site: Attacked) -> None:
    """Neither its link nor its own address lets a second browser in, and a form of another session
    or site changes nothing.
    """
    begun = site.begin()
    ada = Person(site.stand.port).go(begun["url"]).begin()
    address = f"/connect/session/{begun['id']}"
    eve = Person(site.stand.port, dict.fromkeys(ada.cookies, "made-up"))
    for path in (urlsplit(begun["url"]).path, address, f"{address}/template"):
        assert eve.go(path).page.status in (403, 404)  # type: ignore[union-attr]
    form = urlencode({"step": "cancel", "csrf": "0" * 64}).encode()
    kind = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{k}={v}" for k, v in ada.cookies.items()),
    }
    assert Client(site.stand.port).call("POST", address, form, **kind).status == 403
    csrf = ada.text.split('name="csrf" value="')[1].split('"')[0]
    own = urlencode({"step": "cancel", "csrf": csrf}).encode()
    assert (
        Client(site.stand.port)
        .call("POST", address, own, **kind, Sec_Fetch_Site="cross-site")
        .status
        == 403
    )
    assert site.status(begun) in ("opened", "testing")


def test_a_planted_secret_opens_nothing(site: Attacked) -> None:
    """Eve plants a cookie of the right name and form into Ada's browser (without TLS, a host beside
    it can): the browser gets another secret as it begins, and neither the page nor the link lets
    Eve in with hers.
    """
    begun = site.begin()
    planted = {f"jackfield_connect_{begun['id']}_{SETTINGS.port}": "A" * 43}
    ada = Person(site.stand.port, dict(planted)).go(begun["url"]).begin()
    assert "Go on only if" not in ada.said
    assert ada.cookies.keys() == planted.keys()
    assert ada.cookies != planted
    eve = Person(site.stand.port, dict(planted))
    address, link = f"/connect/session/{begun['id']}", urlsplit(begun["url"]).path
    csrf = {"csrf": drawn_from(csrf_token(f"{'A' * 43}.{begun['id']}"), begun["id"])}
    for path, form, status in (
        (address, None, 404),
        (f"{address}/template", None, 404),
        (f"{address}/state", None, 404),
        (address, {"step": "cancel", **csrf}, 404),
        (link, csrf, 409),
    ):
        page = (eve.send(path, form) if form else eve.go(path)).page
        assert (page and page.status, path) == (status, path)
    assert site.status(begun) in ("opened", "testing")


def test_an_answer_to_the_first_press_is_lost(site: Attacked) -> None:
    """Who has not received the answer begins again; once the browser has come with its secret, what
    it began with opens nothing.
    """
    begun = site.begin()
    ada = Person(site.stand.port).go(begun["url"])
    before, page = dict(ada.cookies), ada.page
    for _ in range(2):
        assert site.pressed(begun, ada).page.status == 303  # type: ignore[union-attr]
    assert "Go on only if" in ada.go(begun["url"]).said, "the link shows the button again"
    assert "set-cookie" not in ada.page.headers  # type: ignore[union-attr]
    assert "opened in another browser" in Person(site.stand.port).go(begun["url"]).said
    ada.begin()
    assert "Go on only if" not in ada.said
    again = Person(site.stand.port, dict(before), page).begin()
    assert (again.page and again.page.status, "opened in another browser" in again.said) == (
        409,
        True,
    )
    other_tab = Person(site.stand.port, dict(ada.cookies), page).begin()
    assert other_tab.said == ada.go(f"/connect/session/{begun['id']}").said


def test_begin_is_pressed_twice_at_once(site: Attacked) -> None:
    """Whichever press counts, its browser gets in; whoever sees the button again presses it
    again.
    """
    begun = site.begin()
    ada = Person(site.stand.port).go(begun["url"])
    with ThreadPoolExecutor(2) as pool:
        presses = list(pool.map(lambda _: site.pressed(begun, ada), range(2)))
    assert not any("Another browser" in press.said for press in presses)
    presses = [press.begin() if ">Begin<" in press.text else press for press in presses]
    pages = [press.go(f"/connect/session/{begun['id']}").page for press in presses]
    assert 200 in [page.status for page in pages if page]
    assert site.stored() == ["main"]


@pytest.mark.parametrize(
    ("part", "step"),
    [(Connecting, "choose"), (Connecting, "submit"), (Authorizing, "begin")],
    ids=["type", "values", "provider"],
)
def test_a_press_is_repeated_before_the_first_has_ended(
    site: Attacked, monkeypatch: pytest.MonkeyPatch, part: type, step: str
) -> None:
    """The first press waits in one of its steps as the second one comes: that one gets in, and the
    session still removes what it stored.
    """
    begun, asked, go, real = site.begin(), threading.Event(), threading.Event(), getattr(part, step)

    def slow(*given: Any, **named: Any) -> Any:
        first = not asked.is_set()
        asked.set()
        assert not first or go.wait(30)
        return real(*given, **named)

    monkeypatch.setattr(part, step, slow)
    ada = Person(site.stand.port).go(begun["url"])
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(site.pressed, begun, ada)
        assert asked.wait(30)
        ada = site.pressed(begun, ada)
        go.set()
    assert "set-cookie" not in lost.result().page.headers, (  # type: ignore[union-attr]
        "it arrives last, and would replace the one that counts"
    )
    assert "Continue to 127.0.0.1" in ada.go(f"/connect/session/{begun['id']}").said
    assert site.stored() == ["main"]
    ada.press("Cancel")
    assert (site.status(begun), site.stored()) == ("failed", [])


def test_a_provider_cannot_be_asked_at_first(
    site: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left of the attempt, so that the person can correct the values and go on."""
    begun, down = site.begin(), Unavailable("the provider is down")
    with monkeypatch.context() as patched:
        patched.setattr(Authorizing, "begin", Mock(side_effect=down))
        ada = Person(site.stand.port).go(begun["url"]).begin()
    assert "could not be reached from The Shop" in ada.said
    assert "the provider is down" not in ada.said
    assert (
        site.platform.get(f"{BASE}/{begun['id']}").json["blocked"]["message"]
        == "the provider is down"
    )
    assert site.stored() == []
    assert "Continue to 127.0.0.1" in ada.press("Continue").said
    assert site.stored() == ["main"]


def test_two_tabs_of_one_browser(site: Attacked) -> None:
    """Two sessions in one browser do not disturb each other; the proof of one confirms no other."""
    first, second = site.begin(), site.begin(connection="second")
    ada, proof = site.approved(first)
    _, other = site.approved(second, person=ada)
    assert site.confirm(first, other).status == 403
    assert site.untouched(2)
    assert site.confirm(first, proof).status == 200
    assert site.confirm(second, other).status == 200
    assert site.connected() == "ada"


def test_another_user_workspace_or_token_confirms(site: Attacked) -> None:
    """A session is confirmed by the token that began it, in its workspace: for all others it does
    not exist.
    """
    begun = site.begin()
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof, base="/v1/workspaces/acme-2/connect-sessions").status == 404
    for client in (site.other_platform(), site.other_platform("other-*")):
        assert site.confirm(begun, proof, client=client).status == 404
    token = site.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "manage", "name": "tenant"}
    ).json["token"]
    assert site.confirm(begun, proof, client=Client(site.stand.port, token)).status == 403
    assert site.untouched(1)
    assert site.confirm(begun, proof).status == 200


@pytest.mark.parametrize("at_once", [False, True])
def test_a_proof_is_used_twice(site: Attacked, *, at_once: bool) -> None:
    """One after the other or at once: the code is exchanged once, and each gets the same answer."""
    begun = site.begin()
    _, proof = site.approved(begun)
    with ThreadPoolExecutor(4 if at_once else 1) as pool:
        found = list(pool.map(lambda _: site.confirm(begun, proof), range(4)))
    assert [answer.status for answer in found] == [200] * 4
    assert all(answer.json == site.confirm(begun, proof).json for answer in found)
    assert (site.codes(), site.stored()) == (1, ["main"])
    assert [
        site.confirm(begun, proof, "eve").status,
        site.confirm(begun, "made-up").status,
        site.status(begun),
    ] == [409, 409, "granted"]


def test_repeated_confirmations_hold_no_thread(site: Attacked) -> None:
    """A platform repeats a confirmation that takes long, by many requests: others are answered
    meanwhile, and so are they in the end.
    """
    begun = site.begin()
    _, proof = site.approved(begun)
    performs, began, may_end = Connecting._perform, threading.Event(), threading.Event()

    def slowly(self: Connecting, found: ConnectSession) -> None:
        began.set()
        assert may_end.wait(60.0)
        performs(self, found)

    with mock.patch.object(Connecting, "_perform", slowly), ThreadPoolExecutor(_MANY) as pool:
        confirmations = [pool.submit(site.confirm, begun, proof) for _ in range(_MANY)]
        assert began.wait(60.0)
        states = [site.status(begun) for _ in range(5)]
        may_end.set()
        answers = [one.result().status for one in confirmations]
    assert (set(states), answers, site.codes()) == ({"saved"}, [200] * _MANY, 1)


def test_a_proof_is_guessed_or_old(site: Attacked) -> None:
    """A wrong proof changes nothing; a proof that a later return has replaced confirms nothing any
    more.
    """
    begun = site.begin()
    ada, proof = site.approved(begun)
    assert site.confirm(begun, "made-up").status == 403
    ada.go(f"/connect/session/{begun['id']}").press("Return to The Shop")
    assert site.confirm(begun, proof).status == 403
    assert site.untouched(1)
    assert site.confirm(begun, parse_qs(urlsplit(ada.onward()).query)["proof"][0]).status == 200


@pytest.mark.parametrize("seconds", [601, 1801])
def test_a_session_expires(site: Attacked, seconds: float) -> None:
    """A provider's answer is held for ten minutes, a session for half an hour; afterwards a proof
    confirms nothing.
    """
    begun = site.begin()
    _, proof = site.approved(begun)
    site.clock.advance(seconds)
    assert site.confirm(begun, proof).status in (404, 409)
    assert site.status(begun) in ("failed", "expired")
    assert site.untouched(1)
    assert Person(site.stand.port).go(begun["url"]).page.status in (403, 404)  # type: ignore[union-attr]


def test_a_session_ends_by_itself(site: Attacked) -> None:
    """Nobody comes back: the server ends the session, tells of it once, and removes the connection
    that waited for the approval, also if somebody has looked at the session meanwhile.
    """
    begun = site.begin()
    site.at_provider(begun)
    assert site.stored() == ["main"]
    site.clock.advance(1801)
    assert site.status(begun) == "expired"
    assert {
        item["status"]
        for item in site.platform.get(BASE).json["items"]
        if item["id"] == begun["id"]
    } == {"expired"}
    site.begin(connection="another")
    sweep(site.stand.host)
    sweep(site.stand.host)
    assert site.stored() == []
    token = site.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}
    ).json["token"]
    events = Client(site.stand.port, token).get("/v1/events?types=connect.failed").json["items"]
    assert [
        item["data"]["reason"] for item in events if item["data"]["session"] == begun["id"]
    ] == ["nobody finished it in time"]


def test_a_confirmation_comes_too_early(site: Attacked) -> None:
    """Before the person has finished there is nothing to confirm, and without the provider's answer
    nothing to finish.
    """
    begun = site.begin()
    assert site.confirm(begun, "made-up").status == 409
    ada, _ = site.at_provider(begun)
    address = f"/connect/session/{begun['id']}"
    csrf = ada.go(address).text.split('name="csrf" value="')[1].split('"')[0]
    ada.send(address, {"step": "finish", "csrf": csrf})
    assert "proof" not in ada.text
    assert (site.status(begun), site.untouched()) == ("testing", True)


def test_a_row_is_changed_in_the_database(site: Attacked) -> None:
    """Who can write to the database, without the master key, can neither lead a session on nor move
    one's content to another.
    """
    begun, other = site.begin(), site.begin(connection="second")
    _, proof = site.approved(begun)
    database = site.stand.host.storage.database
    with database.write() as transaction:
        place = {"id": begun["id"], "other": other["id"]}
        found = "SELECT sealed FROM connect_sessions WHERE id = :id"
        transaction.change(
            f"UPDATE connect_sessions SET sealed = ({found}) WHERE id = :other", place
        )
    assert site.status(other) == "failed"
    assert site.confirm(other, proof).status == 404
    with database.write() as transaction:
        transaction.change(
            "UPDATE connect_sessions SET status = 'opened' WHERE id = :id", {"id": begun["id"]}
        )
    assert site.confirm(begun, proof).status == 404
    assert site.untouched(1)


def test_the_server_ends_between_callback_and_confirmation(site: Attacked) -> None:
    """The answer is in the database, sealed: another process confirms, and a copy of the database
    shows no code and no proof.
    """
    begun = site.begin()
    _, proof = site.approved(begun)
    token = site.stand.host.identities.find(site.platform.token or "")
    assert token is not None
    again = ServerContext(
        SETTINGS, clean(site.stand.folder / "home", **site.environment), site.clock
    )
    with again.storage.database.read() as transaction:
        rows = transaction.execute(
            "SELECT sealed FROM authorizations UNION ALL SELECT sealed FROM connect_sessions", {}
        )
    assert not any(
        secret in (row.sealed or b"") for row in rows for secret in (b"adas-code", proof.encode())
    )
    assert (connecting(again, "acme-1").confirm(begun["id"], proof, "ada", token.actor) or {})[
        "status"
    ] == "granted"
    asyncio.run(again.stop())
    assert (site.codes(), site.status(begun)) == (1, "granted")


def test_a_device_code_cannot_be_sent_on(site: Attacked) -> None:
    """A session offers no approval by a code, which anybody could be asked to enter."""
    begun = site.begin()
    ada = Person(site.stand.port).go(begun["url"]).begin()
    assert "Continue to 127.0.0.1" in ada.said
    assert "flow" not in ada.text
    assert site.stand.host.runtime("acme-1").connections.kinds.find(TYPE).about.authorizes == (
        "redirect",
        "device",
    )


def test_a_token_is_revoked(site: Attacked) -> None:
    """With the platform's token its sessions end: their pages are gone."""
    other = site.other_platform()
    answer = other.post(BASE, {"user": "ada", "returnTo": BACK, "types": ["slack/botToken"]})
    path = urlsplit(answer.json["url"]).path
    assert Client(site.stand.port).get(path).status == 200
    storage, found = site.stand.host.storage, site.stand.host.identities.find(other.token or "")
    assert found is not None
    PlatformTokens(storage.database, storage.vault, site.clock).revoke(found.id)
    assert Client(site.stand.port).get(path).status == 404


@pytest.mark.parametrize("allowed", [False, True])
def test_another_account_approves_again(site: Attacked, *, allowed: bool) -> None:
    """``reauth`` keeps the connection and its name. Who comes back from the provider with another
    account than before learns it at once, by both names, and can approve again; where the platform
    allows it, the other account is a choice of its own.
    """
    begun = site.begin(types=["owners/approved"])
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof).json["account"]["id"] == "ada"
    again = site.begin(mode="reauth", types=[], defaults={}, allowOtherAccount=allowed)
    browser, state = site.at_provider(again)
    browser = site.answered(browser, state, "bobs-code")
    browser.go(browser.onward())
    assert "You have signed in at 127.0.0.1 as bob. This connection belongs to ada" in browser.said
    assert (
        "Use bob from now on" in browser.said,
        site.status(again),
        site.connected("owners"),
    ) == (allowed, "testing", "ada")
    if allowed:
        browser.press("Use bob from now on")
        assert (
            site.confirm(again, parse_qs(urlsplit(browser.onward()).query)["proof"][0]).json[
                "account"
            ]["id"]
            == "bob"
        )
    else:
        assert "To connect bob as well, go back to The Shop" in browser.said
        browser.press("Sign in as ada")
        link = next(part for part in browser.text.split('"') if part.startswith("/oauth2/start/"))
        state = parse_qs(urlsplit(browser.go(link).page.headers["location"]).query)["state"][0]  # type: ignore[union-attr]
        browser = site.answered(browser, state, "adas-code")
        browser.go(browser.onward()).press("Connect")
        assert (
            site.confirm(again, parse_qs(urlsplit(browser.onward()).query)["proof"][0]).status
            == 200
        )
    assert site.connected("owners") == ("bob" if allowed else "ada")
    if allowed:
        return
    same = site.begin(mode="reauth", types=[], defaults={})
    _, proof = site.approved(same, "adas-code")
    assert site.confirm(same, proof).json["account"]["id"] == "ada"
    assert site.connected("owners") == "ada"
