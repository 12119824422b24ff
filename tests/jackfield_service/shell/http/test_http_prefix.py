"""The server below a path of another host (M42), behind a proxy that strips the path, one that
leaves it, and one that names it.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

import pytest

from http_stand import SETTINGS, Client, Stand, clean, say, standing
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.server_process import check_settings
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.database.setting_rows import checked_public_url
from shell import Shell

pytest_plugins = ["shell_fixture"]

PREFIX = "/jackfield"
OURS = re.compile(r'(?:href|src|action|hx-get|hx-post|data-options)="(/[^"]*)"')


class _Proxy(http.server.BaseHTTPRequestHandler):
    """Strips the prefix, and passes everything else on with the headers that a proxy adds."""

    upstream = 0
    named = False
    cookies: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        """Pass a request on."""
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {
            **dict(self.headers.items()),
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.9",
        }
        if self.named:
            headers["X-Forwarded-Prefix"] = f"{PREFIX}/"
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=120)
        ) as connection:
            connection.request(self.command, self.path.removeprefix(PREFIX), body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                _keep(self.cookies, value)
            if name.lower() not in ("transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 (the name that http.server asks for)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def _proxied(stand: Stand, *, named: bool, cookies: dict[str, str]) -> Iterator[Client]:
    """A client of the proxy in front of a server; ``cookies`` are those that the server sets."""
    handler = type(
        "Handler", (_Proxy,), {"upstream": stand.port, "named": named, "cookies": cookies}
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield replace(stand.client(), port=proxy.server_address[1])
        proxy.shutdown()
        thread.join(60)


@pytest.mark.parametrize("pages", [25, pytest.param(60, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("named", [True, False])
def test_m42_below_a_path(tmp_path: Path, named: bool, pages: int) -> None:
    """M42: signed in through the proxy, every address of each page works there; so do cookies,
    Location, OpenAPI and the code to copy.
    """
    settings = replace(SETTINGS, behind_proxy=True, root_path="" if named else PREFIX)
    cookies: dict[str, str] = {}
    with (
        standing(tmp_path, settings) as stand,
        _proxied(stand, named=named, cookies=cookies) as client,
    ):
        nobody = replace(client, token=None)
        away = nobody.get(f"{PREFIX}/connections?q=x")
        assert (away.status, away.headers["location"]) == (
            303,
            f"{PREFIX}/login?next=%2Fconnections%3Fq%3Dx",
        )
        form = nobody.get(away.headers["location"])
        fields = dict(re.findall(r'name="(csrf|next)" value="([^"]*)"', form.body.decode()))
        head = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": _sent(cookies)}
        inside = nobody.post(
            f"{PREFIX}/login", urlencode({**fields, "token": client.token}).encode(), **head
        )
        assert f'content="0;url={PREFIX}/connections?q=x"' in inside.body.decode()
        assert [name.startswith("__Secure-") for name in cookies] == [True] * len(cookies)
        seen = {f"{PREFIX}/"}
        waiting = list(seen)
        while waiting and len(seen) < pages:
            reply = nobody.get(waiting.pop(), Cookie=_sent(cookies))
            assert reply.status == 200
            text = reply.body.decode() if "html" in reply.headers["content-type"] else ""
            for found in OURS.findall(text):
                assert found.startswith(f"{PREFIX}/"), found
                if found not in seen and "hx-" not in found and f'href="{found}"' in text:
                    seen.add(found)
                    waiting.append(found)
        assert len(seen) > 10
        queued = client.post(
            f"{PREFIX}/v1/connections",
            {"name": "hall", "type": "echo/token", "values": {"token": "t"}},
        )
        assert queued.status == 201
        later = client.post(
            f"{PREFIX}/v1/invocations", say("say", "hall", text="x"), Prefer="respond-async"
        )
        assert later.headers["location"].startswith(f"{PREFIX}/v1/invocations/")
        assert client.get(later.headers["location"]).status == 200
        assert json.loads(client.get(f"{PREFIX}/openapi.json").body)["servers"] == [{"url": PREFIX}]
        assert 'href="openapi.json"' in client.get(f"{PREFIX}/docs").body.decode()
        guide = client.get(
            f"{PREFIX}/v1/connectors/echo/actions/say", Accept="text/markdown"
        ).body.decode()
        assert "/v1/invocations" not in guide or f"{PREFIX}/v1/invocations" in guide


def _keep(cookies: dict[str, str], header: str) -> None:
    """Keep what the server sets, as a browser does."""
    for name, morsel in SimpleCookie(header).items():
        assert morsel["path"] == PREFIX
        cookies[name] = morsel.value
        if not morsel.value:
            del cookies[name]


def _sent(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def test_m42_a_prefix_that_anybody_names(tmp_path: Path) -> None:
    """M42: without --behind-proxy the header changes nothing, and a value that is not a path
    changes nothing either.
    """
    with standing(tmp_path) as stand:
        assert (
            stand.client()
            .get("/connections", X_Forwarded_Prefix=PREFIX)
            .headers["location"]
            .startswith("/login")
        )
    with standing(tmp_path / "proxy", replace(SETTINGS, behind_proxy=True)) as stand:
        for value in (
            "//evil.example",
            "https://evil.example",
            "/a/../b",
            '/"><script>',
            "jackfield",
        ):
            assert (
                stand.client()
                .get("/connections", X_Forwarded_Prefix=value)
                .headers["location"]
                .startswith("/login")
            )


def test_h_a_prefix_from_a_header_is_not_cached_for_others(tmp_path: Path) -> None:
    """Answers vary with the header, and shared caches keep none of them (second review)."""
    with standing(tmp_path, replace(SETTINGS, behind_proxy=True)) as stand:
        client = stand.client()
        assets = re.findall(
            r'(?:href|src)="(/[^"]+\.(?:css|js)[^"]*)"', client.get("/login").body.decode()
        )
        assert assets
        for path in ("/login", "/v1/connectors", "/connections", *assets):
            for headers in ({}, {"X_Forwarded_Prefix": PREFIX}):
                answer = client.get(path, **headers)
                assert "X-Forwarded-Prefix" in answer.headers["vary"], path
                assert "public" not in answer.headers.get("cache-control", ""), path
    with standing(
        tmp_path / "named", replace(SETTINGS, behind_proxy=True, root_path=PREFIX)
    ) as stand:
        assert "X-Forwarded-Prefix" not in stand.client().get("/login").headers.get("vary", "")


def test_m42_a_proxy_that_strips_nothing(tmp_path: Path) -> None:
    """M42: with --root-path the path may still have the prefix, so that the server itself can be
    asked for it, too.
    """
    with standing(tmp_path, replace(SETTINGS, root_path=PREFIX)) as stand:
        client = stand.client()
        assert [client.get(path).status for path in (f"{PREFIX}/healthz", "/healthz", PREFIX)] == [
            200,
            200,
            303,
        ]


@pytest.mark.parametrize(
    "path", ["jackfield", "//x", "/a/../b", "/a b", "https://corp.example/jackfield"]
)
def test_m42_a_root_path_that_is_none(shell: Shell, path: str) -> None:
    """M42: what is not a path is refused before anything is served."""
    answer = shell.run("serve", "--port", "0", "--root-path", path)
    assert (answer.code, "is not a path" in answer.json["error"]["message"]) == (2, True)


@pytest.mark.parametrize(
    ("behind_proxy", "host"),
    [
        (True, "jackfield.example.com"),
        (True, "127.0.0.1"),
        (False, "evil.example"),
        (False, "127.0.0.1@evil.example"),
    ],
)
def test_no_host_decides_a_link(tmp_path: Path, host: str, *, behind_proxy: bool) -> None:
    """Without a public URL, there is no link to give away or to be led back to, and nothing is
    begun; on loopback there is.
    """
    with standing(tmp_path, replace(SETTINGS, behind_proxy=behind_proxy)) as stand:
        storage, client = stand.host.storage, stand.client()
        made = PlatformTokens(
            storage.database, storage.vault, stand.host.clock, Actor("cli", "ada")
        ).create("acme-*", "The Shop")
        platform, sessions = Client(stand.port, made.text), "/v1/workspaces/acme-1/connect-sessions"
        assert platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
        for asked, path, body in (
            (platform, sessions, {"verify": "link"}),
            (client, "/v1/connections/gh/authorize", {}),
        ):
            refused = asked.post(path, body, Host=host)
            assert (refused.status, "--public-url" in refused.json["detail"]) == (503, True), (
                refused.body
            )
        assert platform.get(sessions).json["items"] == []
        if not behind_proxy:
            assert (
                platform.post(sessions, {"verify": "link"}, Host="localhost:1")
                .json["url"]
                .startswith("http://localhost:1/connect/")
            )


@pytest.mark.parametrize("named", [False, True])
def test_a_person_connects_below_a_prefix(tmp_path: Path, *, named: bool) -> None:
    """The page of a connect session, its form and its cookie are below the prefix, whether the
    operator or the proxy names that.
    """
    settings = replace(
        SETTINGS,
        behind_proxy=True,
        root_path="" if named else PREFIX,
        public_url=f"https://corp.example{PREFIX}",
    )
    with standing(tmp_path, settings) as stand:
        storage, head = stand.host.storage, {"X-Forwarded-Prefix": PREFIX} if named else {}
        made = PlatformTokens(
            storage.database, storage.vault, stand.host.clock, Actor("cli", "ada")
        ).create("acme-*", "The Shop")
        platform = Client(stand.port, made.text)
        assert platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
        begun = platform.post(
            "/v1/workspaces/acme-1/connect-sessions", {"verify": "link", "types": ["echo/token"]}
        ).json
        page = Client(stand.port).get(urlsplit(begun["url"]).path.removeprefix(PREFIX), **head)
        cookie, csrf = (
            page.headers["set-cookie"],
            page.body.decode().split('name="csrf" value="')[1].split('"')[0],
        )
        assert (cookie.startswith("__Secure-"), f"; Path={PREFIX};" in cookie) == (True, True)
        link = re.findall(r'action="([^"]*)"', page.body.decode())[0]
        assert f"https://corp.example{link}" == begun["url"]
        form = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookie.partition(";")[0],
            **head,
        }
        pressed = Client(stand.port).call(
            "POST", link.removeprefix(PREFIX), urlencode({"csrf": csrf}).encode(), **form
        )
        assert (pressed.status, pressed.headers["location"]) == (
            303,
            f"{PREFIX}/connect/session/{begun['id']}",
        )
        form["Cookie"] = pressed.headers["set-cookie"].partition(";")[0]
        shown = Client(stand.port).get(f"/connect/session/{begun['id']}", **form).body.decode()
        assert {
            address.startswith(f"{PREFIX}/")
            for address in re.findall(r'(?:href|action)="([^"]*)"', shown)
        } == {True}


def test_a_public_url_has_the_path_of_the_server() -> None:
    """Links without the prefix would lead to another server of the host."""
    for public in (
        "https://corp.example",
        f"https://corp.example/x{PREFIX}",
        f"https://corp.example{PREFIX}/y",
    ):
        with pytest.raises(InvalidInvocation, match="is not --root-path '/jackfield'"):
            check_settings(replace(SETTINGS, root_path=PREFIX, public_url=public))
    check_settings(replace(SETTINGS, root_path=PREFIX, public_url=f"https://corp.example{PREFIX}"))


@pytest.mark.parametrize("by_variable", [False, True])
@pytest.mark.parametrize("asked", ["/login", f"{PREFIX}/login"])
def test_the_path_of_the_public_url_is_that_of_all_links(
    tmp_path: Path, asked: str, *, by_variable: bool
) -> None:
    """Without --root-path, links and forms of the console led to ``/login`` of the host, which is
    the proxy's 404.
    """
    public = f"https://corp.example{PREFIX}/"
    command = [sys.executable, "-m", "jackfield", "serve", "--port", "0", "--behind-proxy"]
    command += [] if by_variable else ["--public-url", public]
    environment = clean(tmp_path, **({"JACKFIELD_PUBLIC_URL": public} if by_variable else {}))
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        listens = re.search(
            r"listens on http://127.0.0.1:(\d+)/jackfield", server.stderr.readline()
        )
        assert listens is not None
        page = Client(int(listens[1])).get(asked)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert re.findall(r'action="([^"]*)"', page.body.decode()) == [f"{PREFIX}/login"]
    assert f"Path={PREFIX};" in page.headers["set-cookie"]


def test_a_public_url_whose_path_is_none(shell: Shell) -> None:
    """A path that no link may begin with is refused before anything is served."""
    answer = shell.run("serve", "--port", "0", "--public-url", "https://corp.example/a/../b")
    assert (
        answer.code,
        "the public URL's path '/a/../b' is not a path" in answer.json["error"]["message"],
    ) == (2, True)


@pytest.mark.parametrize(
    ("named", "prefix"),
    [
        ("/a, /b", "/a/b"),
        ("/a/,/b/", "/a/b"),
        ("/, /b", "/b"),
        ("/a, //evil.example", ""),
        ("/a, https://b", ""),
        (", ".join(["/a"] * 9), ""),
    ],
)
def test_the_prefixes_of_two_proxies_make_one(tmp_path: Path, named: str, prefix: str) -> None:
    """Each of two proxies that strip a part of the path adds it to the header. They were ignored
    without a word.
    """
    with standing(tmp_path, replace(SETTINGS, behind_proxy=True)) as stand:
        assert (
            stand.client()
            .get("/connections", X_Forwarded_Prefix=named)
            .headers["location"]
            .startswith(f"{prefix}/login")
        )


def test_the_public_url_decides_links(tmp_path: Path) -> None:
    """Links begin with the operator's public URL, whatever ``Host`` a request has; examples for the
    caller alone, without one, with the address of the request.
    """
    path = "/v1/connectors/echo/actions/say"
    for public in ("https://jackfield.example.com", ""):
        with standing(
            tmp_path / (public and "public"), replace(SETTINGS, public_url=public)
        ) as stand:
            guide = (
                stand.client().get(path, Accept="text/markdown", Host="evil.example").body.decode()
            )
        assert ("http://evil.example" in guide) is not bool(public)
        assert (f"{public}/v1/" in guide) is True


@pytest.mark.parametrize(
    "url",
    [
        "jackfield.example",
        "ftp://x.example",
        "https://x.example/?a=b",
        "https://ada:pw@x.example",
        "https://[::1",
    ],
)
def test_a_public_url_that_is_none(url: str) -> None:
    """What is not the address of a server is refused before anything is served; a slash at its end
    is no part of it.
    """
    assert checked_public_url("https://x.example/jackfield/") == "https://x.example/jackfield"
    with pytest.raises(InvalidInvocation, match="is not the address of a server"):
        checked_public_url(url)
