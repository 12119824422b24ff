"""The sign-in of people against two providers that others wrote, and the whole of it in a
browser.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request, build_opener

from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Place, is_in, placed
from tests.jackfield_service.shell.pages.identity_provider import CLIENT, SECRET, providing

from browsing import LOOKS, Visitor
from clocks import FakeClock
from console_rig import served
from jackfield.callers.actor import LIBRARY
from jackfield.callers.roles import made_grant
from jackfield_service.shell.identity.identity_providers import Oidc
from jackfield_service.shell.identity.people import LASTS
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.management.roles import Roles
from oidc_provider import Browser as ProvidersBrowser
from oidc_provider import Stay, authorization_server

pytest_plugins = ["browser"]


_MOCK = """
import sys
from oidc_provider_mock import User, run_server_in_thread
people = [User(sub="ada-1", claims={"name": "Ada", "groups": ["support"]}), User(sub="eve", claims={"groups": []})]
with run_server_in_thread(user_claims=people) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""
"""The mock in a process of its own: it warns of what it uses of authlib, and installs a
debugger.
"""


def grant(host: ServerContext, role: str, **whom: str) -> None:
    """Give a role in the workspace of the operator."""
    Roles(host.storage, host.clock, LIBRARY).add(made_grant(role, "default", **whom))


def entered(place: Place, answer: Callable[[str], str]) -> tuple[bool, int]:
    """Whether a person gets in with what the provider's page leads back to, and again with the same
    answer.
    """
    client = place.client()
    begun = client.get("/login/start").headers["location"]
    kept, back = dict(client.cookies), urlsplit(answer(begun))
    client.get(f"{back.path}?{back.query}")
    again = place.client()
    again.cookies.update(kept)
    return is_in(client), again.get(f"{back.path}?{back.query}").status


def test_npms_oidc_provider_signs_people_in(tmp_path: Path, clock: FakeClock) -> None:
    """Groups of its userinfo endpoint give the role; a group that is removed there is lost within
    15 minutes; its refresh tokens rotate.
    """
    with authorization_server() as provider:
        oidc = Oidc(
            provider.issuer, "console", "secret-of-the-console", scopes="openid profile groups"
        )
        with placed(tmp_path, clock, oidc=oidc) as place:
            grant(place.host, "operator", group="support")

            def approved(url: str) -> str:
                return (
                    f"/login/callback?{urlencode(ProvidersBrowser(provider.issuer).approve(url))}"
                )

            client = place.client()
            back = approved(client.get("/login/start").headers["location"])
            assert "iss" in dict(parse_qsl(urlsplit(back).query))
            assert client.get(back).status == 200
            assert "Ada Lovelace" in client.get("/").words
            assert client.get(back).status == 403
            clock.advance(LASTS + 1)
            assert is_in(client)
            build_opener().open(f"{provider.issuer}/groups", timeout=60).close()
            clock.advance(LASTS + 1)
            assert not is_in(client)
            assert provider.count("/token") == 3


def test_the_mock_of_pypi_signs_people_in(tmp_path: Path, clock: FakeClock) -> None:
    """The claims of its ID token give the role; the answer of one person's sign-in opens no other
    browser.
    """
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _MOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        issuer = f"http://localhost:{process.stdout.readline().strip()}"
        with placed(tmp_path, clock, oidc=Oidc(issuer, CLIENT, SECRET)) as place:
            grant(place.host, "viewer", group="support")

            def approved(sub: str) -> Callable[[str], str]:
                return lambda url: posted(url, {"sub": sub})

            assert entered(place, approved("ada-1")) == (True, 403)
            assert entered(place, approved("eve")) == (False, 403)
            assert entered(place, lambda url: posted(url, {"action": "deny"})) == (False, 403)
            stolen = posted(
                place.client().get("/login/start").headers["location"], {"sub": "ada-1"}
            )
            assert entered(place, lambda _url: stolen) == (False, 403)
        process.communicate("")


def posted(url: str, form: dict[str, str]) -> str:
    """The address to which the provider's form leads."""
    try:
        build_opener(Stay()).open(Request(url, data=urlencode(form).encode()), timeout=60).close()
    except HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("it leads nowhere")


def test_a_person_signs_in_with_a_browser(tmp_path: Path, browser: Browser) -> None:
    """From the button over the provider to the page that was wanted, in light, dark and on a phone;
    then out; and who has no role.
    """
    with (
        providing() as provider,
        served(tmp_path, named=True, oidc=Oidc(provider.issuer, CLIENT, SECRET)) as console,
    ):
        grant(console.host, "operator", group="support")
        for scheme, phone in LOOKS:
            visitor = Visitor(browser, console)
            visitor.look(scheme, phone=phone)
            provider.claims = {"sub": "ada-1", "name": "Ada Lovelace", "groups": ["support"]}
            visitor.go("/queue")
            visitor.check()
            assert visitor.axe() == []
            visitor.page.get_by_role("link", name="Sign in with your identity provider").click()
            visitor.page.wait_for_url(f"{console.origin}/queue")
            assert "Ada Lovelace" in visitor.page.content()
            visitor.faults = [one for one in visitor.faults if provider.issuer not in one]
            visitor.check()
            assert visitor.page.evaluate("document.cookie") == ""
            if phone:
                visitor.page.get_by_role("button", name="Menu").click()
            visitor.page.get_by_role("button", name="Sign out").first.click()
            visitor.page.wait_for_url(re.compile("why=left"))
            provider.claims = {"sub": "eve", "name": "Eve"}
            visitor.page.get_by_role("link", name="Sign in with your identity provider").click()
            visitor.page.wait_for_url(re.compile("/login/callback"))
            assert "have no role here" in visitor.page.inner_text("body")
            visitor.faults = [one for one in visitor.faults if provider.issuer not in one]
            visitor.check()
            assert visitor.axe() == []
            visitor.close()
