"""The server behind nginx and Caddy themselves, as docs/tutorial/proxies.md sets them up: TLS,
below a path, by HTTP/1.1.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from authority import Authority
from doc_pages import ROOT
from gates import Gatekeeper
from http_stand import SETTINGS, Stand, say, standing
from jackfield_service.shell.http import event_stream
from jackfield_service.shell.identity import guesses
from ports import free_port
from replies import Reply
from waiting import until

pytestmark = pytest.mark.interop
_PAGE = (ROOT / "docs" / "tutorial" / "proxies.md").read_text(encoding="utf-8")
_NGINX = """daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    {more}
    {location}
  }}
}}
"""
_CADDY = "{{\n admin off\n auto_https off\n storage file_system {folder}/caddy\n}}\n"
_NAME = "\U0001f600 a;b.csv"
_HALL = {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
_CONTENT = b"a,b,c\r\n" * 600_000


@dataclass(frozen=True)
class Front:
    """A proxy in front of a server, as a client sees it."""

    stand: Stand
    port: int
    authority: Path

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request to the proxy, with a new token unless there is a cookie."""
        with contextlib.closing(self.sent(method, path, body, **headers)) as connection:
            return Reply.read(connection.getresponse())

    def sent(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> http.client.HTTPSConnection:
        """Send a request whose answer is read later."""
        trusting = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=120, context=trusting
        )
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if "Cookie" not in given:
            given.setdefault("Authorization", f"Bearer {self.stand.client().token}")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        connection.request(method, f"/jackfield{path}", data, given)
        return connection


def _written(proxy: str, folder: Path, port: int, upstream: int, more: str) -> list[str]:
    (example,) = re.findall(rf'^```\w+ title="{proxy}"\n(.*?)^```', _PAGE, re.MULTILINE | re.DOTALL)
    text = example.replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    config = folder / proxy
    if proxy == "nginx.conf":
        config.write_text(_NGINX.format(folder=folder, port=port, location=text, more=more))
        return ["nginx", "-c", str(config)]
    here = (
        f"https://localhost:{port} {{\n bind 127.0.0.1\n tls {folder}/server.pem "
        f"{folder}/server.pem\n"
    )
    config.write_text(_CADDY.format(folder=folder) + text.replace("corp.example {", here))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]


@contextlib.contextmanager
def _fronted(proxy: str, folder: Path, more: str = "", **settings: Any) -> Iterator[Front]:
    """Serve behind a proxy; ``more`` are directives of nginx."""
    if (
        shutil.which(proxy.partition(".")[0].replace("Caddyfile", "caddy")) is None
        or os.geteuid() != 0
    ):
        pytest.skip(
            f"the program of {proxy} is not installed, or this is not root: make interop "
            "installs it"
        )
    authority, port = Authority(folder), free_port()
    (folder / "server.pem").write_bytes(authority.pem("localhost"))
    public = f"https://localhost:{port}/jackfield"
    served = replace(
        SETTINGS, behind_proxy=True, root_path="/jackfield", public_url=public, **settings
    )
    with standing(folder, served) as stand, (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            _written(proxy, folder, port, stand.port, more),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        front = Front(stand, port, authority.bundle)
        try:
            until(lambda: process.poll() is not None or _answers(front))
            assert process.poll() is None, (folder / "output").read_text()
            yield front
        finally:
            process.terminate()
            process.wait(60)


def _answers(front: Front) -> bool:
    with contextlib.suppress(OSError):
        return front.call("GET", "/healthz").status == 200
    return False


PROXIES = ("nginx.conf", "Caddyfile")


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_person_signs_in_behind_it(proxy: str, tmp_path: Path) -> None:
    """The page below the path, cookies for HTTPS alone, the sign-in, and a page of the console; the
    path without its slash leads there.
    """
    with _fronted(proxy, tmp_path) as front:
        assert front.call("GET", "", Cookie="a=b").status in (301, 303)
        form = front.call("GET", "/login?next=/connections", Cookie="a=b")
        visitor = form.headers["set-cookie"]
        assert all(
            word in visitor
            for word in ("__Secure-", "Path=/jackfield;", "SameSite=strict", "Secure")
        )
        fields = dict(re.findall(r'name="(csrf|next)" value="([^"]*)"', form.body.decode()))
        body = urlencode({**fields, "token": front.stand.client().token}).encode()
        origin = {
            "Origin": f"https://localhost:{front.port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with contextlib.closing(
            front.sent("POST", "/login", body, Cookie=visitor.partition(";")[0], **origin)
        ) as connection:
            answer = connection.getresponse()
            assert b'content="0;url=/jackfield/connections"' in answer.read()
            kept = "; ".join(
                one.partition(";")[0] for one in answer.headers.get_all("Set-Cookie") or ()
            )
        assert front.call("GET", "/connections", Cookie=kept).status == 200


@pytest.mark.parametrize("proxy", PROXIES)
def test_files_calls_and_tools_go_through_it(proxy: str, tmp_path: Path) -> None:
    """A file of 4 MB with an odd name goes up and comes back whole, in parts too; a call has its
    Result, and MCP its tools.
    """
    with _fronted(proxy, tmp_path) as front:
        head = {
            "Content-Type": "text/csv",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(_NAME)}",
        }
        stored = front.call("POST", "/v1/files", _CONTENT, **head).json
        whole = front.call("GET", f"/v1/files/{stored['file']}", Accept_Encoding="gzip")
        rest = front.call(
            "GET",
            f"/v1/files/{stored['file']}",
            Range="bytes=1000-",
            If_Range=whole.headers["etag"],
        )
        assert (
            stored["name"],
            whole.body == _CONTENT,
            whole.body[:1000] + rest.body == _CONTENT,
        ) == (_NAME, True, True)
        assert quote(_NAME) in whole.headers["content-disposition"]
        assert front.call("HEAD", f"/v1/files/{stored['file']}").headers["content-length"] == str(
            len(_CONTENT)
        )
        assert (
            front.call("POST", "/v1/invocations", say("say", text="x" * 2_000_000)).json["status"]
            == "succeeded"
        )
        assert front.call("POST", "/v1/connections", _HALL).status == 201
        later = front.call(
            "POST", "/v1/invocations", say("say", "hall", text="x"), Prefer="respond-async"
        ).headers["location"]
        assert later.startswith("/jackfield/v1/invocations/")
        tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert front.call("POST", "/mcp", tools, Accept="application/json, text/event-stream").json[
            "result"
        ]["tools"]
        refused = front.call("POST", "/v1/files", _CONTENT, Authorization="Bearer jf_wrong")
        assert (refused.status, refused.json["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("proxy", PROXIES)
def test_events_are_passed_on_as_they_come(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comments of a silent call are there before its end."""
    monkeypatch.setattr(event_stream, "_SILENCE", 0.05)
    with _fronted(proxy, tmp_path) as front, Gatekeeper() as gate:
        asked = say("post", text="x", gate={"port": gate.port})
        with contextlib.closing(
            front.sent("POST", "/v1/invocations", asked, Accept="text/event-stream")
        ) as connection:
            gate.wait()
            answer = connection.getresponse()
            assert answer.readline() == b": waiting\n"
            gate.open()
            assert b'"status":"succeeded"' in answer.read()


@pytest.mark.parametrize(
    ("proxy", "more", "seen"),
    [
        ("nginx.conf", "", "127.0.0.1"),
        ("Caddyfile", "", "127.0.0.1"),
        (
            "nginx.conf",
            "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;",
            "203.0.113.9",
        ),
    ],
)
def test_the_client_is_who_the_proxy_says(
    proxy: str, more: str, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that a client has made up does not count, but for one that nginx is told to
    take.
    """
    addresses: list[str] = []

    def network_of(address: str) -> bytes:
        addresses.append(address)
        return b""

    monkeypatch.setattr(guesses, "network_of", network_of)
    with _fronted(proxy, tmp_path, more) as front:
        addresses.clear()
        front.call(
            "GET", "/v1/connections", Authorization="Bearer jf_wrong", X_Forwarded_For="203.0.113.9"
        )
        assert {*addresses} == {seen}


def test_a_tag_that_nginx_makes_weak_is_taken(tmp_path: Path) -> None:
    """A connection that was read through nginx's compression can be replaced."""
    with _fronted("nginx.conf", tmp_path, "gzip on; gzip_types *; gzip_proxied any;") as front:
        assert front.call("POST", "/v1/connections", _HALL).status == 201
        tag = front.call("GET", "/v1/connections/hall", Accept_Encoding="gzip").headers["etag"]
        replaced = front.call(
            "PUT", "/v1/connections/hall", {"values": {"token": "t-4712"}}, If_Match=tag
        )
        assert (tag, replaced.status) == ('W/"1"', 200)


def test_a_client_slower_than_nginx_has_the_whole_file(tmp_path: Path) -> None:
    """Of a file, nginx takes as much as its temporary file holds, and then reads nothing for longer
    than the server waits for a reader.
    """
    more = "proxy_max_temp_file_size 1m; limit_rate 400k;"
    with _fronted("nginx.conf", tmp_path, more, unread_within=1.0) as front:
        stored = front.call("POST", "/v1/files", _CONTENT).json
        assert front.call("GET", f"/v1/files/{stored['file']}").body == _CONTENT
