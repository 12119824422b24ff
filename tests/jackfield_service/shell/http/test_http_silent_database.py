"""A database that does not answer: deadlines hold, nothing is sent late or twice, and what needs no
database goes on.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.jackfield_service.subjects.connect.connect_browser import Person

from database_proxy import DatabaseProxy
from http_stand import Client, standing
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Unavailable
from jackfield_service.shell.browsers.cookies import CookieJar
from jackfield_service.shell.identity import identity
from jackfield_service.shell.pages import sign_in
from jackfield_service.shell.pages.layout.assets import asset
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_store.runtime import Jackfield
from noted_calls import Noted, noting
from postgres import Server
from replies import Reply

CALLERS = 8
INLINE = {"type": "token", "values": {"token": "secret-4711"}}
SECONDS = 2.0
WAIT = 1.5
HOLD = 3 * SECONDS
"""Seconds of silence: whoever waits for its end is noticed, however slow the machine is."""
_PAUSE = threading.Event()
_AT_ONCE, _BRIEF, _SERVER_WAIT = 12, 3.0, 5.0
"""Callers that come at once, seconds that each has, and seconds that a wait takes that belongs to
no call.
"""


@dataclass
class Place(Noted):
    """A server, and the proxy before its database."""

    proxy: DatabaseProxy = field(kw_only=True)


@contextmanager
def placed(folder: Path, url: str, wait: float = WAIT) -> Iterator[Place]:
    """Serve with a database behind a proxy, which is waited for so long."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    with (
        DatabaseProxy(port) as proxy,
        noting(folder, proxy.url(url), JACKFIELD_DATABASE_WAIT=f"{wait:g}") as found,
    ):
        try:
            yield Place(found.stand, found.ledger, found.client, proxy=proxy)
        finally:
            proxy.deliver()


@pytest.fixture
def place(tmp_path: Path, postgres_server: Server) -> Iterator[Place]:
    """A server behind a proxy."""
    with placed(tmp_path, postgres_server.create(postgres_server.template())) as found:
        yield found


def _calling(place: Place, over: threading.Event, caller: int) -> None:
    number = 0
    while not over.is_set():
        place.post(f"{caller}-{number}", keyed=caller % 2 == 0)
        number += 1


HOLDS: dict[str, Callable[[DatabaseProxy], None]] = {
    "all": lambda proxy: proxy.hold(),
    "answers": lambda proxy: proxy.hold("client"),
    "questions": lambda proxy: proxy.hold("server"),
    "dropped": lambda proxy: proxy.drop(),
}
ONCE = (("all", "deliver"), ("answers", "reset"))
"""Cases that are no campaign."""


@pytest.mark.parametrize(
    ("hold", "ends"),
    [
        pytest.param(hold, ends, marks=() if (hold, ends) in ONCE else pytest.mark.campaign)
        for hold in HOLDS
        for ends in ("deliver", "reset")
    ],
)
def test_deadlines_hold_while_the_database_is_silent(place: Place, hold: str, ends: str) -> None:
    """Callers in the midst of it are answered in time, nothing is sent after its deadline or twice,
    health needs no database, each key of a refused call works afterwards, once, and no entry stays
    open.
    """
    over = threading.Event()
    place.until_it_works(30)
    with ThreadPoolExecutor(CALLERS) as threads:
        calling = [threads.submit(_calling, place, over, caller) for caller in range(CALLERS)]
        _PAUSE.wait(0.5)
        HOLDS[hold](place.proxy)
        slowest = 0.0
        until = time.monotonic() + HOLD
        while time.monotonic() < until:
            began = time.monotonic()
            assert place.client.get("/healthz").status == 200
            slowest = max(slowest, time.monotonic() - began)
            _PAUSE.wait(0.05)
        assert place.client.get("/readyz").status == 503
        getattr(place.proxy, ends)()
        place.until_it_works()
        over.set()
        for one in calling:
            one.result(30)
    found = Counter(reply.status for reply in place.replies.values())
    assert found.keys() <= {200, 503, 504}
    assert found[200] > CALLERS
    assert found[503] + found[504] >= CALLERS
    assert max(place.took.values()) < HOLD
    assert slowest < SECONDS
    refused = [name for name, reply in place.replies.items() if reply.status != 200]
    for name in refused:
        keyed = int(name[0]) % 2 == 0 if name[0].isdigit() else False
        if keyed:
            assert place.post(name, keyed=True).status == 200, place.replies[name].json
        else:
            assert place.ledger.effects[name] == 0, name
    assert not place.ledger.late
    assert {
        name: count for name, count in place.ledger.effects.items() if count > 1 and name != "back"
    } == {}
    until = time.monotonic() + 20
    while place.running():
        assert time.monotonic() < until
        _PAUSE.wait(0.2)


def test_an_outcome_that_the_database_does_not_take(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has answered and the database is silent: the caller is told both at his
    deadline, the entry ends truly, and its key replays the Result without sending again.
    """
    from jackfield_echo.client import EchoClient

    place.until_it_works(30)
    sent = EchoClient.send

    def send(client: Any, fault: Any, gate: Any) -> None:
        sent(client, fault, gate)
        place.proxy.hold()

    with monkeypatch.context() as patched:
        patched.setattr(EchoClient, "send", send)
        reply = place.post("once", keyed=True)
    assert reply.status == 200
    assert reply.json["status"] == "succeeded"
    assert "could not be recorded yet" in reply.json["meta"]["warnings"][0]["message"]
    assert place.took["once"] < HOLD
    place.proxy.deliver()
    place.until_it_works()
    again = place.post("once", keyed=True)
    assert (again.status, again.json["status"], again.json["meta"]["replayed"]) == (
        200,
        "succeeded",
        True,
    )
    assert "warnings" not in again.json["meta"]
    assert place.ledger.effects["once"] == 1


def test_what_needs_no_database_goes_on(tmp_path: Path, postgres_server: Server) -> None:
    """While many calls wait for the database, what needs none is answered: the probe of the
    process, documents, and static pages.
    """
    url, free = (
        postgres_server.create(postgres_server.template()),
        ("/healthz", "/openapi.json", "/asyncapi.json", "/docs", asset("console.css")),
    )
    with placed(tmp_path, url, wait=100.0) as place, ThreadPoolExecutor(40) as threads:
        place.until_it_works()
        before = {path: place.client.get(path).status for path in free}
        place.proxy.hold()
        calls = [
            threads.submit(place.post, f"{number}", keyed=True, seconds=100.0)
            for number in range(40)
        ]
        found = {path: place.client.get(path).status for path in free}
        assert not any(call.done() for call in calls)
        place.proxy.deliver()
        for call in calls:
            call.result(60)
    assert found == before


DESCRIBES = (
    "/v1/actions?q=say",
    "/v1/connectors",
    "/v1/connectors/echo",
    "/v1/connectors/echo/actions/say",
    "/v1/connectors/echo/actions/say/schema",
)


def test_descriptions_are_read_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is silent, a token that held within the last minute finds connectors,
    actions and schemas, also beside calls that wait; one that this process has not seen gets 503,
    and so does everybody after that minute, and whoever asks for more than that.
    """
    unseen, reader = place.stand.client(), place.stand.client("read")
    before = {path: reader.get(path).body for path in DESCRIBES}
    place.until_it_works(30)
    place.proxy.hold()
    with ThreadPoolExecutor(40) as threads:
        calls = [
            threads.submit(place.post, f"{number}", keyed=True, seconds=HOLD)
            for number in range(40)
        ]
        asked = {path: threads.submit(reader.get, path) for path in DESCRIBES}
        more = {
            path: threads.submit(reader.get, path)
            for path in ("/v1/connections", "/v1/invocations")
        }
        others = [threads.submit(unseen.get, path) for path in DESCRIBES]
        assert {
            path: (reply.result(60).status, reply.result().body) for path, reply in asked.items()
        } == {path: (200, body) for path, body in before.items()}
        assert {reply.result(60).status for reply in [*more.values(), *others]} == {503}
        with monkeypatch.context() as patched:
            patched.setattr(identity, "REMEMBERED", 0.0)
            assert reader.get(DESCRIBES[0]).status == 503
        place.proxy.deliver()
        for call in calls:
            call.result(60)
    place.until_it_works(30)
    assert unseen.get(DESCRIBES[0]).status == 200


TOOLS: dict[str, dict[str, Any]] = {
    "search_actions": {"query": "say"},
    "get_action_guide": {"connector": "echo", "action": "say"},
    "list_connections": {},
    "execute_action": {
        "connector": "echo",
        "action": "post",
        "connection": INLINE,
        "inputs": {"text": "tool"},
        "timeoutSeconds": 2,
    },
}


def _talked(client: Client, method: str, params: dict[str, Any], **headers: str) -> Reply:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return client.post("/mcp", body, Mcp_Protocol_Version="2025-06-18", **headers)


HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
WAYS: tuple[dict[str, str], ...] = ({}, {"Prefer": "handling=strict"})
"""Headers of a plain request, and of one that Starlette answers."""


@pytest.mark.parametrize("headers", WAYS, ids=["plain", "starlette"])
def test_tools_describe_meanwhile(place: Place, headers: dict[str, str]) -> None:
    """While the database is silent, a client of MCP signs in, lists tools, searches and reads
    guides by a token that held within the last minute, and is told that connections are not shown;
    what needs the database is refused, and nothing is run.
    """
    reader, unseen = place.stand.client("invoke"), place.stand.client("invoke")
    for name, given in list(TOOLS.items())[:3]:
        assert (
            _talked(reader, "tools/call", {"name": name, "arguments": given}, **headers).status
            == 200
        )
    place.until_it_works(30)
    place.proxy.hold()
    try:
        _PAUSE.wait(0.1)
        replies = {
            name: _talked(reader, "tools/call", {"name": name, "arguments": given}, **headers)
            for name, given in TOOLS.items()
        }
        search, guide, *others = replies.values()
        assert (search.status, guide.status) == (200, 200), (search.json, guide.json)
        assert "echo.say" in search.json["result"]["content"][0]["text"]
        assert {
            "connections" in item for item in search.json["result"]["structuredContent"]["items"]
        } == {False}
        assert "connections are not shown" in search.json["result"]["content"][0]["text"]
        assert "You may run it" in guide.json["result"]["content"][0]["text"]
        assert {reply.status for reply in others} == {503}
        with_connection = {**TOOLS["get_action_guide"], "connection": "main"}
        assert (
            _talked(
                reader,
                "tools/call",
                {"name": "get_action_guide", "arguments": with_connection},
                **headers,
            ).status
            == 503
        )
        assert _talked(reader, "tools/list", {}, **headers).json["result"]["tools"]
        assert (
            "echo" in _talked(reader, "initialize", HELLO, **headers).json["result"]["instructions"]
        )
        assert (
            _talked(
                unseen, "tools/call", {"name": "search_actions", "arguments": {}}, **headers
            ).status
            == 503
        )
    finally:
        place.proxy.deliver()
    place.until_it_works(30)
    assert place.ledger.effects["tool"] == 0
    assert (
        "connections are not"
        not in _talked(reader, "tools/call", {"name": "search_actions", "arguments": {}}).json[
            "result"
        ]["content"][0]["text"]
    )


PAGES = (
    "/connectors",
    "/connectors?q=say",
    "/connectors/echo",
    "/connectors/echo/actions/say",
    "/connectors/echo/actions/say/output",
)


def _signed_in(place: Place) -> Callable[[str], Reply]:
    """Sign in to the console with a new token; return what shows its pages."""
    client, host = place.stand.client(), place.stand.host
    secret = ConsoleSessions(host).by_token(client.token or "")
    assert secret is not None
    response = Response()
    CookieJar(host.settings).begin(response, *secret)
    cookie = response.headers["set-cookie"].partition(";")[0]
    return lambda path: Client(place.stand.port).get(path, Cookie=cookie)


def test_pages_describe_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is silent, a session that held within the last minute is shown connectors,
    actions and search, and told that what is stored is not; other pages, and sessions that this
    process has not seen, get 503, and so does everybody after that minute.
    """
    shown, unseen = _signed_in(place), _signed_in(place)
    before = {path: shown(path) for path in PAGES}
    assert {reply.status for reply in before.values()} == {200}
    place.until_it_works(30)
    place.proxy.hold()
    try:
        _PAUSE.wait(0.1)
        replies = {path: shown(path) for path in PAGES}
        assert {path: reply.status for path, reply in replies.items()} == dict.fromkeys(PAGES, 200)
        told = {
            path: "The database does not answer" in reply.body.decode()
            for path, reply in replies.items()
        }
        assert told == {path: not path.endswith("/output") for path in PAGES}
        assert all("Say" in replies[path].body.decode() for path in PAGES[1:4])
        assert {shown(path).status for path in ("/connections", "/invocations")} == {503}
        assert unseen(PAGES[0]).status == 503
        with monkeypatch.context() as patched:
            patched.setattr(sign_in, "REMEMBERED", 0.0)
            assert shown(PAGES[0]).status == 503
    finally:
        place.proxy.deliver()
    place.until_it_works(30)
    assert "The database does not answer" not in shown(PAGES[0]).body.decode()


def test_the_page_of_a_connect_session_says_so(place: Place) -> None:
    """To say it, the session is looked for once more: that nobody answers that either is no fault
    of ours.
    """
    asked = {
        "user": "ada",
        "returnTo": "https://shop.example/",
        "types": ["echo/token"],
        "connection": "main",
    }
    made = place.stand.platform().post("/v1/workspaces/acme-1/connect-sessions", asked)
    assert made.status == 201
    person = Person(place.stand.port)
    person.go(made.json["url"])
    assert person.page is not None
    assert person.page.status == 200
    try:
        place.proxy.hold()
        person.go(made.json["url"])
    finally:
        place.proxy.deliver()
    assert person.page.status == 503


class _Ahead(SystemClock):
    """A clock that can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        """Return the seconds since 1970."""
        return super().time() + self.ahead


def test_a_token_that_ends_is_refused_meanwhile(tmp_path: Path, postgres_server: Server) -> None:
    """A token that expires while the database is silent, and one that was revoked before, read
    nothing more.
    """
    clock = _Ahead()
    url = postgres_server.create(postgres_server.template())
    port = int(url.rpartition(":")[2].partition("/")[0])
    with (
        DatabaseProxy(port) as proxy,
        standing(
            tmp_path,
            clock=clock,
            JACKFIELD_DATABASE_URL=proxy.url(url),
            JACKFIELD_DATABASE_WAIT=f"{WAIT:g}",
        ) as stand,
    ):
        manager, brief, revoked = (
            stand.client(),
            stand.client("read", expires_at=clock.time() + 600.0),
            stand.client("read"),
        )
        assert {client.get(DESCRIBES[0]).status for client in (brief, revoked)} == {200}
        lasting = [
            item
            for item in manager.get("/v1/tokens").json["items"]
            if item["scope"] == "read" and item["expiresAt"] is None
        ]
        ended = lasting[0]["id"]
        assert manager.call("DELETE", f"/v1/tokens/{ended}").status == 204
        assert (brief.get(DESCRIBES[0]).status, revoked.get(DESCRIBES[0]).status) == (200, 401)
        try:
            proxy.hold()
            assert (brief.get(DESCRIBES[0]).status, revoked.get(DESCRIBES[0]).status) == (200, 503)
            clock.ahead = 601.0
            assert brief.get(DESCRIBES[0]).status == 503
        finally:
            proxy.deliver()


def test_a_process_that_begins_meanwhile(tmp_path: Path, postgres_server: Server) -> None:
    """Callers that come at once before a database has been opened wait for it side by side: each is
    answered by its own deadline, however many there are, the end waits for none of them in turn,
    and all goes on when the database is back.
    """
    with DatabaseProxy(postgres_server.port) as proxy, ThreadPoolExecutor(_AT_ONCE) as threads:
        url = proxy.url(postgres_server.create(postgres_server.template()))
        runtime = Jackfield(
            connections=[], database_url=url, environment={"JACKFIELD_HOME": str(tmp_path)}
        )

        def look(_number: int) -> tuple[str, float]:
            began = time.monotonic()
            result = runtime.invoke(
                {"connector": "none", "action": "none", "timeoutSeconds": _BRIEF}
            )
            return result.error.code if result.error else "", time.monotonic() - began

        proxy.hold()
        answers = [*threads.map(look, range(_AT_ONCE))]
        assert {code for code, _ in answers} <= {"unavailable", "timeout"}
        assert max(took for _, took in answers) < _AT_ONCE * _BRIEF / 3
        began, waits = (
            time.monotonic(),
            [threads.submit(lambda: runtime.storage.database) for _ in range(_AT_ONCE)],
        )
        for wait in waits:
            assert isinstance(wait.exception(60), Unavailable)
        runtime.storage.close()
        assert time.monotonic() - began < _AT_ONCE * _SERVER_WAIT / 3
        proxy.deliver()
        until = time.monotonic() + 60
        while look(0)[0] != "unknown_connector":
            assert time.monotonic() < until
            _PAUSE.wait(0.1)
        runtime.close()
