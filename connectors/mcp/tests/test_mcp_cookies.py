"""Cookies of a balancer: they go with the session that they came with, to the same server, and
nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from jackfield_http.urls import parse_url
from jackfield_mcp.cookies import SessionCookies
from mcp_rig import (
    LEGACY,
    Talk,
    ToolServer,
    call,
    generate,
    installed,
    running,
    said,
    serving,
    stage,
)

HOME = "https://mcp.example.com/v1/mcp"
NOW = 1_800_000_000.0
KEPT: dict[str, tuple[list[str], str]] = {
    "plain": (["lb=a"], "lb=a"),
    "with attributes": (
        [
            (
                "AWSALB=x/y+z==; Expires=Mon, 07 Dec 2037 07:28:00 GMT; Path=/; HttpOnly; "
                "SameSite=None; Secure"
            )
        ],
        "AWSALB=x/y+z==",
    ),
    "several in one field": (
        ["a=1; Expires=Mon, 07 Dec 2037 07:28:00 GMT, b=2; Path=/,c=3"],
        "a=1; b=2; c=3",
    ),
    "another value": (["lb=a", "lb=b"], "lb=b"),
    "in quotes": (['lb="a b"'], 'lb="a b"'),
    "an empty one": (["lb="], "lb="),
    "of a parent domain": (["lb=a; Domain=.Example.com"], "lb=a"),
    "of the path": (
        ["a=1; Path=/v1", "b=2; Path=/v1/mcp", "c=3; Path=/v1/", "d=4; Path=nothing"],
        "a=1; b=2; c=3; d=4",
    ),
    "for some time": (["lb=a; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "lb=a"),
}
NONE: dict[str, list[str]] = {
    "of another domain": ["lb=a; Domain=other.com", "lb=a; Domain=ample.com"],
    "of another path": ["lb=a; Path=/v2", "lb=a; Path=/v1/m", "lb=a; Path=/v1/mcp/x"],
    "deleted": ["lb=a", "lb=; Max-Age=0"],
    "deleted by date": ["lb=a", "lb=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
    "without a name": ["a", "=a", "", ";;;", "=; Path=/"],
    "with what breaks a field": ["lb=a\r\nX-Own: 1", "lb=\x00", "l b=a", "lb=\xe9"],
    "too large": [f"lb={'a' * 5_000}"],
    "the sign-in's": ["mine=a"],
}


def _of(rows: list[str], home: str = HOME) -> str:
    cookies = SessionCookies()
    for row in rows:
        cookies.update(row, parse_url(home), NOW, {"mine"})
    return cookies.header()


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str) -> None:
    """As a browser would keep them, without an end."""
    rows, expected = KEPT[name]
    assert _of(rows) == expected


@pytest.mark.parametrize("name", NONE)
def test_not_kept(name: str) -> None:
    """What is for others, has ended, or cannot be sent."""
    assert _of(NONE[name]) == ""


def test_secure_cookies_over_http() -> None:
    """They are not sent in clear text."""
    assert _of(["lb=a; Secure"], "http://mcp.example.com/mcp") == ""
    assert _of(["lb=a; Domain=0.0.1"], "http://127.0.0.1/mcp") == ""


def test_bounds() -> None:
    """A session has 20 cookies, of 8 KiB together."""
    assert _of([f"c{number}=a" for number in range(30)]).count("=") == 20
    assert len(_of([f"c{number}={'a' * 3_000}" for number in range(5)])) < 8 * 1024


class Balancer:
    """Balancer over several servers: the first request of a session gets a cookie, and what comes
    without it reaches another one.
    """

    def __init__(self, server: ToolServer, lost: Callable[[Talk], object]) -> None:
        self._lost = lost
        self._numbers = itertools.count()
        self._rotates = False
        self.known: dict[str, str] = {}
        server.sessions = set()
        server.before = self.passes

    def rotating(self) -> Balancer:
        """Change the cookie with each answer, as some do."""
        self._rotates = True
        return self

    def passes(self, talk: Talk) -> bool:
        """Answer what reaches the wrong server."""
        method = talk.message["method"]
        if method == "initialize":
            result = {
                "protocolVersion": LEGACY,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1"},
            }
            identifier = f"session-{next(self._numbers)}"
            cookie = self.known[identifier] = f"node-{identifier}"
            talk.server.owner.sessions.add(identifier)  # type: ignore[union-attr]
            body = {"jsonrpc": "2.0", "id": talk.message["id"], "result": result}
            talk.json(body, Mcp_Session_Id=identifier, Set_Cookie=f"lb={cookie}; Path=/; HttpOnly")
            return True
        if method == "server/discover":
            return False
        given = SimpleCookie(talk.headers.get("Cookie", ""))
        identifier = talk.headers.get("Mcp-Session-Id", "")
        if (
            identifier not in self.known
            or "lb" not in given
            or given["lb"].value != self.known[identifier]
        ):
            self._lost(talk)
            return True
        if self._rotates and method in ("tools/list", "tools/call"):
            cookie = self.known[identifier] = f"node-{next(self._numbers)}"
            found: Any = (
                said("done") if method == "tools/call" else {"tools": talk.server.owner.tools}
            )
            talk.json(
                {"jsonrpc": "2.0", "id": talk.message["id"], "result": found},
                Set_Cookie=f"lb={cookie}; Path=/",
            )
            return True
        return False


LOST: dict[str, Callable[[Talk], object]] = {
    "404": lambda talk: talk.json(b"", 404),
    "400": lambda talk: talk.error(-32000, "Bad Request: No valid session ID provided", 400),
    "503": lambda talk: talk.json(b"", 503),
    "an error": lambda talk: talk.error(-32001, "Session not found"),
}


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("name", LOST)
def test_a_balancer(tmp_path: Path, name: str, rotates: bool) -> None:
    """The session stays with its server, whose cookie may change with each answer."""
    server = ToolServer(legacy=True)
    balancer = Balancer(server, LOST[name])
    balancer.rotating() if rotates else None
    with stage(tmp_path, server) as jackfield:
        begun = server.count("initialize")
        results = [call(jackfield, inputs={"text": str(number)}) for number in range(4)]
    assert [one.status for one in results] == ["succeeded"] * 4
    assert (server.count("tools/call"), server.count("initialize")) == (4, begun + 1)


def test_a_session_that_has_ended(tmp_path: Path) -> None:
    """Its cookies end with it: the next session begins without them."""
    server = ToolServer(legacy=True)
    balancer = Balancer(server, LOST["404"])
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, inputs={"text": "1"}).status == "succeeded"
        balancer.known.clear()
        assert call(jackfield, inputs={"text": "2"}).status == "succeeded"
    assert not [
        headers
        for message, headers in server.requests
        if message["method"] == "initialize" and "Cookie" in headers
    ]


def test_connections_share_none(tmp_path: Path) -> None:
    """Each connection has the cookies of its own session."""
    server = ToolServer(legacy=True)
    Balancer(server, LOST["404"])
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as one, running() as two:
            assert [
                call(jackfield, inputs={"text": str(number)}).status
                for number in range(2)
                for jackfield in (one, two)
            ] == ["succeeded"] * 4
    pairs = {
        (headers.get("Mcp-Session-Id"), headers.get("Cookie"))
        for message, headers in server.requests
        if message["method"] == "tools/call"
    }
    assert len(pairs) == 2


def test_a_cookie_of_the_sign_in(tmp_path: Path) -> None:
    """It stays what the connection says, whatever the server sets; a balancer's is beside it."""
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        if talk.message["method"] != "initialize":
            return False
        result = {
            "protocolVersion": LEGACY,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
        }
        talk.json(
            {"jsonrpc": "2.0", "id": talk.message["id"], "result": result},
            Set_Cookie="key=theirs, lb=a",
        )
        return True

    server.before = before
    with serving(server):
        generate(tmp_path, server.url)
        with installed(
            tmp_path, "headerKey", header="Cookie", key="key=mine-and-secret"
        ) as jackfield:
            assert call(jackfield).status == "succeeded"
    sent = next(
        headers["Cookie"]
        for message, headers in server.requests
        if message["method"] == "tools/call"
    )
    assert sorted(sent.split("; ")) == ["key=mine-and-secret", "lb=a"]
