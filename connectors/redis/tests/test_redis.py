"""Redis: reading, changing, and what is told of commands whose answer is lost; against a real
server.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority import Authority
from database_proxy import DatabaseProxy
from jackfield import Jackfield, Result
from jackfield.connector import ANYWHERE, Call, Deadline, Guard, InvalidConnection, Polled, Since
from jackfield.connector.binary import decoded, encoded
from jackfield.kernel.clock import SystemClock
from jackfield.wire.sessions import SessionPool
from jackfield_redis.client import RedisClient
from jackfield_redis.connection_type import LoginType
from jackfield_redis.watching import Watched, new_entries
from redis_server import Redis, redis, redis_process
from tls_front import fronting
from tls_trials import only_the_known_server, trials
from waiting import until

__all__ = ["redis", "redis_process"]
CLOCK = SystemClock()
_ADA = ("ada", ">s3cret-of-ada", "~*", "&*", "+@all")


class Rig:
    """A runtime with the connector, and a server."""

    def __init__(self, server: Redis, jackfield: Jackfield) -> None:
        self.client, self.jackfield = server.client, jackfield
        self.server_port = self.port = int(server.url.rpartition(":")[2].partition("/")[0])

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        return {
            "hostname": "127.0.0.1",
            "port": self.port,
            "username": "ada",
            "password": "s3cret-of-ada",
            "tls": "disable",
            **changed,
        }

    def call(
        self,
        action: str,
        *,
        timeout: float = 30.0,
        values: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Call an action."""
        return self.jackfield.invoke(
            {
                "connector": "redis",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "login", "values": values or self.values()},
            }
        )

    def output(self, action: str, **inputs: Any) -> Any:
        """Call an action that succeeds."""
        return self.call(action, **inputs).unwrap()


@pytest.fixture
def rig(redis: Redis) -> Iterator[Rig]:
    """An empty server with a user."""
    redis.client.execute_command("ACL", "SETUSER", _ADA[0], "reset", "on", *_ADA[1:])
    with Jackfield(database_url="none") as jackfield:
        yield Rig(redis, jackfield)


def test_values_come_back_as_they_were_written(rig: Rig) -> None:
    """Texts as texts, bytes as base64, and what is not there as not found."""
    raw = base64.b64encode(b"\0\xff").decode()
    assert rig.output("setValue", key="é", value="lämp") == {"stored": True}
    assert rig.output("getValue", key="é") == {"found": True, "value": "lämp", "encoding": "text"}
    rig.output("setValue", key="raw", value=raw, encoding="base64", expireSeconds=60)
    assert rig.output("getValue", key="raw") == {"found": True, "value": raw, "encoding": "base64"}
    assert 0 < rig.client.ttl("raw") <= 60
    assert rig.output("getValue", key="none") == {"found": False, "encoding": "text"}


def test_a_key_is_taken_once(rig: Rig) -> None:
    """Locks and counters: the second one sees the first."""
    assert [
        rig.output("setValueIfAbsent", key="lock", value=one, expireSeconds=9)["stored"]
        for one in "ab"
    ] == [True, False]
    assert [
        rig.output("incrementValue", key="n")["value"],
        rig.output("incrementValue", key="n", by=-3)["value"],
    ] == [1, -2]
    assert (
        rig.output("expireKey", key="n", expireSeconds=5),
        rig.output("expireKey", key="x", expireSeconds=5),
    ) == (
        {"found": True},
        {"found": False},
    )
    assert rig.output("deleteKeys", keys=["lock", "x"]) == {"deleted": 1}


def test_a_list_keeps_its_order(rig: Rig) -> None:
    """Pushed and taken at both ends; parts of it by index."""
    assert rig.output("pushItems", key="jobs", items=["b", "c"]) == {"length": 2}
    assert rig.output("pushItems", key="jobs", items=["0", "a"], end="first") == {"length": 4}
    read = partial(rig.output, "listItems", key="jobs")
    parts = [read(), read(start=1, count=2), read(start=-2), read(start=-3, count=2), read(start=9)]
    assert [part["items"] for part in parts] == [
        ["0", "a", "b", "c"],
        ["a", "b"],
        ["b", "c"],
        ["a", "b"],
        [],
    ]
    assert rig.output("popItems", key="jobs", count=2)["items"] == ["0", "a"]
    assert rig.output("popItems", key="jobs", count=9, end="last")["items"] == ["c", "b"]
    assert rig.output("popItems", key="jobs")["items"] == []


def test_a_hash_has_fields(rig: Rig) -> None:
    """All of them, or those that are named and there."""
    rig.output("setHashFields", key="order", fields={"state": "paid", "total": "19.90"})
    assert rig.output("getHash", key="order")["fields"] == {"state": "paid", "total": "19.90"}
    assert rig.output("getHash", key="order", names=["total", "none"])["fields"] == {
        "total": "19.90"
    }
    rig.client.hset("order", "raw", b"\xff")
    assert rig.output("getHash", key="order", names=["raw"]) == {
        "fields": {"raw": "/w=="},
        "encoding": "base64",
    }


def test_keys_are_listed_to_the_end(rig: Rig) -> None:
    """Over pages without a key that fits; a name that is no text is left out, with a warning."""
    rig.client.mset(
        {f"other:{number}": "x" for number in range(500)}
        | {f"cart:{number}": "x" for number in range(5)}
        | {b"\xff": "x"}
    )
    result = rig.call("listKeys", pattern="cart:*", scan=10, fetchAll=True)
    assert sorted({*result.unwrap()["keys"]}) == [f"cart:{number}" for number in range(5)]
    everything = rig.call("listKeys", fetchAll=True)
    assert (
        len({*everything.unwrap()["keys"]}),
        [one["path"] for one in everything.meta.warnings],
    ) == (505, ["/keys"])
    for token in ("9" * 20, "x"):
        assert _code(rig.call("listKeys", nextToken=token)) == "invalid_input"


def test_a_stream_is_read_page_by_page(rig: Rig) -> None:
    """Oldest first, each entry once; the length is limited if asked for."""
    added = [
        rig.output("addToStream", key="events", fields={"n": str(number)})["id"]
        for number in range(7)
    ]
    found = rig.output("readStream", key="events", pageSize=3, fetchAll=True)["entries"]
    assert [(one["id"], one["fields"]) for one in found] == [
        (one, {"n": str(number)}) for number, one in enumerate(added)
    ]
    assert [
        one["id"] for one in rig.output("readStream", key="events", after=added[4])["entries"]
    ] == added[5:]
    for _ in range(300):
        rig.output(
            "addToStream", key="short", fields={"raw": "/w=="}, encoding="base64", maxLength=10
        )
    assert rig.client.xlen("short") < 200
    assert rig.output("readStream", key="short", pageSize=1)["entries"][0]["encoding"] == "base64"


def test_a_message_reaches_those_who_listen(rig: Rig) -> None:
    """And their number is returned."""
    listener = rig.client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("orders")
    assert listener.get_message(timeout=5) is None
    assert rig.output("publishMessage", channel="orders", message="7") == {"receivers": 1}
    assert listener.get_message(timeout=60)["data"] == b"7"
    listener.close()
    assert rig.output("publishMessage", channel="nobody", message="7") == {"receivers": 0}


def _code(result: Result) -> str | None:
    return result.error.code if result.error is not None else None


@pytest.mark.parametrize(
    ("action", "inputs", "code"),
    [
        ("incrementValue", {"key": "text"}, "rejected"),
        ("pushItems", {"key": "text", "items": ["a"]}, "rejected"),
        ("getHash", {"key": "text"}, "rejected"),
        ("setValue", {"key": "k", "value": "?", "encoding": "base64"}, "invalid_input"),
        ("setValue", {"key": "k", "value": "\ud800"}, "invalid_input"),
        ("setValue", {"key": "\ud800", "value": ""}, "invalid_input"),
        ("setHashFields", {"key": "k", "fields": {"\ud800": ""}}, "invalid_input"),
        ("incrementValue", {"key": "n", "by": 2**63}, "invalid_input"),
        ("incrementValue", {"key": "most"}, "rejected"),
    ],
)
def test_refusals_are_told_and_nothing_is_left(
    rig: Rig, action: str, inputs: dict[str, Any], code: str
) -> None:
    """Each has its code, nothing is in doubt, nothing is changed, and the connection serves the
    next call.
    """
    rig.client.mset({"text": "abc", "most": 2**63 - 1})
    result = rig.call(action, **inputs)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert rig.client.dbsize() == 2
    assert rig.output("getValue", key="text")["value"] == "abc"


def test_what_the_server_does_not_allow_is_forbidden(rig: Rig) -> None:
    """Commands and keys that the user may not use, a full server, and one that may not change
    data.
    """
    rig.client.execute_command("ACL", "SETUSER", "ada", "resetkeys", "~mine:*", "-incrby")
    assert _code(rig.call("getValue", key="yours")) == "forbidden"
    assert _code(rig.call("incrementValue", key="mine:1")) == "forbidden"
    rig.client.execute_command("ACL", "SETUSER", "ada", "~*", "+@all")
    changed = {"maxmemory": "1", "min-replicas-to-write": "3"}
    for name, value in changed.items():
        rig.client.config_set(name, value)
        result = rig.call("setValueIfAbsent", key="k", value="v", timeout=1.0)
        rig.client.config_set(name, "0")
        assert (result.status, _code(result)) == ("failed", "unavailable"), result.error
    rig.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        result = rig.call("setValueIfAbsent", key="k", value="v")
    finally:
        rig.client.execute_command("REPLICAOF", "NO", "ONE")
    assert (result.status, _code(result)) == ("failed", "rejected"), result.error
    assert rig.client.dbsize() == 0


_WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("setValueIfAbsent", "SET", {"key": "k", "value": "v"}),
    ("incrementValue", "INCRBY", {"key": "k"}),
    ("pushItems", "RPUSH", {"key": "k", "items": ["a"]}),
    ("addToStream", "XADD", {"key": "k", "fields": {"a": "b"}}),
    ("popItems", "LPOP", {"key": "k"}),
    ("deleteKeys", "DEL", {"keys": ["k"]}),
    ("publishMessage", "PUBLISH", {"channel": "c", "message": "m"}),
]


@pytest.mark.parametrize("loss", ["cut", "silent"])
@pytest.mark.parametrize(("action", "command", "inputs"), _WRITES)
def test_a_change_without_an_answer_is_made_once(
    rig: Rig, action: str, command: str, inputs: dict[str, Any], loss: str
) -> None:
    """The server has carried it out, nobody says so, and it is not sent again: it is in doubt."""
    with DatabaseProxy(rig.server_port, command.encode()) as proxy:
        rig.port = proxy.port
        rig.output("getValue", key="other")
        rig.client.config_resetstat()
        proxy.swallow(1, then_silent=loss == "silent")
        result = rig.call(action, **inputs, timeout=3.0)
        calls = rig.client.info("commandstats")[f"cmdstat_{command.lower()}"]["calls"]
    assert (result.status, calls) == ("in_doubt", 1), result.error


@pytest.mark.parametrize(
    ("action", "command", "inputs"),
    [
        ("setValue", "SET", {"key": "k", "value": "v"}),
        ("expireKey", "EXPIRE", {"key": "k", "expireSeconds": 9}),
        ("setHashFields", "HSET", {"key": "k", "fields": {"a": "b"}}),
        ("getValue", "GET", {"key": "k"}),
    ],
)
def test_what_may_be_repeated_is_repeated(
    rig: Rig, action: str, command: str, inputs: dict[str, Any]
) -> None:
    """An answer that is lost costs another attempt."""
    with DatabaseProxy(rig.server_port, command.encode()) as proxy:
        rig.port = proxy.port
        rig.output("getHash", key="other")
        proxy.swallow(1)
        result = rig.call(action, **inputs)
        lost = proxy.swallowed
    assert (result.status, result.meta.attempts, lost) == ("succeeded", 2, 1), result.error


def test_an_idle_connection_that_has_ended_is_not_used(rig: Rig) -> None:
    """Ended by the server, or silently by the network: the change goes over a new one, once."""
    rig.output("getValue", key="k")
    rig.client.execute_command("CLIENT", "KILL", "USER", "ada")
    result = rig.call("incrementValue", key="k")
    assert (result.status, result.meta.attempts) == ("succeeded", 1)
    with DatabaseProxy(rig.server_port) as proxy:
        rig.port = proxy.port
        rig.output("getValue", key="k")
        proxy.drop("client")
        late = rig.call("incrementValue", key="k", timeout=2.5)
        proxy.deliver()
        assert (late.status, _code(late)) == ("failed", "timeout")
        assert rig.output("incrementValue", key="k") == {"value": 2}


def test_a_call_ends_at_its_deadline(rig: Rig) -> None:
    """A server that does not answer is not waited for; what had been sent is told."""
    rig.output("getValue", key="k")
    rig.client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    try:
        reading, writing = (
            rig.call("getValue", key="k", timeout=5),
            rig.call("incrementValue", key="k", timeout=1),
        )
    finally:
        rig.client.execute_command("CLIENT", "UNPAUSE")
    assert (reading.status, writing.status) == ("succeeded", "in_doubt")


def test_an_answer_that_is_too_large_is_refused(rig: Rig) -> None:
    """However long the server says that it is; the next call is served."""
    rig.client.set("large", b"x" * (17 * 1024 * 1024))
    result = rig.call("getValue", key="large")
    assert (result.status, _code(result)) == ("failed", "rejected")
    assert rig.output("getValue", key="k")["found"] is False


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"password": "s3cret-of-eve"}, "unauthenticated"),
        ({"username": "s3cret"}, "unauthenticated"),
        ({"database": 999}, "rejected"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"tls": "verify"}, "timeout"),
        (
            {
                "tls": "verify",
                "caCertificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
            },
            "invalid_connection",
        ),
    ],
)
def test_a_login_that_fails_says_why(rig: Rig, changed: dict[str, Any], code: str) -> None:
    """The error names the cause and no secret, and a server without TLS gets no login."""
    result = rig.call("incrementValue", key="k", values=rig.values(**changed), timeout=2.0)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert "s3cret-of" not in str(result.error)


def test_a_server_may_want_no_login(rig: Rig) -> None:
    """Then no user is named; one that wants a login says so."""
    values = {"hostname": "127.0.0.1", "port": rig.port, "tls": "disable"}
    assert rig.call("getValue", key="k", values=values).status == "succeeded"
    rig.client.execute_command("ACL", "SETUSER", "default", "resetpass", ">s3cret")
    try:
        refused = rig.call("getValue", key="k", values={**values, "database": 1})
    finally:
        rig.client.execute_command("ACL", "SETUSER", "default", "nopass")
    assert _code(refused) == "unauthenticated", refused.error


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(database=3), "bad": rig.values(password="no")}
    connections = {
        name: {"type": "redis/login", "values": values} for name, values in named.items()
    }
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert (good["status"], good["account"]["label"]) == ("ok", "ada at 127.0.0.1, database 3")
    assert (bad["status"], bad["lastTest"]["steps"][0]["passed"]) == ("failing", False)


def test_connections_are_kept_and_closed(rig: Rig) -> None:
    """Calls share a connection, and none is left once the runtime is."""
    rig.client.client_kill_filter(user="ada")
    _use(rig)
    until(lambda: not _sessions(rig))


def _use(rig: Rig) -> None:
    with Jackfield(database_url="none") as jackfield:
        for _ in range(5):
            values = {"type": "login", "values": rig.values()}
            jackfield.invoke(
                {
                    "connector": "redis",
                    "action": "getValue",
                    "inputs": {"key": "k"},
                    "connection": values,
                }
            ).unwrap()
        assert len(_sessions(rig)) == 1


def _sessions(rig: Rig) -> list[Any]:
    return [one for one in rig.client.client_list() if one["user"] == "ada"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "::ffff:127.0.0.1"]
)
def test_only_allowed_addresses_are_reached(rig: Rig, host: str) -> None:
    """A connection of somebody who may not reach the operator's network does not, by name or
    address.
    """
    login = LoginType.model_validate(rig.values(hostname=host))
    with pytest.raises(InvalidConnection):
        login.connect(Guard(), Deadline.after(30.0, CLOCK))


def test_a_certificate_is_checked_by_authority_and_name(rig: Rig, tmp_path: Path) -> None:
    """Only the server that its authority and name are known of gets the login."""
    authority = Authority(tmp_path)
    pem = tmp_path / "server.pem"
    pem.write_bytes(authority.pem("localhost"))
    tried = trials(authority.bundle, tmp_path)
    with fronting(rig.server_port, pem) as front:
        rig.port = front.port
        results = {
            why: rig.call("getValue", key="k", values=rig.values(**changed))
            for why, changed in tried.items()
        }
        again = rig.call("incrementValue", key="k", values=rig.values(**tried["good"]))
    only_the_known_server(results)
    assert again.status == "succeeded"


def _polled(rig: Rig, mark: dict[str, Any]) -> Polled:
    """Poll the stream once, as the runtime does."""
    pool = SessionPool(partial(LoginType.model_validate(rig.values()).connect, ANYWHERE), CLOCK)
    try:
        client = RedisClient(pool, Call(Deadline.after(30.0, CLOCK)))
        return new_entries(Watched.model_validate({"key": "events"}), client, Since(0, mark))
    finally:
        pool.close()


@pytest.mark.parametrize("there", [0, 3])
def test_entries_are_told_once_and_in_order(rig: Rig, there: int) -> None:
    """What was there is not told; what comes is, page by page."""
    for _ in range(there):
        rig.client.xadd("events", {"n": "old"})
    page = _polled(rig, {})
    assert page.events == []
    added = [rig.client.xadd("events", {"n": str(number)}).decode() for number in range(250)]
    told: list[str | None] = []
    sizes: list[int] = []
    while not sizes or page.more:
        page = _polled(rig, dict(page.next))
        told += [one.key for one in page.events]
        sizes.append(len(page.events))
    assert (told, sizes) == (added, [200, 50])
    assert _polled(rig, dict(page.next)).events == []


@given(st.binary())
def test_any_value_survives(raw: bytes) -> None:
    """What is read is written again as the same bytes."""
    (text,), encoding = decoded([raw])
    assert text is not None
    assert encoded(text, encoding, "/value") == raw
